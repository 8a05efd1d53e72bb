//! Judging comments that differ, each under one of many pages: what one comment judged again and again does not show, since its words, its page and the
//! model's weights for it are then in the processor's nearest cache.

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use doorward::app::house::House;
use doorward::domain::comment::ArticleDraft;
use doorward::domain::relevance::Page;
use doorward::domain::time::Timestamp;

/// Comments that are judged in turn.
const COMMENTS: usize = 4_000;
/// Pages that they stand under.
const PAGES: usize = 500;

/// The generator of Park and Miller, as in `bench/comments.py`.
struct Numbers(u64);

impl Numbers {
    fn share(&mut self) -> f64 {
        self.0 = self.0 * 16_807 % 2_147_483_647;
        f64::from(u32::try_from(self.0).expect("below its modulus")) / 2_147_483_647.0
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
    fn part(share: f64, end: usize) -> usize {
        (share * f64::from(u32::try_from(end).expect("a small number"))) as usize
    }

    fn below(&mut self, end: usize) -> usize {
        Self::part(self.share(), end)
    }

    /// Words of at least `length` characters together, common ones more often.
    fn said(&mut self, words: &[&str], length: usize) -> String {
        let mut said = String::new();
        while said.len() < length {
            let share = self.share() * self.share().sqrt();
            let word = words[Self::part(share * share, words.len())];
            let word = if said.is_empty() { word.to_uppercase() } else { format!(" {word}") };
            said.push_str(&word);
            if self.below(9) == 0 {
                said.push('.');
            }
        }
        said
    }
}

/// One after another, each parsed, normalised and judged.
pub(crate) fn different(criterion: &mut Criterion, house: &House) {
    let words: Vec<&str> = include_str!("../../bench/words.txt").split_whitespace().collect();
    let mut numbers = Numbers(4_711);
    let pages: Vec<Arc<Page>> = (0..PAGES)
        .map(|page| {
            let (title, text) = (numbers.said(&words, 50), numbers.said(&words, 1_800));
            let url = format!("https://news.example/2026/11/story-{page}");
            let draft = ArticleDraft {
                id: format!("a-{page}"),
                url: Some(url),
                title: Some(title),
                text: Some(text),
                ..ArticleDraft::default()
            };
            Arc::new(house.page(draft.parse(&house.bounds).expect("within its bounds")))
        })
        .collect();
    let requests: Vec<(usize, String)> = (0..COMMENTS)
        .map(|number| {
            let (page, author, said) = (numbers.below(PAGES), numbers.below(50_000), numbers.said(&words, 292));
            let request = serde_json::json!({
                "id": format!("c-{number}"),
                "article": {"id": format!("a-{page}"), "url": format!("https://news.example/2026/11/story-{page}")},
                "author": {
                    "id": format!("u-{author}"),
                    "name": format!("Anna {author}"),
                    "email": format!("reader-{author}@mail.example"),
                    "ip": format!("10.0.{}.{}", author / 250, author % 250),
                    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                    "registered_at": "2024-03-01T10:00:00Z"
                },
                "body": said,
                "created_at": "2026-11-24T10:00:00Z",
                "typing_ms": 74_000,
                "honeypot": "",
                "referrer": "https://news.example/"
            });
            (page, request.to_string())
        })
        .collect();
    let mut next = 0;
    criterion.bench_function("whole assessment, comments that differ", |bench| {
        bench.iter(|| {
            let (page, request) = &requests[next % COMMENTS];
            next += 1;
            super::assess(house, &pages[*page], black_box(request))
        });
    });
    let mut next = 0;
    criterion.bench_function("parse + normalise, comments that differ", |bench| {
        bench.iter(|| {
            next += 1;
            super::comment(house, black_box(&requests[next % COMMENTS].1))
        });
    });
    let ready: Vec<_> = requests.iter().map(|(page, request)| (*page, super::comment(house, request))).collect();
    let scenes: Vec<_> = ready.iter().map(|(page, comment)| super::scene(&pages[*page], comment)).collect();
    let mut next = 0;
    criterion.bench_function("signals + model + policy, comments that differ", |bench| {
        bench.iter(|| {
            next += 1;
            house.judge(
                black_box(&ready[next % COMMENTS].1),
                &scenes[next % COMMENTS],
                Timestamp::from_millis(1_795_000_000_000),
            )
        });
    });
    let classifier = house.classifier.clone().expect("there is a model");
    let gists: Vec<_> = ready.iter().map(|(_, comment)| house.embedding.gist(comment.body.words())).collect();
    let mut next = 0;
    criterion.bench_function("features + model, comments that differ", |bench| {
        bench.iter(|| {
            next += 1;
            let (page, comment) = &ready[next % COMMENTS];
            classifier.assess(black_box(comment), Some(&pages[*page]), &gists[next % COMMENTS], None)
        });
    });
    let mut next = 0;
    criterion.bench_function("words' meaning, comments that differ", |bench| {
        bench.iter(|| {
            next += 1;
            house.meaning(&black_box(&ready[next % COMMENTS].1).body)
        });
    });
}

//! What a comment costs, on one core: the classifier alone, and the whole way from JSON to verdict.
//!
//! A request of about 800 bytes with a body of 300 characters, under a page that is prepared already, as most are. Beside it what joining a campaign costs, in a memory that is
//! full of them, and where one campaign is all there is; and the parts one by one (`parts`). `cargo bench --bench assess`, or with a name behind it:
//! `cargo bench --bench assess -- signal:`.

mod different;
mod parts;
mod rules;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use doorward::app::house::{House, Scene};
use doorward::classifier::delta::{Delta, Learned};
use doorward::config::Config;
use doorward::domain::campaign::Stances;
use doorward::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Comment, Draft};
use doorward::domain::decision::Verdict;
use doorward::domain::history::{History, PastOf};
use doorward::domain::known::Known;
use doorward::domain::normalise::normalise;
use doorward::domain::relevance::Page;
use doorward::domain::signal::Allowance;
use doorward::domain::site::SiteId;
use doorward::domain::time::Timestamp;
use doorward::domain::trace::Trace;
use doorward::startup;

const BODY: &str = "I crossed the old bridge every morning for eleven years, and the two times that I was nearly hit were both at the \
    end by the market, where the lane narrows. A new bridge is fine, but paint the lane today, please. The council's own count says four \
    thousand bicycles a day: https://count.example/bridge";

fn request() -> String {
    let request = serde_json::json!({
        "id": "comment-4711",
        "article": {"id": "2026/11/bridge", "url": "https://news.example/2026/11/bridge"},
        "parent_id": "comment-4702",
        "author": {
            "id": "reader-1234",
            "name": "Anna from the harbour",
            "email": "anna@mail.example",
            "ip": "192.0.2.17",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "registered_at": "2024-03-01T10:00:00Z"
        },
        "body": BODY,
        "created_at": "2026-11-24T10:00:00Z",
        "typing_ms": 74000,
        "honeypot": "",
        "referrer": "https://news.example/"
    });
    request.to_string()
}

/// The page that the comment stands under, of some three hundred words.
fn page(house: &House) -> Arc<Page> {
    let text = "The city council voted on Tuesday to build a bridge for cyclists and walkers between the harbour and the old market. It \
        will cost nine million and open in two years. Critics say the money should go to the bus lines; supporters point to the crowded \
        road bridge and to three accidents last winter. "
        .repeat(6);
    let article = serde_json::json!({
        "id": "2026/11/bridge",
        "url": "https://news.example/2026/11/bridge",
        "title": "Council approves new cycle bridge over the river",
        "text": text
    });
    let draft: doorward::domain::comment::ArticleDraft = serde_json::from_value(article).expect("an article");
    Arc::new(Page::new(draft.parse(&house.bounds).expect("within its bounds"), &house.background))
}

fn comment(house: &House, request: &str) -> Comment {
    let draft: Draft = serde_json::from_str(request).expect("a comment");
    normalise(SiteId(1), draft.parse(&house.bounds).expect("within its bounds"), false)
}

fn scene(page: &Arc<Page>, comment: &Comment) -> Scene {
    Scene {
        site: "news".into(),
        page: Known::Known(Arc::clone(page)),
        parent: Known::Known("what about the bus lines".to_owned()),
        siblings: Known::NotApplicable,
        past: PastOf::empty(&comment.trace),
        allowance: Allowance::Within,
    }
}

fn assess(house: &House, page: &Arc<Page>, request: &str) -> Verdict {
    let comment = comment(house, request);
    house.judge(&comment, &scene(page, &comment), Timestamp::from_millis(1_795_000_000_000))
}

fn costs(criterion: &mut Criterion) {
    let house = startup::house(&Config::default()).expect("the shipped model and the defaults are good");
    let request = request();
    assert!((750..=900).contains(&request.len()) && (290..=320).contains(&BODY.chars().count()), "{}", request.len());
    let (page, one) = (page(&house), comment(&house, &request));
    let classifier = house.classifier.clone().expect("there is a model");
    let gist = house.embedding.gist(one.body.words());
    criterion.bench_function("features + model", |bench| {
        bench.iter(|| classifier.assess(black_box(&one), Some(black_box(page.as_ref())), black_box(&gist), None));
    });
    criterion.bench_function("parse + normalise", |bench| bench.iter(|| comment(&house, black_box(&request))));
    criterion.bench_function("signals + model + policy", |bench| {
        let scene = scene(&page, &one);
        bench.iter(|| house.judge(black_box(&one), black_box(&scene), Timestamp::from_millis(1_795_000_000_000)));
    });
    criterion.bench_function("whole assessment", |bench| bench.iter(|| assess(&house, &page, black_box(&request))));
    let taught = taught(&house, classifier.version());
    criterion.bench_function("features + model, with what a site taught", |bench| {
        let learned = taught.learned.get(&SiteId(1)).map(AsRef::as_ref);
        bench.iter(|| classifier.assess(black_box(&one), Some(black_box(page.as_ref())), black_box(&gist), learned));
    });
    criterion.bench_function("whole assessment, with what a site taught", |bench| {
        bench.iter(|| assess(&taught, &page, black_box(&request)));
    });
    criterion.bench_function("campaigns and signals alone", |bench| {
        let untaught = House { classifier: None, ..house.clone() };
        let scene = scene(&page, &one);
        bench.iter(|| untaught.judge(black_box(&one), black_box(&scene), Timestamp::from_millis(1_795_000_000_000)));
    });
    different::different(criterion, &house);
    parts::parts(criterion, &house, &one, &page, &assess(&house, &page, &request));
    rules::rules(criterion, &house, &one, &page, &assess(&house, &page, &request));
}

/// The same house where a site taught a weight for every third feature.
fn taught(house: &House, base: &str) -> House {
    let weights: Vec<(u32, f32)> = (0..65_536).step_by(3).map(|index| (index, 0.01)).collect();
    let learned = Learned { base: base.to_owned(), number: 1, delta: Delta::new([&weights, &weights], 4.0) };
    House { learned: Arc::new([(SiteId(1), Arc::new(learned))].into_iter().collect()), ..house.clone() }
}

/// What history knows a comment by that says what campaign number `wording` says, or something that nobody else says.
fn trace_of(number: usize, wording: Option<usize>) -> Trace {
    let words = [
        "harbour", "castle", "orange", "ticket", "window", "silver", "garden", "letter", "market", "bottle", "winter",
        "forest",
    ];
    let seed = wording.unwrap_or(1_000_000 + number);
    let said: Vec<String> =
        (0..12).map(|at| format!("{}{}", words[(seed / (at + 1) + at) % 12], seed % (at + 97))).collect();
    let draft = Draft {
        id: format!("c-{number}"),
        article: ArticleDraft { id: format!("a-{}", number % 5_000), ..ArticleDraft::default() },
        author: Some(AuthorDraft { name: Some(format!("somebody {number}")), ..AuthorDraft::default() }),
        body: said.join(" "),
        ..Draft::default()
    };
    normalise(SiteId(1), draft.parse(&Bounds::default()).expect("within its bounds"), false).trace
}

/// Being sighted, where so many comments are remembered; `wording` says what each says, those to come included.
fn joining(criterion: &mut Criterion, name: &str, remembered: usize, wording: impl Fn(usize) -> Option<usize>) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let sight = |history: &Arc<dyn History>, number: usize, trace: &Trace| {
        let now = Timestamp::from_millis(1_795_000_000_000 + i64::try_from(number).unwrap_or(0) * 1_000);
        runtime.block_on(history.sight_in(trace, &Stances::default, now))
    };
    let fill = || {
        let history: Arc<dyn History> = startup::empty_history(&folder.path().join("past.db")).expect("an empty past");
        for number in 0..remembered {
            sight(&history, number, &trace_of(number, wording(number)));
        }
        history
    };
    let mut number = remembered;
    // Not before somebody wants it measured: filling it takes a while. Criterion asks many times for one measurement.
    let mut filled = None;
    criterion.bench_function(name, |bench| {
        let history: &Arc<dyn History> = filled.get_or_insert_with(fill);
        bench.iter_batched(
            || {
                number += 1;
                (number, trace_of(number, wording(number)))
            },
            |(number, trace)| sight(history, number, &trace),
            criterion::BatchSize::SmallInput,
        );
    });
}

fn campaigns(criterion: &mut Criterion) {
    const MANY: usize = 100_000;
    for (name, live) in [
        ("join one of 10 campaigns", 10),
        ("join one of 100 campaigns", 100),
        ("join one of 1,000 campaigns", 1_000), // campaigns.max_campaigns
    ] {
        joining(criterion, name, MANY, move |number| {
            // One in eleven says something of its own, as long as the memory is filled.
            Some(number % (live * 11 / 10))
                .filter(|wording| *wording < live || number >= MANY)
                .map(|wording| wording % live)
        });
    }
    joining(criterion, "join a campaign of 100,000", MANY, |_| Some(4_711));
    joining(criterion, "a text that nobody said before", MANY, |number| Some(4_711).filter(|_| number < MANY));
    for (name, remembered) in [
        ("a text that nobody said before, 1,000 others remembered", 1_000),
        ("a text that nobody said before, 10,000 others remembered", 10_000),
        ("a text that nobody said before, 100,000 others remembered", MANY),
        ("a text that nobody said before, 250,000 others remembered", 250_000), // history.max_comments
    ] {
        joining(criterion, name, remembered, |_| None);
    }
}

criterion_group!(benches, costs, campaigns);
criterion_main!(benches);

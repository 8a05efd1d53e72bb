//! Headlines of other stories that come again and again: no public corpus has them, so they are simulated, and this says how.
//!
//! A stream of genuine comments under a blog's posts, five minutes apart, in the order of time. Into it go campaigns: a real headline
//! ([AG's corpus of news, test part]) that is pasted two to eight times, each time by another account under another post, within some days; in
//! forms that a bot would write: as it is, with a link, in other case, with a call, cut, with words left out, moved or exchanged. Half of the
//! campaigns never carry a link. Everything that is drawn is drawn from [`SEEDS`].

use async_trait::async_trait;

use super::super::Protocol;
use super::super::court::Heard;
use super::super::report::{Chance, Report, Target};
use super::super::rows::{self, Case};
use super::super::workshop::Workshop;
use super::context::headlines;
use crate::classifier::evaluate::random::Random;
use crate::domain::comment::ArticleDraft;

/// The published seeds: one stream each.
const SEEDS: [u64; 3] = [101, 102, 103];
/// Campaigns in a stream.
const CAMPAIGNS: usize = 120;
/// Milliseconds between two genuine comments.
const PACE_MS: i64 = 300_000;
/// Share of the genuine comments that may be flagged.
const FLAGGED: f64 = 0.01;

/// Words for words, as those exchange them who do not want to be found.
const EXCHANGED: &[(&str, &str)] = &[
    ("says", "claims"),
    ("said", "stated"),
    ("after", "following"),
    ("over", "about"),
    ("to", "will"),
    ("kills", "leaves dead"),
    ("killed", "dead"),
    ("win", "triumph"),
    ("wins", "triumphs"),
    ("new", "latest"),
    ("us", "American"),
    ("u.s.", "American"),
    ("in", "at"),
    ("for", "towards"),
    ("plans", "wants"),
    ("plan", "scheme"),
    ("deal", "agreement"),
    ("cut", "reduce"),
    ("up", "higher"),
    ("down", "lower"),
    ("top", "leading"),
    ("oil", "crude"),
    ("police", "officers"),
    ("chief", "head"),
];

/// Ways of pasting a headline; the first is as it is.
const FORMS: usize = 10;

/// A headline in one of its forms.
fn form(headline: &str, form: usize, link: Option<&str>, random: &mut Random) -> String {
    let words: Vec<&str> = headline.split(' ').collect();
    let text = match form {
        1 => headline.to_lowercase(),
        2 => headline.to_uppercase(),
        3 => format!("BREAKING: {headline}"),
        4 => format!("{headline} - must read!"),
        5 => {
            let out = random.below(words.len());
            words.iter().enumerate().filter(|(at, _)| *at != out).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
        }
        6 => {
            let (first, second) = words.split_at(words.len() / 3);
            format!("{}, {}", second.join(" "), first.join(" "))
        }
        7 => words.iter().map(|word| exchanged(word)).collect::<Vec<_>>().join(" "),
        8 => format!("{}...", words[..words.len() - words.len() / 4].join(" ")),
        9 => format!("Have you seen this? {headline}"),
        _ => headline.to_owned(),
    };
    match link {
        Some(link) => format!("{text} {link}"),
        None => text,
    }
}

fn exchanged(word: &str) -> &str {
    EXCHANGED.iter().find(|(from, _)| word.eq_ignore_ascii_case(from)).map_or(word, |(_, to)| to)
}

/// Which appearance of a campaign a case is, from 0; `None` for genuine comments.
fn appearance(case: &Case) -> Option<usize> {
    (case.source == SOURCE).then(|| case.id.rsplit('-').next()?.parse().ok()).flatten()
}

const SOURCE: &str = "campaign";

/// The stream of one seed.
fn stream(own: &[Case], headlines: &[String], seed: u64) -> Vec<Case> {
    let mut random = Random::new(seed);
    let mut cases = own.to_vec();
    rows::paced(&mut cases, PACE_MS);
    let span = PACE_MS * i64::try_from(cases.len()).unwrap_or(0);
    let pages: Vec<ArticleDraft> = own.iter().filter_map(|case| case.article.clone()).collect();
    for (number, headline) in random.choose(headlines, CAMPAIGNS).iter().enumerate() {
        let link = (number % 2 == 0).then(|| format!("https://story-{seed}-{number}.example/read"));
        let mut at = rows::START.plus_millis(below(&mut random, span * 3 / 4));
        for time in 0..2 + random.below(7) {
            let link = link.as_deref().filter(|_| random.below(4) > 0);
            let shape = random.below(FORMS);
            cases.push(Case {
                source: SOURCE.to_owned(),
                id: format!("{seed}-{number}-{time}"),
                group: number as u64,
                body: form(headline, shape, link, &mut random),
                article: pages.get(random.below(pages.len())).cloned(),
                author: Some(format!("account {seed} {number} {time}")),
                at: Some(at),
                ..Case::default()
            });
            at = at.plus_millis(1 + below(&mut random, 24 * 3_600_000));
        }
    }
    cases.sort_by_key(|case| case.at);
    cases
}

fn below(random: &mut Random, bound: i64) -> i64 {
    i64::try_from(random.below(usize::try_from(bound).unwrap_or(0))).unwrap_or(0)
}

/// Simulated campaigns of headlines.
pub(super) struct Campaigns;

#[async_trait(?Send)]
impl Protocol for Campaigns {
    fn name(&self) -> &'static str {
        "headline-campaigns"
    }

    fn title(&self) -> &'static str {
        "real headlines pasted again and again in many forms among genuine comments (simulated, seeds 101 to 103): recall where 1 % of the genuine are flagged"
    }

    fn reference(&self) -> &'static str {
        "first appearance .12 to .22"
    }

    fn target(&self) -> &'static str {
        "from the second appearance on >= .95; on the first >= .50"
    }

    async fn run(&self, shop: &Workshop<'_>, _: Chance, report: &mut Report) -> anyhow::Result<()> {
        let (mut court, held_out) = shop.court_abroad()?;
        let own: Vec<Case> = rows::blog(&shop.train)?.into_iter().filter(|case| held_out.contains(&case.id)).collect();
        let own: Vec<Case> = rows::in_order(rows::distinct(own));
        let all = headlines(&shop.eval.join("ag_news_test.jsonl"))?;
        let long: Vec<String> = all.into_iter().filter(|text| text.split(' ').count() >= 5).collect();
        let mut heard: Vec<Vec<Heard>> = Vec::new();
        for seed in SEEDS {
            heard.push(court.hear(stream(&own, &long, seed)).await?);
            court = shop.court_abroad()?.0;
        }
        let off_topic = |heard: &Heard| heard.scores.off_topic;
        for (view, score) in [
            ("off-topic", &off_topic as &dyn Fn(&Heard) -> f64),
            ("higher of spam and off-topic", &Heard::spam_or_off_topic),
        ] {
            let found: Vec<[f64; 4]> = heard.iter().map(|stream| recalls(stream, score)).collect();
            let names =
                ["from the second appearance on", "on the first", "second on, without a link", "first, without a link"];
            for (at, name) in names.into_iter().enumerate() {
                let each: Vec<f64> = found.iter().map(|recalls| recalls[at]).collect();
                let target = [Some(Target::AtLeast(0.95)), Some(Target::AtLeast(0.50)), None, None][at];
                report.figure(&format!("{view}: recall {name}, mean of three streams"), mean(&each), None, target);
                let each: Vec<String> = each.iter().map(|recall| format!("{recall:.3}")).collect();
                report.notes.push(format!("{view}, {name}: {}", each.join(", ")));
            }
        }
        let held: Vec<f64> = heard.iter().map(|stream| held(stream, |at| at > 0)).collect();
        report.figure("held with the default settings, from the second appearance on", mean(&held), None, None);
        let held: Vec<f64> = heard.iter().map(|stream| held_own(stream)).collect();
        report.figure("genuine comments of the same streams held", mean(&held), None, None);
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "some streams")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn share(flags: impl Iterator<Item = bool>) -> f64 {
    let flags: Vec<f64> = flags.map(|flag| f64::from(u8::from(flag))).collect();
    mean(&flags)
}

/// Recall from the second appearance on and on the first, of all campaigns and of those that never carried a link.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of some thousand comments"
)]
fn recalls(stream: &[Heard], score: &dyn Fn(&Heard) -> f64) -> [f64; 4] {
    let mut own: Vec<f64> = stream.iter().filter(|heard| appearance(&heard.case).is_none()).map(score).collect();
    own.sort_by(|a, b| b.total_cmp(a));
    // What scores above this is flagged: of the genuine comments at most one in a hundred.
    let bar = own.get((own.len() as f64 * FLAGGED) as usize).copied().unwrap_or(0.0);
    let of = |is_first: bool, linkless: bool| {
        let chosen = stream.iter().filter(move |heard| {
            let never_linked = heard.case.group % 2 == 1;
            appearance(&heard.case).is_some_and(|at| (at == 0) == is_first) && (!linkless || never_linked)
        });
        share(chosen.map(|heard| score(heard) > bar))
    };
    [of(false, false), of(true, false), of(false, true), of(true, true)]
}

fn held(stream: &[Heard], which: impl Fn(usize) -> bool) -> f64 {
    let of = stream.iter().filter(|heard| appearance(&heard.case).is_some_and(&which));
    share(of.map(|heard| heard.as_spam > crate::domain::decision::Action::Approve))
}

fn held_own(stream: &[Heard]) -> f64 {
    let of = stream.iter().filter(|heard| appearance(&heard.case).is_none());
    share(of.map(|heard| heard.as_spam > crate::domain::decision::Action::Approve))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(number: usize) -> Case {
        let article = ArticleDraft { id: format!("page-{}", number % 7), ..ArticleDraft::default() };
        Case { source: "blog".to_owned(), id: format!("own-{number}"), article: Some(article), ..Case::default() }
    }

    #[test]
    fn a_stream_is_the_same_every_time_and_in_the_order_of_time() {
        let own: Vec<Case> = (0..500).map(own).collect();
        let headlines: Vec<String> =
            (0..300).map(|at| format!("Council plans new bridge number {at} over river")).collect();
        let first = stream(&own, &headlines, 101);
        let names = |cases: &[Case]| cases.iter().map(|case| format!("{} {}", case.id, case.body)).collect::<Vec<_>>();
        assert_eq!(names(&first), names(&stream(&own, &headlines, 101)));
        assert_ne!(names(&first), names(&stream(&own, &headlines, 102)));
        assert!(first.is_sorted_by_key(|case| case.at));
        let appearances: Vec<usize> = first.iter().filter_map(appearance).collect();
        assert_eq!(appearances.iter().filter(|at| **at == 0).count(), CAMPAIGNS);
        assert_eq!(appearances.iter().filter(|at| **at == 1).count(), CAMPAIGNS, "every campaign comes twice at least");
        assert_eq!(first.len() - appearances.len(), 500);
    }

    #[test]
    fn forms_keep_most_of_the_words() {
        let headline = "Council says new bridge to open after five years of building";
        for shape in 0..FORMS {
            let text = form(headline, shape, Some("https://story.example/read"), &mut Random::new(1));
            let lower = text.to_lowercase();
            let kept = headline.split(' ').filter(|word| lower.contains(&word.to_lowercase())).count();
            assert!(kept >= 7 && text.ends_with("https://story.example/read"), "{shape}: {text}");
        }
    }
}

//! What learning is worth on a site that the model never saw: comments in the order of time, labels only for what a person would have seen.
//!
//! A comment is judged by what is in force at that moment. A person sees it when it is held, or when it is drawn into the sample; what they say
//! is learned by the service's own code, contest and roll-back and bounds and all. Then the rest is judged twice, in the same past: by the house
//! as it came, and by the house with what was learned. Nothing is learned from the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::Protocol;
use super::super::court::{Court, Heard, SITE};
use super::super::report::{Chance, MODEL_ALONE, Report, Target, WHOLE, logistic};
use super::super::rows::{self, Case};
use super::super::workshop::Workshop;
use crate::app::learning::{Config, Pupil};
use crate::classifier::evaluate::Sample;
use crate::classifier::evaluate::bootstrap::{self, Interval};
use crate::classifier::evaluate::random::Random;
use crate::classifier::train::Without;
use crate::domain::decision::{Action, Status};
use crate::domain::history::Standing;
use crate::domain::learning::Said;
use crate::domain::store::RulingCategory;

/// Each decides what is drawn for a person, which labels are wrong and, where nothing tells the time, the order.
const SEEDS: [u64; 5] = [201, 202, 203, 204, 205];
/// Decisions after which the rest is measured.
const DECISIONS: usize = 200;
/// Percent of a stream that is used for decisions at most: public streams end before two hundred of them.
const READ: usize = 70;
/// Decisions that a person makes in one sitting, after which the service looks.
const SITTING: usize = 10;

/// How people decide.
#[derive(Clone, Copy)]
struct People {
    /// What the report calls it.
    name: &'static str,
    /// Share of what nobody would have seen that is drawn for a person.
    sampled: f64,
    /// Share of their labels that are wrong.
    wrong: f64,
}

const RIGHT: People = People { name: "right labels", sampled: 0.3, wrong: 0.0 };
const WRONG: People = People { name: "10 % wrong labels", sampled: 0.3, wrong: 0.1 };
/// The sample that the service draws unless told otherwise.
const FEW: People = People { name: "right labels, 1 % sampled", sampled: 0.01, wrong: 0.0 };

/// A site's comments, to be read as a stream.
struct Stream {
    name: String,
    court: Court,
    cases: Vec<Case>,
}

/// What came of one stream, read once.
#[derive(Default)]
struct Run {
    read: usize,
    decided: usize,
    changes: BTreeMap<&'static str, usize>,
    /// The rest, by the house as it came and by the one that learned.
    rest: Vec<[Heard; 2]>,
}

/// What is learned from people's decisions.
pub(super) struct Learning;

#[async_trait(?Send)]
impl Protocol for Learning {
    fn name(&self) -> &'static str {
        "learning"
    }

    fn title(&self) -> &'static str {
        "each YouTube video, and datacamp, as a new site under a model trained without its source: F1 over the rest, after against before what people decided was learned"
    }

    fn target(&self) -> &'static str {
        "F1 + .10 on average; no worse with 10 % wrong labels"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let streams = streams(shop)?;
        for people in [RIGHT, WRONG, FEW] {
            let mut sites = Vec::new();
            for stream in &streams {
                (shop.tools.progress)(&format!("reading {}, {}", stream.name, people.name));
                let mut runs = Vec::new();
                for seed in SEEDS {
                    runs.push(read(shop, stream, people, seed).await?);
                }
                sites.push(tell(report, stream, people, &runs, chance));
            }
            figures(report, people, &streams, &sites, chance);
        }
        report.notes.push(format!(
            "seeds {SEEDS:?}; copies of a text come once; at most {DECISIONS} decisions, and at most {READ} % of a stream, before the rest; what is held is decided, and of what is not the share that is named; the service looks after every {SITTING} decisions"
        ));
        report.notes.push(
            "the learner's constants were chosen on these videos: datacamp_comments, which has no times and comes in a drawn order, is the honest one".to_owned(),
        );
        Ok(())
    }
}

fn streams(shop: &Workshop<'_>) -> anyhow::Result<Vec<Stream>> {
    let labelled = |source: &str| -> anyhow::Result<Vec<Case>> {
        let cases = rows::distinct(rows::read(&shop.train.join(format!("{source}.jsonl")))?);
        Ok(cases.into_iter().filter(|case| case.spam.is_some()).collect())
    };
    let (court, _) = shop.court_abroad()?;
    let mut streams =
        vec![Stream { name: "datacamp_comments".to_owned(), court, cases: labelled("datacamp_comments")? }];
    let unseen = shop.court_without(&Without { sources: vec!["youtube_spam".to_owned()], blog: 0 })?;
    let videos = labelled("youtube_spam")?;
    let names: BTreeSet<u64> = videos.iter().map(|case| case.group).collect();
    for (name, number) in names.into_iter().zip(1..) {
        let cases = videos.iter().filter(|case| case.group == name).cloned().collect();
        let court = Court::new(Arc::clone(unseen.house()), (shop.tools.history)()?);
        streams.push(Stream { name: format!("video {number}"), court, cases });
    }
    Ok(streams)
}

/// A share of the whole, drawn by hash for one comment and one purpose.
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn drawn(seed: u64, case: &Case, purpose: u64) -> f64 {
    xxh3_64_with_seed(case.id.as_bytes(), seed ^ (purpose << 32)) as f64 / u64::MAX as f64
}

/// In the order of time; in a drawn one where nothing tells it: files are sorted by page, and a site's pages are read side by side.
fn in_order(cases: &[Case], seed: u64) -> Vec<Case> {
    let mut cases = cases.to_vec();
    if cases.iter().any(|case| case.at.is_some()) {
        return rows::in_order(cases);
    }
    cases.sort_by(|a, b| drawn(seed, a, 3).total_cmp(&drawn(seed, b, 3)));
    rows::in_order(cases)
}

async fn read(shop: &Workshop<'_>, stream: &Stream, people: People, seed: u64) -> anyhow::Result<Run> {
    let base = stream.court.house();
    let mut court = Court::new(Arc::clone(base), (shop.tools.history)()?);
    let mut pupil = Pupil::new(Arc::clone(base), SITE, Config::default());
    let cases = in_order(&stream.cases, seed);
    let most = cases.len() * READ / 100;
    let mut run = Run::default();
    for (number, case) in cases.into_iter().enumerate() {
        let Some(sight) = court.sight(&case, number).await else { continue };
        let now = court.judge(pupil.answering(), case.clone(), &sight)?;
        let is_rest = number >= most || pupil.labels() >= DECISIONS;
        let is_seen = now.action == Action::Hold || drawn(seed, &case, 1) < people.sampled;
        if is_rest || !is_seen {
            court.settle(&sight, Standing { status: now.action.status(), by_person: false }).await;
            if is_rest {
                run.rest.push([court.judge(base, case, &sight)?, now]);
            }
        } else {
            let is_spam = (case.spam == Some(true)) != (drawn(seed, &case, 2) < people.wrong);
            let action = if is_spam { Action::Reject } else { Action::Approve };
            let status = if is_spam { Status::Rejected } else { Status::Approved };
            court.settle(&sight, Standing { status, by_person: true }).await;
            let article = court.page(case.article.as_ref()).map(|page| page.article.clone());
            pupil.hear(sight.comment.sent, article, Said::of(action, is_spam.then_some(RulingCategory::Spam)));
            if pupil.labels().is_multiple_of(SITTING)
                && let Some((kind, _)) = pupil.learn()
            {
                *run.changes.entry(kind.name()).or_default() += 1;
            }
        }
        run.read += usize::from(!is_rest);
    }
    run.decided = pupil.labels();
    Ok(run)
}

/// A comment of the rest: its name, whether it is spam, and whether it was called so before and after.
#[derive(Clone, Copy)]
struct Called {
    comment: u64,
    is_spam: bool,
    by: [bool; 2],
}

/// The rest of one site in all its runs, by the model alone and by the whole decision.
type Site = [Vec<Called>; 2];

/// A view's name, its score, and what it calls spam.
type View<'a> = (&'static str, &'a dyn Fn(&Heard) -> f64, &'a dyn Fn(&Heard) -> bool);

fn tell(report: &mut Report, stream: &Stream, people: People, runs: &[Run], chance: Chance) -> Site {
    let set = format!("{}, {}", stream.name, people.name);
    report.notes.push(told(&set, runs));
    let rest = || runs.iter().flat_map(|run| &run.rest);
    let alone = |heard: &Heard| logistic(heard.prior.spam + heard.model[0]);
    let views: [View<'_>; 2] = [
        (MODEL_ALONE, &alone, &|heard| alone(heard) >= heard.hold.spam),
        (WHOLE, &Heard::spam_or_off_topic, &|heard| heard.as_spam > Action::Approve),
    ];
    let prior = rest().next().map(|[before, _]| before.prior.spam);
    views.map(|(view, score, called)| {
        for (at, when) in ["before", "after"].into_iter().enumerate() {
            // Comments of one page stand for themselves here: a stream has few pages, and its rest comes again with every seed.
            let sample = |both: &[Heard; 2]| Sample {
                score: score(&both[at]),
                label: both[at].case.spam == Some(true),
                called: called(&both[at]),
                group: rows::fold_key(&both[at].case.body),
            };
            let prior = prior.filter(|_| view == MODEL_ALONE);
            report.line(&set, &format!("{view}, {when}"), rest().map(sample).collect(), prior, chance);
            if view == WHOLE {
                report.verdicts(rest().map(|both| (both[at].as_spam, both[at].case.spam == Some(true))));
            }
        }
        let one = |[before, after]: &[Heard; 2]| Called {
            comment: rows::fold_key(&before.case.body),
            is_spam: before.case.spam == Some(true),
            by: [called(before), called(after)],
        };
        rest().map(one).collect()
    })
}

/// How far the runs of a stream came.
fn told(set: &str, runs: &[Run]) -> String {
    let each = |of: &dyn Fn(&Run) -> usize| runs.iter().map(|run| of(run).to_string()).collect::<Vec<_>>().join(", ");
    let (read, decided) = (each(&|run| run.read), each(&|run| run.decided));
    let changes = each(&|run| run.changes.get("replaced").copied().unwrap_or(0));
    let back = each(&|run| run.changes.get("rolled-back").copied().unwrap_or(0));
    let (rest, spam) = (each(&|run| run.rest.len()), each(&|run| run.rest.iter().filter(|both| is_spam(both)).count()));
    format!(
        "{set}: by seed, comments read {read}; decisions {decided}; challengers that won {changes}; roll-backs {back}; the rest {rest}, of it spam {spam}"
    )
}

fn is_spam(both: &[Heard; 2]) -> bool {
    both[0].case.spam == Some(true)
}

fn figures(report: &mut Report, people: People, streams: &[Stream], sites: &[Site], chance: Chance) {
    let least = match people.name {
        name if name == RIGHT.name => Some(0.10),
        name if name == WRONG.name => Some(0.0),
        _ => None,
    };
    for (at, view) in [MODEL_ALONE, WHOLE].into_iter().enumerate() {
        let of = |site: &Site| site[at].clone();
        let all: Vec<Vec<Called>> = sites.iter().map(of).collect();
        let mut figure = |name: &str, sites: &[Vec<Called>], target: Option<f64>| {
            let name = format!("{name}, {view}, {}: gain in F1", people.name);
            report.figure(&name, gain(sites), interval(sites, chance), target.map(Target::AtLeast));
        };
        figure("six sites on average", &all, least);
        for (stream, site) in streams.iter().zip(&all) {
            let is_honest = stream.name == "datacamp_comments";
            figure(&stream.name, std::slice::from_ref(site), least.filter(|_| is_honest));
        }
        for (at, when) in ["before", "after"].into_iter().enumerate() {
            let held = all.iter().map(|site| ham_held(site, at)).sum::<f64>() / count(all.len());
            report.figure(&format!("six sites on average, {view}, {}: ham held {when}", people.name), held, None, None);
        }
    }
}

/// What learning added to F1, in the mean over sites.
fn gain(sites: &[Vec<Called>]) -> f64 {
    let gains = sites.iter().map(|site| f1(site, 1) - f1(site, 0));
    gains.sum::<f64>() / count(sites.len())
}

fn f1(site: &[Called], at: usize) -> f64 {
    let called = site.iter().filter(|one| one.by[at]).count();
    let spam = site.iter().filter(|one| one.is_spam).count();
    let right = site.iter().filter(|one| one.by[at] && one.is_spam).count();
    2.0 * count(right) / count((called + spam).max(1))
}

fn ham_held(site: &[Called], at: usize) -> f64 {
    let ham = site.iter().filter(|one| !one.is_spam);
    count(ham.clone().filter(|one| one.by[at]).count()) / count(ham.count().max(1))
}

/// Comments are drawn again within each site; those that stand in the rest of several seeds stay together.
fn interval(sites: &[Vec<Called>], chance: Chance) -> Option<Interval> {
    let mut comments: Vec<Vec<Vec<Called>>> = Vec::new();
    for site in sites {
        let mut by_comment: BTreeMap<u64, Vec<Called>> = BTreeMap::new();
        for one in site {
            by_comment.entry(one.comment).or_default().push(*one);
        }
        comments.push(by_comment.into_values().collect());
    }
    let mut random = Random::new(chance.seed);
    let mut again = |comments: &Vec<Vec<Called>>| -> Vec<Called> {
        (0..comments.len()).flat_map(|_| comments[random.below(comments.len())].iter().copied()).collect()
    };
    let gains = (0..chance.resamples).map(|_| gain(&comments.iter().map(&mut again).collect::<Vec<_>>()));
    (chance.resamples > 0).then(|| bootstrap::of(gains.collect()))
}

#[expect(clippy::cast_precision_loss, reason = "counts of comments")]
fn count(many: usize) -> f64 {
    many as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spam that was called so before and after, as many times as said, then ham.
    fn site(spam: [usize; 3], ham: [usize; 3]) -> Vec<Called> {
        let mut all = Vec::new();
        for (is_spam, counts) in [(true, spam), (false, ham)] {
            for (by, many) in [[true, true], [false, true], [false, false]].into_iter().zip(counts) {
                let comment = all.len() as u64;
                all.extend((0..many as u64).map(|at| Called { comment: comment + at, is_spam, by }));
            }
        }
        all
    }

    #[test]
    fn what_was_gained_is_the_mean_over_sites_of_f1_after_less_before() {
        let (better, same) = (site([2, 2, 0], [0, 0, 4]), site([3, 0, 1], [1, 0, 3]));
        assert!((f1(&better, 0) - 2.0 / 3.0).abs() < 1e-12 && (f1(&better, 1) - 1.0).abs() < 1e-12);
        assert!((gain(&[better.clone(), same.clone()]) - 1.0 / 6.0).abs() < 1e-12);
        assert!(gain(std::slice::from_ref(&same)).abs() < 1e-12);
        assert!((ham_held(&same, 0) - 0.25).abs() < 1e-12);
        let found = interval(&[better, same], Chance { resamples: 50, seed: 1 }).expect("asked for");
        assert!(found.low <= 1.0 / 6.0 && 1.0 / 6.0 <= found.high);
    }

    #[test]
    fn a_stream_without_times_comes_in_an_order_of_its_seed_and_one_with_times_in_theirs() {
        let case = |id: &str| Case { id: id.to_owned(), ..Case::default() };
        let ids = |cases: &[Case], seed| in_order(cases, seed).into_iter().map(|case| case.id).collect::<Vec<_>>();
        let all: Vec<Case> = (0..20).map(|at| case(&at.to_string())).collect();
        assert_eq!(ids(&all, 1), ids(&all, 1));
        assert_ne!(ids(&all, 1), ids(&all, 2));
        let late = Case { at: Some(rows::START.plus_millis(5)), ..case("late") };
        let early = Case { at: Some(rows::START), ..case("early") };
        assert_eq!(ids(&[late, early], 1), ["early", "late"]);
    }
}

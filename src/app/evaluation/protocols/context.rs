//! Whether a comment has to do with what it stands under: its page, or, where the page is not known, its siblings.
//!
//! How much a text has to do with a page is asked in one place, [`related`]; what is asked there is what the signals ask.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;

use super::super::Protocol;
use super::super::court::{Court, Heard};
use super::super::report::{Chance, Report, Target, logistic};
use super::super::rows::{self, Case, key};
use super::super::workshop::Workshop;
use crate::classifier::data;
use crate::classifier::evaluate::Sample;
use crate::classifier::evaluate::bootstrap::Interval;
use crate::classifier::evaluate::random::Random;
use crate::classifier::words::{Part, part_of};
use crate::domain::bearing::Bearing;
use crate::domain::fit::{Around, Found, Likeness, Question, Weights, find};
use crate::domain::siblings::Thread;
use crate::domain::terms::Terms;

/// The seed of everything that is drawn here.
const SEED: u64 = 4;
/// The set of headlines that weights of relevance are fitted on.
const FITTED_ON: &str = "headlines_clickbait";

/// What is found of a comment where it stands; `None` where nothing is.
fn related(court: &mut Court, case: &Case) -> Option<Found> {
    let comment = court.comment(case, 0)?;
    let page = court.page(case.article.as_ref()).filter(|page| page.can_compare());
    let house = court.house();
    let terms = Terms::of(comment.body.words(), &house.background);
    let gist = house.embedding.gist(comment.body.words());
    let (itself, author) = (comment.trace.comment, comment.trace.author);
    let siblings = case.thread.as_ref().and_then(|thread| thread.around(itself, author));
    let bearing = Bearing::of(comment.body.words(), comment.body.plain.text());
    let found = find(&terms, &gist, &Around { page: page.as_deref(), siblings: siblings.as_deref(), answered: None })?;
    Some(found.carried(bearing))
}

/// A score that grows the less a text has to do with where it stands.
struct View {
    name: &'static str,
    /// From where on a text would be called foreign.
    bound: f64,
    score: fn(&Found, &Weights) -> Option<f64>,
}

/// What `off-topic` asks.
const PLACE: &str = "belongs to its place";
/// What people who call something off-topic may go by: how little it has to do with its place, and how it carries itself.
const MANNER: &str = "belongs to its place, and reads like an answer";
/// What `unrelated-headline` asks.
const READER: &str = "is a reader's";

const VIEWS: &[View] = &[
    View { name: "cosine (TF-IDF)", bound: 0.95, score: |found, _| Some(1.0 - f64::from(nearest(found)?.cosine)) },
    View { name: "share of information", bound: 0.95, score: |found, _| Some(1.0 - f64::from(nearest(found)?.share)) },
    View { name: PLACE, bound: 0.5, score: |found, weights| Some(misfit(&weights.own, found)) },
    View {
        name: "belongs to its page, without what was said there",
        bound: 0.5,
        score: |found, weights| found.page.map(|_| misfit(&weights.own, &Found { thread: None, ..*found })),
    },
    View {
        name: MANNER,
        bound: 0.5,
        score: |found, weights| {
            let said = -weights.own.log_odds(found) + weights.voice.log_odds(&found.bearing);
            Some(logistic(f64::from(said)))
        },
    },
    View { name: READER, bound: 0.5, score: |found, weights| Some(misfit(&weights.foreign, found)) },
];

/// Likeness to the page, or to what was said where no page is known.
fn nearest(found: &Found) -> Option<Likeness> {
    found.page.or(found.thread.map(|(thread, _)| thread))
}

fn misfit(question: &Question, found: &Found) -> f64 {
    logistic(-f64::from(question.log_odds(found)))
}

/// Judges cases, of which `is_other` do not belong where they stand, and adds all views. Answers the AUCs by view.
async fn compare(
    report: &mut Report,
    set: &str,
    courts: [&mut Court; 2],
    cases: [Vec<Case>; 2],
    chance: Chance,
) -> anyhow::Result<Vec<Viewed>> {
    let mut samples: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    for (is_other, (court, cases)) in [false, true].into_iter().zip(courts.into_iter().zip(cases)) {
        for case in &cases {
            let Some(found) = related(court, case) else { continue };
            for View { name, bound, score } in VIEWS {
                let Some(score) = score(&found, &court.house().weights) else { continue };
                let sample = Sample { score, label: is_other, called: score >= *bound, group: case.group };
                samples.entry(name).or_default().push(sample);
            }
        }
        for heard in court.hear(cases).await? {
            let mut add = |view, score: f64, called| {
                samples.entry(view).or_default().push(Sample {
                    score,
                    label: is_other,
                    called,
                    group: heard.case.group,
                });
            };
            let Heard { scores, hold, .. } = &heard;
            add("whole decision, off-topic", scores.off_topic, scores.off_topic >= hold.off_topic);
            add("whole decision", heard.spam_or_off_topic(), heard.as_spam > crate::domain::decision::Action::Approve);
        }
    }
    let mut found = Vec::new();
    for (view, samples) in samples {
        let auc = report.line(set, view, samples, None, chance).auc;
        found.push((view.to_owned(), auc, report.interval("auc")));
    }
    Ok(found)
}

/// A view, its AUC, and where that lies in resamples.
type Viewed = (String, f64, Option<Interval>);

/// One figure a view; the target is that of the view that asks what the protocol is about.
fn figures(report: &mut Report, set: &str, found: Vec<Viewed>, asked: &str, target: f64) {
    for (view, auc, interval) in found {
        let target = (view == asked).then_some(Target::AtLeast(target));
        report.figure(&format!("{set}, {view}: AUC"), auc, interval, target);
    }
}

/// The blog's comments under posts that nothing was learned from, without copies, each with what stood there when it came.
fn held_out(shop: &Workshop<'_>) -> anyhow::Result<([Court; 2], Vec<Case>)> {
    let (court, held_out) = shop.court_abroad()?;
    let other = shop.court_abroad()?.0;
    let cases = rows::blog(&shop.train)?.into_iter().filter(|case| held_out.contains(&case.id)).collect();
    let cases: Vec<Case> = rows::in_order(rows::distinct(cases));
    let mut cases: Vec<Case> = cases.into_iter().filter(|case| case.article.is_some()).map(named).collect();
    let mut threads: HashMap<String, Arc<Thread>> = HashMap::new();
    for case in &mut cases {
        let Some(page) = &case.article else { continue };
        let thread = threads.entry(page.id.clone()).or_default();
        case.thread = Some(Arc::clone(thread));
        if let Some(sibling) = court.sibling(case) {
            Arc::make_mut(thread).add(sibling);
        }
    }
    Ok(([court, other], cases))
}

/// Somebody wrote it: where nobody says who, a person of its own.
fn named(case: Case) -> Case {
    let author = case.author.clone().or_else(|| Some(case.id.clone()));
    Case { author, ..case }
}

/// The case at the place of one of `places` under another page: that page, and what stood there.
fn moved(case: &Case, places: &[Case], random: &mut Random) -> Case {
    let page = |case: &Case| case.article.as_ref().map(|page| page.id.clone());
    let own = page(case);
    let others: Vec<&Case> = places.iter().filter(|place| page(place) != own).collect();
    let place = others.get(random.below(others.len()));
    let (article, thread) = place.map_or((None, None), |place| (place.article.clone(), place.thread.clone()));
    Case { article, thread, ..case.clone() }
}

/// Each comment under its own post, and under another one of the same blog.
pub(super) struct SwappedPairs;

#[async_trait(?Send)]
impl Protocol for SwappedPairs {
    fn name(&self) -> &'static str {
        "swapped-pairs"
    }

    fn title(&self) -> &'static str {
        "blog comments under their own post against under another of the same blog, posts not trained on"
    }

    fn reference(&self) -> &'static str {
        "AUC .865; transformer .871"
    }

    fn target(&self) -> &'static str {
        "AUC >= .88"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let ([mut own_court, mut other_court], own) = held_out(shop)?;
        let mut random = Random::new(SEED);
        let swapped = own.iter().map(|case| moved(case, &own, &mut random)).collect();
        let set = "blog_comments";
        let found = compare(report, set, [&mut own_court, &mut other_court], [own, swapped], chance).await?;
        figures(report, set, found, PLACE, 0.88);
        Ok(())
    }
}

/// Headlines of other stories, pasted once each, against a page's own comments.
pub(super) struct ForeignHeadlines;

#[async_trait(?Send)]
impl Protocol for ForeignHeadlines {
    fn name(&self) -> &'static str {
        "foreign-headlines"
    }

    fn title(&self) -> &'static str {
        "headlines of other stories under blog posts, each once, against the posts' own comments"
    }

    fn reference(&self) -> &'static str {
        "AUC .930 (AG), .937 (FNC)"
    }

    fn target(&self) -> &'static str {
        "AUC >= .96"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let sets = [
            ("AG", shop.eval.join("ag_news_test.jsonl")),
            ("FNC", shop.eval.join("fnc_headline_pairs.jsonl")),
            ("clickbait and news", shop.train.join("headlines_clickbait.jsonl")),
        ];
        for (set, path) in sets {
            let ([mut own_court, mut other_court], own) = held_out(shop)?;
            let mut random = Random::new(SEED);
            let chosen = random.choose(&headlines(&path)?, 1_000);
            let mut foreign: Vec<Case> =
                chosen.into_iter().map(|headline| moved(&pasted(headline), &own, &mut random)).collect();
            rows::paced(&mut foreign, 60_000);
            let found = compare(report, set, [&mut own_court, &mut other_court], [own, foreign], chance).await?;
            figures(report, set, found, READER, 0.96);
        }
        report.notes.push(
            "of the clickbait set only headlines that nothing was fitted on; it is part of the page statistics, AG and FNC's headlines are not"
                .to_owned(),
        );
        Ok(())
    }
}

/// A file's headlines, each once: titles where it has them. Of the set that weights of relevance are fitted on, only those kept for measuring.
///
/// # Errors
/// The file cannot be read.
pub(super) fn headlines(path: &std::path::Path) -> anyhow::Result<Vec<String>> {
    let mut seen = std::collections::HashSet::new();
    let source = data::source(path);
    let is_kept = |row: &data::Row| source != FITTED_ON || part_of(&source, &row.id) == Part::Measured;
    let all = data::read(path)?.into_iter().filter(is_kept).map(|row| row.title.unwrap_or(row.text));
    let tidy = all.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    Ok(tidy.filter(|text| seen.insert(rows::fold_key(text))).collect())
}

fn pasted(headline: String) -> Case {
    let group = u64::from_str_radix(&key(&headline), 16).unwrap_or_default();
    let author = Some(format!("paster of {headline}"));
    Case { source: "headline".to_owned(), id: headline.clone(), group, body: headline, author, ..Case::default() }
}

/// What people called off-topic, judged by the comments beside it alone.
pub(super) struct HumanVotes;

#[async_trait(?Send)]
impl Protocol for HumanVotes {
    fn name(&self) -> &'static str {
        "human-off-topic"
    }

    fn title(&self) -> &'static str {
        "comments that two or more people called off-topic (C3) against some that nobody did, of the same length under the same article; siblings are the only context"
    }

    fn target(&self) -> &'static str {
        "AUC >= .65"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let mut courts = [shop.court()?, shop.court()?];
        let cases = rows::distinct(rows::read(&shop.eval.join("c3_news_comments.jsonl"))?).into_iter().map(named);
        let mut groups: BTreeMap<u64, Vec<Case>> = BTreeMap::new();
        for case in cases {
            groups.entry(case.group).or_default().push(case);
        }
        let mut pairs: [Vec<Case>; 2] = [Vec::new(), Vec::new()];
        let mut random = Random::new(SEED);
        for group in groups.values().filter(|group| group.len() > 4) {
            for pair in matched(group) {
                for (side, case) in pairs.iter_mut().zip(pair) {
                    side.push(among(&courts[0], case, &beside(case, group, &mut random)));
                }
            }
        }
        for side in &mut pairs {
            rows::paced(side, 60_000);
        }
        report.notes.push(format!("{} pairs", pairs[0].len()));
        let found = compare(report, "c3_news_comments", courts.each_mut(), pairs, chance).await?;
        figures(report, "c3_news_comments", found, MANNER, 0.65);
        Ok(())
    }
}

fn length(case: &Case) -> usize {
    case.body.split_whitespace().count()
}

/// Each off-topic comment with the one of nearest length that nobody called so: on-topic first.
fn matched(group: &[Case]) -> Vec<[&Case; 2]> {
    let votes = |case: &Case| case.off_topic_votes.unwrap_or(1.0);
    let mut on: Vec<&Case> = group.iter().filter(|case| votes(case) < 0.5).collect();
    let mut pairs = Vec::new();
    for off in group.iter().filter(|case| votes(case) >= 1.5) {
        let distance = |case: &Case| length(case).abs_diff(length(off));
        let Some(at) = (0..on.len()).min_by_key(|at| distance(on[*at])) else { break };
        if distance(on[at]) <= 3.max(length(off) / 5) {
            pairs.push([on.swap_remove(at), off]);
        }
    }
    pairs
}

/// Others of the same article, as many as the service keeps of a thread, whatever people called them.
fn beside<'a>(case: &Case, group: &'a [Case], random: &mut Random) -> Vec<&'a Case> {
    let others: Vec<&Case> = group.iter().filter(|other| other.id != case.id).collect();
    random.choose(&others, Thread::MAX)
}

/// The comment where nothing is known but what others wrote there.
fn among(court: &Court, case: &Case, others: &[&Case]) -> Case {
    let mut thread = Thread::default();
    others.iter().filter_map(|other| court.sibling(other)).for_each(|sibling| thread.add(sibling));
    Case { article: None, thread: Some(Arc::new(thread)), ..case.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::comment::ArticleDraft;

    fn case(id: &str, words: usize, votes: f64) -> Case {
        let body = vec!["word"; words].join(" ");
        Case { id: id.to_owned(), body, off_topic_votes: Some(votes), ..Case::default() }
    }

    #[test]
    fn pairs_are_of_one_length_and_each_comment_is_in_one_pair() {
        let group = [
            case("off-1", 20, 2.0),
            case("off-2", 21, 3.0),
            case("on-1", 22, 0.0),
            case("doubtful", 20, 1.0),
            case("on-2", 90, 0.0),
        ];
        let pairs: Vec<[&str; 2]> = matched(&group).into_iter().map(|pair| pair.map(|case| case.id.as_str())).collect();
        assert_eq!(pairs, [["on-1", "off-1"]], "nobody else is of that length");
    }

    #[test]
    fn siblings_are_others_whatever_people_called_them() {
        let group = [case("a", 3, 0.0), case("off", 4, 3.0)];
        let others = beside(&group[0], &group, &mut Random::new(1));
        assert_eq!(others.iter().map(|other| other.id.as_str()).collect::<Vec<_>>(), ["off"]);
    }

    #[test]
    fn a_comment_is_moved_to_another_page_and_what_was_said_there() {
        let at = |page: &str| Case {
            article: Some(ArticleDraft { id: page.to_owned(), ..ArticleDraft::default() }),
            thread: Some(Arc::default()),
            ..case(page, 3, 0.0)
        };
        let places = [at("one"), at("two")];
        let moved = moved(&places[0], &places, &mut Random::new(1));
        assert_eq!((moved.id.as_str(), moved.article.expect("a page").id.as_str()), ("one", "two"));
        assert!(Arc::ptr_eq(&moved.thread.expect("a thread"), places[1].thread.as_ref().expect("a thread")));
    }

    #[test]
    fn targets_are_for_the_question_that_the_checks_ask() {
        let likeness = |gist| Some(Likeness { gist, ..Likeness::default() });
        let near = Found { page: likeness(0.9), thread: None, evidence: 30.0, bearing: Bearing::default() };
        let far = Found { page: likeness(0.1), ..near };
        let mut weights = Weights::default();
        weights.own.page.weights[5] = 4.0;
        let view = |name: &str| VIEWS.iter().find(|view| view.name == name).expect("a view").score;
        assert!(view(PLACE)(&far, &weights) > view(PLACE)(&near, &weights), "meaning counts");
        assert_eq!(view(READER)(&far, &weights), view(READER)(&near, &weights), "a question of its own");
        let mut report = Report::default();
        let found = VIEWS.iter().map(|view| (view.name.to_owned(), 0.9, None)).collect();
        figures(&mut report, "set", found, PLACE, 0.88);
        let judged: Vec<&str> =
            report.figures.iter().filter(|figure| figure.target.is_some()).map(|figure| figure.name.as_str()).collect();
        assert_eq!(judged, ["set, belongs to its place: AUC"]);
    }

    #[test]
    fn headlines_that_weights_were_fitted_on_are_not_pasted() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |name: &str| {
            let path = folder.path().join(format!("{name}.jsonl"));
            let line = |at: u32| format!("{{\"id\":\"{at}\",\"text\":\"{at}\"}}\n");
            std::fs::write(&path, (0..80).map(line).collect::<String>()).expect("written");
            headlines(&path).expect("read")
        };
        let kept = of("headlines_clickbait");
        assert!(!kept.is_empty() && kept.len() < 40, "{}", kept.len());
        assert!(kept.iter().all(|id| part_of("headlines_clickbait", id) == Part::Measured));
        assert_eq!(of("ag_news_test").len(), 80, "nothing learns from it");
    }
}

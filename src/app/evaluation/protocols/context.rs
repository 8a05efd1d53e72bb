//! Whether a comment has to do with what it stands under: its page, or, where the page is not known, its siblings.
//!
//! How much a text has to do with a page is asked in one place, [`related`]; what is asked there is what the signals ask.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::super::Protocol;
use super::super::court::{Court, Heard};
use super::super::report::{Chance, Report, Target};
use super::super::rows::{self, Case, key};
use super::super::workshop::Workshop;
use crate::classifier::data;
use crate::classifier::evaluate::Sample;
use crate::classifier::evaluate::random::Random;
use crate::domain::comment::ArticleDraft;
use crate::domain::relevance::Relevance;

/// The seed of everything that is drawn here.
const SEED: u64 = 4;
/// Comments that stand for the page where nothing else is known of it.
const SIBLINGS: usize = 40;

/// How much a comment has to do with its page.
fn related(court: &mut Court, case: &Case) -> Relevance {
    let (Some(page), Some(comment)) = (court.page(case.article.as_ref()), court.comment(case, 0)) else {
        return Relevance::default();
    };
    page.relevance(comment.body.words(), "", &court.house().background)
}

/// A score that grows the less a text has to do with its page.
type Unrelated = (&'static str, fn(&Relevance) -> f64);

const VIEWS: &[Unrelated] = &[
    ("cosine (TF-IDF)", |found| 1.0 - f64::from(found.cosine)),
    ("share of information", |found| 1.0 - f64::from(found.share)),
];

/// Judges cases, of which `is_other` do not belong where they stand, and adds all views. Answers the AUCs by view.
async fn compare(
    report: &mut Report,
    set: &str,
    courts: [&mut Court; 2],
    cases: [Vec<Case>; 2],
    chance: Chance,
) -> anyhow::Result<Vec<(String, f64)>> {
    let mut samples: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    for (is_other, (court, cases)) in [false, true].into_iter().zip(courts.into_iter().zip(cases)) {
        for case in &cases {
            let found = related(court, case);
            for (view, score) in VIEWS {
                let sample =
                    Sample { score: score(&found), label: is_other, called: score(&found) >= 0.95, group: case.group };
                samples.entry(view).or_default().push(sample);
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
        found.push((view.to_owned(), report.line(set, view, samples, None, chance).auc));
    }
    Ok(found)
}

fn figures(report: &mut Report, set: &str, found: Vec<(String, f64)>, target: f64) {
    for (view, auc) in found {
        let target = (!view.starts_with("whole")).then_some(Target::AtLeast(target));
        report.figure(&format!("{set}, {view}: AUC"), auc, None, target);
    }
}

/// The blog's comments under posts that nothing was learned from, without copies.
fn held_out(shop: &Workshop<'_>) -> anyhow::Result<([Court; 2], Vec<Case>)> {
    let (court, held_out) = shop.court_abroad()?;
    let other = shop.court_abroad()?.0;
    let cases = rows::blog(&shop.train)?.into_iter().filter(|case| held_out.contains(&case.id)).collect();
    let cases = rows::in_order(rows::distinct(cases));
    Ok(([court, other], cases.into_iter().filter(|case| case.article.is_some()).collect()))
}

fn pages(cases: &[Case]) -> Vec<ArticleDraft> {
    let pages: BTreeMap<&str, &ArticleDraft> =
        cases.iter().filter_map(|case| case.article.as_ref()).map(|page| (page.id.as_str(), page)).collect();
    pages.into_values().cloned().collect()
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
        let pages = pages(&own);
        let mut random = Random::new(SEED);
        let mut swapped = own.clone();
        for case in &mut swapped {
            let own = case.article.as_ref().map(|page| page.id.clone());
            let others: Vec<&ArticleDraft> = pages.iter().filter(|page| Some(&page.id) != own.as_ref()).collect();
            case.article = others.get(random.below(others.len())).map(|page| (*page).clone());
        }
        let set = "blog_comments";
        let found = compare(report, set, [&mut own_court, &mut other_court], [own, swapped], chance).await?;
        figures(report, set, found, 0.88);
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
            let pages = pages(&own);
            let chosen = random.choose(&headlines(&path)?, 1_000);
            let mut foreign: Vec<Case> =
                chosen.into_iter().map(|headline| pasted(headline, &pages, &mut random)).collect();
            rows::paced(&mut foreign, 60_000);
            let found = compare(report, set, [&mut own_court, &mut other_court], [own, foreign], chance).await?;
            figures(report, set, found, 0.96);
        }
        report
            .notes
            .push("the clickbait set is part of the page statistics; AG and FNC's headlines are not".to_owned());
        Ok(())
    }
}

/// A file's headlines, each once: titles where it has them.
///
/// # Errors
/// The file cannot be read.
pub(super) fn headlines(path: &std::path::Path) -> anyhow::Result<Vec<String>> {
    let mut seen = std::collections::HashSet::new();
    let all = data::read(path)?.into_iter().map(|row| row.title.unwrap_or(row.text));
    let tidy = all.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    Ok(tidy.filter(|text| seen.insert(rows::fold_key(text))).collect())
}

fn pasted(headline: String, pages: &[ArticleDraft], random: &mut Random) -> Case {
    let article = pages.get(random.below(pages.len())).cloned();
    let group = u64::from_str_radix(&key(&headline), 16).unwrap_or_default();
    let author = Some(format!("paster of {headline}"));
    Case {
        source: "headline".to_owned(),
        id: headline.clone(),
        group,
        body: headline,
        article,
        author,
        ..Case::default()
    }
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
        let cases = rows::distinct(rows::read(&shop.eval.join("c3_news_comments.jsonl"))?);
        let mut groups: BTreeMap<u64, Vec<Case>> = BTreeMap::new();
        for case in cases {
            groups.entry(case.group).or_default().push(case);
        }
        let mut pairs: [Vec<Case>; 2] = [Vec::new(), Vec::new()];
        let mut random = Random::new(SEED);
        for group in groups.values().filter(|group| group.len() > 4) {
            for pair in matched(group) {
                for (side, case) in pairs.iter_mut().zip(pair) {
                    side.push(with_siblings(case, group, &mut random));
                }
            }
        }
        for side in &mut pairs {
            rows::paced(side, 60_000);
        }
        report.notes.push(format!("{} pairs", pairs[0].len()));
        let found =
            compare(report, "c3_news_comments", [&mut shop.court()?, &mut shop.court()?], pairs, chance).await?;
        figures(report, "c3_news_comments", found, 0.65);
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

/// The comment under a page of which nothing is known but what others wrote there.
fn with_siblings(case: &Case, group: &[Case], random: &mut Random) -> Case {
    let others: Vec<&Case> = group.iter().filter(|other| other.id != case.id).collect();
    let siblings = random.choose(&others, SIBLINGS);
    let text = siblings.iter().map(|sibling| sibling.body.as_str()).collect::<Vec<_>>().join("\n");
    let article = ArticleDraft { id: key(&case.id), text: Some(text), ..ArticleDraft::default() };
    Case { article: Some(article), ..case.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_comment_is_not_its_own_sibling() {
        let group = [case("a", 3, 0.0), case("b", 4, 0.0)];
        let page = with_siblings(&group[0], &group, &mut Random::new(1)).article.expect("a page");
        assert_eq!(page.text.as_deref(), Some("word word word word"));
    }
}

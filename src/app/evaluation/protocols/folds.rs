//! Sources at home: trained on some videos, threads or comments, measured on others.
//!
//! One model a part serves all protocols here: it has seen neither the part's video, nor its fifth of the forum's and the talk pages' comments,
//! nor any copy of their texts. Learner, strengths and features are the shipped ones, so that the only thing left to choose is the threshold of
//! F1: it is chosen, for each part, on the other parts, each scored by the model that did not see it.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::super::Protocol;
use super::super::court::{Court, Heard};
use super::super::report::{Chance, MODEL_ALONE, Report, Target, WHOLE, logistic};
use super::super::rows::{self, Case};
use super::super::workshop::{PARTS, Workshop};
use crate::classifier::evaluate::{Measures, Sample};

/// What is held out of each part's model.
const SOURCES: &[&str] = &["youtube_spam", "reddit_rules", "wiki_toxic"];

/// A court whose model has not seen a part.
pub(super) fn court(shop: &Workshop<'_>, part: u64) -> anyhow::Result<Court> {
    let videos = videos(shop)?;
    let is_out = |case: &Case| part_of(case, &videos) == part;
    shop.court_without_rows(&format!("part-{part}"), &is_out, SOURCES)
}

fn part_of(case: &Case, videos: &[u64]) -> u64 {
    let video = videos.iter().position(|video| *video == case.group).filter(|_| case.source == "youtube_spam");
    video.map_or(case.group % PARTS, |at| at as u64 % PARTS)
}

fn videos(shop: &Workshop<'_>) -> anyhow::Result<Vec<u64>> {
    let cases = rows::read(&shop.train.join("youtube_spam.jsonl"))?;
    Ok(cases.iter().map(|case| case.group).collect::<BTreeSet<u64>>().into_iter().collect())
}

/// A source, part by part, each judged by the model that has not seen it.
pub(super) async fn parts(shop: &Workshop<'_>, source: &str) -> anyhow::Result<Vec<Vec<Heard>>> {
    let videos = videos(shop)?;
    let cases = rows::distinct(rows::read(&shop.train.join(format!("{source}.jsonl")))?);
    let mut parts = Vec::new();
    for part in 0..PARTS {
        let labelled = |case: &&Case| part_of(case, &videos) == part && (case.spam.is_some() || case.abuse.is_some());
        let cases: Vec<Case> = cases.iter().filter(labelled).cloned().collect();
        parts.push(court(shop, part)?.hear(rows::in_order(cases)).await?);
    }
    Ok(parts)
}

/// One view of all parts as samples, called by thresholds that are chosen on the other parts.
fn nested(parts: &[Vec<Heard>], score: impl Fn(&Heard) -> f64) -> Vec<Sample> {
    let of = |heard: &Heard| Some((score(heard), heard.case.spam?, heard.case.group));
    let scored: Vec<Vec<(f64, bool, u64)>> = parts.iter().map(|part| part.iter().filter_map(of).collect()).collect();
    let mut samples = Vec::new();
    for (at, part) in scored.iter().enumerate() {
        let others = scored.iter().enumerate().filter(|(other, _)| *other != at).flat_map(|(_, part)| part);
        let threshold = best_threshold(others.map(|(score, label, _)| (*score, *label)).collect());
        let sample = |(score, label, group): &(f64, bool, u64)| Sample {
            score: *score,
            label: *label,
            called: *score >= threshold,
            group: *group,
        };
        samples.extend(part.iter().map(sample));
    }
    samples
}

/// The threshold of the best F1.
#[expect(clippy::cast_precision_loss, reason = "counts of examples")]
fn best_threshold(mut scored: Vec<(f64, bool)>) -> f64 {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = scored.iter().filter(|(_, label)| *label).count() as f64;
    let (mut best, mut threshold, mut called, mut right) = (0.0, f64::INFINITY, 0.0, 0.0);
    for tied in scored.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        called += tied.len() as f64;
        right += tied.iter().filter(|(_, label)| *label).count() as f64;
        let f1 = 2.0 * right / (called + positives);
        if f1 > best {
            (best, threshold) = (f1, tied[0].0);
        }
    }
    threshold
}

fn views(report: &mut Report, set: &str, parts: &[Vec<Heard>], chance: Chance) -> [Measures; 2] {
    let prior = parts.iter().flatten().next().map(|heard| heard.prior.spam);
    let alone = nested(parts, |heard| logistic(heard.prior.spam + heard.model[0]));
    let model = report.line(set, MODEL_ALONE, alone, prior, chance);
    let whole = report.line(set, WHOLE, nested(parts, Heard::spam_or_off_topic), None, chance);
    let labelled = parts.iter().flatten().filter_map(|heard| Some((heard.as_spam, heard.case.spam?)));
    report.verdicts(labelled);
    let note = "F1's threshold is chosen for each part on the other four, each scored by the model that did not see it";
    if report.notes.iter().all(|told| told != note) {
        report.notes.push(note.to_owned());
    }
    [model, whole]
}

fn figures(report: &mut Report, measures: [Measures; 2], f1: f64, auc: Option<f64>) {
    let first = report.lines.len().saturating_sub(2); // the views of the set that was added last
    for (at, (view, measures)) in [MODEL_ALONE, WHOLE].into_iter().zip(measures).enumerate() {
        let intervals = report.lines.get(first + at).map(|line| line.intervals.clone()).unwrap_or_default();
        let of = |name: &str| intervals.get(name).copied();
        report.figure(&format!("{view}: F1"), measures.f1, of("f1"), Some(Target::AtLeast(f1)));
        if let Some(auc) = auc {
            report.figure(&format!("{view}: AUC"), measures.auc, of("auc"), Some(Target::AtLeast(auc)));
        }
    }
}

/// Comments under five videos, leaving one out.
pub(super) struct Youtube;

#[async_trait(?Send)]
impl Protocol for Youtube {
    fn name(&self) -> &'static str {
        "youtube-videos"
    }

    fn title(&self) -> &'static str {
        "youtube_spam, leaving one video out, as one of the sources, with the shipped features"
    }

    fn reference(&self) -> &'static str {
        "LinearSVC F1 .949, AUC .988; prototype (not nested) .953, .990"
    }

    fn target(&self) -> &'static str {
        "F1 >= .945, AUC >= .988"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let parts = parts(shop, "youtube_spam").await?;
        let measures = views(report, "youtube_spam", &parts, chance);
        figures(report, measures, 0.945, Some(0.988));
        // The references count every comment, copies within a video included.
        let mut all = Vec::new();
        let videos = videos(shop)?;
        let cases = rows::read(&shop.train.join("youtube_spam.jsonl"))?;
        for part in 0..PARTS {
            let cases = cases.iter().filter(|case| part_of(case, &videos) == part && case.spam.is_some()).cloned();
            all.push(court(shop, part)?.hear(rows::in_order(cases.collect())).await?);
        }
        let measures = views(report, "youtube_spam, with copies", &all, chance);
        for (view, measures) in [MODEL_ALONE, WHOLE].into_iter().zip(measures) {
            report.figure(&format!("with copies, {view}: F1"), measures.f1, None, None);
            report.figure(&format!("with copies, {view}: AUC"), measures.auc, None, None);
        }
        Ok(())
    }
}

/// Advertising in a forum, by five parts.
pub(super) struct Reddit;

#[async_trait(?Send)]
impl Protocol for Reddit {
    fn name(&self) -> &'static str {
        "reddit-folds"
    }

    fn title(&self) -> &'static str {
        "reddit_rules, advertising, by five folds"
    }

    fn reference(&self) -> &'static str {
        "F1 .775"
    }

    fn target(&self) -> &'static str {
        "F1 >= .80"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let parts = parts(shop, "reddit_rules").await?;
        let measures = views(report, "reddit_rules", &parts, chance);
        figures(report, measures, 0.80, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_that_of_the_best_f1() {
        let scored = vec![(0.9, true), (0.8, true), (0.7, false), (0.6, true), (0.1, false)];
        assert!((best_threshold(scored) - 0.6).abs() < 1e-12);
        assert!(best_threshold(vec![(0.4, false)]).is_infinite(), "without positives nothing is called");
    }
}

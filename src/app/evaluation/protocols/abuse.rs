//! Abuse at home and abroad, and whether probabilities mean what they say.

use async_trait::async_trait;

use super::super::Protocol;
use super::super::court::Heard;
use super::super::report::{Chance, MODEL_ALONE, Report, Target, WHOLE};
use super::super::rows;
use super::super::workshop::Workshop;
use super::{folds, spam};
use crate::classifier::evaluate::Measures;

/// Sets of abuse that no model has ever seen, in `eval/`.
const UNSEEN: &[&str] = &[
    "ucc_news_comments",
    "germeval21_de",
    "germeval18_de",
    "olid",
    "stormfront_hate",
    "offcombr_pt",
    "korean_news_hate",
    "toxic_sample_cc0",
];

async fn unseen(shop: &Workshop<'_>, source: &str) -> anyhow::Result<Vec<Heard>> {
    let cases = rows::distinct(rows::read(&shop.eval.join(format!("{source}.jsonl")))?);
    let labelled = cases.into_iter().filter(|case| case.abuse.is_some()).collect();
    shop.court()?.hear(rows::in_order(labelled)).await
}

/// Attacks on people.
pub(super) struct Abuse;

#[async_trait(?Send)]
impl Protocol for Abuse {
    fn name(&self) -> &'static str {
        "abuse"
    }

    fn title(&self) -> &'static str {
        "wiki_toxic by five parts; sets of other places and languages as unseen sources"
    }

    fn target(&self) -> &'static str {
        "wiki_toxic AUC >= .95; the others reported"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let heard: Vec<Heard> = folds::parts(shop, "wiki_toxic").await?.into_iter().flatten().collect();
        let measures = report.abuse("wiki_toxic, by parts", &heard, chance);
        aucs(report, "wiki_toxic", measures, Some(Target::AtLeast(0.95)));
        for source in UNSEEN {
            let measures = report.abuse(source, &unseen(shop, source).await?, chance);
            aucs(report, &format!("{source}, unseen"), measures, None);
        }
        Ok(())
    }
}

/// Both AUCs of the set that was added last, with their intervals.
fn aucs(report: &mut Report, set: &str, measures: [Measures; 2], target: Option<Target>) {
    let first = report.lines.len().saturating_sub(2);
    for (at, (view, measures)) in [MODEL_ALONE, WHOLE].into_iter().zip(measures).enumerate() {
        let interval = report.lines.get(first + at).and_then(|line| line.intervals.get("auc").copied());
        report.figure(&format!("{set}, {view}: AUC"), measures.auc, interval, target);
    }
}

/// What a probability is worth on a site that is new.
pub(super) struct Calibration;

#[async_trait(?Send)]
impl Protocol for Calibration {
    fn name(&self) -> &'static str {
        "calibration"
    }

    fn title(&self) -> &'static str {
        "expected calibration error by category, unseen sources, after the prior is replaced by each source's own base rate"
    }

    fn reference(&self) -> &'static str {
        ".016 to .027 at home"
    }

    fn target(&self) -> &'static str {
        "<= .03"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        for source in ["datacamp_comments", "youtube_spam", "reddit_rules"] {
            let first = report.lines.len();
            report.spam(source, &spam::unseen(shop, source).await?, chance);
            report.lines.remove(first + 1); // the higher of two scores is no probability of either
            figures(report, "spam", first);
        }
        for source in UNSEEN {
            let first = report.lines.len();
            report.abuse(source, &unseen(shop, source).await?, chance);
            figures(report, "abuse", first);
        }
        for category in ["spam", "abuse"] {
            for view in [MODEL_ALONE, WHOLE] {
                mean(report, category, view);
            }
        }
        Ok(())
    }
}

fn figures(report: &mut Report, category: &str, first: usize) {
    let found: Vec<_> = report.lines[first..]
        .iter()
        .map(|line| {
            let view = if line.view == MODEL_ALONE { MODEL_ALONE } else { WHOLE };
            let (error, interval) =
                (line.measures.calibration_error_at_base_rate, line.intervals.get("calibration_error_at_base_rate"));
            (format!("{category}, {}, {view}", line.set), error, interval.copied())
        })
        .collect();
    for (name, error, interval) in found {
        report.figure(&name, error, interval, Some(Target::AtMost(0.03)));
    }
}

/// The mean over a category's sources.
#[expect(clippy::cast_precision_loss, reason = "some sources")]
fn mean(report: &mut Report, category: &str, view: &str) {
    let of = |name: &str| name.starts_with(&format!("{category}, ")) && name.ends_with(&format!(", {view}"));
    let errors: Vec<f64> = report.figures.iter().filter(|figure| of(&figure.name)).map(|figure| figure.value).collect();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    report.figure(&format!("{category}: mean over the sources, {view}"), mean, None, Some(Target::AtMost(0.03)));
}

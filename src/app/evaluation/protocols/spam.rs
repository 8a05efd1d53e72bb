//! Whole sources that the model has never seen: what happens on a site that is new.

use std::collections::HashSet;
use std::path::Path;

use async_trait::async_trait;

use super::super::Protocol;
use super::super::court::{Court, Heard};
use super::super::report::{Chance, Report, Target, logistic};
use super::super::rows;
use super::super::workshop::Workshop;
use crate::classifier::data;
use crate::classifier::evaluate::baseline::{Baseline, Words};
use crate::classifier::evaluate::{Measures, Sample};
use crate::classifier::train::Without;
use crate::domain::normalise::{fold_plain, words};

/// What a source would be to a model that never saw it.
pub(super) async fn unseen(shop: &Workshop<'_>, source: &str) -> anyhow::Result<Vec<Heard>> {
    let mut court = match source {
        "datacamp_comments" => shop.court_abroad()?.0,
        _ => shop.court_without(&Without { sources: vec![source.to_owned()], blog: 0 })?,
    };
    hear(shop, &mut court, source).await
}

/// The source's labelled comments, each text once, in order.
pub(super) async fn hear(shop: &Workshop<'_>, court: &mut Court, source: &str) -> anyhow::Result<Vec<Heard>> {
    let cases = rows::distinct(rows::read(&shop.train.join(format!("{source}.jsonl")))?);
    court.hear(rows::in_order(cases.into_iter().filter(|case| case.spam.is_some()).collect())).await
}

/// Both AUCs against one target.
pub(super) fn aucs(report: &mut Report, set: &str, [model, whole]: [Measures; 2], target: f64) {
    let lines = report.lines.len();
    for (at, view, measures) in [(3, "model alone", model), (2, "whole decision", whole)] {
        let interval = report.lines[lines - at].intervals.get("auc").copied();
        report.figure(&format!("{set}, {view}: AUC"), measures.auc, interval, Some(Target::AtLeast(target)));
    }
}

/// Comments under news and blog articles, read and labelled anew.
pub(super) struct Datacamp;

#[async_trait(?Send)]
impl Protocol for Datacamp {
    fn name(&self) -> &'static str {
        "datacamp-unseen"
    }

    fn title(&self) -> &'static str {
        "datacamp_comments (clean_label) as an unseen source, with TF-IDF and logistic regression on the same training sets beside it"
    }

    fn reference(&self) -> &'static str {
        "TF-IDF + logistic regression, measured beside it"
    }

    fn target(&self) -> &'static str {
        "AUC >= .95; AP .10 over the baseline"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let (mut court, held_out) = shop.court_abroad()?;
        let heard = hear(shop, &mut court, "datacamp_comments").await?;
        let measures = report.spam("datacamp_comments", &heard, chance);
        aucs(report, "datacamp_comments", measures, 0.95);
        (shop.tools.progress)("fitting the baseline");
        let baseline = baseline(shop, &court, &held_out, &heard)?;
        let samples = heard.iter().map(|heard| {
            let score = logistic(baseline.log_odds(&folded(&heard.case.body)));
            let label = heard.case.spam == Some(true);
            Sample { score, label, called: score >= 0.5, group: heard.case.group }
        });
        let base = report.line("datacamp_comments", "TF-IDF + logistic regression", samples.collect(), None, chance);
        for (view, measures) in ["model alone", "whole decision"].into_iter().zip(measures) {
            let over = measures.average_precision - base.average_precision;
            report.figure(&format!("{view}: AP over the baseline's"), over, None, Some(Target::AtLeast(0.10)));
        }
        Ok(())
    }
}

/// The baseline, of the sets that the court's model learned from.
fn baseline(
    shop: &Workshop<'_>,
    court: &Court,
    held_out: &HashSet<String>,
    measured: &[Heard],
) -> anyhow::Result<Baseline> {
    let classifier = court.house().classifier.as_ref();
    let sources = classifier.map(|classifier| classifier.header().sources.clone()).unwrap_or_default();
    let seen = measured.iter().map(|heard| rows::fold_key(&heard.case.body)).collect();
    Baseline::fit(&learned(&shop.train, sources.keys().map(String::as_str), held_out, seen)?)
}

/// The sources' labelled texts, each once, without those that are held out or were `seen` elsewhere.
fn learned<'a>(
    folder: &Path,
    sources: impl Iterator<Item = &'a str>,
    held_out: &HashSet<String>,
    mut seen: HashSet<u64>,
) -> anyhow::Result<Vec<(Words, bool)>> {
    let mut texts = Vec::new();
    for source in sources {
        for row in data::learned(folder, source)? {
            let spam = data::target(source, &row).and_then(|target| target.spam);
            if let Some(spam) = spam.filter(|_| !held_out.contains(&row.id))
                && seen.insert(rows::fold_key(&row.text))
            {
                texts.push((folded(&row.text), spam));
            }
        }
    }
    Ok(texts)
}

fn folded(text: &str) -> Words {
    let folded = fold_plain(text);
    let text = folded.text();
    words(text).iter().map(|word| text[word.start as usize..word.end as usize].to_owned()).collect()
}

/// Comments under videos.
pub(super) struct YoutubeUnseen;

#[async_trait(?Send)]
impl Protocol for YoutubeUnseen {
    fn name(&self) -> &'static str {
        "youtube-unseen"
    }

    fn title(&self) -> &'static str {
        "youtube_spam as an unseen source"
    }

    fn reference(&self) -> &'static str {
        "AUC .850"
    }

    fn target(&self) -> &'static str {
        "AUC >= .92"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let heard = unseen(shop, "youtube_spam").await?;
        let measures = report.spam("youtube_spam", &heard, chance);
        aucs(report, "youtube_spam", measures, 0.92);
        Ok(())
    }
}

/// Advertising in a forum where most of the genuine comments carry links, too.
pub(super) struct RedditUnseen;

#[async_trait(?Send)]
impl Protocol for RedditUnseen {
    fn name(&self) -> &'static str {
        "reddit-unseen"
    }

    fn title(&self) -> &'static str {
        "reddit_rules, advertising, as an unseen source"
    }

    fn reference(&self) -> &'static str {
        "AUC .52"
    }

    fn target(&self) -> &'static str {
        "reported, AUC >= .62"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let heard = unseen(shop, "reddit_rules").await?;
        let measures = report.spam("reddit_rules", &heard, chance);
        aucs(report, "reddit_rules", measures, 0.62);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_learns_what_was_written_for_training_and_has_no_file_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = r#"{"id":"a","text":"visit my channel","label":"spam"}
{"id":"b","text":"Visit MY channel","label":"spam"}
{"id":"c","text":"a song that I like","label":"ham"}
{"id":"d","text":"measured elsewhere","label":"ham"}
{"id":"e","text":"under a post that is held out","label":"ham"}
"#;
        std::fs::write(folder.path().join("youtube_spam.jsonl"), lines).expect("written");
        let held_out = HashSet::from(["e".to_owned()]);
        let of = |sources: &[&str]| {
            let seen = HashSet::from([rows::fold_key("measured elsewhere")]);
            learned(folder.path(), sources.iter().copied(), &held_out, seen).expect("read")
        };
        assert_eq!(of(&["youtube_spam"]).len(), 2);
        let both = of(&["written_for_training", "youtube_spam"]);
        let spam = both.iter().filter(|(_, spam)| *spam).count();
        assert!(both.len() > 1_000 && spam > 100, "{} texts, {spam} of them spam", both.len());
    }
}

//! Genuine comments: how many wait for a person, and how many would not be shown.

use async_trait::async_trait;

use super::super::Protocol;
use super::super::court::Heard;
use super::super::report::{Chance, Listed, Report, Target};
use super::super::rows::{self, Case};
use super::super::workshop::Workshop;
use crate::classifier::evaluate::bootstrap::{self, Interval};
use crate::classifier::evaluate::random::Random;
use crate::domain::decision::Action;

/// Published comments of a technical blog under posts that nothing was learned from.
pub(super) struct Blog;

#[async_trait(?Send)]
impl Protocol for Blog {
    fn name(&self) -> &'static str {
        "blog-held-out"
    }

    fn title(&self) -> &'static str {
        "published blog comments, grouped by post, posts not trained on, at their own pace: rejected, held"
    }

    fn target(&self) -> &'static str {
        "rejected <= 0.05 %, held <= 2 %"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let (mut court, held_out) = shop.court_abroad()?;
        let cases: Vec<Case> =
            rows::blog(&shop.train)?.into_iter().filter(|case| held_out.contains(&case.id)).collect();
        let heard = court.hear(rows::in_order(cases)).await?;
        shares(report, "blog_comments", &heard, |heard| heard.action, Some((0.0005, 0.02)), chance);
        shares(report, "blog_comments, as spam or off-topic", &heard, |heard| heard.as_spam, None, chance);
        shares(report, "blog_comments, as abuse", &heard, |heard| heard.as_abuse, None, chance);
        list(report, "blog-held-out", &heard, |heard| heard.action);
        report
            .notes
            .push("published is not clean: read the list, some of what is held is advertising of its time".to_owned());
        Ok(())
    }
}

/// Genuine comments in languages that the model learned next to nothing from.
pub(super) struct Languages;

#[async_trait(?Send)]
impl Protocol for Languages {
    fn name(&self) -> &'static str {
        "languages"
    }

    fn title(&self) -> &'static str {
        "German, Portuguese and Korean comments that nobody called abusive: rejected, held as spam or off-topic"
    }

    fn target(&self) -> &'static str {
        "rejected <= 0.1 %, held <= 2 %"
    }

    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()> {
        let sets = [
            ("German", &["germeval21_de", "germeval18_de"][..]),
            ("Portuguese", &["offcombr_pt"][..]),
            ("Korean", &["korean_news_hate"][..]),
        ];
        for (language, files) in sets {
            let mut cases = Vec::new();
            for file in files {
                cases.extend(rows::read(&shop.eval.join(format!("{file}.jsonl")))?);
            }
            let genuine = rows::distinct(cases).into_iter().filter(|case| case.abuse == Some(false)).collect();
            let heard = shop.court()?.hear(rows::in_order(genuine)).await?;
            shares(report, language, &heard, |heard| heard.as_spam, Some((0.001, 0.02)), chance);
            shares(report, &format!("{language}, as abuse"), &heard, |heard| heard.as_abuse, None, chance);
            list(report, &format!("{}-held", language.to_lowercase()), &heard, |heard| heard.as_spam);
        }
        Ok(())
    }
}

/// The shares that were rejected and held, with intervals over whole groups.
fn shares(
    report: &mut Report,
    name: &str,
    heard: &[Heard],
    action: impl Fn(&Heard) -> Action,
    targets: Option<(f64, f64)>,
    chance: Chance,
) {
    let bounds = targets.map_or([None, None], |(reject, hold)| [Some(reject), Some(hold)]);
    for ((what, wanted), bound) in [("rejected", Action::Reject), ("held", Action::Hold)].into_iter().zip(bounds) {
        let flags: Vec<(u64, bool)> = heard.iter().map(|heard| (heard.case.group, action(heard) == wanted)).collect();
        let interval = (chance.resamples > 0).then(|| share_interval(&flags, chance));
        let name = format!("{name}: {what} of {}", heard.len());
        report.figure(&name, share(&flags), interval, bound.map(Target::AtMost));
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of examples")]
fn share(flags: &[(u64, bool)]) -> f64 {
    flags.iter().filter(|(_, flag)| *flag).count() as f64 / flags.len() as f64
}

fn share_interval(flags: &[(u64, bool)], chance: Chance) -> Interval {
    let mut groups: std::collections::BTreeMap<u64, Vec<(u64, bool)>> = std::collections::BTreeMap::new();
    for flag in flags {
        groups.entry(flag.0).or_default().push(*flag);
    }
    let groups: Vec<Vec<(u64, bool)>> = groups.into_values().collect();
    let mut random = Random::new(chance.seed);
    let drawn = (0..chance.resamples).map(|_| {
        let one: Vec<(u64, bool)> =
            (0..groups.len()).flat_map(|_| groups[random.below(groups.len())].iter().copied()).collect();
        share(&one)
    });
    bootstrap::of(drawn.collect())
}

fn list(report: &mut Report, name: &str, heard: &[Heard], action: impl Fn(&Heard) -> Action) {
    let listed: Vec<Listed> = heard.iter().filter(|heard| action(heard) != Action::Approve).map(Listed::of).collect();
    report.notes.push(causes(name, &listed));
    report.lists.insert(name.to_owned(), listed);
}

/// Which signals counted against what is listed: where to look when too much is.
fn causes(name: &str, listed: &[Listed]) -> String {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for signal in listed.iter().flat_map(|one| &one.signals) {
        *counts.entry(signal).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let counts: Vec<String> = counts.into_iter().map(|(signal, count)| format!("{signal} {count}")).collect();
    let alone = listed.iter().filter(|one| one.signals.is_empty()).count();
    format!(
        "{name}: {} comments; by the model alone {alone}; signals that counted: {}",
        listed.len(),
        counts.join(", ")
    )
}

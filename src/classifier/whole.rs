//! The whole decision about sources that nothing in it has seen: what signals' weights are fitted to, and how well it does with them.
//!
//! Every row is judged by policy, with what a model says that had not seen its source and with weights that were fitted without it. A score from
//! which comments are held is proposed by what becomes of genuine comments then.

use std::collections::BTreeMap;
use std::path::Path;

use super::evaluate::{Scored, auc, average_precision};
use super::model::{STRANGE_MAX, is_strange};
use super::scene::Scenes;
use super::unseen::Unseen;
use super::weights::{Case, Key, Probe, Weight, apply, fit};
use crate::domain::category::Category;
use crate::domain::fitted;
use crate::domain::known::Known;
use crate::domain::model::ModelOutput;
use crate::domain::policy::{self, Circumstances, Policy};
use crate::domain::rules::Marks;
use crate::domain::scores::LogOdds;
use crate::domain::signal::{self, Allowance, Context, LIST, Resources, Signals};

/// Sources of genuine comments by which the score to hold from is proposed.
const GENUINE: &[&str] = &["blog_comments", "cqa_relevance", "sms_spam", "wiki_toxic"];
/// The share of them that may be held, as the mean over the sources.
const MAY_BE_HELD: f64 = 0.02;
/// What outputs are called, in the order of [`Unseen::said`].
const OUTPUTS: [(&str, Category); 2] = [("spam", Category::Spam), ("abuse", Category::Abuse)];

/// What was fitted, and how well it does abroad.
pub struct Fitted {
    /// The signals' weights.
    pub weights: BTreeMap<Key, Weight>,
    /// Figures by name.
    pub measured: BTreeMap<String, f64>,
}

/// A row as the whole decision sees it, with each way to weigh signals.
struct Judged {
    source: &'static str,
    positive: bool,
    /// Log-odds for spam: the model alone, with the authors' weights, with fitted ones.
    said: [f64; 3],
    /// Whether the decision with fitted weights would hold it as off-topic.
    off_topic: bool,
}

/// Fits weights to rows that were learned from, and measures the whole decision on each source without it.
///
/// # Errors
/// A file cannot be read, a check cannot work with a setting, or linfa fails.
pub fn fit_signals(
    folder: &Path,
    unseen: &[Unseen],
    resources: &Resources,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<Fitted> {
    let thought = fitted::as_written(signal::Config::default);
    let mut scenes = Scenes::new(folder, resources)?;
    let sources = sources(unseen);
    let cases = cases(&mut scenes, unseen, &sources, &Probe::new(&thought, resources)?);
    let mut weights = BTreeMap::new();
    for (cases, (_, category)) in cases.iter().zip(OUTPUTS) {
        // Each weight counts for one category.
        weights.extend(fit(cases, &thought)?);
        progress(&format!("signals: weights for {} fitted", category.name()));
    }
    for ((section, key), weight) in &weights {
        progress(&format!("signals: {section}.{key} {} instead of {}", weight.log_odds.get(), weight.thought));
    }
    let policy = policy::Config::default();
    let ids: Vec<&str> = LIST.iter().map(|meta| meta.id).collect();
    let policy = Policy::new(policy, &ids)?;
    let as_written = Signals::new(&thought, resources)?;
    let mut judged = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let of = |one: &&Unseen| one.source == *source && one.said[0].is_some();
        if !unseen.iter().any(|one| of(&one)) {
            continue;
        }
        let others: Vec<Case> = cases[0].iter().filter(|case| case.source != number).cloned().collect();
        let without = Signals::new(&apply(&fit(&others, &thought)?, &thought)?, resources)?;
        for one in unseen.iter().filter(of) {
            let judge = |context: &Context<'_>| judge(one, context, &policy, [&as_written, &without]);
            judged.extend(scenes.show(one.source, &one.row, judge).flatten());
        }
    }
    let mut measured = BTreeMap::new();
    areas(&sources, &judged, &mut measured, progress);
    holds(&judged, policy.config(), &mut measured, progress);
    Ok(Fitted { weights, measured })
}

/// The sources of rows that models judged unseen.
fn sources(unseen: &[Unseen]) -> Vec<&'static str> {
    let mut sources: Vec<&'static str> = Vec::new();
    for one in unseen.iter().filter(|one| one.said.iter().any(Option::is_some)) {
        if !sources.contains(&one.source) {
            sources.push(one.source);
        }
    }
    sources
}

/// What the fit learns from, for each output.
fn cases(scenes: &mut Scenes<'_>, unseen: &[Unseen], sources: &[&'static str], probe: &Probe) -> [Vec<Case>; 2] {
    let mut cases = [Vec::new(), Vec::new()];
    let config = policy::Config::default();
    let most = [config.spam.model_max.get(), config.abuse.model_max.get()];
    for one in unseen {
        let Some(source) = sources.iter().position(|source| *source == one.source) else { continue };
        let seen = scenes.show(one.source, &one.row, |context| {
            (said(one, context), OUTPUTS.map(|(_, category)| probe.slopes(category, context)))
        });
        let Some((said, slopes)) = seen else { continue };
        for (output, slopes) in slopes.into_iter().enumerate() {
            if let Some((positive, model)) = said[output] {
                let model = model.clamp(-most[output], most[output]);
                cases[output].push(Case { source, positive, model, slopes });
            }
        }
    }
    cases
}

/// What a model says of a row that had not seen its source: little, where it hardly saw the words.
fn said(one: &Unseen, context: &Context<'_>) -> [Option<(bool, f64)>; 2] {
    let most = if is_strange(context.comment, context.gist) { STRANGE_MAX } else { f64::INFINITY };
    one.said.map(|said| said.map(|(label, said)| (label, said.clamp(-most, most))))
}

fn judge(one: &Unseen, context: &Context<'_>, policy: &Policy, signals: [&Signals; 2]) -> Option<Judged> {
    let (positive, model) = said(one, context)[0]?;
    let circumstances = Circumstances {
        moderation: policy::Moderation::Post,
        role: None,
        author: &Known::NotApplicable,
        allowance: &Allowance::Off,
        has_link: context.links_out().next().is_some(),
        rules: Marks::NONE,
        hash: "",
    };
    let [with_authors, with_fitted] = signals.map(|signals| {
        let spam = LogOdds::of(model);
        let output = ModelOutput::Scored { version: String::new(), spam, abuse: LogOdds::ZERO, terms: Vec::new() };
        policy.decide(signals.evaluate(context), output, &circumstances)
    });
    let odds = |score: f64| (score / (1.0 - score)).ln();
    let config = policy.config();
    let most = config.spam.model_max.get();
    Some(Judged {
        source: one.source,
        positive,
        said: [
            config.spam.prior.get() + model.clamp(-most, most),
            odds(with_authors.scores.spam.get()),
            odds(with_fitted.scores.spam.get()),
        ],
        off_topic: with_fitted.scores.off_topic >= config.off_topic.hold,
    })
}

/// How well spam is told from the rest of each source.
fn areas(
    sources: &[&'static str],
    judged: &[Judged],
    measured: &mut BTreeMap<String, f64>,
    progress: &mut dyn FnMut(&str),
) {
    for source in sources {
        let of = |way: usize| -> Vec<Scored> {
            let own = judged.iter().filter(|one| one.source == *source);
            own.map(|one| (one.said[way], one.positive)).collect()
        };
        if !auc(&of(0)).is_finite() {
            continue;
        }
        let mut told = format!("whole decision: {source} as an unseen source, AUC and AP");
        for (way, name) in ["model alone", "authors' weights", "fitted weights"].into_iter().enumerate() {
            let scored = of(way);
            let (area, precision) = (auc(&scored), average_precision(&scored));
            told += &format!(" {area:.4} {precision:.4} ({name})");
            measured.insert(format!("whole decision.unseen source.{source}.{name}.auc"), rounded(area));
            measured.insert(format!("whole decision.unseen source.{source}.{name}.ap"), rounded(precision));
        }
        progress(&told);
    }
}

/// What becomes of genuine comments of unseen sources, by the score from which they are held; and the lowest that holds few enough.
fn holds(
    judged: &[Judged],
    config: &policy::Config,
    measured: &mut BTreeMap<String, f64>,
    progress: &mut dyn FnMut(&str),
) {
    let genuine = |source: &&str| -> Vec<&Judged> {
        judged.iter().filter(|one| one.source == *source && !one.positive).collect()
    };
    let genuine: Vec<Vec<&Judged>> = GENUINE.iter().map(genuine).filter(|of| !of.is_empty()).collect();
    let spam: Vec<&Judged> = judged.iter().filter(|one| one.positive).collect();
    let scores = |one: &Judged, from: f64| LogOdds::of(one.said[2]).probability().get() >= from;
    let held = |from: f64| mean(genuine.iter().map(|of| share(of, |one| scores(one, from) || one.off_topic)));
    let caught = |from: f64| share(&spam, |one| scores(one, from));
    for (from, step) in (4..=12).map(|step| (f64::from(step) * 0.05, step)) {
        let line = format!("{:.4} of genuine comments held, {:.4} of spam", held(from), caught(from));
        progress(&format!("whole decision: unseen sources, hold from {from:.2}: {line}"));
        if step % 2 == 0 {
            measured.insert(format!("whole decision.unseen sources.hold from {from:.1}.ham held"), rounded(held(from)));
            measured
                .insert(format!("whole decision.unseen sources.hold from {from:.1}.spam held"), rounded(caught(from)));
        }
    }
    let rejected = mean(genuine.iter().map(|of| share(of, |one| scores(one, config.spam.reject.get()))));
    measured.insert("whole decision.unseen sources.ham rejected".to_owned(), rounded(rejected));
    progress(&format!("whole decision: unseen sources, {rejected:.5} of genuine comments rejected"));
    let proposed = (20..=60).map(|step| f64::from(step) / 100.0).find(|from| held(*from) <= MAY_BE_HELD);
    if let Some(from) = proposed {
        progress(&format!(
            "whole decision: held from {from:.2}, {MAY_BE_HELD} of genuine comments of unseen sources are"
        ));
        measured.insert("whole decision.unseen sources.hold for 2 % of ham".to_owned(), from);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of examples")]
fn share(of: &[&Judged], is_so: impl Fn(&Judged) -> bool) -> f64 {
    of.iter().filter(|one| is_so(one)).count() as f64 / of.len().max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts of sources")]
fn mean(of: impl Iterator<Item = f64>) -> f64 {
    let all: Vec<f64> = of.collect();
    all.iter().sum::<f64>() / all.len().max(1) as f64
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::super::data::{Row, Target};
    use super::super::weights::to_toml;
    use super::*;

    const BEGS: &str = "hello everyone, please subscribe to my channel, it is number";
    const TALKS: &str = "the bridge in the old part of our town was closed again in year";

    fn row(id: &str, text: &str) -> Row {
        serde_json::from_value(serde_json::json!({ "id": id, "text": text, "group": "post" })).expect("a row")
    }

    /// Of each source eighty rows: requests for followers are half of the spam and a tenth of the rest.
    fn rows(sources: &[&'static str], said: bool) -> Vec<Unseen> {
        let of = |source: &'static str, number: usize| {
            let positive = number.is_multiple_of(2);
            let begs = if positive { number.is_multiple_of(4) } else { number % 20 == 1 };
            let text = format!("{} {number} {source}", if begs { BEGS } else { TALKS });
            let model = if number % 10 < 7 { 1.0 } else { -1.0 };
            Unseen {
                source,
                row: row(&number.to_string(), &text),
                said: [said.then_some((positive, if positive { model } else { -model })), None],
                target: Target { spam: Some(positive), abuse: None },
            }
        };
        sources.iter().flat_map(|source| (0..80).map(move |number| of(source, number))).collect()
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let post = r#"{"id":"post","title":"Of bridges","text":"The bridge opens in spring."}"#;
        std::fs::write(folder.path().join("blog_articles.jsonl"), post).expect("written");
        folder
    }

    #[test]
    fn the_same_rows_give_the_same_weights_and_figures() {
        let folder = folder();
        let resources = Resources::default();
        let fit = |unseen: &[Unseen]| {
            let fitted = fit_signals(folder.path(), unseen, &resources, &mut |_| {}).expect("fits");
            (to_toml(&fitted.weights), fitted.measured)
        };
        let mut unseen = rows(&["sms_spam", "reddit_rules", "blog_comments"], true);
        let once = fit(&unseen);
        assert_eq!(once, fit(&unseen), "nothing depends on the clock, on chance or on an order in memory");
        assert!(once.0.contains("[begging]\n"), "{}", once.0);
        let area = |name: &str| once.1[&format!("whole decision.unseen source.sms_spam.{name}.auc")];
        assert!(area("fitted weights") > area("model alone"), "a request for followers is worth something here");
        assert!(once.1.contains_key("whole decision.unseen sources.hold for 2 % of ham"));
        // What no model judged unseen, as what we wrote ourselves, does not count.
        unseen.extend(rows(&["written_for_training"], false));
        assert_eq!(once, fit(&unseen));
    }

    #[test]
    fn rows_are_met_where_they_stand() {
        let folder = folder();
        let resources = Resources::default();
        let mut scenes = Scenes::new(folder.path(), &resources).expect("read");
        let row = Row { context: Some("Is the bridge open?".to_owned()), ..row("a", "no") };
        let mut met = |source: &str| {
            let look = |context: &Context<'_>| {
                let author = context.comment.sent.author.name.is_some();
                (context.page.get().is_some(), context.parent.get().is_some(), author)
            };
            scenes.show(source, &row, look).expect("a comment")
        };
        assert_eq!(met("blog_comments"), (true, true, false), "the blog's posts are known by their file");
        assert_eq!(met("wiki_toxic"), (false, true, false));
    }
}

//! Default weights of signals, fitted to labelled comments instead of guessed.
//!
//! How much a hit adds depends on settings: a weight, perhaps a weight for each link more. How it depends on each of them is found by moving the
//! setting a little and judging again, so that a check needs to know nothing of this. These slopes are the columns of a logistic regression
//! (linfa-logistic), beside what a model says that had not seen the comment's source, and one column a source, so that only differences within a
//! source count: which texts a set was made of is no evidence. A weight whose sign would be turned around is taken out and the rest fitted again;
//! one that was hardly seen keeps what its author wrote.
//!
//! What needs a past (repeats, an author's record) cannot be fitted to sets of single comments and is not tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::anyhow;
use linfa::prelude::*;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ShapeBuilder as _};

use crate::domain::category::Category;
use crate::domain::scores::LogOdds;
use crate::domain::signal::{self, Evaluated, LIST, Outcome, Resources, Signals};

/// Hits below which a weight is not fitted.
const MIN_HITS: usize = 20;
/// Sources, with comments of both kinds or of one, that a weight must have been seen on.
const MIN_SOURCES: usize = 2;
/// By how much a setting is moved.
const STEP: f64 = 0.1;
/// Weights beyond this say only that a set had no counter-example.
const MOST: f64 = 3.5;

/// A setting: section and key.
pub type Key = (String, String);

/// What judging one comment gave.
#[derive(Debug, Clone)]
pub struct Case {
    /// Which source it is of.
    pub source: usize,
    /// What it is.
    pub positive: bool,
    /// What a model says of it, in log-odds, that had not seen its source.
    pub model: f64,
    /// How a hit's weight moves with each setting, where it does.
    pub slopes: Vec<(Key, f64)>,
}

/// A fitted weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// What a hit adds.
    pub log_odds: LogOdds,
    /// Hits on comments of the category, and on others.
    pub hits: [usize; 2],
    /// Sources that it was seen on.
    pub sources: usize,
}

/// The checks' settings, each moved in turn.
pub struct Probe {
    /// As they are, and once for each place in a section with one setting moved; `None` where nothing is.
    moved: Vec<(BTreeMap<&'static str, String>, Signals)>,
    plain: Signals,
}

impl Probe {
    /// Prepares to judge.
    ///
    /// # Errors
    /// A check cannot work with a setting that was moved a little.
    pub fn new(config: &signal::Config, resources: &Resources) -> anyhow::Result<Self> {
        let table = unbounded(config)?;
        let signals = |table: &toml::Table| -> anyhow::Result<Signals> {
            let config: signal::Config = table.clone().try_into()?;
            Ok(Signals::new(&config, resources)?)
        };
        let keys: Vec<(&'static str, Vec<String>)> =
            LIST.iter().map(|meta| (meta.section, weights_of(&table, meta.section))).collect();
        let most = keys.iter().map(|(_, keys)| keys.len()).max().unwrap_or(0);
        let mut moved = Vec::new();
        for place in 0..most {
            let mut table = table.clone();
            let mut which = BTreeMap::new();
            for (section, keys) in &keys {
                let Some(key) = keys.get(place) else { continue };
                let value = table.get_mut(*section).and_then(|section| section.get_mut(key));
                if let Some(toml::Value::Float(value)) = value {
                    *value += STEP;
                    which.insert(*section, key.clone());
                }
            }
            moved.push((which, signals(&table)?));
        }
        Ok(Self { moved, plain: signals(&table)? })
    }

    /// How the hits of one category move with each setting.
    #[must_use]
    pub fn slopes(&self, category: Category, context: &signal::Context<'_>) -> Vec<(Key, f64)> {
        let before = self.plain.evaluate(context);
        if !before.iter().any(|one| one.category == category && weight(one).is_some()) {
            return Vec::new();
        }
        let mut slopes = Vec::new();
        for (which, signals) in &self.moved {
            for (before, after) in before.iter().zip(&signals.evaluate(context)) {
                let section = before.id.replace('-', "_");
                let (Some(key), Some(was), Some(is)) = (which.get(section.as_str()), weight(before), weight(after))
                else {
                    continue;
                };
                let slope = ((is - was) / STEP * 1_000.0).round() / 1_000.0;
                if before.category == category && slope != 0.0 {
                    slopes.push(((section, key.clone()), slope));
                }
            }
        }
        slopes
    }
}

fn weight(one: &Evaluated) -> Option<f64> {
    match &one.outcome {
        Outcome::Hit { weight, .. } => Some(weight.get()),
        Outcome::Clear | Outcome::NotApplicable | Outcome::Unavailable { .. } => None,
    }
}

/// The settings with every bound on a sum out of the way.
fn unbounded(config: &signal::Config) -> anyhow::Result<toml::Table> {
    let mut table = toml::Table::try_from(config)?;
    for (_, section) in &mut table {
        if let Some(most) = section.get_mut("max_weight") {
            *most = toml::Value::Float(LogOdds::LIMIT);
        }
    }
    Ok(table)
}

/// A section's settings that are weights.
fn weights_of(table: &toml::Table, section: &str) -> Vec<String> {
    let section = table.get(section).and_then(toml::Value::as_table);
    let is_weight = |(key, value): &(&String, &toml::Value)| {
        value.is_float() && key.split('_').any(|part| part == "weight") && key.as_str() != "max_weight"
    };
    section.into_iter().flatten().filter(is_weight).map(|(key, _)| key.clone()).collect()
}

/// Fits the weights that `cases` say enough about; those of `defaults` give the sign that each must keep.
///
/// # Errors
/// linfa fails.
pub fn fit(cases: &[Case], defaults: &signal::Config) -> anyhow::Result<BTreeMap<Key, Weight>> {
    let table = toml::Table::try_from(defaults)?;
    let default = |(section, key): &Key| table.get(section)?.get(key)?.as_float();
    let mut seen: BTreeMap<&Key, ([usize; 2], BTreeSet<usize>)> = BTreeMap::new();
    for case in cases {
        for (key, _) in &case.slopes {
            let (hits, sources) = seen.entry(key).or_default();
            hits[usize::from(!case.positive)] += 1;
            sources.insert(case.source);
        }
    }
    seen.retain(|_, (hits, sources)| hits[0] + hits[1] >= MIN_HITS && sources.len() >= MIN_SOURCES);
    seen.retain(|key, _| default(key).is_some_and(|weight| weight != 0.0));
    let mut columns: Vec<&Key> = seen.keys().copied().collect();
    let fitted = loop {
        let fitted = regression(cases, &columns)?;
        let turned = |key: &Key, weight: f64| default(key).is_some_and(|default| default * weight < 0.0);
        let kept: Vec<&Key> =
            columns.iter().zip(&fitted).filter(|(key, weight)| !turned(key, **weight)).map(|(key, _)| *key).collect();
        if kept.len() == columns.len() {
            break fitted;
        }
        columns = kept;
    };
    let by_key: BTreeMap<&Key, f64> = columns.into_iter().zip(fitted).collect();
    let of = |(key, (hits, sources)): (&Key, ([usize; 2], BTreeSet<usize>))| {
        // Whose sign was turned around says nothing.
        let weight = by_key.get(key).copied().unwrap_or(0.0).clamp(-MOST, MOST);
        let log_odds = LogOdds::of((weight * 100.0).round() / 100.0);
        (key.clone(), Weight { log_odds, hits, sources: sources.len() })
    };
    Ok(seen.into_iter().map(of).collect())
}

/// The weights of `columns`, beside what the model says and one column a source.
fn regression(cases: &[Case], columns: &[&Key]) -> anyhow::Result<Vec<f64>> {
    let place: BTreeMap<&Key, usize> = columns.iter().enumerate().map(|(at, key)| (*key, at)).collect();
    let sources: Vec<usize> = cases.iter().map(|case| case.source).collect::<BTreeSet<_>>().into_iter().collect();
    let width = columns.len() + 1 + sources.len();
    // Column by column: linfa's gradient walks columns.
    let mut matrix = Array2::<f64>::zeros((cases.len(), width).f());
    for (row, case) in cases.iter().enumerate() {
        for (key, slope) in &case.slopes {
            if let Some(at) = place.get(key) {
                matrix[(row, *at)] = *slope;
            }
        }
        matrix[(row, columns.len())] = case.model;
        if let Ok(at) = sources.binary_search(&case.source) {
            matrix[(row, columns.len() + 1 + at)] = 1.0;
        }
    }
    let labels = Array1::from_iter(cases.iter().map(|case| case.positive));
    let fitted = LogisticRegression::default()
        .alpha(1.0)
        .max_iterations(200)
        .fit(&Dataset::new(matrix, labels))
        .map_err(|error| anyhow!("linfa-logistic: {error}"))?;
    // linfa's positive class is the more frequent one.
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    Ok(fitted.params().iter().take(columns.len()).map(|weight| sign * weight).collect())
}

/// The file that the checks' defaults are read from: see [`crate::domain::fitted`].
#[must_use]
pub fn to_toml(weights: &BTreeMap<Key, Weight>) -> String {
    let mut text = String::from(
        "# Default weights of signals, in log-odds, fitted by `doorward train`. An operator changes them in config.toml, not here.\n",
    );
    let mut current = "";
    for ((section, key), weight) in weights {
        if section != current {
            let _ = write!(text, "\n[{section}]\n");
            current = section;
        }
        let [positives, others] = weight.hits;
        let _ = writeln!(
            text,
            "{key} = {:?} # {positives} hits and {others} wrong ones, {} sources",
            weight.log_odds.get(),
            weight.sources
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> Key {
        ("link_count".to_owned(), key.to_owned())
    }

    fn case(source: usize, positive: bool, hit: bool) -> Case {
        let slopes = if hit { vec![(key("weight"), 1.0)] } else { Vec::new() };
        Case { source, positive, model: 0.0, slopes }
    }

    /// Of each source: hits and others on positives, hits and others on negatives.
    fn cases(of: &[[usize; 4]]) -> Vec<Case> {
        let all = of.iter().enumerate().flat_map(|(source, [hits, misses, wrong, right])| {
            let kinds = [(true, true, hits), (true, false, misses), (false, true, wrong), (false, false, right)];
            kinds
                .into_iter()
                .flat_map(move |(positive, hit, count)| (0..*count).map(move |_| case(source, positive, hit)))
        });
        all.collect()
    }

    #[test]
    fn weights_say_what_hits_are_worth_within_sources() {
        let table: &[(&str, &[[usize; 4]], Option<f64>)] = &[
            ("nine to one on both", &[[90, 110, 10, 190], [90, 110, 10, 190]], Some(2.7)),
            ("everywhere in the source that is mostly spam", &[[300, 0, 100, 0], [20, 80, 60, 240]], Some(0.0)),
            ("against its meaning", &[[10, 190, 90, 110], [10, 190, 90, 110]], Some(0.0)),
            ("hardly seen", &[[5, 195, 1, 199], [5, 195, 1, 199]], None),
            ("seen on one source only", &[[90, 110, 10, 190], [0, 200, 0, 200]], None),
        ];
        for (name, of, expected) in table {
            let found = fit(&cases(of), &signal::Config::default()).expect("fits");
            let found = found.get(&key("weight")).map(|weight| weight.log_odds.get());
            match (found, expected) {
                (Some(found), Some(expected)) => assert!((found - expected).abs() < 0.3, "{name}: {found}"),
                (found, expected) => assert_eq!(found, *expected, "{name}"),
            }
        }
    }
}

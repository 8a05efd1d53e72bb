//! What a measurement says: lines of measures, single figures, and what a person may want to read.

use std::collections::BTreeMap;

use serde::Serialize;

use super::court::Heard;
use crate::classifier::evaluate::bootstrap::{self, Interval};
use crate::classifier::evaluate::{Measures, Sample, measure_samples};
use crate::domain::decision::Action;

/// What one protocol found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Its name on the command line.
    pub protocol: String,
    /// What it measures.
    pub title: String,
    /// What others reached.
    pub reference: String,
    /// What it should reach.
    pub target: String,
    /// Measures, set by set and view by view.
    pub lines: Vec<Line>,
    /// Single figures.
    pub figures: Vec<Figure>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Comments to be read by a person, by the list's name.
    pub lists: BTreeMap<String, Vec<Listed>>,
}

/// Measures of one view on one set.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The set.
    pub set: String,
    /// Whose score: the model's, the whole decision's, a baseline's.
    pub view: String,
    /// What was measured; JSON has no NaN, and gets null.
    pub measures: Measures,
    /// Where each measure lies in nineteen of twenty resamples.
    pub intervals: BTreeMap<&'static str, Interval>,
    /// What became of the positives and of the others, where something was decided.
    pub verdicts: Option<Verdicts>,
    /// What the plots are made of.
    #[serde(skip)]
    pub samples: Vec<Sample>,
    /// The prior of the scores, where they are probabilities.
    #[serde(skip)]
    pub prior: Option<f64>,
}

/// How many were approved, held and rejected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    /// Of the positives.
    pub positives: [usize; 3],
    /// Of the others.
    pub negatives: [usize; 3],
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What it is of.
    pub name: String,
    /// The figure.
    pub value: f64,
    /// Where it lies in nineteen of twenty resamples, where that was asked.
    pub interval: Option<Interval>,
    /// What it should be, as in `>= 0.95`.
    pub target: Option<Target>,
}

/// A bound that a figure should keep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// At least.
    AtLeast(f64),
    /// At most.
    AtMost(f64),
}

impl Target {
    /// Whether `value` keeps it.
    #[must_use]
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

/// A comment to be read, by its id: texts stay where they are.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The file.
    pub source: String,
    /// The id there.
    pub id: String,
    /// What would become of it.
    pub action: Action,
    /// The scores for spam, off-topic and abuse.
    pub scores: [f64; 3],
    /// The model's log-odds for spam and abuse.
    pub model: [f64; 2],
    /// Signals that counted against it.
    pub signals: Vec<String>,
}

impl Listed {
    /// Names a comment.
    #[must_use]
    pub fn of(heard: &Heard) -> Self {
        Self {
            source: heard.case.source.clone(),
            id: heard.case.id.clone(),
            action: heard.action,
            scores: [heard.scores.spam, heard.scores.off_topic, heard.scores.abuse],
            model: heard.model,
            signals: heard.signals.clone(),
        }
    }
}

/// How intervals are made.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Draws; 0 for no intervals.
    pub resamples: usize,
    /// The seed.
    pub seed: u64,
}

impl Report {
    /// Adds a line.
    pub fn line(
        &mut self,
        set: &str,
        view: &str,
        samples: Vec<Sample>,
        prior: Option<f64>,
        chance: Chance,
    ) -> Measures {
        let measures = measure_samples(&samples, prior);
        let intervals = bootstrap::intervals(&samples, prior, chance.resamples, chance.seed);
        let (set, view) = (set.to_owned(), view.to_owned());
        self.lines.push(Line { set, view, measures, intervals, verdicts: None, samples, prior });
        measures
    }

    /// Adds a figure with a target.
    pub fn figure(&mut self, name: &str, value: f64, interval: Option<Interval>, target: Option<Target>) {
        self.figures.push(Figure { name: name.to_owned(), value, interval, target });
    }

    /// The interval of a measure of the line that was added last.
    #[must_use]
    pub fn interval(&self, measure: &str) -> Option<Interval> {
        self.lines.last().and_then(|line| line.intervals.get(measure).copied())
    }

    /// Adds the views of a set that was judged for spam: the model alone, the whole decision by its higher score of spam and off-topic, and
    /// its score for spam alone. Answers the measures of the first two.
    pub fn spam(&mut self, set: &str, heard: &[Heard], chance: Chance) -> [Measures; 2] {
        let labelled: Vec<(&Heard, bool)> = heard.iter().filter_map(|heard| Some((heard, heard.case.spam?))).collect();
        let of = |score: &dyn Fn(&Heard) -> f64, called: &dyn Fn(&Heard) -> bool| -> Vec<Sample> {
            let sample = |(heard, label): &(&Heard, bool)| Sample {
                score: score(heard),
                label: *label,
                called: called(heard),
                group: heard.case.group,
            };
            labelled.iter().map(sample).collect()
        };
        let prior = labelled.first().map(|(heard, _)| heard.prior.spam);
        let alone = |heard: &Heard| logistic(heard.prior.spam + heard.model[0]);
        let model = self.line(set, MODEL_ALONE, of(&alone, &|heard| alone(heard) >= heard.hold.spam), prior, chance);
        let whole = self.line(
            set,
            WHOLE,
            of(&Heard::spam_or_off_topic, &|heard| heard.as_spam > Action::Approve),
            None,
            chance,
        );
        self.verdicts(labelled.iter().map(|(heard, label)| (heard.as_spam, *label)));
        let spam = |heard: &Heard| heard.scores.spam;
        self.line(set, WHOLE_SPAM, of(&spam, &|heard| spam(heard) >= heard.hold.spam), prior, chance);
        [model, whole]
    }

    /// Adds the views of a set that was judged for abuse: the model alone, and the whole decision.
    pub fn abuse(&mut self, set: &str, heard: &[Heard], chance: Chance) -> [Measures; 2] {
        let labelled: Vec<(&Heard, bool)> = heard.iter().filter_map(|heard| Some((heard, heard.case.abuse?))).collect();
        let prior = labelled.first().map(|(heard, _)| heard.prior.abuse);
        let of = |score: &dyn Fn(&Heard) -> f64, called: &dyn Fn(&Heard) -> bool| -> Vec<Sample> {
            let sample = |(heard, label): &(&Heard, bool)| Sample {
                score: score(heard),
                label: *label,
                called: called(heard),
                group: heard.case.group,
            };
            labelled.iter().map(sample).collect()
        };
        let alone = |heard: &Heard| logistic(heard.prior.abuse + heard.model[1]);
        let model = self.line(set, MODEL_ALONE, of(&alone, &|heard| alone(heard) >= heard.hold.abuse), prior, chance);
        let whole = of(&|heard| heard.scores.abuse, &|heard| heard.as_abuse > Action::Approve);
        let whole = self.line(set, WHOLE, whole, prior, chance);
        self.verdicts(labelled.iter().map(|(heard, label)| (heard.as_abuse, *label)));
        [model, whole]
    }

    /// Says what became of the line that was added last.
    pub fn verdicts(&mut self, actions: impl Iterator<Item = (Action, bool)>) {
        let mut verdicts = Verdicts::default();
        for (action, label) in actions {
            let of = if label { &mut verdicts.positives } else { &mut verdicts.negatives };
            of[action as usize] += 1;
        }
        if let Some(line) = self.lines.last_mut() {
            line.verdicts = Some(verdicts);
        }
    }
}

/// The model's output with policy's prior, and nothing else.
pub const MODEL_ALONE: &str = "model alone";
/// Signals, model and policy.
pub const WHOLE: &str = "whole decision";
/// Its score for spam, without off-topic.
pub const WHOLE_SPAM: &str = "whole decision, spam alone";

/// The probability that log-odds stand for.
#[must_use]
pub fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

const _: () = assert!(Action::Approve as usize == 0 && Action::Hold as usize == 1 && Action::Reject as usize == 2);

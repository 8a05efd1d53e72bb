//! Weights and thresholds for a stated aim, from what people decided.
//!
//! Signals' weights are fitted around those in force ([`weights`]); then frozen scores, summed up anew where weights differ, are swept for thresholds:
//! what a threshold makes of a score is a comparison. The last part of the time is kept out of both, and says what is proposed is worth on comments
//! that it was not made from.

mod sample;
mod settings;
mod weights;

use serde::Serialize;

use self::sample::{Caps, Sample};
pub use self::sample::{Ruled, Samples};
pub use self::settings::{Change, is_weight, written};
pub use self::weights::{Checked, Reweighed, Weights};
use crate::domain::category::{Category, PerCategory};
use crate::domain::decision::Action;
use crate::domain::policy;
use crate::domain::reads::Share;
use crate::domain::scores::LogOdds;
use crate::domain::time::Timestamp;

/// Values of a threshold that are tried at most, in each category and way of spreading them.
const TRIED: usize = 60;
/// Rounds through the categories at most: it is over when a round changes nothing.
const ROUNDS: usize = 8;
/// Thresholds are proposed in steps of so much, for people to read.
const STEPS: f64 = 1_000.0;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aim {
    /// Held at most, of all.
    pub max_hold_rate: f64,
    /// Approved at most, of what people rejected.
    pub max_miss_rate: f64,
}

/// A category's thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thresholds {
    /// Held from here on.
    pub hold: f64,
    /// Rejected from here on; 1.0 for never.
    pub reject: f64,
}

/// What a comment comes to under some weights.
struct Scored {
    scores: [f64; 3],
    /// What became of it whatever the scores were: a mode, a limit or a sanction decided.
    fixed: Option<Action>,
    person: Option<Action>,
}

impl Scored {
    fn of(sample: &Sample, caps: &Caps, factors: &[f64]) -> Self {
        let scores = sample.reweighed(caps, factors).map(|sum| LogOdds::of(sum).probability().get());
        Self { scores, fixed: sample.fixed, person: sample.person }
    }

    fn fate(&self, thresholds: &[Thresholds; 3]) -> Action {
        if let Some(action) = self.fixed {
            return action;
        }
        let asked = self.scores.iter().zip(thresholds).map(|(score, at)| {
            if *score >= at.reject && at.reject < 1.0 {
                Action::Reject
            } else if *score >= at.hold {
                Action::Hold
            } else {
                Action::Approve
            }
        });
        asked.max().unwrap_or(Action::Approve)
    }
}

/// What thresholds make of comments.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outcome {
    /// Held, of all.
    pub held: Share,
    /// Approved, of what people rejected.
    pub missed: Share,
    /// Not approved, of what people approved.
    pub false_positives: Share,
}

/// What is proposed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// The thresholds in force.
    pub before: PerCategory<Thresholds>,
    /// Those proposed.
    pub after: PerCategory<Thresholds>,
    /// Signals' weights; none where they were not to be touched.
    pub weights: Option<Weights>,
    /// The first comment of the part that was kept out.
    pub kept_out_since: Option<Timestamp>,
    /// On what was searched: as in force, and as proposed.
    pub searched: [Outcome; 2],
    /// On what was kept out: as in force, and as proposed.
    pub kept_out: [Outcome; 2],
    /// Whether the proposal reaches the aim on what was searched.
    pub reaches: bool,
    /// Whether it does on what was kept out.
    pub holds_up: bool,
}

/// What is asked for.
pub struct Wanted<'a> {
    /// The aim.
    pub aim: Aim,
    /// The part of the comments, the latest, that the proposal is measured on.
    pub kept_out: f64,
    /// The policy in force.
    pub policy: &'a policy::Config,
    /// Which signals have weights that may change; none where all stay.
    pub may_change: Option<&'a dyn Fn(&str) -> bool>,
}

/// Proposes weights and thresholds.
#[must_use]
pub fn propose(mut samples: Samples, wanted: &Wanted<'_>) -> Proposal {
    samples.list.sort_by_key(|sample| sample.at);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a count of comments"
    )]
    let split = ((samples.len() as f64) * (1.0 - wanted.kept_out.clamp(0.0, 1.0))).round() as usize;
    let split = split.min(samples.len());
    let found = wanted.may_change.map(|may| weights::fit(&samples, split, may));
    let caps = Caps::of(wanted.policy, &samples.names());
    let (weights, factors) = found.map_or((None, Vec::new()), |(weights, factors)| (Some(weights), factors));
    let scored = |factors: &[f64]| -> Vec<Scored> {
        samples.list.iter().map(|sample| Scored::of(sample, &caps, factors)).collect()
    };
    let (as_it_is, as_proposed) = (scored(&[]), scored(&factors));
    let before = PerCategory::from_fn(|category| {
        let of = wanted.policy.category(category);
        Thresholds { hold: of.hold.get(), reject: of.reject.get() }
    });
    let (old, aim) = (Category::ALL.map(|category| before[category]), wanted.aim);
    let new = search(&as_proposed[..split], old, aim);
    let both =
        |range: std::ops::Range<usize>| [outcome(&as_it_is[range.clone()], &old), outcome(&as_proposed[range], &new)];
    let (searched, kept_out) = (both(0..split), both(split..samples.len()));
    let [spam, off_topic, abuse] = new;
    Proposal {
        before,
        after: PerCategory { spam, off_topic, abuse },
        weights,
        kept_out_since: samples.list.get(split).map(|sample| sample.at),
        searched,
        kept_out,
        reaches: is_reached(&searched[1], aim),
        holds_up: is_reached(&kept_out[1], aim),
    }
}

/// What was not measured is not reached.
fn is_reached(outcome: &Outcome, aim: Aim) -> bool {
    outcome.held.rate.is_some_and(|rate| rate <= aim.max_hold_rate)
        && outcome.missed.rate.is_some_and(|rate| rate <= aim.max_miss_rate)
}

/// One category after the other, as long as that helps: each is tried at every value that makes a difference, the others as they are.
fn search(samples: &[Scored], start: [Thresholds; 3], aim: Aim) -> [Thresholds; 3] {
    let mut best = start;
    let mut cost = Cost::of(samples, &best, aim);
    for _ in 0..ROUNDS {
        let before = best;
        for category in 0..3 {
            for hold in values(samples, category, start[category].reject) {
                let mut tried = best;
                tried[category].hold = hold;
                let tried_cost = Cost::of(samples, &tried, aim);
                if tried_cost.is_less(&cost) {
                    (best, cost) = (tried, tried_cost);
                }
            }
        }
        if best == before {
            break;
        }
    }
    best
}

/// Values worth trying: between the scores of all comments, and between those that people decided about.
fn values(samples: &[Scored], category: usize, reject: f64) -> Vec<f64> {
    let mut all: Vec<f64> = samples.iter().map(|sample| sample.scores[category]).collect();
    let decided = samples.iter().filter(|sample| sample.person.is_some());
    let mut decided: Vec<f64> = decided.map(|sample| sample.scores[category]).collect();
    let mut values = vec![reject];
    for scores in [&mut all, &mut decided] {
        scores.sort_by(f64::total_cmp);
        let step = (scores.len() / TRIED).max(1);
        values.extend(scores.iter().rev().step_by(step).take(TRIED));
        // Few are held: where the highest lie, every one makes a difference.
        values.extend(scores.iter().rev().take(TRIED));
    }
    for value in &mut values {
        *value = ((*value * STEPS).ceil() / STEPS).clamp(1.0 / STEPS, reject);
    }
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// What is wrong with thresholds: how far they miss the aim, then how many comments are stopped that people welcomed, then how many wait.
struct Cost(f64, u32, u32);

impl Cost {
    fn of(samples: &[Scored], thresholds: &[Thresholds; 3], aim: Aim) -> Self {
        let outcome = outcome(samples, thresholds);
        let beyond = |share: Share, most: f64| (share.rate.unwrap_or_default() - most).max(0.0) / most.max(1e-6);
        let miss = beyond(outcome.held, aim.max_hold_rate) + beyond(outcome.missed, aim.max_miss_rate);
        Self(miss, outcome.false_positives.n, outcome.held.n)
    }

    fn is_less(&self, other: &Self) -> bool {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1)).then(self.2.cmp(&other.2)).is_lt()
    }
}

fn outcome(samples: &[Scored], thresholds: &[Thresholds; 3]) -> Outcome {
    let (mut all, mut held) = (0, 0);
    let (mut welcome, mut unwelcome, mut stopped, mut missed) = (0, 0, 0, 0);
    for sample in samples {
        let fate = sample.fate(thresholds);
        all += 1;
        held += u32::from(fate == Action::Hold);
        match sample.person {
            Some(Action::Approve) => {
                welcome += 1;
                stopped += u32::from(fate != Action::Approve);
            }
            Some(Action::Reject) => {
                unwelcome += 1;
                missed += u32::from(fate == Action::Approve);
            }
            Some(Action::Hold) | None => {}
        }
    }
    Outcome {
        held: Share::new(held, all),
        missed: Share::new(missed, unwelcome),
        false_positives: Share::new(stopped, welcome),
    }
}

#[cfg(test)]
mod tests;

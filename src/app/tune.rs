//! Thresholds for a stated aim, from what people decided.
//!
//! Frozen scores are swept, not judged anew: what a threshold makes of a score is a comparison. The last part of the time is kept out of the
//! search, and says what the thresholds found are worth on comments that they were not found by. Weights stay as they are.

use serde::Serialize;

use crate::domain::category::{Category, PerCategory};
use crate::domain::decision::{Action, Verdict};
use crate::domain::reads::Share;
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

/// What is known of one verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    at: Timestamp,
    scores: [f64; 3],
    /// What became of it whatever the scores were: a mode, a limit or a sanction decided.
    fixed: Option<Action>,
    person: Option<Action>,
}

impl Sample {
    /// Of a frozen verdict, and what a person decided.
    #[must_use]
    pub fn new(at: Timestamp, verdict: &Verdict, person: Option<Action>) -> Self {
        let scores = Category::ALL.map(|category| verdict.scores[category].get());
        let fixed = (!verdict.causes.is_empty()).then_some(verdict.action);
        Self { at, scores, fixed, person }
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

/// Proposes thresholds; `kept_out` is the part of the comments, the latest, that they are measured on.
#[must_use]
pub fn propose(mut samples: Vec<Sample>, before: PerCategory<Thresholds>, aim: Aim, kept_out: f64) -> Proposal {
    samples.sort_by_key(|sample| sample.at);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a count of comments"
    )]
    let split = ((samples.len() as f64) * (1.0 - kept_out.clamp(0.0, 1.0))).round() as usize;
    let (searched, kept_out) = samples.split_at(split.min(samples.len()));
    let old = Category::ALL.map(|category| before[category]);
    let new = search(searched, old, aim);
    let found = outcome(searched, &new);
    let kept = outcome(kept_out, &new);
    let [spam, off_topic, abuse] = new;
    Proposal {
        before,
        after: PerCategory { spam, off_topic, abuse },
        kept_out_since: kept_out.first().map(|sample| sample.at),
        searched: [outcome(searched, &old), found],
        kept_out: [outcome(kept_out, &old), kept],
        reaches: is_reached(&found, aim),
        holds_up: is_reached(&kept, aim),
    }
}

/// What was not measured is not reached.
fn is_reached(outcome: &Outcome, aim: Aim) -> bool {
    outcome.held.rate.is_some_and(|rate| rate <= aim.max_hold_rate)
        && outcome.missed.rate.is_some_and(|rate| rate <= aim.max_miss_rate)
}

/// One category after the other, as long as that helps: each is tried at every value that makes a difference, the others as they are.
fn search(samples: &[Sample], start: [Thresholds; 3], aim: Aim) -> [Thresholds; 3] {
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
fn values(samples: &[Sample], category: usize, reject: f64) -> Vec<f64> {
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
    fn of(samples: &[Sample], thresholds: &[Thresholds; 3], aim: Aim) -> Self {
        let outcome = outcome(samples, thresholds);
        let beyond = |share: Share, most: f64| (share.rate.unwrap_or_default() - most).max(0.0) / most.max(1e-6);
        let miss = beyond(outcome.held, aim.max_hold_rate) + beyond(outcome.missed, aim.max_miss_rate);
        Self(miss, outcome.false_positives.n, outcome.held.n)
    }

    fn is_less(&self, other: &Self) -> bool {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1)).then(self.2.cmp(&other.2)).is_lt()
    }
}

fn outcome(samples: &[Sample], thresholds: &[Thresholds; 3]) -> Outcome {
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

/// The settings with these thresholds written into them, line by line: what else stands there stays as it is.
#[must_use]
pub fn written(settings: &str, before: &PerCategory<Thresholds>, after: &PerCategory<Thresholds>) -> String {
    let mut lines: Vec<String> = settings.lines().map(str::to_owned).collect();
    for category in Category::ALL {
        if before[category] != after[category] {
            write_hold(&mut lines, &format!("[policy.{}]", category.name()), after[category].hold);
        }
    }
    lines.join("\n") + "\n"
}

fn write_hold(lines: &mut Vec<String>, header: &str, hold: f64) {
    let Some(at) = lines.iter().position(|line| line.split('#').next().unwrap_or_default().trim() == header) else {
        lines.extend([String::new(), header.to_owned(), format!("hold = {hold}")]);
        return;
    };
    let is_hold = |line: &&String| line.split_once('=').is_some_and(|(key, _)| key.trim() == "hold");
    let section = lines[at + 1..].iter().take_while(|line| !line.trim_start().starts_with('['));
    let found = section.enumerate().find(|(_, line)| is_hold(line)).map(|(index, _)| at + 1 + index);
    match found {
        Some(index) => {
            let comment = lines[index].split_once('#').map(|(_, comment)| format!(" #{comment}")).unwrap_or_default();
            lines[index] = format!("hold = {hold}{comment}");
        }
        None => lines.insert(at + 1, format!("hold = {hold}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Thresholds = Thresholds { hold: 0.5, reject: 1.0 };

    fn sample(ms: i64, spam: f64, person: Option<Action>) -> Sample {
        Sample { at: Timestamp::from_millis(ms), scores: [spam, 0.0, 0.0], fixed: None, person }
    }

    /// Of a hundred, those from 0.8 on are bad, and people looked at all from 0.6 on.
    fn world() -> Vec<Sample> {
        let person = |score: f64| match score {
            score if score >= 0.8 => Some(Action::Reject),
            score if score >= 0.6 => Some(Action::Approve),
            _ => None,
        };
        let score = |at: i32| f64::from(at % 100) / 100.0;
        (0..1_000).map(|at| sample(i64::from(at), score(at), person(score(at)))).collect()
    }

    fn all(thresholds: Thresholds) -> PerCategory<Thresholds> {
        PerCategory { spam: thresholds, off_topic: NEVER, abuse: NEVER }
    }

    #[test]
    fn an_aim_within_reach_is_reached_with_nothing_stopped_that_people_welcome() {
        let aim = Aim { max_hold_rate: 0.25, max_miss_rate: 0.005 };
        let found = propose(world(), all(Thresholds { hold: 0.6, reject: 1.0 }), aim, 0.3);
        assert!((found.after.spam.hold - 0.8).abs() < 1e-9, "{:?}", found.after.spam);
        assert!(found.reaches && found.holds_up, "{found:?}");
        assert_eq!((found.kept_out[1].false_positives.n, found.kept_out[0].false_positives.n), (0, 60));
        assert_eq!(found.kept_out_since, Some(Timestamp::from_millis(700)));
        assert_eq!(found.after.abuse, NEVER, "what makes no difference is not touched");
    }

    #[test]
    fn an_aim_out_of_reach_is_said_to_be() {
        let aim = Aim { max_hold_rate: 0.1, max_miss_rate: 0.005 };
        let found = propose(world(), all(NEVER), aim, 0.3);
        assert!(!found.reaches && !found.holds_up, "{found:?}");
        let nobody = world().into_iter().map(|sample| Sample { person: None, ..sample }).collect();
        assert!(!propose(nobody, all(NEVER), Aim { max_hold_rate: 1.0, max_miss_rate: 1.0 }, 0.3).reaches);
        let none = propose(Vec::new(), all(NEVER), aim, 0.3);
        assert!(!none.reaches && none.after == none.before);
    }

    #[test]
    fn what_a_mode_or_a_limit_decided_stays_so() {
        let fixed = Sample { fixed: Some(Action::Hold), ..sample(0, 0.1, None) };
        assert_eq!(fixed.fate(&[NEVER; 3]), Action::Hold);
        let strict = Thresholds { hold: 0.05, reject: 0.09 };
        assert_eq!(fixed.fate(&[strict; 3]), Action::Hold);
        assert_eq!(sample(0, 0.1, None).fate(&[strict, NEVER, NEVER]), Action::Reject);
    }

    #[test]
    fn thresholds_are_written_where_they_stand() {
        let settings =
            "# Ours\n[policy.spam] # doubt\nprior = -2.0\nhold = 0.55   # score\n\n[policy.abuse]\nreject = 0.9\n";
        let after = PerCategory {
            spam: Thresholds { hold: 0.6, ..NEVER },
            off_topic: Thresholds { hold: 0.7, ..NEVER },
            abuse: Thresholds { hold: 0.8, ..NEVER },
        };
        assert_eq!(
            written(settings, &all(NEVER), &after),
            "# Ours\n[policy.spam] # doubt\nprior = -2.0\nhold = 0.6 # score\n\n[policy.abuse]\nhold = 0.8\nreject = 0.9\n\n[policy.off-topic]\nhold = 0.7\n"
        );
        assert_eq!(written(settings, &after, &after), settings);
    }
}

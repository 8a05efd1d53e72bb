//! Looking for thresholds: what one makes of a score is a comparison, so that many can be tried.

use super::outcome::{Bounds, Ground, Outcome, Scored, everywhere};
use super::{STEPS, Thresholds};
use crate::domain::category::Category;

/// Values of a threshold that are tried at most, in each category and way of spreading them.
const TRIED: usize = 60;
/// Rounds through the categories at most: it is over when a round changes nothing.
const ROUNDS: usize = 8;

/// One category after the other, as long as that helps: each is tried at every value that makes a difference, the others as they are. Only
/// `free` categories are touched.
pub(super) fn search(
    samples: &[Scored],
    grounds: &[Ground],
    start: [Thresholds; 3],
    bounds: &Bounds,
    free: &[Category],
) -> [Thresholds; 3] {
    let cost_of = |tried: &[Thresholds; 3]| Cost::of(samples, &everywhere(grounds, tried), bounds);
    let (mut best, mut cost) = (start, cost_of(&start));
    for _ in 0..ROUNDS {
        let before = best;
        for category in free {
            for hold in values(samples, *category, most(grounds, *category)) {
                let mut tried = best;
                tried[*category as usize].hold = hold;
                let tried_cost = cost_of(&tried);
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

/// The highest threshold to hold that works everywhere: none may be above the one to reject, and some sites have that one of their own.
fn most(grounds: &[Ground], category: Category) -> f64 {
    let meant = grounds.iter().enumerate().filter(|(number, ground)| *number == 0 || !ground.own[category]);
    meant.map(|(_, ground)| ground.policy.category(category).reject.get()).fold(1.0, f64::min)
}

/// Values worth trying: between the scores of all comments, and between those that people decided about.
fn values(samples: &[Scored], category: Category, most: f64) -> Vec<f64> {
    let score = |sample: &Scored| sample.scores[category as usize];
    let mut all: Vec<f64> = samples.iter().map(score).collect();
    let mut decided: Vec<f64> = samples.iter().filter(|sample| sample.person.is_some()).map(score).collect();
    let mut values = vec![most];
    for scores in [&mut all, &mut decided] {
        scores.sort_by(f64::total_cmp);
        let step = (scores.len() / TRIED).max(1);
        values.extend(scores.iter().rev().step_by(step).take(TRIED));
        // Few are held: where the highest lie, every one makes a difference.
        values.extend(scores.iter().rev().take(TRIED));
    }
    for value in &mut values {
        *value = ((*value * STEPS).ceil() / STEPS).max(1.0 / STEPS).min(most);
    }
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// What is wrong with thresholds: how far they miss the aim, then how many comments are stopped that people welcomed, then how many wait.
struct Cost(f64, u32, u32);

impl Cost {
    fn of(samples: &[Scored], everywhere: &[[Thresholds; 3]], bounds: &Bounds) -> Self {
        let outcome = Outcome::of(samples, everywhere);
        Self(bounds.beyond(&outcome), outcome.false_positives.n, outcome.held.n)
    }

    fn is_less(&self, other: &Self) -> bool {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1)).then(self.2.cmp(&other.2)).is_lt()
    }
}

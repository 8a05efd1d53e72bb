//! Weights and thresholds for a stated aim, from what people decided.
//!
//! Signals' weights are fitted around those in force ([`weights`]); then frozen scores, summed up anew where weights differ, are swept for thresholds
//! ([`search`]). The last part of the time is kept out of both, and says what is proposed is worth on comments that it was not made from: neither
//! they nor anything that people decided since the first of them has a part in it. A frozen verdict knows of the past what was known when the
//! comment came, and model and learner are those of that moment.

mod outcome;
mod sample;
mod search;
mod settings;
mod weights;

use serde::Serialize;

pub use self::outcome::{Answer, Ground, Judged, Outcome};
use self::outcome::{Bounds, Scored, everywhere, is_reached, judged};
pub use self::sample::Samples;
use self::sample::{Caps, Sample};
pub use self::settings::{Change, is_weight, written};
pub use self::weights::{Checked, Reweighed, Weights};
use crate::domain::category::{Category, PerCategory};
use crate::domain::reads::Share;
use crate::domain::time::Timestamp;

/// Thresholds are proposed in steps of so much, for people to read.
const STEPS: f64 = 1_000.0;
/// What may be missed of a category must be known that well at least, unless more than that is allowed: with no miss seen, Wilson's interval at
/// 95 % ends there. It takes 73 rejections.
const CERTAIN: f64 = 0.05;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aim {
    /// Held at most, of all.
    pub max_hold_rate: f64,
    /// Approved at most, of what people rejected: of all, and of each category.
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

/// What is proposed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// The thresholds in force.
    pub before: PerCategory<Thresholds>,
    /// Those proposed.
    pub after: PerCategory<Thresholds>,
    /// Signals' weights; none where they were not to be touched.
    pub weights: Option<Weights>,
    /// Categories that are left as they are, and why.
    pub left_alone: Vec<LeftAlone>,
    /// The first comment of the part that was kept out.
    pub kept_out_since: Option<Timestamp>,
    /// Decisions about comments that came earlier, made since: left out.
    pub decided_later: usize,
    /// On what was searched: as in force, and as proposed.
    pub searched: [Outcome; 2],
    /// On what was kept out: as in force, and as proposed.
    pub kept_out: [Outcome; 2],
    /// Whether the proposal is what is wanted, part by part, on what was kept out.
    pub judged: Vec<Judged>,
    /// Whether the proposal reaches the aim on what was searched.
    pub reaches: bool,
    /// Whether it does on what was kept out, as counted.
    pub holds_up: bool,
    /// Sites that have thresholds of their own: the aim is not about them.
    pub apart: Vec<Apart>,
}

/// A category that is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftAlone {
    /// Which.
    pub category: Category,
    /// For people.
    pub why: String,
}

/// A site with thresholds of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Apart {
    /// Which.
    pub site: String,
    /// The categories whose threshold to hold is its own.
    pub own: Vec<Category>,
    /// On all of its comments: as in force, and with what it inherits as proposed.
    pub outcome: [Outcome; 2],
}

/// What is asked for.
pub struct Wanted<'a> {
    /// The aim.
    pub aim: Aim,
    /// The part of the comments, the latest, that the proposal is measured on.
    pub kept_out: f64,
    /// What comments are weighed by: first the one that the proposal is about, then those of sites that inherit from it. None is no proposal.
    pub grounds: &'a [Ground],
    /// Which signals have weights that may change; none where all stay.
    pub may_change: Option<&'a dyn Fn(&str) -> bool>,
}

/// Proposes weights and thresholds.
///
/// # Panics
/// There is no ground, or a sample stands on one that there is not.
#[must_use]
pub fn propose(mut samples: Samples, wanted: &Wanted<'_>) -> Proposal {
    let (aim, grounds) = (wanted.aim, wanted.grounds);
    samples.list.sort_by_key(|sample| sample.at);
    let is_meant = |sample: &&Sample| !grounds[usize::from(sample.ground)].is_apart();
    let kept_out_since = kept_out_since(samples.list.iter().filter(is_meant).map(|sample| sample.at), wanted.kept_out);
    let split = kept_out_since.map_or(samples.len(), |since| samples.list.partition_point(|sample| sample.at < since));
    let decided_later = kept_out_since.map_or(0, |since| forget_later(&mut samples.list[..split], since));

    let too_few = {
        let made_from = || samples.list[..split].iter().filter(is_meant);
        PerCategory::from_fn(|of| too_few(made_from().filter(|sample| sample.rejected_for == Some(of)).count(), aim))
    };
    let found = wanted.may_change.map(|may| weights::fit(&samples, split, may, &too_few));
    let (weights, factors) = found.map_or((None, Vec::new()), |(weights, factors)| (Some(weights), factors));

    let names = samples.names();
    let caps: Vec<Caps> = grounds.iter().map(|ground| Caps::of(&ground.policy, &names)).collect();
    let scored = |samples: &[Sample]| -> [Vec<Scored>; 2] {
        [&[][..], &factors]
            .map(|factors| samples.iter().filter(is_meant).map(|sample| Scored::of(sample, &caps, factors)).collect())
    };
    let (made_from, kept_out) = samples.list.split_at(split);
    let (made_from, kept_out) = (scored(made_from), scored(kept_out));

    let old = grounds[0].thresholds();
    let before = everywhere(grounds, &old);
    let free: Vec<Category> = Category::ALL.into_iter().filter(|category| too_few[*category].is_none()).collect();
    let now = Outcome::of(&made_from[0], &before);
    // Of what too little is known of, no more is to be missed than is now: other categories' thresholds hold some of it.
    let missed_of = Category::ALL.map(|category| match now.missed_of[category].rate {
        Some(rate) if !free.contains(&category) => rate.max(aim.max_miss_rate),
        _ => aim.max_miss_rate,
    });
    let bounds = Bounds { held: aim.max_hold_rate, missed: aim.max_miss_rate, missed_of };
    let new = search::search(&made_from[1], grounds, old, &bounds, &free);
    let after = everywhere(grounds, &new);

    let searched = [now, Outcome::of(&made_from[1], &after)];
    let kept_out = [Outcome::of(&kept_out[0], &before), Outcome::of(&kept_out[1], &after)];
    let reached = judged(&searched[1], aim, free.iter().copied());
    let judged = judged(&kept_out[1], aim, free.iter().copied());
    let apart = |(number, ground): (u16, &Ground)| {
        let own = || samples.list.iter().filter(move |sample| sample.ground == number);
        own().next()?;
        let outcome = |factors: &[f64], everywhere: &[[Thresholds; 3]]| {
            let scored: Vec<Scored> = own().map(|sample| Scored::of(sample, &caps, factors)).collect();
            Outcome::of(&scored, everywhere)
        };
        Some(Apart {
            site: ground.site.clone().filter(|_| ground.is_apart())?,
            own: Category::ALL.into_iter().filter(|category| ground.own[*category]).collect(),
            outcome: [outcome(&[], &before), outcome(&factors, &after)],
        })
    };
    let left_alone = |category| Some(LeftAlone { category, why: too_few[category].clone()? });
    Proposal {
        before: PerCategory::from_fn(|category| old[category as usize]),
        after: PerCategory::from_fn(|category| new[category as usize]),
        weights,
        left_alone: Category::ALL.into_iter().filter_map(left_alone).collect(),
        kept_out_since,
        decided_later,
        searched,
        kept_out,
        reaches: is_reached(&reached),
        holds_up: is_reached(&judged),
        judged,
        apart: (0..).zip(grounds).filter_map(apart).collect(),
    }
}

/// The first of the latest `part` of these moments, which are in order.
fn kept_out_since(all: impl Iterator<Item = Timestamp>, part: f64) -> Option<Timestamp> {
    let all: Vec<Timestamp> = all.collect();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a count of comments"
    )]
    let at = ((all.len() as f64) * (1.0 - part.clamp(0.0, 1.0))).round() as usize;
    all.get(at).copied()
}

/// Forgets what people decided since then, and says how often: whoever had proposed something at that moment would not have known it.
fn forget_later(samples: &mut [Sample], since: Timestamp) -> usize {
    let mut count = 0;
    for sample in samples.iter_mut().filter(|sample| sample.decided_at.is_some_and(|at| at >= since)) {
        sample.forget_decision();
        count += 1;
    }
    count
}

/// Why nothing is to be changed in a category that people rejected so many comments for; none when these are enough.
fn too_few(rejected: usize, aim: Aim) -> Option<String> {
    let at_worst = |rejected: usize| Share::new(0, u32::try_from(rejected).unwrap_or(u32::MAX)).interval[1];
    let (most, worst) = (aim.max_miss_rate.max(CERTAIN), at_worst(rejected));
    (worst > most).then(|| {
        let enough = (rejected..usize::MAX).find(|count| at_worst(*count) <= most).unwrap_or(usize::MAX);
        format!(
            "too few decisions to say what is missed: people rejected {rejected} comments for it; were none of them approved, up to {:.0} % might be. \
            It takes {enough}",
            worst * 100.0
        )
    })
}

#[cfg(test)]
mod tests;

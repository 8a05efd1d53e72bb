//! What thresholds make of comments, and whether that is what is wanted.

use serde::Serialize;

use super::sample::{Caps, Sample};
use super::{Aim, Thresholds};
use crate::domain::category::{Category, PerCategory};
use crate::domain::decision::Action;
use crate::domain::policy;
use crate::domain::reads::Share;
use crate::domain::scores::LogOdds;

/// What comments of a site are weighed by.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Which site, for one that has something of its own.
    pub site: Option<String>,
    /// The policy in force there: its own over the general one.
    pub policy: policy::Config,
    /// Whether the threshold to hold of a category is the site's own: it stays.
    pub own: PerCategory<bool>,
}

impl Ground {
    /// Whether it has thresholds of its own: the aim is not about its comments.
    pub(super) fn is_apart(&self) -> bool {
        Category::ALL.into_iter().any(|category| self.own[category])
    }

    /// Its thresholds in force.
    pub(super) fn thresholds(&self) -> [Thresholds; 3] {
        Category::ALL.map(|category| {
            let of = self.policy.category(category);
            Thresholds { hold: of.hold.get(), reject: of.reject.get() }
        })
    }
}

/// The thresholds of each ground when the first one has these: what is inherited goes with them.
pub(super) fn everywhere(grounds: &[Ground], first: &[Thresholds; 3]) -> Vec<[Thresholds; 3]> {
    let of = |(number, ground): (usize, &Ground)| {
        let mut thresholds = ground.thresholds();
        for (category, at) in Category::ALL.into_iter().zip(&mut thresholds) {
            if number == 0 || !ground.own[category] {
                at.hold = first[category as usize].hold;
            }
        }
        thresholds
    };
    grounds.iter().enumerate().map(of).collect()
}

/// What a comment comes to under some weights.
pub(super) struct Scored {
    pub scores: [f64; 3],
    /// What became of it whatever the scores were: a mode, a limit or a sanction decided.
    pub fixed: Option<Action>,
    pub person: Option<Action>,
    pub rejected_for: Option<Category>,
    pub ground: u16,
}

impl Scored {
    pub(super) fn of(sample: &Sample, caps: &[Caps], factors: &[f64]) -> Self {
        let sums = sample.reweighed(&caps[usize::from(sample.ground)], factors);
        let scores = sums.map(|sum| LogOdds::of(sum).probability().get());
        let Sample { fixed, person, rejected_for, ground, .. } = *sample;
        Self { scores, fixed, person, rejected_for, ground }
    }

    pub(super) fn fate(&self, everywhere: &[[Thresholds; 3]]) -> Action {
        if let Some(action) = self.fixed {
            return action;
        }
        let asked = self.scores.iter().zip(&everywhere[usize::from(self.ground)]).map(|(score, at)| {
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
    /// Approved, of what people rejected for a category.
    pub missed_of: PerCategory<Share>,
    /// Not approved, of what people approved.
    pub false_positives: Share,
}

impl Outcome {
    pub(super) fn of<'a>(samples: impl IntoIterator<Item = &'a Scored>, everywhere: &[[Thresholds; 3]]) -> Self {
        let (mut all, mut held) = (0, 0);
        let (mut welcome, mut unwelcome, mut stopped, mut missed) = (0, 0, 0, 0);
        let mut by_category = [(0, 0); 3];
        for sample in samples {
            let fate = sample.fate(everywhere);
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
                    if let Some(category) = sample.rejected_for {
                        let (missed, of) = &mut by_category[category as usize];
                        *missed += u32::from(fate == Action::Approve);
                        *of += 1;
                    }
                }
                Some(Action::Hold) | None => {}
            }
        }
        Self {
            held: Share::new(held, all),
            missed: Share::new(missed, unwelcome),
            missed_of: PerCategory::from_fn(|category| {
                let (missed, of) = by_category[category as usize];
                Share::new(missed, of)
            }),
            false_positives: Share::new(stopped, welcome),
        }
    }
}

/// The most that is allowed of each.
pub(super) struct Bounds {
    pub held: f64,
    pub missed: f64,
    pub missed_of: [f64; 3],
}

impl Bounds {
    /// By how much of what is allowed an outcome is beyond it; 0.0 when it is not. Where there was nothing to count, nothing is beyond.
    pub(super) fn beyond(&self, outcome: &Outcome) -> f64 {
        let beyond = |share: Share, most: f64| (share.rate.unwrap_or_default() - most).max(0.0) / most.max(1e-6);
        let of_categories = Category::ALL.into_iter().zip(self.missed_of);
        let of_categories = of_categories.map(|(category, most)| beyond(outcome.missed_of[category], most));
        beyond(outcome.held, self.held) + beyond(outcome.missed, self.missed) + of_categories.sum::<f64>()
    }
}

/// A part of what is wanted, and whether it is so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Judged {
    /// `held` or `missed`.
    pub what: &'static str,
    /// Of what people rejected for this; of all where there is none.
    pub category: Option<Category>,
    /// The most that is wanted.
    pub most: f64,
    /// What it is.
    pub share: Share,
    /// Whether that is so.
    pub answer: Answer,
}

/// Whether a share is within what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// With all of its interval.
    Met,
    /// As counted, and its interval reaches beyond.
    Unsure,
    /// It is not.
    Missed,
    /// There was nothing to count.
    Unknown,
}

impl Answer {
    fn of(share: Share, most: f64) -> Self {
        match share.rate {
            None => Self::Unknown,
            Some(rate) if rate > most => Self::Missed,
            Some(_) if share.interval[1] > most => Self::Unsure,
            Some(_) => Self::Met,
        }
    }
}

/// Whether an outcome is what is wanted, part by part; of `categories` each by itself, too.
pub(super) fn judged(outcome: &Outcome, aim: Aim, categories: impl Iterator<Item = Category>) -> Vec<Judged> {
    let of = |what, category, most, share| Judged { what, category, most, share, answer: Answer::of(share, most) };
    let whole =
        [of("held", None, aim.max_hold_rate, outcome.held), of("missed", None, aim.max_miss_rate, outcome.missed)];
    let each = categories.map(|one| of("missed", Some(one), aim.max_miss_rate, outcome.missed_of[one]));
    whole.into_iter().chain(each).collect()
}

/// What was not measured over all is not reached; of a category of which there was nothing, nothing was missed.
pub(super) fn is_reached(judged: &[Judged]) -> bool {
    judged.iter().all(|one| match one.answer {
        Answer::Met | Answer::Unsure => true,
        Answer::Missed => false,
        Answer::Unknown => one.category.is_some(),
    })
}

//! What is known of a comment: the sums of its frozen verdict, what in them could weigh otherwise, and what people decided.

use std::collections::HashMap;

use crate::domain::category::Category;
use crate::domain::decision::{Action, Adjustment, Status, Verdict};
use crate::domain::policy;
use crate::domain::recordings::{Recorded, Revision};
use crate::domain::rules::is_label;
use crate::domain::scores::LogOdds;
use crate::domain::store::{Happening, RulingCategory};
use crate::domain::time::Timestamp;

/// What a person decided, if that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ruled {
    /// To approve, or to reject.
    pub action: Action,
    /// For what.
    pub category: Option<RulingCategory>,
    /// When.
    pub at: Timestamp,
}

/// What a signal added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hit {
    /// Which signal.
    pub signal: u16,
    pub category: Category,
    pub weight: f32,
    /// Whether a bound on several signals takes from it: then it would add the same if it weighed a little more or less.
    pub is_cut: bool,
    /// Whether the site has settings of its own for it, which stay as they are.
    pub is_own: bool,
}

/// One comment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub at: Timestamp,
    /// Which of the [`Ground`](super::Ground)s it stands on.
    pub ground: u16,
    /// Log-odds by category, everything summed up.
    sums: [f64; 3],
    /// What combinations of signals added.
    added: [f32; 3],
    pub hits: Box<[Hit]>,
    /// What became of it whatever the scores were: a mode, a limit or a sanction decided.
    pub fixed: Option<Action>,
    pub person: Option<Action>,
    /// What it was rejected for; none when it was not, or when nobody can tell.
    pub rejected_for: Option<Category>,
    /// When a person decided.
    pub decided_at: Option<Timestamp>,
}

/// Comments, oldest first once they are sorted.
#[derive(Debug, Default)]
pub struct Samples {
    names: HashMap<String, u16>,
    pub(super) list: Vec<Sample>,
}

/// What a person decided about a comment, if that stands.
fn ruled(recorded: &Recorded) -> Option<Ruled> {
    let action = match (recorded.standing.by_person, recorded.standing.status) {
        (true, Status::Approved) => Action::Approve,
        (true, Status::Rejected) => Action::Reject,
        _ => return None,
    };
    let decision = Happening::in_force(&recorded.happenings).filter(|one| one.status == recorded.standing.status)?;
    Some(Ruled { action, category: decision.category, at: decision.at })
}

impl Samples {
    /// Adds a comment as it was recorded. `ground` is the number of that which its site stands on, and `own` says of which signals the site has
    /// settings of its own that are to stay.
    pub fn add(&mut self, recorded: &Recorded, ground: u16, own: &dyn Fn(&str) -> bool) {
        let ruled = ruled(recorded);
        // What sites learn from a decision speaks in every later revision of the comment: what counts is what was said before it.
        let was_said_before = |revision: &&Revision| ruled.is_none_or(|ruled| revision.at <= ruled.at);
        let Some(revision) = recorded.revisions.iter().rfind(was_said_before) else { return };
        if !revision.verdict.is_imported() {
            self.push(revision.at, &revision.verdict, ruled, ground, own);
        }
    }

    /// Adds a frozen verdict, and what a person decided.
    pub(super) fn push(
        &mut self,
        at: Timestamp,
        verdict: &Verdict,
        person: Option<Ruled>,
        ground: u16,
        own: &dyn Fn(&str) -> bool,
    ) {
        let exempt = |id: &str| verdict.adjustments.iter().any(|one| one.id.strip_prefix("exempt:") == Some(id));
        let live = verdict.signals.iter().filter(|signal| signal.counted() != LogOdds::ZERO && !exempt(&signal.id));
        let mut hits = Vec::new();
        for signal in live {
            let next = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
            let number = *self.names.entry(signal.id.to_string()).or_insert(next);
            let is_cut = verdict.adjustments.iter().any(|one| cuts(one, signal.category, &signal.id));
            #[expect(clippy::cast_possible_truncation, reason = "log-odds have four decimals")]
            let weight = signal.counted().get() as f32;
            hits.push(Hit { signal: number, category: signal.category, weight, is_cut, is_own: own(&signal.id) });
        }
        let sums = Category::ALL.map(|category| {
            let signals = verdict.signals.iter().filter(|signal| signal.category == category);
            let signals: f64 = signals.map(|signal| signal.counted().get()).sum();
            let adjusted = verdict.adjustments.iter().filter(|one| one.category == category);
            let adjusted: f64 = adjusted.map(|one| one.log_odds.get()).sum();
            verdict.prior[category].get() + signals + verdict.model.log_odds(category).get() + adjusted
        });
        let added = Category::ALL.map(|category| {
            let is_added = |one: &&Adjustment| {
                one.category == category && one.id.starts_with("composite:") && one.log_odds > LogOdds::ZERO
            };
            #[expect(clippy::cast_possible_truncation, reason = "log-odds have four decimals")]
            let added = verdict.adjustments.iter().filter(is_added).map(|one| one.log_odds.get() as f32).sum();
            added
        });
        let rejected = person.filter(|ruled| ruled.action == Action::Reject);
        let rejected_for = rejected.and_then(|ruled| match ruled.category {
            Some(RulingCategory::Spam) => Some(Category::Spam),
            Some(RulingCategory::OffTopic) => Some(Category::OffTopic),
            Some(RulingCategory::Abuse) => Some(Category::Abuse),
            Some(RulingCategory::Other) => None,
            None => verdict.category, // what it was held for, and nobody said otherwise
        });
        let is_set = verdict.causes.iter().any(|cause| !is_label(cause)); // a tag sets nothing
        let fixed = is_set.then_some(verdict.action);
        let (person, decided_at) = (person.map(|ruled| ruled.action), person.map(|ruled| ruled.at));
        let hits = hits.into();
        self.list.push(Sample { at, ground, sums, added, hits, fixed, person, rejected_for, decided_at });
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Every signal that counted anywhere, in the order of its number.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names = vec![""; self.names.len()];
        for (name, number) in &self.names {
            names[usize::from(*number)] = name;
        }
        names
    }
}

/// Whether a bound takes from what a signal says.
fn cuts(adjustment: &Adjustment, category: Category, signal: &str) -> bool {
    adjustment.category == category
        && adjustment.log_odds < LogOdds::ZERO
        && (adjustment.id == "cap:signals" || adjustment.signals.iter().any(|one| one == signal))
}

/// The bounds on what several signals add, as policy sets them.
pub(super) struct Caps {
    /// By category: who is meant, and the most that they add.
    shared: [Vec<(Vec<bool>, f64)>; 3],
    all: [f64; 3],
}

impl Caps {
    pub(super) fn of(policy: &policy::Config, names: &[&str]) -> Self {
        let members = |lists: &[&Vec<String>]| -> Vec<bool> {
            names.iter().map(|name| lists.iter().any(|list| list.iter().any(|member| member == name))).collect()
        };
        let shared = Category::ALL.map(|category| {
            let groups = policy.category(category).groups.values();
            let groups = groups.map(|group| (members(&[&group.signals]), group.max.get()));
            let composites = policy.composites.iter().filter(|one| one.category == category);
            let composites = composites.filter_map(|one| Some((members(&[&one.all, &one.any]), one.max?.get())));
            groups.chain(composites).collect()
        });
        Self { shared, all: Category::ALL.map(|category| policy.category(category).signals_max.get()) }
    }

    /// What a category's signals add when each weighs `factors` times as much.
    fn sum(&self, sample: &Sample, category: Category, factor: &dyn Fn(&Hit) -> f64) -> f64 {
        let of = |hit: &Hit| f64::from(hit.weight) * factor(hit);
        let hits = || sample.hits.iter().filter(|hit| hit.category == category);
        let mut sum: f64 = hits().map(of).sum();
        for (members, max) in &self.shared[category as usize] {
            let together: f64 = hits().filter(|hit| members[usize::from(hit.signal)]).map(of).sum();
            sum -= (together - max).max(0.0);
        }
        sum += f64::from(sample.added[category as usize]);
        sum - (sum - self.all[category as usize]).max(0.0)
    }
}

impl Sample {
    /// As if nobody had decided.
    pub(super) fn forget_decision(&mut self) {
        (self.person, self.rejected_for, self.decided_at) = (None, None, None);
    }

    /// Its log-odds when signals weigh `factors` times as much: as recorded, where each is one.
    pub(super) fn reweighed(&self, caps: &Caps, factors: &[f64]) -> [f64; 3] {
        let factor = |hit: &Hit| match factors.get(usize::from(hit.signal)) {
            Some(factor) if !hit.is_own => *factor,
            _ => 1.0,
        };
        Category::ALL.map(|category| {
            if !self.hits.iter().any(|hit| hit.category == category && (factor(hit) - 1.0).abs() > 0.0) {
                return self.sums[category as usize];
            }
            let (before, after) = (caps.sum(self, category, &|_| 1.0), caps.sum(self, category, &factor));
            self.sums[category as usize] + after - before
        })
    }

    /// Its log-odds as recorded.
    pub(super) const fn sum(&self, category: Category) -> f64 {
        self.sums[category as usize]
    }
}

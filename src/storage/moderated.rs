//! What the engines share about figures of how moderation goes: reckoning, over what each of them reads.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use crate::domain::decision::{Action, DecidedBy, Status, Verdict};
use crate::domain::figures::{Overturned, PeopleAgree};
use crate::domain::notices::Decided;
use crate::domain::reads::Share;
use crate::domain::scores::LogOdds;
use crate::domain::signal::{Mode, Outcome};

/// A comment in a ruling, by whatever names an engine's rows.
pub(super) struct Item<K> {
    pub comment: K,
    pub at: i64,
    pub action: Action,
    pub by: String,
    /// Whether the ruling was not taken back.
    pub stands: bool,
    pub held_at: Option<i64>,
}

/// The latest items of rulings that are looked at, of the sites asked about.
pub(super) const ITEMS: usize = 10_000;
/// Among how many of all sites they are looked for.
pub(super) const ITEMS_AMONG: i64 = 100_000;

/// Items of rulings, the latest first.
pub(super) struct Items<K> {
    pub items: Vec<Item<K>>,
    /// The moment of the latest one that was left out because there were too many.
    pub beyond: Option<i64>,
}

/// Whether people agree, by their decisions, the latest first. A decision taken back was said all the same.
pub(super) fn agreement<K: Copy + Eq + Hash>(items: &[Item<K>]) -> PeopleAgree {
    let mut later: HashMap<K, &Item<K>> = HashMap::new();
    let mut pairs = Vec::new();
    for item in items {
        if let Some(after) = later.insert(item.comment, item).filter(|after| after.by != item.by) {
            pairs.push((item.action, after.action));
        }
    }
    PeopleAgree::of(&pairs)
}

/// Counts one comment that a person decided, by what it was before.
pub(super) fn decided(sum: &mut Decided, action: Action, before: Option<Status>, by: DecidedBy) {
    let by_machine = by != DecidedBy::Person;
    match action {
        Action::Approve => {
            sum.approved += 1;
            sum.overturned += u64::from(by_machine && before != Some(Status::Approved));
        }
        Action::Reject => {
            sum.rejected += 1;
            sum.missed += u64::from(by_machine && before == Some(Status::Approved));
        }
        Action::Hold => {}
    }
}

/// Signals in verdicts of comments that people decided.
#[derive(Default)]
pub(super) struct Overruled {
    /// By signal: how many people approved, of how many.
    hits: BTreeMap<String, (u32, u32)>,
    looked_at: u32,
}

impl Overruled {
    pub(super) fn add(&mut self, verdict: &Verdict, is_approved: bool) {
        self.looked_at += 1;
        if verdict.action == Action::Approve {
            return;
        }
        let against = verdict.signals.iter().filter(|signal| {
            let is_hit = matches!(signal.outcome, Outcome::Hit { .. });
            // A rule that holds or rejects adds no weight: it stands among the causes.
            let is_cause = || verdict.causes.iter().any(|cause| cause.id == *signal.id);
            is_hit && signal.mode == Mode::Live && (signal.counted() > LogOdds::ZERO || is_cause())
        });
        for signal in against {
            let (approved, of) = self.hits.entry(signal.id.to_string()).or_default();
            *of += 1;
            *approved += u32::from(is_approved);
        }
    }

    /// Signals by how often people approved what they were against, most first; and how many verdicts were looked at.
    pub(super) fn shares(self) -> (Vec<Overturned>, u32) {
        let share = |(signal, (approved, of))| Overturned { signal, approved: Share::new(approved, of) };
        let mut signals: Vec<Overturned> = self.hits.into_iter().map(share).collect();
        signals.sort_by(|a, b| b.approved.rate.unwrap_or(0.0).total_cmp(&a.approved.rate.unwrap_or(0.0)));
        (signals, self.looked_at)
    }
}

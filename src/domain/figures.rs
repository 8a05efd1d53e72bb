//! How moderation goes, in figures: what came, what waits, how long people took, where they overrule the machine, and whether they agree.

use serde::Serialize;
use utoipa::ToSchema;

use super::decision::Action;
use super::reads::Share;
use super::time::Timestamp;

/// How moderation goes on the sites asked about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct Figures {
    /// Comments by the hour in which they arrived, oldest first. Hours without any are left out.
    pub hours: Vec<Hour>,
    /// Whether more comments came in that time than were counted: then the earliest hours are missing.
    pub is_cut: bool,
    /// What waits.
    pub queue: QueueAges,
    /// How long held comments waited for the decisions of the last seven days that stand.
    pub time_to_verdict: Waits,
    /// Signals by how often people approve what they were against, most first.
    pub signals: Vec<Overturned>,
    /// Comments decided by people that these shares are of: the latest ones.
    pub decided_looked_at: u32,
    /// Whether people agree with each other.
    pub agreement: PeopleAgree,
    /// People's decisions about comments that times and agreement are of: the latest ones, at most 10,000, of the latest 100,000 on all sites.
    pub decisions_looked_at: u32,
    /// Whether more was decided in the last seven days than that: then `time_to_verdict` leaves the earliest of them out.
    pub decisions_cut: bool,
}

/// What arrived in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Hour {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What they are now.
    pub now: ByStatus,
    /// What they were before a person first decided.
    pub first: ByStatus,
}

/// Comments by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ByStatus {
    /// Shown to readers.
    pub approved: u32,
    /// Waiting for a person.
    pub held: u32,
    /// Not shown.
    pub rejected: u32,
}

/// Ages of what waits, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct QueueAges {
    /// Comments that wait, drawn ones included.
    pub waiting: u32,
    /// The oldest.
    pub oldest_s: Option<u64>,
    /// Half are younger.
    pub median_s: Option<u64>,
    /// Nine in ten are younger.
    pub p90_s: Option<u64>,
}

/// Times from being held to a person's decision, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Waits {
    /// Comments.
    pub comments: u32,
    /// Half were faster.
    pub median_s: Option<u64>,
    /// Nine in ten were faster.
    pub p90_s: Option<u64>,
}

/// How often people approved what policy held or rejected and a signal was against.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Overturned {
    /// The signal.
    pub signal: String,
    /// Of its hits among comments that policy did not approve and a person decided, how many the person approved.
    pub approved: Share,
}

/// Whether two people who decided about the same comment said the same.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, ToSchema)]
pub struct PeopleAgree {
    /// Decisions about a comment that somebody else had decided before, each with the one before it.
    pub pairs: u32,
    /// Of those, how many said the same.
    pub agreed: u32,
    /// How often they agree, 0.0 to 1.0; null for fewer than [`PeopleAgree::ENOUGH`] pairs: too few.
    pub rate: Option<f64>,
    /// Cohen's kappa: 1.0 for always, 0.0 for as often as by chance. Null for too few, and where all decisions are alike.
    pub kappa: Option<f64>,
}

impl PeopleAgree {
    /// Pairs from which a rate means something.
    pub const ENOUGH: u32 = 20;

    /// Of pairs of decisions, the earlier first.
    #[must_use]
    pub fn of(pairs: &[(Action, Action)]) -> Self {
        let count = |wanted: &dyn Fn(&(Action, Action)) -> bool| {
            u32::try_from(pairs.iter().filter(|pair| wanted(pair)).count()).unwrap_or(u32::MAX)
        };
        let (all, agreed) = (count(&|_| true), count(&|(a, b)| a == b));
        if all < Self::ENOUGH {
            return Self { pairs: all, agreed, rate: None, kappa: None };
        }
        let share = |n: u32| f64::from(n) / f64::from(all);
        let first = share(count(&|(a, _)| *a == Action::Approve));
        let second = share(count(&|(_, b)| *b == Action::Approve));
        let by_chance = first * second + (1.0 - first) * (1.0 - second);
        let kappa = (by_chance < 1.0).then(|| (share(agreed) - by_chance) / (1.0 - by_chance));
        Self { pairs: all, agreed, rate: Some(share(agreed)), kappa }
    }
}

/// The value below which a share of `values` lies, 0.0 to 1.0; `None` of none. Sorts them.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a list"
)]
pub fn quantile(values: &mut [u64], share: f64) -> Option<u64> {
    values.sort_unstable();
    let place = (share * values.len() as f64).ceil() as usize;
    values.get(place.saturating_sub(1).min(values.len().saturating_sub(1))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_values() {
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(quantile(&mut [7], 0.9), Some(7));
        let mut values: Vec<u64> = (1..=10).rev().collect();
        assert_eq!((quantile(&mut values, 0.5), quantile(&mut values, 0.9)), (Some(5), Some(9)));
    }

    #[test]
    fn kappa_is_cohens() {
        use Action::{Approve, Reject};
        let times = |pair: (Action, Action), n: usize| vec![pair; n];
        // The example of Cohen's paper's kind: 20 + 15 agree, 5 + 10 do not; kappa 0.4.
        let pairs = [
            times((Approve, Approve), 20),
            times((Approve, Reject), 5),
            times((Reject, Approve), 10),
            times((Reject, Reject), 15),
        ];
        let agree = PeopleAgree::of(&pairs.concat());
        assert_eq!((agree.pairs, agree.agreed, agree.rate), (50, 35, Some(0.7)));
        assert!((agree.kappa.unwrap() - 0.4).abs() < 1e-9);
        let few = PeopleAgree::of(&times((Approve, Approve), 19));
        assert_eq!((few.pairs, few.rate, few.kappa), (19, None, None));
        assert_eq!(PeopleAgree::of(&times((Approve, Approve), 20)).kappa, None, "no chance to differ");
    }
}

//! What a person asks for when they sanction, and whether it can be.

use uuid::Uuid;

use crate::domain::comment::Invalid;
use crate::domain::sanction::{Measure, TargetKind};
use crate::domain::time::Timestamp;

/// Characters of a cause.
const CAUSE_MAX: usize = 500;
/// Hours that a new sanction looks back over.
const HOURS_MAX: u32 = 720;

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// On which site; `None` on all.
    pub site: Option<String>,
    /// What kind of thing it aims at.
    pub kind: TargetKind,
    /// Which one.
    pub aim: Aim,
    /// What it does.
    pub measure: Measure,
    /// Why.
    pub cause: String,
    /// Whether the banned one should go on seeing their own comments.
    pub shadow: bool,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// What of theirs is rejected at once.
    pub also_reject: Option<AlsoReject>,
}

/// What a sanction aims at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    /// This.
    Value(String),
    /// Whoever wrote that comment: people need not see an address to sanction it.
    Of(Uuid),
}

/// Which comments a new ban rejects, besides those to come. What a person approved stays approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlsoReject {
    /// What waits in the queue.
    pub held: bool,
    /// What was approved in the last so many hours.
    pub approved_hours: u32,
}

pub(super) fn check(order: &Order, value: &str, now: Timestamp) -> Result<(), Invalid> {
    let cause = order.cause.trim();
    let characters = cause.chars().count();
    if characters == 0 || characters > CAUSE_MAX || cause.chars().any(char::is_control) {
        return Err(Invalid::new("cause", format!("must be 1 to {CAUSE_MAX} printable characters")));
    }
    // The target is hashed so that lists and logs do not show it; the cause is shown.
    let is_personal = matches!(order.kind, TargetKind::Author | TargetKind::Network);
    if is_personal && value.chars().count() >= 4 && cause.to_lowercase().contains(&value.trim().to_lowercase()) {
        return Err(Invalid::new("cause", "must not repeat what the sanction aims at: that is stored as a hash only"));
    }
    if order.expires_at.is_some_and(|until| until <= now) {
        return Err(Invalid::new("expires_at", "must lie in the future"));
    }
    if order.shadow && order.measure != Measure::Ban {
        return Err(Invalid::new("shadow", "goes with a ban only"));
    }
    match order.also_reject {
        Some(_) if order.measure != Measure::Ban => Err(Invalid::new("also_reject", "goes with a ban only")),
        Some(also) if also.approved_hours > HOURS_MAX => {
            Err(Invalid::new("also_reject.approved_hours", format!("must be at most {HOURS_MAX}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_checked() {
        let order = |change: fn(&mut Order)| {
            let mut order = Order {
                site: None,
                kind: TargetKind::Network,
                aim: Aim::Value("203.0.113.9".to_owned()),
                measure: Measure::Ban,
                cause: "advertising".to_owned(),
                shadow: false,
                expires_at: None,
                also_reject: None,
            };
            change(&mut order);
            check(&order, "203.0.113.9", Timestamp::from_millis(1_000)).map_err(|error| error.field)
        };
        assert_eq!(order(|_| {}), Ok(()));
        assert_eq!(order(|order| order.cause = "  ".to_owned()), Err("cause"));
        assert_eq!(order(|order| order.cause = "x".repeat(501)), Err("cause"));
        assert_eq!(order(|order| order.cause = "spam from 203.0.113.9 again".to_owned()), Err("cause"));
        assert_eq!(order(|order| order.expires_at = Some(Timestamp::from_millis(1_000))), Err("expires_at"));
        assert_eq!(order(|order| order.expires_at = Some(Timestamp::from_millis(1_001))), Ok(()));
        let milder = |order: &mut Order| order.measure = Measure::Premoderate;
        assert_eq!(order(milder), Ok(()));
        assert_eq!(
            order(|order| {
                order.measure = Measure::Allow;
                order.shadow = true;
            }),
            Err("shadow")
        );
        let all = AlsoReject { held: true, approved_hours: 721 };
        assert_eq!(all.approved_hours, HOURS_MAX + 1);
        assert_eq!(
            order(|order| order.also_reject = Some(AlsoReject { held: true, approved_hours: 721 })),
            Err("also_reject.approved_hours")
        );
        assert_eq!(
            order(|order| {
                order.measure = Measure::Allow;
                order.also_reject = Some(AlsoReject { held: true, approved_hours: 0 });
            }),
            Err("also_reject")
        );
    }
}

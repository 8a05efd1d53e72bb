//! When operators hear of an alert: as it is raised, again while it goes on where they want that, when it is over, and of one thing not again before a
//! pause has passed, whatever it does meanwhile. Pure.

use crate::domain::notices::Alert;
use crate::domain::time::Timestamp;

/// How often operators hear of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Milliseconds after they were told before which they are not told anew; 0 for none: they hear of each alert.
    pub pause_ms: i64,
    /// Whether they are told again when an alert still stands after that.
    pub repeats: bool,
}

/// What is to be done about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Raise it; and tell operators.
    Raise {
        tell: bool,
    },
    /// It stands: tell operators, for the first time or again.
    Tell,
    /// Clear it; and tell operators.
    Clear {
        tell: bool,
    },
}

/// By the latest alert about it, and whether there is reason for one now.
pub(super) fn step(latest: Option<&Alert>, is_so: bool, pace: Pace, now: Timestamp) -> Step {
    let was_told_lately =
        |alert: &Alert| pace.pause_ms > 0 && alert.told_at.is_some_and(|told| now < told.plus_millis(pace.pause_ms));
    match (latest, is_so) {
        (Some(alert), true) if alert.stands() => {
            let waits = !alert.was_told() || pace.repeats;
            if waits && !was_told_lately(alert) { Step::Tell } else { Step::Nothing }
        }
        (latest, true) => Step::Raise { tell: !latest.is_some_and(was_told_lately) },
        (Some(alert), false) if alert.stands() => Step::Clear { tell: alert.was_told() },
        (_, false) => Step::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notices::AlertKind;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000)
    }

    fn alert(raised: i64, told: Option<i64>, cleared: Option<i64>) -> Alert {
        Alert {
            kind: AlertKind::QueueLate,
            about: "finance".to_owned(),
            facts: String::new(),
            raised_at: at(raised),
            told_at: told.map(at),
            cleared_at: cleared.map(at),
        }
    }

    #[test]
    fn one_hears_of_a_thing_once_in_a_while_and_when_it_is_over() {
        let told = |tell| (Step::Raise { tell }, Step::Clear { tell });
        let hours = |hours: i64| Pace { pause_ms: hours * 3_600_000, repeats: hours > 0 };
        let once = Pace { pause_ms: 4 * 3_600_000, repeats: false };
        for (case, latest, is_so, pace, now, expected) in [
            ("never late", None, false, hours(4), 0, Step::Nothing),
            ("late for the first time", None, true, hours(4), 0, told(true).0),
            ("still late", Some(alert(0, Some(0), None)), true, hours(4), 3, Step::Nothing),
            ("late for long", Some(alert(0, Some(0), None)), true, hours(4), 4, Step::Tell),
            ("told again, and still late", Some(alert(0, Some(4), None)), true, hours(4), 7, Step::Nothing),
            ("never told again", Some(alert(0, Some(0), None)), true, hours(0), 700, Step::Nothing),
            ("over", Some(alert(0, Some(0), None)), false, hours(4), 1, told(true).1),
            ("over for long", Some(alert(0, Some(0), Some(1))), false, hours(4), 9, Step::Nothing),
            ("late again soon", Some(alert(0, Some(0), Some(1))), true, hours(4), 2, told(false).0),
            ("late again soon, without a pause", Some(alert(0, Some(0), Some(1))), true, hours(0), 2, told(true).0),
            ("late again, and told in time", Some(alert(2, Some(0), None)), true, hours(4), 4, Step::Tell),
            (
                "late again, and over before anybody was told",
                Some(alert(2, Some(0), None)),
                false,
                hours(4),
                3,
                told(false).1,
            ),
            ("late again after long", Some(alert(0, Some(0), Some(1))), true, hours(4), 5, told(true).0),
            ("a wave that lasts", Some(alert(0, Some(0), None)), true, once, 700, Step::Nothing),
            ("another wave soon", Some(alert(0, Some(0), Some(1))), true, once, 2, told(false).0),
            (
                "another wave that nobody was told of, and lasts",
                Some(alert(2, Some(0), None)),
                true,
                once,
                4,
                Step::Tell,
            ),
            (
                "another wave that nobody was told of is over",
                Some(alert(2, Some(0), None)),
                false,
                once,
                3,
                told(false).1,
            ),
        ] {
            assert_eq!(step(latest.as_ref(), is_so, pace, at(now)), expected, "{case}");
        }
    }
}

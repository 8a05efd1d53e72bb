//! What becomes of an attempt: what an answer means, when to try again, and when to give up.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::Config;
use super::lanes::{End, Landed};
use super::post::{Answer, PostError};
use crate::domain::outbox::{Due, Settled};
use crate::domain::time::Timestamp;

/// What an attempt says of the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It has the message.
    Delivered,
    /// It is gone, and says so: nothing else will reach it either.
    Gone,
    /// It is down, busy or broken: try for days.
    Later,
    /// It does not want this message as it stands. Mostly a route, a secret or a proxy that somebody sets wrong and then mends, so it
    /// is tried for some hours; not for days, because what comes after it on the same comment waits behind it.
    Refused,
}

const fn meaning(status: u16) -> Meaning {
    match status {
        200..=299 => Meaning::Delivered,
        410 => Meaning::Gone,
        408 | 425 | 429 | 500..=599 => Meaning::Later,
        _ => Meaning::Refused,
    }
}

/// How an attempt ended, in the metrics' words.
#[must_use]
pub(super) const fn outcome(settled: &Settled) -> &'static str {
    match settled {
        Settled::Delivered => "delivered",
        Settled::Again { .. } => "again",
        Settled::Dead { .. } => "dead",
        Settled::Gone { .. } => "gone",
    }
}

/// A receiver that is down is asked at least that often, in milliseconds, whatever its notices' own pauses have grown to: what comes after
/// it is back should not wait for hours.
const MAX_REST_MS: i64 = 300_000;

/// What becomes of a notice that was sent to `url`, and what the attempt says of its receiver, which was down the last `failures` times. `chance` is from 0.0 to 1.0,
/// random.
pub(super) fn settle(
    config: &Config,
    due: &Due,
    (url, failures): (&str, u32),
    answer: &Result<Answer, PostError>,
    now: Timestamp,
    chance: f64,
) -> (Settled, Landed) {
    let (meaning, problem) = match answer {
        Ok(answer) => (meaning(answer.status), problem(answer.status)),
        Err(error @ PostError::Failed(_)) => (Meaning::Later, error.to_string()),
        Err(error @ PostError::Forbidden(_)) => (Meaning::Refused, error.to_string()),
    };
    let after = |from: Timestamp, hours: u32| from.plus_millis(i64::from(hours) * 3_600_000);
    let deadline = match meaning {
        Meaning::Delivered => return (Settled::Delivered, Landed { end: End::Took, pause: None }),
        Meaning::Gone => return (Settled::Gone { url: url.to_owned() }, Landed { end: End::Refused, pause: None }),
        Meaning::Later => after(due.not_before, config.give_up_h),
        // Counted from when it began to refuse: whoever is back after days may refuse once, and then take it. Both together end some time.
        Meaning::Refused => after(due.refused_since.unwrap_or(now), config.refused_give_up_h)
            .min(after(due.not_before, config.give_up_h.max(config.refused_give_up_h))),
    };
    let asked = answer.as_ref().ok().and_then(|answer| asked_for(answer, now)).map(|ms| ms.min(max_ms(config)));
    let pause = asked.map(|ms| now.plus_millis(ms));
    let failures = failures.saturating_add(1);
    let rest = rest_ms(config, failures, chance);
    let (end, rest) = match meaning {
        Meaning::Later => (End::Down { failures, until: now.plus_millis(rest) }, rest),
        _ => (End::Refused, 0),
    };
    let landed = Landed { end, pause };
    if now >= deadline {
        return (Settled::Dead { problem }, landed);
    }
    let delay = backoff_ms(config, due.attempts, chance).max(asked.unwrap_or(0)).max(rest);
    // The last attempt is made when the time is over, not some hours before.
    let again =
        Settled::Again { at: now.plus_millis(delay).min(deadline), problem, refused: meaning == Meaning::Refused };
    (again, landed)
}

fn max_ms(config: &Config) -> i64 {
    i64::from(config.backoff_max_s) * 1_000
}

/// Anything up to a ceiling that doubles: receivers that come back are not met by everybody at once.
fn backoff_ms(config: &Config, attempts: u32, chance: f64) -> i64 {
    let doublings = attempts.saturating_sub(1).min(30);
    let ceiling = (i64::from(config.backoff_ms) << doublings).min(max_ms(config));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "at most a day in milliseconds, times at most one"
    )]
    let delay = (ceiling as f64 * chance.clamp(0.0, 1.0)) as i64;
    delay
}

/// How long a receiver is left alone that was down so often in a row: between the half and the whole of a ceiling that doubles.
fn rest_ms(config: &Config, failures: u32, chance: f64) -> i64 {
    let ceiling = backoff_ms(config, failures, 1.0).min(MAX_REST_MS);
    ceiling / 2 + backoff_ms(config, failures, chance).min(ceiling) / 2
}

/// Milliseconds for which a busy receiver asks to be left alone: seconds, or a date.
fn asked_for(answer: &Answer, now: Timestamp) -> Option<i64> {
    if !matches!(answer.status, 429 | 503) {
        return None;
    }
    let text = answer.retry_after.as_ref()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(i64::from(seconds) * 1_000);
    }
    let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    let ms = i64::try_from(date.unix_timestamp_nanos() / 1_000_000).ok()?;
    Some(ms.saturating_sub(now.as_millis()).max(0))
}

/// What is said of a receiver that says that it is gone.
pub(super) fn gone() -> String {
    problem(410)
}

fn problem(status: u16) -> String {
    let why = match status {
        300..=399 => ", and redirects are not followed: set the address to which it leads",
        401 | 403 => ": it does not believe the signature, or something before it asks for more",
        410 => ": it is gone",
        404 | 405 => ": nothing takes webhooks at this address",
        413 => ": the message is too large for it",
        _ => "",
    };
    format!("the receiver answered {status}{why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::site::SiteId;
    use uuid::Uuid;

    const HOUR_MS: i64 = 3_600_000;
    const URL: &str = "https://news.example/hooks";

    fn due(attempts: u32) -> Due {
        Due {
            number: 1,
            message: Uuid::nil(),
            site: SiteId(1),
            attempts,
            until: Timestamp::EPOCH,
            not_before: Timestamp::EPOCH,
            refused_since: Some(Timestamp::EPOCH),
            callback: None,
            notice: None,
            damage: None,
        }
    }

    fn after(status: u16, retry_after: Option<&str>, attempts: u32, now_ms: i64) -> Settled {
        let answer = Ok(Answer { status, retry_after: retry_after.map(str::to_owned) });
        settle(&Config::default(), &due(attempts), (URL, 0), &answer, Timestamp::from_millis(now_ms), 1.0).0
    }

    #[test]
    fn answers_are_taken_by_their_meaning() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(after(status, None, 1, 0), Settled::Delivered, "{status}");
        }
        assert_eq!(after(410, None, 1, 0), Settled::Gone { url: URL.to_owned() });
        for (status, hours) in [
            (408, 72),
            (425, 72),
            (429, 72),
            (500, 72),
            (503, 72),
            (599, 72),
            (301, 6),
            (307, 6),
            (400, 6),
            (401, 6),
            (404, 6),
            (413, 6),
            (422, 6),
        ] {
            let last = after(status, None, 9, hours * HOUR_MS - 1);
            let end = Timestamp::from_millis(hours * HOUR_MS);
            assert!(matches!(last, Settled::Again { at, .. } if at == end), "{status}: {last:?}");
            assert!(matches!(after(status, None, 9, hours * HOUR_MS), Settled::Dead { .. }), "{status}");
        }
    }

    #[test]
    fn refusals_count_from_the_first_of_them() {
        let after = |since_h: Option<i64>, now_h: i64| {
            let refused_since = since_h.map(|hours| Timestamp::from_millis(hours * HOUR_MS));
            let due = Due { refused_since, ..due(20) };
            let (answer, now) =
                (Ok(Answer { status: 404, retry_after: None }), Timestamp::from_millis(now_h * HOUR_MS));
            settle(&Config::default(), &due, (URL, 0), &answer, now, 1.0).0
        };
        assert!(matches!(after(None, 20), Settled::Again { refused: true, .. }), "it was down until now");
        assert!(matches!(after(Some(20), 25), Settled::Again { .. }));
        assert!(matches!(after(Some(20), 26), Settled::Dead { .. }));
        assert!(matches!(after(None, 72), Settled::Dead { .. }), "not for ever");
    }

    #[test]
    fn what_never_answered_is_tried_for_days_and_what_is_forbidden_for_hours() {
        let end = |error: PostError, hours: i64| {
            let now = Timestamp::from_millis(hours * HOUR_MS);
            settle(&Config::default(), &due(3), (URL, 0), &Err(error), now, 0.0).0
        };
        let (failed, forbidden) = (PostError::Failed("no route".into()), PostError::Forbidden("private".into()));
        assert!(matches!(end(failed.clone(), 71), Settled::Again { problem, .. } if problem == "no route"));
        assert!(matches!(end(failed, 72), Settled::Dead { .. }));
        assert!(matches!(end(forbidden.clone(), 5), Settled::Again { .. }));
        assert_eq!(end(forbidden, 6), Settled::Dead { problem: "private".into() });
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_are_spread_out() {
        let config = Config::default();
        let ceilings: Vec<i64> = [1, 2, 3, 10, 13, 14, 1_000].map(|at| backoff_ms(&config, at, 1.0)).to_vec();
        assert_eq!(ceilings, [5_000, 10_000, 20_000, 2_560_000, 20_480_000, 21_600_000, 21_600_000]);
        assert_eq!((backoff_ms(&config, 3, 0.0), backoff_ms(&config, 3, 0.5)), (0, 10_000));
    }

    #[test]
    fn a_receiver_that_is_down_rests_longer_each_time_and_its_notices_with_it() {
        let now = Timestamp::from_millis(1_000);
        let after = |status: u16, failures: u32, chance: f64| {
            let answer = Ok(Answer { status, retry_after: None });
            settle(&Config::default(), &due(1), (URL, failures), &answer, now, chance)
        };
        for (failures, least, most) in
            [(0, 2_500, 5_000), (1, 5_000, 10_000), (5, 80_000, 160_000), (40, 150_000, 300_000)]
        {
            for (chance, rest) in [(0.0, least), (1.0, most)] {
                let (settled, landed) = after(503, failures, chance);
                let until = now.plus_millis(rest);
                assert_eq!(landed.end, End::Down { failures: failures + 1, until });
                assert!(matches!(settled, Settled::Again { at, .. } if at == until), "{settled:?}");
            }
        }
        assert_eq!(after(404, 3, 1.0).1.end, End::Refused, "it is there");
        assert_eq!(after(200, 3, 1.0).1.end, End::Took);
    }

    #[test]
    fn a_busy_receiver_is_left_alone_as_long_as_it_asks_within_bounds() {
        let at = |status: u16, text: &str| match after(status, Some(text), 1, 1_000_000) {
            Settled::Again { at, .. } => at.as_millis() - 1_000_000,
            other => panic!("{other:?}"),
        };
        assert_eq!(at(429, "120"), 120_000);
        assert_eq!(at(503, "Thu, 01 Jan 1970 00:20:00 GMT"), 200_000);
        assert_eq!(at(503, "Thu, 01 Jan 1970 00:00:00 GMT"), 5_000, "in the past");
        assert_eq!(at(503, "4294967295"), 21_600_000, "not for ever");
        assert_eq!(at(503, "soon"), 5_000);
        assert_eq!(at(503, "-1"), 5_000);
        assert_eq!(at(500, "120"), 5_000, "only where it means something");
    }
}

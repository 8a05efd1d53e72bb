//! Sending what is due, with pauses that grow, until it is accepted or given up. What became of a message is kept as soon as it is known, each by itself;
//! what the store could not keep is remembered here until it can, and nothing else is sent before.

use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::letter::{Letter, Mail, MailError};
use super::{Config, Notifier, TRY_MS};
use crate::app::outbox::post::{Message as Signed, Post};
use crate::app::signature;
use crate::domain::notices::{Channel, Message, Sending, TakenMessage};
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// Messages that are sent in one look at most.
const AT_ONCE: usize = 10;
/// Before the second try, in milliseconds; doubles with each further one.
const PAUSE_MS: i64 = 60_000;
/// Between two tries at most.
const PAUSE_MAX_MS: i64 = 3_600_000;
/// Before what became of a message is told to the store again, which could not keep it.
const KEEP_AGAIN: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1)];

/// How long to wait after that many failures.
pub(super) fn pause_ms(failures: u32) -> i64 {
    (PAUSE_MS << failures.saturating_sub(1).min(20)).min(PAUSE_MAX_MS)
}

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent {
    /// One sentence for operators.
    pub problem: String,
    /// Whether trying again is of no use.
    pub for_good: bool,
}

/// What names a message outside: the same for every try.
fn public_id(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Sends a message once.
///
/// # Errors
/// [`NotSent`].
pub async fn send(
    message: &Message,
    settings: &Config,
    (mail, post): (&dyn Mail, &dyn Post),
    now: Timestamp,
) -> std::result::Result<(), NotSent> {
    let id = public_id(&message.key);
    match message.channel {
        Channel::Mail => {
            let to = message.recipient.clone();
            if let Some(to) = to.as_ref().filter(|to| !settings.mail.to.contains(to)) {
                let problem = format!("{to} is not in notify.mail.to any more");
                return Err(NotSent { problem, for_good: true });
            }
            let letter = Letter {
                id,
                to,
                subject: message.subject.clone(),
                text: message.text.clone(),
                at_s: message.made_at.as_millis().div_euclid(1_000),
            };
            mail.send(letter).await.map_err(|error| NotSent {
                problem: error.to_string(),
                for_good: matches!(error, MailError::Refused(_)),
            })
        }
        Channel::Webhook => {
            let for_good = |problem: &str| NotSent { problem: problem.to_owned(), for_good: true };
            let secret =
                settings.webhook.secret.expose().ok_or_else(|| for_good("notify.webhook is not set up any more"))?;
            let url = Url::parse(&settings.webhook.url).map_err(|_| for_good("notify.webhook.url is no address"))?;
            let body = body(message).map_err(|_| for_good("the message is no JSON"))?;
            let headers = signature::headers(&[secret.to_owned()], id, now, &body)
                .map_err(|_| for_good("notify.webhook.secret is not `whsec_` and base64"))?;
            let not_now = |problem: String| NotSent { problem, for_good: false };
            let answer = post.post(Signed { url, headers, body }).await;
            match answer.map_err(|error| not_now(error.to_string()))?.status {
                200..=299 => Ok(()),
                410 => Err(for_good("the receiver answered 410: it is gone")),
                status => Err(not_now(format!("the receiver answered {status}"))),
            }
        }
    }
}

/// What a receiver of webhooks reads.
fn body(message: &Message) -> serde_json::Result<String> {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        r#type: &'a str,
        timestamp: Timestamp,
        subject: &'a str,
        data: &'a RawValue,
    }
    serde_json::to_string(&Body {
        r#type: &message.event,
        timestamp: message.made_at,
        subject: &message.subject,
        data: serde_json::from_str(&message.data)?,
    })
}

/// What follows from a try.
fn settle(
    taken: &TakenMessage,
    outcome: std::result::Result<(), NotSent>,
    settings: &Config,
    now: Timestamp,
) -> Sending {
    let Err(NotSent { problem, for_good }) = outcome else { return Sending::Sent { at: now } };
    let deadline = taken.message.made_at.plus_millis(i64::from(settings.give_up_h) * 3_600_000);
    if for_good || now >= deadline {
        return Sending::GivenUp { at: now, problem };
    }
    Sending::Again { at: now.plus_millis(pause_ms(taken.attempts)).min(deadline), problem }
}

/// Shows how sending goes.
pub(super) fn show(waiting: u64, failing: u64) {
    let count = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    metrics::gauge!("doorward_notify_waiting").set(count(waiting));
    metrics::gauge!("doorward_notify_failing").set(count(failing));
}

impl Notifier {
    /// Sends what is due.
    pub(super) async fn send_due(&self, settings: &Config, now: Timestamp) -> Result<()> {
        self.keep_unkept().await?;
        let due = self.store.messages_take(now, now.plus_millis(TRY_MS), AT_ONCE).await?;
        let tries = due.iter().map(async |taken| {
            let outcome = send(&taken.message, settings, (&*self.mail, &*self.post), now).await;
            let sending = settle(taken, outcome, settings, now);
            say(&taken.message, &sending);
            self.keep(&taken.message.key, sending).await
        });
        join_all(tries).await.into_iter().collect::<Result<()>>()?;
        let state = self.store.messages_state().await?;
        show(state.waiting, state.failing);
        Ok(())
    }

    /// Keeps what became of a message. The store may be away for a moment, and would give it out again: it is told once more after short pauses, and
    /// what it could not keep then is remembered.
    async fn keep(&self, key: &str, sending: Sending) -> Result<()> {
        for pause in KEEP_AGAIN {
            let Err(error) = self.store.message_settle(key, &sending).await else { return Ok(()) };
            not_kept(key, &error);
            tokio::time::sleep(pause).await;
        }
        let kept = self.store.message_settle(key, &sending).await;
        if kept.is_err() {
            self.unkept.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), sending);
        }
        kept
    }

    /// Keeps what could not be kept.
    async fn keep_unkept(&self) -> Result<()> {
        let unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (key, sending) in unkept {
            self.store.message_settle(&key, &sending).await?;
            self.unkept.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
        Ok(())
    }
}

fn not_kept(key: &str, error: &StoreError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(message = key, error, "what became of a message to operators could not be kept");
}

/// Says what became of a try, in the log and in figures.
fn say(message: &Message, sending: &Sending) {
    let Message { key, channel, event, .. } = message;
    let channel = channel.name();
    let word = match sending {
        Sending::Sent { .. } => {
            tracing::info!(message = key, channel, event, "operators were told");
            "sent"
        }
        Sending::Again { problem, at } => {
            tracing::warn!(message = key, channel, problem, again_at = %at, "operators could not be told");
            "again"
        }
        Sending::GivenUp { problem, .. } => {
            tracing::error!(message = key, channel, problem, "operators could not be told, and will not be");
            "given-up"
        }
    };
    metrics::counter!("doorward_notify_total", "channel" => channel, "outcome" => word).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(attempts: u32) -> TakenMessage {
        let message = Message {
            key: "digest:2026-11-24:mail".to_owned(),
            channel: Channel::Mail,
            recipient: None,
            event: "digest".to_owned(),
            subject: "A subject".to_owned(),
            text: String::new(),
            data: "{\"a\":1}".to_owned(),
            made_at: Timestamp::EPOCH,
        };
        TakenMessage { message, attempts }
    }

    #[test]
    fn pauses_grow_and_end_with_the_time_to_give_up() {
        let hour = 3_600_000;
        let failed = |for_good| Err(NotSent { problem: "no answer".to_owned(), for_good });
        for (case, attempts, now_ms, outcome, expected_ms) in [
            ("first", 1, 0, failed(false), Some(60_000)),
            ("second", 2, 60_000, failed(false), Some(180_000)),
            ("tenth", 10, hour, failed(false), Some(2 * hour)),
            ("near the end", 30, 24 * hour - 5, failed(false), Some(24 * hour)),
            ("the end", 31, 24 * hour, failed(false), None),
            ("refused", 1, 0, failed(true), None),
        ] {
            let now = Timestamp::from_millis(now_ms);
            let again = match settle(&taken(attempts), outcome, &Config::default(), now) {
                Sending::Again { at, .. } => Some(at.as_millis()),
                Sending::GivenUp { .. } => None,
                Sending::Sent { .. } => panic!("{case}: it failed"),
            };
            assert_eq!(again, expected_ms, "{case}");
        }
    }

    #[test]
    fn a_message_has_the_same_name_at_every_try_and_no_other_has_it() {
        assert_eq!(public_id("a:mail"), public_id("a:mail"));
        assert_ne!(public_id("a:mail"), public_id("a:webhook"));
        assert_eq!(public_id("a:mail").len(), 32);
        let read: serde_json::Value = serde_json::from_str(&body(&taken(1).message).unwrap()).unwrap();
        let expected = serde_json::json!({"type": "digest", "timestamp": "1970-01-01T00:00:00Z", "subject": "A subject", "data": {"a": 1}});
        assert_eq!(read, expected);
    }
}

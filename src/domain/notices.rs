//! What operators are told: alerts that stand until what they are about is over, and messages about them, each put once and kept until it is sent.

use async_trait::async_trait;
use serde::Serialize;
use utoipa::ToSchema;

use super::store::Result;
use super::time::Timestamp;
use super::waves::Pressure;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// The oldest item of a queue has passed the queue's level.
    QueueLate,
    /// Far more comments than usual are held or rejected on a site.
    Wave,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::QueueLate, Self::Wave];

    /// As it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueLate => "queue-late",
            Self::Wave => "wave",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The latest alert of a kind about one thing. There is one at most, standing or cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: AlertKind,
    /// The queue's, or the site's, name.
    pub about: String,
    /// What was known when it was last looked at that was told: JSON.
    pub facts: String,
    /// Since when it stands, or stood.
    pub raised_at: Timestamp,
    /// When operators were last told of such an alert about this: of this one, or of one before it.
    pub told_at: Option<Timestamp>,
    /// When it was over.
    pub cleared_at: Option<Timestamp>,
}

impl Alert {
    /// Whether it is not over.
    #[must_use]
    pub const fn stands(&self) -> bool {
        self.cleared_at.is_none()
    }

    /// Whether operators were told of this one, not only of one before it.
    #[must_use]
    pub fn was_told(&self) -> bool {
        self.told_at.is_some_and(|told| told >= self.raised_at)
    }
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// By e-mail.
    Mail,
    /// By webhook.
    Webhook,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Mail, Self::Webhook];

    /// As it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

/// A message to operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Names it: what it is about, of which moment, which way and to whom. Of one name there is one message.
    pub key: String,
    /// Which way it goes.
    pub channel: Channel,
    /// Whom an e-mail goes to, as the settings write it: each recipient has a message of their own, so that what one's server refuses keeps nothing
    /// from the others. None for webhooks, and for what was put before messages were parted so: that goes to everybody.
    pub recipient: Option<String>,
    /// Its type, as receivers of webhooks see it.
    pub event: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// What it says, for programs: JSON.
    pub data: String,
    /// When it was put.
    pub made_at: Timestamp,
}

/// A message taken to be sent, and how often that was tried, this time included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenMessage {
    /// The message.
    pub message: Message,
    /// Tries so far.
    pub attempts: u32,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// It was accepted.
    Sent {
        /// When.
        at: Timestamp,
    },
    /// It will be tried again.
    Again {
        /// When.
        at: Timestamp,
        /// Why it failed.
        problem: String,
    },
    /// It will not be tried again.
    GivenUp {
        /// When.
        at: Timestamp,
        /// Why it failed.
        problem: String,
    },
}

/// A message, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMessage {
    /// The message.
    pub message: Message,
    /// Tries so far.
    pub attempts: u32,
    /// When it will be tried next; none when it was sent or given up.
    pub next_at: Option<Timestamp>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// When it was given up.
    pub given_up_at: Option<Timestamp>,
    /// Why the last try failed.
    pub problem: Option<String>,
}

/// How sending goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendingState {
    /// Messages that wait or are on their way.
    pub waiting: u64,
    /// Of those, how many were tried and failed.
    pub failing: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Timestamp>,
    /// Messages that were given up and are still kept.
    pub given_up: u64,
    /// Why the latest of those that failed did.
    pub problem: Option<String>,
}

/// What people decided in some time, of rulings that stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Decided {
    /// Comments approved.
    pub approved: u64,
    /// Comments rejected.
    pub rejected: u64,
    /// Of those approved, what the machine had held or rejected.
    pub overturned: u64,
    /// Of those rejected, what the machine had approved.
    pub missed: u64,
}

/// The part of the Store port that remembers alerts and messages.
#[async_trait]
pub trait Notices: Send + Sync {
    /// The latest alert about each thing, those that stand first, then those raised last.
    async fn alerts(&self) -> Result<Vec<Alert>>;
    /// Raises an alert, in one commit with `messages`. Where one about the same stands already nothing changes, and the answer is false. With `told`
    /// operators count as told now; otherwise it stays with the alert before it.
    async fn alert_raise(
        &self,
        kind: AlertKind,
        about: &str,
        facts: &str,
        told: bool,
        at: Timestamp,
        messages: &[Message],
    ) -> Result<bool>;
    /// Tells again of an alert that stands, in one commit with `messages`. False, and nothing changed, when it is over, or was told of at another
    /// moment than `before`.
    async fn alert_tell(
        &self,
        kind: AlertKind,
        about: &str,
        facts: &str,
        before: Option<Timestamp>,
        at: Timestamp,
        messages: &[Message],
    ) -> Result<bool>;
    /// Says that what an alert is about is over, in one commit with `messages`. False, and nothing changed, where none stands.
    async fn alert_clear(&self, kind: AlertKind, about: &str, at: Timestamp, messages: &[Message]) -> Result<bool>;
    /// Puts messages; of those whose keys are known already, none. How many were put.
    async fn messages_put(&self, messages: &[Message]) -> Result<usize>;
    /// Whether a message of that key was put, and is still kept.
    async fn message_is_known(&self, key: &str) -> Result<bool>;
    /// Takes messages that are due, oldest first. Until `until` nobody else is given them; if nothing is said of them by then, they are due again.
    async fn messages_take(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<Vec<TakenMessage>>;
    /// Keeps what became of a try. What was sent stays sent.
    async fn message_settle(&self, key: &str, sending: &Sending) -> Result<()>;
    /// The latest messages, latest first.
    async fn messages_lately(&self, most: usize) -> Result<Vec<SeenMessage>>;
    /// How sending goes.
    async fn messages_state(&self) -> Result<SendingState>;
    /// Forgets messages that were sent or given up, and alerts that were over, before that moment.
    async fn notices_prune(&self, before: Timestamp) -> Result<()>;
    /// Comments that came from `from` on and before `until` and were held or rejected, or that a person decided, by site. Of more than `most` comments,
    /// whatever became of them, only those are looked at that came after the latest that lies beyond: [`Pressure::since`] says from when on.
    async fn pressure(&self, from: Timestamp, until: Timestamp, most: u32) -> Result<Pressure>;
    /// What people decided since then.
    async fn decided_since(&self, since: Timestamp) -> Result<Decided>;
}

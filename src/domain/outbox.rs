//! What sites have yet to be told, and what becomes of it.
//!
//! A notice is written in the commit of what it tells of. It is sent at least once, in order for each comment, and kept until the site
//! has it or has refused it; what could not be delivered stays as a dead letter that can be sent again.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::appeal::AppealState;
use super::decision::Record;
use super::site::SiteId;
use super::store::{ListError, Page, PageRequest, Result, RulingCategory};
use super::time::Timestamp;

/// To whom a notice goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// To the site's webhook.
    Webhook,
    /// To the address that came with the comment.
    Callback,
}

/// Something that a site is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// A comment's status changed; the record as it was then.
    Status {
        /// The comment in that version.
        record: Box<Record>,
        /// The person's ruling that changed it, if one did.
        ruling: Option<RulingTold>,
    },
    /// A comment was erased by somebody else than the site itself.
    Erased {
        /// The site's name for it.
        id: String,
        /// Ours.
        uid: Uuid,
    },
    /// An appeal was opened or answered.
    Appeal {
        /// Our name for it.
        appeal: Uuid,
        /// What it is now.
        state: AppealState,
        /// What the author may be told.
        answer: Option<String>,
        /// The comment as it was then.
        record: Box<Record>,
    },
}

/// What a site may be told of a person's ruling: not who, and not the note for colleagues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RulingTold {
    /// Its id.
    pub id: Uuid,
    /// Why, as a category.
    pub category: Option<RulingCategory>,
    /// A reason that the author may be told.
    pub reason: Option<String>,
}

/// A notice on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Its number; smaller is older.
    pub number: i64,
    /// Its name in `webhook-id`: the same for every attempt.
    pub message: Uuid,
    /// The site.
    pub site: SiteId,
    /// Attempts, this one included.
    pub attempts: u32,
    /// Until when nobody else gets it.
    pub until: Timestamp,
    /// From when it could have been sent.
    pub not_before: Timestamp,
    /// Since when the receiver has done nothing but refuse it.
    pub refused_since: Option<Timestamp>,
    /// Where to, when it does not go to the site's webhook.
    pub callback: Option<String>,
    /// What to tell; `None` when it can no longer be said, because the comment is gone or because of `damage`.
    pub notice: Option<Notice>,
    /// Why what is stored of it cannot be read, when it cannot: it is given up, where people see it, and what comes after it goes on.
    pub damage: Option<String>,
}

impl Due {
    /// The attempt that was begun when it was taken.
    #[must_use]
    pub const fn attempt(&self) -> Attempt {
        Attempt { number: self.number, until: self.until }
    }
}

/// One attempt at a notice. Whoever comes back after its time says nothing of the attempt that somebody else has begun since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The notice's number.
    pub number: i64,
    /// Until when it was taken.
    pub until: Timestamp,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The site has it.
    Delivered,
    /// Try again at that moment.
    Again {
        /// When.
        at: Timestamp,
        /// What went wrong, for operators.
        problem: String,
        /// Whether the receiver refused it.
        refused: bool,
    },
    /// Given up.
    Dead {
        /// Why, for operators.
        problem: String,
    },
    /// The receiver is gone: given up, with everything else for this site. Where the site has another address by now, it is tried there at once.
    Gone {
        /// The address that was tried.
        url: String,
    },
}

/// What is on its way to a site, or could not be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Letter {
    /// Its name in `webhook-id`.
    pub id: Uuid,
    /// The site.
    pub site: String,
    /// What it tells, as in `comment.approved`; `unreadable` when what is stored of it is damaged.
    #[serde(rename = "type")]
    pub kind: String,
    /// The comment.
    pub uid: Option<Uuid>,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is sent (again); null for a dead letter.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// Since when it is given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub dead_at: Option<Timestamp>,
    /// What went wrong last.
    pub problem: Option<String>,
}

/// Which letters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LetterFilter {
    /// Of that site only.
    pub site: Option<String>,
    /// Dead letters only.
    pub dead: bool,
    /// Only these.
    pub ids: Option<Vec<Uuid>>,
    /// Of these sites only, by name: the reach of whoever asks.
    pub within: Option<Vec<String>>,
}

/// How it stands with what sites have yet to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxState {
    /// Notices that wait or are on their way.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
    /// From when the oldest that waits could have been sent.
    pub oldest: Option<Timestamp>,
}

/// A receiver and the secrets that messages to it are signed with, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The site's name, which its secrets are sealed for.
    pub name: String,
    /// Its address; `None` when the site has none.
    pub url: Option<String>,
    /// The secret, sealed.
    pub secret: Vec<u8>,
    /// The secret before, sealed, as long as it is valid.
    pub secret_before: Option<Vec<u8>>,
}

/// The part of the Store port that delivers.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Done when this process has written something to be told since this was last done. What other processes write is not noticed.
    async fn outbox_news(&self);
    /// Sites that have notices which may be sent now.
    async fn outbox_sites(&self, now: Timestamp) -> Result<Vec<SiteId>>;
    /// Takes at most `most` notices of a site that may be sent now, those due longest first and one for each comment, until `until`: nobody else gets
    /// them before. Each counts as attempted from here on, even if this process dies before it sends them. None, when somebody who sends dead letters
    /// again stands in the way for a moment.
    async fn outbox_take(&self, site: SiteId, most: usize, now: Timestamp, until: Timestamp) -> Result<Vec<Due>>;
    /// Sites of which somebody waits to be called back now.
    async fn callback_sites(&self, now: Timestamp) -> Result<Vec<SiteId>>;
    /// As [`Self::outbox_take`], of those that wait to be called back. Webhooks and callbacks of one comment do not wait for one another.
    async fn callback_take(&self, site: SiteId, most: usize, now: Timestamp, until: Timestamp) -> Result<Vec<Due>>;
    /// Notes what became of attempts to tell a site something, in one commit. That the site has it counts however late it is said; anything else
    /// only as long as nobody else has taken the notice.
    async fn outbox_settle(&self, site: SiteId, settled: Vec<(Attempt, Settled)>, now: Timestamp) -> Result<()>;
    /// Where a site's notices go.
    async fn outbox_receiver(&self, site: SiteId, now: Timestamp) -> Result<Option<Receiver>>;
    /// What waits and what is dead, newest first.
    async fn outbox_list(
        &self,
        filter: &LetterFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Letter>, ListError>;
    /// Puts dead letters back on their way, and says how many. A receiver that was gone counts as there again. Some hundreds in each commit, so that
    /// nobody waits for long: after an error a part of them is on its way, and the same again goes on with the rest.
    async fn outbox_resend(&self, filter: &LetterFilter, now: Timestamp) -> Result<u64>;
    /// Drops dead letters given up before that moment, and says how many.
    async fn outbox_prune(&self, before: Timestamp) -> Result<u64>;
    /// How it stands.
    async fn outbox_state(&self) -> Result<OutboxState>;
}

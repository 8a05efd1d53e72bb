//! The Store port: what must be remembered, in whole operations.
//!
//! Each method is one transaction. What a method has acknowledged survives `kill -9` and power loss. No method scores,
//! waits for the network or calls back. Engines: `storage::sqlite` (one machine), `storage::postgres` (several). The suite in
//! `tests/storage/suite.rs` is written against this trait and runs on every engine.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::akismet::Akismet;
use super::appeal::{AppealState, Appeals};
use super::campaign::{Campaigns, Membership};
use super::comment::{Article, ExternalId, NewComment};
use super::decision::{Action, Actor, DecidedBy, Record, Status, Verdict};
use super::history::{AuthorPast, Standing};
use super::imports::Imports;
use super::learning::{Learning, Lot};
use super::nodes::Nodes;
use super::notices::Notices;
use super::outbox::Outbox;
use super::people::{Person, Reach, Role};
use super::privacy::Privacy;
pub use super::queue::{AuthorKind, Claim, QueueFilter, QueueItem, QueuePage, QueueSort, QueueSum};
use super::readers::{ReaderView, Readers};
use super::reads::Reads;
use super::recordings::Recordings;
use super::retention::{Expired, Expiry};
use super::sanction::{Effect, Sanction, Sanctions};
use super::search::Search;
use super::session::Sessions;
use super::site::{Scope, Site, SiteId};
use super::time::Timestamp;
use super::trace::Trace;
use super::truth::Verdicts;
use super::versions::Versions;

/// Why the store could not do it. Nothing was changed, except where `Unavailable` says that it cannot know.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Locked, full, read-only or gone. The operation may or may not have happened: the same call again is safe.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Everything was moved to another database, there; nothing more is taken here. It certainly did not happen.
    #[error("everything was moved to {0}; this database takes nothing more")]
    Moved(String),
    /// What is stored cannot be read: a damaged file, or rows of a newer version.
    #[error("what is stored cannot be read: {0}")]
    Corrupt(String),
}

/// What every store method answers.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A hash of everything that makes two submissions the same: the comment's content as sent (author, article id, parent,
/// body, format), not how or when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContentHash(pub u128);

/// A judged comment, to be stored.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The site.
    pub site: Arc<Site>,
    /// The comment as sent.
    pub comment: NewComment,
    /// Its content's hash.
    pub content: ContentHash,
    /// Its fingerprints, kept for the history.
    pub trace: Trace,
    /// What is to be known of its article from now on, when the site sent details that differ from what was known.
    pub article: Option<Article>,
    /// The verdict.
    pub verdict: Verdict,
    /// The status that follows (moderation mode included).
    pub status: Status,
    /// Who decided.
    pub decided_by: DecidedBy,
    /// Place in the queue when held: higher comes first, 0.0 to 1.0.
    pub priority: f64,
    /// The text's language when it is known (article's or detected), for queue filters.
    pub lang: Option<String>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The sanction that decided, and what would have become of the comment without it.
    pub effect: Option<Effect>,
    /// The campaign that it belongs to.
    pub membership: Option<Membership>,
    /// Whether the site has to be told, because nobody there reads the answer to this request.
    pub tell: bool,
    /// The chance that a person looks at it although the verdict was automatic; `None` for none.
    pub lot: Option<Lot>,
    /// Where somebody wants to be called back when its status changes.
    pub callback: Option<String>,
}

/// What became of a comment that was to be stored.
#[derive(Debug, Clone)]
pub enum Recording {
    /// Stored just now.
    New(Record),
    /// Known already, with the same content: here is what is recorded.
    Repeat(Record),
    /// Known already, with other content. Nothing was changed.
    Conflict,
}

/// Which comments to list. All given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CommentFilter {
    /// Of that status.
    pub status: Option<Status>,
    /// Under that article (the site's id).
    pub article: Option<String>,
    /// By that author (the site's id).
    pub author: Option<String>,
    /// Something happened to it at or after that moment.
    pub updated_since: Option<Timestamp>,
    /// On which the person who asks works.
    pub reach: Reach,
    /// Whether what waits for a person counts as held, whatever the site knows of it.
    pub as_people_see: bool,
}

/// A keyset page. `cursor` is what the last page's `next_cursor` said; engines give it its form and check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// At most that many items, 1 to 500.
    pub limit: usize,
    /// Where to go on; `None` for the first page.
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end. A page may hold fewer items than asked and still go on.
    pub next_cursor: Option<String>,
}

/// Why a cursor was refused, or the list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The cursor is not one of ours.
    #[error("cursor: is not one that this service gave out")]
    BadCursor,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which version of which comment somebody saw when deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seen {
    /// The comment.
    pub uid: Uuid,
    /// Its version on the screen.
    pub seen_version: u32,
}

/// A person's ruling on one or many comments.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling {
    /// What, and in which version.
    pub items: Vec<Seen>,
    /// Approve or reject.
    pub action: Action,
    /// Why, as a category; `other` is [`RulingCategory::Other`].
    pub category: Option<RulingCategory>,
    /// A reason that the author may be told.
    pub reason: Option<String>,
    /// A note for colleagues.
    pub note: Option<String>,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// The comments that this person may decide about.
    pub reach: Reach,
    /// From when the site may be told: after that, taking the ruling back is news of its own.
    pub tell_at: Timestamp,
}

/// Why a person rejected (or approved in spite of a category).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RulingCategory {
    /// Unsolicited promotion.
    Spam,
    /// Nothing to do with the page.
    OffTopic,
    /// Attacks on people.
    Abuse,
    /// Something else; the reason says what.
    Other,
}

impl RulingCategory {
    const ALL: [Self; 4] = [Self::Spam, Self::OffTopic, Self::Abuse, Self::Other];

    /// Its name on the wire and in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::OffTopic => "off-topic",
            Self::Abuse => "abuse",
            Self::Other => "other",
        }
    }

    /// The one of that name.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`]: there is none.
    pub fn stored(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|category| category.name() == name);
        found.ok_or_else(|| StoreError::Corrupt(format!("a category {name}")))
    }
}

/// What became of a ruling, or of taking one back.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruled {
    /// The ruling's id (UUID v7).
    pub decision: Uuid,
    /// What was changed, as it is now, with its trace.
    pub applied: Vec<(Record, Trace)>,
    /// What somebody else changed meanwhile, as it is now. Left alone.
    pub conflicts: Vec<Record>,
    /// What does not exist, or lies outside the person's reach. Left alone.
    pub missing: Vec<Uuid>,
}

/// Why a ruling could not be taken back.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// There is none of that id (or it lies outside the person's reach).
    #[error("no decision of that id")]
    NotFound,
    /// Everything of it within the reach was taken back before.
    #[error("this decision was taken back already")]
    AlreadyUndone,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One thing that happened to a comment, oldest first in its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// The version that it led to.
    pub version: u32,
    /// What.
    pub kind: HappeningKind,
    /// The status that followed.
    pub status: Status,
    /// Who decided that status.
    pub decided_by: DecidedBy,
    /// The ruling, for `decided` and `undone`.
    pub decision: Option<Uuid>,
    /// The ruling's category.
    pub category: Option<RulingCategory>,
    /// The ruling's reason.
    pub reason: Option<String>,
    /// The ruling's note.
    pub note: Option<String>,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

impl Happening {
    /// The last decision that nobody took back.
    #[must_use]
    pub fn in_force(history: &[Self]) -> Option<&Self> {
        let of = |kind| history.iter().filter(move |one| one.kind == kind);
        let is_undone = |decided: &&Self| of(HappeningKind::Undone).any(|undone| undone.decision == decided.decision);
        of(HappeningKind::Decided).rfind(|decided| !is_undone(decided))
    }
}

/// What may happen to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HappeningKind {
    /// It arrived and was judged.
    Received,
    /// Its text changed and was judged again.
    Edited,
    /// A person decided.
    Decided,
    /// A person's decision was taken back.
    Undone,
    /// Readers reported it, and it waits for a person again.
    Reported,
    /// The sanction that had decided about it was lifted.
    Lifted,
}

/// Where a comment stands, as far as people's reach depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The site, by name.
    pub site: Arc<str>,
    /// The article's section.
    pub section: Option<String>,
    /// The text's language.
    pub lang: Option<String>,
}

impl Place {
    /// Whether somebody with that reach works there.
    #[must_use]
    pub fn lies_within(&self, reach: &Reach) -> bool {
        reach.covers(&self.site, self.section.as_deref(), self.lang.as_deref())
    }
}

/// What the record of who did what is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditCheck {
    /// Every line is there, in its place, and says what it said.
    Whole {
        /// Lines.
        lines: u64,
        /// The hash of the last, in hexadecimal: written down elsewhere, it proves later that nothing before it was changed.
        head: String,
    },
    /// The first line where something is wrong.
    Broken {
        /// Its number.
        line: i64,
        /// What is wrong.
        problem: String,
    },
    /// It is whole in itself, and not the one whose hash was written down: it was written anew from some line on.
    Another {
        /// Lines.
        lines: u64,
        /// The hash of the last, in hexadecimal.
        head: String,
    },
}

/// Which lines of the record of who did what. All given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Whose action begins with that, as in `decision` or `site.`.
    pub action: Option<String>,
    /// By that site or person, by name.
    pub by: Option<String>,
    /// To that, as in a uid or a name.
    pub subject: Option<String>,
    /// At or after that moment.
    pub since: Option<Timestamp>,
    /// Before that moment.
    pub until: Option<Timestamp>,
    /// In whose subject or detail that stands; ASCII letters of either case.
    pub q: Option<String>,
}

/// Everything that is kept of one comment, for its author.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The comment as it is now.
    pub record: Record,
    /// Everything that happened to it.
    pub history: Vec<Happening>,
    /// Its earlier revisions as they were sent, oldest first.
    pub earlier: Vec<NewComment>,
    /// Appeals against rejections of it, oldest first.
    pub appeals: Vec<KeptAppeal>,
    /// Reports and votes of readers on it.
    pub readers: ReaderView,
}

/// What is kept of an appeal, for the comment's author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAppeal {
    /// Our name for it.
    pub uid: Uuid,
    /// What it is now.
    pub state: AppealState,
    /// What the author said.
    pub text: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What the author may be told.
    pub answer: Option<String>,
}

/// Everything that is kept of an author besides comments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptBesides {
    /// Reports that they made as a reader.
    pub reports: Vec<KeptReport>,
    /// Votes that they gave as a reader.
    pub votes: Vec<KeptVote>,
    /// Sanctions that aim at them.
    pub sanctions: Vec<Sanction>,
    /// What moderators noted about them.
    pub notes: Vec<KeptNote>,
}

/// A moderator's note about an author, for the author: who noted it is not theirs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptNote {
    /// In a moderator's words.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// A report, for the reader who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReport {
    /// The comment.
    pub comment: Uuid,
    /// What the reader found wrong, as a category.
    pub category: Option<String>,
    /// In the reader's words.
    pub text: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A vote, for the reader who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptVote {
    /// The comment.
    pub comment: Uuid,
    /// 1 or -1.
    pub value: i8,
    /// When.
    pub at: Timestamp,
}

/// What was erased of an author.
#[derive(Debug, Clone, PartialEq)]
pub struct ErasedAuthor {
    /// The comments.
    pub comments: Vec<ErasedComment>,
    /// Reports, votes, sanctions and moderators' notes.
    pub others: u64,
}

/// A comment that is no more, as far as others need to know to forget it.
#[derive(Debug, Clone, PartialEq)]
pub struct ErasedComment {
    /// Our name for it.
    pub uid: Uuid,
    /// Its fingerprints, for the history.
    pub trace: Trace,
    /// Where it stood.
    pub place: Place,
    /// What it was.
    pub status: Status,
}

/// How far addresses have been replaced by hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hashed {
    /// Comments, decisions, answers to appeals and sanctions that were looked at; none when nothing is due.
    pub looked_at: u64,
    /// Comments of which something was replaced.
    pub replaced: u64,
    /// Decisions, answers and sanctions out of whose words addresses were taken.
    pub cleaned: u64,
}

/// A personal token, as far as it is known: the token itself is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenKnown {
    /// Whose.
    pub email: String,
    /// The beginning of its SHA-256, in hexadecimal: what it is revoked by.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What is known of a message that came by webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is new, and noted now.
    New,
    /// It came before, with the same body.
    Again {
        /// Whether what it asked for was done.
        done: bool,
    },
    /// Its id came before, with another body.
    Conflict,
}

/// Which of a site's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// What signs the webhooks that the site sends.
    Inbound,
    /// What signs the webhooks that the site receives.
    Webhook,
    /// What Coral signs its requests with.
    Coral,
}

/// A site's secrets as stored, to be opened by whoever has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecrets {
    /// The site's name, which they are sealed for.
    pub site: String,
    /// `inbound_secret`.
    pub inbound: Vec<u8>,
    /// The one before, and until when it is valid.
    pub inbound_before: Option<(Vec<u8>, Timestamp)>,
    /// `webhook_secret`.
    pub webhook: Vec<u8>,
    /// The one before, and until when it is valid.
    pub webhook_before: Option<(Vec<u8>, Timestamp)>,
    /// The Akismet key.
    pub akismet: Vec<u8>,
    /// What Coral signs its requests with, where an operator set it.
    pub coral: Option<Vec<u8>>,
    /// The one before, and until when it is valid.
    pub coral_before: Option<(Vec<u8>, Timestamp)>,
}

/// A stored comment as the history needs it on start.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// Its fingerprints.
    pub trace: Trace,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What it is now.
    pub standing: Standing,
}

/// A site's bearer key, found by its hash.
#[derive(Debug, Clone)]
pub struct SiteKey {
    /// The site.
    pub site: Arc<Site>,
    /// What the key may do.
    pub scopes: Vec<Scope>,
}

/// One line of the record of who did what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Who.
    pub by: Actor,
    /// What, as in `decision`, `site.create`.
    pub action: String,
    /// To what, as in a uid or a name.
    pub subject: String,
    /// More, without personal data.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

/// A line of the record of who did what, in its place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditLine {
    /// Its number, from 1, without gaps.
    pub number: i64,
    /// What it says.
    pub entry: AuditEntry,
    /// The hash of this line and of all before it, in hexadecimal; none in lines written before there was a chain.
    pub hash: Option<String>,
}

/// SHA-256 of a bearer key or token; the key itself is never stored.
pub type KeyHash = [u8; 32];

/// A site's secrets as they are stored: encrypted under `secrets.key_file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecrets {
    /// Akismet key, by hash, for looking it up.
    pub akismet_hash: KeyHash,
    /// `inbound_secret`, sealed.
    pub inbound: Vec<u8>,
    /// `webhook_secret`, sealed.
    pub webhook: Vec<u8>,
    /// `akismet_key`, sealed.
    pub akismet: Vec<u8>,
}

/// Whether a name was free.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// It is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who remembers.
#[expect(clippy::too_many_arguments, reason = "a site is created with everything that it will ever have")]
#[async_trait]
pub trait Store:
    Outbox
    + Privacy
    + Sanctions
    + Readers
    + Appeals
    + Akismet
    + Campaigns
    + Imports
    + Learning
    + Reads
    + Recordings
    + Search
    + Sessions
    + Nodes
    + Notices
    + Verdicts
    + Versions
    + Send
    + Sync
{
    // Comments.

    /// What is recorded under this id, with the hash of its content: asked before any limit, so it is cheap when there is none.
    async fn comment_find(&self, site: SiteId, id: &ExternalId) -> Result<Option<(Record, ContentHash)>>;
    /// Whether a comment is recorded under this id; where it was looked for a moment ago and not there, whether it was then. Asked several times
    /// on one comment's way, so it is cheap when there is none.
    async fn comment_is_stored(&self, site: SiteId, id: &str) -> Result<bool>;
    /// Stores a judged comment, its article and its place in the queue, in one commit. Of two calls with one id, one
    /// stores and the other finds it stored.
    async fn comment_record(&self, new: NewRecord) -> Result<Recording>;
    /// Replaces the text by a new revision with its own verdict; the old one is kept in the history. When the text is
    /// unchanged and a person decided, that status stays. `None` when there is no such comment.
    async fn comment_revise(&self, new: NewRecord) -> Result<Option<Record>>;
    /// Erases a comment with everything that was kept of it, its trace included (answered, for the history to forget). When it was not the
    /// site itself, the site is told.
    async fn comment_erase(&self, site: SiteId, id: &ExternalId, by: Actor, at: Timestamp) -> Result<Option<Trace>>;
    /// A site's comments, newest first.
    async fn comment_list(
        &self,
        site: SiteId,
        filter: &CommentFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Record>, ListError>;
    /// A comment by our name for it.
    async fn comment_by_uid(&self, uid: Uuid) -> Result<Option<Record>>;
    /// The same of many at once: those that there are, in the order of `uids`.
    async fn comments_by_uid(&self, uids: &[Uuid]) -> Result<Vec<Record>>;
    /// Where a comment stands; `None` when there is none.
    async fn comment_place(&self, uid: Uuid) -> Result<Option<Place>>;
    /// Everything that happened to it, oldest first.
    async fn comment_history(&self, uid: Uuid) -> Result<Vec<Happening>>;
    /// What became of an author's comments, looking back over at most `depth` of them, counting those before `before`.
    async fn author_past(&self, trace: &Trace, before: Timestamp, depth: usize) -> Result<AuthorPast>;
    /// The latest comments received since `since`, at most `most` of them, handed to `each` oldest first: for rebuilding the history.
    async fn remembered(&self, since: Timestamp, most: usize, each: Box<dyn FnMut(Remembered) + Send>) -> Result<()>;

    // Authors.

    /// Everything that is kept of an author's comments, newest first.
    async fn author_export(
        &self,
        site: SiteId,
        author: &ExternalId,
        page: &PageRequest,
    ) -> std::result::Result<Page<Kept>, ListError>;
    /// Everything else that is kept of an author.
    async fn author_besides(&self, site: SiteId, author: &ExternalId) -> Result<KeptBesides>;
    /// Erases an author: comments with their history, reports and votes, sanctions, and words written about the comments. Again is harmless.
    async fn author_erase(&self, site: SiteId, author: &ExternalId, by: Actor, at: Timestamp) -> Result<ErasedAuthor>;
    /// Replaces network and e-mail addresses of comments received before `before` by hashes under `key`, forgets what the browser said of itself, and
    /// takes addresses out of what was written about these comments; looks at most at `most` comments, oldest first, and goes on there the next time.
    /// Later edits of these comments lose their addresses as they come, without a hash. When no comment is due, it takes addresses out of decisions,
    /// answers to appeals and causes of sanctions from before that moment, whatever comments they are about; at most of `most`, each once.
    async fn addresses_hash(&self, before: Timestamp, most: usize, key: [u8; 32]) -> Result<Hashed>;

    /// Deletes comments that are too old for what became of them, with everything that is kept of them, as [`Store::comment_erase`] does; nobody is told,
    /// and they are not on the list of the erased. Looks at most at `most` after `after`, where an earlier call ended, and says where the next goes on; what
    /// nobody has decided, and what somebody still has to do with, stays. One line in the record of who did what says how many.
    async fn comments_expire(
        &self,
        expiry: Expiry,
        after: Option<String>,
        most: usize,
        at: Timestamp,
    ) -> Result<Expired>;

    // Webhooks in.

    /// Notes a message by its sender's id and the digest of its body, before anything is done with it.
    async fn delivery_note(&self, site: SiteId, id: &str, body: [u8; 32], at: Timestamp) -> Result<Delivery>;
    /// Notes that what a message asked for was done: a message that is not done is acted on when it comes again. Again is harmless.
    async fn delivery_done(&self, site: SiteId, id: &str) -> Result<()>;
    /// Forgets messages noted before that moment, and says how many.
    async fn delivery_prune(&self, before: Timestamp) -> Result<u64>;

    // Articles.

    /// Sets what is known of an article; fields that `article` lacks keep what was known. Answers what is known now, and whether it is new.
    async fn article_put(&self, site: SiteId, article: Article, at: Timestamp) -> Result<(Article, bool)>;
    /// What is known of an article.
    async fn article_find(&self, site: SiteId, id: &ExternalId) -> Result<Option<Article>>;

    // Review.

    /// A page of held comments with counts, as of `now` (claims that ran out count as none). `filter.q` is matched as [`super::search`] says, and
    /// misses nothing: what was held by the last commit is found.
    async fn queue(
        &self,
        filter: &QueueFilter,
        sort: QueueSort,
        page: &PageRequest,
        now: Timestamp,
    ) -> std::result::Result<QueuePage, ListError>;
    /// Leases held comments to a person until `until`: those free, or theirs already. Answers the uids now theirs.
    async fn claim(&self, uids: &[Uuid], by: &Person, until: Timestamp, now: Timestamp) -> Result<Vec<Uuid>>;
    /// Gives leases back. Answers the uids that were theirs.
    async fn release(&self, uids: &[Uuid], by: &str) -> Result<Vec<Uuid>>;
    /// Applies a person's ruling to each comment still in the version that was seen, in one commit; the record of who did what
    /// is part of it. Rulings apply to comments of any status, and put each comment's status under the person's name.
    async fn rule(&self, ruling: Ruling) -> Result<Ruled>;
    /// Takes a ruling back for each of its comments that nothing else has happened to since; those others are conflicts.
    async fn unrule(
        &self,
        decision: Uuid,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Ruled, UndoError>;
    /// The record of who did what, newest first. A page under a filter may be short, even empty, and say where to go on.
    async fn audit_list(
        &self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<AuditLine>, ListError>;
    /// At most `most` lines after that number, oldest first: for going through all of them.
    async fn audit_after(&self, number: i64, most: usize) -> Result<Vec<AuditLine>>;
    /// Notes something that somebody did which no other method notes.
    async fn audit_note(&self, entry: AuditEntry) -> Result<()>;
    /// Whether the record of who did what is whole; and, with the hash of an earlier end of it, whether that is still part of it.
    async fn audit_verify(&self, head: Option<[u8; 32]>) -> Result<AuditCheck>;

    // Sites, people, keys.

    /// Creates a site with its first key.
    async fn site_create(
        &self,
        name: &str,
        url: Option<&str>,
        webhook: Option<&str>,
        key: KeyHash,
        scopes: &[Scope],
        secrets: SealedSecrets,
        at: Timestamp,
    ) -> std::result::Result<Site, CreateError>;
    /// All sites, by name.
    async fn sites(&self) -> Result<Vec<Site>>;
    /// Adds a key. `false` when there is no such site.
    async fn site_key_add(&self, site: &str, key: KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool>;
    /// Replaces all bearer keys of a site by this one. `false` when there is no such site.
    async fn site_key_rotate(&self, site: &str, key: KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool>;
    /// Sets or takes away where a site's webhooks go. `false` when there is no such site.
    async fn site_webhook_set(&self, site: &str, url: Option<&str>, at: Timestamp) -> Result<bool>;
    /// A site's secrets; `None` when there is no such site.
    async fn site_secrets(&self, site: &str) -> Result<Option<StoredSecrets>>;
    /// All sites' secrets, by name.
    async fn all_secrets(&self) -> Result<Vec<StoredSecrets>>;
    /// Replaces one secret; the one before stays valid until `before_until`. `false` when there is no such site.
    async fn site_secret_rotate(
        &self,
        site: &str,
        kind: SecretKind,
        sealed: Vec<u8>,
        before_until: Timestamp,
        at: Timestamp,
    ) -> Result<bool>;
    /// Writes the same secrets, sealed anew, wherever what is stored is still `from`; in one commit. Says how many sites it wrote.
    async fn secrets_reseal(&self, sealed: Vec<(StoredSecrets, StoredSecrets)>, at: Timestamp) -> Result<u64>;
    /// Deletes a site with its comments and keys. `false` when there is none.
    async fn site_delete(&self, site: &str, by: Actor, at: Timestamp) -> Result<bool>;
    /// The site that a bearer key opens.
    async fn site_key_find(&self, key: &KeyHash) -> Result<Option<SiteKey>>;
    /// Creates an account. `password` is a PHC string (argon2id).
    async fn person_create(
        &self,
        email: &str,
        role: Role,
        reach: &Reach,
        password: &str,
        at: Timestamp,
    ) -> std::result::Result<Person, CreateError>;
    /// All open accounts, by address.
    async fn people(&self) -> Result<Vec<Person>>;
    /// Sets an account's role and reach. `false` when there is no such account, or it is closed.
    async fn person_change(&self, email: &str, role: Role, reach: &Reach, at: Timestamp) -> Result<bool>;
    /// Sets a new password; sessions, the second factor and tokens go with the old one. `false` when there is no such account.
    async fn person_reset(&self, email: &str, password: &str, at: Timestamp) -> Result<bool>;
    /// Closes an account, its tokens and its sessions. `false` when there is no such account.
    async fn person_disable(&self, email: &str, at: Timestamp) -> Result<bool>;
    /// Adds a personal token. `false` when there is no such account, or it is closed.
    async fn token_create(&self, email: &str, token: KeyHash, at: Timestamp) -> Result<bool>;
    /// Tokens of an account, or of all, oldest first.
    async fn tokens(&self, email: Option<&str>) -> Result<Vec<TokenKnown>>;
    /// Ends the token of an account whose hash begins so. `false` unless there is exactly one.
    async fn token_revoke(&self, email: &str, id: &str, at: Timestamp) -> Result<bool>;
    /// The person whom a token stands for; `None` when unknown or closed.
    async fn token_find(&self, token: &KeyHash) -> Result<Option<Person>>;

    /// Whether it can read and write now: for `/readyz`. Cheap.
    async fn ready(&self) -> Result<()>;
    /// Makes room for what comes, and drops nothing: for whoever begins, and would have to write into it.
    async fn make_room(&self, now: Timestamp) -> Result<()> {
        let _ = now;
        Ok(())
    }
    /// Makes room for what comes, and drops what the settings say is too old; answers what was dropped, in words. Asked from time to time, of the
    /// node whose turn it is. Where the engine has a clock of its own, what is dropped is too old by both: what a node's wrong clock drops is gone.
    async fn keep_room(&self, now: Timestamp) -> Result<Vec<String>> {
        let _ = now;
        Ok(Vec::new())
    }
    /// Finishes what was begun and closes. Later calls answer [`StoreError::Unavailable`].
    async fn close(&self);
}

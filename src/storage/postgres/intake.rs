//! Writing comments: record, revise, erase.

use std::sync::Arc;

use futures_util::future::try_join_all;
use uuid::Uuid;

use super::db::{Cells as _, Params, number, signed};
use super::lookups::Found;
use super::rows::{self, Row};
use super::shared::Shared;
use super::together::{self, Outcome};
use super::work::{Work, transact};
use super::{
    PostgresStore, appeals, articles, campaigns, erasures, learning, outbox, privacy, queue, reports, rulings, samples,
    sanctions, search, uid,
};
use crate::domain::campaign::Membership;
use crate::domain::comment::{Article, ExternalId, NewComment};
use crate::domain::decision::{Actor, DecidedBy, Record, Status};
use crate::domain::learning::Lot;
use crate::domain::privacy::ErasedKind;
use crate::domain::sanction::Effect;
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{ContentHash, HappeningKind, NewRecord, Recording, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};
use crate::storage::told::Stored;

/// Keys of a comment, hashed under the database's secret; 0 for none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub id: u64,
    pub author: u64,
    pub account: u64,
    pub article: u64,
}

/// A comment ready to be written: all that takes time is done before a connection is held.
pub(super) struct Prepared {
    pub site: Arc<Site>,
    /// What it will be called, if it is new.
    pub uid: Uuid,
    pub keys: Keys,
    pub content: Content,
    pub content_bytes: Vec<u8>,
    pub trace_bytes: Vec<u8>,
    pub tell: bool,
    article: Option<Article>,
    effect: Option<Effect>,
    membership: Option<Membership>,
    lot: Option<Lot>,
    callback: Option<String>,
}

impl Prepared {
    pub(super) fn new(shared: &Shared, new: NewRecord) -> Result<Self> {
        let (site, hasher) = (Arc::clone(&new.site), &shared.hasher);
        let keys = Keys {
            id: hasher.id(site.id, new.comment.id.as_str()),
            author: hasher.author(new.trace.author),
            account: new.comment.author.id.as_ref().map_or(0, |id| hasher.account(site.id, id.as_str())),
            article: hasher.article(site.id, new.comment.article.id.as_str()),
        };
        let trace_bytes = codec::encode_trace(&new.trace)?;
        let (article, effect, tell, lot) = (new.article.clone(), new.effect, new.tell, new.lot);
        let (membership, callback) = (new.membership.clone(), new.callback.clone());
        let uid = uid::new(new.received_at)?;
        let content = content_of(new);
        let content_bytes = codec::encode_judged(&content)?;
        Ok(Self {
            site,
            uid,
            keys,
            content,
            content_bytes,
            trace_bytes,
            tell,
            article,
            effect,
            membership,
            lot,
            callback,
        })
    }

    /// The site's name for it.
    pub(super) fn id(&self) -> &str {
        self.content.comment.id.as_str()
    }

    /// Whether all there is to write is what the statement for batches writes.
    fn is_plain(&self, shared: &Shared) -> bool {
        let alone = self.article.is_some() || self.membership.is_some() || self.effect.is_some();
        !alone && self.callback.is_none() && !self.may_be_drawn(shared)
    }

    /// Whether the lot may fall on it: [`samples`] says so for certain.
    fn may_be_drawn(&self, shared: &Shared) -> bool {
        let Some(lot) = self.lot else { return false };
        if self.content.status == Status::Held {
            return false;
        }
        let [chance, _] = shared.lots(self.site.id, &format!("{}/{}", self.id(), self.content.hash.0));
        chance < lot.rate
    }

    /// The row that it becomes.
    pub(super) fn row(&self) -> Row {
        Row {
            site: self.site.id,
            uid: self.uid,
            status: self.content.status,
            decided_by: self.content.decided_by,
            revision: 1,
            version: 1,
            received_at: self.content.at,
            updated_at: self.content.at,
            author: self.keys.author,
            account: self.keys.account,
            article: self.keys.article,
            trace: self.trace_bytes.clone(),
            bytes: self.content_bytes.clone(),
        }
    }

    fn record(self, waits: bool) -> Record {
        Record {
            uid: self.uid,
            site: Arc::clone(&self.site.name),
            revision: 1,
            version: 1,
            status: self.content.status,
            decided_by: self.content.decided_by,
            received_at: self.content.at,
            updated_at: self.content.at,
            comment: self.content.comment,
            verdict: self.content.verdict,
            waits,
        }
    }

    /// Whoever writes what is new of a campaign does so before or after everything else that is being written.
    async fn wait_turn(&self, work: &Work) -> Result<()> {
        let brings_news = self.membership.as_ref().is_some_and(|membership| membership.news.is_some());
        let lock = if brings_news { "pg_advisory_xact_lock" } else { "pg_advisory_xact_lock_shared" };
        work.execute(&format!("SELECT {lock}($1)"), &[&work.locks.joining]).await?;
        Ok(())
    }
}

/// How often an id may be found taken, and nothing found under it, before somebody is told to come again.
const ATTEMPTS: usize = 5;

/// Stores a comment, unless it is stored.
pub(super) async fn record(store: &PostgresStore, new: NewRecord) -> Result<Recording> {
    let new = Box::new(Prepared::new(&store.shared, new)?);
    let key = new.keys.id;
    let recording = record_prepared(store, new).await;
    store.lookups.stored(key); // or another node stored it; or nobody knows
    recording
}

async fn record_prepared(store: &PostgresStore, mut new: Box<Prepared>) -> Result<Recording> {
    let mut is_known = false;
    if new.is_plain(&store.shared) {
        let (back, outcome) = store.batches.write(new).await?;
        new = back;
        match outcome {
            Outcome::Stored => return Ok(stored(*new, false)),
            Outcome::Deleted => return Err(site_deleted()),
            Outcome::Left => is_known = true,
        }
    }
    for _ in 0..ATTEMPTS {
        if is_known && let Some(recording) = find_recorded(store, &new).await? {
            return Ok(recording);
        }
        if let Some(drawn) = transact!(store, work => record_alone(&work, &new, is_known).await)? {
            return Ok(stored(*new, drawn));
        }
        is_known = true;
    }
    Err(StoreError::Unavailable("the comment is erased and sent again all the time".into()))
}

fn stored(new: Prepared, drawn: bool) -> Recording {
    let waits = drawn || new.content.status == Status::Held;
    Recording::New(new.record(waits))
}

/// What is recorded under the id of `new`.
async fn find_recorded(store: &PostgresStore, new: &Prepared) -> Result<Option<Recording>> {
    let db = store.db().await?;
    let Some(row) = rows::find(&db, new.site.id, new.id()).await? else { return Ok(None) };
    let content = row.content()?;
    if content.hash != new.content.hash {
        return Ok(Some(Recording::Conflict));
    }
    let record = rows::record(&db, &row, content).await?;
    // A commit that seemed to fail may have been one.
    Ok(Some(if row.uid == new.uid { Recording::New(record) } else { Recording::Repeat(record) }))
}

/// Stores a comment with everything that goes with it; whether it was drawn. `None` when its id is taken.
async fn record_alone(work: &Work, new: &Prepared, is_known: bool) -> Result<Option<bool>> {
    new.wait_turn(work).await?;
    if is_known {
        // A name outlives its comment for a while when a whole month of comments was dropped.
        let free = "DELETE FROM comment_name n WHERE n.site = $1 AND n.name = $2 \
                    AND NOT EXISTS (SELECT FROM comment c WHERE c.site = n.site AND c.uid = n.comment)";
        work.execute(free, &[&number(new.site.id), &new.id()]).await?;
    }
    match together::insert(work, &[new], true).await?.first() {
        Some((_, Outcome::Stored)) => {}
        Some((_, Outcome::Deleted)) => return Err(site_deleted()),
        Some((_, Outcome::Left)) | None => return Ok(None),
    }
    if let Some(article) = &new.article {
        articles::put(work, new.site.id, article, new.content.at).await?;
    }
    let row = new.row();
    let drawn = new.may_be_drawn(work) && samples::draw(work, &row, &new.content, new.lot).await?;
    if drawn || row.status == Status::Held {
        queue::add(work, &row, &new.content, new.content.at).await?;
    }
    if new.effect.is_some() {
        sanctions::note_effect(work, &row, new.effect).await?;
    }
    let waits = "SELECT FROM campaign_wait WHERE site = $1 AND id = $2";
    if new.membership.is_some() || work.exists(waits, &[&number(row.site), &new.keys.id.cast_signed()]).await? {
        campaigns::record(work, &row, new.id(), new.membership.as_ref()).await?;
    }
    if let Some(url) = &new.callback {
        outbox::note_callback(work, &row, url).await?;
    }
    if new.tell {
        work.tell();
    }
    Ok(Some(drawn))
}

/// What is recorded under that id, with the hash of its content.
pub(super) async fn find(
    store: &PostgresStore,
    site: SiteId,
    id: &ExternalId,
) -> Result<Option<(Record, ContentHash)>> {
    let Some(Found { row, waits }) = store.lookups.comment(site, id.as_str()).await? else { return Ok(None) };
    let content = row.content()?;
    let hash = content.hash;
    let name = match store.shared.known_name(row.site) {
        Some(name) => name,
        None => store.shared.site_name(&store.db().await?, row.site).await?,
    };
    Ok(Some((rows::record_named(name, &row, content, waits), hash)))
}

/// Replaces the text of a comment.
pub(super) async fn revise(work: &Work, new: &Prepared) -> Result<Option<Record>> {
    new.wait_turn(work).await?;
    let Some(mut row) = rows::find_locked(work, new.site.id, new.id()).await? else { return Ok(None) };
    let old = row.content()?;
    if old.hash == new.content.hash {
        return rows::record(work, &row, old).await.map(Some); // the same edit came twice
    }
    if let Some(article) = &new.article {
        articles::put(work, new.site.id, article, new.content.at).await?;
    }
    keep_revision(work, &row).await?;
    keep_account(work, &row, new.keys.account).await?;
    let mut content = new.content.clone();
    let same_text = old.comment.body == content.comment.body && old.comment.format == content.comment.format;
    let keeps_ruling = same_text && row.decided_by == DecidedBy::Person;
    let judged = (content.status, content.decided_by);
    let (mut status, mut decided_by) = if keeps_ruling { (row.status, row.decided_by) } else { judged };
    if status == Status::Approved
        && let Some(urgency) = reports::waits_for_answer(work, &row).await?
    {
        (status, decided_by) = (Status::Held, DecidedBy::Rule); // or whoever is reported would only have to edit
        content.priority = content.priority.max(urgency);
    }
    let is_judged = (status, decided_by) == judged;
    let held_since = queue::held_at(work, row.site, row.uid).await?.unwrap_or(content.at);
    row.revision += 1;
    (row.trace, row.bytes) = (new.trace_bytes.clone(), new.content_bytes.clone());
    (row.author, row.account, row.article) = (new.keys.author, new.keys.account, new.keys.article);
    replace_row(work, &mut row, status, decided_by, content.at).await?;
    search::note_due(work, row.site, row.uid).await?;
    samples::revise(work, &row, &content, new.lot).await?;
    queue::replace(work, &row, &content, held_since).await?;
    campaigns::record(work, &row, new.id(), new.membership.as_ref()).await?;
    let closed = appeals::close(work, &row, None, content.at).await?;
    sanctions::note_effect(work, &row, new.effect.filter(|_| is_judged && !keeps_ruling)).await?;
    // The answer tells the site; but not if it is to be told of something older first.
    if new.tell || outbox::has_news(work, row.site, row.uid).await? {
        outbox::tell_status(work, &row, None, content.at).await?;
    }
    appeals::tell_closed(work, &row, closed, content.at).await?;
    let by = Actor::Site(new.site.name.to_string());
    let happened = Happened { kind: HappeningKind::Edited, status, decided_by, by };
    rulings::note_happening(work, &row, content.at, None, &happened).await?;
    privacy::hash_edited(work, &row).await?;
    rows::record(work, &row, content).await.map(Some)
}

/// Erases a comment.
pub(super) async fn erase(
    work: &Work,
    site: SiteId,
    id: &ExternalId,
    by: &Actor,
    at: Timestamp,
) -> Result<Option<Trace>> {
    let Some(row) = rows::find_locked(work, site, id.as_str()).await? else { return Ok(None) };
    let trace = wipe(work, &row, id, by, at).await?;
    work.audit(by, "comment.erase", &row.uid.to_string(), "", at);
    Ok(Some(trace))
}

/// Tables with rows of a comment that go with it, and that no other module takes care of.
const ITS_ROWS: [&str; 9] = [
    "DELETE FROM comment WHERE site = $1 AND uid = $2",
    "DELETE FROM queue WHERE site = $1 AND comment = $2",
    "DELETE FROM revision WHERE site = $1 AND comment = $2",
    "DELETE FROM happening WHERE site = $1 AND comment = $2",
    "DELETE FROM moved WHERE site = $1 AND comment = $2",
    "DELETE FROM sanction_effect WHERE site = $1 AND comment = $2",
    "DELETE FROM pseudonym WHERE site = $1 AND comment = $2",
    "DELETE FROM imported WHERE site = $1 AND comment = $2",
    "DELETE FROM akismet_callback WHERE site = $1 AND comment = $2",
];

/// Wipes everything of a comment whose row is locked; a site that did not ask for it itself is told.
pub(super) async fn wipe(work: &Work, row: &Row, id: &ExternalId, by: &Actor, at: Timestamp) -> Result<Trace> {
    erasures::note(work, row.site, ErasedKind::Comment, &work.erased(row.uid), at).await?;
    wipe_unlisted(work, row, id, by, at).await
}

/// As [`wipe`], of what is not to be erased again in a backup from before.
pub(super) async fn wipe_unlisted(work: &Work, row: &Row, id: &ExternalId, by: &Actor, at: Timestamp) -> Result<Trace> {
    let trace = row.trace()?;
    forget_rulings(work, row).await?;
    outbox::forget(work, row.site, row.uid).await?;
    reports::forget(work, row.site, row.uid).await?;
    appeals::forget(work, row.site, row.uid).await?;
    campaigns::forget(work, row.site, row.uid).await?;
    learning::forget(work, row).await?;
    search::forget(work, row.site, row.uid).await?;
    let site = number(row.site);
    let its: Params<'_> = &[&site, &row.uid];
    try_join_all(ITS_ROWS.iter().map(|delete| work.execute(delete, its))).await?;
    work.execute("DELETE FROM comment_name WHERE site = $1 AND name = $2", &[&site, &id.as_str()]).await?;
    if !matches!(by, Actor::Site(_)) {
        let told = Stored::Erased { id: id.to_string(), uid: row.uid };
        outbox::tell(work, row.site, row.uid, None, at, &told).await?;
    }
    Ok(trace)
}

/// Writes what a comment is now: one more thing has happened to it.
pub(super) async fn update_row(
    work: &Work,
    row: &mut Row,
    status: Status,
    decided_by: DecidedBy,
    at: Timestamp,
) -> Result<()> {
    advance(row, status, decided_by, at);
    let write =
        "UPDATE comment SET status = $3, decided_by = $4, version = $5, updated_at = $6 WHERE site = $1 AND uid = $2";
    let (status, decided_by) = codes(row);
    let (version, updated_at) = (signed(row.version), row.updated_at.as_millis());
    work.execute(write, &[&number(row.site), &row.uid, &status, &decided_by, &version, &updated_at]).await?;
    Ok(())
}

/// Writes everything that may change of a comment.
async fn replace_row(work: &Work, row: &mut Row, status: Status, decided_by: DecidedBy, at: Timestamp) -> Result<()> {
    advance(row, status, decided_by, at);
    let write = "UPDATE comment SET status = $3, decided_by = $4, version = $5, updated_at = $6, revision = $7, author = $8, account = $9, \
                 article = $10, trace = $11, b = $12 WHERE site = $1 AND uid = $2";
    let (status, decided_by) = codes(row);
    work.execute(
        write,
        &[
            &number(row.site),
            &row.uid,
            &status,
            &decided_by,
            &signed(row.version),
            &row.updated_at.as_millis(),
            &signed(row.revision),
            &row.author.cast_signed(),
            &row.account.cast_signed(),
            &row.article.cast_signed(),
            &row.trace,
            &row.bytes,
        ],
    )
    .await?;
    Ok(())
}

fn advance(row: &mut Row, status: Status, decided_by: DecidedBy, at: Timestamp) {
    (row.status, row.decided_by) = (status, decided_by);
    row.version += 1;
    row.updated_at = row.updated_at.max(at);
}

/// Status and who decided, as columns hold them.
pub(super) fn codes(row: &Row) -> (i16, i16) {
    let small = |code: i64| i16::try_from(code).unwrap_or_default(); // codes are single digits
    (small(codec::status_code(row.status)), small(codec::decided_by_code(row.decided_by)))
}

/// A site may be deleted, by a command, while its comments are on their way.
pub(super) fn site_deleted() -> StoreError {
    StoreError::Unavailable("the site is deleted".into())
}

/// What is stored of a comment: its article's long parts are in the article's own row.
fn content_of(new: NewRecord) -> Content {
    let article = Article { title: None, text: None, tags: Vec::new(), ..new.comment.article };
    Content {
        hash: new.content,
        comment: NewComment { article, ..new.comment },
        verdict: new.verdict,
        status: new.status,
        decided_by: new.decided_by,
        priority: if new.priority.is_nan() { 0.0 } else { new.priority.clamp(0.0, 1.0) },
        lang: new.lang,
        at: new.received_at,
    }
}

async fn keep_revision(work: &Work, row: &Row) -> Result<()> {
    let keep = "INSERT INTO revision (site, comment, revision, b) VALUES ($1, $2, $3, $4)";
    work.execute(keep, &[&number(row.site), &row.uid, &signed(row.revision), &row.bytes]).await?;
    Ok(())
}

/// An edit may name another account. Under the one before the comment stays listed for as long as it is kept: earlier revisions hold what that
/// author sent, which is theirs to see and to have erased.
async fn keep_account(work: &Work, row: &Row, account: u64) -> Result<()> {
    if row.account == 0 || row.account == account {
        return Ok(());
    }
    let write = "INSERT INTO moved (site, account, comment) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    work.execute(write, &[&number(row.site), &row.account.cast_signed(), &row.uid]).await?;
    Ok(())
}

/// Whether a later version wrote a ruling on it and others, from which this one cannot take the words: [`forget_rulings`] would fail.
pub(super) async fn has_later_rulings(work: &Work, row: &Row) -> Result<bool> {
    let read = "SELECT b FROM ruling WHERE uid IN (SELECT ruling FROM ruling_item WHERE site = $1 AND comment = $2) \
                AND EXISTS (SELECT FROM ruling_item o WHERE o.ruling = ruling.uid AND o.comment <> $2)";
    let rulings = work.query(read, &[&number(row.site), &row.uid]).await?;
    let rulings = rulings.iter().map(|ruling| ruling.cell::<&[u8]>(0)).collect::<Result<Vec<_>>>()?;
    Ok(rulings.into_iter().any(codec::is_later))
}

/// Takes a comment out of the rulings on it. What was said in them may have been about it, so they lose their words.
async fn forget_rulings(work: &Work, row: &Row) -> Result<()> {
    let (site, comment) = (number(row.site), row.uid);
    let read = "SELECT uid, b FROM ruling WHERE uid IN (SELECT ruling FROM ruling_item WHERE site = $1 AND comment = $2) \
                ORDER BY uid FOR UPDATE";
    let rulings = work.query(read, &[&site, &comment]).await?;
    work.execute("DELETE FROM ruling_item WHERE site = $1 AND comment = $2", &[&site, &comment]).await?;
    for ruling in &rulings {
        let uid: Uuid = ruling.cell(0)?;
        let delete = "DELETE FROM ruling WHERE uid = $1 AND NOT EXISTS (SELECT FROM ruling_item WHERE ruling = $1)";
        let write = "UPDATE ruling SET b = $2 WHERE uid = $1";
        if work.execute(delete, &[&uid]).await? == 0 {
            let bytes = codec::without_words(&format_args!("ruling {uid}"), ruling.cell(1)?)?;
            work.execute(write, &[&uid, &bytes]).await?;
        }
    }
    Ok(())
}

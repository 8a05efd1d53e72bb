//! Writing comments: record, revise, erase.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::index::{Chain, Change, Keys};
use super::rows::{self, Row};
use super::shared::Shared;
use super::writer::Work;
use super::{
    appeals, articles, audit, campaigns, erasures, imports, learning, outbox, privacy, queue, reports, rulings,
    samples, sanctions, start,
};
use crate::domain::campaign::Membership;
use crate::domain::comment::{Article, ExternalId, NewComment};
use crate::domain::decision::{Actor, DecidedBy, Record, Status};
use crate::domain::learning::Lot;
use crate::domain::privacy::ErasedKind;
use crate::domain::sanction::Effect;
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{HappeningKind, NewRecord, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};

/// A comment ready to be written: all that takes time and no transaction is done, by whoever asks, not by the writer.
pub(super) struct Prepared {
    site: Arc<Site>,
    keys: Keys,
    article: Option<Article>,
    content: Content,
    content_bytes: Vec<u8>,
    trace_bytes: Vec<u8>,
    effect: Option<Effect>,
    membership: Option<Membership>,
    tell: bool,
    lot: Option<Lot>,
    callback: Option<String>,
}

impl Prepared {
    pub(super) fn new(shared: &Shared, new: NewRecord) -> Result<Self> {
        let keys = Keys::of(&shared.hasher, new.site.id, &new.comment, &new.trace);
        let trace_bytes = codec::encode_trace(&new.trace)?;
        let (site, article, effect, tell) = (Arc::clone(&new.site), new.article.clone(), new.effect, new.tell);
        let (lot, callback) = (new.lot, new.callback.clone());
        let membership = new.membership.clone();
        let content = content_of(new);
        let content_bytes = codec::encode_judged(&content)?;
        Ok(Self { site, keys, article, content, content_bytes, trace_bytes, effect, membership, tell, lot, callback })
    }

    fn find(&self, work: &Work<'_>) -> Result<Option<(Row, Content)>> {
        let id = self.content.comment.id.as_str();
        rows::find(work.connection, &work.rows(self.keys.id), self.site.id, id)
    }

    fn put_article(&self, work: &Work<'_>) -> Result<()> {
        if let Some(article) = &self.article {
            articles::put(work, self.site.id, article, self.content.at)?;
        }
        Ok(())
    }
}

/// What became of a comment, as far as the writer needs to say it; and whether it waits for a person.
pub(super) enum Recorded {
    /// Stored just now.
    New(Row, Content, bool),
    /// Known already, with the same content.
    Repeat(Row, Content, bool),
    /// Known already, with other content.
    Conflict,
}

/// Stores a comment, unless it is stored.
pub(super) fn record(work: &mut Work<'_>, new: Prepared) -> Result<Recorded> {
    if let Some((row, content)) = new.find(work)? {
        let same = content.hash == new.content.hash;
        let waits = samples::waits(work.connection, row.id)?;
        return Ok(if same { Recorded::Repeat(row, content, waits) } else { Recorded::Conflict });
    }
    require_site(work.connection, new.site.id)?;
    new.put_article(work)?;
    let (site, keys) = (new.site.id, new.keys);
    let row = row_of(work, &new)?;
    insert_row(work.connection, &row, &new.trace_bytes)?;
    let write = "INSERT INTO content (id, b) VALUES (?1, ?2)";
    work.connection.prepare_cached(write)?.execute(params![row.id, new.content_bytes])?;
    let waits = new.content.status == Status::Held || samples::draw(work, &row, &new.content, new.lot)?;
    if waits {
        queue::add(work, &row, &new.content, new.content.at)?;
    }
    if new.effect.is_some() {
        sanctions::note_effect(work.connection, &row, new.effect)?;
    }
    work.note(Change::Added { row: row.id, site, keys });
    campaigns::record(work, &row, new.content.comment.id.as_str(), new.membership.as_ref())?;
    if new.tell {
        outbox::tell_webhook(work, &row, None, new.content.at)?;
    }
    if let Some(url) = &new.callback {
        outbox::note_callback(work.connection, row.id, url)?;
    }
    start::complete_run(work.connection, row.id)?;
    Ok(Recorded::New(row, new.content, waits))
}

/// Replaces the text of a comment.
pub(super) fn revise(work: &mut Work<'_>, new: Prepared) -> Result<Option<Record>> {
    let Some((mut row, old)) = new.find(work)? else { return Ok(None) };
    if old.hash == new.content.hash {
        return rows::record(work.connection, work.shared, &row, old).map(Some); // the same edit came twice
    }
    new.put_article(work)?;
    keep_revision(work.connection, &row)?;
    move_chains(work, &row, &new.keys)?;
    let mut content = new.content;
    let same_text = old.comment.body == content.comment.body && old.comment.format == content.comment.format;
    let keeps_ruling = same_text && row.decided_by == DecidedBy::Person;
    let judged = (content.status, content.decided_by);
    let (mut status, mut decided_by) = if keeps_ruling { (row.live()?, row.decided_by) } else { judged };
    if status == Status::Approved
        && let Some(urgency) = reports::waits_for_answer(work.connection, &row)?
    {
        (status, decided_by) = (Status::Held, DecidedBy::Rule); // or whoever is reported would only have to edit
        content.priority = content.priority.max(urgency);
    }
    let is_judged = (status, decided_by) == judged;
    row.trace = new.trace_bytes;
    row.revision += 1;
    let write = "UPDATE content SET b = ?2 WHERE id = ?1";
    work.connection.prepare_cached(write)?.execute(params![row.id, new.content_bytes])?;
    let held_since = queue::held_at(work.connection, row.id)?.unwrap_or(content.at);
    update_row(work.connection, &mut row, status, decided_by, content.at)?;
    samples::revise(work, &row, &content, new.lot)?;
    queue::replace(work, &row, &content, held_since)?;
    campaigns::record(work, &row, content.comment.id.as_str(), new.membership.as_ref())?;
    let closed = appeals::close(work, &row, None, content.at)?;
    sanctions::note_effect(work.connection, &row, new.effect.filter(|_| is_judged && !keeps_ruling))?;
    // The answer tells the site; but not if it is to be told of something older first.
    if new.tell || outbox::has_news(work.connection, row.id)? {
        outbox::tell_status(work, &row, None, content.at)?;
    }
    appeals::tell_closed(work, &row, closed, content.at)?;
    let by = Actor::Site(new.site.name.to_string());
    let happened = Happened { kind: HappeningKind::Edited, status, decided_by, by };
    rulings::note_happening(work.connection, &row, content.at, None, &happened)?;
    privacy::hash_edited(work, &row)?;
    rows::record(work.connection, work.shared, &row, content).map(Some)
}

/// Erases a comment. What stays is a row of numbers that keeps the chains whole.
pub(super) fn erase(work: &mut Work<'_>, site: SiteId, id: &str, by: &Actor, at: Timestamp) -> Result<Option<Trace>> {
    let hash = work.shared.hasher.id(site, id);
    let Some((row, _)) = rows::find(work.connection, &work.rows(hash), site, id)? else { return Ok(None) };
    let id = ExternalId::parse("id", id.to_owned()).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let trace = wipe(work, &row, &id, by, at)?;
    audit::add(work.connection, by, "comment.erase", &row.uid(work.shared).to_string(), "", at)?;
    Ok(Some(trace))
}

/// Wipes everything of a live comment; a site that did not ask for it itself is told.
pub(super) fn wipe(work: &mut Work<'_>, row: &Row, id: &ExternalId, by: &Actor, at: Timestamp) -> Result<Trace> {
    let erased = work.shared.erased(row.uid(work.shared));
    erasures::note(work.connection, row.site, ErasedKind::Comment, &erased, at)?;
    wipe_unlisted(work, row, id, by, at)
}

/// As [`wipe`], of what is not to be erased again in a backup from before.
pub(super) fn wipe_unlisted(
    work: &mut Work<'_>,
    row: &Row,
    id: &ExternalId,
    by: &Actor,
    at: Timestamp,
) -> Result<Trace> {
    let trace = row.trace()?;
    let uid = row.uid(work.shared);
    let hash = work.shared.hasher.id(row.site, id.as_str());
    forget_rulings(work.connection, row.id)?;
    outbox::forget(work.connection, row.id)?;
    reports::forget(work.connection, row.id)?;
    appeals::forget(work.connection, row.id)?;
    campaigns::forget(work.connection, row.id)?;
    learning::forget(work, row)?;
    imports::forget(work.connection, row.id)?;
    for table in [
        "DELETE FROM content WHERE id = ?1",
        "DELETE FROM queue WHERE id = ?1",
        "DELETE FROM search WHERE rowid = ?1",
        "DELETE FROM search_due WHERE id = ?1",
        "DELETE FROM revision WHERE comment = ?1",
        "DELETE FROM happening WHERE comment = ?1",
        "DELETE FROM moved WHERE comment = ?1",
        "DELETE FROM sanction_effect WHERE comment = ?1",
        "DELETE FROM pseudonym WHERE comment = ?1",
        "DELETE FROM akismet_callback WHERE comment = ?1",
    ] {
        work.connection.prepare_cached(table)?.execute([row.id])?;
    }
    work.connection.prepare_cached(&format!("{WIPE_ROW} WHERE id = ?1"))?.execute([row.id])?;
    start::erase_keys(work.connection, row.id)?;
    if !matches!(by, Actor::Site(_)) {
        let told = outbox::Stored::Erased { id: id.to_string(), uid };
        outbox::tell(work, row.site, row.id, None, at, &told)?;
    }
    work.note(Change::Erased { row: row.id, id: hash });
    Ok(trace)
}

/// Leaves of a comment's row only what its chains need.
pub(super) const WIPE_ROW: &str = "UPDATE comment SET status = 0, revision = 0, version = 0, received_at = 0, \
                                   updated_at = 0, keys = zeroblob(32), trace = x''";

/// Writes the mutable part of a row: one more thing has happened to it.
pub(super) fn update_row(
    connection: &Connection,
    row: &mut Row,
    status: Status,
    decided_by: DecidedBy,
    at: Timestamp,
) -> Result<()> {
    row.status = Some(status);
    row.decided_by = decided_by;
    row.version += 1;
    row.updated_at = row.updated_at.max(at);
    let write = "UPDATE comment SET status = ?2, decided_by = ?3, revision = ?4, version = ?5, updated_at = ?6, \
                 trace = ?7 WHERE id = ?1";
    connection.prepare_cached(write)?.execute(params![
        row.id,
        codec::status_code(status),
        codec::decided_by_code(decided_by),
        row.revision,
        row.version,
        row.updated_at.as_millis(),
        row.trace,
    ])?;
    Ok(())
}

/// A site may be deleted, by a command, while its comments are on their way.
pub(super) fn require_site(connection: &Connection, site: SiteId) -> Result<()> {
    let there = connection.prepare_cached("SELECT 1 FROM site WHERE id = ?1")?.exists([site.0])?;
    if there { Ok(()) } else { Err(StoreError::Unavailable("the site is deleted".into())) }
}

fn row_of(work: &Work<'_>, new: &Prepared) -> Result<Row> {
    let (site, keys) = (new.site.id, new.keys);
    let prev = |chain: Chain| work.head(chain, chain.key(site, &keys));
    Ok(Row {
        id: work.next_row()?,
        site,
        status: Some(new.content.status),
        decided_by: new.content.decided_by,
        revision: 1,
        version: 1,
        received_at: new.content.at,
        updated_at: new.content.at,
        prev_site: prev(Chain::Site),
        prev_author: prev(Chain::Author),
        prev_article: prev(Chain::Article),
        keys,
        trace: Vec::new(),
    })
}

fn insert_row(connection: &Connection, row: &Row, trace: &[u8]) -> Result<()> {
    let write = "INSERT INTO comment (id, site, status, decided_by, revision, version, received_at, updated_at, \
                 prev_site, prev_author, prev_article, keys, trace) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    connection.prepare_cached(write)?.execute(params![
        row.id,
        row.site.0,
        codec::status_code(row.live()?),
        codec::decided_by_code(row.decided_by),
        row.revision,
        row.version,
        row.received_at.as_millis(),
        row.updated_at.as_millis(),
        row.prev_site,
        row.prev_author,
        row.prev_article,
        row.keys.to_bytes(),
        trace,
    ])?;
    Ok(())
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

fn keep_revision(connection: &Connection, row: &Row) -> Result<()> {
    let keep = "INSERT INTO revision (comment, revision, b) SELECT id, ?2, b FROM content WHERE id = ?1";
    connection.prepare_cached(keep)?.execute([row.id, row.revision])?;
    Ok(())
}

/// An edit may name another author or article. The row stays in the chains it hangs in (its neighbours point at it)
/// and is listed beside the chains it now belongs to. Under an account it stays listed for as long as the comment is kept: earlier revisions
/// hold what that author sent, which is theirs to see and to have erased. Whoever lists comments looks at the author of today.
fn move_chains(work: &mut Work<'_>, row: &Row, keys: &Keys) -> Result<()> {
    let delete = "DELETE FROM moved WHERE comment = ?1 AND chain <> ?2";
    work.connection.prepare_cached(delete)?.execute(params![row.id, Chain::Account.code()])?;
    for chain in [Chain::Author, Chain::Account, Chain::Article] {
        let key = chain.key(row.site, keys);
        if key != 0 && key != chain.key(row.site, &row.keys) {
            let write = "INSERT OR IGNORE INTO moved (chain, key, comment) VALUES (?1, ?2, ?3)";
            work.connection.prepare_cached(write)?.execute(params![chain.code(), key.cast_signed(), row.id])?;
            if chain == Chain::Author {
                work.note(Change::Moved { author: key });
            }
        }
    }
    Ok(())
}

/// Whether a later version wrote a ruling on it and others, from which this one cannot take the words: [`forget_rulings`] would fail.
pub(super) fn has_later_rulings(connection: &Connection, id: u32) -> Result<bool> {
    let read = "SELECT b FROM ruling WHERE id IN (SELECT ruling FROM ruling_item WHERE comment = ?1) \
                AND EXISTS (SELECT 1 FROM ruling_item o WHERE o.ruling = ruling.id AND o.comment <> ?1)";
    let mut query = connection.prepare_cached(read)?;
    let rulings = query.query_map([id], |row| row.get::<_, Vec<u8>>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rulings.iter().any(|bytes| codec::is_later(bytes)))
}

/// Takes a comment out of the rulings on it. What was said in them may have been about it, so they lose their words.
fn forget_rulings(connection: &Connection, id: u32) -> Result<()> {
    let mut query = connection.prepare_cached("SELECT ruling FROM ruling_item WHERE comment = ?1")?;
    let rulings = query.query_map([id], |row| row.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    connection.prepare_cached("DELETE FROM ruling_item WHERE comment = ?1")?.execute([id])?;
    let delete = "DELETE FROM ruling WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM ruling_item WHERE ruling = ?1)";
    for ruling in rulings {
        if connection.prepare_cached(delete)?.execute([ruling])? > 0 {
            continue; // whether it can be read or not
        }
        let bytes: Vec<u8> =
            connection.prepare_cached("SELECT b FROM ruling WHERE id = ?1")?.query_row([ruling], |row| row.get(0))?;
        let bytes = codec::without_words(&format_args!("ruling {ruling}"), &bytes)?;
        connection.prepare_cached("UPDATE ruling SET b = ?2 WHERE id = ?1")?.execute(params![ruling, bytes])?;
    }
    Ok(())
}

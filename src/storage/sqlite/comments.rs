//! Comments and articles: record, revise, erase, find, list, remember.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::errors::store_error;
use super::index::{Index, Keys, stored};
use super::queue;
use super::rows::{Cursor, ERASED, StoredRow, decided_by, decided_by_number, status, status_number};
use super::rulings::{Happened, audit, happened};
use super::uid::Uids;
use super::writer::Work;
use crate::domain::comment::{Article, ExternalId};
use crate::domain::decision::{Actor, DecidedBy, Record, Status};
use crate::domain::history::{AuthorPast, Standing};
use crate::domain::site::SiteId;
use crate::domain::store::{CommentFilter, ContentHash, HappeningKind, NewRecord, Page, Recording, Remembered, Result};
use crate::domain::time::Timestamp;
use crate::domain::trace::{Trace, account, scoped};
use crate::storage::codec::{decode, encode};

/// A judged comment, encoded.
pub(super) struct Prepared {
    pub(super) new: NewRecord,
    subject: Vec<u8>,
    verdict: Vec<u8>,
    trace: Vec<u8>,
}

impl Prepared {
    pub(super) fn new(mut new: NewRecord) -> Result<Self> {
        // The page has a row of its own; a copy with every comment would be most of the database.
        let article = &mut new.comment.article;
        (article.title, article.text, article.tags) = (None, None, Vec::new());
        let (subject, verdict, trace) = (encode(&new.comment)?, encode(&new.verdict)?, encode(&new.trace)?);
        Ok(Self { new, subject, verdict, trace })
    }

    fn keys(&self) -> Keys {
        let trace = &self.new.trace;
        Keys { name: trace.comment, author: trace.author, article: trace.article }
    }
}

/// The comment of that site and id at `row`, if it is there: a hash may lead to another's row.
fn verified(connection: &Connection, row: u64, site: SiteId, id: &ExternalId) -> Result<Option<(StoredRow, Trace)>> {
    let Some(found) = StoredRow::find(connection, row)? else { return Ok(None) };
    let trace = found.trace()?;
    Ok((found.site == site && *trace.comment_id == *id.as_str()).then_some((found, trace)))
}

pub(super) fn find(
    connection: &Connection,
    uids: &Uids,
    row: u64,
    site: SiteId,
    id: &ExternalId,
) -> Result<Option<(Record, ContentHash)>> {
    match verified(connection, row, site, id)? {
        Some((found, _)) => Ok(Some((found.record(uids)?, found.content()))),
        None => Ok(None),
    }
}

pub(super) fn by_uid(connection: &Connection, uids: &Uids, uid: Uuid) -> Result<Option<Record>> {
    StoredRow::by_uid(connection, uids, uid)?.map(|row| row.record(uids)).transpose()
}

pub(super) fn record(work: &mut Work<'_>, prepared: &Prepared) -> Result<Recording> {
    let new = &prepared.new;
    let keys = prepared.keys();
    if let Some(row) = work.row_of_name(keys.name)
        && let Some((found, _)) = verified(work.connection, row, new.site.id, &new.comment.id)?
    {
        return if found.content() == new.content { Ok(Recording::Repeat(found.record(work.uids)?)) } else { Ok(Recording::Conflict) };
    }
    if let Some(article) = &new.article {
        article_put(work.connection, new.site.id, article, new.received_at)?;
    }
    let row = work.next_row();
    let sql = "INSERT INTO comment (id, site, status, decided_by, version, revision, received_at, updated_at, name_hash, author_hash, \
               article_hash, prev_author, prev_article, content, trace, subject, verdict) \
               VALUES (?, ?, ?, ?, 1, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let at = new.received_at.as_millis();
    work.connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement.execute(params![
                row, new.site.id.0, status_number(new.status), decided_by_number(new.decided_by), at, at,
                stored(keys.name), stored(keys.author), stored(keys.article),
                work.row_of_author(keys.author), work.row_of_article(keys.article),
                new.content.0.to_le_bytes(), prepared.trace, prepared.subject, prepared.verdict,
            ])
        })
        .map_err(store_error)?;
    work.inserted(keys).map_err(store_error)?;
    let record = Record {
        uid: work.uids.make(row, new.received_at),
        site: std::sync::Arc::clone(&new.site.name),
        comment: new.comment.clone(),
        revision: 1,
        version: 1,
        status: new.status,
        decided_by: new.decided_by,
        verdict: new.verdict.clone(),
        received_at: new.received_at,
        updated_at: new.received_at,
    };
    if new.status == Status::Held {
        queue::insert(work.connection, row, &queue::Place::of(new))?;
    }
    Ok(Recording::New(record))
}

pub(super) fn revise(work: &mut Work<'_>, prepared: &Prepared) -> Result<Option<Record>> {
    let new = &prepared.new;
    let Some(row) = work.row_of_name(new.trace.comment) else { return Ok(None) };
    let Some((before, _)) = verified(work.connection, row, new.site.id, &new.comment.id)? else { return Ok(None) };
    if let Some(article) = &new.article {
        article_put(work.connection, new.site.id, article, new.received_at)?;
    }
    let earlier = before.record(work.uids)?;
    let text_changed = earlier.comment.body != new.comment.body || earlier.comment.format != new.comment.format;
    let person_stands = earlier.decided_by == DecidedBy::Person && !text_changed;
    let (now_status, by) = if person_stands { (earlier.status, DecidedBy::Person) } else { (new.status, new.decided_by) };
    let connection = work.connection;
    connection
        .execute(
            "INSERT INTO revision (comment, revision, subject, verdict, replaced_at) VALUES (?, ?, ?, ?, ?)",
            params![row, before.revision, before.subject, before.verdict, new.received_at.as_millis()],
        )
        .map_err(store_error)?;
    connection
        .execute(
            "UPDATE comment SET status = ?, decided_by = ?, version = version + 1, revision = revision + 1, updated_at = ?, \
             content = ?, trace = ?, subject = ?, verdict = ? WHERE id = ?",
            params![
                status_number(now_status), decided_by_number(by), new.received_at.as_millis(), new.content.0.to_le_bytes(),
                prepared.trace, prepared.subject, prepared.verdict, row
            ],
        )
        .map_err(store_error)?;
    queue::remove(connection, row)?;
    if now_status == Status::Held {
        queue::insert(connection, row, &queue::Place::of(new))?;
    }
    happened(connection, &Happened {
        row, version: before.version + 1, kind: HappeningKind::Edited, status: now_status, decided_by: by, ruling: None,
        by: &Actor::Site(new.site.name.to_string()), at: new.received_at,
    })?;
    StoredRow::find(connection, row)?.map(|row| row.record(work.uids)).transpose()
}

/// The row stays as a link of its chains; everything that was written or computed of the text goes.
pub(super) fn erase(work: &mut Work<'_>, site: SiteId, id: &ExternalId, by: &Actor, at: Timestamp) -> Result<Option<Trace>> {
    let Some(row) = work.row_of_name(scoped(site, "comment", id.as_str())) else { return Ok(None) };
    let Some((found, trace)) = verified(work.connection, row, site, id)? else { return Ok(None) };
    let connection = work.connection;
    let run = |sql: &str| connection.execute(sql, [row]).map_err(store_error);
    run(&format!(
        "UPDATE comment SET status = {ERASED}, content = zeroblob(16), trace = x'', subject = x'', verdict = x'' WHERE id = ?"
    ))?;
    run("DELETE FROM revision WHERE comment = ?")?;
    run("DELETE FROM happening WHERE comment = ?")?;
    run("DELETE FROM ruling_item WHERE comment = ?")?;
    queue::remove(connection, row)?;
    audit(connection, by, "comment.erase", &found.uid(work.uids).to_string(), "", at)?;
    Ok(Some(trace))
}

/// Where a list starts, and along which chain it goes.
#[derive(Debug, Clone)]
pub(super) enum ListStart {
    /// Newest first from this row on (exclusive), or from the end.
    All(Option<u64>),
    /// Along an author's chain from this row on.
    Author(Option<u64>, u64),
    /// Along an article's chain from this row on.
    Article(Option<u64>, u64),
}

impl ListStart {
    pub(super) fn of(index: &Index, site: SiteId, filter: &CommentFilter, cursor: Option<Cursor>) -> Self {
        let hash = |kind: &str, name: &str| scoped(site, kind, name);
        let before = cursor.map(|cursor| cursor.row);
        let newest = |row: Option<u64>| if before.is_some() { before } else { row };
        if let Some(author) = &filter.author {
            let hash = ExternalId::parse("author", author.clone()).map_or(0, |id| account(site, &id));
            Self::Author(newest(index.author(hash)), hash)
        } else if let Some(article) = &filter.article {
            let hash = hash("article", article);
            Self::Article(newest(index.article(hash)), hash)
        } else {
            Self::All(before)
        }
    }
}

/// Rows looked at for one page at most: a filter that matches little answers a short page and a cursor, not after a minute.
const LOOKED_AT: usize = 20_000;

pub(super) fn list(
    connection: &Connection,
    uids: &Uids,
    site: SiteId,
    filter: &CommentFilter,
    start: ListStart,
    limit: usize,
) -> Result<Page<Record>> {
    let changed = filter.updated_since.map(|since| changed_since(connection, since)).transpose()?;
    let wanted = |row: &StoredRow| {
        row.site == site
            && filter.status.is_none_or(|status| status_number(status) == row.status)
            && filter.article.as_ref().is_none_or(|article| scoped(site, "article", article) == row.article)
            && filter.updated_since.is_none_or(|since| {
                row.updated_at >= since.as_millis() || changed.as_ref().is_some_and(|changed| changed.contains(&row.id))
            })
    };
    let mut items = Vec::new();
    let mut last = None;
    let mut more = false;
    let mut look = |row: StoredRow| -> Result<bool> {
        last = Some(row.id);
        if wanted(&row) {
            items.push(row.record(uids)?);
        }
        Ok(items.len() < limit)
    };
    match start {
        ListStart::All(before) => {
            // Erased rows, and other sites', cost a step each.
            let sql = format!(
                "SELECT {} FROM comment c JOIN site s ON s.id = c.site WHERE c.id < ? AND c.site = ? AND c.status <> {ERASED} ORDER BY c.id DESC LIMIT ?",
                super::rows::COLUMNS
            );
            let mut statement = connection.prepare_cached(&sql).map_err(store_error)?;
            let before = before.map_or(i64::MAX, |row| i64::try_from(row).unwrap_or(i64::MAX));
            let mut rows = statement.query(params![before, site.0, LOOKED_AT]).map_err(store_error)?;
            let mut looked = 0;
            while let Some(row) = rows.next().map_err(store_error)? {
                looked += 1;
                let goes_on = look(StoredRow::read(row).map_err(store_error)?)?;
                if !goes_on {
                    more = true;
                    break;
                }
            }
            more |= looked == LOOKED_AT;
        }
        ListStart::Author(first, hash) | ListStart::Article(first, hash) => {
            let by_author = filter.author.is_some();
            let mut next = first;
            let mut looked = 0;
            while let Some(id) = next {
                let Some((row, prev)) = chain_row(connection, id, by_author)? else { break };
                next = prev;
                looked += 1;
                if let Some(row) = row
                    && (if by_author { row.author } else { row.article }) == hash
                    && !look(row)?
                {
                    break;
                }
                if looked >= LOOKED_AT {
                    break;
                }
            }
            more = next.is_some();
            last = next; // the chain goes on there, inclusive
        }
    }
    let next_cursor = if more { last.map(|row| Cursor { key: 0, row }.to_string()) } else { None };
    Ok(Page { items, next_cursor })
}

/// A row of a chain (`None` when erased), and the next one.
fn chain_row(connection: &Connection, id: u64, by_author: bool) -> Result<Option<(Option<StoredRow>, Option<u64>)>> {
    if let Some(row) = StoredRow::find(connection, id)? {
        let prev = if by_author { row.prev_author } else { row.prev_article };
        return Ok(Some((Some(row), prev)));
    }
    let sql = if by_author { "SELECT prev_author FROM comment WHERE id = ?" } else { "SELECT prev_article FROM comment WHERE id = ?" };
    let prev = connection.prepare_cached(sql).and_then(|mut s| s.query_row([id], |row| row.get(0)).optional());
    Ok(prev.map_err(store_error)?.map(|prev| (None, prev)))
}

/// Rows to which something happened since.
fn changed_since(connection: &Connection, since: Timestamp) -> Result<BTreeSet<u64>> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT comment FROM happening WHERE at >= ?").map_err(store_error)?;
    let rows = statement.query_map([since.as_millis()], |row| row.get(0)).map_err(store_error)?;
    rows.collect::<rusqlite::Result<_>>().map_err(store_error)
}

pub(super) fn author_past(
    connection: &Connection,
    newest: u64,
    author: u64,
    comment: u64,
    before: Timestamp,
    depth: usize,
) -> Result<AuthorPast> {
    let sql = "SELECT author_hash, status, decided_by, received_at, prev_author, name_hash FROM comment WHERE id = ?";
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let mut past = AuthorPast::default();
    let mut next = Some(newest);
    for _ in 0..depth {
        let Some(id) = next else { break };
        let row = statement
            .query_row([id], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, u8>(1)?, row.get::<_, u8>(2)?, row.get::<_, i64>(3)?, row.get(4)?, row.get::<_, i64>(5)?))
            })
            .optional()
            .map_err(store_error)?;
        let Some((hash, number, by, received_at, prev, name)) = row else { break };
        next = prev;
        if hash != stored(author) || number == ERASED || name == stored(comment) || received_at > before.as_millis() {
            continue;
        }
        let person = decided_by(by)? == DecidedBy::Person;
        match status(number)? {
            Status::Approved => {
                past.approved += 1;
                past.approved_by_person += u32::from(person);
            }
            Status::Rejected => {
                past.rejected += 1;
                past.rejected_by_person += u32::from(person);
            }
            Status::Held => past.held += 1,
        }
        let at = Timestamp::from_millis(received_at);
        past.first_at = Some(past.first_at.map_or(at, |first| first.min(at)));
        past.last_at = Some(past.last_at.map_or(at, |last| last.max(at)));
    }
    Ok(past)
}

pub(super) fn remembered(
    connection: &Connection,
    since: Timestamp,
    most: usize,
    mut each: Box<dyn FnMut(Remembered) + Send>,
) -> Result<()> {
    let newest: Option<i64> = connection.query_row("SELECT max(id) FROM comment", [], |row| row.get(0)).map_err(store_error)?;
    let Some(newest) = newest else { return Ok(()) };
    let first = newest.saturating_add(1).saturating_sub(i64::try_from(most).unwrap_or(i64::MAX));
    let sql = format!(
        "SELECT trace, received_at, status, decided_by FROM comment WHERE id >= ? AND received_at >= ? AND status <> {ERASED} ORDER BY id"
    );
    let mut statement = connection.prepare(&sql).map_err(store_error)?;
    let mut rows = statement.query(params![first, since.as_millis()]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let trace: Trace = decode("a comment's trace", row.get_ref(0).and_then(|value| Ok(value.as_blob()?)).map_err(store_error)?)?;
        let by_person = decided_by(row.get(3).map_err(store_error)?)? == DecidedBy::Person;
        let standing = Standing { status: status(row.get(2).map_err(store_error)?)?, by_person };
        each(Remembered { trace, received_at: Timestamp::from_millis(row.get(1).map_err(store_error)?), standing });
    }
    Ok(())
}

pub(super) fn article_find(connection: &Connection, site: SiteId, name: &str) -> Result<Option<Article>> {
    let found: Option<Vec<u8>> = connection
        .prepare_cached("SELECT details FROM article WHERE site = ? AND name = ?")
        .and_then(|mut statement| statement.query_row(params![site.0, name], |row| row.get(0)).optional())
        .map_err(store_error)?;
    found.map(|bytes| decode("an article", &bytes)).transpose()
}

pub(super) fn article_put(connection: &Connection, site: SiteId, article: &Article, at: Timestamp) -> Result<(Article, bool)> {
    let earlier = article_find(connection, site, article.id.as_str())?;
    let now_known = earlier.as_ref().map_or_else(|| article.clone(), |earlier| earlier.updated_with(article));
    if earlier.as_ref() != Some(&now_known) {
        let sql = "INSERT INTO article (site, name, details, updated_at) VALUES (?, ?, ?, ?) \
                   ON CONFLICT (site, name) DO UPDATE SET details = excluded.details, updated_at = excluded.updated_at";
        let details = encode(&now_known)?;
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params![site.0, article.id.as_str(), details, at.as_millis()]))
            .map_err(store_error)?;
    }
    Ok((now_known, earlier.is_none()))
}

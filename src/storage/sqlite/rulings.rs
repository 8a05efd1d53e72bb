//! People's rulings: apply, take back, and what has happened to a comment.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::rows::{self, Row};
use super::shared::Shared;
use super::writer::Work;
use super::{appeals, articles, audit, campaigns, intake, learning, outbox, queue, reports};
use crate::domain::decision::{Action, Actor, DecidedBy, Status};
use crate::domain::outbox::Channel;
use crate::domain::people::Reach;
use crate::domain::store::{Happening, HappeningKind, Place, Result, Ruled, Ruling, StoreError, UndoError};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Happened, RulingText};

/// Applies a ruling to what is still as it was seen.
pub(super) fn rule(work: &mut Work<'_>, ruling: &Ruling) -> Result<Ruled> {
    rule_as(work, ruling, true)
}

/// As [`rule`]; `teaches` is false where it is not the comments' words that it is about.
pub(super) fn rule_as(work: &mut Work<'_>, ruling: &Ruling, teaches: bool) -> Result<Ruled> {
    let mut ruled =
        Ruled { decision: new_uid(ruling.at)?, applied: Vec::new(), conflicts: Vec::new(), missing: Vec::new() };
    let number = insert_ruling(work.connection, &ruled, ruling)?;
    let mut seen_already = std::collections::HashSet::new();
    for seen in ruling.items.iter().filter(|seen| seen_already.insert(seen.uid)) {
        let Some(mut row) = permitted(work, seen.uid, &ruling.reach)? else {
            ruled.missing.push(seen.uid);
            continue;
        };
        if row.version != seen.seen_version {
            ruled.conflicts.push(rows::load(work.connection, work.shared, &row)?);
            continue;
        }
        apply(work, &mut row, ruling, (number, ruled.decision), teaches)?;
        ruled.applied.push((rows::load(work.connection, work.shared, &row)?, row.trace()?));
    }
    if ruled.applied.is_empty() {
        work.connection.prepare_cached("DELETE FROM ruling WHERE id = ?1")?.execute([number])?; // nothing to take back
        return Ok(ruled);
    }
    let detail = format!("{} {}", word(ruling.action), count(ruled.applied.len()));
    audit::add(work.connection, &ruling.by, "decision", &ruled.decision.to_string(), &detail, ruling.at)?;
    Ok(ruled)
}

/// Takes a ruling back where nothing else has happened since.
pub(super) fn unrule(
    work: &mut Work<'_>,
    decision: Uuid,
    by: &Actor,
    reach: &Reach,
    at: Timestamp,
) -> Result<std::result::Result<Ruled, UndoError>> {
    let find = "SELECT id FROM ruling WHERE uid = ?1";
    let mut query = work.connection.prepare_cached(find)?;
    let found: Option<i64> = query.query_row([decision.as_bytes()], |row| row.get(0)).optional()?;
    let Some(number) = found else { return Ok(Err(UndoError::NotFound)) };
    let items = items(work, number)?;
    let mut ruled = Ruled { decision, applied: Vec::new(), conflicts: Vec::new(), missing: Vec::new() };
    let (mut touched, mut stands) = (Vec::new(), false);
    for item in items {
        match item.row {
            Some(ref row) if allowed(work, row, reach)? => touched.push(item),
            Some(ref row) => {
                stands |= !is_taken_back(work.connection, number, &item)?;
                ruled.missing.push(row.uid(work.shared));
            }
            None => {} // erased since: it has no name any more
        }
    }
    if touched.is_empty() {
        return Ok(Err(UndoError::NotFound));
    }
    // Somebody whose reach is smaller may have taken a part of it back: the rest can still be.
    let mut left = Vec::new();
    for item in touched {
        if !is_taken_back(work.connection, number, &item)? {
            left.push(item);
        }
    }
    if left.is_empty() {
        return Ok(Err(UndoError::AlreadyUndone));
    }
    for item in left {
        let Some(mut row) = item.row else { continue };
        if row.version != item.version_after {
            ruled.conflicts.push(rows::load(work.connection, work.shared, &row)?);
            continue;
        }
        restore(work, &mut row, &item.before, by, (number, decision), at)?;
        ruled.applied.push((rows::load(work.connection, work.shared, &row)?, row.trace()?));
    }
    if !ruled.applied.is_empty() {
        let write = "UPDATE ruling SET undone_at = ?2 WHERE id = ?1";
        work.connection.prepare_cached(write)?.execute(params![number, at.as_millis()])?;
        if !stands {
            campaigns::reopen(work.connection, decision)?; // not while it holds for others, who work elsewhere
        }
        audit::add(work.connection, by, "decision.undo", &decision.to_string(), &count(ruled.applied.len()), at)?;
    }
    Ok(Ok(ruled))
}

/// Everything that happened to a comment, oldest first.
pub(super) fn history(connection: &Connection, shared: &Shared, uid: Uuid) -> Result<Vec<Happening>> {
    let Some(row) = rows::by_uid(connection, shared, uid)? else { return Ok(Vec::new()) };
    let mut history = vec![received(connection, shared, &row)?];
    history.append(&mut happenings(connection, row.id)?);
    Ok(history)
}

/// Everything that happened to a comment after it arrived, oldest first.
pub(super) fn happenings(connection: &Connection, comment: u32) -> Result<Vec<Happening>> {
    let mut history = Vec::new();
    let read = "SELECT h.version, h.at, h.b, r.uid, r.b FROM happening h LEFT JOIN ruling r ON r.id = h.ruling \
                WHERE h.comment = ?1 ORDER BY h.version";
    let mut query = connection.prepare_cached(read)?;
    let mut found = query.query([comment])?;
    while let Some(row) = found.next()? {
        let happened: Happened = codec::decode("a happening", &row.get::<_, Vec<u8>>(2)?)?;
        let text: Option<Vec<u8>> = row.get(4)?;
        let text: Option<RulingText> = text.map(|text| codec::decode("a ruling", &text)).transpose()?;
        let decision: Option<[u8; 16]> = row.get(3)?;
        history.push(Happening {
            version: row.get(0)?,
            kind: happened.kind,
            status: happened.status,
            decided_by: happened.decided_by,
            decision: decision.map(Uuid::from_bytes),
            category: text.as_ref().and_then(|text| text.category),
            reason: text.as_ref().and_then(|text| text.reason.clone()),
            note: text.and_then(|text| text.note),
            by: happened.by,
            at: Timestamp::from_millis(row.get(1)?),
        });
    }
    Ok(history)
}

/// Notes what has just happened to `row`, under the version that it led to.
pub(super) fn note_happening(
    connection: &Connection,
    row: &Row,
    at: Timestamp,
    ruling: Option<i64>,
    happened: &Happened,
) -> Result<()> {
    let write = "INSERT INTO happening (comment, version, at, ruling, b) VALUES (?1, ?2, ?3, ?4, ?5)";
    let bytes = codec::encode(happened)?;
    connection.prepare_cached(write)?.execute(params![row.id, row.version, at.as_millis(), ruling, bytes])?;
    Ok(())
}

/// A comment's state before a ruling.
struct Before {
    status: crate::domain::decision::Status,
    decided_by: DecidedBy,
    held_at: Option<Timestamp>,
}

struct Item {
    /// `None` when erased since.
    row: Option<Row>,
    version_after: u32,
    before: Before,
}

fn apply(
    work: &Work<'_>,
    row: &mut Row,
    ruling: &Ruling,
    (number, decision): (i64, Uuid),
    teaches: bool,
) -> Result<()> {
    let before =
        Before { status: row.live()?, decided_by: row.decided_by, held_at: queue::held_at(work.connection, row.id)? };
    let status = ruling.action.status();
    reports::answer(work.connection, row.id, status)?;
    learning::note(work, row, ruling, number, teaches)?;
    let closed = change(work, row, (status, DecidedBy::Person), Some(decision), ruling.at)?;
    let content = rows::content(work.connection, row.id)?;
    queue::replace(work, row, &content, before.held_at.unwrap_or(ruling.at))?;
    let write = "INSERT INTO ruling_item (ruling, comment, version_after, status_before, decided_by_before, held_at_before) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    work.connection.prepare_cached(write)?.execute(params![
        number,
        row.id,
        row.version,
        codec::status_code(before.status),
        codec::decided_by_code(before.decided_by),
        before.held_at.map(Timestamp::as_millis),
    ])?;
    let by = ruling.by.clone();
    let happened = Happened { kind: HappeningKind::Decided, status, decided_by: DecidedBy::Person, by };
    note_happening(work.connection, row, ruling.at, Some(number), &happened)?;
    if before.status != status {
        outbox::tell_webhook(work, row, Some(number), ruling.tell_at)?;
        // A site that decided itself knows.
        if !matches!(ruling.by, Actor::Site(_)) {
            outbox::call_back(work, row, Some(number), ruling.tell_at)?;
        }
    }
    appeals::tell_closed(work, row, closed, ruling.tell_at)
}

/// An appeal that waits is closed by what changes the comment, perhaps by `ruling`; to reject again what is rejected is no answer to it.
fn change(
    work: &Work<'_>,
    row: &mut Row,
    (status, decided_by): (Status, DecidedBy),
    ruling: Option<Uuid>,
    at: Timestamp,
) -> Result<Option<appeals::Closed>> {
    let is_same = row.live()? == status;
    let closed = if is_same { None } else { appeals::close(work, row, ruling, at)? };
    intake::update_row(work.connection, row, status, decided_by, at)?;
    if is_same {
        appeals::follow(work.connection, row)?;
    }
    Ok(closed)
}

fn restore(
    work: &Work<'_>,
    row: &mut Row,
    before: &Before,
    by: &Actor,
    (number, decision): (i64, Uuid),
    at: Timestamp,
) -> Result<()> {
    let ruled = row.live()?;
    match before.decided_by {
        DecidedBy::Person => reports::answer(work.connection, row.id, before.status)?, // an earlier ruling had answered them
        DecidedBy::Policy | DecidedBy::Rule => reports::reopen(work.connection, row.id)?,
    }
    learning::undo(work, row, number, at)?;
    let closed = change(work, row, (before.status, before.decided_by), None, at)?;
    appeals::reopen(work, row, decision, at)?;
    let content = rows::content(work.connection, row.id)?;
    queue::replace(work, row, &content, before.held_at.unwrap_or(at))?;
    let happened =
        Happened { kind: HappeningKind::Undone, status: before.status, decided_by: before.decided_by, by: by.clone() };
    note_happening(work.connection, row, at, Some(number), &happened)?;
    // Within the grace the site never hears of it; afterwards it hears of both.
    if ruled != before.status {
        if !outbox::untell(work.connection, row.id, number, Channel::Webhook)? {
            outbox::tell_webhook(work, row, None, at)?;
        }
        if !outbox::untell(work.connection, row.id, number, Channel::Callback)? {
            outbox::call_back(work, row, None, at)?;
        }
    }
    appeals::tell_closed(work, row, closed, at)
}

fn items(work: &Work<'_>, ruling: i64) -> Result<Vec<Item>> {
    let read = "SELECT comment, version_after, status_before, decided_by_before, held_at_before FROM ruling_item \
                WHERE ruling = ?1 ORDER BY comment";
    let mut query = work.connection.prepare_cached(read)?;
    let mut found = query.query([ruling])?;
    let mut items = Vec::new();
    while let Some(item) = found.next()? {
        let status = codec::status_of(item.get(2)?)?;
        items.push(Item {
            row: rows::row(work.connection, item.get(0)?)?.filter(|row| row.status.is_some()),
            version_after: item.get(1)?,
            before: Before {
                status: status.ok_or_else(|| StoreError::Corrupt("a ruling on an erased comment".to_owned()))?,
                decided_by: codec::decided_by_of(item.get(3)?)?,
                held_at: item.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
            },
        });
    }
    Ok(items)
}

/// Whether an item of a ruling was taken back: what happened to a comment names the ruling once, or twice when that is undone.
fn is_taken_back(connection: &Connection, ruling: i64, item: &Item) -> Result<bool> {
    let Some(row) = &item.row else { return Ok(false) };
    let read = "SELECT 1 FROM happening WHERE comment = ?1 AND ruling = ?2 AND version > ?3";
    Ok(connection.prepare_cached(read)?.exists(params![row.id, ruling, item.version_after])?)
}

fn insert_ruling(connection: &Connection, ruled: &Ruled, ruling: &Ruling) -> Result<i64> {
    let text = RulingText {
        action: ruling.action,
        category: ruling.category,
        reason: ruling.reason.clone(),
        note: ruling.note.clone(),
        by: ruling.by.clone(),
    };
    let write = "INSERT INTO ruling (uid, at, b) VALUES (?1, ?2, ?3)";
    let bytes = codec::encode(&text)?;
    connection.prepare_cached(write)?.execute(params![ruled.decision.as_bytes(), ruling.at.as_millis(), bytes])?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn permitted(work: &Work<'_>, uid: Uuid, reach: &Reach) -> Result<Option<Row>> {
    let Some(row) = rows::by_uid(work.connection, work.shared, uid)? else { return Ok(None) };
    Ok(if allowed(work, &row, reach)? { Some(row) } else { None })
}

fn allowed(work: &Work<'_>, row: &Row, reach: &Reach) -> Result<bool> {
    if reach.is_all() {
        return Ok(true);
    }
    let place = place(work.connection, work.shared, row)?;
    Ok(reach.covers(&place.site, place.section.as_deref(), place.lang.as_deref()))
}

/// Where a live comment stands.
pub(super) fn place(connection: &Connection, shared: &Shared, row: &Row) -> Result<Place> {
    place_of(connection, shared, row, &rows::content(connection, row.id)?)
}

/// Where a live comment that says `content` stands.
pub(super) fn place_of(connection: &Connection, shared: &Shared, row: &Row, content: &codec::Content) -> Result<Place> {
    let article = &content.comment.article;
    let section = match &article.section {
        Some(section) => Some(section.clone()),
        None => articles::find(connection, row.site, &article.id)?.and_then(|article| article.section),
    };
    Ok(Place { site: shared.site_name(connection, row.site)?, section, lang: content.lang.clone() })
}

fn received(connection: &Connection, shared: &Shared, row: &Row) -> Result<Happening> {
    let read = "SELECT b FROM revision WHERE comment = ?1 AND revision = 1";
    let first: Option<Vec<u8>> = connection.prepare_cached(read)?.query_row([row.id], |row| row.get(0)).optional()?;
    let first: codec::Content = match first {
        Some(bytes) => codec::decode_content("a comment's first revision", &bytes)?,
        None => rows::content(connection, row.id)?,
    };
    Ok(Happening {
        version: 1,
        kind: HappeningKind::Received,
        status: first.status,
        decided_by: first.decided_by,
        decision: None,
        category: None,
        reason: None,
        note: None,
        by: Actor::Site(shared.site_name(connection, row.site)?.to_string()),
        at: first.at,
    })
}

/// A UUID v7 of that moment.
pub(super) fn new_uid(at: Timestamp) -> Result<Uuid> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    let ms = u64::try_from(at.as_millis()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid())
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Approve => "approve",
        Action::Hold => "hold",
        Action::Reject => "reject",
    }
}

fn count(comments: usize) -> String {
    if comments == 1 { "1 comment".to_owned() } else { format!("{comments} comments") }
}

//! People's decisions: rulings, undo, what happened to a comment, and the record of who did what.

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::errors::store_error;
use super::queue;
use super::rows::{Cursor, StoredRow, decided_by, decided_by_number, status, status_number};
use super::uid::Uids;
use super::writer::Work;
use crate::domain::decision::{Action, Actor, DecidedBy, Record, Status};
use crate::domain::store::{AuditEntry, Happening, HappeningKind, Page, Result, Ruled, Ruling, StoreError, UndoError};
use crate::domain::time::Timestamp;

/// One thing that happened to a comment.
pub(super) struct Happened<'a> {
    pub(super) row: u64,
    pub(super) version: u32,
    pub(super) kind: HappeningKind,
    pub(super) status: Status,
    pub(super) decided_by: DecidedBy,
    pub(super) ruling: Option<Uuid>,
    pub(super) by: &'a Actor,
    pub(super) at: Timestamp,
}

pub(super) fn happened(connection: &Connection, what: &Happened<'_>) -> Result<()> {
    let sql = "INSERT INTO happening (comment, version, kind, status, decided_by, ruling, by, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let ruling = what.ruling.map(|id| id.as_bytes().to_vec());
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement.execute(params![
                what.row, what.version, json(&what.kind), status_number(what.status), decided_by_number(what.decided_by), ruling,
                json(what.by), what.at.as_millis()
            ])
        })
        .map(drop)
        .map_err(store_error)
}

/// Adds a line to the record of who did what.
pub(super) fn audit(connection: &Connection, by: &Actor, action: &str, subject: &str, detail: &str, at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO audit (at, by, action, subject, detail) VALUES (?, ?, ?, ?, ?)";
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params![at.as_millis(), json(by), action, subject, detail]))
        .map(drop)
        .map_err(store_error)
}

pub(super) fn rule(work: &mut Work<'_>, ruling: &Ruling) -> Result<Ruled> {
    let connection = work.connection;
    let id = Uuid::now_v7_at(ruling.at);
    let mut ruled = Ruled { decision: id, applied: Vec::new(), conflicts: Vec::new(), missing: Vec::new() };
    connection
        .execute(
            "INSERT INTO ruling (id, action, category, reason, note, by, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                id.as_bytes(), status_number(ruling.action.status()), ruling.category.map(|category| json(&category)), ruling.reason,
                ruling.note, json(&ruling.by), ruling.at.as_millis()
            ],
        )
        .map_err(store_error)?;
    let mut seen = std::collections::BTreeSet::new();
    for item in ruling.items.iter().filter(|item| seen.insert(item.uid)) {
        let row = StoredRow::by_uid(connection, work.uids, item.uid)?;
        let Some(row) = row.filter(|row| allowed(ruling.sites.as_deref(), row)) else {
            ruled.missing.push(item.uid);
            continue;
        };
        if row.version != item.seen_version {
            ruled.conflicts.push(row.record(work.uids)?);
            continue;
        }
        let place = queue::remove(connection, row.id)?;
        let sql = "INSERT INTO ruling_item (ruling, comment, version_after, status_before, decided_by_before, priority_before, held_at_before) \
                   VALUES (?, ?, ?, ?, ?, ?, ?)";
        let (priority, held_at) = place.map_or((0.0, None), |(priority, held_at)| (priority, Some(held_at)));
        let values = params![id.as_bytes(), row.id, row.version + 1, row.status, row.decided_by, priority, held_at];
        connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map_err(store_error)?;
        let change = Change { status: ruling.action.status(), decided_by: DecidedBy::Person, kind: HappeningKind::Decided, ruling: id, by: &ruling.by, at: ruling.at };
        ruled.applied.push(apply(work, &row, &change)?);
    }
    if ruled.applied.is_empty() {
        // Nothing came of it, so there is nothing to undo.
        connection.execute("DELETE FROM ruling WHERE id = ?", [id.as_bytes()]).map_err(store_error)?;
    } else {
        let detail = format!("{} {} comments", name(ruling.action), ruled.applied.len());
        audit(connection, &ruling.by, "decision", &id.to_string(), &detail, ruling.at)?;
    }
    Ok(ruled)
}

pub(super) fn unrule(
    work: &mut Work<'_>,
    decision: Uuid,
    by: &Actor,
    sites: Option<&[String]>,
    at: Timestamp,
) -> Result<std::result::Result<Ruled, UndoError>> {
    let connection = work.connection;
    let undone: Option<Option<i64>> = connection
        .query_row("SELECT undone_at FROM ruling WHERE id = ?", [decision.as_bytes()], |row| row.get(0))
        .optional()
        .map_err(store_error)?;
    match undone {
        None => return Ok(Err(UndoError::NotFound)),
        Some(Some(_)) => return Ok(Err(UndoError::AlreadyUndone)),
        Some(None) => {}
    }
    let mut ruled = Ruled { decision, applied: Vec::new(), conflicts: Vec::new(), missing: Vec::new() };
    for item in items(connection, decision)? {
        let Some(row) = StoredRow::find(connection, item.row)? else { continue }; // erased since
        if !allowed(sites, &row) {
            return Ok(Err(UndoError::NotFound));
        }
        if row.version != item.version_after {
            ruled.conflicts.push(row.record(work.uids)?);
            continue;
        }
        let change = Change {
            status: status(item.status)?, decided_by: decided_by(item.decided_by)?, kind: HappeningKind::Undone, ruling: decision, by, at,
        };
        let (record, trace) = apply(work, &row, &change)?;
        if record.status == Status::Held {
            let held_at = item.held_at.map_or(at, Timestamp::from_millis);
            queue::insert(connection, row.id, &queue::Place::again(&row, &record, item.priority, held_at))?;
        }
        ruled.applied.push((record, trace));
    }
    connection
        .execute("UPDATE ruling SET undone_at = ? WHERE id = ?", params![at.as_millis(), decision.as_bytes()])
        .map_err(store_error)?;
    audit(connection, by, "decision.undo", &decision.to_string(), &format!("{} comments", ruled.applied.len()), at)?;
    Ok(Ok(ruled))
}

struct Item {
    row: u64,
    version_after: u32,
    status: u8,
    decided_by: u8,
    priority: f64,
    held_at: Option<i64>,
}

fn items(connection: &Connection, ruling: Uuid) -> Result<Vec<Item>> {
    let sql = "SELECT comment, version_after, status_before, decided_by_before, priority_before, held_at_before FROM ruling_item WHERE ruling = ?";
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let rows = statement.query_map([ruling.as_bytes()], |row| {
        Ok(Item {
            row: row.get(0)?,
            version_after: row.get(1)?,
            status: row.get(2)?,
            decided_by: row.get(3)?,
            priority: row.get(4)?,
            held_at: row.get(5)?,
        })
    });
    rows.and_then(Iterator::collect).map_err(store_error)
}

struct Change<'a> {
    status: Status,
    decided_by: DecidedBy,
    kind: HappeningKind,
    ruling: Uuid,
    by: &'a Actor,
    at: Timestamp,
}

fn apply(work: &Work<'_>, row: &StoredRow, change: &Change<'_>) -> Result<(Record, crate::domain::trace::Trace)> {
    let connection = work.connection;
    connection
        .prepare_cached("UPDATE comment SET status = ?, decided_by = ?, version = version + 1, updated_at = ? WHERE id = ?")
        .and_then(|mut statement| {
            statement.execute(params![status_number(change.status), decided_by_number(change.decided_by), change.at.as_millis(), row.id])
        })
        .map_err(store_error)?;
    happened(connection, &Happened {
        row: row.id, version: row.version + 1, kind: change.kind, status: change.status, decided_by: change.decided_by,
        ruling: Some(change.ruling), by: change.by, at: change.at,
    })?;
    let record = Record {
        version: row.version + 1,
        status: change.status,
        decided_by: change.decided_by,
        updated_at: change.at,
        ..row.record(work.uids)?
    };
    Ok((record, row.trace()?))
}

fn allowed(sites: Option<&[String]>, row: &StoredRow) -> bool {
    sites.is_none_or(|sites| sites.contains(&row.site_name))
}

pub(super) fn history(connection: &Connection, uids: &Uids, uid: Uuid) -> Result<Vec<Happening>> {
    let Some(row) = StoredRow::by_uid(connection, uids, uid)? else { return Ok(Vec::new()) };
    let first: crate::domain::decision::Verdict = {
        let sql = "SELECT verdict FROM revision WHERE comment = ? AND revision = 1";
        let earlier: Option<Vec<u8>> = connection.query_row(sql, [row.id], |row| row.get(0)).optional().map_err(store_error)?;
        crate::storage::codec::decode("a verdict", earlier.as_deref().unwrap_or(&row.verdict))?
    };
    let mut all = vec![Happening {
        version: 1,
        kind: HappeningKind::Received,
        status: first.action.status(),
        decided_by: DecidedBy::Policy,
        decision: None,
        category: None,
        reason: None,
        note: None,
        by: Actor::Site(row.site_name.clone()),
        at: Timestamp::from_millis(row.received_at),
    }];
    let sql = "SELECT h.version, h.kind, h.status, h.decided_by, h.ruling, h.by, h.at, r.category, r.reason, r.note \
               FROM happening h LEFT JOIN ruling r ON r.id = h.ruling WHERE h.comment = ? ORDER BY h.id";
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query([row.id]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let text = |column: usize| row.get::<_, String>(column).map_err(store_error);
        let maybe = |column: usize| row.get::<_, Option<String>>(column).map_err(store_error);
        let ruling: Option<Vec<u8>> = row.get(4).map_err(store_error)?;
        all.push(Happening {
            version: row.get(0).map_err(store_error)?,
            kind: parse(&text(1)?)?,
            status: status(row.get(2).map_err(store_error)?)?,
            decided_by: decided_by(row.get(3).map_err(store_error)?)?,
            decision: ruling.and_then(|bytes| Uuid::from_slice(&bytes).ok()),
            category: maybe(7)?.map(|category| parse(&category)).transpose()?,
            reason: maybe(8)?,
            note: maybe(9)?,
            by: parse(&text(5)?)?,
            at: Timestamp::from_millis(row.get(6).map_err(store_error)?),
        });
    }
    Ok(all)
}

pub(super) fn audit_list(connection: &Connection, cursor: Option<Cursor>, limit: usize) -> Result<Page<AuditEntry>> {
    let sql = "SELECT id, at, by, action, subject, detail FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?";
    let before = cursor.map_or(i64::MAX, |cursor| i64::try_from(cursor.row).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query(params![before, limit + 1]).map_err(store_error)?;
    let mut found: Vec<(u64, AuditEntry)> = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let text = |column: usize| row.get::<_, String>(column).map_err(store_error);
        let at = Timestamp::from_millis(row.get(1).map_err(store_error)?);
        let entry = AuditEntry { by: parse(&text(2)?)?, action: text(3)?, subject: text(4)?, detail: text(5)?, at };
        found.push((row.get(0).map_err(store_error)?, entry));
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map(|(row, _)| Cursor { key: 0, row: *row }.to_string());
    Ok(Page { items: found.into_iter().map(|(_, entry)| entry).collect(), next_cursor: last.filter(|_| more) })
}

fn name(action: Action) -> &'static str {
    match action {
        Action::Approve => "approve",
        Action::Hold => "hold",
        Action::Reject => "reject",
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("`{text}` is not known here: {error}")))
}

/// Version 7 with the service's own time, so that a fake clock makes ids that sort as the tests expect.
trait NowV7At {
    fn now_v7_at(at: Timestamp) -> Uuid;
}

impl NowV7At for Uuid {
    fn now_v7_at(at: Timestamp) -> Uuid {
        let random = Uuid::new_v4().into_bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(&random[6..]);
        uuid::Builder::from_unix_timestamp_millis(u64::try_from(at.as_millis()).unwrap_or(0), &tail).into_uuid()
    }
}

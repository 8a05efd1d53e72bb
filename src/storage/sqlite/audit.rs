//! The record of who did what: written in the transaction of what it records, never changed (triggers see to that), and chained as
//! [`chain`] says.

use rusqlite::{Connection, OptionalExtension, params};

use super::shared::Shared;
use crate::domain::decision::Actor;
use crate::domain::store::{
    AuditCheck, AuditEntry, AuditFilter, AuditLine, ListError, Page, PageRequest, Result, StoreError,
};
use crate::domain::time::Timestamp;
use crate::storage::chain::{self, Check, FROM, HEAD, Hash, NOTHING, chained, head_bytes, head_of, hex, names};

/// Adds a line.
pub(super) fn add(
    connection: &Connection,
    by: &Actor,
    action: &str,
    subject: &str,
    detail: &str,
    at: Timestamp,
) -> Result<()> {
    let last = last(connection)?;
    let (number, before, begins) = match (meta(connection, HEAD)?, &last) {
        (Some(head), _) => {
            let (number, hash) = head_of(&head).unwrap_or((0, NOTHING));
            (number, hash, false)
        }
        // It was taken away: a new one would hide that.
        (None, Some((_, Some(_)))) => (0, NOTHING, false),
        (None, _) if meta(connection, FROM)?.is_some() => (0, NOTHING, false),
        (None, None) => (0, NOTHING, true),
        (None, Some((number, None))) => (*number, unchained(connection)?, true),
    };
    // A line that somebody put there takes a number too: it must not keep others from being written.
    let number = number.max(last.map_or(0, |(number, _)| number)) + 1;
    let (actor, name) = names(by);
    let hash = chained(&before, number, at, &[actor, name, action, subject, detail]);
    let write = "INSERT INTO audit (id, at, actor, name, action, subject, detail, chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(write)?.execute(params![
        number,
        at.as_millis(),
        actor,
        name,
        action,
        subject,
        detail,
        hash
    ])?;
    if begins {
        let from = "INSERT OR IGNORE INTO meta (name, value) VALUES (?1, ?2)";
        connection.prepare_cached(from)?.execute(params![FROM, number.to_le_bytes()])?;
        connection.prepare_cached(from)?.execute(params![HEAD, head_bytes(number, &hash)])?;
    } else {
        let head = "UPDATE meta SET value = ?2 WHERE name = ?1 AND length(value) = 40";
        connection.prepare_cached(head)?.execute(params![HEAD, head_bytes(number, &hash)])?;
    }
    Ok(())
}

/// The number of the last line that is there, and its hash if that is stored.
fn last(connection: &Connection) -> Result<Option<(i64, Option<Hash>)>> {
    let read = "SELECT id, chain FROM audit ORDER BY id DESC LIMIT 1";
    Ok(connection.prepare_cached(read)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// What the hash of the last line would be, where no line has one.
fn unchained(connection: &Connection) -> Result<Hash> {
    let mut hash = NOTHING;
    walk(connection, |number, at, texts, _| {
        hash = chained(&hash, number, at, texts);
        None::<()>
    })?;
    Ok(hash)
}

/// Goes through all lines, oldest first, until `each` finds something.
fn walk<T>(
    connection: &Connection,
    mut each: impl FnMut(i64, Timestamp, &[&str], Option<Hash>) -> Option<T>,
) -> Result<Option<T>> {
    let mut query = connection
        .prepare_cached("SELECT id, at, actor, name, action, subject, detail, chain FROM audit ORDER BY id")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let texts: Vec<String> = (2..7).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        if let Some(found) = each(row.get(0)?, Timestamp::from_millis(row.get(1)?), &texts, row.get(7)?) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether every line is there, in its place, and says what it said; and whether `known` was ever the end of them.
pub(super) fn verify(connection: &Connection, known: Option<Hash>) -> Result<AuditCheck> {
    let mut check = Check::new(known, meta(connection, FROM)?.as_deref());
    let broken = walk(connection, |number, at, texts, written| check.line(number, at, texts, written))?;
    Ok(match broken {
        Some(broken) => broken,
        None => check.end(meta(connection, HEAD)?.as_deref()),
    })
}

fn meta(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>> {
    let mut query = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(query.query_row([name], |row| row.get(0)).optional()?)
}

/// Newest first.
pub(super) fn list(
    connection: &Connection,
    shared: &Shared,
    filter: &AuditFilter,
    page: &PageRequest,
) -> std::result::Result<Page<AuditLine>, ListError> {
    let below = match &page.cursor {
        Some(cursor) => i64::from(super::lists::row_of_cursor(shared, cursor)?),
        None => i64::MAX,
    };
    let limit = super::lists::limit(page);
    let read = "SELECT id, at, actor, name, action, subject, detail, chain FROM audit \
                WHERE id < ?1 AND (?3 IS NULL OR substr(action, 1, length(?3)) = ?3) AND (?4 IS NULL OR name = ?4 COLLATE NOCASE) \
                AND (?5 IS NULL OR subject = ?5 COLLATE NOCASE) AND (?6 IS NULL OR at >= ?6) \
                AND (?7 IS NULL OR at < ?7) AND (?8 IS NULL OR instr(lower(subject), ?8) OR instr(lower(detail), ?8)) AND id > ?9 \
                ORDER BY id DESC LIMIT ?2";
    let q = filter.q.as_deref().map(str::to_ascii_lowercase);
    let (mut first, mut floor, mut below) = (1, 0, below);
    if *filter != AuditFilter::default() {
        if let Some(since) = filter.since {
            first = line_at(connection, since.plus_millis(-CLOCKS_MS))?;
        }
        if let Some(until) = filter.until {
            below = below.min(line_at(connection, until.plus_millis(CLOCKS_MS))?);
        }
        floor = search_floor(connection, below)?.max(first - 1);
    }
    let mut query = connection.prepare_cached(read).map_err(StoreError::from)?;
    let mut rows = query
        .query(params![
            below,
            i64::try_from(limit + 1).unwrap_or(i64::MAX),
            filter.action,
            filter.by,
            filter.subject,
            filter.since.map(Timestamp::as_millis),
            filter.until.map(Timestamp::as_millis),
            q,
            floor,
        ])
        .map_err(StoreError::from)?;
    let (mut items, mut last, mut more) = (Vec::new(), 0_u32, false);
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        if items.len() == limit {
            more = true;
            break;
        }
        last = row.get(0).map_err(StoreError::from)?;
        items.push(line(row)?);
    }
    if !more && floor >= first {
        (more, last) = (true, u32::try_from(floor + 1).unwrap_or(u32::MAX)); // nothing more among those searched
    }
    let next_cursor = more.then(|| super::lists::cursor_of_row(shared, last));
    Ok(Page { items, next_cursor })
}

/// Lines looked through for one page under a filter. A page that finds little in so many is short, and says where to go on.
const SEARCHED: i64 = 100_000;
/// Lines are in the order of their moments as far as the clocks of those who wrote them agree: so many milliseconds.
const CLOCKS_MS: i64 = 3_600_000;

/// The first line that was written at that moment or later: halving, since no index knows of moments.
fn line_at(connection: &Connection, moment: Timestamp) -> Result<i64> {
    let read = "WITH RECURSIVE span (lo, hi) AS (SELECT 1, (SELECT coalesce(max(id), 0) + 1 FROM audit) UNION ALL \
                SELECT CASE WHEN coalesce((SELECT at FROM audit WHERE id = (lo + hi) / 2), 0) < ?1 THEN (lo + hi) / 2 + 1 ELSE lo END, \
                CASE WHEN coalesce((SELECT at FROM audit WHERE id = (lo + hi) / 2), 0) < ?1 THEN hi ELSE (lo + hi) / 2 END \
                FROM span WHERE lo < hi) SELECT lo FROM span WHERE lo >= hi";
    Ok(connection.prepare_cached(read)?.query_row([moment.as_millis()], |row| row.get(0))?)
}

/// The line above which a search stays that goes on below `below`.
fn search_floor(connection: &Connection, below: i64) -> Result<i64> {
    let top = last(connection)?.map_or(0, |(number, _)| number);
    Ok((below.min(top + 1) - 1 - SEARCHED).max(0))
}

/// Oldest first.
pub(super) fn after(connection: &Connection, number: i64, most: usize) -> Result<Vec<AuditLine>> {
    let read =
        "SELECT id, at, actor, name, action, subject, detail, chain FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query(params![number, i64::try_from(most).unwrap_or(i64::MAX)])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.push(line(row)?);
    }
    Ok(lines)
}

fn line(row: &rusqlite::Row<'_>) -> Result<AuditLine> {
    let by = chain::actor(row.get_ref(2)?.as_str().unwrap_or_default(), row.get(3)?)?;
    let entry = AuditEntry {
        by,
        action: row.get(4)?,
        subject: row.get(5)?,
        detail: row.get(6)?,
        at: Timestamp::from_millis(row.get(1)?),
    };
    let hash: Option<Hash> = row.get(7)?;
    Ok(AuditLine { number: row.get(0)?, entry, hash: hash.as_ref().map(hex) })
}

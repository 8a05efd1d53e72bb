//! The record of who did what: written in the transaction of what it records, never changed (triggers see to that).

use rusqlite::{Connection, params};

use super::shared::Shared;
use crate::domain::decision::Actor;
use crate::domain::store::{AuditEntry, ListError, Page, PageRequest, Result, StoreError};
use crate::domain::time::Timestamp;

/// Adds a line.
pub(super) fn add(
    connection: &Connection,
    by: &Actor,
    action: &str,
    subject: &str,
    detail: &str,
    at: Timestamp,
) -> Result<()> {
    let (actor, name) = match by {
        Actor::Site(name) => ("site", name.as_str()),
        Actor::Person(email) => ("person", email.as_str()),
        Actor::Console => ("console", ""),
    };
    let write = "INSERT INTO audit (at, actor, name, action, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(write)?.execute(params![at.as_millis(), actor, name, action, subject, detail])?;
    Ok(())
}

/// Newest first.
pub(super) fn list(
    connection: &Connection,
    shared: &Shared,
    page: &PageRequest,
) -> std::result::Result<Page<AuditEntry>, ListError> {
    let below = match &page.cursor {
        Some(cursor) => i64::from(super::lists::row_of_cursor(shared, cursor)?),
        None => i64::MAX,
    };
    let limit = super::lists::limit(page);
    let read = "SELECT id, at, actor, name, action, subject, detail FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    let mut query = connection.prepare_cached(read).map_err(StoreError::from)?;
    let mut rows =
        query.query(params![below, i64::try_from(limit + 1).unwrap_or(i64::MAX)]).map_err(StoreError::from)?;
    let (mut items, mut last, mut more) = (Vec::new(), 0_u32, false);
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        if items.len() == limit {
            more = true;
            break;
        }
        last = row.get(0).map_err(StoreError::from)?;
        items.push(entry(row)?);
    }
    let next_cursor = more.then(|| super::lists::cursor_of_row(shared, last));
    Ok(Page { items, next_cursor })
}

fn entry(row: &rusqlite::Row<'_>) -> Result<AuditEntry> {
    let name: String = row.get(3)?;
    let by = match row.get_ref(2)?.as_str().unwrap_or_default() {
        "site" => Actor::Site(name),
        "person" => Actor::Person(name),
        "console" => Actor::Console,
        other => return Err(StoreError::Corrupt(format!("actor {other}"))),
    };
    Ok(AuditEntry {
        by,
        action: row.get(4)?,
        subject: row.get(5)?,
        detail: row.get(6)?,
        at: Timestamp::from_millis(row.get(1)?),
    })
}

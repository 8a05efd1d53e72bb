//! Rows to domain values and back: numbers for states, records, cursors.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row};
use uuid::Uuid;

use super::errors::store_error;
use super::index;
use super::uid::Uids;
use crate::domain::decision::{DecidedBy, Record, Status};
use crate::domain::site::SiteId;
use crate::domain::store::{ContentHash, ListError, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::decode;

/// The status number of a row whose content was erased.
pub(super) const ERASED: u8 = 3;

/// The columns of [`StoredRow`], in order.
pub(super) const COLUMNS: &str = "c.id, s.name, c.site, c.status, c.decided_by, c.version, c.revision, c.received_at, \
     c.updated_at, c.content, c.trace, c.subject, c.verdict, c.author_hash, c.article_hash, c.prev_author, c.prev_article";

/// A comment's row.
pub(super) struct StoredRow {
    pub(super) id: u64,
    pub(super) site: SiteId,
    pub(super) site_name: String,
    pub(super) status: u8,
    pub(super) decided_by: u8,
    pub(super) version: u32,
    pub(super) revision: u32,
    pub(super) received_at: i64,
    pub(super) updated_at: i64,
    pub(super) content: [u8; 16],
    pub(super) trace: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) verdict: Vec<u8>,
    pub(super) author: u64,
    pub(super) article: u64,
    pub(super) prev_author: Option<u64>,
    pub(super) prev_article: Option<u64>,
}

impl StoredRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            site_name: row.get(1)?,
            site: SiteId(row.get(2)?),
            status: row.get(3)?,
            decided_by: row.get(4)?,
            version: row.get(5)?,
            revision: row.get(6)?,
            received_at: row.get(7)?,
            updated_at: row.get(8)?,
            content: row.get(9)?,
            trace: row.get(10)?,
            subject: row.get(11)?,
            verdict: row.get(12)?,
            author: index::hash(row.get(13)?),
            article: index::hash(row.get(14)?),
            prev_author: row.get(15)?,
            prev_article: row.get(16)?,
        })
    }

    /// The row of that number, unless it was erased.
    pub(super) fn find(connection: &Connection, id: u64) -> Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM comment c JOIN site s ON s.id = c.site WHERE c.id = ? AND c.status <> {ERASED}");
        let mut statement = connection.prepare_cached(&sql).map_err(store_error)?;
        statement.query_row([id], Self::read).optional().map_err(store_error)
    }

    /// The row that a uid of ours names, unless it was erased.
    pub(super) fn by_uid(connection: &Connection, uids: &Uids, uid: Uuid) -> Result<Option<Self>> {
        let Some((id, at)) = uids.read(uid) else { return Ok(None) };
        Ok(Self::find(connection, id)?.filter(|row| row.received_at == at.as_millis()))
    }

    pub(super) fn uid(&self, uids: &Uids) -> Uuid {
        uids.make(self.id, Timestamp::from_millis(self.received_at))
    }

    pub(super) fn trace(&self) -> Result<Trace> {
        decode("a comment's trace", &self.trace)
    }

    pub(super) const fn content(&self) -> ContentHash {
        ContentHash(u128::from_le_bytes(self.content))
    }

    pub(super) fn record(&self, uids: &Uids) -> Result<Record> {
        Ok(Record {
            uid: self.uid(uids),
            site: Arc::from(self.site_name.as_str()),
            comment: decode("a comment", &self.subject)?,
            revision: self.revision,
            version: self.version,
            status: status(self.status)?,
            decided_by: decided_by(self.decided_by)?,
            verdict: decode("a verdict", &self.verdict)?,
            received_at: Timestamp::from_millis(self.received_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }
}

pub(super) const fn status_number(status: Status) -> u8 {
    match status {
        Status::Approved => 0,
        Status::Held => 1,
        Status::Rejected => 2,
    }
}

pub(super) fn status(number: u8) -> Result<Status> {
    match number {
        0 => Ok(Status::Approved),
        1 => Ok(Status::Held),
        2 => Ok(Status::Rejected),
        other => Err(StoreError::Corrupt(format!("a comment has the status number {other}"))),
    }
}

pub(super) const fn decided_by_number(by: DecidedBy) -> u8 {
    match by {
        DecidedBy::Policy => 0,
        DecidedBy::Person => 1,
        DecidedBy::Rule => 2,
    }
}

pub(super) fn decided_by(number: u8) -> Result<DecidedBy> {
    match number {
        0 => Ok(DecidedBy::Policy),
        1 => Ok(DecidedBy::Person),
        2 => Ok(DecidedBy::Rule),
        other => Err(StoreError::Corrupt(format!("a comment was decided by number {other}"))),
    }
}

/// A cursor: the key of the last item of a page, as one or two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cursor {
    /// The sort key's bits, or 0 where the row is the key.
    pub(super) key: u64,
    /// The row.
    pub(super) row: u64,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}.{:x}", self.key, self.row)
    }
}

pub(super) fn cursor(text: Option<&str>) -> std::result::Result<Option<Cursor>, ListError> {
    let Some(text) = text else { return Ok(None) };
    let number = |part: &str| u64::from_str_radix(part, 16).map_err(|_| ListError::BadCursor);
    let (key, row) = text.split_once('.').ok_or(ListError::BadCursor)?;
    Ok(Some(Cursor { key: number(key)?, row: number(row)? }))
}

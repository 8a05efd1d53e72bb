//! Reading comments back: from rows to what the domain calls a record.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::index::{Chain, Keys};
use super::shared::Shared;
use super::{samples, start};
use crate::domain::decision::{DecidedBy, Record, Status};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content};

/// A row of `comment`.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub id: u32,
    pub site: SiteId,
    /// `None` when erased.
    pub status: Option<Status>,
    pub decided_by: DecidedBy,
    pub revision: u32,
    pub version: u32,
    pub received_at: Timestamp,
    pub updated_at: Timestamp,
    pub prev_site: u32,
    pub prev_author: u32,
    pub prev_article: u32,
    /// As first stored: the chains that it hangs in.
    pub keys: Keys,
    pub trace: Vec<u8>,
}

pub(super) const COLUMNS: &str = "id, site, status, decided_by, revision, version, received_at, updated_at, \
                                  prev_site, prev_author, prev_article, keys, trace";

/// How many columns those are.
pub(super) const COLUMN_COUNT: usize = 13;

impl Row {
    /// The row before it in a chain; zero for none.
    pub(super) fn prev(&self, chain: Chain) -> u32 {
        match chain {
            Chain::Site => self.prev_site,
            Chain::Author | Chain::Account => self.prev_author,
            Chain::Article => self.prev_article,
        }
    }

    /// What it is, when it is not erased.
    pub(super) fn live(&self) -> Result<Status> {
        self.status.ok_or_else(|| StoreError::Corrupt(format!("comment row {} is erased, and used", self.id)))
    }

    pub(super) fn trace(&self) -> Result<Trace> {
        codec::decode_trace("a comment's trace", &self.trace)
    }

    pub(super) fn uid(&self, shared: &Shared) -> Uuid {
        shared.seal.uid(self.received_at, self.id)
    }

    /// Reads a row of [`COLUMNS`].
    pub(super) fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        let status = codec::status_of(row.get(2)?)?;
        Ok(Self {
            id: row.get(0)?,
            site: SiteId(row.get(1)?),
            status,
            decided_by: codec::decided_by_of(row.get(3)?)?,
            revision: row.get(4)?,
            version: row.get(5)?,
            received_at: Timestamp::from_millis(row.get(6)?),
            updated_at: Timestamp::from_millis(row.get(7)?),
            prev_site: row.get(8)?,
            prev_author: row.get(9)?,
            prev_article: row.get(10)?,
            keys: start::keys(row.get_ref(11)?)?,
            trace: row.get(12)?,
        })
    }
}

/// The row of that number, erased or not.
pub(super) fn row(connection: &Connection, id: u32) -> Result<Option<Row>> {
    let mut query = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM comment WHERE id = ?1"))?;
    let mut rows = query.query([id])?;
    rows.next()?.map(Row::read).transpose()
}

/// The comment that a uid names, unless it is erased.
pub(super) fn by_uid(connection: &Connection, shared: &Shared, uid: Uuid) -> Result<Option<Row>> {
    let Some(sealed) = shared.seal.open(uid) else { return Ok(None) };
    let row = row(connection, sealed.row)?;
    Ok(row.filter(|row| row.status.is_some() && sealed.is_of(row.received_at)))
}

/// What a live row says.
pub(super) fn content(connection: &Connection, id: u32) -> Result<Content> {
    let mut query = connection.prepare_cached("SELECT b FROM content WHERE id = ?1")?;
    let bytes: Option<Vec<u8>> = query.query_row([id], |row| row.get(0)).optional()?;
    let bytes = bytes.ok_or_else(|| StoreError::Corrupt(format!("comment row {id} has no content")))?;
    codec::decode_content("a comment", &bytes)
}

/// Of the candidates, the live comment that really has this id.
pub(super) fn find(
    connection: &Connection,
    candidates: &[u32],
    site: SiteId,
    id: &str,
) -> Result<Option<(Row, Content)>> {
    for candidate in candidates {
        let Some(row) = row(connection, *candidate)?.filter(|row| row.status.is_some() && row.site == site) else {
            continue;
        };
        let content = content(connection, row.id)?;
        if content.comment.id.as_str() == id {
            return Ok(Some((row, content)));
        }
    }
    Ok(None)
}

/// Puts a record together.
pub(super) fn record(connection: &Connection, shared: &Shared, row: &Row, content: Content) -> Result<Record> {
    let waits = samples::waits(connection, row.id)?;
    record_named(shared, shared.site_name(connection, row.site)?, row, content, waits)
}

/// Puts a record of the site called `name` together.
pub(super) fn record_named(
    shared: &Shared,
    name: Arc<str>,
    row: &Row,
    content: Content,
    waits: bool,
) -> Result<Record> {
    Ok(Record {
        uid: row.uid(shared),
        site: name,
        comment: content.comment,
        revision: row.revision,
        version: row.version,
        status: row.live()?,
        decided_by: row.decided_by,
        verdict: content.verdict,
        waits,
        received_at: row.received_at,
        updated_at: row.updated_at,
    })
}

/// The record of a live row.
pub(super) fn load(connection: &Connection, shared: &Shared, row: &Row) -> Result<Record> {
    record(connection, shared, row, content(connection, row.id)?)
}

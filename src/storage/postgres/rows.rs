//! Reading comments back: from rows to what the domain calls a record.

use std::sync::Arc;

use tokio_postgres::Row as Cell;
use uuid::Uuid;

use super::db::{Cells as _, Db, number};
use super::samples;
use super::work::Work;
use crate::domain::decision::{DecidedBy, Record, Status};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content};

/// A comment's row. Whoever writes it locked it before ([`lock`]), so that nobody else changes it meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub site: SiteId,
    pub uid: Uuid,
    pub status: Status,
    pub decided_by: DecidedBy,
    pub revision: u32,
    pub version: u32,
    pub received_at: Timestamp,
    pub updated_at: Timestamp,
    /// Hashes under the database's secret; 0 for no account.
    pub author: u64,
    pub account: u64,
    pub article: u64,
    pub trace: Vec<u8>,
    /// The latest revision, as [`codec`] writes it.
    pub bytes: Vec<u8>,
}

/// For a `SELECT` from `comment c`.
pub(super) const COLUMNS: &str = "c.site, c.uid, c.status, c.decided_by, c.revision, c.version, c.received_at, c.updated_at, c.author, \
                                  c.account, c.article, c.trace, c.b";

impl Row {
    /// Reads a row of [`COLUMNS`].
    pub(super) fn read(row: &Cell) -> Result<Self> {
        let status = codec::status_of(i64::from(row.cell::<i16>(2)?))?;
        let key = |at| row.cell::<i64>(at).map(i64::cast_unsigned);
        Ok(Self {
            site: row.site(0)?,
            uid: row.cell(1)?,
            status: status.ok_or_else(|| StoreError::Corrupt("a comment without status".to_owned()))?,
            decided_by: codec::decided_by_of(i64::from(row.cell::<i16>(3)?))?,
            revision: row.natural(4)?,
            version: row.natural(5)?,
            received_at: Timestamp::from_millis(row.cell(6)?),
            updated_at: Timestamp::from_millis(row.cell(7)?),
            author: key(8)?,
            account: key(9)?,
            article: key(10)?,
            trace: row.cell(11)?,
            bytes: row.cell(12)?,
        })
    }

    pub(super) fn trace(&self) -> Result<Trace> {
        codec::decode_trace("a comment's trace", &self.trace)
    }

    /// What it says.
    pub(super) fn content(&self) -> Result<Content> {
        codec::decode_content("a comment", &self.bytes)
    }
}

/// The comment of that uid. A uid does not say its site, and sites are few: the index is asked once for each.
pub(super) async fn by_uid(db: &Db, uid: Uuid) -> Result<Option<Row>> {
    let read = format!("SELECT {COLUMNS} FROM site s JOIN comment c ON c.site = s.id WHERE c.uid = $1");
    db.query_opt(&read, &[&uid]).await?.as_ref().map(Row::read).transpose()
}

/// The comment of that uid, which nobody else changes until `work` ends. To be locked in the order of uids when there are several, so that
/// two transactions do not wait for each other.
pub(super) async fn lock(work: &Work, uid: Uuid) -> Result<Option<Row>> {
    let read = format!("SELECT {COLUMNS} FROM site s JOIN comment c ON c.site = s.id WHERE c.uid = $1 FOR UPDATE OF c");
    work.query_opt(&read, &[&uid]).await?.as_ref().map(Row::read).transpose()
}

/// The comment of that site and uid.
pub(super) async fn row(db: &Db, site: SiteId, uid: Uuid) -> Result<Option<Row>> {
    let read = format!("SELECT {COLUMNS} FROM comment c WHERE c.site = $1 AND c.uid = $2");
    db.query_opt(&read, &[&number(site), &uid]).await?.as_ref().map(Row::read).transpose()
}

/// The comment that a site calls so.
pub(super) async fn find(db: &Db, site: SiteId, name: &str) -> Result<Option<Row>> {
    let read = format!(
        "SELECT {COLUMNS} FROM comment_name n JOIN comment c ON c.site = n.site AND c.uid = n.comment WHERE n.site = $1 AND n.name = $2"
    );
    db.query_opt(&read, &[&number(site), &name]).await?.as_ref().map(Row::read).transpose()
}

/// The same, which nobody else changes until `work` ends.
pub(super) async fn find_locked(work: &Work, site: SiteId, name: &str) -> Result<Option<Row>> {
    let Some(row) = find(work, site, name).await? else { return Ok(None) };
    lock(work, row.uid).await
}

/// Puts a record together.
pub(super) async fn record(db: &Db, row: &Row, content: Content) -> Result<Record> {
    let waits = samples::waits(db, row.site, row.uid).await?;
    Ok(record_named(db.site_name(db, row.site).await?, row, content, waits))
}

/// Puts a record of the site called `name` together.
pub(super) fn record_named(name: Arc<str>, row: &Row, content: Content, waits: bool) -> Record {
    Record {
        uid: row.uid,
        site: name,
        comment: content.comment,
        revision: row.revision,
        version: row.version,
        status: row.status,
        decided_by: row.decided_by,
        verdict: content.verdict,
        waits,
        received_at: row.received_at,
        updated_at: row.updated_at,
    }
}

/// The record of a row.
pub(super) async fn load(db: &Db, row: &Row) -> Result<Record> {
    record(db, row, row.content()?).await
}

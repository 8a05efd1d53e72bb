//! Comments in commit order, with everything that happened to them.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::rows::{self, COLUMNS, Row};
use super::shared::Shared;
use super::{SqliteStore, rulings, start};
use crate::domain::decision::DecidedBy;
use crate::domain::history::Standing;
use crate::domain::recordings::{Recorded, Recordings, Revision};
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Content};

fn recorded(
    connection: &Connection,
    shared: &Shared,
    since: Timestamp,
    after: u128,
    most: usize,
) -> Result<Vec<Recorded>> {
    let floor = start::first_row_since(connection, since.as_millis())?;
    let after = u32::try_from(after).unwrap_or(u32::MAX).max(floor.saturating_sub(1));
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let read = format!(
        "SELECT {COLUMNS} FROM comment WHERE id > ?1 AND received_at >= ?2 AND status <> 0 ORDER BY id LIMIT ?3"
    );
    let mut query = connection.prepare_cached(&read)?;
    let mut found = query.query(params![after, since.as_millis(), most])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.push(whole(connection, shared, &Row::read(row)?)?);
    }
    Ok(all)
}

fn whole(connection: &Connection, shared: &Shared, row: &Row) -> Result<Recorded> {
    let mut revisions = Vec::with_capacity(row.revision as usize);
    if row.revision > 1 {
        let read = "SELECT b FROM revision WHERE comment = ?1 ORDER BY revision";
        let mut query = connection.prepare_cached(read)?;
        let mut found = query.query([row.id])?;
        while let Some(earlier) = found.next()? {
            revisions.push(revision(codec::decode_content("an earlier revision", &earlier.get::<_, Vec<u8>>(0)?)?));
        }
    }
    revisions.push(revision(rows::content(connection, row.id)?));
    // What never changed costs no look.
    let happenings = if row.version > 1 { rulings::happenings(connection, row.id)? } else { Vec::new() };
    Ok(Recorded {
        place: u128::from(row.id),
        site: row.site,
        uid: row.uid(shared),
        standing: Standing { status: row.live()?, by_person: row.decided_by == DecidedBy::Person },
        revisions,
        happenings,
    })
}

fn revision(content: Content) -> Revision {
    let Content { comment, verdict, status, decided_by, at, .. } = content;
    Revision { comment, verdict, status, decided_by, at }
}

#[async_trait]
impl Recordings for SqliteStore {
    async fn recorded(&self, since: Timestamp, after: u128, most: usize) -> Result<Vec<Recorded>> {
        let shared = Arc::clone(&self.shared);
        self.readers.ask(move |connection| recorded(connection, &shared, since, after, most)).await
    }
}

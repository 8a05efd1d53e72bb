//! Comments in the order of their uids, with everything that happened to them.

use async_trait::async_trait;
use futures_util::future::try_join;
use uuid::Uuid;

use super::db::{Cells as _, Db, number};
use super::rows::{COLUMNS, Row};
use super::{PostgresStore, rulings, uid};
use crate::domain::decision::DecidedBy;
use crate::domain::history::Standing;
use crate::domain::recordings::{Recorded, Recordings, Revision};
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Content};

/// Uids are in order within a site only as far as an index goes: the next of each site are read, and the next of all are among them.
async fn recorded(db: &Db, since: Timestamp, after: u128, most: usize) -> Result<Vec<Recorded>> {
    let first = uid::first(since).as_u128().saturating_sub(1);
    let after = Uuid::from_u128(after.max(first));
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let read = format!(
        "SELECT c.* FROM site s CROSS JOIN LATERAL (SELECT {COLUMNS} FROM comment c WHERE c.site = s.id AND c.uid > $1 \
         ORDER BY c.uid LIMIT $2) c ORDER BY c.uid LIMIT $2"
    );
    let mut all = Vec::new();
    for row in db.query(&read, &[&after, &most]).await? {
        all.push(whole(db, &Row::read(&row)?).await?);
    }
    Ok(all)
}

async fn whole(db: &Db, row: &Row) -> Result<Recorded> {
    let (mut revisions, mut happenings) = (Vec::new(), Vec::new());
    if row.version > 1 {
        let (earlier, happened) = try_join(earlier(db, row), rulings::happenings(db, row)).await?;
        (revisions, happenings) = (earlier, happened);
    }
    revisions.push(revision(row.content()?));
    Ok(Recorded {
        place: row.uid.as_u128(),
        site: row.site,
        uid: row.uid,
        standing: Standing { status: row.status, by_person: row.decided_by == DecidedBy::Person },
        revisions,
        happenings,
    })
}

async fn earlier(db: &Db, row: &Row) -> Result<Vec<Revision>> {
    if row.revision == 1 {
        return Ok(Vec::new());
    }
    let read = "SELECT b FROM revision WHERE site = $1 AND comment = $2 ORDER BY revision";
    let found = db.query(read, &[&number(row.site), &row.uid]).await?;
    let read = |row: &tokio_postgres::Row| Ok(revision(codec::decode_content("an earlier revision", row.cell(0)?)?));
    found.iter().map(read).collect()
}

fn revision(content: Content) -> Revision {
    let Content { comment, verdict, status, decided_by, at, .. } = content;
    Revision { comment, verdict, status, decided_by, at }
}

#[async_trait]
impl Recordings for PostgresStore {
    async fn recorded(&self, since: Timestamp, after: u128, most: usize) -> Result<Vec<Recorded>> {
        let db = self.snapshot().await?; // a comment, its revisions and what happened to it are of one moment
        recorded(&db, since, after, most).await
    }
}

//! Whose turn it is, and which nodes there are.

use async_trait::async_trait;

use super::PostgresStore;
use super::db::{Cells as _, signed};
use super::work::transact;
use crate::domain::nodes::{Node, Nodes};
use crate::domain::store::Result;
use crate::domain::time::Timestamp;

/// Where the mark of the key lies in `meta`.
const KEY_MARK: &str = "key_mark";

/// A node that was heard of in the last minute, or whose turn it is with something. Nodes say every few seconds that they are there; their
/// clocks may be some seconds off.
pub(in crate::storage) const SERVING: &str = "WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now) \
                       SELECT name FROM node, clock WHERE seen_at > now - 60000 \
                       UNION ALL SELECT holder FROM lease, clock WHERE until > now LIMIT 1";

impl PostgresStore {
    /// A node that serves this database, by name, if one does. One that was killed counts for a minute.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn served_by(&self) -> Result<Option<String>> {
        self.db().await?.query_opt(SERVING, &[]).await?.map(|row| row.cell(0)).transpose()
    }
}

#[async_trait]
impl Nodes for PostgresStore {
    async fn lease_take(&self, name: &str, holder: &str, until: Timestamp, now: Timestamp) -> Result<bool> {
        // One statement: of two that come at once the second waits for the first one's row, and sees whose it is.
        let take = "INSERT INTO lease (name, holder, until) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE \
                    SET holder = excluded.holder, until = excluded.until WHERE lease.holder = excluded.holder OR lease.until <= $4";
        let db = self.db().await?;
        Ok(db.execute(take, &[&name, &holder, &until.as_millis(), &now.as_millis()]).await? > 0)
    }

    async fn lease_drop(&self, name: &str, holder: &str) -> Result<()> {
        let db = self.db().await?;
        db.execute("DELETE FROM lease WHERE name = $1 AND holder = $2", &[&name, &holder]).await?;
        Ok(())
    }

    async fn node_seen(&self, node: &Node, forget_before: Timestamp) -> Result<()> {
        let write = "INSERT INTO node (name, version, schema, started_at, seen_at, config) VALUES ($1, $2, $3, $4, $5, $6) \
                     ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, config = excluded.config";
        transact!(self, work => async {
            let Node { name, version, schema, started_at, seen_at, config } = node;
            let (started_at, seen_at) = (started_at.as_millis(), seen_at.as_millis());
            work.execute(write, &[name, version, &signed(*schema), &started_at, &seen_at, config]).await?;
            let old = "DELETE FROM node WHERE seen_at < $1";
            work.execute(old, &[&forget_before.as_millis()]).await?;
            Ok(())
        }.await)
    }

    async fn node_gone(&self, name: &str) -> Result<()> {
        let db = self.db().await?;
        db.execute("DELETE FROM node WHERE name = $1", &[&name]).await?;
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        let db = self.db().await?;
        let read = "SELECT name, version, schema, started_at, seen_at, config FROM node ORDER BY started_at, name";
        let node = |row: &tokio_postgres::Row| -> Result<Node> {
            Ok(Node {
                name: row.cell(0)?,
                version: row.cell(1)?,
                schema: row.natural(2)?,
                started_at: Timestamp::from_millis(row.cell(3)?),
                seen_at: Timestamp::from_millis(row.cell(4)?),
                config: row.cell(5)?,
            })
        };
        db.query(read, &[]).await?.iter().map(node).collect()
    }

    async fn key_mark(&self) -> Result<Option<Vec<u8>>> {
        let found = self.db().await?.query_opt("SELECT value FROM meta WHERE name = $1", &[&KEY_MARK]).await?;
        found.map(|row| Ok(row.cell::<&[u8]>(0)?.to_vec())).transpose()
    }

    async fn key_mark_set(&self, from: Option<Vec<u8>>, to: Vec<u8>) -> Result<bool> {
        let db = self.db().await?;
        let written = if let Some(from) = &from {
            let write = "UPDATE meta SET value = $2 WHERE name = $1 AND value = $3";
            db.execute(write, &[&KEY_MARK, &to, from]).await?
        } else {
            let write = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
            db.execute(write, &[&KEY_MARK, &to]).await?
        };
        Ok(written > 0)
    }

    fn schema(&self) -> u32 {
        super::open::schema_known()
    }
}

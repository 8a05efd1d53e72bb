//! Leases and nodes: one process serves a file, so it gets what it asks for; the rows are there so that both engines keep the same promises.

use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStore;
use crate::domain::nodes::{Node, Nodes};
use crate::domain::store::Result;
use crate::domain::time::Timestamp;

#[async_trait]
impl Nodes for SqliteStore {
    async fn lease_take(&self, name: &str, holder: &str, until: Timestamp, now: Timestamp) -> Result<bool> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        let take = "INSERT INTO lease (name, holder, until) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE \
                    SET holder = excluded.holder, until = excluded.until WHERE lease.holder = excluded.holder OR lease.until <= ?4";
        let params = move |work: &mut super::writer::Work<'_>| -> Result<bool> {
            let params = params![name, holder, until.as_millis(), now.as_millis()];
            Ok(work.connection.prepare_cached(take)?.execute(params)? > 0)
        };
        self.writer.run(params).await
    }

    async fn lease_drop(&self, name: &str, holder: &str) -> Result<()> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        let drop = move |work: &mut super::writer::Work<'_>| -> Result<()> {
            let write = "DELETE FROM lease WHERE name = ?1 AND holder = ?2";
            work.connection.prepare_cached(write)?.execute(params![name, holder])?;
            Ok(())
        };
        self.writer.run(drop).await
    }

    async fn node_seen(&self, node: &Node, forget_before: Timestamp) -> Result<()> {
        let node = node.clone();
        let note = move |work: &mut super::writer::Work<'_>| -> Result<()> {
            let write = "INSERT INTO node (name, version, schema, started_at, seen_at, config) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                         ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, config = excluded.config";
            let Node { name, version, schema, started_at, seen_at, config } = &node;
            let params = params![name, version, schema, started_at.as_millis(), seen_at.as_millis(), config];
            work.connection.prepare_cached(write)?.execute(params)?;
            let old = "DELETE FROM node WHERE seen_at < ?1";
            work.connection.prepare_cached(old)?.execute([forget_before.as_millis()])?;
            Ok(())
        };
        self.writer.run(note).await
    }

    async fn node_gone(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let forget = move |work: &mut super::writer::Work<'_>| -> Result<()> {
            work.connection.prepare_cached("DELETE FROM node WHERE name = ?1")?.execute([name])?;
            Ok(())
        };
        self.writer.run(forget).await
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        let read = |connection: &rusqlite::Connection| -> Result<_> {
            let read = "SELECT name, version, schema, started_at, seen_at, config FROM node ORDER BY started_at, name";
            let mut query = connection.prepare_cached(read)?;
            let nodes = query.query_map([], |row| {
                Ok(Node {
                    name: row.get(0)?,
                    version: row.get(1)?,
                    schema: row.get(2)?,
                    started_at: Timestamp::from_millis(row.get(3)?),
                    seen_at: Timestamp::from_millis(row.get(4)?),
                    config: row.get(5)?,
                })
            })?;
            Ok(nodes.collect::<rusqlite::Result<_>>()?)
        };
        self.readers.ask(read).await
    }

    fn schema(&self) -> u32 {
        super::open::schema_known()
    }
}

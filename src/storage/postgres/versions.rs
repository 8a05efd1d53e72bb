//! Configurations that services ran under.

use async_trait::async_trait;

use super::PostgresStore;
use super::db::Cells as _;
use super::work::transact;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::versions::{How, KEPT, Taken, Version, Versions};

#[async_trait]
impl Versions for PostgresStore {
    async fn version_taken(&self, version: &Version, taken: &Taken) -> Result<()> {
        let json = |list: serde_json::Result<String>| list.map_err(|error| StoreError::Corrupt(error.to_string()));
        let (files, waiting) =
            (json(serde_json::to_string(&version.files))?, json(serde_json::to_string(&taken.waiting))?);
        let keep = "INSERT INTO config_version (hash, text, files) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING";
        let note = "INSERT INTO config_taken (version, policy, how, at, who, waiting) VALUES ($1, $2, $3, $4, $5, $6)";
        // One at a time: a node may take again what another one is about to forget.
        let alone = "LOCK TABLE config_taken IN SHARE ROW EXCLUSIVE MODE";
        let forget = "DELETE FROM config_taken WHERE version NOT IN \
                      (SELECT version FROM config_taken GROUP BY version ORDER BY max(id) DESC LIMIT $1)";
        let sweep = "DELETE FROM config_version WHERE hash NOT IN (SELECT version FROM config_taken)";
        let kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
        transact!(self, work => async {
            work.execute(alone, &[]).await?;
            let Version { hash, text, .. } = version;
            work.execute(keep, &[hash, text, &files]).await?;
            let Taken { version, policy, how, at, by, .. } = taken;
            work.execute(note, &[version, policy, &how.name(), &at.as_millis(), by, &waiting]).await?;
            work.execute(forget, &[&kept]).await?;
            work.execute(sweep, &[]).await?;
            Ok(())
        }.await)
    }

    async fn versions_taken(&self, most: usize) -> Result<Vec<Taken>> {
        let read = "SELECT version, policy, how, at, who, waiting FROM config_taken ORDER BY id DESC LIMIT $1";
        let taken = |row: &tokio_postgres::Row| -> Result<Taken> {
            let (how, waiting): (String, String) = (row.cell(2)?, row.cell(5)?);
            Ok(Taken {
                version: row.cell(0)?,
                policy: row.cell(1)?,
                how: How::named(&how).ok_or_else(|| StoreError::Corrupt(format!("a configuration taken by {how}")))?,
                at: Timestamp::from_millis(row.cell(3)?),
                by: row.cell(4)?,
                waiting: serde_json::from_str(&waiting).map_err(|error| StoreError::Corrupt(error.to_string()))?,
            })
        };
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.db().await?.query(read, &[&most]).await?.iter().map(taken).collect()
    }

    async fn version(&self, hash: &str) -> Result<Option<Version>> {
        let read = "SELECT text, files FROM config_version WHERE hash = $1";
        let found = self.db().await?.query_opt(read, &[&hash]).await?;
        let version = |row: tokio_postgres::Row| -> Result<Version> {
            let files: String = row.cell(1)?;
            let files = serde_json::from_str(&files).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            Ok(Version { hash: hash.to_owned(), text: row.cell(0)?, files })
        };
        found.map(version).transpose()
    }

    async fn versions_like(&self, beginning: &str) -> Result<Vec<String>> {
        let read = "SELECT version FROM config_taken WHERE starts_with(version, $1) OR starts_with(policy, $1) \
                    GROUP BY version ORDER BY max(id) DESC";
        self.db().await?.query(read, &[&beginning]).await?.iter().map(|row| row.cell(0)).collect()
    }
}

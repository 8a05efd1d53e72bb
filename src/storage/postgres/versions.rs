//! Configurations that services ran under.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::PostgresStore;
use super::db::Cells as _;
use super::work::transact;
use crate::domain::rules::was::{RuleSet, said_in};
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::versions::{How, KEPT, RULE_SETS_KEPT, RULES_KEPT, Taken, Version, Versions};
use crate::storage::codec;

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
            // Which rules there are under settings of which that is not kept yet: these, and those that an earlier version of the program took.
            let lacking = "SELECT t.policy, max(t.version) FROM config_taken t LEFT JOIN rule_set_of o ON o.policy = t.policy \
                           WHERE o.policy IS NULL GROUP BY t.policy ORDER BY max(t.id)";
            for row in work.query(lacking, &[]).await? {
                let (policy, version): (String, String) = (row.cell(0)?, row.cell(1)?);
                let text: String =
                    work.query_one("SELECT text FROM config_version WHERE hash = $1", &[&version]).await?.cell(0)?;
                let (name, b) = codec::encode_rules(&said_in(&text))?;
                let keep = "INSERT INTO rule_set (name, b) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
                work.execute(keep, &[&name, &b]).await?;
                work.execute("INSERT INTO rule_set_of (policy, rules) VALUES ($1, $2)", &[&policy, &name]).await?;
            }
            let forget = "DELETE FROM rule_set_of WHERE id <= (SELECT max(id) FROM rule_set_of) - $1 OR rules NOT IN \
                          (SELECT rules FROM rule_set_of GROUP BY rules ORDER BY max(id) DESC LIMIT $2)";
            work.execute(forget, &[&RULES_KEPT, &RULE_SETS_KEPT]).await?;
            work.execute("DELETE FROM rule_set WHERE name NOT IN (SELECT rules FROM rule_set_of)", &[]).await?;
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

    async fn rule_sets_of(&self, policies: &[String]) -> Result<BTreeMap<String, String>> {
        let read = "SELECT policy, rules FROM rule_set_of WHERE policy = ANY($1)";
        let found = self.db().await?.query(read, &[&policies]).await?;
        found.iter().map(|row| Ok((row.cell(0)?, row.cell(1)?))).collect()
    }

    async fn rule_set(&self, name: &str) -> Result<Option<RuleSet>> {
        let found = self.db().await?.query_opt("SELECT b FROM rule_set WHERE name = $1", &[&name]).await?;
        found.map(|row| codec::decode("a set of rules", row.cell(0)?)).transpose()
    }
}

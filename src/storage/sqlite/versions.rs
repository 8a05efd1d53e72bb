//! Configurations that services ran under.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::SqliteStore;
use crate::domain::rules::was::{RuleSet, said_in};
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::versions::{How, KEPT, RULE_SETS_KEPT, RULES_KEPT, Taken, Version, Versions};
use crate::storage::codec;

/// Keeps which rules there are under settings of which that is not kept yet: those just taken, and those that an earlier version of the program took.
fn keep_rules(connection: &Connection) -> Result<()> {
    let lacking = "SELECT t.policy, max(t.version) FROM config_taken t LEFT JOIN rule_set_of o ON o.policy = t.policy \
                   WHERE o.policy IS NULL GROUP BY t.policy ORDER BY max(t.id)";
    let lacking: Vec<(String, String)> = connection
        .prepare_cached(lacking)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (policy, version) in lacking {
        let read = "SELECT text FROM config_version WHERE hash = ?1";
        let text: String = connection.prepare_cached(read)?.query_row([version], |row| row.get(0))?;
        let (name, b) = codec::encode_rules(&said_in(&text))?;
        let keep = "INSERT INTO rule_set (name, b) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
        connection.prepare_cached(keep)?.execute(params![name, b])?;
        let note = "INSERT INTO rule_set_of (policy, rules) VALUES (?1, ?2)";
        connection.prepare_cached(note)?.execute(params![policy, name])?;
    }
    let forget = "DELETE FROM rule_set_of WHERE id <= (SELECT max(id) FROM rule_set_of) - ?1 OR rules NOT IN \
                  (SELECT rules FROM rule_set_of GROUP BY rules ORDER BY max(id) DESC LIMIT ?2)";
    connection.prepare_cached(forget)?.execute(params![RULES_KEPT, RULE_SETS_KEPT])?;
    let sweep = "DELETE FROM rule_set WHERE name NOT IN (SELECT rules FROM rule_set_of)";
    connection.prepare_cached(sweep)?.execute([])?;
    Ok(())
}

#[async_trait]
impl Versions for SqliteStore {
    async fn version_taken(&self, version: &Version, taken: &Taken) -> Result<()> {
        let (version, taken) = (version.clone(), taken.clone());
        let note = move |work: &mut super::writer::Work<'_>| -> Result<()> {
            let Version { hash, text, files } = &version;
            let keep =
                "INSERT INTO config_version (hash, text, files) VALUES (?1, ?2, ?3) ON CONFLICT (hash) DO NOTHING";
            let files = serde_json::to_string(files).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            work.connection.prepare_cached(keep)?.execute(params![hash, text, files])?;
            let Taken { version, policy, how, at, by, waiting } = &taken;
            let waiting = serde_json::to_string(waiting).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            let note =
                "INSERT INTO config_taken (version, policy, how, at, who, waiting) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let params = params![version, policy, how.name(), at.as_millis(), by, waiting];
            work.connection.prepare_cached(note)?.execute(params)?;
            let forget = "DELETE FROM config_taken WHERE version NOT IN \
                          (SELECT version FROM config_taken GROUP BY version ORDER BY max(id) DESC LIMIT ?1)";
            work.connection.prepare_cached(forget)?.execute([KEPT])?;
            let sweep = "DELETE FROM config_version WHERE hash NOT IN (SELECT version FROM config_taken)";
            work.connection.prepare_cached(sweep)?.execute([])?;
            keep_rules(work.connection)
        };
        self.writer.run(note).await
    }

    async fn versions_taken(&self, most: usize) -> Result<Vec<Taken>> {
        let read = move |connection: &rusqlite::Connection| -> Result<_> {
            let read = "SELECT version, policy, how, at, who, waiting FROM config_taken ORDER BY id DESC LIMIT ?1";
            let mut query = connection.prepare_cached(read)?;
            let rows = query.query_map([most], |row| {
                let (how, waiting): (String, String) = (row.get(2)?, row.get(5)?);
                let taken = Taken {
                    version: row.get(0)?,
                    policy: row.get(1)?,
                    how: How::Start,
                    at: Timestamp::from_millis(row.get(3)?),
                    by: row.get(4)?,
                    waiting: Vec::new(),
                };
                Ok((taken, how, waiting))
            })?;
            rows.map(|row| {
                let (taken, how, waiting) = row?;
                let how =
                    How::named(&how).ok_or_else(|| StoreError::Corrupt(format!("a configuration taken by {how}")))?;
                let waiting = serde_json::from_str(&waiting).map_err(|error| StoreError::Corrupt(error.to_string()))?;
                Ok(Taken { how, waiting, ..taken })
            })
            .collect()
        };
        self.readers.ask(read).await
    }

    async fn version(&self, hash: &str) -> Result<Option<Version>> {
        let hash = hash.to_owned();
        let read = move |connection: &rusqlite::Connection| -> Result<_> {
            let read = "SELECT text, files FROM config_version WHERE hash = ?1";
            let mut query = connection.prepare_cached(read)?;
            let found: Option<(String, String)> =
                query.query_row([&hash], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let Some((text, files)) = found else { return Ok(None) };
            let files = serde_json::from_str(&files).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            Ok(Some(Version { hash, text, files }))
        };
        self.readers.ask(read).await
    }

    async fn versions_like(&self, beginning: &str) -> Result<Vec<String>> {
        let beginning = beginning.to_owned();
        let read = move |connection: &rusqlite::Connection| -> Result<_> {
            let read = "SELECT version FROM config_taken WHERE substr(version, 1, length(?1)) = ?1 OR substr(policy, 1, length(?1)) = ?1 \
                        GROUP BY version ORDER BY max(id) DESC";
            let mut query = connection.prepare_cached(read)?;
            let found = query.query_map([&beginning], |row| row.get(0))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        };
        self.readers.ask(read).await
    }

    async fn rule_sets_of(&self, policies: &[String]) -> Result<BTreeMap<String, String>> {
        let policies = policies.to_vec();
        let read = move |connection: &Connection| -> Result<_> {
            let mut query = connection.prepare_cached("SELECT rules FROM rule_set_of WHERE policy = ?1")?;
            let mut found = BTreeMap::new();
            for policy in policies {
                if let Some(rules) = query.query_row([&policy], |row| row.get(0)).optional()? {
                    found.insert(policy, rules);
                }
            }
            Ok(found)
        };
        self.readers.ask(read).await
    }

    async fn rule_set(&self, name: &str) -> Result<Option<RuleSet>> {
        let name = name.to_owned();
        let read = move |connection: &Connection| -> Result<_> {
            let mut query = connection.prepare_cached("SELECT b FROM rule_set WHERE name = ?1")?;
            let found: Option<Vec<u8>> = query.query_row([name], |row| row.get(0)).optional()?;
            found.map(|bytes| codec::decode("a set of rules", &bytes)).transpose()
        };
        self.readers.ask(read).await
    }
}

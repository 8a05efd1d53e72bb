//! What clients of Akismet's protocol need.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::writer::Work;
use super::{SqliteStore, accounts, audit, privacy, start};
use crate::domain::akismet::{Akismet, CheckCounts, StoredKey};
use crate::domain::decision::{Actor, Status};
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{KeyHash, Result};
use crate::domain::time::Timestamp;
use crate::storage::codec;

/// Rows after the first one of those that came later, among which there may be earlier ones: two runs.
const LATE_ROWS: i64 = 8_192;

fn site(connection: &Connection, key: &KeyHash) -> Result<Option<Site>> {
    let read = format!("SELECT {} FROM site WHERE akismet_hash = ?1", accounts::SITE);
    Ok(connection.prepare_cached(&read)?.query_row([key], accounts::read_site).optional()?)
}

fn url_set(connection: &Connection, site: &str, url: Option<&str>, at: Timestamp) -> Result<bool> {
    let write = "UPDATE site SET url = ?2 WHERE name = ?1";
    let found = connection.prepare_cached(write)?.execute(params![site, url])? > 0;
    if found {
        audit::add(connection, &Actor::Console, "site.pin", site, url.unwrap_or("none"), at)?;
    }
    Ok(found)
}

fn counts(connection: &Connection, site: SiteId, from: Timestamp, until: Timestamp) -> Result<CheckCounts> {
    let first = start::first_row_since(connection, from.as_millis())?;
    // What it was before the first ruling on it.
    let read = "SELECT count(*), coalesce(sum(was = ?5), 0), coalesce(sum(was <> ?5 AND is_now = ?5), 0), \
                coalesce(sum(was = ?5 AND is_now = ?6), 0) FROM (SELECT c.status AS is_now, \
                coalesce((SELECT i.status_before FROM ruling_item i WHERE i.comment = c.id ORDER BY i.ruling LIMIT 1), c.status) AS was \
                FROM comment c \
                WHERE c.id >= ?1 AND c.id < ?7 AND c.site = ?2 AND c.received_at >= ?3 AND c.received_at < ?4 AND c.status <> 0)";
    let (rejected, approved) = (codec::status_code(Status::Rejected), codec::status_code(Status::Approved));
    // Rows lie in the order in which they came, but for those that were on their way at once.
    let last = i64::from(start::first_row_since(connection, until.as_millis())?) + LATE_ROWS;
    let which = params![first, site.0, from.as_millis(), until.as_millis(), rejected, approved, last];
    let mut query = connection.prepare_cached(read)?;
    let (checks, spam, missed_spam, false_positives): (u64, u64, u64, u64) =
        query.query_row(which, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(CheckCounts { checks, spam, ham: checks - spam, missed_spam, false_positives })
}

fn key_set(connection: &Connection, site: &str, hash: &KeyHash, sealed: &[u8], at: Timestamp) -> Result<bool> {
    let write = "UPDATE site SET akismet_hash = ?2, akismet_key = ?3 WHERE name = ?1";
    let found = connection.prepare_cached(write)?.execute(params![site, hash, sealed])? > 0;
    if found {
        audit::add(connection, &Actor::Console, "site.akismet_key", site, "", at)?;
    }
    Ok(found)
}

/// What Akismet keys are hashed with, among the secrets of the database.
const LOOKUP: &str = "akismet_lookup";

fn keys(connection: &Connection) -> Result<Vec<StoredKey>> {
    let mut query = connection.prepare_cached("SELECT name, akismet_hash, akismet_key FROM site ORDER BY name")?;
    let keys =
        query.query_map([], |row| Ok(StoredKey { site: row.get(0)?, hash: row.get(1)?, sealed: row.get(2)? }))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

fn rehash(work: &mut Work<'_>, hashes: &[(String, KeyHash, KeyHash)]) -> Result<u64> {
    let mut written = 0;
    for (site, from, to) in hashes {
        let write = "UPDATE site SET akismet_hash = ?3 WHERE name = ?1 AND akismet_hash = ?2";
        written += work.connection.prepare_cached(write)?.execute(params![site, from, to])? as u64;
    }
    work.note_erasure(); // of those before nothing must be left in the log
    Ok(written)
}

#[async_trait]
impl Akismet for SqliteStore {
    async fn akismet_site(&self, key: &KeyHash) -> Result<Option<Site>> {
        let key = *key;
        self.readers.ask_shortly(move |connection| site(connection, &key)).await
    }

    async fn akismet_key_set(&self, site: &str, hash: &KeyHash, sealed: Vec<u8>, at: Timestamp) -> Result<bool> {
        let (site, hash) = (site.to_owned(), *hash);
        self.writer.run(move |work| key_set(work.connection, &site, &hash, &sealed, at)).await
    }

    async fn akismet_lookup(&self) -> Result<Option<Vec<u8>>> {
        self.readers.ask(|connection| privacy::meta(connection, LOOKUP)).await
    }

    async fn akismet_lookup_set(&self, from: Option<Vec<u8>>, to: Vec<u8>) -> Result<bool> {
        let set = move |work: &mut Work<'_>| {
            if privacy::meta(work.connection, LOOKUP)? != from {
                return Ok(false);
            }
            privacy::meta_set(work.connection, LOOKUP, &to)?;
            Ok(true)
        };
        self.writer.run(set).await
    }

    async fn akismet_keys(&self) -> Result<Vec<StoredKey>> {
        self.readers.ask(keys).await
    }

    async fn akismet_rehash(&self, hashes: Vec<(String, KeyHash, KeyHash)>) -> Result<u64> {
        self.writer.run(move |work| rehash(work, &hashes)).await
    }

    async fn site_url_set(&self, site: &str, url: Option<&str>, at: Timestamp) -> Result<bool> {
        let (site, url) = (site.to_owned(), url.map(str::to_owned));
        self.writer.run(move |work| url_set(work.connection, &site, url.as_deref(), at)).await
    }

    async fn check_counts(&self, site: SiteId, from: Timestamp, until: Timestamp) -> Result<CheckCounts> {
        self.readers.ask(move |connection| counts(connection, site, from, until)).await
    }
}

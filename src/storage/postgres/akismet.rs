//! What clients of Akismet's protocol need.

use async_trait::async_trait;
use uuid::Uuid;

use super::db::{Cells as _, Params, number};
use super::work::transact;
use super::{PostgresStore, accounts};
use crate::domain::akismet::{Akismet, CheckCounts, StoredKey};
use crate::domain::decision::{Actor, Status};
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{KeyHash, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec;

fn code(status: Status) -> i16 {
    i16::try_from(codec::status_code(status)).unwrap_or_default() // codes are single digits
}

/// Comments are called by when they came, and found by that: the moment itself is in no index.
fn bound(at: Timestamp) -> Uuid {
    let ms = u64::try_from(at.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(ms, &[0; 10]).into_uuid()
}

/// What Akismet keys are hashed with, among the secrets of the database.
const LOOKUP: &str = "akismet_lookup";

/// Names may be that far from the moment, in milliseconds.
const SLACK_MS: i64 = 60_000;

#[async_trait]
impl Akismet for PostgresStore {
    async fn akismet_site(&self, key: &KeyHash) -> Result<Option<Site>> {
        let read = format!("SELECT {} FROM site s WHERE s.akismet_hash = $1", accounts::SITE);
        let found = self.db().await?.query_opt(&read, &[&&key[..]]).await?;
        found.as_ref().map(accounts::read_site).transpose()
    }

    async fn akismet_key_set(&self, site: &str, hash: &KeyHash, sealed: Vec<u8>, at: Timestamp) -> Result<bool> {
        transact!(self, work => {
            let write = "UPDATE site SET akismet_hash = $2, akismet_key = $3 WHERE name = $1";
            let found = work.execute(write, &[&site, &&hash[..], &sealed]).await;
            if found.as_ref().is_ok_and(|found| *found > 0) {
                work.audit(&Actor::Console, "site.akismet_key", site, "", at);
            }
            found.map(|found| found > 0)
        })
    }

    async fn akismet_lookup(&self) -> Result<Option<Vec<u8>>> {
        let found = self.db().await?.query_opt("SELECT value FROM meta WHERE name = $1", &[&LOOKUP]).await?;
        found.map(|row| Ok(row.cell::<&[u8]>(0)?.to_vec())).transpose()
    }

    async fn akismet_lookup_set(&self, from: Option<Vec<u8>>, to: Vec<u8>) -> Result<bool> {
        let db = self.db().await?;
        let written = if let Some(from) = &from {
            let write = "UPDATE meta SET value = $2 WHERE name = $1 AND value = $3";
            db.execute(write, &[&LOOKUP, &to, from]).await?
        } else {
            let write = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
            db.execute(write, &[&LOOKUP, &to]).await?
        };
        Ok(written > 0)
    }

    async fn akismet_keys(&self) -> Result<Vec<StoredKey>> {
        let read = "SELECT name, akismet_hash, akismet_key FROM site ORDER BY name COLLATE \"C\"";
        let key = |row: &tokio_postgres::Row| -> Result<StoredKey> {
            let hash: &[u8] = row.cell(1)?;
            let hash = hash.try_into().map_err(|_| StoreError::Corrupt("the hash of an Akismet key".to_owned()))?;
            Ok(StoredKey { site: row.cell(0)?, hash, sealed: row.cell(2)? })
        };
        self.db().await?.query(read, &[]).await?.iter().map(key).collect()
    }

    async fn akismet_rehash(&self, hashes: Vec<(String, KeyHash, KeyHash)>) -> Result<u64> {
        let sites: Vec<&str> = hashes.iter().map(|(site, ..)| site.as_str()).collect();
        let from: Vec<&[u8]> = hashes.iter().map(|(_, from, _)| &from[..]).collect();
        let to: Vec<&[u8]> = hashes.iter().map(|(.., to)| &to[..]).collect();
        let write = "UPDATE site s SET akismet_hash = h.after FROM unnest($1::text[], $2::bytea[], $3::bytea[]) h (site, before, after) \
                     WHERE s.name = h.site AND s.akismet_hash = h.before";
        Ok(self.db().await?.execute(write, &[&sites, &from, &to]).await?)
    }

    async fn site_url_set(&self, site: &str, url: Option<&str>, at: Timestamp) -> Result<bool> {
        transact!(self, work => {
            let found = work.execute("UPDATE site SET url = $2 WHERE name = $1", &[&site, &url]).await;
            if found.as_ref().is_ok_and(|found| *found > 0) {
                work.audit(&Actor::Console, "site.pin", site, url.unwrap_or("none"), at);
            }
            found.map(|found| found > 0)
        })
    }

    async fn check_counts(&self, site: SiteId, from: Timestamp, until: Timestamp) -> Result<CheckCounts> {
        // What it was before the first ruling on it: rulings are called by when they were made.
        let read = "SELECT count(*), count(*) FILTER (WHERE was = $4), count(*) FILTER (WHERE was <> $4 AND is_now = $4), \
                    count(*) FILTER (WHERE was = $4 AND is_now = $5) FROM (SELECT c.status AS is_now, coalesce((SELECT i.status_before \
                    FROM ruling_item i WHERE i.site = c.site AND i.comment = c.uid ORDER BY i.ruling LIMIT 1), c.status) AS was \
                    FROM comment c WHERE c.site = $1 AND c.received_at >= $2 AND c.received_at < $3 AND c.uid >= $6 AND c.uid < $7) x";
        let (rejected, approved) = (code(Status::Rejected), code(Status::Approved));
        let (first, last) = (bound(from.plus_millis(-SLACK_MS)), bound(until.plus_millis(SLACK_MS)));
        let (from, until) = (from.as_millis(), until.as_millis());
        let which: Params<'_> = &[&number(site), &from, &until, &rejected, &approved, &first, &last];
        let found = self.db().await?.query_one(read, which).await?;
        let count = |at| found.cell::<i64>(at).map(i64::cast_unsigned);
        let (checks, spam) = (count(0)?, count(1)?);
        Ok(CheckCounts { checks, spam, ham: checks - spam, missed_spam: count(2)?, false_positives: count(3)? })
    }
}

//! Who was erased, as keyed hashes; erasing them again in a database that was restored; and the key of addresses' hashes.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use uuid::Uuid;

use super::db::{Cells as _, Db, number};
use super::work::{Work, transact};
use super::{PostgresStore, intake, patience, privacy, reports, rows, sanctions};
use crate::domain::decision::Actor;
use crate::domain::privacy::{AddressesLeft, ErasedAgain, ErasedKind, Erasure, Privacy};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// Where the key lies in `meta`.
const KEY: &str = "address_key";
/// Comments that one transaction looks at.
const STEP: i64 = 5_000;

/// Notes that something was erased.
pub(super) async fn note(work: &Work, site: SiteId, kind: ErasedKind, hash: &[u8; 16], at: Timestamp) -> Result<()> {
    let write = "INSERT INTO erasure (site, kind, hash, at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (site, kind, hash) DO UPDATE SET at = greatest(erasure.at, excluded.at)";
    work.execute(write, &[&number(site), &kind.code(), &hash.as_slice(), &at.as_millis()]).await?;
    Ok(())
}

/// Entries of a list that this database does not have, each with its site here; those of sites that are not here name nothing.
async fn unknown(db: &Db, list: Vec<Erasure>) -> Result<Vec<(SiteId, Erasure)>> {
    let sites = db.query("SELECT name, id FROM site", &[]).await?;
    let sites =
        sites.iter().map(|row| Ok((row.cell(0)?, row.site(1)?))).collect::<Result<BTreeMap<String, SiteId>>>()?;
    let known = "SELECT FROM erasure WHERE site = $1 AND kind = $2 AND hash = $3 AND at >= $4";
    let mut found = Vec::new();
    for entry in list {
        let Some(site) = sites.get(&entry.site) else { continue };
        let (code, at) = (entry.kind.code(), entry.at.as_millis());
        if !db.exists(known, &[&number(*site), &code, &entry.hash, &at]).await? {
            found.push((*site, entry));
        }
    }
    Ok(found)
}

/// Wipes those of a site's comments after `from` that are listed. Answers the last that was looked at, `None` at the end, and how many were wiped.
async fn wipe_listed(
    work: &Work,
    site: SiteId,
    listed: &HashSet<Vec<u8>>,
    from: Uuid,
    at: Timestamp,
) -> Result<(Option<Uuid>, u64)> {
    work.batch(patience::AT_LENGTH).await?;
    let read = "SELECT uid FROM comment WHERE site = $1 AND uid > $2 ORDER BY uid LIMIT $3";
    let uids = work.query(read, &[&number(site), &from, &STEP]).await?;
    let uids = uids.iter().map(|row| row.cell(0)).collect::<Result<Vec<Uuid>>>()?;
    let by = Actor::Site(work.site_name(work, site).await?.to_string()); // whom nobody has to tell
    let mut wiped = 0;
    for uid in uids.iter().filter(|uid| listed.contains(work.erased(**uid).as_slice())) {
        let Some(row) = rows::lock(work, *uid).await? else { continue };
        let id = row.content()?.comment.id;
        intake::wipe(work, &row, &id, &by, at).await?;
        wiped += 1;
    }
    Ok((uids.last().copied(), wiped))
}

/// Everything else that the entries name, and that they are known from here on: last, so that whatever stops it before is begun anew.
async fn finish(work: &Work, entries: &[(SiteId, Erasure)], comments: u64, at: Timestamp) -> Result<ErasedAgain> {
    let mut again = ErasedAgain { unknown: entries.len() as u64, comments, ..ErasedAgain::default() };
    for (site, entry) in entries {
        let Ok(hash) = <[u8; 16]>::try_from(entry.hash.as_slice()) else { continue };
        match entry.kind {
            ErasedKind::Comment => {}
            ErasedKind::Reader => {
                again.others += privacy::forget_notes(work, &hash, entry.at).await?;
                again.others += reports::forget_reader(work, *site, &hash, entry.at).await?;
            }
            ErasedKind::Target => again.others += sanctions::forget_author(work, &hash, entry.at).await?,
        }
        note(work, *site, entry.kind, &hash, entry.at).await?;
    }
    if !entries.is_empty() {
        let detail = format!("{comments} comments, {} others", again.others);
        work.audit(&Actor::Console, "erasures.apply", "", &detail, at);
    }
    Ok(again)
}

impl PostgresStore {
    /// What was erased before a node began to serve is on record: whoever goes on from there finds it gone.
    async fn note_stopped(&self, comments: u64, at: Timestamp) -> Result<()> {
        if comments > 0 {
            transact!(self, work => {
                work.audit(&Actor::Console, "erasures.apply", "", &format!("{comments} comments, stopped"), at);
                Ok(())
            })?;
        }
        Ok(())
    }
}

#[async_trait]
impl Privacy for PostgresStore {
    async fn address_key(&self) -> Result<Option<Vec<u8>>> {
        let found = self.db().await?.query_opt("SELECT value FROM meta WHERE name = $1", &[&KEY]).await?;
        let key = found.map(|row| Ok(row.cell::<&[u8]>(0)?.to_vec())).transpose();
        key.map(|key: Option<Vec<u8>>| key.filter(|key| !key.is_empty()))
    }

    async fn address_key_set(&self, from: Option<Vec<u8>>, to: Vec<u8>) -> Result<bool> {
        let db = self.db().await?;
        let written = if let Some(from) = &from {
            let write = "UPDATE meta SET value = $2 WHERE name = $1 AND value = $3";
            db.execute(write, &[&KEY, &to, from]).await?
        } else {
            // An earlier version may have been about to write one.
            let write = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE meta.value = ''";
            db.execute(write, &[&KEY, &to]).await?
        };
        Ok(written > 0)
    }

    async fn address_key_forget(&self, key: Vec<u8>) -> Result<bool> {
        let delete = "DELETE FROM meta WHERE name = $1 AND value = $2";
        Ok(self.db().await?.execute(delete, &[&KEY, &key]).await? > 0)
    }

    async fn addresses_left(&self) -> Result<AddressesLeft> {
        let db = self.db().await?;
        privacy::addresses_left(&db).await
    }

    async fn erasures(&self, after: i64, most: usize) -> Result<Vec<Erasure>> {
        let read = "SELECT e.id, e.kind, s.name, e.hash, e.at FROM erasure e JOIN site s ON s.id = e.site WHERE e.id > $1 ORDER BY e.id LIMIT $2";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.db().await?.query(read, &[&after, &most]).await?;
        let erasure = |row: &tokio_postgres::Row| -> Result<Erasure> {
            let kind: i16 = row.cell(1)?;
            Ok(Erasure {
                number: row.cell(0)?,
                kind: ErasedKind::of_code(kind)
                    .ok_or_else(|| StoreError::Corrupt(format!("an erasure of kind {kind}")))?,
                site: row.cell(2)?,
                hash: row.cell(3)?,
                at: Timestamp::from_millis(row.cell(4)?),
            })
        };
        rows.iter().map(erasure).collect()
    }

    async fn erase_again(&self, list: Vec<Erasure>, at: Timestamp) -> Result<ErasedAgain> {
        let entries = unknown(&self.db().await?, list).await?;
        let mut listed: BTreeMap<SiteId, HashSet<Vec<u8>>> = BTreeMap::new();
        for (site, entry) in entries.iter().filter(|(_, entry)| entry.kind == ErasedKind::Comment) {
            listed.entry(*site).or_default().insert(entry.hash.clone());
        }
        let mut comments = 0;
        let stopped = |comments, node| ErasedAgain {
            unknown: entries.len() as u64,
            comments,
            served_by: Some(node),
            ..ErasedAgain::default()
        };
        for (site, listed) in &listed {
            let mut from = Uuid::nil();
            loop {
                if let Some(node) = self.served_by().await? {
                    self.note_stopped(comments, at).await?;
                    return Ok(stopped(comments, node));
                }
                let (last, wiped) = transact!(self, work => wipe_listed(&work, *site, listed, from, at).await)?;
                comments += wiped;
                let Some(last) = last else { break };
                from = last;
            }
        }
        if let Some(node) = self.served_by().await? {
            self.note_stopped(comments, at).await?;
            return Ok(stopped(comments, node));
        }
        let again = transact!(self, work => finish(&work, &entries, comments, at).await)?;
        // Nodes say that they are there before they read what they keep in memory: one that began during the last step is seen now.
        Ok(ErasedAgain { served_by: self.served_by().await?, ..again })
    }

    async fn erasures_forget(&self, before: Timestamp) -> Result<u64> {
        let db = self.db().await?;
        db.execute("DELETE FROM erasure WHERE at < $1", &[&before.as_millis()]).await
    }
}

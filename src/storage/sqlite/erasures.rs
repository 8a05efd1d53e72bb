//! Who was erased, as keyed hashes; erasing them again in a file that was restored; and the key of addresses' hashes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::{self, Row};
use super::writer::Work;
use super::{SqliteStore, audit, intake, privacy, reads, reports, sanctions};
use crate::domain::decision::Actor;
use crate::domain::privacy::{AddressesLeft, ErasedAgain, ErasedKind, Erasure, Privacy};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// Where the key lies in `meta`.
const KEY: &str = "address_key";
/// Rows that one job looks at.
const STEP: u32 = 5_000;

/// Notes that something was erased.
pub(super) fn note(
    connection: &Connection,
    site: SiteId,
    kind: ErasedKind,
    hash: &[u8; 16],
    at: Timestamp,
) -> Result<()> {
    let write = "INSERT INTO erasure (site, kind, hash, at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (site, kind, hash) DO UPDATE SET at = max(at, excluded.at)";
    connection.prepare_cached(write)?.execute(params![site.0, kind.code(), hash, at.as_millis()])?;
    Ok(())
}

/// What was erased, by number.
pub(super) fn list(connection: &Connection, after: i64, most: usize) -> Result<Vec<Erasure>> {
    let read = "SELECT e.id, e.kind, s.name, e.hash, e.at FROM erasure e JOIN site s ON s.id = e.site WHERE e.id > ?1 ORDER BY e.id LIMIT ?2";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query(params![after, i64::try_from(most).unwrap_or(i64::MAX)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: i16 = row.get(1)?;
        found.push(Erasure {
            number: row.get(0)?,
            kind: ErasedKind::of_code(kind).ok_or_else(|| StoreError::Corrupt(format!("an erasure of kind {kind}")))?,
            site: row.get(2)?,
            hash: row.get(3)?,
            at: Timestamp::from_millis(row.get(4)?),
        });
    }
    Ok(found)
}

/// Entries of a list that this file does not have, each with its site here; those of sites that are not here name nothing.
fn unknown(connection: &Connection, list: &[Erasure]) -> Result<Vec<(SiteId, Erasure)>> {
    let mut sites = connection.prepare_cached("SELECT id FROM site WHERE name = ?1")?;
    let mut known = connection.prepare_cached("SELECT at FROM erasure WHERE site = ?1 AND kind = ?2 AND hash = ?3")?;
    let mut ids: HashMap<&str, Option<u32>> = HashMap::new();
    let mut found = Vec::new();
    for entry in list {
        let site = if let Some(site) = ids.get(entry.site.as_str()) {
            *site
        } else {
            let site = sites.query_row([&entry.site], |row| row.get(0)).optional()?;
            ids.insert(&entry.site, site);
            site
        };
        let Some(site) = site else { continue };
        let at: Option<i64> =
            known.query_row(params![site, entry.kind.code(), entry.hash], |row| row.get(0)).optional()?;
        if at.is_none_or(|at| at < entry.at.as_millis()) {
            found.push((SiteId(site), entry.clone()));
        }
    }
    Ok(found)
}

/// Wipes those of the rows after `from` that are listed. Answers the last row looked at, `None` at the end, and how many were wiped.
fn wipe_listed(
    work: &mut Work<'_>,
    listed: &HashSet<(SiteId, Vec<u8>)>,
    from: u32,
    at: Timestamp,
) -> Result<(Option<u32>, u64)> {
    let read = format!("SELECT {} FROM comment WHERE id > ?1 ORDER BY id LIMIT ?2", rows::COLUMNS);
    let mut query = work.connection.prepare_cached(&read)?;
    let mut rows = query.query(params![from, STEP])?;
    let (mut last, mut due) = (None, Vec::new());
    while let Some(row) = rows.next()? {
        let row = Row::read(row)?;
        last = Some(row.id);
        if row.status.is_some() && listed.contains(&(row.site, work.shared.erased(row.uid(work.shared)).to_vec())) {
            due.push(row);
        }
    }
    for row in &due {
        let content = rows::content(work.connection, row.id)?;
        let by = Actor::Site(work.shared.site_name(work.connection, row.site)?.to_string()); // whom nobody has to tell
        intake::wipe(work, row, &content.comment.id, &by, at)?;
    }
    if !due.is_empty() {
        work.note_erasure();
    }
    Ok((last, due.len() as u64))
}

/// Everything else that the entries name, and that they are known from here on: last, so that whatever stops it before is begun anew.
fn finish(work: &mut Work<'_>, entries: &[(SiteId, Erasure)], comments: u64, at: Timestamp) -> Result<ErasedAgain> {
    let mut again = ErasedAgain { unknown: entries.len() as u64, comments, ..ErasedAgain::default() };
    for (site, entry) in entries {
        let Ok(hash) = <[u8; 16]>::try_from(entry.hash.as_slice()) else { continue };
        match entry.kind {
            ErasedKind::Comment => {}
            ErasedKind::Reader => {
                again.others += reads::notes::forget(work.connection, &hash, entry.at)?;
                again.others += reports::forget_reader(work.connection, &hash, entry.at)?;
            }
            ErasedKind::Target => again.others += sanctions::forget_author(work.connection, &hash, entry.at)?,
        }
        note(work.connection, *site, entry.kind, &hash, entry.at)?;
    }
    if !entries.is_empty() {
        let detail = format!("{comments} comments, {} others", again.others);
        audit::add(work.connection, &Actor::Console, "erasures.apply", "", &detail, at)?;
        work.note_erasure();
    }
    Ok(again)
}

#[async_trait]
impl Privacy for SqliteStore {
    async fn address_key(&self) -> Result<Option<Vec<u8>>> {
        self.readers.ask(|connection| privacy::meta(connection, KEY)).await
    }

    async fn address_key_set(&self, from: Option<Vec<u8>>, to: Vec<u8>) -> Result<bool> {
        let set = move |work: &mut Work<'_>| {
            if privacy::meta(work.connection, KEY)? != from {
                return Ok(false);
            }
            privacy::meta_set(work.connection, KEY, &to)?;
            work.note_erasure(); // of the one before nothing must be left in the log
            Ok(true)
        };
        self.writer.run(set).await
    }

    async fn address_key_forget(&self, key: Vec<u8>) -> Result<bool> {
        let forget = move |work: &mut Work<'_>| {
            let delete = "DELETE FROM meta WHERE name = ?1 AND value = ?2";
            let gone = work.connection.prepare_cached(delete)?.execute(params![KEY, key])? > 0;
            if gone {
                work.note_erasure();
            }
            Ok(gone)
        };
        self.writer.run(forget).await
    }

    async fn addresses_left(&self) -> Result<AddressesLeft> {
        self.readers.ask(privacy::addresses_left).await
    }

    async fn erasures(&self, after: i64, most: usize) -> Result<Vec<Erasure>> {
        self.readers.ask(move |connection| list(connection, after, most)).await
    }

    async fn erase_again(&self, list: Vec<Erasure>, at: Timestamp) -> Result<ErasedAgain> {
        self.must_serve()?; // and nobody else does, as long as this is open
        let entries = Arc::new(self.readers.ask(move |connection| unknown(connection, &list)).await?);
        let listed = entries.iter().filter(|(_, entry)| entry.kind == ErasedKind::Comment);
        let listed: HashSet<(SiteId, Vec<u8>)> = listed.map(|(site, entry)| (*site, entry.hash.clone())).collect();
        let listed = Arc::new(listed);
        let (mut from, mut comments) = (0, 0);
        while !listed.is_empty() {
            let listed = Arc::clone(&listed);
            let (last, wiped) = self.writer.run(move |work| wipe_listed(work, &listed, from, at)).await?;
            comments += wiped;
            let Some(last) = last else { break };
            from = last;
        }
        self.writer.run(move |work| finish(work, &entries, comments, at)).await
    }

    async fn erasures_forget(&self, before: Timestamp) -> Result<u64> {
        let forget = move |work: &mut Work<'_>| {
            let delete = "DELETE FROM erasure WHERE at < ?1";
            Ok(work.connection.prepare_cached(delete)?.execute([before.as_millis()])? as u64)
        };
        self.writer.run(forget).await
    }
}

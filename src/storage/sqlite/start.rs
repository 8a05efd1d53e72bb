//! Filling the index at start: from the packed runs, then from the rows after the last of them.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use rusqlite::{Connection, params};

use super::index::{Chain, Change, Keys};
use super::shared::Shared;
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};

/// Comments in one run.
pub(super) const RUN: u32 = 4_096;
/// A comment's part of a run: its site, then its keys.
const ENTRY: usize = 4 + Keys::BYTES;

/// Runs that are read ahead of whoever takes them in.
const AHEAD: usize = 4;

/// Fills the index; answers the last row. Two threads take every run in, for one looks up where ids are, and the other where chains begin: each
/// waits for memory most of the time.
pub(super) fn load(connection: &Connection, shared: &Shared) -> Result<u32> {
    let comments: Option<u32> = connection.query_row("SELECT max(id) FROM comment", [], |row| row.get(0))?;
    shared.index.expect(comments.unwrap_or(0));
    let last = std::thread::scope(|threads| {
        let (ahead, runs) = sync_channel::<Arc<Vec<Change>>>(AHEAD);
        let ids = threads.spawn(move || runs.iter().for_each(|run| shared.index.apply_ids(&run)));
        let mut heads = shared.index.heads_mut();
        let last = read_runs(connection, |run| {
            let run = Arc::new(run);
            let taken = ahead.send(Arc::clone(&run)).is_ok();
            heads.apply(&run);
            taken
        });
        drop(ahead);
        let all = ids.join().is_ok();
        last.and_then(|last| {
            if all { Ok(last) } else { Err(StoreError::Corrupt("the index of ids was not filled".to_owned())) }
        })
    })?;
    catch_up(connection, shared, last)
}

/// Hands every run to `each`, as long as that takes them; answers the last row of the last.
fn read_runs(connection: &Connection, mut each: impl FnMut(Vec<Change>) -> bool) -> Result<u32> {
    let mut runs = connection.prepare("SELECT w, b FROM key_run ORDER BY w")?;
    let mut rows = runs.query([])?;
    let mut last = 0;
    while let Some(run) = rows.next()? {
        let bytes = run.get_ref(1)?.as_blob().map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if run.get::<_, u32>(0)? != last / RUN || bytes.len() != ENTRY * RUN as usize {
            return Err(StoreError::Corrupt("a run of keys is missing or cut".to_owned()));
        }
        let changes: Option<Vec<Change>> =
            (last + 1..).zip(bytes.chunks_exact(ENTRY)).map(|(row, entry)| read(row, entry)).collect();
        if !each(changes.unwrap_or_default()) {
            break;
        }
        last += RUN;
    }
    Ok(last)
}

/// Takes rows after `known` into the index, and whatever edits moved; answers the last row.
pub(super) fn catch_up(connection: &Connection, shared: &Shared, known: u32) -> Result<u32> {
    let mut query = connection.prepare("SELECT id, site, keys FROM comment WHERE id > ?1 ORDER BY id")?;
    let mut rows = query.query([known])?;
    let (mut last, mut changes) = (known, Vec::new());
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        changes.push(Change::Added { row: last, site: SiteId(row.get(1)?), keys: keys(row.get_ref(2)?)? });
    }
    let mut moved = connection.prepare("SELECT DISTINCT key FROM moved WHERE chain = ?1")?;
    let mut rows = moved.query([Chain::Author.code()])?;
    while let Some(row) = rows.next()? {
        changes.push(Change::Moved { author: row.get::<_, i64>(0)?.cast_unsigned() });
    }
    shared.index.apply(&changes);
    Ok(last)
}

/// Packs the run that `row` completes, if it completes one: in the same transaction as the row.
pub(super) fn complete_run(connection: &Connection, row: u32) -> Result<()> {
    if !row.is_multiple_of(RUN) {
        return Ok(());
    }
    let read = "SELECT site, keys, received_at FROM comment WHERE id > ?1 AND id <= ?2 ORDER BY id";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query([row - RUN, row])?;
    let (mut bytes, mut last_at) = (Vec::with_capacity(ENTRY * RUN as usize), i64::MIN);
    while let Some(row) = rows.next()? {
        bytes.extend_from_slice(&row.get::<_, u32>(0)?.to_le_bytes());
        bytes.extend_from_slice(&keys(row.get_ref(1)?)?.to_bytes());
        last_at = last_at.max(row.get(2)?);
    }
    if bytes.len() != ENTRY * RUN as usize {
        return Err(StoreError::Corrupt("comments are missing from the file".to_owned()));
    }
    let write = "INSERT INTO key_run (w, last_at, b) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(write)?.execute(params![row / RUN - 1, last_at, bytes])?;
    Ok(())
}

/// Wipes the keys of `row` from its run, if that is written.
pub(super) fn erase_keys(connection: &Connection, row: u32) -> Result<()> {
    replace_keys(connection, row, Keys::default())
}

/// Replaces the keys of `row` in its run, if that is written.
pub(super) fn replace_keys(connection: &Connection, row: u32, keys: Keys) -> Result<()> {
    let run = i64::from((row - 1) / RUN);
    let written = connection.prepare_cached("SELECT 1 FROM key_run WHERE w = ?1")?.exists([run])?;
    if written {
        let at = ((row - 1) % RUN) as usize * ENTRY + 4;
        connection.blob_open("main", "key_run", "b", run, false)?.write_at(&keys.to_bytes(), at)?;
    }
    Ok(())
}

/// The first row that may have been received at or after `since`: those before belong to runs that end earlier.
pub(super) fn first_row_since(connection: &Connection, since: i64) -> Result<u32> {
    let first =
        "SELECT coalesce((SELECT min(w) FROM key_run WHERE last_at >= ?1), (SELECT max(w) + 1 FROM key_run), 0)";
    let run: u32 = connection.prepare_cached(first)?.query_row([since], |row| row.get(0))?;
    Ok(run * RUN + 1)
}

fn read(row: u32, entry: &[u8]) -> Option<Change> {
    let (site, keys) = entry.split_at_checked(4)?;
    let site = SiteId(u32::from_le_bytes(site.try_into().ok()?));
    Some(Change::Added { row, site, keys: Keys::from_bytes(keys)? })
}

pub(super) fn keys(value: rusqlite::types::ValueRef<'_>) -> Result<Keys> {
    let keys = value.as_blob().ok().and_then(Keys::from_bytes);
    keys.ok_or_else(|| StoreError::Corrupt("a comment's keys cannot be read".to_owned()))
}

//! Which row a comment's name, an author or an article leads to, in memory: what a random-key index on disk would cost the most for.
//!
//! Loaded at start from the packed runs (one for each 4096 rows, written with the row that completes it) and the rows after the last run.
//! Hashes of 64 bits: whoever follows an entry checks the row.

use std::collections::HashMap;

use rusqlite::Connection;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

/// Rows of one run.
pub(super) const RUN: u64 = 4_096;
const KEYS: usize = 24;

/// The hashes by which a row is found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub(super) name: u64,
    pub(super) author: u64,
    pub(super) article: u64,
}

type Rows = HashMap<u64, u64, Xxh3DefaultBuilder>;

/// The latest row for each hash.
#[derive(Debug, Default)]
pub(super) struct Index {
    names: Rows,
    authors: Rows,
    articles: Rows,
}

impl Index {
    pub(super) fn insert(&mut self, row: u64, keys: Keys) {
        self.names.insert(keys.name, row);
        self.authors.insert(keys.author, row);
        self.articles.insert(keys.article, row);
    }

    pub(super) fn name(&self, hash: u64) -> Option<u64> {
        self.names.get(&hash).copied()
    }

    pub(super) fn author(&self, hash: u64) -> Option<u64> {
        self.authors.get(&hash).copied()
    }

    pub(super) fn article(&self, hash: u64) -> Option<u64> {
        self.articles.get(&hash).copied()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Reads all of it; answers it with the number that the next row gets.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<(Self, u64)> {
        let mut index = Self::default();
        let mut next = 0;
        let mut runs = connection.prepare("SELECT run, keys FROM key_run ORDER BY run")?;
        let mut rows = runs.query([])?;
        while let Some(row) = rows.next()? {
            let run: u64 = row.get(0)?;
            let keys = row.get_ref(1)?.as_blob()?;
            for (at, keys) in keys.chunks_exact(KEYS).enumerate() {
                index.insert(run * RUN + at as u64, unpack(keys));
            }
            next = (run + 1) * RUN;
        }
        let sql = "SELECT id, name_hash, author_hash, article_hash FROM comment WHERE id >= ? ORDER BY id";
        let mut tail = connection.prepare(sql)?;
        let mut rows = tail.query([next])?;
        while let Some(row) = rows.next()? {
            let id: u64 = row.get(0)?;
            let keys = Keys { name: hash(row.get(1)?), author: hash(row.get(2)?), article: hash(row.get(3)?) };
            index.insert(id, keys);
            next = id + 1;
        }
        Ok((index, next))
    }
}

/// Writes the run that ends with row `last`.
pub(super) fn write_run(connection: &Connection, last: u64) -> rusqlite::Result<()> {
    let run = last / RUN;
    let sql = "SELECT id, name_hash, author_hash, article_hash FROM comment WHERE id BETWEEN ? AND ? ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([run * RUN, last])?;
    let mut packed = vec![0_u8; usize::try_from(RUN).unwrap_or(0) * KEYS];
    while let Some(row) = rows.next()? {
        let at = usize::try_from(row.get::<_, u64>(0)? - run * RUN).unwrap_or(0) * KEYS;
        for (part, column) in (1..=3).enumerate() {
            let bytes = row.get::<_, i64>(column)?.to_le_bytes();
            packed[at + 8 * part..at + 8 * part + 8].copy_from_slice(&bytes);
        }
    }
    connection.prepare_cached("INSERT OR REPLACE INTO key_run (run, keys) VALUES (?, ?)")?.execute((run, packed))?;
    Ok(())
}

/// SQLite's integers are signed; the bits are the same.
pub(super) const fn hash(stored: i64) -> u64 {
    stored.cast_unsigned()
}

/// The other way round.
pub(super) const fn stored(hash: u64) -> i64 {
    hash.cast_signed()
}

fn unpack(keys: &[u8]) -> Keys {
    let part = |at: usize| keys[8 * at..8 * at + 8].iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    Keys { name: part(0), author: part(1), article: part(2) }
}

//! The words of everything that waits, in memory, so that a search of the queue finds all of it and counts it: about a kilobyte for each held
//! comment of ordinary length. It follows the table `queue_change` as [`super::kept`] does. What is erased leaves with its words.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use rusqlite::Connection;

use super::super::search::Titles;
use super::kept::{Changes, changes};
use crate::domain::search::{Question, Term, Words};
use crate::domain::store::Result;

/// See the module.
#[derive(Debug, Default)]
pub(in super::super) struct HeldWords {
    seen: Option<i64>,
    /// For each word the rows that have it, in order.
    rows: BTreeMap<Box<str>, Vec<u32>>,
    /// For each row its words.
    words: HashMap<u32, Words>,
}

impl HeldWords {
    /// Whether everything was read once.
    pub(super) const fn is_loaded(&self) -> bool {
        self.seen.is_some()
    }

    /// Brings it to what this reader sees.
    pub(in super::super) fn follow(&mut self, connection: &Connection) -> Result<()> {
        let mut titles = Titles::default();
        match changes(connection, self.seen)? {
            Changes::All { last } => {
                *self = Self::default();
                let mut query = connection.prepare_cached("SELECT id FROM queue ORDER BY id")?;
                let ids = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()?;
                for id in ids {
                    self.put(connection, id, &mut titles)?;
                }
                self.seen = Some(last);
            }
            Changes::Of { ids, last } => {
                for id in ids {
                    self.remove(id);
                    let waits = connection.prepare_cached("SELECT 1 FROM queue WHERE id = ?1")?.exists([id])?;
                    if waits {
                        self.put(connection, id, &mut titles)?;
                    }
                }
                self.seen = Some(last);
            }
        }
        Ok(())
    }

    /// The rows that have all of it.
    pub(super) fn find(&self, question: &Question) -> HashSet<u32> {
        let mut sets: Vec<Vec<u32>> = question.terms.iter().map(|term| self.with(term)).collect();
        sets.sort_unstable_by_key(Vec::len);
        let mut sets = sets.into_iter();
        let mut found: HashSet<u32> = sets.next().unwrap_or_default().into_iter().collect();
        for set in sets {
            found = set.into_iter().filter(|row| found.contains(row)).collect();
        }
        found
    }

    fn with(&self, term: &Term) -> Vec<u32> {
        if !term.is_prefix {
            return self.rows.get(term.word.as_str()).cloned().unwrap_or_default();
        }
        let from = (Bound::Included(term.word.as_str()), Bound::Unbounded);
        let words = self.rows.range::<str, _>(from).take_while(|(word, _)| word.starts_with(&term.word));
        words.flat_map(|(_, rows)| rows.iter().copied()).collect()
    }

    fn put(&mut self, connection: &Connection, id: u32, titles: &mut Titles) -> Result<()> {
        let words = titles.words(connection, id)?;
        for word in words.iter() {
            match self.rows.get_mut(word) {
                Some(rows) => {
                    if let Err(at) = rows.binary_search(&id) {
                        rows.insert(at, id);
                    }
                }
                None => drop(self.rows.insert(word.into(), vec![id])),
            }
        }
        self.words.insert(id, words);
        Ok(())
    }

    fn remove(&mut self, id: u32) {
        let Some(words) = self.words.remove(&id) else { return };
        for word in words.iter() {
            let Some(rows) = self.rows.get_mut(word) else { continue };
            if let Ok(at) = rows.binary_search(&id) {
                rows.remove(at);
            }
            if rows.is_empty() {
                self.rows.remove(word);
            }
        }
    }
}

//! The words of everything that waits, in memory, so that a search of the queue finds all of it and counts it: half a kilobyte for each held
//! comment of ordinary length, and each word once. It follows the table `queue_change` as [`super::kept`] does. What is erased leaves with its words.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use rusqlite::Connection;

use super::super::search::Titles;
use super::kept::{Changes, changes};
use crate::domain::search::{Question, Term};
use crate::domain::store::Result;
use crate::storage::damage::left_out;

/// See the module.
#[derive(Debug, Default)]
pub(in super::super) struct HeldWords {
    seen: Option<i64>,
    /// Each word with its place among `entries`.
    places: BTreeMap<Arc<str>, u32>,
    entries: Vec<Entry>,
    /// Places that are free.
    free: Vec<u32>,
    /// For each row the places of its words.
    words: HashMap<u32, Box<[u32]>>,
}

/// A word, and the rows that have it, in order.
#[derive(Debug)]
struct Entry {
    word: Arc<str>,
    rows: Vec<u32>,
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
        let rows = |place: &u32| self.entries[*place as usize].rows.iter().copied();
        if !term.is_prefix {
            return self.places.get(term.word.as_str()).into_iter().flat_map(rows).collect();
        }
        let from = (Bound::Included(term.word.as_str()), Bound::Unbounded);
        let words = self.places.range::<str, _>(from).take_while(|(word, _)| word.starts_with(&term.word));
        words.flat_map(|(_, place)| rows(place)).collect()
    }

    fn put(&mut self, connection: &Connection, id: u32, titles: &mut Titles) -> Result<()> {
        let Some(words) = left_out("searches of the queue", &id, titles.words(connection, id))? else { return Ok(()) };
        let places: Box<[u32]> = words.iter().map(|word| self.place(word)).collect();
        for place in &places {
            let rows = &mut self.entries[*place as usize].rows;
            if let Err(at) = rows.binary_search(&id) {
                rows.insert(at, id);
            }
        }
        self.words.insert(id, places);
        Ok(())
    }

    fn place(&mut self, word: &str) -> u32 {
        if let Some(place) = self.places.get(word) {
            return *place;
        }
        let entry = Entry { word: word.into(), rows: Vec::new() };
        let next = u32::try_from(self.entries.len()).expect("fewer words than 32 bits count fit into memory");
        let place = self.free.pop().unwrap_or(next);
        self.places.insert(Arc::clone(&entry.word), place);
        match self.entries.get_mut(place as usize) {
            Some(free) => *free = entry,
            None => self.entries.push(entry),
        }
        place
    }

    fn remove(&mut self, id: u32) {
        let Some(places) = self.words.remove(&id) else { return };
        for place in places {
            let Entry { word, rows } = &mut self.entries[place as usize];
            if let Ok(at) = rows.binary_search(&id) {
                rows.remove(at);
            }
            if rows.is_empty() {
                self.places.remove(word);
                (*word, *rows) = (Arc::from(""), Vec::new());
                self.free.push(place);
            }
        }
    }
}

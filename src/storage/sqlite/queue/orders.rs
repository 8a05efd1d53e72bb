//! What a page without rare conditions is made of, kept as rows come and go: orders to walk, and sets of rows that are alike in everything a
//! page counts by. A page then costs what it shows, whatever waits.

use std::collections::{BTreeSet, HashMap};

use super::kept::{Entry, NONE};
use crate::domain::store::QueueSort;

/// A held comment's place in the chosen order: smaller comes first.
pub(super) type Place = (u64, u32);

/// What a page counts by, but claims: they end by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Alike {
    pub site: u32,
    pub category: u8,
    pub author_known: bool,
    pub signals: u32,
    pub section: u32,
    pub lang: u32,
    pub campaign: u32,
}

impl From<&Entry> for Alike {
    fn from(entry: &Entry) -> Self {
        let Entry { site, category, author_known, signals, section, lang, campaign, .. } = *entry;
        Self { site, category, author_known, signals, section, lang, campaign }
    }
}

/// How many rows there are, and since when the oldest of them waits, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub count: u64,
    pub since: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Orders {
    priority: BTreeSet<Place>,
    /// The oldest first.
    age: BTreeSet<Place>,
    /// Since when the rows wait that are alike, and which they are.
    alike: HashMap<Alike, BTreeSet<(i64, u32)>>,
    /// Rows with a claim, though it may be over.
    claimed: BTreeSet<u32>,
}

impl Orders {
    pub(super) fn add(&mut self, entry: &Entry) {
        self.priority.insert(place(entry, QueueSort::Priority));
        self.age.insert(place(entry, QueueSort::Oldest));
        self.alike.entry(entry.into()).or_default().insert((entry.held_at, entry.id));
        if entry.claimed_by != NONE {
            self.claimed.insert(entry.id);
        }
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        self.priority.remove(&place(entry, QueueSort::Priority));
        self.age.remove(&place(entry, QueueSort::Oldest));
        if let Some(alike) = self.alike.get_mut(&entry.into()) {
            alike.remove(&(entry.held_at, entry.id));
            if alike.is_empty() {
                self.alike.remove(&entry.into());
            }
        }
        self.claimed.remove(&entry.id);
    }

    /// Rows that are alike, with what they have in common.
    pub(super) fn alike(&self) -> impl Iterator<Item = (&Alike, Rows)> {
        let rows = |rows: &BTreeSet<(i64, u32)>| Some(Rows { count: rows.len() as u64, since: rows.first()?.0 });
        self.alike.iter().filter_map(move |(alike, set)| Some((alike, rows(set)?)))
    }

    /// How many sets of rows that are alike there are.
    pub(super) fn sets(&self) -> usize {
        self.alike.len()
    }

    pub(super) fn claimed(&self) -> impl Iterator<Item = u32> {
        self.claimed.iter().copied()
    }

    /// Rows in order, behind that place.
    pub(super) fn walk(&self, sort: QueueSort, after: Option<Place>) -> Box<dyn Iterator<Item = u32> + '_> {
        use std::ops::Bound::{Excluded, Unbounded};
        let behind = |after: Option<Place>| after.map_or(Unbounded, Excluded);
        match sort {
            QueueSort::Priority => Box::new(self.priority.range((behind(after), Unbounded)).map(|(_, id)| *id)),
            QueueSort::Oldest => Box::new(self.age.range((behind(after), Unbounded)).map(|(_, id)| *id)),
            QueueSort::Newest => {
                let after = after.map(|(moment, id)| (u64::MAX - moment, u32::MAX - id));
                Box::new(self.age.range((Unbounded, behind(after))).rev().map(|(_, id)| *id))
            }
        }
    }
}

/// Where it stands.
pub(super) fn place(waiting: &Entry, sort: QueueSort) -> Place {
    // Moments as unsigned numbers in the same order; positive doubles are in the order of their bits.
    let moment = waiting.held_at.cast_unsigned() ^ (1 << 63);
    match sort {
        QueueSort::Priority => (u64::MAX - waiting.priority.max(0.0).to_bits(), waiting.id),
        QueueSort::Oldest => (moment, waiting.id),
        QueueSort::Newest => (u64::MAX - moment, u32::MAX - waiting.id),
    }
}

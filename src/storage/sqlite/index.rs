//! Where a comment is, by its external id; and where the chains of a site, an author and an article begin.
//!
//! Kept in memory because an index over random keys in the file costs ten to thirty times the rest of an insert at a
//! million rows (docs/adr/0003-dense-rows-and-key-runs.md). It holds what is committed, nothing else: the writer
//! applies a batch after its commit. What it answers are candidates; whoever asks compares the row itself.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::domain::comment::NewComment;
use crate::domain::site::SiteId;
use crate::domain::trace::Trace;
use crate::storage::derived::Hasher;

impl Keys {
    /// All keys of a comment.
    pub(super) fn of(hasher: &Hasher, site: SiteId, comment: &NewComment, trace: &Trace) -> Self {
        Self {
            id: hasher.id(site, comment.id.as_str()),
            author: hasher.author(trace.author),
            account: comment.author.id.as_ref().map_or(0, |id| hasher.account(site, id.as_str())),
            article: hasher.article(site, comment.article.id.as_str()),
        }
    }
}

/// A comment's keys when it was first stored; zeros when it has none or was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Keys {
    pub id: u64,
    pub author: u64,
    pub account: u64,
    pub article: u64,
}

impl Keys {
    pub(super) const BYTES: usize = 32;

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (chunk, key) in bytes.chunks_exact_mut(8).zip([self.id, self.author, self.account, self.article]) {
            chunk.copy_from_slice(&key.to_le_bytes());
        }
        bytes
    }

    /// `None` when there are not 32 bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let mut keys = bytes.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok().map(u64::from_le_bytes));
        Some(Self { id: keys.next()?, author: keys.next()?, account: keys.next()?, article: keys.next()? })
    }
}

/// Which comments a chain runs through. Authors and their accounts share one chain with two ways in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Chain {
    Site,
    Author,
    Account,
    Article,
}

impl Chain {
    const COUNT: usize = 4;

    /// Its number in rows of `moved`.
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Site => 0,
            Self::Author => 1,
            Self::Account => 2,
            Self::Article => 3,
        }
    }

    /// The key under which a comment hangs in this chain; zero for none.
    pub(super) fn key(self, site: SiteId, keys: &Keys) -> u64 {
        match self {
            Self::Site => u64::from(site.0),
            Self::Author => keys.author,
            Self::Account => keys.account,
            Self::Article => keys.article,
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Site => 0,
            Self::Author => 1,
            Self::Account => 2,
            Self::Article => 3,
        }
    }

    pub(super) const ALL: [Self; Self::COUNT] = [Self::Site, Self::Author, Self::Account, Self::Article];
}

/// A change that a commit made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// A comment came.
    Added { row: u32, site: SiteId, keys: Keys },
    /// A comment was erased; its chains still run through it.
    Erased { row: u32, id: u64 },
    /// An edit listed a comment under another author.
    Moved { author: u64 },
    /// Words were taken away; nothing that the index knows.
    Wiped,
}

/// See the module.
pub(super) struct Index {
    ids: Vec<RwLock<Ids>>,
    heads: RwLock<Heads>,
    /// Authors under whom an edit listed a comment that hangs in another one's chain: few.
    moved: RwLock<HashSet<u64>>,
}

/// The latest row of every chain.
#[derive(Default)]
pub(super) struct Heads([HashMap<u64, u32, BuildHasherDefault<Hashed>>; Chain::COUNT]);

impl Heads {
    pub(super) fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            let Change::Added { row, site, keys } = *change else { continue };
            for chain in Chain::ALL {
                let key = chain.key(site, &keys);
                if key != 0 {
                    self.0[chain.index()].insert(key, row);
                }
            }
        }
    }
}

/// Keys are hashes under a secret seed already (sites are few): hashing them again would double the time of a start.
#[derive(Default)]
struct Hashed(u64);

impl std::hash::Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte); // never asked: keys are u64
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

const SHARDS: usize = 16; // growing a table copies it, so there are sixteen small ones

impl Index {
    pub(super) fn new() -> Self {
        Self {
            ids: (0..SHARDS).map(|_| RwLock::new(Ids::new())).collect(),
            heads: RwLock::default(),
            moved: RwLock::default(),
        }
    }

    /// Makes room for so many comments at once: growing step by step writes every one of them twice on the way.
    pub(super) fn expect(&self, comments: u32) {
        let each = comments as usize / SHARDS + 1;
        for shard in &self.ids {
            shard.write().unwrap_or_else(PoisonError::into_inner).expect_in_all(each);
        }
    }

    /// Rows that may hold the comment whose id has this hash: none, or one, or very rarely more.
    pub(super) fn rows(&self, id: u64) -> Vec<u32> {
        self.shard(id).read().unwrap_or_else(PoisonError::into_inner).rows(id)
    }

    /// The latest row of a chain; zero for none.
    pub(super) fn head(&self, chain: Chain, key: u64) -> u32 {
        self.heads().0[chain.index()].get(&key).copied().unwrap_or(0)
    }

    /// Whether any comment may be listed under an author.
    pub(super) fn knows_author(&self, author: u64) -> bool {
        self.head(Chain::Author, author) != 0
            || self.moved.read().unwrap_or_else(PoisonError::into_inner).contains(&author)
    }

    /// Takes over what a commit changed, in its order.
    pub(super) fn apply(&self, changes: &[Change]) {
        let mut heads = self.heads_mut();
        self.apply_ids(changes);
        heads.apply(changes);
        drop(heads);
        for change in changes {
            if let Change::Moved { author } = *change {
                self.moved.write().unwrap_or_else(PoisonError::into_inner).insert(author);
            }
        }
    }

    /// The part of it that ids are found by.
    pub(super) fn apply_ids(&self, changes: &[Change]) {
        for change in changes {
            match *change {
                Change::Added { row, keys: Keys { id, .. }, .. } if id != 0 => {
                    self.shard(id).write().unwrap_or_else(PoisonError::into_inner).insert(id, row);
                }
                Change::Erased { row, id } => {
                    self.shard(id).write().unwrap_or_else(PoisonError::into_inner).remove(id, row);
                }
                Change::Added { .. } | Change::Moved { .. } | Change::Wiped => {}
            }
        }
    }

    fn shard(&self, id: u64) -> &RwLock<Ids> {
        &self.ids[usize::from(id.to_le_bytes()[0]) % SHARDS]
    }

    fn heads(&self) -> RwLockReadGuard<'_, Heads> {
        self.heads.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn heads_mut(&self) -> RwLockWriteGuard<'_, Heads> {
        self.heads.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open-addressed table of 8-byte slots: the upper 32 bits of an id's hash, and its row. With the shard that is 36
/// bits: among five million comments one unknown id in fourteen thousand meets a stranger, and costs one look at a row.
struct Ids {
    slots: Vec<u64>,
    /// Slots that are not empty, removed ones included.
    used: usize,
    bits: u32,
}

const EMPTY: u64 = 0; // row 0 does not exist
const REMOVED: u64 = u32::MAX as u64; // nor does the last one: the writer stops before

/// The lower half of a slot.
fn row_of(slot: u64) -> u32 {
    let bytes = slot.to_le_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

impl Ids {
    fn new() -> Self {
        Self::with_bits(8)
    }

    fn with_bits(bits: u32) -> Self {
        Self { slots: vec![EMPTY; 1 << bits], used: 0, bits }
    }

    /// Makes room for so many while nothing is in it yet.
    fn expect_in_all(&mut self, count: usize) {
        let slots = (count * 4 / 3 + 1).next_power_of_two();
        if self.used == 0 && slots > self.slots.len() {
            *self = Self::with_bits(slots.trailing_zeros());
        }
    }

    fn rows(&self, id: u64) -> Vec<u32> {
        let print = id >> 32;
        let mut rows = Vec::new();
        for at in self.probe(print) {
            match self.slots[at] {
                EMPTY => break,
                slot if slot >> 32 == print && slot & REMOVED != REMOVED => rows.push(row_of(slot)),
                _ => {}
            }
        }
        rows
    }

    fn insert(&mut self, id: u64, row: u32) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.place((id >> 32) << 32 | u64::from(row));
    }

    fn remove(&mut self, id: u64, row: u32) {
        let wanted = (id >> 32) << 32 | u64::from(row);
        for at in self.probe(id >> 32) {
            match self.slots[at] {
                EMPTY => break,
                slot if slot == wanted => {
                    self.slots[at] = slot | REMOVED;
                    break;
                }
                _ => {}
            }
        }
    }

    fn place(&mut self, slot: u64) {
        let free = self.probe(slot >> 32).find(|at| self.slots[*at] == EMPTY);
        let free = free.expect("a quarter of the table is empty");
        self.slots[free] = slot;
        self.used += 1;
    }

    fn grow(&mut self) {
        let larger = Self::with_bits(self.bits + 1);
        let old = std::mem::replace(self, larger);
        for slot in old.slots.into_iter().filter(|slot| *slot != EMPTY && slot & REMOVED != REMOVED) {
            self.place(slot);
        }
    }

    /// All slots, from the print's own one on. The print alone says where that is, so growing needs no full hash.
    fn probe(&self, print: u64) -> impl Iterator<Item = usize> + use<> {
        let (mask, home) = (self.slots.len() - 1, usize::try_from(print >> (32 - self.bits)).unwrap_or(0));
        (0..=mask).map(move |step| (home + step) & mask)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SITE: SiteId = SiteId(3);

    fn added(row: u32, id: u64, author: u64) -> Change {
        Change::Added { row, site: SITE, keys: Keys { id, author, account: 0, article: 9 } }
    }

    #[test]
    fn a_chain_begins_at_its_latest_row() {
        let index = Index::new();
        index.apply(&[added(1, 10, 5), added(2, 20, 6), added(3, 30, 5)]);
        assert_eq!(index.head(Chain::Author, 5), 3);
        assert_eq!(index.head(Chain::Author, 6), 2);
        assert_eq!(index.head(Chain::Author, 7), 0);
        assert_eq!(index.head(Chain::Article, 9), 3);
        assert_eq!(index.head(Chain::Site, 3), 3);
        assert_eq!(index.head(Chain::Account, 0), 0, "no account is no chain");
    }

    #[test]
    fn equal_hashes_are_all_candidates_and_go_one_by_one() {
        let index = Index::new();
        index.apply(&[added(1, 10, 5), added(2, 10, 5)]);
        assert_eq!(index.rows(10), [1, 2]);
        index.apply(&[Change::Erased { row: 1, id: 10 }]);
        assert_eq!(index.rows(10), [2]);
    }

    #[test]
    fn keys_survive_their_bytes() {
        let keys = Keys { id: 1, author: u64::MAX, account: 0, article: 77 };
        assert_eq!(Keys::from_bytes(&keys.to_bytes()), Some(keys));
        assert_eq!(Keys::from_bytes(&[0; 31]), None);
    }

    proptest! {
        #[test]
        fn the_table_finds_what_is_in_it_and_little_else(
            ids in prop::collection::vec(any::<u64>(), 1..3_000),
            erased in prop::collection::vec(any::<prop::sample::Index>(), 0..50),
            expected in 0..5_000_usize,
        ) {
            let mut table = Ids::new();
            table.expect_in_all(expected);
            let mut kept: Vec<Option<u64>> = ids.iter().copied().map(Some).collect();
            for (row, id) in (1..).zip(&ids) {
                table.insert(*id, row);
            }
            for pick in erased {
                let at = pick.index(kept.len());
                if let Some(id) = kept[at].take() {
                    table.remove(id, u32::try_from(at).unwrap() + 1);
                }
            }
            for (row, (id, kept)) in (1_u32..).zip(ids.iter().zip(&kept)) {
                prop_assert_eq!(table.rows(*id).contains(&row), kept.is_some());
            }
        }
    }
}

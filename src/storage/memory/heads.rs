//! Where chains begin: a table from hashes to the newest item of each, in eight bytes a chain.
//!
//! A chain runs from the newest item to the oldest, and each item says how far back the next one is. A slot holds as many bits of an item's
//! number as tell those of one ring apart, and as much of the key's hash as there is room for: enough that two keys are taken for one about
//! once in a full memory, and whoever walks a chain compares what stands in it anyway. A ring forgets its oldest first, so a chain is over
//! when its newest item goes: nothing is counted.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// See the module.
#[derive(Debug)]
pub(super) struct Heads {
    /// Open addressing with linear probing, in the order of hashes but for what was pushed on. Zero stands for an empty slot.
    slots: Vec<u64>,
    used: usize,
    /// Slots with which the table is large enough for all that may be in it.
    enough: usize,
    /// The lower bits of a slot, which hold an item's number.
    number: u64,
    /// Made anew for each table, so that nobody outside can choose keys that stand beside each other.
    seed: u64,
}

/// Slots of an empty table.
const FEW: usize = 64;

impl Heads {
    /// For items of a ring of `capacity`, each in so many chains.
    pub(super) fn new(capacity: usize, chains: usize) -> Self {
        let numbers = (capacity as u64 + 1).next_power_of_two(); // one more: an item that was just pushed out is told apart as well
        Self {
            slots: vec![0; FEW],
            used: 0,
            enough: capacity.saturating_mul(chains).saturating_mul(4).div_ceil(3).max(FEW),
            number: numbers - 1,
            seed: RandomState::new().hash_one(0_u64),
        }
    }

    /// Puts `number` at the head of `key`'s chain; answers how far back the next one is, 0 for none.
    pub(super) fn add(&mut self, key: u64, number: u64) -> u32 {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let hash = self.hash(key);
        let (at, slot) = self.find(hash);
        self.slots[at] = hash | number & self.number;
        if slot == 0 {
            self.used += 1;
            return 0;
        }
        u32::try_from(number.wrapping_sub(slot) & self.number).unwrap_or(0)
    }

    /// The newest of `key`'s chain, of a ring whose next item will be number `end`.
    pub(super) fn newest(&self, key: u64, end: u64) -> Option<u64> {
        let (_, slot) = self.find(self.hash(key));
        (slot != 0).then(|| end - (end.wrapping_sub(slot) & self.number))
    }

    /// An item of `key`'s chain is gone, the oldest; if it was also the newest, the chain is forgotten.
    pub(super) fn gone(&mut self, key: u64, number: u64) {
        let hash = self.hash(key);
        let (at, slot) = self.find(hash);
        if slot == hash | number & self.number {
            self.empty(at);
        }
    }

    /// The part of a slot that is the key's: never zero.
    fn hash(&self, key: u64) -> u64 {
        (xxh3_64_with_seed(&key.to_le_bytes(), self.seed) | (self.number + 1)) & !self.number
    }

    /// Where a hash is, with what is there; or the empty slot where it would be.
    fn find(&self, hash: u64) -> (usize, u64) {
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot == 0 || slot & !self.number == hash {
                return (at, slot);
            }
            at = self.after(at);
        }
    }

    /// Where a slot would stand if nothing was in its way: it says so itself, and need not be hashed anew.
    fn home(&self, slot: u64) -> usize {
        usize::try_from(((slot >> 32) * self.slots.len() as u64) >> 32).unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// How far `to` is behind `from`, around the end.
    fn steps(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.slots.len() - from }
    }

    /// Empties a slot, and closes up what was pushed on because of it.
    fn empty(&mut self, mut hole: usize) {
        let mut at = hole;
        loop {
            at = self.after(at);
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            if self.steps(self.home(slot), at) >= self.steps(hole, at) {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = 0;
        self.used -= 1;
    }

    fn grow(&mut self) {
        let double = self.slots.len() * 2;
        let length = if self.slots.len() < self.enough { double.min(self.enough) } else { double };
        let old = std::mem::replace(&mut self.slots, vec![0; length]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            let (at, _) = self.find(slot & !self.number);
            self.slots[at] = slot;
        }
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.used
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn chains_are_those_of_a_plain_map(keys in prop::collection::vec(0..40_u64, 1..600), capacity in 1..70_usize, first in 0..u64::MAX / 2) {
            let mut heads = Heads::new(capacity, 1);
            let mut plain: HashMap<u64, Vec<u64>> = HashMap::new();
            for (number, key) in (first..).zip(&keys) {
                if let Some(gone) = number.checked_sub(capacity as u64).filter(|gone| *gone >= first) {
                    let key = keys[usize::try_from(gone - first).unwrap()];
                    heads.gone(key, gone);
                    let chain = plain.get_mut(&key).unwrap();
                    prop_assert_eq!(chain.remove(0), gone);
                }
                let chain = plain.entry(*key).or_default();
                let back = chain.last().map_or(0, |last| number - last);
                prop_assert_eq!(u64::from(heads.add(*key, number)), back);
                chain.push(number);
                for (key, chain) in &plain {
                    prop_assert_eq!(heads.newest(*key, number + 1), chain.last().copied());
                }
            }
            prop_assert_eq!(heads.len(), plain.values().filter(|chain| !chain.is_empty()).count());
        }
    }

    #[test]
    fn a_table_grows_no_further_than_is_enough() {
        let mut heads = Heads::new(10_000, 3);
        for number in 0..100_000_u64 {
            let keys = |number: u64| [number * 3, number * 3 + 1, number * 3 + 2];
            if let Some(gone) = number.checked_sub(10_000) {
                for key in keys(gone) {
                    heads.gone(key, gone);
                }
            }
            assert!(keys(number).into_iter().all(|key| heads.add(key, number) == 0));
        }
        assert_eq!((heads.len(), heads.slots.len()), (30_000, 40_000));
    }
}

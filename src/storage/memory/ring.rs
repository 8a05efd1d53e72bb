//! A bounded ring whose items keep their numbers: new ones push the oldest out.

use std::collections::{HashMap, VecDeque};

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

/// A map from hashes; hashing them again costs little and keeps an attacker from choosing collisions cheaply.
pub(super) type ByHash<V> = HashMap<u64, V, Xxh3DefaultBuilder>;

/// Items by number. Numbers grow by one and are never used twice.
#[derive(Debug)]
pub(super) struct Ring<T> {
    items: VecDeque<T>,
    base: u64,
    capacity: usize,
}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { items: VecDeque::new(), base: 0, capacity: capacity.max(1) }
    }

    /// Adds an item; answers its number, and the item that it pushed out.
    pub(super) fn push(&mut self, item: T) -> (u64, Option<T>) {
        let out = if self.items.len() >= self.capacity { self.pop() } else { None };
        self.items.push_back(item);
        (self.base + self.items.len() as u64 - 1, out)
    }

    /// Removes the oldest item.
    pub(super) fn pop(&mut self) -> Option<T> {
        let out = self.items.pop_front()?;
        self.base += 1;
        Some(out)
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        self.items.get(usize::try_from(number.checked_sub(self.base)?).ok()?)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.items.get_mut(usize::try_from(number.checked_sub(self.base)?).ok()?)
    }

    pub(super) fn oldest(&self) -> Option<&T> {
        self.items.front()
    }

    /// The number of the oldest item that is still there.
    pub(super) const fn base(&self) -> u64 {
        self.base
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}

/// The head of a chain of items that share a key: chains run from the newest to the oldest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// The newest item's number.
    pub(super) newest: u64,
    /// How many there are.
    pub(super) count: u32,
}

/// Chains by key.
#[derive(Debug, Default)]
pub(super) struct Chains(ByHash<Head>);

/// The end of a chain.
pub(super) const END: u64 = u64::MAX;

impl Chains {
    /// Puts `number` at the head of `key`'s chain; answers what it leads on to.
    pub(super) fn add(&mut self, key: u64, number: u64) -> u64 {
        let head = self.0.entry(key).or_insert(Head { newest: END, count: 0 });
        head.count = head.count.saturating_add(1);
        std::mem::replace(&mut head.newest, number)
    }

    /// One item of `key`'s chain is gone; the chain is forgotten with its last.
    pub(super) fn drop_one(&mut self, key: u64) {
        if let Some(head) = self.0.get_mut(&key) {
            head.count -= 1;
            if head.count == 0 {
                self.0.remove(&key);
            }
        }
    }

    pub(super) fn head(&self, key: u64) -> Option<Head> {
        self.0.get(&key).copied()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

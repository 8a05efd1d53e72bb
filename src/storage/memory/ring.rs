//! A bounded ring whose items keep their numbers: new ones push the oldest out.

use std::collections::{HashMap, VecDeque};

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

/// A map from hashes; hashing them again costs little and keeps an attacker from choosing collisions cheaply.
pub(super) type ByHash<V> = HashMap<u64, V, Xxh3DefaultBuilder>;

/// Items of one ring at most: how far back one is from another fits into 32 bits.
const MOST: usize = 1 << 31;

/// Items by number. Numbers grow by one and are never used twice.
#[derive(Debug)]
pub(super) struct Ring<T> {
    items: VecDeque<T>,
    base: u64,
    capacity: usize,
}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { items: VecDeque::new(), base: 0, capacity: capacity.clamp(1, MOST) }
    }

    /// Adds an item; answers its number, and the item that it pushed out.
    pub(super) fn push(&mut self, item: T) -> (u64, Option<T>) {
        let out = if self.items.len() >= self.capacity { self.pop() } else { None };
        if self.items.len() == self.items.capacity() {
            let double = self.items.len().max(16);
            self.items.reserve_exact(double.min(self.capacity - self.items.len())); // never more than will be needed
        }
        self.items.push_back(item);
        (self.end() - 1, out)
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

    /// The number that the next item will have.
    pub(super) fn end(&self) -> u64 {
        self.base + self.items.len() as u64
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<T>()
    }
}

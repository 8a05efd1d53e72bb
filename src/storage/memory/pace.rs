//! How fast comments come in, by author and by article: a table of fixed size, for the last minutes only.
//!
//! Two counts for each key, for the window that is running and the one before, the older one fading while the younger fills (as rate limiters
//! do). Whoever needs a place that another key holds takes it, unless that one is as young: what is forgotten so makes a burst look smaller,
//! never larger. A restart forgets everything: ten minutes are not worth keeping.

use crate::domain::history::Pace;
use crate::domain::time::Timestamp;

/// Places of the table.
const PLACES: usize = 16_384;

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: u64,
    window: u64,
    now: Counts,
    before: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    all: u32,
    newcomers: u32,
}

/// The table.
#[derive(Debug)]
pub(super) struct Paces(Vec<Slot>);

impl Paces {
    pub(super) fn new() -> Self {
        Self(vec![Slot::default(); PLACES])
    }

    /// How fast comments by `author` and under `article` came in before `at`.
    pub(super) fn look(&self, author: u64, article: u64, at: Timestamp) -> Pace {
        let (by_author, under_article) = (self.counts(author, at), self.counts(article, at));
        Pace { by_author: by_author.all, under_article: under_article.all, by_newcomers: under_article.newcomers }
    }

    /// Counts one comment.
    pub(super) fn note(&mut self, author: u64, article: u64, newcomer: bool, at: Timestamp) {
        for key in [author, article] {
            let window = window(at);
            let slot = &mut self.0[place(key)];
            if slot.key != key {
                if slot.window >= window && slot.now.all > 1 {
                    continue; // the other one is at it just now
                }
                *slot = Slot { key, window, ..Slot::default() };
            } else if window > slot.window {
                let before = if window == slot.window + 1 { slot.now } else { Counts::default() };
                *slot = Slot { key, window, now: Counts::default(), before };
            }
            slot.now.all = slot.now.all.saturating_add(1);
            slot.now.newcomers = slot.now.newcomers.saturating_add(u32::from(newcomer));
        }
    }

    fn counts(&self, key: u64, at: Timestamp) -> Counts {
        let slot = &self.0[place(key)];
        let window = window(at);
        if slot.key != key || window > slot.window + 1 || window < slot.window {
            return Counts::default();
        }
        let (young, old) = if window == slot.window { (slot.now, slot.before) } else { (Counts::default(), slot.now) };
        let millis = u64::try_from(at.as_millis()).unwrap_or(0) % Pace::WINDOW_MS;
        let fading = |count: u32| {
            let left = u64::from(count) * (Pace::WINDOW_MS - millis) / Pace::WINDOW_MS;
            u32::try_from(left).unwrap_or(u32::MAX)
        };
        Counts { all: young.all + fading(old.all), newcomers: young.newcomers + fading(old.newcomers) }
    }
}

fn window(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0) / Pace::WINDOW_MS
}

fn place(key: u64) -> usize {
    usize::try_from(key % PLACES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn what_came_in_fades_within_two_windows() {
        let mut paces = Paces::new();
        for _ in 0..8 {
            paces.note(1, 2, true, at(100));
        }
        paces.note(3, 2, false, at(100));
        assert_eq!(paces.look(1, 2, at(101)), Pace { by_author: 8, under_article: 9, by_newcomers: 8 });
        assert_eq!(paces.look(1, 2, at(115)).by_author, 4);
        assert_eq!(paces.look(1, 2, at(130)), Pace::default());
        paces.note(1, 2, false, at(112));
        assert_eq!(paces.look(1, 2, at(115)).by_author, 5);
    }

    #[test]
    fn the_table_stays_as_large_as_it_is() {
        let mut paces = Paces::new();
        for key in 1..100_000 {
            paces.note(key, key.wrapping_mul(7), false, at(5));
        }
        assert_eq!(paces.0.len(), PLACES);
        assert!(paces.look(3, 21, at(5)).by_author <= 2);
    }
}

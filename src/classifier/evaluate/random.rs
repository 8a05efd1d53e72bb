//! Chance with a published seed: the same numbers on every machine.

/// SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators", 2014): enough for drawing samples, no good for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let high = (u128::from(self.draw()) * bound as u128) >> 64;
        usize::try_from(high).unwrap_or(0)
    }

    /// At most `most` of `items`, each as likely as the next, in their order.
    pub fn choose<T: Clone>(&mut self, items: &[T], most: usize) -> Vec<T> {
        let mut left = most.min(items.len());
        let mut chosen = Vec::with_capacity(left);
        for (at, item) in items.iter().enumerate() {
            if left > 0 && self.below(items.len() - at) < left {
                chosen.push(item.clone());
                left -= 1;
            }
        }
        chosen
    }

    /// Puts `items` into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_the_same_everywhere() {
        let mut random = Random::new(0);
        assert_eq!(random.draw(), 0xe220_a839_7b1d_cdaf, "the published first number of the seed 0");
        let mut counts = [0_u32; 5];
        for _ in 0..5_000 {
            counts[random.below(5)] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn choosing_takes_as_many_as_asked_and_keeps_the_order() {
        let items: Vec<u32> = (0..100).collect();
        let chosen = Random::new(7).choose(&items, 10);
        assert_eq!(chosen.len(), 10);
        assert!(chosen.is_sorted());
        assert_eq!(Random::new(7).choose(&items, 1_000), items);
        let mut shuffled = items.clone();
        Random::new(7).shuffle(&mut shuffled);
        assert_ne!(shuffled, items);
        shuffled.sort_unstable();
        assert_eq!(shuffled, items);
    }
}

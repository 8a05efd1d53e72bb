//! What each word, pair of words and property of a comment adds to both outputs, summed up in place: sorting some hundred n-grams by what they
//! were made of took longer than finding them.

use super::features::{MAX_WORDS, Owner};
use super::handmade::HAND;

/// Sums by owner, for one comment.
pub(super) struct Shares {
    words: Vec<[f64; 2]>,
    pairs: Vec<[f64; 2]>,
    hand: [[f64; 2]; HAND.len()],
    constant: [f64; 2],
}

impl Shares {
    /// Nothing yet, for a comment of so many words.
    pub(super) fn new(words: usize) -> Self {
        let words = words.min(MAX_WORDS);
        let (words, pairs) = (vec![[0.0; 2]; words], vec![[0.0; 2]; words]);
        Self { words, pairs, hand: [[0.0; 2]; HAND.len()], constant: [0.0; 2] }
    }

    /// Adds to an owner's share.
    pub(super) fn add(&mut self, owner: Owner, share: [f64; 2]) {
        let sum = match owner {
            Owner::Word(at) => self.words.get_mut(at as usize),
            Owner::Pair(at) => self.pairs.get_mut(at as usize),
            Owner::Hand(number) => self.hand.get_mut(number as usize),
            Owner::Constant => Some(&mut self.constant),
        };
        if let Some(sum) = sum {
            sum[0] += share[0];
            sum[1] += share[1];
        }
    }

    /// Every owner's share, in the order of owners.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Owner, [f64; 2])> + '_ {
        let words = (0_u32..).zip(&self.words).map(|(at, share)| (Owner::Word(at), *share));
        let pairs = (0_u32..).zip(&self.pairs).map(|(at, share)| (Owner::Pair(at), *share));
        let hand = (0_u32..).zip(&self.hand).map(|(number, share)| (Owner::Hand(number), *share));
        words.chain(pairs).chain(hand).chain([(Owner::Constant, self.constant)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_one_owner_are_summed_and_told_in_the_order_of_owners() {
        let mut shares = Shares::new(2);
        let given = [
            Owner::Constant,
            Owner::Hand(3),
            Owner::Pair(0),
            Owner::Word(1),
            Owner::Word(0),
            Owner::Word(1),
            Owner::Word(9),
        ];
        for owner in given {
            shares.add(owner, [1.0, -0.5]);
        }
        let told: Vec<(Owner, [f64; 2])> = shares.iter().filter(|(_, share)| share[0] > 0.0).collect();
        let one = [1.0, -0.5];
        let expected = [
            (Owner::Word(0), one),
            (Owner::Word(1), [2.0, -1.0]),
            (Owner::Pair(0), one),
            (Owner::Hand(3), one),
            (Owner::Constant, one),
        ];
        assert_eq!(told, expected);
    }
}

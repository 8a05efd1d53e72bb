//! A text's content words as numbers: the stem's hash and its information, each once, in the order of hashes.
//!
//! Made once for a comment and compared with its page, with what was said around it, and with the parent; allocates one list.

use xxhash_rust::xxh3::xxh3_64;

use super::headline::is_common;
use super::relevance::Background;

/// Content words of a text that are looked at; the rest of a longer one is passed over.
const MAX_TERMS: usize = 2_000;

/// A text's distinct content words, with their information in nats.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    list: Vec<(u32, f32)>,
    evidence: f32,
    squares: f32,
}

impl Terms {
    /// Of a text, given by its folded words.
    #[must_use]
    pub fn of<'a>(words: impl Iterator<Item = &'a str>, background: &Background) -> Self {
        let content = words.filter(|word| word.len() > 1 && !is_common(word)).take(MAX_TERMS);
        let mut list: Vec<(u32, f32)> = Vec::with_capacity(64);
        list.extend(content.map(|word| (key(stem(word)), background.idf(word))));
        list.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        list.dedup_by_key(|(stem, _)| *stem);
        let evidence = list.iter().map(|(_, idf)| idf).sum();
        let squares = list.iter().map(|(_, idf)| idf * idf).sum();
        Self { list, evidence, squares }
    }

    /// Information of all of them together, in nats.
    #[must_use]
    pub const fn evidence(&self) -> f32 {
        self.evidence
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Length of the vector that they are.
    #[must_use]
    pub fn norm(&self) -> f32 {
        self.squares.sqrt()
    }

    /// Stem's hash and information, in the order of hashes.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.list.iter().copied()
    }
}

/// The number that stands for a folded word.
#[must_use]
pub fn key(word: &str) -> u32 {
    u32::try_from(xxh3_64(word.as_bytes()) >> 32).unwrap_or(0)
}

/// Inflection that separates words on one subject: the commonest English endings. Both sides are treated alike.
#[must_use]
pub fn stem(word: &str) -> &str {
    for ending in ["'s", "ing", "ed", "es", "s"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() >= 4
        {
            return stem;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_once_whatever_their_ending_and_common_ones_not_at_all() {
        let of = |text: &str| Terms::of(text.split(' '), &Background::default());
        let boats = of("the boats and boat race");
        assert_eq!(boats, of("boat race"));
        assert_eq!(boats.iter().count(), 2);
        assert!((boats.evidence() - 10.0).abs() < 1e-6 && (boats.norm() - 50.0_f32.sqrt()).abs() < 1e-6);
        assert_eq!(of("the of"), Terms::default());
    }
}

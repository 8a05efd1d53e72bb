//! Words and pairs of words that a published blocklist names and that pages hardly ever use, as hashes (`models/lexicon.bin`).
//!
//! Made by `scripts/lexicon` from wordpress-comment-blocklist (Grant Hutchinson and contributors, MIT); no labelled comment was read for it. It is
//! part of what the features are, like the word lists written by hand: changing it changes [`super::features::SPEC`].

use std::sync::LazyLock;

const FILE: &[u8] = include_bytes!("../../models/lexicon.bin");
/// Entries of at least that many bytes are beginnings of words, shorter ones whole words.
const BEGINNING: usize = 5;
/// Cells of the filter in front of the search; most words are told by it alone.
const FILTER: usize = 1 << 14;

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::read);

struct Lexicon {
    words: Vec<u32>,
    pairs: Vec<u32>,
    filter: Box<[u64]>,
}

impl Lexicon {
    fn read() -> Self {
        let mut numbers =
            FILE.chunks_exact(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let count = numbers.next().unwrap_or(0) as usize;
        let _pairs = numbers.next();
        let words: Vec<u32> = numbers.by_ref().take(count).collect();
        let pairs: Vec<u32> = numbers.collect();
        let mut filter = vec![0_u64; FILTER].into_boxed_slice();
        for hash in words.iter().chain(&pairs) {
            let (cell, bit) = place(*hash);
            filter[cell] |= bit;
        }
        Self { words, pairs, filter }
    }

    fn has(&self, sorted: &[u32], hash: u64) -> bool {
        let hash = short(hash);
        let (cell, bit) = place(hash);
        self.filter[cell] & bit != 0 && sorted.binary_search(&hash).is_ok()
    }
}

const fn place(hash: u32) -> (usize, u64) {
    ((hash >> 6) as usize % FILTER, 1 << (hash % 64))
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
const fn short(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

/// Whether the word, or a beginning of it, stands on the list.
pub(super) fn lists_word(word: &str) -> bool {
    let lexicon = &*LEXICON;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (at, byte) in word.bytes().take(40).enumerate() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        if (at + 1 >= BEGINNING || at + 1 == word.len()) && lexicon.has(&lexicon.words, hash) {
            return true;
        }
    }
    false
}

/// Whether two words in a row, by their hashes, stand on the list.
pub(super) fn lists_pair(before: u64, word: u64) -> bool {
    let lexicon = &*LEXICON;
    lexicon.has(&lexicon.pairs, before.rotate_left(17) ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::super::features::word_hash;
    use super::*;

    #[test]
    fn entries_are_beginnings_of_words_and_pairs() {
        for (word, expected) in [("viagra", true), ("viagras", true), ("bicycle", false), ("a", false), ("", false)] {
            assert_eq!(lists_word(word), expected, "{word}");
        }
        for (pair, expected) in [(["online", "casino"], true), (["green", "bicycle"], false)] {
            assert_eq!(lists_pair(word_hash(pair[0]), word_hash(pair[1])), expected, "{pair:?}");
        }
        assert!(LEXICON.words.is_sorted() && LEXICON.pairs.is_sorted());
    }
}

//! When two texts count as nearly the same, and by which keys those that may be are found.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::domain::short;
use crate::domain::trace::TextTrace;

/// What a fingerprint is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    Whole,
    Headline,
    Short,
}

/// Bands of a sketch, of two minima each.
pub(super) const BANDS: usize = 8;

/// Estimated similarity from which whole texts count as nearly the same.
const SAME_TEXT: f64 = 0.6;

/// Estimated similarity from which headlines of that many content words count as the same or reworded. Short ones share words by chance, and the
/// estimate of a small set is coarse.
fn same_headline(words: u16) -> f64 {
    match words {
        0..=5 => 0.8,
        6..=7 => 0.55,
        _ => 0.43,
    }
}

/// Whether two texts of a kind count as the same or nearly the same.
pub(super) fn are_alike(kind: TextKind, known: &TextTrace, text: &TextTrace) -> bool {
    match kind {
        TextKind::Whole => known.similarity(text) >= SAME_TEXT,
        TextKind::Headline => known.similarity(text) >= same_headline(text.size),
        TextKind::Short => short::alike(known, text),
    }
}

pub(super) fn band_keys(kind: TextKind, text: &TextTrace) -> [u64; BANDS] {
    let of_kind = match kind {
        TextKind::Whole => 0,
        TextKind::Headline => 1,
        TextKind::Short => 1 << 8,
    };
    std::array::from_fn(|band| {
        let two = u64::from(text.sketch[2 * band]) << 32 | u64::from(text.sketch[2 * band + 1]);
        xxh3_64_with_seed(&two.to_le_bytes(), (band as u64) << 1 | of_kind)
    })
}

pub(super) fn exact_key(kind: TextKind, text: &TextTrace) -> u64 {
    text.exact
        ^ match kind {
            TextKind::Whole => 0,
            TextKind::Headline => 0x5bd1_e995_9d1f_3c27,
            TextKind::Short => 0x27d4_eb2f_1656_67c5,
        }
}

//! What words mean, as far as a small table knows: a vector for each of some ten thousand words, and the sum of a text's vectors, its gist.
//!
//! Comments rarely repeat their page's words. Words that stand for related things have vectors that point alike (Mikolov et al., "Distributed
//! Representations of Words and Phrases and their Compositionality", 2013), and a sum weighed by how rare its words are says what a text is
//! about about as well as slower models of whole sentences do (Arora et al., "A Simple but Tough-to-Beat Baseline for Sentence Embeddings",
//! 2017). A word that the table lacks adds nothing: `evidence` says how much of a text was heard at all, and whoever compares asks for enough.
//! One hash and one probe a word, rows of one byte a dimension, nothing allocated. Nothing here decides.

use xxhash_rust::xxh3::xxh3_64;

use super::terms::key;

/// Dimensions of a vector.
pub const WIDTH: usize = 128;
/// Words that a table may hold; one bit for each says which of them a text had already.
pub const MAX_ROWS: usize = 32_768;
/// Words of a text that are looked at; the rest of a longer one is passed over.
pub const MAX_WORDS: usize = 2_000;

const MAGIC: &[u8; 8] = b"dwem\x00\x01\x00\x00";
/// Bytes of one word in a file: hash, information, scale, row.
const ENTRY: usize = 4 + 4 + 4 + WIDTH;

/// A table of word vectors, shipped in `models/`. Immutable.
#[derive(Clone, Default, PartialEq)]
pub struct Embedding {
    /// Open addressing with linear probing: hash and number of the row; half of the slots stay empty.
    slots: Vec<(u32, u32)>,
    entries: Vec<Entry>,
    rows: Vec<[i8; WIDTH]>,
    version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    hash: u32,
    /// Information of the word, in nats.
    idf: f32,
    /// What one step of a row's bytes is worth.
    scale: f32,
}

/// What a text is about: the sum of its distinct words' vectors, each weighed by the word's information.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gist {
    /// The sum. Its direction says what the text is about.
    pub sum: [f32; WIDTH],
    /// Information of the words that the table knows, in nats.
    pub evidence: f32,
    /// How many distinct words those are.
    pub known: u32,
}

/// An embedding file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the word vectors cannot be read: {0}")]
pub struct BadEmbedding(&'static str);

impl Default for Gist {
    fn default() -> Self {
        Self { sum: [0.0; WIDTH], evidence: 0.0, known: 0 }
    }
}

impl Gist {
    /// Cosine of the angle between two gists, -1.0 to 1.0; 0.0 when one of them says nothing.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> f32 {
        let norms = (self.squares() * other.squares()).sqrt();
        if norms > 0.0 { (dot(&self.sum, &other.sum) / norms).clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// The direction alone: a vector of length one, or nothing but zeros.
    #[must_use]
    pub fn unit(&self) -> [f32; WIDTH] {
        let norm = self.squares().sqrt();
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        self.sum.map(|value| value * scale)
    }

    fn squares(&self) -> f32 {
        dot(&self.sum, &self.sum)
    }
}

/// The dot product, in an order of additions that does not depend on the machine.
#[must_use]
pub fn dot(a: &[f32; WIDTH], b: &[f32; WIDTH]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}

impl Embedding {
    /// Makes a table of words with their information (nats) and vectors. The first of two words that share a hash stays, and the first
    /// [`MAX_ROWS`] of all.
    #[must_use]
    pub fn build<'a>(words: impl Iterator<Item = (&'a str, f32, [f32; WIDTH])>) -> Self {
        let mut seen = std::collections::HashSet::new();
        let mut packed: Vec<(Entry, [i8; WIDTH])> = Vec::new();
        for (word, idf, vector) in words {
            let hash = key(word);
            if packed.len() < MAX_ROWS && seen.insert(hash) {
                let largest = vector.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
                let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
                #[expect(clippy::cast_possible_truncation, reason = "the largest becomes 127")]
                let row = vector.map(|value| (value / scale).round() as i8);
                packed.push((Entry { hash, idf, scale }, row));
            }
        }
        packed.sort_unstable_by_key(|(entry, _)| entry.hash);
        let (entries, rows) = packed.into_iter().unzip();
        let mut table = Self { entries, rows, ..Self::default() };
        table.version = xxh3_64(&table.content());
        table.index();
        table
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.content();
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes
    }

    fn content(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (entry, row) in self.entries.iter().zip(&self.rows) {
            bytes.extend_from_slice(&entry.hash.to_le_bytes());
            bytes.extend_from_slice(&entry.idf.to_le_bytes());
            bytes.extend_from_slice(&entry.scale.to_le_bytes());
            bytes.extend(row.iter().map(|value| value.to_le_bytes()[0]));
        }
        bytes
    }

    /// Reads a file that [`Self::to_bytes`] made.
    ///
    /// # Errors
    /// [`BadEmbedding`]: another kind of file, or a damaged one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadEmbedding> {
        let (content, checksum) = bytes.split_last_chunk::<8>().ok_or(BadEmbedding("it is too short"))?;
        let rest = content.strip_prefix(MAGIC).ok_or(BadEmbedding("it is another kind of file"))?;
        let version = xxh3_64(content);
        if version.to_le_bytes() != *checksum {
            return Err(BadEmbedding("it is damaged (checksum)"));
        }
        if rest.len() % ENTRY != 0 || rest.len() / ENTRY > MAX_ROWS {
            return Err(BadEmbedding("its size does not fit its kind"));
        }
        let count = rest.len() / ENTRY;
        let (mut entries, mut rows) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for entry in rest.chunks_exact(ENTRY) {
            let number = |at: usize| [entry[at], entry[at + 1], entry[at + 2], entry[at + 3]];
            let (idf, scale) = (f32::from_le_bytes(number(4)), f32::from_le_bytes(number(8)));
            if !(idf.is_finite() && scale.is_finite()) {
                return Err(BadEmbedding("it holds something that is no number"));
            }
            entries.push(Entry { hash: u32::from_le_bytes(number(0)), idf, scale });
            let mut row = [0_i8; WIDTH];
            for (value, byte) in row.iter_mut().zip(&entry[12..]) {
                *value = i8::from_le_bytes([*byte]);
            }
            rows.push(row);
        }
        let mut table = Self { entries, rows, version, slots: Vec::new() };
        table.index();
        Ok(table)
    }

    /// How many words it knows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Which table this is: the checksum of its content. Whatever was learned from gists holds for one table only.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The gist of a text, given by its folded words. A word counts once, however often it stands there: repeating one is an old way to
    /// feign a subject. Allocates nothing.
    #[must_use]
    pub fn gist<'a>(&self, words: impl Iterator<Item = &'a str>) -> Gist {
        self.gist_of(words.map(|word| (word, 1.0)))
    }

    /// The same of words that count more or less than once; of a word that comes again the first counts.
    #[must_use]
    pub fn gist_of<'a>(&self, words: impl Iterator<Item = (&'a str, f32)>) -> Gist {
        let mut gist = Gist::default();
        let mut had = [0_u64; MAX_ROWS / 64];
        for (word, count) in words.take(MAX_WORDS) {
            let Some(number) = self.find(key(word)) else { continue };
            let (cell, bit) = (&mut had[number / 64], 1 << (number % 64));
            if *cell & bit != 0 {
                continue;
            }
            *cell |= bit;
            let Entry { idf, scale, .. } = self.entries[number];
            let weight = count * idf * scale;
            for (sum, value) in gist.sum.iter_mut().zip(&self.rows[number]) {
                *sum += weight * f32::from(*value);
            }
            gist.evidence += idf;
            gist.known += 1;
        }
        gist
    }

    fn find(&self, hash: u32) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let (found, number) = self.slots[at];
            if number == EMPTY {
                return None;
            }
            if found == hash {
                return Some(number as usize);
            }
            at = (at + 1) & mask;
        }
    }

    fn index(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let slots = (2 * self.entries.len()).next_power_of_two();
        self.slots = vec![(0, EMPTY); slots];
        for (number, entry) in (0_u32..).zip(&self.entries) {
            let mut at = entry.hash as usize & (slots - 1);
            while self.slots[at].1 != EMPTY {
                at = (at + 1) & (slots - 1);
            }
            self.slots[at] = (entry.hash, number);
        }
    }
}

/// A slot without a word.
const EMPTY: u32 = u32::MAX;

impl std::fmt::Debug for Embedding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Embedding({} words, {:016x})", self.rows(), self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(along: usize) -> [f32; WIDTH] {
        let mut vector = [0.0; WIDTH];
        vector[along] = 0.5;
        vector[WIDTH - 1] = -0.1;
        vector
    }

    fn table() -> Embedding {
        let words = [("boat", 4.0, vector(0)), ("ship", 5.0, vector(0)), ("loan", 3.0, vector(1))];
        Embedding::build(words.into_iter())
    }

    #[test]
    fn words_for_like_things_point_alike() {
        let table = table();
        let gist = |text: &str| table.gist(text.split(' '));
        let (boat, ship, loan) = (gist("a boat"), gist("ships and ship"), gist("loan"));
        assert!(boat.cosine(&ship) > 0.99, "{}", boat.cosine(&ship));
        assert!(boat.cosine(&loan) < 0.1, "{}", boat.cosine(&loan));
        assert_eq!((boat.known, ship.known), (1, 1));
        let unit = gist("boat loan").unit();
        assert!((dot(&unit, &unit) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_word_counts_once_and_by_its_information() {
        let table = table();
        let once = table.gist(["boat", "loan"].into_iter());
        assert_eq!(table.gist(["boat", "loan", "boat", "boat"].into_iter()), once);
        assert!((once.evidence - 7.0).abs() < 1e-6);
        assert!(once.sum[0] > once.sum[1], "the rarer word weighs more");
    }

    #[test]
    fn nothing_known_says_nothing() {
        let nothing = table().gist(["unheard", ""].into_iter());
        assert_eq!(nothing, Gist::default());
        assert!(nothing.cosine(&table().gist(["boat"].into_iter())).abs() < 1e-9);
        assert_eq!(Embedding::default().gist(["boat"].into_iter()), Gist::default(), "an empty table");
    }

    #[test]
    fn embedding_files_are_checked() {
        let bytes = table().to_bytes();
        assert_eq!(Embedding::from_bytes(&bytes), Ok(table()));
        let mut damaged = bytes.clone();
        damaged[20] ^= 1;
        assert!(Embedding::from_bytes(&damaged).is_err());
        assert!(Embedding::from_bytes(&bytes[..20]).is_err());
        assert!(Embedding::from_bytes(b"something else entirely").is_err());
        let sealed = |content: &[u8]| [content, &xxh3_64(content).to_le_bytes()].concat();
        assert!(Embedding::from_bytes(&sealed(&bytes[..bytes.len() - 9])).is_err(), "an entry that lacks a byte");
        let mut no_number = bytes[..bytes.len() - 8].to_vec();
        no_number[12..16].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(Embedding::from_bytes(&sealed(&no_number)).is_err());
    }

    #[test]
    fn a_full_table_finds_every_word_and_keeps_to_its_bound() {
        let words: Vec<String> = (0..MAX_ROWS + 5).map(|number| format!("w{number}")).collect();
        let table = Embedding::build(words.iter().map(|word| (word.as_str(), 1.0, vector(0))));
        assert!(table.rows() <= MAX_ROWS);
        let missing =
            words[..1_000].iter().filter(|word| table.gist(std::iter::once(word.as_str())).known == 0).count();
        assert_eq!(missing, 0);
    }
}

//! How much a text has to do with a page: TF-IDF against background statistics, with the evidence to judge by.
//!
//! Two measures, both lexical: the cosine of TF-IDF vectors (Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988)
//! and the share of a comment's information (sum of inverse document frequencies) that page or parent also carry. Genuine comments often
//! share no word with their page, so no overlap says little: `evidence` is the sum of the information there was to judge by, and whoever
//! uses this asks for enough of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_64;

use super::comment::Article;
use super::embedding::{Embedding, Gist, MAX_WORDS};
use super::fit::Likeness;
use super::headline::is_common;
use super::normalise::{fold_plain, host_of, language_of, words};
use super::terms::{Terms, key, stem};

/// Document frequencies of words over many pages, shipped in `models/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Background {
    documents: u32,
    /// Word hash (upper half of xxh3) to document frequency, sorted by hash.
    frequencies: Vec<(u32, u32)>,
    /// Open addressing with linear probing: where in `frequencies`, from 1; half of the slots stay empty. A binary search over some ten
    /// thousand words took longer than all else about a comment.
    slots: Vec<u32>,
}

/// A background file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the background statistics cannot be read: {0}")]
pub struct BadBackground(&'static str);

const MAGIC: &[u8; 8] = b"dwbg\x00\x01\x00\x00";

impl Background {
    /// Counts in how many of `documents` each word occurs, and keeps the `most` frequent ones.
    #[must_use]
    pub fn build<T: AsRef<str>>(documents: impl Iterator<Item = T>, most: usize) -> Self {
        let mut counts: HashMap<u32, u32> = HashMap::new();
        let mut total = 0;
        for document in documents {
            total += 1;
            let folded = fold_plain(document.as_ref());
            let text = folded.text();
            let distinct: HashSet<u32> =
                words(text).iter().map(|word| key(&text[word.start as usize..word.end as usize])).collect();
            for word in distinct {
                *counts.entry(word).or_default() += 1;
            }
        }
        let mut frequencies: Vec<(u32, u32)> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
        frequencies.sort_unstable_by_key(|(word, count)| (std::cmp::Reverse(*count), *word));
        frequencies.truncate(most);
        frequencies.sort_unstable();
        Self::indexed(total, frequencies)
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.documents.to_le_bytes());
        for (word, count) in &self.frequencies {
            bytes.extend_from_slice(&word.to_le_bytes());
            bytes.extend_from_slice(&u16::try_from(*count).unwrap_or(u16::MAX).to_le_bytes());
        }
        let checksum = xxh3_64(&bytes).to_le_bytes();
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Reads a file that [`Self::to_bytes`] made.
    ///
    /// # Errors
    /// [`BadBackground`]: another kind of file, or a damaged one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadBackground> {
        let (content, checksum) = bytes.split_last_chunk::<8>().ok_or(BadBackground("it is too short"))?;
        let rest = content.strip_prefix(MAGIC).ok_or(BadBackground("it is another kind of file"))?;
        if xxh3_64(content).to_le_bytes() != *checksum {
            return Err(BadBackground("it is damaged (checksum)"));
        }
        let (documents, rest) = rest.split_first_chunk::<4>().ok_or(BadBackground("it is too short"))?;
        let frequencies = rest.chunks_exact(6).map(|entry| {
            let word = u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
            (word, u32::from(u16::from_le_bytes([entry[4], entry[5]])))
        });
        Ok(Self::indexed(u32::from_le_bytes(*documents), frequencies.collect()))
    }

    fn indexed(documents: u32, frequencies: Vec<(u32, u32)>) -> Self {
        let count = (2 * frequencies.len()).next_power_of_two();
        let mut slots = vec![0; count];
        for (number, (word, _)) in (1_u32..).zip(&frequencies) {
            let mut at = *word as usize & (count - 1);
            while slots[at] != 0 {
                at = (at + 1) & (count - 1);
            }
            slots[at] = number;
        }
        Self { documents, frequencies, slots }
    }

    /// In how many pages the word of that hash occurs.
    fn frequency(&self, word: u32) -> u32 {
        let Some(mask) = self.slots.len().checked_sub(1) else { return 0 };
        let mut at = word as usize & mask;
        while self.slots[at] != 0 {
            let (found, count) = self.frequencies[self.slots[at] as usize - 1];
            if found == word {
                return count;
            }
            at = (at + 1) & mask;
        }
        0
    }

    /// The information of a folded word, in nats: the logarithm of its inverse document frequency. Rare and unknown words carry
    /// most; without statistics every word counts as moderately rare.
    #[must_use]
    pub fn idf(&self, word: &str) -> f32 {
        if self.documents == 0 {
            return 5.0;
        }
        let count = self.frequency(key(word));
        #[expect(clippy::cast_precision_loss, reason = "counts of documents are far below 2^24")]
        let idf = ((self.documents as f32 + 1.0) / (count as f32 + 1.0)).ln();
        idf.max(0.0)
    }
}

/// An article, prepared once for being compared with many comments.
#[derive(Debug, Clone)]
pub struct Page {
    /// The article.
    pub article: Article,
    /// Its own host, which links to the page itself share.
    pub host: Option<String>,
    /// The folded words of the title.
    pub title_words: Vec<String>,
    /// The language that it is written in, where the site says so or it can be told; an ISO 639-1 code.
    pub lang: Option<String>,
    /// Stem to weight, sorted by stem.
    weights: Vec<(u32, f32)>,
    norm: f32,
    gist: Gist,
    /// Whether there is enough of the page to compare with.
    words: usize,
}

/// How much a text has to do with a page.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Relevance {
    /// Cosine of the TF-IDF vectors, 0.0 to 1.0.
    pub cosine: f32,
    /// Share of the text's information that page or parent carry, 0.0 to 1.0.
    pub share: f32,
    /// Information there was to judge by, in nats, over the text's distinct content words.
    pub evidence: f32,
}

impl Page {
    /// Prepares `article` for being compared word by word alone.
    #[must_use]
    pub fn new(article: Article, background: &Background) -> Self {
        Self::prepare(article, background, &Embedding::default())
    }

    /// Prepares `article`.
    #[must_use]
    pub fn prepare(article: Article, background: &Background, embedding: &Embedding) -> Self {
        let fold = |text: &str| {
            let folded = fold_plain(text);
            let text = folded.text();
            words(text).iter().map(|word| text[word.start as usize..word.end as usize].to_owned()).collect::<Vec<_>>()
        };
        let title_words = article.title.as_deref().map(fold).unwrap_or_default();
        let mut counts: BTreeMap<String, f32> = BTreeMap::new(); // sums must not depend on chance
        for word in &title_words {
            *counts.entry(word.clone()).or_default() += 3.0; // the title says what the page is about
        }
        let mut order: HashMap<String, usize> = HashMap::new();
        for word in &title_words {
            let next = order.len();
            order.entry(word.clone()).or_insert(next);
        }
        let parts = article.text.iter().chain(&article.tags).chain(&article.section);
        for word in parts.flat_map(|part| fold(part)) {
            let next = order.len();
            order.entry(word.clone()).or_insert(next);
            *counts.entry(word).or_default() += 1.0;
        }
        counts.retain(|word, _| !is_common(word));
        for count in counts.values_mut() {
            *count = 1.0 + count.ln();
        }
        let weights: BTreeMap<u32, f32> =
            counts.iter().map(|(word, count)| (key(stem(word)), count * background.idf(word))).collect();
        let norm = weights.values().map(|weight| weight * weight).sum::<f32>().sqrt();
        let mut heard: Vec<(&String, &f32)> = counts.iter().collect();
        if heard.len() > MAX_WORDS {
            // A gist hears so many: title and beginning, not the alphabet's.
            heard.sort_by_key(|(word, _)| order.get(*word));
            heard.truncate(MAX_WORDS);
            heard.sort_unstable_by_key(|(word, _)| *word);
        }
        let gist = embedding.gist_of(heard.into_iter().map(|(word, count)| (word.as_str(), *count)));
        let host = article.url.as_deref().and_then(host_of);
        let lang = language_of(&article);
        let weights = weights.into_iter().collect();
        Self { host, lang, title_words, norm, words: counts.len(), weights, gist, article }
    }

    /// Whether title or text are known well enough to compare with: at least four content words.
    #[must_use]
    pub const fn can_compare(&self) -> bool {
        self.words >= 4
    }

    /// Whether the page carries a folded word, or another form of it.
    #[must_use]
    pub fn carries(&self, word: &str) -> bool {
        self.weight(key(stem(word))).is_some()
    }

    fn weight(&self, stem: u32) -> Option<f32> {
        self.weights.binary_search_by_key(&stem, |(stem, _)| *stem).ok().map(|at| self.weights[at].1)
    }

    /// How alike a text is to this page.
    #[must_use]
    pub fn likeness(&self, terms: &Terms, gist: &Gist) -> Likeness {
        Likeness::of(terms, gist, &self.weights, self.norm, &self.gist)
    }

    /// How much a text, given by its folded words, has to do with this page, or with the parent comment's folded text.
    #[must_use]
    pub fn relevance<'a>(
        &self,
        text: impl Iterator<Item = &'a str>,
        parent: &str,
        background: &Background,
    ) -> Relevance {
        let parent: HashSet<u32> =
            words(parent).iter().map(|word| key(stem(&parent[word.start as usize..word.end as usize]))).collect();
        let mut seen: HashSet<u32> = HashSet::new();
        let (mut dot, mut squares, mut evidence, mut shared) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
        for word in text.filter(|word| !is_common(word) && word.len() > 1).take(2_000) {
            let stem = key(stem(word));
            if !seen.insert(stem) {
                continue;
            }
            let idf = background.idf(word);
            evidence += idf;
            squares += idf * idf;
            if let Some(weight) = self.weight(stem) {
                dot += weight * idf;
                shared += idf;
            } else if parent.contains(&stem) {
                shared += idf;
            }
        }
        let cosine = if squares > 0.0 && self.norm > 0.0 { dot / (squares.sqrt() * self.norm) } else { 0.0 };
        let share = if evidence > 0.0 { shared / evidence } else { 0.0 };
        Relevance { cosine: cosine.clamp(0.0, 1.0), share: share.clamp(0.0, 1.0), evidence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::comment::{ArticleDraft, Bounds, ExternalId};

    fn page(title: &str, text: &str) -> Page {
        let mut article = Article::named(ExternalId::parse("id", "a".to_owned()).expect("valid"));
        (article.title, article.text) = (Some(title.to_owned()), Some(text.to_owned()));
        Page::new(article, &Background::default())
    }

    fn relevance(page: &Page, text: &str, parent: &str) -> Relevance {
        let folded = fold_plain(text);
        let all = words(folded.text());
        page.relevance(
            all.iter().map(|word| &folded.text()[word.start as usize..word.end as usize]),
            parent,
            &Background::default(),
        )
    }

    #[test]
    fn talk_about_the_page_is_relevant_and_other_talk_is_not() {
        let page =
            page("Council approves cycle lanes", "The lanes along the river connect the station with the harbour.");
        let about = relevance(&page, "The lane at the station was long overdue", "");
        let other = relevance(&page, "Buy replica watches and cheap handbags with free shipping", "");
        assert!(about.share > 0.4 && about.cosine > 0.2, "{about:?}");
        assert!(other.share < 0.01 && other.cosine < 0.01 && other.evidence > 20.0, "{other:?}");
    }

    #[test]
    fn words_of_the_parent_count_as_context() {
        let page =
            page("Council approves cycle lanes", "The lanes along the river connect the station with the harbour.");
        let reply = relevance(&page, "Helmets should be mandatory everywhere", "do you wear helmets? mandatory or not");
        assert!(reply.share > 0.3, "{reply:?}");
    }

    #[test]
    fn nothing_to_compare_is_no_evidence() {
        let page = page("", "");
        assert!(!page.can_compare());
        assert_eq!(relevance(&page, "", ""), Relevance::default());
        assert_eq!(relevance(&page, "and the of", "").evidence.to_bits(), 0.0_f32.to_bits());
    }

    #[test]
    fn background_files_are_checked() {
        let background = Background::build(["the cat sat", "the dog sat", "the end"].into_iter(), 10);
        let bytes = background.to_bytes();
        assert_eq!(Background::from_bytes(&bytes), Ok(background.clone()));
        assert!(background.idf("the") < background.idf("sat") && background.idf("sat") < background.idf("unheard"));
        let mut damaged = bytes.clone();
        damaged[14] ^= 1;
        assert!(Background::from_bytes(&damaged).is_err());
        assert!(Background::from_bytes(&bytes[..10]).is_err());
        assert!(Background::from_bytes(b"something else entirely").is_err());
    }

    #[test]
    fn of_a_long_page_title_and_beginning_are_heard() {
        let mut vector = [0.0; crate::domain::embedding::WIDTH];
        vector[0] = 1.0;
        let table = Embedding::build([("zebra", 5.0, vector), ("zoo", 5.0, vector), ("zulu", 5.0, vector)].into_iter());
        let body: String = (0..3_000).map(|number| format!("a{number}x ")).collect();
        let article = ArticleDraft {
            id: "a".to_owned(),
            title: Some("Zebra".to_owned()),
            text: Some(format!("zoo {body} zulu")),
            ..ArticleDraft::default()
        };
        let page = Page::prepare(article.parse(&Bounds::default()).expect("valid"), &Background::default(), &table);
        assert_eq!(page.gist.known, 2, "title and beginning, not the end");
    }
}

//! What was said around a comment: a summary of the latest approved comments under the same article.
//!
//! Readers who talk about a page talk about the same things, in words that the page may lack. Only what stands approved counts, each author
//! once, each comment as much as any other however long it is, and a bounded number of them: whoever floods a page does not become its
//! subject. A comment is never its own surroundings, and neither is what its author said before.

use std::collections::VecDeque;

use super::embedding::{Gist, WIDTH};
use super::fit::Likeness;
use super::terms::Terms;

/// Content words kept of one comment: those that say most.
const TERMS: usize = 32;

/// One comment as others see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sibling {
    /// Which comment, by its trace.
    pub comment: u64,
    /// Who wrote it, by its trace.
    pub author: u64,
    /// Its words: a vector of length one at most.
    terms: Vec<(u32, f32)>,
    /// The direction of its gist.
    unit: [f32; WIDTH],
}

impl Sibling {
    /// Of a comment's words.
    #[must_use]
    pub fn new(comment: u64, author: u64, terms: &Terms, gist: &Gist) -> Self {
        let norm = terms.norm().max(f32::MIN_POSITIVE);
        let mut list: Vec<(u32, f32)> = terms.iter().map(|(stem, idf)| (stem, idf / norm)).collect();
        if list.len() > TERMS {
            list.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            list.truncate(TERMS);
            list.shrink_to_fit();
        }
        Self { comment, author, terms: list, unit: gist.unit() }
    }
}

/// The latest approved comments under an article, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thread(VecDeque<Sibling>);

impl Thread {
    /// How many comments are kept.
    pub const MAX: usize = 24;

    /// Adds a comment, or replaces what was kept of it or of its author.
    pub fn add(&mut self, sibling: Sibling) {
        self.0.retain(|kept| kept.comment != sibling.comment && kept.author != sibling.author);
        if self.0.len() >= Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(sibling);
    }

    /// Takes a comment out.
    pub fn remove(&mut self, comment: u64) {
        self.0.retain(|kept| kept.comment != comment);
    }

    /// The summary as a comment meets it: without itself, and without what its author said; `None` when nothing is left.
    #[must_use]
    pub fn around(&self, comment: u64, author: u64) -> Option<Siblings> {
        let others = self.0.iter().filter(|kept| kept.comment != comment && kept.author != author);
        Siblings::of(others)
    }

    /// Whether the summary of all is also the one that this comment meets.
    #[must_use]
    pub fn is_strange_to(&self, comment: u64, author: u64) -> bool {
        self.0.iter().all(|kept| kept.comment != comment && kept.author != author)
    }
}

/// A summary of comments: what their words and gists add up to.
#[derive(Debug, Clone, PartialEq)]
pub struct Siblings {
    /// Stem to weight, sorted by stem.
    words: Vec<(u32, f32)>,
    norm: f32,
    gist: Gist,
    /// How many there are.
    pub count: u32,
}

impl Siblings {
    /// Sums them up; `None` of none.
    #[must_use]
    pub fn of<'a>(siblings: impl Iterator<Item = &'a Sibling>) -> Option<Self> {
        let most = siblings.size_hint().1.unwrap_or(Thread::MAX).min(Thread::MAX); // one, where a parent is summed up
        let mut all: Vec<f32> = Vec::with_capacity(most * TERMS);
        // Stem and place in one number: sorting numbers takes half the time of sorting pairs by their stems.
        let mut order: Vec<u64> = Vec::with_capacity(most * TERMS);
        let (mut gist, mut count) = (Gist::default(), 0);
        for sibling in siblings {
            for (stem, weight) in &sibling.terms {
                order.push(u64::from(*stem) << 32 | all.len() as u64);
                all.push(*weight);
            }
            for (sum, value) in gist.sum.iter_mut().zip(&sibling.unit) {
                *sum += value;
            }
            count += 1;
        }
        order.sort_unstable();
        let mut words: Vec<(u32, f32)> = Vec::with_capacity(order.len());
        for numbers in order.chunk_by(|one, next| one >> 32 == next >> 32) {
            let weight = numbers.iter().map(|number| all[(number & 0xffff_ffff) as usize]).sum::<f32>();
            words.push((u32::try_from(numbers[0] >> 32).unwrap_or(0), weight));
        }
        let norm = words.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
        (count > 0).then_some(Self { words, norm, gist, count })
    }

    /// How alike a text is to what they say.
    #[must_use]
    pub fn likeness(&self, terms: &Terms, gist: &Gist) -> Likeness {
        Likeness::of(terms, gist, &self.words, self.norm, &self.gist)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::embedding::Embedding;
    use crate::domain::relevance::Background;

    fn terms(text: &str) -> Terms {
        Terms::of(text.split(' '), &Background::default())
    }

    fn sibling(comment: u64, author: u64, text: &str) -> Sibling {
        Sibling::new(comment, author, &terms(text), &Embedding::default().gist(text.split(' ')))
    }

    fn cosine(siblings: &Siblings, text: &str) -> f32 {
        siblings.likeness(&terms(text), &Gist::default()).cosine
    }

    #[test]
    fn one_author_counts_once_and_a_flood_is_bounded() {
        let mut thread = Thread::default();
        thread.add(sibling(1, 1, "harbour bridge"));
        for comment in 2..200 {
            thread.add(sibling(comment, 2, "replica watches"));
        }
        let met = thread.around(900, 900).expect("two authors");
        assert_eq!(met.count, 2);
        assert!(cosine(&met, "harbour bridge") > 0.6, "the flood took its place");
        for author in 300..400 {
            thread.add(sibling(author, author, "harbour ferry"));
        }
        assert_eq!(thread.around(900, 900).expect("many").count as usize, Thread::MAX);
    }

    #[test]
    fn a_comment_is_not_its_own_surroundings() {
        let mut thread = Thread::default();
        thread.add(sibling(1, 1, "harbour bridge"));
        assert_eq!(thread.around(1, 5), None, "itself");
        assert_eq!(thread.around(2, 1), None, "its author's");
        assert!(thread.is_strange_to(2, 2) && !thread.is_strange_to(2, 1));
        thread.remove(1);
        assert_eq!(thread.around(2, 2), None, "taken out");
    }

    #[test]
    fn a_long_comment_weighs_as_much_as_a_short_one() {
        let long: String = (0..500).map(|at| format!("word{at} ")).collect();
        let (long, short) = (sibling(1, 1, long.trim()), sibling(2, 2, "harbour bridge"));
        assert!(long.terms.len() <= TERMS);
        let both = Siblings::of([&long, &short].into_iter()).expect("two");
        assert!(cosine(&both, "harbour bridge") > 0.7);
    }
}

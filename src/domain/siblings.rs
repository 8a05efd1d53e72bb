//! What was said around a comment: a summary of the latest approved comments under the same article.
//!
//! Readers who talk about a page talk about the same things, in words that the page may lack. Only what stands approved counts, each author
//! once, each comment as much as any other however long it is, and a bounded number of them: whoever floods a page does not become its
//! subject. A comment is never its own surroundings, and neither is what its author said before.

use std::collections::VecDeque;
use std::sync::Arc;

use super::embedding::{Gist, WIDTH};
use super::fit::Likeness;
use super::terms::Terms;

/// Content words kept of one comment: those that say most.
const TERMS: usize = 32;
/// Steps that a word's weight is rounded to, at least one: sums of as many as a thread keeps are then exact in single precision, so that a word
/// can be taken out again, and the same comments give the same summary however they came and went.
const STEPS: f32 = 262_144.0;

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
        for (_, weight) in &mut list {
            *weight = (*weight * STEPS).round().max(1.0) / STEPS;
        }
        list.sort_unstable_by_key(|(stem, _)| *stem);
        Self { comment, author, terms: list, unit: gist.unit() }
    }
}

/// The latest approved comments under an article, oldest first, and their summary: kept with every change, since it is asked for far more
/// often than a comment is written twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thread {
    kept: VecDeque<Sibling>,
    all: Arc<Siblings>,
}

impl Thread {
    /// How many comments are kept.
    pub const MAX: usize = 24;

    /// Adds a comment, or replaces what was kept of it or of its author.
    pub fn add(&mut self, sibling: Sibling) {
        self.take(|kept| kept.comment == sibling.comment || kept.author == sibling.author);
        if self.kept.len() >= Self::MAX
            && let Some(oldest) = self.kept.pop_front()
        {
            Arc::make_mut(&mut self.all).part_with(&oldest);
        }
        Arc::make_mut(&mut self.all).join(&sibling);
        self.kept.push_back(sibling);
        self.sum_up();
    }

    /// Takes a comment out.
    pub fn remove(&mut self, comment: u64) {
        self.take(|kept| kept.comment == comment);
        self.sum_up();
    }

    /// The summary as a comment meets it: without itself, and without what its author said; `None` when nothing is left.
    #[must_use]
    pub fn around(&self, comment: u64, author: u64) -> Option<Arc<Siblings>> {
        let is_other = |kept: &&Sibling| kept.comment != comment && kept.author != author;
        if self.kept.iter().all(|kept| is_other(&kept)) {
            return (self.all.count > 0).then(|| Arc::clone(&self.all));
        }
        Siblings::of(self.kept.iter().filter(is_other)).map(Arc::new)
    }

    fn take(&mut self, is_it: impl Fn(&Sibling) -> bool) {
        let all = &mut self.all;
        self.kept.retain(|kept| {
            let stays = !is_it(kept);
            if !stays {
                Arc::make_mut(all).part_with(kept);
            }
            stays
        });
    }

    /// Brings what is not a sum of words up to date. Gists are not rounded: they are added anew, always in this order.
    fn sum_up(&mut self) {
        Arc::make_mut(&mut self.all).conclude(self.kept.iter());
    }
}

/// A summary of comments: what their words and gists add up to.
#[derive(Debug, Clone, Default, PartialEq)]
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
    pub fn of<'a>(siblings: impl Iterator<Item = &'a Sibling> + Clone) -> Option<Self> {
        let mut all = Self::default();
        for sibling in siblings.clone() {
            all.join(sibling);
        }
        all.conclude(siblings);
        (all.count > 0).then_some(all)
    }

    /// Adds a comment's words. Both lists are sorted by stem: room is made at the end, and they are merged from behind.
    fn join(&mut self, sibling: &Sibling) {
        let mut new = sibling.terms.len();
        let mut at = 0;
        for (stem, weight) in &sibling.terms {
            while self.words.get(at).is_some_and(|(known, _)| known < stem) {
                at += 1;
            }
            if let Some((_, sum)) = self.words.get_mut(at).filter(|(known, _)| known == stem) {
                *sum += weight;
                new -= 1;
            }
        }
        let mut from = self.words.len();
        self.words.resize(from + new, (0, 0.0));
        let mut to = self.words.len();
        for term in sibling.terms.iter().rev() {
            if to == from {
                break; // whatever is left of it was known
            }
            while from > 0 && self.words[from - 1].0 > term.0 {
                (from, to) = (from - 1, to - 1);
                self.words[to] = self.words[from];
            }
            if from == 0 || self.words[from - 1].0 != term.0 {
                to -= 1;
                self.words[to] = *term;
            }
        }
    }

    /// Takes the words of a comment that was added out again.
    fn part_with(&mut self, sibling: &Sibling) {
        let mut terms = sibling.terms.iter().peekable();
        self.words.retain_mut(|(stem, sum)| {
            while terms.next_if(|(term, _)| term < stem).is_some() {}
            if let Some((_, weight)) = terms.next_if(|(term, _)| term == stem) {
                *sum -= weight;
            }
            *sum > 0.0 // exact: see `STEPS`
        });
    }

    /// Counts and measures what the words of `siblings` have become, and adds up their gists.
    fn conclude<'a>(&mut self, siblings: impl Iterator<Item = &'a Sibling>) {
        (self.gist, self.count) = (Gist::default(), 0);
        for sibling in siblings {
            for (sum, value) in self.gist.sum.iter_mut().zip(&sibling.unit) {
                *sum += value;
            }
            self.count += 1;
        }
        self.norm = self.words.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
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
        assert!(thread.around(2, 2).is_some());
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

    proptest::proptest! {
        /// What is kept with every change is what adding all of it up gives.
        #[test]
        fn however_comments_came_and_went_the_summary_is_theirs(
            steps in proptest::collection::vec((0_u64..40, 0_u64..30, 0_usize..400, 1_usize..60, proptest::bool::weighted(0.2)), 1..80)
        ) {
            let mut thread = Thread::default();
            for (comment, author, from, words, goes) in steps {
                if goes {
                    thread.remove(comment);
                } else {
                    let text: Vec<String> = (from..from + words).map(|word| format!("word{}", word * word % 257)).collect();
                    thread.add(sibling(comment, author, &text.join(" ")));
                }
                let anew = Siblings::of(thread.kept.iter()).map(Arc::new);
                proptest::prop_assert_eq!(thread.around(u64::MAX, u64::MAX), anew);
            }
        }
    }
}

//! What the classifier sees of a comment.
//!
//! Word n-grams of one and two words and character n-grams of two to five letters within words (Joulin et al., "Bag of Tricks for
//! Efficient Text Classification", 2016; Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009), hashed into 2^16
//! buckets, the lowest bit telling words from characters; each kind is scaled to length one. Names of groups of people are passed over: abuse is
//! aimed at them, and a model that learned the names would silence whoever is named. Beside the n-grams a block of hand-made features that mean the
//! same on every site. The page lends only its host: links to it are nobody's advertising. Whether a comment fits its page is for signals to say:
//! most labelled ham comes with a page and most labelled spam without, and a model would learn just that.

use std::cell::RefCell;

use super::handmade::{self, ALL, HAND};
use super::lists::{lists_of, names_group};
use crate::domain::comment::Comment;
use crate::domain::relevance::Page;

/// Names this set of features: a model of another set is refused.
pub const SPEC: &str = "words1-2+chars2-5-groups/2^16+hand5";
/// Hash buckets.
pub const BUCKETS: usize = 1 << 16;
/// Features in all: buckets, hand-made ones, the constant.
pub const DIMENSION: usize = BUCKETS + HAND.len() + 1;
/// The constant's index, the last one.
#[expect(clippy::cast_possible_truncation, reason = "some ten thousand")]
pub const CONSTANT: u32 = (DIMENSION - 1) as u32;
/// Words of a comment that are looked at; the rest of a longer one is passed over.
pub(super) const MAX_WORDS: usize = 2_000;

/// One comment's features: index and value, each index once.
pub type Features = Vec<(u32, f32)>;

/// What a feature was made of, for explaining it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The word at this place, its character n-grams included.
    Word(u32),
    /// The two words from this place on.
    Pair(u32),
    /// The hand-made feature of this number.
    Hand(u32),
    /// The constant.
    Constant,
}

/// How much a hand-made feature counts, where it is present.
const HAND_VALUE: f32 = 1.0;

/// Buffers of one thread, so that answering allocates nothing for the features.
struct Buffers {
    /// Which buckets were met: 8 KiB, which stay in the nearest cache; sorting the n-grams took longer than everything else together.
    met: Box<[u64; BUCKETS / 64]>,
    found: Vec<(u32, Owner)>,
    /// The words' hashes, and the lists that each stands in: looked up once, for the n-grams and for what is made by hand.
    words: Vec<(u64, u64)>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers {
        met: Box::new([0; BUCKETS / 64]),
        found: Vec::new(),
        words: Vec::new(),
    });
}

impl Buffers {
    /// Keeps an n-gram, unless its bucket was met before.
    fn meet(&mut self, bucket: u32, owner: Owner) {
        let (cell, bit) = (&mut self.met[bucket as usize / 64], 1 << (bucket % 64));
        if *cell & bit == 0 {
            *cell |= bit;
            self.found.push((bucket, owner));
        }
    }

    fn clear(&mut self) {
        for (bucket, _) in self.found.drain(..) {
            self.met[bucket as usize / 64] = 0;
        }
    }
}

/// Hands each feature of a comment to `each`: index, value, and what it was made of. Each index comes once. `each` must not ask for
/// features itself.
pub fn visit(comment: &Comment, page: Option<&Page>, mut each: impl FnMut(u32, f32, Owner)) {
    let hand = BUFFERS.with_borrow_mut(|buffers| {
        ngrams(comment, buffers);
        let found = &buffers.found;
        let chars = found.iter().filter(|(bucket, _)| bucket & 1 == 1).count();
        #[expect(clippy::cast_precision_loss, reason = "a comment has some thousand n-grams")]
        let scale = |count: usize| if count == 0 { 0.0 } else { 1.0 / (count as f32).sqrt() };
        let values = [scale(found.len() - chars), scale(chars)];
        for (bucket, owner) in found {
            each(*bucket, values[(bucket & 1) as usize], *owner);
        }
        buffers.clear();
        handmade::look(comment, page, &mut buffers.words)
    });
    let base = u32::try_from(BUCKETS).unwrap_or(0);
    for property in ALL.iter().filter(|property| hand.has(**property)) {
        each(base + *property as u32, HAND_VALUE, Owner::Hand(*property as u32));
    }
    each(CONSTANT, 1.0, Owner::Constant);
}

/// A comment's features.
#[must_use]
pub fn features(comment: &Comment, page: Option<&Page>) -> Features {
    let mut features = Features::new();
    visit(comment, page, |index, value, _| features.push((index, value)));
    features
}

fn ngrams(comment: &Comment, buffers: &mut Buffers) {
    let mut before: Option<u64> = None;
    buffers.words.clear();
    for (at, word) in comment.body.words().take(MAX_WORDS).enumerate() {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let hash = word_hash(word);
        let lists = lists_of(hash);
        buffers.words.push((hash, lists));
        if names_group(lists) {
            // Nothing is read over it, either: a pair across the gap would tell that somebody was named.
            before = None;
            continue;
        }
        buffers.meet(bucket(hash, 0), Owner::Word(at));
        if let Some(before) = before {
            let pair = before.rotate_left(17) ^ hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            buffers.meet(bucket(pair, 0), Owner::Pair(at - 1));
        }
        before = Some(hash);
        char_ngrams(word, |hash| buffers.meet(bucket(hash, 1), Owner::Word(at)));
    }
}

/// Two to five letters, a blank on either side of the word counting as one. Very long words are cut.
fn char_ngrams(word: &str, mut each: impl FnMut(u64)) {
    let mut letters = [0_u32; 42];
    letters[0] = u32::from(' ');
    let mut length = 1;
    for letter in word.chars().take(40) {
        letters[length] = u32::from(letter);
        length += 1;
    }
    letters[length] = u32::from(' ');
    length += 1;
    for start in 0..length {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for (size, letter) in letters[start..length.min(start + 5)].iter().enumerate() {
            hash = (hash ^ u64::from(*letter)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
            if size >= 1 {
                each(hash.wrapping_add(size as u64));
            }
        }
    }
}

/// FNV-1a over bytes, finished by a multiplication: fast on short words, and nobody gains by a collision of features.
pub(super) fn word_hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn bucket(hash: u64, kind: u32) -> u32 {
    let mixed = (hash ^ (hash >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let index = u32::try_from(mixed >> 49).unwrap_or(0); // 15 bits
    index << 1 | kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::comment::{ArticleDraft, Bounds, Draft};
    use crate::domain::normalise::normalise;
    use crate::domain::site::SiteId;

    fn comment(body: &str) -> Comment {
        let article = ArticleDraft { id: "a".to_owned(), ..ArticleDraft::default() };
        let draft = Draft { id: "c".to_owned(), article, body: body.to_owned(), ..Draft::default() };
        normalise(SiteId(1), draft.parse(&Bounds::default()).expect("valid"), false)
    }

    #[test]
    fn each_index_comes_once_and_lies_within_the_dimension() {
        let found = features(
            &comment("Check out my channel http://x.example my channel my channel CALL 1-888-203-9661 NOW!!!"),
            None,
        );
        let mut indices: Vec<u32> = found.iter().map(|(index, _)| *index).collect();
        indices.sort_unstable();
        let before = indices.len();
        indices.dedup();
        assert_eq!(indices.len(), before);
        assert!(indices.iter().all(|index| (*index as usize) < DIMENSION));
        let named: Vec<&str> =
            indices.iter().filter_map(|index| HAND.get((*index as usize).checked_sub(BUCKETS)?)).copied().collect();
        for name in
            ["one link", "a telephone number", "asks to act", "speaks of its own offer", "many exclamation marks"]
        {
            assert!(named.contains(&name), "{name}: {named:?}");
        }
    }

    #[test]
    fn whom_a_comment_names_is_not_seen() {
        let sorted = |body: &str| {
            let mut found = features(&comment(body), None);
            found.sort_by_key(|(index, _)| *index);
            found
        };
        let named = sorted("my neighbour is a Muslim nurse");
        let cases = [
            ("one of another religion", "my neighbour is a Jewish nurse"),
            ("of an orientation", "my neighbour is a gay nurse"),
        ];
        for (name, body) in cases {
            assert_eq!(sorted(body), named, "{name}");
        }
        let what_is_said = ["my neighbour is a filthy Muslim nurse", "my neighbour is a Muslim and an idiot"];
        assert!(what_is_said.iter().all(|body| sorted(body) != named), "what is said of them is");
        let bare = sorted("my neighbour is a nurse");
        let more: Vec<&(u32, f32)> = named.iter().filter(|one| !bare.iter().any(|other| other.0 == one.0)).collect();
        assert!(more.is_empty(), "naming somebody adds nothing: {more:?}");
    }

    #[test]
    fn spellings_that_fold_alike_have_the_same_features() {
        assert_eq!(features(&comment("Buy NOW"), None), features(&comment("buy\u{200b}  ｎｏｗ"), None));
        assert_ne!(features(&comment("Buy NOW"), None), features(&comment("sell now"), None));
    }
}

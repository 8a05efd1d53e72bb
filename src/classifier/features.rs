//! What the classifier sees of a comment.
//!
//! Word n-grams of one and two words and character n-grams of two to five letters within words (Joulin et al., "Bag of Tricks for
//! Efficient Text Classification", 2016; Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009), hashed into 2^16
//! buckets, the lowest bit telling words from characters; each kind is scaled to length one. Beside them a block of hand-made features that
//! mean the same on every site. Features of the page are present only where a page is, and say "shares" or "does not share", never "has a page".

use std::cell::RefCell;

use crate::domain::comment::Comment;
use crate::domain::normalise::LinkKind;
use crate::domain::relevance::Page;

/// Names this set of features: a model of another set is refused.
pub const SPEC: &str = "words1-2+chars2-5/2^16+hand1";
/// Hash buckets.
pub const BUCKETS: usize = 1 << 16;
/// Features in all: buckets, hand-made ones, the constant.
pub const DIMENSION: usize = BUCKETS + HAND.len() + 1;
/// Words of a comment that are looked at; the rest of a longer one is passed over.
const MAX_WORDS: usize = 2_000;

/// The hand-made features, by the name that moderators read.
pub const HAND: &[&str] = &[
    "one link",
    "two or three links",
    "more than three links",
    "a link in markup",
    "a disguised link",
    "link to own page",
    "a telephone number",
    "an e-mail address",
    "a sum of money",
    "asks to act",
    "speaks of its own offer",
    "praise",
    "praise and an offer",
    "thanks",
    "a question",
    "speaks of itself",
    "addresses the reader",
    "many capitals",
    "many exclamation marks",
    "many digits",
    "emoji",
    "at most three words",
    "four to eight words",
    "nine to twenty words",
    "more than sixty words",
    "shares words with the page",
    "shares no words with the page",
    "repeats itself",
    "names of brands or services",
    "insults in the second person",
];

/// Features of the page. Sets of abuse come without pages, so for abuse these would only tell the sets apart.
pub const OF_PAGE: &[&str] = &["link to own page", "shares words with the page", "shares no words with the page"];

/// Which feature of [`HAND`] has this name; a name that is not there is a mistake in this file that a test finds.
fn hand(name: &str) -> usize {
    HAND.iter().position(|known| *known == name).unwrap_or(0)
}

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

thread_local! {
    /// Buffers of the thread, so that answering allocates nothing for the features.
    static BUFFERS: RefCell<Vec<(u32, Owner)>> = const { RefCell::new(Vec::new()) };
}

/// Hands each feature of a comment to `each`: index, value, and what it was made of. Each index comes once.
pub fn visit(comment: &Comment, page: Option<&Page>, mut each: impl FnMut(u32, f32, Owner)) {
    BUFFERS.with_borrow_mut(|found| {
        found.clear();
        ngrams(comment, found);
        found.sort_unstable();
        found.dedup_by_key(|(bucket, _)| *bucket);
        let chars = found.iter().filter(|(bucket, _)| bucket & 1 == 1).count();
        #[expect(clippy::cast_precision_loss, reason = "a comment has some thousand n-grams")]
        let scale = |count: usize| if count == 0 { 0.0 } else { 1.0 / (count as f32).sqrt() };
        let (word_value, char_value) = (scale(found.len() - chars), scale(chars));
        for (bucket, owner) in found.iter() {
            each(*bucket, if bucket & 1 == 1 { char_value } else { word_value }, *owner);
        }
    });
    let base = u32::try_from(BUCKETS).unwrap_or(0);
    handmade(comment, page, |feature| {
        let number = u32::try_from(feature).unwrap_or(0);
        each(base + number, 0.5, Owner::Hand(number));
    });
    each(base + u32::try_from(HAND.len()).unwrap_or(0), 1.0, Owner::Constant);
}

/// A comment's features.
#[must_use]
pub fn features(comment: &Comment, page: Option<&Page>) -> Features {
    let mut features = Features::new();
    visit(comment, page, |index, value, _| features.push((index, value)));
    features
}

fn ngrams(comment: &Comment, found: &mut Vec<(u32, Owner)>) {
    let mut before: Option<u64> = None;
    for (at, word) in comment.body.words().take(MAX_WORDS).enumerate() {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let hash = word_hash(word);
        found.push((bucket(hash, 0), Owner::Word(at)));
        if let Some(before) = before {
            found.push((
                bucket(before.rotate_left(17) ^ hash.wrapping_mul(0x9e37_79b9_7f4a_7c15), 0),
                Owner::Pair(at - 1),
            ));
        }
        before = Some(hash);
        char_ngrams(word, |hash| found.push((bucket(hash, 1), Owner::Word(at))));
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
fn word_hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn bucket(hash: u64, kind: u32) -> u32 {
    let mixed = (hash ^ (hash >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let index = u32::try_from(mixed >> 49).unwrap_or(0); // 15 bits
    index << 1 | kind
}

#[expect(clippy::too_many_lines, reason = "one line a feature, in the order of the list")]
fn handmade(comment: &Comment, page: Option<&Page>, mut has: impl FnMut(usize)) {
    const ACT: &[&str] = &[
        "click",
        "subscribe",
        "visit",
        "call",
        "dial",
        "contact",
        "buy",
        "order",
        "join",
        "download",
        "check",
        "follow",
        "register",
        "book",
        "whatsapp",
        "hurry",
        "apply",
    ];
    const OFFER: &[&str] = &[
        "channel", "website", "site", "blog", "page", "video", "videos", "service", "services", "company", "team",
        "products", "product", "shop", "store", "number", "support", "link", "app", "music",
    ];
    const PRAISE: &[&str] = &[
        "nice",
        "great",
        "awesome",
        "amazing",
        "informative",
        "helpful",
        "useful",
        "excellent",
        "wonderful",
        "fantastic",
        "impressive",
        "interesting",
        "love",
        "superb",
        "perfect",
    ];
    const BRANDS: &[&str] = &[
        "printer",
        "antivirus",
        "airlines",
        "reservations",
        "router",
        "outlook",
        "quickbooks",
        "kindle",
        "insurance",
        "loan",
        "loans",
        "casino",
        "bitcoin",
        "crypto",
        "forex",
        "viagra",
        "cialis",
        "seo",
        "backlinks",
        "escort",
        "movies",
        "shoes",
        "handbags",
        "watches",
        "essay",
        "flights",
        "hotel",
    ];
    const INSULT: &[&str] = &[
        "idiot",
        "stupid",
        "moron",
        "dumb",
        "fool",
        "liar",
        "loser",
        "pathetic",
        "retard",
        "retarded",
        "scum",
        "trash",
        "garbage",
        "disgusting",
        "ignorant",
        "clown",
        "bitch",
        "asshole",
        "fuck",
        "fucking",
        "shit",
        "crap",
    ];
    let body = &comment.body;
    let folded = body.folded.text();
    let plain = body.plain.text();
    let mut when = |name: &str, holds: bool| {
        if holds {
            has(hand(name));
        }
    };
    let own = page.and_then(|page| page.host.as_deref());
    let is_own = |host: &str| own == Some(host);
    match body.links.iter().filter(|link| !is_own(&link.host)).count() {
        0 => {}
        1 => when("one link", true),
        2 | 3 => when("two or three links", true),
        _ => when("more than three links", true),
    }
    when("a link in markup", body.links.iter().any(|link| link.kind == LinkKind::Anchor));
    when("a disguised link", body.links.iter().any(|link| link.kind == LinkKind::Disguised));
    when("link to own page", body.links.iter().any(|link| is_own(&link.host)));
    let digits = folded.bytes().filter(u8::is_ascii_digit).count();
    when("a telephone number", digits >= 9 && has_phone(folded));
    when(
        "an e-mail address",
        folded
            .split_whitespace()
            .any(|word| word.split_once('@').is_some_and(|(a, b)| !a.is_empty() && b.contains('.'))),
    );
    when("a sum of money", folded.contains(['$', '€', '£']) && digits > 0);
    let mut counts = [0_usize; 8];
    let mut words = 0;
    let mut distinct: Vec<u64> = Vec::new();
    for word in body.words().take(MAX_WORDS) {
        words += 1;
        let lists = [ACT, OFFER, PRAISE, BRANDS, INSULT];
        for (count, list) in counts.iter_mut().zip(lists) {
            *count += usize::from(list.contains(&word));
        }
        counts[5] += usize::from(matches!(word, "my" | "our" | "we" | "us"));
        counts[6] += usize::from(matches!(word, "i" | "i'm" | "i've" | "me"));
        counts[7] += usize::from(matches!(word, "you" | "your" | "you're" | "u"));
        distinct.push(word_hash(word));
    }
    let [act, offer, praise, brands, insult, ours, me, you] = counts;
    when("asks to act", act > 0);
    when("speaks of its own offer", ours > 0 && offer > 0);
    when("praise", praise > 0);
    when("praise and an offer", praise > 0 && (brands > 0 || (ours > 0 && offer > 0) || !body.links.is_empty()));
    when("thanks", folded.contains("thank"));
    when("a question", folded.contains('?'));
    when("speaks of itself", me > 0);
    when("addresses the reader", you > 0);
    let letters = plain.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = plain.chars().filter(|c| c.is_uppercase()).count();
    when("many capitals", letters >= 12 && capitals * 10 > letters * 4);
    when("many exclamation marks", folded.bytes().filter(|byte| *byte == b'!').count() >= 3);
    when("many digits", digits * 10 > folded.len() && digits >= 5);
    when("emoji", plain.chars().any(|c| matches!(c, '\u{1f300}'..='\u{1faff}' | '\u{2764}')));
    match words {
        0..=3 => when("at most three words", true),
        4..=8 => when("four to eight words", true),
        9..=20 => when("nine to twenty words", true),
        61.. => when("more than sixty words", true),
        _ => {}
    }
    if let Some(page) = page.filter(|page| page.can_compare()) {
        let content =
            || body.words().take(MAX_WORDS).filter(|word| word.len() > 3 && !crate::domain::headline::is_common(word));
        let carried = content().filter(|word| page.carries(word)).count();
        when("shares words with the page", carried >= 2);
        when("shares no words with the page", carried == 0 && content().take(6).count() >= 6);
    }
    distinct.sort_unstable();
    distinct.dedup();
    when("repeats itself", words >= 10 && distinct.len() * 2 < words);
    when("names of brands or services", brands > 0);
    when("insults in the second person", insult > 0 && you > 0);
}

/// Ten digits or more with nothing but blanks, points, hyphens, brackets and a plus between them.
fn has_phone(folded: &str) -> bool {
    let mut digits = 0;
    for c in folded.chars() {
        match c {
            '0'..='9' => digits += 1,
            ' ' | '-' | '.' | '(' | ')' | '+' | '/' => {}
            _ => digits = 0,
        }
        if digits >= 10 {
            return true;
        }
    }
    false
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
    fn every_hand_made_feature_that_is_asked_for_exists() {
        let source = include_str!("features.rs");
        let asked =
            source.lines().filter_map(|line| line.split_once("when(\"")).filter_map(|(_, rest)| rest.split('"').next());
        let asked: Vec<&str> = asked.collect();
        assert!(asked.len() > 25);
        for name in asked {
            assert!(HAND.contains(&name), "`{name}` is not in the list");
        }
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
    fn features_depend_on_the_folded_text_only() {
        assert_eq!(features(&comment("Buy NOW"), None).len(), features(&comment("buy\u{200b}  ｎｏｗ"), None).len());
    }
}

//! Phrases by what they are for, found in one pass over a text, for every check that asks for them.
//!
//! The lists are general phrases in several languages, whole words each; what a phrase means is for the checks to say: nearly all of them are
//! written by honest people too. Operators have [`super::signal::blocklist`] for words of their own.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::normalise::{fold_plain, is_unspaced};

/// What a phrase is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Praise that would fit any page.
    Flattery,
    /// Short praise that anybody may mean.
    Praise,
    /// Asks readers to follow the author.
    Begging,
    /// Asks readers for votes.
    Votes,
    /// Easy money, miracles, and helpers with both.
    Bait,
    /// Offers goods or services.
    Sell,
    /// Names a messenger or a mail service.
    Messenger,
    /// Points somewhere else.
    Elsewhere,
}

const KINDS: [(&str, Kind); 8] = [
    ("[flattery]", Kind::Flattery),
    ("[praise]", Kind::Praise),
    ("[begging]", Kind::Begging),
    ("[votes]", Kind::Votes),
    ("[bait]", Kind::Bait),
    ("[sell]", Kind::Sell),
    ("[messenger]", Kind::Messenger),
    ("[elsewhere]", Kind::Elsewhere),
];

/// Occurrences of phrases looked at in one text.
const MAX_FOUND: usize = 1_000;

/// A phrase in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is for.
    pub kind: Kind,
    /// Where it stands in the text searched, in bytes.
    pub at: Range<usize>,
}

/// The phrases of one text, in the order of their beginnings; of several of a kind that overlap the longest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phrases(Vec<Found>);

impl Phrases {
    /// The phrases of folded text.
    #[must_use]
    pub fn of(folded: &str) -> Self {
        let lexicon = &*LEXICON;
        let mut all: Vec<Found> = Vec::new();
        for hit in lexicon.phrases.find_overlapping_iter(folded).take(MAX_FOUND) {
            let at = hit.start()..hit.end();
            if is_whole(folded, &at) {
                all.push(Found { kind: lexicon.kinds[hit.pattern().as_usize()], at });
            }
        }
        all.sort_by_key(|found| (found.at.start, std::cmp::Reverse(found.at.end)));
        let mut kept: Vec<Found> = Vec::with_capacity(all.len());
        for found in all {
            if kept.iter().rev().take(16).all(|last| last.kind != found.kind || last.at.end <= found.at.start) {
                kept.push(found);
            }
        }
        Self(kept)
    }

    /// Keeps those whose place is `wanted`.
    pub fn retain(&mut self, wanted: impl Fn(&Range<usize>) -> bool) {
        self.0.retain(|found| wanted(&found.at));
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Found> {
        self.0.iter()
    }

    /// Those of one kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Found> {
        self.0.iter().filter(move |found| found.kind == kind)
    }

    /// How many different ones of a kind there are in `folded`, the text searched.
    #[must_use]
    pub fn different(&self, kind: Kind, folded: &str) -> usize {
        let texts: HashSet<&str> = self.of_kind(kind).filter_map(|found| folded.get(found.at.clone())).collect();
        texts.len()
    }

    /// Whether there is one of a kind.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.of_kind(kind).next().is_some()
    }
}

struct Lexicon {
    phrases: AhoCorasick,
    kinds: Vec<Kind>,
    trade: HashSet<&'static str>,
    /// Trade words of five letters and more, which are recognised inside a host's name.
    inside: AhoCorasick,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut kind = Kind::Flattery;
    let (mut texts, mut kinds) = (Vec::new(), Vec::new());
    for line in entries(include_str!("phrases.txt")) {
        if let Some((_, next)) = KINDS.iter().find(|(name, _)| *name == line) {
            kind = *next;
        } else {
            texts.push(fold_plain(line).into_text());
            kinds.push(kind);
        }
    }
    let trade: Vec<&str> = entries(include_str!("trade.txt")).collect();
    let inside = trade.iter().filter(|word| word.len() >= 5);
    let built = "lists that are part of the program are far below the automaton's limits";
    Lexicon {
        phrases: AhoCorasick::new(texts).expect(built),
        kinds,
        inside: AhoCorasick::builder().match_kind(aho_corasick::MatchKind::LeftmostLongest).build(inside).expect(built),
        trade: trade.into_iter().collect(),
    }
});

fn entries(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Whether a folded word is one of those that names are stuffed with by those who sell by them. One says nothing.
#[must_use]
pub fn is_trade(word: &str) -> bool {
    LEXICON.trade.contains(word)
}

/// How many trade words a part of a host is made of: those between dashes, and long ones anywhere.
#[must_use]
pub fn trade_words_in(label: &str) -> usize {
    let parts = label.split('-');
    parts.map(|part| if is_trade(part) { 1 } else { LEXICON.inside.find_iter(part).count() }).sum()
}

/// Whether words may begin and end there.
fn is_whole(text: &str, at: &Range<usize>) -> bool {
    let boundary = |before: Option<char>, after: Option<char>| {
        let ends_here = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() || is_unspaced(c));
        ends_here(before) || ends_here(after)
    };
    let (before, found, after) = (&text[..at.start], &text[at.clone()], &text[at.end..]);
    boundary(before.chars().next_back(), found.chars().next())
        && boundary(found.chars().next_back(), after.chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_stands_once_in_one_list() {
        let mut seen = HashSet::new();
        for line in entries(include_str!("phrases.txt")).chain(entries(include_str!("trade.txt")).map(|_| "")) {
            assert!(line.is_empty() || seen.insert(fold_plain(line).into_text()), "twice: {line}");
        }
        for (name, _) in KINDS {
            assert!(seen.contains(name), "no list {name}");
        }
    }

    #[test]
    fn phrases_are_whole_words_and_the_longest_of_their_kind() {
        let found = |text: &str, kind| -> Vec<String> {
            let folded = fold_plain(text).into_text();
            Phrases::of(&folded).of_kind(kind).map(|found| folded[found.at.clone()].to_owned()).collect()
        };
        assert_eq!(found("PLEASE Subscribe to my new channel!", Kind::Begging), ["please subscribe", "my new channel"]);
        assert_eq!(
            found("Check my new channel, my YouTube channel", Kind::Begging),
            ["my new channel", "my youtube channel"]
        );
        assert!(found("the mimeo of a simoom", Kind::Messenger).is_empty());
        assert_eq!(found("Ищу людей, подробности в ЛС", Kind::Bait), ["ищу людей"]);
        assert_eq!(found("もっと見たい人はチャンネル登録を", Kind::Begging), ["チャンネル登録"]);
    }

    #[test]
    fn trade_words_are_counted_inside_names_of_hosts() {
        let cases = [
            ("cheap-flights", 2),
            ("buy-essays-online", 3),
            ("cheapviagraonline", 3),
            ("news", 0),
            ("scandinavian", 0),
            ("seoul", 0),
        ];
        for (label, count) in cases {
            assert_eq!(trade_words_in(label), count, "{label}");
        }
    }

    #[test]
    fn hostile_text_costs_a_bounded_number_of_matches() {
        let text = "my channel ".repeat(20_000);
        assert!(Phrases::of(&text).of_kind(Kind::Begging).count() <= MAX_FOUND);
    }
}

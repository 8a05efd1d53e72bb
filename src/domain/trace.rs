//! The fingerprints by which the past is asked about a comment: small, comparable, free of text.
//!
//! A trace is computed once from a normalised comment, stored beside it, and is all that [`super::history::History`]
//! remembers; a restart or a replay feeds the same traces in the same order and knows the same things.
//!
//! Quoted parts leave their marks like all others: whoever could hide behind a `>` would. Whether a comment only quotes what stands there
//! already is for the checks to say, which know the past.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::comment::{ExternalId, NewComment};
use super::headline::Candidate;
use super::normalise::{Body, Link, LinkKind};
use super::site::SiteId;

/// MinHash values of one set of features: sixteen 32-bit minima (Broder, "On the resemblance and containment of
/// documents", 1997), compared position by position to estimate the Jaccard similarity of the sets.
pub type MinHash = [u32; 16];

/// What history knows a comment by. Hashes are xxh3 of normalised text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The site.
    pub site: SiteId,
    /// Hash of site and comment id: which comment this is, so that a repeat is not a second sighting.
    pub comment: u64,
    /// The comment's id as the site wrote it, to name it as evidence to its own site.
    pub comment_id: Box<str>,
    /// Hash of site and article id.
    pub article: u64,
    /// Who wrote it, for counting distinct people: hash of account (with site), or e-mail, or address, or name, in that order.
    pub author: u64,
    /// Whether `author` stands for an account or an e-mail address, so that its history may be looked up.
    pub author_known: bool,
    /// Whether the author's role excuses repeats (moderators' standard replies form no campaign).
    pub staff: bool,
    /// Each link, without duplicates, the author's own before quoted ones, at most [`Trace::MAX_LINKS`].
    pub links: Vec<LinkTrace>,
    /// The whole text; `None` when it is too short to mean anything when repeated.
    pub text: Option<TextTrace>,
    /// Parts of the body that read like headlines, at most [`Trace::MAX_HEADLINES`].
    pub headlines: Vec<TextTrace>,
    /// The author's own words, or all where there are none, when they are few ([`super::short`]). Campaigns alone know a comment by them.
    pub short: Option<TextTrace>,
}

impl Trace {
    /// Links beyond this many are not remembered (they are still counted by the checks).
    pub const MAX_LINKS: usize = 32;
    /// Headlines beyond this many are not remembered.
    pub const MAX_HEADLINES: usize = 8;
}

/// A link's fingerprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkTrace {
    /// Hash of the normalised address.
    pub url: u64,
    /// Hash of the registrable domain.
    pub domain: u64,
}

impl LinkTrace {
    /// The fingerprints of `link`.
    #[must_use]
    pub fn of(link: &Link) -> Self {
        Self { url: xxh3_64(link.url.as_bytes()), domain: xxh3_64(link.domain.as_bytes()) }
    }

    /// The fingerprints of the front page of a registrable domain.
    #[must_use]
    pub fn of_host(host: &str) -> Self {
        let hash = xxh3_64(host.as_bytes());
        Self { url: hash, domain: hash }
    }
}

/// A text's fingerprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TextTrace {
    /// Hash of the folded letters and digits alone: equal for equal texts, whatever the punctuation.
    pub exact: u64,
    /// MinHash of the text's shingles.
    pub sketch: MinHash,
    /// How many distinct shingles the sketch was made of; saturates at 65,535.
    pub size: u16,
}

impl TextTrace {
    /// Fingerprints of a text given by its words (or other features, in order). `None` when there are none.
    #[must_use]
    pub fn of_features<'a>(exact: u64, features: impl Iterator<Item = &'a str>) -> Option<Self> {
        Self::of_hashes(exact, features.map(|feature| xxh3_64(feature.as_bytes())).collect())
    }

    /// The same of hashes of features, in any order.
    #[must_use]
    pub(super) fn of_hashes(exact: u64, mut hashes: Vec<u64>) -> Option<Self> {
        hashes.sort_unstable();
        hashes.dedup();
        if hashes.is_empty() {
            return None;
        }
        let mut sketch = [u32::MAX; 16];
        for hash in &hashes {
            for (minimum, seed) in sketch.iter_mut().zip(0_u64..) {
                *minimum = (*minimum).min(permuted(*hash, seed));
            }
        }
        Some(Self { exact, sketch, size: u16::try_from(hashes.len()).unwrap_or(u16::MAX) })
    }

    /// Estimated Jaccard similarity of the two texts' features, 0.0 to 1.0 in steps of a sixteenth; 1.0 for equal texts.
    #[must_use]
    pub fn similarity(&self, other: &Self) -> f64 {
        if self.exact == other.exact {
            return 1.0;
        }
        let equal = self.sketch.iter().zip(&other.sketch).filter(|(a, b)| a == b).count();
        f64::from(u32::try_from(equal).unwrap_or(0)) / 16.0
    }
}

/// One of sixteen permutations of 64-bit hashes, its upper half: a multiplication by an odd number of high entropy.
fn permuted(hash: u64, seed: u64) -> u32 {
    let odd = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0xd6e8_feb8_6659_fd93) | 1;
    let mixed = (hash ^ seed.wrapping_mul(0xa076_1d64_78bd_642f)).wrapping_mul(odd);
    u32::try_from((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32).unwrap_or(u32::MAX)
}

/// Words below which a repeated text means nothing: "Thanks a lot!" is written every day.
const MIN_WORDS: usize = 5;
/// Letters and digits below which a repeated text means nothing.
const MIN_LETTERS: usize = 24;

/// The fingerprints of a comment; `headlines` are the parts of its body that read like one. `staff` is whether the author is one of the site's own people.
#[must_use]
pub fn of(site: SiteId, sent: &NewComment, body: &Body, headlines: &[Candidate], staff: bool) -> Trace {
    let (author, author_known) = author(site, sent);
    let mut links: Vec<LinkTrace> = Vec::new();
    let (quoted, own): (Vec<&Link>, Vec<&Link>) = body.links.iter().partition(|link| body.is_quoted(&link.span));
    for link in own.into_iter().chain(quoted) {
        let link = LinkTrace::of(link);
        if links.len() < Trace::MAX_LINKS && !links.contains(&link) {
            links.push(link);
        }
    }
    let own = own_words(body);
    let short = if own.is_empty() {
        super::short::fingerprint(&words_but_addresses(body, |_| false))
    } else {
        super::short::fingerprint(&own)
    };
    Trace {
        site,
        comment: comment(site, sent),
        comment_id: sent.id.as_str().into(),
        article: scoped(site, "article", sent.article.id.as_str()),
        author,
        author_known,
        staff,
        links,
        text: text(body, own),
        headlines: headlines.iter().take(Trace::MAX_HEADLINES).map(|candidate| candidate.trace).collect(),
        short,
    }
}

/// Which comment a comment is, and who wrote it, as its trace says: for whoever needs no more than that.
#[must_use]
pub fn identity(site: SiteId, sent: &NewComment) -> (u64, u64) {
    (comment(site, sent), author(site, sent).0)
}

fn comment(site: SiteId, sent: &NewComment) -> u64 {
    scoped(site, "comment", sent.id.as_str())
}

/// Hash of a site's own name for something.
#[must_use]
pub fn scoped(site: SiteId, kind: &str, name: &str) -> u64 {
    xxh3_64_with_seed(format!("{kind}\0{name}").as_bytes(), u64::from(site.0) + 1)
}

/// The hash that stands for an account of a site.
#[must_use]
pub fn account(site: SiteId, id: &ExternalId) -> u64 {
    scoped(site, "account", id.as_str())
}

fn author(site: SiteId, sent: &NewComment) -> (u64, bool) {
    let author = &sent.author;
    let of = |kind: &str, name: &str| xxh3_64(format!("{kind}\0{name}").as_bytes());
    if let Some(id) = &author.id {
        (account(site, id), true)
    } else if let Some(email) = &author.email {
        (of("email", &email.trim().to_lowercase()), true)
    } else if let Some(ip) = &author.ip {
        (of("ip", &ip.to_string()), false)
    } else if let Some(name) = &author.name {
        (scoped(site, "name", &name.to_lowercase()), false)
    } else {
        (scoped(site, "nobody", ""), false)
    }
}

/// Fingerprints of the author's own words, or of everything where those are too few: a comment that is nothing but quotation says what it
/// quotes. Features are word pairs, and single words when the text is short, so that a word replaced or a name appended leaves most of them as
/// they were.
fn text(body: &Body, own: Vec<&str>) -> Option<TextTrace> {
    let kept = words_of_text(body, own);
    if !mean_something(&kept) {
        return None;
    }
    let mut hashes: Vec<u64> = Vec::with_capacity(2 * kept.len());
    if kept.len() < 20 {
        hashes.extend(kept.iter().map(|word| xxh3_64(word.as_bytes())));
    }
    let mut pair = String::new();
    for two in kept.windows(2) {
        pair.clear();
        pair.push_str(two[0]);
        pair.push(' ');
        pair.push_str(two[1]);
        hashes.push(xxh3_64(pair.as_bytes()));
    }
    TextTrace::of_hashes(exact(kept.iter().copied()), hashes)
}

/// The words that a text is known by.
fn words_of_text<'a>(body: &'a Body, own: Vec<&'a str>) -> Vec<&'a str> {
    if mean_something(&own) { own } else { words_but_addresses(body, |_| false) }
}

/// Whether a text says nothing but what people write under anything.
#[must_use]
pub fn text_is_everyday(body: &Body) -> bool {
    super::short::is_everyday(&words_of_text(body, own_words(body)))
}

/// Whether a text's fingerprints had to be made of what it quotes.
#[must_use]
pub fn text_is_quoted(body: &Body) -> bool {
    !body.quotes.is_empty() && !mean_something(&own_words(body))
}

/// The folded words that are not quoted, and no part of an address: a link is known by where it leads, and several people who paste it say
/// nothing alike by that.
#[must_use]
pub fn own_words(body: &Body) -> Vec<&str> {
    words_but_addresses(body, |range| body.is_quoted(range))
}

/// The folded words outside addresses, but those that stand, in bytes as sent, where `left_out` says.
fn words_but_addresses(body: &Body, left_out: impl Fn(&Range<usize>) -> bool) -> Vec<&str> {
    if body.quotes.is_empty() && body.links.is_empty() {
        return body.words().collect();
    }
    let addresses = Addresses::of(body);
    let word = |word: &Range<u32>| word.start as usize..word.end as usize;
    let kept = body.words.iter().filter(|range| {
        let range = body.folded.original(word(range));
        !left_out(&range) && !addresses.hold(&range)
    });
    kept.map(|range| &body.folded.text()[word(range)]).collect()
}

/// Where addresses are written, to be asked about every word: a body may hold five hundred of them among thirty thousand words.
struct Addresses(Vec<Range<usize>>);

impl Addresses {
    fn of(body: &Body) -> Self {
        let written = body.links.iter().filter(|link| link.kind != LinkKind::Anchor);
        let mut spans: Vec<Range<usize>> = written.map(|link| link.span.clone()).collect();
        spans.sort_unstable_by_key(|span| span.start);
        let mut furthest = 0;
        for span in &mut spans {
            // The furthest end of all that begin so early: one of them holds a range if and only if that one does.
            furthest = furthest.max(span.end);
            span.end = furthest;
        }
        Self(spans)
    }

    /// Whether one of them holds all of `range`.
    fn hold(&self, range: &Range<usize>) -> bool {
        let after = self.0.partition_point(|span| span.start <= range.start);
        after.checked_sub(1).is_some_and(|last| range.end <= self.0[last].end)
    }
}

/// Whether so many words mean anything when they come again.
fn mean_something(words: &[&str]) -> bool {
    let letters = super::normalise::how_long(words.iter().copied()).letters;
    words.len() >= MIN_WORDS && letters >= MIN_LETTERS
}

/// Hash of a text's words alone: equal for equal texts, whatever the punctuation.
#[must_use]
pub fn exact<'a>(words: impl Iterator<Item = &'a str>) -> u64 {
    let mut joined = String::new();
    for word in words {
        joined.push_str(word);
        joined.push(' ');
    }
    xxh3_64(joined.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Draft, Format};
    use crate::domain::normalise::normalise;

    fn trace(site: u32, body: &str, author: AuthorDraft) -> Trace {
        let article = ArticleDraft { id: "a-1".to_owned(), ..ArticleDraft::default() };
        let draft =
            Draft { id: "c-1".to_owned(), article, author: Some(author), body: body.to_owned(), ..Draft::default() };
        normalise(SiteId(site), draft.parse(&Bounds::default()).expect("valid"), false).trace
    }

    fn text(body: &str) -> TextTrace {
        trace(1, body, AuthorDraft::default()).text.expect("long enough to have a trace")
    }

    #[test]
    fn nearly_equal_texts_are_similar_and_others_are_not() {
        let first =
            "I have been reading your articles for a week and they helped me to earn money from home, ask me how";
        let cases: &[(&str, &str, f64, f64)] = &[
            ("the same", first, 1.0, 1.0),
            (
                "punctuation and case",
                "I have been reading your ARTICLES for a week, and they helped me to earn money from home - ask me how!!!",
                1.0,
                1.0,
            ),
            (
                "a word replaced",
                "I have been reading your articles for a month and they helped me to earn money from home, ask me how",
                0.6,
                1.0,
            ),
            (
                "a name appended",
                "I have been reading your articles for a week and they helped me to earn money from home, ask me how Dave",
                0.7,
                1.0,
            ),
            (
                "something else",
                "The crossing at the station was dangerous for years and nobody did anything about it until last week",
                0.0,
                0.2,
            ),
        ];
        for (name, other, low, high) in cases {
            let similarity = text(first).similarity(&text(other));
            assert!((*low..=*high).contains(&similarity), "{name}: {similarity}");
        }
    }

    #[test]
    fn addresses_are_no_words() {
        let said = "They sold us the old harbour for a song and a handshake";
        let with = |link: &str| trace(1, &format!("{said} {link}"), AuthorDraft::default()).text;
        assert_eq!(with("http://a.example/one/two?three=4"), with(""));
        assert_eq!(trace(1, "verse https://www.youtube.com/watch?v=abcdefghijk", AuthorDraft::default()).text, None);
    }

    #[test]
    fn each_word_is_asked_about_addresses_as_if_all_were_looked_through() {
        let parts = ["one", "http://a.example/two/three", "four five", "xyz dot com", "www.b.example", "six"];
        let body: String = (0..60).map(|at| format!("{} ", parts[at % parts.len()])).collect();
        let body = Body::read(&format!("{body}<a href='http://c.example/'>seven eight</a>"), Format::Html);
        assert!(body.links.len() > 20);
        let addresses = Addresses::of(&body);
        let (mut inside, mut all) = (0, 0);
        for word in &body.words {
            let range = body.folded.original(word.start as usize..word.end as usize);
            let mut written = body.links.iter().filter(|link| link.kind != LinkKind::Anchor);
            let holds = written.any(|link| link.span.start <= range.start && range.end <= link.span.end);
            assert_eq!(addresses.hold(&range), holds, "{range:?}");
            (inside, all) = (inside + usize::from(holds), all + 1);
        }
        assert!(inside > 20 && all > inside + 20, "{inside} of {all}");
    }

    #[test]
    fn short_everyday_texts_have_no_trace() {
        for body in ["Thanks!", "Great post, thanks", "I agree with you.", "+1", "So true", "ありがとう"] {
            assert_eq!(trace(1, body, AuthorDraft::default()).text, None, "{body}");
        }
    }

    #[test]
    fn quoted_parts_leave_their_marks_and_own_words_come_first() {
        let quoting = trace(
            1,
            "> see http://x.example/a for the whole story of the bridge\nNo, that is not what happened there at all: http://y.example/b",
            AuthorDraft::default(),
        );
        let own = trace(1, "No, that is not what happened there at all: http://y.example/b", AuthorDraft::default());
        assert_eq!((quoting.links.len(), quoting.links[0]), (2, own.links[0]));
        assert_eq!(quoting.text, own.text);
        let pasted = "Local Startup Claims Its Battery Charges in Ninety Seconds http://battery-news.example/story";
        let [bare, hidden] = ["", "> "]
            .map(|before| trace(1, &format!("{before}{pasted}"), AuthorDraft::default()))
            .map(|trace| (trace.links, trace.text, trace.headlines));
        assert_eq!(bare, hidden, "a sign in front hides nothing");
    }

    #[test]
    fn authors_are_told_apart_by_the_best_name_they_have() {
        let id = |id: &str| AuthorDraft {
            id: Some(id.to_owned()),
            email: Some("same@example.org".to_owned()),
            ..AuthorDraft::default()
        };
        let email = |email: &str| AuthorDraft { email: Some(email.to_owned()), ..AuthorDraft::default() };
        let body = "Hello there";
        assert_ne!(trace(1, body, id("a")).author, trace(1, body, id("b")).author);
        assert_ne!(trace(1, body, id("a")).author, trace(2, body, id("a")).author, "accounts belong to their site");
        assert_eq!(trace(1, body, email("A@Example.org")).author, trace(2, body, email("a@example.org ")).author);
        assert!(trace(1, body, email("a@example.org")).author_known);
        let ip =
            AuthorDraft { ip: Some("203.0.113.9".to_owned()), name: Some("Anna".to_owned()), ..AuthorDraft::default() };
        assert!(!trace(1, body, ip).author_known);
    }
}

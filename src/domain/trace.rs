//! The fingerprints by which the past is asked about a comment: small, comparable, free of text.
//!
//! A trace is computed once from a normalised comment, stored beside it, and is all that [`super::history::History`]
//! remembers; a restart or a replay feeds the same traces in the same order and knows the same things.

use serde::{Deserialize, Serialize};

use super::site::SiteId;

/// MinHash values of one set of features: eight 32-bit minima (Broder, "On the resemblance and containment of
/// documents", 1997), compared position by position to estimate the Jaccard similarity of the sets.
pub type MinHash = [u32; 8];

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
    /// Each link, without duplicates, at most [`Trace::MAX_LINKS`].
    pub links: Vec<LinkTrace>,
    /// The whole text; `None` when it is too short to mean anything when repeated.
    pub text: Option<TextTrace>,
    /// Parts of the body that read like headlines, at most [`Trace::MAX_HEADLINES`].
    pub headlines: Vec<TextTrace>,
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

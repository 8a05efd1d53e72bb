//! Reduces a body to what a reader sees: text and links, with a map back to what was sent.
//!
//! Two layers, each with a map. `plain` is the visible text: markup removed, character references decoded, otherwise
//! untouched. `folded` is for matching: NFKC, lower case, invisible characters dropped, look-alike letters mapped to
//! the ones they imitate, runs of blanks as one. Evidence always points into the body **as sent**.

use std::ops::Range;

use super::comment::Format;

/// Text made from other text, with a map back to the bytes it came from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapped {
    text: String,
    map: Vec<(u32, u32)>,
}

/// A link in a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The address, normalised: scheme and host in lower case, default port and fragment dropped.
    pub url: String,
    /// The host, in ASCII (punycode) and lower case, without a leading `www.`.
    pub host: String,
    /// The registrable domain by the Public Suffix List, or the host where there is none (an IP literal).
    pub domain: String,
    /// The text that carries the link, when it is not the address itself.
    pub text: Option<String>,
    /// Where it stands in the body as sent, in bytes.
    pub span: Range<usize>,
    /// How it was written.
    pub kind: LinkKind,
}

/// How a link was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// As markup around a text.
    Anchor,
    /// As an address in the text.
    Bare,
    /// So that machines should miss it: full-width letters, spaced-out or spelled-out dots.
    Disguised,
}

/// A body, reduced.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Body {
    /// What a reader sees.
    pub plain: Mapped,
    /// The same, folded for matching.
    pub folded: Mapped,
    /// The words of `folded.text()`, as byte ranges into it; in scripts without spaces, one character each.
    pub words: Vec<Range<u32>>,
    /// The links, in order of appearance.
    pub links: Vec<Link>,
}

use super::comment::{Comment, NewComment};
use super::site::SiteId;
use super::store::ContentHash;

impl Mapped {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part of the original that `range` of this text came from, in bytes of the body as sent.
    #[must_use]
    pub fn original(&self, _range: Range<usize>) -> Range<usize> {
        todo!()
    }
}

impl Body {
    /// Reduces `body`, written in `format`.
    #[must_use]
    pub fn read(_body: &str, _format: Format) -> Self {
        todo!()
    }

    /// The folded words, in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let text = self.folded.text();
        self.words.iter().map(move |word| &text[word.start as usize..word.end as usize])
    }
}

/// Reduces a comment and computes its fingerprints. `staff` is whether the author is one of the site's own people.
#[must_use]
pub fn normalise(_site: SiteId, _sent: NewComment, _staff: bool) -> Comment {
    todo!()
}

/// The folded text of a body.
#[must_use]
pub fn fold(body: &str, format: Format) -> String {
    Body::read(body, format).folded.text
}

/// Folds plain text for matching, as bodies are folded: for titles, tags, names and word lists.
#[must_use]
pub fn fold_plain(_text: &str) -> Mapped {
    todo!()
}

/// The words of folded text, as byte ranges.
#[must_use]
pub fn words(_folded: &str) -> Vec<Range<u32>> {
    todo!()
}

/// The language of a comment, as an ISO 639-1 code: the article's when the site says so, else detected when it is long
/// enough to tell.
#[must_use]
pub fn language(_sent: &NewComment, _body: &Body) -> Option<String> {
    todo!()
}

/// The hash of everything that makes two submissions the same: site's id, article id, parent, author's id, name, e-mail and
/// homepage, body and format. How and when it came (address, browser, times, honeypot) does not count.
#[must_use]
pub fn content_hash(_sent: &NewComment) -> ContentHash {
    todo!()
}

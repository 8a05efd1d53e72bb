//! Reduces a body to what a reader sees: text and links, with a map back to what was sent.
//!
//! Two layers, each with a map. `plain` is the visible text: markup removed, character references decoded, otherwise
//! untouched. `folded` is for matching: see [`fold`](mod@fold). Evidence always points into the body **as sent**. Reading the plain text of a text
//! body again gives the same; nothing here panics or takes more than linear time, whatever is sent.

mod fold;
mod html;
mod language;
mod links;
mod mapped;
mod markdown;
mod words;

use std::ops::Range;

use xxhash_rust::xxh3::Xxh3;

pub use fold::{imitated, is_invisible, is_latin};
pub use language::{detected, language};
pub use links::{Link, LinkKind, MAX_LINKS, host_of, registrable};
pub use mapped::Mapped;
pub use words::{is_unspaced, words};

use self::html::Visible;
use super::comment::{Comment, Format, NewComment};
use super::site::SiteId;
use super::store::ContentHash;
use super::trace;

/// A body, reduced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// What a reader sees.
    pub plain: Mapped,
    /// The same, folded for matching.
    pub folded: Mapped,
    /// The words of `folded.text()`, as byte ranges into it; in scripts without spaces, one character each.
    pub words: Vec<Range<u32>>,
    /// The links, in order of appearance, at most [`MAX_LINKS`].
    pub links: Vec<Link>,
    /// How many links there are in all.
    pub links_total: usize,
    /// Quoted parts (`<blockquote>`, `>` lines), as bytes of the body as sent.
    pub quotes: Vec<Range<usize>>,
}

impl Body {
    /// Reduces `body`, written in `format`.
    #[must_use]
    pub fn read(body: &str, format: Format) -> Self {
        let mut visible = match format {
            Format::Text => {
                let mut visible = Visible::default();
                visible.verbatim(body, 0);
                visible
            }
            Format::Html => {
                let mut visible = Visible::default();
                visible.html(body, 0);
                visible.finish(body.len());
                visible
            }
            Format::Markdown => markdown::read(body),
        };
        let anchors = std::mem::take(&mut visible.anchors);
        let plain = visible.plain;
        let folded = fold::fold(&plain);
        let words = words(folded.text());
        let links = links::find(&plain, &folded, &anchors);
        let mut quotes: Vec<Range<usize>> = visible.quotes.into_iter().map(|quote| plain.original(quote)).collect();
        if format == Format::Text {
            quotes.extend(quoted_lines(body));
        }
        Self { plain, folded, words, links: links.kept, links_total: links.total, quotes }
    }

    /// The folded words, in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let text = self.folded.text();
        self.words.iter().map(move |word| &text[word.start as usize..word.end as usize])
    }

    /// Whether a part of the body as sent is quoted.
    #[must_use]
    pub fn is_quoted(&self, span: &Range<usize>) -> bool {
        self.quotes.iter().any(|quote| quote.start <= span.start && span.end <= quote.end)
    }
}

/// Lines that start with `>`, as mail has them.
fn quoted_lines(body: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    body.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        line.trim_start().starts_with('>').then_some(start..at)
    })
}

/// Reduces a comment and computes its fingerprints. `staff` is whether the author is one of the site's own people.
#[must_use]
pub fn normalise(site: SiteId, sent: NewComment, staff: bool) -> Comment {
    let body = Body::read(&sent.body, sent.format);
    let trace = trace::of(site, &sent, &body, staff);
    Comment { sent, body, trace }
}

/// The folded text of a body.
#[must_use]
pub fn fold_body(body: &str, format: Format) -> String {
    Body::read(body, format).folded.into_text()
}

/// Folds plain text for matching, as bodies are folded: for titles, tags, names and word lists.
#[must_use]
pub fn fold_plain(text: &str) -> Mapped {
    fold::fold(&Mapped::verbatim(text))
}

/// The hash of everything that makes two submissions the same: article, parent, author's id, name, e-mail and
/// homepage, body and format. How and when it came (address, browser, times, honeypot) does not count.
#[must_use]
pub fn content_hash(sent: &NewComment) -> ContentHash {
    let mut hasher = Xxh3::new();
    let mut part = |text: Option<&str>| {
        // Lengths keep `ab` + `c` apart from `a` + `bc`, and absent apart from empty.
        hasher.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
        hasher.update(text.unwrap_or_default().as_bytes());
    };
    let author = &sent.author;
    part(Some(sent.article.id.as_str()));
    part(sent.parent_id.as_ref().map(super::comment::ExternalId::as_str));
    part(author.id.as_ref().map(super::comment::ExternalId::as_str));
    part(author.name.as_deref());
    part(author.email.as_deref());
    part(author.url.as_deref());
    part(Some(&sent.body));
    part(Some(match sent.format {
        Format::Text => "text",
        Format::Html => "html",
        Format::Markdown => "markdown",
    }));
    ContentHash(hasher.digest128())
}

#[cfg(test)]
mod tests;

//! Reduces a body to what a reader sees: text and links, with a map back to what was sent.
//!
//! Two layers, each with a map. `plain` is the visible text: markup removed, character references decoded, otherwise
//! untouched. `folded` is for matching: see [`fold`](mod@fold). Evidence always points into the body **as sent**. Reading as text what any body
//! shows gives the same text again; nothing here panics or takes more than linear time, whatever is sent.

mod fold;
mod function_words;
mod html;
mod language;
mod links;
mod mapped;
mod markdown;
mod words;

use std::ops::Range;

use xxhash_rust::xxh3::Xxh3;

pub use fold::{imitated, is_invisible, is_latin};
pub use function_words::{Writing, knows_language, language_of, leading_language, likely_language, writing};
pub use language::{detected, language};
pub use links::{Link, LinkKind, MAX_LINKS, host_of, registrable};
pub use mapped::Mapped;
pub use words::{Length, how_long, is_unspaced, words};

use self::html::Visible;
use super::comment::{Comment, Format, NewComment};
use super::headline;
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
    /// Quoted parts (`<blockquote>`, `>` lines), as bytes of the body as sent, in order; parts that touch are one.
    pub quotes: Vec<Range<usize>>,
}

impl Body {
    /// Reduces `body`, written in `format`.
    #[must_use]
    pub fn read(body: &str, format: Format) -> Self {
        let mut visible = visible(body, format);
        let anchors = std::mem::take(&mut visible.anchors);
        let plain = visible.plain;
        let folded = fold::fold(&plain);
        let words = words(folded.text());
        let links = links::find(&plain, &folded, &anchors);
        let mut quotes: Vec<Range<usize>> = visible.quotes.into_iter().map(|quote| plain.original(quote)).collect();
        if format == Format::Text {
            quotes.extend(quoted_lines(body));
        }
        Self { plain, folded, words, links: links.kept, links_total: links.total, quotes: merged(quotes) }
    }

    /// The folded words, in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let text = self.folded.text();
        self.words.iter().map(move |word| &text[word.start as usize..word.end as usize])
    }

    /// Whether a part of the body as sent is quoted.
    #[must_use]
    pub fn is_quoted(&self, span: &Range<usize>) -> bool {
        let after = self.quotes.partition_point(|quote| quote.start <= span.start);
        after.checked_sub(1).is_some_and(|at| span.end <= self.quotes[at].end)
    }

    /// Whether a part of the body as sent is quoted, at least in part.
    #[must_use]
    pub fn touches_quote(&self, span: &Range<usize>) -> bool {
        let first = self.quotes.partition_point(|quote| quote.end <= span.start);
        self.quotes.get(first).is_some_and(|quote| quote.start < span.end)
    }
}

/// The same bytes as ranges in order that do not touch.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, kept| {
        let touches = next.start <= kept.end;
        if touches {
            kept.end = kept.end.max(next.end);
        }
        touches
    });
    ranges
}

/// Whether a body shows nothing: no character that leaves a mark, in whatever its markup leaves over.
#[must_use]
pub fn is_blank(body: &str, format: Format) -> bool {
    let leaves_no_mark = |c: char| c.is_whitespace() || is_invisible(c);
    let starts_with_text = |body: &str| body.trim_start().starts_with(char::is_alphanumeric);
    if format == Format::Text || starts_with_text(body) {
        return body.chars().all(leaves_no_mark); // the usual case is decided by its first letter
    }
    visible(body, format).plain.text().chars().all(leaves_no_mark)
}

fn visible(body: &str, format: Format) -> Visible {
    let mut visible = Visible::default();
    match format {
        Format::Text => visible.verbatim(body, 0),
        Format::Html => {
            visible.html(body, 0);
            visible.finish(body.len());
        }
        Format::Markdown => return markdown::read(body),
    }
    visible
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
    let headlines = headline::candidates(&body);
    let trace = trace::of(site, &sent, &body, &headlines, staff);
    Comment { sent, body, headlines, trace }
}

/// What a reader sees of a body, and nothing that is made of it.
#[must_use]
pub fn shown(body: &str, format: Format) -> String {
    visible(body, format).plain.into_text()
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

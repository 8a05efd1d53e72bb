//! HTML to visible text, by the WHATWG tokenizer (html5gum), with a map back to the bytes as sent.
//!
//! What is visible depends on the site: some drop `<style>` with what stands inside, most only strip the tags they do not know and show the
//! rest. So every element's content is read, as markup, and a body inside `<style>` hides from nobody.

use std::convert::Infallible;
use std::ops::Range;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use super::mapped::Mapped;

/// An anchor as written: its target, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    /// The `href`, decoded.
    pub(super) href: String,
    /// Its text, as a range of the plain text.
    pub(super) text: Range<usize>,
    /// The whole element in the body as sent.
    pub(super) span: Range<usize>,
}

/// Visible text and anchors, gathered over one or several fragments.
#[derive(Debug, Default)]
pub(super) struct Visible {
    pub(super) plain: Mapped,
    pub(super) anchors: Vec<Anchor>,
    /// Quoted stretches of the plain text.
    pub(super) quotes: Vec<Range<usize>>,
    open: Option<(String, usize, usize)>,
    quoted: usize,
    quote_start: usize,
    tag: Tag,
}

/// The start tag being read.
#[derive(Debug, Default)]
struct Tag {
    name: Vec<u8>,
    attribute: Vec<u8>,
    href: Option<Vec<u8>>,
    start: usize,
}

/// Elements that do not separate words.
const INLINE: &[&[u8]] = &[
    b"a", b"abbr", b"b", b"bdi", b"bdo", b"cite", b"code", b"del", b"dfn", b"em", b"font", b"i", b"ins", b"kbd",
    b"mark", b"q", b"s", b"samp", b"small", b"span", b"strike", b"strong", b"sub", b"sup", b"tt", b"u", b"var", b"wbr",
];

impl Visible {
    /// Reads a fragment that stands at `base` of the body as sent. State (open anchors, quotations) goes on from the fragment before.
    pub(super) fn html(&mut self, fragment: &str, base: usize) {
        let mut emitter =
            CallbackEmitter::<_, Infallible, usize>::new(|event: CallbackEvent<'_>, span: Span<usize>| {
                self.event(&event, &span, fragment, base);
                None
            });
        emitter.naively_switch_states(false); // content of `<style>` and the like is markup to whoever strips the tag alone
        Tokenizer::new_with_emitter(fragment, emitter).for_each(drop);
    }

    /// Appends text that stands in the body as it is.
    pub(super) fn verbatim(&mut self, text: &str, at: usize) {
        self.plain.push(text, at..at + text.len());
    }

    /// Appends text that was written otherwise at `range`.
    pub(super) fn written_as(&mut self, text: &str, range: Range<usize>) {
        self.plain.push(text, range);
    }

    /// Separates what stands before `at` from what stands after it.
    pub(super) fn line_break(&mut self, at: usize) {
        if !matches!(self.plain.last_char(), None | Some('\n')) {
            self.plain.push("\n", at..at);
        }
    }

    pub(super) fn open_anchor(&mut self, href: String, at: usize) {
        self.open = Some((href, self.plain.text().len(), at));
    }

    pub(super) fn close_anchor(&mut self, end: usize) {
        if let Some((href, text_start, start)) = self.open.take() {
            let text = text_start..self.plain.text().len();
            self.anchors.push(Anchor { href, text, span: start..end.max(start) });
        }
    }

    pub(super) fn open_quote(&mut self) {
        if self.quoted == 0 {
            self.quote_start = self.plain.text().len();
        }
        self.quoted += 1;
    }

    pub(super) fn close_quote(&mut self) {
        if self.quoted == 1 {
            self.quotes.push(self.quote_start..self.plain.text().len());
        }
        self.quoted = self.quoted.saturating_sub(1);
    }

    /// Closes what was left open at the end of the body.
    pub(super) fn finish(&mut self, end: usize) {
        self.close_anchor(end);
        while self.quoted > 0 {
            self.close_quote();
        }
    }

    fn event(&mut self, event: &CallbackEvent<'_>, span: &Span<usize>, fragment: &str, base: usize) {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.tag = Tag { name: name.to_vec(), start: base + span.start.min(fragment.len()), ..Tag::default() };
            }
            CallbackEvent::AttributeName { name } => self.tag.attribute = name.to_vec(),
            CallbackEvent::AttributeValue { value } => {
                if self.tag.attribute == b"href" && self.tag.href.is_none() {
                    self.tag.href = Some(value.to_vec());
                }
            }
            CallbackEvent::CloseStartTag { .. } => {
                let tag = std::mem::take(&mut self.tag);
                self.start_tag(&tag);
            }
            CallbackEvent::EndTag { name } => self.end_tag(name, base + span.end.min(fragment.len())),
            CallbackEvent::String { value } => self.string(value, span, fragment, base),
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
    }

    fn start_tag(&mut self, tag: &Tag) {
        if !INLINE.contains(&tag.name.as_slice()) {
            self.line_break(tag.start);
        }
        match tag.name.as_slice() {
            b"blockquote" => self.open_quote(),
            b"a" => {
                self.close_anchor(tag.start); // anchors do not nest
                if let Some(href) = &tag.href {
                    self.open_anchor(String::from_utf8_lossy(href).into_owned(), tag.start);
                }
            }
            _ => {}
        }
    }

    fn end_tag(&mut self, name: &[u8], end: usize) {
        match name {
            b"a" => self.close_anchor(end),
            b"blockquote" => self.close_quote(),
            _ => {}
        }
        if !INLINE.contains(&name) {
            self.line_break(end);
        }
    }

    /// Text: stretches without `&` stand as sent; each `&…` is decoded by itself, so that its letters keep their place.
    fn string(&mut self, value: &[u8], span: &Span<usize>, fragment: &str, base: usize) {
        let Some(raw) = fragment.get(span.start..span.end.min(fragment.len())) else {
            let at = base + span.start.min(fragment.len());
            return self.plain.push(&String::from_utf8_lossy(value), at..at);
        };
        let mut at = base + span.start;
        for (index, piece) in raw.split('&').enumerate() {
            if index == 0 {
                self.plain.push(piece, at..at + piece.len());
                at += piece.len();
                continue;
            }
            let whole = &fragment[at - base..at - base + 1 + piece.len()];
            let decoded = decode(whole);
            let kept = common_suffix(whole, &decoded);
            let (reference, rest) = (whole.len() - kept, &whole[whole.len() - kept..]);
            self.plain.push(&decoded[..decoded.len() - kept], at..at + reference);
            self.plain.push(rest, at + reference..at + whole.len());
            at += whole.len();
        }
    }
}

/// Decodes the character references of a piece of text without tags.
fn decode(text: &str) -> String {
    let mut decoded = Vec::new();
    let emitter = CallbackEmitter::<_, Infallible>::new(|event: CallbackEvent<'_>, _: Span<()>| {
        if let CallbackEvent::String { value } = event {
            decoded.extend_from_slice(value);
        }
        None
    });
    Tokenizer::new_with_emitter(text, emitter).for_each(drop);
    String::from_utf8_lossy(&decoded).into_owned()
}

/// How many bytes at the end of both are the same, whole characters only.
fn common_suffix(a: &str, b: &str) -> usize {
    let same = a.chars().rev().zip(b.chars().rev()).take_while(|(x, y)| x == y);
    same.map(|(c, _)| c.len_utf8()).sum::<usize>().min(a.len().saturating_sub(1))
}

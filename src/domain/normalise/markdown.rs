//! CommonMark to visible text, by pulldown-cmark; raw HTML inside goes the way of HTML.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::html::Visible;

/// Reads a body written in Markdown.
pub(super) fn read(body: &str) -> Visible {
    let mut visible = Visible::default();
    for (event, range) in Parser::new_ext(body, Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
        match event {
            Event::Text(text) => put(&mut visible, body, &text, range),
            Event::Code(code) | Event::InlineMath(code) | Event::DisplayMath(code) => {
                put(&mut visible, body, &code, range);
            }
            Event::Html(html) | Event::InlineHtml(html) => raw_html(&mut visible, body, &html, range),
            Event::SoftBreak | Event::HardBreak | Event::Rule => visible.line_break(range.start),
            Event::Start(tag) => start(&mut visible, &tag, &range),
            Event::End(tag) => end(&mut visible, tag, &range),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }
    visible.finish(body.len());
    visible
}

fn start(visible: &mut Visible, tag: &Tag<'_>, range: &Range<usize>) {
    match tag {
        Tag::Link { dest_url, .. } => visible.open_anchor(dest_url.to_string(), range.start),
        Tag::BlockQuote(_) => {
            visible.line_break(range.start);
            visible.open_quote();
        }
        Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Image { .. } => {}
        _ => visible.line_break(range.start),
    }
}

fn end(visible: &mut Visible, tag: TagEnd, range: &Range<usize>) {
    match tag {
        TagEnd::Link => visible.close_anchor(range.end),
        TagEnd::BlockQuote(_) => {
            visible.line_break(range.end);
            visible.close_quote();
        }
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Image => {}
        _ => visible.line_break(range.end),
    }
}

fn put(visible: &mut Visible, body: &str, text: &str, range: Range<usize>) {
    match body.get(range.clone()).and_then(|raw| raw.find(text)) {
        Some(at) => visible.verbatim(text, range.start + at), // escapes and code fences aside, text stands as sent
        None => visible.written_as(text, range),
    }
}

fn raw_html(visible: &mut Visible, body: &str, html: &str, range: Range<usize>) {
    if body.get(range.clone()) == Some(html) {
        visible.html(html, range.start);
    } else {
        // Inside a quotation the lines carry markers that the parser took out; positions are then those of the block.
        let mut apart = Visible::default();
        apart.html(html, 0);
        visible.written_as(apart.plain.text(), range);
    }
}

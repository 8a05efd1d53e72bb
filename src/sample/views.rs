//! What templates show: texts cut into pieces, times in words, and of each comment only what its reader may see.
//!
//! Templates escape every text. A link is made of nothing but `http` and `https` addresses.

use askama::Template;
use linkify::{LinkFinder, LinkKind};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::board::{Appeal, Comment, State, Thread};
use super::newsroom::Newsroom;
use super::stories::Story;

/// Characters of a quoted paragraph.
const MAX_QUOTE: usize = 140;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// An address to go to.
    Link(String),
}

/// A text's paragraphs, with addresses to go to.
pub(super) fn paragraphs(text: &str) -> Vec<Vec<Piece>> {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    let piece = |span: linkify::Span<'_>| {
        let is_web = span.kind().is_some()
            && url::Url::parse(span.as_str()).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if is_web { Piece::Link(span.as_str().to_owned()) } else { Piece::Text(span.as_str().to_owned()) }
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| finder.spans(line).map(piece).collect()).collect()
}

fn moment(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// As machines read it.
pub(super) fn rfc3339(ms: i64) -> String {
    moment(ms).format(&Rfc3339).unwrap_or_default()
}

/// As in `24 November, 10:12`.
pub(super) fn when(ms: i64) -> String {
    moment(ms).format(format_description!("[day padding:none] [month repr:long], [hour]:[minute]")).unwrap_or_default()
}

/// As in `Tuesday, 24 November 2026`.
pub(super) fn day(ms: i64) -> String {
    let format = format_description!("[weekday], [day padding:none] [month repr:long] [year]");
    moment(ms).format(format).unwrap_or_default()
}

/// The beginning of a paragraph, to know it by.
pub(super) fn quote(paragraph: &str) -> String {
    if paragraph.chars().count() <= MAX_QUOTE {
        return paragraph.to_owned();
    }
    let cut: String = paragraph.chars().take(MAX_QUOTE).collect();
    let end = cut.rfind(' ').unwrap_or(cut.len());
    format!("{} …", &cut[..end])
}

/// A comment, as one reader sees it.
pub(super) struct CommentView {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) initial: String,
    pub(super) when: String,
    pub(super) iso: String,
    pub(super) paragraphs: Vec<Vec<Piece>>,
    /// Number, from 1, and beginning of the paragraph that it is about.
    pub(super) about: Option<(usize, String)>,
    /// Whom it answers, where that is not the top of the thread.
    pub(super) to: Option<String>,
    pub(super) state: &'static str,
    pub(super) is_own: bool,
    /// Nobody sees it any more; only its place is kept.
    pub(super) is_gone: bool,
    pub(super) up: u32,
    pub(super) down: u32,
    pub(super) vote: i8,
    pub(super) is_reported: bool,
    pub(super) appeal: Option<Appeal>,
}

/// A thread, as one reader sees it.
#[derive(Template)]
#[template(path = "courier/thread.html")]
pub(super) struct ThreadView {
    pub(super) root: CommentView,
    pub(super) replies: Vec<CommentView>,
}

/// The threads under a story that `reader` sees, latest first.
pub(super) fn threads(room: &Newsroom, story: &Story, reader: &str) -> Vec<ThreadView> {
    room.board.threads(&story.id, reader).iter().map(|thread| view(room, story, reader, thread)).collect()
}

fn view(room: &Newsroom, story: &Story, reader: &str, thread: &Thread<'_>) -> ThreadView {
    let seen = |comment: &Comment| {
        let reported = room.readers.find(reader).is_some_and(|reader| reader.reported.contains(&comment.id));
        let parent = comment.parent.as_deref().filter(|parent| *parent != thread.root.id);
        let parent = parent.and_then(|parent| room.board.find(parent)).filter(|parent| parent.shows_to(reader));
        let about = comment.paragraph.and_then(|at| Some((at + 1, quote(story.paragraphs.get(at)?))));
        let is_gone = !comment.shows_to(reader);
        let text = |text: &str| if is_gone { String::new() } else { text.to_owned() };
        let is_own = comment.is_of(reader);
        CommentView {
            id: comment.id.clone(),
            name: text(&comment.name),
            initial: text(&comment.name).chars().next().unwrap_or('?').to_uppercase().to_string(),
            when: when(comment.at_ms),
            iso: rfc3339(comment.at_ms),
            paragraphs: paragraphs(&text(&comment.body)),
            about: about.filter(|_| !is_gone),
            to: parent.map(|parent| parent.name.clone()),
            // Whoever is banned without being told is not told here.
            state: if comment.shadow && is_own { State::Approved.name() } else { comment.state.name() },
            is_own,
            is_gone,
            up: comment.up,
            down: comment.down,
            vote: comment.votes.get(reader).copied().unwrap_or_default(),
            is_reported: reported,
            appeal: comment.appeal.clone(),
        }
    };
    ThreadView { root: seen(thread.root), replies: thread.replies.iter().map(|reply| seen(reply)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_become_links() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let link = |text: &str| Piece::Link(text.to_owned());
        for (given, expected) in [
            ("see https://a.example/x?y=1.", vec![text("see "), link("https://a.example/x?y=1"), text(".")]),
            ("javascript:alert(1)", vec![text("javascript:alert(1)")]),
            ("javascript://a.example/%0aalert(1)", vec![text("javascript://a.example/%0aalert(1)")]),
            ("data:text/html,<b>", vec![text("data:text/html,<b>")]),
            ("ftp://a.example/x", vec![text("ftp://a.example/x")]),
            ("a.example", vec![text("a.example")]),
        ] {
            assert_eq!(paragraphs(given).concat(), expected, "{given}");
        }
        assert_eq!(paragraphs("one\n\n two \n").len(), 2);
    }

    #[test]
    fn a_quote_ends_with_a_word() {
        let long = "word ".repeat(60);
        assert!(quote(&long).ends_with("word …") && quote(&long).chars().count() <= MAX_QUOTE + 2);
        assert_eq!(quote("short"), "short");
        assert!(quote(&"ß".repeat(300)).starts_with('ß'));
    }

    #[test]
    fn times_are_written_out() {
        assert_eq!(when(1_795_514_400_000), "24 November, 10:00");
        assert_eq!(day(1_795_514_400_000), "Tuesday, 24 November 2026");
        assert_eq!(rfc3339(1_795_514_400_000), "2026-11-24T10:00:00Z");
    }
}

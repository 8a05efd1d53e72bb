//! Texts from outside, cut so that evidence can be marked in them and nothing in them stays hidden.
//!
//! Spans of evidence are bytes of the text as sent, may overlap, and may come from an older version that counted otherwise: whatever they say, every
//! part of the text is shown once, in its place, and no cut goes through a character. What shows nothing, or turns the direction of what follows,
//! is written out, because it is there to be overlooked.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::domain::normalise::is_invisible;

/// Marks in one text; further spans are not marked. A text of which everything is evidence shows nothing by it.
const MARKS: usize = 120;
/// Line ends in a row that are shown as such.
const LINE_ENDS: usize = 3;

/// A part of a text to which the same reasons point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// Numbers of the reasons.
    pub reasons: Vec<usize>,
    /// What it says.
    pub pieces: Vec<Piece>,
}

impl Segment {
    /// The reasons' numbers, between blanks.
    pub(super) fn why(&self) -> String {
        self.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
}

/// What a segment is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it was sent.
    Plain(String),
    /// The name of something that cannot be seen, as in `U+202E`.
    Hidden(String),
}

/// A text, cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// Its parts, in order.
    pub segments: Vec<Segment>,
    /// Characters that are left out at the end.
    pub left_out: usize,
}

/// Cuts a text where evidence begins and ends; of the text at most about `bytes` bytes and `lines` lines.
pub(super) fn cut(text: &str, evidence: &[(Range<usize>, usize)], bytes: usize, lines: usize) -> Cut {
    let end = end_within(text, bytes, lines);
    let snapped = evidence.iter().take(MARKS).map(|(range, reason)| {
        let start = text.floor_char_boundary(range.start.min(end));
        (start..text.ceil_char_boundary(range.end.min(end)), *reason)
    });
    let evidence: Vec<(Range<usize>, usize)> = snapped.filter(|(range, _)| !range.is_empty()).collect();
    let mut borders = BTreeSet::from([0, end]);
    borders.extend(evidence.iter().flat_map(|(range, _)| [range.start, range.end]));
    let borders: Vec<usize> = borders.into_iter().collect();
    let mut parts: Vec<(Range<usize>, Vec<usize>)> = Vec::new();
    for pair in borders.windows(2) {
        let [from, to] = *pair else { continue };
        let covers = evidence.iter().filter(|(range, _)| range.start <= from && to <= range.end);
        let reasons: Vec<usize> = covers.map(|(_, reason)| *reason).collect::<BTreeSet<_>>().into_iter().collect();
        match parts.last_mut() {
            Some((last, of)) if *of == reasons => last.end = to,
            _ => parts.push((from..to, reasons)),
        }
    }
    let segments = parts.into_iter().map(|(range, reasons)| Segment { reasons, pieces: pieces(text, range) });
    Cut { segments: segments.collect(), left_out: text[end..].chars().count() }
}

/// A whole text without evidence.
pub(super) fn plain(text: &str) -> Vec<Segment> {
    cut(text, &[], usize::MAX, usize::MAX).segments
}

/// Where a text is to end.
fn end_within(text: &str, bytes: usize, lines: usize) -> usize {
    let by_bytes = text.floor_char_boundary(bytes.min(text.len()));
    let by_lines = text.match_indices('\n').nth(lines.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    by_bytes.min(by_lines)
}

fn pieces(text: &str, range: Range<usize>) -> Vec<Piece> {
    let first = text[..range.start].chars().next_back();
    let last = text[range.end..].chars().next();
    let chars: Vec<char> = text[range].chars().collect();
    let (mut pieces, mut plain, mut at) = (Vec::new(), String::new(), 0);
    let ends_line = |at: usize| matches!(chars.get(at), Some('\n' | '\r'));
    let hidden = |at: usize| {
        let before = if at == 0 { first } else { chars.get(at - 1).copied() };
        chars.get(at).is_some_and(|c| is_hidden(before, *c, chars.get(at + 1).copied().or(last)))
    };
    while let Some(c) = chars.get(at) {
        let from = at;
        if ends_line(at) {
            at += chars[from..].iter().take_while(|c| matches!(c, '\n' | '\r')).count();
            let row = chars[from..at].iter().filter(|c| **c == '\n').count();
            plain.extend(std::iter::repeat_n('\n', row.min(LINE_ENDS)));
            if row > LINE_ENDS {
                settle(&mut pieces, &mut plain);
                pieces.push(Piece::Hidden(format!("\u{21b5}\u{d7}{}", row - LINE_ENDS)));
            }
        } else if hidden(at) {
            at += (at..chars.len()).take_while(|at| hidden(*at)).count();
            settle(&mut pieces, &mut plain);
            pieces.push(Piece::Hidden(named(&chars[from..at])));
        } else {
            plain.push(*c);
            at += 1;
        }
    }
    settle(&mut pieces, &mut plain);
    pieces
}

fn settle(pieces: &mut Vec<Piece>, plain: &mut String) {
    if !plain.is_empty() {
        pieces.push(Piece::Plain(std::mem::take(plain)));
    }
}

/// Whether a character is there to be overlooked, or to turn what follows round. Joiners between letters of scripts that need them, and what
/// belongs to emoji, are ordinary writing.
pub(super) fn is_hidden(before: Option<char>, c: char, after: Option<char>) -> bool {
    let foreign = |c: Option<char>| c.is_some_and(|c| !c.is_ascii());
    match c {
        '\n' | '\t' | '\r' => false,
        '\u{200c}' | '\u{200d}' => !(foreign(before) && foreign(after)),
        '\u{fe0e}' | '\u{fe0f}' => {
            !(foreign(before) || before.is_some_and(|c| c.is_ascii_digit() || matches!(c, '#' | '*')))
        }
        '\u{2028}' | '\u{2029}' => true,
        _ => c.is_control() || is_invisible(c),
    }
}

fn named(unseen: &[char]) -> String {
    let name = |c: &char| format!("U+{:04X}", u32::from(*c));
    match unseen {
        [only] => name(only),
        [first, rest @ ..] if rest.iter().all(|c| c == first) => format!("{}\u{d7}{}", name(first), unseen.len()),
        [..] if unseen.len() <= 4 => unseen.iter().map(name).collect::<Vec<_>>().join(" "),
        [first, ..] => format!("{} +{}", name(first), unseen.len() - 1),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments as a line: `[reasons|text]`, hidden things between angle brackets.
    fn shown(cut: &Cut) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Plain(text) => text.clone(),
            Piece::Hidden(name) => format!("<{name}>"),
        };
        let segment = |segment: &Segment| {
            let text: String = segment.pieces.iter().map(piece).collect();
            if segment.reasons.is_empty() { text } else { format!("[{}|{text}]", segment.why()) }
        };
        cut.segments.iter().map(segment).collect()
    }

    #[test]
    fn evidence_is_marked_where_it_stands() {
        for (name, text, evidence, expected) in [
            ("none", "plain", vec![], "plain"),
            ("one", "buy pills now", vec![(4..9, 0)], "buy [0|pills] now"),
            ("two apart", "a b c", vec![(4..5, 1), (0..1, 0)], "[0|a] b [1|c]"),
            ("overlapping", "abcdef", vec![(0..4, 0), (2..6, 1)], "[0|ab][0 1|cd][1|ef]"),
            ("one in another", "abcdef", vec![(0..6, 0), (2..4, 1)], "[0|ab][0 1|cd][0|ef]"),
            ("the same twice", "abc", vec![(0..3, 0), (0..3, 0)], "[0|abc]"),
            ("touching, of one reason", "abcd", vec![(0..2, 0), (2..4, 0)], "[0|abcd]"),
            ("within a character", "a\u{e4}b", vec![(2..3, 0)], "a[0|\u{e4}]b"),
            ("beyond the end", "abc", vec![(2..99, 0)], "ab[0|c]"),
            ("nowhere", "abc", vec![(50..99, 0)], "abc"),
            ("turned round", "abc", vec![(std::ops::Range { start: 2, end: 1 }, 0)], "abc"),
            ("empty", "abc", vec![(1..1, 0)], "abc"),
            ("of an empty text", "", vec![(0..1, 0)], ""),
            ("after letters of two bytes", "gr\u{fc}\u{df}e viagra", vec![(8..14, 0)], "gr\u{fc}\u{df}e [0|viagra]"),
        ] {
            assert_eq!(shown(&cut(text, &evidence, 1_000, 100)), expected, "{name}");
        }
    }

    #[test]
    fn what_is_hidden_is_written_out() {
        for (name, text, expected) in [
            ("a turn of direction", "safe\u{202e}gpj.exe", "safe<U+202E>gpj.exe"),
            ("a zero-width space", "via\u{200b}gra", "via<U+200B>gra"),
            ("many of them", "a\u{200b}\u{200b}\u{200b}b", "a<U+200B\u{d7}3>b"),
            ("several", "a\u{200b}\u{2060}b", "a<U+200B U+2060>b"),
            ("a crowd of tags", "a\u{e0041}\u{e0042}\u{e0043}\u{e0044}\u{e0045}b", "a<U+E0041 +4>b"),
            ("a bell", "a\u{7}b", "a<U+0007>b"),
            ("a joiner among Latin letters", "vi\u{200d}agra", "vi<U+200D>agra"),
            ("a joiner in Persian", "\u{645}\u{6cc}\u{200c}\u{62e}", "\u{645}\u{6cc}\u{200c}\u{62e}"),
            ("a family", "\u{1f469}\u{200d}\u{1f467}", "\u{1f469}\u{200d}\u{1f467}"),
            ("a keycap", "1\u{fe0f}\u{20e3}", "1\u{fe0f}\u{20e3}"),
            ("line ends stay", "a\r\nb\n\nc", "a\nb\n\nc"),
            ("a wall of them does not", "a\n\n\n\n\n\nb", "a\n\n\n<\u{21b5}\u{d7}3>b"),
            ("a wall at the end", "a\n\n\n\n\n", "a\n\n\n<\u{21b5}\u{d7}2>"),
        ] {
            assert_eq!(shown(&cut(text, &[], 1_000, 100)), expected, "{name}");
        }
    }

    #[test]
    fn a_long_text_is_cut_and_says_how_much_is_left_out() {
        let long = cut(&"\u{e4}".repeat(50), &[(0..100, 0)], 21, 100);
        assert_eq!((shown(&long), long.left_out), (format!("[0|{}]", "\u{e4}".repeat(10)), 40));
        let tall = cut("a\nb\nc\nd", &[], 100, 2);
        assert_eq!((shown(&tall), tall.left_out), ("a\nb".to_owned(), 4));
    }
}

//! Text made from other text, with a map back to the bytes it came from.

use std::ops::Range;

/// A piece of the map: text from `at` on (up to the next piece) came from `from..to` of the original. Where both are
/// of one length they correspond byte by byte; elsewhere the piece corresponds as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    at: u32,
    from: u32,
    to: u32,
}

/// Text with a map back to what it was made of. The map has one entry for each stretch that was copied as it stood, so
/// plain text costs one entry however long it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapped {
    text: String,
    pieces: Vec<Piece>,
}

impl Mapped {
    /// Text that is its own original.
    #[must_use]
    pub fn verbatim(text: &str) -> Self {
        let mut mapped = Self::default();
        mapped.push(text, 0..text.len());
        mapped
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text alone.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// The part of the original that `range` of this text came from, in bytes. Never panics: a range that reaches beyond the text
    /// is cut off, and an inverted one counts as empty.
    #[must_use]
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        if range.start >= range.end {
            let start = self.original(range.start..range.start.saturating_add(1)).start;
            return start..start;
        }
        let Some(first) = self.piece_at(range.start) else {
            let end = self.pieces.last().map_or(0, |piece| piece.to as usize);
            return end..end;
        };
        let last = self.piece_at(range.end.saturating_sub(1)).unwrap_or(self.pieces.len() - 1);
        let start = self.within(first, range.start).0;
        let end = self.within(last, range.end.min(self.text.len()).saturating_sub(1)).1;
        start..end.max(start)
    }

    /// Appends `text`, which came from `from` of the original.
    pub fn push(&mut self, text: &str, from: Range<usize>) {
        if text.is_empty() {
            return;
        }
        let at = self.text.len();
        self.text.push_str(text);
        let (from, to) = (offset(from.start), offset(from.end));
        let linear = text.len() == (to - from) as usize;
        if linear && let Some(last) = self.pieces.last_mut() {
            let last_is_linear = at - last.at as usize == (last.to - last.from) as usize;
            if last_is_linear && last.to == from {
                last.to = to;
                return;
            }
        }
        self.pieces.push(Piece { at: offset(at), from, to });
    }

    /// Appends `text`, which came from `from` of the original, with its ASCII letters in lower case.
    pub(super) fn push_lower(&mut self, text: &str, from: Range<usize>) {
        let at = self.text.len();
        self.push(text, from);
        self.text[at..].make_ascii_lowercase();
    }

    /// Whether text and original are the same, byte for byte.
    pub(super) fn is_verbatim(&self) -> bool {
        match self.pieces.as_slice() {
            [] => true,
            [piece] => piece.from == 0 && piece.to as usize == self.text.len(),
            _ => false,
        }
    }

    /// The last character, where there is one.
    pub(super) fn last_char(&self) -> Option<char> {
        self.text.chars().next_back()
    }

    fn piece_at(&self, at: usize) -> Option<usize> {
        if at >= self.text.len() {
            return None;
        }
        self.pieces.partition_point(|piece| piece.at as usize <= at).checked_sub(1)
    }

    /// Where byte `at`, which lies in piece `index`, starts and ends in the original.
    fn within(&self, index: usize, at: usize) -> (usize, usize) {
        let piece = self.pieces[index];
        let end = self.pieces.get(index + 1).map_or(self.text.len(), |next| next.at as usize);
        let (from, to) = (piece.from as usize, piece.to as usize);
        if end - piece.at as usize == to - from {
            let start = from + at.saturating_sub(piece.at as usize);
            (start, start + 1)
        } else {
            (from, to)
        }
    }
}

/// Bodies are bounded far below 4 GiB; what lies beyond counts as the end.
fn offset(byte: usize) -> u32 {
    u32::try_from(byte).unwrap_or(u32::MAX)
}

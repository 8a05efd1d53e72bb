//! Words of folded text. Scripts that write without spaces are cut by script, one character a word, not by blanks.

use std::ops::Range;

use unicode_normalization::char::canonical_combining_class;
use unicode_script::{Script, UnicodeScript as _};

/// The words of folded text, as byte ranges: maximal runs of letters and digits, an apostrophe inside included (`don't`).
#[must_use]
pub fn words(folded: &str) -> Vec<Range<u32>> {
    let mut words = Vec::with_capacity(folded.len() / 6 + 1);
    let mut start: Option<usize> = None;
    let mut chars = folded.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let in_word =
            c.is_ascii_alphanumeric() || (!c.is_ascii() && (c.is_alphanumeric() || canonical_combining_class(c) != 0));
        if in_word {
            if is_unspaced(c) {
                close(&mut words, &mut start, at);
                close(&mut words, &mut Some(at), at + c.len_utf8());
            } else if start.is_none() {
                start = Some(at);
            }
            continue;
        }
        let joins = c == '\'' && start.is_some() && chars.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        if !joins {
            close(&mut words, &mut start, at);
        }
    }
    close(&mut words, &mut start, folded.len());
    words
}

fn close(words: &mut Vec<Range<u32>>, start: &mut Option<usize>, end: usize) {
    if let Some(start) = start.take()
        && let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end))
    {
        words.push(start..end);
    }
}

/// Whether `c` belongs to a script that writes words without blanks between them.
#[must_use]
pub fn is_unspaced(c: char) -> bool {
    !c.is_ascii()
        && matches!(
            c.script(),
            Script::Han
                | Script::Hiragana
                | Script::Katakana
                | Script::Thai
                | Script::Lao
                | Script::Khmer
                | Script::Myanmar
        )
}

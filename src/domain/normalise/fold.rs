//! Folding: the form of a text in which spellings that look the same are the same.
//!
//! NFKC (UAX #15: full-width and styled letters become plain ones), lower case, invisible characters dropped (zero-width, bidi
//! controls, soft hyphens, variation selectors, tags: default-ignorable code points), runs of blanks as one space. Letters of another
//! script that imitate Latin ones are mapped to them only inside words that mix them with Latin letters: `pаypаl` with
//! Cyrillic а is folded, an honest Russian or Greek word is not touched. The skeleton of UTS #39 is not used because it also folds Latin
//! itself (`m` to `rn`), which would make false friends. A character that is a whole phrase stays as it is, and is a word: see `is_phrase`. So what is
//! folded has at most six characters for one of the text, and all of the text is folded. Folding folded text changes nothing.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

use super::mapped::Mapped;

/// Letters that imitate a Latin one, after folding to lower case.
const IMITATIONS: &[(char, char)] = &[
    // Cyrillic
    ('а', 'a'),
    ('в', 'b'),
    ('с', 'c'),
    ('ԁ', 'd'),
    ('е', 'e'),
    ('һ', 'h'),
    ('і', 'i'),
    ('ј', 'j'),
    ('к', 'k'),
    ('ӏ', 'l'),
    ('м', 'm'),
    ('н', 'h'),
    ('о', 'o'),
    ('р', 'p'),
    ('ԛ', 'q'),
    ('ѕ', 's'),
    ('т', 't'),
    ('у', 'y'),
    ('ѵ', 'v'),
    ('ԝ', 'w'),
    ('х', 'x'),
    ('ё', 'e'),
    ('ї', 'i'),
    // Greek
    ('α', 'a'),
    ('β', 'b'),
    ('ε', 'e'),
    ('η', 'n'),
    ('ι', 'i'),
    ('κ', 'k'),
    ('ν', 'v'),
    ('ο', 'o'),
    ('ρ', 'p'),
    ('τ', 't'),
    ('υ', 'u'),
    ('χ', 'x'),
    ('ϲ', 'c'),
    ('ϳ', 'j'),
    ('ω', 'w'),
    // Armenian, Latin small capitals and others seen in disguises
    ('օ', 'o'),
    ('ѡ', 'w'),
    ('ɑ', 'a'),
    ('ɡ', 'g'),
    ('ı', 'i'),
    ('ʏ', 'y'),
    ('ᴀ', 'a'),
    ('ᴄ', 'c'),
    ('ᴅ', 'd'),
    ('ᴇ', 'e'),
    ('ɪ', 'i'),
    ('ᴏ', 'o'),
    ('ᴘ', 'p'),
    ('ʀ', 'r'),
    ('ᴛ', 't'),
    ('ᴜ', 'u'),
    ('ᴠ', 'v'),
    ('ᴡ', 'w'),
    ('ᴢ', 'z'),
];

/// Characters that show nothing (Default_Ignorable_Code_Point, as far as it occurs in comments).
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// The Latin letter that `c` imitates.
#[must_use]
pub fn imitated(c: char) -> Option<char> {
    if c.is_ascii() {
        return None;
    }
    IMITATIONS.iter().find(|(imitation, _)| *imitation == c).map(|(_, letter)| *letter)
}

/// Whether `c` is a letter of the Latin script: ASCII, Latin-1, Latin Extended.
#[must_use]
pub fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || (matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') && c.is_alphabetic())
}

/// Arabic formulas in one character, of which NFKC makes eighteen and eight: a body of nothing else would be eighteen bodies to all that reads it. They stay
/// as they are; to cut the folded text off at some size instead would hide what comes after them. No other character becomes more than six.
fn is_phrase(c: char) -> bool {
    matches!(c, '\u{fdfa}' | '\u{fdfb}')
}

/// Folds `plain`; the result maps to the bytes that `plain` itself maps to.
#[must_use]
pub(super) fn fold(plain: &Mapped) -> Mapped {
    let verbatim = plain.is_verbatim();
    fold_by(plain, verbatim, verbatim)
}

/// Folds; `in_runs` lets what is ASCII be taken at once.
fn fold_by(plain: &Mapped, verbatim: bool, in_runs: bool) -> Mapped {
    let mut folded = Folding { verbatim, plain, out: Mapped::default(), word: Vec::new() };
    let text = plain.text();
    let mut at = if in_runs { folded.run(text, 0) } else { 0 };
    while let Some(c) = text[at..].chars().next() {
        let end = if c.is_ascii() { at + 1 } else { cluster_end(text, at, c) };
        // An ASCII letter may carry a combining mark; the two belong together.
        let end = if c.is_ascii_alphanumeric() && !text[end..].starts_with(|next: char| next.is_ascii()) {
            cluster_end(text, at, c)
        } else {
            end
        };
        folded.cluster(&text[at..end], c, at..end);
        at = if in_runs && c.is_ascii_whitespace() { folded.run(text, end) } else { end };
    }
    folded.flush();
    folded.out
}

/// The end of the character at `at` with the combining marks that follow it (at most 30: the Stream-Safe limit of UAX #15). A phrase takes none: they would
/// end up behind the blank that follows it.
fn cluster_end(text: &str, at: usize, first: char) -> usize {
    let mut end = at + first.len_utf8();
    if is_phrase(first) {
        return end;
    }
    for mark in text[end..].chars().take(30) {
        if canonical_combining_class(mark) == 0 {
            break;
        }
        end += mark.len_utf8();
    }
    end
}

struct Folding<'a> {
    plain: &'a Mapped,
    verbatim: bool,
    out: Mapped,
    /// The word being read, letter by letter, while it holds anything but ASCII.
    word: Vec<(char, Range<usize>)>,
}

impl Folding<'_> {
    /// Takes the ASCII from `at` on, up to where a word begins that holds anything else: most comments at once. No word is being read, and
    /// the text is its own original. Answers where it ended.
    fn run(&mut self, text: &str, at: usize) -> usize {
        let rest = &text.as_bytes()[at..];
        let ascii = rest.iter().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let before = rest[..ascii].iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map_or(0, |last| last + 1);
        let end = if ascii == rest.len() { ascii } else { before };
        let mut copied = 0;
        let mut after_blank = matches!(self.out.last_char(), None | Some(' '));
        for (here, byte) in rest[..end].iter().enumerate() {
            let is_blank = byte.is_ascii_whitespace() || byte.is_ascii_control();
            if is_blank && (after_blank || *byte != b' ') {
                self.out.push_lower(&text[at + copied..at + here], at + copied..at + here);
                copied = here + 1;
                if !after_blank {
                    self.out.push(" ", at + here..at + here + 1);
                }
            }
            after_blank = is_blank;
        }
        self.out.push_lower(&text[at + copied..at + end], at + copied..at + end);
        at + end
    }

    fn cluster(&mut self, cluster: &str, first: char, range: Range<usize>) {
        if cluster.len() == 1 {
            return self.ascii(first, range);
        }
        if first.is_whitespace() {
            return self.blank(range);
        }
        if is_phrase(first) {
            return self.phrase(first, range);
        }
        let mut composed: Vec<char> =
            cluster.chars().filter(|c| !is_invisible(*c)).nfkc().flat_map(char::to_lowercase).nfkc().collect();
        composed.retain(|c| !is_invisible(*c));
        let original = self.original(range);
        for c in composed {
            if c.is_whitespace() {
                self.flush();
                self.put_blank(original.clone());
            } else if c.is_alphanumeric() || canonical_combining_class(c) != 0 {
                self.word.push((c, original.clone()));
            } else {
                self.flush();
                self.put(straighten(c), original.clone());
            }
        }
    }

    fn ascii(&mut self, c: char, range: Range<usize>) {
        if c.is_ascii_alphanumeric() {
            let original = self.original(range);
            if self.word.is_empty() {
                self.word.reserve(16);
            }
            self.word.push((c.to_ascii_lowercase(), original));
        } else if c.is_ascii_whitespace() || c.is_ascii_control() {
            self.blank(range);
        } else {
            self.flush();
            let original = self.original(range);
            self.put(c, original);
        }
    }

    fn blank(&mut self, range: Range<usize>) {
        self.flush();
        let original = self.original(range);
        self.put_blank(original);
    }

    /// Blanks around it: written out, it would be words of its own, too.
    fn phrase(&mut self, c: char, range: Range<usize>) {
        self.flush();
        let original = self.original(range);
        self.put_blank(original.clone());
        self.put(c, original.clone());
        self.put_blank(original);
    }

    fn put_blank(&mut self, original: Range<usize>) {
        if !matches!(self.out.last_char(), None | Some(' ')) {
            self.put(' ', original);
        }
    }

    fn put(&mut self, c: char, original: Range<usize>) {
        let mut buffer = [0; 4];
        self.out.push(c.encode_utf8(&mut buffer), original);
    }

    /// Writes the word, imitations mapped when it also holds Latin letters.
    fn flush(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word);
        let mixed = word.iter().any(|(c, _)| is_latin(*c)) && word.iter().any(|(c, _)| !c.is_ascii());
        for (c, original) in &word {
            let c = if mixed { imitated(*c).unwrap_or(*c) } else { *c };
            self.put(c, original.clone());
        }
        self.word = word;
        self.word.clear();
    }

    fn original(&self, range: Range<usize>) -> Range<usize> {
        if self.verbatim { range } else { self.plain.original(range) }
    }
}

/// Typographic quotes and dashes as the keyboard has them.
fn straighten(c: char) -> char {
    match c {
        '‘' | '’' | 'ʼ' | '‛' | '´' => '\'',
        '“' | '”' | '„' | '‟' | '«' | '»' => '"',
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => '-',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn both(text: &str) -> (Mapped, Mapped) {
        let plain = Mapped::verbatim(text);
        (fold_by(&plain, true, true), fold_by(&plain, true, false))
    }

    #[test]
    fn runs_fold_as_single_letters_do() {
        let cases = [
            "",
            " ",
            "Plain WORDS, and\n\n  blanks \t here\u{b}\u{7f}x ",
            "cafe\u{301} au lait",
            "x\u{301}",
            "don't \u{301}mark",
            "pay\u{0440}al and P\u{0430}ypal",
            "a\u{200b}b  c",
            "end\u{a0} \u{3000} of",
            "say \u{fdfa} now\u{fdfb}\u{301}x\u{fdfa}",
            "!\u{301} ?",
        ];
        for text in cases {
            let (runs, letters) = both(text);
            assert_eq!(runs, letters, "{text:?}");
        }
    }

    #[test]
    fn no_character_becomes_more_than_six() {
        for c in (0..=0x3_ffff_u32).filter_map(char::from_u32) {
            let folded = fold(&Mapped::verbatim(c.encode_utf8(&mut [0; 4]))).into_text();
            assert!(folded.chars().count() <= 6, "{c:?} becomes {folded:?}");
        }
    }

    #[test]
    fn what_stands_behind_many_phrases_is_still_there() {
        let text = format!("{}casino\u{fdfa}viagra", "\u{fdfa}".repeat(20_000));
        let folded = fold(&Mapped::verbatim(&text));
        assert!(folded.text().ends_with(" casino \u{fdfa} viagra"));
        assert!(folded.text().chars().count() <= 2 * text.chars().count());
        let at = folded.text().find("casino").expect("it is there");
        assert_eq!(&text[folded.original(at..at + 6)], "casino");
    }

    proptest! {
        #[test]
        fn runs_fold_any_text_as_single_letters_do(text in "([a-zA-Z0-9 .'\t\n-]{0,8}[\\PC\u{301}\u{200b}\u{a0}]{0,2}){0,8}") {
            let (runs, letters) = both(&text);
            prop_assert_eq!(runs, letters);
        }
    }
}

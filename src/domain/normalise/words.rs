//! Words of folded text. Scripts that write without spaces are cut by script, one character a word (with the marks above and below it), not by
//! blanks: no dictionary is needed, pairs of neighbours make up for the words, and counts are put right by [`how_long`]. Korean has spaces.

use std::ops::Range;

use unicode_normalization::char::canonical_combining_class;
use unicode_script::{Script, UnicodeScript as _};

/// The words of folded text, as byte ranges: maximal runs of letters and digits, an apostrophe inside included (`don't`).
#[must_use]
pub fn words(folded: &str) -> Vec<Range<u32>> {
    let mut words: Vec<Range<u32>> = Vec::with_capacity(folded.len() / 6 + 1);
    let mut start: Option<usize> = None;
    let bytes = folded.as_bytes();
    let mut next = 0;
    while let Some(byte) = bytes.get(next) {
        let at = next;
        if byte.is_ascii_alphanumeric() {
            next += 1;
            start = start.or(Some(at));
            continue;
        }
        let c = if byte.is_ascii() { char::from(*byte) } else { folded[at..].chars().next().unwrap_or(' ') };
        next += c.len_utf8();
        if is_mark(c)
            && start.is_none()
            && let Some(last) = words.last_mut()
            && last.end as usize == at
        {
            last.end = u32::try_from(at + c.len_utf8()).unwrap_or(u32::MAX);
            continue;
        }
        let in_word = !c.is_ascii() && (c.is_alphanumeric() || canonical_combining_class(c) != 0);
        if in_word {
            if is_unspaced(c) {
                close(&mut words, &mut start, at);
                close(&mut words, &mut Some(at), at + c.len_utf8());
            } else if start.is_none() {
                start = Some(at);
            }
            continue;
        }
        let joins = c == '\'' && start.is_some() && folded[next..].starts_with(char::is_alphanumeric);
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

/// Vowel and tone signs of scripts without blanks, which stand with the letter before them.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{eb1}' | '\u{eb4}'..='\u{ebc}' | '\u{ec8}'..='\u{ece}'
        | '\u{17b6}'..='\u{17d3}' | '\u{102b}'..='\u{103e}' | '\u{1056}'..='\u{1059}' | '\u{3099}' | '\u{309a}')
}

/// How long a text of these words is, in letters of an alphabet: a Chinese character says as much as two or three letters, a kana or a Korean
/// syllable as one or two. Told for each character, doubled so that halves count.
fn letters_doubled(c: char) -> usize {
    match c.script() {
        Script::Han => 5,
        Script::Hangul => 4,
        Script::Hiragana | Script::Katakana => 3,
        _ if is_mark(c) => 0,
        _ => 2,
    }
}

/// How long words are together, as in an alphabetic script, so that one bound does for all scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// In words.
    pub words: usize,
    /// In letters.
    pub letters: usize,
}

/// How long folded words are together. Scripts without blanks are counted by what their characters stand for: about two Chinese characters or
/// kana, and about four Thai letters, make a word.
#[must_use]
pub fn how_long<'a>(words: impl Iterator<Item = &'a str>) -> Length {
    let (mut spaced, mut quarters, mut letters) = (0, 0, 0);
    for word in words {
        if word.is_ascii() {
            spaced += 1;
            letters += 2 * word.len();
            continue;
        }
        letters += word.chars().map(letters_doubled).sum::<usize>();
        match word.chars().next().filter(|c| is_unspaced(*c)).map(|c| c.script()) {
            None => spaced += 1,
            Some(Script::Han | Script::Hiragana | Script::Katakana) => quarters += 2,
            Some(_) => quarters += 1,
        }
    }
    Length { words: spaced + quarters / 4, letters: letters / 2 }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        words(text).into_iter().map(|word| &text[word.start as usize..word.end as usize]).collect()
    }

    #[test]
    fn scripts_without_blanks_are_cut_by_character() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("English", "don't panic, ok", &["don't", "panic", "ok"]),
            ("Chinese", "我喜欢", &["我", "喜", "欢"]),
            ("Chinese with Latin", "用rust写的", &["用", "rust", "写", "的"]),
            ("Japanese", "カバン", &["カ", "バ", "ン"]),
            ("Thai, signs with their letters", "น้ำดี", &["น้", "ำ", "ดี"]),
            ("Lao", "ດີ", &["ດີ"]),
            ("Khmer", "ខ្ញុំ", &["ខ្", "ញុំ"]),
            ("Burmese", "မြန်မာ", &["မြ", "န်", "မာ"]),
            ("Korean has blanks", "정말 좋은 글", &["정말", "좋은", "글"]),
            ("a sign without a letter", " \u{e31}a", &["\u{e31}", "a"]),
        ];
        for (name, text, expected) in cases {
            assert_eq!(cut(text), *expected, "{name}");
        }
    }

    #[test]
    fn lengths_mean_the_same_in_all_scripts() {
        let long = |text: &str| how_long(cut(text).into_iter());
        let thanks = [
            "thanks for sharing this",
            "谢谢你的分享",
            "ありがとうございます",
            "ขอบคุณที่แบ่งปัน",
            "공유해 주셔서 감사합니다",
        ];
        for text in thanks {
            let Length { words, letters } = long(text);
            assert!(
                (2..=6).contains(&words) && (10..=24).contains(&letters),
                "{text}: {words} words, {letters} letters"
            );
        }
        let sentence = [
            "the council wants to close the old bridge for repairs next year",
            "市议会想在明年关闭旧桥进行维修工作",
            "市議会は来年、古い橋を修理のために閉鎖したいと考えています",
        ];
        for text in sentence {
            let Length { words, letters } = long(text);
            assert!(words >= 7 && letters >= 30, "{text}: {words} words, {letters} letters");
        }
        assert_eq!(long(""), Length { words: 0, letters: 0 });
    }
}

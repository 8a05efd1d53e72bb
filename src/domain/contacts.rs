//! Ways to reach somebody outside: telephone numbers in any disguise, handles, e-mail addresses, wallets.
//!
//! Finding one accuses nobody: people give the number of the town hall. [`super::signal::contact_details`] says what counts.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

/// A number that may be a telephone's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// Its digits.
    pub digits: String,
    /// Where it stands in the text searched.
    pub at: Range<usize>,
}

/// Numbers found at most.
const MAX_NUMBERS: usize = 20;
/// Signs between two groups of digits.
const MAX_GAP: usize = 4;

/// The numbers in folded text that may be telephone numbers: eight to fifteen digits with signs between them, letters that look like digits and,
/// when `spelled` asks for it, digits written as words included. Dates, amounts, versions and addresses of machines are left out.
#[must_use]
pub fn numbers(folded: &str, spelled: bool) -> Vec<Number> {
    if !spelled && folded.bytes().filter(u8::is_ascii_digit).take(7).count() < 7 {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut run: Vec<Group<'_>> = Vec::new();
    for token in tokens(folded) {
        let gap = run.last().map(|last: &Group<'_>| &folded[last.at.end..token.start]);
        let group = group(folded, &token, spelled);
        if gap.is_none_or(joins) {
            if let Some(group) = group {
                run.push(group);
                continue;
            }
            finish(folded, &mut run, &mut found);
            continue;
        }
        finish(folded, &mut run, &mut found);
        run.extend(group);
    }
    finish(folded, &mut run, &mut found);
    found
}

/// Digits that stand together.
struct Group<'a> {
    at: Range<usize>,
    digits: String,
    written: &'a str,
    in_words: bool,
}

fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(char::is_alphanumeric)?;
        let end = text[start..].find(|c: char| !c.is_alphanumeric()).map_or(text.len(), |length| start + length);
        at = end;
        Some(start..end)
    })
}

fn group<'a>(text: &'a str, at: &Range<usize>, spelled: bool) -> Option<Group<'a>> {
    const WORDS: [&str; 11] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "oh"];
    let written = &text[at.clone()];
    if written.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = written.to_owned();
        return Some(Group { at: at.clone(), digits, written, in_words: false });
    }
    if let Some(digit) = WORDS.iter().position(|word| *word == written).filter(|_| spelled) {
        return Some(Group { at: at.clone(), digits: (digit % 10).to_string(), written, in_words: true });
    }
    let digits = written.bytes().filter(u8::is_ascii_digit).count();
    let look_alike = written.chars().all(|c| c.is_ascii_digit() || matches!(c, 'o' | 'l' | 'i' | 's'));
    if !look_alike || written.len() > 15 || digits * 2 < written.len() {
        return None;
    }
    let digits = written.chars().map(|c| match c {
        'o' => '0',
        'l' | 'i' => '1',
        's' => '5',
        digit => digit,
    });
    Some(Group { at: at.clone(), digits: digits.collect(), written, in_words: false })
}

/// Whether a number may go on after such signs.
fn joins(gap: &str) -> bool {
    gap.chars().count() <= MAX_GAP
        && gap.chars().all(|c| {
            matches!(c, ' ' | '-' | '.' | '(' | ')' | '_' | '*' | '~' | '+' | '•' | '·' | '–' | '/' | '\u{20e3}')
        })
        && !gap.contains(". ") // a sentence ends
}

fn finish(text: &str, run: &mut Vec<Group<'_>>, found: &mut Vec<Number>) {
    let groups = std::mem::take(run);
    let (Some(first), Some(last)) = (groups.first(), groups.last()) else { return };
    let digits: String = groups.iter().map(|group| group.digits.as_str()).collect();
    let words = groups.iter().filter(|group| group.in_words).count();
    let between = &text[first.at.start..last.at.end];
    let is_year = |written: &str| written.len() == 4 && (written.starts_with("19") || written.starts_with("20"));
    let is_date = groups.len() >= 2 && groups.iter().filter(|group| is_year(group.written)).count() * 2 >= groups.len()
        || (groups.len() >= 3
            && groups.iter().take(3).any(|group| is_year(group.written))
            && groups.iter().all(|group| group.digits.len() <= 4));
    // `1.300.000`, `1 200 000`, `4.0.30319`, `192.168.0.1`
    let dotted = groups.len() >= 2 && between.matches('.').count() + 1 >= groups.len();
    let thousands = groups.len() >= 2 && groups[1..].iter().all(|group| group.digits.len() == 3) && digits.len() <= 9;
    let version = dotted
        && (groups.iter().any(|group| group.digits.len() == 1) || groups.iter().all(|group| group.digits.len() <= 3));
    let single = groups.len() == 1 && !(10..=13).contains(&digits.len());
    let short_groups = groups.iter().filter(|group| group.digits.len() <= 1).count();
    let scores = words == 0 && short_groups * 2 > groups.len() && groups.len() < 8;
    let length = (8..=15).contains(&digits.len()) && (words == 0 || words + 2 >= groups.len());
    // An amount, a number of something, a part of an address of the web.
    let alone =
        |c: Option<char>, allowed: &str| c.is_none_or(|c| c.is_whitespace() || allowed.contains(c) || !c.is_ascii());
    let code = !alone(text[..first.at.start].chars().next_back(), ":(+*_~-\"'[,.")
        || !alone(text[last.at.end..].chars().next(), ")]*_~-\"'!?,.;:");
    if length && !is_date && !thousands && !version && !single && !scores && !code && found.len() < MAX_NUMBERS {
        found.push(Number { digits, at: first.at.start..last.at.end });
    }
}

/// A handle (`@name` of at least four letters) within a part of folded text.
#[must_use]
pub fn handle(folded: &str, within: Range<usize>) -> Option<Range<usize>> {
    let mut end = within.end.min(folded.len());
    while !folded.is_char_boundary(end) {
        end -= 1;
    }
    let part = folded.get(within.start..end)?;
    let at = within.start + part.find('@')?;
    let before = folded[..at].chars().next_back();
    let name = folded[at + 1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(folded.len() - at - 1);
    (name >= 4 && before.is_none_or(|c| !c.is_alphanumeric())).then_some(at..at + 1 + name)
}

/// The first e-mail address in folded text.
#[must_use]
pub fn mail(folded: &str) -> Option<Range<usize>> {
    let local = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    folded.match_indices('@').take(50).find_map(|(at, _)| {
        let start = folded[..at]
            .rfind(|c| !local(c))
            .map_or(0, |last| last + folded[last..].chars().next().map_or(1, char::len_utf8));
        let length = folded[at + 1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.');
        let end = at + 1 + length.unwrap_or(folded.len() - at - 1);
        let host = folded[at + 1..end].trim_end_matches('.');
        let (name, suffix) = host.rsplit_once('.')?;
        let is_host = !name.is_empty() && suffix.len() >= 2 && suffix.bytes().all(|byte| byte.is_ascii_alphabetic());
        (start < at && is_host).then(|| start..at + 1 + host.len())
    })
}

/// The first wallet in text as written (folding would change it): Bitcoin and its kin by their check sums, Ethereum by its form.
#[must_use]
pub fn wallet(plain: &str) -> Option<Range<usize>> {
    let bytes = plain.as_bytes();
    let mut start = 0;
    for end in 0..=bytes.len() {
        if bytes.get(end).is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        if (26..=90).contains(&(end - start)) && is_wallet(&bytes[start..end]) {
            return Some(start..end);
        }
        start = end + 1;
    }
    None
}

fn is_wallet(word: &[u8]) -> bool {
    match word {
        [b'0', b'x', rest @ ..] => {
            rest.len() == 40 && rest.iter().all(u8::is_ascii_hexdigit) && rest.iter().any(u8::is_ascii_digit)
        }
        [b'b' | b'B', b'c' | b'C', b'1', ..] | [b'l' | b'L', b't' | b'T', b'c' | b'C', b'1', ..] => is_bech32(word),
        [b'1' | b'3' | b'D' | b'L' | b'M' | b'T', ..] => word.len() <= 35 && is_base58check(word),
        _ => false,
    }
}

/// Whether 25 bytes are written so (version, hash, and the beginning of a double SHA-256 of both).
fn is_base58check(word: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut value = [0_u8; 25];
    for letter in word {
        let Some(digit) = ALPHABET.iter().position(|known| known == letter) else { return false };
        let mut carry = u32::try_from(digit).unwrap_or(0);
        for byte in value.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = u8::try_from(carry & 0xff).unwrap_or(0);
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let sum = Sha256::digest(Sha256::digest(&value[..21]));
    matches!(value[0], 0 | 5 | 0x1e | 0x30 | 0x32 | 0x41) && value[21..] == sum[..4]
}

/// Whether the check sum of BIP 173 or BIP 350 holds.
fn is_bech32(word: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = word.to_ascii_lowercase();
    if lower != word && word.to_ascii_uppercase() != word {
        return false;
    }
    let Some(separator) = lower.iter().rposition(|letter| *letter == b'1') else { return false };
    let (human, data) = (&lower[..separator], &lower[separator + 1..]);
    let step = |sum: u32, value: u32| {
        const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let top = sum >> 25;
        let shifted = ((sum & 0x01ff_ffff) << 5) ^ value;
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| (top >> bit) & 1 == 1)
            .fold(shifted, |sum, (_, generator)| sum ^ generator)
    };
    let mut sum = human.iter().fold(1, |sum, letter| step(sum, u32::from(letter >> 5)));
    sum = step(sum, 0);
    sum = human.iter().fold(sum, |sum, letter| step(sum, u32::from(letter & 31)));
    for letter in data {
        let Some(value) = ALPHABET.iter().position(|known| known == letter) else { return false };
        sum = step(sum, u32::try_from(value).unwrap_or(0));
    }
    matches!(sum, 1 | 0x2bc8_30a3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_are_told_by_their_check_sums() {
        let cases = [
            ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", true),
            ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", true),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", true),
            ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", true),
            ("0x52908400098527886E0F7030069857D2E4169EE7", true),
            ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", false),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", false),
            ("beaf170538dfcb50f7e9eb85d6b4beaf170538df", false),
            ("ThisIsJustAVeryLongWordOfSomebody", false),
            ("0x0000", false),
        ];
        for (word, expected) in cases {
            assert_eq!(wallet(&format!("to {word}, please")).is_some(), expected, "{word}");
        }
    }

    #[test]
    fn mail_addresses_and_handles_are_found() {
        let text = "write to anna.b@mail.example, or @anna_fx at telegram";
        assert_eq!(mail(text).map(|at| &text[at]), Some("anna.b@mail.example"));
        assert_eq!(handle(text, 20..text.len()).map(|at| &text[at]), Some("@anna_fx"));
        assert_eq!(mail("a@b, @, x@y.z1"), None);
        assert_eq!(handle("a@bcde", 0..6), None);
        assert_eq!(handle("ünï", 1..40), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text: String) {
            let _ = (numbers(&text, true), mail(&text), wallet(&text), handle(&text, 0..40));
        }
    }
}

//! How a text carries itself, whatever it is about: whom it speaks to, how it is written and how long it is.
//!
//! Numbers that mean the same on every site: shares of small words, of persons and of capitals, marks and length. A headline has few
//! small words and no persons; an answer speaks to somebody. Nothing here says what a text is about, and nothing here decides.

use serde::{Deserialize, Serialize};

use super::headline::is_common;

/// How many numbers describe a text's bearing.
pub const FEATURES: usize = 22;
/// Words of a text that are looked at.
const MAX_WORDS: usize = 500;

/// What was seen of one text, each number about between 0.0 and 1.0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bearing([f32; FEATURES]);

/// What each number is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weights(pub [f32; FEATURES]);

impl Bearing {
    /// Of a text's folded words and of the text as it is read.
    #[must_use]
    pub fn of<'a>(words: impl Iterator<Item = &'a str>, plain: &str) -> Self {
        let mut seen = [0.0_f32; FEATURES];
        let (mut count, mut letters) = (0.0_f32, 0_usize);
        for word in words.take(MAX_WORDS) {
            count += 1.0;
            letters += word.len();
            seen[0] += f32::from(u8::from(is_common(word)));
            let kind = match word {
                "a" | "an" | "the" => 1,
                "i" | "i'm" | "i've" | "i'd" | "i'll" | "me" | "my" | "mine" | "myself" => 2,
                "you" | "your" | "you're" | "you've" | "you'll" | "yours" | "u" | "ur" => 3,
                "we" | "us" | "our" | "we're" | "we've" => 4,
                "he" | "she" | "they" | "him" | "her" | "his" | "them" | "their" | "it" | "its" => 5,
                "can" | "could" | "should" | "would" | "will" | "must" | "may" | "might" | "do" | "does" | "did"
                | "is" | "are" | "was" | "were" | "be" | "been" | "have" | "has" | "had" => 6,
                "lol" | "haha" | "hahaha" | "hehe" => 19,
                "in" | "on" | "at" | "of" | "from" | "to" | "with" | "by" | "for" => 20,
                _ if word.contains('\'') => 7,
                _ if word.bytes().all(|byte| byte.is_ascii_digit()) => 10,
                _ => continue,
            };
            seen[kind] += 1.0;
        }
        for share in [0, 1, 2, 3, 4, 5, 6, 7, 10, 19, 20] {
            seen[share] /= count.max(1.0);
        }
        #[expect(clippy::cast_precision_loss, reason = "some hundred words")]
        let letters = letters as f32;
        seen[8] = count.ln_1p() / 5.0;
        seen[9] = letters / count.max(1.0) / 8.0;
        look(plain, count, &mut seen);
        Self(seen)
    }

    /// What it adds to log-odds.
    #[must_use]
    pub fn log_odds(&self, weights: &Weights) -> f32 {
        self.0.iter().zip(weights.0).map(|(value, weight)| value * weight).sum()
    }

    /// The numbers that weights are fitted to.
    #[must_use]
    pub const fn features(&self) -> &[f32; FEATURES] {
        &self.0
    }
}

/// What the written text shows: marks, sentences and capitals.
fn look(plain: &str, count: f32, seen: &mut [f32; FEATURES]) {
    let plain = plain.trim();
    let yes = |is: bool| f32::from(u8::from(is));
    let ends = |word: &str| word.ends_with(['.', '!', '?']);
    let (mut sentences, mut commas, mut long, mut upper, mut shouted) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
    for word in plain.split_whitespace().take(MAX_WORDS) {
        sentences += yes(ends(word));
        commas += yes(word.ends_with(','));
        let length = word.chars().filter(|c| c.is_alphabetic()).take(4).count();
        let starts = word.chars().find(|c| c.is_alphanumeric());
        if length >= 4 {
            long += 1.0;
            upper += yes(starts.is_some_and(char::is_uppercase));
        }
        shouted += yes(length >= 2 && !word.chars().any(char::is_lowercase) && starts.is_some_and(char::is_uppercase));
    }
    seen[11] = commas / count.max(1.0);
    seen[12] = yes(plain.contains('?'));
    seen[13] = yes(plain.contains('!'));
    seen[14] = yes(ends(plain));
    seen[15] = (sentences / 4.0).min(1.0);
    seen[16] = upper / long.max(1.0);
    seen[17] = shouted / count.max(1.0);
    seen[18] = yes(plain.contains("..") || plain.contains('…'));
    seen[21] = yes(plain.starts_with(char::is_lowercase));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearing(text: &str) -> Bearing {
        let folded = text.to_lowercase();
        Bearing::of(folded.split(' ').map(|word| word.trim_matches(['.', ',', '?', '!'])), text)
    }

    #[test]
    fn headlines_and_talk_carry_themselves_differently() {
        let headline = *bearing("Harbour Museum Opens Its Doors After Ten Years").features();
        let talk = *bearing("I think you are right, we were at the harbour too. Was it open?").features();
        assert!(headline[0] < talk[0] && headline[16] > talk[16], "small words and capitals");
        assert!(talk[2] > 0.0 && talk[3] > 0.0 && headline[2] + headline[3] < 1e-9, "persons");
        assert!(talk[12] + talk[14] > 1.9 && headline[12] + headline[14] < 1e-9, "marks");
    }

    #[test]
    fn every_number_is_bounded_whatever_the_text() {
        let long = "WORD! ".repeat(20_000);
        for text in ["", "...", "????", "THE THE THE", long.as_str(), "你好 世界", "1 2 3 4"] {
            let bearing = bearing(text);
            assert!(bearing.features().iter().all(|value| (0.0..=8.0).contains(value)), "{text:.20}: {bearing:?}");
        }
    }
}

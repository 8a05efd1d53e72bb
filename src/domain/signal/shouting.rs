//! # Shouting (`shouting`)
//!
//! - **Looks at:** the share of capitals among the letters, runs of one character, and the share of emoji, in
//!   comments long enough to tell.
//! - **Why:** shouting rarely comes alone; it is a small hint for abuse, never a reason.
//! - **Wrong when:** an acronym, a quoted headline, joy. Scripts without capitals have none to count.
//! - **Settings:** `[signals.shouting]`, `mode` (`live`, `shadow` or `off`; default `live`), `min_letters` (letters
//!   below which capitals say nothing, default 20), `max_capitals` (share of capitals above which it fires, 0.0 to
//!   1.0, default 0.7), `max_run` (how often one character may be repeated, default 6), `max_emoji` (emoji above
//!   which it fires, default 10), `weight` (log-odds added to `abuse`, default {weight}).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::fitted::weight;
use crate::domain::normalise::Mapped;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "shouting";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Abuse;

/// `[signals.shouting]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Letters below which capitals say nothing.
    pub min_letters: usize,
    /// Share of capitals above which it fires, 0.0 to 1.0.
    pub max_capitals: f64,
    /// How often one character may be repeated.
    pub max_run: usize,
    /// Emoji above which it fires.
    pub max_emoji: usize,
    /// Log-odds added to the category.
    pub weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            min_letters: 20,
            max_capitals: 0.7,
            max_run: 6,
            max_emoji: 10,
            weight: weight("shouting", "weight", 0.6),
        }
    }
}

struct Check(Config);

/// Makes the check.
///
/// # Errors
/// Never: any settings that serde reads will do.
pub fn new(config: &Config, _resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
    Ok(Check(config.clone()))
}

impl Signal for Check {
    fn id(&self) -> &'static str {
        ID
    }

    fn category(&self) -> Category {
        CATEGORY
    }

    fn evaluate(&self, ctx: &Context<'_>) -> Outcome {
        let plain = &ctx.comment.body.plain;
        let hit = |evidence: String, spans: Vec<Span>| Outcome::Hit { weight: self.0.weight, evidence, spans };
        let Signs { cased, upper, emoji } = Signs::of(plain.text());
        #[expect(clippy::cast_precision_loss, reason = "lengths of comments")]
        if cased >= self.0.min_letters && upper as f64 > self.0.max_capitals * cased as f64 {
            return hit(
                format!("{} of 100 letters are capitals.", upper * 100 / cased),
                vec![Span::body(0..ctx.comment.sent.body.len())],
            );
        }
        if emoji > self.0.max_emoji {
            return hit(format!("{emoji} emoji."), Vec::new());
        }
        if plain.text().is_ascii() && plain.text().as_bytes().chunk_by(u8::eq).all(|run| run.len() <= self.0.max_run) {
            return Outcome::Clear;
        }
        match longest_run(plain) {
            Some((c, length, span)) if length > self.0.max_run => {
                hit(format!("`{c}` {length} times in a row."), vec![Span::body(span)])
            }
            _ => Outcome::Clear,
        }
    }
}

/// What a text is made of.
#[derive(Debug, Default, PartialEq)]
struct Signs {
    cased: usize,
    upper: usize,
    emoji: usize,
}

impl Signs {
    fn of(text: &str) -> Self {
        let mut signs = Self::default();
        if text.is_ascii() {
            // Most comments, and counted many letters at a time.
            signs.cased = text.bytes().filter(u8::is_ascii_alphabetic).count();
            signs.upper = text.bytes().filter(u8::is_ascii_uppercase).count();
            return signs;
        }
        for c in text.chars() {
            let is_upper = c.is_uppercase();
            signs.upper += usize::from(is_upper);
            signs.cased += usize::from(is_upper || c.is_lowercase());
            signs.emoji += usize::from(is_emoji(c));
        }
        signs
    }
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1f300}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{1f1e6}'..='\u{1f1ff}')
}

/// The longest run of one letter or mark; blanks, and the lines that people draw with, do not count.
fn longest_run(plain: &Mapped) -> Option<(char, usize, std::ops::Range<usize>)> {
    let mut longest: Option<(char, usize, std::ops::Range<usize>)> = None;
    let mut run: Option<(char, usize, usize)> = None;
    let ends = plain.text().char_indices().chain([(plain.text().len(), ' ')]);
    for (at, c) in ends {
        match &mut run {
            Some((same, length, _)) if *same == c => *length += 1,
            _ => {
                if let Some((c, length, start)) = run
                    && !c.is_whitespace()
                    && !matches!(c, '-' | '=' | '_' | '*' | '.' | '#' | '~' | '>' | '/')
                    && longest.as_ref().is_none_or(|(_, longest, _)| length > *longest)
                {
                    longest = Some((c, length, plain.original(start..at)));
                }
                run = Some((c, 1, at));
            }
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn shouting_is_told_from_speaking() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let cases: &[(&str, &str, bool)] = &[
            ("capitals", "YOU ARE ALL WRONG ABOUT THIS AND YOU KNOW IT", true),
            ("an acronym", "NASA and ESA agreed on the new mission to Mars", false),
            ("short", "NO WAY", false),
            ("repeated letters", "nooooooooooo not again", true),
            ("repeated marks", "what is this!!!!!!!!!!!!", true),
            ("a drawn line", "first part\n----------------\nsecond part", false),
            ("many emoji", "😀😀😁😂🤣😃😄😅😆😉😊😋", true),
            ("repeated letters behind others", "well hoooooooo", true),
            ("repeated letters of another alphabet", "неееееееет ещё раз", true),
            ("no case", "これはとても長いコメントですが大文字はありません", false),
            ("empty dots", "well........ maybe", false),
        ];
        for (name, body, expected) in cases {
            assert_eq!(weight(&check, &Case::new(body)) > 0.0, *expected, "{name}");
        }
    }
}

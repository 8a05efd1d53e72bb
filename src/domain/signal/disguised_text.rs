//! # Text disguised from machines (`disguised-text`)
//!
//! - **Looks at:** invisible characters inside words, letters of other scripts that imitate Latin ones, full-width
//!   Latin, words spaced out letter by letter, links spelled out.
//! - **Why:** nobody writes `v i a g r a` or `example dot com` but to be read by people and missed by filters.
//! - **Wrong when:** someone spells a word out to play, quotes a disguised link to warn of it, or mixes scripts in
//!   a name. Joiners that Arabic, Persian and Indic scripts and emoji need do not count.
//! - **Settings:** `[signals.disguised_text]`, `mode` (`live`, `shadow` or `off`; default `live`), `weight`
//!   (log-odds added to `spam` for one kind of disguise, default {weight}), `weight_per_kind` (log-odds for each further
//!   kind, default {weight_per_kind}), `link_weight` (log-odds for a disguised link, default {link_weight}).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::fitted::weight;
use crate::domain::normalise::{LinkKind, imitated, is_invisible, is_latin};
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "disguised-text";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.disguised_text]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added for one kind of disguise.
    pub weight: LogOdds,
    /// Log-odds added for each further kind.
    pub weight_per_kind: LogOdds,
    /// Log-odds added for a disguised link.
    pub link_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            weight: weight("disguised_text", "weight", 1.6),
            weight_per_kind: weight("disguised_text", "weight_per_kind", 0.7),
            link_weight: weight("disguised_text", "link_weight", 1.8),
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
        let body = &ctx.comment.body;
        let text = body.plain.text();
        let mut found: Vec<(&str, std::ops::Range<usize>)> = Vec::new();
        let mut weight = 0.0;
        if let Some(link) = body.links.iter().find(|link| link.kind == LinkKind::Disguised) {
            found.push(("a disguised link", link.span.clone()));
            weight += self.0.link_weight.get();
        }
        let kinds = [
            ("invisible characters inside a word", invisible_inside(text)),
            ("letters of another script inside a word", imitating(text)),
            ("full-width letters", full_width(text)),
            ("a word spaced out letter by letter", spaced_out(text)),
        ];
        for (kind, span) in kinds.into_iter().filter_map(|(kind, span)| span.map(|span| (kind, span))) {
            weight += if weight == 0.0 { self.0.weight.get() } else { self.0.weight_per_kind.get() };
            found.push((kind, body.plain.original(span)));
        }
        if found.is_empty() {
            return Outcome::Clear;
        }
        let kinds: Vec<&str> = found.iter().map(|(kind, _)| *kind).collect();
        Outcome::Hit {
            weight: LogOdds::of(weight),
            evidence: format!("Disguised from machines: {}.", kinds.join(", ")),
            spans: found.into_iter().map(|(_, span)| Span::body(span)).collect(),
        }
    }
}

type Found = Option<std::ops::Range<usize>>;

/// Zero-width and bidi characters between two Latin, Cyrillic or Greek letters or digits; scripts that need joiners are left alone.
fn invisible_inside(text: &str) -> Found {
    if text.is_ascii() {
        return None;
    }
    let plain = |c: char| is_latin(c) || c.is_ascii_digit() || matches!(c, '\u{370}'..='\u{52f}');
    let mut before: Option<(usize, char)> = None;
    let mut hidden = false;
    for (at, c) in text.char_indices() {
        if is_invisible(c) {
            hidden |= !matches!(c, '\u{ad}' | '\u{fe00}'..='\u{fe0f}'); // soft hyphens come with copied text
            continue;
        }
        if let Some((start, earlier)) = before
            && hidden
            && plain(earlier)
            && plain(c)
        {
            return Some(start..at + c.len_utf8());
        }
        hidden = false;
        before = Some((at, c));
    }
    None
}

/// A word that mixes Latin letters with imitations of them. One Greek letter at an end is science (`μm`, `Δt`).
fn imitating(text: &str) -> Found {
    if text.is_ascii() {
        return None;
    }
    words(text).find(|word| {
        let letters = &text[word.clone()];
        let latin = letters.chars().filter(|c| is_latin(*c)).count();
        let foreign =
            letters.chars().filter(|c| c.to_lowercase().any(|c| imitated(c).is_some()) && !is_latin(*c)).count();
        latin >= 2 && foreign >= 1 && letters.chars().count() >= 4
    })
}

/// A run of full-width Latin letters, unless the text around it is Chinese, Japanese or Korean, where they are ordinary.
fn full_width(text: &str) -> Found {
    if text.is_ascii()
        || text
            .chars()
            .any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'))
    {
        return None;
    }
    words(text).find(|word| text[word.clone()].chars().filter(|c| matches!(c, '\u{ff21}'..='\u{ff5a}')).count() >= 3)
}

/// Five or more single letters with one blank, dot, dash or star between each: `v i a g r a`.
fn spaced_out(text: &str) -> Found {
    let is_spaced_out = |nine: &[u8]| {
        [1, 3, 5, 7].iter().all(|at| !nine[*at].is_ascii_alphanumeric())
            && [0, 2, 4, 6, 8].iter().all(|at| nine[*at].is_ascii_alphabetic())
    };
    if text.is_ascii() && !text.as_bytes().windows(9).any(is_spaced_out) {
        return None; // five letters and four blanks between them are nowhere, whatever the words are
    }
    let mut run: Option<(usize, usize)> = None;
    let mut expected = 0;
    for word in words(text) {
        let single = text[word.clone()].chars().count() == 1 && text[word.clone()].chars().all(char::is_alphabetic);
        let unspaced = text[word.clone()].chars().all(crate::domain::normalise::is_unspaced);
        if single && !unspaced {
            run = match run {
                Some((start, length)) if word.start == expected + 1 => Some((start, length + 1)),
                _ => Some((word.start, 1)),
            };
            expected = word.end;
            if let Some((start, length)) = run
                && length >= 5
            {
                return Some(start..word.end);
            }
        } else {
            run = None;
        }
    }
    None
}

fn words(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    let in_word = |c: char| c.is_alphanumeric();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(in_word)?;
        let end = text[start..].find(|c| !in_word(c)).map_or(text.len(), |length| start + length);
        at = end;
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn disguise_is_told_from_language() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let cases: &[(&str, &str, bool)] = &[
            ("plain", "An ordinary sentence, with commas.", false),
            ("zero-width", "buy vi\u{200b}agra here", true),
            ("Cyrillic imitations", "log in to pаypаl now", true),
            ("full-width", "buy ｖｉａｇｒａ", true),
            ("spaced out", "buy v i a g r a here", true),
            ("dotted out", "buy c.i.a.l.i.s here", true),
            ("a spelled-out link", "cheapshoes dot com", true),
            ("Russian", "Это обычное предложение на русском языке", false),
            ("Persian with a joiner", "می\u{200c}خواهم بروم", false),
            ("Hindi with a joiner", "क्\u{200d}ष", false),
            ("an emoji family", "👨\u{200d}👩\u{200d}👧 hello", false),
            ("Japanese with full-width Latin", "ＮＨＫのニュースを見た", false),
            ("science", "a wavelength of 500 µm and Δt", false),
            ("initials", "J. R. R. Tolkien wrote it", false),
            ("Chinese", "我 很 喜 欢 这 篇 文 章", false),
            ("a soft hyphen", "Donau\u{ad}dampf\u{ad}schiff", false),
        ];
        for (name, body, expected) in cases {
            assert_eq!(weight(&check, &Case::new(body)) > 0.0, *expected, "{name}");
        }
    }
}

//! # How the form was filled in (`form-behaviour`)
//!
//! - **Looks at:** the hidden form field (honeypot), and the time from opening the form to sending it.
//! - **Why:** machines fill in fields that people do not see, and write faster than people can.
//! - **Wrong when:** a browser fills hidden fields by itself, or people paste a text that they wrote elsewhere:
//!   pasting is why time alone weighs little.
//! - **Settings:** `[signals.form_behaviour]`, `mode` (`live`, `shadow` or `off`; default `live`),
//!   `honeypot_weight` (log-odds added to `spam` when the hidden field is filled, default 3.5), `min_typing_ms`
//!   (milliseconds below which nobody fills in a form, default 2000), `fast_weight` (log-odds below that, default
//!   1.2), `max_chars_per_s` (characters a second that nobody types, default 40), `typing_weight` (log-odds above
//!   that, default 0.3).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Field, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "form-behaviour";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.form_behaviour]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added when the hidden field is filled.
    pub honeypot_weight: LogOdds,
    /// Milliseconds below which nobody fills in a form.
    pub min_typing_ms: u64,
    /// Log-odds added below that.
    pub fast_weight: LogOdds,
    /// Characters a second that nobody types.
    pub max_chars_per_s: u32,
    /// Log-odds added above that: people paste.
    pub typing_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            honeypot_weight: LogOdds::of(3.5),
            min_typing_ms: 2_000,
            fast_weight: LogOdds::of(1.2),
            max_chars_per_s: 40,
            typing_weight: LogOdds::of(0.3),
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
        let sent = &ctx.comment.sent;
        if let Some(honeypot) = sent.honeypot.as_deref().filter(|honeypot| !honeypot.is_empty()) {
            let end = u32::try_from(honeypot.len()).unwrap_or(u32::MAX);
            return Outcome::Hit {
                weight: self.0.honeypot_weight,
                evidence: "The hidden form field was filled in.".to_owned(),
                spans: vec![Span { field: Field::Honeypot, start: 0, end }],
            };
        }
        let Some(typing_ms) = sent.typing_ms else {
            return if sent.honeypot.is_some() { Outcome::Clear } else { Outcome::NotApplicable };
        };
        let characters = sent.body.chars().count() as u64;
        let hit = |weight: LogOdds, evidence: String| Outcome::Hit { weight, evidence, spans: Vec::new() };
        if typing_ms < self.0.min_typing_ms {
            hit(self.0.fast_weight, format!("The form was sent {typing_ms} ms after it was opened."))
        } else if characters * 1_000 > typing_ms.saturating_mul(u64::from(self.0.max_chars_per_s)) {
            hit(
                self.0.typing_weight,
                format!("{characters} characters in {typing_ms} ms: pasted, or not typed by a person."),
            )
        } else {
            Outcome::Clear
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signal::testing::Case;

    #[test]
    fn machines_give_themselves_away() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let cases: &[(&str, Option<&str>, Option<u64>, Option<f64>)] = &[
            ("honeypot filled", Some("http://x"), Some(60_000), Some(3.5)),
            ("sent at once", Some(""), Some(300), Some(1.2)),
            ("pasted", None, Some(2_100), Some(0.3)),
            ("typed", Some(""), Some(60_000), None),
        ];
        let body = "a comment of some length, ".repeat(5);
        for (name, honeypot, typing_ms, expected) in cases {
            let case = Case::new(&body).form(*honeypot, *typing_ms);
            let weight = match case.outcome(&check) {
                Outcome::Hit { weight, .. } => Some(weight.get()),
                other => {
                    assert_eq!(other, Outcome::Clear, "{name}");
                    None
                }
            };
            assert_eq!(weight, *expected, "{name}");
        }
        assert_eq!(Case::new(&body).outcome(&check), Outcome::NotApplicable);
        assert_eq!(Case::new(&body).form(Some(""), None).outcome(&check), Outcome::Clear);
    }
}

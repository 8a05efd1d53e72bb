//! # A name that sells (`author-name`)
//!
//! - **Looks at:** the author's name: words that sell (two or more, or an offer of easy money), an address or a
//!   telephone number in it, or the same words as the text of a link in the comment.
//! - **Why:** the name is shown, linked and indexed: spam puts its keywords there.
//! - **Wrong when:** people are called Loan, Cash or Price, and SEO is a family name: one such word says
//!   nothing. Somebody signs with the name of the shop that is asked about; all checks of author fields count
//!   together up to a cap.
//! - **Settings:** `[signals.author_name]`, `mode` (`live`, `shadow` or `off`; default `live`),
//!   `address_weight` (log-odds added to `spam` for an address or a telephone number, default {address_weight}),
//!   `anchor_weight` (log-odds when the text of a link says the same, default {anchor_weight}), `words_weight` (log-odds
//!   for words that sell, default {words_weight}).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Field, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::comment::Format;
use crate::domain::fitted::weight;
use crate::domain::normalise::{Body, fold_plain, words};
use crate::domain::phrases::{self, Kind, Phrases};
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "author-name";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.author_name]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to `spam` for an address or a telephone number.
    pub address_weight: LogOdds,
    /// Log-odds when the text of a link says the same.
    pub anchor_weight: LogOdds,
    /// Log-odds for words that sell.
    pub words_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            address_weight: weight("author_name", "address_weight", 1.4),
            anchor_weight: weight("author_name", "anchor_weight", 1.0),
            words_weight: weight("author_name", "words_weight", 1.2),
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
        let Some(name) = ctx.comment.sent.author.name.as_deref() else { return Outcome::NotApplicable };
        let read = Body::read(name, Format::Text);
        let own: Vec<&str> = read.words().collect();
        let found = if !read.links.is_empty() || holds_number(name) {
            Some((self.0.address_weight, "holds an address or a telephone number"))
        } else if own.iter().filter(|word| phrases::is_trade(word)).count() >= 2
            || Phrases::of(&own.join(" ")).has(Kind::Bait)
        {
            Some((self.0.words_weight, "is made of words that sell"))
        } else if own.len() >= 2
            && ctx.links_out().any(|link| link.text.as_deref().is_some_and(|text| folded_words(text) == own))
        {
            Some((self.0.anchor_weight, "is what the text of a link says"))
        } else {
            None
        };
        match found {
            None => Outcome::Clear,
            Some((weight, what)) => Outcome::Hit {
                weight,
                evidence: format!("The author's name {what}."),
                spans: vec![Span::whole(Field::AuthorName, name)],
            },
        }
    }
}

/// Whether a name holds at least eight digits in one run, blanks and signs between them allowed: a telephone number, and no year.
fn holds_number(name: &str) -> bool {
    let (mut digits, mut gap) = (0, 0);
    for c in name.chars() {
        if c.is_numeric() {
            digits += 1;
            gap = 0;
        } else if gap < 2 && matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '+') {
            gap += 1;
        } else {
            digits = 0;
        }
        if digits >= 8 && name.chars().any(|c| matches!(c, ' ' | '-' | '+' | '(')) {
            return true;
        }
    }
    false
}

/// Folded words, in order.
fn folded_words(text: &str) -> Vec<String> {
    let folded = fold_plain(text);
    let text = folded.text();
    words(text).into_iter().map(|word| text[word.start as usize..word.end as usize].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn names_are_told_from_advertisements() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let link = "good read <a href='http://x.example/'>Harbour Dental</a>";
        let cases: &[(&str, &str, &str, f64)] = &[
            ("words that sell", "Cheap Hotels", "hello", 1.2),
            ("more of them", "best SEO services in town", "hello", 1.2),
            ("an offer", "Bitcoin Investment", "hello", 1.2),
            ("an address", "www.pills.example", "hello", 1.4),
            ("a bare address", "cheapshoes.com", "hello", 1.4),
            ("a telephone number", "Anna +1 202 555 0175", "hello", 1.4),
            ("the text of a link", "Harbour Dental", link, 1.0),
            ("a plain name", "Anna Lindberg", link, 0.0),
            ("a Vietnamese name", "Loan Nguyen", "hello", 0.0),
            ("a Korean name", "Seo Ji-woo", "hello", 0.0),
            ("a singer", "Johnny Cash", "hello", 0.0),
            ("a family name", "Vincent Price", "hello", 0.0),
            ("a name with a year", "Anna 1979", "hello", 0.0),
            ("an account number", "user20481277", "hello", 0.0),
            ("initials", "J. R. R. T.", "hello", 0.0),
            ("a title", "Dr. No", "hello", 0.0),
            ("a programmer", "Mr .NET", "hello", 0.0),
            ("another script", "Анна Петрова", "hello", 0.0),
            ("one word of a link", "Anna", "<a href='http://x.example/'>Anna</a>", 0.0),
        ];
        for (name, author, body, expected) in cases {
            let case = Case::new(body).html().named(author, "");
            assert!((weight(&check, &case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
        assert_eq!(Case::new("hello").outcome(&check), Outcome::NotApplicable);
    }
}

//! # Many comments within minutes (`burst`)
//!
//! - **Looks at:** how many comments the author (or the address, where nobody is named) posted within the last ten
//!   minutes, and how many came in under the page, if nearly all of them are by people of whom nothing was approved
//!   before and this author is one of them. Comments of which the site says nothing of the author are not one author's.
//! - **Why:** programs do not stop to read; and a wave of strangers under one page is rarely chance.
//! - **Wrong when:** two people argue, or a page is read by everybody for an hour: a burst alone holds nothing, and
//!   who was approved before is no stranger. Limits (`[limits]`) are there to stop floods; this only lends weight
//!   to what else is found.
//! - **Settings:** `[signals.burst]`, `mode` (`live`, `shadow` or `off`; default `live`), `author_max` (count:
//!   comments of one author within ten minutes before it fires, default 6), `author_weight` (log-odds added to
//!   `spam` when there are more, default 0.8), `page_max` (count: comments under one page within ten minutes before
//!   it fires, default 20), `page_weight` (log-odds added when there are more, at least four in five by newcomers,
//!   default 0.3).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::category::Category;
use crate::domain::known::Known;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "burst";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.burst]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Comments of one author within ten minutes before it fires.
    pub author_max: u32,
    /// Log-odds added to `spam` when there are more.
    pub author_weight: LogOdds,
    /// Comments under one page within ten minutes before it fires.
    pub page_max: u32,
    /// Log-odds added when there are more, at least four in five by newcomers.
    pub page_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            author_max: 6,
            author_weight: LogOdds::of(0.8),
            page_max: 20,
            page_weight: LogOdds::of(0.3),
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
        let pace = match &ctx.past.pace {
            Known::Known(pace) => pace,
            Known::NotApplicable => return Outcome::NotApplicable,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        let newcomer = ctx.past.author.get().is_none_or(|past| past.approved == 0);
        let strangers = pace.by_newcomers * 5 >= pace.under_article * 4;
        let (weight, evidence) = if pace.by_author > self.0.author_max && is_told(ctx) {
            (self.0.author_weight, format!("{} comments by this author within ten minutes.", pace.by_author))
        } else if newcomer && strangers && pace.under_article > self.0.page_max {
            let evidence = format!(
                "{} comments under this page within ten minutes, {} of them by newcomers.",
                pace.under_article, pace.by_newcomers
            );
            (self.0.page_weight, evidence)
        } else {
            return Outcome::Clear;
        };
        Outcome::Hit { weight, evidence, spans: Vec::new() }
    }
}

/// Whether the site said anything of the author: all of whom it says nothing look like one.
fn is_told(ctx: &Context<'_>) -> bool {
    let author = &ctx.comment.sent.author;
    author.id.is_some() || author.email.is_some() || author.ip.is_some() || author.name.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::history::{AuthorPast, Pace};
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn haste_is_told_from_an_argument() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let of = |by_author, under_article, by_newcomers| Pace { by_author, under_article, by_newcomers };
        let (new_author, known) = (AuthorPast::default(), AuthorPast { approved: 3, ..AuthorPast::default() });
        let cases: &[(&str, Pace, &AuthorPast, f64)] = &[
            ("nothing before", of(0, 0, 0), &new_author, 0.0),
            ("an argument", of(5, 12, 6), &new_author, 0.0),
            ("as many as are usual", of(6, 6, 6), &new_author, 0.0),
            ("a flood by one", of(7, 7, 7), &known, 0.8),
            ("a wave of strangers", of(0, 30, 28), &new_author, 0.3),
            ("a regular in it", of(0, 30, 28), &known, 0.0),
            ("a busy page", of(0, 300, 120), &new_author, 0.0),
            ("a lively page", of(1, 20, 20), &new_author, 0.0),
            ("both", of(9, 30, 30), &new_author, 0.8),
        ];
        for (name, pace, author, expected) in cases {
            let case =
                Case::new("hello").past(|past| past.pace = Known::Known(*pace)).author(Known::Known((*author).clone()));
            assert!((weight(&check, &case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
        let nobody = Case::new("hello").by_nobody().past(|past| past.pace = Known::Known(of(9, 12, 12)));
        assert!(weight(&check, &nobody).abs() < 1e-9, "nine of whom nothing is known are not one");
        let away = Case::new("hello").past(|past| past.pace = Known::Unavailable("away".to_owned())).outcome(&check);
        assert_eq!(away, Outcome::Unavailable { why: "away".to_owned() });
    }
}

//! # The same text again (`duplicate-text`)
//!
//! - **Looks at:** earlier comments with the same or nearly the same text, across authors, articles and sites,
//!   within `history.window_days`. Texts too short to mean anything when repeated, and replies of a site's own people
//!   are left out, as is what everybody writes under anything (thanks, congratulations) without a link; so are
//!   quotations (`>`, `<blockquote>`) where there are enough words of the author's own.
//! - **Why:** spam is pasted; people write anew.
//! - **Wrong when:** somebody posts twice by mistake (weighs little), or a slogan, a poem or a petition makes the
//!   rounds. What people approved before counts a quarter. A short answer below a quotation of what stands approved
//!   under the same article does not count.
//! - **Settings:** `[signals.duplicate_text]`, `mode` (`live`, `shadow` or `off`; default `live`),
//!   `elsewhere_weight` (log-odds added to `spam` when the text stood under another article, default 2.3),
//!   `other_author_weight` (log-odds when another author posted it under the same article, default 2.3),
//!   `author_weight` (log-odds for each further author, default 0.3), `double_post_weight` (log-odds when the same
//!   author posted it under the same article, default 0.6), `rejected_weight` (log-odds more when an earlier one
//!   was rejected, default 0.8), `max_weight` (most that it adds, default 3.8).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::category::Category;
use crate::domain::history::Sightings;
use crate::domain::known::Known;
use crate::domain::scores::LogOdds;
use crate::domain::trace;

/// The check's stable name.
pub const ID: &str = "duplicate-text";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.duplicate_text]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added when the text stood under another article.
    pub elsewhere_weight: LogOdds,
    /// Log-odds added when another author posted it under the same article.
    pub other_author_weight: LogOdds,
    /// Log-odds added for each further author.
    pub author_weight: LogOdds,
    /// Log-odds added when the same author posted it under the same article.
    pub double_post_weight: LogOdds,
    /// Log-odds added when an earlier one was rejected.
    pub rejected_weight: LogOdds,
    /// Most that it adds.
    pub max_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            elsewhere_weight: LogOdds::of(2.3),
            other_author_weight: LogOdds::of(2.3),
            author_weight: LogOdds::of(0.3),
            double_post_weight: LogOdds::of(0.6),
            rejected_weight: LogOdds::of(0.8),
            max_weight: LogOdds::of(3.8),
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
        let past = match &ctx.past.text {
            Known::Known(past) if past.comments > 0 => past,
            Known::Known(_) => return Outcome::Clear,
            Known::NotApplicable => return Outcome::NotApplicable,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        if ctx.comment.body.links.is_empty() && trace::text_is_everyday(&ctx.comment.body) {
            return Outcome::Clear; // thanks and the like, which people write anew in the same words
        }
        if past.approved_here > 0 && trace::text_is_quoted(&ctx.comment.body) {
            return Outcome::Clear; // a short answer below a quotation of what readers see under this article
        }
        Outcome::Hit {
            weight: LogOdds::of(self.weigh(past)),
            evidence: format!("The same or nearly the same text was posted before: {}.", past.sentence()),
            spans: Vec::new(),
        }
    }
}

impl Check {
    fn weigh(&self, past: &Sightings) -> f64 {
        let config = &self.0;
        let by_others = past.comments - past.by_same_author.min(past.comments);
        let mut weight = if past.under_other_articles > 0 {
            config.elsewhere_weight.get()
        } else if by_others > 0 {
            config.other_author_weight.get()
        } else {
            return config.double_post_weight.get();
        };
        weight += f64::from(past.authors.saturating_sub(1)) * config.author_weight.get();
        if past.rejected > 0 {
            weight += config.rejected_weight.get();
        }
        if past.approved_by_person * 2 > past.comments {
            weight /= 4.0;
        }
        weight.min(config.max_weight.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn pasted_texts_are_told_from_double_posts() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let of = |past_text: Sightings| {
            weight(
                &check,
                &Case::new("The ferry company doubled its fares and calls that a summer discount for islanders.")
                    .past(|past| past.text = Known::Known(past_text)),
            )
        };
        let seen = |comments, same_author, elsewhere, authors| Sightings {
            comments,
            by_same_author: same_author,
            under_other_articles: elsewhere,
            authors,
            ..Sightings::default()
        };
        assert!(of(seen(0, 0, 0, 0)).abs() < 1e-9);
        assert!(of(seen(1, 1, 0, 1)) < 1.0, "a double post");
        assert!(of(seen(1, 1, 1, 1)) > 2.2, "pasted under another article");
        assert!(of(seen(1, 0, 0, 1)) > 2.2, "another author's words");
        assert!(of(seen(9, 0, 9, 9)) > of(seen(1, 0, 1, 1)));
        assert!(of(Sightings { approved_by_person: 2, ..seen(2, 0, 2, 2) }) < 1.0);
        let quoted = |body: &str| {
            let past_text = Sightings { approved_here: 1, ..seen(2, 0, 1, 2) };
            weight(&check, &Case::new(body).past(|past| past.text = Known::Known(past_text)))
        };
        assert!(
            quoted("> a text that was seen before on this very page\n+1").abs() < 1e-9,
            "an answer to what readers see"
        );
        assert!(quoted("a text that was seen before on this very page") > 2.2, "pasted again, not quoted");
        let missing = Case::new("x").past(|past| past.text = Known::NotApplicable).outcome(&check);
        assert_eq!(missing, Outcome::NotApplicable);
    }
}

//! # Nothing to do with the article (`off-topic`)
//!
//! - **Looks at:** the words of the comment against the page's title, text and tags and against the parent comment:
//!   how much of the comment's information they share, weighed by how rare words are (TF-IDF with background
//!   statistics).
//! - **Why:** advertising and pasted stories share no words with the page.
//! - **Wrong when:** genuine comments often share no word with their page: thanks, jokes, disagreement, talk among
//!   readers. So missing overlap alone never counts: there must be enough to judge by (`min_evidence`), and a link,
//!   a contact, or the voice of an advertisement beside it. A page in another language is not compared. When the
//!   parent comment could not be read, it could not tell.
//! - **Settings:** `[signals.off_topic]`, `mode` (`live`, `shadow` or `off`; default `live`), `min_evidence`
//!   (information in the comment, in nats, below which nothing is said, default 25.0), `max_share` (share of it
//!   that the page may carry, 0.0 to 1.0, default 0.06), `link_weight` (log-odds added to `off-topic` when the
//!   comment carries a link elsewhere, default 2.2), `contact_weight` (log-odds when it carries a telephone number,
//!   an offer, or two words of sellers, default 3.0).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::category::Category;
use crate::domain::known::Known;
use crate::domain::normalise::{detected, registrable};
use crate::domain::relevance::Background;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "off-topic";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::OffTopic;

/// `[signals.off_topic]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Information in the comment, in nats, below which nothing is said.
    pub min_evidence: f32,
    /// Share of it that the page may carry, 0.0 to 1.0.
    pub max_share: f32,
    /// Log-odds added when the comment carries a link elsewhere.
    pub link_weight: LogOdds,
    /// Log-odds added when it carries a telephone number, an offer, or two words of sellers.
    pub contact_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            min_evidence: 25.0,
            max_share: 0.06,
            link_weight: LogOdds::of(2.2),
            // Enough to hold by itself. Chosen on sets of video comments, forums, short messages and titles, the last three put under pages of a
            // blog: hits on 425 of 2,791 spams, and on one of 2,965 genuine comments under their own pages.
            contact_weight: LogOdds::of(3.0),
        }
    }
}

struct Check {
    config: Config,
    background: Arc<Background>,
}

/// Makes the check.
///
/// # Errors
/// [`BadSetting`]: a share outside 0.0 to 1.0, or evidence that is no number.
pub fn new(config: &Config, resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
    if !(config.min_evidence.is_finite() && (0.0..=1.0).contains(&config.max_share)) {
        let problem = "must lie within 0.0 and 1.0, and `min_evidence` be finite".to_owned();
        return Err(BadSetting { section: "off_topic", key: "max_share".to_owned(), problem });
    }
    Ok(Check { config: config.clone(), background: Arc::clone(&resources.background) })
}

impl Signal for Check {
    fn id(&self) -> &'static str {
        ID
    }

    fn category(&self) -> Category {
        CATEGORY
    }

    fn evaluate(&self, ctx: &Context<'_>) -> Outcome {
        let page = match &ctx.page {
            Known::Known(page) if page.can_compare() => page,
            Known::Known(_) | Known::NotApplicable => return Outcome::NotApplicable,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        let body = &ctx.comment.body;
        let parent = match &ctx.parent {
            Known::Known(parent) => *parent,
            Known::NotApplicable => "",
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        let relevance = page.relevance(body.words(), parent, &self.background);
        if relevance.evidence < self.config.min_evidence || relevance.share > self.config.max_share {
            return Outcome::Clear;
        }
        let own = page.host.as_deref().map(registrable);
        let link = body.links.iter().find(|link| Some(link.domain.as_str()) != own);
        let (weight, because) = if link.is_some() {
            (self.config.link_weight, "links elsewhere")
        } else if has_contact(body.folded.text(), body.words()) {
            (self.config.contact_weight, "offers something")
        } else {
            return Outcome::Clear;
        };
        if speaks_another_language(page, body.plain.text()) {
            return Outcome::Clear;
        }
        Outcome::Hit {
            weight,
            evidence: format!(
                "Shares next to nothing with the page ({:.0} % of its information) and {because}.",
                relevance.share * 100.0
            ),
            spans: link.map(|link| super::Span::body(link.span.clone())).into_iter().collect(),
        }
    }
}

/// A telephone number, phrases in which only sellers speak, or several of their words. A phrase stands here when the
/// labelled spam of video comments, forums, short messages and titles says it at least three times as often as their ham and a blog's
/// comments do, or a published blocklist names it.
fn has_contact<'a>(folded: &str, words: impl Iterator<Item = &'a str>) -> bool {
    const OFFERS: &[&str] = &[
        "contact us",
        "call us",
        "call now",
        "buy now",
        "shop now",
        "best prices",
        "free shipping",
        "our website",
        "visit us",
        "we offer",
        "we provide",
        "our services",
        "free download",
        "my channel",
        "our channel",
        "check out my",
        "check out our",
        "chance to win",
        "to win a",
        "claim your",
        "earn money",
        "payday loan",
    ];
    let digits = folded.as_bytes().split(|byte| !(byte.is_ascii_digit() || b" -().+".contains(byte)));
    let phone = digits.into_iter().any(|run| {
        (10..=14).contains(&run.iter().filter(|byte| byte.is_ascii_digit()).count())
            && (run.contains(&b'-') || run.contains(&b'+'))
    });
    let whole = |(at, phrase): (usize, &str)| {
        !folded[..at].ends_with(char::is_alphanumeric)
            && !folded[at + phrase.len()..].starts_with(char::is_alphanumeric)
    };
    phone || sells(words) || OFFERS.iter().any(|offer| folded.match_indices(offer).any(whole))
}

/// Whether at least two words of sellers occur; one (`free`, `loan`) is everybody's. Each stands here because the labelled spam of at least two of six
/// sets says it three times as often as genuine comments do. Of a blog's 24,170 comments 23 share next to nothing with their page and have two of
/// them; of 2,791 spams, 288.
fn sells<'a>(words: impl Iterator<Item = &'a str>) -> bool {
    const SELLERS: &[&str] = &[
        "bonus",
        "broker",
        "cash",
        "contact",
        "coupon",
        "customer",
        "delivery",
        "discount",
        "earn",
        "earning",
        "free",
        "gift",
        "income",
        "investment",
        "loan",
        "loans",
        "money",
        "offer",
        "offers",
        "online",
        "prize",
        "promo",
        "reward",
        "rewards",
        "sale",
        "trading",
        "wallet",
        "weekly",
        "win",
        "winner",
    ];
    let mut first = None;
    let mut listed = words.take(2_000).filter(|word| SELLERS.binary_search(word).is_ok());
    listed.any(|word| *first.get_or_insert(word) != word)
}

fn speaks_another_language(page: &crate::domain::relevance::Page, comment: &str) -> bool {
    let of_page = page.article.text.as_deref().or(page.article.title.as_deref()).and_then(detected);
    matches!((detected(comment), of_page), (Some(comment), Some(page)) if comment != page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn what_could_not_be_had_is_not_taken_for_missing() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let unavailable = Outcome::Unavailable { why: "away".to_owned() };
        let on_page =
            Case::new("Apricot dumplings need semolina").page("Council approves cycle lanes", "along the river");
        assert_eq!(Case::new("hello").page_away().outcome(&check), unavailable);
        assert_eq!(on_page.parent_away().outcome(&check), unavailable);
    }

    #[test]
    fn missing_overlap_alone_never_counts() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let page = |body: &str| {
            Case::new(body)
                .page("Council approves cycle lanes", "The lanes along the river connect the station with the harbour.")
        };
        let advert = "Genuine leather handbags and replica watches shipped worldwide within three days, satisfaction guaranteed or money returned";
        let cases: &[(&str, Case, bool)] = &[
            ("an advertisement with a link", page(&format!("{advert} http://bags.example/")), true),
            ("an advertisement with an offer", page(&format!("{advert}, buy now")), true),
            (
                "two words of sellers",
                page(
                    "Tired of empty pockets every Monday? Colleagues showed me how anybody earns cash beside school, weekly",
                ),
                true,
            ),
            (
                "one of them, twice",
                page("Tired of empty pockets every Monday? Colleagues showed me how cash begets cash beside school"),
                false,
            ),
            (
                "unrelated talk",
                page("My grandmother used to bake apricot dumplings every Sunday while listening to opera broadcasts"),
                false,
            ),
            ("short praise with a link", page("Great article! http://x.example/"), false),
            (
                "disagreement",
                page("Complete nonsense, as usual. Journalists understand nothing whatsoever anymore."),
                false,
            ),
            (
                "about the page, with a link",
                page(
                    "The lanes along the river were long overdue, compare Utrecht: http://x.example/lanes station harbour",
                ),
                false,
            ),
            ("a link to the page's own site", page(&format!("{advert} http://news.example/other")), false),
            (
                "an answer to the parent",
                page("Apricot dumplings need semolina, quark, breadcrumbs, butter: http://x.example/")
                    .parent("apricot dumplings with semolina, quark, breadcrumbs and butter"),
                false,
            ),
            ("page unknown", Case::new(&format!("{advert} http://bags.example/")), false),
            (
                "another language",
                page(
                    "Guten Tag, wir liefern hochwertige Lederhandtaschen und Armbanduhren weltweit innerhalb von drei Tagen http://taschen.example/",
                ),
                false,
            ),
        ];
        for (name, case, expected) in cases {
            assert_eq!(weight(&check, case) > 0.0, *expected, "{name}: {:?}", case.outcome(&check));
        }
    }
}

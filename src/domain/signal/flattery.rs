//! # Praise without content (`flattery`)
//!
//! - **Looks at:** phrases of praise that would fit any page (for the blog, its design, its webmaster, for having
//!   found it) in a text that carries no content word of the page; and short praise beside a link elsewhere, or
//!   beside a name or homepage that sells. In a dozen languages, with general phrases.
//! - **Why:** praise is let through: it is what link spam on blogs has been wrapped in for twenty years.
//! - **Wrong when:** people are grateful and say so. Short praise alone never counts; one phrase never holds
//!   alone, and counts only where the page is known well enough to tell that the text does not speak of it.
//! - **Settings:** `[signals.flattery]`, `mode` (`live`, `shadow` or `off`; default `live`), `weight` (log-odds
//!   added to `spam` for one such phrase, default {weight}), `several_weight` (log-odds for two and more different ones,
//!   default {several_weight}), `link_weight` (log-odds for short praise beside a link elsewhere, default {link_weight}), `name_weight`
//!   (log-odds for short praise beside a name or homepage that sells, default {name_weight}).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::category::Category;
use crate::domain::fitted::weight;
use crate::domain::headline::is_common;
use crate::domain::hosts;
use crate::domain::known::Known;
use crate::domain::normalise::{fold_plain, host_of, how_long, words};
use crate::domain::phrases::{self, Kind};
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "flattery";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.flattery]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to `spam` for one such phrase, where the page is known.
    pub weight: LogOdds,
    /// Log-odds for two and more different ones.
    pub several_weight: LogOdds,
    /// Log-odds for short praise beside a link elsewhere.
    pub link_weight: LogOdds,
    /// Log-odds for short praise beside a name or homepage that sells.
    pub name_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            weight: weight("flattery", "weight", 0.7),
            several_weight: weight("flattery", "several_weight", 1.9),
            link_weight: weight("flattery", "link_weight", 1.2),
            name_weight: weight("flattery", "name_weight", 1.0),
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
        let templates = ctx.different(Kind::Flattery);
        let praises = templates > 0 || ctx.phrases().has(Kind::Praise);
        if !praises {
            return Outcome::Clear;
        }
        let length = how_long(ctx.comment.body.words()).words;
        let about = about_the_page(ctx);
        let short = length <= SHORT && about == 0;
        let kind = if templates > 0 { Kind::Flattery } else { Kind::Praise };
        let (weight, what) = if templates >= 2 && about <= 1 && length <= LONG {
            (self.0.several_weight, "Praise that would fit any page")
        } else if short && ctx.links_out().next().is_some() {
            (self.0.link_weight, "Short praise beside a link")
        } else if short && name_sells(ctx) {
            (self.0.name_weight, "Short praise beside a name or homepage that sells")
        } else if templates == 1 && about == 0 && length <= MIDDLE {
            match &ctx.page {
                // Without a page nothing is known of what the praise is for: gratitude reads the same.
                Known::Known(page) if page.can_compare() => (self.0.weight, "Praise that would fit any page"),
                Known::Known(_) | Known::NotApplicable => return Outcome::Clear,
                Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
            }
        } else {
            return Outcome::Clear;
        };
        Outcome::Hit { weight, evidence: format!("{what}: {}.", ctx.named(kind)), spans: ctx.spans(kind) }
    }
}

/// Words above which a text is no short praise.
const SHORT: usize = 25;
/// Words above which praise is not what a text is about.
const LONG: usize = 120;
/// Words above which one such phrase is not what a text is about.
const MIDDLE: usize = 60;

/// Words that stand in praise of any page and say nothing about this one.
const GENERIC: &[&str] = &[
    "article",
    "articles",
    "author",
    "blog",
    "blogs",
    "content",
    "information",
    "internet",
    "page",
    "people",
    "post",
    "posted",
    "posts",
    "read",
    "reading",
    "really",
    "share",
    "shared",
    "sharing",
    "site",
    "sites",
    "thank",
    "thanks",
    "topic",
    "website",
    "work",
    "write",
    "writing",
    "written",
];

/// How many content words of the page the text carries, up to two.
fn about_the_page(ctx: &Context<'_>) -> usize {
    let Some(page) = ctx.page.get().filter(|page| page.can_compare()) else { return 0 };
    let says = |word: &&str| word.len() >= 4 && !GENERIC.contains(word) && !is_common(word) && page.carries(word);
    ctx.comment.body.words().filter(says).take(2).count()
}

/// Whether the author's name or homepage sells.
fn name_sells(ctx: &Context<'_>) -> bool {
    let author = &ctx.comment.sent.author;
    let host = author.url.as_deref().and_then(host_of);
    let by_host = host.is_some_and(|host| {
        !hosts::is_profile_site(&host)
            && (hosts::is_stuffed(&host) || hosts::is_shortener(&host) || hosts::is_cheap(&host))
    });
    by_host
        || author.name.as_deref().is_some_and(|name| {
            let folded = fold_plain(name);
            let text = folded.text();
            let trade =
                words(text).into_iter().filter(|word| phrases::is_trade(&text[word.start as usize..word.end as usize]));
            trade.count() >= 2
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn praise_is_told_from_templates() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let page = |body: &str| {
            Case::new(body).page(
                "Council approves cycle lanes along the harbour",
                "The cycle lanes cost two million and the old bridge is closed for repairs until spring.",
            )
        };
        let cases: Vec<(&str, Case, f64)> = vec![
            ("a template", page("I have bookmarked your weblog and will tell all my friends about it"), 1.9),
            ("one phrase", page("This is a really wonderful website, thank you!"), 0.7),
            ("one phrase where no page is known", Case::new("This is a really wonderful website, thank you!"), 0.0),
            (
                "one phrase under a page of few words",
                Case::new("This is a really wonderful website, thank you!").page("Harbour", "Bridge"),
                0.0,
            ),
            ("praise and a link", page("Great post! http://pills.example/"), 1.2),
            ("praise and a selling name", page("Nice article, thanks for sharing.").named("Cheap Hotels", ""), 1.0),
            (
                "praise and a selling homepage",
                page("Very informative post").named("Anna", "http://cheap-payday-loans.info"),
                1.0,
            ),
            ("praise in Russian beside a link", page("Отличная статья! http://pills.example/"), 1.2),
            ("praise in Chinese beside a link", page("谢谢分享 http://pills.example/"), 1.2),
            ("thanks", page("Great post, thanks for sharing!"), 0.0),
            ("thanks with a homepage", page("Great post, thanks!").named("Anna", "https://anna.example/"), 0.0),
            (
                "about the page",
                page("Great post! I hope that the cycle lanes reach the harbour soon. http://map.example/x"),
                0.0,
            ),
            ("about the page, with a phrase", page("Wonderful article about the cycle lanes by the harbour"), 0.0),
            ("a question", page("Nice article. Who pays for all of this, and when does it start?"), 0.0),
            ("disagreement", page("I do not agree with a word of it"), 0.0),
            ("a link without praise", page("The minutes are here: http://council.example/minutes"), 0.0),
            ("the page's own link", page("Great post! It goes on here: http://news.example/b"), 0.0),
            (
                "a quotation of praise",
                page("> I have bookmarked your weblog\nThis is the third spam today.")
                    .parent("i have bookmarked your weblog"),
                0.0,
            ),
            ("German", page("Danke für den Artikel!"), 0.0),
            ("Japanese", page("ありがとうございました"), 0.0),
        ];
        for (name, case, expected) in &cases {
            assert!((weight(&check, case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
    }

    #[test]
    fn one_phrase_alone_never_holds() {
        let spam = crate::domain::policy::Config::default().spam;
        let alone = spam.prior.get() + Config::default().weight.get();
        assert!(1.0 / (1.0 + (-alone).exp()) < spam.hold.get());
    }

    #[test]
    fn one_phrase_is_not_judged_without_a_page_that_should_be_there() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let case = Case::new("This is a really wonderful website, thank you!").page_away();
        assert!(matches!(case.outcome(&check), Outcome::Unavailable { .. }));
    }

    #[test]
    fn evidence_points_to_the_phrases() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let body = "Hi! I have  Bookmarked your WEBLOG.";
        let Outcome::Hit { spans, evidence, .. } = Case::new(body).outcome(&check) else { panic!("no hit") };
        assert!(body[spans[0].start as usize..spans[0].end as usize].to_lowercase().starts_with("have"), "{evidence}");
        assert!(evidence.contains("weblog"));
    }
}

//! # A link that is not what its text says (`link-text`)
//!
//! - **Looks at:** the first twenty links written as markup: whether their text is an address on another domain than the one
//!   they lead to, is made of words that sell (two or more, or an offer of easy money), or has nothing to do
//!   with the page; and link markup of other systems (`[url=…]`) left in plain text. Links to the page's own
//!   domain, and quotations of what readers can see, do not count.
//! - **Why:** readers click on what they read, and search engines rank by it; nobody writes `[url=` on a site
//!   that shows it as it stands, but a program that tries everything.
//! - **Wrong when:** a page is cited through an archive, a proxy or a shortener (archives whose address carries
//!   the shown one, and shorteners, are left out), a page about hotels is answered with `hotel reviews` (words
//!   that the page itself carries do not count), or somebody brings a habit from another forum. The weight for
//!   unrelated text is small for that reason.
//! - **Settings:** `[signals.link_text]`, `mode` (`live`, `shadow` or `off`; default `live`),
//!   `deceiving_weight` (log-odds added to `spam` when the text is an address on another domain, default {deceiving_weight}),
//!   `keyword_weight` (log-odds when the text is made of words that sell, default {keyword_weight}), `markup_weight`
//!   (log-odds for markup of another system, default {markup_weight}), `unrelated_weight` (log-odds when the text has at
//!   least three content words and none of the page's, default {unrelated_weight}).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::comment::Format;
use crate::domain::fitted::weight;
use crate::domain::headline::is_common;
use crate::domain::hosts;
use crate::domain::normalise::{Body, Link, LinkKind, fold_plain, words};
use crate::domain::phrases::{self, Kind, Phrases};
use crate::domain::scores::LogOdds;
use crate::domain::terms::{key, stem};

/// The check's stable name.
pub const ID: &str = "link-text";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.link_text]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to `spam` when the text is an address on another domain.
    pub deceiving_weight: LogOdds,
    /// Log-odds when the text is made of words that sell.
    pub keyword_weight: LogOdds,
    /// Log-odds for markup of another system.
    pub markup_weight: LogOdds,
    /// Log-odds when the text has at least three content words and none of the page's.
    pub unrelated_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            deceiving_weight: weight("link_text", "deceiving_weight", 2.4),
            keyword_weight: weight("link_text", "keyword_weight", 1.6),
            markup_weight: weight("link_text", "markup_weight", 1.4),
            unrelated_weight: weight("link_text", "unrelated_weight", 0.4),
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
        let parent = ctx.parent.get().copied().unwrap_or_default();
        let anchors = ctx.links_out().filter(|link| link.kind == LinkKind::Anchor && link.text.is_some()).take(LINKS);
        let anchors: Vec<&Link> = anchors.collect();
        let said: HashSet<u32> = if anchors.is_empty() { HashSet::new() } else { stems(parent) };
        let found = anchors.into_iter().filter_map(|link| Some((self.look(link, ctx, &said)?, link.span.clone())));
        let markup = foreign_markup(body).map(|span| {
            let evidence = "Carries link markup of another system (`[url]`).".to_owned();
            ((self.0.markup_weight, evidence), span)
        });
        let worst = found.chain(markup).max_by(|a, b| a.0.0.get().total_cmp(&b.0.0.get()));
        match worst {
            None => Outcome::Clear,
            Some(((weight, evidence), span)) => Outcome::Hit { weight, evidence, spans: vec![Span::body(span)] },
        }
    }
}

/// Links looked at: hostile text holds hundreds, and each is compared with the page.
const LINKS: usize = 20;
/// Words of a link's text that are looked at.
const WORDS: usize = 12;

/// The stems of folded text.
fn stems(folded: &str) -> HashSet<u32> {
    words(folded).iter().map(|word| key(stem(&folded[word.start as usize..word.end as usize]))).collect()
}

/// What is wrong with a link's text: weight and evidence.
type Finding = (LogOdds, String);

impl Check {
    /// What is wrong with a link, where the comment that is answered says `said`.
    fn look(&self, link: &Link, ctx: &Context<'_>, said: &HashSet<u32>) -> Option<Finding> {
        let text = link.text.as_deref()?;
        if let Some(shown) = shown_domain(text) {
            let excused = shown == link.domain
                || link.url.contains(&shown)
                || hosts::is_shortener(&link.host)
                || link.domain == "t.co"
                || hosts::is_shortener(&shown);
            let evidence = format!("The text of a link shows {shown}, the link leads to {}.", link.host);
            return (!excused).then_some((self.0.deceiving_weight, evidence));
        }
        let folded = fold_plain(text);
        let ranges: Vec<_> = words(folded.text()).into_iter().take(WORDS).collect();
        let folded = &folded.text()[..ranges.last().map_or(0, |last| last.end as usize)];
        let words: Vec<&str> = ranges.iter().map(|word| &folded[word.start as usize..word.end as usize]).collect();
        let carried = |word: &str| ctx.page.get().is_some_and(|page| page.carries(word));
        let trade = words.iter().filter(|word| phrases::is_trade(word) && !carried(word)).count();
        if trade >= 2 || Phrases::of(folded).has(Kind::Bait) {
            return Some((
                self.0.keyword_weight,
                format!("The text of a link is made of words that sell: `{folded}`."),
            ));
        }
        let page = ctx.page.get().filter(|page| page.can_compare())?;
        let content: Vec<&&str> = words.iter().filter(|word| word.chars().count() >= 4 && !is_common(word)).collect();
        let unrelated =
            content.len() >= 3 && !content.iter().any(|word| page.carries(word) || said.contains(&key(stem(word))));
        let evidence = format!("The text of a link shares no word with the page: `{folded}`.");
        (unrelated && !link.url.contains(content[0])).then_some((self.0.unrelated_weight, evidence))
    }
}

/// The domain that a link's text shows, when all of it is an address.
#[must_use]
pub fn shown_domain(text: &str) -> Option<String> {
    if !text.contains('.') || text.contains(char::is_whitespace) {
        return None;
    }
    let read = Body::read(text, Format::Text);
    let link = read.links.first()?;
    (link.kind == LinkKind::Bare && link.span.start <= 1 && link.span.end + 2 >= text.len())
        .then(|| link.domain.clone())
}

/// Where plain text carries link markup of forums.
fn foreign_markup(body: &Body) -> Option<std::ops::Range<usize>> {
    let text = body.folded.text();
    let at = ["[url=", "[url]http", "[link=", "[url]www"]
        .iter()
        .find_map(|tag| text.find(tag).map(|at| at..at + tag.len()))?;
    let span = body.folded.original(at);
    (!body.is_quoted(&span)).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn text_and_target_are_compared() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let page = |body: &str| {
            Case::new(body).html().page(
                "Council approves cycle lanes along the harbour",
                "The cycle lanes cost two million. A hotel near the bridge objects to cheap parking.",
            )
        };
        let cases: Vec<(&str, Case, f64)> = vec![
            ("another domain", page("<a href='http://evil.example/login'>paypal.com</a>"), 2.4),
            ("another domain with path", page("<a href='http://evil.example/x'>https://www.bbc.co.uk/news</a>"), 2.4),
            ("keywords", page("nice <a href='http://x.example/'>buy cheap viagra online</a>"), 1.6),
            ("easy money", page("<a href='http://x.example/'>work from home</a>"), 1.6),
            ("nothing of the page", page("<a href='http://x.example/1'>wonderful kitchen recipes today</a>"), 0.4),
            ("forum markup", Case::new("thanks [url=http://x.example/]x[/url]"), 1.4),
            ("the same address", page("<a href='http://bbc.co.uk/news'>www.bbc.co.uk/news</a>"), 0.0),
            ("another host of the domain", page("<a href='http://m.bbc.co.uk/news'>bbc.co.uk/news</a>"), 0.0),
            (
                "an archive of it",
                page("<a href='https://web.archive.org/web/2020/http://bbc.co.uk/x'>bbc.co.uk/x</a>"),
                0.0,
            ),
            ("as networks shorten it", page("<a href='https://t.co/Ab1'>nytimes.com/2020/x</a>"), 0.0),
            ("an ordinary text", page("see <a href='http://x.example/'>this report</a>"), 0.0),
            ("about the page", page("<a href='http://x.example/'>the cycle lanes study of last year</a>"), 0.0),
            ("words of the page that sell", page("<a href='http://x.example/'>cheap hotel list</a>"), 0.0),
            ("the page's own", page("<a href='http://news.example/b'>buy cheap loans online</a>"), 0.0),
            (
                "quoted",
                page("<blockquote><a href='http://evil.example/'>paypal.com</a></blockquote> this is a fraud")
                    .parent("log in at evil.example now"),
                0.0,
            ),
            (
                "the title of the target in its address",
                page("<a href='http://x.example/wonderful-kitchen-recipes'>wonderful kitchen recipes</a>"),
                0.0,
            ),
            ("a file", page("<a href='http://x.example/report'>report.pdf</a>"), 0.0),
            ("a word with a dot", page("<a href='http://x.example/asp'>ASP.NET</a>"), 0.0),
            ("plain", Case::new("an array[url] of addresses"), 0.0),
        ];
        for (name, case, expected) in &cases {
            assert!((weight(&check, case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
    }

    #[test]
    fn what_the_answered_comment_speaks_of_is_not_unrelated() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let case = |parent: &str| {
            let body = "<a href='http://x.example/1'>wonderful kitchen recipes today</a>";
            Case::new(body)
                .html()
                .page("Council approves cycle lanes", "The cycle lanes cost two million.")
                .parent(parent)
        };
        assert!(weight(&check, &case("what about the kitchen of the school?")).abs() < 1e-9);
        assert!(weight(&check, &case("has anybody a map of it?")) > 0.0);
    }

    #[test]
    fn hostile_markup_costs_a_bounded_number_of_comparisons() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let words = "unrelated words without any end ".repeat(4);
        let links: String = (0..300).map(|at| format!("<a href='http://x{at}.example/'>{words}</a> ")).collect();
        let parent = "parent talk ".repeat(5_000);
        let case =
            Case::new(&links).html().page("Council approves cycle lanes", "They cost two million.").parent(&parent);
        let Outcome::Hit { evidence, .. } = case.outcome(&check) else { panic!("no hit") };
        assert!(evidence.len() < 200, "evidence is read by people: {evidence}");
    }

    #[test]
    fn evidence_points_to_the_link() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let body = "see <a href='http://evil.example/'>paypal.com</a> now";
        let Outcome::Hit { spans, evidence, .. } = Case::new(body).html().outcome(&check) else { panic!("no hit") };
        assert!(body[spans[0].start as usize..spans[0].end as usize].contains("paypal.com"));
        assert!(evidence.contains("paypal.com") && evidence.contains("evil.example"), "{evidence}");
    }
}

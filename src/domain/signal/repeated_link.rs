//! # The same link again (`repeated-link`)
//!
//! - **Looks at:** each link of the comment, and earlier comments with the very same address or the same
//!   registrable domain: by one author or several, under one article or several, within `history.window_days`.
//! - **Why:** link spam is pasted again and again; a link that was new yesterday and stands under three articles
//!   today is a campaign.
//! - **Wrong when:** several people cite the same source, or a regular cites themselves. Links to the page's own
//!   site do not count; on domains that everybody links to, only the same address counts, and less; links that
//!   people approved before count a quarter. An answer that quotes (`>`, `<blockquote>`) a link that stands approved
//!   under the same article is not held for it.
//! - **Settings:** `[signals.repeated_link]`, `mode` (`live`, `shadow` or `off`; default `live`),
//!   `elsewhere_weight` (log-odds added to `spam` when the same address stood under another article, default 2.4),
//!   `author_weight` (log-odds for each further author who posted it there, default 0.3), `again_weight` (log-odds
//!   when it stood under the same article only, default 0.8), `domain_weight` (log-odds when only the domain was
//!   seen before, under another article, default 0.4), `domain_often` (comments from which a repeated domain is a
//!   wave, default 4), `domain_often_weight` (log-odds then, default 1.6), `popular_factor` (what popular domains'
//!   weights are multiplied by, 0.0 to 1.0, default 0.4), `rejected_weight` (log-odds more when an earlier one was
//!   rejected, default 0.8), `max_weight` (most that it adds, default 3.5).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::history::LinkPast;
use crate::domain::known::Known;
use crate::domain::normalise::{Link, registrable};
use crate::domain::scores::LogOdds;
use crate::domain::trace::LinkTrace;

/// The check's stable name.
pub const ID: &str = "repeated-link";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.repeated_link]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added when the same address stood under another article.
    pub elsewhere_weight: LogOdds,
    /// Log-odds added for each further author who posted it.
    pub author_weight: LogOdds,
    /// Log-odds added when it stood under the same article only.
    pub again_weight: LogOdds,
    /// Log-odds added when only the domain was seen before.
    pub domain_weight: LogOdds,
    /// Comments from which a repeated domain is a wave.
    pub domain_often: u32,
    /// Log-odds added then.
    pub domain_often_weight: LogOdds,
    /// What popular domains' weights are multiplied by, 0.0 to 1.0.
    pub popular_factor: f64,
    /// Log-odds added when an earlier one was rejected.
    pub rejected_weight: LogOdds,
    /// Most that it adds.
    pub max_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            elsewhere_weight: LogOdds::of(2.4),
            author_weight: LogOdds::of(0.3),
            again_weight: LogOdds::of(0.8),
            domain_weight: LogOdds::of(0.4),
            domain_often: 4,
            domain_often_weight: LogOdds::of(1.6),
            popular_factor: 0.4,
            rejected_weight: LogOdds::of(0.8),
            max_weight: LogOdds::of(3.5),
        }
    }
}

/// Domains that everybody links to.
pub const POPULAR: &[&str] = &[
    "amazon.com",
    "apple.com",
    "archive.org",
    "bbc.co.uk",
    "bbc.com",
    "bit.ly",
    "bsky.app",
    "cnn.com",
    "docs.rs",
    "ebay.com",
    "facebook.com",
    "flickr.com",
    "github.com",
    "github.io",
    "google.com",
    "imdb.com",
    "imgur.com",
    "instagram.com",
    "linkedin.com",
    "medium.com",
    "microsoft.com",
    "mozilla.org",
    "nytimes.com",
    "pinterest.com",
    "reddit.com",
    "reuters.com",
    "sourceforge.net",
    "stackexchange.com",
    "stackoverflow.com",
    "t.co",
    "theguardian.com",
    "tiktok.com",
    "tinyurl.com",
    "twitch.tv",
    "twitter.com",
    "vimeo.com",
    "w3.org",
    "washingtonpost.com",
    "wikimedia.org",
    "wikipedia.org",
    "wordpress.com",
    "x.com",
    "youtu.be",
    "youtube.com",
];

/// Whether everybody links to a domain.
pub(in crate::domain) fn is_popular(domain: &str) -> bool {
    POPULAR.binary_search(&domain).is_ok()
}

struct Check(Config);

/// Makes the check.
///
/// # Errors
/// [`BadSetting`]: a factor outside 0.0 to 1.0.
pub fn new(config: &Config, _resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
    if !(0.0..=1.0).contains(&config.popular_factor) {
        let problem = "must lie within 0.0 and 1.0".to_owned();
        return Err(BadSetting { section: "repeated_link", key: "popular_factor".to_owned(), problem });
    }
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
        let pasts = match &ctx.past.links {
            Known::Known(pasts) => pasts,
            Known::NotApplicable => return Outcome::NotApplicable,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        let own = ctx.page.get().and_then(|page| page.host.as_deref()).map(registrable);
        let seen = ctx.comment.trace.links.iter().zip(pasts);
        let weighed = seen.filter_map(|(trace, past)| {
            let body = &ctx.comment.body;
            let links = || body.links.iter().filter(|link| is(link, trace));
            let own_words = links().find(|link| !body.is_quoted(&link.span));
            let link = own_words.or_else(|| links().next())?;
            if Some(link.domain.as_str()) == own {
                return None;
            }
            if own_words.is_none() && past.url.approved_here > 0 {
                return None; // a quotation of what readers see under this article
            }
            let (weight, evidence) = self.weigh(link, past)?;
            Some((weight, evidence, Span::body(link.span.clone())))
        });
        match weighed.max_by(|a, b| a.0.total_cmp(&b.0)) {
            None => Outcome::Clear,
            Some((weight, evidence, span)) => Outcome::Hit { weight: LogOdds::of(weight), evidence, spans: vec![span] },
        }
    }
}

impl Check {
    fn weigh(&self, link: &Link, past: &LinkPast) -> Option<(f64, String)> {
        let config = &self.0;
        let (url, domain) = (&past.url, &past.domain);
        let popular = is_popular(&link.domain);
        let front_page = !link.url.contains('/');
        let (mut weight, what, seen) = if url.under_other_articles > 0 && !(popular && front_page) {
            let others = f64::from(url.authors.saturating_sub(1));
            (config.elsewhere_weight.get() + others * config.author_weight.get(), "This link", url)
        } else if url.comments > 0 && !(popular && front_page) {
            (config.again_weight.get(), "This link", url)
        } else if popular || domain.under_other_articles == 0 {
            return None;
        } else if domain.comments >= config.domain_often {
            (config.domain_often_weight.get(), "A link to this domain", domain)
        } else {
            (config.domain_weight.get(), "A link to this domain", domain)
        };
        if seen.rejected > 0 {
            weight += config.rejected_weight.get();
        }
        if popular {
            weight *= config.popular_factor;
        }
        if seen.approved_by_person * 2 > seen.comments {
            weight /= 4.0;
        }
        Some((
            weight.min(config.max_weight.get()),
            format!("{what} ({}) was posted before: {}.", link.host, seen.sentence()),
        ))
    }
}

fn is(link: &Link, trace: &LinkTrace) -> bool {
    LinkTrace::of(link) == *trace
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::history::Sightings;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn quoting_excuses_only_what_stands_there_already() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let of = |body: &str, url: Sightings| {
            let past = LinkPast { domain: url.clone(), url };
            weight(&check, &Case::new(body).past(|of| of.links = Known::Known(vec![past])))
        };
        let approved_here = || Sightings { approved_here: 1, ..seen(3, 2, 2) };
        let quoted = "> look at http://pills.example/offer\nHas anybody tried this?";
        assert!(of(quoted, approved_here()).abs() < 1e-9, "an answer to what readers see");
        assert!(of(quoted, seen(3, 2, 2)) > 2.0, "a sign in front hides nothing");
        let both = format!("{quoted} http://pills.example/offer");
        assert!(of(&both, approved_here()) > 2.0, "quoted, and posted again");
    }

    fn seen(comments: u32, elsewhere: u32, authors: u32) -> Sightings {
        Sightings {
            comments,
            under_other_articles: elsewhere,
            authors,
            articles: elsewhere.max(1),
            sites: 1,
            ..Sightings::default()
        }
    }

    #[test]
    fn popular_domains_are_sorted_for_the_search() {
        assert!(POPULAR.is_sorted());
    }

    #[test]
    fn repetition_weighs_by_where_and_by_whom() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let of = |body: &str, url: Sightings, domain: Sightings| {
            let case = Case::new(body).page("Council approves cycle lanes", "text");
            weight(&check, &case.past(|past| past.links = Known::Known(vec![LinkPast { url, domain }])))
        };
        let body = "look http://pills.example/buy";
        assert!(of(body, seen(0, 0, 0), seen(0, 0, 0)).abs() < 1e-9, "the first time says nothing");
        assert!(of(body, seen(1, 1, 1), seen(1, 1, 1)) > 2.2, "again under another article holds");
        assert!(of(body, seen(5, 5, 4), seen(5, 5, 4)) > of(body, seen(1, 1, 1), seen(1, 1, 1)));
        assert!(of(body, seen(1, 0, 1), seen(1, 0, 1)) < 1.0, "again under the same article is talk");
        assert!(of(body, seen(0, 0, 0), seen(1, 1, 1)) < 0.5);
        assert!(of(body, seen(0, 0, 0), seen(9, 9, 5)) > 1.5, "many addresses of one domain");
        assert!(of("see https://en.wikipedia.org/wiki/Bridge", seen(3, 3, 3), seen(9, 9, 9)) < 2.0);
        assert!(of("see youtube.com", seen(9, 9, 9), seen(9, 9, 9)).abs() < 1e-9, "everybody names youtube.com");
        assert!(of("see http://news.example/other", seen(3, 3, 3), seen(3, 3, 3)).abs() < 1e-9, "the page's own site");
        let approved = Sightings { approved_by_person: 3, ..seen(3, 3, 2) };
        assert!(of(body, approved.clone(), approved) < 1.0, "people let it pass before");
    }

    #[test]
    fn evidence_names_the_earlier_comments() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let recent = vec![crate::domain::history::Sighting {
            comment_id: "c-7".into(),
            same_article: false,
            at: crate::domain::time::Timestamp::EPOCH,
        }];
        let url = Sightings { recent, ..seen(2, 2, 2) };
        let case = Case::new("look http://pills.example/buy")
            .past(|past| past.links = Known::Known(vec![LinkPast { url, domain: seen(2, 2, 2) }]));
        let outcome = case.outcome(&check);
        assert!(
            matches!(&outcome, Outcome::Hit { evidence, .. } if evidence.contains("c-7") && evidence.contains("2 comments")),
            "{outcome:?}"
        );
        let away = case.past(|past| past.links = Known::Unavailable("away".to_owned())).outcome(&check);
        assert_eq!(away, Outcome::Unavailable { why: "away".to_owned() });
    }
}

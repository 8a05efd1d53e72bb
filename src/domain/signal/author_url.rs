//! # A homepage that sells (`author-url`)
//!
//! - **Looks at:** the author's homepage: an address that a service shortens, a suffix that costs next to
//!   nothing, a name made of words that sell or one that imitates another, a page deep inside a site instead of
//!   its front. Pages on sites where people have their own (networks, code hosts, blog hosts), and the page's
//!   own domain, do not count.
//! - **Why:** a comment form's field for the homepage is where a link costs least: the text above it only has
//!   to be let through.
//! - **Wrong when:** somebody runs a shop and says so, or points to one article. The weight for a deep page is
//!   small, and all checks of author fields count together up to a cap.
//! - **Settings:** `[signals.author_url]`, `mode` (`live`, `shadow` or `off`; default `live`),
//!   `disguise_weight` (log-odds added to `spam` when the name imitates another, default {disguise_weight}),
//!   `shortener_weight` (log-odds for a shortened address, default {shortener_weight}), `commercial_weight` (log-odds for a
//!   name made of words that sell, default {commercial_weight}), `cheap_weight` (log-odds for a suffix that costs next to
//!   nothing, default {cheap_weight}), `deep_weight` (log-odds for a page deep inside a site, default {deep_weight}).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Field, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::fitted::weight;
use crate::domain::hosts;
use crate::domain::normalise::{host_of, registrable};
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "author-url";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.author_url]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to `spam` when the name imitates another.
    pub disguise_weight: LogOdds,
    /// Log-odds for a shortened address.
    pub shortener_weight: LogOdds,
    /// Log-odds for a name made of words that sell.
    pub commercial_weight: LogOdds,
    /// Log-odds for a suffix that costs next to nothing.
    pub cheap_weight: LogOdds,
    /// Log-odds for a page deep inside a site.
    pub deep_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            disguise_weight: weight("author_url", "disguise_weight", 1.8),
            shortener_weight: weight("author_url", "shortener_weight", 1.0),
            commercial_weight: weight("author_url", "commercial_weight", 0.8),
            cheap_weight: weight("author_url", "cheap_weight", 0.6),
            deep_weight: weight("author_url", "deep_weight", 0.3),
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
        let Some(address) = ctx.comment.sent.author.url.as_deref() else { return Outcome::NotApplicable };
        let Some(host) = host_of(address) else { return Outcome::Clear };
        if ctx.is_own(registrable(&host)) {
            return Outcome::Clear;
        }
        let config = &self.0;
        let profile = hosts::is_profile_site(&host);
        let found = [
            (
                config.disguise_weight,
                hosts::imitates(&host).is_some() || hosts::mixes_scripts(&host),
                "imitates another name",
            ),
            (config.shortener_weight, hosts::is_shortener(&host), "hides where it leads"),
            (config.commercial_weight, !profile && hosts::is_stuffed(&host), "is a name made of words that sell"),
            (
                config.cheap_weight,
                !profile && hosts::is_cheap(&host),
                "stands under a suffix that costs next to nothing",
            ),
            (config.deep_weight, !profile && is_deep(address), "is a page deep inside a site"),
        ];
        let found = found.into_iter().filter(|(_, is_so, _)| *is_so);
        match found.max_by(|a, b| a.0.get().total_cmp(&b.0.get())) {
            None => Outcome::Clear,
            Some((weight, _, what)) => Outcome::Hit {
                weight,
                evidence: format!("The author's homepage ({host}) {what}."),
                spans: vec![Span::whole(Field::AuthorUrl, address)],
            },
        }
    }
}

/// Whether an address leads to a page deep inside a site: two parts and a name of three words, or a query.
fn is_deep(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let Some((_, path)) = rest.split_once('/') else { return false };
    let path = path.split('#').next().unwrap_or_default();
    if path.contains('?') {
        return true;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let longest = parts.iter().map(|part| part.matches(['-', '_']).count()).max().unwrap_or(0);
    !path.contains(['~', '@']) && (longest >= 2 || parts.len() >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn homepages_are_told_from_shops() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let cases: &[(&str, &str, f64)] = &[
            ("an imitation", "http://www.faceboook.com/", 1.8),
            ("shortened", "https://bit.ly/2eNvDx6", 1.0),
            ("a name that sells", "http://cheap-payday-loans.info", 0.8),
            ("no scheme", "buy-essays-online.example", 0.8),
            ("a cheap suffix", "http://smilenow.icu/", 0.6),
            ("a page deep inside", "http://shop.example/blog/ten-best-dentists-in-town", 0.3),
            ("a query", "http://shop.example/?product=7", 0.3),
            ("a person's own domain", "https://anna-lindberg.se", 0.0),
            ("a blog", "https://blog.harbour.example/", 0.0),
            ("a profile", "https://www.linkedin.com/in/anna-maria-lindberg-77", 0.0),
            ("a code host", "https://github.com/anna/tools-for-old-bridges", 0.0),
            ("a university", "http://www.cs.university.example/~anna/my-long-page", 0.0),
            ("a hosted blog", "https://annas-travel-shop-diary.wordpress.com/", 0.0),
            ("the page's own", "http://news.example/users/anna/profile/edit-my-page", 0.0),
            ("a plain shop", "https://lindbergbakery.example/", 0.0),
            ("no address", "none of your business", 0.0),
        ];
        for (name, url, expected) in cases {
            let case = Case::new("hello").named("Anna", url).page("Title of the page here", "text");
            assert!((weight(&check, &case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
        assert_eq!(Case::new("hello").outcome(&check), Outcome::NotApplicable);
        let Outcome::Hit { spans, .. } = Case::new("hello").named("Anna", "https://bit.ly/x").outcome(&check) else {
            panic!("no hit")
        };
        assert_eq!((spans[0].field, spans[0].start, spans[0].end), (Field::AuthorUrl, 0, 16));
    }
}

//! # Too many links (`link-count`)
//!
//! - **Looks at:** distinct hosts linked from the comment, after normalisation. Links to the page's own host do not
//!   count.
//! - **Why:** most comment spam exists to place links.
//! - **Wrong when:** people cite sources. Raise `max_hosts` there.
//! - **Settings:** `[signals.link_count]`, `mode` (`live`, `shadow` or `off`; default `live`), `max_hosts` (count,
//!   default 2), `weight` (log-odds added to `spam` when there are more, default {weight}), `weight_per_host` (log-odds
//!   for each host beyond that, default {weight_per_host}), `max_weight` (most that it adds, default 2.6).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::fitted::weight;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "link-count";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.link_count]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Distinct hosts a comment may link to before this signal fires.
    pub max_hosts: usize,
    /// Log-odds added when there are more.
    pub weight: LogOdds,
    /// Log-odds added for each host beyond that.
    pub weight_per_host: LogOdds,
    /// Most that it adds.
    pub max_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            max_hosts: 2,
            weight: weight("link_count", "weight", 1.1),
            weight_per_host: weight("link_count", "weight_per_host", 0.3),
            max_weight: LogOdds::of(2.6),
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
        let own = ctx.page.get().and_then(|page| page.host.as_deref());
        let links = || ctx.comment.body.links.iter().filter(|link| Some(link.host.as_str()) != own);
        let hosts: BTreeSet<&str> = links().map(|link| link.host.as_str()).collect();
        let Some(beyond) = hosts.len().checked_sub(self.0.max_hosts + 1) else { return Outcome::Clear };
        let beyond = f64::from(u32::try_from(beyond).unwrap_or(u32::MAX));
        let weight = self.0.weight.get() + beyond * self.0.weight_per_host.get();
        Outcome::Hit {
            weight: LogOdds::of(weight.min(self.0.max_weight.get())),
            evidence: format!("Links to {} hosts, {} are usual.", hosts.len(), self.0.max_hosts),
            spans: links().take(20).map(|link| Span::body(link.span.clone())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn hosts_are_counted_once_and_the_pages_own_not_at_all() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let links = |count: usize| (0..count).map(|at| format!("http://h{at}.example/x ")).collect::<String>();
        let cases: &[(&str, String, f64)] = &[
            ("none", "no links at all".to_owned(), 0.0),
            ("as many as allowed", links(2), 0.0),
            ("one more", links(3), 1.1),
            ("many", links(20), 2.6),
            ("one host again and again", "http://a.example/1 http://a.example/2 http://a.example/3".to_owned(), 0.0),
            ("the page's own", format!("{} http://news.example/other", links(2)), 0.0),
        ];
        for (name, body, expected) in cases {
            let found = weight(&check, &Case::new(body).page("Title of the page here", "text"));
            assert!((found - expected).abs() < 1e-9, "{name}: {found}");
        }
    }
}

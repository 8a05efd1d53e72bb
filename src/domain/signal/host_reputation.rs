//! # What people decided about this domain (`host-reputation`)
//!
//! - **Looks at:** the domains that the comment links to: how many earlier comments with a link to the same domain
//!   people rejected, and how many they approved, within `history.window_days`, over all sites. Domains that
//!   everybody links to, sites where people have pages of their own, and the page's own domain do not count.
//! - **Why:** what people called spam several times is spam the next time, under whatever text; what they let pass
//!   several times is not.
//! - **Wrong when:** a domain was used against its owner's will, or changed hands. One decision says nothing,
//!   decisions on one author's comments alone say nothing, the policy's own verdicts never count, and what it adds
//!   or takes is bounded.
//! - **Settings:** `[signals.host_reputation]`, `mode` (`live`, `shadow` or `off`; default `live`), `min_decisions`
//!   (count: decisions by people from which a domain has a reputation, default 3), `good_weight` (log-odds taken
//!   from `spam` when they approved all of them, default 0.7), `bad_weight` (log-odds added when they rejected at
//!   least four in five, default 1.6), `worse_weight` (log-odds added when they did so twice as often as
//!   `min_decisions`, default 2.6).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::history::Sightings;
use crate::domain::hosts;
use crate::domain::known::Known;
use crate::domain::scores::LogOdds;
use crate::domain::trace::LinkTrace;

/// The check's stable name.
pub const ID: &str = "host-reputation";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.host_reputation]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Decisions by people from which a domain has a reputation.
    pub min_decisions: u32,
    /// Log-odds taken from `spam` when they approved all of them.
    pub good_weight: LogOdds,
    /// Log-odds added when they rejected at least four in five.
    pub bad_weight: LogOdds,
    /// Log-odds added when they did so twice as often as `min_decisions`.
    pub worse_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            min_decisions: 3,
            good_weight: LogOdds::of(0.7),
            bad_weight: LogOdds::of(1.6),
            worse_weight: LogOdds::of(2.6),
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
        let pasts = match &ctx.past.links {
            Known::Known(pasts) => pasts,
            Known::NotApplicable => return Outcome::NotApplicable,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        let mut all_good = true;
        let mut worst: Option<(LogOdds, String, Span)> = None;
        for link in ctx.links_out() {
            let trace = LinkTrace::of(link);
            let seen = ctx.comment.trace.links.iter().zip(pasts).find(|(seen, _)| **seen == trace);
            let shared = hosts::is_profile_site(&link.host) || super::repeated_link::is_popular(&link.domain);
            let weight = seen.filter(|_| !shared).and_then(|(_, past)| Some((self.weigh(&past.domain)?, &past.domain)));
            let Some((weight, domain)) = weight else {
                all_good = false; // a link of which nothing is known is not vouched for by its neighbour
                continue;
            };
            all_good &= weight < LogOdds::ZERO;
            if worst.as_ref().is_none_or(|(most, ..)| weight > *most) {
                let evidence = format!(
                    "People rejected {} and approved {} of {} earlier comments with a link to {}.",
                    domain.rejected_by_person, domain.approved_by_person, domain.comments, link.domain
                );
                worst = Some((weight, evidence, Span::body(link.span.clone())));
            }
        }
        match worst {
            Some((weight, evidence, span)) if weight > LogOdds::ZERO || all_good => {
                Outcome::Hit { weight, evidence, spans: vec![span] }
            }
            _ => Outcome::Clear,
        }
    }
}

impl Check {
    fn weigh(&self, domain: &Sightings) -> Option<LogOdds> {
        let (good, bad) = (domain.approved_by_person, domain.rejected_by_person);
        let config = &self.0;
        if good + bad < config.min_decisions || domain.authors_decided < 2 {
            return None;
        }
        if bad >= 4 * good {
            let often = bad >= 2 * config.min_decisions;
            return Some(if often { config.worse_weight } else { config.bad_weight });
        }
        (bad == 0).then(|| -config.good_weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::history::LinkPast;
    use crate::domain::signal::testing::{Case, weight};

    fn decided(rejected: u32, approved: u32, authors: u32) -> LinkPast {
        let domain = Sightings {
            comments: rejected + approved,
            rejected,
            rejected_by_person: rejected,
            approved_by_person: approved,
            authors,
            authors_decided: authors,
            ..Sightings::default()
        };
        LinkPast { url: Sightings::default(), domain }
    }

    #[test]
    fn several_decisions_of_people_make_a_reputation() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let by_policy = LinkPast {
            domain: Sightings { comments: 9, rejected: 9, authors: 9, ..Sightings::default() },
            url: Sightings::default(),
        };
        let among_others = LinkPast {
            domain: Sightings { comments: 30, authors: 20, authors_decided: 1, ..decided(8, 0, 1).domain },
            url: Sightings::default(),
        };
        let one = "look http://pills.example/buy";
        let two = "look http://pills.example/buy and http://fresh.example/x";
        let cases: &[(&str, &str, Vec<LinkPast>, f64)] = &[
            ("never seen", one, vec![decided(0, 0, 0)], 0.0),
            ("rejected once", one, vec![decided(1, 0, 1)], 0.0),
            ("rejected three times", one, vec![decided(3, 0, 3)], 1.6),
            ("rejected often", one, vec![decided(8, 1, 5)], 2.6),
            ("one author's", one, vec![decided(8, 0, 1)], 0.0),
            ("one author's, among others undecided", one, vec![among_others], 0.0),
            ("people disagree", one, vec![decided(3, 3, 6)], 0.0),
            ("approved three times", one, vec![decided(0, 3, 3)], -0.7),
            ("approved often, and no more for it", one, vec![decided(0, 300, 200)], -0.7),
            ("approved twice", one, vec![decided(0, 2, 2)], 0.0),
            ("the policy's verdicts", one, vec![by_policy], 0.0),
            ("a good one vouches for no other", two, vec![decided(0, 9, 9), decided(0, 0, 0)], 0.0),
            ("a bad one counts beside a good one", two, vec![decided(0, 9, 9), decided(9, 0, 9)], 2.6),
            ("where everybody links", "see https://www.youtube.com/watch?v=1", vec![decided(9, 0, 9)], 0.0),
            ("the page's own", "see http://news.example/x", vec![decided(9, 0, 9)], 0.0),
            ("quoted", "> http://pills.example/buy\nThis is spam, please remove it.", vec![decided(9, 0, 9)], 0.0),
        ];
        for (name, body, pasts, expected) in cases {
            let case = Case::new(body)
                .page("Title of the page here", "text")
                .parent("http://pills.example/buy")
                .past(|past| past.links = Known::Known(pasts.clone()));
            assert!((weight(&check, &case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
        let away = Case::new(one).past(|past| past.links = Known::Unavailable("away".to_owned())).outcome(&check);
        assert_eq!(away, Outcome::Unavailable { why: "away".to_owned() });
    }
}

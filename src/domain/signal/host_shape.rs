//! # A suspicious address (`host-shape`)
//!
//! - **Looks at:** how the addresses of links look: names that imitate well-known ones (look-alike letters or
//!   digits, one letter off, the known name in front of another domain), a user name before the host, numbers
//!   instead of a name, odd ports, services that shorten addresses, suffixes that cost next to nothing, names
//!   made of words that sell. Links to the page's own domain, and quotations of what readers can see, do not
//!   count.
//! - **Why:** names with a reputation cost money and time; who places links by the thousand uses those that do
//!   not.
//! - **Wrong when:** people shorten long addresses, link to a machine of their own, or to a shop whose name
//!   says what it sells: those weights are small, and count together with those of other link checks up to a
//!   cap. Local addresses (`localhost`, private networks) are talk about programming.
//! - **Settings:** `[signals.host_shape]`, `mode` (`live`, `shadow` or `off`; default `live`),
//!   `disguise_weight` (log-odds added to `spam` when a name imitates another, or a user name stands before it,
//!   default {disguise_weight}), `address_weight` (log-odds for numbers instead of a name, or an odd port, default {address_weight}),
//!   `shortener_weight` (log-odds for a service that hides the target, default {shortener_weight}), `cheap_weight` (log-odds
//!   for a suffix that costs next to nothing, default {cheap_weight}), `stuffed_weight` (log-odds for a name made of words
//!   that sell, default {stuffed_weight}).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::fitted::weight;
use crate::domain::hosts;
use crate::domain::normalise::Link;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "host-shape";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.host_shape]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to `spam` when a name imitates another, or a user name stands before it.
    pub disguise_weight: LogOdds,
    /// Log-odds for numbers instead of a name, or an odd port.
    pub address_weight: LogOdds,
    /// Log-odds for a service that hides the target.
    pub shortener_weight: LogOdds,
    /// Log-odds for a suffix that costs next to nothing.
    pub cheap_weight: LogOdds,
    /// Log-odds for a name made of words that sell.
    pub stuffed_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            disguise_weight: weight("host_shape", "disguise_weight", 2.2),
            address_weight: weight("host_shape", "address_weight", 0.5),
            shortener_weight: weight("host_shape", "shortener_weight", 0.5),
            cheap_weight: weight("host_shape", "cheap_weight", 0.6),
            stuffed_weight: weight("host_shape", "stuffed_weight", 0.6),
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
        let found = ctx.links_out().filter_map(|link| Some((self.look(link)?, link.span.clone())));
        match found.max_by(|a, b| a.0.0.get().total_cmp(&b.0.0.get())) {
            None => Outcome::Clear,
            Some(((weight, evidence), span)) => Outcome::Hit { weight, evidence, spans: vec![Span::body(span)] },
        }
    }
}

impl Check {
    /// The weight and what is said of it, for the worst that there is about a link.
    fn look(&self, link: &Link) -> Option<(LogOdds, String)> {
        let config = &self.0;
        let host = link.host.as_str();
        let port = link.url.strip_prefix(host).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let is_address = hosts::is_address(host);
        if is_local(host) {
            return None;
        }
        if link.named_user {
            return Some((config.disguise_weight, format!("A user name stands before the host {host}.")));
        }
        if let Some(known) = hosts::imitates(host) {
            return Some((config.disguise_weight, format!("{host} imitates {known}.")));
        }
        if hosts::mixes_scripts(host) {
            return Some((config.disguise_weight, format!("{host} mixes letters of several scripts.")));
        }
        let mild = [
            (config.address_weight, is_address, "is a number, not a name"),
            (config.address_weight, port && !is_address, "is linked with a port of its own"),
            (config.shortener_weight, hosts::is_shortener(host), "hides where its addresses lead"),
            (config.cheap_weight, hosts::is_cheap(host), "stands under a suffix that costs next to nothing"),
            (config.stuffed_weight, hosts::is_stuffed(host), "is a name made of words that sell"),
        ];
        let worst = mild.into_iter().filter(|(_, is_so, _)| *is_so).max_by(|a, b| a.0.get().total_cmp(&b.0.get()))?;
        Some((worst.0, format!("{host} {}.", worst.2)))
    }
}

/// Addresses that mean the reader's own machine or network.
fn is_local(host: &str) -> bool {
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(v4)) => {
            v4.is_loopback() || v4.is_private() || v4.is_unspecified() || v4.is_link_local()
        }
        Ok(std::net::IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unspecified(),
        Err(_) => matches!(host.rsplit('.').next(), Some("local" | "localhost")) || !host.contains('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn addresses_are_weighed_by_their_looks() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let cases: &[(&str, &str, f64)] = &[
            ("an imitation", "log in at http://paypa1.com/x", 2.2),
            ("a known name in front", "http://paypal.com.secure.example/login", 2.2),
            ("letters of another script", "see http://p\u{430}ypal.com/", 2.2),
            ("a user before the host", "http://www.bank.example@203.0.113.9/x", 2.2),
            ("a number", "http://203.0.113.9/x", 0.5),
            ("an odd port", "http://offer.example:8123/x", 0.5),
            ("shortened", "look https://bit.ly/2eNvDx6", 0.5),
            ("a cheap suffix", "http://join-now.icu/x", 0.6),
            ("words that sell", "http://cheap-payday-loans.info/", 0.6),
            ("nothing", "no link at all", 0.0),
            ("an ordinary one", "see https://en.wikipedia.org/wiki/Bridge", 0.0),
            ("the page's own", "http://news.example:8080/x", 0.0),
            ("a developer's own machine", "open http://localhost:3000/ or http://127.0.0.1:8080/", 0.0),
            ("a private network", "the router is at http://192.168.0.1/", 0.0),
            ("a German name", "http://m\u{fc}nchen.de/rathaus", 0.0),
            ("a Russian name", "http://\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.\u{440}\u{444}/", 0.0),
            ("a long honest name", "https://www.washington-post-writers.example/", 0.0),
            ("a shop", "I bought mine at https://www.johnlewis.com/", 0.0),
            ("quoted", "> http://paypa1.com/x\nDo not open this, it is a fraud.", 0.0),
            ("https's own port", "https://bbc.co.uk:443/news", 0.0),
        ];
        for (name, body, expected) in cases {
            let case = Case::new(body).page("Title of the page here", "text").parent("see http://paypa1.com/x");
            assert!((weight(&check, &case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
    }

    #[test]
    fn evidence_names_host_and_place() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let body = "look at https://bit.ly/2eNvDx6 now";
        let Outcome::Hit { spans, evidence, .. } = Case::new(body).outcome(&check) else { panic!("no hit") };
        assert_eq!(&body[spans[0].start as usize..spans[0].end as usize], "https://bit.ly/2eNvDx6");
        assert!(evidence.contains("bit.ly"));
    }
}

//! Telling sites what became of their comments: `[webhooks]`.
//!
//! The store writes a notice in the commit of what it tells of; [`deliver`] takes notices, [`post`] sends them, [`attempt`] says what an
//! answer means, and [`letters`] shows people what is on its way and sends again what was given up.

pub mod address;
mod attempt;
pub mod deliver;
mod lanes;
pub mod letters;
pub mod post;

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// `[webhooks]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Seconds in which a person may take a decision back before the site is told of it.
    pub undo_grace_s: u32,
    /// Whether a site is also told what it has just read in the answer to its own request.
    pub first_verdict: bool,
    /// Hosts to which webhooks may go although their addresses are not public: names, addresses or networks.
    pub allow_hosts: Vec<String>,
    /// Webhooks on their way to one site at once; fewer until it has taken some, and while it fails.
    pub per_site: u32,
    /// Webhooks on their way to all sites together at once.
    pub in_flight: u32,
    /// Milliseconds for a connection to stand.
    pub connect_timeout_ms: u32,
    /// Milliseconds for the whole of one attempt.
    pub timeout_ms: u32,
    /// Milliseconds before the second attempt at most; doubles with each further one.
    pub backoff_ms: u32,
    /// Seconds between two attempts at most, also where the receiver asks for more.
    pub backoff_max_s: u32,
    /// Hours for which a receiver that is down, busy or broken is tried.
    pub give_up_h: u32,
    /// Hours for which a receiver that refuses the message (4xx, 3xx) is tried.
    pub refused_give_up_h: u32,
    /// Days for which dead letters are kept.
    pub keep_dead_days: u32,
    /// Milliseconds between two looks at what other processes wrote and what has become due.
    pub poll_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            undo_grace_s: 10,
            first_verdict: false,
            allow_hosts: Vec::new(),
            per_site: 8,
            in_flight: 64,
            connect_timeout_ms: 3_000,
            timeout_ms: 10_000,
            backoff_ms: 5_000,
            backoff_max_s: 21_600,
            give_up_h: 72,
            refused_give_up_h: 6,
            keep_dead_days: 30,
            poll_ms: 500,
        }
    }
}

/// A setting with which nothing can be delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("webhooks.{key}: {value} does not lie within {least} and {most}")]
pub struct BadWebhooks {
    key: &'static str,
    value: u32,
    least: u32,
    most: u32,
}

impl Config {
    /// Whether webhooks can be delivered with it. What `allow_hosts` says is checked by whoever connects.
    ///
    /// # Errors
    /// [`BadWebhooks`], naming the key.
    pub fn check(&self) -> Result<(), BadWebhooks> {
        let all = [
            ("undo_grace_s", self.undo_grace_s, 0, 86_400),
            ("per_site", self.per_site, 1, 1_000),
            ("in_flight", self.in_flight, 1, 10_000),
            ("connect_timeout_ms", self.connect_timeout_ms, 1, 60_000),
            ("timeout_ms", self.timeout_ms, 1, 60_000),
            ("backoff_ms", self.backoff_ms, 1, 3_600_000),
            ("backoff_max_s", self.backoff_max_s, 1, 86_400),
            ("give_up_h", self.give_up_h, 1, 72),
            ("refused_give_up_h", self.refused_give_up_h, 1, 72),
            ("keep_dead_days", self.keep_dead_days, 1, 3_650),
            ("poll_ms", self.poll_ms, 10, 60_000),
        ];
        let bad = all.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value));
        bad.map_or(Ok(()), |(key, value, least, most)| Err(BadWebhooks { key, value, least, most }))
    }

    /// From when a site may be told of what a person decides now.
    #[must_use]
    pub fn tell_at(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(i64::from(self.undo_grace_s) * 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_bounds() {
        assert_eq!(Config::default().check(), Ok(()));
        let wrong = Config { per_site: 0, ..Config::default() };
        assert_eq!(
            wrong.check().map_err(|error| error.to_string()),
            Err("webhooks.per_site: 0 does not lie within 1 and 1000".to_owned())
        );
        assert!(Config { give_up_h: 73, ..Config::default() }.check().is_err());
    }
}

//! Which limits count what, under which key, and what follows when one of them has nothing left: the same whoever keeps the counts.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{RateLimited, Route, Subject, Tier};
use crate::domain::signal::Allowance;

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether anything is limited.
    pub enabled: bool,
    /// Keys remembered at most, for each policy.
    pub max_keys: usize,
    /// `[[limits.policies]]`; those in the file replace the shipped ones.
    pub policies: Vec<PolicyConfig>,
}

/// `[[limits.policies]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Its name, shown to moderators and in `RateLimit-Policy`.
    pub name: String,
    /// What is counted apart.
    pub key: Key,
    /// How many are let through in a window.
    pub quota: NonZeroU32,
    /// The window, in seconds.
    pub window_s: NonZeroU32,
    /// What happens beyond.
    pub on_limit: OnLimit,
    /// What is counted.
    #[serde(default = "comments")]
    pub routes: Vec<Route>,
    /// Whose comments are counted.
    #[serde(default = "everybody")]
    pub tiers: Vec<Tier>,
}

fn comments() -> Vec<Route> {
    vec![Route::Comment]
}

fn everybody() -> Vec<Tier> {
    vec![Tier::New, Tier::Known, Tier::Staff]
}

/// What a policy counts apart. Always within one site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// The site as a whole.
    Site,
    /// The author's address: IPv4 /32, IPv6 /64.
    Ip,
    /// The author's network: IPv4 /24, IPv6 /48.
    Network,
    /// The author's account.
    Author,
    /// The author's e-mail address.
    Email,
}

/// What happens to a comment over a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLimit {
    /// It is stored and waits for a person: nothing is lost.
    Hold,
    /// It is answered 429, and the site may send it later.
    Refuse,
}

impl Default for Config {
    fn default() -> Self {
        let people = [Tier::New, Tier::Known];
        let policy = |name: &str, key, quota: u32, on_limit, route: Route, tiers: &[Tier]| PolicyConfig {
            name: name.to_owned(),
            key,
            quota: NonZeroU32::new(quota).unwrap_or(NonZeroU32::MIN),
            window_s: NonZeroU32::new(60).unwrap_or(NonZeroU32::MIN),
            on_limit,
            routes: vec![route],
            tiers: tiers.to_vec(),
        };
        let all = everybody();
        Self {
            enabled: true,
            max_keys: 200_000,
            policies: vec![
                policy("per-author", Key::Author, 10, OnLimit::Hold, Route::Comment, &[Tier::New]),
                policy("per-known-author", Key::Author, 30, OnLimit::Hold, Route::Comment, &[Tier::Known]),
                policy("per-email", Key::Email, 10, OnLimit::Hold, Route::Comment, &[Tier::New]),
                policy("per-ip", Key::Ip, 20, OnLimit::Hold, Route::Comment, &people),
                policy("per-network", Key::Network, 100, OnLimit::Hold, Route::Comment, &people),
                policy("per-site", Key::Site, 60_000, OnLimit::Refuse, Route::Comment, &all),
                policy("batch", Key::Site, 6_000_000, OnLimit::Refuse, Route::Batch, &all),
                policy("assess", Key::Site, 60_000, OnLimit::Refuse, Route::Assess, &all),
                policy("reports-per-reader", Key::Author, 10, OnLimit::Refuse, Route::Report, &all),
                policy("reports", Key::Site, 600, OnLimit::Refuse, Route::Report, &all),
                policy("votes-per-reader", Key::Author, 60, OnLimit::Refuse, Route::Vote, &all),
                policy("votes", Key::Site, 6_000, OnLimit::Refuse, Route::Vote, &all),
                policy("appeals", Key::Site, 120, OnLimit::Refuse, Route::Appeal, &all),
                policy("akismet-reports", Key::Site, 6_000, OnLimit::Refuse, Route::AkismetReport, &all),
                policy("akismet-account", Key::Site, 120, OnLimit::Refuse, Route::AkismetAccount, &all),
                policy("akismet-keys", Key::Ip, 600, OnLimit::Refuse, Route::AkismetKey, &all),
            ],
        }
    }
}

/// A setting that limits cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limits.policies: {0}")]
pub struct BadLimits(String);

/// The limits in force.
#[derive(Debug, Clone)]
pub(super) struct Policies {
    enabled: bool,
    list: Vec<PolicyConfig>,
}

/// A limit that counts somebody.
pub(super) struct Due<'a> {
    pub(super) policy: &'a PolicyConfig,
    /// Its place among all.
    pub(super) at: usize,
    /// Whom it counts, within a site.
    what: String,
}

impl Due<'_> {
    /// What tells one that is counted from another.
    pub(super) fn name(&self, subject: &Subject<'_>) -> String {
        format!("{}\0{}", subject.site.0, self.what)
    }
}

impl Policies {
    /// Checks them.
    ///
    /// # Errors
    /// [`BadLimits`].
    pub(super) fn new(config: &Config) -> Result<Self, BadLimits> {
        for (at, policy) in config.policies.iter().enumerate() {
            let name = &policy.name;
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
                return Err(BadLimits(format!("`{name}` is no name: use letters, digits and hyphens")));
            }
            if policy.on_limit == OnLimit::Hold && !policy.routes.iter().all(|route| route.holds()) {
                return Err(BadLimits(format!(
                    "`{name}`: only comments can be held, not reports, votes, appeals or questions; use \"refuse\""
                )));
            }
            if config.policies[..at].iter().any(|earlier| earlier.name == *name) {
                return Err(BadLimits(format!("the name `{name}` is used twice")));
            }
            if policy.period().is_zero() {
                return Err(BadLimits(format!("`{name}`: the window is too short for its quota")));
            }
        }
        Ok(Self { enabled: config.enabled, list: config.policies.clone() })
    }

    pub(super) const fn enabled(&self) -> bool {
        self.enabled
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &PolicyConfig> {
        self.list.iter()
    }

    /// Those that count `subject`.
    pub(super) fn due(&self, subject: &Subject<'_>) -> Vec<Due<'_>> {
        let applies = |policy: &PolicyConfig| {
            policy.routes.iter().any(|route| route.counts(subject.route)) && policy.tiers.contains(&subject.tier)
        };
        let listed = self.list.iter().enumerate().filter(|(_, policy)| applies(policy));
        listed.filter_map(|(at, policy)| Some(Due { policy, at, what: policy.key.of(subject)? })).collect()
    }
}

impl PolicyConfig {
    /// Between two that are let through one at a time.
    pub(super) fn period(&self) -> Duration {
        Duration::from_secs(u64::from(self.window_s.get())) / self.quota.get()
    }
}

impl Key {
    fn of(self, subject: &Subject<'_>) -> Option<String> {
        Some(match self {
            Self::Site => String::new(),
            Self::Ip => network(subject.ip?, 32, 64),
            Self::Network => network(subject.ip?, 24, 48),
            Self::Author => subject.author?.to_owned(),
            Self::Email => subject.email?.trim().to_lowercase(),
        })
    }
}

/// An address's network, IPv4 in IPv6 counted as IPv4.
fn network(ip: IpAddr, v4: u8, v6: u8) -> String {
    let ip = ip.to_canonical();
    let length = if ip.is_ipv4() { v4 } else { v6 };
    ipnet::IpNet::new(ip, length).map_or_else(|_| ip.to_string(), |net| net.trunc().to_string())
}

/// How long a limit lets nothing through; zero for one that does.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    pub(super) policy: &'a PolicyConfig,
    pub(super) nanos: u64,
}

impl Waiting<'_> {
    /// What follows from all that count somebody.
    ///
    /// # Errors
    /// [`RateLimited`], by the one with the longest wait of those that refuse.
    pub(super) fn conclude(all: &[Waiting<'_>]) -> Result<Allowance, RateLimited> {
        let over = |on_limit: OnLimit| {
            let over = all.iter().filter(|it| it.policy.on_limit == on_limit && it.nanos > 0);
            over.map(|it| (it.policy, it.nanos.div_ceil(1_000_000))).max_by_key(|(_, wait)| *wait)
        };
        if let Some((policy, retry_after_ms)) = over(OnLimit::Refuse) {
            return Err(policy.limited(retry_after_ms));
        }
        Ok(over(OnLimit::Hold).map_or(Allowance::Within, |(policy, retry_after_ms)| Allowance::Hold {
            policy: policy.name.clone(),
            retry_after_ms,
        }))
    }
}

impl PolicyConfig {
    /// Refused by this one.
    pub(super) fn limited(&self, retry_after_ms: u64) -> RateLimited {
        RateLimited {
            policy: self.name.clone(),
            quota: self.quota.get(),
            window_s: u64::from(self.window_s.get()),
            retry_after_ms,
        }
    }
}

//! Limits in process, by governor (GCRA, the generic cell rate algorithm of ITU-T I.371).
//!
//! A policy lets `quota` comments through at once and one more every `window_s / quota` seconds. All policies that apply are checked
//! before any is consumed from: governor is given a store that can be asked without being changed. Memory is bounded: when the keys are
//! too many, those go first that are back at their full allowance (forgetting them changes nothing), then those nearest to it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{LimitState, Limiter, RateLimited, Route, Subject, Tier};
use crate::domain::signal::Allowance;
use crate::domain::time::Timestamp;

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
            ],
        }
    }
}

/// A setting that limits cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limits.policies: {0}")]
pub struct BadLimits(String);

/// Limits of one process.
pub struct LocalLimiter {
    enabled: bool,
    seed: u64,
    state: Mutex<State>,
}

struct State {
    clock: SetClock,
    policies: Vec<(PolicyConfig, Governed, Entries)>,
}

/// Theoretical arrival times by key. Shared with the limiter's store; both live under one lock.
type Entries = Arc<Mutex<HashMap<u64, Nanos>>>;

type Governed = RateLimiter<Probe, Keys, SetClock, NoOpMiddleware<Nanos>>;

impl LocalLimiter {
    /// Makes the limits; `seed` is random and keeps key collisions from being chosen.
    ///
    /// # Errors
    /// [`BadLimits`]: a name that is used twice, or is not one of letters, digits and hyphens.
    pub fn new(config: &Config, seed: u64) -> Result<Self, BadLimits> {
        let clock = SetClock::default();
        let mut policies: Vec<(PolicyConfig, Governed, Entries)> = Vec::new();
        for policy in &config.policies {
            let name = &policy.name;
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
                return Err(BadLimits(format!("`{name}` is no name: use letters, digits and hyphens")));
            }
            let is_comment = |route: &Route| !matches!(route, Route::Report | Route::Vote | Route::Appeal);
            if policy.on_limit == OnLimit::Hold && !policy.routes.iter().all(is_comment) {
                return Err(BadLimits(format!("`{name}`: reports, votes and appeals cannot be held; use \"refuse\"")));
            }
            if policies.iter().any(|(earlier, ..)| earlier.name == *name) {
                return Err(BadLimits(format!("the name `{name}` is used twice")));
            }
            let period = Duration::from_secs(u64::from(policy.window_s.get())) / policy.quota.get();
            let quota = Quota::with_period(period)
                .ok_or_else(|| BadLimits(format!("`{name}`: the window is too short for its quota")))?;
            let entries = Entries::default();
            let keys = Keys { entries: Arc::clone(&entries), capacity: config.max_keys.max(1), clock: clock.clone() };
            policies.push((
                policy.clone(),
                RateLimiter::new(quota.allow_burst(policy.quota), keys, clock.clone()),
                entries,
            ));
        }
        Ok(Self { enabled: config.enabled, seed, state: Mutex::new(State { clock, policies }) })
    }

    fn key(&self, policy: &PolicyConfig, subject: &Subject<'_>) -> Option<u64> {
        let what = match policy.key {
            Key::Site => String::new(),
            Key::Ip => network(subject.ip?, 32, 64),
            Key::Network => network(subject.ip?, 24, 48),
            Key::Author => subject.author?.to_owned(),
            Key::Email => subject.email?.trim().to_lowercase(),
        };
        let site = subject.site.0;
        Some(xxh3_64_with_seed(format!("{site}\0{what}").as_bytes(), self.seed))
    }
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn take(&self, subject: &Subject<'_>, now: Timestamp) -> Result<Allowance, RateLimited> {
        if !self.enabled {
            return Ok(Allowance::Off);
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock.set(now);
        let applies = |policy: &PolicyConfig| {
            policy.routes.iter().any(|route| route.counts(subject.route)) && policy.tiers.contains(&subject.tier)
        };
        let due: Vec<(&PolicyConfig, &Governed, u64)> = state
            .policies
            .iter()
            .filter(|(policy, ..)| applies(policy))
            .filter_map(|(policy, limiter, _)| Some((policy, limiter, self.key(policy, subject)?)))
            .collect();
        let over = |on_limit: OnLimit| {
            let waiting =
                due.iter().filter(|(policy, _, _)| policy.on_limit == on_limit).filter_map(|(policy, limiter, key)| {
                    let wait =
                        limiter.check_key(&Probe { key: *key, commit: false }).err()?.wait_time_from(state.clock.now());
                    Some((*policy, u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)))
                });
            waiting.max_by_key(|(_, wait)| *wait)
        };
        if let Some((policy, retry_after_ms)) = over(OnLimit::Refuse) {
            return Err(RateLimited {
                policy: policy.name.clone(),
                quota: policy.quota.get(),
                window_s: u64::from(policy.window_s.get()),
                retry_after_ms,
            });
        }
        let held = over(OnLimit::Hold);
        for (_, limiter, key) in &due {
            // Those over a holding policy have nothing left to take; the others give one together.
            let _ = limiter.check_key(&Probe { key: *key, commit: true });
        }
        Ok(match held {
            None => Allowance::Within,
            Some((policy, retry_after_ms)) => Allowance::Hold { policy: policy.name.clone(), retry_after_ms },
        })
    }

    fn state(&self, now: Timestamp) -> Vec<LimitState> {
        if !self.enabled {
            return Vec::new();
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock.set(now);
        let of = |(policy, limiter, entries): &(PolicyConfig, Governed, Entries)| {
            let entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
            let moment = state.clock.elapsed();
            let counted: Vec<u64> = entries.iter().filter(|(_, due)| **due > moment).map(|(key, _)| *key).collect();
            drop(entries); // the limiter asks for them
            let is_limited = |key: &&u64| limiter.check_key(&Probe { key: **key, commit: false }).is_err();
            LimitState {
                policy: policy.name.clone(),
                quota: policy.quota.get(),
                window_s: policy.window_s.get(),
                counted: counted.len(),
                limited: counted.iter().filter(is_limited).count(),
            }
        };
        state.policies.iter().map(of).collect()
    }
}

/// An address's network, IPv4 in IPv6 counted as IPv4.
fn network(ip: IpAddr, v4: u8, v6: u8) -> String {
    let ip = ip.to_canonical();
    let length = if ip.is_ipv4() { v4 } else { v6 };
    ipnet::IpNet::new(ip, length).map_or_else(|_| ip.to_string(), |net| net.trunc().to_string())
}

/// A key, and whether what is found is to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Probe {
    key: u64,
    commit: bool,
}

/// The store that governor asks, bounded.
struct Keys {
    entries: Entries,
    capacity: usize,
    clock: SetClock,
}

impl StateStore for Keys {
    type Key = Probe;

    fn measure_and_replace<T, F, E>(&self, probe: &Probe, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, next) = f(entries.get(&probe.key).copied())?;
        if probe.commit {
            if entries.len() >= self.capacity && !entries.contains_key(&probe.key) {
                make_room(&mut entries, self.clock.elapsed());
            }
            entries.insert(probe.key, next);
        }
        Ok(answer)
    }
}

/// Drops keys that are back at their full allowance; if that is not a tenth of all, the tenth nearest to it.
fn make_room(entries: &mut HashMap<u64, Nanos>, now: Nanos) {
    let wanted = entries.len() / 10 + 1;
    let before = entries.len();
    entries.retain(|_, arrival| *arrival > now);
    if before - entries.len() >= wanted {
        return;
    }
    let mut arrivals: Vec<Nanos> = entries.values().copied().collect();
    if arrivals.is_empty() {
        return;
    }
    let at = wanted.min(arrivals.len() - 1);
    let bound = *arrivals.select_nth_unstable(at).1;
    let mut left = wanted;
    entries.retain(|_, arrival| {
        let goes = left > 0 && *arrival <= bound;
        left -= usize::from(goes);
        !goes
    });
}

/// A clock that is set to the moment that a caller names.
#[derive(Debug, Clone, Default)]
struct SetClock(Arc<AtomicU64>);

impl SetClock {
    fn set(&self, now: Timestamp) {
        let ms = u64::try_from(now.as_millis()).unwrap_or(0);
        self.0.store(ms.saturating_mul(1_000_000), Ordering::Relaxed);
    }

    /// Time since the clock's zero, which is also the limiter's: both start in 1970.
    fn elapsed(&self) -> Nanos {
        Nanos::new(self.0.load(Ordering::Relaxed))
    }
}

impl GovernorClock for SetClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::site::SiteId;
    use proptest::prelude::*;

    fn policy(name: &str, key: Key, quota: u32, window_s: u32, on_limit: OnLimit) -> PolicyConfig {
        let of = |number| NonZeroU32::new(number).expect("positive");
        PolicyConfig {
            name: name.to_owned(),
            key,
            quota: of(quota),
            window_s: of(window_s),
            on_limit,
            routes: comments(),
            tiers: everybody(),
        }
    }

    fn limiter(policies: Vec<PolicyConfig>) -> LocalLimiter {
        LocalLimiter::new(&Config { enabled: true, max_keys: 1_000, policies }, 7).expect("valid")
    }

    fn by<'a>(author: &'a str, ip: Option<&str>) -> Subject<'a> {
        let ip = ip.map(|ip| ip.parse().expect("an address"));
        Subject { site: SiteId(1), route: Route::Comment, tier: Tier::New, ip, author: Some(author), email: None }
    }

    fn take(limiter: &LocalLimiter, subject: &Subject<'_>, at_ms: i64) -> Result<Allowance, RateLimited> {
        let at = Timestamp::from_millis(1_795_000_000_000 + at_ms);
        futures_util::FutureExt::now_or_never(limiter.take(subject, at)).expect("never waits")
    }

    #[test]
    fn a_policy_lets_exactly_its_quota_through_and_then_one_at_a_time() {
        let limiter = limiter(vec![policy("a", Key::Author, 5, 10, OnLimit::Refuse)]);
        for _ in 0..5 {
            assert_eq!(take(&limiter, &by("anna", None), 0), Ok(Allowance::Within));
        }
        let refused = take(&limiter, &by("anna", None), 0).expect_err("over");
        assert_eq!((refused.quota, refused.window_s, refused.retry_after_ms), (5, 10, 2_000));
        assert_eq!(take(&limiter, &by("bert", None), 0), Ok(Allowance::Within), "others are counted apart");
        assert!(take(&limiter, &by("anna", None), 1_999).is_err());
        assert_eq!(take(&limiter, &by("anna", None), 2_000), Ok(Allowance::Within));
        assert!(take(&limiter, &by("anna", None), 2_000).is_err());
    }

    #[test]
    fn a_refused_comment_consumes_nothing_anywhere() {
        let limiter = limiter(vec![
            policy("wide", Key::Author, 3, 10, OnLimit::Hold),
            policy("narrow", Key::Ip, 1, 10, OnLimit::Refuse),
        ]);
        assert_eq!(take(&limiter, &by("anna", Some("203.0.113.9")), 0), Ok(Allowance::Within));
        for _ in 0..50 {
            assert!(take(&limiter, &by("anna", Some("203.0.113.9")), 0).is_err());
        }
        assert_eq!(
            take(&limiter, &by("anna", Some("203.0.113.10")), 0),
            Ok(Allowance::Within),
            "two of three are left"
        );
        assert_eq!(take(&limiter, &by("anna", Some("203.0.113.11")), 0), Ok(Allowance::Within));
        assert!(
            matches!(take(&limiter, &by("anna", Some("203.0.113.12")), 0), Ok(Allowance::Hold { policy, .. }) if policy == "wide")
        );
    }

    #[test]
    fn addresses_are_counted_by_network() {
        let limiter = limiter(vec![policy("ip", Key::Ip, 1, 10, OnLimit::Refuse)]);
        let cases: &[(&str, bool)] = &[
            ("203.0.113.9", true),
            ("::ffff:203.0.113.9", false),
            ("203.0.113.10", true),
            ("2001:db8:1:2::1", true),
            ("2001:db8:1:2:ffff::9", false),
            ("2001:db8:1:3::1", true),
        ];
        for (ip, within) in cases {
            assert_eq!(take(&limiter, &by("x", Some(ip)), 0).is_ok(), *within, "{ip}");
        }
    }

    #[test]
    fn tiers_and_routes_have_their_own_policies() {
        let mut narrow = policy("new", Key::Author, 1, 10, OnLimit::Hold);
        narrow.tiers = vec![Tier::New];
        let limiter = limiter(vec![narrow]);
        let staff = Subject { tier: Tier::Staff, ..by("anna", None) };
        let batch = Subject { route: Route::Batch, ..by("anna", None) };
        for _ in 0..5 {
            assert_eq!(take(&limiter, &staff, 0), Ok(Allowance::Within));
            assert_eq!(take(&limiter, &batch, 0), Ok(Allowance::Within));
        }
    }

    #[test]
    fn memory_is_bounded_and_the_limited_stay_limited_under_a_flood() {
        let limiter = limiter(vec![policy("a", Key::Author, 2, 60, OnLimit::Refuse)]);
        for _ in 0..2 {
            assert!(take(&limiter, &by("villain", None), 0).is_ok());
        }
        for at in 0..20_000 {
            let name = format!("flood-{at}");
            assert!(take(&limiter, &by(&name, None), 1).is_ok());
        }
        assert!(take(&limiter, &by("villain", None), 2).is_err());
        let state = limiter.state.lock().expect("not poisoned");
        assert!(state.policies[0].2.lock().expect("not poisoned").len() <= 1_000);
    }

    #[test]
    fn names_are_checked() {
        let twice = vec![policy("a", Key::Ip, 1, 1, OnLimit::Hold), policy("a", Key::Site, 1, 1, OnLimit::Hold)];
        let mut reports = policy("a", Key::Author, 1, 1, OnLimit::Hold);
        reports.routes = vec![Route::Comment, Route::Report];
        for policies in [twice, vec![policy("a b", Key::Ip, 1, 1, OnLimit::Hold)], vec![reports]] {
            assert!(LocalLimiter::new(&Config { enabled: true, max_keys: 10, policies }, 7).is_err());
        }
    }

    proptest! {
        #[test]
        fn never_more_than_quota_and_rate(steps in prop::collection::vec(0_i64..3_000, 1..200), quota in 1_u32..8) {
            let limiter = limiter(vec![policy("a", Key::Author, quota, 10, OnLimit::Refuse)]);
            let (mut now, mut through) = (0, 0_i64);
            for step in steps {
                now += step;
                through += i64::from(take(&limiter, &by("anna", None), now).is_ok());
                prop_assert!(through <= i64::from(quota) + now * i64::from(quota) / 10_000 + 1);
            }
        }
    }
}

//! Limits in process, by governor (GCRA, the generic cell rate algorithm of ITU-T I.371).
//!
//! A policy lets `quota` comments through at once and one more every `window_s / quota` seconds. All policies that apply are checked
//! before any is consumed from: governor is given a store that can be asked without being changed. Memory is bounded: when the keys are
//! too many, those go first that are back at their full allowance (forgetting them changes nothing), then those nearest to it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub use super::policies::{BadLimits, Config, Key, OnLimit, PolicyConfig};
use super::policies::{Policies, Waiting};
use super::{LimitState, Limiter, RateLimited, Subject};
use crate::app::clock::Clock;
use crate::domain::signal::Allowance;
use crate::domain::time::Timestamp;

/// Limits of one process.
pub struct LocalLimiter {
    policies: Policies,
    seed: u64,
    clock: Option<Arc<dyn Clock>>,
    state: Mutex<State>,
}

struct State {
    onward: Onward,
    clock: SetClock,
    limiters: Vec<(Governed, Entries)>,
}

impl State {
    fn set(&mut self, now: Timestamp) {
        self.onward.reach(now);
        self.clock.0.store(self.onward.moment, Ordering::Relaxed);
    }
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
        let policies = Policies::new(config)?;
        let clock = SetClock::default();
        let of = |policy: &PolicyConfig| {
            // A period of nothing was refused as a setting.
            let quota = Quota::with_period(policy.period()).unwrap_or_else(|| Quota::per_second(policy.quota));
            let entries = Entries::default();
            let keys = Keys { entries: Arc::clone(&entries), capacity: config.max_keys.max(1), clock: clock.clone() };
            (RateLimiter::new(quota.allow_burst(policy.quota), keys, clock.clone()), entries)
        };
        let limiters = policies.iter().map(of).collect();
        let state = Mutex::new(State { onward: Onward::default(), clock, limiters });
        Ok(Self { policies, seed, clock: None, state })
    }

    /// Reads that clock when it is anybody's turn, and not the moment that they name: they looked at theirs before they waited for the store, so
    /// one who comes late cannot be told from a clock that was set back.
    #[must_use]
    pub fn reading(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    fn moment(&self, named: Timestamp) -> Timestamp {
        self.clock.as_ref().map_or(named, |clock| clock.by_now(named))
    }

    /// Other limits. What was taken stays taken, under each policy that has the same name and counts the same thing: whoever took three of ten
    /// has taken three of five.
    ///
    /// # Errors
    /// [`BadLimits`], as for new ones.
    pub fn changed(&self, config: &Config, now: Timestamp) -> Result<Self, BadLimits> {
        let other = Self { clock: self.clock.clone(), ..Self::new(config, self.seed)? };
        let (mut from, to) = (self.state.lock().unwrap_or_else(PoisonError::into_inner), &other.state);
        let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
        from.set(self.moment(now));
        to.onward = from.onward;
        let moment = from.clock.elapsed().as_u64();
        for (after, (_, to)) in other.policies.iter().zip(&to.limiters) {
            let mut earlier = self.policies.iter().zip(&from.limiters);
            let same = |before: &PolicyConfig| before.name == after.name && before.key == after.key;
            let Some((before, (_, from))) = earlier.find(|(before, _)| same(before)) else { continue };
            let (old, new) = (before.period().as_nanos().max(1), after.period().as_nanos());
            let most = new.saturating_mul(u128::from(after.quota.get()));
            let from = from.lock().unwrap_or_else(PoisonError::into_inner);
            let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = from.iter().filter(|(_, due)| due.as_u64() > moment);
            to.extend(taken.map(|(key, due)| {
                let ahead = u128::from(due.as_u64() - moment).saturating_mul(new) / old;
                let ahead = u64::try_from(ahead.min(most)).unwrap_or(u64::MAX);
                (*key, Nanos::new(moment.saturating_add(ahead)))
            }));
        }
        drop(to);
        drop(from);
        Ok(other)
    }

    /// What [`Limiter::take`] promises, without waiting for anything.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub(super) fn count(&self, subject: &Subject<'_>, now: Timestamp) -> Result<Allowance, RateLimited> {
        if !self.policies.enabled() {
            return Ok(Allowance::Off);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.set(self.moment(now));
        let due = self.policies.due(subject);
        let keys: Vec<(&Governed, u64)> = due
            .iter()
            .map(|due| (&state.limiters[due.at].0, xxh3_64_with_seed(due.name(subject).as_bytes(), self.seed)))
            .collect();
        let wait = |(limiter, key): &(&Governed, u64)| {
            let over = limiter.check_key(&Probe { key: *key, commit: false }).err();
            over.map_or(0, |over| over.wait_time_from(state.clock.now()).as_nanos())
        };
        let nanos = |wait| u64::try_from(wait).unwrap_or(u64::MAX);
        let waiting = due.iter().zip(&keys).map(|(due, key)| Waiting { policy: due.policy, nanos: nanos(wait(key)) });
        let allowance = Waiting::conclude(&waiting.collect::<Vec<_>>())?;
        for (limiter, key) in &keys {
            // Those over a holding policy have nothing left to take; the others give one together.
            let _ = limiter.check_key(&Probe { key: *key, commit: true });
        }
        Ok(allowance)
    }
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn take(&self, subject: &Subject<'_>, now: Timestamp) -> Result<Allowance, RateLimited> {
        self.count(subject, now)
    }

    fn state(&self, now: Timestamp) -> Vec<LimitState> {
        if !self.policies.enabled() {
            return Vec::new();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.set(self.moment(now));
        let of = |(policy, (limiter, entries)): (&PolicyConfig, &(Governed, Entries))| {
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
        self.policies.iter().zip(&state.limiters).map(of).collect()
    }
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

/// Makes of what the machine's clock shows a time that never runs backwards: what was taken an hour ahead would shut the door for an hour when
/// that clock is set back. It goes on from where it was, as fast as the machine's.
#[derive(Debug, Clone, Copy, Default)]
struct Onward {
    /// The time, in nanoseconds since 1970.
    moment: u64,
    /// By how much that is ahead of the machine's.
    ahead: u64,
}

impl Onward {
    fn reach(&mut self, now: Timestamp) {
        let ms = u64::try_from(now.as_millis()).unwrap_or(0);
        let shown = ms.saturating_mul(1_000_000).saturating_add(self.ahead);
        self.ahead = self.ahead.saturating_add(self.moment.saturating_sub(shown));
        self.moment = self.moment.max(shown);
    }
}

/// A clock that shows what it was set to.
#[derive(Debug, Clone, Default)]
struct SetClock(Arc<AtomicU64>);

impl SetClock {
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
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;
    use crate::app::limits::{Route, Tier};
    use crate::domain::site::SiteId;

    fn policy(name: &str, key: Key, quota: u32, window_s: u32, on_limit: OnLimit) -> PolicyConfig {
        let of = |number| NonZeroU32::new(number).expect("positive");
        PolicyConfig {
            name: name.to_owned(),
            key,
            quota: of(quota),
            window_s: of(window_s),
            on_limit,
            routes: vec![Route::Comment],
            tiers: vec![Tier::New, Tier::Known, Tier::Staff],
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

    /// A clock that shows what a test says.
    #[derive(Clone, Default)]
    struct Shown(Arc<AtomicU64>);

    impl Shown {
        fn show(&self, at_ms: u64) {
            self.0.store(1_795_000_000_000 + at_ms, Ordering::Relaxed);
        }
    }

    impl Clock for Shown {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(i64::try_from(self.0.load(Ordering::Relaxed)).expect("a moment"))
        }
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_no_door_and_opens_none() {
        let of = || vec![policy("a", Key::Author, 5, 10, OnLimit::Refuse)];
        let limits = limiter(of());
        for _ in 0..5 {
            assert_eq!(take(&limits, &by("anna", None), 3_600_000), Ok(Allowance::Within));
        }
        let over = take(&limits, &by("anna", None), 0).expect_err("over, as before");
        assert_eq!(over.retry_after_ms, 2_000, "an hour earlier");
        assert!(take(&limits, &by("anna", None), 1_999).is_err());
        assert_eq!(
            take(&limits, &by("anna", None), 2_000),
            Ok(Allowance::Within),
            "time goes on from there, for the first who asks"
        );
        let config = Config { enabled: true, max_keys: 1_000, policies: of() };
        let changed = limits.changed(&config, Timestamp::from_millis(1_795_000_002_000)).expect("valid");
        assert!(take(&changed, &by("anna", None), 2_000).is_err());
        assert_eq!(take(&changed, &by("anna", None), 4_000), Ok(Allowance::Within));
    }

    /// Lookups of a hundred callers are answered together, after one who came later was answered elsewhere; and again, and again.
    #[test]
    fn callers_who_waited_for_the_store_do_not_hurry_the_clock() {
        let clock = Shown::default();
        let limits = limiter(vec![policy("a", Key::Author, 5, 10, OnLimit::Refuse)]).reading(Arc::new(clock.clone()));
        let mut within = 0;
        for stall in 0..10 {
            let shown = 5_000 + stall * 10;
            clock.show(shown);
            for named in std::iter::once(shown).chain(std::iter::repeat_n(0, 100)) {
                let named = i64::try_from(named).expect("a moment");
                within += usize::from(take(&limits, &by("anna", None), named).is_ok());
            }
        }
        assert_eq!(within, 5, "the sixth is due after two seconds");
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
        assert!(state.limiters[0].1.lock().expect("not poisoned").len() <= 1_000);
    }

    #[test]
    fn with_another_quota_what_was_taken_stays_taken() {
        let of = |quota| vec![policy("a", Key::Author, quota, 60, OnLimit::Refuse)];
        let config = |quota| Config { enabled: true, max_keys: 1_000, policies: of(quota) };
        let left = |limiter: &LocalLimiter, author: &str| {
            (0..20).filter(|_| take(limiter, &by(author, None), 0).is_ok()).count()
        };
        let now = Timestamp::from_millis(1_795_000_000_000);
        let whole = limiter(of(10));
        for (author, taken) in [("three", 3), ("all", 10)] {
            for _ in 0..taken {
                assert!(take(&whole, &by(author, None), 0).is_ok());
            }
        }
        let half = whole.changed(&config(5), now).expect("valid");
        assert_eq!((left(&half, "three"), left(&half, "all"), left(&half, "none")), (2, 0, 5));
        let whole = half.changed(&config(10), now).expect("valid");
        assert_eq!(left(&whole, "none"), 5, "five of ten");
        assert!(take(&half, &by("all", None), 12_000).is_ok(), "no longer than a window of its own");
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

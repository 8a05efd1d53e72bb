//! Limits that several nodes count together.
//!
//! They mean what [`LocalLimiter`]'s mean, policy by policy: of `quota` comments exactly as many are let through over all nodes. What was
//! refused stays refused until it is due, without being asked for again: nothing gives back what was taken.
//!
//! When what nodes share is away, each node lets its fair share through by itself: the quota divided by the nodes that were last alive. It
//! has counted all along what it let through, so that an outage is no fresh start for those who had used theirs up here; and neither is a node
//! that comes or goes.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::local::LocalLimiter;
use super::policies::{BadLimits, Config, Due, OnLimit, Policies, PolicyConfig, Waiting};
use super::{LimitState, Limiter, RateLimited, Subject};
use crate::app::clock::Clock;
use crate::domain::shared::{Cell, Tally};
use crate::domain::signal::Allowance;
use crate::domain::time::Timestamp;

/// Keys that are known to be refused at most; when there are more, those go that are due, and then all: they are asked for again.
const DENIED_MAX: usize = 50_000;

/// Limits of all nodes together.
pub struct SharedLimiter {
    config: Config,
    policies: Policies,
    tally: Arc<dyn Tally>,
    denied: Mutex<Denied>,
    alone: Mutex<(u32, Arc<LocalLimiter>)>,
}

impl SharedLimiter {
    /// Makes the limits; `seed` is random, for what this node counts by itself.
    ///
    /// # Errors
    /// [`BadLimits`], as for limits in process.
    pub fn new(config: &Config, seed: u64, tally: Arc<dyn Tally>) -> Result<Self, BadLimits> {
        let alone = LocalLimiter::new(config, seed)?;
        Ok(Self {
            config: config.clone(),
            policies: Policies::new(config)?,
            tally,
            denied: Mutex::default(),
            alone: Mutex::new((1, Arc::new(alone))),
        })
    }

    /// The same, where what this node counts by itself goes by that clock: [`LocalLimiter::reading`].
    ///
    /// # Errors
    /// [`BadLimits`], as for limits in process.
    pub fn reading(
        config: &Config,
        seed: u64,
        tally: Arc<dyn Tally>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BadLimits> {
        let alone = LocalLimiter::new(config, seed)?.reading(clock);
        Ok(Self { alone: Mutex::new((1, Arc::new(alone))), ..Self::new(config, seed, tally)? })
    }

    /// Other limits. What was taken stays taken, as with limits in process; what is shared keeps counting under the policies' names.
    ///
    /// # Errors
    /// [`BadLimits`], as for new ones.
    pub fn changed(&self, config: &Config, now: Timestamp) -> Result<Self, BadLimits> {
        let policies = Policies::new(config)?;
        let (nodes, alone) = {
            let alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
            (alone.0, alone.1.changed(&share(config, alone.0), now)?)
        };
        Ok(Self {
            config: config.clone(),
            policies,
            tally: Arc::clone(&self.tally),
            denied: Mutex::default(),
            alone: Mutex::new((nodes, Arc::new(alone))),
        })
    }

    /// This node's own limits: its share of the quotas among so many nodes as are alive, at least one of each.
    fn alone(&self, now: Timestamp) -> Arc<LocalLimiter> {
        let nodes = self.tally.nodes().max(1);
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        if alone.0 != nodes {
            let config = share(&self.config, nodes);
            // Smaller quotas cannot be wrong where the whole ones were not.
            if let Ok(limiter) = alone.1.changed(&config, now) {
                *alone = (nodes, Arc::new(limiter));
            }
        }
        Arc::clone(&alone.1)
    }

    /// Counts by itself; says of a refusal what the limit is for all.
    fn take_alone(&self, subject: &Subject<'_>, now: Timestamp) -> Result<Allowance, RateLimited> {
        self.alone(now).count(subject, now).map_err(|refused| {
            let whole = self.policies.iter().find(|policy| policy.name == refused.policy);
            whole.map_or(refused.clone(), |policy| policy.limited(refused.retry_after_ms))
        })
    }

    fn denied(&self) -> std::sync::MutexGuard<'_, Denied> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Limiter for SharedLimiter {
    async fn take(&self, subject: &Subject<'_>, now: Timestamp) -> Result<Allowance, RateLimited> {
        if !self.policies.enabled() {
            return Ok(Allowance::Off);
        }
        let due = self.policies.due(subject);
        let cells: Vec<Cell<'_>> = due.iter().map(|due| cell(due, subject)).collect();
        if cells.is_empty() {
            return Ok(Allowance::Within);
        }
        if let Some(refused) = self.denied().of(&due, &cells, now) {
            metrics::counter!("doorward_shared_denied_total").increment(1);
            return Err(refused);
        }
        let Ok(waits) = self.tally.take(&cells, now).await else {
            metrics::counter!("doorward_shared_fallback_total", "what" => "limits").increment(1);
            return self.take_alone(subject, now);
        };
        let waiting: Vec<Waiting<'_>> =
            due.iter().zip(&waits).map(|(due, nanos)| Waiting { policy: due.policy, nanos: *nanos }).collect();
        let concluded = Waiting::conclude(&waiting);
        if concluded.is_ok() {
            let _ = self.alone(now).count(subject, now);
        }
        if waiting.iter().any(|waiting| waiting.nanos > 0) {
            let mut denied = self.denied();
            for ((due, cell), waiting) in due.iter().zip(&cells).zip(&waiting).filter(|(_, it)| it.nanos > 0) {
                denied.note(cell.key, Until { since: now.as_millis(), nanos: waiting.nanos, policy: due.at });
            }
        }
        concluded
    }

    /// As this node knows it: keys of which it let something through, and keys of which it was told that nothing more is let through.
    fn state(&self, now: Timestamp) -> Vec<LimitState> {
        let mut states = self.alone(now).state(now);
        let denied = self.denied();
        for (at, (state, policy)) in states.iter_mut().zip(self.policies.iter()).enumerate() {
            state.quota = policy.quota.get();
            state.limited = denied.count(at, now);
            state.counted = state.counted.max(state.limited);
        }
        states
    }
}

/// One node's share of the quotas among so many, at least one of each.
fn share(config: &Config, nodes: u32) -> Config {
    let mut config = config.clone();
    for policy in &mut config.policies {
        policy.quota = NonZeroU32::new(policy.quota.get() / nodes.max(1)).unwrap_or(NonZeroU32::MIN);
    }
    config
}

/// What stands for somebody under a limit. A digest, because nobody may choose two that are one, and addresses are nothing to spread.
fn cell<'a>(due: &Due<'a>, subject: &Subject<'_>) -> Cell<'a> {
    let policy: &PolicyConfig = due.policy;
    let digest = Sha256::digest(format!("{}\0{}", policy.name, due.name(subject)).as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    Cell {
        limit: &policy.name,
        key,
        period: policy.period(),
        burst: policy.quota.get(),
        refuses: policy.on_limit == OnLimit::Refuse,
    }
}

/// Keys of which is known that nothing is let through.
#[derive(Default)]
struct Denied(HashMap<[u8; 16], Until>);

/// Since when, in milliseconds, for how many nanoseconds from then, and by the policy of which place.
#[derive(Clone, Copy)]
struct Until {
    since: i64,
    nanos: u64,
    policy: usize,
}

impl Until {
    /// Nanoseconds that are left; `None` when it is over. A clock that was set back tells nothing of what was noted.
    fn left(&self, now: Timestamp) -> Option<u64> {
        let elapsed = u64::try_from(now.as_millis() - self.since).ok()?.saturating_mul(1_000_000);
        Some(self.nanos.saturating_sub(elapsed)).filter(|left| *left > 0)
    }
}

impl Denied {
    /// The longest of the refusals that are known. Who is held is asked about each time: what is held takes from others.
    fn of(&self, due: &[Due<'_>], cells: &[Cell<'_>], now: Timestamp) -> Option<RateLimited> {
        let refusing = due.iter().zip(cells).filter(|(_, cell)| cell.refuses);
        let known = refusing.filter_map(|(due, cell)| {
            let left = self.0.get(&cell.key)?.left(now)?;
            Some(due.policy.limited(left.div_ceil(1_000_000)))
        });
        known.max_by_key(|refused| refused.retry_after_ms)
    }

    fn note(&mut self, key: [u8; 16], until: Until) {
        if self.0.len() >= DENIED_MAX {
            let now = Timestamp::from_millis(until.since);
            self.0.retain(|_, known| known.left(now).is_some() || known.since > until.since);
            if self.0.len() >= DENIED_MAX {
                self.0.clear();
            }
        }
        self.0.insert(key, until);
    }

    /// How many are known of that policy.
    fn count(&self, policy: usize, now: Timestamp) -> usize {
        self.0.values().filter(|until| until.policy == policy && until.left(now).is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::app::limits::local::Key;
    use crate::app::limits::{Route, Tier};
    use crate::domain::shared::Away;
    use crate::domain::site::SiteId;

    /// Says what it is told to say, and counts how often it was asked.
    struct Told {
        nodes: AtomicU32,
        asked: AtomicU32,
        nanos: AtomicU64,
        is_away: std::sync::atomic::AtomicBool,
    }

    #[async_trait]
    impl Tally for Told {
        async fn take(&self, cells: &[Cell<'_>], _: Timestamp) -> Result<Vec<u64>, Away> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.is_away.load(Ordering::Relaxed) {
                return Err(Away);
            }
            Ok(cells.iter().map(|_| self.nanos.load(Ordering::Relaxed)).collect())
        }

        fn nodes(&self) -> u32 {
            self.nodes.load(Ordering::Relaxed)
        }
    }

    fn of(on_limit: OnLimit) -> (Arc<Told>, SharedLimiter) {
        let policy = PolicyConfig {
            name: "a".to_owned(),
            key: Key::Author,
            quota: NonZeroU32::new(10).expect("positive"),
            window_s: NonZeroU32::new(60).expect("positive"),
            on_limit,
            routes: vec![Route::Comment],
            tiers: vec![Tier::New],
        };
        let told = Told {
            nodes: AtomicU32::new(3),
            asked: AtomicU32::default(),
            nanos: AtomicU64::default(),
            is_away: std::sync::atomic::AtomicBool::default(),
        };
        let told = Arc::new(told);
        let config = Config { enabled: true, max_keys: 100, policies: vec![policy] };
        let tally: Arc<dyn Tally> = Arc::<Told>::clone(&told);
        (told, SharedLimiter::new(&config, 7, tally).expect("valid"))
    }

    fn take(limiter: &SharedLimiter, author: &str, at_ms: i64) -> Result<Allowance, RateLimited> {
        let subject = Subject {
            site: SiteId(1),
            route: Route::Comment,
            tier: Tier::New,
            ip: None,
            author: Some(author),
            email: None,
        };
        limiter.take(&subject, Timestamp::from_millis(1_795_000_000_000 + at_ms)).now_or_never().expect("never waits")
    }

    #[test]
    fn who_is_refused_is_not_asked_about_again_before_it_is_due() {
        let (told, limiter) = of(OnLimit::Refuse);
        told.nanos.store(2_000_500_000, Ordering::Relaxed);
        let waits = |at_ms| take(&limiter, "anna", at_ms).map_err(|refused| refused.retry_after_ms);
        assert_eq!((waits(0), waits(500), waits(2_000)), (Err(2_001), Err(1_501), Err(1)));
        assert_eq!(told.asked.load(Ordering::Relaxed), 1);
        told.nanos.store(0, Ordering::Relaxed);
        assert_eq!(take(&limiter, "bert", 2_000), Ok(Allowance::Within), "others are asked about");
        assert_eq!(waits(-1), Ok(Allowance::Within), "a clock that was set back");
        assert_eq!(waits(2_001), Ok(Allowance::Within));
        assert_eq!(told.asked.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn what_is_held_takes_from_others_and_is_asked_about_each_time() {
        let (told, limiter) = of(OnLimit::Hold);
        told.nanos.store(1, Ordering::Relaxed);
        for _ in 0..2 {
            assert!(matches!(take(&limiter, "anna", 0), Ok(Allowance::Hold { retry_after_ms: 1, .. })));
        }
        assert_eq!(told.asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn what_is_shown_is_what_this_node_knows() {
        for on_limit in [OnLimit::Refuse, OnLimit::Hold] {
            let (told, limiter) = of(on_limit);
            let shown = |at_ms: i64| {
                let state = limiter.state(Timestamp::from_millis(1_795_000_000_000 + at_ms)).remove(0);
                (state.quota, state.counted, state.limited)
            };
            assert_eq!(shown(0), (10, 0, 0));
            assert_eq!(take(&limiter, "anna", 0), Ok(Allowance::Within));
            assert_eq!(shown(0), (10, 1, 0), "the quota of all nodes");
            told.nanos.store(2_000_000_000, Ordering::Relaxed);
            assert_ne!(take(&limiter, "anna", 0), Ok(Allowance::Within));
            assert_eq!(shown(1_999), (10, 1, 1));
            assert_eq!(shown(2_000).2, 0, "it is over");
        }
    }

    #[test]
    fn alone_a_third_is_let_through_of_what_was_not_let_through_before() {
        let (told, limiter) = of(OnLimit::Refuse);
        for _ in 0..2 {
            assert_eq!(take(&limiter, "anna", 0), Ok(Allowance::Within));
        }
        told.is_away.store(true, Ordering::Relaxed);
        assert_eq!(take(&limiter, "anna", 0), Ok(Allowance::Within), "ten for three: three each");
        let refused = take(&limiter, "anna", 0).expect_err("used up here");
        assert_eq!((refused.quota, refused.retry_after_ms), (10, 20_000), "said of the whole; due as its own share is");
        told.is_away.store(false, Ordering::Relaxed);
        assert_eq!(take(&limiter, "anna", 0), Ok(Allowance::Within), "what is shared says what is so");
    }

    #[test]
    fn a_node_that_comes_or_goes_is_no_fresh_start() {
        let (told, limiter) = of(OnLimit::Refuse);
        told.is_away.store(true, Ordering::Relaxed);
        let within = || (0..20).filter(|_| take(&limiter, "anna", 0).is_ok()).count();
        assert_eq!(within(), 3, "ten for three");
        told.nodes.store(2, Ordering::Relaxed);
        assert_eq!(within(), 2, "five for each of two, and three are taken");
        told.nodes.store(3, Ordering::Relaxed);
        assert_eq!(within(), 0);
    }

    #[test]
    fn keys_that_are_known_to_be_refused_are_bounded() {
        let mut denied = Denied::default();
        for at in 0..u32::try_from(DENIED_MAX).expect("few") * 2 {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&at.to_le_bytes());
            denied.note(key, Until { since: 1_000, nanos: 1_000_000_000, policy: 0 });
            assert!(denied.0.len() <= DENIED_MAX);
        }
    }
}

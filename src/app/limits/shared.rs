//! Limits that several nodes count together.
//!
//! They mean what [`LocalLimiter`]'s mean, policy by policy: of `quota` comments exactly as many are let through over all nodes. What was
//! refused stays refused until it is due, without being asked for again: nothing gives back what was taken.
//!
//! When what nodes share is away, each node lets its fair share through by itself: the quota divided by the nodes that were last alive. It
//! has counted all along what it let through, so that an outage is no fresh start for those who had used theirs up here.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::local::LocalLimiter;
use super::policies::{BadLimits, Config, Due, OnLimit, Policies, PolicyConfig, Waiting};
use super::{Limiter, RateLimited, Subject};
use crate::domain::shared::{Cell, Tally};
use crate::domain::signal::Allowance;
use crate::domain::time::Timestamp;

/// Keys that are known to be refused at most; when there are more, those go that are due, and then all: they are asked for again.
const DENIED_MAX: usize = 50_000;

/// Limits of all nodes together.
pub struct SharedLimiter {
    config: Config,
    policies: Policies,
    seed: u64,
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
            seed,
            tally,
            denied: Mutex::default(),
            alone: Mutex::new((1, Arc::new(alone))),
        })
    }

    /// This node's own limits: its share of the quotas among so many nodes as are alive, at least one of each.
    fn alone(&self) -> Arc<LocalLimiter> {
        let nodes = self.tally.nodes().max(1);
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        if alone.0 != nodes {
            let mut config = self.config.clone();
            for policy in &mut config.policies {
                policy.quota = NonZeroU32::new(policy.quota.get() / nodes).unwrap_or(NonZeroU32::MIN);
            }
            // Smaller quotas cannot be wrong where the whole ones were not.
            if let Ok(limiter) = LocalLimiter::new(&config, self.seed) {
                *alone = (nodes, Arc::new(limiter));
            }
        }
        Arc::clone(&alone.1)
    }

    /// Counts by itself; says of a refusal what the limit is for all.
    fn take_alone(&self, subject: &Subject<'_>, now: Timestamp) -> Result<Allowance, RateLimited> {
        self.alone().count(subject, now).map_err(|refused| {
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
            let _ = self.alone().count(subject, now);
        } else {
            let mut denied = self.denied();
            for (cell, waiting) in cells.iter().zip(&waiting).filter(|(cell, it)| cell.refuses && it.nanos > 0) {
                denied.note(cell.key, now, waiting.nanos);
            }
        }
        concluded
    }
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

/// Keys of which is known that nothing is let through: since when, in milliseconds, and for how many nanoseconds from then.
#[derive(Default)]
struct Denied(HashMap<[u8; 16], (i64, u64)>);

impl Denied {
    /// The longest of the refusals that are known.
    fn of(&self, due: &[Due<'_>], cells: &[Cell<'_>], now: Timestamp) -> Option<RateLimited> {
        let left = |(since, nanos): &(i64, u64)| {
            // A clock that was set back tells nothing of what was noted.
            let elapsed = u64::try_from(now.as_millis() - since).ok()?.saturating_mul(1_000_000);
            Some(nanos.saturating_sub(elapsed)).filter(|left| *left > 0)
        };
        let known = due.iter().zip(cells).filter_map(|(due, cell)| {
            let left = left(self.0.get(&cell.key)?)?;
            Some(due.policy.limited(left.div_ceil(1_000_000)))
        });
        known.max_by_key(|refused| refused.retry_after_ms)
    }

    fn note(&mut self, key: [u8; 16], now: Timestamp, nanos: u64) {
        let now = now.as_millis();
        if self.0.len() >= DENIED_MAX {
            let is_due = |since: i64, nanos: u64| {
                u64::try_from(now - since).is_ok_and(|elapsed| elapsed.saturating_mul(1_000_000) >= nanos)
            };
            self.0.retain(|_, (since, nanos)| !is_due(*since, *nanos));
            if self.0.len() >= DENIED_MAX {
                self.0.clear();
            }
        }
        self.0.insert(key, (now, nanos));
    }
}

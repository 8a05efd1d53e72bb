//! Comments that are kept for a time, and then deleted whole: by what became of them, in small steps beside everything else.
//!
//! As when a comment is erased, nothing that was kept of it stays but that there was one where figures count it; sites learn anew without it. It is not put on
//! the list of the erased: a restored backup has it for as long as it takes to come by again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::app::in_flight::to_its_end;
use crate::app::live::Live;
use crate::app::standing::Listeners;
use crate::domain::retention::{Class, Expired, Expiry};
use crate::domain::store::{Result, Store};
use crate::domain::time::Timestamp;

/// Comments looked at in one transaction: others wait for it.
const STEP: usize = 1_000;
/// Comments looked at before everything else that a node does for all has its turn again: the next look goes on there.
const AT_ONCE: u64 = 200_000;

/// `[retention]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Days after which comments are deleted that stand approved without a person's word; 0 for never.
    pub approved_days: u32,
    /// Days after which comments are deleted that stand rejected without a person's word; 0 for never.
    pub rejected_days: u32,
    /// Days after which comments are deleted that a person decided about; 0 for never.
    pub decided_days: u32,
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("retention.{0}: at most 36500 (a hundred years), and 0 for never")]
pub struct BadRetention(&'static str);

impl Config {
    /// Whether it can work.
    ///
    /// # Errors
    /// [`BadRetention`], naming the key.
    pub fn check(&self) -> std::result::Result<(), BadRetention> {
        let Self { approved_days, rejected_days, decided_days } = self;
        let all = [("approved_days", approved_days), ("rejected_days", rejected_days), ("decided_days", decided_days)];
        match all.into_iter().find(|(_, days)| **days > 36_500) {
            Some((name, _)) => Err(BadRetention(name)),
            None => Ok(()),
        }
    }

    fn expiry(&self, now: Timestamp) -> Expiry {
        let before = |days: u32| (days > 0).then(|| now.plus_millis(-i64::from(days) * 86_400_000));
        Expiry {
            approved: before(self.approved_days),
            rejected: before(self.rejected_days),
            decided: before(self.decided_days),
        }
    }
}

/// Deletes comments that are too old.
pub struct Retention {
    store: Arc<dyn Store>,
    listeners: Listeners,
    config: Live<Config>,
    /// Where the next look goes on.
    next: Mutex<Option<String>>,
}

impl Retention {
    /// Joins the ports.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, listeners: Listeners, config: impl Into<Live<Config>>) -> Self {
        Self { store, listeners, config: config.into(), next: Mutex::default() }
    }

    /// Deletes what is too old, in bounded transactions, until all was looked at or much was. Answers how many of each class are gone.
    ///
    /// # Errors
    /// The store failed; what is gone stays gone, and the next call goes on.
    pub async fn expire(&self, now: Timestamp) -> Result<BTreeMap<Class, u64>> {
        let mut counts = BTreeMap::new();
        let mut looked_at = 0;
        while looked_at < AT_ONCE {
            let expiry = self.config.get().expiry(now); // each time: whoever takes it back is heard at once
            if expiry.latest().is_none() {
                break;
            }
            let expired = self.step(expiry, now).await?;
            looked_at += expired.looked_at;
            for (class, _) in &expired.gone {
                *counts.entry(*class).or_default() += 1;
                metrics::counter!("doorward_comments_expired_total", "class" => class.name()).increment(1);
            }
            self.at(expired.next.clone());
            if expired.next.is_none() {
                break;
            }
        }
        Ok(counts)
    }

    /// One transaction, and whoever has to know told of it.
    async fn step(&self, expiry: Expiry, now: Timestamp) -> Result<Expired> {
        let after = self.next.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (store, listeners) = (Arc::clone(&self.store), self.listeners.clone());
        to_its_end(async move {
            let expired = store.comments_expire(expiry, after, STEP, now).await?;
            for (_, comment) in &expired.gone {
                listeners.threads.changed(&comment.trace);
                listeners.history.forget(&comment.trace).await;
                listeners.events.erased(comment.uid, &comment.place, now);
            }
            Ok(expired)
        })
        .await
    }

    fn at(&self, next: Option<String>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

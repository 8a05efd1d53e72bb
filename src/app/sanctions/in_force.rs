//! Those in force, kept in memory and read again after every change here, and after a few seconds for changes by other processes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::sanction::{Sanction, TargetHash};
use crate::domain::store::{self, Store};
use crate::domain::time::Timestamp;

/// How long what was read is believed, in milliseconds: a command beside the service may change it.
const REMEMBERED_MS: i64 = 3_000;
/// The same where changes are told: for what is told and does not arrive.
pub(super) const REMEMBERED_TOLD_MS: i64 = 60_000;

/// Sanctions in force, as of one moment.
pub(super) struct InForce {
    pub by_hash: HashMap<TargetHash, Vec<Sanction>>,
    pub count: usize,
    read_at: Timestamp,
}

/// What was read last, and for how long it is believed.
pub(super) struct Remembered {
    store: Arc<dyn Store>,
    believed_ms: i64,
    known: Mutex<Option<Arc<InForce>>>,
    reading: tokio::sync::Mutex<()>,
}

impl Remembered {
    pub(super) fn of(store: Arc<dyn Store>) -> Self {
        Self { store, believed_ms: REMEMBERED_MS, known: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    /// The same, believed for so many milliseconds.
    pub(super) fn believed_for(self, believed_ms: i64) -> Self {
        Self { believed_ms, ..self }
    }

    /// Those in force, as of a moment that is believed.
    pub(super) async fn at(&self, now: Timestamp) -> store::Result<Arc<InForce>> {
        if let Some(known) = self.known(now) {
            return Ok(known);
        }
        let _one_reads = self.reading.lock().await;
        if let Some(known) = self.known(now) {
            return Ok(known);
        }
        self.read(now).await
    }

    fn known(&self, now: Timestamp) -> Option<Arc<InForce>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Requests read the clock before they come here: one that is a little earlier than the last read is no reason to read again.
        let is_fresh = |read_at: Timestamp| {
            now < read_at.plus_millis(self.believed_ms) && now > read_at.plus_millis(-self.believed_ms)
        };
        known.as_ref().filter(|known| is_fresh(known.read_at)).map(Arc::clone)
    }

    /// After a change, here or elsewhere: whoever is answered finds it in force. When that fails, the next comment reads.
    pub(super) async fn renew(&self, now: Timestamp) {
        let _one_reads = self.reading.lock().await; // a read that began before the change must not end after this one
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Err(error) = self.read(now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "sanctions could not be read");
        }
    }

    async fn read(&self, now: Timestamp) -> store::Result<Arc<InForce>> {
        let all = self.store.sanctions_active(now).await?;
        let mut in_force = InForce { by_hash: HashMap::new(), count: all.len(), read_at: now };
        for sanction in all {
            in_force.by_hash.entry(sanction.hash).or_default().push(sanction);
        }
        let in_force = Arc::new(in_force);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&in_force));
        Ok(in_force)
    }
}

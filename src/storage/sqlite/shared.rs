//! What writer and readers share: the index, the seal of uids, the names of sites.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension};
use tokio::sync::Notify;

use super::index::Index;
use super::queue::{HeldWords, Kept};
use super::uid::Seal;
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::storage::Scratch;
use crate::storage::derived::Derived;

/// See the module.
pub(super) struct Shared {
    pub index: Index,
    pub seal: Seal,
    derived: Derived,
    names: RwLock<HashMap<SiteId, Arc<str>>>,
    kept: Mutex<Kept>,
    held_words: Mutex<HeldWords>,
    /// That there is something to be told.
    pub news: News,
}

/// Tells whoever delivers that a commit wrote something to be told.
#[derive(Default)]
pub(super) struct News {
    written: AtomicBool,
    committed: Notify,
}

impl News {
    /// A job wrote something; nobody must look before its commit.
    pub(super) fn write(&self) {
        self.written.store(true, Ordering::Relaxed);
    }

    /// The commit is done, or has failed: then whoever looks finds nothing.
    pub(super) fn publish(&self) {
        if self.written.swap(false, Ordering::Relaxed) {
            self.committed.notify_one();
        }
    }

    pub(super) async fn read(&self) {
        self.committed.notified().await;
    }
}

/// What is made from the secret reads as a part of this.
impl Deref for Shared {
    type Target = Derived;

    fn deref(&self) -> &Derived {
        &self.derived
    }
}

impl Shared {
    /// With keys made from the database's `secret`.
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        let derived = Derived::new(secret);
        Self {
            index: Index::new(),
            seal: Seal::new(&derived.uid_key),
            derived,
            names: RwLock::default(),
            kept: Mutex::default(),
            held_words: Mutex::default(),
            news: News::default(),
        }
    }

    /// With the key of another database for what sanctions aim at, where this one is a scratch copy of it.
    pub(super) fn aiming(mut self, scratch: Option<Scratch>) -> Self {
        if let Some(Scratch { target_key }) = scratch {
            self.derived.target_key = target_key;
        }
        self
    }

    /// What is kept of the queue. Whoever takes it must not have read anything in its transaction yet.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        locked(&self.kept)
    }

    /// The words of what waits; to be taken before [`Self::kept`], and before anything is read.
    pub(super) fn held_words(&self) -> MutexGuard<'_, HeldWords> {
        locked(&self.held_words)
    }

    /// The name of a site. Names never change and numbers are never used again, so what was read once stays right.
    pub(super) fn site_name(&self, connection: &Connection, site: SiteId) -> Result<Arc<str>> {
        let name = self.site_name_if_any(connection, site)?;
        name.ok_or_else(|| StoreError::Corrupt(format!("site {} is missing", site.0)))
    }

    /// The same of a site that may be deleted.
    pub(super) fn site_name_if_any(&self, connection: &Connection, site: SiteId) -> Result<Option<Arc<str>>> {
        if let Some(name) = self.names.read().unwrap_or_else(PoisonError::into_inner).get(&site) {
            return Ok(Some(Arc::clone(name)));
        }
        let mut query = connection.prepare_cached("SELECT name FROM site WHERE id = ?1")?;
        let name: Option<String> = query.query_row([site.0], |row| row.get(0)).optional()?;
        let Some(name) = name else { return Ok(None) };
        let name: Arc<str> = name.into();
        self.names.write().unwrap_or_else(PoisonError::into_inner).insert(site, Arc::clone(&name));
        Ok(Some(name))
    }
}

/// The lock; what a panic left half done is forgotten, and read anew.
fn locked<T: Default>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(|poisoned| {
        lock.clear_poison();
        let mut left = poisoned.into_inner();
        *left = T::default();
        left
    })
}

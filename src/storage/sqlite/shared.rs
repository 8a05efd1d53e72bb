//! What writer and readers share: the index, the seal of uids, the names of sites.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OptionalExtension};
use sha2::Sha256;
use tokio::sync::Notify;

use super::index::{Hasher, Index};
use super::queue::{HeldWords, Kept};
use super::uid::Seal;
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};

/// See the module.
pub(super) struct Shared {
    pub index: Index,
    pub hasher: Hasher,
    pub seal: Seal,
    /// What sanctions' targets are hashed with. Made from what stands in the same file: see [`crate::domain::sanction`].
    pub target_key: [u8; 32],
    reader_key: [u8; 32],
    lot_key: [u8; 32],
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

impl Shared {
    /// With keys made from the database's `secret`.
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        let derive = |purpose: &str| -> [u8; 32] {
            let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
            mac.chain_update(purpose.as_bytes()).finalize().into_bytes().into()
        };
        let seed = u64::from_le_bytes(derive("keys")[..8].try_into().expect("eight bytes are eight bytes"));
        Self {
            index: Index::new(),
            hasher: Hasher(seed),
            seal: Seal::new(&derive("uid")),
            target_key: derive("sanction"),
            reader_key: derive("reader"),
            lot_key: derive("lot"),
            names: RwLock::default(),
            kept: Mutex::default(),
            held_words: Mutex::default(),
            news: News::default(),
        }
    }

    /// What is kept of the queue. Whoever takes it must not have read anything in its transaction yet.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        locked(&self.kept)
    }

    /// The words of what waits; to be taken before [`Self::kept`], and before anything is read.
    pub(super) fn held_words(&self) -> MutexGuard<'_, HeldWords> {
        locked(&self.held_words)
    }

    /// What stands for a site's reader, or for a message that it sent.
    pub(super) fn reader(&self, site: SiteId, id: &str) -> [u8; 16] {
        let mac = Hmac::<Sha256>::new_from_slice(&self.reader_key).expect("HMAC takes keys of any length");
        let digest = mac.chain_update(site.0.to_le_bytes()).chain_update(id.as_bytes()).finalize().into_bytes();
        digest[..16].try_into().expect("sixteen bytes are sixteen bytes")
    }

    /// Two numbers from 0.0 to below 1.0 that only this database can draw for a site's thing of that name.
    pub(super) fn lots(&self, site: SiteId, name: &str) -> [f64; 2] {
        let mac = Hmac::<Sha256>::new_from_slice(&self.lot_key).expect("HMAC takes keys of any length");
        let digest = mac.chain_update(site.0.to_le_bytes()).chain_update(name.as_bytes()).finalize().into_bytes();
        [0, 4].map(|at| {
            let drawn = u32::from_le_bytes(digest[at..at + 4].try_into().expect("four bytes are four bytes"));
            f64::from(drawn) / (f64::from(u32::MAX) + 1.0)
        })
    }

    /// The name of a site. Names never change and numbers are never used again, so what was read once stays right.
    pub(super) fn site_name(&self, connection: &Connection, site: SiteId) -> Result<Arc<str>> {
        if let Some(name) = self.names.read().unwrap_or_else(PoisonError::into_inner).get(&site) {
            return Ok(Arc::clone(name));
        }
        let mut query = connection.prepare_cached("SELECT name FROM site WHERE id = ?1")?;
        let name: Option<String> = query.query_row([site.0], |row| row.get(0)).optional()?;
        let name: Arc<str> = name.ok_or_else(|| StoreError::Corrupt(format!("site {} is missing", site.0)))?.into();
        self.names.write().unwrap_or_else(PoisonError::into_inner).insert(site, Arc::clone(&name));
        Ok(name)
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

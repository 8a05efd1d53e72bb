//! What all connections of a store share: what is made from the secret, the names of sites, and news.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::db::{Cells as _, Db, number};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::storage::derived::Derived;

/// See the module.
pub(super) struct Shared {
    derived: Derived,
    names: RwLock<HashMap<SiteId, Arc<str>>>,
    /// That a commit wrote something to be told to sites.
    pub news: Notify,
    pub locks: Locks,
}

/// Advisory locks, which a whole database shares: each installation in it has numbers of its own, made from its secret.
pub(super) struct Locks {
    /// What those take turns by who write comments and who recognise campaigns. Comments are written under it shared. Whoever writes what is
    /// new of a campaign holds it alone, and first: earlier comments that belong to it are then either stored, or not begun and told to join.
    pub joining: i64,
    /// What those who write lines of the audit record take turns by.
    pub audit: i64,
    /// What those who make labels of imports take turns by: they give them their numbers themselves.
    pub imports: i64,
    /// Whoever replaces addresses holds it alone; who brings in comments of the past, which lie below where that has got to, shared.
    pub hashing: i64,
    /// With a site: what those who take from its outbox hold together, and whoever sends its dead letters again holds alone.
    pub outbox: i32,
}

impl Locks {
    fn new(derived: &Derived) -> Self {
        let number = |purpose: &str| xxh3_64_with_seed(purpose.as_bytes(), derived.hasher.0);
        let [_, _, _, _, outbox @ ..] = number("outbox").to_le_bytes();
        Self {
            joining: number("joining").cast_signed(),
            audit: number("audit").cast_signed(),
            imports: number("imports").cast_signed(),
            hashing: number("hashing").cast_signed(),
            outbox: i32::from_le_bytes(outbox),
        }
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
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        let derived = Derived::new(secret);
        let locks = Locks::new(&derived);
        Self { derived, names: RwLock::default(), news: Notify::new(), locks }
    }

    /// The name of a site that was read before.
    pub(super) fn known_name(&self, site: SiteId) -> Option<Arc<str>> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).get(&site).map(Arc::clone)
    }

    /// The name of a site. Names never change and numbers are never used again, so what was read once stays right.
    pub(super) async fn site_name(&self, db: &Db, site: SiteId) -> Result<Arc<str>> {
        if let Some(name) = self.known_name(site) {
            return Ok(name);
        }
        let found = db.query_opt("SELECT name FROM site WHERE id = $1", &[&number(site)]).await?;
        let found = found.ok_or_else(|| StoreError::Corrupt(format!("site {} is missing", site.0)))?;
        let name: Arc<str> = found.cell::<&str>(0)?.into();
        self.names.write().unwrap_or_else(PoisonError::into_inner).insert(site, Arc::clone(&name));
        Ok(name)
    }
}

//! What all connections of a store share: what is made from the secret, the names of sites, and news.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

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
        Self { derived: Derived::new(secret), names: RwLock::default(), news: Notify::new() }
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

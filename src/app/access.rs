//! Who is asking: site keys and personal tokens, from a bearer string.
//!
//! A key is looked up by its hash and remembered for a few seconds, so that keys made, rotated or withdrawn by the command line take effect
//! beside a running service without a database read for every comment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::keys;
use crate::domain::people::Person;
use crate::domain::site::Site;
use crate::domain::store::{KeyHash, Result, SiteKey, Store};
use crate::domain::time::Timestamp;

/// How long an answer is remembered, in milliseconds.
const REMEMBERED_MS: i64 = 3_000;
/// Answers remembered at most: a flood of wrong keys must not fill the memory.
const MOST: usize = 10_000;

/// Whoever a bearer string stands for.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A site, with what its key may do.
    Site(SiteKey),
    /// A person, with a personal token.
    Person(Person),
}

/// Looks keys up.
pub struct Access {
    store: Arc<dyn Store>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    principals: HashMap<KeyHash, (Option<Principal>, Timestamp)>,
    akismet: HashMap<KeyHash, (Option<Arc<Site>>, Timestamp)>,
    /// How often everything was forgotten: what was read before that is not remembered.
    forgotten: u64,
}

impl Access {
    /// Over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// Whom `bearer` stands for; `None` when nobody.
    ///
    /// # Errors
    /// The store could not be asked.
    pub async fn principal(&self, bearer: &str, now: Timestamp) -> Result<Option<Principal>> {
        let hash = keys::hash(bearer);
        if let Some(known) = self.remembered(&hash, now) {
            return Ok(known);
        }
        let forgotten = self.known().forgotten;
        let principal = match self.store.site_key_find(&hash).await? {
            Some(site) => Some(Principal::Site(site)),
            None => self.store.token_find(&hash).await?.map(Principal::Person),
        };
        let mut known = self.known();
        if known.principals.len() >= MOST {
            known.principals.clear();
        }
        if known.forgotten == forgotten {
            known.principals.insert(hash, (principal.clone(), now.plus_millis(REMEMBERED_MS)));
        }
        Ok(principal)
    }

    /// The site whose Akismet key that is; `None` when nobody's. It opens nothing but what speaks Akismet's protocol.
    ///
    /// # Errors
    /// The store could not be asked.
    pub async fn akismet(&self, key: &str, now: Timestamp) -> Result<Option<Arc<Site>>> {
        let hash = keys::hash(&key.to_ascii_lowercase()); // as the first label of a host it comes in any case
        let (known, forgotten) = {
            let known = self.known();
            (known.akismet.get(&hash).filter(|(_, until)| is_fresh(*until, now)).cloned(), known.forgotten)
        };
        if let Some((site, _)) = known {
            return Ok(site);
        }
        let site = self.store.akismet_site(&hash).await?.map(Arc::new);
        let mut known = self.known();
        if known.akismet.len() >= MOST {
            known.akismet.clear();
        }
        if known.forgotten == forgotten {
            known.akismet.insert(hash, (site.clone(), now.plus_millis(REMEMBERED_MS)));
        }
        Ok(site)
    }

    /// Forgets everything: another process changed something.
    pub fn forget(&self) {
        let mut known = self.known();
        known.principals.clear();
        known.akismet.clear();
        known.forgotten += 1;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, hash: &KeyHash, now: Timestamp) -> Option<Option<Principal>> {
        let known = self.known();
        let (principal, until) = known.principals.get(hash)?;
        is_fresh(*until, now).then(|| principal.clone())
    }
}

/// Whether what is remembered until then counts now, whatever was done to the clock.
fn is_fresh(until: Timestamp, now: Timestamp) -> bool {
    now < until && now >= until.plus_millis(-REMEMBERED_MS)
}

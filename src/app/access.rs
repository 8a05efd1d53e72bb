//! Who is asking: site keys and personal tokens, from a bearer string.
//!
//! A key is looked up by its hash and remembered for a few seconds, so that keys made, rotated or withdrawn by the command line take effect
//! beside a running service without a database read for every comment.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::akismet::lookup::{self, Lookup};
use crate::app::keys;
use crate::domain::people::Person;
use crate::domain::site::Site;
use crate::domain::store::{KeyHash, Result, SiteKey, Store};
use crate::domain::time::Timestamp;

/// How long an answer is remembered, in milliseconds.
const REMEMBERED_MS: i64 = 3_000;
/// Answers remembered at most: a flood of wrong keys must not fill the memory.
const MOST: usize = 10_000;
/// How long it is remembered that an Akismet key opened from an address, in milliseconds: a day.
const OPENED_MS: i64 = 86_400_000;

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
    lookup: Lookup,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    principals: HashMap<KeyHash, (Option<Principal>, Timestamp)>,
    akismet: HashMap<KeyHash, (Option<Arc<Site>>, Timestamp)>,
    /// Akismet keys that opened, from where, and until when that is remembered.
    opened: HashMap<(KeyHash, Option<IpAddr>), Timestamp>,
    /// How often everything was forgotten: what was read before that is not remembered.
    forgotten: u64,
}

impl Access {
    /// Over `store`, whose Akismet keys are looked up by what `lookup` makes of them.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, lookup: Lookup) -> Self {
        Self { store, lookup, known: Mutex::default() }
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
        let hash = self.lookup.hash(key);
        let (known, forgotten) = {
            let known = self.known();
            (known.akismet.get(&hash).filter(|(_, until)| is_fresh(*until, now)).cloned(), known.forgotten)
        };
        if let Some((site, _)) = known {
            return Ok(site);
        }
        let site = match self.store.akismet_site(&hash).await? {
            Some(site) => Some(site),
            // One that a version before this one made, or left while others of its kind were about.
            None => self.store.akismet_site(&lookup::hash_before(key)).await?,
        };
        let site = site.map(Arc::new);
        let mut known = self.known();
        if known.akismet.len() >= MOST {
            known.akismet.clear();
        }
        if known.forgotten == forgotten {
            known.akismet.insert(hash, (site.clone(), now.plus_millis(REMEMBERED_MS)));
        }
        Ok(site)
    }

    /// Whether that Akismet key opened from that address lately: then it is no guess.
    #[must_use]
    pub fn akismet_opened(&self, key: &str, from: Option<IpAddr>, now: Timestamp) -> bool {
        let until = self.known().opened.get(&(self.lookup.hash(key), from)).copied();
        until.is_some_and(|until| now < until && now >= until.plus_millis(-OPENED_MS))
    }

    /// Notes that it did.
    pub fn note_akismet_opened(&self, key: &str, from: Option<IpAddr>, now: Timestamp) {
        let pair = (self.lookup.hash(key), from);
        let mut known = self.known();
        if known.opened.len() >= MOST && !known.opened.contains_key(&pair) {
            known.opened.clear();
        }
        known.opened.insert(pair, now.plus_millis(OPENED_MS));
    }

    /// What stands for a site's Akismet key where the key is not to be shown.
    #[must_use]
    pub fn akismet_token(&self, site: &str, key: &str) -> KeyHash {
        self.lookup.token(site, key)
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

//! What Akismet keys are looked up by. A key has 48 bits, because its clients take no longer one: a plain hash of it is tried out within minutes by
//! whoever has a copy of the database. So it is an HMAC, under a key of the database that is sealed under `secrets.key_file`: the copy alone gives no
//! key away, and when the key of secrets is replaced, the one here is sealed anew and the hashes stay what they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::app::keys;
use crate::app::secrets::{Sealer, SecretError};
use crate::domain::akismet::StoredKey;
use crate::domain::store::{KeyHash, Store, StoreError};

/// What it is sealed for; no site has this name.
const OWNER: &str = "";
const FIELD: &str = "akismet-lookup";
/// How often another process may be first before this is given up.
const ATTEMPTS: usize = 5;

/// Why keys cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The key file: what is stored does not open with it.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Hashes keys. One for a database, and the same in all its processes.
#[derive(Clone)]
pub struct Lookup([u8; 32]);

impl std::fmt::Debug for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lookup([redacted])")
    }
}

impl Lookup {
    /// The one of this database; a new one where it has none yet.
    ///
    /// # Errors
    /// [`LookupError`]; `Secret(Sealed)` when there is one that does not open with this key file: it is left alone.
    pub async fn open(store: &dyn Store, sealer: &Sealer) -> Result<Self, LookupError> {
        for _ in 0..ATTEMPTS {
            if let Some(stored) = store.akismet_lookup().await? {
                return read(sealer, &stored);
            }
            if let Some(made) = Self::make(store, sealer, None).await? {
                return Ok(made);
            }
        }
        Err(busy())
    }

    /// The same for a service. One that does not open is replaced: the key of secrets is lost, and with it every Akismet key that callbacks would
    /// need. [`rehash`] then finds those again that do open.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn open_serving(store: &dyn Store, sealer: &Sealer) -> Result<Self, LookupError> {
        match Self::open(store, sealer).await {
            Err(LookupError::Secret(SecretError::Sealed)) => {}
            opened => return opened,
        }
        tracing::warn!(
            "what Akismet keys are looked up by does not open with secrets.key_file: it is made anew, and a site whose key does not open either needs another \
             one (`doorward site akismet-key NAME --rotate`)"
        );
        let stored = store.akismet_lookup().await?;
        match Self::make(store, sealer, stored).await? {
            Some(made) => Ok(made),
            None => Self::open(store, sealer).await, // another process was first
        }
    }

    async fn make(store: &dyn Store, sealer: &Sealer, from: Option<Vec<u8>>) -> Result<Option<Self>, LookupError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(SecretError::from)?;
        let sealed = sealer.seal(OWNER, FIELD, &STANDARD.encode(key))?;
        Ok(store.akismet_lookup_set(from, sealed).await?.then_some(Self(key)))
    }

    /// What a key is stored and looked up by, in whatever case it came: as the first label of a host it comes in any.
    #[must_use]
    pub fn hash(&self, key: &str) -> KeyHash {
        self.mac("key", &[&key.to_ascii_lowercase()])
    }

    /// What stands for a site's key where the key is not to be shown: whoever sees it cannot try keys out on it.
    #[must_use]
    pub fn token(&self, site: &str, key: &str) -> KeyHash {
        self.mac("token", &[site, key])
    }

    fn mac(&self, use_for: &str, texts: &[&str]) -> KeyHash {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("an HMAC takes keys of any length");
        for text in std::iter::once(&use_for).chain(texts) {
            mac.update(&(text.len() as u64).to_le_bytes()); // or texts could be shifted into each other
            mac.update(text.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// What versions before this one looked a key up by.
#[must_use]
pub fn hash_before(key: &str) -> KeyHash {
    keys::hash(&key.to_ascii_lowercase())
}

/// Puts the hash that keys are looked up by now in the place of every other one; says of how many sites.
///
/// # Errors
/// The store failed, or the key file cannot be read. A key that does not open is left alone: it is nobody's.
pub async fn rehash(store: &dyn Store, sealer: &Sealer, lookup: &Lookup) -> Result<u64, LookupError> {
    let mut due = Vec::new();
    for StoredKey { site, hash, sealed } in store.akismet_keys().await? {
        let key = match sealer.unseal(&site, "akismet", &sealed) {
            Ok(key) => key,
            Err(SecretError::Sealed) => continue,
            Err(error) => return Err(error.into()),
        };
        let now = lookup.hash(&key);
        if now != hash {
            due.push((site, hash, now));
        }
    }
    if due.is_empty() { Ok(0) } else { Ok(store.akismet_rehash(due).await?) }
}

/// Seals it with the key that the file names now, where it is sealed with the one before; whether it was.
///
/// # Errors
/// The store or the key file failed.
pub(in crate::app) async fn reseal(store: &dyn Store, sealer: &Sealer) -> Result<bool, LookupError> {
    let Some(stored) = store.akismet_lookup().await? else { return Ok(false) };
    // One that opens with no key is replaced when the service starts.
    let Ok(false) = sealer.is_current(OWNER, FIELD, &stored) else { return Ok(false) };
    let key = sealer.unseal(OWNER, FIELD, &stored)?;
    let sealed = sealer.seal(OWNER, FIELD, &key)?;
    store.akismet_lookup_set(Some(stored), sealed).await?;
    Ok(true)
}

fn read(sealer: &Sealer, stored: &[u8]) -> Result<Lookup, LookupError> {
    let key = sealer.unseal(OWNER, FIELD, stored)?;
    let key = STANDARD.decode(key).ok().and_then(|key| key.try_into().ok());
    key.map(Lookup).ok_or(LookupError::Secret(SecretError::Sealed))
}

fn busy() -> LookupError {
    StoreError::Unavailable("other processes make what Akismet keys are looked up by all the time".into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_is_looked_up_by_is_found_with_the_databases_own_key_alone() {
        let (one, other) = (Lookup([1; 32]), Lookup([2; 32]));
        assert_eq!(one.hash("0123456789AB"), one.hash("0123456789ab"), "as the first label of a host");
        assert_ne!(one.hash("0123456789ab"), one.hash("0123456789ac"));
        assert_ne!(one.hash("0123456789ab"), other.hash("0123456789ab"));
        assert_ne!(one.hash("0123456789ab"), hash_before("0123456789ab"));
        assert_ne!(one.token("a", "bc"), one.token("ab", "c"));
        assert_eq!(format!("{one:?}"), "Lookup([redacted])");
    }
}

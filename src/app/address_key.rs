//! The key of addresses' hashes: one for each period, sealed under `secrets.key_file`, and gone with its period.
//!
//! With it, equal addresses have equal hashes. When hashing is turned off it goes before its period ends. Once it is gone nobody can compare with them any more, nor try addresses against them: not with
//! the whole database, not with the key file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::secrets::{Sealer, SecretError};
use crate::domain::store::{Result, Store, StoreError};
use crate::domain::time::Timestamp;

/// What it is sealed for; no site has this name.
const OWNER: &str = "";
const FIELD: &str = "addresses";
/// How often another node may be first before this is given up.
const ATTEMPTS: usize = 5;
const DAY_MS: i64 = 86_400_000;

type Key = [u8; 32];

/// The key of the period in which `now` lies; a new one where that has none yet, and then the one before is gone.
///
/// # Errors
/// The store or the key file failed.
pub(super) async fn current(store: &dyn Store, sealer: &Sealer, days: u32, now: Timestamp) -> Result<Key> {
    let period = now.as_millis().div_euclid(i64::from(days.max(1)) * DAY_MS);
    for _ in 0..ATTEMPTS {
        let stored = store.address_key().await?;
        let key = match stored.as_deref().map(|stored| open(sealer, stored)) {
            Some(Opened::Sealed(of, key)) if of == period => return Ok(key),
            Some(Opened::Bare(of, key)) if of == period => key, // as versions before this one left it: it is sealed now
            Some(Opened::Not) => {
                tracing::warn!(
                    "the key of addresses' hashes does not open with secrets.key_file: a new one begins its period anew"
                );
                random()?
            }
            _ => random()?,
        };
        let sealed = seal(sealer, period, &key)?;
        if store.address_key_set(stored, sealed).await? {
            return Ok(key);
        }
    }
    Err(StoreError::Unavailable("other nodes replace the key of addresses' hashes all the time".into()))
}

/// Nothing is hashed any more: the key goes at once, whatever its period, so that nobody can try addresses against what was hashed under it. Again is
/// harmless.
///
/// # Errors
/// The store failed.
pub(super) async fn forget(store: &dyn Store) -> Result<()> {
    if let Some(stored) = store.address_key().await?
        && store.address_key_forget(stored).await?
    {
        tracing::info!("addresses are hashed no more: the key of their hashes is gone");
    }
    Ok(())
}

/// Seals it with the key that the file names now, where it is sealed with the one before; whether it was.
///
/// # Errors
/// The store or the key file failed.
pub(super) async fn reseal(store: &dyn Store, sealer: &Sealer) -> std::result::Result<bool, ResealError> {
    let Some(stored) = store.address_key().await? else { return Ok(false) };
    // One that opens with no key is replaced when it is needed: nothing is lost that was not to be lost some day.
    let Ok(false) = sealer.is_current(OWNER, FIELD, &stored) else { return Ok(false) };
    let key = sealer.unseal(OWNER, FIELD, &stored)?;
    let sealed = sealer.seal(OWNER, FIELD, &key)?;
    store.address_key_set(Some(stored), sealed).await?;
    Ok(true)
}

/// Why it was not sealed anew.
#[derive(Debug, thiserror::Error)]
pub enum ResealError {
    /// The key file.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is stored, with the number of its period.
enum Opened {
    Sealed(i64, Key),
    Bare(i64, Key),
    Not,
}

fn open(sealer: &Sealer, stored: &[u8]) -> Opened {
    if let Some((of, key)) = stored.split_first_chunk::<8>()
        && let Ok(key) = key.try_into()
    {
        return Opened::Bare(i64::from_le_bytes(*of), key);
    }
    let Ok(text) = sealer.unseal(OWNER, FIELD, stored) else { return Opened::Not };
    let read = || -> Option<(i64, Key)> {
        let (of, key) = text.split_once(' ')?;
        Some((of.parse().ok()?, STANDARD.decode(key).ok()?.try_into().ok()?))
    };
    read().map_or(Opened::Not, |(of, key)| Opened::Sealed(of, key))
}

fn seal(sealer: &Sealer, period: i64, key: &Key) -> Result<Vec<u8>> {
    let sealed = sealer.seal(OWNER, FIELD, &format!("{period} {}", STANDARD.encode(key)));
    sealed.map_err(|error| StoreError::Unavailable(Box::new(error)))
}

fn random() -> Result<Key> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    Ok(key)
}

//! Rotating the key that secrets are sealed with, so that it can stop at any moment and go on.
//!
//! The new key is in the file before anything is sealed with it, and the old one stays there until nothing needs it. What another command
//! seals meanwhile is found by looking again until everything is sealed with the new key.

use super::address_key::{self, ResealError};
use super::akismet::lookup::{self, LookupError};
use super::secrets::{Sealer, SecretError};
use super::sign_in::SEED;
use crate::domain::store::{Store, StoreError, StoredSecrets};
use crate::domain::time::Timestamp;

/// What a mark of the key is sealed for; no site has this name.
const MARKED: &str = "";
const MARK: &str = "mark";
/// How often all secrets are looked at before a rotation is given up: others would have to seal all the time.
const LOOKS: usize = 10;

/// Why a key was not rotated, or not to the end. Everything opens as before; the same again goes on.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The key file, or a stored secret that no key opens.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A stored secret opens with no key.
    #[error("the {field} secret of `{site}` does not open with this key file; rotate or restore it first")]
    Lost {
        /// The site.
        site: String,
        /// Which secret.
        field: &'static str,
    },
    /// Others went on sealing with the old key.
    #[error("secrets are still sealed with the old key; both keys stay in the file: run the same again")]
    Unfinished,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<ResealError> for RotationError {
    fn from(error: ResealError) -> Self {
        match error {
            ResealError::Secret(error) => Self::Secret(error),
            ResealError::Store(error) => Self::Store(error),
        }
    }
}

impl From<LookupError> for RotationError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Secret(error) => Self::Secret(error),
            LookupError::Store(error) => Self::Store(error),
        }
    }
}

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Rotated {
    /// Sites whose secrets were sealed anew.
    pub sites: u64,
    /// Whether it ended a rotation that was begun before.
    pub resumed: bool,
}

/// Puts a new key into the file, seals everything with it, and takes the old one away.
///
/// # Errors
/// [`RotationError`].
pub async fn rotate(store: &dyn Store, sealer: &Sealer, now: Timestamp) -> Result<Rotated, RotationError> {
    for secrets in store.all_secrets().await? {
        each(&secrets, |field, sealed| sealer.is_current(&secrets.site, field, sealed).map(|_| ()))?; // before anything is changed
    }
    for (email, sealed) in store.totp_seeds().await? {
        sealer.is_current(&email, SEED, &sealed).map_err(|error| lost(&email, SEED, error))?;
    }
    let rotation = sealer.begin_rotation()?;
    let mut sites = reseal(store, sealer, now, true).await?;
    mark(store, sealer, store.key_mark().await?).await?;
    sealer.end_rotation()?;
    // Somebody may have read the file before, and written after: this process still knows the old key.
    sites += reseal(store, sealer, now, false).await?;
    Ok(Rotated { sites, resumed: rotation.resumed })
}

/// Puts the mark of the key that seals now in the place of the one before; whether it is there now.
///
/// # Errors
/// The key file or the store failed.
pub async fn mark(store: &dyn Store, sealer: &Sealer, before: Option<Vec<u8>>) -> Result<bool, RotationError> {
    Ok(store.key_mark_set(before, sealer.seal(MARKED, MARK, MARK)?).await?)
}

/// Whether this file's keys include the one that a mark was made with.
#[must_use]
pub fn is_marked(sealer: &Sealer, mark: &[u8]) -> bool {
    sealer.unseal(MARKED, MARK, mark).is_ok()
}

/// Seals anew until nothing is left that needs it; says how many times a site was written.
async fn reseal(store: &dyn Store, sealer: &Sealer, now: Timestamp, note: bool) -> Result<u64, RotationError> {
    let mut written = 0;
    for look in 0..LOOKS {
        let mut due = Vec::new();
        for from in store.all_secrets().await? {
            let to = sealed_anew(sealer, &from)?;
            if to != from {
                due.push((from, to));
            }
        }
        let seeds = reseal_seeds(store, sealer).await?;
        let is_key = address_key::reseal(store, sealer).await? | lookup::reseal(store, sealer).await?;
        if due.is_empty() && seeds == 0 && !is_key && (look > 0 || !note) {
            return Ok(written);
        }
        written += store.secrets_reseal(due, now).await?; // the first time even when there is nothing: it is on record
    }
    Err(RotationError::Unfinished)
}

/// Seals seeds of second factors anew; says how many needed it.
async fn reseal_seeds(store: &dyn Store, sealer: &Sealer) -> Result<u64, RotationError> {
    let mut due = 0;
    for (email, from) in store.totp_seeds().await? {
        let again = |error| lost(&email, SEED, error);
        if sealer.is_current(&email, SEED, &from).map_err(again)? {
            continue;
        }
        due += 1;
        let seed = sealer.unseal(&email, SEED, &from).map_err(again)?;
        store.totp_reseal(&email, &from, sealer.seal(&email, SEED, &seed)?).await?;
    }
    Ok(due)
}

/// Looks at every secret of a site.
fn each(
    secrets: &StoredSecrets,
    look: impl Fn(&'static str, &[u8]) -> Result<(), SecretError>,
) -> Result<(), RotationError> {
    let before = |field, secret: &Option<(Vec<u8>, Timestamp)>| {
        secret
            .as_ref()
            .map_or(Ok(()), |(sealed, _)| look(field, sealed))
            .map_err(|error| lost(&secrets.site, field, error))
    };
    let now = |field, sealed: &[u8]| look(field, sealed).map_err(|error| lost(&secrets.site, field, error));
    now("inbound", &secrets.inbound)?;
    before("inbound", &secrets.inbound_before)?;
    now("webhook", &secrets.webhook)?;
    before("webhook", &secrets.webhook_before)?;
    now("akismet", &secrets.akismet)?;
    secrets.coral.as_ref().map_or(Ok(()), |sealed| now("coral", sealed))?;
    before("coral", &secrets.coral_before)
}

fn lost(site: &str, field: &'static str, error: SecretError) -> RotationError {
    match error {
        SecretError::Sealed => RotationError::Lost { site: site.to_owned(), field },
        error => RotationError::Secret(error),
    }
}

/// The same secrets; those that the current key opens as they are.
fn sealed_anew(sealer: &Sealer, from: &StoredSecrets) -> Result<StoredSecrets, RotationError> {
    let site = from.site.as_str();
    let anew = |field: &'static str, sealed: &[u8]| -> Result<Vec<u8>, RotationError> {
        let again = |error| lost(site, field, error);
        if sealer.is_current(site, field, sealed).map_err(again)? {
            return Ok(sealed.to_vec());
        }
        let secret = sealer.unseal(site, field, sealed).map_err(again)?;
        Ok(sealer.seal(site, field, &secret)?)
    };
    let before = |field, secret: &Option<(Vec<u8>, Timestamp)>| {
        secret.as_ref().map(|(sealed, until)| anew(field, sealed).map(|sealed| (sealed, *until))).transpose()
    };
    Ok(StoredSecrets {
        site: site.to_owned(),
        inbound: anew("inbound", &from.inbound)?,
        inbound_before: before("inbound", &from.inbound_before)?,
        webhook: anew("webhook", &from.webhook)?,
        webhook_before: before("webhook", &from.webhook_before)?,
        akismet: anew("akismet", &from.akismet)?,
        coral: from.coral.as_ref().map(|sealed| anew("coral", sealed)).transpose()?,
        coral_before: before("coral", &from.coral_before)?,
    })
}

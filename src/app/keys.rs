//! Keys and tokens: made at random, shown once, stored as a hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::domain::store::KeyHash;

/// What a bearer key is stored and looked up by: its SHA-256. Keys carry 256 random bits, so no salt or stretching is needed.
#[must_use]
pub fn hash(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}

/// A new random key of 256 bits behind `prefix`, as in `dw_site_…`.
///
/// # Errors
/// The operating system's source of randomness failed.
pub fn generate(prefix: &str) -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

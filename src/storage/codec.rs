//! How comments, verdicts and traces are written into rows: one version byte, then postcard.
//!
//! Postcard is compact and fast and knows nothing of field names, so a changed struct needs a new version byte, and a reader for the old
//! one that fills in what is new. Rows of a version that this program does not know are an error, never a guess.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::store::StoreError;

/// The version that is written.
const VERSION: u8 = 1;

/// Writes `value`.
///
/// # Errors
/// Serialisation failed, which no value of the domain's types makes happen.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(value, vec![VERSION]).map_err(|error| StoreError::Corrupt(format!("could not be written: {error}")))
}

/// Reads what [`encode`] wrote; `what` is named when it cannot be read.
///
/// # Errors
/// `Corrupt`: written by a newer version, or damaged.
pub(super) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|error| StoreError::Corrupt(format!("{what} is damaged: {error}")))
        }
        Some((version, _)) => Err(StoreError::Corrupt(format!("{what} was written by a newer version (format {version})"))),
        None => Err(StoreError::Corrupt(format!("{what} is empty"))),
    }
}

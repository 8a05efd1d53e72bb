//! Cursors of pages: what the next page starts after, signed, so that none can be made up.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::shared::Shared;
use crate::domain::store::ListError;
use crate::storage::derived::mac;

const TAG_BYTES: usize = 8;

/// The cursor that stands for `place` on the list of that name.
pub(super) fn cursor_of<T: Serialize>(shared: &Shared, list: &str, place: &T) -> String {
    let mut bytes = postcard::to_stdvec(place).unwrap_or_default(); // plain data can be written
    let tag = tag(shared, list, &bytes);
    bytes.extend_from_slice(&tag);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a cursor of that list stands for.
pub(super) fn place_of<T: DeserializeOwned>(shared: &Shared, list: &str, cursor: &str) -> Result<T, ListError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| ListError::BadCursor)?;
    let at = bytes.len().checked_sub(TAG_BYTES).ok_or(ListError::BadCursor)?;
    let (place, signed) = bytes.split_at(at);
    if !bool::from(tag(shared, list, place).ct_eq(signed)) {
        return Err(ListError::BadCursor);
    }
    postcard::from_bytes(place).map_err(|_| ListError::BadCursor)
}

/// Items on a page.
pub(super) fn limit(page: &crate::domain::store::PageRequest) -> usize {
    page.limit.clamp(1, 500)
}

fn tag(shared: &Shared, list: &str, place: &[u8]) -> [u8; TAG_BYTES] {
    let digest = mac(&shared.cursor_key).chain_update(list.as_bytes()).chain_update([0]).chain_update(place).finalize();
    digest.into_bytes()[..TAG_BYTES].try_into().expect("a digest has more than eight bytes")
}

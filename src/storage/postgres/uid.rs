//! Names for comments: UUIDs v7 (RFC 9562), so that their order is that of time.

use std::sync::Mutex;
use std::sync::PoisonError;

use uuid::Uuid;

use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// The last one made here: (milliseconds, how many of them).
static LAST: Mutex<(u64, u16)> = Mutex::new((0, 0));
/// The twelve bits after the time count within a millisecond (RFC 9562, 6.2, method 1).
const COUNT_MAX: u16 = 0x0fff;

/// A new one of that moment. Those made here within one millisecond are in the order in which they were made.
pub(super) fn new(at: Timestamp) -> Result<Uuid> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    let ms = u64::try_from(at.as_millis()).unwrap_or(0);
    let count = {
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        let next = if last.0 == ms { (last.1 + 1).min(COUNT_MAX) } else { 0 };
        *last = (ms, next);
        next
    };
    random[..2].copy_from_slice(&count.to_be_bytes());
    Ok(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid())
}

/// The least uid of that moment: what came before is below it.
pub(super) fn first(at: Timestamp) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(at.as_millis()).unwrap_or(0), &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_in_the_order_of_time_and_of_making() {
        let at = Timestamp::from_millis(1_764_000_000_123);
        let made: Vec<_> = (0..100).map(|_| new(at).unwrap()).collect();
        assert!(made.is_sorted() && made.iter().all(|uid| *uid > first(at)), "{made:?}");
        assert!(made.iter().all(|uid| *uid < first(at.plus_millis(1)) && uid.get_version_num() == 7));
    }
}

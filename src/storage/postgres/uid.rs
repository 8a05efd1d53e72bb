//! Names for comments: UUIDs v7 (RFC 9562), so that their order is that of time.

use std::sync::Mutex;
use std::sync::PoisonError;

use uuid::Uuid;

use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// The latest milliseconds that one was made of here, and the count of the last one.
static LAST: Mutex<(u64, u16)> = Mutex::new((0, 0));
/// The twelve bits after the time count within a millisecond (RFC 9562, 6.2, method 1).
const COUNT_MAX: u16 = 0x0fff;

/// A new one of that moment. Those made here within one millisecond are in the order in which they were made, even when others are made
/// of other moments in between.
pub(super) fn new(at: Timestamp) -> Result<Uuid> {
    let mut random = random()?;
    let ms = milliseconds(at);
    let count = {
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        // From the beginning only when half of the room is used: whoever makes some of other moments in between does not disturb the order.
        let next = if ms > last.0 && last.1 > COUNT_MAX / 2 { 0 } else { (last.1 + 1) & COUNT_MAX };
        *last = (ms.max(last.0), next);
        next
    };
    random[..2].copy_from_slice(&count.to_be_bytes());
    Ok(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid())
}

/// One of that moment, which may be yet to come; in no order among those of the same millisecond. It takes no part in the count of the others.
pub(super) fn unordered(at: Timestamp) -> Result<Uuid> {
    Ok(uuid::Builder::from_unix_timestamp_millis(milliseconds(at), &random()?).into_uuid())
}

fn random() -> Result<[u8; 10]> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    Ok(random)
}

fn milliseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0)
}

/// The least uid of that moment: what came before is below it.
pub(super) fn first(at: Timestamp) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(milliseconds(at), &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_in_the_order_of_time_and_of_making() {
        let at = Timestamp::from_millis(1_764_000_000_123);
        let of_another_moment =
            |n: i64| (new(at.plus_millis(n % 3 - 1)).unwrap(), unordered(at.plus_millis(10_000)).unwrap());
        let made: Vec<_> = (0..100).map(|n| (new(at).unwrap(), of_another_moment(n)).0).collect();
        assert!(made.is_sorted() && made.iter().all(|uid| *uid > first(at)), "{made:?}");
        assert!(made.iter().all(|uid| *uid < first(at.plus_millis(1)) && uid.get_version_num() == 7));
    }
}

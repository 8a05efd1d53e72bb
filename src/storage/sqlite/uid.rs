//! Our names for comments: UUIDs of version 7 (RFC 9562) that say, to us alone, which row they stand for.
//!
//! An index over random identifiers would cost more than everything else about storing a comment. So the 74 free bits carry the row's number
//! (40 bits, masked) and a tag (34 bits), both by HMAC-SHA256 under the database's own key. A uid that was not made here does not decode.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::time::Timestamp;

const ROW_BITS: u32 = 40;
const TAG_BITS: u32 = 34;

/// Makes and reads uids.
#[derive(Clone)]
pub(super) struct Uids {
    mac: Hmac<Sha256>,
}

impl Uids {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Some(Self { mac: Hmac::new_from_slice(key).ok()? })
    }

    /// The uid of row `row`, received at `at`.
    pub(super) fn make(&self, row: u64, at: Timestamp) -> Uuid {
        let ms = millis(at);
        let tag = self.bits(0, row, ms) & mask(TAG_BITS);
        let masked = (row ^ self.bits(1, tag, ms)) & mask(ROW_BITS);
        let high = (ms << 16) | 0x7000 | (tag >> 22);
        let low = 0x8000_0000_0000_0000 | ((tag & mask(22)) << ROW_BITS) | masked;
        Uuid::from_u64_pair(high, low)
    }

    /// The row and time that a uid of ours stands for.
    pub(super) fn read(&self, uid: Uuid) -> Option<(u64, Timestamp)> {
        let (high, low) = uid.as_u64_pair();
        if (high >> 12) & 0xf != 7 || low >> 62 != 0b10 {
            return None;
        }
        let ms = high >> 16;
        let tag = ((high & 0xfff) << 22) | ((low >> ROW_BITS) & mask(22));
        let row = (low ^ self.bits(1, tag, ms)) & mask(ROW_BITS);
        let ours = self.bits(0, row, ms) & mask(TAG_BITS) == tag;
        ours.then(|| (row, Timestamp::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))))
    }

    fn bits(&self, purpose: u8, value: u64, ms: u64) -> u64 {
        let mut mac = self.mac.clone();
        mac.update(&[purpose]);
        mac.update(&value.to_le_bytes());
        mac.update(&ms.to_le_bytes());
        let bytes = mac.finalize().into_bytes();
        bytes.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0) & mask(48)
}

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_lead_back_to_their_row_and_forged_ones_nowhere() {
        let uids = Uids::new(b"a key").expect("any length will do");
        let at = Timestamp::from_millis(1_795_000_000_123);
        for row in [0, 1, 4_095, 5_000_000, mask(ROW_BITS)] {
            let uid = uids.make(row, at);
            assert_eq!((uid.get_version_num(), uids.read(uid)), (7, Some((row, at))));
            let others = Uids::new(b"another key").expect("any length will do");
            assert_eq!(others.read(uid), None);
        }
        assert_eq!(uids.read(Uuid::nil()), None);
        assert_eq!(uids.read(Uuid::from_u64_pair(0x0197_0000_0000_7000, 0x8000_0000_0000_0001)), None);
    }

    #[test]
    fn neighbours_do_not_look_like_neighbours() {
        let uids = Uids::new(b"a key").expect("any length will do");
        let low = |row| uids.make(row, Timestamp::from_millis(1)).as_u64_pair().1 & mask(ROW_BITS);
        assert!(low(1).abs_diff(low(2)) > 1_000);
    }
}

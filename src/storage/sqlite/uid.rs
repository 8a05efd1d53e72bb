//! Comments' uids: UUID v7s that carry the row's number, masked and signed, so that no index is needed to find it.
//!
//! Layout: 48 bits of milliseconds, version, 42 bits of signature around the variant, 32 bits of masked row number.
//! The signature is HMAC-SHA256 under the database's own key over time and number; the mask is HMAC-SHA256 over time
//! and signature. Whoever does not hold the key can neither count comments by their uids nor name one not seen.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::time::Timestamp;

const SIGNATURE_BITS: u32 = 42;
const SIGNATURE_MASK: u64 = (1 << SIGNATURE_BITS) - 1;
const TIME_MASK: u64 = (1 << 48) - 1;

/// Makes uids and reads them back.
pub(super) struct Seal(Hmac<Sha256>);

/// What a uid says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsealed {
    /// The row's number.
    pub row: u32,
    time: u64,
}

impl Unsealed {
    /// Whether the uid was made for something of that moment.
    pub(super) fn is_of(self, at: Timestamp) -> bool {
        self.time == time_of(at)
    }
}

impl Seal {
    /// Seals under `key`.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// The uid of `row`, received at `at`.
    pub(super) fn uid(&self, at: Timestamp, row: u32) -> Uuid {
        let time = time_of(at);
        let signature = self.tag(1, time, u64::from(row)) & SIGNATURE_MASK;
        let masked = u64::from(row ^ self.mask(time, signature));
        // 12 bits beside the version, 30 beside the variant, then the number.
        let high = (time << 16) | 0x7000 | (signature >> 30);
        let low = (0b10 << 62) | ((signature & ((1 << 30) - 1)) << 32) | masked;
        Uuid::from_u64_pair(high, low)
    }

    /// What `uid` says; `None` when it is not one of ours.
    pub(super) fn open(&self, uid: Uuid) -> Option<Unsealed> {
        let (high, low) = uid.as_u64_pair();
        let signature = ((high & 0xfff) << 30) | ((low >> 32) & ((1 << 30) - 1));
        let time = high >> 16;
        let masked = u32::try_from(low & u64::from(u32::MAX)).ok()?;
        let row = masked ^ self.mask(time, signature);
        let genuine = high >> 12 & 0xf == 7
            && low >> 62 == 0b10
            && self.tag(1, time, u64::from(row)) & SIGNATURE_MASK == signature;
        genuine.then_some(Unsealed { row, time })
    }

    fn mask(&self, time: u64, signature: u64) -> u32 {
        u32::try_from(self.tag(2, time, signature) >> 32).unwrap_or_default()
    }

    fn tag(&self, purpose: u8, time: u64, value: u64) -> u64 {
        let mut message = [0; 17];
        message[0] = purpose;
        message[1..9].copy_from_slice(&time.to_be_bytes());
        message[9..].copy_from_slice(&value.to_be_bytes());
        let digest = self.0.clone().chain_update(message).finalize().into_bytes();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(first)
    }
}

/// 48 bits reach from 1970 to the year 10889; what lies outside is moved to the nearest end.
fn time_of(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0).min(TIME_MASK)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uid_is_a_uuid_of_version_7_with_its_time() {
        let uid = Seal::new(&[7; 32]).uid(Timestamp::from_millis(1_764_000_000_123), 41);
        assert_eq!(uid.get_version_num(), 7);
        assert_eq!(uid.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(uid.get_timestamp().map(|time| time.to_unix()), Some((1_764_000_000, 123_000_000)));
    }

    #[test]
    fn neighbours_share_nothing_but_their_time() {
        let seal = Seal::new(&[7; 32]);
        let uids: Vec<_> =
            (1..200).map(|row| seal.uid(Timestamp::from_millis(5), row).as_u64_pair().1 & 0xffff_ffff).collect();
        let close = uids.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 1_000).count();
        assert_eq!(close, 0);
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_again(ms: i64, row: u32) {
            let seal = Seal::new(&[7; 32]);
            let at = Timestamp::from_millis(ms);
            let opened = seal.open(seal.uid(at, row)).unwrap();
            prop_assert_eq!(opened.row, row);
            prop_assert!(opened.is_of(at));
        }

        #[test]
        fn a_changed_or_foreign_uid_is_none_of_ours(row: u32, bit in 0_u32..128, foreign: u128) {
            let seal = Seal::new(&[7; 32]);
            let uid = seal.uid(Timestamp::from_millis(1_764_000_000_000), row);
            prop_assert_eq!(seal.open(Uuid::from_u128(uid.as_u128() ^ (1 << bit))), None);
            prop_assert_eq!(seal.open(Uuid::from_u128(foreign)), None);
            prop_assert_eq!(Seal::new(&[8; 32]).open(uid), None);
        }
    }
}

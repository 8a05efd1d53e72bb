//! What is made from a database's secret: the same on every engine, so that what is moved from one to another keeps its names.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::domain::site::SiteId;

/// Keys and seeds, each for one purpose.
pub(super) struct Derived {
    pub hasher: Hasher,
    pub uid_key: [u8; 32],
    /// What sanctions' targets are hashed with. Made from what stands in the same file: see [`crate::domain::sanction`].
    pub target_key: [u8; 32],
    pub cursor_key: [u8; 32],
    reader_key: [u8; 32],
    lot_key: [u8; 32],
    erased_key: [u8; 32],
}

impl Derived {
    /// Made from the database's `secret`.
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        let derive =
            |purpose: &str| -> [u8; 32] { mac(secret).chain_update(purpose.as_bytes()).finalize().into_bytes().into() };
        let seed = u64::from_le_bytes(derive("keys")[..8].try_into().expect("eight bytes are eight bytes"));
        Self {
            hasher: Hasher(seed),
            uid_key: derive("uid"),
            target_key: derive("sanction"),
            cursor_key: derive("cursor"),
            reader_key: derive("reader"),
            lot_key: derive("lot"),
            erased_key: derive("erased"),
        }
    }

    /// What stands for a site's reader, or for a message that it sent.
    pub(super) fn reader(&self, site: SiteId, id: &str) -> [u8; 16] {
        let digest = mac(&self.reader_key).chain_update(site.0.to_le_bytes()).chain_update(id.as_bytes());
        digest.finalize().into_bytes()[..16].try_into().expect("sixteen bytes are sixteen bytes")
    }

    /// What stands for an erased comment.
    pub(super) fn erased(&self, uid: Uuid) -> [u8; 16] {
        let digest = mac(&self.erased_key).chain_update(uid.as_bytes()).finalize().into_bytes();
        digest[..16].try_into().expect("sixteen bytes are sixteen bytes")
    }

    /// Two numbers from 0.0 to below 1.0 that only this database can draw for a site's thing of that name.
    pub(super) fn lots(&self, site: SiteId, name: &str) -> [f64; 2] {
        let digest = mac(&self.lot_key).chain_update(site.0.to_le_bytes()).chain_update(name.as_bytes());
        let digest = digest.finalize().into_bytes();
        [0, 4].map(|at| {
            let drawn = u32::from_le_bytes(digest[at..at + 4].try_into().expect("four bytes are four bytes"));
            f64::from(drawn) / (f64::from(u32::MAX) + 1.0)
        })
    }
}

/// HMAC-SHA256 (RFC 2104) under that key.
pub(super) fn mac(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Hashes names under the database's own seed, so that nobody outside can prepare collisions.
pub(super) struct Hasher(pub u64);

impl Hasher {
    /// Zero means "none" in rows and runs, so no name hashes to it.
    fn hash(&self, kind: u8, site: SiteId, name: &[u8]) -> u64 {
        let mut bytes = Vec::with_capacity(5 + name.len());
        bytes.push(kind);
        bytes.extend_from_slice(&site.0.to_le_bytes());
        bytes.extend_from_slice(name);
        xxh3_64_with_seed(&bytes, self.0).max(1)
    }

    /// Of a comment's external id.
    pub(super) fn id(&self, site: SiteId, id: &str) -> u64 {
        self.hash(b'c', site, id.as_bytes())
    }

    /// Of an author as the history knows them.
    pub(super) fn author(&self, trace_author: u64) -> u64 {
        self.hash(b'u', SiteId(0), &trace_author.to_le_bytes())
    }

    /// Of a site's account.
    pub(super) fn account(&self, site: SiteId, id: &str) -> u64 {
        self.hash(b'k', site, id.as_bytes())
    }

    /// Of a site's article.
    pub(super) fn article(&self, site: SiteId, id: &str) -> u64 {
        self.hash(b'a', site, id.as_bytes())
    }
}

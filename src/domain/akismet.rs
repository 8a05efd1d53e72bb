//! What clients of Akismet's protocol need to be remembered: whose key it is, which blog it is for, and what their checks came to.

use async_trait::async_trait;

use super::site::{Site, SiteId};
use super::store::{KeyHash, Result};
use super::time::Timestamp;

/// What came of a site's comments that arrived in some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckCounts {
    /// All of them.
    pub checks: u64,
    /// Those that were rejected when they came.
    pub spam: u64,
    /// The others.
    pub ham: u64,
    /// Of the others, those that are rejected now.
    pub missed_spam: u64,
    /// Of those rejected, what is approved now.
    pub false_positives: u64,
}

impl CheckCounts {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            checks: self.checks + other.checks,
            spam: self.spam + other.spam,
            ham: self.ham + other.ham,
            missed_spam: self.missed_spam + other.missed_spam,
            false_positives: self.false_positives + other.false_positives,
        }
    }
}

/// A site's Akismet key as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The site's name, which it is sealed for.
    pub site: String,
    /// What it is looked up by.
    pub hash: KeyHash,
    /// The key, sealed.
    pub sealed: Vec<u8>,
}

/// The part of the Store port that clients of Akismet's protocol need.
#[async_trait]
pub trait Akismet: Send + Sync {
    /// The site that an Akismet key opens.
    async fn akismet_site(&self, key: &KeyHash) -> Result<Option<Site>>;
    /// Puts another Akismet key, by its hash and sealed, in the place of a site's own, which opens nothing any more. `false` when there is no such site.
    async fn akismet_key_set(&self, site: &str, hash: &KeyHash, sealed: Vec<u8>, at: Timestamp) -> Result<bool>;
    /// What Akismet keys are hashed with to be looked up, sealed by whoever put it there.
    async fn akismet_lookup(&self) -> Result<Option<Vec<u8>>>;
    /// Puts `to` in the place of `from`; `false` when something else is there by now.
    async fn akismet_lookup_set(&self, from: Option<Vec<u8>>, to: Vec<u8>) -> Result<bool>;
    /// The Akismet keys of all sites.
    async fn akismet_keys(&self) -> Result<Vec<StoredKey>>;
    /// Puts other hashes in the place of those that sites' keys have, wherever it is still the first of both, of which nothing is left; says of how
    /// many sites.
    async fn akismet_rehash(&self, hashes: Vec<(String, KeyHash, KeyHash)>) -> Result<u64>;
    /// Sets or takes away the address of a site's blog. `false` when there is no such site.
    async fn site_url_set(&self, site: &str, url: Option<&str>, at: Timestamp) -> Result<bool>;
    /// What came of a site's comments received at or after `from` and before `until`; comments that were erased count no more.
    async fn check_counts(&self, site: SiteId, from: Timestamp, until: Timestamp) -> Result<CheckCounts>;
}

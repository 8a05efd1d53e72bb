//! Every configuration that a service ran under: what it said, when it was taken, by whom, and how it came.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::rules::was::RuleSet;
use super::store::Result;
use super::time::Timestamp;

/// How many different versions are kept: each has the whole text of its lists, which may be large and change every hour.
pub const KEPT: usize = 100;
/// Of how many different settings it is kept which rules they had: more than [`KEPT`], for it takes a line each, and verdicts are looked at far back.
pub const RULES_KEPT: i64 = 10_000;
/// How many different sets of rules are kept.
pub const RULE_SETS_KEPT: i64 = 1_000;

/// What a settings file said, with the files that it names. Without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version {
    /// Names it: sixteen hexadecimal digits of the hash of everything below.
    pub hash: String,
    /// The settings file.
    pub text: String,
    /// The files that it names, each with its path as it is written there.
    pub files: Vec<(String, String)>,
}

/// How a configuration came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// The service began with it.
    Start,
    /// The file changed.
    File,
    /// The service was asked to look (SIGHUP).
    Signal,
    /// `doorward config rollback` wrote it back; services take it as a file that changed.
    Rollback,
}

impl How {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Start, Self::File, Self::Signal, Self::Rollback];

    /// As it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::File => "file",
            Self::Signal => "signal",
            Self::Rollback => "rollback",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.name() == name)
    }
}

/// A configuration that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The version's hash.
    pub version: String,
    /// The hash that decisions made under it name.
    pub policy: String,
    /// How it came.
    pub how: How,
    /// When.
    pub at: Timestamp,
    /// Which node took it, or who wrote it back; empty for a service by itself.
    pub by: String,
    /// Settings in it that wait for the next start.
    pub waiting: Vec<String>,
}

/// The part of the Store port that remembers configurations.
#[async_trait]
pub trait Versions: Send + Sync {
    /// Keeps that a version was taken, the version if it is not kept yet, and which rules it has, in one commit. Each call is a line of its own. Of versions that were not
    /// among the [`KEPT`] different ones taken last, neither text nor lines stay; which rules there were is kept of the [`RULES_KEPT`] settings, and the
    /// [`RULE_SETS_KEPT`] sets of rules, that came last. What other versions that are kept lack of that is added.
    async fn version_taken(&self, version: &Version, taken: &Taken) -> Result<()>;
    /// What was taken, latest first, `most` at most.
    async fn versions_taken(&self, most: usize) -> Result<Vec<Taken>>;
    /// The version of that hash, whole.
    async fn version(&self, hash: &str) -> Result<Option<Version>>;
    /// Hashes of versions that begin so, or that were in force under a policy hash that does; latest first.
    async fn versions_like(&self, beginning: &str) -> Result<Vec<String>>;
    /// The names of the sets of rules that were in force under settings that verdicts call so, as far as that is kept.
    async fn rule_sets_of(&self, policies: &[String]) -> Result<BTreeMap<String, String>>;
    /// The set of rules of that name.
    async fn rule_set(&self, name: &str) -> Result<Option<RuleSet>>;
}

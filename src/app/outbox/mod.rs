//! Telling sites what became of their comments: `[webhooks]`.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// `[webhooks]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Seconds in which a person may take a decision back before the site is told of it.
    pub undo_grace_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { undo_grace_s: 10 }
    }
}

impl Config {
    /// From when a site may be told of what a person decides now.
    #[must_use]
    pub fn tell_at(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(i64::from(self.undo_grace_s) * 1_000)
    }
}

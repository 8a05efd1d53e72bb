//! Which configuration is in force, and what keeps a newer one from it: told by whoever takes them, for whoever watches.

use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::Notify;

use crate::domain::time::Timestamp;
use crate::domain::versions::How;

/// How it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The version in force; empty for a service that follows no file.
    pub version: String,
    /// When it was taken, and how.
    pub taken: Option<(Timestamp, How)>,
    /// Settings in it that wait for the next start.
    pub waiting: Vec<String>,
    /// What the file says now cannot be used; what was in force before still is.
    pub refused: Option<Refused>,
}

/// Why what a file says was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When it was looked at.
    pub at: Timestamp,
    /// What is wrong, with file and line.
    pub problem: String,
}

/// Where to look, and to ask.
#[derive(Debug, Default)]
pub struct Reload {
    standing: ArcSwap<Standing>,
    asked: Notify,
    hinted: Notify,
}

impl Reload {
    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Arc<Standing> {
        self.standing.load_full()
    }

    /// Says how it stands.
    pub fn stands(&self, standing: Standing) {
        self.standing.store(Arc::new(standing));
    }

    /// Has the file looked at and taken now.
    pub fn ask(&self) {
        self.asked.notify_one();
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Says that the file may have changed, and may still be in the middle of it.
    pub fn hint(&self) {
        self.hinted.notify_one();
    }

    /// Waits until somebody says so.
    pub async fn hinted(&self) {
        self.hinted.notified().await;
    }
}

//! Notices as they are stored, on every engine: what cannot be read from the comment's rows when they are sent.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::appeal::AppealState;
use crate::domain::decision::{DecidedBy, Status};
use crate::domain::outbox::Notice;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// A notice as stored: what cannot be read from the comment's rows when it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Stored {
    /// What the comment was then.
    Status(Then),
    /// All that is left of it.
    Erased { id: String, uid: Uuid },
    /// An appeal on it, what its author was told then, and what the comment was then.
    Appeal { appeal: Uuid, state: AppealState, answer: Option<String>, then: Then },
}

/// What a comment was when there was something to tell: a message says the same at every attempt. Its words are those of that revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Then {
    pub version: u32,
    pub revision: u32,
    pub status: Status,
    pub decided_by: DecidedBy,
    pub at: Timestamp,
}

impl Stored {
    /// Whether `older` tells nothing any more when the site has heard this.
    pub(super) fn supersedes(&self, older: &Self) -> bool {
        match (self, older) {
            (Self::Status(_) | Self::Erased { .. }, Self::Status(_)) => true,
            (Self::Appeal { appeal, .. }, Self::Appeal { appeal: of, .. }) => appeal == of,
            _ => false,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Status(Then { status: Status::Approved, .. }) => "comment.approved",
            Self::Status(Then { status: Status::Held, .. }) => "comment.held",
            Self::Status(Then { status: Status::Rejected, .. }) => "comment.rejected",
            Self::Erased { .. } => "comment.erased",
            Self::Appeal { state: AppealState::Open, .. } => "appeal.opened",
            Self::Appeal { .. } => "appeal.answered",
        }
    }
}

/// A notice and no damage, or what is damaged of it.
pub(super) fn or_damage(notice: Result<Option<Notice>>) -> Result<(Option<Notice>, Option<String>)> {
    match notice {
        Ok(notice) => Ok((notice, None)),
        Err(StoreError::Corrupt(damage)) => Ok((None, Some(damage))),
        Err(error) => Err(error),
    }
}

/// What was read; `None` when it is damaged.
pub(super) fn unless_damaged<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Corrupt(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a notice that cannot be read is called among letters.
pub(super) const UNREADABLE: &str = "unreadable";

/// What a callback is called among letters.
pub(super) const CALLBACK: &str = "akismet.callback";

/// Why what a gone receiver misses is a dead letter.
pub(super) const GONE: &str = "the receiver said that it is gone (410)";

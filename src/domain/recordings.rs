//! What was recorded, read in the order in which it was stored: for replaying it under other settings.
//!
//! A port of its own, because nothing that answers needs it. It changes nothing, and may be asked beside a service.

use async_trait::async_trait;
use uuid::Uuid;

use super::comment::NewComment;
use super::decision::{DecidedBy, Status, Verdict};
use super::history::Standing;
use super::site::SiteId;
use super::store::{Happening, Result};
use super::time::Timestamp;

/// A comment with everything that happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Where it stands among all: to be asked for what comes after it.
    pub place: u128,
    /// The site.
    pub site: SiteId,
    /// Our name for it.
    pub uid: Uuid,
    /// What it is now.
    pub standing: Standing,
    /// Its revisions, oldest first; at least one.
    pub revisions: Vec<Revision>,
    /// What happened to it after it arrived, oldest first.
    pub happenings: Vec<Happening>,
}

/// A revision as it was sent, and what was concluded from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// As sent, without the article's title, text and tags.
    pub comment: NewComment,
    /// The frozen verdict.
    pub verdict: Verdict,
    /// What it became when it was judged.
    pub status: Status,
    /// Who decided that.
    pub decided_by: DecidedBy,
    /// When.
    pub at: Timestamp,
}

/// Who reads what was recorded.
#[async_trait]
pub trait Recordings: Send + Sync {
    /// The next comments after the place `after` (0 at first) that were received at or after `since`, at most `most` of them, in the order in
    /// which they were stored; none at the end. What was erased is not among them.
    async fn recorded(&self, since: Timestamp, after: u128, most: usize) -> Result<Vec<Recorded>>;
}

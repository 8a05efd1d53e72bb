//! Appeals: an author's request to decide again. States and allowed moves.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::comment::{Article, ExternalId};
use super::decision::{Actor, Record, Verdict};
use super::people::Reach;
use super::site::SiteId;
use super::store::{Happening, KeptAppeal, ListError, Page, PageRequest, Ruled, StoreError};
use super::time::Timestamp;

/// What an appeal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AppealState {
    /// Waits for a person.
    Open,
    /// A person let the rejection stand.
    Upheld,
    /// A person took the rejection back.
    Overturned,
    /// The comment was decided otherwise, edited or taken back before anybody answered.
    Closed,
}

impl AppealState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Open, Self::Upheld, Self::Overturned, Self::Closed];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Upheld => "upheld",
            Self::Overturned => "overturned",
            Self::Closed => "closed",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// An appeal with everything that a person needs to answer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Appeal {
    /// Our name for it, a UUID v7.
    pub uid: Uuid,
    /// What it is now.
    pub state: AppealState,
    /// What the author says.
    pub text: Option<String>,
    /// When it was opened.
    pub at: Timestamp,
    /// The verdict against which it was opened, frozen then.
    pub verdict: Verdict,
    /// The comment as it is now.
    pub record: Record,
    /// The article as known now.
    pub article: Article,
    /// What had happened to the comment when the appeal was opened, and since.
    pub history: Vec<Happening>,
    /// Appeals on the same comment before this one, oldest first.
    pub earlier: Vec<KeptAppeal>,
    /// What the author may be told.
    pub answer: Option<String>,
    /// Who answered, by e-mail.
    pub answered_by: Option<String>,
    /// When.
    pub answered_at: Option<Timestamp>,
}

/// What became of a wish to appeal.
#[derive(Debug, Clone, PartialEq)]
pub enum Opened {
    /// It waits now.
    New(Box<Appeal>),
    /// One waits already: that one.
    Waits(Box<Appeal>),
    /// The comment is not rejected: there is nothing to appeal against.
    NotRejected,
    /// This decision was appealed against before, and answered.
    Answered(Box<Appeal>),
    /// There is no such comment.
    NoComment,
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct AppealAnswer {
    /// Which appeal.
    pub uid: Uuid,
    /// Whether the comment is approved now.
    pub overturn: bool,
    /// What the author may be told.
    pub answer: Option<String>,
    /// Who.
    pub by: Actor,
    /// On which comments they work.
    pub reach: Reach,
    /// When.
    pub at: Timestamp,
    /// From when the site may be told.
    pub tell_at: Timestamp,
}

/// Why an appeal was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is none of that id, or it lies outside the person's reach.
    #[error("no appeal of that id")]
    NotFound,
    /// Somebody answered it, or the comment was changed meanwhile.
    #[error("this appeal is not open any more")]
    NotOpen,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The part of the Store port that keeps appeals.
#[async_trait]
pub trait Appeals: Send + Sync {
    /// Opens an appeal against the rejection in force, and tells the site, in one commit.
    async fn appeal_open(
        &self,
        site: SiteId,
        comment: &ExternalId,
        text: Option<String>,
        at: Timestamp,
    ) -> Result<Opened, StoreError>;
    /// Appeals, oldest first.
    async fn appeal_list(
        &self,
        state: Option<AppealState>,
        site: Option<&str>,
        reach: &Reach,
        page: &PageRequest,
    ) -> Result<Page<Appeal>, ListError>;
    /// An appeal within somebody's reach.
    async fn appeal_find(&self, uid: Uuid, reach: &Reach) -> Result<Option<Appeal>, StoreError>;
    /// Answers an open appeal; an overturned one approves the comment, in the same commit.
    async fn appeal_answer(&self, answer: AppealAnswer) -> Result<(Appeal, Option<Ruled>), AnswerError>;
}

//! Appeals: an author asks to decide again, a person answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use uuid::Uuid;

use super::in_flight::to_its_end;
use super::limits::{Limiter, RateLimited, Route, Subject, Tier};
use super::live::Live;
use super::outbox;
use super::standing::Listeners;
use super::way::{self, step};
use crate::domain::appeal::{AnswerError, Appeal, AppealAnswer, AppealState, Opened};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{Actor, Status};
use crate::domain::people::Person;
use crate::domain::site::SiteId;
use crate::domain::store::{HappeningKind, ListError, Page, PageRequest, Ruled, Store, StoreError};
use crate::domain::time::Timestamp;

/// `[appeals]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether an appeal must be answered by another person than the one who rejected the comment.
    pub another_person: bool,
}

/// Why an appeal was not opened.
#[derive(Debug, thiserror::Error)]
pub enum AppealError {
    /// Over a limit. Nothing was recorded.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// There is no such comment (any more).
    #[error("there is no comment with this id")]
    NoComment,
    /// It is not rejected.
    #[error("the comment is not rejected: there is nothing to appeal against")]
    NotRejected,
    /// This rejection was appealed against before, and stands.
    #[error("this decision was appealed against before, and stands")]
    Answered(Box<Appeal>),
    /// The store failed. Perhaps recorded: the same request again is safe.
    #[error("the appeal could not be stored")]
    Store(#[from] StoreError),
}

/// Why an appeal was not shown or answered. Nothing was changed, except where the store cannot know.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// There is none of that id, or it lies outside the person's reach.
    #[error("no appeal of that id")]
    NotFound,
    /// Somebody answered it, or the comment was changed meanwhile.
    #[error("this appeal is not open any more")]
    NotOpen(Box<Appeal>),
    /// The person rejected the comment, and `appeals.another_person` is on.
    #[error("you rejected this comment: appeals.another_person leaves the answer to somebody else")]
    OwnDecision,
    /// The store failed. Perhaps answered: look again before answering again.
    #[error("the answer could not be stored")]
    Store(#[from] StoreError),
}

/// See the module.
pub struct Appeals {
    store: Arc<dyn Store>,
    listeners: Listeners,
    limits: Arc<dyn Limiter>,
    webhooks: Live<outbox::Config>,
    config: Live<Config>,
}

impl Appeals {
    /// Joins the ports.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        listeners: Listeners,
        limits: Arc<dyn Limiter>,
        webhooks: impl Into<Live<outbox::Config>>,
        config: impl Into<Live<Config>>,
    ) -> Self {
        Self { store, listeners, limits, webhooks: webhooks.into(), config: config.into() }
    }

    /// Opens an appeal against the rejection in force; whether it is new.
    ///
    /// # Errors
    /// [`AppealError`].
    pub async fn open(
        &self,
        site: SiteId,
        comment: &ExternalId,
        text: Option<String>,
        now: Timestamp,
    ) -> Result<(Appeal, bool), AppealError> {
        let subject = Subject { site, route: Route::Appeal, tier: Tier::New, ip: None, author: None, email: None };
        self.limits.take(&subject, now).await?;
        match self.store.appeal_open(site, comment, text, now).await? {
            Opened::New(appeal) => {
                self.listeners.events.appealed(appeal.record.uid, appeal.uid, appeal.state, now).await;
                Ok((*appeal, true))
            }
            Opened::Waits(appeal) => Ok((*appeal, false)),
            Opened::NotRejected => Err(AppealError::NotRejected),
            Opened::Answered(appeal) => Err(AppealError::Answered(appeal)),
            Opened::NoComment => Err(AppealError::NoComment),
        }
    }

    /// Appeals within a person's reach, oldest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn list(
        &self,
        state: Option<AppealState>,
        site: Option<&str>,
        page: &PageRequest,
        by: &Person,
    ) -> Result<Page<Appeal>, ListError> {
        self.store.appeal_list(state, site, &by.reach, page).await
    }

    /// One appeal within a person's reach.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn find(&self, uid: Uuid, by: &Person) -> Result<Appeal, ReplyError> {
        self.store.appeal_find(uid, &by.reach).await?.ok_or(ReplyError::NotFound)
    }

    /// Answers an open appeal; one that is overturned approves the comment, as a ruling that can be taken back.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub async fn answer(
        self: &Arc<Self>,
        uid: Uuid,
        overturn: bool,
        answer: Option<String>,
        by: &Person,
        now: Timestamp,
    ) -> Result<(Appeal, Option<Ruled>), ReplyError> {
        let appeal = self.find(uid, by).await?;
        if appeal.state != AppealState::Open {
            return Err(ReplyError::NotOpen(Box::new(appeal)));
        }
        if self.config.get().another_person && rejected_by(&appeal, &by.email) {
            return Err(ReplyError::OwnDecision);
        }
        let given = AppealAnswer {
            uid,
            overturn,
            answer,
            by: Actor::Person(by.email.clone()),
            reach: by.reach.clone(),
            at: now,
            tell_at: self.webhooks.get().tell_at(now),
        };
        let way = way::decision("answer-appeal", &given.by);
        let (this, email) = (Arc::clone(self), by.email.clone());
        let answered = to_its_end(async move {
            let (appeal, ruled) = this.store.appeal_answer(given).instrument(step!("record")).await?;
            if let Some(ruled) = &ruled {
                this.listeners.tell_all(ruled, &email, now).await;
                way::decided(ruled);
            }
            this.listeners.events.appealed(appeal.record.uid, appeal.uid, appeal.state, now).await;
            Ok::<_, AnswerError>((appeal, ruled))
        });
        match answered.instrument(way).await {
            Ok(answered) => Ok(answered),
            Err(AnswerError::NotFound) => Err(ReplyError::NotFound),
            Err(AnswerError::NotOpen) => Err(ReplyError::NotOpen(Box::new(self.find(uid, by).await?))),
            Err(AnswerError::Store(error)) => Err(error.into()),
        }
    }
}

/// Whether that person's ruling is the rejection that an appeal is against.
#[must_use]
pub fn rejected_by(appeal: &Appeal, email: &str) -> bool {
    let before = appeal.history.iter().rev().filter(|one| one.at <= appeal.at && one.status == Status::Rejected);
    let against = before.take(1).next();
    against.is_some_and(|one| one.kind == HappeningKind::Decided && one.by == Actor::Person(email.to_owned()))
}

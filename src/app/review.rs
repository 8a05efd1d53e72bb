//! Where people decide: the queue, claims, rulings, undo, explanation.

use std::sync::Arc;

use tracing::Instrument as _;
use uuid::Uuid;

use crate::app::events::CampaignChange;
use crate::app::in_flight::to_its_end;
use crate::app::live::Live;
use crate::app::outbox;
use crate::app::standing::Listeners;
use crate::app::way::{self, step};
use crate::domain::decision::{Action, Actor, Record, Status};
use crate::domain::people::{Person, Reach};
use crate::domain::search::SearchFilter;
use crate::domain::service::Levels;
use crate::domain::site::Site;
use crate::domain::store::{
    Happening, ListError, Page, PageRequest, QueueFilter, QueuePage, QueueSort, Ruled, Ruling, RulingCategory, Seen,
    Store, StoreError, UndoError,
};
use crate::domain::time::Timestamp;

/// Why a ruling was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The only item was changed meanwhile; here is what it is now.
    #[error("somebody else changed this comment meanwhile")]
    Conflict(Box<Record>),
    /// None of the items exists.
    #[error("there is no such comment")]
    NotFound,
    /// `hold` is no ruling.
    #[error("action: must be approve or reject")]
    NoRuling,
    /// The store failed. Perhaps applied: look again before sending again.
    #[error("the decision could not be stored")]
    Store(#[from] StoreError),
}

/// What a person asks for when deciding.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// What, and in which version.
    pub items: Vec<Seen>,
    /// Approve or reject.
    pub action: Action,
    /// Why, as a category.
    pub category: Option<RulingCategory>,
    /// A reason that the author may be told.
    pub reason: Option<String>,
    /// A note for colleagues.
    pub note: Option<String>,
}

/// A comment's frozen verdict and everything that happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The comment, with the frozen verdict.
    pub record: Record,
    /// What happened, oldest first.
    pub history: Vec<Happening>,
}

impl Explanation {
    /// As people see it who are to decide: see [`Record::as_people_see`].
    #[must_use]
    pub fn as_people_see(mut self) -> Self {
        let drawn = self.record.status;
        self.record = self.record.as_people_see().into_owned();
        if self.record.status != drawn {
            // What was automatic is what would give it away; a person's decision lies before no sample.
            for happening in &mut self.history {
                happening.status = Status::Held;
            }
        }
        self
    }
}

/// The way out.
#[derive(Clone)]
pub struct Review {
    store: Arc<dyn Store>,
    listeners: Listeners,
    webhooks: Live<outbox::Config>,
    levels: Live<Levels>,
}

impl Review {
    /// How long a claim holds without being renewed, in milliseconds: five minutes.
    pub const CLAIM_MS: i64 = 300_000;

    /// Joins the ports.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, listeners: Listeners, webhooks: impl Into<Live<outbox::Config>>) -> Self {
        Self { store, listeners, webhooks: webhooks.into(), levels: Levels::default().into() }
    }

    /// With named queues and their levels.
    #[must_use]
    pub fn with_levels(self, levels: Live<Levels>) -> Self {
        Self { levels, ..self }
    }

    /// Named queues and their levels, as they are in force.
    #[must_use]
    pub fn levels(&self) -> Arc<Levels> {
        self.levels.get()
    }

    /// A page of what waits for a person within their reach, with true counts.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn queue(
        &self,
        filter: QueueFilter,
        sort: QueueSort,
        page: &PageRequest,
        by: &Person,
        now: Timestamp,
    ) -> Result<QueuePage, ListError> {
        let queues = Arc::clone(self.levels.get().queues());
        let filter = QueueFilter { reach: by.reach.clone(), queues, ..filter };
        self.store.queue(&filter, sort, page, now).await
    }

    /// Comments of any status with these words, within a person's reach, newest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn search(
        &self,
        filter: SearchFilter,
        page: &PageRequest,
        by: &Person,
    ) -> Result<Page<Record>, ListError> {
        let filter = SearchFilter { reach: by.reach.clone(), ..filter };
        self.store.comment_search(&filter, page).await
    }

    /// Leases items to a person; answers what is theirs now and until when.
    ///
    /// # Errors
    /// `Store`.
    pub async fn claim(
        &self,
        uids: &[Uuid],
        by: &Person,
        now: Timestamp,
    ) -> Result<(Vec<Uuid>, Timestamp), ReviewError> {
        let until = now.plus_millis(Self::CLAIM_MS);
        let claimed = self.store.claim(uids, by, until, now).await?;
        self.listeners.events.claimed(&claimed, &by.email, Some(until), now).await;
        Ok((claimed, until))
    }

    /// Gives leases back.
    ///
    /// # Errors
    /// `Store`.
    pub async fn release(&self, uids: &[Uuid], by: &Person, now: Timestamp) -> Result<Vec<Uuid>, ReviewError> {
        let released = self.store.release(uids, &by.email).await?;
        self.listeners.events.claimed(&released, &by.email, None, now).await;
        Ok(released)
    }

    /// Applies a person's ruling to every item that nobody changed since it was seen.
    ///
    /// # Errors
    /// `Conflict` when there was one item and it was changed; `NotFound` when nothing of it exists; `NoRuling`; `Store`.
    pub async fn decide(&self, ask: Ask, by: &Person, now: Timestamp) -> Result<Ruled, ReviewError> {
        self.decide_as(ask, (Actor::Person(by.email.clone()), by.reach.clone()), now).await
    }

    async fn decide_as(&self, ask: Ask, (by, reach): (Actor, Reach), now: Timestamp) -> Result<Ruled, ReviewError> {
        if ask.action == Action::Hold {
            return Err(ReviewError::NoRuling);
        }
        let single = ask.items.len() == 1;
        let ruling = Ruling {
            items: ask.items,
            action: ask.action,
            category: ask.category,
            reason: ask.reason,
            note: ask.note,
            by: by.clone(),
            at: now,
            reach,
            tell_at: self.webhooks.get().tell_at(now),
        };
        let way = way::decision("decide", &by);
        let (this, name) = (self.clone(), name_of(by));
        let ruled: Result<Ruled, ReviewError> = to_its_end(async move {
            way::remember(ruling.items.iter().map(|item| way::Name::of_decision(item.uid))); // before anybody can be told of it
            let ruled = this.store.rule(ruling).instrument(step!("record")).await?;
            this.listeners.tell_all(&ruled, &name, now).await;
            way::decided(&ruled);
            Ok(ruled)
        })
        .instrument(way)
        .await;
        let ruled = ruled?;
        match ruled.conflicts.first() {
            Some(current) if single => Err(ReviewError::Conflict(Box::new(current.clone()))),
            None if ruled.applied.is_empty() => Err(ReviewError::NotFound),
            _ => Ok(ruled),
        }
    }

    /// Applies what a site says of one of its own comments, as it was seen. What it teaches, its own model learns.
    ///
    /// # Errors
    /// `Conflict` when it was changed meanwhile; `NotFound`; `NoRuling`; `Store`.
    pub async fn decide_for_site(&self, ask: Ask, site: &Site, now: Timestamp) -> Result<Ruled, ReviewError> {
        let reach = Reach { sites: Some(vec![site.name.to_string()]), ..Reach::ALL };
        self.decide_as(ask, (Actor::Site(site.name.to_string()), reach), now).await
    }

    /// Takes a ruling back.
    ///
    /// # Errors
    /// [`UndoError`].
    pub async fn undo(&self, decision: Uuid, by: &Person, now: Timestamp) -> Result<Ruled, UndoError> {
        let (this, by) = (self.clone(), by.clone());
        let actor = Actor::Person(by.email.clone());
        let way = way::decision("undo", &actor);
        to_its_end(async move {
            let ruled = this.store.unrule(decision, actor, &by.reach, now).instrument(step!("record")).await?;
            this.listeners.tell_all(&ruled, &by.email, now).await;
            this.reopened(decision, &ruled, now).await;
            way::decided(&ruled);
            Ok(ruled)
        })
        .instrument(way)
        .await
    }

    /// A campaign that the ruling had decided is open again, or stands as the decision before left it.
    async fn reopened(&self, decision: Uuid, ruled: &Ruled, now: Timestamp) {
        match self.store.campaign_of_ruling(decision).await {
            Ok(Some(turn)) => {
                self.listeners.history.turned(turn.clone()).await;
                if let Some((record, _)) = ruled.applied.first() {
                    let change = CampaignChange::Changed { campaign: turn.uid, state: turn.state, action: turn.action };
                    self.listeners.events.campaign(record.uid, change, now).await;
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "a campaign was not opened again"),
        }
    }

    /// Why a comment within a person's reach is where it is.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn explain(&self, uid: Uuid, by: &Person) -> Result<Explanation, ReviewError> {
        let place = self.store.comment_place(uid).await?.ok_or(ReviewError::NotFound)?;
        if !place.lies_within(&by.reach) {
            return Err(ReviewError::NotFound);
        }
        let record = self.store.comment_by_uid(uid).await?.ok_or(ReviewError::NotFound)?;
        let history = self.store.comment_history(uid).await?;
        Ok(Explanation { record, history })
    }
}

fn name_of(by: Actor) -> String {
    match by {
        Actor::Site(name) | Actor::Person(name) => name,
        Actor::Console => "console".to_owned(),
    }
}

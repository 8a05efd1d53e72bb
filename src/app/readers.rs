//! What readers say of comments: reports and votes.
//!
//! Sites name their readers, and names cost nothing. Three things bound what a crowd of made-up readers can do: limits by reader and by
//! site; weights that fall with every report that people dismiss; and a bound on how many comments of a site may be held within an hour
//! by readers of whom none was agreed with several times.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as TurnMutex;
use uuid::Uuid;

use super::in_flight::to_its_end;
use super::limits::{Limiter, RateLimited, Route, Subject, Tier};
use super::live::Live;
use super::standing::Listeners;
use crate::domain::comment::ExternalId;
use crate::domain::decision::Status;
use crate::domain::readers::{Config, NewReport, ReaderView, Reported, Voted};
use crate::domain::site::SiteId;
use crate::domain::store::{Store, StoreError};
use crate::domain::time::Timestamp;

const HOUR_MS: i64 = 3_600_000;

/// Why what a reader said was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// Over a limit. Nothing was recorded.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// There is no such comment (any more).
    #[error("there is no comment with this id")]
    NotFound,
    /// The store failed. Perhaps recorded: the same request again is safe.
    #[error("what the reader said could not be stored")]
    Store(#[from] StoreError),
}

/// When strangers had comments of a site held, oldest first; at most as many as they may in an hour.
type Holds = Arc<TurnMutex<VecDeque<Timestamp>>>;

/// See the module.
pub struct Readers {
    store: Arc<dyn Store>,
    listeners: Listeners,
    limits: Arc<dyn Limiter>,
    config: Live<Config>,
    /// One entry for each site that was ever reported on: there are as many as operators made.
    holds: Mutex<HashMap<SiteId, Holds>>,
}

impl Readers {
    /// Joins the ports.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        listeners: Listeners,
        limits: Arc<dyn Limiter>,
        config: impl Into<Live<Config>>,
    ) -> Self {
        Self { store, listeners, limits, config: config.into(), holds: Mutex::default() }
    }

    /// Takes a reader's report, which may have the comment held.
    ///
    /// # Errors
    /// [`ReaderError`].
    pub async fn report(
        self: &Arc<Self>,
        site: SiteId,
        comment: &ExternalId,
        report: NewReport,
        now: Timestamp,
    ) -> Result<Reported, ReaderError> {
        let (this, comment) = (Arc::clone(self), comment.clone());
        to_its_end(async move { this.take(site, &comment, report, now).await }).await
    }

    async fn take(
        &self,
        site: SiteId,
        comment: &ExternalId,
        report: NewReport,
        now: Timestamp,
    ) -> Result<Reported, ReaderError> {
        self.limit(site, Route::Report, Some(&report.reader), now).await?;
        let holds = self.holds(site);
        let mut holds = holds.lock().await; // one report at a time of each site: the bound is exact
        let recent = now.plus_millis(-HOUR_MS);
        while holds.front().is_some_and(|at| *at <= recent) {
            holds.pop_front();
        }
        let config = *self.config.get();
        let strangers = holds.len() < config.strangers_max as usize;
        let reported = self.store.report(site, comment, report, config, strangers, now).await?;
        let reported = reported.ok_or(ReaderError::NotFound)?;
        if let Some((record, trace)) = &reported.held {
            if reported.by_strangers {
                holds.push_back(now);
            }
            self.listeners.tell(record, trace).await;
        } else if !strangers && reported.by_strangers && self.would_hold(&reported) {
            metrics::counter!("doorward_reports_over_bound_total").increment(1);
        }
        let ReaderView { reports, weight, .. } = reported.view;
        self.listeners.events.reported(reported.uid, reports, weight, now).await;
        Ok(reported)
    }

    /// Takes a reader's vote: 1, -1, or 0 to take it back.
    ///
    /// # Errors
    /// [`ReaderError`].
    pub async fn vote(
        &self,
        site: SiteId,
        comment: &ExternalId,
        reader: &ExternalId,
        value: i8,
        now: Timestamp,
    ) -> Result<Voted, ReaderError> {
        self.limit(site, Route::Vote, Some(reader), now).await?;
        self.store.vote(site, comment, reader, value, now).await?.ok_or(ReaderError::NotFound)
    }

    /// How readers see a comment.
    ///
    /// # Errors
    /// `Store`.
    pub async fn view(&self, comment: Uuid) -> Result<ReaderView, ReaderError> {
        Ok(self.store.reader_view(comment).await?)
    }

    fn would_hold(&self, reported: &Reported) -> bool {
        let Config { hold_at, .. } = *self.config.get();
        reported.status == Status::Approved && hold_at > 0.0 && reported.view.weight >= hold_at
    }

    async fn limit(
        &self,
        site: SiteId,
        route: Route,
        reader: Option<&ExternalId>,
        now: Timestamp,
    ) -> Result<(), RateLimited> {
        let author = reader.map(ExternalId::as_str);
        let subject = Subject { site, route, tier: Tier::New, ip: None, author, email: None };
        self.limits.take(&subject, now).await.map(drop) // policies of these routes refuse, or let pass
    }

    fn holds(&self, site: SiteId) -> Holds {
        let mut all = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(site).or_default())
    }
}

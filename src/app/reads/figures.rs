//! How moderation goes: the store's figures, with what only the running service knows.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Desk, ReadError};
use crate::app::limits::LimitState;
use crate::domain::decision::Action;
use crate::domain::figures::Figures;
use crate::domain::outbox::OutboxState;
use crate::domain::people::Person;
use crate::domain::time::Timestamp;

/// Hours that may be asked for: two weeks.
pub const HOURS_MAX: u32 = 336;

/// How the whole service goes, for whoever works on everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServiceFigures {
    /// Limits in force.
    pub limits: Vec<LimitState>,
    /// Messages to sites that wait.
    pub outbox_waiting: u64,
    /// Messages to sites that were given up.
    pub outbox_dead: u64,
}

impl Desk {
    /// How moderation goes on the sites of a person who works on whole sites, over the last `hours` (at most [`HOURS_MAX`]); and how the service
    /// goes, where nothing lies outside their reach.
    ///
    /// # Errors
    /// The store failed.
    pub async fn figures(
        &self,
        hours: u32,
        by: &Person,
        now: Timestamp,
    ) -> Result<(Figures, Option<ServiceFigures>), ReadError> {
        let since = now.plus_millis(-i64::from(hours.min(HOURS_MAX)) * 3_600_000);
        let mut figures = self.store.figures(by.reach.sites.as_deref(), since, now).await?;
        // What approves, and what only says whose queue it is, is against nobody.
        let house = self.settings.current();
        let accuses = |id: &str| {
            let told = house.rules.told().find(|(rule, _)| *rule == id);
            told.is_none_or(|(_, told)| told.action != Some(Action::Approve) && !told.routes)
        };
        figures.signals.retain(|one| accuses(&one.signal));
        if !by.reach.is_all() {
            return Ok((figures, None));
        }
        let OutboxState { waiting, dead, .. } = self.store.outbox_state().await?;
        let limits = self.limits.state(now);
        Ok((figures, Some(ServiceFigures { limits, outbox_waiting: waiting, outbox_dead: dead })))
    }
}

//! outbox: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::appeal::*;
use crate::domain::comment::*;
use crate::domain::decision::*;
use crate::domain::outbox::*;
use crate::domain::people::*;
use crate::domain::site::*;
use crate::domain::store::*;
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};
use crate::storage::told::Stored;
use async_trait::async_trait;
use std::collections::HashSet;
use uuid::Uuid;

pub(super) async fn tell(
    work: &Work,
    site: SiteId,
    comment: Uuid,
    ruling: Option<Uuid>,
    not_before: Timestamp,
    stored: &Stored,
) -> Result<()> {
    let _ = (work, site, comment, ruling, not_before, stored);
    Err(not_built("outbox::tell"))
}

pub(super) async fn tell_status(work: &Work, row: &Row, ruling: Option<Uuid>, not_before: Timestamp) -> Result<()> {
    let _ = (work, row, ruling, not_before);
    Err(not_built("outbox::tell_status"))
}

pub(super) async fn tell_appeal(
    work: &Work,
    row: &Row,
    about: (Uuid, AppealState),
    answer: Option<String>,
    not_before: Timestamp,
) -> Result<()> {
    let _ = (work, row, about, answer, not_before);
    Err(not_built("outbox::tell_appeal"))
}

pub(super) async fn untell(work: &Work, site: SiteId, comment: Uuid, ruling: Uuid) -> Result<bool> {
    let _ = (work, site, comment, ruling);
    Err(not_built("outbox::untell"))
}

pub(super) async fn untell_appeal(work: &Work, site: SiteId, comment: Uuid, appeal: Uuid) -> Result<bool> {
    let _ = (work, site, comment, appeal);
    Err(not_built("outbox::untell_appeal"))
}

pub(super) async fn has_news(db: &Db, site: SiteId, comment: Uuid) -> Result<bool> {
    let _ = (db, site, comment);
    Err(not_built("outbox::has_news"))
}

pub(super) async fn forget(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    let _ = (work, site, comment);
    Err(not_built("outbox::forget"))
}

#[async_trait]
impl Outbox for PostgresStore {
    async fn outbox_news(&self) {
        self.shared.news.notified().await;
    }
    async fn outbox_sites(&self, now: Timestamp) -> Result<Vec<SiteId>> {
        let _ = (now,);
        Err(not_built("outbox_sites"))?
    }
    async fn outbox_take(&self, site: SiteId, most: usize, now: Timestamp, until: Timestamp) -> Result<Vec<Due>> {
        let _ = (site, most, now, until);
        Err(not_built("outbox_take"))?
    }
    async fn outbox_settle(&self, settled: Vec<(i64, Settled)>, now: Timestamp) -> Result<()> {
        let _ = (settled, now);
        Err(not_built("outbox_settle"))?
    }
    async fn outbox_receiver(&self, site: SiteId, now: Timestamp) -> Result<Option<Receiver>> {
        let _ = (site, now);
        Err(not_built("outbox_receiver"))?
    }
    async fn outbox_list(
        &self,
        filter: &LetterFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Letter>, ListError> {
        let _ = (filter, page);
        Err(not_built("outbox_list"))?
    }
    async fn outbox_resend(&self, filter: &LetterFilter, now: Timestamp) -> Result<u64> {
        let _ = (filter, now);
        Err(not_built("outbox_resend"))?
    }
    async fn outbox_prune(&self, before: Timestamp) -> Result<u64> {
        let _ = (before,);
        Err(not_built("outbox_prune"))?
    }
    async fn outbox_state(&self) -> Result<OutboxState> {
        Err(not_built("outbox_state"))?
    }
}

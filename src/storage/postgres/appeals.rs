//! appeals: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::appeal::*;
use crate::domain::comment::*;
use crate::domain::decision::*;
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

pub(super) struct Closed;

pub(super) async fn close(work: &Work, row: &Row, ruling: Option<Uuid>, at: Timestamp) -> Result<Option<Closed>> {
    let _ = (work, row, ruling, at);
    Err(not_built("appeals::close"))
}

pub(super) async fn tell_closed(work: &Work, row: &Row, closed: Option<Closed>, tell_at: Timestamp) -> Result<()> {
    let _ = (work, row, closed, tell_at);
    Err(not_built("appeals::tell_closed"))
}

pub(super) async fn follow(work: &Work, row: &Row) -> Result<()> {
    let _ = (work, row);
    Err(not_built("appeals::follow"))
}

pub(super) async fn reopen(work: &Work, row: &Row, decision: Uuid, at: Timestamp) -> Result<()> {
    let _ = (work, row, decision, at);
    Err(not_built("appeals::reopen"))
}

pub(super) async fn kept(db: &Db, site: SiteId, comment: Uuid) -> Result<Vec<KeptAppeal>> {
    let _ = (db, site, comment);
    Err(not_built("appeals::kept"))
}

pub(super) async fn forget(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    let _ = (work, site, comment);
    Err(not_built("appeals::forget"))
}

#[async_trait]
impl Appeals for PostgresStore {
    async fn appeal_open(
        &self,
        site: SiteId,
        comment: &ExternalId,
        text: Option<String>,
        at: Timestamp,
    ) -> std::result::Result<Opened, StoreError> {
        let _ = (site, comment, text, at);
        Err(not_built("appeal_open"))?
    }
    async fn appeal_list(
        &self,
        state: Option<AppealState>,
        site: Option<&str>,
        reach: &Reach,
        page: &PageRequest,
    ) -> std::result::Result<Page<Appeal>, ListError> {
        let _ = (state, site, reach, page);
        Err(not_built("appeal_list"))?
    }
    async fn appeal_find(&self, uid: Uuid, reach: &Reach) -> std::result::Result<Option<Appeal>, StoreError> {
        let _ = (uid, reach);
        Err(not_built("appeal_find"))?
    }
    async fn appeal_answer(&self, answer: AppealAnswer) -> std::result::Result<(Appeal, Option<Ruled>), AnswerError> {
        let _ = (answer,);
        Err(not_built("appeal_answer"))?
    }
}

//! intake: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::comment::*;
use crate::domain::decision::*;
use crate::domain::people::*;
use crate::domain::site::*;
use crate::domain::store::NewRecord;
use crate::domain::store::*;
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};
use crate::storage::told::Stored;
use async_trait::async_trait;
use std::collections::HashSet;
use uuid::Uuid;

pub(super) async fn update_row(
    work: &Work,
    row: &mut Row,
    status: Status,
    decided_by: DecidedBy,
    at: Timestamp,
) -> Result<()> {
    let _ = (work, row, status, decided_by, at);
    Err(not_built("intake::update_row"))
}

pub(super) async fn wipe(work: &Work, row: &Row, id: &ExternalId, by: &Actor, at: Timestamp) -> Result<Trace> {
    let _ = (work, row, id, by, at);
    Err(not_built("intake::wipe"))
}

pub(super) async fn find(db: &Db, site: SiteId, id: &ExternalId) -> Result<Option<(Record, ContentHash)>> {
    let _ = (db, site, id);
    Err(not_built("intake::find"))?
}

pub(super) async fn erase(
    work: &Work,
    site: SiteId,
    id: &ExternalId,
    by: &Actor,
    at: Timestamp,
) -> Result<Option<Trace>> {
    let _ = (work, site, id, by, at);
    Err(not_built("intake::erase"))?
}

pub(super) struct Prepared;
impl Prepared {
    pub(super) fn new(shared: &super::shared::Shared, new: NewRecord) -> Result<Self> {
        let _ = (shared, new);
        Err(not_built("Prepared"))
    }
}
pub(super) async fn record(store: &PostgresStore, new: NewRecord) -> Result<Recording> {
    let _ = (store, new);
    Err(not_built("record"))
}
pub(super) async fn revise(work: &Work, new: &Prepared) -> Result<Option<Record>> {
    let _ = (work, new);
    Err(not_built("revise"))
}

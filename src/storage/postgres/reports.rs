//! reports: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::comment::*;
use crate::domain::decision::*;
use crate::domain::people::*;
use crate::domain::readers::*;
use crate::domain::site::*;
use crate::domain::store::*;
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};
use crate::storage::told::Stored;
use async_trait::async_trait;
use std::collections::HashSet;
use uuid::Uuid;

pub(super) async fn waits_for_answer(db: &Db, row: &Row) -> Result<Option<f64>> {
    let _ = (db, row);
    Err(not_built("reports::waits_for_answer"))
}

pub(super) async fn answer(work: &Work, site: SiteId, comment: Uuid, status: Status) -> Result<()> {
    let _ = (work, site, comment, status);
    Err(not_built("reports::answer"))
}

pub(super) async fn reopen(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    let _ = (work, site, comment);
    Err(not_built("reports::reopen"))
}

pub(super) async fn forget(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    let _ = (work, site, comment);
    Err(not_built("reports::forget"))
}

pub(super) async fn kept(db: &Db, site: SiteId, reader: &[u8; 16]) -> Result<(Vec<KeptReport>, Vec<KeptVote>)> {
    let _ = (db, site, reader);
    Err(not_built("reports::kept"))
}

pub(super) async fn forget_reader(work: &Work, site: SiteId, reader: &[u8; 16]) -> Result<u64> {
    let _ = (work, site, reader);
    Err(not_built("reports::forget_reader"))
}

pub(super) async fn open(db: &Db, site: SiteId, comment: Uuid, most: u32) -> Result<Vec<ReportSeen>> {
    let _ = (db, site, comment, most);
    Err(not_built("reports::open"))
}

pub(super) async fn waiting(db: &Db) -> Result<HashSet<Uuid>> {
    let _ = (db,);
    Err(not_built("reports::waiting"))
}

pub(super) async fn view(db: &Db, site: SiteId, comment: Uuid) -> Result<ReaderView> {
    let _ = (db, site, comment);
    Err(not_built("reports::view"))
}

#[async_trait]
impl Readers for PostgresStore {
    async fn report(
        &self,
        site: SiteId,
        comment: &ExternalId,
        report: NewReport,
        config: Config,
        strangers: bool,
        at: Timestamp,
    ) -> Result<Option<Reported>> {
        let _ = (site, comment, report, config, strangers, at);
        Err(not_built("report"))?
    }
    async fn vote(
        &self,
        site: SiteId,
        comment: &ExternalId,
        reader: &ExternalId,
        value: i8,
        at: Timestamp,
    ) -> Result<Option<Voted>> {
        let _ = (site, comment, reader, value, at);
        Err(not_built("vote"))?
    }
    async fn reader_view(&self, comment: uuid::Uuid) -> Result<ReaderView> {
        let _ = (comment,);
        Err(not_built("reader_view"))?
    }
}

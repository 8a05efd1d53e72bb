//! samples: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::comment::*;
use crate::domain::decision::*;
use crate::domain::learning::*;
use crate::domain::people::*;
use crate::domain::site::*;
use crate::domain::store::{KeyHash, ListError, Page, PageRequest, Result, Ruling};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};
use crate::storage::told::Stored;
use async_trait::async_trait;
use std::collections::HashSet;
use uuid::Uuid;

pub(super) async fn waits(db: &Db, site: SiteId, comment: Uuid) -> Result<bool> {
    db.exists("SELECT FROM queue WHERE site = $1 AND comment = $2", &[&number(site), &comment]).await
}

pub(super) async fn draw(work: &Work, row: &Row, content: &Content, lot: Option<Lot>) -> Result<bool> {
    let _ = (work, row, content, lot);
    Err(not_built("samples::draw"))
}

pub(super) async fn revise(work: &Work, row: &Row, content: &Content, lot: Option<Lot>) -> Result<()> {
    let _ = (work, row, content, lot);
    Err(not_built("samples::revise"))
}

pub(super) async fn is_open(db: &Db, site: SiteId, comment: Uuid) -> Result<bool> {
    let _ = (db, site, comment);
    Err(not_built("samples::is_open"))
}

pub(super) async fn answer(work: &Work, row: &Row, ruling: &Ruling, decision: Uuid) -> Result<bool> {
    let _ = (work, row, ruling, decision);
    Err(not_built("samples::answer"))
}

pub(super) async fn discard(work: &Work, site: SiteId, comment: Uuid) -> Result<bool> {
    let _ = (work, site, comment);
    Err(not_built("samples::discard"))
}

pub(super) async fn reopen(work: &Work, site: SiteId, comment: Uuid, decision: Uuid) -> Result<()> {
    let _ = (work, site, comment, decision);
    Err(not_built("samples::reopen"))
}

pub(super) async fn forget(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    let _ = (work, site, comment);
    Err(not_built("samples::forget"))
}

pub(super) async fn agreements(db: &Db) -> Result<Vec<Agreement>> {
    let _ = (db,);
    Err(not_built("samples::agreements"))
}

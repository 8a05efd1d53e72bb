//! queue: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
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

pub(super) async fn add(work: &Work, row: &Row, content: &Content, held_at: Timestamp) -> Result<()> {
    let _ = (work, row, content, held_at);
    Err(not_built("queue::add"))
}

pub(super) async fn replace(work: &Work, row: &Row, content: &Content, held_at: Timestamp) -> Result<()> {
    let _ = (work, row, content, held_at);
    Err(not_built("queue::replace"))
}

pub(super) async fn held_at(db: &Db, site: SiteId, comment: Uuid) -> Result<Option<Timestamp>> {
    let _ = (db, site, comment);
    Err(not_built("queue::held_at"))
}

pub(super) async fn follow_article(work: &Work, site: SiteId, article: &Article) -> Result<()> {
    let _ = (work, site, article);
    Err(not_built("queue::follow_article"))
}

pub(super) async fn page(
    db: &Db,
    filter: &QueueFilter,
    sort: QueueSort,
    page: &PageRequest,
    now: Timestamp,
) -> std::result::Result<QueuePage, ListError> {
    let _ = (db, filter, sort, page, now);
    Err(not_built("queue::page"))?
}

pub(super) async fn claim(
    work: &Work,
    uids: &[Uuid],
    by: &Person,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let _ = (work, uids, by, until, now);
    Err(not_built("queue::claim"))?
}

pub(super) async fn release(work: &Work, uids: &[Uuid], by: &str) -> Result<Vec<Uuid>> {
    let _ = (work, uids, by);
    Err(not_built("queue::release"))?
}

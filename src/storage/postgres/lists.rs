//! lists: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::comment::*;
use crate::domain::decision::*;
use crate::domain::history::AuthorPast;
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

pub(super) async fn list(
    db: &Db,
    site: SiteId,
    filter: &CommentFilter,
    page: &PageRequest,
) -> std::result::Result<Page<Record>, ListError> {
    let _ = (db, site, filter, page);
    Err(not_built("lists::list"))?
}

pub(super) async fn by_uid(db: &Db, uid: Uuid) -> Result<Option<Record>> {
    let _ = (db, uid);
    Err(not_built("lists::by_uid"))?
}

pub(super) async fn place(db: &Db, uid: Uuid) -> Result<Option<Place>> {
    let _ = (db, uid);
    Err(not_built("lists::place"))?
}

pub(super) async fn author_past(db: &Db, trace: &Trace, before: Timestamp, depth: usize) -> Result<AuthorPast> {
    let _ = (db, trace, before, depth);
    Err(not_built("lists::author_past"))?
}

pub(super) async fn remembered(
    db: &Db,
    since: Timestamp,
    most: usize,
    each: &mut (dyn FnMut(Remembered) + Send),
) -> Result<()> {
    let _ = (db, since, most, each);
    Err(not_built("lists::remembered"))?
}

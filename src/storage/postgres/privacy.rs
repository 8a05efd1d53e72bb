//! privacy: see the same module of the other engine.
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

pub(super) async fn hash_edited(work: &Work, row: &Row) -> Result<()> {
    let _ = (work, row);
    Err(not_built("privacy::hash_edited"))
}

pub(super) async fn meta(db: &Db, name: &str) -> Result<Option<Vec<u8>>> {
    let _ = (db, name);
    Err(not_built("privacy::meta"))
}

pub(super) async fn meta_set(work: &Work, name: &str, value: &[u8]) -> Result<()> {
    let _ = (work, name, value);
    Err(not_built("privacy::meta_set"))
}

pub(super) async fn export(
    db: &Db,
    site: SiteId,
    author: &ExternalId,
    page: &PageRequest,
) -> std::result::Result<Page<Kept>, ListError> {
    let _ = (db, site, author, page);
    Err(not_built("privacy::export"))?
}

pub(super) async fn besides(db: &Db, site: SiteId, author: &ExternalId) -> Result<KeptBesides> {
    let _ = (db, site, author);
    Err(not_built("privacy::besides"))?
}

pub(super) async fn erase(
    work: &Work,
    site: SiteId,
    author: &ExternalId,
    by: &Actor,
    at: Timestamp,
) -> Result<ErasedAuthor> {
    let _ = (work, site, author, by, at);
    Err(not_built("privacy::erase"))?
}

pub(super) async fn hash_addresses(
    work: &Work,
    before: Timestamp,
    most: usize,
    key_days: u32,
    at: Timestamp,
) -> Result<Hashed> {
    let _ = (work, before, most, key_days, at);
    Err(not_built("privacy::hash_addresses"))?
}

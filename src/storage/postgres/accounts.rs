//! accounts: see the same module of the other engine.
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

pub(super) async fn site_create(
    work: &Work,
    name: &str,
    url: Option<&str>,
    webhook: Option<&str>,
    key: &KeyHash,
    scopes: &[Scope],
    secrets: &SealedSecrets,
    at: Timestamp,
) -> Result<Option<Site>> {
    let _ = (work, name, url, webhook, key, scopes, secrets, at);
    Err(not_built("accounts::site_create"))?
}

pub(super) async fn sites(db: &Db) -> Result<Vec<Site>> {
    let _ = (db);
    Err(not_built("accounts::sites"))?
}

pub(super) async fn key_add(work: &Work, site: &str, key: &KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool> {
    let _ = (work, site, key, scopes, at);
    Err(not_built("accounts::key_add"))?
}

pub(super) async fn key_rotate(
    work: &Work,
    site: &str,
    key: &KeyHash,
    scopes: &[Scope],
    at: Timestamp,
) -> Result<bool> {
    let _ = (work, site, key, scopes, at);
    Err(not_built("accounts::key_rotate"))?
}

pub(super) async fn key_find(db: &Db, key: &KeyHash) -> Result<Option<SiteKey>> {
    let _ = (db, key);
    Err(not_built("accounts::key_find"))?
}

//! secrets: see the same module of the other engine.
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

pub(super) async fn webhook_set(work: &Work, site: &str, url: Option<&str>, at: Timestamp) -> Result<bool> {
    let _ = (work, site, url, at);
    Err(not_built("secrets::webhook_set"))?
}

pub(super) async fn find(db: &Db, site: &str) -> Result<Option<StoredSecrets>> {
    let _ = (db, site);
    Err(not_built("secrets::find"))?
}

pub(super) async fn all(db: &Db) -> Result<Vec<StoredSecrets>> {
    let _ = (db);
    Err(not_built("secrets::all"))?
}

pub(super) async fn rotate(
    work: &Work,
    site: &str,
    kind: SecretKind,
    sealed: &[u8],
    before_until: Timestamp,
    at: Timestamp,
) -> Result<bool> {
    let _ = (work, site, kind, sealed, before_until, at);
    Err(not_built("secrets::rotate"))?
}

pub(super) async fn reseal(work: &Work, sealed: &[(StoredSecrets, StoredSecrets)], at: Timestamp) -> Result<u64> {
    let _ = (work, sealed, at);
    Err(not_built("secrets::reseal"))?
}

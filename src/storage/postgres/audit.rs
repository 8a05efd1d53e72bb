//! audit: see the same module of the other engine.
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

pub(super) async fn write(work: &Work, entries: &[AuditEntry]) -> Result<()> {
    let _ = (work, entries);
    Err(not_built("audit::write"))
}

pub(super) async fn list(
    db: &Db,
    filter: &AuditFilter,
    page: &PageRequest,
) -> std::result::Result<Page<AuditLine>, ListError> {
    let _ = (db, filter, page);
    Err(not_built("audit::list"))?
}

pub(super) async fn after(db: &Db, number: i64, most: usize) -> Result<Vec<AuditLine>> {
    let _ = (db, number, most);
    Err(not_built("audit::after"))?
}

pub(super) async fn verify(db: &Db, head: Option<[u8; 32]>) -> Result<AuditCheck> {
    let _ = (db, head);
    Err(not_built("audit::verify"))?
}

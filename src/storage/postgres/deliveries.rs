//! deliveries: see the same module of the other engine.
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

pub(super) async fn note(work: &Work, site: SiteId, id: &str, body: [u8; 32], at: Timestamp) -> Result<Delivery> {
    let _ = (work, site, id, body, at);
    Err(not_built("deliveries::note"))?
}

pub(super) async fn done(work: &Work, site: SiteId, id: &str) -> Result<()> {
    let _ = (work, site, id);
    Err(not_built("deliveries::done"))?
}

pub(super) async fn prune(work: &Work, before: Timestamp) -> Result<u64> {
    let _ = (work, before);
    Err(not_built("deliveries::prune"))?
}

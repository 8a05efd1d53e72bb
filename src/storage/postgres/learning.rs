//! learning: see the same module of the other engine.
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

pub(super) async fn note(work: &Work, row: &Row, ruling: &Ruling, decision: Uuid, teaches: bool) -> Result<()> {
    let _ = (work, row, ruling, decision, teaches);
    Err(not_built("learning::note"))
}

pub(super) async fn undo(work: &Work, row: &Row, decision: Uuid, at: Timestamp) -> Result<()> {
    let _ = (work, row, decision, at);
    Err(not_built("learning::undo"))
}

pub(super) async fn forget(work: &Work, row: &Row) -> Result<()> {
    let _ = (work, row);
    Err(not_built("learning::forget"))
}

#[async_trait]
impl Learning for PostgresStore {
    async fn labels_due(&self) -> Result<Vec<Due>> {
        Err(not_built("labels_due"))?
    }
    async fn label_ids(&self, site: SiteId) -> Result<Vec<i64>> {
        let _ = (site,);
        Err(not_built("label_ids"))?
    }
    async fn labels(&self, ids: &[i64]) -> Result<Vec<Label>> {
        let _ = (ids,);
        Err(not_built("labels"))?
    }
    async fn label_counts(&self, site: SiteId) -> Result<LabelCounts> {
        let _ = (site,);
        Err(not_built("label_counts"))?
    }
    async fn conclude(&self, conclusion: Conclusion) -> Result<Option<Option<u32>>> {
        let _ = (conclusion,);
        Err(not_built("conclude"))?
    }
    async fn site_models(&self) -> Result<Vec<SiteModel>> {
        Err(not_built("site_models"))?
    }
    async fn site_model_end(
        &self,
        site: SiteId,
        to_before: bool,
        base: &str,
        by: Actor,
        at: Timestamp,
    ) -> Result<Option<Option<SiteModel>>> {
        let _ = (site, to_before, base, by, at);
        Err(not_built("site_model_end"))?
    }
    async fn model_changes(&self, site: SiteId, most: usize) -> Result<Vec<ModelChange>> {
        let _ = (site, most);
        Err(not_built("model_changes"))?
    }
    async fn agreements(&self) -> Result<Vec<Agreement>> {
        Err(not_built("agreements"))?
    }
}

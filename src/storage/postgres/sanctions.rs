//! sanctions: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::comment::*;
use crate::domain::decision::*;
use crate::domain::people::*;
use crate::domain::sanction::*;
use crate::domain::site::*;
use crate::domain::store::*;
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};
use crate::storage::told::Stored;
use async_trait::async_trait;
use std::collections::HashSet;
use uuid::Uuid;

pub(super) async fn note_effect(work: &Work, row: &Row, effect: Option<Effect>) -> Result<()> {
    let _ = (work, row, effect);
    Err(not_built("sanctions::note_effect"))
}

pub(super) async fn of_hash(db: &Db, hash: &TargetHash) -> Result<Vec<Sanction>> {
    let _ = (db, hash);
    Err(not_built("sanctions::of_hash"))
}

pub(super) async fn forget_author(work: &Work, hash: &TargetHash) -> Result<u64> {
    let _ = (work, hash);
    Err(not_built("sanctions::forget_author"))
}

#[async_trait]
impl Sanctions for PostgresStore {
    fn target_key(&self) -> [u8; 32] {
        self.shared.target_key
    }
    async fn sanction_add(&self, new: NewSanction) -> Result<(Sanction, Option<Ruled>)> {
        let _ = (new,);
        Err(not_built("sanction_add"))?
    }
    async fn sanctions_active(&self, now: Timestamp) -> Result<Vec<Sanction>> {
        let _ = (now,);
        Err(not_built("sanctions_active"))?
    }
    async fn sanction_find(&self, uid: Uuid) -> Result<Option<Sanction>> {
        let _ = (uid,);
        Err(not_built("sanction_find"))?
    }
    async fn sanction_list(
        &self,
        filter: &SanctionFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Sanction>, ListError> {
        let _ = (filter, page);
        Err(not_built("sanction_list"))?
    }
    async fn sanction_resume(&self, uid: Uuid, by: Actor, at: Timestamp) -> Result<Option<Sanction>> {
        let _ = (uid, by, at);
        Err(not_built("sanction_resume"))?
    }
    async fn sanction_effects(&self, numbers: &[i64]) -> Result<Vec<u64>> {
        let _ = (numbers,);
        Err(not_built("sanction_effects"))?
    }
    async fn sanction_lift(
        &self,
        uid: Uuid,
        undo: bool,
        by: Actor,
        at: Timestamp,
        tell_at: Timestamp,
    ) -> Result<Option<Lifted>> {
        let _ = (uid, undo, by, at, tell_at);
        Err(not_built("sanction_lift"))?
    }
}

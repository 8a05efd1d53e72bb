//! people: see the same module of the other engine.
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

pub(super) async fn create(
    work: &Work,
    email: &str,
    role: Role,
    reach: &Reach,
    password: &str,
    at: Timestamp,
) -> Result<Option<Person>> {
    let _ = (work, email, role, reach, password, at);
    Err(not_built("people::create"))?
}

pub(super) async fn all(db: &Db) -> Result<Vec<Person>> {
    let _ = (db);
    Err(not_built("people::all"))?
}

pub(super) async fn change(work: &Work, email: &str, role: Role, reach: &Reach, at: Timestamp) -> Result<bool> {
    let _ = (work, email, role, reach, at);
    Err(not_built("people::change"))?
}

pub(super) async fn reset(work: &Work, email: &str, password: &str, at: Timestamp) -> Result<bool> {
    let _ = (work, email, password, at);
    Err(not_built("people::reset"))?
}

pub(super) async fn disable(work: &Work, email: &str, at: Timestamp) -> Result<bool> {
    let _ = (work, email, at);
    Err(not_built("people::disable"))?
}

pub(super) async fn token_create(work: &Work, email: &str, token: &KeyHash, at: Timestamp) -> Result<bool> {
    let _ = (work, email, token, at);
    Err(not_built("people::token_create"))?
}

pub(super) async fn tokens(db: &Db, email: Option<&str>) -> Result<Vec<TokenKnown>> {
    let _ = (db, email);
    Err(not_built("people::tokens"))?
}

pub(super) async fn token_revoke(work: &Work, email: &str, id: &str, at: Timestamp) -> Result<bool> {
    let _ = (work, email, id, at);
    Err(not_built("people::token_revoke"))?
}

pub(super) async fn token_find(db: &Db, token: &KeyHash) -> Result<Option<Person>> {
    let _ = (db, token);
    Err(not_built("people::token_find"))?
}

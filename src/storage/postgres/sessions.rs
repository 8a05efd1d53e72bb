//! sessions: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::comment::*;
use crate::domain::decision::*;
use crate::domain::people::*;
use crate::domain::session::*;
use crate::domain::site::*;
use crate::domain::store::{KeyHash, ListError, Page, PageRequest, Result, Ruling};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};
use crate::storage::told::Stored;
use async_trait::async_trait;
use std::collections::HashSet;
use uuid::Uuid;

pub(super) async fn end_all(work: &Work, email: &str) -> Result<()> {
    let _ = (work, email);
    Err(not_built("sessions::end_all"))
}

pub(super) async fn clear_totp(work: &Work, email: &str) -> Result<()> {
    let _ = (work, email);
    Err(not_built("sessions::clear_totp"))
}

#[async_trait]
impl Sessions for PostgresStore {
    async fn credentials(&self, email: &str) -> Result<Option<Credentials>> {
        let _ = (email,);
        Err(not_built("credentials"))?
    }
    async fn session_open(&self, new: NewSession) -> Result<bool> {
        let _ = (new,);
        Err(not_built("session_open"))?
    }
    async fn session_find(&self, hash: &KeyHash, seen_since: Timestamp, now: Timestamp) -> Result<Option<LiveSession>> {
        let _ = (hash, seen_since, now);
        Err(not_built("session_find"))?
    }
    async fn session_seen(&self, hash: &KeyHash, at: Timestamp) -> Result<()> {
        let _ = (hash, at);
        Err(not_built("session_seen"))?
    }
    async fn session_end(&self, hash: &KeyHash, at: Timestamp) -> Result<bool> {
        let _ = (hash, at);
        Err(not_built("session_end"))?
    }
    async fn sessions(&self, person: &Person, now: Timestamp) -> Result<Vec<SessionKnown>> {
        let _ = (person, now);
        Err(not_built("sessions"))?
    }
    async fn session_revoke(&self, person: &Person, id: &str, at: Timestamp) -> Result<bool> {
        let _ = (person, id, at);
        Err(not_built("session_revoke"))?
    }
    async fn password_change(&self, person: &Person, password: &str, keep: &KeyHash, at: Timestamp) -> Result<()> {
        let _ = (person, password, keep, at);
        Err(not_built("password_change"))?
    }
    async fn totp_use(&self, person: &Person, step: u64) -> Result<bool> {
        let _ = (person, step);
        Err(not_built("totp_use"))?
    }
    async fn totp_set(
        &self,
        person: &Person,
        sealed: Vec<u8>,
        step: u64,
        recovery: Vec<KeyHash>,
        keep: &KeyHash,
        at: Timestamp,
    ) -> Result<bool> {
        let _ = (person, sealed, step, recovery, keep, at);
        Err(not_built("totp_set"))?
    }
    async fn totp_clear(&self, person: &Person, at: Timestamp) -> Result<()> {
        let _ = (person, at);
        Err(not_built("totp_clear"))?
    }
    async fn recovery_use(&self, person: &Person, code: &KeyHash, at: Timestamp) -> Result<bool> {
        let _ = (person, code, at);
        Err(not_built("recovery_use"))?
    }
    async fn recovery_left(&self, person: &Person) -> Result<u64> {
        let _ = (person,);
        Err(not_built("recovery_left"))?
    }
    async fn totp_seeds(&self) -> Result<Vec<(String, Vec<u8>)>> {
        Err(not_built("totp_seeds"))?
    }
    async fn totp_reseal(&self, email: &str, from: &[u8], to: Vec<u8>) -> Result<bool> {
        let _ = (email, from, to);
        Err(not_built("totp_reseal"))?
    }
}

//! rulings: see the same module of the other engine.
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

pub(super) async fn place(db: &Db, row: &Row) -> Result<Place> {
    let _ = (db, row);
    Err(not_built("rulings::place"))
}

pub(super) async fn place_of(db: &Db, row: &Row, content: &Content) -> Result<Place> {
    let _ = (db, row, content);
    Err(not_built("rulings::place_of"))
}

pub(super) async fn rule_as(work: &Work, ruling: &Ruling, teaches: bool) -> Result<Ruled> {
    let _ = (work, ruling, teaches);
    Err(not_built("rulings::rule_as"))
}

pub(super) async fn note_happening(
    work: &Work,
    row: &Row,
    at: Timestamp,
    ruling: Option<Uuid>,
    happened: &Happened,
) -> Result<()> {
    let _ = (work, row, at, ruling, happened);
    Err(not_built("rulings::note_happening"))
}

pub(super) async fn permitted(work: &Work, uid: Uuid, reach: &Reach) -> Result<Option<Row>> {
    let _ = (work, uid, reach);
    Err(not_built("rulings::permitted"))
}

pub(super) async fn history(db: &Db, uid: Uuid) -> Result<Vec<Happening>> {
    let _ = (db, uid);
    Err(not_built("rulings::history"))?
}

pub(super) async fn rule(work: &Work, ruling: &Ruling) -> Result<Ruled> {
    let _ = (work, ruling);
    Err(not_built("rulings::rule"))?
}

pub(super) async fn unrule(
    work: &Work,
    decision: Uuid,
    by: &Actor,
    reach: &Reach,
    at: Timestamp,
) -> Result<std::result::Result<Ruled, UndoError>> {
    let _ = (work, decision, by, reach, at);
    Err(not_built("rulings::unrule"))?
}

//! reads: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::comment::*;
use crate::domain::decision::*;
use crate::domain::explain::*;
use crate::domain::figures::*;
use crate::domain::people::*;
use crate::domain::reads::*;
use crate::domain::site::*;
use crate::domain::store::{KeyHash, ListError, Page, PageRequest, Result, Ruling};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};
use crate::storage::told::Stored;
use async_trait::async_trait;
use std::collections::HashSet;
use uuid::Uuid;

#[async_trait]
impl Reads for PostgresStore {
    async fn surroundings(
        &self,
        uid: Uuid,
        reach: &Reach,
        whole: bool,
        now: Timestamp,
    ) -> Result<Option<Surroundings>> {
        let _ = (uid, reach, whole, now);
        Err(not_built("surroundings"))?
    }
    async fn behind(&self, uid: Uuid, reach: &Reach) -> Result<Option<Behind>> {
        let _ = (uid, reach);
        Err(not_built("behind"))?
    }
    async fn article_numbers(&self, site: SiteId, article: &ExternalId, reach: &Reach) -> Result<ArticleNumbers> {
        let _ = (site, article, reach);
        Err(not_built("article_numbers"))?
    }
    async fn author_profile(
        &self,
        site: SiteId,
        author: &ExternalId,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<AuthorProfile> {
        let _ = (site, author, reach, now);
        Err(not_built("author_profile"))?
    }
    async fn figures(&self, sites: Option<&[String]>, since: Timestamp, now: Timestamp) -> Result<Figures> {
        let _ = (sites, since, now);
        Err(not_built("figures"))?
    }
    async fn last_decided(&self, reach: &Reach) -> Result<Option<Timestamp>> {
        let _ = (reach,);
        Err(not_built("last_decided"))?
    }
    async fn also_lets_through(&self, what_if: &WhatIf, but: Uuid, reach: &Reach) -> Result<AlsoLetsThrough> {
        let _ = (what_if, but, reach);
        Err(not_built("also_lets_through"))?
    }
    async fn author_note_add(
        &self,
        site: SiteId,
        author: &ExternalId,
        text: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<AuthorNote> {
        let _ = (site, author, text, by, at);
        Err(not_built("author_note_add"))?
    }
    async fn author_note_remove(
        &self,
        site: SiteId,
        author: &ExternalId,
        note: Uuid,
        by: &str,
        any: bool,
        at: Timestamp,
    ) -> Result<NoteRemoval> {
        let _ = (site, author, note, by, any, at);
        Err(not_built("author_note_remove"))?
    }
}

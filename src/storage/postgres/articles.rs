//! articles: see the same module of the other engine.
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

pub(super) async fn put(work: &Work, site: SiteId, article: &Article, at: Timestamp) -> Result<(Article, bool)> {
    let _ = (work, site, article, at);
    Err(not_built("articles::put"))?
}

pub(super) async fn find(db: &Db, site: SiteId, id: &ExternalId) -> Result<Option<Article>> {
    let _ = (db, site, id);
    Err(not_built("articles::find"))?
}

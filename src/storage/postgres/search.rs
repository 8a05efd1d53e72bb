//! search: see the same module of the other engine.
#![allow(unused_imports, clippy::wildcard_imports, reason = "written by somebody soon")]
use super::PostgresStore;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, not_built, transact};
use crate::domain::comment::*;
use crate::domain::decision::*;
use crate::domain::people::*;
use crate::domain::search::*;
use crate::domain::site::*;
use crate::domain::store::*;
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened};
use crate::storage::told::Stored;
use async_trait::async_trait;
use std::collections::HashSet;
use uuid::Uuid;

#[async_trait]
impl Search for PostgresStore {
    async fn comment_search(
        &self,
        filter: &SearchFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Record>, ListError> {
        let _ = (filter, page);
        Err(not_built("comment_search"))?
    }
    async fn search_index(&self, most: usize) -> Result<Indexed> {
        let _ = (most,);
        Err(not_built("search_index"))?
    }
}

//! The store on one machine: SQLite, one writer with group commit, a pool of readers.
//!
//! `docs/adr/0002` says why one writer, `0003` why rows lie as they do. What another process does with the same file beside a running
//! `serve` (create sites, people, tokens) is seen at once; comments are recorded by one process at a time, which a lock on a file beside the database
//! makes sure of.

mod accounts;
mod comments;
mod errors;
mod index;
mod open;
mod queue;
mod rulings;
mod rows;
mod uid;
mod writer;

use std::fs::File;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use uuid::Uuid;

pub use self::errors::OpenError;
pub use self::open::Config;

use self::errors::store_error;
use self::index::Index;
use self::uid::Uids;
use self::writer::{Readers, Writer};
use crate::domain::comment::{Article, ExternalId};
use crate::domain::decision::{Actor, Record};
use crate::domain::history::AuthorPast;
use crate::domain::people::{Person, Role};
use crate::domain::site::{Scope, Site, SiteId};
use crate::domain::store::{
    AuditEntry, CommentFilter, ContentHash, CreateError, Happening, KeyHash, ListError, NewRecord, Page, PageRequest,
    QueueFilter, QueuePage, QueueSort, Recording, Remembered, Result, Ruled, Ruling, SealedSecrets, SiteKey, Store,
    StoreError, UndoError,
};
use crate::domain::time::Timestamp;
use crate::domain::trace::{Trace, scoped};

/// A database file.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    index: Arc<RwLock<Index>>,
    uids: Uids,
    /// Held while comments may be recorded; `None` when opened for administration only.
    serving: Option<File>,
}

impl SqliteStore {
    fn comments_allowed(&self) -> Result<()> {
        match self.serving {
            Some(_) => Ok(()),
            None => Err(StoreError::Unavailable("opened for administration: comments are not taken".into())),
        }
    }

    fn row_of_name(&self, site: SiteId, id: &ExternalId) -> Option<u64> {
        let hash = scoped(site, "comment", id.as_str());
        self.index.read().unwrap_or_else(PoisonError::into_inner).name(hash)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn comment_find(&self, site: SiteId, id: &ExternalId) -> Result<Option<(Record, ContentHash)>> {
        self.comments_allowed()?;
        let Some(row) = self.row_of_name(site, id) else { return Ok(None) };
        let (uids, id) = (self.uids.clone(), id.clone());
        self.readers.run(move |connection| comments::find(connection, &uids, row, site, &id)).await
    }

    async fn comment_record(&self, new: NewRecord) -> Result<Recording> {
        self.comments_allowed()?;
        let new = comments::Prepared::new(new)?; // encoded here, so that the writer only writes
        self.writer.run(move |work| comments::record(work, &new)).await
    }

    async fn comment_revise(&self, new: NewRecord) -> Result<Option<Record>> {
        self.comments_allowed()?;
        let new = comments::Prepared::new(new)?;
        self.writer.run(move |work| comments::revise(work, &new)).await
    }

    async fn comment_erase(&self, site: SiteId, id: &ExternalId, by: Actor, at: Timestamp) -> Result<Option<Trace>> {
        self.comments_allowed()?;
        let id = id.clone();
        self.writer.run(move |work| comments::erase(work, site, &id, &by, at)).await
    }

    async fn comment_list(
        &self,
        site: SiteId,
        filter: &CommentFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Record>, ListError> {
        let (uids, filter, page) = (self.uids.clone(), filter.clone(), page.clone());
        let cursor = rows::cursor(page.cursor.as_deref())?;
        let start = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            comments::ListStart::of(&index, site, &filter, cursor)
        };
        Ok(self.readers.run(move |connection| comments::list(connection, &uids, site, &filter, start, page.limit)).await?)
    }

    async fn comment_by_uid(&self, uid: Uuid) -> Result<Option<Record>> {
        let uids = self.uids.clone();
        self.readers.run(move |connection| comments::by_uid(connection, &uids, uid)).await
    }

    async fn comment_history(&self, uid: Uuid) -> Result<Vec<Happening>> {
        let uids = self.uids.clone();
        self.readers.run(move |connection| rulings::history(connection, &uids, uid)).await
    }

    async fn author_past(&self, trace: &Trace, before: Timestamp, depth: usize) -> Result<AuthorPast> {
        let newest = self.index.read().unwrap_or_else(PoisonError::into_inner).author(trace.author);
        let Some(newest) = newest else { return Ok(AuthorPast::default()) };
        let (author, comment) = (trace.author, trace.comment);
        self.readers.run(move |connection| comments::author_past(connection, newest, author, comment, before, depth)).await
    }

    async fn remembered(&self, since: Timestamp, most: usize, each: Box<dyn FnMut(Remembered) + Send>) -> Result<()> {
        self.readers.run(move |connection| comments::remembered(connection, since, most, each)).await
    }

    async fn article_put(&self, site: SiteId, article: Article, at: Timestamp) -> Result<(Article, bool)> {
        self.writer.run(move |work| comments::article_put(work.connection, site, &article, at)).await
    }

    async fn article_find(&self, site: SiteId, id: &ExternalId) -> Result<Option<Article>> {
        let id = id.clone();
        self.readers.run(move |connection| comments::article_find(connection, site, id.as_str())).await
    }

    async fn queue(
        &self,
        filter: &QueueFilter,
        sort: QueueSort,
        page: &PageRequest,
        now: Timestamp,
    ) -> std::result::Result<QueuePage, ListError> {
        let cursor = rows::cursor(page.cursor.as_deref())?;
        let (uids, filter, limit) = (self.uids.clone(), filter.clone(), page.limit);
        Ok(self.readers.run(move |connection| queue::page(connection, &uids, &filter, sort, cursor, limit, now)).await?)
    }

    async fn claim(&self, uids: &[Uuid], by: &str, until: Timestamp, now: Timestamp) -> Result<Vec<Uuid>> {
        let (wanted, by) = (uids.to_vec(), by.to_owned());
        self.writer.run(move |work| queue::claim(work, &wanted, &by, until, now)).await
    }

    async fn release(&self, uids: &[Uuid], by: &str) -> Result<Vec<Uuid>> {
        let (wanted, by) = (uids.to_vec(), by.to_owned());
        self.writer.run(move |work| queue::release(work, &wanted, &by)).await
    }

    async fn rule(&self, ruling: Ruling) -> Result<Ruled> {
        self.writer.run(move |work| rulings::rule(work, &ruling)).await
    }

    async fn unrule(
        &self,
        decision: Uuid,
        by: Actor,
        sites: Option<&[String]>,
        at: Timestamp,
    ) -> std::result::Result<Ruled, UndoError> {
        let sites = sites.map(<[String]>::to_vec);
        self.writer.run(move |work| rulings::unrule(work, decision, &by, sites.as_deref(), at)).await?
    }

    async fn audit_list(&self, page: &PageRequest) -> std::result::Result<Page<AuditEntry>, ListError> {
        let cursor = rows::cursor(page.cursor.as_deref())?;
        let limit = page.limit;
        Ok(self.readers.run(move |connection| rulings::audit_list(connection, cursor, limit)).await?)
    }

    async fn site_create(
        &self,
        name: &str,
        url: Option<&str>,
        webhook: Option<&str>,
        key: KeyHash,
        scopes: &[Scope],
        secrets: SealedSecrets,
        at: Timestamp,
    ) -> std::result::Result<Site, CreateError> {
        let (name, url, webhook) = (name.to_owned(), url.map(str::to_owned), webhook.map(str::to_owned));
        let scopes = scopes.to_vec();
        self.writer
            .run(move |work| {
                accounts::site_create(work.connection, &name, url.as_deref(), webhook.as_deref(), &key, &scopes, &secrets, at)
            })
            .await?
    }

    async fn sites(&self) -> Result<Vec<Site>> {
        self.readers.run(accounts::sites).await
    }

    async fn site_secrets(&self, site: &str) -> Result<Option<SealedSecrets>> {
        let site = site.to_owned();
        self.readers.run(move |connection| accounts::site_secrets(connection, &site)).await
    }

    async fn site_key_add(&self, site: &str, key: KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool> {
        let (site, scopes) = (site.to_owned(), scopes.to_vec());
        self.writer.run(move |work| accounts::site_key_add(work.connection, &site, &key, &scopes, at)).await
    }

    async fn site_key_rotate(&self, site: &str, key: KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool> {
        let (site, scopes) = (site.to_owned(), scopes.to_vec());
        self.writer.run(move |work| accounts::site_key_rotate(work.connection, &site, &key, &scopes, at)).await
    }

    async fn site_delete(&self, site: &str, by: Actor, at: Timestamp) -> Result<bool> {
        let site = site.to_owned();
        self.writer.run(move |work| accounts::site_delete(work, &site, &by, at)).await
    }

    async fn site_key_find(&self, key: &KeyHash) -> Result<Option<SiteKey>> {
        let key = *key;
        self.readers.run(move |connection| accounts::site_key_find(connection, &key)).await
    }

    async fn person_create(
        &self,
        email: &str,
        role: Role,
        password: &str,
        at: Timestamp,
    ) -> std::result::Result<Person, CreateError> {
        let (email, password) = (email.to_owned(), password.to_owned());
        self.writer.run(move |work| accounts::person_create(work.connection, &email, role, &password, at)).await?
    }

    async fn person_reset(&self, email: &str, password: &str, at: Timestamp) -> Result<bool> {
        let (email, password) = (email.to_owned(), password.to_owned());
        self.writer.run(move |work| accounts::person_reset(work.connection, &email, &password, at)).await
    }

    async fn person_disable(&self, email: &str, at: Timestamp) -> Result<bool> {
        let email = email.to_owned();
        self.writer.run(move |work| accounts::person_disable(work.connection, &email, at)).await
    }

    async fn token_create(&self, email: &str, token: KeyHash, at: Timestamp) -> Result<bool> {
        let email = email.to_owned();
        self.writer.run(move |work| accounts::token_create(work.connection, &email, &token, at)).await
    }

    async fn token_find(&self, token: &KeyHash) -> Result<Option<Person>> {
        let token = *token;
        self.readers.run(move |connection| accounts::token_find(connection, &token)).await
    }

    async fn ready(&self) -> Result<()> {
        // A transaction that takes the write lock and writes nothing: fails where a comment would fail.
        self.writer
            .run(|work| work.connection.query_row("SELECT 1 FROM meta LIMIT 1", [], |_| Ok(())).map_err(store_error))
            .await
    }

    async fn close(&self) {
        self.writer.close().await;
    }
}

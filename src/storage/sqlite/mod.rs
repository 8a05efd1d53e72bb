//! The store in one SQLite file, for one machine.
//!
//! One writer thread commits everything that waits as one transaction and only then answers; a few reader threads see
//! what is committed. Rows lie dense in commit order, and no index over random keys is touched when a comment comes:
//! ids, authors and articles are found through memory, and every such hit is compared with its row
//! (docs/adr/0003-dense-rows-and-key-runs.md).
//!
//! Only one process may take comments in, because the index in memory is its own: [`SqliteStore::open_serving`] locks
//! `PATH.lock` for as long as it lives. Any number of processes may [`SqliteStore::open`] the same file beside it, for
//! sites, people, keys, rulings and the queue.

mod accounts;
mod akismet;
mod appeals;
mod articles;
mod audit;
mod campaigns;
mod checkpoints;
pub mod checkup;
pub mod copy;
mod erasures;
mod error;
mod expiry;
mod imports;
mod index;
mod intake;
mod learning;
mod lists;
mod moved;
mod nodes;
mod notices;
mod open;
mod outbox;
mod privacy;
mod queue;
mod readers;
mod reads;
mod recordings;
mod reports;
mod rows;
mod rulings;
mod samples;
mod sanctions;
mod search;
mod secrets;
mod sessions;
mod shared;
pub(in crate::storage) mod source;
mod start;
mod uid;
mod verdicts;
mod versions;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::error::OpenError;
use self::intake::Recorded;
use self::readers::Readers;
use self::shared::Shared;
use self::writer::Writer;
use super::Config;
use crate::domain::comment::{Article, ExternalId};
use crate::domain::decision::{Actor, Record};
use crate::domain::history::AuthorPast;
use crate::domain::people::{Person, Reach, Role};
use crate::domain::retention::{Expired, Expiry};
use crate::domain::site::{Scope, Site, SiteId};
use crate::domain::store::{
    AuditCheck, AuditEntry, AuditFilter, AuditLine, CommentFilter, ContentHash, CreateError, Delivery, ErasedAuthor,
    Happening, Hashed, Kept, KeptBesides, KeyHash, ListError, NewRecord, Page, PageRequest, Place, QueueFilter,
    QueuePage, QueueSort, Recording, Remembered, Result, Ruled, Ruling, SealedSecrets, SecretKind, SiteKey, Store,
    StoreError, StoredSecrets, TokenKnown, UndoError,
};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;

/// The store in one SQLite file. Dropping it waits until what was begun is finished.
pub struct SqliteStore {
    readers: Readers,
    writer: Writer,
    shared: Arc<Shared>,
    serving: bool,
    /// Whoever works with the words of what waits takes their turn here, and not on a reader: the first of them reads all of it, which takes seconds,
    /// and every reader would wait for that one.
    words: tokio::sync::Mutex<()>,
    /// The same for pages of the queue.
    pages: tokio::sync::Mutex<()>,
}

impl SqliteStore {
    /// Opens the file, makes or migrates it when needed, beside whatever process serves it. Comments can neither be
    /// looked up by their site's ids nor written: [`StoreError::Unavailable`]. Blocks; call it before a runtime starts, or
    /// on a thread for blocking work.
    ///
    /// # Errors
    /// [`OpenError`], with a sentence for the operator.
    pub fn open(config: &Config) -> std::result::Result<Self, OpenError> {
        Self::start(config, false)
    }

    /// Opens the file to take comments in. Blocks, longer the more comments there are (their keys are read).
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::Served`] when another process does so already.
    pub fn open_serving(config: &Config) -> std::result::Result<Self, OpenError> {
        Self::start(config, true)
    }

    fn start(config: &Config, serving: bool) -> std::result::Result<Self, OpenError> {
        let opened = open::open(config, serving)?;
        let path = opened.path;
        let shared = Arc::new(Shared::new(&opened.secret).aiming(config.scratch));
        let unusable = |source| OpenError::Unusable { path: path.clone(), source };
        if serving {
            outbox::release_all(&opened.writer).map_err(unusable)?;
        }
        let last_row = if serving { start::load(&opened.writer, &shared).map_err(unusable)? } else { 0 };
        let readers = (0..config.readers.clamp(1, 64)).map(|_| open::reader(config, &path));
        let readers = readers.collect::<std::result::Result<Vec<_>, _>>()?;
        let checkpointer = open::checkpointer(config, &path)?;
        let io = |error: std::io::Error| OpenError::Io { path: path.clone(), source: error.into() };
        let writer =
            Writer::start(opened.writer, checkpointer, Arc::clone(&shared), last_row, opened.lock).map_err(io)?;
        let readers = Readers::start(readers).map_err(io)?;
        Ok(Self {
            readers,
            writer,
            shared,
            serving,
            words: tokio::sync::Mutex::default(),
            pages: tokio::sync::Mutex::default(),
        })
    }

    /// Comments are found through memory that only the serving process fills.
    fn must_serve(&self) -> Result<()> {
        if self.serving {
            return Ok(());
        }
        Err(StoreError::Unavailable("the store was opened beside the service; comments go through the service".into()))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn comment_find(&self, site: SiteId, id: &ExternalId) -> Result<Option<(Record, ContentHash)>> {
        self.must_serve()?;
        let candidates = self.shared.index.rows(self.shared.hasher.id(site, id.as_str()));
        if candidates.is_empty() {
            return Ok(None); // a new comment: the file is not touched
        }
        let (shared, id) = (Arc::clone(&self.shared), id.clone());
        let find = move |connection: &rusqlite::Connection| -> Result<_> {
            let Some((row, content)) = rows::find(connection, &candidates, site, id.as_str())? else { return Ok(None) };
            let hash = content.hash;
            Ok(Some((rows::record(connection, &shared, &row, content)?, hash)))
        };
        self.readers.ask_shortly(find).await
    }

    async fn comment_is_stored(&self, site: SiteId, id: &str) -> Result<bool> {
        let Ok(id) = ExternalId::parse("id", id.to_owned()) else { return Ok(false) };
        Ok(self.comment_find(site, &id).await?.is_some())
    }

    async fn comment_record(&self, new: NewRecord) -> Result<Recording> {
        self.must_serve()?;
        let name = Arc::clone(&new.site.name);
        let prepared = intake::Prepared::new(&self.shared, new)?;
        let recorded = self.writer.run(move |work| intake::record(work, prepared)).await?;
        let told = |row: &rows::Row, content, waits| rows::record_named(&self.shared, name, row, content, waits);
        Ok(match recorded {
            Recorded::New(row, content, waits) => Recording::New(told(&row, content, waits)?),
            Recorded::Repeat(row, content, waits) => Recording::Repeat(told(&row, content, waits)?),
            Recorded::Conflict => Recording::Conflict,
        })
    }

    async fn comment_revise(&self, new: NewRecord) -> Result<Option<Record>> {
        self.must_serve()?;
        let prepared = intake::Prepared::new(&self.shared, new)?;
        self.writer.run(move |work| intake::revise(work, prepared)).await
    }

    async fn comment_erase(&self, site: SiteId, id: &ExternalId, by: Actor, at: Timestamp) -> Result<Option<Trace>> {
        self.must_serve()?;
        let id = id.clone();
        self.writer.run(move |work| intake::erase(work, site, id.as_str(), &by, at)).await
    }

    async fn comment_list(
        &self,
        site: SiteId,
        filter: &CommentFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Record>, ListError> {
        self.must_serve()?;
        let (shared, filter, page) = (Arc::clone(&self.shared), filter.clone(), page.clone());
        self.readers.ask(move |connection| lists::list(connection, &shared, site, &filter, &page)).await
    }

    async fn comment_by_uid(&self, uid: Uuid) -> Result<Option<Record>> {
        Ok(self.comments_by_uid(&[uid]).await?.pop())
    }

    async fn comments_by_uid(&self, uids: &[Uuid]) -> Result<Vec<Record>> {
        let (shared, uids) = (Arc::clone(&self.shared), uids.to_vec());
        let find = move |connection: &rusqlite::Connection| -> Result<_> {
            let mut records = Vec::with_capacity(uids.len());
            for uid in uids {
                if let Some(row) = rows::by_uid(connection, &shared, uid)? {
                    records.push(rows::load(connection, &shared, &row)?);
                }
            }
            Ok(records)
        };
        self.readers.ask(find).await
    }

    async fn comment_place(&self, uid: Uuid) -> Result<Option<Place>> {
        let shared = Arc::clone(&self.shared);
        let find = move |connection: &rusqlite::Connection| -> Result<_> {
            let row = rows::by_uid(connection, &shared, uid)?;
            row.map(|row| rulings::place(connection, &shared, &row)).transpose()
        };
        self.readers.ask(find).await
    }

    async fn comment_history(&self, uid: Uuid) -> Result<Vec<Happening>> {
        let shared = Arc::clone(&self.shared);
        self.readers.ask(move |connection| rulings::history(connection, &shared, uid)).await
    }

    async fn author_past(&self, trace: &Trace, before: Timestamp, depth: usize) -> Result<AuthorPast> {
        self.must_serve()?;
        if !self.shared.index.knows_author(self.shared.hasher.author(trace.author)) {
            return Ok(AuthorPast::default()); // a new author: the file is not touched
        }
        let (shared, trace) = (Arc::clone(&self.shared), trace.clone());
        self.readers.ask_shortly(move |connection| lists::author_past(connection, &shared, &trace, before, depth)).await
    }

    async fn remembered(
        &self,
        since: Timestamp,
        most: usize,
        mut each: Box<dyn FnMut(Remembered) + Send>,
    ) -> Result<()> {
        self.readers.ask(move |connection| lists::remembered(connection, since, most, &mut each)).await
    }

    async fn author_export(
        &self,
        site: SiteId,
        author: &ExternalId,
        page: &PageRequest,
    ) -> std::result::Result<Page<Kept>, ListError> {
        self.must_serve()?;
        let (shared, author, page) = (Arc::clone(&self.shared), author.clone(), page.clone());
        self.readers.ask(move |connection| privacy::export(connection, &shared, site, &author, &page)).await
    }

    async fn author_besides(&self, site: SiteId, author: &ExternalId) -> Result<KeptBesides> {
        let (shared, author) = (Arc::clone(&self.shared), author.clone());
        self.readers.ask(move |connection| privacy::besides(connection, &shared, site, &author)).await
    }

    async fn author_erase(&self, site: SiteId, author: &ExternalId, by: Actor, at: Timestamp) -> Result<ErasedAuthor> {
        self.must_serve()?;
        let author = author.clone();
        self.writer.run(move |work| privacy::erase(work, site, &author, &by, at)).await
    }

    async fn addresses_hash(&self, before: Timestamp, most: usize, key: [u8; 32]) -> Result<Hashed> {
        self.writer.run(move |work| privacy::hash_addresses(work, before, most, &key)).await
    }

    async fn comments_expire(
        &self,
        expiry: Expiry,
        after: Option<String>,
        most: usize,
        at: Timestamp,
    ) -> Result<Expired> {
        self.must_serve()?;
        self.writer.run(move |work| expiry::expire(work, &expiry, after.as_deref(), most, at)).await
    }

    async fn delivery_note(&self, site: SiteId, id: &str, body: [u8; 32], at: Timestamp) -> Result<Delivery> {
        let id = id.to_owned();
        self.writer.run(move |work| privacy::delivery_note(work, site, &id, body, at)).await
    }

    async fn delivery_done(&self, site: SiteId, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.writer.run(move |work| privacy::delivery_done(work, site, &id)).await
    }

    async fn delivery_prune(&self, before: Timestamp) -> Result<u64> {
        self.writer.run(move |work| privacy::delivery_prune(work.connection, before)).await
    }

    async fn article_put(&self, site: SiteId, article: Article, at: Timestamp) -> Result<(Article, bool)> {
        self.writer.run(move |work| articles::put(work, site, &article, at)).await
    }

    async fn article_find(&self, site: SiteId, id: &ExternalId) -> Result<Option<Article>> {
        let id = id.clone();
        self.readers.ask_shortly(move |connection| articles::find(connection, site, &id)).await
    }

    async fn queue(
        &self,
        filter: &QueueFilter,
        sort: QueueSort,
        page: &PageRequest,
        now: Timestamp,
    ) -> std::result::Result<QueuePage, ListError> {
        let (shared, filter, page) = (Arc::clone(&self.shared), filter.clone(), page.clone());
        // One page at a time, and one search: two would hold both readers, one of them only waiting for the other.
        let turn = if filter.q.is_some() { &self.words } else { &self.pages };
        let _turn = turn.lock().await;
        self.readers.ask(move |connection| queue::page(connection, &shared, &filter, sort, &page, now)).await
    }

    async fn claim(&self, uids: &[Uuid], by: &Person, until: Timestamp, now: Timestamp) -> Result<Vec<Uuid>> {
        let (uids, by) = (uids.to_vec(), by.clone());
        self.writer.run(move |work| queue::claim(work, &uids, &by, until, now)).await
    }

    async fn release(&self, uids: &[Uuid], by: &str) -> Result<Vec<Uuid>> {
        let (uids, by) = (uids.to_vec(), by.to_owned());
        self.writer.run(move |work| queue::release(work, &uids, &by)).await
    }

    async fn rule(&self, ruling: Ruling) -> Result<Ruled> {
        self.writer.run(move |work| rulings::rule(work, &ruling)).await
    }

    async fn unrule(
        &self,
        decision: Uuid,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Ruled, UndoError> {
        let reach = reach.clone();
        self.writer.run(move |work| rulings::unrule(work, decision, &by, &reach, at)).await?
    }

    async fn audit_list(
        &self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<AuditLine>, ListError> {
        let (shared, filter, page) = (Arc::clone(&self.shared), filter.clone(), page.clone());
        self.readers.ask(move |connection| audit::list(connection, &shared, &filter, &page)).await
    }

    async fn audit_after(&self, number: i64, most: usize) -> Result<Vec<AuditLine>> {
        self.readers.ask(move |connection| audit::after(connection, number, most)).await
    }

    async fn audit_note(&self, entry: AuditEntry) -> Result<()> {
        let note = move |work: &mut writer::Work<'_>| {
            audit::add(work.connection, &entry.by, &entry.action, &entry.subject, &entry.detail, entry.at)
        };
        self.writer.run(note).await
    }

    async fn audit_verify(&self, head: Option<[u8; 32]>) -> Result<AuditCheck> {
        self.readers.ask(move |connection| audit::verify(connection, head)).await
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
        let new = accounts::NewSite {
            name: name.to_owned(),
            url: url.map(str::to_owned),
            webhook: webhook.map(str::to_owned),
            key,
            scopes: scopes.to_vec(),
            secrets,
        };
        let created = self.writer.run(move |work| accounts::site_create(work.connection, &new, at)).await?;
        created.ok_or_else(|| CreateError::Exists(name.to_owned()))
    }

    async fn sites(&self) -> Result<Vec<Site>> {
        self.readers.ask(accounts::sites).await
    }

    async fn site_key_add(&self, site: &str, key: KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool> {
        let (site, scopes) = (site.to_owned(), scopes.to_vec());
        self.writer.run(move |work| accounts::key_add(work.connection, &site, &key, &scopes, false, at)).await
    }

    async fn site_key_rotate(&self, site: &str, key: KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool> {
        let (site, scopes) = (site.to_owned(), scopes.to_vec());
        self.writer.run(move |work| accounts::key_add(work.connection, &site, &key, &scopes, true, at)).await
    }

    async fn site_webhook_set(&self, site: &str, url: Option<&str>, at: Timestamp) -> Result<bool> {
        let (site, url) = (site.to_owned(), url.map(str::to_owned));
        self.writer.run(move |work| secrets::webhook_set(work.connection, &site, url.as_deref(), at)).await
    }

    async fn site_secrets(&self, site: &str) -> Result<Option<StoredSecrets>> {
        let site = site.to_owned();
        self.readers.ask(move |connection| secrets::find(connection, &site)).await
    }

    async fn all_secrets(&self) -> Result<Vec<StoredSecrets>> {
        self.readers.ask(secrets::all).await
    }

    async fn site_secret_rotate(
        &self,
        site: &str,
        kind: SecretKind,
        sealed: Vec<u8>,
        before_until: Timestamp,
        at: Timestamp,
    ) -> Result<bool> {
        let site = site.to_owned();
        let rotate =
            move |work: &mut writer::Work<'_>| secrets::rotate(work.connection, &site, kind, &sealed, before_until, at);
        self.writer.run(rotate).await
    }

    async fn secrets_reseal(&self, sealed: Vec<(StoredSecrets, StoredSecrets)>, at: Timestamp) -> Result<u64> {
        self.writer.run(move |work| secrets::reseal(work.connection, &sealed, at)).await
    }

    async fn site_delete(&self, site: &str, by: Actor, at: Timestamp) -> Result<bool> {
        let site = site.to_owned();
        let delete = move |work: &mut writer::Work<'_>| {
            work.note_erasure();
            accounts::site_delete(work.connection, &site, &by, at)
        };
        self.writer.run(delete).await
    }

    async fn site_key_find(&self, key: &KeyHash) -> Result<Option<SiteKey>> {
        let key = *key;
        self.readers.ask_shortly(move |connection| accounts::key_find(connection, &key)).await
    }

    async fn person_create(
        &self,
        email: &str,
        role: Role,
        reach: &Reach,
        password: &str,
        at: Timestamp,
    ) -> std::result::Result<Person, CreateError> {
        let (address, reach, password) = (email.to_owned(), reach.clone(), password.to_owned());
        let create = move |work: &mut writer::Work<'_>| {
            accounts::person_create(work.connection, &address, role, &reach, &password, at)
        };
        self.writer.run(create).await?.ok_or_else(|| CreateError::Exists(email.to_owned()))
    }

    async fn people(&self) -> Result<Vec<Person>> {
        self.readers.ask(accounts::people).await
    }

    async fn person_change(&self, email: &str, role: Role, reach: &Reach, at: Timestamp) -> Result<bool> {
        let (email, reach) = (email.to_owned(), reach.clone());
        self.writer.run(move |work| accounts::person_change(work.connection, &email, role, &reach, at)).await
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

    async fn tokens(&self, email: Option<&str>) -> Result<Vec<TokenKnown>> {
        let email = email.map(str::to_owned);
        self.readers.ask(move |connection| accounts::tokens(connection, email.as_deref())).await
    }

    async fn token_revoke(&self, email: &str, id: &str, at: Timestamp) -> Result<bool> {
        let (email, id) = (email.to_owned(), id.to_owned());
        self.writer.run(move |work| accounts::token_revoke(work.connection, &email, &id, at)).await
    }

    async fn token_find(&self, token: &KeyHash) -> Result<Option<Person>> {
        let token = *token;
        self.readers.ask(move |connection| accounts::token_find(connection, &token)).await
    }

    async fn ready(&self) -> Result<()> {
        self.readers.ask(accounts::sites).await?;
        // Taking the write lock shows that nobody else holds it; after a failure only a write shows that it can be done.
        let troubled = self.writer.is_troubled();
        let probe = move |work: &mut writer::Work<'_>| -> Result<()> {
            if troubled {
                let write = "INSERT INTO meta (name, value) VALUES ('probe', zeroblob(262144))"; // needs fresh pages, as many as a comment with its page
                work.connection.prepare_cached(write)?.execute([])?;
                work.connection.prepare_cached("DELETE FROM meta WHERE name = 'probe'")?.execute([])?;
            }
            Ok(())
        };
        self.writer.run(probe).await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

//! The store in a PostgreSQL database, for one machine or many.
//!
//! Any process may do anything: there is no state in memory that another one would have to know of. What is keyed by a comment is keyed by
//! its site first (docs/adr/0011-postgresql-by-site-and-month.md). Comments that come at once are written together ([`intake`]); everything
//! else is one transaction a call, with its rows locked as they are read ([`work`]).

mod accounts;
mod akismet;
mod appeals;
mod articles;
mod audit;
mod batch;
mod bulletin;
mod campaigns;
pub mod checkup;
mod cursor;
mod db;
mod deliveries;
mod erasures;
pub(in crate::storage) mod error;
mod expiry;
mod imports;
mod intake;
mod learning;
mod lists;
mod lookups;
pub(in crate::storage) mod months;
pub(in crate::storage) mod nodes;
mod notices;
pub(in crate::storage) mod open;
mod outbox;
mod patience;
mod people;
mod privacy;
mod queue;
mod reads;
mod recordings;
mod reports;
mod rows;
mod rulings;
mod samples;
mod sanctions;
mod search;
mod secrets;
mod seen;
mod sessions;
mod shared;
mod sites;
mod together;
mod uid;
mod verdicts;
mod versions;
mod work;

use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::Pool;
use uuid::Uuid;

pub use self::bulletin::PostgresBulletin;
use self::db::Db;
pub use self::error::OpenError;
use self::lookups::Lookups;
use self::shared::Shared;
use self::together::Batches;
use self::work::{Work, transact};
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
    StoredSecrets, TokenKnown, UndoError,
};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;

/// Whether `database.url` can be read as an address; nothing is connected to.
///
/// # Errors
/// [`OpenError::BadUrl`].
pub fn check(config: &Config) -> std::result::Result<(), OpenError> {
    open::address(config).map(drop)
}

/// The store in a PostgreSQL database.
pub struct PostgresStore {
    pool: Pool,
    shared: Arc<Shared>,
    batches: Batches,
    lookups: Lookups,
    retain_days: u32,
}

impl PostgresStore {
    /// Connects, and makes or migrates the schema when needed.
    ///
    /// # Errors
    /// [`OpenError`], with a sentence for the operator.
    pub async fn open(config: &Config) -> std::result::Result<Self, OpenError> {
        let opened = open::open(config).await?;
        let shared = Arc::new(Shared::new(&opened.secret));
        let batches = Batches::start(&opened.pool, &shared);
        let lookups = Lookups::open(&opened.pool, &shared);
        Ok(Self { pool: opened.pool, shared, batches, lookups, retain_days: config.retain_days })
    }

    /// A connection to read with.
    async fn db(&self) -> Result<Db> {
        if self.pool.is_closed() {
            return Err(error::closed());
        }
        Ok(Db::new(self.pool.get().await?, Arc::clone(&self.shared)))
    }

    /// A transaction to read with: everything as it was at one moment.
    async fn snapshot(&self) -> Result<Work> {
        Work::begin_snapshot(self.db().await?).await
    }

    /// A transaction to write with; see [`transact`].
    async fn begin(&self) -> Result<Work> {
        Work::begin(self.db().await?).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn comment_find(&self, site: SiteId, id: &ExternalId) -> Result<Option<(Record, ContentHash)>> {
        intake::find(self, site, id).await
    }

    async fn comment_is_stored(&self, site: SiteId, id: &str) -> Result<bool> {
        self.lookups.is_stored(site, id).await
    }

    async fn comment_record(&self, new: NewRecord) -> Result<Recording> {
        intake::record(self, new).await
    }

    async fn comment_revise(&self, new: NewRecord) -> Result<Option<Record>> {
        let new = intake::Prepared::new(&self.shared, new)?;
        transact!(self, work => intake::revise(&work, &new).await)
    }

    async fn comment_erase(&self, site: SiteId, id: &ExternalId, by: Actor, at: Timestamp) -> Result<Option<Trace>> {
        transact!(self, work => intake::erase(&work, site, id, &by, at).await)
    }

    async fn comment_list(
        &self,
        site: SiteId,
        filter: &CommentFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Record>, ListError> {
        let db = self.db().await?;
        lists::list(&db, site, filter, page).await
    }

    async fn comment_by_uid(&self, uid: Uuid) -> Result<Option<Record>> {
        let db = self.db().await?;
        lists::by_uid(&db, uid).await
    }

    async fn comments_by_uid(&self, uids: &[Uuid]) -> Result<Vec<Record>> {
        let db = self.db().await?;
        let found = batch::each(uids.iter().map(|uid| lists::by_uid(&db, *uid)).collect()).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn comment_place(&self, uid: Uuid) -> Result<Option<Place>> {
        let db = self.db().await?;
        lists::place(&db, uid).await
    }

    async fn comment_history(&self, uid: Uuid) -> Result<Vec<Happening>> {
        let db = self.db().await?;
        rulings::history(&db, uid).await
    }

    async fn author_past(&self, trace: &Trace, before: Timestamp, depth: usize) -> Result<AuthorPast> {
        self.lookups.past(lists::Before::new(&self.shared, trace, before, depth)).await
    }

    async fn remembered(
        &self,
        since: Timestamp,
        most: usize,
        mut each: Box<dyn FnMut(Remembered) + Send>,
    ) -> Result<()> {
        let db = self.snapshot().await?;
        db.batch(patience::AT_LENGTH).await?;
        db.batch("SET LOCAL jit = off").await?; // it takes longer than what it makes faster
        lists::remembered(&db, since, most, &mut *each).await
    }

    async fn author_export(
        &self,
        site: SiteId,
        author: &ExternalId,
        page: &PageRequest,
    ) -> std::result::Result<Page<Kept>, ListError> {
        let db = self.snapshot().await?;
        db.batch(patience::AT_LENGTH).await?;
        privacy::export(&db, site, author, page).await
    }

    async fn author_besides(&self, site: SiteId, author: &ExternalId) -> Result<KeptBesides> {
        let db = self.db().await?;
        privacy::besides(&db, site, author).await
    }

    async fn author_erase(&self, site: SiteId, author: &ExternalId, by: Actor, at: Timestamp) -> Result<ErasedAuthor> {
        transact!(self, work => privacy::erase(&work, site, author, &by, at).await)
    }

    async fn addresses_hash(&self, before: Timestamp, most: usize, key: [u8; 32]) -> Result<Hashed> {
        transact!(self, work => privacy::hash_addresses(&work, before, most, &key).await)
    }

    async fn comments_expire(
        &self,
        expiry: Expiry,
        after: Option<String>,
        most: usize,
        at: Timestamp,
    ) -> Result<Expired> {
        // One machine whose clock is ahead must not delete what the others still show.
        let ahead = (at.as_millis() - self.clock().await?.as_millis()).max(0);
        let expiry = expiry.behind_ms(ahead);
        transact!(self, work => expiry::expire(&work, &expiry, after.as_deref(), most, at).await)
    }

    async fn delivery_note(&self, site: SiteId, id: &str, body: [u8; 32], at: Timestamp) -> Result<Delivery> {
        transact!(self, work => deliveries::note(&work, site, id, body, at).await)
    }

    async fn delivery_done(&self, site: SiteId, id: &str) -> Result<()> {
        transact!(self, work => deliveries::done(&work, site, id).await)
    }

    async fn delivery_prune(&self, before: Timestamp) -> Result<u64> {
        transact!(self, work => {
            work.batch(patience::AT_LENGTH).await?;
            deliveries::prune(&work, before).await
        })
    }

    async fn article_put(&self, site: SiteId, article: Article, at: Timestamp) -> Result<(Article, bool)> {
        transact!(self, work => articles::put(&work, site, &article, at).await)
    }

    async fn article_find(&self, site: SiteId, id: &ExternalId) -> Result<Option<Article>> {
        let db = self.db().await?;
        articles::find(&db, site, id).await
    }

    async fn queue(
        &self,
        filter: &QueueFilter,
        sort: QueueSort,
        page: &PageRequest,
        now: Timestamp,
    ) -> std::result::Result<QueuePage, ListError> {
        let db = self.snapshot().await?;
        queue::page(&db, filter, sort, page, now).await
    }

    async fn claim(&self, uids: &[Uuid], by: &Person, until: Timestamp, now: Timestamp) -> Result<Vec<Uuid>> {
        transact!(self, work => queue::claim(&work, uids, by, until, now).await)
    }

    async fn release(&self, uids: &[Uuid], by: &str) -> Result<Vec<Uuid>> {
        transact!(self, work => queue::release(&work, uids, by).await)
    }

    async fn rule(&self, ruling: Ruling) -> Result<Ruled> {
        transact!(self, work => rulings::rule(&work, &ruling).await)
    }

    async fn unrule(
        &self,
        decision: Uuid,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Ruled, UndoError> {
        transact!(self, work => rulings::unrule(&work, decision, &by, reach, at).await)?
    }

    async fn audit_list(
        &self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<AuditLine>, ListError> {
        let db = self.db().await?;
        audit::list(&db, filter, page).await
    }

    async fn audit_after(&self, number: i64, most: usize) -> Result<Vec<AuditLine>> {
        let db = self.db().await?;
        audit::after(&db, number, most).await
    }

    async fn audit_note(&self, entry: AuditEntry) -> Result<()> {
        transact!(self, work => {
            work.audit(&entry.by, &entry.action, &entry.subject, &entry.detail, entry.at);
            Ok(())
        })
    }

    async fn audit_verify(&self, head: Option<[u8; 32]>) -> Result<AuditCheck> {
        let db = self.snapshot().await?;
        db.batch(patience::AT_LENGTH).await?;
        audit::verify(&db, head).await
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
        let created = transact!(self, work => accounts::site_create(&work, name, url, webhook, &key, scopes, &secrets, at).await)?;
        created.ok_or_else(|| CreateError::Exists(name.to_owned()))
    }

    async fn sites(&self) -> Result<Vec<Site>> {
        let db = self.db().await?;
        accounts::sites(&db).await
    }

    async fn site_key_add(&self, site: &str, key: KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool> {
        transact!(self, work => accounts::key_add(&work, site, &key, scopes, at).await)
    }

    async fn site_key_rotate(&self, site: &str, key: KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool> {
        transact!(self, work => accounts::key_rotate(&work, site, &key, scopes, at).await)
    }

    async fn site_webhook_set(&self, site: &str, url: Option<&str>, at: Timestamp) -> Result<bool> {
        transact!(self, work => secrets::webhook_set(&work, site, url, at).await)
    }

    async fn site_secrets(&self, site: &str) -> Result<Option<StoredSecrets>> {
        let db = self.db().await?;
        secrets::find(&db, site).await
    }

    async fn all_secrets(&self) -> Result<Vec<StoredSecrets>> {
        let db = self.db().await?;
        secrets::all(&db).await
    }

    async fn site_secret_rotate(
        &self,
        site: &str,
        kind: SecretKind,
        sealed: Vec<u8>,
        before_until: Timestamp,
        at: Timestamp,
    ) -> Result<bool> {
        transact!(self, work => secrets::rotate(&work, site, kind, &sealed, before_until, at).await)
    }

    async fn secrets_reseal(&self, sealed: Vec<(StoredSecrets, StoredSecrets)>, at: Timestamp) -> Result<u64> {
        transact!(self, work => secrets::reseal(&work, &sealed, at).await)
    }

    async fn site_delete(&self, site: &str, by: Actor, at: Timestamp) -> Result<bool> {
        transact!(self, work => sites::delete(&work, site, &by, at).await)
    }

    async fn site_key_find(&self, key: &KeyHash) -> Result<Option<SiteKey>> {
        let db = self.db().await?;
        accounts::key_find(&db, key).await
    }

    async fn person_create(
        &self,
        email: &str,
        role: Role,
        reach: &Reach,
        password: &str,
        at: Timestamp,
    ) -> std::result::Result<Person, CreateError> {
        let created = transact!(self, work => people::create(&work, email, role, reach, password, at).await)?;
        created.ok_or_else(|| CreateError::Exists(email.to_owned()))
    }

    async fn people(&self) -> Result<Vec<Person>> {
        let db = self.db().await?;
        people::all(&db).await
    }

    async fn person_change(&self, email: &str, role: Role, reach: &Reach, at: Timestamp) -> Result<bool> {
        transact!(self, work => people::change(&work, email, role, reach, at).await)
    }

    async fn person_reset(&self, email: &str, password: &str, at: Timestamp) -> Result<bool> {
        transact!(self, work => people::reset(&work, email, password, at).await)
    }

    async fn person_disable(&self, email: &str, at: Timestamp) -> Result<bool> {
        transact!(self, work => people::disable(&work, email, at).await)
    }

    async fn token_create(&self, email: &str, token: KeyHash, at: Timestamp) -> Result<bool> {
        transact!(self, work => people::token_create(&work, email, &token, at).await)
    }

    async fn tokens(&self, email: Option<&str>) -> Result<Vec<TokenKnown>> {
        let db = self.db().await?;
        people::tokens(&db, email).await
    }

    async fn token_revoke(&self, email: &str, id: &str, at: Timestamp) -> Result<bool> {
        transact!(self, work => people::token_revoke(&work, email, id, at).await)
    }

    async fn token_find(&self, token: &KeyHash) -> Result<Option<Person>> {
        let db = self.db().await?;
        people::token_find(&db, token).await
    }

    async fn ready(&self) -> Result<()> {
        // A row that is written and taken back shows that it can be written, and that this is no copy that only reads.
        let work = Work::around(self.db().await?);
        work.batch("BEGIN; UPDATE meta SET value = value WHERE name = 'needs'; ROLLBACK").await?;
        work.done();
        open::unmoved(&self.db().await?, &self.shared).await
    }

    async fn make_room(&self, now: Timestamp) -> Result<()> {
        self.months_make(now).await
    }

    async fn keep_room(&self, now: Timestamp) -> Result<Vec<String>> {
        self.months_keep(now, self.retain_days).await
    }

    async fn close(&self) {
        self.batches.close().await;
        self.pool.close();
    }
}

//! A person's data: what is kept of an author, shown, erased, or made to say less as it grows old.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::address_key;
use crate::app::in_flight::to_its_end;
use crate::app::live::Live;
use crate::app::secrets::Sealer;
use crate::app::standing::Listeners;
use crate::domain::comment::ExternalId;
use crate::domain::decision::Actor;
use crate::domain::site::Site;
use crate::domain::store::{AuditEntry, Hashed, Kept, KeptBesides, ListError, Page, PageRequest, Result, Store};
use crate::domain::time::Timestamp;

/// Comments looked at in one transaction: others wait for it.
const BATCH: usize = 500;

/// `[privacy]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Days after which network and e-mail addresses are replaced by hashes, and browsers and referrers forgotten; 0 for never.
    pub hash_addresses_after_days: u32,
    /// Days after which the key of these hashes is replaced and gone.
    pub hash_key_days: u32,
    /// Days for which the list of the erased is kept; 0 for good.
    pub erasures_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { hash_addresses_after_days: 30, hash_key_days: 30, erasures_days: 400 }
    }
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("privacy.{0}")]
pub struct BadPrivacy(&'static str);

impl Config {
    /// Whether it can work.
    ///
    /// # Errors
    /// [`BadPrivacy`], naming the key.
    pub const fn check(&self) -> std::result::Result<(), BadPrivacy> {
        if self.hash_key_days == 0 {
            return Err(BadPrivacy("hash_key_days: must be at least 1"));
        }
        if self.hash_addresses_after_days > 36_500 || self.hash_key_days > 36_500 || self.erasures_days > 36_500 {
            return Err(BadPrivacy(
                "hash_addresses_after_days, hash_key_days, erasures_days: at most 36500 (a hundred years)",
            ));
        }
        Ok(())
    }
}

/// What was erased, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Comments.
    pub comments: u64,
    /// Reports, votes and sanctions.
    pub others: u64,
}

/// A page of everything that is kept of an author.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Comments, newest first.
    pub page: Page<Kept>,
    /// Everything else; on the first page.
    pub besides: Option<KeptBesides>,
}

/// The way for whoever asks what is known of them.
pub struct Authors {
    store: Arc<dyn Store>,
    listeners: Listeners,
    sealer: Sealer,
    config: Live<Config>,
}

impl Authors {
    /// Joins the ports.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, listeners: Listeners, sealer: Sealer, config: impl Into<Live<Config>>) -> Self {
        Self { store, listeners, sealer, config: config.into() }
    }

    /// Everything that is kept of an author, page by page. Each page is on record, without the author's name: whoever comes with a cursor from
    /// elsewhere reads nothing unseen.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn export(
        &self,
        site: &Site,
        author: &ExternalId,
        page: &PageRequest,
        by: Actor,
        now: Timestamp,
    ) -> std::result::Result<Export, ListError> {
        let first = page.cursor.is_none();
        let page = self.store.author_export(site.id, author, page).await?;
        let mut besides = None;
        if first {
            besides = Some(self.store.author_besides(site.id, author).await?);
        }
        let detail = if first { "" } else { "a further page" }.to_owned();
        let (action, subject) = ("author.export".to_owned(), site.name.to_string());
        self.store.audit_note(AuditEntry { by, action, subject, detail, at: now }).await?;
        Ok(Export { page, besides })
    }

    /// Erases an author from the store and from what is known of the past. Again is harmless.
    ///
    /// # Errors
    /// The store failed: perhaps erased; send the same again.
    pub async fn erase(&self, site: &Site, author: &ExternalId, by: Actor, now: Timestamp) -> Result<Erased> {
        let (store, listeners, site, author) =
            (Arc::clone(&self.store), self.listeners.clone(), site.id, author.clone());
        to_its_end(async move {
            let erased = store.author_erase(site, &author, by, now).await?;
            for comment in &erased.comments {
                listeners.threads.changed(&comment.trace);
                listeners.history.forget(&comment.trace).await;
                listeners.events.erased(comment.uid, &comment.place, now);
            }
            Ok(Erased { comments: erased.comments.len() as u64, others: erased.others })
        })
        .await
    }

    /// Replaces what is old enough, in bounded transactions, until nothing is due.
    ///
    /// # Errors
    /// The store failed; what was replaced stays so, and the next call goes on.
    pub async fn hash_addresses(&self, now: Timestamp) -> Result<Hashed> {
        let mut all = Hashed::default();
        let config = self.config.get();
        if config.hash_addresses_after_days == 0 {
            address_key::forget(&*self.store).await?; // nothing is hashed under it any more
            return Ok(all);
        }
        let before = days_before(now, config.hash_addresses_after_days);
        let key = address_key::current(&*self.store, &self.sealer, config.hash_key_days, now).await?;
        loop {
            let some = self.store.addresses_hash(before, BATCH, key).await?;
            all.looked_at += some.looked_at;
            all.replaced += some.replaced;
            all.cleaned += some.cleaned;
            metrics::counter!("doorward_addresses_replaced_total").increment(some.replaced);
            if some.looked_at == 0 {
                break;
            }
        }
        let oldest = self.store.addresses_left().await?.oldest;
        #[expect(clippy::cast_precision_loss, reason = "seconds of centuries are exact")]
        let age_s = oldest.map_or(0, |oldest| now.millis_since(oldest) / 1_000) as f64;
        metrics::gauge!("doorward_addresses_oldest_seconds").set(age_s);
        Ok(all)
    }

    /// Forgets who was erased so long ago that no backup can be older; how many entries.
    ///
    /// # Errors
    /// The store failed.
    pub async fn forget_erasures(&self, now: Timestamp) -> Result<u64> {
        match self.config.get().erasures_days {
            0 => Ok(0),
            days => self.store.erasures_forget(days_before(now, days)).await,
        }
    }
}

fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.plus_millis(-i64::from(days) * 86_400_000)
}

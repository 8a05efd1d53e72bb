//! What happens on other nodes, brought to everything here that keeps something in memory.
//!
//! Whoever keeps something that another process may change is named in [`Elsewhere`]: that is the list. What is cheap is dropped at once and read
//! again when it is asked for; sanctions and models, which answers must not wait for, are read again beside the listening.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::app::access::Access;
use crate::app::clock::Clock;
use crate::app::events::Events;
use crate::app::intake::Intake;
use crate::app::learning::Learning;
use crate::app::reload::Reload;
use crate::app::sanctions::Sanctions;
use crate::app::sign_in::SignIn;
use crate::app::threads::Threads;
use crate::app::webhooks_in::WebhooksIn;
use crate::domain::news::{Bulletin, News};
use crate::domain::site::SiteId;
use crate::domain::store::StoreError;

/// Before what could not be read is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// Everything that keeps something in memory which another process may change.
pub struct Elsewhere {
    /// Keys and tokens.
    pub access: Arc<Access>,
    /// Sessions.
    pub sign_in: Arc<SignIn>,
    /// Secrets that messages are signed with.
    pub webhooks_in: Arc<WebhooksIn>,
    /// Sanctions in force.
    pub sanctions: Arc<Sanctions>,
    /// Prepared articles.
    pub intake: Arc<Intake>,
    /// What was said under articles.
    pub threads: Arc<Threads>,
    /// What sites taught.
    pub learning: Arc<Learning>,
    /// What people watch.
    pub events: Arc<Events>,
    /// Settings.
    pub reload: Arc<Reload>,
    /// For reading sanctions.
    pub clock: Arc<dyn Clock>,
}

/// What is to be read again.
#[derive(Default)]
struct Due {
    sanctions: Notify,
    models: Notify,
    which: Mutex<Which>,
}

#[derive(Default)]
struct Which {
    all: bool,
    sites: BTreeSet<SiteId>,
}

impl Elsewhere {
    /// Listens for ever.
    pub async fn follow(&self, bulletin: &dyn Bulletin) -> Infallible {
        let due = Due::default();
        bulletin.tell(News::Hello);
        tokio::select! {
            never = self.listen(bulletin, &due) => never,
            never = self.renew_sanctions(&due) => never,
            never = self.renew_models(&due) => never,
        }
    }

    async fn listen(&self, bulletin: &dyn Bulletin, due: &Due) -> Infallible {
        loop {
            let news = bulletin.next().await;
            metrics::counter!("doorward_news_total", "kind" => kind(&news)).increment(1);
            match news {
                News::Access => self.forget_access(),
                News::Sanctions => due.sanctions.notify_one(),
                News::Model { site } => due.model(Some(site)),
                News::Article { site, id } => self.intake.forget_article(site, &id),
                News::Threads { articles } => self.threads.changed_elsewhere(&articles),
                News::Said { comments } => self.threads.said_elsewhere(comments),
                News::Event { event } => self.events.hear(event),
                News::Settings => self.reload.hint(),
                News::Hello => self.events.answer_hello(),
                News::Watched => self.events.watched_elsewhere(),
                News::Lost => {
                    self.threads.forget_all();
                    self.events.lose();
                    self.reload.hint();
                }
                News::Missed => {
                    self.forget_access();
                    due.sanctions.notify_one();
                    due.model(None);
                    self.intake.forget_articles();
                    self.threads.forget_all();
                    self.events.lose();
                    self.reload.hint();
                    bulletin.tell(News::Hello);
                    self.events.answer_hello(); // what it told meanwhile may have been lost, too
                }
            }
        }
    }

    fn forget_access(&self) {
        self.access.forget();
        self.sign_in.forget();
        self.webhooks_in.forget();
    }

    async fn renew_sanctions(&self, due: &Due) -> Infallible {
        loop {
            due.sanctions.notified().await;
            self.sanctions.renew(self.clock.now()).await; // when that fails, the next comment reads
        }
    }

    async fn renew_models(&self, due: &Due) -> Infallible {
        loop {
            due.models.notified().await;
            let which = std::mem::take(&mut *due.which());
            let renewed: Result<(), StoreError> = async {
                if which.all {
                    return self.learning.reload().await;
                }
                for site in &which.sites {
                    self.learning.reload_site(*site).await?;
                }
                Ok(())
            }
            .await;
            if let Err(error) = renewed {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what sites taught elsewhere could not be read; tried again soon"
                );
                due.put_back(which);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

impl Due {
    /// That a site's model is to be read again, or all of them.
    fn model(&self, site: Option<SiteId>) {
        let mut which = self.which();
        match site {
            Some(site) => drop(which.sites.insert(site)),
            None => which.all = true,
        }
        drop(which);
        self.models.notify_one();
    }

    /// That what could not be read is still to be read.
    fn put_back(&self, unread: Which) {
        let mut which = self.which();
        which.all |= unread.all;
        which.sites.extend(unread.sites);
        drop(which);
        self.models.notify_one();
    }

    fn which(&self) -> std::sync::MutexGuard<'_, Which> {
        self.which.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn kind(news: &News) -> &'static str {
    match news {
        News::Access => "access",
        News::Sanctions => "sanctions",
        News::Model { .. } => "model",
        News::Article { .. } => "article",
        News::Threads { .. } => "threads",
        News::Said { .. } => "said",
        News::Event { .. } => "event",
        News::Settings => "settings",
        News::Hello => "hello",
        News::Watched => "watched",
        News::Lost => "lost",
        News::Missed => "missed",
    }
}

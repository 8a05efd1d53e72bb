//! What happens on other nodes, by `LISTEN` and `NOTIFY` on a connection of its own.
//!
//! The channel's name contains the schema's: several installations may share a database. What changes memory is told by triggers, in the commit
//! of the change (migration V9); hints are told here, many at once, outside of every transaction: commits that notify wait for one
//! another, so nothing that happens for every comment may be told in its commit.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio::sync::{Mutex, Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client};

use super::error::OpenError;
use super::open;
use crate::domain::news::{Bulletin, News};
use crate::storage::Config;

/// News that wait for whoever listens, or to be told: more are dropped, and [`News::Missed`] or [`News::Lost`] says so.
const WAITING_MAX: usize = 4_096;
/// Bytes of one notice: PostgreSQL takes fewer than 8,000.
const NOTICE_MAX: usize = 7_900;
/// How long hints are gathered before they are told together.
const GATHER: Duration = Duration::from_millis(20);
/// Hints told in one statement.
const TOGETHER: usize = 256;
/// How long a node that ends waits until what it had to tell is told.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// Between two questions whether the connection lives; an answer may take as long.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Between the first two tries to connect anew; twice as long each time, up to the second.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A notice as it travels. What the engine itself tells comes from nobody.
#[derive(Serialize, Deserialize)]
struct Notice {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Arc<str>>,
    #[serde(flatten)]
    news: News,
}

/// What is to be told, or somebody who waits until everything before was.
enum Outgoing {
    News(News),
    Told(oneshot::Sender<()>),
}

/// What is told together.
#[derive(Default)]
struct Gathered {
    hints: Vec<News>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Gathered {
    fn push(&mut self, outgoing: Outgoing) {
        match outgoing {
            Outgoing::News(news) => self.hints.push(news),
            Outgoing::Told(waiting) => self.waiting.push(waiting),
        }
    }
}

/// See the module. Its connection ends with it.
pub struct PostgresBulletin {
    outgoing: Sender<Outgoing>,
    shared: Arc<Shared>,
    incoming: Mutex<Receiver<News>>,
    task: JoinHandle<Infallible>,
}

#[derive(Default)]
struct Shared {
    /// That hints were dropped here, and others are to be told.
    lost: AtomicBool,
    /// That news were dropped here, or may have been missed.
    missed: Notify,
}

impl PostgresBulletin {
    /// Listens; when it returns, nothing that happens from then on is missed without being said.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(config: &Config, node: &str) -> Result<Self, OpenError> {
        let (outgoing, to_tell) = channel(WAITING_MAX);
        let (heard, incoming) = channel(WAITING_MAX);
        let shared = Arc::new(Shared::default());
        let line = Line { config: config.clone(), node: node.into(), heard, shared: Arc::clone(&shared) };
        let first = line.connect().await?;
        let task = tokio::spawn(line.keep(first, to_tell));
        Ok(Self { outgoing, shared, incoming: Mutex::new(incoming), task })
    }
}

#[async_trait]
impl Bulletin for PostgresBulletin {
    fn tell(&self, news: News) {
        if self.outgoing.try_send(Outgoing::News(news)).is_err() {
            self.shared.lost.store(true, Ordering::Relaxed);
        }
    }

    async fn told(&self) {
        let (waiting, told) = oneshot::channel();
        let all = async {
            if self.outgoing.send(Outgoing::Told(waiting)).await.is_ok() {
                let _ = told.await; // what cannot be told is dropped, and this with it
            }
        };
        let _ = timeout(TOLD_WITHIN, all).await;
    }

    async fn next(&self) -> News {
        let mut incoming = self.incoming.lock().await;
        tokio::select! {
            biased; // what was missed makes what waits behind it no worse
            () = self.shared.missed.notified() => News::Missed,
            news = incoming.recv() => match news {
                Some(news) => news,
                None => std::future::pending().await, // the task ends with this only
            },
        }
    }
}

impl Drop for PostgresBulletin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection that listens.
struct Listening {
    client: Client,
    channel: String,
    notices: Receiver<String>,
    driver: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

struct Line {
    config: Config,
    node: Arc<str>,
    heard: Sender<News>,
    shared: Arc<Shared>,
}

impl Line {
    async fn connect(&self) -> Result<Listening, OpenError> {
        let failed = |error: tokio_postgres::Error| OpenError::Unreachable(Box::new(error));
        let (client, mut connection) = open::address(&self.config)?.connect(open::tls()?).await.map_err(failed)?;
        let (to, notices) = channel(WAITING_MAX);
        let shared = Arc::clone(&self.shared);
        let driver = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                let AsyncMessage::Notification(notice) = message else { continue };
                // Waiting here would keep answers on this connection waiting, too.
                if let Err(TrySendError::Full(_)) = to.try_send(notice.payload().to_owned()) {
                    shared.missed.notify_one();
                }
            }
        });
        // Built before anything can fail, so that its driver ends with it.
        let mut listening = Listening { client, channel: String::new(), notices, driver };
        let name = "SELECT 'doorward_' || md5(current_schema())";
        listening.channel = listening.client.query_one(name, &[]).await.map_err(failed)?.get(0);
        listening.client.batch_execute(&format!("LISTEN \"{}\"", listening.channel)).await.map_err(failed)?;
        Ok(listening)
    }

    async fn keep(self, first: Listening, mut to_tell: Receiver<Outgoing>) -> Infallible {
        let mut listening = first;
        loop {
            let error = self.listen(&mut listening, &mut to_tell).await;
            drop(listening);
            metrics::gauge!("doorward_news_up").set(0);
            tracing::warn!(%error, "nothing is heard of other nodes: the connection is lost");
            listening = self.connect_again().await;
            // Nobody knows what was told meanwhile, by either side.
            while to_tell.try_recv().is_ok() {}
            self.shared.lost.store(true, Ordering::Relaxed);
            self.shared.missed.notify_one();
            tracing::info!("other nodes are heard of again");
        }
    }

    async fn connect_again(&self) -> Listening {
        let mut pause = AGAIN.0;
        loop {
            sleep(pause).await;
            pause = (pause * 2).min(AGAIN.1);
            match timeout(ASK_EVERY, self.connect()).await {
                Ok(Ok(listening)) => return listening,
                Ok(Err(error)) => tracing::debug!(error = &error as &dyn std::error::Error, "not yet"),
                Err(_) => tracing::debug!("not yet: no answer"),
            }
        }
    }

    /// Hears and tells until that fails, and says why.
    async fn listen(&self, listening: &mut Listening, to_tell: &mut Receiver<Outgoing>) -> String {
        metrics::gauge!("doorward_news_up").set(1);
        let mut gathered = Gathered::default();
        let mut ask = tokio::time::interval(ASK_EVERY);
        loop {
            let told = tokio::select! {
                notice = listening.notices.recv() => match notice {
                    Some(notice) => {
                        self.hear(&notice);
                        Ok(())
                    }
                    None => return "it was closed".to_owned(),
                },
                Some(first) = to_tell.recv() => {
                    gathered.push(first);
                    sleep(GATHER).await; // more come meanwhile, and what is heard waits in its channel
                    while gathered.hints.len() < TOGETHER && let Ok(next) = to_tell.try_recv() {
                        gathered.push(next);
                    }
                    self.tell(listening, &mut gathered).await
                }
                _ = ask.tick() => self.tell(listening, &mut gathered).await,
            };
            if let Err(error) = told {
                return error;
            }
        }
    }

    /// Tells what was gathered. With nothing to tell it asks whether anybody is there.
    async fn tell(&self, listening: &Listening, gathered: &mut Gathered) -> Result<(), String> {
        let Gathered { mut hints, waiting } = std::mem::take(gathered);
        if self.shared.lost.swap(false, Ordering::Relaxed) {
            hints.push(News::Lost);
        }
        let notices: Vec<String> = hints.into_iter().map(|news| self.notice(news)).collect();
        let tell = "SELECT pg_notify($1, notice) FROM unnest($2::text[]) notice";
        match timeout(ASK_EVERY, listening.client.execute(tell, &[&listening.channel, &notices])).await {
            Ok(Ok(_)) => {
                for waiting in waiting {
                    let _ = waiting.send(()); // who does not wait any more need not know
                }
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        }
    }

    /// As it travels; what is too long is said to be lost.
    fn notice(&self, news: News) -> String {
        let write = |news| serde_json::to_string(&Notice { from: Some(Arc::clone(&self.node)), news });
        let written = write(news).ok().filter(|notice| notice.len() <= NOTICE_MAX);
        written.or_else(|| write(News::Lost).ok()).unwrap_or_default() // a name and a word can be written
    }

    fn hear(&self, notice: &str) {
        let news = match serde_json::from_str::<Notice>(notice) {
            Ok(Notice { from: Some(from), .. }) if from == self.node => return,
            Ok(Notice { news: News::Missed, .. }) => return,
            Ok(Notice { news, .. }) => news,
            // A later version tells what this one does not know. It may be what this one knows by another name.
            Err(error) => {
                tracing::debug!(%error, "something was told that this version does not know");
                News::Lost
            }
        };
        if let Err(TrySendError::Full(_)) = self.heard.try_send(news) {
            self.shared.missed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::site::SiteId;

    #[test]
    fn notices_of_the_engine_and_of_nodes_read_alike() {
        let read = |notice: &str| serde_json::from_str::<Notice>(notice).map(|notice| notice.news);
        assert_eq!(read(r#"{"kind" : "access"}"#).unwrap(), News::Access);
        assert_eq!(read(r#"{"kind" : "model", "site" : 3}"#).unwrap(), News::Model { site: SiteId(3) });
        let article = read(r#"{"kind" : "article", "site" : 3, "id" : "a \"b\" ü"}"#).unwrap();
        assert!(matches!(article, News::Article { site: SiteId(3), id } if id.as_str() == "a \"b\" ü"));
        let said = News::Said { comments: vec![(u64::MAX, Uuid::from_u128(7))] };
        for news in [News::Threads { articles: vec![0, u64::MAX] }, said, News::Settings, News::Hello, News::Lost] {
            let notice = Notice { from: Some("n".into()), news: news.clone() };
            assert_eq!(read(&serde_json::to_string(&notice).unwrap()).unwrap(), news);
        }
        assert!(read(r#"{"kind":"tomorrow"}"#).is_err());
    }
}

//! What several nodes share in microseconds, in Redis or Valkey: limits, and the order of everything that happens.
//!
//! Nothing here is kept for good, and nothing needs Redis to be there: without it each node goes on alone, and catches up by itself.

pub mod checkup;
mod config;
mod entry;
mod follow;
mod history;
mod link;
mod newest;
mod queue;
mod stream;
mod tally;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

pub use self::config::{Address, BadShared, Config, Whose};
pub use self::follow::Now;
pub use self::history::SharedHistory;
use self::link::Link;
use self::stream::{Place, Stream};
use super::memory::history::MemoryHistory;
use crate::domain::shared::{Shared, Tally};

/// For Redis to answer when the service starts; it starts without, too.
const START: Duration = Duration::from_secs(2);
/// For the last things to be told when it stops.
const STOP: Duration = Duration::from_secs(1);

/// Why what nodes share cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting.
    #[error(transparent)]
    Setting(#[from] BadShared),
    /// `shared.url` is empty.
    #[error("shared.url is empty")]
    NoUrl,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
}

/// What this node shares with others. Its tasks end with it.
pub struct Redis {
    link: Arc<Link>,
    stream: Stream,
    history: Mutex<Option<Arc<SharedHistory>>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Redis {
    /// Opens the way to `shared.url`, on the runtime that it is called on, and keeps it open. That Redis is away is no error.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(config: &Config) -> Result<Arc<Self>, OpenError> {
        config.check()?;
        let url = config.url.expose().ok_or(OpenError::NoUrl)?;
        // The first one wins, and all are the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = redis::Client::open(url).map_err(|_| OpenError::NoUrl)?;
        let mut node = [0; 8];
        getrandom::fill(&mut node).map_err(OpenError::Random)?;
        let link = Arc::new(Link::new(client, config.clone(), u64::from_le_bytes(node)));
        let looked = tokio::time::timeout(START, link.look()).await;
        if !matches!(looked, Ok(true)) {
            metrics::gauge!("doorward_shared_up").set(0);
            tracing::warn!("what nodes share cannot be reached: this node starts alone");
        }
        let stream = Stream { key: link.key("order"), most: config.max_entries };
        let mut tasks = JoinSet::new();
        let kept = Arc::clone(&link);
        tasks.spawn(async move { match kept.keep().await {} });
        Ok(Arc::new(Self { link, stream, history: Mutex::default(), tasks: Mutex::new(tasks) }))
    }

    /// Limits over all nodes.
    #[must_use]
    pub fn tally(&self) -> Arc<dyn Tally> {
        tally::tally(&self.link)
    }

    /// The end of the order as it is now, if that can be told: to be asked before the store is read.
    pub async fn end(&self) -> Option<End> {
        let asked = Instant::now();
        let work = async |mut connection| self.stream.last(&mut connection).await;
        self.link.ask(work).await.ok().map(|place| End { place, asked })
    }

    /// Makes `memory` one of several histories with the same content. It was read from the store after the order ended at `end`; where that
    /// could not be told, it is read once more when Redis is there. `now` tells the moment.
    pub fn history(&self, memory: Arc<MemoryHistory>, end: Option<End>, now: Now) -> Arc<SharedHistory> {
        let begun = end.map(|end| {
            let ago = i64::try_from(end.asked.elapsed().as_millis()).unwrap_or(i64::MAX);
            follow::Begun { place: end.place, store_read: now().plus_millis(-ago) }
        });
        let history = Arc::new(SharedHistory::new(memory, Arc::clone(&self.link), now));
        let reader = follow::Reader::new(self.stream.clone(), begun);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let (telling, following, stream) = (Arc::clone(&history), Arc::clone(&history), self.stream.clone());
        tasks.spawn(async move { match follow::tell(&telling, &stream).await {} });
        tasks.spawn(async move { match reader.follow(&following).await {} });
        *self.history.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&history));
        history
    }

    /// That so many nodes are alive was heard elsewhere: while Redis knows of fewer, each takes a share among these.
    pub fn heard_of(&self, nodes: u32) {
        self.link.heard_of(nodes);
    }

    /// Tells the last things, for a second at most, and leaves.
    pub async fn close(&self) {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let told = async {
            while history.as_ref().is_some_and(|history| history.untold() > 0) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(STOP, told).await; // what is untold is in the store
        self.link.leave().await;
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

/// Where the order ended at some moment.
#[derive(Debug, Clone, Copy)]
pub struct End {
    place: Place,
    asked: Instant,
}

impl Shared for Redis {
    fn is_up(&self) -> bool {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.as_ref().map_or_else(|| self.link.is_up(), |history| history.follows())
    }

    fn nodes(&self) -> u32 {
        self.link.nodes()
    }
}

//! The way to Redis: open, or known to be closed. Whoever asks waits as long as the setting allows, once; then nobody waits any more until
//! the way was seen to be open again, by one task that looks for itself.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisResult, Script};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::config::Config;
use crate::domain::shared::Away;

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(1);
/// Milliseconds after which a node that gave none counts no more.
const ALIVE_MS: u32 = 5_000;
/// For other nodes to find the way again after it was closed: before that they are not taken for gone. They look every second.
const FINDING: Duration = Duration::from_secs(5);
/// Between two times that the log says why the way is closed.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// Between two looks while the way is closed, at first and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// For a connection to stand. Nobody waits for that but the task that looks.
const CONNECT: Duration = Duration::from_secs(1);

/// Milliseconds after which what happened is not kept for anybody: a day.
const KEPT_MS: u32 = 86_400_000;

/// Writes that this node is alive, lets go of what is old, and answers how many nodes are alive. It writes and runs a script, because a Redis that does not let us is of no use.
const BEAT_SCRIPT: &str = r"
local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], ms, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms - ARGV[2])
redis.call('PEXPIRE', KEYS[1], 60000)
redis.call('XTRIM', KEYS[2], 'MINID', string.format('%d', ms - ARGV[3]))
return redis.call('ZCARD', KEYS[1])";

/// How the way is.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    is_open: bool,
    /// How often it was opened.
    times: u64,
    /// When it was opened last.
    since: Option<Instant>,
}

/// When something was last said that need not be said each time.
#[derive(Debug, Default)]
struct Said(Mutex<Option<Instant>>);

impl Said {
    /// Whether it is to be said again.
    fn is_due(&self, now: Instant) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = said.is_none_or(|said| now.saturating_duration_since(said) >= SAID_EVERY);
        if is_due {
            *said = Some(now);
        }
        is_due
    }

    /// What comes next is another matter.
    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The way to Redis.
pub(super) struct Link {
    client: Client,
    pub(super) config: Config,
    /// Names this process among all nodes, now and before.
    pub(super) node: u64,
    current: ArcSwapOption<MultiplexedConnection>,
    way: watch::Sender<Way>,
    nodes: AtomicU32,
    /// Nodes that were heard of elsewhere.
    others: AtomicU32,
    closed: Said,
    refused: Said,
    fell: Notify,
    beat: Script,
}

impl Link {
    pub(super) fn new(client: Client, config: Config, node: u64) -> Self {
        Self {
            client,
            config,
            node,
            current: ArcSwapOption::empty(),
            way: watch::Sender::new(Way::default()),
            nodes: AtomicU32::new(1),
            others: AtomicU32::new(0),
            closed: Said::default(),
            refused: Said::default(),
            fell: Notify::new(),
            beat: Script::new(BEAT_SCRIPT),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.current.load().is_some()
    }

    /// Nodes that are alive, or were when that could be told; at least as many as were heard of elsewhere.
    pub(super) fn nodes(&self) -> u32 {
        self.nodes.load(Ordering::Relaxed).max(self.others.load(Ordering::Relaxed)).max(1)
    }

    /// So many are known elsewhere.
    pub(super) fn heard_of(&self, nodes: u32) {
        self.others.store(nodes, Ordering::Relaxed);
    }

    /// Done when the way is open.
    pub(super) async fn opened(&self) {
        // It ends only with the sender, which is ours.
        let _ = self.way.subscribe().wait_for(|way| way.is_open).await;
    }

    /// How often the way was opened: what was there before may be gone since.
    pub(super) fn times(&self) -> u64 {
        self.way.borrow().times
    }

    /// Done when the way was opened anew.
    pub(super) async fn opened_again(&self, times: u64) {
        let _ = self.way.subscribe().wait_for(|way| way.is_open && way.times != times).await;
    }

    /// Asks something that is answered at once, or not at all.
    ///
    /// # Errors
    /// [`Away`]. Perhaps it was done all the same.
    pub(super) async fn ask<T, F>(&self, work: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, Away>
    where
        F: Future<Output = RedisResult<T>>,
    {
        self.ask_for(self.config.timeout(), work).await
    }

    /// The same, for as long as that: where nobody waits for the answer.
    ///
    /// # Errors
    /// [`Away`]. Perhaps it was done all the same.
    pub(super) async fn ask_for<T, F>(
        &self,
        patience: Duration,
        work: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, Away>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let Some(connection) = self.current.load_full() else { return Err(Away) };
        match timeout(patience, work((*connection).clone())).await {
            Ok(Ok(answer)) => return Ok(answer),
            // It answers, but not that: a key that is something else, or a Redis that takes nothing just now. Whoever looks will see.
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) => {
                if self.refused.is_due(Instant::now()) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "Redis answers, and refuses what nodes share");
                }
                self.fell.notify_one();
            }
            Ok(Err(error)) => self.close(&connection, Some(&error)),
            Err(_) => self.close(&connection, None),
        }
        Err(Away)
    }

    /// A connection of one's own, on which may be waited.
    ///
    /// # Errors
    /// Whatever is wrong.
    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Keeps the way open for as long as it is awaited.
    pub(super) async fn keep(&self) -> Infallible {
        let mut pause = LOOK.0;
        loop {
            if self.look().await {
                pause = LOOK.0;
                let _ = timeout(BEAT, self.fell.notified()).await;
            } else {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LOOK.1);
            }
        }
    }

    /// Looks whether the way is open, and opens it.
    pub(super) async fn look(&self) -> bool {
        let connection = if let Some(connection) = self.current.load_full() {
            connection
        } else {
            match self.connect().await {
                Ok(connection) => Arc::new(connection),
                Err(error) => {
                    self.say(Some(&error));
                    return false;
                }
            }
        };
        let mut beat = self.beat.key(self.key("nodes"));
        beat.key(self.key("order")).arg(format!("{:016x}", self.node)).arg(ALIVE_MS).arg(KEPT_MS);
        let mut its = (*connection).clone();
        match timeout(self.config.timeout(), beat.invoke_async::<u32>(&mut its)).await {
            Ok(Ok(nodes)) => {
                let open_for = self.way.borrow().since.filter(|_| self.is_up()).map(|since| since.elapsed());
                let nodes = counted(self.nodes.load(Ordering::Relaxed), nodes, open_for.unwrap_or_default());
                self.nodes.store(nodes, Ordering::Relaxed);
                metrics::gauge!("doorward_shared_nodes").set(nodes);
                metrics::gauge!("doorward_shared_up").set(1);
                if self.current.load().is_none() {
                    self.current.store(Some(connection));
                    let since = Some(Instant::now());
                    self.way.send_modify(|way| *way = Way { is_open: true, times: way.times + 1, since });
                    self.closed.forget();
                    tracing::info!(nodes, "what nodes share is shared");
                }
                true
            }
            Ok(Err(error)) => {
                self.close(&connection, Some(&error));
                false
            }
            Err(_) => {
                self.close(&connection, None);
                false
            }
        }
    }

    /// This node counts no more.
    pub(super) async fn leave(&self) {
        let (key, node) = (self.key("nodes"), format!("{:016x}", self.node));
        let work = async |mut connection: MultiplexedConnection| {
            redis::cmd("ZREM").arg(key).arg(node).query_async::<()>(&mut connection).await
        };
        let _ = self.ask(work).await; // when it cannot be told, it shows within seconds
    }

    pub(super) fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.config.prefix)
    }

    fn close(&self, failed: &Arc<MultiplexedConnection>, error: Option<&redis::RedisError>) {
        let before = self.current.compare_and_swap(&Some(Arc::clone(failed)), None);
        let was_current = before.as_ref().is_some_and(|before| Arc::ptr_eq(before, failed));
        if was_current {
            metrics::gauge!("doorward_shared_up").set(0);
            self.way.send_modify(|way| way.is_open = false);
            self.fell.notify_one();
        }
        if !self.is_up() {
            self.say(error);
        }
    }

    /// Says why the way is closed, now and then.
    fn say(&self, error: Option<&redis::RedisError>) {
        if !self.closed.is_due(Instant::now()) {
            return;
        }
        if let Some(error) = error {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "what nodes share cannot be reached: this node goes on alone");
        } else {
            let timeout_ms = self.config.timeout_ms;
            tracing::warn!(timeout_ms, "what nodes share does not answer in time: this node goes on alone");
        }
    }
}

/// How many nodes there are, of which Redis knows `found`: as many as before at least, while others may not have found the way yet.
fn counted(before: u32, found: u32, open_for: Duration) -> u32 {
    if open_for < FINDING { before.max(found) } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_may_not_have_found_the_way_again_are_not_taken_for_gone() {
        assert_eq!(counted(3, 1, Duration::ZERO), 3);
        assert_eq!(counted(3, 4, Duration::ZERO), 4);
        assert_eq!(counted(3, 1, FINDING), 1);
    }

    #[test]
    fn a_node_that_never_reached_redis_counts_those_it_heard_of_elsewhere() {
        let client = Client::open("redis://127.0.0.1:1").expect("an address");
        let link = Link::new(client, Config::default(), 7);
        assert_eq!(link.nodes(), 1);
        link.heard_of(3);
        assert_eq!(link.nodes(), 3);
        link.nodes.store(5, Ordering::Relaxed);
        assert_eq!(link.nodes(), 5, "those that Redis counts, when there are more");
        link.heard_of(0);
        link.nodes.store(0, Ordering::Relaxed);
        assert_eq!(link.nodes(), 1, "this one");
    }

    #[test]
    fn why_is_said_at_once_and_then_once_a_minute() {
        let (said, start) = (Said::default(), Instant::now());
        assert!(said.is_due(start));
        assert!(!said.is_due(start + SAID_EVERY / 2));
        assert!(said.is_due(start + SAID_EVERY));
        assert!(!said.is_due(start + SAID_EVERY * 3 / 2));
        said.forget();
        assert!(said.is_due(start + SAID_EVERY * 3 / 2), "it was open in between");
    }
}

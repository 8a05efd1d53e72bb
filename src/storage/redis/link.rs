//! The way to Redis: open, or known to be closed. Whoever asks waits as long as the setting allows, once; then nobody waits any more until
//! the way was seen to be open again, by one task that looks for itself.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisResult, Script};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::config::Config;
use crate::domain::shared::Away;

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(1);
/// Milliseconds after which a node that gave none counts no more.
const ALIVE_MS: u32 = 5_000;
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
            fell: Notify::new(),
            beat: Script::new(BEAT_SCRIPT),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.current.load().is_some()
    }

    /// Nodes that are alive, or were when that could be told.
    pub(super) fn nodes(&self) -> u32 {
        self.nodes.load(Ordering::Relaxed).max(1)
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
        let Some(connection) = self.current.load_full() else { return Err(Away) };
        match timeout(self.config.timeout(), work((*connection).clone())).await {
            Ok(Ok(answer)) => return Ok(answer),
            // It answers, but not that: a key that is something else, or a Redis that takes nothing just now. Whoever looks will see.
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "Redis refuses");
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
                    tracing::debug!(error = &error as &dyn std::error::Error, "shared.url cannot be reached");
                    return false;
                }
            }
        };
        let mut beat = self.beat.key(self.key("nodes"));
        beat.key(self.key("order")).arg(format!("{:016x}", self.node)).arg(ALIVE_MS).arg(KEPT_MS);
        let mut its = (*connection).clone();
        match timeout(self.config.timeout(), beat.invoke_async::<u32>(&mut its)).await {
            Ok(Ok(nodes)) => {
                self.nodes.store(nodes, Ordering::Relaxed);
                metrics::gauge!("doorward_shared_nodes").set(nodes);
                metrics::gauge!("doorward_shared_up").set(1);
                if self.current.load().is_none() {
                    self.current.store(Some(connection));
                    self.way.send_modify(|way| *way = Way { is_open: true, times: way.times + 1 });
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
        metrics::gauge!("doorward_shared_up").set(0);
        let before = self.current.compare_and_swap(&Some(Arc::clone(failed)), None);
        let was_current = before.as_ref().is_some_and(|before| Arc::ptr_eq(before, failed));
        if was_current {
            self.way.send_modify(|way| way.is_open = false);
            self.fell.notify_one();
            if let Some(error) = error {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "what nodes share cannot be reached: this node goes on alone");
            } else {
                let timeout_ms = self.config.timeout_ms;
                tracing::warn!(timeout_ms, "what nodes share does not answer in time: this node goes on alone");
            }
        }
    }
}

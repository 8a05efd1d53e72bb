//! Work that one node does for all: whose turn it is.
//!
//! A lease in the store, renewed while the work goes on. When it cannot be renewed, the work is dropped where it stands before anybody else may
//! begin; when its holder dies, the next one takes over when the lease has run out. Before each step of the work the clock is looked at: a
//! process that was stopped for longer than its lease goes on with none of it. Work here must bear being done twice all the same: clocks
//! differ, and a step that was on its way to the store when the process stopped arrives there later.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;

use crate::app::clock::Clock;
use crate::domain::store::Store;

/// How long a lease lasts that nobody renews, in milliseconds.
const HELD_MS: i64 = 15_000;
/// Between two tries to renew or to take one.
const ASKED_EVERY: Duration = Duration::from_secs(3);
/// How long an answer may take. A try that begins just before the slack does ends within it.
const ANSWERED_WITHIN: Duration = Duration::from_millis(1_500);
/// Before its end from which work is dropped, in milliseconds: for clocks that differ, and for answers that are late.
const SLACK_MS: i64 = 3_000;

/// Whose turn it is.
#[derive(Clone)]
pub struct Turns {
    /// `None` where one process is all there is: it is always its turn.
    shared: Option<Shared>,
}

#[derive(Clone)]
struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    node: Arc<str>,
}

impl Turns {
    /// For the only process: it is always its turn, and nothing is written.
    #[must_use]
    pub const fn alone() -> Self {
        Self { shared: None }
    }

    /// For the node of that name, beside others on `store`.
    #[must_use]
    pub fn shared(store: Arc<dyn Store>, clock: Arc<dyn Clock>, node: Arc<str>) -> Self {
        Self { shared: Some(Shared { store, clock, node }) }
    }

    /// Does `work` for ever, whenever it is this node's turn; begins it anew each time the turn comes.
    pub async fn run<F: Future<Output = Infallible>>(&self, name: &'static str, work: impl Fn() -> F) -> Infallible {
        let Some(shared) = &self.shared else { return work().await };
        loop {
            let until = AtomicI64::new(shared.take(name).await);
            tracing::debug!(name, "this node's turn");
            metrics::gauge!("doorward_turn", "work" => name).set(1);
            {
                let (mut keep, mut work) = (pin!(shared.keep(name, &until)), pin!(work()));
                // The timer that ends `keep` may itself be late where the process was: nothing is done before the clock is looked at.
                poll_fn(|context| {
                    if keep.as_mut().poll(context).is_ready() || shared.left(&until).is_none() {
                        return Poll::Ready(());
                    }
                    match work.as_mut().poll(context) {
                        Poll::Ready(never) => match never {},
                        Poll::Pending => Poll::Pending,
                    }
                })
                .await;
            }
            metrics::gauge!("doorward_turn", "work" => name).set(0);
            tracing::warn!(name, "this node's turn is over: the lease could not be renewed");
        }
    }

    /// Gives turns back, when this node ends: others need not wait for them to run out.
    pub async fn give_back(&self, names: &[&str]) {
        let Some(Shared { store, node, .. }) = &self.shared else { return };
        for name in names {
            if let Err(error) = store.lease_drop(name, node).await {
                tracing::debug!(error = &error as &dyn std::error::Error, name, "a turn could not be given back");
            }
        }
    }
}

impl Shared {
    /// Waits until it is this node's turn; until when.
    async fn take(&self, name: &str) -> i64 {
        loop {
            if let Ok(Some(until)) = self.ask(name).await {
                return until;
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    }

    /// Renews, until somebody else has it or its end is near.
    async fn keep(&self, name: &str, until: &AtomicI64) {
        while let Some(left) = self.left(until) {
            tokio::time::sleep(ASKED_EVERY.min(left)).await;
            if self.left(until).is_none() {
                return; // it slept for longer than it meant to, or nothing could be renewed until here
            }
            // An answer that never comes must not outlast the lease.
            match tokio::time::timeout(ANSWERED_WITHIN, self.ask(name)).await {
                Ok(Ok(Some(renewed))) => until.store(renewed, Ordering::Relaxed),
                Ok(Ok(None)) => return,
                Ok(Err(())) | Err(_) => {}
            }
        }
    }

    /// How long the work may go on; `None` when it may not.
    fn left(&self, until: &AtomicI64) -> Option<Duration> {
        let left = until.load(Ordering::Relaxed) - SLACK_MS - self.clock.now().as_millis();
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis)
    }

    /// Until when it is this node's turn; `None` when it is somebody else's.
    async fn ask(&self, name: &str) -> Result<Option<i64>, ()> {
        let now = self.clock.now();
        let until = now.plus_millis(HELD_MS);
        match self.store.lease_take(name, &self.node, until, now).await {
            Ok(is_ours) => Ok(is_ours.then_some(until.as_millis())),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, name, "nobody can say whose turn it is");
                Err(())
            }
        }
    }
}

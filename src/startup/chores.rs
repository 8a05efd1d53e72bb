//! What a service does besides answering. Whatever ends here by itself has failed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::App;
use super::engine::Among;
use crate::app::clock::Clock;
use crate::app::elsewhere::Elsewhere;
use crate::app::searching;
use crate::domain::nodes::Node;
use crate::domain::store::{Result, Store};
use crate::http;
use crate::storage::redis::Redis;

/// Minutes between two looks for addresses that are old enough to be replaced.
const PRIVACY_EVERY_MIN: u64 = 10;
/// Minutes between two looks at the months.
const ROOM_EVERY_MIN: u64 = 60;
/// Between two signs of life of a node.
const SEEN_EVERY: Duration = Duration::from_secs(5);
/// Without one for so long a node counts as gone, in milliseconds.
const GONE_MS: i64 = 20_000;
/// After so long nobody shows it any more, in milliseconds.
const FORGOTTEN_MS: i64 = 3_600_000;

/// Work that one node does for all, by the names of its leases.
const LEARNING: &str = "learning";
const PRIVACY: &str = "privacy";
const UPKEEP: &str = "upkeep";
/// All of them.
pub(super) const TURNS: [&str; 3] = [LEARNING, PRIVACY, UPKEEP];

/// Begins everything that goes on until the service stops.
pub(super) fn start(app: &App) -> JoinSet<Infallible> {
    let mut chores = JoinSet::new();
    let (turns, state) = (app.turns.clone(), Arc::clone(&app.state));
    chores.spawn(async move { turns.run(PRIVACY, || keep_private(&state)).await });
    let (turns, learning, clock) = (app.turns.clone(), Arc::clone(&app.state.learning), Arc::clone(&app.state.clock));
    chores.spawn(async move { turns.run(LEARNING, || learning.keep_learning(&*clock)).await });
    let (turns, state, deliverer) = (app.turns.clone(), Arc::clone(&app.state), Arc::clone(&app.deliverer));
    chores.spawn(async move {
        let upkeep = || async {
            tokio::select! {
                never = state.webhooks_in.keep_pruning(&*state.clock) => never,
                never = deliverer.keep_pruning() => never,
                never = keep_room(&state) => never,
            }
        };
        turns.run(UPKEEP, upkeep).await
    });
    chores.spawn(searching::keep_indexing(Arc::clone(&app.store)));
    if let Some(Among { bulletin, node }) = &app.among {
        let (bulletin, elsewhere) = (Arc::clone(bulletin), elsewhere(app));
        chores.spawn(async move { elsewhere.follow(&*bulletin).await });
        let threads = Arc::clone(&app.threads);
        chores.spawn(async move { threads.keep_telling().await });
        let (store, clock, shared) = (Arc::clone(&app.store), Arc::clone(&app.state.clock), app.shared.clone());
        chores.spawn(keep_seen(store, clock, node.clone(), shared));
    }
    chores
}

/// Everything that keeps something in memory.
fn elsewhere(app: &App) -> Elsewhere {
    let state = &app.state;
    Elsewhere {
        access: Arc::clone(&state.access),
        sign_in: Arc::clone(&state.sign_in),
        webhooks_in: Arc::clone(&state.webhooks_in),
        sanctions: Arc::clone(&state.sanctions),
        intake: Arc::clone(&state.intake),
        threads: Arc::clone(&app.threads),
        learning: Arc::clone(&state.learning),
        events: Arc::clone(&state.events),
        clock: Arc::clone(&state.clock),
    }
}

/// Replaces addresses that are old enough, now and from time to time.
async fn keep_private(state: &http::State) -> Infallible {
    let mut ticks = tokio::time::interval(Duration::from_secs(60 * PRIVACY_EVERY_MIN));
    loop {
        ticks.tick().await;
        match state.authors.hash_addresses(state.clock.now()).await {
            Ok(hashed) if hashed.replaced > 0 => {
                tracing::info!(comments = hashed.replaced, "addresses replaced by hashes");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "addresses could not be replaced"),
        }
    }
}

/// Makes room for the months that come, and drops those that are too old, now and from time to time.
async fn keep_room(state: &http::State) -> Infallible {
    let mut ticks = tokio::time::interval(Duration::from_secs(60 * ROOM_EVERY_MIN));
    loop {
        ticks.tick().await;
        match state.store.keep_room(state.clock.now()).await {
            Ok(dropped) if dropped.is_empty() => {}
            Ok(dropped) => tracing::info!(months = dropped.join(" "), "comments that were too old were dropped"),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the months could not be kept in order");
            }
        }
    }
}

/// Shows that this node is there, and counts which others are: limits are divided by them where Redis cannot tell.
async fn keep_seen(store: Arc<dyn Store>, clock: Arc<dyn Clock>, node: Node, shared: Option<Arc<Redis>>) -> Infallible {
    loop {
        let now = clock.now();
        let seen: Result<Vec<Node>> = async {
            store.node_seen(&Node { seen_at: now, ..node.clone() }, now.plus_millis(-FORGOTTEN_MS)).await?;
            store.nodes().await
        }
        .await;
        match seen {
            Ok(nodes) => {
                let alive = count(&nodes, &node, now.plus_millis(-GONE_MS));
                if let Some(shared) = &shared {
                    shared.heard_of(u32::try_from(alive).unwrap_or(u32::MAX));
                }
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "this node could not show that it is there");
            }
        }
        tokio::time::sleep(SEEN_EVERY).await;
    }
}

/// How many are alive.
#[expect(clippy::cast_precision_loss, reason = "counts of nodes")]
fn count(nodes: &[Node], ours: &Node, since: crate::domain::time::Timestamp) -> usize {
    let alive = || nodes.iter().filter(|node| node.seen_at > since);
    metrics::gauge!("doorward_nodes").set(alive().count() as f64);
    let others = alive().filter(|node| node.version != ours.version).count();
    metrics::gauge!("doorward_nodes_other_version").set(others as f64);
    alive().count()
}

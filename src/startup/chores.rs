//! What a service does besides answering. Whatever ends here by itself has failed.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::App;
use super::engine::Among;
use crate::app::clock::Clock;
use crate::app::elsewhere::Elsewhere;
use crate::app::house::Settings;
use crate::app::live::Live;
use crate::app::reload::Reload;
use crate::app::searching;
use crate::app::threads::Threads;
use crate::config::aside::Places;
use crate::domain::nodes::Node;
use crate::domain::retention::Class;
use crate::domain::store::{Result, Store};
use crate::domain::time::Timestamp;
use crate::http;
use crate::storage::redis::Redis;

/// Minutes between two looks for addresses that are old enough to be replaced.
const PRIVACY_EVERY_MIN: u64 = 10;
/// Minutes between two looks at the months.
const ROOM_EVERY_MIN: u64 = 60;
/// Minutes between two looks for what a restore moved aside.
const TIDY_EVERY_MIN: u64 = 60;
/// Between two signs of life of a node.
pub(super) const SEEN_EVERY: Duration = Duration::from_secs(5);
/// Without one for so long a node counts as gone, in milliseconds.
pub(super) const GONE_MS: i64 = 20_000;
/// After so long nobody shows it any more, in milliseconds.
pub(super) const FORGOTTEN_MS: i64 = 3_600_000;

/// Work that one node does for all, by the names of its leases.
const LEARNING: &str = "learning";
const PRIVACY: &str = "privacy";
const UPKEEP: &str = "upkeep";
const NOTIFY: &str = "notify";
/// All of them.
pub(super) const TURNS: [&str; 4] = [LEARNING, PRIVACY, UPKEEP, NOTIFY];

/// Begins everything that goes on until the service stops.
pub(super) fn start(app: &mut App) -> JoinSet<Infallible> {
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
    let (turns, notifier, clock) = (app.turns.clone(), Arc::clone(&app.notifier), Arc::clone(&app.state.clock));
    chores.spawn(async move { turns.run(NOTIFY, || notifier.keep_telling(&*clock)).await });
    if let Some(follower) = app.follower.take() {
        chores.spawn(follower.keep_following());
    }
    chores.spawn(searching::keep_indexing(Arc::clone(&app.store)));
    chores.spawn(keep_tidy(app.places.clone(), Arc::clone(&app.state.clock)));
    let (log, clock) = (Arc::clone(&app.state.log_level), Arc::clone(&app.state.clock));
    chores.spawn(async move { log.keep(&*clock).await });
    if let Some(Among { bulletin, node }) = &app.among {
        let (bulletin, elsewhere) = (Arc::clone(bulletin), elsewhere(app));
        chores.spawn(async move { elsewhere.follow(&*bulletin).await });
        let threads = Arc::clone(&app.threads);
        chores.spawn(async move { threads.keep_telling().await });
        let (threads, settings) = (Arc::clone(&app.threads), Arc::clone(&app.state.settings));
        chores.spawn(async move { threads.keep_hearing(&settings).await });
        let others = Others {
            alive: Arc::clone(&app.state.alive),
            settings: Arc::clone(&app.state.settings),
            reload: Arc::clone(&app.state.reload),
            threads: Arc::clone(&app.threads),
            shared: app.shared.clone(),
            silent: BTreeSet::new(),
        };
        app.showing = None; // from here on it is shown with what it decides under
        chores.spawn(keep_seen(Arc::clone(&app.store), Arc::clone(&app.state.clock), node.clone(), others));
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
        reload: Arc::clone(&state.reload),
        clock: Arc::clone(&state.clock),
    }
}

/// Replaces addresses that are old enough, and deletes comments that are, now and from time to time.
async fn keep_private(state: &http::State) -> Infallible {
    let mut ticks = tokio::time::interval(Duration::from_secs(60 * PRIVACY_EVERY_MIN));
    loop {
        ticks.tick().await;
        let now = state.clock.now(); // one look, one time, however long its steps take
        match state.authors.hash_addresses(now).await {
            Ok(hashed) if hashed.replaced + hashed.cleaned > 0 => {
                tracing::info!(
                    comments = hashed.replaced,
                    words = hashed.cleaned,
                    "addresses replaced by hashes, and taken out of what people wrote"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "addresses could not be replaced"),
        }
        if let Err(error) = state.authors.forget_erasures(now).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "old entries of the list of the erased could not be forgotten"
            );
        }
        match state.retention.expire(now).await {
            Ok(gone) if gone.is_empty() => {}
            Ok(gone) => {
                let of = |class| gone.get(&class).copied().unwrap_or(0);
                tracing::info!(
                    approved = of(Class::Approved),
                    rejected = of(Class::Rejected),
                    decided = of(Class::Decided),
                    "comments that were kept for long enough were deleted"
                );
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "old comments could not be deleted");
            }
        }
    }
}

/// Removes what a restore moved aside, in its time, now and from time to time: each node beside its own files.
async fn keep_tidy(places: Live<Places>, clock: Arc<dyn Clock>) -> Infallible {
    let mut ticks = tokio::time::interval(Duration::from_secs(60 * TIDY_EVERY_MIN));
    loop {
        ticks.tick().await;
        let (places, now) = (places.get(), clock.now());
        let removed = tokio::task::spawn_blocking(move || places.remove_old(now)).await.unwrap_or_default();
        for (path, removed) in removed {
            let path = path.display();
            match removed {
                Ok(()) => tracing::info!(%path, "removed what a restore had moved aside"),
                Err(error) => tracing::error!(%path, %error, "what a restore had moved aside could not be removed"),
            }
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

/// Shows that this node is there, and counts which others are.
async fn keep_seen(store: Arc<dyn Store>, clock: Arc<dyn Clock>, node: Node, mut others: Others) -> Infallible {
    loop {
        let now = clock.now();
        let config = others.settings.current().hash.clone();
        let seen: Result<Vec<Node>> = async {
            store.node_seen(&Node { seen_at: now, config, ..node.clone() }, now.plus_millis(-FORGOTTEN_MS)).await?;
            store.nodes().await
        }
        .await;
        match seen {
            Ok(nodes) => others.look(&nodes, &node, now.plus_millis(-GONE_MS)),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "this node could not show that it is there");
            }
        }
        tokio::time::sleep(SEEN_EVERY).await;
    }
}

/// How many other nodes decide under another policy. What is stored of this one may be from before it took others.
fn otherwise(nodes: &[Node], ours: &str, policy: &str, since: Timestamp) -> usize {
    let others = nodes.iter().filter(|node| node.seen_at > since && node.name != ours);
    others.filter(|node| !node.config.is_empty() && node.config != policy).count()
}

/// What follows from which nodes there are.
struct Others {
    alive: Arc<AtomicU32>,
    /// What this node decides under.
    settings: Arc<Settings>,
    /// Who looks at them again.
    reload: Arc<Reload>,
    threads: Arc<Threads>,
    /// Where limits are counted over all nodes; they are divided by the nodes where it cannot tell.
    shared: Option<Arc<Redis>>,
    /// Those that ended without saying so.
    silent: BTreeSet<String>,
}

impl Others {
    fn look(&mut self, nodes: &[Node], ours: &Node, since: Timestamp) {
        let alive = || nodes.iter().filter(|node| node.seen_at > since);
        let count = u32::try_from(alive().count()).unwrap_or(u32::MAX);
        metrics::gauge!("doorward_nodes").set(f64::from(count));
        let gauged = |nodes: usize| f64::from(u32::try_from(nodes).unwrap_or(u32::MAX));
        let other = alive().filter(|node| node.version != ours.version).count();
        metrics::gauge!("doorward_nodes_other_version").set(gauged(other));
        let otherwise = otherwise(nodes, &ours.name, &self.settings.current().hash, since);
        metrics::gauge!("doorward_nodes_other_settings").set(gauged(otherwise));
        if otherwise > 0 {
            self.reload.hint(); // what they told of it may have been lost, or have come before this node's file changed
        }
        let before = self.alive.swap(count, Ordering::Relaxed);
        if let Some(shared) = &self.shared {
            shared.heard_of(count);
        } else if count > 1 && before <= 1 {
            tracing::warn!(
                nodes = count,
                "several nodes serve from this database and [shared] is not set: every limit lets through as much on each of them"
            );
        }
        if self.is_news(nodes, since) {
            self.threads.forget_all();
        }
    }

    /// Whether a node has fallen silent: what it had not told yet of threads nobody will tell any more.
    fn is_news(&mut self, nodes: &[Node], since: Timestamp) -> bool {
        let silent = nodes.iter().filter(|node| node.seen_at <= since).map(|node| node.name.clone()).collect();
        let before = std::mem::replace(&mut self.silent, silent);
        !self.silent.is_subset(&before)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use async_trait::async_trait;
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::*;
    use crate::app::events::Events;
    use crate::config::Config;
    use crate::domain::news::{Bulletin, News};
    use crate::startup::{SystemClock, assemble};

    /// Says once what is heard; when that was taken in, it closes what it was told with [`News::Lost`].
    struct Heard {
        news: News,
        was: AtomicBool,
        told: UnboundedSender<News>,
    }

    #[async_trait]
    impl Bulletin for Heard {
        fn tell(&self, news: News) {
            let _ = self.told.send(news);
        }

        async fn told(&self) {}

        async fn next(&self) -> News {
            if self.was.swap(true, Ordering::Relaxed) {
                let _ = self.told.send(News::Lost);
                std::future::pending::<()>().await;
            }
            self.news.clone()
        }
    }

    fn node(name: &str, seen: i64, config: &str) -> Node {
        Node {
            name: name.to_owned(),
            version: String::new(),
            schema: 1,
            started_at: Timestamp::EPOCH,
            seen_at: Timestamp::from_millis(seen),
            config: config.to_owned(),
        }
    }

    fn others(app: &App) -> Others {
        Others {
            alive: Arc::default(),
            settings: Arc::clone(&app.state.settings),
            reload: Arc::clone(&app.state.reload),
            threads: Arc::clone(&app.threads),
            shared: None,
            silent: BTreeSet::new(),
        }
    }

    async fn app(folder: &std::path::Path) -> App {
        let mut config = Config::default();
        config.place_in(folder);
        assemble(&config, Arc::new(SystemClock)).await.unwrap()
    }

    #[tokio::test]
    async fn a_node_that_missed_news_asks_who_watches_and_says_whether_it_does() {
        let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path()).await;
        let (told, mut heard) = unbounded_channel();
        let bulletin = Arc::new(Heard { news: News::Missed, was: AtomicBool::new(false), told });
        let events = Events::new(Arc::clone(&app.store), crate::app::events::Config::default(), 1);
        let events = Arc::new(events.telling(Arc::clone(&bulletin) as Arc<dyn Bulletin>));
        events.watched_elsewhere();
        let elsewhere = Elsewhere { events, ..elsewhere(&app) };
        let mut all = Vec::new();
        let listen = async {
            while let Some(news) = heard.recv().await.filter(|news| *news != News::Lost) {
                all.push(news);
            }
        };
        tokio::select! {
            never = elsewhere.follow(&*bulletin) => match never {},
            () = listen => {}
        }
        assert_eq!(all, [News::Hello, News::Hello, News::Watched], "as it began, and after what it missed");
    }

    #[tokio::test]
    async fn whatever_news_are_lost_settings_are_to_be_looked_at() {
        let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
        for news in [News::Settings, News::Lost, News::Missed] {
            let folder = tempfile::tempdir().unwrap();
            let app = app(folder.path()).await;
            let (told, _open) = unbounded_channel();
            let bulletin = Heard { news: news.clone(), was: AtomicBool::new(false), told };
            let elsewhere = elsewhere(&app);
            tokio::select! {
                never = elsewhere.follow(&bulletin) => match never {},
                hinted = is_hinted(&app) => assert!(hinted, "{news:?}"),
            }
        }
    }

    async fn is_hinted(app: &App) -> bool {
        tokio::time::timeout(Duration::from_secs(30), app.state.reload.hinted()).await.is_ok()
    }

    #[tokio::test]
    async fn a_node_looks_at_its_settings_for_as_long_as_another_decides_under_others() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path()).await;
        let mut others = others(&app);
        let ours = node("ours", 11, &app.state.settings.current().hash.clone());
        for _ in 0..2 {
            others.look(&[ours.clone(), node("other", 11, "what it took")], &ours, Timestamp::from_millis(10));
            assert!(is_hinted(&app).await);
        }
    }

    #[test]
    fn nodes_that_decide_otherwise_are_counted_and_none_that_does_not_say() {
        let since = Timestamp::from_millis(10);
        let nodes = [
            node("ours", 11, "what it had a moment ago"),
            node("alike", 11, "b"),
            node("other", 11, "c"),
            node("an earlier version", 11, ""),
            node("gone", 10, "c"),
        ];
        assert_eq!(otherwise(&nodes, "ours", "b", since), 1);
        assert_eq!(otherwise(&nodes, "ours", "c", since), 1);
        assert_eq!(otherwise(&nodes[..1], "ours", "c", since), 0);
    }

    #[tokio::test]
    async fn a_node_that_falls_silent_is_news_once() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path()).await;
        let mut others = others(&app);
        let node = |name, seen| node(name, seen, "");
        let since = Timestamp::from_millis(10);
        assert!(!others.is_news(&[node("a", 11), node("b", 11)], since));
        assert!(others.is_news(&[node("a", 11), node("b", 10)], since));
        assert!(!others.is_news(&[node("a", 11), node("b", 10)], since));
        assert!(!others.is_news(&[node("a", 11)], since), "it is forgotten");
        assert!(others.is_news(&[node("a", 9)], since));
    }
}

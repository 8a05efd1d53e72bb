//! The engine that `database.url` names, and what follows from it: whether there are other nodes, how they are heard, whose turn it is.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::task::JoinHandle;

use crate::app::akismet::lookup::{self, Lookup};
use crate::app::clock::Clock;
use crate::app::rotation;
use crate::app::secrets::Sealer;
use crate::app::turns::Turns;
use crate::config::Config;
use crate::domain::news::Bulletin;
use crate::domain::nodes::Node;
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::storage::postgres::{PostgresBulletin, PostgresStore};
use crate::storage::sqlite::SqliteStore;

use super::chores;

/// The schema of the first version that looks Akismet keys up by a keyed hash.
const KEYED_SINCE: u32 = 21;

/// The database for everything but taking comments; works beside a running service.
///
/// # Errors
/// The database cannot be used.
pub async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    if config.database.is_postgres() {
        return Ok(Arc::new(PostgresStore::open(&config.database).await?));
    }
    Ok(Arc::new(SqliteStore::open(&config.database)?))
}

/// The database for bringing comments in. A file must not be served meanwhile: who serves it knows all ids from memory, and would not know these.
///
/// # Errors
/// The database cannot be used, or the file is being served.
pub async fn open_store_to_fill(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    if config.database.is_postgres() {
        return open_store(config).await;
    }
    Ok(Arc::new(SqliteStore::open_serving(&config.database)?))
}

/// The database for what nobody may serve meanwhile: nodes keep in memory what it takes away.
///
/// # Errors
/// The database cannot be used, or somebody serves it.
pub async fn open_store_alone(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    if !config.database.is_postgres() {
        return open_store_to_fill(config).await;
    }
    let store = PostgresStore::open(&config.database).await?;
    if let Some(node) = store.served_by().await? {
        store.close().await;
        anyhow::bail!("the node {node} serves the database (of one that was killed this is said for a minute)");
    }
    Ok(Arc::new(store))
}

/// The database of a service.
pub(super) struct Engine {
    pub store: Arc<dyn Store>,
    /// What there is when there may be other nodes.
    pub among: Option<Among>,
    pub turns: Turns,
}

/// A node that says again and again that it is there, until this is dropped.
pub(super) struct Showing(JoinHandle<Infallible>);

impl Drop for Showing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// This node among others.
#[derive(Clone)]
pub(super) struct Among {
    pub bulletin: Arc<dyn Bulletin>,
    pub node: Node,
}

impl Engine {
    /// Opens it for taking comments. When it returns, nothing that other nodes change from then on is missed.
    pub(super) async fn open(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        if !config.database.is_postgres() {
            let store = Arc::new(SqliteStore::open_serving(&config.database)?);
            return Ok(Self { store, among: None, turns: Turns::alone() });
        }
        let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&config.database).await?);
        let now = clock.now();
        // Another node may be doing it, or comments keep a table busy: it is looked at again.
        if let Err(error) = store.make_room(now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "no room could be made for the months that come");
        }
        let node = Node {
            name: name()?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema: store.schema(),
            started_at: now,
            seen_at: now,
            config: config.hash(),
        };
        let bulletin = Arc::new(PostgresBulletin::open(&config.database, &node.name).await?);
        let turns = Turns::shared(Arc::clone(&store), Arc::clone(clock), node.name.as_str().into());
        Ok(Self { store, among: Some(Among { bulletin, node }), turns })
    }

    /// Shows that this node is there, before it reads what it keeps in memory, and for as long as it reads: whoever takes something away and sees
    /// nobody relies on it that nobody remembers it.
    pub(super) async fn show(&self, policy: &str, clock: &Arc<dyn Clock>) -> anyhow::Result<Option<Showing>> {
        let Some(Among { node, .. }) = &self.among else { return Ok(None) };
        let node = Node { config: policy.to_owned(), ..node.clone() };
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(clock));
        let seen = async move || {
            let now = clock.now();
            store.node_seen(&Node { seen_at: now, ..node.clone() }, now.plus_millis(-chores::FORGOTTEN_MS)).await
        };
        seen().await.context("this node could not show that it is there")?;
        Ok(Some(Showing(tokio::spawn(async move {
            loop {
                tokio::time::sleep(chores::SEEN_EVERY).await;
                if let Err(error) = seen().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "this node could not show that it is there");
                }
            }
        }))))
    }

    /// Whether this node has the key that the secrets in the database are sealed with: nodes with different ones would each open what they
    /// sealed themselves.
    pub(super) async fn check_key(&self, sealer: &Sealer) -> anyhow::Result<()> {
        if self.among.is_none() {
            return Ok(());
        }
        let all = self.store.all_secrets().await.context("the sites' secrets could not be read")?;
        for secrets in &all {
            sealer.unseal(&secrets.site, "inbound", &secrets.inbound).with_context(|| {
                format!(
                    "secrets.key_file is not the one that the secrets of site `{}` were sealed with: every node needs the same file",
                    secrets.site
                )
            })?;
        }
        let mut mark = self.store.key_mark().await.context("the mark of the key could not be read")?;
        if mark.as_ref().is_none_or(|mark| !all.is_empty() && !rotation::is_marked(sealer, mark)) {
            // Nobody made one yet; or somebody rotated the key who knew nothing of it: the secrets themselves open.
            if rotation::mark(&*self.store, sealer, mark.take()).await.context("the key could not be marked")? {
                return Ok(());
            }
            mark = self.store.key_mark().await.context("the mark of the key could not be read")?; // another node was first
        }
        anyhow::ensure!(
            mark.is_some_and(|mark| rotation::is_marked(sealer, &mark)),
            "secrets.key_file is not the one that other nodes on this database have: every node needs the same file"
        );
        Ok(())
    }

    /// What Akismet keys are looked up by. Those that a version before this one made are rehashed, unless one is still about: it would not know them.
    pub(super) async fn akismet_lookup(&self, sealer: &Sealer, now: Timestamp) -> anyhow::Result<Lookup> {
        let lookup = Lookup::open_serving(&*self.store, sealer).await;
        let lookup = lookup.context("what Akismet keys are looked up by could not be opened")?;
        let nodes = self.store.nodes().await.context("the nodes on this database could not be read")?;
        let is_about = |node: &Node| now.millis_since(node.seen_at) < chores::GONE_MS.unsigned_abs();
        if nodes.iter().any(|node| node.schema < KEYED_SINCE && is_about(node)) {
            tracing::warn!(
                "a node of an earlier version works on this database: its Akismet keys are protected better when a node is started without one"
            );
            return Ok(lookup);
        }
        let rehashed = lookup::rehash(&*self.store, sealer, &lookup).await.context("Akismet keys were not rehashed")?;
        if rehashed > 0 {
            tracing::info!(sites = rehashed, "Akismet keys are looked up by a keyed hash from now on");
        }
        Ok(lookup)
    }
}

/// Another one in every process; begins with the machine's name, for people.
fn name() -> anyhow::Result<String> {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine: String = machine.trim().chars().filter(char::is_ascii_graphic).take(63).collect();
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers could be had: {error}"))?;
    let random = u32::from_le_bytes(random);
    Ok(if machine.is_empty() { format!("{random:08x}") } else { format!("{machine}-{random:08x}") })
}

//! The port to what happens on other nodes. One process on a database of its own has none.
//!
//! What nodes keep in memory and must not keep when it changed is told in the commit of the change, by the engine. The rest are hints, told after
//! their commit and now and then lost with a process or a connection: whoever listens hears of that as [`News::Lost`] or [`News::Missed`].

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::comment::ExternalId;
use super::site::SiteId;

/// What happened elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum News {
    /// Sites, keys, secrets, accounts, tokens or sessions changed.
    Access,
    /// Sanctions changed.
    Sanctions,
    /// What a site taught changed.
    Model {
        /// The site.
        site: SiteId,
    },
    /// What is known of an article changed.
    Article {
        /// The site.
        site: SiteId,
        /// The site's name for it.
        id: ExternalId,
    },
    /// What stands approved under articles changed.
    Threads {
        /// [`super::trace::Trace::article`] of each.
        articles: Vec<u64>,
    },
    /// New comments stand approved.
    Said {
        /// [`super::trace::Trace::article`] and uid of each.
        comments: Vec<(u64, Uuid)>,
    },
    /// Something that people watch happened.
    Event {
        /// As `app::events` writes and reads it.
        event: serde_json::Value,
    },
    /// A node took changed settings: others may have theirs changed by now, too.
    Settings,
    /// A node that began asks whether anybody watches.
    Hello,
    /// Somebody watches, on the node that says so or on one that it heard of.
    Watched,
    /// Hints were lost: threads, events, settings. The rest is known.
    Lost,
    /// Nobody knows what happened meanwhile: everything in memory may be old. Never told by a node to others.
    Missed,
}

/// See the module.
#[async_trait]
pub trait Bulletin: Send + Sync {
    /// Tells all other nodes, soon. Does not wait; when it cannot be told, they hear [`News::Lost`] later.
    fn tell(&self, news: News);
    /// Waits until what was told so far is on its way, or cannot be: for a node that ends.
    async fn told(&self);
    /// What happened on another node, or in a command beside it; waits for it. What the engine tells may be this node's own change: taking it
    /// as news is harmless. For one listener.
    async fn next(&self) -> News;
}

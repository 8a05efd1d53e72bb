//! Several processes on one store: whose turn it is with work that one of them does for all, and which of them there are.

use async_trait::async_trait;

use super::store::Result;
use super::time::Timestamp;

/// A process that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name: another one in every process.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// The schema that it knows.
    pub schema: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// The hash that its decisions name: of the configuration in force there. Empty for a version that does not say.
    pub config: String,
}

/// The part of the Store port that several processes agree by. Moments are those of whoever asks: clocks that are some seconds apart make
/// turns that overlap by as much.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// Takes or renews a lease until `until`: whether it is `holder`'s now. It is, unless somebody else has it and it has not run out at `now`. Of
    /// two who ask at once, one gets it.
    async fn lease_take(&self, name: &str, holder: &str, until: Timestamp, now: Timestamp) -> Result<bool>;
    /// Gives a lease back, for the next to take at once. Nothing happens when it is not `holder`'s.
    async fn lease_drop(&self, name: &str, holder: &str) -> Result<()>;
    /// Notes that a node is there, and forgets those not heard of since `forget_before`.
    async fn node_seen(&self, node: &Node, forget_before: Timestamp) -> Result<()>;
    /// Forgets a node that ends.
    async fn node_gone(&self, name: &str) -> Result<()>;
    /// Nodes that were not forgotten, by when they began.
    async fn nodes(&self) -> Result<Vec<Node>>;
    /// What shows whether a node has the key that the others have: something sealed with it. An engine for one process keeps none.
    async fn key_mark(&self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
    /// Puts `to` in the place of `from`; `false` when something else is there by now.
    async fn key_mark_set(&self, from: Option<Vec<u8>>, to: Vec<u8>) -> Result<bool> {
        let _ = (from, to);
        Ok(true)
    }
    /// The schema that this program knows: the number of its last migration.
    fn schema(&self) -> u32;
}

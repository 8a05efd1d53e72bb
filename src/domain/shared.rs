//! The port to what several nodes count together, in microseconds. One node alone has none.
//!
//! What is counted, and what follows, is for [`crate`]'s use cases to say; whoever implements this knows keys, times and numbers only. It may
//! be away at any moment, says so at once, and is never waited for longer than its setting allows.

use std::time::Duration;

use async_trait::async_trait;

use super::time::Timestamp;

/// One thing that is counted: so many at once, and one more every `period` (GCRA, the generic cell rate algorithm of ITU-T I.371).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The limit's name: letters, digits, hyphens.
    pub limit: &'a str,
    /// Who or what is counted, as a digest.
    pub key: [u8; 16],
    /// Between two when more come than are let through at once. Not zero.
    pub period: Duration,
    /// How many are let through at once. Not zero.
    pub burst: u32,
    /// Whether nothing is consumed anywhere when this one has nothing left.
    pub refuses: bool,
}

/// What is shared cannot be reached, or not in time. Perhaps it was counted all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what nodes share cannot be reached")]
pub struct Away;

/// Who counts for all nodes.
#[async_trait]
pub trait Tally: Send + Sync {
    /// Takes one from each cell that has something left, together; or, when one that [refuses](Cell::refuses) has nothing left, from none.
    /// Answers for each cell how many nanoseconds it has nothing; zero for one that had something left. One step over all nodes.
    ///
    /// # Errors
    /// [`Away`].
    async fn take(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Vec<u64>, Away>;

    /// Nodes that are alive, this one included, as far as is known: at least one.
    fn nodes(&self) -> u32;
}

/// How it goes, for operators.
pub trait Shared: Send + Sync {
    /// Whether everything that nodes share is shared just now; if not, this node goes on alone, and catches up by itself.
    fn is_up(&self) -> bool;

    /// Nodes that are alive, this one included, as far as is known.
    fn nodes(&self) -> u32;
}

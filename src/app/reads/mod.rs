//! What people read beside the queue. One use case a thing, each bounded by the reach of whoever asks; none of them decides anything.

pub mod also;
pub mod article;
pub mod author;
pub mod card;
pub mod figures;
pub mod rules;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::app::house::Settings;
use crate::app::limits::Limiter;
use crate::domain::history::History;
use crate::domain::people::Person;
use crate::domain::store::{ListError, Store, StoreError};
use crate::domain::time::Timestamp;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none, or it lies outside the person's reach.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The cursor is not one of ours, or the store failed.
    #[error(transparent)]
    List(#[from] ListError),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::List(ListError::Store(error))
    }
}

/// The way for whoever reads.
#[derive(Clone)]
pub struct Desk {
    store: Arc<dyn Store>,
    history: Arc<dyn History>,
    settings: Arc<Settings>,
    limits: Arc<dyn Limiter>,
    /// Whose turn it is to count what rules did: one at a time, or a few people at once would have everybody who reads wait.
    counting: Arc<Semaphore>,
}

impl Desk {
    /// Joins the ports.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        history: Arc<dyn History>,
        settings: Arc<Settings>,
        limits: Arc<dyn Limiter>,
    ) -> Self {
        Self { store, history, settings, limits, counting: Arc::new(Semaphore::new(1)) }
    }

    /// When a person last decided about something within this person's reach, as far back as is looked; `None` when that cannot be told.
    ///
    /// # Errors
    /// The store failed.
    pub async fn last_decided(&self, by: &Person) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.store.last_decided(&by.reach).await?)
    }
}

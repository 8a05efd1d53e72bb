//! Comments on their way: of one id one after the other, and each to its end.
//!
//! Between the mark in the history and what the store answers, history and store disagree about a comment. Two rules keep that from
//! lasting: whoever asked may go away, the work goes on; and whoever comes with the same id meanwhile waits.

use std::collections::HashMap;
use std::hash::Hash;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tracing::Instrument as _;

use crate::domain::comment::ExternalId;
use crate::domain::site::SiteId;
use crate::domain::store::StoreError;

type Queue = Arc<tokio::sync::Mutex<()>>;

/// The ids that are on their way through this process: of comments, or of messages.
#[derive(Debug)]
pub struct InFlight<I = ExternalId>(Arc<Mutex<HashMap<(SiteId, I), Queue>>>);

/// Nobody else has to do with this id while this lives.
#[derive(Debug)]
pub struct Alone<I: Eq + Hash = ExternalId> {
    ids: InFlight<I>,
    key: (SiteId, I),
    place: Option<OwnedMutexGuard<()>>,
}

impl<I> Default for InFlight<I> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<I> Clone for InFlight<I> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<I> InFlight<I> {
    fn ids(&self) -> MutexGuard<'_, HashMap<(SiteId, I), Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Clone + Eq + Hash> InFlight<I> {
    /// Waits until nobody else has to do with this id.
    pub async fn alone(&self, site: SiteId, id: &I) -> Alone<I> {
        let key = (site, id.clone());
        let queue = Arc::clone(self.ids().entry(key.clone()).or_default());
        // Made before waiting: whoever gives up leaves nothing behind either.
        let mut alone = Alone { ids: self.clone(), key, place: None };
        alone.place = Some(queue.lock_owned().await);
        alone
    }
}

impl<I: Eq + Hash> Drop for Alone<I> {
    fn drop(&mut self) {
        let mut ids = self.ids.ids();
        drop(self.place.take());
        if ids.get(&self.key).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            ids.remove(&self.key); // nobody waits
        }
    }
}

/// Does `work` to its end, whether or not the caller stays to hear of it: the futures of a connection that is lost are dropped wherever they are.
///
/// # Errors
/// Those of `work`; [`StoreError::Unavailable`] when the process stops first.
pub async fn to_its_end<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    // Boxed: what a comment is on its way with is some ten kilobytes, which would be moved each time that a task is handed on.
    match tokio::spawn(Box::pin(work.in_current_span())).await {
        Ok(done) => done,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(StoreError::Unavailable("the service stops".into()).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    fn id(text: &str) -> ExternalId {
        ExternalId::parse("id", text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn of_one_id_one_after_the_other_and_nothing_is_left_behind() {
        let ids: InFlight = InFlight::default();
        let (site, a, b) = (SiteId(1), id("a"), id("b"));
        let first = ids.alone(site, &a).await;
        let other = ids.alone(site, &b).await;
        let elsewhere = ids.alone(SiteId(2), &a).await;
        let mut second = Box::pin(ids.alone(site, &a));
        let mut gives_up = Box::pin(ids.alone(site, &a));
        assert!(poll!(&mut second).is_pending() && poll!(&mut gives_up).is_pending());
        drop(first);
        let second = second.await;
        drop(gives_up);
        drop((second, other, elsewhere));
        assert!(ids.ids().is_empty(), "{ids:?}");
    }

    #[tokio::test]
    async fn work_goes_on_without_the_one_who_asked() {
        let (open, gate) = tokio::sync::oneshot::channel::<()>();
        let (done, ended) = tokio::sync::oneshot::channel();
        let mut asked = Box::pin(to_its_end(async move {
            drop(gate.await);
            let _ = done.send("done");
            Ok::<_, StoreError>(())
        }));
        assert!(poll!(&mut asked).is_pending());
        drop(asked);
        drop(open);
        assert_eq!(ended.await, Ok("done"));
    }
}

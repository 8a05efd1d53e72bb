//! Keeps the index of words close behind the comments, beside everything else that the store does.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::store::Store;

/// Comments of one batch: the writer is kept from other work for some ten milliseconds.
const BATCH: usize = 200;
/// Before the next batch when there is one, and little else to do.
const SOON: Duration = Duration::from_millis(60);
/// Before the next look otherwise; under load the index falls behind, and searches look at what it lacks themselves.
const LATER: Duration = Duration::from_secs(1);

/// Enters what came, for ever. What fails is tried again.
pub async fn keep_indexing(store: Arc<dyn Store>) -> Infallible {
    loop {
        let pause = match store.search_index(BATCH).await {
            Ok(indexed) if indexed.more && !indexed.is_busy => SOON,
            Ok(_) => LATER,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "words could not be entered; tried again later"
                );
                LATER
            }
        };
        tokio::time::sleep(pause).await;
    }
}

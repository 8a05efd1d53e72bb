//! Who is told when rulings, sanctions or readers change what comments are: the history, and whoever watches the queue.

use std::sync::Arc;

use crate::app::events::Events;
use crate::app::threads::Threads;
use crate::domain::decision::{DecidedBy, Record};
use crate::domain::history::{History, Standing};
use crate::domain::store::Ruled;
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;

/// Those who are told. What they are told of is stored already; they are told although whoever changed it goes away
/// ([`super::in_flight::to_its_end`]).
#[derive(Clone)]
pub struct Listeners {
    /// What is known of the past.
    pub history: Arc<dyn History>,
    /// What people watch.
    pub events: Arc<Events>,
    /// What is known of what was said under articles.
    pub threads: Arc<Threads>,
}

impl Listeners {
    /// Tells history what a comment is now.
    pub async fn tell(&self, record: &Record, trace: &Trace) {
        let standing = Standing { status: record.status, by_person: record.decided_by == DecidedBy::Person };
        self.threads.changed(trace);
        self.history.settle(trace, record.received_at, standing).await;
    }

    /// Tells what became of every comment that a person's ruling changed.
    pub async fn tell_all(&self, ruled: &Ruled, by: &str, now: Timestamp) {
        for (record, trace) in &ruled.applied {
            self.tell(record, trace).await;
        }
        self.events.ruled(ruled, by, now).await;
    }
}

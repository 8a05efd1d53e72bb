//! What the history is told when rulings, sanctions or readers change what comments are.

use crate::domain::decision::{DecidedBy, Record};
use crate::domain::history::{History, Standing};
use crate::domain::store::Ruled;
use crate::domain::trace::Trace;

/// Tells what a comment is now.
pub async fn tell(history: &dyn History, record: &Record, trace: &Trace) {
    let standing = Standing { status: record.status, by_person: record.decided_by == DecidedBy::Person };
    history.settle(trace, record.received_at, standing).await;
}

/// Tells what became of every comment that a ruling changed.
pub async fn tell_all(history: &dyn History, ruled: &Ruled) {
    for (record, trace) in &ruled.applied {
        tell(history, record, trace).await;
    }
}

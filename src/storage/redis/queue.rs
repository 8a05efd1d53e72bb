//! What this node has to tell, in its order, and who waits to hear it come round.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::entry::{Entry, Event};
use crate::domain::history::{AuthorPast, PastOf};
use crate::domain::known::Known;

/// Entries that wait to be told at most: some tens of MiB. With more, the oldest go, and others are told that they are to ask the store.
const WAITING_MAX: usize = 50_000;
/// Entries that were told and are kept, should the stream be lost.
const TOLD_MAX: usize = 10_000;
/// Entries told at once at most.
const BATCH: usize = 256;

/// Who waits for an entry to have its turn.
pub(super) enum Waiter {
    /// A comment, of whose author this is known: for what the past says of it.
    Sighting(Known<AuthorPast>, oneshot::Sender<PastOf>),
    /// Whoever told something.
    Told(oneshot::Sender<()>),
}

/// Everything that is to be told.
pub(super) struct Queue {
    node: u64,
    state: Mutex<State>,
    fresh: Notify,
}

#[derive(Default)]
struct State {
    number: u64,
    waiting: VecDeque<Arc<Entry>>,
    told: VecDeque<Arc<Entry>>,
    waiters: HashMap<u64, Waiter>,
}

impl Queue {
    pub(super) fn new(node: u64) -> Self {
        Self { node, state: Mutex::default(), fresh: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds something; answers its number.
    pub(super) fn push(&self, event: Event, late: bool, waiter: Option<Waiter>) -> u64 {
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        if let Some(waiter) = waiter {
            state.waiters.insert(number, waiter);
        }
        if state.waiting.len() >= WAITING_MAX {
            metrics::counter!("doorward_shared_lost_total").increment(1);
            if let Some(oldest) = state.waiting.front().filter(|oldest| oldest.event != Event::Lost) {
                let lost = Entry { event: Event::Lost, ..Entry::clone(oldest) };
                state.waiting[0] = Arc::new(lost);
            } else {
                state.waiting.remove(1);
            }
        }
        state.waiting.push_back(Arc::new(Entry { node: self.node, number, late, event }));
        drop(state);
        self.fresh.notify_one();
        number
    }

    /// Some that are to be told next, when there are any.
    pub(super) async fn next(&self) -> Vec<Arc<Entry>> {
        loop {
            let batch: Vec<_> = self.state().waiting.iter().take(BATCH).cloned().collect();
            if !batch.is_empty() {
                return batch;
            }
            self.fresh.notified().await;
        }
    }

    /// These stand in the stream.
    pub(super) fn told(&self, batch: &[Arc<Entry>]) {
        let mut state = self.state();
        for entry in batch {
            // When there were too many meanwhile, the oldest are gone already.
            if state.waiting.front().is_some_and(|front| Arc::ptr_eq(front, entry)) {
                state.waiting.pop_front();
            }
            state.told.push_back(Arc::clone(entry));
        }
        let over = state.told.len().saturating_sub(TOLD_MAX);
        state.told.drain(..over);
    }

    /// The stream was lost: what was told lately is to be told again, before everything else. Whoever knows it passes over it.
    pub(super) fn tell_again(&self) {
        let mut state = self.state();
        let told = std::mem::take(&mut state.told);
        for entry in told.into_iter().rev() {
            state.waiting.push_front(Arc::new(Entry { late: true, ..Entry::clone(&entry) }));
        }
        drop(state);
        self.fresh.notify_one();
    }

    /// Who waits for an entry of ours.
    pub(super) fn waiter(&self, number: u64) -> Option<Waiter> {
        self.state().waiters.remove(&number)
    }

    /// How many are still to be told.
    pub(super) fn len(&self) -> usize {
        self.state().waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: u64) -> Event {
        Event::Forgotten { named: (at, 0) }
    }

    fn numbers(batch: &[Arc<Entry>]) -> Vec<u64> {
        batch.iter().map(|entry| entry.number).collect()
    }

    fn next(queue: &Queue) -> Vec<Arc<Entry>> {
        futures_util::FutureExt::now_or_never(queue.next()).unwrap_or_default()
    }

    #[test]
    fn what_was_not_told_is_told_again_in_its_order() {
        let queue = Queue::new(7);
        for at in 0..3 {
            queue.push(event(at), false, None);
        }
        let batch = next(&queue);
        assert_eq!(numbers(&batch), [1, 2, 3]);
        assert_eq!(numbers(&next(&queue)), [1, 2, 3], "nobody said that it was told");
        queue.told(&batch[..2]);
        queue.push(event(3), false, None);
        assert_eq!(numbers(&next(&queue)), [3, 4]);
        queue.tell_again();
        let again = next(&queue);
        assert_eq!(numbers(&again), [1, 2, 3, 4]);
        assert!(again[0].late && !again[2].late);
    }

    #[test]
    fn when_there_are_too_many_others_are_told_that_some_are_missing() {
        let queue = Queue::new(7);
        for at in 0..WAITING_MAX as u64 + 10 {
            queue.push(event(at), true, None);
        }
        let batch = next(&queue);
        assert_eq!(batch[0].event, Event::Lost);
        assert_eq!(batch[1].event, event(10));
        assert_eq!(queue.len(), WAITING_MAX);
    }
}

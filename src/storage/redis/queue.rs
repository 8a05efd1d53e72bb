//! What this node has to tell, in its order, and who waits to hear it come round.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::entry::{Entry, Event};
use crate::domain::history::{AuthorPast, PastOf};
use crate::domain::known::Known;
use crate::domain::time::Timestamp;

/// Entries that wait to be told at most: some tens of MiB. With more, the oldest go, and others are told that they are to ask the store.
const WAITING_MAX: usize = 50_000;
/// Entries that were told and are kept, should the stream be lost.
const TOLD_MAX: usize = 10_000;
/// For how long: what happened earlier is in the store, which everybody reads who finds the stream lost.
const AGAIN: Duration = Duration::from_mins(1);
/// What could not be told for so long is told as late, whatever it was when it happened: longer than anybody waits for it.
const LATE: Duration = Duration::from_secs(2);
/// Entries told at once at most.
pub(super) const BATCH: usize = 256;

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
    waiting: VecDeque<Kept>,
    told: VecDeque<Kept>,
    waiters: HashMap<u64, Waiter>,
}

/// An entry, and since when there is one.
struct Kept {
    since: Instant,
    entry: Arc<Entry>,
}

impl State {
    fn show(&self) {
        metrics::gauge!("doorward_shared_untold").set(u32::try_from(self.waiting.len()).unwrap_or(u32::MAX));
    }
}

impl Queue {
    pub(super) fn new(node: u64) -> Self {
        Self { node, state: Mutex::default(), fresh: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds something that happened at that moment; answers its number.
    pub(super) fn push(&self, event: Event, when: Timestamp, late: bool, waiter: Option<Waiter>) -> u64 {
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        if let Some(waiter) = waiter {
            state.waiters.insert(number, waiter);
        }
        if state.waiting.len() >= WAITING_MAX {
            metrics::counter!("doorward_shared_lost_total").increment(1);
            if let Some(oldest) = state.waiting.front_mut().filter(|oldest| oldest.entry.event != Event::Lost) {
                oldest.entry = Arc::new(Entry { event: Event::Lost, ..Entry::clone(&oldest.entry) });
            }
            state.waiting.remove(1);
        }
        let entry = Arc::new(Entry { node: self.node, number, late, when, event });
        state.waiting.push_back(Kept { since: Instant::now(), entry });
        state.show();
        drop(state);
        self.fresh.notify_one();
        number
    }

    /// So many that are to be told next, when there are any.
    pub(super) async fn next(&self, most: usize) -> Vec<Arc<Entry>> {
        loop {
            let batch = self.first(most, Instant::now());
            if !batch.is_empty() {
                return batch;
            }
            self.fresh.notified().await;
        }
    }

    fn first(&self, most: usize, now: Instant) -> Vec<Arc<Entry>> {
        let mut state = self.state();
        let next = state.waiting.iter_mut().take(most);
        next.map(|kept| {
            if !kept.entry.late && now.saturating_duration_since(kept.since) > LATE {
                kept.entry = Arc::new(Entry { late: true, ..Entry::clone(&kept.entry) });
            }
            Arc::clone(&kept.entry)
        })
        .collect()
    }

    /// These stand in the stream.
    pub(super) fn told(&self, batch: &[Arc<Entry>]) {
        let mut state = self.state();
        for entry in batch {
            // When there were too many meanwhile, the oldest are gone already.
            if state.waiting.front().is_some_and(|front| Arc::ptr_eq(&front.entry, entry))
                && let Some(kept) = state.waiting.pop_front()
            {
                state.told.push_back(kept);
            }
        }
        let over = state.told.len().saturating_sub(TOLD_MAX);
        state.told.drain(..over);
        while state.told.front().is_some_and(|oldest| oldest.since.elapsed() > AGAIN) {
            state.told.pop_front();
        }
        state.show();
    }

    /// The stream was lost: what happened within the last minute and was told is to be told again, before everything else, but for what
    /// `is_past` since. Whoever knows it passes over it.
    pub(super) fn tell_again(&self, is_past: impl Fn(&Entry) -> bool) {
        self.tell_again_at(Instant::now(), is_past);
    }

    fn tell_again_at(&self, now: Instant, is_past: impl Fn(&Entry) -> bool) {
        let mut state = self.state();
        let told = std::mem::take(&mut state.told);
        for kept in told.into_iter().rev() {
            if now.saturating_duration_since(kept.since) <= AGAIN && !is_past(&kept.entry) {
                let entry = Arc::new(Entry { late: true, ..Entry::clone(&kept.entry) });
                state.waiting.push_front(Kept { entry, ..kept });
            }
        }
        state.show();
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

    fn push(queue: &Queue, at: u64) -> u64 {
        queue.push(event(at), Timestamp::from_millis(0), false, None)
    }

    fn numbers(batch: &[Arc<Entry>]) -> Vec<u64> {
        batch.iter().map(|entry| entry.number).collect()
    }

    fn next(queue: &Queue) -> Vec<Arc<Entry>> {
        futures_util::FutureExt::now_or_never(queue.next(BATCH)).unwrap_or_default()
    }

    #[test]
    fn what_was_not_told_is_told_again_in_its_order() {
        let queue = Queue::new(7);
        for at in 0..3 {
            push(&queue, at);
        }
        let batch = next(&queue);
        assert_eq!(numbers(&batch), [1, 2, 3]);
        assert_eq!(numbers(&next(&queue)), [1, 2, 3], "nobody said that it was told");
        queue.told(&batch[..2]);
        push(&queue, 3);
        assert_eq!(numbers(&next(&queue)), [3, 4]);
        queue.tell_again(|_| false);
        let again = next(&queue);
        assert_eq!(numbers(&again), [1, 2, 3, 4]);
        assert!(again[0].late && !again[2].late);
    }

    #[test]
    fn when_there_are_too_many_others_are_told_that_some_are_missing() {
        let queue = Queue::new(7);
        for at in 0..WAITING_MAX as u64 + 10 {
            push(&queue, at);
        }
        let batch = next(&queue);
        assert_eq!(batch[0].event, Event::Lost);
        assert_eq!(batch[1].event, event(11));
        assert_eq!(queue.len(), WAITING_MAX);
    }

    #[test]
    fn what_is_older_than_a_minute_or_past_since_is_not_told_again() {
        let queue = Queue::new(7);
        for at in 0..3 {
            push(&queue, at);
        }
        queue.told(&next(&queue));
        queue.tell_again_at(Instant::now(), |entry| entry.number == 2);
        let again = next(&queue);
        assert_eq!(numbers(&again), [1, 3]);
        queue.told(&again);
        queue.tell_again_at(Instant::now() + AGAIN + LATE, |_| false);
        assert!(next(&queue).is_empty(), "it is in the store that was read since");
        push(&queue, 4);
        assert!(!queue.first(1, Instant::now())[0].late);
        queue.tell_again_at(Instant::now() + AGAIN + LATE, |_| false);
        assert_eq!(numbers(&next(&queue)), [4], "what nobody was told yet is told, however old");
    }

    #[test]
    fn what_waited_for_longer_than_anybody_waits_for_it_is_told_as_late() {
        let queue = Queue::new(7);
        push(&queue, 1);
        assert!(!queue.first(1, Instant::now())[0].late);
        let batch = queue.first(1, Instant::now() + LATE * 2);
        assert!(batch[0].late);
        queue.told(&batch);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn how_many_are_untold_is_shown_whenever_it_changes() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            let queue = Queue::new(7);
            let shown = |count: usize| {
                let all = handle.render();
                assert!(all.contains(&format!("doorward_shared_untold {count}\n")), "{count}: {all}");
            };
            push(&queue, 1);
            push(&queue, 2);
            shown(2);
            queue.told(&next(&queue));
            shown(0);
            queue.tell_again(|_| false);
            shown(2);
        });
    }
}

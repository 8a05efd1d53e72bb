//! The history of several nodes: each has all of it in memory, and all are told of everything in one order, that of a Redis stream.
//!
//! A comment that is sighted here has its turn in that order: what came before it anywhere is known when it is judged, and of two that share
//! something on two nodes exactly one is first. Campaigns are recognised everywhere alike and by the same name (ADR 12).
//!
//! When the order cannot be waited for, this node goes on with what it knows: everything but the last moments of others. That is known, and
//! is answered as known: holding every comment for a person because Redis is away would be an outage. It is counted
//! (`doorward_shared_fallback_total`), `/readyz` says so, and what happened meanwhile is told to others later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::entry::{Entry, Event};
use super::follow::Now;
use super::link::Link;
use super::queue::{Queue, Waiter};
use crate::domain::campaign::{LazyStances, Membership, Turn};
use crate::domain::history::{AuthorPast, History, PastOf, Standing};
use crate::domain::known::Known;
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::memory::history::{MemoryHistory, Sighted, is_newcomer};

/// A history that is one of several with the same content.
pub struct SharedHistory {
    pub(super) memory: Arc<MemoryHistory>,
    pub(super) link: Arc<Link>,
    pub(super) queue: Queue,
    pub(super) now: Now,
    /// Whether everything in the stream is known here, but for the last moments.
    pub(super) follows: AtomicBool,
    /// How often the way had been opened when the reader last looked whether the stream is the one that it knows. Before that nothing is
    /// told: what was told before, and is lost, comes first.
    pub(super) looked: watch::Sender<u64>,
}

impl SharedHistory {
    pub(super) fn new(memory: Arc<MemoryHistory>, link: Arc<Link>, now: Now) -> Self {
        let queue = Queue::new(link.node);
        Self { memory, link, queue, now, follows: AtomicBool::new(false), looked: watch::Sender::new(0) }
    }

    /// Whether the order is waited for. On a way that was opened anew it is not before it was looked whether the stream is the one that is known: what
    /// was so before may be so no more.
    pub(super) fn follows(&self) -> bool {
        self.follows.load(Ordering::Acquire) && self.may_tell()
    }

    /// Whether something may be told now.
    pub(super) fn may_tell(&self) -> bool {
        self.link.is_up() && *self.looked.borrow() == self.link.times()
    }

    /// Done when something may be told.
    pub(super) async fn telling(&self) {
        while !self.may_tell() {
            self.link.opened().await;
            let times = self.link.times();
            // It ends only with the sender, which is ours.
            let _ = self.looked.subscribe().wait_for(|looked| *looked == times || self.link.times() != times).await;
        }
    }

    /// How many things others are not told of yet.
    #[must_use]
    pub fn untold(&self) -> usize {
        self.queue.len()
    }

    async fn mark(&self, trace: &Trace, stances: Option<&LazyStances<'_>>, now: Timestamp) -> PastOf {
        let author = self.memory.author(trace, now).await;
        let newcomer = is_newcomer(&author);
        // Others have no text to tell them from, so that they are made whether or not they turn out to be needed.
        let stances = stances.map(|stances| stances());
        let event = Event::Sighted { trace: Box::new(trace.clone()), now, newcomer, stances: stances.clone() };
        let (number, past) = self.tell(event, |answer| Waiter::Sighting(author.clone(), answer)).await;
        if let Some(past) = past {
            return past;
        }
        let stances = stances.map(|stances| move || stances.clone());
        let stances = stances.as_ref().map(|stances| stances as &LazyStances<'_>);
        let name = Entry::name(self.link.node, number);
        self.memory.sighted_here(Sighted { trace, now, newcomer, stances, name }, author)
    }

    /// Tells something, and waits for its turn; answers its number, and nothing when it had no turn in time.
    async fn tell<T>(&self, event: Event, waiter: impl FnOnce(oneshot::Sender<T>) -> Waiter) -> (u64, Option<T>) {
        let when = (self.now)();
        if self.follows() {
            let (answer, mut answered) = oneshot::channel();
            let number = self.queue.push(event, when, false, Some(waiter(answer)));
            if let Ok(answer) = timeout(self.link.config.timeout(), &mut answered).await {
                return (number, answer.ok());
            }
            if self.queue.waiter(number).is_none() {
                return (number, answered.await.ok()); // it is having its turn
            }
            // Whoever comes next need not find that out again.
            self.follows.store(false, Ordering::Release);
            goes_alone();
            return (number, None);
        }
        goes_alone();
        (self.queue.push(event, when, true, None), None)
    }
}

fn goes_alone() {
    metrics::counter!("doorward_shared_fallback_total", "what" => "history").increment(1);
}

#[async_trait]
impl History for SharedHistory {
    async fn about(&self, trace: &Trace, now: Timestamp) -> PastOf {
        self.memory.about(trace, now).await
    }

    async fn author(&self, trace: &Trace, now: Timestamp) -> Known<AuthorPast> {
        self.memory.author(trace, now).await
    }

    async fn sight(&self, trace: &Trace, now: Timestamp) -> PastOf {
        self.mark(trace, None, now).await
    }

    async fn sight_in(&self, trace: &Trace, stances: &LazyStances<'_>, now: Timestamp) -> PastOf {
        self.mark(trace, Some(stances), now).await
    }

    async fn membership(&self, trace: &Trace, now: Timestamp) -> Option<Membership> {
        self.memory.membership(trace, now).await
    }

    async fn turned(&self, turn: Turn) {
        if self.tell(Event::Turned(turn.clone()), Waiter::Told).await.1.is_none() {
            self.memory.turned_now(turn);
        }
    }

    async fn settle(&self, trace: &Trace, at: Timestamp, standing: Standing) {
        let named = (trace.comment, trace.author);
        if self.tell(Event::Settled { named, at, standing }, Waiter::Told).await.1.is_none() {
            self.memory.settled_here(named, at, standing);
        }
    }

    async fn forget(&self, trace: &Trace) {
        let named = (trace.comment, trace.author);
        if self.tell(Event::Forgotten { named }, Waiter::Told).await.1.is_none() {
            self.memory.forgotten(named.0, named.1);
        }
    }
}

//! The two tasks of a shared history: one tells, one listens.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use super::entry::{Entry, Event};
use super::history::SharedHistory;
use super::queue::Waiter;
use super::stream::{BATCH, Place, Stream};
use crate::domain::campaign::LazyStances;
use crate::domain::time::Timestamp;
use crate::storage::memory::history::Sighted;

/// How far back is read again after everything was read from the store, in milliseconds: what was sighted and is not yet stored.
const BACK_MS: u64 = 60_000;
/// Before another attempt.
const PAUSE: Duration = Duration::from_millis(200);
/// Before another attempt to tell, while Redis answers and refuses.
const SHORT: Duration = Duration::from_millis(20);
/// Entries after which others get a turn on this thread.
const TURN: usize = 64;
/// Processes whose last entry is remembered.
const NODES_MAX: usize = 1_024;

/// The moment it is: for what the store remembers.
pub type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Appends what this node has to tell, for as long as it is awaited.
pub(super) async fn tell(history: &SharedHistory, stream: &Stream) -> Infallible {
    loop {
        history.telling().await;
        let batch = history.queue.next().await;
        if !history.may_tell() {
            continue; // while we waited for something to tell: what comes first may be something else by now
        }
        metrics::gauge!("doorward_shared_untold")
            .set(f64::from(u32::try_from(history.queue.len()).unwrap_or(u32::MAX)));
        match history.link.ask(|connection| stream.add(connection, &batch)).await {
            Ok(()) => history.queue.told(&batch),
            Err(_) => tokio::time::sleep(SHORT).await, // perhaps they stand there: then those who read pass over them
        }
    }
}

/// How far the stream was read.
pub(super) struct Reader {
    stream: Stream,
    now: Now,
    /// What comes after it is to be read; nothing when everything is to be read from the store first.
    place: Option<Place>,
    /// Whether something was read there.
    is_sure: bool,
    /// Up to where everything is told to memory, known or not: it was read from the store since.
    again_until: Place,
    /// The last number of each process, and when it came.
    last: HashMap<u64, (u64, Place)>,
}

impl Reader {
    /// Reads on from a little before `place`, which was the last one before memory was read from the store; or reads the store first.
    pub(super) fn new(stream: Stream, now: Now, place: Option<Place>) -> Self {
        let again_until = place.unwrap_or_default();
        let place = place.map(|place| place.before(BACK_MS));
        Self { stream, now, place, is_sure: false, again_until, last: HashMap::new() }
    }

    /// Tells memory of everything in the stream, for as long as it is awaited.
    pub(super) async fn follow(mut self, history: &SharedHistory) -> Infallible {
        loop {
            history.link.opened().await;
            let times = history.link.times();
            let reading = async {
                let mut connection = history.link.connect().await?;
                self.read(history, &mut connection, times).await
            };
            let ended: RedisResult<Infallible> = tokio::select! {
                ended = reading => ended,
                () = history.link.opened_again(times) => {
                    history.follows.store(false, Ordering::Release);
                    continue; // with another connection: this one waits for what comes
                }
            };
            history.follows.store(false, Ordering::Release);
            let Err(error) = ended;
            tracing::warn!(error = &error as &dyn std::error::Error, "what other nodes tell cannot be read just now");
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn read(
        &mut self,
        history: &SharedHistory,
        connection: &mut MultiplexedConnection,
        times: u64,
    ) -> RedisResult<Infallible> {
        // What was read last is gone: the stream was cut there, or lost.
        if let (Some(place), true) = (self.place, self.is_sure)
            && !self.stream.holds(connection, place).await?
        {
            tracing::warn!("more happened than is kept, or the stream was lost: what the store remembers is read anew");
            history.queue.tell_again();
            self.last.clear(); // memory knows nothing of what others tell again, either
            self.place = None;
        }
        history.looked.send_replace(times);
        let mut is_behind = true;
        loop {
            let place = match self.place {
                Some(place) => place,
                None => self.begin_again(history, connection).await?,
            };
            let batch = self.stream.after(connection, place, !is_behind).await?;
            if is_behind && self.is_sure && !batch.is_empty() && !self.stream.holds(connection, place).await? {
                self.place = None; // it was cut while we read: some may be missing
                continue;
            }
            is_behind = batch.len() >= BATCH;
            if is_behind {
                history.follows.store(false, Ordering::Release);
            }
            let (mut lost, mut unread) = (false, 0_u32);
            for (at, (place, entry)) in batch.into_iter().enumerate() {
                (self.place, self.is_sure) = (Some(place), true);
                let Some(entry) = entry else {
                    unread += 1;
                    continue;
                };
                lost |= self.take(history, place, entry);
                if at % TURN == TURN - 1 {
                    tokio::task::yield_now().await;
                }
            }
            if unread > 0 {
                metrics::counter!("doorward_shared_unread_total").increment(unread.into());
                tracing::error!(entries = unread, "nodes tell what this version cannot read");
            }
            if lost {
                self.place = None;
            } else if !is_behind {
                history.follows.store(true, Ordering::Release);
            }
        }
    }

    /// Reads everything from the store, and answers from where the stream is to be read.
    async fn begin_again(
        &mut self,
        history: &SharedHistory,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<Place> {
        history.follows.store(false, Ordering::Release);
        loop {
            let last = self.stream.last(connection).await?;
            match history.memory.read_anew((self.now)()).await {
                Ok(()) => {
                    metrics::counter!("doorward_shared_rebuilt_total").increment(1);
                    let place = last.before(BACK_MS);
                    (self.place, self.is_sure, self.again_until) = (Some(place), false, last);
                    return Ok(place);
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the history could not be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Tells memory of one entry, unless it was told before; answers whether its node could not tell everything.
    fn take(&mut self, history: &SharedHistory, place: Place, entry: Entry) -> bool {
        let last = self.last.get(&entry.node).map_or(0, |(number, _)| *number);
        if entry.number <= last && place > self.again_until {
            return false;
        }
        if self.last.len() >= NODES_MAX && !self.last.contains_key(&entry.node) {
            let oldest = self.last.iter().min_by_key(|(_, (_, place))| *place).map(|(node, _)| *node);
            self.last.retain(|node, _| Some(*node) != oldest);
        }
        self.last.insert(entry.node, (last.max(entry.number), place));
        let waiter = if entry.node == history.link.node { history.queue.waiter(entry.number) } else { None };
        apply(history, entry, waiter) && place > self.again_until // what was lost before is in the store that was read since
    }
}

/// Tells memory, and whoever waits for it.
fn apply(history: &SharedHistory, entry: Entry, waiter: Option<Waiter>) -> bool {
    metrics::counter!("doorward_shared_applied_total").increment(1);
    let memory = &history.memory;
    let name = Entry::name(entry.node, entry.number);
    let mut lost = false;
    match (entry.event, waiter) {
        (Event::Sighted { trace, now, newcomer, stances }, waiter) => {
            let stances = stances.map(|stances| move || stances.clone());
            let stances = stances.as_ref().map(|stances| stances as &LazyStances<'_>);
            let sighted = Sighted { trace: &trace, now, newcomer, stances, name };
            match waiter {
                Some(Waiter::Sighting(author, answer)) => {
                    let _ = answer.send(memory.sighted_here(sighted, author)); // whoever asked may be gone
                }
                Some(Waiter::Told(_)) | None => memory.sighted_elsewhere(sighted),
            }
            return false;
        }
        (Event::Settled { named, at, standing }, Some(Waiter::Told(told))) => {
            memory.settled_here(named, at, standing);
            let _ = told.send(());
            return false;
        }
        (Event::Settled { named, at, standing }, _) => memory.settled_elsewhere(named, at, standing, entry.late),
        (Event::Forgotten { named: (comment, author) }, waiter) => {
            memory.forgotten(comment, author);
            tell_waiter(waiter);
        }
        (Event::Turned(turn), waiter) => {
            memory.turned_now(turn);
            tell_waiter(waiter);
        }
        (Event::Lost, _) => lost = entry.node != history.link.node,
    }
    lost
}

fn tell_waiter(waiter: Option<Waiter>) {
    if let Some(Waiter::Told(told)) = waiter {
        let _ = told.send(());
    }
}

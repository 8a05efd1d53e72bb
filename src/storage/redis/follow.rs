//! The two tasks of a shared history: one tells, one listens.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use super::entry::{Entry, Event};
use super::history::SharedHistory;
use super::newest::Newest;
use super::queue::{self, Waiter};
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
/// For what is told to be taken, at least: nobody waits for that, and a pause is no reason to tell everything once more.
const TAKEN: Duration = Duration::from_secs(1);
/// Between two answers when nothing is wrong, at most: after longer, much may have happened that is not kept any more.
const AWAY: Duration = Duration::from_secs(5);
/// Without entries that cannot be read, after some: then whoever wrote them is gone.
const READABLE: Duration = Duration::from_secs(10);
/// Entries after which others get a turn on this thread.
const TURN: usize = 64;
/// Processes whose last entry is remembered.
const NODES_MAX: usize = 1_024;

/// The moment it is: for what the store remembers.
pub type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Appends what this node has to tell, for as long as it is awaited.
pub(super) async fn tell(history: &SharedHistory, stream: &Stream) -> Infallible {
    let patience = history.link.config.timeout().max(TAKEN);
    let mut most = queue::BATCH;
    loop {
        history.telling().await;
        let batch = history.queue.next(most).await;
        if !history.may_tell() {
            continue; // while we waited for something to tell: what comes first may be something else by now
        }
        let is_told = history.link.ask_for(patience, |connection| stream.add(connection, &batch)).await.is_ok();
        most = at_once(most, is_told);
        if is_told {
            history.queue.told(&batch);
        } else {
            tokio::time::sleep(SHORT).await; // perhaps they stand there: then those who read pass over them
        }
    }
}

/// How many are told at once after so many were, or were not: what is too much for a slow Redis must not be tried for ever.
fn at_once(before: usize, is_told: bool) -> usize {
    if is_told { (before * 2).min(queue::BATCH) } else { (before / 2).max(1) }
}

/// Entries that this version cannot read: what they tell is in the store.
#[derive(Debug, Default)]
struct Unread(Option<Instant>);

impl Unread {
    /// Whether there were some, and none any more: it is said once.
    fn is_over(&mut self, now: Instant) -> bool {
        let is_over = self.0.is_some_and(|last| now.saturating_duration_since(last) >= READABLE);
        if is_over {
            self.0 = None;
        }
        is_over
    }
}

/// From where the stream is read.
pub(super) struct Begun {
    /// Its last entry before memory was read from the store.
    pub(super) place: Place,
    /// When that was begun.
    pub(super) store_read: Timestamp,
}

/// How far the stream was read.
pub(super) struct Reader {
    stream: Stream,
    /// What comes after it is to be read; nothing when nothing was read yet.
    place: Option<Place>,
    /// Whether something was read there.
    is_sure: bool,
    /// Whether something was missed, so that everything is to be read from the store first.
    has_missed: bool,
    /// Up to where everything is told to memory, known or not: it was read from the store since.
    again_until: Place,
    /// The last number of each process, and when it came.
    last: HashMap<u64, (u64, Place)>,
    newest: Newest,
    unread: Unread,
}

impl Reader {
    /// Reads on from a little before where it was when memory was read from the store; or reads the store first.
    pub(super) fn new(stream: Stream, begun: Option<Begun>) -> Self {
        let place = begun.as_ref().map(|begun| begun.place);
        Self {
            stream,
            place: place.map(|place| place.before(BACK_MS)),
            is_sure: false,
            has_missed: place.is_none(),
            again_until: place.unwrap_or_default(),
            last: HashMap::new(),
            newest: Newest::new(begun.map(|begun| begun.store_read)),
            unread: Unread::default(),
        }
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
            history.queue.tell_again(|entry| self.newest.is_past(entry));
            self.last.clear(); // memory knows nothing of what others tell again, either
            self.has_missed = true;
        }
        history.looked.send_replace(times);
        let (mut is_behind, mut answered) = (true, Instant::now());
        loop {
            let place = match self.place.filter(|_| !self.has_missed) {
                Some(place) => place,
                None => self.begin_again(history, connection).await?,
            };
            let batch = self.stream.after(connection, place, !is_behind).await?;
            let was_away = answered.elapsed() > AWAY;
            answered = Instant::now();
            // It may have been cut while we read, or did not: some may be missing. Where little comes at once, nothing can be.
            let may_be_cut = is_behind || was_away || batch.len() >= self.stream.many();
            if may_be_cut && self.is_sure && !batch.is_empty() && !self.stream.holds(connection, place).await? {
                tracing::warn!("more happened than is kept: what the store remembers is read anew");
                self.has_missed = true;
                continue;
            }
            is_behind = batch.len() >= BATCH;
            if is_behind {
                history.follows.store(false, Ordering::Release);
            }
            self.take_all(history, batch).await;
            if self.unread.is_over(Instant::now()) {
                tracing::info!("nobody tells any more what this version cannot read: the store is read anew");
                self.has_missed = true;
            }
            if !self.has_missed && !is_behind {
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
            let begun = (history.now)();
            match history.memory.read_anew(begun).await {
                Ok(()) => {
                    metrics::counter!("doorward_shared_rebuilt_total").increment(1);
                    let place = last.before(BACK_MS);
                    (self.place, self.is_sure, self.again_until) = (Some(place), false, last);
                    (self.has_missed, self.unread) = (false, Unread::default());
                    self.newest.store_was_read(begun);
                    return Ok(place);
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the history could not be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Tells memory of some that came. It may end at any turn that it gives to others: what it found until then is not forgotten.
    async fn take_all(&mut self, history: &SharedHistory, batch: Vec<(Place, Option<Entry>)>) {
        let mut unread = 0_u32;
        for (at, (place, entry)) in batch.into_iter().enumerate() {
            (self.place, self.is_sure) = (Some(place), true);
            if let Some(entry) = entry {
                self.take(history, place, entry);
            } else {
                unread += 1;
                if place > self.again_until {
                    self.unread = Unread(Some(Instant::now()));
                }
            }
            if at % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        if unread > 0 {
            metrics::counter!("doorward_shared_unread_total").increment(unread.into());
            tracing::error!(entries = unread, "nodes tell what this version cannot read");
        }
    }

    /// Tells memory of one entry, unless it was told before, or what came after it is known.
    fn take(&mut self, history: &SharedHistory, place: Place, entry: Entry) {
        let last = self.last.get(&entry.node).map_or(0, |(number, _)| *number);
        if entry.number <= last && place > self.again_until {
            return;
        }
        if self.last.len() >= NODES_MAX && !self.last.contains_key(&entry.node) {
            let oldest = self.last.iter().min_by_key(|(_, (_, place))| *place).map(|(node, _)| *node);
            self.last.retain(|node, _| Some(*node) != oldest);
        }
        self.last.insert(entry.node, (last.max(entry.number), place));
        let waiter = if entry.node == history.link.node { history.queue.waiter(entry.number) } else { None };
        let is_asked = matches!(waiter, Some(Waiter::Sighting(..)));
        if entry.late && !is_asked && self.newest.is_past(&entry) {
            metrics::counter!("doorward_shared_past_total").increment(1);
            return tell_waiter(waiter);
        }
        self.newest.note(&entry);
        // What was lost before is in the store that was read since.
        self.has_missed |= apply(history, entry, waiter) && place > self.again_until;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use super::super::link::Link;
    use super::*;
    use crate::storage;
    use crate::storage::memory::history::{Config as HistoryConfig, MemoryHistory};
    use crate::storage::redis::Config;
    use crate::storage::sqlite::SqliteStore;

    #[test]
    fn what_was_missed_is_not_forgotten_when_reading_ends_in_the_middle() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = storage::Config::sqlite(&folder.path().join("doorward.db"));
        let store = Arc::new(SqliteStore::open_serving(&database).expect("a store"));
        let client = redis::Client::open("redis://127.0.0.1:1").expect("an address");
        let now = || Timestamp::from_millis(1_795_000_000_000);
        let memory = Arc::new(MemoryHistory::new(HistoryConfig::default(), store));
        let history = SharedHistory::new(memory, Arc::new(Link::new(client, Config::default(), 7)), Box::new(now));
        let told = |number: u64| {
            let event = if number == 1 { Event::Lost } else { Event::Forgotten { named: (number, 1) } };
            let place: Place = format!("5-{number}").parse().expect("a place");
            (place, Some(Entry { node: 9, number, late: false, when: now(), event }))
        };
        let stream = Stream { key: "order".to_owned(), most: 1_000 };
        let mut reader = Reader::new(stream, Some(Begun { place: Place::default(), store_read: now() }));
        assert!(!reader.has_missed);
        let batch = (1..=2 * TURN as u64).map(told).collect();
        // Whoever reads is let go while others have their turn, as when the way is opened anew.
        assert_eq!(reader.take_all(&history, batch).now_or_never(), None);
        assert!(reader.has_missed, "the store is read before anything else");
    }

    #[test]
    fn what_a_slow_redis_does_not_take_at_once_it_is_told_in_smaller_parts() {
        let mut most = queue::BATCH;
        for expected in [128, 64, 32, 16, 8, 4, 2, 1, 1] {
            most = at_once(most, false);
            assert_eq!(most, expected);
        }
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 256] {
            most = at_once(most, true);
            assert_eq!(most, expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_over_when_no_more_of_it_comes() {
        let start = Instant::now();
        let mut unread = Unread::default();
        assert!(!unread.is_over(start));
        unread.0 = Some(start);
        assert!(!unread.is_over(start + READABLE / 2));
        unread.0 = Some(start + READABLE / 2);
        assert!(!unread.is_over(start + READABLE));
        assert!(unread.is_over(start + READABLE * 2));
        assert!(!unread.is_over(start + READABLE * 3), "once");
    }
}

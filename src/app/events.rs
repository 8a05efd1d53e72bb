//! What happens in the queue, told to people as it happens.
//!
//! The latest events are kept in memory, numbered, behind an epoch that is another in every process: who comes back with the number of the last
//! one gets those since, or is told to load everything anew. Nothing waits for whoever listens: a reader who falls behind what is kept is
//! dropped and told why. An event is told after its commit; one may be lost with the process, so the queue is the truth and events are hints.

mod wire;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) use self::wire::Wire;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::live::Live;
use crate::domain::appeal::AppealState;
use crate::domain::campaign::CampaignState;
use crate::domain::decision::{Action, DecidedBy, Record, Status};
use crate::domain::news::{Bulletin, News};
use crate::domain::people::{Person, Reach};
use crate::domain::store::{Place, Ruled, Store};
use crate::domain::time::Timestamp;

/// Streams that one person may have open: one for each window, and some that were forgotten.
const STREAMS_OF_ONE: usize = 10;

/// `[events]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Streams open at once, at most.
    pub max_streams: usize,
    /// Events kept for those who come back, and for slow readers.
    pub kept: usize,
    /// Seconds between two signs of life on a quiet stream.
    pub keep_alive_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_streams: 200, kept: 2_000, keep_alive_s: 15 }
    }
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("events.{0}: must be at least 1")]
pub struct BadEvents(&'static str);

impl Config {
    /// Whether it can work.
    ///
    /// # Errors
    /// [`BadEvents`], naming the key.
    pub const fn check(&self) -> Result<(), BadEvents> {
        match self {
            Self { max_streams: 0, .. } => Err(BadEvents("max_streams")),
            Self { kept: 0, .. } => Err(BadEvents("kept")),
            Self { keep_alive_s: 0, .. } => Err(BadEvents("keep_alive_s")),
            _ => Ok(()),
        }
    }
}

/// What happened to a comment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Change {
    /// It waits for a person.
    Held {
        /// Who took a decision back, if that is why.
        by: Option<String>,
    },
    /// It does not wait (any more).
    Left {
        /// What it is now.
        status: Status,
        /// Who decided that.
        decided_by: DecidedBy,
        /// The person, by e-mail.
        by: Option<String>,
        /// The decision.
        decision: Option<Uuid>,
    },
    /// Somebody works on it.
    Claimed {
        /// Who, by e-mail.
        by: String,
        /// Until when, unless it is renewed.
        #[schema(value_type = String, format = DateTime)]
        until: Timestamp,
    },
    /// Nobody works on it any more.
    Released {
        /// Who did, by e-mail.
        by: String,
    },
    /// An appeal on it was opened or answered.
    Appeal {
        /// Our name for it.
        appeal: Uuid,
        /// What it is now.
        state: AppealState,
    },
    /// Readers reported it.
    Reported {
        /// Open reports.
        reports: u32,
        /// What they weigh together.
        weight: f64,
    },
    /// The campaign that it belongs to was recognised, grew or changed.
    Campaign(CampaignChange),
    /// It is gone, with everything that was kept of it.
    Erased {},
}

/// What happened to a campaign.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum CampaignChange {
    /// It was recognised. Told once for each place where its members stand.
    Recognised {
        /// Its name.
        campaign: Uuid,
        /// How many joined.
        size: u32,
        /// Members that stand approved and that nobody has looked at.
        rechecks: u32,
    },
    /// It has doubled.
    Grew {
        /// Its name.
        campaign: Uuid,
        /// How many joined.
        size: u32,
        /// Members that stand approved and that nobody has looked at.
        rechecks: u32,
    },
    /// People decided about it, closed or merged it, or took a decision back.
    Changed {
        /// Its name.
        campaign: Uuid,
        /// What it is now.
        state: CampaignState,
        /// What people decided.
        action: Option<Action>,
    },
}

impl Change {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Held { .. } => "held",
            Self::Left { .. } => "left",
            Self::Claimed { .. } => "claimed",
            Self::Released { .. } => "released",
            Self::Appeal { .. } => "appeal",
            Self::Reported { .. } => "reported",
            Self::Campaign(CampaignChange::Recognised { .. }) => "campaign.recognised",
            Self::Campaign(CampaignChange::Grew { .. }) => "campaign.grew",
            Self::Campaign(CampaignChange::Changed { .. }) => "campaign.changed",
            Self::Erased {} => "erased",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    number: u64,
    /// To which comment.
    pub uid: Uuid,
    /// Where that stands.
    pub place: Place,
    /// What.
    pub change: Change,
    /// When.
    pub at: Timestamp,
}

/// What a stream says next.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Something happened.
    Event(Arc<Event>),
    /// What happened in between is not known: load everything anew.
    Reset(&'static str),
    /// The stream ends, for that reason.
    End(&'static str),
}

/// As many streams are open as the settings allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as many event streams are open as events.max_streams allows")]
pub struct TooManyStreams;

/// See the module.
pub struct Events {
    store: Arc<dyn Store>,
    config: Live<Config>,
    /// Another in every process, so that numbers of another are not taken for ours.
    epoch: u64,
    state: Mutex<State>,
    /// Wakes those who wait for something new.
    wake: watch::Sender<()>,
    /// Where other nodes hear of events.
    bulletin: Option<Arc<dyn Bulletin>>,
}

#[derive(Default)]
struct State {
    /// The number of the last event.
    last: u64,
    ring: VecDeque<Arc<Event>>,
    streams: HashMap<u64, Slot>,
    streams_ever: u64,
    /// Whether somebody watches, or did, on another node.
    watched_elsewhere: bool,
    closed: bool,
}

struct Slot {
    email: String,
    /// When its reader last took something.
    taken_at: Timestamp,
    /// Why it is to end.
    ended: Option<&'static str>,
}

impl Events {
    /// With nothing kept. `epoch` should be random.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, config: impl Into<Live<Config>>, epoch: u64) -> Self {
        let config = config.into();
        Self { store, config, epoch, state: Mutex::default(), wake: watch::Sender::new(()), bulletin: None }
    }

    /// The same, told to other nodes, too, as soon as anybody watches anywhere.
    #[must_use]
    pub fn telling(self, bulletin: Arc<dyn Bulletin>) -> Self {
        Self { bulletin: Some(bulletin), ..self }
    }

    /// Seconds between two signs of life on a quiet stream.
    #[must_use]
    pub fn keep_alive_s(&self) -> u32 {
        self.config.get().keep_alive_s
    }

    /// Opens a stream for a person, after the event of that name (`Last-Event-ID`), or from now on.
    ///
    /// # Errors
    /// [`TooManyStreams`].
    pub fn subscribe(
        self: &Arc<Self>,
        person: &Person,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<Subscription, TooManyStreams> {
        let mut state = self.state();
        self.make_room(&mut state, &person.email, now)?;
        state.streams_ever += 1;
        if state.streams_ever == 1
            && let Some(bulletin) = &self.bulletin
        {
            bulletin.tell(News::Watched);
        }
        let number = state.streams_ever;
        state.streams.insert(number, Slot { email: person.email.clone(), taken_at: now, ended: None });
        let first = state.ring.front().map_or(state.last + 1, |event| event.number);
        let resumed =
            after.map(|after| self.number_of(after).filter(|after| after + 1 >= first && *after <= state.last));
        let (next, reset) = match resumed {
            None => (state.last + 1, None),
            Some(Some(after)) => (after + 1, None),
            Some(None) => (state.last + 1, Some("what happened since then is not known any more")),
        };
        drop(state);
        Ok(Subscription { events: Arc::clone(self), wake: self.wake.subscribe(), stream: number, next, reset })
    }

    /// Ends streams nobody reads, and the oldest of a person who has too many.
    fn make_room(&self, state: &mut State, email: &str, now: Timestamp) -> Result<(), TooManyStreams> {
        let open = |state: &State| state.streams.values().filter(|slot| slot.ended.is_none()).count();
        let theirs = |slot: &Slot| slot.ended.is_none() && slot.email == email;
        if state.streams.values().filter(|slot| theirs(slot)).count() >= STREAMS_OF_ONE
            && let Some((_, slot)) =
                state.streams.iter_mut().filter(|(_, slot)| theirs(slot)).min_by_key(|(at, _)| **at)
        {
            slot.ended = Some("you opened more streams than one person may have");
        }
        if open(state) >= self.config.get().max_streams {
            // A reader that is there takes a sign of life at least every `keep_alive_s`.
            let stale = i64::from(self.config.get().keep_alive_s) * 3_000;
            for slot in state.streams.values_mut().filter(|slot| slot.taken_at.plus_millis(stale) < now) {
                slot.ended = Some("too slow: nothing was read for a long time, and others wanted the place");
            }
        }
        self.wake.send_replace(());
        if open(state) < self.config.get().max_streams { Ok(()) } else { Err(TooManyStreams) }
    }

    /// Ends all streams, and takes no new ones: the service stops.
    pub fn close(&self) {
        self.state().closed = true;
        self.wake.send_replace(());
    }

    /// The policy has judged a comment, new or edited.
    pub async fn judged(&self, record: &Record) {
        // What never waited is no news; what was edited may have waited before.
        if record.waits || record.version > 1 {
            let change = of_status(record, None, None);
            self.changed(record.uid, change, record.updated_at).await;
        }
    }

    /// A person has decided, or taken a decision back.
    pub async fn ruled(&self, ruled: &Ruled, by: &str, now: Timestamp) {
        for (record, _) in &ruled.applied {
            let change = of_status(record, Some(by), Some(ruled.decision));
            self.changed(record.uid, change, now).await;
        }
    }

    /// A person works on comments until then, or no more.
    pub async fn claimed(&self, uids: &[Uuid], by: &str, until: Option<Timestamp>, now: Timestamp) {
        for uid in uids {
            let by = by.to_owned();
            let change = until.map_or(Change::Released { by: by.clone() }, |until| Change::Claimed { by, until });
            self.changed(*uid, change, now).await;
        }
    }

    /// An appeal was opened or answered.
    pub async fn appealed(&self, uid: Uuid, appeal: Uuid, state: AppealState, now: Timestamp) {
        self.changed(uid, Change::Appeal { appeal, state }, now).await;
    }

    /// Readers reported a comment.
    pub async fn reported(&self, uid: Uuid, reports: u32, weight: f64, now: Timestamp) {
        self.changed(uid, Change::Reported { reports, weight }, now).await;
    }

    /// Something happened to the campaign of that comment.
    pub async fn campaign(&self, uid: Uuid, change: CampaignChange, now: Timestamp) {
        self.changed(uid, Change::Campaign(change), now).await;
    }

    /// Whether anybody has ever listened, here or on another node: before that, nothing needs to be looked up for events.
    #[must_use]
    pub fn anybody(&self) -> bool {
        let state = self.state();
        state.streams_ever > 0 || state.watched_elsewhere
    }

    /// Somebody watches on another node: it is to hear of what happens here.
    pub fn watched_elsewhere(&self) {
        self.state().watched_elsewhere = true;
    }

    /// A node that began asks whether anybody watches.
    pub fn answer_hello(&self) {
        if let Some(bulletin) = self.bulletin.as_ref().filter(|_| self.anybody()) {
            bulletin.tell(News::Watched);
        }
    }

    /// Something happened on another node.
    pub fn hear(&self, event: serde_json::Value) {
        match serde_json::from_value(event) {
            Ok(Wire { uid, place, change, at }) => self.keep(uid, place, change, at),
            Err(error) => {
                tracing::debug!(%error, "an event of another version was not understood");
                self.lose();
            }
        }
    }

    /// A comment is gone; where it stood was looked up before.
    pub fn erased(&self, uid: Uuid, place: &Place, now: Timestamp) {
        self.publish(uid, place.clone(), Change::Erased {}, now);
    }

    /// Something happened to a comment that is there.
    async fn changed(&self, uid: Uuid, change: Change, now: Timestamp) {
        if !self.anybody() {
            return; // nobody can come back for what happened before the first stream
        }
        match self.store.comment_place(uid).await {
            Ok(Some(place)) => self.publish(uid, place, change, now),
            Ok(None) => {} // erased meanwhile, which is an event of its own
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an event was not told");
                self.lose();
                if let Some(bulletin) = &self.bulletin {
                    bulletin.tell(News::Lost);
                }
            }
        }
    }

    fn publish(&self, uid: Uuid, place: Place, change: Change, at: Timestamp) {
        if let Some(bulletin) = self.bulletin.as_ref().filter(|_| self.anybody()) {
            let wire = Wire { uid, place: place.clone(), change: change.clone(), at };
            bulletin.tell(serde_json::to_value(wire).map_or(News::Lost, |event| News::Event { event }));
        }
        self.keep(uid, place, change, at);
    }

    fn keep(&self, uid: Uuid, place: Place, change: Change, at: Timestamp) {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        while state.ring.len() >= self.config.get().kept {
            state.ring.pop_front();
        }
        state.ring.push_back(Arc::new(Event { number, uid, place, change, at }));
        drop(state);
        self.wake.send_replace(());
    }

    /// Something happened that cannot be told: everybody has to load anew.
    pub fn lose(&self) {
        let mut state = self.state();
        state.last += 1;
        state.ring.clear();
        drop(state);
        self.wake.send_replace(());
    }

    /// The name of an event, for `Last-Event-ID`.
    fn name_of(&self, number: u64) -> String {
        format!("{:016x}-{number}", self.epoch)
    }

    fn number_of(&self, name: &str) -> Option<u64> {
        let (epoch, number) = name.split_once('-')?;
        let ours = epoch.len() == 16 && u64::from_str_radix(epoch, 16).ok()? == self.epoch;
        number.parse().ok().filter(|_| ours)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_status(record: &Record, by: Option<&str>, decision: Option<Uuid>) -> Change {
    let by = by.map(str::to_owned);
    if record.waits {
        return Change::Held { by }; // held, or drawn: nobody is told which
    }
    Change::Left { status: record.status, decided_by: record.decided_by, by, decision }
}

/// An open stream. Dropped, it makes room for another.
pub struct Subscription {
    events: Arc<Events>,
    wake: watch::Receiver<()>,
    stream: u64,
    next: u64,
    reset: Option<&'static str>,
}

impl Subscription {
    /// The name of what was told last.
    #[must_use]
    pub fn last_id(&self) -> String {
        self.events.name_of(self.next - 1)
    }

    /// Notes that the reader is there.
    pub fn taken(&self, now: Timestamp) {
        if let Some(slot) = self.events.state().streams.get_mut(&self.stream) {
            slot.taken_at = now;
        }
    }

    /// What comes next within `reach`; waits for it. May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self, reach: &Reach) -> Told {
        loop {
            self.wake.borrow_and_update();
            if let Some(told) = self.look(reach) {
                return told;
            }
            if self.wake.changed().await.is_err() {
                return Told::End("the service stops");
            }
        }
    }

    fn look(&mut self, reach: &Reach) -> Option<Told> {
        let state = self.events.state();
        if state.closed {
            return Some(Told::End("the service stops"));
        }
        if let Some(reason) = state.streams.get(&self.stream).and_then(|slot| slot.ended) {
            return Some(Told::End(reason));
        }
        if let Some(reason) = self.reset.take() {
            return Some(Told::Reset(reason));
        }
        while self.next <= state.last {
            let first = state.ring.front().map_or(state.last + 1, |event| event.number);
            if self.next < first && state.ring.is_empty() {
                self.next = state.last + 1;
                return Some(Told::Reset("an event could not be told"));
            }
            if self.next < first {
                return Some(Told::End("too slow: more happened than is kept"));
            }
            let at = usize::try_from(self.next - first).unwrap_or(usize::MAX);
            let event = state.ring.get(at).map(Arc::clone)?;
            self.next += 1;
            if event.place.lies_within(reach) {
                return Some(Told::Event(event));
            }
        }
        None
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.events.state().streams.remove(&self.stream);
    }
}

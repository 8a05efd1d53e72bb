//! The one who delivers: takes notices, sends them, and notes what became of them, for as long as the service runs.
//!
//! At least once: a notice goes only when the receiver has said 2xx, and what was on its way when the process died is taken again when its
//! lease has run out. In order for each comment: the store gives out one notice of a comment at a time. Each site has a lane of its own.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::{Id, JoinSet};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::attempt;
use super::lanes::{End, Landed, Lanes};
use super::post::{Answer, Message, Post, PostError};
use super::{Config, address};
use crate::app::clock::Clock;
use crate::app::live::Live;
use crate::app::secrets::Sealer;
use crate::app::signature;
use crate::app::way::{self, begin};
use crate::domain::appeal::AppealState;
use crate::domain::decision::{Record, Status};
use crate::domain::outbox::{Channel, Due, Notice, OutboxState, Receiver, Settled};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, Store};
use crate::domain::time::Timestamp;

/// How a notice is told to the site of that name: the outside's own shape of things.
pub type Say = fn(&Notice, &str) -> Value;

/// A lease outlives the longest attempt by that much, so that nothing is sent twice at once, in milliseconds.
const LEASE_SLACK_MS: i64 = 30_000;
/// How long what is on its way may take when the service stops; the rest is sent again after the next start.
const STOP: Duration = Duration::from_secs(5);
/// How long a site is left alone of which nothing could be taken, in milliseconds: it costs the others little then.
const TROUBLE_MS: i64 = 5_000;
/// Between two looks at how it stands, in milliseconds; and at most, where looking takes long.
const STATE_MS: i64 = 5_000;
const STATE_MAX_MS: i64 = 300_000;
/// Between two times that old dead letters are dropped.
const PRUNED_EVERY: Duration = Duration::from_hours(1);

/// How delivery goes, for whoever watches.
#[derive(Debug, Default)]
pub struct Health {
    failing: AtomicBool,
    state: Mutex<OutboxState>,
}

impl Health {
    /// Whether nobody's outbox could be worked on the last time. Receivers that fail are not meant, and no single site with which something is wrong.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// How it stood some seconds ago.
    #[must_use]
    pub fn state(&self) -> OutboxState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
pub struct Deliverer {
    store: Arc<dyn Store>,
    post: Arc<dyn Post>,
    clock: Arc<dyn Clock>,
    sealer: Sealer,
    say: Say,
    config: Live<Config>,
    health: Arc<Health>,
    to: Channel,
}

impl Deliverer {
    /// Joins the ports.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        post: Arc<dyn Post>,
        clock: Arc<dyn Clock>,
        sealer: Sealer,
        say: Say,
        config: impl Into<Live<Config>>,
    ) -> Self {
        let config = config.into();
        Self { store, post, clock, sealer, say, config, health: Arc::default(), to: Channel::Webhook }
    }

    /// Another one, with lanes of its own, for whoever asked to be called back: neither delays the other.
    #[must_use]
    pub fn calling_back(&self) -> Self {
        let (store, post, clock) = (Arc::clone(&self.store), Arc::clone(&self.post), Arc::clone(&self.clock));
        let (sealer, say, config) = (self.sealer.clone(), self.say, self.config.clone());
        Self { store, post, clock, sealer, say, config, health: Arc::default(), to: Channel::Callback }
    }

    /// How it goes.
    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Delivers until `stop` is done; then what is on its way may finish, for a moment.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let config = self.config.get();
        let mut lanes = Lanes::new(config.per_site, config.in_flight);
        let (mut flights, mut troubled) = (Flights::default(), HashSet::new());
        let mut counted_at = None;
        loop {
            let config = self.config.get();
            let pause = Duration::from_millis(u64::from(config.poll_ms));
            lanes.resize(config.per_site, config.in_flight);
            let done = self.round(&mut lanes, &mut flights, &mut troubled).await;
            if done.is_ok() && self.to == Channel::Webhook {
                self.count(&mut counted_at).await;
            }
            let was_failing = self.health.failing.swap(done.is_err(), Ordering::Relaxed);
            match done {
                Err(error) if !was_failing => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "webhooks wait: the store cannot be used"
                    );
                }
                _ => {}
            }
            tokio::select! {
                () = &mut stop => break,
                () = self.store.outbox_news(), if self.to == Channel::Webhook && !self.health.is_failing() => {}
                Some((site, number, landed)) = flights.next() => lanes.land(site, number, landed),
                () = tokio::time::sleep(pause) => {}
            }
            while let Some((site, number, landed)) = flights.try_next() {
                lanes.land(site, number, landed);
            }
        }
        let finish = async { while flights.next().await.is_some() {} };
        let _ = tokio::time::timeout(STOP, finish).await; // what is left is leased, and taken again later
    }

    /// Sends off whatever may be sent now. What goes wrong with one site keeps no other from its turn; `troubled` are those with which something did.
    ///
    /// # Errors
    /// Nobody knows who has something to be told.
    async fn round(
        self: &Arc<Self>,
        lanes: &mut Lanes,
        flights: &mut Flights,
        troubled: &mut HashSet<SiteId>,
    ) -> Result<()> {
        let now = self.clock.now();
        let sites = match self.to {
            Channel::Webhook => self.store.outbox_sites(now).await?,
            Channel::Callback => self.store.callback_sites(now).await?,
        };
        for (site, most) in lanes.shares(&sites, now) {
            match self.send_off(site, most, lanes, flights).await {
                Ok(()) if troubled.remove(&site) => tracing::info!(site = site.0, "the site's webhooks go on"),
                Ok(()) => {}
                Err(error) => {
                    metrics::counter!("doorward_outbox_failed_total").increment(1);
                    lanes.rest(site, self.clock.now().plus_millis(TROUBLE_MS));
                    if troubled.insert(site) {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            site = site.0,
                            "this site's webhooks wait: none could be taken; those of the others go on"
                        );
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends off at most `most` notices of a site.
    async fn send_off(
        self: &Arc<Self>,
        site: SiteId,
        most: usize,
        lanes: &mut Lanes,
        flights: &mut Flights,
    ) -> Result<()> {
        let Some(receiver) = self.store.outbox_receiver(site, self.clock.now()).await? else { return Ok(()) };
        let receiver = Arc::new(receiver);
        // A callback may be told twice: see `call_back`.
        let posts = if self.to == Channel::Callback { 2 } else { 1 };
        let attempt_ms = posts * i64::from(self.config.get().timeout_ms);
        let now = self.clock.now(); // read again: everything before may have taken long, and the lease counts from here
        let until = now.plus_millis(attempt_ms + LEASE_SLACK_MS);
        let taken = match self.to {
            Channel::Webhook => self.store.outbox_take(site, most, now, until).await?,
            Channel::Callback => self.store.callback_take(site, most, now, until).await?,
        };
        let ended = self.clock.now().plus_millis(attempt_ms);
        for due in taken {
            if due.until < ended {
                // Taking it took so long that somebody else may have it before an attempt has ended: it is taken again when its lease is over.
                tracing::debug!(site = receiver.name, id = %due.message, "taken too slowly to be sent now");
                continue;
            }
            if lanes.leave(site, due.number) {
                let (number, failures) = (due.number, lanes.failures(site));
                flights.leave(site, number, Arc::clone(self).deliver(due, Arc::clone(&receiver), failures));
            }
        }
        Ok(())
    }

    /// One notice's way, once.
    async fn deliver(self: Arc<Self>, due: Due, receiver: Arc<Receiver>, failures: u32) -> Landed {
        let way = self.way_of(&due, &receiver);
        let (settled, landed) = self.attempt(&due, &receiver, failures).instrument(way.clone()).await;
        let outcome = attempt::outcome(&settled);
        way.record("doorward.outcome", outcome);
        if !matches!(settled, Settled::Delivered) {
            way.record("otel.status_code", "ERROR");
        }
        drop(way);
        metrics::counter!("doorward_outbox_attempts_total", "outcome" => outcome).increment(1);
        let now = self.clock.now();
        match &settled {
            Settled::Delivered => {
                let lag = Duration::from_millis(now.millis_since(due.not_before));
                metrics::histogram!("doorward_outbox_lag_seconds").record(lag.as_secs_f64());
                tracing::debug!(site = receiver.name, id = %due.message, attempts = due.attempts, "webhook delivered");
            }
            Settled::Again { problem, at, .. } => {
                tracing::debug!(site = receiver.name, id = %due.message, problem, %at, "webhook failed; it is tried again");
            }
            Settled::Dead { problem } => {
                tracing::warn!(site = receiver.name, id = %due.message, problem, "webhook given up: a dead letter");
            }
            Settled::Gone { .. } => {
                tracing::warn!(site = receiver.name, "the receiver is gone (410): all its webhooks are dead letters");
            }
        }
        if let Err(error) = self.store.outbox_settle(due.site, vec![(due.attempt(), settled)], now).await {
            // Its lease runs out, and it is sent again under the same id.
            tracing::error!(error = &error as &dyn std::error::Error, "what became of a webhook could not be noted");
        }
        landed
    }

    async fn attempt(&self, due: &Due, receiver: &Receiver, failures: u32) -> (Settled, Landed) {
        if let Some(damage) = &due.damage {
            return (Settled::Dead { problem: format!("what is stored of it cannot be read: {damage}") }, NOT_ASKED);
        }
        let Some(notice) = &due.notice else { return (Settled::Delivered, NOT_ASKED) }; // the comment is gone: nothing to say
        let Some(url) = due.callback.as_ref().or(receiver.url.as_ref()) else {
            return (Settled::Dead { problem: "the site has no webhook any more".to_owned() }, NOT_ASKED);
        };
        let answer = match self.to {
            Channel::Webhook => match self.message(due, notice, receiver, url) {
                Ok(message) => self.post.post(message).await,
                Err(error) => Err(error),
            },
            Channel::Callback => self.call_back(notice, receiver, url).await,
        };
        if let Ok(answer) = &answer {
            Span::current().record("http.response.status_code", i64::from(answer.status));
        }
        let mut bytes = [0; 4];
        // Without random bytes everybody waits the longest: late, but never all at once and at once.
        let chance =
            getrandom::fill(&mut bytes).map_or(1.0, |()| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX));
        let (settled, landed) =
            attempt::settle(&self.config.get(), due, (url, failures), &answer, self.clock.now(), chance);
        let settled = match settled {
            // Of one address: others may be there.
            Settled::Gone { .. } if self.to == Channel::Callback => Settled::Dead { problem: attempt::gone() },
            settled => settled,
        };
        (settled, landed)
    }

    /// The span of one attempt: in the comment's own trace while that is remembered, or in that of the decision, or in one of its own. Where it goes to
    /// is not said: addresses may hold secrets.
    fn way_of(&self, due: &Due, receiver: &Receiver) -> Span {
        if !way::is_collected() {
            return Span::none();
        }
        let (comment, uid) = match &due.notice {
            Some(Notice::Status { record, .. } | Notice::Appeal { record, .. }) => {
                (way::Name::of_comment(&receiver.name, record.comment.id.as_str()), record.uid)
            }
            Some(Notice::Erased { id, uid }) => (way::Name::of_comment(&receiver.name, id), *uid),
            None => return Span::none(), // nothing is sent
        };
        let decision = way::Name::of_decision(uid);
        let begun = way::known(comment);
        let follows = begun.is_some();
        let span = begin!(
            begun.or_else(|| way::known(decision)),
            "webhook",
            otel.kind = "client",
            otel.name = if self.to == Channel::Webhook { "webhook" } else { "callback" },
            otel.status_code = Empty,
            http.request.method = "POST",
            http.request.resend_count = i64::from(due.attempts.saturating_sub(1)),
            http.response.status_code = Empty,
            doorward.site = &*receiver.name,
            doorward.uid = %uid,
            doorward.message = %due.message,
            doorward.outcome = Empty
        );
        if follows {
            way::link(&span, decision);
        }
        span
    }

    /// Calls back with a verdict. WordPress takes a first "no spam" after "spam" for "let a person look", and publishes with the second: so what was
    /// ever rejected, and is not any more, is told twice. Told twice, others do nothing the second time.
    async fn call_back(&self, notice: &Notice, receiver: &Receiver, url: &str) -> Signed<Answer> {
        let Notice::Status { record, .. } = notice else {
            return Err(PostError::Forbidden("there is no verdict to tell".to_owned()));
        };
        let message = self.callback(record, receiver, url).await?;
        let is_over = record.status != Status::Rejected && self.was_rejected(record).await?;
        if is_over {
            let first = self.post.post(message.clone()).await?;
            if !(200..300).contains(&first.status) {
                return Ok(first);
            }
        }
        self.post.post(message).await
    }

    async fn was_rejected(&self, record: &Record) -> Signed<bool> {
        let history = self.store.comment_history(record.uid).await;
        let history = history.map_err(|error| PostError::Failed(error.to_string()))?;
        Ok(history.iter().any(|one| one.status == Status::Rejected))
    }

    /// A verdict for a client of Akismet's protocol. Its key is proof of who sends it, and in no log.
    async fn callback(&self, record: &Record, receiver: &Receiver, url: &str) -> Signed<Message> {
        let url =
            address::parse(url).map_err(|problem| PostError::Forbidden(format!("the callback's address {problem}")))?;
        let secrets =
            self.store.site_secrets(&receiver.name).await.map_err(|error| PostError::Failed(error.to_string()))?;
        let secrets = secrets.ok_or_else(|| PostError::Failed("the site is deleted".to_owned()))?;
        let key = self.sealer.unseal(&receiver.name, "akismet", &secrets.akismet);
        let key = key.map_err(|error| PostError::Failed(error.to_string()))?;
        let body = callback_body(&key, record);
        Ok(Message { url, headers: vec![("x-akismet-webhook", "1".to_owned())], body })
    }

    /// The message, signed now: receivers refuse old signatures.
    fn message(&self, due: &Due, notice: &Notice, receiver: &Receiver, url: &str) -> Signed<Message> {
        let url = address::parse(url)
            .map_err(|problem| PostError::Forbidden(format!("the site's webhook address {problem}")))?;
        let secrets = self.secrets(receiver)?;
        let body = body(due, notice, &receiver.name, self.say).to_string();
        let (id, now) = (due.message.to_string(), self.clock.now());
        let mut headers = signature::headers(&secrets, id, now, &body)
            .map_err(|error| PostError::Failed(format!("the message could not be signed: {error}")))?;
        headers.extend(way::traceparent().map(|traceparent| ("traceparent", traceparent)));
        Ok(Message { url, headers, body })
    }

    fn secrets(&self, receiver: &Receiver) -> Signed<Vec<String>> {
        let sealed = std::iter::once(&receiver.secret).chain(&receiver.secret_before);
        sealed
            .map(|sealed| self.sealer.unseal(&receiver.name, "webhook", sealed))
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| PostError::Failed(error.to_string()))
    }

    /// Counts what waits, from time to time. That it cannot be counted keeps nothing from being delivered: so much may wait that it takes too long.
    async fn count(&self, last: &mut Option<Counted>) {
        let now = self.clock.now();
        if last.is_some_and(|last| now < last.at.plus_millis(last.pause_ms) && now >= last.at) {
            return;
        }
        let counted = self.store.outbox_state().await;
        let pause_ms = pause_after(self.clock.now().millis_since(now));
        *last = Some(Counted { at: now, pause_ms });
        let state = match counted {
            Ok(state) => state,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "what waits to be told could not be counted");
                return;
            }
        };
        *self.health.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        let oldest = state.oldest.map_or(0, |oldest| now.millis_since(oldest));
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        {
            metrics::gauge!("doorward_outbox_waiting").set(state.waiting as f64);
            metrics::gauge!("doorward_outbox_dead").set(state.dead as f64);
        }
        metrics::gauge!("doorward_outbox_oldest_seconds").set(Duration::from_millis(oldest).as_secs_f64());
    }

    /// Drops dead letters that are old enough, now and from time to time. For ever.
    pub async fn keep_pruning(&self) -> Infallible {
        loop {
            let before = self.clock.now().plus_millis(-i64::from(self.config.get().keep_dead_days) * 86_400_000);
            match self.store.outbox_prune(before).await {
                Ok(0) => {}
                Ok(dropped) => tracing::info!(dropped, "old dead letters dropped"),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "old dead letters could not be dropped; tried again later"
                    );
                }
            }
            tokio::time::sleep(PRUNED_EVERY).await;
        }
    }
}

/// When it was counted what waits, and how long that counts as known.
#[derive(Clone, Copy)]
struct Counted {
    at: Timestamp,
    pause_ms: i64,
}

/// Every node counts all there is: where that is so much that it takes long, they count seldom, and a hundredth of the time at most.
fn pause_after(took_ms: u64) -> i64 {
    i64::try_from(took_ms).unwrap_or(i64::MAX).saturating_mul(100).clamp(STATE_MS, STATE_MAX_MS)
}

const NOT_ASKED: Landed = Landed { end: End::Nothing, pause: None };

/// What building a message answers.
type Signed<T> = std::result::Result<T, PostError>;

/// What is on its way.
#[derive(Default)]
struct Flights {
    tasks: JoinSet<Landed>,
    whose: HashMap<Id, (SiteId, i64)>,
}

impl Flights {
    fn leave(&mut self, site: SiteId, number: i64, flight: impl Future<Output = Landed> + Send + 'static) {
        let task = self.tasks.spawn(flight);
        self.whose.insert(task.id(), (site, number));
    }

    async fn next(&mut self) -> Option<(SiteId, i64, Landed)> {
        let ended = self.tasks.join_next_with_id().await?;
        Some(self.landed(ended))
    }

    fn try_next(&mut self) -> Option<(SiteId, i64, Landed)> {
        let ended = self.tasks.try_join_next_with_id()?;
        Some(self.landed(ended))
    }

    /// A flight that panicked says nothing of the receiver; its notice is taken again when the lease has run out.
    fn landed(&mut self, ended: std::result::Result<(Id, Landed), tokio::task::JoinError>) -> (SiteId, i64, Landed) {
        let (id, landed) = ended.unwrap_or_else(|error| (error.id(), NOT_ASKED));
        let (site, number) = self.whose.remove(&id).unwrap_or((SiteId(0), 0));
        (site, number, landed)
    }
}

fn body(due: &Due, notice: &Notice, site: &str, say: Say) -> Value {
    let (kind, at) = match notice {
        Notice::Status { record, .. } => {
            let kind = match record.status {
                Status::Approved => "comment.approved",
                Status::Held => "comment.held",
                Status::Rejected => "comment.rejected",
            };
            (kind, record.updated_at)
        }
        Notice::Erased { .. } => ("comment.erased", written_at(due)),
        Notice::Appeal { state: AppealState::Open, .. } => ("appeal.opened", written_at(due)),
        Notice::Appeal { .. } => ("appeal.answered", written_at(due)),
    };
    json!({"type": kind, "timestamp": at, "data": say(notice, site)})
}

/// What clients of Akismet's protocol take: whether the comment that they know by that name is spam.
fn callback_body(key: &str, record: &Record) -> String {
    #[derive(serde::Serialize)]
    struct Called<'a> {
        key: &'a str,
        endpoint: &'static str,
        comments: [Verdict; 1],
    }
    #[derive(serde::Serialize)]
    struct Verdict {
        guid: String,
        result: &'static str,
    }
    let result = if record.status == Status::Rejected { "true" } else { "false" };
    let comments = [Verdict { guid: record.uid.simple().to_string(), result }];
    serde_json::to_string(&Called { key, endpoint: "comment-check", comments }).unwrap_or_default() // texts alone cannot fail
}

/// From when it could have been sent at first: part of its name, and so the same however often it is sent again.
fn written_at(due: &Due) -> Timestamp {
    let ms = due.message.get_timestamp().map(|written| {
        let (seconds, nanos) = written.to_unix();
        i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000) + i64::from(nanos / 1_000_000)
    });
    ms.map_or(due.not_before, Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_to_count_is_counted_seldom() {
        let pauses = [0, 50, 400, 60_000].map(pause_after);
        assert_eq!(pauses, [STATE_MS, STATE_MS, 40_000, STATE_MAX_MS]);
    }
}

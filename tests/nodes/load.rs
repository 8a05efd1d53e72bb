//! The load: comments on any node, some of them again, and people who decide.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::fleet::Fleet;

/// Comments on their way at once.
const WRITERS: usize = 6;

/// Numbers that nobody had before.
pub(crate) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFnMut() -> bool) {
    let mut is_so = is_so;
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await; // between two looks at the condition
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(2), wait).await.is_ok(), "it did not come to that: {what}");
}

/// What the first answer promised.
#[derive(Debug, Clone, PartialEq)]
struct Promise {
    uid: Value,
    verdict: Value,
    status: Value,
}

#[derive(Default)]
struct Known {
    promised: Mutex<BTreeMap<u64, Promise>>,
    unanswered: Mutex<Vec<u64>>,
    /// The latest decision on each comment that was acknowledged: the version that it made, and the status.
    ruled: Mutex<BTreeMap<u64, (u64, &'static str)>>,
    /// Numbers given out; a third of them are spam.
    next: AtomicU64,
    stop: AtomicBool,
    repeats: AtomicUsize,
    unavailable: AtomicUsize,
    broken: AtomicUsize,
    decided: AtomicUsize,
}

/// See the module.
pub(crate) struct Load {
    known: Arc<Known>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(fleet: &Arc<Fleet>) -> Self {
        let known = Arc::new(Known::default());
        let mut tasks = Vec::new();
        for writer in 0..WRITERS {
            let (fleet, known) = (Arc::clone(fleet), Arc::clone(&known));
            tasks.push(tokio::spawn(async move { known.write(&fleet, writer).await }));
        }
        let (fleet, its) = (Arc::clone(fleet), Arc::clone(&known));
        tasks.push(tokio::spawn(async move { its.decide(&fleet).await }));
        Self { known, tasks }
    }

    /// Lets what is on its way come to its end. A writer that saw something wrong fails here.
    pub(crate) async fn stop(mut self) -> Self {
        self.known.stop.store(true, Ordering::Relaxed);
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
        self
    }

    /// Sends what got no answer until it has one.
    pub(crate) async fn settle(&self, fleet: &Fleet) {
        let left = std::mem::take(&mut *self.known.unanswered.lock().unwrap());
        for (turn, number) in left.into_iter().enumerate() {
            until("everything is answered", async || self.known.send(fleet, turn, number).await).await;
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.known.promised.lock().unwrap().len()
    }

    /// What has to have happened for the rest to mean anything, and how often it did.
    pub(crate) fn tried(&self) -> [(&'static str, usize); 3] {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        let Known { repeats, unavailable, broken, decided, .. } = &*self.known;
        [
            ("comments sent again", count(repeats)),
            ("decisions", count(decided)),
            ("requests that a disturbance met", count(unavailable) + count(broken)),
        ]
    }

    /// Whether everything that was promised is so. People may have changed the status since, and only that.
    pub(crate) fn check_against(&self, stored: &BTreeMap<String, Value>) {
        for (number, promise) in &*self.known.promised.lock().unwrap() {
            let id = id(*number);
            let found = stored.get(&id).unwrap_or_else(|| panic!("{id} was acknowledged and is gone"));
            assert_eq!((&found["uid"], &found["verdict"]), (&promise.uid, &promise.verdict), "{id}");
            if found["version"] == 1 {
                assert_eq!(found["status"], promise.status, "{id}");
            }
        }
        for (number, (version, status)) in &*self.known.ruled.lock().unwrap() {
            let (id, found) = (id(*number), &stored[&id(*number)]);
            let is = found["version"].as_u64().unwrap();
            assert!(is >= *version, "{id}: a decision was acknowledged as version {version}, and it is {is}");
            if is == *version {
                assert_eq!(found["status"], *status, "{id}: the decision that was acknowledged last");
            }
        }
    }
}

impl Display for Load {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        let Known { repeats, unavailable, broken, decided, .. } = &*self.known;
        write!(
            f,
            "{} comments acknowledged, {} of them sent again and answered alike, {} decisions; {} answers 503, {} connections broken",
            self.acknowledged(),
            count(repeats),
            count(decided),
            count(unavailable),
            count(broken)
        )
    }
}

fn id(number: u64) -> String {
    format!("c-{number}")
}

fn is_spam(number: u64) -> bool {
    number.is_multiple_of(3)
}

fn comment(number: u64) -> Value {
    let body = if is_spam(number) {
        format!("buy viagra {number}")
    } else {
        format!("The crossing near house number {number} was dangerous for years, I am glad that it is mended.")
    };
    json!({"id": id(number), "article": {"id": format!("a-{}", number % 50), "title": "Council approves new cycle lanes"},
        "author": {"id": format!("u-{number}"), "name": "Anna"}, "body": body})
}

impl Known {
    async fn write(&self, fleet: &Fleet, writer: usize) {
        let mut turn = writer;
        while !self.stop.load(Ordering::Relaxed) {
            turn += 1;
            // Every fourth is one that was sent before, with or without an answer.
            let again = || self.unanswered.lock().unwrap().pop().or_else(|| self.some(turn));
            let number = if turn.is_multiple_of(4) { again() } else { None };
            let number = number.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed));
            if !self.send(fleet, turn, number).await {
                self.unanswered.lock().unwrap().push(number);
                tokio::time::sleep(Duration::from_millis(50)).await; // as a client would, which was told to come later
            }
        }
    }

    /// One that was acknowledged.
    fn some(&self, turn: usize) -> Option<u64> {
        let promised = self.promised.lock().unwrap();
        let at = (turn.wrapping_mul(7_919)) % promised.len().max(1);
        promised.keys().nth(at).copied()
    }

    /// Sends a comment to some node; whether it was acknowledged. Whatever is answered is looked at.
    async fn send(&self, fleet: &Fleet, turn: usize, number: u64) -> bool {
        let Ok((status, answer)) = fleet.ask(turn, Method::POST, "/v1/comments", Some(&comment(number))).await else {
            self.broken.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        match status {
            200 | 201 => {}
            503 => {
                assert!(!answer["retry_after"].is_null(), "503 without Retry-After: {answer}");
                self.unavailable.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            _ => panic!("comment {number}: {status}: {answer}"),
        }
        let (uid, verdict) = (answer["uid"].clone(), answer["verdict"].clone());
        let promise = Promise { uid, verdict, status: answer["status"].clone() };
        if is_spam(number) {
            assert_ne!(answer["verdict"]["action"], "approve", "a wrong approval: {answer}");
        }
        let mut promised = self.promised.lock().unwrap();
        let first = promised.entry(number).or_insert_with(|| promise.clone());
        assert_eq!((&first.uid, &first.verdict), (&promise.uid, &promise.verdict), "{}: two answers", id(number));
        if status == 200 {
            self.repeats.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// Decides about what is known, now and then; some of it more than once.
    async fn decide(&self, fleet: &Fleet) {
        let mut versions: BTreeMap<u64, Value> = BTreeMap::new();
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await; // the pace of people
            let Some(number) = self.some(turn / 2) else { continue };
            let uid = self.promised.lock().unwrap()[&number].uid.clone();
            let version = versions.get(&number).cloned().unwrap_or(json!(1));
            let action = if turn % 2 == 0 { "approve" } else { "reject" };
            let body = json!({"items": [{"uid": uid, "seen_version": version}], "action": action});
            match fleet.ask_as_person(turn, Method::POST, "/v1/decisions", Some(&body)).await {
                Ok((200, answer)) => {
                    assert_eq!(answer["applied"], json!([uid]), "{answer}");
                    self.decided.fetch_add(1, Ordering::Relaxed);
                    let made = version.as_u64().unwrap() + 1;
                    versions.insert(number, json!(made));
                    let status = if action == "approve" { "approved" } else { "rejected" };
                    self.ruled.lock().unwrap().insert(number, (made, status));
                }
                // One before was applied, and its answer lost with the node; never is one less applied than was acknowledged.
                Ok((409, answer)) => {
                    let current = answer["current"]["version"].clone();
                    let acknowledged = self.ruled.lock().unwrap().get(&number).map_or(1, |(version, _)| *version);
                    assert!(current.as_u64().unwrap() >= acknowledged, "version {acknowledged} is lost: {answer}");
                    versions.insert(number, current);
                }
                Ok((503, _)) | Err(_) => {}
                Ok((status, answer)) => panic!("a decision: {status}: {answer}"),
            }
        }
    }
}

//! Sites are told everything, in order, through `kill -9` on our side and a receiver that fails, dawdles and dies on theirs.
//!
//! The real binary is killed at another moment in every round. In the end the receiver has seen, for each comment and in order, exactly the
//! states that the service holds; what came twice came under the same webhook id.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[path = "support/receiver.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod receiver;

use receiver::{Came, Receiver, Reply};

/// How often the service is killed.
const ROUNDS: usize = 20;
/// Comments offered in all.
const COMMENTS: usize = 5_000;
/// Decisions by people in all.
const DECISIONS: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receiver_sees_every_state_in_order_through_kill_nine() {
    let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut receivers = Receivers::start().await;
    let config = write_config(folder.path());
    let desk = Desk::make(&config, &format!("http://127.0.0.1:{}/hooks", receivers.port));
    let work = Work::new();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..ROUNDS {
        let mut service = Service::start(&config, &desk.client).await;
        let (comments, decisions) = work.part(round);
        // Killed when so many webhooks have come, or so many answers, or nothing is left to do: another moment in every round.
        let webhooks = receivers.count() + 1 + dice.below(2 * COMMENTS / ROUNDS);
        let answers = 1 + dice.below(2 * COMMENTS / ROUNDS);
        let address = service.address.clone();
        tokio::select! {
            () = receivers.reach(webhooks) => {}
            () = async {
                tokio::join!(
                    post(&desk, &address, comments, &work.known, answers),
                    decide(&desk, &address, decisions, &work, dice.next()),
                );
            } => {}
        }
        service.kill();
        if round % 3 == 2 {
            receivers.die();
        } else if round % 3 == 0 {
            receivers.live().await;
        }
    }
    receivers.live().await;
    let service = Service::start(&config, &desk.client).await;
    let rest = work.rest();
    post(&desk, &service.address, rest, &work.known, usize::MAX).await;
    while work.decided() < DECISIONS {
        decide(&desk, &service.address, DECISIONS - work.decided(), &work, dice.next()).await;
    }
    drained(&desk, &service).await;
    let held = states(&desk, &service).await;
    assert_eq!(held.len(), COMMENTS);
    assert!(held.values().filter(|states| states.len() > 1).count() > DECISIONS / 4, "too few were decided about");
    let (seen, duplicates) = seen(&receivers.came());
    println!("{} came, {duplicates} of them again", receivers.came().len());
    assert_eq!(seen.len(), held.len());
    for (id, states) in &held {
        assert_eq!(seen.get(id), Some(states), "{id}: left is what the receiver has seen");
    }
}

/// For each comment, the states that the receiver took, in the order in which they came: version and status.
fn seen(came: &[Came]) -> (BTreeMap<String, Vec<(u64, String)>>, usize) {
    let mut seen: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    let (mut ids, mut bodies, mut duplicates) = (HashSet::new(), BTreeMap::new(), 0);
    for one in came {
        let first = bodies.entry(one.id.clone()).or_insert_with(|| one.body.clone());
        assert_eq!(*first, one.body, "the same id says the same");
        if one.answered != Some(204) {
            continue; // it was not taken
        }
        if !ids.insert(one.id.clone()) {
            duplicates += 1;
            continue;
        }
        let data = &one.json()["data"];
        let status = data["status"].as_str().expect("a status").to_owned();
        let version = data["version"].as_u64().expect("a version");
        seen.entry(one.says().0).or_default().push((version, status));
    }
    (seen, duplicates)
}

/// For each comment, the states that the service holds: its first, and every change of it.
async fn states(desk: &Desk, service: &Service) -> BTreeMap<String, Vec<(u64, String)>> {
    let mut all = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = desk.get(&service.address, &format!("/v1/comments?site=news&limit=500{cursor}")).await;
        for item in page["items"].as_array().expect("a page has items") {
            let text = |name: &str| item[name].as_str().expect("a text").to_owned();
            let mut states = vec![(1, text("status"))];
            if item["version"] != 1 {
                let path = format!("/v1/comments/by-uid/{}/explanation", text("uid"));
                let history = desk.get(&service.address, &path).await["history"].clone();
                let history = history.as_array().expect("a history").iter().map(|one| {
                    (one["version"].as_u64().expect("a version"), one["status"].as_str().expect("a status").to_owned())
                });
                states = history.collect();
                states.dedup_by(|later, earlier| later.1 == earlier.1);
            }
            assert!(all.insert(text("id"), states).is_none(), "a comment is listed twice");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

async fn drained(desk: &Desk, service: &Service) {
    loop {
        let page = desk.get(&service.address, "/v1/outbox?limit=1").await;
        let items = page["items"].as_array().expect("a page has items");
        let Some(letter) = items.first() else { return };
        assert!(letter["dead_at"].is_null(), "nothing is given up: {letter}");
        tokio::time::sleep(Duration::from_millis(20)).await; // between two looks at the condition
    }
}

/// Comments not acknowledged yet, and what is known of the others: uid and version.
struct Work {
    offered: Mutex<VecDeque<String>>,
    known: Known,
    decided: Mutex<usize>,
}

type Known = Arc<Mutex<BTreeMap<String, (Value, Value)>>>;

impl Work {
    fn new() -> Self {
        let offered = (0..COMMENTS).map(|at| format!("c-{at}")).collect();
        Self { offered: Mutex::new(offered), known: Arc::default(), decided: Mutex::new(0) }
    }

    /// A round's share: what was not acknowledged before comes again.
    fn part(&self, round: usize) -> (Vec<String>, usize) {
        let most = (round + 1) * COMMENTS / ROUNDS;
        let part = self.rest().into_iter().take_while(|id| id[2..].parse().is_ok_and(|at: usize| at < most)).collect();
        (part, DECISIONS / ROUNDS)
    }

    fn rest(&self) -> Vec<String> {
        let known = self.known.lock().expect("no panic with it");
        let mut offered = self.offered.lock().expect("no panic with it");
        offered.retain(|id| !known.contains_key(id));
        offered.iter().cloned().collect()
    }

    fn decided(&self) -> usize {
        *self.decided.lock().expect("no panic with it")
    }
}

/// Posts comments as a batch and notes what is acknowledged, until so many are or the service dies.
async fn post(desk: &Desk, address: &str, ids: Vec<String>, known: &Known, most: usize) {
    let lines: String = ids.iter().map(|id| format!("{}\n", comment(id))).collect();
    let request = desk.client.post(format!("{address}/v1/comments/batch")).bearer_auth(&desk.key).body(lines);
    let Ok(answer) = request.send().await else { return };
    assert_eq!(answer.status(), 200);
    let (mut stream, mut rest, mut answers) = (answer.bytes_stream(), Vec::new(), 0);
    while let Some(Ok(bytes)) = stream.next().await {
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let answer: Value = serde_json::from_slice(&line).expect("an answer is a line of JSON");
            let id = answer["id"].as_str().unwrap_or_else(|| panic!("not taken: {answer}")).to_owned();
            known.lock().expect("no panic with it").insert(id, (answer["uid"].clone(), answer["version"].clone()));
            answers += 1;
            if answers == most {
                return;
            }
        }
    }
}

/// Decides so often about comments that are known, in turn for and against each.
async fn decide(desk: &Desk, address: &str, times: usize, work: &Work, seed: u64) {
    let mut dice = Dice(seed | 1);
    let mut left = times;
    while left > 0 {
        let picked = {
            let known = work.known.lock().expect("no panic with it");
            let at = dice.below(known.len().max(1));
            // Few of them, so that many are decided about more than once.
            known.iter().nth(at / 8).map(|(id, state)| (id.clone(), state.clone()))
        };
        let Some((id, (uid, version))) = picked else {
            tokio::task::yield_now().await;
            continue;
        };
        let action = if dice.below(2) == 0 { "approve" } else { "reject" };
        let body = json!({"items": [{"uid": uid, "seen_version": version}], "action": action});
        let request = desk.client.post(format!("{address}/v1/decisions")).bearer_auth(&desk.token).json(&body);
        let Ok(answer) = request.send().await else { return };
        let (status, Ok(body)) = (answer.status(), answer.json::<Value>().await) else { return };
        let next = match status.as_u16() {
            200 => {
                *work.decided.lock().expect("no panic with it") += 1;
                left -= 1;
                json!(version.as_u64().expect("a version") + 1)
            }
            409 => body["current"]["version"].clone(), // a decision before was applied, and its answer lost
            _ => panic!("{status}: {body}"),
        };
        work.known.lock().expect("no panic with it").insert(id, (uid, next));
    }
}

fn comment(id: &str) -> Value {
    let number: usize = id[2..].parse().expect("a number");
    let body = if number.is_multiple_of(3) {
        format!("buy viagra {id}")
    } else {
        format!("The crossing near house number {id} was dangerous for years, I am glad that it is mended.")
    };
    json!({
        "id": id,
        "article": {"id": "a-1", "title": "Council approves new cycle lanes"},
        "author": {"id": format!("u-{id}"), "name": "Anna"},
        "body": body,
    })
}

/// The receiver with its lives.
struct Receivers {
    port: u16,
    came: Arc<Mutex<Vec<Came>>>,
    living: Option<Receiver>,
}

impl Receivers {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        drop(listener);
        let mut receivers = Self { port, came: Arc::default(), living: None };
        receivers.live().await;
        receivers
    }

    /// Comes back where it was before. A third of the answers are failures; some come late.
    async fn live(&mut self) {
        if self.living.is_none() {
            let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("its port is free");
            let answers = |_: &Came, before: usize| match before % 12 {
                0 | 6 => Reply::Status(500),
                3 => Reply::Cut,
                9 => Reply::Status(429),
                1 | 7 => Reply::Late(204, Duration::from_millis(40)),
                4 => Reply::Late(204, Duration::from_millis(400)), // longer than an attempt may take
                _ => Reply::Status(204),
            };
            self.living = Some(Receiver::on(listener, Arc::clone(&self.came), Arc::new(answers)));
        }
    }

    fn die(&mut self) {
        self.living = None;
    }

    fn came(&self) -> Vec<Came> {
        self.came.lock().expect("no panic with it").clone()
    }

    fn count(&self) -> usize {
        self.came.lock().expect("no panic with it").len()
    }

    /// Waits until so many came; for ever while it is dead.
    async fn reach(&self, count: usize) {
        match &self.living {
            Some(receiver) => receiver.reached(count).await,
            None => std::future::pending().await,
        }
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is below")
    }
}

fn write_config(folder: &Path) -> PathBuf {
    let file = folder.join("config.toml");
    // What is drawn to check on the machine shows as held to people, and as what it is to the site.
    let text = "[limits]\nenabled = false\n[sampling]\nrate = 0.0\n[database]\nurl = \"sqlite:delivery.db\"\n[webhooks]\nundo_grace_s = 0\n\
                first_verdict = true\nallow_hosts = [\"127.0.0.1\"]\nper_site = 64\ntimeout_ms = 200\nbackoff_ms = 20\n\
                backoff_max_s = 1\npoll_ms = 20\n";
    std::fs::write(&file, text).expect("writable");
    file
}

/// Keys, and a client to use them with.
struct Desk {
    key: String,
    token: String,
    client: reqwest::Client,
}

impl Desk {
    fn make(config: &Path, url: &str) -> Self {
        let run = |arguments: &[&str]| -> Value {
            let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
            let output = command.arg("--config").arg(config).args(arguments).output().expect("the binary runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).expect("the record is JSON")
        };
        let key = run(&["site", "create", "news", "--webhook", url, "--json"])["key"].clone();
        run(&["user", "create", "ops@example.org", "--role", "operator", "--json"]);
        let token = run(&["token", "create", "ops@example.org", "--json"])["token"].clone();
        let text = |value: Value| value.as_str().expect("a text").to_owned();
        Self { key: text(key), token: text(token), client: reqwest::Client::new() }
    }

    async fn get(&self, address: &str, path: &str) -> Value {
        let request = self.client.get(format!("{address}{path}")).bearer_auth(&self.token);
        let answer = request.send().await.expect("the service answers");
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.expect("an answer is JSON")
    }
}

struct Service {
    process: Child,
    address: String,
}

impl Service {
    async fn start(config: &Path, client: &reqwest::Client) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let process = Command::new(env!("CARGO_BIN_EXE_doorward"))
            .arg("--config")
            .arg(config)
            .arg("serve")
            .env("DOORWARD__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut service = Self { process, address: format!("http://127.0.0.1:{port}") };
        loop {
            if let Ok(answer) = client.get(format!("{}/readyz", service.address)).send().await
                && answer.status() == 200
            {
                return service;
            }
            if let Some(status) = service.process.try_wait().expect("the process can be asked") {
                panic!("the service ended: {status}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
        }
    }

    fn kill(&mut self) {
        self.process.kill().expect("SIGKILL can be sent");
        self.process.wait().expect("the process can be waited for");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

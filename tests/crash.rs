//! What was acknowledged survives `kill -9`: the real binary, killed in the middle of batches at full speed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};

/// How often the service is killed.
const ROUNDS: usize = 20;
/// Lines offered in each round; the service is killed long before it has answered them all.
const OFFERED: usize = 4_000;

/// What a round's answers promised: id to uid, status and verdict.
type Promises = BTreeMap<String, (Value, Value, Value)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_comments_survive_kill_nine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = write_config(folder.path());
    let key = create_site(&config);
    let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
    let client = reqwest::Client::new();
    let mut promised = Promises::new();
    for round in 0..ROUNDS {
        let mut service = Service::start(&config, &client).await;
        // Another moment in every round: after the first answer, after hundreds, after thousands.
        let answers_before_kill = 1 + (round * 7_919) % 2_500;
        post_until_killed(&mut service, &client, &key, round, answers_before_kill, &mut promised).await;
    }
    let service = Service::start(&config, &client).await;
    let stored = list_all(&service, &client, &key).await;
    for (id, (uid, status, verdict)) in &promised {
        let found = stored.get(id).unwrap_or_else(|| panic!("{id} was acknowledged and is gone"));
        assert_eq!((&found["uid"], &found["status"], &found["verdict"]), (uid, status, verdict), "{id}");
    }
    let uids: BTreeSet<String> = stored.values().map(|comment| comment["uid"].to_string()).collect();
    assert_eq!(uids.len(), stored.len(), "a uid was given out twice");
    assert!(promised.len() > ROUNDS, "only {} answers were read: nothing was tried", promised.len());
    // What was acknowledged is recognised when it comes again.
    let again: Vec<String> = promised.keys().take(50).cloned().collect();
    for id in again {
        let answer = client.post(service.at("/v1/comments")).bearer_auth(&key).json(&comment(&id)).send().await;
        let answer = answer.expect("the service answers");
        assert_eq!(answer.status(), 200, "{id} was stored and is taken for new");
        assert_eq!(answer.headers()["idempotency-replayed"], "true");
    }
}

async fn post_until_killed(
    service: &mut Service,
    client: &reqwest::Client,
    key: &str,
    round: usize,
    answers_before_kill: usize,
    promised: &mut Promises,
) {
    let lines: String = (0..OFFERED).map(|at| format!("{}\n", comment(&format!("r{round}-{at}")))).collect();
    let request = client
        .post(service.at("/v1/comments/batch"))
        .bearer_auth(key)
        .header("content-type", "application/x-ndjson")
        .body(lines);
    let answer = request.send().await.expect("the batch begins");
    assert_eq!(answer.status(), 200);
    let mut stream = answer.bytes_stream();
    let mut rest = Vec::new();
    let mut answers = 0;
    // The stream ends in an error when the service dies; whole lines that arrived until then count.
    while let Some(Ok(bytes)) = stream.next().await {
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let answer: Value = serde_json::from_slice(&line).expect("an answer is a line of JSON");
            let id = answer["id"].as_str().unwrap_or_else(|| panic!("not taken: {answer}")).to_owned();
            promised.insert(id, (answer["uid"].clone(), answer["status"].clone(), answer["verdict"].clone()));
            answers += 1;
            if answers == answers_before_kill {
                service.kill();
            }
        }
    }
    assert!(answers >= answers_before_kill, "the batch ended after {answers} answers");
}

async fn list_all(service: &Service, client: &reqwest::Client, key: &str) -> BTreeMap<String, Value> {
    let mut stored = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/comments?limit=500{cursor}");
        let answer = client.get(service.at(&path)).bearer_auth(key).send().await.expect("the service answers");
        let page: Value = answer.json().await.expect("a page is JSON");
        for item in page["items"].as_array().expect("a page has items") {
            let id = item["id"].as_str().expect("a comment has an id").to_owned();
            assert!(stored.insert(id.clone(), item.clone()).is_none(), "{id} is stored twice");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return stored,
        }
    }
}

fn comment(id: &str) -> Value {
    json!({
        "id": id,
        "article": {"id": "a-1", "title": "Council approves new cycle lanes"},
        "author": {"id": format!("u-{}", id.len()), "name": "Anna"},
        "body": format!("The crossing near house number {id} was dangerous for years, I am glad that it is mended."),
    })
}

fn write_config(folder: &Path) -> PathBuf {
    let file = folder.join("config.toml");
    std::fs::write(&file, "[limits]\nenabled = false\n[database]\nurl = \"sqlite:crash.db\"\n").expect("writable");
    file
}

fn create_site(config: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_doorward"))
        .arg("--config")
        .arg(config)
        .args(["site", "create", "news", "--json"])
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let site: Value = serde_json::from_slice(&output.stdout).expect("the record is JSON");
    site["key"].as_str().expect("a site has a key").to_owned()
}

struct Service {
    process: Child,
    port: u16,
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
        let mut service = Self { process, port };
        loop {
            if let Ok(answer) = client.get(service.at("/readyz")).send().await
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

    fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
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

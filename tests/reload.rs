//! An operator's afternoon with the settings file, with the real binary: a change, a typing error, the way back, SIGHUP.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may end at any line")]
#![allow(clippy::disallowed_methods, reason = "whoever runs it says how fast comments come")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

const FIRST: &str =
    "# ours\n[database]\nurl = \"sqlite:afternoon.db\"\n[metrics]\ntoken = \"hush-hush\"\n[policy.spam]\nhold = 0.4\n";

struct Service {
    folder: tempfile::TempDir,
    process: Child,
    port: u16,
    log: Arc<Mutex<String>>,
    client: reqwest::Client,
    key: String,
}

impl Service {
    async fn start(text: &str, poll_ms: u32) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let made = command(&file).args(["site", "create", "news", "--json"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let site: Value = serde_json::from_slice(&made.stdout).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap().port();
        let mut process = command(&file)
            .arg("serve")
            .env("DOORWARD__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("DOORWARD__RELOAD__POLL_MS", poll_ms.to_string())
            .env("DOORWARD__SAMPLING__RATE", "0.0")
            .env("NO_COLOR", "1") // or the log cannot be searched
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, into) = (BufReader::new(process.stderr.take().unwrap()).lines(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *into.lock().unwrap() += &format!("{line}\n");
            }
        });
        let key = site["key"].as_str().unwrap().to_owned();
        // A service closes connections that are idle for five seconds. This thread may wait for a command for longer, and would not hear of it before it
        // sends on such a connection.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let service = Self { folder, process, port, log, client, key };
        service.until("it is ready", async || service.client.get(service.at("/readyz")).send().await.is_ok()).await;
        service
    }

    fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// Puts another text into the place of the settings file, at once and with its permissions: looks at a file that is being written may find it empty,
    /// and twice the same.
    fn write(&self, text: &str) {
        let beside = self.folder.path().join("config.toml.new");
        std::fs::write(&beside, text).unwrap();
        std::fs::set_permissions(&beside, self.file().metadata().unwrap().permissions()).unwrap();
        std::fs::rename(beside, self.file()).unwrap();
    }

    async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let waited = async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
            }
        };
        let waited = tokio::time::timeout(Duration::from_mins(1), waited).await;
        assert!(waited.is_ok(), "waited in vain: {what}\n{}", self.log.lock().unwrap());
    }

    async fn logged(&self, what: &str) {
        self.until(what, async || self.log.lock().unwrap().contains(what)).await;
    }

    async fn ready(&self) -> Value {
        self.client.get(self.at("/readyz")).send().await.unwrap().json().await.unwrap()
    }

    async fn metrics(&self) -> String {
        self.client.get(self.at("/metrics")).bearer_auth("hush-hush").send().await.unwrap().text().await.unwrap()
    }

    async fn metrics_here(&self) -> String {
        self.client.get(self.at("/metrics")).send().await.unwrap().text().await.unwrap()
    }

    /// Under which configuration a comment is judged now.
    async fn policy(&self, id: &str) -> String {
        let comment = json!({"id": id, "article": {"id": "a"}, "body": format!("I liked the part about {id} most.")});
        let answer =
            self.client.post(self.at("/v1/comments")).bearer_auth(&self.key).json(&comment).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json::<Value>().await.unwrap()["verdict"]["policy"].as_str().unwrap().to_owned()
    }

    fn hang_up(&self) {
        let sent = Command::new("kill").args(["-HUP", &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn run(&self, arguments: &[&str]) -> Output {
        command(&self.file()).args(arguments).output().unwrap()
    }

    fn said(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Versions that were taken, latest first.
    fn taken(&self) -> Vec<Value> {
        self.said(&["config", "list", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What decisions under a file that says this name.
fn policy_of(text: &str) -> String {
    doorward::config::Config::parse(text, "").unwrap().hash()
}

fn command(file: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.arg("--config").arg(file);
    command
}

#[tokio::test]
async fn a_change_a_typing_error_and_the_way_back() {
    let service = Service::start(FIRST, 20).await;
    let first = service.policy("one").await;
    // Tightened for a wave.
    let second = FIRST.replace("0.4", "0.2 # the wave of today");
    service.write(&second);
    service.logged("settings taken").await;
    assert!(service.log.lock().unwrap().contains("changed=\"policy.spam.hold\""));
    let tight = service.policy("two").await;
    assert_ne!(tight, first);
    // A typing error: everything else in the file is good, and none of it is taken.
    service.write(&second.replace("0.2", "0.1").replace("hold", "hodl"));
    service.logged("the settings file is refused").await;
    assert!(service.log.lock().unwrap().contains("config.toml:7:1: unknown field `hodl`"));
    assert_eq!(service.policy("three").await, tight);
    assert_eq!(service.ready().await["config"], "refused");
    let metrics = service.metrics().await;
    assert!(
        metrics.contains("doorward_config_refused 1") && metrics.contains("doorward_config_refused_total 1"),
        "{metrics}"
    );
    let listed = service.said(&["config", "list"]);
    assert!(listed.contains("cannot be used") && listed.contains("hodl"), "{listed}");
    // What there was, and what changed; the secret in none of it.
    let taken = service.taken();
    assert_eq!(taken.iter().map(|one| one["how"].clone()).collect::<Vec<_>>(), [json!("file"), json!("start")]);
    assert_eq!((&taken[0]["policy"], &taken[1]["policy"]), (&json!(tight), &json!(first)));
    let (later, earlier) = (taken[0]["version"].as_str().unwrap(), taken[1]["version"].as_str().unwrap());
    assert_eq!(service.said(&["config", "show", &later[..8]]), second.replace("hush-hush", "[redacted]"));
    let diff = service.said(&["config", "diff", earlier, later]);
    assert!(diff.contains("\n-hold = 0.4\n+hold = 0.2 # the wave of today\n"), "{diff}");
    // Back to how it began, by the hash that a decision names: with the secret, and the file's own permissions.
    let back = service.said(&["config", "rollback", &first]);
    assert!(back.contains(earlier), "{back}");
    assert_eq!(std::fs::read_to_string(service.file()).unwrap(), FIRST);
    assert_eq!(service.file().metadata().unwrap().permissions().mode() & 0o777, 0o640);
    service.until("it is taken", async || service.ready().await["config"] == "ready").await;
    assert_eq!(service.policy("four").await, first);
    assert!(service.metrics().await.contains("doorward_config_refused 0"));
    service.until("it is kept", async || service.taken().len() == 4).await;
    let taken = service.taken();
    let how: Vec<_> =
        taken.iter().map(|one| (one["how"].as_str().unwrap(), one["version"].as_str().unwrap())).collect();
    // The command writes the file and then notes what it did, and the service may take it in between.
    let mut latest = how[..2].to_vec();
    latest.sort_unstable();
    assert_eq!(latest, [("file", earlier), ("rollback", earlier)]);
    let audit = service.said(&["audit", "export"]);
    assert!(audit.contains("config.rollback") && audit.contains(earlier));
}

#[tokio::test]
async fn the_way_back_is_refused_where_it_leads_nowhere() {
    let service = Service::start(FIRST, 20).await;
    let refused = |arguments: &[&str]| {
        let output = service.run(arguments);
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(refused(&["config", "rollback", "0123"]).1.contains("no version 0123 was ever taken"));
    let begun = service.taken()[0]["version"].as_str().unwrap().to_owned();
    // The file has no secret any more that the version had.
    let without = FIRST.replace("token = \"hush-hush\"\n", "");
    service.write(&without);
    let (code, said) = refused(&["config", "rollback", &begun]);
    assert!(code == 2 && said.contains("metrics.token"), "{code}: {said}");
    assert_eq!(std::fs::read_to_string(service.file()).unwrap(), without, "nothing was written");
}

#[tokio::test]
async fn a_missing_quote_does_not_stand_in_the_way_back() {
    let service = Service::start(&format!("{FIRST}[log]\nlevel = \"info\"\n"), 20).await;
    let begun = service.taken()[0]["version"].as_str().unwrap().to_owned();
    let first = std::fs::read_to_string(service.file()).unwrap();
    service.write(&first.replace("\"info\"", "\"info"));
    service.logged("the settings file is refused").await;
    service.said(&["config", "rollback", &begun]);
    assert_eq!(std::fs::read_to_string(service.file()).unwrap(), first, "with its secret");
    // In the secret itself: nobody can tell what it is.
    let broken = first.replace("hush-hush\"", "hush-hush");
    service.write(&broken);
    let output = service.run(&["config", "rollback", &begun]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(2) && said.contains("is not TOML") && said.contains("metrics.token"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(service.file()).unwrap(), broken, "nothing was written");
}

#[tokio::test]
async fn the_way_back_leads_to_the_lists_of_then() {
    let lists =
        "[lists.bad]\nkind = \"hosts\"\nfile = \"bad.txt\"\n[lists.worse]\nkind = \"hosts\"\nfile = \"worse.txt\"\n";
    let service = Service::start(FIRST, 20).await;
    let at = |name: &str| service.folder.path().join(name);
    for name in ["bad.txt", "worse.txt"] {
        std::fs::write(at(name), "one.example\n").unwrap();
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    service.write(&format!("{FIRST}{lists}"));
    service.until("it is kept", async || service.taken().len() == 2).await;
    let then = service.taken()[0].clone();
    let (version, policy) = (then["version"].as_str().unwrap(), then["policy"].as_str().unwrap());
    service.write(FIRST);
    service.until("it is kept", async || service.taken().len() == 3).await;
    // What lies there now is no list of hosts any more, and the other one is gone.
    std::fs::write(at("bad.txt"), "no host at all\n").unwrap();
    std::fs::remove_file(at("worse.txt")).unwrap();
    service.said(&["config", "rollback", version]);
    for name in ["bad.txt", "worse.txt"] {
        assert_eq!(std::fs::read_to_string(at(name)).unwrap(), "one.example\n");
    }
    let mode = |name: &str| at(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("bad.txt"), mode("worse.txt")), (0o600, 0o640), "its own, and that of the settings");
    service.until("it is taken", async || service.taken().len() == 5).await;
    for taken in &service.taken()[..2] {
        assert_eq!((&taken["version"], &taken["policy"]), (&json!(version), &json!(policy)), "the very same");
    }
    assert_eq!(service.policy("one").await, policy);
}

#[tokio::test]
async fn by_signal_alone_where_nobody_looks_and_what_needs_a_start_is_said() {
    let service = Service::start(FIRST, 0).await;
    let first = service.policy("one").await;
    let text = FIRST.replace("0.4", "0.3") + "[log]\nlevel = \"debug\"\nformat = \"json\"\n";
    service.write(&text);
    assert_eq!(service.policy("two").await, first, "nobody looked");
    service.hang_up();
    service.logged("settings taken").await;
    assert_ne!(service.policy("three").await, first);
    service.logged("settings take effect at the next start settings=\"log.format\"").await;
    service.logged("DEBUG").await; // the level is another one at once
    assert_eq!(service.ready().await["config"], "waiting");
    assert!(service.metrics().await.contains("doorward_config_waiting 1"));
    service.until("it is kept", async || service.taken().len() == 2).await;
    assert_eq!(service.taken()[0]["how"], "signal");
    assert!(service.said(&["config", "list"]).contains("takes effect at the next start: log.format"));
    service.hang_up();
    service.logged("nothing changed").await;
    assert_eq!(service.taken().len(), 2);
}

#[tokio::test]
async fn an_operator_has_more_logged_for_a_time_and_then_it_is_as_before() {
    let service = Service::start(&format!("{FIRST}[log]\nformat = \"json\"\n"), 0).await;
    service.said(&["user", "create", "op@example.org", "--role", "operator"]);
    let token: Value = serde_json::from_str(&service.said(&["token", "create", "op@example.org", "--json"])).unwrap();
    let token = token["token"].as_str().unwrap();
    let ask = async |method: reqwest::Method, body: Option<Value>| {
        let request = service.client.request(method, service.at("/v1/log-level")).bearer_auth(token);
        let request = if let Some(body) = &body { request.json(body) } else { request };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let alive = async || assert_eq!(service.client.get(service.at("/healthz")).send().await.unwrap().status(), 200);
    alive().await; // of which nobody hears
    let (status, levels) =
        ask(reqwest::Method::PUT, Some(json!({"level": "info,doorward::http=debug", "for_s": 600}))).await;
    assert_eq!((status, &levels["level"]), (200, &json!("info,doorward::http=debug")));
    assert!(levels["until"].is_string() && levels["settings"] == "info", "{levels}");
    alive().await;
    service.logged("/healthz").await;
    for (body, field) in [
        (json!({"level": "doorward=loud"}), "level"),
        (json!({"level": "debug", "for_s": 0}), "for_s"),
        (json!({"level": "debug", "for_s": 86_401}), "for_s"),
    ] {
        let (status, problem) = ask(reqwest::Method::PUT, Some(body)).await;
        assert_eq!((status, &problem["field"]), (422, &json!(field)));
    }
    let (_, levels) = ask(reqwest::Method::DELETE, None).await;
    assert_eq!(levels, json!({"level": "info", "until": null, "settings": "info"}));
    alive().await; // of which nobody hears
    // A second is over soon; that it is over is a line in the log, and so the last that is waited for.
    ask(reqwest::Method::PUT, Some(json!({"level": "info", "for_s": 1}))).await;
    service.logged("the log is back at the level of the settings").await;
    let log = service.log.lock().unwrap().clone();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect();
    let heard = lines.iter().filter(|line| line["fields"]["route"] == "/healthz").count();
    assert_eq!(heard, 1, "only while it was asked for: {log}");
    let audit = service.said(&["audit", "export"]);
    assert!(audit.contains("log.level") && audit.contains("for 600 s"), "{audit}");
}

/// Comments a second that are sent while the file changes, unless the machine takes fewer: what a build for debugging keeps up with.
/// `scripts/soak-reload` asks for more.
const RATE: f64 = 150.0;
/// How often the file changes meanwhile.
const CHANGES: usize = 100;
/// Comments that each of these judges before the next one, at least.
const EACH: usize = 3;
/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that send.
const SENDERS: u32 = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_request_fails_and_each_answer_names_one_whole_configuration() {
    // Limits, a prior and a weight, all different: an answer that mixes them shows it.
    let text = |name: &str, prior: f64, weight: f64| {
        format!(
            "[database]\nurl = \"sqlite:afternoon.db\"\n[policy.spam]\nprior = {prior:?}\nreject = 1.0\n[signals.limit_reached]\n\
             weight = {weight:?}\n[[limits.policies]]\nname = \"{name}\"\nkey = \"site\"\nquota = 1\nwindow_s = 4000000\n\
             on_limit = \"hold\"\n"
        )
    };
    let (lenient, strict) = (text("lenient", -9.0, 0.5), text("strict", 9.0, 0.25));
    let service = Arc::new(Service::start(&lenient, 20).await);
    let (first, second) = (service.policy("taken-by-the-limits").await, policy_of(&strict));
    let asked = std::env::var("DOORWARD_RELOAD_RATE").ok().map(|rate| rate.parse::<f64>().expect("comments a second"));
    let rate = asked.unwrap_or(RATE);
    let stop = Arc::new(AtomicBool::new(false));
    let begun = tokio::time::Instant::now();
    // The change after which a comment was sent, and the configuration that judged it: how many there were.
    let (written, under) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(HashMap::<(usize, String), usize>::new())));
    let client = reqwest::Client::new(); // here nothing keeps connections idle, and there are many requests
    let send = |sender: u32| {
        let (service, stop, client) = (Arc::clone(&service), Arc::clone(&stop), client.clone());
        let (written, under) = (Arc::clone(&written), Arc::clone(&under));
        tokio::spawn(async move {
            // One after the other: together they would come in bursts, which may keep time with the changes.
            let first = begun + Duration::from_secs_f64(f64::from(sender) / rate);
            let mut pace = tokio::time::interval_at(first, Duration::from_secs_f64(f64::from(SENDERS) / rate));
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                pace.tick().await;
                let id = format!("s{sender}-{}", answers.len());
                let body = format!("What {id} said of the bridge and the tram.");
                let comment = json!({"id": id, "article": {"id": "a"}, "body": body});
                let after = written.load(Ordering::SeqCst);
                let asked = client.post(service.at("/v1/comments")).bearer_auth(&service.key).json(&comment);
                let answer = asked.timeout(PATIENCE).send().await.expect("it answers");
                assert_eq!(answer.status(), 201);
                let answer: Value = answer.json().await.expect("the answer is whole");
                let policy = answer["verdict"]["policy"].as_str().expect("it is judged").to_owned();
                *under.lock().unwrap().entry((after, policy)).or_default() += 1;
                answers.push(answer);
            }
            answers
        })
    };
    let senders: Vec<_> = (0..SENDERS).map(send).collect();
    for change in 1..=CHANGES {
        let (text, policy) = if change % 2 == 1 { (&strict, &second) } else { (&lenient, &first) };
        service.write(text);
        written.store(change, Ordering::SeqCst);
        // What was sent before may be answered only now: it says nothing of this change.
        let sent_since = (change, policy.clone());
        let judged = async || under.lock().unwrap().get(&sent_since).is_some_and(|count| *count >= EACH);
        service.until("comments are judged by it", judged).await;
    }
    stop.store(true, Ordering::Relaxed);
    let passed = begun.elapsed().as_secs_f64();
    let (mut count, mut within) = (0, 0);
    for answers in futures_util::future::join_all(senders).await {
        for answer in answers.expect("no request failed") {
            let verdict = &answer["verdict"];
            let is_lenient = verdict["policy"] == first.as_str();
            assert!(
                is_lenient || verdict["policy"] == second.as_str(),
                "a configuration that there never was: {answer}"
            );
            let (name, prior, weight) = if is_lenient { ("lenient", -9.0, 0.5) } else { ("strict", 9.0, 0.25) };
            assert_eq!(verdict["prior"]["spam"], json!(prior), "{answer}");
            let signals = verdict["signals"].as_array().unwrap();
            let reached = signals.iter().find(|signal| signal["id"] == "limit-reached");
            count += 1;
            let Some(reached) = reached else {
                within += 1;
                continue;
            };
            assert_eq!(reached["log_odds"], json!(weight), "{answer}");
            assert!(reached["evidence"].as_str().unwrap().contains(&format!("`{name}`")), "{answer}");
            assert_eq!(answer["status"], "held", "{answer}");
        }
    }
    assert!(within <= CHANGES, "a policy of another name lets its quota of one through, and no more: {within}");
    let achieved = f64::from(u32::try_from(count).unwrap()) / passed;
    println!("{count} comments in {passed:.1} s, {achieved:.0}/s, {CHANGES} changes");
    if let Some(asked) = asked {
        // Whoever asks for so many wants to know that it was so many.
        assert!(achieved >= asked * 0.95, "{asked} comments a second were asked for, and {achieved:.0} were sent");
    }
    // Comments are judged by the last one a moment before it is counted.
    let counted = format!("doorward_config_taken_total{{how=\"file\"}} {CHANGES}\n");
    service.until("all changes are counted", async || service.metrics_here().await.contains(&counted)).await;
}

//! A host: a folder with settings, and a service that may run from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// A program that ends.
pub(crate) fn doorward(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.arg("--config").arg(config).args(arguments).stdin(Stdio::null());
    command
}

/// What it printed.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// See the module.
pub(crate) struct Host {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: PathBuf,
    pub(crate) client: Client,
}

impl Host {
    /// One that has nothing yet.
    pub(crate) fn bare() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("config.toml");
        let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
        // A service closes connections that are idle for five seconds. A thread that waits for a command for longer would not hear of it before it sends on
        // such a connection.
        let client = Client::builder().pool_max_idle_per_host(0).build().expect("a client");
        Self { folder, config, client }
    }

    /// One with these settings.
    pub(crate) fn with(settings: &str) -> Self {
        let host = Self::bare();
        std::fs::write(&host.config, settings).expect("writable");
        host
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        doorward(&self.config, arguments).output().expect("the binary runs")
    }

    /// What it printed, when it is done well.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        said(&output)
    }

    /// What it printed, when it was refused with that exit code.
    pub(crate) fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        said(&output)
    }

    /// The record that it answered with.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
    }

    /// A new site's key.
    pub(crate) fn site(&self, name: &str) -> String {
        self.json(&["site", "create", name, "--json"])["key"].as_str().expect("a site has a key").to_owned()
    }

    /// A service that answers.
    pub(crate) async fn start(&self) -> Service {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).expect("a log");
        let mut command = doorward(&self.config, &["serve"]);
        command.env("DOORWARD__SERVER__LISTEN", format!("127.0.0.1:{port}")).stdout(Stdio::null()).stderr(log);
        command.env("NO_COLOR", "1").env("DOORWARD__RELOAD__POLL_MS", "20");
        command.env("DOORWARD__SAMPLING__RATE", "0.0"); // or one ordinary comment in a hundred would wait for a person
        let mut service = Service { process: command.spawn().expect("the binary runs"), port };
        loop {
            let ready = self.client.get(service.at("/readyz")).send().await;
            if ready.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return service;
            }
            if let Some(status) = service.process.try_wait().expect("the process can be asked") {
                let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
                panic!("the service ended: {status}: {log}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
        }
    }

    /// A person's token.
    pub(crate) fn person(&self, email: &str, role: &str) -> String {
        self.done(&["user", "create", email, "--role", role]);
        self.json(&["token", "create", email, "--json"])["token"].as_str().expect("a token").to_owned()
    }

    /// What the service wrote into its log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until something is so; the log is told when that takes too long.
    pub(crate) async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let waited = async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(10)).await; // between two looks at the condition
            }
        };
        let waited = tokio::time::timeout(Duration::from_mins(2), waited).await;
        assert!(waited.is_ok(), "waited in vain: {what}\n{}", self.log());
    }

    /// Configurations that were taken, latest first.
    pub(crate) fn taken(&self) -> Vec<Value> {
        let listed = self.done(&["config", "list", "--json"]);
        listed.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// Writes the settings as an editor does: a service that looks twice while they are written in place may find the same empty file.
    pub(crate) fn write(&self, settings: &str) {
        let beside = self.path("config.toml.new");
        std::fs::write(&beside, settings).expect("writable");
        std::fs::rename(beside, &self.config).expect("writable");
    }

    /// Writes the settings, and waits until the service has taken them.
    pub(crate) async fn change(&self, settings: &str) {
        self.write(settings);
        let listed = || self.done(&["config", "list", "--most", "1"]);
        let says = |listed: &str| {
            let version = listed.split_whitespace().nth(1).map(str::to_owned).unwrap_or_default();
            listed.trim_end().ends_with(&format!(" says {version}."))
        };
        self.until("the settings are taken", async || says(&listed())).await;
    }

    /// As the site; the comment must be new.
    pub(crate) async fn post(&self, service: &Service, key: &str, comment: &Value) -> Value {
        let answer = self.client.post(service.at("/v1/comments")).bearer_auth(key).json(comment).send().await;
        let answer = answer.expect("the service answers");
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json().await.expect("JSON")
    }

    /// As a person; the answer must be 200.
    pub(crate) async fn ask(&self, service: &Service, token: &str, path: &str, body: Option<&Value>) -> Value {
        let request = match body {
            Some(body) => self.client.post(service.at(path)).json(body),
            None => self.client.get(service.at(path)),
        };
        let answer = request.bearer_auth(token).send().await.expect("the service answers");
        let status = answer.status();
        let text = answer.text().await.expect("text");
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// A person's decision about these comments.
    pub(crate) async fn decide(&self, service: &Service, token: &str, comments: &[Value], action: &str) {
        let items: Vec<Value> =
            comments.iter().map(|comment| json!({"uid": comment["uid"], "seen_version": comment["version"]})).collect();
        let decided = self.ask(service, token, "/v1/decisions", Some(&json!({"items": items, "action": action}))).await;
        assert_eq!(decided["applied"].as_array().map(Vec::len), Some(comments.len()), "{decided}");
    }

    /// Every comment of a site, by its id.
    pub(crate) async fn comments(&self, service: &Service, key: &str) -> BTreeMap<String, Value> {
        let mut stored = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/comments?limit=500{cursor}");
            let answer = self.client.get(service.at(&path)).bearer_auth(key).send().await.expect("the service answers");
            let page: Value = answer.json().await.expect("a page is JSON");
            for item in page["items"].as_array().unwrap_or_else(|| panic!("{page}")) {
                stored.insert(item["id"].as_str().expect("a comment has an id").to_owned(), item.clone());
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return stored,
            }
        }
    }
}

/// A comment that nobody has anything against.
pub(crate) fn comment(id: &str) -> Value {
    json!({
        "id": id,
        "article": {"id": "a-1", "title": "Council approves new cycle lanes"},
        "author": {"id": format!("u-{id}"), "name": "Anna"},
        "body": format!("The crossing near house number {id} was dangerous for years, I am glad that it is mended."),
    })
}

/// What somebody says about `word`, in words of their own: a wave of these is no campaign, for nothing in them is alike but the word.
pub(crate) fn about(id: &str, word: &str) -> Value {
    const WORDS: [&str; 48] = [
        "river",
        "bridge",
        "market",
        "council",
        "tram",
        "school",
        "library",
        "garden",
        "winter",
        "summer",
        "neighbour",
        "street",
        "morning",
        "evening",
        "traffic",
        "budget",
        "museum",
        "harbour",
        "station",
        "ticket",
        "lantern",
        "kitchen",
        "window",
        "promise",
        "letter",
        "village",
        "doctor",
        "teacher",
        "baker",
        "driver",
        "pilot",
        "sailor",
        "forest",
        "mountain",
        "island",
        "festival",
        "orchestra",
        "theatre",
        "painter",
        "novel",
        "journal",
        "editor",
        "lawyer",
        "tenant",
        "landlord",
        "balcony",
        "chimney",
        "puddle",
    ];
    let mut state = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        WORDS[usize::try_from(state % WORDS.len() as u64).expect("small")]
    };
    let [first, second, third, fourth, mine, lost, here, there] = std::array::from_fn(|_| next());
    json!({
        "id": id,
        "article": {"id": "lanes", "title": "Council approves cycle lanes", "section": "city", "lang": "en",
            "text": "The lanes along the river connect the station with the harbour. The council voted on Tuesday."},
        "author": {"id": format!("u-{id}"), "name": "Anna"},
        "body": format!("I think the {first} matters more than the {second}, {third} or {fourth}. My {mine} once lost a {lost} between {here} and {there}, and the {word} was there."),
    })
}

/// A running service; it ends with this.
pub(crate) struct Service {
    pub(crate) process: Child,
    pub(crate) port: u16,
}

impl Service {
    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Asks it to look at its settings, as `systemctl reload` does.
    pub(crate) fn hang_up(&self) {
        let sent = Command::new("kill").args(["-HUP", &self.process.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A PostgreSQL of the test's own, which stops when it is dropped.
pub(crate) struct Postgres {
    pub(crate) url: String,
    folder: tempfile::TempDir,
}

impl Postgres {
    /// `None`, and said so, where none is installed and none required.
    #[expect(clippy::print_stderr, clippy::disallowed_methods, reason = "it says what it skips, and whether it may")]
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("doorward-postgres").tempdir().expect("a temporary folder");
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755); // the server runs as another user where this one is root
        std::fs::set_permissions(folder.path(), everybody).expect("ours");
        let mut postgres = Self { url: String::new(), folder };
        let started = postgres.script("start");
        if started.status.code() == Some(3) {
            let required = std::env::var("DOORWARD_POSTGRES").as_deref() == Ok("required");
            assert!(!required, "postgresql is missing, and required");
            eprintln!("SKIPPED: postgresql is not installed");
            return None;
        }
        assert!(started.status.success(), "{}", said(&started));
        let url = String::from_utf8(started.stdout).expect("an address is text");
        url.trim().clone_into(&mut postgres.url);
        Some(postgres)
    }

    fn script(&self, what: &str) -> Output {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/private-postgres");
        Command::new(script).arg(what).arg(self.folder.path().join("postgres")).output().expect("bash is there")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.script("stop");
    }
}

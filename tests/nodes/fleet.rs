//! Nodes, their database and their Redis: started, killed and started again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::LIMIT;
use crate::load::until;

/// A program that is not installed.
pub(crate) struct Missing(pub(crate) &'static str);

/// See the module.
pub(crate) struct Fleet {
    folder: TempDir,
    config: PathBuf,
    nodes: Vec<Node>,
    /// Which one is stopped where it stands, as by a machine that hangs.
    paused: Mutex<Option<usize>>,
    redis: Mutex<Option<Child>>,
    redis_port: Option<u16>,
    key: String,
    token: String,
    client: reqwest::Client,
}

struct Node {
    process: Mutex<Option<Child>>,
    port: u16,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn private_postgres(what: &str, folder: &Path) -> Result<String, Missing> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/private-postgres");
    let output = Command::new(script).arg(what).arg(folder.join("postgres")).output().expect("bash is there");
    if output.status.code() == Some(3) {
        return Err(Missing("postgresql"));
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout).expect("an address is text").trim().to_owned())
}

impl Fleet {
    /// With Redis, if there is one and it `shares`.
    pub(crate) async fn start(nodes: usize, hooks: &str, shares: bool) -> Result<Self, Missing> {
        let folder = tempfile::Builder::new().prefix("doorward-nodes").tempdir().expect("a temporary folder");
        #[cfg(unix)]
        {
            // The server runs as another user where this one is root.
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        let has_redis = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok();
        assert!(
            has_redis || std::env::var("DOORWARD_REDIS").as_deref() != Ok("required"),
            "redis-server is missing, and required"
        );
        let postgres = private_postgres("start", folder.path())?;
        let redis_port = (has_redis && shares).then(free_port);
        let mut text = format!(
            "[database]\nurl = \"{postgres}\"\nconnections = 12\nbusy_timeout_ms = 2000\n[webhooks]\nundo_grace_s = 0\n\
             first_verdict = true\nallow_hosts = [\"127.0.0.1\"]\nper_site = 64\ntimeout_ms = 1000\nbackoff_ms = 20\nbackoff_max_s = 1\n\
             poll_ms = 50\n[sampling]\nrate = 0.0\n[reload]\npoll_ms = 0\n[[limits.policies]]\nname = \"per-author\"\nkey = \"author\"\nquota = {LIMIT}\nwindow_s = 3600\non_limit = \"refuse\"\n\
             routes = [\"comment\"]\ntiers = [\"new\"]\n"
        );
        if let Some(port) = redis_port {
            // On a machine with little to spare an answer may take longer than the default lets it, and this is about numbers. No longer than clients wait:
            // what has been told when Redis goes waits for its turn for as long as this.
            text += &format!("[shared]\nurl = \"redis://127.0.0.1:{port}/0\"\ntimeout_ms = 10000\n");
        }
        let config = folder.path().join("config.toml");
        std::fs::write(&config, text).expect("writable");
        let command = |arguments: &[&str]| -> Value {
            let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
            let output = command.arg("--config").arg(&config).args(arguments).output().expect("the binary runs");
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).expect("the record is JSON")
        };
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let key = text(&command(&["site", "create", "news", "--webhook", hooks, "--json"])["key"]);
        command(&["user", "create", "ops@example.org", "--role", "operator", "--json"]);
        let token = text(&command(&["token", "create", "ops@example.org", "--json"])["token"]);
        let nodes = (0..nodes).map(|_| Node { process: Mutex::new(None), port: free_port() }).collect();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
        let (paused, redis) = (Mutex::new(None), Mutex::new(None));
        let fleet = Self { folder, config, nodes, paused, redis, redis_port, key, token, client };
        fleet.start_redis().await;
        for node in 0..fleet.nodes.len() {
            fleet.begin(node);
        }
        fleet.all_ready().await;
        Ok(fleet)
    }

    pub(crate) const fn shares_limits(&self) -> bool {
        self.redis_port.is_some()
    }

    fn begin(&self, node: usize) {
        let node = &self.nodes[node];
        let log = self.folder.path().join(format!("{}.log", node.port));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("writable");
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.arg("--config").arg(&self.config).arg("serve");
        command.env("DOORWARD__SERVER__LISTEN", format!("127.0.0.1:{}", node.port));
        let process = command.stdout(log.try_clone().expect("a file")).stderr(log).spawn().expect("the binary runs");
        *node.process.lock().unwrap() = Some(process);
    }

    /// Kills a node, and starts it again at once. One that is paused is left alone.
    pub(crate) fn kill(&self, node: usize) {
        if *self.paused.lock().unwrap() == Some(node) {
            return;
        }
        if let Some(mut process) = self.nodes[node].process.lock().unwrap().take() {
            process.kill().expect("SIGKILL can be sent");
            process.wait().expect("the process can be waited for");
        }
        self.begin(node);
    }

    /// Adds to the settings file, of which all nodes have the same, and has one of them read it.
    pub(crate) fn add_settings(&self, text: &str, node: usize) {
        let before = std::fs::read_to_string(&self.config).expect("readable");
        std::fs::write(&self.config, format!("{before}{text}")).expect("writable");
        self.signal(node, "-HUP");
    }

    /// Stops a node where it stands: its connections stay, and nothing on it goes on. Nobody is sent there until it goes on.
    pub(crate) fn pause(&self, node: usize) {
        *self.paused.lock().unwrap() = Some(node);
        self.signal(node, "-STOP");
    }

    /// Lets the node that is paused go on.
    pub(crate) fn go_on(&self) {
        if let Some(node) = self.paused.lock().unwrap().take() {
            self.signal(node, "-CONT");
        }
    }

    fn signal(&self, node: usize, signal: &str) {
        // As long as nobody waited for the process, its number is nobody else's.
        let process = self.nodes[node].process.lock().unwrap();
        let number = process.as_ref().expect("it was begun").id().to_string();
        let sent = Command::new("kill").args([signal, &number]).status().expect("kill is there");
        assert!(sent.success(), "{signal} to a node");
    }

    /// Waits until all nodes take comments. One that ended by itself, because the database was away when it began, is started again, as whatever
    /// watches over processes would.
    pub(crate) async fn all_ready(&self) {
        for node in 0..self.nodes.len() {
            let ready = async || {
                let ended = self.nodes[node]
                    .process
                    .lock()
                    .unwrap()
                    .as_mut()
                    .is_none_or(|one| !matches!(one.try_wait(), Ok(None)));
                if ended {
                    self.begin(node);
                }
                matches!(self.client.get(self.at(node, "/readyz")).send().await, Ok(answer) if answer.status() == 200)
            };
            until("all nodes are ready", ready).await;
        }
    }

    /// Stops the database at once, as a crash would, and starts it again.
    pub(crate) fn crash_postgres(&self) {
        assert!(private_postgres("restart", self.folder.path()).is_ok());
    }

    pub(crate) fn stop_redis(&self) {
        if let Some(mut redis) = self.redis.lock().unwrap().take() {
            redis.kill().expect("SIGKILL can be sent");
            redis.wait().expect("the process can be waited for");
        }
    }

    pub(crate) async fn start_redis(&self) {
        let Some(port) = self.redis_port else { return };
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let redis = command.current_dir(self.folder.path()).stdout(Stdio::null()).spawn().expect("redis-server runs");
        *self.redis.lock().unwrap() = Some(redis);
        let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        until("redis-server listens", listens).await;
    }

    fn at(&self, node: usize, path: &str) -> String {
        let node = node % self.nodes.len();
        // A balancer that asks nodes whether they are there sends nobody to one that does not answer.
        let is_paused = *self.paused.lock().unwrap() == Some(node);
        format!("http://127.0.0.1:{}{path}", self.nodes[(node + usize::from(is_paused)) % self.nodes.len()].port)
    }

    /// Asks a node as the site. In an answer 503, `retry_after` is what its header says.
    pub(crate) async fn ask(
        &self,
        node: usize,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<(u16, Value)> {
        self.ask_with(&self.key, node, method, path, body).await
    }

    /// Asks a node as a person.
    pub(crate) async fn ask_as_person(
        &self,
        node: usize,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<(u16, Value)> {
        self.ask_with(&self.token, node, method, path, body).await
    }

    async fn ask_with(
        &self,
        bearer: &str,
        node: usize,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<(u16, Value)> {
        let mut request = self.client.request(method, self.at(node, path)).bearer_auth(bearer);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, retry_after) = (answer.status().as_u16(), answer.headers().get("retry-after").cloned());
        let mut said: Value = answer.json().await?;
        if let Some(after) = retry_after {
            said["retry_after"] = json!(after.to_str().expect("a header"));
        }
        Ok((status, said))
    }

    /// What a node wrote.
    pub(crate) fn log(&self, node: usize) -> String {
        let log = self.folder.path().join(format!("{}.log", self.nodes[node].port));
        std::fs::read_to_string(log).unwrap_or_default()
    }

    /// A node's metrics.
    pub(crate) async fn metrics(&self, node: usize) -> reqwest::Result<String> {
        self.client.get(self.at(node, "/metrics")).send().await?.text().await
    }

    /// Listens to what happens in the queue, on one node.
    pub(crate) async fn watch(&self, node: usize) -> Watching {
        let answer =
            self.client.get(self.at(node, "/v1/events")).bearer_auth(&self.token).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let stream = answer.bytes_stream();
        let (said, heard) = std::sync::mpsc::channel();
        let task = tokio::spawn(async move {
            let mut stream = stream;
            while let Some(Ok(bytes)) = stream.next().await {
                let _ = said.send(String::from_utf8_lossy(&bytes).into_owned());
            }
        });
        Watching { heard, text: String::new(), task }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (number, node) in self.nodes.iter().enumerate() {
                let log = self.log(number);
                let lines: Vec<&str> = log.lines().collect();
                eprintln!("node at port {}:\n{}", node.port, lines[lines.len().saturating_sub(40)..].join("\n"));
            }
        }
        let nodes = self.nodes.iter().filter_map(|node| node.process.lock().ok()?.take());
        let redis = self.redis.lock().ok().and_then(|mut redis| redis.take());
        for mut process in nodes.chain(redis) {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = private_postgres("stop", self.folder.path());
    }
}

/// What a stream said so far.
pub(crate) struct Watching {
    heard: std::sync::mpsc::Receiver<String>,
    text: String,
    task: tokio::task::JoinHandle<()>,
}

impl Watching {
    /// Whether an event of that name was told.
    pub(crate) fn said(&mut self, name: &str) -> bool {
        self.text.extend(self.heard.try_iter());
        self.text.contains(&format!("event: {name}\n"))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

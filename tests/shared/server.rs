//! A Redis of the test's own, that may be killed, stopped for a while and started again.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use doorward::storage::redis::{Address, Config, Redis, Whose};
use tempfile::TempDir;

/// Programs that will do.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

pub(crate) struct Server {
    program: &'static str,
    pub(crate) port: u16,
    child: Child,
    folder: TempDir,
    /// How long nodes wait for it.
    timeout_ms: u64,
}

impl Server {
    /// Starts one on a free port; nothing where there is no such program.
    pub(crate) async fn start() -> Option<Self> {
        let is_there = |program: &&str| {
            let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            asked.is_ok_and(|status| status.success())
        };
        let Some(program) = PROGRAMS.into_iter().find(is_there) else {
            let required = std::env::vars().any(|(name, value)| name == "DOORWARD_REDIS" && value == "required");
            assert!(!required, "DOORWARD_REDIS=required, and neither of {PROGRAMS:?} is installed");
            eprintln!("SKIPPED: NOTHING WAS TESTED, because neither of {PROGRAMS:?} is installed");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let child = run(program, port, &folder);
        let server = Self { program, port, child, folder, timeout_ms: 30_000 };
        server.answers().await;
        Some(server)
    }

    /// For nodes that are to notice soon that it hangs.
    pub(crate) fn noticed_soon(mut self) -> Self {
        self.timeout_ms = 1_000;
        self
    }

    /// Ends it at once. It keeps nothing.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, empty, on the same port.
    pub(crate) async fn start_again(&mut self) {
        self.child = run(self.program, self.port, &self.folder);
        self.answers().await;
    }

    /// Lets it answer nothing, though it is there; or go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn config(&self) -> Config {
        // Longer than anybody waits on a machine that runs other tests, too; those that want less say so.
        let url = Address::from(format!("redis://127.0.0.1:{}", self.port));
        Config { url, timeout_ms: self.timeout_ms, ..Config::default() }
    }

    /// A node of its own.
    pub(crate) async fn node(&self) -> Arc<Redis> {
        Redis::open(&self.config()).await.unwrap()
    }

    /// One that goes by the clock that the test sets.
    pub(crate) async fn node_with_clock(&self) -> Arc<Redis> {
        Redis::open(&Config { clock: Whose::Node, ..self.config() }).await.unwrap()
    }

    pub(crate) async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    async fn answers(&self) {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        until("Redis answers", async || {
            let Ok(mut connection) = client.get_multiplexed_async_connection().await else { return false };
            redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.freeze_not();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn freeze_not(&self) {
        let _ = Command::new("kill").arg("-CONT").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
    }
}

fn run(program: &str, port: u16, folder: &TempDir) -> Child {
    let mut command = Command::new(program);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command.arg("--dir").arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Looks until it is so; gives up after a minute.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), looking).await.is_ok(), "in vain waited until: {what}");
}

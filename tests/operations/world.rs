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
        Self { folder, config, client: Client::new() }
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

/// A running service; it ends with this.
pub(crate) struct Service {
    pub(crate) process: Child,
    pub(crate) port: u16,
}

impl Service {
    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
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

//! After an author is erased nothing of them is left: the real binary, and a search through the bytes of everything that it wrote.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use aho_corasick::AhoCorasick;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Before it is said that files stay as they are.
const PATIENCE: Duration = Duration::from_mins(2);

/// Bytes of a page of the database.
const PAGE: usize = 8_192;

/// Every place where something of a person can stand, with a word that stands nowhere else.
const MARKERS: [&str; 22] = [
    "markerbody",
    "markername",
    "markermail",
    "markerhomepage",
    "markerbrowser",
    "markerreferrer",
    "markerhoneypot",
    "markeraccount",
    "markerrole",
    "markerlink",
    "markerfirstbody",
    "markerfirstname",
    "markerfirstmail",
    "markerwaiting",
    "markerreason",
    "markernote",
    "markerreportmade",
    "markerreportgot",
    "markerappeal",
    "markeranswer",
    "markersanction",
    "markerlong",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_erased_author_no_byte_is_left() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let world = World::new(folder.path());
    let mut service = world.start().await;
    world.noise(&service, 0).await;
    world.plant(&service, "").await;
    world.noise(&service, 300).await;
    world.plant(&service, "twin").await; // for the second round
    for end in ["", "twin"] {
        let left = world.left(end).join(", ");
        for marker in MARKERS {
            assert!(left.contains(marker), "{marker}{end} was planted nowhere: the search would prove nothing. {left}");
        }
        assert!(left.contains("the address"), "{left}");
    }
    // Somebody listens and somebody reads meanwhile, as somebody always does.
    let _listening = world.ask(&service, Method::GET, "/v1/events", &world.token, None).await;
    let erased = world.ask(&service, Method::DELETE, "/v1/authors/markeraccount", &world.key, None).await;
    assert_eq!(erased.status(), StatusCode::OK);
    let erased: Value = erased.json().await.expect("the answer is JSON");
    assert_eq!(erased["comments"], 4);
    world.wait_until_clean(&service, "").await;

    // The same for whoever is erased just before the machine dies.
    let erased = world.ask(&service, Method::DELETE, "/v1/authors/markeraccounttwin", &world.key, None).await;
    assert_eq!(erased.status(), StatusCode::OK);
    service.kill();
    let service = world.start().await;
    world.wait_until_clean(&service, "twin").await;

    // What others wrote is there, and whole.
    let left = world.ask(&service, Method::GET, "/v1/comments?limit=500", &world.key, None).await;
    let left: Value = left.json().await.expect("a page is JSON");
    assert_eq!(left["items"].as_array().expect("items").len(), 500);
    let verified = world.run(&["audit", "verify", "--json"]);
    let verified: Value = serde_json::from_slice(&verified.stdout).expect("the record is JSON");
    assert_eq!(verified["whole"], true, "the record of who did what is kept");
}

/// The service's files, and whoever works with it.
struct World {
    folder: PathBuf,
    config: PathBuf,
    key: String,
    token: String,
    client: reqwest::Client,
}

impl World {
    fn new(folder: &Path) -> Self {
        let config = folder.join("config.toml");
        let settings = "[limits]\nenabled = false\n[database]\nurl = \"sqlite:erasure.db\"\n[log]\nlevel = \"trace\"\n";
        std::fs::write(&config, settings).expect("writable");
        let mut world = Self {
            folder: folder.to_owned(),
            config,
            key: String::new(),
            token: String::new(),
            client: {
                let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
                reqwest::Client::new()
            },
        };
        // Nobody listens there: what the site is to be told stays in the outbox.
        let site = ["site", "create", "news", "--webhook", "http://127.0.0.1:59999/", "--json"];
        assert!(world.run(&site).status.success());
        let told = |output: Output, what: &str| -> String {
            let record: Value = serde_json::from_slice(&output.stdout).expect("the record is JSON");
            record[what].as_str().unwrap_or_else(|| panic!("{record}")).to_owned()
        };
        world.key = told(world.run(&["site", "key", "news", "--scopes", "post,read,erase", "--json"]), "key");
        world.run(&["user", "create", "admin@example.org", "--role", "admin"]);
        world.token = told(world.run(&["token", "create", "admin@example.org", "--json"]), "token");
        world
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_doorward"))
            .arg("--config")
            .arg(&self.config)
            .args(arguments)
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    async fn start(&self) -> Service {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log")).expect("a log");
        let process = Command::new(env!("CARGO_BIN_EXE_doorward"))
            .arg("--config")
            .arg(&self.config)
            .arg("serve")
            .env("DOORWARD__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("DOORWARD__SAMPLING__RATE", "0.0") // or one ordinary comment in a hundred would wait for a person
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        let mut service = Service { process, port };
        loop {
            let ready = self.client.get(format!("http://127.0.0.1:{port}/readyz")).send().await;
            if ready.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return service;
            }
            if let Some(status) = service.process.try_wait().expect("the process can be asked") {
                panic!("the service ended: {status}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
        }
    }

    async fn ask(
        &self,
        service: &Service,
        method: Method,
        path: &str,
        bearer: &str,
        body: Option<&Value>,
    ) -> reqwest::Response {
        let request =
            self.client.request(method, format!("http://127.0.0.1:{}{path}", service.port)).bearer_auth(bearer);
        let request = if let Some(body) = body { request.json(body) } else { request };
        request.send().await.expect("the service answers")
    }

    /// The answer of a request that must succeed.
    async fn done(&self, service: &Service, method: Method, path: &str, bearer: &str, body: &Value) -> Value {
        let answer = self.ask(service, method, path, bearer, Some(body)).await;
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).expect("the answer is JSON")
    }

    /// Comments of others, some edited to other lengths: pages are split, merged and written over.
    async fn noise(&self, service: &Service, from: usize) {
        let body =
            |at: usize, length: usize| format!("Neighbour {at} says: {}", "it rains on the harbour. ".repeat(length));
        let comment = |at: usize, length: usize| {
            json!({"id": format!("n-{at}"), "article": {"id": format!("a-{}", at % 7), "title": "Rain over the harbour"},
                "author": {"id": format!("u-{}", at % 40), "name": "Ben"}, "body": body(at, length)})
        };
        let lines: String = (from..from + 300).map(|at| format!("{}\n", comment(at, 1 + at % 60))).collect();
        let request = self.client.post(format!("http://127.0.0.1:{}/v1/comments/batch", service.port));
        let answer = request.bearer_auth(&self.key).body(lines).send().await.expect("the batch is taken");
        assert_eq!(answer.text().await.expect("answers").lines().filter(|line| line.contains("\"uid\"")).count(), 300);
        for at in (from..from + 300).step_by(5) {
            self.done(service, Method::PUT, &format!("/v1/comments/n-{at}"), &self.key, &comment(at, (at * 7) % 90))
                .await;
        }
    }

    /// Everything that can be known of a person, each with its own word, ending in `end`.
    async fn plant(&self, service: &Service, end: &str) {
        let word = |marker: &str| format!("{marker}{end}");
        let account = word("markeraccount");
        let comment = |id: &str, text: &str| {
            json!({"id": format!("{id}{end}"), "article": {"id": "a-1"},
                "author": {"id": account, "name": word("markername"), "email": format!("{}@mail.example", word("markermail")),
                    "url": format!("https://{}.example/", word("markerhomepage")), "ip": address(end).to_string(),
                    "user_agent": word("markerbrowser"), "role": word("markerrole")},
                "referrer": format!("https://elsewhere.example/{}", word("markerreferrer")), "honeypot": word("markerhoneypot"),
                "body": text})
        };
        let mut first = comment("m-1", &format!("{} was here", word("markerfirstbody")));
        first["author"]["name"] = json!(word("markerfirstname"));
        first["author"]["email"] = json!(format!("{}@mail.example", word("markerfirstmail")));
        self.done(service, Method::POST, "/v1/comments", &self.key, &first).await;
        let text = format!("{} and https://{}.example/offer", word("markerbody"), word("markerlink"));
        let path = format!("/v1/comments/m-1{end}");
        let edited = self.done(service, Method::PUT, &path, &self.key, &comment("m-1", &text)).await;
        let long = format!("{} ", word("markerlong")).repeat(2_000); // over several pages
        self.done(service, Method::POST, "/v1/comments", &self.key, &comment("m-2", &long)).await;
        let waiting = comment("m-3", &format!("buy viagra {}", word("markerwaiting")));
        self.done(service, Method::POST, "/v1/comments", &self.key, &waiting).await;
        let gone = self.done(service, Method::POST, "/v1/comments", &self.key, &comment("m-4", "hello there")).await;
        let decision = json!({"items": [{"uid": edited["uid"], "seen_version": edited["version"]}, {"uid": gone["uid"], "seen_version": gone["version"]}],
            "action": "reject", "category": "abuse", "reason": word("markerreason"), "note": word("markernote")});
        self.done(service, Method::POST, "/v1/decisions", &self.token, &decision).await;

        let report = |reader: &str, text: String| json!({"reader_id": reader, "category": "abuse", "text": text});
        let made = report(&account, word("markerreportmade"));
        self.done(service, Method::POST, "/v1/comments/n-1/reports", &self.key, &made).await;
        let path = format!("/v1/comments/m-2{end}/reports");
        let got = report("u-1", word("markerreportgot"));
        self.done(service, Method::POST, &path, &self.key, &got).await;
        let vote = json!({"reader_id": account, "value": -1});
        self.done(service, Method::POST, "/v1/comments/n-1/votes", &self.key, &vote).await;
        let path = format!("/v1/comments/m-1{end}/appeals");
        let appeal = json!({"text": word("markerappeal")});
        let appeal = self.done(service, Method::POST, &path, &self.key, &appeal).await;
        let path = format!("/v1/appeals/{}/answer", appeal["id"].as_str().expect("an appeal has an id"));
        let answer = json!({"overturn": false, "answer": word("markeranswer")});
        self.done(service, Method::POST, &path, &self.token, &answer).await;
        let sanction = json!({"site": "news", "measure": "ban", "target": {"kind": "author", "value": account},
            "cause": word("markersanction")});
        self.done(service, Method::POST, "/v1/sanctions", &self.token, &sanction).await;
    }

    /// Every marker (with whether it is the twin's) that stands in some bytes.
    fn markers_in(bytes: &[u8]) -> BTreeSet<(&'static str, bool)> {
        static SEARCH: LazyLock<AhoCorasick> = LazyLock::new(|| {
            AhoCorasick::builder().ascii_case_insensitive(true).build(MARKERS).expect("few short words")
        });
        // The long one lies over several pages, and where the end of one cuts it off from its own end it looks like the other.
        let is_cut = |at: &aho_corasick::Match| {
            MARKERS[at.pattern().as_usize()] == "markerlong" && (PAGE - at.end() % PAGE) % PAGE < "twin".len()
        };
        let found = SEARCH.find_iter(bytes).filter(|at| !is_cut(at));
        found.map(|at| (MARKERS[at.pattern().as_usize()], bytes[at.end()..].starts_with(b"twin"))).collect()
    }

    /// What is found of the author, or of the twin, in any file of the folder; the log is one of them.
    fn left(&self, end: &str) -> Vec<String> {
        let mut left = Vec::new();
        for entry in std::fs::read_dir(&self.folder).expect("the folder is readable") {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).unwrap_or_default();
            let name = path.file_name().unwrap_or_default().display();
            if AhoCorasick::new([address(end).octets()]).expect("one word").is_match(&bytes) {
                left.push(format!("the address in {name}"));
            }
            let of_this = Self::markers_in(&bytes).into_iter().filter(|(_, twin)| *twin != end.is_empty());
            left.extend(of_this.map(|(marker, _)| format!("{marker} in {name}")));
        }
        left
    }

    /// Waits until no file holds a marker that ends in `end`; then looks at everything that can be had from outside.
    async fn wait_until_clean(&self, service: &Service, end: &str) {
        let waited = async {
            while !self.left(end).is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
            }
        };
        let _ = tokio::time::timeout(PATIENCE, waited).await; // what is left then is told below
        assert_eq!(self.left(end), Vec::<String>::new());
        let account = format!("/v1/authors/markeraccount{end}/export");
        let export = self.ask(service, Method::GET, &account, &self.key, None).await;
        let export: Value = export.json().await.expect("a page is JSON");
        assert_eq!(export["items"], json!([]));
        let mut outside = vec![self.run(&["audit", "export"]).stdout];
        for (path, bearer) in [
            ("/v1/comments?limit=500", &self.key),
            ("/v1/queue?limit=500", &self.token),
            ("/v1/audit?limit=500", &self.token),
            ("/v1/appeals?limit=500", &self.token),
            ("/v1/sanctions?limit=500", &self.token),
            ("/v1/outbox?limit=500", &self.token),
            ("/metrics", &String::new()),
        ] {
            let request = self.client.get(format!("http://127.0.0.1:{}{path}", service.port));
            let request = if bearer.is_empty() { request } else { request.bearer_auth(bearer) };
            let answer = request.send().await.expect("the service answers");
            outside.push(answer.bytes().await.expect("a body").to_vec());
        }
        for bytes in outside {
            let left: Vec<_> =
                Self::markers_in(&bytes).into_iter().filter(|(_, twin)| *twin != end.is_empty()).collect();
            assert!(left.is_empty(), "{left:?} in {}", String::from_utf8_lossy(&bytes));
        }
    }
}

fn address(end: &str) -> Ipv6Addr {
    let last = if end.is_empty() { 0xfade } else { 0xface };
    Ipv6Addr::new(0x2001, 0xdb8, 0xdead, 0xbeef, 0x1234, 0x5678, 0x9abc, last)
}

struct Service {
    process: Child,
    port: u16,
}

impl Service {
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

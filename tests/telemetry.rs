//! Traces: the real binary, and a collector that reads what it is sent as collectors do.

#![allow(clippy::unwrap_used, reason = "a test may end at any line")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Of;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message as _;
use serde_json::{Value, json};

#[path = "support/receiver.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod receiver;

use receiver::{Receiver, Reply};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// What a comment goes through, each as a span right below the comment's own.
const STEPS: [&str; 10] =
    ["normalise", "repeat", "limits", "scene", "sanctions", "history", "signals", "model", "policy", "record"];
/// All that a span may say.
const ATTRIBUTES: [&str; 16] = [
    "doorward.applied",
    "doorward.by",
    "doorward.conflicts",
    "doorward.labels",
    "doorward.message",
    "doorward.operation",
    "doorward.outcome",
    "doorward.replayed",
    "doorward.site",
    "doorward.status",
    "doorward.uid",
    "http.request.method",
    "http.request.resend_count",
    "http.response.status_code",
    "http.route",
    "service.name",
];

/// A span, as far as anybody looks.
#[derive(Debug, Clone)]
struct Seen {
    name: String,
    trace: String,
    id: String,
    parent: String,
    kind: i32,
    is_error: bool,
    links: Vec<(String, String)>,
    attributes: BTreeMap<String, String>,
}

impl Seen {
    fn of(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", String::as_str)
    }

    fn place(&self) -> (String, String) {
        (self.trace.clone(), self.id.clone())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(all: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Of::StringValue(text)) => text,
        Some(Of::IntValue(number)) => number.to_string(),
        Some(Of::BoolValue(yes)) => yes.to_string(),
        other => format!("{other:?}"),
    };
    all.into_iter().map(|one| (one.key, text(one.value))).collect()
}

/// What a collector was sent.
#[derive(Default)]
struct Came {
    spans: Vec<Seen>,
    resources: BTreeSet<BTreeMap<String, String>>,
    raw: Vec<u8>,
    headers: BTreeMap<String, String>,
    requests: usize,
    /// Answers of the next requests, before all are taken.
    answers: Vec<u16>,
}

/// A collector: OTLP over HTTP, on a port of its own.
#[derive(Clone)]
struct Collector {
    came: Arc<Mutex<Came>>,
    address: SocketAddr,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let came: Arc<Mutex<Came>> = Arc::default();
        let data = web::Data::from(Arc::clone(&came));
        std::thread::spawn(move || {
            let app = move || App::new().app_data(data.clone()).route("/v1/traces", web::post().to(take));
            let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
            actix_web::rt::System::new().block_on(server).unwrap();
        });
        Self { came, address }
    }

    fn endpoint(&self) -> String {
        format!("[telemetry.traces]\nendpoint = \"http://{}/v1/traces\"\n", self.address)
    }

    fn spans(&self) -> Vec<Seen> {
        self.came.lock().unwrap().spans.clone()
    }

    fn named(&self, name: &str) -> Vec<Seen> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }
}

async fn take(came: web::Data<Mutex<Came>>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let mut came = came.lock().unwrap();
    came.requests += 1;
    came.headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    if let Some(status) = came.answers.pop() {
        let status = actix_web::http::StatusCode::from_u16(status).unwrap();
        return HttpResponse::build(status).insert_header(("retry-after", "0")).finish();
    }
    let request = ExportTraceServiceRequest::decode(body.as_ref()).expect("OTLP, as protobuf");
    came.raw.extend_from_slice(&body);
    for of in request.resource_spans {
        came.resources.insert(attributes(of.resource.unwrap_or_default().attributes));
        let spans = of.scope_spans.into_iter().flat_map(|of| of.spans);
        came.spans.extend(spans.map(|span| {
            assert!(span.events.is_empty(), "what is logged is no part of a trace: {span:?}");
            assert!(span.start_time_unix_nano > 0 && span.end_time_unix_nano >= span.start_time_unix_nano);
            Seen {
                name: span.name,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                kind: span.kind,
                is_error: span.status.is_some_and(|status| status.code == 2),
                links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
                attributes: attributes(span.attributes),
            }
        }));
    }
    HttpResponse::Ok().content_type("application/x-protobuf").finish()
}

struct Service {
    folder: tempfile::TempDir,
    process: Child,
    port: u16,
    key: String,
    token: String,
    client: reqwest::Client,
}

fn command(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.arg("--config").arg(file);
    command
}

impl Service {
    /// Settings, and where webhooks go.
    async fn start(settings: &str, webhook: Option<&str>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let settings = format!(
            "[sampling]\nrate = 0.0\n[webhooks]\nallow_hosts = [\"127.0.0.1\"]\nundo_grace_s = 0\nfirst_verdict = true\n{settings}"
        );
        std::fs::write(&file, settings).unwrap();
        let told = |arguments: &[&str]| -> Value {
            let output = command(&file).args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let mut site = vec!["site", "create", "news", "--json"];
        site.extend(webhook.iter().flat_map(|url| ["--webhook", url]));
        let key = told(&site)["key"].as_str().unwrap().to_owned();
        told(&["user", "create", "mod@example.org", "--role", "moderator", "--json"]);
        let token = told(&["token", "create", "mod@example.org", "--json"])["token"].as_str().unwrap().to_owned();
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap().port();
        let process = command(&file)
            .arg("serve")
            .env("DOORWARD__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::from(std::fs::File::create(folder.path().join("log")).unwrap()))
            .spawn()
            .unwrap();
        let service = Self { folder, process, port, key, token, client: reqwest::Client::new() };
        until("it is ready", async || {
            service.client.get(service.at("/readyz")).send().await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        service
    }

    fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn post(&self, path: &str, bearer: &str, body: &Value, traceparent: Option<&str>) -> Value {
        let request = self.client.post(self.at(path)).bearer_auth(bearer).json(body);
        let request = match traceparent {
            Some(traceparent) => request.header("traceparent", traceparent),
            None => request,
        };
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// Posts a batch, and what became of each comment of it.
    async fn batch(&self, comments: usize) -> BTreeMap<String, String> {
        let lines: String = (0..comments)
            .map(|n| {
                let body = format!("The {n}th of the lanes is done, and wide.");
                format!(
                    "{}\n",
                    json!({"id": format!("c-{n}"), "article": {"id": format!("a-{}", n / 20)}, "body": body})
                )
            })
            .collect();
        let request = self.client.post(self.at("/v1/comments/batch")).bearer_auth(&self.key).body(lines);
        let answer = request.header("content-type", "application/x-ndjson").send().await.unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let answers = answer.text().await.unwrap();
        let answers = answers.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        answers.map(|answer| (text(&answer["id"]), text(&answer["status"]))).collect()
    }

    async fn counted(&self, metric: &str) -> f64 {
        let text = self.client.get(self.at("/metrics")).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(metric));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Asks the process to end, and waits until it has.
    async fn end(mut self) -> (ExitStatus, String) {
        let pid = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let waited = async {
            loop {
                if let Some(status) = self.process.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
            }
        };
        let status = tokio::time::timeout(Duration::from_mins(1), waited).await.expect("it ends");
        let log = std::fs::read_to_string(self.log()).unwrap();
        (status, log)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waited = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), waited).await.is_ok(), "waited in vain: {what}");
}

/// Everything that a site may say of a comment, marked.
fn marked() -> Value {
    json!({"id": "markerid", "article": {"id": "markerarticle", "title": "markertitle", "url": "https://markerpage.example/"},
        "referrer": "https://markerreferrer.example/",
        "author": {"id": "markeraccount", "name": "markername", "email": "markermail@mail.example", "ip": "203.0.113.77",
            "url": "https://markerhomepage.example/", "user_agent": "markerbrowser"},
        "body": "Thank you for markerbody, https://markerlink.example/ says the same of the lanes."})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comments_way_is_one_trace_from_the_site_to_the_webhook_and_names_nobody() {
    let collector = Collector::start();
    let receiver = Receiver::start(|_, _| Reply::Status(204)).await;
    let service = Service::start(&collector.endpoint(), Some(&receiver.url("/hook"))).await;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let taken = service.post("/v1/comments", &service.key, &marked(), Some(&traceparent)).await;
    receiver.wait(1).await;
    let turned = if taken["status"] == "approved" { "reject" } else { "approve" };
    let decision = json!({"items": [{"uid": taken["uid"], "seen_version": taken["version"]}], "action": turned,
        "reason": "markerreason", "note": "markernote"});
    service.post("/v1/decisions", &service.token, &decision, None).await;
    let webhooks = receiver.wait(2).await;
    until("both webhooks are traced", async || collector.named("webhook").len() == 2).await;
    let (status, log) = service.end().await;
    assert!(status.success(), "{log}");

    let one = |name: &str| {
        let mut all = collector.named(name);
        assert_eq!(all.len(), 1, "{name}: {all:#?}");
        all.remove(0)
    };
    let uid = taken["uid"].as_str().unwrap();
    let request = one("POST /v1/comments");
    assert_eq!(
        (&*request.trace, &*request.parent, request.kind),
        (TRACE, PARENT, 2),
        "it hangs on what the site was doing"
    );
    assert_eq!((request.of("http.request.method"), request.of("http.route")), ("POST", "/v1/comments"));
    assert_eq!(request.of("http.response.status_code"), "201");
    let comment = one("comment");
    assert_eq!((&*comment.trace, &comment.parent), (TRACE, &request.id));
    assert_eq!((comment.of("doorward.site"), comment.of("doorward.uid")), ("news", uid));
    assert_eq!(
        (comment.of("doorward.status"), comment.of("doorward.operation")),
        (taken["status"].as_str().unwrap(), "submit")
    );
    let below: Vec<Seen> = collector.spans().into_iter().filter(|span| span.parent == comment.id).collect();
    let mut names: Vec<&str> = below.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    let mut expected = [&STEPS[..], &["webhook", "webhook"]].concat();
    expected.sort_unstable();
    assert_eq!(names, expected, "{below:#?}");
    assert!(below.iter().all(|span| span.trace == TRACE));

    // The decision is a trace of its own, which names the comment's; and what the site is told of it is in the comment's, and names the decision's.
    let asked = one("POST /v1/decisions");
    let decided = one("decision");
    assert!(asked.trace != TRACE && asked.parent.is_empty() && decided.trace == asked.trace);
    assert_eq!(decided.parent, asked.id);
    assert_eq!((decided.of("doorward.by"), decided.of("doorward.applied")), ("person", "1"));
    assert_eq!(decided.links, [comment.place()]);
    let told = collector.named("webhook");
    assert!(told.iter().all(|webhook| webhook.kind == 3 && !webhook.is_error && webhook.of("doorward.uid") == uid));
    assert!(told.iter().all(|webhook| webhook.of("doorward.outcome") == "delivered"));
    assert_eq!(told.iter().map(|webhook| webhook.links.len()).sum::<usize>(), 1);
    assert!(told.iter().any(|webhook| webhook.links == [decided.place()]));
    let passed_on: BTreeSet<String> =
        webhooks.iter().map(|came| came.header("traceparent").unwrap().to_owned()).collect();
    let spans = told.iter().map(|webhook| format!("00-{TRACE}-{}-01", webhook.id)).collect();
    assert_eq!(passed_on, spans, "the site's work goes on below the webhook");

    let came = collector.came.lock().unwrap();
    let said =
        came.spans.iter().flat_map(|span| span.attributes.keys()).find(|name| !ATTRIBUTES.contains(&name.as_str()));
    assert_eq!(
        said, None,
        "a span says something new: is it nobody's business? Then name it here, and in docs/operations.md"
    );
    let resource = came.resources.first().unwrap();
    assert_eq!((came.resources.len(), resource["service.name"].as_str()), (1, "doorward"));
    let raw = String::from_utf8_lossy(&came.raw).to_lowercase();
    for secret in ["marker", "203.0.113", "mod@example", "lanes"] {
        assert!(!raw.contains(secret), "nothing of what was said, or of who said it: {secret}");
    }
    assert!(!log.contains("comment{"), "what is traced is not logged: {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_traced_is_what_the_site_says_or_else_the_share() {
    let collector = Collector::start();
    let service = Service::start(&format!("{}share = 0.0\n", collector.endpoint()), None).await;
    let comment =
        |n: usize| json!({"id": format!("c-{n}"), "article": {"id": "a"}, "body": format!("The {n}th lane is done.")});
    let of = |span: &str, flag: &str| format!("00-{TRACE}-{span}-{flag}");
    service.post("/v1/comments", &service.key, &comment(0), None).await;
    service.post("/v1/comments", &service.key, &comment(1), Some(&of(PARENT, "00"))).await;
    service.post("/v1/comments", &service.key, &comment(2), Some(&of("not-an-id-at-all", "01"))).await;
    service.post("/v1/comments", &service.key, &comment(3), Some(&of(PARENT, "01"))).await;
    // All of it, before the end: a machine that is slow may not be done with sending in the time that there is for it then. Whatever else were
    // traced came earlier.
    until("it is traced", async || collector.spans().len() >= 2 + STEPS.len()).await;
    let (status, log) = service.end().await;
    assert!(status.success(), "{log}");
    let comments = collector.named("comment");
    assert_eq!(comments.len(), 1, "{comments:#?}");
    assert!(collector.spans().iter().all(|span| span.trace == TRACE));
    assert_eq!(collector.spans().len(), 2 + STEPS.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_busy_gets_the_spans_later_and_is_told_who_sends() {
    let collector = Collector::start();
    collector.came.lock().unwrap().answers = vec![503, 429];
    let more = "headers = \"authorization=Bearer%20hush-hush,x-scope=news\"\nservice_name = \"gate\"\n";
    let service = Service::start(&format!("{}{more}", collector.endpoint()), None).await;
    let comment = json!({"id": "c", "article": {"id": "a"}, "body": "The first of the lanes is done."});
    service.post("/v1/comments", &service.key, &comment, None).await;
    until("it is traced", async || !collector.named("comment").is_empty()).await;
    {
        let came = collector.came.lock().unwrap();
        assert!(came.requests >= 3 && came.spans.iter().filter(|span| span.name == "comment").count() == 1);
        assert_eq!(came.headers["content-type"], "application/x-protobuf");
        assert_eq!((&*came.headers["authorization"], &*came.headers["x-scope"]), ("Bearer hush-hush", "news"));
        assert_eq!(came.resources.first().unwrap()["service.name"], "gate");
    }
    let sent = "doorward_traces_spans_total{outcome=\"sent\"}";
    until("they are counted", async || service.counted(sent).await >= 12.0).await;
    let shown = command(&service.folder.path().join("config.toml")).args(["check-config", "--show"]).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("headers = \"[redacted]\"") && !shown.contains("hush-hush"), "{shown}");
    let (_, log) = service.end().await;
    assert!(!log.contains("hush-hush"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_gone_or_never_answers_changes_nothing() {
    const COMMENTS: usize = 1_200;
    let limits = "[limits]\nenabled = false\n";
    let without = Service::start(limits, None).await.batch(COMMENTS).await;
    assert_eq!(without.len(), COMMENTS);
    // Nobody listens there; and there somebody takes the connection, and says nothing.
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for (collector, is_silent) in [(gone, false), (silent.local_addr().unwrap(), true)] {
        let traces = format!("[telemetry.traces]\nendpoint = \"http://{collector}/v1/traces\"\ntimeout_ms = 60000\n");
        let service = Service::start(&format!("{limits}{traces}"), None).await;
        assert_eq!(service.batch(COMMENTS).await, without, "{collector}");
        // What finds no room is dropped; what a collector that is gone was tried with has failed.
        let outcomes =
            ["dropped", "failed"].map(|outcome| format!("doorward_traces_spans_total{{outcome=\"{outcome}\"}}"));
        until("what is lost is counted", async || {
            service.counted(&outcomes[0]).await + service.counted(&outcomes[1]).await > 0.0
        })
        .await;
        let dropped = service.counted(&outcomes[0]).await;
        assert!(dropped > 0.0 || !is_silent, "more spans than there is room for, and nobody took any");
        let (status, log) = service.end().await;
        assert!(status.success() && !log.contains("panicked"), "{log}");
        let told = ["traces cannot be sent", "not all traces could be sent before the end"];
        assert!(told.iter().any(|told| log.contains(told)), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_said_nothing_is_collected_and_no_webhook_names_a_trace() {
    let receiver = Receiver::start(|_, _| Reply::Status(204)).await;
    let service = Service::start("[log]\nlevel = \"trace\"\n", Some(&receiver.url("/hook"))).await;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    service.post("/v1/comments", &service.key, &marked(), Some(&traceparent)).await;
    let webhooks = receiver.wait(1).await;
    assert_eq!(webhooks[0].header("traceparent"), None);
    let (_, log) = service.end().await;
    assert!(!log.contains(TRACE) && !log.contains("marker") && !log.contains("doorward::way"), "{log}");
}

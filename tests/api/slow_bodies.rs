//! Bodies that do not come to their end, and who pays for them. These clients write byte by byte, as no library does.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::helpers::{TestApp, ordinary, read};

/// A connection on which that was written.
async fn connection(app: &TestApp, written: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.address.trim_start_matches("http://")).await.unwrap();
    stream.write_all(written.as_bytes()).await.unwrap();
    stream
}

/// Everything that comes until the service ends the connection.
async fn until_its_end(stream: &mut TcpStream, what: &str) -> String {
    let mut bytes = Vec::new();
    // A connection that is ended while its client writes may be reset after what was answered.
    let ended = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "{what}: the connection stays open");
    String::from_utf8(bytes).unwrap()
}

/// A request's head.
fn head(path: &str, kind: &str, key: &str, length: &str) -> String {
    let key = if key.is_empty() { String::new() } else { format!("Authorization: Bearer {key}\r\n") };
    format!("POST {path} HTTP/1.1\r\nHost: doorward.example\r\nContent-Type: {kind}\r\n{key}{length}\r\n\r\n")
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const LONG: &str = "Content-Length: 500";
const CHUNKED: &str = "Transfer-Encoding: chunked";

#[tokio::test]
async fn a_body_that_stops_half_way_is_answered_and_its_connection_ended() {
    let app = TestApp::spawn_with(|config| config.server.body_timeout_s = 1).await;
    let perspective = format!("/v1alpha1/comments:analyze?key={}", app.key);
    let rows = [
        ("a check", head("/1.1/comment-check", FORM, "", LONG), "a=", 408, "invalid"),
        ("a check in chunks", head("/1.1/comment-check", FORM, "", CHUNKED), "2\r\na=\r\n", 408, "invalid"),
        ("nothing at all", head("/1.1/submit-spam", FORM, "", LONG), "", 408, "invalid"),
        ("a comment", head("/v1/comments", JSON, &app.key, LONG), "{\"id\"", 408, "/problems/request-timeout"),
        (
            "one in chunks",
            head("/v1/comments", JSON, &app.key, CHUNKED),
            "1\r\n{\r\n",
            408,
            "/problems/request-timeout",
        ),
        ("a webhook", head("/v1/sites/news/webhook", JSON, "", LONG), "{", 408, "/problems/request-timeout"),
        ("a form", head("/sign-in", FORM, "", LONG), "email=", 408, "/problems/request-timeout"),
        ("Perspective", head(&perspective, JSON, "", LONG), "{", 408, "DEADLINE_EXCEEDED"),
        ("Coral, which would publish", head("/coral/phase/news", JSON, "", LONG), "{", 200, "PREMOD"),
    ];
    let app = &app;
    let asked = rows.map(|(what, head, body, status, told)| async move {
        let mut stream = connection(app, &format!("{head}{body}")).await;
        let answer = until_its_end(&mut stream, what).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close\r\n"), "{what}: {answer}");
        assert!(answer.contains(told), "{what}: {answer}");
    });
    join_all(asked).await;
    assert_eq!(app.state.strangers.held(), 0);
}

#[tokio::test]
async fn a_request_that_is_refused_before_its_end_keeps_no_connection() {
    let app = TestApp::spawn().await;
    for length in [LONG, CHUNKED] {
        let mut stream = connection(&app, &head("/v1/comments", JSON, "", length)).await;
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 401", "{length}");
        let _ = stream.write_all(b"1\r\n").await; // the service may be gone by now, which is what is asked for
        until_its_end(&mut stream, length).await;
    }
}

#[tokio::test]
async fn a_batch_ends_when_nothing_more_comes() {
    let app = TestApp::spawn_with(|config| config.server.body_timeout_s = 1).await;
    let line = format!("{}\n", ordinary("c-1"));
    let begun = format!(
        "{}{:x}\r\n{line}\r\n5\r\n{{\"id\"\r\n",
        head("/v1/comments/batch", "application/x-ndjson", &app.key, CHUNKED),
        line.len()
    );
    let mut stream = connection(&app, &begun).await;
    let answer = until_its_end(&mut stream, "a batch").await;
    let objects = answer.lines().filter(|line| line.starts_with('{'));
    let objects: Vec<Value> = objects.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2, "{answer}");
    assert_eq!((&objects[0]["id"], &objects[0]["status"]), (&json!("c-1"), &json!("approved")), "{answer}");
    assert_eq!(
        (&objects[1]["type"], &objects[1]["line"]),
        (&json!("/problems/request-timeout"), &json!(2)),
        "half a line is no comment: {answer}"
    );
}

#[tokio::test]
async fn large_bodies_of_unknown_senders_take_no_more_than_they_may() {
    let app = TestApp::spawn_with(|config| {
        config.server.unknown_body_mb = 1;
        config.server.body_timeout_s = 600; // whoever holds them does not let go by itself
    })
    .await;
    let head = head("/1.1/comment-check", FORM, "", "Content-Length: 1000000");
    let first = connection(&app, &format!("{head}{}", "x".repeat(999_999))).await;
    app.until("the first body is held", |state| state.strangers.held() > 900_000).await;

    let large = "x".repeat(200_000);
    let ask = async |path: &str, key: &str| {
        let request = app.request(Method::POST, path, key).header("content-type", JSON).body(large.clone());
        request.send().await.unwrap()
    };
    let refused = ask("/v1/sites/news/webhook", "").await;
    assert_eq!(refused.headers()["retry-after"], "5");
    assert_eq!(read(refused, &[503]).await["type"], "/problems/unavailable");
    let refused = ask("/1.1/comment-check", "").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "5");
    assert_eq!(read(ask("/coral/phase/news", "").await, &[200]).await["status"], "PREMOD", "or Coral would publish");

    assert_eq!(ask("/v1/comments", &app.key).await.status(), 400, "a known key has its body read, which is no JSON");
    app.comment(&ordinary("c-1")).await;
    let small = app.request(Method::POST, "/v1/sites/news/webhook", "").json(&ordinary("c-2"));
    assert_eq!(small.send().await.unwrap().status(), 401, "what is as small as most comments are is read");

    drop(first);
    app.until("nothing is held", |state| state.strangers.held() == 0).await;
    assert_eq!(ask("/v1/sites/news/webhook", "").await.status(), 401);
    assert_eq!(app.state.strangers.held(), 0);
}

#[tokio::test]
async fn coral_is_answered_in_its_time_however_slowly_it_tells() {
    let app = TestApp::spawn_with(|config| {
        config.server.body_timeout_s = 3_600;
        config.webhooks_in.coral_deadline_ms = 50;
    })
    .await;
    let head = head("/coral/phase/news", JSON, "", LONG);
    let answer = until_its_end(&mut connection(&app, &format!("{head}{{")).await, "Coral").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("PREMOD"), "it would publish: {answer}");
}

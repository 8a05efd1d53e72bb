//! A database that cannot be written while the service runs: locked by another process, full. Nothing is lost, nothing is made up.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::helpers::{TestApp, ordinary, read, signal};

/// Another process takes the write lock, until the connection is dropped.
fn locked(app: &TestApp) -> rusqlite::Connection {
    let other = app.database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

async fn impatient() -> TestApp {
    TestApp::spawn_with(|config| config.database.busy_timeout_ms = 100).await
}

async fn assert_unavailable(answer: Response) {
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem = read(answer, &[503]).await;
    assert_eq!((&problem["type"], &problem["retry_after_s"]), (&json!("/problems/unavailable"), &json!(5)));
    let text = problem.to_string();
    assert!(!text.contains("locked") && !text.contains("full"), "the cause is for the log: {text}");
}

/// With a link, by somebody and under an article of its own.
fn linking(id: &str, link: &str) -> Value {
    json!({"id": id, "article": {"id": format!("a-{id}")}, "author": {"id": format!("u-{id}")},
        "body": format!("Have a look at {link} everybody, it is well worth it")})
}

#[tokio::test]
async fn a_locked_database_answers_503_and_the_same_again_is_stored_once() {
    let app = impatient().await;
    app.comment(&ordinary("c-0")).await;
    let lock = locked(&app);
    assert_unavailable(app.post("/v1/comments", &ordinary("c-1")).await).await;
    assert_eq!(app.request(Method::GET, "/readyz", "").send().await.unwrap().status(), 503);
    assert_eq!(app.request(Method::GET, "/healthz", "").send().await.unwrap().status(), 200);
    assert_eq!(app.request(Method::GET, "/v1/comments/c-0", &app.key).send().await.unwrap().status(), 200);
    let lines = app.batch(&[ordinary("c-2"), ordinary("c-0")]).await;
    assert_eq!(
        (&lines[0]["status"], &lines[0]["id"], &lines[0]["line"], &lines[0]["retry_after_s"]),
        (&json!(503), &json!("c-2"), &json!(1), &json!(5))
    );
    assert_eq!(lines[1]["status"], "approved", "what is recorded is answered all the same");
    drop(lock);
    for id in ["c-1", "c-2"] {
        assert_eq!(app.post("/v1/comments", &ordinary(id)).await.status(), 201);
        assert_eq!(app.post("/v1/comments", &ordinary(id)).await.status(), 200);
    }
    assert_eq!(app.request(Method::GET, "/readyz", "").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_database_that_everything_was_moved_from_takes_nothing_more_and_says_so() {
    let app = TestApp::spawn().await;
    app.comment(&ordinary("c-0")).await;
    let mark = "INSERT INTO meta (name, value) VALUES ('moved_to', CAST('postgres://ann:[redacted]@db/x' AS BLOB))";
    app.database().execute(mark, []).unwrap();
    assert_unavailable(app.post("/v1/comments", &ordinary("c-1")).await).await;
    assert_eq!(app.batch(&[ordinary("c-2")]).await[0]["status"], 503);
    let ready = app.request(Method::GET, "/readyz", "").send().await.unwrap();
    assert_eq!(read(ready, &[503]).await["database"], "moved");
    assert_eq!(app.request(Method::GET, "/v1/comments/c-0", &app.key).send().await.unwrap().status(), 200);
    app.database().execute("DELETE FROM meta WHERE name = 'moved_to'", []).unwrap();
    assert_eq!(app.post("/v1/comments", &ordinary("c-1")).await.status(), 201, "what was refused was not stored");
    assert_eq!(app.request(Method::GET, "/readyz", "").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_full_database_answers_503_and_still_reads() {
    let app = TestApp::spawn_with(|config| config.database.max_file_mb = 1).await;
    let long = |at: usize| {
        let mut comment = ordinary(&format!("c-{at}"));
        comment["article"] =
            json!({"id": format!("a-{at}"), "text": crate::helpers::talk(&at.to_string()).repeat(200)});
        comment
    };
    let mut taken = 0;
    let full = loop {
        let answer = app.post("/v1/comments", &long(taken)).await;
        if answer.status() != 201 {
            break answer;
        }
        taken += 1;
        assert!(taken < 200, "1 MiB holds more than it can");
    };
    assert_unavailable(full).await;
    assert_eq!(app.request(Method::GET, "/readyz", "").send().await.unwrap().status(), 503);
    let list = read(app.request(Method::GET, "/v1/comments?limit=500", &app.key).send().await.unwrap(), &[200]).await;
    assert_eq!(list["items"].as_array().unwrap().len(), taken, "exactly what was acknowledged");
}

#[tokio::test]
async fn what_could_not_be_stored_leaves_no_mark() {
    let app = impatient().await;
    app.comment(&linking("c-1", "http://first.example/story")).await;
    let put = |body: Value| app.request(Method::PUT, "/v1/comments/c-1", &app.key).json(&body).send();
    let lock = locked(&app);
    assert_unavailable(put(linking("c-1", "http://second.example/story")).await.unwrap()).await;
    assert_unavailable(app.post("/v1/comments", &linking("c-2", "http://third.example/story")).await).await;
    drop(lock);
    let seen = async |id: &str, link: &str| signal(&app.comment(&linking(id, link)).await, "repeated-link").cloned();
    assert_eq!(seen("c-3", "http://second.example/story").await, None, "the edit was not stored");
    assert_eq!(seen("c-4", "http://third.example/story").await, None, "the comment was not stored");
    let hit = seen("c-5", "http://first.example/story").await.expect("the edit replaced nothing");
    assert!(hit["evidence"].as_str().unwrap().contains("1 comment"), "{hit}");
    read(put(linking("c-1", "http://fourth.example/story")).await.unwrap(), &[200]).await;
    assert!(seen("c-6", "http://fourth.example/story").await.is_some(), "an edit that is stored counts");
}

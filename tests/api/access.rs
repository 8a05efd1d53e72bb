//! Every route of the table: what an anonymous, a wrong and a right caller gets. A route that is missing here fails.

use std::cell::Cell;

use doorward::domain::people::Role;
use doorward::domain::site::Scope;
use doorward::http::routes::{Entry, Who, table};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, ordinary, read};

/// What one right request to a route takes, made anew for each: a comment that is there, a decision that can be undone.
struct Scene<'a> {
    app: &'a TestApp,
    count: Cell<u32>,
}

impl Scene<'_> {
    /// The path and body with which `entry` succeeds once, and the status that says so.
    async fn right(&self, entry: &Entry) -> (String, Option<Value>, u16) {
        let at = self.count.get();
        self.count.set(at + 1);
        let comment = self.app.comment(&ordinary("c-1")).await; // erased by the last one, perhaps
        let uid = comment["uid"].as_str().unwrap();
        let explained = self.app.review(Method::GET, &format!("/v1/comments/by-uid/{uid}/explanation"), None).await;
        let decision = |action: &str| json!({"items": [{"uid": uid, "seen_version": explained["comment"]["version"]}], "action": action});
        let mut path = entry.path.replace("{uid}", uid).replace("{name}", "invalid").replace("{page:.*}", "index.html");
        let (body, status) = match (entry.method.as_str(), entry.path) {
            ("POST", "/v1/comments") => (Some(ordinary(&format!("new-{at}"))), 201),
            ("POST", "/v1/comments/batch" | "/v1/assess") => (Some(ordinary(&format!("new-{at}"))), 200),
            ("PUT", "/v1/comments/{id}") => (Some(ordinary("c-1")), 200),
            ("PUT", "/v1/articles/{id}") => {
                path = format!("/v1/articles/new-{at}");
                (Some(json!({"title": "A title"})), 201)
            }
            ("POST" | "DELETE", "/v1/queue/claims") => (Some(json!({"uids": [uid]})), 200),
            ("POST", "/v1/decisions") => (Some(decision("approve")), 200),
            ("POST", "/v1/decisions/{id}/undo") => {
                let ruled = self.app.review(Method::POST, "/v1/decisions", Some(&decision("reject"))).await;
                path = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
                (None, 200)
            }
            ("DELETE", "/v1/comments/{id}") => (None, 204),
            ("GET", "/docs") => (None, 302),
            ("GET", _) => (None, 200),
            (method, path) => panic!("{method} {path}: say here what a right request is, and its answer"),
        };
        (path.replace("{id}", "c-1"), body, status)
    }

    /// Asks as `bearer`; whether the answer is the right one, or else its status.
    async fn ask(&self, entry: &Entry, bearer: &str, query: &str) -> Result<(), u16> {
        let (path, body, right) = self.right(entry).await;
        let method = Method::from_bytes(entry.method.as_str().as_bytes()).unwrap();
        let request = self.app.request(method, &format!("{path}{query}"), bearer);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let status = request.send().await.unwrap().status().as_u16();
        if status == right { Ok(()) } else { Err(status) }
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let app = TestApp::spawn_with(|config| config.limits.enabled = false).await;
    let all = app.another_key(&Scope::ALL).await;
    let auditor = app.person("audit@example.org", Role::Auditor).await;
    let scene = Scene { app: &app, count: Cell::new(0) };
    let (known, unknown) = (Ok(()), "dw_site_unknown");
    for entry in &table() {
        let name = format!("{} {}", entry.method, entry.path);
        let ask = async |bearer: &str, query: &str| scene.ask(entry, bearer, query).await;
        let without: Vec<Scope> = match entry.who {
            Who::Site(scope) | Who::SiteOrPerson(scope) => {
                Scope::ALL.into_iter().filter(|other| *other != scope).collect()
            }
            _ => Scope::ALL.to_vec(),
        };
        let lacking = app.another_key(&without).await;
        match entry.who {
            Who::Anyone => {
                assert_eq!(ask("", "").await, known, "{name}: anonymous");
                continue;
            }
            Who::Metrics => {
                assert_eq!((ask("", "").await, ask(unknown, "").await), (known, Err(401)), "{name}");
                continue;
            }
            _ => assert_eq!((ask("", "").await, ask(unknown, "").await), (Err(401), Err(401)), "{name}"),
        }
        match entry.who {
            Who::Anyone | Who::Metrics => {}
            Who::Site(_) => {
                assert_eq!(ask(&lacking, "").await, Err(403), "{name}: a key without the scope");
                assert_eq!(ask(&app.token, "").await, Err(403), "{name}: a person");
                assert_eq!(ask(&all, "").await, known, "{name}: the right key");
            }
            Who::SiteOrPerson(scope) => {
                assert_eq!(ask(&lacking, "").await, Err(403), "{name}: a key without the scope");
                assert_eq!(ask(&all, "?site=blog").await, Err(403), "{name}: another site's");
                assert_eq!(ask(&app.token, "").await, Err(422), "{name}: a person who names no site");
                assert_eq!(ask(&app.token, "?site=none").await, Err(404), "{name}: no such site");
                let reads = if scope == Scope::Read { known } else { Err(403) };
                assert_eq!(ask(&auditor, "?site=news").await, reads, "{name}: an auditor");
                assert_eq!(ask(&app.token, "?site=news").await, known, "{name}: a moderator");
                assert_eq!(ask(&all, "").await, known, "{name}: the right key");
            }
            Who::Person(duty) => {
                assert_eq!(ask(&all, "").await, Err(403), "{name}: a site's key");
                let reads = if Role::Auditor.may(duty) { known } else { Err(403) };
                assert_eq!(ask(&auditor, "").await, reads, "{name}: an auditor");
                assert_eq!(ask(&app.token, "").await, known, "{name}: a moderator");
            }
        }
    }
}

#[tokio::test]
async fn a_comment_may_be_called_batch() {
    let app = TestApp::spawn().await;
    app.comment(&ordinary("batch")).await;
    let all = app.another_key(&Scope::ALL).await;
    let ask = |method: Method| app.request(method, "/v1/comments/batch", &all);
    assert_eq!(read(ask(Method::GET).send().await.unwrap(), &[200]).await["id"], "batch");
    let mut changed = ordinary("batch");
    changed["body"] = json!("I have thought again: the lanes are a fine thing.");
    assert_eq!(read(ask(Method::PUT).json(&changed).send().await.unwrap(), &[200]).await["revision"], 2);
    assert_eq!(ask(Method::DELETE).send().await.unwrap().status(), 204);
    let none = ask(Method::PATCH).send().await.unwrap();
    assert_eq!((none.status().as_u16(), none.headers()["allow"].to_str().unwrap()), (405, "POST, GET, PUT, DELETE"));
}

#[tokio::test]
async fn a_site_sees_its_own_things_only() {
    let app = TestApp::spawn().await;
    let other = app.another_site("blog").await;
    app.comment(&ordinary("c-1")).await;
    let ask = async |method: Method, path: &str| app.request(method, path, &other).send().await.unwrap();
    assert_eq!(ask(Method::GET, "/v1/comments/c-1").await.status(), 404);
    assert_eq!(read(ask(Method::GET, "/v1/comments").await, &[200]).await["items"], json!([]));
    let theirs = app.request(Method::POST, "/v1/comments", &other).json(&ordinary("c-1")).send().await.unwrap();
    assert_eq!(theirs.status(), 201, "ids are each site's own");
}

#[tokio::test]
async fn rotated_keys_open_nothing_after_seconds() {
    let app = TestApp::spawn().await;
    assert_eq!(app.post("/v1/comments", &ordinary("c-1")).await.status(), 201);
    let new = app.rotate().await;
    app.clock.advance_ms(5_000);
    assert_eq!(app.post("/v1/comments", &ordinary("c-2")).await.status(), 401);
    assert_eq!(app.request(Method::GET, "/v1/comments", &new).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_for_the_token() {
    let app = TestApp::spawn_with(|config| {
        config.metrics = toml::from_str("token = \"a-long-secret\"").unwrap();
    })
    .await;
    let ask = async |bearer: &str, forwarded: bool| {
        let request = app.request(Method::GET, "/metrics", bearer);
        let request = if forwarded { request.header("x-forwarded-for", "127.0.0.1") } else { request };
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask("", false).await, 200);
    assert_eq!(ask("", true).await, 403, "an unknown proxy stands between");
    assert_eq!(ask("a-long-secret", true).await, 200);
    assert_eq!(ask("wrong", false).await, 401);
}

#[tokio::test]
async fn every_route_is_in_the_openapi_document() {
    let app = TestApp::spawn().await;
    let document = read(app.request(Method::GET, "/openapi.json", "").send().await.unwrap(), &[200]).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for entry in table().iter().filter(|entry| !entry.path.starts_with("/docs") && entry.path != "/openapi.json") {
        let method = entry.method.as_str().to_lowercase();
        assert!(document["paths"][entry.path][&method].is_object(), "{method} {} is not described", entry.path);
    }
    let page = app.request(Method::GET, "/docs/", "").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(!page.text().await.unwrap().contains("https://"), "the page reaches outside");
}

//! Every route of the table: what an anonymous, a wrong and a right caller gets. A route that is missing here fails.

use doorward::domain::people::Role;
use doorward::domain::site::Scope;
use doorward::http::routes::{Who, table};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, ordinary, read};

fn body(path: &str) -> Option<Value> {
    match path {
        "/v1/comments" | "/v1/comments/batch" | "/v1/assess" => Some(ordinary("c-9")),
        "/v1/comments/{id}" => Some(ordinary("c-1")),
        "/v1/articles/{id}" => Some(json!({"title": "A title"})),
        "/v1/queue/claims" => Some(json!({"uids": ["01890000-0000-7000-8000-000000000000"]})),
        "/v1/decisions" => Some(
            json!({"items": [{"uid": "01890000-0000-7000-8000-000000000000", "seen_version": 1}], "action": "approve"}),
        ),
        _ => None,
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let app = TestApp::spawn().await;
    let comment = app.comment(&ordinary("c-1")).await;
    let all = app.another_key(&Scope::ALL).await;
    let auditor = app.person("audit@example.org", Role::Auditor).await;
    let path = |pattern: &str| {
        pattern
            .replace("{uid}", comment["uid"].as_str().unwrap())
            .replace("/decisions/{id}", "/decisions/01890000-0000-7000-8000-000000000000")
            .replace("{id}", "c-1")
            .replace("{site}", "news")
            .replace("{name}", "invalid")
            .replace("{page:.*}", "index.html")
    };
    let ask = async |method: &Method, pattern: &str, bearer: &str, query: &str| {
        let request = app.request(method.clone(), &format!("{}{query}", path(pattern)), bearer);
        let request = match body(pattern).filter(|_| *method != Method::GET) {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.unwrap().status().as_u16()
    };
    let right = |status: u16| matches!(status, 200 | 201 | 204 | 302 | 404 | 409);
    for entry in table() {
        let (method, pattern) = (Method::from_bytes(entry.method.as_str().as_bytes()).unwrap(), entry.path);
        let name = format!("{method} {pattern}");
        let anonymous = ask(&method, pattern, "", "").await;
        let unknown = ask(&method, pattern, "dw_site_unknown", "").await;
        let without: Vec<Scope> = match entry.who {
            Who::Site(scope) | Who::SiteOrPerson(scope) => {
                Scope::ALL.into_iter().filter(|other| *other != scope).collect()
            }
            _ => Scope::ALL.to_vec(),
        };
        let lacking = app.another_key(&without).await;
        match entry.who {
            Who::Anyone => assert!(right(anonymous), "{name}: {anonymous}"),
            // tests/api/webhooks_in.rs: what the right signature gets.
            Who::Signed => {
                assert_eq!((anonymous, unknown), (401, 401), "{name}");
                assert_eq!(ask(&method, pattern, &all, "").await, 401, "{name}: a site's key");
                assert_eq!(ask(&method, pattern, &app.token, "").await, 401, "{name}: a person");
            }
            Who::Metrics => assert_eq!((anonymous, unknown), (200, 401), "{name}"),
            Who::Site(_) => {
                assert_eq!((anonymous, unknown), (401, 401), "{name}");
                assert_eq!(ask(&method, pattern, &lacking, "").await, 403, "{name}: a key without the scope");
                assert_eq!(ask(&method, pattern, &app.token, "").await, 403, "{name}: a person");
                assert!(right(ask(&method, pattern, &all, "").await), "{name}: the right key");
            }
            Who::SiteOrPerson(scope) => {
                assert_eq!((anonymous, unknown), (401, 401), "{name}");
                assert_eq!(ask(&method, pattern, &lacking, "").await, 403, "{name}: a key without the scope");
                assert_eq!(ask(&method, pattern, &all, "?site=blog").await, 403, "{name}: another site's");
                assert_eq!(ask(&method, pattern, &app.token, "").await, 422, "{name}: a person who names no site");
                assert_eq!(ask(&method, pattern, &app.token, "?site=none").await, 404, "{name}: no such site");
                let reads = ask(&method, pattern, &auditor, "?site=news").await;
                assert!(if scope == Scope::Read { right(reads) } else { reads == 403 }, "{name}: an auditor, {reads}");
                assert!(right(ask(&method, pattern, &app.token, "?site=news").await), "{name}: a moderator");
                app.comment(&ordinary("c-1")).await;
                assert!(right(ask(&method, pattern, &all, "").await), "{name}: the right key");
                app.comment(&ordinary("c-1")).await;
            }
            Who::Person(duty) => {
                assert_eq!((anonymous, unknown), (401, 401), "{name}");
                assert_eq!(ask(&method, pattern, &all, "").await, 403, "{name}: a site's key");
                let reads = ask(&method, pattern, &auditor, "").await;
                assert!(
                    if Role::Auditor.may(duty) { right(reads) } else { reads == 403 },
                    "{name}: an auditor, {reads}"
                );
                assert!(right(ask(&method, pattern, &app.token, "").await), "{name}: a moderator");
            }
        }
    }
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

use doorward::domain::people::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, ordinary, read};

fn with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut comment = ordinary("c-1");
    change(&mut comment);
    comment.to_string().into_bytes()
}

#[tokio::test]
async fn every_bad_input_has_its_status_its_type_and_its_sentence() {
    let app = TestApp::spawn().await;
    let deep = format!("{{\"id\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let rows: Vec<Row> = vec![
        ("nothing", b"".to_vec(), 400, "malformed", "not JSON"),
        ("no JSON", b"hello".to_vec(), 400, "malformed", "not JSON"),
        ("half a JSON", b"{\"id\":".to_vec(), 400, "malformed", "not JSON"),
        ("two values", b"{} {}".to_vec(), 422, "invalid", "missing"),
        ("deeply nested", deep.into_bytes(), 422, "invalid", "id: invalid type: sequence"),
        ("not UTF-8", b"{\"id\":\"\xff\xfe\"}".to_vec(), 400, "malformed", "not UTF-8 after byte 7"),
        ("a list", b"[]".to_vec(), 422, "invalid", "body: invalid type: sequence, expected an object"),
        ("no id", with(|c| drop(c.as_object_mut().unwrap().remove("id"))), 422, "invalid", "id: is missing"),
        ("no body", with(|c| drop(c.as_object_mut().unwrap().remove("body"))), 422, "invalid", "body: is missing"),
        (
            "no article id",
            with(|c| drop(c["article"].as_object_mut().unwrap().remove("id"))),
            422,
            "invalid",
            "article.id: is missing",
        ),
        ("a number for a text", with(|c| c["body"] = json!(5)), 422, "invalid", "body: invalid type"),
        ("null for a text", with(|c| c["body"] = Value::Null), 422, "invalid", "body: invalid type"),
        ("an unknown format", with(|c| c["format"] = json!("bbcode")), 422, "invalid", "format: unknown variant"),
        ("negative time", with(|c| c["typing_ms"] = json!(-5)), 422, "invalid", "typing_ms: invalid value"),
        ("a blank body", with(|c| c["body"] = json!(" \n\t ")), 422, "invalid", "body: must not be empty or blank"),
        (
            "a body that shows nothing",
            with(|c| (c["body"], c["format"]) = (json!("<p>&nbsp;</p>"), json!("html"))),
            422,
            "invalid",
            "body: must not be empty or blank",
        ),
        ("NUL in the body", with(|c| c["body"] = json!("a\0b")), 422, "invalid", "body: must not contain NUL"),
        (
            "NUL in a name",
            with(|c| c["author"]["name"] = json!("a\0b")),
            422,
            "invalid",
            "author.name: must not contain NUL",
        ),
        ("an empty id", with(|c| c["id"] = json!("")), 422, "invalid", "id: must not be empty"),
        (
            "a long id",
            with(|c| c["id"] = json!("x".repeat(201))),
            422,
            "invalid",
            "id: has 201 characters, at most 200 are allowed",
        ),
        (
            "a line end in an id",
            with(|c| c["id"] = json!("a\nb")),
            422,
            "invalid",
            "id: must hold printable characters only",
        ),
        (
            "a long body",
            with(|c| c["body"] = json!("x".repeat(70_000))),
            422,
            "invalid",
            "body: has 70000 bytes, at most 65536 are allowed",
        ),
        (
            "a long title",
            with(|c| c["article"]["title"] = json!("x".repeat(3_000))),
            422,
            "invalid",
            "article.title: has 3000 bytes",
        ),
        (
            "many tags",
            with(|c| c["article"]["tags"] = json!(vec!["x"; 101])),
            422,
            "invalid",
            "article.tags: has 101 entries, at most 100",
        ),
        (
            "a wrong address",
            with(|c| c["author"]["ip"] = json!("300.1.1.1")),
            422,
            "invalid",
            "author.ip: is no IPv4 or IPv6 address",
        ),
        (
            "an impossible date",
            with(|c| c["created_at"] = json!("2026-02-30T10:00:00Z")),
            422,
            "invalid",
            "created_at: not an RFC 3339 time",
        ),
        (
            "another date format",
            with(|c| c["author"]["registered_at"] = json!("yesterday")),
            422,
            "invalid",
            "author.registered_at: not an RFC 3339 time",
        ),
        (
            "a body over the request's bound",
            with(|c| c["body"] = json!("x".repeat(1_100_000))),
            413,
            "too-large",
            "larger than 1048576 bytes",
        ),
    ];
    are_refused(&app, rows).await;
    let list = read(app.request(Method::GET, "/v1/comments", &app.key).send().await.unwrap(), &[200]).await;
    assert_eq!(list["items"], json!([]), "something was stored");
}

/// A name, what is sent, and what is answered: status, type and a part of the sentence.
type Row = (&'static str, Vec<u8>, u16, &'static str, &'static str);

async fn are_refused(app: &TestApp, rows: Vec<Row>) {
    for (name, body, status, kind, sentence) in rows {
        for path in ["/v1/comments", "/v1/assess"] {
            let request = app.request(Method::POST, path, &app.key).header("content-type", "application/json");
            let answer = request.body(body.clone()).send().await.unwrap();
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{name}");
            let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
            let problem = read(answer, &[status]).await;
            assert_eq!(problem["type"], format!("/problems/{kind}"), "{name}: {problem}");
            assert_eq!((&problem["status"], &problem["instance"]), (&json!(status), &json!(id)), "{name}");
            assert!(problem["title"].is_string());
            assert!(problem["detail"].as_str().unwrap().contains(sentence), "{name}: {problem}");
        }
    }
}

#[tokio::test]
async fn what_is_given_twice_or_in_place_of_a_name_is_named() {
    let app = TestApp::spawn().await;
    let rows: Vec<Row> = vec![
        (
            "a number for a format",
            with(|c| c["format"] = json!(5)),
            422,
            "invalid",
            "format: invalid type: integer `5`",
        ),
        ("a truth for a format", with(|c| c["format"] = json!(true)), 422, "invalid", "format: invalid type: boolean"),
        (
            "a fraction for a format",
            with(|c| c["format"] = json!(1.5)),
            422,
            "invalid",
            "format: invalid type: floating",
        ),
        ("a list for a format", with(|c| c["format"] = json!([])), 422, "invalid", "format: invalid type: sequence"),
        (
            "an object for a format",
            with(|c| c["format"] = json!({})),
            422,
            "invalid",
            "format: invalid type: map, expected one of `text`, `html`, `markdown`",
        ),
        (
            "an id twice",
            br#"{"id":"f1","id":"f2","article":{"id":"a-1"},"body":"hello"}"#.to_vec(),
            422,
            "invalid",
            "id: is given more than once",
        ),
        (
            "an article's id twice",
            br#"{"id":"f1","article":{"id":"a-1","id":"a-2"},"body":"hello"}"#.to_vec(),
            422,
            "invalid",
            "article.id: is given more than once",
        ),
    ];
    are_refused(&app, rows).await;
}

/// Not every engine can store one, and an answer must not depend on the engine.
#[tokio::test]
async fn a_nul_is_refused_wherever_it_is_and_the_field_is_named() {
    let app = TestApp::spawn().await;
    let ann = app.person("ann@work.example", Role::Admin).await;
    let of_person = [
        (Method::GET, "/v1/comments?site=news&author=a%00b", None, "author"),
        (Method::GET, "/v1/comments/a%00b?site=news", None, "path"),
        (Method::GET, "/v1/comments/search?site=news&q=%00", None, "q"),
        (Method::GET, "/v1/queue?section=%00", None, "section"),
        (Method::GET, "/v1/authors/u-1?site=ne%00ws", None, "site"),
        (Method::GET, "/v1/audit?q=%00", None, "q"),
        (Method::POST, "/v1/sites/ne%00ws/model/reset", None, "path"),
        (Method::POST, "/v1/queue/claims", Some(json!({"uids": [], "note": "\0"})), "note"),
        (Method::POST, "/v1/decisions", Some(json!({"items": [], "note": "a\0b"})), "note"),
        (Method::POST, "/v1/sanctions", Some(json!({"target": {"value": "a\0b"}})), "target.value"),
        (Method::POST, "/v1/outbox/resend", Some(json!({"site": "\0"})), "site"),
        (Method::POST, "/v1/authors/u-1/notes?site=news", Some(json!({"text": "\0"})), "text"),
    ];
    let of_site = [
        (Method::GET, "/v1/comments?article=%00", None, "article"),
        (Method::PUT, "/v1/articles/a-1", Some(json!({"title": "a\0b"})), "title"),
        (Method::POST, "/v1/comments/c-1/reports", Some(json!({"reader": {"id": "u\0"}})), "reader.id"),
        (Method::POST, "/v1/comments/c-1/votes", Some(json!({"reader_id": "u\0"})), "reader_id"),
        (Method::POST, "/v1/comments/c-1/appeals", Some(json!({"text": "a\0b"})), "text"),
        (Method::POST, "/v1/comments", Some(with_nul(|c| &mut c["id"])), "id"),
        (Method::POST, "/v1/comments", Some(with_nul(|c| &mut c["article"]["section"])), "article.section"),
        (Method::POST, "/v1/assess", Some(with_nul(|c| &mut c["author"]["email"])), "author.email"),
    ];
    let rows = of_person.into_iter().map(|row| (&ann, row)).chain(of_site.into_iter().map(|row| (&app.key, row)));
    for (bearer, (method, path, body, field)) in rows {
        let mut request = app.request(method, path, bearer);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let problem = read(request.send().await.unwrap(), &[422]).await;
        assert_eq!(problem["field"], field, "{path}: {problem}");
        assert_eq!(problem["detail"], format!("{field}: must not contain NUL"), "{path}");
    }
    let line = with_nul(|c| &mut c["author"]["name"]);
    let answers = app.batch(&[line]).await;
    assert_eq!(answers[0]["field"], "author.name", "{answers:?}");
}

#[tokio::test]
async fn a_name_of_the_wrong_type_is_told_by_its_field_wherever_it_is() {
    let app = TestApp::spawn().await;
    let ann = app.person("ann@work.example", Role::Admin).await;
    let target = |kind: Value| json!({"kind": kind, "value": "u-1"});
    let rows = [
        (&app.key, "/v1/comments/c-1/reports", json!({"category": 5}), "category"),
        (&ann, "/v1/decisions", json!({"items": [], "action": 5}), "action"),
        (&ann, "/v1/decisions", json!({"items": [], "action": "reject", "category": ["spam"]}), "category"),
        (&ann, "/v1/sanctions", json!({"measure": {"ban": null}}), "measure"),
        (&ann, "/v1/sanctions", json!({"target": target(json!(1.5))}), "target.kind"),
    ];
    for (bearer, path, body, field) in rows {
        let problem = read(app.request(Method::POST, path, bearer).json(&body).send().await.unwrap(), &[422]).await;
        assert_eq!(problem["field"], field, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("invalid type"), "{path}: {problem}");
    }
}

fn with_nul(of: impl FnOnce(&mut Value) -> &mut Value) -> Value {
    let mut comment = ordinary("c-1");
    *of(&mut comment) = json!("a\0b");
    comment
}

#[tokio::test]
async fn a_list_of_an_objects_values_is_not_the_object() {
    let app = TestApp::spawn().await;
    let rows = [
        ("article", with(|c| c["article"] = json!(["a-9"]))),
        ("author", with(|c| c["author"] = json!(["u-7"]))),
        ("body", json!(["c-1", ["a-9"], null, null, "hello"]).to_string().into_bytes()),
    ];
    for (field, body) in rows {
        for path in ["/v1/comments", "/v1/assess"] {
            let request = app.request(Method::POST, path, &app.key).header("content-type", "application/json");
            let problem = read(request.body(body.clone()).send().await.unwrap(), &[422]).await;
            assert_eq!(problem["field"], field, "{path}: {problem}");
            assert_eq!(problem["detail"], format!("{field}: invalid type: sequence, expected an object"));
        }
    }
}

#[tokio::test]
async fn odd_but_valid_input_is_taken() {
    let app = TestApp::spawn().await;
    let links = "<a href='http://x.example/'>x</a>".repeat(1_900);
    let nested = format!("{}deep{}", "<div>".repeat(5_000), "</div>".repeat(5_000));
    let rows: Vec<(&str, Value)> = vec![
        ("thousands of links", json!({"id": "a", "article": {"id": "a"}, "body": links, "format": "html"})),
        ("deeply nested HTML", json!({"id": "b", "article": {"id": "a"}, "body": nested, "format": "html"})),
        (
            "deeply nested Markdown",
            json!({"id": "c", "article": {"id": "a"}, "body": format!("{}x", "> ".repeat(10_000)), "format": "markdown"}),
        ),
        (
            "empty optional fields",
            json!({"id": "d", "article": {"id": "a", "title": "", "url": ""}, "author": {"id": "", "email": "", "ip": ""}, "parent_id": "", "body": "hello", "created_at": ""}),
        ),
        (
            "unknown fields",
            json!({"id": "e", "article": {"id": "a", "x": 1}, "body": "hello", "something": {"new": true}}),
        ),
        (
            "bidi and emoji",
            json!({"id": "f \u{1f600}", "article": {"id": "ä b"}, "body": "\u{202e}\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{0301}\u{0301}"}),
        ),
        (
            "a parent that was never sent",
            json!({"id": "g", "article": {"id": "a"}, "parent_id": "none", "body": "hello"}),
        ),
        (
            "a time before 1970",
            json!({"id": "h", "article": {"id": "a"}, "body": "hello", "created_at": "1901-01-01T00:00:00Z"}),
        ),
    ];
    for (name, comment) in rows {
        let answer = app.post("/v1/comments", &comment).await;
        assert_eq!(answer.status(), 201, "{name}: {}", answer.text().await.unwrap());
    }
}

#[tokio::test]
async fn a_hundred_thousand_links_are_one_comment() {
    let app = TestApp::spawn_with(|config| {
        config.server.max_body_bytes = 16 << 20;
        config.intake.max_comment_bytes = 8 << 20;
    })
    .await;
    let same = "<a href='http://x.example/'>x</a>".repeat(100_000);
    let distinct: String = (0..100_000).map(|at| format!("http://{at}.example/{at} ")).collect();
    for (id, body, format) in [("same", same, "html"), ("distinct", distinct, "markdown")] {
        let answer =
            app.post("/v1/comments", &json!({"id": id, "article": {"id": "a"}, "body": body, "format": format})).await;
        assert_eq!(answer.status(), 201, "{id}");
    }
    let found = read(app.request(Method::GET, "/v1/comments/distinct", &app.key).send().await.unwrap(), &[200]).await;
    assert!(crate::helpers::signal(&found, "link-count").is_some(), "{}", found["verdict"]);
}

#[tokio::test]
async fn paths_methods_and_types_that_are_not_there_say_so() {
    let app = TestApp::spawn().await;
    let ask = async |method: Method, path: &str| app.request(method, path, &app.key).send().await.unwrap();
    let problem = read(ask(Method::GET, "/v1/nothing").await, &[404]).await;
    assert_eq!(problem["type"], "/problems/not-found");
    let wrong = ask(Method::PATCH, "/v1/comments").await;
    assert_eq!(wrong.headers()["allow"], "POST, GET");
    assert_eq!(read(wrong, &[405]).await["type"], "/problems/method-not-allowed");
    let text = app
        .request(Method::POST, "/v1/comments", &app.key)
        .header("content-type", "text/plain")
        .body("hello")
        .send()
        .await
        .unwrap();
    assert_eq!(read(text, &[415]).await["type"], "/problems/unsupported-media-type");
    for (path, field) in [
        ("/v1/comments?status=spam", "status"),
        ("/v1/comments?limit=0", "limit"),
        ("/v1/comments?limit=501", "limit"),
        ("/v1/comments?limit=x", "limit"),
        ("/v1/comments?cursor=zzz", "cursor"),
        ("/v1/comments?updated_since=today", "updated_since"),
        ("/v1/comments?status=held&status=approved", "status"),
    ] {
        let problem = read(ask(Method::GET, path).await, &[422]).await;
        assert_eq!(problem["field"], field, "{path}");
    }
    let long = app.request(Method::PUT, "/v1/articles/a", &app.key).json(&json!({"title": "x".repeat(3_000)}));
    let problem = read(long.send().await.unwrap(), &[422]).await;
    assert_eq!((&problem["field"], &problem["status"]), (&json!("title"), &json!(422)), "as this body names it");
    let page = ask(Method::GET, "/problems/comment-exists").await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("409"));
}

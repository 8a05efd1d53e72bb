//! People within their reach, the record of who did what, a person's data, and what happens as it happens.

use std::sync::Arc;

use doorward::app::events::{Config, Events, Told};
use doorward::domain::people::{Person, Reach, Role};
use doorward::domain::site::Scope;
use doorward::domain::store::Place;
use doorward::domain::time::Timestamp;
use doorward::storage::{self, sqlite::SqliteStore};
use futures_util::StreamExt as _;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::helpers::{TestApp, doubtful, ordinary, read};

#[expect(clippy::unnecessary_wraps, reason = "as a reach holds it")]
fn list(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

async fn as_person(app: &TestApp, method: Method, path: &str, token: &str, body: Option<&Value>) -> Response {
    let request = app.request(method, path, token);
    let request = if let Some(body) = body { request.json(body) } else { request };
    request.send().await.unwrap()
}

/// A held comment in a section, in a language.
async fn held(app: &TestApp, id: &str, section: Option<&str>, lang: &str) -> Value {
    let mut comment = doubtful(id);
    comment["article"] = json!({"id": format!("a-{id}"), "title": "A title", "lang": lang});
    if let Some(section) = section {
        comment["article"]["section"] = json!(section);
    }
    app.clock.advance_ms(61_000);
    let comment = app.comment(&comment).await;
    assert_eq!(comment["status"], "held");
    comment
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_person_sees_and_touches_what_lies_within_their_reach() {
    let app = TestApp::spawn().await;
    let blog = app.another_site("blog").await;
    let sport = held(&app, "sport", Some("sport"), "en").await;
    let city = held(&app, "city", Some("city"), "en").await;
    let german = held(&app, "german", Some("sport"), "de").await;
    let bare = held(&app, "bare", None, "en").await;
    let request = app.request(Method::POST, "/v1/comments", &blog).json(&doubtful("elsewhere"));
    let elsewhere = read(request.send().await.unwrap(), &[201]).await;
    let reach = Reach { sites: list(&["news"]), sections: list(&["sport"]), langs: list(&["en"]) };
    let token = app.person_within("sport@example.org", Role::Moderator, &reach).await;
    let ask =
        async |method: Method, path: &str, body: Option<&Value>| as_person(&app, method, path, &token, body).await;

    let page = read(ask(Method::GET, "/v1/comments?site=news", None).await, &[200]).await;
    assert_eq!(ids(&page), ["sport"]);
    let queue = read(ask(Method::GET, "/v1/queue", None).await, &[200]).await;
    assert_eq!((ids(&queue), &queue["counts"]["held"]), (vec!["sport"], &json!(1)), "counts say nothing of the rest");
    assert_eq!(queue["counts"]["by_site"], json!({"news": 1}));

    for (name, comment, site) in [
        ("another section", &city, "news"),
        ("another language", &german, "news"),
        ("no section", &bare, "news"),
        ("another site", &elsewhere, "blog"),
    ] {
        let (id, uid) = (comment["id"].as_str().unwrap(), comment["uid"].as_str().unwrap());
        for (method, path) in [
            (Method::GET, format!("/v1/comments/{id}?site={site}")),
            (Method::DELETE, format!("/v1/comments/{id}?site={site}")),
            (Method::GET, format!("/v1/comments/by-uid/{uid}/explanation")),
        ] {
            let hidden = ask(method.clone(), &path, None).await;
            assert_eq!(hidden.status(), 404, "{name}: {method} {path}");
        }
        let decision = json!({"items": [{"uid": uid, "seen_version": 1}], "action": "reject"});
        let answer = ask(Method::POST, "/v1/decisions", Some(&decision)).await;
        assert_eq!(answer.status(), 404, "{name}: a decision");
        let claims = ask(Method::POST, "/v1/queue/claims", Some(&json!({"uids": [uid]}))).await;
        assert_eq!(read(claims, &[200]).await["claimed"], json!([]), "{name}: a claim");
        // What is not there is answered in the same words.
        let there = ask(Method::GET, &format!("/v1/comments/{id}?site={site}"), None).await;
        let absent = ask(Method::GET, &format!("/v1/comments/none?site={site}"), None).await;
        let (there, absent) = (read(there, &[404]).await, read(absent, &[404]).await);
        assert_eq!((&there["type"], &there["detail"]), (&absent["type"], &absent["detail"]), "{name}");
    }

    let seen = |comment: &Value| json!({"uid": comment["uid"], "seen_version": comment["version"]});
    let bulk = json!({"items": [seen(&sport), seen(&city), seen(&elsewhere)], "action": "approve"});
    let ruled = read(ask(Method::POST, "/v1/decisions", Some(&bulk)).await, &[200]).await;
    assert_eq!(ruled["applied"], json!([sport["uid"]]));
    assert_eq!(ruled["missing"], json!([city["uid"], elsewhere["uid"]]));

    // A decision over everything, taken back by somebody who sees a part of it: the part.
    let all = json!({"items": [seen(&city), seen(&german)], "action": "reject"});
    let ruled = app.review(Method::POST, "/v1/decisions", Some(&all)).await;
    let undo = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
    assert_eq!(ask(Method::POST, &undo, None).await.status(), 404, "nothing of it lies within");
    let erase = ask(Method::DELETE, "/v1/comments/sport?site=news", None).await;
    assert_eq!(erase.status(), 204);
}

#[tokio::test]
async fn what_waits_moves_with_its_article_to_another_section() {
    let app = TestApp::spawn().await;
    let part = |section: &str| Reach { sections: list(&[section]), ..Reach::ALL };
    let sport = app.person_within("sport@example.org", Role::Moderator, &part("sport")).await;
    let city = app.person_within("city@example.org", Role::Moderator, &part("city")).await;
    let mut bare = doubtful("bare");
    bare["article"] = json!({"id": "derby", "title": "A title", "lang": "en"});
    let bare = app.comment(&bare).await;
    let mut own = doubtful("own");
    own["article"] = json!({"id": "derby", "section": "city"});
    own["author"] = json!({"id": "ben"});
    assert_eq!((&bare["status"], &app.comment(&own).await["status"]), (&json!("held"), &json!("held")));
    held(&app, "other", None, "en").await;
    let seen = async |token: &str, query: &str| {
        let queue = as_person(&app, Method::GET, &format!("/v1/queue?sort=oldest{query}"), token, None).await;
        let mut seen: Vec<String> = ids(&read(queue, &[200]).await).into_iter().map(str::to_owned).collect();
        seen.sort();
        seen
    };
    for (section, by_sport, by_city) in [("sport", vec!["bare"], vec!["own"]), ("city", vec![], vec!["bare", "own"])] {
        let put = app.request(Method::PUT, "/v1/articles/derby", &app.key).json(&json!({"section": section}));
        read(put.send().await.unwrap(), &[200]).await;
        assert_eq!((seen(&sport, "").await, seen(&city, "").await), (owned(&by_sport), owned(&by_city)), "{section}");
        let filtered = seen(&app.token, &format!("&section={section}")).await;
        assert_eq!(filtered, owned(if section == "sport" { &by_sport } else { &by_city }), "{section}");
    }
    let claims = json!({"uids": [bare["uid"]]});
    let claimed = as_person(&app, Method::POST, "/v1/queue/claims", &city, Some(&claims)).await;
    assert_eq!(read(claimed, &[200]).await["claimed"], json!([bare["uid"]]), "whoever sees it may take it");
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn people_learn_who_they_are_and_overseers_who_works_here() {
    let app = TestApp::spawn().await;
    let reach = Reach { sites: list(&["news"]), langs: list(&["en", "de"]), ..Reach::ALL };
    let token = app.person_within("en@example.org", Role::Moderator, &reach).await;
    let me = read(as_person(&app, Method::GET, "/v1/me", &token, None).await, &[200]).await;
    let expected = json!({"email": "en@example.org", "role": "moderator", "duties": ["read", "decide"],
        "reach": {"sites": ["news"], "langs": ["en", "de"]}});
    assert_eq!(me, expected);
    let auditor = app.person("audit@example.org", Role::Auditor).await;
    let people = read(as_person(&app, Method::GET, "/v1/people", &auditor, None).await, &[200]).await;
    let emails: Vec<&str> =
        people["items"].as_array().unwrap().iter().map(|person| person["email"].as_str().unwrap()).collect();
    assert_eq!(emails, ["audit@example.org", "en@example.org", "mod@example.org"]);
    assert!(!people.to_string().contains("argon2"));
}

#[tokio::test]
async fn the_record_of_who_did_what_pages_and_filters() {
    let app = TestApp::spawn().await;
    let auditor = app.person("audit@example.org", Role::Auditor).await;
    let ask = async |query: &str| as_person(&app, Method::GET, &format!("/v1/audit{query}"), &auditor, None).await;
    let comment = held(&app, "c-1", Some("sport"), "en").await;
    let decision =
        json!({"items": [{"uid": comment["uid"], "seen_version": 1}], "action": "reject", "note": "Ann is a bother"});
    app.clock.advance_ms(1_000);
    let ruled = app.review(Method::POST, "/v1/decisions", Some(&decision)).await;
    let actions = async |query: &str| {
        let page = read(ask(query).await, &[200]).await;
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["action"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(actions("?limit=1").await, ["decision"], "newest first");
    assert_eq!(actions("?action=person.").await, ["person.create", "person.create"]);
    assert_eq!(actions("?by=mod@example.org").await, ["decision"]);
    assert_eq!(actions(&format!("?subject={}", ruled["decision"].as_str().unwrap())).await, ["decision"]);
    assert_eq!(actions("?since=2026-11-24T10:01:02Z").await, ["decision"]);
    assert_eq!(ask("?since=yesterday").await.status(), 422);
    assert_eq!(ask("?cursor=nonsense").await.status(), 422);
    let (mut query, mut numbers) = ("?limit=2".to_owned(), Vec::new());
    loop {
        let page = read(ask(&query).await, &[200]).await;
        numbers.extend(page["items"].as_array().unwrap().iter().map(|line| line["number"].as_i64().unwrap()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(numbers, (1..=i64::try_from(numbers.len()).unwrap()).rev().collect::<Vec<_>>());
    let all = ask("").await.text().await.unwrap();
    assert!(!all.contains("bother") && !all.contains("u-c-1"), "nothing about authors: {all}");
}

#[tokio::test]
async fn an_author_is_exported_whole_and_erased_whole() {
    let app = TestApp::spawn().await;
    let all = app.another_key(&Scope::ALL).await;
    let mut first = ordinary("c-1");
    first["author"] = json!({"id": "ann", "name": "Ann", "email": "ann@mail.example", "ip": "203.0.113.7", "user_agent": "Browser/1"});
    first["referrer"] = json!("https://elsewhere.example/");
    app.comment(&first).await;
    let mut edited = first.clone();
    edited["body"] = json!("I think otherwise now.");
    let edit = app.request(Method::PUT, "/v1/comments/c-1", &app.key).json(&edited).send().await.unwrap();
    assert_eq!(edit.status(), 200);
    let mut second = ordinary("c-2");
    second["author"] = json!({"id": "ann", "name": "Ann"});
    let made = app.comment(&second).await;
    app.comment(&ordinary("c-3")).await;
    let reject = json!({"items": [{"uid": made["uid"], "seen_version": 1}], "action": "reject", "reason": "Off the subject.",
        "note": "Ann is a bother"});
    app.review(Method::POST, "/v1/decisions", Some(&reject)).await;

    let path = "/v1/authors/ann/export";
    let export = read(app.request(Method::GET, &format!("{path}?limit=1"), &all).send().await.unwrap(), &[200]).await;
    assert_eq!((ids(&export), export["besides"].is_object()), (vec!["c-2"], true));
    let ruled = &export["items"][0]["history"][1];
    let (by, reason, note) = (&ruled["by"], &ruled["reason"], &ruled["note"]);
    assert_eq!(
        (by, reason, note),
        (&json!("a moderator"), &json!("Off the subject."), &Value::Null),
        "notes are colleagues'"
    );
    let next = format!("{path}?limit=1&cursor={}", export["next_cursor"].as_str().unwrap());
    let export = read(app.request(Method::GET, &next, &all).send().await.unwrap(), &[200]).await;
    let kept = &export["items"][0];
    assert_eq!((&kept["id"], &export["next_cursor"], &export["besides"]), (&json!("c-1"), &Value::Null, &Value::Null));
    assert_eq!((&kept["body"], &kept["earlier"][0]["body"]), (&edited["body"], &first["body"]));
    assert_eq!(kept["sent"]["author"]["email"], "ann@mail.example");
    assert_eq!(kept["sent"]["author"]["ip"], "203.0.113.7");
    assert_eq!(kept["sent"]["referrer"], "https://elsewhere.example/");
    assert_eq!(kept["history"][1]["kind"], "edited");

    let part = Reach { sections: list(&["city"]), ..Reach::ALL };
    let part = app.person_within("part@example.org", Role::Moderator, &part).await;
    for (method, path) in
        [(Method::GET, "/v1/authors/ann/export?site=news"), (Method::DELETE, "/v1/authors/ann?site=news")]
    {
        assert_eq!(as_person(&app, method, path, &part, None).await.status(), 403, "{path}");
    }
    let erased =
        read(as_person(&app, Method::DELETE, "/v1/authors/ann?site=news", &app.token, None).await, &[200]).await;
    assert_eq!(erased, json!({"comments": 2, "others": 0}));
    let again = read(app.request(Method::DELETE, "/v1/authors/ann", &all).send().await.unwrap(), &[200]).await;
    assert_eq!(again, json!({"comments": 0, "others": 0}));
    let rest = read(app.request(Method::GET, "/v1/comments", &all).send().await.unwrap(), &[200]).await;
    assert_eq!(ids(&rest), ["c-3"]);
    let same_text = json!({"id": "c-4", "article": {"id": "other"}, "author": {"id": "ben"}, "body": second["body"]});
    let same_text = app.comment(&same_text).await;
    assert!(crate::helpers::signal(&same_text, "duplicate-text").is_none(), "the past has forgotten the text");
    let auditor = app.person("audit@example.org", Role::Auditor).await;
    let audit = read(as_person(&app, Method::GET, "/v1/audit?action=author.", &auditor, None).await, &[200]).await;
    let lines: Vec<(&str, &str)> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["action"].as_str().unwrap(), line["actor"].as_str().unwrap()))
        .collect();
    assert_eq!(
        lines,
        [("author.erase", "site"), ("author.erase", "person"), ("author.export", "site"), ("author.export", "site")],
        "each page is a line"
    );
    assert!(!audit.to_string().contains("ann"), "{audit}");
}

#[tokio::test]
async fn whoever_was_an_author_between_two_edits_is_exported_and_erased() {
    let app = TestApp::spawn().await;
    let all = app.another_key(&Scope::ALL).await;
    let by = |author: &str| {
        let mut comment = ordinary("c-1");
        comment["author"] = json!({"id": author, "email": format!("{author}@mail.example"), "ip": "203.0.113.7"});
        comment["body"] = json!(format!("The lanes along the river, as {author} sees them."));
        comment
    };
    for (path, authors) in [("c-1", ["ann", "ben", "carl"]), ("c-2", ["ann", "ben", "ann"])] {
        for (number, author) in authors.into_iter().enumerate() {
            let mut comment = by(author);
            comment["id"] = json!(path);
            app.clock.advance_ms(61_000);
            let (method, url) = match number {
                0 => (Method::POST, "/v1/comments".to_owned()),
                _ => (Method::PUT, format!("/v1/comments/{path}")),
            };
            let sent = app.request(method, &url, &app.key).json(&comment).send().await.unwrap();
            read(sent, &[200, 201]).await;
        }
    }
    let ask =
        async |method: Method, path: &str| read(app.request(method, path, &all).send().await.unwrap(), &[200]).await;
    assert_eq!(ids(&ask(Method::GET, "/v1/comments?author=ben").await), [""; 0], "none is Ben's now");
    assert_eq!(ids(&ask(Method::GET, "/v1/comments?author=carl").await), ["c-1"]);
    assert_eq!(ids(&ask(Method::GET, "/v1/authors/ben/export").await), ["c-2", "c-1"]);
    assert_eq!(ask(Method::DELETE, "/v1/authors/ben").await, json!({"comments": 2, "others": 0}));
    for author in ["ann", "ben", "carl"] {
        let export = ask(Method::GET, &format!("/v1/authors/{author}/export")).await;
        assert!(!export.to_string().contains("ben@"), "{export}");
    }
    assert_eq!(ids(&ask(Method::GET, "/v1/comments").await), [""; 0]);
}

#[tokio::test]
async fn no_page_of_an_export_is_had_without_a_line_in_the_record() {
    let app = TestApp::spawn().await;
    for id in ["c-1", "c-2", "c-3"] {
        app.clock.advance_ms(61_000);
        let mut comment = ordinary(id);
        comment["author"] = json!({"id": "ann"});
        app.comment(&comment).await;
    }
    let list = app.request(Method::GET, "/v1/comments?limit=1", &app.key).send().await.unwrap();
    let cursor = read(list, &[200]).await["next_cursor"].as_str().unwrap().to_owned();
    let path = format!("/v1/authors/ann/export?site=news&cursor={cursor}");
    let export = read(as_person(&app, Method::GET, &path, &app.token, None).await, &[200]).await;
    assert_eq!(ids(&export), ["c-2", "c-1"]);
    let line = app.audit().await.remove(0);
    assert_eq!((line.action.as_str(), line.subject.as_str()), ("author.export", "news"));
}

/// Server-sent events, one by one.
struct Heard {
    stream: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>>>>,
    rest: String,
}

impl Heard {
    async fn open(app: &TestApp, token: &str, last: Option<&str>) -> Self {
        let request = app.request(Method::GET, "/v1/events", token);
        let request = if let Some(last) = last { request.header("last-event-id", last) } else { request };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut heard = Self { stream: Box::pin(answer.bytes_stream()), rest: String::new() };
        assert_eq!(heard.next().await.unwrap().0, "hello");
        heard
    }

    /// Name, data and id of the next event; `None` at the end.
    async fn next(&mut self) -> Option<(String, Value, String)> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.rest = rest;
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
                };
                if let Some(name) = field("event") {
                    let data = serde_json::from_str(&field("data").unwrap()).unwrap();
                    return Some((name, data, field("id").unwrap()));
                }
                continue; // a sign of life
            }
            self.rest += std::str::from_utf8(&self.stream.next().await?.ok()?).unwrap();
        }
    }
}

#[tokio::test]
async fn what_happens_in_the_queue_is_told_within_reach() {
    let app = TestApp::spawn().await;
    let reach = Reach { sections: list(&["sport"]), ..Reach::ALL };
    let sport = app.person_within("sport@example.org", Role::Moderator, &reach).await;
    let (mut all, mut part) = (Heard::open(&app, &app.token, None).await, Heard::open(&app, &sport, None).await);
    app.comment(&ordinary("no-news")).await;
    let city = held(&app, "city", Some("city"), "en").await;
    let one = held(&app, "sport", Some("sport"), "en").await;
    let (name, data, _) = all.next().await.unwrap();
    assert_eq!((name.as_str(), &data["uid"], &data["site"]), ("held", &city["uid"], &json!("news")));
    assert_eq!(all.next().await.unwrap().1["uid"], one["uid"]);
    let (name, data, _) = part.next().await.unwrap();
    assert_eq!((name.as_str(), &data["uid"]), ("held", &one["uid"]), "nothing of the other section");

    let uids = json!({"uids": [one["uid"]]});
    app.review(Method::POST, "/v1/queue/claims", Some(&uids)).await;
    app.review(Method::DELETE, "/v1/queue/claims", Some(&uids)).await;
    let decision = json!({"items": [{"uid": one["uid"], "seen_version": 1}], "action": "reject"});
    let ruled = app.review(Method::POST, "/v1/decisions", Some(&decision)).await;
    let undo = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
    app.review(Method::POST, &undo, None).await;
    let erase = app.request(Method::DELETE, "/v1/comments/sport?site=news", &app.token).send().await.unwrap();
    assert_eq!(erase.status(), 204);
    let mut told = Vec::new();
    for _ in 0..5 {
        let (name, data, id) = part.next().await.unwrap();
        assert_eq!(data["uid"], one["uid"]);
        told.push((name, data, id));
    }
    let names: Vec<&str> = told.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["claimed", "released", "left", "held", "erased"]);
    let left = &told[2].1;
    assert_eq!(
        (&left["status"], &left["decided_by"], &left["by"], &left["decision"]),
        (&json!("rejected"), &json!("person"), &json!("mod@example.org"), &ruled["decision"])
    );

    // Whoever comes back hears what came since, and only that.
    drop(part);
    let mut again = Heard::open(&app, &sport, Some(&told[2].2)).await;
    let names = [again.next().await.unwrap().0, again.next().await.unwrap().0];
    assert_eq!(names, ["held", "erased"]);
    // Of another process, and never given out: load everything anew.
    for last in ["00000000000000ff-1", "nonsense", &format!("{}9", told[4].2)] {
        let mut foreign = Heard::open(&app, &sport, Some(last)).await;
        assert_eq!(foreign.next().await.unwrap().0, "reset", "{last}");
    }
}

/// An account, an `Events` of its own, and somewhere that things happen.
fn events(kept: usize, max_streams: usize) -> (tempfile::TempDir, Arc<Events>, Person, Place) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&storage::Config::sqlite(&folder.path().join("doorward.db"))).unwrap();
    let config = Config { max_streams, kept, keep_alive_s: 1 };
    let person = Person { id: 1, email: "ada@example.org".to_owned(), role: Role::Moderator, reach: Reach::ALL };
    let place = Place { site: "news".into(), section: None, lang: None };
    (folder, Arc::new(Events::new(Arc::new(store), config, 7)), person, place)
}

#[tokio::test]
async fn who_falls_behind_is_dropped_and_told_why() {
    let (_folder, events, person, place) = events(3, 9);
    let now = Timestamp::EPOCH;
    let mut slow = events.subscribe(&person, None, now).unwrap();
    let mut quick = events.subscribe(&person, None, now).unwrap();
    for at in 0..4 {
        events.erased(Uuid::from_u128(at), &place, now);
        assert!(matches!(quick.next(&Reach::ALL).await, Told::Event(event) if event.uid == Uuid::from_u128(at)));
    }
    assert_eq!(slow.next(&Reach::ALL).await, Told::End("too slow: more happened than is kept"));
    let mut back = events.subscribe(&person, Some(&slow.last_id()), now).unwrap();
    assert!(matches!(back.next(&Reach::ALL).await, Told::Reset(_)), "too old");
    let mut back = events.subscribe(&person, Some("0000000000000007-1"), now).unwrap();
    assert!(
        matches!(back.next(&Reach::ALL).await, Told::Event(event) if event.uid == Uuid::from_u128(1)),
        "just old enough"
    );
}

#[tokio::test]
async fn places_are_bounded_and_nobody_sits_on_them() {
    let (_folder, events, ada, _) = events(3, 12);
    let other = Person { email: "ben@example.org".to_owned(), ..ada.clone() };
    let now = Timestamp::EPOCH;
    let mut hers: Vec<_> = (0..11).map(|_| events.subscribe(&ada, None, now).unwrap()).collect();
    assert!(matches!(hers[0].next(&Reach::ALL).await, Told::End(reason) if reason.contains("more streams")));
    let _his: Vec<_> = (0..2).map(|_| events.subscribe(&other, None, now).unwrap()).collect();
    assert!(events.subscribe(&other, None, now).is_err(), "twelve are open");
    let later = now.plus_millis(3_001);
    for alive in &hers[1..10] {
        alive.taken(later);
    }
    assert!(events.subscribe(&other, None, later).is_ok(), "who read nothing for long makes room");
    assert!(matches!(hers[10].next(&Reach::ALL).await, Told::End(reason) if reason.starts_with("too slow")));
    events.close();
    assert_eq!(hers[1].next(&Reach::ALL).await, Told::End("the service stops"));
}

#[tokio::test]
async fn streams_end_with_a_reason() {
    let app = TestApp::spawn_with(|config| {
        config.events.max_streams = 2;
        config.events.keep_alive_s = 1;
    })
    .await;
    let leaving = app.person("leaving@example.org", Role::Moderator).await;
    let mut one = Heard::open(&app, &leaving, None).await;
    let mut other = Heard::open(&app, &app.token, None).await;
    let refused = app.request(Method::GET, "/v1/events", &app.token).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
    app.disable("leaving@example.org").await;
    app.clock.advance_ms(4_000); // what is known of a token is remembered for three seconds
    let (name, data, _) = one.next().await.unwrap();
    assert_eq!((name.as_str(), &data["reason"]), ("end", &json!("your token or session opens this no more")));
    assert!(one.next().await.is_none());
    drop(app); // stops the service, and waits for it
    let (name, data, _) = other.next().await.unwrap();
    assert_eq!((name.as_str(), &data["reason"]), ("end", &json!("the service stops")));
    assert!(other.next().await.is_none());
}

use reqwest::Method;
use serde_json::json;

use crate::helpers::{TestApp, assert_adds_up, doubtful, ordinary, read, signal};
use doorward::domain::policy::Moderation;

#[tokio::test]
async fn a_comment_is_judged_stored_and_answered() {
    let app = TestApp::spawn().await;
    let answer = app.post("/v1/comments", &ordinary("c 1")).await;
    assert_eq!(answer.status(), 201);
    assert!(answer.headers().contains_key("x-request-id"));
    let comment = read(answer, &[201]).await;
    assert_eq!(
        (&comment["id"], &comment["site"], &comment["revision"], &comment["version"]),
        (&json!("c 1"), &json!("news"), &json!(1), &json!(1))
    );
    assert_eq!((&comment["status"], &comment["decided_by"]), (&json!("approved"), &json!("policy")));
    assert_eq!(comment["received_at"], "2026-11-24T10:00:00Z");
    assert_adds_up(&comment["verdict"]);
    let found = read(app.request(Method::GET, "/v1/comments/c%201", &app.key).send().await.unwrap(), &[200]).await;
    assert_eq!(found, comment);
    let held = app.comment(&doubtful("c-2")).await;
    assert_eq!((&held["status"], &held["verdict"]["category"]), (&json!("held"), &json!("spam")));
    assert_adds_up(&held["verdict"]);
}

#[tokio::test]
async fn repeated_id_returns_first_decision_before_any_limit() {
    let app = TestApp::spawn_with(|config| config.limits.policies[0].quota = std::num::NonZeroU32::MIN).await;
    let first = app.comment(&ordinary("c-1")).await;
    for _ in 0..5 {
        let again = app.post("/v1/comments", &ordinary("c-1")).await;
        assert_eq!(again.headers()["idempotency-replayed"], "true");
        assert_eq!(read(again, &[200]).await, first);
    }
    let mut other = ordinary("c-1");
    other["body"] = json!("something else entirely");
    let problem = read(app.post("/v1/comments", &other).await, &[409]).await;
    assert_eq!(problem["type"], "/problems/comment-exists");
    let mut elsewhere = ordinary("c-1");
    elsewhere["typing_ms"] = json!(5_000);
    assert_eq!(app.post("/v1/comments", &elsewhere).await.status(), 200, "how it came is not what it is");
}

#[tokio::test]
async fn an_edit_is_judged_anew_and_a_persons_word_stands_until_the_text_changes() {
    let app = TestApp::spawn().await;
    let held = app.comment(&doubtful("c-1")).await;
    assert_eq!(held["status"], "held");
    let decision = json!({"items": [{"uid": held["uid"], "seen_version": 1}], "action": "approve"});
    app.review(Method::POST, "/v1/decisions", Some(&decision)).await;
    let mut renamed = doubtful("c-1");
    renamed["author"]["name"] = json!("Anna B.");
    let put = |body: serde_json::Value| app.request(Method::PUT, "/v1/comments/c-1", &app.key).json(&body).send();
    let same_text = read(put(renamed).await.unwrap(), &[200]).await;
    assert_eq!(
        (&same_text["status"], &same_text["decided_by"], &same_text["revision"]),
        (&json!("approved"), &json!("person"), &json!(2))
    );
    let mut changed = doubtful("c-1");
    changed["body"] = json!("buy viagra c-1 now");
    let judged = read(put(changed).await.unwrap(), &[200]).await;
    assert_eq!(
        (&judged["status"], &judged["decided_by"], &judged["revision"]),
        (&json!("held"), &json!("policy"), &json!(3))
    );
    assert_eq!(
        app.request(Method::PUT, "/v1/comments/none", &app.key).json(&ordinary("none")).send().await.unwrap().status(),
        404
    );
}

#[tokio::test]
async fn assessing_stores_nothing_and_teaches_nothing() {
    let app = TestApp::spawn().await;
    for _ in 0..3 {
        let assessed = read(app.post("/v1/assess", &doubtful("c-1")).await, &[200]).await;
        assert_eq!(assessed["verdict"]["action"], "hold");
        assert_adds_up(&assessed["verdict"]);
    }
    assert_eq!(app.request(Method::GET, "/v1/comments/c-1", &app.key).send().await.unwrap().status(), 404);
    let taken = app.comment(&doubtful("c-1")).await;
    assert_eq!(signal(&taken, "duplicate-text"), None, "an assessment left a mark");
}

#[tokio::test]
async fn an_article_sent_once_is_remembered() {
    let app = TestApp::spawn().await;
    let article = json!({"title": "Council approves cycle lanes", "text": "The lanes along the river connect the station with the harbour.", "url": "https://news.example/lanes"});
    let put = |body: serde_json::Value| app.request(Method::PUT, "/v1/articles/lanes", &app.key).json(&body).send();
    assert_eq!(put(article.clone()).await.unwrap().status(), 201);
    let known = read(put(json!({"tags": ["traffic"]})).await.unwrap(), &[200]).await;
    assert_eq!(
        (&known["title"], &known["tags"]),
        (&article["title"], &json!(["traffic"])),
        "what is not sent keeps what was known"
    );
    let comment = json!({"id": "c-1", "article": {"id": "lanes"}, "body": "Genuine leather handbags and wristwatches shipped worldwide, satisfaction guaranteed http://bags.example/ order now"});
    assert!(signal(&app.comment(&comment).await, "off-topic").is_some(), "the page is known by its id alone");
}

#[tokio::test]
async fn an_article_that_cannot_be_read_holds_and_is_read_again() {
    let app = TestApp::spawn_with(|config| {
        let site = config.moderation.sites.entry("news".to_owned()).or_default();
        site.sections.insert("sport".to_owned(), Moderation::Pre);
    })
    .await;
    let article = json!({"title": "Council approves cycle lanes", "text": "The lanes along the river connect the station with the harbour.", "section": "sport"});
    let put = app.request(Method::PUT, "/v1/articles/lanes", &app.key).json(&article).send().await.unwrap();
    assert_eq!(put.status(), 201);
    let assess = async |article: serde_json::Value| {
        let comment = json!({"id": "c-1", "article": article, "body": "The lanes along the river are a fine thing."});
        read(app.post("/v1/assess", &comment).await, &[200]).await["verdict"].clone()
    };
    let off_topic = |verdict: &serde_json::Value| {
        let signals = verdict["signals"].as_array().unwrap().clone();
        signals.into_iter().find(|one| one["id"] == "off-topic").map(|one| one["outcome"].clone())
    };
    let caused = |verdict: &serde_json::Value| {
        verdict["causes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cause| cause["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let database = app.database();
    let stored: Vec<u8> = database.query_row("SELECT b FROM article", [], |row| row.get(0)).unwrap();
    let write = |bytes: &[u8]| database.execute("UPDATE article SET b = ?1", [bytes]).unwrap();
    write(b"\xff\xff\xff");
    for sent in [json!({"id": "lanes"}), json!({"id": "lanes", "url": "https://news.example/lanes"})] {
        let verdict = assess(sent).await;
        assert_eq!(
            (&verdict["action"], off_topic(&verdict)),
            (&json!("hold"), Some(json!("unavailable"))),
            "{verdict}"
        );
        assert!(caused(&verdict).contains(&"mode:pre".to_owned()), "its section may be one that waits: {verdict}");
    }
    let mut whole = article.clone();
    (whole["id"], whole["section"]) = (json!("lanes"), json!("city"));
    let verdict = assess(whole).await;
    assert_eq!((off_topic(&verdict), caused(&verdict)), (None, vec![]), "all that counts came with the comment");
    write(&stored);
    let verdict = assess(json!({"id": "lanes"})).await;
    assert_eq!((off_topic(&verdict), caused(&verdict)), (None, vec!["mode:pre".to_owned()]), "the half of it was kept");
}

#[tokio::test]
async fn lists_filter_and_page() {
    let app = TestApp::spawn().await;
    for at in 0..25 {
        let comment = if at % 5 == 0 { doubtful(&format!("c-{at}")) } else { ordinary(&format!("c-{at}")) };
        app.comment(&comment).await;
        app.clock.advance_ms(60_000);
    }
    let mut seen = Vec::new();
    let mut path = "/v1/comments?limit=10".to_owned();
    loop {
        let page = read(app.request(Method::GET, &path, &app.key).send().await.unwrap(), &[200]).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/comments?limit=10&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, (0..25).rev().map(|at| format!("c-{at}")).collect::<Vec<_>>());
    let count = async |query: &str| {
        let answer = app.request(Method::GET, &format!("/v1/comments?{query}"), &app.key).send().await.unwrap();
        read(answer, &[200]).await["items"].as_array().unwrap().len()
    };
    assert_eq!(count("status=held").await, 5);
    assert_eq!(count("author=u-c-3").await, 1);
    assert_eq!(count("article=lanes&limit=500").await, 25);
    assert_eq!(count("article=none").await, 0);
    assert_eq!(count("updated_since=2026-11-24T10:20:00Z").await, 5);
}

#[tokio::test]
async fn an_erased_comment_is_gone_and_its_id_is_free() {
    let app = TestApp::spawn().await;
    let held = app.comment(&doubtful("c-1")).await;
    let key = app.another_key(&[doorward::domain::site::Scope::Erase, doorward::domain::site::Scope::Read]).await;
    assert_eq!(app.request(Method::DELETE, "/v1/comments/c-1", &key).send().await.unwrap().status(), 204);
    assert_eq!(app.request(Method::DELETE, "/v1/comments/c-1", &key).send().await.unwrap().status(), 404);
    assert_eq!(app.request(Method::GET, "/v1/comments/c-1", &key).send().await.unwrap().status(), 404);
    let queue = app.review(Method::GET, "/v1/queue", None).await;
    assert_eq!(queue["counts"]["held"], 0);
    let again = app.comment(&doubtful("c-1")).await;
    assert_ne!(again["uid"], held["uid"]);
    assert_eq!(signal(&again, "duplicate-text"), None, "the erased one was remembered");
}

#[tokio::test]
async fn moderation_modes_hold_by_site_and_section() {
    let app = TestApp::spawn_with(|config| {
        let site = config.moderation.sites.entry("news".to_owned()).or_default();
        site.mode = Some(Moderation::FirstComment);
        site.sections.insert("sport".to_owned(), Moderation::Pre);
        site.sections.insert("old".to_owned(), Moderation::Closed);
    })
    .await;
    let by = |id: &str, section: &str| {
        let mut comment = ordinary(id);
        comment["author"]["id"] = json!("u-1");
        comment["article"] = json!({"id": section, "title": "Council approves cycle lanes", "section": section});
        comment
    };
    let first = app.comment(&by("c-1", "city")).await;
    assert_eq!(
        (&first["status"], &first["verdict"]["causes"][0]["id"]),
        (&json!("held"), &json!("mode:first-comment"))
    );
    let decision = json!({"items": [{"uid": first["uid"], "seen_version": 1}], "action": "approve"});
    app.review(Method::POST, "/v1/decisions", Some(&decision)).await;
    assert_eq!(app.comment(&by("c-2", "city")).await["status"], "approved");
    assert_eq!(app.comment(&by("c-3", "sport")).await["status"], "held");
    assert_eq!(app.comment(&by("c-4", "old")).await["status"], "rejected");
}

#[tokio::test]
async fn evidence_of_other_sites_is_counted_and_never_named() {
    let app = TestApp::spawn().await;
    let other = app.another_site("blog").await;
    let story = |id: &str| json!({"id": id, "article": {"id": id}, "author": {"id": id}, "body": "Look at this http://pills.example/secret-offer everybody, it is worth it"});
    app.request(Method::POST, "/v1/comments", &other).json(&story("SECRET-ID")).send().await.unwrap();
    let comment = app.comment(&story("c-1")).await;
    let hit = signal(&comment, "repeated-link").expect("the link was seen on the other site");
    assert!(!comment.to_string().contains("SECRET-ID"), "{hit}");
    assert!(hit["evidence"].as_str().unwrap().contains("1 comment"));
}

#[tokio::test]
async fn spans_point_into_the_body_as_sent() {
    let app = TestApp::spawn().await;
    let body = "<p>Tom &amp; Jerry: buy <b>cheap</b> viagra</p>";
    let comment = json!({"id": "c-1", "article": {"id": "a"}, "body": body, "format": "html"});
    let found = app.comment(&comment).await;
    let span = &signal(&found, "blocklist").expect("a listed phrase")["spans"][0];
    let (start, end) = (span["start"].as_u64().unwrap(), span["end"].as_u64().unwrap());
    assert_eq!(&body[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()], "cheap</b> viagra");
    assert_eq!(span["field"], "body");
}

use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, assert_adds_up, doubtful, ordinary, read};
use doorward::domain::people::Role;

async fn held(app: &TestApp, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    for at in 0..count {
        all.push(app.comment(&doubtful(&format!("d-{at}"))).await);
        app.clock.advance_ms(61_000);
    }
    assert!(all.iter().all(|comment| comment["status"] == "held"));
    all
}

fn decision(comments: &[Value], action: &str) -> Value {
    let items: Vec<Value> =
        comments.iter().map(|comment| json!({"uid": comment["uid"], "seen_version": comment["version"]})).collect();
    json!({"items": items, "action": action, "category": "spam", "reason": "advertising", "note": "seen before"})
}

#[tokio::test]
async fn the_queue_shows_what_waits_with_true_counts() {
    let app = TestApp::spawn().await;
    app.comment(&ordinary("c-1")).await;
    held(&app, 3).await;
    let queue = app.review(Method::GET, "/v1/queue", None).await;
    assert_eq!(
        (&queue["counts"]["held"], &queue["counts"]["by_site"]["news"], &queue["counts"]["by_category"]["spam"]),
        (&json!(3), &json!(3), &json!(3))
    );
    assert_eq!(queue["counts"]["by_signal"]["blocklist"], 3);
    assert_eq!(queue["oldest_s"], 183);
    let item = &queue["items"][0];
    assert_eq!(
        (&item["article"]["title"], &item["author"]["name"], &item["campaign"]),
        (&json!("Council approves cycle lanes"), &json!("Anna"), &Value::Null)
    );
    let ids = |queue: &Value| {
        queue["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let oldest = app.review(Method::GET, "/v1/queue?sort=oldest&limit=2", None).await;
    assert_eq!(ids(&oldest), ["d-0", "d-1"]);
    let next = app
        .review(
            Method::GET,
            &format!("/v1/queue?sort=oldest&limit=2&cursor={}", oldest["next_cursor"].as_str().unwrap()),
            None,
        )
        .await;
    assert_eq!((ids(&next), &next["next_cursor"]), (vec!["d-2".to_owned()], &Value::Null));
    for (query, count) in [
        ("site=news", 3),
        ("site=blog", 0),
        ("category=spam", 3),
        ("category=abuse", 0),
        ("signal=blocklist", 3),
        ("signal=shouting", 0),
        ("section=city", 3),
        ("lang=en", 3),
        ("article=lanes", 3),
        ("author=u-d-1", 1),
        ("assigned=none", 3),
        ("q=viagra%20d-2", 1),
        ("campaign=none", 0),
    ] {
        let queue = app.review(Method::GET, &format!("/v1/queue?{query}"), None).await;
        assert_eq!(
            (&queue["counts"]["held"], queue["items"].as_array().unwrap().len()),
            (&json!(count), count),
            "{query}"
        );
    }
    for query in ["category=ham", "sort=best", "limit=9999", "cursor=nonsense"] {
        let answer = app.request(Method::GET, &format!("/v1/queue?{query}"), &app.token).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{query}");
    }
}

#[tokio::test]
async fn claims_are_leases() {
    let app = TestApp::spawn().await;
    let items = held(&app, 2).await;
    let other = app.person("other@example.org", Role::Moderator).await;
    let uids = json!({"uids": [items[0]["uid"], items[1]["uid"]]});
    let mine = app.review(Method::POST, "/v1/queue/claims", Some(&uids)).await;
    assert_eq!(mine["claimed"].as_array().unwrap().len(), 2);
    let claim = async |body: &Value| {
        read(app.request(Method::POST, "/v1/queue/claims", &other).json(body).send().await.unwrap(), &[200]).await
    };
    assert_eq!(claim(&uids).await["claimed"], json!([]), "they are taken");
    assert_eq!(app.review(Method::GET, "/v1/queue?assigned=me", None).await["counts"]["held"], 2);
    app.review(Method::DELETE, "/v1/queue/claims", Some(&json!({"uids": [items[0]["uid"]]}))).await;
    assert_eq!(claim(&uids).await["claimed"], json!([items[0]["uid"]]), "one was given back");
    app.clock.advance_ms(300_001);
    assert_eq!(claim(&uids).await["claimed"].as_array().unwrap().len(), 2, "the leases ran out");
}

#[tokio::test]
async fn decisions_apply_to_what_was_seen_and_can_be_undone() {
    let app = TestApp::spawn().await;
    let items = held(&app, 3).await;
    let ruled = app.review(Method::POST, "/v1/decisions", Some(&decision(&items[..2], "approve"))).await;
    assert_eq!((ruled["applied"].as_array().unwrap().len(), &ruled["conflicts"]), (2, &json!([])));
    let stale = app.review(Method::POST, "/v1/decisions", Some(&decision(&items, "reject"))).await;
    assert_eq!((&stale["applied"], stale["conflicts"].as_array().unwrap().len()), (&json!([items[2]["uid"]]), 2));
    assert_eq!(stale["conflicts"][0]["current"]["status"], "approved");
    let alone = app
        .request(Method::POST, "/v1/decisions", &app.token)
        .json(&decision(&items[..1], "reject"))
        .send()
        .await
        .unwrap();
    let conflict = read(alone, &[409]).await;
    assert_eq!(
        (&conflict["type"], &conflict["current"]["status"], &conflict["current"]["decided_by"]),
        (&json!("/problems/conflict"), &json!("approved"), &json!("person"))
    );
    let undo = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
    let undone = app.review(Method::POST, &undo, Some(&json!({}))).await;
    assert_eq!(undone["applied"].as_array().unwrap().len(), 2);
    assert_eq!(app.review(Method::GET, "/v1/queue", None).await["counts"]["held"], 2, "they wait again");
    let again = app.request(Method::POST, &undo, &app.token).send().await.unwrap();
    assert_eq!(read(again, &[409]).await["type"], "/problems/already-undone");
    let unknown = app
        .request(Method::POST, "/v1/decisions/01890000-0000-7000-8000-000000000000/undo", &app.token)
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 404);
    for (body, field) in [
        (json!({"items": [], "action": "approve"}), "items"),
        (json!({"items": [{"uid": items[0]["uid"], "seen_version": 1}], "action": "hold"}), "action"),
        (json!({"items": [{"uid": "x", "seen_version": 1}], "action": "approve"}), "items[0].uid"),
        (json!({"items": [{"uid": items[0]["uid"]}], "action": "approve"}), "items[0].seen_version"),
        (json!({"items": [[items[0]["uid"], 1]], "action": "approve"}), "items[0]"),
        (json!([[{"uid": items[0]["uid"], "seen_version": 1}], "approve"]), "body"),
        (
            json!({"items": [{"uid": items[0]["uid"], "seen_version": 1}], "action": "approve", "note": "x".repeat(5_000)}),
            "note",
        ),
    ] {
        let answer = app.request(Method::POST, "/v1/decisions", &app.token).json(&body).send().await.unwrap();
        assert_eq!(read(answer, &[422]).await["field"], field, "{body}");
    }
}

#[tokio::test]
async fn of_two_moderators_one_wins_and_the_other_sees_it() {
    let app = TestApp::spawn().await;
    let other = app.person("other@example.org", Role::Moderator).await;
    for at in 0..20 {
        let item = app.comment(&doubtful(&format!("race-{at}"))).await;
        app.clock.advance_ms(61_000);
        let by = |token: &str, action: &str| {
            app.request(Method::POST, "/v1/decisions", token)
                .json(&decision(std::slice::from_ref(&item), action))
                .send()
        };
        let (first, second) = tokio::join!(by(&app.token, "approve"), by(&other, "reject"));
        let mut statuses = [first.unwrap().status().as_u16(), second.unwrap().status().as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
    }
}

#[tokio::test]
async fn an_explanation_adds_up_and_names_the_smallest_change() {
    let app = TestApp::spawn().await;
    let item = &held(&app, 1).await[0];
    app.review(Method::POST, "/v1/decisions", Some(&decision(std::slice::from_ref(item), "reject"))).await;
    let path = format!("/v1/comments/by-uid/{}/explanation", item["uid"].as_str().unwrap());
    let explained = app.review(Method::GET, &path, None).await;
    assert_eq!(explained["comment"]["verdict"], item["verdict"], "people's decisions do not change the frozen verdict");
    assert_adds_up(&explained["comment"]["verdict"]);
    for category in ["spam", "off-topic", "abuse"] {
        let sum = &explained["sums"][category];
        let terms: f64 = sum["terms"].as_array().unwrap().iter().map(|term| term["log_odds"].as_f64().unwrap()).sum();
        assert!((terms - sum["log_odds"].as_f64().unwrap()).abs() < 1e-9);
        assert!((1.0 / (1.0 + (-terms).exp()) - sum["score"].as_f64().unwrap()).abs() < 1e-9);
    }
    assert!(
        explained["smallest_change"]["text"].as_str().unwrap().contains("would have been approved"),
        "{}",
        explained["smallest_change"]
    );
    let history: Vec<&str> =
        explained["history"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(history, ["received", "decided"]);
    assert_eq!(
        (&explained["history"][1]["by"], &explained["history"][1]["reason"]),
        (&json!("mod@example.org"), &json!("advertising"))
    );
}

#[tokio::test]
async fn an_explanation_says_what_else_the_change_would_let_through() {
    let app = TestApp::spawn().await;
    let asked = app.comment(&doubtful("c-1")).await;
    let mut same = doubtful("c-2");
    same["body"] = json!("buy viagra c-1");
    let same = app.comment(&same).await;
    app.review(Method::POST, "/v1/decisions", Some(&decision(std::slice::from_ref(&same), "reject"))).await;
    app.comment(&crate::helpers::ordinary("c-3")).await;
    let path = format!("/v1/comments/by-uid/{}/explanation", asked["uid"].as_str().unwrap());
    let also = &app.review(Method::GET, &path, None).await["also_lets_through"];
    assert_eq!(
        (&also["looked_at"], &also["comments"]),
        (&json!(1), &json!(1)),
        "what was approved is not asked: {also}"
    );
    assert_eq!((&also["rejected_by_people"], &also["approved_by_people"]), (&json!(1), &json!(0)));
    assert_eq!(
        (&also["examples"][0]["uid"], &also["examples"][0]["snippet"]),
        (&same["uid"], &json!("buy viagra c-1"))
    );
}

#[tokio::test]
async fn decisions_teach_the_authors_record() {
    let app = TestApp::spawn().await;
    let mut first = doubtful("c-1");
    first["author"]["id"] = json!("seller");
    let first = app.comment(&first).await;
    app.review(Method::POST, "/v1/decisions", Some(&decision(std::slice::from_ref(&first), "reject"))).await;
    let mut second = ordinary("c-2");
    second["author"]["id"] = json!("seller");
    let second = app.comment(&second).await;
    let record = crate::helpers::signal(&second, "author-history").expect("the rejection is known");
    assert!(
        record["log_odds"].as_f64().unwrap() > 0.5 && record["evidence"].as_str().unwrap().contains("1 rejected"),
        "{record}"
    );
}

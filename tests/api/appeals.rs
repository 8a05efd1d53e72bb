use doorward::domain::people::{Reach, Role};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read};

/// A comment that the moderator rejected.
async fn rejected(app: &TestApp, id: &str) -> Value {
    let comment = app.comment(&doubtful(id)).await;
    let body = json!({"items": [{"uid": comment["uid"], "seen_version": comment["version"]}], "action": "reject"});
    app.review(Method::POST, "/v1/decisions", Some(&body)).await;
    app.clock.advance_ms(61_000);
    comment
}

async fn appeal(app: &TestApp, id: &str, statuses: &[u16]) -> Value {
    let body = json!({"text": "I meant the <b>pharmacy</b>."});
    read(app.post(&format!("/v1/comments/{id}/appeals"), &body).await, statuses).await
}

async fn answer(app: &TestApp, token: &str, appeal: &Value, body: &Value, status: u16) -> Value {
    let path = format!("/v1/appeals/{}/answer", appeal["id"].as_str().unwrap());
    read(app.request(Method::POST, &path, token).json(body).send().await.unwrap(), &[status]).await
}

async fn comment(app: &TestApp, id: &str) -> Value {
    read(app.request(Method::GET, &format!("/v1/comments/{id}"), &app.key).send().await.unwrap(), &[200]).await
}

#[tokio::test]
async fn an_appeal_waits_with_the_frozen_reasons_and_is_answered_once() {
    let app = TestApp::spawn().await;
    let before = rejected(&app, "c-1").await;
    let opened = appeal(&app, "c-1", &[201]).await;
    assert_eq!((&opened["state"], &opened["comment_id"]), (&json!("open"), &json!("c-1")));
    assert_eq!(appeal(&app, "c-1", &[200]).await, opened, "it waits already");
    let list = app.review(Method::GET, "/v1/appeals?state=open&site=news", None).await;
    let item = &list["items"][0];
    assert_eq!((&item["id"], &item["verdict"]), (&opened["id"], &before["verdict"]));
    assert_eq!((&item["text"], &item["comment"]["status"]), (&opened["text"], &json!("rejected")));
    assert_eq!(
        (&item["article"]["title"], &item["decided_by_you"]),
        (&json!("Council approves cycle lanes"), &json!(true))
    );
    assert_eq!(item["history"][1]["by"], "mod@example.org");
    let other = app.person("other@example.org", Role::Moderator).await;
    let path = format!("/v1/appeals/{}", opened["id"].as_str().unwrap());
    let found = read(app.request(Method::GET, &path, &other).send().await.unwrap(), &[200]).await;
    assert_eq!(found["decided_by_you"], false);

    let answered = answer(&app, &other, &opened, &json!({"overturn": true, "answer": "You are right."}), 200).await;
    assert_eq!((&answered["state"], &answered["answered_by"]), (&json!("overturned"), &json!("other@example.org")));
    assert_eq!(answered["comment"]["status"], "approved");
    assert_eq!(comment(&app, "c-1").await["decided_by"], "person");
    let late = answer(&app, &app.token, &opened, &json!({"overturn": false}), 409).await;
    assert_eq!((&late["type"], &late["appeal"]["state"]), (&json!("/problems/appeal-answered"), &json!("overturned")));
    assert_eq!(appeal(&app, "c-1", &[409]).await["type"], "/problems/not-rejected");
    assert_eq!(app.review(Method::GET, "/v1/appeals?state=open", None).await["items"], json!([]));
    let undo = format!("/v1/decisions/{}/undo", answered["decision"].as_str().unwrap());
    app.review(Method::POST, &undo, None).await;
    let again = app.review(Method::GET, &path, None).await;
    assert_eq!((&again["state"], &again["answer"]), (&json!("open"), &Value::Null), "as if nobody had answered");
}

#[tokio::test]
async fn a_rejection_that_stands_is_the_last_word_until_the_text_changes() {
    let app = TestApp::spawn().await;
    rejected(&app, "c-1").await;
    let opened = appeal(&app, "c-1", &[201]).await;
    let answered =
        answer(&app, &app.token, &opened, &json!({"overturn": false, "answer": "It is advertising."}), 200).await;
    assert_eq!((&answered["state"], &answered["decision"]), (&json!("upheld"), &Value::Null));
    let again = appeal(&app, "c-1", &[409]).await;
    assert_eq!(
        (&again["type"], &again["appeal"]["answer"]),
        (&json!("/problems/appeal-answered"), &json!("It is advertising."))
    );
    assert!(!again.to_string().contains("mod@example.org"), "the site is not told who");
    let mut edit = doubtful("c-1");
    edit["body"] = json!("buy viagra c-1 please");
    let edited =
        read(app.request(Method::PUT, "/v1/comments/c-1", &app.key).json(&edit).send().await.unwrap(), &[200]).await;
    if edited["status"] == "held" {
        let body = json!({"items": [{"uid": edited["uid"], "seen_version": edited["version"]}], "action": "reject"});
        app.review(Method::POST, "/v1/decisions", Some(&body)).await;
    }
    appeal(&app, "c-1", &[201]).await;
}

#[tokio::test]
async fn only_rejected_comments_of_the_site_can_be_appealed_for() {
    let app = TestApp::spawn().await;
    let other = app.another_site("blog").await;
    app.comment(&ordinary("c-1")).await;
    app.comment(&doubtful("c-2")).await;
    rejected(&app, "c-3").await;
    for id in ["c-1", "c-2"] {
        assert_eq!(appeal(&app, id, &[409]).await["type"], "/problems/not-rejected", "{id}");
    }
    appeal(&app, "c-4", &[404]).await;
    let theirs = app.request(Method::POST, "/v1/comments/c-3/appeals", &other).json(&json!({})).send().await.unwrap();
    assert_eq!(theirs.status(), 404);
    for (body, field) in [
        (json!({"text": "x".repeat(4_001)}), "text"),
        (json!({"text": "\u{0}"}), "text"),
        (json!({"text": 7}), "text"),
        (json!([]), "body"),
    ] {
        let answer = app.post("/v1/comments/c-3/appeals", &body).await;
        assert_eq!(read(answer, &[422]).await["field"], field, "{body}");
    }
    assert_eq!(read(app.post("/v1/comments/c-3/appeals", &json!({})).await, &[201]).await["text"], Value::Null);
}

#[tokio::test]
async fn to_reject_again_is_no_answer_to_an_appeal() {
    let app = TestApp::spawn_with(|config| config.appeals.another_person = true).await;
    rejected(&app, "c-1").await;
    let opened = appeal(&app, "c-1", &[201]).await;
    let overturn = json!({"overturn": true, "answer": "You are right."});
    answer(&app, &app.token, &opened, &overturn, 403).await;
    let record = comment(&app, "c-1").await;
    let again = json!({"items": [{"uid": record["uid"], "seen_version": record["version"]}], "action": "reject"});
    let ruled = app.review(Method::POST, "/v1/decisions", Some(&again)).await;
    let path = format!("/v1/appeals/{}", opened["id"].as_str().unwrap());
    assert_eq!(app.review(Method::GET, &path, None).await["state"], "open");
    assert_eq!(appeal(&app, "c-1", &[200]).await["id"], opened["id"], "it waits still");
    answer(&app, &app.token, &opened, &overturn, 403).await;
    let undo = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
    app.review(Method::POST, &undo, None).await;
    assert_eq!(app.review(Method::GET, &path, None).await["state"], "open", "and after that is taken back");
    let other = app.person("other@example.org", Role::Moderator).await;
    let answered = answer(&app, &other, &opened, &overturn, 200).await;
    assert_eq!((&answered["state"], &answered["comment"]["status"]), (&json!("overturned"), &json!("approved")));
}

#[tokio::test]
async fn an_appeal_closes_when_the_comment_is_decided_about_otherwise() {
    let app = TestApp::spawn().await;
    rejected(&app, "c-1").await;
    let opened = appeal(&app, "c-1", &[201]).await;
    let record = comment(&app, "c-1").await;
    let body = json!({"items": [{"uid": record["uid"], "seen_version": record["version"]}], "action": "approve"});
    app.review(Method::POST, "/v1/decisions", Some(&body)).await;
    let late = answer(&app, &app.token, &opened, &json!({"overturn": true}), 409).await;
    assert_eq!(late["appeal"]["state"], "closed");
}

#[tokio::test]
async fn people_answer_within_their_reach() {
    let app = TestApp::spawn().await;
    let list = |name: &str| Some(vec![name.to_owned()]);
    let sport =
        app.person_within("sport@example.org", Role::Moderator, &Reach { sections: list("sport"), ..Reach::ALL }).await;
    let city =
        app.person_within("city@example.org", Role::Moderator, &Reach { sections: list("city"), ..Reach::ALL }).await;
    let auditor = app.person("audit@example.org", Role::Auditor).await;
    rejected(&app, "c-1").await;
    let opened = appeal(&app, "c-1", &[201]).await;
    let path = format!("/v1/appeals/{}", opened["id"].as_str().unwrap());
    let count = async |token: &str| {
        let answer = app.request(Method::GET, "/v1/appeals", token).send().await.unwrap();
        read(answer, &[200]).await["items"].as_array().unwrap().len()
    };
    assert_eq!((count(&sport).await, count(&city).await, count(&auditor).await), (0, 1, 1));
    assert_eq!(app.request(Method::GET, &path, &sport).send().await.unwrap().status(), 404);
    answer(&app, &sport, &opened, &json!({"overturn": true}), 404).await;
    answer(&app, &auditor, &opened, &json!({"overturn": true}), 403).await;
    answer(&app, &city, &opened, &json!({"overturn": true}), 200).await;
    for query in ["state=lost", "limit=0", "cursor=nonsense"] {
        let answer = app.request(Method::GET, &format!("/v1/appeals?{query}"), &app.token).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{query}");
    }
}

#[tokio::test]
async fn where_the_operator_wants_it_another_person_answers() {
    let app = TestApp::spawn_with(|config| config.appeals.another_person = true).await;
    let other = app.person("other@example.org", Role::Moderator).await;
    rejected(&app, "c-1").await;
    let opened = appeal(&app, "c-1", &[201]).await;
    let own = answer(&app, &app.token, &opened, &json!({"overturn": false}), 403).await;
    assert!(own["detail"].as_str().unwrap().contains("appeals.another_person"), "{own}");
    answer(&app, &other, &opened, &json!({"overturn": false}), 200).await;
}

#[tokio::test]
async fn an_overturned_appeal_teaches_the_authors_record() {
    let app = TestApp::spawn().await;
    let mut first = doubtful("c-1");
    first["author"]["id"] = json!("anna");
    let first = app.comment(&first).await;
    let body = json!({"items": [{"uid": first["uid"], "seen_version": 1}], "action": "reject"});
    app.review(Method::POST, "/v1/decisions", Some(&body)).await;
    let by_anna = |id: &str| {
        let mut comment = ordinary(id);
        comment["author"]["id"] = json!("anna");
        comment
    };
    let log_odds = |comment: &Value| {
        crate::helpers::signal(comment, "author-history").map_or(0.0, |signal| signal["log_odds"].as_f64().unwrap())
    };
    assert!(log_odds(&app.comment(&by_anna("c-2")).await) > 0.5);
    let opened = appeal(&app, "c-1", &[201]).await;
    answer(&app, &app.token, &opened, &json!({"overturn": true}), 200).await;
    assert!(log_odds(&app.comment(&by_anna("c-3")).await) <= 0.0);
}

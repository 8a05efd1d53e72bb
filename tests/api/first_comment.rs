//! Where the first comment of an author waits for a person: an edit is no way round it.

use doorward::domain::policy::Moderation;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, ordinary, read};

fn by(author: &str, id: &str) -> Value {
    let mut comment = ordinary(id);
    comment["author"]["id"] = json!(author);
    comment
}

async fn edit(app: &TestApp, mut comment: Value, body: &str) -> Value {
    comment["body"] = json!(body);
    let path = format!("/v1/comments/{}", comment["id"].as_str().unwrap());
    read(app.request(Method::PUT, &path, &app.key).json(&comment).send().await.unwrap(), &[200]).await
}

#[tokio::test]
async fn an_approved_first_comment_is_no_pass_for_its_own_edit() {
    let app = TestApp::spawn_with(|config| config.moderation.mode = Moderation::FirstComment).await;
    let first = app.comment(&by("newcomer", "c-1")).await;
    assert_eq!(first["status"], "held");
    app.clock.advance_ms(60_000);
    let items = json!([{"uid": first["uid"], "seen_version": first["version"]}]);
    app.review(Method::POST, "/v1/decisions", Some(&json!({"items": items, "action": "approve"}))).await;
    app.clock.advance_ms(60_000);
    let edited =
        edit(&app, by("newcomer", "c-1"), "Something else altogether, about tulips and the harvest moon.").await;
    assert_eq!(edited["status"], "held", "{}", edited["verdict"]);
}

#[tokio::test]
async fn an_approved_comment_is_a_pass_for_the_next_one_and_for_its_edits() {
    let app = TestApp::spawn_with(|config| config.moderation.mode = Moderation::FirstComment).await;
    let first = app.comment(&by("newcomer", "c-1")).await;
    app.clock.advance_ms(60_000);
    let items = json!([{"uid": first["uid"], "seen_version": first["version"]}]);
    app.review(Method::POST, "/v1/decisions", Some(&json!({"items": items, "action": "approve"}))).await;
    app.clock.advance_ms(60_000);
    assert_eq!(app.comment(&by("newcomer", "c-2")).await["status"], "approved");
    app.clock.advance_ms(60_000);
    let edited =
        edit(&app, by("newcomer", "c-2"), "Something else altogether, about tulips and the harvest moon.").await;
    assert_eq!(edited["status"], "approved", "{}", edited["verdict"]);
}

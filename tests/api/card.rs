//! What a moderator sees around one comment: what it answers, its author's past in numbers, where its links lead.

use doorward::domain::people::{Reach, Role};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read, talk};

fn reply(id: &str, to: Option<&str>, author: &str) -> Value {
    let mut comment = ordinary(id);
    comment["parent_id"] = json!(to);
    comment["author"] = json!({"id": author, "name": author});
    comment
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

async fn context(app: &TestApp, comment: &Value) -> Value {
    let path = format!("/v1/comments/by-uid/{}/context", comment["uid"].as_str().unwrap());
    app.review(Method::GET, &path, None).await
}

#[tokio::test]
async fn a_comment_stands_among_what_it_answers_and_its_neighbours() {
    let app = TestApp::spawn().await;
    let mut above = None;
    for id in ["a-1", "a-2", "a-3", "a-4", "a-5"] {
        app.comment(&reply(id, above, &format!("by-{id}"))).await;
        above = Some(id);
    }
    for id in ["s-1", "s-2", "s-3", "s-4"] {
        app.comment(&reply(id, Some("a-5"), "one")).await;
    }
    let asked = app.comment(&reply("it", Some("a-5"), "two")).await;
    app.comment(&reply("elsewhere", Some("a-4"), "three")).await;
    for id in ["s-5", "s-6", "s-7", "s-8"] {
        app.comment(&reply(id, Some("a-5"), "one")).await;
    }
    let seen = context(&app, &asked).await;
    assert_eq!(seen["comment"]["id"], "it");
    assert_eq!(ids(&seen["ancestors"]), ["a-5", "a-4", "a-3", "a-2"], "the parent, and three more");
    assert_eq!(ids(&seen["before"]), ["s-2", "s-3", "s-4"]);
    assert_eq!(ids(&seen["after"]), ["s-5", "s-6", "s-7"]);
}

#[tokio::test]
async fn comments_that_answer_each_other_in_a_circle_do_not_hang() {
    let app = TestApp::spawn().await;
    app.comment(&reply("a", Some("b"), "one")).await;
    let b = app.comment(&reply("b", Some("a"), "two")).await;
    assert_eq!(ids(&context(&app, &b).await["ancestors"]), ["a"]);
}

#[tokio::test]
async fn an_authors_past_is_told_in_numbers() {
    let app = TestApp::spawn().await;
    app.comment(&reply("old", None, "ann")).await;
    app.clock.advance_ms(31 * 86_400_000);
    let spam = app.comment(&reply("spam", None, "ann")).await;
    let ask = json!({"items": [{"uid": spam["uid"], "seen_version": 1}], "action": "reject", "category": "spam"});
    app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
    let mut held = doubtful("held");
    held["author"] = json!({"id": "ann"});
    let held = app.comment(&held).await;
    let author = &context(&app, &held).await["author"];
    let all = json!({"approved": 1, "held": 0, "rejected": 1, "approved_by_person": 0, "rejected_by_person": 1});
    assert_eq!(author["all"], all, "others, not itself");
    assert_eq!(author["last_30_days"]["approved"], 0);
    assert_eq!(author["last_30_days"]["rejected"], 1);
    assert_eq!(author["first_at"], "2026-11-24T10:00:00Z");
    let mut nobody = ordinary("nobody");
    nobody["author"] = json!({"name": "Ann"});
    let nobody = app.comment(&nobody).await;
    assert_eq!(context(&app, &nobody).await["author"], Value::Null, "a name is no account");
}

#[tokio::test]
async fn a_links_host_brings_what_people_decided_about_it() {
    let app = TestApp::spawn().await;
    for (id, author, action) in [("l-1", "one", "reject"), ("l-2", "two", "approve"), ("l-3", "three", "")] {
        let mut comment = reply(id, None, author);
        comment["body"] = json!(format!("{} https://www.cheap-pens.example/{id}", talk(id)));
        let made = app.comment(&comment).await;
        if !action.is_empty() {
            let ask = json!({"items": [{"uid": made["uid"], "seen_version": made["version"]}], "action": action});
            app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
        }
        app.clock.advance_ms(60_000);
    }
    let mut comment = reply("it", None, "four");
    comment["format"] = json!("html");
    comment["body"] = json!(
        "See <a href='https://cheap-pens.example/l-1'>https://bank.example</a> and <a href='https://cheap-pens.example/l-1'>again</a>"
    );
    let asked = app.comment(&comment).await;
    let seen = context(&app, &asked).await;
    let links = seen["links"].as_array().unwrap();
    assert_eq!(links.len(), 1, "one for each address");
    assert_eq!((&links[0]["host"], &links[0]["domain"]), (&json!("cheap-pens.example"), &json!("cheap-pens.example")));
    assert_eq!(links[0]["shows"], "bank.example", "the text shows another one");
    let past = json!({"first_at": "2026-11-24T10:00:00Z", "uses": 3, "same_address": 1, "authors": 3, "approved_by_person": 1,
        "rejected_by_person": 1, "rejected": 1});
    let mut found = links[0]["past"].clone();
    found["rejected"] = json!(1); // the third may stand rejected by policy
    assert_eq!(found, past);
}

#[tokio::test]
async fn what_lies_outside_the_reach_is_not_shown() {
    let app = TestApp::spawn().await;
    app.another_site("blog").await;
    let mut parent = reply("parent", None, "one");
    parent["article"] = json!({"id": "match", "title": "The match", "section": "sport", "lang": "en"});
    app.comment(&parent).await;
    let asked = app.comment(&reply("it", Some("parent"), "two")).await;
    let city = Reach { sections: Some(vec!["city".to_owned()]), ..Reach::ALL };
    let local = app.person_within("city@example.org", Role::Moderator, &city).await;
    let path = format!("/v1/comments/by-uid/{}/context", asked["uid"].as_str().unwrap());
    let seen = read(app.request(Method::GET, &path, &local).send().await.unwrap(), &[200]).await;
    assert_eq!(seen["ancestors"], json!([]), "it stands in another section");
    let blog = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let other = app.person_within("blog@example.org", Role::Moderator, &blog).await;
    assert_eq!(app.request(Method::GET, &path, &other).send().await.unwrap().status(), 404);
}

//! Automatic verdicts that people look at: nobody can tell them from what is held, and the site hears of what changes only.

use doorward::domain::people::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read};

async fn all_are_drawn() -> TestApp {
    TestApp::spawn_with(|config| config.sampling.rate = 1.0).await
}

/// Names of everything in an item, and of what is in that.
fn shape(value: &Value, before: &str, into: &mut Vec<String>) {
    if let Value::Object(members) = value {
        for (name, value) in members {
            into.push(format!("{before}/{name}"));
            if name != "signals" && name != "terms" {
                shape(value, &format!("{before}/{name}"), into);
            }
        }
    }
}

async fn queue(app: &TestApp) -> Value {
    app.review(Method::GET, "/v1/queue", None).await
}

async fn decide(app: &TestApp, item: &Value, action: &str, category: Option<&str>) -> Value {
    let items = json!([{"uid": item["uid"], "seen_version": item["version"]}]);
    let ask = json!({"items": items, "action": action, "category": category});
    app.review(Method::POST, "/v1/decisions", Some(&ask)).await
}

#[tokio::test]
async fn what_was_drawn_looks_like_what_is_held_to_people_and_like_itself_to_the_site() {
    let app = all_are_drawn().await;
    let told = app.comment(&ordinary("c-1")).await;
    assert_eq!((&told["status"], &told["verdict"]["action"]), (&json!("approved"), &json!("approve")));
    app.comment(&doubtful("c-2")).await;
    let queue = queue(&app).await;
    assert_eq!((&queue["counts"]["held"], &queue["counts"]["by_site"]["news"]), (&json!(2), &json!(2)));
    let item = |id: &str| queue["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap().clone();
    let (drawn, held) = (item("c-1"), item("c-2"));
    let shapes = [&drawn, &held].map(|item| {
        let mut names = Vec::new();
        shape(item, "", &mut names);
        names
    });
    assert_eq!(shapes[0], shapes[1]);
    assert_eq!(drawn["verdict"]["action"], "hold");
    assert!(drawn["verdict"]["category"].is_string() && drawn["priority"].as_f64().unwrap() >= 0.2);
    assert!(!drawn.to_string().contains("sampl") && !drawn.to_string().contains("\"approve"), "{drawn}");
    let uid = told["uid"].as_str().unwrap();
    let explained = app.review(Method::GET, &format!("/v1/comments/by-uid/{uid}/explanation"), None).await;
    assert_eq!((&explained["comment"]["status"], &explained["history"][0]["status"]), (&json!("held"), &json!("held")));
    assert!(!explained.to_string().contains("approved\""), "{explained}");
    // Lists: for a person it is held, for the site it is what it is.
    let names = |answer: Value| -> Vec<String> {
        answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    for (status, for_people, for_site) in [("held", vec!["c-2", "c-1"], vec!["c-2"]), ("approved", vec![], vec!["c-1"])]
    {
        let by_person = app.review(Method::GET, &format!("/v1/comments?site=news&status={status}"), None).await;
        assert_eq!(names(by_person), for_people, "{status}");
        let by_site =
            app.request(Method::GET, &format!("/v1/comments?status={status}"), &app.key).send().await.unwrap();
        assert_eq!(names(read(by_site, &[200]).await), for_site, "{status}");
    }
    let by_person = app.review(Method::GET, "/v1/comments/c-1?site=news", None).await;
    let by_site = read(app.request(Method::GET, "/v1/comments/c-1", &app.key).send().await.unwrap(), &[200]).await;
    assert_eq!((&by_person["status"], &by_site["status"]), (&json!("held"), &json!("approved")));
    let claimed = app.review(Method::POST, "/v1/queue/claims", Some(&json!({"uids": [uid]}))).await;
    assert_eq!(claimed["claimed"], json!([uid]));
}

#[tokio::test]
async fn what_people_say_of_it_is_an_error_rate_with_its_interval() {
    let app = all_are_drawn().await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    for id in ["c-1", "c-2", "c-3"] {
        app.comment(&ordinary(id)).await;
    }
    let items = queue(&app).await["items"].as_array().unwrap().clone();
    decide(&app, &items[0], "approve", None).await;
    let wrong = decide(&app, &items[1], "reject", Some("spam")).await;
    let quality = || async {
        let answer = app.request(Method::GET, "/v1/quality", &auditor).send().await.unwrap();
        read(answer, &[200]).await["items"][0].clone()
    };
    let found = quality().await;
    assert_eq!(
        (&found["site"], &found["action"], &found["category"]),
        (&json!("news"), &json!("approve"), &Value::Null)
    );
    assert_eq!((&found["sampled"], &found["waiting"], &found["overturned"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&found["rate"], &found["overturned_as"]), (&json!(0.5), &json!({"spam": 1})));
    let bound = |at: usize| found["interval"][at].as_f64().unwrap();
    assert!((bound(0) - 0.0945).abs() < 1e-3 && (bound(1) - 0.9055).abs() < 1e-3, "{found}");
    let undo = format!("/v1/decisions/{}/undo", wrong["decision"].as_str().unwrap());
    app.review(Method::POST, &undo, Some(&json!({}))).await;
    let found = quality().await;
    assert_eq!((&found["sampled"], &found["waiting"], &found["overturned"]), (&json!(1), &json!(2), &json!(0)));
    assert_eq!(queue(&app).await["counts"]["held"], 2, "it waits again, and the site has heard of nothing");
}

#[tokio::test]
async fn what_a_ban_rejects_in_one_go_answers_nothing_that_was_drawn() {
    let app = all_are_drawn().await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    let mut drawn = ordinary("c-1");
    drawn["author"]["url"] = json!("https://shop.example/");
    app.comment(&drawn).await;
    assert_eq!(queue(&app).await["counts"]["held"], 1);
    let order = json!({"site": "news", "target": {"kind": "host", "value": "shop.example"}, "measure": "ban", "cause": "advertising", "also_reject": {"held": true, "approved_hours": 2}});
    let banned = app.request(Method::POST, "/v1/sanctions", &app.token).json(&order).send().await.unwrap();
    assert_eq!(read(banned, &[201]).await["also_rejected"].as_array().unwrap().len(), 1);
    let answer = app.request(Method::GET, "/v1/quality", &auditor).send().await.unwrap();
    assert_eq!(read(answer, &[200]).await["items"], json!([]), "nobody read it");
}

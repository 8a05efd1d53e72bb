use std::num::NonZeroU32;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read};

async fn say(app: &TestApp, comment: &str, what: &str, body: &Value) -> Response {
    app.post(&format!("/v1/comments/{comment}/{what}"), body).await
}

async fn report(app: &TestApp, comment: &str, reader: &str) -> Value {
    let body = json!({"reader_id": reader, "category": "abuse", "text": format!("<b>{reader}</b> is hurt")});
    read(say(app, comment, "reports", &body).await, &[200, 201]).await
}

async fn comment(app: &TestApp, id: &str) -> Value {
    read(app.request(Method::GET, &format!("/v1/comments/{id}"), &app.key).send().await.unwrap(), &[200]).await
}

async fn decide(app: &TestApp, id: &str, action: &str) -> Value {
    let record = comment(app, id).await;
    let body = json!({"items": [{"uid": record["uid"], "seen_version": record["version"]}], "action": action});
    app.review(Method::POST, "/v1/decisions", Some(&body)).await
}

#[tokio::test]
async fn reports_hold_a_comment_and_show_why() {
    let app = TestApp::spawn().await;
    app.comment(&ordinary("c-1")).await;
    let first = say(&app, "c-1", "reports", &json!({"reader_id": "r-1", "category": "spam"})).await;
    assert_eq!(first.status(), 201);
    let again = say(&app, "c-1", "reports", &json!({"reader_id": "r-1", "category": "abuse", "text": "rude"})).await;
    assert_eq!(again.status(), 200);
    let again = read(again, &[200]).await;
    assert_eq!((&again["reports"], &again["weight"], &again["status"]), (&json!(1), &json!(1.0), &json!("approved")));
    report(&app, "c-1", "r-2").await;
    assert_eq!(report(&app, "c-1", "r-3").await["status"], "held");
    let found = comment(&app, "c-1").await;
    assert_eq!(
        (&found["status"], &found["decided_by"], &found["readers"]["reports"]),
        (&json!("held"), &json!("rule"), &json!(3))
    );
    let queue = app.review(Method::GET, "/v1/queue", None).await;
    let item = &queue["items"][0];
    assert_eq!((&item["id"], &item["readers"]["weight"]), (&json!("c-1"), &json!(3.0)));
    let texts: Vec<&str> = item["reports"].as_array().unwrap().iter().filter_map(|one| one["text"].as_str()).collect();
    assert!(texts.contains(&"rude") && texts.contains(&"<b>r-3</b> is hurt"), "{texts:?}");
    assert!(!item.to_string().contains("reader_id"), "not by whom");
    let path = format!("/v1/comments/by-uid/{}/explanation", item["uid"].as_str().unwrap());
    let history = app.review(Method::GET, &path, None).await["history"].clone();
    assert_eq!(history[1]["kind"], "reported");
}

#[tokio::test]
async fn what_a_person_approved_stays_and_undo_opens_the_reports_again() {
    let app = TestApp::spawn().await;
    app.comment(&ordinary("c-1")).await;
    for reader in ["r-1", "r-2", "r-3"] {
        report(&app, "c-1", reader).await;
    }
    let ruled = decide(&app, "c-1", "approve").await;
    for reader in ["r-4", "r-5", "r-6", "r-7"] {
        assert_eq!(report(&app, "c-1", reader).await["status"], "approved");
    }
    let undo = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
    app.review(Method::POST, &undo, None).await;
    assert_eq!(comment(&app, "c-1").await["readers"]["reports"], 7);
    assert_eq!(comment(&app, "c-1").await["status"], "held");
}

#[tokio::test]
async fn readers_weigh_by_what_became_of_their_reports() {
    let app = TestApp::spawn().await;
    for at in 0..3 {
        for (reader, action) in [("good", "reject"), ("bad", "approve")] {
            let id = format!("{reader}-{at}");
            app.comment(&ordinary(&id)).await;
            report(&app, &id, reader).await;
            decide(&app, &id, action).await;
        }
        app.clock.advance_ms(61_000);
    }
    app.comment(&ordinary("c-1")).await;
    let bad = report(&app, "c-1", "bad").await["weight"].as_f64().unwrap();
    let both = report(&app, "c-1", "good").await["weight"].as_f64().unwrap();
    assert!(bad < 0.5 && both - bad > 1.9, "{bad} {both}");
}

#[tokio::test]
async fn a_crowd_of_strangers_cannot_hold_everything() {
    let app = TestApp::spawn_with(|config| {
        config.limits.policies.retain(|policy| policy.name != "reports");
        config.reports.strangers_max = 3;
    })
    .await;
    for at in 0..3 {
        app.comment(&ordinary(&format!("old-{at}"))).await;
        report(&app, &format!("old-{at}"), "known").await;
        decide(&app, &format!("old-{at}"), "reject").await;
    }
    let mut held = 0;
    for at in 0..8 {
        let id = format!("c-{at}");
        app.comment(&ordinary(&id)).await;
        for reader in 0..4 {
            report(&app, &id, &format!("puppet-{at}-{reader}")).await;
        }
        held += i32::from(comment(&app, &id).await["status"] == "held");
    }
    assert_eq!(held, 3, "no more in an hour");
    assert_eq!(comment(&app, "c-7").await["readers"]["reports"], 4, "the reports are kept");
    assert_eq!(report(&app, "c-7", "known").await["status"], "held", "somebody with a record is heard");
    app.clock.advance_ms(3_600_000);
    assert_eq!(report(&app, "c-6", "puppet").await["status"], "held", "an hour later there is room again");
}

#[tokio::test]
async fn one_bait_gives_no_crowd_a_record() {
    let app = TestApp::spawn_with(|config| {
        config.limits.policies.retain(|policy| !policy.name.starts_with("reports"));
        config.reports.strangers_max = 0;
    })
    .await;
    let crowd = |at: usize| format!("puppet-{at}");
    // Three comments that anybody would reject: the crowd reports them while they are approved, while they wait, and once they are rejected.
    for bait in ["approved", "held", "rejected"] {
        for at in 0..3 {
            let id = format!("{bait}-{at}");
            let mut comment = if bait == "held" { doubtful(&id) } else { ordinary(&id) };
            comment["author"] = json!({"id": id});
            app.comment(&comment).await;
            if bait == "rejected" {
                decide(&app, &id, "reject").await;
            }
            for puppet in 0..20 {
                report(&app, &id, &crowd(20 * at + puppet)).await; // each bait has a crowd of its own
            }
            for puppet in 0..20 {
                report(&app, &id, &crowd(100 + puppet)).await; // and one that comes after the first
            }
            decide(&app, &id, "reject").await;
            app.clock.advance_ms(61_000);
        }
    }
    app.comment(&ordinary("c-1")).await;
    for at in (0..60).chain(100..120) {
        assert_eq!(report(&app, "c-1", &crowd(at)).await["status"], "approved", "{at}");
    }
    assert_eq!(comment(&app, "c-1").await["readers"]["weight"], 80.0, "as strangers");
}

#[tokio::test]
async fn floods_of_reports_and_votes_are_refused() {
    let app = TestApp::spawn_with(|config| {
        for policy in &mut config.limits.policies {
            if matches!(policy.name.as_str(), "reports-per-reader" | "votes-per-reader") {
                policy.quota = NonZeroU32::new(2).unwrap();
            }
        }
    })
    .await;
    app.comment(&ordinary("c-1")).await;
    for (what, body) in [("reports", json!({"reader_id": "r-1"})), ("votes", json!({"reader_id": "r-1", "value": 1}))] {
        for _ in 0..2 {
            assert!(say(&app, "c-1", what, &body).await.status().is_success());
        }
        let refused = say(&app, "c-1", what, &body).await;
        assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (429, true), "{what}");
        let mut other = body.clone();
        other["reader_id"] = json!("r-2");
        assert!(say(&app, "c-1", what, &other).await.status().is_success(), "{what}: others are counted apart");
    }
}

#[tokio::test]
async fn votes_are_counted_once_for_each_reader() {
    let app = TestApp::spawn().await;
    app.comment(&ordinary("c-1")).await;
    let mut seen = Vec::new();
    for (reader, value) in [("r-1", 1), ("r-1", 1), ("r-2", 1), ("r-2", -1), ("r-1", 0)] {
        let answer = say(&app, "c-1", "votes", &json!({"reader_id": reader, "value": value})).await;
        let status = answer.status().as_u16();
        let view = read(answer, &[200, 201]).await;
        seen.push((status, view["up"].as_u64().unwrap(), view["down"].as_u64().unwrap()));
    }
    assert_eq!(seen, [(201, 1, 0), (200, 1, 0), (201, 2, 0), (200, 1, 1), (200, 0, 1)]);
    assert_eq!(comment(&app, "c-1").await["readers"]["down"], 1);
}

#[tokio::test]
async fn what_readers_say_is_checked() {
    let app = TestApp::spawn().await;
    let other = app.another_site("blog").await;
    app.comment(&ordinary("c-1")).await;
    for (what, body, field) in [
        ("reports", json!({}), "reader_id"),
        ("reports", json!({"reader_id": " "}), "reader_id"),
        ("reports", json!({"reader_id": "x".repeat(201)}), "reader_id"),
        ("reports", json!({"reader_id": "r", "text": "x".repeat(2_001)}), "text"),
        ("reports", json!({"reader_id": "r", "text": "a\u{0}"}), "text"),
        ("reports", json!({"reader_id": "r", "category": "boring"}), "category"),
        ("votes", json!({"reader_id": "r"}), "value"),
        ("votes", json!({"reader_id": "r", "value": 2}), "value"),
        ("votes", json!({"reader_id": "r", "value": 300}), "value"),
        ("votes", json!({"reader_id": "r", "value": 0.5}), "value"),
    ] {
        let answer = say(&app, "c-1", what, &body).await;
        assert_eq!(read(answer, &[422]).await["field"], field, "{what} {body}");
    }
    assert_eq!(say(&app, "c-2", "reports", &json!({"reader_id": "r"})).await.status(), 404);
    let theirs =
        app.request(Method::POST, "/v1/comments/c-1/votes", &other).json(&json!({"reader_id": "r", "value": 1}));
    assert_eq!(theirs.send().await.unwrap().status(), 404, "another site's comment");
    assert!(comment(&app, "c-1").await.get("readers").is_none(), "nobody said anything");
}

use std::num::NonZeroU32;

use doorward::app::limits::local::OnLimit;
use serde_json::json;

use crate::helpers::{TestApp, ordinary, read, signal};

#[tokio::test]
async fn over_a_holding_limit_nothing_is_lost() {
    let app = TestApp::spawn_with(|config| config.limits.policies[0].quota = NonZeroU32::new(2).unwrap()).await;
    let by_anna = |id: &str| {
        let mut comment = ordinary(id);
        comment["author"]["id"] = json!("anna");
        comment
    };
    for id in ["c-1", "c-2"] {
        assert_eq!(app.comment(&by_anna(id)).await["status"], "approved");
    }
    let held = app.comment(&by_anna("c-3")).await;
    assert_eq!((&held["status"], &held["verdict"]["causes"][0]["id"]), (&json!("held"), &json!("limit:per-author")));
    assert!(signal(&held, "limit-reached").unwrap()["evidence"].as_str().unwrap().contains("per-author"));
    app.clock.advance_ms(60_000);
    assert_eq!(app.comment(&by_anna("c-4")).await["status"], "approved");
}

#[tokio::test]
async fn over_a_refusing_limit_the_answer_says_when_to_come_again() {
    let app = TestApp::spawn_with(|config| {
        config.limits.policies[0].quota = NonZeroU32::MIN;
        config.limits.policies[0].on_limit = OnLimit::Refuse;
    })
    .await;
    let mut comment = ordinary("c-1");
    comment["author"]["id"] = json!("anna");
    app.comment(&comment).await;
    comment["id"] = json!("c-2");
    let refused = app.post("/v1/comments", &comment).await;
    assert_eq!(refused.headers()["retry-after"], "60");
    assert_eq!(refused.headers()["ratelimit-policy"], "\"per-author\";q=1;w=60");
    assert_eq!(refused.headers()["ratelimit"], "\"per-author\";r=0;t=60");
    let problem = read(refused, &[429]).await;
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    app.clock.advance_ms(60_000);
    assert_eq!(app.post("/v1/comments", &comment).await.status(), 201, "nothing was recorded the first time");
}

#[tokio::test]
async fn assessments_and_batches_have_their_own_limits() {
    let app = TestApp::spawn_with(|config| {
        for policy in &mut config.limits.policies {
            if policy.name == "assess" {
                policy.quota = NonZeroU32::MIN;
            }
        }
    })
    .await;
    assert_eq!(app.post("/v1/assess", &ordinary("c-1")).await.status(), 200);
    assert_eq!(app.post("/v1/assess", &ordinary("c-2")).await.status(), 429);
    assert_eq!(app.post("/v1/comments", &ordinary("c-3")).await.status(), 201);
    let mut many: Vec<_> = (0..50).map(|at| ordinary(&format!("b-{at}"))).collect();
    for comment in &mut many {
        comment["author"]["id"] = json!("anna");
    }
    let answers = app.batch(&many).await;
    assert!(
        answers.iter().all(|answer| answer["verdict"]["causes"] == json!([])),
        "an import is held by a limit of single comments"
    );
}

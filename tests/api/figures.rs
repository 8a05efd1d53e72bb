//! How moderation goes, in figures, and for whom.

use doorward::domain::people::{Reach, Role};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read};

async fn figures(app: &TestApp, token: &str, query: &str) -> Value {
    let path = format!("/v1/figures{query}");
    read(app.request(Method::GET, &path, token).send().await.unwrap(), &[200]).await
}

async fn decide(app: &TestApp, token: &str, uid: &Value, version: u32, action: &str) {
    let ask = json!({"items": [{"uid": uid, "seen_version": version}], "action": action});
    read(app.request(Method::POST, "/v1/decisions", token).json(&ask).send().await.unwrap(), &[200]).await;
}

#[tokio::test]
async fn figures_count_what_came_what_waits_and_what_people_made_of_it() {
    let app = TestApp::spawn().await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    let second = app.person("second@example.org", Role::Moderator).await;
    app.comment(&ordinary("c-1")).await;
    let wronged = app.comment(&doubtful("c-2")).await;
    app.clock.advance_ms(3_600_000);
    app.comment(&doubtful("c-3")).await;
    app.clock.advance_ms(60_000);
    decide(&app, &app.token, &wronged["uid"], 1, "approve").await;
    let seen = figures(&app, &auditor, "").await;
    let hours = seen["hours"].as_array().unwrap();
    assert_eq!(hours.len(), 2, "{hours:?}");
    assert_eq!(hours[0]["now"], json!({"approved": 2, "held": 0, "rejected": 0}));
    assert_eq!(hours[0]["first"], json!({"approved": 1, "held": 1, "rejected": 0}), "before a person decided");
    assert_eq!(seen["queue"], json!({"waiting": 1, "oldest_s": 60, "median_s": 60, "p90_s": 60}));
    assert_eq!(seen["time_to_verdict"], json!({"comments": 1, "median_s": 3_660, "p90_s": 3_660}));
    assert_eq!(seen["decided_looked_at"], 1);
    let overturned = seen["signals"].as_array().unwrap();
    assert!(overturned.iter().all(|one| one["approved"]["n"] == 1 && one["approved"]["of"] == 1), "{overturned:?}");
    assert_eq!(seen["agreement"]["pairs"], 0);
    decide(&app, &second, &wronged["uid"], 2, "reject").await;
    let seen = figures(&app, &auditor, "?hours=1").await;
    assert_eq!(seen["hours"].as_array().unwrap().len(), 1);
    let too_few = json!({"pairs": 1, "agreed": 0, "rate": null, "kappa": null});
    assert_eq!(seen["agreement"], too_few, "one pair says nothing of how often");
    let limits = seen["service"]["limits"].as_array().unwrap();
    assert!(limits.iter().all(|limit| limit["quota"].as_u64() > Some(0) && limit["limited"].is_u64()), "{limits:?}");
    for hours in ["0", "337", "x"] {
        let wrong = app.request(Method::GET, &format!("/v1/figures?hours={hours}"), &auditor).send().await.unwrap();
        assert_eq!(wrong.status(), 422, "{hours}");
    }
}

#[tokio::test]
async fn figures_of_another_site_are_not_in_ones_own() {
    let app = TestApp::spawn().await;
    app.another_site("blog").await;
    app.comment(&doubtful("c-1")).await;
    let blog = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let other = app.person_within("blog@example.org", Role::Auditor, &blog).await;
    let seen = figures(&app, &other, "").await;
    assert_eq!((&seen["hours"], &seen["queue"]["waiting"]), (&json!([]), &json!(0)));
    assert_eq!(seen["service"], Value::Null, "that is about all sites");
    assert_eq!(app.request(Method::GET, "/v1/figures", &app.token).send().await.unwrap().status(), 403);
}

/// A measurement, to be run by hand: it says how long the answer takes over 200,000 comments of which a tenth was decided.
#[tokio::test]
#[ignore = "measures; asserts nothing"]
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
async fn figures_over_200_000_comments() {
    let app = TestApp::spawn().await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    let first = app.comment(&doubtful("c-1")).await;
    decide(&app, &app.token, &first["uid"], 1, "approve").await;
    let n = "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)";
    let database = app.database();
    for copy in [
        "INSERT INTO comment SELECT i, site, status, decided_by, revision, version, received_at + i * 500, updated_at, prev_site, prev_author, \
         prev_article, keys, trace FROM n, comment WHERE id = 1",
        "INSERT INTO content SELECT i, b FROM n, content WHERE id = 1 AND i <= 20000",
        "INSERT INTO ruling SELECT i, randomblob(16), at + i * 500, NULL, b FROM n, ruling WHERE id = 1 AND i <= 20000",
        "INSERT INTO ruling_item SELECT i, i, version_after, status_before, decided_by_before, held_at_before FROM n, ruling_item \
         WHERE ruling = 1 AND i <= 20000",
        "INSERT INTO queue SELECT i, 1, 1, '', NULL, NULL, 1, 1, 0.5, 1795514400000 + i, NULL, NULL FROM n WHERE i > 190000",
    ] {
        database.execute(&format!("{n} {copy}"), []).unwrap();
    }
    app.clock.advance_ms(200_000 * 500);
    for _ in 0..5 {
        let begun = std::time::Instant::now();
        let seen = figures(&app, &auditor, "").await;
        eprintln!(
            "{:?} for {} hours, {} decided",
            begun.elapsed(),
            seen["hours"].as_array().unwrap().len(),
            seen["decided_looked_at"]
        );
    }
}

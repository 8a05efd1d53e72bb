//! Keys that got out: they end at once, nothing else does, and what was kept under them is still read.

use reqwest::StatusCode;
use serde_json::Value;

use super::world::{Host, Service, comment};

const SETTINGS: &str = "[limits]\nenabled = false\n[sampling]\nrate = 0.0\n";

async fn status(host: &Host, service: &Service, key: &str, id: &str) -> StatusCode {
    let answer = host.client.post(service.at("/v1/comments")).bearer_auth(key).json(&comment(id)).send().await;
    answer.expect("the service answers").status()
}

/// A site's key was in a public repository: rotated beside the running service, and every key of that site ends, old ones with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sites_key_that_got_out_ends_and_the_other_sites_notice_nothing() {
    let host = Host::with(SETTINGS);
    let (leaked, other) = (host.site("news"), host.site("blog"));
    let second = host.json(&["site", "key", "news", "--json"])["key"].as_str().expect("a key").to_owned();
    let service = host.start().await;
    for key in [&leaked, &second, &other] {
        assert_eq!(
            status(&host, &service, key, &format!("before-{}", &key[key.len() - 4..])).await,
            StatusCode::CREATED
        );
    }
    let fresh = tokio::task::block_in_place(|| host.json(&["site", "rotate", "news", "--json"]));
    let fresh = fresh["key"].as_str().expect("a key").to_owned();
    host.until("what got out opens nothing", async || {
        status(&host, &service, &leaked, "late").await == StatusCode::UNAUTHORIZED
    })
    .await;
    host.until("nor does the other one", async || {
        status(&host, &service, &second, "late").await == StatusCode::UNAUTHORIZED
    })
    .await;
    assert_eq!(status(&host, &service, &fresh, "after").await, StatusCode::CREATED);
    assert_eq!(status(&host, &service, &other, "after").await, StatusCode::CREATED);
    assert!(host.comments(&service, &fresh).await.contains_key("after"));
    let record = host.done(&["audit", "export"]);
    assert!(record.contains("\"site.key.rotate\"") && record.contains("\"news\""), "{record}");
    assert!(!record.contains(&fresh) && !record.contains(&leaked), "the record names no key");
    host.done(&["audit", "verify"]);
}

/// A backup with the key of secrets was left on a train: a new key, and every secret under it; the old one opens nothing that is there now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_secrets_is_replaced_beside_the_service_and_the_old_one_opens_nothing_any_more() {
    let host = Host::with(SETTINGS);
    let key = host.site("news");
    let service = host.start().await;
    let old = std::fs::read(host.path("doorward.key")).expect("a key");
    host.done(&["secrets", "rotate"]);
    assert_ne!(std::fs::read(host.path("doorward.key")).expect("a key"), old);
    let rotated = host.json(&["site", "secret", "news", "--rotate", "inbound", "--valid-for", "1h", "--json"]);
    assert!(rotated.to_string().contains("whsec_"), "{rotated}");
    assert_eq!(status(&host, &service, &key, "after").await, StatusCode::CREATED, "the service goes on");
    let report = host.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).expect("JSON");
    let of = |report: &Value| -> Vec<String> {
        let findings = report["findings"].as_array().expect("findings").iter();
        findings.filter(|one| one["check"] == "secrets" && one["level"] == "problem").map(Value::to_string).collect()
    };
    assert!(of(&report).is_empty(), "{report}");
    // Whoever has the old key and the database as it is now has nothing.
    std::fs::write(host.path("doorward.key"), old).expect("writable");
    let report = host.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).expect("JSON");
    assert_eq!(of(&report).len(), 1, "{report}");
}

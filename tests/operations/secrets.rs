//! Keys that got out: they end at once, nothing else does, and what was kept under them is still read.

use reqwest::StatusCode;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::folder::at_one_moment;

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

async fn verified(host: &Host, service: &Service, key: &str) -> String {
    let form = format!("key={key}&blog=https%3A%2F%2Fblog.example%2F");
    let ask =
        host.client.post(service.at("/1.1/verify-key")).header("content-type", "application/x-www-form-urlencoded");
    ask.body(form).send().await.expect("the service answers").text().await.expect("a word")
}

fn stored(host: &Host) -> Vec<u8> {
    let file = rusqlite::Connection::open(host.path("doorward.db")).expect("a database");
    file.query_row("SELECT akismet_hash FROM site", [], |row| row.get(0)).expect("a site")
}

/// A copy of the database is stolen. An Akismet key has twelve digits, which are tried out within minutes where they are stored under a plain hash.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn akismet_keys_open_as_before_and_a_copy_of_the_database_does_not_give_them_away() {
    let host = Host::with(SETTINGS);
    let made = host.json(&["site", "create", "blog", "--json"]);
    let key = made["akismet_key"].as_str().expect("a key");
    let plain = Sha256::digest(key.as_bytes()).to_vec();
    assert_ne!(stored(&host), plain);
    let mut service = host.start().await;
    assert_eq!(verified(&host, &service, key).await, "valid");
    host.done(&["secrets", "rotate"]);
    assert_eq!(verified(&host, &service, key).await, "valid");
    service.stop();
    let mut service = host.start().await;
    assert_eq!(verified(&host, &service, key).await, "valid", "with the new key of secrets alone");
    assert_eq!(verified(&host, &service, "0123456789ab").await, "invalid");
    service.stop();
    // As a version of before left it, beside a node of that version: that one would not find it otherwise.
    let file = rusqlite::Connection::open(host.path("doorward.db")).expect("a database");
    file.execute("UPDATE site SET akismet_hash = ?1", [&plain]).expect("written");
    let note = "INSERT INTO node (name, version, schema, started_at, seen_at, config) VALUES ('old', '0', 20, 0, unixepoch() * 1000 + 3600000, '')";
    file.execute(note, []).expect("written");
    let mut service = host.start().await;
    assert_eq!(verified(&host, &service, key).await, "valid");
    assert_eq!(stored(&host), plain);
    service.stop();
    file.execute("DELETE FROM node", []).expect("written");
    drop(file);
    let service = host.start().await;
    assert_ne!(stored(&host), plain, "the last one of that version is gone");
    assert_eq!(verified(&host, &service, key).await, "valid");
    let is_left = |bytes: Vec<u8>| bytes.windows(plain.len()).any(|bytes| bytes == plain);
    host.until("nothing of the plain hash is left", async || {
        !at_one_moment(host.folder.path()).into_values().any(is_left)
    })
    .await;
}

/// The key file is lost, and then found again; or it is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn akismet_keys_are_found_again_with_the_key_of_secrets_and_replaced_without_it() {
    let host = Host::with(SETTINGS);
    let made = host.json(&["site", "create", "blog", "--json"]);
    let key = made["akismet_key"].as_str().expect("a key");
    host.start().await.stop();
    let right = std::fs::read(host.path("doorward.key")).expect("a key");
    std::fs::remove_file(host.path("doorward.key")).expect("removable");
    let mut service = host.start().await;
    assert_eq!(verified(&host, &service, key).await, "invalid");
    service.stop();
    let wrong = std::fs::read(host.path("doorward.key")).expect("a key");
    std::fs::write(host.path("doorward.key"), right).expect("writable");
    let mut service = host.start().await;
    assert_eq!(verified(&host, &service, key).await, "valid");
    service.stop();
    std::fs::write(host.path("doorward.key"), wrong).expect("writable");
    let service = host.start().await;
    let other = host.json(&["site", "akismet-key", "blog", "--rotate", "--json"]);
    let other = other["akismet_key"].as_str().expect("a key");
    assert_eq!(verified(&host, &service, other).await, "valid");
    assert_eq!(verified(&host, &service, key).await, "invalid");
}

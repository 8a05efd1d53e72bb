//! Addresses that grow old: the key of their hashes, and what goes on without them.

use std::time::Duration;

use doorward::domain::retention::Class;
use doorward::domain::site::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, read};

const DAY_MS: i64 = 86_400_000;

fn by(id: &str, author: &str, ip: &str) -> Value {
    json!({"id": id, "article": {"id": "a-1"}, "author": {"id": author, "ip": ip},
        "body": format!("The harbour was closed when {author} came by, and nobody knew why.")})
}

/// What stands in the database for the key.
fn stored(app: &TestApp) -> Vec<u8> {
    let read = "SELECT value FROM meta WHERE name = 'address_key'";
    app.database().query_row(read, [], |row| row.get(0)).unwrap()
}

/// The service itself looks for old addresses and comments as soon as it runs. Waits until that look has read the clock (the key is the first that it makes):
/// one that comes late would read it after the test has set it, and do what the test is to do.
async fn looked_by_itself(app: &TestApp) {
    let begun = async {
        while app.store.address_key().await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await; // between two looks at the condition
        }
    };
    tokio::time::timeout(Duration::from_mins(1), begun).await.expect("the service looks by itself");
}

async fn linked(app: &TestApp, author: &str) -> Vec<String> {
    let page = app.review(Method::GET, &format!("/v1/authors/{author}?site=news"), None).await;
    let accounts = page["linked"]["accounts"].as_array().unwrap();
    accounts.iter().map(|one| one["author_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_key_of_hashes_is_sealed_outlives_the_key_file_and_is_gone_with_its_period() {
    let app = TestApp::spawn().await; // on day 21 of a period of thirty
    looked_by_itself(&app).await;
    app.comment(&by("c-1", "ann", "203.0.113.7")).await;
    app.clock.advance_ms(10 * DAY_MS);
    app.comment(&by("c-2", "bob", "203.0.113.9")).await;
    app.clock.advance_ms(30 * DAY_MS);
    assert_eq!(app.state.authors.hash_addresses(app.now()).await.unwrap().replaced, 1);
    let first = stored(&app);
    app.admin().rotate_key(app.now()).await.unwrap();
    let resealed = stored(&app);
    assert_ne!(first, resealed, "what seals it was replaced");
    app.clock.advance_ms(4 * DAY_MS);
    app.comment(&by("c-3", "cat", "203.0.113.8")).await;
    app.clock.advance_ms(DAY_MS);
    assert_eq!(app.state.authors.hash_addresses(app.now()).await.unwrap().replaced, 1);
    assert_eq!(stored(&app), resealed, "the period is not over");
    assert_eq!(linked(&app, "ann").await, ["bob"]);
    app.clock.advance_ms(35 * DAY_MS);
    assert_eq!(app.state.authors.hash_addresses(app.now()).await.unwrap().replaced, 1);
    assert_ne!(stored(&app), resealed, "another period");
    assert_eq!(linked(&app, "ann").await, ["bob"]);
    assert_eq!(linked(&app, "cat").await, Vec::<String>::new(), "nobody can compare with hashes of the period before");
}

#[tokio::test]
async fn a_key_that_an_earlier_version_left_bare_is_sealed_and_stays_in_use() {
    let app = TestApp::spawn().await;
    looked_by_itself(&app).await;
    app.comment(&by("c-1", "ann", "203.0.113.7")).await;
    app.clock.advance_ms(40 * DAY_MS);
    let (period, key) = (app.now().as_millis().div_euclid(30 * DAY_MS), [0xA7_u8; 32]);
    let bare = [&period.to_le_bytes()[..], &key].concat();
    app.database().execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('address_key', ?1)", [bare]).unwrap();
    assert_eq!(app.state.authors.hash_addresses(app.now()).await.unwrap().replaced, 1);
    let holds_key = |bytes: &[u8]| bytes.windows(key.len()).any(|window| window == key);
    assert!(!holds_key(&stored(&app)));
    app.until("nothing is left of it in any file", |_| !holds_key(&app.database_bytes())).await;
    // The hash is the one that the key makes: equal addresses of before and after the upgrade are equal.
    let hash: Vec<u8> = app.database().query_row("SELECT ip FROM pseudonym", [], |row| row.get(0)).unwrap();
    let expected = {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
        mac.chain_update("ip").chain_update([0]).chain_update("203.0.113.7").finalize().into_bytes()[..16].to_vec()
    };
    assert_eq!(hash, expected);
}

#[tokio::test]
async fn of_the_key_of_hashes_nothing_is_left_once_hashing_is_turned_off() {
    let app = TestApp::spawn_following("").await;
    looked_by_itself(&app).await;
    app.comment(&by("c-1", "ann", "203.0.113.7")).await;
    app.clock.advance_ms(40 * DAY_MS);
    assert_eq!(app.state.authors.hash_addresses(app.now()).await.unwrap().replaced, 1);
    let key = stored(&app);
    let is_left = || app.database_bytes().windows(key.len()).any(|window| window == key);
    assert!(is_left());
    app.write_settings("[privacy]\nhash_addresses_after_days = 0\n");
    app.until_kept(2).await;
    assert_eq!(app.state.authors.hash_addresses(app.now()).await.unwrap().replaced, 0);
    assert_eq!(app.store.address_key().await.unwrap(), None);
    app.until("nothing is left of it in any file", |_| !is_left()).await;
    app.write_settings("[privacy]\nhash_addresses_after_days = 30\n");
    app.until_kept(3).await;
    app.state.authors.hash_addresses(app.now()).await.unwrap();
    assert_ne!(stored(&app), key, "turned on again, it begins with another one");
}

#[tokio::test]
async fn comments_that_are_too_old_go_from_everything_that_is_shown_and_known() {
    let app = TestApp::spawn_with(|config| {
        config.retention.approved_days = 30;
        config.retention.rejected_days = 10;
    })
    .await;
    looked_by_itself(&app).await;
    let old = app.comment(&by("c-1", "ann", "203.0.113.7")).await;
    app.clock.advance_ms(20 * DAY_MS);
    assert!(app.state.retention.expire(app.now()).await.unwrap().is_empty());
    let young = app.comment(&by("c-2", "ann", "203.0.113.7")).await;
    app.clock.advance_ms(20 * DAY_MS);
    let gone = app.state.retention.expire(app.now()).await.unwrap();
    assert_eq!(gone.into_iter().collect::<Vec<_>>(), [(Class::Approved, 1)]);
    let all = app.another_key(&Scope::ALL).await;
    let get = async |id: &str| {
        app.request(Method::GET, &format!("/v1/comments/{id}"), &all).send().await.unwrap().status().as_u16()
    };
    assert_eq!((get("c-1").await, get("c-2").await), (404, 200));
    let export = read(app.request(Method::GET, "/v1/authors/ann/export", &all).send().await.unwrap(), &[200]).await;
    let text = export.to_string();
    assert!(!text.contains(old["uid"].as_str().unwrap()) && text.contains(young["uid"].as_str().unwrap()), "{text}");
    assert!(
        app.audit().await.iter().any(|line| line.action == "comments.expire" && line.detail.starts_with("1 approved"))
    );
    let metrics = app.state.metrics.render();
    assert!(metrics.contains("doorward_comments_expired_total{class=\"approved\"}"), "{metrics}");
}

#[tokio::test]
async fn bans_export_and_erasure_go_on_when_addresses_are_gone() {
    let app = TestApp::spawn().await;
    looked_by_itself(&app).await;
    let old = app.comment(&by("c-1", "ann", "203.0.113.7")).await;
    let operator = app.person("op@example.org", doorward::domain::people::Role::Operator).await;
    let ban = json!({"site": "news", "measure": "ban", "cause": "spam from 203.0.113.7 all week",
        "target": {"kind": "network", "value": "203.0.113.0/24"}});
    let request = app.request(Method::POST, "/v1/sanctions", &operator).json(&ban);
    read(request.send().await.unwrap(), &[200, 201]).await;
    let banned = app.comment(&by("c-2", "ben", "203.0.113.9")).await;
    assert_eq!(banned["status"], "rejected");
    app.clock.advance_ms(40 * DAY_MS);
    assert_eq!(app.state.authors.hash_addresses(app.now()).await.unwrap().replaced, 2);

    let all = app.another_key(&Scope::ALL).await;
    let export = read(app.request(Method::GET, "/v1/authors/ben/export", &all).send().await.unwrap(), &[200]).await;
    let text = export.to_string();
    assert!(text.contains("c-2") && text.contains("spam from [address] all week"), "{text}");
    assert!(!text.contains("203.0.113"), "{text}");
    app.until("no address is left in any file", |_| {
        let bytes = app.database_bytes();
        !bytes.windows(9).any(|window| window == b"203.0.113")
    })
    .await;

    let again = app.comment(&by("c-3", "cat", "203.0.113.77")).await;
    assert_eq!(again["status"], "rejected", "the network is still banned");
    let ann = read(app.request(Method::DELETE, "/v1/authors/ann", &all).send().await.unwrap(), &[200]).await;
    assert_eq!(ann["comments"], 1);
    assert!(app.store.comment_by_uid(old["uid"].as_str().unwrap().parse().unwrap()).await.unwrap().is_none());
}

//! A lost disk, and an upgrade: what was there before is there afterwards, and what cannot be is said.

use rusqlite::Connection;
use serde_json::Value;

use super::world::{Host, comment, said};

const SETTINGS: &str = "[limits]\nenabled = false\n[sampling]\nrate = 0.0\n[backup]\nfolder = \"backups\"\n";

mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// The disk is gone, and with it whatever came after the night's backup; its copy lies elsewhere, and one of its copies is damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_lost_disk_a_copy_that_is_whole_is_found_and_the_service_goes_on_from_it() {
    let old = Host::with(SETTINGS);
    std::fs::create_dir(old.path("backups")).expect("a folder");
    let key = old.site("news");
    let service = old.start().await;
    old.post(&service, &key, &comment("of-the-day")).await;
    old.done(&["backup"]);
    old.post(&service, &key, &comment("of-the-night")).await;
    let elsewhere = tempfile::tempdir().expect("a folder");
    for copy in ["good", "bad"] {
        let made = std::fs::read_dir(old.path("backups")).expect("readable").flatten().next().expect("a backup").path();
        let to = elsewhere.path().join(copy);
        std::fs::create_dir(&to).expect("a folder");
        for entry in std::fs::read_dir(made).expect("readable").flatten() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
    let database = elsewhere.path().join("bad/doorward.db");
    let mut bytes = std::fs::read(&database).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&database, bytes).expect("writable");
    drop(service);
    drop(old); // and its disk with it

    let new = Host::bare();
    let path = |copy: &str| elsewhere.path().join(copy).to_str().expect("a path").to_owned();
    new.refused(&["restore", "--check", &path("bad")], 1);
    new.refused(&["restore", &path("bad")], 1);
    assert!(!new.path("doorward.db").exists() && !new.config.exists(), "what is damaged changes nothing");
    new.done(&["restore", "--check", &path("good")]);
    let told = new.done(&["restore", &path("good")]);
    assert!(told.contains("once more"), "whom to erase again is said: {told}");
    std::fs::create_dir(new.path("backups")).expect("a folder");
    let service = new.start().await;
    assert_eq!(new.comments(&service, &key).await.keys().collect::<Vec<_>>(), ["of-the-day"]);
    // Sites send again what they are not sure of, and each is there once.
    for (id, status) in [("of-the-day", 200), ("of-the-night", 201), ("new", 201)] {
        let answer = new.client.post(service.at("/v1/comments")).bearer_auth(&key).json(&comment(id)).send().await;
        assert_eq!(answer.expect("the service answers").status(), status, "{id}");
    }
    assert_eq!(new.comments(&service, &key).await.len(), 3);
    new.done(&["backup"]);
    new.done(&["audit", "verify"]);
}

/// A database that an earlier version left: the first start brings it here with everything in it; and where a later version was, nothing is touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_brings_the_database_along_and_the_way_back_is_a_copy_of_before() {
    let host = Host::with(SETTINGS);
    let file = host.path("doorward.db");
    let mut connection = Connection::open(&file).expect("a file");
    let target = refinery::Target::Version(4);
    embedded::migrations::runner().set_target(target).run(&mut connection).expect("the schema of then");
    connection.execute_batch(include_str!("../storage/made_by/v4.sql")).expect("what was stored then");
    drop(connection);
    let before = std::fs::read(&file).expect("readable");
    let report = host.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap_or_else(|_| panic!("{}", said(&report)));
    let findings = report["findings"].as_array().expect("findings");
    let schema = findings.iter().find(|one| one["check"] == "schema").expect("a finding");
    assert!(schema["todo"].as_str().is_some_and(|todo| todo.contains("doorward migrate")), "{report}");
    assert_eq!(std::fs::read(&file).expect("readable"), before, "looking changes nothing");

    let mut service = host.start().await; // which brings it to its version
    let key = host.json(&["site", "key", "news", "--scopes", "post,read", "--json"]);
    let key = key["key"].as_str().expect("a key").to_owned();
    let all = host.comments(&service, &key).await;
    assert_eq!(all.keys().collect::<Vec<_>>(), ["c-1", "c-2"]);
    assert_eq!((&all["c-1"]["status"], &all["c-2"]["status"]), (&"held".into(), &"rejected".into()));
    host.post(&service, &key, &comment("after")).await;
    let token = host.person("ben@example.org", "operator");
    let waiting = host.ask(&service, &token, "/v1/queue", None).await;
    assert_eq!(waiting["items"][0]["id"], "c-1", "what waited waits: {waiting}");
    host.ask(&service, &token, "/v1/rules", None).await; // verdicts of before can be counted
    host.done(&["audit", "verify"]);
    host.done(&["migrate"]); // done already, and no harm
    service.stop();

    // A version that is older than the database does not start, and says what to do.
    let connection = Connection::open(&file).expect("a file");
    connection
        .execute_batch("UPDATE refinery_schema_history SET version = 999 WHERE version = (SELECT max(version) FROM refinery_schema_history)")
        .expect("as a later version leaves it");
    drop(connection);
    let refused = host.run(&["serve"]);
    assert!(!refused.status.success() && said(&refused).contains("999"), "{}", said(&refused));
    // The way back: the copy of before, and the version that made it.
    for beside in ["doorward.db-wal", "doorward.db-shm"] {
        let _ = std::fs::remove_file(host.path(beside));
    }
    std::fs::write(&file, before).expect("writable");
    let service = host.start().await;
    let key = host.json(&["site", "key", "news", "--scopes", "post,read", "--json"]);
    let all = host.comments(&service, key["key"].as_str().expect("a key")).await;
    assert_eq!(all.keys().collect::<Vec<_>>(), ["c-1", "c-2"]);
}

//! What `doorward doctor` finds, and that it says what to do.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::world::{Host, Postgres, comment, said};

/// Nobody listens there.
const NOBODY: &str = "[server]\nlisten = \"127.0.0.1:1\"\n";

/// What it answered in JSON, with its exit code.
fn look(host: &Host) -> (Value, i32) {
    let output = host.run(&["doctor", "--json"]);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
    for finding in report["findings"].as_array().expect("findings") {
        let is_wrong = ["warning", "problem"].contains(&finding["level"].as_str().expect("a level"));
        assert_eq!(
            finding["todo"].is_string(),
            is_wrong,
            "what is wrong, and nothing else, says what to do: {finding}"
        );
    }
    (report, output.status.code().expect("an exit code"))
}

/// That it finds this at that check, with that exit code, and says so to people, too.
fn finds(host: &Host, check: &str, words: &[&str], code: i32) {
    let (report, found) = look(host);
    let of = report["findings"].as_array().expect("findings").iter().filter(|finding| finding["check"] == check);
    let wrong: Vec<String> = of.filter(|finding| finding["todo"].is_string()).map(Value::to_string).collect();
    assert!(wrong.iter().any(|finding| words.iter().all(|word| finding.contains(word))), "{check} {words:?}: {report}");
    assert_eq!(found, code, "{report}");
    let told = host.refused(&["doctor"], code);
    assert!(told.contains("do: "), "{told}");
}

/// A host with a site, on which nothing is wrong.
fn host() -> Host {
    let host = Host::with(NOBODY);
    host.site("news");
    host
}

fn also(host: &Host, settings: &str) {
    std::fs::write(&host.config, format!("{NOBODY}{settings}")).expect("writable");
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
}

fn change(host: &Host, statement: &str) {
    let database = rusqlite::Connection::open(host.path("doorward.db")).expect("a database");
    database.execute_batch(statement).expect("changed");
}

#[test]
fn a_host_on_which_nothing_is_wrong_is_told_so() {
    let host = host();
    let before = std::fs::read(host.path("doorward.db")).expect("readable");
    let (report, code) = look(&host);
    assert_eq!(code, 0, "{report}");
    assert_eq!(std::fs::read(host.path("doorward.db")).expect("readable"), before, "nothing is changed");
    let checks: Vec<_> =
        report["findings"].as_array().expect("findings").iter().filter_map(|f| f["check"].as_str()).collect();
    for check in [
        "configuration",
        "model",
        "permissions",
        "disk",
        "schema",
        "database",
        "secrets",
        "privacy",
        "webhooks",
        "clock",
        "service",
    ] {
        assert!(checks.contains(&check), "{check} was not looked at: {checks:?}");
    }
    let told = host.done(&["doctor", "--deep"]);
    assert!(told.contains("0 comments") && told.contains("opens the secrets of 1 sites"), "{told}");
    // Before the first start there is nothing to find, and nothing is made.
    let bare = Host::with(NOBODY);
    bare.done(&["doctor"]);
    assert!(!bare.path("doorward.db").exists() && !bare.path("doorward.key").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_comment_is_nothing_that_is_wrong() {
    let host = host();
    let mut service = host.start().await;
    let key = tokio::task::block_in_place(|| host.json(&["site", "key", "news", "--scopes", "post,erase", "--json"]));
    let key = key["key"].as_str().expect("a key");
    for id in ["c-1", "c-2"] {
        host.post(&service, key, &comment(id)).await;
    }
    let erased = host.client.delete(service.at("/v1/comments/c-1")).bearer_auth(key).send().await;
    assert_eq!(erased.expect("the service answers").status(), 204);
    service.stop();
    let (report, code) = tokio::task::block_in_place(|| look(&host));
    assert_eq!(code, 0, "{report}");
}

#[test]
fn settings_that_cannot_be_read_are_found_with_their_place() {
    let host = host();
    also(&host, "[limits]\nenabledd = true\n");
    finds(&host, "configuration", &["config.toml:4:1", "did you mean `enabled`?", "check-config"], 2);
    also(&host, "[model]\nfile = \"gone.dwm\"\n");
    finds(&host, "model", &["gone.dwm"], 2);
}

#[test]
fn rights_that_are_too_wide_are_found() {
    let host = host();
    mode(&host.path("doorward.key"), 0o644);
    finds(&host, "permissions", &["doorward.key", "chmod 600"], 2);
    mode(&host.path("doorward.key"), 0o600);
    mode(&host.path("doorward.db"), 0o644);
    mode(host.folder.path(), 0o755);
    finds(&host, "permissions", &["every user of this machine may read", "chmod o-rwx"], 1);
    mode(&host.path("doorward.db"), 0o640);
    also(&host, "[metrics]\ntoken = \"hush\"\n");
    mode(&host.config, 0o644);
    finds(&host, "permissions", &["config.toml, which holds secrets"], 1);
    mode(&host.config, 0o640);
    assert_eq!(look(&host).1, 0);
}

#[test]
fn a_key_that_is_gone_or_another_ones_is_found() {
    let host = host();
    let other = self::host();
    std::fs::copy(other.path("doorward.key"), host.path("doorward.key")).expect("copied");
    finds(&host, "secrets", &["does not open with this key file"], 2);
    std::fs::remove_file(host.path("doorward.key")).expect("removed");
    finds(&host, "secrets", &["doorward.key is not there", "backup"], 2);
    assert!(!host.path("doorward.key").exists(), "and none is made in its place");
}

#[test]
fn a_database_that_is_damaged_or_of_another_version_is_found() {
    let host = host();
    change(
        &host,
        "DELETE FROM refinery_schema_history WHERE version = (SELECT max(version) FROM refinery_schema_history)",
    );
    finds(&host, "schema", &["doorward migrate"], 1);
    change(
        &host,
        "UPDATE refinery_schema_history SET version = 999 WHERE version = (SELECT max(version) FROM refinery_schema_history)",
    );
    finds(&host, "schema", &["of schema 999"], 2);
    let host = self::host();
    change(&host, "PRAGMA wal_checkpoint(TRUNCATE)");
    let path = host.path("doorward.db");
    let mut bytes = std::fs::read(&path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0x55);
    std::fs::write(&path, bytes).expect("writable");
    finds(&host, "database", &["restore"], 2);
}

#[test]
fn a_clock_that_was_ahead_is_found_by_what_is_stored() {
    let host = host();
    change(&host, "DROP TRIGGER audit_is_never_changed; UPDATE audit SET at = at + 86400000");
    finds(&host, "clock", &["something in the database is of", "timedatectl"], 2);
}

#[test]
fn neighbours_that_do_not_answer_are_found() {
    let host = host();
    also(&host, "[shared]\nurl = \"redis://:hunter2@127.0.0.1:1/0\"\n");
    finds(&host, "shared", &["Redis does not answer"], 2);
    also(&host, "[database]\nurl = \"postgres://ann:hunter2@127.0.0.1:1/doorward\"\n");
    finds(&host, "database", &["database.url"], 2);
    assert!(!look(&host).0.to_string().contains("hunter2"));
}

#[test]
fn something_else_at_our_port_is_found() {
    let host = host();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 1_024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
        }
    });
    std::fs::write(&host.config, format!("[server]\nlisten = \"{address}\"\n")).expect("writable");
    finds(&host, "service", &["something else answers"], 2);
}

#[test]
fn backups_that_are_missing_or_old_are_found() {
    let host = host();
    also(&host, "[backup]\nfolder = \"backups\"\n");
    finds(&host, "backups", &["cannot be read"], 2);
    std::fs::create_dir(host.path("backups")).expect("a folder");
    finds(&host, "backups", &["there is none"], 1);
    let made = host.json(&["backup", "--json"]);
    assert_eq!(look(&host).1, 0);
    let old = host.path("backups/doorward-20200101T000000Z");
    std::fs::rename(made["backup"].as_str().expect("a path"), &old).expect("renamed");
    let text = std::fs::read_to_string(old.join("manifest.json")).expect("readable");
    let mut manifest: Value = serde_json::from_str(&text).expect("JSON");
    manifest["made_at"] = json!("2020-01-01T00:00:00Z");
    std::fs::write(old.join("manifest.json"), manifest.to_string()).expect("writable");
    finds(&host, "backups", &["days old", "doorward-backup.timer"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_were_not_replaced_in_time_are_found() {
    let host = host();
    let key = host.site("blog");
    let service = host.start().await;
    let taken = host.client.post(service.at("/v1/comments")).bearer_auth(&key).json(&comment("c-1")).send().await;
    assert_eq!(taken.expect("the service answers").status(), 201);
    drop(service);
    assert_eq!(look(&host).1, 0);
    change(&host, "UPDATE comment SET received_at = received_at - 86400000 * 32");
    finds(&host, "privacy", &["32 days ago", "after 30 days"], 1);
    also(&host, "[privacy]\nhash_addresses_after_days = 0\n");
    let (report, code) = look(&host);
    assert_eq!(code, 0, "{report}");
    assert!(report.to_string().contains("kept for good"), "{report}");
}

#[test]
fn webhooks_that_were_given_up_are_found() {
    let host = host();
    change(
        &host,
        "INSERT INTO outbox (uid, site, comment, not_before, next_at, attempts, dead_at, problem, b) \
         VALUES (zeroblob(16), 1, 1, 0, 0, 9, 1, 'it answers 404', zeroblob(1))",
    );
    finds(&host, "webhooks", &["1 could not be delivered", "doorward outbox list --dead"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_not_trusted_is_found_and_when_it_is_trusted_no_more() {
    let host = host();
    host.done(&["user", "create", "ann@example.org", "--role", "operator"]);
    let token = host.json(&["token", "create", "ann@example.org", "--json"]);
    let token = token["token"].as_str().expect("a token");
    for (trusted, is_found) in [("[]", true), ("[\"127.0.0.1/32\"]", false)] {
        std::fs::write(&host.config, format!("[server]\ntrusted_proxies = {trusted}\n[metrics]\ntoken = \"t\"\n"))
            .expect("writable");
        mode(&host.config, 0o600);
        let service = host.start().await;
        // Everybody comes through the proxy; it says for whom, and nobody listens.
        for person in 0..120 {
            let page = host.client.get(service.at("/queue")).bearer_auth(token);
            let page = page
                .header("X-Forwarded-For", format!("203.0.113.{person}"))
                .send()
                .await
                .expect("the service answers");
            assert_eq!(page.status(), 200);
        }
        let text = std::fs::read_to_string(&host.config).expect("readable");
        let listen = format!("[server]\nlisten = \"127.0.0.1:{}\"\n", service.port);
        host.write(&text.replace("[server]\n", &listen));
        mode(&host.config, 0o600);
        if is_found {
            finds(
                &host,
                "proxy",
                &[
                    "120 requests of people came from one address",
                    "set server.trusted_proxies = [\\\"127.0.0.1/32\\\"]",
                ],
                1,
            );
        } else {
            let (report, code) = look(&host);
            assert_eq!(code, 0, "{report}");
            assert!(report.to_string().contains("it takes comments at"), "{report}");
        }
    }
}

#[test]
fn a_proxy_that_the_settings_give_away_is_found_before_anybody_came() {
    let host = host();
    std::fs::write(
        &host.config,
        "[server]\nlisten = \"127.0.0.1:1\"\npublic_url = \"https://moderation.example.org\"\n",
    )
    .expect("writable");
    finds(&host, "proxy", &["there is a proxy that is not trusted", "trusted_proxies"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_sends_its_proxys_address_for_everybody_is_found() {
    let host = Host::with(&format!("{NOBODY}[limits]\nenabled = false\n"));
    let (proxied, plain) = (host.site("proxied"), host.site("plain"));
    let service = host.start().await;
    for number in 0..110 {
        for (key, ip) in [(&proxied, "10.0.0.7".to_owned()), (&plain, format!("203.0.113.{number}"))] {
            let mut comment = comment(&format!("c-{number}"));
            comment["author"]["ip"] = json!(ip);
            let taken = host.client.post(service.at("/v1/comments")).bearer_auth(key).json(&comment).send().await;
            assert_eq!(taken.expect("the service answers").status(), 201);
        }
    }
    finds(&host, "addresses", &["site `proxied`", "10.0.0.7", "author.ip"], 1);
    assert!(!look(&host).0.to_string().contains("`plain`"));
}

#[test]
fn a_postgresql_that_answers_is_looked_at_and_not_changed() {
    let Some(postgres) = Postgres::start() else { return };
    let host = Host::with(&format!("{NOBODY}[database]\nurl = \"{}\"\n", postgres.url));
    mode(&host.config, 0o600);
    let (report, code) = look(&host);
    assert!(code == 0 && report.to_string().contains("the first start makes it"), "{report}");
    host.site("news");
    let (report, code) = look(&host);
    assert_eq!(code, 0, "{report}");
    assert!(report.to_string().contains("opens the secrets of 1 sites"), "{report}");
    std::fs::remove_file(host.path("doorward.key")).expect("removed");
    finds(&host, "secrets", &["doorward.key is not there"], 2);
}

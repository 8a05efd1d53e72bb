//! What comes up on an ordinary afternoon.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::world::{Host, comment, said};

fn holds(folder: &Path, word: &str) -> bool {
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("readable").flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().any(|path| match path.is_dir() {
        true => holds(path, word),
        false => {
            aho_corasick::AhoCorasick::new([word]).expect("a word").is_match(&std::fs::read(path).expect("readable"))
        }
    })
}

/// An author asks to be forgotten: gone from the service, from every backup from then on, and from those before when they are too old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_author_is_erased_and_backups_forget_them_too() {
    let host = Host::with("[limits]\nenabled = false\n[backup]\nfolder = \"backups\"\nkeep_days = 7\n");
    std::fs::create_dir(host.path("backups")).expect("a folder");
    host.site("news");
    let key = host.json(&["site", "key", "news", "--scopes", "post,read,erase", "--json"]);
    let key = key["key"].as_str().expect("a key");
    let service = host.start().await;
    let post = async |id: &str, body: &str| {
        let mut comment = comment(id);
        comment["body"] = json!(body);
        let taken = host.client.post(service.at("/v1/comments")).bearer_auth(key).json(&comment).send().await;
        assert_eq!(taken.expect("the service answers").status(), StatusCode::CREATED);
    };
    post("mine", "I shall regret having written markerwords here, on the way home.").await;
    post("theirs", "The new lanes are wide enough for two, which is good to see.").await;
    let backup = |arguments: &[&str]| tokio::task::block_in_place(|| host.json(arguments));
    let before = backup(&["backup", "--json"]);
    let before = Path::new(before["backup"].as_str().expect("a path")).to_owned();
    assert!(holds(&before, "markerwords"), "the search would find them");

    let erased = host.client.delete(service.at("/v1/authors/u-mine")).bearer_auth(key).send().await;
    let erased: Value = erased.expect("the service answers").json().await.expect("JSON");
    assert_eq!(erased["comments"], 1);
    let after = host.path("after");
    backup(&["backup", after.to_str().expect("a path"), "--json"]);
    assert!(!holds(&after, "markerwords"), "a backup that is made afterwards holds nothing of them");

    // Eight days later.
    let old = host.path("backups/doorward-20200101T000000Z");
    std::fs::rename(&before, &old).expect("renamed");
    let text = std::fs::read_to_string(old.join("manifest.json")).expect("readable");
    let mut manifest: Value = serde_json::from_str(&text).expect("JSON");
    manifest["made_at"] = json!("2020-01-01T00:00:00Z");
    std::fs::write(old.join("manifest.json"), manifest.to_string()).expect("writable");
    backup(&["backup", "--json"]);
    assert!(!holds(&host.path("backups"), "markerwords"), "the backup that held them has expired");
    let left = host.comments(&service, key).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), ["theirs"], "what others wrote is there");
}

/// A slip of the finger in the settings: found before anything is started anew, and the service goes on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slip_in_the_settings_is_found_while_the_service_goes_on() {
    let host = Host::with("[limits]\nenabled = false\n");
    let key = host.site("news");
    let mut service = host.start().await;
    host.write("[limits]\nenabled = false\n[signals.link_count]\nmax_host = 5\n");
    let told = host.refused(&["check-config"], 2);
    assert!(told.contains("config.toml:4:1") && told.contains("did you mean `max_hosts`?"), "{told}");
    let taken = host.client.post(service.at("/v1/comments")).bearer_auth(&key).json(&comment("c")).send().await;
    assert_eq!(taken.expect("the service answers").status(), StatusCode::CREATED);
    // Whoever starts it anew all the same is told the same, and nothing of it is half started.
    service.stop();
    let output = host.run(&["serve"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    std::fs::write(&host.config, "[limits]\nenabled = false\n[signals.link_count]\nmax_hosts = 5\n").expect("writable");
    host.done(&["check-config"]);
    let service = host.start().await;
    assert_eq!(host.comments(&service, &key).await.len(), 1);
}

/// Somebody's token got out: it ends, and the record says when it was made and by whom it was ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_got_out_ends_at_once_and_the_record_shows_it() {
    let host = Host::with("[limits]\nenabled = false\n");
    host.site("news");
    host.done(&["user", "create", "ann@example.org", "--role", "moderator"]);
    let token = host.json(&["token", "create", "ann@example.org", "--json"]);
    let token = token["token"].as_str().expect("a token");
    let service = host.start().await;
    let asks = async || {
        host.client.get(service.at("/v1/queue")).bearer_auth(token).send().await.expect("the service answers").status()
    };
    assert_eq!(asks().await, StatusCode::OK);
    let listed = host.json(&["token", "list", "ann@example.org", "--json"]);
    host.done(&["token", "revoke", "ann@example.org", listed["id"].as_str().expect("an id")]);
    while asks().await != StatusCode::UNAUTHORIZED {
        tokio::task::yield_now().await; // within seconds
    }
    let record = host.done(&["audit", "export"]);
    for action in ["token.create", "token.revoke"] {
        assert!(record.contains(action), "{record}");
    }
    host.done(&["audit", "verify"]);
}

/// What another system decided says nothing of these settings: it is known, and not judged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_that_were_brought_in_are_no_verdicts_of_this_service() {
    let old = Host::with("[limits]\nenabled = false\n");
    let key = old.site("news");
    let service = old.start().await;
    for number in 0..5 {
        let taken =
            old.client.post(service.at("/v1/comments")).bearer_auth(&key).json(&comment(&format!("c-{number}")));
        assert_eq!(taken.send().await.expect("the service answers").status(), StatusCode::CREATED);
    }
    drop(service);
    let out = old.path("news.ndjson");
    let out = out.to_str().expect("a path");
    old.done(&["export", "--site", "news", "--out", out]);

    let new = Host::with("[limits]\nenabled = false\n");
    let key = new.site("news");
    new.done(&["import", "ndjson", out, "--site", "news"]);
    let service = new.start().await;
    let taken = new.client.post(service.at("/v1/comments")).bearer_auth(&key).json(&comment("own")).send().await;
    assert_eq!(taken.expect("the service answers").status(), StatusCode::CREATED);
    let candidate = new.config.to_str().expect("a path");
    let report =
        tokio::task::block_in_place(|| new.json(&["backtest", "--candidate", candidate, "--since", "1d", "--json"]));
    assert_eq!((&report["judged"], &report["recalled"]), (&json!(1), &json!(5)), "{report}");
}

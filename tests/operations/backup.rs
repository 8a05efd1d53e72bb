//! Backups that are made while comments come in, and hosts that go on from them.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::Client;
use serde_json::{Value, json};

use super::world::{Host, comment};

const SETTINGS: &str = "[limits]\nenabled = false\n[database]\nurl = \"sqlite:kept/doorward.db\"\n[secrets]\nkey_file = \"kept/doorward.key\"\n\
    [lists]\nscam_words = { file = \"lists/scam-words.txt\", kind = \"words\" }\n";

const SCAM_WORDS: &str = "forex signals\n";

/// A host with a site, and its key.
fn host() -> (Host, String) {
    let host = Host::with(SETTINGS);
    std::fs::create_dir(host.path("kept")).expect("a folder");
    std::fs::create_dir(host.path("lists")).expect("a folder");
    std::fs::write(host.path("lists/scam-words.txt"), SCAM_WORDS).expect("a list");
    let key = host.site("news");
    (host, key)
}

/// A host to which a backup is brought: its folders are there, and nothing else.
fn empty_host() -> Host {
    let host = Host::bare();
    std::fs::create_dir(host.path("kept")).expect("a folder");
    host
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

/// Posts one comment after the other until it is told to stop; what was answered is noted.
async fn post(
    client: Client,
    at: String,
    key: String,
    who: usize,
    stop: Arc<AtomicBool>,
    answered: Arc<Mutex<BTreeSet<String>>>,
) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("c-{who}-{number}");
        let answer = client.post(&at).bearer_auth(&key).json(&comment(&id)).send().await.expect("the service answers");
        assert!(answer.status().is_success(), "{}", answer.status());
        answered.lock().expect("nobody panicked").insert(id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_left_for_another_by_a_backup_that_was_made_while_comments_came_in() {
    let (old, key) = host();
    let service = old.start().await;
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let posting: Vec<_> = (0..4)
        .map(|who| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(post(old.client.clone(), service.at("/v1/comments"), key.clone(), who, stop, answered))
        })
        .collect();
    let count = || answered.lock().expect("nobody panicked").len();
    while count() < 200 {
        tokio::task::yield_now().await;
    }
    // Small as it is, a backup may be done before the next comment is: then another one is made.
    let mut made = None;
    for attempt in 0..100 {
        let backup = old.path(&format!("backup-{attempt}"));
        let before = answered.lock().expect("nobody panicked").clone();
        let report = tokio::task::block_in_place(|| old.json(&["backup", text(&backup), "--json"]));
        if count() > before.len() {
            made = Some((backup, before, report));
            break;
        }
    }
    let (backup, before, made) = made.expect("comments came in while one of a hundred backups was made");
    stop.store(true, Ordering::Relaxed);
    for posting in posting {
        posting.await.expect("every comment was taken while the backup was made");
    }
    let after = answered.lock().expect("nobody panicked").clone();
    drop(service); // the old host is gone

    let new = empty_host();
    let told = new.done(&["restore", text(&backup)]);
    assert!(told.contains("once more"), "whom to erase again is said: {told}");
    assert_eq!(std::fs::read_to_string(&new.config).expect("settings came along"), SETTINGS);
    assert_eq!(std::fs::read_to_string(new.path("lists/scam-words.txt")).expect("lists came along"), SCAM_WORDS);
    let service = new.start().await;
    let stored = new.comments(&service, &key).await;
    let stored: BTreeSet<String> = stored.into_keys().collect();
    let lost: Vec<_> = before.difference(&stored).collect();
    assert!(lost.is_empty(), "answered before the backup, and not in it: {lost:?}");
    assert!(stored.is_subset(&after), "nothing was invented");
    assert_eq!(made["comments"], stored.len());
    // A comment that is in it is known again; one that is not is taken.
    for (id, status) in [(before.first().expect("some").as_str(), 200), ("new", 201)] {
        let answer = new.client.post(service.at("/v1/comments")).bearer_auth(&key).json(&comment(id)).send().await;
        assert_eq!(answer.expect("the service answers").status(), status, "{id}");
    }
    let head = made["audit_head"].as_str().expect("the backup names the head of the record");
    new.done(&["audit", "verify", "--head", head]);
    // The key came along: secrets can be sealed anew, which opens them first.
    new.done(&["secrets", "rotate"]);
}

#[test]
fn a_backup_is_for_its_owner_alone_and_replaces_nothing() {
    let (host, _) = host();
    let backup = host.path("backup");
    let told = host.done(&["backup", text(&backup)]);
    assert!(told.contains("doorward.key") && told.contains("only you can read it"), "{told}");
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&backup), 0o700);
    for name in ["doorward.db", "doorward.key", "config.toml"] {
        assert_eq!(mode(&backup.join(name)), 0o600, "{name}");
    }
    assert!(!backup.join("doorward.db-wal").exists());
    let before = std::fs::read(backup.join("manifest.json")).expect("a manifest");
    assert!(host.refused(&["backup", text(&backup)], 2).contains("is there already"));
    assert_eq!(std::fs::read(backup.join("manifest.json")).expect("a manifest"), before);
    assert!(host.refused(&["backup", text(&host.path("nowhere/x"))], 2).contains("does not exist"));
    assert!(host.refused(&["backup"], 2).contains("backup.folder"));
    host.done(&["restore", "--check", text(&backup)]);
    let unfinished = std::fs::read_dir(host.folder.path()).expect("readable");
    let hidden =
        unfinished.filter(|entry| entry.as_ref().is_ok_and(|e| e.file_name().to_string_lossy().starts_with('.')));
    assert_eq!(hidden.count(), 0);
}

#[test]
fn without_its_key_a_backup_says_so_and_a_restore_asks_for_it() {
    let (host, _) = host();
    let backup = host.path("backup");
    let told = host.done(&["backup", "--without-key", text(&backup)]);
    assert!(told.contains("does not hold the key") && !backup.join("doorward.key").exists(), "{told}");
    let new = empty_host();
    let told = new.done(&["restore", text(&backup)]);
    assert!(told.contains("Put the key of secrets at"), "{told}");
    // Another key than the one that it was sealed with is found before anything is changed.
    let other = empty_host();
    std::fs::write(&other.config, SETTINGS).expect("writable");
    other.site("blog");
    std::fs::remove_file(other.path("kept/doorward.db")).expect("removed");
    let told = other.refused(&["restore", "--force", text(&backup)], 1);
    assert!(told.contains("does not open the secrets of site `news`"), "{told}");
    assert!(!other.path("kept/doorward.db").exists());
}

#[test]
fn a_backup_that_is_not_whole_is_refused_and_changes_nothing() {
    let (host, _) = host();
    let whole = host.path("whole");
    host.done(&["backup", text(&whole)]);
    let copied = |name: &str| {
        let to = host.path(name);
        std::fs::create_dir(&to).expect("a folder");
        for entry in std::fs::read_dir(&whole).expect("readable") {
            let entry = entry.expect("readable");
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
        to
    };
    let bytes = std::fs::read(whole.join("doorward.db")).expect("readable");
    let (flipped, cut, missing, bare) = (copied("flipped"), copied("cut"), copied("missing"), copied("bare"));
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(flipped.join("doorward.db"), damaged).expect("writable");
    std::fs::write(cut.join("doorward.db"), &bytes[..bytes.len() - 1]).expect("writable");
    std::fs::remove_file(missing.join("doorward.key")).expect("removed");
    std::fs::remove_file(bare.join("manifest.json")).expect("removed");
    let cases = [
        (flipped, "is not what was backed up"),
        (cut, "is not what was backed up"),
        (missing, "cannot be read"),
        (bare, "is no backup"),
    ];
    let new = empty_host();
    for (backup, expected) in &cases {
        for arguments in [vec!["restore", text(backup)], vec!["restore", "--check", text(backup)]] {
            let told = new.refused(&arguments, 1);
            assert!(told.contains(expected), "{told}");
        }
    }
    // Damaged before it was backed up, or made by a later version: the checksums are right, and what is in it is not.
    let tamper = |name: &str, statement: &str| {
        let backup = copied(name);
        let database = backup.join("doorward.db");
        let connection = rusqlite::Connection::open(&database).expect("a database");
        connection.execute_batch(statement).expect("changed");
        connection.close().expect("closed");
        let sum = std::process::Command::new("sha256sum").arg(&database).output().expect("sha256sum runs");
        let sum = String::from_utf8_lossy(&sum.stdout).split(' ').next().unwrap_or_default().to_owned();
        let mut manifest: Value =
            serde_json::from_slice(&std::fs::read(backup.join("manifest.json")).expect("readable")).expect("JSON");
        for kept in manifest["files"].as_array_mut().expect("files") {
            if kept["name"] == "doorward.db" {
                kept["sha256"] = json!(sum);
                kept["bytes"] = json!(std::fs::metadata(&database).expect("there").len());
            }
        }
        std::fs::write(backup.join("manifest.json"), manifest.to_string()).expect("writable");
        backup
    };
    let later = "INSERT INTO refinery_schema_history SELECT 999, name, applied_on, checksum FROM refinery_schema_history LIMIT 1";
    let dangling = "PRAGMA foreign_keys = OFF; INSERT INTO site_key (hash, site, scopes, created_at) VALUES (zeroblob(32), 99, 'post', 0)";
    for (name, statement, expected) in [
        ("later", later, "this build knows"),
        ("dangling", dangling, "is damaged: a row of site_key belongs to one of site"),
    ] {
        let told = new.refused(&["restore", text(&tamper(name, statement))], 1);
        assert!(told.contains(expected), "{told}");
    }
    assert!(!new.config.exists(), "nothing was put in place");
    let left: Vec<_> =
        std::fs::read_dir(new.path("kept")).expect("readable").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["doorward.db.lock"], "nothing was put in place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_does_not_touch_what_is_served_and_keeps_what_it_replaces() {
    let (host, key) = host();
    let backup = host.path("backup");
    host.done(&["backup", text(&backup)]);
    let mut service = host.start().await;
    let taken = host.client.post(service.at("/v1/comments")).bearer_auth(&key).json(&comment("late")).send().await;
    assert_eq!(taken.expect("the service answers").status(), 201);
    let told = host.refused(&["restore", "--force", text(&backup)], 1);
    assert!(told.contains("stop the service first"), "{told}");
    service.stop(); // killed: what was written last is in the log beside the file
    let told = host.refused(&["restore", text(&backup)], 2);
    assert!(told.contains("there already") && told.contains("--force"), "{told}");
    let restored = host.json(&["restore", "--force", "--json", text(&backup)]);
    let service = host.start().await;
    assert!(host.comments(&service, &key).await.is_empty(), "the backup is from before the comment");
    drop(service);
    // What was there before is whole, log and all.
    let aside = restored["moved_aside"].as_array().expect("a list");
    let aside = aside.iter().filter_map(Value::as_str).find(|path| !path.ends_with("-wal") && !path.ends_with("-shm"));
    let before = rusqlite::Connection::open(aside.expect("the database before")).expect("a database");
    let comments: u32 = before.query_row("SELECT count(*) FROM comment", [], |row| row.get(0)).expect("readable");
    assert_eq!(comments, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restore_moved_aside_is_named_by_the_doctor_and_goes_in_its_time() {
    let (host, key) = host();
    let backup = host.path("backup");
    host.done(&["backup", text(&backup)]);
    let mut service = host.start().await;
    let taken = host.client.post(service.at("/v1/comments")).bearer_auth(&key).json(&comment("late")).send().await;
    assert_eq!(taken.expect("the service answers").status(), 201);
    service.stop();
    let told = host.done(&["restore", "--force", text(&backup)]);
    assert!(told.contains("backup.keep_replaced_days"), "{told}");
    let replaced = || {
        let output = host.run(&["doctor", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let findings = report["findings"].as_array().expect("a list").clone();
        findings.into_iter().filter(|finding| finding["check"] == "replaced").collect::<Vec<_>>()
    };
    let found = replaced();
    assert_eq!(found.len(), 1, "the database, and not its log: {found:?}");
    let said = |part: &str| found[0][part].as_str().expect("text").to_owned();
    assert_eq!(said("level"), "warning");
    assert!(said("found").contains("doorward.db.before-") && said("found").contains(" holds 1 comments"), "{found:?}");
    assert!(said("todo").contains("`rm ") && said("todo").contains("the service does at 20"), "{found:?}");
    // A day later nothing has happened; after two weeks the service removes it, log and all.
    let aside = || {
        let entries = std::fs::read_dir(host.path("kept")).expect("readable").flatten();
        let names = entries.map(|entry| entry.file_name().into_string().expect("a name"));
        names.filter(|name| name.contains(".before-")).collect::<Vec<_>>()
    };
    let names = aside();
    assert!(names.iter().any(|name| name.ends_with("-wal")), "{names:?}");
    for name in &names {
        let stamp = name.split_once(".before-").expect("a moment").1.split('-').next().expect("a moment").to_owned();
        let to = host.path("kept").join(name.replace(&stamp, "20260101T000000Z"));
        std::fs::rename(host.path("kept").join(name), to).expect("renamed");
    }
    assert!(replaced()[0]["todo"].as_str().expect("text").contains("a running service does"), "{:?}", replaced());
    std::fs::write(host.path("kept/doorward.db.before-mine"), "of somebody else").expect("writable");
    let _service = host.start().await;
    let gone = async {
        while aside() != ["doorward.db.before-mine"] {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await; // between two looks at the condition
        }
    };
    assert!(tokio::time::timeout(std::time::Duration::from_mins(1), gone).await.is_ok(), "{:?}", aside());
    assert_eq!(tokio::task::block_in_place(replaced), Vec::<Value>::new());
}

#[test]
fn a_restore_in_json_says_which_lists_of_the_erased_it_read_and_which_it_could_not() {
    let host = Host::with(&format!("{SETTINGS}[backup]\nfolder = \"backups\"\n"));
    std::fs::create_dir(host.path("kept")).expect("a folder");
    std::fs::create_dir(host.path("backups")).expect("a folder");
    host.site("news");
    let damaged = host.json(&["backup", "--json"])["backup"].as_str().expect("a path").to_owned();
    // Its manifest says what it is, and its database is none.
    std::fs::write(Path::new(&damaged).join("doorward.db"), "lost").expect("writable");
    let elsewhere = host.path("elsewhere");
    host.done(&["backup", text(&elsewhere)]);
    let list = host.path("list.ndjson");
    let entry = json!({"kind": "comment", "site": "news", "hash": "00ff", "at": "2026-11-24T10:00:00Z"});
    std::fs::write(&list, format!("{entry}\n")).expect("writable");
    let restored = host.json(&["restore", "--force", "--json", "--erasures", text(&list), text(&elsewhere)]);
    assert_eq!(restored["erasures_from"], json!([text(&list)]));
    let unread = restored["erasures_unread"].as_array().expect("a list");
    assert!(unread.len() == 1 && unread[0].as_str().expect("text").contains(&damaged), "{unread:?}");
    assert_eq!(restored["erased_again"]["unknown"], 1);
    let checked = host.json(&["restore", "--check", "--json", text(&elsewhere)]);
    assert_eq!((&checked["erasures_from"], &checked["erasures_unread"]), (&json!([]), &json!([])));
}

#[test]
fn backups_in_their_folder_grow_old_and_the_latest_stays() {
    let host = Host::with(&format!("{SETTINGS}[backup]\nfolder = \"backups\"\nkeep_days = 14\n"));
    std::fs::create_dir(host.path("kept")).expect("a folder");
    std::fs::create_dir(host.path("backups")).expect("a folder");
    host.site("news");
    let first = host.json(&["backup", "--json"]);
    let first = Path::new(first["backup"].as_str().expect("a path")).to_owned();
    // As if it had been made years ago, and another folder that is none of ours.
    let old = host.path("backups/doorward-20200101T000000Z");
    std::fs::rename(&first, &old).expect("renamed");
    let manifest = std::fs::read_to_string(old.join("manifest.json")).expect("readable");
    let mut manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    manifest["made_at"] = json!("2020-01-01T00:00:00Z");
    std::fs::write(old.join("manifest.json"), manifest.to_string()).expect("writable");
    std::fs::create_dir(host.path("backups/doorward-mine")).expect("a folder");
    let second = host.json(&["backup", "--json"]);
    assert_eq!(second["removed"], json!([text(&old)]));
    assert!(!old.exists() && host.path("backups/doorward-mine").exists());
    assert!(Path::new(second["backup"].as_str().expect("a path")).join("manifest.json").exists());
}

#[test]
fn what_a_killed_backup_left_goes_with_the_next_and_one_that_is_made_stays() {
    let host = Host::with(&format!("{SETTINGS}[backup]\nfolder = \"backups\"\n"));
    std::fs::create_dir(host.path("kept")).expect("a folder");
    std::fs::create_dir(host.path("backups")).expect("a folder");
    host.site("news");
    let (killed, made) = (host.path("backups/.doorward-1.unfinished"), host.path("backups/.doorward-2.unfinished"));
    for folder in [&killed, &made] {
        std::fs::create_dir(folder).expect("a folder");
        std::fs::write(folder.join("doorward.key"), "a copy").expect("writable");
    }
    let held = std::fs::File::open(&made).expect("readable");
    held.lock().expect("nobody else has it");
    host.done(&["backup"]);
    assert!(!killed.exists() && made.join("doorward.key").exists());
}

#[test]
fn what_is_in_its_place_already_is_not_written_again_and_lists_are_for_whoever_reads_them() {
    let (host, _) = host();
    let backup = host.path("backup");
    host.done(&["backup", text(&backup)]);
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).expect("it is there"));
    let list = host.path("lists/scam-words.txt");
    let before = inode(&list);
    let told = host.done(&["restore", "--force", text(&backup)]);
    assert!(!told.contains("scam-words.txt"), "{told}");
    assert_eq!(inode(&list), before);
    let new = empty_host();
    new.done(&["restore", text(&backup)]);
    let mode = std::fs::metadata(new.path("lists/scam-words.txt")).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o644);
}

#[test]
fn for_postgresql_the_way_is_named_and_nothing_is_made() {
    let host = Host::with("[database]\nurl = \"postgres://ann:hunter2@127.0.0.1:1/doorward\"\n");
    let backup = host.path("backup");
    let told = host.refused(&["backup", text(&backup)], 2);
    assert!(told.contains("pg_dump") && !told.contains("hunter2"), "{told}");
    assert!(!backup.exists());
}

//! An author who was erased stays erased, whatever is restored.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::late_node::BEGINS_TO_SERVE;
use super::world::{Host, Postgres, Service, comment, doorward, said};

const SETTINGS: &str =
    "[limits]\nenabled = false\n[log]\nlevel = \"trace\"\n[backup]\nfolder = \"backups\"\n[sampling]\nrate = 0.0\n";

/// Every place where something of a person can stand, with a word that stands nowhere else; and their address.
const MARKERS: [&str; 17] = [
    "markerimported",
    "markeraccount",
    "markername",
    "markermail",
    "markerhomepage",
    "markerbrowser",
    "markerreferrer",
    "markerfirstbody",
    "markerbody",
    "markerheld",
    "markerreason",
    "markerdecisionnote",
    "markerappeal",
    "markerreportmade",
    "markerreportgot",
    "markerauthornote",
    "markersanction",
];

/// What is found of the author in the files of a folder, and of those in it but for `but`.
fn left(folder: &Path, but: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if but.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            found.extend(left(&path, but));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        let search = aho_corasick::AhoCorasick::builder().ascii_case_insensitive(true).build(MARKERS).expect("words");
        found.extend(search.find_iter(&bytes).map(|at| format!("{} in {name}", MARKERS[at.pattern().as_usize()])));
        if aho_corasick::AhoCorasick::new(["203.0.113.77"]).expect("a word").is_match(&bytes) {
            found.insert(format!("the address in {name}"));
        }
    }
    found
}

struct World {
    host: Host,
    key: String,
    token: String,
}

impl World {
    /// A host with a site that brought comments in from elsewhere.
    fn new() -> Self {
        let host = Host::with(SETTINGS);
        for folder in ["backups", "scratch"] {
            std::fs::create_dir(host.path(folder)).expect("a folder");
        }
        host.site("news");
        let key = host.json(&["site", "key", "news", "--scopes", "post,read,erase", "--json"]);
        let key = key["key"].as_str().expect("a key").to_owned();
        host.done(&["user", "create", "admin@example.org", "--role", "admin"]);
        let token = host.json(&["token", "create", "admin@example.org", "--json"]);
        let token = token["token"].as_str().expect("a token").to_owned();
        let mut old = comment("imported");
        old["author"] = json!({"id": "markeraccount", "name": "markername"});
        old["body"] = json!("markerimported: the old bridge was better than what they built there.");
        let line = json!({"comment": old, "status": "approved", "decided_by": "policy", "received_at": "2026-01-05T10:00:00Z"});
        std::fs::write(host.path("past.ndjson"), format!("{{\"doorward_export\":1}}\n{line}\n")).expect("writable");
        host.done(&["import", "ndjson", text(&host.path("past.ndjson")), "--site", "news"]);
        std::fs::remove_file(host.path("past.ndjson")).expect("it was there");
        Self { host, key, token }
    }

    async fn ask(&self, service: &Service, method: Method, path: &str, bearer: &str, body: &Value) -> Value {
        let request = self.host.client.request(method, service.at(path)).bearer_auth(bearer).json(body);
        let answer = request.send().await.expect("the service answers");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    async fn plant(&self, service: &Service) {
        let site = async |method, path: &str, body: &Value| self.ask(service, method, path, &self.key, body).await;
        let person = async |method, path: &str, body: &Value| self.ask(service, method, path, &self.token, body).await;
        let mut other = comment("theirs");
        other["author"] = json!({"id": "u-other", "name": "Ben"});
        site(Method::POST, "/v1/comments", &other).await;
        let by = |id: &str, body: &str| {
            json!({"id": id, "article": {"id": "a-1"}, "referrer": "https://elsewhere.example/markerreferrer",
                "author": {"id": "markeraccount", "name": "markername", "email": "markermail@mail.example",
                    "url": "https://markerhomepage.example/", "ip": "203.0.113.77", "user_agent": "markerbrowser/1"}, "body": body})
        };
        site(Method::POST, "/v1/comments", &by("mine", "markerfirstbody was here")).await;
        let edited = site(Method::PUT, "/v1/comments/mine", &by("mine", "markerbody is here now, and stays")).await;
        site(Method::POST, "/v1/comments", &by("held", "buy viagra markerheld")).await;
        let decision = json!({"items": [{"uid": edited["uid"], "seen_version": edited["version"]}], "action": "reject",
            "category": "abuse", "reason": "markerreason from 203.0.113.77", "note": "markerdecisionnote"});
        person(Method::POST, "/v1/decisions", &decision).await;
        site(Method::POST, "/v1/comments/mine/appeals", &json!({"text": "markerappeal"})).await;
        let report = |reader: &str, text: &str| json!({"reader_id": reader, "category": "abuse", "text": text});
        site(Method::POST, "/v1/comments/theirs/reports", &report("markeraccount", "markerreportmade")).await;
        site(Method::POST, "/v1/comments/held/reports", &report("u-other", "markerreportgot")).await;
        let note = json!({"text": "markerauthornote"});
        person(Method::POST, "/v1/authors/markeraccount/notes?site=news", &note).await;
        let sanction = json!({"site": "news", "measure": "premoderate", "cause": "markersanction",
            "target": {"kind": "author", "value": "markeraccount"}});
        person(Method::POST, "/v1/sanctions", &sanction).await;
    }

    /// A backtest writes everything that was recorded into a database of its own.
    fn backtest(&self) {
        std::fs::write(self.host.path("new.toml"), format!("{SETTINGS}[policy.spam]\nhold = 0.4\n")).expect("writable");
        let candidate = self.host.path("new.toml");
        let mut command =
            doorward(&self.host.config, &["backtest", "--candidate", text(&candidate), "--since", "300d"]);
        let output = command.env("TMPDIR", self.host.path("scratch")).output().expect("the binary runs");
        assert!(output.status.success(), "{}", said(&output));
    }

    /// Waits until nothing of the author is left in any file but the backups'.
    async fn until_clean(&self) {
        let clean = async {
            while !left(self.host.folder.path(), &["backups"]).is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await; // between two looks at the condition
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_mins(1), clean).await;
        assert!(waited.is_ok(), "{:?}", left(self.host.folder.path(), &["backups"]));
    }

    async fn comments_of_author(&self, service: &Service) -> usize {
        let request = self.host.client.get(service.at("/v1/authors/markeraccount/export")).bearer_auth(&self.key);
        let export: Value = request.send().await.expect("the service answers").json().await.expect("JSON");
        export["items"].as_array().expect("items").len()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_erased_stays_erased_when_a_backup_from_before_is_restored() {
    let world = World::new();
    let host = &world.host;
    let mut service = host.start().await;
    world.plant(&service).await;
    let run = |arguments: &[&str]| tokio::task::block_in_place(|| host.json(arguments));
    let backup = run(&["backup", "--json"])["backup"].as_str().expect("a path").to_owned();
    let planted = left(Path::new(&backup), &[]);
    for marker in MARKERS.into_iter().chain(["the address"]) {
        assert!(planted.iter().any(|found| found.starts_with(marker)), "{marker} is not in the backup: {planted:?}");
    }
    tokio::task::block_in_place(|| world.backtest());

    let request = host.client.delete(service.at("/v1/authors/markeraccount")).bearer_auth(&world.key).send().await;
    let erased: Value = request.expect("the service answers").json().await.expect("JSON");
    assert_eq!(erased["comments"], 3, "two that were sent, and one that was brought in");
    world.until_clean().await;
    let audit = tokio::task::block_in_place(|| host.done(&["audit", "export"]));
    assert!(!audit.contains("marker") && audit.contains("author.erase"), "{audit}");
    // What a backup from then on has, and the list that is written elsewhere, name nobody.
    let list = tokio::task::block_in_place(|| host.done(&["erasures", "export"]));
    assert_eq!(list.lines().count(), 5, "three comments, a reader, whom a sanction aimed at: {list}");
    assert!(!list.contains("marker") && !list.contains("mine"), "{list}");
    service.stop();

    // The database is put back to what it was before: whoever was in it is not served again for a moment.
    let refused = host.refused(&["restore", &backup], 2);
    assert!(refused.contains("there already"), "{refused}");
    let told = host.done(&["restore", "--force", &backup]);
    assert!(told.contains("erased again: 3 comments, 3 reports, votes, notes and sanctions"), "{told}");
    assert!(!told.contains("once more"), "nobody is left to be erased by hand: {told}");
    assert_eq!(left(host.folder.path(), &["backups"]), BTreeSet::new(), "before it is started, too");
    assert!(!host.path("doorward.db.restoring.lock").exists() && !host.path("doorward.db.restoring").exists());
    host.done(&["audit", "verify"]);
    let service = host.start().await;
    assert_eq!(world.comments_of_author(&service).await, 0);
    let others = host.comments(&service, &world.key).await;
    assert_eq!(others.keys().collect::<Vec<_>>(), ["theirs"]);
    drop(service);

    // The disk is lost, and with it the list. Without one that lies elsewhere the author is back, and that is said.
    let list_path = host.path("erasures.ndjson");
    std::fs::write(&list_path, &list).expect("writable");
    let new = Host::bare();
    let told = new.done(&["restore", &backup]);
    assert!(told.contains("have them erase those people once more"), "{told}");
    assert!(!left(new.folder.path(), &[]).is_empty());
    let told = new.done(&["erasures", "apply", text(&list_path)]);
    assert!(told.contains("5 entries were not known here; erased again: 3 comments"), "{told}");
    assert_eq!(left(new.folder.path(), &[]), BTreeSet::new());
    let again = new.json(&["erasures", "apply", text(&list_path), "--json"]);
    assert_eq!(again, json!({"unknown": 0, "comments": 0, "others": 0}), "again is harmless");

    // With the list at hand, in one step.
    let new = Host::bare();
    let told = new.done(&["restore", "--erasures", text(&list_path), &backup]);
    assert!(told.contains("erased again: 3 comments") && told.contains("after that list was written"), "{told}");
    assert_eq!(left(new.folder.path(), &[]), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_the_erased_that_is_none_is_refused_with_its_line_and_nothing_changes() {
    let host = Host::with(SETTINGS);
    std::fs::create_dir(host.path("backups")).expect("a folder");
    let key = host.site("news");
    let service = host.start().await;
    let taken = host.client.post(service.at("/v1/comments")).bearer_auth(&key).json(&comment("c-1")).send().await;
    assert_eq!(taken.expect("the service answers").status(), StatusCode::CREATED);
    let list = host.path("list");
    std::fs::write(
        &list,
        "{\"kind\":\"comment\",\"site\":\"news\",\"hash\":\"00ff\",\"at\":\"2026-11-24T10:00:00Z\"}\n{}\n",
    )
    .expect("writable");
    tokio::task::block_in_place(|| {
        let told = host.refused(&["erasures", "apply", text(&list)], 2);
        assert!(told.contains("line 2"), "{told}");
        std::fs::write(&list, "").expect("writable");
        let told = host.refused(&["erasures", "apply", text(&list)], 1);
        assert!(told.contains("stop the service first"), "{told}");
    });
    assert_eq!(host.comments(&service, &key).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_erases_again_is_told_that_a_node_began_to_serve_meanwhile() {
    let Some(postgres) = Postgres::start() else { return };
    let host = Host::with(&format!("[database]\nurl = \"{}\"\n", postgres.url));
    tokio::task::block_in_place(|| host.site("news"));
    let (client, connection) = tokio_postgres::connect(&postgres.url, tokio_postgres::NoTls).await.expect("it listens");
    let driven = tokio::spawn(connection);
    client.batch_execute(BEGINS_TO_SERVE).await.expect("a trigger");
    let (list, reader) = (host.path("list"), "00112233445566778899aabbccddeeff");
    let entry = json!({"kind": "reader", "site": "news", "hash": reader, "at": "2026-11-24T10:00:00Z"});
    std::fs::write(&list, format!("{entry}\n")).expect("writable");
    tokio::task::block_in_place(|| {
        let output = host.run(&["erasures", "apply", text(&list), "--json"]);
        let told: Value = serde_json::from_slice(&output.stdout).expect("how far it came, in JSON");
        assert_eq!(told, json!({"unknown": 1, "comments": 0, "others": 0, "served_by": "late"}));
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("the node late began to serve the database meanwhile"), "{}", said(&output));
        let told = host.refused(&["erasures", "apply", text(&list)], 1);
        assert!(told.contains("the node late serves the database"), "{told}");
    });
    client.batch_execute("DELETE FROM node").await.expect("it stops");
    let told = tokio::task::block_in_place(|| host.done(&["erasures", "apply", text(&list)]));
    assert!(told.contains("0 entries were not known here"), "{told}");
    drop(client);
    driven.await.expect("no panic").expect("no error");
}

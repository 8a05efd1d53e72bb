//! Backtests that people start in a running service: what they find, who may look, and that one which goes wrong takes nothing down.

use std::time::Duration;

use doorward::domain::people::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read, write_program};

const STRICT: &str = "[policy.spam]\nhold = 0.01\n";

/// A service whose settings stand in a file, with an operator and comments that people decided about.
struct Desk {
    app: TestApp,
    operator: String,
}

impl Desk {
    async fn spawn(settings: &str) -> Self {
        let app = TestApp::spawn_following(settings).await;
        let operator = app.person("ops@example.org", Role::Operator).await;
        app.until_kept(1).await;
        Self { app, operator }
    }

    /// Some talk, and some that is held; people reject a part of it.
    async fn fill(&self) {
        for n in 0..8 {
            self.app.comment(&ordinary(&format!("o-{n}"))).await;
            self.app.clock.advance_ms(60_000);
        }
        for n in 0..4 {
            let made = self.app.comment(&doubtful(&format!("d-{n}"))).await;
            self.app.clock.advance_ms(60_000);
            let action = if n < 3 { "reject" } else { "approve" };
            let ask = json!({"items": [{"uid": made["uid"], "seen_version": made["version"]}], "action": action, "category": "spam"});
            self.app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
            self.app.clock.advance_ms(60_000);
        }
    }

    async fn start(&self, body: &Value, status: u16) -> Value {
        let answer = self.app.request(Method::POST, "/v1/backtests", &self.operator).json(body).send().await.unwrap();
        read(answer, &[status]).await
    }

    async fn get(&self, path: &str, bearer: &str) -> String {
        let answer = self.app.request(Method::GET, path, bearer).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    async fn now(&self, run: &Value) -> Value {
        serde_json::from_str(&self.get(&path(run), &self.operator).await).unwrap()
    }

    /// As it is once that is so of it.
    async fn until(&self, run: &Value, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let waited = async {
            loop {
                let now = self.now(run).await;
                if is_so(&now) {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(10)).await; // between two looks at the condition
            }
        };
        // At the lowest priority there is, it may have to wait for everything else on the machine.
        tokio::time::timeout(Duration::from_mins(15), waited).await.unwrap_or_else(|_| panic!("never: {what}"))
    }

    async fn until_over(&self, run: &Value) -> Value {
        self.until(run, "it is over", |now| now["state"] != "running").await
    }

    /// What is started from now on is this script.
    fn pretend(&self, script: &str) {
        let path = self.app.folder().join(format!("pretend-{}", script.len()));
        write_program(&path, &format!("#!/bin/sh\n{script}\n"));
        self.app.trials.use_program(path);
    }
}

fn path(run: &Value) -> String {
    format!("/v1/backtests/{}", run["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_what_other_settings_would_have_done_and_hands_on_the_link() {
    let desk =
        Desk::spawn("# ours\n[server]\npublic_url = \"https://mod.example/\"\n[metrics]\ntoken = \"hush-hush-hush\"\n")
            .await;
    desk.fill().await;
    let begin: Value = desk.start(&json!({"candidate": format!("# ours\n[metrics]\ntoken = \"[redacted]\"\n{STRICT}"), "since": "1d", "site": "news"}), 202).await;
    assert_eq!(
        (&begin["state"], &begin["by"], &begin["site"]),
        (&json!("running"), &json!("ops@example.org"), &json!("news"))
    );
    let over = desk.until_over(&begin).await;
    assert_eq!(over["state"], "done", "{over}");
    let report = &over["report"];
    assert_eq!((&report["judged"], &report["decided"]), (&json!(12), &json!(4)), "{report}");
    assert_eq!(report["before"]["recall"]["n"], 3, "{report}");
    let flips = report["flips"]["listed"].as_array().unwrap();
    assert!(report["flips"]["kinds"]["approve to hold"].as_u64().unwrap() > 3 && !flips.is_empty(), "{report}");
    let link = flips[0]["link"].as_str().unwrap();
    assert_eq!(link, format!("https://mod.example/comments/{}", flips[0]["uid"].as_str().unwrap()));
    assert_eq!(over["link"], format!("https://mod.example/backtests/{}", begin["id"].as_str().unwrap()));

    // Whoever oversees everything sees it, too, with what comments say; moderators do not.
    let auditor = desk.app.person("audit@example.org", Role::Auditor).await;
    let page = desk.get(&format!("/backtests/{}?kind=approve-hold", begin["id"].as_str().unwrap()), &auditor).await;
    let shown = format!("href=\"/comments/{}\"", flips[0]["uid"].as_str().unwrap());
    assert!(page.contains(&shown), "{page}");
    assert!(!page.contains("data-end") && !page.contains("/backtests?run="), "an auditor changes nothing");
    let none = desk.get(&format!("/backtests/{}?kind=reject-approve", begin["id"].as_str().unwrap()), &auditor).await;
    assert!(!none.contains(&shown), "another direction");
    let answer = desk.app.request(Method::GET, &path(&begin), &desk.app.token).send().await.unwrap();
    assert_eq!(answer.status(), 403);

    // The diff is one for `patch`, and has no secret in it.
    let diff = desk.get(&format!("{}/diff", path(&begin)), &auditor).await;
    assert!(diff.starts_with("--- config.toml\n+++ config.toml\n") && diff.contains("+hold = 0.01\n"), "{diff}");
    assert!(diff.contains("-public_url = \"https://mod.example/\"\n") && !diff.contains("hush"), "{diff}");

    // It is on record, listed, forgotten when asked; and the service never knew of those comments.
    let audit = desk.app.audit().await;
    let line = audit.iter().find(|line| line.action == "backtest.start").expect("on record");
    assert!(line.subject == begin["id"] && line.detail.ends_with(" site=news"), "{line:?}");
    let metrics = desk.get("/metrics", "").await;
    assert!(!metrics.contains("doorward_comments_total{site=\"0.gone\""), "{metrics}");
    let listed: Value = serde_json::from_str(&desk.get("/v1/backtests", &auditor).await).unwrap();
    assert!(listed["items"][0]["id"] == begin["id"] && listed["items"][0]["report"].is_null(), "{listed}");
    let forget = desk.app.request(Method::DELETE, &path(&begin), &desk.operator).send().await.unwrap();
    assert_eq!(forget.status(), 204);
    let gone = desk.app.request(Method::GET, &path(&begin), &desk.operator).send().await.unwrap();
    assert_eq!(gone.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_in_force_flip_nothing_and_a_kept_version_can_be_tried() {
    let desk = Desk::spawn(STRICT).await;
    desk.fill().await;
    let strict = desk.app.until_kept(1).await[0].version.clone();
    let as_it_is = desk.start(&json!({}), 202).await;
    let found = desk.until_over(&as_it_is).await;
    assert_eq!((&found["state"], &found["report"]["flips"]["all"]["n"]), (&json!("done"), &json!(0)), "{found}");
    assert_eq!(desk.get(&format!("{}/diff", path(&as_it_is)), &desk.operator).await, "");
    desk.app.write_settings("[policy.spam]\nhold = 0.9\n");
    desk.app.until_kept(2).await;
    let before = desk.until_over(&desk.start(&json!({"version": strict}), 202).await).await;
    assert_eq!(before["report"]["flips"]["all"]["n"], 0, "that is what the comments were judged by: {before}");
    let now = desk.until_over(&desk.start(&json!({}), 202).await).await;
    assert!(now["report"]["flips"]["kinds"]["hold to approve"].as_u64().unwrap() > 5, "{now}");
    desk.start(&json!({"version": "0123456789abcdef"}), 404).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_is_read_as_the_hostile_text_that_it_may_be() {
    let desk = Desk::spawn("").await;
    let wrong = desk.start(&json!({"candidate": "# ä\n[policy.spam]\nhodl = 0.1\n"}), 422).await;
    assert_eq!((&wrong["line"], &wrong["column"]), (&json!(3), &json!(1)), "{wrong}");
    assert!(wrong["detail"].as_str().unwrap().contains("did you mean `hold`?"), "{wrong}");
    let unfit = desk.start(&json!({"candidate": "[policy.spam]\nhold = 0.995\n"}), 422).await;
    assert_eq!((&unfit["line"], &unfit["column"]), (&json!(2), &json!(8)), "{unfit}");
    let files = "[lists.a]\nfile = \"/etc/passwd\"\nkind = \"words\"\n";
    let refused = desk.start(&json!({"candidate": files}), 422).await;
    assert!(refused["detail"].as_str().unwrap().contains("send it along") && refused["line"] == 2, "{refused}");
    desk.start(&json!({"candidate": "#".repeat(600 << 10)}), 413).await;
    desk.start(&json!({"candidate": "", "files": {"a.txt": "x".repeat(3 << 20)}}), 413).await;
    let deep = format!("a = {}", "[".repeat(100_000));
    desk.start(&json!({"candidate": deep}), 422).await;
    desk.start(&json!({"since": "yesterday"}), 422).await;
    desk.start(&json!({"since": "1h", "until": "2h"}), 422).await;
    desk.start(&json!({"site": "nowhere"}), 404).await;
    let listed: Value = serde_json::from_str(&desk.get("/v1/backtests", &desk.operator).await).unwrap();
    assert_eq!(listed["items"], json!([]), "nothing was started");
    let with_list =
        json!({"candidate": "[lists.a]\nfile = \"a.txt\"\nkind = \"words\"\n", "files": {"a.txt": "lanes\n"}});
    let run = desk.start(&with_list, 202).await;
    assert_eq!(desk.until_over(&run).await["state"], "done");
    assert!(desk.get(&format!("{}/diff", path(&run)), &desk.operator).await.contains("+++ a.txt\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_runs_at_a_time_and_can_be_ended() {
    let desk = Desk::spawn("").await;
    desk.pretend("read -r order; echo '{\"progress\":{\"done\":3,\"total\":9}}'; while read -r more; do :; done");
    let run = desk.start(&json!({}), 202).await;
    let now = desk.until(&run, "it says how far it is", |now| now["done"] == 3).await;
    assert_eq!((&now["total"], &now["state"]), (&json!(9), &json!("running")));
    let busy = desk.start(&json!({}), 409).await;
    assert_eq!((&busy["running"], &busy["type"]), (&run["id"], &json!("/problems/backtest-running")));
    assert_eq!(desk.app.request(Method::DELETE, &path(&run), &desk.app.token).send().await.unwrap().status(), 403);
    assert_eq!(desk.app.request(Method::DELETE, &path(&run), &desk.operator).send().await.unwrap().status(), 204);
    let over = desk.now(&run).await;
    assert!(over["state"] == "stopped" && over["report"].is_null() && over["ended_at"].is_string(), "{over}");
    let next = desk.start(&json!({}), 202).await; // it goes on when the service stops, which does not wait for it
    assert_eq!(desk.now(&next).await["state"], "running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_is_told_of_and_the_service_goes_on() {
    let desk = Desk::spawn("").await;
    desk.pretend("read -r order; echo 'no more memory' >&2; kill -9 $$");
    let run = desk.start(&json!({}), 202).await;
    let over = desk.until_over(&run).await;
    let problem = over["problem"].as_str().unwrap();
    assert!(
        over["state"] == "failed" && problem.contains("backtest.memory_mb") && problem.contains("no more memory"),
        "{over}"
    );
    desk.pretend("read -r order; echo '{\"failed\":\"the database cannot be used\"}'; echo nonsense");
    let run = desk.start(&json!({}), 202).await;
    assert_eq!(desk.until_over(&run).await["problem"], "the database cannot be used");
    desk.app.trials.use_program(desk.app.folder().join("not-there"));
    let refused = desk.start(&json!({}), 503).await;
    assert!(refused["detail"].as_str().unwrap().contains("cannot be started"), "{refused}");
    assert_eq!(desk.app.comment(&ordinary("after")).await["status"], "approved");
    let (listed, page) =
        (desk.get("/v1/backtests", &desk.operator).await, desk.get("/backtests", &desk.operator).await);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert!(listed["items"].as_array().unwrap().len() == 2 && page.contains("the database cannot be used"), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_words_of_a_process_are_told_with_how_it_ended_and_without_secrets() {
    let desk = Desk::spawn("").await;
    let many = "i=0; while [ $i -lt 500 ]; do echo \"line $i\" >&2; i=$((i+1)); done";
    // It does not even read what it is to do: an order that is longer than a pipe holds cannot be told.
    desk.pretend(&format!("exec <&-; {many}; echo 'the last one' >&2; exit 7"));
    let candidate = format!("# {}\n[lists.a]\nfile = \"a.txt\"\nkind = \"words\"\n", "x".repeat(300 << 10));
    let words: String = (0..60_000).map(|n| format!("word{n}\n")).collect();
    let run = desk.start(&json!({"candidate": candidate, "files": {"a.txt": words}}), 202).await;
    let over = desk.until_over(&run).await;
    let problem = over["problem"].as_str().unwrap();
    assert!(over["state"] == "failed" && problem.contains("exit status: 7"), "{over}");
    assert!(problem.ends_with("the last one") && problem.contains("could not be told"), "{problem}");
    assert!(!problem.contains("line 0\n") && problem.len() < 3_000, "the last words, and not the first: {problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_has_said_everything_and_does_not_end_can_be_ended() {
    let desk = Desk::spawn("").await;
    desk.pretend(
        "read -r order; exec >&-; echo $$ > \"$0.pid\"; while read -r more; do :; done; while :; do sleep 1; done",
    );
    let run = desk.start(&json!({}), 202).await;
    let is_there = || {
        let entries = std::fs::read_dir(desk.app.folder()).unwrap();
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(".pid"))
    };
    desk.app.until("it is there", |_| is_there()).await;
    let ended = desk.app.request(Method::DELETE, &path(&run), &desk.operator).send();
    let ended =
        tokio::time::timeout(Duration::from_mins(1), ended).await.expect("whoever ends it does not wait for it");
    assert_eq!(ended.unwrap().status(), 204);
    assert_eq!(desk.now(&run).await["state"], "stopped");
    desk.start(&json!({}), 202).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_takes_too_long_is_timed_out_and_the_next_may_start() {
    let desk = Desk::spawn("[backtest]\ntime_s = 4\n").await; // long enough for a shell to start, and say something
    desk.pretend("read -r order; echo '{\"progress\":{\"done\":3,\"total\":9}}'; while read -r more; do :; done");
    let run = desk.start(&json!({}), 202).await;
    let over = desk.until_over(&run).await;
    assert_eq!((&over["state"], &over["done"]), (&json!("timed-out"), &json!(3)), "{over}");
    let problem = over["problem"].as_str().unwrap();
    assert!(problem.contains("backtest.time_s = 4") && problem.contains("3 of 9 comments"), "{problem}");
    assert!(desk.get("/backtests", &desk.operator).await.contains("out of time"));
    let next = desk.start(&json!({}), 202).await;
    assert_eq!(desk.until_over(&next).await["state"], "timed-out");
    let ends = async || desk.app.audit().await.iter().filter(|line| line.action == "backtest.end").count();
    while ends().await < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_on_the_disk_none_is_started_and_one_that_needs_too_much_is_ended() {
    let desk = Desk::spawn("[backtest]\nfree_mb = 4294967295\n").await;
    let refused = desk.start(&json!({}), 503).await;
    assert!(refused["detail"].as_str().unwrap().contains("backtest.free_mb = 4294967295"), "{refused}");
    let listed: Value = serde_json::from_str(&desk.get("/v1/backtests", &desk.operator).await).unwrap();
    assert_eq!(listed["items"], json!([]), "nothing was started");
    drop(desk);
    // So many comments are not even begun with.
    let desk = Desk::spawn("[limits]\nenabled = false\n[backtest]\ndisk_mb = 1\n").await;
    desk.pretend("read -r order; echo '{\"progress\":{\"done\":0,\"total\":5000000}}'; while read -r more; do :; done");
    let run = desk.start(&json!({}), 202).await;
    let over = desk.until_over(&run).await;
    assert!(over["state"] == "failed" && over["problem"].as_str().unwrap().contains("backtest.disk_mb = 1;"), "{over}");
    // And what looked as if it had room finds in time that it has none.
    desk.app.trials.use_program(env!("CARGO_BIN_EXE_doorward").into());
    for part in 0..10 {
        let comments: Vec<Value> = (0..20)
            .map(|n| {
                let mut comment = ordinary(&format!("long-{part}-{n}"));
                let word = |at: usize| {
                    let seed = u128::try_from((part * 20 + n) * 1_000 + at + 1).unwrap();
                    format!("{} ", uuid::Uuid::from_u128(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834)))
                };
                comment["body"] = (0..200).map(word).collect::<String>().into();
                comment
            })
            .collect();
        assert!(desk.app.batch(&comments).await.iter().all(|answer| answer["uid"].is_string()));
    }
    let over = desk.until_over(&desk.start(&json!({}), 202).await).await;
    assert_eq!(over["state"], "failed", "{over}");
    assert!(over["problem"].as_str().unwrap().contains("it needed more than backtest.disk_mb = 1"), "{over}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_service_did_not_outlive_is_interrupted_after_the_next_start_and_leaves_nothing() {
    let desk = Desk::spawn("[backtest]\nscratch = \"scratch\"\n").await;
    let scratch = desk.app.folder().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let left = scratch.join("doorward-backtest-00000000000000a1");
    desk.pretend(&format!(
        "read -r order; mkdir {0}; echo comments > {0}/replay.db; while read -r more; do :; done",
        left.display()
    ));
    let run = desk.start(&json!({"since": "2d", "site": "news"}), 202).await;
    desk.app.until("it has begun", |_| left.join("replay.db").exists()).await;
    let Desk { app, .. } = desk;
    let folder = app.end();
    assert!(!folder.path().join("scratch/doorward-backtest-00000000000000a1").exists(), "gone with the service");
    // One that was killed leaves something, and another program's files lie beside it.
    std::fs::create_dir(&left).unwrap();
    std::fs::write(folder.path().join("scratch/mine"), "mine").unwrap();
    let app = TestApp::again(folder).await;
    assert!(!left.exists() && scratch.join("mine").exists());
    let token = app.admin().token_create("ops@example.org", app.now()).await.unwrap().token;
    let ask = async |path: &str| app.request(Method::GET, path, &token).send().await.unwrap();
    let listed = read(ask("/v1/backtests").await, &[200]).await;
    let [found] = &listed["items"].as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!((&found["id"], &found["state"], &found["by"]), (&run["id"], &json!("interrupted"), &run["by"]));
    assert_eq!((&found["since"], &found["site"]), (&run["since"], &json!("news")));
    assert!(found["problem"].as_str().unwrap().contains("the service ended"), "{found}");
    let page = ask(&format!("/backtests/{}", run["id"].as_str().unwrap())).await.text().await.unwrap();
    assert!(page.contains("interrupted") && !page.contains("/backtests?run="), "what was tried is not known: {page}");
    let forget = app.request(Method::DELETE, &path(&run), &token).send().await.unwrap();
    assert_eq!(forget.status(), 204);
    let folder = app.end();
    let app = TestApp::again(folder).await;
    assert!(app.state.backtests.list().await.unwrap().is_empty(), "what was forgotten stays so");
}

#[test]
fn the_command_behind_it_takes_orders_from_a_service_alone() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_doorward"))
        .arg("replay")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("given by a running service"), "{said}");
}

/// Systemd and terminals tell every process of a service that it is to stop.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_command_behind_it_ends_with_the_service_and_not_by_what_ends_services() {
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_doorward"))
        .arg("replay")
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", process.id());
    let hears = |signal: u32| {
        let status = std::fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
        u64::from_str_radix(caught, 16).unwrap() & (1 << (signal - 1)) != 0
    };
    let (hangup, interrupt, terminate) = (1, 2, 15);
    let waited = async {
        while !(hears(hangup) && hears(interrupt) && hears(terminate)) {
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waited).await.expect("it minds none of them");
    for signal in ["-HUP", "-INT", "-TERM"] {
        let sent = std::process::Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
    drop(process.stdin.take()); // the service is gone
    assert_eq!(process.wait().unwrap().code(), Some(1), "it ended by itself");
}

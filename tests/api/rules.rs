//! Rules that operators write: what becomes of comments, what moderators read, and what is refused.

use std::path::Path;
use std::process::{Command, Output};

use doorward::config::Config;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, assert_adds_up, ordinary};

/// The service with these settings, read from a file as operators write them; with files beside it.
async fn service(settings: &str, files: &[(&str, &str)]) -> (TestApp, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let file = folder.path().join("config.toml");
    std::fs::write(&file, settings).unwrap();
    let read = Config::read(Some(&file), &[]).unwrap_or_else(|error| panic!("{error}"));
    let change = |config: &mut Config| {
        (config.rules, config.lists, config.sites) = (read.rules, read.lists, read.sites);
        config.moderation = read.moderation;
    };
    (TestApp::spawn_with(change).await, folder)
}

/// An ordinary comment that says `body`.
fn saying(id: &str, body: &str) -> Value {
    let mut new = ordinary(id);
    new["body"] = json!(body);
    new
}

fn causes(answer: &Value) -> Vec<&str> {
    answer["verdict"]["causes"].as_array().unwrap().iter().map(|cause| cause["id"].as_str().unwrap()).collect()
}

fn signal<'a>(answer: &'a Value, id: &str) -> Option<&'a Value> {
    answer["verdict"]["signals"].as_array().unwrap().iter().find(|signal| signal["id"] == id)
}

const HOLD: &str = r#"
[[rules]]
name = "boats"
when = 'comment.folded.contains("boat")'
then = { action = "hold", category = "off-topic" }
reason = "Boats are talked about elsewhere."
"#;

#[tokio::test]
async fn a_rule_holds_a_comment_and_its_reason_is_read() {
    let (app, _folder) = service(HOLD, &[]).await;
    let other = app.comment(&saying("c-1", "The ferry was late again this morning, as on most days.")).await;
    assert_eq!((&other["status"], causes(&other)), (&json!("approved"), vec![]));
    assert!(signal(&other, "rule:boats").is_none(), "what is not so is not told");
    let held = app.comment(&saying("c-2", "My uncle's boat was late again this morning, as on most days.")).await;
    assert_eq!((&held["status"], &held["verdict"]["category"]), (&json!("held"), &json!("off-topic")));
    assert_eq!(held["verdict"]["causes"][0], json!({"id": "rule:boats", "text": "Boats are talked about elsewhere."}));
    let hit = signal(&held, "rule:boats").unwrap();
    assert_eq!((&hit["outcome"], &hit["mode"], &hit["log_odds"]), (&json!("hit"), &json!("live"), &json!(0.0)));
    assert_eq!(held["decided_by"], "policy");
    let uid = held["uid"].as_str().unwrap();
    let explained = app.review(Method::GET, &format!("/v1/comments/by-uid/{uid}/explanation"), None).await;
    assert_eq!(explained["smallest_change"]["id"], "rule:boats", "{explained}");
    let queue = app.review(Method::GET, "/v1/queue?signal=rule:boats", None).await;
    assert_eq!((queue["items"].as_array().unwrap().len(), &queue["counts"]["by_signal"]["rule:boats"]), (1, &json!(1)));
}

#[tokio::test]
async fn the_console_names_the_rule_and_says_why() {
    let (app, _folder) = service(HOLD, &[]).await;
    let held = app.comment(&saying("c-1", "My uncle's boat was late again this morning, as on most days.")).await;
    for page in ["/queue".to_owned(), format!("/comments/{}", held["uid"].as_str().unwrap())] {
        let answer = app.request(Method::GET, &page, &app.token).header("accept", "text/html").send().await.unwrap();
        let text = answer.text().await.unwrap();
        assert!(text.contains("Rule boats"), "{page}: {text}");
        assert!(text.contains("Boats are talked about elsewhere."), "{page}: {text}");
    }
}

#[tokio::test]
async fn a_rule_in_shadow_is_recorded_and_does_not_count() {
    let shadow = format!("{HOLD}mode = \"shadow\"\n");
    let (app, _folder) = service(&shadow, &[]).await;
    let answer = app.comment(&saying("c-1", "My uncle's boat was late again this morning, as on most days.")).await;
    assert_eq!((&answer["status"], causes(&answer)), (&json!("approved"), vec![]));
    let hit = signal(&answer, "rule:boats").unwrap();
    assert_eq!((&hit["mode"], &hit["outcome"]), (&json!("shadow"), &json!("hit")));
    assert_eq!(hit["evidence"], "Boats are talked about elsewhere. Live, it would hold the comment.");
}

#[tokio::test]
async fn a_weight_is_a_term_of_the_sum() {
    let settings = r#"
[[rules]]
name = "boats"
when = 'comment.folded.contains("boat")'
then = { category = "abuse", weight = 1.25 }
reason = "Boats again."
"#;
    let (app, _folder) = service(settings, &[]).await;
    let with = app.comment(&saying("c-1", "My uncle's boat was late again this morning.")).await;
    let hit = signal(&with, "rule:boats").unwrap();
    assert_eq!((&hit["category"], &hit["log_odds"], causes(&with)), (&json!("abuse"), &json!(1.25), vec![]));
    assert_adds_up(&with["verdict"]);
}

#[tokio::test]
async fn tags_and_queues_are_marks_that_the_queue_is_filtered_by() {
    let settings = r#"
[[rules]]
name = "insolvency"
when = 'comment.text.inList("courts")'
then = { queue = "legal", tags = ["court", "money"] }
reason = "Lawyers look at these."

[[rules]]
name = "harbour"
when = 'comment.folded.contains("harbour")'
then = { tags = ["harbour"] }
reason = "About the harbour."

[lists.courts]
file = "courts.txt"
kind = "words"
"#;
    let (app, _folder) = service(settings, &[("courts.txt", "# words of courts\ninsolven*\nbankrupt\n")]).await;
    let routed =
        app.comment(&saying("c-1", "They filed for insolvency last week, as everybody knew they would.")).await;
    assert_eq!(routed["status"], "held");
    assert_eq!(causes(&routed), ["rule:insolvency", "tag:court", "tag:money", "queue:legal"]);
    let evidence = signal(&routed, "rule:insolvency").unwrap()["evidence"].as_str().unwrap();
    assert_eq!(evidence, "Lawyers look at these. On the list `courts`: `insolven*`.");
    let tagged = app.comment(&saying("c-2", "The harbour looked lovely this morning in the early light.")).await;
    assert_eq!((&tagged["status"], causes(&tagged)), (&json!("approved"), vec!["tag:harbour"]));
    for (filter, found) in [("queue:legal", 1), ("tag:money", 1), ("tag:harbour", 0), ("queue:press", 0)] {
        let queue = app.review(Method::GET, &format!("/v1/queue?signal={filter}"), None).await;
        assert_eq!(queue["items"].as_array().unwrap().len(), found, "{filter}");
    }
}

#[tokio::test]
async fn approval_outranks_scores_and_modes_and_not_what_people_or_other_rules_say() {
    let settings = r#"
[[rules]]
name = "ours"
when = 'author.role == "columnist"'
then = { action = "approve" }
reason = "Our own columnists."

[[rules]]
name = "never"
when = 'comment.folded.contains("forbidden word")'
then = { action = "reject" }
reason = "Nobody says that here."

[moderation]
mode = "pre"
"#;
    let (app, _folder) = service(settings, &[]).await;
    let by = |id: &str, role: &str, body: &str| {
        let mut new = saying(id, body);
        new["author"]["role"] = json!(role);
        new
    };
    let waits = app.comment(&by("c-1", "member", "What a fine morning that was at the old harbour.")).await;
    assert_eq!((&waits["status"], causes(&waits)), (&json!("held"), vec!["mode:pre"]));
    let spam = "Buy cheap viagra and replica watches at the best online casino: http://a.example http://b.example http://c.example";
    let approved = app.comment(&by("c-2", "columnist", spam)).await;
    assert!(approved["verdict"]["scores"]["spam"].as_f64().unwrap() > 0.5, "{approved}");
    assert_eq!((&approved["status"], causes(&approved)), (&json!("approved"), vec!["rule:ours"]));
    let rejected = app.comment(&by("c-3", "columnist", "I write the forbidden word, since I may.")).await;
    assert_eq!((&rejected["status"], causes(&rejected)), (&json!("rejected"), vec!["rule:never", "rule:ours"]));
    let ban = json!({"measure": "ban", "target": {"kind": "author", "value": "u-banned"}, "site": "news", "cause": "Enough."});
    let answer = app.request(Method::POST, "/v1/sanctions", &app.token).json(&ban).send().await.unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let mut new = by("c-4", "columnist", "What a fine morning that was at the old harbour, again.");
    new["author"]["id"] = json!("u-banned");
    let banned = app.comment(&new).await;
    assert_eq!(banned["status"], "rejected", "a person's ban stands over a rule: {banned}");
}

#[tokio::test]
async fn rules_hold_where_and_while_they_are_meant_to() {
    let settings = r#"
[[rules]]
name = "of-a-site"
when = "true"
then = { tags = ["everything"] }
reason = "Everything of one site."
sites = ["blog"]

[[rules]]
name = "until-noon"
when = "true"
then = { action = "hold" }
reason = "All of this morning."
sites = ["news"]
expires = 2026-11-24T12:00:00Z
"#;
    let (app, _folder) = service(settings, &[]).await;
    let blog = app.another_site("blog").await;
    let body = saying("c-1", "What a fine morning that was at the old harbour.");
    let there = app.request(Method::POST, "/v1/comments", &blog).json(&body).send().await.unwrap();
    let there: Value = there.json().await.unwrap();
    assert_eq!((&there["status"], causes(&there)), (&json!("approved"), vec!["tag:everything"]));
    let here = app.comment(&body).await;
    assert_eq!((&here["status"], causes(&here)), (&json!("held"), vec!["rule:until-noon"]));
    app.clock.advance_ms(2 * 3_600_000);
    let later = app.comment(&saying("c-2", "And what a fine noon it is now, in the same place.")).await;
    assert_eq!((&later["status"], causes(&later)), (&json!("approved"), vec![]));
}

#[tokio::test]
async fn a_site_has_thresholds_and_checks_of_its_own() {
    let settings = "[sites.news.policy.spam]\nprior = 1.0\nhold = 0.0\n[sites.news.signals.shouting]\nmode = \"off\"\n";
    let (app, _folder) = service(settings, &[]).await;
    let blog = app.another_site("blog").await;
    let body = saying("c-1", "WHAT A FINE MORNING THAT WAS AT THE OLD HARBOUR, AND NOBODY THERE TO SEE IT!!!!");
    let here = app.comment(&body).await;
    let there = app.request(Method::POST, "/v1/comments", &blog).json(&body).send().await.unwrap();
    let there: Value = there.json().await.unwrap();
    assert_eq!((&here["verdict"]["prior"]["spam"], &there["verdict"]["prior"]["spam"]), (&json!(1.0), &json!(-2.2)));
    assert_eq!((signal(&here, "shouting").is_some(), signal(&there, "shouting").is_some()), (false, true));
    let calm = saying("c-2", "The ferry was late again this morning, as on most days.");
    let there = app.request(Method::POST, "/v1/comments", &blog).json(&calm).send().await.unwrap();
    let there: Value = there.json().await.unwrap();
    assert_eq!((&app.comment(&calm).await["status"], &there["status"]), (&json!("held"), &json!("approved")));
}

#[tokio::test]
async fn what_a_rule_hangs_on_is_not_guessed() {
    let settings = r#"
[[rules]]
name = "not-ours"
when = 'author.role != "staff"'
then = { action = "reject" }
reason = "Only our own people."
"#;
    let (app, _folder) = service(settings, &[]).await;
    let mut new = saying("c-1", "What a fine morning that was at the old harbour.");
    new["author"].as_object_mut().unwrap().remove("role");
    let answer = app.comment(&new).await;
    assert_eq!((&answer["status"], causes(&answer)), (&json!("approved"), vec![]));
    assert_eq!(signal(&answer, "rule:not-ours").unwrap()["outcome"], "not-applicable");
}

#[tokio::test]
async fn what_was_on_a_list_is_part_of_what_a_verdict_names() {
    let settings = "[lists.coins]\nfile = \"coins.txt\"\nkind = \"words\"\n[[rules]]\nname = \"coins\"\nwhen = 'lists.coins.size() > 0'\nthen = { tags = [\"coins\"] }\nreason = \"Coins.\"\n";
    let mut hashes = Vec::new();
    for words in ["bitcoin\n", "bitcoin\ndogecoin\n"] {
        let (app, _folder) = service(settings, &[("coins.txt", words)]).await;
        let answer = app.comment(&saying("c-1", "What a fine morning that was at the old harbour.")).await;
        hashes.push(answer["verdict"]["policy"].as_str().unwrap().to_owned());
    }
    assert_ne!(hashes[0], hashes[1]);
}

fn check_config(folder: &Path, settings: &str, arguments: &[&str]) -> Output {
    let file = folder.join("config.toml");
    std::fs::write(&file, settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.env_clear().env("DOORWARD__POLICY__ABUSE__HOLD", "0.6");
    command.arg("--config").arg(&file).arg("check-config").args(arguments).output().unwrap()
}

#[test]
fn a_refused_rule_is_told_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let rule = |when: &str| {
        format!("# mine\n[[rules]]\nname = \"it\"\nwhen = {when}\nthen = {{ action = \"hold\" }}\nreason = \"x\"\n")
    };
    std::fs::write(folder.path().join("coins.txt"), "bitcoin\n*\n").unwrap();
    for (settings, told) in [
        (
            rule("'comment.txt == \"a\"'"),
            "config.toml:4:17: rules: `it`: when: there is no `comment.txt`; did you mean `comment.text`?",
        ),
        (
            rule("'''\ncomment.words > 3\n  && comment.words < 2'''"),
            "config.toml:5:1: rules: `it`: when: can never be true",
        ),
        (
            rule("'''\ntrue &&\n  links.exists(a, links.exists(b, a.url != b.url))'''"),
            "config.toml:6:9: rules: `it`: when: costs too much",
        ),
        (rule("\"author.nam == 'x'\""), "config.toml:4:16: rules: `it`: when: there is no `author.nam`"),
        (
            rule("'true'").replace("action = \"hold\"", "queue = \"A B\""),
            "config.toml:5:18: rules: `it`: then.queue: must be",
        ),
        (rule("'true'").replace("reason", "raeson"), "did you mean `reason`?"),
        (rule("'lists.coins.size() > 1'"), "there is no list `coins` under [lists]"),
        ("[lists.coins]\nfile = \"coins.txt\"\nkind = \"words\"\n".to_owned(), "coins.txt:2:1: the entry `*` is empty"),
        (
            "[lists.coins]\nfile = \"none.txt\"\nkind = \"words\"\n".to_owned(),
            "none.txt: the list `coins` cannot be read",
        ),
        ("[sites.news.signals.link_count]\nmax_host = 3\n".to_owned(), "config.toml:2:1: unknown field `max_host`"),
        (
            "[sites.news.policy.spam]\nhold = 0.999\n".to_owned(),
            "sites.news.policy.spam.hold: must not be above `reject`",
        ),
    ] {
        let output = check_config(folder.path(), &settings, &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(told), "{settings}\n{error}");
        assert_eq!(output.status.code(), Some(2), "{error}");
    }
}

#[test]
fn a_sites_settings_are_shown_with_where_each_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("coins.txt"), "bitcoin\n").unwrap();
    let settings = r#"
rules = []
[policy.spam]
hold = 0.4
reject = 0.95
[sites.news.policy.spam]
hold = 0.6
[sites.news.signals.link_count]
max_hosts = 7
[moderation.sites.news]
mode = "pre"
[lists.coins]
file = "coins.txt"
kind = "words"
"#;
    let shown = |site: &str| {
        let output = check_config(folder.path(), settings, &["--site", site]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let (news, other) = (shown("news"), shown("other"));
    for line in [
        "policy.spam.hold = 0.6  # the site's own, line 7",
        "policy.spam.reject = 0.95  # line 5",
        "policy.abuse.hold = 0.6  # DOORWARD__POLICY__ABUSE__HOLD",
        "policy.spam.prior = -2.2  # default",
        "signals.link_count.max_hosts = 7  # the site's own, line 9",
        "moderation.mode = \"pre\"  # the site's own, line 11",
        "Warning: no rule names the list `coins`.",
        "The list `coins` has 1 entries.",
    ] {
        assert!(news.lines().any(|shown| shown == line), "{line}: {news}");
    }
    assert!(other.contains("policy.spam.hold = 0.4  # line 4\n"), "{other}");
    assert!(other.contains("signals.link_count.max_hosts = 2  # default\n"), "{other}");
}

//! A wave of spam and a wave of false positives: rules are tried, go live, are looked at, and are taken back.

use reqwest::StatusCode;
use serde_json::{Value, json};

use doorward::app::clock::Clock as _;
use doorward::startup::SystemClock;

use super::world::{Host, Service, about, doorward, said};

const SETTINGS: &str = "[limits]\nenabled = false\n[learning]\nenabled = false\n[sampling]\nrate = 0.0\n";

/// A rule against the wave, until so many seconds from now.
fn against_the_wave(mode: &str, ends_in_s: i64) -> String {
    let expires = SystemClock.now().plus_millis(ends_in_s * 1_000);
    format!(
        "{SETTINGS}\n[[rules]]\nname = \"coin-wave\"\nwhen = 'comment.folded.contains(\"moonvault\")'\n\
         then = {{ action = \"hold\", category = \"spam\" }}\nreason = \"The wave of this afternoon: it sells shares of Moonvault.\"\n\
         expires = {expires}\nmode = \"{mode}\"\n"
    )
}

async fn wave(host: &Host, service: &Service, key: &str, name: &str, count: usize) -> Vec<Value> {
    let mut posted = Vec::new();
    for n in 0..count {
        posted.push(host.post(service, key, &about(&format!("{name}-{n}"), "moonvault")).await);
    }
    posted
}

fn statuses(comments: &[Value]) -> Vec<&str> {
    comments.iter().map(|comment| comment["status"].as_str().expect("a status")).collect()
}

/// What `doorward rules` tells of one, in that mode.
fn told(host: &Host, id: &str, mode: &str) -> Value {
    let all = tokio::task::block_in_place(|| host.json(&["rules", "--since", "1h", "--json"]));
    let items = all["items"].as_array().expect("a list");
    let found = items.iter().find(|one| one["id"] == id && one["mode"] == mode);
    found.unwrap_or_else(|| panic!("{id} in {mode} is not told of: {all}")).clone()
}

fn n_of(share: &Value) -> (u64, u64) {
    (share["n"].as_u64().expect("a number"), share["of"].as_u64().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wave_is_met_with_a_rule_that_is_tried_in_shadow_goes_live_is_rolled_back_and_ends_by_itself() {
    let host = Host::with(SETTINGS);
    let key = host.site("news");
    let moderator = host.person("ann@example.org", "moderator");
    let service = host.start().await;
    // It gets through, between what people say.
    let mut others = Vec::new();
    for n in 0..6 {
        others.push(host.post(&service, &key, &about(&format!("other-{n}"), "ferry")).await);
    }
    let first = wave(&host, &service, &key, "first", 6).await;
    assert_eq!(statuses(&first), ["approved"; 6]);
    host.decide(&service, &moderator, &first, "reject").await;

    // A rule, in shadow and for a day: recorded, and nothing else.
    std::fs::write(host.path("shadow.toml"), against_the_wave("shadow", 86_400)).expect("writable");
    let checked = doorward(&host.path("shadow.toml"), &["check-config"]).output().expect("the binary runs");
    assert!(checked.status.success(), "{}", said(&checked));
    let shadow = std::fs::read_to_string(host.path("shadow.toml")).expect("readable");
    host.change(&shadow).await;
    let second = wave(&host, &service, &key, "second", 4).await;
    assert_eq!(statuses(&second), ["approved"; 4]);
    host.decide(&service, &moderator, &second, "reject").await;
    let rule = told(&host, "rule:coin-wave", "shadow");
    assert_eq!((&rule["fired"], &rule["decisive"], n_of(&rule["precision"])), (&json!(4), &json!(4), (4, 4)), "{rule}");

    // Before it goes live: what would it have made of this afternoon? A bound says whether that is good enough.
    let candidate = host.path("live.toml");
    let live = against_the_wave("live", 86_400);
    std::fs::write(&candidate, &live).expect("writable");
    let backtest = |file: &std::path::Path, json: bool| {
        let mut arguments = vec!["backtest", "--candidate", file.to_str().expect("a path"), "--since", "1h"];
        arguments.extend(["--max-false-positive-rate", "1%", "--min-precision", "0.9"]);
        arguments.extend(json.then_some("--json"));
        tokio::task::block_in_place(|| host.run(&arguments))
    };
    host.decide(&service, &moderator, &others, "approve").await; // what people said is known to be welcome
    let output = backtest(&candidate, true);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["flips"]["kinds"], json!({"approve to hold": 10}), "{report}");
    assert_eq!((&report["flips"]["better"], &report["flips"]["worse"]), (&json!(10), &json!(0)));
    assert_eq!((n_of(&report["before"]["recall"]), n_of(&report["after"]["recall"])), ((0, 10), (10, 10)));
    // One that holds everything does not keep to it.
    let greedy = host.path("greedy.toml");
    std::fs::write(&greedy, live.replace("comment.folded.contains(\"moonvault\")", "true")).expect("writable");
    assert_eq!(backtest(&greedy, false).status.code(), Some(3));

    // Live, by SIGHUP as well as by itself.
    let before = host.taken()[0]["version"].clone();
    host.write(&live);
    service.hang_up();
    host.until("it is live", async || host.taken()[0]["version"] != before).await;
    let third = wave(&host, &service, &key, "third", 5).await;
    assert_eq!(statuses(&third), ["held"; 5]);
    assert_eq!(host.post(&service, &key, &about("other-6", "ferry")).await["status"], "approved");
    host.decide(&service, &moderator, &third[..4], "reject").await;
    host.decide(&service, &moderator, &third[4..], "approve").await;
    let rule = told(&host, "rule:coin-wave", "live");
    assert_eq!((&rule["fired"], &rule["decisive"]), (&json!(5), &json!(5)), "{rule}");
    assert_eq!((n_of(&rule["precision"]), n_of(&rule["overturned"])), ((4, 5), (1, 5)));
    assert_eq!(rule["weeks"][0]["site"], "news");
    let said = host.done(&["rules", "--since", "1h", "--weeks"]);
    for part in [
        "rule:coin-wave (live; until ",
        "hit 5, decisive on 5; people decided against it on 1 of 5; precision 80.0 % (",
        "rule:coin-wave (live; until",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    // One comment was somebody's who asked what it is: back to before, by command, and see.
    let listed = host.taken();
    let in_shadow = listed.iter().find(|taken| taken["version"] == before).expect("it was in force");
    let rolled = host.done(&["config", "rollback", in_shadow["version"].as_str().expect("a hash")]);
    assert!(rolled.contains("takes it within seconds"), "{rolled}");
    assert_eq!(std::fs::read_to_string(&host.config).expect("readable"), shadow);
    let number = std::cell::Cell::new(0);
    let passes = async |word: &str| {
        number.set(number.get() + 1);
        host.post(&service, &key, &about(&format!("look-{}", number.get()), word)).await["status"] == "approved"
    };
    host.until("it is in shadow again", async || passes("moonvault").await).await;

    // Live again for some seconds, after which nobody has to do anything.
    let ends = SystemClock.now().plus_millis(12_000);
    host.change(&against_the_wave("live", 12)).await;
    assert!(!passes("moonvault").await || SystemClock.now() > ends, "it is live");
    host.until("it has ended by itself", async || passes("moonvault").await).await;
    let said = host.done(&["rules", "--since", "1h"]);
    assert!(said.contains("To look at:") && said.contains("`rule:coin-wave` ended at "), "{said}");
    host.done(&["audit", "verify"]);
    assert!(host.done(&["audit", "export"]).contains("config.rollback"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_people_overrule_is_hinted_at_taken_back_and_what_it_held_is_released() {
    let boats = format!(
        "{SETTINGS}\n[[rules]]\nname = \"boats\"\nwhen = 'comment.folded.contains(\"boat\")'\nthen = {{ action = \"hold\" }}\n\
         reason = \"Boats are talked about elsewhere.\"\n"
    );
    let host = Host::with(&boats);
    let key = host.site("news");
    let moderator = host.person("ann@example.org", "moderator");
    let operator = host.person("ben@example.org", "operator");
    let service = host.start().await;
    let mut held = Vec::new();
    for n in 0..10 {
        held.push(host.post(&service, &key, &about(&format!("c-{n}"), "boat")).await);
    }
    assert_eq!(statuses(&held), ["held"; 10]);
    host.decide(&service, &moderator, &held[..7], "approve").await;
    // It is said on the command line, over HTTP and in the console, with the way to what it held.
    let said = host.done(&["rules"]);
    assert!(said.contains("People decided against 7 of 7 comments that hung on `rule:boats`."), "{said}");
    let told = host.ask(&service, &operator, "/v1/rules", None).await;
    assert_eq!(told["hints"][0]["kind"], "mostly-overturned", "{told}");
    let page = async |path: &str| {
        let page = host.client.get(service.at(path)).bearer_auth(&operator).header("accept", "text/html").send().await;
        let page = page.expect("the service answers");
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        page.text().await.expect("text")
    };
    assert!(page("/rules").await.contains("people decided against 7 of 7"));
    let wronged = held[0]["uid"].as_str().expect("a uid");
    assert!(page("/rules/rule%3Aboats?which=overturned").await.contains(&format!("/comments/{wronged}")));
    // Taken back; whatever comes passes, and what still waits for it is found by its name and released at once.
    host.change(SETTINGS).await;
    assert_eq!(host.post(&service, &key, &about("later", "boat")).await["status"], "approved");
    let waiting = host.ask(&service, &moderator, "/v1/queue?signal=rule:boats", None).await;
    let waiting = waiting["items"].as_array().expect("a list").clone();
    assert_eq!(waiting.len(), 3);
    host.decide(&service, &moderator, &waiting, "approve").await;
    let all = host.comments(&service, &key).await;
    assert!(all.values().all(|comment| comment["status"] == "approved"), "{all:?}");
    // What it did stays told, as something that was.
    let rule = self::told(&host, "rule:boats", "live");
    assert_eq!((&rule["now"], n_of(&rule["overturned"])), (&json!("gone"), (10, 10)));
    let said = host.done(&["rules"]);
    assert!(said.contains("rule:boats (no longer in the settings)") && !said.contains("To look at"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slip_in_a_rule_is_refused_where_everybody_sees_it_and_comments_go_on() {
    let host = Host::with(&against_the_wave("live", 86_400));
    let key = host.site("news");
    let operator = host.person("ben@example.org", "operator");
    let service = host.start().await;
    assert_eq!(host.post(&service, &key, &about("one", "moonvault")).await["status"], "held");
    let good = std::fs::read_to_string(&host.config).expect("readable");
    host.write(&good.replace("comment.folded", "comment.foldet"));
    let place = "there is no `comment.foldet`; did you mean `comment.folded`?";
    let warned = async || {
        let page =
            host.client.get(service.at("/queue")).bearer_auth(&operator).header("accept", "text/html").send().await;
        page.expect("the service answers")
            .text()
            .await
            .expect("text")
            .contains("class=\"warning\" role=\"alert\">The settings file cannot be used")
    };
    host.until("the console says so", async || warned().await).await;
    assert!(host.log().contains(place), "{}", host.log());
    let ready: Value =
        host.client.get(service.at("/readyz")).send().await.expect("it answers").json().await.expect("JSON");
    assert_eq!(ready["config"], "refused");
    let metrics = host.client.get(service.at("/metrics")).send().await.expect("it answers").text().await.expect("text");
    assert!(metrics.contains("doorward_config_refused 1"), "{metrics}");
    // All of it is as before: the rule, and whatever else the file says.
    assert_eq!(host.post(&service, &key, &about("two", "moonvault")).await["status"], "held");
    assert_eq!(host.post(&service, &key, &about("three", "ferry")).await["status"], "approved");
    assert!(host.refused(&["check-config"], 2).contains(place));
    host.write(&good);
    host.until("all is well again", async || !warned().await).await;
}

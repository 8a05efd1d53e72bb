//! A settings file that changes while the service runs: what is good is taken whole, what is not changes nothing and is said.

use doorward::config::Config;
use doorward::domain::people::Role;
use doorward::domain::versions::How;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, assert_adds_up, ordinary, read};

/// As in a file that says nothing else.
fn policy_of(text: &str) -> String {
    Config::parse(text, "").unwrap().hash()
}

async fn taken(app: &TestApp, text: &str) {
    app.write_settings(text);
    let policy = policy_of(text);
    app.until("the settings are in force", |state| state.settings.current().hash == policy).await;
}

async fn ready(app: &TestApp) -> Value {
    read(app.request(Method::GET, "/readyz", "").send().await.unwrap(), &[200]).await
}

#[tokio::test]
async fn changed_thresholds_and_limits_are_in_force_without_a_start() {
    let app = TestApp::spawn_following("").await;
    let before = app.comment(&ordinary("c-1")).await;
    assert_eq!((&before["status"], &before["verdict"]["policy"]), (&json!("approved"), &json!(policy_of(""))));
    let strict = "[policy.spam]\nprior = 9.0\nreject = 1.0\n";
    taken(&app, strict).await;
    let held = app.comment(&ordinary("c-2")).await;
    assert_eq!((&held["status"], &held["verdict"]["policy"]), (&json!("held"), &json!(policy_of(strict))));
    assert_adds_up(&held["verdict"]);
    let again = app.comment(&ordinary("c-1")).await;
    assert_eq!(again["verdict"], before["verdict"], "what was decided stays as it was decided");

    let tight =
        "[[limits.policies]]\nname = \"tight\"\nkey = \"site\"\nquota = 2\nwindow_s = 3600\non_limit = \"refuse\"\n";
    taken(&app, tight).await;
    app.comment(&ordinary("c-3")).await;
    let wider = tight.replace("window_s = 3600", "window_s = 7200");
    taken(&app, &wider).await;
    app.comment(&ordinary("c-4")).await;
    let refused = app.post("/v1/comments", &ordinary("c-5")).await;
    assert_eq!(refused.status(), 429, "what was taken before the change counts");
    taken(&app, "").await;
    assert_eq!(app.comment(&ordinary("c-6")).await["status"], "approved");
}

#[tokio::test]
async fn rules_and_what_is_on_their_lists_are_in_force_without_a_start() {
    let app = TestApp::spawn_following("").await;
    let ferry = |id: &str| {
        let mut new = ordinary(id);
        new["body"] = json!("The ferry was late again this morning, as on most days.");
        new
    };
    assert_eq!(app.comment(&ferry("c-1")).await["status"], "approved");
    app.write_beside("boats.txt", "canoe\n");
    app.write_settings(
        "[lists.boats]\nfile = \"boats.txt\"\nkind = \"words\"\n[[rules]]\nname = \"boats\"\nwhen = 'comment.text.inList(\"boats\")'\n\
        then = { action = \"hold\", category = \"off-topic\" }\nreason = \"Boats are talked about elsewhere.\"\n",
    );
    let bare = policy_of("");
    app.until("the rule is in force", |state| state.settings.current().hash != bare).await;
    let ruled = app.comment(&ferry("c-2")).await;
    assert_eq!(ruled["status"], "approved", "a ferry is not on the list");

    app.write_beside("boats.txt", "canoe\nferry\n");
    let before = ruled["verdict"]["policy"].as_str().unwrap().to_owned();
    app.until("the list is in force", |state| state.settings.current().hash != before).await;
    let held = app.comment(&ferry("c-3")).await;
    assert_eq!((&held["status"], &held["verdict"]["causes"][0]["id"]), (&json!("held"), &json!("rule:boats")));
    assert_ne!(held["verdict"]["policy"], before, "another list is another configuration");

    app.remove_beside("boats.txt");
    app.until("a list that is gone is said", |state| {
        state.reload.standing().refused.as_ref().is_some_and(|refused| refused.problem.contains("boats.txt"))
    })
    .await;
    let held = app.comment(&ferry("c-4")).await;
    assert_eq!(held["status"], "held", "what was in force stays");
}

#[tokio::test]
async fn settings_besides_verdicts_are_taken_too() {
    let app = TestApp::spawn_following("").await;
    let ban = json!({"site": "news", "target": {"kind": "author", "value": "u-1"}, "measure": "ban", "cause": "spam", "shadow": true});
    let impose = async || app.request(Method::POST, "/v1/sanctions", &app.token).json(&ban).send().await.unwrap();
    assert_eq!(impose().await.status(), 403, "shadow bans are off");
    let metrics =
        async |token: &str| app.request(Method::GET, "/metrics", token).send().await.unwrap().status().as_u16();
    assert_eq!(metrics("hush").await, 401);
    let version = app.state.reload.standing().version.clone();
    app.write_settings("[sanctions]\nshadow_bans = true\n[metrics]\ntoken = \"hush\"\n");
    app.until("the settings are taken", |state| state.reload.standing().version != version).await;
    assert_eq!(metrics("hush").await, 200);
    let imposed = impose().await;
    assert_eq!(imposed.status(), 201, "{}", imposed.text().await.unwrap());
    app.write_settings("[metrics]\ntoken = \"other\"\n[sanctions]\nshadow_bans = true\n");
    app.until("another token is taken", |state| *state.metrics_token.get() == Some("other".to_owned())).await;
    assert_eq!((metrics("hush").await, metrics("other").await), (401, 200));
}

#[tokio::test]
async fn a_mistake_is_refused_whole_and_said_where_operators_look() {
    let good = "[policy.spam]\nhold = 0.4\n";
    let app = TestApp::spawn_following(good).await;
    let admin = app.person("boss@example.org", Role::Admin).await;
    app.write_settings("[policy.spam]\nhold = 0.35\n[signals.link_count]\nmax_host = 3\n");
    app.until("it is refused", |state| state.reload.standing().refused.is_some()).await;
    let problem = app.state.reload.standing().refused.clone().unwrap().problem;
    assert!(
        problem.contains("config.toml:4:1: unknown field `max_host`") && problem.contains("`max_hosts`?"),
        "{problem}"
    );
    assert_eq!(ready(&app).await["config"], "refused");
    let answer = app.comment(&ordinary("c-1")).await;
    assert_eq!(answer["verdict"]["policy"], policy_of(good), "the good half of it is not in force");
    let page =
        async |token: &str| app.request(Method::GET, "/queue", token).send().await.unwrap().text().await.unwrap();
    assert!(page(&admin).await.contains("settings file cannot be used"), "operators see it on every page");
    assert!(page(&admin).await.contains("unknown field"));
    assert!(!page(&app.token).await.contains("settings file"), "it is nothing to moderators");
    // What can be read and cannot work is refused the same way, and so is a file that is gone.
    app.write_settings("[policy.spam]\nhold = 0.995\n");
    let says = |what: &'static str| {
        move |state: &doorward::http::State| {
            state.reload.standing().refused.as_ref().is_some_and(|refused| refused.problem.contains(what))
        }
    };
    app.until("it is refused for its value", says("policy.spam.hold")).await;
    app.remove_settings();
    app.until("it is refused for being gone", says("No such file")).await;
    app.write_settings(good);
    app.until("all is well again", |state| state.reload.standing().refused.is_none()).await;
    assert_eq!(ready(&app).await["config"], "ready");
    assert!(!page(&admin).await.contains("settings file"));
    assert_eq!(app.store.versions_taken(10).await.unwrap().len(), 1, "nothing was taken but what it began with");
}

#[tokio::test]
async fn what_waits_for_the_next_start_is_said_and_the_rest_is_taken() {
    let app = TestApp::spawn_following("").await;
    let admin = app.person("boss@example.org", Role::Admin).await;
    let text = "[server]\nlisten = \"127.0.0.1:9\"\n[history]\nwindow_days = 40\n[policy.spam]\nhold = 0.4\n";
    app.write_settings(text);
    app.until("it is taken", |state| !state.reload.standing().waiting.is_empty()).await;
    assert_eq!(app.state.reload.standing().waiting, ["history.window_days", "server.listen"]);
    assert_eq!(ready(&app).await["config"], "waiting");
    let policy = app.comment(&ordinary("c-1")).await["verdict"]["policy"].clone();
    assert_eq!(
        policy,
        policy_of("[policy.spam]\nhold = 0.4\n"),
        "a decision names what it was made under, not what waits"
    );
    let page = app.request(Method::GET, "/queue", &admin).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("take effect at the next start: history.window_days, server.listen"));
    let kept = app.until_kept(2).await.remove(0);
    assert_eq!((kept.how, kept.waiting.len(), json!(kept.policy)), (How::File, 2, policy));
    taken(&app, "").await;
    app.until("nothing waits", |state| state.reload.standing().waiting.is_empty()).await;
}

#[tokio::test]
async fn every_version_is_kept_with_its_time_and_without_its_secrets() {
    let first = "# ours\n[metrics]\ntoken = \"hush-hush\"\n";
    let app = TestApp::spawn_following(first).await;
    let second = "# ours\n[metrics]\ntoken = \"hush-hush\"\n[policy.spam]\nhold = 0.4 # a wave\n";
    app.clock.advance_ms(60_000);
    app.write_settings(second);
    app.until("it is taken", |state| state.settings.current().hash == policy_of("[policy.spam]\nhold = 0.4\n")).await;
    app.until("it stands", |state| state.reload.standing().taken.is_some_and(|(_, how)| how == How::File)).await;
    let kept = app.until_kept(2).await;
    assert_eq!((kept[0].how, kept[0].at), (How::File, app.now()));
    assert_eq!((kept[1].how, kept[1].at), (How::Start, app.now().plus_millis(-60_000)));
    let version = app.store.version(&kept[0].version).await.unwrap().unwrap();
    assert_eq!(version.text, second.replace("hush-hush", "[redacted]"));
    for of in [&kept[0].version[..6], &kept[0].policy] {
        assert_eq!(app.store.versions_like(of).await.unwrap(), [kept[0].version.clone()]);
    }
    let kept = "SELECT group_concat(text || files) FROM config_version";
    let kept: String = app.database().query_row(kept, [], |row| row.get(0)).unwrap();
    assert!(kept.contains("# ours") && !kept.contains("hush-hush"));
    // Asked to look at a file that says the same, it takes nothing.
    app.state.reload.ask();
    taken(&app, "").await;
    assert_eq!(app.until_kept(3).await.len(), 3);
}

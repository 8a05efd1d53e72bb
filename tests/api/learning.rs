//! What decisions teach: it answers from then on, says so, and is gone with the decision.

use std::io::Write as _;
use std::path::PathBuf;

use doorward::classifier::Classifier;
use doorward::classifier::features::SPEC;
use doorward::classifier::model::{Header, Output};
use doorward::config::Config;
use doorward::domain::people::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, assert_adds_up, ordinary, read, talk};

/// A model that says the same of everything: what sites teach stands out, whatever the shipped one knows by now.
fn saying(log_odds: f64) -> PathBuf {
    let output = |name: &str| Output {
        name: name.to_owned(),
        learner: "linfa-ftrl".to_owned(),
        platt: (-1.0, 0.0),
        base: -log_odds,
        weights: Vec::new(),
        golden: vec![(Vec::new(), 0.5)],
    };
    let header = Header { features: SPEC.to_owned(), training: String::new(), sources: [].into(), measured: [].into() };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut file = tempfile::NamedTempFile::new_in(&folder).unwrap();
    file.write_all(&Classifier::to_bytes(&header, &["spam", "abuse"].map(output))).unwrap();
    let path = folder.join(format!("says-{log_odds}.dwm"));
    file.persist(&path).unwrap(); // whole at once: other tests read it
    path
}

/// A service that learns from little, at once, and where everything waits for a person.
async fn eager() -> TestApp {
    eager_with(|_| {}).await
}

async fn eager_with(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::spawn_with(|config| {
        config.model.file = saying(0.0);
        config.learning.interval_s = 0;
        config.learning.min_new = 10;
        config.limits.enabled = false;
        config.moderation.mode = doorward::domain::policy::Moderation::Pre;
        change(config);
    })
    .await
}

/// What only this site's spam says, among talk that was never heard before.
fn club(seed: &str) -> Value {
    let mut comment = ordinary(seed);
    comment["body"] = json!(format!("{} Whoever knits joins the Zorbit circle, ask for Quilla.", talk(seed)));
    comment
}

async fn post(app: &TestApp, key: &str, comment: &Value) -> Value {
    read(app.request(Method::POST, "/v1/comments", key).json(comment).send().await.unwrap(), &[201]).await
}

async fn decide(app: &TestApp, comments: &[&Value], action: &str, category: Option<&str>) -> String {
    let seen = |comment: &&Value| json!({"uid": comment["uid"], "seen_version": comment["version"]});
    let items: Vec<Value> = comments.iter().map(seen).collect();
    let ask = json!({"items": items, "action": action, "category": category});
    let ruled = app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
    assert_eq!(ruled["applied"].as_array().unwrap().len(), comments.len());
    ruled["decision"].as_str().unwrap().to_owned()
}

/// Forty comments of a site, and two decisions about them.
async fn teach(app: &TestApp, key: &str) -> [String; 2] {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for number in 0..20 {
        good.push(post(app, key, &ordinary(&format!("good-{number}"))).await);
        bad.push(post(app, key, &club(&format!("bad-{number}"))).await);
    }
    let good = decide(app, &good.iter().collect::<Vec<_>>(), "approve", None).await;
    let bad = decide(app, &bad.iter().collect::<Vec<_>>(), "reject", Some("spam")).await;
    [good, bad]
}

async fn look(app: &TestApp) {
    app.state.learning.look(app.now()).await.unwrap();
}

async fn model_of(app: &TestApp, operator: &str, site: &str) -> Value {
    let models = app.request(Method::GET, "/v1/models", operator).send().await.unwrap();
    let models = read(models, &[200]).await;
    let items = models["items"].as_array().unwrap();
    items.iter().find(|item| item["site"] == site).unwrap().clone()
}

async fn spam_by_model(app: &TestApp, key: &str, comment: &Value) -> Value {
    let answer = app.request(Method::POST, "/v1/assess", key).json(comment).send().await.unwrap();
    let verdict = read(answer, &[200]).await["verdict"].clone();
    assert_adds_up(&verdict);
    verdict["model"].clone()
}

#[tokio::test]
async fn forty_decisions_change_what_is_said_of_a_look_alike_there_and_nowhere_else() {
    let app = eager().await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let blog = app.another_site("blog").await;
    let alike = club("look-alike");
    let before = spam_by_model(&app, &app.key, &alike).await;
    let good_before = spam_by_model(&app, &app.key, &ordinary("somebody")).await;
    teach(&app, &app.key).await;
    look(&app).await;
    let model = model_of(&app, &operator, "news").await;
    assert_eq!(model["changes"][0]["kind"], "replaced", "{model:#}");
    assert_eq!((&model["learned"]["number"], &model["labels"]["learned"]), (&json!(1), &json!(40)));
    let after = spam_by_model(&app, &app.key, &alike).await;
    let version = before["version"].as_str().unwrap();
    assert_eq!(after["version"], format!("{version}+1"));
    let spam = |model: &Value| model["log_odds"]["spam"].as_f64().unwrap();
    assert!(spam(&after) <= spam(&before) + 4.0, "within the bound");
    let terms = after["terms"].as_array().unwrap().iter().map(|term| term["text"].as_str().unwrap());
    assert!(terms.clone().any(|term| term.starts_with("learned here: ")), "{:?}", terms.collect::<Vec<_>>());
    let good_after = spam_by_model(&app, &app.key, &ordinary("somebody")).await;
    let risen = |before: &Value, after: &Value| spam(after) - spam(before);
    let (alike_risen, good_risen) = (risen(&before, &after), risen(&good_before, &good_after));
    assert!(alike_risen > 0.2 && alike_risen > good_risen + 0.5, "{after} {good_after}");
    assert!(good_risen < 0.2, "how much spam there was among the decisions is not learned: {good_after}");
    assert!(spam(&good_after) - 2.2 < -1.39, "an ordinary comment is not held for it: {good_after}");
    assert_eq!(spam_by_model(&app, &blog, &alike).await, before, "another site");
    // A verdict keeps the version that gave it.
    let kept = post(&app, &app.key, &alike).await;
    assert_eq!(kept["verdict"]["model"]["version"], after["version"]);
}

#[tokio::test]
async fn a_decision_that_is_taken_back_is_gone_from_what_was_learned() {
    let app = eager().await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let alike = club("look-alike");
    let before = spam_by_model(&app, &app.key, &alike).await;
    // One more, which is learned and taken back; another site never sees it. It is the first, because the service looks by itself, too: as soon as
    // there is enough to learn, whatever is decided by then is learned.
    let mut strange = club("strange");
    strange["body"] = json!("Quilla never knits, and Zorbit is a planet of its own.");
    let strange = post(&app, &app.key, &strange).await;
    let decision = decide(&app, &[&strange], "approve", None).await;
    let [_, bad] = teach(&app, &app.key).await;
    let blog = app.another_site("blog").await;
    teach(&app, &blog).await;
    look(&app).await;
    let with_it = spam_by_model(&app, &app.key, &alike).await;
    app.review(Method::POST, &format!("/v1/decisions/{decision}/undo"), Some(&json!({}))).await;
    look(&app).await;
    let model = model_of(&app, &operator, "news").await;
    assert_eq!(model["changes"][0]["kind"], "relearned", "{model:#}");
    assert_eq!((&model["labels"]["undone"], &model["learned"]["number"]), (&json!(1), &json!(2)));
    let without = spam_by_model(&app, &app.key, &alike).await;
    let never = spam_by_model(&app, &blog, &alike).await;
    assert_eq!(without["log_odds"], never["log_odds"], "as if it had never been");
    assert_ne!(with_it["log_odds"], without["log_odds"]);
    app.review(Method::POST, &format!("/v1/decisions/{bad}/undo"), Some(&json!({}))).await;
    look(&app).await;
    assert_eq!(spam_by_model(&app, &app.key, &alike).await, before, "too few are left: the shipped model alone");
    assert_eq!(model_of(&app, &operator, "news").await["learned"], Value::Null);
}

#[tokio::test]
async fn what_it_hardly_understands_is_learned_from_what_it_says_of_it() {
    let app = eager_with(|config| config.model.file = saying(4.0)).await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let mut comment = ordinary("strange");
    comment["body"] = json!("Olvasd el ezt az oldalt, mert nagyon fontos dolgok vannak benne.");
    let spam = spam_by_model(&app, &app.key, &comment).await["log_odds"]["spam"].as_f64().unwrap();
    assert!(spam <= 1.0, "{spam}");
    let posted = post(&app, &app.key, &comment).await;
    decide(&app, &[&posted], "approve", None).await;
    look(&app).await;
    let model = model_of(&app, &operator, "news").await;
    let loss = model["changes"][0]["figures"]["spam"]["base"]["loss"].as_f64().unwrap();
    assert!(loss < 0.5, "{model:#}");
}

#[tokio::test]
async fn a_site_that_cannot_be_learned_from_keeps_no_other_waiting() {
    let app = eager().await;
    let operator = app.person("op@example.org", Role::Operator).await;
    teach(&app, &app.key).await;
    app.database().execute("UPDATE content SET b = x'00'", []).unwrap();
    let blog = app.another_site("blog").await;
    teach(&app, &blog).await;
    look(&app).await;
    assert_eq!(model_of(&app, &operator, "blog").await["learned"]["number"], 1);
}

#[tokio::test]
async fn no_more_labels_contest_than_allowed_although_what_is_in_force_learned_older_ones() {
    let app = eager_with(|config| config.learning.max_labels = 40).await;
    let operator = app.person("op@example.org", Role::Operator).await;
    teach(&app, &app.key).await;
    look(&app).await;
    assert_eq!(model_of(&app, &operator, "news").await["learned"]["number"], 1);
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for number in 0..6 {
        good.push(post(&app, &app.key, &ordinary(&format!("later-good-{number}"))).await);
        bad.push(post(&app, &app.key, &club(&format!("later-bad-{number}"))).await);
    }
    decide(&app, &good.iter().collect::<Vec<_>>(), "approve", None).await;
    decide(&app, &bad.iter().collect::<Vec<_>>(), "reject", Some("spam")).await;
    look(&app).await;
    let model = model_of(&app, &operator, "news").await;
    let teaching = model["changes"][0]["figures"]["spam"]["teaching"].as_array().unwrap();
    assert_eq!(teaching.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), 40, "{model:#}");
}

#[tokio::test]
async fn too_little_is_refused_with_the_reason_and_erasing_takes_back_what_was_learned() {
    let app = eager().await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let (good, bad) = (ordinary("good"), club("bad"));
    let (good, bad) = (post(&app, &app.key, &good).await, post(&app, &app.key, &bad).await);
    decide(&app, &[&good], "approve", None).await;
    decide(&app, &[&bad], "reject", Some("spam")).await;
    look(&app).await;
    let model = model_of(&app, &operator, "news").await;
    let change = &model["changes"][0];
    assert_eq!(change["kind"], "refused");
    assert_eq!(
        change["reason"],
        "spam: too few labels: 1 for and 1 against, 10 of each are needed; abuse: too few labels: 0 for and 1 against, 10 of each are needed"
    );
    teach(&app, &app.key).await;
    look(&app).await;
    assert_eq!(model_of(&app, &operator, "news").await["learned"]["number"], 1);
    let key = app.another_key(&doorward::domain::site::Scope::ALL).await;
    for number in 0..12 {
        let path = format!("/v1/comments/bad-{number}");
        assert_eq!(app.request(Method::DELETE, &path, &key).send().await.unwrap().status(), 204);
    }
    look(&app).await;
    let model = model_of(&app, &operator, "news").await;
    assert_eq!((&model["changes"][0]["kind"], &model["learned"]), (&json!("relearned"), &Value::Null), "{model:#}");
}

#[tokio::test]
async fn an_operator_takes_what_was_learned_out_of_force_for_good() {
    let app = eager().await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let alike = club("look-alike");
    let before = spam_by_model(&app, &app.key, &alike).await;
    teach(&app, &app.key).await;
    look(&app).await;
    let reset = app.request(Method::POST, "/v1/sites/news/model/reset", &operator).send().await.unwrap();
    let model = read(reset, &[200]).await;
    assert_eq!((&model["learned"], &model["labels"]["set-aside"]), (&Value::Null, &json!(40)));
    assert_eq!(model["changes"][0]["by"], "op@example.org");
    assert_eq!(spam_by_model(&app, &app.key, &alike).await, before);
    let again = app.request(Method::POST, "/v1/sites/news/model/rollback", &operator).send().await.unwrap();
    assert_eq!(read(again, &[409]).await["type"], "/problems/nothing-learned");
    let one = post(&app, &app.key, &club("one-more")).await;
    decide(&app, &[&one], "reject", Some("spam")).await;
    look(&app).await;
    assert_eq!(spam_by_model(&app, &app.key, &alike).await, before, "what was set aside does not come back");
    assert!(app.audit().await.iter().any(|line| line.action == "model.reset" && line.subject == "news"));
}

#[tokio::test]
async fn the_task_finds_labels_by_itself_and_a_site_that_does_not_learn_keeps_them() {
    let app = TestApp::spawn_with(|config| {
        config.model.file = saying(0.0);
        config.learning.interval_s = 0;
        config.learning.min_new = 10;
        config.limits.enabled = false;
        config.moderation.mode = doorward::domain::policy::Moderation::Pre;
        let off = doorward::app::learning::SiteConfig { enabled: false };
        config.learning.sites.insert("blog".to_owned(), off);
    })
    .await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let blog = app.another_site("blog").await;
    teach(&app, &blog).await;
    teach(&app, &app.key).await;
    while model_of(&app, &operator, "news").await["learned"] == Value::Null
        || model_of(&app, &operator, "blog").await["labels"] != json!({"off": 40})
    {
        tokio::task::yield_now().await;
    }
    let off = model_of(&app, &operator, "blog").await;
    assert_eq!((&off["learns"], &off["learned"], &off["labels"]), (&json!(false), &Value::Null, &json!({"off": 40})));
}

//! Coral's external moderation phase: who is believed, what Coral is told, and that nothing becomes clean by failing.

use std::time::Duration;

use doorward::domain::site::Scope;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Response;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::helpers::{TestApp, read, talk};

const SECRET: &str = "a3f1c2d4e5b6a7980123456789abcdefa3f1c2d4e5b6a7980123456789abcdef";
const OLDER: &str = "00f1c2d4e5b6a7980123456789abcdefa3f1c2d4e5b6a7980123456789abcdef";

/// As Coral signs: the hexadecimal HMAC-SHA256 of the bytes that it sends.
pub(crate) fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

async fn with_coral() -> TestApp {
    let app = TestApp::spawn().await;
    app.admin().site_coral_secret("news", SECRET, 0, app.now()).await.unwrap();
    app
}

fn shown(action: &str, author: &str, text: &str) -> Value {
    json!({"action": action, "comment": {"body": text, "parentID": null}, "author": {"id": author, "role": "COMMENTER"},
        "story": {"id": "s-1", "url": "https://news.example/s-1"}, "site": {"id": "x"}, "tenantID": "t",
        "tenantDomain": "talk.news.example"})
}

fn signed(app: &TestApp, body: &str, signature: &str) -> RequestBuilder {
    let request = app.request(Method::POST, "/coral/phase/news", "").header("X-Coral-Signature", signature);
    request.header("content-type", "application/json").body(body.to_owned())
}

/// As Coral sends it: indented by two.
async fn show(app: &TestApp, shown: &Value) -> Response {
    let body = serde_json::to_string_pretty(shown).unwrap();
    signed(app, &body, &signature(SECRET, &body)).send().await.unwrap()
}

/// Everything that the site has.
async fn comments(app: &TestApp) -> Vec<Value> {
    let list = app.request(Method::GET, "/v1/comments?limit=500", &app.key).send().await.unwrap();
    read(list, &[200]).await["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn coral_is_told_what_its_own_schema_takes() {
    let app = with_coral().await;
    let fine = show(&app, &shown("NEW", "ann", &talk("fine"))).await;
    assert_eq!((fine.status().as_u16(), fine.text().await.unwrap().as_str()), (204, ""), "Coral's own rules decide");
    let doubtful = read(show(&app, &shown("NEW", "ben", "buy viagra now")).await, &[200]).await;
    let flag = json!([{"actionType": "FLAG", "reason": "COMMENT_DETECTED_SPAM"}]);
    assert_eq!(doubtful, json!({"status": "SYSTEM_WITHHELD", "actions": flag}));
    let kept = comments(&app).await;
    assert_eq!(kept.len(), 2);
    let held = kept.iter().find(|comment| comment["status"] == "held").unwrap();
    assert_eq!((&held["article_id"], &held["author_id"]), (&json!("s-1"), &json!("ben")));
    // A person rejects it here; Coral asks again, as when it never heard the answer.
    let ask = json!({"items": [{"uid": held["uid"], "seen_version": held["version"]}], "action": "reject", "category": "spam"});
    app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
    let again = read(show(&app, &shown("NEW", "ben", "buy viagra now")).await, &[200]).await;
    assert_eq!(again, json!({"status": "REJECTED", "actions": flag}));
    assert_eq!(comments(&app).await.len(), 2, "the same again is the same comment");
}

#[tokio::test]
async fn only_what_is_signed_with_the_sites_secret_is_looked_at() {
    let app = with_coral().await;
    let body = serde_json::to_string_pretty(&shown("NEW", "ann", &talk("signed"))).unwrap();
    let right = signature(SECRET, &body);
    let status =
        async |body: &str, signature: &str| signed(&app, body, signature).send().await.unwrap().status().as_u16();
    assert_eq!(status(&body, &signature(OLDER, &body)).await, 401, "another secret");
    assert_eq!(status(&body.replace("ann", "eve"), &right).await, 401, "another body");
    assert_eq!(status(&body, &right["sha256=".len()..]).await, 401, "no scheme");
    assert_eq!(status(&body, &right[..right.len() - 2]).await, 401, "a beginning");
    assert_eq!(
        app.request(Method::POST, "/coral/phase/news", &app.key).body(body.clone()).send().await.unwrap().status(),
        401
    );
    let nobody =
        app.request(Method::POST, "/coral/phase/none", "").header("x-coral-signature", &right).body(body.clone());
    assert_eq!(nobody.send().await.unwrap().status(), 401);
    app.another_site("blog").await;
    let unset =
        app.request(Method::POST, "/coral/phase/blog", "").header("x-coral-signature", &right).body(body.clone());
    assert_eq!(unset.send().await.unwrap().status(), 401, "a site for which nobody set a secret");
    assert_eq!(comments(&app).await, Vec::<Value>::new());
    assert_eq!(status(&body, &format!("{}, {right}", signature(OLDER, &body))).await, 204, "one of several");
    assert_eq!(status(&body, &right.to_uppercase().replace("SHA256", "sha256")).await, 204, "in capitals");
}

#[tokio::test]
async fn a_secret_that_coral_replaces_is_believed_for_a_while() {
    let app = TestApp::spawn().await;
    app.admin().site_coral_secret("news", OLDER, 0, app.now()).await.unwrap();
    app.admin().site_coral_secret("news", SECRET, 60_000, app.now()).await.unwrap();
    let body = shown("NEW", "ann", &talk("rotated")).to_string();
    let older = async || signed(&app, &body, &signature(OLDER, &body)).send().await.unwrap().status().as_u16();
    assert_eq!(older().await, 204);
    app.clock.advance_ms(61_000);
    assert_eq!(older().await, 401);
    assert_eq!(signed(&app, &body, &signature(SECRET, &body)).send().await.unwrap().status(), 204);
    assert!(app.admin().site_coral_secret("news", "short", 0, app.now()).await.is_err());
    let stored = app.database_bytes();
    assert!(!stored.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()), "it is stored sealed");
}

#[tokio::test]
async fn an_edit_is_a_new_revision_of_the_comment_that_it_is_of() {
    let app = with_coral().await;
    let (first, other) = (talk("first"), talk("other"));
    for text in [&first, &other] {
        assert_eq!(show(&app, &shown("NEW", "ann", text)).await.status(), 204);
    }
    let before = comments(&app).await;
    let of = |all: &[Value], text: &str| all.iter().find(|comment| comment["body"] == text).cloned();
    let longer = format!("{first} And one more thing: buy viagra now");
    let told = read(show(&app, &shown("EDIT", "ann", &longer)).await, &[200]).await;
    assert!(["SYSTEM_WITHHELD", "PREMOD", "REJECTED"].contains(&told["status"].as_str().unwrap()), "{told}");
    assert_eq!(show(&app, &shown("EDIT", "ann", &longer)).await.status(), 200, "the same again");
    let after = comments(&app).await;
    assert_eq!(after.len(), 2, "nobody else wrote anything");
    let edited = of(&after, &longer).unwrap();
    assert_eq!((&edited["id"], &edited["revision"]), (&of(&before, &first).unwrap()["id"], &json!(2)));
    assert_eq!(of(&after, &other), of(&before, &other), "the other one is left alone");
    // The words of before, again: another comment, for which the name is taken.
    assert_eq!(show(&app, &shown("NEW", "ann", &first)).await.status(), 204);
    assert_eq!(comments(&app).await.len(), 3);
    // An edit of something that never came this way is a comment all the same.
    assert_eq!(show(&app, &shown("EDIT", "eve", &talk("late"))).await.status(), 204);
    assert_eq!(comments(&app).await.len(), 4);
}

#[tokio::test]
async fn the_same_words_again_are_soon_judged_anew() {
    let app = with_coral().await;
    let fine = shown("NEW", "ann", &talk("again and again"));
    assert_eq!(show(&app, &fine).await.status(), 204);
    let ban =
        json!({"site": "news", "target": {"kind": "author", "value": "ann"}, "measure": "ban", "cause": "enough"});
    read(app.request(Method::POST, "/v1/sanctions", &app.token).json(&ban).send().await.unwrap(), &[201]).await;
    app.clock.advance_ms(60_000);
    assert_eq!(show(&app, &fine).await.status(), 204, "Coral did not hear the answer: it is the same comment");
    assert_eq!(comments(&app).await.len(), 1);
    app.clock.advance_ms(61_000);
    for _ in 0..2 {
        let told = read(show(&app, &fine).await, &[200]).await;
        assert_eq!(told["status"], "REJECTED", "the ban counts for words that were let through before it");
        assert_eq!(comments(&app).await.len(), 2);
    }
}

#[tokio::test]
async fn a_comment_that_is_written_anew_replaces_no_other_of_that_author() {
    let app = with_coral().await;
    assert_eq!(show(&app, &shown("NEW", "ann", "Thank you for this fine article")).await.status(), 204);
    let before = comments(&app).await;
    show(&app, &shown("EDIT", "ann", "Nobody mentioned tram fares yesterday")).await;
    let after = comments(&app).await;
    assert_eq!(after.len(), 2);
    assert!(after.contains(&before[0]), "the other one is left alone");
}

/// Everything that happened to a comment.
async fn history(app: &TestApp, comment: &Value) -> Vec<Value> {
    let path = format!("/v1/comments/by-uid/{}/explanation", comment["uid"].as_str().unwrap());
    app.review(Method::GET, &path, None).await["history"].as_array().unwrap().clone()
}

fn saying(all: &[Value], text: &str) -> Vec<Value> {
    all.iter().filter(|comment| comment["body"] == text).cloned().collect()
}

#[tokio::test]
async fn an_edit_into_the_words_of_an_older_comment_is_recorded_and_judged_by_itself() {
    let app = with_coral().await;
    let older = "The trams were late again this morning, and nobody said why";
    let newer = "The trams were late again this morning, and it rained";
    show(&app, &shown("NEW", "ann", older)).await;
    app.clock.advance_ms(180_000);
    show(&app, &shown("NEW", "ann", newer)).await;
    let before = comments(&app).await;
    let (first, second) = (saying(&before, older).remove(0), saying(&before, newer).remove(0));
    for _ in 0..2 {
        show(&app, &shown("EDIT", "ann", older)).await;
        let after = comments(&app).await;
        assert_eq!(after.len(), 2, "the same again is the same edit");
        let edited = after.iter().find(|comment| comment["id"] == second["id"]).unwrap();
        assert_eq!((&edited["body"], &edited["revision"]), (&json!(older), &json!(2)));
        assert_eq!(after.iter().find(|comment| comment["id"] == first["id"]), Some(&first), "left alone");
        let kinds: Vec<_> = history(&app, edited).await.iter().map(|one| one["kind"].clone()).collect();
        assert_eq!(kinds, ["received", "edited"], "what it was at first is kept");
    }
}

#[tokio::test]
async fn an_old_comment_lends_nobody_what_was_decided_about_its_words() {
    let app = with_coral().await;
    let older = talk("what was fine then");
    assert_eq!(show(&app, &shown("NEW", "ann", &older)).await.status(), 204);
    app.clock.advance_ms(180_000);
    assert_eq!(show(&app, &shown("EDIT", "ann", &older)).await.status(), 204);
    let all = comments(&app).await;
    assert_eq!((all.len(), &all[0]["revision"]), (1, &json!(1)), "it was saved as it was");
    let first = all[0].clone();
    app.clock.advance_ms(180_000);
    let newer = "Nobody mentioned tram fares yesterday";
    show(&app, &shown("NEW", "ann", newer)).await;
    let second = saying(&comments(&app).await, newer).remove(0);
    let ban =
        json!({"site": "news", "target": {"kind": "author", "value": "ann"}, "measure": "ban", "cause": "enough"});
    read(app.request(Method::POST, "/v1/sanctions", &app.token).json(&ban).send().await.unwrap(), &[201]).await;
    app.clock.advance_ms(1_000);
    for _ in 0..2 {
        let told = read(show(&app, &shown("EDIT", "ann", &older)).await, &[200]).await;
        assert_eq!(told["status"], "REJECTED", "the ban counts, although these words were let through before it");
        let after = comments(&app).await;
        assert_eq!(after.len(), 3, "of which of both it is an edit nobody can tell: both stay as they are");
        let stays = |one: &Value| {
            let is_one = |now: &Value| ["id", "body", "revision"].iter().all(|field| now[field] == one[field]);
            after.iter().any(is_one)
        };
        assert!(stays(&first) && stays(&second), "{after:?}");
    }
}

#[tokio::test]
async fn what_a_person_decided_does_not_count_for_other_words() {
    let app = with_coral().await;
    let text = "buy viagra now";
    assert_eq!(show(&app, &shown("NEW", "ben", text)).await.status(), 200);
    let held = comments(&app).await.remove(0);
    let ask = json!({"items": [{"uid": held["uid"], "seen_version": held["version"]}], "action": "approve"});
    app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
    assert_eq!(show(&app, &shown("EDIT", "ben", text)).await.status(), 204, "saved as it was, the decision stands");
    let other = format!("{text}, cheap viagra");
    let told = read(show(&app, &shown("EDIT", "ben", &other)).await, &[200]).await;
    assert_ne!(told["status"], "APPROVED");
    let edited = comments(&app).await.remove(0);
    assert_eq!((&edited["id"], &edited["revision"], &edited["decided_by"]), (&held["id"], &json!(2), &json!("policy")));
    let decided = history(&app, &edited).await;
    assert!(decided.iter().any(|one| one["kind"] == "decided" && one["status"] == "approved"), "{decided:?}");
}

#[tokio::test]
async fn what_corals_moderators_decide_is_about_the_comment_that_the_phase_brought() {
    let app = with_coral().await;
    let text = talk("same words");
    show(&app, &shown("NEW", "ann", &text)).await;
    let mut elsewhere = shown("NEW", "ben", &text);
    elsewhere["story"] = json!({"id": "s-2", "url": "https://news.example/s-2"});
    show(&app, &elsewhere).await;
    let under = async |story: &str| {
        let all = comments(&app).await;
        assert_eq!(all.len(), 2, "none is made up beside these");
        all.into_iter().find(|comment| comment["article_id"] == story).unwrap()
    };
    let other = under("s-2").await;
    let key = app.another_key(&[Scope::Feedback]).await;
    let entry =
        json!({"url": "https://news.example/s-1?commentID=of-coral", "Coral_comment_id": "of-coral"}).to_string();
    let decided = json!({"comment": {"text": text}, "context": {"entries": [{"text": entry}]}, "clientToken": "comment:of-coral",
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1.0}}}});
    let answer =
        app.request(Method::POST, "/v1alpha1/comments:suggestscore", &key).json(&decided).send().await.unwrap();
    read(answer, &[200]).await;
    let one = under("s-1").await;
    assert_eq!((&one["status"], &one["decided_by"]), (&json!("rejected"), &json!("person")));
    assert_eq!(under("s-2").await, other);
}

#[tokio::test]
async fn nothing_becomes_clean_by_failing() {
    let app = with_coral().await;
    let premod = json!({"status": "PREMOD"});
    let long = "word ".repeat(20_000);
    let cases = [
        ("no JSON", "{".to_owned()),
        ("another action", shown("DELETE", "ann", "words").to_string()),
        ("blank", shown("NEW", "ann", " ").to_string()),
        ("too long", shown("NEW", "ann", &long).to_string()),
        ("no story", json!({"action": "NEW", "comment": {"body": "b"}, "author": {"id": "a"}}).to_string()),
    ];
    for (name, body) in cases {
        let answer = signed(&app, &body, &signature(SECRET, &body)).send().await.unwrap();
        assert_eq!(read(answer, &[200]).await, premod, "{name}");
    }
    assert_eq!(comments(&app).await, Vec::<Value>::new());
    let larger = shown("NEW", "ann", &"w".repeat(1_100_000)).to_string();
    let answer = signed(&app, &larger, &signature(SECRET, &larger)).send().await.unwrap();
    assert_eq!(read(answer, &[200]).await, premod, "a body that is too large to be looked at");
    let more = {
        let mut more = shown("NEW", "ann", &talk("more"));
        more["comment"]["richText"] = json!({"a": [1]});
        more["something"] = json!("new");
        more
    };
    assert_eq!(show(&app, &more).await.status(), 204, "what Coral adds one day does no harm");
    let metrics = app.request(Method::GET, "/metrics", "").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("doorward_coral_unjudged_total{why=\"unreadable\"}"), "an operator can see it");
}

#[tokio::test]
async fn coral_is_answered_in_time_and_the_comment_is_taken_all_the_same() {
    let app = TestApp::spawn_with(|config| {
        config.webhooks_in.coral_deadline_ms = 50;
        config.database.busy_timeout_ms = 60_000; // the database is locked for as long as the test takes for an answer
    })
    .await;
    app.admin().site_coral_secret("news", SECRET, 0, app.now()).await.unwrap();
    // Its secret is known from here on. Where that takes longer, Coral is told to wait, and asks again.
    let known = async { while show(&app, &shown("NEW", "ann", &talk("one"))).await.status() != 204 {} };
    tokio::time::timeout(Duration::from_mins(1), known).await.expect("Coral's secret is known");
    let lock = app.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waits = read(show(&app, &shown("NEW", "ann", &talk("two"))).await, &[200]).await;
    assert_eq!(waits, json!({"status": "PREMOD"}), "not clean, only because the database is slow");
    drop(lock);
    let taken = async {
        while comments(&app).await.len() < 2 {
            tokio::task::yield_now().await; // what was begun is done to its end
        }
    };
    tokio::time::timeout(Duration::from_mins(1), taken).await.expect("the comment is taken");
}

#[tokio::test]
async fn over_a_limit_a_comment_waits() {
    let app = TestApp::spawn_with(|config| {
        let policy = r#"[[policies]]
            name = "per-site"
            key = "site"
            quota = 1
            window_s = 3600
            on_limit = "refuse"
            routes = ["comment"]"#;
        config.limits = toml::from_str(policy).unwrap();
    })
    .await;
    app.admin().site_coral_secret("news", SECRET, 0, app.now()).await.unwrap();
    assert_eq!(show(&app, &shown("NEW", "ann", &talk("one"))).await.status(), 204);
    assert_eq!(read(show(&app, &shown("NEW", "ann", &talk("two"))).await, &[200]).await, json!({"status": "PREMOD"}));
}

#[tokio::test]
async fn bodies_are_read_as_coral_writes_them() {
    let app = with_coral().await;
    let text = "<div>Have a look at <a href=\"https://shop.example/pills\">this</a>, everybody</div>";
    let body = shown("NEW", "ann", text).to_string();
    let ask = async |format: &str| {
        let request = app.request(Method::POST, &format!("/coral/phase/news?format={format}"), "");
        request.header("x-coral-signature", signature(SECRET, &body)).body(body.clone()).send().await.unwrap()
    };
    for not_one in ["markdown", "text&format=html"] {
        assert_eq!(
            read(ask(not_one).await, &[200]).await,
            json!({"status": "PREMOD"}),
            "to refuse it would publish it"
        );
    }
    assert!(ask("html").await.status().is_success());
    assert_eq!(comments(&app).await[0]["format"], "html");
}

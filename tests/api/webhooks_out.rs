//! What a site is told, by a receiver that listens: once, in order, after the grace, whoever else is down.

use std::collections::BTreeMap;

use doorward::app::outbox;
use doorward::app::signature;
use doorward::config::Config;
use doorward::domain::people::{Reach, Role};
use doorward::domain::scores::Score;
use doorward::domain::store::SecretKind;
use doorward::domain::time::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{START_MS, TestApp, doubtful, ordinary, read};
use crate::receiver::{Came, Receiver, Reply};

/// A service that may speak to this machine, and looks often.
async fn spawn(change: impl FnOnce(&mut outbox::Config)) -> TestApp {
    TestApp::spawn_with(|config: &mut Config| {
        config.limits.enabled = false;
        config.learning.enabled = false; // or what a thousand decisions teach would change how the next comments are judged
        config.webhooks.allow_hosts = vec!["127.0.0.1".to_owned()];
        config.webhooks.poll_ms = 10;
        config.policy.spam.reject = Score::new(1.0).unwrap(); // what is told is asked here, not how sure a thousand alike are
        change(&mut config.webhooks);
    })
    .await
}

/// A site with a receiver: its key and its webhook secret.
async fn site(app: &TestApp, name: &str, url: &str) -> (String, String) {
    let made = app.admin().site_create(name, None, Some(url), app.now()).await.unwrap();
    (made.key, made.webhook_secret)
}

async fn send(app: &TestApp, key: &str, body: &Value) -> Value {
    let request = app.request(Method::POST, "/v1/comments", key).json(body);
    read(request.send().await.unwrap(), &[201]).await
}

async fn held(app: &TestApp, key: &str, id: &str) -> Value {
    let comment = send(app, key, &doubtful(id)).await;
    assert_eq!(comment["status"], "held");
    comment
}

async fn decide(app: &TestApp, comment: &Value, action: &str) -> Value {
    app.review(Method::POST, "/v1/decisions", Some(&decision(comment, action))).await
}

fn decision(comment: &Value, action: &str) -> Value {
    let items = json!([{"uid": comment["uid"], "seen_version": comment["version"]}]);
    json!({"items": items, "action": action, "category": "spam", "reason": "advertising", "note": "for colleagues only"})
}

fn verify(secret: &str, came: &Came, now_ms: i64) -> Result<(), signature::BadSignature> {
    let (secrets, now) = ([secret.to_owned()], Timestamp::from_millis(now_ms));
    signature::verify(&secrets, &came.id, &came.timestamp, &came.signature, came.body.as_bytes(), now)
}

async fn operator(app: &TestApp) -> String {
    app.person("ops@example.org", Role::Operator).await
}

async fn letters(app: &TestApp, token: &str, query: &str) -> Vec<Value> {
    let answer = app.request(Method::GET, &format!("/v1/outbox{query}"), token).send().await.unwrap();
    read(answer, &[200]).await["items"].as_array().unwrap().clone()
}

/// Asks until the letters are as they should be.
async fn letters_until(app: &TestApp, token: &str, query: &str, good: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let found = letters(app, token, query).await;
        if good(&found) {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

async fn resend(app: &TestApp, token: &str, body: &Value) -> Value {
    let request = app.request(Method::POST, "/v1/outbox/resend", token).json(body);
    read(request.send().await.unwrap(), &[200]).await["resent"].clone()
}

#[tokio::test]
async fn a_decision_is_told_once_when_its_grace_is_over() {
    let receiver = Receiver::start(|_, _| Reply::Status(204)).await;
    let app = spawn(|_| {}).await;
    let (key, secret) = site(&app, "blog", &receiver.url("/hooks")).await;
    let (early, late) = (held(&app, &key, "early").await, held(&app, &key, "late").await);
    decide(&app, &early, "approve").await;
    app.clock.advance_ms(5_000);
    let ruled = decide(&app, &late, "reject").await;
    app.clock.advance_ms(5_000);
    let came = receiver.wait(1).await;
    assert_eq!(came[0].says(), ("early".to_owned(), "comment.approved".to_owned()));
    let token = operator(&app).await;
    let waiting = letters_until(&app, &token, "", |letters| letters.len() == 1).await;
    assert_eq!((&waiting[0]["uid"], &waiting[0]["attempts"]), (&late["uid"], &json!(0)), "the other one's is not over");
    app.clock.advance_ms(5_000);
    let came = receiver.wait(2).await.swap_remove(1);
    assert_eq!((came.says().1.as_str(), verify(&secret, &came, START_MS + 15_000)), ("comment.rejected", Ok(())));
    let shown = read(app.request(Method::GET, "/v1/comments/late", &key).send().await.unwrap(), &[200]).await;
    let mut told = came.json();
    assert_eq!(told["timestamp"], shown["updated_at"]);
    let ruling = told["data"].as_object_mut().unwrap().remove("ruling").unwrap();
    assert_eq!(told["data"], shown, "the comment as the site's own API shows it");
    assert_eq!(ruling, json!({"id": ruled["decision"], "category": "spam", "reason": "advertising"}));
    assert!(!came.body.contains("colleagues") && !came.body.contains("mod@example.org"));
    letters_until(&app, &token, "", <[Value]>::is_empty).await;
    assert_eq!(receiver.came().len(), 2);
}

#[tokio::test]
async fn what_is_taken_back_in_time_is_never_told_and_what_is_not_is_told_twice() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let app = spawn(|_| {}).await;
    let (key, _) = site(&app, "blog", &receiver.url("/")).await;
    let (in_time, too_late) = (held(&app, &key, "in-time").await, held(&app, &key, "too-late").await);
    let undo = async |ruled: &Value| {
        let path = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
        app.review(Method::POST, &path, None).await
    };
    let ruled = decide(&app, &in_time, "approve").await;
    let other = decide(&app, &too_late, "approve").await;
    app.clock.advance_ms(9_000);
    undo(&ruled).await;
    app.clock.advance_ms(1_000);
    receiver.wait(1).await;
    undo(&other).await;
    let said: Vec<_> = receiver.wait(2).await.iter().map(Came::says).collect();
    let of = |kind: &str| ("too-late".to_owned(), format!("comment.{kind}"));
    assert_eq!(said, [of("approved"), of("held")]);
}

#[tokio::test]
async fn first_verdicts_are_told_where_the_operator_wants_it() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let app = spawn(|webhooks| webhooks.first_verdict = true).await;
    let (key, _) = site(&app, "blog", &receiver.url("/")).await;
    send(&app, &key, &ordinary("c-1")).await;
    let mut edited = ordinary("c-1");
    edited["body"] = json!("buy viagra c-1");
    receiver.wait(1).await;
    read(app.request(Method::PUT, "/v1/comments/c-1", &key).json(&edited).send().await.unwrap(), &[200]).await;
    let kinds: Vec<_> = receiver.wait(2).await.iter().map(|came| came.says().1).collect();
    assert_eq!(kinds, ["comment.approved", "comment.held"]);
}

#[tokio::test]
async fn erasing_by_a_moderator_is_told() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let app = spawn(|_| {}).await;
    let (key, _) = site(&app, "blog", &receiver.url("/")).await;
    let comment = send(&app, &key, &ordinary("c-1")).await;
    let gone = app.request(Method::DELETE, "/v1/comments/c-1?site=blog", &app.token).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    let told = receiver.wait(1).await[0].json();
    assert_eq!(told["type"], "comment.erased");
    assert_eq!(told["data"], json!({"id": "c-1", "uid": comment["uid"], "site": "blog"}));
    assert_eq!(told["timestamp"], "2026-11-24T10:00:00Z");
}

#[tokio::test]
async fn a_dead_and_a_slow_site_delay_nobody() {
    let receiver = Receiver::start(|came, _| match came.path.as_str() {
        "/slow" => Reply::Never,
        "/dead" => Reply::Cut,
        _ => Reply::Status(200),
    })
    .await;
    let app = spawn(|webhooks| {
        webhooks.undo_grace_s = 0;
        webhooks.per_site = 3;
        webhooks.in_flight = 8;
        webhooks.timeout_ms = 60_000;
    })
    .await;
    let mut keys = BTreeMap::new();
    for name in ["slow", "dead", "quick"] {
        keys.insert(name, site(&app, name, &receiver.url(&format!("/{name}"))).await.0);
    }
    for at in 0..10 {
        for name in ["slow", "dead"] {
            let comment = held(&app, &keys[name], &format!("{name}-{at}")).await;
            decide(&app, &comment, "approve").await;
        }
    }
    for at in 0..5 {
        let comment = held(&app, &keys["quick"], &format!("quick-{at}")).await;
        decide(&app, &comment, "approve").await;
    }
    let quick = |came: &[Came]| came.iter().filter(|came| came.path == "/quick").count();
    let mut count = 1;
    while quick(&receiver.wait(count).await) < 5 {
        count += 1;
    }
    let slow = receiver.came().iter().filter(|came| came.path == "/slow").count();
    assert!(slow <= 3, "{slow} are on their way to the slow site at once");
}

#[tokio::test]
async fn a_dead_site_with_much_to_be_told_is_hardly_asked_and_others_are_served() {
    const BACKLOG: usize = 3_000;
    let receiver = Receiver::start(|came, _| if came.path == "/dead" { Reply::Cut } else { Reply::Status(200) }).await;
    let app = spawn(|webhooks| {
        webhooks.undo_grace_s = 0;
        webhooks.first_verdict = true;
    })
    .await;
    let dead = receiver.url("/dead");
    assert!(app.admin().site_webhook("news", Some(&dead), app.now()).await.is_ok());
    let (key, _) = site(&app, "quick", &receiver.url("/quick")).await;
    let comments: Vec<Value> = (0..BACKLOG).map(|at| doubtful(&format!("dead-{at}"))).collect();
    assert_eq!(app.batch(&comments).await.len(), BACKLOG);
    let came_to = |path: &str| receiver.came().iter().filter(|came| came.path == path).count();
    for round in 1..=4 {
        for at in 0..20 {
            held(&app, &key, &format!("quick-{round}-{at}")).await;
        }
        while came_to("/quick") < round * 20 || came_to("/dead") < round {
            tokio::task::yield_now().await;
        }
        // A lane begins with two, and comes down to one.
        assert!(came_to("/dead") <= round + 1, "round {round}: the dead site was asked {} times", came_to("/dead"));
        app.clock.advance_ms(300_000); // longer than it is left alone
    }
}

#[tokio::test]
async fn a_failing_receiver_is_tried_again_under_the_same_id_until_it_answers() {
    let receiver = Receiver::start(|_, before| match before {
        0 => Reply::Status(500),
        1 => Reply::Cut,
        2 => Reply::With(503, "retry-after: 100".to_owned()),
        3 => Reply::Status(404),
        _ => Reply::Status(200),
    })
    .await;
    let app = spawn(|webhooks| webhooks.undo_grace_s = 0).await;
    let (key, secret) = site(&app, "blog", &receiver.url("/")).await;
    let token = operator(&app).await;
    let comment = held(&app, &key, "c-1").await;
    decide(&app, &comment, "approve").await;
    let mut now_ms = START_MS;
    for attempt in 1..=4 {
        receiver.wait(attempt).await;
        // What went wrong is noted after the attempt: until then the letter shows what went wrong before.
        let problem = ["answered 500", "connection broke", "answered 503", "answered 404"][attempt - 1];
        let noted = |letters: &[Value]| {
            letters.len() == 1 && letters[0]["problem"].as_str().is_some_and(|text| text.contains(problem))
        };
        let letter = letters_until(&app, &token, "?site=blog", noted).await.swap_remove(0);
        assert_eq!(letter["attempts"], attempt);
        let wait = Timestamp::parse(letter["next_at"].as_str().unwrap()).unwrap().as_millis() - now_ms;
        let most = if attempt == 3 { 100_000 } else { 5_000 << (attempt - 1) };
        assert!((0..=most).contains(&wait), "attempt {attempt}: {wait}");
        if attempt == 3 {
            assert_eq!(wait, 100_000, "as it asks");
        }
        app.clock.advance_ms(wait);
        now_ms += wait;
    }
    let came = receiver.wait(5).await;
    assert!(came.iter().all(|one| one.id == came[0].id && one.body == came[0].body), "{came:#?}");
    assert_eq!(verify(&secret, &came[4], now_ms), Ok(()), "signed anew each time");
    letters_until(&app, &token, "", <[Value]>::is_empty).await;
}

#[tokio::test]
async fn a_gone_receiver_leaves_dead_letters_that_can_be_sent_again() {
    let receiver = Receiver::start(|_, before| Reply::Status(if before == 0 { 410 } else { 200 })).await;
    let app = spawn(|webhooks| webhooks.undo_grace_s = 0).await;
    let (key, _) = site(&app, "blog", &receiver.url("/")).await;
    let token = operator(&app).await;
    for id in ["c-1", "c-2", "c-3"] {
        let comment = held(&app, &key, id).await;
        decide(&app, &comment, "approve").await;
        let dead = |letters: &[Value]| !letters.is_empty() && letters.iter().all(|letter| !letter["dead_at"].is_null());
        letters_until(&app, &token, "?dead=true", dead).await;
    }
    assert_eq!(receiver.came().len(), 1, "nothing else was tried");
    let dead = letters(&app, &token, "?dead=true&site=blog").await;
    assert_eq!((dead.len(), &dead[0]["type"]), (3, &json!("comment.approved")));
    assert!(dead[0]["problem"].as_str().unwrap().contains("410"), "{}", dead[0]);
    assert_eq!(resend(&app, &token, &json!({"ids": [dead[2]["id"]]})).await, 1);
    assert_eq!(receiver.wait(2).await[1].id, dead[2]["id"].as_str().unwrap());
    assert_eq!(resend(&app, &token, &json!({"site": "blog"})).await, 2);
    receiver.wait(4).await;
    assert_eq!(resend(&app, &token, &json!({"all": true})).await, 0);
    for wrong in
        [json!({}), json!({"all": false}), json!({"all": true, "site": "blog"}), json!({"ids": [], "site": "x"})]
    {
        let answer = app.request(Method::POST, "/v1/outbox/resend", &token).json(&wrong).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{wrong}");
    }
}

#[tokio::test]
async fn letters_are_for_those_whose_sites_they_are() {
    let receiver = Receiver::start(|_, _| Reply::Status(410)).await;
    let app = spawn(|webhooks| webhooks.undo_grace_s = 0).await;
    let token = operator(&app).await;
    for name in ["blog", "shop"] {
        let (key, _) = site(&app, name, &receiver.url("/")).await;
        let comment = held(&app, &key, "c-1").await;
        decide(&app, &comment, "approve").await;
    }
    letters_until(&app, &token, "?dead=true", |letters| letters.len() == 2).await;
    let reach = Reach { sites: Some(vec!["shop".to_owned()]), ..Reach::ALL };
    app.admin().user_create("shop@example.org", Role::Operator, &reach, app.now()).await.unwrap();
    let theirs = app.admin().token_create("shop@example.org", app.now()).await.unwrap().token;
    let found = letters(&app, &theirs, "").await;
    assert_eq!((found.len(), &found[0]["site"]), (1, &json!("shop")));
    assert!(letters(&app, &theirs, "?site=blog").await.is_empty());
    assert_eq!(resend(&app, &theirs, &json!({"site": "blog"})).await, 0);
    assert_eq!(resend(&app, &theirs, &json!({"all": true})).await, 1);
}

#[tokio::test]
async fn addresses_that_are_not_public_are_reached_only_when_allowed() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let app = spawn(|webhooks| {
        webhooks.undo_grace_s = 0;
        webhooks.allow_hosts = vec!["hooks.internal".to_owned()];
    })
    .await;
    let token = operator(&app).await;
    let (key, _) = site(&app, "blog", &receiver.url("/")).await;
    let comment = held(&app, &key, "c-1").await;
    decide(&app, &comment, "approve").await;
    let tried = |letters: &[Value]| letters.iter().any(|letter| !letter["problem"].is_null());
    let problem = letters_until(&app, &token, "", tried).await[0]["problem"].as_str().unwrap().to_owned();
    assert!(
        problem.contains("127.0.0.1 leads to this machine itself") && problem.contains("webhooks.allow_hosts"),
        "{problem}"
    );
    app.clock.advance_ms(6 * 3_600_000);
    let dead = letters_until(&app, &token, "?dead=true", |letters| letters.len() == 1).await;
    assert_eq!(dead[0]["problem"], problem);
    assert!(receiver.came().is_empty());
    for bad in ["ftp://x.example/", "https://user:word@x.example/", "x", "http://x.example:22/"] {
        assert!(app.admin().site_create("other", None, Some(bad), app.now()).await.is_err(), "{bad}");
        assert!(app.admin().site_webhook("blog", Some(bad), app.now()).await.is_err(), "{bad}");
    }
}

#[tokio::test]
async fn two_secrets_are_valid_while_one_is_rotated() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let app = spawn(|webhooks| webhooks.undo_grace_s = 0).await;
    let (key, old) = site(&app, "blog", &receiver.url("/")).await;
    let next = async |at: usize| {
        let comment = held(&app, &key, &format!("c-{at}")).await;
        decide(&app, &comment, "approve").await;
        receiver.wait(at).await.swap_remove(at - 1)
    };
    let before = next(1).await;
    let now = |app: &TestApp| app.now().as_millis();
    assert_eq!(verify(&old, &before, now(&app)), Ok(()));
    let new = app.admin().site_secret("blog", SecretKind::Webhook, 3_600_000, app.now()).await.unwrap().secret;
    let during = next(2).await;
    assert_eq!((verify(&old, &during, now(&app)), verify(&new, &during, now(&app))), (Ok(()), Ok(())));
    assert!(verify(&new, &before, now(&app)).is_err());
    app.clock.advance_ms(3_600_000);
    let after = next(3).await;
    assert!(verify(&old, &after, now(&app)).is_err());
    assert_eq!(verify(&new, &after, now(&app)), Ok(()));
}

#[tokio::test]
async fn what_is_ready_says_how_the_outbox_stands() {
    let app = spawn(|_| {}).await;
    let ready = read(app.request(Method::GET, "/readyz", "").send().await.unwrap(), &[200]).await;
    assert_eq!(
        (&ready["database"], &ready["outbox"], &ready["outbox_dead"]),
        (&json!("ready"), &json!("ready"), &json!(0))
    );
}

/// Every write of one site's notices fails, as when its part of a shared database cannot be used.
#[tokio::test]
async fn a_site_of_which_nothing_can_be_taken_keeps_no_other_from_hearing_and_the_service_stays_ready() {
    let receiver = Receiver::start(|_, _| Reply::Status(204)).await;
    let app = spawn(|webhooks| webhooks.undo_grace_s = 0).await;
    let mut keys = Vec::new();
    for name in ["broken", "whole"] {
        keys.push(site(&app, name, &receiver.url(&format!("/{name}"))).await.0);
    }
    app.database()
        .execute_batch(
            "CREATE TRIGGER broken BEFORE UPDATE ON outbox WHEN new.site = (SELECT id FROM site WHERE name = 'broken') \
             BEGIN SELECT raise(ABORT, 'not now'); END",
        )
        .unwrap();
    for (number, key) in keys.iter().enumerate() {
        for round in 0..3 {
            let comment = held(&app, key, &format!("c-{number}-{round}")).await;
            decide(&app, &comment, "approve").await;
        }
    }
    let came = receiver.wait(3).await;
    assert!(came.iter().all(|came| came.path == "/whole"), "{came:?}");
    let ready = read(app.request(Method::GET, "/readyz", "").send().await.unwrap(), &[200]).await;
    assert_eq!(ready["outbox"], "ready", "nothing is wrong with this node");
    app.database().execute_batch("DROP TRIGGER broken").unwrap();
    app.clock.advance_ms(5_000);
    receiver.wait(6).await;
    letters_until(&app, &operator(&app).await, "", <[Value]>::is_empty).await;
}

#[tokio::test]
async fn a_damaged_notice_is_a_dead_letter_that_says_so() {
    let receiver = Receiver::start(|_, _| Reply::Status(204)).await;
    let app = spawn(|webhooks| webhooks.undo_grace_s = 10).await;
    let (key, _) = site(&app, "blog", &receiver.url("/")).await;
    for id in ["damaged", "whole"] {
        let comment = held(&app, &key, id).await;
        decide(&app, &comment, "approve").await;
    }
    let harm = "UPDATE outbox SET b = x'07' WHERE id = (SELECT min(id) FROM outbox)";
    assert_eq!(app.database().execute(harm, []).unwrap(), 1);
    app.clock.advance_ms(10_000);
    assert_eq!(receiver.wait(1).await[0].says().0, "whole");
    let left = letters_until(&app, &operator(&app).await, "?dead=true", |letters| letters.len() == 1).await;
    assert_eq!(left[0]["type"], "unreadable");
    assert!(left[0]["problem"].as_str().unwrap().starts_with("what is stored of it cannot be read: "), "{left:?}");
}

/// Twice a thousand decisions: one wins, the other sees the winner's verdict, and one webhook leaves.
#[tokio::test]
async fn of_two_moderators_one_wins_a_thousand_times_and_the_site_hears_of_that_one() {
    const TIMES: usize = 1_000;
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let app = spawn(|webhooks| webhooks.undo_grace_s = 0).await;
    let (key, _) = site(&app, "blog", &receiver.url("/")).await;
    let other = app.person("other@example.org", Role::Moderator).await;
    let mut won = BTreeMap::new();
    for at in 0..TIMES {
        let id = format!("race-{at}");
        let item = held(&app, &key, &id).await;
        let by = |token: &str, action: &str| {
            app.request(Method::POST, "/v1/decisions", token).json(&decision(&item, action)).send()
        };
        let (first, second) = tokio::join!(by(&app.token, "approve"), by(&other, "reject"));
        let (first, second) = (first.unwrap(), second.unwrap());
        let (verdict, loser) = if first.status() == 200 { ("approved", second) } else { ("rejected", first) };
        let conflict = read(loser, &[409]).await;
        assert_eq!(
            (&conflict["current"]["status"], &conflict["current"]["decided_by"]),
            (&json!(verdict), &json!("person"))
        );
        won.insert(id, format!("comment.{verdict}"));
    }
    receiver.wait(TIMES).await;
    letters_until(&app, &operator(&app).await, "", <[Value]>::is_empty).await;
    let came = receiver.came();
    let told: BTreeMap<_, _> = came.iter().map(Came::says).collect();
    assert_eq!((came.len(), told), (TIMES, won), "one webhook for each, and the winner's");
}

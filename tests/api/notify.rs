//! What operators are told: by a mail server and a receiver that are there, and while they are not.

use doorward::app::signature;
use doorward::domain::notices::AlertKind;
use doorward::domain::service::hours::{self, Day};
use doorward::domain::service::queues::QueueConfig;
use reqwest::Method;
use serde_json::json;

use crate::helpers::{START_MS, TestApp, doubtful, ordinary};
use crate::receiver::{Came, Receiver, Reply};
use crate::smtp::MailServer;

const MIN_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MIN_MS;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A service with one queue that is to be answered within an hour, whose messages go to both. Its day begins at 11:00 in Berlin.
async fn service(mail: &MailServer, receiver: &Receiver) -> TestApp {
    let (port, url) = (mail.port, receiver.url("/ops"));
    TestApp::spawn_with(move |config| {
        config.server.public_url = "https://moderation.example/".to_owned();
        config.queues = vec![QueueConfig { name: "desk".to_owned(), answer_within_min: 60, ..QueueConfig::default() }];
        config.working_hours = hours::Config {
            time_zone: "Europe/Berlin".to_owned(),
            days: Day::ALL.to_vec(),
            from: "08:00".to_owned(),
            to: "20:00".to_owned(),
            holidays: Vec::new(),
        };
        config.webhooks.allow_hosts = vec!["127.0.0.1".to_owned()];
        config.notify.digest = false;
        config.notify.digest_hour = 0;
        config.notify.mail.server = "127.0.0.1".to_owned();
        config.notify.mail.port = port;
        config.notify.mail.security = doorward::app::notify::Security::None;
        config.notify.mail.from = "Doorward <doorward@news.example>".to_owned();
        config.notify.mail.to = vec!["ann@news.example".to_owned(), "Bob <bob@news.example>".to_owned()];
        config.notify.webhook.url = url;
        config.notify.webhook.secret = serde_json::from_value(json!(SECRET)).unwrap();
    })
    .await
}

async fn both() -> (MailServer, Receiver) {
    (MailServer::start(|_| "250 ok").await, Receiver::start(|_, _| Reply::Status(204)).await)
}

/// Has the service look, now. It also looks by itself, whenever it likes: nothing is told twice for that.
async fn look(app: &TestApp) {
    app.notifier.look(app.now()).await.unwrap();
}

#[tokio::test]
async fn a_late_queue_is_told_once_again_after_a_while_and_when_it_is_over() {
    let (mail, receiver) = both().await;
    let app = service(&mail, &receiver).await;
    let held = app.comment(&doubtful("d-1")).await;
    app.clock.advance_ms(59 * MIN_MS);
    look(&app).await;
    assert_eq!((mail.came().len(), receiver.came().len()), (0, 0), "in time");
    app.clock.advance_ms(26 * MIN_MS);
    for _ in 0..3 {
        look(&app).await;
    }
    let (letters, hooks) = (mail.came(), receiver.came());
    let ([letter], [hook]) = (letters.as_slice(), hooks.as_slice()) else { panic!("{letters:#?} {hooks:#?}") };
    assert_eq!((letter.from.as_str(), letter.to.len()), ("doorward@news.example", 2));
    let subject = "[Doorward] Queue desk is late: 1 item waits, overdue by 25 min";
    assert_eq!(letter.header("Subject").as_deref(), Some(subject));
    assert_eq!(letter.header("Content-Type").as_deref(), Some("text/plain; charset=utf-8"));
    assert!(letter.header("Message-ID").unwrap().ends_with("@news.example>"));
    let expected = "In the queue desk 1 item waits. The oldest came in at 2026-11-24 11:00 and should have been answered by 2026-11-24 12:00 \
                    (Europe/Berlin): it is overdue by 25 min of working hours.\n\nhttps://moderation.example/queue?queue=desk&sort=oldest\n\n\
                    You will be told when it is over, and again after 4 h if it is not.\n";
    assert_eq!(letter.text().trim_end(), expected.trim_end());
    assert!(!letter.message.contains("viagra"), "what commenters write is not repeated");
    let said = hook.json();
    assert_eq!(
        json!([said["type"], said["subject"], said["data"]["kind"], said["data"]["about"]]),
        json!(["alert.raised", subject, "queue-late", "desk"])
    );
    assert_eq!(json!([said["data"]["overdue_s"], said["data"]["waiting"]]), json!([25 * 60, 1]));
    let body = hook.body.as_bytes();
    let is_signed =
        signature::verify(&[SECRET.to_owned()], &hook.id, &hook.timestamp, &hook.signature, body, app.now());
    assert_eq!(is_signed, Ok(()));

    app.clock.advance_ms(4 * HOUR_MS);
    look(&app).await;
    let said: Vec<String> =
        receiver.came().iter().map(|came| came.json()["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(said, ["alert.raised", "alert.repeated"]);
    let decision = json!({"items": [{"uid": held["uid"], "seen_version": held["version"]}], "action": "reject"});
    app.review(Method::POST, "/v1/decisions", Some(&decision)).await;
    for _ in 0..2 {
        look(&app).await;
    }
    let letters = mail.came();
    assert_eq!((letters.len(), receiver.came().len()), (3, 3));
    assert_eq!(letters[2].header("Subject").as_deref(), Some("[Doorward] Queue desk is in time again"));
    let alerts = app.store.alerts().await.unwrap();
    assert_eq!((alerts[0].kind, alerts[0].stands()), (AlertKind::QueueLate, false));
}

#[tokio::test]
async fn what_is_not_accepted_is_tried_again_and_sent_once() {
    let mail = MailServer::start(|n| if n < 2 { "451 try later" } else { "250 ok" }).await;
    let receiver = Receiver::start(|_, before| Reply::Status(if before < 1 { 500 } else { 204 })).await;
    let app = service(&mail, &receiver).await;
    app.comment(&doubtful("d-1")).await;
    app.clock.advance_ms(2 * HOUR_MS);
    look(&app).await;
    mail.tried(1).await;
    receiver.wait(1).await;
    let state = app.store.messages_state().await.unwrap();
    assert_eq!((state.waiting, state.failing), (2, 2));
    look(&app).await; // too early
    assert_eq!(receiver.came().len(), 1);
    for _ in 0..6 {
        app.clock.advance_ms(2 * MIN_MS);
        look(&app).await;
    }
    assert_eq!((mail.came().len(), receiver.came().len()), (1, 2));
    let ids: Vec<String> = receiver.came().into_iter().map(|came| came.id).collect();
    assert_eq!(ids[0], ids[1], "the receiver can tell that it is the same");
    let kept = app.store.messages_lately(10).await.unwrap();
    assert!(kept.iter().all(|seen| seen.sent_at.is_some()), "{kept:#?}");
}

#[tokio::test]
async fn a_message_that_nobody_takes_is_given_up_and_that_shows() {
    let mail = MailServer::start(|_| "550 no such desk").await;
    let receiver = Receiver::start(|_, _| Reply::Status(500)).await;
    let app = service(&mail, &receiver).await;
    app.comment(&doubtful("d-1")).await;
    app.clock.advance_ms(2 * HOUR_MS);
    look(&app).await;
    app.clock.advance_ms(25 * HOUR_MS);
    look(&app).await;
    let kept = app.store.messages_lately(10).await.unwrap();
    let given_up: Vec<_> = kept.iter().filter(|seen| seen.given_up_at.is_some()).collect();
    assert_eq!(given_up.len(), 2, "{kept:#?}");
    assert!(given_up.iter().any(|seen| seen.problem.as_deref().unwrap().contains("no such desk")), "{given_up:#?}");
    let metrics = app.request(Method::GET, "/metrics", "").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("doorward_notify_total{channel=\"mail\",outcome=\"given-up\"}"), "{metrics}");
}

#[tokio::test]
async fn a_digest_is_sent_once_a_day_from_its_hour_on() {
    let (mail, receiver) = both().await;
    let (port, url) = (mail.port, receiver.url("/ops"));
    let app = TestApp::spawn_with(move |config| {
        config.queues =
            vec![QueueConfig { name: "desk".to_owned(), answer_within_min: 1_200, ..QueueConfig::default() }];
        config.working_hours.time_zone = "Europe/Berlin".to_owned();
        config.webhooks.allow_hosts = vec!["127.0.0.1".to_owned()];
        config.notify.digest_hour = 13;
        config.notify.mail.server = "127.0.0.1".to_owned();
        config.notify.mail.port = port;
        config.notify.mail.security = doorward::app::notify::Security::None;
        config.notify.mail.from = "doorward@news.example".to_owned();
        config.notify.mail.to = vec!["ann@news.example".to_owned()];
        config.notify.webhook.url = url;
        config.notify.webhook.secret = serde_json::from_value(json!(SECRET)).unwrap();
    })
    .await;
    app.comment(&ordinary("c-1")).await;
    app.clock.advance_ms(61_000);
    let held = app.comment(&doubtful("d-1")).await;
    app.clock.advance_ms(61_000);
    app.comment(&doubtful("d-2")).await;
    let decision = json!({"items": [{"uid": held["uid"], "seen_version": held["version"]}], "action": "approve"});
    app.review(Method::POST, "/v1/decisions", Some(&decision)).await;
    look(&app).await;
    assert!(mail.came().is_empty(), "it is 11:02 there");
    app.clock.advance_ms(2 * HOUR_MS);
    for _ in 0..2 {
        look(&app).await;
    }
    let letters = mail.came();
    let [letter] = letters.as_slice() else { panic!("{letters:#?}") };
    assert_eq!(letter.header("Subject").as_deref(), Some("[Doorward] Digest of 2026-11-24: 1 item waits, 1 decided"));
    let text = letter.text();
    for line in [
        "Doorward, 24 hours until 2026-11-24 13:02 (Europe/Berlin)",
        "Arrived     3: 1 approved, 2 held, 0 rejected before a person looked",
        "Decided     1: 1 approved, 0 rejected by people",
        "Overturned  1 that were held or rejected and people approved, 0 that were approved and people rejected",
        "Waiting     1, the oldest since 2026-11-24 11:02",
        "  desk: 1, the oldest since 2026-11-24 11:02, due in 18 h",
    ] {
        assert!(text.lines().any(|said| said.trim_end() == line), "{line} is not in\n{text}");
    }
    let said = receiver.came()[0].json();
    assert_eq!(
        json!([said["type"], said["data"]["date"], said["data"]["decided"]["overturned"]]),
        json!(["digest", "2026-11-24", 1])
    );
    app.clock.advance_ms(11 * HOUR_MS); // past midnight, and before its hour
    look(&app).await;
    assert_eq!(mail.came().len(), 1);
    app.clock.advance_ms(13 * HOUR_MS);
    look(&app).await;
    let digests =
        mail.came().iter().filter(|letter| letter.header("Subject").unwrap().contains("Digest of 2026-11-25")).count();
    assert_eq!(digests, 1);
    assert!(app.now().as_millis() > START_MS);
}

#[tokio::test]
async fn a_queue_that_is_no_more_leaves_no_alert_behind() {
    let (mail, receiver) = both().await;
    let settings = |queue: &str| {
        format!(
            "[webhooks]\nallow_hosts = [\"127.0.0.1\"]\n[notify]\ndigest = false\n[notify.webhook]\nurl = \"{}\"\nsecret = \"{SECRET}\"\n{queue}",
            receiver.url("/ops")
        )
    };
    let app = TestApp::spawn_following(&settings("[[queues]]\nname = \"desk\"\nanswer_within_min = 1\n")).await;
    app.comment(&doubtful("d-1")).await;
    app.clock.advance_ms(5 * MIN_MS);
    look(&app).await;
    app.write_settings(&settings("[[queues]]\nname = \"other\"\n"));
    app.until("the settings are in force", |state| state.review.levels().queues().find("other").is_some()).await;
    look(&app).await;
    let said: Vec<_> = receiver.came().iter().map(|came| came.json()["type"].clone()).collect();
    assert_eq!(said, [json!("alert.raised"), json!("alert.cleared")]);
    assert!(mail.came().is_empty(), "no mail server is set");
}

#[tokio::test]
async fn a_wave_is_told_once_with_its_rate_and_an_example_and_when_it_is_over() {
    let (mail, receiver) = both().await;
    let app = service(&mail, &receiver).await;
    // Two days on which one doubtful comment came in each third hour.
    for n in 0..16 {
        app.comment(&doubtful(&format!("before-{n}"))).await;
        app.clock.advance_ms(3 * HOUR_MS);
    }
    look(&app).await;
    let before = |kind: &str| {
        let kind = json!(kind);
        receiver.came().iter().filter(|came| came.json()["data"]["kind"] == kind).count()
    };
    assert_eq!(before("wave"), 0);
    let mut last = json!(null);
    for n in 0..25 {
        let mut comment = doubtful(&format!("wave-{n}"));
        comment["author"] = json!({"id": format!("u-{n}"), "name": "a\r\nBcc: all@example.org"});
        last = app.comment(&comment).await["uid"].clone();
        app.clock.advance_ms(20_000);
    }
    for _ in 0..2 {
        look(&app).await;
        app.clock.advance_ms(MIN_MS);
    }
    assert_eq!(before("wave"), 1, "{:#?}", receiver.came());
    let wave = receiver.came().into_iter().map(|came| came.json()).find(|said| said["data"]["kind"] == "wave").unwrap();
    assert_eq!(
        json!([wave["type"], wave["data"]["about"], wave["data"]["count"], wave["data"]["per_hour"]]),
        json!(["alert.raised", "news", 25, 100])
    );
    assert_eq!(json!([wave["data"]["example"], wave["data"]["signal"]]), json!([last, "blocklist"]));
    let usual = wave["data"]["usual_per_hour"].as_f64().unwrap();
    assert!((0.05..1.0).contains(&usual), "{usual}");
    let letter = mail.came().into_iter().find(|letter| letter.text().contains("Usual there")).unwrap();
    assert!(letter.text().contains(&format!("https://moderation.example/comments/{}", last.as_str().unwrap())));
    assert!(!letter.message.contains("Bcc") && !letter.message.contains("viagra"));
    app.clock.advance_ms(20 * MIN_MS);
    for _ in 0..2 {
        look(&app).await;
        app.clock.advance_ms(MIN_MS);
    }
    let said: Vec<_> = receiver.came().iter().map(Came::json).filter(|said| said["data"]["kind"] == "wave").collect();
    assert_eq!(
        said.iter().map(|said| said["type"].clone()).collect::<Vec<_>>(),
        [json!("alert.raised"), json!("alert.cleared")]
    );
}

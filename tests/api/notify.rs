//! What operators are told: by a mail server and a receiver that are there, and while they are not.

use std::sync::atomic::{AtomicBool, Ordering};

use doorward::app::signature;
use doorward::config::Config;
use doorward::domain::notices::{AlertKind, Channel};
use doorward::domain::service::hours::{self, Day};
use reqwest::Method;
use serde_json::json;

use crate::helpers::{START_MS, TestApp, doubtful, ordinary, queue, talk};
use crate::receiver::{Came, Receiver, Reply};
use crate::smtp::{MailServer, Manner};

const MIN_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MIN_MS;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A service with one queue that is to be answered within an hour, whose messages go to both. Its day begins at 11:00 in Berlin.
async fn service(mail: &MailServer, receiver: &Receiver) -> TestApp {
    service_with(mail, receiver, |_| {}).await
}

/// The same, as `change` changes it.
async fn service_with(mail: &MailServer, receiver: &Receiver, change: impl FnOnce(&mut Config)) -> TestApp {
    let (port, url) = (mail.port, receiver.url("/ops"));
    TestApp::spawn_with(move |config| {
        config.server.public_url = "https://moderation.example/".to_owned();
        config.queues = vec![queue("desk", 60)];
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
        config.notify.mail.to = vec!["ann@news.example".to_owned()];
        config.notify.webhook.url = url;
        config.notify.webhook.secret = serde_json::from_value(json!(SECRET)).unwrap();
        change(config);
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
    assert_eq!(
        (letter.from.as_str(), letter.to.as_slice()),
        ("doorward@news.example", &["ann@news.example".to_owned()][..])
    );
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
async fn a_recipient_whom_the_server_refuses_silences_no_other() {
    let greylisted = AtomicBool::new(true);
    let recipient = Box::new(move |to: &str| match to {
        "bob@news.example" => "550 5.1.1 no such user",
        "cleo@news.example" if greylisted.swap(false, Ordering::SeqCst) => "451 4.7.1 come back later",
        _ => "250 ok",
    });
    let mail = MailServer::start_so(Manner { recipient, ..Manner::default() }).await;
    let receiver = Receiver::start(|_, _| Reply::Status(204)).await;
    let app = service_with(&mail, &receiver, |config| {
        let to = ["ann@news.example", "Bob <bob@news.example>", "cleo@news.example", "ann@news.example"];
        config.notify.mail.to = to.map(str::to_owned).to_vec();
    })
    .await;
    app.comment(&doubtful("d-1")).await;
    app.clock.advance_ms(2 * HOUR_MS);
    look(&app).await;
    let to = |mail: &MailServer| mail.came().into_iter().flat_map(|letter| letter.to).collect::<Vec<_>>();
    assert_eq!(to(&mail), ["ann@news.example"], "once, though she is named twice");
    let kept = app.store.messages_lately(10).await.unwrap();
    let of =
        |name: &str| kept.iter().find(|seen| seen.message.recipient.as_deref().is_some_and(|to| to.contains(name)));
    let (bob, cleo) = (of("bob").unwrap(), of("cleo").unwrap());
    assert!(bob.given_up_at.is_some() && bob.problem.as_deref().unwrap().contains("no such user"), "{bob:#?}");
    assert!(cleo.next_at.is_some() && cleo.problem.as_deref().unwrap().contains("come back later"), "{cleo:#?}");
    app.clock.advance_ms(2 * MIN_MS);
    look(&app).await;
    assert_eq!(to(&mail), ["ann@news.example", "cleo@news.example"]);
    assert_eq!(receiver.came().len(), 1);
}

#[tokio::test]
async fn what_was_sent_and_could_not_be_kept_is_not_sent_again() {
    let (mail, receiver) = both().await;
    let app = service(&mail, &receiver).await;
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE OF sent_at ON operator_message WHEN new.sent_at IS NOT NULL AND new.channel = 'webhook' \
                  BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    app.database().execute_batch(refuse).unwrap();
    app.comment(&doubtful("d-1")).await;
    app.clock.advance_ms(2 * HOUR_MS);
    // Whoever looks first is told; the service looks by itself, too.
    for _ in 0..3 {
        drop(app.notifier.look(app.now()).await);
        app.clock.advance_ms(10 * MIN_MS); // whoever was given a message has said nothing of it for long
    }
    assert!(app.notifier.look(app.now()).await.is_err(), "it is not kept, and that is told");
    let kept = app.store.messages_lately(10).await.unwrap();
    let unsent: Vec<_> = kept.iter().filter(|seen| seen.sent_at.is_none()).map(|seen| seen.message.channel).collect();
    assert_eq!(unsent, [Channel::Webhook], "the others are kept, each by itself");
    app.database().execute_batch("DROP TRIGGER refuse").unwrap();
    for _ in 0..3 {
        look(&app).await;
        app.clock.advance_ms(10 * MIN_MS);
    }
    assert_eq!((mail.came().len(), receiver.came().len()), (1, 1));
    let kept = app.store.messages_lately(10).await.unwrap();
    assert!(kept.iter().all(|seen| seen.sent_at.is_some()), "{kept:#?}");
}

/// A decision that cannot be read: no digest can be made while it is there.
const DAMAGE: &str = "INSERT INTO ruling (id, uid, at, b) VALUES (9999, randomblob(16), 9000000000000, x'00'); \
                      INSERT INTO ruling_item VALUES (9999, 1, 2, 1, 0, NULL)";
const MENDED: &str = "DELETE FROM ruling_item WHERE ruling = 9999; DELETE FROM ruling WHERE id = 9999";

/// Digests among what came by e-mail.
fn digests(mail: &MailServer) -> Vec<String> {
    let subjects = mail.came().into_iter().map(|letter| letter.header("Subject").unwrap());
    subjects.filter(|subject| subject.contains("igest")).collect()
}

/// A service that has just tried to make a digest, and could not.
async fn of_which_no_digest_can_be_made(mail: &MailServer, receiver: &Receiver) -> TestApp {
    let app = service_with(mail, receiver, |config| {
        (config.notify.digest, config.notify.digest_hour) = (true, 12);
    })
    .await;
    app.comment(&ordinary("c-1")).await;
    app.database().execute_batch(DAMAGE).unwrap();
    app.clock.advance_ms(HOUR_MS);
    drop(app.notifier.look(app.now()).await); // it fails, if the service did not look before
    app
}

#[tokio::test]
async fn a_digest_that_cannot_be_made_rests_and_comes_late() {
    let (mail, receiver) = both().await;
    let app = of_which_no_digest_can_be_made(&mail, &receiver).await;
    app.database().execute_batch(MENDED).unwrap();
    for _ in 0..3 {
        look(&app).await;
    }
    assert_eq!(digests(&mail), Vec::<String>::new(), "not every ten seconds");
    app.clock.advance_ms(MIN_MS);
    look(&app).await;
    assert_eq!(digests(&mail), ["[Doorward] Digest of 2026-11-24: 0 items wait, 0 decided"]);
}

#[tokio::test]
async fn a_digest_that_could_not_be_made_all_day_is_told_as_missing() {
    let (mail, receiver) = both().await;
    let app = of_which_no_digest_can_be_made(&mail, &receiver).await;
    app.clock.advance_ms(23 * HOUR_MS); // past midnight, and before the next is due
    drop(app.notifier.look(app.now()).await);
    assert_eq!(digests(&mail), Vec::<String>::new(), "it may still be made");
    app.clock.advance_ms(HOUR_MS);
    drop(app.notifier.look(app.now()).await);
    mail.tried(1).await;
    assert_eq!(digests(&mail), ["[Doorward] No digest of 2026-11-24"]);
    let text = mail.came()[0].text();
    assert!(text.contains("could not be made in 2 tries, and will not be: ") && text.contains("ruling"), "{text}");
    app.database().execute_batch(MENDED).unwrap();
    app.clock.advance_ms(2 * MIN_MS);
    look(&app).await;
    mail.tried(2).await;
    assert_eq!(digests(&mail)[1..], ["[Doorward] Digest of 2026-11-25: 0 items wait, 0 decided"]);
}

#[tokio::test]
async fn a_digest_says_which_rules_people_mostly_contradict() {
    let (mail, receiver) = both().await;
    let app = service_with(&mail, &receiver, |config| {
        (config.notify.digest, config.notify.digest_hour) = (true, 12);
        config.queues.clear();
        config.limits.enabled = false;
        let rules = "[[rules]]\nname = \"boats\"\nwhen = 'comment.folded.contains(\"boat\")'\nthen = { action = \"hold\" }\nreason = \"Boats.\"\n";
        config.rules = Config::parse(rules, "").unwrap().rules;
    })
    .await;
    for n in 0..8 {
        let mut comment = ordinary(&format!("b-{n}"));
        comment["body"] = json!(format!("{} It was about a boat in the end.", talk(&format!("b-{n}"))));
        let held = app.comment(&comment).await;
        let decision = json!({"items": [{"uid": held["uid"], "seen_version": held["version"]}], "action": "approve"});
        app.review(Method::POST, "/v1/decisions", Some(&decision)).await;
        app.clock.advance_ms(MIN_MS);
    }
    app.clock.advance_ms(HOUR_MS);
    look(&app).await;
    mail.tried(1).await;
    receiver.wait(1).await;
    let text = mail.came()[0].text();
    let hint =
        "People decided against 8 of 8 comments that hung on `rule:boats`. Take it back, or let it run in shadow.";
    assert!(text.contains(&format!("\nRules\n  {hint}\n  https://moderation.example/rules\n")), "{text}");
    let told = receiver.came()[0].json()["data"]["rules"].clone();
    assert_eq!(told, json!([{"kind": "mostly-overturned", "about": ["rule:boats"], "text": hint}]));
}

#[tokio::test]
async fn a_message_that_nobody_takes_is_given_up_and_that_shows() {
    let mail = MailServer::start(|_| "550 no such desk").await;
    let receiver = Receiver::start(|_, _| Reply::Status(500)).await;
    let app = service(&mail, &receiver).await;
    app.comment(&doubtful("d-1")).await;
    app.clock.advance_ms(2 * HOUR_MS);
    look(&app).await;
    let given_up = async || {
        let mut kept = app.store.messages_lately(10).await.unwrap();
        kept.retain(|seen| seen.given_up_at.is_some() && seen.message.event == "alert.raised");
        kept
    };
    let refused = given_up().await;
    assert_eq!(refused.iter().map(|seen| seen.message.channel).collect::<Vec<_>>(), [Channel::Mail], "{refused:#?}");
    app.clock.advance_ms(25 * HOUR_MS);
    look(&app).await;
    let given_up = given_up().await;
    assert_eq!(given_up.len(), 2, "{given_up:#?}");
    assert!(given_up.iter().any(|seen| seen.problem.as_deref().unwrap().contains("no such desk")), "{given_up:#?}");
    let metrics = app.request(Method::GET, "/metrics", "").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("doorward_notify_total{channel=\"mail\",outcome=\"given-up\"}"), "{metrics}");
}

#[tokio::test]
async fn a_digest_is_sent_once_a_day_from_its_hour_on() {
    let (mail, receiver) = both().await;
    let app = service_with(&mail, &receiver, |config| {
        config.queues = vec![queue("desk", 1_200)];
        config.working_hours = hours::Config { time_zone: "Europe/Berlin".to_owned(), ..hours::Config::default() };
        (config.notify.digest, config.notify.digest_hour) = (true, 13);
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
    assert!(!text.contains("\nRules\n"), "where there is nothing to look at, nothing is said of it");
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

/// On which one doubtful comment came in each third hour.
async fn two_usual_days(app: &TestApp) {
    for n in 0..16 {
        app.comment(&doubtful(&format!("before-{n}"))).await;
        app.clock.advance_ms(3 * HOUR_MS);
    }
}

#[tokio::test]
async fn a_wave_is_told_once_with_its_rate_and_an_example_and_when_it_is_over() {
    let (mail, receiver) = both().await;
    let app = service(&mail, &receiver).await;
    two_usual_days(&app).await;
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

#[tokio::test]
async fn waves_that_come_and_go_are_told_once_in_a_pause() {
    let (mail, receiver) = both().await;
    let app = service_with(&mail, &receiver, |config| config.queues.clear()).await;
    two_usual_days(&app).await;
    let told =
        || receiver.came().iter().map(|came| came.json()["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    // The service looks by itself, too, and for waves once a minute at most: of two looks one at least is ours, or came just before.
    let looks = async || {
        for _ in 0..2 {
            look(&app).await;
            app.clock.advance_ms(MIN_MS);
        }
    };
    let wave = async |name: &str| {
        for n in 0..25 {
            let mut comment = doubtful(&format!("{name}-{n}"));
            comment["author"] = json!({"id": format!("{name}-{n}"), "name": "A"});
            app.comment(&comment).await;
            app.clock.advance_ms(20_000);
        }
        looks().await;
    };
    let calm = async || {
        app.clock.advance_ms(16 * MIN_MS);
        looks().await;
    };
    wave("first").await;
    assert_eq!(told(), ["alert.raised"]);
    calm().await;
    assert_eq!(told(), ["alert.raised", "alert.cleared"]);
    wave("second").await;
    assert!(app.store.alerts().await.unwrap()[0].stands(), "it is there for whoever looks");
    calm().await;
    wave("third").await;
    assert_eq!(told(), ["alert.raised", "alert.cleared"], "within the hour nobody hears of another");
    app.clock.advance_ms(3 * MIN_MS);
    looks().await;
    assert_eq!(told(), ["alert.raised", "alert.cleared", "alert.raised"], "one that lasts beyond it is told");
    calm().await;
    assert_eq!(told()[3..], ["alert.cleared"]);
    assert_eq!(mail.came().len(), 4);
}

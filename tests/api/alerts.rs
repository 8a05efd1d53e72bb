//! Alerts and what became of messages about them, for those whose sites they are about.

use doorward::domain::notices::{AlertKind, Channel, Message, Sending};
use doorward::domain::people::{Reach, Role};
use doorward::domain::service::queues::QueueConfig;
use reqwest::Method;
use serde_json::json;

use crate::helpers::{TestApp, queue, read};

const MIN_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// A message that nobody takes to be sent for a day.
fn message(app: &TestApp, name: &str, data: &serde_json::Value, to: &str) -> Message {
    Message {
        key: format!("{name}:mail:{to}"),
        channel: Channel::Mail,
        recipient: Some(to.to_owned()),
        event: "alert.raised".to_owned(),
        subject: format!("[Doorward] about {name} <b>"),
        text: String::new(),
        data: data.to_string(),
        made_at: app.now().plus_millis(DAY_MS),
    }
}

fn reach(sites: &[&str]) -> Reach {
    Reach { sites: Some(sites.iter().map(|site| (*site).to_owned()).collect()), ..Reach::ALL }
}

#[tokio::test]
async fn who_sees_some_sites_finds_their_messages_among_thousands_of_others() {
    let app = TestApp::spawn().await;
    app.another_site("blog").await;
    let wave = |about: &str, number: usize| {
        message(&app, &format!("{about}-{number}"), &json!({"kind": "wave", "about": about}), "ann@news.example")
    };
    let mut messages: Vec<Message> = (0..3).map(|number| wave("news", number)).collect();
    messages.extend((0..4_998).map(|number| wave("blog", number)));
    app.store.messages_put(&messages).await.unwrap();
    let news = app.person_within("news@news.example", Role::Auditor, &reach(&["news"])).await;
    let said = read(app.request(Method::GET, "/v1/alerts", &news).send().await.unwrap(), &[200]).await;
    let subjects = said["messages"].as_array().unwrap().iter().map(|said| said["subject"].as_str().unwrap());
    let latest = ["[Doorward] about news-2 <b>", "[Doorward] about news-1 <b>"];
    assert_eq!(subjects.collect::<Vec<_>>(), latest, "of the latest five thousand, latest first");
}

#[tokio::test]
async fn the_board_shows_what_stands_and_what_became_of_messages_to_those_whose_sites_it_is_about() {
    let app = TestApp::spawn_with(|config| {
        config.notify.waves.enabled = true;
        let sites = vec!["news".to_owned()];
        config.queues = vec![QueueConfig { sites, ..queue("news-desk", 60) }, queue("everything", 60)];
    })
    .await;
    app.another_site("blog").await;
    let now = app.now();
    let message = |name: &str, data: &serde_json::Value, to: &str| message(&app, name, data, to);
    // What is over stays over; of what stands, the service would clear what it does not find so.
    for (kind, about, more) in [
        (AlertKind::Wave, "news", json!({"count": 212, "window_min": 15, "per_hour": 848, "usual_per_hour": 3.25})),
        (AlertKind::Wave, "blog", json!({"count": 30})),
        (AlertKind::QueueLate, "news-desk", json!({"waiting": 3, "overdue_s": 1_500})),
        (AlertKind::QueueLate, "everything", json!({"waiting": 9, "overdue_s": 60})),
    ] {
        let mut facts = json!({"kind": kind.name(), "about": about});
        facts.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let messages = [message(about, &facts, "ann@news.example"), message(about, &facts, "bob@news.example")];
        app.store.alert_raise(kind, about, &facts.to_string(), true, now, &messages).await.unwrap();
        app.store.alert_clear(kind, about, now.plus_millis(MIN_MS), &[]).await.unwrap();
        app.store.message_settle(&messages[0].key, &Sending::Sent { at: now }).await.unwrap();
        let refused = Sending::GivenUp { at: now, problem: "550 5.1.1 <script> no such user".to_owned() };
        app.store.message_settle(&messages[1].key, &refused).await.unwrap();
    }
    let digest = message("digest:2026-11-23", &json!({"date": "2026-11-23"}), "ann@news.example");
    app.store.messages_put(&[digest]).await.unwrap();
    let everything = app.person("all@news.example", Role::Auditor).await;
    let news = app.person_within("news@news.example", Role::Auditor, &reach(&["news"])).await;
    let both = app.person_within("both@news.example", Role::Operator, &reach(&["news", "blog"])).await;
    let ask = async |token: &str, path: &str| {
        let answer = app.request(Method::GET, path, token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    };
    for (token, abouts, messages) in [
        (&everything, &["blog", "everything", "news", "news-desk"][..], 9),
        (&news, &["news", "news-desk"], 4),
        (&both, &["blog", "news", "news-desk"], 6),
    ] {
        let said: serde_json::Value = serde_json::from_str(&ask(token, "/v1/alerts").await).unwrap();
        let mut found: Vec<&str> =
            said["alerts"].as_array().unwrap().iter().map(|alert| alert["about"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!((found.as_slice(), said["messages"].as_array().unwrap().len()), (abouts, messages), "{said}");
        let page = ask(token, "/alerts").await;
        for name in ["blog", "everything", "news-desk"] {
            assert_eq!(page.contains(&format!("<bdi>{name}</bdi>")), abouts.contains(&name), "{name}: {page}");
        }
    }
    let said: serde_json::Value = serde_json::from_str(&ask(&news, "/v1/alerts?limit=4").await).unwrap();
    let refused = said["messages"].as_array().unwrap().iter().find(|said| said["recipient"] == "bob@news.example");
    let refused = refused.unwrap();
    assert_eq!(json!([refused["state"], refused["about"]["name"]]), json!(["given-up", "news-desk"]));
    assert_eq!(refused["problem"], "550 5.1.1 <script> no such user");
    let page = ask(&news, "/alerts").await;
    for shown in [
        "<a href=\"/alerts\" aria-current=page>Alerts</a>",
        "212 held or rejected in 15 min.",
        "848 an hour; usual there: 3.2.",
        "3 items waited. Overdue by 25 min.",
        "bob@news.example",
        "given up 2026-11-24 10:00",
        "550 5.1.1 &#60;script&#62; no such user",
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
    let german = app.request(Method::GET, "/alerts", &news).header("accept-language", "de").send().await.unwrap();
    assert!(german.text().await.unwrap().contains("3 Einträge warteten. Überfällig seit 25"));
    assert_eq!(app.request(Method::GET, "/alerts", &app.token).send().await.unwrap().status(), 403, "moderators");
    assert_eq!(app.request(Method::GET, "/v1/alerts?limit=0", &news).send().await.unwrap().status(), 422);
}

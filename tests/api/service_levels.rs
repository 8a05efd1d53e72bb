//! Named queues and by when they are to be answered: what moderators see, and what an operator's change does.

use doorward::domain::people::{Reach, Role};
use doorward::domain::service::hours::{self, Day};
use doorward::domain::service::queues::QueueConfig;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, queue, read};

const MIN_MS: i64 = 60_000;

/// A service with an hour for what is held in sports, and any time for all else; people work from nine to five.
async fn service() -> TestApp {
    TestApp::spawn_with(|config| {
        let sections = vec!["sport".to_owned()];
        config.queues = vec![QueueConfig { sections, ..queue("sports", 60) }, queue("all-else", 0)];
        config.working_hours = hours::Config {
            time_zone: "Europe/Berlin".to_owned(),
            days: Day::ALL[..5].to_vec(),
            from: "09:00".to_owned(),
            to: "17:00".to_owned(),
            holidays: vec!["2026-11-25".to_owned()],
        };
    })
    .await
}

/// A doubtful comment in that section.
async fn held(app: &TestApp, id: &str, section: &str) {
    let mut comment = doubtful(id);
    comment["article"] = json!({"id": format!("a-{section}"), "title": "A title", "section": section});
    assert_eq!(app.comment(&comment).await["status"], "held");
}

async fn asked(app: &TestApp, query: &str) -> Value {
    app.review(Method::GET, &format!("/v1/queue?{query}"), None).await
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn queues_part_what_waits_and_say_when_it_is_due() {
    let app = service().await;
    app.clock.advance_ms(5 * 60 * MIN_MS + 30 * MIN_MS); // a Tuesday, 16:30 in Berlin
    held(&app, "d-1", "sport").await;
    app.clock.advance_ms(2 * MIN_MS);
    held(&app, "d-2", "city").await;
    let all = asked(&app, "sort=oldest").await;
    assert_eq!(all["counts"]["by_queue"], json!({"sports": 1, "all-else": 1}));
    let [sports, other] = all["items"].as_array().unwrap().as_slice() else { panic!("{all}") };
    // Wednesday is a holiday, so half an hour of it is Thursday's.
    let expected = json!(["sports", "2026-11-26T08:30:00Z", 58 * 60]);
    assert_eq!(json!([sports["queue"], sports["due_at"], sports["due_in_s"]]), expected);
    assert_eq!(json!([other["queue"], other["due_at"], other["due_in_s"]]), json!(["all-else", null, null]));
    let one = asked(&app, "queue=sports").await;
    assert_eq!((ids(&one), &one["counts"]["held"]), (vec!["d-1"], &json!(1)));
    assert_eq!(one["counts"]["by_queue"], all["counts"]["by_queue"], "another queue may be chosen");
    assert_eq!(one["counts"]["by_section"], json!({"sport": 1}), "of this queue");
    assert!(ids(&asked(&app, "queue=nowhere").await).is_empty());
    assert_eq!(ids(&asked(&app, "queue=sports&section=city").await).len(), 0);
    app.clock.advance_ms(24 * 60 * MIN_MS); // the holiday
    assert_eq!(asked(&app, "queue=sports").await["items"][0]["due_in_s"], json!(30 * 60));
    app.clock.advance_ms(24 * 60 * MIN_MS); // Thursday, 16:32
    let late = 7 * 3_600 + 2 * 60;
    assert_eq!(asked(&app, "queue=sports").await["items"][0]["due_in_s"], json!(-late));
}

#[tokio::test]
async fn cards_say_when_they_are_due_and_chips_choose_a_queue() {
    let app = service().await;
    held(&app, "d-1", "sport").await;
    let page = async |path: &str| {
        let answer = app.request(Method::GET, path, &app.token).header("accept", "text/html").send().await.unwrap();
        answer.text().await.unwrap()
    };
    app.clock.advance_ms(35 * MIN_MS);
    let soon = page("/queue?queue=sports").await;
    assert!(soon.contains("sports: due in 25 min"), "{soon}");
    assert!(soon.contains("href=\"/queue\" aria-current=\"true\">sports"), "the way back: {soon}");
    app.clock.advance_ms(2 * 60 * MIN_MS);
    assert!(page("/queue").await.contains("<strong class=\"error\">sports: overdue by 1 h</strong>"));
    assert!(!page("/queue?queue=all-else").await.contains("sports: overdue"));
}

#[tokio::test]
async fn counts_of_queues_end_where_somebodys_reach_ends() {
    let app = service().await;
    held(&app, "d-1", "sport").await;
    app.clock.advance_ms(61_000);
    held(&app, "d-2", "city").await;
    let sections = Some(vec!["city".to_owned()]);
    let token = app.person_within("city@example.org", Role::Moderator, &Reach { sections, ..Reach::ALL }).await;
    let mine = read(app.request(Method::GET, "/v1/queue", &token).send().await.unwrap(), &[200]).await;
    assert_eq!(mine["counts"]["by_queue"], json!({"all-else": 1}));
    let theirs = app.request(Method::GET, "/v1/queue?queue=sports", &token).send().await.unwrap();
    assert!(ids(&read(theirs, &[200]).await).is_empty());
}

#[tokio::test]
async fn a_rule_routes_and_changed_queues_are_in_force_without_a_start() {
    let rule = "[[rules]]\nname = \"boats\"\nwhen = 'comment.folded.contains(\"boat\")'\n\
                then = { action = \"hold\", category = \"off-topic\", queue = \"harbour\" }\nreason = \"Boats.\"\n";
    let queues =
        |first: &str| format!("[[queues]]\nname = \"{first}\"\n[[queues]]\nname = \"harbour\"\nrules_only = true\n");
    let app = TestApp::spawn_following(&format!("{rule}{}", queues("first"))).await;
    let mut boats = ordinary("c-1");
    boats["body"] = json!("My uncle's boat was late again this morning, as on most days.");
    assert_eq!(app.comment(&boats).await["status"], "held");
    app.clock.advance_ms(61_000);
    app.comment(&doubtful("d-1")).await;
    assert_eq!(asked(&app, "").await["counts"]["by_queue"], json!({"first": 1, "harbour": 1}));
    assert_eq!(ids(&asked(&app, "queue=harbour").await), ["c-1"]);
    app.write_settings(&format!("{rule}{}", queues("second")));
    app.until("the settings are in force", |state| state.review.levels().queues().find("second").is_some()).await;
    assert_eq!(asked(&app, "").await["counts"]["by_queue"], json!({"second": 1, "harbour": 1}));
    // What cannot work changes nothing, and is said.
    app.write_settings(&format!("{rule}[[queues]]\nname = \"other\"\n"));
    app.until("it is refused", |state| state.reload.standing().refused.is_some()).await;
    let refused = app.state.reload.standing().refused.clone().unwrap().problem;
    assert!(refused.contains("no entry of `queues` is named `harbour`"), "{refused}");
    assert_eq!(asked(&app, "").await["counts"]["by_queue"], json!({"second": 1, "harbour": 1}));
}

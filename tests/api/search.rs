//! Finding comments by their words, and the chips of the queue: what a moderator would notice.

use std::time::Duration;

use doorward::domain::people::{Reach, Role};
use doorward::domain::site::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read};

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

/// Waits until the index has reached everything.
async fn indexed(app: &TestApp) {
    let database = app.database();
    let behind = "SELECT (SELECT count(*) FROM search_due) + (SELECT count(*) FROM comment WHERE status <> 0) \
                  - (SELECT count(*) FROM search)";
    let waited = async {
        while database.query_row(behind, [], |row| row.get::<_, i64>(0)).unwrap() != 0 {
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waited).await.expect("the index stays behind");
}

async fn said(app: &TestApp, id: &str, body: &str) -> Value {
    let mut comment = ordinary(id);
    comment["body"] = json!(body);
    app.clock.advance_ms(61_000);
    app.comment(&comment).await
}

async fn search(app: &TestApp, query: &str) -> Value {
    app.review(Method::GET, &format!("/v1/comments/search?{query}"), None).await
}

#[tokio::test]
async fn comments_of_any_status_are_found_by_what_they_say_now() {
    let app = TestApp::spawn().await;
    said(&app, "c-1", "The new cycle lanes end at the harbour bridge, which nobody mentioned.").await;
    said(&app, "c-2", "我认为自行车道应该经过旧桥，而不是港口").await;
    said(&app, "c-3", "我认为自行车道应该经过港口旁边的路").await;
    let held = app.comment(&doubtful("d-1")).await;
    for step in ["at once", "once indexed"] {
        for (query, expected) in [
            ("q=harbour", vec!["c-1"]),
            ("q=HARB", vec!["c-1"]),
            ("q=harb%20bridge", vec![]),
            ("q=%E6%97%A7%E6%A1%A5", vec!["c-2"]),
            ("q=%E6%B8%AF%E5%8F%A3", vec!["c-3", "c-2"]),
            ("q=viagra", vec!["d-1"]),
            ("q=viagra&status=held", vec!["d-1"]),
            ("q=viagra&status=approved", vec![]),
            ("q=harbour&site=news", vec!["c-1"]),
            ("q=harbour&site=blog", vec![]),
            ("q=viagra&author=u-d-1", vec!["d-1"]),
            ("q=viagra&author=u-c-1", vec![]),
        ] {
            assert_eq!(ids(&search(&app, query).await), expected, "{query}, {step}");
        }
        indexed(&app).await;
    }
    // Where a comment stands is not told twice: what it says is the comment, as everywhere.
    let found = search(&app, "q=viagra").await;
    assert_eq!((&found["items"][0]["uid"], &found["items"][0]["status"]), (&held["uid"], &json!("held")));
    let mut edited = ordinary("c-1");
    edited["body"] = json!("The new cycle lanes end at the old lighthouse, which nobody mentioned.");
    read(app.request(Method::PUT, "/v1/comments/c-1", &app.key).json(&edited).send().await.unwrap(), &[200]).await;
    for _ in 0..2 {
        assert_eq!(ids(&search(&app, "q=lighthouse").await), ["c-1"]);
        assert!(ids(&search(&app, "q=harbour").await).is_empty());
        indexed(&app).await;
    }
    let eraser = app.another_key(&[Scope::Erase]).await;
    let erased = app.request(Method::DELETE, "/v1/comments/c-1", &eraser).send().await.unwrap();
    assert_eq!(erased.status(), StatusCode::NO_CONTENT);
    assert!(ids(&search(&app, "q=lighthouse").await).is_empty());
    let left: i64 = app
        .database()
        .query_row("SELECT count(*) FROM search_content WHERE c0 LIKE '%lighthouse%'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0, "erased words leave the index with the comment");
}

#[tokio::test]
async fn marks_in_a_question_are_blanks_and_never_a_syntax() {
    let app = TestApp::spawn().await;
    said(&app, "c-1", "Cats and dogs walk along the river every morning.").await;
    for _ in 0..2 {
        for (q, expected) in [
            ("cats NOT dogs", vec![]),
            ("cats \"dogs", vec!["c-1"]),
            ("\"dogs walk\" (cats", vec!["c-1"]),
            ("words:cats", vec![]),
            ("^cats*", vec!["c-1"]),
            ("cats' OR 1=1 --", vec![]),
            ("NEAR(cats dogs)", vec![]),
            ("*", vec![]),
        ] {
            let encoded: String = q.bytes().map(|byte| format!("%{byte:02X}")).collect();
            assert_eq!(ids(&search(&app, &format!("q={encoded}")).await), expected, "{q}");
            let queue = app.review(Method::GET, &format!("/v1/queue?q={encoded}"), None).await;
            assert!(ids(&queue).is_empty(), "{q}");
        }
        indexed(&app).await;
    }
    for query in ["", "q=", "q=cats&status=ham", "q=cats&limit=0", "q=cats&cursor=nonsense", "q=%00"] {
        let answer =
            app.request(Method::GET, &format!("/v1/comments/search?{query}"), &app.token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
}

#[tokio::test]
async fn a_search_shows_nothing_outside_the_reach() {
    let app = TestApp::spawn().await;
    let mut city = ordinary("c-1");
    city["body"] = json!("The tram to the city museum was late again this morning.");
    app.comment(&city).await;
    app.clock.advance_ms(61_000);
    let mut sport = city.clone();
    (sport["id"], sport["article"]) = (json!("c-2"), json!({"id": "match", "title": "The match", "section": "sport"}));
    sport["body"] = json!("The tram to the stadium was late again before the match.");
    app.comment(&sport).await;
    let sections = Some(vec!["sport".to_owned()]);
    let token = app.person_within("sport@example.org", Role::Moderator, &Reach { sections, ..Reach::ALL }).await;
    for _ in 0..2 {
        let answer = app.request(Method::GET, "/v1/comments/search?q=tram", &token).send().await.unwrap();
        assert_eq!(ids(&read(answer, &[200]).await), ["c-2"]);
        let answer = app.request(Method::GET, "/v1/comments/search?q=museum", &token).send().await.unwrap();
        assert!(ids(&read(answer, &[200]).await).is_empty());
        indexed(&app).await;
    }
}

#[tokio::test]
async fn chips_of_the_queue_offer_what_else_could_be_chosen() {
    let app = TestApp::spawn().await;
    for (id, lang, section) in [("d-1", "en", "city"), ("d-2", "en", "sport"), ("d-3", "de", "sport")] {
        let mut comment = doubtful(id);
        comment["article"] = json!({"id": format!("a-{id}"), "title": "A title", "lang": lang, "section": section});
        app.clock.advance_ms(61_000);
        app.comment(&comment).await;
    }
    let queue = async |query: &str| app.review(Method::GET, &format!("/v1/queue?{query}"), None).await;
    let all = queue("").await;
    let uid = all["items"][0]["uid"].clone();
    app.review(Method::POST, "/v1/queue/claims", Some(&json!({"uids": [uid]}))).await;
    let all = queue("").await;
    assert_eq!(all["counts"]["by_section"], json!({"city": 1, "sport": 2}));
    assert_eq!(all["counts"]["by_lang"], json!({"de": 1, "en": 2}));
    assert_eq!(all["counts"]["by_author_kind"], json!({"new": 3}));
    assert_eq!(all["counts"]["by_assigned"]["none"], 2);
    assert_eq!(all["items"][0]["author_kind"], "new");
    let chosen = queue("section=city").await;
    assert_eq!((ids(&chosen), &chosen["counts"]["held"]), (vec!["d-1"], &json!(1)));
    assert_eq!(chosen["counts"]["by_section"], all["counts"]["by_section"], "another section may be chosen");
    assert_eq!(chosen["counts"]["by_lang"], json!({"en": 1}), "of this section");
    assert_eq!((ids(&queue("author_kind=known").await).len(), ids(&queue("author_kind=new").await).len()), (0, 3));
    assert_eq!(ids(&queue("assigned=me").await).len(), 1);
    let answer = app.request(Method::GET, "/v1/queue?author_kind=old", &app.token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn every_item_says_why_it_stands_where_it_stands() {
    let app = TestApp::spawn_with(|config| config.sampling.rate = 1.0).await;
    app.comment(&doubtful("d-1")).await;
    app.comment(&ordinary("c-1")).await; // approved, and drawn to be looked at
    app.clock.advance_ms(7_200_000);
    let queue = app.review(Method::GET, "/v1/queue", None).await;
    assert_eq!(queue["items"].as_array().unwrap().len(), 2);
    for item in queue["items"].as_array().unwrap() {
        let (place, priority) = (item["place"].as_str().unwrap(), item["priority"].as_f64().unwrap());
        let category = item["verdict"]["category"].as_str().unwrap();
        assert!(place.starts_with(&format!("at {priority:.2} for {category}")), "{place}");
        assert!(place.ends_with("; waits 2 h"), "{place}");
    }
}

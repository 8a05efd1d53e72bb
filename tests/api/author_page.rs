//! What is known of an author, what colleagues note about them, and who else wrote from there.

use doorward::domain::people::{Reach, Role};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, ordinary, read};

const PAGE: &str = "/v1/authors/ann?site=news";

fn by(id: &str, author: &Value) -> Value {
    let mut comment = ordinary(id);
    comment["author"] = author.clone();
    comment
}

async fn decide(app: &TestApp, comment: &Value, action: &str) {
    let ask = json!({"items": [{"uid": comment["uid"], "seen_version": comment["version"]}], "action": action});
    app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
}

#[tokio::test]
async fn an_authors_page_says_what_is_known() {
    let app = TestApp::spawn().await;
    let ann = json!({"id": "ann", "name": "Ann", "registered_at": "2020-01-01T00:00:00Z"});
    for (id, action) in [("a-1", "approve"), ("a-2", "reject"), ("a-3", "reject"), ("a-4", "")] {
        let made = app.comment(&by(id, &ann)).await;
        if !action.is_empty() {
            decide(&app, &made, action).await;
        }
        app.clock.advance_ms(60_000);
    }
    app.comment(&by("a-5", &json!({"id": "ann", "name": "Annie", "registered_at": "2020-01-01T00:00:00Z"}))).await;
    app.post("/v1/comments/a-3/appeals", &json!({"text": "Why?"})).await;
    let ban = json!({"site": "news", "target": {"kind": "author", "value": "ann"}, "measure": "premoderate", "cause": "twice"});
    read(app.request(Method::POST, "/v1/sanctions", &app.token).json(&ban).send().await.unwrap(), &[201]).await;
    let page = app.review(Method::GET, &format!("{PAGE}&limit=2"), None).await;
    assert_eq!(page["names"], json!([{"name": "Ann", "comments": 4}, {"name": "Annie", "comments": 1}]));
    assert_eq!(page["registered_at"], "2020-01-01T00:00:00Z");
    assert_eq!(page["numbers"]["first_at"], "2026-11-24T10:00:00Z");
    assert_eq!(page["numbers"]["all"]["rejected_by_person"], 2);
    let share = &page["rejected_by_people"];
    assert_eq!((&share["n"], &share["of"]), (&json!(2), &json!(3)), "policy's own verdicts stand apart");
    assert!(share["interval"][0].as_f64().unwrap() < 0.6 && share["interval"][1].as_f64().unwrap() > 0.7);
    assert_eq!((page["tier"].as_str(), page["open_appeals"].as_array().unwrap().len()), (Some("new"), 1));
    assert_eq!(page["sanctions"][0]["cause"], "twice");
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let next = format!("{PAGE}&limit=50&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(app.review(Method::GET, &next, None).await["items"].as_array().unwrap().len(), 3);
    let nobody = app.request(Method::GET, "/v1/authors/nobody?site=news", &app.token).send().await.unwrap();
    assert_eq!(nobody.status(), 404);
}

#[tokio::test]
async fn accounts_from_the_same_place_are_linked_and_no_address_is_shown() {
    let app = TestApp::spawn().await;
    let from = |id: &str, ip: &str, email: &str| json!({"id": id, "name": id, "ip": ip, "email": email});
    app.comment(&by("a-1", &from("ann", "203.0.113.7", "ann@example.org"))).await;
    let bad = app.comment(&by("b-1", &from("bob", "203.0.113.99", "bob@example.org"))).await;
    decide(&app, &bad, "reject").await;
    app.comment(&by("c-1", &from("cat", "198.51.100.1", "Ann@Example.org"))).await;
    app.comment(&by("d-1", &from("dan", "192.0.2.1", "dan@example.org"))).await;
    let page = app.review(Method::GET, PAGE, None).await;
    let linked = page["linked"]["accounts"].as_array().unwrap();
    let found: Vec<_> = linked
        .iter()
        .map(|one| (one["author_id"].as_str().unwrap(), one["same_network"] == true, one["same_email"] == true))
        .collect();
    assert_eq!(found, [("bob", true, false), ("cat", false, true)]);
    assert_eq!(linked[0]["numbers"]["all"]["rejected_by_person"], 1);
    let text = page.to_string();
    assert!(!text.contains("203.0.113") && !text.contains("@example.org"), "{text}");
}

#[tokio::test]
async fn linked_accounts_are_known_by_hashes_when_addresses_are_gone() {
    let app = TestApp::spawn().await;
    app.comment(&by("a-1", &json!({"id": "ann", "ip": "203.0.113.7"}))).await;
    app.comment(&by("b-1", &json!({"id": "bob", "ip": "203.0.113.99"}))).await;
    app.clock.advance_ms(40 * 86_400_000);
    app.state.authors.hash_addresses(app.now()).await.unwrap();
    let page = app.review(Method::GET, PAGE, None).await;
    assert_eq!(page["linked"]["accounts"][0]["author_id"], "bob");
}

#[tokio::test]
async fn names_and_notes_from_other_sections_are_not_told_to_who_works_on_one() {
    let app = TestApp::spawn().await;
    for (id, name, section) in [("a-1", "Ann", "sport"), ("a-2", "Annie of the city desk", "city")] {
        let mut comment = by(id, &json!({"id": "ann", "name": name}));
        comment["article"] = json!({"id": format!("of-{section}"), "section": section});
        app.comment(&comment).await;
    }
    let on = |section: &str| Reach { sections: Some(vec![section.to_owned()]), ..Reach::ALL };
    let sport = app.person_within("sport@example.org", Role::Operator, &on("sport")).await;
    let mate = app.person_within("mate@example.org", Role::Moderator, &on("sport")).await;
    let city = app.person_within("city@example.org", Role::Moderator, &on("city")).await;
    let path = "/v1/authors/ann/notes?site=news";
    let note = async |token: &str, text: &str| {
        let request = app.request(Method::POST, path, token).json(&json!({"text": text}));
        read(request.send().await.unwrap(), &[201]).await["id"].as_str().unwrap().to_owned()
    };
    let of_city = note(&city, "wrote of the mayor's house").await;
    note(&app.token, "known to all of us").await;
    note(&mate, "shouts at referees").await;
    note(&sport, "was warned").await;
    let seen = async |token: &str| {
        let page = read(app.request(Method::GET, PAGE, token).send().await.unwrap(), &[200]).await;
        let texts = |of: &str, key: &str| -> Vec<String> {
            page[of].as_array().unwrap().iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
        };
        (texts("names", "name"), texts("notes", "text"))
    };
    assert_eq!(
        seen(&sport).await,
        (vec!["Ann".to_owned()], vec!["was warned".to_owned(), "shouts at referees".to_owned()])
    );
    assert_eq!(seen(&city).await.0, ["Annie of the city desk"]);
    let (names, notes) = seen(&app.token).await;
    assert_eq!((names.len(), notes.len()), (2, 4), "whoever works on the whole site is told everything");
    let remove = format!("/v1/authors/ann/notes/{of_city}?site=news");
    let removed = app.request(Method::DELETE, &remove, &sport).send().await.unwrap();
    assert_eq!(removed.status(), 404, "what is not shown is not there, for an operator of a section either");
}

#[tokio::test]
async fn notes_are_kept_shown_to_their_author_and_erased_with_them() {
    let app = TestApp::spawn().await;
    app.comment(&by("a-1", &json!({"id": "ann"}))).await;
    let path = "/v1/authors/ann/notes?site=news";
    let note = |token: String| {
        let request = app.request(Method::POST, path, &token).json(&json!({"text": "talks about zeppelins a lot"}));
        async { read(request.send().await.unwrap(), &[201]).await }
    };
    let mine = note(app.token.clone()).await;
    let colleague = app.person("other@example.org", Role::Moderator).await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let theirs = note(colleague.clone()).await;
    let page = app.review(Method::GET, PAGE, None).await;
    assert_eq!(page["notes"].as_array().unwrap().len(), 2);
    assert_eq!(page["notes"][0]["by"], "other@example.org");
    let remove = async |note: &Value, token: &str| {
        let path = format!("/v1/authors/ann/notes/{}?site=news", note["id"].as_str().unwrap());
        app.request(Method::DELETE, &path, token).send().await.unwrap().status().as_u16()
    };
    assert_eq!(remove(&mine, &colleague).await, 403, "a colleague's");
    assert_eq!(remove(&mine, &app.token).await, 204);
    assert_eq!(remove(&mine, &app.token).await, 404, "gone");
    let export = read(app.request(Method::GET, "/v1/authors/ann/export", &app.key).send().await.unwrap(), &[200]).await;
    assert_eq!(export["besides"]["notes"][0]["text"], "talks about zeppelins a lot");
    assert!(export["besides"]["notes"][0]["by"].is_null(), "who noted it is not the author's to know");
    assert_eq!(remove(&theirs, &operator).await, 204);
    note(app.token.clone()).await;
    let audit: Vec<String> = app.audit().await.into_iter().map(|entry| format!("{entry:?}")).collect();
    assert!(audit.iter().any(|line| line.contains("author.note")));
    assert!(!audit.iter().any(|line| line.contains("zeppelins")));
    let all = app.another_key(&doorward::domain::site::Scope::ALL).await;
    read(app.request(Method::DELETE, "/v1/authors/ann", &all).send().await.unwrap(), &[200]).await;
    let left: u32 = app.database().query_row("SELECT count(*) FROM author_note", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn an_author_of_whom_nothing_lies_within_the_reach_is_not_there() {
    let app = TestApp::spawn().await;
    app.another_site("blog").await;
    app.comment(&by("a-1", &json!({"id": "ann"}))).await;
    let sport = Reach { sections: Some(vec!["sport".to_owned()]), ..Reach::ALL };
    let blog = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let city = Reach { sections: Some(vec!["city".to_owned()]), ..Reach::ALL };
    for (email, reach, status) in
        [("s@example.org", sport, 404), ("b@example.org", blog, 404), ("c@example.org", city, 200)]
    {
        let token = app.person_within(email, Role::Moderator, &reach).await;
        assert_eq!(app.request(Method::GET, PAGE, &token).send().await.unwrap().status(), status, "{email}");
    }
    let unnamed = app.request(Method::GET, "/v1/authors/ann", &app.token).send().await.unwrap();
    assert_eq!(unnamed.status(), 422, "which site?");
}

//! The pages of one comment, one author, one article, and the search: what they show to whom, and that nothing hostile becomes markup.

use doorward::domain::people::{Reach, Role};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, talk};

const HOSTILE: &str =
    "<script>alert(1)</script><img src=x onerror=alert(1)>\u{202e} buy viagra at https://pills.example/<b>cheap</b>";

/// A page as a browser gets it, without anything that its policy forbids.
async fn page(app: &TestApp, token: &str, path: &str) -> String {
    let answer = app.request(Method::GET, path, token).header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let text = answer.text().await.unwrap();
    for forbidden in [" style=", " onclick=", "<style", "href=\"http", "<script>alert", "<img src=x", "\u{202e}"] {
        assert!(!text.contains(forbidden), "{forbidden} in {text}");
    }
    assert_eq!(text.matches("<script").count(), text.matches("<script type=\"module\" src=\"/assets/").count());
    text
}

async fn status(app: &TestApp, token: &str, path: &str) -> u16 {
    app.request(Method::GET, path, token).header("accept", "text/html").send().await.unwrap().status().as_u16()
}

async fn decide(app: &TestApp, comment: &Value, ask: &Value) {
    let mut ask = ask.clone();
    ask["items"] = json!([{"uid": comment["uid"], "seen_version": comment["version"]}]);
    app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
}

fn uid(comment: &Value) -> &str {
    comment["uid"].as_str().unwrap()
}

fn holds(page: &str, expected: &[(&str, &str)]) {
    for (what, text) in expected {
        assert!(page.contains(text), "{what}: {text} is not in {page}");
    }
}

/// Somebody who works on sport only, and somebody of another site.
async fn outside(app: &TestApp) -> [String; 2] {
    app.another_site_whole("blog").await;
    let part = Reach { sections: Some(vec!["sport".to_owned()]), ..Reach::ALL };
    let elsewhere = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    [
        app.person_within("sport@example.org", Role::Admin, &part).await,
        app.person_within("blog@example.org", Role::Admin, &elsewhere).await,
    ]
}

#[tokio::test]
async fn a_comment_is_explained_term_by_term_and_nothing_of_it_is_markup() {
    let app = TestApp::spawn().await;
    app.comment(&doubtful("d-0")).await;
    let mut comment = doubtful("d-1");
    comment["author"] = json!({"id": "u/1 ä", "name": "<b>Ann</b>\u{202e}"});
    comment["body"] = json!(HOSTILE);
    let first = app.comment(&comment).await;
    comment["body"] = json!("buy viagra, and look at the second version");
    let edit = app.request(Method::PUT, "/v1/comments/d-1", &app.key).json(&comment).send().await.unwrap();
    assert_eq!(edit.status(), 200);
    let path = format!("/comments/{}", uid(&first));
    let shown = page(&app, &app.token, &path).await;
    let explained = app.review(Method::GET, &format!("/v1/comments/by-uid/{}/explanation", uid(&first)), None).await;
    let policy = explained["comment"]["verdict"]["policy"].as_str().unwrap_or("hash");
    holds(
        &shown,
        &[
            ("evidence where it stands", ">buy viagra</mark>"),
            ("the author's name as text", "&#60;b&#62;Ann"),
            ("the author's page", "href=\"/authors/news/u%2F1%20%C3%A4\""),
            ("the article's page", &format!("href=\"/articles/news/lanes?at={}\"", uid(&first))),
            ("the category that decided, first and open", "<details class=\"card sum spam\" open>"),
            ("a term by its name", "<code class=\"quiet\">blocklist</code>"),
            ("where every sum begins", "Before anything is known"),
            ("a picture sized by attributes", "<rect class=\"all\" x="),
            ("the smallest change", "The smallest change that would have let it through"),
            ("what else it lets through", "more through, of 1 looked at"),
            ("the earlier version, as text", "&#60;script&#62;alert(1)"),
            ("what nobody sees is named", "U+202E"),
            ("what happened", "Edited:"),
            ("which configuration", policy),
            ("the way to decide", "data-decide=\"spam\" data-key=\"s\""),
        ],
    );
    let now =
        app.review(Method::GET, &format!("/v1/comments/by-uid/{}/context", uid(&first)), None).await["comment"].clone();
    decide(&app, &now, &json!({"action": "reject", "category": "spam", "reason": "<i>ads</i>"})).await;
    let shown = page(&app, &app.token, &path).await;
    holds(
        &shown,
        &[
            ("who decided", "A person decided."),
            ("the reason, as text", "&#60;i&#62;ads&#60;/i&#62;"),
            ("what it is now", "<span class=\"chip rejected\">rejected</span></h1>"),
        ],
    );
    let auditor = app.person("audit@example.org", Role::Auditor).await;
    assert!(!page(&app, &auditor, &path).await.contains("data-decide"), "an auditor reads");
    for token in outside(&app).await {
        assert_eq!(status(&app, &token, &path).await, 404);
    }
}

#[tokio::test]
async fn an_authors_page_says_how_its_numbers_come_about() {
    let app = TestApp::spawn().await;
    let mut made = Vec::new();
    for (id, action) in [("a-1", "approve"), ("a-2", "reject"), ("a-3", "")] {
        let mut comment = ordinary(id);
        comment["author"] = json!({"id": "u/1 <ä>", "name": "Ann", "email": "ann@example.org"});
        comment["body"] = json!(format!("{} <script>alert(1)</script>", talk(id)));
        let comment = app.comment(&comment).await;
        if !action.is_empty() {
            decide(&app, &comment, &json!({"action": action})).await;
        }
        made.push(comment);
        app.clock.advance_ms(60_000);
    }
    let mut other = ordinary("b-1");
    other["author"] = json!({"id": "bob", "name": "Bob", "email": "ann@example.org"});
    app.comment(&other).await;
    let path = "/authors/news/u%2F1%20%3C%C3%A4%3E";
    let note = app
        .request(Method::POST, "/v1/authors/u%2F1%20%3C%C3%A4%3E/notes?site=news", &app.token)
        .json(&json!({"text": "<b>watch</b>"}));
    assert_eq!(note.send().await.unwrap().status(), 201);
    let shown = page(&app, &app.token, path).await;
    holds(
        &shown,
        &[
            ("the rate and how it is computed", "People rejected 1 of 2 that they decided about"),
            ("a note as text", "&#60;b&#62;watch&#60;/b&#62;"),
            ("who shares an address, without it", "href=\"/authors/news/bob\""),
            ("a sanction's form", "href=\"/sanctions?site=news&#38;author=u%2F1+%3C%C3%A4%3E\""),
            ("the export", "href=\"/v1/authors/u%2F1%20%3C%C3%A4%3E/export?site=news\""),
            ("erasing asks for the id", "data-author=\"u/1 &#60;ä&#62;\""),
            ("the latest comments", &format!("href=\"/comments/{}\"", uid(&made[0]))),
        ],
    );
    assert!(!shown.contains("ann@example.org"));
    let form = page(&app, &app.token, "/sanctions?site=news&author=u%2F1+%3C%C3%A4%3E").await;
    assert!(form.contains("name=\"value\" value=\"u/1 &#60;ä&#62;\""), "{form}");
    assert_eq!(status(&app, &app.token, "/authors/news/nobody").await, 404);
    for token in outside(&app).await {
        assert_eq!(status(&app, &token, path).await, 404);
    }
}

#[tokio::test]
async fn an_articles_thread_lies_within_the_reach_and_answers_stand_below() {
    let app = TestApp::spawn().await;
    let mut made = Vec::new();
    for (id, parent) in
        [("t-1", None), ("t-2", None), ("t-3", Some("t-1")), ("t-4", Some("t-3")), ("t-5", Some("gone"))]
    {
        let mut comment = ordinary(id);
        comment["parent_id"] = json!(parent);
        comment["article"]["title"] = json!("Lanes <i>approved</i>");
        comment["article"]["url"] = json!("https://news.example/lanes?x=1");
        made.push(app.comment(&comment).await);
        app.clock.advance_ms(60_000);
    }
    decide(&app, &made[1], &json!({"action": "reject"})).await;
    let shown = page(&app, &app.token, &format!("/articles/news/lanes?at={}", uid(&made[2]))).await;
    let order: Vec<(&str, &str)> = shown
        .split("<li class=\"card under-")
        .skip(1)
        .map(|rest| (&rest[..1], rest.split("id=\"c-").nth(1).unwrap().split('"').next().unwrap()))
        .collect();
    let expected = [("0", &made[4]), ("0", &made[1]), ("0", &made[0]), ("1", &made[2]), ("2", &made[3])];
    assert_eq!(order, expected.map(|(depth, comment)| (depth, uid(comment))));
    holds(
        &shown,
        &[
            ("its title as text", "Lanes &#60;i&#62;approved"),
            ("where it lies, not to be followed", "news.example/lanes"),
            ("how many were rejected", "<dt>rejected</dt><dd>1</dd>"),
            ("the one that somebody came for", "is-current\" id=\"c-"),
            ("what is not above", "<code><bdi>gone</bdi></code>"),
        ],
    );
    let told = app.review(Method::GET, "/v1/articles/lanes?site=news&limit=2", None).await;
    assert_eq!((&told["numbers"]["counts"]["rejected"], &told["article"]["section"]), (&json!(1), &json!("city")));
    assert_eq!((told["items"].as_array().unwrap().len(), told["next_cursor"].is_string()), (2, true));
    assert_eq!(status(&app, &app.token, "/articles/news/none").await, 404);
    for token in outside(&app).await {
        assert_eq!(status(&app, &token, "/articles/news/lanes").await, 404);
    }
    let mut sport = ordinary("s-1");
    sport["article"] = json!({"id": "match", "title": "Match", "section": "sport"});
    app.comment(&sport).await;
    let part = Reach { sections: Some(vec!["sport".to_owned()]), ..Reach::ALL };
    let token = app.person_within("half@example.org", Role::Moderator, &part).await;
    assert!(page(&app, &token, "/articles/news/match").await.contains("<dt>Comments</dt><dd>1</dd>"));
}

#[tokio::test]
async fn an_article_goes_on_and_finds_a_comment_that_lies_further_back() {
    let app = TestApp::spawn_with(|config| config.limits.enabled = false).await;
    let comments: Vec<Value> = (0..120).map(|at| ordinary(&format!("m-{at}"))).collect();
    let made = app.batch(&comments).await;
    let first = page(&app, &app.token, "/articles/news/lanes").await;
    assert_eq!(first.matches("<li class=\"card under-").count(), 100);
    let (start, rest) = first.split_once("href=\"/articles/news/lanes?cursor=").expect("it goes on");
    assert!(!start.is_empty());
    let cursor = rest.split('"').next().unwrap();
    let second = page(&app, &app.token, &format!("/articles/news/lanes?cursor={cursor}")).await;
    assert_eq!(second.matches("<li class=\"card under-").count(), 20);
    let oldest = made.iter().find(|answer| answer["id"] == "m-0").unwrap_or(&made[0]);
    let oldest = oldest["uid"].as_str().or_else(|| oldest["comment"]["uid"].as_str()).unwrap().to_owned();
    let found = page(&app, &app.token, &format!("/articles/news/lanes?at={oldest}")).await;
    holds(&found, &[("it is shown", &format!("id=\"c-{oldest}\"")), ("and the way back", "Back to the latest")]);
}

#[tokio::test]
async fn words_are_found_and_marked_within_the_reach() {
    let app = TestApp::spawn().await;
    let mut comment = ordinary("s-1");
    comment["body"] = json!(format!("{} Größe <script>alert(1)</script> Zeppelin {}", talk("a"), talk("b")));
    comment["author"] = json!({"id": "u-1", "name": "Ann"});
    let made = app.comment(&comment).await;
    let shown = page(&app, &app.token, "/search?q=zeppelin&site=news&status=&author=").await;
    holds(
        &shown,
        &[
            ("the word", "<mark>Zeppelin</mark>"),
            ("markup is text", "&#60;script&#62;alert(1)"),
            ("the comment's page", &format!("href=\"/comments/{}\"", uid(&made))),
            ("the author's page", "href=\"/authors/news/u-1\""),
            ("the article's page", &format!("href=\"/articles/news/lanes?at={}\"", uid(&made))),
            ("the field keeps the question", "value=\"zeppelin\""),
            ("its key", "data-key=\"/\""),
        ],
    );
    let hostile = page(&app, &app.token, "/search?q=%22%3E%3Cscript%3Ealert(7)%3C%2Fscript%3E").await;
    assert!(hostile.contains("Nothing found"));
    assert!(page(&app, &app.token, "/search?q=!!!").await.contains("no word to look for"));
    for status in ["rejected", "held"] {
        let found = page(&app, &app.token, &format!("/search?q=zeppelin&status={status}")).await;
        assert!(!found.contains(uid(&made)), "it is approved, and not {status}");
    }
    for token in outside(&app).await {
        assert!(!page(&app, &token, "/search?q=zeppelin").await.contains(uid(&made)));
    }
}

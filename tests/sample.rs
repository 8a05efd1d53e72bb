//! The sample site of `doorward demo`, as readers and as Doorward meet it: the real site beside the real service, each on a free port.

#![allow(clippy::unwrap_used, reason = "a test may end at any line")]

use std::net::TcpListener;
use std::time::Duration;

use doorward::app::clock::Clock as _;
use doorward::domain::policy::Moderation;
use doorward::sample::mornings;
use doorward::startup::SystemClock;
use reqwest::StatusCode;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::json;
use standardwebhooks::Webhook;

use crate::town::{Town, port};

#[path = "support/town.rs"]
mod town;

/// Long enough for a busy machine; nothing waits for it but a test that fails.
const PATIENCE: Duration = Duration::from_mins(1);
const STORY: &str = "/articles/storm-ingrid";

impl Town {
    /// A reader with a cookie of the site.
    async fn reader(&self) -> Reader<'_> {
        let page = self.client.get(&self.site).send().await.unwrap();
        let cookie = page.headers()[SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        Reader { town: self, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    async fn hook(&self, id: &str, sent_s: i64, signature: Option<String>, body: &str) -> StatusCode {
        let mut request = self.client.post(format!("{}/doorward", self.site)).body(body.to_owned());
        if let Some(signature) = signature {
            request = request.header("webhook-id", id).header("webhook-timestamp", sent_s);
            request = request.header("webhook-signature", signature);
        }
        request.send().await.unwrap().status()
    }
}

struct Reader<'a> {
    town: &'a Town,
    cookie: String,
}

impl Reader<'_> {
    async fn get(&self, path: &str) -> String {
        let request = self.town.client.get(format!("{}{path}", self.town.site)).header(COOKIE, &self.cookie);
        request.send().await.unwrap().text().await.unwrap()
    }

    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> StatusCode {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.town.client.post(format!("{}{path}", self.town.site)).header(COOKIE, &self.cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        request.send().await.unwrap().status()
    }

    /// Posts under the story with the form that the page shows, and returns the comment's id.
    async fn post(&self, name: &str, body: &str, notify: &str) -> String {
        let page = self.get(STORY).await;
        let (_, rest) = page.split_once(r#"name="id" value=""#).unwrap();
        let id = rest.split('"').next().unwrap();
        let opened = (SystemClock.now().as_millis() - 9_000).to_string();
        let fields = [("id", id), ("name", name), ("body", body), ("notify", notify), ("opened", opened.as_str())];
        assert_eq!(self.send(&format!("{STORY}/comments"), &fields).await, StatusCode::SEE_OTHER);
        format!("c-{id}")
    }

    /// Waits until Doorward has answered for all that this reader wrote: on a slow machine the site tries again by itself, and shows the comment meanwhile.
    async fn checked(&self) -> String {
        self.until(STORY, |page| !page.contains("Not checked yet")).await
    }

    /// Reads the page each time that the site says that something changed, until it is as expected.
    async fn until(&self, path: &str, expected: impl Fn(&str) -> bool) -> String {
        let story = path.strip_prefix("/articles/").unwrap_or_default();
        let request = self.town.client.get(format!("{}/events?story={story}", self.town.site));
        let mut events = request.header(COOKIE, &self.cookie).send().await.unwrap();
        assert_eq!(events.headers()["content-type"], "text/event-stream");
        let reading = async {
            loop {
                let page = self.get(path).await;
                if expected(&page) {
                    return page;
                }
                events.chunk().await.unwrap().expect("the stream goes on");
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the page becomes as expected")
    }
}

#[tokio::test]
async fn held_comment_is_its_authors_until_a_person_approves() {
    let town = Town::open(Moderation::Pre).await;
    let (ann, bob) = (town.reader().await, town.reader().await);
    let (text, own) = ("The basin would have held this.", "Waiting for a moderator");
    let id = ann.post("Ann", text, "none").await;
    let seen = ann.checked().await;
    assert!(seen.contains(own) && seen.contains(text), "{seen}");
    let list = format!("{STORY}/comments?all=1");
    assert!(!bob.get(&list).await.contains(text));
    let panel = bob.get("/said").await;
    assert!(panel.contains(text) && panel.contains("<b>held</b>") && panel.contains("<meter"), "{panel}");
    town.decide("approve").await;
    let seen = bob.until(STORY, |page| page.contains(&format!(r#"id="c-{id}""#))).await;
    assert!(seen.contains(text) && !seen.contains(own));
    let panel = bob.until("/said", |page| page.contains("by a moderator")).await;
    assert!(panel.contains(&format!("{}/comments/", town.doorward)));
}

#[tokio::test]
async fn rejected_comment_is_told_to_its_author_who_may_appeal() {
    let town = Town::open(Moderation::Pre).await;
    let (ann, bob) = (town.reader().await, town.reader().await);
    let text = "I read this three times and still do not follow.";
    let id = ann.post("Ann", text, "none").await;
    ann.checked().await;
    town.decide("reject").await;
    ann.until(STORY, |page| page.contains("We have not published this")).await;
    assert!(!bob.get(&format!("{STORY}/comments?all=1")).await.contains(text));
    let appeals = format!("/comments/{id}/appeals");
    assert_eq!(bob.send(&appeals, &[("text", "mine")]).await, StatusCode::NOT_FOUND, "another's comment");
    assert_eq!(ann.send(&appeals, &[("text", "It is a fair question.")]).await, StatusCode::SEE_OTHER);
    assert!(ann.get(STORY).await.contains("You asked us to look again"));
}

#[tokio::test]
async fn only_signed_and_fresh_webhooks_are_believed() {
    let town = Town::open(Moderation::Pre).await;
    let ann = town.reader().await;
    ann.post("Ann", "Nobody has looked at this yet.", "none").await;
    ann.checked().await;
    let comment = town.comments().await.remove(0);
    let mut forged = comment.clone();
    forged["status"] = json!("approved");
    forged["version"] = json!(7);
    let body = json!({"type": "comment.approved", "timestamp": "2026-11-24T10:00:00Z", "data": forged}).to_string();
    let now_s = SystemClock.now().as_millis() / 1_000;
    let sign = |sent_s: i64| town.webhook.sign("m", sent_s, body.as_bytes()).unwrap();
    let wrong =
        Webhook::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap().sign("m", now_s, body.as_bytes()).unwrap();
    for (what, sent_s, signature) in [
        ("unsigned", now_s, None),
        ("another secret", now_s, Some(wrong)),
        ("old", now_s - 400, Some(sign(now_s - 400))),
        ("from the future", now_s + 400, Some(sign(now_s + 400))),
        ("another time than signed", now_s, Some(sign(now_s - 10))),
    ] {
        assert_eq!(town.hook("m", sent_s, signature, &body).await, StatusCode::UNAUTHORIZED, "{what}");
    }
    assert!(ann.get(STORY).await.contains("Waiting for a moderator"));
    assert_eq!(town.hook("m", now_s, Some(sign(now_s)), &body).await, StatusCode::NO_CONTENT);
    assert!(!ann.get(STORY).await.contains("Waiting for a moderator"));
    // What is older than that arrives late, rightly signed: it puts nothing back.
    let body = json!({"type": "comment.held", "timestamp": "2026-11-24T10:00:00Z", "data": comment}).to_string();
    let late = town.webhook.sign("l", now_s, body.as_bytes()).unwrap();
    assert_eq!(town.hook("l", now_s, Some(late), &body).await, StatusCode::NO_CONTENT);
    assert!(!ann.get(STORY).await.contains("Waiting for a moderator"));
}

#[tokio::test]
async fn what_readers_write_is_shown_and_never_run() {
    let town = Town::open(Moderation::Pre).await;
    let ann = town.reader().await;
    let body = "<script>alert(1)</script> \"><img src=x onerror=alert(2)> javascript:alert(3) https://a.example/?q=\"onmouseover=\"x {{ 7*7 }}";
    ann.post("<b onclick=x>Ann</b>", body, "none").await;
    for path in [STORY, "/said", "/", "/articles/storm-ingrid/comments"] {
        let page = ann.get(path).await;
        for bad in ["<script>alert", "<img src=x", "<b onclick", "href=\"javascript", "\"onmouseover"] {
            assert!(!page.contains(bad), "{path}: {bad}");
        }
    }
    let page = ann.get(STORY).await;
    assert!(page.contains("&#60;script&#62;alert(1)"), "shown as it was written");
    assert!(page.contains(r#"rel="ugc nofollow noopener""#));
    let answer = town.client.get(format!("{}{STORY}", town.site)).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn forms_from_elsewhere_and_without_a_cookie_change_nothing() {
    let town = Town::open(Moderation::Pre).await;
    let ann = town.reader().await;
    let post = || town.client.post(format!("{}/replays/normal-talk", town.site));
    assert_eq!(post().send().await.unwrap().status(), StatusCode::FORBIDDEN);
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://elsewhere.example"), ("origin", "null")]
    {
        let answer = post().header(COOKIE, &ann.cookie).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    assert!(town.comments().await.is_empty());
}

#[tokio::test]
async fn replays_post_all_of_their_comments_again_and_again() {
    let town = Town::open(Moderation::Post).await;
    let ann = town.reader().await;
    let mornings = mornings().unwrap();
    let all: usize = mornings.iter().map(|morning| morning.comments.len()).sum();
    for round in 1..=2 {
        for morning in &mornings {
            assert_eq!(ann.send(&format!("/replays/{}", morning.id), &[]).await, StatusCode::SEE_OTHER);
        }
        ann.until("/", |page| !page.contains("disabled")).await;
        let taken = async {
            while town.comments().await.len() < round * all {
                tokio::time::sleep(Duration::from_millis(20)).await; // between two looks at the condition
            }
        };
        tokio::time::timeout(PATIENCE, taken).await.expect("all comments are taken");
        assert_eq!(town.comments().await.len(), round * all);
    }
    assert_eq!(ann.send("/replays/unheard-of", &[]).await, StatusCode::CONFLICT);
    let page = ann.get(&format!("{STORY}?all=1")).await;
    assert!(page.contains("class=\"replies\""), "answers stand below what they answer");
    assert!(ann.get(STORY).await.contains("View all"));
}

#[tokio::test]
async fn comment_waits_while_doorward_is_away_and_is_sent_when_it_is_back() {
    let (listener, doorward) = port();
    let again = listener.local_addr().unwrap();
    drop(listener);
    let mut town = Town::without_doorward(Moderation::Post, doorward).await;
    let text = "Is the underpass open again? The buses say one thing and the trams another.";
    let cookie = {
        let (ann, bob) = (town.reader().await, town.reader().await);
        ann.post("Ann", text, "none").await;
        assert!(ann.get(STORY).await.contains("Not checked yet"));
        assert!(!bob.get(&format!("{STORY}/comments")).await.contains(text), "unchecked is not published");
        ann.cookie
    };
    town.open_doorward(TcpListener::bind(again).unwrap()).await;
    let ann = Reader { town: &town, cookie };
    ann.until(STORY, |page| page.contains(text) && !page.contains("Not checked yet")).await;
    assert_eq!(town.comments().await.len(), 1);
    assert!(town.folder.path().exists());
}

#[tokio::test]
async fn readers_vote_report_and_hear_of_what_they_asked_for() {
    let town = Town::open(Moderation::Post).await;
    let (ann, bob) = (town.reader().await, town.reader().await);
    bob.post("Bob", "Our street is dry again, the pumps ran all night.", "all").await;
    bob.checked().await;
    let text = "Ours as well. Thank you to the crew from the next town.";
    let id = ann.post("Ann", text, "replies").await;
    ann.checked().await;
    let notices = bob.get("/notices").await;
    assert!(notices.contains("Ann wrote under") && notices.contains(&id), "{notices}");
    assert!(!ann.get("/notices").await.contains("Bob"), "she asked for answers only");
    let votes = format!("/comments/{id}/votes");
    assert_eq!(bob.send(&votes, &[("value", "1")]).await, StatusCode::SEE_OTHER);
    assert!(bob.get(STORY).await.contains("▲ 1"));
    assert_eq!(bob.send(&votes, &[("value", "1")]).await, StatusCode::SEE_OTHER);
    assert!(!bob.get(STORY).await.contains("▲ 1"), "the same again takes it back");
    let report = [("category", "off-topic"), ("text", "about another street")];
    assert_eq!(bob.send(&format!("/comments/{id}/reports"), &report).await, StatusCode::SEE_OTHER);
    assert!(bob.get(STORY).await.contains("Reported"));
    assert_eq!(bob.send("/notices", &[]).await, StatusCode::SEE_OTHER);
    assert!(!bob.get("/notices").await.contains("Ann wrote"));
}

#[tokio::test]
async fn a_form_sent_twice_is_one_comment() {
    let town = Town::open(Moderation::Post).await;
    let ann = town.reader().await;
    let id = "2f1b6c3e-0d7a-4f57-9a64-2b9d8e6a1c11";
    let form = |body| [("id", id), ("name", "Ann"), ("body", body), ("notify", "none")];
    let path = format!("{STORY}/comments");
    assert_eq!(ann.send(&path, &form("Said once.")).await, StatusCode::SEE_OTHER);
    assert_eq!(ann.send(&path, &form("Said once.")).await, StatusCode::SEE_OTHER);
    assert_eq!(ann.send(&path, &form("Something else.")).await, StatusCode::CONFLICT);
    assert_eq!(ann.send(&path, &form("  ")).await, StatusCode::UNPROCESSABLE_ENTITY);
    ann.checked().await;
    assert_eq!(town.comments().await.len(), 1);
}

//! The pages for whoever watches: how moderation goes, and who did what. What is shown to whom, and that nothing hostile becomes markup.

use doorward::domain::decision::Actor;
use doorward::domain::people::{Reach, Role};
use doorward::domain::store::AuditEntry;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read};
use crate::receiver::{Receiver, Reply};

async fn status(app: &TestApp, token: &str, path: &str) -> StatusCode {
    app.request(Method::GET, path, token).header("accept", "text/html").send().await.unwrap().status()
}

/// A page as a browser gets it.
async fn page(app: &TestApp, token: &str, path: &str) -> String {
    let answer = app.request(Method::GET, path, token).header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let text = answer.text().await.unwrap();
    for forbidden in [" style=", " onclick=", " onload=", "<style", "javascript:", "<script>", "<img src=x", "\u{202e}"]
    {
        assert!(!text.contains(forbidden), "{forbidden:?} in {text}");
    }
    text
}

async fn decide(app: &TestApp, comment: &Value, action: &str) {
    let ask = json!({"items": [{"uid": comment["uid"], "seen_version": comment["version"]}], "action": action});
    app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
}

fn within(site: &str) -> Reach {
    Reach { sites: Some(vec![site.to_owned()]), ..Reach::ALL }
}

#[tokio::test]
async fn health_says_what_came_what_waits_and_where_people_overrule() {
    let app = TestApp::spawn().await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    let quiet = page(&app, &auditor, "/health").await;
    assert!(quiet.contains("In 48 hours: 0 approved, 0 waiting, 0 rejected."), "{quiet}");
    assert!(quiet.contains("people have decided too little") && quiet.contains("Too few to say: 0 comments"));
    app.comment(&ordinary("c-1")).await;
    app.comment(&doubtful("c-2")).await;
    for at in 0..4 {
        let wronged = app.comment(&doubtful(&format!("d-{at}"))).await;
        decide(&app, &wronged, "approve").await;
    }
    app.clock.advance_ms(3 * 3_600_000);
    let shown = page(&app, &auditor, "/health").await;
    assert!(shown.contains("In 48 hours: 5 approved, 1 waiting, 0 rejected."), "{shown}");
    assert_eq!(shown.matches("class=\"ground\"").count(), 49, "hours without any are drawn, too");
    assert!(shown.contains("<rect class=\"approved\"") && shown.contains("<rect class=\"held\""));
    assert!(shown.contains("<th scope=\"row\"><time datetime=\"2026-11-24T10:00:00Z\">11-24 10:00</time></th>"));
    assert!(shown.contains("<dt>Oldest</dt><dd>3 h</dd>") && shown.contains("<dt>Waiting</dt><dd>1</dd>"), "{shown}");
    assert!(shown.contains("mostly overruled") && shown.contains("4 of 4") && shown.contains("100.0\u{202f}%"));
    assert!(shown.contains("Limits in force") && shown.contains("No message to your sites was given up."));
    assert!(!shown.contains("data-resend"), "whoever only watches sends nothing");
    let day = page(&app, &auditor, "/health?hours=24").await;
    assert_eq!(day.matches("class=\"ground\"").count(), 25);
    assert!(day.contains("href=\"/health?hours=24\" aria-current=true"));
    for wrong in ["0", "337", "x"] {
        let path = format!("/health?hours={wrong}");
        assert_eq!(status(&app, &auditor, &path).await, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    let german = app.request(Method::GET, "/health", &auditor).header("accept-language", "de").send().await.unwrap();
    assert!(german.text().await.unwrap().contains("5 freigegeben, 1 wartend, 0 abgelehnt"));
}

#[tokio::test]
async fn health_is_of_ones_own_whole_sites() {
    let app = TestApp::spawn().await;
    app.another_site("blog").await;
    app.comment(&doubtful("c-1")).await;
    let other = app.person_within("aud@blog.example", Role::Auditor, &within("blog")).await;
    let shown = page(&app, &other, "/health").await;
    assert!(shown.contains("In 48 hours: 0 approved, 0 waiting, 0 rejected."), "{shown}");
    assert!(shown.contains("shown to whoever works on all sites") && !shown.contains("On their way"));
    assert!(shown.contains("href=\"/health\"") && !shown.contains("href=\"/audit\""), "nothing leads to a refusal");
    assert_eq!(status(&app, &other, "/audit").await, StatusCode::FORBIDDEN);
    let sport = Reach { sections: Some(vec!["sport".to_owned()]), ..Reach::ALL };
    let part = app.person_within("aud@sport.example", Role::Auditor, &sport).await;
    assert_eq!(status(&app, &part, "/health").await, StatusCode::FORBIDDEN, "figures of whole sites show more");
    assert!(!page(&app, &part, "/queue").await.contains("href=\"/health\""));
    assert_eq!(status(&app, &app.token, "/health").await, StatusCode::FORBIDDEN, "a moderator decides");
}

#[tokio::test]
async fn dead_letters_are_shown_and_sent_again_by_operators() {
    let receiver = Receiver::start(|_, before| Reply::Status(if before == 0 { 410 } else { 204 })).await;
    let app = TestApp::spawn_with(|config| {
        config.webhooks.allow_hosts = vec!["127.0.0.1".to_owned()];
        config.webhooks.poll_ms = 10;
        config.webhooks.undo_grace_s = 0;
    })
    .await;
    let made = app.admin().site_create("blog", None, Some(&receiver.url("/")), app.now()).await.unwrap();
    let sent = app.request(Method::POST, "/v1/comments", &made.key).json(&doubtful("c-1")).send().await.unwrap();
    decide(&app, &read(sent, &[201]).await, "approve").await;
    let operator = app.person("ops@example.org", Role::Operator).await;
    let dead = loop {
        let answer = app.request(Method::GET, "/v1/outbox?dead=true", &operator).send().await.unwrap();
        let found = read(answer, &[200]).await;
        if let Some(letter) = found["items"].get(0) {
            break letter["id"].as_str().unwrap().to_owned();
        }
        tokio::task::yield_now().await;
    };
    let shown = page(&app, &operator, "/health").await;
    assert!(shown.contains(&format!("data-resend=\"{dead}\"")) && shown.contains("data-resend=\"all\""), "{shown}");
    assert!(shown.contains("<dt>Given up</dt><dd>1</dd>") && shown.contains("comment.approved"));
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    let read_only = page(&app, &auditor, "/health").await;
    assert!(read_only.contains("comment.approved") && !read_only.contains("data-resend"));
    let other = app.person_within("ops@news.example", Role::Operator, &within("news")).await;
    assert!(!page(&app, &other, "/health").await.contains("comment.approved"), "it is another site's");
    let again = app.request(Method::POST, "/v1/outbox/resend", &operator).json(&json!({"ids": [dead]})).send();
    assert_eq!(read(again.await.unwrap(), &[200]).await["resent"], 1);
    receiver.wait(2).await;
    assert!(page(&app, &operator, "/health").await.contains("No message to your sites was given up."));
}

async fn note(app: &TestApp, by: Actor, action: &str, subject: &str, detail: &str) {
    let (action, subject, detail) = (action.to_owned(), subject.to_owned(), detail.to_owned());
    app.store.audit_note(AuditEntry { by, action, subject, detail, at: app.now() }).await.unwrap();
}

#[tokio::test]
async fn the_record_is_shown_in_words_and_searched() {
    let app = TestApp::spawn().await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    let held = app.comment(&doubtful("c-1")).await;
    decide(&app, &held, "reject").await;
    app.clock.advance_ms(3_600_000);
    let by = Actor::Person("<img src=x>@example.org".to_owned());
    note(&app, by, "test.note", "<script>alert(1)</script>\u{202e}", "\"><b>bold").await;
    let shown = page(&app, &auditor, "/audit").await;
    for part in ["decided</a>", "made a site", "command line", "test.note</a>", "&#60;script&#62;", "U+202E"] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    assert!(!shown.contains("<b>bold"));
    assert!(shown.find("test.note") < shown.find("made a site"), "newest first");
    let decisions = page(&app, &auditor, "/audit?action=decision").await;
    assert!(decisions.contains("decided</a>") && !decisions.contains("test.note"));
    assert!(decisions.contains("href=\"/v1/audit/export?action=decision&#38;format=csv\""), "{decisions}");
    let before = page(&app, &auditor, "/audit?until=2026-11-24T10:30").await;
    assert!(before.contains("decided</a>") && !before.contains("test.note"), "moments without a zone are UTC");
    assert!(before.contains("value=\"2026-11-24T10:30\""), "and stay in their field");
    let found = page(&app, &auditor, "/audit?q=%3CSCRIPT%3E").await;
    assert!(found.contains("test.note") && !found.contains("made a site"));
    assert!(page(&app, &auditor, "/audit?subject=nothing").await.contains("Nothing like that is on record."));
    assert_eq!(status(&app, &auditor, "/audit?since=yesterday").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(status(&app, &app.token, "/audit").await, StatusCode::FORBIDDEN, "a moderator");
}

#[tokio::test]
async fn the_record_goes_on_where_a_page_ends_and_says_whether_it_is_whole() {
    let app = TestApp::spawn().await;
    let auditor = app.person("aud@example.org", Role::Auditor).await;
    for number in 0..120 {
        note(&app, Actor::Console, "test.note", &format!("subject-{number}-"), "").await;
    }
    let first = page(&app, &auditor, "/audit?action=test.").await;
    assert!(first.contains("subject-119-") && first.contains("subject-20-") && !first.contains("subject-19-"));
    let link = first.split("href=\"/audit?action=test.&#38;cursor=").nth(1).expect("it goes on");
    let path = format!("/audit?action=test.&cursor={}", link.split('"').next().unwrap());
    let second = page(&app, &auditor, &path).await;
    assert!(second.contains("subject-19-") && !second.contains("subject-20-") && second.contains("Back to the newest"));
    let whole = page(&app, &auditor, "/audit?check=1").await;
    assert!(whole.contains("lines are there, and say what they said."), "{whole}");
    let head = app
        .database()
        .query_row("SELECT lower(hex(chain)) FROM audit ORDER BY id DESC LIMIT 1", [], |row| row.get::<_, String>(0));
    assert!(whole.contains(&head.unwrap()), "the hash of the last line can be kept elsewhere");
    let forge = "DROP TRIGGER audit_is_never_changed; UPDATE audit SET subject = 'another' WHERE id = 2;";
    app.database().execute_batch(forge).unwrap();
    assert!(page(&app, &auditor, "/audit?check=1").await.contains("Not whole: line 2 or one before it"));
}

//! Signed webhooks in: what is believed, what a message that comes again gets, and what foreign messages become.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doorward::app::signature;
use doorward::domain::comment::ExternalId;
use doorward::domain::decision::Actor;
use doorward::domain::outbox::LetterFilter;
use doorward::domain::people::Reach;
use doorward::domain::store::{PageRequest, SecretKind};
use doorward::domain::time::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::helpers::{START_MS, TestApp, ordinary, read};

const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A message to the site `news`, as a Standard Webhooks library signs it.
struct Signed<'a> {
    site: &'a str,
    secret: &'a str,
    id: &'a str,
    at_ms: i64,
}

impl<'a> Signed<'a> {
    fn new(app: &'a TestApp, id: &'a str) -> Self {
        let at_ms = app.state.clock.now().as_millis();
        Self { site: "news", secret: &app.inbound_secret, id, at_ms }
    }

    fn request(&self, app: &TestApp, body: &str) -> RequestBuilder {
        let at = Timestamp::from_millis(self.at_ms);
        let signature = signature::sign(&[self.secret.to_owned()], self.id, at, body).unwrap();
        app.request(Method::POST, &format!("/v1/sites/{}/webhook", self.site), "")
            .header("webhook-id", self.id)
            .header("webhook-timestamp", self.at_ms.div_euclid(1_000))
            .header("webhook-signature", signature)
            .body(body.to_owned())
    }

    async fn send(&self, app: &TestApp, body: &Value) -> Response {
        self.request(app, &body.to_string()).send().await.unwrap()
    }
}

async fn send(app: &TestApp, id: &str, body: &Value) -> Response {
    Signed::new(app, id).send(app, body).await
}

fn replayed(answer: &Response) -> bool {
    answer.headers().get("idempotency-replayed").is_some_and(|value| value == "true")
}

async fn count(app: &TestApp) -> usize {
    let page = read(app.request(Method::GET, "/v1/comments?limit=500", &app.key).send().await.unwrap(), &[200]).await;
    page["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_signed_comment_is_taken_like_any_other() {
    let app = TestApp::spawn().await;
    let taken = read(send(&app, "m-1", &ordinary("c-1")).await, &[201]).await;
    let found = read(app.request(Method::GET, "/v1/comments/c-1", &app.key).send().await.unwrap(), &[200]).await;
    assert_eq!(taken, found);
    assert_eq!((&taken["id"], &taken["site"], &taken["status"]), (&json!("c-1"), &json!("news"), &json!("approved")));
    let invalid = read(send(&app, "m-2", &json!({"id": "c-2", "article": {"id": "a"}})).await, &[422]).await;
    assert_eq!(invalid["field"], "body");
    assert_eq!(send(&app, "m-3", &json!(1)).await.status(), 422);
    let broken = Signed::new(&app, "m-4").request(&app, "{").send().await.unwrap();
    assert_eq!(read(broken, &[400]).await["type"], "/problems/malformed");
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn what_is_not_signed_right_and_now_is_refused_unread() {
    let app = TestApp::spawn().await;
    let body = ordinary("c-1").to_string();
    let good = || Signed::new(&app, "m-1");
    let long = "m".repeat(201);
    let without = |header: &str| {
        let request = good().request(&app, &body).build().unwrap();
        let (url, headers) = (request.url().clone(), request.headers().clone());
        let kept = headers.iter().filter(|(name, _)| name.as_str() != header);
        let kept = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        app.client.post(url).headers(kept).body(body.clone())
    };
    let fits_not = "webhook-signature: no signature fits";
    let stale = "webhook-timestamp: is more than 300 seconds from now";
    for (name, request, expected) in [
        ("no id", without("webhook-id"), "webhook-id: is missing"),
        ("no time", without("webhook-timestamp"), "webhook-timestamp: is missing"),
        ("no signature", without("webhook-signature"), "webhook-signature: is missing"),
        ("tampered", good().request(&app, &body).body(body.replace("lanes", "liars")), fits_not),
        ("not JSON, and tampered", good().request(&app, &body).body("{"), fits_not),
        ("another secret", Signed { secret: OTHER_SECRET, ..good() }.request(&app, &body), fits_not),
        ("late", Signed { at_ms: START_MS - 301_000, ..good() }.request(&app, &body), stale),
        ("early", Signed { at_ms: START_MS + 301_000, ..good() }.request(&app, &body), stale),
        ("an unknown site", Signed { site: "nowhere", ..good() }.request(&app, &body), fits_not),
        ("no site at all", Signed { site: "No%20Where", ..good() }.request(&app, &body), fits_not),
        (
            "an unknown site with nobody's secret",
            Signed { site: "nowhere", secret: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ..good() }
                .request(&app, &body),
            fits_not,
        ),
        (
            "a long id",
            Signed { id: &long, ..good() }.request(&app, &body),
            "webhook-id: must be 1 to 200 printable characters",
        ),
        (
            "no such source",
            app.request(Method::POST, "/v1/sites/news/webhook?source=x", "").body("{}"),
            "source: this site has no source of that name",
        ),
    ] {
        let problem = read(request.send().await.unwrap(), &[401]).await;
        assert_eq!(
            (&problem["type"], &problem["detail"]),
            (&json!("/problems/unauthorized"), &json!(expected)),
            "{name}"
        );
    }
    assert_eq!(count(&app).await, 0);
    for edge in [START_MS - 300_000, START_MS + 300_000] {
        assert!(Signed { at_ms: edge, ..good() }.send(&app, &ordinary("c-1")).await.status().is_success());
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_anything_else() {
    let app = TestApp::spawn_with(|config| config.server.max_body_bytes = 1_000).await;
    let request = app.request(Method::POST, "/v1/sites/news/webhook", "").body("x".repeat(1_001));
    assert_eq!(request.send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn of_the_same_message_many_times_at_once_one_is_acted_on() {
    let app = TestApp::spawn().await;
    let edit = json!({"type": "comment.updated", "data": ordinary("c-1")});
    let (app, edit) = (&app, &edit);
    let answers = futures_util::future::join_all((0..8).map(|_| send(app, "m-1", edit))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
    assert_eq!(answers.iter().filter(|answer| replayed(answer)).count(), 7, "the others found it done");
}

#[tokio::test]
async fn a_message_that_comes_again_gets_the_same_answer() {
    let app = TestApp::spawn().await;
    let first = send(&app, "m-1", &ordinary("c-1")).await;
    assert!(!replayed(&first));
    let first = read(first, &[201]).await;
    app.clock.advance_ms(200_000); // senders sign each attempt anew
    let again = send(&app, "m-1", &ordinary("c-1")).await;
    assert!(replayed(&again));
    assert_eq!(read(again, &[200]).await, first);
    let other = read(send(&app, "m-1", &ordinary("c-2")).await, &[409]).await;
    assert_eq!(other["type"], "/problems/message-exists");
    let nonsense = read(send(&app, "m-1", &json!({})).await, &[409]).await;
    assert_eq!(nonsense["type"], "/problems/message-exists");
    assert_eq!(count(&app).await, 1);
    let same_comment = send(&app, "m-2", &ordinary("c-1")).await;
    assert!(replayed(&same_comment), "the same comment in another message");
    let mut changed = ordinary("c-1");
    changed["body"] = json!("Something else entirely was said here.");
    assert_eq!(read(send(&app, "m-3", &changed).await, &[409]).await["type"], "/problems/comment-exists");
}

#[tokio::test]
async fn ids_of_messages_are_each_sites_own() {
    let app = TestApp::spawn().await;
    app.another_site("blog").await;
    let sealed = app.sealer.seal("blog", "inbound", OTHER_SECRET).unwrap();
    let now = app.state.clock.now();
    app.state.store.site_secret_rotate("blog", SecretKind::Inbound, sealed, now, now).await.unwrap();
    assert_eq!(send(&app, "m-1", &ordinary("c-1")).await.status(), 201);
    let theirs = Signed { site: "blog", secret: OTHER_SECRET, ..Signed::new(&app, "m-1") };
    assert_eq!(theirs.send(&app, &ordinary("c-2")).await.status(), 201);
    let crossed = Signed { site: "blog", ..Signed::new(&app, "m-2") };
    assert_eq!(crossed.send(&app, &ordinary("c-3")).await.status(), 401, "one site's secret is not another's");
}

#[tokio::test]
async fn what_was_erased_does_not_come_back_with_its_message() {
    let app = TestApp::spawn().await;
    assert_eq!(send(&app, "m-1", &ordinary("c-1")).await.status(), 201);
    let (store, id) = (&app.state.store, ExternalId::parse("id", "c-1".to_owned()).unwrap());
    let site = store.sites().await.unwrap().remove(0).id;
    app.state.intake.erase(site, id, Actor::Console, &Reach::ALL, app.state.clock.now()).await.unwrap();
    let again = send(&app, "m-1", &ordinary("c-1")).await;
    assert_eq!((again.status().as_u16(), replayed(&again)), (204, true));
    assert_eq!(count(&app).await, 0);
}

#[tokio::test]
async fn a_message_that_was_cut_short_is_taken_when_it_comes_again() {
    let app = TestApp::spawn().await;
    let (store, now) = (&app.state.store, app.state.clock.now());
    let site = store.sites().await.unwrap().remove(0).id;
    let digest = |body: &Value| Sha256::digest(body.to_string().as_bytes()).into();
    // The machine stopped after the message was noted, and before its comment was stored.
    let lost = ordinary("c-1");
    store.delivery_note(site, "m-1", digest(&lost), now).await.unwrap();
    assert_eq!(send(&app, "m-1", &lost).await.status(), 201);
    // It stopped after the comment was stored, and before the message was noted as done.
    let half = ordinary("c-2");
    store.delivery_note(site, "m-2", digest(&half), now).await.unwrap();
    app.comment(&half).await;
    let again = send(&app, "m-2", &half).await;
    assert_eq!((again.status().as_u16(), replayed(&again)), (200, true));
    assert_eq!(count(&app).await, 2);
}

#[tokio::test]
async fn an_envelope_brings_edits_and_erasures() {
    let app = TestApp::spawn().await;
    let envelope = |kind: &str, data: &Value| json!({"type": kind, "timestamp": "2026-11-24T10:00:00Z", "data": data});
    let mut comment = ordinary("c-1");
    let created = read(send(&app, "m-1", &envelope("comment.created", &comment)).await, &[201]).await;
    comment["body"] = json!("I have thought about it again, and the lanes are fine by me.");
    let edited = read(send(&app, "m-2", &envelope("comment.updated", &comment)).await, &[200]).await;
    assert_eq!((&edited["uid"], &edited["revision"]), (&created["uid"], &json!(2)));
    let unseen = read(send(&app, "m-3", &envelope("comment.updated", &ordinary("c-9"))).await, &[201]).await;
    assert_eq!(unseen["revision"], 1, "an edit of what never came is a comment");
    let erase = envelope("comment.deleted", &json!({"id": "c-1"}));
    assert_eq!(send(&app, "m-4", &erase).await.status(), 204);
    let again = send(&app, "m-4", &erase).await;
    assert_eq!((again.status().as_u16(), replayed(&again)), (204, true));
    assert_eq!(send(&app, "m-5", &erase).await.status(), 204, "it is gone, which is what was asked");
    let late = send(&app, "m-2", &envelope("comment.updated", &comment)).await;
    assert_eq!((late.status().as_u16(), replayed(&late)), (204, true), "an old message brings nothing back");
    assert_eq!(count(&app).await, 1);
    let other = read(send(&app, "m-6", &envelope("comment.liked", &comment)).await, &[422]).await;
    assert_eq!(other["field"], "type");
}

#[tokio::test]
async fn the_secret_before_is_believed_until_it_ends() {
    let app = TestApp::spawn().await;
    let (store, now) = (&app.state.store, app.state.clock.now());
    let sealed = app.sealer.seal("news", "inbound", OTHER_SECRET).unwrap();
    let end = now.plus_millis(3_600_000);
    assert_eq!(send(&app, "m-0", &ordinary("c-0")).await.status(), 201);
    store.site_secret_rotate("news", SecretKind::Inbound, sealed, end, now).await.unwrap();
    app.clock.advance_ms(5_000);
    let by = async |secret: &str, id: &str| {
        let signed = Signed { secret, ..Signed::new(&app, id) };
        signed.send(&app, &ordinary(id)).await.status().as_u16()
    };
    assert_eq!(by(OTHER_SECRET, "m-1").await, 201);
    assert_eq!(by(&app.inbound_secret, "m-2").await, 201);
    app.clock.advance_ms(3_594_999);
    assert_eq!(by(&app.inbound_secret, "m-3").await, 201);
    app.clock.advance_ms(1);
    assert_eq!(by(&app.inbound_secret, "m-4").await, 401);
    assert_eq!(by(OTHER_SECRET, "m-4").await, 201);
}

#[tokio::test]
async fn the_site_is_told_what_became_of_it() {
    let app = TestApp::spawn().await;
    let (store, now) = (&app.state.store, app.state.clock.now());
    store.site_webhook_set("news", Some("https://hooks.invalid/x"), now).await.unwrap();
    let letters = async || {
        let page = PageRequest { limit: 50, cursor: None };
        let letters = store.outbox_list(&LetterFilter::default(), &page).await.unwrap().items;
        letters.into_iter().map(|letter| letter.kind).collect::<Vec<_>>()
    };
    app.comment(&ordinary("c-1")).await;
    assert_eq!(letters().await, Vec::<String>::new(), "who posts reads the answer");
    assert_eq!(send(&app, "m-1", &ordinary("c-2")).await.status(), 201);
    assert_eq!(letters().await, ["comment.approved"]);
    assert_eq!(send(&app, "m-1", &ordinary("c-2")).await.status(), 200);
    assert_eq!(letters().await.len(), 1, "once");
}

#[tokio::test]
async fn messages_are_forgotten_after_the_set_time() {
    let app = TestApp::spawn().await;
    assert_eq!(send(&app, "m-1", &ordinary("c-1")).await.status(), 201);
    app.clock.advance_ms(72 * 3_600_000);
    assert_eq!(app.state.webhooks_in.prune(app.state.clock.now()).await.unwrap(), 0);
    assert_eq!(send(&app, "m-1", &ordinary("c-2")).await.status(), 409);
    app.clock.advance_ms(1);
    // What it forgets now the service itself may have forgotten already, when its own first look comes late.
    app.state.webhooks_in.prune(app.state.clock.now()).await.unwrap();
    assert_eq!(send(&app, "m-1", &ordinary("c-2")).await.status(), 201);
}

#[tokio::test]
async fn limits_count_webhooks_with_comments_and_a_refused_message_may_come_again() {
    let app = TestApp::spawn_with(|config| {
        config.limits = toml::from_str(
            "[[policies]]\nname = 'one'\nkey = 'site'\nquota = 1\nwindow_s = 60\non_limit = 'refuse'\nroutes = ['comment']",
        )
        .unwrap();
    })
    .await;
    app.comment(&ordinary("c-1")).await;
    let refused = send(&app, "m-1", &ordinary("c-2")).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    app.clock.advance_ms(61_000);
    assert_eq!(send(&app, "m-1", &ordinary("c-2")).await.status(), 201);
}

// Senders that sign otherwise.

const SOURCES: &str = r#"
    [[sources]]
    name = "code"
    site = "news"
    preset = "github"
    secret = "github-secret"

    [[sources]]
    name = "forum"
    site = "news"
    preset = "discourse"
    secret = "discourse-secret"
    secret_before = "discourse-secret-before"

    [[sources]]
    name = "blog"
    site = "news"
    preset = "ghost"
    secret = "ghost-secret"

    [[sources]]
    name = "talk"
    site = "news"
    preset = "coral"
    secret = "coral-secret"

    [[sources]]
    name = "board"
    site = "news"
    secret = "board-token"
    [sources.signature]
    scheme = "token"
    header = "Authorization"
    prefix = "Bearer "
    [sources.event]
    from = "/event"
    create = ["reply.posted"]
    delete = ["reply.gone"]
    [sources.map]
    id = "/reply/number"
    "article.id" = "/reply/thread/key"
    "article.title" = "/reply/thread/subject"
    "article.tags" = "/reply/labels"
    "article.lang" = "value:en"
    "author.id" = "/reply/written_by/account"
    "author.name" = "/reply/written_by/shown_as"
    "author.registered_at" = "/reply/written_by/since"
    "author.ip" = "/reply/ip"
    body = "/reply/text"
    created_at = "/reply/sent_at"

    [[sources]]
    name = "own"
    site = "news"
    [sources.signature]
    scheme = "standard"
    [sources.map]
    id = "/n"
    "article.id" = "value:guestbook"
    body = "/says"
"#;

async fn with_sources() -> TestApp {
    TestApp::spawn_with(|config| {
        let sources: doorward::config::Config = toml::from_str(SOURCES).unwrap();
        config.sources = sources.sources;
    })
    .await
}

fn payload(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/api/payloads/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn hmac(secret: &str, parts: &[&str]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

fn sha256(secret: &str, parts: &[&str]) -> String {
    let hex: String = hmac(secret, parts).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// Sends `body` as `source` with headers made for `signed`: what is sent may be another body than what is signed.
async fn from(app: &TestApp, source: &str, headers: &[(&str, String)], body: &str) -> Response {
    let path = format!("/v1/sites/news/webhook?source={source}");
    let request = app.request(Method::POST, &path, "").header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    request.body(body.to_owned()).send().await.unwrap()
}

#[tokio::test]
async fn github_comments_come_in() {
    let app = with_sources().await;
    let body = payload("github");
    let headers = |signed: &str, id: &str, event: &str| {
        [
            ("X-Hub-Signature-256", sha256("github-secret", &[signed])),
            ("X-GitHub-Delivery", id.to_owned()),
            ("X-GitHub-Event", event.to_owned()),
        ]
    };
    let tampered = body.replace("evening", "morning");
    assert_eq!(from(&app, "code", &headers(&body, "d-1", "issue_comment"), &tampered).await.status(), 401);
    let taken = read(from(&app, "code", &headers(&body, "d-1", "issue_comment"), &body).await, &[201]).await;
    let of = |field: &str| taken[field].as_str().unwrap().to_owned();
    assert_eq!(
        [of("id"), of("article_id"), of("author_id"), of("format")],
        ["IC_kwDOABCD1M5xg4Qv", "I_kwDOABCD1M58rXyJ", "12933", "markdown"]
    );
    let again = from(&app, "code", &headers(&body, "d-1", "issue_comment"), &body).await;
    assert!(replayed(&again));
    assert_eq!(read(again, &[200]).await, taken);
    assert_eq!(from(&app, "code", &headers(&tampered, "d-1", "issue_comment"), &tampered).await.status(), 409);
    let edited = tampered.replace("\"created\"", "\"edited\"");
    let edited = read(from(&app, "code", &headers(&edited, "d-2", "issue_comment"), &edited).await, &[200]).await;
    assert_eq!((&edited["uid"], &edited["revision"]), (&taken["uid"], &json!(2)));
    let starred = r#"{"action":"created","repository":{"id":1}}"#;
    assert_eq!(from(&app, "code", &headers(starred, "d-3", "star"), starred).await.status(), 204);
    let deleted = body.replace("\"created\"", "\"deleted\"");
    assert_eq!(from(&app, "code", &headers(&deleted, "d-4", "issue_comment"), &deleted).await.status(), 204);
    assert_eq!(count(&app).await, 0);
    let late = from(&app, "code", &headers(&body, "d-1", "issue_comment"), &body).await;
    assert_eq!((late.status().as_u16(), count(&app).await), (204, 0), "sent again by hand, it stays deleted");
}

#[tokio::test]
async fn discourse_posts_come_in() {
    let app = with_sources().await;
    let body = payload("discourse");
    let signed_by = |secret: &str, id: &str, event: &str, signed: &str| {
        [
            ("X-Discourse-Event-Signature", sha256(secret, &[signed])),
            ("X-Discourse-Event-Id", id.to_owned()),
            ("X-Discourse-Event-Type", "post".to_owned()),
            ("X-Discourse-Event", event.to_owned()),
        ]
    };
    let headers = |id: &str, event: &str, signed: &str| signed_by("discourse-secret", id, event, signed);
    let tampered = body.replace("twenty", "thirty");
    assert_eq!(from(&app, "forum", &headers("1", "post_created", &body), &tampered).await.status(), 401);
    let taken = read(from(&app, "forum", &headers("1", "post_created", &body), &body).await, &[201]).await;
    assert_eq!(
        [&taken["id"], &taken["article_id"], &taken["author_id"], &taken["format"]],
        ["4711", "88", "23", "html"]
    );
    let again = from(&app, "forum", &headers("1", "post_created", &body), &body).await;
    assert!(replayed(&again));
    assert_eq!(read(again, &[200]).await, taken);
    let before = signed_by("discourse-secret-before", "2", "post_edited", &tampered);
    let edited = read(from(&app, "forum", &before, &tampered).await, &[200]).await;
    assert_eq!(edited["revision"], 2, "signed with the secret before");
    let ping = r#"{"ping":"OK"}"#;
    assert_eq!(from(&app, "forum", &headers("3", "ping", ping), ping).await.status(), 204);
    assert_eq!(from(&app, "forum", &headers("4", "post_destroyed", &tampered), &tampered).await.status(), 204);
    assert_eq!(count(&app).await, 0);
    let broken = r#"{"post":{"id":1,"topic_id":2}}"#;
    let problem = read(from(&app, "forum", &headers("5", "post_created", broken), broken).await, &[422]).await;
    assert_eq!(
        (&problem["field"], &problem["detail"]),
        (&json!("body"), &json!("body: there is nothing at /post/cooked"))
    );
}

#[tokio::test]
async fn ghost_posts_become_articles() {
    let app = with_sources().await;
    let body = payload("ghost");
    let headers = |at_ms: i64, signed: &str| {
        let time = at_ms.to_string();
        [("X-Ghost-Signature", format!("{}, t={time}", sha256("ghost-secret", &[signed, &time])))]
    };
    let tampered = body.replace("lanes", "liars");
    assert_eq!(from(&app, "blog", &headers(START_MS, &body), &tampered).await.status(), 401);
    let late = read(from(&app, "blog", &headers(START_MS - 301_000, &body), &body).await, &[401]).await;
    assert_eq!(late["detail"], "X-Ghost-Signature: the time is more than 300 seconds from now");
    let taken = from(&app, "blog", &headers(START_MS, &body), &body).await;
    assert_eq!((taken.status().as_u16(), replayed(&taken)), (204, false));
    let again = from(&app, "blog", &headers(START_MS, &body), &body).await;
    assert_eq!((again.status().as_u16(), replayed(&again)), (204, true));
    let known = app.request(Method::PUT, "/v1/articles/6564a8d5b0f1c20001a7e3d2", &app.key).json(&json!({}));
    let known = read(known.send().await.unwrap(), &[200]).await;
    assert_eq!((&known["title"], &known["section"]), (&json!("Council approves cycle lanes"), &json!("city")));
    assert!(known["text"].as_str().unwrap().contains("harbour"));
    let draft = body.replace("\"published\"", "\"draft\"");
    let ignored = from(&app, "blog", &headers(START_MS, &draft), &draft).await;
    assert_eq!((ignored.status().as_u16(), replayed(&ignored)), (204, false));
}

#[tokio::test]
async fn coral_stories_become_articles() {
    let app = with_sources().await;
    let body = payload("coral");
    // While its secret is rotated, Coral sends one signature for each.
    let headers = |signed: &str| {
        let signature = format!("{},{}", sha256("an older secret", &[signed]), sha256("coral-secret", &[signed]));
        [("X-Coral-Signature", signature), ("X-Coral-Event", "STORY_CREATED".to_owned())]
    };
    assert_eq!(from(&app, "talk", &headers(&body), &body.replace("trams", "trains")).await.status(), 401);
    assert_eq!(from(&app, "talk", &headers(&body), &body).await.status(), 204);
    assert!(replayed(&from(&app, "talk", &headers(&body), &body).await));
    let path = "/v1/articles/1c6f0a6b-3a5a-4a9b-8b34-0a2b6d0e8f11";
    let known = app.request(Method::PUT, path, &app.key).json(&json!({})).send().await.unwrap();
    assert_eq!(read(known, &[200]).await["url"], "https://news.example/trams");
    let other = body.replace("STORY_CREATED", "COMMENT_CREATED");
    assert_eq!(from(&app, "talk", &headers(&other), &other).await.status(), 204);
    assert_eq!(count(&app).await, 0);
}

#[tokio::test]
async fn a_sender_with_a_token_and_a_shape_of_its_own_comes_in() {
    let app = with_sources().await;
    let body = payload("forum");
    let token = |token: &str| [("Authorization", format!("Bearer {token}"))];
    assert_eq!(from(&app, "board", &token("board-tokem"), &body).await.status(), 401);
    assert_eq!(from(&app, "board", &[], &body).await.status(), 401);
    assert_eq!(from(&app, "board", &token(&app.key), &body).await.status(), 401, "a site's key is none of its tokens");
    let taken = read(from(&app, "board", &token("board-token"), &body).await, &[201]).await;
    assert_eq!([&taken["id"], &taken["article_id"], &taken["author_id"]], ["902", "t-14", "77"]);
    let again = from(&app, "board", &token("board-token"), &body).await;
    assert!(replayed(&again), "without an id of the sender's, the body is its own id");
    assert_eq!(read(again, &[200]).await, taken);
    let unlisted = body.replace("reply.posted", "reply.liked");
    let problem = read(from(&app, "board", &token("board-token"), &unlisted).await, &[422]).await;
    assert_eq!(problem["field"], "event", "what nobody said how to read is not passed over in silence");
    let gone = r#"{"event":"reply.gone","reply":{"number":902}}"#;
    assert_eq!(from(&app, "board", &token("board-token"), gone).await.status(), 204);
    assert_eq!(count(&app).await, 0);
}

#[tokio::test]
async fn a_shape_of_its_own_may_be_signed_with_the_sites_secret() {
    let app = with_sources().await;
    let body = r#"{"n":5,"says":"What a lovely garden you have, thank you for the tea."}"#;
    let own = |secret: &str| {
        let at = app.state.clock.now();
        let signed = signature::sign(&[secret.to_owned()], "m-1", at, body).unwrap();
        let seconds = at.as_millis().div_euclid(1_000).to_string();
        [("webhook-id", "m-1".to_owned()), ("webhook-timestamp", seconds), ("webhook-signature", signed)]
    };
    assert_eq!(from(&app, "own", &own(OTHER_SECRET), body).await.status(), 401);
    let taken = read(from(&app, "own", &own(&app.inbound_secret), body).await, &[201]).await;
    assert_eq!([&taken["id"], &taken["article_id"]], ["5", "guestbook"]);
    // The same id in a message of the site's own is another message.
    assert_eq!(send(&app, "m-1", &ordinary("c-1")).await.status(), 201);
}

#[tokio::test]
async fn a_source_sends_for_its_own_site_only() {
    let app = with_sources().await;
    app.another_site("blog").await;
    let body = payload("forum");
    let request = app.request(Method::POST, "/v1/sites/blog/webhook?source=board", "board-token").body(body);
    assert_eq!(request.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_signature_in_base64_over_time_and_body_is_believed() {
    let app = TestApp::spawn_with(|config| {
        let text = "[[sources]]\nname = 'shop'\nsite = 'news'\nsecret = 'hush'\n[sources.signature]\nscheme = 'hmac-sha256'\nheader = 'X-Signature'\nencoding = 'base64'\nsigned = '{timestamp}.{body}'\ntimestamp_header = 'X-Time'\n[sources.map]\nid = '/id'\n\"article.id\" = '/product'\nbody = '/review'";
        let sources: doorward::config::Config = toml::from_str(text).unwrap();
        config.sources = sources.sources;
    })
    .await;
    let body = r#"{"id":"r-1","product":"p-1","review":"The kettle boils quickly, and the handle stays cool."}"#;
    let headers = |time: i64| {
        let time = time.to_string();
        [("X-Signature", STANDARD.encode(hmac("hush", &[&time, ".", body]))), ("X-Time", time)]
    };
    assert_eq!(from(&app, "shop", &headers(START_MS / 1_000 - 301), body).await.status(), 401);
    assert_eq!(from(&app, "shop", &headers(START_MS / 1_000), body).await.status(), 201);
}

// The command line.

fn explain(arguments: &[&str]) -> (bool, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.toml");
    std::fs::write(&config, SOURCES).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.arg("--config").arg(&config).arg("explain").args(arguments);
    let output = command.current_dir(folder.path()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn explain_shows_what_a_message_becomes() {
    let file = |name: &str| format!("{}/tests/api/payloads/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let (good, shown, complaint) = explain(&["--source", "board", &file("forum")]);
    assert!(good, "{complaint}");
    let (record, verdict) = shown.split_once("\n}\n").unwrap();
    insta::assert_snapshot!(format!("{record}\n}}"));
    assert!(verdict.contains("spam: score") && verdict.contains("policy "), "{verdict}");
    let github = ["--source", "code", "--header", "X-GitHub-Event: issue_comment", "--json", &file("github")];
    let (good, shown, complaint) = explain(&github);
    assert!(good, "{complaint}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["means"], &shown["record"]["author"]["name"]), (&json!("a new comment"), &json!("octo-anna")));
    assert!(shown["verdict"]["scores"]["spam"].is_number());
    let (good, shown, _) = explain(&["--source", "code", &file("github")]);
    assert!(good && shown.starts_with("nothing: the event is ignored"), "{shown}");
    let (good, _, complaint) = explain(&["--source", "board", &file("discourse")]);
    assert!(!good && complaint.contains("event: /event is ``, which is not listed"), "{complaint}");
    let (good, _, complaint) = explain(&["--source", "bored", &file("forum")]);
    assert!(!good && complaint.contains("no source `bored`; there are: blog, board"), "{complaint}");
}

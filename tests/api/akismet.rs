//! Akismet's protocol over HTTP: what its clients send, and what they must hear so that nothing is lost and nothing published that should not be.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use doorward::app::limits::local::OnLimit;
use doorward::config::Config;
use doorward::domain::comment::NewComment;
use doorward::domain::policy::Moderation;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::helpers::{TestApp, read, talk};

/// An answer, as it came over the line.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Our name for the comment.
    pub(crate) fn guid(&self) -> &str {
        let guid = self.header("x-akismet-guid").expect("every check has a name");
        assert!(guid.len() == 32 && guid.chars().all(|c| c.is_ascii_hexdigit()), "{guid}");
        guid
    }

    /// The verdict; some clients fail where they see help or alerts beside one.
    pub(crate) fn verdict(&self) -> (&str, Option<&str>) {
        assert_eq!(self.status, 200, "{self:?}");
        self.guid();
        let odd = ["x-akismet-debug-help", "x-akismet-error", "x-akismet-alert-code", "x-akismet-alert-msg"];
        assert!(odd.iter().all(|name| self.header(name).is_none()), "{self:?}");
        assert!(self.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{self:?}");
        (&self.body, self.header("x-akismet-recheck-after"))
    }

    /// An error as Akismet tells it: with help, and never as a problem.
    pub(crate) fn assert_invalid(&self) {
        assert_eq!((self.status, self.body.as_str()), (200, "invalid"), "{self:?}");
        assert!(self.header("x-akismet-debug-help").is_some_and(|help| !help.is_empty()), "{self:?}");
    }
}

/// Sends bytes as they are, and reads the one answer.
pub(crate) async fn raw(app: &TestApp, head: &str, body: &[u8]) -> Heard {
    let mut stream = TcpStream::connect(app.address.trim_start_matches("http://")).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let _ = stream.write_all(body).await; // whoever refuses a large body may not read it to its end
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    });
    Heard { status, headers: headers.collect(), body: String::from_utf8(bytes[end + 4..].to_vec()).unwrap() }
}

pub(crate) async fn send(app: &TestApp, target: &str, more: &str, body: &[u8]) -> Heard {
    let length = body.len();
    let kind = if more.to_ascii_lowercase().contains("content-type") {
        ""
    } else {
        "content-type: application/x-www-form-urlencoded\r\n"
    };
    let host = if more.to_ascii_lowercase().contains("host:") { "" } else { "host: rest.akismet.com\r\n" };
    let head =
        format!("POST {target} HTTP/1.1\r\n{host}{kind}{more}content-length: {length}\r\nconnection: close\r\n\r\n");
    raw(app, &head, body).await
}

/// A form of these fields.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A client of the site `blog`.
pub(crate) struct Client {
    pub(crate) app: TestApp,
    pub(crate) key: String,
    pub(crate) site_key: String,
}

pub(crate) const BLOG: &str = "https://blog.example/";

impl Client {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let app = TestApp::spawn_with(change).await;
        let made = app.another_site_whole("blog").await;
        Self { app, key: made.akismet_key, site_key: made.key }
    }

    /// One of a comment's calls, with what every client sends.
    pub(crate) async fn call(&self, call: &str, fields: &[(&str, &str)]) -> Heard {
        self.call_as(call, "", fields).await
    }

    pub(crate) async fn call_as(&self, call: &str, more: &str, fields: &[(&str, &str)]) -> Heard {
        let mut all = vec![("api_key", self.key.as_str()), ("blog", BLOG), ("user_ip", "203.0.113.9")];
        all.extend_from_slice(fields);
        send(&self.app, &format!("/1.1/{call}"), more, form(&all).as_bytes()).await
    }

    pub(crate) async fn check(&self, fields: &[(&str, &str)]) -> Heard {
        self.call("comment-check", fields).await
    }

    /// All comments of the site, newest first.
    pub(crate) async fn comments(&self) -> Vec<Value> {
        let answer = self.app.request(Method::GET, "/v1/comments", &self.site_key).send().await.unwrap();
        read(answer, &[200]).await["items"].as_array().unwrap().clone()
    }

    /// A comment as it is stored.
    pub(crate) async fn stored(&self, comment: &Value) -> NewComment {
        let uid = comment["uid"].as_str().unwrap().parse().unwrap();
        self.app.store.comment_by_uid(uid).await.unwrap().unwrap().comment
    }

    /// What happened to a comment.
    pub(crate) async fn history(&self, comment: &Value) -> Vec<Value> {
        let path = format!("/v1/comments/by-uid/{}/explanation", comment["uid"].as_str().unwrap());
        self.app.review(Method::GET, &path, None).await["history"].as_array().unwrap().clone()
    }

    /// The moderator decides.
    pub(crate) async fn decide(&self, comment: &Value, action: &str) -> Value {
        let items = json!([{"uid": comment["uid"], "seen_version": comment["version"]}]);
        let body = json!({"items": items, "action": action, "category": if action == "reject" { json!("spam") } else { Value::Null }});
        self.app.review(Method::POST, "/v1/decisions", Some(&body)).await
    }
}

/// Everybody's comments wait for a person.
pub(crate) fn held(config: &mut Config) {
    config.moderation.mode = Moderation::Pre;
}

/// What is doubtful is spam at once.
pub(crate) fn strict(config: &mut Config) {
    config.policy.spam.reject = config.policy.spam.hold;
}

fn ordinary(seed: &str) -> String {
    talk(seed)
}

#[tokio::test]
async fn a_comment_is_checked_stored_and_named() {
    let client = Client::new().await;
    let text = ordinary("one");
    let fields = [
        ("comment_content", text.as_str()),
        ("comment_author", "Ann Ünïcode"),
        ("comment_author_email", "ann@example.org"),
        ("comment_author_url", "http://ann.example/"),
        ("comment_post_ID", "17"),
        ("permalink", "https://blog.example/?p=17"),
        ("comment_parent", "0"),
        ("user_ID", "0"),
        ("user_agent", "Mozilla/5.0"),
        ("referrer", "https://blog.example/"),
        ("blog_lang", "en_US"),
        ("comment_context[0]", "trams"),
        ("comment_context[]", "a & b"),
        ("comment_date_gmt", "2026-11-20 10:00:00"),
        ("POST_ak_hp_textarea", ""),
        ("POST_ak_js", "1700000000000"),
        ("POST_ak_bfs", "1700000008400"),
        ("user_role", "subscriber"),
    ];
    let heard = client.check(&fields).await;
    assert_eq!(heard.verdict(), ("false", None));
    let comment = client.comments().await.remove(0);
    assert_eq!(comment["uid"].as_str().unwrap().replace('-', ""), heard.guid());
    assert_eq!((&comment["status"], &comment["body"]), (&json!("approved"), &json!(text)));
    let sent = client.stored(&comment).await;
    let author = &sent.author;
    assert_eq!((author.name.as_deref(), author.email.as_deref()), (Some("Ann Ünïcode"), Some("ann@example.org")));
    assert_eq!((author.url.as_deref(), author.ip), (Some("http://ann.example/"), Some("203.0.113.9".parse().unwrap())));
    assert_eq!((author.user_agent.as_deref(), &author.id, &author.role), (Some("Mozilla/5.0"), &None, &None));
    assert_eq!((sent.article.id.as_str(), sent.article.url.as_deref()), ("17", Some("https://blog.example/?p=17")));
    assert_eq!((sent.typing_ms, sent.honeypot.as_deref(), sent.parent_id), (Some(8_400), Some(""), None));
    assert_eq!(sent.created_at.unwrap().to_string(), "2026-11-20T10:00:00Z");
    assert_eq!(sent.referrer.as_deref(), Some("https://blog.example/"));
    let article = client.app.review(Method::GET, "/v1/articles/17?site=blog", None).await;
    assert_eq!(article["article"]["tags"], json!(["trams", "a & b"]), "{article}");
    assert_eq!(article["article"]["lang"], "en-US");
}

#[tokio::test]
async fn keys_open_from_every_place_and_open_nothing_else() {
    let client = Client::with(|config| config.akismet.host_suffixes.push("akismet.internal".to_owned())).await;
    let (key, app) = (&client.key, &client.app);
    let text = [("blog", BLOG), ("comment_content", "Hello there, trams!"), ("is_test", "1")];
    let bare = form(&text);
    let basic = |user: &str| {
        use base64::Engine as _;
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{user}:undefined"));
        format!("authorization: Basic {credentials}\r\n")
    };
    for (more, target, body) in [
        (String::new(), "/1.1/comment-check".to_owned(), format!("api_key={key}&{bare}")),
        (String::new(), "/1.1/comment-check".to_owned(), format!("key={}&{bare}", key.to_uppercase())),
        (String::new(), format!("/1.1/comment-check?api_key={key}"), bare.clone()),
        (format!("host: {key}.rest.akismet.com\r\n"), "/1.1/comment-check".to_owned(), bare.clone()),
        (format!("host: {key}.akismet.internal:18081\r\n"), "/1.1/comment-check".to_owned(), bare.clone()),
        (String::new(), format!("http://{key}.rest.akismet.com/1.1/comment-check"), bare.clone()),
        (basic(&format!("{key}.x")), "/1.1/comment-check".to_owned(), bare.clone()),
    ] {
        let heard = send(app, &target, &more, body.as_bytes()).await;
        assert!(["true", "false"].contains(&heard.verdict().0), "{more}{target}: {heard:?}");
    }
    for (more, body) in [
        (String::new(), bare.clone()),
        (String::new(), format!("api_key=000000000000&{bare}")),
        (String::new(), format!("api_key={}&{bare}", client.site_key)),
        (format!("host: {key}.elsewhere.example\r\n"), bare.clone()),
        (format!("authorization: Bearer {}\r\n", client.site_key), bare.clone()),
    ] {
        let heard = send(app, "/1.1/comment-check", &more, body.as_bytes()).await;
        heard.assert_invalid();
        heard.guid();
    }
    for (method, path) in [(Method::GET, "/v1/comments"), (Method::POST, "/v1/comments"), (Method::GET, "/v1/queue")] {
        let answer = app.request(method, path, key).json(&json!({})).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
}

#[tokio::test]
async fn a_key_is_for_any_blog_until_it_is_pinned() {
    let client = Client::new().await;
    let verify = async |key: &str, blog: &str| {
        let body = form(&[("key", key), ("blog", blog)]);
        send(&client.app, "/1.1/verify-key", "", body.as_bytes()).await
    };
    let heard = verify(&client.key, "https://anything.example").await;
    assert_eq!((heard.body.as_str(), heard.header("x-akismet-debug-help")), ("valid", None));
    verify("000000000000", BLOG).await.assert_invalid();
    verify(&client.key, "").await.assert_invalid();
    client.app.admin().site_pin("blog", Some(BLOG), client.app.now()).await.unwrap();
    client.app.clock.advance_ms(5_000);
    assert_eq!(verify(&client.key, "http://www.blog.example").await.body, "valid");
    verify(&client.key, "https://anything.example").await.assert_invalid();
    let heard = client.call("comment-check", &[("blog", "https://other.example"), ("comment_content", "x")]).await;
    assert!(["true", "false"].contains(&heard.body.as_str()), "the first blog that is named counts");
    let body = form(&[("api_key", &client.key), ("blog", "https://other.example"), ("comment_content", "x")]);
    send(&client.app, "/1.1/comment-check", "", body.as_bytes()).await.assert_invalid();
    client.app.admin().site_pin("blog", None, client.app.now()).await.unwrap();
    client.app.clock.advance_ms(5_000);
    assert_eq!(verify(&client.key, "https://anything.example").await.body, "valid");
}

#[tokio::test]
async fn three_identical_requests_are_one_item_also_at_once() {
    let client = Client::with(held).await;
    let text = ordinary("retried");
    let fields = [
        ("comment_content", text.as_str()),
        ("comment_author", "Ann"),
        ("comment_author_email", "a@b.example"),
        ("comment_post_ID", "1"),
    ];
    let (one, two, three) = tokio::join!(client.check(&fields), client.check(&fields), client.check(&fields));
    let names = [one.guid(), two.guid(), three.guid()];
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    for heard in [&one, &two, &three] {
        assert_eq!(heard.verdict(), ("false", Some("604800")));
    }
    assert_eq!(client.comments().await.len(), 1);
    let queue = client.app.review(Method::GET, "/v1/queue?site=blog", None).await;
    assert_eq!(queue["counts"]["held"], 1);
}

#[tokio::test]
async fn a_recheck_hears_what_a_person_said_since() {
    let client = Client::with(held).await;
    for (action, verdict) in [("approve", "false"), ("reject", "true")] {
        let text = ordinary(action);
        let fields = [("comment_content", text.as_str()), ("comment_author", "Ann"), ("comment_post_ID", "1")];
        let first = client.check(&fields).await;
        assert_eq!(first.verdict(), ("false", Some("604800")));
        let comment = client.comments().await.remove(0);
        client.decide(&comment, action).await;
        client.app.clock.advance_ms(86_400_000);
        // As a cron job of WordPress does, with its own number, and with what it stored.
        let mut again = fields.to_vec();
        again.extend([("comment_ID", "5"), ("recheck_reason", "retry"), ("user_agent", "another")]);
        let heard = client.check(&again).await;
        assert_eq!((heard.verdict(), heard.guid()), ((verdict, None), first.guid()));
        // As a client does that knows nothing of rechecks.
        let heard = client.check(&fields).await;
        assert_eq!((heard.verdict(), heard.guid()), ((verdict, None), first.guid()));
    }
    assert_eq!(client.comments().await.len(), 2);
}

#[tokio::test]
async fn who_got_a_text_past_once_cannot_send_it_for_ever() {
    let client = Client::new().await;
    let text = ordinary("past");
    let fields = [("comment_content", text.as_str()), ("comment_author", "Ann"), ("comment_post_ID", "1")];
    let first = client.check(&fields).await;
    client.app.clock.advance_ms(60_000);
    assert_eq!(client.check(&fields).await.guid(), first.guid(), "a retry");
    client.app.clock.advance_ms(600_000);
    let second = client.check(&fields).await;
    assert_ne!(second.guid(), first.guid(), "another comment, which is looked at");
    assert_eq!(client.check(&fields).await.guid(), second.guid(), "and its retry");
    assert_eq!(client.comments().await.len(), 2);
}

#[tokio::test]
async fn the_blatant_alone_is_discarded() {
    let client = Client::with(|config| {
        strict(config);
        config.akismet.discard_score = 2.0;
    })
    .await;
    let spam = [
        ("comment_content", "buy viagra now cheap viagra http://pills.example/"),
        ("comment_author", "cheap viagra"),
        ("comment_post_ID", "1"),
    ];
    let heard = client.check(&spam).await;
    assert_eq!((heard.verdict(), heard.header("x-akismet-pro-tip")), (("true", None), None));
    let comment = client.comments().await.remove(0);
    assert_eq!((&comment["status"], &comment["verdict"]["category"]), (&json!("rejected"), &json!("spam")));
    let score = comment["verdict"]["scores"]["spam"].as_f64().unwrap();
    let blatant = Client::with(|config| {
        strict(config);
        config.akismet.discard_score = (score - 0.001).max(0.5);
    })
    .await;
    assert_eq!(blatant.check(&spam).await.header("x-akismet-pro-tip"), Some("discard"));
    assert_eq!(blatant.check(&[("comment_content", &ordinary("x"))]).await.header("x-akismet-pro-tip"), None);
}

#[tokio::test]
async fn tests_are_answered_and_leave_nothing() {
    let client = Client::with(held).await;
    let text = ordinary("tested");
    for (fields, verdict) in [
        (vec![("comment_author", "viagra-test-123"), ("comment_content", "hello")], "true"),
        (vec![("comment_author", "akismet-guaranteed-spam")], "true"),
        (vec![("comment_content", "akismet-guaranteed-spam"), ("user_role", "administrator")], "true"),
        (vec![("comment_author_email", "akismet-guaranteed-spam@example.com"), ("comment_content", "hello")], "true"),
        (vec![("comment_content", text.as_str()), ("is_test", "1")], "false"),
        (vec![("comment_content", text.as_str()), ("is_test", "true")], "false"),
        (vec![("comment_content", "buy viagra"), ("is_test", "True"), ("user_role", "administrator")], "false"),
    ] {
        assert_eq!(client.check(&fields).await.verdict().0, verdict, "{fields:?}");
    }
    for call in ["submit-spam", "submit-ham"] {
        let heard = client.call(call, &[("comment_content", &text), ("is_test", "1")]).await;
        assert_eq!(heard.body, "Thanks for making the web a better place.");
    }
    let discarded = client.check(&[("comment_author", "akismet-guaranteed-spam"), ("test_discard", "1")]).await;
    assert_eq!(discarded.header("x-akismet-pro-tip"), Some("discard"));
    assert!(client.comments().await.is_empty());
    let real = client.check(&[("comment_content", &text), ("is_test", "false")]).await;
    assert_eq!((real.verdict().0, client.comments().await.len()), ("false", 1), "no test");
}

#[tokio::test]
async fn an_administrators_role_is_believed_only_where_the_operator_says_so() {
    let spam =
        [("comment_content", "buy viagra now"), ("user_role", "administrator"), ("comment_author", "cheap viagra")];
    let client = Client::with(strict).await;
    assert_eq!(client.check(&spam).await.verdict().0, "true");
    let trusting = Client::with(|config| {
        strict(config);
        config.akismet.trust_roles_of = vec!["blog".to_owned()];
    })
    .await;
    assert_eq!(trusting.check(&spam).await.verdict(), ("false", None));
    assert!(trusting.comments().await.is_empty(), "what was not looked at is not kept as if it had been");
    let editor = [
        ("comment_content", "Our trams are late again today, sorry."),
        ("user_role", "editor"),
        ("comment_author", "Ed"),
    ];
    trusting.check(&editor).await;
    let editors = trusting.comments().await.remove(0);
    assert_eq!(trusting.stored(&editors).await.author.role.as_deref(), Some("editor"));
}

#[tokio::test]
async fn what_a_site_says_is_a_decision_on_the_right_comment() {
    let client = Client::with(held).await;
    let texts = [ordinary("guid"), ordinary("content")];
    let mut names = Vec::new();
    for text in &texts {
        let fields = [
            ("comment_content", text.as_str()),
            ("comment_author", "Ann"),
            ("comment_post_ID", "1"),
            ("comment_author_email", "a@b.example"),
        ];
        names.push(client.check(&fields).await.guid().to_owned());
    }
    // By our name for it, whatever else it says.
    let heard = client
        .call(
            "submit-spam",
            &[
                ("akismet_guid", &names[0]),
                ("reporter", "ann"),
                ("site_domain", "blog.example"),
                ("comment_check_response", "false"),
            ],
        )
        .await;
    assert_eq!((heard.status, heard.body.as_str()), (200, "Thanks for making the web a better place."));
    assert_eq!(heard.header("x-akismet-debug-help"), None);
    // By what it says, as WordPress stored it.
    let stored = texts[1].replace('\'', "&#039;");
    let fields = [
        ("comment_content", stored.as_str()),
        ("comment_author", "Ann"),
        ("comment_post_ID", "1"),
        ("comment_author_email", "a@b.example"),
        ("comment_ID", "99"),
        ("user_role", "subscriber"),
    ];
    client.call("submit-ham", &fields).await;
    let comments = client.comments().await;
    assert_eq!(comments.len(), 2, "none was new");
    let of = |name: &str| comments.iter().find(|one| one["uid"].as_str().unwrap().replace('-', "") == *name).unwrap();
    let (spam, ham) = (of(&names[0]), of(&names[1]));
    assert_eq!((&spam["status"], &spam["decided_by"]), (&json!("rejected"), &json!("person")));
    assert_eq!((&ham["status"], &ham["decided_by"]), (&json!("approved"), &json!("person")));
    let decided = client.history(spam).await.pop().unwrap();
    assert_eq!((&decided["kind"], &decided["category"]), (&json!("decided"), &json!("spam")));
    let note = decided["note"].as_str().unwrap();
    assert_eq!(note, "Reported as spam by ann on blog.example; the answer there had been no spam.");
    assert!(
        client
            .app
            .audit()
            .await
            .iter()
            .any(|line| line.action == "decision"
                && line.by == doorward::domain::decision::Actor::Site("blog".to_owned()))
    );
    let labels: i64 = client
        .app
        .database()
        .query_row("SELECT count(*) FROM label WHERE spam IS NOT NULL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(labels, 2, "both teach");
    // The site changes its mind, which is its own to change.
    client.call("submit-ham", &[("akismet_guid", &names[0])]).await;
    assert!(client.comments().await.iter().all(|one| one["status"] == "approved"));
}

#[tokio::test]
async fn a_report_in_json_without_blog_and_with_the_key_in_the_host_is_taken() {
    let client = Client::with(held).await;
    let heard = client
        .check(&[
            ("comment_content", "A story about trams."),
            ("comment_author", "Ann"),
            ("permalink", "https://blog.example/story"),
        ])
        .await;
    let body = json!({"user_ip": "", "permalink": "https://blog.example/story", "comment_author": "Ann", "comment_content": "A story about trams."});
    let more = format!("host: {}.rest.akismet.com\r\ncontent-type: application/json\r\n", client.key);
    let thanks = send(&client.app, "/1.1/submit-spam", &more, body.to_string().as_bytes()).await;
    assert_eq!((thanks.status, thanks.body.as_str()), (200, "Thanks for making the web a better place."));
    let comment = client.comments().await.remove(0);
    assert_eq!(
        (comment["uid"].as_str().unwrap().replace('-', ""), &comment["status"]),
        (heard.guid().to_owned(), &json!("rejected"))
    );
}

#[tokio::test]
async fn another_sites_comment_is_nobodys() {
    let client = Client::with(held).await;
    let other = client.app.another_site_whole("other").await;
    let heard = client.check(&[("comment_content", "A story about trams."), ("comment_author", "Ann")]).await;
    let body =
        form(&[("api_key", &other.akismet_key), ("blog", "https://other.example"), ("akismet_guid", heard.guid())]);
    send(&client.app, "/1.1/submit-spam", "", body.as_bytes()).await.assert_invalid();
    assert_eq!(client.comments().await[0]["status"], "held");
}

#[tokio::test]
async fn a_report_of_something_unknown_is_stored_judged_and_labelled() {
    let client = Client::new().await;
    let text = ordinary("unknown");
    let thanks =
        client.call("submit-spam", &[("comment_content", &text), ("comment_author", "Ann"), ("reporter", "bob")]).await;
    assert_eq!(thanks.body, "Thanks for making the web a better place.");
    let comment = client.comments().await.remove(0);
    assert_eq!(
        (&comment["status"], &comment["decided_by"], &comment["body"]),
        (&json!("rejected"), &json!("person"), &json!(text))
    );
    assert_eq!(comment["verdict"]["action"], "approve", "what the house thought of it is told as it was");
    let note = client.history(&comment).await.pop().unwrap()["note"].as_str().unwrap().to_owned();
    assert!(note.contains("by bob") && note.contains("not known here before"), "{note}");
    client.call("submit-spam", &[("reporter", "bob")]).await.assert_invalid();
    assert_eq!(client.comments().await.len(), 1, "there was nothing to store");
}

#[tokio::test]
async fn a_person_here_has_the_last_word() {
    let client = Client::with(held).await;
    let text = ordinary("ruled");
    let heard = client.check(&[("comment_content", &text), ("comment_author", "Ann")]).await;
    let comment = client.comments().await.remove(0);
    client.decide(&comment, "approve").await;
    let thanks = client.call("submit-spam", &[("akismet_guid", heard.guid()), ("reporter", "bob")]).await;
    assert_eq!(thanks.body, "Thanks for making the web a better place.");
    assert_eq!(client.comments().await[0]["status"], "approved");
    let noted = client.app.audit().await.into_iter().find(|line| line.action == "akismet.report").unwrap();
    assert!(noted.detail.contains("said to be spam") && !noted.detail.contains("bob"), "{noted:?}");
}

#[tokio::test]
async fn over_a_limit_each_client_holds_the_comment() {
    let client = Client::with(|config| {
        config.limits.policies[0].quota = NonZeroU32::MIN;
        config.limits.policies[0].on_limit = OnLimit::Refuse;
    })
    .await;
    let fields = |text: &'static str| [("comment_content", text), ("user_ID", "7"), ("comment_author", "Ann")];
    assert_eq!(client.check(&fields("The first one about trams.")).await.status, 200);
    for (agent, status, body) in [
        ("WordPress/6.9.1 | Akismet/5.4.0a5", 429, "limited"),
        ("akismet.py/25.10.1 | Python/3.11.7", 429, "limited"),
        ("Node.js/v20.20.2 | Akismet-api/6.0.0", 429, "limited"),
        ("Node.js/20 | Akismet/16.2.1", 429, "limited"),
        ("", 429, "limited"),
        ("Rails/7.1 | Rakismet/1.5.4", 200, "true"),
        ("Flarum/1.8 | Akismet/1.2", 200, "true"),
    ] {
        let heard = client
            .call_as("comment-check", &format!("user-agent: {agent}\r\n"), &fields("The second one about trams."))
            .await;
        assert_eq!((heard.status, heard.body.as_str()), (status, body), "{agent}");
        heard.guid();
        assert_eq!(heard.header("x-akismet-pro-tip"), None, "{agent}");
        assert_eq!(heard.header("retry-after").is_some(), status == 429, "{agent}");
    }
    assert_eq!(client.comments().await.len(), 1);
    // Somebody who works through the spam of a day is no flood.
    for text in ["Spam of the day, part one.", "Spam of the day, part two."] {
        assert_eq!(client.call("submit-spam", &fields(text)).await.status, 200);
    }
    client.app.clock.advance_ms(60_000);
    assert_eq!(client.check(&fields("The second one about trams.")).await.status, 200);
}

#[tokio::test]
async fn while_the_store_is_away_nobody_hears_false() {
    let client = Client::with(|config| config.database.busy_timeout_ms = 100).await;
    assert_eq!(client.check(&[("comment_content", "The first one about trams.")]).await.status, 200);
    let other = client.app.database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let fields = [("comment_content", "The second one about trams."), ("comment_author", "Ann")];
    let heard = client.check(&fields).await;
    assert_eq!((heard.status, heard.body.as_str(), heard.header("retry-after")), (503, "unavailable", Some("5")));
    assert!(heard.header("x-akismet-error").is_some());
    heard.guid();
    let thanks = client.call("submit-spam", &fields).await;
    assert_eq!(thanks.status, 503, "a report that is not kept is not thanked for");
    let held = client.call_as("comment-check", "user-agent: Rails/7.1 | Rakismet/1.5.4\r\n", &fields).await;
    assert_eq!((held.status, held.body.as_str()), (200, "true"));
    drop(other);
    let heard = client.check(&[fields[0], fields[1], ("recheck_reason", "retry"), ("comment_ID", "7")]).await;
    assert_eq!((heard.verdict().0, client.comments().await.len()), ("false", 2));
}

#[tokio::test]
async fn an_account_shows_what_came_of_it() {
    let client = Client::with(strict).await;
    let (good, missed, bad) =
        (ordinary("good"), ordinary("missed"), "buy viagra now cheap viagra http://pills.example/");
    for text in [good.as_str(), missed.as_str(), bad] {
        client.check(&[("comment_content", text), ("comment_author", "Ann")]).await;
    }
    client.call("submit-spam", &[("comment_content", &missed), ("comment_author", "Ann")]).await;
    client.call("submit-ham", &[("comment_content", bad), ("comment_author", "Ann")]).await;
    let get = async |path: &str| {
        let answer = client.app.client.get(format!("{}{path}", client.app.address)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let key = &client.key;
    let (status, text) =
        get(&format!("/1.2/key-sites?api_key={key}&month=2026-11&format=json&order=spam&extended=true")).await;
    let mut sites: Value = serde_json::from_str(&text).unwrap();
    let hash = sites["2026-11"][0].as_object_mut().unwrap().remove("hash").unwrap();
    assert_eq!((status, hash.as_str().unwrap().len()), (200, 32));
    let site = json!({"site": "blog", "api_calls": 3, "spam": 1, "ham": 2, "missed_spam": 1, "false_positives": 1, "is_revoked": false, "eligible_for_revoke": false});
    assert_eq!(sites, json!({"2026-11": [site], "limit": 500, "offset": 0, "total": 1}));
    let (_, none) = get(&format!("/1.2/key-sites?api_key={key}&month=2026-10&limit=5")).await;
    assert_eq!(
        serde_json::from_str::<Value>(&none).unwrap(),
        json!({"2026-10": [], "limit": 5, "offset": 0, "total": 0})
    );
    let (_, csv) = get(&format!("/1.2/key-sites?api_key={key}&format=csv&limit=10")).await;
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("Active sites for "), "{csv}");
    assert_eq!(
        lines[1..],
        ["Site,Total API Calls,Spam,Ham,Missed Spam,False Positives,Is Revoked", "\"blog\",3,1,2,1,1,false"]
    );
    let (_, usage) = get(&format!("/1.2/usage-limit?api_key={key}")).await;
    assert_eq!(
        serde_json::from_str::<Value>(&usage).unwrap(),
        json!({"limit": "none", "usage": 3, "percentage": "0.00", "throttled": false})
    );
    assert_eq!(get("/1.2/key-sites?format=json").await, (200, "invalid".to_owned()), "no key at all");
    assert_eq!(get("/1.2/usage-limit?api_key=nobody").await, (200, "invalid".to_owned()));
    let stats = client.call("get-stats", &[("from", "60-days")]).await;
    let stats: Value = serde_json::from_str(&stats.body).unwrap();
    assert_eq!((&stats["spam"], &stats["ham"], &stats["accuracy"]), (&json!(1), &json!(2), &json!(33.33)));
    assert_eq!(stats["breakdown"]["2026-11"]["missed_spam"], 1);
    let account: Value = serde_json::from_str(&client.call("get-subscription", &[]).await.body).unwrap();
    assert_eq!((&account["status"], &account["account_name"]), (&json!("active"), &json!("blog")));
    let account: Value =
        serde_json::from_str(&client.call("verify-wpcom-key", &[("user_id", "1")]).await.body).unwrap();
    assert_eq!(account["status"], "active");
    assert_eq!(client.call("deactivate", &[]).await.body, "deactivated");
    assert_eq!(client.call("token", &[]).await.body.len(), 32);
    assert_eq!(client.call("token", &[]).await.body, client.call("token", &[]).await.body);
    assert_eq!(get("/1.1/test").await, (200, "connected".to_owned()));
    assert_eq!(get("/1.2/compatible-plugins").await, (200, "[]".to_owned()));
    for call in ["get-stats", "get-subscription", "deactivate", "token", "verify-wpcom-key"] {
        send(&client.app, &format!("/1.1/{call}"), "", b"api_key=nobody").await.assert_invalid();
    }
}

#[tokio::test]
async fn signals_see_what_clients_know() {
    let client = Client::new().await;
    let text = ordinary("bot");
    client
        .check(&[
            ("comment_content", &text),
            ("comment_author", "Ann"),
            ("honeypot_field_name", "akismet_api_honeypot_field"),
            ("akismet_api_honeypot_field", "filled"),
        ])
        .await;
    let comment = client.comments().await.remove(0);
    let hit = crate::helpers::signal(&comment, "form-behaviour").expect("somebody filled in what people do not see");
    assert!(hit["evidence"].as_str().unwrap().contains("hidden"), "{hit}");
}

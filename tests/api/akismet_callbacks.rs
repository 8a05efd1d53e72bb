//! What a person decides goes back to the client that asked for it: by the rules of webhooks, to the blog itself, with its key, and nowhere else.

use doorward::config::Config;
use doorward::domain::people::Role;
use doorward::domain::time::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::akismet::{Client, form, held, send, strict};
use crate::helpers::{TestApp, read};
use crate::receiver::{Receiver, Reply};

/// A client whose comments wait, of a service that may speak to this machine and looks often.
async fn spawn() -> Client {
    Client::with(|config: &mut Config| {
        held(config);
        config.limits.enabled = false;
        config.webhooks.allow_hosts = vec!["127.0.0.1".to_owned()];
        config.webhooks.poll_ms = 10;
    })
    .await
}

/// A comment on the blog at that receiver: its guid, and how it is stored.
async fn commented(client: &Client, blog: &str, callback: &str, text: &str) -> (String, Value) {
    let fields = [
        ("api_key", client.key.as_str()),
        ("blog", blog),
        ("comment_content", text),
        ("comment_author", "Ann"),
        ("callback", callback),
    ];
    let heard = send(&client.app, "/1.1/comment-check", "", form(&fields).as_bytes()).await;
    assert_eq!(heard.verdict().0, "false");
    (heard.guid().to_owned(), client.comments().await.remove(0))
}

async fn letters(app: &TestApp, token: &str) -> Vec<Value> {
    let answer = app.request(Method::GET, "/v1/outbox", token).send().await.unwrap();
    read(answer, &[200]).await["items"].as_array().unwrap().clone()
}

async fn letters_until(app: &TestApp, token: &str, good: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let found = letters(app, token).await;
        if good(&found) {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

fn told(key: &str, guid: &str, result: &str) -> Value {
    json!({"key": key, "endpoint": "comment-check", "comments": [{"guid": guid, "result": result}]})
}

#[tokio::test]
async fn a_persons_verdict_goes_back_when_its_grace_is_over() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let client = spawn().await;
    let (blog, callback) = (receiver.url("/"), receiver.url("/index.php?rest_route=/akismet/v1/webhook"));
    let (good, approved) = commented(&client, &blog, &callback, "A story about trams.").await;
    let (bad, rejected) = commented(&client, &blog, &callback, "Buy pills, everybody!").await;
    client.decide(&approved, "approve").await;
    client.app.clock.advance_ms(10_000);
    let came = receiver.wait(1).await;
    assert_eq!(
        (came[0].json(), came[0].path.as_str()),
        (told(&client.key, &good, "false"), "/index.php?rest_route=/akismet/v1/webhook")
    );
    assert!(came[0].header("x-akismet-webhook").is_some());
    assert_eq!((came[0].header("content-type"), came[0].header("webhook-signature")), (Some("application/json"), None));
    client.decide(&rejected, "reject").await;
    client.app.clock.advance_ms(10_000);
    let came = receiver.wait(2).await;
    assert_eq!(came[1].json(), told(&client.key, &bad, "true"));
    let token = client.app.person("ops@example.org", Role::Operator).await;
    letters_until(&client.app, &token, <[Value]>::is_empty).await;
    assert_eq!(receiver.came().len(), 2);
}

#[tokio::test]
async fn a_key_is_replaced_at_once_and_callbacks_that_are_still_to_go_carry_the_new_one() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let client = spawn().await;
    let (blog, callback) = (receiver.url("/"), receiver.url("/hook"));
    let (guid, comment) = commented(&client, &blog, &callback, "A story about trams.").await;
    client.decide(&comment, "approve").await;
    let made = client.app.admin().site_akismet_key("blog", client.app.now()).await.unwrap();
    assert_ne!(made.akismet_key, client.key);
    client.app.clock.advance_ms(10_000);
    let came = receiver.wait(1).await;
    assert_eq!(came[0].json(), told(&made.akismet_key, &guid, "false"));
    let verify = async |key: &str| {
        send(&client.app, "/1.1/verify-key", "", form(&[("key", key), ("blog", &blog)]).as_bytes()).await
    };
    verify(&client.key).await.assert_invalid();
    assert_eq!(verify(&made.akismet_key).await.body, "valid");
    assert!(client.app.admin().site_akismet_key("none", client.app.now()).await.is_err());
    let noted = client.app.audit().await.into_iter().find(|line| line.action == "site.akismet_key").unwrap();
    assert!(!noted.detail.contains(&made.akismet_key), "{noted:?}");
}

#[tokio::test]
async fn what_is_taken_back_in_time_is_never_told_and_what_is_not_is_told_anew() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let client = spawn().await;
    let (blog, callback) = (receiver.url("/"), receiver.url("/hook"));
    let (_, comment) = commented(&client, &blog, &callback, "A story about trams.").await;
    let ruled = client.decide(&comment, "reject").await;
    let undo = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
    client.app.review(Method::POST, &undo, Some(&json!({}))).await;
    client.app.clock.advance_ms(60_000);
    let comment = client.comments().await.remove(0);
    assert_eq!(comment["status"], "held");
    client.decide(&comment, "reject").await;
    client.app.clock.advance_ms(60_000);
    receiver.wait(1).await;
    let comment = client.comments().await.remove(0);
    client.decide(&comment, "approve").await;
    client.app.clock.advance_ms(60_000);
    receiver.wait(3).await;
    assert_eq!(results(&receiver), ["true", "false", "false"]);
}

fn results(receiver: &Receiver) -> Vec<Value> {
    receiver.came().iter().map(|came| came.json()["comments"][0]["result"].clone()).collect()
}

/// WordPress takes a "no spam" after "spam" for "pending", and publishes with the next one.
#[tokio::test]
async fn what_was_rejected_once_is_published_when_a_person_approves_it_after_all() {
    let receiver = Receiver::start(|_, before| Reply::Status(if before == 2 { 503 } else { 200 })).await;
    let client = spawn().await;
    let (blog, callback) = (receiver.url("/"), receiver.url("/hook"));
    let (_, comment) = commented(&client, &blog, &callback, "A story about trams.").await;
    let ruled = client.decide(&comment, "reject").await;
    client.app.clock.advance_ms(60_000);
    receiver.wait(1).await;
    let undo = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
    client.app.review(Method::POST, &undo, Some(&json!({}))).await;
    let comment = client.comments().await.remove(0);
    assert_eq!(comment["status"], "held");
    client.decide(&comment, "approve").await;
    client.app.clock.advance_ms(60_000);
    // The second of both does not arrive: both are sent again.
    receiver.wait(3).await;
    let token = client.app.person("ops@example.org", Role::Operator).await;
    letters_until(&client.app, &token, |letters| letters.iter().any(|letter| letter["attempts"] == 1)).await;
    client.app.clock.advance_ms(600_000);
    receiver.wait(5).await;
    assert_eq!(results(&receiver), ["true", "false", "false", "false", "false"]);
    letters_until(&client.app, &token, <[Value]>::is_empty).await;
    assert_eq!(receiver.came().len(), 5);
}

#[tokio::test]
async fn what_policy_rejected_is_published_when_a_person_approves_it() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let client = Client::with(|config: &mut Config| {
        strict(config);
        config.webhooks.allow_hosts = vec!["127.0.0.1".to_owned()];
        config.webhooks.poll_ms = 10;
    })
    .await;
    let (blog, callback) = (receiver.url("/"), receiver.url("/hook"));
    let text = "buy viagra now cheap viagra http://pills.example/";
    let fields = [
        ("api_key", client.key.as_str()),
        ("blog", blog.as_str()),
        ("comment_content", text),
        ("comment_author", "Ann"),
        ("callback", callback.as_str()),
    ];
    let heard = send(&client.app, "/1.1/comment-check", "", form(&fields).as_bytes()).await;
    assert_eq!(heard.verdict().0, "true");
    let comment = client.comments().await.remove(0);
    client.decide(&comment, "approve").await;
    client.app.clock.advance_ms(60_000);
    let came = receiver.wait(2).await;
    assert!(came.iter().all(|came| came.json() == told(&client.key, heard.guid(), "false")), "{came:?}");
}

/// Whoever else works on the outbox must not take it while the second of both is on its way.
#[tokio::test]
async fn what_is_told_twice_is_taken_for_as_long_as_both_may_last() {
    let timeout_ms = 50_000;
    let receiver = Receiver::start(|_, before| if before < 2 { Reply::Status(200) } else { Reply::Never }).await;
    let client = Client::with(|config: &mut Config| {
        held(config);
        config.webhooks.allow_hosts = vec!["127.0.0.1".to_owned()];
        config.webhooks.poll_ms = 10;
        config.webhooks.timeout_ms = timeout_ms;
    })
    .await;
    let (blog, callback) = (receiver.url("/"), receiver.url("/hook"));
    let (_, comment) = commented(&client, &blog, &callback, "A story about trams.").await;
    client.decide(&comment, "reject").await;
    client.app.clock.advance_ms(60_000);
    receiver.wait(1).await;
    let token = client.app.person("ops@example.org", Role::Operator).await;
    letters_until(&client.app, &token, <[Value]>::is_empty).await;
    let comment = client.comments().await.remove(0);
    client.decide(&comment, "approve").await;
    client.app.clock.advance_ms(60_000);
    receiver.wait(3).await;
    assert_eq!(results(&receiver), ["true", "false", "false"]);
    let read = "SELECT taken_until FROM outbox WHERE callback IS NOT NULL";
    let until: i64 = client.app.database().query_row(read, [], |row| row.get(0)).unwrap();
    let left = until - client.app.now().as_millis();
    assert!(left > 2 * i64::from(timeout_ms), "{left} ms are left");
    drop(receiver); // or the service would wait for it when it stops
    let failed = |letters: &[Value]| letters.iter().any(|letter| letter["attempts"] == 1);
    letters_until(&client.app, &token, failed).await;
}

#[tokio::test]
async fn what_the_site_said_itself_is_not_told_back() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let client = spawn().await;
    let (blog, callback) = (receiver.url("/"), receiver.url("/hook"));
    let (reported, _) = commented(&client, &blog, &callback, "A story about trams.").await;
    client.call("submit-spam", &[("akismet_guid", &reported)]).await;
    let (decided, comment) = commented(&client, &blog, &callback, "Another story about trams.").await;
    client.decide(&comment, "approve").await;
    client.app.clock.advance_ms(60_000);
    assert_eq!(
        receiver.wait(1).await[0].json(),
        told(&client.key, &decided, "false"),
        "the other one is not among them"
    );
    assert_eq!(receiver.came().len(), 1);
}

#[tokio::test]
async fn a_blog_that_is_down_hears_later_and_a_webhook_does_not_wait_for_it() {
    let webhook = Receiver::start(|_, _| Reply::Status(204)).await;
    let blog = Receiver::start(|_, before| Reply::Status(if before < 2 { 503 } else { 200 })).await;
    let client = spawn().await;
    client.app.admin().site_webhook("blog", Some(&webhook.url("/hooks")), client.app.now()).await.unwrap();
    let (guid, comment) = commented(&client, &blog.url("/"), &blog.url("/hook"), "A story about trams.").await;
    client.decide(&comment, "approve").await;
    client.app.clock.advance_ms(10_000);
    assert_eq!(webhook.wait(1).await[0].json()["type"], "comment.approved");
    let token = client.app.person("ops@example.org", Role::Operator).await;
    for attempts in 1..=2 {
        let now = client.app.now();
        let waits = |letter: &Value| {
            let next = letter["next_at"].as_str().map(|next| Timestamp::parse(next).unwrap());
            letter["attempts"] == attempts && next.is_some_and(|next| next > now)
        };
        letters_until(&client.app, &token, |letters| letters.iter().any(waits)).await;
        client.app.clock.advance_ms(600_000);
    }
    let came = blog.wait(3).await;
    assert!(came.iter().all(|came| came.json() == told(&client.key, &guid, "false")), "the same at every attempt");
    assert_eq!(webhook.came().len(), 1);
}

#[tokio::test]
async fn what_could_not_be_told_is_a_dead_letter_that_can_be_sent_again() {
    let blog = Receiver::start(|_, before| Reply::Status(if before == 0 { 410 } else { 200 })).await;
    let client = spawn().await;
    let (guid, comment) =
        commented(&client, &blog.url("/"), &blog.url("/hook?token=hush"), "A story about trams.").await;
    client.decide(&comment, "approve").await;
    client.app.clock.advance_ms(10_000);
    blog.wait(1).await;
    let token = client.app.person("ops@example.org", Role::Operator).await;
    let dead =
        letters_until(&client.app, &token, |letters| letters.iter().any(|letter| !letter["dead_at"].is_null())).await;
    assert_eq!((&dead[0]["type"], &dead[0]["uid"]), (&json!("akismet.callback"), &comment["uid"]));
    let shown = Value::from(dead).to_string();
    assert!(!shown.contains(&client.key) && !shown.contains("hush"), "{shown}");
    let again = client
        .app
        .request(Method::POST, "/v1/outbox/resend", &token)
        .json(&json!({"site": "blog"}))
        .send()
        .await
        .unwrap();
    assert_eq!(read(again, &[200]).await["resent"], 1);
    assert_eq!(blog.wait(2).await[1].json(), told(&client.key, &guid, "false"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Receiver::start(|_, _| Reply::Status(200)).await;
    let elsewhere = format!("location: {}", target.url("/"));
    let blog = Receiver::start(move |_, _| Reply::With(307, elsewhere.clone())).await;
    let client = spawn().await;
    let (_, comment) = commented(&client, &blog.url("/"), &blog.url("/hook"), "A story about trams.").await;
    client.decide(&comment, "approve").await;
    client.app.clock.advance_ms(10_000);
    blog.wait(1).await;
    let token = client.app.person("ops@example.org", Role::Operator).await;
    let letters =
        letters_until(&client.app, &token, |letters| letters.iter().any(|letter| !letter["problem"].is_null())).await;
    assert!(letters[0]["problem"].as_str().unwrap().contains("redirects are not followed"), "{letters:?}");
    assert!(target.came().is_empty());
}

/// Addresses that webhooks refuse, each as a blog of its own with a callback to itself: what is no address is never noted, and what leads to where
/// only this machine gets is never connected to.
#[tokio::test]
async fn callbacks_reach_nothing_that_webhooks_do_not_reach() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let client = Client::with(|config: &mut Config| {
        held(config);
        config.limits.enabled = false;
        config.webhooks.poll_ms = 10;
    })
    .await;
    let port = receiver.port;
    let hosts = [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0177.1",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0",
        "0.0.0.0",
        "127.1",
    ];
    for (at, host) in hosts.iter().enumerate() {
        let (blog, text) = (format!("http://{host}:{port}/"), format!("Story number {at} about trams."));
        let (_, comment) = commented(&client, &blog, &format!("{blog}hook"), &text).await;
        client.decide(&comment, "approve").await;
    }
    for (at, (blog, callback)) in [
        ("http://10.0.0.5/", "http://10.0.0.5/latest"),
        ("http://169.254.169.254/", "http://169.254.169.254/latest/meta-data/"),
        ("http://192.168.1.1/", "http://192.168.1.1/"),
        ("http://[fd00::1]/", "http://[fd00::1]/"),
    ]
    .iter()
    .enumerate()
    {
        let (_, comment) = commented(&client, blog, callback, &format!("Report number {at} about trams.")).await;
        client.decide(&comment, "approve").await;
    }
    client.app.clock.advance_ms(10_000);
    let token = client.app.person("ops@example.org", Role::Operator).await;
    let refused = letters_until(&client.app, &token, |letters| {
        letters.len() == 14 && letters.iter().all(|letter| !letter["problem"].is_null())
    })
    .await;
    for letter in &refused {
        let problem = letter["problem"].as_str().unwrap();
        assert!(problem.contains("webhooks.allow_hosts"), "{problem}");
    }
    assert!(receiver.came().is_empty());
    // None of these is even noted: another host than the blog's, another port, a user, a port of another protocol, no web address.
    for (at, (blog, callback)) in [
        ("https://blog.example/", format!("http://127.0.0.1:{port}/")),
        ("https://blog.example/", "https://blog.example:6379/".to_owned()),
        ("https://blog.example/", "https://evil@blog.example/".to_owned()),
        ("https://blog.example/", "https://blog.example.evil.example/".to_owned()),
        ("https://blog.example/", "gopher://blog.example/".to_owned()),
        ("http://blog.example:25/", "http://blog.example:25/".to_owned()),
        ("javascript:alert(1)", "javascript:alert(1)".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let (_, comment) = commented(&client, blog, &callback, &format!("Remark number {at} about trams.")).await;
        client.decide(&comment, "approve").await;
    }
    client.app.clock.advance_ms(10_000);
    let noted: i64 =
        client.app.database().query_row("SELECT count(*) FROM akismet_callback", [], |row| row.get(0)).unwrap();
    assert_eq!(noted, 14);
}

#[tokio::test]
async fn a_pinned_site_calls_back_its_own_blog_alone() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let client = spawn().await;
    client.app.admin().site_pin("blog", Some(&receiver.url("/")), client.app.now()).await.unwrap();
    let (guid, comment) =
        commented(&client, &receiver.url("/news"), &receiver.url("/hook"), "A story about trams.").await;
    client.decide(&comment, "approve").await;
    client.app.clock.advance_ms(10_000);
    assert_eq!(receiver.wait(1).await[0].json(), told(&client.key, &guid, "false"));
    let fields = [
        ("api_key", client.key.as_str()),
        ("blog", "https://other.example/"),
        ("comment_content", "x"),
        ("callback", "https://other.example/hook"),
    ];
    send(&client.app, "/1.1/comment-check", "", form(&fields).as_bytes()).await.assert_invalid();
}

#[tokio::test]
async fn an_erased_comment_is_told_to_nobody_and_leaves_no_address() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let client = spawn().await;
    let (_, comment) = commented(&client, &receiver.url("/"), &receiver.url("/hook"), "A story about trams.").await;
    client.decide(&comment, "approve").await;
    let key = client.app.key_of("blog", &doorward::domain::site::Scope::ALL).await;
    let path = format!("/v1/comments/{}", comment["id"].as_str().unwrap());
    assert_eq!(client.app.request(Method::DELETE, &path, &key).send().await.unwrap().status(), 204);
    let (other, comment) =
        commented(&client, &receiver.url("/"), &receiver.url("/hook"), "Another story about trams.").await;
    client.decide(&comment, "approve").await;
    client.app.clock.advance_ms(10_000);
    assert_eq!(receiver.wait(1).await[0].json(), told(&client.key, &other, "false"));
    let noted: i64 =
        client.app.database().query_row("SELECT count(*) FROM akismet_callback", [], |row| row.get(0)).unwrap();
    assert_eq!(noted, 1);
}

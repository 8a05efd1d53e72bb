//! What a person has yet to see, and what cannot be judged: each client must hear what makes it hold the comment.

use doorward::app::akismet::Doubtful;
use serde_json::json;

use crate::akismet::{Client, form, held, send};

const NEW: &str = "WordPress/6.8.7 | Akismet/5.5";
const OLD: &str = "WordPress/6.1.9 | Akismet/5.0.2";
const PYTHON: &str = "akismet.py/25.10.1 | Python/3.11.7";
const RAILS: &str = "Rails/7.1 | Rakismet/1.5.4";
const FORUM: &str = "Flarum/1.8 | Akismet/1.2";
const CALLBACK: (&str, &str) = ("callback", "https://blog.example/wp-json/akismet/v1/webhook");

#[tokio::test]
async fn a_comment_that_waits_is_published_by_nobody_who_can_be_told_to_hold_it() {
    for (others, python, old) in [
        (Doubtful::Recheck, ("false", Some("604800")), ("false", Some("604800"))),
        (Doubtful::Spam, ("true", None), ("held", None)),
    ] {
        let client = Client::with(|config| {
            held(config);
            config.limits.enabled = false;
            config.akismet.doubtful = others;
        })
        .await;
        for (number, (agent, more, answer)) in [
            (NEW, Some(CALLBACK), ("false", Some("604800"))),
            (NEW, None, ("false", Some("604800"))),
            (OLD, None, old),
            ("an SDK/1.0", Some(CALLBACK), ("false", Some("604800"))),
            (RAILS, None, ("true", None)),
            (FORUM, None, ("true", None)),
            (PYTHON, None, python),
            ("Node.js/20 | Akismet/16.2.1", None, python),
        ]
        .into_iter()
        .enumerate()
        {
            let text = format!("Story number {number} about trams.");
            let mut fields = vec![("comment_content", text.as_str()), ("comment_author", "Ann")];
            fields.extend(more);
            let head = format!("user-agent: {agent}\r\n");
            let heard = client.call_as("comment-check", &head, &fields).await;
            assert_eq!(heard.verdict(), answer, "{agent} {others:?}");
            assert_eq!(heard.header("x-akismet-pro-tip"), None, "{agent}: a person has yet to see it");
            let comment = client.comments().await.remove(0);
            assert_eq!(comment["status"], json!("held"), "{agent}");
            client.decide(&comment, "approve").await;
            let heard = client.call_as("comment-check", &head, &fields).await;
            assert_eq!(heard.verdict(), ("false", None), "{agent}: a person said that it is good");
        }
    }
}

#[tokio::test]
async fn wordpress_that_asks_again_keeps_a_comment_pending_until_a_person_decides() {
    let client = Client::with(held).await;
    for (agent, action, verdict) in
        [(NEW, "approve", "false"), (NEW, "reject", "true"), (OLD, "approve", "false"), (OLD, "reject", "true")]
    {
        let text = format!("The answer to {agent} is to {action}.");
        let head = format!("user-agent: {agent}\r\n");
        // The first request never came here: the cron job is the first that does.
        let fields = [
            ("comment_content", text.as_str()),
            ("comment_author", "Ann"),
            ("comment_ID", "5"),
            ("recheck_reason", "retry"),
        ];
        for _ in 0..2 {
            let heard = client.call_as("comment-check", &head, &fields).await;
            assert_eq!(heard.verdict(), ("held", None), "{agent}: it publishes on false, whatever stands beside it");
        }
        let comment = client.comments().await.remove(0);
        assert_eq!(comment["status"], json!("held"));
        client.decide(&comment, action).await;
        let heard = client.call_as("comment-check", &head, &fields).await;
        assert_eq!(heard.verdict(), (verdict, None), "{agent}");
    }
    assert_eq!(client.comments().await.len(), 4);
}

#[tokio::test]
async fn what_cannot_be_judged_is_held_by_clients_that_publish_on_invalid() {
    let client = Client::with(|config| config.server.max_body_bytes = 200_000).await;
    let long = "z".repeat(70_000);
    let large = "z".repeat(300_000);
    let many = vec![("a", "1"); 2_001];
    let malformed = format!("/1.1/comment-check?api_key={}", client.key);
    for (agent, holds) in [(RAILS, true), (FORUM, true), (OLD, false), (PYTHON, false), ("", false)] {
        let head = format!("user-agent: {agent}\r\n");
        let json = format!("{head}content-type: application/json\r\n");
        for (what, status, heard) in [
            ("too long", 200, client.call_as("comment-check", &head, &[("comment_content", &long)]).await),
            ("too large", 413, client.call_as("comment-check", &head, &[("comment_content", &large)]).await),
            ("nothing", 200, client.call_as("comment-check", &head, &[]).await),
            ("too many fields", 200, client.call_as("comment-check", &head, &many).await),
            ("no JSON", 200, send(&client.app, &malformed, &json, b"{").await),
        ] {
            let expected = if holds { (200, "true") } else { (status, "invalid") };
            assert_eq!((heard.status, heard.body.as_str()), expected, "{agent}: {what}");
            assert_eq!(heard.header("x-akismet-debug-help").is_some(), !holds, "{agent}: {what}");
            assert_eq!(heard.header("x-akismet-pro-tip"), None);
            heard.guid();
        }
        let unknown = form(&[("api_key", "000000000000"), ("blog", "https://blog.example/"), ("comment_content", "x")]);
        send(&client.app, "/1.1/comment-check", &head, unknown.as_bytes()).await.assert_invalid();
    }
    assert!(client.comments().await.is_empty());
}

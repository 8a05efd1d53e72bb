//! Limits of Akismet's interface besides those of comments: what is over one is told so in a way in which nothing is lost.

use std::num::NonZeroU32;

use doorward::config::Config;
use reqwest::Method;

use crate::akismet::{BLOG, Client, Heard, form, raw, send};

fn only(name: &'static str, quota: u32) -> impl FnOnce(&mut Config) {
    move |config| {
        let policy = config.limits.policies.iter_mut().find(|policy| policy.name == name).unwrap();
        policy.quota = NonZeroU32::new(quota).unwrap();
    }
}

fn assert_limited(heard: &Heard) {
    assert_eq!((heard.status, heard.body.as_str()), (429, "limited"), "{heard:?}");
    assert_eq!(heard.header("x-akismet-error"), Some("limited"));
    assert!(heard.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok_and(|after| after > 0)));
    assert!(heard.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "never a problem");
}

async fn verify(client: &Client, key: &str) -> Heard {
    send(&client.app, "/1.1/verify-key", "", form(&[("key", key), ("blog", BLOG)]).as_bytes()).await
}

#[tokio::test]
async fn whoever_guesses_keys_is_stopped_and_a_blog_beside_them_goes_on() {
    let client = Client::with(only("akismet-keys", 3)).await;
    let other = client.app.another_site_whole("other").await.akismet_key;
    assert_eq!(verify(&client, &client.key).await.body, "valid");
    for guess in ["000000000001", "000000000002"] {
        verify(&client, guess).await.assert_invalid();
    }
    assert_limited(&verify(&client, "000000000003").await);
    // From there no key tells a guess from a right one any more, but for one that opened before.
    assert_limited(&verify(&client, &other).await);
    let checked = send(
        &client.app,
        "/1.1/comment-check",
        "",
        form(&[("api_key", &other), ("blog", BLOG), ("comment_content", "A story about trams.")]).as_bytes(),
    )
    .await;
    assert_limited(&checked);
    checked.guid();
    for at in 0..5 {
        assert_eq!(verify(&client, &client.key).await.body, "valid", "{at}");
        let text = format!("Story number {at} about trams.");
        assert_eq!(client.check(&[("comment_content", &text)]).await.verdict().0, "false");
    }
    client.app.clock.advance_ms(60_000);
    assert_eq!(verify(&client, &other).await.body, "valid");
}

/// Behind a proxy that is not trusted everybody has its address: guesses of one must not make every site's key look wrong.
#[tokio::test]
async fn guesses_through_a_proxy_that_is_not_trusted_hold_up_no_key_that_opens() {
    let client = Client::with(only("akismet-keys", 3)).await;
    let other = client.app.another_site_whole("other").await.akismet_key;
    let proxied = async |key: &str| {
        let form = form(&[("key", key), ("blog", BLOG)]);
        send(&client.app, "/1.1/verify-key", "x-forwarded-for: 203.0.113.9\r\n", form.as_bytes()).await
    };
    for guess in ["000000000001", "000000000002", "000000000003"] {
        proxied(guess).await.assert_invalid();
    }
    assert_limited(&proxied("000000000004").await);
    assert_eq!(proxied(&other).await.body, "valid");
}

#[tokio::test]
async fn questions_about_an_account_do_not_hold_up_its_comments() {
    let client = Client::with(only("akismet-account", 2)).await;
    assert_eq!(client.call("get-stats", &[("from", "all")]).await.status, 200);
    assert_eq!(client.call("get-subscription", &[]).await.status, 200);
    for call in ["get-stats", "get-subscription", "token", "deactivate", "verify-wpcom-key"] {
        assert_limited(&client.call(call, &[]).await);
    }
    for path in ["/1.2/key-sites", "/1.2/usage-limit"] {
        let head = format!(
            "GET {path}?api_key={} HTTP/1.1\r\nhost: rest.akismet.com\r\nconnection: close\r\n\r\n",
            client.key
        );
        assert_limited(&raw(&client.app, &head, b"").await);
    }
    assert_eq!(client.check(&[("comment_content", "A story about trams.")]).await.verdict().0, "false");
    assert_eq!(verify(&client, &client.key).await.body, "valid", "clients ask before every comment");
    let other = client.app.another_site_whole("other").await;
    let form = form(&[("api_key", &other.akismet_key), ("blog", BLOG)]);
    assert_eq!(send(&client.app, "/1.1/get-stats", "", form.as_bytes()).await.status, 200, "each site has its own");
    client.app.clock.advance_ms(60_000);
    assert_eq!(client.call("get-stats", &[]).await.status, 200);
}

#[tokio::test]
async fn a_report_over_the_limit_is_not_thanked_for_and_decides_nothing() {
    let client = Client::with(only("akismet-reports", 1)).await;
    let heard = client.check(&[("comment_content", "A story about trams.")]).await;
    let guid = heard.guid();
    assert_eq!(client.call("submit-ham", &[("akismet_guid", guid)]).await.status, 200);
    assert_limited(&client.call("submit-spam", &[("akismet_guid", guid)]).await);
    assert_eq!(client.comments().await[0]["status"], "approved");
    client.app.clock.advance_ms(60_000);
    assert_eq!(client.call("submit-spam", &[("akismet_guid", guid)]).await.status, 200);
    assert_eq!(client.comments().await[0]["status"], "rejected");
}

#[tokio::test]
async fn what_stands_for_a_key_is_no_hash_that_could_be_tried_out() {
    use sha2::Digest as _;
    let client = Client::new().await;
    let token = client.call("token", &[]).await.body;
    assert!(token.len() == 32 && token.chars().all(|c| c.is_ascii_hexdigit()), "{token}");
    assert_eq!(client.call("token", &[]).await.body, token, "the same each time");
    for text in [client.key.clone(), format!("token\0blog\0{}", client.key), format!("blog{}", client.key)] {
        let digest: String = sha2::Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!digest.starts_with(&token));
    }
    let answer = client.app.request(Method::GET, &format!("/1.2/usage-limit?api_key={token}"), "").send().await;
    assert_eq!(answer.unwrap().text().await.unwrap(), "invalid", "it opens nothing");
}

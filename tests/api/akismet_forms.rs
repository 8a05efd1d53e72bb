//! Hostile and odd requests on Akismet's paths: never a problem, never a panic, never `false` for what was not looked at.

use reqwest::Method;
use serde_json::json;

use crate::akismet::{BLOG, Client, form, held, raw, send};
use crate::helpers::talk;

#[tokio::test]
async fn odd_forms_are_read() {
    let client = Client::with(held).await;
    let key = &client.key;
    let many: String = (0..300).map(|at| format!("&POST_field_{at}=x&HTTP_X_{at}=y")).collect();
    for (name, body) in [
        (
            "a key without =",
            format!(
                "api_key={key}&blog=https://blog.example&comment_content=key+without&POST_ak_hp_textarea&comment_author=A"
            ),
        ),
        (
            "raw brackets",
            format!(
                "api_key={key}&blog=https://blog.example&comment_content=raw+brackets&comment_context[0]=a&comment_context[]=b"
            ),
        ),
        ("hundreds of fields", format!("api_key={key}&blog=https://blog.example&comment_content=hundreds{many}")),
        (
            "twice the same",
            format!(
                "api_key={key}&api_key=other&blog=https://blog.example&blog=x&comment_content=twice&comment_content=again"
            ),
        ),
        ("no address", format!("api_key={key}&blog=https://blog.example&comment_content=no+address&user_ip=")),
        (
            "an odd address",
            format!("api_key={key}&blog=https://blog.example&comment_content=odd+address&user_ip=unknown,+203.0.113.9"),
        ),
        (
            "an odd date",
            format!(
                "api_key={key}&blog=https://blog.example&comment_content=odd+date&comment_date_gmt=0000-00-00+00:00:00"
            ),
        ),
        ("broken escapes", format!("api_key={key}&blog=https://blog.example&comment_content=100%25+%zz+%&&&=x")),
        ("a NUL", format!("api_key={key}&blog=https://blog.example&comment_content=a%00b&comment_author=%00")),
        (
            "control characters",
            format!(
                "api_key={key}&blog=https://blog.example&comment_content=bell%07&comment_author=A%1B%5B0m&comment_post_ID=%0A1"
            ),
        ),
        (
            "a long name",
            format!(
                "api_key={key}&blog=https://blog.example&comment_content=long+name&comment_author={}",
                "n".repeat(20_000)
            ),
        ),
        (
            "a long address of the page",
            format!(
                "api_key={key}&blog=https://blog.example&comment_content=long+page&permalink=https://blog.example/{}",
                "p".repeat(20_000)
            ),
        ),
        (
            "something like a tag",
            format!("api_key={key}&blog=https://blog.example&comment_content=%3Cb%3Ehi%3C/b%3E+1+%3C+2"),
        ),
        (
            "Latin-1",
            format!("api_key={key}&blog=https://blog.example&comment_content=gr%FC%DFe&blog_charset=ISO-8859-1"),
        ),
    ] {
        let before = client.comments().await.len();
        let heard = send(&client.app, "/1.1/comment-check", "", body.as_bytes()).await;
        assert_eq!(heard.verdict(), ("false", Some("604800")), "{name}");
        assert_eq!(client.comments().await.len(), before + 1, "{name}");
    }
    let comments = client.comments().await;
    let bodies: Vec<&str> = comments.iter().map(|comment| comment["body"].as_str().unwrap()).collect();
    assert!(
        bodies.contains(&"grüße")
            && bodies.contains(&"ab")
            && bodies.contains(&"twice")
            && bodies.contains(&"100% %zz %"),
        "{bodies:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_an_error_and_never_false() {
    let client = Client::new().await;
    let key = &client.key;
    let blog = form(&[("api_key", key), ("blog", BLOG)]);
    for (name, body) in [
        ("no text, and nobody", blog.clone()),
        ("blanks alone", format!("{blog}&comment_content=+%0A+")),
        ("nothing to see", format!("{blog}&comment_content=%3Cp%3E%3C/p%3E")),
        ("a text without end", format!("{blog}&comment_content={}", "x".repeat(70_000))),
        ("thousands of fields", format!("{blog}{}&comment_content=x", "&a=b".repeat(2_001))),
        ("no blog", format!("api_key={key}&comment_content=hello")),
        ("an empty blog", format!("api_key={key}&blog=&comment_content=hello")),
        ("no key", "blog=https://blog.example&comment_content=hello".to_owned()),
        ("nothing", String::new()),
        ("noise", "\u{0}\u{1}&&==&%".to_owned()),
    ] {
        let heard = send(&client.app, "/1.1/comment-check", "", body.as_bytes()).await;
        heard.assert_invalid();
        heard.guid();
        assert!(!heard.header("x-akismet-debug-help").unwrap().contains(key.as_str()), "{name}");
    }
    let json = |text: &str| text.as_bytes().to_vec();
    for body in [json("{"), json("[]"), json("\"x\""), vec![0xff, 0xfe], "[".repeat(10_000).into_bytes()] {
        let heard = send(&client.app, "/1.1/submit-spam", "content-type: application/json\r\n", &body).await;
        heard.assert_invalid();
    }
    assert!(client.comments().await.is_empty());
}

#[tokio::test]
async fn a_body_without_end_is_refused_in_its_own_words() {
    let client = Client::with(|config| config.server.max_body_bytes = 10_000).await;
    for call in ["comment-check", "submit-ham", "verify-key", "get-stats"] {
        let heard = send(&client.app, &format!("/1.1/{call}"), "", &vec![b'a'; 20_000]).await;
        assert_eq!((heard.status, heard.body.as_str()), (413, "invalid"), "{call}");
    }
}

#[tokio::test]
async fn nothing_on_these_paths_is_a_problem() {
    let client = Client::new().await;
    let ask = async |method: Method, path: &str| {
        let answer = client.app.client.request(method, format!("{}{path}", client.app.address)).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    for (method, path, status) in [
        (Method::GET, "/1.1/comment-check", 405),
        (Method::DELETE, "/1.1/submit-spam", 405),
        (Method::POST, "/1.1/no-such-call", 404),
        (Method::GET, "/1.2/no-such-call", 404),
        (Method::POST, "/1.1/comment-check?api_key=%00", 200),
        (Method::POST, "/1.1/comment-check/", 404),
        (Method::GET, "/1.2/key-sites?api_key=%00&month=%00", 200),
    ] {
        let (found, kind, text) = ask(method.clone(), path).await;
        assert_eq!((found, text.as_str()), (status, "invalid"), "{method} {path}");
        assert!(kind.starts_with("text/plain"), "{method} {path}: {kind}");
    }
    let answer = ask(Method::GET, "/v1/no-such-thing").await;
    assert_eq!((answer.0, answer.1.as_str()), (404, "application/problem+json"), "elsewhere as ever");
}

#[tokio::test]
async fn clients_that_take_it_for_a_proxy_are_served_or_told_at_once() {
    let client = Client::with(held).await;
    let told = raw(
        &client.app,
        "CONNECT rest.akismet.com:443 HTTP/1.1\r\nhost: rest.akismet.com:443\r\nconnection: close\r\n\r\n",
        b"",
    )
    .await;
    assert_eq!(told.status, 501);
    let body = form(&[("comment_content", "through a proxy"), ("blog", BLOG), ("api_key", &client.key)]);
    let heard = send(
        &client.app,
        "http://rest.akismet.com/1.1/comment-check",
        "user-agent: WordPress/6.9.1 | Akismet/5.4.0a5\r\n",
        body.as_bytes(),
    )
    .await;
    assert_eq!(heard.verdict(), ("false", Some("604800")));
    let verify = form(&[("key", &client.key), ("blog", BLOG)]);
    assert_eq!(send(&client.app, "http://rest.akismet.com/1.1/verify-key", "", verify.as_bytes()).await.body, "valid");
}

#[tokio::test]
async fn a_pingback_is_asked_about_before_it_comes() {
    let client = Client::with(held).await;
    let fields = [
        ("comment_type", "pingback"),
        ("akismet_pre_check", "1"),
        ("comment_pingback_target", "https://blog.example/?p=1"),
        ("comment_author_url", "http://linker.example/"),
    ];
    let heard = client.check(&fields).await;
    assert!(["true", "false"].contains(&heard.verdict().0));
    assert_eq!(client.check(&fields[..3]).await.verdict(), ("false", None));
    assert!(client.comments().await.is_empty(), "the pingback itself is yet to come");
    let text = talk("pingback");
    client.check(&[("comment_type", "pingback"), ("comment_content", &text), ("comment_author", "A blog")]).await;
    client
        .check(&[
            ("comment_type", "signup"),
            ("comment_author", "Cheap Pills"),
            ("comment_author_url", "http://pills.example/"),
        ])
        .await;
    let bodies: Vec<_> = client.comments().await.iter().map(|comment| comment["body"].clone()).collect();
    assert_eq!(
        bodies,
        [json!("Cheap Pills\nhttp://pills.example/"), json!(text)],
        "of who signs up, what they say of themselves"
    );
}

/// As PHP's cURL sends an array of fields.
#[tokio::test]
async fn a_form_in_parts_is_a_check_as_any_other() {
    let client = Client::with(held).await;
    let text = talk("in parts");
    let fields =
        [("api_key", client.key.as_str()), ("blog", BLOG), ("comment_content", &text), ("comment_author", "Ann")];
    let parts: String = fields
        .iter()
        .map(|(name, value)| {
            format!("--------------------------d74496d66958873e\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        })
        .collect();
    let body = format!("{parts}--------------------------d74496d66958873e--\r\n");
    let kind = "Content-Type: multipart/form-data; boundary=------------------------d74496d66958873e\r\n";
    let heard = send(&client.app, "/1.1/comment-check", kind, body.as_bytes()).await;
    assert_eq!(heard.verdict(), ("false", Some("604800")));
    let comment = client.comments().await.remove(0);
    assert_eq!(
        (&comment["body"], &comment["uid"].as_str().unwrap().replace('-', "")),
        (&json!(text), &heard.guid().to_owned())
    );
    let again = client.check(&[("comment_content", &text), ("comment_author", "Ann")]).await;
    assert_eq!(again.guid(), heard.guid(), "the same comment, however it is sent");
}

#[tokio::test]
async fn what_is_asked_about_an_account_may_come_in_a_form() {
    let client = Client::new().await;
    client.check(&[("comment_content", &talk("counted"))]).await;
    for (path, body) in [
        ("/1.2/usage-limit", form(&[("api_key", &client.key)])),
        ("/1.2/usage-limit?extended=true", form(&[("api_key", &client.key)])),
        (&format!("/1.2/usage-limit?api_key={}", client.key), String::new()),
    ] {
        let heard = send(&client.app, path, "", body.as_bytes()).await;
        let said: serde_json::Value = serde_json::from_str(&heard.body).unwrap();
        assert_eq!((heard.status, &said["usage"]), (200, &json!(1)), "{path}: {heard:?}");
        assert_eq!(said.get("notice_level").is_some(), path.contains("extended"), "body and address are read together");
    }
    let sites =
        send(&client.app, "/1.2/key-sites", "", form(&[("api_key", &client.key), ("format", "csv")]).as_bytes()).await;
    assert_eq!(sites.header("content-type"), Some("text/csv; charset=utf-8"));
    send(&client.app, "/1.2/key-sites", "", b"month=2026-11").await.assert_invalid();
}

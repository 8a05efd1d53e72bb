use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, ordinary, signal};

#[tokio::test]
async fn a_batch_is_answered_line_for_line_and_a_bad_line_spoils_only_itself() {
    let app = TestApp::spawn().await;
    let mut no_body = ordinary("c-4");
    no_body["body"] = json!("   ");
    let mut changed = ordinary("c-1");
    changed["body"] = json!("other content under a known id");
    let lines = [
        ordinary("c-1").to_string(),
        "{\"id\": \"c-2\"".to_owned(),
        String::new(),
        ordinary("c-3").to_string(),
        no_body.to_string(),
        ordinary("c-1").to_string(),
        changed.to_string(),
        "\u{feff}[]".to_owned(),
        "x".repeat(2_000_000),
        ordinary("c-5").to_string(),
    ];
    let request =
        app.request(Method::POST, "/v1/comments/batch", &app.key).header("content-type", "application/x-ndjson");
    let answer = request.body(lines.join("\n")).send().await.unwrap(); // the last line has no end
    let request_id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
        (200, "application/x-ndjson")
    );
    let answers: Vec<Value> =
        answer.text().await.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let short: Vec<String> = answers
        .iter()
        .map(|answer| match answer["type"].as_str() {
            Some(kind) => format!("{} {}", answer["status"], kind),
            None => format!("{} {}", answer["id"].as_str().unwrap(), answer["status"].as_str().unwrap()),
        })
        .collect();
    let expected = [
        "c-1 approved",
        "400 /problems/malformed",
        "c-3 approved",
        "422 /problems/invalid",
        "c-1 approved",
        "409 /problems/comment-exists",
        "400 /problems/malformed",
        "413 /problems/too-large",
        "c-5 approved",
    ];
    assert_eq!(short[..6], expected[..6]);
    assert!(short[6].starts_with('4'), "{}", short[6]);
    assert_eq!(short[7..], expected[7..]);
    let problems = answers.iter().filter(|answer| answer["type"].is_string());
    let named: Vec<_> = problems.clone().map(|problem| (problem["line"].clone(), problem["id"].clone())).collect();
    let expected = [(2, json!("c-2")), (5, json!("c-4")), (7, json!("c-1")), (8, Value::Null), (9, Value::Null)];
    assert_eq!(
        named,
        expected.map(|(line, id)| (json!(line), id)),
        "a problem names its line, and its comment if it can"
    );
    for problem in problems {
        assert_eq!(problem["instance"], request_id.as_str(), "{problem}");
    }
}

#[tokio::test]
async fn a_batch_is_streamed_both_ways() {
    let app = TestApp::spawn().await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = reqwest::Body::wrap_stream(futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|item| (item, receiver))
    }));
    sender.send(Ok(format!("{}\n", ordinary("c-1")).into_bytes())).await.unwrap();
    let answer = app.request(Method::POST, "/v1/comments/batch", &app.key).body(body).send().await.unwrap();
    let mut answers = answer.bytes_stream();
    // The first answer comes while the request is still open.
    let first = answers.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("\"c-1\""));
    sender.send(Ok(format!("{}\n", ordinary("c-2")).into_bytes())).await.unwrap();
    let second = answers.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&second).contains("\"c-2\""));
    drop(sender);
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn of_two_lines_with_one_id_the_first_is_the_comment() {
    let app = TestApp::spawn().await;
    let linking = |id: &str, by: &str, link: &str| json!({"id": id, "article": {"id": by}, "author": {"id": by}, "body": format!("Have a look at {link} everybody, it is well worth it")});
    for round in 0..10 {
        let (id, first, second) =
            (format!("c-{round}"), format!("http://first-{round}.example/"), format!("http://second-{round}.example/"));
        let answers = app.batch(&[linking(&id, "anna", &first), linking(&id, "anna", &second)]).await;
        assert_eq!((&answers[0]["revision"], &answers[1]["status"]), (&json!(1), &json!(409)));
        let seen = async |id: String, link: &str| {
            signal(&app.comment(&linking(&id, &id, link)).await, "repeated-link").is_some()
        };
        assert!(seen(format!("again-{round}"), &first).await, "{round}: the comment that was stored is not known");
        assert!(!seen(format!("other-{round}"), &second).await, "{round}: the one that was refused is known");
    }
}

#[tokio::test]
async fn repeated_lines_consume_no_limit_and_a_refused_line_says_when_to_come_again() {
    let app = TestApp::spawn_with(|config| {
        for policy in &mut config.limits.policies {
            if policy.name == "batch" {
                policy.quota = std::num::NonZeroU32::new(2).unwrap();
            }
        }
    })
    .await;
    let repeated = ordinary("c-1");
    let lines = [&repeated, &repeated, &repeated, &ordinary("c-2"), &repeated, &ordinary("c-3")];
    let answers = app.batch(&lines.map(Clone::clone)).await;
    for answer in &answers[..5] {
        assert_eq!(answer["status"], "approved", "{answer}");
    }
    let refused = &answers[5];
    assert_eq!(
        (&refused["status"], &refused["id"], &refused["line"], &refused["retry_after_s"]),
        (&json!(429), &json!("c-3"), &json!(6), &json!(30))
    );
}

/// A client that writes on and on, and would read later.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_takes_no_answer_does_not_wait_for_ever() {
    use std::io::Write as _;

    let app = TestApp::spawn_with(|config| config.server.stalled_timeout_s = 1).await;
    let address = app.address.strip_prefix("http://").unwrap().to_owned();
    let head = format!(
        "POST /v1/comments/batch HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        app.key
    );
    // What is wrong is answered with what was sent: long lines make long answers, and fill what lies between.
    let line = format!("{{\"id\":\"c-1\",\"format\":\"{}\"}}\n", "x".repeat(900_000));
    let ended = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_write_timeout(Some(std::time::Duration::from_mins(1))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        loop {
            let chunk = format!("{:x}\r\n{line}\r\n", line.len());
            if let Err(error) = stream.write_all(chunk.as_bytes()) {
                return error;
            }
        }
    });
    let kind = ended.await.unwrap().kind();
    assert!(matches!(kind, std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe), "{kind}");
}

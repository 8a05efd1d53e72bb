//! A backtest whose service is killed: nothing of it goes on, and nothing of it is left.

use serde_json::{Value, json};

use super::world::{Host, about};

/// Comments, so many that replaying them takes a while.
const COMMENTS: usize = 3_000;
/// Those that are sent together.
const PART: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backtest_whose_service_is_killed_ends_with_it_and_leaves_no_comments_behind() {
    let host = Host::with("[limits]\nenabled = false\n[sampling]\nrate = 0.0\n[backtest]\nscratch = \"scratch\"\n");
    std::fs::create_dir(host.path("scratch")).expect("a folder");
    let key = host.site("news");
    let token = host.person("ops@example.org", "operator");
    let mut service = host.start().await;
    for part in 0..COMMENTS / PART {
        let lines = (0..PART).map(|n| format!("{}\n", about(&format!("c-{part}-{n}"), "lane"))).collect::<String>();
        let sent = host.client.post(service.at("/v1/comments/batch")).bearer_auth(&key).body(lines).send().await;
        let answers = sent.expect("the service answers").text().await.expect("text");
        assert_eq!(answers.lines().filter(|line| line.contains("\"uid\"")).count(), PART, "{answers}");
    }
    let started = host.client.post(service.at("/v1/backtests")).bearer_auth(&token).json(&json!({})).send().await;
    let run: Value = started.expect("the service answers").json().await.expect("JSON");
    let path = format!("/v1/backtests/{}", run["id"].as_str().unwrap_or_else(|| panic!("{run}")));
    let left = || std::fs::read_dir(host.path("scratch")).expect("readable").count();
    host.until("it is under way", async || {
        let now = host.ask(&service, &token, &path, None).await;
        assert_eq!(now["state"], "running", "{now}");
        now["done"].as_u64().is_some_and(|done| done > 0)
    })
    .await;
    assert_eq!(left(), 1);
    service.stop(); // SIGKILL
    host.until("it is gone with its folder", async || left() == 0).await;
    let service = host.start().await;
    let now = host.ask(&service, &token, &path, None).await;
    assert_eq!((&now["state"], &now["by"]), (&json!("interrupted"), &json!("ops@example.org")), "{now}");
}

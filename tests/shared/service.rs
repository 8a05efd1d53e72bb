//! The whole service over a Redis that goes and comes back.

use std::net::TcpListener;
use std::sync::Arc;

use doorward::app::admin::Admin;
use doorward::app::secrets::Sealer;
use doorward::config::Config;
use doorward::startup::{self, SystemClock};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::server::{Server, until};

#[tokio::test]
async fn the_service_takes_comments_with_and_without_redis_and_says_which() {
    let Some(mut server) = Server::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config { shared: server.config(), ..Config::default() };
    config.place_in(folder.path());
    config.server.workers = 1;
    config.check().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (ready, state) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let key_file = config.secrets.key_file.clone();
    let thread = std::thread::spawn(move || {
        startup::run_to_end(async move {
            let app = startup::assemble(&config, Arc::new(SystemClock)).await?;
            let _ = ready.send(app.state());
            app.serve(listener, async { drop(stopped.await) }).await
        })
    });
    let state = state.await.expect("the service starts");
    let admin = Admin::new(Arc::clone(&state.store), Sealer::open(&key_file).unwrap());
    let key = admin.site_create("news", None, None, state.clock.now()).await.unwrap().key;
    let client = reqwest::Client::new();
    let shared = async || {
        let answer = client.get(format!("{address}/readyz")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "degraded is no reason to send nobody here");
        answer.json::<Value>().await.unwrap()["shared"].as_str().unwrap().to_owned()
    };
    let post = async |id: &str| {
        let comment = json!({
            "id": id, "article": {"id": "a"}, "author": {"id": id},
            "body": format!("The bridge in {id} was closed for repairs last week."),
        });
        let answer = client.post(format!("{address}/v1/comments")).bearer_auth(&key).json(&comment).send();
        answer.await.unwrap().status()
    };
    until("it is shared", async || shared().await == "ready").await;
    assert!(post("c-1").await.is_success());
    server.kill();
    until("it is noticed", async || shared().await == "degraded").await;
    assert!(post("c-2").await.is_success());
    server.start_again().await;
    until("it is shared again", async || shared().await == "ready").await;
    assert!(post("c-3").await.is_success());
    stop.send(()).unwrap();
    assert!(thread.join().unwrap().is_ok());
}

//! The sample site beside Doorward, each on a free port.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use doorward::app::admin::Admin;
use doorward::app::clock::Clock as _;
use doorward::app::secrets::Sealer;
use doorward::config::Config;
use doorward::domain::people::{Reach, Role};
use doorward::domain::policy::Moderation;
use doorward::sample::{self, Settings};
use doorward::startup::{self, SystemClock};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::sync::oneshot;

const SITE: &str = "courier";

/// Something that serves on a thread of its own until it is dropped.
pub(crate) struct Service {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap().unwrap();
        }
    }
}

/// A port, and a listener that can be opened on it again.
pub(crate) fn port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

pub(crate) struct Town {
    pub(crate) site: String,
    pub(crate) doorward: String,
    pub(crate) key: String,
    pub(crate) token: String,
    pub(crate) password: String,
    pub(crate) webhook: Webhook,
    pub(crate) config: Config,
    pub(crate) services: Vec<Service>,
    pub(crate) client: Client,
    pub(crate) folder: tempfile::TempDir,
}

impl Town {
    /// Both, with everything held if `moderation` says so.
    pub(crate) async fn open(moderation: Moderation) -> Self {
        let (listener, doorward) = port();
        let mut town = Self::without_doorward(moderation, doorward).await;
        town.open_doorward(listener).await;
        town
    }

    /// The site alone; its key and its secret are made, and nobody answers at `doorward`.
    pub(crate) async fn without_doorward(moderation: Moderation, doorward: String) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.sampling.rate = 0.0;
        config.moderation.mode = moderation;
        config.webhooks.allow_hosts = vec!["127.0.0.1".to_owned()];
        config.webhooks.undo_grace_s = 0;
        config.webhooks.poll_ms = 50;
        config.server.workers = 1;
        config.place_in(folder.path());
        let (listener, site) = port();
        let sealer = Sealer::open(&config.secrets.key_file).unwrap();
        let admin = Admin::new(startup::open_store(&config).await.unwrap(), sealer);
        let now = SystemClock.now();
        let made = admin.site_create(SITE, None, Some(&format!("{site}/doorward")), now).await.unwrap();
        let person = admin.user_create("mod@example.org", Role::Moderator, &Reach::ALL, now).await.unwrap();
        let token = admin.token_create("mod@example.org", now).await.unwrap().token;
        let settings = Settings {
            doorward: doorward.clone(),
            console: doorward.clone(),
            key: made.key.clone(),
            webhook_secret: made.webhook_secret.clone(),
            pace_ms: 5,
            again_ms: 50,
            earlier: Vec::new(),
            now: || SystemClock.now().as_millis(),
            heard: |_| {},
        };
        let mut town = Self {
            site,
            doorward,
            key: made.key,
            token,
            password: person.password,
            webhook: Webhook::new(&made.webhook_secret).unwrap(),
            config,
            services: Vec::new(),
            // A service closes connections that are idle for five seconds. A client whose thread was busy for longer would not hear of it before it sends on
            // such a connection.
            client: Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .pool_max_idle_per_host(0)
                .build()
                .unwrap(),
            folder,
        };
        town.serve(|stopped| async {
            let site = sample::open(settings, listener)?;
            drop(stopped.await);
            site.stop().await;
            Ok(())
        });
        town
    }

    pub(crate) async fn open_doorward(&mut self, listener: TcpListener) {
        let config = self.config.clone();
        self.serve(|stopped| async move {
            let app = startup::assemble(&config, Arc::new(SystemClock)).await?;
            app.serve(listener, async { drop(stopped.await) }).await
        });
        let ready = self.client.get(format!("{}/readyz", self.doorward)).send().await.unwrap();
        assert_eq!(ready.status(), StatusCode::OK);
    }

    pub(crate) fn serve<F: Future<Output = anyhow::Result<()>>>(
        &mut self,
        work: impl FnOnce(oneshot::Receiver<()>) -> F + Send + 'static,
    ) {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || startup::run_to_end(work(stopped)));
        // Doorward goes before the site that it tells of things.
        self.services.insert(0, Service { stop: Some(stop), thread: Some(thread) });
    }

    /// What Doorward has of the site, as the site's key shows it.
    pub(crate) async fn comments(&self) -> Vec<Value> {
        let address = format!("{}/v1/comments?limit=500", self.doorward);
        let page = self.client.get(address).bearer_auth(&self.key).send().await.unwrap();
        let page: Value = serde_json::from_str(&page.text().await.unwrap()).unwrap();
        page["items"].as_array().unwrap().clone()
    }

    /// Decides about the one comment that waits.
    pub(crate) async fn decide(&self, action: &str) {
        let held: Vec<Value> = self.comments().await.into_iter().filter(|c| c["status"] == "held").collect();
        assert_eq!(held.len(), 1, "{held:?}");
        let items = json!([{"uid": held[0]["uid"], "seen_version": held[0]["version"]}]);
        let body = json!({"items": items, "action": action}).to_string();
        let request = self.client.post(format!("{}/v1/decisions", self.doorward)).bearer_auth(&self.token);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

//! The sample site of `doorward demo`, as readers and as Doorward meet it: the real site beside the real service, each on a free port.

#![allow(clippy::unwrap_used, reason = "a test may end at any line")]

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use doorward::app::admin::Admin;
use doorward::app::clock::Clock as _;
use doorward::app::secrets::Sealer;
use doorward::config::Config;
use doorward::domain::people::{Reach, Role};
use doorward::domain::policy::Moderation;
use doorward::sample::{self, Settings, mornings};
use doorward::startup::{self, SystemClock};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::sync::oneshot;

const SITE: &str = "courier";
/// Long enough for a busy machine; nothing waits for it but a test that fails.
const PATIENCE: Duration = Duration::from_mins(1);
const STORY: &str = "/articles/storm-ingrid";

/// Something that serves on a thread of its own until it is dropped.
struct Service {
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
fn port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

struct Town {
    site: String,
    doorward: String,
    key: String,
    token: String,
    webhook: Webhook,
    config: Config,
    services: Vec<Service>,
    client: Client,
    folder: tempfile::TempDir,
}

impl Town {
    /// Both, with everything held if `moderation` says so.
    async fn open(moderation: Moderation) -> Self {
        let (listener, doorward) = port();
        let mut town = Self::without_doorward(moderation, doorward).await;
        town.open_doorward(listener).await;
        town
    }

    /// The site alone; its key and its secret are made, and nobody answers at `doorward`.
    async fn without_doorward(moderation: Moderation, doorward: String) -> Self {
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
        let admin = Admin::new(startup::open_store(&config).unwrap(), sealer);
        let now = SystemClock.now();
        let made = admin.site_create(SITE, None, Some(&format!("{site}/doorward")), now).await.unwrap();
        admin.user_create("mod@example.org", Role::Moderator, &Reach::ALL, now).await.unwrap();
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
            webhook: Webhook::new(&made.webhook_secret).unwrap(),
            config,
            services: Vec::new(),
            client: Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
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

    async fn open_doorward(&mut self, listener: TcpListener) {
        let config = self.config.clone();
        self.serve(|stopped| async move {
            let app = startup::assemble(&config, Arc::new(SystemClock)).await?;
            app.serve(listener, async { drop(stopped.await) }).await
        });
        let ready = self.client.get(format!("{}/readyz", self.doorward)).send().await.unwrap();
        assert_eq!(ready.status(), StatusCode::OK);
    }

    fn serve<F: Future<Output = anyhow::Result<()>>>(
        &mut self,
        work: impl FnOnce(oneshot::Receiver<()>) -> F + Send + 'static,
    ) {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || startup::run_to_end(work(stopped)));
        // Doorward goes before the site that it tells of things.
        self.services.insert(0, Service { stop: Some(stop), thread: Some(thread) });
    }

    /// A reader with a cookie of the site.
    async fn reader(&self) -> Reader<'_> {
        let page = self.client.get(&self.site).send().await.unwrap();
        let cookie = page.headers()[SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        Reader { town: self, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    async fn hook(&self, id: &str, sent_s: i64, signature: Option<String>, body: &str) -> StatusCode {
        let mut request = self.client.post(format!("{}/doorward", self.site)).body(body.to_owned());
        if let Some(signature) = signature {
            request = request.header("webhook-id", id).header("webhook-timestamp", sent_s);
            request = request.header("webhook-signature", signature);
        }
        request.send().await.unwrap().status()
    }

    /// What Doorward has of the site, as the site's key shows it.
    async fn comments(&self) -> Vec<Value> {
        let address = format!("{}/v1/comments?limit=500", self.doorward);
        let page = self.client.get(address).bearer_auth(&self.key).send().await.unwrap();
        let page: Value = serde_json::from_str(&page.text().await.unwrap()).unwrap();
        page["items"].as_array().unwrap().clone()
    }

    /// Decides about the one comment that waits.
    async fn decide(&self, action: &str) {
        let held: Vec<Value> = self.comments().await.into_iter().filter(|c| c["status"] == "held").collect();
        assert_eq!(held.len(), 1, "{held:?}");
        let items = json!([{"uid": held[0]["uid"], "seen_version": held[0]["version"]}]);
        let body = json!({"items": items, "action": action}).to_string();
        let request = self.client.post(format!("{}/v1/decisions", self.doorward)).bearer_auth(&self.token);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

struct Reader<'a> {
    town: &'a Town,
    cookie: String,
}

impl Reader<'_> {
    async fn get(&self, path: &str) -> String {
        let request = self.town.client.get(format!("{}{path}", self.town.site)).header(COOKIE, &self.cookie);
        request.send().await.unwrap().text().await.unwrap()
    }

    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> StatusCode {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.town.client.post(format!("{}{path}", self.town.site)).header(COOKIE, &self.cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        request.send().await.unwrap().status()
    }

    /// Posts under the story with the form that the page shows, and returns the comment's id.
    async fn post(&self, name: &str, body: &str, notify: &str) -> String {
        let page = self.get(STORY).await;
        let (_, rest) = page.split_once(r#"name="id" value=""#).unwrap();
        let id = rest.split('"').next().unwrap();
        let opened = (SystemClock.now().as_millis() - 9_000).to_string();
        let fields = [("id", id), ("name", name), ("body", body), ("notify", notify), ("opened", opened.as_str())];
        assert_eq!(self.send(&format!("{STORY}/comments"), &fields).await, StatusCode::SEE_OTHER);
        format!("c-{id}")
    }

    /// Reads the page each time that the site says that something changed, until it is as expected.
    async fn until(&self, path: &str, expected: impl Fn(&str) -> bool) -> String {
        let story = path.strip_prefix("/articles/").unwrap_or_default();
        let request = self.town.client.get(format!("{}/events?story={story}", self.town.site));
        let mut events = request.header(COOKIE, &self.cookie).send().await.unwrap();
        assert_eq!(events.headers()["content-type"], "text/event-stream");
        let reading = async {
            loop {
                let page = self.get(path).await;
                if expected(&page) {
                    return page;
                }
                events.chunk().await.unwrap().expect("the stream goes on");
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the page becomes as expected")
    }
}

#[tokio::test]
async fn held_comment_is_its_authors_until_a_person_approves() {
    let town = Town::open(Moderation::Pre).await;
    let (ann, bob) = (town.reader().await, town.reader().await);
    let (text, own) = ("The basin would have held this.", "Waiting for a moderator");
    let id = ann.post("Ann", text, "none").await;
    let seen = ann.get(STORY).await;
    assert!(seen.contains(own) && seen.contains(text), "{seen}");
    let list = format!("{STORY}/comments?all=1");
    assert!(!bob.get(&list).await.contains(text));
    let panel = bob.get("/said").await;
    assert!(panel.contains(text) && panel.contains("<b>held</b>") && panel.contains("<meter"), "{panel}");
    town.decide("approve").await;
    let seen = bob.until(STORY, |page| page.contains(&format!(r#"id="c-{id}""#))).await;
    assert!(seen.contains(text) && !seen.contains(own));
    let panel = bob.until("/said", |page| page.contains("by a moderator")).await;
    assert!(panel.contains(&format!("{}/comments/", town.doorward)));
}

#[tokio::test]
async fn rejected_comment_is_told_to_its_author_who_may_appeal() {
    let town = Town::open(Moderation::Pre).await;
    let (ann, bob) = (town.reader().await, town.reader().await);
    let text = "I read this three times and still do not follow.";
    let id = ann.post("Ann", text, "none").await;
    town.decide("reject").await;
    ann.until(STORY, |page| page.contains("We have not published this")).await;
    assert!(!bob.get(&format!("{STORY}/comments?all=1")).await.contains(text));
    let appeals = format!("/comments/{id}/appeals");
    assert_eq!(bob.send(&appeals, &[("text", "mine")]).await, StatusCode::NOT_FOUND, "another's comment");
    assert_eq!(ann.send(&appeals, &[("text", "It is a fair question.")]).await, StatusCode::SEE_OTHER);
    assert!(ann.get(STORY).await.contains("You asked us to look again"));
}

#[tokio::test]
async fn only_signed_and_fresh_webhooks_are_believed() {
    let town = Town::open(Moderation::Pre).await;
    let ann = town.reader().await;
    ann.post("Ann", "Nobody has looked at this yet.", "none").await;
    let comment = town.comments().await.remove(0);
    let mut forged = comment.clone();
    forged["status"] = json!("approved");
    forged["version"] = json!(7);
    let body = json!({"type": "comment.approved", "timestamp": "2026-11-24T10:00:00Z", "data": forged}).to_string();
    let now_s = SystemClock.now().as_millis() / 1_000;
    let sign = |sent_s: i64| town.webhook.sign("m", sent_s, body.as_bytes()).unwrap();
    let wrong =
        Webhook::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap().sign("m", now_s, body.as_bytes()).unwrap();
    for (what, sent_s, signature) in [
        ("unsigned", now_s, None),
        ("another secret", now_s, Some(wrong)),
        ("old", now_s - 400, Some(sign(now_s - 400))),
        ("from the future", now_s + 400, Some(sign(now_s + 400))),
        ("another time than signed", now_s, Some(sign(now_s - 10))),
    ] {
        assert_eq!(town.hook("m", sent_s, signature, &body).await, StatusCode::UNAUTHORIZED, "{what}");
    }
    assert!(ann.get(STORY).await.contains("Waiting for a moderator"));
    assert_eq!(town.hook("m", now_s, Some(sign(now_s)), &body).await, StatusCode::NO_CONTENT);
    assert!(!ann.get(STORY).await.contains("Waiting for a moderator"));
    // What is older than that arrives late, rightly signed: it puts nothing back.
    let body = json!({"type": "comment.held", "timestamp": "2026-11-24T10:00:00Z", "data": comment}).to_string();
    let late = town.webhook.sign("l", now_s, body.as_bytes()).unwrap();
    assert_eq!(town.hook("l", now_s, Some(late), &body).await, StatusCode::NO_CONTENT);
    assert!(!ann.get(STORY).await.contains("Waiting for a moderator"));
}

#[tokio::test]
async fn what_readers_write_is_shown_and_never_run() {
    let town = Town::open(Moderation::Pre).await;
    let ann = town.reader().await;
    let body = "<script>alert(1)</script> \"><img src=x onerror=alert(2)> javascript:alert(3) https://a.example/?q=\"onmouseover=\"x {{ 7*7 }}";
    ann.post("<b onclick=x>Ann</b>", body, "none").await;
    for path in [STORY, "/said", "/", "/articles/storm-ingrid/comments"] {
        let page = ann.get(path).await;
        for bad in ["<script>alert", "<img src=x", "<b onclick", "href=\"javascript", "\"onmouseover"] {
            assert!(!page.contains(bad), "{path}: {bad}");
        }
    }
    let page = ann.get(STORY).await;
    assert!(page.contains("&#60;script&#62;alert(1)"), "shown as it was written");
    assert!(page.contains(r#"rel="ugc nofollow noopener""#));
    let answer = town.client.get(format!("{}{STORY}", town.site)).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn forms_from_elsewhere_and_without_a_cookie_change_nothing() {
    let town = Town::open(Moderation::Pre).await;
    let ann = town.reader().await;
    let post = || town.client.post(format!("{}/replays/normal-talk", town.site));
    assert_eq!(post().send().await.unwrap().status(), StatusCode::FORBIDDEN);
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://elsewhere.example"), ("origin", "null")]
    {
        let answer = post().header(COOKIE, &ann.cookie).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    assert!(town.comments().await.is_empty());
}

#[tokio::test]
async fn replays_post_all_of_their_comments_again_and_again() {
    let town = Town::open(Moderation::Post).await;
    let ann = town.reader().await;
    let mornings = mornings().unwrap();
    let all: usize = mornings.iter().map(|morning| morning.comments.len()).sum();
    for round in 1..=2 {
        for morning in &mornings {
            assert_eq!(ann.send(&format!("/replays/{}", morning.id), &[]).await, StatusCode::SEE_OTHER);
        }
        ann.until("/", |page| !page.contains("disabled")).await;
        assert_eq!(town.comments().await.len(), round * all);
    }
    assert_eq!(ann.send("/replays/unheard-of", &[]).await, StatusCode::CONFLICT);
    let page = ann.get(&format!("{STORY}?all=1")).await;
    assert!(page.contains("class=\"replies\""), "answers stand below what they answer");
    assert!(ann.get(STORY).await.contains("View all"));
}

#[tokio::test]
async fn comment_waits_while_doorward_is_away_and_is_sent_when_it_is_back() {
    let (listener, doorward) = port();
    let again = listener.local_addr().unwrap();
    drop(listener);
    let mut town = Town::without_doorward(Moderation::Post, doorward).await;
    let text = "Is the underpass open again? The buses say one thing and the trams another.";
    let cookie = {
        let (ann, bob) = (town.reader().await, town.reader().await);
        ann.post("Ann", text, "none").await;
        assert!(ann.get(STORY).await.contains("Not checked yet"));
        assert!(!bob.get(&format!("{STORY}/comments")).await.contains(text), "unchecked is not published");
        ann.cookie
    };
    town.open_doorward(TcpListener::bind(again).unwrap()).await;
    let ann = Reader { town: &town, cookie };
    ann.until(STORY, |page| page.contains(text) && !page.contains("Not checked yet")).await;
    assert_eq!(town.comments().await.len(), 1);
    assert!(town.folder.path().exists());
}

#[tokio::test]
async fn readers_vote_report_and_hear_of_what_they_asked_for() {
    let town = Town::open(Moderation::Post).await;
    let (ann, bob) = (town.reader().await, town.reader().await);
    bob.post("Bob", "Our street is dry again, the pumps ran all night.", "all").await;
    let text = "Ours as well. Thank you to the crew from the next town.";
    let id = ann.post("Ann", text, "replies").await;
    let notices = bob.get("/notices").await;
    assert!(notices.contains("Ann wrote under") && notices.contains(&id), "{notices}");
    assert!(!ann.get("/notices").await.contains("Bob"), "she asked for answers only");
    let votes = format!("/comments/{id}/votes");
    assert_eq!(bob.send(&votes, &[("value", "1")]).await, StatusCode::SEE_OTHER);
    assert!(bob.get(STORY).await.contains("▲ 1"));
    assert_eq!(bob.send(&votes, &[("value", "1")]).await, StatusCode::SEE_OTHER);
    assert!(!bob.get(STORY).await.contains("▲ 1"), "the same again takes it back");
    let report = [("category", "off-topic"), ("text", "about another street")];
    assert_eq!(bob.send(&format!("/comments/{id}/reports"), &report).await, StatusCode::SEE_OTHER);
    assert!(bob.get(STORY).await.contains("Reported"));
    assert_eq!(bob.send("/notices", &[]).await, StatusCode::SEE_OTHER);
    assert!(!bob.get("/notices").await.contains("Ann wrote"));
}

#[tokio::test]
async fn a_form_sent_twice_is_one_comment() {
    let town = Town::open(Moderation::Post).await;
    let ann = town.reader().await;
    let id = "2f1b6c3e-0d7a-4f57-9a64-2b9d8e6a1c11";
    let form = |body| [("id", id), ("name", "Ann"), ("body", body), ("notify", "none")];
    let path = format!("{STORY}/comments");
    assert_eq!(ann.send(&path, &form("Said once.")).await, StatusCode::SEE_OTHER);
    assert_eq!(ann.send(&path, &form("Said once.")).await, StatusCode::SEE_OTHER);
    assert_eq!(ann.send(&path, &form("Something else.")).await, StatusCode::CONFLICT);
    assert_eq!(ann.send(&path, &form("  ")).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(town.comments().await.len(), 1);
}

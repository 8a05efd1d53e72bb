//! A service with something to do, and its moderators.

use std::time::Instant;

use doorward::domain::people::{Reach, Role};
use serde_json::{Value, json};

use crate::browser::{Browser, PATIENCE};
use crate::helpers::{TestApp, doubtful, ordinary, talk};

pub(crate) struct Desk {
    pub(crate) app: TestApp,
    moderator: (&'static str, String),
    colleague: (&'static str, String),
    held: std::cell::Cell<usize>,
}

impl Desk {
    async fn spawn() -> Self {
        let app = TestApp::spawn_with(|config| config.limits.enabled = false).await;
        let account = async |email: &'static str, role| {
            (email, app.admin().user_create(email, role, &Reach::ALL, app.now()).await.unwrap().password)
        };
        let moderator = account("ada@example.org", Role::Operator).await;
        let colleague = account("ben@example.org", Role::Moderator).await;
        Self { app, moderator, colleague, held: std::cell::Cell::new(0) }
    }

    /// With so many comments that wait.
    pub(crate) async fn with_held(n: usize) -> Self {
        let desk = Self::spawn().await;
        desk.hold(n).await;
        desk
    }

    /// So many more comments that wait.
    pub(crate) async fn hold(&self, n: usize) {
        for _ in 0..n {
            let id = format!("held-{}", self.held.replace(self.held.get() + 1));
            let made = self.app.comment(&doubtful(&id)).await;
            assert_eq!(made["status"], "held", "{made}");
        }
    }

    /// With a bit of everything: talk, spam, a campaign, a thread, an appeal, reports, a sanction.
    pub(crate) async fn with_a_morning() -> Self {
        let desk = Self::with_held(12).await;
        let app = &desk.app;
        for n in 0..8 {
            app.comment(&ordinary(&format!("talk-{n}"))).await;
        }
        let mut reply = ordinary("reply-1");
        reply["parent_id"] = json!("talk-1");
        reply["body"] = json!(
            "You are a stupid idiot, shut up. Nobody needs your zeppelin. See http://cheap-pills.example/buy?x=1"
        );
        app.comment(&reply).await;
        for n in 0..5 {
            let mut pasted = ordinary(&format!("pasted-{n}"));
            pasted["article"]["id"] = json!(format!("page-{n}"));
            pasted["body"] = json!(format!(
                "Stars shocked by this one diet trick doctors hate, read now http://headlines-{n}.example/story {}",
                talk("same")
            ));
            app.comment(&pasted).await;
        }
        let made = app.comment(&doubtful("appealed")).await;
        let ask = json!({"items": [{"uid": made["uid"], "seen_version": made["version"]}], "action": "reject", "category": "spam", "reason": "advertising"});
        app.review(reqwest::Method::POST, "/v1/decisions", Some(&ask)).await;
        app.post("/v1/comments/appealed/appeals", &json!({"text": "I only asked a question, please look again."}))
            .await;
        app.post(
            "/v1/comments/talk-2/reports",
            &json!({"reader_id": "r-1", "category": "abuse", "text": "This is rude."}),
        )
        .await;
        let ban = json!({"site": "news", "target": {"kind": "author", "value": "u-held-0"}, "measure": "premoderate", "cause": "sells pills"});
        app.request(reqwest::Method::POST, "/v1/sanctions", &app.token).json(&ban).send().await.unwrap();
        desk
    }

    /// Every page, by a name for its picture, its path, and whether one has to be signed in.
    pub(crate) async fn pages(&self) -> Vec<(&'static str, String, bool)> {
        let waiting = self.waiting().await;
        let items = waiting["items"].as_array().expect("items").clone();
        let told = items.iter().find(|item| item["id"] == "reply-1").or(items.first()).expect("something waits");
        let uid = told["uid"].as_str().expect("a uid").to_owned();
        let campaigns = self.app.review(reqwest::Method::GET, "/v1/campaigns", None).await;
        let campaign = campaigns["items"][0]["id"].as_str().expect("a campaign").to_owned();
        let page = |name, path: &str| (name, path.to_owned(), true);
        vec![
            ("sign-in", "/sign-in".to_owned(), false),
            page("queue", "/queue"),
            page("queue-search", "/queue?q=zeppelin"),
            page("comment", &format!("/comments/{uid}")),
            page("campaigns", "/campaigns?state=all"),
            page("campaign", &format!("/campaigns/{campaign}")),
            page("appeals", "/appeals"),
            page("reports", "/appeals?tab=reports"),
            page("sanctions", "/sanctions"),
            page("author", "/authors/news/u-held-0"),
            page("article", "/articles/news/lanes"),
            page("search", "/search?q=zeppelin"),
            page("health", "/health"),
            page("audit", "/audit"),
            page("account", "/account"),
            page("problem", "/there-is-no-such-page"),
        ]
    }

    /// The moderator's address and password.
    pub(crate) fn moderator(&self) -> (&str, &str) {
        (self.moderator.0, &self.moderator.1)
    }

    /// As the moderator.
    pub(crate) async fn sign_in(&self, browser: &Browser) {
        self.sign_in_as(browser, &self.moderator).await;
    }

    /// As another.
    pub(crate) async fn sign_in_as_colleague(&self, browser: &Browser) {
        self.sign_in_as(browser, &self.colleague).await;
    }

    async fn sign_in_as(&self, browser: &Browser, (email, password): &(&'static str, String)) {
        browser.client().delete_all_cookies().await.unwrap();
        browser.goto("/sign-in").await;
        browser.fill("#email", email).await;
        browser.fill("#password", password).await;
        browser.click("form .main").await;
        browser.until("one is in", "location.pathname === '/queue'").await;
    }

    /// Waits until so many wait: the page shows a decision before the service has it.
    pub(crate) async fn until_held(&self, count: u64) {
        let until = Instant::now() + PATIENCE;
        loop {
            let held = self.waiting().await["counts"]["held"].clone();
            if held == count {
                return;
            }
            assert!(Instant::now() < until, "{held} wait, not {count}");
        }
    }

    /// What waits now.
    pub(crate) async fn waiting(&self) -> Value {
        self.app.review(reqwest::Method::GET, "/v1/queue?limit=500", None).await
    }
}

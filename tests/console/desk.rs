//! A service with something to do, and its moderators.

use doorward::domain::people::Role;
use fantoccini::cookies::Cookie;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::helpers::{TestApp, doubtful, ordinary, talk};

pub(crate) struct Desk {
    pub(crate) app: TestApp,
    colleague: String,
    held: std::cell::Cell<usize>,
}

impl Desk {
    async fn spawn() -> Self {
        let app = TestApp::spawn_with(|config| config.limits.enabled = false).await;
        let colleague = app.person("colleague@example.org", Role::Operator).await;
        Self { app, colleague, held: std::cell::Cell::new(0) }
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
    pub(crate) fn pages(&self) -> Vec<(&'static str, String, bool)> {
        let page = |name, path: &str| (name, path.to_owned(), true);
        vec![page("queue", "/queue")]
    }

    /// As the moderator.
    pub(crate) async fn sign_in(&self, browser: &Browser) {
        self.cookie(browser, &self.app.token).await;
    }

    /// As another.
    pub(crate) async fn sign_in_as_colleague(&self, browser: &Browser) {
        self.cookie(browser, &self.colleague).await;
    }

    async fn cookie(&self, browser: &Browser, token: &str) {
        browser.goto("/problems/invalid").await; // cookies are set for where one is
        browser.client().add_cookie(Cookie::new("doorward_session", token.to_owned())).await.unwrap();
    }

    /// What waits now.
    pub(crate) async fn waiting(&self) -> Value {
        self.app.review(reqwest::Method::GET, "/v1/queue?limit=500", None).await
    }
}

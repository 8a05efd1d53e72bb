//! A service with something to do, and its moderators.

use std::time::Instant;

use doorward::config::Config;
use doorward::domain::notices::{AlertKind, Channel, Message, Sending};
use doorward::domain::people::{Reach, Role};
use doorward::domain::reads::Share;
use serde_json::{Value, json};

use crate::browser::{Browser, PATIENCE};
use crate::helpers::{TestApp, doubtful, ordinary, talk, write_program};

/// Rules to be looked at: one in shadow that hits, one that ends soon and never does.
const RULES: &str = r#"
[[rules]]
name = "zeppelins"
when = 'comment.folded.contains("zeppelin") && comment.links > 0 && (author.role != "editor" || comment.words > 3)'
then = { action = "hold", category = "off-topic" }
reason = "Zeppelins that somebody sells, perhaps."
mode = "shadow"

[[rules]]
name = "a-name-as-long-as-names-of-rules-may-be-and-not-one-letter-less"
when = 'comment.folded.contains("nobody says so")'
then = { action = "reject" }
reason = "Nobody says so."
expires = 2026-11-26T00:00:00Z
"#;

pub(crate) struct Desk {
    pub(crate) app: TestApp,
    moderator: (&'static str, String),
    colleague: (&'static str, String),
    held: std::cell::Cell<usize>,
}

impl Desk {
    async fn spawn() -> Self {
        let rules = Config::parse(RULES, "").unwrap().rules;
        let app = TestApp::spawn_with(|config| (config.limits.enabled, config.rules) = (false, rules)).await;
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
        desk.alerts().await;
        let ban = json!({"site": "news", "target": {"kind": "author", "value": "u-held-0"}, "measure": "premoderate", "cause": "sells pills"});
        app.request(reqwest::Method::POST, "/v1/sanctions", &app.token).json(&ban).send().await.unwrap();
        desk
    }

    /// A wave, and what operators were told of it: one was, and one could not be.
    async fn alerts(&self) {
        let facts = json!({"kind": "wave", "about": "news", "count": 212, "window_min": 15, "per_hour": 848, "usual_per_hour": 3.25, "signal": "blocklist"});
        let message = |to: &str| Message {
            key: format!("wave:news:1:alert.raised:mail:{to}"),
            channel: Channel::Mail,
            recipient: Some(to.to_owned()),
            event: "alert.raised".to_owned(),
            subject: "[Doorward] Wave on news: 212 held or rejected in 15 min".to_owned(),
            text: String::new(),
            data: facts.to_string(),
            made_at: self.app.now().plus_millis(86_400_000), // due then: nobody takes it to be sent meanwhile
        };
        let (now, messages) = (self.app.now(), [message("ada@example.org"), message("ben@example.org")]);
        let store = &self.app.store;
        store.alert_raise(AlertKind::Wave, "news", &facts.to_string(), true, now, &messages).await.unwrap();
        store.message_settle(&messages[0].key, &Sending::Sent { at: now }).await.unwrap();
        let refused = Sending::GivenUp { at: now, problem: "550 5.1.1 no such user".to_owned() };
        store.message_settle(&messages[1].key, &refused).await.unwrap();
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
            page("alerts", "/alerts"),
            page("rules", "/rules"),
            page("rule", "/rules/rule%3Azeppelins?which=hit"),
            page("rule-check", "/rules/link-count?which=hit"),
            page("backtests", "/backtests"),
            page("backtest", &format!("/backtests/{}", self.backtest().await)),
            page("audit", "/audit"),
            page("account", "/account"),
            page("problem", "/there-is-no-such-page"),
        ]
    }

    /// A backtest that is over, under which much is otherwise.
    async fn backtest(&self) -> String {
        self.pretend_backtests().await;
        let token = self.app.admin().token_create(self.moderator.0, self.app.now()).await.unwrap().token;
        let candidate = "[policy.spam]\nhold = 0.02 # <script>\n[signals.link_count]\nweight = 3.0\n";
        let ask = json!({"candidate": candidate, "since": "1d"});
        let begun = self.app.request(reqwest::Method::POST, "/v1/backtests", &token).json(&ask).send().await.unwrap();
        let begun: Value = begun.json().await.unwrap();
        let id = begun["id"].as_str().expect("a backtest").to_owned();
        let until = Instant::now() + PATIENCE;
        loop {
            let now = self.app.request(reqwest::Method::GET, &format!("/v1/backtests/{id}"), &token);
            let now: Value = now.send().await.unwrap().json().await.unwrap();
            if now["state"] != "running" {
                assert_eq!(now["state"], "done", "{now}");
                return id;
            }
            assert!(Instant::now() < until, "{now}");
        }
    }

    /// From now on backtests are over at once, and find this of what waits: a real one is at the end of every queue of the machine, and pages wait for
    /// it. What real ones find is tested over HTTP.
    pub(crate) async fn pretend_backtests(&self) {
        let share = |n: u32, of: u32| json!(Share::new(n, of));
        let measures = |held: u32, right: u32, wrong: u32| {
            json!({
                "approved": share(1_180 - held, 1_200), "held": share(held, 1_200), "rejected": share(20, 1_200), "refused": share(0, 1_200),
                "precision": share(right, right + wrong), "recall": share(right, 50), "false_positives": share(wrong, 40),
            })
        };
        let fates = [
            ("approve", "hold", "reject"),
            ("approve", "hold", "approve"),
            ("hold", "approve", "approve"),
            ("hold", "reject", "reject"),
        ];
        let waiting = self.waiting().await;
        let items = waiting["items"].as_array().expect("items");
        let listed: Vec<Value> = items
            .iter()
            .zip(fates.iter().cycle())
            .map(|(item, (before, after, person))| {
                json!({
                    "uid": item["uid"], "link": null, "site": "news", "id": item["id"], "revision": 1, "at": item["held_at"], "before": before,
                    "after": after, "person": person, "why": ["spam 0.131 to 0.442", "link-count +1.11 to +3.00"],
                })
            })
            .collect();
        let gone = json!({
            "uid": "019ac000-0000-7000-8000-000000000000", "link": null, "site": "news", "id": "gone", "revision": 2,
            "at": "2026-11-24T10:00:00Z", "before": "approve", "after": "refuse", "person": null, "why": ["refused by the limit per-ip"],
        });
        let listed: Vec<Value> = listed.into_iter().chain([gone]).collect();
        let mut kinds = std::collections::BTreeMap::new();
        for flip in &listed {
            let kind = format!("{} to {}", flip["before"].as_str().unwrap(), flip["after"].as_str().unwrap());
            *kinds.entry(kind).or_insert(0) += 1;
        }
        let all = share(u32::try_from(listed.len()).unwrap() + 7, 1_200);
        let report = json!({"report": {
            "since": "2026-10-25T10:00:00Z", "until": "2026-11-24T10:00:00Z", "site": null, "policy": "0123456789abcdef", "model": "2026-11",
            "judged": 1_200, "decided": 90, "before": measures(60, 30, 10), "after": measures(75, 41, 12),
            "flips": {"all": all, "kinds": kinds, "better": 5, "worse": 2, "listed": listed},
            "recalled": 300, "left_out": {"reports": 2, "aimless": 1},
        }});
        std::fs::write(self.app.folder().join("report.json"), format!("{report}\n")).unwrap();
        let script = format!("#!/bin/sh\nread -r order\ncat {}/report.json\n", self.app.folder().display());
        self.pretend(&script);
    }

    /// Backtests are this script.
    pub(crate) fn pretend(&self, script: &str) {
        let path = self.app.folder().join("pretended");
        write_program(&path, script);
        self.app.trials.use_program(path);
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

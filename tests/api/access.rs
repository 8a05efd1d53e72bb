//! Every route of the table: what an anonymous, a wrong-role, a wrong-scope, a wrong-site and a right caller gets. A route that is missing here
//! fails.

use doorward::app::clock::Clock as _;
use doorward::app::signature::sign;
use doorward::domain::people::{Duty, Reach, Role};
use doorward::domain::site::Scope;
use doorward::http::routes::{Who, table};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read};

/// Something of the site `news` that a route is about; fresh for every call that may change it.
struct Thing {
    /// The site's id of a comment.
    id: String,
    uid: String,
    version: u64,
    author: String,
    /// A decision about it, where there is one.
    decision: String,
}

/// What there has to be before a route can be right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Comment,
    Held,
    Decision,
    /// On its author; `uid` is the sanction's.
    Sanction,
    /// Against its rejection; `uid` is the appeal's.
    Appeal,
    /// That it belongs to; `uid` is the campaign's, `decision` another one.
    Campaign,
}

/// What somebody gets who may use the route, and from whom the thing is hidden.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    /// That status.
    Status(u16),
    /// That status, and nothing of the thing.
    Nothing(u16),
    /// The same as everybody: the route shows nothing of sites, or proves it in a test of its own.
    Same,
}

/// One route: how it is called, and what each caller gets.
struct Row {
    method: &'static str,
    path: &'static str,
    needs: Needs,
    url: fn(&Thing) -> String,
    body: fn(&Thing) -> Option<Value>,
    /// The status for the right caller.
    right: u16,
    /// A person of the right role whose reach leaves the thing out.
    outside: Sees,
    /// The same for somebody who works on another section of the site, where that differs.
    part: Option<Sees>,
    /// Another site's key with every scope, on its own site.
    foreign: Sees,
}

fn none(_: &Thing) -> Option<Value> {
    None
}

fn sanction(thing: &Thing) -> Value {
    let target = json!({"kind": "author", "value": thing.author});
    json!({"site": "news", "target": target, "measure": "premoderate", "cause": "too many of them"})
}

/// A comment as Coral shows it.
fn shown(thing: &Thing) -> Value {
    let comment = json!({"body": crate::helpers::talk(&thing.id), "parentID": null});
    let story = json!({"id": "s-1", "url": "https://news.example/s-1"});
    json!({"action": "NEW", "comment": comment, "author": {"id": thing.author, "role": "COMMENTER"}, "story": story,
        "site": {"id": "x"}, "tenantID": "t", "tenantDomain": "talk.news.example"})
}

/// Every route of the table.
#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    use Needs::{Comment, Decision, Held, Nothing};
    use Sees::{Same, Status};
    let row = |method, path, needs, url, body, right, outside, foreign| Row {
        method,
        path,
        needs,
        url,
        body,
        right,
        outside,
        part: None,
        foreign,
    };
    let here: fn(&Thing) -> String = |_| String::new(); // the path has no parameters
    let its: fn(&Thing) -> String = |thing| format!("/v1/comments/{}", thing.id);
    let comment: fn(&Thing) -> Option<Value> = |thing| Some(ordinary(&thing.id));
    let reader: fn(&Thing) -> Option<Value> = |_| Some(json!({"reader_id": "r-1", "value": 1}));
    let ban: fn(&Thing) -> Option<Value> = |thing| Some(sanction(thing));
    let uids: fn(&Thing) -> Option<Value> = |thing| Some(json!({"uids": [thing.uid]}));
    vec![
        row("POST", "/v1/comments", Nothing, here, comment, 201, Same, Status(201)),
        row("GET", "/v1/comments", Comment, here, none, 200, Sees::Nothing(200), Sees::Nothing(200)),
        row("POST", "/v1/comments/batch", Nothing, here, comment, 200, Same, Status(200)),
        row(
            "GET",
            "/v1/comments/by-uid/{uid}/explanation",
            Comment,
            |thing| format!("/v1/comments/by-uid/{}/explanation", thing.uid),
            none,
            200,
            Status(404),
            Same,
        ),
        row(
            "GET",
            "/v1/comments/by-uid/{uid}/context",
            Comment,
            |thing| format!("/v1/comments/by-uid/{}/context", thing.uid),
            none,
            200,
            Status(404),
            Same,
        ),
        row(
            "GET",
            "/v1/comments/search",
            Comment,
            |_| "/v1/comments/search?q=lanes".to_owned(),
            none,
            200,
            Sees::Nothing(200),
            Same,
        ),
        row("GET", "/v1/comments/{id}", Comment, its, none, 200, Status(404), Status(404)),
        row("PUT", "/v1/comments/{id}", Comment, its, comment, 200, Same, Status(404)),
        row("DELETE", "/v1/comments/{id}", Comment, its, none, 204, Status(404), Status(404)),
        row("POST", "/v1/assess", Nothing, here, comment, 200, Same, Status(200)),
        row(
            "PUT",
            "/v1/articles/{id}",
            Nothing,
            |thing| format!("/v1/articles/{}", thing.id),
            |_| Some(json!({"title": "A title"})),
            201,
            Same,
            Status(201),
        ),
        row(
            "GET",
            "/v1/authors/{id}/export",
            Comment,
            |thing| format!("/v1/authors/{}/export", thing.author),
            none,
            200,
            Status(403),
            Sees::Nothing(200),
        ),
        row(
            "DELETE",
            "/v1/authors/{id}",
            Comment,
            |thing| format!("/v1/authors/{}", thing.author),
            none,
            200,
            Status(403),
            Sees::Nothing(200),
        ),
        row(
            "GET",
            "/v1/authors/{id}",
            Comment,
            |thing| format!("/v1/authors/{}?site=news", thing.author),
            none,
            200,
            Status(404),
            Same,
        ),
        row(
            "GET",
            "/v1/articles/{id}",
            Comment,
            |_| "/v1/articles/lanes?site=news".to_owned(),
            none,
            200,
            Status(404),
            Same,
        ),
        row(
            "POST",
            "/v1/authors/{id}/notes",
            Comment,
            |thing| format!("/v1/authors/{}/notes?site=news", thing.author),
            |_| Some(json!({"text": "a note"})),
            201,
            Status(404),
            Same,
        ),
        // Of an author who is there, a note that is not: what becomes of one is told in a test of its own.
        row(
            "DELETE",
            "/v1/authors/{id}/notes/{note}",
            Comment,
            |thing| format!("/v1/authors/{}/notes/{}?site=news", thing.author, thing.uid),
            none,
            404,
            Status(404),
            Same,
        ),
        Row {
            part: Some(Status(403)),
            ..row("GET", "/v1/figures", Comment, here, none, 200, Sees::Nothing(200), Same)
        },
        row("GET", "/v1/me", Nothing, here, none, 200, Same, Same),
        row("GET", "/v1/people", Nothing, here, none, 200, Status(403), Same),
        row("GET", "/v1/audit", Nothing, here, none, 200, Status(403), Same),
        row("GET", "/v1/audit/export", Nothing, here, none, 200, Status(403), Same),
        row("GET", "/v1/events", Nothing, here, none, 200, Same, Same),
        row("GET", "/v1/queue", Held, here, none, 200, Sees::Nothing(200), Same),
        row("POST", "/v1/queue/claims", Held, here, uids, 200, Sees::Nothing(200), Same),
        row("DELETE", "/v1/queue/claims", Held, here, uids, 200, Sees::Nothing(200), Same),
        row(
            "POST",
            "/v1/decisions",
            Held,
            here,
            |thing| Some(json!({"items": [{"uid": thing.uid, "seen_version": thing.version}], "action": "approve"})),
            200,
            Status(404),
            Same,
        ),
        row(
            "POST",
            "/v1/decisions/{id}/undo",
            Decision,
            |thing| format!("/v1/decisions/{}/undo", thing.decision),
            none,
            200,
            Status(404),
            Same,
        ),
        row(
            "POST",
            "/v1/comments/{id}/reports",
            Comment,
            |thing| format!("/v1/comments/{}/reports", thing.id),
            reader,
            201,
            Same,
            Status(404),
        ),
        row(
            "POST",
            "/v1/comments/{id}/votes",
            Comment,
            |thing| format!("/v1/comments/{}/votes", thing.id),
            reader,
            201,
            Same,
            Status(404),
        ),
        row(
            "POST",
            "/v1/comments/{id}/appeals",
            Decision,
            |thing| format!("/v1/comments/{}/appeals", thing.id),
            |_| Some(json!({"text": "Please look again."})),
            201,
            Same,
            Status(404),
        ),
        row("GET", "/v1/appeals", Needs::Appeal, here, none, 200, Sees::Nothing(200), Same),
        row(
            "GET",
            "/v1/appeals/{id}",
            Needs::Appeal,
            |thing| format!("/v1/appeals/{}", thing.uid),
            none,
            200,
            Status(404),
            Same,
        ),
        row(
            "POST",
            "/v1/appeals/{id}/answer",
            Needs::Appeal,
            |thing| format!("/v1/appeals/{}/answer", thing.uid),
            |_| Some(json!({"overturn": true})),
            200,
            Status(404),
            Same,
        ),
        row("GET", "/v1/campaigns", Needs::Campaign, here, none, 200, Sees::Nothing(200), Same),
        row(
            "GET",
            "/v1/campaigns/{id}",
            Needs::Campaign,
            |thing| format!("/v1/campaigns/{}", thing.uid),
            none,
            200,
            Status(404),
            Same,
        ),
        row(
            "POST",
            "/v1/campaigns/{id}/decisions",
            Needs::Campaign,
            |thing| format!("/v1/campaigns/{}/decisions", thing.uid),
            |_| Some(json!({"action": "reject", "seen_size": 9})),
            200,
            Status(404),
            Same,
        ),
        row(
            "PUT",
            "/v1/campaigns/{id}/rule",
            Needs::Campaign,
            |thing| format!("/v1/campaigns/{}/rule", thing.uid),
            |_| Some(json!({"until": "2026-11-25T10:00:00Z"})),
            409, // nobody has rejected it; what it does is tested by itself
            Status(404),
            Same,
        ),
        row(
            "DELETE",
            "/v1/campaigns/{id}/rule",
            Needs::Campaign,
            |thing| format!("/v1/campaigns/{}/rule", thing.uid),
            none,
            409,
            Status(404),
            Same,
        ),
        row(
            "POST",
            "/v1/campaigns/{id}/close",
            Needs::Campaign,
            |thing| format!("/v1/campaigns/{}/close", thing.uid),
            none,
            200,
            Status(404),
            Same,
        ),
        row(
            "POST",
            "/v1/campaigns/{id}/merge",
            Needs::Campaign,
            |thing| format!("/v1/campaigns/{}/merge", thing.uid),
            |thing| Some(json!({"into": thing.decision})),
            200,
            Status(404),
            Same,
        ),
        Row { part: Some(Status(403)), ..row("POST", "/v1/sanctions", Nothing, here, ban, 201, Status(404), Same) },
        Row {
            part: Some(Status(200)),
            ..row("GET", "/v1/sanctions", Needs::Sanction, here, none, 200, Sees::Nothing(200), Same)
        },
        Row {
            part: Some(Status(200)),
            ..row(
                "GET",
                "/v1/sanctions/{id}",
                Needs::Sanction,
                |thing| format!("/v1/sanctions/{}", thing.uid),
                none,
                200,
                Status(404),
                Same,
            )
        },
        Row {
            part: Some(Status(403)),
            ..row(
                "DELETE",
                "/v1/sanctions/{id}",
                Needs::Sanction,
                |thing| format!("/v1/sanctions/{}", thing.uid),
                none,
                200,
                Status(404),
                Same,
            )
        },
        Row {
            part: Some(Status(403)),
            ..row(
                "POST",
                "/v1/sanctions/{id}/resume",
                Needs::Sanction,
                |thing| format!("/v1/sanctions/{}/resume", thing.uid),
                none,
                200,
                Status(404),
                Same,
            )
        },
        Row {
            part: Some(Status(403)),
            ..row("GET", "/v1/rules", Needs::Comment, here, none, 200, Sees::Nothing(200), Same)
        },
        Row {
            part: Some(Status(403)),
            ..row(
                "GET",
                "/v1/rules/{id}/comments",
                Held,
                |_| "/v1/rules/blocklist/comments?which=hit".to_owned(),
                none,
                200,
                Sees::Nothing(200),
                Same,
            )
        },
        Row { part: Some(Status(403)), ..row("GET", "/v1/alerts", Nothing, here, none, 200, Same, Same) },
        Row { part: Some(Status(403)), ..row("GET", "/v1/outbox", Nothing, here, none, 200, Same, Same) },
        Row {
            part: Some(Status(403)),
            ..row("POST", "/v1/outbox/resend", Nothing, here, |_| Some(json!({"site": "news"})), 200, Same, Same)
        },
        row(
            "POST",
            "/v1/sites/{site}/webhook",
            Nothing,
            |_| "/v1/sites/news/webhook".to_owned(),
            comment,
            201,
            Same,
            Same,
        ),
        Row {
            part: Some(Status(403)),
            ..row("GET", "/v1/models", Needs::Comment, here, none, 200, Sees::Nothing(200), Same)
        },
        Row {
            part: Some(Status(403)),
            ..row("GET", "/v1/quality", Needs::Comment, here, none, 200, Sees::Nothing(200), Same)
        },
        Row {
            part: Some(Status(403)),
            ..row(
                "POST",
                "/v1/sites/{site}/model/rollback",
                Nothing,
                |_| "/v1/sites/news/model/rollback".to_owned(),
                none,
                409, // nothing is learned yet; what it does is tested by itself
                Status(404),
                Same,
            )
        },
        Row {
            part: Some(Status(403)),
            ..row(
                "POST",
                "/v1/sites/{site}/model/reset",
                Nothing,
                |_| "/v1/sites/news/model/reset".to_owned(),
                none,
                409,
                Status(404),
                Same,
            )
        },
        row("GET", "/v1/log-level", Nothing, here, none, 200, Status(403), Same),
        row(
            "PUT",
            "/v1/log-level",
            Nothing,
            here,
            |_| Some(json!({"level": "info", "for_s": 1})),
            200,
            Status(403),
            Same,
        ),
        row("DELETE", "/v1/log-level", Nothing, here, none, 200, Status(403), Same),
        row("GET", "/queue", Held, here, none, 200, Sees::Nothing(200), Same),
        row("GET", "/queue/cards", Held, here, none, 200, Sees::Nothing(200), Same),
        row(
            "GET",
            "/queue/cards/{uid}/history",
            Comment,
            |thing| format!("/queue/cards/{}/history", thing.uid),
            none,
            200,
            Status(404),
            Same,
        ),
        row("POST", "/1.1/verify-key", Nothing, here, none, 200, Same, Same),
        row("POST", "/1.1/comment-check", Nothing, here, none, 200, Same, Same),
        row("POST", "/1.1/submit-spam", Nothing, here, none, 200, Same, Same),
        row("POST", "/1.1/submit-ham", Nothing, here, none, 200, Same, Same),
        row("POST", "/1.1/get-stats", Nothing, here, none, 200, Same, Same),
        row("POST", "/1.1/get-subscription", Nothing, here, none, 200, Same, Same),
        row("POST", "/1.1/deactivate", Nothing, here, none, 200, Same, Same),
        row("POST", "/1.1/token", Nothing, here, none, 200, Same, Same),
        row("POST", "/1.1/verify-wpcom-key", Nothing, here, none, 200, Same, Same),
        row("GET", "/1.2/key-sites", Nothing, here, none, 200, Same, Same),
        row("GET", "/1.2/usage-limit", Nothing, here, none, 200, Same, Same),
        row("POST", "/1.2/key-sites", Nothing, here, none, 200, Same, Same),
        row("POST", "/1.2/usage-limit", Nothing, here, none, 200, Same, Same),
        row("GET", "/1.1/test", Nothing, here, none, 200, Same, Same),
        row("GET", "/1.2/compatible-plugins", Nothing, here, none, 200, Same, Same),
        row(
            "POST",
            "/v1alpha1/comments:analyze",
            Nothing,
            here,
            |_| {
                let asked = json!({"SPAM": {}, "TOXICITY": {"scoreThreshold": 0.0}});
                let comment = json!({"text": "Have a look at my shop, everything is half price today!"});
                Some(
                    json!({"comment": comment, "requestedAttributes": asked, "spanAnnotations": true, "doNotStore": true}),
                )
            },
            200,
            Same,
            Status(200),
        ),
        row(
            "POST",
            "/v1alpha1/comments:suggestscore",
            Nothing,
            here,
            |thing| {
                let comment = json!({"text": crate::helpers::talk(&thing.id)});
                let token = format!("comment:{}", thing.id);
                let scores = json!({"TOXICITY": {"summaryScore": {"value": 0.0}}});
                Some(json!({"comment": comment, "attributeScores": scores, "clientToken": token}))
            },
            200,
            Same,
            Status(200),
        ),
        row("GET", "/$discovery/rest", Nothing, here, none, 200, Same, Same),
        row(
            "POST",
            "/coral/phase/{site}",
            Nothing,
            |_| "/coral/phase/news".to_owned(),
            |thing| Some(shown(thing)),
            204,
            Same,
            Same,
        ),
        row("GET", "/v1/backtests", Nothing, here, none, 200, Status(403), Same),
        // A candidate that cannot be used: what becomes of one that can is told in tests of its own.
        row("POST", "/v1/backtests", Nothing, here, |_| Some(json!({"candidate": "[server"})), 422, Status(403), Same),
        row(
            "GET",
            "/v1/backtests/{id}",
            Nothing,
            |thing| format!("/v1/backtests/{}", thing.id),
            none,
            404,
            Status(403),
            Same,
        ),
        row(
            "GET",
            "/v1/backtests/{id}/diff",
            Nothing,
            |thing| format!("/v1/backtests/{}/diff", thing.id),
            none,
            404,
            Status(403),
            Same,
        ),
        row(
            "DELETE",
            "/v1/backtests/{id}",
            Nothing,
            |thing| format!("/v1/backtests/{}", thing.id),
            none,
            404,
            Status(403),
            Same,
        ),
        row("GET", "/backtests", Nothing, here, none, 200, Status(403), Same),
        row(
            "GET",
            "/backtests/{id}",
            Nothing,
            |thing| format!("/backtests/{}", thing.id),
            none,
            404,
            Status(403),
            Same,
        ),
        row("GET", "/healthz", Nothing, here, none, 200, Same, Same),
        row("GET", "/readyz", Nothing, here, none, 200, Same, Same),
        row("GET", "/metrics", Nothing, here, none, 200, Same, Same),
        row("GET", "/openapi.json", Nothing, here, none, 200, Same, Same),
        row("GET", "/problems/{name}", Nothing, |_| "/problems/invalid".to_owned(), none, 200, Same, Same),
        row("GET", "/docs/{page:.*}", Nothing, |_| "/docs/index.html".to_owned(), none, 200, Same, Same),
        row("GET", "/docs", Nothing, here, none, 302, Same, Same),
        row("GET", "/sign-in", Nothing, here, none, 200, Same, Same),
        row("POST", "/sign-in", Nothing, here, none, 400, Same, Same),
        row("GET", "/account", Nothing, here, none, 200, Same, Same),
        row("POST", "/sign-out", Nothing, here, none, 401, Same, Same),
        row("POST", "/account/totp", Nothing, here, none, 401, Same, Same),
        row("POST", "/account/password", Nothing, here, none, 401, Same, Same),
        row("POST", "/account/sessions/end", Nothing, here, none, 401, Same, Same),
        row("POST", "/account/look", Nothing, here, none, 401, Same, Same),
        row("GET", "/favicon.ico", Nothing, here, none, 303, Same, Same),
        row(
            "GET",
            "/assets/{version}/{name}",
            Nothing,
            |_| "/assets/another/console.css".to_owned(),
            none,
            200,
            Same,
            Same,
        ),
        row("GET", "/campaigns", Needs::Campaign, here, none, 200, Sees::Nothing(200), Same),
        row(
            "GET",
            "/campaigns/{uid}",
            Needs::Campaign,
            |thing| format!("/campaigns/{}", thing.uid),
            none,
            200,
            Status(404),
            Same,
        ),
        Row {
            part: Some(Status(200)),
            ..row("GET", "/sanctions", Needs::Sanction, here, none, 200, Sees::Nothing(200), Same)
        },
        row("GET", "/appeals", Needs::Appeal, here, none, 200, Sees::Nothing(200), Same),
        row(
            "GET",
            "/comments/{uid}",
            Comment,
            |thing| format!("/comments/{}", thing.uid),
            none,
            200,
            Status(404),
            Same,
        ),
        row(
            "GET",
            "/authors/{site}/{id}",
            Comment,
            |thing| format!("/authors/news/{}", thing.author),
            none,
            200,
            Status(404),
            Same,
        ),
        row(
            "GET",
            "/articles/{site}/{id}",
            Comment,
            |_| "/articles/news/lanes".to_owned(),
            none,
            200,
            Status(404),
            Same,
        ),
        row("GET", "/search", Held, |_| "/search?q=viagra".to_owned(), none, 200, Sees::Nothing(200), Same),
        Row { part: Some(Status(403)), ..row("GET", "/health", Comment, here, none, 200, Sees::Nothing(200), Same) },
        Row { part: Some(Status(403)), ..row("GET", "/alerts", Nothing, here, none, 200, Same, Same) },
        Row { part: Some(Status(403)), ..row("GET", "/rules", Comment, here, none, 200, Sees::Nothing(200), Same) },
        Row {
            part: Some(Status(403)),
            ..row(
                "GET",
                "/rules/{id}",
                Held,
                |_| "/rules/blocklist?which=hit".to_owned(),
                none,
                200,
                Sees::Nothing(200),
                Same,
            )
        },
        row("GET", "/audit", Nothing, here, none, 200, Status(403), Same),
        row("GET", "/", Nothing, here, none, 303, Same, Same),
    ]
}

/// Callers of every kind, made once.
struct Callers {
    app: TestApp,
    client: reqwest::Client,
    /// Keys of `news` with exactly these scopes.
    keys: Vec<(Vec<Scope>, String)>,
    /// A key of `blog` with every scope.
    foreign: String,
    /// What signs the webhooks that `blog` sends.
    blog_secret: String,
    /// The Akismet key of `blog`.
    akismet_key: String,
    /// People who work everywhere.
    people: Vec<(Role, String)>,
    /// People who work on another site, and in another section of this one.
    outside: Vec<(Role, [String; 2])>,
    made: std::cell::Cell<u32>,
}

impl Callers {
    async fn new() -> Self {
        let app = TestApp::spawn_with(|config| config.limits.enabled = false).await;
        let blog = app.another_site_whole("blog").await;
        let (blog_secret, akismet_key) = (blog.inbound_secret, blog.akismet_key);
        let foreign = app.key_of("blog", &Scope::ALL).await;
        for (site, secret) in [("news", &app.inbound_secret), ("blog", &blog_secret)] {
            app.admin().site_coral_secret(site, secret, 0, app.now()).await.unwrap(); // the same, so that one table will do
        }
        let mut keys = vec![(Scope::ALL.to_vec(), app.another_key(&Scope::ALL).await)];
        for without in Scope::ALL {
            let scopes: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| *scope != without).collect();
            let key = app.another_key(&scopes).await;
            keys.push((scopes, key));
        }
        let (mut people, mut outside) = (Vec::new(), Vec::new());
        for role in Role::ALL {
            let name = role.name();
            people.push((role, app.person(&format!("{name}@example.org"), role).await));
            let elsewhere = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
            let part = Reach { sections: Some(vec!["sport".to_owned()]), ..Reach::ALL };
            let elsewhere = app.person_within(&format!("{name}@blog.example"), role, &elsewhere).await;
            let part = app.person_within(&format!("{name}@sport.example"), role, &part).await;
            outside.push((role, [elsewhere, part]));
        }
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { app, client, keys, foreign, blog_secret, akismet_key, people, outside, made: std::cell::Cell::new(0) }
    }

    fn key(&self, has: impl Fn(&[Scope]) -> bool) -> &str {
        &self.keys.iter().find(|(scopes, _)| has(scopes)).expect("such a key was made").1
    }

    async fn make(&self, needs: Needs) -> Thing {
        self.made.set(self.made.get() + 1);
        let id = format!("c-{}-x", self.made.get());
        let author = format!("u-{id}");
        let mut thing = Thing { id, uid: String::new(), version: 0, author, decision: String::new() };
        let made = match needs {
            Needs::Nothing => return thing,
            Needs::Campaign => {
                thing.decision = self.campaign(&format!("{}-other", thing.id)).await;
                thing.uid = self.campaign(&thing.id).await;
                return thing;
            }
            Needs::Comment | Needs::Sanction => self.app.comment(&ordinary(&thing.id)).await,
            Needs::Held | Needs::Decision | Needs::Appeal => self.app.comment(&doubtful(&thing.id)).await,
        };
        thing.uid = made["uid"].as_str().unwrap().to_owned();
        thing.version = made["version"].as_u64().unwrap();
        if matches!(needs, Needs::Decision | Needs::Appeal) {
            let ask = json!({"items": [{"uid": thing.uid, "seen_version": thing.version}], "action": "reject"});
            let ruled = self.app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
            thing.decision = ruled["decision"].as_str().unwrap().to_owned();
        }
        if needs == Needs::Appeal {
            let answer = self.app.post(&format!("/v1/comments/{}/appeals", thing.id), &json!({"text": "Why?"})).await;
            thing.uid = read(answer, &[201]).await["id"].as_str().unwrap().to_owned();
        }
        if needs == Needs::Sanction {
            let (_, admin) = self.people.iter().find(|(role, _)| *role == Role::Admin).expect("every role was made");
            let sanction = sanction(&thing);
            let answer = self.app.request(Method::POST, "/v1/sanctions", admin).json(&sanction).send().await.unwrap();
            thing.uid = read(answer, &[201]).await["id"].as_str().unwrap().to_owned();
        }
        thing
    }

    /// A campaign of three comments, the first of that id.
    async fn campaign(&self, id: &str) -> String {
        for (at, name) in [id.to_owned(), format!("{id}-1"), format!("{id}-2")].iter().enumerate() {
            let mut comment = ordinary(name);
            comment["article"]["id"] = json!(format!("page-{at}"));
            comment["body"] = json!(crate::helpers::talk(id));
            self.app.comment(&comment).await;
        }
        let latest = self.app.review(Method::GET, "/v1/campaigns?limit=1", None).await;
        latest["items"][0]["id"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, row: &Row, thing: &Thing, bearer: &str, query: &str) -> reqwest::Response {
        let url = (row.url)(thing);
        let path = if url.is_empty() { row.path } else { &url };
        let method = Method::from_bytes(row.method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}{query}", self.app.address));
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        if let Some(body) = (row.body)(thing) {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn status(&self, row: &Row, thing: &Thing, bearer: &str, query: &str) -> u16 {
        self.ask(row, thing, bearer, query).await.status().as_u16()
    }

    /// Whoever may use the route, and does not see the thing.
    async fn hidden(&self, row: &Row, thing: &Thing, sees: Sees, bearer: &str, query: &str, whom: &str) {
        let name = format!("{} {}: {whom}", row.method, row.path);
        let answer = self.ask(row, thing, bearer, query).await;
        let status = answer.status().as_u16();
        match sees {
            Sees::Status(expected) => assert_eq!(status, expected, "{name}"),
            Sees::Same => assert_eq!(status, row.right, "{name}"),
            Sees::Nothing(expected) => {
                assert_eq!(status, expected, "{name}");
                let text = answer.text().await.unwrap();
                assert!(!text.contains(&thing.uid), "{name}: {text}");
                assert!(!text.contains(&format!("\"{}\"", thing.id)), "{name}: {text}");
            }
        }
    }

    /// Everybody who may not, on one thing; then everybody who may: had somebody else changed it, the first of them would notice.
    async fn check(&self, row: &Row, who: Who) {
        let name = format!("{} {}", row.method, row.path);
        let thing = self.make(row.needs).await;
        if !matches!(who, Who::Anyone | Who::Browser | Who::Metrics | Who::Session | Who::AkismetKey) {
            for bearer in ["", "dw_site_unknown", "dw_user_unknown"] {
                assert_eq!(self.status(row, &thing, bearer, "").await, 401, "{name}: {bearer:?}");
            }
        }
        match who {
            Who::Anyone | Who::Browser => assert_eq!(self.status(row, &thing, "", "").await, row.right, "{name}"),
            Who::Metrics => {
                assert_eq!(self.status(row, &thing, "dw_user_unknown", "").await, 401, "{name}");
                assert_eq!(self.status(row, &thing, "", "").await, row.right, "{name}");
            }
            Who::Site(scope) => {
                self.lacking(row, &thing, scope).await;
                for (role, token) in &self.people {
                    assert_eq!(self.status(row, &thing, token, "").await, 403, "{name}: {}", role.name());
                }
                self.hidden(row, &thing, row.foreign, &self.foreign, "", "another site").await;
                let right = self.key(|scopes| scopes.contains(&scope));
                assert_eq!(self.status(row, &thing, right, "").await, row.right, "{name}: the right key");
            }
            Who::SiteOrPerson(scope) => {
                self.lacking(row, &thing, scope).await;
                let all = self.key(|scopes| scopes.len() == Scope::ALL.len());
                assert_eq!(self.status(row, &thing, all, "?site=blog").await, 403, "{name}: of another site");
                assert_eq!(self.status(row, &thing, &self.foreign, "?site=news").await, 403, "{name}: another site");
                self.hidden(row, &thing, row.foreign, &self.foreign, "", "another site").await;
                let duty = if scope == Scope::Read { Duty::Read } else { Duty::Decide };
                self.roles(row, &thing, duty, "?site=news").await;
                let (_, person) = self.people.iter().find(|(role, _)| role.may(duty)).expect("somebody may");
                assert_eq!(self.status(row, &thing, person, "").await, 422, "{name}: a person who names no site");
                assert_eq!(self.status(row, &thing, person, "?site=none").await, 404, "{name}: no such site");
                let thing = self.make(row.needs).await;
                let right = self.key(|scopes| scopes.contains(&scope));
                assert_eq!(self.status(row, &thing, right, "").await, row.right, "{name}: the right key");
            }
            Who::Signed => {
                let all = self.key(|scopes| scopes.len() == Scope::ALL.len());
                let people = self.people.iter().map(|(_, token)| token.as_str());
                for bearer in [all, &self.foreign].into_iter().chain(people) {
                    assert_eq!(self.status(row, &thing, bearer, "").await, 401, "{name}: {bearer}");
                }
                assert_eq!(
                    self.signed(row, &thing, "blog", &self.app.inbound_secret).await,
                    401,
                    "{name}: another site"
                );
                assert_eq!(self.signed(row, &thing, "news", &self.blog_secret).await, 401, "{name}: another's secret");
                assert_eq!(self.signed(row, &thing, "news", &self.app.inbound_secret).await, row.right, "{name}");
            }
            Who::AkismetKey => {
                let people = self.people.iter().map(|(_, token)| token.as_str());
                let said = async |bearer: &str, query: &str| {
                    let answer = self.ask(row, &thing, bearer, query).await;
                    assert_eq!(answer.status().as_u16(), row.right, "{name}: told in its own words");
                    answer.text().await.unwrap()
                };
                let fields = "blog=https://blog.example&comment_content=Trams+are+fine&is_test=1";
                for bearer in
                    people.chain(["", "dw_site_unknown", &self.foreign, self.key(|_| true), &self.akismet_key])
                {
                    assert_eq!(said(bearer, &format!("?{fields}")).await, "invalid", "{name}: {bearer:?}");
                    let query = format!("?{fields}&api_key={bearer}x");
                    assert_eq!(said("", &query).await, "invalid", "{name}: {bearer:?} as a key");
                }
                let right = said("", &format!("?{fields}&api_key={}", self.akismet_key)).await;
                assert_ne!(right, "invalid", "{name}: the right key");
            }
            Who::Session => {
                // What a session may do is tested in `sign_in`; here: a bearer is none, and neither is anybody.
                let people = self.people.iter().map(|(_, token)| token.as_str());
                for bearer in people.chain(["", &self.foreign]) {
                    let request = self.app.request(Method::POST, row.path, bearer);
                    let form = request.header("content-type", "application/x-www-form-urlencoded");
                    let form = form.body("csrf=x&old=x&new=x&id=x&lang=en&theme=dark");
                    assert_eq!(form.send().await.unwrap().status().as_u16(), row.right, "{name}: {bearer:?}");
                }
            }
            Who::Person(duty) | Who::Page(duty) => {
                for (_, key) in &self.keys {
                    assert_eq!(self.status(row, &thing, key, "").await, 403, "{name}: a site's key");
                }
                self.roles(row, &thing, duty, "").await;
            }
        }
    }

    /// The row's body, signed with that secret, for that site.
    async fn signed(&self, row: &Row, thing: &Thing, site: &str, secret: &str) -> u16 {
        self.sign(row, thing, site, secret).await.status().as_u16()
    }

    async fn sign(&self, row: &Row, thing: &Thing, site: &str, secret: &str) -> reqwest::Response {
        let (body, now) = ((row.body)(thing).expect("a body").to_string(), self.app.clock.now());
        let signature = sign(&[secret.to_owned()], "m-1", now, &body).unwrap();
        let path = row.path.replace("{site}", site);
        if path.starts_with("/coral/") {
            let signature = crate::coral::signature(secret, &body);
            let request = self.app.request(Method::POST, &path, "").header("x-coral-signature", signature);
            return request.body(body).send().await.unwrap();
        }
        let request = self.app.request(Method::POST, &path, "").header("webhook-id", "m-1");
        let request =
            request.header("webhook-timestamp", now.as_millis() / 1_000).header("webhook-signature", signature);
        request.body(body).send().await.unwrap()
    }

    async fn lacking(&self, row: &Row, thing: &Thing, scope: Scope) {
        let lacking = self.key(|scopes| !scopes.contains(&scope));
        let status = self.status(row, thing, lacking, "").await;
        assert_eq!(status, 403, "{} {}: a key without `{}`", row.method, row.path, scope.name());
    }

    /// People of every role: those whose role is not for it, those from whom it is hidden, those who may.
    async fn roles(&self, row: &Row, thing: &Thing, duty: Duty, query: &str) {
        let name = format!("{} {}", row.method, row.path);
        for (role, token) in self.people.iter().filter(|(role, _)| !role.may(duty)) {
            assert_eq!(self.status(row, thing, token, query).await, 403, "{name}: {}", role.name());
        }
        for (role, [elsewhere, part]) in &self.outside {
            if !role.may(duty) {
                assert_eq!(self.status(row, thing, elsewhere, query).await, 403, "{name}: {}", role.name());
                continue;
            }
            // A site outside somebody's reach is none.
            let site = if query.is_empty() { row.outside } else { Sees::Status(404) };
            self.hidden(row, thing, site, elsewhere, query, "works on another site").await;
            let section = row.part.unwrap_or(row.outside);
            self.hidden(row, thing, section, part, query, "works in another section").await;
        }
        let mut first = Some(thing);
        for (role, token) in self.people.iter().filter(|(role, _)| role.may(duty)) {
            let fresh;
            let thing = if let Some(thing) = first.take() {
                thing
            } else {
                fresh = self.make(row.needs).await;
                &fresh
            };
            assert_eq!(self.status(row, thing, token, query).await, row.right, "{name}: {}", role.name());
        }
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let rows = rows();
    for row in &rows {
        let known = table().iter().any(|entry| (entry.method.as_str(), entry.path) == (row.method, row.path));
        assert!(known, "{} {} is in this list, and no route", row.method, row.path);
    }
    let callers = Callers::new().await;
    for entry in table() {
        let row = rows.iter().find(|row| (row.method, row.path) == (entry.method.as_str(), entry.path));
        let row = row.unwrap_or_else(|| panic!("{} {} is missing from this list", entry.method, entry.path));
        callers.check(row, entry.who).await;
    }
}

/// What the right caller sent and got.
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) request: Option<Value>,
    pub(crate) status: u16,
    /// Its media type, without parameters.
    pub(crate) kind: Option<String>,
    /// Empty for a stream without an end.
    pub(crate) body: String,
}

/// Every route that is no page, as the right caller uses it.
pub(crate) async fn exchanges() -> Vec<Exchange> {
    let callers = Callers::new().await;
    let mut exchanges = Vec::new();
    for row in rows() {
        let entry = table().into_iter().find(|entry| (entry.method.as_str(), entry.path) == (row.method, row.path));
        let Some(entry) = entry else { continue };
        let thing = callers.make(row.needs).await;
        let admin = &callers.people.iter().find(|(role, _)| *role == Role::Admin).expect("every role was made").1;
        let key = callers.key(|scopes| scopes.len() == Scope::ALL.len());
        let answer = match entry.who {
            Who::Page(_) | Who::Browser | Who::Session => continue,
            Who::Anyone | Who::Metrics => callers.ask(&row, &thing, "", "").await,
            Who::Site(_) | Who::SiteOrPerson(_) => callers.ask(&row, &thing, key, "").await,
            Who::Person(_) => callers.ask(&row, &thing, admin, "").await,
            Who::Signed => callers.sign(&row, &thing, "news", &callers.app.inbound_secret).await,
            Who::AkismetKey => {
                let fields = "blog=https://blog.example&comment_content=Trams+are+fine&is_test=1";
                callers.ask(&row, &thing, "", &format!("?{fields}&api_key={}", callers.akismet_key)).await
            }
        };
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned());
        let status = answer.status().as_u16();
        let body = match kind.as_deref() {
            Some("text/event-stream") => String::new(),
            _ => answer.text().await.unwrap(),
        };
        let (name, request) = (format!("{} {}", row.method, row.path), (row.body)(&thing));
        exchanges.push(Exchange { name, request, status, kind, body });
    }
    exchanges
}

#[tokio::test]
async fn a_site_sees_its_own_things_only() {
    let app = TestApp::spawn().await;
    let other = app.another_site("blog").await;
    app.comment(&ordinary("c-1")).await;
    let ask = async |method: Method, path: &str| app.request(method, path, &other).send().await.unwrap();
    assert_eq!(ask(Method::GET, "/v1/comments/c-1").await.status(), 404);
    assert_eq!(read(ask(Method::GET, "/v1/comments").await, &[200]).await["items"], json!([]));
    let theirs = app.request(Method::POST, "/v1/comments", &other).json(&ordinary("c-1")).send().await.unwrap();
    assert_eq!(theirs.status(), 201, "ids are each site's own");
}

#[tokio::test]
async fn rotated_keys_open_nothing_after_seconds() {
    let app = TestApp::spawn().await;
    assert_eq!(app.post("/v1/comments", &ordinary("c-1")).await.status(), 201);
    let new = app.rotate().await;
    app.clock.advance_ms(5_000);
    assert_eq!(app.post("/v1/comments", &ordinary("c-2")).await.status(), 401);
    assert_eq!(app.request(Method::GET, "/v1/comments", &new).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_for_the_token() {
    let app = TestApp::spawn_with(|config| {
        config.metrics = toml::from_str("token = \"a-long-secret\"").unwrap();
    })
    .await;
    let ask = async |bearer: &str, forwarded: bool| {
        let request = app.request(Method::GET, "/metrics", bearer);
        let request = if forwarded { request.header("x-forwarded-for", "127.0.0.1") } else { request };
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask("", false).await, 200);
    assert_eq!(ask("", true).await, 403, "an unknown proxy stands between");
    assert_eq!(ask("a-long-secret", true).await, 200);
    assert_eq!(ask("wrong", false).await, 401);
}

#[tokio::test]
async fn every_route_is_in_the_openapi_document() {
    let app = TestApp::spawn().await;
    let document = read(app.request(Method::GET, "/openapi.json", "").send().await.unwrap(), &[200]).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let is_page = |who| matches!(who, Who::Page(_) | Who::Browser | Who::Session);
    let described = |path: &str| !path.starts_with("/docs") && path != "/openapi.json";
    for entry in table().iter().filter(|entry| described(entry.path) && !is_page(entry.who)) {
        let method = entry.method.as_str().to_lowercase();
        assert!(document["paths"][entry.path][&method].is_object(), "{method} {} is not described", entry.path);
    }
    let page = app.request(Method::GET, "/docs/", "").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(!page.text().await.unwrap().contains("https://"), "the page reaches outside");
}

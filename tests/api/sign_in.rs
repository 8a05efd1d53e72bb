//! Signing in to the console: what lets somebody in, what keeps others out, and what ends it.

use doorward::app::clock::Clock as _;
use doorward::domain::people::{Reach, Role};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::helpers::{TestApp, doubtful};

const EMAIL: &str = "ada@example.org";

/// A browser, as far as cookies go.
struct Visitor<'a> {
    app: &'a TestApp,
    cookie: String,
}

impl<'a> Visitor<'a> {
    const fn new(app: &'a TestApp) -> Self {
        Self { app, cookie: String::new() }
    }

    /// Signs in with a password.
    async fn signed_in(app: &'a TestApp, email: &str, password: &str) -> Self {
        let mut visitor = Self::new(app);
        let answer = visitor.form("/sign-in", &[("email", email), ("password", password)]).await;
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        visitor
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let request = if self.cookie.is_empty() { request } else { request.header(COOKIE, &self.cookie) };
        let answer = request.send().await.unwrap();
        for set in answer.headers().get_all(SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            if pair.contains("doorward_session") {
                self.cookie = pair.to_owned();
            }
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Response {
        let request = self.app.request(Method::GET, path, "").header("accept", "text/html");
        self.send(request).await
    }

    async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request =
            self.app.request(Method::POST, path, "").header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body.finish())).await
    }

    /// The proof of this session, as a page carries it.
    async fn csrf(&mut self) -> String {
        let page = self.get("/account").await.text().await.unwrap();
        between(&page, "name=\"csrf-token\" content=\"", "\"").to_owned()
    }

    async fn post(&mut self, path: &str, body: &Value, csrf: &str, more: &[(&str, &str)]) -> Response {
        let mut request = self.app.request(Method::POST, path, "").json(body).header("x-csrf-token", csrf);
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).expect("it ends").0
}

async fn account(app: &TestApp) -> String {
    app.admin().user_create(EMAIL, Role::Moderator, &Reach::ALL, app.now()).await.unwrap().password
}

fn code(app: &TestApp, seed: &str) -> String {
    let totp =
        Builder::new().with_secret(Secret::try_from_base32(seed).unwrap()).with_account_name(EMAIL).build().unwrap();
    totp.generate(u64::try_from(app.clock.now().as_millis() / 1_000).unwrap()).to_string()
}

/// Sets up a second factor; answers its seed and the recovery codes.
async fn enrolled(visitor: &mut Visitor<'_>) -> (String, Vec<String>) {
    let csrf = visitor.csrf().await;
    let page = visitor.form("/account/totp", &[("csrf", &csrf)]).await.text().await.unwrap();
    let seed = between(&page, "id=\"seed\">", "<").to_owned();
    assert!(page.contains("<svg"), "a picture to scan");
    let sealed = between(&page, "name=\"sealed\" value=\"", "\"").to_owned();
    let now = code(visitor.app, &seed);
    let page = visitor.form("/account/totp", &[("csrf", &csrf), ("sealed", &sealed), ("code", &now)]).await;
    let page = page.text().await.unwrap();
    let list = between(&page, "<ul class=\"codes\">", "</ul>");
    let codes = list.split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(codes.len(), 10);
    (seed, codes)
}

/// Password, then code.
async fn two_steps(visitor: &mut Visitor<'_>, password: &str, code: &str) -> StatusCode {
    let page = visitor.form("/sign-in", &[("email", EMAIL), ("password", password)]).await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    let ticket = between(&page, "name=\"ticket\" value=\"", "\"").to_owned();
    visitor.form("/sign-in", &[("ticket", &ticket), ("email", EMAIL), ("code", code)]).await.status()
}

#[tokio::test]
async fn an_address_with_a_nul_is_refused() {
    let app = TestApp::spawn().await;
    let answer = Visitor::new(&app).form("/sign-in", &[("email", "a\0b@work.example"), ("password", "x")]).await;
    assert_eq!(answer.status(), 422);
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_to_the_form_and_back() {
    let app = TestApp::spawn().await;
    let password = account(&app).await;
    let mut visitor = Visitor::new(&app);
    let away = visitor.get("/account?x=1").await;
    assert_eq!(
        (away.status().as_u16(), away.headers()[LOCATION].to_str().unwrap()),
        (303, "/sign-in?next=%2Faccount%3Fx%3D1")
    );
    let form = visitor.get("/sign-in?next=%2Faccount").await;
    let policy = form.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(form.text().await.unwrap().contains("name=\"next\" value=\"/account\""));
    let fields = [("email", EMAIL), ("password", password.as_str()), ("next", "//evil.example/")];
    let answer = visitor.form("/sign-in", &fields).await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()[LOCATION].to_str().unwrap()),
        (303, "/queue"),
        "no open redirect"
    );
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(visitor.get("/account").await.status(), 200);
    let api = app.request(Method::GET, "/v1/me", "").header(COOKIE, &visitor.cookie).send().await.unwrap();
    assert_eq!(api.headers()["cache-control"], "no-store", "what a session opened is not for keeping");
    assert_eq!(api.json::<Value>().await.unwrap()["email"], EMAIL);
}

#[tokio::test]
async fn behind_https_the_cookie_is_bound_to_it() {
    let app = TestApp::spawn_with(|config| config.server.public_url = "HTTPS://moderation.example".to_owned()).await;
    let password = account(&app).await;
    let answer = Visitor::new(&app).form("/sign-in", &[("email", EMAIL), ("password", &password)]).await;
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-doorward_session=") && cookie.contains("Secure"), "{cookie}");
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_its_codes_open_once() {
    let app = TestApp::spawn().await;
    let password = account(&app).await;
    let mut visitor = Visitor::signed_in(&app, EMAIL, &password).await;
    let (seed, recovery) = enrolled(&mut visitor).await;
    let csrf = visitor.csrf().await;
    let again = visitor.form("/account/totp", &[("csrf", &csrf)]).await.text().await.unwrap();
    assert!(!again.contains("id=\"seed\""), "another factor takes the place of none that is there");
    let used = code(&app, &seed);
    assert_eq!(two_steps(&mut Visitor::new(&app), &password, &used).await, 403, "the code that set it up is used");
    app.clock.advance_ms(30_000);
    let fresh = code(&app, &seed);
    assert_eq!(two_steps(&mut Visitor::new(&app), &password, "000000").await, 403);
    assert_eq!(two_steps(&mut Visitor::new(&app), &password, &fresh).await, 303);
    assert_eq!(two_steps(&mut Visitor::new(&app), &password, &fresh).await, 403, "seen over a shoulder");
    app.clock.advance_ms(900_000); // or the attempts would be too many
    assert_eq!(two_steps(&mut Visitor::new(&app), &password, &recovery[0]).await, 303);
    assert_eq!(two_steps(&mut Visitor::new(&app), &password, &recovery[0]).await, 403, "a recovery code is used up");
    app.admin().user_reset(EMAIL, app.now()).await.unwrap();
    app.clock.advance_ms(5_000);
    assert_eq!(visitor.get("/account").await.status(), 303, "a reset ends sessions");
}

#[tokio::test]
async fn a_ticket_of_a_password_that_was_changed_opens_nothing() {
    let app = TestApp::spawn().await;
    let password = account(&app).await;
    let mut visitor = Visitor::signed_in(&app, EMAIL, &password).await;
    let (seed, _) = enrolled(&mut visitor).await;
    let mut thief = Visitor::new(&app);
    let page = thief.form("/sign-in", &[("email", EMAIL), ("password", &password)]).await.text().await.unwrap();
    let ticket = between(&page, "name=\"ticket\" value=\"", "\"").to_owned();
    let csrf = visitor.csrf().await;
    let fields = [("csrf", csrf.as_str()), ("old", password.as_str()), ("new", "a longer password")];
    assert_eq!(visitor.form("/account/password", &fields).await.status(), 200);
    app.clock.advance_ms(30_000);
    let now = code(&app, &seed);
    assert_eq!(thief.form("/sign-in", &[("ticket", &ticket), ("code", &now)]).await.status(), 403);
}

/// A machine's clock was an hour ahead when somebody typed their password wrong, and is set right then.
#[tokio::test]
async fn a_clock_that_is_set_back_keeps_nobody_from_signing_in_for_longer() {
    let app = TestApp::spawn().await;
    account(&app).await;
    let mut visitor = Visitor::new(&app);
    let mut attempt = async || visitor.form("/sign-in", &[("email", EMAIL), ("password", "wrong")]).await.status();
    app.clock.advance_ms(3_600_000);
    for _ in 0..10 {
        assert_eq!(attempt().await, 403);
    }
    assert_eq!(attempt().await, 429);
    app.clock.advance_ms(-3_600_000);
    assert_eq!(attempt().await, 429, "as before");
    app.clock.advance_ms(90_000);
    assert_eq!(attempt().await, 403, "one more is due");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_says_nothing_about_accounts() {
    let app = TestApp::spawn().await;
    account(&app).await;
    let mut visitor = Visitor::new(&app);
    let mut bodies = Vec::new();
    for email in [EMAIL, "nobody@example.org"] {
        let answer = visitor.form("/sign-in", &[("email", email), ("password", "wrong")]).await;
        assert_eq!(answer.status(), 403);
        bodies.push(answer.text().await.unwrap().replace(email, "X"));
    }
    assert_eq!(bodies[0], bodies[1], "the same for an account that there is, and one that there is not");
    for _ in 0..9 {
        visitor.form("/sign-in", &[("email", EMAIL), ("password", "wrong")]).await;
    }
    let answer = visitor.form("/sign-in", &[("email", EMAIL), ("password", "wrong")]).await;
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().contains_key("retry-after"));
    for n in 0..70 {
        let body = format!("email=someone-{n}%40example.org&password=x");
        let hidden = app.request(Method::POST, "/sign-in", "").header("x-forwarded-for", format!("198.51.{n}.1"));
        let status = hidden
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap()
            .status();
        if status == 429 {
            break;
        }
        assert!(n < 69, "a header leads past the limits");
    }
    let lines = app.audit().await;
    let refused: Vec<_> = lines.iter().filter(|line| line.action == "session.refused").collect();
    assert!(refused.iter().any(|line| line.subject == EMAIL));
    assert!(refused.iter().any(|line| line.subject == "unknown"), "what was typed is not kept");
}

#[tokio::test]
async fn changes_by_a_session_need_its_proof_from_our_own_pages() {
    let app = TestApp::spawn().await;
    let password = account(&app).await;
    let comment = app.comment(&doubtful("c-1")).await;
    let mut visitor = Visitor::signed_in(&app, EMAIL, &password).await;
    let mut other = Visitor::signed_in(&app, EMAIL, &password).await;
    let (csrf, foreign) = (visitor.csrf().await, other.csrf().await);
    let ask = json!({"items": [{"uid": comment["uid"], "seen_version": comment["version"]}], "action": "approve"});
    let host = app.address.trim_start_matches("http://").to_owned();
    let evil = [("origin", "https://evil.example")];
    let cases: [(&str, &str, &[(&str, &str)], u16); 8] = [
        ("no proof", "", &[], 403),
        ("another session's proof", &foreign, &[], 403),
        ("another origin", &csrf, &evil, 403),
        ("an opaque origin", &csrf, &[("origin", "null")], 403),
        ("the browser says cross-site", &csrf, &[("sec-fetch-site", "cross-site")], 403),
        ("a subdomain's page", &csrf, &[("sec-fetch-site", "same-site")], 403),
        ("another port's page", &csrf, &[("origin", "http://127.0.0.1:1")], 403),
        ("our page", &csrf, &[("sec-fetch-site", "same-origin"), ("origin", &format!("http://{host}"))], 200),
    ];
    for (name, token, headers, status) in cases {
        assert_eq!(visitor.post("/v1/decisions", &ask, token, headers).await.status(), status, "{name}");
    }
    let form = visitor.form("/sign-out", &[("csrf", "wrong")]).await;
    assert_eq!(form.status(), 403, "a form from elsewhere cannot even sign out");
    let elsewhere = app.request(Method::POST, "/sign-in", "").header("origin", "https://evil.example");
    let elsewhere =
        elsewhere.header("content-type", "application/x-www-form-urlencoded").body("email=a%40b.c&password=x");
    assert_eq!(elsewhere.send().await.unwrap().status(), 403, "nor sign somebody in");
}

/// A link on another site opens our pages with the session, as a person expects; it must not put a deed on record under their name.
#[tokio::test]
async fn link_on_another_site_exports_nothing() {
    let app = TestApp::spawn().await;
    let email = "admin@example.org";
    let created = app.admin().user_create(email, Role::Admin, &Reach::ALL, app.now()).await.unwrap();
    let mut visitor = Visitor::signed_in(&app, email, &created.password).await;
    for path in ["/v1/audit/export", "/v1/authors/u-1/export?site=news"] {
        for (from, answer) in [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)] {
            let request = app.request(Method::GET, path, "").header("sec-fetch-site", from);
            assert_eq!(visitor.send(request).await.status(), answer, "{path} from {from}");
        }
    }
}

#[tokio::test]
async fn an_old_session_opens_nothing() {
    let app = TestApp::spawn().await;
    let password = account(&app).await;
    let mut visitor = Visitor::signed_in(&app, EMAIL, &password).await;
    let mut stolen = Visitor { app: &app, cookie: visitor.cookie.clone() };
    assert_eq!(stolen.get("/account").await.status(), 200);
    let csrf = visitor.csrf().await;
    assert_eq!(visitor.form("/sign-out", &[("csrf", &csrf)]).await.status(), 303);
    assert_eq!(stolen.get("/account").await.status(), 303, "signed out: at once");

    let mut first = Visitor::signed_in(&app, EMAIL, &password).await;
    let mut second = Visitor::signed_in(&app, EMAIL, &password).await;
    let csrf = first.csrf().await;
    let fields = [("csrf", csrf.as_str()), ("old", password.as_str()), ("new", "a longer password")];
    assert_eq!(first.form("/account/password", &fields).await.status(), 200);
    assert_eq!(second.get("/account").await.status(), 303, "another password: the others end");
    assert_eq!(first.get("/account").await.status(), 200);

    app.clock.advance_ms(721 * 60_000);
    assert_eq!(first.get("/account").await.status(), 303, "unseen for twelve hours");
    let mut third = Visitor::signed_in(&app, EMAIL, "a longer password").await;
    for _ in 0..20 {
        app.clock.advance_ms(9 * 3_600_000);
        third.get("/account").await;
    }
    assert_eq!(third.get("/account").await.status(), 303, "a week is the longest, seen or not");
    let mut fourth = Visitor::signed_in(&app, EMAIL, "a longer password").await;
    app.disable(EMAIL).await;
    app.clock.advance_ms(4_000);
    assert_eq!(fourth.get("/account").await.status(), 303, "the account is closed");
}

#[tokio::test]
async fn a_scoped_moderator_reaches_nothing_of_another_site_with_a_session() {
    let app = TestApp::spawn().await;
    let comment = app.comment(&doubtful("c-1")).await;
    app.another_site("blog").await;
    let reach = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let made = app.admin().user_create(EMAIL, Role::Moderator, &reach, app.now()).await.unwrap();
    let mut visitor = Visitor::signed_in(&app, EMAIL, &made.password).await;
    let csrf = visitor.csrf().await;
    let ask = json!({"items": [{"uid": comment["uid"], "seen_version": comment["version"]}], "action": "approve"});
    assert_eq!(visitor.post("/v1/decisions", &ask, &csrf, &[]).await.status(), 404);
    let path = format!("/v1/comments/by-uid/{}/explanation", comment["uid"].as_str().unwrap());
    let request = app.request(Method::GET, &path, "");
    assert_eq!(visitor.send(request).await.status(), 404);
}

#[tokio::test]
async fn a_second_factor_can_be_asked_of_everybody() {
    let app = TestApp::spawn_with(|config| config.console.require_totp = true).await;
    let password = account(&app).await;
    let mut visitor = Visitor::signed_in(&app, EMAIL, &password).await;
    let request = app.request(Method::GET, "/v1/queue", "");
    assert_eq!(visitor.send(request).await.status(), 403, "first the second factor");
    enrolled(&mut visitor).await;
    let request = app.request(Method::GET, "/v1/queue", "");
    assert_eq!(visitor.send(request).await.status(), 200);
}

#[tokio::test]
async fn a_page_that_is_merely_open_keeps_no_session_alive() {
    let app = TestApp::spawn_with(|config| {
        config.events.keep_alive_s = 1;
        config.console.session_idle_min = 2;
    })
    .await;
    let password = account(&app).await;
    let mut visitor = Visitor::signed_in(&app, EMAIL, &password).await;
    let mut stream = visitor.send(app.request(Method::GET, "/v1/events", "")).await;
    let mut heard = async |sign: &str| {
        let mut said = String::new();
        while let Some(chunk) = stream.chunk().await.unwrap() {
            said += &String::from_utf8_lossy(&chunk);
            if said.contains(sign) {
                return;
            }
        }
        panic!("the stream ended without {sign}: {said}");
    };
    heard("hello").await;
    app.clock.advance_ms(90_000);
    heard("still here").await;
    app.clock.advance_ms(60_000);
    heard("event: end").await;
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let app = TestApp::spawn_with(|config| config.events.keep_alive_s = 1).await;
    let password = account(&app).await;
    let mut visitor = Visitor::signed_in(&app, EMAIL, &password).await;
    let csrf = visitor.csrf().await;
    let request = app.request(Method::GET, "/v1/events", "");
    let mut stream = visitor.send(request).await;
    assert!(String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()).contains("hello"));
    visitor.form("/sign-out", &[("csrf", &csrf)]).await;
    let mut said = String::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        said += &String::from_utf8_lossy(&chunk);
    }
    assert!(said.contains("event: end"), "{said}");
}

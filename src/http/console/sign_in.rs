//! Signing in and out: forms that work without script.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::super::body::{Form, has_nul};
use super::super::problem::Problem;
use super::super::{State, auth, client};
use super::frame::{Look, page_with};
use super::texts::Texts;
use crate::app::sign_in::{Origin, SignInError, Step};

/// Where somebody wants to go when signed in.
#[derive(Debug, Deserialize)]
pub struct Next {
    /// A path of ours; anything else leads to the queue.
    next: Option<String>,
}

/// The form: address and password, or what was answered to them and the code.
#[derive(Debug, Deserialize)]
pub struct SignInForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    t: &'static Texts,
    look: Look,
    next: &'a str,
    email: &'a str,
    ticket: &'a str,
    error: Option<String>,
}

/// The form.
pub async fn form(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<Next>,
) -> Result<HttpResponse, Problem> {
    let next = local(query.next.as_deref().unwrap_or_default());
    if auth::session(&state, &request).await?.is_some() {
        return Ok(away(next));
    }
    show(&request, StatusCode::OK, next, "", "", None)
}

fn show(
    request: &HttpRequest,
    status: StatusCode,
    next: &str,
    email: &str,
    ticket: &str,
    error: Option<String>,
) -> Result<HttpResponse, Problem> {
    let look = Look::of(request);
    page_with(status, &SignInPage { t: look.t, look, next, email, ticket, error })
}

/// Signs in. Another site's page cannot: a browser says whose page sends a form.
pub async fn sign_in(
    state: web::Data<State>,
    request: HttpRequest,
    Form(form): Form<SignInForm>,
) -> Result<HttpResponse, Problem> {
    auth::same_origin(&state, &request)?;
    state.addresses.note(&request, &state.server.get().trusted_proxies);
    let SignInForm { email, password, ticket, code, next } = form;
    let (next, email) = (local(&next), email.trim());
    if email.contains('\0') {
        return Err(has_nul("email"));
    }
    let (from, now) = (origin(&state, &request), state.clock.now());
    let step = if ticket.is_empty() {
        state.sign_in.begin(email, &password, &from, now).await
    } else {
        state.sign_in.finish(&ticket, &code, &from, now).await.map(Step::In)
    };
    let t = Look::of(&request).t;
    match step {
        Ok(Step::In(cookie)) => Ok(with_cookie(away(next), &session(&state, &cookie))),
        Ok(Step::Code(ticket)) => show(&request, StatusCode::OK, next, email, &ticket, None),
        Err(SignInError::Wrong) => {
            show(&request, StatusCode::FORBIDDEN, next, email, "", Some(t.say("sign-in.wrong").to_owned()))
        }
        Err(SignInError::WrongCode) => {
            show(&request, StatusCode::FORBIDDEN, next, email, &ticket, Some(t.say("sign-in.wrong-code").to_owned()))
        }
        Err(SignInError::Late) => {
            show(&request, StatusCode::FORBIDDEN, next, email, "", Some(t.say("sign-in.late").to_owned()))
        }
        Err(SignInError::Limited(limited)) => {
            let minutes = limited.retry_after_ms.div_ceil(60_000).max(1);
            let said = t.with("sign-in.limited", "minutes", minutes);
            let mut answer = show(&request, StatusCode::TOO_MANY_REQUESTS, next, email, "", Some(said))?;
            answer.headers_mut().insert(header::RETRY_AFTER, (minutes * 60).into());
            Ok(answer)
        }
        Err(error) => Err(error.into()),
    }
}

/// The proof that a form is ours.
#[derive(Debug, Deserialize)]
pub struct Proof {
    csrf: String,
}

/// Signs out.
pub async fn sign_out(
    state: web::Data<State>,
    request: HttpRequest,
    Form(form): Form<Proof>,
) -> Result<HttpResponse, Problem> {
    let session = auth::session_with(&state, &request, &form.csrf).await?;
    state.sign_in.sign_out(&session.cookie, state.clock.now()).await?;
    let mut gone = Cookie::new(auth::cookie_name(&state.config), "");
    gone.set_path("/");
    gone.set_secure(state.config.is_https());
    gone.make_removal();
    Ok(with_cookie(away("/sign-in"), &gone))
}

fn session(state: &State, cookie: &str) -> Cookie<'static> {
    Cookie::build(auth::cookie_name(&state.config), cookie.to_owned())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(state.config.is_https())
        .max_age(Duration::seconds(state.sign_in.cookie_max_s()))
        .finish()
}

pub(super) fn with_cookie(mut answer: HttpResponse, cookie: &Cookie<'_>) -> HttpResponse {
    if let Err(error) = answer.add_cookie(cookie) {
        tracing::error!(error = &error as &dyn std::error::Error, "a cookie could not be set");
    }
    answer
}

/// 303 to a path of ours.
pub(super) fn away(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// A path on this host; the queue for everything that could lead away from it: `//host`, `/\host`, a scheme, control characters.
fn local(next: &str) -> &str {
    let plain = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t', '\0']);
    if plain && next.len() <= 2_000 && next.bytes().all(|byte| byte.is_ascii_graphic()) { next } else { "/queue" }
}

pub(super) fn origin(state: &State, request: &HttpRequest) -> Origin {
    let agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Whoever hides where they come from is counted as whoever brought them here: no header may lead past the limits.
    let peer = || request.peer_addr().map(|peer| peer.ip().to_canonical());
    Origin { ip: client::address(request, &state.server.get().trusted_proxies).or_else(peer), agent: agent.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away_from_here() {
        for (next, path) in [
            ("/queue?site=news", "/queue?site=news"),
            ("/authors/news/u%2F1", "/authors/news/u%2F1"),
            ("", "/queue"),
            ("//evil.example", "/queue"),
            ("/\\evil.example", "/queue"),
            ("https://evil.example/", "/queue"),
            ("javascript:alert(1)", "/queue"),
            ("/\t/evil.example", "/queue"),
            ("/a\r\nset-cookie: x=1", "/queue"),
            ("queue", "/queue"),
        ] {
            assert_eq!(local(next), path, "{next:?}");
        }
    }
}

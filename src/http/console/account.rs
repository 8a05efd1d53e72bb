//! One's own account: second factor, password, sessions, language and colours.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;

use super::super::body::{Form, has_nul};
use super::super::problem::Problem;
use super::super::{State, auth};
use super::frame::{Frame, LANG_COOKIE, Look, THEME_COOKIE, page_with};
use super::sign_in::{away, origin, with_cookie};
use super::texts::Texts;
use crate::app::sign_in::{Enrolment, SignInError};
use crate::domain::session::SessionKnown;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    role_key: String,
    has_session: bool,
    has_totp: bool,
    must_enrol: bool,
    recovery_left: u64,
    languages: &'static [Texts],
    sessions: Vec<SessionKnown>,
    this: String,
    enrolment: Option<(Enrolment, String)>,
    codes: Vec<String>,
    error: Option<&'static str>,
    done: Option<&'static str>,
}

/// What a page shows besides what is always there.
#[derive(Default)]
struct News {
    enrolment: Option<Enrolment>,
    codes: Vec<String>,
    error: Option<&'static str>,
    done: Option<&'static str>,
}

/// The page.
pub async fn account(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    show(&state, &request, News::default()).await
}

async fn show(state: &State, request: &HttpRequest, news: News) -> Result<HttpResponse, Problem> {
    let status = if news.error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let session = auth::session(state, request).await?;
    let (person, has_totp, must_enrol, this) = if let Some(session) = &session {
        let this = crate::app::keys::hash(&session.cookie).iter().map(|byte| format!("{byte:02x}")).collect();
        (session.live.person.clone(), session.live.has_totp, state.sign_in.must_enrol(&session.live), this)
    } else {
        let person = auth::person(state, request, crate::domain::people::Duty::Read).await?;
        (person, false, false, String::new())
    };
    let sessions = state.sign_in.sessions(&person, state.clock.now()).await?;
    let recovery_left = state.sign_in.recovery_left(&person).await?;
    let enrolment =
        news.enrolment.map(|enrolment| Ok::<_, Problem>((picture(&enrolment.url)?, enrolment))).transpose()?;
    let role_key = format!("role.{}", person.role.name());
    let page = AccountPage {
        role_key,
        frame: Frame::of(state, request, "account", person),
        has_session: session.is_some(),
        has_totp,
        must_enrol,
        recovery_left,
        languages: Texts::all(),
        sessions,
        this,
        enrolment: enrolment.map(|(picture, enrolment)| (enrolment, picture)),
        codes: news.codes,
        error: news.error,
        done: news.done,
    };
    page_with(status, &page)
}

/// The URL as a QR code, black on white whatever the page's colours: cameras want it so.
fn picture(url: &str) -> Result<String, Problem> {
    let code = QrCode::with_error_correction_level(url, EcLevel::M).map_err(|error| {
        tracing::error!(%error, "a QR code could not be made");
        Problem::internal()
    })?;
    let text = code.render::<svg::Color<'_>>().min_dimensions(220, 220).build();
    Ok(text.split_once("?>").map_or(text.clone(), |(_, svg)| svg.to_owned()))
}

/// A form about the second factor.
#[derive(Debug, Deserialize)]
pub struct TotpForm {
    csrf: String,
    #[serde(default)]
    sealed: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    off: String,
}

/// Begins, ends or takes back the second factor, by what the form holds.
pub async fn totp(
    state: web::Data<State>,
    request: HttpRequest,
    Form(form): Form<TotpForm>,
) -> Result<HttpResponse, Problem> {
    let session = auth::session_with(&state, &request, &form.csrf).await?;
    let (person, now) = (&session.live.person, state.clock.now());
    if !form.off.is_empty() {
        let taken = state.sign_in.unenrol(person, &form.password, &origin(&state, &request), now).await;
        return match taken {
            Ok(()) => show(&state, &request, News { done: Some("account.totp-off-done"), ..News::default() }).await,
            Err(SignInError::Wrong) => {
                show(&state, &request, News { error: Some("account.wrong-password"), ..News::default() }).await
            }
            Err(error) => Err(error.into()),
        };
    }
    if session.live.has_totp {
        return show(&state, &request, News::default()).await; // it is taken away first, with the password
    }
    if form.sealed.is_empty() {
        let enrolment = Some(state.sign_in.enrol(person)?);
        return show(&state, &request, News { enrolment, ..News::default() }).await;
    }
    match state.sign_in.enrolled(person, &form.sealed, &form.code, &session.cookie, now).await {
        Ok(codes) => {
            show(&state, &request, News { codes, done: Some("account.totp-on-done"), ..News::default() }).await
        }
        Err(SignInError::WrongCode) => {
            let enrolment = Some(state.sign_in.enrol_again(person, &form.sealed)?);
            show(&state, &request, News { enrolment, error: Some("sign-in.wrong-code"), ..News::default() }).await
        }
        Err(error) => Err(error.into()),
    }
}

/// A new password.
#[derive(Debug, Deserialize)]
pub struct PasswordForm {
    csrf: String,
    old: String,
    new: String,
}

/// Changes one's password.
pub async fn password(
    state: web::Data<State>,
    request: HttpRequest,
    Form(form): Form<PasswordForm>,
) -> Result<HttpResponse, Problem> {
    let session = auth::session_with(&state, &request, &form.csrf).await?;
    let from = origin(&state, &request);
    let now = state.clock.now();
    let changed =
        state.sign_in.change_password(&session.live.person, &form.old, &form.new, &session.cookie, &from, now).await;
    let news = match changed {
        Ok(()) => News { done: Some("account.password-done"), ..News::default() },
        Err(SignInError::Wrong) => News { error: Some("account.wrong-password"), ..News::default() },
        Err(SignInError::Password) => News { error: Some("account.bad-password"), ..News::default() },
        Err(error) => return Err(error.into()),
    };
    show(&state, &request, news).await
}

/// A session to end.
#[derive(Debug, Deserialize)]
pub struct RevokeForm {
    csrf: String,
    id: String,
}

/// Ends one of one's sessions.
pub async fn revoke(
    state: web::Data<State>,
    request: HttpRequest,
    Form(form): Form<RevokeForm>,
) -> Result<HttpResponse, Problem> {
    let session = auth::session_with(&state, &request, &form.csrf).await?;
    if form.id.contains('\0') {
        return Err(has_nul("id"));
    }
    state.sign_in.revoke(&session.live.person, &form.id, state.clock.now()).await?;
    Ok(away("/account"))
}

/// Language and colours.
#[derive(Debug, Deserialize)]
pub struct LookForm {
    csrf: String,
    lang: String,
    theme: String,
}

/// Keeps language and colours in the browser.
pub async fn look(
    state: web::Data<State>,
    request: HttpRequest,
    Form(form): Form<LookForm>,
) -> Result<HttpResponse, Problem> {
    auth::session_with(&state, &request, &form.csrf).await?;
    let lang =
        Texts::all().iter().find(|texts| texts.lang == form.lang).map_or(Look::of(&request).t.lang, |texts| texts.lang);
    let theme = ["light", "dark"].into_iter().find(|theme| *theme == form.theme).unwrap_or("auto");
    let kept = |name: &'static str, value: &'static str| {
        let secure = state.config.is_https();
        Cookie::build(name, value)
            .path("/")
            .http_only(true)
            .secure(secure)
            .same_site(SameSite::Lax)
            .max_age(Duration::days(400))
            .finish()
    };
    Ok(with_cookie(with_cookie(away("/account"), &kept(LANG_COOKIE, lang)), &kept(THEME_COOKIE, theme)))
}

//! What all pages have in common: who looks, in which language and colours, and the headers that bound what a page may do.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ACCEPT_LANGUAGE};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::State;
use super::super::auth;
use super::super::problem::Problem;
use super::assets;
use super::texts::Texts;
use crate::app::sign_in::csrf_token;
use crate::domain::people::{Duty, Person};
use crate::domain::time::Timestamp;

/// Scripts, styles and data from here only; no inline script or style, no frame around us, and markup goes into a page in one place of ours only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types doorward";

/// Cookie with the language that somebody chose.
pub(super) const LANG_COOKIE: &str = "doorward_lang";
/// Cookie with the colours that somebody chose: `light` or `dark`; absent for what the system says.
pub(super) const THEME_COOKIE: &str = "doorward_theme";

/// How a page looks to whoever asked.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Look {
    /// The catalogue in their language.
    pub t: &'static Texts,
    /// `auto`, `light` or `dark`.
    pub theme: &'static str,
}

impl Look {
    /// As cookies and the browser's languages say.
    pub(in super::super) fn of(request: &HttpRequest) -> Self {
        let cookie = |name| request.cookie(name).map(|cookie| cookie.value().to_owned());
        let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let t = Texts::chosen(cookie(LANG_COOKIE).as_deref(), accepted.unwrap_or_default());
        let theme = match cookie(THEME_COOKIE).as_deref() {
            Some("light") => "light",
            Some("dark") => "dark",
            _ => "auto",
        };
        Self { t, theme }
    }

    /// Where this build's assets lie, as in `/assets/0123abcd`.
    #[expect(clippy::unused_self, reason = "templates have a look, and no paths")]
    pub(super) fn assets(self) -> &'static str {
        assets::folder()
    }
}

/// What `frame.html` needs of every page for people who are signed in.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// The catalogue.
    pub t: &'static Texts,
    /// Language and colours.
    pub look: Look,
    /// Which entry of the navigation this page belongs to.
    pub here: &'static str,
    /// Who looks.
    pub person: Person,
    /// What unsafe requests of this session carry.
    pub csrf: String,
    /// Now.
    pub now: Timestamp,
    /// What an operator has to know, on top of every page.
    pub warnings: Vec<String>,
}

impl Frame {
    /// For a person who may do that.
    ///
    /// # Errors
    /// 401 for nobody, 403 for a role that is not for that.
    pub(super) async fn open(
        state: &State,
        request: &HttpRequest,
        here: &'static str,
        duty: Duty,
    ) -> Result<Self, Problem> {
        let person = auth::person(state, request, duty).await?;
        state.addresses.note(request, &state.server.get().trusted_proxies);
        Ok(Self::of(state, request, here, person))
    }

    /// For somebody who was let in already.
    pub(super) fn of(state: &State, request: &HttpRequest, here: &'static str, person: Person) -> Self {
        let look = Look::of(request);
        let csrf = auth::session_cookie(state, request).map(|cookie| csrf_token(&cookie)).unwrap_or_default();
        let warnings = if person.role.may(Duty::Operate) { warnings(state, look.t) } else { Vec::new() };
        Self { t: look.t, look, here, person, csrf, now: state.clock.now(), warnings }
    }

    /// Whether whoever looks may decide.
    pub(super) fn may_decide(&self) -> bool {
        self.person.role.may(Duty::Decide)
    }

    /// Whether whoever looks may see how moderation goes: that is of whole sites.
    pub(super) fn may_see_health(&self) -> bool {
        self.person.role.may(Duty::Oversee) && self.person.reach.has_whole_sites()
    }

    /// Whether whoever looks may see the record of who did what: that is of everything.
    pub(super) fn may_see_record(&self) -> bool {
        self.person.role.may(Duty::Oversee) && self.person.reach.is_all()
    }

    /// Whether whoever looks may operate.
    pub(super) fn may_operate(&self) -> bool {
        self.person.role.may(Duty::Operate)
    }

    /// The `aria-current` of a navigation entry, with a blank before it.
    pub(super) fn current(&self, entry: &str) -> &'static str {
        if self.here == entry { " aria-current=page" } else { "" }
    }
}

/// What an operator has to know now.
fn warnings(state: &State, t: &'static Texts) -> Vec<String> {
    let standing = state.reload.standing();
    let refused = standing.refused.as_ref().map(|refused| t.with("warning.config", "problem", &refused.problem));
    let waiting =
        (!standing.waiting.is_empty()).then(|| t.with("warning.waiting", "settings", standing.waiting.join(", ")));
    let proxy = state.addresses.suspect(&state.server.get().trusted_proxies);
    let proxy = proxy.map(|proxy| t.with("warning.proxy", "address", proxy));
    refused.into_iter().chain(waiting).chain(proxy).collect()
}

/// Answers with a page.
///
/// # Errors
/// 500: the template failed.
pub(super) fn page(template: &impl Template) -> Result<HttpResponse, Problem> {
    page_with(StatusCode::OK, template)
}

/// Answers with a page and another status.
///
/// # Errors
/// 500: the template failed.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Result<HttpResponse, Problem> {
    let text = template.render().map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a page could not be rendered");
        Problem::internal()
    })?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("Cross-Origin-Opener-Policy", "same-origin"))
        .insert_header(("Permissions-Policy", "camera=(), geolocation=(), microphone=()"))
        .body(text))
}

//! Keys and tokens on requests.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use url::Url;

use super::State;
use super::problem::Problem;
use crate::app::access::Principal;
use crate::app::sign_in::csrf_fits;
use crate::domain::decision::Actor;
use crate::domain::people::{Duty, Person, Reach};
use crate::domain::session::LiveSession;
use crate::domain::site::{Scope, Site};

/// The bearer string.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= 512).then_some(token)
}

/// The session's cookie. Where the service is reached by https, its name binds it to this host and to https (RFC 6265bis, 4.1.3.2).
pub(super) fn cookie_name(config: &super::Config) -> &'static str {
    if config.is_https() { "__Host-doorward_session" } else { "doorward_session" }
}

/// The cookie of a session.
pub(super) fn session_cookie(state: &State, request: &HttpRequest) -> Option<String> {
    let cookie = request.cookie(cookie_name(&state.config))?;
    let value = cookie.value();
    (!value.is_empty() && value.len() <= 512).then(|| value.to_owned())
}

/// What is opened by a cookie.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The cookie.
    pub cookie: String,
    /// Whose it is.
    pub live: LiveSession,
}

/// The session whose cookie came with the request, for reading; `None` for none.
///
/// # Errors
/// 503.
pub(super) async fn session(state: &State, request: &HttpRequest) -> Result<Option<Session>, Problem> {
    let Some(cookie) = session_cookie(state, request) else { return Ok(None) };
    let live = state.sign_in.session(&cookie, state.clock.now()).await?;
    Ok(live.map(|live| Session { cookie, live }))
}

/// A session that asks for a change: proven by `token` to come from a page of ours.
///
/// # Errors
/// 401 without a session, 403 without its token, or from another site.
pub(super) async fn session_with(state: &State, request: &HttpRequest, token: &str) -> Result<Session, Problem> {
    let found = session(state, request).await?.ok_or_else(|| Problem::unauthorized("sign in first"))?;
    same_origin(state, request)?;
    if csrf_fits(&found.cookie, token) { Ok(found) } else { Err(Problem::cross_site()) }
}

/// Whether the browser says that a page of ours asks: by `Sec-Fetch-Site`, or else by `Origin`.
///
/// # Errors
/// 403: another site's page does.
pub(super) fn same_origin(state: &State, request: &HttpRequest) -> Result<(), Problem> {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    match header("sec-fetch-site") {
        None | Some("same-origin" | "none") => {}
        Some(_) => return Err(Problem::cross_site()),
    }
    let Some(origin) = header("origin") else { return Ok(()) };
    let host = header("host").unwrap_or_default(); // what a proxy says of it would be anyone's word
    let ours = Url::parse(&state.config.public_url).map(|url| url.origin().ascii_serialization());
    let theirs = Url::parse(origin).ok();
    let authority = theirs.as_ref().and_then(|url| Some((url.host_str()?, url.port())));
    let same_host = authority.is_some_and(|(name, port)| match port {
        Some(port) => host.eq_ignore_ascii_case(&format!("{name}:{port}")),
        None => host.eq_ignore_ascii_case(name),
    });
    if same_host || ours.is_ok_and(|ours| ours == origin) { Ok(()) } else { Err(Problem::cross_site()) }
}

/// Whoever asks: by a bearer, or by a session, which must prove for changes that a page of ours asks.
async fn principal(state: &State, request: &HttpRequest) -> Result<Principal, Problem> {
    if let Some(bearer) = bearer(request) {
        let found = state.access.principal(bearer, state.clock.now()).await?;
        return found.ok_or_else(|| Problem::unauthorized("this key is not known here"));
    }
    let found = if request.method().is_safe() {
        session(state, request).await?
    } else if session_cookie(state, request).is_some() {
        let token = request.headers().get("x-csrf-token").and_then(|value| value.to_str().ok());
        Some(session_with(state, request, token.unwrap_or_default()).await?)
    } else {
        None
    };
    let found = found.ok_or_else(|| Problem::unauthorized("send Authorization: Bearer and a key"))?;
    if state.sign_in.must_enrol(&found.live) {
        return Err(Problem::forbidden("this service asks for a second factor: set it up at /account first"));
    }
    Ok(Principal::Person(found.live.person))
}

/// The site whose key came with the request.
///
/// # Errors
/// 401 without a known key; 403 for a key without the scope, or a person's token.
pub(super) async fn site(state: &State, request: &HttpRequest, scope: Scope) -> Result<Arc<Site>, Problem> {
    match principal(state, request).await? {
        Principal::Site(key) if key.scopes.contains(&scope) => Ok(key.site),
        Principal::Site(key) => Err(lacks(&key.site, scope)),
        Principal::Person(_) => Err(Problem::forbidden("this takes a site's key, not a person's token")),
    }
}

/// As [`site`], where clients may send the key another way than as bearer.
///
/// # Errors
/// As [`site`].
pub(super) async fn site_by(
    state: &State,
    request: &HttpRequest,
    scope: Scope,
    key: Option<&str>,
) -> Result<Arc<Site>, Problem> {
    let key = bearer(request).or_else(|| key.filter(|key| !key.is_empty() && key.len() <= 512));
    let key = key.ok_or_else(|| Problem::unauthorized("send a site's key"))?;
    match state.access.principal(key, state.clock.now()).await? {
        Some(Principal::Site(key)) if key.scopes.contains(&scope) => Ok(key.site),
        Some(Principal::Site(key)) => Err(lacks(&key.site, scope)),
        Some(Principal::Person(_)) => Err(Problem::forbidden("this takes a site's key, not a person's token")),
        None => Err(Problem::unauthorized("this key is not known here")),
    }
}

/// Says which scope a key lacks, and where the operator of a client has to be told how to make another.
fn lacks(site: &Site, scope: Scope) -> Problem {
    let lacking = format!("this key lacks the scope `{}`", scope.name());
    Problem::forbidden(match scope {
        Scope::Feedback => {
            format!("{lacking}; `doorward site key {} --scopes post,feedback` makes one that has it", site.name)
        }
        Scope::Post | Scope::Read | Scope::Erase => lacking,
    })
}

/// Whoever asks for a site's own things, and how much of them they may see.
pub(super) struct Caller {
    /// The site.
    pub site: Arc<Site>,
    /// Everything for the site itself; for a person, where they work.
    pub reach: Reach,
    /// For the record of who did what.
    pub by: Actor,
}

impl Caller {
    /// Whether it is a person who asks.
    pub(super) const fn is_person(&self) -> bool {
        matches!(self.by, Actor::Person(_))
    }

    /// Whether no comment of the site lies outside.
    pub(super) const fn sees_whole_site(&self) -> bool {
        self.reach.has_whole_sites()
    }
}

/// The site whose own things are asked for: by its key, or named by a person with `?site=`.
///
/// # Errors
/// 401, 403; 404 and 422 for a person who names no site, or none that there is.
pub(super) async fn caller(
    state: &State,
    request: &HttpRequest,
    scope: Scope,
    named: Option<&str>,
) -> Result<Caller, Problem> {
    match principal(state, request).await? {
        Principal::Site(key) if !key.scopes.contains(&scope) => {
            Err(Problem::forbidden(format!("this key lacks the scope `{}`", scope.name())))
        }
        Principal::Site(key) if named.is_some_and(|name| *name != *key.site.name) => {
            Err(Problem::forbidden("this key is another site's"))
        }
        Principal::Site(key) => {
            let by = Actor::Site(key.site.name.to_string());
            Ok(Caller { site: key.site, reach: Reach::ALL, by })
        }
        Principal::Person(person) => {
            let duty = if scope == Scope::Read { Duty::Read } else { Duty::Decide };
            permitted(&person, duty)?;
            let name = named.ok_or_else(|| Problem::invalid("site", "must be named with a personal token"))?;
            let sites = state.store.sites().await?;
            let found = sites.into_iter().find(|site| *site.name == *name && person.reach.covers_site(name));
            let site = found.ok_or_else(|| Problem::not_found(format!("there is no site `{name}`")))?;
            Ok(Caller { site: Arc::new(site), reach: person.reach, by: Actor::Person(person.email) })
        }
    }
}

/// The person whose token came with the request.
///
/// # Errors
/// 401 without a known token; 403 for a site's key, or a role that is not for that.
pub(super) async fn person(state: &State, request: &HttpRequest, duty: Duty) -> Result<Person, Problem> {
    match principal(state, request).await? {
        Principal::Person(person) => permitted(&person, duty).map(|()| person),
        Principal::Site(_) => Err(Problem::forbidden("this takes a personal token, not a site's key")),
    }
}

/// An overseer to whom nothing lies outside: what has no site cannot be shown by halves.
///
/// # Errors
/// As [`person`]; 403 for a reach with any bound.
pub(super) async fn overseer(state: &State, request: &HttpRequest) -> Result<Person, Problem> {
    let person = person(state, request, Duty::Oversee).await?;
    of_everything(&person).map(|()| person)
}

/// Whether nothing lies outside a person's reach.
///
/// # Errors
/// 403 for a reach with any bound.
pub(super) fn of_everything(person: &Person) -> Result<(), Problem> {
    if person.reach.is_all() {
        return Ok(());
    }
    Err(Problem::forbidden("this is about all sites, and you work on some, or on a part of them"))
}

/// A person to whom nothing of their sites lies outside.
///
/// # Errors
/// As [`person`]; 403 for a reach that is bounded to sections or languages.
pub(super) async fn person_of_whole_sites(state: &State, request: &HttpRequest, duty: Duty) -> Result<Person, Problem> {
    let person = person(state, request, duty).await?;
    of_whole_sites(&person).map(|()| person)
}

/// Whether nothing of a person's sites lies outside their reach.
///
/// # Errors
/// 403 for a reach that is bounded to sections or languages.
pub(super) fn of_whole_sites(person: &Person) -> Result<(), Problem> {
    if person.reach.has_whole_sites() {
        return Ok(());
    }
    Err(Problem::forbidden("this is about whole sites, and you work on some sections or languages only"))
}

fn permitted(person: &Person, duty: Duty) -> Result<(), Problem> {
    if person.role.may(duty) {
        return Ok(());
    }
    Err(Problem::forbidden(format!("your role, {}, may not {}", person.role.name(), duty.name())))
}

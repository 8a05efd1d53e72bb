//! Keys and tokens on requests.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use super::State;
use super::problem::Problem;
use crate::app::access::Principal;
use crate::domain::decision::Actor;
use crate::domain::people::{Duty, Person, Reach};
use crate::domain::site::{Scope, Site};

/// The bearer string.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= 512).then_some(token)
}

async fn principal(state: &State, request: &HttpRequest) -> Result<Principal, Problem> {
    let cookie = request.cookie("doorward_session");
    let bearer = bearer(request).or_else(|| cookie.as_ref().map(|cookie| cookie.value()));
    let bearer = bearer.ok_or_else(|| Problem::unauthorized("send Authorization: Bearer and a key"))?;
    let found = state.access.principal(bearer, state.clock.now()).await?;
    found.ok_or_else(|| Problem::unauthorized("this key is not known here"))
}

/// The site whose key came with the request.
///
/// # Errors
/// 401 without a known key; 403 for a key without the scope, or a person's token.
pub(super) async fn site(state: &State, request: &HttpRequest, scope: Scope) -> Result<Arc<Site>, Problem> {
    match principal(state, request).await? {
        Principal::Site(key) if key.scopes.contains(&scope) => Ok(key.site),
        Principal::Site(_) => Err(Problem::forbidden(format!("this key lacks the scope `{}`", scope.name()))),
        Principal::Person(_) => Err(Problem::forbidden("this takes a site's key, not a person's token")),
    }
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
    if person.reach.is_all() {
        return Ok(person);
    }
    Err(Problem::forbidden("this is about all sites, and you work on some, or on a part of them"))
}

/// A person to whom nothing of their sites lies outside.
///
/// # Errors
/// As [`person`]; 403 for a reach that is bounded to sections or languages.
pub(super) async fn person_of_whole_sites(state: &State, request: &HttpRequest, duty: Duty) -> Result<Person, Problem> {
    let person = person(state, request, duty).await?;
    if person.reach.has_whole_sites() {
        return Ok(person);
    }
    Err(Problem::forbidden("this is about whole sites, and you work on some sections or languages only"))
}

fn permitted(person: &Person, duty: Duty) -> Result<(), Problem> {
    if person.role.may(duty) {
        return Ok(());
    }
    Err(Problem::forbidden(format!("your role, {}, may not {}", person.role.name(), duty.name())))
}

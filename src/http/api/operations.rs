//! For operators and their monitoring.

use std::sync::atomic::Ordering;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

use super::super::problem::{Problem, ProblemBody, TYPES};
use super::super::{State, auth, client};
use crate::domain::store::StoreError;

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("alive\n")
}

/// Whether comments can be taken, part by part.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyOut {
    /// `ready`; `moved`, when everything was moved to another database and this one takes nothing more; or `unavailable`.
    pub database: &'static str,
    /// `ready`, or `off`.
    pub model: &'static str,
    /// `ready`, or what is wrong. Receivers that fail are not meant.
    pub outbox: &'static str,
    /// Webhooks that wait or are on their way, some seconds ago.
    pub outbox_waiting: u64,
    /// Dead letters, some seconds ago.
    pub outbox_dead: u64,
    /// `ready`; `off` for one node alone; or `degraded`, when what nodes share is away, or there are several and they share nothing: this node goes
    /// on alone, and takes comments all the same.
    pub shared: &'static str,
    /// Nodes that are alive, this one included, as far as is known.
    pub nodes: u32,
    /// `ready`; `waiting`, when some settings take effect at the next start; or `refused`, when the settings file cannot be used: what was in force
    /// before still is, and comments are taken all the same.
    pub config: &'static str,
}

/// Whether comments can be taken.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses((status = 200, body = ReadyOut), (status = 503, body = ReadyOut)))]
pub async fn readyz(state: web::Data<State>) -> HttpResponse {
    let model = if state.settings.current().classifier.is_some() { "ready" } else { "off" };
    let ready = state.store.ready().await;
    if let Err(error) = &ready {
        tracing::error!(error = error as &dyn std::error::Error, "the store is not ready");
    }
    let word = |good: bool| if good { "ready" } else { "unavailable" };
    let database = match &ready {
        Ok(()) => "ready",
        Err(StoreError::Moved(_)) => "moved",
        Err(_) => "unavailable",
    };
    let outbox = word(!state.outbox.is_failing());
    let (outbox_waiting, outbox_dead) = (state.outbox.state().waiting, state.outbox.state().dead);
    let alive = state.alive.load(Ordering::Relaxed).max(1);
    let nodes = state.shared.as_ref().map_or(1, |shared| shared.nodes()).max(alive);
    let shared = match &state.shared {
        Some(shared) if shared.is_up() => "ready",
        None if nodes == 1 => "off",
        Some(_) | None => "degraded",
    };
    let standing = state.reload.standing();
    let config = match (&standing.refused, standing.waiting.is_empty()) {
        (Some(_), _) => "refused",
        (None, false) => "waiting",
        (None, true) => "ready",
    };
    let answer = ReadyOut { database, model, outbox, outbox_waiting, outbox_dead, shared, nodes, config };
    if database == "ready" && outbox == "ready" {
        return HttpResponse::Ok().json(answer);
    }
    HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "5")).json(answer)
}

/// Counts and durations, for Prometheus. From this machine, or with `metrics.token` as bearer.
#[utoipa::path(get, path = "/metrics", tag = "operations", security((), ("metrics_token" = [])),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
pub async fn metrics(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let token = auth::bearer(&request);
    let ours = state.metrics_token.get();
    let known = |token: &str| ours.as_deref().is_some_and(|ours| bool::from(ours.as_bytes().ct_eq(token.as_bytes())));
    let local = client::address(&request, &state.server.get().trusted_proxies).is_some_and(|ip| ip.is_loopback());
    match token {
        Some(token) if known(token) => {}
        Some(_) => return Err(Problem::unauthorized("this is not the metrics token")),
        None if local => {}
        None => return Err(Problem::forbidden("metrics are for this machine, or for whoever has `metrics.token`")),
    }
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4")).body(state.metrics.render()))
}

/// The page of a type of problem.
#[utoipa::path(get, path = "/problems/{name}", tag = "operations", params(("name" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html"), (status = 404, body = ProblemBody)))]
pub async fn problem_page(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    const PAGES: &str = include_str!("../../../docs/problems.md");
    let kind = format!("/problems/{name}");
    let (_, title) = TYPES
        .iter()
        .find(|(known, _)| *known == kind)
        .ok_or_else(|| Problem::not_found("there is no such type of problem"))?;
    let chapter = PAGES.split("\n## ").find(|chapter| chapter.starts_with(&format!("`{kind}`"))).unwrap_or_default();
    let text = chapter.split_once('\n').map_or("", |(_, text)| text);
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new(text));
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1>{html}</html>"
    );
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("Content-Security-Policy", "default-src 'none'"))
        .body(page))
}

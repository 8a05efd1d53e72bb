//! What sites have yet to be told, and what could not be delivered.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use super::dto::page_request;
use crate::app::outbox::letters::Again;
use crate::domain::decision::Actor;
use crate::domain::outbox::Letter;
use crate::domain::people::Duty;

/// Letters named in one request at most.
const MAX_IDS: usize = 1_000;

/// Which letters to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct OutboxQuery {
    /// Of that site.
    pub site: Option<String>,
    /// `true` for dead letters only.
    pub dead: Option<String>,
    /// At most that many, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// A page of letters.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OutboxPage {
    /// The letters, newest first.
    pub items: Vec<Letter>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}

/// What is on its way to sites, or could not be delivered (dead letters), newest first.
#[utoipa::path(get, path = "/v1/outbox", tag = "operators", security(("personal_token" = [])), params(OutboxQuery),
    responses((status = 200, body = OutboxPage), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<OutboxQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person_of_whole_sites(&state, &request, Duty::Oversee).await?;
    let query = query.into_inner();
    let dead = match query.dead.as_deref() {
        None | Some("" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::invalid("dead", "must be true or false")),
    };
    let page = page_request(query.limit.as_deref(), query.cursor)?;
    let site = query.site.filter(|site| !site.is_empty());
    let page = state.letters.list(site, dead, &person.reach, &page).await?;
    Ok(HttpResponse::Ok().json(OutboxPage { items: page.items, next_cursor: page.next_cursor }))
}

/// Which dead letters to send again: exactly one of these.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResendIn {
    /// These.
    pub ids: Option<Vec<Uuid>>,
    /// All of that site.
    pub site: Option<String>,
    /// All.
    pub all: bool,
}

/// How many were put back on their way.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ResentOut {
    /// Letters.
    pub resent: u64,
}

/// Sends dead letters again, under the same `webhook-id`, for as many days as new ones. Those of sites outside the person's reach are left alone.
#[utoipa::path(post, path = "/v1/outbox/resend", tag = "operators", security(("personal_token" = [])), request_body = ResendIn,
    responses((status = 200, body = ResentOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn resend(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = auth::person_of_whole_sites(&state, &request, Duty::Operate).await?;
    let asked: ResendIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let which = match asked {
        ResendIn { ids: Some(ids), site: None, all: false } if ids.len() <= MAX_IDS => Again::These(ids),
        ResendIn { ids: Some(_), site: None, all: false } => {
            return Err(Problem::invalid("ids", &format!("may hold at most {MAX_IDS} entries")));
        }
        ResendIn { ids: None, site: Some(site), all: false } if !site.is_empty() => Again::Site(site),
        ResendIn { ids: None, site: None, all: true } => Again::All,
        _ => return Err(Problem::invalid("body", "must hold exactly one of ids, site and all")),
    };
    let by = Actor::Person(person.email.clone());
    let resent = state.letters.resend(which, &person.reach, by, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(ResentOut { resent }))
}

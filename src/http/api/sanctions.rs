//! Bans, allow-listings and pre-moderation.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use super::dto::page_request;
use crate::app::sanctions::{Aim, AlsoReject, Order};
use crate::domain::people::{Duty, Reach};
use crate::domain::sanction::{Measure, Sanction, TargetKind};
use crate::domain::store::Ruled;
use crate::domain::time::Timestamp;

/// A sanction to be. Unknown fields are refused: a ban whose `expires_at` is misspelt would last for ever.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SanctionIn {
    /// On which site; null or left out: on all, which takes an operator.
    #[serde(default)]
    pub site: Option<String>,
    /// What it aims at.
    pub target: TargetIn,
    /// `ban` (comments are rejected), `premoderate` (they wait for a person) or `allow` (they are approved, whatever the checks say).
    pub measure: Measure,
    /// Why, in 1 to 500 characters; without what the sanction aims at, which is stored as a hash only.
    pub cause: String,
    /// Whether the banned one should go on seeing their own comments; only where `sanctions.shadow_bans` is on.
    #[serde(default)]
    pub shadow: bool,
    /// Until when, RFC 3339; left out: until it is lifted.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// What of theirs a ban rejects at once, at most 1000 comments. Undone with the sanction.
    #[serde(default)]
    pub also_reject: Option<AlsoRejectIn>,
}

/// What a sanction aims at: `value`, or `of`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetIn {
    /// `author` (the site's id), `email-domain`, `host` (linked to, or a homepage; with everything below it), or `network` (an address, IPv4
    /// /24, IPv6 /64 or /48).
    pub kind: TargetKind,
    /// Which one.
    #[serde(default)]
    pub value: Option<String>,
    /// In place of a value: whoever wrote the comment of that uid. For `network` the address that it came from.
    #[serde(default)]
    pub of: Option<Uuid>,
}

/// What of theirs a ban rejects at once. What a person approved stays approved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlsoRejectIn {
    /// What waits in the queue.
    #[serde(default)]
    pub held: bool,
    /// What was approved in the last so many hours, at most 720.
    #[serde(default)]
    pub approved_hours: u32,
}

/// A sanction.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SanctionOut {
    /// Its name.
    pub id: Uuid,
    /// On which site; null on all.
    pub site: Option<String>,
    /// What it does.
    pub measure: Measure,
    /// What it aims at.
    pub target: TargetOut,
    /// Why. Of a sanction on all sites null for whoever does not work on all of them.
    pub cause: Option<String>,
    /// Whether the banned one should go on seeing their own comments.
    pub shadow: bool,
    /// Who, by e-mail; null where the cause is.
    pub by: Option<String>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub at: String,
    /// Until when; null until it is lifted.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<String>,
    /// When it was lifted.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub lifted_at: Option<String>,
    /// Who lifted it; null where the cause is.
    pub lifted_by: Option<String>,
    /// Whether it is in force now.
    pub active: bool,
    /// The decision that rejected what of theirs was there when it began.
    pub decision: Option<Uuid>,
}

/// What a sanction aims at, as far as it is kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TargetOut {
    /// What kind of thing.
    pub kind: TargetKind,
    /// Enough to recognise it by: e-mail domains and hosts whole, authors and networks not at all.
    pub hint: String,
}

impl SanctionOut {
    pub(super) fn new(sanction: &Sanction, reach: &Reach, now: Timestamp) -> Self {
        // What was said about one site is not for the others.
        let tells = sanction.site.is_some() || reach.is_all();
        Self {
            id: sanction.uid,
            site: sanction.site_name.clone(),
            measure: sanction.measure,
            target: TargetOut { kind: sanction.kind, hint: sanction.hint.clone() },
            cause: tells.then(|| sanction.cause.clone()),
            shadow: sanction.shadow,
            by: tells.then(|| sanction.by.clone()),
            at: sanction.at.to_string(),
            expires_at: sanction.expires_at.map(|until| until.to_string()),
            lifted_at: sanction.lifted.as_ref().map(|(at, _)| at.to_string()),
            lifted_by: sanction.lifted.as_ref().filter(|_| tells).map(|(_, by)| by.clone()),
            active: sanction.is_active(now),
            decision: sanction.ruling,
        }
    }
}

/// A sanction just begun.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ImposedOut {
    /// The sanction.
    #[serde(flatten)]
    pub sanction: SanctionOut,
    /// Comments that were rejected with it.
    pub also_rejected: Vec<Uuid>,
    /// Whether there may be more than it rejects or looks through at once: find them in the queue.
    pub more: bool,
}

/// A sanction lifted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LiftedOut {
    /// The sanction.
    #[serde(flatten)]
    pub sanction: SanctionOut,
    /// Comments that are what they would have been without it, under the sanctions still in force.
    pub restored: Vec<Uuid>,
    /// Comments that something else has happened to since, or that another sanction in force decides in the same way.
    pub left_alone: Vec<Uuid>,
}

/// A page of sanctions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SanctionPage {
    /// The sanctions.
    pub items: Vec<SanctionOut>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}

/// Begins a sanction: it holds for every comment that arrives from now on, and rejects what of theirs is there if asked to.
#[utoipa::path(post, path = "/v1/sanctions", tag = "moderators", security(("personal_token" = [])), request_body = SanctionIn,
    responses((status = 201, body = ImposedOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody, description = "The role, or a sanction that reaches further than the person; shadow bans are off"),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 413, body = ProblemBody), (status = 415, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn impose(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let asked: SanctionIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let aim = match (asked.target.value, asked.target.of) {
        (Some(value), None) => Aim::Value(value),
        (None, Some(uid)) => Aim::Of(uid),
        _ => return Err(Problem::invalid("target", "must have either `value` or `of`")),
    };
    let until = asked.expires_at.filter(|until| !until.is_empty());
    let order = Order {
        site: asked.site.filter(|site| !site.is_empty()),
        kind: asked.target.kind,
        aim,
        measure: asked.measure,
        cause: asked.cause,
        shadow: asked.shadow,
        expires_at: until
            .map(|until| Timestamp::parse(&until).map_err(|error| Problem::invalid("expires_at", &error)))
            .transpose()?,
        also_reject: asked.also_reject.map(|also| AlsoReject { held: also.held, approved_hours: also.approved_hours }),
    };
    let now = state.clock.now();
    let imposed = state.sanctions.impose(order, &person, now).await?;
    Ok(HttpResponse::Created().json(ImposedOut {
        sanction: SanctionOut::new(&imposed.sanction, &person.reach, now),
        also_rejected: imposed.ruled.iter().flat_map(applied).collect(),
        more: imposed.more,
    }))
}

fn applied(ruled: &Ruled) -> impl Iterator<Item = Uuid> {
    ruled.applied.iter().map(|(record, _)| record.uid)
}

/// Which sanctions to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct SanctionQuery {
    /// On that site; left out: on yours and on all.
    pub site: Option<String>,
    /// `true`: only those in force.
    pub active: Option<String>,
    /// At most that many, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// Sanctions on your sites and on all, newest first.
#[utoipa::path(get, path = "/v1/sanctions", tag = "moderators", security(("personal_token" = [])), params(SanctionQuery),
    responses((status = 200, body = SanctionPage), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<SanctionQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let query = query.into_inner();
    let active = yes_or_no("active", query.active.as_deref())?;
    let page = page_request(query.limit.as_deref(), query.cursor)?;
    let site = query.site.filter(|site| !site.is_empty());
    let now = state.clock.now();
    let page = state.sanctions.list(site, active.then_some(true), &page, &person, now).await?;
    let items = page.items.iter().map(|sanction| SanctionOut::new(sanction, &person.reach, now)).collect();
    Ok(HttpResponse::Ok().json(SanctionPage { items, next_cursor: page.next_cursor }))
}

/// One sanction.
#[utoipa::path(get, path = "/v1/sanctions/{id}", tag = "moderators", security(("personal_token" = [])), params(("id" = Uuid, Path, description = "The sanction")),
    responses((status = 200, body = SanctionOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn find(state: web::Data<State>, request: HttpRequest, id: web::Path<Uuid>) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let sanction = state.sanctions.find(id.into_inner(), &person).await?;
    Ok(HttpResponse::Ok().json(SanctionOut::new(&sanction, &person.reach, state.clock.now())))
}

/// How to lift a sanction.
#[derive(Debug, Deserialize, IntoParams)]
pub struct LiftQuery {
    /// `true`: also what it did, where nothing else has happened since.
    pub undo: Option<String>,
}

/// Lifts a sanction; with `undo=true` comments become what they would have been without it, under the sanctions still in force.
#[utoipa::path(delete, path = "/v1/sanctions/{id}", tag = "moderators", security(("personal_token" = [])),
    params(("id" = Uuid, Path, description = "The sanction"), LiftQuery),
    responses((status = 200, body = LiftedOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn lift(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<Uuid>,
    query: web::Query<LiftQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let undo = yes_or_no("undo", query.undo.as_deref())?;
    let now = state.clock.now();
    let lifted = state.sanctions.lift(id.into_inner(), undo, &person, now).await?;
    let conflicts = lifted.restored.iter().flat_map(|ruled| ruled.conflicts.iter().map(|record| record.uid));
    Ok(HttpResponse::Ok().json(LiftedOut {
        sanction: SanctionOut::new(&lifted.sanction, &person.reach, now),
        restored: lifted.restored.iter().flat_map(applied).collect(),
        left_alone: conflicts.collect(),
    }))
}

/// Puts a lifted sanction in force again, until it would have ended anyway. Comments that lifting it put back stay as they are.
#[utoipa::path(post, path = "/v1/sanctions/{id}/resume", tag = "moderators", security(("personal_token" = [])), params(("id" = Uuid, Path, description = "The sanction")),
    responses((status = 200, body = SanctionOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "As many are in force as may be"), (status = 503, body = ProblemBody)))]
pub async fn resume(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let now = state.clock.now();
    let resumed = state.sanctions.resume(id.into_inner(), &person, now).await?;
    Ok(HttpResponse::Ok().json(SanctionOut::new(&resumed, &person.reach, now)))
}

fn yes_or_no(field: &str, text: Option<&str>) -> Result<bool, Problem> {
    match text {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::invalid(field, "must be true or false")),
    }
}

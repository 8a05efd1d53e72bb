//! What readers say of comments: reports and votes, each once per reader.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use crate::domain::comment::ExternalId;
use crate::domain::decision::Status;
use crate::domain::readers::{NewReport, ReaderView};
use crate::domain::site::Scope;
use crate::domain::store::RulingCategory;

/// Bytes of a report's text at most.
const MAX_TEXT: usize = 2_000;

/// A reader's flag.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ReportIn {
    /// The site's name for the reader, the same for all that this reader says: 1 to 200 printable characters.
    pub reader_id: String,
    /// What the reader finds wrong.
    #[serde(default)]
    pub category: Option<RulingCategory>,
    /// In the reader's words, at most 2000 bytes.
    #[serde(default)]
    pub text: Option<String>,
}

/// What became of a report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportOut {
    /// How readers see the comment now.
    #[serde(flatten)]
    pub view: ReaderView,
    /// What the comment is now: `held` when the reports weigh enough.
    pub status: Status,
}

/// Takes a reader's report. The same reader's next report on the same comment replaces the one before. When the reports weigh enough, an
/// approved comment waits for a person, unless a person approved it.
#[utoipa::path(post, path = "/v1/comments/{id}/reports", tag = "websites", security(("site_key" = ["post"])), request_body = ReportIn,
    params(("id" = String, Path, description = "The site's own name for the comment")),
    responses((status = 201, body = ReportOut), (status = 200, body = ReportOut, description = "This reader had reported it before"),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn report(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let site = auth::site(&state, &request, Scope::Post).await?;
    let asked: ReportIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let id = ExternalId::parse("id", id.into_inner())?;
    let text = body::text("text", asked.text, MAX_TEXT)?;
    let reader = ExternalId::parse("reader_id", asked.reader_id)?;
    let report = NewReport { reader, category: asked.category, text };
    let reported = state.readers.report(site.id, &id, report, state.clock.now()).await?;
    let mut response = if reported.again { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(response.json(ReportOut { view: reported.view, status: reported.status }))
}

/// A reader's vote.
#[derive(Debug, Deserialize, ToSchema)]
pub struct VoteIn {
    /// The site's name for the reader: 1 to 200 printable characters.
    pub reader_id: String,
    /// 1 for the comment, -1 against it, 0 to take the vote back.
    pub value: i64,
}

/// Takes a reader's vote. The same reader's next vote on the same comment replaces the one before. Votes are counted and shown; they decide
/// nothing.
#[utoipa::path(post, path = "/v1/comments/{id}/votes", tag = "websites", security(("site_key" = ["post"])), request_body = VoteIn,
    params(("id" = String, Path, description = "The site's own name for the comment")),
    responses((status = 201, body = ReaderView), (status = 200, body = ReaderView, description = "This reader had voted before, or took the vote back"),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn vote(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let site = auth::site(&state, &request, Scope::Post).await?;
    let asked: VoteIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let id = ExternalId::parse("id", id.into_inner())?;
    let reader = ExternalId::parse("reader_id", asked.reader_id)?;
    let value = i8::try_from(asked.value).ok().filter(|value| (-1..=1).contains(value));
    let value = value.ok_or_else(|| Problem::invalid("value", "must be 1, -1 or 0"))?;
    let voted = state.readers.vote(site.id, &id, &reader, value, state.clock.now()).await?;
    let mut response = if voted.again || value == 0 { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(response.json(voted.view))
}

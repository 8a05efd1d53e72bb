//! A site's comments, one by one.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use super::dto::{AssessmentOut, CommentOut, CommentPage, page_request};
use crate::app::intake::Turn;
use crate::app::limits::Route;
use crate::domain::comment::{Draft, ExternalId};
use crate::domain::decision::Status;
use crate::domain::readers::ReaderView;
use crate::domain::site::Scope;
use crate::domain::store::CommentFilter;
use crate::domain::time::Timestamp;

/// Takes a comment: judges it, stores it, answers. The same id with the same content again is answered with what is recorded.
#[utoipa::path(post, path = "/v1/comments", tag = "websites", security(("site_key" = ["post"])), request_body = Draft,
    responses((status = 201, body = CommentOut, description = "Taken"), (status = 200, body = CommentOut, description = "Recorded before; `Idempotency-Replayed: true`"),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn submit(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let site = auth::site(&state, &request, Scope::Post).await?;
    let draft: Draft = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let new = draft.parse(&state.settings.current().bounds)?;
    let taken = state.intake.submit(&site, new, Route::Comment, Turn::any(), state.clock.now()).await?;
    Ok(if taken.replayed {
        HttpResponse::Ok().insert_header(("Idempotency-Replayed", "true")).json(CommentOut::from(&taken.record))
    } else {
        HttpResponse::Created().json(CommentOut::from(&taken.record))
    })
}

/// Which site a person asks for.
#[derive(Debug, Deserialize, IntoParams)]
pub struct SiteQuery {
    /// The site, with a personal token.
    pub site: Option<String>,
}

/// One comment by the site's own id.
#[utoipa::path(get, path = "/v1/comments/{id}", tag = "websites", security(("site_key" = ["read"]), ("personal_token" = [])),
    params(("id" = String, Path, description = "The site's own name for the comment"), SiteQuery),
    responses((status = 200, body = CommentOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn find(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<SiteQuery>,
) -> Result<HttpResponse, Problem> {
    let caller = auth::caller(&state, &request, Scope::Read, query.site.as_deref()).await?;
    let id = ExternalId::parse("id", id.into_inner())?;
    let record = state.intake.comment(caller.site.id, &id, &caller.reach).await?;
    let record = if caller.is_person() { record.as_people_see().into_owned() } else { record };
    let view = state.readers.view(record.uid).await?;
    let readers = Some(view).filter(|view| *view != ReaderView::default());
    Ok(HttpResponse::Ok().json(CommentOut { readers, ..CommentOut::from(&record) }))
}

/// Replaces a comment's text: a new revision, judged anew. A person's verdict stays in force unless the text changed.
#[utoipa::path(put, path = "/v1/comments/{id}", tag = "websites", security(("site_key" = ["post"])), request_body = Draft,
    params(("id" = String, Path, description = "The site's own name for the comment")),
    responses((status = 200, body = CommentOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn edit(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let site = auth::site(&state, &request, Scope::Post).await?;
    let draft: Draft = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    if draft.id != *id {
        return Err(Problem::invalid("id", "is another one than in the path"));
    }
    let new = draft.parse(&state.settings.current().bounds)?;
    let taken = state.intake.edit(&site, new, Route::Comment, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(CommentOut::from(&taken.record)))
}

/// Erases a comment with everything that was kept of it.
#[utoipa::path(delete, path = "/v1/comments/{id}", tag = "websites", security(("site_key" = ["erase"]), ("personal_token" = [])),
    params(("id" = String, Path, description = "The site's own name for the comment"), SiteQuery),
    responses((status = 204, description = "Erased"), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn erase(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<SiteQuery>,
) -> Result<HttpResponse, Problem> {
    let caller = auth::caller(&state, &request, Scope::Erase, query.site.as_deref()).await?;
    let id = ExternalId::parse("id", id.into_inner())?;
    state.intake.erase(caller.site.id, id, caller.by, &caller.reach, state.clock.now()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What the verdict would be. Stores nothing, teaches nothing, counts against its own limit only.
#[utoipa::path(post, path = "/v1/assess", tag = "websites", security(("site_key" = ["post"])), request_body = Draft,
    responses((status = 200, body = AssessmentOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn assess(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let site = auth::site(&state, &request, Scope::Post).await?;
    let draft: Draft = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let new = draft.parse(&state.settings.current().bounds)?;
    let verdict = state.intake.assess(&site, new, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(AssessmentOut { verdict: (&verdict).into() }))
}

/// Which comments to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ListQuery {
    /// The site, with a personal token.
    pub site: Option<String>,
    /// `approved`, `held` or `rejected`.
    pub status: Option<String>,
    /// Under that article.
    pub article: Option<String>,
    /// By that author.
    pub author: Option<String>,
    /// To which something happened at or after that moment, RFC 3339.
    pub updated_since: Option<String>,
    /// At most that many, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// A site's own comments, newest first. A page may hold fewer than asked and still go on.
#[utoipa::path(get, path = "/v1/comments", tag = "websites", security(("site_key" = ["read"]), ("personal_token" = [])), params(ListQuery),
    responses((status = 200, body = CommentPage), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let caller = auth::caller(&state, &request, Scope::Read, query.site.as_deref()).await?;
    let status = match query.status.as_deref().filter(|status| !status.is_empty()) {
        None => None,
        Some("approved") => Some(Status::Approved),
        Some("held") => Some(Status::Held),
        Some("rejected") => Some(Status::Rejected),
        Some(_) => return Err(Problem::invalid("status", "must be approved, held or rejected")),
    };
    let since = query.updated_since.as_deref().filter(|since| !since.is_empty());
    let filter = CommentFilter {
        status,
        article: query.article.filter(|article| !article.is_empty()),
        author: query.author.filter(|author| !author.is_empty()),
        updated_since: since
            .map(|since| Timestamp::parse(since).map_err(|error| Problem::invalid("updated_since", &error)))
            .transpose()?,
        as_people_see: caller.is_person(),
        reach: caller.reach,
    };
    let page = page_request(query.limit.as_deref(), query.cursor)?;
    let page = state.intake.comments(caller.site.id, &filter, &page).await?;
    let shown = |record| if filter.as_people_see { CommentOut::for_people(record) } else { CommentOut::from(record) };
    let items = page.items.iter().map(shown).collect();
    Ok(HttpResponse::Ok().json(CommentPage { items, next_cursor: page.next_cursor }))
}

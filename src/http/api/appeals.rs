//! Authors' requests to decide again.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use super::articles::ArticleOut;
use super::dto::{AuthorOut, CommentOut, HappeningOut, VerdictOut, page_request};
use crate::app::appeals::rejected_by;
use crate::domain::appeal::{Appeal, AppealState};
use crate::domain::comment::ExternalId;
use crate::domain::people::Duty;
use crate::domain::site::Scope;

/// Bytes of an appeal's text, and of an answer, at most.
const MAX_TEXT: usize = 4_000;

/// An author's request to decide again.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AppealIn {
    /// In the author's words, at most 4000 bytes.
    #[serde(default)]
    pub text: Option<String>,
}

/// An appeal, as the site and the author may see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AppealOut {
    /// Its name.
    pub id: Uuid,
    /// What it is now: `open`, `upheld` (the rejection stands), `overturned` (the comment is approved), or `closed` (the comment was decided
    /// about or edited before anybody answered).
    pub state: AppealState,
    /// The site.
    pub site: String,
    /// The site's own name for the comment.
    pub comment_id: String,
    /// Our name for the comment.
    pub comment_uid: Uuid,
    /// What the author says.
    pub text: Option<String>,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub at: String,
    /// What the author may be told.
    pub answer: Option<String>,
    /// When it was answered or closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub answered_at: Option<String>,
}

impl From<&Appeal> for AppealOut {
    fn from(appeal: &Appeal) -> Self {
        Self {
            id: appeal.uid,
            state: appeal.state,
            site: appeal.record.site.to_string(),
            comment_id: appeal.record.comment.id.to_string(),
            comment_uid: appeal.record.uid,
            text: appeal.text.clone(),
            at: appeal.at.to_string(),
            answer: appeal.answer.clone(),
            answered_at: appeal.answered_at.map(|at| at.to_string()),
        }
    }
}

/// An appeal with everything that a person needs to answer it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AppealItemOut {
    /// The appeal.
    #[serde(flatten)]
    pub appeal: AppealOut,
    /// The verdict against which it was opened, frozen then.
    pub verdict: VerdictOut,
    /// The comment as it is now.
    pub comment: CommentOut,
    /// The article as known now.
    pub article: ArticleOut,
    /// Who wrote the comment.
    pub author: AuthorOut,
    /// Everything that happened to the comment, oldest first.
    pub history: Vec<HappeningOut>,
    /// Who answered, by e-mail.
    pub answered_by: Option<String>,
    /// Whether the rejection is your own: better let somebody else answer.
    pub decided_by_you: bool,
}

impl AppealItemOut {
    fn new(appeal: &Appeal, email: &str) -> Self {
        Self {
            appeal: appeal.into(),
            verdict: (&appeal.verdict).into(),
            comment: (&appeal.record).into(),
            article: (&appeal.article).into(),
            author: (&appeal.record.comment.author).into(),
            history: appeal.history.iter().cloned().map(Into::into).collect(),
            answered_by: appeal.answered_by.clone(),
            decided_by_you: rejected_by(appeal, email),
        }
    }
}

/// A page of appeals.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AppealPage {
    /// The appeals.
    pub items: Vec<AppealItemOut>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}

/// Opens an appeal against the rejection in force. Again while it waits: the same appeal.
#[utoipa::path(post, path = "/v1/comments/{id}/appeals", tag = "websites", security(("site_key" = ["post"])), request_body = AppealIn,
    params(("id" = String, Path, description = "The site's own name for the comment")),
    responses((status = 201, body = AppealOut), (status = 200, body = AppealOut, description = "It waits already"),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "The comment is not rejected; or `appeal` was answered, and the rejection stands"),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn open(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let site = auth::site(&state, &request, Scope::Post).await?;
    let asked: AppealIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let id = ExternalId::parse("id", id.into_inner())?;
    let text = body::text("text", asked.text, MAX_TEXT)?;
    let (appeal, is_new) = state.appeals.open(site.id, &id, text, state.clock.now()).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(AppealOut::from(&appeal)))
}

/// Which appeals to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct AppealQuery {
    /// `open`, `upheld`, `overturned` or `closed`.
    pub state: Option<String>,
    /// On that site.
    pub site: Option<String>,
    /// At most that many, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// Appeals within your reach, oldest first.
#[utoipa::path(get, path = "/v1/appeals", tag = "moderators", security(("personal_token" = [])), params(AppealQuery),
    responses((status = 200, body = AppealPage), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<AppealQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let query = query.into_inner();
    let wrong = || Problem::invalid("state", "must be open, upheld, overturned or closed");
    let wanted = query.state.as_deref().filter(|state| !state.is_empty());
    let wanted = wanted.map(|name| AppealState::from_name(name).ok_or_else(wrong)).transpose()?;
    let site = query.site.as_deref().filter(|site| !site.is_empty());
    let page = page_request(query.limit.as_deref(), query.cursor)?;
    let page = state.appeals.list(wanted, site, &page, &person).await?;
    let items = page.items.iter().map(|appeal| AppealItemOut::new(appeal, &person.email)).collect();
    Ok(HttpResponse::Ok().json(AppealPage { items, next_cursor: page.next_cursor }))
}

/// One appeal, with the frozen reasons of the rejection.
#[utoipa::path(get, path = "/v1/appeals/{id}", tag = "moderators", security(("personal_token" = [])), params(("id" = Uuid, Path, description = "The appeal")),
    responses((status = 200, body = AppealItemOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn find(state: web::Data<State>, request: HttpRequest, id: web::Path<Uuid>) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let appeal = state.appeals.find(id.into_inner(), &person).await?;
    Ok(HttpResponse::Ok().json(AppealItemOut::new(&appeal, &person.email)))
}

/// A person's answer to an appeal.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AnswerIn {
    /// Whether the comment is approved now; otherwise the rejection stands.
    pub overturn: bool,
    /// What the author may be told, at most 4000 bytes.
    #[serde(default)]
    pub answer: Option<String>,
}

/// An answered appeal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AnsweredOut {
    /// The appeal.
    #[serde(flatten)]
    pub item: AppealItemOut,
    /// The decision that approved the comment; taking it back opens the appeal again.
    pub decision: Option<Uuid>,
}

/// Answers an appeal.
#[utoipa::path(post, path = "/v1/appeals/{id}/answer", tag = "moderators", security(("personal_token" = [])), request_body = AnswerIn,
    params(("id" = Uuid, Path, description = "The appeal")),
    responses((status = 200, body = AnsweredOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "It is not open any more: `appeal` is what it is now"),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn answer(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<Uuid>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let asked: AnswerIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let text = body::text("answer", asked.answer, MAX_TEXT)?;
    let answered = state.appeals.answer(id.into_inner(), asked.overturn, text, &person, state.clock.now()).await?;
    let (appeal, ruled) = answered;
    Ok(HttpResponse::Ok().json(AnsweredOut {
        item: AppealItemOut::new(&appeal, &person.email),
        decision: ruled.map(|ruled| ruled.decision),
    }))
}

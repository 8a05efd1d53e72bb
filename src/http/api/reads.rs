//! What moderators read beside the queue.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use super::articles::ArticleOut;
use super::dto::{CommentOut, page_request};
use super::sanctions::SanctionOut;
use crate::app::limits::Tier;
use crate::app::reads::author::{AuthorPage, REJECTION_IN_WORDS};
use crate::app::reads::card::{Context, LinkChip};
use crate::app::reads::figures::{HOURS_MAX, ServiceFigures};
use crate::domain::comment::ExternalId;
use crate::domain::figures::Figures;
use crate::domain::people::{Duty, Person};
use crate::domain::reads::{
    ArticleNumbers, AuthorNote, AuthorNumbers, Glimpse, LinkedAccounts, NameUsed, ReportsGiven, Share,
};
use crate::domain::site::Site;
use crate::domain::time::Timestamp;

/// Bytes of a note at most.
const MAX_NOTE: usize = 4_000;

/// What stands around a comment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContextOut {
    /// The comment.
    pub comment: CommentOut,
    /// What it answers, and what that answers, nearest first, at most four.
    pub ancestors: Vec<Glimpse>,
    /// Comments that answer the same just before it, oldest first.
    pub before: Vec<Glimpse>,
    /// The same just after it.
    pub after: Vec<Glimpse>,
    /// What became of the author's other comments on this site; null for who cannot be recognised.
    pub author: Option<AuthorNumbers>,
    /// Where its links lead.
    pub links: Vec<LinkChip>,
    /// Links that are not shown.
    pub links_left_out: usize,
}

impl From<Context> for ContextOut {
    fn from(context: Context) -> Self {
        let Context { around, links, links_left_out } = context;
        let comment = CommentOut::for_people(&around.record);
        let (ancestors, before, after, author) = (around.ancestors, around.before, around.after, around.author);
        Self { comment, ancestors, before, after, author, links, links_left_out }
    }
}

/// What stands around a comment: what it answers, its neighbours, its author's past in numbers, and what is known of where its links lead.
#[utoipa::path(get, path = "/v1/comments/by-uid/{uid}/context", tag = "moderators", security(("personal_token" = [])),
    params(("uid" = Uuid, Path, description = "Our name for the comment")),
    responses((status = 200, body = ContextOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn context(
    state: web::Data<State>,
    request: HttpRequest,
    uid: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let context = state.desk.context(uid.into_inner(), &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(ContextOut::from(context)))
}

/// Whose page, and which part of it.
#[derive(Debug, Deserialize, IntoParams)]
pub struct PageQuery {
    /// The site, by name.
    pub site: Option<String>,
    /// At most that many comments, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// What is known of an author on a site.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuthorPageOut {
    /// The site's name for the author.
    pub author: String,
    /// The site.
    pub site: String,
    /// Names used in the latest 200 comments, most used first.
    pub names: Vec<NameUsed>,
    /// The role that the site sent last.
    pub role: Option<String>,
    /// When the account was made, as the site said last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub registered_at: Option<Timestamp>,
    /// What became of the comments, on the whole site.
    pub numbers: AuthorNumbers,
    /// Of what people decided, how much they rejected.
    pub rejected_by_people: Share,
    /// Of what policy decided by itself, how much it rejected.
    pub rejected_by_policy: Share,
    /// How the rate is computed, in words.
    pub rejection_in_words: &'static str,
    /// How limits and modes treat the author: `new`, `known` or `staff`.
    #[schema(value_type = String)]
    pub tier: Tier,
    /// Sanctions in force.
    pub sanctions: Vec<SanctionOut>,
    /// Appeals that wait.
    pub open_appeals: Vec<Uuid>,
    /// What they reported as a reader.
    pub reports: ReportsGiven,
    /// What colleagues noted, latest first.
    pub notes: Vec<AuthorNote>,
    /// Who else on the site wrote from there.
    pub linked: LinkedAccounts,
    /// Comments within your reach, latest first.
    pub items: Vec<CommentOut>,
    /// Where to go on.
    pub next_cursor: Option<String>,
}

/// What is known of an author: numbers, names, sanctions, appeals, notes, other accounts from the same place, and the latest comments.
#[utoipa::path(get, path = "/v1/authors/{id}", tag = "moderators", security(("personal_token" = [])),
    params(("id" = String, Path, description = "The site's own name for the author"), PageQuery),
    responses((status = 200, body = AuthorPageOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn author(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let query = query.into_inner();
    let site = site(&state, query.site.as_deref(), &person).await?;
    let author = ExternalId::parse("id", id.into_inner())?;
    let page = page_request(query.limit.as_deref(), query.cursor)?;
    let now = state.clock.now();
    let AuthorPage { author, profile, rejected_by_people, rejected_by_policy, tier, comments } =
        state.desk.author(&site, &author, &page, &person, now).await?;
    Ok(HttpResponse::Ok().json(AuthorPageOut {
        author: author.to_string(),
        site: site.name.to_string(),
        names: profile.names,
        role: profile.role,
        registered_at: profile.registered_at,
        numbers: profile.numbers,
        rejected_by_people,
        rejected_by_policy,
        rejection_in_words: REJECTION_IN_WORDS,
        tier,
        sanctions: profile.sanctions.iter().map(|sanction| SanctionOut::new(sanction, &person.reach, now)).collect(),
        open_appeals: profile.open_appeals,
        reports: profile.reports,
        notes: profile.notes,
        linked: profile.linked,
        items: comments.items.iter().map(CommentOut::for_people).collect(),
        next_cursor: comments.next_cursor,
    }))
}

async fn site(state: &State, name: Option<&str>, person: &Person) -> Result<Site, Problem> {
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| Problem::invalid("site", "must be named"))?;
    Ok(state.desk.site(name, person).await?)
}

/// An article, and what was said under it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ArticlePageOut {
    /// The site.
    pub site: String,
    /// The article as it is known.
    pub article: ArticleOut,
    /// What became of the comments within your reach.
    pub numbers: ArticleNumbers,
    /// Comments within your reach, latest first.
    pub items: Vec<CommentOut>,
    /// Where to go on.
    pub next_cursor: Option<String>,
}

/// An article as it is known, with what became of the comments under it, and the latest of them.
#[utoipa::path(get, path = "/v1/articles/{id}", tag = "moderators", security(("personal_token" = [])),
    params(("id" = String, Path, description = "The site's own name for the article"), PageQuery),
    responses((status = 200, body = ArticlePageOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn article(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let query = query.into_inner();
    let site = site(&state, query.site.as_deref(), &person).await?;
    let id = ExternalId::parse("id", id.into_inner())?;
    let page = page_request(query.limit.as_deref(), query.cursor)?;
    let found = state.desk.article(&site, &id, None, &page, &person).await?;
    Ok(HttpResponse::Ok().json(ArticlePageOut {
        site: site.name.to_string(),
        article: ArticleOut::from(&found.article),
        numbers: found.numbers,
        items: found.comments.items.iter().map(CommentOut::for_people).collect(),
        next_cursor: found.comments.next_cursor,
    }))
}

/// A note about an author.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NoteIn {
    /// For colleagues; shown to the author when they ask what is kept of them.
    pub text: String,
}

/// Notes something about an author, for colleagues. It is personal data of the author: shown in their export, erased with them.
#[utoipa::path(post, path = "/v1/authors/{id}/notes", tag = "moderators", security(("personal_token" = [])), request_body = NoteIn,
    params(("id" = String, Path, description = "The site's own name for the author"), super::comments::SiteQuery),
    responses((status = 201, body = AuthorNote), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn note(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<super::comments::SiteQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let NoteIn { text } = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_NOTE || text.contains('\0') {
        return Err(Problem::invalid("text", &format!("must hold 1 to {MAX_NOTE} bytes, and no NUL")));
    }
    let site = site(&state, query.site.as_deref(), &person).await?;
    let author = ExternalId::parse("id", id.into_inner())?;
    let note = state.desk.note(&site, &author, text, &person, state.clock.now()).await?;
    Ok(HttpResponse::Created().json(note))
}

/// Takes a note away: your own, or as an operator anybody's.
#[utoipa::path(delete, path = "/v1/authors/{id}/notes/{note}", tag = "moderators", security(("personal_token" = [])),
    params(("id" = String, Path, description = "The site's own name for the author"), ("note" = Uuid, Path, description = "The note"), super::comments::SiteQuery),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn note_remove(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(String, Uuid)>,
    query: web::Query<super::comments::SiteQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let site = site(&state, query.site.as_deref(), &person).await?;
    let (id, note) = path.into_inner();
    let author = ExternalId::parse("id", id)?;
    state.desk.note_remove(&site, &author, note, &person, state.clock.now()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Over how many hours.
#[derive(Debug, Deserialize, IntoParams)]
pub struct FiguresQuery {
    /// 1 to 336 hours; 48 when not said.
    pub hours: Option<String>,
}

/// How moderation goes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FiguresOut {
    /// How moderation goes on your sites.
    #[serde(flatten)]
    pub figures: Figures,
    /// How the service goes; null for whoever does not work on everything.
    pub service: Option<ServiceFigures>,
}

/// How moderation goes on your sites: comments by hour, the queue's age, times to a decision, signals that people overrule, whether people agree.
/// `GET /v1/quality` says how often automatic verdicts are wrong.
#[utoipa::path(get, path = "/v1/figures", tag = "operators", security(("personal_token" = [])), params(FiguresQuery),
    responses((status = 200, body = FiguresOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn figures(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<FiguresQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person_of_whole_sites(&state, &request, Duty::Oversee).await?;
    let hours = match query.hours.as_deref() {
        None | Some("") => 48,
        Some(hours) => hours
            .parse()
            .ok()
            .filter(|hours| (1..=HOURS_MAX).contains(hours))
            .ok_or_else(|| Problem::invalid("hours", &format!("must be a number from 1 to {HOURS_MAX}")))?,
    };
    let (figures, service) = state.desk.figures(hours, &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(FiguresOut { figures, service }))
}

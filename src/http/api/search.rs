//! Where people look for comments of any status by their words.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth};
use super::dto::{CommentOut, CommentPage, page_request};
use crate::domain::decision::Status;
use crate::domain::people::{Duty, Reach};
use crate::domain::search::{Question, SearchFilter};

/// Bytes of a question at most.
const MAX_QUESTION: usize = 1_000;

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
pub struct SearchQuery {
    /// Words that the text, the author's name and the article's title hold together. Words only: marks between them are blanks. The last may be the
    /// beginning of one, from three letters on, when nothing follows it.
    pub q: Option<String>,
    /// Of that site.
    pub site: Option<String>,
    /// `approved`, `held` or `rejected`.
    pub status: Option<String>,
    /// By that author (the site's id).
    pub author: Option<String>,
    /// At most that many, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// Comments with these words, of any status, newest first. A page may hold fewer than asked and still go on.
#[utoipa::path(get, path = "/v1/comments/search", tag = "moderators", security(("personal_token" = [])), params(SearchQuery),
    responses((status = 200, body = CommentPage), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn comments(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<SearchQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let query = query.into_inner();
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let asked = given(query.q).ok_or_else(|| Problem::invalid("q", "must say what to look for"))?;
    if asked.len() > MAX_QUESTION {
        return Err(Problem::invalid("q", &format!("must hold at most {MAX_QUESTION} bytes")));
    }
    let status = match given(query.status).as_deref() {
        None => None,
        Some("approved") => Some(Status::Approved),
        Some("held") => Some(Status::Held),
        Some("rejected") => Some(Status::Rejected),
        Some(_) => return Err(Problem::invalid("status", "must be approved, held or rejected")),
    };
    let filter = SearchFilter {
        question: Question::read(&asked),
        site: given(query.site),
        status,
        author: given(query.author),
        reach: Reach::ALL, // the use case puts the person's own
    };
    let page = page_request(query.limit.as_deref(), query.cursor)?;
    let page = state.review.search(filter, &page, &person).await?;
    let items = page.items.iter().map(CommentOut::for_people).collect();
    Ok(HttpResponse::Ok().json(CommentPage { items, next_cursor: page.next_cursor }))
}

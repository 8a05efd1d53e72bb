//! Signed webhooks in: comments from systems that cannot wait for an answer, or cannot send a key.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, body};
use super::dto::CommentOut;
use crate::app::webhooks_in::Answer;
use crate::app::webhooks_in::message::Message;
use crate::domain::comment::Draft;

/// Who sends.
#[derive(Debug, Deserialize, IntoParams)]
pub struct SourceQuery {
    /// One of the operator's `[[sources]]`, when the message is signed or shaped otherwise.
    pub source: Option<String>,
}

/// Takes a message that its sender signed. It holds a comment as `POST /v1/comments` takes it, or `{"type":"comment.created|comment.updated|comment.deleted","data":{…}}`,
/// or, with `?source=`, what that source sends. The site is told of the verdict by webhook. The same id and body again is answered and not acted on again.
#[utoipa::path(post, path = "/v1/sites/{site}/webhook", tag = "websites", security(()), request_body = Draft,
    params(("site" = String, Path, description = "The site"), SourceQuery,
        ("webhook-id" = Option<String>, Header, description = "The message's id: 1 to 200 printable characters, the same when it is sent again"),
        ("webhook-timestamp" = Option<String>, Header, description = "Seconds since 1970, at most 300 from now"),
        ("webhook-signature" = Option<String>, Header, description = "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` under the site's inbound secret")),
    responses((status = 201, body = CommentOut, description = "Taken"),
        (status = 200, body = CommentOut, description = "Edited, or recorded before: `Idempotency-Replayed: true`"),
        (status = 204, description = "Erased, an article, or an event that is ignored"),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 409, body = ProblemBody), (status = 413, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn receive(
    state: web::Data<State>,
    request: HttpRequest,
    site: web::Path<String>,
    query: web::Query<SourceQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (body, _held) = body::of_stranger(&state, &request, payload).await?; // whose it is, its signature says
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let message = Message { headers, body };
    let answer = state.webhooks_in.receive(&site, query.source.as_deref(), &message, state.clock.now()).await?;
    let mut response = match &answer {
        Answer::Comment(taken) if !taken.replayed && taken.record.revision == 1 => HttpResponse::Created(),
        Answer::Comment(_) => HttpResponse::Ok(),
        Answer::Nothing { .. } => HttpResponse::NoContent(),
    };
    let replayed = match &answer {
        Answer::Comment(taken) => taken.replayed,
        Answer::Nothing { replayed } => *replayed,
    };
    if replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    Ok(match &answer {
        Answer::Comment(taken) => response.json(CommentOut::from(&taken.record)),
        Answer::Nothing { .. } => response.finish(),
    })
}

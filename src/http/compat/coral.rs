//! Coral's external moderation phase.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, body};
use crate::app::webhooks_in::WebhookError;
use crate::app::webhooks_in::coral::{Opinion, SIGNATURE, unread};
use crate::app::webhooks_in::message::Message;
use crate::domain::category::Category;

/// How Coral writes bodies.
#[derive(Debug, Deserialize, IntoParams)]
pub struct PhaseQuery {
    /// `text`, also when left out, or `html`: what the phase says in Coral under `Comment Body Format`.
    pub format: Option<String>,
}

/// What Coral shows, as far as it is looked at; everything else is let pass.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseIn {
    /// `NEW` or `EDIT`.
    pub action: String,
    /// What was written.
    pub comment: PhaseComment,
    /// Who wrote it.
    pub author: PhaseAuthor,
    /// What it stands under.
    pub story: PhaseStory,
}

/// What was written.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PhaseComment {
    /// The text.
    pub body: String,
    /// The comment that it answers.
    #[serde(default, rename = "parentID")]
    pub parent_id: Option<String>,
}

/// Who wrote it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PhaseAuthor {
    /// Coral's name for the account.
    pub id: String,
    /// What this person is there, as in `COMMENTER`.
    #[serde(default)]
    pub role: Option<String>,
}

/// A story.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PhaseStory {
    /// Coral's name for it.
    pub id: String,
    /// Its address.
    #[serde(default)]
    pub url: Option<String>,
}

/// An opinion, in Coral's words: it throws away an answer with any other.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhaseOut {
    /// What Coral makes of the comment.
    pub status: PhaseStatus,
    /// How it is marked for Coral's moderators.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub actions: Vec<PhaseAction>,
}

/// What Coral makes of a comment.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub enum PhaseStatus {
    /// It waits for a moderator, because a check marked it.
    #[serde(rename = "SYSTEM_WITHHELD")]
    SystemWithheld,
    /// It waits for a moderator.
    #[serde(rename = "PREMOD")]
    Premod,
    /// It is not shown.
    #[serde(rename = "REJECTED")]
    Rejected,
}

/// A mark.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseAction {
    /// `FLAG`.
    pub action_type: &'static str,
    /// `COMMENT_DETECTED_SPAM` or `COMMENT_DETECTED_TOXIC`.
    pub reason: &'static str,
}

impl PhaseOut {
    /// `None`: there is nothing to say.
    fn of(opinion: Opinion) -> Option<Self> {
        let flag = |category: Option<Category>| match category {
            Some(Category::Spam) => Some("COMMENT_DETECTED_SPAM"),
            Some(Category::Abuse) => Some("COMMENT_DETECTED_TOXIC"),
            Some(Category::OffTopic) | None => None, // Coral has no word for it
        };
        let (status, reason) = match opinion {
            Opinion::None => return None,
            Opinion::Hold(category) => match flag(category) {
                Some(reason) => (PhaseStatus::SystemWithheld, Some(reason)),
                None => (PhaseStatus::Premod, None),
            },
            Opinion::Reject(category) => (PhaseStatus::Rejected, flag(category)),
        };
        let actions = reason.map(|reason| PhaseAction { action_type: "FLAG", reason }).into_iter().collect();
        Some(Self { status, actions })
    }
}

/// Takes a comment that Coral shows before it publishes it, and says what Coral is to do: nothing (204) when it may stand, so that Coral's own rules decide.
/// What cannot be read or judged, or not in time, is to wait for a moderator: Coral would publish it otherwise.
#[utoipa::path(post, path = "/coral/phase/{site}", tag = "clients of other services", security(()), request_body = PhaseIn,
    params(("site" = String, Path, description = "The site"), PhaseQuery,
        ("X-Coral-Signature" = Option<String>, Header, description = "`sha256=` and the hexadecimal HMAC-SHA256 of the body under the secret that Coral shows for the phase; several, with commas between, while it is rotated")),
    responses((status = 200, body = PhaseOut), (status = 204, description = "No opinion"), (status = 401, body = ProblemBody)))]
pub async fn phase(
    state: web::Data<State>,
    request: HttpRequest,
    site: web::Path<String>,
    query: Option<web::Query<PhaseQuery>>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let is_html = match query.as_ref().map(|query| query.format.as_deref()) {
        Some(None | Some("" | "text")) => false,
        Some(Some("html")) => true,
        Some(Some(_)) | None => return Ok(told(unread("the phase's format is neither text nor html"))),
    };
    let until = state.webhooks_in.coral_until();
    let (body, _held) = match tokio::time::timeout_at(until.at, body::of_stranger(&state, &request, payload)).await {
        Err(_) => return Ok(told(until.late())),
        Ok(Ok(read)) => read,
        Ok(Err(problem)) => {
            return match problem.status_code() {
                StatusCode::PAYLOAD_TOO_LARGE => Ok(told(unread("the body is larger than server.max_body_bytes"))),
                StatusCode::REQUEST_TIMEOUT => Ok(told(unread("the body took longer than server.body_timeout_s"))),
                StatusCode::SERVICE_UNAVAILABLE => Ok(told(unread("more bodies are read than server.unknown_body_mb"))),
                _ => Err(problem),
            };
        }
    };
    let signature = request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok());
    let headers = signature.into_iter().map(|value| (SIGNATURE, value)).collect();
    let message = Message { headers, body };
    let opinion = state.webhooks_in.coral(&site, &message, is_html, until, state.clock.now()).await;
    let opinion = opinion.map_err(WebhookError::from)?;
    Ok(told(opinion))
}

fn told(opinion: Opinion) -> HttpResponse {
    match PhaseOut::of(opinion) {
        Some(answer) => HttpResponse::Ok().json(answer),
        None => HttpResponse::NoContent().finish(),
    }
}

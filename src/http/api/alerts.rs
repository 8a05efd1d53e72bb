//! Alerts, and what operators were told of them.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth};
use super::dto::page_request;
use crate::app::notify::board::{About, Fate, Notice, Shown};
use crate::domain::notices::{Alert, AlertKind, Channel};
use crate::domain::people::Duty;
use crate::domain::time::Timestamp;

/// How much to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub struct AlertsQuery {
    /// Messages at most, 1 to 500; 50 when not said.
    pub limit: Option<String>,
}

/// The latest alert of a kind about one thing.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Alert)]
pub struct AlertOut {
    /// What it is about.
    pub kind: AlertKind,
    /// The queue's name for `queue-late`, the site's for `wave`.
    pub about: String,
    /// Whether it is not over.
    pub stands: bool,
    /// Since when it stands, or stood.
    #[schema(value_type = String, format = DateTime)]
    pub raised_at: Timestamp,
    /// When it was over.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cleared_at: Option<Timestamp>,
    /// When operators were last told of such an alert about this: of this one, or of one before it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub told_at: Option<Timestamp>,
    /// What was known when it was last told: the `data` of its message.
    #[schema(value_type = Object)]
    pub facts: serde_json::Value,
}

impl From<Alert> for AlertOut {
    fn from(alert: Alert) -> Self {
        let stands = alert.stands();
        let Alert { kind, about, facts, raised_at, told_at, cleared_at } = alert;
        let facts = serde_json::from_str(&facts).unwrap_or_else(|_| serde_json::json!({}));
        Self { kind, about, stands, raised_at, cleared_at, told_at, facts }
    }
}

/// What a message is about.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = NoticeAbout)]
pub struct AboutOut {
    /// The alert's kind.
    pub kind: AlertKind,
    /// The queue's name for `queue-late`, the site's for `wave`.
    pub name: String,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = NoticeState)]
pub enum StateOut {
    /// It was not accepted yet, and will be tried.
    Waiting,
    /// It was accepted.
    Sent,
    /// It was not accepted, and will not be tried again.
    GivenUp,
}

/// A message to operators.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Notice)]
pub struct NoticeOut {
    /// `alert.raised`, `alert.repeated`, `alert.cleared`, `digest` or `digest.missed`.
    pub event: String,
    /// One line.
    pub subject: String,
    /// What it is about; null for a digest.
    pub about: Option<AboutOut>,
    /// Which way it goes.
    pub channel: Channel,
    /// Whom an e-mail goes to.
    pub recipient: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// Tries so far.
    pub attempts: u32,
    /// What became of it; null where that cannot be told.
    pub state: Option<StateOut>,
    /// When it was sent or given up, or will be tried.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Why the last try failed; null for what was sent.
    pub problem: Option<String>,
}

impl From<Notice> for NoticeOut {
    fn from(notice: Notice) -> Self {
        let Notice { event, subject, about, channel, recipient, made_at, attempts, fate, problem } = notice;
        let (state, at) = match fate {
            Some(Fate::Waiting(at)) => (Some(StateOut::Waiting), Some(at)),
            Some(Fate::Sent(at)) => (Some(StateOut::Sent), Some(at)),
            Some(Fate::GivenUp(at)) => (Some(StateOut::GivenUp), Some(at)),
            None => (None, None),
        };
        let about = about.map(|About { kind, name }| AboutOut { kind, name });
        Self { event, subject, about, channel, recipient, made_at, attempts, state, at, problem }
    }
}

/// Alerts, and what operators were told.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Alerts)]
pub struct AlertsOut {
    /// Those that stand first, then those raised last.
    pub alerts: Vec<AlertOut>,
    /// Latest first.
    pub messages: Vec<NoticeOut>,
}

/// Alerts that stand and those that are over and still kept, of your sites: queues that are late, waves; and what operators were told of them, with what
/// became of each message and why. A queue is shown to whoever oversees every site that it takes from, a digest to whoever oversees all.
#[utoipa::path(get, path = "/v1/alerts", tag = "operators", security(("personal_token" = [])), params(AlertsQuery),
    responses((status = 200, body = AlertsOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<AlertsQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person_of_whole_sites(&state, &request, Duty::Oversee).await?;
    let page = page_request(query.limit.as_deref(), None)?;
    let Shown { alerts, notices } = state.board.shown(&person, page.limit).await?;
    let (alerts, messages) =
        (alerts.into_iter().map(Into::into).collect(), notices.into_iter().map(Into::into).collect());
    Ok(HttpResponse::Ok().json(AlertsOut { alerts, messages }))
}

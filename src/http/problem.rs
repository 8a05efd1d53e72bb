//! Every failure as RFC 9457 `application/problem+json`: the one place that knows both the layers' errors and HTTP.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::middleware::request_id;
use crate::app::appeals::{AppealError, ReplyError};
use crate::app::backtests::StartError;
use crate::app::events::TooManyStreams;
use crate::app::intake::IntakeError;
use crate::app::learning::LearningError;
use crate::app::limits::RateLimited;
use crate::app::readers::ReaderError;
use crate::app::reads::ReadError;
use crate::app::reads::author::NoteError;
use crate::app::review::ReviewError;
use crate::app::sanctions::SanctionError;
use crate::app::sign_in::SignInError;
use crate::app::webhooks_in::{NotRead, WebhookError};
use crate::domain::campaign::CampaignError;
use crate::domain::comment::Invalid;
use crate::domain::store::{ListError, StoreError, UndoError};

/// The type of 429 answers, as registered with IANA.
pub const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// Every type of ours, with its title: `docs/problems.md` has a chapter for each.
pub const TYPES: &[(&str, &str)] = &[
    ("/problems/malformed", "The request cannot be read"),
    ("/problems/invalid", "A field is not valid"),
    ("/problems/request-timeout", "The request did not come whole in time"),
    ("/problems/too-large", "The request is too large"),
    ("/problems/unsupported-media-type", "The content type is not supported"),
    ("/problems/unauthorized", "A key is missing or unknown"),
    ("/problems/forbidden", "The key does not allow this"),
    ("/problems/cross-site", "Another site's page asks"),
    ("/problems/not-found", "There is no such thing"),
    ("/problems/method-not-allowed", "The method is not allowed here"),
    ("/problems/comment-exists", "The comment exists with other content"),
    ("/problems/message-exists", "The message exists with another body"),
    ("/problems/conflict", "Somebody else was faster"),
    ("/problems/already-undone", "The decision was taken back already"),
    ("/problems/sanction-lifted", "The sanction was lifted already"),
    ("/problems/too-many-sanctions", "No more sanctions may be in force"),
    ("/problems/not-rejected", "The comment is not rejected"),
    ("/problems/appeal-answered", "The appeal is answered"),
    ("/problems/campaign-over", "The campaign is over"),
    ("/problems/campaign-not-rejected", "People have not rejected the campaign"),
    ("/problems/backtest-running", "Another backtest is running"),
    ("/problems/nothing-learned", "Nothing that was learned is in force"),
    ("/problems/unavailable", "The service is unavailable"),
    ("/problems/internal", "Something went wrong here"),
];

/// A failure on its way to the client.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    more: Map<String, Value>,
    headers: HeaderMap,
}

/// The body of a failure.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// Which kind, as a link to its page.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The request's id, as in `x-request-id`.
    pub instance: String,
    /// More, by kind.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub more: Map<String, Value>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        let title = TYPES.iter().find(|(name, _)| *name == kind).map_or("Too many requests", |(_, title)| *title);
        Self { status, kind, title, detail: detail.into(), more: Map::new(), headers: HeaderMap::new() }
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// The kind in words.
    pub(super) const fn title(&self) -> &'static str {
        self.title
    }

    /// What is wrong with this request.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The field that is wrong, where one is.
    pub(super) fn field(&self) -> Option<&str> {
        self.more.get("field").and_then(Value::as_str)
    }

    /// Headers of its own.
    pub(super) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// With a further member in the body.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// 400: not JSON, not UTF-8.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "/problems/malformed", detail)
    }

    /// 422: JSON, and wrong in this field.
    pub fn invalid(field: &str, problem: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "/problems/invalid", format!("{field}: {problem}"))
            .with("field", Value::from(field))
    }

    /// 408.
    pub fn request_timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "/problems/request-timeout", detail)
    }

    /// 413.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "/problems/too-large", detail)
    }

    /// 415.
    pub fn media_type(expected: &str) -> Self {
        let detail = format!("send Content-Type: {expected}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "/problems/unsupported-media-type", detail)
    }

    /// 415, for how the body is encoded.
    pub fn content_encoding() -> Self {
        let detail = "send Content-Encoding: gzip, or none";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "/problems/unsupported-media-type", detail)
    }

    /// 401. A challenge for a bearer has a parameter (RFC 6750, 3); httplib2, below Google's client for Python, fails over one that has none.
    pub fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "/problems/unauthorized", detail)
            .header("www-authenticate", "Bearer realm=\"Doorward\"")
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "/problems/forbidden", detail)
    }

    /// 403: a session's cookie came, and nothing shows that a page of ours sent it.
    pub fn cross_site() -> Self {
        let detail = "changes by a session carry its token in X-CSRF-Token, and come from a page of this service; load the page again";
        Self::new(StatusCode::FORBIDDEN, "/problems/cross-site", detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "/problems/not-found", detail)
    }

    /// 405.
    pub fn method_not_allowed(allowed: &str) -> Self {
        let detail = format!("this path takes {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "/problems/method-not-allowed", detail).header("allow", allowed)
    }

    /// 409, for a comment that somebody else decided about.
    pub fn conflict(current: Value) -> Self {
        Self::new(StatusCode::CONFLICT, "/problems/conflict", "somebody else changed this comment meanwhile")
            .with("current", current)
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "/problems/unavailable", detail)
            .with("retry_after_s", 5.into()) // a line of a batch has no headers
            .header("retry-after", "5")
    }

    /// 500.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "/problems/internal",
            "the log of the service says more; name the instance when you ask",
        )
    }

    /// The body, as it stands in a line of a batch.
    pub fn body(&self) -> ProblemBody {
        ProblemBody {
            kind: self.kind.to_owned(),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            instance: request_id(),
            more: self.more.clone(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        metrics::counter!("doorward_problems_total", "type" => self.kind).increment(1);
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        let mut response = response.body(serde_json::to_vec(&self.body()).unwrap_or_default());
        response.extensions_mut().insert(self.clone()); // for whoever shows it as a page
        response
    }
}

impl From<Invalid> for Problem {
    fn from(error: Invalid) -> Self {
        Self::invalid(error.field, &error.problem)
    }
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Wrong | SignInError::WrongCode => Self::forbidden(error.to_string()),
            SignInError::Late => Self::malformed(error.to_string()),
            SignInError::Limited(limited) => limited.into(),
            SignInError::Password => Self::invalid("new", &error.to_string()),
            SignInError::Secret(ref cause) => {
                tracing::error!(cause, "signing in failed");
                Self::internal()
            }
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<RateLimited> for Problem {
    fn from(error: RateLimited) -> Self {
        let seconds = error.retry_after_ms.div_ceil(1_000).max(1);
        let RateLimited { policy, quota, window_s, .. } = &error;
        Self::new(StatusCode::TOO_MANY_REQUESTS, QUOTA_EXCEEDED, format!("{error}; try again in {seconds} s"))
            .with("violated-policies", Value::from(vec![policy.clone()]))
            .with("retry_after_s", seconds.into())
            .header("retry-after", &seconds.to_string())
            .header("ratelimit-policy", &format!("\"{policy}\";q={quota};w={window_s}"))
            .header("ratelimit", &format!("\"{policy}\";r=0;t={seconds}"))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            cause = cause(&error),
            instance = request_id(),
            "the store failed"
        );
        match error {
            StoreError::Unavailable(_) => Self::unavailable("the store cannot be used now; send the same again"),
            StoreError::Moved(_) => {
                Self::unavailable("this service stands before a database that everything was moved from")
            }
            StoreError::Corrupt(_) => Self::internal(),
        }
    }
}

fn cause(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::RateLimited(limited) => limited.into(),
            IntakeError::CommentExists => {
                Self::new(StatusCode::CONFLICT, "/problems/comment-exists", error.to_string())
            }
            IntakeError::NotFound => Self::not_found(error.to_string()),
            IntakeError::Store(store) => store.into(),
        }
    }
}

impl From<TooManyStreams> for Problem {
    fn from(error: TooManyStreams) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Refused(refused) => {
                Self::new(StatusCode::UNAUTHORIZED, "/problems/unauthorized", refused.to_string())
                    .header("www-authenticate", "Signature")
            }
            WebhookError::Conflict => Self::new(StatusCode::CONFLICT, "/problems/message-exists", error.to_string()),
            WebhookError::NotRead(NotRead::Malformed(_)) => Self::malformed(error.to_string()),
            WebhookError::NotRead(NotRead::Field(unmapped)) => Self::invalid(&unmapped.field, &unmapped.problem),
            WebhookError::Intake(intake) => intake.into(),
            WebhookError::Secret(secret) => {
                tracing::error!(
                    error = &secret as &dyn std::error::Error,
                    instance = request_id(),
                    "a site's secrets cannot be opened"
                );
                Self::internal()
            }
            WebhookError::Store(store) => store.into(),
        }
    }
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::BadCursor => Self::invalid("cursor", "is not one that this service gave out"),
            ListError::Store(store) => store.into(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound(_) => Self::not_found(error.to_string()),
            ReadError::List(error) => error.into(),
        }
    }
}

impl From<NoteError> for Problem {
    fn from(error: NoteError) -> Self {
        match error {
            NoteError::NotYours => Self::forbidden(error.to_string()),
            NoteError::Read(error) => error.into(),
        }
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::Conflict(record) => Self::conflict(
                serde_json::to_value(super::api::dto::CommentOut::for_people(&record)).unwrap_or_default(),
            ),
            ReviewError::NotFound => Self::not_found(error.to_string()),
            ReviewError::NoRuling => Self::invalid("action", "must be approve or reject"),
            ReviewError::Store(store) => store.into(),
        }
    }
}

impl From<UndoError> for Problem {
    fn from(error: UndoError) -> Self {
        match error {
            UndoError::NotFound => Self::not_found(error.to_string()),
            UndoError::AlreadyUndone => Self::new(StatusCode::CONFLICT, "/problems/already-undone", error.to_string()),
            UndoError::Store(store) => store.into(),
        }
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        let detail = error.to_string();
        match error {
            StartError::Busy(running) => Self::new(StatusCode::CONFLICT, "/problems/backtest-running", detail)
                .with("running", running.map(|id| id.to_string()).into()),
            StartError::NoSite(_) => Self::not_found(detail),
            StartError::Window => Self::invalid("since", &detail),
            StartError::Bad(bad) => {
                let problem = Self::invalid("candidate", &bad.problem);
                match bad.place {
                    Some((line, column)) => problem.with("line", line.into()).with("column", column.into()),
                    None => problem,
                }
            }
            StartError::Failed(problem) => {
                tracing::error!(problem, instance = request_id(), "a backtest could not be started");
                Self::unavailable(detail)
            }
            StartError::Store(store) => store.into(),
        }
    }
}

impl From<LearningError> for Problem {
    fn from(error: LearningError) -> Self {
        let detail = error.to_string();
        match error {
            LearningError::NoSite(_) => Self::not_found(detail),
            LearningError::NothingInForce => Self::new(StatusCode::CONFLICT, "/problems/nothing-learned", detail),
            LearningError::Store(store) => store.into(),
        }
    }
}

impl From<SanctionError> for Problem {
    fn from(error: SanctionError) -> Self {
        let detail = error.to_string();
        match error {
            SanctionError::Invalid(invalid) => invalid.into(),
            SanctionError::NoSite(_) | SanctionError::NoComment | SanctionError::NotFound => Self::not_found(detail),
            SanctionError::BeyondReach(_) | SanctionError::ShadowOff => Self::forbidden(detail),
            SanctionError::Full(_) => Self::new(StatusCode::CONFLICT, "/problems/too-many-sanctions", detail),
            SanctionError::AlreadyLifted => Self::new(StatusCode::CONFLICT, "/problems/sanction-lifted", detail),
            SanctionError::Store(store) => store.into(),
        }
    }
}

impl From<ReaderError> for Problem {
    fn from(error: ReaderError) -> Self {
        match error {
            ReaderError::RateLimited(limited) => limited.into(),
            ReaderError::NotFound => Self::not_found(error.to_string()),
            ReaderError::Store(store) => store.into(),
        }
    }
}

impl Problem {
    fn answered(detail: String, appeal: &crate::domain::appeal::Appeal) -> Self {
        let appeal = serde_json::to_value(super::api::appeals::AppealOut::from(appeal)).unwrap_or_default();
        Self::new(StatusCode::CONFLICT, "/problems/appeal-answered", detail).with("appeal", appeal)
    }
}

impl From<AppealError> for Problem {
    fn from(error: AppealError) -> Self {
        let detail = error.to_string();
        match error {
            AppealError::RateLimited(limited) => limited.into(),
            AppealError::NoComment => Self::not_found(detail),
            AppealError::NotRejected => Self::new(StatusCode::CONFLICT, "/problems/not-rejected", detail),
            AppealError::Answered(appeal) => Self::answered(detail, &appeal),
            AppealError::Store(store) => store.into(),
        }
    }
}

impl From<ReplyError> for Problem {
    fn from(error: ReplyError) -> Self {
        let detail = error.to_string();
        match error {
            ReplyError::NotFound => Self::not_found(detail),
            ReplyError::NotOpen(appeal) => Self::answered(detail, &appeal),
            ReplyError::OwnDecision => Self::forbidden(detail),
            ReplyError::Store(store) => store.into(),
        }
    }
}

impl From<CampaignError> for Problem {
    fn from(error: CampaignError) -> Self {
        let detail = error.to_string();
        match error {
            CampaignError::NotFound => Self::not_found(detail),
            CampaignError::Over => Self::new(StatusCode::CONFLICT, "/problems/campaign-over", detail),
            CampaignError::NotRejected => Self::new(StatusCode::CONFLICT, "/problems/campaign-not-rejected", detail),
            CampaignError::Until(problem) => Self::invalid("future_until", problem),
            CampaignError::Outside => Self::forbidden(detail),
            CampaignError::NoRuling => Self::invalid("action", "must be approve or reject"),
            CampaignError::Store(store) => store.into(),
        }
    }
}

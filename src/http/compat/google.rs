//! Failures as Google's services write them: what clients of Perspective can read.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::problem::Problem;

/// The body of a failure.
#[derive(Debug, Serialize, ToSchema)]
pub struct GoogleErrorOut {
    /// What is wrong.
    pub error: GoogleError,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct GoogleError {
    /// The HTTP status.
    pub code: u16,
    /// In words.
    pub message: String,
    /// Which kind, as Google's services name it: `INVALID_ARGUMENT`, `UNAUTHENTICATED`, `PERMISSION_DENIED`, `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED`,
    /// `UNAVAILABLE`, `INTERNAL`.
    pub status: &'static str,
    /// More, for programs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>, required = false)]
    pub details: Vec<Value>,
}

/// A failure on its way to the client.
#[derive(Debug)]
pub struct Refusal {
    code: StatusCode,
    message: String,
    details: Vec<Value>,
    headers: HeaderMap,
}

impl Refusal {
    /// 400.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { code: StatusCode::BAD_REQUEST, message: message.into(), details: Vec::new(), headers: HeaderMap::new() }
    }

    /// With the field that is wrong.
    pub(super) fn field(self, field: &str) -> Self {
        let violation = json!({"field": field, "description": self.message});
        self.violation(&violation)
    }

    fn violation(mut self, violation: &Value) -> Self {
        self.details
            .push(json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}));
        self
    }

    /// With a reason that clients know, as Google's services have it of keys.
    fn reason(mut self, reason: &str) -> Self {
        self.details.push(json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}));
        self
    }

    /// With a kind of Perspective's own.
    pub(super) fn kind(mut self, kind: &str) -> Self {
        let of = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error";
        self.details.push(json!({"@type": of, "errorType": kind}));
        self
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let code = match problem.status_code() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST, // Google knows one kind of wrong requests
            other => other,
        };
        let message = problem.detail().to_owned();
        let refusal = Self { code, message, details: Vec::new(), headers: problem.headers().clone() };
        // There are clients that look into the first detail without asking whether there is one.
        match (code, problem.field()) {
            (StatusCode::UNAUTHORIZED, _) => refusal.reason("API_KEY_INVALID"),
            (StatusCode::BAD_REQUEST, Some(field)) => refusal.field(field),
            (StatusCode::BAD_REQUEST, None) => {
                let description = json!({"description": refusal.message});
                refusal.violation(&description)
            }
            _ => refusal,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.code
    }

    fn error_response(&self) -> HttpResponse {
        let status = match self.code.as_u16() {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            408 => "DEADLINE_EXCEEDED",
            409 => "ABORTED",
            429 => "RESOURCE_EXHAUSTED",
            503 => "UNAVAILABLE",
            500.. => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        };
        let mut response = HttpResponse::build(self.code);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        let (message, details) = (self.message.clone(), self.details.clone());
        response.json(GoogleErrorOut { error: GoogleError { code: self.code.as_u16(), message, status, details } })
    }
}

//! Answers, byte for byte: clients compare them with `true`, and a line's end makes another word of it.
//!
//! Whoever cannot be answered is told so in a way in which the client holds the comment, and does not lose it: most do that with any other answer than
//! `true` and `false`. WordPress does so only with a name for the check, so that every check has one. Help stands on errors alone: some clients fail
//! wherever they see it.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError as _};
use uuid::Uuid;

use super::asker::{Asker, Held};
use super::form::BadForm;
use crate::app::akismet::{AkismetError, Answer, Checked};
use crate::domain::store::StoreError;
use crate::http::problem::Problem;

/// What a report is thanked with.
pub(super) const THANKS: &str = "Thanks for making the web a better place.";
const GUID: HeaderName = HeaderName::from_static("x-akismet-guid");
/// Seconds after which the same may be sent again.
const RETRY_AFTER_S: &str = "5";

/// A text, and nothing else.
pub(super) fn text(status: StatusCode, body: impl Into<String>) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CACHE_CONTROL, "no-store"));
    answer.content_type("text/plain; charset=utf-8").body(body.into())
}

/// A word.
pub(super) fn word(body: &'static str) -> HttpResponse {
    text(StatusCode::OK, body)
}

/// What a comment is called that is neither `true` nor `false` yet.
const HELD: &str = "held";

/// A check's answer, to a client that is told in this way of what a person has yet to see.
pub(super) fn checked(checked: &Checked, held: Held) -> HttpResponse {
    let body = match (checked.answer, held) {
        (Answer::Ham, _) | (Answer::Doubtful { .. }, Held::Recheck) => "false",
        (Answer::Spam { .. }, _) | (Answer::Doubtful { .. }, Held::Spam) => "true",
        (Answer::Doubtful { .. }, Held::Word) => HELD,
    };
    let mut answer = word(body);
    name(&mut answer, checked.guid);
    match checked.answer {
        Answer::Spam { discard: true } => put(&mut answer, "x-akismet-pro-tip", "discard"),
        Answer::Doubtful { recheck_after_s } if held == Held::Recheck => {
            put(&mut answer, "x-akismet-recheck-after", &recheck_after_s.to_string());
        }
        Answer::Ham | Answer::Doubtful { .. } | Answer::Spam { .. } => {}
    }
    answer
}

/// Why a client gets no answer to what it asks.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// No key, or none that is known.
    #[error("We were unable to find your API key")]
    Key,
    /// No `blog`.
    #[error("Empty \"blog\" value")]
    NoBlog,
    /// Another blog than the site's.
    #[error("This key is for another blog")]
    Blog,
    /// The form cannot be read.
    #[error(transparent)]
    Form(#[from] BadForm),
    /// The body is larger than `server.max_body_bytes`, or broke off.
    #[error("The request is too large")]
    TooLarge,
    /// The body did not come whole in time.
    #[error("The request did not come whole in time")]
    Late,
    /// More bodies are being read than there is room for.
    #[error("Too many requests are being read; send the same again")]
    NoRoom,
    /// The use case has none.
    #[error(transparent)]
    Akismet(#[from] AkismetError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Akismet(error.into())
    }
}

/// What is wrong with a body.
impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        match problem.status_code() {
            StatusCode::REQUEST_TIMEOUT => Self::Late,
            StatusCode::SERVICE_UNAVAILABLE => Self::NoRoom,
            _ => Self::TooLarge,
        }
    }
}

impl Refusal {
    /// Its name in metrics.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Key => "no-key",
            Self::NoBlog | Self::Blog => "blog",
            Self::Form(_) | Self::TooLarge | Self::Late | Self::Akismet(AkismetError::Invalid(_)) => "invalid",
            Self::Akismet(AkismetError::RateLimited(_)) => "limited",
            Self::NoRoom | Self::Akismet(AkismetError::Store(_)) => "unavailable",
        }
    }

    /// The answer. What is wrong with the request is said with 200, as Akismet does; what will pass, with a status that means so.
    pub(super) fn answer(&self) -> HttpResponse {
        let mut answer = match self {
            Self::TooLarge => text(StatusCode::PAYLOAD_TOO_LARGE, "invalid"),
            Self::Late => text(StatusCode::REQUEST_TIMEOUT, "invalid"),
            Self::NoRoom => unavailable(),
            Self::Akismet(AkismetError::RateLimited(limited)) => {
                let mut answer = text(StatusCode::TOO_MANY_REQUESTS, "limited");
                let seconds = limited.retry_after_ms.div_ceil(1_000).max(1).to_string();
                put(&mut answer, RETRY_AFTER.as_str(), &seconds);
                put(&mut answer, "x-akismet-error", "limited");
                answer
            }
            Self::Akismet(AkismetError::Store(error)) => {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "a client of Akismet's protocol is told to wait"
                );
                unavailable()
            }
            Self::Key | Self::NoBlog | Self::Blog | Self::Form(_) | Self::Akismet(AkismetError::Invalid(_)) => {
                word("invalid")
            }
        };
        put(&mut answer, "x-akismet-debug-help", &self.to_string());
        answer
    }

    /// The answer to a check that `asker` sent.
    pub(super) fn of_check(&self, asker: &Asker) -> HttpResponse {
        // What will pass, and what cannot be judged at all; a key for nothing or for another blog is for its operator to mend.
        let is_unjudged = matches!(self, Self::Form(_) | Self::TooLarge | Self::Late | Self::NoRoom | Self::Akismet(_));
        let mut answer = if is_unjudged && asker.holds_spam_alone() {
            tracing::warn!(why = self.name(), "a check is answered as spam, to a client that holds nothing else");
            word("true")
        } else {
            self.answer()
        };
        name(&mut answer, Uuid::new_v4());
        answer
    }
}

fn unavailable() -> HttpResponse {
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    put(&mut answer, RETRY_AFTER.as_str(), RETRY_AFTER_S);
    put(&mut answer, "x-akismet-error", "unavailable");
    answer
}

fn name(answer: &mut HttpResponse, guid: Uuid) {
    if let Ok(value) = HeaderValue::from_str(&guid.simple().to_string()) {
        answer.headers_mut().insert(GUID, value);
    }
}

fn put(answer: &mut HttpResponse, name: &'static str, value: &str) {
    let plain: String = value.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(200).collect();
    if let Ok(value) = HeaderValue::from_str(&plain) {
        answer.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

//! Akismet 1.1 and 1.2, on any host name (docs/clients/akismet.md): what its clients expect of a server, over the house's own use cases.

pub mod account;
mod answers;
mod asker;
pub mod feedback;
mod fields;
mod form;
mod keys;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::ToSchema;

use self::answers::{Refusal, text, word};
use self::asker::Asker;
use self::form::Form;
use super::super::{State, body, client};
use crate::app::akismet::submission::is_blog;
use crate::app::akismet::{AkismetError, Answer};
use crate::domain::site::Site;

/// Whether a path is one of Akismet's: nothing there is ever answered as a problem.
pub(in super::super) fn is_ours(path: &str) -> bool {
    path.starts_with("/1.1/") || path.starts_with("/1.2/")
}

/// What is answered where there is no such call, or it takes another method.
pub(in super::super) fn no_such_call(is_known: bool) -> HttpResponse {
    text(if is_known { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_FOUND }, "invalid")
}

/// What is answered to `CONNECT`: clients that are pointed here as at a proxy try that first, and then go on without.
pub(in super::super) fn no_tunnel() -> HttpResponse {
    text(StatusCode::NOT_IMPLEMENTED, "this is no proxy")
}

/// The fields that matter most; a client may send hundreds, and all others are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "for the document: forms are read as they come")]
pub struct CheckForm {
    /// The key, when it is in no other of five places.
    pub api_key: Option<String>,
    /// The blog's address.
    pub blog: Option<String>,
    /// The author's address.
    pub user_ip: Option<String>,
    /// The author's browser.
    pub user_agent: Option<String>,
    /// The page that the browser named as its referrer.
    pub referrer: Option<String>,
    /// The page's address.
    pub permalink: Option<String>,
    /// The author's name.
    pub comment_author: Option<String>,
    /// The author's e-mail address.
    pub comment_author_email: Option<String>,
    /// The author's homepage.
    pub comment_author_url: Option<String>,
    /// The text.
    pub comment_content: Option<String>,
    /// When it was written: RFC 3339, `2026-11-20 10:00:00`, or seconds since 1970.
    pub comment_date_gmt: Option<String>,
    /// Tags of the page, as often as there are any: `comment_context`, `comment_context[]` or `comment_context[0]`.
    pub comment_context: Option<String>,
    /// Why it is asked again.
    pub recheck_reason: Option<String>,
    /// `1` or `true`: answer, and keep nothing.
    pub is_test: Option<String>,
    /// Where to hear what a person decides: on the blog's own host.
    pub callback: Option<String>,
}

/// A call, in the metrics' words.
#[derive(Debug, Clone, Copy)]
struct Call(&'static str);

fn told(call: Call, outcome: &'static str) {
    metrics::counter!("doorward_akismet_calls_total", "call" => call.0, "outcome" => outcome).increment(1);
}

/// A request whose key is known.
struct Open {
    site: Arc<Site>,
    form: Form,
}

/// Reads a request, and finds out whose it is.
async fn open(state: &State, request: &HttpRequest, payload: web::Payload) -> Result<Open, Refusal> {
    let (bytes, _held) = body::of_stranger(state, request, payload).await?;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut form = Form::read(&bytes, kind)?;
    let query = Form::query(request.query_string())?;
    let key = keys::of(request, &form, &query, &state.akismet.config().host_suffixes).ok_or(Refusal::Key)?;
    let now = state.clock.now();
    // Behind a proxy that is not trusted all come from one address, where only what opens nothing is counted: guesses of others hold up no key that does.
    let peer = || request.peer_addr().map(|peer| peer.ip().to_canonical());
    let client = client::address(request, &state.server.get().trusted_proxies);
    let from = client.or_else(peer);
    let is_known = state.access.akismet_opened(&key, from, now);
    if !is_known && client.is_some() {
        state.akismet.count_key(from, now).await.map_err(AkismetError::from)?;
    }
    let Some(site) = state.access.akismet(&key, now).await? else {
        if client.is_none() {
            state.akismet.count_key(from, now).await.map_err(AkismetError::from)?;
        }
        return Err(Refusal::Key);
    };
    if !is_known {
        state.access.note_akismet_opened(&key, from, now);
    }
    form.extend(query);
    Ok(Open { site, form })
}

/// Whether a key may be used for `blog`: any, until the operator pins the site to one.
fn check_blog(site: &Site, blog: &str, required: bool) -> Result<(), Refusal> {
    match &site.url {
        _ if blog.is_empty() => {
            if required {
                Err(Refusal::NoBlog)
            } else {
                Ok(())
            }
        }
        Some(pinned) if !is_blog(pinned, blog) => Err(Refusal::Blog),
        Some(_) | None => Ok(()),
    }
}

/// Whether a key is one, and for that blog: `valid` or `invalid`.
#[utoipa::path(post, path = "/1.1/verify-key", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = CheckForm, content_type = "application/x-www-form-urlencoded", description = "`key` or `api_key`, and `blog`"),
    responses((status = 200, body = String, content_type = "text/plain", description = "`valid`, or `invalid` with `X-akismet-debug-help`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"),
        (status = 503, body = String, content_type = "text/plain")))]
pub async fn verify_key(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let verified = async {
        let Open { site, form } = open(&state, &request, payload).await?;
        check_blog(&site, form.get("blog").unwrap_or_default(), true)
    };
    match verified.await {
        Ok(()) => {
            told(Call("verify-key"), "valid");
            word("valid")
        }
        Err(refusal) => {
            told(Call("verify-key"), refusal.name());
            refusal.answer()
        }
    }
}

/// Whether a comment is spam: `true` or `false`, without a line's end. `X-akismet-guid` names it; `X-akismet-pro-tip: discard` says with `true` that
/// nobody needs to see it; `X-akismet-recheck-after` says with `false` that a person looks at it, and that the client may hold it so many seconds.
/// Clients that are known to publish on that are told otherwise: WordPress' job that asks again hears `held`, those that hold spam alone hear `true`.
#[utoipa::path(post, path = "/1.1/comment-check", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = CheckForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/plain", description = "`true`, `false`, `held` (WordPress), or `invalid` with `X-akismet-debug-help`",
            headers(("X-akismet-guid" = String, description = "32 hexadecimal digits, always"), ("X-akismet-pro-tip" = String, description = "`discard`, with `true`"),
                ("X-akismet-recheck-after" = String, description = "Seconds, with `false`"))),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"),
        (status = 503, body = String, content_type = "text/plain")))]
pub async fn comment_check(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let mut asker = Asker::of(&request);
    let checked = async {
        let Open { site, form } = open(&state, &request, payload).await?;
        asker.read(&form);
        let sent = fields::submission(&form);
        check_blog(&site, &sent.blog, true)?;
        let checked = state.akismet.check(&site, &sent, state.clock.now()).await?;
        Ok::<_, Refusal>(checked)
    };
    match checked.await {
        Ok(checked) => {
            let outcome = match checked.answer {
                Answer::Ham => "ham",
                Answer::Doubtful { .. } => "doubtful",
                Answer::Spam { .. } => "spam",
            };
            told(Call("comment-check"), outcome);
            answers::checked(&checked, asker.holds_by(state.akismet.config().doubtful))
        }
        Err(refusal) => {
            told(Call("comment-check"), refusal.name());
            refusal.of_check(&asker)
        }
    }
}

/// Whether there is a server: `connected`.
#[utoipa::path(get, path = "/1.1/test", tag = "akismet", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn test() -> HttpResponse {
    word("connected")
}

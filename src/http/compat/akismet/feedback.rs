//! What sites say of comments: `submit-spam` and `submit-ham`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::answers::{Refusal, THANKS, word};
use super::{Call, Open, fields, told};
use crate::app::akismet::Label;
use crate::http::State;

/// What a site's own people say is spam: a decision, which teaches. A person who decided here has the last word. A comment that is not known is stored
/// with it. A form as for `comment-check`, or the same in JSON; `blog` may be missing.
#[utoipa::path(post, path = "/1.1/submit-spam", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = super::CheckForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/plain", description = "`Thanks for making the web a better place.`, or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"),
        (status = 503, body = String, content_type = "text/plain")))]
pub async fn submit_spam(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    report(&state, &request, payload, Label::Spam).await
}

/// What a site's own people say is none.
#[utoipa::path(post, path = "/1.1/submit-ham", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = super::CheckForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/plain", description = "`Thanks for making the web a better place.`, or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"),
        (status = 503, body = String, content_type = "text/plain")))]
pub async fn submit_ham(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    report(&state, &request, payload, Label::Ham).await
}

async fn report(state: &State, request: &HttpRequest, payload: web::Payload, label: Label) -> HttpResponse {
    let call = match label {
        Label::Spam => Call("submit-spam"),
        Label::Ham => Call("submit-ham"),
    };
    let reported = async {
        let Open { site, form } = super::open(state, request, payload).await?;
        let sent = fields::submission(&form);
        super::check_blog(&site, &sent.blog, false)?;
        let reported = state.akismet.report(&site, &sent, label, state.clock.now()).await?;
        Ok::<_, Refusal>(reported)
    };
    match reported.await {
        Ok(reported) => {
            told(call, reported.name());
            word(THANKS)
        }
        Err(refusal) => {
            told(call, refusal.name());
            refusal.answer()
        }
    }
}

//! Problems as pages: whoever asked for a page with a browser gets one, with the same status.

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ACCEPT};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use askama::Template;
use url::form_urlencoded;

use super::super::problem::Problem;
use super::frame::{Look, page_with};
use super::texts::Texts;

/// What was asked for by somebody who wants a page.
#[derive(Debug)]
pub(in super::super) struct Asked {
    look: Look,
    path: String,
    is_get: bool,
}

impl Asked {
    /// `None` for programs: below `/v1`, and whoever does not say that they take HTML.
    pub(in super::super) fn of(request: &HttpRequest) -> Option<Self> {
        let accepts = request.headers().get(ACCEPT)?.to_str().ok()?.contains("text/html");
        if !accepts || request.path().starts_with("/v1") {
            return None;
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some(Self { look: Look::of(request), path, is_get: request.method() == Method::GET })
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    t: &'static Texts,
    look: Look,
    status: u16,
    title: &'a str,
    detail: &'a str,
    instance: &'a str,
}

/// The same answer, as a page when it is a problem; nobody who is not signed in is sent to where one signs in, and comes back from there.
pub(in super::super) fn shown_as_page(
    asked: Option<Asked>,
    response: ServiceResponse<BoxBody>,
    instance: &str,
) -> ServiceResponse<BoxBody> {
    let Some(asked) = asked else { return response };
    let Some(problem) = response.response().extensions().get::<Problem>().cloned() else { return response };
    if problem.status_code() == StatusCode::UNAUTHORIZED && asked.is_get {
        let next: String = form_urlencoded::byte_serialize(asked.path.as_bytes()).collect();
        let answer = HttpResponse::SeeOther()
            .insert_header((header::LOCATION, format!("/sign-in?next={next}")))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish();
        return response.into_response(answer);
    }
    let page = ProblemPage {
        t: asked.look.t,
        look: asked.look,
        status: problem.status_code().as_u16(),
        title: problem.title(),
        detail: problem.detail(),
        instance,
    };
    match page_with(problem.status_code(), &page) {
        Ok(mut answer) => {
            for (name, value) in problem.headers() {
                answer.headers_mut().insert(name.clone(), value.clone());
            }
            response.into_response(answer)
        }
        Err(_) => response,
    }
}

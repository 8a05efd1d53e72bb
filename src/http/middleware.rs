//! Around every request: its id, one log line, its metrics. Nothing of its content is logged.

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::State;
use super::body::nul_in_address;
use super::compat::akismet;
use super::console::{Asked, shown_as_page};
use super::unread::Unread;
use crate::app::way::{self, begin};

tokio::task_local! {
    static REQUEST_ID: String;
}

/// Stands for the route of what has none.
const UNKNOWN: &str = "unknown";
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request being answered.
pub(super) fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// Works on behalf of the request `id`: what a streamed answer does after its handler has returned.
pub(super) async fn on_behalf_of<T>(id: String, work: impl Future<Output = T>) -> T {
    REQUEST_ID.scope(id, work).await
}

pub(super) async fn around<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let unread = Unread::of(&mut request);
    let id = sane(request.headers().get(&HEADER)).unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let clock = request.app_data::<actix_web::web::Data<State>>().map(|state| std::sync::Arc::clone(&state.clock));
    let started = clock.as_ref().map(|clock| clock.now());
    let method = method_label(request.method());
    let asked = Asked::of(request.request());
    let is_api = request.path().starts_with("/v1");
    let way = way_of(&request, method);
    let answered = way.clone();
    REQUEST_ID
        .scope(id.clone(), async move {
            let nul =
                Some(request.request().uri()).filter(|_| !akismet::is_ours(request.path())).and_then(nul_in_address);
            let response = match nul {
                _ if request.method() == Method::CONNECT => request.into_response(akismet::no_tunnel()),
                Some(problem) => request.into_response(problem.error_response()),
                None => next.call(request).await?.map_into_boxed_body(),
            };
            let mut response = shown_as_page(asked, response, &id);
            if let Ok(value) = HeaderValue::from_str(&id) {
                response.headers_mut().insert(HEADER, value);
            }
            // What a session's cookie opened is nobody else's, and not for keeping (RFC 9111 protects answers to bearers only).
            if is_api && !response.headers().contains_key(CACHE_CONTROL) {
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            let status = response.status();
            // The pattern, never the path: ids of comments and keys in queries stay out of logs and metrics.
            let route = response.request().match_pattern().unwrap_or_else(|| UNKNOWN.to_owned());
            let taken = clock.zip(started).map_or(0, |(clock, started)| clock.now().millis_since(started));
            let took = Duration::from_millis(taken);
            came_to(&answered, method, &route, status);
            tracing::debug!(method, route, status = status.as_u16(), ms = taken, id, "answered");
            let labels = [("method", method.to_owned()), ("route", route), ("status", status.as_str().to_owned())];
            metrics::counter!("doorward_http_requests_total", &labels).increment(1);
            metrics::histogram!("doorward_http_request_seconds").record(took.as_secs_f64());
            Ok(unread.held_by(response))
        })
        .instrument(way)
        .await
}

/// The span of what is done for a request, in the trace that whoever asks names, where they do. What asks all the time (probes, files of the console)
/// has none.
fn way_of(request: &ServiceRequest, method: &'static str) -> Span {
    let is_dull = |path: &str| matches!(path, "/healthz" | "/readyz" | "/metrics") || path.starts_with("/assets/");
    if !way::is_collected() || is_dull(request.path()) {
        return Span::none();
    }
    let named = request.headers().get_all("traceparent").map(HeaderValue::as_bytes);
    begin!(
        way::Origin::read(named),
        "request",
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = if method == "other" { "_OTHER" } else { method },
        http.route = Empty,
        http.response.status_code = Empty
    )
}

/// What came of it. The route is a pattern.
fn came_to(way: &Span, method: &str, route: &str, status: StatusCode) {
    if way.is_disabled() {
        return;
    }
    if route != UNKNOWN {
        way.record("http.route", route);
    }
    way::rename(way, format!("{} {route}", if method == "other" { "HTTP" } else { method }));
    way.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        way.record("otel.status_code", "ERROR");
    }
}

/// A client's own id, when it is one that logs can bear.
fn sane(value: Option<&HeaderValue>) -> Option<String> {
    let text = value?.to_str().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    (!text.is_empty() && text.len() <= 128 && text.chars().all(plain)).then(|| text.to_owned())
}

/// A method's name for logs and metrics. HTTP lets a client invent methods, and every label value lives as long as the process.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_that_clients_invent_share_one_label() {
        let cases =
            [("GET", "GET"), ("DELETE", "DELETE"), ("PATCH", "PATCH"), ("get", "other"), ("FLOOD-4711", "other")];
        for (method, label) in cases {
            assert_eq!(method_label(&Method::from_bytes(method.as_bytes()).unwrap()), label, "{method}");
        }
    }
}

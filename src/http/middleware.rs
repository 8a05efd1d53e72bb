//! Around every request: its id, one log line, its metrics. Nothing of its content is logged.

use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;

use super::State;

tokio::task_local! {
    static REQUEST_ID: String;
}

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request being answered.
pub(super) fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

pub(super) async fn around<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let id = sane(request.headers().get(&HEADER)).unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let clock = request.app_data::<actix_web::web::Data<State>>().map(|state| std::sync::Arc::clone(&state.clock));
    let started = clock.as_ref().map(|clock| clock.now());
    let method = request.method().clone();
    REQUEST_ID
        .scope(id.clone(), async move {
            let mut response = next.call(request).await?;
            if let Ok(value) = HeaderValue::from_str(&id) {
                response.headers_mut().insert(HEADER, value);
            }
            let status = response.status();
            // The pattern, never the path: ids of comments and keys in queries stay out of logs and metrics.
            let route = response.request().match_pattern().unwrap_or_else(|| "unknown".to_owned());
            let taken = clock.zip(started).map_or(0, |(clock, started)| clock.now().millis_since(started));
            let took = Duration::from_millis(taken);
            tracing::debug!(%method, route, status = status.as_u16(), ms = taken, id, "answered");
            let labels = [("method", method.to_string()), ("route", route), ("status", status.as_str().to_owned())];
            metrics::counter!("doorward_http_requests_total", &labels).increment(1);
            metrics::histogram!("doorward_http_request_seconds").record(took.as_secs_f64());
            Ok(response)
        })
        .await
}

/// A client's own id, when it is one that logs can bear.
fn sane(value: Option<&HeaderValue>) -> Option<String> {
    let text = value?.to_str().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    (!text.is_empty() && text.len() <= 128 && text.chars().all(plain)).then(|| text.to_owned())
}

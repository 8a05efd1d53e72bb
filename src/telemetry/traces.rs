//! Traces: the spans of [`crate::app::way`], sent to a collector by OTLP over HTTP.
//!
//! Spans wait in a queue of bounded length and are sent by a thread of their own. A collector that is slow, refuses or is gone costs a comment nothing: what
//! finds no room in the queue is dropped.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::app::way;

/// Spans that wait to be sent; more are dropped. A comment has about ten.
const QUEUE: usize = 8_192;
/// Between two sends, unless a batch is full before.
const EVERY: Duration = Duration::from_secs(1);
/// For what is still to be sent when the service ends.
const LAST: Duration = Duration::from_secs(2);

/// `[telemetry]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where traces are sent by OTLP over HTTP, as in `http://127.0.0.1:4318/v1/traces`; empty for nowhere.
    pub otlp_endpoint: String,
    /// The part of ways that are traced where the site did not decide it by its `traceparent`; 0.0 to 1.0.
    pub ratio: f64,
    /// Milliseconds for a collector to take what is sent.
    pub timeout_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { otlp_endpoint: String::new(), ratio: 1.0, timeout_ms: 5_000 }
    }
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("telemetry.{0}")]
pub struct BadTelemetry(&'static str);

impl Config {
    /// Whether traces are collected.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !self.otlp_endpoint.is_empty()
    }

    /// Whether it can work.
    ///
    /// # Errors
    /// [`BadTelemetry`], naming the key.
    pub fn check(&self) -> Result<(), BadTelemetry> {
        if !(0.0..=1.0).contains(&self.ratio) {
            return Err(BadTelemetry("ratio: must lie within 0.0 and 1.0"));
        }
        if !(100..=60_000).contains(&self.timeout_ms) {
            return Err(BadTelemetry("timeout_ms: must lie within 100 and 60000"));
        }
        if !self.is_on() {
            return Ok(());
        }
        match url::Url::parse(&self.otlp_endpoint) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                Err(BadTelemetry("otlp_endpoint: must begin with http:// or https://"))
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err(BadTelemetry("otlp_endpoint: must hold no name and password: it is shown"))
            }
            Ok(url) if url.has_host() => Ok(()),
            Ok(_) | Err(_) => Err(BadTelemetry("otlp_endpoint: is no address, as in http://127.0.0.1:4318/v1/traces")),
        }
    }
}

/// Collecting. What is still to be sent is sent, for two seconds at most, when this is dropped.
#[derive(Debug)]
pub struct Collecting(SdkTracerProvider);

impl Drop for Collecting {
    fn drop(&mut self) {
        let _ = self.0.shutdown_with_timeout(LAST);
    }
}

/// What makes spans of the way into traces, for the log of this process to be put beside.
pub(super) fn layer<S>(config: &Config) -> anyhow::Result<(impl Layer<S> + Send + Sync + 'static, Collecting)>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let timeout = Duration::from_millis(config.timeout_ms.into());
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new(timeout)?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&config.otlp_endpoint)
        .with_timeout(timeout)
        .build()
        .context("telemetry.otlp_endpoint cannot be sent to")?;
    let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_scheduled_delay(EVERY).build();
    let resource = Resource::builder_empty()
        .with_service_name("doorward")
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.ratio))))
        .with_resource(resource)
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("doorward"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target(way::TARGET, tracing::Level::TRACE));
    Ok((layer, Collecting(provider)))
}

/// Sends for the thread that batches spans. It has no runtime, and the service's own is not to be kept busy with this: this brings one.
struct Client {
    client: reqwest::Client,
    runtime: Mutex<Option<tokio::runtime::Runtime>>,
}

impl Client {
    fn new(timeout: Duration) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(crate::net::post::tls()?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(timeout)
            .user_agent(concat!("doorward/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, runtime: Mutex::new(Some(runtime)) })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = runtime.as_ref().ok_or("it ends")?;
        runtime.block_on(async {
            let (head, body) = request.into_parts();
            let sent = self.client.request(head.method, head.uri.to_string()).headers(head.headers).body(body).send().await?;
            let (status, headers) = (sent.status(), sent.headers().clone());
            let mut answer = Response::new(sent.bytes().await?);
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok(answer)
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let runtime = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background(); // it may be dropped where one runs
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.send(request);
        let outcome = match &answer {
            Ok(answer) if answer.status().is_success() => "taken",
            Ok(_) => "refused",
            Err(_) => "failed",
        };
        metrics::counter!("doorward_traces_sent_total", "outcome" => outcome).increment(1);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_to_is_found_before_anything_starts() {
        let of = |otlp_endpoint: &str, ratio, timeout_ms| {
            Config { otlp_endpoint: otlp_endpoint.to_owned(), ratio, timeout_ms }.check().map_err(|bad| bad.to_string())
        };
        assert_eq!(of("", 1.0, 5_000), Ok(()));
        assert_eq!(of("http://127.0.0.1:4318/v1/traces", 0.0, 100), Ok(()));
        for (endpoint, ratio, timeout_ms, key) in [
            ("127.0.0.1:4318", 1.0, 5_000, "otlp_endpoint"),
            ("grpc://collector:4317", 1.0, 5_000, "otlp_endpoint"),
            ("http://", 1.0, 5_000, "otlp_endpoint"),
            ("https://me:secret@collector/v1/traces", 1.0, 5_000, "otlp_endpoint"),
            ("", 1.1, 5_000, "ratio"),
            ("", f64::NAN, 5_000, "ratio"),
            ("", 1.0, 0, "timeout_ms"),
        ] {
            assert!(of(endpoint, ratio, timeout_ms).unwrap_err().contains(key), "{endpoint}");
        }
    }
}

//! Traces: the spans of [`crate::app::way`], sent to a collector by OTLP over HTTP.
//!
//! Spans wait in a queue of bounded length and are sent by a thread of their own. A collector that is slow, refuses or is gone costs a comment nothing:
//! what finds no room in the queue is dropped and counted.

use std::sync::{Mutex, PoisonError, mpsc as channel};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanLimits, SpanProcessor};
use prost::Message as _;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::app::secrets::Secret;
use crate::app::way;

/// Spans that wait to be sent, some megabytes at most; more are dropped. A comment has about fifteen.
const QUEUE: usize = 8_192;
/// Spans in one message.
const BATCH: usize = 512;
/// How long the first span of a message waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// Attempts at one message, where the collector may take it later.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; doubles with each further one.
const BACKOFF: Duration = Duration::from_secs(1);
/// Between two attempts at most, also where the collector asks for more.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// For what is still to be sent when the service ends.
const LAST: Duration = Duration::from_secs(3);
/// Bytes of an answer that are read.
const ANSWER_BYTES: usize = 65_536;

/// `[telemetry.traces]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where traces are sent by OTLP over HTTP, as in `http://127.0.0.1:4318/v1/traces`; empty for nowhere.
    pub endpoint: String,
    /// The part of ways that are traced where no `traceparent` decides it; 0.0 to 1.0.
    pub share: f64,
    /// Whether a request's `traceparent` is followed.
    pub follow: bool,
    /// Milliseconds for the collector to take a message.
    pub timeout_ms: u32,
    /// What the service is called in traces.
    pub service_name: String,
    /// What goes with each message, as in `authorization=Bearer%20x,x-scope=news`.
    pub headers: Secret,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            share: 1.0,
            follow: true,
            timeout_ms: 5_000,
            service_name: "doorward".to_owned(),
            headers: Secret::default(),
        }
    }
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("telemetry.traces.{0}")]
pub struct BadTraces(&'static str);

impl Config {
    /// Whether traces are collected.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !self.endpoint.is_empty()
    }

    /// Whether it can work.
    ///
    /// # Errors
    /// [`BadTraces`], naming the key.
    pub fn check(&self) -> Result<(), BadTraces> {
        if !(0.0..=1.0).contains(&self.share) {
            return Err(BadTraces("share: must lie within 0.0 and 1.0"));
        }
        if !TIMEOUTS_MS.contains(&self.timeout_ms) {
            return Err(BadTraces("timeout_ms: must lie within 100 and 60000"));
        }
        if self.service_name.is_empty() || self.service_name.len() > 255 {
            return Err(BadTraces("service_name: must have 1 to 255 bytes"));
        }
        self.headers()?;
        if !self.is_on() {
            return Ok(());
        }
        match url::Url::parse(&self.endpoint) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                Err(BadTraces("endpoint: must begin with http:// or https://"))
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err(BadTraces("endpoint: must hold no name and password, since it is shown; write them into `headers`"))
            }
            Ok(url) if url.has_host() => Ok(()),
            Ok(_) | Err(_) => Err(BadTraces("endpoint: is no address, as in http://127.0.0.1:4318/v1/traces")),
        }
    }

    fn headers(&self) -> Result<HeaderMap, BadTraces> {
        const WRONG: BadTraces = BadTraces("headers: must be written as in `name=value,other=value`"); // which may be a secret
        headers(self.headers.expose().unwrap_or_default()).ok_or(WRONG)
    }
}

/// How long a collector may take, in milliseconds.
pub(crate) const TIMEOUTS_MS: std::ops::RangeInclusive<u32> = 100..=60_000;

/// Whether they are written as they must be.
pub(crate) fn are_headers(text: &str) -> bool {
    headers(text).is_some()
}

/// As `OTEL_EXPORTER_OTLP_HEADERS` is written: names and values, which may be percent-encoded.
fn headers(all: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for one in all.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let (name, value) = one.split_once('=')?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        let mut value = HeaderValue::from_bytes(&decoded(value.trim())?).ok()?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Some(headers)
}

/// Without its percent-encoding.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    Some(bytes)
}

/// Collecting. What is still to be sent is sent, for three seconds at most, when this is dropped.
#[derive(Debug)]
pub struct Collecting(SdkTracerProvider);

impl Drop for Collecting {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST) {
            tracing::warn!(error = &error as &dyn std::error::Error, "not all traces could be sent before the end");
        }
    }
}

/// What makes spans of the way into traces, to be put beside the log of this process.
pub(super) fn layer<S>(config: &Config) -> anyhow::Result<(impl Layer<S> + Send + Sync + use<S>, Collecting)>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let resource = Resource::builder_empty()
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()))
        .build();
    let sender = Sender::new(config, &resource)?;
    // All of it is said here: what is not said, this crate would read from the environment.
    let provider = SdkTracerProvider::builder()
        .with_span_processor(Queue::start(sender, QUEUE)?)
        .with_sampler(Sampler::AlwaysOn) // what is not to be traced has no spans
        .with_span_limits(SpanLimits {
            max_attributes_per_span: 32,
            max_events_per_span: 0,
            max_links_per_span: u32::try_from(way::LINKS)?,
            max_attributes_per_event: 0,
            max_attributes_per_link: 0,
        })
        .with_resource(resource)
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("doorward"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        // Nothing that is logged within a span becomes a part of it.
        .with_filter(Targets::new().with_target(way::TARGET, tracing::Level::TRACE));
    Ok((layer, Collecting(provider)))
}

/// Where spans wait. Whoever ends a span never waits here.
#[derive(Debug)]
struct Queue {
    spans: mpsc::Sender<SpanData>,
    stop: watch::Sender<bool>,
    ended: Mutex<channel::Receiver<()>>,
}

impl Queue {
    fn start(sender: Sender, room: usize) -> anyhow::Result<Self> {
        let (spans, waiting) = mpsc::channel(room);
        let (stop, stopping) = watch::channel(false);
        let (end, ended) = channel::channel();
        // A thread of its own, that the service's own are not kept busy with this.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("traces".to_owned()).spawn(move || {
            runtime.block_on(sender.run(waiting, stopping));
            let _ = end.send(()); // nobody waits for it any more
        })?;
        Ok(Self { spans, stop, ended: Mutex::new(ended) })
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            count("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Err(OTelSdkError::InternalFailure("spans are sent by themselves, and when the service ends".to_owned()))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.stop.send_replace(true);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        match ended.recv_timeout(timeout) {
            Ok(()) | Err(channel::RecvTimeoutError::Disconnected) => Ok(()),
            Err(channel::RecvTimeoutError::Timeout) => Err(OTelSdkError::Timeout(timeout)),
        }
    }
}

fn count(outcome: &'static str, spans: u64) {
    metrics::counter!("doorward_traces_spans_total", "outcome" => outcome).increment(spans);
}

/// What became of one attempt.
enum Sent {
    /// The collector took all but so many.
    Taken { refused: u64 },
    /// It may be taken later.
    Later { problem: String, after: Option<Duration> },
    /// It never will be.
    Refused { problem: String },
}

/// Who sends.
struct Sender {
    client: reqwest::Client,
    endpoint: String,
    headers: HeaderMap,
    resource: ResourceAttributesWithSchema,
    is_failing: bool,
}

impl Sender {
    fn new(config: &Config, resource: &Resource) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(crate::net::post::tls()?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .timeout(Duration::from_millis(config.timeout_ms.into()))
            .user_agent(concat!("doorward/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let mut headers = config.headers()?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        Ok(Self { client, endpoint: config.endpoint.clone(), headers, resource: resource.into(), is_failing: false })
    }

    /// Sends what waits, until it is told to stop; then what waits still, once.
    async fn run(mut self, mut waiting: mpsc::Receiver<SpanData>, mut stopping: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                taken = waiting.recv_many(&mut batch, BATCH) => if taken == 0 { return },
                () = stopped(&mut stopping) => break,
            }
            let gathered = tokio::time::sleep(GATHER);
            tokio::pin!(gathered);
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                tokio::select! {
                    taken = waiting.recv_many(&mut batch, room) => if taken == 0 { break },
                    () = &mut gathered => break,
                    () = stopped(&mut stopping) => break,
                }
            }
            self.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)), &mut stopping).await;
        }
        waiting.close();
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            self.send(std::mem::take(&mut batch), &mut stopping).await;
        }
    }

    /// Sends one message; again for a while, if that may help.
    async fn send(&mut self, batch: Vec<SpanData>, stopping: &mut watch::Receiver<bool>) {
        let spans = batch.len() as u64;
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let message = Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
        let mut backoff = BACKOFF;
        for attempt in 1.. {
            match self.post(message.clone()).await {
                Sent::Taken { refused } => {
                    let refused = refused.min(spans);
                    count("sent", spans - refused);
                    if refused > 0 {
                        count("refused", refused);
                    }
                    if std::mem::take(&mut self.is_failing) {
                        tracing::info!("traces are sent again");
                    }
                    return;
                }
                Sent::Later { after, .. } if attempt < ATTEMPTS && !*stopping.borrow() => {
                    tokio::select! {
                        () = tokio::time::sleep(after.unwrap_or(backoff).min(BACKOFF_MAX)) => {}
                        () = stopped(stopping) => {}
                    }
                    backoff *= 2;
                }
                Sent::Later { problem, .. } => return self.gave_up("failed", spans, &problem),
                Sent::Refused { problem } => return self.gave_up("refused", spans, &problem),
            }
        }
    }

    fn gave_up(&mut self, outcome: &'static str, spans: u64, problem: &str) {
        count(outcome, spans);
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(problem, "traces cannot be sent, and are dropped until they can");
        }
    }

    async fn post(&self, message: Bytes) -> Sent {
        let request = self.client.post(&self.endpoint).headers(self.headers.clone()).body(message);
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_builder() => return Sent::Refused { problem: told(error) },
            Err(error) => return Sent::Later { problem: told(error), after: None },
        };
        let status = answer.status();
        let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES {
                break; // of no use to anybody
            }
        }
        let problem = format!("the collector answered {}", status.as_u16());
        match status {
            status if status.is_success() => {
                let partly =
                    ExportTraceServiceResponse::decode(body.as_slice()).ok().and_then(|all| all.partial_success);
                let refused = partly.map_or(0, |partly| u64::try_from(partly.rejected_spans).unwrap_or(0));
                Sent::Taken { refused }
            }
            // Those that the protocol names.
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Sent::Later { problem, after: after.map(Duration::from_secs) },
            _ => Sent::Refused { problem },
        }
    }
}

/// Without the address, which may hold secrets.
fn told(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "the collector did not answer in time".to_owned();
    }
    let error = error.without_url();
    let cause = std::iter::successors(std::error::Error::source(&error), |error| (**error).source()).last();
    format!("{error}: {}", cause.map_or_else(String::new, ToString::to_string))
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await; // or nobody is there who could say so
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(endpoint: &str, share: f64, timeout_ms: u32, headers: &str) -> Config {
        let of = toml::Table::from_iter([("headers".to_owned(), headers.into())]);
        let config: Config = of.try_into().unwrap();
        Config { endpoint: endpoint.to_owned(), share, timeout_ms, ..config }
    }

    #[test]
    fn what_cannot_be_sent_to_is_found_before_anything_starts() {
        let of = |endpoint, share, timeout_ms, headers| config(endpoint, share, timeout_ms, headers).check();
        assert_eq!(of("", 1.0, 5_000, ""), Ok(()));
        assert_eq!(of("http://127.0.0.1:4318/v1/traces", 0.0, 100, "a=b"), Ok(()));
        for (endpoint, share, timeout_ms, headers, key) in [
            ("127.0.0.1:4318", 1.0, 5_000, "", "endpoint"),
            ("grpc://collector:4317", 1.0, 5_000, "", "endpoint"),
            ("http://", 1.0, 5_000, "", "endpoint"),
            ("https://me:hush@collector/v1/traces", 1.0, 5_000, "", "endpoint"),
            ("", 1.1, 5_000, "", "share"),
            ("", f64::NAN, 5_000, "", "share"),
            ("", 1.0, 0, "", "timeout_ms"),
            ("", 1.0, 5_000, "hush", "headers"),
            ("", 1.0, 5_000, "a b=hush", "headers"),
            ("", 1.0, 5_000, "a=hush%0a", "headers"),
            ("", 1.0, 5_000, "a=hush%", "headers"),
        ] {
            let problem = of(endpoint, share, timeout_ms, headers).unwrap_err().to_string();
            assert!(problem.starts_with(&format!("telemetry.traces.{key}: ")), "{problem}");
            assert!(!problem.contains("hush"), "{problem}");
        }
    }

    #[test]
    fn headers_are_read_as_others_write_them_and_shown_nowhere() {
        let config = config("", 1.0, 5_000, "Authorization=Bearer%20hush, x-scope = news ,,empty=");
        let headers = config.headers().unwrap();
        let of = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        assert_eq!(of("authorization"), Some(&b"Bearer hush"[..]));
        assert_eq!((of("x-scope"), of("empty")), (Some(&b"news"[..]), Some(&b""[..])));
        assert!(!format!("{config:?} {headers:?} {}", toml::to_string(&config).unwrap()).contains("hush"));
    }
}

//! Logs, metrics and traces. No personal data in any of them: no bodies, names, addresses, keys or query strings.

use std::convert::Infallible;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

pub mod traces;

use self::traces::Collecting;
use crate::app::way;

/// `[telemetry]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// `[telemetry.traces]`.
    pub traces: traces::Config,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `error`, `warn`, `info`, `debug` or `trace`; finer by module, as in `info,doorward::http=debug`.
    pub level: String,
    /// How a line is written.
    pub format: Format,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Text }
    }
}

impl Config {
    /// What is logged, and from which level.
    ///
    /// # Errors
    /// `level` is no filter.
    pub fn filter(&self) -> anyhow::Result<EnvFilter> {
        filter(&self.level).map_err(|error| anyhow::anyhow!("log.level: `{}`: {error}", self.level))
    }
}

/// Whoever's work says at `debug` what was asked of a database, with the texts and addresses in it: at `info`, whatever is asked for. And what is
/// traced goes to whoever collects it.
const DISCREET: [&str; 3] = ["tokio_postgres=info", "tokio_postgres_rustls=info", "doorward::way=off"];

fn filter(level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(level)?;
    if filter.max_level_hint().is_some_and(|most| most <= tracing::level_filters::LevelFilter::INFO) {
        return Ok(filter);
    }
    DISCREET.iter().try_fold(filter, |filter, directive| Ok(filter.add_directive(directive.parse()?)))
}

/// Starts logging to standard error. A second call changes nothing.
///
/// # Errors
/// `level` is no filter.
pub fn start_log(config: &Config) -> anyhow::Result<()> {
    let (filter, handle) = reload::Layer::new(config.filter()?);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().boxed(),
    };
    // The first one wins: tests start many services in one process.
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        let _ = FILTER.set(handle);
    }
    Ok(())
}

/// The same, and starts collecting traces where the settings say where to; for as long as the answer lives.
///
/// # Errors
/// `level` is no filter, or traces cannot be sent.
pub fn start(config: &Config, telemetry: &Telemetry) -> anyhow::Result<Option<Collecting>> {
    if !telemetry.traces.is_on() {
        return start_log(config).map(|()| None);
    }
    let (filter, handle) = reload::Layer::new(config.filter()?);
    let lines = fmt::layer().with_writer(std::io::stderr);
    // The filter is that of the lines alone: what is traced does not hang on what is logged.
    let lines = match config.format {
        Format::Text => lines.with_filter(filter).boxed(),
        Format::Json => lines.json().with_filter(filter).boxed(),
    };
    let (traced, collecting) = traces::layer(&telemetry.traces)?;
    if tracing_subscriber::registry().with(lines).with(traced).try_init().is_ok() {
        let _ = FILTER.set(handle);
        way::collect(way::Sampling { share: telemetry.traces.share, follow: telemetry.traces.follow });
    }
    Ok(Some(collecting))
}

/// What the log of this process is filtered by.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Logs from another level on, where [`start_log`] began.
///
/// # Errors
/// `level` is no filter; nothing changed.
pub fn set_level(level: &str) -> Result<(), String> {
    let filter = filter(level).map_err(|error| format!("`{level}`: {error}"))?;
    if let Some(handle) = FILTER.get() {
        handle.reload(filter).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Buckets of the time that webhooks take, in seconds: from at once to three days.
const LAG_S: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0];

/// Starts counting; answers what `/metrics` reads. In a process where somebody else counts already, it stays empty; several services of one process are counted together.
#[must_use]
pub fn start_metrics() -> PrometheusHandle {
    let lag = Matcher::Full("doorward_outbox_lag_seconds".to_owned());
    let builder = PrometheusBuilder::new();
    // Buckets cannot be refused: there are some.
    let builder = builder.set_buckets_for_metric(lag, LAG_S).unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    match metrics::set_global_recorder(recorder) {
        Ok(()) => COUNTS.get_or_init(|| handle).clone(),
        Err(_) => COUNTS.get().cloned().unwrap_or(handle),
    }
}

/// What this process counts: one for all services in it.
static COUNTS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Between two upkeeps, when nobody reads the metrics.
pub const UPKEEP: Duration = Duration::from_secs(5);

/// Sums up what was measured, every `period`, for as long as it is awaited. Reading `/metrics` does so too; where nobody reads, every
/// duration of every request would be kept until somebody does.
pub async fn keep_up(metrics: PrometheusHandle, period: Duration) -> Infallible {
    let mut ticks = tokio::time::interval(period);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_a_database_is_in_no_log() {
        for level in ["debug", "trace", "warn,doorward=debug"] {
            let filter = filter(level).expect("a level").to_string();
            assert!(filter.contains("tokio_postgres=info"), "{level}: {filter}");
        }
        assert_eq!(filter("info").expect("a level").to_string(), "info");
        assert!(filter("doorward=loud").is_err());
    }

    #[tokio::test]
    async fn durations_are_summed_up_although_nobody_reads_them() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        metrics::with_local_recorder(&recorder, || metrics::histogram!("took").record(4_711.25));
        // What it prints for debugging shows sums, not what is still to be summed up.
        let summed_up = || format!("{metrics:?}").contains("4711.25");
        assert!(!summed_up());
        let waited = async {
            while !summed_up() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = waited => {}
            never = keep_up(metrics.clone(), Duration::from_millis(1)) => match never {},
        }
    }
}

//! Logs and metrics. No personal data in either: no bodies, names, addresses, keys or query strings.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

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

/// Starts logging to standard error. A second call changes nothing.
///
/// # Errors
/// `level` is no filter.
pub fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&config.level).map_err(|error| anyhow::anyhow!("log.level: `{}`: {error}", config.level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The first one wins: tests start many services in one process.
    let _ = match config.format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
    Ok(())
}

/// Buckets of the time that webhooks take, in seconds: from at once to three days.
const LAG_S: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0];

/// Starts counting; answers what `/metrics` reads. In a process where somebody else counts already, ours stays empty.
#[must_use]
pub fn start_metrics() -> PrometheusHandle {
    let lag = Matcher::Full("doorward_outbox_lag_seconds".to_owned());
    let builder = PrometheusBuilder::new();
    // Buckets cannot be refused: there are some.
    let builder = builder.set_buckets_for_metric(lag, LAG_S).unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    let _ = metrics::set_global_recorder(recorder);
    handle
}

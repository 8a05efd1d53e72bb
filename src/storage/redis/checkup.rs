//! Whether what nodes share answers, and what time it is there.

use std::time::Duration;

use redis::AsyncConnectionConfig;

use super::Config;
use crate::domain::time::Timestamp;

/// For a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why it does not answer. Nothing of the address is repeated.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Silent(String);

/// Asks the server of `shared.url` for its time; `None` where there is no such setting.
///
/// # Errors
/// [`Silent`].
pub async fn time(config: &Config) -> Result<Option<Timestamp>, Silent> {
    let Some(url) = config.url.expose() else { return Ok(None) };
    // The first one wins, and all are the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let silent = |error: redis::RedisError| Silent(error.to_string());
    let client = redis::Client::open(url).map_err(|_| Silent("shared.url cannot be used".to_owned()))?;
    let patient =
        AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    let mut connection = client.get_multiplexed_async_connection_with_config(&patient).await.map_err(silent)?;
    let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await.map_err(silent)?;
    Ok(Some(Timestamp::from_millis(seconds.saturating_mul(1_000).saturating_add(micros / 1_000))))
}

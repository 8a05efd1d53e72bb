//! What a database shows of how the service fares; nothing is written, and nothing migrated.

use std::time::Duration;

use super::error::OpenError;
use super::open;
use crate::domain::time::Timestamp;
use crate::storage::Config;

/// For the whole of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Clone)]
pub struct Checkup {
    /// The version of its schema; `None` when nothing of ours is there yet.
    pub schema: Option<i64>,
    /// That of this program.
    pub known: i64,
    /// The database's clock.
    pub now: Timestamp,
    /// Connections that its server allows, and how many there are.
    pub connections: (i64, i64),
}

/// Asks the database that `config` names.
///
/// # Errors
/// [`OpenError`].
pub async fn checkup(config: &Config) -> Result<Checkup, OpenError> {
    let silent = |error: tokio::time::error::Elapsed| OpenError::Unreachable(Box::new(error));
    tokio::time::timeout(PATIENCE, ask(config)).await.map_err(silent)?
}

async fn ask(config: &Config) -> Result<Checkup, OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::Unreachable(Box::new(error));
    let (client, connection) = open::address(config)?.connect(open::tls()?).await.map_err(failed)?;
    let driven = tokio::spawn(connection);
    let read = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, current_setting('max_connections')::bigint, \
                (SELECT count(*) FROM pg_stat_activity), to_regclass('refinery_schema_history') IS NOT NULL";
    let row = client.query_one(read, &[]).await.map_err(failed)?;
    let schema = if row.get::<_, bool>(3) {
        let read = "SELECT max(version)::bigint FROM refinery_schema_history";
        client.query_one(read, &[]).await.map_err(failed)?.get(0)
    } else {
        None
    };
    let told = Checkup {
        schema,
        known: i64::from(open::schema_known()),
        now: Timestamp::from_millis(row.get(0)),
        connections: (row.get(1), row.get(2)),
    };
    drop(client);
    let _ = driven.await; // it ends with its client
    Ok(told)
}

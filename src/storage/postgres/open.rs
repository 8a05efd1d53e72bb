//! Opening: an address, a pool of connections, the schema, the secret.

use std::str::FromStr as _;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::db::Db;
use super::error::OpenError;
use super::patience;
use super::shared::Shared;
use crate::domain::store::StoreError;
use crate::storage::Config;
use crate::storage::derived::Derived;

mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// An opened database.
pub(super) struct Opened {
    pub pool: Pool,
    pub secret: [u8; 32],
}

/// What programs that migrate at the same moment take turns by: any number that nobody else uses.
const MIGRATION_LOCK: i64 = 0x646f_6f72_7761_7264;

/// In `meta`, from the first row of a move until all of it is here and verified.
pub(in crate::storage) const MOVING: &str = "moving";

/// Makes the schema when it is missing, brings it up to date when it is older, and opens the pool.
pub(super) async fn open(config: &Config) -> Result<Opened, OpenError> {
    let address = address(config)?;
    let tls = tls()?;
    let (mut client, connection) = address.connect(tls.clone()).await.map_err(unreachable)?;
    let driven = tokio::spawn(connection);
    let prepared = prepare(&mut client).await;
    drop(client);
    let _ = driven.await; // it ends with its client
    let secret = prepared?;
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(address, tls, recycling);
    let wait = Duration::from_millis(u64::from(config.busy_timeout_ms));
    let timeouts = Timeouts { wait: Some(wait), create: Some(wait), recycle: Some(wait) };
    let settled = Hook::async_fn(|client, _| {
        Box::pin(async move { client.batch_execute(&patience::settings()).await.map_err(HookError::Backend) })
    });
    let pool = Pool::builder(manager)
        .max_size(config.connections.clamp(2, 500))
        .runtime(Runtime::Tokio1)
        .timeouts(timeouts)
        .post_create(settled);
    Ok(Opened { pool: pool.build().map_err(|error| OpenError::Unreachable(Box::new(error)))?, secret })
}

/// Where the database is, and how its connections behave.
pub(super) fn address(config: &Config) -> Result<tokio_postgres::Config, OpenError> {
    // The error of the parser may repeat the address, and with it the password.
    let mut address =
        tokio_postgres::Config::from_str(&config.url).map_err(|_| OpenError::BadUrl("it cannot be parsed".into()))?;
    if address.get_hosts().is_empty() || address.get_user().is_none() {
        return Err(OpenError::BadUrl("a host and a user are needed".into()));
    }
    if address.get_application_name().is_none() {
        address.application_name("doorward");
    }
    if address.get_connect_timeout().is_none() {
        address.connect_timeout(Duration::from_millis(u64::from(config.busy_timeout_ms)));
    }
    patience::notice_silence(&mut address);
    Ok(address)
}

/// TLS as the address asks for it (`sslmode`), with the certificates that the machine trusts.
pub(super) fn tls() -> Result<MakeRustlsConnect, OpenError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| OpenError::Unreachable(Box::new(error)))?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn unreachable(error: tokio_postgres::Error) -> OpenError {
    OpenError::Unreachable(Box::new(error))
}

async fn prepare(client: &mut Client) -> Result<[u8; 32], OpenError> {
    check_version(client).await?;
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await.map_err(unreachable)?;
    let migrated = migrate(client).await;
    let secret = match migrated {
        Ok(()) => whole(client).await,
        Err(error) => Err(error),
    };
    client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await.map_err(unreachable)?;
    secret
}

/// The last migration that this build knows.
pub(super) fn schema_known() -> u32 {
    let migrations = embedded::migrations::runner();
    migrations
        .get_migrations()
        .iter()
        .filter_map(|migration| u32::try_from(migration.version()).ok())
        .max()
        .unwrap_or(0)
}

/// A connection for moving everything into this database. Nothing is written yet.
pub(in crate::storage) async fn to_move_into(config: &Config) -> Result<(Client, JoinHandle<()>), OpenError> {
    let (client, connection) = address(config)?.connect(tls()?).await.map_err(unreachable)?;
    let driven = tokio::spawn(async move { drop(connection.await) }); // whoever waits for an answer hears of its end
    check_version(&client).await?;
    Ok((client, driven))
}

/// Makes the schema when it is missing, and brings it up to date when it is older.
pub(in crate::storage) async fn up_to_date(client: &mut Client) -> Result<(), OpenError> {
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await.map_err(unreachable)?;
    let migrated = migrate(client).await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await.map_err(unreachable)?;
    migrated
}

/// The secret, unless everything else is still on its way here.
async fn whole(client: &Client) -> Result<[u8; 32], OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::Unreachable(Box::new(error));
    let read = "SELECT 1 FROM meta WHERE name = $1";
    if client.query_opt(read, &[&MOVING]).await.map_err(failed)?.is_some() {
        return Err(OpenError::HalfMoved);
    }
    secret(client).await
}

/// That what was opened is what is here still: nothing was moved here since, under whoever had opened the empty database.
pub(super) async fn unmoved(db: &Db, shared: &Shared) -> Result<(), StoreError> {
    let meta = db.query("SELECT name, value FROM meta WHERE name = 'secret' OR name = $1", &[&MOVING]).await?;
    let secret = meta.iter().find(|row| row.get::<_, &str>(0) != MOVING).map(|row| row.get::<_, Vec<u8>>(1));
    let known = secret.and_then(|secret| <[u8; 32]>::try_from(secret).ok());
    let is_known = known.is_some_and(|secret| Derived::new(&secret).uid_key == shared.uid_key);
    if is_known && meta.len() == 1 {
        return Ok(());
    }
    Err(StoreError::Corrupt("the database was moved into after this node had opened it; stop the node".to_owned()))
}

async fn check_version(client: &Client) -> Result<(), OpenError> {
    let version: String = client.query_one("SHOW server_version_num", &[]).await.map_err(unreachable)?.get(0);
    if version.parse::<u32>().unwrap_or(0) < 150_000 { Err(OpenError::TooOld(version)) } else { Ok(()) }
}

async fn migrate(client: &mut Client) -> Result<(), OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::Migration(Box::new(error));
    let runner = embedded::migrations::runner();
    let known = i32::try_from(schema_known()).unwrap_or(i32::MAX);
    let is_ours = "SELECT to_regclass('refinery_schema_history') IS NOT NULL AND to_regclass('meta') IS NOT NULL";
    if client.query_one(is_ours, &[]).await.map_err(failed)?.get(0) {
        let read = "SELECT convert_from(value, 'UTF8')::integer FROM meta WHERE name = 'needs'";
        let needed: i32 = client.query_one(read, &[]).await.map_err(failed)?.get(0);
        if needed > known {
            return Err(OpenError::Newer { needed, known });
        }
        let read = "SELECT coalesce(max(version), 0)::integer FROM refinery_schema_history";
        let found: i32 = client.query_one(read, &[]).await.map_err(failed)?.get(0);
        if found >= known {
            return Ok(()); // a newer program was here, and says that this one may work beside it
        }
    }
    let runner = runner.set_abort_divergent(false);
    runner.run_async(client).await.map_err(|error| OpenError::Migration(Box::new(error)))?;
    Ok(())
}

async fn secret(client: &Client) -> Result<[u8; 32], OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::Unreachable(Box::new(error));
    let mut fresh = [0_u8; 32];
    getrandom::fill(&mut fresh).map_err(|error| OpenError::Unreachable(Box::new(error)))?;
    let write = "INSERT INTO meta (name, value) VALUES ('secret', $1) ON CONFLICT (name) DO NOTHING";
    client.execute(write, &[&fresh.as_slice()]).await.map_err(failed)?;
    let read = "SELECT value FROM meta WHERE name = 'secret'";
    let secret: Vec<u8> = client.query_one(read, &[]).await.map_err(failed)?.get(0);
    let damaged = |_| OpenError::Unusable(StoreError::Corrupt("the secret in meta".to_owned()));
    secret.try_into().map_err(damaged)
}

//! Opening a database: schema, keys, connections, and a clear sentence for everything that can be wrong with a file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use super::errors::OpenError;
use super::index::Index;
use super::uid::Uids;
use super::writer::{Readers, Writer};
use super::SqliteStore;

mod migrations {
    refinery::embed_migrations!("migrations/sqlite");
}

/// `[database]`: where comments are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `sqlite:PATH`, relative to the configuration file.
    pub url: String,
    /// Connections for reading.
    pub readers: usize,
    /// Page cache of the writing connection, in MiB.
    pub cache_mib: u32,
    /// Milliseconds to wait for another process that writes.
    pub busy_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: "sqlite:doorward.db".to_owned(), readers: 2, cache_mib: 32, busy_timeout_ms: 5_000 }
    }
}

impl Config {
    /// The file that the URL names.
    ///
    /// # Errors
    /// [`OpenError::Url`]: no `sqlite:` URL.
    pub fn path(&self) -> Result<PathBuf, OpenError> {
        match self.url.strip_prefix("sqlite:") {
            Some("") => Err(OpenError::Url("names no file; write sqlite:PATH".to_owned())),
            Some(path) => Ok(PathBuf::from(path)),
            None if self.url.starts_with("postgres") => {
                Err(OpenError::Url("this build stores in SQLite only; write sqlite:PATH".to_owned()))
            }
            None => Err(OpenError::Url(format!("`{}` is not sqlite:PATH", self.url))),
        }
    }
}

impl SqliteStore {
    /// Opens (and creates or migrates) the database for taking comments: one process at a time.
    ///
    /// # Errors
    /// [`OpenError`], with a sentence for the operator.
    pub fn open_serving(config: &Config) -> Result<Self, OpenError> {
        let path = config.path()?;
        let lock = lock(&path)?;
        Self::open(config, &path, Some(lock))
    }

    /// Opens (and creates or migrates) the database for everything but taking comments; works beside a running `serve`.
    ///
    /// # Errors
    /// [`OpenError`], with a sentence for the operator.
    pub fn open_admin(config: &Config) -> Result<Self, OpenError> {
        let path = config.path()?;
        Self::open(config, &path, None)
    }

    fn open(config: &Config, path: &Path, serving: Option<File>) -> Result<Self, OpenError> {
        let name = path.display().to_string();
        let fail = |error: rusqlite::Error| file_error(&name, &error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            return Err(OpenError::File { path: name, problem: format!("there is no folder {}", folder.display()) });
        }
        let mut connection = connect(config, path, false).map_err(fail)?;
        migrate(&mut connection, &name)?;
        let key = uid_key(&connection).map_err(fail)?;
        let uids = Uids::new(&key).ok_or_else(|| OpenError::File { path: name.clone(), problem: "its key is empty".to_owned() })?;
        let (index, next) = if serving.is_some() { Index::load(&connection).map_err(fail)? } else { (Index::default(), 0) };
        let index = Arc::new(RwLock::new(index));
        let readers = (0..config.readers.clamp(1, 64)).map(|_| connect(config, path, true)).collect::<Result<_, _>>();
        let threads = |error: std::io::Error| OpenError::File { path: name.clone(), problem: format!("no thread could be started: {error}") };
        let readers = Readers::start(readers.map_err(fail)?).map_err(threads)?;
        let writer = Writer::start(connection, uids.clone(), Arc::clone(&index), next).map_err(threads)?;
        Ok(Self { writer, readers, index, uids, serving })
    }
}

fn connect(config: &Config, path: &Path, reading: bool) -> rusqlite::Result<Connection> {
    let access = if reading {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_millis(config.busy_timeout_ms))?;
    connection.set_prepared_statement_cache_capacity(64);
    if reading {
        return Ok(connection);
    }
    // Durable at COMMIT: the log is flushed before anyone is answered (ADR 2).
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_size", -i64::from(config.cache_mib) * 1024)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, name: &str) -> Result<(), OpenError> {
    let runner = migrations::migrations::runner();
    let known = runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0);
    let found: Option<i64> = connection
        .query_row("SELECT max(version) FROM refinery_schema_history", [], |row| row.get(0))
        .optional()
        .unwrap_or_default()
        .flatten();
    match found {
        Some(found) if found > known => Err(OpenError::Newer { path: name.to_owned(), found, known }),
        Some(found) if found == known => Ok(()),
        _ => {
            let migrated = runner.set_abort_divergent(true).run(connection);
            migrated.map(drop).map_err(|source| OpenError::Migration { path: name.to_owned(), source: Box::new(source) })
        }
    }
}

/// The key of this database's uids, made once.
fn uid_key(connection: &Connection) -> rusqlite::Result<Vec<u8>> {
    connection.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('uid_key', randomblob(32))", [])?;
    connection.query_row("SELECT value FROM meta WHERE name = 'uid_key'", [], |row| row.get(0))
}

/// A lock that the operating system releases when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let problem = |error: &dyn std::fmt::Display| OpenError::File { path: path.display().to_string(), problem: error.to_string() };
    let file = File::options().create(true).truncate(false).write(true).open(PathBuf::from(&name)).map_err(|error| {
        problem(&format!("its lock file {} cannot be opened: {error}", PathBuf::from(&name).display()))
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::Served(path.display().to_string())),
        Err(std::fs::TryLockError::Error(error)) => Err(problem(&error)),
    }
}

fn file_error(name: &str, error: &rusqlite::Error) -> OpenError {
    let problem = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "it is not an SQLite database".to_owned(),
        Some(ErrorCode::DatabaseCorrupt) => "it is damaged; restore a backup".to_owned(),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "it, or its folder, cannot be written; check owner and permissions".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another process keeps it locked".to_owned(),
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        Some(ErrorCode::CannotOpen) => "the file cannot be opened or created; check path and permissions".to_owned(),
        _ => error.to_string(),
    };
    OpenError::File { path: name.to_owned(), problem }
}

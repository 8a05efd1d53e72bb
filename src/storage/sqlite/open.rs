//! Opening a file: the one place that knows pragmas, migrations and locks, and turns every failure into a sentence.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::error::OpenError;
use super::moved;
use crate::storage::Config;

mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// `doorw` in ASCII, shortened to the four bytes that SQLite keeps for it: marks a file as ours.
const APPLICATION_ID: i32 = 0x646f_6f72;
/// 8 kB pages were 7 to 17 % cheaper than 4 kB ones.
const PAGE_BYTES: u32 = 8_192;
/// A bound on the log should the background checkpoints ever stop: 20,000 pages of 8 kB.
const WAL_PAGES_MAX: u32 = 20_000;

/// How long one try to empty the log may wait for readers; the writer waits with it.
const CHECKPOINT_WAIT_MS: u64 = 20;

/// A database file, opened for writing, with this build's schema.
pub(super) struct Opened {
    pub path: PathBuf,
    pub writer: Connection,
    /// Held as long as the store serves; nothing is read from it.
    pub lock: Option<File>,
    /// Random, made with the database.
    pub secret: [u8; 32],
}

/// Opens or makes the file; with `serving`, makes sure that nobody else takes comments in.
pub(super) fn open(config: &Config, serving: bool) -> Result<Opened, OpenError> {
    let path = config.path()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(OpenError::FolderMissing(folder.to_owned()));
    }
    let lock = if serving { Some(lock(&path)?) } else { None };
    let failed = |error| OpenError::of(&path, error);
    if !path.exists() {
        make(&path)?;
    }
    let mut writer = connect(config, &path)?;
    if writer.is_readonly("main").map_err(failed)? {
        return Err(OpenError::ReadOnly(path));
    }
    prepare(config, &path, &mut writer)?;
    if let Some(place) = moved::moved_to(&writer).map_err(failed)? {
        return Err(OpenError::Moved { path, place });
    }
    let secret = secret(&path, &writer)?;
    if serving {
        // A crash right after an erasure leaves the erased words in the log; now it is known that nobody needs them.
        writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)?;
    }
    Ok(Opened { path, writer, lock, secret })
}

/// An empty file for its owner alone, where there is none: what SQLite makes by itself, everybody may read. Files beside it get the same rights.
/// Another process may have been faster.
pub(super) fn make(path: &Path) -> Result<(), OpenError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            std::io::ErrorKind::AlreadyExists => Ok(()),
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Err(OpenError::ReadOnly(path.to_owned()))
            }
            std::io::ErrorKind::StorageFull => Err(OpenError::Full(path.to_owned())),
            _ => Err(OpenError::Io { path: path.to_owned(), source: error.into() }),
        },
    }
}

/// A file that is there, of this build's schema, opened for reading all of it as it is now.
pub(super) struct Whole {
    /// In a transaction.
    pub connection: Connection,
    /// Holds off whoever else would write.
    pub guard: Connection,
    /// The lock of whoever serves it.
    pub lock: File,
    pub secret: [u8; 32],
}

/// Opens such a file. Nothing is written to it, and nobody writes to it as long as this lives.
pub(super) fn whole(config: &Config) -> Result<Whole, OpenError> {
    let path = config.path()?;
    if !path.is_file() {
        return Err(OpenError::Missing(path));
    }
    let lock = lock(&path)?;
    let failed = |error| OpenError::of(&path, error);
    let connection = reader(config, &path)?;
    check_ours(&path, &connection)?;
    let guard = guard(config, &path)?;
    let runner = embedded::migrations::runner();
    let known = runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0);
    match schema_version(&connection).map_err(failed)? {
        Some(found) if found == known => {}
        Some(found) if found > known => return Err(OpenError::Newer { path, found, known }),
        _ => return Err(OpenError::Older(path)),
    }
    connection.execute_batch("BEGIN").map_err(failed)?;
    let read = "SELECT value FROM meta WHERE name = 'secret'";
    let secret = connection.query_row(read, [], |row| row.get::<_, [u8; 32]>(0)).optional().map_err(failed)?;
    let secret = secret.ok_or_else(|| OpenError::NotADatabase(path.clone()))?;
    Ok(Whole { connection, guard, lock, secret })
}

/// Commands need no lock to change a file, such as those that revoke a token or disable a person: one that said "done" now would be forgotten
/// with the file. SQLite lets one write at a time, and refuses them while this one could. It does not, not even what the log still holds.
fn guard(config: &Config, path: &Path) -> Result<Connection, OpenError> {
    let failed = |error| OpenError::of(path, error);
    let guard = connect(config, path)?;
    guard.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
    guard.execute_batch("BEGIN IMMEDIATE; PRAGMA query_only = ON").map_err(failed)?;
    Ok(guard)
}

/// Marks the file that `guard` holds as moved to `place`, or as not moved; then others may write to it again, who see the mark.
pub(super) fn mark(guard: &Connection, place: Option<&str>) -> rusqlite::Result<()> {
    guard.execute_batch("PRAGMA query_only = OFF")?;
    if guard.is_autocommit() {
        guard.execute_batch("BEGIN IMMEDIATE")?; // it was marked before
    }
    moved::mark(guard, place)?;
    guard.execute_batch("COMMIT")
}

/// A connection that only reads.
pub(super) fn reader(config: &Config, path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| OpenError::of(path, error);
    let reader = Connection::open_with_flags(path, flags).map_err(failed)?;
    tune(config, &reader, (config.cache_mb / 4).max(4)).map_err(failed)?;
    Ok(reader)
}

/// A connection for the background checkpoints: writes nothing of its own.
pub(super) fn checkpointer(config: &Config, path: &Path) -> Result<Connection, OpenError> {
    let failed = |error| OpenError::of(path, error);
    let connection = connect(config, path)?;
    tune(config, &connection, 1).map_err(failed)?;
    connection.busy_timeout(Duration::from_millis(CHECKPOINT_WAIT_MS)).map_err(failed)?;
    Ok(connection)
}

/// Held by whoever takes comments in; [`OpenError::Served`] when another one does.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::ReadOnly(path.to_owned())
        }
        std::io::ErrorKind::StorageFull => OpenError::Full(path.to_owned()),
        _ => OpenError::Io { path: path.to_owned(), source: source.into() },
    };
    let file = File::options().create(true).truncate(false).write(true).open(name).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Served(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

fn connect(config: &Config, path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| OpenError::of(path, error);
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_millis(u64::from(config.busy_timeout_ms))).map_err(failed)?;
    Ok(connection)
}

fn prepare(config: &Config, path: &Path, writer: &mut Connection) -> Result<(), OpenError> {
    let failed = |error| OpenError::of(path, error);
    check_ours(path, writer)?;
    writer.pragma_update(None, "page_size", PAGE_BYTES).map_err(failed)?; // counts only while the file is empty
    writer.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    tune(config, writer, config.cache_mb).map_err(failed)?;
    migrate(path, writer)?;
    if config.max_file_mb > 0 {
        let pages = i64::from(config.max_file_mb) * 1_048_576 / i64::from(PAGE_BYTES);
        writer.pragma_update(None, "max_page_count", pages).map_err(failed)?;
    }
    Ok(())
}

fn tune(config: &Config, connection: &Connection, cache_mb: u32) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(u64::from(config.busy_timeout_ms)))?;
    connection.set_prepared_statement_cache_capacity(128);
    // Or each statement with a bound LIMIT is prepared anew every time that it is asked: SQLite looks at the value to plan by it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let is_kept = config.scratch.is_none();
    connection.pragma_update(None, "synchronous", if is_kept { "FULL" } else { "OFF" })?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", is_kept)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_mb) * 1_024)
}

/// Refuses files of other programs before anything is written to them.
pub(super) fn check_ours(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |error| OpenError::of(path, error);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if tables == 0 {
        return Ok(());
    }
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    let history = schema_version(connection).map_err(failed)?;
    // A crash between the first migration and the mark leaves the one without the other.
    if id == APPLICATION_ID || (id == 0 && history.is_some()) {
        Ok(())
    } else {
        Err(OpenError::Foreign(path.to_owned()))
    }
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

/// The version that the file has; `None` when it has none of our making.
pub(super) fn schema_version(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let history = "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    if connection.query_row(history, [], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    connection.query_row("SELECT max(version) FROM refinery_schema_history", [], |row| row.get(0))
}

fn migrate(path: &Path, writer: &mut Connection) -> Result<(), OpenError> {
    let failed = |error| OpenError::of(path, error);
    let runner = embedded::migrations::runner();
    let known = runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0);
    let found = schema_version(writer).map_err(failed)?;
    match found {
        Some(found) if found > known => return Err(OpenError::Newer { path: path.to_owned(), found, known }),
        Some(found) if found == known => return Ok(()),
        _ => {}
    }
    if let Err(error) = runner.set_abort_divergent(false).run(writer) {
        // Another process may have done it at the same moment.
        if schema_version(writer).map_err(failed)? != Some(known) {
            return Err(OpenError::Io { path: path.to_owned(), source: Box::new(error) });
        }
    }
    writer.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)
}

fn secret(path: &Path, writer: &Connection) -> Result<[u8; 32], OpenError> {
    let mut fresh = [0_u8; 32];
    getrandom::fill(&mut fresh).map_err(|error| OpenError::Io { path: path.to_owned(), source: Box::new(error) })?;
    let failed = |error| OpenError::of(path, error);
    let read = || {
        let read = "SELECT value FROM meta WHERE name = 'secret'";
        writer.query_row(read, [], |row| row.get::<_, [u8; 32]>(0)).optional().map_err(failed)
    };
    if let Some(known) = read()? {
        return Ok(known);
    }
    // Two processes may be here at once: the first one's is kept.
    writer.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('secret', ?1)", [fresh]).map_err(failed)?;
    read()?.ok_or_else(|| OpenError::NotADatabase(path.to_owned()))
}

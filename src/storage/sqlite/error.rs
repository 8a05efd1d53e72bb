//! What went wrong, in words: at open for the operator, later for the port.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::domain::store::StoreError;

/// Why a database could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `postgres://…`, where only a file will do.
    #[error("database.url: names a PostgreSQL database; this needs a SQLite file, sqlite:PATH")]
    NotSqlite,
    /// Neither.
    #[error(
        "database.url: must be sqlite:PATH, as in sqlite:/var/lib/doorward/doorward.db, or postgres://USER:PASSWORD@HOST/DATABASE"
    )]
    BadUrl,
    /// The folder is not there.
    #[error("the folder {0} for the database does not exist; make it first")]
    FolderMissing(PathBuf),
    /// There is no such file, where one is needed.
    #[error("{0} does not exist")]
    Missing(PathBuf),
    /// Made by an earlier version, where it is not to be changed.
    #[error("{0} is of an earlier version; run `doorward migrate` on it first")]
    Older(PathBuf),
    /// A file of some other kind.
    #[error("{0} is no SQLite database, or it is damaged")]
    NotADatabase(PathBuf),
    /// A database of some other program.
    #[error("{0} is a SQLite database of another program")]
    Foreign(PathBuf),
    /// Made by a later version.
    #[error(
        "{path} has schema {found}, this build knows {known}; use the newer version of Doorward, or restore a backup"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// This build's.
        known: i64,
    },
    /// No right to write.
    #[error("{0} cannot be written; look at the rights of the file and of its folder")]
    ReadOnly(PathBuf),
    /// Somebody else holds it.
    #[error("{0} is locked by another process; wait for it to end")]
    Locked(PathBuf),
    /// Another `serve` runs on it.
    #[error("another doorward serves {0} already; only one process may take comments in")]
    Served(PathBuf),
    /// Everything was moved elsewhere.
    #[error(
        "everything in {path} was moved to {place}: set database.url to that; or, to go on with the file without what came there since, \
         `doorward move --from sqlite:{path} --reopen`"
    )]
    Moved {
        /// The file.
        path: PathBuf,
        /// Where it went.
        place: String,
    },
    /// The disk is full.
    #[error("there is no room left to write {0}")]
    Full(PathBuf),
    /// It opened, and what is in it cannot be read.
    #[error("what is stored in {path} cannot be used")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: StoreError,
    },
    /// The operating system said no.
    #[error("{path} could not be opened")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// The sentence for what SQLite said about `path`.
    pub(super) fn of(path: &std::path::Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::NotADatabase(path),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(path),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(path),
            Some(ErrorCode::DiskFull) => Self::Full(path),
            _ => Self::Io { path, source: Box::new(error) },
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, _)
                if !matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
            {
                Self::Unavailable(Box::new(error))
            }
            _ => Self::Corrupt(error.to_string()),
        }
    }
}

/// The store is closed, or closing.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

//! SQLite's errors in the store's words.

use rusqlite::ErrorCode;

use crate::domain::store::StoreError;

/// The store is closed, or its thread has ended.
pub(super) fn gone() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

/// What an SQLite error means to whoever asked.
pub(super) fn store_error(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(error.to_string()),
        Some(_) => StoreError::Unavailable(Box::new(error)),
        None => StoreError::Corrupt(error.to_string()), // a column of another type than expected
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither `sqlite:PATH` nor anything else that this build can use.
    #[error("database.url: {0}")]
    Url(String),
    /// Another `serve` has it.
    #[error("{0} is served by another process; only one at a time may take comments into it")]
    Served(String),
    /// The file, or its folder, cannot be used.
    #[error("the database {path} cannot be opened: {problem}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// It was made by a newer version.
    #[error("the database {path} was made by a newer version of Doorward (schema {found}, this one knows {known}); upgrade, or restore a backup")]
    Newer {
        /// Which file.
        path: String,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A migration failed.
    #[error("the database {path} could not be migrated")]
    Migration {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: Box<refinery::Error>,
    },
}

//! What went wrong, in words: at open for the operator, later for the port.

use tokio_postgres::error::SqlState;

use crate::domain::store::StoreError;

/// Why a database could not be opened. Nothing was changed, but for migrations that had been made before.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address cannot be read.
    #[error("database.url: is no address of a PostgreSQL database; write postgres://USER:PASSWORD@HOST/DATABASE")]
    BadUrl(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody answers, or says no.
    #[error("the PostgreSQL database cannot be reached, or does not let us in")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Too old.
    #[error("PostgreSQL {0} is too old: 15 or later is needed")]
    TooOld(String),
    /// Made by a later version that this one cannot work beside.
    #[error(
        "the database needs a program that knows schema {needed}, this build knows {known}; use the newer version of Doorward"
    )]
    Newer {
        /// What a program must know.
        needed: i32,
        /// What this build knows.
        known: i32,
    },
    /// Not everything has arrived yet.
    #[error(
        "a move into this database was begun and is not finished; run the same `doorward move` again, it goes on where it stopped"
    )]
    HalfMoved,
    /// The schema could not be made.
    #[error("the schema could not be brought up to date")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It opened, and what is in it cannot be read.
    #[error("what is stored cannot be used")]
    Unusable(#[from] StoreError),
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let is_damage = error.code().is_some_and(|code| {
            [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED, SqlState::UNDEFINED_COLUMN, SqlState::UNDEFINED_TABLE]
                .contains(code)
        });
        if is_damage { Self::Corrupt(error.to_string()) } else { Self::Unavailable(Box::new(error)) }
    }
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// What PostgreSQL said, when it was PostgreSQL that said no.
pub(super) fn code(error: &StoreError) -> Option<&SqlState> {
    let StoreError::Unavailable(source) = error else { return None };
    source.downcast_ref::<tokio_postgres::Error>()?.code()
}

/// Whether somebody else's transaction stood in the way: the same again may work.
pub(super) fn is_conflict(error: &StoreError) -> bool {
    code(error)
        .is_some_and(|code| [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE].contains(code))
}

/// Whether a partition was made by somebody else at the same moment, or cannot be made because what it is for lies in the partition for the
/// rest.
pub(in crate::storage) fn is_there_already(error: &StoreError) -> bool {
    let such = [SqlState::DUPLICATE_TABLE, SqlState::UNIQUE_VIOLATION, SqlState::CHECK_VIOLATION];
    code(error).is_some_and(|code| such.contains(code))
}

/// Whether what a partition is for lies in the partition for the rest.
pub(super) fn is_in_the_rest(error: &StoreError) -> bool {
    code(error) == Some(&SqlState::CHECK_VIOLATION)
}

/// The store is closed, or closing.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

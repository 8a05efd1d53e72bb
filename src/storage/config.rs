//! `[database]`: where the store lies, and how much of the machine it may use.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::sqlite::OpenError;

/// `[database]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `sqlite:PATH`: the folder must exist; the file is made when it is missing. Or `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: String,
    /// SQLite: threads that read, each with its own connection: 1 to 64.
    pub readers: usize,
    /// Page cache of the writing connection, in MiB; readers have a quarter of it each.
    pub cache_mb: u32,
    /// PostgreSQL: connections of this process at most, 2 to 500; a cluster's own limit counts all nodes together.
    pub connections: usize,
    /// How long a write waits for another process (a command, a backup) to let go of the file, in milliseconds; with PostgreSQL, how long for
    /// a connection.
    pub busy_timeout_ms: u32,
    /// The file does not grow over this many MiB; comments are then refused with 503. 0 for no limit but the disk's.
    pub max_file_mb: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "sqlite:doorward.db".to_owned(),
            readers: 2,
            cache_mb: 64,
            connections: 16,
            busy_timeout_ms: 5_000,
            max_file_mb: 0,
        }
    }
}

impl Config {
    /// Whether `url` names a PostgreSQL database.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres://") || self.url.starts_with("postgresql://")
    }

    /// The defaults, for a SQLite file at `path`.
    #[must_use]
    pub fn sqlite(path: &Path) -> Self {
        Self { url: format!("sqlite:{}", path.display()), ..Self::default() }
    }

    /// The SQLite file that `url` names.
    ///
    /// # Errors
    /// [`OpenError`] when it names none, or another engine.
    pub fn path(&self) -> Result<PathBuf, OpenError> {
        if self.is_postgres() {
            return Err(OpenError::NotSqlite);
        }
        match self.url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
            Some(path) if !path.trim().is_empty() => Ok(PathBuf::from(path)),
            _ => Err(OpenError::BadUrl),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(url: &str) -> Result<PathBuf, OpenError> {
        Config { url: url.to_owned(), ..Config::default() }.path()
    }

    #[test]
    fn a_sqlite_url_names_a_file() {
        for (url, path) in [
            ("sqlite:a.db", "a.db"),
            ("sqlite:/var/lib/a.db", "/var/lib/a.db"),
            ("sqlite:///var/lib/a.db", "/var/lib/a.db"),
        ] {
            assert_eq!(path_of(url).unwrap(), Path::new(path), "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_says_why_without_repeating_its_password() {
        for url in ["postgres://user:hunter2@db/doorward", "postgresql://user:hunter2@db/x"] {
            let error = path_of(url).unwrap_err();
            assert!(matches!(error, OpenError::NotSqlite), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        for url in ["", "sqlite:", "sqlite: ", "mysql://x", "a.db"] {
            assert!(matches!(path_of(url), Err(OpenError::BadUrl)), "{url}");
        }
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(toml::from_str::<Config>("reader = 3").is_err());
        assert_eq!(toml::from_str::<Config>("readers = 3").unwrap().readers, 3);
    }
}

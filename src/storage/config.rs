//! `[database]`: where the store lies, and how much of the machine it may use.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use super::postgres;
use super::sqlite::OpenError;

/// `[database]`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `sqlite:PATH`: the folder must exist; the file is made when it is missing. Or `postgres://USER:PASSWORD@HOST/DATABASE`.
    #[serde(serialize_with = "without_password")]
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
    /// PostgreSQL: days after which comments are dropped, a whole month at a time, with everything that is kept of them; 0 for never.
    pub retain_days: u32,
    /// No setting: the file is for a replay, and thrown away after it.
    #[serde(skip)]
    pub scratch: Option<Scratch>,
}

/// A SQLite file that is thrown away: nothing in it need survive the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scratch {
    /// What sanctions' targets are hashed with: the key of the database whose sanctions are replayed.
    pub target_key: [u8; 32],
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scratch")
    }
}

/// What is remembered of the past must not be dropped under it.
const RETAIN_MIN: u32 = 31;

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "sqlite:doorward.db".to_owned(),
            readers: 2,
            cache_mb: 16,
            connections: 16,
            busy_timeout_ms: 5_000,
            max_file_mb: 0,
            retain_days: 0,
            scratch: None,
        }
    }
}

impl Config {
    /// Whether `url` names a PostgreSQL database.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres://") || self.url.starts_with("postgresql://")
    }

    /// Whether `url` names something that can be opened. Its password is never repeated.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check(&self) -> Result<(), BadDatabase> {
        if self.retain_days > 0 && self.retain_days < RETAIN_MIN {
            return Err(BadDatabase(format!("database.retain_days: must be 0, or {RETAIN_MIN} and more")));
        }
        if self.retain_days > 0 && !self.is_postgres() {
            return Err(BadDatabase(
                "database.retain_days: comments are dropped by months with PostgreSQL only; write 0".to_owned(),
            ));
        }
        if self.is_postgres() {
            postgres::check(self).map_err(|error| BadDatabase(error.to_string()))
        } else {
            self.path().map(drop).map_err(|error| BadDatabase(error.to_string()))
        }
    }

    /// Where the database is, without its password.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        shown(&self.url)
    }

    /// `text`, in which somebody may have repeated where the database is, without its password.
    #[must_use]
    pub fn without_password(&self, text: &str) -> String {
        let text = text.replace(&self.url, &shown(&self.url));
        let Some((_, rest)) = self.url.split_once("://").filter(|_| self.is_postgres()) else { return text };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
        let password = user.split_once(':').map_or("", |(_, password)| password);
        let of_query = query.split('&').filter_map(|one| one.strip_prefix("password="));
        let secrets = std::iter::once(password).chain(of_query).filter(|secret| !secret.is_empty());
        secrets.fold(text, |text, secret| text.replace(secret, "[redacted]"))
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

/// A setting that names no database, or that this one cannot do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadDatabase(String);

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, readers, cache_mb, connections, busy_timeout_ms, max_file_mb, retain_days, scratch } = self;
        f.debug_struct("Config")
            .field("url", &shown(url))
            .field("readers", readers)
            .field("cache_mb", cache_mb)
            .field("connections", connections)
            .field("busy_timeout_ms", busy_timeout_ms)
            .field("max_file_mb", max_file_mb)
            .field("retain_days", retain_days)
            .field("scratch", scratch)
            .finish()
    }
}

fn without_password<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown(url))
}

/// The address without its password, wherever in it that stands.
fn shown(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| *scheme != "sqlite") else {
        return Cow::Borrowed(url);
    };
    let (rest, has_query) = rest.split_once('?').map_or((rest, false), |(rest, _)| (rest, true));
    let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    let user = user.split_once(':').map_or(Cow::Borrowed(user), |(name, _)| Cow::Owned(format!("{name}:[redacted]")));
    // A query may hold a password, too.
    let query = if has_query { "?[redacted]" } else { "" };
    let at = if user.is_empty() { "" } else { "@" };
    Cow::Owned(format!("{scheme}://{user}{at}{host}{query}"))
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
    fn comments_are_dropped_by_months_or_not_at_all() {
        let config = |url: &str, retain_days| Config { url: url.to_owned(), retain_days, ..Config::default() };
        let said = |config: Config| config.check().unwrap_err().to_string();
        assert!(said(config("sqlite:a.db", 90)).contains("database.retain_days"));
        assert!(said(config("postgres://u@db/d", 30)).contains("31"));
        assert!(config("postgres://u@db/d", 31).check().is_ok() && config("sqlite:a.db", 0).check().is_ok());
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, seen) in [
            ("sqlite:///a@b:c.db", "sqlite:///a@b:c.db"),
            ("postgres://ann:hunter2@db:5432/x", "postgres://ann:[redacted]@db:5432/x"),
            ("postgres://ann:hunt@er2@db/x", "postgres://ann:[redacted]@db/x"),
            ("postgres://ann@db/x?password=hunter2", "postgres://ann@db/x?[redacted]"),
            ("postgres://db/x", "postgres://db/x"),
        ] {
            let config = Config { url: url.to_owned(), ..Config::default() };
            assert!(toml::to_string(&config).unwrap().contains(seen), "{url}");
            assert!(format!("{config:?}").contains(seen), "{url}");
        }
    }

    #[test]
    fn a_text_loses_the_password_and_nothing_else() {
        let of = |url: &str, text: &str| Config { url: url.to_owned(), ..Config::default() }.without_password(text);
        let url = "postgres://ann:hunter2@db/x?password=swordfish";
        assert_eq!(of(url, &format!("{url} is away")), "postgres://ann:[redacted]@db/x?[redacted] is away");
        assert_eq!(of(url, "hunter2 or swordfish"), "[redacted] or [redacted]");
        assert_eq!(of("postgres://ann@db/x", "ann at db"), "ann at db");
        assert_eq!(of("sqlite:/a/b.db", "/a/b.db is locked"), "/a/b.db is locked");
    }

    #[test]
    fn an_address_of_either_engine_can_be_checked() {
        let check = |url: &str| Config { url: url.to_owned(), ..Config::default() }.check().map_err(|e| e.to_string());
        assert_eq!(check("sqlite:a.db"), Ok(()));
        assert_eq!(check("postgres://ann:hunter2@db,db2/x?target_session_attrs=read-write"), Ok(()));
        for url in ["postgres://", "postgres:///x", "postgres://ann:hunter2@db:port/x", "mysql://x"] {
            let refused = check(url).unwrap_err();
            assert!(refused.starts_with("database.url: ") && !refused.contains("hunter2"), "{url}: {refused}");
        }
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(toml::from_str::<Config>("reader = 3").is_err());
        assert_eq!(toml::from_str::<Config>("readers = 3").unwrap().readers, 3);
    }
}

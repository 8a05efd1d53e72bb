//! `[shared]`: where that lies which several nodes share.

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

/// `[shared]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `redis://HOST:PORT/DATABASE`, or `rediss://` for TLS; Redis or Valkey. Empty for one node alone.
    pub url: Address,
    /// Milliseconds that a comment waits for it at most, at each step; then this node goes on alone: 1 to 60000.
    pub timeout_ms: u64,
    /// What its keys begin with: services that share a Redis have different ones.
    pub prefix: String,
    /// Whose clock limits go by.
    pub clock: Whose,
    /// What happened lately, kept for nodes that were away, in comments and decisions: at least 1000.
    pub max_entries: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: Address::default(),
            timeout_ms: 50,
            prefix: "doorward".to_owned(),
            clock: Whose::Redis,
            max_entries: 100_000,
        }
    }
}

/// Whose clock limits go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// That of Redis: nodes' clocks need not agree.
    Redis,
    /// That of the node that asks: for tests, which set it.
    Node,
}

/// An address that may hold a password, which is not shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// The address, when there is one.
    #[must_use]
    pub fn expose(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|url| !url.is_empty())
    }

    fn shown(&self) -> String {
        match (self.0.split_once("://"), self.0.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://[redacted]@{host}"),
            (None, Some(_)) => "[redacted]".to_owned(),
            (_, None) => self.0.clone(),
        }
    }
}

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("shared.{key}: {problem}")]
pub struct BadShared {
    key: &'static str,
    problem: &'static str,
}

impl Config {
    /// Whether it can work. Nothing is opened.
    ///
    /// # Errors
    /// [`BadShared`], naming the key; a password in the address is not repeated.
    pub fn check(&self) -> Result<(), BadShared> {
        let bad = |key, problem| Err(BadShared { key, problem });
        if let Some(url) = self.url.expose() {
            let is_ours = url.starts_with("redis://") || url.starts_with("rediss://");
            if !is_ours || redis::Client::open(url).is_err() {
                return bad("url", "must be redis://HOST:PORT/DATABASE, or rediss:// for TLS");
            }
        }
        if !(1..=60_000).contains(&self.timeout_ms) {
            return bad("timeout_ms", "must lie within 1 and 60000");
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '{' | '}');
        if self.prefix.is_empty() || !self.prefix.chars().all(is_name) {
            return bad("prefix", "must be letters, digits, `-`, `_`, `:`, `{` and `}`");
        }
        if self.max_entries < 1_000 {
            return bad("max_entries", "must be at least 1000");
        }
        Ok(())
    }

    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_and_passwords_are_not_repeated() {
        let with = |url: &str| Config { url: Address(url.to_owned()), ..Config::default() };
        for url in ["", "redis://127.0.0.1:6379", "rediss://user:hunter2@cache.example:6380/2"] {
            assert_eq!(with(url).check(), Ok(()), "{url}");
        }
        for url in ["localhost:6379", "http://x", "redis://user:hunter2@host:port", "unix:/tmp/x:hunter2@y"] {
            let error = with(url).check().expect_err(url).to_string();
            assert!(error.starts_with("shared.url: ") && !error.contains("hunter2"), "{error}");
            assert!(!format!("{:?}", with(url)).contains("hunter2"), "{url}");
        }
        let shown = toml::to_string(&with("redis://:hunter2@host/1")).expect("TOML");
        assert!(shown.contains("redis://[redacted]@host/1"), "{shown}");
        for (timeout_ms, is_fine) in [(0, false), (1, true), (60_000, true), (60_001, false)] {
            assert_eq!(Config { timeout_ms, ..Config::default() }.check().is_ok(), is_fine, "{timeout_ms}");
        }
        assert!(Config { prefix: "a b".to_owned(), ..Config::default() }.check().is_err());
        assert!(Config { max_entries: 10, ..Config::default() }.check().is_err());
    }
}

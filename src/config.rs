//! The configuration: one file, the environment over it, validated whole before anything is opened.
//!
//! Every module has its settings beside its code; this is where they come together, and the only place that reads the environment.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::app::house::{ModerationConfig, TrustConfig};
use crate::domain::comment::Bounds;
use crate::{app, domain, http, storage, telemetry};

/// Everything that an operator can set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[server]`.
    pub server: http::Config,
    /// `[database]`.
    pub database: storage::Config,
    /// `[secrets]`.
    pub secrets: Secrets,
    /// `[metrics]`.
    pub metrics: Metrics,
    /// `[log]`.
    pub log: telemetry::Config,
    /// `[intake]`.
    pub intake: Bounds,
    /// `[limits]`.
    pub limits: app::limits::local::Config,
    /// `[trust]`.
    pub trust: TrustConfig,
    /// `[moderation]`.
    pub moderation: ModerationConfig,
    /// `[history]`.
    pub history: storage::memory::history::Config,
    /// `[model]`.
    pub model: Model,
    /// `[signals]`.
    pub signals: domain::signal::Config,
    /// `[policy]`.
    pub policy: domain::policy::Config,
}

/// `[secrets]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// The file with the key that secrets in the database are encrypted with; made on first start.
    pub key_file: PathBuf,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { key_file: PathBuf::from("doorward.key") }
    }
}

/// `[metrics]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// With it as bearer, `/metrics` answers from anywhere; without one, only from this machine.
    pub token: Secret,
}

/// `[model]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// Whether a classifier runs.
    pub enabled: bool,
    /// Its file; empty for the shipped one. The page statistics beside it (`background.bin`) come with it, where there are any.
    pub file: PathBuf,
}

impl Default for Model {
    fn default() -> Self {
        Self { enabled: true, file: PathBuf::new() }
    }
}

/// A secret setting: empty for none. Prints, and is written, as `[redacted]`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, when there is one.
    #[must_use]
    pub fn expose(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|secret| !secret.is_empty())
    }

    fn shown(&self) -> &'static str {
        if self.0.is_empty() { "" } else { "[redacted]" }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

/// Why a configuration was refused. Nothing was opened.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {problem}")]
    Read {
        /// Which file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A line of the file is wrong.
    #[error("{path}:{line}:{column}: {problem}")]
    Line {
        /// Which file.
        path: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// A variable of the environment is wrong.
    #[error("{variable} in the environment: {problem}")]
    Variable {
        /// Which one.
        variable: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// A value that can be read and cannot work.
    #[error("{0}")]
    Value(String),
}

/// What settings in the environment start with.
const PREFIX: &str = "DOORWARD__";
/// Used when it is there and no file was named.
const USUAL: &str = "config.toml";

impl Config {
    /// Reads `file`, or `config.toml` where there is one, and the environment over it.
    ///
    /// # Errors
    /// [`ConfigError`], with file, line and column, or the variable.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let usual = Path::new(USUAL);
        let path = file.or_else(|| usual.is_file().then_some(usual));
        let mut variables: Vec<(String, String)> =
            std::env::vars().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        Self::read(path, &variables)
    }

    /// Reads `path`, with `variables` over it. Paths in the file are relative to the file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: Option<&Path>, variables: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut text = String::new();
        if let Some(path) = path {
            let read = |error: std::io::Error| ConfigError::Read {
                path: path.display().to_string(),
                problem: error.to_string(),
            };
            text = std::fs::read_to_string(path).map_err(read)?;
            config = Self::parse(&text, &path.display().to_string())?;
        }
        if !variables.is_empty() {
            config = with_variables(&text, variables)?;
        }
        let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
        config.place_in(folder);
        config.check()?;
        Ok(config)
    }

    /// Reads TOML; `name` is named in errors.
    ///
    /// # Errors
    /// `Line`.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let before = text.get(..at).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |end| end + 1);
            ConfigError::Line {
                path: name.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
                problem: with_nearest(error.message()),
            }
        })
    }

    /// Makes relative paths relative to `folder`.
    pub fn place_in(&mut self, folder: &Path) {
        if folder.as_os_str().is_empty() {
            return;
        }
        self.secrets.key_file = folder.join(&self.secrets.key_file);
        if !self.model.file.as_os_str().is_empty() {
            self.model.file = folder.join(&self.model.file);
        }
        if let Some(path) = self.database.url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            self.database.url = format!("sqlite:{}", folder.join(path).display());
        }
    }

    /// Whether everything in it can work together. What needs files (model, database) is checked when they are opened.
    ///
    /// # Errors
    /// `Value`.
    pub fn check(&self) -> Result<(), ConfigError> {
        let value = |error: &dyn std::fmt::Display| ConfigError::Value(error.to_string());
        let ids: Vec<&str> = domain::signal::LIST.iter().map(|meta| meta.id).collect();
        domain::policy::Policy::new(self.policy.clone(), &ids).map_err(|error| value(&error))?;
        let background = std::sync::Arc::new(domain::relevance::Background::default());
        domain::signal::Signals::new(&self.signals, &domain::signal::Resources { background })
            .map_err(|error| value(&error))?;
        app::limits::local::LocalLimiter::new(&self.limits, 0).map_err(|error| value(&error))?;
        self.database.path().map_err(|error| value(&error))?;
        self.server.check().map_err(|error| value(&error))?;
        Ok(())
    }

    /// Names this configuration in verdicts: the beginning of the SHA-256 of everything that verdicts depend on.
    #[must_use]
    pub fn hash(&self) -> String {
        let part = (
            &self.signals,
            &self.policy,
            &self.moderation,
            &self.trust,
            &self.limits,
            &self.history,
            &self.model.enabled,
        );
        let digest = Sha256::digest(serde_json::to_vec(&part).unwrap_or_default());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The effective configuration as TOML, secrets redacted.
    ///
    /// # Errors
    /// It cannot be written as TOML, which no configuration that was read makes happen.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}

/// The file's settings with the environment's over them.
fn with_variables(text: &str, variables: &[(String, String)]) -> Result<Config, ConfigError> {
    let mut table: toml::Table = toml::from_str(text).map_err(|error| ConfigError::Value(error.to_string()))?;
    for (name, value) in variables {
        let wrong = |problem: String| ConfigError::Variable { variable: name.clone(), problem };
        let lower = name[PREFIX.len()..].to_lowercase();
        let path: Vec<&str> = lower.split("__").collect();
        let Some((last, sections)) = path.split_last().filter(|(last, _)| !last.is_empty()) else {
            return Err(wrong("names no setting; write DOORWARD__SECTION__KEY".to_owned()));
        };
        let mut place = &mut table;
        for section in sections {
            let entry = place.entry((*section).to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            place = entry.as_table_mut().ok_or_else(|| wrong(format!("`{section}` is no section")))?;
        }
        place.insert((*last).to_owned(), typed(value));
        // One at a time, so that the error names the variable that brought it.
        if let Err(error) = table.clone().try_into::<Config>() {
            // Text that happens to look like a number or a date is text all the same, where text is wanted.
            let mut as_text = table.clone();
            set(&mut as_text, &path, toml::Value::String(value.clone()));
            if as_text.clone().try_into::<Config>().is_err() {
                return Err(wrong(with_nearest(error.message())));
            }
            table = as_text;
        }
    }
    table.try_into().map_err(|error: toml::de::Error| ConfigError::Value(error.message().to_owned()))
}

fn set(table: &mut toml::Table, path: &[&str], value: toml::Value) {
    if let Some((last, sections)) = path.split_last() {
        let mut place = Some(table);
        for section in sections {
            place = place.and_then(|table| table.get_mut(*section)).and_then(toml::Value::as_table_mut);
        }
        if let Some(place) = place {
            place.insert((*last).to_owned(), value);
        }
    }
}

/// A value as TOML writes it (`true`, `5`, `["a"]`, `"text"`), or else plain text.
fn typed(value: &str) -> toml::Value {
    let parsed: Result<toml::Table, _> = toml::from_str(&format!("value = {value}"));
    parsed.ok().and_then(|mut table| table.remove("value")).unwrap_or_else(|| toml::Value::String(value.to_owned()))
}

/// Adds the nearest allowed name to serde's "unknown field `x`, expected one of `a`, `b`".
fn with_nearest(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((wrong, allowed)) if message.starts_with("unknown") => {
            let near =
                allowed.iter().max_by(|a, b| strsim::jaro_winkler(wrong, a).total_cmp(&strsim::jaro_winkler(wrong, b)));
            match near.filter(|near| strsim::jaro_winkler(wrong, near) > 0.7) {
                Some(near) => format!("{message}; did you mean `{near}`?"),
                None => message.to_owned(),
            }
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &str) -> Result<Config, ConfigError> {
        Config::read(None, &[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn the_shipped_file_says_every_setting_with_its_default_and_its_meaning() {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml")).expect("config.toml is there");
        assert_eq!(Config::parse(&text, "config.toml").expect("valid"), Config::default());
        let shipped: toml::Table = toml::from_str(&text).expect("TOML");
        let defaults = toml::Table::try_from(Config::default()).expect("TOML");
        assert_eq!(
            paths(&shipped, ""),
            paths(&defaults, ""),
            "config.toml does not name the same settings as the program"
        );
        let mut above = "";
        for (at, line) in text.lines().enumerate() {
            let is_key =
                line.contains(" = ") && !line.starts_with('#') && !line.starts_with(' ') && !line.starts_with('"');
            let listed = line.starts_with("name = ") || above.contains(" = "); // an entry of a list is explained once, above the list
            assert!(
                !is_key || above.starts_with('#') || listed,
                "line {}: `{line}` has no explanation above it",
                at + 1
            );
            above = line;
        }
    }

    fn paths(table: &toml::Table, before: &str) -> Vec<String> {
        let mut all = Vec::new();
        for (key, value) in table {
            match value {
                toml::Value::Table(inner) => all.extend(paths(inner, &format!("{before}{key}."))),
                _ => all.push(format!("{before}{key}")),
            }
        }
        all
    }

    #[test]
    fn what_a_category_does_not_say_keeps_that_categorys_own_default() {
        let config =
            Config::parse("[policy.abuse]\nreject = 0.99\n[policy.spam]\nprior = -1.0\n", "c.toml").expect("valid");
        let defaults = Config::default().policy;
        assert_eq!((config.policy.abuse.prior, config.policy.abuse.hold), (defaults.abuse.prior, defaults.abuse.hold));
        assert_eq!((config.policy.spam.hold, config.policy.off_topic), (defaults.spam.hold, defaults.off_topic));
    }

    #[test]
    fn mistakes_are_named_with_their_place_and_the_nearest_name() {
        let cases: &[(&str, &str)] = &[
            ("[server]\nlistn = \"x\"\n", "c.toml:2:1: unknown field `listn`"),
            ("[server]\nlistn = \"x\"\n", "did you mean `listen`?"),
            ("[signals.link_count]\nmax_host = 3\n", "did you mean `max_hosts`?"),
            ("[signals.link_count]\nmax_hosts = \"three\"\n", "c.toml:2:13: invalid type"),
            ("[policy.spam]\nhold = 1.5\n", "a score must lie within 0.0 and 1.0"),
            ("[policy.spam]\nprior = nan\n", "a weight must be a finite number"),
            ("[signals.shouting]\nmode = \"loud\"\n", "unknown variant `loud`"),
            ("[server\n", "c.toml:1:"),
            ("[serverr]\n", "did you mean `server`?"),
        ];
        for (text, expected) in cases {
            let error = Config::parse(text, "c.toml").expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_environment_overrides_and_its_mistakes_are_named() {
        let config = variable("DOORWARD__LIMITS__ENABLED", "false").expect("valid");
        assert!(!config.limits.enabled);
        let config = variable("DOORWARD__SERVER__LISTEN", "127.0.0.1:0").expect("plain text will do");
        assert_eq!(config.server.listen, "127.0.0.1:0");
        assert_eq!(
            variable("DOORWARD__METRICS__TOKEN", "12345")
                .expect("text that looks like a number")
                .metrics
                .token
                .expose(),
            Some("12345")
        );
        assert_eq!(
            variable("DOORWARD__SIGNALS__LINK_COUNT__MAX_HOSTS", "7").expect("valid").signals.link_count.max_hosts,
            7
        );
        let error = variable("DOORWARD__SERVER__LISTN", "x").expect_err("unknown").to_string();
        assert!(
            error.starts_with("DOORWARD__SERVER__LISTN in the environment: unknown field `listn`")
                && error.contains("`listen`?"),
            "{error}"
        );
        assert!(variable("DOORWARD__LIMITS__ENABLED", "perhaps").is_err());
    }

    #[test]
    fn values_that_cannot_work_are_refused_before_anything_is_opened() {
        let refused = |text: &str| {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("c.toml");
            std::fs::write(&file, text).expect("written");
            Config::read(Some(&file), &[]).expect_err(text).to_string()
        };
        assert!(refused("[policy.spam]\nhold = 0.99\n").contains("policy.spam.hold"));
        assert!(refused("[database]\nurl = \"mysql:x\"\n").contains("database.url"));
        assert!(refused("[server]\nlisten = \"everywhere\"\n").contains("server.listen"));
        assert!(refused("[[policy.exemptions]]\nroles = [\"staff\"]\nsignals = [\"no-such\"]\n").contains("`no-such`"));
    }

    #[test]
    fn paths_are_relative_to_the_file_and_secrets_are_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.toml");
        std::fs::write(&file, "[database]\nurl = \"sqlite:x.db\"\n[metrics]\ntoken = \"hush\"\n").expect("written");
        let config = Config::read(Some(&file), &[]).expect("valid");
        assert_eq!(config.database.path().expect("a path"), folder.path().join("x.db"));
        assert_eq!(config.metrics.token.expose(), Some("hush"));
        assert!(!format!("{config:?}").contains("hush") && !config.to_toml().expect("TOML").contains("hush"));
    }

    #[test]
    fn the_hash_names_what_verdicts_depend_on() {
        let mut config = Config::default();
        let before = config.hash();
        config.log.level = "debug".to_owned();
        assert_eq!(config.hash(), before);
        config.signals.link_count.max_hosts += 1;
        assert_ne!(config.hash(), before);
    }
}

//! The configuration: one file, the environment over it, validated whole before anything is opened.
//!
//! Every module has its settings beside its code; this is where they come together, and the only place that reads the environment.

pub mod aside;
mod candidate;
mod check;
mod environment;
mod error;
mod origins;
mod otel;
mod redact;
mod sites;
mod source;
mod taken;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::environment::{variables, with_variables};
pub use self::error::ConfigError;
use self::error::{at_its_line, at_line, place};
use crate::app::house::{ModerationConfig, TrustConfig};
use crate::app::secrets::Secret;
use crate::domain::comment::Bounds;
use crate::domain::rules::lists::ListText;
use crate::domain::rules::{ListConfig, RuleConfig, Rules};
use crate::{app, domain, http, storage, telemetry};

pub use self::origins::{Origin, Setting};
pub use self::redact::{Missing, redacted, restored};
pub use self::sites::SiteConfig;
pub use self::source::{Print, Read, Source};
pub use self::taken::different;

/// Everything that an operator can set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[server]`.
    pub server: http::Config,
    /// `[database]`.
    pub database: storage::Config,
    /// `[shared]`.
    pub shared: storage::redis::Config,
    /// `[secrets]`.
    pub secrets: Secrets,
    /// `[metrics]`.
    pub metrics: Metrics,
    /// `[log]`.
    pub log: telemetry::Config,
    /// `[telemetry]`.
    pub telemetry: telemetry::Telemetry,
    /// `[reload]`.
    pub reload: Reload,
    /// `[intake]`.
    pub intake: Bounds,
    /// `[limits]`.
    pub limits: app::limits::local::Config,
    /// `[trust]`.
    pub trust: TrustConfig,
    /// `[moderation]`.
    pub moderation: ModerationConfig,
    /// `[akismet]`.
    pub akismet: app::akismet::Config,
    /// `[webhooks]`.
    pub webhooks: app::outbox::Config,
    /// `[privacy]`.
    pub privacy: app::authors::Config,
    /// `[retention]`.
    pub retention: app::retention::Config,
    /// `[events]`.
    pub events: app::events::Config,
    /// `[console]`.
    pub console: app::sign_in::Config,
    /// `[sanctions]`.
    pub sanctions: app::sanctions::Config,
    /// `[reports]`.
    pub reports: domain::readers::Config,
    /// `[appeals]`.
    pub appeals: app::appeals::Config,
    /// `[learning]`.
    pub learning: app::learning::Config,
    /// `[sampling]`.
    pub sampling: app::sampling::Config,
    /// `[webhooks_in]`.
    pub webhooks_in: app::webhooks_in::Config,
    /// `[[sources]]`.
    pub sources: Vec<app::webhooks_in::source::SourceConfig>,
    /// `[history]`.
    pub history: storage::memory::history::Config,
    /// `[campaigns]`.
    pub campaigns: domain::campaign::Config,
    /// `[model]`.
    pub model: Model,
    /// `[backup]`.
    pub backup: Backup,
    /// `[backtest]`.
    pub backtest: app::backtests::Config,
    /// `[signals]`.
    pub signals: domain::signal::Config,
    /// `[policy]`.
    pub policy: domain::policy::Config,
    /// `[working_hours]`.
    pub working_hours: domain::service::hours::Config,
    /// `[[queues]]`.
    pub queues: Vec<domain::service::queues::QueueConfig>,
    /// `[notify]`.
    pub notify: app::notify::Config,
    /// `[[rules]]`.
    pub rules: Vec<RuleConfig>,
    /// `[lists.NAME]`.
    pub lists: BTreeMap<String, ListConfig>,
    /// `[sites.NAME]`.
    pub sites: BTreeMap<String, SiteConfig>,
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

/// `[reload]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reload {
    /// Milliseconds between two looks for changes of this file; what is found twice the same is taken. 0 for none but by SIGHUP.
    pub poll_ms: u32,
}

impl Default for Reload {
    fn default() -> Self {
        Self { poll_ms: 1_000 }
    }
}

impl Reload {
    /// Whether the file can be looked at so often.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        if matches!(self.poll_ms, 0 | 10..=3_600_000) {
            return Ok(());
        }
        Err("reload.poll_ms: must be 0, or lie within 10 and 3600000".to_owned())
    }
}

/// `[model]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// Whether a classifier runs.
    pub enabled: bool,
    /// Its file; empty for the shipped one. What relevance is measured with beside it (`background.bin`, `words.bin`,
    /// `relevance.json`) comes with it, where there is any.
    pub file: PathBuf,
}

impl Default for Model {
    fn default() -> Self {
        Self { enabled: true, file: PathBuf::new() }
    }
}

/// `[backup]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// Where `doorward backup` puts backups when it is not told where; empty for nowhere.
    pub folder: PathBuf,
    /// Days after which it removes the ones that it put there; 0 for never.
    pub keep_days: u32,
    /// Days after which the service removes what `doorward restore --force` moved aside; 0 for never.
    pub keep_replaced_days: u32,
    /// Hours after which `doorward doctor` finds that the latest one there is old.
    pub max_age_h: u32,
}

impl Default for Backup {
    fn default() -> Self {
        Self { folder: PathBuf::new(), keep_days: 14, keep_replaced_days: 14, max_age_h: 26 }
    }
}

/// Used when it is there and no file was named.
pub(crate) const USUAL: &str = "config.toml";

impl Config {
    /// Reads `file`, or `config.toml` where there is one, and the environment over it.
    ///
    /// # Errors
    /// [`ConfigError`], with file, line and column, or the variable.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Source::of(file)?.config()
    }

    /// Reads `path` once, with the environment over it: it may be a pipe, or `-` for standard input. What comes through one counts as lying beside
    /// `usual`.
    ///
    /// # Errors
    /// [`ConfigError`], with file, line and column, or the variable.
    pub fn load_once(path: &Path, usual: Option<&Path>) -> Result<Self, ConfigError> {
        let (text, is_file) = source::text_of_any(path)?;
        let place = if is_file { path } else { Self::file(usual).unwrap_or(Path::new(USUAL)) };
        let named = |error| match error {
            ConfigError::Line { line, column, problem, .. } if !is_file => {
                ConfigError::Line { path: path.display().to_string(), line, column, problem }
            }
            error => error,
        };
        Self::read_text(&text, Some(place), &variables(std::env::vars_os())?).map_err(named)
    }

    /// The file that [`Self::load`] reads, if it reads one.
    #[must_use]
    pub fn file(file: Option<&Path>) -> Option<&Path> {
        let usual = Path::new(USUAL);
        file.or_else(|| usual.is_file().then_some(usual))
    }

    /// The settings of `path` as they would be if it lay at `place`, with the environment over them.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load_as_if_at(path: &Path, place: &Path) -> Result<Self, ConfigError> {
        Self::read_text(&source::text_of(path)?, Some(place), &variables(std::env::vars_os())?)
    }

    /// Where whoever started this process wants to hear that it is ready (`sd_notify(3)`); `None` when nobody does.
    #[must_use]
    pub fn supervisor() -> Option<OsString> {
        std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())
    }

    /// The names of settings that stand in the environment.
    ///
    /// # Errors
    /// `Variable`: one is not UTF-8.
    pub fn in_environment() -> Result<Vec<String>, ConfigError> {
        Ok(variables(std::env::vars_os())?.into_iter().map(|(name, _)| name).collect())
    }

    /// Reads `path`, with `variables` over it. Paths in the file are relative to the file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: Option<&Path>, variables: &[(String, String)]) -> Result<Self, ConfigError> {
        Source::new(path, variables.to_vec()).config()
    }

    /// The same of what the file at `path` says, or would say.
    fn read_text(text: &str, path: Option<&Path>, variables: &[(String, String)]) -> Result<Self, ConfigError> {
        let name = path.map(|path| path.display().to_string()).unwrap_or_default();
        let mut config = Self::parse(text, &name)?;
        if let Some((at, setting)) = redact::first_redacted(text) {
            let problem =
                format!("{setting}: {} stands where a secret is not shown; write the secret itself", redact::REDACTED);
            return Err(at_line(text, &name, at, problem));
        }
        if !variables.is_empty() {
            config = with_variables(text, variables)?;
        }
        config.place_in(path.and_then(Path::parent).unwrap_or(Path::new("")));
        if path.is_some() {
            config.check_places(text, &name)?;
        }
        config.check()?;
        Ok(config)
    }

    /// Reads TOML; `name` is named in errors.
    ///
    /// # Errors
    /// `Line`.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        sites::check(text, name)?; // first, or what is wrong with a site's setting would be said of the whole site
        toml::from_str(text).map_err(|error| at_its_line(text, name, &error))
    }

    /// What can be told with its place in the file only while its text is at hand.
    fn check_places(&self, text: &str, name: &str) -> Result<(), ConfigError> {
        let Err(bad) = Rules::check(&self.rules, &self.lists) else { return Ok(()) };
        let Some(at) = origins::place_of_rule(text, &bad) else { return Err(ConfigError::Value(bad.to_string())) };
        let (line, column) = place(text, at);
        let problem = format!("{}: {}", bad.told(), bad.problem);
        Err(ConfigError::Line { path: name.to_owned(), line, column, problem })
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
        for list in self.lists.values_mut() {
            list.file = folder.join(&list.file);
        }
        if let Some(path) = self.database.url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            self.database.url = format!("sqlite:{}", folder.join(path).display());
        }
        if !self.notify.mail.ca_file.as_os_str().is_empty() {
            self.notify.mail.ca_file = folder.join(&self.notify.mail.ca_file);
        }
        if !self.backup.folder.as_os_str().is_empty() {
            self.backup.folder = folder.join(&self.backup.folder);
        }
        if !self.backtest.scratch.as_os_str().is_empty() {
            self.backtest.scratch = folder.join(&self.backtest.scratch);
        }
    }

    /// Files that it names and whose content is a part of it, such as lists of words: what changes in them is taken as what changes in the
    /// settings file is, and kept with it.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.lists.values().map(|list| list.file.clone()).collect()
    }

    /// Reads the files of all lists.
    ///
    /// # Errors
    /// `Read`: a file cannot be read, is no UTF-8, or is larger than a list may be.
    pub fn read_lists(&self) -> Result<Vec<ListText>, ConfigError> {
        self.read_lists_with(|_| None)
    }

    /// The same with what `given` has in the place of a file.
    fn read_lists_with(&self, given: impl Fn(&Path) -> Option<String>) -> Result<Vec<ListText>, ConfigError> {
        let read = |(name, list): (&String, &ListConfig)| {
            let wrong = |problem: String| ConfigError::Read { path: list.file.display().to_string(), problem };
            let told = |error: std::io::Error| wrong(format!("the list `{name}` cannot be read: {error}"));
            let text = match given(&list.file) {
                Some(text) => text,
                None => source::bytes_of(&list.file).and_then(source::utf8).map_err(told)?,
            };
            Ok(ListText { name: name.clone(), kind: list.kind, text })
        };
        self.lists.iter().map(read).collect()
    }

    /// Names this configuration in verdicts: the beginning of the SHA-256 of everything that verdicts depend on, what is on lists left out.
    #[must_use]
    pub fn hash(&self) -> String {
        self.hash_with(None)
    }

    /// The same with the digest of what is on lists: another entry is another configuration.
    #[must_use]
    pub fn hash_with(&self, lists: Option<[u8; 32]>) -> String {
        let part = (
            &self.signals,
            &self.policy,
            &self.moderation,
            &self.trust,
            &self.limits,
            &self.history,
            &self.campaigns,
            &self.model.enabled,
        );
        let mut digest = Sha256::new_with_prefix(serde_json::to_vec(&part).unwrap_or_default());
        // Only where there are some, so that configurations without them keep their names.
        if !self.rules.is_empty() || !self.lists.is_empty() || !self.sites.is_empty() {
            let kinds: BTreeMap<_, _> = self.lists.iter().map(|(name, list)| (name, list.kind)).collect();
            digest.update(serde_json::to_vec(&(&self.rules, kinds, &self.sites)).unwrap_or_default());
        }
        digest.update(lists.as_ref().map_or(&[][..], |lists| lists));
        let digest = digest.finalize();
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

#[cfg(test)]
mod tests {
    use super::*;

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

//! The configuration: one file, the environment over it, validated whole before anything is opened.
//!
//! Every module has its settings beside its code; this is where they come together, and the only place that reads the environment.

mod candidate;
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

use crate::app::house::{ModerationConfig, TrustConfig};
use crate::app::secrets::Secret;
use crate::domain::comment::Bounds;
use crate::domain::rules::lists::ListText;
use crate::domain::rules::{BadRule, ListConfig, RuleConfig, Rules, check_list_name};
use crate::{app, domain, http, net, storage, telemetry};

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
    /// Hours after which `doorward doctor` finds that the latest one there is old.
    pub max_age_h: u32,
}

impl Default for Backup {
    fn default() -> Self {
        Self { folder: PathBuf::new(), keep_days: 14, max_age_h: 26 }
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

    /// Whether everything in it can work together. What needs files (model, database) is checked when they are opened.
    ///
    /// # Errors
    /// `Value`.
    pub fn check(&self) -> Result<(), ConfigError> {
        let value = |error: &dyn std::fmt::Display| ConfigError::Value(error.to_string());
        self.check_rules()?;
        let ids = self.ids();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let weightless = self.weightless();
        let policy_fits = |policy: domain::policy::Config| {
            domain::policy::Policy::new(policy, &ids).and_then(|policy| policy.check_weightless(&weightless))
        };
        policy_fits(self.policy.clone()).map_err(|error| value(&error))?;
        let background = std::sync::Arc::new(domain::relevance::Background::default());
        let embedding = std::sync::Arc::new(domain::embedding::Embedding::default());
        let resources = domain::signal::Resources { background, embedding, weights: std::sync::Arc::default() };
        domain::signal::Signals::new(&self.signals, &resources).map_err(|error| value(&error))?;
        for (name, of) in &self.sites {
            let of_site = |error: &dyn std::fmt::Display| ConfigError::Value(format!("sites.{name}.{error}"));
            if !domain::site::Site::is_valid_name(name) {
                return Err(of_site(&"cannot be a site's name"));
            }
            let (signals, policy) = of.over(&self.signals, &self.policy).map_err(|error| of_site(&error))?;
            domain::signal::Signals::new(&signals, &resources).map_err(|error| of_site(&error))?;
            policy_fits(policy).map_err(|error| of_site(&error))?;
        }
        app::limits::local::LocalLimiter::new(&self.limits, 0).map_err(|error| value(&error))?;
        self.telemetry.traces.check().map_err(|error| value(&error))?;
        self.reports.check().map_err(|error| value(&error))?;
        self.database.check().map_err(|error| value(&error))?;
        self.shared.check().map_err(|error| value(&error))?;
        self.server.check().map_err(|error| value(&error))?;
        self.log.filter().map_err(|error| value(&error))?;
        self.reload.check().map_err(|error| value(&error))?;
        self.privacy.check().map_err(|error| value(&error))?;
        self.campaigns.check(self.history.window_days).map_err(|error| value(&error))?;
        self.learning.check().map_err(|error| value(&error))?;
        self.sampling.check().map_err(|error| value(&error))?;
        self.backtest.check().map_err(|error| value(&error))?;
        self.events.check().map_err(|error| value(&error))?;
        self.console.check().map_err(|error| value(&error))?;
        self.akismet.check().map_err(|error| value(&error))?;
        self.webhooks.check().map_err(|error| value(&error))?;
        net::guard::Guard::new(&self.webhooks.allow_hosts).map_err(|error| value(&error))?;
        self.webhooks_in.check().map_err(|error| value(&error))?;
        app::webhooks_in::source::Source::all(&self.sources).map_err(|error| value(&error))?;
        self.notify.check().map_err(ConfigError::Value)?;
        net::mail::SmtpMail::new(&self.notify.mail).map_err(|error| value(&error))?;
        self.levels()?.check_rules(&self.rules).map_err(ConfigError::Value)?;
        Ok(())
    }

    /// Named queues, and by when they are to be answered.
    ///
    /// # Errors
    /// `Value`.
    pub fn levels(&self) -> Result<domain::service::Levels, ConfigError> {
        domain::service::Levels::new(&self.queues, &self.working_hours).map_err(ConfigError::Value)
    }

    fn check_rules(&self) -> Result<(), ConfigError> {
        for name in self.lists.keys() {
            check_list_name(name).map_err(|problem| ConfigError::Value(format!("lists.{name}: {problem}")))?;
        }
        Rules::check(&self.rules, &self.lists).map_err(|error: BadRule| ConfigError::Value(error.to_string()))
    }

    /// What exemptions, groups and composite rules may name: checks by their ids, rules as `rule:NAME`.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let signals = domain::signal::LIST.iter().map(|meta| meta.id.to_owned());
        signals.chain(self.rules.iter().map(|rule| format!("{}{}", domain::rules::RULE, rule.name))).collect()
    }

    /// Rules that add no weight above zero.
    fn weightless(&self) -> Vec<String> {
        let adds = |weight: &domain::scores::LogOdds| *weight > domain::scores::LogOdds::ZERO;
        let rules = self.rules.iter().filter(|rule| !rule.then.weight.as_ref().is_some_and(adds));
        rules.map(|rule| format!("{}{}", domain::rules::RULE, rule.name)).collect()
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

/// Line and column, from 1, of a byte of a text.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// What is wrong at a byte of a file's text.
fn at_line(text: &str, path: &str, at: usize, problem: String) -> ConfigError {
    let (line, column) = place(text, at);
    ConfigError::Line { path: path.to_owned(), line, column, problem }
}

fn at_its_line(text: &str, name: &str, error: &toml::de::Error) -> ConfigError {
    at_line(text, name, error.span().map_or(0, |span| span.start), with_nearest(error.message()))
}

/// Those of `all` that are ours, by name, and what those of OpenTelemetry stand for. The others are nobody's business here, and may be anything.
fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, ConfigError> {
    let meant = all.filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) || otel::is_known(name));
    let read = meant.map(|(name, value)| match (name.into_string(), value.into_string()) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        (name, _) => Err(ConfigError::Variable {
            variable: name.unwrap_or_else(|name| name.to_string_lossy().into_owned()),
            problem: "is not UTF-8".to_owned(),
        }),
    });
    let (mut variables, standard): (Vec<_>, Vec<_>) =
        read.collect::<Result<Vec<_>, _>>()?.into_iter().partition(|(name, _)| name.starts_with(PREFIX));
    for (name, value) in otel::as_ours(&standard.into_iter().collect())? {
        if !variables.iter().any(|(ours, _)| ours.eq_ignore_ascii_case(&name)) {
            variables.push((name, value));
        }
    }
    variables.sort();
    Ok(variables)
}

/// The file's settings with the environment's over them.
fn with_variables(text: &str, variables: &[(String, String)]) -> Result<Config, ConfigError> {
    let mut table: toml::Table = toml::from_str(text).map_err(|error| ConfigError::Value(error.to_string()))?;
    for (name, value) in variables {
        let wrong = |problem: String| ConfigError::Variable { variable: name.clone(), problem };
        let lower = name[PREFIX.len()..].to_lowercase();
        let parts: Vec<&str> = lower.split("__").collect();
        let Some((last, sections)) = parts.split_last().filter(|(last, _)| !last.is_empty()) else {
            return Err(wrong("names no setting; write DOORWARD__SECTION__KEY".to_owned()));
        };
        let mut place = &mut table;
        let mut sections = sections.iter();
        while let Some(section) = sections.next() {
            let entry = place.entry((*section).to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            place = match entry {
                toml::Value::Table(table) => table,
                // DOORWARD__SOURCES__FORUM__SECRET: the entry of the list that has this name.
                toml::Value::Array(list) => {
                    let name = sections.next().copied().unwrap_or_default();
                    named(list, name).ok_or_else(|| wrong(format!("no entry of `{section}` is named `{name}`")))?
                }
                _ => return Err(wrong(format!("`{section}` is no section"))),
            };
        }
        place.insert((*last).to_owned(), typed(value));
        // One at a time, so that the error names the variable that brought it.
        if let Err(error) = table.clone().try_into::<Config>() {
            // Text that happens to look like a number or a date is text all the same, where text is wanted.
            let mut as_text = table.clone();
            set(&mut as_text, &parts, toml::Value::String(value.clone()));
            if as_text.clone().try_into::<Config>().is_err() {
                return Err(wrong(with_nearest(error.message())));
            }
            table = as_text;
        }
    }
    table.try_into().map_err(|error: toml::de::Error| ConfigError::Value(error.message().to_owned()))
}

/// The table of a list whose `name` a variable spells: what variables' names cannot hold is `_` there.
fn named<'a>(list: &'a mut [toml::Value], name: &str) -> Option<&'a mut toml::Table> {
    let spelled = |table: &toml::Table| {
        let found = table.get("name").and_then(toml::Value::as_str)?;
        Some(found.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "_"))
    };
    list.iter_mut().filter_map(toml::Value::as_table_mut).find(|table| spelled(table).as_deref() == Some(name))
}

fn set(table: &mut toml::Table, path: &[&str], value: toml::Value) {
    if let Some((last, sections)) = path.split_last() {
        let mut place = Some(table);
        let mut sections = sections.iter();
        while let Some(section) = sections.next() {
            place = match place.and_then(|table| table.get_mut(*section)) {
                Some(toml::Value::Array(list)) => named(list, sections.next().copied().unwrap_or_default()),
                found => found.and_then(toml::Value::as_table_mut),
            };
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
    fn exemptions_and_composites_name_rules_only_where_that_has_an_effect() {
        let checked = |then: &str, policy: &str| {
            let text =
                format!("[[rules]]\nname = 'it'\nwhen = 'author.staff'\nthen = {then}\nreason = 'Because.'\n{policy}");
            let read = Config::parse(&text, "config.toml").and_then(|config| config.check());
            read.map_err(|error| error.to_string())
        };
        let exemption = "[[policy.exemptions]]\nroles = ['author']\nsignals = ['rule:it']\n";
        let composite = "[[policy.composites]]\nname = 'both'\ncategory = 'spam'\nall = ['rule:it', 'link-count']\nlog_odds = 1.0\ntext = 'Both.'\n";
        for (policy, key) in [(exemption, "exemptions.signals"), (composite, "composites.both.all")] {
            let refused = checked("{ action = 'hold' }", policy).expect_err("without any effect");
            assert!(refused.contains(key) && refused.contains("`rule:it` adds no weight"), "{refused}");
            assert_eq!(checked("{ category = 'spam', weight = 1.0 }", policy), Ok(()));
        }
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

    #[cfg(unix)]
    #[test]
    fn variables_of_others_may_be_anything_and_ours_are_text() {
        use std::os::unix::ffi::OsStringExt as _;
        let pair =
            |name: &[u8], value: &[u8]| (OsString::from_vec(name.to_owned()), OsString::from_vec(value.to_owned()));
        let others = [pair(b"LESSCHARSET\xff", b"x"), pair(b"OLDPWD", b"/tmp/\xe4"), pair(b"DOORWARD__A__B", b"1")];
        let found = variables(others.into_iter()).expect("ours are text");
        assert_eq!(found, [("DOORWARD__A__B".to_owned(), "1".to_owned())]);
        for (name, value) in [pair(b"DOORWARD__A__\xff", b"1"), pair(b"DOORWARD__A__B", b"\xff")] {
            let error = variables([(name, value)].into_iter()).expect_err("not text").to_string();
            assert!(
                error.starts_with("DOORWARD__A__") && error.ends_with("in the environment: is not UTF-8"),
                "{error}"
            );
        }
    }

    #[test]
    fn values_that_cannot_work_are_refused_before_anything_is_opened() {
        let refused = |text: &str| {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("c.toml");
            std::fs::write(&file, text).expect("written");
            Config::read(Some(&file), &[]).expect_err(text).to_string()
        };
        assert!(refused("[policy.spam]\nhold = 0.995\n").contains("policy.spam.hold"));
        assert!(refused("[database]\nurl = \"mysql:x\"\n").contains("database.url"));
        assert!(refused("[shared]\nurl = \"localhost\"\n").contains("shared.url"));
        assert!(refused("[server]\nlisten = \"everywhere\"\n").contains("server.listen"));
        assert!(refused("[log]\nlevel = \"a=b=c\"\n").contains("log.level: `a=b=c`"));
        assert!(refused("[webhooks]\nper_site = 0\n").contains("webhooks.per_site"));
        assert!(refused("[webhooks]\nallow_hosts = [\"a b\"]\n").contains("webhooks.allow_hosts"));
        assert!(refused("[[queues]]\nname = \"A\"\n").contains("queues: `A`: name"));
        assert!(refused("[notify.mail]\nserver = \"mail.example\"\nfrom = \"x\"\n").contains("notify.mail.from"));
        assert!(refused("[notify]\ndigest_hour = 24\n").contains("notify.digest_hour"));
        assert!(refused("[working_hours]\ntime_zone = \"Mars\"\n").contains("working_hours.time_zone: `Mars`"));
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
    fn secrets_of_sources_may_stand_in_the_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.toml");
        let text = "[[sources]]\nname = \"my-forum\"\nsite = \"news\"\npreset = \"discourse\"\n";
        std::fs::write(&file, text).expect("written");
        let read = |name: &str, value: &str| Config::read(Some(&file), &[(name.to_owned(), value.to_owned())]);
        for secret in ["hush", "123456"] {
            let config = read("DOORWARD__SOURCES__MY_FORUM__SECRET", secret).expect("valid");
            assert_eq!(config.sources[0].secret.expose(), Some(secret));
            assert!(!format!("{config:?}").contains(secret) && !config.to_toml().expect("TOML").contains(secret));
        }
        let missing = Config::read(Some(&file), &[]).expect_err("no secret").to_string();
        assert_eq!(missing, "sources: `my-forum`: secret is missing");
        let other = read("DOORWARD__SOURCES__FORUM__SECRET", "hush").expect_err("no such source").to_string();
        assert!(other.contains("no entry of `sources` is named `forum`"), "{other}");
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

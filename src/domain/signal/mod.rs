//! The checks: what they see, what they may answer, and the one list of them.
//!
//! A check is one file: its `//!` head is the operator's page (and `docs/signals.md`), below it its settings, its logic
//! and its tests. All checks run on every comment; none decides anything, [`super::policy`] does.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::category::Category;
use super::comment::Comment;
use super::embedding::{Embedding, Gist};
use super::fit::Weights;
use super::history::PastOf;
use super::known::Known;
use super::relevance::{Background, Page};
use super::scores::LogOdds;
use super::siblings::Siblings;
use super::terms::Terms;
use super::time::Timestamp;
use super::view::View;

/// Everything a check may look at. Fetched before any check runs.
#[derive(Debug)]
pub struct Context<'a> {
    /// The comment, normalised.
    pub comment: &'a Comment,
    /// What the comment's words are about.
    pub gist: &'a Gist,
    /// The comment's content words.
    pub terms: &'a Terms,
    /// What stands approved around it, without itself and its author's own; `NotApplicable` when nothing does.
    pub siblings: Known<&'a Siblings>,
    /// The parent's words, summed up; `None` when there is none, or it is not known.
    pub answered: Option<&'a Siblings>,
    /// The page that it stands under; `NotApplicable` when the site never sent more than its id.
    pub page: Known<&'a Page>,
    /// The comment that it answers, as folded text; `NotApplicable` when it answers none.
    pub parent: Known<&'a str>,
    /// What the past says.
    pub past: &'a PastOf,
    /// What the limits say.
    pub allowance: &'a Allowance,
    /// When it is judged.
    pub now: Timestamp,
    /// What several checks see in the comment.
    pub view: View,
}

/// What the limits said about a comment that was not refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Allowance {
    /// Within all limits.
    Within,
    /// Over a policy that holds.
    Hold {
        /// The policy's name.
        policy: String,
        /// Milliseconds until the policy would let such a comment through.
        retry_after_ms: u64,
    },
    /// Limits are switched off.
    Off,
    /// They were due and failed.
    Unavailable(String),
}

/// A part of a field as the site sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Span {
    /// Which field.
    pub field: Field,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A field that evidence may point into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// The body.
    #[serde(rename = "body")]
    Body,
    /// The author's name.
    #[serde(rename = "author.name")]
    AuthorName,
    /// The author's homepage.
    #[serde(rename = "author.url")]
    AuthorUrl,
    /// The author's e-mail address.
    #[serde(rename = "author.email")]
    AuthorEmail,
    /// The hidden form field.
    #[serde(rename = "honeypot")]
    Honeypot,
}

impl Span {
    /// All of a field that is `text`.
    #[must_use]
    pub fn whole(field: Field, text: &str) -> Self {
        Self { field, ..Self::body(0..text.len()) }
    }

    /// A part of the body, in bytes as sent.
    #[must_use]
    pub fn body(range: std::ops::Range<usize>) -> Self {
        let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        Self { field: Field::Body, start: at(range.start), end: at(range.end) }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It found what it looks for (or, with a negative weight, something that speaks against it).
    Hit {
        /// Log-odds added to the check's category.
        weight: LogOdds,
        /// One sentence for a moderator.
        evidence: String,
        /// Where to look.
        spans: Vec<Span>,
    },
    /// It looked and found nothing.
    Clear,
    /// The site did not send what it looks at. Shown, adds nothing, never holds.
    NotApplicable,
    /// It was due and failed. Policy holds the comment by default.
    Unavailable {
        /// Why, for operators.
        why: String,
    },
}

/// Whether a check counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It counts.
    #[default]
    Live,
    /// It runs and is shown, and does not count.
    Shadow,
    /// It does not run.
    Off,
}

/// A check's outcome, with what a reader needs to place it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// The check; borrowed where it is one of ours, so that looking and reading cost no copy of every name.
    #[serde(deserialize_with = "name_of_check")]
    pub id: Cow<'static, str>,
    /// The category that its weight counts for.
    pub category: Category,
    /// Whether it counted.
    pub mode: Mode,
    /// What it found.
    pub outcome: Outcome,
}

impl Evaluated {
    /// What it adds to its category: its weight, when it is live and hit.
    #[must_use]
    pub fn counted(&self) -> LogOdds {
        match (&self.outcome, self.mode) {
            (Outcome::Hit { weight, .. }, Mode::Live) => *weight,
            _ => LogOdds::ZERO,
        }
    }
}

/// One check. Pure: the same context gives the same outcome.
pub trait Signal: Send + Sync {
    /// Its name: kebab-case, stored with every decision, never renamed.
    fn id(&self) -> &'static str;
    /// The category that its weight counts for.
    fn category(&self) -> Category;
    /// Looks at one comment.
    fn evaluate(&self, ctx: &Context<'_>) -> Outcome;
}

/// What checks are made of besides their settings: files read at start, so that checks do no reading themselves.
#[derive(Debug, Clone)]
pub struct Resources {
    /// Word statistics of many pages.
    pub background: Arc<Background>,
    /// Word vectors.
    pub embedding: Arc<Embedding>,
    /// What likeness to a page and its comments is worth.
    pub weights: Arc<Weights>,
}

/// A setting that serde could read and the check cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signals.{section}.{key}: {problem}")]
pub struct BadSetting {
    /// The section under `[signals]`.
    pub section: &'static str,
    /// The key.
    pub key: String,
    /// One clause for the operator.
    pub problem: String,
}

/// What is known of a check without making one.
#[derive(Debug, Clone, Copy)]
pub struct Meta {
    /// Its id.
    pub id: &'static str,
    /// Its section under `[signals]`.
    pub section: &'static str,
    /// The category that its weight counts for by default.
    pub category: Category,
    /// Its source file, whose `//!` head is its page.
    pub source: &'static str,
}

impl Meta {
    /// The check's page: the `//!` head of its file, as Markdown, with fitted defaults (`{key}`) filled in.
    #[must_use]
    pub fn page(&self) -> String {
        let head = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        let mut page = head.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n");
        let settings = toml::Table::try_from(Config::default()).unwrap_or_default();
        for (key, value) in settings.get(self.section).and_then(toml::Value::as_table).into_iter().flatten() {
            page = page.replace(&format!("{{{key}}}"), &value.to_string());
        }
        page
    }

    /// The check's name for people: the title of its page without the id.
    #[must_use]
    pub fn title(&self) -> String {
        let page = self.page();
        let title = page.lines().next().unwrap_or_default().trim_start_matches("# ");
        title.split(" (`").next().unwrap_or_default().to_owned()
    }
}

/// The name of a check: our own where there is one of that name, or else what is written, as of a check of another version.
fn name_of_check<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'static, str>, D::Error> {
    struct Name;
    impl Visitor<'_> for Name {
        type Value = Cow<'static, str>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("the id of a check")
        }

        fn visit_str<E>(self, written: &str) -> Result<Self::Value, E> {
            let ours = LIST.iter().find(|check| check.id == written);
            Ok(ours.map_or_else(|| Cow::Owned(written.to_owned()), |check| Cow::Borrowed(check.id)))
        }
    }
    deserializer.deserialize_str(Name)
}

/// Declares the list of checks: one module, one settings section and one entry each, in the order shown to moderators.
/// A module offers `ID`, `CATEGORY`, `Config` (with a `mode` field), and `new(&Config, &Resources)`.
macro_rules! checks {
    ($($module:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// `[signals]`: one section for each check.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Config {
            $(
                #[doc = concat!("`[signals.", stringify!($module), "]`")]
                pub $module: $module::Config,
            )*
        }

        /// The list of checks.
        pub const LIST: &[Meta] = &[$(Meta {
            id: $module::ID,
            section: stringify!($module),
            category: $module::CATEGORY,
            source: include_str!(concat!(stringify!($module), ".rs")),
        }),*];

        fn build(config: &Config, resources: &Resources) -> Result<Vec<(Box<dyn Signal>, Mode)>, BadSetting> {
            Ok(vec![$((Box::new($module::new(&config.$module, resources)?) as Box<dyn Signal>, config.$module.mode)),*])
        }
    };
}

checks![
    link_count,
    repeated_link,
    unrelated_headline,
    off_topic,
    duplicate_text,
    campaign,
    blocklist,
    disguised_text,
    shouting,
    author_history,
    form_behaviour,
    limit_reached,
    link_text,
    host_shape,
    host_reputation,
    contact_details,
    author_name,
    author_url,
    flattery,
    begging,
    job_or_crypto_bait,
    language_mismatch,
    burst,
    reader_reports,
];

#[cfg(test)]
pub(in crate::domain) mod testing;

/// All checks, ready to run.
pub struct Signals {
    list: Vec<(Box<dyn Signal>, Mode)>,
}

impl Signals {
    /// Makes every check from its settings.
    ///
    /// # Errors
    /// [`BadSetting`] naming the section and key that a check cannot work with.
    pub fn new(config: &Config, resources: &Resources) -> Result<Self, BadSetting> {
        build(config, resources).map(|list| Self { list })
    }

    /// Runs every check that is not off, in the order of the list. A certain spam stops nothing: moderators need the
    /// whole picture, and training needs the data.
    #[must_use]
    pub fn evaluate(&self, ctx: &Context<'_>) -> Vec<Evaluated> {
        let running = self.list.iter().filter(|(_, mode)| *mode != Mode::Off);
        let mut outcomes = Vec::with_capacity(self.list.len());
        outcomes.extend(running.map(|(signal, mode)| Evaluated {
            id: Cow::Borrowed(signal.id()),
            category: signal.category(),
            mode: *mode,
            outcome: signal.evaluate(ctx),
        }));
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_is_listed_once_under_a_proper_name() {
        let ids: BTreeSet<&str> = LIST.iter().map(|meta| meta.id).collect();
        assert_eq!(ids.len(), LIST.len(), "an id is used twice");
        for meta in LIST {
            assert!(meta.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{} is not kebab-case", meta.id);
            assert_eq!(meta.id.replace('-', "_"), meta.section);
        }
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/signal");
        let files =
            std::fs::read_dir(folder).expect("sources are readable").map(|entry| entry.expect("readable").file_name());
        let files: BTreeSet<String> =
            files.map(|name| name.to_string_lossy().trim_end_matches(".rs").to_owned()).collect();
        let listed: BTreeSet<String> =
            LIST.iter().map(|meta| meta.section.to_owned()).chain(["mod".to_owned(), "testing".to_owned()]).collect();
        assert_eq!(files, listed);
    }

    #[test]
    fn every_page_has_its_four_points() {
        for meta in LIST {
            let page = meta.page();
            assert!(page.starts_with(&format!("# {} (`{}`)", meta.title(), meta.id)), "{}: {page}", meta.id);
            assert!(!page.contains(['{', '}']), "{}: a default is not filled in: {page}", meta.id);
            for point in ["Looks at", "Why", "Wrong when", "Settings"] {
                assert!(page.contains(&format!("- **{point}:** ")), "{} lacks `{point}`", meta.id);
            }
        }
    }

    #[test]
    fn every_setting_is_on_its_page() {
        let settings = toml::Table::try_from(Config::default()).expect("the settings are TOML");
        for meta in LIST {
            for key in settings[meta.section].as_table().expect("a section").keys() {
                assert!(meta.page().contains(&format!("`{key}`")), "{}: the page does not name `{key}`", meta.id);
            }
        }
        let again: Config = settings.try_into().expect("the settings are read as they were written");
        assert_eq!(again, Config::default());
    }

    #[test]
    fn default_settings_make_every_check() {
        let signals = Signals::new(&Config::default(), &Resources::default()).expect("the defaults are valid");
        let ids: Vec<&str> = signals.list.iter().map(|(signal, _)| signal.id()).collect();
        assert_eq!(ids, LIST.iter().map(|meta| meta.id).collect::<Vec<_>>());
    }
}

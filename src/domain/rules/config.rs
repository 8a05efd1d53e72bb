//! `[[rules]]` and `[lists]`: the settings.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use super::lists::Kind;
use crate::domain::category::Category;
use crate::domain::decision::Action;
use crate::domain::scores::LogOdds;
use crate::domain::signal::Mode;
use crate::domain::time::Timestamp;

/// `[[rules]]`: one rule that an operator wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Its name: small letters, digits and dashes; shown as `rule:NAME`, and kept with every decision that it had a part in.
    pub name: String,
    /// Of what it is true: an expression in the Common Expression Language.
    pub when: String,
    /// What it does then.
    pub then: Then,
    /// What a moderator reads.
    pub reason: String,
    /// On which sites; on all of them where none is named.
    #[serde(default)]
    pub sites: Vec<String>,
    /// Until when it is looked at; for good where nothing is said.
    #[serde(default, deserialize_with = "moment", skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Whether it counts.
    #[serde(default)]
    pub mode: Mode,
}

/// `then` of a rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Then {
    /// The category that `weight` counts for, and that a comment is held or rejected for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Log-odds added to the category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<LogOdds>,
    /// What becomes of the comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Marks that stay with the decision, and by which the queue is filtered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whose queue it waits in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

/// `[lists.NAME]`: words or hosts in a file of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListConfig {
    /// The file: one entry a line, notes behind `#`.
    pub file: PathBuf,
    /// What it holds.
    pub kind: Kind,
}

/// A moment, as text or as TOML writes moments.
fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Native(toml::value::Datetime),
    }
    let text = match Written::deserialize(from) {
        Ok(Written::Text(text)) => text,
        Ok(Written::Native(moment)) => moment.to_string(),
        Err(_) => return Err(serde::de::Error::custom("expected a moment such as 2026-12-01T00:00:00Z")),
    };
    Timestamp::parse(&text).map(Some).map_err(serde::de::Error::custom)
}

//! `[sites.NAME]`: what a site has of its own. It inherits everything else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::ConfigError;
use super::error::{at_its_line, with_nearest};
use crate::domain::{policy, signal};

/// `[sites.NAME]`: settings over the general ones, as far as they go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteConfig {
    /// `[sites.NAME.signals.…]`, as `[signals.…]`.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub signals: Table,
    /// `[sites.NAME.policy.…]`, as `[policy.…]`.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub policy: Table,
}

impl SiteConfig {
    /// The site's settings: its own over the general ones. Sections are joined key by key; a list of its own stands in the other's place.
    ///
    /// # Errors
    /// A sentence: a setting that there is not, or that is not of its kind.
    pub fn over(
        &self,
        signals: &signal::Config,
        policy: &policy::Config,
    ) -> Result<(signal::Config, policy::Config), String> {
        Ok((joined("signals", signals, &self.signals)?, joined("policy", policy, &self.policy)?))
    }
}

fn joined<T: Serialize + for<'de> Deserialize<'de>>(section: &str, general: &T, own: &Table) -> Result<T, String> {
    let told = |problem: &dyn std::fmt::Display| format!("{section}: {problem}");
    let mut table = Table::try_from(general).map_err(|error| told(&error))?;
    put_over(&mut table, own);
    table.try_into().map_err(|error: toml::de::Error| told(&with_nearest(error.message())))
}

/// Puts one table over another.
pub(super) fn put_over(table: &mut Table, own: &Table) {
    for (key, value) in own {
        match (table.get_mut(key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => put_over(under, over),
            _ => drop(table.insert(key.clone(), value.clone())),
        }
    }
}

/// Finds a site's setting that there is not, or that is not of its kind, with its line. Sites' sections are kept as tables, so that they say only
/// what they say; here they are read as what they stand over.
///
/// # Errors
/// `Line`.
pub(super) fn check(text: &str, name: &str) -> Result<(), ConfigError> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        sites: BTreeMap<String, Site>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Site {
        #[serde(default, rename = "signals")]
        _signals: signal::Config,
        #[serde(default, rename = "policy")]
        _policy: policy::Config,
    }
    if !text.contains("sites") {
        return Ok(()); // as most files: nothing is read twice
    }
    match toml::from_str::<File>(text) {
        Ok(file) => drop(file.sites),
        // What is no TOML at all is told once, by whoever reads all of it.
        Err(error) if toml::from_str::<Table>(text).is_ok() => return Err(at_its_line(text, name, &error)),
        Err(_) => {}
    }
    Ok(())
}

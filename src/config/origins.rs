//! Where settings come from: the program's defaults, a line of the file, a site's own section, the environment.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::environment::{PREFIX, variables};
use super::error::place;
use super::{Config, ConfigError, USUAL, sites};
use crate::domain::rules::BadRule;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of the file, from 1.
    Line(usize),
    /// A line of the site's own section, from 1.
    Site(usize),
    /// A variable of the environment.
    Variable(String),
}

/// A setting in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its path, as in `policy.spam.hold`.
    pub path: String,
    /// Its value as TOML.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

impl Config {
    /// Every setting in force on a site, secrets redacted, with where each comes from. `file` is what [`Config::load`] was given.
    ///
    /// # Errors
    /// [`ConfigError`]: the file or the environment changed meanwhile.
    pub fn settings_of(&self, file: Option<&Path>, site: &str) -> Result<Vec<Setting>, ConfigError> {
        let usual = Path::new(USUAL);
        let path = file.or_else(|| usual.is_file().then_some(usual));
        let text = match path {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| ConfigError::Read { path: path.display().to_string(), problem: error.to_string() })?,
            None => String::new(),
        };
        self.settings(&text, &variables(std::env::vars_os())?, site)
    }

    /// The same of a file's text and of variables.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn settings(
        &self,
        text: &str,
        variables: &[(String, String)],
        site: &str,
    ) -> Result<Vec<Setting>, ConfigError> {
        let value = |error: &dyn std::fmt::Display| ConfigError::Value(error.to_string());
        let mut of_site = self.clone();
        let own = of_site.sites.remove(site).unwrap_or_default();
        of_site.sites.clear();
        of_site.moderation.sites.retain(|name, _| name == site);
        of_site.rules.retain(|rule| rule.sites.is_empty() || rule.sites.iter().any(|name| name == site));
        let mut table = Table::try_from(&of_site).map_err(|error| value(&error))?;
        for (section, of) in [("signals", &own.signals), ("policy", &own.policy)] {
            if let Some(Value::Table(general)) = table.get_mut(section) {
                sites::put_over(general, of);
            }
        }
        let mode = of_site.moderation.sites.get(site).and_then(|of| of.mode);
        if let (Some(mode), Some(Value::Table(moderation))) = (mode, table.get_mut("moderation")) {
            let mode = Value::try_from(mode).map_err(|error| value(&error))?;
            moderation.insert("mode".to_owned(), mode);
        }
        let lines = lines(text).map_err(|error| value(&error))?;
        let named: BTreeMap<String, &str> = variables
            .iter()
            .map(|(name, _)| (name[PREFIX.len()..].to_lowercase().replace("__", "."), name.as_str()))
            .collect();
        let mut settings = Vec::new();
        flatten(&table, "", &mut settings);
        for setting in &mut settings {
            let own = match setting.path.as_str() {
                "moderation.mode" => format!("moderation.sites.{site}.mode"), // modes have their own place for sites
                path => format!("sites.{site}.{path}"),
            };
            // The nearest thing that is said: `[[rules]]` is said as a whole, and so is a list.
            let said = |path: &str| named.get(path).map(|name| Origin::Variable((*name).to_owned()));
            let by_site = said(&own).or_else(|| lines.get(&own).map(|line| Origin::Site(*line)));
            let general = || said(&setting.path).or_else(|| lines.get(&setting.path).map(|line| Origin::Line(*line)));
            setting.origin = by_site.or_else(general).unwrap_or(Origin::Default);
        }
        Ok(settings)
    }
}

fn flatten(table: &Table, before: &str, settings: &mut Vec<Setting>) {
    for (key, value) in table {
        let path = format!("{before}{key}");
        match value {
            Value::Table(inner) => flatten(inner, &format!("{path}."), settings),
            value => settings.push(Setting { path, value: value.clone(), origin: Origin::Default }),
        }
    }
}

/// The line on which each path of a file is said.
fn lines(text: &str) -> Result<BTreeMap<String, usize>, toml::de::Error> {
    fn walk(table: &DeTable<'_>, before: &str, text: &str, lines: &mut BTreeMap<String, usize>) {
        for (key, value) in table {
            let path = format!("{before}{}", key.get_ref());
            if let DeValue::Table(inner) = value.get_ref() {
                walk(inner, &format!("{path}."), text, lines);
            } else {
                lines.insert(path, place(text, key.span().start).0);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(DeTable::parse(text)?.get_ref(), "", text, &mut found);
    Ok(found)
}

/// Where in a file's text the part of a rule stands that was refused, in bytes.
pub(super) fn place_of_rule(text: &str, bad: &BadRule) -> Option<usize> {
    let parsed = DeTable::parse(text).ok()?;
    let DeValue::Array(rules) = parsed.get_ref().get("rules")?.get_ref() else { return None };
    let rule = rules.get(bad.number)?;
    let mut found: Option<&Spanned<DeValue<'_>>> = Some(rule);
    for part in bad.key.split('.') {
        let inside =
            found.and_then(|value| if let DeValue::Table(table) = value.get_ref() { table.get(part) } else { None });
        if inside.is_none() {
            break; // what is missing is told where it is missed
        }
        found = inside;
    }
    let span = found?.span();
    let Some((_, _, within)) = bad.at else { return Some(span.start) };
    Some(span.start + inside(&text[span], within))
}

/// Where in a text as TOML writes it the byte stands that is `at` in its value: exactly where it is written as it is, and else at its beginning.
fn inside(written: &str, at: usize) -> usize {
    let quotes =
        ["'''", "\"\"\"", "'", "\""].into_iter().find(|quotes| written.starts_with(quotes)).unwrap_or_default();
    let body = &written[quotes.len()..];
    // The first line's end behind three quotes is no part of the value.
    let skipped = match (quotes.len(), body) {
        (3, body) if body.starts_with("\r\n") => 2,
        (3, body) if body.starts_with('\n') => 1,
        _ => 0,
    };
    let is_as_written =
        !quotes.starts_with('"') || !body.as_bytes()[skipped..].iter().take(at + 1).any(|byte| *byte == b'\\');
    if is_as_written { quotes.len() + skipped + at } else { 0 }
}

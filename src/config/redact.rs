//! Settings files without their secrets, and with them again.
//!
//! What is secret is not listed here: it is whatever the settings themselves do not show ([`crate::app::secrets::Secret`], passwords in
//! addresses), so a new secret setting is hidden without anybody thinking of this module. Everything else of a file, its comments and its order, stays as
//! it was written.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;

/// Stands in the place of a secret, or of a part of one.
pub(super) const REDACTED: &str = "[redacted]";
/// Secrets of fewer bytes are not looked for elsewhere in a file: they would be found in words.
const SHORT: usize = 8;

/// A piece of text in a settings file.
struct Leaf {
    /// Where it belongs: sections and key; in a list, the entry's name, or else its number.
    path: Vec<String>,
    /// Where it is written, quotes included.
    at: Range<usize>,
    /// What it says.
    text: String,
    /// Its place in the tables that serialising makes: numbers in lists.
    place: Vec<String>,
}

/// All texts in a file, in the order in which they are written. None for a file that is no TOML.
fn leaves(text: &str) -> Vec<Leaf> {
    let Ok(table) = DeTable::parse(text) else { return Vec::new() };
    in_order(table.get_ref())
}

fn in_order(table: &DeTable<'_>) -> Vec<Leaf> {
    let mut all = Vec::new();
    of_table(table, &[], &[], &mut all);
    all.sort_by_key(|leaf| leaf.at.start);
    all
}

/// The texts of a file that may be broken somewhere: those on lines where nothing is wrong. And whether it is broken.
fn leaves_of_broken(text: &str) -> (Vec<Leaf>, bool) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let lines = |at: &Range<usize>| {
        let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        line(at.start)..=line(at.end.max(at.start + 1) - 1)
    };
    let bad: Vec<_> = errors.iter().map(|error| error.span().map_or(0..=usize::MAX, |at| lines(&at))).collect();
    let is_good = |leaf: &Leaf| {
        let here = lines(&leaf.at);
        !bad.iter().any(|bad| bad.start() <= here.end() && here.start() <= bad.end())
    };
    (in_order(table.get_ref()).into_iter().filter(is_good).collect(), !errors.is_empty())
}

fn of_table(table: &DeTable<'_>, path: &[String], place: &[String], all: &mut Vec<Leaf>) {
    for (key, value) in table {
        let with = |before: &[String]| [before, &[key.get_ref().to_string()]].concat();
        of_value(value, &with(path), &with(place), all);
    }
}

fn of_value(value: &Spanned<DeValue<'_>>, path: &[String], place: &[String], all: &mut Vec<Leaf>) {
    match value.get_ref() {
        DeValue::String(text) => {
            all.push(Leaf { path: path.to_vec(), at: value.span(), text: text.to_string(), place: place.to_vec() });
        }
        DeValue::Table(table) => of_table(table, path, place, all),
        DeValue::Array(list) => {
            for (at, entry) in list.iter().enumerate() {
                let name = match entry.get_ref() {
                    DeValue::Table(table) => table.get("name").and_then(|name| name.get_ref().as_str()),
                    _ => None,
                };
                let with = |before: &[String], name: String| [before, &[name]].concat();
                let number = at.to_string();
                of_value(
                    entry,
                    &with(path, name.map_or_else(|| number.clone(), str::to_owned)),
                    &with(place, number.clone()),
                    all,
                );
            }
        }
        _ => {}
    }
}

/// How a value is shown, if it is shown at all.
fn shown<'a>(all: &'a toml::Table, place: &[String]) -> Option<&'a str> {
    let (first, rest) = place.split_first()?;
    let mut value = all.get(first)?;
    for step in rest {
        value = match value {
            toml::Value::Array(list) => list.get(step.parse::<usize>().ok()?)?,
            value => value.get(step)?,
        };
    }
    value.as_str()
}

/// A settings file's text without its secrets. One that cannot be read as settings is not shown at all.
#[must_use]
pub fn redacted(text: &str) -> String {
    let Ok(config) = Config::parse(text, "") else { return String::new() };
    let Ok(all) = toml::Table::try_from(config) else { return String::new() };
    let mut hidden = text.to_owned();
    let mut secrets = Vec::new();
    for leaf in leaves(text).iter().rev() {
        let Some(seen) = shown(&all, &leaf.place).filter(|seen| seen.contains(REDACTED) && *seen != leaf.text) else {
            continue;
        };
        hidden.replace_range(leaf.at.clone(), &toml::Value::from(seen).to_string());
        secrets.push(leaf.text.clone());
    }
    // In a comment, as in "# was: ...", it is as good as in its place.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
        .into_iter()
        .filter(|secret| secret.len() >= SHORT)
        .fold(hidden, |text, secret| text.replace(&secret, REDACTED))
}

/// Where something stands for a secret: byte offset, and the setting.
#[must_use]
pub(super) fn first_redacted(text: &str) -> Option<(usize, String)> {
    let leaf = leaves(text).into_iter().find(|leaf| leaf.text.contains(REDACTED))?;
    Some((leaf.at.start, leaf.path.join(".")))
}

/// Why secrets cannot be put back.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing {
    /// Settings whose secrets were not found.
    pub settings: Vec<String>,
    /// Whether they were looked for in a file that is not TOML: they may be in it.
    pub in_broken: bool,
}

/// `text` with the secrets that `current` has in the same settings. A mistake elsewhere in `current` does not stand in the way.
///
/// # Errors
/// The settings whose secrets are not in `current`.
pub fn restored(text: &str, current: &str) -> Result<String, Missing> {
    let (there, in_broken) = leaves_of_broken(current);
    let mut whole = text.to_owned();
    let mut missing = Vec::new();
    for leaf in leaves(text).iter().rev().filter(|leaf| leaf.text.contains(REDACTED)) {
        match there.iter().find(|other| other.path == leaf.path && !other.text.contains(REDACTED)) {
            Some(other) => whole.replace_range(leaf.at.clone(), &current[other.at.clone()]),
            None => missing.insert(0, leaf.path.join(".")),
        }
    }
    if missing.is_empty() { Ok(whole) } else { Err(Missing { settings: missing, in_broken }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# was hush-hush-hush\n[database]\nurl = \"postgres://ada:pass-word@db/doorward\" # ours\n[metrics]\n\
        token = 'hush-hush-hush'\n[[sources]]\nname = \"forum\"\nsite = \"news\"\npreset = \"discourse\"\nsecret = \"\"\"first\"\"\"\n\
        [[sources]]\nname = \"wire\"\nsite = \"news\"\npreset = \"discourse\"\nsecret = \"second\"\n[policy.spam]\nhold = 0.4 # lately\n";

    #[test]
    fn secrets_go_and_everything_else_stays_as_it_was_written() {
        let seen = redacted(FILE);
        for secret in ["hush", "pass-word", "first", "second"] {
            assert!(!seen.contains(secret), "{seen}");
        }
        assert!(
            seen.starts_with("# was [redacted]\n[database]\nurl = \"postgres://ada:[redacted]@db/doorward\" # ours\n"),
            "{seen}"
        );
        assert!(seen.ends_with("[policy.spam]\nhold = 0.4 # lately\n"), "{seen}");
        assert_eq!(redacted(&seen), seen, "there is nothing left to hide");
        assert_eq!(redacted("[metrics]\ntoken = \"\"\n"), "[metrics]\ntoken = \"\"\n", "no secret, nothing hidden");
        assert_eq!(redacted("[metrics\ntoken = \"hush\"\n"), "", "of what cannot be read nobody knows what is secret");
    }

    #[test]
    fn secrets_come_back_from_the_settings_of_the_same_name_or_not_at_all() {
        let seen = redacted(FILE);
        let whole = restored(&seen, FILE).expect("all are there");
        assert_eq!(Config::parse(&whole, "").expect("valid"), Config::parse(FILE, "").expect("valid"));
        assert_eq!(first_redacted(&whole), None);
        let other = "[metrics]\ntoken = \"new\"\n[[sources]]\nname = \"wire\"\nsecret = \"third\"\n";
        let settings = vec!["database.url".to_owned(), "sources.forum.secret".to_owned()];
        assert_eq!(restored(&seen, other), Err(Missing { settings, in_broken: false }));
        let turned = "[database]\nurl = \"sqlite:a\"\n[[sources]]\nname = \"wire\"\nsecret = \"third\"\n[[sources]]\nname = \"forum\"\n\
            secret = \"fourth\"\n[metrics]\ntoken = \"new\"\n";
        let whole = Config::parse(&restored(&seen, turned).expect("all are there"), "").expect("valid");
        let secrets: Vec<_> = whole.sources.iter().map(|source| source.secret.expose()).collect();
        assert_eq!(secrets, [Some("fourth"), Some("third")], "each its own, whatever the order");
    }

    #[test]
    fn secrets_come_back_from_a_file_with_a_mistake_in_another_line() {
        let file =
            "[server]\nlisten = \"127.0.0.1:1\"\n[metrics]\ntoken = \"hush-hush\" # ours\n[log]\nlevel = \"info\"\n";
        let seen = redacted(file);
        for (good, bad) in [
            ("127.0.0.1:1\"", "127.0.0.1:1"),
            ("info\"", "info"),
            ("listen = \"", "listen = "),
            ("[server]", "[server"),
            ("[log]", "log]"),
        ] {
            assert_eq!(restored(&seen, &file.replace(good, bad)).as_deref(), Ok(file), "{bad}");
        }
        // Where the mistake is in the secret's own line, or swallows it, nobody can tell what it is.
        let settings = vec!["metrics.token".to_owned()];
        for (good, bad) in [("hush-hush\"", "hush-hush"), ("hush-hush", "hush\"hush"), ("= \"127", "= \"\"\"127")] {
            let missing = Missing { settings: settings.clone(), in_broken: true };
            assert_eq!(restored(&seen, &file.replace(good, bad)), Err(missing), "{bad}");
        }
    }
}

//! The environment over the file: which variables are ours, what setting each names, and how what it says is read.

use std::ffi::OsString;

use super::error::with_nearest;
use super::{Config, ConfigError, otel};

/// What settings in the environment start with.
pub(super) const PREFIX: &str = "DOORWARD__";

/// Those of `all` that are ours, by name, and what those of OpenTelemetry stand for. The others are nobody's business here, and may be anything.
pub(super) fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, ConfigError> {
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
pub(super) fn with_variables(text: &str, variables: &[(String, String)]) -> Result<Config, ConfigError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &str) -> Result<Config, ConfigError> {
        Config::read(None, &[(name.to_owned(), value.to_owned())])
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
}

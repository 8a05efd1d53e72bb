//! Settings that are tried and not taken: what somebody wrote over the network. Only what verdicts depend on is of interest in them, and they
//! open no file but those that are given along with them.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::environment::with_variables;
use super::error::at_line;
use super::source::Source;
use super::{Config, ConfigError};
use crate::domain::rules::lists::ListText;

/// What errors call the text.
const NAME: &str = "candidate";

impl Source {
    /// What the file would mean if it said `text`, and the lists that it names what `files` has of them, by their paths as the file writes them.
    ///
    /// Secrets may stand redacted in it, and where the database lies, who sends webhooks and the like stay as they are in `running`: nothing of
    /// that has a part in verdicts. A file that is not among `files`, or another model, is refused: whoever may try settings may not read this
    /// machine.
    ///
    /// # Errors
    /// [`ConfigError`], with line and column where the mistake has a place in the text.
    pub fn candidate(
        &self,
        text: &str,
        files: &[(String, String)],
        running: &Config,
    ) -> Result<(Config, Vec<ListText>), ConfigError> {
        let placed = |error: ConfigError| placed(text, error);
        let mut config = Config::parse(text, NAME)?;
        if !self.variables().is_empty() {
            config = with_variables(text, self.variables())?;
        }
        config.place_in(self.folder());
        config.database = running.database.clone();
        config.shared = running.shared.clone();
        config.secrets = running.secrets.clone();
        config.sources = running.sources.clone();
        config.metrics = running.metrics.clone();
        config.notify = running.notify.clone();
        config.telemetry = running.telemetry.clone();
        config.check_places(text, NAME)?;
        config.check().map_err(placed)?;
        if !config.model.file.as_os_str().is_empty() && config.model.file != running.model.file {
            let problem = "another model cannot be tried here; `doorward backtest` on the machine itself can";
            return Err(refused(text, "model.file", problem));
        }
        let given = |file: &Path| {
            let short = self.short(file);
            files.iter().find(|(name, _)| *name == short).map(|(_, text)| text.clone())
        };
        if let Some((name, list)) = config.lists.iter().find(|(_, list)| given(&list.file).is_none()) {
            let problem =
                format!("{} is not among the files that are known here; send it along", self.short(&list.file));
            return Err(refused(text, &format!("lists.{name}.file"), &problem));
        }
        let lists = config.read_lists_with(given)?;
        Ok((config, lists))
    }
}

impl Source {
    /// The files of a configuration's lists, as the settings file writes them.
    #[must_use]
    pub fn lists_of(&self, config: &Config) -> Vec<String> {
        config.files().iter().map(|file| self.short(file)).collect()
    }
}

/// A mistake that names its setting, with the setting's place.
fn placed(text: &str, error: ConfigError) -> ConfigError {
    let ConfigError::Value(problem) = &error else { return error };
    match problem.split([':', ' ']).next().and_then(|path| place_of_setting(text, path)) {
        Some(at) => at_line(text, NAME, at, problem.clone()),
        None => error,
    }
}

fn refused(text: &str, path: &str, problem: &str) -> ConfigError {
    placed(text, ConfigError::Value(format!("{path}: {problem}")))
}

/// The byte at which the value of `policy.spam.hold` stands, or of what it lies in. Entries of lists go by their names.
fn place_of_setting(text: &str, path: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut parts = path.split('.');
    let mut found = table.get_ref().get(parts.next()?)?;
    for part in parts {
        let inside = match found.get_ref() {
            DeValue::Table(table) => table.get(part),
            DeValue::Array(list) => list.iter().find(|entry| match entry.get_ref() {
                DeValue::Table(entry) => entry.get("name").and_then(|name| name.get_ref().as_str()) == Some(part),
                _ => false,
            }),
            _ => None,
        };
        let Some(inside) = inside else { break };
        found = inside;
    }
    Some(found.span().start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(text: &str, files: &[(&str, &str)]) -> Result<(Config, Vec<ListText>), String> {
        let source = Source::new(Some(Path::new("/etc/doorward/config.toml")), Vec::new());
        let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        source.candidate(text, &files, &Config::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn mistakes_have_a_place_also_where_settings_do_not_fit_together() {
        let cases: &[(&str, &str)] = &[
            ("[policy.spam]\nhodl = 0.4\n", "candidate:2:1: unknown field `hodl`"),
            ("[policy.spam\n", "candidate:1:"),
            ("# ours\n[policy.spam]\nhold = 0.995\n", "candidate:3:8: policy.spam.hold"),
            (
                "[[rules]]\nname = 'a'\nwhen = 'nonsense > 1'\nthen = { action = 'hold' }\nreason = 'x'\n",
                "candidate:3:",
            ),
            ("[log]\nlevel = 'a=b=c'\n", "candidate:2:9: log.level"),
        ];
        for (text, expected) in cases {
            let refused = tried(text, &[]).expect_err(text);
            assert!(refused.starts_with(expected), "{text}: {refused}");
        }
    }

    #[test]
    fn no_file_is_read_but_those_that_are_given() {
        let text = "[lists.coins]\nfile = 'coins.txt'\nkind = 'words'\n";
        let (_, lists) = tried(text, &[("coins.txt", "bitcoin\n")]).expect("it was given");
        assert_eq!(lists[0].text, "bitcoin\n");
        for file in ["/etc/passwd", "../../etc/passwd", "coins.txt"] {
            let refused = tried(&text.replace("coins.txt", file), &[("other.txt", "")]).expect_err(file);
            assert!(
                refused.starts_with("candidate:2:8: lists.coins.file: ") && refused.contains("send it along"),
                "{refused}"
            );
        }
        let refused = tried("[model]\nfile = '/etc/passwd'\n", &[]).expect_err("another model");
        assert!(refused.starts_with("candidate:2:8: model.file: "), "{refused}");
    }

    #[test]
    fn redacted_secrets_and_other_addresses_are_nobodys_business() {
        let text = "[database]\nurl = \"postgres://ada:[redacted]@db/doorward\"\n[metrics]\ntoken = \"[redacted]\"\n\
            [[sources]]\nname = \"forum\"\nsite = \"news\"\npreset = \"discourse\"\nsecret = \"[redacted]\"\n[policy.spam]\nhold = 0.4\n";
        let (config, _) = tried(text, &[]).expect("it can be tried");
        assert_eq!(config.database, Config::default().database);
        assert!((config.policy.spam.hold.get() - 0.4).abs() < 1e-9 && config.sources.is_empty());
    }

    #[test]
    fn the_place_of_a_setting_is_found_in_every_way_to_write_it() {
        for (text, path, at) in [
            ("[policy.spam]\nhold = 1\n", "policy.spam.hold", Some(21)),
            ("policy = { spam = { hold = 1 } }", "policy.spam.hold", Some(27)),
            ("[[rules]]\nname = 'a'\n[[rules]]\nname = 'b'\nwhen = 'x'\n", "rules.b.when", Some(49)),
            ("[policy.spam]\n", "policy.spam.hold", Some(0)),
            ("", "policy", None),
        ] {
            assert_eq!(place_of_setting(text, path), at, "{text}");
        }
    }
}

//! Whether everything in a configuration can work together: each section for itself, and what two of them say of one thing.

use super::{Config, ConfigError};
use crate::domain::rules::{BadRule, Rules, check_list_name};
use crate::{app, domain, net};

impl Config {
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
        self.retention.check().map_err(|error| value(&error))?;
        self.check_erased()?;
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

    /// That nobody is forgotten to have been erased while there may still be a copy that has them.
    fn check_erased(&self) -> Result<(), ConfigError> {
        let (backup, days) = (&self.backup, self.privacy.erasures_days);
        let is_kept = |name: &str, kept: &str| {
            Err(ConfigError::Value(format!(
                "privacy.erasures_days: {days} days are less than the {kept} of backup.{name}: who was erased would be back with such a copy, and \
                 nothing would say so; make it longer, or 0 for good"
            )))
        };
        if days == 0 {
            return Ok(());
        }
        if backup.keep_days == 0 && !backup.folder.as_os_str().is_empty() {
            return is_kept("keep_days", "0 (for good)");
        }
        if days < backup.keep_days {
            return is_kept("keep_days", &backup.keep_days.to_string());
        }
        if days < backup.keep_replaced_days {
            return is_kept("keep_replaced_days", &backup.keep_replaced_days.to_string());
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(refused("[server]\nbody_timeout_s = 0\n").contains("server.body_timeout_s"));
        assert!(
            refused("[server]\nmax_body_bytes = 2000000\nunknown_body_mb = 1\n").contains("server.unknown_body_mb")
        );
        assert!(refused("[log]\nlevel = \"a=b=c\"\n").contains("log.level: `a=b=c`"));
        assert!(refused("[webhooks]\nper_site = 0\n").contains("webhooks.per_site"));
        assert!(refused("[webhooks]\nallow_hosts = [\"a b\"]\n").contains("webhooks.allow_hosts"));
        assert!(refused("[[queues]]\nname = \"A\"\n").contains("queues: `A`: name"));
        assert!(refused("[notify.mail]\nserver = \"mail.example\"\nfrom = \"x\"\n").contains("notify.mail.from"));
        assert!(refused("[notify]\ndigest_hour = 24\n").contains("notify.digest_hour"));
        assert!(refused("[working_hours]\ntime_zone = \"Mars\"\n").contains("working_hours.time_zone: `Mars`"));
        assert!(refused("[retention]\nrejected_days = 40000\n").contains("retention.rejected_days"));
        assert!(refused("[[policy.exemptions]]\nroles = [\"staff\"]\nsignals = [\"no-such\"]\n").contains("`no-such`"));
    }

    #[test]
    fn who_was_erased_is_known_for_as_long_as_there_may_be_a_copy_with_them() {
        let check = |text: &str| Config::parse(text, "").expect("readable").check().map_err(|error| error.to_string());
        for (text, name, days) in [
            ("[privacy]\nerasures_days = 13\n", "backup.keep_days", "13 days are less than the 14 of"),
            ("[backup]\nkeep_days = 401\n", "backup.keep_days", "400 days are less than the 401 of"),
            ("[backup]\nfolder = \"b\"\nkeep_days = 0\n", "backup.keep_days", "less than the 0 (for good) of"),
            ("[backup]\nkeep_replaced_days = 500\n", "backup.keep_replaced_days", "less than the 500 of"),
        ] {
            let refused = check(text).expect_err(text);
            assert!(refused.starts_with("privacy.erasures_days: "), "{refused}");
            assert!(refused.contains(name) && refused.contains(days), "{refused}");
        }
        for text in [
            "[privacy]\nerasures_days = 14\n",
            "[privacy]\nerasures_days = 0\n[backup]\nfolder = \"b\"\nkeep_days = 0\nkeep_replaced_days = 0\n",
            "[backup]\nkeep_days = 0\n",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}

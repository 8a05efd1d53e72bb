//! Rules as they were under settings of before: which text of a rule was asked, and what it did then.
//!
//! Verdicts name the settings under which they were made. What is kept of those is no more than reading verdicts takes; a rule's name alone would
//! credit what people decided about one text to the next.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::places::Places;
use super::{RuleConfig, Told};
use crate::domain::category::Category;
use crate::domain::decision::Action;
use crate::domain::signal::Mode;
use crate::domain::time::Timestamp;

/// Names what a rule says: of what it is true and what it does. Its name, its reason, its sites, its mode and its end are no part of it, and neither is
/// how its expression is spaced or annotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TextId(u64);

impl std::fmt::Display for TextId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl TextId {
    /// Of a text that is only told apart from others.
    #[cfg(test)]
    pub(crate) const fn numbered(number: u64) -> Self {
        Self(number)
    }

    pub(super) fn of(rule: &RuleConfig) -> Self {
        let mut digest = Sha256::new();
        let mut add = |part: &str| {
            digest.update(part.len().to_le_bytes()); // or what ends here and what begins there could be moved
            digest.update(part);
        };
        for (token, _) in Places::of(&rule.when).tokens() {
            add(token);
        }
        add(""); // no token is that: here the expression ends
        let then = &rule.then;
        // A queue holds, whether or not that is said.
        let action = if then.queue.is_some() { Some(Action::Hold) } else { then.action };
        let weight = then.weight.map(|weight| weight.get().to_string());
        let parts = [
            then.category.map(Category::name),
            weight.as_deref(),
            action.map(|action| action.status().name()),
            then.queue.as_deref(),
        ];
        for (name, part) in ["category", "weight", "action", "queue"].iter().zip(parts) {
            if let Some(part) = part {
                add(name);
                add(part);
            }
        }
        for tag in then.tags.iter().collect::<BTreeSet<_>>() {
            add("tag");
            add(tag);
        }
        let digest = digest.finalize();
        Self(digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }
}

/// A rule as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Was {
    /// What it said.
    pub text: TextId,
    /// What became of a comment, besides what the weight made of it.
    pub action: Option<Action>,
    /// Whether it said no more than where a comment belongs.
    pub routes: bool,
    /// On which sites; on all of them where none is named.
    pub sites: BTreeSet<String>,
    /// Until when it was asked.
    pub expires: Option<Timestamp>,
    /// Whether it counted.
    pub mode: Mode,
}

impl From<&Told> for Was {
    fn from(told: &Told) -> Self {
        let Told { text, action, routes, expires, mode, .. } = *told;
        Self { text, action, routes, sites: told.sites.clone(), expires, mode }
    }
}

impl Was {
    /// Whether it was asked of comments of that site that came at that moment.
    #[must_use]
    pub fn is_asked(&self, site: &str, at: Timestamp) -> bool {
        self.mode != Mode::Off
            && (self.sites.is_empty() || self.sites.contains(site))
            && self.expires.is_none_or(|expires| at < expires)
    }
}

/// All rules of some settings, by the id under which they stand in verdicts.
pub type RuleSet = BTreeMap<String, Was>;

/// The rules that a settings file says, as far as they can be read: for what was in force once, under whatever version of this program.
#[must_use]
pub fn said_in(text: &str) -> RuleSet {
    let Ok(mut file) = toml::from_str::<toml::Table>(text) else { return RuleSet::new() };
    let Some(toml::Value::Array(rules)) = file.remove("rules") else { return RuleSet::new() };
    let rules = rules.into_iter().filter_map(|rule| rule.try_into::<RuleConfig>().ok());
    rules.map(|rule| (rule.id(), Was::from(&rule.told()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> RuleConfig {
        toml::from_str(&format!("name = \"it\"\nreason = \"Because.\"\n{text}")).expect("a rule")
    }

    #[test]
    fn a_rule_is_another_when_it_means_something_else_and_only_then() {
        let when = r#"when = 'comment.words > 3 && comment.folded.contains("a b")'"#;
        let written = rule(&format!("{when}\nthen = {{ action = \"hold\", tags = [\"a\", \"b\"] }}"));
        for same in [
            format!("{when}\nthen = {{ tags = [\"b\", \"a\"], action = \"hold\" }}\nmode = \"shadow\"\nsites = [\"news\"]"),
            "when = '''\ncomment.words>3 // three\n  && comment.folded.contains(\"a b\")'''\nthen = { action = \"hold\", tags = [\"a\", \"b\"] }"
                .to_owned(),
            format!("{when}\nthen = {{ action = \"hold\", tags = [\"a\", \"b\"] }}\nexpires = 2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(TextId::of(&rule(&same)), TextId::of(&written), "{same}");
        }
        for other in [
            format!("{when}\nthen = {{ action = \"reject\", tags = [\"a\", \"b\"] }}"),
            format!("{when}\nthen = {{ action = \"hold\", tags = [\"a\"] }}"),
            format!("{when}\nthen = {{ action = \"hold\", queue = \"a\", tags = [\"b\"] }}"),
            format!("{when}\nthen = {{ category = \"spam\", action = \"hold\", tags = [\"a\", \"b\"] }}"),
            format!("{when}\nthen = {{ category = \"spam\", weight = 1.0, action = \"hold\", tags = [\"a\", \"b\"] }}"),
            format!("{}\nthen = {{ action = \"hold\", tags = [\"a\", \"b\"] }}", when.replace("a b", "ab")),
            format!("{}\nthen = {{ action = \"hold\", tags = [\"a\", \"b\"] }}", when.replace('3', "4")),
        ] {
            assert_ne!(TextId::of(&rule(&other)), TextId::of(&written), "{other}");
        }
        let routes = rule("when = 'true'\nthen = { queue = \"a\" }");
        let holds = rule("when = 'true'\nthen = { queue = \"a\", action = \"hold\" }");
        assert_eq!(TextId::of(&routes), TextId::of(&holds), "a queue holds anyway");
    }

    #[test]
    fn rules_of_a_file_are_read_as_far_as_they_can_be() {
        let text = "[[rules]]\nname = \"a\"\nwhen = 'true'\nthen = { queue = \"legal\" }\nreason = \"r\"\nmode = \"shadow\"\n\
                    [[rules]]\nname = \"of-later\"\nunheard = 1\n";
        let read = said_in(text);
        let was = &read["rule:a"];
        assert_eq!((read.len(), was.action, was.routes, was.mode), (1, Some(Action::Hold), true, Mode::Shadow));
        assert_eq!(said_in("no settings"), RuleSet::new());
    }

    #[test]
    fn a_rule_was_asked_on_its_sites_and_until_it_ended() {
        let at = Timestamp::from_millis;
        let sites = BTreeSet::from(["news".to_owned()]);
        let of = |mode| Was {
            text: TextId(1),
            action: None,
            routes: false,
            sites: sites.clone(),
            expires: Some(at(10)),
            mode,
        };
        let live = of(Mode::Live);
        assert!(live.is_asked("news", at(9)) && of(Mode::Shadow).is_asked("news", at(9)));
        assert!(
            !live.is_asked("news", at(10)) && !live.is_asked("blog", at(9)) && !of(Mode::Off).is_asked("news", at(9))
        );
    }
}

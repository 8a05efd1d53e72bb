//! Named queues: `[[queues]]`, and which of them an item waits in.

use serde::{Deserialize, Serialize};

use crate::domain::category::Category;
use crate::domain::people::Reach;
use crate::domain::rules::{QUEUE, TAG, is_name};
use crate::domain::site::Site;

/// Queues at most: each one is asked about each kind of item.
const QUEUES_MAX: usize = 100;
/// Entries of one condition at most.
const ENTRIES_MAX: usize = 1_000;

/// One of `[[queues]]`: who waits there, and how soon to be answered. All given conditions must hold; of each, one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    /// Its name: small letters, digits and dashes. Rules route to it by this name.
    pub name: String,
    /// Sites by name; empty for all.
    pub sites: Vec<String>,
    /// Sections of articles; empty for all, and for none.
    pub sections: Vec<String>,
    /// Languages; `pt` is also `pt-BR`. Empty for all, and for unknown ones.
    pub langs: Vec<String>,
    /// Categories that items are held for; empty for all, and for other causes.
    pub categories: Vec<Category>,
    /// Tags of rules; empty for all, and for none.
    pub tags: Vec<String>,
    /// Whether only rules bring items here, by `then.queue`.
    pub rules_only: bool,
    /// Minutes of working hours within which an item is to be answered; 0 for no level.
    pub answer_within_min: u32,
}

/// What is known of an item that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits<'a> {
    /// Its site's name.
    pub site: &'a str,
    /// What it is held for.
    pub category: Option<Category>,
    /// Signals that hit, and marks of rules, parted by blanks.
    pub signals: &'a str,
    /// The article's section.
    pub section: Option<&'a str>,
    /// Its language.
    pub lang: Option<&'a str>,
}

impl QueueConfig {
    fn takes(&self, item: &Waits<'_>) -> bool {
        let Self { name: _, sites, sections, langs, categories, tags, rules_only, answer_within_min: _ } = self;
        let asked = |list: &[String]| if list.is_empty() { None } else { Some(list.to_vec()) };
        !rules_only
            && (sites.is_empty() || sites.iter().any(|site| site == item.site))
            && (sections.is_empty() || item.section.is_some_and(|section| sections.iter().any(|one| one == section)))
            && (langs.is_empty() || Reach { langs: asked(langs), ..Reach::ALL }.covers("", None, item.lang))
            && (categories.is_empty() || item.category.is_some_and(|category| categories.contains(&category)))
            && (tags.is_empty() || marks(item, TAG).any(|tag| tags.iter().any(|one| one == tag)))
    }

    fn check(&self) -> Result<(), String> {
        if !is_name(&self.name) || self.name == "none" {
            return Err("name: must be 1 to 64 small letters, digits and dashes, and not `none`".to_owned());
        }
        for (key, list) in
            [("sites", &self.sites), ("sections", &self.sections), ("langs", &self.langs), ("tags", &self.tags)]
        {
            if list.len() > ENTRIES_MAX {
                return Err(format!("{key}: has {} entries, at most {ENTRIES_MAX} are allowed", list.len()));
            }
            if list.iter().any(String::is_empty) {
                return Err(format!("{key}: an entry is empty"));
            }
        }
        if let Some(site) = self.sites.iter().find(|site| !Site::is_valid_name(site)) {
            return Err(format!("sites: `{site}` cannot be a site's name"));
        }
        if let Some(tag) = self.tags.iter().find(|tag| !is_name(tag)) {
            return Err(format!("tags: `{tag}` cannot be a tag of a rule: small letters, digits and dashes"));
        }
        let has_conditions = !(self.sites.is_empty()
            && self.sections.is_empty()
            && self.langs.is_empty()
            && self.categories.is_empty()
            && self.tags.is_empty());
        if self.rules_only && has_conditions {
            return Err("rules_only: nothing but rules brings items there, so it has no other conditions".to_owned());
        }
        Ok(())
    }
}

/// What rules marked an item with.
fn marks<'a>(item: &Waits<'a>, kind: &'static str) -> impl Iterator<Item = &'a str> {
    item.signals.split_ascii_whitespace().filter_map(move |signal| signal.strip_prefix(kind))
}

/// All of them, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queues(Vec<QueueConfig>);

impl Queues {
    /// Checked.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(all: &[QueueConfig]) -> Result<Self, String> {
        if all.len() > QUEUES_MAX {
            return Err(format!("queues: {} are named, at most {QUEUES_MAX} are allowed", all.len()));
        }
        for (at, queue) in all.iter().enumerate() {
            queue.check().map_err(|problem| format!("queues: `{}`: {problem}", queue.name))?;
            if all[..at].iter().any(|earlier| earlier.name == queue.name) {
                return Err(format!("queues: `{}`: the name is taken by an earlier one", queue.name));
            }
        }
        Ok(Self(all.to_vec()))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = &QueueConfig> {
        self.0.iter()
    }

    /// The one at that place.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&QueueConfig> {
        self.0.get(at)
    }

    /// The place of the one of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|queue| queue.name == name)
    }

    /// The place of the queue that an item waits in: the first to which a rule routed it, or else the first whose conditions hold.
    #[must_use]
    pub fn of(&self, item: &Waits<'_>) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let routed = self.0.iter().position(|queue| marks(item, QUEUE).any(|name| name == queue.name));
        routed.or_else(|| self.0.iter().position(|queue| queue.takes(item)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strings(all: &[&str]) -> Vec<String> {
        all.iter().map(|one| (*one).to_owned()).collect()
    }

    fn queue(name: &str) -> QueueConfig {
        QueueConfig { name: name.to_owned(), ..QueueConfig::default() }
    }

    fn queues() -> Queues {
        Queues::new(&[
            QueueConfig { sites: strings(&["news"]), categories: vec![Category::Abuse], ..queue("abuse") },
            QueueConfig { tags: strings(&["coins"]), ..queue("coins") },
            QueueConfig { rules_only: true, ..queue("legal") },
            QueueConfig { sections: strings(&["Sport"]), langs: strings(&["de", "pt"]), ..queue("sport") },
            QueueConfig { sites: strings(&["news"]), ..queue("rest") },
        ])
        .unwrap()
    }

    #[test]
    fn an_item_waits_in_the_first_queue_that_takes_it_or_where_a_rule_sent_it() {
        let item = Waits { site: "news", category: None, signals: "", section: None, lang: None };
        for (case, item, expected) in [
            ("nothing known but its site", item, Some("rest")),
            ("its category", Waits { category: Some(Category::Abuse), ..item }, Some("abuse")),
            ("another category", Waits { category: Some(Category::Spam), ..item }, Some("rest")),
            ("another site", Waits { site: "blog", category: Some(Category::Abuse), ..item }, None),
            ("a tag", Waits { site: "blog", signals: "shouting tag:coins", ..item }, Some("coins")),
            ("part of a tag", Waits { site: "blog", signals: "tag:coin tag:coins-2", ..item }, None),
            (
                "an earlier queue before a later one",
                Waits { category: Some(Category::Abuse), signals: "tag:coins", ..item },
                Some("abuse"),
            ),
            ("a rule", Waits { signals: "tag:coins queue:legal", ..item }, Some("legal")),
            (
                "a rule before conditions",
                Waits { category: Some(Category::Abuse), signals: "queue:rest", ..item },
                Some("rest"),
            ),
            ("two rules", Waits { signals: "queue:rest queue:legal", ..item }, Some("legal")),
            ("a rule that sends where nobody waits", Waits { signals: "queue:gone", ..item }, Some("rest")),
            (
                "section and language",
                Waits { site: "blog", section: Some("Sport"), lang: Some("pt-BR"), ..item },
                Some("sport"),
            ),
            ("section alone", Waits { site: "blog", section: Some("Sport"), ..item }, None),
            ("language alone", Waits { site: "blog", lang: Some("de"), ..item }, None),
            (
                "section in other letters",
                Waits { site: "blog", section: Some("sport"), lang: Some("de"), ..item },
                None,
            ),
        ] {
            let queues = queues();
            let found = queues.of(&item).and_then(|at| queues.get(at)).map(|queue| queue.name.as_str());
            assert_eq!(found, expected, "{case}");
        }
        assert_eq!(Queues::default().of(&item), None);
    }

    #[test]
    fn queues_that_cannot_work_are_refused_with_their_name() {
        for (wrong, problem) in [
            (queue("Legal"), "queues: `Legal`: name: must be 1 to 64 small letters, digits and dashes, and not `none`"),
            (queue("none"), "queues: `none`: name: must be 1 to 64 small letters, digits and dashes, and not `none`"),
            (
                QueueConfig { sites: strings(&["a b"]), ..queue("x") },
                "queues: `x`: sites: `a b` cannot be a site's name",
            ),
            (QueueConfig { sections: strings(&[""]), ..queue("x") }, "queues: `x`: sections: an entry is empty"),
            (
                QueueConfig { tags: strings(&["tag:coins"]), ..queue("x") },
                "queues: `x`: tags: `tag:coins` cannot be a tag of a rule: small letters, digits and dashes",
            ),
            (
                QueueConfig { rules_only: true, langs: strings(&["de"]), ..queue("x") },
                "queues: `x`: rules_only: nothing but rules brings items there, so it has no other conditions",
            ),
            (queue("first"), "queues: `first`: the name is taken by an earlier one"),
        ] {
            assert_eq!(Queues::new(&[queue("first"), wrong]), Err(problem.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn a_catch_all_at_the_end_leaves_nothing_out_and_takes_nothing_from_others(
            site in "news|blog",
            category in prop::option::of(prop::sample::select(Category::ALL.to_vec())),
            signals in "(shouting |tag:coins |queue:legal |queue:gone ){0,3}",
            section in prop::option::of("Sport|Local"),
            lang in prop::option::of("de|pt-BR|en"),
        ) {
            let item = Waits { site: &site, category, signals: &signals, section: section.as_deref(), lang: lang.as_deref() };
            let without = queues();
            let with = Queues::new(&without.iter().cloned().chain([queue("all")]).collect::<Vec<_>>()).unwrap();
            prop_assert_eq!(with.of(&item), without.of(&item).or(Some(without.len())));
        }
    }
}

//! Filters and orders as chips, with how many there would be.

use std::collections::BTreeMap;

use super::super::texts::Texts;
use super::card::signal_title;
use super::wish::Wish;
use crate::domain::category::Category;
use crate::domain::people::Person;
use crate::domain::store::QueuePage;

/// Chips of a group that stand in the open.
const OPEN: usize = 8;

/// A choice.
#[derive(Debug, Clone)]
pub(super) struct Chip {
    /// What it says.
    pub label: String,
    /// How many there would be; empty where that is not counted.
    pub n: String,
    /// Where it leads: to the choice, or back from it.
    pub href: String,
    /// Whether it is chosen.
    pub chosen: bool,
    /// A category's class, or none.
    pub tone: &'static str,
}

/// Choices of one kind.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// What they are choices of.
    pub label: &'static str,
    /// The first few.
    pub chips: Vec<Chip>,
    /// The others.
    pub more: Vec<Chip>,
}

/// The orders.
pub(super) fn sorts(wish: &Wish, t: &'static Texts) -> Vec<Chip> {
    let chosen = wish.get("sort").unwrap_or("priority");
    let chip = |(name, label): (&'static str, &'static str)| Chip {
        label: t.say(label).to_owned(),
        n: String::new(),
        href: wish.but("sort", (name != "priority").then_some(name)).href(),
        chosen: chosen == name,
        tone: "",
    };
    [("priority", "queue.by-priority"), ("oldest", "queue.by-oldest"), ("newest", "queue.by-newest")].map(chip).into()
}

/// The filters that there is a choice of, and those in force.
pub(super) fn groups(found: &QueuePage, wish: &Wish, me: &Person, t: &'static Texts) -> Vec<Group> {
    let plain = |name: &str| name.to_owned();
    let category = |name: &str| t.say(&format!("category.{name}")).to_owned();
    let signal = |name: &str| signal_title(name, t);
    let by_category = found.by_category.iter().filter(|(name, _)| *name != "none");
    let by_category: BTreeMap<_, _> = by_category.map(|(name, n)| (name.clone(), *n)).collect();
    let by_author = found.by_author_kind.iter().map(|(kind, n)| (kind.name().to_owned(), *n)).collect();
    let author = |name: &str| t.say(if name == "new" { "queue.author-new" } else { "queue.author-known" }).to_owned();
    let mine = |by: &String| if *by == me.email { "me".to_owned() } else { by.clone() };
    let mut by_assigned: BTreeMap<_, _> = found.by_assigned.iter().map(|(by, n)| (mine(by), *n)).collect();
    by_assigned.entry("me".to_owned()).or_insert(0);
    let assigned = |by: &str| match by {
        "me" => t.say("queue.mine").to_owned(),
        "none" => t.say("queue.free").to_owned(),
        other => other.to_owned(),
    };
    // Campaigns have no names: the end of ours tells them apart.
    let by_campaign = found.by_campaign.iter().map(|(uid, n)| (uid.to_string(), *n)).collect();
    let campaign = |uid: &str| format!("\u{2026}{}", uid.get(uid.len().saturating_sub(6)..).unwrap_or(uid));
    let by_queue = found.by_queue.iter().map(|(name, sum)| (name.clone(), sum.waiting)).collect();
    let maker = Maker { wish, t };
    let mut groups = vec![
        maker.group("queue", "queue.named", &by_queue, plain),
        maker.group("category", "queue.category", &by_category, category),
        maker.group("site", "queue.site", &found.by_site, plain),
        maker.group("section", "queue.section", &found.by_section, plain),
        maker.group("lang", "queue.language", &found.by_lang, plain),
        maker.group("author_kind", "queue.author", &by_author, author),
        maker.group("assigned", "queue.assigned", &by_assigned, assigned),
        maker.group("campaign", "queue.campaign", &by_campaign, campaign),
        maker.group("signal", "queue.signal", &found.by_signal, signal),
    ];
    // What is in force and not counted is shown all the same, as the way back from it.
    for (key, label) in [("author", "queue.author"), ("article", "queue.article")] {
        if let Some(value) = wish.get(key) {
            groups.push(Group {
                label: t.say(label),
                chips: vec![maker.chip(key, value, value.to_owned(), None)],
                more: Vec::new(),
            });
        }
    }
    let is_choice = |chips: &[Chip]| chips.len() > 1 || chips.iter().any(|chip| chip.chosen || !chip.tone.is_empty());
    groups.retain(|group| is_choice(&group.chips));
    groups
}

struct Maker<'a> {
    wish: &'a Wish,
    t: &'static Texts,
}

impl Maker<'_> {
    fn chip(&self, key: &'static str, value: &str, label: String, n: Option<u64>) -> Chip {
        let chosen = self.wish.get(key) == Some(value);
        Chip {
            label,
            n: n.map(|n| self.t.number(n)).unwrap_or_default(),
            href: self.wish.but(key, (!chosen).then_some(value)).href(),
            chosen,
            tone: if key == "category" { Category::from_name(value).map_or("", Category::name) } else { "" },
        }
    }

    /// Most first; a choice that is in force is always there.
    fn group(
        &self,
        key: &'static str,
        label: &'static str,
        counts: &BTreeMap<String, u64>,
        name: impl Fn(&str) -> String,
    ) -> Group {
        let mut counts: Vec<(&str, u64)> = counts.iter().map(|(value, n)| (value.as_str(), *n)).collect();
        if let Some(value) = self.wish.get(key).filter(|value| counts.iter().all(|(known, _)| known != value)) {
            counts.push((value, 0));
        }
        counts.sort_by_key(|(value, n)| (self.wish.get(key) != Some(*value), std::cmp::Reverse(*n)));
        let chips = counts.into_iter().map(|(value, n)| self.chip(key, value, name(value), Some(n)));
        let mut chips: Vec<Chip> = chips.collect();
        let more = chips.split_off(chips.len().min(OPEN));
        Group { label: self.t.say(label), chips, more }
    }
}

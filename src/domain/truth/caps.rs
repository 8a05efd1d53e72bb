//! What the scores would have been with something that ran in shadow counted, under the caps that it would have stood under. Pure.
//!
//! A verdict shows the caps that were reached, and those are taken as they were. The others, who shares them, and composite rules that the newcomer would have
//! completed, are taken from today's settings. A composite rule that asks for more than signals (who the author is, a link) stays untold where the verdict
//! does not have it.

use std::collections::BTreeSet;

use super::super::category::{Category, PerCategory};
use super::super::decision::{Adjustment, Verdict};
use super::super::explain;
use super::super::policy::{Composite, Config};
use super::super::scores::LogOdds;
use super::super::signal::Evaluated;

/// What counts.
#[derive(Clone, Copy)]
struct Counted<'a> {
    id: &'a str,
    category: Category,
    weight: f64,
}

/// The scores of a verdict with `added` counted.
pub(super) fn scores_with(verdict: &Verdict, policy: &Config, added: &Evaluated, weight: LogOdds) -> PerCategory<f64> {
    let scores = PerCategory::from_fn(|category| verdict.scores[category].get());
    if weight == LogOdds::ZERO || (weight > LogOdds::ZERO && is_exempt(verdict, policy, &added.id)) {
        return scores;
    }
    let recorded = counted(verdict);
    let newcomer = Counted { id: &added.id, category: added.category, weight: weight.get() };
    let mut all = recorded.clone();
    all.push(newcomer);
    PerCategory::from_fn(|category| {
        let under = Caps { verdict, policy, category, recorded: &recorded, newcomer };
        let more = under.sum(&all) - under.sum(&recorded);
        if more == 0.0 {
            return scores[category];
        }
        LogOdds::of(explain::total(verdict, category, None).get() + more).probability().get()
    })
}

/// What counted in a verdict: what was exempt did not.
fn counted(verdict: &Verdict) -> Vec<Counted<'_>> {
    let is_exempt = |id: &str| exempted(verdict).any(|signal| signal == id);
    let all =
        verdict.signals.iter().map(|one| Counted { id: &one.id, category: one.category, weight: one.counted().get() });
    all.filter(|one| one.weight != 0.0 && !is_exempt(one.id)).collect()
}

fn exempted(verdict: &Verdict) -> impl Iterator<Item = &str> {
    verdict.adjustments.iter().filter_map(|one| one.id.strip_prefix("exempt:"))
}

/// Whether something would not have counted for this author, whose role the verdict does not say: told by what did not count.
fn is_exempt(verdict: &Verdict, policy: &Config, id: &str) -> bool {
    let covers = |signals: &[String], id: &str| signals.iter().any(|signal| signal == "*" || signal == id);
    exempted(verdict).any(|other| {
        let mut reasons = policy.exemptions.iter().filter(|one| covers(&one.signals, other)).peekable();
        reasons.peek().is_some() && reasons.all(|one| covers(&one.signals, id))
    })
}

/// One category of a verdict, with what bounds it.
struct Caps<'a> {
    verdict: &'a Verdict,
    policy: &'a Config,
    category: Category,
    /// What counted when it was made: it shows how high caps were.
    recorded: &'a [Counted<'a>],
    newcomer: Counted<'a>,
}

impl<'a> Caps<'a> {
    /// What signals and composite rules come to in this category.
    fn sum(&self, counted: &[Counted<'a>]) -> f64 {
        let bounded = self.bounded(counted);
        let recorded = self.bounded(self.recorded);
        let cut = self.cut("cap:signals");
        let today = self.policy.category(self.category).signals_max.get();
        let most = if cut < 0.0 { recorded + cut } else { today.max(recorded) };
        bounded.min(most)
    }

    /// The same before the bound on all of it.
    fn bounded(&self, counted: &[Counted<'a>]) -> f64 {
        let of_category = |one: &&Counted<'_>| one.category == self.category;
        let said: f64 = counted.iter().filter(of_category).map(|one| one.weight).sum();
        let over: f64 = self.shared().iter().map(|(members, most)| (self.of(members, counted) - most).max(0.0)).sum();
        let stand = self.adjustments().filter(|one| is_composite(one) && one.log_odds > LogOdds::ZERO);
        let stand: f64 = stand.map(|one| one.log_odds.get()).sum();
        said - over + stand + self.completed(counted)
    }

    /// What composite rules add that the verdict does not have, and that now apply.
    fn completed(&self, counted: &[Counted<'a>]) -> f64 {
        let is_new = |rule: &&Composite| {
            rule.category == self.category
                && rule.max.is_none()
                && rule.facts.is_empty()
                && applies(rule, counted)
                && !applies(rule, self.recorded)
        };
        self.policy.composites.iter().filter(is_new).map(|rule| rule.log_odds.get()).sum()
    }

    /// Caps that kindred signals share: who, and how high they are.
    fn shared(&self) -> Vec<(BTreeSet<&'a str>, f64)> {
        let groups = self.policy.category(self.category).groups.iter();
        let groups = groups.map(|(name, group)| {
            (format!("cap:{name}"), group.signals.iter().map(String::as_str).collect(), group.max.get())
        });
        let bounds = self.policy.composites.iter().filter(|rule| rule.category == self.category);
        let bounds = bounds.filter_map(|rule| {
            let members = rule.all.iter().chain(&rule.any).map(String::as_str).collect();
            Some((format!("composite:{}", rule.name), members, rule.max?.get()))
        });
        let today: Vec<(String, BTreeSet<&str>, f64)> = groups.chain(bounds).collect();
        let reached: BTreeSet<&str> = self.adjustments().filter(|one| is_shared(one)).map(|one| &*one.id).collect();
        let mut shared = Vec::with_capacity(today.len());
        for (id, members, most) in &today {
            if !reached.contains(id.as_str()) {
                shared.push((members.clone(), most.max(self.of(members, self.recorded)))); // it was not reached: it was no lower
            }
        }
        for id in reached {
            let at_that_time = self.adjustments().filter(|one| one.id == id).flat_map(|one| &one.signals);
            let mut members: BTreeSet<&str> = at_that_time.map(String::as_str).collect();
            let most = self.of(&members, self.recorded) + self.cut(id);
            if today.iter().any(|(known, of, _)| known == id && of.contains(self.newcomer.id)) {
                members.insert(self.newcomer.id);
            }
            shared.push((members, most));
        }
        shared
    }

    fn of(&self, members: &BTreeSet<&str>, counted: &[Counted<'_>]) -> f64 {
        let of = counted.iter().filter(|one| one.category == self.category && members.contains(one.id));
        of.map(|one| one.weight).sum()
    }

    fn adjustments(&self) -> impl Iterator<Item = &'a Adjustment> {
        let category = self.category;
        self.verdict.adjustments.iter().filter(move |one| one.category == category)
    }

    /// What a cap took away.
    fn cut(&self, id: &str) -> f64 {
        self.adjustments().filter(|one| one.id == id).map(|one| one.log_odds.get().min(0.0)).sum()
    }
}

fn is_composite(one: &Adjustment) -> bool {
    one.id.starts_with("composite:")
}

/// A cap that kindred signals share, and that was reached.
fn is_shared(one: &Adjustment) -> bool {
    let named = one.id.strip_prefix("cap:").is_some_and(|name| name != "signals" && name != "model");
    named || (is_composite(one) && one.log_odds < LogOdds::ZERO)
}

fn applies(rule: &Composite, counted: &[Counted<'_>]) -> bool {
    let hit = |id: &String| counted.iter().any(|one| one.id == id && one.weight > 0.0);
    rule.all.iter().all(hit) && (rule.any.is_empty() || rule.any.iter().any(hit))
}

//! What policy itself adds and takes away: exemptions, shared caps, composite rules, caps on everything.
//!
//! In this order, each on what the ones before it left: what an exempted signal said counts nowhere; kindred signals are bounded together; rules
//! add; all signals and rules of a category are bounded; the model is. Every step can only grow when one more signal hits, and so does the sum:
//! caps that took from the same signal twice would break that, and are refused when the settings are read.

use super::config::{Composite, Fact};
use super::{Circumstances, Policy};
use crate::domain::category::Category;
use crate::domain::decision::Adjustment;
use crate::domain::known::Known;
use crate::domain::model::ModelOutput;
use crate::domain::scores::LogOdds;
use crate::domain::signal::Evaluated;

/// A signal that counts.
struct Counted<'a> {
    id: &'a str,
    category: Category,
    weight: f64,
}

impl Policy {
    pub(super) fn adjustments(
        &self,
        signals: &[Evaluated],
        model: &ModelOutput,
        about: &Circumstances<'_>,
    ) -> Vec<Adjustment> {
        let mut adjustments: Vec<Adjustment> = Vec::new();
        let mut counted: Vec<Counted<'_>> = Vec::new();
        for signal in signals.iter().filter(|signal| signal.counted() != LogOdds::ZERO) {
            if signal.counted() > LogOdds::ZERO && self.is_exempt(about.role, &signal.id) {
                adjustments.push(Adjustment {
                    id: format!("exempt:{}", signal.id),
                    category: signal.category,
                    log_odds: -signal.counted(),
                    text: "This signal does not count for authors of this role.".to_owned(),
                    signals: vec![signal.id.to_string()],
                });
            } else {
                counted.push(Counted { id: &signal.id, category: signal.category, weight: signal.counted().get() });
            }
        }
        if !counted.is_empty() {
            self.caps(&counted, &mut adjustments);
            self.composites(&counted, about, &mut adjustments);
        }
        for category in Category::ALL {
            let config = self.of(category);
            let said = counted.iter().filter(|one| one.category == category).map(|one| one.weight).sum::<f64>();
            let since = adjustments.iter().filter(|one| one.category == category && !one.id.starts_with("exempt:"));
            let sum = said + since.map(|one| one.log_odds.get()).sum::<f64>();
            let text = "All signals of this category together count no more than this.";
            cut(&mut adjustments, "cap:signals", category, sum - config.signals_max.get(), text, &[]);
            let said = model.log_odds(category).get();
            let most = config.model_max.get();
            if said.abs() > most {
                let log_odds = LogOdds::of(said.clamp(-most, most) - said);
                let text = "The model counts no more than this.".to_owned();
                adjustments.push(Adjustment { id: "cap:model".to_owned(), category, log_odds, text, signals: vec![] });
            }
        }
        adjustments
    }

    /// What kindred signals say is bounded together.
    fn caps(&self, counted: &[Counted<'_>], adjustments: &mut Vec<Adjustment>) {
        for category in Category::ALL {
            for (name, group) in &self.of(category).groups {
                let named = || {
                    let text = format!("Signals about the same thing ({name}) count no more than this together.");
                    (format!("cap:{name}"), text)
                };
                bound(counted, category, &[&group.signals], group.max, named, adjustments);
            }
        }
        for rule in &self.config.composites {
            if let Some(max) = rule.max {
                let named = || (format!("composite:{}", rule.name), rule.text.clone());
                bound(counted, rule.category, &[&rule.all, &rule.any], max, named, adjustments);
            }
        }
    }

    /// What signals say together besides what each of them says.
    fn composites(&self, counted: &[Counted<'_>], about: &Circumstances<'_>, adjustments: &mut Vec<Adjustment>) {
        let adding = self.config.composites.iter().filter(|rule| rule.max.is_none());
        for rule in adding.filter(|rule| rule.facts.iter().all(|fact| is_so(*fact, about))) {
            if let Some(signals) = hangs_on(rule, counted) {
                adjustments.push(Adjustment {
                    id: format!("composite:{}", rule.name),
                    category: rule.category,
                    log_odds: rule.log_odds,
                    text: rule.text.clone(),
                    signals,
                });
            }
        }
    }

    fn is_exempt(&self, role: Option<&str>, signal: &str) -> bool {
        let Some(role) = role else { return false };
        let mut exemptions = self.config.exemptions.iter();
        exemptions.any(|exemption| {
            exemption.roles.iter().any(|exempt| exempt.eq_ignore_ascii_case(role))
                && exemption.signals.iter().any(|name| name == "*" || name == signal)
        })
    }
}

fn is_so(fact: Fact, about: &Circumstances<'_>) -> bool {
    match fact {
        Fact::HasLink => about.has_link,
        Fact::NewAuthor => match about.author {
            Known::Known(past) => past.approved == 0,
            Known::NotApplicable => true,
            Known::Unavailable(_) => false, // what could not be looked up is held for that, and accuses nobody
        },
    }
}

/// The signals without which the rule would not apply; `None` when it does not.
fn hangs_on(rule: &Composite, counted: &[Counted<'_>]) -> Option<Vec<String>> {
    let hit = |id: &&String| counted.iter().any(|one| one.id == id.as_str() && one.weight > 0.0);
    if !rule.all.iter().all(|id| hit(&id)) {
        return None;
    }
    let any: Vec<&String> = rule.any.iter().filter(hit).collect();
    if any.is_empty() && !rule.any.is_empty() {
        return None;
    }
    let only = any.into_iter().filter(|_| rule.any.iter().filter(hit).count() == 1);
    let mut needed: Vec<String> = rule.all.iter().chain(only).cloned().collect();
    needed.dedup();
    Some(needed)
}

fn bound(
    counted: &[Counted<'_>],
    category: Category,
    members: &[&Vec<String>],
    max: LogOdds,
    named: impl Fn() -> (String, String),
    adjustments: &mut Vec<Adjustment>,
) {
    let is_member = |one: &&Counted<'_>| {
        one.category == category && members.iter().any(|list| list.iter().any(|member| member == one.id))
    };
    let of: Vec<&Counted<'_>> = counted.iter().filter(is_member).collect();
    let sum: f64 = of.iter().map(|one| one.weight).sum();
    let over = sum - max.get();
    if LogOdds::rounded(over) > 0.0 {
        let signals: Vec<&str> = of.iter().map(|one| one.id).collect();
        let (id, text) = named();
        cut(adjustments, &id, category, over, &text, &signals);
    }
}

/// Takes away what is over a cap: in steps, because one amount of log-odds is bounded and what several signals add up to is not.
fn cut(adjustments: &mut Vec<Adjustment>, id: &str, category: Category, over: f64, text: &str, signals: &[&str]) {
    let mut over = LogOdds::rounded(over);
    while over > 0.0 {
        let log_odds = LogOdds::of(-over);
        let signals = signals.iter().map(|signal| (*signal).to_owned()).collect();
        adjustments.push(Adjustment { id: id.to_owned(), category, log_odds, text: text.to_owned(), signals });
        over = LogOdds::rounded(over + log_odds.get());
    }
}

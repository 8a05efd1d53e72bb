//! Whether the settings can work.

use std::collections::BTreeMap;

use super::config::{BadPolicy, Composite, Config};
use crate::domain::category::Category;
use crate::domain::scores::LogOdds;

fn bad<T>(key: impl Into<String>, problem: impl Into<String>) -> Result<T, BadPolicy> {
    Err(BadPolicy { key: key.into(), problem: problem.into() })
}

/// Checks the settings against the ids of all signals.
pub(super) fn check(config: &Config, signals: &[&str]) -> Result<(), BadPolicy> {
    let known = |key: &str, names: &[String]| match names.iter().find(|name| !signals.contains(&name.as_str())) {
        Some(name) => bad(key, format!("there is no signal `{name}`")),
        None => Ok(()),
    };
    let mut capped: BTreeMap<(Category, &str), &str> = BTreeMap::new();
    let categories =
        [(Category::Spam, &config.spam), (Category::OffTopic, &config.off_topic), (Category::Abuse, &config.abuse)];
    for (category, of) in categories {
        let name = category.name();
        if of.hold > of.reject {
            return bad(format!("{name}.hold"), "must not be above `reject`");
        }
        for (key, cap) in [("signals_max", of.signals_max), ("model_max", of.model_max)] {
            if cap < LogOdds::ZERO {
                return bad(format!("{name}.{key}"), "must not be negative");
            }
        }
        for (group, of) in &of.groups {
            let key = format!("{name}.groups.{group}");
            if !is_name(group) || matches!(group.as_str(), "signals" | "model") {
                return bad(key, "must have a name of small letters and dashes, other than `signals` and `model`");
            }
            if of.max < LogOdds::ZERO {
                return bad(format!("{key}.max"), "must not be negative");
            }
            known(&format!("{key}.signals"), &of.signals)?;
            under_one_cap(&mut capped, category, &of.signals, group, &format!("{key}.signals"))?;
        }
    }
    for exemption in &config.exemptions {
        let names: Vec<String> = exemption.signals.iter().filter(|name| *name != "*").cloned().collect();
        known("exemptions.signals", &names)?;
    }
    let mut names: Vec<&str> = Vec::new();
    for rule in &config.composites {
        let key = format!("composites.{}", rule.name);
        known(&format!("{key}.all"), &rule.all)?;
        known(&format!("{key}.any"), &rule.any)?;
        if names.contains(&rule.name.as_str()) {
            return bad(key, "there are two rules of this name");
        }
        names.push(&rule.name);
        makes_sense(rule, &key)?;
        if rule.max.is_some() {
            for members in [&rule.all, &rule.any] {
                under_one_cap(&mut capped, rule.category, members, &rule.name, &key)?;
            }
        }
    }
    Ok(())
}

/// Refuses exemptions and composite rules over what adds nothing: they act on weights alone, and would be without any effect.
pub(super) fn weightless(config: &Config, weightless: &[String]) -> Result<(), BadPolicy> {
    let check = |key: &str, names: &[String]| match names.iter().find(|name| weightless.contains(name)) {
        Some(name) => bad(
            key,
            format!(
                "`{name}` adds no weight above 0.0, and what it does besides cannot be named here: give it `sites`, or say in its `when` for whom it is"
            ),
        ),
        None => Ok(()),
    };
    for exemption in &config.exemptions {
        check("exemptions.signals", &exemption.signals)?;
    }
    for rule in &config.composites {
        check(&format!("composites.{}.all", rule.name), &rule.all)?;
        check(&format!("composites.{}.any", rule.name), &rule.any)?;
    }
    Ok(())
}

/// What two caps cut is cut twice, and one more hit could make a verdict milder.
fn under_one_cap<'a>(
    capped: &mut BTreeMap<(Category, &'a str), &'a str>,
    category: Category,
    signals: &'a [String],
    by: &'a str,
    key: &str,
) -> Result<(), BadPolicy> {
    for signal in signals {
        if let Some(other) = capped.insert((category, signal), by) {
            return bad(key, format!("`{signal}` is named by `{other}` already: one cap for each signal"));
        }
    }
    Ok(())
}

fn makes_sense(rule: &Composite, key: &str) -> Result<(), BadPolicy> {
    if !is_name(&rule.name) {
        return bad(key, "must have a name of small letters and dashes");
    }
    if rule.all.is_empty() && rule.any.is_empty() {
        return bad(key, "must name a signal in `all` or `any`");
    }
    if rule.text.trim().is_empty() || rule.text.len() > 500 {
        return bad(format!("{key}.text"), "must be a sentence of at most 500 bytes");
    }
    match rule.max {
        None if rule.log_odds <= LogOdds::ZERO => {
            bad(format!("{key}.log_odds"), "must be above 0.0, or `max` be given: a rule never makes a verdict milder")
        }
        Some(_) if rule.log_odds != LogOdds::ZERO => bad(key, "either adds `log_odds` or bounds by `max`"),
        Some(_) if !rule.facts.is_empty() => bad(
            format!("{key}.facts"),
            "a bound holds always: with a condition, one more hit could make a verdict milder",
        ),
        Some(max) if max < LogOdds::ZERO => bad(format!("{key}.max"), "must not be negative"),
        None | Some(_) => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

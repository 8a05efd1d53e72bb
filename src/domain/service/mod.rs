//! Service levels: which named queue an item waits in, and by when somebody has to have answered it.
//!
//! Queues are looked through in the order of the settings file and an item is in one of them at most, so that somebody is responsible for it and
//! counts add up. Time runs only within working hours. What is promised here is arithmetic alone: nobody is told anything, and nothing is
//! decided later or earlier because of it.

pub mod hours;
pub mod queues;

use std::sync::Arc;

use self::hours::Hours;
use self::queues::{QueueConfig, Queues};
use super::rules::RuleConfig;
use super::time::Timestamp;

/// When an item is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The moment.
    pub at: Timestamp,
    /// Working time until then, in milliseconds; below zero for working time since then.
    pub left_ms: i64,
}

impl Due {
    /// Whether that moment has come.
    #[must_use]
    pub const fn is_over(self) -> bool {
        self.left_ms <= 0
    }
}

/// `[[queues]]` and `[working_hours]`, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    queues: Arc<Queues>,
    hours: Hours,
}

impl Levels {
    /// Reads both.
    ///
    /// # Errors
    /// A sentence for the operator that names the setting.
    pub fn new(queues: &[QueueConfig], hours: &hours::Config) -> Result<Self, String> {
        let hours = Hours::new(hours)?;
        let queues = Queues::new(queues)?;
        let most = hours.minutes_a_week().saturating_mul(WEEKS_MAX);
        if let Some(queue) = queues.iter().find(|queue| u64::from(queue.answer_within_min) > most) {
            return Err(format!(
                "queues: `{}`: answer_within_min: {} is more than {WEEKS_MAX} weeks of working hours, {most} minutes",
                queue.name, queue.answer_within_min
            ));
        }
        Ok(Self { queues: Arc::new(queues), hours })
    }

    /// Whether rules route to queues that there are. Where none are set up, rules may name what they like: it stays a mark.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check_rules(&self, rules: &[RuleConfig]) -> Result<(), String> {
        let is_known = |name: &str| self.queues.is_empty() || self.queues.find(name).is_some();
        for rule in rules {
            if let Some(name) = rule.then.queue.as_deref().filter(|name| !is_known(name)) {
                return Err(format!("rules: `{}`: then.queue: no entry of `queues` is named `{name}`", rule.name));
            }
        }
        Ok(())
    }

    /// The queues, in their order.
    #[must_use]
    pub const fn queues(&self) -> &Arc<Queues> {
        &self.queues
    }

    /// When people work.
    #[must_use]
    pub const fn hours(&self) -> &Hours {
        &self.hours
    }

    /// By when what waits there since that moment is to be answered; `None` for a queue without a level, and for none.
    #[must_use]
    pub fn due(&self, queue: &str, held_at: Timestamp, now: Timestamp) -> Option<Due> {
        let within = self.queues.find(queue).and_then(|at| self.queues.get(at))?.answer_within_min;
        let at = (within > 0).then(|| self.hours.due(held_at, within))?;
        let worked = |from, to| i64::try_from(self.hours.worked_ms(from, to)).unwrap_or(i64::MAX);
        let left_ms = if now < at { worked(now, at).max(1) } else { -worked(at, now) };
        Some(Due { at, left_ms })
    }
}

/// A level may last that many weeks: longer ones are no levels, and take long to count.
const WEEKS_MAX: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn office() -> hours::Config {
        hours::Config {
            time_zone: "Europe/Berlin".to_owned(),
            days: hours::Day::ALL[..5].to_vec(),
            from: "09:00".to_owned(),
            to: "17:00".to_owned(),
            holidays: vec!["2026-12-25".to_owned()],
        }
    }

    fn queue(name: &str, answer_within_min: u32) -> QueueConfig {
        QueueConfig { name: name.to_owned(), answer_within_min, ..QueueConfig::default() }
    }

    #[test]
    fn what_is_left_is_working_time_on_either_side_of_the_moment() {
        let levels = Levels::new(&[queue("fast", 60), queue("slow", 0)], &office()).unwrap();
        let held = at("2026-11-27T15:30:00Z"); // a Friday, half an hour before the end
        let due = |now: &str| levels.due("fast", held, at(now)).unwrap();
        let monday = at("2026-11-30T08:30:00Z");
        for (now, minutes) in [
            ("2026-11-27T15:30:00Z", 60),
            ("2026-11-28T12:00:00Z", 30),
            ("2026-11-30T08:05:00Z", 25),
            ("2026-11-30T08:30:00Z", 0),
            ("2026-11-30T10:00:00Z", -90),
            ("2026-12-01T08:30:00Z", -480),
        ] {
            let due = due(now);
            assert_eq!((due.at, due.left_ms), (monday, minutes * 60_000), "{now}");
            assert_eq!(due.is_over(), minutes <= 0, "{now}");
        }
        assert_eq!(levels.due("slow", held, held), None, "it has no level");
        assert_eq!(levels.due("other", held, held), None, "there is no such queue");
    }

    #[test]
    fn out_of_hours_nothing_is_overdue_before_its_moment() {
        let levels = Levels::new(&[queue("fast", 30)], &office()).unwrap();
        let due = levels.due("fast", at("2026-11-27T15:30:00Z"), at("2026-11-27T15:59:59.999Z")).unwrap();
        assert_eq!((due.at, due.left_ms), (at("2026-11-27T16:00:00Z"), 1));
    }

    #[test]
    fn levels_that_nobody_can_count_are_refused() {
        let refused = Levels::new(&[queue("never", 24_001)], &office()).unwrap_err();
        assert_eq!(
            refused,
            "queues: `never`: answer_within_min: 24001 is more than 10 weeks of working hours, 24000 minutes"
        );
        assert!(Levels::new(&[queue("late", 24_000)], &office()).is_ok());
    }

    #[test]
    fn rules_route_to_queues_that_there_are() {
        let rule = "name = 'coins'\nwhen = 'true'\nreason = 'Coins.'\nthen = { queue = 'finance' }\n";
        let rule: RuleConfig = toml::from_str(rule).unwrap();
        let check = |names: &[&str]| {
            let queues: Vec<QueueConfig> = names.iter().map(|name| queue(name, 0)).collect();
            Levels::new(&queues, &hours::Config::default()).unwrap().check_rules(std::slice::from_ref(&rule))
        };
        assert_eq!(check(&[]), Ok(()), "a mark");
        assert_eq!(check(&["finance"]), Ok(()));
        let problem = "rules: `coins`: then.queue: no entry of `queues` is named `finance`";
        assert_eq!(check(&["finances"]), Err(problem.to_owned()));
    }
}

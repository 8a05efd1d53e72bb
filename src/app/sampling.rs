//! Which automatic verdicts people look at, unmarked, so that error rates are measured and not assumed.
//!
//! Here the chance is decided; the store draws, by a hash under a key of its own, in the commit of the verdict. Small sites get a higher chance
//! when a number a day is asked for, by what they had the day before, and large ones a lower one: else the most that is allowed would be used up
//! by the morning, and nothing known of the evening.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::app::live::Live;
use crate::domain::learning::Lot;
use crate::domain::site::{Site, SiteId};
use crate::domain::time::Timestamp;

/// `[sampling]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Share of automatic verdicts that people look at, 0.0 to 1.0; 0.0 for none.
    pub rate: f64,
    /// How many a site is to have each day at least, by what it had the day before.
    pub min_per_day: u32,
    /// How many a site may have each day at most.
    pub max_per_day: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { rate: 0.01, min_per_day: 0, max_per_day: 50 }
    }
}

/// A setting that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sampling.{0}: {1}")]
pub struct BadSampling(&'static str, &'static str);

impl Config {
    /// Whether it can work.
    ///
    /// # Errors
    /// [`BadSampling`], naming the key.
    pub fn check(&self) -> Result<(), BadSampling> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Err(BadSampling("rate", "must lie within 0.0 and 1.0"));
        }
        if self.min_per_day > self.max_per_day {
            return Err(BadSampling("min_per_day", "must not be above `max_per_day`"));
        }
        Ok(())
    }
}

/// Knows how many comments each site had, and with that the chance of each.
#[derive(Debug, Default)]
pub struct Sampler {
    config: Option<Live<Config>>,
    days: Mutex<HashMap<SiteId, Days>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Days {
    day: i64,
    today: u32,
    yesterday: u32,
}

impl Sampler {
    /// By these settings.
    #[must_use]
    pub fn new(config: impl Into<Live<Config>>) -> Self {
        Self { config: Some(config.into()), days: Mutex::default() }
    }

    /// The chance of a comment that comes now.
    #[must_use]
    pub fn lot(&self, site: &Site, now: Timestamp) -> Option<Lot> {
        let config = self.config.as_ref()?.get();
        let mut rate = config.rate;
        let yesterday = self.count(site.id, now.as_millis().div_euclid(86_400_000));
        if yesterday > 0 {
            let share = |count: u32| f64::from(count) / f64::from(yesterday);
            if config.min_per_day > 0 {
                rate = rate.max(share(config.min_per_day));
            }
            rate = rate.min(share(config.max_per_day)).min(1.0);
        }
        (rate > 0.0 && config.max_per_day > 0).then_some(Lot { rate, max_per_day: config.max_per_day })
    }

    /// Counts a comment of that day, and says how many there were the day before.
    fn count(&self, site: SiteId, day: i64) -> u32 {
        let mut all = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        let days = all.entry(site).or_insert(Days { day, ..Days::default() });
        if day > days.day {
            let yesterday = if day == days.day + 1 { days.today } else { 0 };
            *days = Days { day, today: 0, yesterday };
        }
        days.today = days.today.saturating_add(1);
        days.yesterday
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_follows_what_the_site_had_the_day_before() {
        let site =
            |id| Site { id: SiteId(id), name: "news".into(), url: None, webhook: None, created_at: Timestamp::EPOCH };
        let day = |number: i64| Timestamp::from_millis(number * 86_400_000 + 5);
        let rate = |sampler: &Sampler, id, number| sampler.lot(&site(id), day(number)).map(|lot| lot.rate);
        assert_eq!(rate(&Sampler::default(), 1, 0), None, "nothing set, nothing drawn");
        let none = Sampler::new(Config { rate: 0.0, ..Config::default() });
        assert_eq!(rate(&none, 1, 0), None);
        let sampler = Sampler::new(Config { rate: 0.01, min_per_day: 2, max_per_day: 50 });
        for _ in 0..10 {
            assert_eq!(rate(&sampler, 1, 0), Some(0.01), "the first day tells nothing yet");
        }
        assert_eq!(rate(&sampler, 1, 1), Some(0.2));
        assert_eq!(rate(&sampler, 2, 1), Some(0.01), "another site has its own days");
        assert_eq!(rate(&sampler, 1, 2), Some(1.0), "of one a day, that one");
        assert_eq!(rate(&sampler, 1, 9), Some(0.01), "the day before was long ago");
        let most = Sampler::new(Config { rate: 0.5, min_per_day: 0, max_per_day: 5 });
        for _ in 0..100 {
            assert_eq!(rate(&most, 1, 0), Some(0.5));
        }
        assert_eq!(rate(&most, 1, 1), Some(0.05), "spread over the day, not its first hours");
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let refused = |config: Config| config.check().expect_err("cannot work").to_string();
        assert!(refused(Config { rate: 1.5, ..Config::default() }).starts_with("sampling.rate"));
        assert!(refused(Config { rate: f64::NAN, ..Config::default() }).starts_with("sampling.rate"));
        assert!(refused(Config { min_per_day: 60, ..Config::default() }).starts_with("sampling.min_per_day"));
        assert!(Config::default().check().is_ok());
    }
}

//! Waves: far more comments held or rejected on a site than is usual there.
//!
//! What is counted in the last minutes is held against what the same site had in the hours of the past week. The usual rate is the higher of two: the
//! mean of all hours but the highest twentieth, and the median over the days of the mean of the three hours around this one; so the last wave does not
//! hide the next. A count that a Poisson process of that rate reaches less often than once in a million looks, by the exact upper tail (Garwood,
//! Biometrika 28, 1936), is a wave if it is also so many times the usual and at least so many comments: real arrivals come in clumps, and the
//! test alone would take each clump for a wave. Where nothing was counted in `n` hours, the usual rate is taken to be `3 / n`, the upper bound at 95 %
//! (Hanley and Lippman-Hand, JAMA 249, 1983).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::time::Timestamp;

/// An hour, in milliseconds.
pub const HOUR_MS: i64 = 3_600_000;
/// Hours of the past that are looked at.
pub const PAST_H: i64 = 7 * 24;
/// Hours of the past without which nothing is usual.
const PAST_MIN_H: usize = 24;
/// How often chance alone may make a wave of a look.
const CHANCE: f64 = 1e-6;
/// Comments that are counted for one look at most, the latest: some seconds of reading.
pub const COUNTED: u32 = 2_000_000;
/// Minutes of a pause at most: an alert that is over is remembered for a day at least.
const PAUSE_MAX_MIN: u32 = 1_440;

/// `[notify.waves]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether anybody looks.
    pub enabled: bool,
    /// The last minutes in which comments are counted.
    pub window_min: u32,
    /// How many times the usual rate makes a wave.
    pub times: f64,
    /// Comments in these minutes below which there is no wave.
    pub min_comments: u32,
    /// Minutes after a wave was told in which no other is told of the same site; 0 for none.
    pub pause_min: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { enabled: true, window_min: 15, times: 4.0, min_comments: 20, pause_min: 60 }
    }
}

impl Config {
    /// Whether waves can be told by it.
    ///
    /// # Errors
    /// A sentence for the operator that names the setting.
    pub fn check(&self) -> Result<(), String> {
        let Self { enabled: _, window_min, times, min_comments, pause_min } = self;
        if !(5..=60).contains(window_min) {
            return Err(format!("notify.waves.window_min: {window_min} does not lie within 5 and 60"));
        }
        if !(1.5..=1_000.0).contains(times) {
            return Err(format!("notify.waves.times: {times} does not lie within 1.5 and 1000"));
        }
        if !(5..=1_000_000).contains(min_comments) {
            return Err(format!("notify.waves.min_comments: {min_comments} does not lie within 5 and 1000000"));
        }
        if *pause_min > PAUSE_MAX_MIN {
            return Err(format!("notify.waves.pause_min: {pause_min} does not lie within 0 and {PAUSE_MAX_MIN}"));
        }
        Ok(())
    }

    /// The last minutes, in milliseconds.
    #[must_use]
    pub fn window_ms(&self) -> i64 {
        i64::from(self.window_min) * 60_000
    }

    /// The pause, in milliseconds.
    #[must_use]
    pub fn pause_ms(&self) -> i64 {
        i64::from(self.pause_min) * 60_000
    }
}

/// Comments that were held or rejected, or that a person decided, by site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pressure {
    /// From when on all of them were counted.
    pub since: Timestamp,
    /// By site.
    pub sites: BTreeMap<String, SitePressure>,
}

impl Pressure {
    /// With what was counted before of hours that this one no longer reaches back to, where nothing lies between the two. `until` is the first hour that
    /// `earlier` did not look at, `first` the first that is of interest. Hours are since 1970.
    #[must_use]
    pub fn reaching_back(mut self, earlier: Self, until: i64, first: i64) -> Self {
        let (known, was_known) = (whole_hour(self.since), whole_hour(earlier.since));
        if was_known >= known || until < known {
            return self;
        }
        for (site, of_site) in earlier.sites {
            let before = of_site.hours.into_iter().filter(|(hour, _)| (first.max(was_known)..known).contains(hour));
            let before: Vec<(i64, u64)> = before.collect();
            if !before.is_empty() {
                self.sites.entry(site).or_default().hours.extend(before);
            }
        }
        self.since = Timestamp::from_millis(first.max(was_known).saturating_mul(HOUR_MS));
        self
    }
}

/// The first hour since 1970 that lies wholly after that moment.
#[must_use]
pub fn whole_hour(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(HOUR_MS) + i64::from(at.as_millis().rem_euclid(HOUR_MS) != 0)
}

/// Those of one site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SitePressure {
    /// By the hour since 1970 in which they came; hours without any are left out.
    pub hours: BTreeMap<i64, u64>,
    /// The latest of them.
    pub latest: Option<Uuid>,
}

impl SitePressure {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.hours.values().sum()
    }
}

/// What is usual on a site at an hour, in comments an hour; `None` where too little of the past is known. `hours` says how many there were in each
/// hour since 1970, `from` the first that is known as a whole, `until` the first that is not looked at.
#[must_use]
pub fn usual(hours: &BTreeMap<i64, u64>, from: i64, until: i64, now: i64) -> Option<f64> {
    let known: Vec<i64> = (from.max(until - PAST_H)..until).collect();
    if known.len() < PAST_MIN_H {
        return None;
    }
    let count = |hour: &i64| hours.get(hour).copied().unwrap_or(0);
    let all: Vec<u64> = known.iter().map(count).collect();
    // The hour before, the same and the one after, on each of the days.
    let mut days: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for hour in known.iter().filter(|hour| (*hour - now + 1).rem_euclid(24) <= 2) {
        let (sum, of) = days.entry((hour - now + 1).div_euclid(24)).or_default();
        (*sum, *of) = (*sum + count(hour), *of + 1);
    }
    let mut days: Vec<f64> = days.into_values().map(|(sum, of)| number(sum) / number(of)).collect();
    days.sort_by(f64::total_cmp);
    let around = days.get(days.len() / 2).copied().unwrap_or(0.0);
    let least = 3.0 / number(known.len() as u64);
    Some(trimmed_mean(all).max(around).max(least))
}

/// Without the highest twentieth, at least one.
fn trimmed_mean(mut counts: Vec<u64>) -> f64 {
    counts.sort_unstable();
    counts.truncate(counts.len() - counts.len().div_ceil(20).min(counts.len()));
    if counts.is_empty() { 0.0 } else { number(counts.iter().sum()) / number(counts.len() as u64) }
}

/// Whether so many in the window are a wave where `usual` come in an hour.
#[must_use]
pub fn is_wave(config: &Config, count: u64, usual: f64) -> bool {
    let expected = usual * f64::from(config.window_min) / 60.0;
    count >= u64::from(config.min_comments)
        && number(count) >= config.times * expected
        && chance_of(count, expected) < CHANCE
}

/// Whether a wave is over: half of what would make one.
#[must_use]
pub fn is_over(config: &Config, count: u64, usual: f64) -> bool {
    let expected = usual * f64::from(config.window_min) / 60.0;
    number(count) * 2.0 < f64::from(config.min_comments).max(config.times * expected)
}

/// What a look at a site says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// There is a wave.
    Wave,
    /// What was a wave may still be one, and what was none has not become one: there is less than makes one and more than ends one, or it could not be
    /// told.
    Neither,
    /// If there was a wave, it is over.
    Over,
}

/// What so many in the window say. `is_whole` is false where not all of the window could be counted: then there are at least so many. Where that is a
/// wave already it is one, and nothing is over: it is the largest waves of which not all can be counted.
#[must_use]
pub fn look(config: &Config, count: u64, is_whole: bool, usual: Option<f64>) -> Look {
    if usual.is_some_and(|usual| is_wave(config, count, usual)) {
        return Look::Wave;
    }
    // Where nothing is known of what is usual, few are few all the same.
    if is_whole && is_over(config, count, usual.unwrap_or(0.0)) { Look::Over } else { Look::Neither }
}

/// How often a Poisson process from which so many are expected has at least that many.
#[must_use]
pub fn chance_of(count: u64, expected: f64) -> f64 {
    if count == 0 {
        return 1.0;
    }
    if expected <= 0.0 {
        return 0.0;
    }
    let k = number(count);
    if count > LOGARITHMS {
        return if k > 2.0 * expected { 0.0 } else { 1.0 };
    }
    // The first term by logarithms, since the factorial is large; those after it get smaller.
    let first = |n: u64| {
        let ln_factorial: f64 = (2..=n).map(|n| number(n).ln()).sum();
        (number(n) * expected.ln() - expected - ln_factorial).exp()
    };
    let (mut sum, mut n) = (0.0, k);
    if k > expected {
        let mut term = first(count);
        while term > sum * 1e-12 {
            sum += term;
            n += 1.0;
            term *= expected / n;
        }
        return sum.min(1.0);
    }
    let mut term = first(count - 1);
    while term > sum * 1e-12 && n >= 1.0 {
        sum += term;
        n -= 1.0;
        term *= n / expected;
    }
    (1.0 - sum).max(0.0)
}

/// Counts above this are compared without reckoning: their chance is nothing or everything.
const LOGARITHMS: u64 = 100_000;

#[expect(clippy::cast_precision_loss, reason = "counts of comments")]
const fn number(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A week of hours with so many each, up to hour 1000.
    fn week(each: impl Fn(i64) -> u64) -> BTreeMap<i64, u64> {
        (832..1_000).map(|hour| (hour, each(hour))).collect()
    }

    fn usual_of(hours: &BTreeMap<i64, u64>) -> f64 {
        usual(hours, 832, 1_000, 1_000).unwrap()
    }

    #[test]
    fn chances_are_those_of_tables() {
        // 1 - ppois(k - 1, lambda), as R says it.
        for (count, expected, chance) in [
            (0, 3.0, 1.0),
            (1, 1.0, 0.632_120_558_8),
            (5, 2.0, 0.052_653_017_3),
            (10, 4.0, 0.008_132_242_7),
            (20, 5.0, 3.452_135_820_8e-7),
            (3, 10.0, 0.997_230_604_3),
        ] {
            let found = chance_of(count, expected);
            assert!((found - chance).abs() <= chance * 1e-6, "{count} of {expected}: {found}");
        }
        assert!(chance_of(1_000_000, 10.0) < 1e-12);
        assert!(chance_of(5, 0.0) < 1e-12);
    }

    #[test]
    fn what_is_usual_follows_the_day_and_forgets_the_last_wave() {
        let quiet = week(|_| 4);
        assert!((usual_of(&quiet) - 4.0).abs() < 1e-9);
        let waved = week(|hour| if (900..906).contains(&hour) { 1_000 } else { 4 });
        assert!((usual_of(&waved) - 4.0).abs() < 1e-9, "six hours of a week: {}", usual_of(&waved));
        let daily = week(|hour| if hour % 24 == 1_000 % 24 { 40 } else { 0 });
        assert!(usual_of(&daily) > 10.0, "at this hour there are many");
        assert!(usual(&daily, 832, 1_000, 1_008).unwrap() < 3.0, "at others there are few");
        assert!((usual_of(&BTreeMap::new()) - 3.0 / 168.0).abs() < 1e-9, "nothing is known to come");
        assert_eq!(usual(&quiet, 977, 1_000, 1_000), None, "23 hours are not enough");
    }

    #[test]
    fn a_wave_is_many_times_the_usual_and_no_chance() {
        let config = Config::default();
        for (case, count, usual, wave, over) in [
            ("nothing", 0, 4.0, false, true),
            ("the usual", 1, 4.0, false, true),
            ("few, on a quiet site", 19, 0.1, false, false),
            ("many, on a quiet site", 20, 0.1, true, false),
            ("the same on a busy one", 100, 400.0, false, true),
            ("many on a busy one", 400, 400.0, true, false),
            ("just below", 399, 400.0, false, false),
            ("half of it", 199, 400.0, false, true),
        ] {
            assert_eq!((is_wave(&config, count, usual), is_over(&config, count, usual)), (wave, over), "{case}");
        }
    }

    #[test]
    fn a_wave_of_which_not_all_could_be_counted_is_not_called_over() {
        let config = Config::default();
        for (case, count, is_whole, usual, expected) in [
            ("many", 400, true, Some(4.0), Look::Wave),
            ("many, and more", 400, false, Some(4.0), Look::Wave),
            ("few", 9, true, Some(4.0), Look::Over),
            ("few that were counted of many", 9, false, Some(4.0), Look::Neither),
            ("in between", 12, true, Some(4.0), Look::Neither),
            ("many, and nobody knows what is usual", 400, true, None, Look::Neither),
            ("few, whatever is usual", 9, true, None, Look::Over),
            ("none that were counted, of nobody knows how many", 0, false, None, Look::Neither),
        ] {
            assert_eq!(look(&config, count, is_whole, usual), expected, "{case}");
        }
    }

    #[test]
    fn what_was_counted_before_a_flood_is_still_what_is_usual_during_it() {
        let at = |hour: i64| Timestamp::from_millis(hour * HOUR_MS);
        let of = |since: Timestamp, hours: &[(i64, u64)]| {
            let hours = hours.iter().copied().collect();
            let sites = [("news".to_owned(), SitePressure { hours, latest: None })].into();
            Pressure { since, sites }
        };
        let before = of(at(832), &[(840, 4), (900, 5), (998, 6)]);
        // So many came in the last hour that no more of it is counted than its end.
        let flooded = of(at(998).plus_millis(1_800_000), &[(998, 7), (999, 9_000)]);
        let joined = flooded.clone().reaching_back(before.clone(), 999, 833);
        assert_eq!(joined.since, at(833));
        assert_eq!(joined.sites["news"].hours, [(840, 4), (900, 5), (998, 6), (999, 9_000)].into());
        let gap = flooded.clone().reaching_back(before.clone(), 998, 833);
        assert_eq!(gap, flooded, "of an hour between the two nothing is known");
        let whole = of(at(833), &[(900, 5)]);
        assert_eq!(whole.clone().reaching_back(before, 999, 833), whole, "it reaches back far enough");
    }

    #[test]
    fn settings_have_bounds() {
        assert_eq!(Config::default().check(), Ok(()));
        for (wrong, problem) in [
            (Config { window_min: 4, ..Config::default() }, "notify.waves.window_min: 4 does not lie within 5 and 60"),
            (
                Config { times: f64::NAN, ..Config::default() },
                "notify.waves.times: NaN does not lie within 1.5 and 1000",
            ),
            (
                Config { min_comments: 1, ..Config::default() },
                "notify.waves.min_comments: 1 does not lie within 5 and 1000000",
            ),
            (
                Config { pause_min: 1_441, ..Config::default() },
                "notify.waves.pause_min: 1441 does not lie within 0 and 1440",
            ),
        ] {
            assert_eq!(wrong.check(), Err(problem.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn more_comments_are_less_likely_and_a_wave_is_never_over_at_once(
            count in 0..5_000_u64, more in 1..500_u64, expected in 0.01..2_000.0_f64,
        ) {
            prop_assert!(chance_of(count + more, expected) <= chance_of(count, expected) + 1e-9);
            let config = Config::default();
            prop_assert!(!(is_wave(&config, count, expected) && is_over(&config, count, expected)));
        }

        #[test]
        fn no_hours_make_it_fail(hours in prop::collection::btree_map(any::<i64>(), 0..1_000_000_u64, 0..50), from in -500..500_i64, until in -500..500_i64, now in any::<i32>()) {
            let _ = usual(&hours, from, until, now.into());
        }
    }
}

//! What chance does to a measure: it is taken again on samples that are drawn, with replacement, from what was measured.
//!
//! Whole groups are drawn (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, 2.4 and 3.8): comments under one page are more
//! alike than comments at large, and drawing them one by one would promise more than is known.

use std::collections::BTreeMap;

use super::random::Random;
use super::{Ranked, Sample};

/// The seed of every interval that is printed.
pub const SEED: u64 = 20_261_124;

/// Where a measure lies in nineteen of twenty resamples.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Interval {
    /// One in forty lies below.
    pub low: f64,
    /// One in forty lies above.
    pub high: f64,
}

/// Intervals by the measure's name, of `resamples` draws. A measure that most draws could not give has none.
#[must_use]
pub fn intervals(
    samples: &[Sample],
    prior: Option<f64>,
    resamples: usize,
    seed: u64,
) -> BTreeMap<&'static str, Interval> {
    let ranked = Ranked::new(samples, prior);
    let mut random = Random::new(seed);
    let mut drawn: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for _ in 0..resamples {
        let mut weights = vec![0.0; ranked.groups()];
        for _ in 0..weights.len() {
            let at = random.below(weights.len());
            weights[at] += 1.0;
        }
        for (name, value) in ranked.measures(&weights).values().into_iter().filter(|(_, value)| value.is_finite()) {
            drawn.entry(name).or_default().push(value);
        }
    }
    drawn.retain(|_, values| 2 * values.len() > resamples);
    drawn.into_iter().map(|(name, values)| (name, of(values))).collect()
}

/// The interval of values that were drawn.
#[must_use]
pub fn of(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = |part: usize| values.get(last * part / 40).copied().unwrap_or(f64::NAN);
    Interval { low: at(1), high: at(39) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(groups: u64) -> Vec<Sample> {
        let mut random = Random::new(3);
        let mut one = |at: u64| {
            let label = random.below(2) == 0;
            let noise = f64::from(u32::try_from(random.below(1_000)).unwrap_or(0)) / 1_000.0;
            let score = 0.6 * noise + if label { 0.4 } else { 0.0 };
            Sample { score, label, called: score > 0.5, group: at % groups }
        };
        (0..400).map(&mut one).collect()
    }

    #[test]
    fn intervals_hold_the_measure_and_are_the_same_every_time() {
        let samples = samples(400);
        let found = intervals(&samples, None, 200, SEED);
        let measured = super::super::measure_samples(&samples, None);
        for (name, value) in measured.values().into_iter().filter(|(_, value)| value.is_finite()) {
            let Interval { low, high } = found[name];
            assert!(low <= value + 0.05 && value - 0.05 <= high && low <= high, "{name}: {low} {value} {high}");
        }
        assert!(found["auc"].low < measured.auc && measured.auc < found["auc"].high);
        assert_eq!(found, intervals(&samples, None, 200, SEED));
        assert!(!found.contains_key("calibration_error_at_base_rate"), "there is no prior to correct");
    }

    #[test]
    fn few_groups_say_less_than_many() {
        let wide = |groups| {
            let found = intervals(&samples(groups), None, 200, SEED)["f1"];
            found.high - found.low
        };
        assert!(wide(400) > 0.0 && wide(4) > 0.0);
        let one = intervals(&samples(1), None, 50, SEED)["f1"];
        assert!((one.high - one.low).abs() < 1e-12, "one group is drawn again and again: it says nothing of others");
    }
}

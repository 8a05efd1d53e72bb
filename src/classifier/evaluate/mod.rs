//! How good a model is: measures over scored, labelled examples, with what chance does to them.
//!
//! Pure: nothing here knows where a score came from. Measures are weighted by group, so that a resample of whole groups ([`bootstrap`]) is one
//! more pass over what was sorted once.

pub mod baseline;
pub mod bootstrap;
pub mod calibration;
pub mod random;

use calibration::Bins;

/// A score with its label.
pub type Scored = (f64, bool);

/// One example, as everything here takes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// A probability, or anything else that grows with it; never NaN.
    pub score: f64,
    /// Whether it is a positive.
    pub label: bool,
    /// Whether it was called one.
    pub called: bool,
    /// What it belongs together with: a page, a video, a question.
    pub group: u64,
}

/// What is measured of one output on one set. NaN (`null` in JSON) where there is nothing to measure by.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Measures {
    /// Examples.
    pub examples: usize,
    /// Positives among them.
    pub positives: usize,
    /// Of those called positive, the share that is.
    pub precision: f64,
    /// Of the positives, the share that was called so.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Of the negatives, the share that was called positive.
    pub false_positive_rate: f64,
    /// Area under the receiver operating characteristic: the chance that a positive scores above a negative. NaN when one class is missing.
    pub auc: f64,
    /// Average precision: the area under precision over recall, without interpolation.
    pub average_precision: f64,
    /// Share of the negatives that score as high as the best half of the positives.
    pub false_positive_rate_at_recall_50: f64,
    /// The same for the best eight of ten.
    pub false_positive_rate_at_recall_80: f64,
    /// The same for the best nineteen of twenty.
    pub false_positive_rate_at_recall_95: f64,
    /// Share of the positives that score higher than all but one in a hundred of the negatives.
    pub recall_at_false_positive_rate_1: f64,
    /// Expected calibration error over ten equal bins of probability (Guo et al., "On Calibration of Modern Neural Networks", 2017).
    pub calibration_error: f64,
    /// The same after the prior that the scores were made with is replaced by the share of positives here; NaN when that prior is not known.
    pub calibration_error_at_base_rate: f64,
}

impl Measures {
    /// Those that are shares or areas, by name.
    #[must_use]
    pub const fn values(&self) -> [(&'static str, f64); 12] {
        [
            ("precision", self.precision),
            ("recall", self.recall),
            ("f1", self.f1),
            ("false_positive_rate", self.false_positive_rate),
            ("auc", self.auc),
            ("average_precision", self.average_precision),
            ("false_positive_rate_at_recall_50", self.false_positive_rate_at_recall_50),
            ("false_positive_rate_at_recall_80", self.false_positive_rate_at_recall_80),
            ("false_positive_rate_at_recall_95", self.false_positive_rate_at_recall_95),
            ("recall_at_false_positive_rate_1", self.recall_at_false_positive_rate_1),
            ("calibration_error", self.calibration_error),
            ("calibration_error_at_base_rate", self.calibration_error_at_base_rate),
        ]
    }
}

/// Measures probabilities; what reaches `threshold` is called positive.
#[must_use]
pub fn measure(scored: &[Scored], threshold: f64) -> Measures {
    let sample =
        |(score, label): &Scored| Sample { score: *score, label: *label, called: *score >= threshold, group: 0 };
    measure_samples(&scored.iter().map(sample).collect::<Vec<_>>(), None)
}

/// Measures samples; `prior` are the log-odds of a positive that the scores were made with, where they are probabilities.
#[must_use]
pub fn measure_samples(samples: &[Sample], prior: Option<f64>) -> Measures {
    let ranked = Ranked::new(samples, prior);
    ranked.measures(&vec![1.0; ranked.groups])
}

/// The chance that a positive scores above a negative, ties counting half (Mann-Whitney); NaN when one class is missing.
#[must_use]
pub fn auc(scored: &[Scored]) -> f64 {
    measure(scored, 0.5).auc
}

/// The mean, over the positives, of the precision at their rank.
#[must_use]
pub fn average_precision(scored: &[Scored]) -> f64 {
    measure(scored, 0.5).average_precision
}

/// Samples in the order of their scores, the highest first, with their groups numbered.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// Sample, and its group's number.
    samples: Vec<(Sample, usize)>,
    groups: usize,
    prior: Option<f64>,
}

impl Ranked {
    /// Sorts `samples`, once for many passes.
    #[must_use]
    pub fn new(samples: &[Sample], prior: Option<f64>) -> Self {
        let mut numbers = std::collections::HashMap::new();
        let mut numbered: Vec<(Sample, usize)> = Vec::with_capacity(samples.len());
        for sample in samples {
            let next = numbers.len();
            numbered.push((*sample, *numbers.entry(sample.group).or_insert(next)));
        }
        numbered.sort_by(|(a, _), (b, _)| b.score.total_cmp(&a.score));
        Self { samples: numbered, groups: numbers.len(), prior }
    }

    /// How many groups there are.
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.groups
    }

    /// Measures, each sample counting as often as its group does in `weights`.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of examples")]
    pub fn measures(&self, weights: &[f64]) -> Measures {
        let weight = |group: usize| weights.get(group).copied().unwrap_or(0.0);
        let total = |label: bool| {
            let of = self.samples.iter().filter(|(sample, _)| sample.label == label);
            of.map(|(_, group)| weight(*group)).sum::<f64>()
        };
        let (positives, negatives) = (total(true), total(false));
        let mut curve = Curve::new(positives, negatives);
        let mut bins = Bins::default();
        let base = (positives / negatives).ln();
        let mut at_base = Bins::default();
        for tied in self.samples.chunk_by(|a, b| a.0.score.total_cmp(&b.0.score).is_eq()) {
            let (mut up, mut down) = (0.0, 0.0);
            for (sample, group) in tied {
                let weight = weight(*group);
                *(if sample.label { &mut up } else { &mut down }) += weight;
                if sample.called {
                    *(if sample.label { &mut curve.right } else { &mut curve.wrong }) += weight;
                }
                bins.add(sample.score, sample.label, weight);
                if let Some(prior) = self.prior {
                    at_base.add(calibration::at_base_rate(sample.score, prior, base), sample.label, weight);
                }
            }
            curve.step(up, down);
        }
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { f64::NAN };
        let has_base = self.prior.is_some() && base.is_finite();
        Measures {
            examples: (positives + negatives).round() as usize,
            positives: positives.round() as usize,
            precision: share(curve.right, curve.right + curve.wrong),
            recall: share(curve.right, positives),
            f1: share(2.0 * curve.right, curve.right + curve.wrong + positives),
            false_positive_rate: share(curve.wrong, negatives),
            auc: share(curve.pairs, positives * negatives),
            average_precision: share(curve.precisions, positives),
            false_positive_rate_at_recall_50: curve.at_recall[0],
            false_positive_rate_at_recall_80: curve.at_recall[1],
            false_positive_rate_at_recall_95: curve.at_recall[2],
            recall_at_false_positive_rate_1: share(curve.found_at_1, positives),
            calibration_error: bins.error(),
            calibration_error_at_base_rate: if has_base { at_base.error() } else { f64::NAN },
        }
    }

    /// Points of precision over recall, from the highest score down: at most about `most` of them.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of examples")]
    pub fn precision_recall(&self, most: usize) -> Vec<(f64, f64)> {
        let positives = self.samples.iter().filter(|(sample, _)| sample.label).count();
        let (mut seen, mut found) = (0_usize, 0_usize);
        let mut points = Vec::new();
        for tied in self.samples.chunk_by(|a, b| a.0.score.total_cmp(&b.0.score).is_eq()) {
            seen += tied.len();
            found += tied.iter().filter(|(sample, _)| sample.label).count();
            points.push((found as f64 / positives.max(1) as f64, found as f64 / seen as f64));
        }
        let step = points.len().div_ceil(most.max(1)).max(1);
        let last = points.len().saturating_sub(1);
        points.iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last).map(|(_, point)| *point).collect()
    }
}

/// Recalls at which the false-positive rate is told.
const RECALLS: [f64; 3] = [0.5, 0.8, 0.95];

/// What grows while the threshold falls.
struct Curve {
    positives: f64,
    negatives: f64,
    right: f64,
    wrong: f64,
    found: f64,
    seen: f64,
    pairs: f64,
    precisions: f64,
    at_recall: [f64; 3],
    found_at_1: f64,
}

impl Curve {
    const fn new(positives: f64, negatives: f64) -> Self {
        let [right, wrong, found, seen, pairs, precisions, found_at_1] = [0.0; 7];
        Self {
            positives,
            negatives,
            right,
            wrong,
            found,
            seen,
            pairs,
            precisions,
            at_recall: [f64::NAN; 3],
            found_at_1,
        }
    }

    /// The threshold falls below the next score, which so many positives and negatives share.
    fn step(&mut self, up: f64, down: f64) {
        self.pairs += down * (self.found + up / 2.0);
        self.found += up;
        self.seen += up + down;
        if up > 0.0 {
            self.precisions += up * self.found / self.seen;
        }
        let wrong = self.seen - self.found;
        for (recall, rate) in RECALLS.into_iter().zip(&mut self.at_recall) {
            // A hair below, so that eight of ten are eight tenths whatever the division says.
            if rate.is_nan()
                && self.negatives > 0.0
                && self.positives > 0.0
                && self.found >= recall * self.positives - 1e-9
            {
                *rate = wrong / self.negatives;
            }
        }
        if wrong <= self.negatives * 0.01 + 1e-9 {
            self.found_at_1 = self.found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_those_of_the_textbook() {
        let scored = [(0.9, true), (0.8, false), (0.7, true), (0.2, false)];
        let found = measure(&scored, 0.5);
        assert!((found.precision - 2.0 / 3.0).abs() < 1e-12 && (found.recall - 1.0).abs() < 1e-12);
        assert!((found.f1 - 0.8).abs() < 1e-12);
        assert!((found.auc - 0.75).abs() < 1e-12);
        assert!((found.average_precision - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert!((found.false_positive_rate - 0.5).abs() < 1e-12);
        assert!((found.false_positive_rate_at_recall_50 - 0.0).abs() < 1e-12, "the best positive is above all");
        assert!((found.false_positive_rate_at_recall_95 - 0.5).abs() < 1e-12);
        assert!((found.recall_at_false_positive_rate_1 - 0.5).abs() < 1e-12);
        assert!((auc(&[(0.5, true), (0.5, false)]) - 0.5).abs() < 1e-12, "ties count half");
        assert!(auc(&[(0.5, true)]).is_nan());
    }

    #[test]
    fn a_group_that_counts_twice_is_two_groups() {
        let sample = |score, label, group| Sample { score, label, called: score >= 0.5, group };
        let once = [sample(0.9, true, 1), sample(0.6, false, 1), sample(0.4, true, 2), sample(0.3, false, 2)];
        let twice: Vec<Sample> = once.iter().chain(&once[..2]).copied().collect();
        let weighted = Ranked::new(&once, Some(0.0)).measures(&[2.0, 1.0]);
        assert_eq!(weighted, measure_samples(&twice, Some(0.0)));
    }

    #[test]
    fn precision_over_recall_ends_with_everything_found() {
        let sample = |score: f64, label| Sample { score, label, called: false, group: 0 };
        let samples = [sample(0.9, true), sample(0.8, false), sample(0.7, true)];
        let points = Ranked::new(&samples, None).precision_recall(100);
        assert_eq!(points, [(0.5, 1.0), (0.5, 0.5), (1.0, 2.0 / 3.0)]);
        assert_eq!(Ranked::new(&samples, None).precision_recall(1).last(), points.last());
    }
}

//! How good a model is: measures over scored, labelled examples.

/// A score with its label.
pub type Scored = (f64, bool);

/// What is measured of one output on one set.
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
    /// Expected calibration error over ten equal bins of probability (Guo et al., "On Calibration of Modern Neural Networks", 2017).
    pub calibration_error: f64,
}

/// Measures probabilities; what reaches `threshold` is called positive.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of examples")]
pub fn measure(scored: &[Scored], threshold: f64) -> Measures {
    let called = |positive: bool| {
        scored.iter().filter(|(score, label)| *score >= threshold && *label == positive).count() as f64
    };
    let positives = scored.iter().filter(|(_, label)| *label).count();
    let (right, wrong) = (called(true), called(false));
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { f64::NAN };
    let (precision, recall) = (share(right, right + wrong), share(right, positives as f64));
    Measures {
        examples: scored.len(),
        positives,
        precision,
        recall,
        f1: share(2.0 * right, right + wrong + positives as f64),
        false_positive_rate: share(wrong, (scored.len() - positives) as f64),
        auc: auc(scored),
        average_precision: average_precision(scored),
        calibration_error: calibration_error(scored),
    }
}

/// The chance that a positive scores above a negative, ties counting half (Mann-Whitney); NaN when one class is missing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of examples")]
pub fn auc(scored: &[Scored]) -> f64 {
    let mut sorted: Vec<Scored> = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut before) = (0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let positives = tied.iter().filter(|(_, label)| *label).count() as f64;
        ranks += positives * (before + (tied.len() as f64 + 1.0) / 2.0);
        before += tied.len() as f64;
    }
    let positives = sorted.iter().filter(|(_, label)| *label).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return f64::NAN;
    }
    (ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

/// The mean, over the positives, of the precision at their rank.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of examples")]
pub fn average_precision(scored: &[Scored]) -> f64 {
    let mut sorted: Vec<Scored> = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut seen, mut found, mut sum) = (0.0, 0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let positives = tied.iter().filter(|(_, label)| *label).count() as f64;
        seen += tied.len() as f64;
        found += positives;
        sum += positives * found / seen;
    }
    if found > 0.0 { sum / found } else { f64::NAN }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "probabilities and counts"
)]
fn calibration_error(scored: &[Scored]) -> f64 {
    let mut bins = [(0.0_f64, 0.0_f64, 0.0_f64); 10];
    for (score, label) in scored {
        let bin = &mut bins[((score * 10.0) as usize).min(9)];
        bin.0 += score;
        bin.1 += f64::from(u8::from(*label));
        bin.2 += 1.0;
    }
    let gaps = bins.iter().filter(|bin| bin.2 > 0.0).map(|(scores, labels, _)| (scores - labels).abs());
    gaps.sum::<f64>() / (scored.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_those_of_the_textbook() {
        let scored = [(0.9, true), (0.8, false), (0.7, true), (0.2, false)];
        let found = measure(&scored, 0.5);
        assert!((found.precision - 2.0 / 3.0).abs() < 1e-12 && (found.recall - 1.0).abs() < 1e-12);
        assert!((found.auc - 0.75).abs() < 1e-12);
        assert!((found.average_precision - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert!((found.false_positive_rate - 0.5).abs() < 1e-12);
        assert!((auc(&[(0.5, true), (0.5, false)]) - 0.5).abs() < 1e-12, "ties count half");
        assert!(auc(&[(0.5, true)]).is_nan());
    }
}

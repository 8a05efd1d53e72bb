//! Whether a probability means what it says.

/// Ten equal bins of probability: how much was said in each, and how much came true.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bins([Bin; 10]);

/// What fell into one bin.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bin {
    /// Sum of the probabilities.
    pub said: f64,
    /// How many were positives.
    pub true_ones: f64,
    /// How many there were.
    pub all: f64,
}

impl Bins {
    /// Counts one probability.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a tenth of the way from 0 to 1")]
    pub fn add(&mut self, probability: f64, label: bool, weight: f64) {
        let bin = &mut self.0[((probability * 10.0) as usize).min(9)];
        bin.said += weight * probability;
        bin.true_ones += weight * f64::from(u8::from(label));
        bin.all += weight;
    }

    /// Expected calibration error: the mean distance between what was said and what came true.
    #[must_use]
    pub fn error(&self) -> f64 {
        let all: f64 = self.0.iter().map(|bin| bin.all).sum();
        self.0.iter().map(|bin| (bin.said - bin.true_ones).abs()).sum::<f64>() / all
    }

    /// The bins, lowest probability first.
    #[must_use]
    pub const fn bins(&self) -> &[Bin; 10] {
        &self.0
    }
}

/// A probability that was made with the prior log-odds `prior`, as it would be with `base`: what the evidence says stays the same
/// (Saerens et al., "Adjusting the Outputs of a Classifier to New a Priori Probabilities", 2002).
#[must_use]
pub fn at_base_rate(probability: f64, prior: f64, base: f64) -> f64 {
    let kept = probability.clamp(1e-12, 1.0 - 1e-12);
    1.0 / (1.0 + (-((kept / (1.0 - kept)).ln() - prior + base)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_true_as_often_as_said_has_no_error() {
        let mut bins = Bins::default();
        for at in 0..10 {
            bins.add(0.3, at < 3, 1.0);
        }
        assert!(bins.error() < 1e-12);
        bins.add(1.0, false, 10.0);
        assert!((bins.error() - 0.5).abs() < 1e-12, "half of all was said to be certain, and was not");
    }

    #[test]
    fn another_base_rate_moves_the_log_odds_only() {
        let cases = [
            (0.5, 0.0, 0.0, 0.5),
            (0.5, -1.0, 0.0, 1.0 / (1.0 + (-1.0_f64).exp())),
            (0.2, 0.0, 0.25_f64.ln(), 1.0 / 17.0),
        ];
        for (probability, prior, base, expected) in cases {
            assert!((at_base_rate(probability, prior, base) - expected).abs() < 1e-9, "{probability} {prior} {base}");
        }
        assert!(at_base_rate(0.0, 0.0, 1.0) < 1e-9 && at_base_rate(1.0, 0.0, 1.0) > 0.999);
    }
}

//! Log-odds and the probabilities made of them. Neither can be NaN, so sorting and comparing cannot fail.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// A finite amount of evidence in log-odds (natural logarithm), kept to four decimals so that the terms a moderator
/// reads add up to the sum a moderator reads. Positive speaks for the category, negative against it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, ToSchema)]
pub struct LogOdds(f64);

impl LogOdds {
    /// No evidence either way.
    pub const ZERO: Self = Self(0.0);
    /// Larger amounts than this mean nothing more: the logistic function is flat there in double precision.
    pub const LIMIT: f64 = 40.0;

    /// `value` rounded to four decimals and kept within ±[`Self::LIMIT`]; `None` for NaN and infinities.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then(|| {
            let rounded = Self::rounded(value.clamp(-Self::LIMIT, Self::LIMIT));
            Self(rounded + 0.0) // turns -0.0 into 0.0, which reads better
        })
    }

    /// Like [`Self::new`], for values that are finite by construction; what is not becomes zero.
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self::new(value).unwrap_or_default()
    }

    /// `value` to four decimals, without a bound: for sums of several amounts on their way to one.
    #[must_use]
    pub fn rounded(value: f64) -> f64 {
        (value * 10_000.0).round() / 10_000.0
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The probability that these log-odds stand for: the logistic function.
    #[must_use]
    pub fn probability(self) -> Score {
        Score(1.0 / (1.0 + (-self.0).exp()))
    }
}

impl std::ops::Neg for LogOdds {
    type Output = Self;

    fn neg(self) -> Self {
        Self::of(-self.0)
    }
}

impl std::iter::Sum for LogOdds {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        Self::of(terms.map(|term| term.0).sum())
    }
}

impl<'de> Deserialize<'de> for LogOdds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| serde::de::Error::custom("a weight must be a finite number"))
    }
}

/// A probability from 0.0 to 1.0; never NaN.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, ToSchema)]
pub struct Score(f64);

impl Score {
    /// `value` when it lies within 0.0 and 1.0.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Eq for Score {}

#[expect(clippy::derive_ord_xor_partial_ord, reason = "a Score is never NaN, so both orders agree")]
impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| serde::de::Error::custom("a score must lie within 0.0 and 1.0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_cannot_be_made_of_nonsense() {
        assert_eq!(LogOdds::new(f64::NAN), None);
        assert_eq!(LogOdds::new(f64::INFINITY), None);
        assert!(serde_json::from_str::<LogOdds>("1e999").is_err());
        assert_eq!(LogOdds::new(1e12).map(LogOdds::get), Some(LogOdds::LIMIT));
    }

    #[test]
    fn probability_of_no_evidence_is_a_half() {
        assert_eq!(LogOdds::ZERO.probability(), Score(0.5));
        assert!(LogOdds::of(40.0).probability() <= Score(1.0));
        assert!(LogOdds::of(-40.0).probability() >= Score(0.0));
    }
}

//! What a site taught, ready to answer: added to the model's answer, under its own version, and in words.

use std::collections::BTreeMap;

use super::features::{DIMENSION, Features, Owner};
use super::model::words_of;
use super::shares::Shares;
use crate::domain::category::Category;
use crate::domain::comment::Comment;
use crate::domain::model::{ModelOutput, Term};
use crate::domain::scores::LogOdds;

/// What a site taught, ready to answer: weights of both outputs over the same features, found by counting bits.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// Which features have weights.
    bits: Box<[u64]>,
    /// How many have before each of those words.
    before: Box<[u32]>,
    weights: Box<[[f32; 2]]>,
    sum_max: f64,
}

impl Delta {
    /// Of spam's and abuse's weights; features that there are not are left out.
    #[must_use]
    pub fn new(outputs: [&[(u32, f32)]; 2], sum_max: f64) -> Self {
        let mut all: BTreeMap<u32, [f32; 2]> = BTreeMap::new();
        for (output, weights) in outputs.into_iter().enumerate() {
            for (index, weight) in
                weights.iter().filter(|(index, weight)| (*index as usize) < DIMENSION && weight.is_finite())
            {
                all.entry(*index).or_default()[output] = *weight;
            }
        }
        let mut bits = vec![0_u64; DIMENSION.div_ceil(64)];
        for index in all.keys() {
            bits[*index as usize / 64] |= 1 << (index % 64);
        }
        let mut count = 0;
        let before = bits.iter().map(|word| {
            let before = count;
            count += word.count_ones();
            before
        });
        let before = before.collect();
        Self { bits: bits.into(), before, weights: all.into_values().collect(), sum_max }
    }

    /// The weights of a feature, if it has any.
    #[must_use]
    pub fn weight(&self, index: u32) -> Option<[f32; 2]> {
        let (word, bit) = (index as usize / 64, 1_u64 << (index % 64));
        let bits = self.bits.get(word)?;
        if bits & bit == 0 {
            return None;
        }
        let at = self.before[word] + (bits & (bit - 1)).count_ones();
        self.weights.get(at as usize).copied()
    }

    /// What it adds to spam and abuse, in log-odds, within the bound.
    #[must_use]
    pub fn margins(&self, features: &Features) -> [f64; 2] {
        let mut margins = [0.0_f64; 2];
        for (index, value) in features {
            if let Some(weights) = self.weight(*index) {
                margins[0] += f64::from(weights[0]) * f64::from(*value);
                margins[1] += f64::from(weights[1]) * f64::from(*value);
            }
        }
        margins.map(|margin| self.bounded(margin))
    }

    /// A sum within the bound.
    #[must_use]
    pub fn bounded(&self, margin: f64) -> f64 {
        margin.clamp(-self.sum_max, self.sum_max)
    }

    /// How many features have weights.
    #[must_use]
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether it adds nothing to anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }
}

/// What a site taught, with the name that verdicts know it by.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// The version of the model that it lies over.
    pub base: String,
    /// Counts the site's models.
    pub number: u32,
    /// What it adds.
    pub delta: Delta,
}

/// Terms of a site's own that an answer names at most.
const MAX_TERMS: usize = 4;
/// Shares below which a term is not worth a moderator's time.
const MIN_TERM: f64 = 0.05;

impl Learned {
    /// What verdicts name: the base, and the number of what was learned over it.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}+{}", self.base, self.number)
    }

    /// Begins to look at a comment, feature by feature.
    pub(super) fn lesson<'a>(&'a self, comment: &'a Comment) -> Applied<'a> {
        Applied { learned: self, comment, sums: [0.0; 2], shares: Shares::new(comment.body.words.len()) }
    }
}

/// What a site taught, applied to one comment.
pub(super) struct Applied<'a> {
    learned: &'a Learned,
    comment: &'a Comment,
    sums: [f64; 2],
    shares: Shares,
}

impl Applied<'_> {
    /// Hears of a feature; each comes once.
    pub(super) fn hear(&mut self, index: u32, value: f32, owner: Owner) {
        let Some(weights) = self.learned.delta.weight(index) else { return };
        let share = weights.map(|weight| f64::from(weight) * f64::from(value));
        self.sums[0] += share[0];
        self.sums[1] += share[1];
        self.shares.add(owner, share);
    }

    /// The model's answer with what the site taught: the sums, the version, and terms that say that they were learned here.
    pub(super) fn adjust(self, output: ModelOutput) -> ModelOutput {
        let ModelOutput::Scored { spam, abuse, mut terms, .. } = output else { return output };
        terms.extend(terms_of(self.comment, &self.shares));
        let [for_spam, for_abuse] = self.sums.map(|sum| self.learned.delta.bounded(sum));
        ModelOutput::Scored {
            version: self.learned.version(),
            spam: LogOdds::of(spam.get() + for_spam),
            abuse: LogOdds::of(abuse.get() + for_abuse),
            terms,
        }
    }
}

/// The strongest shares, in words.
fn terms_of(comment: &Comment, shares: &Shares) -> Vec<Term> {
    let each = shares.iter().flat_map(|(owner, shares)| [(owner, 0, shares[0]), (owner, 1, shares[1])]);
    let mut strongest: Vec<(Owner, usize, f64)> = each.filter(|(_, _, share)| share.abs() >= MIN_TERM).collect();
    strongest.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()).then(a.0.cmp(&b.0)));
    let term = |(owner, output, share): &(Owner, usize, f64)| Term {
        category: [Category::Spam, Category::Abuse][*output],
        text: format!("learned here: {}", words_of(comment, *owner)),
        log_odds: LogOdds::of(*share),
    };
    strongest.iter().take(MAX_TERMS).map(term).collect()
}

#[cfg(test)]
mod tests {
    use super::super::online::{Learner, Lesson, Pace};
    use super::*;

    #[test]
    fn a_delta_answers_what_its_learner_said() {
        let mut learner = Learner::new(Pace::default());
        let features = |number| vec![(1, 0.3), (65_535, 0.3), (number, 0.3)];
        for number in 100..120 {
            let lesson =
                Lesson { features: features(number), base: -3.0, prior: -3.0, label: true, exact: 0, sketch: None };
            learner.learn(&lesson);
        }
        let delta = Delta::new([&learner.weights(), &[(1, -0.5), (u32::MAX, 1.0), (3, f32::NAN)]], 4.0);
        let asked = features(2);
        let [spam, abuse] = delta.margins(&asked);
        assert!((spam - learner.margin(&asked)).abs() < 1e-6 && spam > 0.1);
        assert!((abuse + 0.15).abs() < 1e-6);
        assert_eq!((delta.weight(2), delta.weight(u32::MAX), delta.weight(3)), (None, None, None));
        assert!(Delta::new([&[], &[]], 4.0).is_empty());
        let strong = Delta::new([&[(1, 90.0)], &[(1, -90.0)]], 4.0);
        assert!(strong.margins(&asked).map(f64::abs).iter().all(|sum| (sum - 4.0).abs() < f64::EPSILON));
    }
}

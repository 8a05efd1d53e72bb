//! How well a text fits where it stands: its likeness to the page and to what was said around it, joined into log-odds.
//!
//! Three likenesses to each: the cosine of TF-IDF vectors, the share of the text's information, the cosine of gists. What they are worth
//! depends on how much there is to judge by, so each counts by itself and once more times the evidence. The weights are fitted on comments
//! under their own page and under another one (`doorward train`); likeness never speaks against a text ([`Question::log_odds`]). Whether a text
//! is a reader's or a headline shows in its bearing, too. Nothing here decides.

use serde::{Deserialize, Serialize};

use super::bearing::{self, Bearing};
use super::embedding::Gist;
use super::relevance::Page;
use super::siblings::Siblings;
use super::terms::Terms;

/// How alike a text is to one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Likeness {
    /// Cosine of the TF-IDF vectors, 0.0 to 1.0.
    pub cosine: f32,
    /// Share of the text's information that the other carries, 0.0 to 1.0.
    pub share: f32,
    /// Cosine of the gists, -1.0 to 1.0.
    pub gist: f32,
}

impl Likeness {
    /// Of a text to something given by its weights, sorted by stem, their length, and its gist.
    #[must_use]
    pub fn of(terms: &Terms, gist: &Gist, weights: &[(u32, f32)], norm: f32, other: &Gist) -> Self {
        let (mut dot, mut shared, mut from) = (0.0_f32, 0.0_f32, 0);
        for (stem, idf) in terms.iter() {
            match weights[from..].binary_search_by_key(&stem, |(stem, _)| *stem) {
                Ok(at) => {
                    dot += weights[from + at].1 * idf;
                    shared += idf;
                    from += at + 1;
                }
                Err(at) => from += at,
            }
        }
        let norms = terms.norm() * norm;
        let cosine = if norms > 0.0 { (dot / norms).clamp(0.0, 1.0) } else { 0.0 };
        let share = if terms.evidence() > 0.0 { (shared / terms.evidence()).clamp(0.0, 1.0) } else { 0.0 };
        Self { cosine, share, gist: gist.cosine(other) }
    }

    /// The better of two, part by part.
    fn or(self, other: Self) -> Self {
        Self {
            cosine: self.cosine.max(other.cosine),
            share: self.share.max(other.share),
            gist: self.gist.max(other.gist),
        }
    }
}

/// What a text is compared with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// The page, when it is known well enough.
    pub page: Option<&'a Page>,
    /// What others said.
    pub siblings: Option<&'a Siblings>,
    /// The comment that it answers, summed up like others.
    pub answered: Option<&'a Siblings>,
}

/// What was found of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// To the page.
    pub page: Option<Likeness>,
    /// To what was said around it, and by how many.
    pub thread: Option<(Likeness, u32)>,
    /// Information that there was to judge by, in nats.
    pub evidence: f32,
    /// How the text carries itself; of no weight where nobody looked.
    pub bearing: Bearing,
}

/// Compares a text with its surroundings; `None` when there are none.
#[must_use]
pub fn find(terms: &Terms, gist: &Gist, around: &Around<'_>) -> Option<Found> {
    let page = around.page.map(|page| page.likeness(terms, gist));
    let of = |siblings: &Siblings| (siblings.likeness(terms, gist), siblings.count);
    let thread = match (around.siblings.map(of), around.answered.map(of)) {
        (Some((all, count)), Some((one, _))) => Some((all.or(one), count + 1)),
        (one, other) => one.or(other),
    };
    (page.is_some() || thread.is_some()).then(|| Found {
        page,
        thread,
        evidence: terms.evidence(),
        bearing: Bearing::default(),
    })
}

/// How many numbers describe what was found.
pub const FEATURES: usize = 16;

impl Found {
    /// The same of a text that carries itself so.
    #[must_use]
    pub const fn carried(self, bearing: Bearing) -> Self {
        Self { bearing, ..self }
    }

    /// What weights are fitted to: evidence, likenesses to the page and to the thread, each by itself and times the evidence, and how large the
    /// thread is; zeros for what there is not.
    #[must_use]
    pub fn features(&self) -> [f32; FEATURES] {
        let evidence = self.evidence.ln_1p() / 5.0;
        let mut features = [0.0; FEATURES];
        features[0] = evidence;
        let mut put = |from: usize, likeness: Likeness| {
            for (at, value) in [likeness.cosine.sqrt(), likeness.share, likeness.gist].into_iter().enumerate() {
                features[from + 2 * at] = value;
                features[from + 2 * at + 1] = value * evidence;
            }
        };
        if let Some(page) = self.page {
            put(1, page);
        }
        if let Some((thread, count)) = self.thread {
            put(7, thread);
            #[expect(clippy::cast_precision_loss, reason = "some dozen")]
            let count = (count as f32).ln_1p() / 4.0;
            (features[13], features[14], features[15]) = (count, count * evidence, count * thread.share);
        }
        features
    }
}

/// One situation's weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Log-odds of nothing.
    pub intercept: f32,
    /// In the order of [`Found::features`].
    pub weights: [f32; FEATURES],
    /// In the order of [`Bearing::features`].
    #[serde(default)]
    pub bearing: bearing::Weights,
}

/// Weights of how people carry themselves when others call what they say off-topic.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voice {
    /// Log-odds of nothing.
    pub intercept: f32,
    /// In the order of [`Bearing::features`].
    pub bearing: bearing::Weights,
}

impl Voice {
    /// Log-odds that a text reads like those that people call off-topic, of as many that they do not.
    #[must_use]
    pub fn log_odds(&self, bearing: &Bearing) -> f32 {
        self.intercept + bearing.log_odds(&self.bearing)
    }
}

/// One question's weights, by what there is to compare with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The page alone.
    pub page: Line,
    /// What was said alone.
    pub thread: Line,
    /// Both.
    pub both: Line,
}

/// Fitted weights, shipped in `models/`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Version of the word vectors that they were fitted with, in hexadecimal.
    pub words: String,
    /// Own page or another one of the same site.
    pub own: Question,
    /// A reader's words under a page, or the headline of another story.
    pub foreign: Question,
    /// What people call off-topic.
    #[serde(default)]
    pub voice: Voice,
}

/// Weights that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the weights of relevance cannot be used: {0}")]
pub struct BadWeights(String);

impl Weights {
    /// Whether they can be used with a table of word vectors.
    ///
    /// # Errors
    /// [`BadWeights`]: fitted with another table, or holding something that is no number.
    pub fn check(&self, words: u64) -> Result<(), BadWeights> {
        let lines = [&self.own, &self.foreign].into_iter().flat_map(|of| [&of.page, &of.thread, &of.both]);
        let of_lines = lines.flat_map(|line| line.weights.iter().chain(&line.bearing.0).chain([&line.intercept]));
        let mut numbers = of_lines.chain(&self.voice.bearing.0).chain([&self.voice.intercept]);
        if !numbers.all(|number| number.is_finite()) {
            return Err(BadWeights("one of them is no number".to_owned()));
        }
        let known = format!("{words:016x}");
        if self.words != known {
            let problem = format!("they were fitted with word vectors {}, these are {known}; train again", self.words);
            return Err(BadWeights(problem));
        }
        Ok(())
    }
}

impl Question {
    /// Log-odds that a text belongs where it was found, of as many that do as do not. Grows with every likeness: where evidence would turn a
    /// likeness against the text, it counts nothing.
    #[must_use]
    pub fn log_odds(&self, found: &Found) -> f32 {
        let line = match (found.page, found.thread) {
            (Some(_), None) => &self.page,
            (None, _) => &self.thread,
            (Some(_), Some(_)) => &self.both,
        };
        let (features, weights) = (found.features(), &line.weights);
        let mut sum = line.intercept + features[0] * weights[0];
        for at in (1..13).step_by(2) {
            let slope = weights[at] + features[0] * weights[at + 1];
            let slope = if at == 9 { slope + features[13] * weights[15] } else { slope };
            sum += features[at] * slope.max(0.0);
        }
        sum + features[13] * weights[13] + features[14] * weights[14] + found.bearing.log_odds(&line.bearing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question(numbers: &[f32]) -> Question {
        let line = |from: usize| Line {
            intercept: numbers[from],
            weights: std::array::from_fn(|at| numbers[from + at]),
            ..Line::default()
        };
        Question { page: line(0), thread: line(3), both: line(7) }
    }

    proptest! {
        #[test]
        fn more_likeness_never_speaks_against_a_text(
            numbers in prop::collection::vec(-5.0_f32..5.0, 23),
            parts in prop::collection::vec(0.0_f32..1.0, 6),
            which in 0_usize..6,
            evidence in 0.0_f32..500.0,
            count in 1_u32..30,
            more in 0.0_f32..1.0,
        ) {
            let found = |parts: &[f32]| {
                let likeness = |from: usize| Likeness { cosine: parts[from], share: parts[from + 1], gist: parts[from + 2] };
                Found {
                    page: Some(likeness(0)),
                    thread: Some((likeness(3), count)),
                    evidence,
                    bearing: Bearing::default(),
                }
            };
            let question = question(&numbers);
            let before = question.log_odds(&found(&parts));
            let mut closer = parts.clone();
            closer[which] = (closer[which] + more).min(1.0);
            prop_assert!(question.log_odds(&found(&closer)) >= before - 1e-4);
        }
    }

    #[test]
    fn weights_of_another_table_or_without_numbers_are_refused() {
        let weights = Weights { words: format!("{:016x}", 7), ..Weights::default() };
        assert_eq!(weights.check(7), Ok(()));
        assert!(weights.check(8).is_err());
        let mut broken = weights;
        broken.foreign.both.weights[3] = f32::NAN;
        assert!(broken.check(7).is_err());
    }

    #[test]
    fn nothing_around_finds_nothing() {
        assert_eq!(find(&Terms::default(), &Gist::default(), &Around::default()), None);
    }
}

//! What one site teaches: a small, bounded correction over the shipped model, learned with linfa-ftrl from people's labels.
//!
//! The base stays as it is: to linfa it is one more feature, of weight one, that does not move; what moves are the weights of the site's own
//! words, which L1 and L2 draw back to nothing, that is to the base. Labels of the rarer class are replayed from a bounded memory, so that a
//! queue full of spam does not teach that everything is spam. A label moves its own comment by a bounded step, and all of them together any
//! comment by a bounded sum. The same lessons in the same order give the same weights: a label that is taken back is gone when the rest is
//! learned anew.

use std::collections::{BTreeMap, HashSet};

use linfa::prelude::*;
use linfa_ftrl::Ftrl;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::features::{CONSTANT, DIMENSION, Features, Owner, visit};
use super::model::words_of;
use crate::domain::category::Category;
use crate::domain::comment::Comment;
use crate::domain::model::{ModelOutput, Term};
use crate::domain::relevance::Page;
use crate::domain::scores::LogOdds;
use crate::domain::trace::TextTrace;

/// How a site's learner works. Chosen on streams of videos, messages and posts under models that had not seen their source: see docs/learning.md.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// FTRL's learning rate.
    pub alpha: f64,
    /// L1 towards the base.
    pub l1: f64,
    /// L2 towards the base.
    pub l2: f64,
    /// Log-odds by which one label moves its own comment at most.
    pub step_max: f64,
    /// Log-odds that everything learned adds to any comment at most, either way.
    pub sum_max: f64,
    /// Lessons of each class that are kept to be replayed.
    pub memory: usize,
    /// Lessons replayed after each new one.
    pub replays: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { alpha: 0.15, l1: 0.02, l2: 0.5, step_max: 1.5, sum_max: 4.0, memory: 400, replays: 4 }
    }
}

/// A comment with what a person said of it, for one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// What the classifier sees of it.
    pub features: Features,
    /// Log-odds by policy's prior and the base model.
    pub base: f64,
    /// Whether it is what the output looks for.
    pub label: bool,
    /// Fingerprint of its text: equal for equal texts, whatever the punctuation.
    pub exact: u64,
    /// Fingerprint by which near copies are known; none for short texts.
    pub sketch: Option<TextTrace>,
}

/// Texts that share this much are copies of one another.
const COPY: f64 = 0.75;
/// Lessons among which near copies are looked for, latest first: a campaign is decided within some hundred others.
const COPIES_AMONG: usize = 300;

/// For each lesson, in the order of time, whether it teaches: of texts that are copies of one another the first does, unless somebody said
/// otherwise later; then only what was said last counts.
#[must_use]
pub fn teaching(lessons: &[Lesson]) -> Vec<bool> {
    let mut last: BTreeMap<u64, bool> = BTreeMap::new();
    for lesson in lessons {
        last.insert(lesson.exact, lesson.label);
    }
    let mut met = HashSet::new();
    let mut kept: Vec<(TextTrace, bool)> = Vec::new();
    let teaches = |lesson: &Lesson| {
        if last.get(&lesson.exact) != Some(&lesson.label) || !met.insert(lesson.exact) {
            return false;
        }
        if let Some(sketch) = lesson.sketch {
            let mut near = kept.iter().rev().take(COPIES_AMONG);
            if near.any(|(other, label)| *label == lesson.label && other.similarity(&sketch) >= COPY) {
                return false;
            }
            kept.push((sketch, lesson.label));
        }
        true
    };
    lessons.iter().map(teaches).collect()
}

/// Learns one output, lesson by lesson.
#[derive(Debug, Clone)]
pub struct Learner {
    pace: Pace,
    /// FTRL's sums of every feature met so far: inactive ones do not change (docs/adr/0004).
    state: BTreeMap<u32, (f64, f64)>,
    memory: [Vec<Lesson>; 2],
    met: [usize; 2],
}

/// linfa's own fields, by which a model is made through serde.
#[derive(Serialize)]
struct Mirror {
    alpha: f64,
    beta: f64,
    l1_ratio: f64,
    l2_ratio: f64,
    z: Array1<f64>,
    n: Array1<f64>,
}

const BETA: f64 = 1.0; // linfa's default of 0 makes every weight infinite
/// So much evidence lies behind the base's weight of one that no label moves it.
const FROZEN: f64 = 1e18;

impl Learner {
    /// That has learned nothing.
    #[must_use]
    pub const fn new(pace: Pace) -> Self {
        Self { pace, state: BTreeMap::new(), memory: [Vec::new(), Vec::new()], met: [0; 2] }
    }

    /// What was learned says that of features, in log-odds, within the bound.
    #[must_use]
    pub fn margin(&self, features: &Features) -> f64 {
        self.free_margin(features).clamp(-self.pace.sum_max, self.pace.sum_max)
    }

    fn free_margin(&self, features: &Features) -> f64 {
        let share = |(index, value): &(u32, f32)| {
            self.state.get(index).map_or(0.0, |sums| self.weight(*sums)) * f64::from(*value)
        };
        features.iter().map(share).sum()
    }

    /// FTRL's weight by its sums, as linfa computes it.
    fn weight(&self, (z, n): (f64, f64)) -> f64 {
        let Pace { alpha, l1, l2, .. } = self.pace;
        if z.abs() <= l1 { 0.0 } else { (z.signum() * l1 - z) / ((n.sqrt() + BETA) / alpha + l2) }
    }

    /// Learns a lesson, and some of the rarer class again. Answers by how much the lesson moved its own comment.
    pub fn learn(&mut self, lesson: &Lesson) -> f64 {
        let before = self.free_margin(&lesson.features);
        self.step(lesson);
        let class = usize::from(lesson.label);
        self.met[class] += 1;
        self.remember(lesson);
        let moved = self.free_margin(&lesson.features) - before;
        for turn in 0..self.pace.replays {
            let class = usize::from(self.met[1] < self.met[0]) ^ usize::from(turn % 2 == 1 && self.is_balanced());
            let memory = &self.memory[class];
            if memory.is_empty() {
                continue;
            }
            let draw = (self.met[0] + self.met[1]) * self.pace.replays + turn;
            let draw = xxh3_64(&draw.to_le_bytes()) % memory.len() as u64;
            let Some(again) = usize::try_from(draw).ok().and_then(|draw| memory.get(draw)).cloned() else { continue };
            self.step(&again);
        }
        moved
    }

    /// Whether neither class is much rarer than the other.
    const fn is_balanced(&self) -> bool {
        self.met[0] < 2 * self.met[1] && self.met[1] < 2 * self.met[0]
    }

    /// Keeps a bounded, even sample of each class (Vitter, "Random sampling with a reservoir", 1985), drawn by hash: no clock, no chance.
    fn remember(&mut self, lesson: &Lesson) {
        let class = usize::from(lesson.label);
        let met = self.met[class];
        let memory = &mut self.memory[class];
        if memory.len() < self.pace.memory {
            memory.push(lesson.clone());
        } else {
            let draw = usize::try_from(xxh3_64(&met.to_le_bytes()) % met.max(1) as u64).unwrap_or(usize::MAX);
            if let Some(place) = memory.get_mut(draw) {
                *place = lesson.clone();
            }
        }
    }

    /// One step of linfa-ftrl, no longer than allowed. A step that linfa refuses teaches nothing.
    fn step(&mut self, lesson: &Lesson) {
        // The constant would learn how much spam there is in the queue, which is no property of the site.
        let features: Vec<(u32, f32)> =
            lesson.features.iter().filter(|(index, _)| *index != CONSTANT).copied().collect();
        let Some(after) = self.fitted(&features, lesson) else { return };
        let before: Vec<(f64, f64)> =
            features.iter().map(|(index, _)| self.state.get(index).copied().unwrap_or_default()).collect();
        let margin = |part: f64| -> f64 {
            let between = |(a, b): (&(f64, f64), &(f64, f64))| (a.0 + part * (b.0 - a.0), a.1 + part * (b.1 - a.1));
            let weights = before.iter().zip(&after).map(between).map(|sums| self.weight(sums));
            weights.zip(&features).map(|(weight, (_, value))| weight * f64::from(*value)).sum()
        };
        let start = margin(0.0);
        let mut part = 1.0;
        while part > 1e-3 && (margin(part) - start).abs() > self.pace.step_max {
            part /= 2.0;
        }
        for ((index, _), (a, b)) in features.iter().zip(before.iter().zip(&after)) {
            self.state.insert(*index, (a.0 + part * (b.0 - a.0), a.1 + part * (b.1 - a.1)));
        }
    }

    /// linfa's sums after the lesson. The base goes along as a feature of weight one.
    fn fitted(&self, features: &[(u32, f32)], lesson: &Lesson) -> Option<Vec<(f64, f64)>> {
        let Pace { alpha, l1, l2, .. } = self.pace;
        let of = |part: fn((f64, f64)) -> f64| {
            features.iter().map(move |(index, _)| part(self.state.get(index).copied().unwrap_or_default()))
        };
        let frozen = -((FROZEN.sqrt() + BETA) / alpha + l2) - l1;
        let z = Array1::from_iter(of(|sums| sums.0).chain([frozen]));
        let n = Array1::from_iter(of(|sums| sums.1).chain([FROZEN]));
        let bytes = postcard::to_stdvec(&Mirror { alpha, beta: BETA, l1_ratio: l1, l2_ratio: l2, z, n }).ok()?;
        let model: Ftrl<f64> = postcard::from_bytes(&bytes).ok()?;
        let params = Ftrl::<f64>::params().alpha(alpha).beta(BETA).l1_ratio(l1).l2_ratio(l2).check().ok()?;
        let base = lesson.base.clamp(-30.0, 30.0);
        let row = Array2::from_shape_fn((1, features.len() + 1), |(_, at)| {
            features.get(at).map_or(base, |(_, value)| f64::from(*value))
        });
        let model = params.fit_with(Some(model), &DatasetBase::new(row, Array1::from_elem(1, lesson.label))).ok()?;
        let sums: Vec<(f64, f64)> =
            model.z().iter().copied().zip(model.n().iter().copied()).take(features.len()).collect();
        sums.iter().all(|(z, n)| z.is_finite() && n.is_finite()).then_some(sums)
    }

    /// The weights that are not zero, by index.
    #[must_use]
    pub fn weights(&self) -> Vec<(u32, f32)> {
        #[expect(clippy::cast_possible_truncation, reason = "kept in single precision, like the base")]
        let weight = |(index, sums): (&u32, &(f64, f64))| (*index, self.weight(*sums) as f32);
        self.state.iter().map(weight).filter(|(_, weight)| *weight != 0.0).collect()
    }
}

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

    /// The model's answer with what the site taught: the sums, the version, and terms that say that they were learned here. What was learned
    /// over another model says nothing.
    #[must_use]
    pub fn adjust(&self, output: ModelOutput, comment: &Comment, page: Option<&Page>) -> ModelOutput {
        let ModelOutput::Scored { version, spam, abuse, mut terms } = output else { return output };
        if version != self.base {
            return ModelOutput::Scored { version, spam, abuse, terms };
        }
        let mut sums = [0.0_f64; 2];
        let mut shares: BTreeMap<Owner, [f64; 2]> = BTreeMap::new();
        visit(comment, page, |index, value, owner| {
            let Some(weights) = self.delta.weight(index) else { return };
            let share = weights.map(|weight| f64::from(weight) * f64::from(value));
            let sum = shares.entry(owner).or_default();
            for output in [0, 1] {
                sums[output] += share[output];
                sum[output] += share[output];
            }
        });
        terms.extend(terms_of(comment, &shares));
        let [for_spam, for_abuse] = sums.map(|sum| self.delta.bounded(sum));
        ModelOutput::Scored {
            version: self.version(),
            spam: LogOdds::of(spam.get() + for_spam),
            abuse: LogOdds::of(abuse.get() + for_abuse),
            terms,
        }
    }
}

/// The strongest shares, in words.
fn terms_of(comment: &Comment, shares: &BTreeMap<Owner, [f64; 2]>) -> Vec<Term> {
    let each = shares.iter().flat_map(|(owner, shares)| [(*owner, 0, shares[0]), (*owner, 1, shares[1])]);
    let mut strongest: Vec<(Owner, usize, f64)> = each.filter(|(_, _, share)| share.abs() >= MIN_TERM).collect();
    strongest.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()).then(a.0.cmp(&b.0)));
    let term = |(owner, output, share): &(Owner, usize, f64)| Term {
        category: [Category::Spam, Category::Abuse][*output],
        text: format!("learned here: {}", words_of(comment, *owner)),
        log_odds: LogOdds::of(*share),
    };
    strongest.iter().take(MAX_TERMS).map(term).collect()
}

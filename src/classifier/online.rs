//! What one site teaches: a small, bounded correction over the shipped model, learned with linfa-ftrl from people's labels.
//!
//! The base stays as it is: to linfa it is one more feature, of weight one, that does not move; what moves are the weights of the site's own
//! words, which L1 and L2 draw back to nothing, that is to the base. Labels of the rarer class are replayed from a bounded memory, and steps are
//! taken under the balance that this keeps instead of policy's prior, so that a queue full of spam does not teach that everything is spam. A
//! label moves its own comment by a bounded step, and all of them together any comment by a bounded sum. The same lessons in the same order
//! give the same weights: a label that is taken back is gone when the rest is learned anew.

use std::collections::{BTreeMap, HashSet};

use linfa::prelude::*;
use linfa_ftrl::Ftrl;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::features::{CONSTANT, Features};
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
    /// Lessons replayed after each new one, of the class that was heard less.
    pub replays: usize,
    /// Steps of what is not looked for, for each of what is: three keep the queue from filling with ham.
    pub others: usize,
}

impl Pace {
    /// The log-odds at which replays balance the steps, whatever the queue holds and whatever policy expects. Steps are taken under these
    /// and answers given under policy's prior, or what all comments share would learn the difference, and hold ham (King and Zeng,
    /// "Logistic Regression in Rare Events Data", 2001, prior correction).
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    fn balance(&self) -> f64 {
        -(self.others.max(1) as f64).ln()
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { alpha: 0.3, l1: 0.02, l2: 0.5, step_max: 1.5, sum_max: 4.0, memory: 400, replays: 4, others: 3 }
    }
}

/// A comment with what a person said of it, for one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// What the classifier sees of it.
    pub features: Features,
    /// Log-odds by policy's prior and the base model.
    pub base: f64,
    /// Policy's prior, in log-odds: how much spam there is where the verdict is made, and no part of what is learned.
    pub prior: f64,
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
    /// Steps of each class, replays included.
    steps: [usize; 2],
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
        Self { pace, state: BTreeMap::new(), memory: [Vec::new(), Vec::new()], met: [0; 2], steps: [0; 2] }
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
        self.met[usize::from(lesson.label)] += 1;
        self.remember(lesson);
        let moved = self.free_margin(&lesson.features) - before;
        for turn in 0..self.pace.replays {
            // Steps are balanced, not labels: twenty of one class after twenty of the other must not be heard a hundred times.
            let [others, positives] = self.steps;
            let class = usize::from(positives * self.pace.others < others);
            let memory = &self.memory[class];
            let draw = (self.met[0] + self.met[1]) * self.pace.replays + turn;
            let draw = xxh3_64(&draw.to_le_bytes()) % memory.len().max(1) as u64;
            let Some(again) = usize::try_from(draw).ok().and_then(|draw| memory.get(draw)).cloned() else { break };
            self.step(&again);
        }
        moved
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
        self.steps[usize::from(lesson.label)] += 1;
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
        let base = (lesson.base - lesson.prior + self.pace.balance()).clamp(-30.0, 30.0);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A lesson of these features, each of value 0.3, and the constant.
    fn lesson(indices: &[u32], label: bool) -> Lesson {
        let features: Features = indices.iter().map(|index| (*index, 0.3)).chain([(CONSTANT, 1.0)]).collect();
        let exact = indices.iter().fold(u64::from(label), |hash, index| hash * 31 + u64::from(*index));
        Lesson { features, base: -3.0, prior: -3.0, label, exact, sketch: None }
    }

    fn taught(lessons: &[Lesson]) -> Vec<(u32, f32)> {
        let mut learner = Learner::new(Pace::default());
        for lesson in lessons {
            learner.learn(lesson);
        }
        learner.weights()
    }

    #[test]
    fn what_people_say_again_and_again_is_learned() {
        let mut learner = Learner::new(Pace::default());
        for number in 0..20 {
            learner.learn(&lesson(&[1, 2, 3, 100 + number], true));
            learner.learn(&lesson(&[7, 8, 9, 200 + number], false));
        }
        assert!(learner.margin(&lesson(&[1, 2, 3], true).features) > 0.5);
        assert!(learner.margin(&lesson(&[7, 8, 9], false).features) <= 0.0);
        assert!(learner.margin(&lesson(&[50, 51], false).features).abs() < f64::EPSILON, "of others nothing is said");
        assert!(learner.weights().iter().all(|(index, _)| *index != CONSTANT));
    }

    #[test]
    fn the_base_goes_along_and_does_not_move() {
        let (mut sure, mut unsure) = (Learner::new(Pace::default()), Learner::new(Pace::default()));
        let right = Lesson { base: 8.0, ..lesson(&[1, 2], true) };
        assert!(sure.learn(&right).abs() < 0.01, "what the base says already teaches nothing");
        assert!(unsure.learn(&lesson(&[1, 2], true)) > 0.01);
    }

    #[test]
    fn how_much_spam_the_queue_holds_is_not_learned_by_what_all_comments_share() {
        let everywhere = (7, 1.0);
        let shared = |number: u32, label: bool| {
            let features = vec![everywhere, (100 + number, 0.3), (CONSTANT, 1.0)];
            Lesson { features, base: -2.2, prior: -2.2, exact: u64::from(number), label, sketch: None }
        };
        for (spam_in_four, name) in [(1, "little spam"), (2, "half"), (3, "mostly spam")] {
            let mut learner = Learner::new(Pace::default());
            for number in 0..160 {
                learner.learn(&shared(number, number % 4 < spam_in_four));
            }
            let said = learner.margin(&vec![everywhere]);
            assert!(said.abs() < 0.3, "{name}: {said}");
        }
    }

    #[test]
    fn the_same_lessons_give_the_same_and_one_that_is_left_out_was_never_there() {
        let lessons: Vec<Lesson> = (0..30).map(|number| lesson(&[number % 5, 10 + number], number % 3 == 0)).collect();
        assert_eq!(taught(&lessons), taught(&lessons));
        let mut without = lessons.clone();
        without.remove(7);
        assert_ne!(taught(&lessons), taught(&without));
        assert!(taught(&without).iter().all(|(index, _)| *index != 17), "only it had this feature");
    }

    #[test]
    fn the_rarer_class_is_replayed() {
        let mut learner = Learner::new(Pace::default());
        learner.learn(&lesson(&[1, 2, 3], true));
        let once = learner.margin(&lesson(&[1, 2, 3], true).features);
        for number in 0..30 {
            learner.learn(&lesson(&[40 + number, 90], false));
        }
        assert!(learner.margin(&lesson(&[1, 2, 3], true).features) > once, "it was heard again between the others");
        assert!(learner.memory.iter().all(|memory| memory.len() <= learner.pace.memory));
    }

    #[test]
    fn copies_teach_once_and_what_was_said_last_counts() {
        let sketch = |text: &str| TextTrace::of_features(1, text.split(' '));
        let long = "come and see the wonderful pills of doctor who over at our little shop today";
        let with = |text: &str, exact, label| Lesson { exact, sketch: sketch(text), ..lesson(&[1], label) };
        let near = format!("{long} friend");
        let lessons = [
            lesson(&[1], true),
            lesson(&[1], true),
            Lesson { exact: 5, ..lesson(&[2], true) },
            Lesson { exact: 5, ..lesson(&[2], false) },
            with(long, 11, true),
            with(&near, 12, true),
            with(&near, 13, false),
        ];
        assert_eq!(teaching(&lessons), [true, false, false, true, true, false, true]);
    }

    prop_compose! {
        fn any_lesson()(indices in prop::collection::btree_set(0_u32..40, 1..12), value in 0.05..1.0_f32, base in -9.0..9.0_f64, label: bool) -> Lesson {
            let features = indices.iter().map(|index| (*index, value)).chain([(CONSTANT, 1.0)]).collect();
            Lesson { features, base, prior: -3.0, label, exact: u64::from(value.to_bits()), sketch: None }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn steps_and_sums_are_bounded(lessons in prop::collection::vec(any_lesson(), 1..30)) {
            let pace = Pace { alpha: 3.0, replays: 0, ..Pace::default() }; // far too fast, so that only the bounds hold it
            let mut learner = Learner::new(pace);
            for lesson in &lessons {
                let moved = learner.learn(lesson);
                prop_assert!(moved.abs() <= pace.step_max + 1e-9, "{moved}");
                for other in &lessons {
                    prop_assert!(learner.margin(&other.features).abs() <= pace.sum_max);
                }
            }
        }
    }
}

//! The two learners: linfa-ftrl, one example after the other, and linfa-logistic on selected features; each with the proof that our own dot
//! product says what linfa says.
//!
//! linfa's FTRL is dense; since a feature that is zero does not change its state, each example's active features are gathered into a small model
//! through serde, updated by linfa, and scattered back.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use linfa::prelude::*;
use linfa_ftrl::Ftrl;
use linfa_logistic::{FittedLogisticRegression, LogisticRegression};
use ndarray::{Array1, Array2, ShapeBuilder as _};
use serde::Serialize;

use super::features::{BUCKETS, DIMENSION, Features};
use super::train::{Example, Labelled};

// Chosen by the mean over sources that were left out: AUC .828 and 65 % of the spam found where 4 % of other sites' ham is, as good as half of it with
// seven epochs, and less overconfident at home than .3. n-grams that count half or a quarter as much as hand-made features, L2 of 5, weights by
// the number of sources that a bucket comes from, and word vectors as 128 dense features all found less (.43 instead of .47 before the rest).
// A column of its own for each source while learning (value .1), with youtube_spam and reddit_rules counted four times, tells YouTube better at
// home (AUC .974 instead of .946) and finds less spam elsewhere (.208 instead of .226 where 4 % of other sites' ham is), with a larger calibration
// error (.105 instead of .072). Counting those two eight times, 2^18 buckets, three words in a row, and no civil_toxic_spans (abuse, wiki_toxic
// unseen: .764 instead of .850) did not help either.
const ALPHA: f64 = 0.2;
const BETA: f64 = 1.0; // linfa's default of 0 makes every weight infinite
const L1: f64 = 0.05;
const L2: f64 = 0.5;
const EPOCHS: u64 = 4;
/// Golden vectors of each output.
const GOLDEN: usize = 24;

/// FTRL's state over all features. Starts at zero (linfa's own start is random, which is noise for features never seen).
pub(super) struct State {
    z: Vec<f64>,
    n: Vec<f64>,
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

impl State {
    pub(super) fn fit(labelled: &[Labelled<'_>]) -> anyhow::Result<Self> {
        let params = Ftrl::<f64>::params().alpha(ALPHA).beta(BETA).l1_ratio(L1).l2_ratio(L2);
        let params = params.check().map_err(|error| anyhow!("{error}"))?;
        let mut state = Self { z: vec![0.0; DIMENSION], n: vec![0.0; DIMENSION] };
        let mut order: Vec<usize> = labelled
            .iter()
            .enumerate()
            .flat_map(|(at, (example, _))| std::iter::repeat_n(at, example.repeat as usize))
            .collect();
        for epoch in 0..EPOCHS {
            order.sort_by_key(|at| xxhash_rust::xxh3::xxh3_64_with_seed(&at.to_le_bytes(), epoch));
            for at in &order {
                let (example, label) = labelled[*at];
                let model = state.gather(&example.features)?;
                let row = dense(&example.features);
                let dataset = DatasetBase::new(row, Array1::from_elem(1, label));
                let model = params.fit_with(Some(model), &dataset).map_err(|error| anyhow!("linfa-ftrl: {error}"))?;
                state.scatter(&example.features, &model);
            }
        }
        Ok(state)
    }

    fn gather(&self, features: &Features) -> anyhow::Result<Ftrl<f64>> {
        let of = |state: &[f64]| Array1::from_iter(features.iter().map(|(index, _)| state[*index as usize]));
        let mirror = Mirror { alpha: ALPHA, beta: BETA, l1_ratio: L1, l2_ratio: L2, z: of(&self.z), n: of(&self.n) };
        let bytes = postcard::to_stdvec(&mirror).context("linfa's model could not be written")?;
        postcard::from_bytes(&bytes).context("linfa's model could not be read")
    }

    fn scatter(&mut self, features: &Features, model: &Ftrl<f64>) {
        for ((index, _), (z, n)) in features.iter().zip(model.z().iter().zip(model.n())) {
            self.z[*index as usize] = *z;
            self.n[*index as usize] = *n;
        }
    }

    /// linfa's weights.
    pub(super) fn weights(&self) -> anyhow::Result<Vec<f64>> {
        let all: Features = (0..u32::try_from(DIMENSION)?).map(|index| (index, 0.0)).collect();
        Ok(self.gather(&all)?.get_weights().to_vec())
    }

    /// Examples with what linfa's own model predicts for them.
    pub(super) fn golden(&self, labelled: &[Labelled<'_>]) -> anyhow::Result<Vec<(Features, f64)>> {
        let step = (labelled.len() / GOLDEN).max(1);
        let chosen = labelled.iter().step_by(step).take(GOLDEN);
        chosen
            .map(|(example, _)| {
                let model = self.gather(&example.features)?;
                let predicted = model.predict(&dense(&example.features));
                // linfa answers in single precision; its weights give the same in double.
                let exact = 1.0 / (1.0 + (-dot_gathered(&example.features, &model)).exp());
                anyhow::ensure!(
                    (f64::from(*predicted[0]) - exact).abs() < 1e-6,
                    "linfa's prediction is not its weights'"
                );
                Ok((example.features.clone(), f64::from(*predicted[0])))
            })
            .collect()
    }
}

fn dot_gathered(features: &Features, model: &Ftrl<f64>) -> f64 {
    features.iter().zip(&model.get_weights()).map(|((_, value), weight)| f64::from(*value) * weight).sum()
}

fn dense(features: &Features) -> Array2<f64> {
    Array2::from_shape_fn((1, features.len()), |(_, at)| f64::from(features[at].1))
}

/// Features that the challenger sees, besides the hand-made ones.
const SELECTED: usize = 2_048;

pub(super) struct Logistic {
    pub(super) weights: Vec<f64>,
    /// linfa's own model, and the features that are its columns.
    fitted: FittedLogisticRegression<f64, bool>,
    chosen: Vec<u32>,
}

/// The challenger: L2-regularised logistic regression on the features that chi-squared selects.
pub(super) fn logistic(labelled: &[Labelled<'_>]) -> anyhow::Result<Logistic> {
    let chosen = chi_squared(labelled);
    let sample = sample(labelled);
    let labelled = &sample[..];
    let place: BTreeMap<u32, usize> = chosen.iter().enumerate().map(|(at, index)| (*index, at)).collect();
    let rows: usize = labelled.iter().map(|(example, _)| example.repeat as usize).sum();
    // Column by column: linfa's gradient walks columns, and is sixteen times slower otherwise.
    let mut matrix = Array2::<f64>::zeros((rows, chosen.len()).f());
    let mut labels = Vec::with_capacity(rows);
    for (example, label) in labelled {
        for _ in 0..example.repeat {
            for (index, value) in &example.features {
                if let Some(at) = place.get(index) {
                    matrix[(labels.len(), *at)] = f64::from(*value);
                }
            }
            labels.push(*label);
        }
    }
    let dataset = Dataset::new(matrix, Array1::from(labels));
    let fitted = LogisticRegression::default()
        .alpha(1.0)
        .max_iterations(60)
        .fit(&dataset)
        .map_err(|error| anyhow!("linfa-logistic: {error}"))?;
    // linfa's positive class is the more frequent one.
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let mut weights = vec![0.0; DIMENSION];
    for (index, weight) in chosen.iter().zip(fitted.params()) {
        weights[*index as usize] = sign * weight;
    }
    weights[DIMENSION - 1] += sign * fitted.intercept();
    Ok(Logistic { weights, fitted, chosen })
}

/// What the challenger is fitted on: every positive, and as many negatives as its dense matrix has room for, evenly.
fn sample<'a>(labelled: &[Labelled<'a>]) -> Vec<Labelled<'a>> {
    const ROWS: usize = 16_000;
    let weight = |positive: bool| {
        let of = labelled.iter().filter(|(_, label)| *label == positive);
        of.map(|(example, _)| example.repeat as usize).sum::<usize>()
    };
    let room = ROWS.saturating_sub(weight(true)).max(ROWS / 4);
    let negatives = weight(false);
    let mut before = 0;
    let keeps = |(_, label): &&Labelled<'a>| {
        before += usize::from(!label);
        *label || negatives <= room || before * room / negatives != (before - 1) * room / negatives
    };
    labelled.iter().filter(keeps).copied().collect()
}

impl Logistic {
    /// Examples with what linfa's own model predicts for them.
    pub(super) fn golden(&self, labelled: &[Labelled<'_>]) -> Vec<(Features, f64)> {
        let step = (labelled.len() / GOLDEN).max(1);
        let of = |example: &Example| {
            let value = |at: usize| example.features.iter().find(|(index, _)| *index == self.chosen[at]);
            let row = Array2::from_shape_fn((1, self.chosen.len()), |(_, at)| {
                value(at).map_or(0.0, |(_, value)| f64::from(*value))
            });
            let positive = self.fitted.predict_probabilities(&row)[0];
            let spam_or_abuse = if self.fitted.labels().pos.class { positive } else { 1.0 - positive };
            (example.features.clone(), spam_or_abuse)
        };
        labelled.iter().step_by(step).take(GOLDEN).map(|(example, _)| of(example)).collect()
    }
}

/// The buckets whose presence depends most on the label, and all hand-made features (not the constant: there is an intercept).
fn chi_squared(labelled: &[Labelled<'_>]) -> Vec<u32> {
    let mut counts = vec![[0.0_f64; 2]; BUCKETS];
    let mut totals = [0.0_f64; 2];
    for (example, label) in labelled {
        totals[usize::from(*label)] += 1.0;
        for (index, _) in &example.features {
            if let Some(count) = counts.get_mut(*index as usize) {
                count[usize::from(*label)] += 1.0;
            }
        }
    }
    let all = totals[0] + totals[1];
    let statistic = |count: &[f64; 2]| {
        let present = count[0] + count[1];
        let expected = present * totals[1] / all;
        if present < 3.0 {
            0.0
        } else {
            (count[1] - expected).powi(2) / expected.max(f64::MIN_POSITIVE) * all / (all - present).max(1.0)
        }
    };
    let mut ranked: Vec<(f64, u32)> =
        counts.iter().zip(0_u32..).map(|(count, index)| (statistic(count), index)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut chosen: Vec<u32> = ranked.into_iter().take(SELECTED).map(|(_, index)| index).collect();
    chosen.extend(u32::try_from(BUCKETS).unwrap_or(0)..u32::try_from(DIMENSION - 1).unwrap_or(0));
    chosen
}

/// The margin of an example.
pub(super) fn dot(features: &Features, weights: &[f64]) -> f64 {
    features.iter().map(|(index, value)| weights[*index as usize] * f64::from(*value)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::data::Target;
    use super::*;

    fn examples() -> Vec<Example> {
        let of = |at: u32, spam: bool| Example {
            source: 0,
            group: u64::from(at),
            features: vec![
                (if spam { 1 } else { 2 }, 1.0),
                (3 + at % 7, 0.3),
                (u32::try_from(DIMENSION).unwrap_or(1) - 1, 1.0),
            ],
            target: Target { spam: Some(spam), abuse: None },
            repeat: 1,
        };
        (0..80).map(|at| of(at, at % 3 == 0)).collect()
    }

    #[test]
    fn both_learners_learn_and_their_golden_vectors_are_their_own() {
        let examples = examples();
        let labelled: Vec<Labelled<'_>> =
            examples.iter().map(|example| (example, example.target.spam == Some(true))).collect();
        let state = State::fit(&labelled).expect("fits");
        let weights = state.weights().expect("weights");
        assert!(weights[1] > 0.0 && weights[2] < 0.0 && weights[100] == 0.0, "{:?}", &weights[..4]);
        for (features, golden) in state.golden(&labelled).expect("golden vectors") {
            let ours = 1.0 / (1.0 + (-dot(&features, &weights)).exp());
            assert!((ours - golden).abs() < 1e-6, "{ours} {golden}");
        }
        let challenger = logistic(&labelled).expect("fits");
        assert!(challenger.weights[1] > challenger.weights[2]);
        for (features, golden) in challenger.golden(&labelled) {
            let ours = 1.0 / (1.0 + (-dot(&features, &challenger.weights)).exp());
            assert!((ours - golden).abs() < 1e-6, "{ours} {golden}");
        }
    }

    #[test]
    fn gathering_changes_only_what_is_active() {
        let examples = examples();
        let labelled: Vec<Labelled<'_>> =
            examples.iter().map(|example| (example, example.target.spam == Some(true))).collect();
        let state = State::fit(&labelled).expect("fits");
        assert!(state.n.iter().zip(0..).all(|(n, index)| *n == 0.0 || index < 10 || index == DIMENSION - 1));
        assert!(state.z.iter().all(|z| z.is_finite()));
    }
}

//! Teaches a table of word vectors what readers say under a page: texts that belong together are drawn to each other, all others apart.
//!
//! The loss is InfoNCE (van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018) in both directions, the other
//! pairs of a batch being the counter-examples; batches are of one source, since sources are told apart by their style. Steps are AdaGrad's
//! (Duchi et al., 2011), one rate a row. Nothing depends on the clock or on chance: the order is that of hashes.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::domain::embedding::{WIDTH, dot};

/// A text as the rows of its words and what each weighs.
pub(super) type Bag = Vec<(u32, f32)>;

/// Two texts that belong together: a comment and its page, a piece of a story and the rest of it, two comments under one page.
pub(super) struct Pair {
    pub(super) text: Bag,
    pub(super) other: Bag,
    /// Pairs of one group are not each other's counter-examples.
    pub(super) group: u64,
}

const BATCH: usize = 256;
/// How sharply the nearest counter-examples count.
const TEMPERATURE: f32 = 0.08;
/// Step of a row, in mean sizes of a vector's part.
const ROW_RATE: f32 = 0.1;
/// Step of a word's weight, in nats.
const WEIGHT_RATE: f32 = 0.05;
const EPOCHS: u64 = 4;
const TINY: f32 = 1e-6;

/// What is being learned: a vector and a weight for each word.
struct Learner<'a> {
    vectors: &'a mut [[f32; WIDTH]],
    /// Logarithms of what each word weighs beside its information.
    weights: Vec<f32>,
    /// Sums of squared gradients.
    vector_squares: Vec<f32>,
    weight_squares: Vec<f32>,
    rate: f32,
}

/// Changes `vectors` so that pairs of every source are told from their neighbours. A word's learned weight becomes its vector's length.
pub(super) fn contrast(vectors: &mut [[f32; WIDTH]], sources: &[Vec<Pair>], progress: &mut dyn FnMut(&str)) {
    #[expect(clippy::cast_precision_loss, reason = "some million parts")]
    let parts = (vectors.len() * WIDTH).max(1) as f32;
    let mean = vectors.iter().flatten().map(|value| value.abs()).sum::<f32>() / parts;
    let rows = vectors.len();
    let mut learner = Learner {
        vectors,
        weights: vec![0.0; rows],
        vector_squares: vec![0.0; rows],
        weight_squares: vec![0.0; rows],
        rate: ROW_RATE * mean,
    };
    for epoch in 0..EPOCHS {
        let mut batches: Vec<Vec<&Pair>> = Vec::new();
        for (number, pairs) in (0_u64..).zip(sources) {
            let mut order: Vec<(u64, usize)> = (0..pairs.len())
                .map(|at| (xxh3_64_with_seed(&(at as u64).to_le_bytes(), epoch * 16 + number), at))
                .collect();
            order.sort_unstable();
            let whole = order.chunks(BATCH).filter(|batch| batch.len() * 2 > BATCH);
            batches.extend(whole.map(|batch| batch.iter().map(|(_, at)| &pairs[*at]).collect::<Vec<_>>()));
        }
        let mut order: Vec<usize> = (0..batches.len()).collect();
        order.sort_by_key(|at| xxh3_64_with_seed(&(*at as u64).to_le_bytes(), !epoch));
        let mut loss = 0.0;
        for at in &order {
            loss += learner.step(&batches[*at]);
        }
        #[expect(clippy::cast_precision_loss, reason = "some hundred batches")]
        let loss = loss / order.len().max(1) as f32;
        progress(&format!("word vectors: pass {} of {EPOCHS}, loss {loss:.3}", epoch + 1));
    }
    let Learner { vectors, weights, .. } = learner;
    for (vector, weight) in vectors.iter_mut().zip(&weights) {
        let weight = weight.exp();
        *vector = vector.map(|value| value * weight);
    }
}

impl Learner<'_> {
    fn step(&mut self, batch: &[&Pair]) -> f32 {
        let texts: Vec<(f32, [f32; WIDTH])> = batch.iter().map(|pair| self.direction(&pair.text)).collect();
        let others: Vec<(f32, [f32; WIDTH])> = batch.iter().map(|pair| self.direction(&pair.other)).collect();
        let likeness = |a: usize, b: usize| {
            let excused = a != b && batch[a].group == batch[b].group;
            if excused { -30.0 } else { dot(&texts[a].1, &others[b].1) / TEMPERATURE }
        };
        let count = batch.len();
        let table: Vec<f32> = (0..count * count).map(|at| likeness(at / count, at % count)).collect();
        let by_text = softmax(&table, count, 1);
        let by_other = softmax(&table, count, count);
        let loss = -(0..count).map(|at| (by_text[at * (count + 1)] + 1e-9).ln()).sum::<f32>();
        let mut pulls: [Vec<[f32; WIDTH]>; 2] = [vec![[0.0; WIDTH]; count], vec![[0.0; WIDTH]; count]];
        #[expect(clippy::cast_precision_loss, reason = "some hundred pairs")]
        let scale = 1.0 / (2.0 * count as f32 * TEMPERATURE);
        for a in 0..count {
            for b in 0..count {
                let own = if a == b { 2.0 } else { 0.0 };
                let slope = (by_text[a * count + b] + by_other[a * count + b] - own) * scale;
                if slope.abs() > 1e-9 {
                    add(&mut pulls[0][a], slope, &others[b].1);
                    add(&mut pulls[1][b], slope, &texts[a].1);
                }
            }
        }
        let mut slopes: BTreeMap<u32, [f32; WIDTH]> = BTreeMap::new();
        for (at, pair) in batch.iter().enumerate() {
            let sides = [(&pair.text, &texts[at], &pulls[0][at]), (&pair.other, &others[at], &pulls[1][at])];
            for (bag, (norm, unit), pull) in sides {
                let along = dot(unit, pull);
                let mut slope = *pull;
                add(&mut slope, -along, unit);
                for (row, weight) in bag {
                    add(slopes.entry(*row).or_insert([0.0; WIDTH]), weight / norm, &slope);
                }
            }
        }
        for (row, slope) in &slopes {
            self.follow(*row as usize, slope);
        }
        #[expect(clippy::cast_precision_loss, reason = "some hundred pairs")]
        let count = count as f32;
        loss / count
    }

    /// Length and direction of a text's sum.
    fn direction(&self, bag: &Bag) -> (f32, [f32; WIDTH]) {
        let mut sum = [0.0; WIDTH];
        for (row, weight) in bag {
            let row = *row as usize;
            add(&mut sum, weight * self.weights[row].exp(), &self.vectors[row]);
        }
        let norm = dot(&sum, &sum).sqrt() + TINY;
        (norm, sum.map(|value| value / norm))
    }

    fn follow(&mut self, row: usize, slope: &[f32; WIDTH]) {
        let weight = self.weights[row].exp();
        let of_weight = dot(slope, &self.vectors[row]) * weight;
        #[expect(clippy::cast_precision_loss, reason = "a hundred dimensions")]
        let square = dot(slope, slope) * weight * weight / WIDTH as f32;
        self.vector_squares[row] += square;
        let step = self.rate * weight / (self.vector_squares[row].sqrt() + 1e-8);
        add(&mut self.vectors[row], -step, slope);
        self.weight_squares[row] += of_weight * of_weight;
        self.weights[row] -= WEIGHT_RATE * of_weight / (self.weight_squares[row].sqrt() + 1e-8);
    }
}

fn add(sum: &mut [f32; WIDTH], weight: f32, vector: &[f32; WIDTH]) {
    for (sum, value) in sum.iter_mut().zip(vector) {
        *sum += weight * value;
    }
}

/// Shares of each cell in its row (`stride` 1) or its column (`stride` the count).
fn softmax(table: &[f32], count: usize, stride: usize) -> Vec<f32> {
    let mut shares = vec![0.0; table.len()];
    let across = if stride == 1 { count } else { 1 };
    for line in 0..count {
        let cell = |at: usize| line * across + at * stride;
        let most = (0..count).map(|at| table[cell(at)]).fold(f32::MIN, f32::max);
        let mut sum = 0.0;
        for at in 0..count {
            let share = (table[cell(at)] - most).exp();
            shares[cell(at)] = share;
            sum += share;
        }
        for at in 0..count {
            shares[cell(at)] /= sum;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four hundred pairs about two subjects: words 0 and 1 stand under pages that say 2, words 3 and 4 under pages that say 5.
    fn pairs() -> Vec<Pair> {
        let pair = |at: u64| {
            let about = if at.is_multiple_of(2) { 0 } else { 3 };
            let said = about + u32::from(at % 4 > 1);
            Pair { text: vec![(said, 1.0)], other: vec![(about + 2, 1.0)], group: at % 2 }
        };
        (0..400).map(pair).collect()
    }

    fn likeness(vectors: &[[f32; WIDTH]], a: usize, b: usize) -> f32 {
        let norms = dot(&vectors[a], &vectors[a]) * dot(&vectors[b], &vectors[b]);
        dot(&vectors[a], &vectors[b]) / norms.sqrt()
    }

    #[test]
    fn what_stands_together_is_drawn_together() {
        let start = || -> Vec<[f32; WIDTH]> {
            let part = |row: usize, at: usize| if (row * 31 + at * 7) % 5 < 2 { 0.1 } else { -0.1 };
            (0..6).map(|row| std::array::from_fn(|at| part(row, at))).collect()
        };
        let mut vectors = start();
        contrast(&mut vectors, &[pairs()], &mut |_| {});
        let before = likeness(&start(), 0, 2) - likeness(&start(), 0, 5);
        let after = likeness(&vectors, 0, 2) - likeness(&vectors, 0, 5);
        assert!(after > before + 0.05, "{before} {after}");
        let mut again = start();
        contrast(&mut again, &[pairs()], &mut |_| {});
        assert_eq!(vectors, again, "the same pairs give the same table");
    }

    #[test]
    fn shares_add_up_along_rows_and_columns() {
        let table = [0.0, 1.0, 2.0, 3.0];
        let (rows, columns) = (softmax(&table, 2, 1), softmax(&table, 2, 2));
        assert!((rows[0] + rows[1] - 1.0).abs() < 1e-6 && (columns[0] + columns[2] - 1.0).abs() < 1e-6);
    }
}

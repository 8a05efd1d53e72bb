//! Signals' weights, drawn towards those in force, from what people decided.
//!
//! For each category a logistic regression over the comments that people decided about: what was concluded of them is the offset, so that without
//! evidence nothing changes, and the columns are the hits of each signal, so that a coefficient is how much more or less a hit should add. Every
//! coefficient is drawn towards none by a normal prior (a ridge on the change: van Houwelingen and le Cessie; Steyerberg, Borsboom, van
//! Houwelingen, Eijkemans and Habbema, "Validation and updating of predictive logistic regression models", Statistics in Medicine 23, 2004). An
//! intercept takes up that people mostly look at what is doubtful: which comments they look at depends on what was concluded, and given that, not on
//! what they will say, so that the coefficients are none the worse for it.
//!
//! How strongly they are drawn is chosen by decisions that came later than those that were fitted; when no strength predicts these better than the
//! weights in force do, by more than chance, nothing is proposed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::sample::{Hit, Sample, Samples};
use crate::domain::category::{Category, PerCategory};
use crate::domain::decision::Action;

/// Decisions that it takes at least, and of each kind: fewer say nothing about two dozen weights.
const LEAST: usize = 200;
const LEAST_EACH: usize = 30;
/// Hits on comments that people decided about without which a signal's weight stays.
const LEAST_HITS: usize = 20;
/// How strongly changes are drawn to none: inverse variances of a typical hit's change, in log-odds. From two thirds to a seventh either way.
const STRENGTHS: [f64; 4] = [2.0, 8.0, 24.0, 50.0];
/// The same for the intercept.
const LOOSE: f64 = 0.01;
/// Parts of the time: each is predicted from all before it.
const PARTS: usize = 4;
/// A weight is at most multiplied by this.
const MOST: f64 = 3.0;
/// Normal quantile of 95 %.
const Z: f64 = 1.96;

/// What is proposed about weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Weights {
    /// Comments that people decided about, among those that it was made from.
    pub decided: usize,
    /// Why nothing is proposed, for people; none where something is.
    pub problem: Option<String>,
    /// Signals that should weigh otherwise.
    pub signals: Vec<Reweighed>,
    /// How well decisions that were kept out are predicted, by category: there where something is proposed.
    pub checked: Vec<Checked>,
}

/// A signal that should weigh otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reweighed {
    /// Its id.
    pub signal: String,
    /// What it counts for.
    pub category: Category,
    /// Hits on comments that people rejected for that, and on those that they approved.
    pub hits: [usize; 2],
    /// By what its weights are to be multiplied.
    pub factor: f64,
    /// Where that lies, at 95 %.
    pub interval: [f64; 2],
    /// How strongly it was drawn to 1: the inverse variance of a typical hit's change.
    pub strength: f64,
}

/// How well decisions are predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// Of which category.
    pub category: Category,
    /// Of how many comments.
    pub decided: usize,
    /// Logarithmic loss of the weights in force, in nats for each comment.
    pub before: f64,
    /// Of those proposed.
    pub after: f64,
    /// By how much the loss changes, at 95 %.
    pub interval: [f64; 2],
}

/// A comment that people decided about, for one category.
struct Row {
    /// What was concluded.
    offset: f64,
    /// Columns, and what a hit adds for each unit of change.
    hits: Vec<(usize, f64)>,
    is_bad: bool,
}

/// A signal that may change.
struct Column {
    signal: u16,
    /// A typical hit's weight: its column is in units of that.
    scale: f64,
    hits: [usize; 2],
}

/// Proposes factors for signals by their numbers, from the first `split` samples, and checks them on the others. `may` says which signals have
/// weights to change, and `too_few` why those of a category stay as they are.
pub(super) fn fit(
    samples: &Samples,
    split: usize,
    may: &dyn Fn(&str) -> bool,
    too_few: &PerCategory<Option<String>>,
) -> (Weights, Vec<f64>) {
    let names = samples.names();
    let (made_from, kept_out) = samples.list.split_at(split.min(samples.list.len()));
    let decided = made_from.iter().filter(|sample| sample.person.is_some()).count();
    let mut weights = Weights { decided, ..Weights::default() };
    let mut factors = vec![1.0; names.len()];
    let mut problems = Vec::new();
    for category in Category::ALL {
        if let Some(why) = &too_few[category] {
            problems.push(format!("{}: {why}", category.name()));
            continue;
        }
        let columns = columns(made_from, category, &|hit| may(names[usize::from(hit.signal)]));
        let rows = rows(made_from, category, &columns);
        match fit_one(&rows, &columns) {
            Ok(found) => {
                let before = Fit::of(&rows, &[], &[], f64::INFINITY);
                let strength = found.strength;
                for (column, factor, interval) in &found.factors {
                    factors[usize::from(column.signal)] = *factor;
                    let signal = names[usize::from(column.signal)].to_owned();
                    let (hits, factor, interval) = (column.hits, *factor, *interval);
                    weights.signals.push(Reweighed { signal, category, hits, factor, interval, strength });
                }
                let later = self::rows(kept_out, category, &columns);
                weights.checked.extend(check(&later, category, &before, &found.fit));
            }
            Err(problem) => problems.push(format!("{}: {problem}", category.name())),
        }
    }
    if weights.signals.is_empty() {
        weights.problem = Some(problems.join("; "));
    }
    (weights, factors)
}

/// The signals of a category that were seen often enough.
fn columns(samples: &[Sample], category: Category, may: &dyn Fn(&Hit) -> bool) -> Vec<Column> {
    let mut seen: BTreeMap<u16, ([usize; 2], f64)> = BTreeMap::new();
    for sample in samples {
        let Some(is_bad) = label(sample, category) else { continue };
        for hit in sample.hits.iter().filter(|hit| hit.category == category && is_free(hit) && may(hit)) {
            let (hits, sum) = seen.entry(hit.signal).or_default();
            hits[usize::from(!is_bad)] += 1;
            *sum += f64::from(hit.weight).abs();
        }
    }
    let often = seen.into_iter().filter(|(_, ([bad, good], _))| bad + good >= LEAST_HITS);
    #[expect(clippy::cast_precision_loss, reason = "a count of comments")]
    let column = |(signal, (hits, sum)): (u16, ([usize; 2], f64))| Column {
        signal,
        scale: sum / (hits[0] + hits[1]) as f64,
        hits,
    };
    often.map(column).collect()
}

const fn is_free(hit: &Hit) -> bool {
    !hit.is_cut && !hit.is_own
}

/// Whether people rejected it for that; `None` when they decided nothing, or rejected it for something else, which says nothing about this.
fn label(sample: &Sample, category: Category) -> Option<bool> {
    match sample.person? {
        Action::Approve => Some(false),
        Action::Reject => (sample.rejected_for == Some(category)).then_some(true),
        Action::Hold => None,
    }
}

fn rows(samples: &[Sample], category: Category, columns: &[Column]) -> Vec<Row> {
    let row = |sample: &Sample| {
        let is_bad = label(sample, category)?;
        let hits = sample.hits.iter().filter(|hit| hit.category == category && is_free(hit));
        let hits = hits.filter_map(|hit| {
            let at = columns.iter().position(|column| column.signal == hit.signal)?;
            Some((at, f64::from(hit.weight) / columns[at].scale))
        });
        Some(Row { offset: sample.sum(category), hits: hits.collect(), is_bad })
    };
    samples.iter().filter_map(row).collect()
}

struct Found<'a> {
    factors: Vec<(&'a Column, f64, [f64; 2])>,
    fit: Fit,
    strength: f64,
}

/// Chooses the strength, fits, and keeps what is more than chance.
fn fit_one<'a>(rows: &[Row], columns: &'a [Column]) -> Result<Found<'a>, String> {
    let bad = rows.iter().filter(|row| row.is_bad).count();
    let good = rows.len() - bad;
    if rows.len() < LEAST || bad < LEAST_EACH || good < LEAST_EACH {
        return Err(format!(
            "too little evidence: people rejected {bad} comments and approved {good}; it takes {LEAST}, {LEAST_EACH} of each at least"
        ));
    }
    if columns.is_empty() {
        return Err(format!("too little evidence: no signal hit {LEAST_HITS} comments that people decided about"));
    }
    let all: Vec<usize> = (0..columns.len()).collect();
    let strength = strength(rows, &all).ok_or("no other weights predict later decisions better than those in force")?;
    let first = bounded(rows, columns, &all, strength);
    // What may as well be chance stays as it is, and the rest is fitted without it.
    let kept: Vec<usize> = all.iter().copied().filter(|at| first.is_certain(*at)).collect();
    if kept.is_empty() {
        return Err("what people decided moves no weight by more than chance".to_owned());
    }
    let fit = bounded(rows, columns, &kept, strength);
    let factor = |change: f64, at: usize| (1.0 + change / columns[at].scale).clamp(0.0, MOST);
    // Where a bound was met, what lies beyond it says how certain that is.
    let unbounded = Fit::of(rows, &kept, &[], strength);
    let factors = kept.iter().map(|at| {
        let of = if fit.deviations[*at] > 0.0 { &fit } else { &unbounded };
        let (change, sd) = (of.changes[*at], of.deviations[*at]);
        let interval = [factor(change - Z * sd, *at), factor(change + Z * sd, *at)];
        (&columns[*at], factor(fit.changes[*at], *at), interval)
    });
    let factors = factors.collect();
    Ok(Found { factors, fit, strength })
}

/// A fit under which no weight turns its sign or grows beyond measure: what would is put there, and the rest fitted around it.
fn bounded(rows: &[Row], columns: &[Column], free: &[usize], strength: f64) -> Fit {
    let mut free = free.to_vec();
    let mut fixed: Vec<(usize, f64)> = Vec::new();
    loop {
        let fit = Fit::of(rows, &free, &fixed, strength);
        let beyond = |at: &usize| {
            let factor = 1.0 + fit.changes[*at] / columns[*at].scale;
            !(0.0..=MOST).contains(&factor)
        };
        let out: Vec<usize> = free.iter().copied().filter(beyond).collect();
        if out.is_empty() {
            return fit;
        }
        free.retain(|at| !out.contains(at));
        fixed.extend(out.into_iter().map(|at| {
            let scale = columns[at].scale;
            (at, if fit.changes[at] < 0.0 { -scale } else { (MOST - 1.0) * scale })
        }));
    }
}

/// The strength under which decisions are predicted best that came after those that were fitted; `None` when none predicts them better than no
/// change does, by more than one standard error.
fn strength(rows: &[Row], columns: &[usize]) -> Option<f64> {
    let part = rows.len().div_ceil(PARTS);
    let mut gains: Vec<(f64, Vec<f64>)> = STRENGTHS.iter().map(|strength| (*strength, Vec::new())).collect();
    for at in 1..PARTS {
        let (earlier, rest) = rows.split_at((at * part).min(rows.len()));
        let later = &rest[..part.min(rest.len())];
        let before = Fit::of(earlier, &[], &[], f64::INFINITY);
        for (strength, gains) in &mut gains {
            let after = Fit::of(earlier, columns, &[], *strength);
            gains.extend(later.iter().map(|row| before.loss(row) - after.loss(row)));
        }
    }
    let better = gains.iter().filter_map(|(strength, gains)| {
        let (mean, error) = mean(gains);
        (mean > error).then_some((*strength, mean))
    });
    better.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(strength, _)| strength)
}

/// The mean of values, and its standard error.
#[expect(clippy::cast_precision_loss, reason = "a count of comments")]
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, (variance / n).sqrt())
}

fn check(rows: &[Row], category: Category, before: &Fit, after: &Fit) -> Option<Checked> {
    if rows.is_empty() {
        return None;
    }
    let changes: Vec<f64> = rows.iter().map(|row| after.loss(row) - before.loss(row)).collect();
    let (change, error) = mean(&changes);
    let of = |fit: &Fit| mean(&rows.iter().map(|row| fit.loss(row)).collect::<Vec<_>>()).0;
    let interval = [change - Z * error, change + Z * error];
    Some(Checked { category, decided: rows.len(), before: of(before), after: of(after), interval })
}

/// A fit: changes of a typical hit by column, none where a column had no part in it.
struct Fit {
    intercept: f64,
    changes: Vec<f64>,
    deviations: Vec<f64>,
}

impl Fit {
    /// By Newton's method; the problem is strictly convex. `fixed` columns change by what they say.
    fn of(rows: &[Row], free: &[usize], fixed: &[(usize, f64)], strength: f64) -> Self {
        let wide = rows.iter().flat_map(|row| &row.hits).map(|(at, _)| at + 1);
        let width = wide.chain(free.iter().chain(fixed.iter().map(|(at, _)| at)).map(|at| at + 1)).max().unwrap_or(0);
        let mut place = vec![None; width];
        for (number, at) in free.iter().enumerate() {
            place[*at] = Some(number + 1);
        }
        let mut changes = vec![0.0; width];
        for (at, change) in fixed {
            changes[*at] = *change;
        }
        let size = free.len() + 1;
        let mut found = vec![0.0; size];
        let mut hessian = vec![vec![0.0; size]; size];
        let prior = |number: usize| if number == 0 { LOOSE } else { strength };
        let objective = |found: &[f64]| {
            let ridge: f64 = found.iter().enumerate().map(|(number, value)| prior_of(prior(number), *value)).sum();
            let losses = rows.iter().map(|row| loss(sum(row, found, &place, &changes), row.is_bad));
            losses.sum::<f64>() + ridge
        };
        let mut now = objective(&found);
        for _ in 0..50 {
            let mut gradient: Vec<f64> =
                found.iter().enumerate().map(|(number, value)| prior(number) * value).collect();
            for (number, line) in hessian.iter_mut().enumerate() {
                line.fill(0.0);
                line[number] = prior(number);
            }
            for row in rows {
                let p = logistic(sum(row, &found, &place, &changes));
                let (error, curve) = (p - f64::from(u8::from(row.is_bad)), p * (1.0 - p));
                let mut entries = vec![(0, 1.0)];
                entries.extend(row.hits.iter().filter_map(|(at, value)| Some((place[*at]?, *value))));
                for (a, value) in &entries {
                    gradient[*a] += error * value;
                    for (b, other) in &entries {
                        hessian[*a][*b] += curve * value * other;
                    }
                }
            }
            let Some(step) = solve(&hessian, &gradient) else { break };
            // Half the way as long as the whole of it leads up.
            let (mut length, mut next) = (1.0, f64::INFINITY);
            let mut tried = found.clone();
            while length > 1e-4 {
                tried = found.iter().zip(&step).map(|(value, step)| value - length * step).collect();
                next = objective(&tried);
                if next <= now {
                    break;
                }
                length /= 2.0;
            }
            let is_there = now - next < 1e-9 * now.abs().max(1.0);
            if next <= now {
                (found, now) = (tried, next);
            }
            if is_there {
                break;
            }
        }
        let mut deviations = vec![0.0; width];
        for (number, at) in free.iter().enumerate() {
            changes[*at] = found[number + 1];
            let mut unit = vec![0.0; size];
            unit[number + 1] = 1.0;
            deviations[*at] = solve(&hessian, &unit).map_or(f64::INFINITY, |column| column[number + 1].max(0.0).sqrt());
        }
        Self { intercept: found[0], changes, deviations }
    }

    fn is_certain(&self, at: usize) -> bool {
        self.changes[at].abs() > Z * self.deviations[at]
    }

    fn loss(&self, row: &Row) -> f64 {
        let change = |(at, value): &(usize, f64)| self.changes.get(*at).copied().unwrap_or(0.0) * value;
        loss(row.offset + self.intercept + row.hits.iter().map(change).sum::<f64>(), row.is_bad)
    }
}

fn prior_of(strength: f64, value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { strength * value * value / 2.0 }
}

fn sum(row: &Row, found: &[f64], place: &[Option<usize>], fixed: &[f64]) -> f64 {
    let change = |(at, value): &(usize, f64)| value * place[*at].map_or(fixed[*at], |number| found[number]);
    row.offset + found[0] + row.hits.iter().map(change).sum::<f64>()
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Logarithmic loss of log-odds, in nats.
fn loss(x: f64, is_bad: bool) -> f64 {
    let x = if is_bad { -x } else { x };
    if x > 30.0 { x } else { x.exp().ln_1p() }
}

/// Solves `matrix * x = right` for a symmetric positive definite matrix (Cholesky); `None` where it is none.
fn solve(matrix: &[Vec<f64>], right: &[f64]) -> Option<Vec<f64>> {
    let n = right.len();
    let mut lower = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            if i == j {
                let square = matrix[i][i] - sum;
                if square <= 0.0 || !square.is_finite() {
                    return None;
                }
                lower[i][i] = square.sqrt();
            } else {
                lower[i][j] = (matrix[i][j] - sum) / lower[j][j];
            }
        }
    }
    let mut half = vec![0.0; n];
    for i in 0..n {
        let sum: f64 = (0..i).map(|k| lower[i][k] * half[k]).sum();
        half[i] = (right[i] - sum) / lower[i][i];
    }
    let mut found = vec![0.0; n];
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| lower[k][i] * found[k]).sum();
        found[i] = (half[i] - sum) / lower[i][i];
    }
    Some(found)
}

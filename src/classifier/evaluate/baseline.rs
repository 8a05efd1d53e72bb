//! What everybody would try first: TF-IDF over words, and logistic regression. Measured beside the model, so that its figures say something.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::anyhow;
use linfa::prelude::*;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ShapeBuilder as _};

/// Words that it sees: those whose presence depends most on the label (chi-squared).
const WORDS: usize = 4_096;
/// Texts that it learns from: all positives, and as many of the others, evenly, as the dense matrix has room for.
const TEXTS: usize = 16_000;

/// A text, as its folded words.
pub type Words = Vec<String>;

/// A fitted baseline.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// Word to column, its inverse document frequency, and its weight.
    words: HashMap<String, (usize, f32, f32)>,
    intercept: f32,
}

impl Baseline {
    /// Learns from labelled texts. The same texts give the same baseline.
    ///
    /// # Errors
    /// One of the classes is missing, or the learner fails.
    pub fn fit(texts: &[(Words, bool)]) -> anyhow::Result<Self> {
        let texts = sample(texts);
        let chosen = chi_squared(&texts);
        #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
        let idf = |count: usize| ((1.0 + texts.len() as f32) / (1.0 + count as f32)).ln() + 1.0;
        let mut words: HashMap<String, (usize, f32, f32)> = HashMap::new();
        for (column, (word, count)) in chosen.into_iter().enumerate() {
            words.insert(word.to_owned(), (column, idf(count), 0.0));
        }
        // Column by column: linfa's gradient walks columns, and is sixteen times slower otherwise.
        let mut matrix = Array2::<f32>::zeros((texts.len(), words.len().max(1)).f());
        for (row, (text, _)) in texts.iter().enumerate() {
            for (word, value) in values(&words, text) {
                matrix[(row, words[word].0)] = value;
            }
        }
        let labels = Array1::from_iter(texts.iter().map(|(_, label)| *label));
        let fitted = LogisticRegression::default()
            .alpha(1.0)
            .max_iterations(100)
            .fit(&Dataset::new(matrix, labels))
            .map_err(|error| anyhow!("linfa-logistic: {error}"))?;
        // linfa's positive class is the more frequent one.
        let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
        for (column, _, weight) in words.values_mut() {
            *weight = sign * fitted.params()[*column];
        }
        Ok(Self { words, intercept: sign * fitted.intercept() })
    }

    /// Log-odds that a text is a positive.
    #[must_use]
    pub fn log_odds(&self, text: &Words) -> f64 {
        let of = |(word, value): (&str, f32)| self.words[word].2 * value;
        f64::from(self.intercept + values(&self.words, text).into_iter().map(of).sum::<f32>())
    }
}

/// A text's TF-IDF values by word, scaled to length one.
fn values<'a>(words: &HashMap<String, (usize, f32, f32)>, text: &'a Words) -> Vec<(&'a str, f32)> {
    let mut found: BTreeMap<&str, f32> = BTreeMap::new();
    for word in text {
        if let Some((_, idf, _)) = words.get(word) {
            *found.entry(word).or_default() += idf;
        }
    }
    let length = found.values().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    found.into_iter().map(|(word, value)| (word, value / length)).collect()
}

fn sample(texts: &[(Words, bool)]) -> Vec<&(Words, bool)> {
    let positives = texts.iter().filter(|(_, label)| *label).count();
    let (negatives, room) = (texts.len() - positives, TEXTS.saturating_sub(positives).max(TEXTS / 4));
    let mut before = 0;
    let keeps = |(_, label): &&(Words, bool)| {
        before += usize::from(!label);
        *label || negatives <= room || before * room / negatives != (before - 1) * room / negatives
    };
    texts.iter().filter(keeps).collect()
}

/// Words and how many texts they stand in.
fn chi_squared<'a>(texts: &[&'a (Words, bool)]) -> Vec<(&'a str, usize)> {
    let mut counts: HashMap<&str, [usize; 2]> = HashMap::new();
    let mut totals = [0_usize; 2];
    for (text, label) in texts {
        totals[usize::from(*label)] += 1;
        for word in text.iter().map(String::as_str).collect::<BTreeSet<&str>>() {
            counts.entry(word).or_default()[usize::from(*label)] += 1;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
    let statistic = |count: &[usize; 2]| {
        let (all, present) = ((totals[0] + totals[1]) as f64, (count[0] + count[1]) as f64);
        let expected = present * totals[1] as f64 / all;
        (count[1] as f64 - expected).powi(2) / expected.max(f64::MIN_POSITIVE) * all / (all - present).max(1.0)
    };
    let common = counts.into_iter().filter(|(_, count)| count[0] + count[1] > 1);
    let mut ranked: Vec<(f64, &str, usize)> =
        common.map(|(word, count)| (statistic(&count), word, count[0] + count[1])).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    ranked.into_iter().take(WORDS).map(|(_, word, count)| (word, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &str) -> Words {
        words.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn words_of_one_class_tell_it_from_the_other() {
        let texts: Vec<(Words, bool)> = (0..60)
            .map(|at| match at % 3 {
                0 => (text("cheap watches for you"), true),
                1 => (text("the bridge is for walkers"), false),
                _ => (text("you are right about the bridge"), false),
            })
            .collect();
        let baseline = Baseline::fit(&texts).expect("fits");
        let says = |words: &str| baseline.log_odds(&text(words));
        assert!(says("cheap watches") > says("you and for") && says("you and for") > says("the bridge"));
        assert!(says("cheap watches") > 0.0 && says("the bridge") < 0.0);
        assert!(says("nothing known").is_finite());
    }

    #[test]
    fn one_class_alone_cannot_be_learned() {
        let texts: Vec<(Words, bool)> = (0..10).map(|_| (text("some words"), false)).collect();
        assert!(Baseline::fit(&texts).is_err());
    }
}

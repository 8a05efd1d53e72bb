//! Making a model: linfa learns, held-out sources calibrate, and nothing depends on the clock or the machine.
//!
//! Two learners compete on held-out groups: linfa-ftrl (McMahan et al., "Ad Click Prediction: a View from the Trenches", 2013), one example after
//! the other, and linfa-logistic (L-BFGS) on the features that chi-squared selects. linfa's FTRL is dense; since a feature that is zero does not
//! change its state, each example's active features are gathered into a small model through serde, updated by linfa, and scattered back.
//! Calibration (Platt, "Probabilistic Outputs for Support Vector Machines", 1999) is made on margins of sources that the margin's model had not
//! seen: what a model says at home is no measure of what it says abroad.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use linfa::composing::platt_scaling::{PlattParams, platt_newton_method};
use linfa::prelude::*;
use linfa_ftrl::Ftrl;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ShapeBuilder as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::data::{self, Row, Target};
use super::evaluate::{Scored, auc};
use super::features::{BUCKETS, DIMENSION, Features, SPEC, features};
use super::model::{Header, Output};
use crate::domain::relevance::Background;

/// A file of the data folder, and what of it is learned from.
struct Source {
    name: &'static str,
    licence: &'static str,
    /// Spam or abuse at most: the rest says little new.
    most: usize,
    /// Ham at most. A wide sample of how people talk matters more than its balance.
    most_ham: usize,
    /// How often each positive counts.
    repeat: u32,
}

const SOURCES: &[Source] = &[
    Source { name: "youtube_spam", licence: "CC BY 4.0 (as UCI lists it)", most: 5_000, most_ham: 5_000, repeat: 1 },
    Source { name: "blog_spam_templates", licence: "unclear", most: 5_000, most_ham: 5_000, repeat: 5 },
    Source { name: "datacamp_comments", licence: "unclear", most: 5_000, most_ham: 5_000, repeat: 3 },
    Source { name: "reddit_rules", licence: "unclear (competition rules)", most: 5_000, most_ham: 5_000, repeat: 1 },
    Source { name: "telegram_spam", licence: "MIT", most: 5_000, most_ham: 5_000, repeat: 1 },
    Source { name: "se_spam_titles", licence: "CC BY-SA 3.0", most: 800, most_ham: 800, repeat: 1 },
    Source { name: "sms_spam", licence: "CC BY 4.0 (as UCI lists it)", most: 750, most_ham: 2_500, repeat: 1 },
    Source {
        name: "blog_comments",
        licence: "comments by their authors, posts CC BY 2.0",
        most: 7_000,
        most_ham: 24_000,
        repeat: 1,
    },
    Source { name: "wiki_toxic", licence: "CC BY-SA (text)", most: 4_000, most_ham: 8_000, repeat: 4 },
    Source { name: "cqa_relevance", licence: "research", most: 2_500, most_ham: 8_000, repeat: 1 },
    Source { name: "davidson_hate", licence: "MIT", most: 3_500, most_ham: 4_500, repeat: 1 },
    Source { name: "civil_toxic_spans", licence: "CC0", most: 2_500, most_ham: 2_500, repeat: 1 },
];

/// Files that page statistics are made of besides the pages of [`SOURCES`].
const BACKGROUND: &[&str] = &["blog_articles", "fnc_bodies", "headlines_clickbait"];
/// Words kept of the page statistics.
const BACKGROUND_WORDS: usize = 60_000;

/// What is left out of a training.
#[derive(Debug, Clone, Default)]
pub struct Without {
    /// Sources, by the beginning of their file's name.
    pub sources: Vec<String>,
    /// Blog comments, in whole groups, at least that many.
    pub blog: usize,
}

/// A finished training.
pub struct Trained {
    /// What the model says of itself.
    pub header: Header,
    /// Spam and abuse.
    pub outputs: [Output; 2],
    /// Word statistics of pages.
    pub background: Background,
    /// Ids of the blog comments that were left out.
    pub held_out: Vec<String>,
    /// The model card.
    pub card: String,
}

struct Example {
    source: usize,
    group: u64,
    features: Features,
    target: Target,
    repeat: u32,
}

/// Makes a model from the data folder. The same folder gives the same bytes.
///
/// # Errors
/// A file cannot be read, or the learners fail.
pub fn train(folder: &Path, without: &Without, progress: &mut dyn FnMut(&str)) -> anyhow::Result<Trained> {
    let left_out = |name: &str| without.sources.iter().any(|source| name.starts_with(source.as_str()));
    let (mut rows, held_out) = read(folder, &left_out, without.blog)?;
    progress("read the sources");
    let background = background(folder, &rows, &held_out)?;
    let mut digest = Sha256::new();
    let mut counts = BTreeMap::new();
    let mut examples = Vec::new();
    for (number, source) in SOURCES.iter().enumerate() {
        let taken = take(std::mem::take(&mut rows[number]), source);
        counts.insert(source.name.to_owned(), taken.len() as u64);
        for (row, target) in taken {
            digest.update(format!("{}\0{}\0{target:?}\n", source.name, row.id));
            let Some(comment) = data::comment(&row) else { continue };
            let repeat = if target.spam == Some(true) || target.abuse == Some(true) { source.repeat } else { 1 };
            let group = data::group_hash(source.name, &row);
            examples.push(Example { source: number, group, features: features(&comment, None), target, repeat });
        }
    }
    progress(&format!("{} examples", examples.len()));
    let mut measured = BTreeMap::new();
    let spam = output("spam", &examples, |target| target.spam, &mut measured, progress)?;
    let abuse = output("abuse", &examples, |target| target.abuse, &mut measured, progress)?;
    counts.retain(|_, count| *count > 0);
    let training = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let header = Header { features: SPEC.to_owned(), training, sources: counts, measured };
    let outputs = [spam, abuse];
    let card = card(&header, &outputs);
    Ok(Trained { header, outputs, background, held_out: held_out.into_iter().collect(), card })
}

fn read(
    folder: &Path,
    left_out: &dyn Fn(&str) -> bool,
    blog: usize,
) -> anyhow::Result<(Vec<Vec<Row>>, BTreeSet<String>)> {
    let mut seen = BTreeSet::new();
    let mut held_out = BTreeSet::new();
    let mut all = Vec::new();
    for source in SOURCES {
        let path = folder.join(format!("{}.jsonl", source.name));
        if left_out(source.name) {
            // Its texts are not learned from another file either.
            data::distinct(data::read(&path)?, &mut seen);
            all.push(Vec::new());
            continue;
        }
        let mut rows = data::distinct(data::read(&path)?, &mut seen);
        if source.name == "blog_comments" && blog > 0 {
            let bound = held_out_bound(&rows, blog);
            let out = |row: &Row| data::group_hash("blog_comments", row) <= bound;
            held_out = rows.iter().filter(|row| out(row)).map(|row| row.id.clone()).collect();
            rows.retain(|row| !out(row));
        }
        all.push(rows);
    }
    Ok((all, held_out))
}

/// The group hash up to which whole groups hold at least `wanted` rows.
fn held_out_bound(rows: &[Row], wanted: usize) -> u64 {
    let mut hashes: Vec<u64> = rows.iter().map(|row| data::group_hash("blog_comments", row)).collect();
    hashes.sort_unstable();
    hashes.get(wanted.saturating_sub(1)).or(hashes.last()).copied().unwrap_or(0)
}

fn background(folder: &Path, rows: &[Vec<Row>], held_out: &BTreeSet<String>) -> anyhow::Result<Background> {
    let mut texts = Vec::new();
    for name in BACKGROUND {
        let rows = data::read(&folder.join(format!("{name}.jsonl")))?;
        texts.extend(rows.into_iter().map(|row| format!("{} {}", row.title.unwrap_or_default(), row.text)));
    }
    // Pages of comments, once a group; what was held out does not count here either.
    let mut groups = BTreeSet::new();
    for row in rows.iter().flatten().filter(|row| !held_out.contains(&row.id)) {
        if let (Some(group), Some(article)) = (&row.group, &row.article)
            && groups.insert(group.clone())
        {
            texts.push(format!("{} {article}", row.title.clone().unwrap_or_default()));
        }
    }
    Ok(Background::build(texts.into_iter(), BACKGROUND_WORDS))
}

/// At most so many of each class, chosen by hash.
fn take(rows: Vec<Row>, source: &Source) -> Vec<(Row, Target)> {
    let labelled = rows.into_iter().filter_map(|row| Some((data::target(source.name, &row)?, row)));
    let (mut positive, mut negative): (Vec<_>, Vec<_>) = labelled
        .map(|(target, row)| (row, target))
        .partition(|(_, target)| target.spam == Some(true) || target.abuse == Some(true));
    for (class, most) in [(&mut positive, source.most), (&mut negative, source.most_ham)] {
        class.sort_by_key(|(row, _)| xxhash_rust::xxh3::xxh3_64(row.id.as_bytes()));
        class.truncate(most);
    }
    positive.append(&mut negative);
    positive
}

type Labelled<'a> = (&'a Example, bool);

fn output(
    name: &str,
    examples: &[Example],
    label: impl Fn(&Target) -> Option<bool>,
    measured: &mut BTreeMap<String, f64>,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<Output> {
    let labelled: Vec<Labelled<'_>> =
        examples.iter().filter_map(|example| Some((example, label(&example.target)?))).collect();
    let (held, kept): (Vec<Labelled<'_>>, Vec<Labelled<'_>>) =
        labelled.iter().copied().partition(|(example, _)| example.group % 5 == 0);
    let first = State::fit(&kept)?;
    let second = logistic(&kept)?;
    let of = |weights: &[f64]| auc(&scored(&held, weights));
    let (ftrl_auc, logistic_auc) = (of(&first.weights()?), of(&second.weights));
    measured.insert(format!("{name}.held-out groups.linfa-ftrl.auc"), rounded(ftrl_auc));
    measured.insert(format!("{name}.held-out groups.linfa-logistic.auc"), rounded(logistic_auc));
    progress(&format!("{name}: held-out groups, AUC {ftrl_auc:.4} by linfa-ftrl, {logistic_auc:.4} by linfa-logistic"));
    let by_ftrl = ftrl_auc >= logistic_auc;
    let abroad = abroad(name, &labelled, by_ftrl, measured, progress)?;
    let (platt, base) = calibrate(&abroad)?;
    let (weights, golden) = if by_ftrl {
        let state = State::fit(&labelled)?;
        (state.weights()?, state.golden(&labelled)?)
    } else {
        let fitted = logistic(&labelled)?;
        let golden = fitted.golden(&labelled);
        (fitted.weights, golden)
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "kept in single precision; golden vectors prove that it is enough"
    )]
    let weights =
        (0_u32..).zip(&weights).filter(|(_, weight)| **weight != 0.0).map(|(index, weight)| (index, *weight as f32));
    let learner = if by_ftrl { "linfa-ftrl" } else { "linfa-logistic" }.to_owned();
    Ok(Output { name: name.to_owned(), learner, platt, base, weights: weights.collect(), golden })
}

/// Margins of every source by a model that had not seen it.
fn abroad(
    name: &str,
    labelled: &[Labelled<'_>],
    by_ftrl: bool,
    measured: &mut BTreeMap<String, f64>,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<Vec<Scored>> {
    let mut margins = Vec::new();
    let sources: BTreeSet<usize> = labelled.iter().map(|(example, _)| example.source).collect();
    for source in sources {
        let (out, kept): (Vec<Labelled<'_>>, Vec<Labelled<'_>>) =
            labelled.iter().copied().partition(|(example, _)| example.source == source);
        let weights = if by_ftrl { State::fit(&kept)?.weights()? } else { logistic(&kept)?.weights };
        let found = scored(&out, &weights);
        let area = auc(&found);
        if area.is_finite() {
            measured.insert(format!("{name}.unseen source.{}.auc", SOURCES[source].name), rounded(area));
            progress(&format!("{name}: {} as an unseen source, AUC {area:.4}", SOURCES[source].name));
        }
        // No source says more than another by being larger.
        let step = (found.len() / 1_000).max(1);
        margins.extend(found.into_iter().step_by(step));
    }
    Ok(margins)
}

/// Platt scaling, and the log-odds of the share of positives that it was made on.
fn calibrate(margins: &[Scored]) -> anyhow::Result<((f64, f64), f64)> {
    let values = Array1::from_iter(margins.iter().map(|(margin, _)| *margin));
    let labels = Array1::from_iter(margins.iter().map(|(_, label)| *label));
    let params = PlattParams::<f64, ()>::default().check().map_err(|error| anyhow!("{error}"))?;
    let platt =
        platt_newton_method(values.view(), labels.view(), &params).map_err(|error| anyhow!("calibration: {error}"))?;
    #[expect(clippy::cast_precision_loss, reason = "counts of examples")]
    let share = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
    Ok((platt, (share / (1.0 - share)).ln()))
}

fn scored(labelled: &[Labelled<'_>], weights: &[f64]) -> Vec<Scored> {
    labelled.iter().map(|(example, label)| (dot(&example.features, weights), *label)).collect()
}

fn dot(features: &Features, weights: &[f64]) -> f64 {
    features.iter().map(|(index, value)| weights[*index as usize] * f64::from(*value)).sum()
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

const ALPHA: f64 = 0.3;
const BETA: f64 = 1.0; // linfa's default of 0 makes every weight infinite
const L1: f64 = 0.05;
const L2: f64 = 0.5;
const EPOCHS: u64 = 4;
/// Golden vectors of each output.
const GOLDEN: usize = 24;

/// FTRL's state over all features. Starts at zero (linfa's own start is random, which is noise for features never seen).
struct State {
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
    fn fit(labelled: &[Labelled<'_>]) -> anyhow::Result<Self> {
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
    fn weights(&self) -> anyhow::Result<Vec<f64>> {
        let all: Features = (0..u32::try_from(DIMENSION)?).map(|index| (index, 0.0)).collect();
        Ok(self.gather(&all)?.get_weights().to_vec())
    }

    /// Examples with what linfa's own model predicts for them.
    fn golden(&self, labelled: &[Labelled<'_>]) -> anyhow::Result<Vec<(Features, f64)>> {
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

struct Logistic {
    weights: Vec<f64>,
}

/// The challenger: L2-regularised logistic regression on the features that chi-squared selects.
fn logistic(labelled: &[Labelled<'_>]) -> anyhow::Result<Logistic> {
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
    Ok(Logistic { weights })
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
    /// The challenger's own dot product is linfa's `predict_probabilities` to within 1e-7 (measured); its vectors are made of its parameters.
    fn golden(&self, labelled: &[Labelled<'_>]) -> Vec<(Features, f64)> {
        let step = (labelled.len() / GOLDEN).max(1);
        let of = |example: &Example| {
            (example.features.clone(), 1.0 / (1.0 + (-dot(&example.features, &self.weights)).exp()))
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

fn card(header: &Header, outputs: &[Output; 2]) -> String {
    let mut card = String::from(
        "# Model card\n\nWritten by `doorward train`. The model says how likely a comment is spam or abuse, from its words and from properties that mean \
         the same on every site; it is one term of a verdict, bounded by `policy.*.model_max`, and never decides alone what a person should.\n\n",
    );
    card += &format!(
        "- **Features:** `{}`, {DIMENSION} in all.\n- **Training set:** SHA-256 of ids and labels `{}`.\n",
        header.features, header.training
    );
    for output in outputs {
        let (a, b) = output.platt;
        card += &format!(
            "- **{}:** {}, {} weights; calibrated on unseen sources (Platt a = {a:.4}, b = {b:.4}), base rate {:.3} taken out.\n",
            output.name,
            output.learner,
            output.weights.len(),
            1.0 / (1.0 + (-output.base).exp()),
        );
    }
    card += "\n## Learned from\n\nTexts belong to their authors; none of them is part of this repository. Duplicates across all files were removed first.\n\n\
             | set | examples | licence |\n| --- | ---: | --- |\n";
    for (name, count) in &header.sources {
        let licence = SOURCES.iter().find(|source| source.name == name).map_or("", |source| source.licence);
        card += &format!("| {name} | {count} | {licence} |\n");
    }
    card += "\nPage statistics (`background.bin`): blog_articles (CC BY 2.0), fnc_bodies (unclear), headlines_clickbait (MIT), and the pages of the sets above.\n\n\
             ## Measured\n\nEach figure is of a model that had not seen the group, or the whole source, that it was measured on. AUC is the chance that a \
             positive scores above a negative.\n\n| what | value |\n| --- | ---: |\n";
    for (name, value) in &header.measured {
        card += &format!("| {name} | {value:.4} |\n");
    }
    card += "\n## Known weaknesses\n\n\
             - What spam looks like differs from site to site: on sources that it never saw it is much weaker than at home, as the table shows. Decisions of a \
             site's own moderators will teach it more than any public set.\n\
             - Nearly everything it learned from is English. Other languages get little from the words, and rely on the signals.\n\
             - Published comments of one technical blog are most of the genuine comments; talk about other subjects is judged by less.\n\
             - Public sets of abuse carry their annotators' bias against dialects and against mentions of groups; their weight is bounded, and abuse is held for \
             people rather than rejected.\n\
             - Advertising that is written as praise for the article, without a link, is the hardest.\n";
    card
}

#[cfg(test)]
mod tests {
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

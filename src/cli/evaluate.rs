//! `doorward evaluate`: measures a model, alone, on labelled comments.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::{say, say_json};
use crate::classifier::Classifier;
use crate::classifier::data;
use crate::classifier::evaluate::{Measures, Scored, measure};
use crate::classifier::features::features;
use crate::domain::policy;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The model file; the shipped one when not said
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Labelled files
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    data: Vec<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    source: String,
    output: &'static str,
    #[serde(flatten)]
    measures: Measures,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let classifier = match &arguments.model {
        None => Classifier::shipped()?,
        Some(path) => Classifier::load(&std::fs::read(path).with_context(|| format!("{}", path.display()))?)?,
    };
    let mut lines = Vec::new();
    for path in &arguments.data {
        let source = data::source(path);
        let mut scored: [Vec<Scored>; 2] = [Vec::new(), Vec::new()];
        for row in data::read(path)? {
            let (Some(target), Some(comment)) = (data::target(&source, &row), data::comment(&row)) else { continue };
            let log_odds = classifier.log_odds(&features(&comment, None));
            let policy = policy::Config::default();
            let priors = [policy.spam.prior, policy.abuse.prior];
            for (output, label) in [target.spam, target.abuse].into_iter().enumerate() {
                if let Some(label) = label {
                    // With policy's prior: at 0.5 the model alone would have a comment held.
                    scored[output].push((1.0 / (1.0 + (-log_odds[output] - priors[output].get()).exp()), label));
                }
            }
        }
        for (output, scored) in ["spam", "abuse"].into_iter().zip(scored).filter(|(_, scored)| !scored.is_empty()) {
            lines.push(Line { source: source.clone(), output, measures: measure(&scored, 0.5) });
        }
    }
    if arguments.json {
        return say_json(&lines);
    }
    say(format_args!(
        "model {}\n{:24} {:6} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}",
        classifier.version(),
        "source",
        "output",
        "rows",
        "pos",
        "prec",
        "recall",
        "f1",
        "fpr",
        "auc",
        "ap"
    ))?;
    for Line { source, output, measures: m } in &lines {
        say(format_args!(
            "{source:24} {output:6} {:7} {:6} {:6.3} {:6.3} {:6.3} {:6.4} {:6.3} {:6.3}",
            m.examples, m.positives, m.precision, m.recall, m.f1, m.false_positive_rate, m.auc, m.average_precision
        ))?;
    }
    Ok(())
}

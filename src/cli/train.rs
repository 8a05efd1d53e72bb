//! `doorward train`: makes a model from labelled comments.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::say;
use crate::classifier::Classifier;
use crate::classifier::relevance_pairs::{Ground, Situation, Words, fit, foreign_auc, headlines, swapped_auc, texts};
use crate::classifier::train::{Without, train};
use crate::classifier::voice;
use crate::classifier::weights::to_toml;
use crate::classifier::whole::fit_signals;
use crate::classifier::words::{self, Part};
use crate::domain::embedding::Embedding;
use crate::domain::fit::Weights;
use crate::domain::relevance::Background;
use crate::domain::signal::Resources;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder with the labelled files
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where model.dwm, background.bin, words.bin, weights.toml and MODEL_CARD.md go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Sources to leave out, by the beginning of their names, so that the model can be measured on them
    #[arg(long, value_delimiter = ',', value_name = "SOURCE")]
    without: Vec<String>,
    /// Leave out at least so many blog comments, in whole groups; their ids go to holdout-blog.txt
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    holdout_blog: usize,
    /// Make only what relevance is measured with: words.bin
    #[arg(long)]
    relevance_only: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let without = Without { sources: arguments.without.clone(), blog: arguments.holdout_blog };
    let mut progress = |line: &str| {
        let _ = say(line); // a reader that went away does not stop a training
    };
    if arguments.relevance_only {
        let background = Background::from_bytes(crate::startup::BACKGROUND)?;
        std::fs::create_dir_all(&arguments.out).with_context(|| format!("{}", arguments.out.display()))?;
        return relevance(&arguments.data, &without, &background, &arguments.out, &mut progress).map(drop);
    }
    let (version, bytes) = make(&arguments.data, &without, &arguments.out, &mut progress)?;
    say(format_args!("model {version} written: {bytes} bytes"))
}

/// Trains, proves the model, and writes everything that belongs to it into `out`. Answers the model's version and size.
pub(super) fn make(
    data: &Path,
    without: &Without,
    out: &Path,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<(String, usize)> {
    std::fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
    let mut trained = train(data, without, progress)?;
    let relevance = relevance(data, without, &trained.background, out, progress)?;
    let (embedding, weights) = match relevance {
        Some(made) => made,
        None => crate::startup::shipped_relevance()?,
    };
    let resources = Resources {
        background: Arc::new(Background::from_bytes(&trained.background.to_bytes())?),
        embedding: Arc::new(embedding),
        weights: Arc::new(weights),
    };
    let fitted = fit_signals(data, &trained.unseen, &resources, progress)?;
    write(out, "weights.toml", to_toml(&fitted.weights).as_bytes())?;
    trained.header.measured.extend(fitted.measured);
    let bytes = Classifier::to_bytes(&trained.header, &trained.outputs);
    let classifier = Classifier::load(&bytes).context("the new model does not prove itself")?;
    write(out, "model.dwm", &bytes)?;
    write(out, "background.bin", &trained.background.to_bytes())?;
    write(out, "MODEL_CARD.md", trained.card(without).as_bytes())?;
    if !trained.held_out.is_empty() {
        write(out, "holdout-blog.txt", trained.held_out.join("\n").as_bytes())?;
    }
    Ok((classifier.version().to_owned(), bytes.len()))
}

fn write(out: &Path, name: &str, content: &[u8]) -> anyhow::Result<()> {
    let path = out.join(name);
    std::fs::write(&path, content).with_context(|| format!("{}", path.display()))
}

/// Makes the word vectors, fits the weights of relevance, and says how well they do on pages that nothing was learned from. Answers both, where
/// there is anything to make them of.
fn relevance(
    data: &Path,
    without: &Without,
    background: &Background,
    out: &Path,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<Option<(Embedding, Weights)>> {
    let Some(embedding) = words::make(data, without, progress)? else {
        progress(
            "no folder `embeddings` in the data or beside it: word vectors are not written, the shipped ones serve",
        );
        return Ok(None);
    };
    write(out, "words.bin", &embedding.to_bytes())?;
    let words = Words { background, embedding: &embedding };
    let ground = Ground::read(data, Part::Joint, 20, without, words)?;
    let mut weights = fit(&ground, &headlines(data, Part::Joint, without)?, words)?;
    if let Some((voice, area, pairs)) = voice::fit(data, without)? {
        progress(&format!(
            "voice of what people call off-topic: AUC {area:.4} of {pairs} pairs of one length, under questions not learned from"
        ));
        weights.voice = voice;
    }
    write(out, "relevance.json", (serde_json::to_string_pretty(&weights)? + "\n").as_bytes())?;
    measure(data, words, &weights, progress)?;
    Ok(Some((embedding, weights)))
}

/// Measures weights of relevance on the pages kept for it, and on the files of a folder `eval` beside the data, where there is one.
fn measure(data: &Path, words: Words<'_>, weights: &Weights, progress: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    let ground = Ground::read(data, Part::Measured, 6, &Without::default(), words)?;
    let kept = headlines(data, Part::Measured, &Without::default())?;
    let mut probes = vec![("headlines_clickbait, fnc_bodies", kept)];
    for name in ["ag_news_test", "fnc_headline_pairs"] {
        let path = data.join(format!("../eval/{name}.jsonl"));
        if path.is_file() {
            probes.push((name, texts(&path)?));
        }
    }
    for situation in [Situation::Page, Situation::Thread, Situation::Both] {
        let (all, by_words) = swapped_auc(&ground, weights, situation);
        let by_words: Vec<String> = by_words.iter().map(|area| format!("{area:.3}")).collect();
        let count = ground.swapped(situation).len();
        progress(&format!(
            "{situation:?}: swapped pairs, AUC {all:.4} of {count}; by 1-3, 4-7, 8-15, 16-30, more content words {}",
            by_words.join(" ")
        ));
        for (name, texts) in &probes {
            let (area, below) = foreign_auc(&ground, texts, words, weights, situation);
            progress(&format!(
                "{situation:?}: {name} under a page, AUC {area:.4}; {below:.3} of them below 99 % of its comments"
            ));
        }
    }
    Ok(())
}

//! `doorward train`: makes a model from labelled comments.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::say;
use crate::classifier::Classifier;
use crate::classifier::relevance_pairs::{
    Ground, Situation, Words, fit, foreign_auc, headlines, swapped_auc, texts, votes_auc,
};
use crate::classifier::train::{Without, train};
use crate::classifier::words::{self, Part};
use crate::domain::fit::Weights;
use crate::domain::relevance::Background;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder with the labelled files
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where model.dwm, background.bin, words.bin and MODEL_CARD.md go
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
    let embedding = words::make(&arguments.data, &without, &mut |line| {
        let _ = say(line);
    })?;
    std::fs::create_dir_all(&arguments.out).with_context(|| format!("{}", arguments.out.display()))?;
    let write = |name: &str, content: &[u8]| {
        let path = arguments.out.join(name);
        std::fs::write(&path, content).with_context(|| format!("{}", path.display()))
    };
    if let Some(embedding) = &embedding {
        write("words.bin", &embedding.to_bytes())?;
        let background = Background::from_bytes(crate::startup::BACKGROUND)?;
        let words = Words { background: &background, embedding };
        write("relevance.json", relevance(&arguments.data, &without, words)?.as_bytes())?;
    } else {
        say("no folder `embeddings` in the data or beside it: word vectors are not written, the shipped ones serve")?;
    }
    if arguments.relevance_only {
        return Ok(());
    }
    let trained = train(&arguments.data, &without, &mut |line| {
        let _ = say(line); // a reader that went away does not stop a training
    })?;
    let bytes = Classifier::to_bytes(&trained.header, &trained.outputs);
    let classifier = Classifier::load(&bytes).context("the new model does not prove itself")?;
    write("model.dwm", &bytes)?;
    write("background.bin", &trained.background.to_bytes())?;
    write("MODEL_CARD.md", trained.card.as_bytes())?;
    if !trained.held_out.is_empty() {
        write("holdout-blog.txt", trained.held_out.join("\n").as_bytes())?;
    }
    say(format_args!("model {} written: {} bytes", classifier.version(), bytes.len()))
}

/// Fits the weights of relevance, and says how well they do on pages that nothing was learned from.
fn relevance(data: &Path, without: &Without, words: Words<'_>) -> anyhow::Result<String> {
    let ground = Ground::read(data, Part::Joint, 20, without, words)?;
    let weights = fit(&ground, &headlines(data, Part::Joint, without)?, words)?;
    measure(data, words, &weights)?;
    Ok(serde_json::to_string_pretty(&weights)? + "\n")
}

/// Measures weights of relevance on the pages kept for it, and on the files of a folder `eval` beside the data, where there is one.
fn measure(data: &Path, words: Words<'_>, weights: &Weights) -> anyhow::Result<()> {
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
        say(format_args!(
            "{situation:?}: swapped pairs, AUC {all:.4} of {count}; by 1-3, 4-7, 8-15, 16-30, more content words {}",
            by_words.join(" ")
        ))?;
        for (name, texts) in &probes {
            let (area, below) = foreign_auc(&ground, texts, words, weights, situation);
            say(format_args!(
                "{situation:?}: {name} under a page, AUC {area:.4}; {below:.3} of them below 99 % of its comments"
            ))?;
        }
    }
    let path = data.join("../eval/c3_news_comments.jsonl");
    if path.is_file() {
        let (area, pairs) = votes_auc(&path, words, weights)?;
        say(format_args!("off-topic votes by what others said, pairs of one length, AUC {area:.4} of {pairs}"))?;
    }
    Ok(())
}

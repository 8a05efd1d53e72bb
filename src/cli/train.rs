//! `doorward train`: makes a model from labelled comments.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::say;
use crate::classifier::Classifier;
use crate::classifier::train::{Without, train};
use crate::classifier::words;

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
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let without = Without { sources: arguments.without.clone(), blog: arguments.holdout_blog };
    let trained = train(&arguments.data, &without, &mut |line| {
        let _ = say(line); // a reader that went away does not stop a training
    })?;
    let bytes = Classifier::to_bytes(&trained.header, &trained.outputs);
    let classifier = Classifier::load(&bytes).context("the new model does not prove itself")?;
    std::fs::create_dir_all(&arguments.out).with_context(|| format!("{}", arguments.out.display()))?;
    let write = |name: &str, content: &[u8]| {
        let path = arguments.out.join(name);
        std::fs::write(&path, content).with_context(|| format!("{}", path.display()))
    };
    write("model.dwm", &bytes)?;
    write("background.bin", &trained.background.to_bytes())?;
    match words::folder_of(&arguments.data) {
        Some(folder) => write("words.bin", &words::pack(&folder)?.to_bytes())?,
        None => {
            say("no folder `embeddings` in the data or beside it: words.bin is not written, the shipped one serves")?;
        }
    }
    write("MODEL_CARD.md", trained.card.as_bytes())?;
    if !trained.held_out.is_empty() {
        write("holdout-blog.txt", trained.held_out.join("\n").as_bytes())?;
    }
    say(format_args!("model {} written: {} bytes", classifier.version(), bytes.len()))
}

//! `doorward erasures`: the list of who was erased, and a database that was restored made to forget them again.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Subcommand;

use super::{Usage, say, say_json};
use crate::app::clock::Clock as _;
use crate::config::Config;
use crate::domain::privacy::{ErasedAgain, ErasedKind, Erasure};
use crate::domain::store::Store;
use crate::startup::{self, SystemClock};

/// Entries that are read, or given to the store, at once.
const AT_ONCE: usize = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write the list out, a line of JSON for each: keyed hashes, and nothing that names anybody
    Export,
    /// Erase again what such a list names, in a database that was restored to an earlier day; stop the service first
    Apply {
        /// The list; `-` for standard input
        #[arg(value_name = "FILE")]
        list: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Export => {
            let store = startup::open_store(config).await?;
            let outcome = export(&*store).await;
            store.close().await;
            outcome
        }
        Command::Apply { list, json } => {
            let list = read(&list)?;
            let store = startup::open_store_alone(config).await.context("stop the service first, on every node")?;
            let again = store.erase_again(list, SystemClock.now()).await;
            store.close().await;
            let again = again?;
            let said = if json { say_json(&again) } else { say(told(&again)) };
            said?;
            match again.served_by {
                Some(node) => bail!(
                    "the node {node} began to serve the database meanwhile, and may remember what was erased: stop the service on every node, \
                     and do this again, which goes on from here"
                ),
                None => Ok(()),
            }
        }
    }
}

/// What came of it, for people.
pub(super) fn told(again: &ErasedAgain) -> String {
    let ErasedAgain { unknown, comments, others, served_by: _ } = again;
    format!(
        "{unknown} entries were not known here; erased again: {comments} comments, {others} reports, votes, notes and sanctions"
    )
}

async fn export(store: &dyn Store) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let some = store.erasures(after, AT_ONCE).await?;
        let Some(last) = some.last() else { return Ok(()) };
        after = last.number;
        some.iter().try_for_each(say_json)?;
    }
}

/// A list that was written out.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Erasure>> {
    let named = || format!("{}", path.display());
    let lines: Box<dyn std::io::BufRead> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(std::fs::File::open(path).with_context(named)?))
    };
    let mut list = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let line = line.with_context(named)?;
        if !line.trim().is_empty() {
            let entry = serde_json::from_str(&line);
            let entry = entry.map_err(|error| Usage(format!("{}: line {}: {error}", path.display(), number + 1)))?;
            list.push(entry);
        }
    }
    Ok(list)
}

/// Several lists as one: what is in more than one of them was erased when it was erased last.
#[derive(Debug, Default)]
pub(super) struct Together(BTreeMap<(ErasedKind, String, Vec<u8>), Erasure>);

impl Together {
    pub(super) fn add(&mut self, list: Vec<Erasure>) {
        for entry in list {
            let key = (entry.kind, entry.site.clone(), entry.hash.clone());
            let kept = self.0.entry(key).or_insert_with(|| entry.clone());
            kept.at = kept.at.max(entry.at);
        }
    }

    /// Those that `known` does not have, or has of an earlier moment.
    pub(super) fn but(mut self, known: Vec<Erasure>) -> Vec<Erasure> {
        for entry in known {
            let key = (entry.kind, entry.site, entry.hash);
            if self.0.get(&key).is_some_and(|kept| kept.at <= entry.at) {
                self.0.remove(&key);
            }
        }
        self.0.into_values().collect()
    }
}

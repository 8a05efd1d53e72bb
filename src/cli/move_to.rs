//! `doorward move`: everything from a SQLite file into a PostgreSQL database.

use std::io::Write as _;

use super::{Usage, say, say_json};
use crate::config::Config;
use crate::storage;
use crate::storage::moving::{self, Options, Step};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file: sqlite:PATH. Nobody may serve it meanwhile; it stays as it is
    #[arg(long, value_name = "URL")]
    from: String,
    /// The empty database: postgres://USER:PASSWORD@HOST/DATABASE. Stopped, the same command goes on where it was
    #[arg(long, value_name = "URL")]
    to: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Rows of one table between two lines about it.
const LINE_ROWS: u64 = 100_000;

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let Arguments { from, to, json } = arguments;
    let from = storage::Config { url: from, ..config.database.clone() };
    let to = storage::Config { url: to, ..config.database.clone() };
    anyhow::ensure!(!from.is_postgres(), Usage("--from: must be sqlite:PATH".to_owned()));
    anyhow::ensure!(to.is_postgres(), Usage("--to: must be postgres://USER:PASSWORD@HOST/DATABASE".to_owned()));
    let mut said = 0;
    let mut tell = |step: Step| {
        let line = match step {
            Step::Moved { table, rows, done } => {
                let is_news = done || rows / LINE_ROWS > said;
                said = if done { 0 } else { rows / LINE_ROWS };
                let so_far = if done { "" } else { " so far" };
                is_news.then(|| format!("moved {table}: {rows} rows{so_far}"))
            }
            Step::Verified { table, rows } => Some(format!("read again {table}: {rows} rows")),
        };
        if let Some(line) = line {
            let _ = writeln!(std::io::stderr(), "{line}"); // nobody may be there to read it
        }
    };
    let moved = moving::move_all(&from, &to, Options::default(), &mut tell).await?;
    if json {
        return say_json(&moved);
    }
    say(format_args!("rows moved {}, the same on both sides", moved.rows))?;
    say("Set database.url to the new database, and keep the file and secrets.key_file until you have a backup.")
}

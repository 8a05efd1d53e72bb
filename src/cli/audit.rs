//! `doorward audit`: the record of who did what, verified and exported.

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::{say, say_json};
use crate::config::Config;
use crate::domain::store::{AuditCheck, Store};
use crate::domain::time::Timestamp;
use crate::http::api::oversight::AuditLineOut;
use crate::startup;

/// Lines read at once.
const LINES: usize = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say whether every line is there, in its place, and says what it said; exit code 1 if not
    Verify {
        /// The hash of the last line as it was written down elsewhere: it must still be one of the lines
        #[arg(long, value_name = "HASH", value_parser = hash)]
        head: Option<[u8; 32]>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Write all lines to standard output, one JSON object each, oldest first
    Export {
        /// Only what was done at or after that moment, as in 2026-11-24T10:00:00Z
        #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
        since: Option<Timestamp>,
    },
}

fn hash(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "must be 64 hexadecimal digits, as `audit verify` prints them".to_owned();
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let store = startup::open_store(config).await?;
    let done = match command {
        Command::Verify { head, json } => verify(&*store, head, json).await,
        Command::Export { since } => export(&*store, since).await,
    };
    store.close().await;
    done
}

async fn verify(store: &dyn Store, known: Option<[u8; 32]>, json: bool) -> anyhow::Result<()> {
    match store.audit_verify(known).await.context("the record could not be read")? {
        AuditCheck::Whole { lines, head } => {
            if json {
                return say_json(&json!({"whole": true, "lines": lines, "head": head}));
            }
            say(format_args!("whole: {lines} lines"))?;
            say(format_args!("head {head}"))?;
            say("Write the head down elsewhere: with --head it proves later that nothing before it was changed.")
        }
        AuditCheck::Broken { line, problem } => {
            if json {
                say_json(&json!({"whole": false, "line": line, "problem": problem}))?;
            }
            anyhow::bail!("the record of who did what is broken: line {line} {problem}")
        }
        AuditCheck::Another { lines, head } => {
            if json {
                say_json(
                    &json!({"whole": false, "lines": lines, "head": head, "problem": "does not hold the given head"}),
                )?;
            }
            anyhow::bail!(
                "the record of who did what is another: its {lines} lines are whole, and none has the given hash"
            )
        }
    }
}

async fn export(store: &dyn Store, since: Option<Timestamp>) -> anyhow::Result<()> {
    let mut number = 0;
    loop {
        let lines = store.audit_after(number, LINES).await.context("the record could not be read")?;
        let Some(last) = lines.last() else { return Ok(()) };
        number = last.number;
        for line in lines.into_iter().filter(|line| since.is_none_or(|since| line.entry.at >= since)) {
            say_json(&AuditLineOut::from(line))?;
        }
    }
}

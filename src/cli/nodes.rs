//! `doorward nodes`: the processes that serve from this database.

use clap::Args;
use serde::Serialize;

use super::{say, say_json};
use crate::app::clock::Clock as _;
use crate::config::Config;
use crate::domain::nodes::Node;
use crate::domain::time::Timestamp;
use crate::startup::{self, SystemClock};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// A node, for people and programs.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    version: &'a str,
    schema: u32,
    started_at: Timestamp,
    seen_at: Timestamp,
    config: &'a str,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let store = startup::open_store(config).await?;
    let nodes = store.nodes().await;
    store.close().await;
    let nodes = nodes?;
    if nodes.is_empty() && !arguments.json {
        return say("Nobody is known to serve from this database; a service on SQLite is not counted.");
    }
    let now = SystemClock.now();
    for Node { name, version, schema, started_at, seen_at, config } in &nodes {
        if arguments.json {
            say_json(&Shown { name, version, schema: *schema, started_at: *started_at, seen_at: *seen_at, config })?;
            continue;
        }
        let ago = now.millis_since(*seen_at) / 1_000;
        let config = if config.is_empty() { "unknown" } else { config };
        say(format_args!(
            "{name} version {version} schema {schema} configuration {config} since {started_at}, seen {ago} s ago"
        ))?;
    }
    Ok(())
}

//! `doorward outbox`: what sites have yet to be told, and what could not be delivered.

use anyhow::Context as _;
use clap::{ArgGroup, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::{say, say_json};
use crate::app::clock::Clock as _;
use crate::app::outbox::letters::{Again, Letters};
use crate::config::Config;
use crate::domain::decision::Actor;
use crate::domain::outbox::Letter;
use crate::domain::people::Reach;
use crate::domain::store::PageRequest;
use crate::startup::{self, SystemClock};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what is on its way and what could not be delivered, newest first
    List {
        /// Of that site only
        #[arg(long)]
        site: Option<String>,
        /// Dead letters only
        #[arg(long)]
        dead: bool,
        /// At most that many
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Answer in JSON, one letter a line
        #[arg(long)]
        json: bool,
    },
    /// Send dead letters again
    #[command(group = ArgGroup::new("which").required(true).args(["ids", "site", "all"]))]
    Resend {
        /// These
        ids: Vec<Uuid>,
        /// All of that site
        #[arg(long)]
        site: Option<String>,
        /// All
        #[arg(long)]
        all: bool,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let store = startup::open_store(config).await?;
    let letters = Letters::new(std::sync::Arc::clone(&store));
    let done = match command {
        Command::List { site, dead, limit, json } => list(&letters, site, dead, limit, json).await,
        Command::Resend { ids, site, json, .. } => {
            let which = match (ids, site) {
                (ids, None) if ids.is_empty() => Again::All,
                (_, Some(site)) => Again::Site(site),
                (ids, None) => Again::These(ids),
            };
            resend(&letters, which, json).await
        }
    };
    store.close().await;
    done
}

async fn list(letters: &Letters, site: Option<String>, dead: bool, most: usize, json: bool) -> anyhow::Result<()> {
    let mut left = most;
    let mut cursor = None;
    while left > 0 {
        let page = PageRequest { limit: left.min(500), cursor };
        let page = letters.list(site.clone(), dead, &Reach::ALL, &page).await?;
        left = left.saturating_sub(page.items.len());
        for letter in &page.items {
            if json { say_json(letter)? } else { show(letter)? }
        }
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok(())
}

fn show(letter: &Letter) -> anyhow::Result<()> {
    let when = match (letter.dead_at, letter.next_at) {
        (Some(dead), _) => format!("dead since {dead}"),
        (None, Some(next)) => format!("next at {next}"),
        (None, None) => "waits".to_owned(),
    };
    let problem = letter.problem.as_deref().map_or_else(String::new, |problem| format!(": {problem}"));
    let Letter { id, site, kind, attempts, .. } = letter;
    say(format_args!("{id} {site} {kind} {when} after {attempts} attempts{problem}"))
}

async fn resend(letters: &Letters, which: Again, json: bool) -> anyhow::Result<()> {
    let sent = letters.resend(which, &Reach::ALL, Actor::Console, SystemClock.now()).await;
    let resent = sent.context("the letters could not be put back on their way")?;
    if json { say_json(&json!({"resent": resent})) } else { say(format_args!("{resent} on their way again")) }
}

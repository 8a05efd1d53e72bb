//! `doorward token`: personal API tokens.

use clap::Subcommand;

use super::{Desk, say, say_json};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a personal API token; shows it once
    Create {
        /// Whose
        email: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let Command::Create { email, json } = command;
    let desk = Desk::open(config)?;
    let made = desk.admin.token_create(&email, desk.now).await;
    let made = desk.close(made).await?;
    if json {
        return say_json(&made);
    }
    say(format_args!("token {}", made.token))?;
    say("Write it down: it is not shown again.")
}

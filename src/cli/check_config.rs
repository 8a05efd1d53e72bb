//! `doorward check-config`: everything that `serve` checks before it opens a port, without a database.

use clap::Args;

use super::say;
use crate::config::Config;
use crate::startup;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Show every setting in force, secrets left out
    #[arg(long)]
    show: bool,
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    startup::house(config)?;
    if arguments.show {
        say(toml::to_string(config)?)?;
    }
    say(format_args!("The settings are good. Their hash is {}.", config.hash()))
}

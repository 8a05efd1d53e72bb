//! The command line: one file a command. Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 a bound of `backtest` is
//! broken.

mod audit;
mod backtest;
mod check_config;
mod demo;
mod evaluate;
mod explain;
mod migrate;
mod move_progress;
mod move_to;
mod nodes;
mod outbox;
mod secrets;
mod serve;
mod site;
mod token;
mod train;
mod tune;
mod user;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::app::admin::{Admin, AdminError};
use crate::app::clock::Clock as _;
use crate::app::secrets::Sealer;
use crate::config::{Config, ConfigError};
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::startup::{self, SystemClock};

/// Comment moderation: one program between a website's comment form and its readers.
#[derive(Debug, Parser)]
#[command(name = "doorward", version, about, propagate_version = true)]
struct Arguments {
    /// Settings file [default: ./config.toml if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve,
    /// Run it on loopback with an embedded database and sample comments, to look around
    Demo(demo::Arguments),
    /// Create, list and delete sites, and make keys for them
    #[command(subcommand)]
    Site(site::Command),
    /// Create, change, list, reset and disable accounts of people
    #[command(subcommand)]
    User(user::Command),
    /// List and send again what sites were to be told
    #[command(subcommand)]
    Outbox(outbox::Command),
    /// Create, list and revoke personal API tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Verify and export the record of who did what
    #[command(subcommand)]
    Audit(audit::Command),
    /// Rotate the key that secrets in the database are encrypted with
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Check the settings without starting anything
    CheckConfig(check_config::Arguments),
    /// Show what would be decided about a comment, and why, without a database
    Explain(explain::Arguments),
    /// Bring the database to this version
    Migrate,
    /// List the processes that serve from this database
    Nodes(nodes::Arguments),
    /// Move everything from a SQLite file into an empty PostgreSQL database
    Move(move_to::Arguments),
    /// Show what other settings would have made of the comments that were recorded
    Backtest(backtest::Arguments),
    /// Propose thresholds for a stated aim, from what people decided
    Tune(tune::Arguments),
    /// Make a model from labelled comments
    Train(train::Arguments),
    /// Measure a model on labelled comments
    Evaluate(evaluate::Arguments),
}

/// Runs the program with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse(); // exits with 2 on wrong usage
    match execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "doorward: {error:#}");
            let is_usage = error.chain().any(|cause| cause.is::<ConfigError>() || cause.is::<Usage>());
            let is_broken = error.chain().any(<(dyn std::error::Error + 'static)>::is::<backtest::Broken>);
            match (is_usage, is_broken) {
                (true, _) => ExitCode::from(2),
                (_, true) => ExitCode::from(3),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Something that the person at the command line has to say differently.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

fn execute(arguments: Arguments) -> anyhow::Result<()> {
    let path = arguments.config.as_deref();
    if let Command::Demo(arguments) = arguments.command {
        anyhow::ensure!(path.is_none(), Usage("demo brings its own settings; leave --config away".to_owned()));
        return demo::run(arguments);
    }
    match &arguments.command {
        Command::Train(arguments) => return train::run(arguments),
        Command::Evaluate(arguments) => return evaluate::run(arguments),
        _ => {}
    }
    let config = Config::load(path)?;
    match arguments.command {
        Command::Serve => serve::run(config),
        Command::Site(command) => block_on(site::run(command, &config))?,
        Command::User(command) => block_on(user::run(command, &config))?,
        Command::Outbox(command) => block_on(outbox::run(command, &config))?,
        Command::Token(command) => block_on(token::run(command, &config))?,
        Command::Audit(command) => block_on(audit::run(command, &config))?,
        Command::Secrets(command) => block_on(secrets::run(command, &config))?,
        Command::CheckConfig(arguments) => check_config::run(&arguments, &config),
        Command::Explain(arguments) => explain::run(&arguments, &config),
        Command::Migrate => block_on(migrate::run(&config))?,
        Command::Nodes(arguments) => block_on(nodes::run(arguments, &config))?,
        Command::Move(arguments) => block_on(move_to::run(arguments, &config))?,
        Command::Backtest(arguments) => block_on(backtest::run(arguments, &config))?,
        Command::Tune(arguments) => block_on(tune::run(arguments, &config, path))?,
        Command::Demo(_) | Command::Train(_) | Command::Evaluate(_) => Ok(()),
    }
}

fn block_on<F: Future>(work: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("the async runtime could not be started")?.block_on(work))
}

/// The database and the key file, opened for one command beside whoever else uses them.
struct Desk {
    admin: Admin,
    store: Arc<dyn Store>,
    now: Timestamp,
}

impl Desk {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let store = startup::open_store(config).await?;
        let sealer = Sealer::open(&config.secrets.key_file)?;
        Ok(Self { admin: Admin::new(Arc::clone(&store), sealer), store, now: SystemClock.now() })
    }

    /// Closes the database, whatever became of the command.
    async fn close<T>(self, result: Result<T, AdminError>) -> anyhow::Result<T> {
        self.store.close().await;
        result.map_err(|error| match error {
            AdminError::SiteName(_)
            | AdminError::Url(_)
            | AdminError::Webhook(_)
            | AdminError::Email(_)
            | AdminError::Reach(_) => Usage(error.to_string()).into(),
            error => error.into(),
        })
    }
}

/// Writes a line to standard output. A reader that went away, as in `| head`, is no error.
fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// Writes a record as one line of JSON.
fn say_json(record: &impl Serialize) -> anyhow::Result<()> {
    say(serde_json::to_string(record).context("the record cannot be written as JSON")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn commands_are_well_formed() {
        Arguments::command().debug_assert();
    }
}

//! The command line: one file a command. Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 a bound of `backtest` is broken; `doctor` has its own.

mod audit;
mod backtest;
mod backup;
mod check_config;
mod completions;
mod config;
mod demo;
mod doctor;
mod erasures;
mod evaluate;
mod explain;
mod export;
mod import;
mod import_progress;
mod machine;
mod man;
mod manifest;
mod migrate;
mod move_progress;
mod move_to;
mod nodes;
mod notify;
mod outbox;
mod restore;
mod rules;
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
    /// List what operators were told, and send a test message
    #[command(subcommand)]
    Notify(notify::Command),
    /// Create, list and revoke personal API tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Verify and export the record of who did what
    #[command(subcommand)]
    Audit(audit::Command),
    /// Rotate the key that secrets in the database are encrypted with
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Look at everything that can be wrong around the service, and say what to do; exit code 1 for warnings, 2 for problems
    Doctor(doctor::Arguments),
    /// Check the settings without starting anything
    CheckConfig(check_config::Arguments),
    /// List the configurations that services ran under, compare them, and go back to one
    #[command(subcommand)]
    Config(config::Command),
    /// Show what would be decided about a comment, and why, without a database
    Explain(explain::Arguments),
    /// Bring the database to this version
    Migrate,
    /// Copy database, settings, key and model into a new folder, while the service runs
    Backup(backup::Arguments),
    /// Check such a copy, and put it where the settings say
    Restore(restore::Arguments),
    /// List who was erased, as hashes, and erase them again where a database was restored
    #[command(subcommand)]
    Erasures(erasures::Command),
    /// List the processes that serve from this database
    Nodes(nodes::Arguments),
    /// Move everything from a SQLite file into an empty PostgreSQL database
    Move(move_to::Arguments),
    /// Bring comments in that another system exported, with what it said of them
    Import(import::Arguments),
    /// Write out everything that a site has: articles, and comments with what they are
    Export(export::Arguments),
    /// Show what other settings would have made of the comments that were recorded
    Backtest(backtest::Arguments),
    /// Tell what rules, checks and limits did, whether people agree, and what to look at
    Rules(rules::Arguments),
    /// Propose weights and thresholds for a stated aim, from what people decided
    Tune(tune::Arguments),
    /// Make a model from labelled comments
    Train(train::Arguments),
    /// Measure a model on labelled comments
    Evaluate(evaluate::Arguments),
    /// Write the manual, a page for each command
    Man(man::Arguments),
    /// Write what a shell completes commands by
    Completions(completions::Arguments),
    /// What a service has another process of its own do when somebody starts a backtest there
    #[command(name = startup::trial::COMMAND, hide = true)]
    Replay,
}

/// Runs the program with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse(); // exits with 2 on wrong usage
    match execute(arguments) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "doorward: {error:#}");
            let is_usage = error.chain().any(|cause| cause.is::<ConfigError>() || cause.is::<Usage>());
            let is_broken = error.is::<backtest::Broken>();
            match (is_usage, is_broken) {
                (true, _) => ExitCode::from(2),
                (_, true) => ExitCode::from(3),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// What the command line understands: for its manual, and for whoever checks that what is written about it is so.
#[must_use]
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Something that the person at the command line has to say differently.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

fn execute(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let path = arguments.config.as_deref();
    if let Command::Doctor(arguments) = &arguments.command {
        return block_on(doctor::run(arguments, path))?;
    }
    done(arguments).map(|()| ExitCode::SUCCESS)
}

/// Everything that is done, or is not.
fn done(arguments: Arguments) -> anyhow::Result<()> {
    let path = arguments.config.as_deref();
    if let Command::Demo(arguments) = arguments.command {
        anyhow::ensure!(path.is_none(), Usage("demo brings its own settings; leave --config away".to_owned()));
        return demo::run(arguments);
    }
    let command = match arguments.command {
        Command::Train(arguments) => return train::run(&arguments),
        Command::Evaluate(arguments) => return evaluate::run(&arguments),
        Command::Man(arguments) => return man::run(&arguments),
        Command::Completions(arguments) => return completions::run(&arguments),
        Command::Restore(arguments) => return restore::run(&arguments, path), // there may be no settings yet
        Command::Serve => return serve::run(path),
        Command::Replay => return block_on(startup::trial::work())?,
        Command::Config(command) => return block_on(config::run(command, path))?,
        command => command,
    };
    let config = Config::load(path)?;
    match command {
        Command::Site(command) => block_on(site::run(command, &config))?,
        Command::User(command) => block_on(user::run(command, &config))?,
        Command::Outbox(command) => block_on(outbox::run(command, &config))?,
        Command::Notify(command) => block_on(notify::run(command, &config))?,
        Command::Token(command) => block_on(token::run(command, &config))?,
        Command::Audit(command) => block_on(audit::run(command, &config))?,
        Command::Secrets(command) => block_on(secrets::run(command, &config))?,
        Command::CheckConfig(arguments) => check_config::run(&arguments, &config, path),
        Command::Explain(arguments) => explain::run(&arguments, &config),
        Command::Migrate => block_on(migrate::run(&config))?,
        Command::Erasures(command) => block_on(erasures::run(command, &config))?,
        Command::Nodes(arguments) => block_on(nodes::run(arguments, &config))?,
        Command::Move(arguments) => block_on(move_to::run(arguments, &config))?,
        Command::Import(arguments) => block_on(import::run(arguments, &config))?,
        Command::Export(arguments) => block_on(export::run(arguments, &config))?,
        Command::Backup(arguments) => backup::run(&arguments, &config, Config::file(path)),
        Command::Backtest(arguments) => block_on(backtest::run(arguments, &config, path))?,
        Command::Rules(arguments) => block_on(rules::run(arguments, &config))?,
        Command::Tune(arguments) => block_on(tune::run(arguments, &config, path))?,
        Command::Serve
        | Command::Config(_)
        | Command::Demo(_)
        | Command::Train(_)
        | Command::Evaluate(_)
        | Command::Restore(_)
        | Command::Doctor(_)
        | Command::Man(_)
        | Command::Replay
        | Command::Completions(_) => Ok(()),
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
            | AdminError::Reach(_)
            | AdminError::CoralSecret => Usage(error.to_string()).into(),
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

//! `doorward move`: everything from a SQLite file into a PostgreSQL database.

use serde::Serialize;

use super::move_progress::Progress;
use super::{Usage, say, say_json};
use crate::app::clock::Clock as _;
use crate::config::Config;
use crate::startup::SystemClock;
use crate::storage;
use crate::storage::moving::{self, Moved, Options};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file: sqlite:PATH. Nobody may serve it meanwhile, nor afterwards; it stays as it is, but for a mark that says where everything went
    #[arg(long, value_name = "URL")]
    from: String,
    /// The empty database: postgres://USER:PASSWORD@HOST/DATABASE. Stopped, the same command goes on where it was
    #[arg(long, value_name = "URL", required_unless_present = "reopen")]
    to: Option<String>,
    /// Let a file that was moved be served again, without what came to the new database since: nothing is moved
    #[arg(long, conflicts_with_all = ["to", "json"])]
    reopen: bool,
    /// Answer in JSON: each table with its rows and their checksum, and the seconds that this run took
    #[arg(long)]
    json: bool,
}

/// What is said at the end.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    moved: Moved,
    /// That this run took.
    seconds: f64,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let Arguments { from, to, reopen, json } = arguments;
    let from = storage::Config { url: from, ..config.database.clone() };
    let Some(to) = to.filter(|_| !reopen) else {
        anyhow::ensure!(!from.is_postgres(), Usage("--from: must be sqlite:PATH".to_owned()));
        let was_marked = moving::reopen(&from).await?;
        return say(if was_marked { "The file may be served again." } else { "The file was not marked as moved." });
    };
    let to = storage::Config { url: to, ..config.database.clone() };
    anyhow::ensure!(!from.is_postgres(), Usage("--from: must be sqlite:PATH".to_owned()));
    anyhow::ensure!(to.is_postgres(), Usage("--to: must be postgres://USER:PASSWORD@HOST/DATABASE".to_owned()));
    let begun = SystemClock.now();
    let mut progress = Progress::new(begun);
    let outcome =
        moving::move_all(&from, &to, Options::default(), &mut |step| progress.tell(step, SystemClock.now())).await;
    progress.end();
    let moved = outcome?;
    #[expect(clippy::cast_precision_loss, reason = "a move takes less than a hundred thousand years")]
    let seconds = SystemClock.now().millis_since(begun) as f64 / 1_000.0;
    if json {
        return say_json(&Report { moved, seconds });
    }
    say(format_args!("rows moved {}, the same on both sides, in {seconds:.1} s", moved.rows))?;
    say(
        "Set database.url to the new database, and keep the file and secrets.key_file until you have a backup. The file is not served any more.",
    )
}

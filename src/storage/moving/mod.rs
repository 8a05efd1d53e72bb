//! Moves everything from a SQLite file into an empty PostgreSQL database (docs/moving.md).
//!
//! Rows go in batches, each in one commit with a note of how far the table has got: whatever stops a move, the same one begun again goes on from
//! there. Until all of it was read again on both sides and compared, the destination is marked, and nobody serves it. Just before that mark goes, the
//! source is marked as moved: at no moment could both be served. But for that it is only read.

mod cell;
mod rights;
mod source;
mod tables;
mod target;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use self::cell::Sum;
use self::source::{Batch, Reader};
use self::tables::{MARKS, TABLES, Table};
use self::target::{Progress, Target};
use super::sqlite::source::Source;
use super::{Config, postgres, sqlite};
use crate::domain::store::{Result, StoreError};

/// Bytes of one batch, roughly; a batch is in memory up to four times.
const BATCH_BYTES: usize = 4 << 20;
/// Batches that are read ahead.
const READ_AHEAD: usize = 2;

/// How a move goes.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Rows in one commit at most.
    pub batch_rows: usize,
    /// Stop after so many batches, as a crash would: for tests.
    pub batches_max: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self { batch_rows: 4_000, batches_max: None }
    }
}

/// What a move is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The source was counted, once, before anything is moved.
    Counted {
        /// Rows to be there at the end. Some of them may turn out to be left behind.
        rows: u64,
        /// How many an earlier move has brought.
        arrived: u64,
    },
    /// Rows of a table have arrived; `done` when they are all.
    Moved {
        /// Which.
        table: &'static str,
        /// So far.
        rows: u64,
        /// Those of them that arrived just now.
        new: u64,
        /// Whether that is all.
        done: bool,
    },
    /// A table is being read on both sides; `done` when all of it was.
    Verified {
        /// Which.
        table: &'static str,
        /// So far.
        rows: u64,
        /// Whether that is all.
        done: bool,
    },
}

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Each table of the destination.
    pub tables: Vec<MovedTable>,
    /// Rows of all of them.
    pub rows: u64,
    /// Whether an earlier move was gone on with.
    pub resumed: bool,
}

/// A table that is the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedTable {
    /// Its name.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// A checksum over them, in hexadecimal.
    pub checksum: String,
}

/// Why not everything was moved. The source is as it was.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The source cannot be read.
    #[error("the source cannot be read")]
    Source(#[from] sqlite::OpenError),
    /// The destination cannot be written.
    #[error("the destination cannot be written")]
    Target(#[from] postgres::OpenError),
    /// The destination's user may not do what is needed. Nothing was written.
    #[error("nothing can be moved into the destination: {0}")]
    Rights(String),
    /// The destination holds other data.
    #[error("the destination holds other data (in the table {0}); everything is moved into an empty database only")]
    NotEmpty(&'static str),
    /// A move from elsewhere was begun there.
    #[error("a move from another source was begun into this destination; finish that one, or take an empty database")]
    OtherMove,
    /// All of it is there.
    #[error("this source was moved into this destination before, and the move was finished")]
    AlreadyMoved,
    /// Somebody else is at it.
    #[error("another move into this destination is running")]
    Busy,
    /// A node serves the destination.
    #[error(
        "the node {0} serves the destination; stop it, and run the same again (of one that was killed this is said for a minute)"
    )]
    TargetServed(String),
    /// What arrived is not what was sent.
    #[error(
        "the two sides differ in {0}: the source was changed after the move was begun, or the destination was; empty the destination and begin anew"
    )]
    Differs(String),
    /// A test wanted to see what is left.
    #[error("stopped after as many batches as were allowed")]
    Stopped,
    /// Reading or writing failed.
    #[error("the move stopped; the same again goes on from where it was")]
    Store(#[from] StoreError),
}

/// Moves everything. `say` hears of every batch.
///
/// # Errors
/// [`MoveError`]; what has arrived stays, for the same move begun again.
pub async fn move_all(
    from: &Config,
    to: &Config,
    options: Options,
    say: &mut (dyn FnMut(Step) + Send),
) -> std::result::Result<Moved, MoveError> {
    let config = from.clone();
    let source = blocking(move || Ok(Source::open(&config))).await??;
    let (secret, fingerprint) = (source.secret, Sha256::digest(source.secret));
    let reader = Reader::new(source);
    let mut target = Target::open(to, &secret, &fingerprint).await?;
    let mut noted = target.progress().await?;
    let resumed = !noted.is_empty();
    let counting = reader.clone();
    let rows = blocking(move || TABLES.iter().try_fold(0, |rows, table| Ok(rows + counting.count(table)?))).await?;
    say(Step::Counted { rows, arrived: noted.values().map(|progress| progress.rows).sum() });
    let mut batches = options.batches_max.unwrap_or(usize::MAX);
    for table in TABLES {
        let mut progress = noted.remove(table.step).unwrap_or_default();
        if !progress.done {
            move_table(&reader, &mut target, table, &mut progress, options.batch_rows, &mut batches, say).await?;
        }
    }
    let mut marks = Vec::new();
    for name in MARKS {
        let reader = reader.clone();
        if let Some(value) = blocking(move || reader.meta(name)).await? {
            marks.push((name, value));
        }
    }
    for (name, value) in &marks {
        target.mark(name, value).await?;
    }
    let tables = verify(&reader, &target, say).await?;
    let mut last_numbers = Vec::new();
    for table in TABLES.iter().filter(|table| table.counts) {
        let reader = reader.clone();
        last_numbers.push((table, blocking(move || reader.last_number(table.name)).await?));
    }
    // Everything there is of this source is there, and nobody writes to it. Whatever happens from here on, comments go into one of both.
    let (marking, place) = (reader.clone(), to.shown().into_owned());
    blocking(move || marking.mark(Some(&place))).await?;
    match target.finish(&fingerprint, &last_numbers).await {
        Err(served @ MoveError::TargetServed(_)) => {
            blocking(move || reader.mark(None)).await?; // the destination is as before, and certainly refused
            return Err(served);
        }
        finished => finished?,
    }
    Ok(Moved { rows: tables.iter().map(|table| table.rows).sum(), tables, resumed })
}

/// Lets a file that was marked as moved be served again. Whether it was.
///
/// # Errors
/// [`MoveError::Source`], or the file cannot be written.
pub async fn reopen(from: &Config) -> std::result::Result<bool, MoveError> {
    let config = from.clone();
    let source = blocking(move || Ok(Source::open(&config))).await??;
    Ok(blocking(move || {
        let was_marked = source.moved_to()?.is_some();
        source.mark(None)?;
        Ok(was_marked)
    })
    .await?)
}

async fn move_table(
    reader: &Reader,
    target: &mut Target,
    table: &'static Table,
    progress: &mut Progress,
    batch_rows: usize,
    batches: &mut usize,
    say: &mut (dyn FnMut(Step) + Send),
) -> std::result::Result<(), MoveError> {
    let (sender, mut receiver) = mpsc::channel::<Batch>(READ_AHEAD);
    let (reader, after) = (reader.clone(), progress.after.clone());
    let reading = spawn_blocking(move || {
        reader.read(table, after.as_deref(), batch_rows, |batch| sender.blocking_send(batch).is_ok())
    });
    while let Some(batch) = receiver.recv().await {
        *batches = batches.checked_sub(1).ok_or(MoveError::Stopped)?;
        target.write(table, &batch, progress).await?;
        let new = batch.rows.len() as u64;
        say(Step::Moved { table: table.step, rows: progress.rows, new, done: progress.done });
    }
    joined(reading.await)?;
    Ok(())
}

/// Reads everything on both sides and compares.
async fn verify(
    reader: &Reader,
    target: &Target,
    say: &mut (dyn FnMut(Step) + Send),
) -> std::result::Result<Vec<MovedTable>, MoveError> {
    let (mut same, mut differ) = (Vec::new(), Vec::new());
    for name in target::names() {
        let steps: Vec<&'static Table> = TABLES.iter().filter(|table| table.name == name).collect();
        let Some(first) = steps.first().copied() else { continue };
        let reader = reader.clone();
        let read = spawn_blocking(move || {
            steps.into_iter().try_fold(Sum::default(), |sum, table| Ok(sum.and(reader.sum(table)?)))
        });
        let mut so_far = |rows| say(Step::Verified { table: name, rows, done: false });
        let (there, here) = tokio::join!(target.sum(first, &mut so_far), read);
        let (there, here) = (there?, joined(here)?);
        say(Step::Verified { table: name, rows: there.rows, done: true });
        if there == here {
            let checksum = format!("{:016x}", here.checksum);
            same.push(MovedTable { table: name, rows: here.rows, checksum });
        } else {
            differ.push(format!("{name} ({} rows there, {} here)", there.rows, here.rows));
        }
    }
    if differ.is_empty() { Ok(same) } else { Err(MoveError::Differs(differ.join(", "))) }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    joined(spawn_blocking(work).await)
}

fn joined<T>(outcome: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    outcome.unwrap_or_else(|error| Err(StoreError::Unavailable(Box::new(error))))
}

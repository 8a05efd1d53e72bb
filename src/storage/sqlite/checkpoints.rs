//! Copying the write-ahead log into the file, without making a commit wait for long.
//!
//! Two stages: mostly beside the writer, from another connection; then the short rest between two commits, after which
//! SQLite begins the log anew, so that it stays small. After an erasure the log is emptied too, or it would keep the
//! words until it is written over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

/// Jobs after which the log is copied into the file in the background.
const JOBS_PER_CHECKPOINT: usize = 2_000;
/// Before the log is tried to be emptied again when readers stood in the way; twice as long each time, since the writer waits with it.
const RETRY: Duration = Duration::from_millis(100);
/// Longest time between two tries.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Checkpoints {
    begin: Option<mpsc::SyncSender<Kind>>,
    copied: Arc<AtomicBool>,
    /// Whether erased words may still stand in the log.
    unclean: Arc<AtomicBool>,
    jobs: usize,
    thread: Option<JoinHandle<()>>,
}

/// How a checkpoint is made.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Copies what can be copied without waiting for anybody.
    Copy,
    /// Copies everything and empties the log; waits a little for readers, and comes back if they stay.
    Empty,
    /// The same, once.
    Last,
}

impl Checkpoints {
    /// Starts the thread that copies.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let (begin, orders) = mpsc::sync_channel(1);
        let (copied, unclean) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (done, dirty) = (Arc::clone(&copied), Arc::clone(&unclean));
        let thread = std::thread::Builder::new().name("doorward-checkpoint".to_owned()).spawn(move || {
            let mut pause = RETRY;
            while let Some(kind) = next(&orders, &dirty, pause) {
                match kind {
                    Kind::Copy => {
                        checkpoint(&connection, kind);
                        done.store(true, Ordering::Release);
                    }
                    Kind::Empty => {
                        dirty.store(false, Ordering::Release); // before: what is erased meanwhile comes again
                        if checkpoint(&connection, kind) {
                            pause = RETRY;
                        } else {
                            dirty.store(true, Ordering::Release);
                            pause = (pause * 2).min(RETRY_MAX);
                        }
                    }
                    Kind::Last => drop(checkpoint(&connection, kind)),
                }
            }
        })?;
        Ok(Self { begin: Some(begin), copied, unclean, jobs: 0, thread: Some(thread) })
    }

    /// To be called after each commit: counts its jobs, orders what is due, and does the short rest itself.
    pub(super) fn after(&mut self, jobs: usize, erased: bool, writer: &Connection) {
        self.jobs += jobs;
        if self.copied.swap(false, Ordering::Acquire) {
            checkpoint(writer, Kind::Copy);
        }
        if erased {
            self.unclean.store(true, Ordering::Release); // what fails is tried again by the thread itself
            self.order(Kind::Empty);
        } else if self.jobs >= JOBS_PER_CHECKPOINT {
            self.jobs = 0;
            self.order(Kind::Copy);
        }
    }

    fn order(&self, kind: Kind) {
        let _ = self.begin.as_ref().map(|begin| begin.try_send(kind)); // full: one is under way
    }
}

/// What is to be done next; `None` at the end. As long as erased words stand in the log, emptying it is tried again and again, whether or
/// not anything else is written.
fn next(orders: &mpsc::Receiver<Kind>, dirty: &AtomicBool, pause: Duration) -> Option<Kind> {
    if !dirty.load(Ordering::Acquire) {
        return orders.recv().ok();
    }
    match orders.recv_timeout(pause) {
        Ok(kind) => Some(kind),
        Err(mpsc::RecvTimeoutError::Timeout) => Some(Kind::Empty),
        // The last try, before the connection goes.
        Err(mpsc::RecvTimeoutError::Disconnected) => dirty.swap(false, Ordering::AcqRel).then_some(Kind::Last),
    }
}

/// Whether it was done to the end.
fn checkpoint(connection: &Connection, kind: Kind) -> bool {
    let pragma = match kind {
        Kind::Copy => "PRAGMA wal_checkpoint(PASSIVE)",
        Kind::Empty | Kind::Last => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_or_else(
        |error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the log could not be copied into the database file"
            );
            false
        },
        |busy| busy == 0,
    )
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.begin = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

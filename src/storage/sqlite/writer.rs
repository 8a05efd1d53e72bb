//! The one writer: takes everything that waits as one transaction, commits, and only then answers (group commit).
//!
//! It never sleeps to gather: what arrives while one transaction is being made durable is the next one. Each job runs in a savepoint,
//! so that one that fails spoils no other. Should the thread end, every call after that answers `Unavailable`.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::errors::{gone, store_error};
use super::index::{Index, Keys, RUN, write_run};
use super::uid::Uids;
use crate::domain::store::{Result, StoreError};

/// Jobs in one transaction at most: bounds how long the first one waits for the last.
const BATCH: usize = 512;

/// What a job works with: the transaction, and the index with what this transaction adds to it.
pub(super) struct Work<'a> {
    pub(super) connection: &'a Connection,
    pub(super) uids: &'a Uids,
    index: &'a RwLock<Index>,
    pending: &'a mut Pending,
    next: &'a mut u64,
}

/// Rows of this transaction: not for readers until it is committed.
#[derive(Default)]
struct Pending {
    rows: Vec<(u64, Keys)>,
    index: Index,
    clear: bool,
}

impl Work<'_> {
    pub(super) fn row_of_name(&self, hash: u64) -> Option<u64> {
        self.pending.index.name(hash).or_else(|| read(self.index).name(hash))
    }

    pub(super) fn row_of_author(&self, hash: u64) -> Option<u64> {
        self.pending.index.author(hash).or_else(|| read(self.index).author(hash))
    }

    pub(super) fn row_of_article(&self, hash: u64) -> Option<u64> {
        self.pending.index.article(hash).or_else(|| read(self.index).article(hash))
    }

    /// The number that the next row gets. Nothing is taken until [`Self::inserted`].
    pub(super) const fn next_row(&self) -> u64 {
        *self.next
    }

    /// Tells that the next row was inserted.
    pub(super) fn inserted(&mut self, keys: Keys) -> rusqlite::Result<()> {
        let row = *self.next;
        self.pending.rows.push((row, keys));
        self.pending.index.insert(row, keys);
        *self.next += 1;
        if self.next.is_multiple_of(RUN) { write_run(self.connection, row) } else { Ok(()) }
    }

    /// Forget the whole index and read it anew after the commit: rows were deleted.
    pub(super) fn reload_index(&mut self) {
        self.pending.clear = true;
    }
}

type Answer = Box<dyn FnOnce(Option<StoreError>) + Send>;
/// Does its work, or without any only makes the answer; says whether it went well.
type Job = Box<dyn FnOnce(Option<&mut Work<'_>>) -> (bool, Answer) + Send>;

enum Message {
    Job(Job),
    Close(oneshot::Sender<()>),
}

/// The way to the writer.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: Sender<Message>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        connection: Connection,
        uids: Uids,
        index: Arc<RwLock<Index>>,
        next: u64,
    ) -> std::io::Result<Self> {
        let (jobs, waiting) = channel();
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || Thread { connection, uids, index, next }.run(&waiting))?;
        Ok(Self { jobs })
    }

    /// Runs `job` in a transaction with whatever else waits; answers when that is durable.
    pub(super) async fn run<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Work<'_>) -> Result<T> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |work| {
            let result = work.map_or_else(|| Err(gone()), job);
            let well = result.is_ok();
            let answer: Answer = Box::new(move |failed| {
                let _ = sender.send(failed.map_or(result, Err)); // whoever asked may have gone
            });
            (well, answer)
        });
        self.jobs.send(Message::Job(job)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Finishes what waits, and ends the thread.
    pub(super) async fn close(&self) {
        let (sender, closed) = oneshot::channel();
        if self.jobs.send(Message::Close(sender)).is_ok() {
            let _ = closed.await;
        }
    }
}

struct Thread {
    connection: Connection,
    uids: Uids,
    index: Arc<RwLock<Index>>,
    next: u64,
}

impl Thread {
    fn run(mut self, waiting: &Receiver<Message>) {
        while let Ok(first) = waiting.recv() {
            let mut jobs = Vec::new();
            let mut closing = None;
            for message in std::iter::once(first).chain(std::iter::from_fn(|| waiting.try_recv().ok())) {
                match message {
                    Message::Job(job) => jobs.push(job),
                    Message::Close(done) => {
                        closing = Some(done);
                        break;
                    }
                }
                if jobs.len() >= BATCH {
                    break;
                }
            }
            self.transaction(jobs);
            if let Some(done) = closing {
                // The log is moved into the database, so that a copy of the one file is the whole.
                let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                drop(self);
                let _ = done.send(());
                return;
            }
        }
    }

    fn transaction(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let first = self.next;
        let mut pending = Pending::default();
        let mut answers = Vec::with_capacity(jobs.len());
        let mut failure = self.connection.execute_batch("BEGIN IMMEDIATE").err();
        for job in jobs {
            if failure.is_some() {
                answers.push(job(None).1);
                continue;
            }
            let (answer, failed) = self.in_savepoint(job, &mut pending);
            answers.push(answer);
            failure = failed;
        }
        if failure.is_none() {
            failure = self.connection.execute_batch("COMMIT").err();
        }
        if let Some(error) = failure {
            if !self.connection.is_autocommit() {
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            self.next = first;
            tracing::error!(error = &error as &dyn std::error::Error, comments = answers.len(), "a transaction failed");
            for answer in answers {
                answer(Some(StoreError::Unavailable(error.to_string().into())));
            }
            return;
        }
        self.publish(pending);
        for answer in answers {
            answer(None);
        }
    }

    /// Runs one job; what it did is undone when it fails. An error here is the whole transaction's, not the job's.
    fn in_savepoint(&mut self, job: Job, pending: &mut Pending) -> (Answer, Option<rusqlite::Error>) {
        let (mark, next) = (pending.rows.len(), self.next);
        if let Err(error) = self.connection.execute_batch("SAVEPOINT job") {
            return (job(None).1, Some(error));
        }
        let (connection, uids, index) = (&self.connection, &self.uids, &*self.index);
        let (well, answer) = job(Some(&mut Work { connection, uids, index, pending, next: &mut self.next }));
        if !well {
            self.next = next;
            pending.rows.truncate(mark);
            pending.index.clear();
            for (row, keys) in &pending.rows {
                pending.index.insert(*row, *keys);
            }
        }
        let end = if well { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" };
        (answer, self.connection.execute_batch(end).err())
    }

    fn publish(&mut self, pending: Pending) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for (row, keys) in pending.rows {
            index.insert(row, keys);
        }
        if pending.clear {
            match Index::load(&self.connection) {
                Ok((loaded, _)) => *index = loaded,
                Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "the index could not be read again"),
            }
        }
    }
}

fn read(index: &RwLock<Index>) -> std::sync::RwLockReadGuard<'_, Index> {
    index.read().unwrap_or_else(PoisonError::into_inner)
}

/// Readers: a few threads with a connection each.
#[derive(Clone)]
pub(super) struct Readers {
    jobs: Sender<ReadJob>,
}

type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

impl Readers {
    pub(super) fn start(connections: Vec<Connection>) -> std::io::Result<Self> {
        let (jobs, waiting) = channel::<ReadJob>();
        let waiting = Arc::new(std::sync::Mutex::new(waiting));
        for connection in connections {
            let waiting = Arc::clone(&waiting);
            std::thread::Builder::new().name("store-reader".to_owned()).spawn(move || {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    match next {
                        Ok(job) => job(&connection),
                        Err(_) => return,
                    }
                }
            })?;
        }
        Ok(Self { jobs })
    }

    /// Runs `job` in one read transaction.
    pub(super) async fn run<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let job: ReadJob = Box::new(move |connection| {
            let result = (|| {
                let transaction = connection.unchecked_transaction().map_err(store_error)?;
                let result = job(&transaction)?;
                transaction.commit().map_err(store_error)?;
                Ok(result)
            })();
            let _ = sender.send(result);
        });
        self.jobs.send(job).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

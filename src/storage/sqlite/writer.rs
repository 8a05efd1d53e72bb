//! The one writer: takes everything that waits as one transaction, commits, and only then answers.
//!
//! The cost of a commit is one `fsync` however much is in it, so under load more waits and each commit carries more
//! (docs/adr/0002-one-writer-with-group-commit.md). It never waits to gather: measured, that loses. A job that fails
//! or panics takes back its own changes and leaves the others alone; a commit that fails fails them all.

use std::collections::HashMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::checkpoints::Checkpoints;
use super::error::closed;
use super::index::{Chain, Change};
use super::moved;
use super::shared::Shared;
use super::start;
use crate::domain::store::{Result, StoreError};

/// Jobs that may wait. Beyond that, callers wait for a place.
const WAITING_MAX: usize = 4_096;
/// Jobs in one commit: bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 512;
/// Jobs in one commit from which on upkeep waits longer.
const BUSY_JOBS: usize = 4;

/// What a job works with: the transaction, and what the batch has changed so far.
pub(super) struct Work<'a> {
    pub connection: &'a Connection,
    pub shared: &'a Shared,
    pending: &'a mut Pending,
}

impl Work<'_> {
    /// The number for a new comment; dense, since nothing is kept of a batch that fails.
    pub(super) fn next_row(&self) -> Result<u32> {
        let next = self.pending.last_row + 1;
        if next == u32::MAX {
            return Err(StoreError::Unavailable("this database holds as many comments as it can number".into()));
        }
        Ok(next)
    }

    /// Like [`super::index::Index::rows`], this batch included.
    pub(super) fn rows(&self, id: u64) -> Vec<u32> {
        let mut rows = self.shared.index.rows(id);
        rows.extend(self.pending.ids.get(&id).into_iter().flatten());
        rows
    }

    /// Like [`super::index::Index::head`], this batch included.
    pub(super) fn head(&self, chain: Chain, key: u64) -> u32 {
        let pending = self.pending.heads.get(&(chain, key)).copied();
        pending.unwrap_or_else(|| self.shared.index.head(chain, key))
    }

    /// Notes that words were taken away which the log must not keep.
    pub(super) fn note_erasure(&mut self) {
        self.note(Change::Wiped);
    }

    /// Notes a change that the index must know once it is committed.
    pub(super) fn note(&mut self, change: Change) {
        self.pending.note(change);
    }
}

/// What a batch changed: seen by the jobs that follow in it, by nobody else until it is committed.
#[derive(Default)]
struct Pending {
    last_row: u32,
    changes: Vec<Change>,
    ids: HashMap<u64, Vec<u32>>,
    heads: HashMap<(Chain, u64), u32>,
}

impl Pending {
    fn note(&mut self, change: Change) {
        if let Change::Added { row, site, keys } = change {
            self.last_row = self.last_row.max(row);
            self.ids.entry(keys.id).or_default().push(row);
            for chain in Chain::ALL {
                let key = chain.key(site, &keys);
                if key != 0 {
                    self.heads.insert((chain, key), row);
                }
            }
        }
        self.changes.push(change);
    }

    /// Forgets all but the first `kept` changes; `committed` is the last row before the batch.
    fn truncate(&mut self, kept: usize, committed: u32) {
        if self.changes.len() > kept {
            let changes = std::mem::take(self).changes;
            self.last_row = committed;
            changes.into_iter().take(kept).for_each(|change| self.note(change));
        }
    }
}

/// A job with a place for its answer.
trait Job: Send {
    /// Does the work; whether it may be kept.
    fn work(&mut self, work: &mut Work<'_>) -> bool;
    /// Whether the database did not let it be done.
    fn was_denied(&self) -> bool;
    /// Does not do the work, because everything was moved there.
    fn refuse(&mut self, moved_to: &str);
    /// Answers, now that it is known whether the batch is committed.
    fn answer(self: Box<Self>, committed: std::result::Result<(), Arc<rusqlite::Error>>);
}

struct Task<F, T> {
    job: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<F, T> Job for Task<F, T>
where
    F: FnOnce(&mut Work<'_>) -> Result<T> + Send,
    T: Send,
{
    fn work(&mut self, work: &mut Work<'_>) -> bool {
        self.result = self.job.take().map(|job| job(work));
        matches!(self.result, Some(Ok(_)))
    }

    fn refuse(&mut self, moved_to: &str) {
        self.job = None;
        self.result = Some(Err(StoreError::Moved(moved_to.to_owned())));
    }

    fn was_denied(&self) -> bool {
        matches!(self.result, Some(Err(StoreError::Unavailable(_))))
    }

    fn answer(self: Box<Self>, committed: std::result::Result<(), Arc<rusqlite::Error>>) {
        let answer = match (self.result, committed) {
            (Some(Ok(_)) | None, Err(error)) => Err(StoreError::Unavailable(Box::new(error))),
            (Some(result), _) => result,
            (None, Ok(())) => Err(StoreError::Unavailable("the operation failed; nothing was changed".into())),
        };
        let _ = self.reply.send(answer); // whoever asked may be gone
    }
}

/// The handle that callers share.
pub(super) struct Writer {
    jobs: RwLock<Option<mpsc::Sender<Box<dyn Job>>>>,
    ended: watch::Receiver<bool>,
    /// Whether anything in the last batch was denied by the database: then `/readyz` tries a real write.
    troubled: Arc<AtomicBool>,
    /// Jobs of the last batch.
    last_batch: Arc<AtomicUsize>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread. It holds `lock` until it ends.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub(super) fn start(
        connection: Connection,
        checkpointer: Connection,
        shared: Arc<Shared>,
        last_row: u32,
        lock: Option<File>,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(WAITING_MAX);
        let (end, ended) = watch::channel(false);
        let troubled = Arc::new(AtomicBool::new(false));
        let last_batch = Arc::new(AtomicUsize::new(0));
        let checkpoints = Checkpoints::start(checkpointer)?;
        let state = Loop {
            connection,
            shared,
            checkpoints,
            troubled: Arc::clone(&troubled),
            last_batch: Arc::clone(&last_batch),
            pending: Pending { last_row, ..Pending::default() },
            committed: last_row,
            is_moved: false,
        };
        let thread = std::thread::Builder::new().name("doorward-writer".to_owned()).spawn(move || {
            let _lock = lock;
            state.run(queue);
            let _ = end.send(true);
        })?;
        Ok(Self { jobs: RwLock::new(Some(jobs)), ended, troubled, last_batch, thread: Mutex::new(Some(thread)) })
    }

    /// Does `job` in the next transaction; answers when that is committed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Work<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        jobs.send(Box::new(Task { job: Some(job), result: None, reply })).await.map_err(|_| closed())?;
        drop(jobs); // or closing would wait for us while we wait for the answer
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Whether the database lately denied something.
    pub(super) fn is_troubled(&self) -> bool {
        self.troubled.load(Ordering::Relaxed)
    }

    /// Whether so much came lately that the last commit held several jobs.
    pub(super) fn is_busy(&self) -> bool {
        self.last_batch.load(Ordering::Relaxed) >= BUSY_JOBS
    }

    /// Takes nothing more, does what waits, and ends.
    pub(super) async fn close(&self) {
        self.stop();
        let mut ended = self.ended.clone();
        let _ = ended.wait_for(|ended| *ended).await; // an error means that it has ended
        self.join();
    }

    fn stop(&self) {
        self.jobs.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn join(&self) {
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    /// Waits until the thread has let go of the file: whoever opens it next must not find it locked.
    fn drop(&mut self) {
        self.stop();
        self.join();
    }
}

/// The thread's own state.
struct Loop {
    connection: Connection,
    shared: Arc<Shared>,
    checkpoints: Checkpoints,
    troubled: Arc<AtomicBool>,
    last_batch: Arc<AtomicUsize>,
    pending: Pending,
    /// The last row that is committed.
    committed: u32,
    /// Whether it was said that everything was moved elsewhere.
    is_moved: bool,
}

impl Loop {
    fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while let Some(first) = queue.blocking_recv() {
            batch.push(first);
            while batch.len() < BATCH_MAX
                && let Ok(next) = queue.try_recv()
            {
                batch.push(next);
            }
            let jobs = batch.len();
            self.last_batch.store(jobs, Ordering::Relaxed);
            let erased = self.commit(&mut batch);
            self.checkpoints.after(jobs, erased, &self.connection);
        }
    }

    /// One transaction: all of the batch, or (when it cannot be committed) nothing of it. Whether it erased anything.
    fn commit(&mut self, batch: &mut Vec<Box<dyn Job>>) -> bool {
        let outcome = self.transact(batch);
        let erased = self.pending.changes.iter().any(|change| matches!(change, Change::Erased { .. } | Change::Wiped));
        if let Err(error) = &outcome {
            tracing::error!(
                error = error as &dyn std::error::Error,
                jobs = batch.len(),
                "nothing of this batch was stored"
            );
            self.recover();
        } else {
            self.shared.index.apply(&self.pending.changes);
            self.committed = self.pending.last_row;
        }
        let denied = outcome.is_err() || batch.iter().any(|job| job.was_denied());
        self.troubled.store(denied, Ordering::Relaxed);
        self.pending = Pending { last_row: self.committed, ..Pending::default() };
        self.shared.news.publish();
        let outcome = outcome.map_err(Arc::new);
        for job in batch.drain(..) {
            job.answer(outcome.clone());
        }
        erased
    }

    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        if let Some(place) = moved::moved_to(&self.connection)? {
            if !std::mem::replace(&mut self.is_moved, true) {
                tracing::error!(place, "everything was moved to another database: nothing more is taken here");
            }
            for job in batch {
                job.refuse(&place);
            }
            self.connection.prepare_cached("ROLLBACK")?.execute([])?;
            return Ok(());
        }
        for job in batch {
            self.connection.prepare_cached("SAVEPOINT job")?.execute([])?;
            let changes = self.pending.changes.len();
            if !self.attempt(job.as_mut()) {
                self.pending.truncate(changes, self.committed);
                self.connection.prepare_cached("ROLLBACK TO job")?.execute([])?; // fails when SQLite gave up the whole
            }
            self.connection.prepare_cached("RELEASE job")?.execute([])?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn attempt(&mut self, job: &mut dyn Job) -> bool {
        let mut work = Work { connection: &self.connection, shared: &self.shared, pending: &mut self.pending };
        // What a panicking job left behind is taken back with its savepoint, so nothing half done can be seen.
        catch_unwind(AssertUnwindSafe(|| job.work(&mut work))).unwrap_or_else(|_| {
            tracing::error!("an operation of the store panicked; its changes are taken back");
            false
        })
    }

    /// After a batch that failed: end its transaction, and look at what is really there.
    fn recover(&mut self) {
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        // A commit that reports failure may have reached the disk all the same.
        match start::catch_up(&self.connection, &self.shared, self.committed) {
            Ok(last) => self.committed = last,
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "the store cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (a); CREATE TABLE comment (id INTEGER PRIMARY KEY, site, keys); CREATE TABLE moved (chain, key); \
                 CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB)",
            )
            .unwrap();
        let shared = Arc::new(Shared::new(&[0; 32]));
        Writer::start(connection, Connection::open_in_memory().unwrap(), shared, 0, None).unwrap()
    }

    fn insert(work: &Work<'_>, value: i64) -> Result<()> {
        work.connection.execute("INSERT INTO t VALUES (?1)", [value])?;
        Ok(())
    }

    async fn sum(writer: &Writer) -> i64 {
        writer
            .run(|work| Ok(work.connection.query_row("SELECT coalesce(sum(a), 0) FROM t", [], |row| row.get(0))?))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_job_that_fails_or_panics_spoils_only_itself() {
        let writer = writer();
        let (kept, failed, panicked, also_kept) = tokio::join!(
            writer.run(|work| insert(work, 1)),
            writer.run(|work| insert(work, 10).and_then(|()| Err::<(), _>(closed()))),
            writer.run(|work| -> Result<()> {
                insert(work, 100)?;
                panic!("on purpose")
            }),
            writer.run(|work| insert(work, 1_000)),
        );
        assert!(kept.is_ok() && also_kept.is_ok());
        assert!(failed.is_err() && panicked.is_err());
        assert_eq!(sum(&writer).await, 1_001);
    }

    #[tokio::test]
    async fn what_a_failed_job_noted_is_forgotten() {
        let writer = writer();
        let keys = super::super::index::Keys { id: 5, author: 6, account: 7, article: 8 };
        let site = crate::domain::site::SiteId(1);
        let note = move |work: &mut Work<'_>, row| work.note(Change::Added { row, site, keys });
        let (_, _, seen) = tokio::join!(
            writer.run(move |work| {
                note(work, 1);
                Ok(())
            }),
            writer.run(move |work| {
                note(work, 2);
                Err::<(), _>(closed())
            }),
            writer.run(|work| Ok((work.rows(5), work.head(Chain::Author, 6), work.next_row()?))),
        );
        assert_eq!(seen.unwrap(), (vec![1], 1, 2));
    }

    #[tokio::test]
    async fn a_transaction_that_cannot_be_committed_is_acknowledged_to_nobody() {
        let writer = Arc::new(writer());
        // Both must lie in one batch: they are handed in while the writer is busy with the batch before.
        let (begun, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let busy = Arc::clone(&writer);
        let busy = tokio::spawn(async move {
            let wait = move |_: &mut Work<'_>| {
                let _ = begun.send(());
                may_go_on.recv().map_err(|_| closed())
            };
            busy.run(wait).await
        });
        has_begun.await.unwrap();
        let (one, other, ()) = tokio::join!(
            writer.run(|work| insert(work, 1)),
            writer.run(|work| {
                insert(work, 10)?;
                work.connection.execute_batch("ROLLBACK")?; // as SQLite does by itself when a disk fails
                Ok(())
            }),
            async { go_on.send(()).unwrap() },
        );
        busy.await.unwrap().unwrap();
        assert!(one.is_err() && other.is_err());
        assert_eq!(sum(&writer).await, 0);
        assert!(writer.run(|work| insert(work, 5)).await.is_ok(), "and the next one goes on");
    }

    #[tokio::test]
    async fn once_everything_was_moved_nothing_more_is_taken() {
        let writer = writer();
        assert!(writer.run(|work| insert(work, 1)).await.is_ok());
        writer.run(|work| Ok(moved::mark(work.connection, Some("there"))?)).await.unwrap();
        let refused = writer.run(|work| insert(work, 10)).await;
        assert!(matches!(&refused, Err(StoreError::Moved(place)) if place == "there"), "{refused:?}");
        assert!(!writer.is_troubled(), "the disk is well");
    }

    #[tokio::test]
    async fn closing_does_what_waits_first() {
        let writer = Arc::new(writer());
        let jobs: Vec<_> = (0..100)
            .map(|_| {
                let writer = Arc::clone(&writer);
                tokio::spawn(async move { writer.run(|work| insert(work, 1)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        writer.close().await;
        for job in jobs {
            let answer = job.await.unwrap();
            assert!(answer.is_ok() || matches!(answer, Err(StoreError::Unavailable(_))));
        }
        assert!(writer.run(|work| insert(work, 1)).await.is_err());
    }
}

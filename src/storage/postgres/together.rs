//! Comments that come at once are written together: one statement and one commit for all that wait.
//!
//! Nobody waits for a batch to fill: whatever has come while the batch before was on its way is the next one. So a commit's time on the disk
//! is shared by many when much comes, and by nobody when little does. Comments that are held lie in batches of their own, since there is more
//! to be written of them.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use deadpool_postgres::Pool;
use futures_util::FutureExt as _;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::timeout;
use uuid::Uuid;

use super::db::{Cells as _, Db, number};
use super::error::closed;
use super::intake::Prepared;
use super::patience::ANSWER;
use super::shared::Shared;
use super::work::{Work, transact};
use super::{queue, uid};
use crate::domain::decision::Status;
use crate::domain::store::{Result, StoreError};
use crate::storage::codec;
use crate::storage::told::{GONE, Stored, Then};

/// Comments in one batch at most.
const BATCH_MAX: usize = 128;
/// Comments that wait before whoever brings more has to.
const WAITING_MAX: usize = 1_024;
/// Batches on their way at once: while the disk has one, the next is made.
const BATCHES: usize = 2;
/// The same of comments that are held, which are few.
const BATCHES_HELD: usize = 1;

/// What became of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is stored.
    Stored,
    /// Its site is deleted.
    Deleted,
    /// Not stored: its id is taken, or there is more to be done than the statement does, or the batch failed as a whole.
    Left,
}

struct Task {
    new: Box<Prepared>,
    reply: oneshot::Sender<(Box<Prepared>, Outcome)>,
}

/// The handle that callers share.
pub(super) struct Batches {
    lanes: RwLock<Option<Lanes>>,
    ended: watch::Receiver<()>,
}

/// Where comments wait.
struct Lanes {
    plain: mpsc::Sender<Task>,
    held: mpsc::Sender<Task>,
}

impl Batches {
    /// Starts the tasks that write; they end when the handle is closed or dropped, after what waits.
    pub(super) fn start(pool: &Pool, shared: &Arc<Shared>) -> Self {
        let (end, ended) = watch::channel(());
        let end = Arc::new(end);
        let lane = |batches: usize| {
            let (tasks, waiting) = mpsc::channel(WAITING_MAX);
            let waiting = Arc::new(Mutex::new(waiting));
            for _ in 0..batches {
                let writer = Writer { pool: pool.clone(), shared: Arc::clone(shared) };
                let (waiting, end) = (Arc::clone(&waiting), Arc::clone(&end));
                tokio::spawn(async move {
                    to_the_end(|| writer.run(&waiting)).await;
                    drop(end); // the last one says that all have ended
                });
            }
            tasks
        };
        Self { lanes: RwLock::new(Some(Lanes { plain: lane(BATCHES), held: lane(BATCHES_HELD) })), ended }
    }

    /// Writes `new` with whatever else comes now; answers when that is committed.
    pub(super) async fn write(&self, new: Box<Prepared>) -> Result<(Box<Prepared>, Outcome)> {
        let held = new.content.status == Status::Held;
        let lane = {
            let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
            let lanes = lanes.as_ref().ok_or_else(closed)?;
            if held { lanes.held.clone() } else { lanes.plain.clone() }
        };
        let (reply, answer) = oneshot::channel();
        lane.send(Task { new, reply }).await.map_err(|_| closed())?;
        drop(lane); // or closing would wait for us while we wait for the answer
        answer.await.map_err(|_| StoreError::Unavailable("the comment may not be written: send it again".into()))
    }

    /// Takes nothing more, writes what waits, and ends.
    pub(super) async fn close(&self) {
        self.lanes.write().unwrap_or_else(PoisonError::into_inner).take();
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {} // an error means that all have ended
    }
}

/// Begins `job` anew until it comes to its end: were it left where it panicked, comments would wait for it as long as this process lives. Those
/// that it had taken are answered with an error.
async fn to_the_end<F: Future<Output = ()>>(job: impl Fn() -> F) {
    while AssertUnwindSafe(job()).catch_unwind().await.is_err() {
        tracing::error!("whoever writes comments panicked, and begins anew");
    }
}

/// Writes one batch after the other.
struct Writer {
    pool: Pool,
    shared: Arc<Shared>,
}

impl Writer {
    async fn run(&self, waiting: &Mutex<mpsc::Receiver<Task>>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while waiting.lock().await.recv_many(&mut batch, BATCH_MAX).await > 0 {
            self.commit(&mut batch).await;
        }
    }

    /// Writes a batch, and answers all of it.
    async fn commit(&self, batch: &mut Vec<Task>) {
        // Of two of one name the first enters; whoever brought the other looks for it afterwards.
        let mut names = HashMap::with_capacity(batch.len());
        for task in batch.iter() {
            names.entry((task.new.site.id, task.new.id())).or_insert(&*task.new);
        }
        let firsts: Vec<&Prepared> = names.into_values().collect();
        let held = firsts.iter().any(|new| new.content.status == Status::Held);
        let writing = async { if held { self.write_held(&firsts).await } else { self.write(&firsts).await } };
        let written = timeout(ANSWER, writing).await;
        let written = written.unwrap_or_else(|late| Err(StoreError::Unavailable(Box::new(late))));
        if firsts.iter().any(|new| new.tell) {
            self.shared.news.notify_one();
        }
        let mut outcomes: HashMap<Uuid, Outcome> = match written {
            Ok(outcomes) => outcomes.into_iter().collect(),
            Err(error) => {
                let comments = batch.len();
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    comments,
                    "comments could not be written together: each is written alone"
                );
                HashMap::new()
            }
        };
        for Task { new, reply } in batch.drain(..) {
            let outcome = outcomes.remove(&new.uid).unwrap_or(Outcome::Left);
            let _ = reply.send((new, outcome)); // whoever asked may be gone
        }
    }

    async fn db(&self) -> Result<Db> {
        Ok(Db::new(self.pool.get().await?, Arc::clone(&self.shared)))
    }

    async fn begin(&self) -> Result<Work> {
        Work::begin(self.db().await?).await
    }

    /// Comments of which some are held.
    async fn write_held(&self, batch: &[&Prepared]) -> Result<Vec<(Uuid, Outcome)>> {
        transact!(self, work => insert_held(&work, batch).await)
    }

    /// Comments that are not held.
    async fn write(&self, batch: &[&Prepared]) -> Result<Vec<(Uuid, Outcome)>> {
        let told = told(batch)?;
        // Whatever goes wrong: nobody else gets a connection on which a transaction is open.
        let work = Work::around(self.db().await?);
        work.prepare(&INSERT).await?;
        // A plan for any number of comments is made once, and not anew each time for the number that came.
        let begin = format!(
            "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SELECT pg_advisory_xact_lock_shared({})",
            self.shared.locks.joining
        );
        // Sent together, done one after the other: one way to the server and back for all.
        let insert = insert_told(&work, batch, &told, false);
        let ((), outcomes, ()) = tokio::try_join!(biased; work.batch(&begin), insert, work.batch("COMMIT"))?;
        work.done();
        Ok(outcomes)
    }
}

/// Comments that are held, with their places in the queue.
async fn insert_held(work: &Work, batch: &[&Prepared]) -> Result<Vec<(Uuid, Outcome)>> {
    work.execute("SELECT pg_advisory_xact_lock_shared($1)", &[&work.locks.joining]).await?;
    let outcomes = insert(work, batch, false).await?;
    let stored: HashMap<Uuid, Outcome> = outcomes.iter().copied().collect();
    let held = |new: &&&Prepared| new.content.status == Status::Held && stored.get(&new.uid) == Some(&Outcome::Stored);
    let held: Vec<_> = batch.iter().filter(held).map(|new| (new.row(), &new.content)).collect();
    let places: Vec<_> =
        held.iter().map(|(row, content)| queue::Placed { row, content, held_at: content.at }).collect();
    queue::add_all(work, &places).await?;
    Ok(outcomes)
}

/// Names first, in one order, so that two batches wait for each other in one direction only. A site is kept from being deleted meanwhile. What
/// a campaign waits for is left to whoever joins it.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH new AS MATERIALIZED (
           SELECT * FROM unnest($1::integer[], $2::text[], $3::uuid[], $4::bytea[], $5::bigint[], $6::smallint[], $7::smallint[],
             $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[], $13::bytea[], $14::uuid[], $15::bytea[])
           AS n (site, name, uid, hash, id, status, decided_by, at, author, account, article, trace, b, notice, told)
         ), live AS (
           SELECT id, webhook IS NOT NULL AS hears, webhook_gone_at FROM site WHERE id = ANY ($1) FOR KEY SHARE
         ), won AS (
           INSERT INTO comment_name (site, name, comment, hash)
           SELECT n.site, n.name, n.uid, n.hash FROM new n JOIN live ON live.id = n.site
           WHERE $16 OR NOT EXISTS (SELECT FROM campaign_wait w WHERE w.site = n.site AND w.id = n.id)
           ORDER BY n.site, n.name COLLATE \"C\"
           ON CONFLICT (site, name) DO NOTHING RETURNING comment
         ), written AS (
           INSERT INTO comment (site, uid, status, decided_by, revision, version, received_at, updated_at, author, account, article, trace, b)
           SELECT n.site, n.uid, n.status, n.decided_by, 1, 1, n.at, n.at, n.author, n.account, n.article, n.trace, n.b
           FROM new n JOIN won ON won.comment = n.uid
         ), due AS (
           INSERT INTO search_due (site, comment) SELECT n.site, n.uid FROM new n JOIN won ON won.comment = n.uid
         ), told AS (
           INSERT INTO outbox (site, uid, comment, not_before, next_at, dead_at, problem, b)
           SELECT n.site, n.notice, n.uid, n.at, n.at, CASE WHEN live.webhook_gone_at IS NOT NULL THEN n.at END,
             CASE WHEN live.webhook_gone_at IS NOT NULL THEN '{GONE}' END, n.told
           FROM new n JOIN won ON won.comment = n.uid JOIN live ON live.id = n.site WHERE n.told IS NOT NULL AND live.hears
         )
         SELECT n.uid, won.comment IS NOT NULL, live.id IS NOT NULL
         FROM new n LEFT JOIN won ON won.comment = n.uid LEFT JOIN live ON live.id = n.site"
    )
});

/// Writes comments whose names differ, and what their sites are to be told of them. `alone` when whoever calls does what remains to be done.
pub(super) async fn insert(db: &Db, batch: &[&Prepared], alone: bool) -> Result<Vec<(Uuid, Outcome)>> {
    insert_told(db, batch, &told(batch)?, alone).await
}

async fn insert_told(db: &Db, batch: &[&Prepared], told: &[Told], alone: bool) -> Result<Vec<(Uuid, Outcome)>> {
    let hashes: Vec<[u8; 16]> = batch.iter().map(|new| new.content.hash.0.to_le_bytes()).collect();
    let small = |code: i64| i16::try_from(code).unwrap_or_default(); // codes are single digits
    macro_rules! column {
        ($new:ident => $of:expr) => {
            &batch.iter().map(|$new| $of).collect::<Vec<_>>()
        };
    }
    let rows = db
        .query(
            &INSERT,
            &[
                column!(new => number(new.site.id)),
                column!(new => new.id()),
                column!(new => new.uid),
                &hashes.iter().map(|hash| &hash[..]).collect::<Vec<_>>(),
                column!(new => new.keys.id.cast_signed()),
                column!(new => small(codec::status_code(new.content.status))),
                column!(new => small(codec::decided_by_code(new.content.decided_by))),
                column!(new => new.content.at.as_millis()),
                column!(new => new.keys.author.cast_signed()),
                column!(new => new.keys.account.cast_signed()),
                column!(new => new.keys.article.cast_signed()),
                column!(new => &new.trace_bytes[..]),
                column!(new => &new.content_bytes[..]),
                &told.iter().map(|told| told.as_ref().map(|(uid, _)| *uid)).collect::<Vec<_>>(),
                &told.iter().map(|told| told.as_ref().map(|(_, bytes)| &bytes[..])).collect::<Vec<_>>(),
                &alone,
            ],
        )
        .await?;
    let outcome = |row: &tokio_postgres::Row| {
        let outcome = match (row.cell(1)?, row.cell(2)?) {
            (true, _) => Outcome::Stored,
            (false, true) => Outcome::Left,
            (false, false) => Outcome::Deleted,
        };
        Ok((row.cell(0)?, outcome))
    };
    rows.iter().map(outcome).collect()
}

/// What a site is told, and our name for that; `None` where it is told nothing.
type Told = Option<(Uuid, Vec<u8>)>;

fn told(batch: &[&Prepared]) -> Result<Vec<Told>> {
    batch.iter().map(|new| new.tell.then(|| notice(new)).transpose()).collect()
}

fn notice(new: &Prepared) -> Result<(Uuid, Vec<u8>)> {
    let content = &new.content;
    let (status, decided_by, at) = (content.status, content.decided_by, content.at);
    let told = Stored::Status(Then { version: 1, revision: 1, status, decided_by, at });
    Ok((uid::new(at)?, codec::encode(&told)?))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn whoever_writes_goes_on_after_a_panic() {
        let begun = AtomicU32::new(0);
        to_the_end(|| async { assert!(begun.fetch_add(1, Ordering::Relaxed) > 1, "as it were") }).await;
        assert_eq!(begun.into_inner(), 3);
    }
}

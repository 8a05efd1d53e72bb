//! Comments that come at once are written together: one statement and one commit for all that wait.
//!
//! Nobody waits for a batch to fill: whatever has come while the batch before was on its way is the next one. So a commit's time on the disk
//! is shared by many when much comes, and by nobody when little does.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use deadpool_postgres::Pool;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use uuid::Uuid;

use super::db::{Cells as _, Db, number};
use super::error::closed;
use super::intake::Prepared;
use super::shared::Shared;
use super::{articles, uid};
use crate::domain::decision::Status;
use crate::domain::store::{AuthorKind, Result};
use crate::storage::codec;
use crate::storage::told::{GONE, Stored, Then};
use crate::storage::waiting::Waiting;

/// Comments in one batch at most.
const BATCH_MAX: usize = 128;
/// Comments that wait before whoever brings more has to.
const WAITING_MAX: usize = 1_024;
/// Batches on their way at once: while the disk has one, the next is made.
const BATCHES: usize = 2;

/// What those take turns by who write comments and who recognise campaigns. Comments are written under it shared. Whoever writes what is new
/// of a campaign holds it alone, and first: earlier comments that belong to it are then either stored, or not begun and told to join.
pub(super) const JOINING: i64 = 0x646f_6f72_6a6f_696e;

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
    tasks: RwLock<Option<mpsc::Sender<Task>>>,
    ended: watch::Receiver<()>,
}

impl Batches {
    /// Starts the tasks that write; they end when the handle is closed or dropped, after what waits.
    pub(super) fn start(pool: &Pool, shared: &Arc<Shared>) -> Self {
        let (tasks, queue) = mpsc::channel(WAITING_MAX);
        let (end, ended) = watch::channel(());
        let (queue, end) = (Arc::new(Mutex::new(queue)), Arc::new(end));
        for _ in 0..BATCHES {
            let (pool, shared, queue, end) = (pool.clone(), Arc::clone(shared), Arc::clone(&queue), Arc::clone(&end));
            tokio::spawn(async move {
                run(&pool, &shared, &queue).await;
                drop(end); // the last one says that all have ended
            });
        }
        Self { tasks: RwLock::new(Some(tasks)), ended }
    }

    /// Writes `new` with whatever else comes now; answers when that is committed.
    pub(super) async fn write(&self, new: Box<Prepared>) -> Result<(Box<Prepared>, Outcome)> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        tasks.send(Task { new, reply }).await.map_err(|_| closed())?;
        drop(tasks); // or closing would wait for us while we wait for the answer
        answer.await.map_err(|_| closed())
    }

    /// Takes nothing more, writes what waits, and ends.
    pub(super) async fn close(&self) {
        self.tasks.write().unwrap_or_else(PoisonError::into_inner).take();
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {} // an error means that all have ended
    }
}

async fn run(pool: &Pool, shared: &Arc<Shared>, queue: &Mutex<mpsc::Receiver<Task>>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        if queue.lock().await.recv_many(&mut batch, BATCH_MAX).await == 0 {
            return;
        }
        commit(pool, shared, &mut batch).await;
    }
}

/// Writes a batch, and answers all of it.
async fn commit(pool: &Pool, shared: &Arc<Shared>, batch: &mut Vec<Task>) {
    // Of two of one name the first enters; whoever brought the other looks for it afterwards.
    let mut names = HashSet::with_capacity(batch.len());
    let firsts: Vec<&Prepared> =
        batch.iter().map(|task| &*task.new).filter(|new| names.insert((new.site.id, new.id()))).collect();
    let written = write(pool, shared, &firsts).await;
    let tells = firsts.iter().any(|new| new.tell);
    drop(names);
    drop(firsts);
    let outcomes = written.unwrap_or_else(|error| {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            comments = batch.len(),
            "comments could not be written together: each is written alone"
        );
        Vec::new()
    });
    if tells {
        shared.news.notify_one();
    }
    let stored: HashSet<Uuid> = of(&outcomes, Outcome::Stored);
    let deleted: HashSet<Uuid> = of(&outcomes, Outcome::Deleted);
    for Task { new, reply } in batch.drain(..) {
        let outcome = match new.uid {
            uid if stored.contains(&uid) => Outcome::Stored,
            uid if deleted.contains(&uid) => Outcome::Deleted,
            _ => Outcome::Left,
        };
        let _ = reply.send((new, outcome)); // whoever asked may be gone
    }
}

fn of(outcomes: &[(Uuid, Outcome)], wanted: Outcome) -> HashSet<Uuid> {
    outcomes.iter().filter(|(_, outcome)| *outcome == wanted).map(|(uid, _)| *uid).collect()
}

async fn write(pool: &Pool, shared: &Arc<Shared>, batch: &[&Prepared]) -> Result<Vec<(Uuid, Outcome)>> {
    let db = Db::new(pool.get().await?, Arc::clone(shared));
    db.prepare(&INSERT).await?;
    // A plan for every number of comments is made once, and not anew each time for the number that came.
    let mut begin = format!(
        "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SELECT pg_advisory_xact_lock_shared({})",
        JOINING
    );
    for lock in article_locks(batch) {
        let _ = write!(begin, ", pg_advisory_xact_lock_shared({}, {lock})", articles::LOCKS); // writing to a string does not fail
    }
    // Sent together, done one after the other: one way to the server and back for all.
    let ((), outcomes, ()) = tokio::try_join!(db.batch(&begin), insert(&db, batch, false), db.batch("COMMIT"))?;
    Ok(outcomes)
}

/// Which articles must not change their section until the batch is committed.
fn article_locks(batch: &[&Prepared]) -> Vec<i32> {
    let asks = |new: &&&Prepared| new.content.status == Status::Held && new.content.comment.article.section.is_none();
    let mut locks: Vec<i32> =
        batch.iter().filter(asks).map(|new| articles::lock_number(new.keys.article.cast_signed())).collect();
    locks.sort_unstable();
    locks.dedup();
    locks
}

/// Names first, in one order, so that two batches wait for each other in one direction only. A site is kept from being deleted meanwhile. What
/// a campaign waits for is left to whoever joins it.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    let (depth, approved) = (AuthorKind::DEPTH, codec::status_code(Status::Approved));
    format!(
        "WITH new AS MATERIALIZED (
           SELECT * FROM unnest($1::integer[], $2::text[], $3::uuid[], $4::bytea[], $5::bigint[], $6::smallint[], $7::smallint[],
             $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[], $13::bytea[], $14::smallint[], $15::text[], $16::text[],
             $17::text[], $18::text[], $19::bigint[], $20::bigint[], $21::float8[], $22::uuid[], $23::bytea[])
           AS n (site, name, uid, hash, id, status, decided_by, at, author, account, article, trace, b, category, signals, section, lang,
             page, page_key, author_key, priority, notice, told)
         ), live AS (
           SELECT id, webhook IS NOT NULL AS hears, webhook_gone_at FROM site WHERE id = ANY ($1) FOR KEY SHARE
         ), won AS (
           INSERT INTO comment_name (site, name, comment, hash)
           SELECT n.site, n.name, n.uid, n.hash FROM new n JOIN live ON live.id = n.site
           WHERE $24 OR NOT EXISTS (SELECT FROM campaign_wait w WHERE w.site = n.site AND w.id = n.id)
           ORDER BY n.site, n.name COLLATE \"C\"
           ON CONFLICT (site, name) DO NOTHING RETURNING comment
         ), written AS (
           INSERT INTO comment (site, uid, status, decided_by, revision, version, received_at, updated_at, author, account, article, trace, b)
           SELECT n.site, n.uid, n.status, n.decided_by, 1, 1, n.at, n.at, n.author, n.account, n.article, n.trace, n.b
           FROM new n JOIN won ON won.comment = n.uid
         ), due AS (
           INSERT INTO search_due (site, comment) SELECT n.site, n.uid FROM new n JOIN won ON won.comment = n.uid
         ), waiting AS (
           INSERT INTO queue (site, comment, category, signals, section, lang, article, author, priority, held_at, author_known)
           SELECT n.site, n.uid, n.category, n.signals,
             coalesce(n.section, (SELECT a.section FROM article a WHERE a.site = n.site AND a.name = n.page)),
             n.lang, n.page_key, n.author_key, n.priority, n.at,
             EXISTS (SELECT FROM (SELECT c.status FROM comment c WHERE c.site = n.site AND c.author = n.author AND c.uid < n.uid
               ORDER BY c.uid DESC LIMIT {depth}) before WHERE before.status = {approved})
           FROM new n JOIN won ON won.comment = n.uid WHERE n.category IS NOT NULL
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

/// Writes comments whose names differ; those that wait for a person and what their sites are to be told with them. `alone` when whoever calls
/// does what remains to be done.
pub(super) async fn insert(db: &Db, batch: &[&Prepared], alone: bool) -> Result<Vec<(Uuid, Outcome)>> {
    let waiting: Vec<Option<Waiting<'_>>> = batch
        .iter()
        .map(|new| {
            let held = (new.content.status == Status::Held).then_some(Status::Held);
            held.map(|held| Waiting::of(&db.shared, new.site.id, held, &new.content))
        })
        .collect();
    let of_waiting = |index: usize| waiting.get(index).and_then(Option::as_ref);
    let mut told = Vec::with_capacity(batch.len());
    for new in batch {
        told.push(if new.tell { Some(notice(new)?) } else { None });
    }
    let notices: Vec<Option<Uuid>> = told.iter().map(|told| told.as_ref().map(|(uid, _)| *uid)).collect();
    let told: Vec<Option<&[u8]>> = told.iter().map(|told| told.as_ref().map(|(_, bytes)| bytes.as_slice())).collect();
    macro_rules! column {
        ($new:ident => $of:expr) => {
            &batch.iter().map(|$new| $of).collect::<Vec<_>>()
        };
    }
    macro_rules! column_of_waiting {
        ($waiting:ident => $of:expr) => {
            &(0..batch.len()).map(|index| of_waiting(index).map(|$waiting| $of)).collect::<Vec<_>>()
        };
    }
    let small = |code: i64| i16::try_from(code).unwrap_or_default(); // codes are single digits
    let hashes: Vec<[u8; 16]> = batch.iter().map(|new| new.content.hash.0.to_le_bytes()).collect();
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
                column_of_waiting!(waiting => waiting.category),
                column_of_waiting!(waiting => waiting.signals.as_str()),
                &(0..batch.len())
                    .map(|index| of_waiting(index).and_then(|waiting| waiting.section))
                    .collect::<Vec<_>>(),
                &(0..batch.len()).map(|index| of_waiting(index).and_then(|waiting| waiting.lang)).collect::<Vec<_>>(),
                column!(new => new.content.comment.article.id.as_str()),
                column_of_waiting!(waiting => waiting.article),
                column_of_waiting!(waiting => waiting.author),
                column_of_waiting!(waiting => waiting.priority),
                &notices,
                &told,
                &alone,
            ],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let outcome = match (row.cell(1)?, row.cell(2)?) {
                (true, _) => Outcome::Stored,
                (false, true) => Outcome::Left,
                (false, false) => Outcome::Deleted,
            };
            Ok((row.cell(0)?, outcome))
        })
        .collect()
}

/// What the site is told, and our name for that.
fn notice(new: &Prepared) -> Result<(Uuid, Vec<u8>)> {
    let content = &new.content;
    let (status, decided_by, at) = (content.status, content.decided_by, content.at);
    let told = Stored::Status(Then { version: 1, revision: 1, status, decided_by, at });
    Ok((uid::new(at)?, codec::encode(&told)?))
}

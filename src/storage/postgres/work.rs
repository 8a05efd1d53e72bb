//! One transaction: everything that a method of the port writes, or nothing of it.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::db::Db;
use super::patience::ANSWER;
use super::{audit, error};
use crate::domain::decision::Actor;
use crate::domain::store::{AuditEntry, Result};
use crate::domain::time::Timestamp;

/// A transaction at READ COMMITTED: what is to be changed is locked when it is read (`rows::lock`).
///
/// Lines for the record of who did what are gathered and written last, right before the commit: they form one chain, so whoever writes the
/// next one waits for that commit, and must not hold up anybody else meanwhile.
pub(super) struct Work {
    /// There until it ends.
    db: Option<Db>,
    audits: Mutex<Vec<AuditEntry>>,
    tells: AtomicBool,
}

impl Deref for Work {
    type Target = Db;

    fn deref(&self) -> &Db {
        self.db.as_ref().expect("a transaction that has ended is not used: ending takes it")
    }
}

impl Work {
    pub(super) async fn begin(db: Db) -> Result<Self> {
        let work = Self::around(db);
        work.batch("BEGIN").await?;
        Ok(work)
    }

    /// For whoever sends the beginning, what is to be done and the commit together, and then says that it is [`Self::done`].
    pub(super) fn around(db: Db) -> Self {
        Self { db: Some(db), audits: Mutex::default(), tells: AtomicBool::new(false) }
    }

    /// It was committed: there is nothing to be taken back.
    pub(super) fn done(mut self) {
        drop(self.db.take());
    }

    /// One in which everything is as it was at one moment, and nothing can be written. It is left by being dropped.
    pub(super) async fn begin_snapshot(db: Db) -> Result<Self> {
        let work = Self::around(db);
        work.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        Ok(work)
    }

    /// Notes who did what, in this commit.
    pub(super) fn audit(&self, by: &Actor, action: &str, subject: &str, detail: &str, at: Timestamp) {
        let (action, subject, detail) = (action.to_owned(), subject.to_owned(), detail.to_owned());
        let entry = AuditEntry { by: by.clone(), action, subject, detail, at };
        self.audits.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// That sites are told something by this commit.
    pub(super) fn tell(&self) {
        self.tells.store(true, Ordering::Relaxed);
    }

    /// Commits, or takes everything back when `outcome` is an error.
    async fn end<T>(mut self, outcome: Result<T>) -> Result<T> {
        let outcome = match outcome {
            Ok(value) => self.commit().await.map(|()| value),
            Err(error) => Err(error),
        };
        let Some(db) = self.db.take() else { return outcome };
        if outcome.is_err() {
            give_back(db).await;
        } else if self.tells.load(Ordering::Relaxed) {
            db.news.notify_one();
        }
        outcome
    }

    async fn commit(&self) -> Result<()> {
        let audits = std::mem::take(&mut *self.audits.lock().unwrap_or_else(PoisonError::into_inner));
        audit::write(self, &audits).await?;
        self.batch("COMMIT").await
    }
}

impl Drop for Work {
    /// Whoever waited for it went away, or only read. What was begun is taken back before anybody else gets the connection.
    fn drop(&mut self) {
        let Some(db) = self.db.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(give_back(db))),
            Err(_) => db.detach(),
        }
    }
}

/// Ends whatever transaction is open; a connection on which that fails, or that does not answer, is closed.
async fn give_back(db: Db) {
    match tokio::time::timeout(ANSWER, db.batch("ROLLBACK")).await {
        Ok(Ok(())) => drop(db),
        Ok(Err(_)) | Err(_) => db.detach(),
    }
}

/// How often a transaction that stood in another's way was begun again.
#[derive(Default)]
pub(super) struct Attempts(u32);

const ATTEMPTS_MAX: u32 = 10;

impl Attempts {
    /// Ends `work`; `None` when it stood in the way of another one, and should be begun again.
    pub(super) async fn end<T>(&mut self, work: Work, outcome: Result<T>) -> Option<Result<T>> {
        match work.end(outcome).await {
            Err(error) if error::is_conflict(&error) && self.0 < ATTEMPTS_MAX => {
                self.0 += 1;
                tokio::time::sleep(Duration::from_millis(u64::from(self.0) * 5)).await;
                None
            }
            ended => Some(ended),
        }
    }
}

/// Runs `$job`, which uses `$work`, as one transaction of `$store`; again when it stood in another's way. `$job` is a `Result<_>` of the
/// store. An answer that is no failure of the store (not found, a conflict) is part of the value: it is committed, with nothing written.
macro_rules! transact {
    ($store:expr, $work:ident => $job:expr) => {{
        let mut attempts = $crate::storage::postgres::work::Attempts::default();
        loop {
            let $work = $store.begin().await?;
            let outcome: $crate::domain::store::Result<_> = $job;
            if let Some(ended) = attempts.end($work, outcome).await {
                break ended;
            }
        }
    }};
}
pub(super) use transact;

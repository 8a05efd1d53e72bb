//! Look-ups that every comment needs on its way: those that come at once are one statement.
//!
//! Nobody waits for others to come: whatever was asked while the look before was under way is the next one. So when little comes each is asked
//! for by itself, and when much comes a round trip, and the work of a statement, are shared by many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::{Mutex as Turn, mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::db::{Cells as _, Db, number};
use super::lists::{self, Before};
use super::rows::{self, Row};
use super::shared::Shared;
use crate::domain::history::AuthorPast;
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};

/// Questions in one statement at most.
const TOGETHER: usize = 128;
/// Questions that wait before whoever brings more has to.
const WAITING_MAX: usize = 1_024;
/// Statements of one kind on their way at once: while the database works at one, the next is made.
const LANES: usize = 2;

/// Something that is asked of the database, alone or with others of its kind.
pub(super) trait Question: Sized + Send + Sync + 'static {
    type Answer: Send + 'static;

    /// The answers to `all`, in their order.
    fn ask(all: &[Self], db: &Db) -> impl Future<Output = Result<Vec<Self::Answer>>> + Send;
}

struct Asked<Q: Question> {
    question: Q,
    /// The question comes back without an answer where asking together failed.
    reply: oneshot::Sender<std::result::Result<Q::Answer, Q>>,
}

/// Where questions of one kind wait. The tasks that ask end with it.
struct Desk<Q: Question>(mpsc::Sender<Asked<Q>>);

impl<Q: Question> Desk<Q> {
    fn open(pool: &Pool, shared: &Arc<Shared>) -> Self {
        let (questions, waiting) = mpsc::channel(WAITING_MAX);
        let waiting = Arc::new(Turn::new(waiting));
        for _ in 0..LANES {
            let clerk = Clerk { pool: pool.clone(), shared: Arc::clone(shared) };
            let waiting = Arc::clone(&waiting);
            tokio::spawn(async move { clerk.run(&waiting).await });
        }
        Self(questions)
    }
}

/// Asks one statement after the other.
struct Clerk {
    pool: Pool,
    shared: Arc<Shared>,
}

impl Clerk {
    async fn run<Q: Question>(&self, waiting: &Turn<mpsc::Receiver<Asked<Q>>>) {
        let mut asked = Vec::with_capacity(TOGETHER);
        while waiting.lock().await.recv_many(&mut asked, TOGETHER).await > 0 {
            let (questions, replies): (Vec<Q>, Vec<_>) = asked.drain(..).map(|one| (one.question, one.reply)).unzip();
            match self.ask(&questions).await {
                Ok(answers) => {
                    for (answer, reply) in answers.into_iter().zip(replies) {
                        let _ = reply.send(Ok(answer)); // whoever asked may be gone
                    }
                }
                // What is wrong with one of them, or with the connection, is found by whoever asks alone.
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "what was asked together is asked alone");
                    for (question, reply) in questions.into_iter().zip(replies) {
                        let _ = reply.send(Err(question));
                    }
                }
            }
        }
    }

    async fn ask<Q: Question>(&self, questions: &[Q]) -> Result<Vec<Q::Answer>> {
        let db = Db::new(self.pool.get().await?, Arc::clone(&self.shared));
        let answers = Q::ask(questions, &db).await?;
        if answers.len() == questions.len() {
            Ok(answers)
        } else {
            Err(StoreError::Corrupt(format!("{} answers to {} questions", answers.len(), questions.len())))
        }
    }
}

/// The handle that callers share.
pub(super) struct Lookups {
    pool: Pool,
    shared: Arc<Shared>,
    names: Desk<Name>,
    pasts: Desk<Before>,
    absent: Mutex<Absent>,
}

impl Lookups {
    pub(super) fn open(pool: &Pool, shared: &Arc<Shared>) -> Self {
        let (names, pasts) = (Desk::open(pool, shared), Desk::open(pool, shared));
        Self { pool: pool.clone(), shared: Arc::clone(shared), names, pasts, absent: Mutex::default() }
    }

    /// The comment that a site calls so, and whether it waits for a person.
    pub(super) async fn comment(&self, site: SiteId, name: &str) -> Result<Option<Found>> {
        let found = self.answer(&self.names, Name { site, name: name.to_owned() }).await?;
        let key = self.shared.hasher.id(site, name);
        match found {
            Some(_) => self.absent().forget(key),
            None => self.absent().note(key, Instant::now()),
        }
        Ok(found)
    }

    /// Whether there is such a comment, or was none a moment ago.
    pub(super) async fn is_stored(&self, site: SiteId, name: &str) -> Result<bool> {
        if self.absent().knows(self.shared.hasher.id(site, name), Instant::now()) {
            return Ok(false);
        }
        Ok(self.comment(site, name).await?.is_some())
    }

    /// A comment of that key may be there from now on.
    pub(super) fn stored(&self, key: u64) {
        self.absent().forget(key);
    }

    /// What became of an author's earlier comments.
    pub(super) async fn past(&self, before: Before) -> Result<AuthorPast> {
        self.answer(&self.pasts, before).await
    }

    async fn answer<Q: Question>(&self, desk: &Desk<Q>, question: Q) -> Result<Q::Answer> {
        let (reply, answer) = oneshot::channel();
        let left = match desk.0.send(Asked { question, reply }).await {
            Ok(()) => match answer.await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(question)) => question,
                Err(_) => return Err(super::error::closed()),
            },
            Err(unsent) => unsent.0.question,
        };
        if self.pool.is_closed() {
            return Err(super::error::closed());
        }
        let db = Db::new(self.pool.get().await?, Arc::clone(&self.shared));
        let answer = Q::ask(&[left], &db).await?.pop();
        answer.ok_or_else(|| StoreError::Corrupt("no answer to a question".to_owned()))
    }

    fn absent(&self) -> MutexGuard<'_, Absent> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A comment's row, and whether it waits for a person.
pub(super) struct Found {
    pub row: Row,
    pub waits: bool,
}

/// A site's name for a comment.
struct Name {
    site: SiteId,
    name: String,
}

impl Question for Name {
    type Answer = Option<Found>;

    /// Names first: a comment that is new has none, and no month is looked into for it.
    async fn ask(all: &[Self], db: &Db) -> Result<Vec<Option<Found>>> {
        // Arrays out of a SELECT have no length that the planner knows, so that it makes one plan for any number of them, and that one once.
        let names = "SELECT k.at, n.site, n.comment FROM unnest((SELECT $1::int4[]), (SELECT $2::text[])) WITH ORDINALITY k (site, name, at) \
                     JOIN comment_name n ON n.site = k.site AND n.name = k.name";
        let (sites, called): (Vec<i32>, Vec<&str>) = all.iter().map(|it| (number(it.site), it.name.as_str())).unzip();
        let named = db.query(names, &[&sites, &called]).await?;
        let mut answers: Vec<Option<Found>> = all.iter().map(|_| None).collect();
        if named.is_empty() {
            return Ok(answers);
        }
        let (mut places, mut sites, mut uids) = (Vec::new(), Vec::<i32>::new(), Vec::<Uuid>::new());
        for row in &named {
            places.push(row.cell::<i64>(0)?);
            sites.push(row.cell(1)?);
            uids.push(row.cell(2)?);
        }
        let read = format!(
            "SELECT {}, k.at, EXISTS (SELECT FROM queue q WHERE q.site = c.site AND q.comment = c.uid) \
             FROM unnest((SELECT $1::int8[]), (SELECT $2::int4[]), (SELECT $3::uuid[])) k (at, site, uid) \
             JOIN comment c ON c.site = k.site AND c.uid = k.uid",
            rows::COLUMNS
        );
        for found in db.query(&read, &[&places, &sites, &uids]).await? {
            let answer = answers.get_mut(place(found.cell(13)?));
            let answer = answer.ok_or_else(|| StoreError::Corrupt("an answer to no question".to_owned()))?;
            *answer = Some(Found { row: Row::read(&found)?, waits: found.cell(14)? });
        }
        Ok(answers)
    }
}

impl Question for Before {
    type Answer = AuthorPast;

    async fn ask(all: &[Self], db: &Db) -> Result<Vec<AuthorPast>> {
        lists::pasts(db, all).await
    }
}

/// The place of an answer that is numbered from one.
pub(super) fn place(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0).wrapping_sub(1)
}

/// How long a name counts as absent that was looked for: a comment's own way is shorter, and what another node stores meanwhile under that name
/// is found when this one stores it.
const ABSENT_FOR: Duration = Duration::from_secs(2);
/// Names that are known to be absent, in each of two halves.
const ABSENT_MAX: usize = 4_096;

/// Names, by their keys, under which a moment ago nothing was stored.
#[derive(Default)]
struct Absent {
    young: HashMap<u64, Instant>,
    old: HashMap<u64, Instant>,
}

impl Absent {
    fn note(&mut self, key: u64, now: Instant) {
        if self.young.len() >= ABSENT_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, now);
    }

    fn knows(&self, key: u64, now: Instant) -> bool {
        let noted = self.young.get(&key).or_else(|| self.old.get(&key));
        noted.is_some_and(|noted| now.saturating_duration_since(*noted) < ABSENT_FOR)
    }

    fn forget(&mut self, key: u64) {
        self.young.remove(&key);
        self.old.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_absent_for_a_moment_and_until_it_is_stored() {
        let (mut absent, now) = (Absent::default(), Instant::now());
        absent.note(7, now);
        assert!(absent.knows(7, now + ABSENT_FOR / 2));
        assert!(!absent.knows(8, now));
        assert!(!absent.knows(7, now + ABSENT_FOR), "somebody else may have stored it since");
        absent.forget(7);
        assert!(!absent.knows(7, now));
    }

    #[test]
    fn the_latest_names_are_known_however_many_come() {
        let (mut absent, now) = (Absent::default(), Instant::now());
        let names = u64::try_from(ABSENT_MAX).expect("few") * 5 / 2;
        for key in 0..names {
            absent.note(key, now);
        }
        assert!(absent.knows(names - 1, now) && absent.knows(names - 4_097, now) && !absent.knows(0, now));
        assert!(absent.young.len() + absent.old.len() <= 2 * ABSENT_MAX);
    }
}

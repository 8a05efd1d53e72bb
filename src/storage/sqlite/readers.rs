//! The readers: a few threads, each with a connection that only reads. SQLite blocks, so it never runs on a worker of
//! the asynchronous runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::closed;
use crate::domain::store::StoreError;

/// Questions that may wait. Beyond that, callers wait for a place.
const WAITING_MAX: usize = 1_024;
/// Short questions that are answered together, at most: whoever comes last waits for all of them.
const TOGETHER: usize = 16;

type Ask = Box<dyn FnOnce(&Connection) + Send>;

enum Question {
    /// A few rows by their keys, which every comment asks for. A transaction costs as much, and what it begins with is the cache of
    /// the one before thrown away; those that wait are answered in one.
    Short(Ask),
    /// Anything else, alone.
    Long(Ask),
}

/// See the module.
pub(super) struct Readers {
    questions: RwLock<Option<mpsc::Sender<Question>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Starts a thread for each connection.
    ///
    /// # Errors
    /// The operating system gave no thread.
    pub(super) fn start(connections: Vec<Connection>) -> std::io::Result<Self> {
        let (questions, queue) = mpsc::channel::<Question>(WAITING_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let threads = connections.into_iter().map(|connection| {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name("doorward-reader".to_owned()).spawn(move || {
                let mut next = None;
                loop {
                    let Some(question) = next.take().or_else(|| locked(&queue).blocking_recv()) else { break };
                    match question {
                        Question::Long(ask) => of_one_moment(&connection, [ask]),
                        Question::Short(ask) => {
                            let mut asks = vec![ask];
                            while asks.len() < TOGETHER && next.is_none() {
                                // Whoever waits for the queue is idle: the rest is left to them.
                                match queue.try_lock().ok().and_then(|mut queue| queue.try_recv().ok()) {
                                    Some(Question::Short(ask)) => asks.push(ask),
                                    other => {
                                        next = other;
                                        break;
                                    }
                                }
                            }
                            of_one_moment(&connection, asks);
                        }
                    }
                }
            })
        });
        let threads = threads.collect::<std::io::Result<Vec<_>>>()?;
        Ok(Self { questions: RwLock::new(Some(questions)), threads: Mutex::new(threads) })
    }

    /// Asks `question` on a reader; everything that it reads is of one moment.
    pub(super) async fn ask<T, E>(
        &self,
        question: impl FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.answer(question, Question::Long).await
    }

    /// The same for what reads a few rows by their keys: others that wait are answered in the same transaction.
    pub(super) async fn ask_shortly<T, E>(
        &self,
        question: impl FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.answer(question, Question::Short).await
    }

    async fn answer<T, E>(
        &self,
        question: impl FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
        kind: fn(Ask) -> Question,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let questions = self.questions.read().unwrap_or_else(PoisonError::into_inner).clone();
        let questions = questions.ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        let ask: Ask = Box::new(move |connection| {
            if reply.is_closed() {
                return; // whoever asked is gone
            }
            // Where none could be begun, the question would read each row of another moment.
            let answer = if connection.is_autocommit() { Err(no_transaction().into()) } else { question(connection) };
            let _ = reply.send(answer);
        });
        questions.send(kind(ask)).await.map_err(|_| closed())?;
        drop(questions);
        answer.await.unwrap_or_else(|_| Err(closed().into()))
    }

    /// Takes nothing more, answers what waits, and ends.
    pub(super) async fn close(&self) {
        let threads = self.stop();
        let _ = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join()))).await;
    }

    fn stop(&self) -> Vec<JoinHandle<()>> {
        self.questions.write().unwrap_or_else(PoisonError::into_inner).take();
        std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.stop().into_iter().for_each(|thread| drop(thread.join()));
    }
}

fn locked(queue: &Mutex<mpsc::Receiver<Question>>) -> MutexGuard<'_, mpsc::Receiver<Question>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers all of `asks` in one transaction.
fn of_one_moment(connection: &Connection, asks: impl IntoIterator<Item = Ask>) {
    let step = |sql| -> rusqlite::Result<()> { connection.prepare_cached(sql)?.execute([]).map(drop) };
    if let Err(error) = step("BEGIN") {
        tracing::error!(error = &error as &dyn std::error::Error, "the store cannot be read");
    }
    for ask in asks {
        if catch_unwind(AssertUnwindSafe(|| ask(connection))).is_err() {
            tracing::error!("a question to the store panicked");
        }
    }
    if !connection.is_autocommit() && step("COMMIT").is_err() {
        let _ = connection.execute_batch("ROLLBACK");
    }
}

fn no_transaction() -> StoreError {
    StoreError::Unavailable("no transaction could be begun to read in".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = std::result::Result<i64, StoreError>;

    fn number(connection: &Connection, text: &str) -> Answer {
        Ok(connection.query_row(text, [], |row| row.get(0))?)
    }

    #[tokio::test]
    async fn questions_that_wait_are_answered_each_by_itself_also_beside_one_that_panics() {
        let readers = Arc::new(Readers::start(vec![Connection::open_in_memory().unwrap()]).unwrap());
        // All but the first wait until the reader is free, and are then taken together.
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let busy = Arc::clone(&readers);
        let busy = tokio::spawn(async move {
            let wait = move |connection: &Connection| {
                let _ = begun.send(());
                may_go_on.recv().map_err(|_| closed())?;
                number(connection, "SELECT 1")
            };
            busy.ask(wait).await
        });
        has_begun.await.unwrap();
        let (two, panicked, failed, three, four, ()) = tokio::join!(
            readers.ask_shortly(|connection| number(connection, "SELECT 2")),
            readers.ask_shortly(|_| -> Answer { panic!("on purpose") }),
            readers.ask_shortly(|connection| number(connection, "SELECT a FROM nowhere")),
            readers.ask(|connection| number(connection, "SELECT 3")),
            readers.ask_shortly(|connection| number(connection, "SELECT 4")),
            async { go_on.send(()).unwrap() },
        );
        assert_eq!(busy.await.unwrap().unwrap(), 1);
        assert_eq!((two.unwrap(), three.unwrap(), four.unwrap()), (2, 3, 4));
        assert!(panicked.is_err() && failed.is_err());
        readers.close().await;
        assert!(readers.ask(|connection| number(connection, "SELECT 5")).await.is_err());
    }
}

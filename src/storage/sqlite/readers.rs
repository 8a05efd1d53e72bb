//! The readers: a few threads, each with a connection that only reads. SQLite blocks, so it never runs on a worker of
//! the asynchronous runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::closed;
use crate::domain::store::Result;

/// Questions that may wait. Beyond that, callers wait for a place.
const WAITING_MAX: usize = 1_024;

type Question = Box<dyn FnOnce(&Connection) + Send>;

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
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                    let Some(question) = next else { break };
                    if catch_unwind(AssertUnwindSafe(|| question(&connection))).is_err() {
                        tracing::error!("a question to the store panicked");
                    }
                    if !connection.is_autocommit() {
                        let _ = connection.execute_batch("ROLLBACK");
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
        E: From<crate::domain::store::StoreError> + Send + 'static,
    {
        let questions = self.questions.read().unwrap_or_else(PoisonError::into_inner).clone();
        let questions = questions.ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        let ask: Question = Box::new(move |connection| {
            if reply.is_closed() {
                return; // whoever asked is gone
            }
            let _ = reply.send(of_one_moment(connection, question));
        });
        questions.send(ask).await.map_err(|_| closed())?;
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

fn of_one_moment<T, E: From<crate::domain::store::StoreError>>(
    connection: &Connection,
    question: impl FnOnce(&Connection) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let step = |sql| -> Result<()> {
        connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    };
    step("BEGIN")?;
    let answer = question(connection);
    step("COMMIT")?;
    answer
}

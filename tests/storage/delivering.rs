//! Delivery over a store, by a clock that jumps: between any two of its questions a database, or the machine, may stand still for long.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use doorward::app::admin::Admin;
use doorward::app::clock::Clock;
use doorward::app::outbox::Config;
use doorward::app::outbox::deliver::Deliverer;
use doorward::app::outbox::post::{Answer, Message, Post, PostError};
use doorward::app::secrets::Sealer;
use doorward::domain::store::Store;
use doorward::domain::time::Timestamp;
use doorward::storage::sqlite::SqliteStore;
use rusqlite::Connection;
use serde_json::json;
use tokio::sync::{Notify, oneshot};

use crate::made::{Made, at};

/// How long the machine stands still, in seconds: a lease lasts forty.
const STANDS_STILL: i64 = 35;

/// Jumps after so many questions; and when the test says so, it is much later.
struct Jumping {
    after: usize,
    asked: AtomicUsize,
    is_later: AtomicBool,
}

impl Jumping {
    fn shown(&self, asked: usize) -> Timestamp {
        let later = self.is_later.load(Ordering::SeqCst);
        at(if later { 1_000 } else { i64::from(asked > self.after) * STANDS_STILL })
    }
}

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.shown(self.asked.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

/// A receiver that looks how long nobody else gets what came.
struct Looking {
    database: PathBuf,
    clock: Arc<Jumping>,
    left_ms: Mutex<Vec<i64>>,
    came: Notify,
}

#[async_trait]
impl Post for Looking {
    async fn post(&self, _: Message) -> Result<Answer, PostError> {
        let connection = Connection::open(&self.database).unwrap();
        let until: i64 = connection.query_row("SELECT taken_until FROM outbox", [], |row| row.get(0)).unwrap();
        let now = self.clock.shown(self.clock.asked.load(Ordering::SeqCst));
        self.left_ms.lock().unwrap().push(until - now.as_millis());
        self.came.notify_one();
        Ok(Answer { status: 204, retry_after: None })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_slowly_is_not_sent_while_somebody_else_may_send_it_too() {
    // Whoever has asked three times has taken it.
    for after in 1..=3 {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("doorward.db");
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open_serving(&doorward::storage::Config::sqlite(&database)).unwrap());
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let admin = Admin::new(Arc::clone(&store), sealer.clone());
        admin.site_create("news", None, Some("https://news.example/hooks"), at(-9)).await.unwrap();
        let news = Arc::new(store.sites().await.unwrap().remove(0));
        let mut made = Made::new(&news, "c-1").held(None, &[], 0.5).at(-5);
        made.0.tell = true;
        made.store(&*store).await;
        let clock = Arc::new(Jumping { after, asked: AtomicUsize::new(0), is_later: AtomicBool::new(false) });
        let (left_ms, came) = (Mutex::default(), Notify::new());
        let post = Arc::new(Looking { database, clock: Arc::clone(&clock), left_ms, came });
        let config = Config { poll_ms: 10, ..Config::default() };
        let (its_store, its_post) = (Arc::clone(&store), Arc::clone(&post) as Arc<dyn Post>);
        let deliverer = Deliverer::new(
            its_store,
            its_post,
            Arc::clone(&clock) as Arc<dyn Clock>,
            sealer,
            |_, _| json!({}),
            config.clone(),
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(Arc::new(deliverer).run(async { drop(stopped.await) }));
        while after == 3 && clock.asked.load(Ordering::SeqCst) < 9 {
            tokio::time::sleep(Duration::from_millis(2)).await; // between two looks at the condition: it was left lying
        }
        clock.is_later.store(after == 3, Ordering::SeqCst);
        post.came.notified().await;
        drop(stop);
        running.await.unwrap();
        let left_ms = post.left_ms.lock().unwrap().clone();
        let enough = left_ms.iter().all(|left| *left >= i64::from(config.timeout_ms));
        assert!(left_ms.len() == 1 && enough, "still after question {after}: {left_ms:?}");
        assert_eq!(store.outbox_state().await.unwrap().waiting, 0);
        store.close().await;
    }
}

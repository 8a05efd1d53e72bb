//! Nodes with histories over one store, and comments for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use doorward::domain::campaign::{self, Stances};
use doorward::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Comment, Draft};
use doorward::domain::decision::Status;
use doorward::domain::history::{History, PastOf, Standing};
use doorward::domain::normalise::normalise;
use doorward::domain::shared::Shared as _;
use doorward::domain::site::{Site, SiteId};
use doorward::domain::store::Store;
use doorward::storage;
use doorward::storage::memory::history::{Config, MemoryHistory};
use doorward::storage::redis::{Redis, SharedHistory};
use doorward::storage::sqlite::SqliteStore;
use tempfile::TempDir;
use uuid::Uuid;

use crate::made::{at, site};
use crate::server::{Server, until};

pub(crate) const HELD: Standing = Standing { status: Status::Held, by_person: false };

/// One store, and the nodes over it.
pub(crate) struct Town {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) news: Arc<Site>,
    _folder: TempDir,
}

pub(crate) struct Node {
    pub(crate) redis: Arc<Redis>,
    pub(crate) history: Arc<SharedHistory>,
    /// Its clock, in seconds.
    pub(crate) clock: Arc<AtomicI64>,
}

impl Town {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = storage::Config::sqlite(&folder.path().join("doorward.db"));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&database).unwrap());
        let news = site(&*store, "news").await;
        Self { store, news, _folder: folder }
    }

    /// A node that follows what the others tell.
    pub(crate) async fn node(&self, server: &Server) -> Node {
        let node = self.starting(server).await;
        until("the node follows", async || node.redis.is_up()).await;
        node
    }

    /// A node that was just started.
    pub(crate) async fn starting(&self, server: &Server) -> Node {
        let redis = server.node().await;
        let end = redis.end().await;
        let (config, campaigns) = (Config::default(), campaign::Config::default());
        let memory = MemoryHistory::rebuild_with(config, campaigns, Arc::clone(&self.store), at(100)).await.unwrap();
        let clock = Arc::new(AtomicI64::new(100));
        let its = Arc::clone(&clock);
        let history = redis.history(memory, end, Box::new(move || at(its.load(Ordering::Relaxed))));
        Node { redis, history, clock }
    }
}

impl Node {
    /// A comment is sighted, and stands held. Answers what the past said, and the campaign that it is in.
    pub(crate) async fn post(&self, comment: &Comment, second: i64) -> (PastOf, Option<Uuid>) {
        let (past, campaign) = self.sight(comment, second).await;
        self.history.settle(&comment.trace, at(second), HELD).await;
        (past, campaign)
    }

    pub(crate) async fn sight(&self, comment: &Comment, second: i64) -> (PastOf, Option<Uuid>) {
        let stances = || Stances::of(comment, None);
        let past = self.history.sight_in(&comment.trace, &stances, at(second)).await;
        let membership = self.history.membership(&comment.trace, at(second)).await;
        (past, membership.map(|membership| membership.campaign))
    }

    /// It is that second on this node.
    pub(crate) fn at(&self, second: i64) -> &Self {
        self.clock.store(second, Ordering::Relaxed);
        self
    }

    /// Whether it follows what the others tell.
    pub(crate) fn is_up(&self) -> bool {
        self.redis.is_up()
    }

    pub(crate) async fn follows(&self) {
        until("the node follows again", async || self.is_up() && self.history.untold() == 0).await;
    }
}

pub(crate) fn comment(id: &str, article: &str, author: &str, body: &str) -> Comment {
    let article = ArticleDraft { id: article.to_owned(), ..ArticleDraft::default() };
    let author = AuthorDraft { id: Some(author.to_owned()), ..AuthorDraft::default() };
    let draft = Draft { id: id.to_owned(), article, author: Some(author), body: body.to_owned(), ..Draft::default() };
    normalise(SiteId(1), draft.parse(&Bounds::default()).expect("valid"), false)
}

/// How many comments with the first of its links were seen before.
pub(crate) fn links(past: &PastOf) -> u32 {
    past.links.get().expect("known")[0].url.comments
}

/// How many comments with its text were seen before.
pub(crate) fn texts(past: &PastOf) -> u32 {
    past.text.get().expect("known").comments
}

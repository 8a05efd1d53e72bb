//! History in memory over the store: what it promises beyond one comment, edits, erasures and restarts included.

use std::sync::Arc;

use doorward::domain::decision::{Action, DecidedBy, Record};
use doorward::domain::history::{AuthorPast, History, Standing};
use doorward::domain::known::Known;
use doorward::domain::site::Site;
use doorward::domain::store::Store;
use doorward::storage;
use doorward::storage::memory::history::{Config, MemoryHistory};
use doorward::storage::sqlite::SqliteStore;
use tempfile::TempDir;

use crate::made::{Made, at, moderator, ruling, site};

struct Past {
    store: Arc<dyn Store>,
    history: Arc<MemoryHistory>,
    news: Arc<Site>,
    _folder: TempDir,
}

impl Past {
    async fn new() -> Self {
        Self::with(Config::default()).await
    }

    async fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = storage::Config::sqlite(&folder.path().join("doorward.db"));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&database).unwrap());
        let news = site(&*store, "news").await;
        Self { history: Arc::new(MemoryHistory::new(config, Arc::clone(&store))), store, news, _folder: folder }
    }

    fn made(&self, name: &str, author: &str, seconds: i64) -> Made {
        Made::new(&self.news, name).author(author).at(seconds)
    }

    /// What intake does: sight, record, settle. Answers the author's past as it was sighted.
    async fn post(&self, made: Made) -> (AuthorPast, Record) {
        let (trace, now) = (made.0.trace.clone(), made.0.received_at);
        let past = self.history.sight(&trace, now).await;
        let record = made.store(&*self.store).await;
        self.settle(&record, &trace).await;
        (known(&past.author), record)
    }

    async fn edit(&self, made: Made) -> AuthorPast {
        let (trace, now) = (made.0.trace.clone(), made.0.received_at);
        let past = self.history.sight(&trace, now).await;
        let record = made.revise(&*self.store).await.unwrap();
        self.settle(&record, &trace).await;
        known(&past.author)
    }

    async fn approve(&self, record: &Record, seconds: i64) {
        let ruled = self.store.rule(ruling(Action::Approve, &[record], seconds)).await.unwrap();
        for (record, trace) in &ruled.applied {
            self.settle(record, trace).await;
        }
    }

    async fn settle(&self, record: &Record, trace: &doorward::domain::trace::Trace) {
        let by_person = record.decided_by == DecidedBy::Person;
        self.history.settle(trace, record.received_at, Standing { status: record.status, by_person }).await;
    }

    /// The same store, and a history that was just started.
    async fn restarted(&self, seconds: i64) -> Arc<MemoryHistory> {
        MemoryHistory::rebuild(Config::default(), Arc::clone(&self.store), at(seconds)).await.unwrap()
    }
}

fn known(author: &Known<AuthorPast>) -> AuthorPast {
    author.get().cloned().expect("the author is known")
}

fn counts(past: &AuthorPast) -> (u32, u32, u32) {
    (past.approved, past.rejected, past.held)
}

#[tokio::test]
async fn a_comment_is_never_its_own_past_before_and_after_a_restart() {
    let past = Past::new().await;
    let (nothing, first) = past.post(past.made("c-1", "u-1", 1).held(None, &[], 0.5)).await;
    assert_eq!(counts(&nothing), (0, 0, 0));
    let other = past.made("c-2", "u-1", 2).0.trace;
    assert_eq!(counts(&known(&past.history.author(&other, at(2)).await)), (0, 0, 1), "the other comment knows it");
    past.approve(&first, 3).await;
    assert_eq!(counts(&known(&past.history.author(&other, at(4)).await)), (1, 0, 0));
    let itself = past.made("c-1", "u-1", 5).body("other words").0.trace;
    for history in [&past.history, &past.restarted(5).await] {
        assert_eq!(counts(&known(&history.author(&itself, at(5)).await)), (0, 0, 0));
        assert_eq!(counts(&known(&history.about(&itself, at(5)).await.author)), (0, 0, 0));
    }
    let seen = past.edit(past.made("c-1", "u-1", 5).body("other words").held(None, &[], 0.5)).await;
    assert_eq!(counts(&seen), (0, 0, 0));
    assert_eq!(counts(&known(&past.history.author(&other, at(6)).await)), (0, 0, 1), "counted once, as it stands now");
}

#[tokio::test]
async fn an_edit_that_names_another_author_moves_the_comment() {
    let past = Past::new().await;
    past.post(past.made("c-1", "u-1", 1)).await;
    past.post(past.made("c-2", "u-2", 2)).await;
    past.edit(past.made("c-1", "u-2", 3).body("other words")).await;
    let of =
        async |author: &str| counts(&known(&past.history.author(&past.made("new", author, 9).0.trace, at(9)).await));
    assert_eq!((of("u-1").await, of("u-2").await), ((0, 0, 0), (2, 0, 0)));
}

#[tokio::test]
async fn telling_twice_and_changing_ones_mind_count_once() {
    let past = Past::new().await;
    let (_, record) = past.post(past.made("c-1", "u-1", 1)).await;
    let trace = past.made("c-1", "u-1", 1).0.trace;
    past.settle(&record, &trace).await;
    let new = past.made("new", "u-1", 9).0.trace;
    assert_eq!(counts(&known(&past.history.author(&new, at(9)).await)), (1, 0, 0));
    past.history.forget(&trace).await;
    past.store.comment_erase(past.news.id, &record.comment.id, moderator(), at(3)).await.unwrap();
    assert_eq!(counts(&known(&past.history.author(&new, at(9)).await)), (0, 0, 0), "erased");
}

#[tokio::test]
async fn as_of_a_moment_nothing_that_arrived_later_counts() {
    let past = Past::new().await;
    for seconds in [10, 20] {
        past.post(past.made(&format!("c-{seconds}"), "u-1", seconds).body("the very same link")).await;
    }
    let asked = past.made("new", "u-1", 15).body("the very same link").0.trace;
    let now = past.history.about(&asked, at(30)).await;
    assert_eq!((counts(&known(&now.author)), now.links.get().unwrap()[0].url.comments), ((2, 0, 0), 2));
    let then = past.history.about(&asked, at(15)).await;
    assert_eq!((counts(&known(&then.author)), then.links.get().unwrap()[0].url.comments), ((1, 0, 0), 1));
    let again = past.history.about(&asked, at(30)).await;
    assert_eq!(counts(&known(&again.author)), (2, 0, 0), "asking about then changes nothing now");
}

#[tokio::test]
async fn of_two_that_are_sighted_at_once_one_sees_the_other() {
    let past = Past::new().await;
    let [early, late] =
        [("c-1", 10), ("c-2", 11)].map(|(name, seconds)| past.made(name, "u-1", seconds).body("the very same link"));
    let first = past.history.sight(&late.0.trace, late.0.received_at).await;
    let second = past.history.sight(&early.0.trace, early.0.received_at).await; // read its clock first, came second
    let seen = [first, second].map(|past| past.links.get().unwrap()[0].url.comments);
    assert_eq!(seen, [0, 1]);
}

#[tokio::test]
async fn what_left_the_window_does_not_count() {
    let past = Past::new().await;
    let day = 86_400;
    past.post(past.made("old", "u-1", 0).body("the very same link")).await;
    let erased = past.made("erased", "u-2", 1).body("another link");
    past.history.sight(&erased.0.trace, at(1)).await;
    past.history.forget(&erased.0.trace).await;
    let inside = past.made("x", "u-4", 29 * day).body("the very same link").0.trace;
    assert_eq!(past.history.about(&inside, at(29 * day)).await.links.get().unwrap()[0].url.comments, 1);
    let asked = past.made("new", "u-3", 200 * day).body("the very same link").0.trace;
    let about = past.history.about(&asked, at(200 * day)).await;
    let sight = past.history.sight(&asked, at(200 * day)).await;
    for told in [about, sight] {
        assert_eq!(told.links.get().unwrap()[0].url.comments, 0);
    }
}

#[tokio::test]
async fn what_readers_see_under_the_article_is_counted_apart() {
    let past = Past::new().await;
    past.post(past.made("c-1", "u-1", 1).body("the very same link")).await;
    past.post(past.made("c-2", "u-2", 2).body("the very same link").held(None, &[], 0.5)).await;
    past.post(past.made("c-3", "u-3", 3).body("the very same link").under("a-2")).await;
    let here = past.made("new", "u-4", 9).body("the very same link");
    let elsewhere = here.clone().under("a-3");
    for (asked, expected) in [(here, 1), (elsewhere, 0)] {
        let told = past.history.about(&asked.0.trace, at(9)).await;
        assert_eq!(told.links.get().unwrap()[0].url.approved_here, expected);
    }
}

#[tokio::test]
async fn a_record_that_is_longer_than_the_look_back_says_so() {
    let past = Past::with(Config { author_depth: 3, ..Config::default() }).await;
    for at in 0..4 {
        past.made(&format!("c-{at}"), "busy", at).store(&*past.store).await;
    }
    past.made("c-9", "new", 9).store(&*past.store).await;
    let of = async |author: &str| known(&past.history.author(&past.made("asked", author, 20).0.trace, at(20)).await);
    let (busy, new) = (of("busy").await, of("new").await);
    assert_eq!((busy.approved, busy.goes_further_back, busy.first_at), (3, true, Some(at(1))));
    assert_eq!((new.approved, new.goes_further_back), (1, false));
}

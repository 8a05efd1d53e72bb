//! What happens to a comment while it is on its way. HTTP cannot stop one there, so here a history does, before the real store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use doorward::app::admin::{Admin, FIRST_SCOPES};
use doorward::app::events::Events;
use doorward::app::intake::{Intake, Turn};
use doorward::app::limits::Route;
use doorward::app::limits::local::LocalLimiter;
use doorward::app::sanctions::Sanctions;
use doorward::app::secrets::Sealer;
use doorward::app::standing::Listeners;
use doorward::config::Config;
use doorward::domain::comment::{Article, Draft, ExternalId, NewComment};
use doorward::domain::history::{AuthorPast, History, PastOf, Standing};
use doorward::domain::known::Known;
use doorward::domain::people::Reach;
use doorward::domain::signal::Outcome;
use doorward::domain::site::Site;
use doorward::domain::store::Store;
use doorward::domain::time::Timestamp;
use doorward::domain::trace::Trace;
use doorward::startup;
use doorward::storage::memory::history::MemoryHistory;
use doorward::storage::sqlite::SqliteStore;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::helpers::{START_MS, ordinary};

/// The real one, which stops each comment after its mark was left until it is let go on.
struct Gate {
    history: MemoryHistory,
    marked: Semaphore,
    go_on: Semaphore,
    settled: Semaphore,
}

#[async_trait]
impl History for Gate {
    async fn about(&self, trace: &Trace, now: Timestamp) -> PastOf {
        self.history.about(trace, now).await
    }

    async fn author(&self, trace: &Trace, now: Timestamp) -> Known<AuthorPast> {
        self.history.author(trace, now).await
    }

    async fn sight(&self, trace: &Trace, now: Timestamp) -> PastOf {
        let past = self.history.sight(trace, now).await;
        self.marked.add_permits(1);
        self.go_on.acquire().await.unwrap().forget();
        past
    }

    async fn settle(&self, trace: &Trace, at: Timestamp, standing: Standing) {
        self.history.settle(trace, at, standing).await;
        self.settled.add_permits(1);
    }

    async fn forget(&self, trace: &Trace) {
        self.history.forget(trace).await;
    }
}

/// Waits for one more; a test that waits in vain says for what.
async fn one_more(of: &Semaphore, what: &str) {
    tokio::time::timeout(Duration::from_mins(1), of.acquire()).await.expect(what).unwrap().forget();
}

struct Way {
    intake: Arc<Intake>,
    gate: Arc<Gate>,
    site: Arc<Site>,
    _folder: tempfile::TempDir,
}

const NOW: Timestamp = Timestamp::from_millis(START_MS);

impl Way {
    async fn new() -> Self {
        Self::new_with(|_| {}).await
    }

    async fn new_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        change(&mut config);
        config.place_in(folder.path());
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&config.database).unwrap());
        let admin = Admin::new(Arc::clone(&store), Sealer::open(&config.secrets.key_file).unwrap());
        admin.site_create("news", None, None, NOW).await.unwrap();
        admin.site_key("news", &FIRST_SCOPES, NOW).await.unwrap();
        let site = Arc::new(store.sites().await.unwrap().remove(0));
        let history = MemoryHistory::new(config.history.clone(), Arc::clone(&store));
        let closed = || Semaphore::new(0);
        let gate = Arc::new(Gate { history, marked: closed(), go_on: closed(), settled: closed() });
        let mut house = startup::house(&config).unwrap();
        house.limits = Arc::new(LocalLimiter::new(&config.limits, 0).unwrap());
        let settings = Arc::new(doorward::app::house::Settings::new(house));
        let history: Arc<dyn History> = Arc::<Gate>::clone(&gate);
        let events = Arc::new(Events::new(Arc::clone(&store), config.events.clone(), 1));
        let threads = Arc::new(doorward::app::threads::Threads::new(Arc::clone(&store)));
        let listeners = Listeners { history, events, threads };
        let its = listeners.clone();
        let sanctions =
            Sanctions::new(Arc::clone(&store), listeners, config.webhooks.clone(), config.sanctions.clone());
        let intake = Arc::new(Intake::new(settings, store, its, Arc::new(sanctions), 1 << 20));
        Self { intake, gate, site, _folder: folder }
    }

    /// A comment on its way; it has left its mark and goes no further yet.
    async fn begin(&self, new: NewComment) -> tokio::task::JoinHandle<()> {
        let (intake, site) = (Arc::clone(&self.intake), Arc::clone(&self.site));
        let asked = tokio::spawn(async move {
            intake.submit(&site, new, Route::Comment, Turn::any(), NOW).await.unwrap();
        });
        one_more(&self.gate.marked, "the comment leaves its mark").await;
        asked
    }

    async fn article(&self, article: Article) -> Article {
        self.intake.article(self.site.id, article, NOW).await.unwrap().0
    }
}

fn comment(value: &Value) -> NewComment {
    let draft: Draft = serde_json::from_value(value.clone()).unwrap();
    draft.parse(&doorward::domain::comment::Bounds::default()).unwrap()
}

fn named(id: &str) -> Article {
    Article::named(ExternalId::parse("id", id.to_owned()).unwrap())
}

#[tokio::test]
async fn a_comment_is_taken_to_its_end_although_the_caller_goes_away() {
    let way = Way::new().await;
    let asked = way.begin(comment(&ordinary("c-1"))).await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    way.gate.go_on.add_permits(1);
    one_more(&way.gate.settled, "history hears what became of it").await;
    let id = ExternalId::parse("id", "c-1".to_owned()).unwrap();
    let record = way
        .intake
        .comment(way.site.id, &id, &Reach::ALL)
        .await
        .expect("a mark stays for a comment that was never stored");
    assert_eq!(record.revision, 1);
}

#[tokio::test]
async fn the_same_again_waits_for_the_first_and_consumes_no_limit() {
    let way = Way::new_with(|config| {
        for policy in &mut config.limits.policies {
            policy.quota = std::num::NonZeroU32::new(if policy.name == "per-site" { 2 } else { 100 }).unwrap();
        }
    })
    .await;
    let first = way.begin(comment(&ordinary("c-1"))).await;
    let submit = |id: &str| {
        let (intake, site, new) = (Arc::clone(&way.intake), Arc::clone(&way.site), comment(&ordinary(id)));
        tokio::spawn(async move { intake.submit(&site, new, Route::Comment, Turn::any(), NOW).await })
    };
    let again = [submit("c-1"), submit("c-1"), submit("c-1")];
    tokio::task::yield_now().await; // they come as far as they can
    way.gate.go_on.add_permits(10);
    first.await.unwrap();
    for again in again {
        assert!(again.await.unwrap().unwrap().replayed);
    }
    assert!(!submit("c-2").await.unwrap().expect("the limit allows two").replayed);
    assert!(submit("c-3").await.unwrap().is_err(), "the limit is in force");
}

#[tokio::test]
async fn an_edit_is_taken_to_its_end_although_the_caller_goes_away() {
    let way = Way::new().await;
    way.gate.go_on.add_permits(1);
    way.begin(comment(&ordinary("c-1"))).await.await.unwrap();
    one_more(&way.gate.settled, "it is stored").await;
    let mut changed = ordinary("c-1");
    changed["body"] = json!("I have thought again: the lanes are a fine thing.");
    let (intake, site) = (Arc::clone(&way.intake), Arc::clone(&way.site));
    let asked = tokio::spawn(async move { intake.edit(&site, comment(&changed), Route::Comment, NOW).await.map(drop) });
    one_more(&way.gate.marked, "the edit leaves its mark").await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    way.gate.go_on.add_permits(1);
    one_more(&way.gate.settled, "history hears of the edit").await;
    let id = ExternalId::parse("id", "c-1".to_owned()).unwrap();
    assert_eq!(way.intake.comment(way.site.id, &id, &Reach::ALL).await.unwrap().revision, 2);
}

#[tokio::test]
async fn a_comment_on_its_way_does_not_undo_what_became_known_of_its_article() {
    const OLD: &str = "Ferries to the island sail every hour again";
    const NEW: &str = "Genuine leather handbags and wristwatches on display in the museum";
    let way = Way::new().await;
    way.article(Article { title: Some(OLD.to_owned()), ..named("a-1") }).await;
    for (id, article) in
        [("c-1", json!({"id": "a-1"})), ("c-2", json!({"id": "a-1", "url": "https://news.example/a-1"}))]
    {
        way.article(Article { title: Some(OLD.to_owned()), ..named("a-1") }).await;
        let asked = way.begin(comment(&json!({"id": id, "article": article, "body": "Fine, I will be there."}))).await;
        way.article(Article { title: Some(NEW.to_owned()), ..named("a-1") }).await;
        way.gate.go_on.add_permits(1);
        asked.await.unwrap();
        // Relevant to the new title, and to nothing of the old one.
        let body = "Genuine leather handbags and wristwatches, order now http://bags.example/";
        let asked = comment(&json!({"id": "c-9", "article": {"id": "a-1"}, "body": body}));
        let verdict = way.intake.assess(&way.site, asked, NOW).await.unwrap();
        let off_topic = verdict.signals.iter().find(|signal| signal.id == "off-topic").unwrap();
        assert_eq!(off_topic.outcome, Outcome::Clear, "{id}: the page as it was is kept");
        assert_eq!(way.article(named("a-1")).await.title.as_deref(), Some(NEW), "{id}: the page as it was is stored");
    }
    assert_eq!(way.article(named("a-1")).await.url.as_deref(), Some("https://news.example/a-1"), "what came is stored");
}

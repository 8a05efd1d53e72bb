//! The suite on PostgreSQL, and what this engine must do besides.
//!
//! Runs where `DOORWARD_TEST_POSTGRES` names a database that may be filled with schemas, one for each test: `scripts/test` starts one. Without
//! it these tests say that they were skipped; with `DOORWARD_POSTGRES=required` they fail.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "whoever runs tests says by variables what there is to test on, and is told what was skipped"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use doorward::app::clock::Clock as _;
use doorward::domain::decision::Action;
use doorward::domain::news::{Bulletin as _, News};
use doorward::domain::nodes::{Node, Nodes as _};
use doorward::domain::people::Reach;
use doorward::domain::sanction::{Measure, NewSanction, Sanctions as _, Target, TargetKind};
use doorward::domain::store::{QueueFilter, QueueSort, Store, UndoError};
use doorward::startup::{SystemClock, open_store_alone};
use doorward::storage::Config;
use doorward::storage::postgres::{OpenError, PostgresBulletin, PostgresStore};
use tokio_postgres::{Client, NoTls};

use crate::made::{Made, at, first_page, id, moderator, ruling, site};
use crate::suite::Engine;

/// Runs the suite where there is a database to run it on.
macro_rules! where_there_is_one {
    ($engine:ident, $test:expr) => {
        match Schema::new().await {
            Some($engine) => $test.await,
            None => skipped(),
        }
    };
}

crate::run_on_each!(engine => where_there_is_one);

/// A schema in the database, used by one test.
pub(crate) struct Schema {
    url: String,
}

pub(crate) fn skipped() {
    assert_ne!(
        std::env::var("DOORWARD_POSTGRES").as_deref(),
        Ok("required"),
        "DOORWARD_TEST_POSTGRES names no database, and one is required"
    );
    eprintln!("SKIPPED: DOORWARD_TEST_POSTGRES names no PostgreSQL database to test on (scripts/test starts one)");
}

impl Schema {
    /// A fresh one; `None` where there is no database.
    pub(crate) async fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var("DOORWARD_TEST_POSTGRES").ok().filter(|url| !url.is_empty())?;
        let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let driven = tokio::spawn(connection);
        let make = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
        client.batch_execute(&make).await.unwrap();
        drop(client);
        driven.await.unwrap().unwrap();
        Some(Self { url: format!("{url}?options=-csearch_path%3D{name}") })
    }

    pub(crate) fn config(&self) -> Config {
        Config { url: self.url.clone(), connections: 6, ..Config::default() }
    }
}

#[async_trait]
impl Engine for Schema {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open(&self.config()).await.unwrap())
    }

    /// The server has what was committed, whatever becomes of whoever asked for it: a crash leaves the same database.
    async fn crashed(&self) -> Box<dyn Engine> {
        Box::new(Self { url: self.url.clone() })
    }
}

impl Schema {
    pub(crate) fn name(&self) -> &str {
        self.url.rsplit("%3D").next().unwrap()
    }

    /// The same for a program whose connections are called like the schema: [`Self::waits`] sees what becomes of them. They wait for locks for as long as a
    /// slow test holds them.
    pub(crate) fn watched(&self) -> Config {
        let url = format!("{}%20-clock_timeout%3D60000&application_name={}", self.url, self.name());
        Config { url, ..self.config() }
    }

    /// A connection of nobody's.
    pub(crate) async fn stranger(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Done when a connection that is called like the schema waits for a lock.
    pub(crate) async fn waits(&self) {
        let stranger = self.stranger().await;
        let read = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'";
        let waits = async { while stranger.query_opt(read, &[&self.name()]).await.unwrap().is_none() {} };
        tokio::time::timeout(Duration::from_mins(1), waits).await.expect("somebody waits for a lock");
    }

    /// Statements that no program of this version makes.
    pub(crate) async fn run(&self, sql: &str) {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        let driven = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        driven.await.unwrap().unwrap();
    }
}

/// What a newer version leaves behind when it has only added something.
async fn one_migration_ahead(schema: &Schema) -> u32 {
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    let known = store.schema();
    store.close().await;
    let next = known + 1;
    let ahead = format!(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES ({next}, 'tomorrow', '2026-11-28T00:00:00Z', '7'); \
         ALTER TABLE site ADD COLUMN tomorrow text; CREATE TABLE tomorrow (id integer PRIMARY KEY)"
    );
    schema.run(&ahead).await;
    next
}

#[tokio::test]
async fn an_older_program_starts_and_works_beside_a_newer_schema_that_lets_it() {
    let Some(schema) = Schema::new().await else { return skipped() };
    one_migration_ahead(&schema).await;
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    site(&store, "news").await;
    assert_eq!(store.sites().await.unwrap().len(), 1);
    assert!(store.lease_take("learning", "old", at(9), at(0)).await.unwrap());
    store.ready().await.unwrap();
}

#[tokio::test]
async fn an_older_program_is_refused_by_a_schema_that_needs_a_newer_one() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let next = one_migration_ahead(&schema).await;
    schema.run(&format!("UPDATE meta SET value = '{next}' WHERE name = 'needs'")).await;
    let refused = PostgresStore::open(&schema.config()).await.err().expect("it opened");
    assert!(matches!(refused, OpenError::Newer { needed, known } if needed == known + 1), "{refused}");
    assert!(refused.to_string().contains("newer version of Doorward"));
}

/// Whoever plans a cluster by the decision on record would distribute a table that cannot be.
#[tokio::test]
async fn tables_that_cannot_be_distributed_by_site_are_those_on_record() {
    let Some(schema) = Schema::new().await else { return skipped() };
    schema.open().await.close().await;
    let read = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') \
                AND NOT c.relispartition AND c.relname <> 'refinery_schema_history' AND (NOT EXISTS (SELECT FROM pg_attribute a \
                WHERE a.attrelid = c.oid AND a.attname = 'site' AND NOT a.attisdropped) OR EXISTS (SELECT FROM pg_index i \
                WHERE i.indrelid = c.oid AND i.indisunique AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid \
                AND a.attname = 'site' AND a.attnum = ANY (i.indkey)))) ORDER BY 1";
    let found = schema.stranger().await.query(read, &[]).await.unwrap();
    let found: Vec<String> = found.iter().map(|row| row.get(0)).collect();
    let record = include_str!("../../docs/adr/0011-postgresql-by-site-and-month.md");
    let (_, chapter) = record.split_once("## On a cluster").unwrap();
    let (_, list) = chapter.split_once("compares").unwrap();
    let (list, _) = list.split_once(". ").unwrap();
    let listed: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    assert_eq!(listed, found);
}

/// What is erased behind a node's back stays in its memory: fingerprints, links, the author's past.
#[tokio::test]
async fn nothing_is_erased_again_under_those_who_serve() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let config = doorward::config::Config { database: schema.config(), ..Default::default() };
    let serving = PostgresStore::open(&schema.config()).await.unwrap();
    let now = SystemClock.now();
    let node = Node {
        name: "node-a".to_owned(),
        version: "1".to_owned(),
        schema: serving.schema(),
        started_at: now,
        seen_at: now,
        config: "c".to_owned(),
    };
    serving.node_seen(&node, at(0)).await.unwrap();
    let refused = open_store_alone(&config).await.err().expect("it opened");
    assert!(refused.to_string().starts_with("the node node-a serves the database"), "{refused}");
    serving.node_gone("node-a").await.unwrap();
    open_store_alone(&config).await.unwrap().close().await;
}

/// What this node hears next, of the kinds that `wanted` names.
async fn heard(bulletin: &PostgresBulletin, wanted: impl Fn(&News) -> bool) -> News {
    loop {
        let news = bulletin.next().await;
        if wanted(&news) {
            return news;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nodes_keep_in_memory_is_told_in_the_commit_that_changes_it() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    let news = site(&store, "news").await;
    let other = PostgresBulletin::open(&schema.config(), "other").await.unwrap();
    let target = Target::parse(TargetKind::Network, "203.0.113.77", None).unwrap();
    let new = NewSanction {
        site: Some(news.id),
        measure: Measure::Ban,
        kind: TargetKind::Network,
        hash: target.hash(&store.target_key()),
        hint: target.hint(),
        cause: "advertising".to_owned(),
        shadow: false,
        by: moderator(),
        at: at(1),
        expires_at: None,
        also: None,
    };
    store.sanction_add(new).await.unwrap();
    assert_eq!(other.next().await, News::Sanctions);
    store.site_key_rotate("news", [7; 32], &[], at(2)).await.unwrap();
    assert_eq!(other.next().await, News::Access);
    let sql = format!(
        "BEGIN; INSERT INTO site_model (site, number, base, at, b, checksum) VALUES ({0}, 1, 'm', 0, '', ''); \
         INSERT INTO article (site, name, updated_at, b) VALUES ({0}, 'a-1', 0, 'old'); \
         UPDATE article SET b = 'old'; UPDATE article SET b = 'new'; COMMIT; \
         BEGIN; DELETE FROM site_key; ROLLBACK",
        news.id.0
    );
    schema.run(&sql).await;
    assert_eq!(heard(&other, |news| *news != News::Access).await, News::Model { site: news.id });
    assert!(matches!(other.next().await, News::Article { site, id } if site == news.id && id.as_str() == "a-1"));
    schema.run("UPDATE sanction SET lifted_at = 1").await;
    assert_eq!(other.next().await, News::Sanctions, "what was rolled back, or changed nothing, is not told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_reach_the_other_nodes_of_the_installation_and_nobody_else() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let Some(neighbour) = Schema::new().await else { return skipped() };
    for schema in [&schema, &neighbour] {
        PostgresStore::open(&schema.config()).await.unwrap().close().await;
    }
    let [one, two] = ["one", "two"];
    let one = PostgresBulletin::open(&schema.config(), one).await.unwrap();
    let two = PostgresBulletin::open(&schema.config(), two).await.unwrap();
    let apart = PostgresBulletin::open(&neighbour.config(), "one").await.unwrap();
    for articles in [vec![1], vec![2, u64::MAX]] {
        one.tell(News::Threads { articles });
    }
    assert_eq!(two.next().await, News::Threads { articles: vec![1] });
    assert_eq!(two.next().await, News::Threads { articles: vec![2, u64::MAX] });
    // What is too long to be told is said to be lost.
    one.tell(News::Event { event: serde_json::Value::String("x".repeat(9_000)) });
    assert_eq!(two.next().await, News::Lost);
    // A node that ends at once has told everything.
    for article in 0..1_000 {
        one.tell(News::Threads { articles: vec![article] });
    }
    for _ in 0..60 {
        one.told().await; // each gives up after a second, so that a node can end at all
    }
    drop(one);
    let heard_all = async {
        for article in 0..1_000 {
            assert_eq!(two.next().await, News::Threads { articles: vec![article] });
        }
    };
    tokio::time::timeout(Duration::from_mins(1), heard_all).await.expect("everything was told");
    let one = PostgresBulletin::open(&schema.config(), "one").await.unwrap();
    two.tell(News::Hello);
    assert_eq!(one.next().await, News::Hello, "nobody hears what they told themselves");
    PostgresBulletin::open(&neighbour.config(), "another").await.unwrap().tell(News::Watched);
    let of_neighbour = PostgresBulletin::open(&neighbour.config(), "another").await.unwrap();
    of_neighbour.tell(News::Hello);
    assert_eq!(heard(&apart, |news| *news != News::Watched).await, News::Hello, "another installation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_made_anew_and_what_was_missed_is_said() {
    let Some(schema) = Schema::new().await else { return skipped() };
    PostgresStore::open(&schema.config()).await.unwrap().close().await;
    let (name, config) = (schema.name(), schema.watched());
    let one = PostgresBulletin::open(&config, "one").await.unwrap();
    let two = PostgresBulletin::open(&config, "two").await.unwrap();
    let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'");
    schema.run(&cut).await;
    for node in [&one, &two] {
        assert_eq!(heard(node, |news| *news != News::Lost).await, News::Missed);
    }
    one.tell(News::Hello);
    assert_eq!(heard(&two, |news| *news != News::Lost).await, News::Hello, "both listen again");
}

/// Whatever is asked at one moment is one statement: each has the answer to its own question, and the one that cannot be asked disturbs nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_at_once_is_answered_each_by_its_own() {
    let Some(engine) = Schema::new().await else { return skipped() };
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&engine.config()).await.unwrap());
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    for n in 0..20 {
        let made = Made::new(&news, &format!("c-{n}")).author(&format!("u-{n}")).at(n);
        let made = if n % 2 == 0 { made } else { made.held(None, &[], 0.5) };
        made.store(&*store).await;
    }
    let asked = (0..300).map(|n| {
        let (store, of) = (Arc::clone(&store), if n % 3 == 0 { &blog } else { &news }.id);
        tokio::spawn(async move {
            let name = format!("c-{}", n % 30);
            let found = store.comment_find(of, &id(&name)).await.unwrap();
            let is_stored = store.comment_is_stored(of, &name).await.unwrap();
            let nul = store.comment_is_stored(of, "a\0b").await;
            (n, name, found, is_stored, nul.is_err())
        })
    });
    for asked in asked.collect::<Vec<_>>() {
        let (n, name, found, is_stored, is_refused) = asked.await.unwrap();
        let is_there = n % 3 != 0 && n % 30 < 20;
        assert_eq!((found.is_some(), is_stored, is_refused), (is_there, is_there, true), "{n}");
        if let Some((record, _)) = found {
            assert_eq!((record.comment.id.as_str(), &*record.site, record.waits), (&*name, "news", n % 2 == 1));
        }
    }
    let pasts = (0..60).map(|n| {
        let (store, made) = (Arc::clone(&store), Made::new(&news, "new").author(&format!("u-{n}")));
        tokio::spawn(async move { (n, store.author_past(&made.0.trace, at(100), 9).await.unwrap()) })
    });
    for past in pasts.collect::<Vec<_>>() {
        let (n, past) = past.await.unwrap();
        let (approved, held) = (u32::from(n < 20 && n % 2 == 0), u32::from(n < 20 && n % 2 == 1));
        assert_eq!((past.approved, past.held), (approved, held), "{n}");
        assert_eq!(past.last_at, (n < 20).then(|| at(n)));
    }
    // What was not there a moment ago is there once it is stored here.
    assert!(!store.comment_is_stored(news.id, "late").await.unwrap());
    Made::new(&news, "late").store(&*store).await;
    assert!(store.comment_is_stored(news.id, "late").await.unwrap());
    store.close().await;
    assert!(store.comment_find(news.id, &id("c-1")).await.is_err(), "and nobody waits for ever");
}

/// Everything of the month goes, with its partitions; what came later, and the name of what went, are there to be used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn months_that_are_too_old_go_with_everything_of_their_comments() {
    let Some(engine) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&Config { retain_days: 31, ..engine.config() }).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    // A year before: what lies ahead of the database's own clock is never too old.
    let (day, year) = (86_400, 365 * 86_400);
    let at = |seconds: i64| at(seconds - year);
    assert!(store.keep_room(at(0)).await.unwrap().is_empty(), "partitions are made before anything lies in them");
    let news = site(&*store, "news").await;
    let old = Made::new(&news, "c-1").at(-year).held(None, &[], 0.5).store(&*store).await;
    let ruled = store.rule(ruling(Action::Reject, &[&old], 5 - year)).await.unwrap();
    let young = Made::new(&news, "c-2").at(40 * day - year).held(None, &[], 0.5).store(&*store).await;
    assert!(store.keep_room(at(31 * day)).await.unwrap().is_empty(), "its last day is not old enough");
    store.make_room(at(70 * day)).await.unwrap();
    assert_eq!(
        store.comment_by_uid(old.uid).await.unwrap().map(|record| record.uid),
        Some(old.uid),
        "a start drops nothing"
    );
    assert_eq!(store.keep_room(at(70 * day)).await.unwrap(), ["2025_11", "2025_12"], "empty ones, too");
    assert!(store.keep_room(at(70 * day)).await.unwrap().is_empty(), "once");
    assert_eq!(store.comment_by_uid(old.uid).await.unwrap(), None);
    assert!(store.comment_history(old.uid).await.unwrap().is_empty());
    assert!(matches!(
        store.unrule(ruled.decision, moderator(), &Reach::ALL, at(70 * day)).await,
        Err(UndoError::NotFound)
    ));
    let page = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(10), at(70 * day)).await.unwrap();
    assert_eq!(page.items.iter().map(|item| item.record.uid).collect::<Vec<_>>(), [young.uid]);
    let again = Made::new(&news, "c-1").at(71 * day - year).body("something else").store(&*store).await;
    assert_ne!(again.uid, old.uid, "its name is free");
}

/// A machine whose clock is years ahead would drop what the others still show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_too_old_that_is_not_so_by_the_databases_clock() {
    let Some(engine) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&Config { retain_days: 31, ..engine.config() }).await.unwrap();
    let now = SystemClock.now();
    store.keep_room(now).await.unwrap();
    let news = site(&store, "news").await;
    let young = Made::new(&news, "c-1").at((now.as_millis() - at(0).as_millis()) / 1_000).store(&store).await;
    let ahead = now.plus_millis(400 * 86_400_000);
    assert_eq!(store.keep_room(ahead).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.comment_by_uid(young.uid).await.unwrap(), Some(young));
}

/// A partition cannot be made where the partition for the rest holds comments of its month: they stay there, and nothing fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_that_came_before_their_partition_stay_where_they_are() {
    let Some(engine) = Schema::new().await else { return skipped() };
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let early = Made::new(&news, "c-1").store(&*store).await;
    let (one, other) = tokio::join!(store.keep_room(at(1)), store.keep_room(at(1)));
    assert!(one.unwrap().is_empty() && other.unwrap().is_empty(), "two at once do not stand in each other's way");
    let late = Made::new(&news, "c-2").at(30 * 86_400).store(&*store).await;
    for record in [early, late] {
        assert_eq!(store.comment_by_uid(record.uid).await.unwrap(), Some(record));
    }
}

/// Before there is any secret that could fail to open: each of two nodes with keys of their own would seal what the other cannot read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_key_does_not_start_on_an_empty_database_either() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
    let folder = tempfile::tempdir().unwrap();
    let start = async |key: &str| {
        let mut config = doorward::config::Config { database: schema.config(), ..Default::default() };
        config.secrets.key_file = folder.path().join(key);
        match doorward::startup::assemble(&config, Arc::new(SystemClock)).await {
            Ok(app) => {
                app.store().close().await;
                Ok(())
            }
            Err(error) => Err(format!("{error:#}")),
        }
    };
    start("one").await.unwrap();
    start("one").await.unwrap();
    let refused = start("other").await.unwrap_err();
    assert!(refused.starts_with("secrets.key_file is not the one that other nodes"), "{refused}");
    // A rotation leaves a database that the new key belongs to, and the old one does not.
    std::fs::copy(folder.path().join("one"), folder.path().join("before")).unwrap();
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    let sealer = doorward::app::secrets::Sealer::open(&folder.path().join("one")).unwrap();
    doorward::app::rotation::rotate(&store, &sealer, at(1)).await.unwrap();
    store.close().await;
    start("one").await.unwrap();
    assert!(start("before").await.is_err());
}

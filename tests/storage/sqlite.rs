//! The suite on SQLite, and what this engine must do besides: say clearly what is wrong with a file, share it with
//! commands, and acknowledge nothing that it could not write.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use doorward::domain::decision::Action;
use doorward::domain::people::Reach;
use doorward::domain::sanction::{Measure, NewSanction, Target, TargetKind};
use doorward::domain::search::{Question, Search as _, SearchFilter};
use doorward::domain::store::{QueueFilter, QueueSort, Store, StoreError};
use doorward::storage::Config;
use doorward::storage::sqlite::{OpenError, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::folder::at_one_moment;
use crate::made::{Made, at, first_page, id, moderator, ruling, site, worker};
use crate::outbox::{Harm, all_dead_letters_are_sent_again_however_many, what_is_damaged_is_given_up_by_itself};
use crate::search::an_unreadable_comment_keeps_nothing_else_from_being_found;
use crate::suite::Engine;

/// Runs a test on a folder of its own.
macro_rules! in_a_folder {
    ($engine:ident, $test:expr) => {{
        let $engine = Folder::new();
        $test.await;
    }};
}

crate::run_on_each!(engine => in_a_folder);

/// A folder with a database in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("doorward.db")
    }

    fn config(&self) -> Config {
        Config::sqlite(&self.path())
    }

    /// For tests about locks that are never let go: the default would only make them slow.
    fn impatient(&self) -> Config {
        Config { busy_timeout_ms: 50, ..self.config() }
    }

    fn serve(&self) -> SqliteStore {
        SqliteStore::open_serving(&self.config()).unwrap()
    }
}

#[async_trait]
impl Engine for Folder {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.serve())
    }

    async fn crashed(&self) -> Box<dyn Engine> {
        let copy = Self::new();
        for (name, bytes) in at_one_moment(self.0.path()) {
            if !name.ends_with("-shm") {
                std::fs::write(copy.0.path().join(name), bytes).unwrap();
            }
        }
        Box::new(copy)
    }
}

/// Of a file there is one service, so what was on its way when it died is on nobody's way now.
#[tokio::test]
async fn what_was_on_its_way_in_a_crash_is_taken_again_without_waiting_for_its_lease() {
    let folder = Folder::new();
    let store = folder.open().await;
    let news = site(&*store, "news").await;
    assert!(store.site_webhook_set("news", Some("https://news.example/hooks"), at(0)).await.unwrap());
    let mut made = Made::new(&news, "c-1").held(None, &[], 0.5);
    made.0.tell = true;
    made.store(&*store).await;
    let taken = store.outbox_take(news.id, 9, at(3), at(63)).await.unwrap();
    let after = folder.crashed().await.open().await;
    let again = after.outbox_take(news.id, 9, at(3), at(63)).await.unwrap();
    assert_eq!((again[0].message, again[0].attempts), (taken[0].message, 2));
}

/// Rows are kept in runs, by which the past is looked through: the bound falls where it falls, within one, at its edge, and in what is in none yet.
#[tokio::test]
async fn the_latest_of_many_comments_are_counted_wherever_the_bound_falls() {
    let folder = Folder::new();
    let store = folder.open().await;
    let news = site(&*store, "news").await;
    Made::new(&news, "c-1").held(None, &[], 0.5).at(1).store(&*store).await;
    let first = at(0).as_millis();
    raw(&folder.path())
        .execute_batch(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
             INSERT INTO comment SELECT n.i, c.site, c.status, c.decided_by, c.revision, c.version, {first} + n.i * 1000, c.updated_at, \
             0, 0, 0, c.keys, c.trace FROM n, comment c WHERE c.id = 1; \
             INSERT INTO key_run VALUES (0, {first} + 4096000, x''), (1, {first} + 8192000, x'')"
        ))
        .unwrap();
    for (most, beyond) in [(100, 9_900), (1_807, 8_193), (1_808, 8_192), (5_904, 4_096), (5_905, 4_095), (9_999, 1)] {
        let found = store.pressure(at(0), at(20_000), most).await.unwrap();
        assert_eq!((found.since, found.sites["news"].total()), (at(beyond).plus_millis(1), u64::from(most)), "{most}");
    }
    let all = store.pressure(at(0), at(20_000), 10_000).await.unwrap();
    assert_eq!((all.since, all.sites["news"].total()), (at(0), 10_000));
    let part = store.pressure(at(4_097), at(9_001), 4_904).await.unwrap();
    assert_eq!((part.since, part.sites["news"].total()), (at(4_097), 4_904), "just so many, in some runs");
}

#[tokio::test]
async fn a_damaged_notice_stops_no_other() {
    let folder = Folder::new();
    let harm = async |harm: Harm| {
        let harm = match harm {
            Harm::Notice => "UPDATE outbox SET b = x'07' WHERE id = (SELECT min(id) FROM outbox)",
            Harm::Comment => {
                "UPDATE content SET b = x'07' WHERE id = (SELECT comment FROM outbox ORDER BY id LIMIT 1 OFFSET 1)"
            }
        };
        raw(&folder.path()).execute_batch(harm).unwrap();
    };
    what_is_damaged_is_given_up_by_itself(&*folder.open().await, harm).await;
}

#[tokio::test]
async fn dead_letters_are_sent_again_in_parts_and_none_is_left() {
    let folder = Folder::new();
    let store = folder.open().await;
    let more = async |count: u32| {
        let copies = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO outbox (uid, site, comment, not_before, next_at, attempts, dead_at, problem, b) \
             SELECT randomblob(16), site, comment, not_before, next_at, attempts, dead_at, problem, b FROM outbox, n"
        );
        raw(&folder.path()).execute_batch(&copies).unwrap();
    };
    all_dead_letters_are_sent_again_however_many(&*store, more).await;
}

#[tokio::test]
async fn an_unreadable_comment_stops_neither_search_nor_queue() {
    let folder = Folder::new();
    let harm = async |number: u32| {
        let harm = format!("UPDATE content SET b = x'07' WHERE id = {number}");
        raw(&folder.path()).execute_batch(&harm).unwrap();
    };
    an_unreadable_comment_keeps_nothing_else_from_being_found(&*folder.open().await, harm).await;
}

/// The table of them would grow for as long as words cannot be entered.
#[tokio::test]
async fn changes_to_the_queue_are_forgotten_also_while_no_words_can_be_entered() {
    let folder = Folder::new();
    let store = folder.open().await;
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100002) \
                INSERT INTO queue_change (id) SELECT 1 FROM n; ALTER TABLE search_due RENAME TO away";
    raw(&folder.path()).execute_batch(many).unwrap();
    store.search_index(100).await.unwrap_err();
    let left: i64 = raw(&folder.path()).query_row("SELECT count(*) FROM queue_change", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 95_002);
}

fn failure(config: &Config) -> OpenError {
    match SqliteStore::open_serving(config) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

fn raw(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

/// What docs/privacy.md says of these hashes, and no more: the address stands nowhere, and whoever has the file can try addresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hash_of_a_sanctions_target_hides_it_from_sight_only() {
    let folder = Folder::new();
    let store = folder.open().await;
    let target = |address: &str| Target::parse(TargetKind::Network, address, None).unwrap();
    let new = NewSanction {
        site: None,
        measure: Measure::Ban,
        kind: TargetKind::Network,
        hash: target("203.0.113.77").hash(&store.target_key()),
        hint: target("203.0.113.77").hint(),
        cause: "advertising".to_owned(),
        shadow: false,
        by: moderator(),
        at: at(1),
        expires_at: None,
        also: None,
    };
    store.sanction_add(new).await.unwrap();
    let crashed = folder.crashed().await;
    let copy = crashed.open().await;
    let sanction = copy.sanctions_active(at(2)).await.unwrap().remove(0);
    assert!(!format!("{sanction:?}").contains("203.0.113"), "{sanction:?}");
    let tried =
        ["203.0.113.76", "203.0.113.77"].map(|address| target(address).hash(&copy.target_key()) == sanction.hash);
    assert_eq!(tried, [false, true], "no longer so? Then the pages may promise more");
}

#[test]
fn missing_folder_is_named() {
    let folder = Folder::new();
    let error = failure(&Config::sqlite(&folder.0.path().join("nowhere/doorward.db")));
    assert!(matches!(error, OpenError::FolderMissing(_)), "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn file_of_another_kind_is_left_alone() {
    let folder = Folder::new();
    let text = "This is a letter, long enough to be read as the first page of something. ".repeat(200);
    std::fs::write(folder.path(), &text).unwrap();
    let error = failure(&folder.config());
    assert!(matches!(error, OpenError::NotADatabase(_)), "{error}");
    assert_eq!(std::fs::read_to_string(folder.path()).unwrap(), text);
}

#[test]
fn database_of_another_program_is_left_alone() {
    let folder = Folder::new();
    raw(&folder.path()).execute_batch("CREATE TABLE theirs (a)").unwrap();
    let error = failure(&folder.config());
    assert!(matches!(error, OpenError::Foreign(_)), "{error}");
    let tables: i64 =
        raw(&folder.path()).query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn folder_in_place_of_the_file_is_an_error() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path()).unwrap();
    assert!(matches!(failure(&folder.config()), OpenError::Io { .. }));
}

#[test]
fn newer_schema_is_refused() {
    let folder = Folder::new();
    drop(folder.serve());
    let newer =
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES (9999, 'later', '', '0')";
    raw(&folder.path()).execute_batch(newer).unwrap();
    let error = failure(&folder.config());
    assert!(matches!(error, OpenError::Newer { found: 9_999, .. }), "{error}");
}

#[test]
fn file_without_the_right_to_write_is_refused() {
    let folder = Folder::new();
    drop(folder.serve());
    let mut rights = std::fs::metadata(folder.path()).unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(folder.path(), rights).unwrap();
    if std::fs::File::options().append(true).open(folder.path()).is_ok() {
        return; // the superuser may write whatever the rights say
    }
    assert!(matches!(failure(&folder.config()), OpenError::ReadOnly(_)));
}

#[test]
fn locked_file_is_refused_after_the_timeout() {
    let folder = Folder::new();
    let other = raw(&folder.path());
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let error = failure(&folder.impatient());
    assert!(matches!(error, OpenError::Locked(_)), "{error}");
}

#[test]
fn second_service_is_refused_and_the_first_one_goes_on() {
    let folder = Folder::new();
    let first = folder.serve();
    assert!(matches!(failure(&folder.config()), OpenError::Served(_)));
    drop(first);
    drop(folder.serve()); // the lock ends with its holder
}

#[test]
fn damaged_runs_are_found_at_start() {
    let folder = Folder::new();
    drop(folder.serve());
    raw(&folder.path()).execute_batch("INSERT INTO key_run (w, last_at, b) VALUES (0, 0, x'00')").unwrap();
    assert!(matches!(failure(&folder.config()), OpenError::Unusable { .. }));
}

#[tokio::test]
async fn commands_work_beside_the_service_but_take_no_comments_in() {
    let folder = Folder::new();
    let service = folder.serve();
    let command = SqliteStore::open(&folder.config()).unwrap();
    let news = site(&command, "news").await;
    let record = Made::new(&news, "c-1").store(&service).await;
    assert_eq!(command.comment_by_uid(record.uid).await.unwrap(), Some(record));
    let refused = command.comment_record(Made::new(&news, "c-2").0).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    assert!(matches!(command.comment_find(news.id, &id("c-1")).await, Err(StoreError::Unavailable(_))));
    assert!(command.site_delete("news", doorward::domain::decision::Actor::Console, at(1)).await.unwrap());
    assert!(service.comment_find(news.id, &id("c-1")).await.unwrap().is_none());
    let blog = site(&command, "blog").await;
    Made::new(&blog, "c-1").store(&service).await;
}

#[tokio::test]
async fn the_queue_follows_what_another_process_writes() {
    let folder = Folder::new();
    let service = folder.serve();
    let command = SqliteStore::open(&folder.config()).unwrap();
    let news = site(&service, "news").await;
    let mut records = Vec::new();
    for n in 0..5 {
        records.push(Made::new(&news, &format!("c-{n}")).held(None, &["blocklist"], 0.5).at(n).store(&service).await);
    }
    let counted = async |store: &SqliteStore, q: Option<&str>| {
        let filter = QueueFilter { q: q.map(str::to_owned), ..QueueFilter::default() };
        let page = store.queue(&filter, QueueSort::Oldest, &first_page(1), at(9)).await.unwrap();
        (page.held, page.by_assigned.get("ann@example.org").copied().unwrap_or(0))
    };
    assert_eq!((counted(&service, None).await, counted(&command, Some("liked")).await), ((5, 0), (5, 0)));
    let ruled = command.rule(ruling(Action::Approve, &[&records[0], &records[1]], 6)).await.unwrap();
    service.claim(&[records[2].uid], &worker("ann@example.org"), at(99), at(6)).await.unwrap();
    assert_eq!((counted(&service, Some("liked")).await, counted(&command, None).await), ((3, 1), (3, 1)));
    command.unrule(ruled.decision, moderator(), &Reach::ALL, at(7)).await.unwrap();
    assert_eq!((counted(&service, Some("liked")).await, counted(&command, None).await), ((5, 1), (5, 1)));
    command.site_delete("news", moderator(), at(8)).await.unwrap();
    assert_eq!((counted(&service, Some("liked")).await, counted(&service, None).await), ((0, 0), (0, 0)));
}

#[tokio::test]
async fn the_queue_of_one_who_sees_some_sites_outlives_a_deleted_site() {
    let folder = Folder::new();
    let (news, blog) = {
        let store = folder.serve();
        let (news, blog) = (site(&store, "news").await, site(&store, "blog").await);
        Made::new(&news, "c-1").held(None, &[], 0.5).store(&store).await;
        Made::new(&blog, "c-1").held(None, &[], 0.5).store(&store).await;
        (news.name.to_string(), blog.name.to_string())
    };
    let store = folder.serve();
    let nobody = QueueFilter { author: Some("nobody".to_owned()), ..QueueFilter::default() };
    let page = store.queue(&nobody, QueueSort::Oldest, &first_page(9), at(9)).await.unwrap();
    assert_eq!(page.held, 0, "the queue is read, and no site was named");
    store.site_delete(&news, moderator(), at(9)).await.unwrap();
    let reach = Reach { sites: Some(vec![blog.clone()]), ..Reach::ALL };
    let bounded = QueueFilter { reach, ..QueueFilter::default() };
    let page = store.queue(&bounded, QueueSort::Oldest, &first_page(9), at(9)).await.unwrap();
    assert_eq!(page.by_site.into_iter().collect::<Vec<_>>(), [(blog, 1)]);
}

#[tokio::test]
async fn locked_database_acknowledges_nothing_and_recovers() {
    let folder = Folder::new();
    let store = SqliteStore::open_serving(&folder.impatient()).unwrap();
    let news = site(&store, "news").await;
    let other = raw(&folder.path());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.comment_record(Made::new(&news, "c-1").0).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    assert!(store.ready().await.is_err());
    other.execute_batch("ROLLBACK").unwrap();
    store.ready().await.unwrap();
    assert!(store.comment_find(news.id, &id("c-1")).await.unwrap().is_none());
    Made::new(&news, "c-1").store(&store).await;
}

#[tokio::test]
async fn full_database_acknowledges_nothing_and_keeps_what_it_has() {
    let folder = Folder::new();
    let store = SqliteStore::open_serving(&Config { max_file_mb: 1, ..folder.config() }).unwrap();
    let news = site(&store, "news").await;
    let mut stored = Vec::new();
    let refused = loop {
        let made = Made::new(&news, &format!("c-{}", stored.len())).body(&"long ".repeat(4_000));
        match store.comment_record(made.clone().0).await {
            Ok(_) => stored.push(made),
            Err(error) => break (made, error),
        }
    };
    assert!(matches!(refused.1, StoreError::Unavailable(_)));
    assert!(!stored.is_empty());
    assert!(store.ready().await.is_err(), "a store that cannot write is not ready");
    assert!(store.comment_find(news.id, &refused.0.0.comment.id).await.unwrap().is_none());
    store.close().await;
    drop(store);
    let store = folder.serve(); // without the limit: there is room again
    for made in &stored {
        assert!(store.comment_find(news.id, &made.0.comment.id).await.unwrap().is_some());
    }
    refused.0.store(&store).await;
    store.ready().await.unwrap();
}

#[tokio::test]
async fn erased_words_are_nowhere_in_the_file() {
    let folder = Folder::new();
    let store = folder.serve();
    let news = site(&store, "news").await;
    Made::new(&news, "c-1").body("hippopotamus one").store(&store).await;
    while store.search_index(100).await.unwrap().more {}
    Made::new(&news, "c-1").body("hippopotamus two").revise(&store).await.unwrap();
    while store.search_index(100).await.unwrap().more {}
    store.comment_erase(news.id, &id("c-1"), doorward::domain::decision::Actor::Console, at(1)).await.unwrap();
    store.close().await;
    drop(store);
    let bytes = std::fs::read(folder.path()).unwrap();
    assert!(!bytes.windows(12).any(|window| window == b"hippopotamus"));
    assert!(!folder.0.path().join("doorward.db-wal").exists(), "the log went with the last connection");
}

#[tokio::test]
async fn edits_leave_an_index_of_words_that_is_sound_and_knows_no_words_of_before() {
    let folder = Folder::new();
    let store = folder.serve();
    let news = site(&store, "news").await;
    let words = ["river", "tram", "school", "bridge", "harbour", "lane", "market", "council", "station", "ferry"];
    let said = |n: usize, what: &str, word: usize| {
        let body = format!("{what} {n} {}", words[word % words.len()]);
        Made::new(&news, &format!("c-{n}")).body(&body).at(i64::try_from(n).unwrap())
    };
    for n in 0..50 {
        said(n, "comment", n).store(&store).await;
    }
    while store.search_index(1_000).await.unwrap().more {}
    for n in (0..50).step_by(3) {
        said(n, "edited", 3 * n).revise(&store).await.unwrap();
    }
    while store.search_index(1_000).await.unwrap().more {}
    let found = async |question: &str| {
        let filter = SearchFilter { question: Question::read(question), ..SearchFilter::default() };
        store.comment_search(&filter, &first_page(500)).await.unwrap().items.len()
    };
    assert_eq!((found("edited").await, found("comment").await), (17, 33));
    for (at, word) in words.iter().enumerate() {
        let now = (0..50).filter(|n| if n % 3 == 0 { 3 * n % 10 == at } else { n % 10 == at }).count();
        assert_eq!(found(word).await, now, "{word}");
    }
    store.close().await;
    let connection = Connection::open(folder.path()).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

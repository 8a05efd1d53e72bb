//! Databases of earlier versions open in this one, with everything in them readable.
//!
//! `made_by/v1.sql` holds rows as schema 1 and its blobs wrote them. When a stored type changes, this fails: read the old
//! version through a struct of its own (`src/storage/codec.rs`), do not make the file anew. With a new schema or blob
//! version, add a file: `cargo test --test storage -- --ignored rows_of_this_version_are_written_down`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use doorward::domain::campaign::{CampaignFilter, Campaigns as _, Key, Membership, News};
use doorward::domain::category::Category;
use doorward::domain::comment::Article;
use doorward::domain::decision::{Action, DecidedBy, Status};
use doorward::domain::people::{Reach, Role};
use doorward::domain::search::{Question, Search as _, SearchFilter};
use doorward::domain::short;
use doorward::domain::store::{AuditFilter, QueueFilter, QueueSort, Store};
use doorward::domain::trace::Trace;
use doorward::domain::versions::{How, Taken, Version, Versions as _};
use doorward::storage::Config;
use doorward::storage::sqlite::SqliteStore;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;

use crate::made::{Made, at, first_page, id, ruling, site};

const SCHEMAS: [(i64, &str); 2] = [(1, include_str!("made_by/v1.sql")), (4, include_str!("made_by/v4.sql"))];

mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("doorward.db")
}

/// A database as it was at `schema`, with `rows` in it.
fn old_database(path: &Path, schema: i64, rows: &str) {
    let mut connection = Connection::open(path).unwrap();
    let target = refinery::Target::Version(schema.try_into().unwrap());
    embedded::migrations::runner().set_target(target).run(&mut connection).unwrap();
    connection.execute_batch(rows).unwrap();
}

#[tokio::test]
async fn databases_of_every_schema_so_far_are_read() {
    for (schema, rows) in SCHEMAS {
        let folder = tempfile::tempdir().unwrap();
        old_database(&file(&folder), schema, rows);
        let store = SqliteStore::open_serving(&Config::sqlite(&file(&folder))).unwrap();
        let news = Arc::new(store.sites().await.unwrap().remove(0));
        let (held, _) = store.comment_find(news.id, &id("c-1")).await.unwrap().unwrap();
        assert_eq!((held.status, held.revision, held.version), (Status::Held, 2, 2));
        assert_eq!(held.verdict, Made::new(&news, "c-1").held(Some(Category::Spam), &["shouting"], 0.5).0.verdict);
        assert_eq!(held.comment.body, "changed");
        let (ruled, _) = store.comment_find(news.id, &id("c-2")).await.unwrap().unwrap();
        assert_eq!((ruled.status, ruled.decided_by), (Status::Rejected, DecidedBy::Person));
        let history = store.comment_history(ruled.uid).await.unwrap();
        assert_eq!(history[1].reason.as_deref(), Some("because"));
        let queue = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(9), at(9)).await.unwrap();
        assert_eq!(queue.items[0].article.title.as_deref(), Some("Bees"));
        assert_eq!(queue.items[0].record, held);
        while store.search_index(1).await.unwrap().more {}
        let asked = SearchFilter { question: Question::read("changed"), ..SearchFilter::default() };
        let found = store.comment_search(&asked, &first_page(9)).await.unwrap();
        assert_eq!(found.items, std::slice::from_ref(&held), "what is there is entered");
        assert_eq!(store.audit_list(&AuditFilter::default(), &first_page(9)).await.unwrap().items.len(), 3);
        let trace = Made::new(&news, "new").author("u-1").0.trace;
        assert_eq!(store.author_past(&trace, at(9), 9).await.unwrap().rejected_by_person, 1);
        let (tell, told) = std::sync::mpsc::channel();
        store.remembered(at(-9), 9, Box::new(move |earlier| tell.send(earlier.trace).unwrap())).await.unwrap();
        let known: Vec<_> = told.iter().map(|trace| (trace.text.is_some(), trace.short.is_some())).collect();
        let campaigns = store.campaign_list(&CampaignFilter::default(), &first_page(9)).await.unwrap().items;
        let keys = campaigns.iter().flat_map(|campaign| &campaign.keys).count();
        match schema {
            1 => assert_eq!(known, [(true, false); 2], "traces of before have no fingerprint of short texts"),
            _ => assert_eq!((known, keys), (vec![(true, false), (true, true)], 2)),
        }
        Made::new(&news, "c-3").store(&store).await;
    }
}

/// Campaigns of before, a letter each: open, rejected, approved, approved on one site, closed, closed on one site.
const CAMPAIGNS_OF_BEFORE: &str = "
    INSERT INTO campaign (id, uid, state, action, ruling, version, at, last_at, size, b, sites) VALUES
        (1, x'a1', 1, NULL, NULL, 1, 0, 0, 9, x'', NULL), (2, x'a2', 2, 2, x'd2', 1, 0, 0, 9, x'', NULL),
        (3, x'a3', 2, 1, x'd3', 1, 0, 0, 9, x'', NULL), (4, x'a4', 2, 1, x'd4', 1, 0, 0, 9, x'', x'01'),
        (5, x'a5', 3, NULL, NULL, 1, 0, 0, 9, x'', NULL), (6, x'a6', 3, NULL, NULL, 1, 0, 0, 9, x'', x'01');
    WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 41)
    INSERT INTO comment (id, site, status, decided_by, revision, version, received_at, updated_at, prev_site, prev_author, prev_article, keys, trace)
        SELECT 1 + n, 1 + n % 2, CASE n / 6 WHEN 1 THEN 2 WHEN 2 THEN 3 WHEN 3 THEN 0 ELSE 1 END, CASE n / 6 WHEN 4 THEN 2 ELSE 1 END,
        1, 1, 0, 0, 0, 0, 0, x'', x'' FROM n;
    INSERT INTO campaign_member (comment, campaign, number, seen) SELECT id, 1 + (id - 1) % 6, 1 + id / 6, (id - 1) / 6 = 5 FROM comment;
    INSERT INTO queue (id, site, category, signals, article, author, priority, held_at)
        SELECT id, site, 0, '', 0, 0, 0, 0 FROM comment WHERE (id - 1) / 6 IN (1, 6);
";

/// Six members of each, of which the first alone is due: the others are held, rejected, erased, decided by a person, seen, drawn.
#[test]
fn what_is_to_be_looked_at_again_is_found_by_the_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    old_database(&file(&folder), 9, CAMPAIGNS_OF_BEFORE);
    let mut connection = Connection::open(file(&folder)).unwrap();
    embedded::migrations::runner().run(&mut connection).unwrap();
    let all = |read: &str| -> Vec<(i64, i64)> {
        let mut query = connection.prepare(read).unwrap();
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let due = "SELECT comment, site FROM recheck ORDER BY comment";
    assert_eq!(all(due), [(1, 1), (2, 2), (4, 2), (6, 2)]);
    assert_eq!(all("SELECT campaign, action FROM campaign_decision ORDER BY id"), [(2, 2), (3, 1), (4, 1)]);
    // The version before knows nothing of it, and goes on: it closes, decides, opens, moves and takes away.
    for (write, left) in [
        ("UPDATE campaign SET state = 3 WHERE id = 1", vec![(2, 2), (4, 2), (6, 2)]),
        ("UPDATE campaign SET state = 1 WHERE id = 1", vec![(1, 1), (2, 2), (4, 2), (6, 2)]),
        ("UPDATE campaign SET state = 1, action = NULL WHERE id = 3", vec![(1, 1), (2, 2), (3, 1), (4, 2), (6, 2)]),
        ("DELETE FROM queue WHERE id = 37", vec![(1, 1), (2, 2), (3, 1), (4, 2), (6, 2), (37, 1)]),
        ("UPDATE campaign_member SET campaign = 5 WHERE campaign = 1", vec![(2, 2), (3, 1), (4, 2), (6, 2)]),
        ("DELETE FROM campaign_member WHERE comment = 2", vec![(3, 1), (4, 2), (6, 2)]),
        ("UPDATE comment SET status = 0 WHERE id = 3", vec![(4, 2), (6, 2)]),
        ("UPDATE campaign SET state = 2, action = 2, sites = NULL WHERE id IN (4, 6)", vec![(4, 2), (6, 2)]),
        ("DELETE FROM campaign WHERE id = 2", vec![(4, 2), (6, 2)]),
    ] {
        connection.execute(write, []).unwrap();
        assert_eq!(all(due), left, "{write}");
    }
    assert_eq!(
        all("SELECT count(*), 0 FROM campaign_decision WHERE campaign = 2"),
        [(0, 0)],
        "it went with its campaign"
    );
}

/// Settings as the version before kept them, with a rule.
const SETTINGS_OF_BEFORE: &str = "
    INSERT INTO config_version (hash, text, files) VALUES
        ('v1', '[[rules]]
name = \"a\"
when = ''true''
then = { action = \"hold\" }
reason = \"r\"
', '[]'), ('v2', 'no settings at all', '[]');
    INSERT INTO config_taken (version, policy, how, at, who, waiting) VALUES ('v1', 'p1', 'start', 0, '', '[]'), ('v2', 'p2', 'start', 1, '', '[]');
";

#[tokio::test]
async fn rules_of_before_the_upgrade_are_known_once_the_service_began() {
    let folder = tempfile::tempdir().unwrap();
    old_database(&file(&folder), 17, SETTINGS_OF_BEFORE);
    let store = SqliteStore::open_serving(&Config::sqlite(&file(&folder))).unwrap();
    let policies = ["p1", "p2", "p3"].map(str::to_owned);
    assert!(store.rule_sets_of(&policies).await.unwrap().is_empty());
    let version = Version { hash: "v3".to_owned(), ..Version::default() };
    let (how, by) = (How::Start, String::new());
    let taken = Taken { version: "v3".to_owned(), policy: "p3".to_owned(), how, at: at(2), by, waiting: Vec::new() };
    store.version_taken(&version, &taken).await.unwrap();
    let sets = store.rule_sets_of(&policies).await.unwrap();
    assert_eq!(sets.len(), 3);
    let rules = async |policy: &str| store.rule_set(&sets[policy]).await.unwrap().unwrap();
    assert_eq!(rules("p1").await.keys().collect::<Vec<_>>(), ["rule:a"]);
    assert!(rules("p2").await.is_empty(), "what cannot be read has no rules that could be taken for others");
}

#[tokio::test]
#[ignore = "writes the file that the test above reads"]
async fn rows_of_this_version_are_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_serving(&Config::sqlite(&file(&folder))).unwrap();
    let news = site(&store, "news").await;
    let mut article = Article::named(id("a-1"));
    article.title = Some("Bees".to_owned());
    let first =
        Made::new(&news, "c-1").author("u-1").with_article(article).held(Some(Category::Spam), &["shouting"], 0.5);
    first.clone().store(&store).await;
    first.body("changed").at(1).revise(&store).await.unwrap();
    let mut second = Made::new(&news, "c-2").author("u-1").body("check my channel for cheats");
    second.0.trace.short = short::fingerprint(&["check", "my", "channel", "for", "cheats"]);
    second.0.membership = Some(campaign_of(&second.0.trace));
    let second = second.store(&store).await;
    store.rule(ruling(Action::Reject, &[&second], 2)).await.unwrap();
    store.person_create("ann@example.org", Role::Moderator, &Reach::ALL, "$argon2id$1", at(3)).await.unwrap();
    store.close().await;
    drop(store);
    let rows = dump(&Connection::open(file(&folder)).unwrap());
    let schema =
        embedded::migrations::runner().get_migrations().iter().map(refinery::Migration::version).max().unwrap();
    let name = format!("{}/tests/storage/made_by/v{schema}.sql", env!("CARGO_MANIFEST_DIR"));
    std::fs::write(name, rows).unwrap();
}

/// What the commit of a comment records of the campaign that it makes one.
fn campaign_of(trace: &Trace) -> Membership {
    let keys = vec![Key::Short(trace.short.unwrap()), Key::Url(7)];
    let (members, absorbs) = (Vec::new(), Vec::new());
    let news = News { first: true, version: 1, at: at(1), keys, members, absorbs, quiet_before: at(0) };
    Membership { campaign: uuid::Uuid::from_u128(4), joined: 1, news: Some(news), most: 9 }
}

/// Every row of our tables, as SQL.
fn dump(connection: &Connection) -> String {
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'refinery%'";
    let mut tables = connection.prepare(tables).unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut sql = String::new();
    for table in tables {
        let mut query = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns: Vec<String> = query.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = query.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> = (0..columns.len()).map(|at| literal(row.get_ref(at).unwrap())).collect();
            writeln!(sql, "INSERT INTO {table} ({}) VALUES ({});", columns.join(", "), values.join(", ")).unwrap();
        }
    }
    sql
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => format!("{value:?}"),
        ValueRef::Text(text) => format!("'{}'", std::str::from_utf8(text).unwrap().replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            format!("x'{}'", bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
        }
    }
}

//! What a move must not begin with or go on under: a file that is changed or damaged, a destination that is served, a user who lacks a right.

use doorward::domain::store::{AuditCheck, Store as _, StoreError};
use doorward::storage::Config;
use doorward::storage::moving::{MoveError, Options, Step, move_all, reopen};
use doorward::storage::postgres::{OpenError, PostgresStore};
use doorward::storage::sqlite::SqliteStore;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio_postgres::Client;

use crate::made::{Made, at, site};
use crate::moving::{ADA, client, filled, moved, moved_saying, small};
use crate::postgres::{Schema, skipped};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comment_whose_content_is_missing_stops_the_move() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    let store = SqliteStore::open_serving(&Config::sqlite(&file)).unwrap();
    let news = site(&store, "news").await;
    let [_, damaged, _] = [
        Made::new(&news, "c-1").store(&store).await,
        Made::new(&news, "c-2").store(&store).await,
        Made::new(&news, "c-3").store(&store).await,
    ];
    store.close().await;
    drop(store);
    let second = "DELETE FROM content WHERE id = (SELECT id FROM comment ORDER BY id LIMIT 1 OFFSET 1)";
    assert_eq!(rusqlite::Connection::open(&file).unwrap().execute(second, []).unwrap(), 1);
    let error = moved(&file, &schema, small()).await.unwrap_err();
    let MoveError::Store(StoreError::Corrupt(what)) = error else { panic!("{error}") };
    assert!(what.contains("comment") && what.contains(&damaged.uid.to_string()), "{what}");
    assert!(matches!(PostgresStore::open(&schema.config()).await.err().unwrap(), OpenError::HalfMoved));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_changes_the_source_while_it_is_moved() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    filled(&file).await;
    let desk = Config { busy_timeout_ms: 50, ..Config::sqlite(&file) };
    let revoke = || async {
        let store = SqliteStore::open(&desk)?;
        let id = store.tokens(None).await?.remove(0).id;
        let revoked = store.token_revoke(ADA, &id, at(100)).await;
        store.close().await;
        anyhow::Ok(revoked?)
    };
    let mut refused = Vec::new();
    let mut say = |step| {
        // Its row has arrived, and then everything was compared: what was taken back now would be there all the same.
        if matches!(step, Step::Moved { table: "token", .. } | Step::Verified { table: "vote", .. }) {
            refused.push(block_in_place(|| Handle::current().block_on(revoke())));
        }
    };
    moved_saying(&file, &schema, small(), &mut say).await.unwrap();
    let is_refusal = |outcome: &anyhow::Result<bool>| {
        outcome.as_ref().is_err_and(|error| format!("{error:#}").contains("database is locked"))
    };
    assert!(refused.len() == 2 && refused.iter().all(is_refusal), "{refused:?}");
    let moved = revoke().await.unwrap_err().to_string();
    let place = schema.config().shown().into_owned();
    assert!(moved.contains(&place) && moved.contains("--reopen"), "afterwards nobody would look for it here: {moved}");
    assert!(
        reopen(&Config::sqlite(&file)).await.unwrap() && revoke().await.unwrap(),
        "whoever wants the file back has it"
    );
    assert!(!reopen(&Config::sqlite(&file)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_whose_lock_nobody_saw_takes_nothing_that_the_move_would_leave_behind() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    let config = Config { busy_timeout_ms: 20, ..Config::sqlite(&file) };
    let serving = SqliteStore::open_serving(&config).unwrap();
    let news = site(&serving, "news").await;
    Made::new(&news, "before").store(&serving).await;
    std::fs::remove_file(folder.path().join("doorward.db.lock")).unwrap(); // as on a file system whose locks do not reach the other machine
    let mut during = Vec::new();
    let mut say = |step| {
        if matches!(step, Step::Verified { table: "vote", done: true, .. }) {
            let record = Made::new(&news, "during").0;
            during.push(block_in_place(|| Handle::current().block_on(serving.comment_record(record))).map(drop));
        }
    };
    moved_saying(&file, &schema, small(), &mut say).await.unwrap();
    assert!(matches!(&during[..], [Err(StoreError::Unavailable(_))]), "the slot is taken: {during:?}");
    let place = schema.config().shown().into_owned();
    for outcome in [serving.comment_record(Made::new(&news, "after").0).await.map(drop), serving.ready().await] {
        assert!(matches!(&outcome, Err(StoreError::Moved(to)) if *to == place), "{outcome:?}");
    }
    serving.close().await;
    drop(serving);
    let refused = SqliteStore::open_serving(&config).err().unwrap().to_string();
    assert!(refused.contains(&place) && !refused.contains("during"), "{refused}");
    let there = client(&schema).await;
    assert_eq!(
        there.query_one("SELECT count(*) FROM comment", &[]).await.unwrap().get::<_, i64>(0),
        1,
        "no other was acknowledged"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_moved_under_those_who_serve() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    filled(&file).await;
    let serving = PostgresStore::open(&schema.config()).await.unwrap();
    let there = client(&schema).await;
    let moment = |ms: i64| format!("(extract(epoch FROM clock_timestamp()) * 1000)::bigint + {ms}");
    let seen = |ms| format!("INSERT INTO node VALUES ('node-a', '1', 1, 0, {})", moment(ms));
    let holds = |ms| format!("INSERT INTO lease VALUES ('outbox', 'node-b', {})", moment(ms));
    for (sign, name) in [(seen(-1_000), "node-a"), (holds(3_600_000), "node-b")] {
        there.batch_execute(&sign).await.unwrap();
        let error = moved(&file, &schema, small()).await.unwrap_err();
        assert!(matches!(&error, MoveError::TargetServed(by) if by == name), "{error}");
        serving.ready().await.unwrap();
        there.batch_execute("DELETE FROM node; DELETE FROM lease").await.unwrap();
    }
    // Who was heard of long ago serves no more.
    there.batch_execute(&format!("{}; {}", seen(-600_000), holds(-600_000))).await.unwrap();
    let half = Options { batches_max: Some(3), ..small() };
    assert!(matches!(moved(&file, &schema, half).await, Err(MoveError::Stopped)));
    // One that had opened the database just before, and had yet to say so, is not ready from now on.
    assert!(serving.ready().await.is_err());
    let before = there.query_one("SELECT count(*) FROM move_progress", &[]).await.unwrap().get::<_, i64>(0);
    there.batch_execute(&format!("DELETE FROM node; {}", seen(0))).await.unwrap();
    assert!(matches!(moved(&file, &schema, small()).await, Err(MoveError::TargetServed(_))));
    let after = there.query_one("SELECT count(*) FROM move_progress", &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(before, after);
    there.batch_execute("DELETE FROM node").await.unwrap();
    // It says so while everything is on its way: then the move is not finished.
    let mut say = |step| {
        if matches!(step, Step::Verified { table: "vote", .. }) {
            block_in_place(|| Handle::current().block_on(there.batch_execute(&seen(0)))).unwrap();
        }
    };
    let outcome = moved_saying(&file, &schema, small(), &mut say).await;
    assert!(matches!(outcome, Err(MoveError::TargetServed(_))), "{outcome:?}");
    SqliteStore::open(&Config::sqlite(&file)).unwrap().close().await; // it is not marked: whoever gives up the move has it as it was
    assert!(matches!(PostgresStore::open(&schema.config()).await.err().unwrap(), OpenError::HalfMoved));
    there.batch_execute("DELETE FROM node").await.unwrap();
    moved(&file, &schema, small()).await.unwrap();
    assert!(serving.ready().await.is_err(), "what it signs with is not the secret of what is there now");
    serving.close().await;
    PostgresStore::open(&schema.config()).await.unwrap().ready().await.unwrap();
}

/// A user of the server who is nobody yet, and the destination as that one sees it.
async fn newcomer(schema: &Schema, admin: &Client) -> (String, Config) {
    let place: String = admin.query_one("SELECT current_schema()::text", &[]).await.unwrap().get(0);
    let user = format!("{place}_newcomer");
    admin.batch_execute(&format!("DROP ROLE IF EXISTS {user}; CREATE ROLE {user}")).await.unwrap();
    let url = format!("{}%20-crole%3D{user}", schema.config().url);
    (user, Config { url, ..schema.config() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_do_everything_is_told_before_anything_is_written() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    filled(&file).await;
    let from = Config::sqlite(&file);
    let admin = client(&schema).await;
    let (user, to) = newcomer(&schema, &admin).await;
    let place = user.trim_end_matches("_newcomer");
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind = 'r'";
    let before: i64 = admin.query_one(tables, &[&place]).await.unwrap().get(0);
    assert_eq!(before, 0);
    let read_only =
        Config { url: format!("{}%20-cdefault_transaction_read_only%3Don", schema.config().url), ..schema.config() };
    for (grant, to, wanted) in [
        ("", &read_only, "can only be read".to_owned()),
        ("", &to, "GRANT USAGE".to_owned()),
        ("GRANT USAGE ON SCHEMA SCHEMA TO USER", &to, format!("GRANT CREATE ON SCHEMA {place} TO {user}")),
    ] {
        admin
            .batch_execute(
                &grant.replace("TO USER", &format!("TO {user}")).replace("SCHEMA SCHEMA", &format!("SCHEMA {place}")),
            )
            .await
            .unwrap();
        let error = move_all(&from, to, small(), &mut |step| panic!("{step:?}")).await.unwrap_err();
        assert!(matches!(&error, MoveError::Rights(what) if what.contains(&wanted)), "{error}");
        let after: i64 = admin.query_one(tables, &[&place]).await.unwrap().get(0);
        assert_eq!(after, 0);
    }
    // The schema was made by somebody else.
    PostgresStore::open(&schema.config()).await.unwrap().close().await;
    admin
        .batch_execute(&format!(
            "GRANT ALL ON SCHEMA {place} TO {user}; GRANT ALL ON ALL TABLES IN SCHEMA {place} TO {user}"
        ))
        .await
        .unwrap();
    let error = move_all(&from, &to, small(), &mut |step| panic!("{step:?}")).await.unwrap_err();
    assert!(matches!(&error, MoveError::Rights(what) if what.contains("belongs to")), "{error}");
    // A schema of its own, but for one right that was taken away.
    admin
        .batch_execute(&format!("DROP SCHEMA {place} CASCADE; CREATE SCHEMA {place} AUTHORIZATION {user}"))
        .await
        .unwrap();
    PostgresStore::open(&to).await.unwrap().close().await;
    admin.batch_execute(&format!("REVOKE INSERT ON vote FROM {user}")).await.unwrap();
    let error = move_all(&from, &to, small(), &mut |step| panic!("{step:?}")).await.unwrap_err();
    assert!(matches!(&error, MoveError::Rights(what) if what.contains("GRANT INSERT ON vote")), "{error}");
    admin.batch_execute(&format!("GRANT INSERT ON vote TO {user}")).await.unwrap();
    let mut counted = 0;
    let mut arrived = 0;
    let mut say = |step| match step {
        Step::Counted { rows, arrived: 0 } => counted = rows,
        Step::Counted { .. } => panic!("{step:?}"),
        Step::Moved { new, .. } => arrived += new,
        Step::Verified { .. } => {}
    };
    let moved = move_all(&from, &to, small(), &mut say).await.unwrap();
    assert_eq!(moved.rows, arrived);
    assert!(counted >= arrived && arrived > 0, "{arrived} of {counted}");
    admin.batch_execute(&format!("DROP OWNED BY {user} CASCADE; DROP ROLE {user}")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_to_the_record_is_found_at_the_destination_too() {
    for (case, change) in [
        ("a line changed", "UPDATE audit SET detail = 'nothing' WHERE id = 3"),
        ("a line dropped", "DELETE FROM audit WHERE id = 2"),
        ("the last line dropped", "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)"),
        ("the end changed", "UPDATE meta SET value = zeroblob(40) WHERE name = 'audit_head'"),
    ] {
        let Some(schema) = Schema::new().await else { return skipped() };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("doorward.db");
        filled(&file).await;
        let triggers = "DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted;";
        rusqlite::Connection::open(&file).unwrap().execute_batch(&format!("{triggers} {change}")).unwrap();
        moved(&file, &schema, small()).await.unwrap();
        assert!(reopen(&Config::sqlite(&file)).await.unwrap());
        let here = SqliteStore::open(&Config::sqlite(&file)).unwrap();
        let there = PostgresStore::open(&schema.config()).await.unwrap();
        let (here, there) = (here.audit_verify(None).await.unwrap(), there.audit_verify(None).await.unwrap());
        assert!(matches!(&there, AuditCheck::Broken { .. }), "{case}: {there:?}");
        assert_eq!(here, there, "{case}");
    }
}

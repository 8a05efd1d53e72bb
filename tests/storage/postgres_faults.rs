//! What goes wrong around a PostgreSQL database: nodes and servers that vanish, others that are in the way, and hands that reach in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use doorward::domain::campaign::MemberFilter;
use doorward::domain::decision::{Action, Status};
use doorward::domain::outbox::{LetterFilter, Outbox as _, Settled};
use doorward::domain::sanction::{NewSanction, Sanctions as _};
use doorward::domain::site::Site;
use doorward::domain::store::{AuditCheck, AuditEntry, QueueFilter, QueueSort, Remembered, Store, StoreError};
use doorward::storage::Config;
use doorward::storage::memory::history::{self, MemoryHistory};
use doorward::storage::postgres::PostgresStore;
use tokio_postgres::Client;

use crate::campaigns::World;
use crate::made::{Made, at, first_page, id, moderator, ruling, site};
use crate::outbox::{Harm, all_dead_letters_are_sent_again_however_many, what_is_damaged_is_given_up_by_itself};
use crate::postgres::{Schema, skipped};
use crate::sanctions_reports_appeals::{ban, banned};
use crate::search::an_unreadable_comment_keeps_nothing_else_from_being_found;
use crate::suite::Engine as _;

/// One value.
async fn ask<T: for<'a> tokio_postgres::types::FromSql<'a>>(client: &Client, sql: &str) -> T {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// What connections of the pool asked the server for is seen by a trigger, which runs on one of them.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_something_and_vanishes_loses_it_soon() {
    let Some(schema) = Schema::new().await else { return skipped() };
    PostgresStore::open(&schema.config()).await.unwrap().close().await;
    let note = "CREATE TABLE noted (said text); \
                CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO noted \
                SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN \
                ('idle_in_transaction_session_timeout', 'lock_timeout', 'statement_timeout'); RETURN NULL; END $$; \
                CREATE TRIGGER note AFTER INSERT ON site FOR EACH STATEMENT EXECUTE FUNCTION note()";
    schema.run(note).await;
    let usual = schema.config();
    let own = Config { url: format!("{}%20-cstatement_timeout%3D70000", usual.url), ..usual.clone() };
    for (config, name) in [(usual, "news"), (own, "blog")] {
        let store = PostgresStore::open(&config).await.unwrap();
        site(&store, name).await;
    }
    let said = schema.stranger().await.query("SELECT said FROM noted", &[]).await.unwrap();
    let said: Vec<String> = said.iter().map(|row| row.get(0)).collect();
    assert_eq!(said, ["10000 5000 30000", "10000 5000 70000"], "an address may ask for something else");
}

/// A database that was set up for speed: a crash of it would take comments with it that were acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_waited_for_also_where_the_server_is_set_not_to() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let stranger = schema.stranger().await;
    let database: String = ask(&stranger, "SELECT quote_ident(current_database())").await;
    PostgresStore::open(&schema.config()).await.unwrap().close().await;
    let note = "CREATE TABLE noted (said text); \
                CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO noted \
                VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$; \
                CREATE TRIGGER note AFTER INSERT ON site FOR EACH STATEMENT EXECUTE FUNCTION note()";
    schema.run(note).await;
    let usual = schema.config();
    let own = Config { url: format!("{}%20-csynchronous_commit%3Doff", usual.url), ..usual.clone() };
    for (set, config, name) in [("off", &usual, "news"), ("local", &usual, "blog"), ("off", &own, "shop")] {
        stranger.batch_execute(&format!("ALTER DATABASE {database} SET synchronous_commit = {set}")).await.unwrap();
        let store = PostgresStore::open(config).await.unwrap();
        site(&store, name).await;
        store.close().await;
        stranger.batch_execute(&format!("ALTER DATABASE {database} RESET synchronous_commit")).await.unwrap();
    }
    let said = stranger.query("SELECT said FROM noted", &[]).await.unwrap();
    let said: Vec<String> = said.iter().map(|row| row.get(0)).collect();
    assert_eq!(said, ["on", "local", "off"], "an address may ask for something else");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_whether_it_can_be_written_writes_nothing() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    let stranger = schema.stranger().await;
    let written = "SELECT xmin::text FROM meta WHERE name = 'needs'";
    let before: String = ask(&stranger, written).await;
    store.ready().await.unwrap();
    assert_eq!(ask::<String>(&stranger, written).await, before);
    store.ready().await.unwrap();
    schema.run("ALTER TABLE meta RENAME COLUMN value TO gone").await;
    assert!(store.ready().await.is_err());
    schema.run("ALTER TABLE meta RENAME COLUMN gone TO value").await;
    store.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_of_a_site_that_was_deleted_meanwhile() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = schema.open().await;
    let news = site(&*store, "news").await;
    let article = Made::new(&news, "c-1").0.comment.article;
    assert!(store.site_delete("news", moderator(), at(1)).await.unwrap());
    let put = store.article_put(news.id, article, at(2)).await;
    assert!(matches!(put, Err(StoreError::Unavailable(_))), "{put:?}");
    let noted = store.author_note_add(news.id, &id("u-1"), "a friend of the house", "mod@example.org", at(2)).await;
    assert!(matches!(noted, Err(StoreError::Unavailable(_))), "{noted:?}");
    let left = "SELECT (SELECT count(*) FROM article) + (SELECT count(*) FROM author_note)";
    assert_eq!(ask::<i64>(&schema.stranger().await, left).await, 0);
}

/// A comment that its sanction judges anew while that is lifted: what is lifted is what the edit left.
#[tokio::test(flavor = "multi_thread")]
async fn sanction_that_is_lifted_while_a_comment_is_edited_lets_go_of_it() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&schema.watched()).await.unwrap();
    let news: Arc<Site> = site(&store, "news").await;
    let (sanction, _) = store.sanction_add(ban(Some(&news))).await.unwrap();
    let record = banned(Made::new(&news, "c-1"), &sanction, Status::Approved).at(11).store(&store).await;
    let editor = schema.stranger().await;
    let edit = "BEGIN; UPDATE comment SET version = version + 1; UPDATE sanction_effect SET version = version + 1";
    editor.batch_execute(edit).await.unwrap();
    let lift = store.sanction_lift(sanction.uid, true, moderator(), at(30), at(40));
    let commit = async {
        schema.waits().await;
        editor.batch_execute("COMMIT").await.unwrap();
    };
    let (lifted, ()) = tokio::join!(lift, commit);
    let restored = lifted.unwrap().unwrap().restored;
    assert_eq!(restored[0].applied.len(), 1, "{restored:?}");
    assert_eq!(store.comment_by_uid(record.uid).await.unwrap().unwrap().status, Status::Approved);
}

/// Whoever queues a comment has its row locked, and saw the campaign that it was in then.
#[tokio::test(flavor = "multi_thread")]
async fn comment_that_is_queued_while_its_campaign_becomes_part_of_another_follows_it() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = schema.open().await;
    let news = site(&*store, "news").await;
    let record = Made::new(&news, "c-1").store(&*store).await;
    let merger = schema.stranger().await;
    merger.batch_execute(&format!("SET application_name = '{}'", schema.name())).await.unwrap();
    let join = format!(
        "INSERT INTO campaign_member (site, comment, campaign, number) VALUES ({}, '{}', 1, 1)",
        news.id.0, record.uid
    );
    merger.batch_execute(&join).await.unwrap();
    let queuer = schema.stranger().await;
    queuer.batch_execute("BEGIN; SELECT FROM comment FOR UPDATE").await.unwrap();
    let merge = async { merger.batch_execute("UPDATE campaign_member SET campaign = 2").await.unwrap() };
    let mut merge = Box::pin(merge);
    tokio::select! {
        () = schema.waits() => {}
        () = &mut merge => panic!("it did not wait for whoever may be queueing the comment"),
    }
    let queue = "INSERT INTO queue (site, comment, category, signals, article, author, priority, held_at, campaign) \
                 SELECT m.site, m.comment, 0, '', 0, 0, 0.5, 0, m.campaign FROM campaign_member m; COMMIT";
    queuer.batch_execute(queue).await.unwrap();
    merge.await;
    assert_eq!(ask::<i64>(&queuer, "SELECT campaign FROM queue").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_notice_stops_no_other() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let harm = async |harm: Harm| {
        schema
            .run(match harm {
                Harm::Notice => "UPDATE outbox SET b = '\\x07' WHERE id = (SELECT min(id) FROM outbox)",
                Harm::Comment => {
                    "UPDATE comment SET b = '\\x07' WHERE uid = (SELECT comment FROM outbox ORDER BY id LIMIT 1 OFFSET 1)"
                }
            })
            .await;
    };
    what_is_damaged_is_given_up_by_itself(&*schema.open().await, harm).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_sent_again_in_parts_and_none_is_left() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = schema.open().await;
    all_dead_letters_are_sent_again_however_many(&*store, async |count| schema.run(&letters(count)).await).await;
}

/// So many more of each dead letter.
fn letters(count: u32) -> String {
    format!(
        "INSERT INTO outbox (uid, site, comment, not_before, next_at, attempts, dead_at, problem, b) \
         SELECT gen_random_uuid(), site, comment, not_before, next_at, attempts, dead_at, problem, b \
         FROM outbox, generate_series(1, {count})"
    )
}

/// Somebody holds one of the last letters, so sending them again takes as long as we like.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_whose_dead_letters_are_sent_again_keeps_nobody_waiting() {
    let Some(schema) = Schema::new().await else { return skipped() };
    // Patient: it is not to be saved by giving up.
    let store = PostgresStore::open(&schema.watched()).await.unwrap();
    let mut sites = Vec::new();
    for name in ["news", "blog"] {
        let made = site(&store, name).await;
        assert!(store.site_webhook_set(name, Some("https://news.example/hooks"), at(0)).await.unwrap());
        let mut comment = Made::new(&made, "c-1").held(None, &[], 0.5);
        comment.0.tell = true;
        comment.store(&store).await;
        sites.push(made);
    }
    let [news, blog] = [sites[0].id, sites[1].id];
    let taken = store.outbox_take(news, 9, at(3), at(63)).await.unwrap();
    let dead = Settled::Dead { problem: "it never came back".to_owned() };
    store.outbox_settle(news, vec![(taken[0].attempt(), dead)], at(3)).await.unwrap();
    schema.run(&format!("{} WHERE dead_at IS NOT NULL", letters(700))).await;
    let holder = schema.stranger().await;
    let hold = "BEGIN; SELECT FROM outbox WHERE id = (SELECT max(id) FROM outbox) FOR UPDATE";
    holder.batch_execute(hold).await.unwrap();
    let all = LetterFilter::default();
    let resend = store.outbox_resend(&all, at(9));
    let meanwhile = async {
        schema.waits().await;
        let taken = store.outbox_take(news, 9, at(9), at(69)).await.expect("it does not wait until it has had enough");
        assert_eq!(taken.len(), 0, "not now");
        assert_eq!(store.outbox_take(blog, 9, at(9), at(69)).await.unwrap().len(), 1, "the other site's turn");
        let state = store.outbox_state().await.unwrap();
        assert_eq!((state.waiting, state.dead), (501, 201), "a part is on its way, and stays so");
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (sent, ()) = tokio::join!(resend, meanwhile);
    assert_eq!(sent.unwrap(), 701);
    assert_eq!(store.outbox_take(news, 9, at(9), at(69)).await.unwrap().len(), 1, "one of the comment at a time");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_comment_stops_neither_search_nor_queue() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let harm = async |number: u32| {
        let nth = format!("SELECT uid FROM comment ORDER BY uid LIMIT 1 OFFSET {}", number - 1);
        schema.run(&format!("UPDATE comment SET b = '\\x07' WHERE uid = ({nth})")).await;
    };
    an_unreadable_comment_keeps_nothing_else_from_being_found(&*schema.open().await, harm).await;
}

/// Places in the queue of comments that are not there.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_queue_can_be_paged_past_its_damage() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = schema.open().await;
    let news = site(&*store, "news").await;
    let real = Made::new(&news, "c-1").at(9).held(None, &[], 0.1).store(&*store).await;
    let phantoms = format!(
        "INSERT INTO queue (site, comment, category, signals, article, author, priority, held_at) \
         SELECT {}, gen_random_uuid(), 0, '', 0, 0, 0.5, i FROM generate_series(1, 5) i",
        news.id.0
    );
    schema.run(&phantoms).await;
    for sort in [QueueSort::Oldest, QueueSort::Newest, QueueSort::Priority] {
        let (mut request, mut shown) = (first_page(2), Vec::new());
        loop {
            let page = store.queue(&QueueFilter::default(), sort, &request, at(10)).await.unwrap();
            shown.extend(page.items.into_iter().map(|item| item.record.uid));
            request.cursor = page.next_cursor;
            if request.cursor.is_none() {
                break;
            }
        }
        assert_eq!(shown, [real.uid]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_to_the_record_of_who_did_what_is_found() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = schema.open().await;
    for number in 1..=5 {
        let (action, subject, detail) = ("decision".to_owned(), format!("d-{number}"), String::new());
        store.audit_note(AuditEntry { by: moderator(), action, subject, detail, at: at(number) }).await.unwrap();
    }
    let refused = schema.stranger().await.batch_execute("UPDATE audit SET detail = 'other' WHERE id = 3").await;
    assert!(refused.is_err(), "a trigger is in the way");
    schema.run("ALTER TABLE audit DISABLE TRIGGER USER; CREATE TABLE whole AS SELECT * FROM audit").await;
    for (change, line) in [
        ("UPDATE audit SET detail = 'other' WHERE id = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE id = 1", 1),
        ("UPDATE audit SET chain = NULL WHERE id = 2", 2),
        ("DELETE FROM audit WHERE id = 4", 4),
        ("DELETE FROM audit WHERE id = 5", 5),
    ] {
        schema.run(change).await;
        let checked = store.audit_verify(None).await.unwrap();
        assert!(matches!(checked, AuditCheck::Broken { line: found, .. } if found == line), "{change}: {checked:?}");
        schema.run("DELETE FROM audit; INSERT INTO audit SELECT * FROM whole").await;
        assert!(matches!(store.audit_verify(None).await.unwrap(), AuditCheck::Whole { lines: 5, .. }));
    }
}

/// A history over that store.
async fn world(schema: &Schema) -> World {
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&schema.watched()).await.unwrap());
    let news = site(&*store, "news").await;
    let history = Arc::new(MemoryHistory::new(history::Config::default(), Arc::clone(&store)));
    World { store, history, news }
}

#[tokio::test(flavor = "multi_thread")]
async fn comment_that_joins_a_campaign_while_that_becomes_part_of_another_is_found_there() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let world = world(&schema).await;
    let (one, other) = world.two().await;
    let comer = world.pasted(3);
    let membership = world.sight(&comer).await;
    assert_eq!(membership.as_ref().map(|it| it.campaign), Some(one));
    // As whoever merges does it on another node.
    let merger = schema.stranger().await;
    let merge = format!(
        "BEGIN; UPDATE campaign_member SET number = number + 3, campaign = (SELECT id FROM campaign WHERE uid = '{other}') \
         WHERE campaign = (SELECT id FROM campaign WHERE uid = '{one}'); UPDATE campaign SET size = 6 WHERE uid = '{other}'; \
         UPDATE campaign SET state = 4, into_uid = '{other}' WHERE uid = '{one}'"
    );
    merger.batch_execute(&merge).await.unwrap();
    let commit = async {
        schema.waits().await;
        merger.batch_execute("COMMIT").await.unwrap();
    };
    tokio::join!(world.record(comer, membership), commit);
    let members = world.members(other, &MemberFilter::default()).await;
    assert_eq!(members, ["c-10", "c-11", "c-12", "c-0", "c-1", "c-2", "c-3"]);
}

/// Whoever decides about a campaign has locked all of its comments, and then it: two that lock in one order do not wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn sanction_that_is_lifted_holds_no_campaign_while_it_waits_for_a_comment() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let world = world(&schema).await;
    let store = &*world.store;
    world.paste(0..3).await;
    let there = Made::new(&world.news, "there").held(None, &[], 0.5).store(store).await;
    let also = Some(ruling(Action::Reject, &[&there], 10));
    let (sanction, ruled) = store.sanction_add(NewSanction { also, ..ban(Some(&world.news)) }).await.unwrap();
    assert_eq!(ruled.unwrap().applied.len(), 1);
    let member = banned(world.pasted(3), &sanction, Status::Approved);
    let membership = world.sight(&member).await;
    world.record(member, membership).await;
    let other = schema.stranger().await;
    other.batch_execute(&format!("BEGIN; SELECT FROM comment WHERE uid = '{}' FOR UPDATE", there.uid)).await.unwrap();
    let decide = async {
        schema.waits().await;
        other.batch_execute("SELECT FROM campaign FOR UPDATE NOWAIT; COMMIT").await
    };
    let (lifted, decided) = tokio::join!(store.sanction_lift(sanction.uid, true, moderator(), at(30), at(40)), decide);
    decided.expect("nobody holds the campaign");
    let restored = lifted.unwrap().unwrap().restored;
    assert_eq!(restored.iter().map(|ruled| ruled.applied.len()).sum::<usize>(), 2);
}

/// All that is kept is not read through to find the latest of it, however much it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_reads_what_it_remembers_and_no_more() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&schema.watched()).await.unwrap();
    let news = site(&store, "news").await;
    Made::new(&news, "c-1").store(&store).await;
    let stranger = schema.stranger().await;
    let fill = format!(
        "INSERT INTO comment SELECT site, (lpad(to_hex({} - i), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid, status, decided_by, \
         revision, version, received_at, updated_at, author, account, article, trace, b FROM comment, generate_series(1, 20000) i",
        at(0).as_millis()
    );
    stranger.batch_execute(&fill).await.unwrap();
    stranger.batch_execute("ANALYZE comment; SELECT pg_stat_force_next_flush()").await.unwrap();
    // What was read is told when a connection ends.
    let read = async || -> i64 {
        let others = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 LIMIT 1";
        while stranger.query_opt(others, &[&schema.name()]).await.unwrap().is_some() {}
        let rows = "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname ~ '^comment_rest') \
                    + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = current_schema() AND relname ~ '^comment_rest')";
        ask(&stranger, &format!("SELECT ({rows})::bigint")).await
    };
    store.close().await;
    let before = read().await;
    let store = PostgresStore::open(&schema.watched()).await.unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let its = Arc::clone(&count);
    let each = Box::new(move |_: Remembered| {
        its.fetch_add(1, Ordering::Relaxed);
    });
    store.remembered(at(-30 * 86_400), 10, each).await.unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 10);
    store.close().await;
    let rows = read().await - before;
    assert!(rows < 100, "{rows} rows were read to remember ten");
}

//! Months that are dropped while others are at work on their comments.

use std::sync::Arc;

use doorward::domain::decision::{Action, Actor};
use doorward::domain::learning::{Conclusion, Fate, Force, Lot, Taught};
use doorward::domain::outbox::Notice;
use doorward::domain::site::Site;
use doorward::domain::store::{AuditFilter, Recording, Ruling, RulingCategory, Store};
use doorward::storage::Config;
use doorward::storage::postgres::PostgresStore;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::made::{Made, at, first_page, id, ruling, site};
use crate::postgres::{Schema, skipped};

const DAY: i64 = 86_400;
/// In November 2020: too old by every clock.
const OLD: i64 = -2_190 * DAY;

/// A store that keeps a month, and a site in it.
struct Kept {
    store: Arc<dyn Store>,
    news: Arc<Site>,
    schema: Schema,
}

impl Kept {
    async fn new() -> Option<Self> {
        let Some(schema) = Schema::new().await else {
            skipped();
            return None;
        };
        let store = PostgresStore::open(&Config { retain_days: 31, ..schema.watched() }).await.unwrap();
        store.keep_room(at(OLD)).await.unwrap();
        let news = site(&store, "news").await;
        Some(Self { store: Arc::new(store), news, schema })
    }

    /// As the next look does, when this one waited too long for somebody.
    async fn drop_month(&self) -> Vec<String> {
        loop {
            if let Ok(gone) = self.store.keep_room(at(0)).await {
                return gone;
            }
        }
    }
}

/// Rows that are kept of a comment, by table.
async fn rows_of(client: &Client, comment: Uuid) -> Vec<(String, i64)> {
    let tables = "SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
                  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
                  AND a.atttypid = 'uuid'::regtype AND (a.attname = 'comment' OR c.relname = 'comment' AND a.attname = 'uid')";
    let mut rows = Vec::new();
    for table in client.query(tables, &[]).await.unwrap() {
        let (table, column): (String, String) = (table.get(0), table.get(1));
        let count = format!("SELECT count(*) FROM {table} WHERE {column} = $1");
        let count: i64 = client.query_one(&count, &[&comment]).await.unwrap().get(0);
        if count > 0 {
            rows.push((table, count));
        }
    }
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn month_that_somebody_reads_is_kept_whole_and_goes_the_next_time() {
    let Some(kept) = Kept::new().await else { return };
    let old = Made::new(&kept.news, "c-1").at(OLD).held(None, &[], 0.5);
    let record = old.clone().store(&*kept.store).await;
    let reader = kept.schema.stranger().await;
    for table in ["comment", "revision", "search"] {
        reader.batch_execute(&format!("BEGIN; SELECT FROM {table}")).await.unwrap();
        assert!(kept.store.keep_room(at(0)).await.is_err(), "it cannot be dropped while {table} is read");
        let Recording::Repeat(again) = old.clone().send(&*kept.store).await else {
            panic!("what is there is known by its name")
        };
        assert_eq!(again, record);
        assert!(kept.store.comment_find(kept.news.id, &id("c-1")).await.unwrap().is_some());
        reader.batch_execute("COMMIT").await.unwrap();
    }
    assert!(kept.drop_month().await.contains(&"2020_11".to_owned()));
    assert_eq!(rows_of(&reader, record.uid).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_of_a_comment_while_its_month_is_dropped_goes_with_it() {
    let Some(kept) = Kept::new().await else { return };
    let record = Made::new(&kept.news, "c-1").at(OLD).store(&*kept.store).await;
    let writer = kept.schema.stranger().await;
    writer.batch_execute("BEGIN; SELECT FROM comment FOR SHARE").await.unwrap();
    let write = async {
        kept.schema.waits().await;
        let (site, comment) = (kept.news.id.0, record.uid);
        let write = format!(
            "INSERT INTO vote (site, comment, reader, value, at) VALUES ({site}, '{comment}', '', 1, 0); \
             INSERT INTO report (site, comment, reader, weight, at, credit) VALUES ({site}, '{comment}', '', 1, 0, true); \
             INSERT INTO queue (site, comment, category, signals, article, author, priority, held_at) \
             VALUES ({site}, '{comment}', 0, '', 0, 0, 0.5, 0); COMMIT"
        );
        writer.batch_execute(&write).await.unwrap();
    };
    let (gone, ()) = tokio::join!(kept.drop_month(), write);
    assert!(gone.contains(&"2020_11".to_owned()));
    assert_eq!(rows_of(&writer, record.uid).await, []);
    let filter = AuditFilter { subject: Some("2020_11".to_owned()), ..AuditFilter::default() };
    let line = kept.store.audit_list(&filter, &first_page(10)).await.unwrap().items.remove(0).entry;
    assert_eq!((line.action.as_str(), line.detail.as_str()), ("comments.expire", "1 waiting, 0 open appeals"));
}

/// A process that ends after it has dropped the partitions, and before it has deleted what lies beside them.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_drop_left_behind_goes_the_next_time() {
    let Some(kept) = Kept::new().await else { return };
    let record = Made::new(&kept.news, "c-1").at(OLD).store(&*kept.store).await;
    let stranger = kept.schema.stranger().await;
    // The last step fails once: nobody can delete a name.
    let fail = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the process ends'; END $$; \
                CREATE TRIGGER fail BEFORE DELETE ON comment_name FOR EACH ROW EXECUTE FUNCTION fail()";
    stranger.batch_execute(fail).await.unwrap();
    assert!(kept.store.keep_room(at(0)).await.is_err());
    assert_eq!(rows_of(&stranger, record.uid).await, [("comment_name".to_owned(), 1)]);
    stranger.batch_execute("DROP TRIGGER fail ON comment_name").await.unwrap();
    kept.drop_month().await;
    assert_eq!(rows_of(&stranger, record.uid).await, []);
    let left: i64 =
        stranger.query_one("SELECT count(*) FROM meta WHERE name LIKE 'expired%'", &[]).await.unwrap().get(0);
    assert_eq!(left, 0, "and is not looked for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn site_hears_of_an_erasure_although_the_month_of_the_comment_is_dropped() {
    let Some(kept) = Kept::new().await else { return };
    assert!(kept.store.site_webhook_set("news", Some("https://news.example/hooks"), at(0)).await.unwrap());
    Made::new(&kept.news, "c-1").at(OLD).store(&*kept.store).await;
    let by = Actor::Person("mod@example.org".to_owned());
    assert!(kept.store.comment_erase(kept.news.id, &id("c-1"), by, at(1)).await.unwrap().is_some());
    kept.drop_month().await;
    let due = kept.store.outbox_take(kept.news.id, 9, at(2), at(60)).await.unwrap();
    assert!(matches!(&due[..], [due] if matches!(due.notice, Some(Notice::Erased { .. }))), "{due:?}");
}

/// A model that learned a label which is gone answers nothing after the next start: somebody has to be told to learn anew.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_site_learned_of_comments_that_went_with_their_month_is_learned_anew() {
    let Some(kept) = Kept::new().await else { return };
    let (store, site) = (&*kept.store, kept.news.id);
    let record = Made::new(&kept.news, "c-1").at(OLD).held(None, &[], 0.5).store(store).await;
    let spam = Ruling { category: Some(RulingCategory::Spam), ..ruling(Action::Reject, &[&record], OLD + 1) };
    store.rule(spam).await.unwrap();
    let labels = store.label_ids(site).await.unwrap();
    let conclude = async |number: u32, over| {
        let taught = Taught { weights: [vec![(number, 0.5)], Vec::new()], labels: [labels.clone(), Vec::new()] };
        let conclusion = Conclusion {
            site,
            over,
            seen: store.labels_due().await.unwrap()[0].changes,
            fates: labels.iter().map(|label| (*label, Fate::Learned)).collect(),
            force: Force::New("base".to_owned(), taught),
            change: None,
            at: at(OLD + 2),
        };
        store.conclude(conclusion).await.unwrap().expect("it is kept")
    };
    let first = conclude(7, None).await;
    conclude(8, first).await;
    let due = store.labels_due().await.unwrap()[0];
    assert_eq!(due.changes, due.seen);
    kept.drop_month().await;
    assert!(store.label_ids(site).await.unwrap().is_empty());
    let due = store.labels_due().await.unwrap()[0];
    assert!(due.changes > due.seen, "the learner has to look again");
    let ended = "SELECT count(*) FROM site_model WHERE ended_at IS NOT NULL";
    let ended: i64 = kept.schema.stranger().await.query_one(ended, &[]).await.unwrap().get(0);
    assert_eq!(ended, 0, "what is not in force is not kept, as when a comment is erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn sample_that_nobody_looked_at_is_not_waited_for_when_its_month_is_gone() {
    let Some(kept) = Kept::new().await else { return };
    let drawn = |name: &str| {
        let mut made = Made::new(&kept.news, name).at(OLD);
        made.0.lot = Some(Lot { rate: 2.0, max_per_day: 9 });
        made
    };
    drawn("c-1").store(&*kept.store).await;
    let seen = drawn("c-2").store(&*kept.store).await;
    kept.store.rule(ruling(Action::Approve, &[&seen], OLD + 1)).await.unwrap();
    let counted = async || {
        let all = kept.store.agreements().await.unwrap();
        (all[0].waiting, all[0].decided)
    };
    assert_eq!(counted().await, (1, 1));
    kept.drop_month().await;
    assert_eq!(counted().await, (0, 1), "that people agreed once stays");
}

/// A node that could make a month's partition of one table, and not yet that of another: what came in between lies in the partition for the rest.
#[tokio::test(flavor = "multi_thread")]
async fn earlier_text_goes_with_its_month_wherever_it_lies() {
    let Some(kept) = Kept::new().await else { return };
    kept.schema.run("DROP TABLE revision_2020_11, happening_2020_11, search_2020_11").await;
    let record = Made::new(&kept.news, "c-1").at(OLD).store(&*kept.store).await;
    Made::new(&kept.news, "c-1").body("other words").at(OLD + 1).revise(&*kept.store).await.unwrap();
    kept.store.search_index(9).await.unwrap();
    let stranger = kept.schema.stranger().await;
    let rest = "SELECT (SELECT count(*) FROM revision_rest), (SELECT count(*) FROM happening_rest), (SELECT count(*) FROM search_rest)";
    let row = stranger.query_one(rest, &[]).await.unwrap();
    assert_eq!([0_usize, 1, 2].map(|at| row.get::<_, i64>(at)), [1; 3]);
    kept.drop_month().await;
    assert_eq!(rows_of(&stranger, record.uid).await, []);
}

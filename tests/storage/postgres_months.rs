//! Months that are dropped while others are at work on their comments.

use std::sync::Arc;

use doorward::domain::decision::Actor;
use doorward::domain::outbox::Notice;
use doorward::domain::site::Site;
use doorward::domain::store::{AuditFilter, Recording, Store};
use doorward::storage::Config;
use doorward::storage::postgres::PostgresStore;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::made::{Made, at, first_page, id, site};
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
    reader.batch_execute("BEGIN; SELECT FROM comment").await.unwrap();
    assert!(kept.store.keep_room(at(0)).await.is_err(), "it cannot be dropped");
    let Recording::Repeat(again) = old.send(&*kept.store).await else { panic!("what is there is known by its name") };
    assert_eq!(again, record);
    assert!(kept.store.comment_find(kept.news.id, &id("c-1")).await.unwrap().is_some());
    reader.batch_execute("COMMIT").await.unwrap();
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

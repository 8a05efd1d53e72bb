//! Moving everything from a file into a PostgreSQL database: nothing is lost, whatever stops it, and what was changed on the way is found.

use std::fmt::{Debug, Write as _};
use std::path::Path;
use std::sync::Arc;

use doorward::domain::campaign::{CampaignFilter, CampaignRuling, MemberFilter, Membership, News};
use doorward::domain::category::Category;
use doorward::domain::comment::Article;
use doorward::domain::decision::{Action, Record};
use doorward::domain::learning::{ChangeKind, Conclusion, Fate, Force, Lot, Taught};
use doorward::domain::outbox::LetterFilter;
use doorward::domain::people::{Reach, Role};
use doorward::domain::readers::{Config as Reports, NewReport};
use doorward::domain::sanction::{Effect, Measure, NewSanction, SanctionFilter, TargetKind};
use doorward::domain::session::NewSession;
use doorward::domain::site::{Scope, Site};
use doorward::domain::store::{
    AuditCheck, AuditFilter, CommentFilter, QueueFilter, QueueSort, Ruling, RulingCategory, Store,
};
use doorward::storage::Config;
use doorward::storage::moving::{MoveError, Moved, Options, Step, move_all, reopen};
use doorward::storage::postgres::{OpenError, PostgresStore};
use doorward::storage::sqlite::{self, SqliteStore};
use serde_json::json;
use tokio::sync::Notify;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::made::{Made, at, first_page, id, moderator, ruling, secrets, site};
use crate::postgres::{Schema, skipped};

pub(crate) const ADA: &str = "ada@example.org";

/// A file with something of every kind.
pub(crate) async fn filled(path: &Path) {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&Config::sqlite(path)).unwrap());
    let store = &*store;
    let gone = site(store, "gone").await;
    Made::new(&gone, "g-1").store(store).await;
    assert!(store.site_delete("gone", moderator(), at(0)).await.unwrap());
    let key = secrets("news").akismet_hash;
    let webhook = Some("https://news.example/hook");
    let news = store.site_create("news", None, webhook, key, &[Scope::Post], secrets("news"), at(0)).await.unwrap();
    let (news, blog) = (Arc::new(news), site(store, "blog").await);
    people(store).await;
    comments(store, &news, &blog).await;
    cases(store, &news).await;
    campaigns(store, &news).await;
    store.close().await;
}

async fn people(store: &dyn Store) {
    store.person_create(ADA, Role::Admin, &Reach::ALL, "phc", at(0)).await.unwrap();
    let reach = Reach { sites: Some(vec!["news".to_owned()]), ..Reach::ALL };
    store.person_create("ben@example.org", Role::Moderator, &reach, "phc", at(0)).await.unwrap();
    assert!(store.token_create(ADA, [9; 32], at(1)).await.unwrap());
    let ada = store.credentials(ADA).await.unwrap().unwrap().person;
    let session = NewSession {
        hash: [1; 32],
        person: ada.clone(),
        password: "phc".to_owned(),
        at: at(1),
        expires_at: at(1_000),
        agent: "Firefox".to_owned(),
        network: "192.0.2.0/24".to_owned(),
    };
    assert!(store.session_open(session).await.unwrap());
    assert!(store.totp_set(&ada, vec![1], 7, vec![[2; 32], [3; 32]], &[1; 32], at(2)).await.unwrap());
}

async fn comments(store: &dyn Store, news: &Arc<Site>, blog: &Arc<Site>) {
    let mut page = Article::named(id("a-2"));
    (page.title, page.section) = (Some("A bridge".to_owned()), Some("culture".to_owned()));
    store.article_put(news.id, page, at(0)).await.unwrap();
    for n in 0..40 {
        let site = if n % 4 == 0 { blog } else { news };
        let made = Made::new(site, &format!("c-{n}")).author(&format!("u-{}", n % 7)).under(&format!("a-{}", n % 3));
        let mut made = made.at(n);
        made.0.comment.author.ip = Some("203.0.113.7".parse().unwrap());
        made.0.tell = n % 5 == 0;
        let made = match n % 3 {
            0 => made,
            1 => made.held(
                Some(Category::Spam),
                &["link-count", "blocklist"],
                0.3 + 0.01 * f64::from(u8::try_from(n).unwrap()),
            ),
            _ => made.rejected(),
        };
        made.store(store).await;
    }
    let mut drawn = Made::new(news, "drawn").at(41);
    drawn.0.lot = Some(Lot { rate: 2.0, max_per_day: 10 });
    drawn.store(store).await;
    // From one account to another, back again, and to none.
    for (author, second) in [("u-8", 42), ("u-7", 43), ("u-8", 44)] {
        let made = Made::new(news, "edited").author(author).body(&format!("words of {author} at {second}")).at(second);
        if second == 42 {
            made.store(store).await;
        } else {
            made.revise(store).await.unwrap();
        }
    }
    Made::new(news, "left").author("u-9").at(45).store(store).await;
    Made::new(news, "left").body("nobody says so").at(46).revise(store).await.unwrap();
    Made::new(news, "erased").at(47).store(store).await;
    store.comment_erase(news.id, &id("erased"), moderator(), at(48)).await.unwrap().unwrap();
    store.addresses_hash(at(5), 100, [7; 32]).await.unwrap();
}

async fn by_name(store: &dyn Store, site: &Site, name: &str) -> Record {
    store.comment_find(site.id, &id(name)).await.unwrap().unwrap().0
}

async fn cases(store: &dyn Store, news: &Arc<Site>) {
    let (one, other) = (by_name(store, news, "c-1").await, by_name(store, news, "c-7").await);
    let for_spam = Ruling { category: Some(RulingCategory::Spam), ..ruling(Action::Reject, &[&one, &other], 61) };
    store.rule(for_spam).await.unwrap();
    let undone = store.rule(ruling(Action::Approve, &[&by_name(store, news, "c-13").await], 62)).await.unwrap();
    store.unrule(undone.decision, moderator(), &Reach::ALL, at(63)).await.unwrap();
    let labels = store.label_ids(news.id).await.unwrap();
    let due = store.labels_due().await.unwrap().into_iter().find(|due| due.site == news.id).unwrap();
    let taught = Taught { weights: [vec![(7, 0.5)], Vec::new()], labels: [labels.clone(), Vec::new()] };
    let conclusion = Conclusion {
        site: news.id,
        over: None,
        seen: due.changes,
        fates: labels.iter().map(|label| (*label, Fate::Learned)).collect(),
        force: Force::New("base".to_owned(), taught),
        change: Some((ChangeKind::Replaced, "spam: better".to_owned(), json!({"spam": 1}))),
        at: at(64),
    };
    store.conclude(conclusion).await.unwrap().unwrap();
    let ban = NewSanction {
        site: Some(news.id),
        measure: Measure::Ban,
        kind: TargetKind::Author,
        hash: [7; 16],
        hint: "an author".to_owned(),
        cause: "advertising".to_owned(),
        shadow: true,
        by: moderator(),
        at: at(65),
        expires_at: Some(at(9_000)),
        also: None,
    };
    let sanction = store.sanction_add(ban).await.unwrap().0;
    let mut banned = Made::new(news, "banned").rejected().at(66);
    banned.0.effect = Some(Effect { sanction: sanction.number, without: doorward::domain::decision::Status::Approved });
    banned.store(store).await;
    let report = NewReport { reader: id("reader"), category: None, text: Some("This is rude.".to_owned()) };
    store.report(news.id, &id("c-3"), report, Reports::default(), true, at(67)).await.unwrap().unwrap();
    store.vote(news.id, &id("c-3"), &id("reader"), -1, at(67)).await.unwrap().unwrap();
    store.appeal_open(news.id, &id("c-2"), Some("Please look again.".to_owned()), at(68)).await.unwrap();
    store.delivery_note(news.id, "m-1", [5; 32], at(69)).await.unwrap();
    store.delivery_done(news.id, "m-1").await.unwrap();
    store.author_note_add(news.id, &id("u-1"), "Writes often.", ADA, at(70)).await.unwrap();
    // The site does not know of this one: it is told by a letter about a comment that is not there any more.
    store.author_erase(news.id, &id("u-5"), moderator(), at(71)).await.unwrap();
}

async fn campaigns(store: &dyn Store, news: &Arc<Site>) {
    let mut made = Made::new(news, "k-1").author("u-20").body("the same words again and again").at(80);
    let known = ["c-6", "c-9", "unheard-of"].map(|name| (news.id, Box::from(name)));
    let uid = Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0001);
    let news_of_it = News {
        first: true,
        version: 1,
        at: at(80),
        keys: Vec::new(),
        members: known.into(),
        absorbs: Vec::new(),
        quiet_before: at(0),
    };
    made.0.membership = Some(Membership { campaign: uid, joined: 3, news: Some(news_of_it), most: 100 });
    made.store(store).await;
    let rejecting = CampaignRuling {
        campaign: uid,
        seen_size: 3,
        future: false,
        rule_until: Some(at(9_000)),
        except: Vec::new(),
        action: Action::Reject,
        category: None,
        reason: None,
        note: Some("a wave".to_owned()),
        by: moderator(),
        at: at(81),
        reach: Reach::ALL,
        tell_at: at(9_000),
    };
    store.campaign_rule(rejecting).await.unwrap();
}

/// What the port says of everything, each thing in a line.
async fn told(store: &dyn Store) -> String {
    let mut told = String::new();
    let mut tell = |what: &str, value: &dyn Debug| writeln!(told, "{what}: {value:?}").unwrap();
    let sites = store.sites().await.unwrap();
    tell("sites", &sites);
    tell("secrets", &store.all_secrets().await.unwrap());
    tell("people", &store.people().await.unwrap());
    tell("tokens", &store.tokens(None).await.unwrap());
    tell("token", &store.token_find(&[9; 32]).await.unwrap());
    tell("credentials", &store.credentials(ADA).await.unwrap());
    let ada = store.credentials(ADA).await.unwrap().unwrap().person;
    tell("sessions", &store.sessions(&ada, at(10)).await.unwrap());
    tell("codes", &store.recovery_left(&ada).await.unwrap());
    for site in &sites {
        let all = store.comment_list(site.id, &CommentFilter::default(), &first_page(500)).await.unwrap();
        for record in all.items {
            tell("comment", &record);
            tell("found", &store.comment_find(site.id, &record.comment.id).await.unwrap());
            tell("history", &store.comment_history(record.uid).await.unwrap());
            tell("readers", &store.reader_view(record.uid).await.unwrap());
            tell("behind", &store.behind(record.uid, &Reach::ALL).await.unwrap());
        }
        for article in ["a-0", "a-1", "a-2"] {
            tell("article", &store.article_find(site.id, &id(article)).await.unwrap());
        }
        for author in (0..10).map(|n| id(&format!("u-{n}"))) {
            tell("author", &store.author_export(site.id, &author, &first_page(500)).await.unwrap().items);
            tell("besides", &store.author_besides(site.id, &author).await.unwrap());
        }
        tell("labels", &store.label_ids(site.id).await.unwrap());
        tell("counts", &store.label_counts(site.id).await.unwrap());
        tell("changes", &store.model_changes(site.id, 10).await.unwrap());
    }
    tell("models", &store.site_models().await.unwrap());
    tell("agreements", &store.agreements().await.unwrap());
    tell("due", &store.labels_due().await.unwrap());
    let queue = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(500), at(100)).await.unwrap();
    tell("queue", &queue.items);
    tell("held", &(queue.held, queue.by_site, queue.by_category, queue.by_signal, queue.by_section));
    tell("letters", &store.outbox_list(&LetterFilter::default(), &first_page(500)).await.unwrap().items);
    tell("sanctions", &store.sanction_list(&SanctionFilter::default(), &first_page(500)).await.unwrap().items);
    tell("effects", &store.sanction_effects(&[1]).await.unwrap());
    tell("appeals", &store.appeal_list(None, None, &Reach::ALL, &first_page(500)).await.unwrap().items);
    let campaigns = store.campaign_list(&CampaignFilter::default(), &first_page(500)).await.unwrap().items;
    for campaign in &campaigns {
        let members = store.campaign_members(campaign.uid, &MemberFilter::default(), &first_page(500)).await.unwrap();
        tell("members", &members.items);
    }
    tell("campaigns", &campaigns);
    tell("lines", &store.audit_list(&AuditFilter::default(), &first_page(500)).await.unwrap().items);
    tell("chain", &store.audit_verify(None).await.unwrap());
    told
}

pub(crate) async fn moved(file: &Path, schema: &Schema, options: Options) -> Result<Moved, MoveError> {
    moved_saying(file, schema, options, &mut |_| {}).await
}

pub(crate) async fn moved_saying(
    file: &Path,
    schema: &Schema,
    options: Options,
    say: &mut (dyn FnMut(Step) + Send),
) -> Result<Moved, MoveError> {
    let from = Config::sqlite(file);
    loop {
        match move_all(&from, &schema.config(), options, say).await {
            // Whoever read for a move that was dropped lets go of the file when it next has something to say.
            Err(MoveError::Source(sqlite::OpenError::Served(_)) | MoveError::Busy) => tokio::task::yield_now().await,
            outcome => return outcome,
        }
    }
}

/// Begins a move, and drops it at whatever it waits for after so many batches.
async fn drop_after(file: &Path, schema: &Schema, steps: usize) {
    let (from, to) = (Config::sqlite(file), schema.config());
    let (enough, mut left) = (Notify::new(), steps);
    let mut say = |_| {
        left = left.saturating_sub(1);
        if left == 0 {
            enough.notify_one();
        }
    };
    loop {
        tokio::select! {
            biased;
            () = enough.notified() => return,
            outcome = move_all(&from, &to, small(), &mut say) => match outcome {
                Err(MoveError::Source(sqlite::OpenError::Served(_)) | MoveError::Busy) => tokio::task::yield_now().await,
                outcome => panic!("it ended first: {outcome:?}"),
            },
        }
    }
}

pub(crate) fn small() -> Options {
    Options { batch_rows: 7, batches_max: None }
}

pub(crate) async fn client(schema: &Schema) -> Client {
    let (client, connection) = tokio_postgres::connect(&schema.config().url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn assert_same(before: &str, after: &str) {
    let differ: Vec<_> = before.lines().zip(after.lines()).filter(|(before, after)| before != after).take(3).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!(before.lines().count(), after.lines().count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_moved_is_what_was_there_whatever_stopped_it() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    filled(&file).await;
    let bytes = std::fs::read(&file).unwrap();
    for batches in [0, 1, 5, 2, 11] {
        let options = Options { batches_max: Some(batches), ..small() };
        assert!(matches!(moved(&file, &schema, options).await, Err(MoveError::Stopped)));
        let refused = PostgresStore::open(&schema.config()).await.err().unwrap();
        assert!(matches!(refused, OpenError::HalfMoved), "{refused}");
    }
    for steps in [1, 4, 9] {
        drop_after(&file, &schema, steps).await;
    }
    let moved_all = moved(&file, &schema, small()).await.unwrap();
    assert!(moved_all.resumed);
    for name in
        ["comment", "revision", "moved", "queue", "happening", "ruling", "ruling_item", "audit", "outbox", "delivery"]
            .into_iter()
            .chain([
                "sanction",
                "sanction_effect",
                "report",
                "vote",
                "appeal",
                "pseudonym",
                "campaign",
                "campaign_member",
            ])
            .chain([
                "campaign_wait",
                "label",
                "learner",
                "site_model",
                "model_change",
                "sample",
                "author_note",
                "session",
            ])
    {
        let rows = moved_all.tables.iter().find(|table| table.table == name).map_or(0, |table| table.rows);
        assert!(rows > 0, "nothing of {name} was there to be moved");
    }
    assert!(matches!(moved(&file, &schema, small()).await, Err(MoveError::AlreadyMoved)));
    assert!(bytes == std::fs::read(&file).unwrap(), "the source is as it was");

    let there: Arc<dyn Store> = Arc::new(PostgresStore::open(&schema.config()).await.unwrap());
    assert!(reopen(&Config::sqlite(&file)).await.unwrap(), "it was marked as moved");
    let here: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&Config::sqlite(&file)).unwrap());
    assert_same(&told(&*here).await, &told(&*there).await);
    // What comes next is no repeat of what was moved.
    let news = Arc::new(there.sites().await.unwrap().into_iter().find(|site| &*site.name == "news").unwrap());
    let next = site(&*there, "next").await;
    assert!(next.id > news.id, "numbers of sites go on");
    let new = Made::new(&news, "new").held(None, &[], 0.5).at(200).store(&*there).await;
    there.rule(ruling(Action::Approve, &[&new], 201)).await.unwrap();
    let check = there.audit_verify(None).await.unwrap();
    assert!(matches!(check, AuditCheck::Whole { .. }), "the chain goes on: {check:?}");
    here.close().await;
    there.close().await;
}

/// A month that is too old goes as a partition, and what lies in none is kept for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_moved_lies_in_its_months() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    filled(&file).await;
    let here: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&Config::sqlite(&file)).unwrap());
    let news = Arc::new(here.sites().await.unwrap().into_iter().find(|site| &*site.name == "news").unwrap());
    let years_ago = -3 * 365 * 86_400;
    Made::new(&news, "old").at(years_ago).store(&*here).await;
    Made::new(&news, "old").body("other words").at(years_ago + 1).revise(&*here).await.unwrap();
    here.close().await;
    drop(here);
    moved(&file, &schema, small()).await.unwrap();

    let client = client(&schema).await;
    for table in ["comment", "revision", "happening"] {
        let count = format!("SELECT (SELECT count(*) FROM {table}_rest), (SELECT count(*) FROM {table})");
        let row = client.query_one(&count, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 0, "{table}");
        assert!(row.get::<_, i64>(1) > 0, "{table}");
    }
    let config = Config { retain_days: 365, ..schema.config() };
    let there = PostgresStore::open(&config).await.unwrap();
    assert_eq!(there.keep_room(at(300)).await.unwrap(), ["2023_11"]);
    assert!(there.comment_find(news.id, &id("old")).await.unwrap().is_none());
    assert!(there.comment_find(news.id, &id("c-1")).await.unwrap().is_some());
    there.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_on_the_way_is_found() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    filled(&file).await;
    let half = Options { batches_max: Some(30), ..small() };
    assert!(matches!(moved(&file, &schema, half).await, Err(MoveError::Stopped)));
    let changed =
        "UPDATE comment SET version = version + 1 WHERE uid = (SELECT uid FROM comment ORDER BY uid DESC LIMIT 1)";
    assert_eq!(client(&schema).await.execute(changed, &[]).await.unwrap(), 1);
    for _ in 0..2 {
        let error = moved(&file, &schema, small()).await.unwrap_err();
        let MoveError::Differs(tables) = error else { panic!("{error}") };
        assert_eq!(tables, "comment (41 rows there, 41 here)");
        assert!(matches!(PostgresStore::open(&schema.config()).await.err().unwrap(), OpenError::HalfMoved));
    }
    let changed =
        "UPDATE comment SET version = version - 1 WHERE uid = (SELECT uid FROM comment ORDER BY uid DESC LIMIT 1)";
    client(&schema).await.execute(changed, &[]).await.unwrap();
    moved(&file, &schema, small()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_moved_onto_other_data_or_from_a_file_that_is_served() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    let absent = move_all(&Config::sqlite(&file), &schema.config(), small(), &mut |_| {}).await.unwrap_err();
    assert!(matches!(absent, MoveError::Source(sqlite::OpenError::Missing(_))), "{absent}");
    assert!(!file.exists());
    let serving = SqliteStore::open_serving(&Config::sqlite(&file)).unwrap();
    let served = move_all(&Config::sqlite(&file), &schema.config(), small(), &mut |_| {}).await.unwrap_err();
    assert!(matches!(served, MoveError::Source(sqlite::OpenError::Served(_))), "{served}");
    site(&serving, "news").await;
    serving.close().await;
    drop(serving);
    let half = Options { batches_max: Some(1), ..small() };
    assert!(matches!(moved(&file, &schema, half).await, Err(MoveError::Stopped)));
    let other = folder.path().join("other.db");
    SqliteStore::open(&Config::sqlite(&other)).unwrap().close().await;
    assert!(matches!(moved(&other, &schema, small()).await, Err(MoveError::OtherMove)));
    moved(&file, &schema, small()).await.unwrap();
    assert!(matches!(moved(&other, &schema, small()).await, Err(MoveError::NotEmpty("audit" | "site"))));
}

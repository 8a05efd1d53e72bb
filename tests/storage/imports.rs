//! What the port promises of comments that are brought in from elsewhere, and of writing them out.

use std::sync::Arc;

use doorward::domain::comment::Article;
use doorward::domain::decision::{Action, DecidedBy, Status};
use doorward::domain::imports::{Import, ImportBatch, ImportCounts, ImportKey, Imported, Labelled};
use doorward::domain::learning::Said;
use doorward::domain::people::Reach;
use doorward::domain::sanction::NewSanction;
use doorward::domain::site::Site;
use doorward::domain::store::{AuditFilter, QueueFilter, QueueSort, Ruling, RulingCategory, Store};
use doorward::domain::time::Timestamp;
use uuid::Uuid;

use crate::made::{Made, at, first_page, id, moderator, ruling, site};
use crate::sanctions_reports_appeals::ban;
use crate::suite::Engine;

const HAM: Said = Said { spam: Some(false), abuse: Some(false) };
const SPAM: Said = Said { spam: Some(true), abuse: None };
const NOTHING: Said = Said { spam: None, abuse: None };

async fn started(engine: &dyn Engine) -> (Arc<dyn Store>, Arc<Site>, Import) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let import = store.import_begin(key(&news), at(0)).await.unwrap();
    (store, news, import)
}

fn key(site: &Site) -> ImportKey {
    ImportKey { site: site.id, format: "wordpress".to_owned(), file: [7; 32] }
}

/// A comment of some years ago.
fn old(news: &Arc<Site>, name: &str, status: Status, said: Said) -> Imported {
    let mut made = match status {
        Status::Approved => Made::new(news, name),
        Status::Held => Made::new(news, name).held(None, &[], 0.5),
        Status::Rejected => Made::new(news, name).rejected(),
    };
    made.0.decided_by = DecidedBy::Rule;
    made.0.received_at = years_ago(name);
    Imported { record: made.0, said }
}

/// Another moment for each, in the order of names.
fn years_ago(name: &str) -> Timestamp {
    let place = name.bytes().fold(0, |sum, byte| sum * 256 % 1_000_003 + i64::from(byte));
    Timestamp::parse("2019-03-01T10:00:00Z").unwrap().plus_millis(place * 1_000)
}

fn batch(import: &Import, news: &Arc<Site>, comments: Vec<Imported>) -> ImportBatch {
    ImportBatch {
        import: import.id,
        site: Arc::clone(news),
        entries: (import.position, import.position + comments.len() as u64),
        skipped: 0,
        articles: Vec::new(),
        comments,
        is_last: false,
        at: at(1),
    }
}

async fn names(store: &dyn Store, news: &Site) -> Vec<String> {
    let (all, _) = store.export_comments(news.id, None, 100).await.unwrap();
    all.iter().map(|one| one.comment.id.to_string()).collect()
}

pub(crate) async fn a_part_of_a_file_is_stored_with_how_far_that_has_got_and_once(engine: &dyn Engine) {
    let (store, news, import) = started(engine).await;
    let comments = vec![old(&news, "c-1", Status::Approved, HAM), old(&news, "c-2", Status::Rejected, SPAM)];
    let article = Article { title: Some("Lanes".to_owned()), ..Article::named(id("a-1")) };
    let mut first = batch(&import, &news, comments);
    first.articles.push(article.clone());
    (first.skipped, first.entries.1) = (2, 5);
    let after = store.import_batch(first.clone()).await.unwrap().unwrap();
    let counts = ImportCounts { stored: 2, articles: 1, skipped: 2, ..ImportCounts::default() };
    assert_eq!((after.position, after.counts, after.done_at), (5, counts, None));
    assert_eq!(store.import_batch(first).await.unwrap(), None, "what is behind it does not come again");
    assert_eq!(store.article_find(news.id, &id("a-1")).await.unwrap(), Some(article));
    let (record, _) = store.comment_find(news.id, &id("c-2")).await.unwrap().unwrap();
    assert_eq!(
        (record.status, record.decided_by, record.received_at),
        (Status::Rejected, DecidedBy::Rule, years_ago("c-2"))
    );
    let crashed = engine.crashed().await;
    store.close().await;
    let store = crashed.open().await;
    assert_eq!(store.import_begin(key(&news), at(2)).await.unwrap(), after, "whoever begins again goes on from there");
    assert_eq!(names(&*store, &news).await, ["c-1", "c-2"]);
    let last = ImportBatch { is_last: true, ..batch(&after, &news, vec![old(&news, "c-3", Status::Approved, HAM)]) };
    let done = store.import_batch(last).await.unwrap().unwrap();
    assert_eq!((done.position, done.counts.stored, done.done_at), (6, 3, Some(at(1))));
    let audit = AuditFilter { action: Some("import".to_owned()), ..AuditFilter::default() };
    let lines = store.audit_list(&audit, &first_page(9)).await.unwrap().items;
    let told: Vec<_> = lines.iter().map(|line| (line.entry.subject.as_str(), line.entry.detail.as_str())).collect();
    assert_eq!(told, [("news", "wordpress, 3 comments")]);
    store.close().await;
}

pub(crate) async fn what_is_there_already_is_left_alone_and_counted(engine: &dyn Engine) {
    let (store, news, import) = started(engine).await;
    let here = Made::new(&news, "c-1").store(&*store).await;
    let other = Made::new(&news, "c-2").body("Something else altogether.").store(&*store).await;
    let comments = vec![
        old(&news, "c-1", Status::Rejected, SPAM),
        old(&news, "c-2", Status::Approved, HAM),
        old(&news, "c-3", Status::Approved, HAM),
        old(&news, "c-3", Status::Rejected, SPAM),
    ];
    let after = store.import_batch(batch(&import, &news, comments)).await.unwrap().unwrap();
    assert_eq!(after.counts, ImportCounts { stored: 1, known: 2, differing: 1, ..ImportCounts::default() });
    for (name, was) in [("c-1", &here), ("c-2", &other)] {
        let (record, _) = store.comment_find(news.id, &id(name)).await.unwrap().unwrap();
        assert_eq!(&record, was, "{name}");
    }
    let (third, _) = store.comment_find(news.id, &id("c-3")).await.unwrap().unwrap();
    assert_eq!(third.status, Status::Approved, "of two of one id the first");
    store.close().await;
}

pub(crate) async fn what_is_brought_in_tells_nobody_and_waits_only_where_it_waited(engine: &dyn Engine) {
    let (store, news, import) = started(engine).await;
    assert!(store.site_webhook_set("news", Some("https://news.example/hook"), at(0)).await.unwrap());
    let comments = vec![
        old(&news, "c-1", Status::Approved, HAM),
        old(&news, "c-2", Status::Held, NOTHING),
        old(&news, "c-3", Status::Rejected, SPAM),
    ];
    store.import_batch(batch(&import, &news, comments)).await.unwrap().unwrap();
    let queue = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(9), at(2)).await.unwrap();
    let waiting: Vec<_> = queue.items.iter().map(|item| item.record.comment.id.as_str()).collect();
    assert_eq!(waiting, ["c-2"]);
    assert_eq!(queue.items[0].held_at, years_ago("c-2"));
    assert!(store.outbox_sites(at(3)).await.unwrap().is_empty());
    store.close().await;
}

pub(crate) async fn what_people_say_here_outranks_what_was_said_elsewhere(engine: &dyn Engine) {
    let (store, news, import) = started(engine).await;
    let comments = ["c-1", "c-2", "c-3", "c-4"].map(|name| old(&news, name, Status::Rejected, SPAM)).into_iter();
    let comments = comments.chain([old(&news, "c-5", Status::Approved, HAM)]).collect();
    store.import_batch(batch(&import, &news, comments)).await.unwrap().unwrap();
    assert!(store.label_ids(news.id).await.unwrap().is_empty(), "nothing is learned that nobody asked for");
    let (before, _) = store.comment_find(news.id, &id("c-4")).await.unwrap().unwrap();
    store.rule(ruling(Action::Approve, &[&before], 1)).await.unwrap();
    let labelled = store.import_label(import.id, 2, at(2)).await.unwrap();
    assert_eq!(labelled, Labelled { spam: 2, ham: 1 }, "the latest of each, and none of which somebody spoke here");
    let (after, _) = store.comment_find(news.id, &id("c-3")).await.unwrap().unwrap();
    store.rule(ruling(Action::Approve, &[&after], 3)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    let labels = store.labels(&ids).await.unwrap();
    let told: Vec<_> = labels
        .iter()
        .map(|label| (label.comment.id.as_str(), label.said, label.decision == Uuid::nil(), label.id < 0))
        .collect();
    assert_eq!(
        told,
        [("c-2", SPAM, true, true), ("c-5", HAM, true, true), ("c-4", HAM, false, false), ("c-3", HAM, false, false)]
    );
    assert_eq!(
        store.import_label(import.id, 1, at(4)).await.unwrap(),
        Labelled { spam: 1, ham: 0 },
        "the next of them"
    );
    assert_eq!(store.import_label(import.id, 9, at(5)).await.unwrap(), Labelled::default());
    let first = store.label_ids(news.id).await.unwrap()[0];
    let first = store.labels(&[first]).await.unwrap().remove(0);
    assert_eq!(first.comment.id.as_str(), "c-1", "and they count as said before");
    let due = store.labels_due().await.unwrap();
    assert!(due.iter().any(|due| due.site == news.id && due.changes > due.seen));
    store.close().await;
}

pub(crate) async fn what_was_said_of_a_comment_elsewhere_goes_with_it(engine: &dyn Engine) {
    let (store, news, import) = started(engine).await;
    let comments = vec![old(&news, "c-1", Status::Rejected, SPAM), old(&news, "c-2", Status::Rejected, SPAM)];
    store.import_batch(batch(&import, &news, comments)).await.unwrap().unwrap();
    store.comment_erase(news.id, &id("c-1"), moderator(), at(2)).await.unwrap().unwrap();
    assert_eq!(names(&*store, &news).await, ["c-2"]);
    assert_eq!(store.import_label(import.id, 9, at(3)).await.unwrap(), Labelled { spam: 1, ham: 0 });
    store.comment_erase(news.id, &id("c-2"), moderator(), at(4)).await.unwrap().unwrap();
    assert!(store.label_ids(news.id).await.unwrap().is_empty());
    assert!(store.site_delete("news", moderator(), at(5)).await.unwrap());
    assert_eq!(store.import_batch(batch(&Import { position: 2, ..import }, &news, Vec::new())).await.unwrap(), None);
    let again = site(&*store, "news2").await;
    assert_eq!(store.import_begin(key(&again), at(6)).await.unwrap().position, 0);
    store.close().await;
}

pub(crate) async fn everything_of_a_site_is_written_out_in_its_order(engine: &dyn Engine) {
    let (store, news, import) = started(engine).await;
    let elsewhere = site(&*store, "elsewhere").await;
    let comments = vec![
        old(&news, "c-1", Status::Approved, HAM),
        old(&news, "c-2", Status::Rejected, SPAM),
        old(&news, "c-3", Status::Held, NOTHING),
    ];
    let mut first = batch(&import, &news, comments);
    first.articles = ["a-2", "a-1", "a-10"]
        .map(|name| Article { title: Some(name.to_owned()), ..Article::named(id(name)) })
        .to_vec();
    store.import_batch(first).await.unwrap().unwrap();
    Made::new(&elsewhere, "c-9").store(&*store).await;
    Made::new(&news, "c-4").store(&*store).await;
    let (judged, _) = store.comment_find(news.id, &id("c-2")).await.unwrap().unwrap();
    let abuse = Ruling { category: Some(RulingCategory::Abuse), ..ruling(Action::Reject, &[&judged], 3) };
    let ruled = store.rule(abuse).await.unwrap();
    let mut articles = Vec::new();
    while let Some(article) = store.export_articles(news.id, articles.last().cloned(), 1).await.unwrap().pop() {
        articles.push(article.id.to_string());
    }
    assert_eq!(articles, ["a-1", "a-10", "a-2"]);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (page, last) = store.export_comments(news.id, after, 2).await.unwrap();
        found.extend(page);
        after = last;
        if after.is_none() {
            break;
        }
    }
    let told: Vec<_> =
        found.iter().map(|one| (one.comment.id.as_str(), one.status, one.decided_by, one.said)).collect();
    let of_abuse = Said { spam: None, abuse: Some(true) };
    assert_eq!(
        told,
        [
            ("c-1", Status::Approved, DecidedBy::Rule, HAM),
            ("c-2", Status::Rejected, DecidedBy::Person, of_abuse),
            ("c-3", Status::Held, DecidedBy::Rule, NOTHING),
            ("c-4", Status::Approved, DecidedBy::Policy, NOTHING),
        ]
    );
    assert_eq!(found[0].received_at, years_ago("c-1"));
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(4)).await.unwrap();
    let (again, _) = store.export_comments(news.id, None, 9).await.unwrap();
    assert_eq!((again[1].said, again[1].decided_by), (SPAM, DecidedBy::Rule), "taken back, it is what it was");
    store.close().await;
}

pub(crate) async fn addresses_that_were_brought_in_go_when_their_time_has_come(engine: &dyn Engine) {
    let (store, news, import) = started(engine).await;
    let addressed = |mut one: Imported| {
        one.record.comment.author.ip = Some("203.0.113.7".parse().unwrap());
        one
    };
    let here = addressed(Imported { record: Made::new(&news, "here").0, said: NOTHING });
    Made(here.record).store(&*store).await;
    let hash = async |before: Timestamp| {
        let mut replaced = 0;
        for _ in 0..100 {
            let some = store.addresses_hash(before, 2, [7; 32]).await.unwrap();
            replaced += some.replaced;
            if some.looked_at == 0 {
                return replaced;
            }
        }
        panic!("it comes to no end");
    };
    assert_eq!(hash(at(5)).await, 1);
    let young =
        (1..4).map(|n| Imported { record: Made::new(&news, &format!("young-{n}")).at(10 + n).0, said: NOTHING });
    let past = (1..4).map(|n| old(&news, &format!("old-{n}"), Status::Approved, NOTHING));
    let comments = young.chain(past).map(addressed).collect();
    store.import_batch(batch(&import, &news, comments)).await.unwrap().unwrap();
    let with_address = async || {
        let (all, _) = store.export_comments(news.id, None, 100).await.unwrap();
        let all = all.iter().filter(|one| one.comment.author.ip.is_some());
        all.map(|one| one.comment.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(hash(at(5)).await, 3, "older than where it had got to, and behind some that are not due");
    assert_eq!(with_address().await, ["young-1", "young-2", "young-3"]);
    assert_eq!(hash(at(5)).await, 0);
    assert_eq!(hash(at(12)).await, 1, "and each other one when it is due");
    assert_eq!(hash(at(50)).await, 2);
    assert!(with_address().await.is_empty());
    assert_eq!(hash(at(50)).await, 0);
    store.close().await;
}

pub(crate) async fn imported_comments_are_not_gone_through_again_for_each_part_of_what_people_wrote(
    engine: &dyn Engine,
) {
    let (store, news, import) = started(engine).await;
    let young =
        (1..4).map(|n| Imported { record: Made::new(&news, &format!("young-{n}")).at(10 + n).0, said: NOTHING });
    store.import_batch(batch(&import, &news, young.collect())).await.unwrap().unwrap();
    for n in 0..5 {
        store
            .sanction_add(NewSanction { cause: "writes from 203.0.113.7".to_owned(), at: at(n), ..ban(None) })
            .await
            .unwrap();
    }
    let (mut words, mut comments) = (0, 0);
    for step in 0.. {
        let some = store.addresses_hash(at(6), 2, [7; 32]).await.unwrap();
        words += some.cleaned;
        comments += some.looked_at - some.cleaned;
        assert!(step < 100, "it comes to no end");
        if some.looked_at == 0 {
            break;
        }
    }
    assert_eq!(words, 5);
    assert!(comments <= 3, "{comments}");
    store.close().await;
}

pub(crate) async fn what_another_file_says_of_a_comment_is_learned_from_when_that_is_asked_for(engine: &dyn Engine) {
    let (store, news, import) = started(engine).await;
    let comments = || vec![old(&news, "c-1", Status::Rejected, NOTHING), old(&news, "c-2", Status::Approved, HAM)];
    store.import_batch(batch(&import, &news, comments())).await.unwrap().unwrap();
    let changed = store.import_begin(ImportKey { file: [8; 32], ..key(&news) }, at(2)).await.unwrap();
    let says = vec![
        old(&news, "c-1", Status::Rejected, SPAM),
        old(&news, "c-2", Status::Approved, SPAM),
        old(&news, "c-2", Status::Approved, HAM),
    ];
    let after = store.import_batch(batch(&changed, &news, says)).await.unwrap().unwrap();
    assert_eq!(after.counts, ImportCounts { known: 3, ..ImportCounts::default() });
    assert_eq!(store.import_label(changed.id, 9, at(3)).await.unwrap(), Labelled { spam: 2, ham: 0 });
    let ids = store.label_ids(news.id).await.unwrap();
    let said: Vec<_> = store.labels(&ids).await.unwrap().iter().map(|label| label.said).collect();
    assert_eq!(said, [SPAM, SPAM], "the later file's word, and of two of one id in it the first's");
    assert_eq!(store.import_label(import.id, 9, at(4)).await.unwrap(), Labelled::default(), "none is learned twice");
    store.close().await;
}

pub(crate) async fn a_file_fills_what_is_missing_of_an_article_and_overwrites_nothing(engine: &dyn Engine) {
    let (store, news, import) = started(engine).await;
    let text = |text: &str| Some(text.to_owned());
    let here = Article { title: text("New"), tags: vec!["new".to_owned()], ..Article::named(id("a-1")) };
    store.article_put(news.id, here.clone(), at(0)).await.unwrap();
    let there = Article {
        title: text("Old"),
        text: text("What it says."),
        tags: vec!["old".to_owned()],
        section: text("Town"),
        ..Article::named(id("a-1"))
    };
    let mut first = batch(&import, &news, Vec::new());
    (first.articles, first.entries.1) = (vec![there], 1);
    store.import_batch(first).await.unwrap().unwrap();
    let known = store.article_find(news.id, &id("a-1")).await.unwrap();
    assert_eq!(known, Some(Article { text: text("What it says."), section: text("Town"), ..here }));
    store.close().await;
}

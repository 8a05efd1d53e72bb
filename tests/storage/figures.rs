//! What the store costs, measured: `cargo test --release --test storage -- --ignored --nocapture figures`. Prints the
//! figures of docs/adr/0003-dense-rows-and-key-runs.md; asserts nothing about time.

use std::sync::Arc;
use std::time::Instant;

use doorward::domain::campaign::{self, CampaignFilter, CampaignRuling, Stances};
use doorward::domain::category::Category;
use doorward::domain::decision::{Action, Status};
use doorward::domain::history::{History, Standing};
use doorward::domain::people::Reach;
use doorward::domain::store::{QueueFilter, QueueSort, Store};
use doorward::storage::Config;
use doorward::storage::memory::history::{self, MemoryHistory};
use doorward::storage::sqlite::SqliteStore;
use xxhash_rust::xxh3::xxh3_64;

use crate::made::{Made, at, first_page, moderator, site};

const COMMENTS: usize = 200_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, for minutes"]
#[expect(clippy::disallowed_methods, clippy::cast_precision_loss, reason = "a measurement reads the clock, roughly")]
async fn figures() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::sqlite(&folder.path().join("doorward.db"));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&config).unwrap());
    let news = site(&*store, "news").await;
    let body = "What the article says about the bridge is right, but it leaves out who paid for it. ".repeat(4);
    for writers in [1, 32, 128] {
        let share = if writers == 1 { 2_000 } else { COMMENTS / 2 };
        let begin = Instant::now();
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let (store, news, body) = (Arc::clone(&store), Arc::clone(&news), body.clone());
                tokio::spawn(async move {
                    for n in (writer..share).step_by(writers) {
                        let made =
                            Made::new(&news, &format!("{writers}-{n}")).body(&body).author(&format!("u-{}", n % 5_000));
                        let made = made.under(&format!("a-{}", n % 300)).at(i64::try_from(n).unwrap());
                        let made =
                            if n % 50 == 0 { made.held(Some(Category::Spam), &["link-count"], 0.5) } else { made };
                        made.store(&*store).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let each = begin.elapsed().as_secs_f64() * 1e6 / share as f64;
        println!("record, {writers} at once: {each:.1} us each, {:.0} a second", 1e6 / each);
    }
    let unknown = Made::new(&news, "unknown");
    let begin = Instant::now();
    for _ in 0..10_000 {
        assert!(store.comment_find(news.id, &unknown.0.comment.id).await.unwrap().is_none());
    }
    println!("find an unknown id: {:.2} us", begin.elapsed().as_secs_f64() * 100.0);
    let known = Made::new(&news, "128-77");
    let begin = Instant::now();
    for _ in 0..1_000 {
        assert!(store.comment_find(news.id, &known.0.comment.id).await.unwrap().is_some());
    }
    println!("find a known id: {:.1} us", begin.elapsed().as_secs_f64() * 1e3);
    let trace = Made::new(&news, "new").author("u-7").0.trace;
    let begin = Instant::now();
    for _ in 0..100 {
        store.author_past(&trace, at(1_000_000), 25).await.unwrap();
    }
    println!("an author's past, 25 deep: {:.0} us", begin.elapsed().as_secs_f64() * 1e4);
    let begin = Instant::now();
    let page = store.queue(&QueueFilter::default(), QueueSort::Priority, &first_page(50), at(0)).await.unwrap();
    println!("a queue page of {} held: {:.1} ms", page.held, begin.elapsed().as_secs_f64() * 1e3);
    let log = std::fs::metadata(folder.path().join("doorward.db-wal")).map_or(0, |file| file.len());
    println!("log: {:.1} MB", log as f64 / 1e6);
    store.close().await;
    drop(store);
    let bytes = std::fs::metadata(folder.path().join("doorward.db")).unwrap().len();
    println!("file: {:.1} MB, {} bytes a comment", bytes as f64 / 1e6, bytes / COMMENTS as u64);
    let begin = Instant::now();
    let store = SqliteStore::open_serving(&config).unwrap();
    println!("open: {:.0} ms", begin.elapsed().as_secs_f64() * 1e3);
    let begin = Instant::now();
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let each = move |_| {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    };
    store.remembered(at(0), 1_000_000, Box::new(each)).await.unwrap();
    println!(
        "remember {}: {:.0} ms",
        count.load(std::sync::atomic::Ordering::Relaxed),
        begin.elapsed().as_secs_f64() * 1e3
    );
}

/// What campaigns cost beside two hundred thousand comments, two thousand of which are one: a start, a comment that belongs to none, one that
/// joins, and deciding about all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, for minutes"]
#[expect(clippy::disallowed_methods, clippy::cast_precision_loss, reason = "a measurement reads the clock, roughly")]
async fn campaign_figures() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::sqlite(&folder.path().join("doorward.db"));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&config).unwrap());
    let news = site(&*store, "news").await;
    let history = Arc::new(MemoryHistory::new(history::Config::default(), Arc::clone(&store)));
    let made = |n: usize| {
        let made = Made::new(&news, &format!("c-{n}")).author(&format!("u-{n}")).under(&format!("a-{}", n % 300));
        let mut made = made.at(i64::try_from(n / 100).unwrap());
        let seed = if n.is_multiple_of(100) { 0 } else { n as u64 };
        let hash = |part: u64| xxh3_64(format!("{seed} {part}").as_bytes());
        let text = made.0.trace.text.as_mut().unwrap();
        text.exact = hash(0);
        text.sketch = std::array::from_fn(|part| u32::try_from(hash(part as u64 + 1) >> 32).unwrap());
        made.0.trace.links.clear();
        made
    };
    let tasks: Vec<_> = (0..64)
        .map(|writer| {
            let all: Vec<Made> = (writer..COMMENTS).step_by(64).map(made).collect();
            let (store, history) = (Arc::clone(&store), Arc::clone(&history));
            tokio::spawn(async move {
                for mut made in all {
                    let (trace, now) = (made.0.trace.clone(), made.0.received_at);
                    history.sight_in(&trace, &Stances::default, now).await;
                    made.0.membership = history.membership(&trace, now).await;
                    made.store(&*store).await;
                    let standing = Standing { status: Status::Approved, by_person: false };
                    history.settle(&trace, now, standing).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let begin = Instant::now();
    let start = MemoryHistory::rebuild_with(
        history::Config::default(),
        campaign::Config::default(),
        Arc::clone(&store),
        at(3_000),
    );
    let history = start.await.unwrap();
    println!("rebuild the history of {COMMENTS} comments and their campaigns: {:.2} s", begin.elapsed().as_secs_f64());
    for (name, step) in [("a comment of its own", 1), ("a comment that joins", 100)] {
        let all: Vec<Made> = (0..2_000).map(|n| made(COMMENTS + n * 100 + step % 100)).collect();
        let begin = Instant::now();
        for made in &all {
            history.sight_in(&made.0.trace, &Stances::default, made.0.received_at).await;
        }
        println!("sight {name}: {:.1} us", begin.elapsed().as_secs_f64() * 1e6 / all.len() as f64);
        for made in &all {
            history.forget(&made.0.trace).await;
        }
    }
    let page = store.campaign_list(&CampaignFilter::default(), &first_page(9)).await.unwrap();
    let campaign = &page.items[0];
    let begin = Instant::now();
    store.campaign_find(campaign.uid, &Reach::ALL).await.unwrap().unwrap();
    println!("show a campaign of {}: {:.1} ms", campaign.size, begin.elapsed().as_secs_f64() * 1e3);
    let ruling = CampaignRuling {
        campaign: campaign.uid,
        seen_size: campaign.size,
        future: false,
        rule_until: None,
        except: Vec::new(),
        action: Action::Reject,
        category: None,
        reason: None,
        note: None,
        by: moderator(),
        at: at(4_000),
        reach: Reach::ALL,
        tell_at: at(4_000),
    };
    let begin = Instant::now();
    let ruled = store.campaign_rule(ruling).await.unwrap();
    println!("decide about {} at once: {:.2} s", ruled.ruled.applied.len(), begin.elapsed().as_secs_f64());
}

//! Of what is erased no byte is left in any file of the database: searched byte by byte, after many others were written around it.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use doorward::domain::appeal::Appeals as _;
use doorward::domain::decision::Action;
use doorward::domain::outbox::{LetterFilter, Outbox as _};
use doorward::domain::readers::{Config as Reports, NewReport, Readers as _};
use doorward::domain::sanction::{Measure, NewSanction, Sanctions as _, Target, TargetKind};
use doorward::domain::search::Search as _;
use doorward::domain::site::{Scope, Site};
use doorward::domain::store::Store;
use doorward::storage::Config;
use doorward::storage::sqlite::SqliteStore;

use crate::folder::at_one_moment;
use crate::made::{Made, appealed, at, id, moderator, ruling, secrets, upheld};

/// One word for each place where something of a person can stand.
const MARKERS: [&str; 21] = [
    "markerbody",
    "markername",
    "markermail",
    "markerhomepage",
    "markerbrowser",
    "markerreferrer",
    "markerhoneypot",
    "markeraccount",
    "markerrole",
    "markerfirstbody",
    "markerfirstname",
    "markerlong",
    "markerwaiting",
    "markerreason",
    "markernote",
    "markerreportmade",
    "markerreportgot",
    "markerappeal",
    "markeranswer",
    "markersanction",
    "markerevidence",
];

fn found(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (name, bytes) in at_one_moment(folder) {
        for marker in MARKERS {
            if bytes.windows(marker.len()).any(|window| window == marker.as_bytes()) {
                found.push(format!("{marker} in {name}"));
            }
        }
    }
    found
}

/// Waits until nothing is found, or two minutes have passed.
async fn cleaned(folder: &Path) {
    let waited = async {
        while !found(folder).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks at the condition
        }
    };
    let _ = tokio::time::timeout(Duration::from_mins(2), waited).await; // what is left then is told by whoever looks
}

fn marked(made: Made) -> Made {
    let mut made = made.author("markeraccount").author_name("markername");
    let comment = &mut made.0.comment;
    comment.author.email = Some("markermail@mail.example".to_owned());
    comment.author.url = Some("https://markerhomepage.example/".to_owned());
    comment.author.ip = Some("203.0.113.7".parse::<IpAddr>().unwrap());
    comment.author.user_agent = Some("markerbrowser/1".to_owned());
    comment.author.role = Some("markerrole".to_owned());
    comment.referrer = Some("https://elsewhere.example/markerreferrer".to_owned());
    comment.honeypot = Some("markerhoneypot".to_owned());
    made.0.verdict.policy = "markerevidence".to_owned();
    made
}

/// Comments of others, many of them edited to another length, so that pages are split, merged and written over.
async fn noise(store: &dyn Store, news: &Arc<Site>, from: usize) {
    for n in from..from + 200 {
        let made = Made::new(news, &format!("n-{n}")).author(&format!("u-{}", n % 30)).at(i64::try_from(n).unwrap());
        made.clone().body(&"it rains on the harbour ".repeat(1 + n % 50)).store(store).await;
        if n % 3 == 0 {
            made.body(&"and it rains on ".repeat((n * 7) % 120)).at(1_000).revise(store).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_erased_author_no_byte_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_serving(&Config::sqlite(&folder.path().join("doorward.db"))).unwrap();
    let key = secrets("news").akismet_hash;
    let webhook = Some("https://news.example/hook");
    let news = store.site_create("news", None, webhook, key, &[Scope::Post], secrets("news"), at(0)).await.unwrap();
    let news = Arc::new(news);
    noise(&store, &news, 0).await;

    let first = marked(Made::new(&news, "m-1")).author_name("markerfirstname").body("markerfirstbody");
    first.store(&store).await;
    let edited = marked(Made::new(&news, "m-1")).body("markerbody").at(1).revise(&store).await.unwrap();
    marked(Made::new(&news, "m-2")).body(&"markerlong ".repeat(3_000)).store(&store).await;
    marked(Made::new(&news, "m-3").held(None, &["blocklist"], 0.5)).body("markerwaiting").store(&store).await;
    noise(&store, &news, 200).await;
    let other = Made::new(&news, "other").store(&store).await;
    let mut rejection = ruling(Action::Reject, &[&edited, &other], 2);
    rejection.reason = Some("markerreason".to_owned());
    rejection.note = Some("markernote".to_owned());
    assert_eq!(store.rule(rejection).await.unwrap().applied.len(), 2);
    let report =
        |reader: &str, text: &str| NewReport { reader: id(reader), category: None, text: Some(text.to_owned()) };
    let made = report("markeraccount", "markerreportmade");
    store.report(news.id, &id("n-1"), made, Reports::default(), true, at(3)).await.unwrap();
    let got = report("u-1", "markerreportgot");
    store.report(news.id, &id("m-2"), got, Reports::default(), true, at(3)).await.unwrap();
    store.vote(news.id, &id("n-1"), &id("markeraccount"), 1, at(3)).await.unwrap();
    let appeal = appealed(&store, news.id, "m-1", Some("markerappeal"), 4).await;
    store.appeal_answer(upheld(&appeal, Some("markeranswer"), 5)).await.unwrap();
    let target = Target::parse(TargetKind::Author, "markeraccount", Some(news.id)).unwrap();
    let sanction = NewSanction {
        site: Some(news.id),
        measure: Measure::Premoderate,
        kind: target.kind,
        hash: target.hash(&store.target_key()),
        hint: target.hint(),
        cause: "markersanction".to_owned(),
        shadow: false,
        by: moderator(),
        at: at(6),
        expires_at: None,
        also: None,
    };
    store.sanction_add(sanction).await.unwrap();
    noise(&store, &news, 400).await;
    let planted = found(folder.path()).join(", ");
    for marker in MARKERS {
        assert!(planted.contains(marker), "{marker} was planted nowhere: the search would prove nothing");
    }

    while store.search_index(100).await.unwrap().more {}
    noise(&store, &news, 600).await; // so that the index has more than one part
    while store.search_index(100).await.unwrap().more {}
    let erased = store.author_erase(news.id, &id("markeraccount"), moderator(), at(7)).await.unwrap();
    assert_eq!((erased.comments.len(), erased.others), (3, 3));
    cleaned(folder.path()).await;
    assert_eq!(found(folder.path()), Vec::<String>::new(), "the log is emptied without anybody writing");
    let left = store.outbox_list(&LetterFilter::default(), &crate::made::first_page(50)).await.unwrap();
    let kinds: Vec<&str> = left.items.iter().map(|letter| letter.kind.as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "comment.erased").count(), 3, "the site is told: {kinds:?}");
    store.close().await;
    assert_eq!(found(folder.path()), Vec::<String>::new());
}

/// A reader that stays keeps the log from being emptied; when it goes, the log is emptied though nobody writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_emptied_once_a_reader_of_old_pages_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("doorward.db");
    let store = SqliteStore::open_serving(&Config::sqlite(&path)).unwrap();
    let news = crate::made::site(&store, "news").await;
    Made::new(&news, "m-1").body("markerbody").author("ann").store(&store).await;
    store.search_index(100).await.unwrap();
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM comment;").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM comment", [], |row| row.get(0)).unwrap();
    store.author_erase(news.id, &id("ann"), moderator(), at(7)).await.unwrap();
    assert!(!found(folder.path()).is_empty(), "the reader still needs it");
    reader.execute_batch("COMMIT").unwrap();
    cleaned(folder.path()).await;
    assert_eq!(found(folder.path()), Vec::<String>::new());
    store.close().await;
}

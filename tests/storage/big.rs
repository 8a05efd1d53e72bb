//! A database as that of a big installation, for `scripts/bench-console`: not run with the others.

use std::path::Path;
use std::sync::Arc;

use doorward::domain::category::Category;
use doorward::domain::comment::Article;
use doorward::domain::site::Site;
use doorward::domain::store::Store;
use doorward::storage::Config;
use doorward::storage::sqlite::SqliteStore;

use crate::made::{Made, id, site};

const COMMENTS: u32 = 1_000_000;
/// Of so many one is held.
const HELD: u32 = 20;
const VOCABULARY: u32 = 20_000;
const SITES: u32 = 8;
const CATEGORIES: [Option<Category>; 4] = [Some(Category::Spam), Some(Category::OffTopic), Some(Category::Abuse), None];
const SIGNALS: [&str; 6] = ["link-count", "blocklist", "shouting", "off-topic", "author-history", "duplicate-text"];
const LANGS: [&str; 5] = ["en", "de", "fr", "zh", "ko"];

/// xorshift: the same database every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 33).unwrap() % end
    }

    /// A rank by Zipf's law: each doubling of the rank is as likely as the next.
    fn zipf(&mut self, end: u32) -> u32 {
        let doublings = f64::from(end).log2();
        let exponent = f64::from(self.below(1_000_000)) / 1_000_000.0 * doublings;
        let rank = exponent.exp2();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 1 to the end of the vocabulary"
        )]
        let rank = rank as u32;
        rank.min(end) - 1
    }
}

/// A made-up word: consonants and vowels, so that many begin alike.
fn word(mut rank: u32) -> String {
    let mut word = String::new();
    rank += 40;
    while rank > 0 {
        word.push(char::from(b"bdfgklmnprst"[(rank % 12) as usize]));
        word.push(char::from(b"aeiou"[(rank / 12 % 5) as usize]));
        rank /= 60;
    }
    word
}

fn text(dice: &mut Dice, lang: &str) -> String {
    if lang == "zh" {
        let length = 15 + dice.below(60);
        return (0..length).map(|_| char::from_u32(0x4e00 + dice.zipf(3_000)).unwrap()).collect();
    }
    let length = 5 + dice.below(60);
    (0..length).map(|_| word(dice.zipf(VOCABULARY))).collect::<Vec<_>>().join(" ")
}

fn made(dice: &mut Dice, sites: &[Arc<Site>], n: u32) -> Made {
    let at = dice.zipf(SITES) as usize;
    let article = dice.zipf(4_000);
    let lang = LANGS[dice.zipf(5) as usize];
    let author = dice.zipf(100_000);
    let details = Article {
        title: Some(format!("{} {} {}", word(article), word(article + 1), word(article * 3))),
        section: Some(format!("section-{}", article % 12)),
        ..Article::named(id(&format!("a-{article}")))
    };
    let mut made = Made::new(&sites[at], &format!("c-{n}"))
        .body(&text(dice, lang))
        .author(&format!("u-{author}"))
        .author_name(&word(author))
        .lang(lang)
        .at(i64::from(n) - i64::from(COMMENTS));
    // As intake does: an article's details are written when they are news.
    made = if dice.below(50) == 0 { made.with_article(details) } else { made.under(&format!("a-{article}")) };
    if n.is_multiple_of(HELD) {
        let category = CATEGORIES[dice.zipf(4) as usize];
        let hits: Vec<&str> = SIGNALS.into_iter().filter(|_| dice.below(3) == 0).collect();
        return made.held(category, &hits, f64::from(dice.below(1_000)) / 1_000.0);
    }
    if dice.below(10) == 0 { made.rejected() } else { made }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "fills a database of two gigabytes"]
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
async fn a_big_installation() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console.db");
    let store = SqliteStore::open_serving(&Config::sqlite(&path)).unwrap();
    let mut sites = Vec::new();
    for n in 0..SITES {
        sites.push(site(&store, &format!("site-{n}")).await);
    }
    let store: Arc<dyn Store> = Arc::new(store);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let began = std::time::Instant::now();
    for from in (0..COMMENTS).step_by(2_000) {
        let mut tasks = Vec::new();
        for n in from..from + 2_000 {
            let (made, store) = (made(&mut dice, &sites, n), Arc::clone(&store));
            tasks.push(tokio::spawn(async move { drop(store.comment_record(made.0).await.unwrap()) }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
    let filled = began.elapsed();
    let began = std::time::Instant::now();
    while store.search_index(2_000).await.unwrap().more {}
    eprintln!("filled in {filled:?}, words entered in {:?}", began.elapsed());
    store.close().await;
}

/// What the triggers of the queue cost intake: rounds with and without them, in turns, on two files that are filled alike.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
async fn what_following_the_queue_costs() {
    let folder = tempfile::tempdir().unwrap();
    let mut stores = Vec::new();
    for name in ["with", "without"] {
        let path = folder.path().join(name);
        let store = SqliteStore::open_serving(&Config::sqlite(&path)).unwrap();
        if name == "without" {
            let drop =
                "DROP TRIGGER queue_change_in; DROP TRIGGER queue_change_joined; DROP TRIGGER search_due_edited;";
            rusqlite::Connection::open(&path).unwrap().execute_batch(drop).unwrap();
        }
        let sites = vec![site(&store, "site-0").await; SITES as usize];
        stores.push((Arc::new(store) as Arc<dyn Store>, sites, Dice(7), Vec::new()));
    }
    for round in 0..24 {
        for (store, sites, dice, rates) in &mut stores {
            let all: Vec<Made> = (0..10_000).map(|n| made(dice, sites, round * 10_000 + n)).collect();
            let began = std::time::Instant::now();
            for part in all.chunks(500) {
                let tasks = part.iter().map(|made| {
                    let (made, store) = (made.clone(), Arc::clone(store));
                    tokio::spawn(async move { drop(store.comment_record(made.0).await.unwrap()) })
                });
                for task in tasks.collect::<Vec<_>>() {
                    task.await.unwrap();
                }
            }
            rates.push(10_000.0 / began.elapsed().as_secs_f64());
        }
    }
    for (name, (_, _, _, rates)) in ["with", "without"].iter().zip(&mut stores) {
        rates.sort_unstable_by(f64::total_cmp);
        eprintln!("{name}: median {:.0}, best {:.0} comments a second", rates[12], rates[23]);
    }
}

//! What sharing costs. Figures for docs/redis.md, printed; nothing is asserted of them.

use std::sync::Arc;
use std::time::Duration;

use doorward::app::limits::local::Config;
use doorward::app::limits::shared::SharedLimiter;
use doorward::app::limits::{Limiter, Route, Subject, Tier};
use doorward::domain::comment::Comment;
use doorward::domain::history::{History, PastOf};
use doorward::domain::site::SiteId;
use doorward::storage::memory::history::MemoryHistory;
use tokio::time::Instant;

use crate::made::at;
use crate::server::{Server, until};
use crate::town::{HELD, Town, comment};

fn told(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_micros();
    println!("{what}: median {} us, 99 % {} us, {} times", at(50), at(99), took.len());
}

/// Letters that differ from comment to comment, and now and then do not.
fn posted(number: u64) -> Comment {
    let of = if number.is_multiple_of(20) { number % 400 } else { number };
    let words: Vec<String> =
        (0..25).map(|word| format!("w{:x}", (of * 31 + word).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44)).collect();
    let body = format!("{} https://h{}.example/{of}", words.join(" "), of % 5_000);
    comment(&format!("c-{number}"), &format!("x-{}", number % 300), &format!("u-{}", number % 9_000), &body)
}

async fn used(server: &Server) -> u64 {
    let mut connection = server.connection().await;
    let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await.unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; run it alone, optimised, on a machine with nothing else to do"]
async fn what_a_take_costs() {
    let Some(server) = Server::start().await else { return };
    let node = server.node().await;
    let limiter = Arc::new(SharedLimiter::new(&Config::default(), 7, node.tally()).unwrap());
    let take = async |limiter: &SharedLimiter, number: u32| {
        let author = format!("u-{number}");
        let ip = std::net::Ipv4Addr::from(0x0a00_0000 + number).into();
        let subject = Subject {
            site: SiteId(1),
            route: Route::Comment,
            tier: Tier::New,
            ip: Some(ip),
            author: Some(&author),
            email: None,
        };
        let started = Instant::now();
        let _ = limiter.take(&subject, at(0)).await;
        started.elapsed()
    };
    for number in 0..500 {
        take(&limiter, number).await;
    }
    let before = used(&server).await;
    let mut took = Vec::new();
    for number in 1_000..11_000 {
        took.push(take(&limiter, number * 256).await);
    }
    told("a take of four limits, one after another", took);
    let mut connection = server.connection().await;
    let keys: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap();
    println!("{} bytes a key, {keys} keys", (used(&server).await - before) / keys);
    let started = Instant::now();
    let mut taking = tokio::task::JoinSet::new();
    for task in 0..64_u32 {
        let limiter = Arc::clone(&limiter);
        taking.spawn(async move {
            for number in 0..500 {
                take(&limiter, 20_000_000 + task * 1_000 + number).await;
            }
        });
    }
    taking.join_all().await;
    println!("64 at once: {:.0} takes a second", 32_000.0 / started.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; run it alone, optimised, on a machine with nothing else to do"]
async fn what_a_sighting_costs() {
    let Some(server) = Server::start().await else { return };
    let town = Town::new().await;
    let comments: Vec<Comment> = (0..60_000).map(posted).collect();
    let alone = MemoryHistory::new(doorward::storage::memory::history::Config::default(), Arc::clone(&town.store));
    let took = each(&alone, &comments[..5_000]).await;
    told("a sighting in one node's memory", took);
    let (one, other) = (town.node(&server).await, town.node(&server).await);
    let before = used(&server).await;
    let took = each(&*one.history, &comments[..5_000]).await;
    told("a sighting that is shared by two nodes, one after another", took);
    let started = Instant::now();
    let mut sighting = tokio::task::JoinSet::new();
    let comments = Arc::new(comments);
    for task in 0..64_usize {
        let (history, comments) = (Arc::clone(&one.history), Arc::clone(&comments));
        sighting.spawn(async move {
            for comment in comments[5_000..].iter().skip(task).step_by(64).take(700) {
                history.sight_in(&comment.trace, &doorward::domain::campaign::Stances::default, at(1)).await;
                history.settle(&comment.trace, at(1), HELD).await;
            }
        });
    }
    sighting.join_all().await;
    println!("64 at once: {:.0} comments (two entries each) a second", 44_800.0 / started.elapsed().as_secs_f64());
    let mut connection = server.connection().await;
    let entries: u64 = redis::cmd("XLEN").arg("doorward:order").query_async(&mut connection).await.unwrap();
    println!("{} bytes an entry, {entries} entries", (used(&server).await - before) / entries);
    drop(other);
    let started = Instant::now();
    let late = town.starting(&server).await;
    until("it has read everything", async || late.redis_is_up()).await;
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    let rate = entries as f64 / started.elapsed().as_secs_f64();
    println!("read and applied: {rate:.0} entries a second");
}

async fn each(history: &dyn History, comments: &[Comment]) -> Vec<Duration> {
    let mut took = Vec::new();
    for comment in comments {
        let started = Instant::now();
        let past: PastOf =
            history.sight_in(&comment.trace, &|| doorward::domain::campaign::Stances::of(comment, None), at(1)).await;
        took.push(started.elapsed());
        assert!(past.links.get().is_some());
        history.settle(&comment.trace, at(1), HELD).await;
    }
    took
}

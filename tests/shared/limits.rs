//! Limits over all nodes: exactly as many as they say, meaning what limits in process mean.

use std::num::NonZeroU32;
use std::sync::Arc;

use doorward::app::limits::local::{Config, Key, LocalLimiter, OnLimit, PolicyConfig};
use doorward::app::limits::shared::SharedLimiter;
use doorward::app::limits::{Limiter, Route, Subject, Tier};
use doorward::domain::shared::Shared as _;
use doorward::domain::signal::Allowance;
use doorward::domain::site::SiteId;
use doorward::storage::redis::Redis;

use crate::made::at;
use crate::server::{Server, until};

fn policy(name: &str, key: Key, quota: u32, window_s: u32, on_limit: OnLimit) -> PolicyConfig {
    let of = |number| NonZeroU32::new(number).expect("positive");
    PolicyConfig {
        name: name.to_owned(),
        key,
        quota: of(quota),
        window_s: of(window_s),
        on_limit,
        routes: vec![Route::Comment],
        tiers: vec![Tier::New, Tier::Known, Tier::Staff],
    }
}

fn config(policies: Vec<PolicyConfig>) -> Config {
    Config { enabled: true, max_keys: 10_000, policies }
}

fn limiter(config: &Config, node: &Redis) -> SharedLimiter {
    SharedLimiter::new(config, 7, node.tally()).unwrap()
}

fn by<'a>(author: &'a str, ip: Option<&str>) -> Subject<'a> {
    let ip = ip.map(|ip| ip.parse().expect("an address"));
    Subject { site: SiteId(1), route: Route::Comment, tier: Tier::New, ip, author: Some(author), email: None }
}

/// A month for a few: nothing comes back while a test runs.
const MONTH_S: u32 = 30 * 86_400;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_as_many_are_let_through_over_all_nodes() {
    let Some(server) = Server::start().await else { return };
    for (nodes, on_limit) in [(2, OnLimit::Refuse), (3, OnLimit::Refuse), (3, OnLimit::Hold)] {
        let name = format!("quota-{nodes}-{on_limit:?}");
        let config = config(vec![policy(&name, Key::Author, 200, MONTH_S, on_limit)]);
        let mut posting = tokio::task::JoinSet::new();
        for _ in 0..nodes {
            let node = server.node().await;
            let limiter = Arc::new(limiter(&config, &node));
            for _ in 0..8 {
                let (limiter, node) = (Arc::clone(&limiter), Arc::clone(&node));
                posting.spawn(async move {
                    let mut within = 0;
                    for _ in 0..50 {
                        let taken = limiter.take(&by("anna", None), at(0)).await;
                        within += u32::from(taken == Ok(Allowance::Within));
                    }
                    assert!(node.is_up(), "it was shared all the time");
                    within
                });
            }
        }
        let within: u32 = posting.join_all().await.into_iter().sum();
        assert_eq!(within, 200, "{nodes} nodes, {on_limit:?}");
    }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[tokio::test]
async fn answers_are_those_of_limits_in_process() {
    let Some(server) = Server::start().await else { return };
    // Periods that are no whole milliseconds, and none of microseconds.
    let alike = config(vec![
        policy("author", Key::Author, 7, 60, OnLimit::Hold),
        policy("network", Key::Network, 13, 7, OnLimit::Hold),
        policy("site", Key::Site, 29, 11, OnLimit::Refuse),
    ]);
    let refusing = config(vec![
        policy("narrow", Key::Author, 3, 20, OnLimit::Refuse),
        policy("wide", Key::Site, 17, 5, OnLimit::Refuse),
        policy("holding", Key::Ip, 2, 60, OnLimit::Hold),
    ]);
    let mut seen = [0_u32; 3];
    for (name, config, seed) in [("one refuses", alike, 11), ("several refuse", refusing, 12)] {
        let local = LocalLimiter::new(&config, 7).unwrap();
        let (one, other) = (server.node_with_clock().await, server.node_with_clock().await);
        let shared = [limiter(&config, &one), limiter(&config, &other)];
        let mut dice = Dice(seed);
        let mut now = at(0);
        for step in 0..3_000 {
            now = now.plus_millis(i64::try_from(dice.roll(400)).unwrap());
            let author = format!("author-{}", dice.roll(5));
            let ip = format!("203.0.{}.{}", dice.roll(3), dice.roll(4));
            let subject = by(&author, Some(&ip));
            let expected = local.take(&subject, now).await;
            let found = shared[usize::try_from(dice.roll(2)).unwrap()].take(&subject, now).await;
            match (&expected, &found) {
                // What is known to be refused is not asked again, though another limit may refuse for longer by now.
                (Err(_), Err(_)) if name == "several refuse" => seen[0] += 1,
                _ => assert_eq!(found, expected, "{name}, step {step}: {subject:?}"),
            }
            seen[1] += u32::from(matches!(expected, Ok(Allowance::Hold { .. })));
            seen[2] += u32::from(expected.is_ok());
        }
        let mut connection = server.connection().await;
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
    }
    assert!(seen.iter().all(|count| *count > 300), "the course is no test: {seen:?}");
}

#[tokio::test]
async fn nodes_whose_clocks_were_set_back_shut_no_door_and_open_none() {
    let Some(server) = Server::start().await else { return };
    let ms = |ms: i64| at(0).plus_millis(ms);
    let (one, other) = (server.node_with_clock().await, server.node_with_clock().await);
    let config = config(vec![
        policy("refuses", Key::Author, 5, 10, OnLimit::Refuse),
        policy("holds", Key::Site, 7, 700, OnLimit::Hold),
    ]);
    let (ahead, behind) = (limiter(&config, &one), limiter(&config, &other));
    for _ in 0..5 {
        assert_eq!(ahead.take(&by("anna", None), ms(3_600_000)).await, Ok(Allowance::Within));
    }
    assert_eq!(ahead.take(&by("cora", None), ms(3_600_000)).await, Ok(Allowance::Within));
    // An hour earlier: as if all had been taken now, and time goes on from there.
    for _ in 0..3 {
        let over = behind.take(&by("anna", None), ms(0)).await.expect_err("over, as before");
        assert_eq!((over.policy.as_str(), over.retry_after_ms), ("refuses", 2_000));
    }
    assert!(behind.take(&by("anna", None), ms(1_999)).await.is_err());
    // The site's seventh was left; that it is held is not known to be so for an hour, but for a hundred seconds.
    assert!(matches!(behind.take(&by("anna", None), ms(2_000)).await, Ok(Allowance::Hold { .. })));
    assert!(behind.take(&by("anna", None), ms(2_001)).await.is_err(), "one came back, and it was taken");
    assert!(matches!(behind.take(&by("anna", None), ms(99_999)).await, Ok(Allowance::Hold { .. })));
    assert_eq!(behind.take(&by("anna", None), ms(102_000)).await, Ok(Allowance::Within));
    // Clocks that are some seconds apart, which are none that were set back, hurry nothing.
    let mut within = 0;
    for step in 0..200 {
        for moment in [205_000 + step, 200_000 + step] {
            within += u32::from(ahead.take(&by("dora", None), ms(moment)).await.is_ok());
            within += u32::from(behind.take(&by("dora", None), ms(moment)).await.is_ok());
        }
    }
    assert_eq!(within, 5, "the sixth is due after two seconds");
}

#[tokio::test]
async fn after_a_failover_to_a_redis_whose_clock_is_behind_nobody_waits_until_it_has_caught_up() {
    let Some(server) = Server::start().await else { return };
    let (one, other) = (server.node().await, server.node().await);
    let config = config(vec![policy("quota", Key::Author, 3, MONTH_S, OnLimit::Refuse)]);
    let (first, second) = (limiter(&config, &one), limiter(&config, &other));
    assert_eq!(first.take(&by("anna", None), at(0)).await, Ok(Allowance::Within));
    let mut connection = server.connection().await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*:limit:quota:*").query_async(&mut connection).await.unwrap();
    let [key] = &keys[..] else { panic!("{keys:?}") };
    let noted: String = redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap();
    let seconds: u64 = noted.split_once('.').unwrap().0.parse().unwrap();
    // As it would stand there had the clock been a year ahead.
    let ahead = format!("{}.0", seconds + 365 * 86_400);
    redis::cmd("SET").arg(key).arg(ahead).query_async::<()>(&mut connection).await.unwrap();
    let over = second.take(&by("anna", None), at(0)).await.expect_err("a whole allowance counts as taken");
    let third = u64::from(MONTH_S) * 1_000 / 3;
    assert!((third - 60_000..=third).contains(&over.retry_after_ms), "{over:?}");
    let noted: String = redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap();
    let due: u64 = noted.split_once('.').unwrap().0.parse().unwrap();
    let from_then = due - seconds;
    let left = u64::from(MONTH_S) / 3 * 2;
    assert!((left - 60..=left + 60).contains(&from_then), "noted as of now, so that it is waited for once: {noted}");
}

#[tokio::test]
async fn keys_go_by_themselves() {
    let Some(server) = Server::start().await else { return };
    let node = server.node().await;
    let limiter = limiter(&config(vec![policy("short", Key::Author, 100, 1, OnLimit::Refuse)]), &node);
    limiter.take(&by("anna", None), at(0)).await.unwrap();
    let mut connection = server.connection().await;
    until("no key of a limit is left", async || {
        let keys: Vec<String> = redis::cmd("KEYS").arg("*:limit:*").query_async(&mut connection).await.unwrap();
        keys.is_empty()
    })
    .await;
}

#[tokio::test]
async fn without_redis_each_node_lets_its_fair_share_through_and_with_it_all_count_together_again() {
    let Some(mut server) = Server::start().await else { return };
    let nodes = [server.node().await, server.node().await];
    until("both know of each other", async || nodes.iter().all(|node| node.nodes() == 2)).await;
    let config = config(vec![policy("quota", Key::Author, 10, MONTH_S, OnLimit::Refuse)]);
    let limiters = [limiter(&config, &nodes[0]), limiter(&config, &nodes[1])];
    let taken = async |limiter: &SharedLimiter, author: &str| {
        let mut within = 0;
        for _ in 0..20 {
            match limiter.take(&by(author, None), at(0)).await {
                Ok(_) => within += 1,
                Err(refused) => assert_eq!((refused.quota, refused.policy.as_str()), (10, "quota")),
            }
        }
        within
    };
    assert_eq!(taken(&limiters[0], "before").await, 10);
    server.kill();
    assert_eq!(taken(&limiters[0], "before").await, 0, "it was used up here, outage or not");
    assert_eq!((taken(&limiters[0], "anna").await, taken(&limiters[1], "anna").await), (5, 5));
    assert!(nodes.iter().all(|node| !node.is_up()));
    server.start_again().await;
    until("both are back", async || nodes.iter().all(|node| node.is_up())).await;
    assert_eq!(taken(&limiters[0], "bert").await + taken(&limiters[1], "bert").await, 10);
}

#[tokio::test]
async fn a_redis_that_is_there_and_does_not_answer_holds_nobody_up() {
    let Some(server) = Server::start().await else { return };
    let node = Redis::open(&doorward::storage::redis::Config { timeout_ms: 50, ..server.config() }).await.unwrap();
    let limiter = limiter(&config(vec![policy("quota", Key::Author, 10, MONTH_S, OnLimit::Refuse)]), &node);
    until("it is shared", async || node.is_up()).await;
    server.freeze(true);
    for _ in 0..10 {
        // Without a time of its own this would never end.
        limiter.take(&by("anna", None), at(0)).await.unwrap();
    }
    assert!(!node.is_up());
    assert!(limiter.take(&by("anna", None), at(0)).await.is_err(), "it counts by itself");
    server.freeze(false);
    until("it is shared again", async || node.is_up()).await;
}

#[tokio::test]
async fn a_redis_that_was_never_there_is_no_reason_not_to_start() {
    let Some(mut server) = Server::start().await else { return };
    server.kill();
    let node = server.node().await;
    let limiter = limiter(&config(vec![policy("quota", Key::Author, 2, MONTH_S, OnLimit::Refuse)]), &node);
    for expected in [true, true, false] {
        assert_eq!(limiter.take(&by("anna", None), at(0)).await.is_ok(), expected);
    }
    server.start_again().await;
    until("it is shared", async || node.is_up()).await;
}

#[tokio::test]
async fn a_node_that_starts_without_redis_takes_its_share_among_those_that_the_store_knows() {
    let Some(mut server) = Server::start().await else { return };
    server.kill();
    let node = server.node().await;
    let limiter = limiter(&config(vec![policy("quota", Key::Author, 10, MONTH_S, OnLimit::Refuse)]), &node);
    for _ in 0..3 {
        assert!(limiter.take(&by("anna", None), at(0)).await.is_ok());
    }
    node.heard_of(2);
    let mut within = 0;
    for _ in 0..20 {
        within += u32::from(limiter.take(&by("anna", None), at(0)).await.is_ok());
    }
    assert_eq!(within, 2, "five for each of two, and three were taken before it heard of the other");
}

#[tokio::test]
async fn a_node_that_is_the_first_to_find_redis_again_does_not_take_the_others_for_gone() {
    let Some(mut server) = Server::start().await else { return };
    let (node, other) = (server.node().await, server.node().await);
    until("it knows of the other", async || node.nodes() == 2).await;
    server.kill();
    until("it notices", async || !node.is_up()).await;
    drop(other); // so that it surely comes later
    server.start_again().await;
    until("it is back", async || node.is_up()).await;
    assert_eq!(node.nodes(), 2);
}

#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    fn lines_with(&self, what: &str) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| line.contains(what)).map(str::to_owned).collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_says_once_why_redis_cannot_be_used() {
    let Some(mut server) = Server::start().await else { return };
    server.kill();
    let log = Log::default();
    let its = log.clone();
    let logging = tracing_subscriber::fmt().with_ansi(false).with_writer(move || its.clone());
    let _logging = tracing::subscriber::set_default(logging.finish());
    let node = server.node().await;
    let wrong = log.lines_with("what nodes share cannot be reached: this node goes on alone");
    assert!(matches!(&wrong[..], [one] if one.contains("WARN") && one.contains("refused")), "{wrong:?}");
    server.start_again().await;
    until("it is shared", async || node.is_up()).await;
    assert_eq!(log.lines_with("goes on alone").len(), 1, "it looked again and again, and said it once");
}

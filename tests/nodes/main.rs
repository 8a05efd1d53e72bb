//! Three nodes on one PostgreSQL and one Redis: what is acknowledged stays, whoever is killed.
//!
//! Under load over HTTP, one node after the other is killed with SIGKILL and started again; one hangs for longer than a lease lasts, PostgreSQL
//! crashes once, Redis is away for a while. In the end every acknowledged comment is there once with its first verdict, no acknowledged decision
//! is lost, every webhook that was due came in order, a limit let through what it
//! says over all nodes, and what one node did another one knows. `DOORWARD_SOAK_S` says for how long (`scripts/soak`: five minutes).
//!
//! Needs Debian's postgresql and redis-server. Without them it says that it was skipped; with `DOORWARD_POSTGRES=required` it fails.

#![allow(clippy::unwrap_used, reason = "a test may end at any line")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "whoever runs tests says by variables what there is to test on, and is told what was skipped"
)]

mod fleet;
mod load;
#[path = "../support/receiver.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod receiver;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fleet::{Fleet, Missing};
use load::Load;
use receiver::{Came, Receiver, Reply};
use reqwest::Method;
use serde_json::{Value, json};

/// Comments that one author may make in an hour.
pub(crate) const LIMIT: usize = 20;
/// Nodes.
const NODES: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_is_kept_and_nodes_agree_while_everything_fails_in_turn() {
    let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
    let seconds: u64 = std::env::var("DOORWARD_SOAK_S").map_or(30, |text| text.parse().expect("a number of seconds"));
    // Some are refused, so that order has to be kept through attempts that come again.
    let answers = |_: &Came, before: usize| if before % 11 == 5 { Reply::Status(500) } else { Reply::Status(204) };
    let receiver = Receiver::start(answers).await;
    let fleet = match Fleet::start(NODES, &receiver.url("/hooks"), true).await {
        Ok(fleet) => Arc::new(fleet),
        Err(Missing(what)) => {
            assert_ne!(std::env::var("DOORWARD_POSTGRES").as_deref(), Ok("required"), "{what} is missing");
            return eprintln!("SKIPPED: {what} is missing (scripts/test installs it)");
        }
    };
    what_one_node_does_the_others_know(&fleet).await;
    the_limit_counts_over_all_nodes(&fleet).await;
    settings_that_one_takes_all_take(&fleet).await;
    let load = Load::start(&fleet);
    disturb(&fleet, seconds).await;
    let load = load.stop().await;
    fleet.all_ready().await;
    load.settle(&fleet).await; // what got no answer is sent until it has one
    drained(&fleet).await;
    each_work_is_one_nodes(&fleet).await;
    println!("{load}");
    let acknowledged = u64::try_from(load.acknowledged()).unwrap();
    assert!(acknowledged > 3 * seconds, "hardly anything was tried: {acknowledged} comments");
    for (what, count) in load.tried() {
        assert!(count > 0, "it was never tried: {what}");
    }
    let stored = everything(&fleet).await;
    load.check_against(&stored);
    check_webhooks(&fleet, &receiver.came(), &stored).await;
}

/// Kills a node after the other for so long; in between the database crashes and Redis is away.
async fn disturb(fleet: &Fleet, seconds: u64) {
    let every = Duration::from_secs(if seconds > 120 { 10 } else { 5 });
    let ends = tokio::time::Instant::now() + Duration::from_secs(seconds);
    let whole = u32::try_from(seconds).unwrap();
    let (crash, away) = (ends - Duration::from_secs(1) * (whole * 2 / 3), ends - Duration::from_secs(1) * (whole / 3));
    let kills = async {
        for turn in 0.. {
            if tokio::time::Instant::now() + every > ends {
                return;
            }
            tokio::time::sleep(every).await; // the scene: somebody is killed so often
            fleet.kill(turn % NODES);
        }
    };
    let crashes = async {
        tokio::time::sleep_until(crash).await; // the scene: then the database crashes
        fleet.crash_postgres();
    };
    let absence = async {
        tokio::time::sleep_until(away).await; // the scene: then Redis goes
        fleet.stop_redis();
        tokio::time::sleep(Duration::from_secs(seconds / 10 + 2)).await; // and is away for a while
        fleet.start_redis().await;
    };
    let hang = async {
        tokio::time::sleep(Duration::from_secs(1)).await; // the scene: then one of them hangs
        fleet.pause(1);
        tokio::time::sleep(Duration::from_secs(17)).await; // for longer than a lease lasts that nobody renews
        fleet.go_on();
    };
    tokio::join!(kills, crashes, absence, hang);
}

/// What one node does for all one node does, and not two that both believe that it is theirs.
async fn each_work_is_one_nodes(fleet: &Fleet) {
    let settled = async || {
        let mut turns = BTreeMap::new();
        for node in 0..NODES {
            let metrics = fleet.metrics(node).await.unwrap();
            for line in metrics.lines().filter(|line| line.starts_with("doorward_turn{")) {
                let (work, turn) = line.rsplit_once(' ').unwrap();
                *turns.entry(work.to_owned()).or_insert(0) += turn.parse::<u32>().unwrap();
            }
        }
        turns.len() == 4 && turns.values().all(|turns| *turns == 1)
    };
    load::until("each work is one node's", settled).await;
}

/// Settings that one node takes are looked for by all, although none of them looks by itself.
async fn settings_that_one_takes_all_take(fleet: &Fleet) {
    let assess = json!({"id": "settings", "article": {"id": "a-1"}, "author": {"id": "u-settings"}, "body": "The bridge opened on Monday."});
    let policies = async || {
        let mut policies = HashSet::new();
        for node in 0..NODES {
            let (status, assessed) = fleet.ask(node, Method::POST, "/v1/assess", Some(&assess)).await.unwrap();
            assert_eq!(status, 200, "{assessed}");
            policies.insert(assessed["verdict"]["policy"].as_str().expect("a hash").to_owned());
        }
        policies
    };
    let before = policies().await;
    assert_eq!(before.len(), 1, "they begin alike: {before:?}");
    fleet.add_settings("[signals.shouting]\nmode = \"shadow\"\n", 1);
    load::until("all decide under the new settings", async || {
        let now = policies().await;
        now.len() == 1 && now != before
    })
    .await;
    load::until("and each says that the others do", async || {
        let mut differ = Vec::new();
        for node in 0..NODES {
            let metrics = fleet.metrics(node).await.unwrap();
            differ.push(metrics.lines().any(|line| line == "doorward_nodes_other_settings 0"));
        }
        differ == [true; NODES]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_share_no_limits_say_so() {
    let _ = rustls::crypto::ring::default_provider().install_default(); // no client without one
    let fleet = match Fleet::start(2, "http://127.0.0.1:1024/hooks", false).await {
        Ok(fleet) => fleet,
        Err(Missing(what)) => {
            assert_ne!(std::env::var("DOORWARD_POSTGRES").as_deref(), Ok("required"), "{what} is missing");
            return eprintln!("SKIPPED: {what} is missing (scripts/test installs it)");
        }
    };
    for node in 0..2 {
        let told = async || {
            let (status, ready) = fleet.ask(node, Method::GET, "/readyz", None).await.unwrap();
            assert_eq!(status, 200, "comments are taken all the same: {ready}");
            (&ready["shared"], &ready["nodes"]) == (&json!("degraded"), &json!(2))
        };
        load::until("a node says that it shares nothing with the other one", told).await;
        // It is logged a moment after it is told.
        let logged = async || fleet.log(node).contains("every limit lets through as much on each of them");
        load::until("it is in the log", logged).await;
    }
}

/// Keys, sanctions and what people do in the queue: at once, on every node.
async fn what_one_node_does_the_others_know(fleet: &Fleet) {
    let held = json!({"id": "held", "article": {"id": "a-1"}, "author": {"id": "u-held"}, "body": "buy viagra now"});
    let (status, held) = fleet.ask(0, Method::POST, "/v1/comments", Some(&held)).await.unwrap();
    assert!(status == 201 && held["status"] != "approved", "{status}: {held}");
    let mut watching = fleet.watch(1).await;
    // Somebody watches on one node only: the others hear of it, and tell it what happens. Claims come from the node that decides afterwards: it then has heard
    // that somebody watches.
    let claim = json!({"uids": [held["uid"]]});
    let claimed = load::until("a claim is told on another node", async || {
        fleet.ask_as_person(0, Method::POST, "/v1/queue/claims", Some(&claim)).await.unwrap();
        watching.said("claimed")
    });
    claimed.await;
    let decision = json!({"items": [{"uid": held["uid"], "seen_version": held["version"]}], "action": "reject"});
    let (status, said) = fleet.ask_as_person(0, Method::POST, "/v1/decisions", Some(&decision)).await.unwrap();
    assert_eq!(status, 200, "{said}");
    load::until("a decision is told on another node", async || watching.said("left")).await;
    let (_, now) = fleet.ask(1, Method::GET, "/v1/comments/held", None).await.unwrap();
    assert_eq!((&now["status"], &now["version"]), (&json!("rejected"), &json!(2)));

    let plain = |id: &str| json!({"id": id, "article": {"id": "a-1"}, "author": {"id": "u-banned"}, "body": "The bridge opened on Monday, as planned."});
    let ban =
        json!({"site": "news", "target": {"kind": "author", "value": "u-banned"}, "measure": "ban", "cause": "a test"});
    let (status, sanction) = fleet.ask_as_person(0, Method::POST, "/v1/sanctions", Some(&ban)).await.unwrap();
    assert_eq!(status, 201, "{sanction}");
    for node in 0..NODES {
        // The news takes some milliseconds: the comments before it are another matter. They come from one author, of whom a limit takes no more than so many:
        // a look twice a second has time for the news before that is used up.
        let mut is_first = true;
        let bites = async || {
            if !std::mem::take(&mut is_first) {
                tokio::time::sleep(Duration::from_millis(500)).await; // between two looks at the condition
            }
            let id = format!("banned-{node}-{}", load::number());
            let (_, taken) = fleet.ask(node, Method::POST, "/v1/comments", Some(&plain(&id))).await.unwrap();
            taken["status"] == "rejected"
        };
        load::until("a sanction bites on every node", bites).await;
    }
}

/// One author, on all nodes at once: as many get through as the limit says, and not one more.
async fn the_limit_counts_over_all_nodes(fleet: &Fleet) {
    if !fleet.shares_limits() {
        return eprintln!("SKIPPED: limits over several nodes: no redis-server");
    }
    let one = |number: usize| {
        let body = json!({"id": format!("limit-{number}"), "article": {"id": "a-1"}, "author": {"id": "u-eager"},
            "body": format!("Number {number} of the things that I have to say about this.")});
        async move { fleet.ask(number % NODES, Method::POST, "/v1/comments", Some(&body)).await.unwrap().0 }
    };
    let answers = futures_util::future::join_all((0..3 * LIMIT).map(one)).await;
    let taken = answers.iter().filter(|status| **status == 201).count();
    let refused = answers.iter().filter(|status| **status == 429).count();
    assert_eq!((taken, refused), (LIMIT, 2 * LIMIT), "a limit over {NODES} nodes");
}

/// Everything that is stored, by id.
async fn everything(fleet: &Fleet) -> BTreeMap<String, Value> {
    let (mut stored, mut uids, mut cursor) = (BTreeMap::new(), HashSet::new(), String::new());
    loop {
        let path = format!("/v1/comments?limit=500{cursor}");
        let (status, page) = fleet.ask(0, Method::GET, &path, None).await.unwrap();
        assert_eq!(status, 200, "{page}");
        for item in page["items"].as_array().unwrap() {
            assert!(uids.insert(item["uid"].to_string()), "a uid was given out twice: {item}");
            let id = item["id"].as_str().unwrap().to_owned();
            assert!(stored.insert(id, item.clone()).is_none(), "a comment is stored twice: {item}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return stored,
        }
    }
}

/// Waits until nothing is left to be told.
async fn drained(fleet: &Fleet) {
    let empty = async || {
        let (status, page) = fleet.ask_as_person(0, Method::GET, "/v1/outbox?limit=1", None).await.unwrap();
        assert_eq!(status, 200, "{page}");
        let letter = page["items"].as_array().unwrap().first().cloned();
        assert!(letter.iter().all(|letter| letter["dead_at"].is_null()), "nothing is given up: {letter:?}");
        letter.is_none()
    };
    load::until("everything is told", empty).await;
}

/// Everything came, and what came first of each state came in order.
async fn check_webhooks(fleet: &Fleet, came: &[Came], stored: &BTreeMap<String, Value>) {
    let (mut ids, mut states, mut again) = (HashSet::new(), BTreeMap::<String, Vec<(u64, String)>>::new(), 0);
    for one in came.iter().filter(|one| one.answered == Some(204)) {
        if !ids.insert(one.id.clone()) {
            again += 1;
            continue;
        }
        let data = &one.json()["data"];
        let state = (data["version"].as_u64().unwrap(), data["status"].as_str().unwrap().to_owned());
        states.entry(one.says().0).or_default().push(state);
    }
    for (id, comment) in stored {
        let told = states.get(id).unwrap_or_else(|| panic!("{id} was never told"));
        assert!(told.is_sorted_by(|earlier, later| earlier.0 < later.0), "{id} was told out of order: {told:?}");
        let last = &told[told.len() - 1];
        assert_eq!(json!(last.1), comment["status"], "{id}: what was told last is what it is");
        if comment["version"] == 1 {
            assert_eq!(told.len(), 1, "{id}: {told:?}");
        }
    }
    println!("{} webhooks, {again} of them again", ids.len());
    let (_, figures) = fleet.ask_as_person(0, Method::GET, "/readyz", None).await.unwrap();
    println!("in the end: {figures}");
}

//! What the port promises to several processes: one lease has one holder, and nodes are known until they are forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use doorward::app::clock::Clock;
use doorward::app::turns::Turns;
use doorward::domain::nodes::Node;
use doorward::domain::time::Timestamp;

use crate::made::at;
use crate::suite::Engine;

pub(crate) async fn of_all_who_ask_at_once_one_has_the_lease(engine: &dyn Engine) {
    let store = engine.open().await;
    let names: Vec<String> = (0..8).map(|number| format!("node-{number}")).collect();
    let asked = names.iter().map(|name| store.lease_take("learning", name, at(10), at(0)));
    let given = futures_util::future::join_all(asked).await;
    assert_eq!(given.into_iter().filter(|given| *given.as_ref().unwrap()).count(), 1);
}

pub(crate) async fn lease_is_its_holders_until_it_runs_out_or_is_given_back(engine: &dyn Engine) {
    let store = engine.open().await;
    let take = async |holder: &str, until, now| store.lease_take("learning", holder, at(until), at(now)).await.unwrap();
    assert!(take("a", 10, 0).await);
    assert!(!take("b", 19, 9).await, "somebody else has it");
    assert!(store.lease_take("privacy", "b", at(10), at(0)).await.unwrap(), "another lease is nothing to this one");
    assert!(take("a", 20, 9).await, "its holder renews it");
    assert!(!take("b", 25, 15).await, "it was renewed");
    assert!(take("b", 30, 20).await, "it ran out");
    assert!(!take("a", 31, 21).await, "whoever held it before holds it no more");
    store.lease_drop("learning", "a").await.unwrap();
    assert!(!take("a", 32, 22).await, "only its holder gives it back");
    store.lease_drop("learning", "b").await.unwrap();
    assert!(take("a", 33, 23).await);
    store.close().await;
    drop(store);
    let store = engine.open().await;
    assert!(!store.lease_take("learning", "b", at(34), at(24)).await.unwrap(), "it is there after opening again");
}

pub(crate) async fn nodes_are_known_until_they_are_gone_or_not_seen(engine: &dyn Engine) {
    let store = engine.open().await;
    let node = |name: &str, version: &str, since, seen| Node {
        name: name.to_owned(),
        version: version.to_owned(),
        schema: store.schema(),
        started_at: at(since),
        seen_at: at(seen),
        config: format!("of {name}, {seen}"),
    };
    let names = async || -> Vec<String> {
        store
            .nodes()
            .await
            .unwrap()
            .into_iter()
            .map(|node| format!("{} {}", node.name, node.seen_at.as_millis() / 1_000))
            .collect()
    };
    let second = at(0).as_millis() / 1_000;
    for (name, version, since, seen) in [("b", "0.2.0", 2, 3), ("a", "0.1.0", 1, 4), ("c", "0.2.0", 3, 9)] {
        store.node_seen(&node(name, version, since, seen), at(0)).await.unwrap();
    }
    let known = |all: &[(&str, i64)]| -> Vec<String> {
        all.iter().map(|(name, seen)| format!("{name} {}", second + seen)).collect()
    };
    assert_eq!(names().await, known(&[("a", 4), ("b", 3), ("c", 9)]));
    assert_eq!(store.nodes().await.unwrap()[0], node("a", "0.1.0", 1, 4));
    store.node_seen(&node("b", "0.2.0", 2, 10), at(5)).await.unwrap();
    assert_eq!(names().await, known(&[("b", 10), ("c", 9)]), "a was not seen for long");
    store.node_gone("c").await.unwrap();
    assert_eq!(names().await, known(&[("b", 10)]));
    assert!(store.schema() >= 9);
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(0)
    }
}

/// Two nodes that would both do it: one does, and the other one as soon as that one has given it back.
pub(crate) async fn work_for_all_is_done_by_one_and_then_by_the_next(engine: &dyn Engine) {
    let store = engine.open().await;
    let node = |name: &str| Turns::shared(Arc::clone(&store), Arc::new(Still), name.into());
    let (one, two) = (node("one"), node("two"));
    let (began, news) = (AtomicUsize::new(0), tokio::sync::Notify::new());
    let work = || async {
        began.fetch_add(1, Ordering::SeqCst);
        news.notify_one();
        std::future::pending().await
    };
    tokio::select! {
        _ = one.run("learning", work) => unreachable!("it never ends"),
        () = news.notified() => {}
    }
    // It was dropped where it stood, and its lease has not run out.
    assert!(!store.lease_take("learning", "two", at(9), at(0)).await.unwrap());
    one.give_back(&["learning"]).await;
    tokio::select! {
        _ = two.run("learning", work) => unreachable!("it never ends"),
        () = news.notified() => {}
    }
    assert_eq!(began.load(Ordering::SeqCst), 2);
    let alone = Turns::alone();
    tokio::select! {
        _ = alone.run("learning", work) => unreachable!("it never ends"),
        () = news.notified() => {} // where there is nobody else, nobody is asked
    }
}

/// A clock that is set.
#[derive(Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        at(self.0.load(Ordering::SeqCst))
    }
}

/// Says when it is dropped.
struct Dropped<'a>(&'a tokio::sync::Notify);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A process that was stopped for longer than its lease: when it goes on, another one has the turn, and nothing more is done here.
pub(crate) async fn work_goes_no_step_further_once_its_lease_has_run_out(engine: &dyn Engine) {
    let (store, clock) = (engine.open().await, Arc::new(Hands::default()));
    let node = Turns::shared(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>, "one".into());
    let (began, steps) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (ready, poke, over) = (tokio::sync::Notify::new(), tokio::sync::Notify::new(), tokio::sync::Notify::new());
    let work = || async {
        let _dropped = Dropped(&over);
        began.fetch_add(1, Ordering::SeqCst);
        loop {
            ready.notify_one();
            poke.notified().await;
            steps.fetch_add(1, Ordering::SeqCst);
        }
    };
    let scene = async {
        ready.notified().await;
        poke.notify_one();
        ready.notified().await;
        assert_eq!(steps.load(Ordering::SeqCst), 1, "while it is its turn, it goes on");
        // First, and then the clock: the one that goes on might look at it in between, and take its turn anew.
        assert!(store.lease_take("learning", "two", at(31), at(16)).await.unwrap(), "it ran out");
        clock.0.store(16, Ordering::SeqCst);
        poke.notify_one();
        over.notified().await;
        assert_eq!((began.load(Ordering::SeqCst), steps.load(Ordering::SeqCst)), (1, 1));
        // And only when the other one's has run out, too, it is its turn again.
        clock.0.store(31, Ordering::SeqCst);
        ready.notified().await;
    };
    tokio::select! {
        _ = node.run("learning", work) => unreachable!("it never ends"),
        () = scene => {}
    }
    assert_eq!(began.load(Ordering::SeqCst), 2);
}

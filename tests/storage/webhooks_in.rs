//! Messages that came by webhook: what is remembered of them.

use doorward::domain::decision::Actor;
use doorward::domain::store::Delivery;

use crate::made::{at, site};
use crate::suite::Engine;

pub(crate) async fn message_is_new_once_and_never_another(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let long = "m".repeat(5_000);
    for id in ["m-1", "", &long] {
        assert_eq!(store.delivery_note(news.id, id, [1; 32], at(0)).await.unwrap(), Delivery::New);
        assert_eq!(store.delivery_note(news.id, id, [1; 32], at(1)).await.unwrap(), Delivery::Again { done: false });
        assert_eq!(store.delivery_note(news.id, id, [2; 32], at(1)).await.unwrap(), Delivery::Conflict);
        store.delivery_done(news.id, id).await.unwrap();
        store.delivery_done(news.id, id).await.unwrap();
        assert_eq!(store.delivery_note(news.id, id, [1; 32], at(2)).await.unwrap(), Delivery::Again { done: true });
        assert_eq!(store.delivery_note(news.id, id, [2; 32], at(2)).await.unwrap(), Delivery::Conflict);
        assert_eq!(store.delivery_note(blog.id, id, [2; 32], at(2)).await.unwrap(), Delivery::New, "of another site");
    }
    store.delivery_done(news.id, "unknown").await.unwrap();
    assert_eq!(store.delivery_note(news.id, "unknown", [1; 32], at(3)).await.unwrap(), Delivery::New);
}

pub(crate) async fn of_messages_at_once_under_one_id_one_is_new(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    for round in 0..20 {
        let notes = (0..4_u8).map(|body| {
            let (store, id, site) = (std::sync::Arc::clone(&store), format!("m-{round}"), news.id);
            tokio::spawn(async move { store.delivery_note(site, &id, [body; 32], at(0)).await.unwrap() })
        });
        let mut new = 0;
        for note in notes.collect::<Vec<_>>() {
            match note.await.unwrap() {
                Delivery::New => new += 1,
                other => assert_eq!(other, Delivery::Conflict),
            }
        }
        assert_eq!(new, 1);
    }
}

pub(crate) async fn messages_are_remembered_across_a_crash_until_pruned(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    store.delivery_note(news.id, "old", [1; 32], at(0)).await.unwrap();
    store.delivery_note(news.id, "new", [1; 32], at(10)).await.unwrap();
    store.delivery_done(news.id, "new").await.unwrap();
    let crashed = engine.crashed().await;
    let after = crashed.open().await;
    assert_eq!(after.delivery_note(news.id, "old", [1; 32], at(11)).await.unwrap(), Delivery::Again { done: false });
    assert_eq!(after.delivery_prune(at(10)).await.unwrap(), 1);
    assert_eq!(after.delivery_note(news.id, "old", [2; 32], at(11)).await.unwrap(), Delivery::New);
    assert_eq!(after.delivery_note(news.id, "new", [1; 32], at(11)).await.unwrap(), Delivery::Again { done: true });
    assert_eq!(after.delivery_prune(at(11)).await.unwrap(), 1);
    after.close().await;
}

pub(crate) async fn deleted_site_takes_its_messages_along(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    store.delivery_note(news.id, "m-1", [1; 32], at(0)).await.unwrap();
    store.site_delete("news", Actor::Console, at(1)).await.unwrap();
    assert_eq!(store.delivery_prune(at(100)).await.unwrap(), 0);
}

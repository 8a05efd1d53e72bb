//! What the port promises to clients of Akismet's protocol: who is called back, whose key it is, what checks came to.

use doorward::domain::akismet::{CheckCounts, StoredKey};
use doorward::domain::decision::{Action, Actor, Record, Status};
use doorward::domain::outbox::{Due, LetterFilter, Notice, Settled};
use doorward::domain::people::Reach;
use doorward::domain::site::Site;
use doorward::domain::store::{Ruling, Store};

use crate::made::{Made, at, first_page, id, moderator, ruling, secrets, site};
use crate::suite::Engine;

const HOOK: &str = "https://blog.example/hook";

/// A held comment with which an address came.
async fn calls(store: &dyn Store, news: &std::sync::Arc<Site>, name: &str, seconds: i64) -> Record {
    let mut made = Made::new(news, name).held(None, &[], 0.5).at(seconds);
    made.0.callback = Some(HOOK.to_owned());
    made.store(store).await
}

async fn take(store: &dyn Store, news: &Site, seconds: i64) -> Vec<Due> {
    store.callback_take(news.id, 100, at(seconds), at(seconds + 60)).await.unwrap()
}

fn said(due: &[Due]) -> Vec<(String, Status)> {
    due.iter()
        .map(|due| match due.notice.as_ref().expect("there is something to say") {
            Notice::Status { record, .. } => (record.comment.id.to_string(), record.status),
            other => panic!("{other:?}"),
        })
        .collect()
}

async fn settle(store: &dyn Store, due: &Due, settled: Settled, seconds: i64) {
    store.outbox_settle(due.site, vec![(due.attempt(), settled)], at(seconds)).await.unwrap();
}

pub(crate) async fn whoever_asked_is_called_back_and_nobody_else(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let one = calls(&*store, &news, "c-1", 1).await;
    let two = Made::new(&news, "c-2").held(None, &[], 0.5).at(1).store(&*store).await;
    assert!(store.callback_sites(at(2)).await.unwrap().is_empty(), "the answer said so already");
    store.rule(ruling(Action::Approve, &[&one, &two], 2)).await.unwrap();
    assert_eq!(store.callback_sites(at(3)).await.unwrap(), [news.id]);
    assert!(store.outbox_sites(at(3)).await.unwrap().is_empty(), "the site has no webhook");
    let due = take(&*store, &news, 3).await;
    assert_eq!((said(&due), due[0].callback.as_deref()), (vec![("c-1".to_owned(), Status::Approved)], Some(HOOK)));
    settle(&*store, &due[0], Settled::Delivered, 4).await;
    assert_eq!(store.outbox_state().await.unwrap().waiting, 0);
}

pub(crate) async fn webhooks_and_callbacks_of_a_comment_do_not_wait_for_one_another(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    assert!(store.site_webhook_set("news", Some("https://news.example/hooks"), at(0)).await.unwrap());
    let one = calls(&*store, &news, "c-1", 1).await;
    let ruled = store.rule(ruling(Action::Reject, &[&one], 2)).await.unwrap();
    let webhook = store.outbox_take(news.id, 9, at(3), at(63)).await.unwrap();
    assert_eq!((webhook.len(), webhook[0].callback.as_deref()), (1, None));
    let called = take(&*store, &news, 3).await;
    assert_eq!(said(&called), [("c-1".to_owned(), Status::Rejected)]);
    let again = Settled::Again { at: at(50), problem: "it is down".to_owned(), refused: false };
    settle(&*store, &called[0], again, 4).await;
    let rejected = &ruled.applied[0].0;
    store.rule(ruling(Action::Approve, &[rejected], 5)).await.unwrap();
    settle(&*store, &webhook[0], Settled::Delivered, 6).await;
    assert_eq!(
        said(&store.outbox_take(news.id, 9, at(7), at(67)).await.unwrap()),
        [("c-1".to_owned(), Status::Approved)]
    );
    assert!(take(&*store, &news, 49).await.is_empty(), "the second call waits for the first");
    let first = take(&*store, &news, 50).await;
    assert_eq!(said(&first), [("c-1".to_owned(), Status::Rejected)]);
    settle(&*store, &first[0], Settled::Delivered, 51).await;
    assert_eq!(said(&take(&*store, &news, 51).await), [("c-1".to_owned(), Status::Approved)]);
}

pub(crate) async fn a_webhook_that_is_gone_takes_no_callback_along(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let url = "https://news.example/hooks";
    assert!(store.site_webhook_set("news", Some(url), at(0)).await.unwrap());
    let one = calls(&*store, &news, "c-1", 1).await;
    store.rule(ruling(Action::Approve, &[&one], 2)).await.unwrap();
    let webhook = store.outbox_take(news.id, 9, at(3), at(63)).await.unwrap();
    settle(&*store, &webhook[0], Settled::Gone { url: url.to_owned() }, 4).await;
    let called = take(&*store, &news, 5).await;
    assert_eq!(called.len(), 1);
    settle(&*store, &called[0], Settled::Dead { problem: "it never came back".to_owned() }, 6).await;
    let letters =
        store.outbox_list(&LetterFilter { dead: true, ..LetterFilter::default() }, &first_page(9)).await.unwrap();
    let mut kinds: Vec<&str> = letters.items.iter().map(|letter| letter.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["akismet.callback", "comment.approved"]);
    assert_eq!(store.outbox_resend(&LetterFilter::default(), at(7)).await.unwrap(), 2);
    assert_eq!(take(&*store, &news, 7).await.len(), 1);
}

pub(crate) async fn a_ruling_that_is_taken_back_in_time_calls_nobody(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let one = calls(&*store, &news, "c-1", 1).await;
    let early = Ruling { tell_at: at(12), ..ruling(Action::Approve, &[&one], 2) };
    let ruled = store.rule(early).await.unwrap();
    assert!(take(&*store, &news, 11).await.is_empty(), "its grace is not over");
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(11)).await.unwrap();
    assert!(take(&*store, &news, 20).await.is_empty());
    let one = store.comment_by_uid(one.uid).await.unwrap().unwrap();
    let own = Ruling { by: Actor::Site("news".to_owned()), ..ruling(Action::Reject, &[&one], 21) };
    let ruled = store.rule(own).await.unwrap();
    assert!(take(&*store, &news, 30).await.is_empty(), "the site said so itself");
    store.rule(ruling(Action::Approve, &[&ruled.applied[0].0], 31)).await.unwrap();
    assert_eq!(said(&take(&*store, &news, 32).await), [("c-1".to_owned(), Status::Approved)]);
}

pub(crate) async fn an_erased_comment_calls_nobody(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let one = calls(&*store, &news, "c-1", 1).await;
    store.rule(ruling(Action::Approve, &[&one], 2)).await.unwrap();
    store.comment_erase(news.id, &id("c-1"), moderator(), at(3)).await.unwrap().unwrap();
    assert!(take(&*store, &news, 4).await.is_empty());
    let two = calls(&*store, &news, "c-2", 5).await;
    store.rule(ruling(Action::Approve, &[&two], 6)).await.unwrap();
    assert!(store.site_delete("news", Actor::Console, at(7)).await.unwrap());
    assert_eq!(store.outbox_state().await.unwrap().waiting, 0);
}

pub(crate) async fn callbacks_are_there_after_a_crash(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let one = calls(&*store, &news, "c-1", 1).await;
    let crashed = engine.crashed().await;
    let store = crashed.open().await;
    store.rule(ruling(Action::Approve, &[&one], 2)).await.unwrap();
    assert_eq!(take(&*store, &news, 3).await.len(), 1);
}

pub(crate) async fn akismet_keys_open_their_site_and_a_blog_is_pinned(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    site(&*store, "blog").await;
    let key = secrets("news").akismet_hash;
    assert_eq!(store.akismet_site(&key).await.unwrap().as_ref(), Some(&*news));
    assert_eq!(store.akismet_site(&[9; 32]).await.unwrap(), None);
    let before = key;
    let key = [7; 32];
    assert!(store.akismet_key_set("news", &key, b"sealed anew".to_vec(), at(1)).await.unwrap());
    assert_eq!(store.akismet_site(&before).await.unwrap(), None, "the key before opens nothing");
    assert_eq!(store.site_secrets("news").await.unwrap().unwrap().akismet, b"sealed anew");
    assert!(!store.akismet_key_set("none", &[8; 32], Vec::new(), at(1)).await.unwrap());
    assert!(store.site_url_set("news", Some("https://news.example/"), at(1)).await.unwrap());
    assert_eq!(store.akismet_site(&key).await.unwrap().unwrap().url.as_deref(), Some("https://news.example/"));
    assert!(store.site_url_set("news", None, at(2)).await.unwrap());
    assert_eq!(store.akismet_site(&key).await.unwrap().unwrap().url, None);
    assert!(!store.site_url_set("none", None, at(3)).await.unwrap());
    store.site_delete("news", Actor::Console, at(4)).await.unwrap();
    assert_eq!(store.akismet_site(&key).await.unwrap(), None);
}

pub(crate) async fn akismet_keys_are_rehashed_where_they_are_what_they_were(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(store.akismet_lookup().await.unwrap(), None);
    assert!(store.akismet_lookup_set(None, vec![1, 2, 3]).await.unwrap());
    assert!(!store.akismet_lookup_set(None, vec![4]).await.unwrap(), "another process was first");
    assert!(!store.akismet_lookup_set(Some(vec![9]), vec![4]).await.unwrap());
    assert!(store.akismet_lookup_set(Some(vec![1, 2, 3]), vec![4]).await.unwrap());
    assert_eq!(store.akismet_lookup().await.unwrap(), Some(vec![4]));
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let (one, other) = (secrets("news").akismet_hash, secrets("blog").akismet_hash);
    let keys = store.akismet_keys().await.unwrap();
    let of = |site: &str, hash| StoredKey { site: site.to_owned(), hash, sealed: vec![3] };
    assert_eq!(keys, [of("blog", other), of("news", one)]);
    let due =
        vec![("news".to_owned(), one, [7; 32]), ("blog".to_owned(), one, [8; 32]), ("none".to_owned(), one, [9; 32])];
    assert_eq!(store.akismet_rehash(due).await.unwrap(), 1);
    assert_eq!(store.akismet_site(&[7; 32]).await.unwrap().as_ref(), Some(&*news));
    assert_eq!(store.akismet_site(&one).await.unwrap(), None);
    assert_eq!(store.akismet_site(&other).await.unwrap().as_ref(), Some(&*blog), "replaced meanwhile: left alone");
}

pub(crate) async fn checks_are_counted_by_what_they_were_at_first(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let missed = Made::new(&news, "missed").at(10).store(&*store).await;
    Made::new(&news, "good").at(11).store(&*store).await;
    let wronged = Made::new(&news, "wronged").rejected().at(12).store(&*store).await;
    Made::new(&news, "spam").rejected().at(13).store(&*store).await;
    Made::new(&news, "held").held(None, &[], 0.5).at(14).store(&*store).await;
    Made::new(&news, "earlier").rejected().at(9).store(&*store).await;
    Made::new(&news, "later").rejected().at(20).store(&*store).await;
    Made::new(&blog, "another").rejected().at(12).store(&*store).await;
    let ruled = store.rule(ruling(Action::Reject, &[&missed], 21)).await.unwrap();
    store.rule(ruling(Action::Approve, &[&wronged], 21)).await.unwrap();
    store.rule(ruling(Action::Reject, &[&ruled.applied[0].0], 22)).await.unwrap();
    let counts = store.check_counts(news.id, at(10), at(20)).await.unwrap();
    assert_eq!(counts, CheckCounts { checks: 5, spam: 2, ham: 3, missed_spam: 1, false_positives: 1 });
    assert_eq!(store.check_counts(news.id, at(100), at(200)).await.unwrap(), CheckCounts::default());
}

//! What the port promises of the notices that sites have yet to receive.

use std::sync::Arc;

use doorward::domain::decision::{Action, Actor, Status};
use doorward::domain::outbox::{Due, LetterFilter, Notice, Settled};
use doorward::domain::people::Reach;
use doorward::domain::site::Site;
use doorward::domain::store::{Ruling, SecretKind, Store};
use doorward::domain::time::Timestamp;

use crate::made::{Made, at, first_page, id, moderator, ruling, secrets, site};
use crate::suite::Engine;

/// A store with a site that wants to be told.
async fn told(engine: &dyn Engine) -> (Arc<dyn Store>, Arc<Site>) {
    let store = engine.open().await;
    let news = wants(&*store, "news").await;
    (store, news)
}

async fn wants(store: &dyn Store, name: &str) -> Arc<Site> {
    let made = site(store, name).await;
    assert!(store.site_webhook_set(name, Some("https://news.example/hooks"), at(0)).await.unwrap());
    made
}

/// A comment whose first verdict is told.
async fn tell(store: &dyn Store, news: &Arc<Site>, name: &str, seconds: i64) -> doorward::domain::decision::Record {
    let mut made = Made::new(news, name).held(None, &[], 0.5).at(seconds);
    made.0.tell = true;
    made.store(store).await
}

async fn take(store: &dyn Store, news: &Site, seconds: i64) -> Vec<Due> {
    store.outbox_take(news.id, 100, at(seconds), at(seconds + 60)).await.unwrap()
}

async fn settle(store: &dyn Store, due: &Due, settled: Settled, seconds: i64) {
    store.outbox_settle(due.site, vec![(due.attempt(), settled)], at(seconds)).await.unwrap();
}

fn again(seconds: i64) -> Settled {
    Settled::Again { at: at(seconds), problem: "it is down".to_owned(), refused: false }
}

fn gone(url: &str) -> Settled {
    Settled::Gone { url: url.to_owned() }
}

fn dead() -> Settled {
    Settled::Dead { problem: "it never came back".to_owned() }
}

/// Comment id and status, as they are told.
fn said(due: &[Due]) -> Vec<(String, Option<Status>)> {
    due.iter()
        .map(|due| match due.notice.as_ref().expect("there is something to say") {
            Notice::Status { record, .. } => (record.comment.id.to_string(), Some(record.status)),
            Notice::Erased { id, .. } => (id.clone(), None),
            Notice::Appeal { record, .. } => (format!("appeal of {}", record.comment.id), None),
        })
        .collect()
}

fn pair(name: &str, status: Status) -> (String, Option<Status>) {
    (name.to_owned(), Some(status))
}

async fn counts(store: &dyn Store) -> (u64, u64) {
    let state = store.outbox_state().await.unwrap();
    (state.waiting, state.dead)
}

pub(crate) async fn a_site_without_webhook_is_told_nothing(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    tell(&*store, &news, "c-1", 1).await;
    assert_eq!(counts(&*store).await, (0, 0));
}

pub(crate) async fn notices_of_one_comment_are_given_out_one_at_a_time(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let one = tell(&*store, &news, "c-1", 1).await;
    tell(&*store, &news, "c-2", 1).await;
    store.rule(ruling(Action::Approve, &[&one], 2)).await.unwrap();
    assert_eq!(store.outbox_sites(at(3)).await.unwrap(), [news.id]);
    let first = take(&*store, &news, 3).await;
    assert_eq!(said(&first), [pair("c-1", Status::Held), pair("c-2", Status::Held)]);
    assert!(take(&*store, &news, 3).await.is_empty(), "the decision waits for what came before it");
    settle(&*store, &first[0], again(10), 4).await;
    assert!(take(&*store, &news, 9).await.is_empty());
    let second = take(&*store, &news, 10).await;
    assert_eq!((said(&second), second[0].attempts), (vec![pair("c-1", Status::Held)], 2));
    assert_eq!(second[0].message, first[0].message, "the same name for every attempt");
    settle(&*store, &second[0], Settled::Delivered, 11).await;
    assert_eq!(said(&take(&*store, &news, 11).await), [pair("c-1", Status::Approved)]);
}

pub(crate) async fn what_waits_for_an_older_notice_is_not_due_before_it(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let one = tell(&*store, &news, "c-1", 1).await;
    let ruled = store.rule(ruling(Action::Approve, &[&one], 2)).await.unwrap();
    let due = take(&*store, &news, 3).await;
    settle(&*store, &due[0], again(50), 4).await;
    let approved = &ruled.applied[0].0;
    store.rule(ruling(Action::Reject, &[approved], 5)).await.unwrap();
    let letters = store.outbox_list(&LetterFilter::default(), &first_page(9)).await.unwrap().items;
    assert_eq!(letters.iter().map(|letter| letter.next_at).collect::<Vec<_>>(), [Some(at(50)); 3]);
    for expected in [Status::Held, Status::Approved, Status::Rejected] {
        let due = take(&*store, &news, 50).await;
        assert_eq!(said(&due), [pair("c-1", expected)]);
        settle(&*store, &due[0], Settled::Delivered, 50).await;
    }
}

pub(crate) async fn a_notice_says_what_the_comment_was_then_and_who_ruled_why(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let one = tell(&*store, &news, "c-1", 1).await;
    store.rule(ruling(Action::Reject, &[&one], 2)).await.unwrap();
    let edited = Made::new(&news, "c-1").body("Another text.").at(3);
    edited.revise(&*store).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        let due = take(&*store, &news, 4).await;
        let Some(Notice::Status { record, ruling }) = due[0].notice.clone() else { panic!("{due:?}") };
        told.push((record.version, record.status, record.comment.body.clone(), ruling.and_then(|told| told.reason)));
        settle(&*store, &due[0], Settled::Delivered, 4).await;
    }
    let first = "I liked the part about c-1.".to_owned();
    assert_eq!(
        told,
        [
            (1, Status::Held, first.clone(), None),
            (2, Status::Rejected, first, Some("because".to_owned())),
            (3, Status::Approved, "Another text.".to_owned(), None),
        ]
    );
}

pub(crate) async fn a_ruling_is_told_when_its_grace_is_over(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let (one, two) = (held(&*store, &news, "c-1").await, held(&*store, &news, "c-2").await);
    let grace =
        |record, seconds: i64| Ruling { tell_at: at(seconds + 10), ..ruling(Action::Approve, &[record], seconds) };
    let ruled = store.rule(grace(&one, 1)).await.unwrap();
    store.rule(grace(&two, 1)).await.unwrap();
    assert!(store.outbox_sites(at(10)).await.unwrap().is_empty());
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(9)).await.unwrap();
    let due = take(&*store, &news, 11).await;
    assert_eq!(said(&due), [pair("c-2", Status::Approved)], "of what was taken back in time nothing is said");
    assert_eq!(due[0].not_before, at(11));
}

pub(crate) async fn a_ruling_taken_back_too_late_is_told_with_its_undoing(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let one = held(&*store, &news, "c-1").await;
    let ruled = store.rule(ruling(Action::Approve, &[&one], 1)).await.unwrap();
    let due = take(&*store, &news, 2).await;
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(3)).await.unwrap();
    settle(&*store, &due[0], again(4), 3).await;
    for expected in [Status::Approved, Status::Held] {
        let due = take(&*store, &news, 5).await;
        assert_eq!(said(&due), [pair("c-1", expected)]);
        settle(&*store, &due[0], Settled::Delivered, 5).await;
    }
    assert_eq!(counts(&*store).await, (0, 0));
}

async fn held(store: &dyn Store, news: &Arc<Site>, name: &str) -> doorward::domain::decision::Record {
    Made::new(news, name).held(None, &[], 0.5).store(store).await
}

pub(crate) async fn a_lease_that_runs_out_frees_what_was_taken(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    tell(&*store, &news, "c-1", 1).await;
    let first = take(&*store, &news, 2).await;
    assert!(take(&*store, &news, 61).await.is_empty());
    let second = take(&*store, &news, 62).await;
    assert_eq!((second[0].message, second[0].attempts), (first[0].message, 2));
    settle(&*store, &first[0], Settled::Delivered, 63).await;
    settle(&*store, &second[0], Settled::Delivered, 64).await;
    assert_eq!(counts(&*store).await, (0, 0), "settled twice is settled once");
}

pub(crate) async fn what_was_on_its_way_in_a_crash_is_taken_again(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let one = tell(&*store, &news, "c-1", 1).await;
    store.rule(ruling(Action::Approve, &[&one], 2)).await.unwrap();
    let taken = take(&*store, &news, 3).await;
    let crashed = engine.crashed().await;
    let after = crashed.open().await;
    let again = take(&*after, &news, 63).await;
    assert_eq!(
        (again[0].message, again[0].attempts),
        (taken[0].message, 2),
        "at the latest when its lease has run out"
    );
    settle(&*after, &again[0], Settled::Delivered, 64).await;
    assert_eq!(said(&take(&*after, &news, 64).await), [pair("c-1", Status::Approved)]);
}

pub(crate) async fn a_dead_letter_stops_nothing_and_is_sent_again_on_demand(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let blog = wants(&*store, "blog").await;
    for (site, name) in [(&news, "c-1"), (&news, "c-2"), (&blog, "c-3")] {
        tell(&*store, site, name, 1).await;
    }
    for site in [&news, &blog] {
        for due in take(&*store, site, 2).await {
            settle(&*store, &due, dead(), 3).await;
        }
    }
    assert_eq!(counts(&*store).await, (0, 3));
    let all = LetterFilter { dead: true, ..LetterFilter::default() };
    let letters = store.outbox_list(&all, &first_page(2)).await.unwrap();
    assert_eq!((letters.items[0].site.as_str(), letters.items[0].kind.as_str()), ("blog", "comment.held"));
    assert_eq!(letters.items[0].problem.as_deref(), Some("it never came back"));
    assert_eq!((letters.items[0].dead_at, letters.items[0].next_at), (Some(at(3)), None));
    let more = crate::made::first_page(2);
    let rest = doorward::domain::store::PageRequest { cursor: letters.next_cursor, ..more };
    assert_eq!(store.outbox_list(&all, &rest).await.unwrap().items.len(), 1);
    let within = |sites: &[&str]| Some(sites.iter().map(|site| (*site).to_owned()).collect());
    let of_news = LetterFilter { within: within(&["news"]), ..all.clone() };
    assert_eq!(store.outbox_list(&of_news, &first_page(9)).await.unwrap().items.len(), 2);
    let one = LetterFilter { ids: Some(vec![letters.items[0].id]), ..all.clone() };
    let out_of_reach = LetterFilter { within: within(&["news"]), ..one.clone() };
    assert_eq!(store.outbox_resend(&out_of_reach, at(100)).await.unwrap(), 0);
    assert_eq!(store.outbox_resend(&one, at(100)).await.unwrap(), 1);
    assert_eq!(store.outbox_resend(&one, at(100)).await.unwrap(), 0, "it is on its way");
    let due = take(&*store, &blog, 100).await;
    assert_eq!((due[0].message, due[0].not_before), (letters.items[0].id, at(100)), "with a new time of its own");
    let news_only = LetterFilter { site: Some("news".to_owned()), ..all };
    assert_eq!(store.outbox_resend(&news_only, at(100)).await.unwrap(), 2);
    assert_eq!(take(&*store, &news, 100).await.len(), 2);
}

pub(crate) async fn what_is_past_is_not_sent_after_what_came_later(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let one = tell(&*store, &news, "c-1", 1).await;
    let first = take(&*store, &news, 2).await;
    settle(&*store, &first[0], dead(), 3).await;
    store.rule(ruling(Action::Approve, &[&one], 4)).await.unwrap();
    let second = take(&*store, &news, 5).await;
    assert_eq!(said(&second), [pair("c-1", Status::Approved)], "a dead letter holds up nothing");
    assert_eq!(store.outbox_resend(&LetterFilter::default(), at(6)).await.unwrap(), 1);
    assert!(take(&*store, &news, 6).await.is_empty(), "while something later is on its way");
    settle(&*store, &second[0], Settled::Delivered, 7).await;
    assert_eq!(counts(&*store).await, (0, 0), "and it has nothing to say after that");
}

pub(crate) async fn a_gone_receiver_gets_nothing_until_somebody_says_that_it_is_back(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let blog = wants(&*store, "blog").await;
    for (site, name) in [(&news, "c-1"), (&news, "c-2"), (&blog, "c-3")] {
        tell(&*store, site, name, 1).await;
    }
    let due = take(&*store, &news, 2).await;
    settle(&*store, &due[0], gone("https://news.example/hooks"), 3).await;
    settle(&*store, &due[1], again(4), 3).await;
    tell(&*store, &news, "c-4", 5).await;
    assert_eq!(counts(&*store).await, (1, 3), "what comes later is dead at once; other sites are not meant");
    assert!(take(&*store, &news, 6).await.is_empty());
    let of_news = LetterFilter { site: Some("news".to_owned()), ..LetterFilter::default() };
    assert_eq!(store.outbox_resend(&of_news, at(7)).await.unwrap(), 3);
    assert_eq!(take(&*store, &news, 7).await.len(), 3);
    tell(&*store, &news, "c-5", 8).await;
    assert_eq!(said(&take(&*store, &news, 9).await), [pair("c-5", Status::Held)], "it counts as there again");
    let due = take(&*store, &blog, 9).await;
    settle(&*store, &due[0], gone("https://news.example/hooks"), 10).await;
    store.site_webhook_set("blog", Some("https://blog.example/hooks"), at(11)).await.unwrap();
    tell(&*store, &blog, "c-6", 12).await;
    assert_eq!(said(&take(&*store, &blog, 13).await), [pair("c-6", Status::Held)], "so it does when it is set again");
}

pub(crate) async fn what_an_old_address_says_is_not_meant_of_the_new_one(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    tell(&*store, &news, "c-1", 1).await;
    let due = take(&*store, &news, 2).await;
    assert!(store.site_webhook_set("news", Some("https://new.example/"), at(3)).await.unwrap());
    settle(&*store, &due[0], gone("https://news.example/hooks"), 4).await;
    tell(&*store, &news, "c-2", 5).await;
    assert_eq!(counts(&*store).await, (2, 0));
    assert_eq!(take(&*store, &news, 5).await.len(), 2, "at once");
}

pub(crate) async fn refusals_are_counted_from_the_first_until_anything_else_happens(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    tell(&*store, &news, "c-1", 1).await;
    let mut seen = Vec::new();
    for (at_s, refused) in [(10, true), (20, true), (30, false), (40, true), (50, true)] {
        let due = take(&*store, &news, at_s).await;
        seen.push(due[0].refused_since);
        let again = Settled::Again { at: at(at_s + 1), problem: "no".to_owned(), refused };
        settle(&*store, &due[0], again, at_s).await;
    }
    assert_eq!(seen, [None, Some(at(10)), Some(at(10)), None, Some(at(40))]);
}

pub(crate) async fn a_dead_letter_sent_again_within_the_grace_waits_for_its_end(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let (one, two) = (held(&*store, &news, "c-1").await, held(&*store, &news, "c-2").await);
    tell(&*store, &news, "c-0", 0).await;
    let due = take(&*store, &news, 1).await;
    let grace = |record, seconds: i64| Ruling { tell_at: at(20), ..ruling(Action::Approve, &[record], seconds) };
    store.rule(grace(&one, 2)).await.unwrap();
    settle(&*store, &due[0], gone("https://news.example/hooks"), 3).await;
    let ruled = store.rule(grace(&two, 4)).await.unwrap();
    assert_eq!(store.outbox_resend(&LetterFilter::default(), at(5)).await.unwrap(), 3);
    assert_eq!(said(&take(&*store, &news, 19).await), [pair("c-0", Status::Held)]);
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(19)).await.unwrap();
    let due = take(&*store, &news, 20).await;
    assert_eq!(said(&due), [pair("c-1", Status::Approved)], "what was taken back in time is not told");
    assert_eq!(due[0].not_before, at(20));
}

pub(crate) async fn erasing_by_another_is_told_after_what_is_on_its_way(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    tell(&*store, &news, "c-1", 1).await;
    tell(&*store, &news, "c-2", 1).await;
    let due = take(&*store, &news, 2).await;
    settle(&*store, &due[1], again(50), 3).await;
    for name in ["c-1", "c-2"] {
        store.comment_erase(news.id, &id(name), moderator(), at(4)).await.unwrap().unwrap();
    }
    let erased = take(&*store, &news, 5).await;
    assert_eq!(said(&erased), [("c-2".to_owned(), None)], "what waits is not said any more");
    assert_eq!(erased[0].not_before, at(4));
    settle(&*store, &due[0], again(6), 5).await;
    let left = take(&*store, &news, 7).await;
    assert_eq!((left.len(), &left[0].notice), (1, &None), "there are no words left to send again");
    settle(&*store, &left[0], Settled::Delivered, 8).await;
    assert_eq!(said(&take(&*store, &news, 9).await), [("c-1".to_owned(), None)]);
}

/// What reaches into the database behind the store's back.
pub(crate) enum Harm {
    /// The oldest notice.
    Notice,
    /// The comment that the second oldest is about.
    Comment,
}

pub(crate) async fn what_is_damaged_is_given_up_by_itself(store: &dyn Store, harm: impl AsyncFn(Harm)) {
    let news = wants(store, "news").await;
    let first = tell(store, &news, "c-1", 1).await;
    for name in ["c-2", "c-3"] {
        tell(store, &news, name, 1).await;
    }
    store.rule(ruling(Action::Approve, &[&first], 2)).await.unwrap();
    harm(Harm::Notice).await;
    harm(Harm::Comment).await;
    let due = take(store, &news, 3).await;
    assert_eq!(due.iter().map(|due| due.damage.is_some()).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(said(&due[2..]), [pair("c-3", Status::Held)], "nothing is wrong with that one");
    for damaged in &due[..2] {
        assert_eq!(damaged.notice, None);
        settle(store, damaged, dead(), 3).await;
    }
    settle(store, &due[2], Settled::Delivered, 3).await;
    let later = take(store, &news, 4).await;
    assert_eq!(said(&later), [pair("c-1", Status::Approved)], "what comes after it goes on");
    settle(store, &later[0], Settled::Delivered, 4).await;
    let letters = store.outbox_list(&LetterFilter::default(), &first_page(9)).await.unwrap().items;
    let shown: Vec<_> = letters.iter().map(|letter| (letter.kind.as_str(), letter.dead_at.is_some())).collect();
    assert_eq!(shown, [("comment.held", true), ("unreadable", true)]);
    store.comment_erase(news.id, &id("c-1"), moderator(), at(5)).await.unwrap().unwrap();
    assert_eq!(said(&take(store, &news, 6).await), [("c-1".to_owned(), None)], "its words are gone, also from there");
    assert_eq!(counts(store).await, (1, 1));
}

pub(crate) async fn all_dead_letters_are_sent_again_however_many(store: &dyn Store, more: impl AsyncFn(u32)) {
    let news = wants(store, "news").await;
    tell(store, &news, "c-1", 1).await;
    settle(store, &take(store, &news, 2).await[0], dead(), 2).await;
    more(2_500).await;
    assert_eq!(counts(store).await, (0, 2_501));
    assert_eq!(store.outbox_resend(&LetterFilter::default(), at(9)).await.unwrap(), 2_501);
    assert_eq!(counts(store).await, (2_501, 0));
}

pub(crate) async fn a_site_that_erases_itself_is_not_told(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    tell(&*store, &news, "c-1", 1).await;
    store.comment_erase(news.id, &id("c-1"), Actor::Site("news".to_owned()), at(2)).await.unwrap().unwrap();
    assert_eq!(counts(&*store).await, (0, 0));
}

pub(crate) async fn old_dead_letters_are_dropped(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    for (name, seconds) in [("c-1", 10), ("c-2", 20)] {
        tell(&*store, &news, name, 1).await;
        let due = take(&*store, &news, 2).await;
        settle(&*store, &due[0], dead(), seconds).await;
    }
    assert_eq!(store.outbox_prune(at(20)).await.unwrap(), 1);
    assert_eq!(counts(&*store).await, (0, 1));
}

pub(crate) async fn a_rotated_secret_is_there_beside_the_new_one_for_a_time(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    let before = secrets("news").webhook;
    assert!(store.site_secret_rotate("news", SecretKind::Webhook, vec![9], at(60), at(1)).await.unwrap());
    let receiver = async |seconds: i64| {
        let receiver = store.outbox_receiver(news.id, at(seconds)).await.unwrap().unwrap();
        (receiver.secret, receiver.secret_before)
    };
    assert_eq!(receiver(59).await, (vec![9], Some(before)));
    assert_eq!(receiver(60).await, (vec![9], None));
    assert!(!store.site_secret_rotate("none", SecretKind::Webhook, vec![9], at(60), at(1)).await.unwrap());
}

pub(crate) async fn whoever_delivers_is_woken_by_a_commit_that_tells(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    tell(&*store, &news, "c-1", 1).await;
    store.outbox_news().await; // would wait for ever
    let due = take(&*store, &news, 2).await;
    settle(&*store, &due[0], dead(), 3).await;
    assert_eq!(store.outbox_resend(&LetterFilter::default(), Timestamp::EPOCH).await.unwrap(), 1);
    store.outbox_news().await;
}

/// Its lease ran out, and the notice is on its way again.
pub(crate) async fn whoever_comes_back_late_says_nothing_of_an_attempt_after_theirs(engine: &dyn Engine) {
    let (store, news) = told(engine).await;
    tell(&*store, &news, "c-1", 0).await;
    let late = take(&*store, &news, 1).await.remove(0);
    assert_eq!(take(&*store, &news, 70).await.len(), 1);
    for settled in [again(71), dead(), gone("https://news.example/hooks")] {
        settle(&*store, &late, settled, 71).await;
        assert!(take(&*store, &news, 72).await.is_empty(), "it is on its way");
        let state = store.outbox_state().await.unwrap();
        assert_eq!((state.waiting, state.dead), (1, 0));
    }
    settle(&*store, &late, Settled::Delivered, 73).await;
    assert_eq!(store.outbox_state().await.unwrap().waiting, 0, "the site has it, whoever says so");
}

//! What the port promises of alerts and messages to operators: an alert stands once, a message is put once and given to one, and nothing of
//! that is lost.

use doorward::domain::decision::Action;
use doorward::domain::notices::{AlertKind, Channel, Decided, Message, Sending, SendingState};
use doorward::domain::people::Reach;

use crate::made::{Made, at, moderator, ruling, site};
use crate::suite::Engine;

fn message(key: &str, seconds: i64) -> Message {
    Message {
        key: key.to_owned(),
        channel: Channel::Mail,
        recipient: Some(format!("{key}@news.example")),
        event: "alert.raised".to_owned(),
        subject: format!("about {key}"),
        text: "One line.\nAnother, with ümlauts.\n".to_owned(),
        data: "{\"queue\":\"finance\"}".to_owned(),
        made_at: at(seconds),
    }
}

pub(crate) async fn an_alert_stands_once_and_its_messages_go_with_it(engine: &dyn Engine) {
    const LATE: AlertKind = AlertKind::QueueLate;
    let store = engine.open().await;
    assert_eq!(store.alerts().await.unwrap(), []);
    assert!(store.alert_raise(LATE, "finance", "{\"n\":1}", true, at(10), &[message("a", 10)]).await.unwrap());
    let again = store.alert_raise(LATE, "finance", "{\"n\":2}", true, at(20), &[message("b", 20)]).await.unwrap();
    assert!(!again, "it stands already");
    assert!(
        store.alert_raise(AlertKind::Wave, "finance", "{}", true, at(15), &[]).await.unwrap(),
        "about another thing"
    );
    let kept = store.messages_lately(10).await.unwrap();
    assert_eq!(kept.iter().map(|seen| seen.message.clone()).collect::<Vec<_>>(), [message("a", 10)]);
    let late =
        |alerts: Vec<doorward::domain::notices::Alert>| alerts.into_iter().find(|alert| alert.kind == LATE).unwrap();
    let alert = late(store.alerts().await.unwrap());
    assert_eq!((alert.facts.as_str(), alert.raised_at, alert.told_at), ("{\"n\":1}", at(10), Some(at(10))));
    assert!(alert.stands() && alert.was_told());

    let tell = async |before, seconds, key: &str| {
        store.alert_tell(LATE, "finance", "{\"n\":3}", before, at(seconds), &[message(key, seconds)]).await.unwrap()
    };
    assert!(!tell(Some(at(9)), 30, "c").await, "somebody else told of it meanwhile");
    assert!(tell(Some(at(10)), 30, "d").await);
    assert!(store.alert_clear(LATE, "finance", at(40), &[message("e", 40)]).await.unwrap());
    assert!(!store.alert_clear(LATE, "finance", at(41), &[message("f", 41)]).await.unwrap(), "it is over");
    assert!(!tell(Some(at(30)), 50, "g").await, "it is over");
    let kept: Vec<String> = store.messages_lately(10).await.unwrap().into_iter().map(|seen| seen.message.key).collect();
    assert_eq!(kept, ["e", "d", "a"]);
    let alerts = store.alerts().await.unwrap();
    assert_eq!(alerts.iter().map(|alert| alert.kind).collect::<Vec<_>>(), [AlertKind::Wave, LATE], "what stands first");
    assert_eq!(late(alerts).cleared_at, Some(at(40)));

    assert!(store.alert_raise(LATE, "finance", "{}", false, at(60), &[]).await.unwrap(), "the next one");
    let next = late(store.alerts().await.unwrap());
    assert_eq!((next.raised_at, next.told_at, next.cleared_at), (at(60), Some(at(30)), None));
    assert!(next.stands() && !next.was_told(), "nobody was told of this one");
    store.alert_clear(LATE, "finance", at(70), &[]).await.unwrap();
    store.notices_prune(at(70)).await.unwrap();
    assert_eq!(store.alerts().await.unwrap().len(), 2);
    store.notices_prune(at(71)).await.unwrap();
    assert_eq!(store.alerts().await.unwrap().len(), 1, "what stands stays");
}

pub(crate) async fn messages_are_put_once_and_taken_by_one(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(store.messages_put(&[message("a", 0), message("b", 1), message("a", 2)]).await.unwrap(), 2);
    assert_eq!(store.messages_put(&[message("b", 3), message("c", 3)]).await.unwrap(), 1);
    assert!(store.message_is_known("c").await.unwrap() && !store.message_is_known("d").await.unwrap());
    let take = async |now, until, most| {
        let taken = store.messages_take(at(now), at(until), most).await.unwrap();
        taken.into_iter().map(|taken| (taken.message.key, taken.attempts)).collect::<Vec<_>>()
    };
    let named = |key: &str, attempts| (key.to_owned(), attempts);
    assert_eq!(take(1, 100, 10).await, [named("a", 1), named("b", 1)], "what is due, oldest first");
    assert_eq!(take(3, 100, 10).await, [named("c", 1)], "others are on their way");
    assert_eq!(take(99, 200, 10).await, []);
    store.message_settle("a", &Sending::Sent { at: at(50) }).await.unwrap();
    let problem = || "no answer came".to_owned();
    store.message_settle("b", &Sending::Again { at: at(70), problem: problem() }).await.unwrap();
    let state = store.messages_state().await.unwrap();
    let expected = SendingState { waiting: 2, failing: 1, oldest: Some(at(1)), given_up: 0, problem: Some(problem()) };
    assert_eq!(state, expected);
    assert_eq!(take(100, 200, 1).await, [named("b", 2)], "one at most");
    assert_eq!(take(100, 200, 10).await, [named("c", 2)], "nothing was said of it in time");
    store.message_settle("b", &Sending::GivenUp { at: at(110), problem: problem() }).await.unwrap();
    store.message_settle("c", &Sending::Sent { at: at(120) }).await.unwrap();
    store.message_settle("c", &Sending::Again { at: at(121), problem: problem() }).await.unwrap();
    assert_eq!(take(1_000, 2_000, 10).await, [], "what was sent stays sent");
    let state = store.messages_state().await.unwrap();
    assert_eq!((state.waiting, state.given_up), (0, 1));
    store.notices_prune(at(120)).await.unwrap();
    let kept: Vec<String> = store.messages_lately(10).await.unwrap().into_iter().map(|seen| seen.message.key).collect();
    assert_eq!(kept, ["c"]);
}

pub(crate) async fn what_became_of_a_message_is_there_after_a_crash(engine: &dyn Engine) {
    let store = engine.open().await;
    store
        .alert_raise(AlertKind::QueueLate, "finance", "{}", true, at(0), &[message("a", 0), message("b", 0)])
        .await
        .unwrap();
    store.messages_take(at(1), at(60), 10).await.unwrap();
    store.message_settle("a", &Sending::Sent { at: at(2) }).await.unwrap();
    let (before, alerts) = (store.messages_lately(10).await.unwrap(), store.alerts().await.unwrap());
    let after = engine.crashed().await.open().await;
    assert_eq!(after.messages_lately(10).await.unwrap(), before);
    assert_eq!(after.alerts().await.unwrap(), alerts);
    assert_eq!(after.messages_put(&[message("a", 5)]).await.unwrap(), 0, "it is not sent twice");
    let again = after.messages_take(at(60), at(90), 10).await.unwrap();
    assert_eq!(again.iter().map(|taken| taken.message.key.as_str()).collect::<Vec<_>>(), ["b"]);
}

pub(crate) async fn decided_since_counts_what_stands_and_what_the_machine_had_said(engine: &dyn Engine) {
    let store = engine.open().await;
    let store = &*store;
    let news = site(store, "news").await;
    let mut held = Vec::new();
    for n in 0..4 {
        held.push(Made::new(&news, &format!("h-{n}")).held(None, &[], 0.5).at(n).store(store).await);
    }
    let approved = Made::new(&news, "a-1").at(5).store(store).await;
    let rejected = Made::new(&news, "r-1").rejected().at(6).store(store).await;
    store.rule(ruling(Action::Reject, &[&held[0]], 9)).await.unwrap(); // too early
    store.rule(ruling(Action::Reject, &[&held[1]], 10)).await.unwrap();
    let ruled = store.rule(ruling(Action::Approve, &[&held[2], &rejected], 11)).await.unwrap();
    store.rule(ruling(Action::Reject, &[&approved], 12)).await.unwrap();
    let undone = store.rule(ruling(Action::Reject, &[&held[3]], 13)).await.unwrap();
    store.unrule(undone.decision, moderator(), &Reach::ALL, at(14)).await.unwrap();
    let expected = Decided { approved: 2, rejected: 2, overturned: 2, missed: 1 };
    assert_eq!(store.decided_since(at(10)).await.unwrap(), expected);
    let (overruled, _) = &ruled.applied[0];
    store.rule(ruling(Action::Reject, &[overruled], 15)).await.unwrap();
    let expected = Decided { rejected: 3, ..expected };
    assert_eq!(store.decided_since(at(10)).await.unwrap(), expected, "a colleague is no machine");
}

pub(crate) async fn pressure_counts_by_site_and_hour_what_was_not_simply_approved(engine: &dyn Engine) {
    let store = engine.open().await;
    let store = &*store;
    let (news, blog) = (site(store, "news").await, site(store, "blog").await);
    let hour = 3_600;
    let mut held = Vec::new();
    for n in 0..3 {
        held.push(Made::new(&news, &format!("h-{n}")).held(None, &[], 0.5).at(hour + n).store(store).await);
    }
    Made::new(&news, "a-1").at(hour + 5).store(store).await;
    let rejected = Made::new(&news, "r-1").rejected().at(3 * hour).store(store).await;
    let blogs = Made::new(&blog, "b-1").rejected().at(hour - 1).store(store).await;
    Made::new(&blog, "b-2").rejected().at(4 * hour).store(store).await;
    store.rule(ruling(Action::Approve, &[&held[0]], 5 * hour)).await.unwrap(); // a person who is quick hides nothing
    let found = store.pressure(at(hour - 1), at(4 * hour), 100).await.unwrap();
    assert_eq!(found.since, at(hour - 1));
    let first = at(hour).as_millis() / 3_600_000;
    let (of_news, of_blog) = (&found.sites["news"], &found.sites["blog"]);
    assert_eq!(of_news.hours, [(first, 3), (first + 2, 1)].into());
    assert_eq!((of_news.latest, of_news.total()), (Some(rejected.uid), 4));
    assert_eq!((&of_blog.hours, of_blog.latest), (&[(first - 1, 1)].into(), Some(blogs.uid)));
    assert_eq!(store.pressure(at(6 * hour), at(7 * hour), 100).await.unwrap().sites.len(), 0);
}

pub(crate) async fn of_more_than_can_be_counted_it_is_said_from_when_on_they_were(engine: &dyn Engine) {
    let store = engine.open().await;
    let store = &*store;
    let (news, blog) = (site(store, "news").await, site(store, "blog").await);
    // Two of one moment, one that is simply approved, and another site's in between.
    for (site, name, seconds) in [(&news, "a", 10), (&news, "b", 20), (&news, "c", 20), (&blog, "d", 30)] {
        Made::new(site, name).held(None, &[], 0.5).at(seconds).store(store).await;
    }
    Made::new(&blog, "e").at(40).store(store).await;
    Made::new(&news, "f").held(None, &[], 0.5).at(50).store(store).await;
    let look = async |most: u32| {
        let found = store.pressure(at(5), at(60), most).await.unwrap();
        let of = |site: &str| found.sites.get(site).map_or(0, doorward::domain::waves::SitePressure::total);
        ((found.since.as_millis() - at(0).as_millis()), of("news"), of("blog"))
    };
    assert_eq!(look(100).await, (5_000, 4, 1));
    assert_eq!(look(6).await, (5_000, 4, 1), "just so many");
    assert_eq!(look(5).await, (10_001, 3, 1), "the first is beyond");
    assert_eq!(look(4).await, (20_001, 1, 1), "of two that came at once, one is");
    assert_eq!(look(2).await, (30_001, 1, 0), "what was approved counts among those that are looked at");
    assert_eq!(look(1).await, (40_001, 1, 0));
    assert_eq!(look(0).await, (50_001, 0, 0));
    let earlier = store.pressure(at(5), at(25), 2).await.unwrap();
    assert_eq!(
        (earlier.since, earlier.sites["news"].total()),
        (at(10).plus_millis(1), 2),
        "what came later counts for nothing"
    );
}

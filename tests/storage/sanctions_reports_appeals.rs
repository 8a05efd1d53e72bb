//! What the port promises of sanctions, of what readers say, and of appeals.

use std::sync::Arc;

use doorward::domain::appeal::{AnswerError, Appeal, AppealAnswer, AppealState, Opened};
use doorward::domain::decision::{Action, Actor, DecidedBy, Record, Status};
use doorward::domain::outbox::Notice;
use doorward::domain::people::Reach;
use doorward::domain::readers::{Config, NewReport, Reported};
use doorward::domain::sanction::{Effect, Measure, NewSanction, Sanction, SanctionFilter, TargetKind};
use doorward::domain::site::Site;
use doorward::domain::store::{
    HappeningKind, ListError, PageRequest, QueueFilter, QueueSort, Ruling, RulingCategory, Store, UndoError,
};

use crate::made::{Made, appealed, at, first_page, id, moderator, ruling, site, upheld};
use crate::suite::Engine;

async fn started(engine: &dyn Engine) -> (Arc<dyn Store>, Arc<Site>) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    (store, news)
}

/// A site that is told.
async fn started_with_webhook(engine: &dyn Engine) -> (Arc<dyn Store>, Arc<Site>) {
    let (store, news) = started(engine).await;
    assert!(store.site_webhook_set("news", Some("https://news.example/hook"), at(0)).await.unwrap());
    (store, news)
}

/// What the site has yet to be told of, oldest first; taking it counts as telling.
async fn told(store: &dyn Store, site: &Site, seconds: i64) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let due = store.outbox_take(site.id, 100, at(seconds), at(seconds + 60)).await.unwrap();
        if due.is_empty() {
            return all;
        }
        let mut settled = Vec::new();
        for one in due {
            let attempt = one.attempt();
            all.push(match one.notice.unwrap() {
                Notice::Status { record, .. } => format!("{} {}", record.comment.id, record.status.name()),
                Notice::Erased { id, .. } => format!("{id} erased"),
                Notice::Appeal { state, record, .. } => format!("{} appeal {}", record.comment.id, state.name()),
            });
            settled.push((attempt, doorward::domain::outbox::Settled::Delivered));
        }
        store.outbox_settle(site.id, settled, at(seconds)).await.unwrap();
    }
}

pub(crate) fn ban(site: Option<&Site>) -> NewSanction {
    NewSanction {
        site: site.map(|site| site.id),
        measure: Measure::Ban,
        kind: TargetKind::Author,
        hash: [7; 16],
        hint: "an author".to_owned(),
        cause: "advertising".to_owned(),
        shadow: false,
        by: moderator(),
        at: at(10),
        expires_at: None,
        also: None,
    }
}

async fn add(store: &dyn Store, new: NewSanction) -> Sanction {
    store.sanction_add(new).await.unwrap().0
}

/// A comment that a sanction rejected.
pub(crate) fn banned(made: Made, sanction: &Sanction, without: Status) -> Made {
    let Made(mut record) = made.rejected();
    record.decided_by = DecidedBy::Rule;
    record.effect = Some(Effect { sanction: sanction.number, without });
    record.priority = if without == Status::Held { 0.6 } else { 0.0 };
    Made(record)
}

async fn now(store: &dyn Store, record: &Record) -> Record {
    store.comment_by_uid(record.uid).await.unwrap().unwrap()
}

async fn is(store: &dyn Store, record: &Record) -> (Status, DecidedBy) {
    let record = now(store, record).await;
    (record.status, record.decided_by)
}

async fn queued(store: &dyn Store) -> Vec<String> {
    let queue = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(99), at(99)).await.unwrap();
    queue.items.iter().map(|item| item.record.comment.id.to_string()).collect()
}

// Sanctions.

pub(crate) async fn sanction_is_in_force_until_it_expires_or_is_lifted(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let one = add(&*store, ban(Some(&news))).await;
    let other = add(&*store, NewSanction { expires_at: Some(at(20)), ..ban(None) }).await;
    assert_eq!((one.site_name.as_deref(), other.site_name.as_deref()), (Some("news"), None));
    let active = async |seconds: i64| -> Vec<i64> {
        store.sanctions_active(at(seconds)).await.unwrap().iter().map(|sanction| sanction.number).collect()
    };
    assert_eq!(active(19).await, [one.number, other.number]);
    assert_eq!(active(20).await, [one.number]);
    let lifted = store.sanction_lift(one.uid, false, moderator(), at(30), at(30)).await.unwrap().unwrap();
    assert_eq!(lifted.sanction.lifted, Some((at(30), "mod@example.org".to_owned())));
    assert!(active(19).await.contains(&other.number) && !active(19).await.contains(&one.number));
    assert!(store.sanction_lift(one.uid, false, moderator(), at(31), at(31)).await.unwrap().is_none(), "once");
    assert_eq!(store.sanction_find(one.uid).await.unwrap(), Some(lifted.sanction));
    let resumed = store.sanction_resume(one.uid, moderator(), at(32)).await.unwrap().unwrap();
    assert_eq!(
        (&resumed, store.sanctions_active(at(32)).await.unwrap()),
        (&one, vec![one.clone()]),
        "as it was before"
    );
    assert_eq!(
        store.sanction_resume(one.uid, moderator(), at(33)).await.unwrap(),
        Some(one.clone()),
        "again is harmless"
    );
    store.sanction_lift(one.uid, false, moderator(), at(34), at(34)).await.unwrap().unwrap();
    store.close().await;
    drop(store);
    let store = engine.open().await;
    assert_eq!(store.sanctions_active(at(19)).await.unwrap(), [other]);
}

pub(crate) async fn sanctions_are_listed_newest_first_under_every_filter(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let blog = site(&*store, "blog").await;
    let on_news = add(&*store, ban(Some(&news))).await.number;
    let on_blog = add(&*store, ban(Some(&blog))).await.number;
    let on_all = add(&*store, NewSanction { expires_at: Some(at(20)), ..ban(None) }).await.number;
    let list = async |filter: &SanctionFilter| -> Vec<i64> {
        let page = store.sanction_list(filter, &first_page(10)).await.unwrap();
        page.items.iter().map(|sanction| sanction.number).collect()
    };
    let all = SanctionFilter::default();
    assert_eq!(list(&all).await, [on_all, on_blog, on_news]);
    assert_eq!(list(&SanctionFilter { active_at: Some(at(21)), ..all.clone() }).await, [on_blog, on_news]);
    assert_eq!(list(&SanctionFilter { over_at: Some(at(21)), ..all.clone() }).await, [on_all]);
    assert_eq!(list(&SanctionFilter { site: Some("news".to_owned()), ..all.clone() }).await, [on_news]);
    let reach = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    assert_eq!(
        list(&SanctionFilter { reach, ..all.clone() }).await,
        [on_all, on_blog],
        "what holds everywhere is seen"
    );
    let mut page = first_page(2);
    let first = store.sanction_list(&all, &page).await.unwrap();
    page.cursor = first.next_cursor;
    assert!(page.cursor.is_some());
    let second = store.sanction_list(&all, &page).await.unwrap();
    assert_eq!((second.items[0].number, second.next_cursor), (on_news, None));
    let foreign = PageRequest { limit: 2, cursor: Some("nonsense".to_owned()) };
    assert!(matches!(store.sanction_list(&all, &foreign).await, Err(ListError::BadCursor)));
}

pub(crate) async fn lifting_with_undo_restores_what_the_sanction_decided(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let sanction = add(&*store, ban(Some(&news))).await;
    let one = banned(Made::new(&news, "c-1"), &sanction, Status::Approved).at(11).store(&*store).await;
    let two = banned(Made::new(&news, "c-2"), &sanction, Status::Held).at(12).store(&*store).await;
    let other = Made::new(&news, "c-3").rejected().store(&*store).await;
    assert_eq!(store.sanction_effects(&[sanction.number, 99]).await.unwrap(), [2, 0]);
    let lifted = store.sanction_lift(sanction.uid, true, moderator(), at(30), at(40)).await.unwrap().unwrap();
    let restored: Vec<_> = lifted.restored.iter().flat_map(|ruled| &ruled.applied).map(|(it, _)| it.uid).collect();
    assert_eq!(restored, [one.uid, two.uid]);
    assert_eq!(is(&*store, &one).await, (Status::Approved, DecidedBy::Policy));
    assert_eq!(is(&*store, &two).await, (Status::Held, DecidedBy::Policy));
    assert_eq!(is(&*store, &other).await, (Status::Rejected, DecidedBy::Policy));
    assert_eq!(queued(&*store).await, ["c-2"]);
    let queue = store.queue(&QueueFilter::default(), QueueSort::Priority, &first_page(9), at(31)).await.unwrap();
    assert!((queue.items[0].priority - 0.6).abs() < 1e-9, "it waits where it would have waited");
    let history = store.comment_history(one.uid).await.unwrap();
    assert_eq!(
        history.iter().map(|one| one.kind).collect::<Vec<_>>(),
        [HappeningKind::Received, HappeningKind::Lifted]
    );
    assert_eq!(history[1].by, moderator());
    assert!(told(&*store, &news, 39).await.is_empty(), "not before its time");
    assert_eq!(told(&*store, &news, 40).await, ["c-1 approved", "c-2 held"]);
}

pub(crate) async fn lifting_leaves_alone_what_changed_since(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let sanction = add(&*store, ban(Some(&news))).await;
    let of = |name: &str| banned(Made::new(&news, name), &sanction, Status::Approved);
    let decided = of("c-1").store(&*store).await;
    let edited = of("c-2").store(&*store).await;
    let erased = of("c-3").store(&*store).await;
    store.rule(ruling(Action::Reject, &[&decided], 20)).await.unwrap();
    Made::new(&news, "c-2").body("another text").rejected().revise(&*store).await.unwrap();
    store.comment_erase(news.id, &id("c-3"), Actor::Console, at(21)).await.unwrap().unwrap();
    let lifted = store.sanction_lift(sanction.uid, true, moderator(), at(30), at(30)).await.unwrap().unwrap();
    assert!(lifted.restored.iter().all(|ruled| ruled.applied.is_empty()));
    let left: Vec<_> = lifted.restored.iter().flat_map(|ruled| &ruled.conflicts).map(|it| it.uid).collect();
    assert_eq!(left, [decided.uid], "an edit was judged anew, and what is erased is gone");
    assert_eq!(is(&*store, &decided).await, (Status::Rejected, DecidedBy::Person));
    assert_eq!(is(&*store, &edited).await.0, Status::Rejected);
    assert!(store.comment_by_uid(erased.uid).await.unwrap().is_none());
}

pub(crate) async fn lifting_without_undo_changes_no_comment(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let sanction = add(&*store, ban(Some(&news))).await;
    let record = banned(Made::new(&news, "c-1"), &sanction, Status::Approved).store(&*store).await;
    let lifted = store.sanction_lift(sanction.uid, false, moderator(), at(30), at(30)).await.unwrap().unwrap();
    assert!(lifted.restored.is_empty());
    assert_eq!(now(&*store, &record).await, record);
}

pub(crate) async fn sanction_rejects_what_is_there_in_its_own_commit(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let held = Made::new(&news, "c-1").held(None, &[], 0.4).store(&*store).await;
    let approved = Made::new(&news, "c-2").store(&*store).await;
    let changed = Made::new(&news, "c-3").held(None, &[], 0.4).store(&*store).await;
    store.rule(ruling(Action::Approve, &[&changed], 5)).await.unwrap();
    let also = Some(ruling(Action::Reject, &[&held, &approved, &changed], 10));
    let (sanction, ruled) = store.sanction_add(NewSanction { also, ..ban(Some(&news)) }).await.unwrap();
    let ruled = ruled.unwrap();
    assert_eq!(sanction.ruling, Some(ruled.decision));
    assert_eq!(ruled.applied.iter().map(|(record, _)| record.uid).collect::<Vec<_>>(), [held.uid, approved.uid]);
    assert_eq!(ruled.conflicts[0].uid, changed.uid);
    assert!(queued(&*store).await.is_empty());
    store.sanction_lift(sanction.uid, true, moderator(), at(30), at(30)).await.unwrap().unwrap();
    assert_eq!(is(&*store, &held).await, (Status::Held, DecidedBy::Policy));
    assert_eq!(is(&*store, &approved).await, (Status::Approved, DecidedBy::Policy));
    assert_eq!(is(&*store, &changed).await, (Status::Approved, DecidedBy::Person));
    assert_eq!(queued(&*store).await, ["c-1"]);
    let none = Some(ruling(Action::Reject, &[&changed], 40)); // an old version: nothing applies
    let (sanction, _) = store.sanction_add(NewSanction { also: none, ..ban(Some(&news)) }).await.unwrap();
    assert_eq!(sanction.ruling, None);
}

// Readers.

fn by(reader: &str) -> NewReport {
    NewReport { reader: id(reader), category: Some(RulingCategory::Abuse), text: Some(format!("says {reader}")) }
}

async fn report(store: &dyn Store, site: &Site, comment: &str, reader: &str, seconds: i64) -> Reported {
    let reported = store.report(site.id, &id(comment), by(reader), Config::default(), true, at(seconds)).await;
    reported.unwrap().unwrap()
}

pub(crate) async fn reports_that_weigh_enough_hold_a_comment(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let record = Made::new(&news, "c-1").store(&*store).await;
    for (seconds, reader) in (1..).zip(["r-1", "r-2"]) {
        let reported = report(&*store, &news, "c-1", reader, seconds).await;
        assert!(!reported.again && reported.held.is_none() && reported.status == Status::Approved);
    }
    for seconds in 3..9 {
        let again = report(&*store, &news, "c-1", "r-2", seconds).await;
        assert!(again.again && again.held.is_none(), "each reader counts once");
        assert_eq!((again.view.reports, again.view.weight), (2, 2.0));
    }
    let held = report(&*store, &news, "c-1", "r-3", 9).await;
    assert_eq!((held.status, held.by_strangers, held.view.reports), (Status::Held, true, 3));
    assert_eq!(held.held.unwrap().0.uid, record.uid);
    assert_eq!(is(&*store, &record).await, (Status::Held, DecidedBy::Rule));
    assert_eq!(told(&*store, &news, 9).await, ["c-1 held"]);
    let queue = store.queue(&QueueFilter::default(), QueueSort::Priority, &first_page(9), at(9)).await.unwrap();
    let item = &queue.items[0];
    assert_eq!((item.readers.reports, item.reports.len()), (3, 3));
    assert_eq!(item.reports[0].text.as_deref(), Some("says r-3"), "the latest first");
    assert_eq!(item.reports[0].category, Some(RulingCategory::Abuse));
    assert!(item.priority > 0.7);
    let more = report(&*store, &news, "c-1", "r-4", 10).await;
    assert!(more.held.is_none() && more.status == Status::Held, "it waits already");
    let kinds: Vec<_> = store.comment_history(record.uid).await.unwrap().iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [HappeningKind::Received, HappeningKind::Reported]);
    let none = store.report(news.id, &id("c-2"), by("r-1"), Config::default(), true, at(11)).await.unwrap();
    assert!(none.is_none());
}

pub(crate) async fn reports_do_not_outweigh_a_persons_approval(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").held(None, &[], 0.5).store(&*store).await;
    store.rule(ruling(Action::Approve, &[&record], 1)).await.unwrap();
    for reader in 0..9 {
        let reported = report(&*store, &news, "c-1", &format!("r-{reader}"), 2).await;
        assert!(reported.held.is_none());
    }
    assert_eq!(is(&*store, &record).await, (Status::Approved, DecidedBy::Person));
    assert_eq!(store.reader_view(record.uid).await.unwrap().reports, 9, "they are kept");
    let never = Config { hold_at: 0.0, ..Config::default() };
    let other = Made::new(&news, "c-2").store(&*store).await;
    for reader in 0..9 {
        store.report(news.id, &id("c-2"), by(&format!("r-{reader}")), never, true, at(3)).await.unwrap().unwrap();
    }
    assert_eq!(is(&*store, &other).await.0, Status::Approved);
}

pub(crate) async fn reports_weigh_by_the_readers_record(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    for n in 0..4 {
        let record = Made::new(&news, &format!("old-{n}")).store(&*store).await;
        report(&*store, &news, &format!("old-{n}"), "good", 1).await;
        store.rule(ruling(Action::Reject, &[&record], 2)).await.unwrap();
        let record = Made::new(&news, &format!("fine-{n}")).store(&*store).await;
        report(&*store, &news, &format!("fine-{n}"), "bad", 1).await;
        store.rule(ruling(Action::Approve, &[&record], 2)).await.unwrap();
    }
    let weight = async |comment: &str, reader: &str| {
        Made::new(&news, comment).store(&*store).await;
        report(&*store, &news, comment, reader, 3).await.view.weight
    };
    assert!(weight("c-good", "good").await > 2.0);
    assert!(weight("c-bad", "bad").await < 0.5);
    assert!((weight("c-new", "new").await - 1.0).abs() < 1e-9);
    let blog = site(&*store, "blog").await;
    Made::new(&blog, "c-1").store(&*store).await;
    let elsewhere = report(&*store, &blog, "c-1", "good", 4).await;
    assert!((elsewhere.view.weight - 1.0).abs() < 1e-9, "a name means something on its own site only");
}

pub(crate) async fn strangers_alone_hold_nothing_where_they_may_not(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    for n in 0..3 {
        let earlier = Made::new(&news, &format!("old-{n}")).store(&*store).await;
        report(&*store, &news, &format!("old-{n}"), "good", 1).await;
        store.rule(ruling(Action::Reject, &[&earlier], 2)).await.unwrap();
    }
    Made::new(&news, "c-1").store(&*store).await;
    let without = async |reader: &str| {
        store.report(news.id, &id("c-1"), by(reader), Config::default(), false, at(3)).await.unwrap().unwrap()
    };
    for reader in 0..50 {
        let reported = without(&format!("r-{reader}")).await;
        assert!(reported.held.is_none() && reported.by_strangers);
    }
    let backed = without("good").await;
    assert!(backed.held.is_some() && !backed.by_strangers, "one whom people agreed with makes the difference");
}

pub(crate) async fn being_agreed_with_counts_for_the_first_who_reported_what_was_approved(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let readers = ["r-1", "r-2", "r-3", "r-4"];
    for n in 0..3 {
        let name = format!("old-{n}");
        let record = Made::new(&news, &name).store(&*store).await;
        for reader in readers {
            // No strangers: the comment stays approved.
            store.report(news.id, &id(&name), by(reader), Config::default(), false, at(1)).await.unwrap().unwrap();
        }
        let ruled = store.rule(ruling(Action::Reject, &[&record], 2)).await.unwrap();
        report(&*store, &news, &name, "late", 3).await;
        store.rule(ruling(Action::Reject, &[&ruled.applied[0].0], 4)).await.unwrap();
    }
    for (reader, expected) in readers.into_iter().chain(["late"]).zip([true, true, true, false, false]) {
        let name = format!("by-{reader}");
        Made::new(&news, &name).store(&*store).await;
        let weight = report(&*store, &news, &name, reader, 5).await.view.weight;
        assert_eq!(weight > 1.0, expected, "{reader} weighs {weight}");
    }
}

pub(crate) async fn undo_opens_reports_again(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").store(&*store).await;
    report(&*store, &news, "c-1", "r-1", 1).await;
    let open = async || store.reader_view(record.uid).await.unwrap().reports;
    let weight = async |comment: &str, seconds: i64| {
        Made::new(&news, comment).store(&*store).await;
        report(&*store, &news, comment, "r-1", seconds).await.view.weight
    };
    let first = store.rule(ruling(Action::Reject, &[&record], 2)).await.unwrap();
    assert_eq!(open().await, 0);
    let second = store.rule(ruling(Action::Approve, &[&first.applied[0].0], 3)).await.unwrap();
    assert!(weight("c-2", 4).await < 1.0, "the last word counts");
    store.unrule(second.decision, moderator(), &Reach::ALL, at(5)).await.unwrap();
    assert_eq!(open().await, 0, "the first ruling answered them, and stands again");
    assert!((weight("c-3", 6).await - 1.0).abs() < 1e-9, "nothing speaks against the reader any more");
    // The second ruling moved the version on, so the first can no longer be taken back; a single one can.
    let other = Made::new(&news, "c-4").store(&*store).await;
    report(&*store, &news, "c-4", "r-9", 7).await;
    let ruled = store.rule(ruling(Action::Reject, &[&other], 8)).await.unwrap();
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(9)).await.unwrap();
    assert_eq!(store.reader_view(other.uid).await.unwrap().reports, 1);
}

pub(crate) async fn edit_is_no_way_out_of_reports(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").store(&*store).await;
    for reader in ["r-1", "r-2", "r-3"] {
        report(&*store, &news, "c-1", reader, 1).await;
    }
    let edited = Made::new(&news, "c-1").body("nothing to see here").at(2).revise(&*store).await.unwrap();
    assert_eq!((edited.status, edited.decided_by), (Status::Held, DecidedBy::Rule));
    assert_eq!(queued(&*store).await, ["c-1"]);
    let worse = Made::new(&news, "c-1").body("buy this").rejected().at(3).revise(&*store).await.unwrap();
    assert_eq!((worse.status, worse.decided_by), (Status::Rejected, DecidedBy::Policy));
    let other = Made::new(&news, "c-2").store(&*store).await;
    for reader in ["r-1", "r-2", "r-3"] {
        report(&*store, &news, "c-2", reader, 4).await;
    }
    let other = now(&*store, &other).await;
    let ruled = store.rule(ruling(Action::Approve, &[&other], 5)).await.unwrap();
    assert_eq!(ruled.applied.len(), 1);
    let edited = Made::new(&news, "c-2").body("as I said").at(6).revise(&*store).await.unwrap();
    assert_eq!(edited.status, Status::Approved, "they were answered");
    assert_eq!(record.status, Status::Approved);
}

pub(crate) async fn votes_count_once_for_each_reader(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let record = Made::new(&news, "c-1").store(&*store).await;
    let vote = async |reader: &str, value: i8| {
        let voted = store.vote(news.id, &id("c-1"), &id(reader), value, at(1)).await.unwrap().unwrap();
        (voted.view.up, voted.view.down, voted.again)
    };
    assert_eq!(vote("r-1", 1).await, (1, 0, false));
    assert_eq!(vote("r-1", 1).await, (1, 0, true));
    assert_eq!(vote("r-2", -1).await, (1, 1, false));
    assert_eq!(vote("r-1", -1).await, (0, 2, true));
    assert_eq!(vote("r-1", 0).await, (0, 1, true));
    assert_eq!(vote("r-1", 0).await, (0, 1, false));
    assert!(store.vote(news.id, &id("c-2"), &id("r-1"), 1, at(1)).await.unwrap().is_none());
    store.comment_erase(news.id, &id("c-1"), Actor::Console, at(2)).await.unwrap().unwrap();
    assert_eq!(store.reader_view(record.uid).await.unwrap().down, 0);
}

// Appeals.

async fn appeal(store: &dyn Store, site: &Site, comment: &str, seconds: i64) -> Opened {
    store.appeal_open(site.id, &id(comment), Some("Please look again.".to_owned()), at(seconds)).await.unwrap()
}

async fn opened(store: &dyn Store, site: &Site, comment: &str, seconds: i64) -> Appeal {
    appealed(store, site.id, comment, Some("Please look again."), seconds).await
}

fn answer(appeal: &Appeal, overturn: bool, seconds: i64) -> AppealAnswer {
    AppealAnswer { overturn, tell_at: at(seconds + 10), ..upheld(appeal, Some("We looked."), seconds) }
}

async fn state(store: &dyn Store, appeal: &Appeal) -> AppealState {
    store.appeal_find(appeal.uid, &Reach::ALL).await.unwrap().unwrap().state
}

pub(crate) async fn appeal_opens_against_a_rejection_and_once(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let record = Made::new(&news, "c-1").rejected().store(&*store).await;
    Made::new(&news, "c-2").store(&*store).await;
    Made::new(&news, "c-3").held(None, &[], 0.5).store(&*store).await;
    let first = opened(&*store, &news, "c-1", 1).await;
    assert_eq!((first.state, &first.verdict, &first.record), (AppealState::Open, &record.verdict, &record));
    assert_eq!(first.text.as_deref(), Some("Please look again."));
    assert_eq!(first.history.len(), 1);
    assert!(matches!(appeal(&*store, &news, "c-1", 2).await, Opened::Waits(same) if *same == first));
    for (comment, expected) in [("c-2", Opened::NotRejected), ("c-3", Opened::NotRejected), ("c-4", Opened::NoComment)]
    {
        assert_eq!(appeal(&*store, &news, comment, 3).await, expected, "{comment}");
    }
    assert_eq!(told(&*store, &news, 3).await, ["c-1 appeal open"]);
    let blog = site(&*store, "blog").await;
    assert_eq!(appeal(&*store, &blog, "c-1", 4).await, Opened::NoComment);
}

pub(crate) async fn upheld_appeal_is_the_last_word_until_the_comment_changes(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let record = Made::new(&news, "c-1").rejected().store(&*store).await;
    let first = opened(&*store, &news, "c-1", 1).await;
    told(&*store, &news, 1).await;
    let (answered, ruled) = store.appeal_answer(answer(&first, false, 2)).await.unwrap();
    assert!(ruled.is_none());
    assert_eq!((answered.state, answered.answered_at), (AppealState::Upheld, Some(at(2))));
    assert_eq!(
        (answered.answer.as_deref(), answered.answered_by.as_deref()),
        (Some("We looked."), Some("mod@example.org"))
    );
    assert_eq!(now(&*store, &record).await, record, "the comment is as it was");
    assert_eq!(told(&*store, &news, 12).await, ["c-1 appeal upheld"]);
    assert!(matches!(store.appeal_answer(answer(&first, true, 3)).await, Err(AnswerError::NotOpen)));
    assert!(matches!(appeal(&*store, &news, "c-1", 4).await, Opened::Answered(same) if *same == answered));
    Made::new(&news, "c-1").body("put otherwise").rejected().at(5).revise(&*store).await.unwrap();
    let second = opened(&*store, &news, "c-1", 6).await;
    assert_ne!(second.uid, first.uid);
}

pub(crate) async fn overturned_appeal_approves_in_the_same_commit(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let record = Made::new(&news, "c-1").rejected().store(&*store).await;
    let first = opened(&*store, &news, "c-1", 1).await;
    told(&*store, &news, 1).await;
    let (answered, ruled) = store.appeal_answer(answer(&first, true, 2)).await.unwrap();
    assert_eq!(answered.state, AppealState::Overturned);
    assert_eq!(ruled.unwrap().applied[0].0.uid, record.uid);
    assert_eq!(is(&*store, &record).await, (Status::Approved, DecidedBy::Person));
    assert!(told(&*store, &news, 11).await.is_empty(), "not before the grace is over");
    assert_eq!(told(&*store, &news, 12).await, ["c-1 approved", "c-1 appeal overturned"]);
    let crashed = engine.crashed().await;
    let after = crashed.open().await;
    assert_eq!(state(&*after, &first).await, AppealState::Overturned);
    assert_eq!(is(&*after, &record).await.0, Status::Approved);
    after.close().await;
}

pub(crate) async fn undoing_an_overturned_appeal_opens_it_again(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let record = Made::new(&news, "c-1").rejected().store(&*store).await;
    let first = opened(&*store, &news, "c-1", 1).await;
    told(&*store, &news, 1).await;
    for seconds in [2, 102] {
        let (_, ruled) = store.appeal_answer(answer(&first, true, seconds)).await.unwrap();
        let is_late = seconds > 100; // the second time after the site was told
        if is_late {
            assert_eq!(told(&*store, &news, seconds + 10).await, ["c-1 approved", "c-1 appeal overturned"]);
        }
        store.unrule(ruled.unwrap().decision, moderator(), &Reach::ALL, at(seconds + 11)).await.unwrap();
        assert_eq!(is(&*store, &record).await, (Status::Rejected, DecidedBy::Policy));
        let again = store.appeal_find(first.uid, &Reach::ALL).await.unwrap().unwrap();
        assert_eq!((again.state, again.answer, again.answered_at), (AppealState::Open, None, None));
        let mut heard = told(&*store, &news, seconds + 20).await;
        heard.sort();
        let news: &[&str] = if is_late { &["c-1 appeal open", "c-1 rejected"] } else { &[] };
        assert_eq!(heard, news, "{seconds}");
    }
    store.appeal_answer(answer(&first, false, 200)).await.unwrap();
    assert_eq!(state(&*store, &first).await, AppealState::Upheld);
}

pub(crate) async fn appeal_closes_when_the_comment_changes(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let sanction = add(&*store, ban(Some(&news))).await;
    let decided = Made::new(&news, "decided").rejected().store(&*store).await;
    Made::new(&news, "edited").rejected().store(&*store).await;
    banned(Made::new(&news, "lifted"), &sanction, Status::Approved).store(&*store).await;
    let undone = Made::new(&news, "undone").store(&*store).await;
    let ruled = store.rule(ruling(Action::Reject, &[&undone], 1)).await.unwrap();
    let gone = Made::new(&news, "gone").rejected().store(&*store).await;
    let mut appeals = Vec::new();
    for name in ["decided", "edited", "lifted", "undone", "gone"] {
        appeals.push(opened(&*store, &news, name, 2).await);
    }
    told(&*store, &news, 2).await;
    store.rule(ruling(Action::Approve, &[&decided], 3)).await.unwrap();
    Made::new(&news, "edited").body("better").at(3).revise(&*store).await.unwrap();
    store.sanction_lift(sanction.uid, true, moderator(), at(3), at(3)).await.unwrap().unwrap();
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(3)).await.unwrap();
    store.comment_erase(news.id, &id("gone"), Actor::Site("news".to_owned()), at(3)).await.unwrap().unwrap();
    assert!(store.comment_by_uid(gone.uid).await.unwrap().is_none());
    for appeal in &appeals[..4] {
        let name = appeal.record.comment.id.as_str();
        assert_eq!(state(&*store, appeal).await, AppealState::Closed, "{name}");
        assert!(matches!(store.appeal_answer(answer(appeal, true, 4)).await, Err(AnswerError::NotOpen)), "{name}");
    }
    assert!(store.appeal_find(appeals[4].uid, &Reach::ALL).await.unwrap().is_none());
    assert!(matches!(store.appeal_answer(answer(&appeals[4], true, 4)).await, Err(AnswerError::NotFound)));
    let heard = told(&*store, &news, 4).await;
    for name in ["decided", "edited", "lifted", "undone"] {
        assert!(heard.contains(&format!("{name} appeal closed")), "{name}: {heard:?}");
    }
}

pub(crate) async fn closing_an_appeal_is_told_after_the_grace_and_taken_back_within_it(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let record = Made::new(&news, "c-1").rejected().store(&*store).await;
    let first = opened(&*store, &news, "c-1", 1).await;
    told(&*store, &news, 1).await;
    let approve = |record: &Record, seconds: i64| Ruling {
        tell_at: at(seconds + 10),
        ..ruling(Action::Approve, &[record], seconds)
    };
    let ruled = store.rule(approve(&record, 2)).await.unwrap();
    assert!(told(&*store, &news, 11).await.is_empty(), "the grace is not over");
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(11)).await.unwrap();
    assert!(told(&*store, &news, 20).await.is_empty(), "it was never decided");
    assert_eq!(state(&*store, &first).await, AppealState::Open);
    store.rule(approve(&now(&*store, &record).await, 30)).await.unwrap();
    assert!(told(&*store, &news, 39).await.is_empty());
    assert_eq!(told(&*store, &news, 40).await, ["c-1 approved", "c-1 appeal closed"]);
}

pub(crate) async fn lifting_tells_of_closed_appeals_after_the_grace(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let sanction = add(&*store, ban(Some(&news))).await;
    banned(Made::new(&news, "c-1"), &sanction, Status::Approved).store(&*store).await;
    opened(&*store, &news, "c-1", 2).await;
    told(&*store, &news, 2).await;
    store.sanction_lift(sanction.uid, true, moderator(), at(3), at(13)).await.unwrap().unwrap();
    assert!(told(&*store, &news, 12).await.is_empty());
    assert_eq!(told(&*store, &news, 13).await, ["c-1 approved", "c-1 appeal closed"]);
}

pub(crate) async fn news_of_an_appeal_says_the_same_at_every_attempt(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let record = Made::new(&news, "c-1").rejected().store(&*store).await;
    let first = opened(&*store, &news, "c-1", 1).await;
    let attempt = async |seconds: i64| {
        store.outbox_take(news.id, 100, at(seconds), at(seconds + 5)).await.unwrap().swap_remove(0)
    };
    let before = attempt(2).await;
    store.appeal_answer(answer(&first, true, 3)).await.unwrap();
    let after = attempt(20).await;
    assert_eq!((after.message, &after.notice), (before.message, &before.notice));
    let Some(Notice::Appeal { record: told, answer: None, .. }) = after.notice else { panic!("{after:?}") };
    assert_eq!(*told, record);
    store.comment_erase(news.id, &id("c-1"), moderator(), at(21)).await.unwrap().unwrap();
    assert_eq!(attempt(30).await.notice, None);
}

pub(crate) async fn a_dead_answer_to_an_appeal_outlives_what_is_told_later_of_its_comment(engine: &dyn Engine) {
    let (store, news) = started_with_webhook(engine).await;
    let record = Made::new(&news, "c-1").rejected().store(&*store).await;
    let first = opened(&*store, &news, "c-1", 1).await;
    told(&*store, &news, 1).await;
    store.appeal_answer(answer(&first, false, 2)).await.unwrap();
    let due = store.outbox_take(news.id, 1, at(12), at(60)).await.unwrap();
    let dead = doorward::domain::outbox::Settled::Dead { problem: "refused".to_owned() };
    store.outbox_settle(news.id, vec![(due[0].attempt(), dead)], at(13)).await.unwrap();
    store.rule(ruling(Action::Approve, &[&record], 14)).await.unwrap();
    assert_eq!(told(&*store, &news, 14).await, ["c-1 approved"]);
    let all = doorward::domain::outbox::LetterFilter::default();
    assert_eq!(store.outbox_resend(&all, at(15)).await.unwrap(), 1);
    assert_eq!(told(&*store, &news, 15).await, ["c-1 appeal upheld"]);
}

pub(crate) async fn appeals_are_listed_oldest_first_within_reach(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let blog = site(&*store, "blog").await;
    let mut article = doorward::domain::comment::Article::named(id("a-9"));
    article.section = Some("sport".to_owned());
    Made::new(&news, "c-1").rejected().store(&*store).await;
    Made::new(&news, "c-2").with_article(article).rejected().lang("pt").store(&*store).await;
    Made::new(&blog, "c-3").rejected().store(&*store).await;
    let one = opened(&*store, &news, "c-1", 1).await;
    let two = opened(&*store, &news, "c-2", 2).await;
    let three = opened(&*store, &blog, "c-3", 3).await;
    store.appeal_answer(answer(&one, false, 4)).await.unwrap();
    let list = async |state: Option<AppealState>, site: Option<&str>, reach: &Reach| {
        let page = store.appeal_list(state, site, reach, &first_page(10)).await.unwrap();
        page.items.iter().map(|appeal| appeal.record.comment.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, &Reach::ALL).await, ["c-1", "c-2", "c-3"]);
    assert_eq!(list(Some(AppealState::Open), None, &Reach::ALL).await, ["c-2", "c-3"]);
    assert_eq!(list(None, Some("blog"), &Reach::ALL).await, ["c-3"]);
    let sport = Reach { sections: Some(vec!["sport".to_owned()]), ..Reach::ALL };
    let english = Reach { langs: Some(vec!["en".to_owned()]), ..Reach::ALL };
    assert_eq!(list(None, None, &sport).await, ["c-2"]);
    assert_eq!(list(None, None, &english).await, ["c-1", "c-3"]);
    assert!(store.appeal_find(three.uid, &sport).await.unwrap().is_none());
    let beyond = AppealAnswer { reach: english, ..answer(&two, true, 5) };
    assert!(matches!(store.appeal_answer(beyond).await, Err(AnswerError::NotFound)));
    let first = store.appeal_list(None, None, &Reach::ALL, &first_page(2)).await.unwrap();
    let rest = PageRequest { limit: 2, cursor: first.next_cursor };
    let rest = store.appeal_list(None, None, &Reach::ALL, &rest).await.unwrap();
    assert_eq!((rest.items.len(), rest.next_cursor), (1, None));
    // A decision that answered an appeal is taken back once.
    let (_, ruled) = store.appeal_answer(answer(&two, true, 6)).await.unwrap();
    let decision = ruled.unwrap().decision;
    store.unrule(decision, moderator(), &Reach::ALL, at(7)).await.unwrap();
    assert!(matches!(store.unrule(decision, moderator(), &Reach::ALL, at(8)).await, Err(UndoError::AlreadyUndone)));
}

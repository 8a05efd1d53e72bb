//! Two nodes on one PostgreSQL database: what each of them does at the same moment comes one after the other.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use doorward::domain::decision::{Action, DecidedBy, Record, Status};
use doorward::domain::learning::{ChangeKind, Conclusion, Force, Taught};
use doorward::domain::outbox::{Due, LetterFilter, Notice, Settled};
use doorward::domain::people::Reach;
use doorward::domain::readers::{Config, NewReport};
use doorward::domain::site::Site;
use doorward::domain::store::{AuditCheck, AuditEntry, HappeningKind, Ruling, RulingCategory, Store, UndoError};
use futures_util::future::join_all;
use serde_json::json;
use tokio::join;
use uuid::Uuid;

use crate::made::{Made, at, id, moderator, ruling, site};
use crate::postgres::{Schema, skipped};
use crate::suite::Engine as _;

/// Two nodes, and a site that wants to be told.
struct Nodes {
    one: Arc<dyn Store>,
    other: Arc<dyn Store>,
    news: Arc<Site>,
    _schema: Schema,
}

impl Nodes {
    async fn start() -> Option<Self> {
        let Some(schema) = Schema::new().await else {
            skipped();
            return None;
        };
        let (one, other) = join!(schema.open(), schema.open());
        let news = site(&*one, "news").await;
        assert!(one.site_webhook_set("news", Some("https://news.example/hooks"), at(0)).await.unwrap());
        Some(Self { one, other, news, _schema: schema })
    }

    async fn held(&self, name: &str) -> Record {
        Made::new(&self.news, name).held(None, &[], 0.5).store(&*self.one).await
    }

    async fn several(&self, names: &str, count: usize) -> Vec<Record> {
        let mut records = Vec::new();
        for number in 0..count {
            records.push(self.held(&format!("{names}-{number}")).await);
        }
        records
    }

    async fn kinds(&self, uid: Uuid) -> Vec<HappeningKind> {
        self.one.comment_history(uid).await.unwrap().iter().map(|happening| happening.kind).collect()
    }
}

fn uids(records: &[(Record, doorward::domain::trace::Trace)]) -> HashSet<Uuid> {
    records.iter().map(|(record, _)| record.uid).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_decide_about_one_comment_at_once_one_is_told_of_the_other() {
    let Some(nodes) = Nodes::start().await else { return };
    for round in 0..20 {
        let record = nodes.held(&format!("c-{round}")).await;
        let (approved, rejected) = join!(
            nodes.one.rule(ruling(Action::Approve, &[&record], 1)),
            nodes.other.rule(ruling(Action::Reject, &[&record], 1)),
        );
        let (approved, rejected) = (approved.unwrap(), rejected.unwrap());
        let now = nodes.one.comment_by_uid(record.uid).await.unwrap().unwrap();
        assert_eq!((now.version, now.decided_by), (2, DecidedBy::Person));
        let (won, lost) = match now.status {
            Status::Approved => (approved, rejected),
            Status::Rejected | Status::Held => (rejected, approved),
        };
        assert_eq!((won.applied[0].0.clone(), won.conflicts.len()), (now.clone(), 0));
        assert_eq!((lost.conflicts, lost.applied.len()), (vec![now], 0), "with what the other one made of it");
        assert_eq!(nodes.kinds(record.uid).await, [HappeningKind::Received, HappeningKind::Decided]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rulings_about_some_of_the_same_comments_end_whatever_their_order() {
    let Some(nodes) = Nodes::start().await else { return };
    for round in 0..10 {
        let records = nodes.several(&format!("r-{round}"), 9).await;
        let forward: Vec<&Record> = records[..6].iter().collect();
        let backward: Vec<&Record> = records[3..].iter().rev().collect();
        let shuffled: Vec<&Record> = records.iter().step_by(2).chain(records.iter().skip(1).step_by(2)).collect();
        let ruled = join!(
            nodes.one.rule(ruling(Action::Approve, &forward, 1)),
            nodes.other.rule(ruling(Action::Reject, &backward, 1)),
            nodes.other.rule(ruling(Action::Approve, &shuffled, 1)),
        );
        let ruled = [ruled.0.unwrap(), ruled.1.unwrap(), ruled.2.unwrap()];
        let asked = [6, 6, 9];
        for (ruled, asked) in ruled.iter().zip(asked) {
            assert_eq!(ruled.applied.len() + ruled.conflicts.len(), asked);
        }
        let applied: Vec<Uuid> = ruled.iter().flat_map(|ruled| uids(&ruled.applied)).collect();
        assert_eq!(applied.len(), 9, "each is decided once");
        assert_eq!(applied.iter().collect::<HashSet<_>>().len(), 9);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_that_is_taken_back_twice_at_once_is_taken_back_once() {
    let Some(nodes) = Nodes::start().await else { return };
    for round in 0..10 {
        let records = nodes.several(&format!("r-{round}"), 3).await;
        let all: Vec<&Record> = records.iter().collect();
        let decision = nodes.one.rule(ruling(Action::Reject, &all, 1)).await.unwrap().decision;
        let (here, there) = join!(
            nodes.one.unrule(decision, moderator(), &Reach::ALL, at(2)),
            nodes.other.unrule(decision, moderator(), &Reach::ALL, at(2)),
        );
        let (done, late) = if here.is_ok() { (here, there) } else { (there, here) };
        assert_eq!(done.unwrap().applied.len(), 3);
        assert!(matches!(late, Err(UndoError::AlreadyUndone)));
        for record in &records {
            let now = nodes.other.comment_by_uid(record.uid).await.unwrap().unwrap();
            assert_eq!((now.status, now.version), (Status::Held, 3));
        }
    }
}

/// The comment that a notice is about, and its version then.
fn about(due: &Due) -> (Uuid, u32) {
    match due.notice.as_ref().expect("there is something to say") {
        Notice::Status { record, .. } => (record.uid, record.version),
        other => panic!("nothing else was told: {other:?}"),
    }
}

/// What is on its way, and what has arrived, over all who deliver.
#[derive(Default)]
struct Road {
    under_way: HashSet<Uuid>,
    arrived: BTreeMap<Uuid, Vec<u32>>,
}

/// Delivers until nothing waits any more.
async fn deliver(store: Arc<dyn Store>, news: Arc<Site>, road: Arc<Mutex<Road>>) {
    while store.outbox_state().await.unwrap().waiting > 0 {
        let taken = store.outbox_take(news.id, 5, at(100), at(160)).await.unwrap();
        let mut settled = Vec::new();
        {
            let mut road = road.lock().unwrap();
            for due in &taken {
                assert!(road.under_way.insert(about(due).0), "two notices of one comment are on their way");
            }
        }
        // They are on their way for as long as a question to the database takes: others may take the next ones meanwhile.
        store.outbox_state().await.unwrap();
        {
            let mut road = road.lock().unwrap();
            for due in &taken {
                let (comment, version) = about(due);
                assert!(road.under_way.remove(&comment));
                road.arrived.entry(comment).or_default().push(version);
                settled.push((due.attempt(), Settled::Delivered));
            }
        }
        store.outbox_settle(news.id, settled, at(100)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_deliver_at_once_give_out_each_notice_once_and_those_of_a_comment_in_order() {
    let Some(nodes) = Nodes::start().await else { return };
    let records = nodes.several("c", 30).await;
    let mut now: Vec<Record> = records.clone();
    for (seconds, action) in [(1, Action::Approve), (2, Action::Reject), (3, Action::Approve)] {
        let all: Vec<&Record> = now.iter().collect();
        let ruled = nodes.one.rule(ruling(action, &all, seconds)).await.unwrap();
        now = ruled.applied.into_iter().map(|(record, _)| record).collect();
    }
    assert_eq!(nodes.one.outbox_state().await.unwrap().waiting, 90);
    let road = Arc::new(Mutex::new(Road::default()));
    let workers = [&nodes.one, &nodes.other, &nodes.one, &nodes.other]
        .map(|store| tokio::spawn(deliver(Arc::clone(store), Arc::clone(&nodes.news), Arc::clone(&road))));
    for worker in workers {
        worker.await.unwrap();
    }
    let road = road.lock().unwrap();
    assert_eq!(road.arrived.len(), 30);
    assert!(road.arrived.values().all(|versions| versions == &[2, 3, 4]), "{:?}", road.arrived);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_sent_again_never_meets_a_later_one_of_its_comment() {
    let Some(nodes) = Nodes::start().await else { return };
    let take = async |store: &Arc<dyn Store>| store.outbox_take(nodes.news.id, 9, at(100), at(160)).await.unwrap();
    for round in 0..20 {
        let record = nodes.held(&format!("c-{round}")).await;
        let ruled = nodes.one.rule(ruling(Action::Approve, &[&record], 1)).await.unwrap();
        let first = take(&nodes.one).await;
        let dead = Settled::Dead { problem: "it never came back".to_owned() };
        nodes.one.outbox_settle(nodes.news.id, vec![(first[0].attempt(), dead)], at(100)).await.unwrap();
        nodes.one.rule(ruling(Action::Reject, &[&ruled.applied[0].0], 2)).await.unwrap();
        let all = LetterFilter::default();
        let (here, sent, there) = join!(take(&nodes.one), nodes.other.outbox_resend(&all, at(100)), take(&nodes.other));
        assert_eq!(sent.unwrap(), 1);
        let mut waiting = [here, there].concat();
        assert!(waiting.len() <= 1, "one of the two, and one of the nodes");
        if waiting.is_empty() {
            waiting = take(&nodes.one).await; // whoever sends again stood in the way of both
        }
        while let Some(due) = waiting.pop() {
            nodes.one.outbox_settle(nodes.news.id, vec![(due.attempt(), Settled::Delivered)], at(100)).await.unwrap();
            waiting.extend(take(&nodes.one).await);
        }
        assert_eq!(nodes.one.outbox_state().await.unwrap().waiting, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_come_to_two_nodes_at_once_hold_a_comment_once() {
    let Some(nodes) = Nodes::start().await else { return };
    let config = Config { hold_at: 3.0, ..Config::default() };
    for round in 0..10 {
        let name = format!("c-{round}");
        let record = Made::new(&nodes.news, &name).store(&*nodes.one).await;
        let report = async |store: &Arc<dyn Store>, reader: &str| {
            let new = NewReport { reader: id(reader), category: Some(RulingCategory::Spam), text: None };
            store.report(nodes.news.id, &id(&name), new, config, true, at(1)).await.unwrap().unwrap()
        };
        let reported = join!(
            report(&nodes.one, "r-1"),
            report(&nodes.other, "r-2"),
            report(&nodes.one, "r-3"),
            report(&nodes.other, "r-4"),
        );
        let reported = [reported.0, reported.1, reported.2, reported.3];
        assert_eq!(reported.iter().filter(|reported| reported.held.is_some()).count(), 1);
        assert_eq!(nodes.kinds(record.uid).await, [HappeningKind::Received, HappeningKind::Reported]);
        assert_eq!(nodes.other.reader_view(record.uid).await.unwrap().reports, 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_while_it_is_learned_is_noticed() {
    let Some(nodes) = Nodes::start().await else { return };
    for round in 0..10 {
        let records = nodes.several(&format!("r-{round}"), 2).await;
        let all: Vec<&Record> = records.iter().collect();
        let spam = Ruling { category: Some(RulingCategory::Spam), ..ruling(Action::Reject, &all, 1) };
        let decision = nodes.one.rule(spam).await.unwrap().decision;
        let labels = nodes.one.label_ids(nodes.news.id).await.unwrap();
        let due = nodes.one.labels_due().await.unwrap()[0];
        let fates = labels.iter().map(|label| (*label, doorward::domain::learning::Fate::Learned)).collect();
        let taught = Taught { weights: [vec![(7, 0.5)], Vec::new()], labels: [labels.clone(), Vec::new()] };
        let conclusion = Conclusion {
            site: nodes.news.id,
            over: nodes.other.site_model(nodes.news.id).await.unwrap().map(|model| model.number),
            seen: due.changes,
            fates,
            force: Force::New("base".to_owned(), taught),
            change: Some((ChangeKind::Replaced, "spam: better".to_owned(), json!(null))),
            at: at(2),
        };
        let (learned, undone) =
            join!(nodes.one.conclude(conclusion), nodes.other.unrule(decision, moderator(), &Reach::ALL, at(2)),);
        assert_eq!(undone.unwrap().applied.len(), 2);
        let due = nodes.other.labels_due().await.unwrap()[0];
        match learned.unwrap() {
            None => {} // it came first: nothing was kept
            Some(_) => assert!(due.changes > due.seen, "it came after: the learner has to look again"),
        }
        assert!(nodes.one.label_ids(nodes.news.id).await.unwrap().is_empty());
    }
}

/// Connections that have checked the chain know how its head is read before they know how to wait for their turn.
#[tokio::test(flavor = "multi_thread")]
async fn the_chain_of_who_did_what_stays_whole_whatever_its_connections_read_before() {
    let Some(nodes) = Nodes::start().await else { return };
    let stores = [&nodes.one, &nodes.other];
    let note = |store: &Arc<dyn Store>, number: usize| {
        let (store, subject) = (Arc::clone(store), number.to_string());
        async move {
            let (action, detail) = ("test.note".to_owned(), String::new());
            store.audit_note(AuditEntry { by: moderator(), action, subject, detail, at: at(1) }).await.unwrap();
        }
    };
    join_all(stores.into_iter().cycle().take(24).map(|store| store.audit_verify(None))).await;
    join_all(stores.into_iter().cycle().take(60).enumerate().map(|(number, store)| note(store, number))).await;
    let checked = nodes.one.audit_verify(None).await.unwrap();
    assert!(matches!(checked, AuditCheck::Whole { .. }), "{checked:?}");
}

//! A store so simple that it is plainly right, and random courses of events on which both must agree.

use std::collections::BTreeMap;
use std::sync::Arc;

use doorward::domain::comment::ExternalId;
use doorward::domain::decision::{Action, Actor, DecidedBy, Status};
use doorward::domain::site::Site;
use doorward::domain::store::{CommentFilter, QueueFilter, QueueSort, Recording, Store};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use crate::made::{Made, at, first_page, id, ruling, site};
use crate::suite::Engine;

const CASES: u32 = 12;

/// One thing that happens; small numbers, so that they meet.
#[derive(Debug, Clone)]
enum Event {
    Sent { site: usize, id: u8, author: u8, article: u8, body: u8, held: bool },
    Edited { site: usize, id: u8, author: u8, article: u8, body: u8, held: bool },
    Erased { site: usize, id: u8 },
    Ruled { site: usize, id: u8, approve: bool, stale: bool },
    Undone,
    Opened,
}

fn event() -> impl Strategy<Value = Event> {
    let comment = || (0..2_usize, 0..8_u8, 0..3_u8, 0..3_u8, 0..3_u8, any::<bool>());
    prop_oneof![
        6 => comment().prop_map(|(site, id, author, article, body, held)| Event::Sent { site, id, author, article, body, held }),
        3 => comment().prop_map(|(site, id, author, article, body, held)| Event::Edited { site, id, author, article, body, held }),
        2 => (0..2_usize, 0..8_u8).prop_map(|(site, id)| Event::Erased { site, id }),
        3 => (0..2_usize, 0..8_u8, any::<bool>(), any::<bool>())
            .prop_map(|(site, id, approve, stale)| Event::Ruled { site, id, approve, stale }),
        1 => Just(Event::Undone),
        1 => Just(Event::Opened),
    ]
}

/// What the model knows of a comment.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    number: usize,
    uid: Uuid,
    author: u8,
    article: u8,
    body: u8,
    status: Status,
    decided_by: DecidedBy,
    version: u32,
}

#[derive(Default)]
struct Model {
    comments: BTreeMap<(usize, u8), Known>,
    stored: usize,
    /// The last ruling: its id, whose comment it was, and what that comment was before and after.
    ruling: Option<(Uuid, (usize, u8), Known, Known)>,
}

pub(crate) async fn any_course_of_events_agrees_with_a_simple_model(engine: &dyn Engine) {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRunner::deterministic().new_rng());
    let mut store = engine.open().await;
    for case in 0..CASES {
        let sites = [site(&*store, &format!("a{case}")).await, site(&*store, &format!("b{case}")).await];
        let events = prop::collection::vec(event(), 50).new_tree(&mut runner).unwrap().current();
        let mut model = Model::default();
        for (step, event) in (1_i64..).zip(&events) {
            if matches!(event, Event::Opened) {
                store.close().await;
                store = engine.open().await;
            }
            happen(&*store, &sites, &mut model, event, step).await;
        }
        for (number, site) in sites.iter().enumerate() {
            agree(&*store, site, number, &model).await;
        }
    }
}

fn made(sites: &[Arc<Site>; 2], site: usize, id: u8, author: u8, article: u8, body: u8, held: bool) -> Made {
    let made = Made::new(&sites[site], &format!("c-{id}")).author(&format!("u-{author}"));
    let made = made.under(&format!("a-{article}")).body(&format!("body {body}"));
    if held { made.held(None, &[], 0.5) } else { made }
}

async fn happen(store: &dyn Store, sites: &[Arc<Site>; 2], model: &mut Model, event: &Event, step: i64) {
    match *event {
        Event::Sent { site, id, author, article, body, held } => {
            let made = made(sites, site, id, author, article, body, held).at(step);
            let status = made.0.status;
            match (made.send(store).await, model.comments.get(&(site, id))) {
                (Recording::New(record), None) => {
                    model.stored += 1;
                    let known = Known {
                        number: model.stored,
                        uid: record.uid,
                        author,
                        article,
                        body,
                        status,
                        decided_by: DecidedBy::Policy,
                        version: 1,
                    };
                    model.comments.insert((site, id), known);
                }
                (Recording::Repeat(record), Some(known)) => {
                    assert_eq!((known.author, known.article, known.body), (author, article, body));
                    assert_eq!(record.uid, known.uid);
                }
                (Recording::Conflict, Some(known)) => {
                    assert_ne!((known.author, known.article, known.body), (author, article, body));
                }
                (recording, known) => panic!("{event:?}: {recording:?}, but known is {known:?}"),
            }
        }
        Event::Edited { site, id, author, article, body, held } => {
            let made = made(sites, site, id, author, article, body, held).at(step);
            let status = made.0.status;
            let revised = made.revise(store).await;
            let Some(known) = model.comments.get_mut(&(site, id)) else { return assert_eq!(revised, None) };
            if (known.author, known.article, known.body) != (author, article, body) {
                if known.body != body || known.decided_by != DecidedBy::Person {
                    (known.status, known.decided_by) = (status, DecidedBy::Policy);
                }
                (known.author, known.article, known.body) = (author, article, body);
                known.version += 1;
            }
            assert_eq!(revised.unwrap().version, known.version);
        }
        Event::Erased { site, id: name } => {
            let erased = store.comment_erase(sites[site].id, &id(&format!("c-{name}")), Actor::Console, at(step)).await;
            assert_eq!(erased.unwrap().is_some(), model.comments.remove(&(site, name)).is_some());
        }
        Event::Ruled { site, id, approve, stale } => {
            let Some(known) = model.comments.get_mut(&(site, id)) else { return };
            let record = store.comment_by_uid(known.uid).await.unwrap().unwrap();
            let action = if approve { Action::Approve } else { Action::Reject };
            let mut ruling = ruling(action, &[&record], step);
            ruling.items[0].seen_version -= u32::from(stale);
            let ruled = store.rule(ruling).await.unwrap();
            assert_eq!((ruled.applied.len(), ruled.conflicts.len()), if stale { (0, 1) } else { (1, 0) });
            if !stale {
                let before = known.clone();
                (known.status, known.decided_by) = (action.status(), DecidedBy::Person);
                known.version += 1;
                model.ruling = Some((ruled.decision, (site, id), before, known.clone()));
            }
        }
        Event::Undone => {
            let Some((decision, key, before, after)) = model.ruling.take() else { return };
            let undone =
                store.unrule(decision, crate::made::moderator(), &doorward::domain::people::Reach::ALL, at(step)).await;
            match model.comments.get_mut(&key).filter(|known| known.uid == after.uid) {
                None => assert!(undone.is_err()),
                Some(known) if *known == after => {
                    assert_eq!(undone.unwrap().applied.len(), 1);
                    *known = Known { version: after.version + 1, ..before };
                }
                Some(_) => assert_eq!(undone.unwrap().conflicts.len(), 1),
            }
        }
        Event::Opened => {}
    }
}

/// Everything that can be asked about a site is answered as the model would.
async fn agree(store: &dyn Store, site: &Arc<Site>, number: usize, model: &Model) {
    let mut known: Vec<(u8, &Known)> =
        model.comments.iter().filter(|((site, _), _)| *site == number).map(|((_, id), known)| (*id, known)).collect();
    known.sort_by_key(|(_, known)| std::cmp::Reverse(known.number));
    for name in 0..8 {
        let found = store.comment_find(site.id, &id(&format!("c-{name}"))).await.unwrap().map(|(record, _)| record);
        let expected =
            known.iter().find(|(id, _)| *id == name).map(|(_, known)| (known.uid, known.status, known.version));
        assert_eq!(found.map(|record| (record.uid, record.status, record.version)), expected);
    }
    let names = |wanted: &dyn Fn(&Known) -> bool| -> Vec<String> {
        known.iter().filter(|(_, known)| wanted(known)).map(|(id, _)| format!("c-{id}")).collect()
    };
    for part in 0..3 {
        let author = CommentFilter { author: Some(format!("u-{part}")), ..CommentFilter::default() };
        assert_eq!(listed(store, site, &author).await, names(&|known| known.author == part));
        let article = CommentFilter { article: Some(format!("a-{part}")), ..CommentFilter::default() };
        assert_eq!(listed(store, site, &article).await, names(&|known| known.article == part));
        let trace = Made::new(site, "new").author(&format!("u-{part}")).0.trace;
        let past = store.author_past(&trace, at(1_000), 100).await.unwrap();
        let count = |status| names(&|known| known.author == part && known.status == status).len();
        let expected = (count(Status::Approved), count(Status::Rejected), count(Status::Held));
        assert_eq!((past.approved as usize, past.rejected as usize, past.held as usize), expected);
    }
    for status in [Status::Approved, Status::Held, Status::Rejected] {
        let filter = CommentFilter { status: Some(status), ..CommentFilter::default() };
        assert_eq!(listed(store, site, &filter).await, names(&|known| known.status == status));
    }
    let filter = QueueFilter { sites: vec![site.name.to_string()], ..QueueFilter::default() };
    let queue = store.queue(&filter, QueueSort::Newest, &first_page(100), at(1_000)).await.unwrap();
    let mut held: Vec<ExternalId> = queue.items.into_iter().map(|item| item.record.comment.id).collect();
    let mut expected: Vec<ExternalId> =
        names(&|known| known.status == Status::Held).iter().map(|name| id(name)).collect();
    held.sort();
    expected.sort();
    assert_eq!(held, expected);
}

async fn listed(store: &dyn Store, site: &Site, filter: &CommentFilter) -> Vec<String> {
    let (mut names, mut request) = (Vec::new(), first_page(3));
    loop {
        let page = store.comment_list(site.id, filter, &request).await.unwrap();
        names.extend(page.items.iter().map(|record| record.comment.id.to_string()));
        request.cursor = page.next_cursor;
        if request.cursor.is_none() {
            return names;
        }
    }
}

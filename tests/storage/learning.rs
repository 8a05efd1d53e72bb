//! What the port promises of labels, of what sites taught, and of verdicts that were drawn for people.

use std::sync::Arc;

use doorward::app::house::Settings;
use doorward::app::learning;
use doorward::config::Config;
use doorward::domain::category::Category;
use doorward::domain::decision::{Action, Cause, Record, Status};
use doorward::domain::learning::{ChangeKind, Conclusion, Due, Fate, Force, Lot, Taught};
use doorward::domain::people::Reach;
use doorward::domain::site::Site;
use doorward::domain::store::{QueueFilter, QueueSort, Ruling, RulingCategory, Store};
use serde_json::json;

use crate::made::{Made, at, first_page, id, moderator, ruling, site};
use crate::suite::Engine;

async fn started(engine: &dyn Engine) -> (Arc<dyn Store>, Arc<Site>) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    (store, news)
}

fn for_spam(items: &[&Record], seconds: i64) -> Ruling {
    Ruling { category: Some(RulingCategory::Spam), ..ruling(Action::Reject, items, seconds) }
}

async fn held(store: &dyn Store, news: &Arc<Site>, name: &str) -> Record {
    Made::new(news, name).held(Some(Category::Spam), &[], 0.5).store(store).await
}

async fn due(store: &dyn Store, news: &Site) -> Option<Due> {
    store.labels_due().await.unwrap().into_iter().find(|due| due.site == news.id)
}

async fn concluded(store: &dyn Store, news: &Site) -> Conclusion {
    let seen = due(store, news).await.map_or(0, |due| due.changes);
    let over = store.site_model(news.id).await.unwrap().map(|model| model.number);
    Conclusion { site: news.id, over, seen, fates: Vec::new(), force: Force::Same, change: None, at: at(50) }
}

fn taught(labels: &[i64]) -> Taught {
    Taught { weights: [vec![(7, 0.5)], Vec::new()], labels: [labels.to_vec(), Vec::new()] }
}

async fn put(store: &dyn Store, news: &Site, labels: &[i64]) -> u32 {
    let fates = labels.iter().map(|label| (*label, Fate::Learned)).collect();
    let change = Some((ChangeKind::Replaced, "spam: better".to_owned(), json!({"spam": 1})));
    let force = Force::New("base".to_owned(), taught(labels));
    let conclusion = Conclusion { fates, force, change, ..concluded(store, news).await };
    store.conclude(conclusion).await.unwrap().unwrap().unwrap()
}

pub(crate) async fn decisions_leave_labels_and_taking_them_back_takes_those_along(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let (one, other) = (held(&*store, &news, "c-1").await, held(&*store, &news, "c-2").await);
    assert_eq!(due(&*store, &news).await, None);
    let ruled = store.rule(for_spam(&[&one, &other], 1)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    let labels = store.labels(&ids).await.unwrap();
    let said: Vec<_> =
        labels.iter().map(|label| (label.comment.id.as_str(), label.said.spam, label.said.abuse)).collect();
    assert_eq!(said, [("c-1", Some(true), None), ("c-2", Some(true), None)]);
    assert!(labels.iter().all(|label| label.decision == ruled.decision));
    let before = due(&*store, &news).await.unwrap();
    assert!(before.changes > before.seen);
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(2)).await.unwrap();
    assert!(store.label_ids(news.id).await.unwrap().is_empty());
    assert_eq!(store.labels(&ids).await.unwrap(), []);
    assert!(due(&*store, &news).await.unwrap().changes > before.changes);
    assert_eq!(store.label_counts(news.id).await.unwrap(), [("undone".to_owned(), 2)].into());
}

pub(crate) async fn what_was_said_last_of_a_comment_counts_and_of_the_text_it_was_said_of(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let first = held(&*store, &news, "c-1").await;
    let first = store.rule(for_spam(&[&first], 1)).await.unwrap().applied.remove(0).0;
    let second = store.rule(ruling(Action::Approve, &[&first], 2)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    assert_eq!((ids.len(), store.labels(&ids).await.unwrap()[0].said.spam), (1, Some(false)));
    Made::new(&news, "c-1").body("another text altogether").at(3).revise(&*store).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    assert_eq!(store.labels(&ids).await.unwrap()[0].comment.body, "I liked the part about c-1.");
    // What nothing can be learned of is kept, too.
    let other = held(&*store, &news, "c-2").await;
    let off_topic = Ruling { category: Some(RulingCategory::OffTopic), ..ruling(Action::Reject, &[&other], 4) };
    store.rule(off_topic).await.unwrap();
    assert_eq!(store.label_ids(news.id).await.unwrap().len(), 1);
    let counts = store.label_counts(news.id).await.unwrap();
    assert_eq!(counts, [("category".to_owned(), 1), ("waiting".to_owned(), 2)].into());
    assert_eq!(second.applied.len(), 1);
}

pub(crate) async fn erased_comment_takes_its_labels_along_and_leaves_a_count(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let mut made = Made::new(&news, "c-1");
    made.0.lot = Some(Lot { rate: 1.0, max_per_day: 9 });
    let drawn = made.store(&*store).await;
    store.rule(for_spam(&[&drawn], 1)).await.unwrap();
    let before = due(&*store, &news).await.unwrap();
    store.comment_erase(news.id, &id("c-1"), moderator(), at(2)).await.unwrap().unwrap();
    assert_eq!(store.label_counts(news.id).await.unwrap(), std::collections::BTreeMap::new());
    assert!(due(&*store, &news).await.unwrap().changes > before.changes, "what was learned of it has to go");
    let agreements = store.agreements().await.unwrap();
    assert_eq!((agreements[0].decided, agreements[0].overturned), (1, 1));
}

/// Two learners at once, as when one of them was stopped in the middle: what the late one concluded replaces nothing.
pub(crate) async fn what_was_concluded_over_another_model_is_not_kept(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let (one, other) = (held(&*store, &news, "c-1").await, held(&*store, &news, "c-2").await);
    store.rule(for_spam(&[&one, &other], 1)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    let late = concluded(&*store, &news).await;
    assert_eq!(put(&*store, &news, &ids[..1]).await, 1);
    let (models, changes) = (store.site_models().await.unwrap(), store.model_changes(news.id, 9).await.unwrap());
    let counts = store.label_counts(news.id).await.unwrap();
    for force in [Force::New("base".to_owned(), taught(&ids)), Force::Base, Force::Same] {
        let fates = ids.iter().map(|label| (*label, Fate::Old)).collect();
        let change = Some((ChangeKind::Replaced, "late".to_owned(), json!(null)));
        let late = Conclusion { fates, force, change, ..late.clone() };
        assert_eq!(store.conclude(late).await.unwrap(), None);
    }
    assert_eq!(store.site_models().await.unwrap(), models);
    assert_eq!(store.model_changes(news.id, 9).await.unwrap(), changes);
    assert_eq!(store.label_counts(news.id).await.unwrap(), counts);
    assert_eq!(put(&*store, &news, &ids).await, 2, "over what is in force it is kept");
    store.site_model_end(news.id, true, "base", moderator(), at(60)).await.unwrap().unwrap();
    let late = Conclusion { over: Some(2), force: Force::Base, ..concluded(&*store, &news).await };
    assert_eq!(store.conclude(late).await.unwrap(), None, "a person was there before");
    assert_eq!(store.site_model(news.id).await.unwrap().map(|model| model.number), Some(1));
}

pub(crate) async fn what_was_concluded_is_kept_whole_or_not_at_all(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let (one, other) = (held(&*store, &news, "c-1").await, held(&*store, &news, "c-2").await);
    store.rule(for_spam(&[&one], 1)).await.unwrap();
    let read = concluded(&*store, &news).await;
    let force = || Force::New("base".to_owned(), taught(&[1, 2]));
    let gone = Conclusion { force: force(), ..read.clone() };
    assert_eq!(store.conclude(gone).await.unwrap(), None, "one that was learned is not there");
    assert_eq!(store.site_models().await.unwrap(), []);
    store.rule(for_spam(&[&other], 2)).await.unwrap();
    let came = Conclusion { force: Force::Same, ..read };
    assert_eq!(store.conclude(came).await.unwrap(), Some(None), "a label that came in between keeps nothing back");
    let still = due(&*store, &news).await.unwrap();
    assert_eq!(still.changes, still.seen + 1, "and is looked at next");
    let ids = store.label_ids(news.id).await.unwrap();
    assert_eq!(put(&*store, &news, &ids[..1]).await, 1);
    let due = due(&*store, &news).await.unwrap();
    assert_eq!(due.changes, due.seen);
    let counts = store.label_counts(news.id).await.unwrap();
    assert_eq!(counts, [("learned".to_owned(), 1), ("waiting".to_owned(), 1)].into());
    let refused = |reason: &str| (ChangeKind::Refused, reason.to_owned(), json!(null));
    for reason in ["spam: too few", "spam: too few", "spam: not better"] {
        let conclusion = Conclusion { change: Some(refused(reason)), ..concluded(&*store, &news).await };
        assert_eq!(store.conclude(conclusion).await.unwrap(), Some(Some(1)));
    }
    let changes = store.model_changes(news.id, 9).await.unwrap();
    let told: Vec<_> = changes.iter().map(|change| (change.kind, change.reason.as_str())).collect();
    let refused = ChangeKind::Refused;
    let wanted = [(refused, "spam: not better"), (refused, "spam: too few"), (ChangeKind::Replaced, "spam: better")];
    assert_eq!(told, wanted, "a refusal for the same reason stands once");
    let conclusion = Conclusion { force: Force::Base, ..concluded(&*store, &news).await };
    assert_eq!(store.conclude(conclusion).await.unwrap(), Some(None));
    assert_eq!(store.site_models().await.unwrap(), []);
}

pub(crate) async fn what_a_site_taught_is_there_after_a_crash(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let one = held(&*store, &news, "c-1").await;
    store.rule(for_spam(&[&one], 1)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    put(&*store, &news, &ids).await;
    let crashed = engine.crashed().await;
    let store = crashed.open().await;
    let models = store.site_models().await.unwrap();
    assert_eq!((models[0].number, &*models[0].base, &models[0].taught), (1, "base", &taught(&ids)));
    assert_eq!(store.label_ids(news.id).await.unwrap(), ids);
}

pub(crate) async fn rolled_back_model_is_the_one_before_and_the_rest_is_set_aside(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let mut records = Vec::new();
    for name in ["c-1", "c-2", "c-3"] {
        records.push(held(&*store, &news, name).await);
    }
    let first = store.rule(for_spam(&[&records[0]], 1)).await.unwrap();
    store.rule(for_spam(&[&records[1]], 2)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    let end = |to_before| store.site_model_end(news.id, to_before, "base", moderator(), at(60));
    assert_eq!(end(true).await.unwrap(), None, "nothing in force");
    put(&*store, &news, &ids[..1]).await;
    put(&*store, &news, &ids).await;
    let before = end(true).await.unwrap().unwrap().unwrap();
    assert_eq!((before.number, &before.taught), (1, &taught(&ids[..1])));
    assert_eq!(store.site_models().await.unwrap(), [before]);
    assert_eq!(store.label_ids(news.id).await.unwrap(), ids[..1]);
    // The one before learned of something that was taken back since: then the shipped model alone.
    store.rule(for_spam(&[&records[2]], 3)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    put(&*store, &news, &ids[1..]).await;
    store.unrule(first.decision, moderator(), &Reach::ALL, at(4)).await.unwrap();
    assert_eq!(end(true).await.unwrap(), Some(None));
    assert!(store.label_ids(news.id).await.unwrap().is_empty());
    let changes = store.model_changes(news.id, 1).await.unwrap();
    assert_eq!((changes[0].kind, changes[0].by.as_deref()), (ChangeKind::RolledBackByPerson, Some("mod@example.org")));
}

pub(crate) async fn what_was_out_of_force_before_does_not_come_back(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let one = held(&*store, &news, "c-1").await;
    store.rule(for_spam(&[&one], 1)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    put(&*store, &news, &ids).await;
    let conclusion = Conclusion { force: Force::Base, ..concluded(&*store, &news).await };
    store.conclude(conclusion).await.unwrap();
    assert_eq!(put(&*store, &news, &ids).await, 2);
    let ended = store.site_model_end(news.id, true, "base", moderator(), at(60)).await.unwrap();
    assert_eq!(ended, Some(None), "number 1 was found wanting");
}

pub(crate) async fn where_nothing_is_learned_what_was_taken_back_is_not_kept_for_later(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let one = held(&*store, &news, "c-1").await;
    let ruled = store.rule(for_spam(&[&one], 1)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    let settings = Arc::new(Settings::new(doorward::startup::house(&Config::default()).unwrap()));
    let base = settings.current().classifier.as_ref().unwrap().version().to_owned();
    let start = async |enabled| {
        let config = learning::Config { enabled, ..learning::Config::default() };
        learning::Learning::start(Arc::clone(&store), Arc::clone(&settings), config).await.unwrap()
    };
    // Over a model that is no more: it would be due for ever.
    put(&*store, &news, &ids).await;
    assert_eq!(start(false).await.look(at(60)).await.unwrap(), 1);
    assert_eq!(store.site_models().await.unwrap(), []);
    // Over this one: it stays, until a decision that it learned is taken back.
    let force = || Force::New(base.clone(), taught(&ids));
    store.conclude(Conclusion { force: force(), ..concluded(&*store, &news).await }).await.unwrap();
    let off = start(false).await;
    assert_eq!(off.look(at(61)).await.unwrap(), 0);
    assert_eq!(store.site_models().await.unwrap().len(), 1);
    start(true).await;
    assert_eq!(settings.current().learned.len(), 1, "it answers where sites learn");
    settings.teach(news.id, None);
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(62)).await.unwrap();
    start(true).await;
    assert!(settings.current().learned.is_empty(), "what was taken back answers nowhere, from the start");
    assert_eq!(off.look(at(63)).await.unwrap(), 1);
    assert_eq!(store.site_models().await.unwrap(), []);
    let changes = store.model_changes(news.id, 1).await.unwrap();
    assert_eq!(changes[0].kind, ChangeKind::Relearned);
    assert_eq!(off.look(at(64)).await.unwrap(), 0, "once");
}

/// What one node put in force or took out of force answers on another as soon as that one reads the site again.
pub(crate) async fn what_another_node_learned_answers_here_once_it_is_read(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let one = held(&*store, &news, "c-1").await;
    store.rule(for_spam(&[&one], 1)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    let settings = Arc::new(Settings::new(doorward::startup::house(&Config::default()).unwrap()));
    let here = learning::Learning::start(Arc::clone(&store), Arc::clone(&settings), learning::Config::default());
    let here = here.await.unwrap();
    let version = || settings.current().learned.get(&news.id).map(|learned| learned.version());
    assert_eq!(version(), None);
    let base = settings.current().classifier.as_ref().unwrap().version().to_owned();
    let force = Force::New(base.clone(), taught(&ids));
    store.conclude(Conclusion { force, ..concluded(&*store, &news).await }).await.unwrap();
    assert_eq!(version(), None, "nobody has read it yet");
    here.reload_site(news.id).await.unwrap();
    assert!(version().is_some());
    assert_eq!(store.site_model(news.id).await.unwrap(), store.site_models().await.unwrap().pop());
    store.site_model_end(news.id, false, &base, moderator(), at(60)).await.unwrap();
    here.reload_site(news.id).await.unwrap();
    assert_eq!(version(), None, "a person took it out of force elsewhere");
    assert_eq!(store.site_model(news.id).await.unwrap(), None);
    here.reload().await.unwrap();
    assert_eq!(version(), None);
}

pub(crate) async fn what_was_drawn_waits_and_stays_what_it_was(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    assert!(store.site_webhook_set("news", Some("https://news.example/hooks"), at(0)).await.unwrap());
    let with = |made: Made, rate: f64| {
        let mut made = made;
        made.0.lot = Some(Lot { rate, max_per_day: 9 });
        made
    };
    let drawn = with(Made::new(&news, "c-1"), 1.0).store(&*store).await;
    let rejected = with(Made::new(&news, "c-2").rejected(), 1.0).store(&*store).await;
    let other = with(Made::new(&news, "c-3"), 0.0).store(&*store).await;
    assert_eq!((drawn.status, drawn.waits), (Status::Approved, true));
    assert_eq!((rejected.status, rejected.waits, other.waits), (Status::Rejected, true, false));
    let waiting = |store: Arc<dyn Store>| async move {
        let queue = store.queue(&QueueFilter::default(), QueueSort::Oldest, &first_page(9), at(9)).await.unwrap();
        let items: Vec<String> = queue.items.iter().map(|item| item.record.comment.id.to_string()).collect();
        assert_eq!(queue.held, items.len() as u64);
        items
    };
    assert_eq!(waiting(Arc::clone(&store)).await, ["c-1", "c-2"]);
    let ruled = store.rule(ruling(Action::Approve, &[&drawn, &rejected], 1)).await.unwrap();
    assert_eq!(waiting(Arc::clone(&store)).await, Vec::<String>::new());
    let told = store.outbox_take(news.id, 9, at(100_000), at(100_060)).await.unwrap();
    assert_eq!(told.len(), 1, "only what changed is told");
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(2)).await.unwrap();
    let (drawn, _) = store.comment_find(news.id, &id("c-1")).await.unwrap().unwrap();
    assert_eq!((drawn.status, drawn.waits), (Status::Approved, true), "it waits again");
    let crashed = engine.crashed().await;
    let store = crashed.open().await;
    assert_eq!(waiting(Arc::clone(&store)).await, ["c-1", "c-2"]);
    // An edit that is approved, too, leaves it there; one that is held makes it an ordinary one.
    with(Made::new(&news, "c-1").body("edited").at(5), 0.0).revise(&*store).await.unwrap();
    assert_eq!(waiting(Arc::clone(&store)).await, ["c-1", "c-2"]);
    Made::new(&news, "c-1").body("edited again").held(None, &[], 0.5).at(6).revise(&*store).await.unwrap();
    let agreements = store.agreements().await.unwrap();
    assert_eq!(agreements.iter().map(|one| one.waiting).sum::<u32>(), 1);
}

pub(crate) async fn drawn_verdicts_are_counted_with_what_people_said(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let mut records = Vec::new();
    for name in ["c-1", "c-2", "c-3"] {
        let mut made = Made::new(&news, name);
        made.0.lot = Some(Lot { rate: 1.0, max_per_day: 9 });
        records.push(made.store(&*store).await);
    }
    store.rule(ruling(Action::Approve, &[&records[0]], 1)).await.unwrap();
    let wrong = store.rule(for_spam(&[&records[1]], 2)).await.unwrap();
    let agreement = store.agreements().await.unwrap().remove(0);
    assert_eq!((&*agreement.site, agreement.action, agreement.category.as_deref()), ("news", Action::Approve, None));
    assert_eq!((agreement.waiting, agreement.decided, agreement.overturned), (1, 2, 1));
    assert_eq!(agreement.overturned_as, [("spam".to_owned(), 1)].into());
    store.unrule(wrong.decision, moderator(), &Reach::ALL, at(3)).await.unwrap();
    let agreement = store.agreements().await.unwrap().remove(0);
    assert_eq!((agreement.waiting, agreement.decided, agreement.overturned), (2, 1, 0));
}

pub(crate) async fn what_a_campaign_rejected_is_drawn_and_where_comments_are_closed_nothing(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let mut drawn = Vec::new();
    for (name, cause) in [("c-1", "campaign:rejected"), ("c-2", "mode:closed")] {
        let mut made = Made::new(&news, name).rejected();
        made.0.verdict.category = None;
        made.0.verdict.causes = vec![Cause { id: cause.to_owned(), text: "So it is.".to_owned() }];
        made.0.lot = Some(Lot { rate: 1.0, max_per_day: 9 });
        drawn.push(made.store(&*store).await.waits);
    }
    assert_eq!(drawn, [true, false]);
}

pub(crate) async fn no_more_are_drawn_in_a_day_than_allowed(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let mut drawn = Vec::new();
    for (name, seconds) in [("c-1", 0), ("c-2", 1), ("c-3", 2), ("c-4", 86_400)] {
        let mut made = Made::new(&news, name).at(seconds);
        made.0.lot = Some(Lot { rate: 1.0, max_per_day: 2 });
        drawn.push(made.store(&*store).await.waits);
    }
    assert_eq!(drawn, [true, true, false, true]);
}

pub(crate) async fn deleted_site_takes_what_it_taught_along(engine: &dyn Engine) {
    let (store, news) = started(engine).await;
    let one = held(&*store, &news, "c-1").await;
    store.rule(for_spam(&[&one], 1)).await.unwrap();
    let ids = store.label_ids(news.id).await.unwrap();
    put(&*store, &news, &ids).await;
    assert!(store.site_delete("news", moderator(), at(9)).await.unwrap());
    assert_eq!(store.site_models().await.unwrap(), []);
    assert_eq!((store.label_ids(news.id).await.unwrap(), due(&*store, &news).await), (vec![], None));
    assert!(store.model_changes(news.id, 9).await.unwrap().is_empty());
}

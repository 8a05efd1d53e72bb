//! What people read beside the queue: what the port promises, whichever engine keeps it.

use doorward::domain::decision::Action;
use doorward::domain::people::Reach;
use doorward::domain::reads::NoteRemoval;
use uuid::Uuid;

use crate::made::{Made, at, id, moderator, ruling, site};
use crate::suite::Engine;

pub(crate) async fn note_goes_with_its_author_and_is_taken_away_by_whoever_may(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let ann = id("ann");
    let note = async |by: &str| store.author_note_add(news.id, &ann, "loud", by, at(1)).await.unwrap();
    let (first, second) = (note("a@example.org").await, note("b@example.org").await);
    let remove = async |site, note: Uuid, by: &str, any| {
        store.author_note_remove(site, &ann, note, by, any, at(2)).await.unwrap()
    };
    assert_eq!(remove(news.id, first.id, "b@example.org", false).await, NoteRemoval::NotYours);
    assert_eq!(remove(blog.id, first.id, "a@example.org", true).await, NoteRemoval::Missing, "another site's author");
    assert_eq!(remove(news.id, first.id, "A@example.org", false).await, NoteRemoval::Removed);
    assert_eq!(remove(news.id, first.id, "a@example.org", false).await, NoteRemoval::Missing);
    let seen = store.author_profile(news.id, &ann, &Reach::ALL, at(3)).await.unwrap().notes;
    assert_eq!(seen, [second]);
    assert_eq!(store.author_besides(news.id, &ann).await.unwrap().notes.len(), 1);
    assert_eq!(store.author_erase(news.id, &ann, moderator(), at(4)).await.unwrap().others, 1);
    assert!(store.author_profile(news.id, &ann, &Reach::ALL, at(5)).await.unwrap().notes.is_empty());
}

pub(crate) async fn surroundings_lie_within_the_reach_or_are_none(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let record = Made::new(&news, "c-1").store(&*store).await;
    assert!(store.surroundings(record.uid, &Reach::ALL, true, at(9)).await.unwrap().is_some());
    let elsewhere = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    assert!(store.surroundings(record.uid, &elsewhere, true, at(9)).await.unwrap().is_none());
    assert!(store.surroundings(Uuid::nil(), &Reach::ALL, true, at(9)).await.unwrap().is_none());
}

pub(crate) async fn last_decision_is_the_latest_that_stands_within_the_reach(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let on = |name: &str| Reach { sites: Some(vec![name.to_owned()]), ..Reach::ALL };
    assert_eq!(store.last_decided(&Reach::ALL).await.unwrap(), None);
    let here = Made::new(&news, "c-1").store(&*store).await;
    let there = Made::new(&blog, "c-1").store(&*store).await;
    store.rule(ruling(Action::Reject, &[&here], 10)).await.unwrap();
    let second = store.rule(ruling(Action::Reject, &[&there], 20)).await.unwrap();
    let last = async |reach: &Reach| store.last_decided(reach).await.unwrap();
    assert_eq!((last(&Reach::ALL).await, last(&on("news")).await), (Some(at(20)), Some(at(10))));
    assert_eq!((last(&on("blog")).await, last(&on("other")).await), (Some(at(20)), None));
    store.unrule(second.decision, moderator(), &Reach::ALL, at(30)).await.unwrap();
    assert_eq!((last(&Reach::ALL).await, last(&on("blog")).await), (Some(at(10)), None), "taken back");
}

pub(crate) async fn what_lies_behind_a_comment_lies_within_the_reach(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let first = Made::new(&news, "c-1").body("the first text").store(&*store).await;
    for body in ["the second text", "the third text"] {
        Made::new(&news, "c-1").body(body).revise(&*store).await.unwrap();
    }
    let behind = store.behind(first.uid, &Reach::ALL).await.unwrap().unwrap();
    let earlier: Vec<(u32, &str)> = behind.earlier.iter().map(|one| (one.revision, one.body.as_str())).collect();
    assert_eq!(earlier, [(1, "the first text"), (2, "the second text")]);
    assert_eq!(behind.campaign, None);
    let elsewhere = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    assert!(store.behind(first.uid, &elsewhere).await.unwrap().is_none());
    assert!(store.behind(Uuid::nil(), &Reach::ALL).await.unwrap().is_none());
}

pub(crate) async fn article_is_counted_within_the_reach(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    Made::new(&news, "c-1").store(&*store).await;
    Made::new(&news, "c-2").lang("de").held(None, &[], 0.5).store(&*store).await;
    let rejected = Made::new(&news, "c-3").store(&*store).await;
    store.rule(ruling(Action::Reject, &[&rejected], 3)).await.unwrap();
    Made::new(&news, "c-4").under("a-2").store(&*store).await;
    Made::new(&blog, "c-1").store(&*store).await;
    let count = async |reach: &Reach| {
        let counts = store.article_numbers(news.id, &id("a-1"), reach).await.unwrap().counts;
        (counts.approved, counts.held, counts.rejected, counts.rejected_by_person)
    };
    assert_eq!(count(&Reach::ALL).await, (1, 1, 1, 1));
    assert_eq!(count(&Reach { langs: Some(vec!["de".to_owned()]), ..Reach::ALL }).await, (0, 1, 0, 0));
    assert_eq!(count(&Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL }).await, (0, 0, 0, 0));
}

//! Verdicts read for being counted: all of those that are asked for, once each, with what people said of them, and none besides.

use doorward::domain::decision::{Action, Actor, Cause, DecidedBy};
use doorward::domain::people::Reach;
use doorward::domain::store::Store;
use doorward::domain::truth::{Judged, Wanted};

use crate::made::{Made, at, id, moderator, ruling, site};
use crate::suite::Engine;

fn wanted(since: i64, until: i64) -> Wanted {
    Wanted { since: at(since), until: at(until), most: 100, ..Wanted::default() }
}

/// All pages.
async fn all(store: &dyn Store, wanted: Wanted) -> Vec<Judged> {
    let (mut found, mut next) = (Vec::new(), wanted);
    loop {
        let page = store.verdicts(&next).await.unwrap();
        assert!(page.items.len() <= next.most && page.items.len() <= page.looked_at as usize);
        found.extend(page.items);
        match page.next {
            Some(place) => next.before = Some(place),
            None => return found,
        }
    }
}

pub(crate) async fn verdicts_are_read_latest_first_on_the_sites_and_in_the_time_asked_about(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let mut uids = Vec::new();
    for n in 1..=7 {
        let of = if n % 3 == 0 { &blog } else { &news };
        uids.push(Made::new(of, &format!("c-{n}")).at(n).store(&*store).await.uid);
    }
    store.comment_erase(news.id, &id("c-4"), Actor::Site("news".to_owned()), at(9)).await.unwrap();
    // What another system decided says nothing of these settings.
    let mut imported = Made::new(&news, "c-8").at(6);
    imported.0.verdict.causes.push(Cause { id: "import:wordpress".to_owned(), text: String::new() });
    imported.store(&*store).await;
    let expected = |numbers: &[usize]| numbers.iter().map(|n| uids[n - 1]).collect::<Vec<_>>();
    for most in [1, 2, 100] {
        let found = all(&*store, Wanted { most, ..wanted(0, 100) }).await;
        let found: Vec<_> = found.iter().map(|judged| judged.uid).collect();
        assert_eq!(found, expected(&[7, 6, 5, 3, 2, 1]), "{most} at once");
    }
    let found = all(&*store, wanted(2, 6)).await;
    assert_eq!(found.iter().map(|judged| judged.uid).collect::<Vec<_>>(), expected(&[5, 3, 2]), "before the end");
    let found = all(&*store, Wanted { sites: Some(vec!["blog".to_owned()]), most: 2, ..wanted(0, 100) }).await;
    assert_eq!(found.iter().map(|judged| judged.uid).collect::<Vec<_>>(), expected(&[6, 3]));
    assert!(found.iter().all(|judged| &*judged.site == "blog"));
    let found = all(&*store, Wanted { sites: Some(vec!["other".to_owned()]), ..wanted(0, 100) }).await;
    assert!(found.is_empty());
    let made = Made::new(&news, "c-1").at(1).0;
    let found = all(&*store, wanted(1, 2)).await;
    let [first] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&first.verdict, first.at, first.judged_by), (&made.verdict, at(1), DecidedBy::Policy));
    assert_eq!(first.person, None);
}

pub(crate) async fn verdicts_tell_what_people_decided_while_that_stands(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let held = Made::new(&news, "c-1").held(None, &[], 0.5).at(1).store(&*store).await;
    let wronged = Made::new(&news, "c-2").rejected().at(2).store(&*store).await;
    let plain = Made::new(&news, "c-3").at(3).store(&*store).await;
    Made::new(&news, "c-4").at(4).store(&*store).await;
    let erased = Made::new(&news, "c-5").at(5).store(&*store).await;
    store.rule(ruling(Action::Reject, &[&held], 10)).await.unwrap();
    store.rule(ruling(Action::Approve, &[&wronged], 11)).await.unwrap();
    let undone = store.rule(ruling(Action::Reject, &[&plain], 12)).await.unwrap();
    store.unrule(undone.decision, moderator(), &Reach::ALL, at(13)).await.unwrap();
    store.rule(ruling(Action::Reject, &[&erased], 14)).await.unwrap();
    store.comment_erase(news.id, &id("c-5"), moderator(), at(15)).await.unwrap();
    let words = |found: &[Judged]| found.iter().map(|judged| (judged.uid, judged.person)).collect::<Vec<_>>();
    let found = all(&*store, wanted(0, 100)).await;
    let said = [(plain.uid, None), (wronged.uid, Some(Action::Approve)), (held.uid, Some(Action::Reject))];
    assert_eq!(words(&found[1..]), said, "what was taken back was not said");
    // Those alone that somebody decided about at some time.
    for most in [1, 100] {
        let found = all(&*store, Wanted { decided_only: true, most, ..wanted(0, 100) }).await;
        assert_eq!(words(&found), said, "{most} at once");
    }
    let found = all(&*store, Wanted { decided_only: true, ..wanted(2, 3) }).await;
    assert_eq!(words(&found), said[1..2]);
    // Edited, it is judged anew, and nobody has said anything of that.
    Made::new(&news, "c-1").body("something else").rejected().at(30).revise(&*store).await.unwrap();
    let found = all(&*store, wanted(1, 2)).await;
    assert_eq!((found[0].person, found[0].verdict.action), (None, Action::Reject));
}

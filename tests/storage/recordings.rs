//! What was recorded is read whole, in order, page by page: what a replay leaves out would be a flip that is none.

use doorward::domain::decision::{Action, Actor, DecidedBy, Status};
use doorward::domain::people::Reach;
use doorward::domain::recordings::Recorded;
use doorward::domain::store::{HappeningKind, Store};
use doorward::domain::time::Timestamp;

use crate::made::{Made, at, id, moderator, ruling, site};
use crate::suite::Engine;

async fn all(store: &dyn Store, since: Timestamp, at_once: usize) -> Vec<Recorded> {
    let (mut all, mut place) = (Vec::new(), 0);
    loop {
        let page = store.recorded(since, place, at_once).await.unwrap();
        assert!(page.len() <= at_once);
        let Some(last) = page.last() else { return all };
        place = last.place;
        all.extend(page);
    }
}

fn names(recorded: &[Recorded]) -> Vec<&str> {
    recorded.iter().map(|one| one.revisions[0].comment.id.as_str()).collect()
}

pub(crate) async fn recordings_come_in_order_and_page_by_page_from_all_sites(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    for n in 1..=7 {
        let of = if n % 3 == 0 { &blog } else { &news };
        Made::new(of, &format!("c-{n}")).at(n).store(&*store).await;
    }
    store.comment_erase(news.id, &id("c-4"), Actor::Site("news".to_owned()), at(9)).await.unwrap();
    for at_once in [1, 2, 100] {
        let whole = all(&*store, at(0), at_once).await;
        assert_eq!(names(&whole), ["c-1", "c-2", "c-3", "c-5", "c-6", "c-7"], "{at_once} at once");
        assert_eq!((whole[1].site, whole[2].site), (news.id, blog.id));
    }
    assert_eq!(names(&all(&*store, at(5), 2).await), ["c-5", "c-6", "c-7"]);
    assert!(all(&*store, at(8), 2).await.is_empty());
    let made = Made::new(&news, "c-1").at(1).0;
    let first = &all(&*store, at(0), 1).await[0];
    assert_eq!(first.revisions[0].verdict, made.verdict);
    assert_eq!((&first.revisions[0].comment, first.revisions[0].at), (&made.comment, at(1)));
    assert!(first.happenings.is_empty());
}

pub(crate) async fn recordings_tell_every_revision_and_everything_that_happened(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let held = Made::new(&news, "c-1").held(None, &[], 0.5).at(1).store(&*store).await;
    let plain = Made::new(&news, "c-2").at(2).store(&*store).await;
    let ruled = store.rule(ruling(Action::Reject, &[&held, &plain], 10)).await.unwrap();
    store.unrule(ruled.decision, moderator(), &Reach::ALL, at(20)).await.unwrap();
    Made::new(&news, "c-1").body("something else").rejected().at(30).revise(&*store).await.unwrap();
    let now = store.comment_by_uid(held.uid).await.unwrap().unwrap();
    let last = store.rule(ruling(Action::Approve, &[&now], 40)).await.unwrap();

    let whole = all(&*store, at(0), 10).await;
    let [one, other] = whole.as_slice() else { panic!("{whole:?}") };
    assert_eq!((one.uid, other.uid), (held.uid, plain.uid));
    assert_eq!((one.standing.status, one.standing.by_person), (Status::Approved, true));
    assert_eq!((other.standing.status, other.standing.by_person), (Status::Approved, false));
    let said: Vec<_> = one.revisions.iter().map(|it| (it.status, it.decided_by, it.at)).collect();
    let policy = DecidedBy::Policy;
    assert_eq!(said, [(Status::Held, policy, at(1)), (Status::Rejected, policy, at(30))]);
    assert_eq!(one.revisions[1].comment.body, "something else");
    let happened: Vec<_> = one.happenings.iter().map(|it| (it.kind, it.status, it.decision, it.at)).collect();
    let (first, last) = (Some(ruled.decision), Some(last.decision));
    assert_eq!(
        happened,
        [
            (HappeningKind::Decided, Status::Rejected, first, at(10)),
            (HappeningKind::Undone, Status::Held, first, at(20)),
            (HappeningKind::Edited, Status::Rejected, None, at(30)),
            (HappeningKind::Decided, Status::Approved, last, at(40)),
        ]
    );
    assert_eq!(other.happenings.len(), 2);
}

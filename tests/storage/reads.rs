//! What people read beside the queue: what the port promises, whichever engine keeps it.

use doorward::domain::category::{Category, PerCategory};
use doorward::domain::decision::{Action, Actor};
use doorward::domain::explain::{ChangeKind, WhatIf};
use doorward::domain::figures::{ByStatus, Hour, QueueAges, Waits};
use doorward::domain::people::Reach;
use doorward::domain::readers::{Config, NewReport};
use doorward::domain::reads::{NoteRemoval, ReportsGiven};
use doorward::domain::sanction::{Measure, NewSanction, Target, TargetKind};
use doorward::domain::store::Ruling;
use doorward::domain::trace;
use uuid::Uuid;

use crate::made::{Made, at, id, moderator, ruling, site, verdict};
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

pub(crate) async fn author_is_told_with_everything_that_is_known_on_the_site(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let from = |mut made: Made, ip: &str, email: Option<&str>| {
        made.0.comment.author.ip = Some(ip.parse().unwrap());
        made.0.comment.author.email = email.map(str::to_owned);
        made
    };
    // By a name of the site's own, as the way in traces it.
    let by = |account: &str, name: &str, seconds: i64| {
        let mut made = Made::new(&news, name).author(account).at(seconds);
        made.0.trace.author = trace::account(news.id, &id(account));
        made
    };
    let by_ann = |name: &str, seconds: i64| by("ann", name, seconds);
    from(by_ann("c-1", 1), "192.0.2.1", Some("Ann@example.org")).store(&*store).await;
    let mut second = by_ann("c-2", 2).held(None, &[], 0.5).lang("de");
    second.0.comment.author.name = Some("Annie".to_owned());
    second.store(&*store).await;
    let rejected = by_ann("c-3", 3).store(&*store).await;
    store.rule(ruling(Action::Reject, &[&rejected], 4)).await.unwrap();
    let mut last = by_ann("c-4", 5).lang("de");
    last.0.comment.author.role = Some("subscriber".to_owned());
    last.0.comment.author.registered_at = Some(at(-500));
    last.store(&*store).await;
    let erased = by_ann("c-5", 6).store(&*store).await;
    store.comment_erase(news.id, &erased.comment.id, moderator(), at(7)).await.unwrap();
    // Others: one from the same network, one with the same address for mail, one from elsewhere, and whoever has the name on another site.
    from(by("ben", "d-1", 8), "192.0.2.77", None).store(&*store).await;
    from(by("eve", "d-2", 9).lang("de"), "198.51.100.1", Some("ann@EXAMPLE.org")).store(&*store).await;
    from(by("ida", "d-3", 10), "203.0.113.1", None).store(&*store).await;
    from(Made::new(&blog, "b-1").author("ann").at(11), "192.0.2.1", None).store(&*store).await;
    let appeal = store.appeal_open(news.id, &id("c-3"), Some("Please look again.".to_owned()), at(12)).await.unwrap();
    for (comment, seconds) in [("d-1", 13), ("d-2", 14)] {
        let report = NewReport { reader: id("ann"), category: None, text: None };
        store.report(news.id, &id(comment), report, Config::default(), true, at(seconds)).await.unwrap().unwrap();
    }
    let (seen, _) = store.comment_find(news.id, &id("d-1")).await.unwrap().unwrap();
    store.rule(ruling(Action::Reject, &[&seen], 15)).await.unwrap();

    let told = async |reach: &Reach| store.author_profile(news.id, &id("ann"), reach, at(20)).await.unwrap();
    let ann = told(&Reach::ALL).await;
    let all = ann.numbers.all;
    assert_eq!((all.approved, all.held, all.rejected, all.rejected_by_person), (2, 1, 1, 1));
    assert_eq!((ann.numbers.first_at, ann.numbers.last_at), (Some(at(1)), Some(at(5))));
    assert_eq!((ann.numbers.last_30_days, ann.numbers.goes_further_back), (all, false));
    let names: Vec<(&str, u32)> = ann.names.iter().map(|used| (used.name.as_str(), used.comments)).collect();
    assert_eq!(names, [("Ann", 3), ("Annie", 1)]);
    assert_eq!((ann.role.as_deref(), ann.registered_at), (Some("subscriber"), Some(at(-500))), "as last sent");
    assert_eq!(ann.open_appeals.len(), 1, "{appeal:?}");
    assert_eq!(ann.reports, ReportsGiven { given: 2, open: 1, upheld: 1, dismissed: 0, credited: 1 });
    assert!(ann.sanctions.is_empty());
    let linked = |accounts: &[doorward::domain::reads::LinkedAccount]| {
        let mut linked: Vec<_> = accounts
            .iter()
            .map(|one| (one.author_id.clone(), one.same_network, one.same_email, one.comments, one.numbers.all.total()))
            .collect();
        linked.sort();
        linked
    };
    let (ben, eve) = (("ben".to_owned(), true, false, 1, 1), ("eve".to_owned(), false, true, 1, 1));
    assert_eq!(linked(&ann.linked.accounts), [ben, eve.clone()]);
    assert_eq!((ann.linked.more, ann.linked.outside, ann.linked.looked_at), (0, 0, 7));
    let german = told(&Reach { langs: Some(vec!["de".to_owned()]), ..Reach::ALL }).await;
    assert_eq!((linked(&german.linked.accounts), german.linked.outside), (vec![eve], 1), "others' are counted");
    assert!(german.open_appeals.is_empty());
    let names: Vec<(&str, u32)> = german.names.iter().map(|used| (used.name.as_str(), used.comments)).collect();
    assert_eq!(names, [("Ann", 1), ("Annie", 1)], "names under comments elsewhere are not told");
    let nobody = store.author_profile(blog.id, &id("ben"), &Reach::ALL, at(20)).await.unwrap();
    assert_eq!((nobody.numbers.all.total(), nobody.linked.looked_at), (0, 0));
}

pub(crate) async fn sanctions_of_an_author_are_told_while_they_are_in_force(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    Made::new(&news, "c-1").author("ann").store(&*store).await;
    let told = async |seconds: i64| {
        let profile = store.author_profile(news.id, &id("ann"), &Reach::ALL, at(seconds)).await.unwrap();
        profile.sanctions.iter().map(|sanction| sanction.number).collect::<Vec<_>>()
    };
    let ban = |account: &str, on: &doorward::domain::site::Site| NewSanction {
        site: Some(on.id),
        measure: Measure::Ban,
        kind: TargetKind::Author,
        hash: Target::parse(TargetKind::Author, account, Some(on.id)).unwrap().hash(&store.target_key()),
        hint: account.to_owned(),
        cause: "advertising".to_owned(),
        shadow: false,
        by: moderator(),
        at: at(10),
        expires_at: Some(at(20)),
        also: None,
    };
    let (one, _) = store.sanction_add(ban("ann", &news)).await.unwrap();
    store.sanction_add(ban("ann", &blog)).await.unwrap();
    store.sanction_add(ban("ben", &news)).await.unwrap();
    assert_eq!((told(19).await, told(20).await), (vec![one.number], vec![]));
    store.sanction_lift(one.uid, false, moderator(), at(15), at(15)).await.unwrap().unwrap();
    assert_eq!(told(16).await, Vec::<i64>::new());
}

pub(crate) async fn what_a_change_lets_through_is_told_of_the_latest_within_the_reach(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let hold = PerCategory::from_fn(|category| if category == Category::Spam { 0.13 } else { 0.9 });
    let change = WhatIf::of(&verdict(Action::Hold, Some(Category::Spam), &["shouting"]), hold).unwrap();
    assert_eq!((change.change().kind, change.change().id.as_str()), (ChangeKind::Signal, "shouting"));
    let held = |on, name: &str, signals: &[&str], seconds: i64| {
        Made::new(on, name).held(Some(Category::Spam), signals, 0.5).at(seconds)
    };
    let itself = held(&news, "c-1", &["shouting"], 1).store(&*store).await;
    held(&news, "c-2", &["shouting"], 2).lang("de").store(&*store).await;
    held(&news, "c-3", &["shouting", "link-count"], 3).store(&*store).await;
    let approved = held(&news, "c-4", &["shouting"], 4).store(&*store).await;
    let rejected = held(&news, "c-5", &["shouting"], 5).store(&*store).await;
    Made::new(&news, "c-6").at(6).store(&*store).await;
    held(&blog, "b-1", &["shouting"], 7).store(&*store).await;
    let erased = held(&news, "c-7", &["shouting"], 8).store(&*store).await;
    store.comment_erase(news.id, &erased.comment.id, moderator(), at(9)).await.unwrap();
    store.rule(ruling(Action::Approve, &[&approved], 10)).await.unwrap();
    store.rule(ruling(Action::Reject, &[&rejected], 11)).await.unwrap();
    let told = async |reach: &Reach| {
        let told = store.also_lets_through(&change, itself.uid, reach).await.unwrap();
        let examples: Vec<String> = told.examples.into_iter().map(|seen| seen.id).collect();
        (told.looked_at, told.comments, told.approved_by_people, told.rejected_by_people, examples.join(" "))
    };
    assert_eq!(told(&Reach::ALL).await, (5, 4, 1, 1, "b-1 c-5 c-4 c-2".to_owned()));
    let on = |name: &str| Reach { sites: Some(vec![name.to_owned()]), ..Reach::ALL };
    assert_eq!(told(&on("news")).await, (4, 3, 1, 1, "c-5 c-4 c-2".to_owned()));
    assert_eq!(told(&on("blog")).await, (1, 1, 0, 0, "b-1".to_owned()));
    assert_eq!(told(&on("other")).await, (0, 0, 0, 0, String::new()));
    let german = Reach { langs: Some(vec!["de".to_owned()]), ..on("news") };
    assert_eq!(told(&german).await, (1, 1, 0, 0, "c-2".to_owned()));
}

pub(crate) async fn figures_tell_how_moderation_goes_on_the_sites_asked_about(engine: &dyn Engine) {
    const HOUR: i64 = 3_600;
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    Made::new(&news, "c-0").at(-HOUR).store(&*store).await;
    Made::new(&news, "c-1").at(5).store(&*store).await;
    let held = Made::new(&news, "c-2").held(Some(Category::Spam), &["shouting"], 0.5).at(HOUR).store(&*store).await;
    Made::new(&news, "c-3").rejected().at(HOUR + 1).store(&*store).await;
    Made::new(&blog, "b-1").held(None, &[], 0.5).at(2 * HOUR).store(&*store).await;
    Made::new(&blog, "b-2").held(None, &[], 0.5).at(2 * HOUR + 10).store(&*store).await;
    let by = |who: &str, ruling: Ruling| Ruling { by: Actor::Person(who.to_owned()), ..ruling };
    let first = by("ann@example.org", ruling(Action::Approve, &[&held], HOUR + 400));
    let first = store.rule(first).await.unwrap();
    let second = by("ben@example.org", ruling(Action::Reject, &[&first.applied[0].0], HOUR + 500));
    store.rule(second).await.unwrap();
    let erased = Made::new(&news, "c-4").held(None, &[], 0.5).at(HOUR + 2).store(&*store).await;
    store.comment_erase(news.id, &erased.comment.id, moderator(), at(HOUR + 3)).await.unwrap();

    let now = at(3 * HOUR);
    let told = async |sites: Option<&[String]>| store.figures(sites, at(0), now).await.unwrap();
    let hour = |at_hour: i64, now: [u32; 3], first: [u32; 3]| {
        let counts = |[approved, held, rejected]: [u32; 3]| ByStatus { approved, held, rejected };
        Hour { at: at(at_hour * HOUR), now: counts(now), first: counts(first) }
    };
    let (on_news, on_blog) =
        ([hour(0, [1, 0, 0], [1, 0, 0]), hour(1, [0, 0, 2], [0, 1, 1])], [hour(2, [0, 2, 0], [0, 2, 0])]);
    let all = told(None).await;
    assert_eq!((all.hours, all.is_cut), ([on_news.as_slice(), &on_blog].concat(), false));
    let waiting = QueueAges { waiting: 2, oldest_s: Some(3_600), median_s: Some(3_590), p90_s: Some(3_600) };
    assert_eq!(all.queue, waiting);
    assert_eq!(all.time_to_verdict, Waits { comments: 1, median_s: Some(400), p90_s: Some(400) });
    let shares: Vec<_> = all.signals.iter().map(|one| (one.signal.as_str(), one.approved.n, one.approved.of)).collect();
    assert_eq!((shares, all.decided_looked_at), (vec![("shouting", 0, 1)], 1), "a comment counts once, as it is now");
    assert_eq!((all.agreement.pairs, all.agreement.agreed), (1, 0));
    let news = told(Some(&["news".to_owned()])).await;
    assert_eq!((news.hours, news.queue.waiting, news.decided_looked_at), (on_news.to_vec(), 0, 1));
    let blog = told(Some(&["blog".to_owned()])).await;
    assert_eq!((blog.hours, blog.queue), (on_blog.to_vec(), waiting));
    assert_eq!((blog.decided_looked_at, blog.agreement.pairs, blog.time_to_verdict.comments), (0, 0, 0));
    for none in [vec![], vec!["other".to_owned()]] {
        let none = told(Some(&none)).await;
        assert_eq!((none.hours.len(), none.queue.waiting, none.decided_looked_at), (0, 0, 0));
    }
}

pub(crate) async fn figures_say_when_more_was_decided_than_is_looked_at(engine: &dyn Engine) {
    const COMMENTS: i64 = 100;
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let small = Made::new(&blog, "b-1").held(None, &[], 0.5).store(&*store).await;
    store.rule(ruling(Action::Reject, &[&small], 1)).await.unwrap();
    let mut items = Vec::new();
    for n in 0..COMMENTS {
        items.push(Made::new(&news, &format!("c-{n}")).held(None, &[], 0.5).at(n).store(&*store).await);
    }
    let told = async |name: &str, now: i64| store.figures(Some(&[name.to_owned()]), at(0), at(now)).await.unwrap();
    for round in 0..=COMMENTS {
        if round == COMMENTS {
            let all = told("news", 1_000).await;
            assert_eq!((all.decisions_looked_at, all.decisions_cut), (10_000, false), "these are all");
        }
        let action = if round % 2 == 0 { Action::Approve } else { Action::Reject };
        let ruled = store.rule(ruling(action, &items.iter().collect::<Vec<_>>(), 200 + round)).await.unwrap();
        assert_eq!(i64::try_from(ruled.applied.len()).unwrap(), COMMENTS);
        items = ruled.applied.into_iter().map(|(record, _)| record).collect();
    }
    let (cut, later) = (told("news", 1_000).await, told("news", 1_000 + 8 * 86_400).await);
    assert_eq!((cut.decisions_looked_at, cut.decisions_cut), (10_000, true), "nothing is left out in silence");
    assert_eq!((later.decisions_looked_at, later.decisions_cut), (10_000, false), "nor is it of these days any more");
    let small = told("blog", 1_000).await;
    assert_eq!((small.decisions_looked_at, small.decisions_cut), (1, false), "a site is not hidden by a busier one");
    assert_eq!(small.time_to_verdict.comments, 1);
}

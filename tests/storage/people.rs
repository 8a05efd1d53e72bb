//! What the port promises about people, a person's data and the record of who did what.

use std::net::IpAddr;

use doorward::domain::decision::{Action, Actor, Status};
use doorward::domain::people::{Reach, Role};
use doorward::domain::readers::{Config as Reports, NewReport};
use doorward::domain::sanction::{Measure, NewSanction, Target, TargetKind};
use doorward::domain::store::{
    AuditCheck, AuditEntry, AuditFilter, CommentFilter, KeptBesides, RulingCategory, SecretKind, Store, StoredSecrets,
};

use crate::made::{Made, at, first_page, id, moderator, ruling, site};
use crate::suite::Engine;

fn within(sections: &[&str], langs: &[&str]) -> Reach {
    let list = |names: &[&str]| {
        (!names.is_empty()).then(|| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>())
    };
    Reach { sites: None, sections: list(sections), langs: list(langs) }
}

fn in_section(made: Made, section: &str) -> Made {
    let mut article = made.0.comment.article.clone();
    article.section = Some(section.to_owned());
    made.with_article(article)
}

pub(crate) async fn list_keeps_within_reach(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    in_section(Made::new(&news, "c-1").under("a-1"), "sport").store(&*store).await;
    Made::new(&news, "c-2").under("a-1").store(&*store).await; // its article's section is known by now
    in_section(Made::new(&news, "c-3").under("a-2"), "city").store(&*store).await;
    in_section(Made::new(&news, "c-4").under("a-3"), "sport").lang("de").store(&*store).await;
    Made::new(&news, "c-5").under("a-4").store(&*store).await;
    for (name, reach, expected) in [
        ("everything", Reach::ALL, vec!["c-5", "c-4", "c-3", "c-2", "c-1"]),
        ("a section", within(&["sport"], &[]), vec!["c-4", "c-2", "c-1"]),
        ("a language", within(&[], &["de"]), vec!["c-4"]),
        ("both", within(&["sport"], &["en"]), vec!["c-2", "c-1"]),
        ("nothing", within(&["none"], &[]), vec![]),
    ] {
        let filter = CommentFilter { reach, ..CommentFilter::default() };
        let page = store.comment_list(news.id, &filter, &first_page(50)).await.unwrap();
        let found: Vec<&str> = page.items.iter().map(|record| record.comment.id.as_str()).collect();
        assert_eq!(found, expected, "{name}");
    }
}

pub(crate) async fn tokens_are_listed_without_themselves_and_revoked_by_name(engine: &dyn Engine) {
    let store = engine.open().await;
    for email in ["ada@example.org", "ben@example.org"] {
        store.person_create(email, Role::Moderator, &Reach::ALL, "x", at(0)).await.unwrap();
    }
    let (one, other) = ([0xab; 32], [0xcd; 32]);
    store.token_create("ada@example.org", one, at(1)).await.unwrap();
    store.token_create("ada@example.org", other, at(2)).await.unwrap();
    store.token_create("ben@example.org", [0xef; 32], at(3)).await.unwrap();
    let theirs = store.tokens(Some("ADA@example.org")).await.unwrap();
    let shown: Vec<(&str, &str)> = theirs.iter().map(|token| (token.email.as_str(), token.id.as_str())).collect();
    assert_eq!(shown, [("ada@example.org", "abababababababab"), ("ada@example.org", "cdcdcdcdcdcdcdcd")]);
    assert_eq!(store.tokens(None).await.unwrap().len(), 3);
    for (email, name) in [
        ("ada@example.org", ""),
        ("ada@example.org", "ab"),
        ("ada@example.org", "efef"),
        ("ben@example.org", "abab"),
        ("none@example.org", "abab"),
        ("ada@example.org", "%%%%"),
    ] {
        assert!(!store.token_revoke(email, name, at(4)).await.unwrap(), "{email} {name:?}");
    }
    assert!(store.token_revoke("ada@example.org", "ABABAB", at(4)).await.unwrap());
    assert!(store.token_find(&one).await.unwrap().is_none());
    assert!(store.token_find(&other).await.unwrap().is_some());
    let line = &store.audit_list(&AuditFilter::default(), &first_page(1)).await.unwrap().items[0];
    assert_eq!((line.entry.action.as_str(), line.entry.subject.as_str()), ("token.revoke", "ada@example.org"));
}

pub(crate) async fn changed_person_has_the_new_role_and_reach(engine: &dyn Engine) {
    let store = engine.open().await;
    store.person_create("ada@example.org", Role::Moderator, &Reach::ALL, "x", at(0)).await.unwrap();
    store.token_create("ada@example.org", [1; 32], at(1)).await.unwrap();
    let reach = within(&["sport"], &["en"]);
    assert!(store.person_change("Ada@example.org", Role::Auditor, &reach, at(2)).await.unwrap());
    let person = store.token_find(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((person.role, &person.reach), (Role::Auditor, &reach));
    assert_eq!(store.people().await.unwrap(), [person]);
    assert!(!store.person_change("none@example.org", Role::Admin, &Reach::ALL, at(3)).await.unwrap());
    store.person_disable("ada@example.org", at(4)).await.unwrap();
    assert!(!store.person_change("ada@example.org", Role::Admin, &Reach::ALL, at(5)).await.unwrap());
}

pub(crate) async fn record_of_who_did_what_is_filtered_and_walked(engine: &dyn Engine) {
    let store = engine.open().await;
    let entry = |by: Actor, action: &str, subject: &str, seconds: i64| AuditEntry {
        by,
        action: action.to_owned(),
        subject: subject.to_owned(),
        detail: String::new(),
        at: at(seconds),
    };
    for entry in [
        entry(Actor::Console, "site.create", "news", 0),
        entry(moderator(), "decision", "d-1", 10),
        entry(moderator(), "decision.undo", "d-1", 20),
        entry(Actor::Site("news".to_owned()), "comment.erase", "c-1", 30),
    ] {
        store.audit_note(entry).await.unwrap();
    }
    let filter = AuditFilter::default();
    for (name, filter, expected) in [
        ("all", filter.clone(), vec![4, 3, 2, 1]),
        ("action", AuditFilter { action: Some("decision".to_owned()), ..filter.clone() }, vec![3, 2]),
        ("nothing of LIKE", AuditFilter { action: Some("%".to_owned()), ..filter.clone() }, vec![]),
        ("by", AuditFilter { by: Some("MOD@example.org".to_owned()), ..filter.clone() }, vec![3, 2]),
        ("subject", AuditFilter { subject: Some("news".to_owned()), ..filter.clone() }, vec![1]),
        ("since", AuditFilter { since: Some(at(20)), ..filter.clone() }, vec![4, 3]),
        ("both", AuditFilter { since: Some(at(20)), by: Some("news".to_owned()), ..filter }, vec![4]),
    ] {
        let page = store.audit_list(&filter, &first_page(50)).await.unwrap();
        let numbers: Vec<i64> = page.items.iter().map(|line| line.number).collect();
        assert_eq!(numbers, expected, "{name}");
    }
    let numbers = async |after, most| {
        store.audit_after(after, most).await.unwrap().iter().map(|line| line.number).collect::<Vec<_>>()
    };
    assert_eq!((numbers(0, 2).await, numbers(2, 9).await, numbers(4, 9).await), (vec![1, 2], vec![3, 4], vec![]));
}

pub(crate) async fn record_of_a_time_is_found_and_walked(engine: &dyn Engine) {
    const STEP: i64 = 1_800;
    let store = engine.open().await;
    for step in 0..40 {
        // The clocks of the two that write do not agree.
        let at = at(step * STEP - if step % 2 == 0 { 0 } else { 2_400 });
        let (by, action, subject) = (moderator(), "decision".to_owned(), format!("d-{step}"));
        store.audit_note(AuditEntry { by, action, subject, detail: String::new(), at }).await.unwrap();
    }
    let walk = async |since: Option<i64>, until: Option<i64>| {
        let filter = AuditFilter { since: since.map(at), until: until.map(at), ..AuditFilter::default() };
        let (mut numbers, mut page) = (Vec::new(), first_page(3));
        loop {
            let found = store.audit_list(&filter, &page).await.unwrap();
            numbers.extend(found.items.into_iter().map(|line| line.number));
            page.cursor = found.next_cursor;
            if page.cursor.is_none() {
                return numbers;
            }
        }
    };
    assert_eq!(walk(Some(30 * STEP), Some(34 * STEP)).await, [36, 34, 33, 31]);
    assert_eq!(walk(None, Some(2 * STEP)).await, [4, 2, 1]);
    assert_eq!(walk(Some(38 * STEP), None).await, [39]);
    assert_eq!(walk(Some(100 * STEP), None).await, Vec::<i64>::new());
    assert_eq!(walk(None, Some(-100 * STEP)).await, Vec::<i64>::new());
    assert_eq!(walk(Some(-100 * STEP), Some(100 * STEP)).await.len(), 40);
}

pub(crate) async fn record_holds_every_end_that_it_ever_had(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut ends = Vec::new();
    for name in ["news", "blog", "shop"] {
        site(&*store, name).await;
        let AuditCheck::Whole { head, lines } = store.audit_verify(None).await.unwrap() else { panic!("broken") };
        assert_eq!(lines, ends.len() as u64 + 1);
        ends.push(head);
    }
    let bytes = |hex: &str| {
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        }
        bytes
    };
    for end in &ends {
        let check = store.audit_verify(Some(bytes(end))).await.unwrap();
        assert!(matches!(check, AuditCheck::Whole { lines: 3, .. }), "{check:?}");
    }
    let check = store.audit_verify(Some([7; 32])).await.unwrap();
    assert!(matches!(check, AuditCheck::Another { lines: 3, .. }), "{check:?}");
    store.close().await;
    drop(store);
    let check = engine.open().await.audit_verify(None).await.unwrap();
    assert_eq!(check, AuditCheck::Whole { lines: 3, head: ends[2].clone() });
}

fn report(reader: &str, text: &str) -> NewReport {
    NewReport { reader: id(reader), category: Some(RulingCategory::Abuse), text: Some(text.to_owned()) }
}

fn ban(store: &dyn Store, site: &doorward::domain::site::Site, author: &str, cause: &str) -> NewSanction {
    let target = Target::parse(TargetKind::Author, author, Some(site.id)).unwrap();
    NewSanction {
        site: Some(site.id),
        measure: Measure::Ban,
        kind: target.kind,
        hash: target.hash(&store.target_key()),
        hint: target.hint(),
        cause: cause.to_owned(),
        shadow: false,
        by: moderator(),
        at: at(9),
        expires_at: None,
        also: None,
    }
}

pub(crate) async fn author_is_exported_with_everything_and_erased_with_everything(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let first = Made::new(&news, "c-1").author("ann").body("first thought").store(&*store).await;
    Made::new(&news, "c-1").author("ann").body("second thought").at(5).revise(&*store).await.unwrap();
    let mine = Made::new(&news, "c-2").author("ann").rejected().store(&*store).await;
    let handed_on = Made::new(&news, "c-3").author("ann").store(&*store).await;
    Made::new(&news, "c-3").author("ben").body("now by another").at(6).revise(&*store).await.unwrap();
    let other = Made::new(&news, "c-4").author("ben").store(&*store).await;
    let namesake = Made::new(&blog, "c-1").author("ann").store(&*store).await;
    store.appeal_open(news.id, &id("c-2"), Some("please".to_owned()), at(7)).await.unwrap();
    store.report(news.id, &id("c-4"), report("ann", "rude"), Reports::default(), true, at(8)).await.unwrap();
    store.report(news.id, &id("c-1"), report("ben", "about ann"), Reports::default(), true, at(8)).await.unwrap();
    store.vote(news.id, &id("c-4"), &id("ann"), -1, at(8)).await.unwrap();
    store.sanction_add(ban(&*store, &news, "ann", "again and again")).await.unwrap();
    store.sanction_add(ban(&*store, &news, "ben", "another cause")).await.unwrap();

    let export = store.author_export(news.id, &id("ann"), &first_page(50)).await.unwrap();
    let found: Vec<(&str, usize)> =
        export.items.iter().map(|kept| (kept.record.comment.id.as_str(), kept.earlier.len())).collect();
    assert_eq!(found, [("c-3", 1), ("c-2", 0), ("c-1", 1)]);
    assert_eq!(export.items[2].earlier[0].body, "first thought");
    assert_eq!((export.items[2].history.len(), export.items[2].readers.reports), (2, 1));
    assert_eq!(export.items[1].appeals[0].text.as_deref(), Some("please"));
    let besides = store.author_besides(news.id, &id("ann")).await.unwrap();
    assert_eq!((besides.reports.len(), besides.votes.len(), besides.sanctions.len()), (1, 1, 1));
    assert_eq!((besides.reports[0].comment, besides.reports[0].text.as_deref()), (other.uid, Some("rude")));
    assert_eq!((besides.votes[0].comment, besides.votes[0].value), (other.uid, -1));
    assert_eq!(besides.sanctions[0].cause, "again and again");

    let erased = store.author_erase(news.id, &id("ann"), moderator(), at(10)).await.unwrap();
    let mut uids: Vec<_> = erased.comments.iter().map(|comment| comment.uid).collect();
    uids.sort_unstable();
    let mut expected = vec![first.uid, mine.uid, handed_on.uid];
    expected.sort_unstable();
    assert_eq!((uids, erased.others), (expected, 3));
    assert!(erased.comments.iter().all(|comment| &*comment.place.site == "news"));
    assert!(erased.comments.iter().any(|comment| comment.status == Status::Rejected));
    assert_eq!(store.author_export(news.id, &id("ann"), &first_page(50)).await.unwrap().items, []);
    assert_eq!(store.author_besides(news.id, &id("ann")).await.unwrap(), KeptBesides::default());
    assert_eq!(store.reader_view(other.uid).await.unwrap().reports, 0);
    assert!(store.comment_by_uid(other.uid).await.unwrap().is_some());
    assert!(store.comment_by_uid(namesake.uid).await.unwrap().is_some(), "another site's account of that name");
    assert_eq!(store.author_besides(news.id, &id("ben")).await.unwrap().sanctions.len(), 1);
    let again = store.author_erase(news.id, &id("ann"), moderator(), at(11)).await.unwrap();
    assert_eq!((again.comments.len(), again.others), (0, 0));
}

fn with_addresses(made: Made) -> Made {
    let mut made = made;
    let author = &mut made.0.comment.author;
    author.ip = Some("203.0.113.7".parse::<IpAddr>().unwrap());
    author.email = Some("ann@mail.example".to_owned());
    author.user_agent = Some("Browser/1".to_owned());
    author.url = Some("https://ann.example/".to_owned());
    made.0.comment.referrer = Some("https://elsewhere.example/".to_owned());
    made
}

const DAY: i64 = 86_400;

pub(crate) async fn addresses_are_replaced_in_bounded_steps_once_they_are_old(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    for (name, day) in [("c-1", 0), ("c-2", 1), ("c-3", 2), ("c-4", 40)] {
        with_addresses(Made::new(&news, name).author("ann")).at(day * DAY).store(&*store).await;
    }
    Made::new(&news, "c-1").author("ann").body("an edit").at(DAY).revise(&*store).await.unwrap();
    let step = async || store.addresses_hash(at(11 * DAY), 2, [7; 32]).await.unwrap();
    let steps = [step().await, step().await, step().await];
    assert_eq!(steps.map(|step| step.looked_at), [2, 1, 0], "no more than two at once, and none twice");
    assert_eq!(steps.map(|step| step.replaced), [2, 1, 0]);
    let kept = async |name: &str| {
        let page = store.author_export(news.id, &id("ann"), &first_page(50)).await.unwrap();
        page.items.into_iter().find(|kept| kept.record.comment.id.as_str() == name).unwrap()
    };
    for name in ["c-1", "c-2", "c-3"] {
        let kept = kept(name).await;
        for sent in kept.earlier.iter().chain([&kept.record.comment]) {
            let author = &sent.author;
            assert_eq!((author.ip, &author.email, &author.user_agent, &sent.referrer), (None, &None, &None, &None));
        }
        assert_eq!(kept.record.comment.author.name.as_deref(), Some("Ann"), "what readers see stays");
    }
    assert_eq!(kept("c-2").await.record.comment.author.url.as_deref(), Some("https://ann.example/"));
    assert!(kept("c-4").await.record.comment.author.ip.is_some(), "young enough");
    // Nobody comes by there again, so an edit loses its addresses at once.
    let edit = with_addresses(Made::new(&news, "c-2").author("ann").body("edited late")).at(41 * DAY);
    edit.revise(&*store).await.unwrap();
    let kept = kept("c-2").await;
    assert_eq!((kept.record.comment.author.ip, kept.record.comment.author.email.as_deref()), (None, None));
    assert_eq!(kept.record.comment.body, "edited late");
}

pub(crate) async fn secrets_are_resealed_where_they_are_as_they_were(engine: &dyn Engine) {
    let store = engine.open().await;
    site(&*store, "news").await;
    site(&*store, "blog").await;
    let all = store.all_secrets().await.unwrap();
    let mut anew = all.clone();
    for secrets in &mut anew {
        secrets.inbound = vec![11];
        secrets.webhook = vec![12];
        secrets.akismet = vec![13];
    }
    // Meanwhile somebody rotates a secret of one of them.
    store.site_secret_rotate("news", SecretKind::Inbound, vec![99], at(100), at(1)).await.unwrap();
    let pairs = all.into_iter().zip(anew).collect();
    assert_eq!(store.secrets_reseal(pairs, at(2)).await.unwrap(), 1);
    let news = store.site_secrets("news").await.unwrap().unwrap();
    assert_eq!((news.inbound, news.webhook), (vec![99], vec![2]), "left for the next time");
    let blog = store.site_secrets("blog").await.unwrap().unwrap();
    assert_eq!((blog.inbound, blog.webhook, blog.akismet), (vec![11], vec![12], vec![13]));
}

pub(crate) async fn what_coral_signs_with_is_set_replaced_and_resealed(engine: &dyn Engine) {
    let store = engine.open().await;
    site(&*store, "news").await;
    let now = async || {
        let secrets = store.site_secrets("news").await.unwrap().unwrap();
        (secrets.coral, secrets.coral_before)
    };
    assert_eq!(now().await, (None, None), "Coral makes it: a new site has none");
    assert!(!store.site_secret_rotate("none", SecretKind::Coral, vec![7], at(100), at(1)).await.unwrap());
    assert!(store.site_secret_rotate("news", SecretKind::Coral, vec![7], at(100), at(1)).await.unwrap());
    assert_eq!(now().await, (Some(vec![7]), None));
    assert!(store.site_secret_rotate("news", SecretKind::Coral, vec![8], at(200), at(2)).await.unwrap());
    assert_eq!(now().await, (Some(vec![8]), Some((vec![7], at(200)))));
    let from = store.site_secrets("news").await.unwrap().unwrap();
    let to = StoredSecrets { coral: Some(vec![18]), coral_before: Some((vec![17], at(200))), ..from.clone() };
    assert_eq!(store.secrets_reseal(vec![(from, to)], at(3)).await.unwrap(), 1);
    assert_eq!(now().await, (Some(vec![18]), Some((vec![17], at(200)))));
}

pub(crate) async fn words_about_an_erased_comment_are_gone_from_rulings(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let hers = Made::new(&news, "c-1").author("ann").store(&*store).await;
    let his = Made::new(&news, "c-2").author("ben").store(&*store).await;
    let mut both = ruling(Action::Reject, &[&hers, &his], 5);
    both.reason = Some("Ann again".to_owned());
    both.note = Some("you know her".to_owned());
    store.rule(both).await.unwrap();
    store.author_erase(news.id, &id("ann"), moderator(), at(10)).await.unwrap();
    let history = store.comment_history(his.uid).await.unwrap();
    assert_eq!((&history[1].reason, &history[1].note), (&None, &None));
}

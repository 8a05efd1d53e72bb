//! What the port promises about keeping less: addresses, their key, and whoever was erased and is back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use doorward::domain::decision::{Action, Cause};
use doorward::domain::learning::Lot;
use doorward::domain::outbox::{LetterFilter, Settled};
use doorward::domain::people::Reach;
use doorward::domain::privacy::{AddressesLeft, ErasedAgain, ErasedKind, Erasure};
use doorward::domain::readers::{Config as Reports, NewReport};
use doorward::domain::retention::{Class, Expiry};
use doorward::domain::sanction::{Measure, NewSanction, Target, TargetKind};
use doorward::domain::signal::Outcome;
use doorward::domain::site::SiteId;
use doorward::domain::store::{
    AuditCheck, AuditFilter, CommentFilter, KeptBesides, Ruling, RulingCategory, Store, StoreError,
};
use doorward::domain::trace;
use doorward::storage::Config;
use doorward::storage::postgres::PostgresStore;
use doorward::storage::sqlite::SqliteStore;

use crate::folder::at_one_moment;
use crate::late_node::BEGINS_TO_SERVE;
use crate::made::{Made, appealed, at, first_page, id, moderator, ruling, site, upheld};
use crate::moving::{moved, small};
use crate::postgres::{Schema, skipped};
use crate::suite::Engine;

const KEY: [u8; 32] = [7; 32];
const DAY: i64 = 86_400;

fn from(made: Made, ip: &str) -> Made {
    let mut made = made;
    made.0.comment.author.ip = Some(ip.parse().unwrap());
    if let Some(account) = &made.0.comment.author.id {
        made.0.trace.author = trace::account(made.0.site.id, account); // as the way in traces it
    }
    made
}

fn ban(store: &dyn Store, site: SiteId, author: &str, cause: &str) -> NewSanction {
    let target = Target::parse(TargetKind::Author, author, Some(site)).unwrap();
    NewSanction {
        site: Some(site),
        measure: Measure::Ban,
        kind: target.kind,
        hash: target.hash(&store.target_key()),
        hint: target.hint(),
        cause: cause.to_owned(),
        shadow: false,
        by: moderator(),
        at: at(0),
        expires_at: None,
        also: None,
    }
}

/// Everything that is due, in steps of two.
async fn hash(store: &dyn Store, before: i64, key: [u8; 32]) -> u64 {
    let mut replaced = 0;
    for _ in 0..100 {
        let some = store.addresses_hash(at(before), 2, key).await.unwrap();
        replaced += some.replaced;
        if some.looked_at == 0 {
            return replaced;
        }
    }
    panic!("it comes to no end");
}

pub(crate) async fn addresses_go_from_what_was_written_of_a_comment_when_they_go(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let quoting = |made: Made| {
        let mut made = made.held(None, &["blocklist"], 0.5);
        let verdict = &mut made.0.verdict;
        let hit = verdict.signals.iter_mut().find(|signal| matches!(signal.outcome, Outcome::Hit { .. })).unwrap();
        if let Outcome::Hit { evidence, .. } = &mut hit.outcome {
            *evidence = "On the list: `203.0.113.0/24`.".to_owned();
        }
        let text = "Sanction: ban of a network (/24): spam from 203.0.113.7, ann@mail.example.".to_owned();
        verdict.causes.push(Cause { id: "sanction:x".to_owned(), text });
        made
    };
    // Whoever sends no addresses may have been named by one all the same; an edit leaves the verdict of before behind.
    let first = quoting(Made::new(&news, "c-1").author("ann")).store(&*store).await;
    quoting(Made::new(&news, "c-1").author("ann").body("an edit")).at(1).revise(&*store).await.unwrap();
    let young = quoting(Made::new(&news, "c-2").author("ben")).at(40 * DAY).store(&*store).await;
    let first = store.comment_by_uid(first.uid).await.unwrap().unwrap();
    let said = Ruling {
        reason: Some("203.0.113.7 again.".to_owned()),
        note: Some("as ann@mail.example was told".to_owned()),
        ..ruling(Action::Reject, &[&first], 2)
    };
    store.rule(said).await.unwrap();
    store.sanction_add(ban(&*store, news.id, "ann", "wrote from 2001:db8::1")).await.unwrap();

    assert_eq!(hash(&*store, 11 * DAY, KEY).await, 1);
    let texts = async |uid| {
        let record = store.comment_by_uid(uid).await.unwrap().unwrap();
        let hits = record.verdict.signals.iter().filter_map(|signal| match &signal.outcome {
            Outcome::Hit { evidence, .. } => Some(evidence.clone()),
            _ => None,
        });
        hits.chain(record.verdict.causes.iter().map(|cause| cause.text.clone())).collect::<Vec<_>>()
    };
    let without = ["On the list: `[address]`.", "Sanction: ban of a network (/24): spam from [address], [address]."];
    assert_eq!(texts(first.uid).await, without);
    assert!(texts(young.uid).await[0].contains("203.0.113.0/24"), "young enough");
    let history = store.comment_history(first.uid).await.unwrap();
    let ruled = history.iter().find(|happening| happening.reason.is_some()).unwrap();
    assert_eq!(ruled.reason.as_deref(), Some("[address] again."));
    assert_eq!(ruled.note.as_deref(), Some("as [address] was told"));
    let banned = store.sanctions_active(at(3)).await.unwrap();
    assert_eq!(banned[0].cause, "wrote from [address]");
    assert_eq!(hash(&*store, 11 * DAY, KEY).await, 0, "again changes nothing");
    store.close().await;
}

/// An address for each place where people write, and the evidence that an appeal keeps.
const LATE: [&str; 6] =
    ["203.0.113.71", "ann2@mail.example", "2001:db8::73", "203.0.113.74", "203.0.113.75", "203.0.113.76"];

/// Comments that have lost their addresses, and what people write of them afterwards.
async fn written_late(store: &dyn Store) {
    let news = site(store, "news").await;
    let text = format!("Sanction: spam from IP:{}.", LATE[5]);
    let mut first = Made::new(&news, "c-1").author("ann").rejected();
    first.0.verdict.causes.push(Cause { id: "sanction:x".to_owned(), text });
    first.store(store).await;
    // The appeal keeps the verdict as it was before.
    let appeal = appealed(store, news.id, "c-1", Some("please"), DAY).await;
    assert_eq!(hash(store, 11 * DAY, KEY).await, 1);
    store.appeal_answer(upheld(&appeal, Some(&format!("You wrote from {}", LATE[3])), 20 * DAY)).await.unwrap();
    let record = store.comment_find(news.id, &id("c-1")).await.unwrap().unwrap().0;
    let said = Ruling {
        reason: Some(format!("IP:{} again.", LATE[0])),
        note: Some(format!("as <{}> was told, at {}:443", LATE[1], LATE[2])),
        ..ruling(Action::Approve, &[&record], 21 * DAY)
    };
    store.rule(said).await.unwrap();
    let sanction = ban(store, news.id, "ann", &format!("writes from {}", LATE[4]));
    store.sanction_add(NewSanction { at: at(22 * DAY), ..sanction }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_is_left_in_a_file_of_what_was_written_after_the_comment_lost_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_serving(&Config::sqlite(&folder.path().join("doorward.db"))).unwrap();
    written_late(&store).await;
    let left = || {
        let bytes = at_one_moment(folder.path()).into_values().collect::<Vec<_>>().concat();
        let is_left = |word: &&&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        LATE.iter().filter(is_left).copied().collect::<Vec<_>>()
    };
    // The log, where it may still stand, is emptied in the background.
    let until_left = async |expected: &[&str]| {
        let look = async {
            while left() != expected {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await; // between two looks at the condition
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_mins(1), look).await;
        assert!(waited.is_ok(), "{:?} is left, and not {expected:?}", left());
    };
    until_left(&LATE[..5]).await; // what is looked for can be found; the verdict's went with the comment's
    hash(&store, 30 * DAY, KEY).await;
    until_left(&[]).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_is_left_in_a_database_of_what_was_written_after_the_comment_lost_its_own() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    written_late(&store).await;
    let client = schema.stranger().await;
    let tables =
        "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";
    let left = async || {
        let mut all = String::new();
        for table in client.query(tables, &[]).await.unwrap() {
            let table: String = table.get(0);
            for row in client.query(&format!("SELECT t::text FROM {table} t"), &[]).await.unwrap() {
                all += row.get(0);
            }
        }
        let hex = |word: &str| word.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        LATE.into_iter().filter(|word| all.contains(word) || all.contains(&hex(word))).collect::<Vec<_>>()
    };
    assert_eq!(left().await, LATE[..5], "what is looked for can be found; the verdict's went with the comment's");
    hash(&store, 30 * DAY, KEY).await;
    assert_eq!(left().await, Vec::<&str>::new());
    store.close().await;
}

/// A comment with evidence that names an address.
async fn quoting(store: &dyn Store) {
    let news = site(store, "news").await;
    let mut made = Made::new(&news, "c-1").rejected();
    let text = "Sanction: spam from 203.0.113.7.".to_owned();
    made.0.verdict.causes.push(Cause { id: "sanction:x".to_owned(), text });
    made.store(store).await;
}

async fn quoted(store: &dyn Store) -> String {
    let news = store.sites().await.unwrap().remove(0).id;
    let record = store.comment_find(news, &id("c-1")).await.unwrap().unwrap().0;
    record.verdict.causes[0].text.clone()
}

/// What was there before the migration.
const UNMADE: &str = "DROP INDEX ruling_unclean; DROP INDEX appeal_unclean; DROP INDEX sanction_unclean; \
                      ALTER TABLE ruling DROP COLUMN clean; ALTER TABLE appeal DROP COLUMN clean; ALTER TABLE sanction DROP COLUMN clean;";
const UNMADE_IN_POSTGRES: &str = "ALTER TABLE site DROP COLUMN looked_to;";

/// Versions before schema 15 looked at what was sent, and not at evidence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_that_earlier_versions_left_behind_loses_its_addresses_after_the_upgrade_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    let open = || SqliteStore::open_serving(&Config::sqlite(&file)).unwrap();
    let run = |sql: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    let store = open();
    quoting(&store).await;
    store.close().await;
    drop(store);
    run("INSERT INTO meta (name, value) VALUES ('addresses_hashed_to', x'01000000')");
    let store = open();
    assert_eq!(hash(&store, DAY, KEY).await, 0, "it was passed");
    store.close().await;
    drop(store);
    run(&format!("{UNMADE} {}", include_str!("../../migrations/sqlite/V19__clean_words.sql")));
    let store = open();
    assert_eq!(hash(&store, DAY, KEY).await, 1);
    assert_eq!(quoted(&store).await, "Sanction: spam from [address].");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_that_earlier_versions_left_behind_loses_its_addresses_after_the_upgrade_of_a_database() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    quoting(&store).await;
    let to_the_end = |column: &str| format!("UPDATE site SET {column} = 'ffffffff-ffff-ffff-ffff-ffffffffffff'");
    schema.run(&to_the_end("looked_to")).await;
    assert_eq!(hash(&store, DAY, KEY).await, 0, "it was passed");
    store.close().await;
    let made = include_str!("../../migrations/postgres/V19__clean_words.sql");
    schema.run(&format!("{UNMADE} {UNMADE_IN_POSTGRES} {made}")).await;
    schema.run(&to_the_end("hashed_to")).await; // by the version before, which goes on beside this one until it is stopped
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    assert_eq!(hash(&store, DAY, KEY).await, 1);
    assert_eq!(quoted(&store).await, "Sanction: spam from [address].");
    store.close().await;
}

/// `harm` damages, behind the store's back, the first comment, the first decision, every earlier revision and every appeal.
async fn what_is_damaged_keeps_no_other_address(store: &dyn Store, harm: impl AsyncFn()) {
    let news = site(store, "news").await;
    let written = |name: &str| from(Made::new(&news, name).author("ann"), "203.0.113.7").rejected();
    for (second, name) in [(0, "c-1"), (1, "c-2"), (2, "c-3")] {
        written(name).at(second).store(store).await;
    }
    written("c-3").body("an edit").at(3).revise(store).await.unwrap();
    let appeal = appealed(store, news.id, "c-3", None, 4).await;
    store.appeal_answer(upheld(&appeal, Some("You wrote from 203.0.113.7"), 5)).await.unwrap();
    for (name, second) in [("c-1", 6), ("c-2", 7)] {
        let record = store.comment_find(news.id, &id(name)).await.unwrap().unwrap().0;
        let reason = Some("203.0.113.7 again.".to_owned());
        store.rule(Ruling { reason, ..ruling(Action::Approve, &[&record], second) }).await.unwrap();
    }
    store.sanction_add(ban(store, news.id, "ann", "writes from 203.0.113.7")).await.unwrap();
    harm().await;
    assert_eq!(hash(store, DAY, KEY).await, 2);
    assert_eq!(store.addresses_left().await.unwrap().oldest, None, "nothing is tried for ever");
    for name in ["c-2", "c-3"] {
        let record = store.comment_find(news.id, &id(name)).await.unwrap().unwrap().0;
        assert_eq!(record.comment.author.ip, None, "{name}");
    }
    let second = store.comment_find(news.id, &id("c-2")).await.unwrap().unwrap().0;
    let history = store.comment_history(second.uid).await.unwrap();
    assert!(history.iter().any(|happening| happening.reason.as_deref() == Some("[address] again.")), "{history:?}");
    assert_eq!(store.sanctions_active(at(9)).await.unwrap()[0].cause, "writes from [address]");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_keeps_no_other_address_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    let store = SqliteStore::open_serving(&Config::sqlite(&file)).unwrap();
    let harm = async || {
        harm_file(&file, 1);
        let others = "UPDATE ruling SET b = x'07' WHERE at = (SELECT min(at) FROM ruling); UPDATE revision SET b = x'07'; \
                      UPDATE appeal SET b = x'07'";
        rusqlite::Connection::open(&file).unwrap().execute_batch(others).unwrap();
    };
    what_is_damaged_keeps_no_other_address(&store, harm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_keeps_no_other_address_in_a_database() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    let harm = async || {
        harm_database(&schema, 1).await;
        let others = r"UPDATE ruling SET b = '\x07' WHERE at = (SELECT min(at) FROM ruling); UPDATE revision SET b = '\x07';
                       UPDATE appeal SET b = '\x07'";
        schema.run(others).await;
    };
    what_is_damaged_keeps_no_other_address(&store, harm).await;
}

/// The version before answers appeals beside this one, and leaves the mark as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_by_the_version_before_does_not_keep_its_addresses() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = schema.open().await;
    let news = site(&*store, "news").await;
    Made::new(&news, "c-1").rejected().store(&*store).await;
    store.appeal_open(news.id, &id("c-1"), None, at(1)).await.unwrap();
    hash(&*store, DAY, KEY).await;
    schema.run("UPDATE appeal SET state = 1, answered_at = 2000").await;
    assert_eq!(store.addresses_hash(at(DAY), 2, KEY).await.unwrap().looked_at, 1);
    store.close().await;
}

pub(crate) async fn what_people_write_is_looked_through_once_and_in_bounded_steps(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let record = Made::new(&news, "c-1").at(100 * DAY).store(&*store).await;
    store.rule(ruling(Action::Reject, &[&record], 1)).await.unwrap();
    for n in 0..5 {
        let sanction = ban(&*store, news.id, "ann", &format!("number {n}, from 203.0.113.7"));
        store.sanction_add(NewSanction { at: at(n), ..sanction }).await.unwrap();
    }
    let step = async |before| {
        let some = store.addresses_hash(at(before), 2, KEY).await.unwrap();
        (some.looked_at, some.cleaned, some.replaced)
    };
    assert_eq!([step(4).await, step(4).await, step(4).await], [(2, 1, 0), (2, 2, 0), (1, 1, 0)]);
    assert_eq!(step(4).await, (0, 0, 0), "none twice");
    assert_eq!([step(10).await, step(10).await], [(1, 1, 0), (0, 0, 0)], "and what has grown old since");
    let causes = store.sanctions_active(at(9)).await.unwrap();
    assert!(causes.iter().all(|sanction| sanction.cause.ends_with("from [address]")), "{causes:?}");
    store.close().await;
}

/// `harm` damages what is stored of the comment with that number in order of arrival, behind the store's back.
async fn one_damaged_comment_keeps_no_other_for_good(store: &dyn Store, harm: impl AsyncFn(u32)) {
    let news = site(store, "news").await;
    for (day, name) in [(-100, "rejected"), (-99, "held"), (-98, "edited")] {
        Made::new(&news, name).author("ann").rejected().at(day * DAY).store(store).await;
    }
    harm(1).await;
    let rejected = Expiry { rejected: Some(at(-30 * DAY)), ..Expiry::default() };
    assert_eq!(expire(store, rejected, 0).await, [("edited", Class::Rejected), ("held", Class::Rejected)]);
    assert_eq!(expire(store, rejected, 0).await, [], "it is passed by, and stays for whoever can mend it");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_damaged_comment_keeps_no_other_in_a_file_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    let store = SqliteStore::open_serving(&Config::sqlite(&file)).unwrap();
    one_damaged_comment_keeps_no_other_for_good(&store, async |number| harm_file(&file, number)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_damaged_comment_keeps_no_other_in_a_database_for_good() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    one_damaged_comment_keeps_no_other_for_good(&store, async |number| harm_database(&schema, number).await).await;
}

/// `harm` sets what was said with every decision; `words` is what is left of the first.
async fn a_damaged_decision_keeps_none_of_its_comments(
    store: &dyn Store,
    harm: impl AsyncFn(&'static str),
    words: impl AsyncFn() -> Vec<u8>,
) {
    let news = site(store, "news").await;
    let mut records = Vec::new();
    for (day, name) in [(-100, "rejected"), (-99, "edited"), (-98, "young"), (-97, "decided")] {
        records.push(Made::new(&news, name).author("ann").held(None, &[], 0.5).at(day * DAY).store(store).await);
    }
    let [rejected, edited, young, decided] = &records[..] else { panic!("four") };
    store.rule(ruling(Action::Reject, &[rejected, edited, young], -90 * DAY)).await.unwrap();
    store.rule(ruling(Action::Reject, &[decided], -89 * DAY)).await.unwrap();
    let young = store.comment_by_uid(young.uid).await.unwrap().unwrap();
    store.rule(ruling(Action::Approve, &[&young], -DAY)).await.unwrap();
    let old = Expiry { decided: Some(at(-30 * DAY)), ..Expiry::default() };
    // As a later version would have written it: no damage, and it keeps its own comments and no other.
    harm("02ff776f726473").await;
    assert_eq!(expire(store, old, 0).await, [("decided", Class::Decided)]);
    assert_eq!(words().await, b"\x02\xffwords");
    let refused = store.comment_erase(news.id, &id("rejected"), moderator(), at(1)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "the version that wrote it can: {refused:?}");
    harm("07776f726473").await;
    assert_eq!(expire(store, old, 0).await, [("edited", Class::Decided), ("rejected", Class::Decided)]);
    assert_eq!(words().await, [0; 0], "nobody knows whom they were about");
    assert!(store.comment_erase(news.id, &id("young"), moderator(), at(1)).await.unwrap().is_some(), "nor is a person");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_decision_keeps_none_of_its_comments_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    let store = SqliteStore::open_serving(&Config::sqlite(&file)).unwrap();
    let beside = || rusqlite::Connection::open(&file).unwrap();
    let harm = async |bytes| beside().execute_batch(&format!("UPDATE ruling SET b = x'{bytes}'")).unwrap();
    let first = "SELECT b FROM ruling ORDER BY at LIMIT 1";
    let words = async || beside().query_row(first, [], |row| row.get(0)).unwrap();
    a_damaged_decision_keeps_none_of_its_comments(&store, harm, words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_decision_keeps_none_of_its_comments_in_a_database() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let store = PostgresStore::open(&schema.config()).await.unwrap();
    let harm = async |bytes| schema.run(&format!(r"UPDATE ruling SET b = '\x{bytes}'")).await;
    let first = "SELECT b FROM ruling ORDER BY at LIMIT 1";
    let words = async || schema.stranger().await.query_one(first, &[]).await.unwrap().get(0);
    a_damaged_decision_keeps_none_of_its_comments(&store, harm, words).await;
}

fn harm_file(file: &Path, number: u32) {
    let harm = format!("UPDATE content SET b = x'07' WHERE id = {number}");
    rusqlite::Connection::open(file).unwrap().execute_batch(&harm).unwrap();
}

async fn harm_database(schema: &Schema, number: u32) {
    let nth = format!("SELECT uid FROM comment ORDER BY uid LIMIT 1 OFFSET {}", number - 1);
    schema.run(&format!("UPDATE comment SET b = '\\x07' WHERE uid = ({nth})")).await;
}

/// Everything that is too old, in steps of two; by name, with what became of it.
async fn expire(store: &dyn Store, expiry: Expiry, now: i64) -> Vec<(&'static str, Class)> {
    let (mut gone, mut after) = (Vec::new(), None);
    for _ in 0..100 {
        let some = store.comments_expire(expiry, after, 2, at(now)).await.unwrap();
        assert!(some.looked_at <= 2, "{some:?}");
        for (class, comment) in some.gone {
            assert!(store.comment_by_uid(comment.uid).await.unwrap().is_none());
            assert_eq!(&*comment.place.site, "news");
            let name = NAMES.into_iter().find(|name| **name == *comment.trace.comment_id);
            gone.push((name.unwrap(), class));
        }
        after = some.next;
        if after.is_none() {
            gone.sort_unstable();
            return gone;
        }
    }
    panic!("it comes to no end");
}

const NAMES: [&str; 9] =
    ["approved", "decided", "decided-lately", "drawn", "edited", "held", "rejected", "untold", "young"];

pub(crate) async fn comments_go_by_what_became_of_them_when_they_are_old(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let old = |name: &str| Made::new(&news, name).author("ann").at(-100 * DAY);
    old("approved").store(&*store).await;
    old("rejected").rejected().store(&*store).await;
    old("edited").rejected().store(&*store).await;
    old("edited").body("another").rejected().at(-20 * DAY).revise(&*store).await.unwrap();
    old("held").held(None, &[], 0.5).store(&*store).await;
    for (name, day) in [("decided", -90), ("decided-lately", -50)] {
        let record = old(name).held(None, &[], 0.5).store(&*store).await;
        store.rule(ruling(Action::Reject, &[&record], day * DAY)).await.unwrap();
    }
    old("young").rejected().at(-10 * DAY).store(&*store).await;
    assert_eq!(expire(&*store, Expiry::default(), 0).await, [], "never is the default");
    let rejected = Expiry { rejected: Some(at(-30 * DAY)), decided: Some(at(-60 * DAY)), ..Expiry::default() };
    assert_eq!(expire(&*store, rejected, 0).await, [("decided", Class::Decided), ("rejected", Class::Rejected)]);
    assert_eq!(expire(&*store, rejected, 0).await, [], "again finds nothing");
    let all = Expiry { approved: Some(at(-30 * DAY)), decided: Some(at(-30 * DAY)), ..rejected };
    let crashed = engine.crashed().await;
    let again = crashed.open().await;
    assert_eq!(expire(&*again, all, 0).await, [("approved", Class::Approved), ("decided-lately", Class::Decided)]);
    let left = again.comment_list(news.id, &CommentFilter::default(), &first_page(50)).await.unwrap().items;
    let left: Vec<&str> = left.iter().map(|record| record.comment.id.as_str()).collect();
    assert_eq!(left, ["young", "held", "edited"], "what happened to it since counts, and what waits stays");
    assert_eq!(again.author_export(news.id, &id("ann"), &first_page(50)).await.unwrap().items.len(), 3);
    // Who did what is whole, and says what went; nobody is on the list of the erased, and the name is free.
    assert!(matches!(again.audit_verify(None).await.unwrap(), AuditCheck::Whole { .. }));
    let filter = AuditFilter { action: Some("comments.expire".to_owned()), ..AuditFilter::default() };
    let lines = again.audit_list(&filter, &first_page(50)).await.unwrap().items;
    let told: Vec<&str> = lines.iter().map(|line| line.entry.detail.as_str()).collect();
    assert!(
        told.contains(&"0 approved, 1 rejected, 0 decided") || told.contains(&"0 approved, 1 rejected, 1 decided"),
        "{told:?}"
    );
    assert_eq!(again.erasures(0, 9).await.unwrap(), []);
    old("rejected").store(&*again).await;
    again.close().await;
    store.close().await;
}

pub(crate) async fn comment_that_somebody_has_to_do_with_is_kept_however_old_it_is(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    assert!(store.site_webhook_set("news", Some("https://news.example/hook"), at(0)).await.unwrap());
    let old = |name: &str| Made::new(&news, name).at(-100 * DAY);
    // Its author waits for an answer.
    old("rejected").rejected().store(&*store).await;
    let appeal = appealed(&*store, news.id, "rejected", None, -99 * DAY).await;
    // It stands approved, and somebody is to look at it all the same.
    let mut drawn = old("drawn");
    drawn.0.lot = Some(Lot { rate: 2.0, max_per_day: 10 });
    drawn.store(&*store).await;
    // The site has not heard of it yet.
    let untold = old("untold").held(None, &[], 0.5).store(&*store).await;
    store.rule(ruling(Action::Reject, &[&untold], -99 * DAY)).await.unwrap();
    let all = Expiry { approved: Some(at(-1)), rejected: Some(at(-1)), decided: Some(at(-1)) };
    assert_eq!(expire(&*store, all, 0).await, []);
    store.appeal_answer(upheld(&appeal, None, -98 * DAY)).await.unwrap();
    let drawn = store.comment_find(news.id, &id("drawn")).await.unwrap().unwrap().0;
    store.rule(ruling(Action::Approve, &[&drawn], -98 * DAY)).await.unwrap();
    loop {
        let due = store.outbox_take(news.id, 9, at(0), at(60)).await.unwrap();
        if due.is_empty() {
            break;
        }
        let settled = due.iter().map(|due| (due.attempt(), Settled::Delivered)).collect();
        store.outbox_settle(news.id, settled, at(1)).await.unwrap();
    }
    let gone = [("drawn", Class::Decided), ("rejected", Class::Rejected), ("untold", Class::Decided)];
    assert_eq!(expire(&*store, all, 0).await, gone);
    let told = store.outbox_list(&LetterFilter::default(), &first_page(9)).await.unwrap().items;
    assert!(told.is_empty(), "no site takes its comments down because of it: {told:?}");
    store.close().await;
}

pub(crate) async fn comment_that_grew_too_old_takes_its_labels_along_and_leaves_a_count(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    let mut drawn = Made::new(&news, "drawn").at(-100 * DAY);
    drawn.0.lot = Some(Lot { rate: 2.0, max_per_day: 10 });
    let drawn = drawn.store(&*store).await;
    let spam = Ruling { category: Some(RulingCategory::Spam), ..ruling(Action::Reject, &[&drawn], -99 * DAY) };
    store.rule(spam).await.unwrap();
    assert_eq!(store.label_ids(news.id).await.unwrap().len(), 1);
    let changes = store.labels_due().await.unwrap()[0].changes;
    let decided = Expiry { decided: Some(at(-1)), ..Expiry::default() };
    assert_eq!(expire(&*store, decided, 0).await, [("drawn", Class::Decided)]);
    assert!(store.label_ids(news.id).await.unwrap().is_empty());
    assert!(store.labels_due().await.unwrap()[0].changes > changes, "the site learns anew without it");
    let agreed = store.agreements().await.unwrap();
    assert_eq!((agreed[0].waiting, agreed[0].decided), (0, 1), "that people looked once stays");
    store.close().await;
}

pub(crate) async fn equal_addresses_are_told_to_be_equal_under_one_key_only(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    for (name, author, day) in [("c-1", "ann", 0), ("c-2", "ben", 1), ("c-3", "cat", 30)] {
        from(Made::new(&news, name).author(author), "203.0.113.7").at(day * DAY).store(&*store).await;
    }
    assert_eq!(hash(&*store, 11 * DAY, KEY).await, 2);
    assert_eq!(hash(&*store, 41 * DAY, [8; 32]).await, 1);
    let linked = async |author: &str| {
        let profile = store.author_profile(news.id, &id(author), &Reach::ALL, at(50 * DAY)).await.unwrap();
        profile.linked.accounts.into_iter().map(|account| account.author_id).collect::<Vec<_>>()
    };
    assert_eq!(linked("ann").await, ["ben"]);
    assert_eq!(linked("cat").await, Vec::<String>::new(), "its hash was made under the next key");
    // A late edit brings an address for which nothing stands, and the hash of the one before goes: it would be taken for this one's.
    from(Made::new(&news, "c-2").author("ben").body("edited late"), "198.51.100.1").at(42 * DAY).revise(&*store).await;
    assert_eq!(linked("ann").await, Vec::<String>::new());
    store.close().await;
}

pub(crate) async fn hashing_goes_on_after_a_crash_and_tells_how_far_it_is(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    assert_eq!(store.addresses_left().await.unwrap(), AddressesLeft { oldest: None });
    for day in 0..5 {
        from(Made::new(&news, &format!("c-{day}")), "203.0.113.7").at(day * DAY).store(&*store).await;
    }
    assert_eq!(store.addresses_left().await.unwrap().oldest, Some(at(0)));
    assert_eq!(store.addresses_hash(at(4 * DAY), 2, KEY).await.unwrap().replaced, 2);
    let crashed = engine.crashed().await;
    let again = crashed.open().await;
    assert_eq!(again.addresses_left().await.unwrap().oldest, Some(at(2 * DAY)));
    assert_eq!(hash(&*again, 4 * DAY, KEY).await, 2, "each once");
    assert_eq!(again.addresses_left().await.unwrap().oldest, Some(at(4 * DAY)));
    let page = again.comment_list(news.id, &CommentFilter::default(), &first_page(50)).await.unwrap();
    let with: Vec<&str> = page
        .items
        .iter()
        .filter(|record| record.comment.author.ip.is_some())
        .map(|record| record.comment.id.as_str())
        .collect();
    assert_eq!(with, ["c-4"]);
    again.close().await;
    store.close().await;
}

pub(crate) async fn addresses_in_what_people_wrote_are_told_of_until_they_are_gone(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    Made::new(&news, "c-1").rejected().store(&*store).await;
    let ruled = Made::new(&news, "c-2").rejected().store(&*store).await;
    let left = async || store.addresses_left().await.unwrap().oldest;
    hash(&*store, DAY, KEY).await;
    assert_eq!(left().await, None);
    let appeal = appealed(&*store, news.id, "c-1", None, DAY).await;
    hash(&*store, 9 * DAY, KEY).await;
    assert_eq!(left().await, None, "an appeal that waits for an answer is not late");
    let sanction = ban(&*store, news.id, "ann", "writes from 203.0.113.7");
    store.sanction_add(NewSanction { at: at(12 * DAY), ..sanction }).await.unwrap();
    assert_eq!(left().await, Some(at(12 * DAY)));
    store.appeal_answer(upheld(&appeal, Some("You wrote from 203.0.113.7"), 11 * DAY)).await.unwrap();
    assert_eq!(left().await, Some(at(11 * DAY)));
    store.rule(ruling(Action::Approve, &[&ruled], 10 * DAY)).await.unwrap();
    for oldest in [10, 11, 12] {
        assert_eq!(left().await, Some(at(oldest * DAY)));
        hash(&*store, oldest * DAY + 1, KEY).await;
    }
    assert_eq!(left().await, None);
    store.close().await;
}

pub(crate) async fn of_two_who_replace_the_key_of_addresses_one_is_first(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(store.address_key().await.unwrap(), None);
    assert!(store.address_key_set(None, vec![1, 2, 3]).await.unwrap());
    assert!(!store.address_key_set(None, vec![4]).await.unwrap());
    assert!(!store.address_key_set(Some(vec![9]), vec![4]).await.unwrap());
    assert_eq!(store.address_key().await.unwrap(), Some(vec![1, 2, 3]));
    assert!(store.address_key_set(Some(vec![1, 2, 3]), vec![4]).await.unwrap());
    let crashed = engine.crashed().await.open().await;
    assert_eq!(crashed.address_key().await.unwrap(), Some(vec![4]));
    crashed.close().await;
    assert!(!store.address_key_forget(vec![1, 2, 3]).await.unwrap(), "another one is there by now");
    assert!(store.address_key_forget(vec![4]).await.unwrap() && !store.address_key_forget(vec![4]).await.unwrap());
    assert_eq!(store.address_key().await.unwrap(), None);
    assert!(store.address_key_set(None, vec![5]).await.unwrap(), "it may be needed again");
    store.close().await;
}

/// A file with people in it, and a copy of it from before some of them were erased; and then the list of these.
async fn people_erased_since(folder: &Path) -> (PathBuf, Vec<Erasure>) {
    let (file, copy) = (folder.join("doorward.db"), folder.join("before.db"));
    let open = || -> Arc<dyn Store> { Arc::new(SqliteStore::open_serving(&Config::sqlite(&file)).unwrap()) };
    let store = open();
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    Made::new(&news, "h-1").author("ann").store(&*store).await;
    Made::new(&news, "h-2").author("ann").store(&*store).await;
    Made::new(&news, "h-2").author("ann").body("an edit").at(1).revise(&*store).await.unwrap();
    Made::new(&news, "b-1").author("ben").store(&*store).await;
    Made::new(&news, "b-2").author("ben").store(&*store).await;
    Made::new(&blog, "h-1").author("ann").store(&*store).await;
    Made::new(&news, "alone").store(&*store).await;
    let report = NewReport { reader: id("ann"), category: None, text: Some("rude".to_owned()) };
    store.report(news.id, &id("b-1"), report, Reports::default(), true, at(2)).await.unwrap();
    store.vote(news.id, &id("b-1"), &id("ann"), 1, at(2)).await.unwrap();
    store.sanction_add(ban(&*store, news.id, "ann", "again and again")).await.unwrap();
    store.author_note_add(news.id, &id("ann"), "talks about zeppelins", "mod@example.org", at(3)).await.unwrap();
    store.close().await;
    drop(store);
    std::fs::copy(&file, &copy).unwrap();

    let store = open();
    store.author_erase(news.id, &id("ann"), moderator(), at(10)).await.unwrap();
    store.comment_erase(news.id, &id("alone"), moderator(), at(11)).await.unwrap();
    let list = store.erasures(0, 100).await.unwrap();
    let kinds = |kind| list.iter().filter(|entry| entry.kind == kind).count();
    assert_eq!([ErasedKind::Comment, ErasedKind::Reader, ErasedKind::Target].map(kinds), [3, 1, 1]);
    assert!(list.iter().all(|entry| entry.site == "news" && entry.hash.len() == 16));
    assert_eq!(store.erasures(list[1].number, 2).await.unwrap(), list[2..4], "page by page");
    store.close().await;
    (copy, list)
}

/// That those on the list are gone again from a store that has them back, and nobody else.
async fn are_erased_again(back: &dyn Store, list: &[Erasure]) {
    let sites = back.sites().await.unwrap();
    let of = |name: &str| sites.iter().find(|site| &*site.name == name).unwrap().id;
    let (news, blog) = (of("news"), of("blog"));
    let there = async |site, name: &str| back.comment_find(site, &id(name)).await.unwrap().is_some();
    assert!(there(news, "alone").await && there(news, "h-1").await, "they are back");
    let elsewhere = Erasure { site: "nowhere".to_owned(), ..list[0].clone() };
    let all: Vec<Erasure> = list.iter().cloned().chain([elsewhere]).collect();
    // It was served for a while before anybody had the list: what came of them then, after they had been erased, is none of it.
    let report = |text: &str| NewReport { reader: id("ann"), category: None, text: Some(text.to_owned()) };
    back.report(news, &id("b-2"), report("came back"), Reports::default(), true, at(15)).await.unwrap();
    back.vote(news, &id("b-2"), &id("ann"), 1, at(15)).await.unwrap();
    back.author_note_add(news, &id("ann"), "came back", "mod@example.org", at(15)).await.unwrap();
    back.sanction_add(NewSanction { at: at(15), ..ban(back, news, "ann", "came back") }).await.unwrap();
    let again = back.erase_again(all.clone(), at(20)).await.unwrap();
    assert_eq!((again.unknown, again.comments, again.others), (5, 3, 4), "a report, a vote, a sanction, a note");
    assert!(back.author_export(news, &id("ann"), &first_page(50)).await.unwrap().items.is_empty());
    let KeptBesides { reports, votes, sanctions, notes } = back.author_besides(news, &id("ann")).await.unwrap();
    assert_eq!((reports.len(), votes.len()), (1, 1), "the later ones");
    assert_eq!((reports[0].text.as_deref(), votes[0].at), (Some("came back"), at(15)));
    assert_eq!((sanctions.len(), sanctions[0].cause.as_str()), (1, "came back"));
    assert_eq!(notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), ["came back"]);
    assert!(!there(news, "alone").await);
    assert!(there(news, "b-1").await && there(blog, "h-1").await, "nobody else is touched");
    assert!(matches!(back.audit_verify(None).await.unwrap(), AuditCheck::Whole { .. }));
    // What came since is not what was erased: the same again finds nothing, and takes nothing.
    back.report(news, &id("b-1"), report("new here"), Reports::default(), true, at(21)).await.unwrap();
    assert_eq!(back.erase_again(all, at(22)).await.unwrap(), ErasedAgain::default());
    assert_eq!(back.author_besides(news, &id("ann")).await.unwrap().reports.len(), 2);
    // It is in the next list, too; and goes when no backup can be older.
    assert_eq!(back.erasures(0, 100).await.unwrap().len(), 5);
    assert_eq!(back.erasures_forget(at(11)).await.unwrap(), 2, "but not what was erased again just now");
    assert_eq!(back.erasures(0, 100).await.unwrap().len(), 3);
    back.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_erased_is_erased_again_in_a_file_from_before() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, list) = people_erased_since(folder.path()).await;
    are_erased_again(&SqliteStore::open_serving(&Config::sqlite(&copy)).unwrap(), &list).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_erased_is_erased_again_in_a_database_from_before() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let (copy, list) = people_erased_since(folder.path()).await;
    moved(&copy, &schema, small()).await.unwrap();
    are_erased_again(&PostgresStore::open(&schema.config()).await.unwrap(), &list).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_again_stops_when_a_node_begins_to_serve_and_goes_on_when_it_has_ended() {
    let Some(schema) = Schema::new().await else { return skipped() };
    let folder = tempfile::tempdir().unwrap();
    let (copy, list) = people_erased_since(folder.path()).await;
    moved(&copy, &schema, small()).await.unwrap();
    let back = schema.open().await;
    let news = back.sites().await.unwrap().into_iter().find(|site| &*site.name == "news").unwrap().id;
    let besides = async || {
        let kept = back.author_besides(news, &id("ann")).await.unwrap();
        kept.reports.len() + kept.votes.len() + kept.sanctions.len() + kept.notes.len()
    };
    schema.run(BEGINS_TO_SERVE).await;
    let late = Some("late".to_owned());
    let again = back.erase_again(list.clone(), at(20)).await.unwrap();
    let comments_alone = ErasedAgain { unknown: 5, comments: 3, others: 0, served_by: late.clone() };
    assert_eq!((again, besides().await), (comments_alone, 4), "it stopped after what it was at");
    let again = back.erase_again(list.clone(), at(21)).await.unwrap();
    let nothing = ErasedAgain { unknown: 2, served_by: late.clone(), ..ErasedAgain::default() };
    assert_eq!((again, besides().await), (nothing, 4), "it is still there");
    schema.run("DELETE FROM node").await;
    let again = back.erase_again(list.clone(), at(22)).await.unwrap();
    let the_rest = ErasedAgain { unknown: 2, comments: 0, others: 4, served_by: late };
    assert_eq!((again, besides().await), (the_rest, 0), "whoever begins during the last step is seen as well");
    schema.run("DELETE FROM node").await;
    assert_eq!(back.erase_again(list, at(23)).await.unwrap(), ErasedAgain::default());
    let filter = AuditFilter { action: Some("erasures.apply".to_owned()), ..AuditFilter::default() };
    let lines = back.audit_list(&filter, &first_page(9)).await.unwrap().items;
    let told: Vec<_> = lines.iter().map(|line| &*line.entry.detail).collect();
    assert_eq!(told, ["0 comments, 4 others", "3 comments, stopped"], "each part is on record, the latest first");
    back.close().await;
}

pub(crate) async fn deleted_site_takes_its_list_of_the_erased_along(engine: &dyn Engine) {
    let store = engine.open().await;
    let news = site(&*store, "news").await;
    Made::new(&news, "c-1").store(&*store).await;
    store.comment_erase(news.id, &id("c-1"), moderator(), at(1)).await.unwrap();
    assert_eq!(store.erasures(0, 9).await.unwrap().len(), 1);
    assert!(store.site_delete("news", moderator(), at(2)).await.unwrap());
    assert_eq!(store.erasures(0, 9).await.unwrap(), []);
    store.close().await;
}

//! The record of who did what, changed behind the triggers' back: whatever is done to it, verification finds it and names the line.

use std::path::{Path, PathBuf};

use doorward::domain::decision::Actor;
use doorward::domain::store::{AuditCheck, AuditEntry, Store as _};
use doorward::storage::Config;
use doorward::storage::sqlite::SqliteStore;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use crate::made::{at, moderator};

const LINES: i64 = 9;

/// A database with a record of nine lines.
async fn recorded() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("doorward.db");
    let store = SqliteStore::open(&Config::sqlite(&path)).unwrap();
    for number in 1..=LINES {
        let by = match number % 3 {
            0 => Actor::Console,
            1 => moderator(),
            _ => Actor::Site("news".to_owned()),
        };
        let (action, subject, detail) = ("decision".to_owned(), format!("d-{number}"), "reject 1 comment".to_owned());
        store.audit_note(AuditEntry { by, action, subject, detail, at: at(number) }).await.unwrap();
    }
    store.close().await;
    (folder, path)
}

fn change(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    let triggers = "DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted;";
    connection.execute_batch(triggers).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// Something that leaves a line.
async fn act(path: &Path, moment: i64) {
    let store = SqliteStore::open(&Config::sqlite(path)).unwrap();
    let (action, subject) = ("author.export".to_owned(), "news".to_owned());
    let entry = AuditEntry { by: Actor::Console, action, subject, detail: String::new(), at: at(moment) };
    store.audit_note(entry).await.unwrap();
    store.close().await;
}

async fn verify(path: &Path) -> AuditCheck {
    let store = SqliteStore::open(&Config::sqlite(path)).unwrap();
    let check = store.audit_verify(None).await.unwrap();
    store.close().await;
    check
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_done_to_the_record_is_found() {
    let (_folder, path) = recorded().await;
    assert!(matches!(verify(&path).await, AuditCheck::Whole { lines: 9, .. }));
    let cases: &[(&str, &str, i64)] = &[
        ("number", "UPDATE audit SET id = 20 WHERE id = 9", 9),
        ("moment", "UPDATE audit SET at = at + 1 WHERE id = 4", 4),
        ("kind of actor", "UPDATE audit SET actor = 'console' WHERE id = 4", 4),
        ("name", "UPDATE audit SET name = 'somebody@example.org' WHERE id = 4", 4),
        ("action", "UPDATE audit SET action = 'decision.undo' WHERE id = 4", 4),
        ("subject", "UPDATE audit SET subject = 'd-5' WHERE id = 4", 4),
        ("detail", "UPDATE audit SET detail = 'approve 1 comment' WHERE id = 4", 4),
        ("hash", "UPDATE audit SET chain = zeroblob(32) WHERE id = 4", 4),
        ("hash taken away", "UPDATE audit SET chain = NULL WHERE id = 4", 4),
        ("hashes taken away from the beginning", "UPDATE audit SET chain = NULL WHERE id < 4", 1),
        ("all hashes taken away", "UPDATE audit SET chain = NULL", 1),
        ("text moved between columns", "UPDATE audit SET action = 'decisiond', subject = '-4' WHERE id = 4", 4),
        ("first line changed", "UPDATE audit SET detail = '' WHERE id = 1", 1),
        ("last line changed", "UPDATE audit SET detail = '' WHERE id = 9", 9),
        ("first line dropped", "DELETE FROM audit WHERE id = 1", 1),
        ("line dropped", "DELETE FROM audit WHERE id = 5", 5),
        ("last line dropped", "DELETE FROM audit WHERE id = 9", 9),
        ("several dropped at the end", "DELETE FROM audit WHERE id > 6", 7),
        ("everything dropped", "DELETE FROM audit", 1),
        (
            "line dropped, the rest moved up",
            "DELETE FROM audit WHERE id = 5; UPDATE audit SET id = id - 1 WHERE id > 5",
            5,
        ),
        (
            "two swapped, numbers and hashes in place",
            "CREATE TEMP TABLE t AS SELECT * FROM audit WHERE id IN (4, 5);
             UPDATE audit SET (at, actor, name, action, subject, detail) =
                 (SELECT at, actor, name, action, subject, detail FROM t WHERE t.id = 9 - audit.id) WHERE id IN (4, 5)",
            4,
        ),
        (
            "two swapped whole",
            "UPDATE audit SET id = 99 WHERE id = 4; UPDATE audit SET id = 4 WHERE id = 5; UPDATE audit SET id = 5 WHERE id = 99",
            4,
        ),
        (
            "line added at the end",
            "INSERT INTO audit SELECT 10, at, actor, name, action, subject, detail, chain FROM audit WHERE id = 9",
            10,
        ),
        (
            "line put in between",
            "UPDATE audit SET id = -id - 1 WHERE id > 5; UPDATE audit SET id = -id WHERE id < 0;
             INSERT INTO audit SELECT 6, at, actor, name, action, subject, detail, chain FROM audit WHERE id = 5",
            6,
        ),
        ("the end changed", "UPDATE meta SET value = zeroblob(40) WHERE name = 'audit_head'", 9),
        ("the end cut", "UPDATE meta SET value = x'09' WHERE name = 'audit_head'", 9),
        ("the end taken away", "DELETE FROM meta WHERE name = 'audit_head'", 9),
        (
            "last line and end taken away",
            "DELETE FROM audit WHERE id = 9; DELETE FROM meta WHERE name = 'audit_head'",
            8,
        ),
        ("everything and the end taken away", "DELETE FROM audit; DELETE FROM meta WHERE name = 'audit_head'", 0),
    ];
    for (name, sql, expected) in cases {
        let (_folder, path) = recorded().await;
        change(&path, sql);
        match verify(&path).await {
            AuditCheck::Broken { line, problem } => assert_eq!(line, *expected, "{name}: {problem}"),
            other => panic!("{name}: {other:?}"),
        }
        // The service goes on, and whatever it does must not cover the tracks.
        for later in [50, 51] {
            act(&path, later).await;
            match verify(&path).await {
                AuditCheck::Broken { line, problem } => {
                    assert!((*expected..=later).contains(&line), "{name}: {line} {problem}");
                }
                other => panic!("{name}, and one more line: {other:?}"),
            }
        }
    }
}

/// Numbers of lines that were dropped are not given again, and the gap says which they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_dropped_at_the_end_stays_missing() {
    for (sql, missing) in [("DELETE FROM audit WHERE id > 6", 7), ("DELETE FROM audit", 1)] {
        let (_folder, path) = recorded().await;
        change(&path, sql);
        act(&path, 50).await;
        let check = verify(&path).await;
        assert!(matches!(check, AuditCheck::Broken { line, .. } if line == missing), "{sql}: {check:?}");
        let store = SqliteStore::open(&Config::sqlite(&path)).unwrap();
        let newest = store.audit_after(9, 10).await.unwrap();
        store.close().await;
        assert_eq!(newest.iter().map(|line| line.number).collect::<Vec<_>>(), [LINES + 1], "{sql}");
    }
}

/// Whoever knows how a hash is made can make one line right again, and breaks the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_was_changed_and_hashed_anew_breaks_the_next() {
    let (_folder, path) = recorded().await;
    rehash(&path, 4, 4);
    assert!(matches!(verify(&path).await, AuditCheck::Broken { line: 5, .. }));
}

/// Whoever makes everything anew, the end in `meta` included, leaves a record that is whole: only a head written down elsewhere tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_made_anew_lacks_the_head_that_was_written_down() {
    let (_folder, path) = recorded().await;
    let AuditCheck::Whole { head, .. } = verify(&path).await else { panic!("broken") };
    rehash(&path, 4, LINES);
    assert!(matches!(verify(&path).await, AuditCheck::Whole { lines: 9, .. }));
    let mut known = [0; 32];
    for (at, byte) in known.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&head[2 * at..2 * at + 2], 16).unwrap();
    }
    let store = SqliteStore::open(&Config::sqlite(&path)).unwrap();
    let check = store.audit_verify(Some(known)).await.unwrap();
    store.close().await;
    assert!(matches!(check, AuditCheck::Another { lines: 9, .. }), "{check:?}");
}

/// Changes line `first`, and makes the hashes from there to `last` right again.
fn rehash(path: &Path, first: i64, last: i64) {
    change(path, &format!("UPDATE audit SET subject = 'forged' WHERE id = {first}"));
    let connection = Connection::open(path).unwrap();
    let mut hash: [u8; 32] =
        connection.query_row("SELECT chain FROM audit WHERE id = ?1", [first - 1], |row| row.get(0)).unwrap();
    for number in first..=last {
        let read = "SELECT at, actor, name, action, subject, detail FROM audit WHERE id = ?1";
        let (moment, texts): (i64, Vec<String>) = connection
            .query_row(read, [number], |row| {
                Ok((row.get(0)?, (1..6).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?))
            })
            .unwrap();
        let mut digest = Sha256::new_with_prefix(hash);
        digest.update(number.to_le_bytes());
        digest.update(moment.to_le_bytes());
        for text in &texts {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
        hash = digest.finalize().into();
        connection.execute("UPDATE audit SET chain = ?2 WHERE id = ?1", rusqlite::params![number, hash]).unwrap();
    }
    if last == LINES {
        let head = [&last.to_le_bytes()[..], &hash].concat();
        connection.execute("UPDATE meta SET value = ?1 WHERE name = 'audit_head'", [head]).unwrap();
    }
}

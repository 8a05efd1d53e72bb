//! The record of who did what: written in the transaction of what it records, never changed (a trigger sees to that), and chained as
//! [`chain`] says.
//!
//! One chain means one writer at a time, on all machines together: whoever writes a line holds a lock from then on until its commit.

use tokio_postgres::Row;

use super::cursor::{cursor_of, limit, place_of};
use super::db::{Cells as _, Db, Params};
use super::work::Work;
use crate::domain::store::{
    AuditCheck, AuditEntry, AuditFilter, AuditLine, ListError, Page, PageRequest, Result, StoreError,
};
use crate::domain::time::Timestamp;
use crate::storage::chain::{self, Check, FROM, HEAD, Hash, NOTHING, chained, head_bytes, head_of, hex, names};

const COLUMNS: &str = "id, at, actor, name, action, subject, detail, chain";
const LIST: &str = "audit";

/// Adds lines, right before the commit of what they record.
pub(super) async fn write(work: &Work, entries: &[AuditEntry]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    // Held before anything is read, and not sent together with that: a statement that this connection does not know yet is prepared first, and
    // one that it knows overtakes it. Then what is read is what the holder before committed.
    work.execute("SELECT pg_advisory_xact_lock($1)", &[&work.locks.audit]).await?;
    let last = format!("SELECT {COLUMNS} FROM audit ORDER BY id DESC LIMIT 1");
    let (last, head, from) = tokio::try_join!(work.query_opt(&last, &[]), meta(work, HEAD), meta(work, FROM))?;
    let last = last.as_ref().map(Line::read).transpose()?;
    let (mut number, mut hash, begins) = match (&head, &last) {
        (Some(head), _) => {
            let (number, hash) = head_of(head).unwrap_or((0, NOTHING));
            (number, hash, false)
        }
        // It was taken away: a new one would hide that.
        (None, Some(Line { written: Some(_), .. })) => (0, NOTHING, false),
        (None, _) if from.is_some() => (0, NOTHING, false),
        (None, None) => (0, NOTHING, true),
        (None, Some(line)) => (line.number, unchained(work).await?, true),
    };
    // A line that somebody put there takes a number too: it must not keep others from being written.
    number = number.max(last.map_or(0, |line| line.number));
    let first = number + 1;
    let (mut numbers, mut ats, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    let mut texts: [Vec<String>; 5] = Default::default();
    for entry in entries {
        number += 1;
        let (actor, name) = names(&entry.by);
        // PostgreSQL has no text with a NUL in it.
        let line =
            [actor, name, &entry.action, &entry.subject, &entry.detail].map(|text| text.replace('\0', "\u{fffd}"));
        hash = chained(&hash, number, entry.at, &line.each_ref().map(String::as_str));
        numbers.push(number);
        ats.push(entry.at.as_millis());
        hashes.push(hash.to_vec());
        for (texts, text) in texts.iter_mut().zip(line) {
            texts.push(text);
        }
    }
    let [actors, names, actions, subjects, details] = &texts;
    let write = format!(
        "INSERT INTO audit ({COLUMNS}) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], \
         $7::text[], $8::bytea[])"
    );
    let head = head_bytes(number, &hash);
    let begin = "INSERT INTO meta (name, value) VALUES ($1, $2), ($3, $4) ON CONFLICT (name) DO NOTHING";
    let go_on = "UPDATE meta SET value = $2 WHERE name = $1 AND length(value) = 40";
    let first = first.to_le_bytes().to_vec();
    let moved = async {
        if begins {
            work.execute(begin, &[&FROM, &first, &HEAD, &head]).await
        } else {
            work.execute(go_on, &[&HEAD, &head]).await
        }
    };
    let lines: Params<'_> = &[&numbers, &ats, actors, names, actions, subjects, details, &hashes];
    tokio::try_join!(work.execute(&write, lines), moved)?;
    Ok(())
}

/// A line as stored.
struct Line {
    number: i64,
    at: Timestamp,
    texts: [String; 5],
    written: Option<Hash>,
}

impl Line {
    fn read(row: &Row) -> Result<Self> {
        let written: Option<&[u8]> = row.cell(7)?;
        let damaged = |_| StoreError::Corrupt("a hash in the record of who did what".to_owned());
        Ok(Self {
            number: row.cell(0)?,
            at: Timestamp::from_millis(row.cell(1)?),
            texts: [row.cell(2)?, row.cell(3)?, row.cell(4)?, row.cell(5)?, row.cell(6)?],
            written: written.map(Hash::try_from).transpose().map_err(damaged)?,
        })
    }

    fn texts(&self) -> [&str; 5] {
        self.texts.each_ref().map(String::as_str)
    }

    fn shown(self) -> Result<AuditLine> {
        let [kind, name, action, subject, detail] = self.texts;
        let entry = AuditEntry { by: chain::actor(&kind, name)?, action, subject, detail, at: self.at };
        Ok(AuditLine { number: self.number, entry, hash: self.written.as_ref().map(hex) })
    }
}

/// Lines read at once by whoever goes through all of them.
const STEP: i64 = 5_000;

async fn step(db: &Db, after: i64, most: i64) -> Result<Vec<Line>> {
    let read = format!("SELECT {COLUMNS} FROM audit WHERE id > $1 ORDER BY id LIMIT $2");
    db.query(&read, &[&after, &most]).await?.iter().map(Line::read).collect()
}

/// What the hash of the last line would be, where no line has one.
async fn unchained(db: &Db) -> Result<Hash> {
    let (mut hash, mut last) = (NOTHING, i64::MIN);
    loop {
        let lines = step(db, last, STEP).await?;
        let Some(end) = lines.last() else { return Ok(hash) };
        last = end.number;
        for line in &lines {
            hash = chained(&hash, line.number, line.at, &line.texts());
        }
    }
}

/// Whether every line is there, in its place, and says what it said; and whether `known` was ever the end of them. `db` is a snapshot.
pub(super) async fn verify(db: &Db, known: Option<Hash>) -> Result<AuditCheck> {
    let (head, begun) = tokio::try_join!(meta(db, HEAD), meta(db, FROM))?;
    let mut check = Check::new(known, begun.as_deref());
    let mut last = i64::MIN;
    loop {
        let lines = step(db, last, STEP).await?;
        let Some(end) = lines.last() else { return Ok(check.end(head.as_deref())) };
        last = end.number;
        for line in &lines {
            if let Some(broken) = check.line(line.number, line.at, &line.texts(), line.written) {
                return Ok(broken);
            }
        }
    }
}

async fn meta(db: &Db, name: &str) -> Result<Option<Vec<u8>>> {
    let found = db.query_opt("SELECT value FROM meta WHERE name = $1", &[&name]).await?;
    found.map(|row| row.cell(0)).transpose()
}

/// Lines looked through for one page under a filter. A page that finds little in so many is short, and says where to go on.
const SEARCHED: i64 = 100_000;
/// Lines are in the order of their moments as far as the clocks of those who wrote them agree: so many milliseconds.
const CLOCKS_MS: i64 = 3_600_000;

/// The first line that was written at that moment or later: halving, since no index knows of moments.
async fn line_at(db: &Db, moment: Timestamp) -> Result<i64> {
    let read = "WITH RECURSIVE span (lo, hi) AS (SELECT 1::bigint, (SELECT coalesce(max(id), 0) + 1 FROM audit) UNION ALL \
                SELECT CASE WHEN coalesce((SELECT at FROM audit WHERE id = (lo + hi) / 2), 0) < $1 THEN (lo + hi) / 2 + 1 ELSE lo END, \
                CASE WHEN coalesce((SELECT at FROM audit WHERE id = (lo + hi) / 2), 0) < $1 THEN hi ELSE (lo + hi) / 2 END \
                FROM span WHERE lo < hi) SELECT lo FROM span WHERE lo >= hi";
    db.query_one(read, &[&moment.as_millis()]).await?.cell(0)
}

/// Newest first.
pub(super) async fn list(
    db: &Db,
    filter: &AuditFilter,
    page: &PageRequest,
) -> std::result::Result<Page<AuditLine>, ListError> {
    let below: i64 = match &page.cursor {
        Some(cursor) => place_of(&db.shared, LIST, cursor)?,
        None => i64::MAX,
    };
    let texts = [&filter.action, &filter.by, &filter.subject, &filter.q];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Ok(Page { items: Vec::new(), next_cursor: None }); // no line holds one
    }
    let limit = limit(page);
    let (mut first, mut floor, mut below) = (1, 0, below);
    if *filter != AuditFilter::default() {
        if let Some(since) = filter.since {
            first = line_at(db, since.plus_millis(-CLOCKS_MS)).await?;
        }
        if let Some(until) = filter.until {
            below = below.min(line_at(db, until.plus_millis(CLOCKS_MS)).await?);
        }
        floor = search_floor(db, below).await?.max(first - 1);
    }
    // ASCII letters of either case are the same, which is what the collation "C" makes of `lower`.
    let read = format!(
        "SELECT {COLUMNS} FROM audit WHERE id < $1 AND ($3::text IS NULL OR starts_with(action, $3)) \
         AND ($4::text IS NULL OR lower(name COLLATE \"C\") = lower($4 COLLATE \"C\")) \
         AND ($5::text IS NULL OR lower(subject COLLATE \"C\") = lower($5 COLLATE \"C\")) \
         AND ($6::bigint IS NULL OR at >= $6) AND ($7::bigint IS NULL OR at < $7) \
         AND ($8::text IS NULL OR strpos(lower(subject COLLATE \"C\"), lower($8 COLLATE \"C\")) > 0 \
         OR strpos(lower(detail COLLATE \"C\"), lower($8 COLLATE \"C\")) > 0) AND id > $9 ORDER BY id DESC LIMIT $2"
    );
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let (since, until) = (filter.since.map(Timestamp::as_millis), filter.until.map(Timestamp::as_millis));
    let (action, by, subject, q) = (&filter.action, &filter.by, &filter.subject, &filter.q);
    let rows = db.query(&read, &[&below, &most, action, by, subject, &since, &until, q, &floor]).await?;
    let lines = rows.iter().take(limit).map(Line::read).collect::<Result<Vec<_>>>()?;
    let last = if rows.len() > limit {
        lines.last().map(|line| line.number)
    } else {
        (floor >= first).then_some(floor + 1) // nothing more among those searched
    };
    let items = lines.into_iter().map(Line::shown).collect::<Result<_>>()?;
    Ok(Page { items, next_cursor: last.map(|last| cursor_of(&db.shared, LIST, &last)) })
}

/// The line above which a search stays that goes on below `below`.
async fn search_floor(db: &Db, below: i64) -> Result<i64> {
    let top: i64 = db.query_one("SELECT coalesce(max(id), 0) FROM audit", &[]).await?.cell(0)?;
    Ok((below.min(top + 1) - 1 - SEARCHED).max(0))
}

/// Oldest first.
pub(super) async fn after(db: &Db, number: i64, most: usize) -> Result<Vec<AuditLine>> {
    let lines = step(db, number, i64::try_from(most).unwrap_or(i64::MAX)).await?;
    lines.into_iter().map(Line::shown).collect()
}

//! Automatic verdicts that were drawn for a person: in the commit of the verdict, by a keyed hash that nobody outside can compute.
//!
//! What was drawn lies in the queue beside what is held, with a place by hash among the others. Its status is what it was, and the site hears of
//! it only when a person changes something.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::Row;
use super::writer::Work;
use crate::domain::category::Category;
use crate::domain::decision::{Action, DecidedBy, Status};
use crate::domain::learning::{Agreement, Lot};
use crate::domain::model::ModelOutput;
use crate::domain::store::{Result, Ruling, RulingCategory, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Content};

const DAY_MS: i64 = 86_400_000;

/// Draws for an automatic verdict just given; whether it is to be looked at by a person.
pub(super) fn draw(work: &Work<'_>, row: &Row, content: &Content, lot: Option<Lot>) -> Result<bool> {
    let Some(lot) = lot else { return Ok(false) };
    let status = row.live()?;
    // Where comments are closed all are rejected, whatever they say: nothing to measure. A campaign rejects without a category, too, and is
    // worth measuring.
    let by_mode = content.verdict.causes.iter().any(|cause| cause.id == "mode:closed");
    if status == Status::Held || row.decided_by != DecidedBy::Policy || by_mode {
        return Ok(false);
    }
    let name = format!("{}/{}", content.comment.id, content.hash.0);
    let [chance, _] = work.shared.lots(row.site, &name);
    if chance >= lot.rate || drawn_that_day(work.connection, row, content.at)? >= lot.max_per_day {
        return Ok(false);
    }
    let model = match &content.verdict.model {
        ModelOutput::Scored { version, .. } => version.as_str(),
        ModelOutput::Off | ModelOutput::Unavailable { .. } => "none",
    };
    let write = "INSERT INTO sample (site, comment, at, action, category, model) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    work.connection.prepare_cached(write)?.execute(params![
        row.site.0,
        row.id,
        content.at.as_millis(),
        codec::status_code(status),
        content.verdict.category.map(Category::name),
        model,
    ])?;
    Ok(true)
}

fn drawn_that_day(connection: &Connection, row: &Row, at: Timestamp) -> Result<u32> {
    let day = at.as_millis().div_euclid(DAY_MS) * DAY_MS;
    let read = "SELECT count(*) FROM sample WHERE site = ?1 AND at >= ?2 AND at < ?3";
    Ok(connection.prepare_cached(read)?.query_row(params![row.site.0, day, day + DAY_MS], |row| row.get(0))?)
}

/// Whether a comment waits for a person although it is not held.
pub(super) fn is_open(connection: &Connection, comment: u32) -> Result<bool> {
    let read = "SELECT 1 FROM sample WHERE comment = ?1 AND ruling IS NULL";
    Ok(connection.prepare_cached(read)?.exists([comment])?)
}

/// An edit brought another verdict: what was drawn and not decided is drawn for the new one, if that is automatic too.
pub(super) fn revise(work: &Work<'_>, row: &Row, content: &Content, lot: Option<Lot>) -> Result<()> {
    let was_open = discard(work.connection, row.id)?;
    let forget = "UPDATE sample SET comment = NULL WHERE comment = ?1"; // a decision about the text before
    work.connection.prepare_cached(forget)?.execute([row.id])?;
    let lot = if was_open { Some(Lot { rate: 2.0, max_per_day: u32::MAX }) } else { lot };
    draw(work, row, content, lot)?;
    Ok(())
}

/// A person decided: that is what the sample was drawn for.
pub(super) fn answer(connection: &Connection, row: &Row, ruling: &Ruling, number: i64) -> Result<bool> {
    let write =
        "UPDATE sample SET ruling = ?2, overturned = action <> ?3, ruled_as = ?4 WHERE comment = ?1 AND ruling IS NULL";
    let ruled_as = ruling.category.map(RulingCategory::name);
    let status = codec::status_code(ruling.action.status());
    Ok(connection.prepare_cached(write)?.execute(params![row.id, number, status, ruled_as])? > 0)
}

/// It was decided for something else than what it says, as with all of an author's: that measures nothing.
pub(super) fn discard(connection: &Connection, comment: u32) -> Result<bool> {
    let delete = "DELETE FROM sample WHERE comment = ?1 AND ruling IS NULL";
    Ok(connection.prepare_cached(delete)?.execute([comment])? > 0)
}

/// The decision was taken back: the sample waits again.
pub(super) fn reopen(connection: &Connection, comment: u32, number: i64) -> Result<()> {
    let write =
        "UPDATE sample SET ruling = NULL, overturned = NULL, ruled_as = NULL WHERE comment = ?1 AND ruling = ?2";
    connection.prepare_cached(write)?.execute(params![comment, number])?;
    Ok(())
}

/// The comment is no more. That one was drawn, and what a person said, stays as a count.
pub(super) fn forget(connection: &Connection, comment: u32) -> Result<()> {
    discard(connection, comment)?;
    connection.prepare_cached("UPDATE sample SET comment = NULL WHERE comment = ?1")?.execute([comment])?;
    Ok(())
}

/// How often people agreed.
pub(super) fn agreements(connection: &Connection) -> Result<Vec<Agreement>> {
    let read = "SELECT site.name, action, category, model, count(*) FILTER (WHERE ruling IS NULL), \
                count(*) FILTER (WHERE ruling IS NOT NULL), count(*) FILTER (WHERE overturned), min(sample.at) \
                FROM sample JOIN site ON site.id = sample.site \
                GROUP BY site.name, action, category, model ORDER BY site.name, action, category, min(sample.at)";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (code, since): (i64, i64) = (row.get(1)?, row.get(7)?);
        let mut agreement = Agreement {
            site: row.get(0)?,
            action: action_of(code)?,
            category: row.get(2)?,
            model: row.get(3)?,
            waiting: row.get(4)?,
            decided: row.get(5)?,
            overturned: row.get(6)?,
            overturned_as: std::collections::BTreeMap::new(),
            since: Timestamp::from_millis(since),
        };
        let read = "SELECT coalesce(ruled_as, 'none'), count(*) FROM sample JOIN site ON site.id = sample.site \
                    WHERE site.name = ?1 AND action = ?2 AND category IS ?3 AND model = ?4 AND overturned GROUP BY 1";
        let mut query = connection.prepare_cached(read)?;
        let found = query.query_map(params![agreement.site, code, agreement.category, agreement.model], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        agreement.overturned_as = found.collect::<rusqlite::Result<_>>()?;
        all.push(agreement);
    }
    Ok(all)
}

fn action_of(code: i64) -> Result<Action> {
    match codec::status_of(code)? {
        Some(Status::Approved) => Ok(Action::Approve),
        Some(Status::Rejected) => Ok(Action::Reject),
        Some(Status::Held) | None => Err(StoreError::Corrupt(format!("a sample of status {code}"))),
    }
}

/// Whether a comment is in the queue, held or drawn.
pub(super) fn waits(connection: &Connection, comment: u32) -> Result<bool> {
    let read = "SELECT 1 FROM queue WHERE id = ?1";
    Ok(connection.prepare_cached(read)?.query_row([comment], |_| Ok(())).optional()?.is_some())
}

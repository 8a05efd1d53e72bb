//! What readers say: reports and votes, each once per reader. Counts and records are derived from the rows, never kept beside them.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::SqliteStore;
use super::rows::{self, Row};
use super::shared::Shared;
use super::writer::Work;
use super::{intake, outbox, queue, rulings};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{Actor, DecidedBy, Status};
use crate::domain::readers::{CREDITED_MAX, Config, NewReport, ReaderView, Readers, ReportSeen, Reported, Voted};
use crate::domain::site::SiteId;
use crate::domain::store::{HappeningKind, KeptReport, KeptVote, Result, RulingCategory};
use crate::domain::time::Timestamp;
use crate::storage::codec::Happened;

pub(super) fn report(
    work: &Work<'_>,
    site: SiteId,
    comment: &ExternalId,
    report: &NewReport,
    config: Config,
    strangers: bool,
    at: Timestamp,
) -> Result<Option<Reported>> {
    let Some(row) = find(work, site, comment)? else { return Ok(None) };
    let reader = work.shared.reader(site, report.reader.as_str());
    let (upheld, dismissed) = record(work.connection, &reader, row.id)?;
    let again = "SELECT 1 FROM report WHERE comment = ?1 AND reader = ?2";
    let again = work.connection.prepare_cached(again)?.exists(params![row.id, reader])?;
    let credit = row.status == Some(Status::Approved) && credited(work.connection, row.id)? < CREDITED_MAX;
    // A reader whose earlier report was answered does not open it again by repeating it.
    let write = "INSERT INTO report (comment, reader, category, text, weight, at, credit) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (comment, reader) DO UPDATE SET category = excluded.category, text = excluded.text, at = excluded.at";
    work.connection.prepare_cached(write)?.execute(params![
        row.id,
        reader,
        report.category.map(RulingCategory::name),
        report.text,
        config.weight(upheld, dismissed),
        at.as_millis(),
        credit,
    ])?;
    let view = view(work.connection, row.id)?;
    let by_strangers = !has_trusted(work.connection, row.id)?;
    let mut reported =
        Reported { uid: row.uid(work.shared), view, again, status: row.live()?, held: None, by_strangers };
    if enough(&row, &view, config) && (strangers || !by_strangers) {
        reported.held = Some(hold(work, row, &view, at)?);
        reported.status = Status::Held;
    }
    Ok(Some(reported))
}

/// How many reports on a comment count for their readers when they are upheld. What waits already, or is rejected, is no find: such reports
/// never count.
fn credited(connection: &Connection, comment: u32) -> Result<u32> {
    let read = "SELECT count(*) FROM report WHERE comment = ?1 AND credit";
    Ok(connection.prepare_cached(read)?.query_row([comment], |row| row.get(0))?)
}

/// Whether any open report is of a reader with whom people agreed several times, and more often than not: only those weigh more than one.
fn has_trusted(connection: &Connection, comment: u32) -> Result<bool> {
    let read = "SELECT 1 FROM report WHERE comment = ?1 AND outcome = 0 AND weight > 1.0";
    Ok(connection.prepare_cached(read)?.exists([comment])?)
}

/// What a person approved stays approved: readers who disagree with a moderator are heard, not obeyed.
fn enough(row: &Row, view: &ReaderView, config: Config) -> bool {
    row.status == Some(Status::Approved)
        && row.decided_by != DecidedBy::Person
        && config.hold_at > 0.0
        && view.weight >= config.hold_at
}

fn hold(
    work: &Work<'_>,
    mut row: Row,
    view: &ReaderView,
    at: Timestamp,
) -> Result<(Box<crate::domain::decision::Record>, Box<crate::domain::trace::Trace>)> {
    intake::update_row(work.connection, &mut row, Status::Held, DecidedBy::Rule, at)?;
    let mut content = rows::content(work.connection, row.id)?;
    content.priority = content.priority.max(view.urgency());
    queue::replace(work, &row, &content, at)?;
    let by = Actor::Site(work.shared.site_name(work.connection, row.site)?.to_string());
    let happened = Happened { kind: HappeningKind::Reported, status: Status::Held, decided_by: DecidedBy::Rule, by };
    rulings::note_happening(work.connection, &row, at, None, &happened)?;
    outbox::tell_status(work, &row, None, at)?;
    Ok((Box::new(rows::load(work.connection, work.shared, &row)?), Box::new(row.trace()?)))
}

/// The place in the queue of a comment that waits because readers reported it; `None` when that is not why. An edit is no answer to them.
pub(super) fn waits_for_answer(connection: &Connection, row: &Row) -> Result<Option<f64>> {
    if row.status != Some(Status::Held) || row.decided_by != DecidedBy::Rule {
        return Ok(None);
    }
    let view = view(connection, row.id)?;
    Ok((view.reports > 0).then(|| view.urgency()))
}

pub(super) fn vote(
    work: &Work<'_>,
    site: SiteId,
    comment: &ExternalId,
    reader: &ExternalId,
    value: i8,
    at: Timestamp,
) -> Result<Option<Voted>> {
    let Some(row) = find(work, site, comment)? else { return Ok(None) };
    let reader = work.shared.reader(site, reader.as_str());
    let again = "SELECT 1 FROM vote WHERE comment = ?1 AND reader = ?2";
    let again = work.connection.prepare_cached(again)?.exists(params![row.id, reader])?;
    if value == 0 {
        let delete = "DELETE FROM vote WHERE comment = ?1 AND reader = ?2";
        work.connection.prepare_cached(delete)?.execute(params![row.id, reader])?;
    } else {
        let write = "INSERT INTO vote (comment, reader, value, at) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (comment, reader) DO UPDATE SET value = excluded.value, at = excluded.at";
        work.connection.prepare_cached(write)?.execute(params![row.id, reader, value.signum(), at.as_millis()])?;
    }
    Ok(Some(Voted { view: view(work.connection, row.id)?, again }))
}

pub(super) fn view_of(connection: &Connection, shared: &Shared, uid: Uuid) -> Result<ReaderView> {
    rows::by_uid(connection, shared, uid)?.map_or_else(|| Ok(ReaderView::default()), |row| view(connection, row.id))
}

/// A person has decided: open reports on the comment were right or wrong.
pub(super) fn answer(connection: &Connection, comment: u32, status: Status) -> Result<()> {
    let outcome = if status == Status::Rejected { 1 } else { 2 };
    let write = "UPDATE report SET outcome = ?2 WHERE comment = ?1";
    connection.prepare_cached(write)?.execute(params![comment, outcome])?;
    Ok(())
}

/// The person's decision was taken back: the reports are open again.
pub(super) fn reopen(connection: &Connection, comment: u32) -> Result<()> {
    connection.prepare_cached("UPDATE report SET outcome = 0 WHERE comment = ?1")?.execute([comment])?;
    Ok(())
}

/// Forgets what readers said of a comment.
pub(super) fn forget(connection: &Connection, comment: u32) -> Result<()> {
    for table in ["DELETE FROM report WHERE comment = ?1", "DELETE FROM vote WHERE comment = ?1"] {
        connection.prepare_cached(table)?.execute([comment])?;
    }
    Ok(())
}

/// What a reader said, for that reader.
pub(super) fn kept(
    connection: &Connection,
    shared: &Shared,
    reader: &[u8; 16],
) -> Result<(Vec<KeptReport>, Vec<KeptVote>)> {
    let name = |comment: u32| -> Result<Option<Uuid>> {
        Ok(rows::row(connection, comment)?.filter(|row| row.status.is_some()).map(|row| row.uid(shared)))
    };
    let (mut reports, mut votes) = (Vec::new(), Vec::new());
    let mut query = connection
        .prepare_cached("SELECT comment, category, text, at FROM report WHERE reader = ?1 ORDER BY comment")?;
    let mut rows = query.query([reader])?;
    while let Some(row) = rows.next()? {
        if let Some(comment) = name(row.get(0)?)? {
            let at = Timestamp::from_millis(row.get(3)?);
            reports.push(KeptReport { comment, category: row.get(1)?, text: row.get(2)?, at });
        }
    }
    let mut query =
        connection.prepare_cached("SELECT comment, value, at FROM vote WHERE reader = ?1 ORDER BY comment")?;
    let mut rows = query.query([reader])?;
    while let Some(row) = rows.next()? {
        if let Some(comment) = name(row.get(0)?)? {
            votes.push(KeptVote { comment, value: row.get(1)?, at: Timestamp::from_millis(row.get(2)?) });
        }
    }
    Ok((reports, votes))
}

/// Forgets what a reader said.
pub(super) fn forget_reader(connection: &Connection, reader: &[u8; 16]) -> Result<u64> {
    let mut forgotten = 0;
    for table in ["DELETE FROM report WHERE reader = ?1", "DELETE FROM vote WHERE reader = ?1"] {
        forgotten += connection.prepare_cached(table)?.execute([reader])?;
    }
    Ok(forgotten as u64)
}

fn find(work: &Work<'_>, site: SiteId, comment: &ExternalId) -> Result<Option<Row>> {
    let candidates = work.rows(work.shared.hasher.id(site, comment.as_str()));
    Ok(rows::find(work.connection, &candidates, site, comment.as_str())?.map(|(row, _)| row))
}

/// How often people agreed with a reader where that counts, and how often they did not; on other comments than `comment`.
fn record(connection: &Connection, reader: &[u8; 16], comment: u32) -> Result<(u32, u32)> {
    let read = "SELECT count(*) FILTER (WHERE outcome = 1 AND credit), count(*) FILTER (WHERE outcome = 2) FROM report \
                WHERE reader = ?1 AND comment <> ?2";
    let mut query = connection.prepare_cached(read)?;
    Ok(query.query_row(params![reader, comment], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The latest reports that nobody has answered, at most `most`.
pub(super) fn open(connection: &Connection, comment: u32, most: u32) -> Result<Vec<ReportSeen>> {
    let read =
        "SELECT category, text, at, weight FROM report WHERE comment = ?1 AND outcome = 0 ORDER BY at DESC LIMIT ?2";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query([comment, most])?;
    let mut reports = Vec::new();
    while let Some(row) = rows.next()? {
        let category: Option<String> = row.get(0)?;
        let category = category.map(|name| RulingCategory::stored(&name)).transpose()?;
        let at = Timestamp::from_millis(row.get(2)?);
        reports.push(ReportSeen { category, text: row.get(1)?, weight: row.get(3)?, at });
    }
    Ok(reports)
}

/// What waits and has open reports.
pub(super) fn waiting(connection: &Connection) -> Result<HashSet<u32>> {
    let read = "SELECT id FROM queue WHERE EXISTS (SELECT 1 FROM report WHERE comment = queue.id AND outcome = 0)";
    Ok(connection.prepare_cached(read)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn view(connection: &Connection, comment: u32) -> Result<ReaderView> {
    let read = "SELECT r.n, r.weight, v.up, v.down FROM \
                (SELECT count(*) n, coalesce(sum(weight), 0.0) weight FROM report WHERE comment = ?1 AND outcome = 0) r, \
                (SELECT count(*) FILTER (WHERE value > 0) up, count(*) FILTER (WHERE value < 0) down FROM vote WHERE comment = ?1) v";
    let view = |row: &rusqlite::Row<'_>| {
        Ok(ReaderView { reports: row.get(0)?, weight: row.get(1)?, up: row.get(2)?, down: row.get(3)? })
    };
    Ok(connection.prepare_cached(read)?.query_row([comment], view)?)
}

#[async_trait]
impl Readers for SqliteStore {
    async fn report(
        &self,
        site: SiteId,
        comment: &ExternalId,
        new: NewReport,
        config: Config,
        strangers: bool,
        at: Timestamp,
    ) -> Result<Option<Reported>> {
        self.must_serve()?;
        let comment = comment.clone();
        self.writer.run(move |work| report(work, site, &comment, &new, config, strangers, at)).await
    }

    async fn vote(
        &self,
        site: SiteId,
        comment: &ExternalId,
        reader: &ExternalId,
        value: i8,
        at: Timestamp,
    ) -> Result<Option<Voted>> {
        self.must_serve()?;
        let (comment, reader) = (comment.clone(), reader.clone());
        self.writer.run(move |work| vote(work, site, &comment, &reader, value, at)).await
    }

    async fn reader_view(&self, comment: Uuid) -> Result<ReaderView> {
        let shared = Arc::clone(&self.shared);
        self.readers.ask(move |connection| view_of(connection, &shared, comment)).await
    }
}

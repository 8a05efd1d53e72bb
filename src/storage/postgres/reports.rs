//! What readers say: reports and votes, each once per reader. Counts and records are derived from the rows, never kept beside them.

use async_trait::async_trait;
use futures_util::future::try_join;
use tokio_postgres::Row as Cell;
use uuid::Uuid;

use super::batch::Keys;
use super::db::{Cells as _, Db, number};
use super::rows::{self, Row};
use super::work::{Work, transact};
use super::{PostgresStore, intake, outbox, queue, rulings};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{Actor, DecidedBy, Record, Status};
use crate::domain::readers::{CREDITED_MAX, Config, NewReport, ReaderView, Readers, Reported, Voted};
use crate::domain::site::SiteId;
use crate::domain::store::{HappeningKind, KeptReport, KeptVote, Result, RulingCategory, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::Happened;

async fn report(
    work: &Work,
    site: SiteId,
    comment: &ExternalId,
    report: &NewReport,
    config: Config,
    strangers: bool,
    at: Timestamp,
) -> Result<Option<Reported>> {
    let Some(row) = rows::find_locked(work, site, comment.as_str()).await? else { return Ok(None) };
    let reader = work.reader(site, report.reader.as_str());
    let (record, said) = try_join(record(work, site, &reader, row.uid), said(work, &row, &reader)).await?;
    let credit = row.status == Status::Approved && said.credited < i64::from(CREDITED_MAX);
    // A reader whose earlier report was answered does not open it again by repeating it.
    let write = "INSERT INTO report (site, comment, reader, category, text, weight, at, credit) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                 ON CONFLICT (site, comment, reader) \
                 DO UPDATE SET category = excluded.category, text = excluded.text, at = excluded.at";
    let (category, weight) = (report.category.map(RulingCategory::name), config.weight(record.0, record.1));
    work.execute(
        write,
        &[&number(site), &row.uid, &reader.as_slice(), &category, &report.text, &weight, &at.as_millis(), &credit],
    )
    .await?;
    let (view, by_strangers) = try_join(view(work, site, row.uid), has_only_strangers(work, site, row.uid)).await?;
    let mut reported = Reported { uid: row.uid, view, again: said.again, status: row.status, held: None, by_strangers };
    if enough(&row, &view, config) && (strangers || !by_strangers) {
        reported.held = Some(hold(work, row, &view, at).await?);
        reported.status = Status::Held;
    }
    Ok(Some(reported))
}

/// What was said of a comment before.
struct Said {
    /// Whether by this reader.
    again: bool,
    /// How many reports on it count for their readers when they are upheld. What waits already, or is rejected, is no find: such reports never
    /// count.
    credited: i64,
}

async fn said(db: &Db, row: &Row, reader: &[u8; 16]) -> Result<Said> {
    let read = "SELECT coalesce(bool_or(reader = $3), false), count(*) FILTER (WHERE credit) \
                FROM report WHERE site = $1 AND comment = $2";
    let found = db.query_one(read, &[&number(row.site), &row.uid, &reader.as_slice()]).await?;
    Ok(Said { again: found.cell(0)?, credited: found.cell(1)? })
}

/// Whether no open report is of a reader with whom people agreed several times, and more often than not: only those weigh more than one.
async fn has_only_strangers(db: &Db, site: SiteId, comment: Uuid) -> Result<bool> {
    let read = "SELECT 1 FROM report WHERE site = $1 AND comment = $2 AND outcome = 0 AND weight > 1.0 LIMIT 1";
    Ok(!db.exists(read, &[&number(site), &comment]).await?)
}

/// What a person approved stays approved: readers who disagree with a moderator are heard, not obeyed.
fn enough(row: &Row, view: &ReaderView, config: Config) -> bool {
    row.status == Status::Approved
        && row.decided_by != DecidedBy::Person
        && config.hold_at > 0.0
        && view.weight >= config.hold_at
}

async fn hold(work: &Work, mut row: Row, view: &ReaderView, at: Timestamp) -> Result<(Box<Record>, Box<Trace>)> {
    intake::update_row(work, &mut row, Status::Held, DecidedBy::Rule, at).await?;
    let mut content = row.content()?;
    content.priority = content.priority.max(view.urgency());
    queue::replace(work, &row, &content, at).await?;
    let by = Actor::Site(work.site_name(work, row.site).await?.to_string());
    let happened = Happened { kind: HappeningKind::Reported, status: Status::Held, decided_by: DecidedBy::Rule, by };
    rulings::note_happening(work, &row, at, None, &happened).await?;
    outbox::tell_status(work, &row, None, at).await?;
    Ok((Box::new(rows::load(work, &row).await?), Box::new(row.trace()?)))
}

/// The place in the queue of a comment that waits because readers reported it; `None` when that is not why. An edit is no answer to them.
pub(super) async fn waits_for_answer(db: &Db, row: &Row) -> Result<Option<f64>> {
    if row.status != Status::Held || row.decided_by != DecidedBy::Rule {
        return Ok(None);
    }
    let view = view(db, row.site, row.uid).await?;
    Ok((view.reports > 0).then(|| view.urgency()))
}

async fn vote(
    work: &Work,
    site: SiteId,
    comment: &ExternalId,
    reader: &ExternalId,
    value: i8,
    at: Timestamp,
) -> Result<Option<Voted>> {
    // Votes on one comment do not wait for each other; erasing it waits for them, and they for that.
    let read = "SELECT c.uid FROM comment_name n JOIN comment c ON c.site = n.site AND c.uid = n.comment \
                WHERE n.site = $1 AND n.name = $2 FOR KEY SHARE OF c";
    let Some(found) = work.query_opt(read, &[&number(site), &comment.as_str()]).await? else { return Ok(None) };
    let uid: Uuid = found.cell(0)?;
    let reader = work.reader(site, reader.as_str());
    let again = "SELECT 1 FROM vote WHERE site = $1 AND comment = $2 AND reader = $3";
    let again = work.exists(again, &[&number(site), &uid, &reader.as_slice()]).await?;
    if value == 0 {
        let delete = "DELETE FROM vote WHERE site = $1 AND comment = $2 AND reader = $3";
        work.execute(delete, &[&number(site), &uid, &reader.as_slice()]).await?;
    } else {
        let write = "INSERT INTO vote (site, comment, reader, value, at) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (site, comment, reader) DO UPDATE SET value = excluded.value, at = excluded.at";
        let value = i16::from(value.signum());
        work.execute(write, &[&number(site), &uid, &reader.as_slice(), &value, &at.as_millis()]).await?;
    }
    Ok(Some(Voted { view: view(work, site, uid).await?, again }))
}

/// What becomes of reports when a person decides, as a column holds it.
pub(super) const fn outcome(status: Status) -> i16 {
    match status {
        Status::Rejected => 1,
        Status::Approved | Status::Held => 2,
    }
}

/// Reports that nobody has answered, or whose answer was taken back.
pub(super) const OPEN: i16 = 0;

/// A person has decided, or that was taken back: what becomes of the reports on each of `keys`.
pub(super) async fn answer(work: &Work, keys: &Keys, outcomes: &[i16]) -> Result<()> {
    let write = "UPDATE report r SET outcome = k.outcome FROM unnest($1::int4[], $2::uuid[], $3::int2[]) k (site, comment, outcome) \
                 WHERE r.site = k.site AND r.comment = k.comment AND r.outcome <> k.outcome";
    work.execute(write, &[&keys.sites, &keys.comments, &outcomes]).await?;
    Ok(())
}

/// Forgets what readers said of a comment.
pub(super) async fn forget(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    for table in
        ["DELETE FROM report WHERE site = $1 AND comment = $2", "DELETE FROM vote WHERE site = $1 AND comment = $2"]
    {
        work.execute(table, &[&number(site), &comment]).await?;
    }
    Ok(())
}

/// What a reader said, for that reader.
pub(super) async fn kept(db: &Db, site: SiteId, reader: &[u8; 16]) -> Result<(Vec<KeptReport>, Vec<KeptVote>)> {
    let of_reports = "SELECT comment, category, text, at FROM report WHERE site = $1 AND reader = $2 ORDER BY comment";
    let of_votes = "SELECT comment, value, at FROM vote WHERE site = $1 AND reader = $2 ORDER BY comment";
    let reader = reader.as_slice();
    let (reports, votes) =
        try_join(db.query(of_reports, &[&number(site), &reader]), db.query(of_votes, &[&number(site), &reader]))
            .await?;
    let report = |row: &Cell| {
        let at = Timestamp::from_millis(row.cell(3)?);
        Ok(KeptReport { comment: row.cell(0)?, category: row.cell(1)?, text: row.cell(2)?, at })
    };
    let vote = |row: &Cell| {
        let value = i8::try_from(row.cell::<i16>(1)?).map_err(|_| StoreError::Corrupt("a vote's value".to_owned()))?;
        Ok(KeptVote { comment: row.cell(0)?, value, at: Timestamp::from_millis(row.cell(2)?) })
    };
    Ok((reports.iter().map(report).collect::<Result<_>>()?, votes.iter().map(vote).collect::<Result<_>>()?))
}

/// Forgets what a reader said.
pub(super) async fn forget_reader(work: &Work, site: SiteId, reader: &[u8; 16], until: Timestamp) -> Result<u64> {
    let mut forgotten = 0;
    for table in ["report", "vote"] {
        let delete = format!("DELETE FROM {table} WHERE site = $1 AND reader = $2 AND at <= $3");
        forgotten += work.execute(&delete, &[&number(site), &reader.as_slice(), &until.as_millis()]).await?;
    }
    Ok(forgotten)
}

/// How often people agreed with a reader where that counts, and how often they did not; on other comments than `comment`.
async fn record(db: &Db, site: SiteId, reader: &[u8; 16], comment: Uuid) -> Result<(u32, u32)> {
    let read = "SELECT count(*) FILTER (WHERE outcome = 1 AND credit), count(*) FILTER (WHERE outcome = 2) FROM report \
                WHERE site = $1 AND reader = $2 AND comment <> $3";
    let found = db.query_one(read, &[&number(site), &reader.as_slice(), &comment]).await?;
    Ok((count(&found, 0)?, count(&found, 1)?))
}

fn count(row: &Cell, at: usize) -> Result<u32> {
    Ok(u32::try_from(row.cell::<i64>(at)?).unwrap_or(u32::MAX))
}

/// How readers see a comment.
pub(super) async fn view(db: &Db, site: SiteId, comment: Uuid) -> Result<ReaderView> {
    let read = "SELECT r.reports, r.weight, v.up, v.down FROM \
                (SELECT count(*) AS reports, coalesce(sum(weight), 0.0) AS weight FROM report \
                WHERE site = $1 AND comment = $2 AND outcome = 0) r, \
                (SELECT count(*) FILTER (WHERE value > 0) AS up, count(*) FILTER (WHERE value < 0) AS down FROM vote \
                WHERE site = $1 AND comment = $2) v";
    let found = db.query_one(read, &[&number(site), &comment]).await?;
    Ok(ReaderView {
        reports: count(&found, 0)?,
        weight: found.cell(1)?,
        up: count(&found, 2)?,
        down: count(&found, 3)?,
    })
}

#[async_trait]
impl Readers for PostgresStore {
    async fn report(
        &self,
        site: SiteId,
        comment: &ExternalId,
        new: NewReport,
        config: Config,
        strangers: bool,
        at: Timestamp,
    ) -> Result<Option<Reported>> {
        transact!(self, work => report(&work, site, comment, &new, config, strangers, at).await)
    }

    async fn vote(
        &self,
        site: SiteId,
        comment: &ExternalId,
        reader: &ExternalId,
        value: i8,
        at: Timestamp,
    ) -> Result<Option<Voted>> {
        transact!(self, work => vote(&work, site, comment, reader, value, at).await)
    }

    async fn reader_view(&self, comment: Uuid) -> Result<ReaderView> {
        let db = self.db().await?;
        match rows::by_uid(&db, comment).await? {
            Some(row) => view(&db, row.site, row.uid).await,
            None => Ok(ReaderView::default()),
        }
    }
}

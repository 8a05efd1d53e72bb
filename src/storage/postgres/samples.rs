//! Automatic verdicts that were drawn for a person: in the commit of the verdict, by a keyed hash that nobody outside can compute.
//!
//! What was drawn lies in the queue beside what is held, with a place by hash among the others. Its status is what it was, and the site hears of
//! it only when a person changes something.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::future::try_join;
use uuid::Uuid;

use super::batch::{Keys, status_code};
use super::db::{Cells as _, Db, number};
use super::rows::Row;
use super::work::Work;
use crate::domain::category::Category;
use crate::domain::decision::{Action, DecidedBy, Status};
use crate::domain::learning::{Agreement, Lot};
use crate::domain::model::ModelOutput;
use crate::domain::site::SiteId;
use crate::domain::store::{Result, Ruling, RulingCategory, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Content};

const DAY_MS: i64 = 86_400_000;

/// Draws for an automatic verdict just given; whether it is to be looked at by a person. What several nodes draw at the very same moment may
/// be one more each than a day's bound: whoever counts does not see what others have not committed.
pub(super) async fn draw(work: &Work, row: &Row, content: &Content, lot: Option<Lot>) -> Result<bool> {
    let Some(lot) = lot else { return Ok(false) };
    // Where comments are closed all are rejected, whatever they say: nothing to measure. A campaign rejects without a category, too, and is
    // worth measuring.
    let by_mode = content.verdict.causes.iter().any(|cause| cause.id == "mode:closed");
    if row.status == Status::Held || row.decided_by != DecidedBy::Policy || by_mode {
        return Ok(false);
    }
    let [chance, _] = lots(work, row, content);
    if chance >= lot.rate {
        return Ok(false);
    }
    let model = match &content.verdict.model {
        ModelOutput::Scored { version, .. } => version.as_str(),
        ModelOutput::Off | ModelOutput::Unavailable { .. } => "none",
    };
    let day = content.at.as_millis().div_euclid(DAY_MS) * DAY_MS;
    let write = "INSERT INTO sample (site, comment, at, action, category, model) SELECT $1::int4, $2::uuid, $3::int8, $4::int2, $5::text, $6::text \
                 WHERE (SELECT count(*) FROM sample WHERE site = $1 AND at >= $7 AND at < $8) < $9";
    let (at, category) = (content.at.as_millis(), content.verdict.category.map(Category::name));
    let (until, most) = (day + DAY_MS, i64::from(lot.max_per_day));
    let drawn = work
        .execute(
            write,
            &[&number(row.site), &row.uid, &at, &status_code(row.status), &category, &model, &day, &until, &most],
        )
        .await?;
    Ok(drawn > 0)
}

fn lots(db: &Db, row: &Row, content: &Content) -> [f64; 2] {
    db.lots(row.site, &format!("{}/{}", content.comment.id, content.hash.0))
}

/// An edit brought another verdict: what was drawn and not decided is drawn for the new one, if that is automatic too.
pub(super) async fn revise(work: &Work, row: &Row, content: &Content, lot: Option<Lot>) -> Result<()> {
    let was_open = discard(work, &Keys::of([row])).await?;
    let forget = "UPDATE sample SET comment = NULL WHERE site = $1 AND comment = $2"; // a decision about the text before
    work.execute(forget, &[&number(row.site), &row.uid]).await?;
    let lot = if was_open { Some(Lot { rate: 2.0, max_per_day: u32::MAX }) } else { lot };
    draw(work, row, content, lot).await?;
    Ok(())
}

/// A person decided: that is what samples were drawn for. Answers the comments of which one was.
pub(super) async fn answer(work: &Work, keys: &Keys, ruling: &Ruling, decision: Uuid) -> Result<HashSet<Uuid>> {
    let write = "UPDATE sample s SET ruling = $3, overturned = s.action <> $4, ruled_as = $5 \
                 FROM unnest($1::int4[], $2::uuid[]) k (site, comment) \
                 WHERE s.site = k.site AND s.comment = k.comment AND s.ruling IS NULL RETURNING s.comment";
    let ruled_as = ruling.category.map(RulingCategory::name);
    let status = status_code(ruling.action.status());
    let answered = work.query(write, &[&keys.sites, &keys.comments, &decision, &status, &ruled_as]).await?;
    answered.iter().map(|row| row.cell(0)).collect()
}

/// They were decided for something else than what they say, as with all of an author's: that measures nothing.
pub(super) async fn discard(work: &Work, keys: &Keys) -> Result<bool> {
    let delete = "DELETE FROM sample s USING unnest($1::int4[], $2::uuid[]) k (site, comment) \
                  WHERE s.site = k.site AND s.comment = k.comment AND s.ruling IS NULL";
    Ok(work.execute(delete, &[&keys.sites, &keys.comments]).await? > 0)
}

/// The decision was taken back: the samples wait again.
pub(super) async fn reopen(work: &Work, keys: &Keys, decision: Uuid) -> Result<()> {
    let write = "UPDATE sample s SET ruling = NULL, overturned = NULL, ruled_as = NULL \
                 FROM unnest($1::int4[], $2::uuid[]) k (site, comment) \
                 WHERE s.site = k.site AND s.comment = k.comment AND s.ruling = $3";
    work.execute(write, &[&keys.sites, &keys.comments, &decision]).await?;
    Ok(())
}

/// The comment is no more. That one was drawn, and what a person said, stays as a count.
pub(super) async fn forget(work: &Work, row: &Row) -> Result<()> {
    discard(work, &Keys::of([row])).await?;
    let write = "UPDATE sample SET comment = NULL WHERE site = $1 AND comment = $2";
    work.execute(write, &[&number(row.site), &row.uid]).await?;
    Ok(())
}

/// How often people agreed.
pub(super) async fn agreements(db: &Db) -> Result<Vec<Agreement>> {
    let read = "SELECT s.name, a.action, a.category, a.model, count(*) FILTER (WHERE ruling IS NULL), \
                count(*) FILTER (WHERE ruling IS NOT NULL), count(*) FILTER (WHERE overturned), min(a.at) \
                FROM sample a JOIN site s ON s.id = a.site GROUP BY s.name, a.action, a.category, a.model \
                ORDER BY s.name COLLATE \"C\", a.action, a.category COLLATE \"C\" NULLS FIRST, min(a.at)";
    let read_as = "SELECT s.name, a.action, a.category, a.model, coalesce(a.ruled_as, 'none'), count(*) \
                   FROM sample a JOIN site s ON s.id = a.site WHERE a.overturned \
                   GROUP BY s.name, a.action, a.category, a.model, coalesce(a.ruled_as, 'none')";
    let (rows, rows_as) = try_join(db.query(read, &[]), db.query(read_as, &[])).await?;
    let mut overturned: HashMap<Kind, BTreeMap<String, u32>> = HashMap::new();
    for row in &rows_as {
        overturned.entry(kind_of(row)?).or_default().insert(row.cell(4)?, count(row, 5)?);
    }
    let agreement = |row: &tokio_postgres::Row| {
        let kind = kind_of(row)?;
        let overturned_as = overturned.remove(&kind).unwrap_or_default();
        let (site, action, category, model) = kind;
        Ok(Agreement {
            site,
            action: action_of(action)?,
            category,
            model,
            waiting: count(row, 4)?,
            decided: count(row, 5)?,
            overturned: count(row, 6)?,
            overturned_as,
            since: Timestamp::from_millis(row.cell(7)?),
        })
    };
    rows.iter().map(agreement).collect()
}

/// What is counted together: site, action, category, model.
type Kind = (String, i16, Option<String>, String);

fn kind_of(row: &tokio_postgres::Row) -> Result<Kind> {
    Ok((row.cell(0)?, row.cell(1)?, row.cell(2)?, row.cell(3)?))
}

fn count(row: &tokio_postgres::Row, at: usize) -> Result<u32> {
    Ok(u32::try_from(row.cell::<i64>(at)?).unwrap_or(u32::MAX))
}

fn action_of(code: i16) -> Result<Action> {
    match codec::status_of(i64::from(code))? {
        Some(Status::Approved) => Ok(Action::Approve),
        Some(Status::Rejected) => Ok(Action::Reject),
        Some(Status::Held) | None => Err(StoreError::Corrupt(format!("a sample of status {code}"))),
    }
}

/// Whether a comment is in the queue, held or drawn.
pub(super) async fn waits(db: &Db, site: SiteId, comment: Uuid) -> Result<bool> {
    db.exists("SELECT 1 FROM queue WHERE site = $1 AND comment = $2", &[&number(site), &comment]).await
}

/// Those of `keys` that are in the queue.
pub(super) async fn waiting(db: &Db, keys: &Keys) -> Result<HashSet<Uuid>> {
    let read = "SELECT q.comment FROM unnest($1::int4[], $2::uuid[]) k (site, comment) \
                JOIN queue q ON q.site = k.site AND q.comment = k.comment";
    let found = db.query(read, &[&keys.sites, &keys.comments]).await?;
    found.iter().map(|row| row.cell(0)).collect()
}

//! What a page of the queue shows of each comment, read for all of them at once.

use std::collections::HashMap;

use tokio_postgres::Row as Cell;
use uuid::Uuid;

use super::super::batch::Keys;
use super::super::db::{Cells as _, Db, Params};
use super::super::rows::{self, Row};
use super::super::seen::Known;
use crate::domain::readers::{ReaderView, ReportSeen};
use crate::domain::service::queues::{Queues, Waits};
use crate::domain::site::SiteId;
use crate::domain::store::{Claim, QueueItem, Result, RulingCategory};
use crate::domain::time::Timestamp;
use crate::storage::codec::Content;
use crate::storage::damage::left_out;
use crate::storage::waiting::{category_of, kind_of};

/// Readers' reports that an item shows.
const REPORTS_SHOWN: i64 = 5;

/// For a `SELECT` from `queue q` joined to `comment c` and, maybe, `campaign k`.
pub(super) fn columns() -> String {
    format!(
        "{}, q.priority, q.held_at, q.claimed_by, q.claimed_until, q.author_known, k.uid, q.comment, \
         q.category, q.signals, q.section, q.lang",
        rows::COLUMNS
    )
}

/// How many columns a comment's row has, before those of the queue's.
pub(super) const FIRST: usize = 13;
/// The column with the comment's uid, as the queue has it.
pub(super) const UID: usize = FIRST + 6;

/// Whether there is a comment of what waits. Where there is none the queue is damaged, and what comes after it is shown all the same.
pub(super) fn is_whole(cells: &Cell) -> bool {
    matches!(cells.cell::<Option<Uuid>>(1), Ok(Some(_)))
}

/// Rows of [`columns`], with everything that is shown beside them.
pub(super) async fn of_rows(db: &Db, queues: &Queues, found: &[Cell], now: Timestamp) -> Result<Vec<QueueItem>> {
    let mut comments: Vec<(Row, Content)> = Vec::with_capacity(found.len());
    let mut readable = Vec::with_capacity(found.len());
    for cells in found {
        let read = Row::read(cells).and_then(|row| row.content().map(|content| (row, content)));
        if let Some(read) = left_out("the queue", &cells.cell::<Uuid>(UID)?, read)? {
            comments.push(read);
            readable.push(cells);
        }
    }
    let mut known = Known::default();
    known.learn(db, comments.iter().map(|(row, content)| (row.site, content))).await?;
    let mut readers = Readers::of(db, &comments).await?;
    let mut items = Vec::with_capacity(readable.len());
    for (cells, (row, content)) in readable.into_iter().zip(comments) {
        let key = (row.site, row.uid);
        let sent = &content.comment.article;
        let article = known.article(row.site, &content).unwrap_or(sent).clone();
        let record = rows::record_named(known.name(row.site), &row, content, true);
        let (by, until): (Option<String>, Option<i64>) = (cells.cell(FIRST + 2)?, cells.cell(FIRST + 3)?);
        let claim = by.zip(until).map(|(by, until)| Claim { by, until: Timestamp::from_millis(until) });
        items.push(QueueItem {
            queue: queue_of(queues, &record.site, cells)?,
            record,
            article,
            held_at: Timestamp::from_millis(cells.cell(FIRST + 1)?),
            priority: cells.cell(FIRST)?,
            author_kind: kind_of(cells.cell(FIRST + 4)?),
            claim: claim.filter(|claim| claim.until > now),
            campaign: cells.cell(FIRST + 5)?,
            readers: readers.views.remove(&key).unwrap_or_default(),
            reports: readers.reports.remove(&key).unwrap_or_default(),
        });
    }
    Ok(items)
}

/// The name of the queue that a row waits in.
fn queue_of(queues: &Queues, site: &str, cells: &Cell) -> Result<Option<String>> {
    let place = queues.of(&Waits {
        site,
        category: category_of(cells.cell(UID + 1)?),
        signals: cells.cell(UID + 2)?,
        section: cells.cell(UID + 3)?,
        lang: cells.cell(UID + 4)?,
    });
    Ok(place.and_then(|at| queues.get(at)).map(|queue| queue.name.clone()))
}

/// What readers say of comments.
#[derive(Default)]
struct Readers {
    views: HashMap<(SiteId, Uuid), ReaderView>,
    reports: HashMap<(SiteId, Uuid), Vec<ReportSeen>>,
}

impl Readers {
    async fn of(db: &Db, comments: &[(Row, Content)]) -> Result<Self> {
        let mut readers = Self::default();
        if comments.is_empty() {
            return Ok(readers);
        }
        let Keys { sites, comments: uids } = Keys::of(comments.iter().map(|(row, _)| row));
        let asked = "FROM unnest($1::integer[], $2::uuid[]) AS asked(site, comment)";
        let views = format!(
            "SELECT asked.site, asked.comment, r.n, r.weight, v.up, v.down {asked}, \
             LATERAL (SELECT count(*) AS n, coalesce(sum(weight), 0.0) AS weight FROM report \
             WHERE site = asked.site AND comment = asked.comment AND outcome = 0) r, \
             LATERAL (SELECT count(*) FILTER (WHERE value > 0) AS up, count(*) FILTER (WHERE value < 0) AS down FROM vote \
             WHERE site = asked.site AND comment = asked.comment) v"
        );
        let reports = format!(
            "SELECT asked.site, asked.comment, r.category, r.text, r.at, r.weight {asked}, \
             LATERAL (SELECT category, text, at, weight FROM report \
             WHERE site = asked.site AND comment = asked.comment AND outcome = 0 ORDER BY at DESC LIMIT $3) r ORDER BY r.at DESC"
        );
        let (of, of_shown): (Params<'_>, Params<'_>) = (&[&sites, &uids], &[&sites, &uids, &REPORTS_SHOWN]);
        let (views, reports) = tokio::try_join!(db.query(&views, of), db.query(&reports, of_shown))?;
        let count =
            |row: &Cell, at: usize| -> Result<u32> { Ok(u32::try_from(row.cell::<i64>(at)?).unwrap_or(u32::MAX)) };
        for row in &views {
            let view =
                ReaderView { reports: count(row, 2)?, weight: row.cell(3)?, up: count(row, 4)?, down: count(row, 5)? };
            readers.views.insert((row.site(0)?, row.cell(1)?), view);
        }
        for row in &reports {
            let category = row.cell::<Option<&str>>(2)?.map(RulingCategory::stored).transpose()?;
            let (text, at) = (row.cell(3)?, Timestamp::from_millis(row.cell(4)?));
            let report = ReportSeen { category, text, weight: row.cell(5)?, at };
            readers.reports.entry((row.site(0)?, row.cell(1)?)).or_default().push(report);
        }
        Ok(readers)
    }
}

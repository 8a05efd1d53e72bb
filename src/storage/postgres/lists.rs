//! A site's comments, newest first; what an author did before; what the history is rebuilt from.

use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::cursor::{cursor_of, limit, place_of};
use super::db::{Cells as _, Db, number};
use super::rows::{self, Row};
use super::shared::Shared;
use super::{rulings, uid};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{DecidedBy, Record, Status};
use crate::domain::history::{AuthorPast, Standing};
use crate::domain::site::SiteId;
use crate::domain::store::{CommentFilter, ListError, Page, PageRequest, Place, Remembered, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec;

/// Rows looked at for one page. A page that finds little in so many is short, and says where to go on.
const SCAN_MAX: usize = 5_000;
const LIST: &str = "comments";

/// One page of a site's comments.
pub(super) async fn list(
    db: &Db,
    site: SiteId,
    filter: &CommentFilter,
    page: &PageRequest,
) -> std::result::Result<Page<Record>, ListError> {
    let below = match &page.cursor {
        Some(cursor) => place_of(&db.shared, LIST, cursor)?,
        None => Uuid::max(),
    };
    let mut listing = Listing { db, site, filter, limit: limit(page), items: Vec::new(), scanned: 0, last: below };
    let more = listing.run().await?;
    let next_cursor = more.then(|| cursor_of(&db.shared, LIST, &listing.last));
    Ok(Page { items: listing.items, next_cursor })
}

struct Listing<'a> {
    db: &'a Db,
    site: SiteId,
    filter: &'a CommentFilter,
    limit: usize,
    items: Vec<Record>,
    scanned: usize,
    /// The last comment looked at.
    last: Uuid,
}

impl Listing<'_> {
    /// Fills the page; whether there may be more.
    async fn run(&mut self) -> Result<bool> {
        // Comments received before `floor` come only when something happened to them since.
        let floor = self.filter.updated_since.map_or(Uuid::nil(), uid::first);
        while self.last > floor {
            if self.is_full() {
                return Ok(true);
            }
            // Most pages are filled by the first rows; where a filter leaves little, more are looked at in one go.
            let window = if self.scanned == 0 { 2 * self.limit } else { SCAN_MAX - self.scanned };
            let scan = self.scan(floor, window).await?;
            if !self.look_at(&scan.found).await? {
                return Ok(true);
            }
            self.scanned += scan.count;
            match scan.last {
                Some(last) if scan.count == window => self.last = last,
                _ => break,
            }
        }
        match self.filter.updated_since {
            Some(since) if floor > Uuid::nil() => self.changed_since(since, floor).await,
            _ => Ok(false),
        }
    }

    fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.scanned >= SCAN_MAX
    }

    /// Looks at the next `window` comments, down to `floor`, for those of the filter's status and change.
    async fn scan(&self, floor: Uuid, window: usize) -> Result<Scan> {
        let filter = self.filter;
        let hasher = &self.db.hasher;
        let account = filter.author.as_deref().map(|id| hasher.account(self.site, id).cast_signed());
        let article = filter.article.as_deref().map(|id| hasher.article(self.site, id).cast_signed());
        let since = filter.updated_since.map(Timestamp::as_millis);
        let status = filter.status.map(|status| i16::try_from(codec::status_code(status)).unwrap_or_default());
        // Said in the statement only when it is asked, so that each has the plan that fits.
        let (account_is, article_is) = match (account, article) {
            (Some(_), Some(_)) => ("AND c.account = $4", "AND c.article = $5"),
            (Some(_), None) => ("AND c.account = $4", "AND $5::bigint IS NULL"),
            (None, Some(_)) => ("AND $4::bigint IS NULL", "AND c.article = $5"),
            (None, None) => ("AND $4::bigint IS NULL", "AND $5::bigint IS NULL"),
        };
        let held = codec::status_code(Status::Held);
        let seen = if filter.as_people_see && status.is_some() {
            format!(
                "CASE WHEN EXISTS (SELECT FROM queue q WHERE q.site = $1 AND q.comment = s.uid) THEN {held} ELSE s.status END"
            )
        } else {
            "s.status".to_owned()
        };
        let read = format!(
            "WITH scanned AS (
               SELECT c.uid, c.status, c.updated_at FROM comment c
               WHERE c.site = $1 AND c.uid < $2 AND c.uid >= $3 {account_is} {article_is} ORDER BY c.uid DESC LIMIT $6
             )
             SELECT (SELECT count(*) FROM scanned), (SELECT uid FROM scanned ORDER BY uid LIMIT 1),
               ARRAY(SELECT s.uid FROM scanned s WHERE ($7::smallint IS NULL OR {seen} = $7) AND ($8::bigint IS NULL OR s.updated_at >= $8)
                 ORDER BY s.uid DESC)"
        );
        let window = i64::try_from(window).unwrap_or(i64::MAX);
        let (site, below) = (number(self.site), self.last);
        let found =
            self.db.query_one(&read, &[&site, &below, &floor, &account, &article, &window, &status, &since]).await?;
        let count: i64 = found.cell(0)?;
        Ok(Scan { count: usize::try_from(count).unwrap_or(0), last: found.cell(1)?, found: found.cell(2)? })
    }

    /// Older comments to which something happened since.
    async fn changed_since(&mut self, since: Timestamp, floor: Uuid) -> Result<bool> {
        let read = "SELECT DISTINCT comment FROM happening WHERE site = $1 AND at >= $2 AND comment < $3 ORDER BY comment DESC LIMIT $4";
        let most = i64::try_from(SCAN_MAX).unwrap_or(i64::MAX);
        let below = self.last.min(floor);
        let found = self.db.query(read, &[&number(self.site), &since.as_millis(), &below, &most]).await?;
        let found = found.iter().map(|row| row.cell(0)).collect::<Result<Vec<Uuid>>>()?;
        for some in found.chunks(self.limit.max(50)) {
            if !self.look_at(some).await? {
                return Ok(true);
            }
        }
        Ok(found.len() == SCAN_MAX)
    }

    /// Puts on the page which of these belong there, newest first; whether there was room to look at all.
    async fn look_at(&mut self, uids: &[Uuid]) -> Result<bool> {
        for some in uids.chunks(100) {
            if self.items.len() >= self.limit {
                return Ok(false);
            }
            let read = format!(
                "SELECT {}, EXISTS (SELECT FROM queue q WHERE q.site = c.site AND q.comment = c.uid) FROM comment c \
                 WHERE c.site = $1 AND c.uid = ANY ($2) ORDER BY c.uid DESC",
                rows::COLUMNS
            );
            for found in self.db.query(&read, &[&number(self.site), &some]).await? {
                if self.items.len() >= self.limit {
                    return Ok(false);
                }
                let row = Row::read(&found)?;
                self.last = row.uid;
                self.judge(&row, found.cell(13)?).await?;
            }
        }
        Ok(true)
    }

    /// Puts a comment on the page if it belongs there.
    async fn judge(&mut self, row: &Row, waits: bool) -> Result<()> {
        let filter = self.filter;
        let seen = if waits && filter.as_people_see { Status::Held } else { row.status };
        let wanted = filter.status.is_none_or(|wanted| wanted == seen)
            && filter.updated_since.is_none_or(|since| row.updated_at >= since);
        if !wanted {
            return Ok(());
        }
        let content = row.content()?;
        if !filter.reach.is_all() {
            let place = rulings::place_of(self.db, row, &content).await?;
            if !place.lies_within(&filter.reach) {
                return Ok(());
            }
        }
        let author = content.comment.author.id.as_ref().map(ExternalId::as_str);
        let article = content.comment.article.id.as_str();
        if filter.author.as_deref().is_none_or(|wanted| author == Some(wanted))
            && filter.article.as_deref().is_none_or(|wanted| article == wanted)
        {
            let name = self.db.site_name(self.db, row.site).await?;
            self.items.push(rows::record_named(name, row, content, waits));
        }
        Ok(())
    }
}

/// What one look found.
struct Scan {
    /// Comments looked at.
    count: usize,
    /// The oldest of them.
    last: Option<Uuid>,
    /// Which of them may belong on the page, newest first.
    found: Vec<Uuid>,
}

/// A comment by our name for it.
pub(super) async fn by_uid(db: &Db, uid: Uuid) -> Result<Option<Record>> {
    match rows::by_uid(db, uid).await? {
        Some(row) => rows::load(db, &row).await.map(Some),
        None => Ok(None),
    }
}

/// Where a comment stands.
pub(super) async fn place(db: &Db, uid: Uuid) -> Result<Option<Place>> {
    match rows::by_uid(db, uid).await? {
        Some(row) => rulings::place(db, &row).await.map(Some),
        None => Ok(None),
    }
}

/// What became of an author's comments before a moment: a question. The comment that asks is never part of it.
pub(super) struct Before {
    author: i64,
    end: Uuid,
    site: i32,
    name: String,
    depth: i64,
}

impl Before {
    pub(super) fn new(shared: &Shared, trace: &Trace, before: Timestamp, depth: usize) -> Self {
        Self {
            author: shared.hasher.author(trace.author).cast_signed(),
            end: uid::first(before),
            site: number(trace.site),
            name: trace.comment_id.to_string(),
            depth: i64::try_from(depth).unwrap_or(i64::MAX),
        }
    }
}

/// What became of the earlier comments of each of these.
pub(super) async fn pasts(db: &Db, all: &[Before]) -> Result<Vec<AuthorPast>> {
    let [approved, held, rejected] = [Status::Approved, Status::Held, Status::Rejected].map(codec::status_code);
    let person = codec::decided_by_code(DecidedBy::Person);
    // Arrays out of a SELECT have no length that the planner knows, so that it makes one plan for any number of them, and that one once.
    let read = format!(
        "SELECT k.at, past.* FROM unnest((SELECT $1::int8[]), (SELECT $2::uuid[]), (SELECT $3::int4[]), (SELECT $4::text[]), (SELECT $5::int8[]))
           WITH ORDINALITY k (author, before, site, name, depth, at)
         CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE status = {approved}), count(*) FILTER (WHERE status = {approved} AND decided_by = {person}),
             count(*) FILTER (WHERE status = {rejected}), count(*) FILTER (WHERE status = {rejected} AND decided_by = {person}),
             count(*) FILTER (WHERE status = {held}), min(received_at), max(received_at)
           FROM (SELECT c.status, c.decided_by, c.received_at FROM comment c WHERE c.author = k.author AND c.uid < k.before
             AND c.uid IS DISTINCT FROM (SELECT n.comment FROM comment_name n WHERE n.site = k.site AND n.name = k.name)
             ORDER BY c.uid DESC LIMIT k.depth) found
         ) past ORDER BY k.at"
    );
    let authors: Vec<i64> = all.iter().map(|it| it.author).collect();
    let before: Vec<Uuid> = all.iter().map(|it| it.end).collect();
    let sites: Vec<i32> = all.iter().map(|it| it.site).collect();
    let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
    let depths: Vec<i64> = all.iter().map(|it| it.depth).collect();
    let rows = db.query(&read, &[&authors, &before, &sites, &names, &depths]).await?;
    rows.iter().map(past).collect()
}

fn past(row: &tokio_postgres::Row) -> Result<AuthorPast> {
    let count = |at| row.cell::<i64>(at).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let moment = |at| Ok::<_, StoreError>(row.cell::<Option<i64>>(at)?.map(Timestamp::from_millis));
    Ok(AuthorPast {
        approved: count(1)?,
        approved_by_person: count(2)?,
        rejected: count(3)?,
        rejected_by_person: count(4)?,
        held: count(5)?,
        first_at: moment(6)?,
        last_at: moment(7)?,
        ..AuthorPast::default()
    })
}

/// Hands the latest comments since `since` to `each`, at most `most` of them, oldest first.
pub(super) async fn remembered(
    db: &Db,
    since: Timestamp,
    most: usize,
    each: &mut (dyn FnMut(Remembered) + Send),
) -> Result<()> {
    let Some(skipped) = most.checked_sub(1) else { return Ok(()) };
    let since = uid::first(since);
    let skipped = i64::try_from(skipped).unwrap_or(i64::MAX).min(i64::MAX - 1);
    // Site by site: that is what the key begins with, and without it everything that is kept would be read through to find the latest.
    let first = "SELECT c.uid FROM site s CROSS JOIN LATERAL (SELECT uid FROM comment WHERE site = s.id AND uid >= $1 \
                 ORDER BY uid DESC LIMIT $2::bigint + 1) c ORDER BY c.uid DESC OFFSET $2 LIMIT 1";
    let first = db.query_opt(first, &[&since, &skipped]).await?.map(|row| row.cell(0)).transpose()?;
    let first: Uuid = first.unwrap_or(since);
    // OFFSET 0 keeps the planner from turning it round.
    let read = "SELECT c.trace, c.received_at, c.status, c.decided_by FROM site s CROSS JOIN LATERAL \
                (SELECT uid, trace, received_at, status, decided_by FROM comment WHERE site = s.id AND uid >= $1 OFFSET 0) c ORDER BY c.uid";
    let mut found = std::pin::pin!(db.stream(read, &[&first]).await?);
    while let Some(row) = found.try_next().await? {
        let status = codec::status_of(i64::from(row.cell::<i16>(2)?))?;
        let status = status.ok_or_else(|| StoreError::Corrupt("a comment without status".to_owned()))?;
        let by_person = codec::decided_by_of(i64::from(row.cell::<i16>(3)?))? == DecidedBy::Person;
        each(Remembered {
            trace: codec::decode_trace("a comment's trace", row.cell(0)?)?,
            received_at: Timestamp::from_millis(row.cell(1)?),
            standing: Standing { status, by_person },
        });
    }
    Ok(())
}

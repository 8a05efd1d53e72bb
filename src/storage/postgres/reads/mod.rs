//! What people read beside the queue. Nothing here writes to a comment, and every way through rows is bounded.

mod also;
mod article;
mod author;
mod card;
mod figures;
mod linked;
pub(super) mod notes;

use async_trait::async_trait;
use uuid::Uuid;

use super::db::{Cells as _, Db, number};
use super::seen::{self, Known, Seen};
use super::work::transact;
use super::{PostgresStore, rows};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{DecidedBy, Status};
use crate::domain::explain::WhatIf;
use crate::domain::figures::Figures;
use crate::domain::history::Standing;
use crate::domain::people::Reach;
use crate::domain::reads::{
    AlsoLetsThrough, ArticleNumbers, AuthorNote, AuthorNumbers, AuthorProfile, Behind, NoteRemoval, Reads,
    StatusCounts, Surroundings,
};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec;

/// The index by which comments are counted, with the key.
#[derive(Debug, Clone, Copy)]
enum By {
    /// A site's account.
    Account(u64),
    /// Whoever the history takes for one author.
    Author(u64),
    /// An article.
    Article(u64),
}

impl By {
    /// The condition on `comment c`, whose key is `$2`.
    const fn condition(self) -> &'static str {
        match self {
            Self::Account(_) => "c.account = $2 AND c.account <> 0",
            Self::Author(_) => "c.author = $2",
            Self::Article(_) => "c.article = $2",
        }
    }

    const fn key(self) -> i64 {
        match self {
            Self::Account(key) | Self::Author(key) | Self::Article(key) => key.cast_signed(),
        }
    }
}

/// What became of the comments of that key on a site, but `except`; looks at the latest `most`. What waits is held.
async fn numbers(
    db: &Db,
    site: SiteId,
    by: By,
    except: Option<Uuid>,
    most: i64,
    now: Timestamp,
) -> Result<AuthorNumbers> {
    let read = format!(
        "SELECT CASE WHEN q.comment IS NULL THEN c.status ELSE {held}::smallint END, c.decided_by = {person}, \
         c.received_at >= $5, count(*), min(c.received_at), max(c.received_at), max(c.place) FROM (\
         SELECT c.site, c.uid, c.status, c.decided_by, c.received_at, row_number() OVER (ORDER BY c.uid DESC) AS place \
         FROM comment c WHERE c.site = $1 AND {condition} ORDER BY c.uid DESC LIMIT $4::bigint + 1) c \
         LEFT JOIN queue q ON q.site = c.site AND q.comment = c.uid \
         WHERE $3::uuid IS NULL OR c.uid <> $3 GROUP BY 1, 2, 3, c.place > $4",
        held = codec::status_code(Status::Held),
        person = codec::decided_by_code(DecidedBy::Person),
        condition = by.condition(),
    );
    let recent = now.plus_millis(-i64::try_from(AuthorNumbers::RECENT_MS).unwrap_or(i64::MAX)).as_millis();
    let mut numbers = AuthorNumbers::default();
    for row in db.query(&read, &[&number(site), &by.key(), &except, &most, &recent]).await? {
        if row.cell::<i64>(6)? > most {
            numbers.goes_further_back = true;
            continue;
        }
        let standing = standing(row.cell(0)?, row.cell(1)?)?;
        let count = u32::try_from(row.cell::<i64>(3)?).unwrap_or(u32::MAX);
        let (first, last) = (Timestamp::from_millis(row.cell(4)?), Timestamp::from_millis(row.cell(5)?));
        add(&mut numbers.all, standing, count);
        if row.cell(2)? {
            add(&mut numbers.last_30_days, standing, count);
        }
        numbers.first_at = Some(numbers.first_at.map_or(first, |known| known.min(first)));
        numbers.last_at = Some(numbers.last_at.map_or(last, |known| known.max(last)));
    }
    Ok(numbers)
}

/// A status as people see it, from columns.
fn standing(status: i16, by_person: bool) -> Result<Standing> {
    let status = codec::status_of(i64::from(status))?;
    let status = status.ok_or_else(|| StoreError::Corrupt("a comment without status".to_owned()))?;
    Ok(Standing { status, by_person: by_person && status != Status::Held })
}

fn add(counts: &mut StatusCounts, standing: Standing, count: u32) {
    for _ in 0..count {
        counts.add(standing);
    }
}

/// When a person last decided within a reach, told by the first comment of each decision.
async fn last_decided(db: &Db, reach: &Reach) -> Result<Option<Timestamp>> {
    let most = if reach.is_all() { 1 } else { 100 };
    let read = format!(
        "SELECT {}, r.at FROM (SELECT uid, at FROM ruling WHERE undone_at IS NULL ORDER BY uid DESC LIMIT {most}) r \
         LEFT JOIN LATERAL (SELECT site, comment FROM ruling_item WHERE ruling = r.uid ORDER BY comment LIMIT 1) i ON true \
         LEFT JOIN comment c ON c.site = i.site AND c.uid = i.comment ORDER BY r.uid DESC",
        seen::columns()
    );
    let found = db.query(&read, &[]).await?;
    if reach.is_all() {
        return found.first().map(|row| row.cell(seen::COLUMNS).map(Timestamp::from_millis)).transpose();
    }
    let (mut first, mut moments) = (Vec::new(), Vec::new());
    for row in found.iter().filter(|row| row.cell::<Option<Uuid>>(1).is_ok_and(|uid| uid.is_some())) {
        first.push(Seen::read(row)?);
        moments.push(Timestamp::from_millis(row.cell(seen::COLUMNS)?));
    }
    let mut known = Known::default();
    known.learn_seen(db, &first).await?;
    let mut within = first.iter().zip(moments);
    Ok(within.find(|(seen, _)| known.lies_within(seen.row.site, &seen.content, reach)).map(|(_, at)| at))
}

/// A comment with what is known of where it stands, if it lies within the reach.
async fn within(db: &Db, uid: Uuid, reach: &Reach) -> Result<Option<(Seen, Known)>> {
    let Some(row) = rows::by_uid(db, uid).await? else { return Ok(None) };
    let waits = super::samples::waits(db, row.site, row.uid).await?;
    let seen = Seen { content: row.content()?, row, waits };
    let mut known = Known::default();
    known.learn(db, [(seen.row.site, &seen.content)]).await?;
    let is_within = known.lies_within(seen.row.site, &seen.content, reach);
    Ok(is_within.then_some((seen, known)))
}

#[async_trait]
impl Reads for PostgresStore {
    async fn surroundings(
        &self,
        uid: Uuid,
        reach: &Reach,
        whole: bool,
        now: Timestamp,
    ) -> Result<Option<Surroundings>> {
        let db = self.db().await?;
        card::surroundings(&db, uid, reach, whole, now).await
    }

    async fn behind(&self, uid: Uuid, reach: &Reach) -> Result<Option<Behind>> {
        let db = self.db().await?;
        article::behind(&db, uid, reach).await
    }

    async fn article_numbers(&self, site: SiteId, article: &ExternalId, reach: &Reach) -> Result<ArticleNumbers> {
        let db = self.db().await?;
        article::numbers(&db, site, article, reach).await
    }

    async fn author_profile(
        &self,
        site: SiteId,
        author: &ExternalId,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<AuthorProfile> {
        let db = self.snapshot().await?;
        author::profile(&db, site, author, reach, now).await
    }

    async fn figures(&self, sites: Option<&[String]>, since: Timestamp, now: Timestamp) -> Result<Figures> {
        let db = self.snapshot().await?;
        figures::figures(&db, sites, since, now).await
    }

    async fn last_decided(&self, reach: &Reach) -> Result<Option<Timestamp>> {
        let db = self.db().await?;
        last_decided(&db, reach).await
    }

    async fn also_lets_through(&self, what_if: &WhatIf, but: Uuid, reach: &Reach) -> Result<AlsoLetsThrough> {
        let db = self.snapshot().await?;
        also::lets_through(&db, what_if, but, reach).await
    }

    async fn author_note_add(
        &self,
        site: SiteId,
        author: &ExternalId,
        text: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<AuthorNote> {
        transact!(self, work => notes::add(&work, site, author, text, by, at).await)
    }

    async fn author_note_remove(
        &self,
        site: SiteId,
        author: &ExternalId,
        note: Uuid,
        by: &str,
        any: bool,
        at: Timestamp,
    ) -> Result<NoteRemoval> {
        transact!(self, work => notes::remove(&work, (site, author), note, by, any, at).await)
    }
}

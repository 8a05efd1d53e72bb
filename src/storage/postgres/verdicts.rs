//! Frozen verdicts, latest first, for being counted: keys from an index, then what they stand for, and no further back than is asked.

use async_trait::async_trait;
use uuid::Uuid;

use super::PostgresStore;
use super::db::{Cells as _, Db};
use crate::domain::decision::DecidedBy;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::truth::tally::word_of;
use crate::domain::truth::{Judged, JudgedPage, Verdicts, Wanted};
use crate::storage::codec;

async fn page(db: &Db, wanted: &Wanted) -> Result<JudgedPage> {
    let sites = match &wanted.sites {
        Some(names) => {
            let found = db.query("SELECT id FROM site WHERE name = ANY($1)", &[names]).await?;
            Some(found.iter().map(|row| row.cell(0)).collect::<Result<Vec<i32>>>()?)
        }
        None => None,
    };
    let until = super::uid::first(wanted.until);
    let before = wanted.before.map_or(until, |place| Uuid::from_u128(place).min(until));
    let most = i64::try_from(wanted.most).unwrap_or(i64::MAX);
    let (table, key) = if wanted.decided_only { ("ruling_item", "comment") } else { ("comment", "uid") };
    // Keys first: of all that the sites have, no more is read than is wanted of all of them.
    let read = format!(
        "WITH wanted AS (SELECT k.* FROM site s, LATERAL (SELECT DISTINCT site, {key} AS uid FROM {table} WHERE site = s.id AND {key} >= $2 \
         AND {key} < $3 ORDER BY {key} DESC LIMIT $4) k WHERE $1::integer[] IS NULL OR s.id = ANY($1) ORDER BY k.uid DESC LIMIT $4) \
         SELECT w.uid, c.site, c.status, c.decided_by, c.received_at, c.b, \
         EXISTS (SELECT 1 FROM queue q WHERE q.site = c.site AND q.comment = c.uid) \
         FROM wanted w LEFT JOIN comment c ON c.site = w.site AND c.uid = w.uid ORDER BY w.uid DESC"
    );
    let rows = db.query(&read, &[&sites, &super::uid::first(wanted.since), &before, &most]).await?;
    let mut page = JudgedPage { looked_at: u32::try_from(rows.len()).unwrap_or(u32::MAX), ..JudgedPage::default() };
    for row in &rows {
        // What was decided about once may be erased by now.
        if row.cell::<Option<i32>>(1)?.is_none() {
            continue;
        }
        let at = Timestamp::from_millis(row.cell(4)?);
        if at < wanted.since || at >= wanted.until {
            continue;
        }
        let content = codec::decode_content("a comment", row.cell(5)?)?;
        if content.verdict.is_imported() {
            continue;
        }
        let status = codec::status_of(i64::from(row.cell::<i16>(2)?))?;
        let status = status.ok_or_else(|| StoreError::Corrupt("a comment without status".to_owned()))?;
        let by_person = codec::decided_by_of(i64::from(row.cell::<i16>(3)?))? == DecidedBy::Person;
        let (uid, waits): (Uuid, bool) = (row.cell(0)?, row.cell(6)?);
        page.items.push(Judged {
            place: uid.as_u128(),
            uid,
            site: db.site_name(db, row.site(1)?).await?,
            at,
            verdict: content.verdict,
            judged_by: content.decided_by,
            person: word_of(status, by_person).filter(|_| !waits),
        });
    }
    if rows.len() == wanted.most
        && let Some(last) = rows.last()
    {
        page.next = Some(last.cell::<Uuid>(0)?.as_u128());
    }
    Ok(page)
}

#[async_trait]
impl Verdicts for PostgresStore {
    async fn verdicts(&self, wanted: &Wanted) -> Result<JudgedPage> {
        let db = self.snapshot().await?; // whether a comment waits and what a person said of it are of one moment
        page(&db, wanted).await
    }
}

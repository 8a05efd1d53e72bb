//! How moderation goes, from the latest comments and decisions. What can be counted is counted by the database.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::super::batch::Keys;
use super::super::db::{Cells as _, Db};
use super::super::uid;
use crate::domain::decision::{Action, DecidedBy, Status};
use crate::domain::figures::{ByStatus, Figures, Hour, Overturned, QueueAges, Waits, quantile};
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, RulingText};
use crate::storage::moderated::{ITEMS, ITEMS_AMONG, Item, Items, Overruled, agreement};

const HOUR_MS: i64 = 3_600_000;
const WEEK_MS: i64 = 7 * 86_400_000;
/// Comments counted by hour, the latest ones.
const COUNTED: i64 = 400_000;
/// Verdicts of comments that people decided, the latest ones, in which signals are counted.
const VERDICTS: usize = 1_000;

/// Names a comment.
type Key = (i32, Uuid);

pub(super) async fn figures(db: &Db, sites: Option<&[String]>, since: Timestamp, now: Timestamp) -> Result<Figures> {
    let asked = match sites {
        Some(names) => {
            let found = db.query("SELECT id FROM site WHERE name = ANY($1)", &[&names]).await?;
            Some(found.iter().map(|row| row.cell(0)).collect::<Result<Vec<i32>>>()?)
        }
        None => None,
    };
    let sites = asked.as_deref();
    let ((hours, is_cut), queue, Items { items, beyond }) =
        tokio::try_join!(hours(db, sites, since), queue(db, sites, now), items(db, sites))?;
    let mut waits: Vec<u64> = Vec::new();
    for item in items.iter().filter(|item| item.stands && now.as_millis() - item.at <= WEEK_MS) {
        waits.extend(item.held_at.map(|held| u64::try_from(item.at - held).unwrap_or(0) / 1_000));
    }
    let (signals, decided_looked_at) = signals(db, &items).await?;
    Ok(Figures {
        hours,
        is_cut,
        queue,
        time_to_verdict: Waits {
            comments: u32::try_from(waits.len()).unwrap_or(u32::MAX),
            median_s: quantile(&mut waits, 0.5),
            p90_s: quantile(&mut waits, 0.9),
        },
        signals,
        decided_looked_at,
        agreement: agreement(&items),
        decisions_looked_at: u32::try_from(items.len()).unwrap_or(u32::MAX),
        decisions_cut: beyond.is_some_and(|at| now.as_millis() - at <= WEEK_MS),
    })
}

/// The latest comments of each site, and of those the latest of all; with what they were before a person first decided.
async fn hours(db: &Db, sites: Option<&[i32]>, since: Timestamp) -> Result<(Vec<Hour>, bool)> {
    let read = format!(
        "WITH latest AS (SELECT c.*, row_number() OVER (ORDER BY c.uid DESC) AS place FROM site s, LATERAL (\
         SELECT site, uid, status, received_at FROM comment WHERE site = s.id AND uid >= $2 AND received_at >= $3 ORDER BY uid DESC \
         LIMIT $4::bigint + 1) c WHERE $1::integer[] IS NULL OR s.id = ANY($1)), \
         first AS (SELECT DISTINCT ON (i.site, i.comment) i.site, i.comment, i.status_before FROM ruling_item i \
         WHERE i.comment >= $2 AND ($1::integer[] IS NULL OR i.site = ANY($1)) ORDER BY i.site, i.comment, i.ruling), \
         seen AS (SELECT l.received_at / {HOUR_MS} * {HOUR_MS} AS hour, l.place > $4 AS is_beyond, \
         CASE WHEN q.comment IS NULL THEN l.status ELSE {held}::smallint END AS status, f.status_before FROM latest l \
         LEFT JOIN queue q ON q.site = l.site AND q.comment = l.uid LEFT JOIN first f ON f.site = l.site AND f.comment = l.uid) \
         SELECT hour, is_beyond, status, coalesce(status_before, status), count(*) FROM seen GROUP BY 1, 2, 3, 4",
        held = codec::status_code(Status::Held)
    );
    let (mut hours, mut is_cut) = (BTreeMap::<i64, Hour>::new(), false);
    for row in db.query(&read, &[&sites, &uid::first(since), &since.as_millis(), &COUNTED]).await? {
        if row.cell(1)? {
            is_cut = true;
            continue;
        }
        let (begins, count) = (row.cell(0)?, u32::try_from(row.cell::<i64>(4)?).unwrap_or(u32::MAX));
        let hour =
            hours.entry(begins).or_insert_with(|| Hour { at: Timestamp::from_millis(begins), ..Hour::default() });
        add(&mut hour.now, row.cell(2)?, count)?;
        add(&mut hour.first, row.cell(3)?, count)?;
    }
    Ok((hours.into_values().collect(), is_cut))
}

fn add(of: &mut ByStatus, code: i16, count: u32) -> Result<()> {
    match codec::status_of(i64::from(code))? {
        Some(Status::Approved) => of.approved += count,
        Some(Status::Held) => of.held += count,
        Some(Status::Rejected) => of.rejected += count,
        None => {}
    }
    Ok(())
}

async fn queue(db: &Db, sites: Option<&[i32]>, now: Timestamp) -> Result<QueueAges> {
    let read = "SELECT count(*), max(age), percentile_disc(0.5) WITHIN GROUP (ORDER BY age), \
                percentile_disc(0.9) WITHIN GROUP (ORDER BY age) \
                FROM (SELECT greatest($2 - held_at, 0) / 1000 AS age FROM queue WHERE $1::integer[] IS NULL OR site = ANY($1)) q";
    let row = db.query_one(read, &[&sites, &now.as_millis()]).await?;
    let age = |at: usize| -> Result<Option<u64>> {
        Ok(row.cell::<Option<i64>>(at)?.map(|age| u64::try_from(age).unwrap_or_default()))
    };
    Ok(QueueAges {
        waiting: u32::try_from(row.cell::<i64>(0)?).unwrap_or(u32::MAX),
        oldest_s: age(1)?,
        median_s: age(2)?,
        p90_s: age(3)?,
    })
}

/// The latest items of rulings, latest first.
async fn items(db: &Db, sites: Option<&[i32]>) -> Result<Items<Key>> {
    let read = "WITH latest AS (SELECT site, comment, ruling, held_at_before FROM ruling_item ORDER BY ruling DESC LIMIT $2), \
                theirs AS (SELECT * FROM latest WHERE $1::integer[] IS NULL OR site = ANY($1) ORDER BY ruling DESC LIMIT $3) \
                SELECT i.site, i.comment, i.held_at_before, i.ruling, r.at, r.undone_at IS NULL FROM theirs i \
                JOIN ruling r ON r.uid = i.ruling ORDER BY i.ruling DESC, i.comment DESC";
    let most = i64::try_from(ITEMS).unwrap_or(i64::MAX).saturating_add(1);
    let mut found = db.query(read, &[&sites, &ITEMS_AMONG, &most]).await?;
    let mut beyond = found.split_off(ITEMS.min(found.len())).first().map(|row| row.cell(4)).transpose()?;
    if beyond.is_none() {
        // Of whichever site: perhaps one of them.
        let read = "SELECT r.at FROM ruling r JOIN (SELECT ruling FROM ruling_item ORDER BY ruling DESC OFFSET $1 LIMIT 1) i ON r.uid = i.ruling";
        beyond = db.query_opt(read, &[&ITEMS_AMONG]).await?.map(|row| row.cell(0)).transpose()?;
    }
    let rulings = found.iter().map(|row| row.cell(3)).collect::<Result<HashSet<Uuid>>>()?;
    let rulings: Vec<Uuid> = rulings.into_iter().collect();
    let mut texts = HashMap::<Uuid, (Action, String)>::new();
    for row in db.query("SELECT uid, b FROM ruling WHERE uid = ANY($1)", &[&rulings]).await? {
        let text: RulingText = codec::decode("a ruling", row.cell(1)?)?;
        texts.insert(row.cell(0)?, (text.action, format!("{:?}", text.by)));
    }
    let mut items = Vec::with_capacity(found.len());
    for row in &found {
        let Some((action, by)) = texts.get(&row.cell::<Uuid>(3)?).cloned() else { continue };
        items.push(Item {
            comment: (row.cell(0)?, row.cell(1)?),
            held_at: row.cell(2)?,
            at: row.cell(4)?,
            stands: row.cell(5)?,
            action,
            by,
        });
    }
    Ok(Items { items, beyond })
}

async fn signals(db: &Db, items: &[Item<Key>]) -> Result<(Vec<Overturned>, u32)> {
    let (mut seen, mut keys) = (HashSet::new(), Keys::default());
    for item in items.iter().filter(|item| item.stands) {
        if seen.len() == VERDICTS {
            break;
        }
        if seen.insert(item.comment) {
            keys.sites.push(item.comment.0);
            keys.comments.push(item.comment.1);
        }
    }
    let read = "SELECT c.status, c.b FROM unnest($1::integer[], $2::uuid[]) AS k(site, comment) \
                JOIN comment c ON c.site = k.site AND c.uid = k.comment WHERE c.decided_by = $3";
    let person = i16::try_from(codec::decided_by_code(DecidedBy::Person)).unwrap_or_default();
    let mut overruled = Overruled::default();
    for row in db.query(read, &[&keys.sites, &keys.comments, &person]).await? {
        let is_approved = codec::status_of(i64::from(row.cell::<i16>(0)?))? == Some(Status::Approved);
        overruled.add(&codec::decode_content("a comment", row.cell(1)?)?.verdict, is_approved);
    }
    Ok(overruled.shares())
}

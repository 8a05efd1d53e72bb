//! Comments that are too old for what became of them.

use tokio_postgres::Row as Cell;
use uuid::Uuid;

use super::db::{Cells as _, number};
use super::rows::Row;
use super::work::Work;
use super::{batch, intake, patience, privacy, rulings, uid};
use crate::domain::decision::{Actor, DecidedBy, Status};
use crate::domain::retention::{Class, Expired, Expiry};
use crate::domain::site::SiteId;
use crate::domain::store::{ErasedComment, Place, Result};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Content};
use crate::storage::damage::{later_ruling, left_out};

/// Comments that one transaction deletes: each is some twenty statements.
const AT_ONCE: usize = 100;

/// Looks at comments after `after` until enough are looked at or deleted, and deletes what is too old. Sites are not told: whoever sets it knows.
pub(super) async fn expire(
    work: &Work,
    expiry: &Expiry,
    after: Option<&str>,
    most: usize,
    at: Timestamp,
) -> Result<Expired> {
    let Some(latest) = expiry.latest() else { return Ok(Expired::default()) };
    work.batch(patience::AT_LENGTH).await?;
    let (first, mut from) = after.and_then(place).unwrap_or((0, Uuid::nil()));
    let mut expired = Expired::default();
    let sites = work.query("SELECT id FROM site WHERE id >= $1 ORDER BY id", &[&first]).await?;
    for site in &sites {
        let site: SiteId = site.site(0)?;
        if number(site) != first {
            from = Uuid::nil();
        }
        let left = i64::try_from(most).unwrap_or(i64::MAX).saturating_sub_unsigned(expired.looked_at);
        let read = "SELECT uid, status, decided_by, updated_at FROM comment WHERE site = $1 AND uid > $2 AND uid < $3 ORDER BY uid LIMIT $4";
        let found = work.query(read, &[&number(site), &from, &uid::first(latest), &left]).await?;
        let mut due = Vec::new();
        for row in &found {
            let uid: Uuid = row.cell(0)?;
            expired.looked_at += 1;
            expired.next = Some(format!("{} {uid}", number(site)));
            let updated_at = Timestamp::from_millis(row.cell(3)?);
            if let Some((Some(status), decided_by)) = left_out("retention", &uid, standing(row))?
                && expiry.due(status, decided_by, updated_at).is_some()
            {
                due.push(uid);
                if due.len() == AT_ONCE {
                    break;
                }
            }
        }
        let is_full = due.len() == AT_ONCE || i64::try_from(found.len()).unwrap_or(i64::MAX) >= left;
        expired.gone.extend(delete(work, site, &due, expiry, at).await?);
        if is_full || !due.is_empty() {
            if !is_full {
                expired.next = Some(format!("{} {}", number(site), Uuid::max())); // this one is done, and enough is locked
            }
            if !expired.gone.is_empty() {
                work.audit(&Actor::Console, "comments.expire", "", &expired.told(), at);
            }
            return Ok(expired);
        }
    }
    expired.next = None;
    Ok(expired)
}

/// Deletes those of a site's comments that are too old also when nobody changes them any more, and with which nobody has to do: that wait for a person
/// although they are decided, of which the author waits for an answer, or the site to be told.
async fn delete(
    work: &Work,
    site: SiteId,
    due: &[Uuid],
    expiry: &Expiry,
    at: Timestamp,
) -> Result<Vec<(Class, ErasedComment)>> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let locked = privacy::readable_rows(work, site, due, "retention").await?;
    let read = "SELECT k.comment FROM unnest($2::uuid[]) k (comment) \
                WHERE EXISTS (SELECT FROM queue q WHERE q.site = $1 AND q.comment = k.comment) \
                OR EXISTS (SELECT FROM appeal a WHERE a.site = $1 AND a.comment = k.comment AND a.state = 0) \
                OR EXISTS (SELECT FROM outbox o WHERE o.site = $1 AND o.comment = k.comment AND o.dead_at IS NULL)";
    let needed = work.query(read, &[&number(site), &due]).await?;
    let needed = needed.iter().map(|row| row.cell(0)).collect::<Result<Vec<Uuid>>>()?;
    let due = locked.iter().filter_map(|row| {
        let class = expiry.due(row.status, row.decided_by, row.updated_at)?;
        (!needed.contains(&row.uid)).then_some((class, row))
    });
    let wipes = due.map(|(class, row)| async move {
        // What cannot be read stays, whole: the rest is deleted all the same.
        let read = readable(work, row).await;
        let read = left_out("retention", &row.uid, read)?;
        let Some((content, place)) = read else { return Ok(None) };
        let by = Actor::Site(place.site.to_string()); // whom nobody has to tell
        let trace = intake::wipe_unlisted(work, row, &content.comment.id, &by, at).await?;
        Ok(Some((class, ErasedComment { uid: row.uid, trace, place, status: row.status })))
    });
    Ok(batch::each(wipes.collect()).await?.into_iter().flatten().collect())
}

fn standing(row: &Cell) -> Result<(Option<Status>, DecidedBy)> {
    let status = codec::status_of(i64::from(row.cell::<i16>(1)?))?;
    Ok((status, codec::decided_by_of(i64::from(row.cell::<i16>(2)?))?))
}

/// What deleting a comment needs to know of it; the first that is damaged, or not to be read by this version, of it all.
async fn readable(work: &Work, row: &Row) -> Result<(Content, Place)> {
    row.trace()?;
    let content = row.content()?;
    let place = rulings::place_of(work, row, &content).await?;
    if intake::has_later_rulings(work, row).await? {
        return Err(later_ruling());
    }
    Ok((content, place))
}

/// Where a step ended: a site, and its last comment that was looked at.
fn place(after: &str) -> Option<(i32, Uuid)> {
    let (site, uid) = after.split_once(' ')?;
    Some((site.parse().ok()?, uid.parse().ok()?))
}

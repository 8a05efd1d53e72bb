//! Comments that are too old for what became of them.

use rusqlite::{Connection, params};

use super::rows::{self, Row};
use super::writer::Work;
use super::{audit, intake, privacy, rulings};
use crate::domain::decision::Actor;
use crate::domain::retention::{Expired, Expiry};
use crate::domain::store::{ErasedComment, Place, Result};
use crate::domain::time::Timestamp;
use crate::storage::codec::Content;
use crate::storage::damage::{later_ruling, left_out};

/// Comments that one transaction deletes: each is some twenty statements.
const AT_ONCE: usize = 100;

/// Looks at rows after `after` until enough are looked at or deleted, and deletes what is too old. Sites are not told: whoever sets it knows.
pub(super) fn expire(
    work: &mut Work<'_>,
    expiry: &Expiry,
    after: Option<&str>,
    most: usize,
    at: Timestamp,
) -> Result<Expired> {
    let Some(latest) = expiry.latest() else { return Ok(Expired::default()) };
    let from: u32 = after.and_then(|after| after.parse().ok()).unwrap_or(0);
    let unordered = privacy::imported_to(work.connection)?;
    let mut expired = Expired::default();
    let mut due = Vec::new();
    {
        let read = format!("SELECT {} FROM comment WHERE id > ?1 ORDER BY id LIMIT ?2", rows::COLUMNS);
        let mut query = work.connection.prepare_cached(&read)?;
        let mut rows = query.query(params![from, i64::try_from(most).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            let id: u32 = row.get(0)?;
            let read = left_out("retention", &id, Row::read(row))?;
            let Some((row, status)) = read.and_then(|row| row.status.map(|status| (row, status))) else {
                expired.looked_at += 1;
                expired.next = Some(id.to_string());
                continue;
            };
            // Rows lie in the order of their commits, near enough to that of their moments; but for those that were brought in.
            if row.received_at >= latest && row.id > unordered {
                expired.next = None;
                break;
            }
            expired.looked_at += 1;
            expired.next = Some(row.id.to_string());
            if let Some(class) = expiry.due(status, row.decided_by, row.updated_at)
                && !is_needed(work.connection, row.id)?
            {
                due.push((class, row));
                if due.len() == AT_ONCE {
                    break;
                }
            }
        }
    }
    for (class, row) in due {
        let (uid, status) = (row.uid(work.shared), row.live()?);
        // What cannot be read stays, whole: the rest is deleted all the same.
        let read = left_out("retention", &uid, readable(work, &row))?;
        let Some((content, place)) = read else { continue };
        let by = Actor::Site(place.site.to_string()); // whom nobody has to tell
        let trace = intake::wipe_unlisted(work, &row, &content.comment.id, &by, at)?;
        expired.gone.push((class, ErasedComment { uid, trace, place, status }));
    }
    if !expired.gone.is_empty() {
        work.note_erasure();
        audit::add(work.connection, &Actor::Console, "comments.expire", "", &expired.told(), at)?;
    }
    Ok(expired)
}

/// What deleting a comment needs to know of it; the first that is damaged, or not to be read by this version, of it all.
fn readable(work: &Work<'_>, row: &Row) -> Result<(Content, Place)> {
    row.trace()?;
    let content = rows::content(work.connection, row.id)?;
    let place = rulings::place_of(work.connection, work.shared, row, &content)?;
    if intake::has_later_rulings(work.connection, row.id)? {
        return Err(later_ruling());
    }
    Ok((content, place))
}

/// Whether somebody still has to do with it: it waits for a person although it is decided, its author for an answer, or the site to be told.
fn is_needed(connection: &Connection, comment: u32) -> Result<bool> {
    let read = "SELECT EXISTS (SELECT 1 FROM queue WHERE id = ?1) OR EXISTS (SELECT 1 FROM appeal WHERE comment = ?1 AND state = 0) \
                OR EXISTS (SELECT 1 FROM outbox WHERE comment = ?1 AND dead_at IS NULL)";
    Ok(connection.prepare_cached(read)?.query_row([comment], |row| row.get(0))?)
}

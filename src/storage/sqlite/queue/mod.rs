//! What waits for a person: small rows beside the comments, in and out in the commit that changes the status.
//!
//! Here they are written. [`page`](mod@page) shows them from memory: [`kept`] holds what filters and counts need of each row, [`words`] what a
//! search needs, and both follow the table `queue_change`, which triggers fill in the same commit, whichever process writes.

mod kept;
mod named;
mod orders;
mod page;
mod sieve;
mod tally;
mod words;

use std::collections::HashSet;

pub(super) use self::kept::{Kept, forget_changes, has_old_changes};
pub(super) use self::page::page;
pub(super) use self::words::HeldWords;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::rows::{self, Row};
use super::writer::Work;
use super::{articles, rulings, samples};
use crate::domain::comment::Article;
use crate::domain::decision::Status;
use crate::domain::people::{Person, Reach};
use crate::domain::site::SiteId;
use crate::domain::store::{AuthorKind, Result};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Content};
use crate::storage::waiting::{Waiting, article_key};

/// Puts a comment into the queue.
pub(super) fn add(work: &Work<'_>, row: &Row, content: &Content, held_at: Timestamp) -> Result<()> {
    let known = author_is_known(work.connection, row)?;
    insert(work, row, content, held_at, known)
}

/// Whether the author had a comment approved there before this one.
fn author_is_known(connection: &Connection, row: &Row) -> Result<bool> {
    let mut query = connection.prepare_cached("SELECT status, prev_author FROM comment WHERE id = ?1")?;
    let mut next = row.prev_author;
    for _ in 0..AuthorKind::DEPTH {
        if next == 0 {
            break;
        }
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?));
        let Some((status, prev)) = query.query_row([next], read).optional()? else { break };
        if status == codec::status_code(Status::Approved) {
            return Ok(true);
        }
        next = prev.min(next - 1); // only ever downwards, whatever is in the file
    }
    Ok(false)
}

fn insert(work: &Work<'_>, row: &Row, content: &Content, held_at: Timestamp, known: bool) -> Result<()> {
    let waiting = Waiting::of(work.shared, row.site, row.live()?, content);
    let section = match waiting.section {
        Some(section) => Some(section.to_owned()),
        None => {
            articles::find(work.connection, row.site, &content.comment.article.id)?.and_then(|article| article.section)
        }
    };
    let write = "INSERT INTO queue (id, site, category, signals, section, lang, article, author, priority, held_at, author_known) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    work.connection.prepare_cached(write)?.execute(params![
        row.id,
        row.site.0,
        waiting.category,
        waiting.signals,
        section,
        waiting.lang,
        waiting.article,
        waiting.author,
        waiting.priority,
        held_at.as_millis(),
        known,
    ])?;
    Ok(())
}

/// Puts a comment whose status may have changed where it belongs. A claim on it, and what was known of its author, stay as long as it is held.
pub(super) fn replace(work: &Work<'_>, row: &Row, content: &Content, held_at: Timestamp) -> Result<()> {
    let claim = claim_of(work.connection, row.id)?;
    let known = known_of(work.connection, row.id)?;
    work.connection.prepare_cached("DELETE FROM queue WHERE id = ?1")?.execute([row.id])?;
    if row.status != Some(Status::Held) && !samples::is_open(work.connection, row.id)? {
        return Ok(());
    }
    let known = match known {
        Some(known) => known,
        None => author_is_known(work.connection, row)?,
    };
    insert(work, row, content, held_at, known)?;
    if let Some((by, until)) = claim {
        let write = "UPDATE queue SET claimed_by = ?2, claimed_until = ?3 WHERE id = ?1";
        work.connection.prepare_cached(write)?.execute(params![row.id, by, until])?;
    }
    Ok(())
}

/// Puts comments that wait, and came without a section of their own, into that of their article: who may see them depends on it.
pub(super) fn follow_article(work: &Work<'_>, site: SiteId, article: &Article) -> Result<()> {
    let read = "SELECT id FROM queue WHERE site = ?1 AND article = ?2";
    let mut query = work.connection.prepare_cached(read)?;
    let key = article_key(work.shared, article.id.as_str());
    let waiting = query.query_map(params![site.0, key], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()?;
    for id in waiting {
        let sent = rows::content(work.connection, id)?.comment.article;
        if sent.section.is_none() && sent.id == article.id {
            let write = "UPDATE queue SET section = ?2 WHERE id = ?1";
            work.connection.prepare_cached(write)?.execute(params![id, article.section])?;
        }
    }
    Ok(())
}

/// Has the words of comments that wait read anew: their article's title is among them. What does not wait is found by the title of then.
pub(super) fn retitle(work: &Work<'_>, site: SiteId, article: &Article) -> Result<()> {
    let of = params![site.0, article_key(work.shared, article.id.as_str())];
    let waiting = "SELECT id FROM queue WHERE site = ?1 AND article = ?2";
    work.connection.prepare_cached(&format!("INSERT INTO queue_change (id) {waiting}"))?.execute(of)?;
    work.connection.prepare_cached(&format!("INSERT OR IGNORE INTO search_due (id) {waiting}"))?.execute(of)?;
    Ok(())
}

/// Since when a comment waits, if it does.
pub(super) fn held_at(connection: &Connection, id: u32) -> Result<Option<Timestamp>> {
    let mut query = connection.prepare_cached("SELECT held_at FROM queue WHERE id = ?1")?;
    Ok(query.query_row([id], |row| row.get(0)).optional()?.map(Timestamp::from_millis))
}

/// What was known of the author of a comment that waits, when it came into the queue.
fn known_of(connection: &Connection, id: u32) -> Result<Option<bool>> {
    let mut query = connection.prepare_cached("SELECT coalesce(author_known, 0) FROM queue WHERE id = ?1")?;
    Ok(query.query_row([id], |row| row.get(0)).optional()?)
}

fn claim_of(connection: &Connection, id: u32) -> Result<Option<(String, i64)>> {
    let read = "SELECT claimed_by, claimed_until FROM queue WHERE id = ?1 AND claimed_by IS NOT NULL";
    Ok(connection.prepare_cached(read)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Leases what is free, or theirs already.
pub(super) fn claim(
    work: &Work<'_>,
    uids: &[Uuid],
    by: &Person,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let write = "UPDATE queue SET claimed_by = ?2, claimed_until = ?3 \
                 WHERE id = ?1 AND (claimed_by IS NULL OR claimed_by = ?2 OR claimed_until <= ?4)";
    each_held(work, uids, &by.reach, |id| {
        Ok(work.connection.prepare_cached(write)?.execute(params![id, by.email, until.as_millis(), now.as_millis()])?)
    })
}

/// Gives leases back.
pub(super) fn release(work: &Work<'_>, uids: &[Uuid], by: &str) -> Result<Vec<Uuid>> {
    let write = "UPDATE queue SET claimed_by = NULL, claimed_until = NULL WHERE id = ?1 AND claimed_by = ?2";
    each_held(work, uids, &Reach::ALL, |id| Ok(work.connection.prepare_cached(write)?.execute(params![id, by])?))
}

fn each_held(
    work: &Work<'_>,
    uids: &[Uuid],
    reach: &Reach,
    mut change: impl FnMut(u32) -> Result<usize>,
) -> Result<Vec<Uuid>> {
    let (mut changed, mut met) = (Vec::new(), HashSet::new());
    for uid in uids.iter().filter(|uid| met.insert(**uid)) {
        let Some(row) = rulings::permitted(work, *uid, reach)? else { continue };
        if change(row.id)? > 0 {
            changed.push(*uid);
        }
    }
    Ok(changed)
}

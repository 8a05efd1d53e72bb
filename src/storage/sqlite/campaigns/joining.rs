//! Who joins a campaign and who leaves, in the commits of their comments.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::super::rows::{self, Row};
use super::super::writer::Work;
use super::{absorb, by_uid, resolved, uid_of};
use crate::domain::campaign::{CampaignState, Membership, News};
use crate::domain::decision::DecidedBy;
use crate::domain::store::Result;
use crate::storage::codec;

/// Milliseconds after which a comment that was on its way will not come any more.
const WAIT_MS: i64 = 3_600_000;

/// Records what a comment's commit says of its campaign, in place of what was recorded of it before.
pub(in super::super) fn record(work: &Work<'_>, row: &Row, id: &str, membership: Option<&Membership>) -> Result<()> {
    let hash = work.shared.hasher.id(row.site, id).cast_signed();
    let waits = "SELECT campaign FROM campaign_wait WHERE site = ?1 AND id = ?2";
    let waits: Option<i64> =
        work.connection.prepare_cached(waits)?.query_row(params![row.site.0, hash], |row| row.get(0)).optional()?;
    if waits.is_some() {
        let done = "DELETE FROM campaign_wait WHERE site = ?1 AND id = ?2";
        work.connection.prepare_cached(done)?.execute(params![row.site.0, hash])?;
    }
    let left = if row.revision > 1 { leave(work.connection, row.id)? } else { None };
    if let Some(membership) = membership {
        if let Some(news) = &membership.news {
            learn(work, membership.campaign, news, membership.most)?;
        }
        // When it is not there, what recognised it was never stored: the next comment recognises it again.
        if let Some(found) = resolved(work.connection, membership.campaign)? {
            join(work.connection, found.id, row, membership.most)?;
        }
    } else if let Some(campaign) = waits
        && let Some(uid) = uid_of(work.connection, campaign)?
        && let Some(found) = resolved(work.connection, uid)?
    {
        join(work.connection, found.id, row, u32::MAX)?; // people may have made it part of another one meanwhile
    }
    // Only now: its last member may have been edited and still belong.
    left.map_or(Ok(()), |campaign| drop_empty(work.connection, campaign))
}

/// What the store does not know of a campaign, for all that memory can tell.
fn learn(work: &Work<'_>, uid: Uuid, news: &News, most: u32) -> Result<()> {
    let bytes = codec::encode(&news.keys)?;
    let write = "INSERT INTO campaign (uid, state, version, at, last_at, size, b) VALUES (?1, 1, ?2, ?3, ?3, 0, ?4) \
                 ON CONFLICT (uid) DO UPDATE SET version = excluded.version, b = excluded.b \
                 WHERE excluded.version > version";
    work.connection.prepare_cached(write)?.execute(params![
        uid.as_bytes(),
        news.version,
        news.at.as_millis(),
        bytes
    ])?;
    // People may have made it part of another one meanwhile, which may even be one that it absorbs.
    let Some(found) = resolved(work.connection, uid)? else { return Ok(()) };
    for absorbed in &news.absorbs {
        let from = by_uid(work.connection, *absorbed)?;
        if let Some(from) = from.filter(|from| from.state == CampaignState::Open && from.id != found.id) {
            absorb(work.connection, &from, found.uid)?;
        }
    }
    for (site, id) in &news.members {
        let hash = work.shared.hasher.id(*site, id);
        if let Some((row, _)) = rows::find(work.connection, &work.rows(hash), *site, id)? {
            if row.decided_by != DecidedBy::Person {
                leave_shelter(work.connection, row.id)?;
            }
            join(work.connection, found.id, &row, most)?;
        } else {
            let wait = "INSERT OR REPLACE INTO campaign_wait (site, id, campaign, at) VALUES (?1, ?2, ?3, ?4)";
            let at = news.at.as_millis();
            work.connection.prepare_cached(wait)?.execute(params![site.0, hash.cast_signed(), found.id, at])?;
        }
    }
    // Seldom enough to tidy up on the way: what was on its way and never came, and what has gone quiet.
    let old = news.at.as_millis() - WAIT_MS;
    work.connection.prepare_cached("DELETE FROM campaign_wait WHERE at < ?1")?.execute([old])?;
    let quiet = "UPDATE campaign SET state = 3 WHERE state = 1 AND last_at < ?1";
    work.connection.prepare_cached(quiet)?.execute([news.quiet_before.as_millis()])?;
    Ok(())
}

/// Adds a member, unless it belongs to one already, or that one has as many as are kept.
fn join(connection: &Connection, campaign: i64, row: &Row, most: u32) -> Result<()> {
    let write = "INSERT OR IGNORE INTO campaign_member (comment, campaign, number) \
                 SELECT ?1, id, size + 1 FROM campaign WHERE id = ?2 AND size < ?3";
    let joined = connection.prepare_cached(write)?.execute(params![row.id, campaign, most])?;
    // It goes on even when no more members are kept, or it would be closed for having gone quiet.
    let write = "UPDATE campaign SET size = size + ?3, last_at = max(last_at, ?2) WHERE id = ?1";
    connection.prepare_cached(write)?.execute(params![campaign, row.received_at.as_millis(), joined])?;
    Ok(())
}

/// A comment belongs to none any more. A campaign goes with its last member.
pub(in super::super) fn forget(connection: &Connection, comment: u32) -> Result<()> {
    leave(connection, comment)?.map_or(Ok(()), |campaign| drop_empty(connection, campaign))
}

/// Takes a comment out of its campaign, and answers which that was.
fn leave(connection: &Connection, comment: u32) -> Result<Option<i64>> {
    let delete = "DELETE FROM campaign_member WHERE comment = ?1 RETURNING campaign";
    Ok(connection.prepare_cached(delete)?.query_row([comment], |row| row.get(0)).optional()?)
}

/// Takes a comment out of a campaign that people let pass: it turned out to carry more than they saw. That one stays, with what was said of it.
fn leave_shelter(connection: &Connection, comment: u32) -> Result<()> {
    let delete = "DELETE FROM campaign_member WHERE comment = ?1 AND campaign IN \
                  (SELECT id FROM campaign WHERE state = 3 OR (state = 2 AND action = 1) OR sites IS NOT NULL)";
    connection.prepare_cached(delete)?.execute([comment])?;
    Ok(())
}

fn drop_empty(connection: &Connection, campaign: i64) -> Result<()> {
    // What just became part of another one has no members either, and stays: it says where they are.
    let empty = "DELETE FROM campaign WHERE id = ?1 AND state <> 4 \
                 AND NOT EXISTS (SELECT 1 FROM campaign_member WHERE campaign = ?1)";
    connection.prepare_cached(empty)?.execute([campaign])?;
    Ok(())
}

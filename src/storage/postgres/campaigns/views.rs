//! Campaigns as people see them: counted over all sites, shown within somebody's reach.

use std::collections::HashMap;

use super::super::db::{Cells as _, Db};
use super::members::{self, Joined, Wanted, sites_within};
use super::{Campaign, CampaignState, Counts, Found};
use crate::domain::people::Reach;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// Members shown of a campaign as its earliest.
const EARLIEST: usize = 5;
/// Members looked at together for whether they lie within a reach.
const CHUNK: usize = 200;

/// A campaign as somebody with that reach sees it; `None` when none of its members lies within.
pub(super) async fn one(db: &Db, found: Found, reach: &Reach) -> Result<Option<Campaign>> {
    Ok(all(db, vec![found], reach).await?.pop().flatten())
}

/// The same of several, in their order.
pub(super) async fn all(db: &Db, found: Vec<Found>, reach: &Reach) -> Result<Vec<Option<Campaign>>> {
    let numbers: Vec<i64> = found.iter().map(|found| found.id).collect();
    let (mut earliest, mut counted) = tokio::try_join!(earliest(db, &numbers, reach, EARLIEST), counts(db, &numbers))?;
    let mut seen = Vec::with_capacity(found.len());
    for found in found {
        let Some(members) = earliest.remove(&found.id) else {
            seen.push(None);
            continue;
        };
        let mut records = Vec::with_capacity(members.len());
        for member in &members {
            records.push(member.record(db).await?);
        }
        let counted = counted.remove(&found.id);
        let (mut counts, first_at, last_at) =
            counted.ok_or_else(|| StoreError::Corrupt("a campaign's members cannot be counted".to_owned()))?;
        if !found.rechecks() {
            counts.rechecks = 0;
        }
        seen.push(Some(Campaign {
            uid: found.uid,
            state: found.state,
            action: found.action,
            decision: found.ruling.filter(|_| found.state == CampaignState::Decided),
            rule_until: found.rule_until,
            into: found.into,
            recognised_at: found.at,
            keys: found.keys,
            size: found.size,
            counts,
            first_at,
            last_at,
            earliest: records,
        }));
    }
    Ok(seen)
}

/// The earliest members within reach of each campaign; those that have none are missing.
pub(super) async fn earliest(
    db: &Db,
    campaigns: &[i64],
    reach: &Reach,
    most: usize,
) -> Result<HashMap<i64, Vec<Joined>>> {
    let sites = sites_within(db, reach).await?;
    let mut earliest: HashMap<i64, Vec<Joined>> = HashMap::new();
    if reach.has_whole_sites() {
        for (campaign, member) in members::first_of_each(db, campaigns, sites.as_deref(), most).await? {
            earliest.entry(campaign).or_default().push(member);
        }
        return Ok(earliest);
    }
    for campaign in campaigns {
        let mut found = Vec::new();
        let mut wanted = Wanted::first(CHUNK);
        while found.len() < most {
            let chunk = members::read(db, *campaign, sites.as_deref(), &wanted).await?;
            let is_last = chunk.len() < CHUNK;
            wanted.after = chunk.last().map_or(wanted.after, |member| member.number);
            let within = members::tell_within(db, chunk, reach).await?;
            found.extend(within.into_iter().filter(|(_, is_within)| *is_within).map(|(member, _)| member));
            if is_last {
                break;
            }
        }
        found.truncate(most);
        if !found.is_empty() {
            earliest.insert(*campaign, found);
        }
    }
    Ok(earliest)
}

/// How many, over all sites, and when the first and the last arrived. What waits is held, even where it was drawn to be looked at.
async fn counts(db: &Db, campaigns: &[i64]) -> Result<HashMap<i64, (Counts, Timestamp, Timestamp)>> {
    let read = "SELECT m.campaign, count(*), count(*) FILTER (WHERE c.status = 1 AND q.comment IS NULL), \
                count(*) FILTER (WHERE c.status = 2 OR q.comment IS NOT NULL), \
                count(*) FILTER (WHERE c.status = 3 AND q.comment IS NULL), \
                count(*) FILTER (WHERE c.status = 1 AND q.comment IS NULL AND c.decided_by <> 2 AND NOT m.seen), \
                count(DISTINCT c.author), count(DISTINCT c.article), count(DISTINCT c.site), \
                min(c.received_at), max(c.received_at) \
                FROM campaign_member m JOIN comment c ON c.site = m.site AND c.uid = m.comment \
                LEFT JOIN queue q ON q.site = m.site AND q.comment = m.comment \
                WHERE m.campaign = ANY ($1) GROUP BY m.campaign";
    let mut counted = HashMap::new();
    for row in db.query(read, &[&campaigns]).await? {
        let count = |at| row.cell::<i64>(at).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let counts = Counts {
            comments: count(1)?,
            approved: count(2)?,
            held: count(3)?,
            rejected: count(4)?,
            rechecks: count(5)?,
            authors: count(6)?,
            articles: count(7)?,
            sites: count(8)?,
        };
        let at = |column| row.cell(column).map(Timestamp::from_millis);
        counted.insert(row.cell(0)?, (counts, at(9)?, at(10)?));
    }
    Ok(counted)
}

//! Campaigns as the store keeps them: fingerprints, a state, and who belongs. Counts are taken from the comments' own rows, so they cannot
//! disagree with them; nothing of any comment's text is kept here.

mod change;
mod joining;
mod rule;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

pub(super) use self::joining::{forget, record};
use super::rows::{self, Row};
use super::shared::Shared;
use super::{SqliteStore, lists, rulings, samples};
use crate::domain::campaign::{
    Campaign, CampaignError, CampaignFilter, CampaignRuled, CampaignRuling, CampaignState, Campaigns, Counts,
    KeptCampaign, Member, MemberFilter, Turn,
};
use crate::domain::decision::{Actor, DecidedBy, Status};
use crate::domain::history::Standing;
use crate::domain::people::Reach;
use crate::domain::store::{ListError, Page, PageRequest, Remembered, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::campaigned::{Found, action_of, state_code, state_of};
use crate::storage::codec;

/// Members shown of a campaign as its earliest.
const EARLIEST: usize = 5;
/// Campaigns looked at for one page.
const SCAN_MAX: usize = 2_000;
/// Members to be looked at again that are counted.
const RECHECKS_MAX: u64 = 10_000;

type Outcome<T> = std::result::Result<T, CampaignError>;

const COLUMNS: &str = "id, uid, state, action, ruling, into_uid, version, at, last_at, size, b, sites, rule_until";

/// Reads [`COLUMNS`].
fn found_of(row: &rusqlite::Row<'_>) -> Result<Found> {
    let uuid = |bytes: Option<[u8; 16]>| bytes.map(Uuid::from_bytes);
    Ok(Found {
        id: row.get(0)?,
        uid: Uuid::from_bytes(row.get(1)?),
        state: state_of(row.get(2)?)?,
        action: row.get::<_, Option<i64>>(3)?.map(action_of).transpose()?,
        ruling: uuid(row.get(4)?),
        into: uuid(row.get(5)?),
        version: row.get(6)?,
        at: Timestamp::from_millis(row.get(7)?),
        last_at: Timestamp::from_millis(row.get(8)?),
        size: row.get(9)?,
        keys: codec::decode("a campaign's fingerprints", &row.get::<_, Vec<u8>>(10)?)?,
        sites: row
            .get::<_, Option<Vec<u8>>>(11)?
            .map(|sites| codec::decode("a campaign's sites", &sites))
            .transpose()?,
        rule_until: row.get::<_, Option<i64>>(12)?.map(Timestamp::from_millis),
    })
}

fn by_uid(connection: &Connection, uid: Uuid) -> Result<Option<Found>> {
    let mut query = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM campaign WHERE uid = ?1"))?;
    let mut rows = query.query([uid.as_bytes()])?;
    rows.next()?.map(found_of).transpose()
}

/// The campaign of that name, or the one that it became part of.
fn resolved(connection: &Connection, uid: Uuid) -> Result<Option<Found>> {
    let mut found = by_uid(connection, uid)?;
    for _ in 0..32 {
        let Some(into) = found.as_ref().and_then(|found| found.into) else { break };
        found = by_uid(connection, into)?;
    }
    Ok(found)
}

/// The campaign that a comment belongs to.
pub(super) fn of_comment(connection: &Connection, comment: u32) -> Result<Option<Uuid>> {
    let read = "SELECT c.uid FROM campaign_member m JOIN campaign c ON c.id = m.campaign WHERE m.comment = ?1";
    let uid: Option<[u8; 16]> = connection.prepare_cached(read)?.query_row([comment], |row| row.get(0)).optional()?;
    Ok(uid.map(Uuid::from_bytes))
}

/// The number of a campaign in rows; one that none has when there is no such campaign.
pub(super) fn number_of(connection: &Connection, uid: Uuid) -> Result<i64> {
    Ok(by_uid(connection, uid)?.map_or(-1, |found| found.id))
}

/// The campaign of that number.
pub(super) fn uid_of(connection: &Connection, number: i64) -> Result<Option<Uuid>> {
    let mut query = connection.prepare_cached("SELECT uid FROM campaign WHERE id = ?1")?;
    let uid: Option<[u8; 16]> = query.query_row([number], |row| row.get(0)).optional()?;
    Ok(uid.map(Uuid::from_bytes))
}

/// How many members within reach stand approved and are to be looked at; ten thousand are looked at. Triggers keep `recheck`.
pub(super) fn rechecks(connection: &Connection, shared: &Shared, reach: &Reach) -> Result<u64> {
    match &reach.sites {
        None if reach.is_all() => {
            let all: u64 =
                connection.prepare_cached("SELECT count(*) FROM recheck")?.query_row([], |row| row.get(0))?;
            Ok(all.min(RECHECKS_MAX))
        }
        Some(sites) if reach.has_whole_sites() => {
            let read = "SELECT count(*) FROM (SELECT 1 FROM site s JOIN recheck r ON r.site = s.id WHERE s.name = ?1 LIMIT ?2)";
            let mut query = connection.prepare_cached(read)?;
            let mut count = 0;
            for site in sites.iter().collect::<BTreeSet<_>>() {
                count += query.query_row(params![site, RECHECKS_MAX], |row| row.get::<_, u64>(0))?;
            }
            Ok(count.min(RECHECKS_MAX))
        }
        Some(_) | None => rechecks_one_by_one(connection, shared, reach),
    }
}

/// The same for whoever works on sections or languages: where a comment stands is written in it.
fn rechecks_one_by_one(connection: &Connection, shared: &Shared, reach: &Reach) -> Result<u64> {
    let mut query = connection.prepare_cached("SELECT comment FROM recheck ORDER BY comment DESC LIMIT ?1")?;
    let found = query.query_map([RECHECKS_MAX], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()?;
    let mut count = 0;
    for comment in found {
        let Some(row) = live(connection, comment)? else { continue };
        count += u64::from(within(connection, shared, &row, reach)?);
    }
    Ok(count)
}

/// A ruling was taken back: the campaign that it decided stands as the decision before left it, or is open again.
pub(super) fn reopen(connection: &Connection, decision: Uuid) -> Result<()> {
    let undo = "UPDATE campaign_decision SET undone = 1 WHERE ruling = ?1";
    connection.prepare_cached(undo)?.execute([decision.as_bytes()])?;
    let read = "SELECT id FROM campaign WHERE ruling = ?1 AND state = 2";
    let id: Option<i64> =
        connection.prepare_cached(read)?.query_row([decision.as_bytes()], |row| row.get(0)).optional()?;
    let Some(id) = id else { return Ok(()) };
    let before = "UPDATE campaign SET action = d.action, ruling = d.ruling, sites = d.sites, rule_until = d.rule_until \
                  FROM (SELECT action, ruling, sites, rule_until FROM campaign_decision WHERE campaign = ?1 AND undone = 0 \
                  ORDER BY id DESC LIMIT 1) d WHERE id = ?1";
    if connection.prepare_cached(before)?.execute([id])? > 0 {
        return Ok(());
    }
    let open = "UPDATE campaign SET state = 1, action = NULL, sites = NULL, rule_until = NULL WHERE id = ?1";
    connection.prepare_cached(open)?.execute([id])?;
    connection.prepare_cached("UPDATE campaign_member SET seen = 0 WHERE campaign = ?1 AND seen = 1")?.execute([id])?;
    Ok(())
}

/// Members after that number, by number: comment, number, whether a person saw it.
fn members(connection: &Connection, campaign: i64, after: u32) -> Result<Vec<(u32, u32, bool)>> {
    let read = "SELECT comment, number, seen FROM campaign_member WHERE campaign = ?1 AND number > ?2 ORDER BY number";
    let mut query = connection.prepare_cached(read)?;
    let found = query.query_map(params![campaign, after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn live(connection: &Connection, comment: u32) -> Result<Option<Row>> {
    Ok(rows::row(connection, comment)?.filter(|row| row.status.is_some()))
}

fn has_member_within(connection: &Connection, shared: &Shared, campaign: i64, reach: &Reach) -> Result<bool> {
    for (comment, ..) in members(connection, campaign, 0)? {
        if let Some(row) = live(connection, comment)?
            && within(connection, shared, &row, reach)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn within(connection: &Connection, shared: &Shared, row: &Row, reach: &Reach) -> Result<bool> {
    if reach.is_all() {
        return Ok(true);
    }
    if !reach.covers_site(&shared.site_name(connection, row.site)?) {
        return Ok(false);
    }
    Ok(reach.has_whole_sites() || rulings::place(connection, shared, row)?.lies_within(reach))
}

/// A campaign as somebody with that reach sees it; `None` when none of its members lies within.
fn view(connection: &Connection, shared: &Shared, found: Found, reach: &Reach) -> Result<Option<Campaign>> {
    let mut earliest = Vec::new();
    for (comment, ..) in members(connection, found.id, 0)? {
        let Some(row) = live(connection, comment)? else { continue };
        if within(connection, shared, &row, reach)? {
            earliest.push(rows::load(connection, shared, &row)?);
            if earliest.len() == EARLIEST {
                break;
            }
        }
    }
    if earliest.is_empty() {
        return Ok(None);
    }
    // As people see it: what waits is held, even where it was drawn to be looked at.
    let read = "SELECT count(*), sum(c.status = 1 AND q.id IS NULL), sum(c.status = 2 OR q.id IS NOT NULL), \
                sum(c.status = 3 AND q.id IS NULL), \
                sum(c.status = 1 AND q.id IS NULL AND c.decided_by <> 2 AND m.seen = 0), count(DISTINCT substr(c.keys, 9, 8)), \
                count(DISTINCT substr(c.keys, 25, 8)), count(DISTINCT c.site), min(c.received_at), max(c.received_at) \
                FROM campaign_member m JOIN comment c ON c.id = m.comment LEFT JOIN queue q ON q.id = c.id \
                WHERE m.campaign = ?1 AND c.status <> 0";
    let (counts, first_at, last_at) = connection.prepare_cached(read)?.query_row([found.id], |row| {
        let counts = Counts {
            comments: row.get(0)?,
            approved: row.get(1)?,
            held: row.get(2)?,
            rejected: row.get(3)?,
            rechecks: if found.rechecks() { row.get(4)? } else { 0 },
            authors: row.get(5)?,
            articles: row.get(6)?,
            sites: row.get(7)?,
        };
        Ok((counts, Timestamp::from_millis(row.get(8)?), Timestamp::from_millis(row.get(9)?)))
    })?;
    Ok(Some(Campaign {
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
        earliest,
    }))
}

fn list(
    connection: &Connection,
    shared: &Shared,
    filter: &CampaignFilter,
    page: &PageRequest,
) -> std::result::Result<Page<Campaign>, ListError> {
    let below = page.cursor.as_deref().map(|cursor| lists::row_of_cursor(shared, cursor)).transpose()?;
    let read = format!(
        "SELECT {COLUMNS} FROM campaign c WHERE id < ?1 AND (?2 = 0 OR state = ?2) AND (?3 IS NULL OR EXISTS \
         (SELECT 1 FROM campaign_member m JOIN comment x ON x.id = m.comment JOIN site s ON s.id = x.site \
         WHERE m.campaign = c.id AND s.name = ?3)) ORDER BY id DESC LIMIT ?4"
    );
    let mut query = connection.prepare_cached(&read).map_err(StoreError::from)?;
    let state = filter.state.map_or(0, state_code);
    let most = i64::try_from(SCAN_MAX).unwrap_or(i64::MAX);
    let mut rows =
        query.query(params![below.unwrap_or(u32::MAX), state, filter.site, most]).map_err(StoreError::from)?;
    let limit = lists::limit(page);
    let there = match &filter.site {
        Some(site) if !filter.reach.covers_site(site) => return Ok(Page { items: Vec::new(), next_cursor: None }),
        Some(site) => Some(Reach { sites: Some(vec![site.clone()]), ..filter.reach.clone() }),
        None => None,
    };
    let (mut items, mut last, mut scanned) = (Vec::new(), 0, 0);
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        if items.len() == limit {
            return Ok(Page { items, next_cursor: Some(lists::cursor_of_row(shared, last)) });
        }
        let found = found_of(row)?;
        last = u32::try_from(found.id).unwrap_or(u32::MAX);
        scanned += 1;
        if let Some(there) = &there
            && !has_member_within(connection, shared, found.id, there)?
        {
            continue; // what another site's comments belong to is for those who work there
        }
        if let Some(campaign) = view(connection, shared, found, &filter.reach)?
            && (!filter.recheck || campaign.counts.rechecks > 0)
        {
            items.push(campaign);
        }
    }
    Ok(Page { items, next_cursor: (scanned == SCAN_MAX).then(|| lists::cursor_of_row(shared, last)) })
}

fn list_members(
    connection: &Connection,
    shared: &Shared,
    uid: Uuid,
    filter: &MemberFilter,
    page: &PageRequest,
) -> std::result::Result<Page<Member>, ListError> {
    let after = page.cursor.as_deref().map(|cursor| lists::row_of_cursor(shared, cursor)).transpose()?;
    let limit = lists::limit(page);
    let (mut items, mut last) = (Vec::new(), 0);
    let Some(found) = by_uid(connection, uid)? else { return Ok(Page { items, next_cursor: None }) };
    for (comment, number, seen) in members(connection, found.id, after.unwrap_or(0))? {
        let Some(row) = live(connection, comment)? else { continue };
        // Somebody looks at what waits, and is not to be told which of it was drawn.
        let status = if samples::waits(connection, comment)? { Some(Status::Held) } else { row.status };
        let recheck =
            found.rechecks() && !seen && status == Some(Status::Approved) && row.decided_by != DecidedBy::Person;
        let wanted = filter.status.is_none_or(|wanted| status == Some(wanted)) && (recheck || !filter.recheck);
        if !wanted || !within(connection, shared, &row, &filter.reach)? {
            continue;
        }
        if items.len() == limit {
            return Ok(Page { items, next_cursor: Some(lists::cursor_of_row(shared, last)) });
        }
        last = number;
        items.push(Member { record: rows::load(connection, shared, &row)?, number, recheck });
    }
    Ok(Page { items, next_cursor: None })
}

/// Makes the members of one campaign the last to have joined another.
fn absorb(connection: &Connection, from: &Found, into: Uuid) -> Result<()> {
    let Some(other) = by_uid(connection, into)? else { return Ok(()) };
    let write = "UPDATE campaign_member SET campaign = ?2, number = number + ?3 WHERE campaign = ?1";
    connection.prepare_cached(write)?.execute(params![from.id, other.id, other.size])?;
    let write = "UPDATE campaign SET size = size + ?2, last_at = max(last_at, ?3) WHERE id = ?1";
    connection.prepare_cached(write)?.execute(params![other.id, from.size, from.last_at.as_millis()])?;
    let write = "UPDATE campaign SET state = 4, into_uid = ?2 WHERE id = ?1";
    connection.prepare_cached(write)?.execute(params![from.id, into.as_bytes()])?;
    Ok(())
}

fn remembered(
    connection: &Connection,
    since: Timestamp,
    decided_since: Timestamp,
    most: usize,
    each: u32,
) -> Result<Vec<KeptCampaign>> {
    let read = format!(
        "SELECT {COLUMNS} FROM campaign WHERE (state IN (1, 3) AND last_at >= ?1) OR (state = 2 AND last_at >= ?2) \
         ORDER BY last_at DESC LIMIT ?3"
    );
    let mut query = connection.prepare_cached(&read)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = query.query(params![since.as_millis(), decided_since.as_millis(), most])?;
    let mut kept = Vec::new();
    while let Some(row) = rows.next()? {
        let found = found_of(row)?;
        let read = format!(
            "SELECT {} FROM comment WHERE id IN (SELECT comment FROM campaign_member WHERE campaign = ?1 \
             ORDER BY number DESC LIMIT ?2) AND status <> 0 ORDER BY id",
            rows::COLUMNS
        );
        let mut query = connection.prepare_cached(&read)?;
        let mut rows = query.query(params![found.id, each])?;
        let mut members = Vec::new();
        while let Some(row) = rows.next()? {
            let row = Row::read(row)?;
            let standing = Standing { status: row.live()?, by_person: row.decided_by == DecidedBy::Person };
            members.push(Remembered { trace: row.trace()?, received_at: row.received_at, standing });
        }
        let Found { uid, state, action, sites, rule_until, keys, version, at, last_at, .. } = found;
        kept.push(KeptCampaign { uid, state, action, sites, rule_until, keys, version, at, last_at, members });
    }
    kept.sort_by_key(|campaign| (campaign.at, campaign.uid)); // the oldest first, as they were recognised
    Ok(kept)
}

#[async_trait]
impl Campaigns for SqliteStore {
    async fn campaigns_remembered(
        &self,
        since: Timestamp,
        decided_since: Timestamp,
        most: usize,
        members: u32,
    ) -> Result<Vec<KeptCampaign>> {
        self.readers.ask(move |connection| remembered(connection, since, decided_since, most, members)).await
    }

    async fn campaign_list(
        &self,
        filter: &CampaignFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Campaign>, ListError> {
        let (shared, filter, page) = (Arc::clone(&self.shared), filter.clone(), page.clone());
        self.readers.ask(move |connection| list(connection, &shared, &filter, &page)).await
    }

    async fn campaign_find(&self, uid: Uuid, reach: &Reach) -> Result<Option<Campaign>> {
        let (shared, reach) = (Arc::clone(&self.shared), reach.clone());
        let find = move |connection: &Connection| -> Result<_> {
            let found = by_uid(connection, uid)?;
            let Some(found) = found else { return Ok(None) };
            if let (CampaignState::Merged, Some(into)) = (found.state, found.into) {
                // Its members are there now: who may see that one may know.
                let Some(there) = resolved(connection, into)? else { return Ok(None) };
                let seen = view(connection, &shared, there, &reach)?;
                return Ok(seen.map(|seen| Campaign {
                    uid: found.uid,
                    state: found.state,
                    into: Some(seen.uid),
                    recognised_at: found.at,
                    keys: found.keys,
                    size: 0,
                    counts: Counts::default(),
                    earliest: Vec::new(),
                    ..seen
                }));
            }
            view(connection, &shared, found, &reach)
        };
        self.readers.ask(find).await
    }

    async fn campaign_members(
        &self,
        uid: Uuid,
        filter: &MemberFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Member>, ListError> {
        let (shared, filter, page) = (Arc::clone(&self.shared), filter.clone(), page.clone());
        self.readers.ask(move |connection| list_members(connection, &shared, uid, &filter, &page)).await
    }

    async fn campaign_rule(&self, ruling: CampaignRuling) -> Outcome<CampaignRuled> {
        self.writer.run(move |work| change::rule(work, &ruling)).await?
    }

    async fn campaign_close(&self, uid: Uuid, by: Actor, reach: &Reach, at: Timestamp) -> Outcome<Turn> {
        let reach = reach.clone();
        self.writer.run(move |work| change::close(work, uid, &by, &reach, at)).await?
    }

    async fn campaign_merge(&self, uid: Uuid, into: Uuid, by: Actor, reach: &Reach, at: Timestamp) -> Outcome<Turn> {
        let reach = reach.clone();
        self.writer.run(move |work| change::merge(work, uid, into, &by, &reach, at)).await?
    }

    async fn campaign_rule_until(
        &self,
        uid: Uuid,
        until: Option<Timestamp>,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> Outcome<Turn> {
        let reach = reach.clone();
        self.writer.run(move |work| rule::set(work, uid, until, &by, &reach, at)).await?
    }

    async fn campaign_arrivals(&self, uid: Uuid, reach: &Reach) -> Result<Vec<(Timestamp, Status)>> {
        let (shared, reach) = (Arc::clone(&self.shared), reach.clone());
        self.readers.ask(move |connection| rule::arrivals(connection, &shared, uid, &reach)).await
    }

    async fn campaign_of_ruling(&self, decision: Uuid) -> Result<Option<Turn>> {
        let find = move |connection: &Connection| -> Result<_> {
            let mut query = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM campaign \
                 WHERE id = coalesce((SELECT campaign FROM campaign_decision WHERE ruling = ?1), (SELECT id FROM campaign WHERE ruling = ?1))"
            ))?;
            let mut rows = query.query([decision.as_bytes()])?;
            Ok(rows.next()?.map(found_of).transpose()?.map(|found| found.turn()))
        };
        self.readers.ask(find).await
    }
}

//! Campaigns as the store keeps them: fingerprints, a state, and who belongs. Counts are taken from the comments' own rows, so they cannot
//! disagree with them; nothing of any comment's text is kept here.
//!
//! A campaign may have thousands of members: whatever is about all of them is one statement, or one for each few hundred.

mod change;
mod joining;
mod members;
mod remembered;
mod rule;
mod views;

use async_trait::async_trait;
use tokio_postgres::Row as Cell;
use uuid::Uuid;

use self::members::{Wanted, sites_within};
use super::PostgresStore;
use super::cursor::{self, cursor_of, place_of};
use super::db::{Cells as _, Db, number};
use super::work::{Work, transact};
use crate::domain::campaign::{
    Campaign, CampaignError, CampaignFilter, CampaignRuled, CampaignRuling, CampaignState, Campaigns, Counts,
    KeptCampaign, Member, MemberFilter, Turn,
};
use crate::domain::decision::{Actor, DecidedBy, Status};
use crate::domain::people::Reach;
use crate::domain::site::SiteId;
use crate::domain::store::{ListError, Page, PageRequest, Result};
use crate::domain::time::Timestamp;
use crate::storage::campaigned::{self, Found};
use crate::storage::codec;

pub(super) use self::joining::{drop_emptied, forget, record};

/// Campaigns looked at for one page.
const SCAN_MAX: usize = 2_000;
/// What cursors of the lists are signed for.
const LIST: &str = "campaigns";
const MEMBERS: &str = "campaign members";

type Outcome<T> = std::result::Result<T, CampaignError>;

const COLUMNS: &str = "k.id, k.uid, k.state, k.action, k.ruling, k.into_uid, k.version, k.at, k.last_at, k.size, k.b, k.sites, k.rule_until";

/// Reads [`COLUMNS`].
fn found_of(row: &Cell) -> Result<Found> {
    let action = row.cell::<Option<i16>>(3)?.map(i64::from);
    let sites = row.cell::<Option<&[u8]>>(11)?;
    Ok(Found {
        id: row.cell(0)?,
        uid: row.cell(1)?,
        state: campaigned::state_of(i64::from(row.cell::<i16>(2)?))?,
        action: action.map(campaigned::action_of).transpose()?,
        ruling: row.cell(4)?,
        into: row.cell(5)?,
        version: row.natural(6)?,
        at: Timestamp::from_millis(row.cell(7)?),
        last_at: Timestamp::from_millis(row.cell(8)?),
        size: row.natural(9)?,
        keys: codec::decode("a campaign's fingerprints", row.cell(10)?)?,
        sites: sites.map(|sites| codec::decode("a campaign's sites", sites)).transpose()?,
        rule_until: row.cell::<Option<i64>>(12)?.map(Timestamp::from_millis),
    })
}

async fn by_uid(db: &Db, uid: Uuid) -> Result<Option<Found>> {
    let read = format!("SELECT {COLUMNS} FROM campaign k WHERE k.uid = $1");
    db.query_opt(&read, &[&uid]).await?.as_ref().map(found_of).transpose()
}

/// The same, which nobody else changes, and which nobody else joins, until `work` ends.
async fn by_uid_locked(work: &Work, uid: Uuid) -> Result<Option<Found>> {
    let read = format!("SELECT {COLUMNS} FROM campaign k WHERE k.uid = $1 FOR UPDATE");
    work.query_opt(&read, &[&uid]).await?.as_ref().map(found_of).transpose()
}

/// The campaign of that name, or the one that it became part of.
async fn resolved(db: &Db, uid: Uuid) -> Result<Option<Found>> {
    let mut found = by_uid(db, uid).await?;
    for _ in 0..32 {
        let Some(into) = found.as_ref().and_then(|found| found.into) else { break };
        found = by_uid(db, into).await?;
    }
    Ok(found)
}

/// The campaign of that number, or the one that it became part of, which nobody else merges until `work` ends: whoever joined what became part of
/// another one meanwhile would belong to a campaign that nobody looks at.
async fn resolved_locked(work: &Work, id: i64) -> Result<Option<Found>> {
    let read = format!("SELECT {COLUMNS} FROM campaign k WHERE k.id = $1 FOR UPDATE");
    let mut found = work.query_opt(&read, &[&id]).await?.as_ref().map(found_of).transpose()?;
    for _ in 0..32 {
        let Some(into) = found.as_ref().and_then(|found| found.into) else { break };
        found = by_uid_locked(work, into).await?;
    }
    Ok(found)
}

/// The campaign that a comment belongs to.
pub(super) async fn of_comment(db: &Db, site: SiteId, comment: Uuid) -> Result<Option<Uuid>> {
    let read =
        "SELECT k.uid FROM campaign_member m JOIN campaign k ON k.id = m.campaign WHERE m.site = $1 AND m.comment = $2";
    db.query_opt(read, &[&number(site), &comment]).await?.map(|row| row.cell(0)).transpose()
}

/// The number of a campaign in rows; one that none has when there is no such campaign.
pub(super) async fn number_of(db: &Db, uid: Uuid) -> Result<i64> {
    let found = db.query_opt("SELECT id FROM campaign WHERE uid = $1", &[&uid]).await?;
    found.map_or(Ok(-1), |row| row.cell(0))
}

/// How many members within reach stand approved and are to be looked at.
pub(super) async fn rechecks(db: &Db, reach: &Reach) -> Result<u64> {
    members::count_rechecks(db, reach).await
}

/// A ruling was taken back: the campaign that it decided stands as the decision before left it, or is open again.
pub(super) async fn reopen(work: &Work, decision: Uuid) -> Result<()> {
    let found =
        work.query_opt("SELECT id FROM campaign WHERE ruling = $1 AND state = 2 FOR UPDATE", &[&decision]).await?;
    work.execute("UPDATE campaign_decision SET undone = true WHERE ruling = $1", &[&decision]).await?;
    let Some(found) = found else { return Ok(()) };
    let id: i64 = found.cell(0)?;
    let before = "UPDATE campaign k SET action = d.action, ruling = d.ruling, sites = d.sites, rule_until = d.rule_until \
                  FROM (SELECT action, ruling, sites, rule_until FROM campaign_decision WHERE campaign = $1 AND NOT undone \
                  ORDER BY id DESC LIMIT 1) d WHERE k.id = $1";
    if work.execute(before, &[&id]).await? > 0 {
        return Ok(());
    }
    let open = "UPDATE campaign SET state = 1, action = NULL, sites = NULL, rule_until = NULL WHERE id = $1";
    work.execute(open, &[&id]).await?;
    work.execute("UPDATE campaign_member SET seen = false WHERE campaign = $1 AND seen", &[&id]).await?;
    Ok(())
}

async fn list(db: &Db, filter: &CampaignFilter, page: &PageRequest) -> std::result::Result<Page<Campaign>, ListError> {
    let mut below: i64 = match &page.cursor {
        Some(cursor) => place_of(&db.shared, LIST, cursor)?,
        None => i64::MAX,
    };
    let limit = cursor::limit(page);
    // What another site's comments belong to is for those who work there.
    let there = match &filter.site {
        Some(site) if !filter.reach.covers_site(site) => return Ok(Page { items: Vec::new(), next_cursor: None }),
        Some(site) => Some(Reach { sites: Some(vec![site.clone()]), ..filter.reach.clone() }),
        None => None,
    };
    let read = format!(
        "SELECT {COLUMNS} FROM campaign k WHERE k.id < $1 AND ($2::smallint IS NULL OR k.state = $2) \
         AND ($3::text IS NULL OR EXISTS (SELECT 1 FROM campaign_member m JOIN comment c ON c.site = m.site AND c.uid = m.comment \
         JOIN site s ON s.id = m.site WHERE m.campaign = k.id AND s.name = $3)) ORDER BY k.id DESC LIMIT $4"
    );
    let state = filter.state.map(state_code);
    let chunk = (limit + 1).min(100);
    let (mut items, mut scanned) = (Vec::new(), 0);
    loop {
        let most = i64::try_from(chunk).unwrap_or(i64::MAX);
        let rows = db.query(&read, &[&below, &state, &filter.site, &most]).await?;
        let found = rows.iter().map(found_of).collect::<Result<Vec<_>>>()?;
        let is_last = found.len() < chunk;
        let numbers: Vec<i64> = found.iter().map(|found| found.id).collect();
        let seen_there = match &there {
            Some(there) => Some(views::earliest(db, &numbers, there, 1).await?),
            None => None,
        };
        for (number, view) in numbers.into_iter().zip(views::all(db, found, &filter.reach).await?) {
            if items.len() == limit {
                return Ok(Page { items, next_cursor: Some(cursor_of(&db.shared, LIST, &below)) });
            }
            below = number;
            scanned += 1;
            let lies_there = seen_there.as_ref().is_none_or(|there| there.contains_key(&number));
            if let Some(campaign) = view.filter(|view| lies_there && (!filter.recheck || view.counts.rechecks > 0)) {
                items.push(campaign);
            }
        }
        if is_last {
            return Ok(Page { items, next_cursor: None });
        }
        if scanned >= SCAN_MAX {
            return Ok(Page { items, next_cursor: Some(cursor_of(&db.shared, LIST, &below)) });
        }
    }
}

async fn list_members(
    db: &Db,
    uid: Uuid,
    filter: &MemberFilter,
    page: &PageRequest,
) -> std::result::Result<Page<Member>, ListError> {
    let mut after: u32 = match &page.cursor {
        Some(cursor) => place_of(&db.shared, MEMBERS, cursor)?,
        None => 0,
    };
    let limit = cursor::limit(page);
    let mut items = Vec::new();
    let nothing = Page { items: Vec::new(), next_cursor: None };
    let Some(found) = by_uid(db, uid).await? else { return Ok(nothing) };
    if filter.recheck && !found.rechecks() {
        return Ok(nothing);
    }
    let sites = sites_within(db, &filter.reach).await?;
    loop {
        let wanted = Wanted { after, status: filter.status, recheck: filter.recheck, most: limit + 1 };
        let chunk = members::read(db, found.id, sites.as_deref(), &wanted).await?;
        let is_last = chunk.len() <= limit;
        for (member, is_within) in members::tell_within(db, chunk, &filter.reach).await? {
            if is_within && items.len() == limit {
                return Ok(Page { items, next_cursor: Some(cursor_of(&db.shared, MEMBERS, &after)) });
            }
            after = member.number;
            if is_within {
                let recheck = found.rechecks() && member.is_unseen();
                items.push(Member { number: member.number, recheck, record: member.record(db).await? });
            }
        }
        if is_last {
            return Ok(Page { items, next_cursor: None });
        }
    }
}

async fn find(db: &Db, uid: Uuid, reach: &Reach) -> Result<Option<Campaign>> {
    let Some(found) = by_uid(db, uid).await? else { return Ok(None) };
    if let (CampaignState::Merged, Some(into)) = (found.state, found.into) {
        // Its members are there now: who may see that one may know.
        let Some(there) = resolved(db, into).await? else { return Ok(None) };
        let seen = views::one(db, there, reach).await?;
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
    views::one(db, found, reach).await
}

/// Makes the members of one campaign the last to have joined another. Both are locked.
async fn absorb(work: &Work, from: &Found, into: Uuid) -> Result<()> {
    let Some(other) = by_uid_locked(work, into).await? else { return Ok(()) };
    let write = "UPDATE campaign_member SET campaign = $2, number = number + $3 WHERE campaign = $1";
    let (size, joined) = (super::db::signed(other.size), super::db::signed(from.size));
    work.execute(write, &[&from.id, &other.id, &size]).await?;
    let write = "UPDATE campaign SET size = size + $2, last_at = greatest(last_at, $3) WHERE id = $1";
    work.execute(write, &[&other.id, &joined, &from.last_at.as_millis()]).await?;
    work.execute("UPDATE campaign SET state = 4, into_uid = $2 WHERE id = $1", &[&from.id, &into]).await?;
    Ok(())
}

fn state_code(state: CampaignState) -> i16 {
    i16::try_from(campaigned::state_code(state)).unwrap_or_default() // they are 1 to 4
}

#[async_trait]
impl Campaigns for PostgresStore {
    async fn campaigns_remembered(
        &self,
        since: Timestamp,
        decided_since: Timestamp,
        most: usize,
        members: u32,
    ) -> Result<Vec<KeptCampaign>> {
        let db = self.db().await?;
        remembered::all(&db, since, decided_since, most, members).await
    }

    async fn campaign_list(
        &self,
        filter: &CampaignFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Campaign>, ListError> {
        let db = self.db().await?;
        list(&db, filter, page).await
    }

    async fn campaign_find(&self, uid: Uuid, reach: &Reach) -> Result<Option<Campaign>> {
        let db = self.db().await?;
        find(&db, uid, reach).await
    }

    async fn campaign_members(
        &self,
        uid: Uuid,
        filter: &MemberFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Member>, ListError> {
        let db = self.db().await?;
        list_members(&db, uid, filter, page).await
    }

    async fn campaign_rule(&self, ruling: CampaignRuling) -> Outcome<CampaignRuled> {
        transact!(self, work => change::rule(&work, &ruling).await)?
    }

    async fn campaign_close(&self, uid: Uuid, by: Actor, reach: &Reach, at: Timestamp) -> Outcome<Turn> {
        transact!(self, work => change::close(&work, uid, &by, reach, at).await)?
    }

    async fn campaign_merge(&self, uid: Uuid, into: Uuid, by: Actor, reach: &Reach, at: Timestamp) -> Outcome<Turn> {
        transact!(self, work => change::merge(&work, uid, into, &by, reach, at).await)?
    }

    async fn campaign_rule_until(
        &self,
        uid: Uuid,
        until: Option<Timestamp>,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> Outcome<Turn> {
        transact!(self, work => rule::set(&work, uid, until, &by, reach, at).await)?
    }

    async fn campaign_arrivals(&self, uid: Uuid, reach: &Reach) -> Result<Vec<(Timestamp, Status)>> {
        let db = self.db().await?;
        rule::arrivals(&db, uid, reach).await
    }

    async fn campaign_of_ruling(&self, decision: Uuid) -> Result<Option<Turn>> {
        let db = self.db().await?;
        let read = format!(
            "SELECT {COLUMNS} FROM campaign k WHERE k.id = coalesce((SELECT d.campaign FROM campaign_decision d WHERE d.ruling = $1), \
             (SELECT o.id FROM campaign o WHERE o.ruling = $1 ORDER BY o.id LIMIT 1))"
        );
        let found = db.query_opt(&read, &[&decision]).await?;
        Ok(found.as_ref().map(found_of).transpose()?.map(|found| found.turn()))
    }
}

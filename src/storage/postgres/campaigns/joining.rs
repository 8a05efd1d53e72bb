//! Who joins a campaign and who leaves, in the commits of their comments.

use uuid::Uuid;

use super::super::db::{Cells as _, number, signed};
use super::super::rows::Row;
use super::super::work::Work;
use super::{Found, absorb, by_uid_locked, number_of, resolved_locked};
use crate::domain::campaign::{CampaignState, Membership, News};
use crate::domain::decision::DecidedBy;
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::codec;

/// Milliseconds after which a comment that was on its way will not come any more.
const WAIT_MS: i64 = 3_600_000;

/// A comment that joins.
#[derive(Clone, Copy)]
struct Comer {
    site: i32,
    comment: Uuid,
    received_at: Timestamp,
}

impl Comer {
    fn of(row: &Row) -> Self {
        Self { site: number(row.site), comment: row.uid, received_at: row.received_at }
    }
}

/// Records what a comment's commit says of its campaign, in place of what was recorded of it before.
pub(in super::super) async fn record(
    work: &Work,
    row: &Row,
    name: &str,
    membership: Option<&Membership>,
) -> Result<()> {
    let done = "DELETE FROM campaign_wait WHERE site = $1 AND id = $2 RETURNING campaign";
    let waits = work.query_opt(done, &[&number(row.site), &key(work, row.site, name)]).await?;
    let left = if row.revision > 1 { leave(work, row.site, row.uid).await? } else { None };
    if let Some(membership) = membership {
        if let Some(news) = &membership.news {
            learn(work, membership.campaign, news, membership.most).await?;
        }
        // When it is not there, what recognised it was never stored: the next comment recognises it again.
        join(work, number_of(work, membership.campaign).await?, &[Comer::of(row)], membership.most).await?;
    } else if let Some(waits) = waits {
        join(work, waits.cell(0)?, &[Comer::of(row)], u32::MAX).await?;
    }
    // Only now: its last member may have been edited and still belong.
    match left {
        Some(campaign) => drop_empty(work, campaign).await,
        None => Ok(()),
    }
}

fn key(work: &Work, site: SiteId, name: &str) -> i64 {
    work.hasher.id(site, name).cast_signed()
}

/// What the store does not know of a campaign, for all that memory can tell.
async fn learn(work: &Work, uid: Uuid, news: &News, most: u32) -> Result<()> {
    let members = find(work, news).await?;
    let write = "INSERT INTO campaign AS k (uid, state, version, at, last_at, size, b) VALUES ($1, 1, $2, $3, $3, 0, $4) \
                 ON CONFLICT (uid) DO UPDATE SET version = excluded.version, b = excluded.b \
                 WHERE excluded.version > k.version";
    let bytes = codec::encode(&news.keys)?;
    work.execute(write, &[&uid, &signed(news.version), &news.at.as_millis(), &bytes]).await?;
    // People may have made it part of another one on another node, which may even be one that it absorbs.
    let Some(found) = resolved_locked(work, number_of(work, uid).await?).await? else { return Ok(()) };
    for absorbed in &news.absorbs {
        let from = by_uid_locked(work, *absorbed).await?;
        if let Some(from) = from.filter(|from| from.state == CampaignState::Open && from.id != found.id) {
            absorb(work, &from, found.uid).await?;
        }
    }
    let (mut comers, mut sheltered, mut waits) = (Vec::new(), (Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for ((site, name), member) in news.members.iter().zip(members) {
        let Some((comer, decided_by)) = member else {
            waits.0.push(number(*site));
            waits.1.push(key(work, *site, name));
            continue;
        };
        if decided_by != DecidedBy::Person {
            sheltered.0.push(comer.site);
            sheltered.1.push(comer.comment);
        }
        comers.push(comer);
    }
    leave_shelters(work, &sheltered.0, &sheltered.1).await?;
    join(work, found.id, &comers, most).await?;
    let wait = "INSERT INTO campaign_wait (site, id, campaign, at) SELECT DISTINCT k.site, k.id, $3::bigint, $4::bigint \
                FROM unnest($1::integer[], $2::bigint[]) AS k (site, id) \
                ON CONFLICT (site, id) DO UPDATE SET campaign = excluded.campaign, at = excluded.at";
    work.execute(wait, &[&waits.0, &waits.1, &found.id, &news.at.as_millis()]).await?;
    tidy(work, news).await
}

/// Seldom enough to tidy up on the way: what was on its way and never came, and what has gone quiet. What somebody else works on is left.
async fn tidy(work: &Work, news: &News) -> Result<()> {
    let old = "DELETE FROM campaign_wait WHERE (site, id) IN \
               (SELECT site, id FROM campaign_wait WHERE at < $1 FOR UPDATE SKIP LOCKED)";
    work.execute(old, &[&(news.at.as_millis() - WAIT_MS)]).await?;
    let quiet = "UPDATE campaign SET state = 3 WHERE id IN \
                 (SELECT id FROM campaign WHERE state = 1 AND last_at < $1 FOR UPDATE SKIP LOCKED)";
    work.execute(quiet, &[&news.quiet_before.as_millis()]).await?;
    Ok(())
}

/// The comments of these names, as far as they are recorded; they are not erased meanwhile. Whoever recognises a campaign holds the lock that
/// comments are written under alone (`Prepared::wait_turn`): what is on its way either can be seen, or will see that it is waited for.
async fn find(work: &Work, news: &News) -> Result<Vec<Option<(Comer, DecidedBy)>>> {
    let sites: Vec<i32> = news.members.iter().map(|(site, _)| number(*site)).collect();
    let names: Vec<&str> = news.members.iter().map(|(_, name)| &**name).collect();
    let read = "SELECT k.place, c.site, c.uid, c.received_at, c.decided_by \
                FROM unnest($1::integer[], $2::text[]) WITH ORDINALITY AS k (site, name, place) \
                JOIN comment_name n ON n.site = k.site AND n.name = k.name \
                JOIN comment c ON c.site = n.site AND c.uid = n.comment ORDER BY c.uid FOR KEY SHARE OF c";
    let mut found = vec![None; news.members.len()];
    for row in work.query(read, &[&sites, &names]).await? {
        let received_at = Timestamp::from_millis(row.cell(3)?);
        let comer = Comer { site: row.cell(1)?, comment: row.cell(2)?, received_at };
        let decided_by = codec::decided_by_of(i64::from(row.cell::<i16>(4)?))?;
        let place = usize::try_from(row.cell::<i64>(0)?).unwrap_or_default();
        if let Some(found) = place.checked_sub(1).and_then(|at| found.get_mut(at)) {
            *found = Some((comer, decided_by));
        }
    }
    Ok(found)
}

/// Adds members in that order, unless they belong to one already, or this one has as many as are kept. What became part of another one is joined
/// there; one that is not there is joined by nobody.
async fn join(work: &Work, campaign: i64, comers: &[Comer], most: u32) -> Result<()> {
    let Some(last_at) = comers.iter().map(|comer| comer.received_at).max() else { return Ok(()) };
    let Some(Found { id: campaign, .. }) = resolved_locked(work, campaign).await? else { return Ok(()) };
    let (sites, comments): (Vec<i32>, Vec<Uuid>) = comers.iter().map(|comer| (comer.site, comer.comment)).unzip();
    // It goes on even when no more members are kept, or it would be closed for having gone quiet. A number that a member found taken by its
    // other campaign meanwhile stays unused: none is given twice.
    let write = "WITH it AS (SELECT id, size FROM campaign WHERE id = $1), \
                 new AS (SELECT k.site, k.comment, it.size + (row_number() OVER (ORDER BY k.place))::integer AS number \
                 FROM it CROSS JOIN unnest($2::integer[], $3::uuid[]) WITH ORDINALITY AS k (site, comment, place) \
                 WHERE NOT EXISTS (SELECT 1 FROM campaign_member m WHERE m.site = k.site AND m.comment = k.comment)), \
                 joined AS (INSERT INTO campaign_member (site, comment, campaign, number) \
                 SELECT site, comment, $1, number FROM new WHERE number <= $4 ON CONFLICT DO NOTHING RETURNING number) \
                 UPDATE campaign k SET size = greatest(it.size, (SELECT max(number) FROM joined)), last_at = greatest(k.last_at, $5) \
                 FROM it WHERE k.id = it.id";
    work.execute(write, &[&campaign, &sites, &comments, &signed(most), &last_at.as_millis()]).await?;
    Ok(())
}

/// A comment belongs to none any more. A campaign goes with its last member.
pub(in super::super) async fn forget(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    match leave(work, site, comment).await? {
        Some(campaign) => drop_empty(work, campaign).await,
        None => Ok(()),
    }
}

/// Takes a comment out of its campaign, and answers which that was.
async fn leave(work: &Work, site: SiteId, comment: Uuid) -> Result<Option<i64>> {
    let delete = "DELETE FROM campaign_member WHERE site = $1 AND comment = $2 RETURNING campaign";
    work.query_opt(delete, &[&number(site), &comment]).await?.map(|row| row.cell(0)).transpose()
}

/// Takes comments out of campaigns that people let pass: they turned out to carry more than people saw. Those stay, with what was said of them.
async fn leave_shelters(work: &Work, sites: &[i32], comments: &[Uuid]) -> Result<()> {
    let delete = "DELETE FROM campaign_member m USING unnest($1::integer[], $2::uuid[]) AS k (site, comment), campaign g \
                  WHERE m.site = k.site AND m.comment = k.comment AND g.id = m.campaign \
                  AND (g.state = 3 OR (g.state = 2 AND g.action = 1) OR g.sites IS NOT NULL)";
    work.execute(delete, &[&sites, &comments]).await?;
    Ok(())
}

async fn drop_empty(work: &Work, campaign: i64) -> Result<()> {
    // Locked first: whoever joins right now is seen by the statement after.
    work.query("SELECT 1 FROM campaign WHERE id = $1 FOR UPDATE", &[&campaign]).await?;
    // What just became part of another one has no members either, and stays: it says where they are.
    let empty = "DELETE FROM campaign WHERE id = $1 AND state <> 4 \
                 AND NOT EXISTS (SELECT 1 FROM campaign_member WHERE campaign = $1)";
    work.execute(empty, &[&campaign]).await?;
    Ok(())
}

/// Those of `campaigns` that have no members left go; what became part of another one stays.
pub(in super::super) async fn drop_emptied(work: &Work, campaigns: &[i64]) -> Result<()> {
    // As for one.
    work.query("SELECT 1 FROM campaign WHERE id = ANY ($1) ORDER BY id FOR UPDATE", &[&campaigns]).await?;
    let empty = "DELETE FROM campaign c WHERE id = ANY ($1) AND state <> 4 \
                 AND NOT EXISTS (SELECT FROM campaign_member m WHERE m.campaign = c.id)";
    work.execute(empty, &[&campaigns]).await?;
    Ok(())
}

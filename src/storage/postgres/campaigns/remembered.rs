//! What the history is rebuilt from.

use std::collections::HashMap;

use super::super::db::{Cells as _, Db, signed};
use super::{COLUMNS, DecidedBy, Found, KeptCampaign, found_of};
use crate::domain::history::Standing;
use crate::domain::store::{Remembered, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec;

/// Campaigns whose members are read together.
const CHUNK: usize = 100;

pub(super) async fn all(
    db: &Db,
    since: Timestamp,
    decided_since: Timestamp,
    most: usize,
    each: u32,
) -> Result<Vec<KeptCampaign>> {
    let read = format!(
        "SELECT {COLUMNS} FROM campaign k WHERE (k.state IN (1, 3) AND k.last_at >= $1) OR (k.state = 2 AND k.last_at >= $2) \
         ORDER BY k.last_at DESC LIMIT $3"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = db.query(&read, &[&since.as_millis(), &decided_since.as_millis(), &most]).await?;
    let found = rows.iter().map(found_of).collect::<Result<Vec<_>>>()?;
    let mut kept = Vec::with_capacity(found.len());
    let mut found = found.into_iter().peekable();
    while found.peek().is_some() {
        let chunk: Vec<Found> = found.by_ref().take(CHUNK).collect();
        let numbers: Vec<i64> = chunk.iter().map(|found| found.id).collect();
        let mut members = latest(db, &numbers, each).await?;
        for found in chunk {
            let members = members.remove(&found.id).unwrap_or_default();
            let Found { uid, state, action, sites, rule_until, keys, version, at, last_at, .. } = found;
            kept.push(KeptCampaign { uid, state, action, sites, rule_until, keys, version, at, last_at, members });
        }
    }
    kept.sort_by_key(|campaign| (campaign.at, campaign.uid)); // the oldest first, as they were recognised
    Ok(kept)
}

/// The latest members of each, in the order in which they arrived.
async fn latest(db: &Db, campaigns: &[i64], each: u32) -> Result<HashMap<i64, Vec<Remembered>>> {
    let read = "SELECT k.id, c.trace, c.received_at, c.status, c.decided_by FROM unnest($1::bigint[]) AS k (id) \
                CROSS JOIN LATERAL (SELECT m.site, m.comment FROM campaign_member m WHERE m.campaign = k.id \
                ORDER BY m.number DESC LIMIT $2) m JOIN comment c ON c.site = m.site AND c.uid = m.comment \
                ORDER BY k.id, c.uid";
    let mut members: HashMap<i64, Vec<Remembered>> = HashMap::new();
    for row in db.query(read, &[&campaigns, &i64::from(signed(each))]).await? {
        let status = codec::status_of(i64::from(row.cell::<i16>(3)?))?;
        let status = status.ok_or_else(|| StoreError::Corrupt("a comment without status".to_owned()))?;
        let by_person = codec::decided_by_of(i64::from(row.cell::<i16>(4)?))? == DecidedBy::Person;
        members.entry(row.cell(0)?).or_default().push(Remembered {
            trace: codec::decode_trace("a comment's trace", row.cell(1)?)?,
            received_at: Timestamp::from_millis(row.cell(2)?),
            standing: Standing { status, by_person },
        });
    }
    Ok(members)
}

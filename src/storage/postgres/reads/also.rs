//! What else a change would let through: told from the frozen verdicts of the latest comments.

use uuid::Uuid;

use super::super::db::{Cells as _, Db};
use super::super::seen::{self, Known, Seen};
use crate::domain::decision::{Action, Status};
use crate::domain::explain::WhatIf;
use crate::domain::people::Reach;
use crate::domain::reads::AlsoLetsThrough;
use crate::domain::store::Result;

/// The latest comments of each site, of whatever status, among which verdicts are looked for.
const ROWS: i64 = 50_000;
/// Verdicts read at a time.
const CHUNK: usize = 1_000;

pub(super) async fn lets_through(db: &Db, what_if: &WhatIf, but: Uuid, reach: &Reach) -> Result<AlsoLetsThrough> {
    let mut found = AlsoLetsThrough::default();
    let (mut sites, mut floors) = (Vec::<i32>::new(), Vec::<Uuid>::new());
    let read = "SELECT s.id, s.name, floor.uid FROM site s, LATERAL (SELECT latest.uid FROM \
                (SELECT uid FROM comment WHERE site = s.id ORDER BY uid DESC LIMIT $1) latest ORDER BY latest.uid LIMIT 1) floor";
    for row in db.query(read, &[&ROWS]).await? {
        if reach.covers_site(row.cell(1)?) {
            sites.push(row.cell(0)?);
            floors.push(row.cell(2)?);
        }
    }
    // What policy approved and nobody changed is not asked about; what a person decided may have been held before.
    let read = format!(
        "SELECT {} FROM unnest($1::integer[], $2::uuid[]) AS s(site, floor), LATERAL (SELECT * FROM comment c WHERE c.site = s.site \
         AND c.uid >= s.floor AND c.uid < $3 AND (c.status IN (2, 3) OR c.decided_by = 2 AND c.status = 1) ORDER BY c.uid DESC LIMIT $4) c \
         ORDER BY c.uid DESC LIMIT $4",
        seen::columns()
    );
    let mut below = Uuid::max();
    loop {
        let most = i64::try_from(CHUNK).unwrap_or(i64::MAX);
        let rows = db.query(&read, &[&sites, &floors, &below, &most]).await?;
        let Some(last) = rows.last() else { break };
        below = last.cell(1)?;
        let latest = rows.iter().map(Seen::read).collect::<Result<Vec<_>>>()?;
        let mut known = Known::default();
        known.learn_seen(db, &latest).await?;
        for seen in latest {
            let (site, verdict) = (seen.row.site, &seen.content.verdict);
            if verdict.action == Action::Approve
                || seen.row.uid == but
                || !known.lies_within(site, &seen.content, reach)
            {
                continue;
            }
            found.looked_at += 1;
            if what_if.lets_through(verdict) {
                found.comments += 1;
                let standing = seen.standing();
                match standing.status {
                    Status::Approved if standing.by_person => found.approved_by_people += 1,
                    Status::Rejected if standing.by_person => found.rejected_by_people += 1,
                    Status::Approved | Status::Held | Status::Rejected => {}
                }
                if found.examples.len() < AlsoLetsThrough::EXAMPLES {
                    found.examples.push(seen.glimpse(&known.name(site)));
                }
            }
            if found.looked_at >= AlsoLetsThrough::LOOKED_AT {
                return Ok(found);
            }
        }
        if rows.len() < CHUNK {
            break;
        }
    }
    Ok(found)
}

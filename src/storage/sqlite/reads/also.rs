//! What else a change would let through: told from the frozen verdicts of the latest comments.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::rows::{self, Row};
use super::super::rulings;
use super::super::shared::Shared;
use super::standing;
use crate::domain::decision::{Action, Status};
use crate::domain::explain::WhatIf;
use crate::domain::people::Reach;
use crate::domain::reads::{AlsoLetsThrough, Glimpse};
use crate::domain::store::Result;

/// The latest rows, of whatever status, among which verdicts are looked for.
const ROWS: u32 = 50_000;

pub(super) fn lets_through(
    connection: &Connection,
    shared: &Shared,
    what_if: &WhatIf,
    but: Uuid,
    reach: &Reach,
) -> Result<AlsoLetsThrough> {
    // What policy approved and nobody changed is not asked about; what a person decided may have been held before.
    let read = format!(
        "SELECT {} FROM comment WHERE id > (SELECT coalesce(max(id), 0) FROM comment) - ?1 \
         AND (status IN (2, 3) OR decided_by = 2 AND status = 1) ORDER BY id DESC",
        rows::COLUMNS
    );
    let mut query = connection.prepare_cached(&read)?;
    let mut latest = query.query(params![ROWS])?;
    let mut found = AlsoLetsThrough::default();
    while found.looked_at < AlsoLetsThrough::LOOKED_AT {
        let Some(row) = latest.next()? else { break };
        let row = Row::read(row)?;
        if !reach.covers_site(&shared.site_name(connection, row.site)?) {
            continue;
        }
        let content = rows::content(connection, row.id)?;
        if content.verdict.action == Action::Approve || row.uid(shared) == but {
            continue;
        }
        if !reach.has_whole_sites() && !rulings::place_of(connection, shared, &row, &content)?.lies_within(reach) {
            continue;
        }
        found.looked_at += 1;
        if !what_if.lets_through(&content.verdict) {
            continue;
        }
        found.comments += 1;
        let standing = standing(connection, &row)?;
        match standing.status {
            Status::Approved if standing.by_person => found.approved_by_people += 1,
            Status::Rejected if standing.by_person => found.rejected_by_people += 1,
            Status::Approved | Status::Held | Status::Rejected => {}
        }
        if found.examples.len() < AlsoLetsThrough::EXAMPLES {
            found.examples.push(Glimpse::of(&rows::record(connection, shared, &row, content)?));
        }
    }
    Ok(found)
}

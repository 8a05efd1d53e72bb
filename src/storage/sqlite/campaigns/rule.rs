//! Rules for who joins a campaign that people rejected, and when its members arrived.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::shared::Shared;
use super::super::writer::Work;
use super::super::{audit, samples};
use super::{Outcome, by_uid, change, live, members, within};
use crate::domain::campaign::{CampaignError, CampaignState, Turn};
use crate::domain::decision::{Action, Actor, Status};
use crate::domain::people::Reach;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;

/// Says until when whoever joins is rejected unseen. Takes whoever could have decided about all of it.
pub(super) fn set(
    work: &Work<'_>,
    uid: Uuid,
    until: Option<Timestamp>,
    by: &Actor,
    reach: &Reach,
    at: Timestamp,
) -> Result<Outcome<Turn>> {
    let reached = match change::reached(work, uid, reach)? {
        Ok(reached) => reached,
        Err(error) => return Ok(Err(error)),
    };
    let found = &reached.found;
    if found.state != CampaignState::Decided || found.action != Some(Action::Reject) {
        return Ok(Err(CampaignError::NotRejected));
    }
    let covers = match (&found.sites, reached.sites(reach)) {
        (_, None) => true,
        (None, Some(_)) => false, // the decision holds on all sites: so does what is said here
        (Some(decided), Some(theirs)) => decided.iter().all(|site| theirs.contains(site)),
    };
    // Whoever may have made the rule may end it, also when the campaign has spread to where they do not work.
    let spreads = until.is_some() && reached.outside > 0;
    if spreads || !reach.has_whole_sites() || !covers {
        return Ok(Err(CampaignError::Outside));
    }
    let write = "UPDATE campaign SET rule_until = ?2 WHERE id = ?1";
    work.connection.prepare_cached(write)?.execute(params![found.id, until.map(Timestamp::as_millis)])?;
    let write =
        "UPDATE campaign_decision SET rule_until = ?2 WHERE ruling = (SELECT ruling FROM campaign WHERE id = ?1)";
    work.connection.prepare_cached(write)?.execute(params![found.id, until.map(Timestamp::as_millis)])?;
    let detail = until.map_or_else(|| "ended".to_owned(), |until| format!("until {until}"));
    audit::add(work.connection, by, "campaign.rule", &uid.to_string(), &detail, at)?;
    Ok(Ok(Turn { rule_until: until, ..found.turn() }))
}

/// When members within reach arrived, oldest first, and how they stand as people see them.
pub(super) fn arrivals(
    connection: &Connection,
    shared: &Shared,
    uid: Uuid,
    reach: &Reach,
) -> Result<Vec<(Timestamp, Status)>> {
    let Some(found) = by_uid(connection, uid)? else { return Ok(Vec::new()) };
    let mut arrived = Vec::new();
    for (comment, ..) in members(connection, found.id, 0)? {
        let Some(row) = live(connection, comment)? else { continue };
        if within(connection, shared, &row, reach)? {
            let status = if samples::waits(connection, comment)? { Status::Held } else { row.live()? };
            arrived.push((row.received_at, status));
        }
    }
    arrived.sort_unstable_by_key(|(at, _)| *at);
    Ok(arrived)
}

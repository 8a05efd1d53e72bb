//! What people do to campaigns: decide, close, merge.

use std::collections::BTreeSet;

use rusqlite::params;
use uuid::Uuid;

use super::super::rows::{self, Row};
use super::super::writer::Work;
use super::super::{audit, rulings};
use super::{Found, Outcome, absorb, by_uid, live, members, within};
use crate::domain::campaign::{CampaignError, CampaignRuled, CampaignRuling, CampaignState, Key, Turn};
use crate::domain::decision::{Action, Actor, DecidedBy};
use crate::domain::people::Reach;
use crate::domain::site::SiteId;
use crate::domain::store::{Result, Ruling, Seen};
use crate::domain::time::Timestamp;
use crate::storage::campaigned::action_code;
use crate::storage::codec;

impl Reached {
    /// Where a decision of whoever has that reach holds: on all sites only when they work on all of them.
    pub(super) fn sites(&self, reach: &Reach) -> Option<Vec<SiteId>> {
        let sites: BTreeSet<SiteId> = self.inside.iter().map(|(row, _)| row.site).collect();
        reach.sites.as_ref().map(|_| sites.into_iter().collect())
    }

    /// Whether it was closed wherever somebody with that reach works.
    fn is_over(&self, reach: &Reach) -> bool {
        let everywhere = match (&self.found.sites, self.sites(reach)) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(closed), Some(asked)) => asked.iter().all(|site| closed.contains(site)),
        };
        self.found.state == CampaignState::Merged || self.found.state == CampaignState::Closed && everywhere
    }
}

/// A campaign that may be changed by somebody with that reach, its members within, and how many lie outside.
pub(super) struct Reached {
    pub(super) found: Found,
    inside: Vec<(Row, u32)>,
    pub(super) outside: u32,
}

pub(super) fn reached(work: &Work<'_>, uid: Uuid, reach: &Reach) -> Result<Outcome<Reached>> {
    let Some(found) = by_uid(work.connection, uid)? else { return Ok(Err(CampaignError::NotFound)) };
    let (mut inside, mut outside) = (Vec::new(), 0);
    for (comment, number, _) in members(work.connection, found.id, 0)? {
        let Some(row) = live(work.connection, comment)? else { continue };
        if within(work.connection, work.shared, &row, reach)? {
            inside.push((row, number));
        } else {
            outside += 1;
        }
    }
    if inside.is_empty() {
        return Ok(Err(CampaignError::NotFound));
    }
    Ok(Ok(Reached { found, inside, outside }))
}

pub(super) fn rule(work: &mut Work<'_>, asked: &CampaignRuling) -> Result<Outcome<CampaignRuled>> {
    let reached = match reached(work, asked.campaign, &asked.reach)? {
        Ok(reached) => reached,
        Err(error) => return Ok(Err(error)),
    };
    if reached.is_over(&asked.reach) {
        return Ok(Err(CampaignError::Over));
    }
    let sites = reached.sites(&asked.reach);
    let Reached { found, inside, outside } = reached;
    let status = asked.action.status();
    let (mut items, mut same, mut other, mut later, mut left) = (vec![], vec![], vec![], vec![], vec![]);
    for (row, number) in inside {
        let uid = row.uid(work.shared);
        let seen = Seen { uid, seen_version: row.version };
        if asked.except.contains(&uid) {
            left.push(row.id);
        } else if number > asked.seen_size && !asked.future {
            later.push(uid);
        } else if row.decided_by != DecidedBy::Person {
            items.push(seen);
        } else if row.status == Some(status) {
            same.push(seen); // a person has said so already
        } else {
            other.push(rows::load(work.connection, work.shared, &row)?); // a person has said otherwise
        }
    }
    if items.is_empty() {
        items = same; // so that there is a decision, and a way back from it
    }
    let ruling = Ruling {
        items,
        action: asked.action,
        category: asked.category,
        reason: asked.reason.clone(),
        note: asked.note.clone(),
        by: asked.by.clone(),
        at: asked.at,
        reach: asked.reach.clone(),
        tell_at: asked.tell_at,
    };
    let mut ruled = rulings::rule(work, &ruling)?;
    if ruled.applied.is_empty() {
        return Ok(Err(CampaignError::Over));
    }
    ruled.conflicts.extend(other);
    for comment in left {
        work.connection.prepare_cached("UPDATE campaign_member SET seen = 1 WHERE comment = ?1")?.execute([comment])?;
    }
    let mut turn = found.turn();
    let narrows = found.state == CampaignState::Decided && found.sites.is_none() && sites.is_some();
    if outside == 0 && asked.reach.has_whole_sites() && !narrows {
        let bytes = sites.as_ref().map(codec::encode).transpose()?;
        (turn.state, turn.action, turn.sites) = (CampaignState::Decided, Some(asked.action), sites);
        turn.rule_until = asked.rule_until.filter(|_| asked.action == Action::Reject);
        let write = "UPDATE campaign SET state = 2, action = ?2, ruling = ?3, sites = ?4, rule_until = ?5 \
                     WHERE id = ?1";
        let action = action_code(asked.action);
        let decision = ruled.decision.as_bytes();
        work.connection.prepare_cached(write)?.execute(params![
            found.id,
            action,
            decision,
            bytes,
            turn.rule_until.map(Timestamp::as_millis)
        ])?;
        let note = "INSERT INTO campaign_decision (campaign, ruling, action, sites, rule_until) \
                    SELECT id, ruling, action, sites, rule_until FROM campaign WHERE id = ?1";
        work.connection.prepare_cached(note)?.execute([found.id])?;
        let also = turn.rule_until.map(|until| format!(", and whatever joins until {until}")).unwrap_or_default();
        let detail = format!("{} by {}{also}", ruling.action.status().name(), ruled.decision);
        audit::add(work.connection, &asked.by, "campaign.decide", &found.uid.to_string(), &detail, asked.at)?;
    }
    Ok(Ok(CampaignRuled { ruled, later, outside, turn }))
}

pub(super) fn close(work: &Work<'_>, uid: Uuid, by: &Actor, reach: &Reach, at: Timestamp) -> Result<Outcome<Turn>> {
    let reached = match reached(work, uid, reach)? {
        Ok(reached) => reached,
        Err(error) => return Ok(Err(error)),
    };
    // What people closed where they work may be closed everywhere by those who work everywhere.
    let widens = reached.found.state == CampaignState::Closed && !reached.is_over(reach);
    if reached.found.state != CampaignState::Open && !widens {
        return Ok(Err(CampaignError::Over));
    }
    if reached.outside > 0 || !reach.has_whole_sites() {
        return Ok(Err(CampaignError::Outside));
    }
    let sites = reached.sites(reach);
    let bytes = sites.as_ref().map(codec::encode).transpose()?;
    let write = "UPDATE campaign SET state = 3, sites = ?2 WHERE id = ?1";
    work.connection.prepare_cached(write)?.execute(params![reached.found.id, bytes])?;
    audit::add(work.connection, by, "campaign.close", &uid.to_string(), "", at)?;
    Ok(Ok(Turn { state: CampaignState::Closed, sites, ..reached.found.turn() }))
}

pub(super) fn merge(
    work: &Work<'_>,
    uid: Uuid,
    into: Uuid,
    by: &Actor,
    reach: &Reach,
    at: Timestamp,
) -> Result<Outcome<Turn>> {
    let (from, other) = match (reached(work, uid, reach)?, reached(work, into, reach)?) {
        (Ok(from), Ok(other)) => (from, other),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    if uid == into || from.found.state != CampaignState::Open || other.found.state != CampaignState::Open {
        return Ok(Err(CampaignError::Over));
    }
    if from.outside > 0 || other.outside > 0 || !reach.has_whole_sites() {
        return Ok(Err(CampaignError::Outside));
    }
    let mut keys = other.found.keys;
    let new: Vec<Key> = from.found.keys.iter().filter(|key| !keys.contains(key)).copied().collect();
    keys.extend(new);
    let write = "UPDATE campaign SET b = ?2 WHERE id = ?1";
    work.connection.prepare_cached(write)?.execute(params![other.found.id, codec::encode(&keys)?])?;
    absorb(work.connection, &from.found, into)?;
    audit::add(work.connection, by, "campaign.merge", &uid.to_string(), &format!("into {into}"), at)?;
    Ok(Ok(Turn { state: CampaignState::Merged, into: Some(into), ..from.found.turn() }))
}

//! What people do to campaigns: decide, close, merge.

use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use super::super::db::number;
use super::super::rulings;
use super::super::work::Work;
use super::members::{self, Joined};
use super::{Found, Outcome, absorb, by_uid};
use crate::domain::campaign::{CampaignError, CampaignRuled, CampaignRuling, CampaignState, Key, Turn};
use crate::domain::decision::{Action, Actor, DecidedBy};
use crate::domain::people::Reach;
use crate::domain::site::SiteId;
use crate::domain::store::{Result, Ruling, Seen};
use crate::domain::time::Timestamp;
use crate::storage::{campaigned, codec};

/// A campaign that may be changed by somebody with that reach, its members within, and how many lie outside. All of it is locked.
pub(super) struct Reached {
    pub(super) found: Found,
    inside: Vec<Joined>,
    pub(super) outside: u32,
}

impl Reached {
    /// Where a decision of whoever has that reach holds: on all sites only when they work on all of them.
    pub(super) fn sites(&self, reach: &Reach) -> Option<Vec<SiteId>> {
        let sites: BTreeSet<SiteId> = self.inside.iter().map(|member| member.row.site).collect();
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

pub(super) async fn reached(work: &Work, uid: Uuid, reach: &Reach) -> Result<Outcome<Reached>> {
    let Some(found) = by_uid(work, uid).await? else { return Ok(Err(CampaignError::NotFound)) };
    let Some((found, members)) = members::lock(work, &found).await? else { return Ok(Err(CampaignError::NotFound)) };
    let (mut inside, mut outside) = (Vec::new(), 0);
    for (member, is_within) in members::tell_within(work, members, reach).await? {
        if is_within {
            inside.push(member);
        } else {
            outside += 1;
        }
    }
    if inside.is_empty() {
        return Ok(Err(CampaignError::NotFound));
    }
    Ok(Ok(Reached { found, inside, outside }))
}

pub(super) async fn rule(work: &Work, asked: &CampaignRuling) -> Result<Outcome<CampaignRuled>> {
    let reached = match reached(work, asked.campaign, &asked.reach).await? {
        Ok(reached) => reached,
        Err(error) => return Ok(Err(error)),
    };
    if reached.is_over(&asked.reach) {
        return Ok(Err(CampaignError::Over));
    }
    let sites = reached.sites(&asked.reach);
    let Reached { found, inside, outside } = reached;
    let status = asked.action.status();
    let except: HashSet<Uuid> = asked.except.iter().copied().collect();
    let (mut items, mut same, mut other, mut later) = (vec![], vec![], vec![], vec![]);
    let mut left: (Vec<i32>, Vec<Uuid>) = (vec![], vec![]);
    for member in inside {
        let row = &member.row;
        let seen = Seen { uid: row.uid, seen_version: row.version };
        if except.contains(&row.uid) {
            left.0.push(number(row.site));
            left.1.push(row.uid);
        } else if member.number > asked.seen_size && !asked.future {
            later.push(row.uid);
        } else if row.decided_by != DecidedBy::Person {
            items.push(seen);
        } else if row.status == status {
            same.push(seen); // a person has said so already
        } else {
            other.push(member.record(work).await?); // a person has said otherwise
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
    let mut ruled = rulings::rule(work, &ruling).await?;
    if ruled.applied.is_empty() {
        return Ok(Err(CampaignError::Over));
    }
    ruled.conflicts.extend(other);
    let write = "UPDATE campaign_member m SET seen = true FROM unnest($1::integer[], $2::uuid[]) AS k (site, comment) \
                 WHERE m.site = k.site AND m.comment = k.comment";
    work.execute(write, &[&left.0, &left.1]).await?;
    let mut turn = found.turn();
    let narrows = found.state == CampaignState::Decided && found.sites.is_none() && sites.is_some();
    if outside == 0 && asked.reach.has_whole_sites() && !narrows {
        let bytes = sites.as_ref().map(codec::encode).transpose()?;
        (turn.state, turn.action, turn.sites) = (CampaignState::Decided, Some(asked.action), sites);
        turn.rule_until = asked.rule_until.filter(|_| asked.action == Action::Reject);
        let write =
            "UPDATE campaign SET state = 2, action = $2, ruling = $3, sites = $4, rule_until = $5 WHERE id = $1";
        let action = i16::try_from(campaigned::action_code(asked.action)).unwrap_or_default(); // they are 1 to 3
        let until = turn.rule_until.map(Timestamp::as_millis);
        work.execute(write, &[&found.id, &action, &ruled.decision, &bytes, &until]).await?;
        let note = "INSERT INTO campaign_decision (campaign, ruling, action, sites, rule_until) \
                    SELECT id, ruling, action, sites, rule_until FROM campaign WHERE id = $1";
        work.execute(note, &[&found.id]).await?;
        let also = turn.rule_until.map(|until| format!(", and whatever joins until {until}")).unwrap_or_default();
        let detail = format!("{} by {}{also}", ruling.action.status().name(), ruled.decision);
        work.audit(&asked.by, "campaign.decide", &found.uid.to_string(), &detail, asked.at);
    }
    Ok(Ok(CampaignRuled { ruled, later, outside, turn }))
}

pub(super) async fn close(work: &Work, uid: Uuid, by: &Actor, reach: &Reach, at: Timestamp) -> Result<Outcome<Turn>> {
    let reached = match reached(work, uid, reach).await? {
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
    work.execute("UPDATE campaign SET state = 3, sites = $2 WHERE id = $1", &[&reached.found.id, &bytes]).await?;
    work.audit(by, "campaign.close", &uid.to_string(), "", at);
    Ok(Ok(Turn { state: CampaignState::Closed, sites, ..reached.found.turn() }))
}

pub(super) async fn merge(
    work: &Work,
    uid: Uuid,
    into: Uuid,
    by: &Actor,
    reach: &Reach,
    at: Timestamp,
) -> Result<Outcome<Turn>> {
    let (from, other) = match (reached(work, uid, reach).await?, reached(work, into, reach).await?) {
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
    work.execute("UPDATE campaign SET b = $2 WHERE id = $1", &[&other.found.id, &codec::encode(&keys)?]).await?;
    absorb(work, &from.found, into).await?;
    work.audit(by, "campaign.merge", &uid.to_string(), &format!("into {into}"), at);
    Ok(Ok(Turn { state: CampaignState::Merged, into: Some(into), ..from.found.turn() }))
}

//! One campaign in memory: what it is known by, and how large it is.

use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use crate::domain::campaign::{CampaignPast, CampaignState, Key};
use crate::domain::decision::{Action, Status};
use crate::domain::history::Standing;
use crate::domain::site::SiteId;
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;

/// Distinct authors, articles and sites counted of one campaign.
pub(super) const DISTINCT_MAX: usize = 512;

/// A campaign in memory.
pub(super) struct Live {
    pub(super) uid: Uuid,
    pub(super) state: CampaignState,
    pub(super) action: Option<Action>,
    /// Where people decided or closed it; `None` for all sites.
    pub(super) decided_on: Option<Vec<SiteId>>,
    /// Until when whoever joins is rejected unseen.
    pub(super) rule_until: Option<Timestamp>,
    pub(super) keys: Vec<Key>,
    pub(super) at: Timestamp,
    pub(super) comments: u32,
    pub(super) rejected: u32,
    pub(super) approved_by_person: u32,
    pub(super) authors: HashSet<u64>,
    pub(super) articles: HashSet<u64>,
    pub(super) sites: BTreeSet<SiteId>,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) version: u32,
    /// The version that is surely stored.
    pub(super) saved: u32,
    pub(super) pending: Vec<(SiteId, Box<str>)>,
    pub(super) absorbs: Vec<Uuid>,
}

impl Live {
    pub(super) fn new(uid: Uuid, at: Timestamp) -> Self {
        Self {
            uid,
            state: CampaignState::Open,
            action: None,
            decided_on: None,
            rule_until: None,
            keys: Vec::new(),
            at,
            comments: 0,
            rejected: 0,
            approved_by_person: 0,
            authors: HashSet::new(),
            articles: HashSet::new(),
            sites: BTreeSet::new(),
            first_at: at,
            last_at: at,
            version: 0,
            saved: 0,
            pending: Vec::new(),
            absorbs: Vec::new(),
        }
    }

    pub(super) fn count(&mut self, trace: &Trace, at: Timestamp, standing: Option<Standing>) {
        self.count_one((trace.author, trace.article, trace.site), at, standing);
    }

    pub(super) fn count_one(
        &mut self,
        (author, article, site): (u64, u64, SiteId),
        at: Timestamp,
        standing: Option<Standing>,
    ) {
        self.comments = self.comments.saturating_add(1);
        for (all, one) in [(&mut self.authors, author), (&mut self.articles, article)] {
            if all.len() < DISTINCT_MAX {
                all.insert(one);
            }
        }
        if self.sites.len() < DISTINCT_MAX {
            self.sites.insert(site);
        }
        self.first_at = self.first_at.min(at);
        self.last_at = self.last_at.max(at);
        self.stand(None, standing);
    }

    /// A member stands otherwise than before.
    pub(super) fn stand(&mut self, before: Option<Standing>, after: Option<Standing>) {
        let rejected = |standing: Option<Standing>| standing.is_some_and(|it| it.status == Status::Rejected);
        let approved =
            |standing: Option<Standing>| standing.is_some_and(|it| it.status == Status::Approved && it.by_person);
        self.rejected = self.rejected.saturating_sub(rejected(before).into()).saturating_add(rejected(after).into());
        self.approved_by_person =
            self.approved_by_person.saturating_sub(approved(before).into()).saturating_add(approved(after).into());
    }

    /// What it is for comments on a site: where nobody decided who works there, it is open.
    pub(super) fn seen_from(&self, site: SiteId) -> (CampaignState, Option<Action>) {
        if self.decided_on.as_ref().is_none_or(|sites| sites.contains(&site)) {
            (self.state, self.action)
        } else {
            (CampaignState::Open, None)
        }
    }

    pub(super) fn past(&self, site: SiteId) -> CampaignPast {
        let (state, action) = self.seen_from(site);
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let kinds: BTreeSet<_> = self.keys.iter().map(Key::kind).collect();
        CampaignPast {
            campaign: self.uid,
            kinds: kinds.into_iter().collect(),
            state,
            action,
            rule_until: self.rule_until.filter(|_| action == Some(Action::Reject)),
            comments: self.comments,
            authors: count(self.authors.len()),
            articles: count(self.articles.len()),
            sites: count(self.sites.len()),
            rejected: self.rejected,
            approved_by_person: self.approved_by_person,
            first_at: self.first_at,
            last_at: self.last_at,
        }
    }
}

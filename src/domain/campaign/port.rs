//! Campaigns as people work on them, and the part of the Store port that keeps them.

use async_trait::async_trait;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{CampaignState, KeptCampaign, Key, Turn};
use crate::domain::decision::{Action, Actor, Record, Status};
use crate::domain::headline;
use crate::domain::normalise::Body;
use crate::domain::people::Reach;
use crate::domain::store::{self, ListError, PageRequest, Result, Ruled, RulingCategory, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace::LinkTrace;

/// A campaign as people see it. Counts are over all sites; what is shown lies within the reach of whoever asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Campaign {
    /// Its name, a UUID v7.
    pub uid: Uuid,
    /// What it is now.
    pub state: CampaignState,
    /// What people decided about all of it.
    pub action: Option<Action>,
    /// The decision.
    pub decision: Option<Uuid>,
    /// Until when whoever joins is rejected unseen; perhaps past.
    pub rule_until: Option<Timestamp>,
    /// The campaign that it is part of now.
    pub into: Option<Uuid>,
    /// When it was recognised.
    pub recognised_at: Timestamp,
    /// By what it is known.
    pub keys: Vec<Key>,
    /// The number of the last that joined; grows only.
    pub size: u32,
    /// Members that are there.
    pub counts: Counts,
    /// When the first member arrived.
    pub first_at: Timestamp,
    /// When the last member arrived.
    pub last_at: Timestamp,
    /// The earliest members within reach, a few.
    pub earliest: Vec<Record>,
}

/// How many members, over all sites. What waits for a person counts as held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Counts {
    /// Comments.
    pub comments: u32,
    /// Those that stand approved.
    pub approved: u32,
    /// Those that wait.
    pub held: u32,
    /// Those that stand rejected.
    pub rejected: u32,
    /// Those that stand approved and that no person has looked at.
    pub rechecks: u32,
    /// Distinct authors.
    pub authors: u32,
    /// Distinct articles.
    pub articles: u32,
    /// Distinct sites.
    pub sites: u32,
}

/// A comment that belongs to a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The comment.
    pub record: Record,
    /// The how-manieth it was to join.
    pub number: u32,
    /// Whether it stands approved, no person has looked at it, and the campaign is open: people should.
    pub recheck: bool,
}

/// Which campaigns to list. All given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CampaignFilter {
    /// In that state.
    pub state: Option<CampaignState>,
    /// With a member on that site and within reach.
    pub site: Option<String>,
    /// With members that stand approved and that no person has looked at.
    pub recheck: bool,
    /// With a member within that reach.
    pub reach: Reach,
}

/// Which members to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemberFilter {
    /// Of that status.
    pub status: Option<Status>,
    /// To be looked at again.
    pub recheck: bool,
    /// Within that reach.
    pub reach: Reach,
}

/// A person's ruling on a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignRuling {
    /// Which.
    pub campaign: Uuid,
    /// Its size when it was seen: who joined later is left alone.
    pub seen_size: u32,
    /// Whether who joined later is decided about too.
    pub future: bool,
    /// Until when whoever joins from now on is rejected unseen. Only a rejection of all of it makes such a rule.
    pub rule_until: Option<Timestamp>,
    /// Members that are left alone.
    pub except: Vec<Uuid>,
    /// Approve or reject.
    pub action: Action,
    /// Why, as a category.
    pub category: Option<RulingCategory>,
    /// A reason that authors may be told.
    pub reason: Option<String>,
    /// A note for colleagues.
    pub note: Option<String>,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// On which comments they work.
    pub reach: Reach,
    /// From when sites may be told.
    pub tell_at: Timestamp,
}

/// What became of a ruling on a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignRuled {
    /// As any ruling; members that a person had ruled otherwise about are its conflicts.
    pub ruled: Ruled,
    /// Members within reach that joined after it was seen, and were left alone.
    pub later: Vec<Uuid>,
    /// Members outside the person's reach.
    pub outside: u32,
    /// What the campaign is now.
    pub turn: Turn,
}

/// Why a campaign was not changed.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// There is none of that id within the person's reach.
    #[error("no campaign of that id")]
    NotFound,
    /// It was closed or merged, or has no members to decide about.
    #[error("this campaign is closed, part of another one, or has nothing left to decide")]
    Over,
    /// Some of its members lie outside the person's reach.
    #[error("some of its comments lie outside of what you work on")]
    Outside,
    /// People have not rejected it: nothing that joins can be.
    #[error("people have not rejected this campaign: there is nothing to reject later comments for")]
    NotRejected,
    /// A rule for who joins that does not end, or not in time.
    #[error("future_until: {0}")]
    Until(&'static str),
    /// `hold` is no ruling.
    #[error("action: must be approve or reject")]
    NoRuling,
    /// The store failed. Perhaps done: look again before sending again.
    #[error("the campaign could not be changed")]
    Store(#[from] StoreError),
}

/// The part of the Store port that keeps campaigns. Memberships come and go in the commit of their comment
/// ([`store::NewRecord::membership`]).
#[async_trait]
pub trait Campaigns: Send + Sync {
    /// What is remembered of campaigns: open ones with a member since `since`, others that changed since `decided_since`; the latest
    /// `most` of them, oldest first, each with its latest `members` members. For rebuilding the history.
    async fn campaigns_remembered(
        &self,
        since: Timestamp,
        decided_since: Timestamp,
        most: usize,
        members: u32,
    ) -> Result<Vec<KeptCampaign>>;
    /// Campaigns with a member within reach, latest first.
    async fn campaign_list(
        &self,
        filter: &CampaignFilter,
        page: &PageRequest,
    ) -> std::result::Result<store::Page<Campaign>, ListError>;
    /// A campaign with a member within reach.
    async fn campaign_find(&self, uid: Uuid, reach: &Reach) -> Result<Option<Campaign>>;
    /// Members within reach in the order in which they joined.
    async fn campaign_members(
        &self,
        uid: Uuid,
        filter: &MemberFilter,
        page: &PageRequest,
    ) -> std::result::Result<store::Page<Member>, ListError>;
    /// Rules on the members within reach in one commit, as one ruling that is taken back like any other. The campaign is decided when
    /// nothing of it lies outside the reach; taking all of the ruling back opens it again.
    async fn campaign_rule(&self, ruling: CampaignRuling) -> std::result::Result<CampaignRuled, CampaignError>;
    /// Closes an open campaign without a decision.
    async fn campaign_close(
        &self,
        uid: Uuid,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Turn, CampaignError>;
    /// Makes one open campaign part of another.
    async fn campaign_merge(
        &self,
        uid: Uuid,
        into: Uuid,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Turn, CampaignError>;
    /// Says until when whoever joins a campaign that people rejected is rejected unseen; `None` ends that. The decision stays as it is.
    async fn campaign_rule_until(
        &self,
        uid: Uuid,
        until: Option<Timestamp>,
        by: Actor,
        reach: &Reach,
        at: Timestamp,
    ) -> std::result::Result<Turn, CampaignError>;
    /// When the members within reach arrived, oldest first, and how each stands as people see it.
    async fn campaign_arrivals(&self, uid: Uuid, reach: &Reach) -> Result<Vec<(Timestamp, Status)>>;
    /// The campaign that a ruling decided, as it is now.
    async fn campaign_of_ruling(&self, decision: Uuid) -> Result<Option<Turn>>;
}

/// What a campaign shows of itself, taken from a member: the part that it shares, and where its links lead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// The headline or text that its comments share, or all of a comment that only shares a link; at most 300 characters.
    pub text: String,
    /// Where the links that its comments share lead, without scheme, at most ten.
    pub targets: Vec<String>,
}

impl Sample {
    /// Characters shown at most.
    const MAX_TEXT: usize = 300;
    /// Link targets shown at most.
    const MAX_TARGETS: usize = 10;

    /// Adds what one member, read as a body, shows of the campaign's keys.
    pub fn add(&mut self, body: &Body, keys: &[Key]) {
        for link in &body.links {
            let shared = keys.iter().any(|key| key.is_link(LinkTrace::of(link)));
            if shared && self.targets.len() < Self::MAX_TARGETS && !self.targets.contains(&link.url) {
                self.targets.push(link.url.clone());
            }
        }
        if self.text.is_empty() {
            let is_shared = |candidate: &headline::Candidate| {
                let alike = |key: &Key| matches!(key, Key::Headline(of) if of.similarity(&candidate.trace) >= 0.4);
                keys.iter().any(alike)
            };
            let whole = keys.iter().any(|key| matches!(key, Key::Text(_) | Key::Short(_)));
            let part = headline::candidates(body).into_iter().find(is_shared).filter(|_| !whole);
            let text = part.map_or_else(|| body.plain.text().trim().to_owned(), |candidate| candidate.words.join(" "));
            self.text = text.chars().take(Self::MAX_TEXT).collect();
        }
    }
}

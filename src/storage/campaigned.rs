//! What the engines share about campaigns: rows, and codes in them.

use uuid::Uuid;

use crate::domain::campaign::{CampaignState, Key, Turn};
use crate::domain::decision::Action;
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// A row of `campaign`.
pub(super) struct Found {
    pub id: i64,
    pub uid: Uuid,
    pub state: CampaignState,
    pub action: Option<Action>,
    pub ruling: Option<Uuid>,
    pub into: Option<Uuid>,
    pub version: u32,
    pub at: Timestamp,
    pub last_at: Timestamp,
    pub size: u32,
    pub keys: Vec<Key>,
    /// Where it is decided or closed; `None` for all sites.
    pub sites: Option<Vec<SiteId>>,
    pub rule_until: Option<Timestamp>,
}

impl Found {
    pub(super) fn turn(&self) -> Turn {
        let Self { uid, state, action, rule_until, into, .. } = *self;
        Turn { uid, state, action, sites: self.sites.clone(), rule_until, into }
    }

    /// Whether members that stand approved are for people to look at.
    pub(super) fn rechecks(&self) -> bool {
        self.state == CampaignState::Open || self.action == Some(Action::Reject) || self.sites.is_some()
    }
}

/// States in rows.
pub(super) const fn state_code(state: CampaignState) -> i64 {
    match state {
        CampaignState::Open => 1,
        CampaignState::Decided => 2,
        CampaignState::Closed => 3,
        CampaignState::Merged => 4,
    }
}

/// The state of that code.
pub(super) fn state_of(code: i64) -> Result<CampaignState> {
    let found = CampaignState::ALL.into_iter().find(|state| state_code(*state) == code);
    found.ok_or_else(|| StoreError::Corrupt(format!("campaign state {code}")))
}

/// Actions in rows.
pub(super) const fn action_code(action: Action) -> i64 {
    match action {
        Action::Approve => 1,
        Action::Reject => 2,
        Action::Hold => 3,
    }
}

/// The action of that code: nothing is decided by holding it.
pub(super) fn action_of(code: i64) -> Result<Action> {
    let found = [Action::Approve, Action::Reject].into_iter().find(|action| action_code(*action) == code);
    found.ok_or_else(|| StoreError::Corrupt(format!("campaign action {code}")))
}

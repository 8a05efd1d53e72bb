//! What the engines share about campaigns: codes in rows.

use crate::domain::campaign::CampaignState;
use crate::domain::decision::Action;
use crate::domain::store::{Result, StoreError};

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

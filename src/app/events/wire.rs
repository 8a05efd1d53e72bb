//! Events as they travel between nodes: with their names, which people's streams say beside them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CampaignChange, Change};
use crate::domain::appeal::AppealState;
use crate::domain::campaign::CampaignState;
use crate::domain::decision::{Action, DecidedBy, Status};
use crate::domain::store::Place;
use crate::domain::time::Timestamp;

/// An event without its number: every process counts its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::app) struct Wire {
    pub(super) uid: Uuid,
    #[serde(with = "PlaceDef")]
    pub(super) place: Place,
    #[serde(with = "ChangeDef")]
    pub(super) change: Change,
    pub(super) at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Place")]
struct PlaceDef {
    site: Arc<str>,
    section: Option<String>,
    lang: Option<String>,
}

/// [`Change`] with tags: what people's streams say is told apart by the event's name.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Change")]
enum ChangeDef {
    Held { by: Option<String> },
    Left { status: Status, decided_by: DecidedBy, by: Option<String>, decision: Option<Uuid> },
    Claimed { by: String, until: Timestamp },
    Released { by: String },
    Appeal { appeal: Uuid, state: AppealState },
    Reported { reports: u32, weight: f64 },
    Campaign(#[serde(with = "CampaignDef")] CampaignChange),
    Erased {},
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "CampaignChange")]
enum CampaignDef {
    Recognised { campaign: Uuid, size: u32, rechecks: u32 },
    Grew { campaign: Uuid, size: u32, rechecks: u32 },
    Changed { campaign: Uuid, state: CampaignState, action: Option<Action> },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_arrives_as_it_was_sent() {
        let (uid, at, by) = (Uuid::from_u128(7), Timestamp::from_millis(9), || "ann@example.org".to_owned());
        let changes = [
            Change::Held { by: None },
            Change::Left {
                status: Status::Approved,
                decided_by: DecidedBy::Person,
                by: Some(by()),
                decision: Some(uid),
            },
            Change::Claimed { by: by(), until: at },
            Change::Released { by: by() },
            Change::Appeal { appeal: uid, state: AppealState::Open },
            Change::Reported { reports: 2, weight: 0.5 },
            Change::Campaign(CampaignChange::Recognised { campaign: uid, size: 3, rechecks: 0 }),
            Change::Campaign(CampaignChange::Grew { campaign: uid, size: 6, rechecks: 1 }),
            Change::Campaign(CampaignChange::Changed { campaign: uid, state: CampaignState::Open, action: None }),
            Change::Erased {},
        ];
        for change in changes {
            let place = Place { site: "news".into(), section: None, lang: Some("de".to_owned()) };
            let sent = Wire { uid, place, change, at };
            let read: Wire = serde_json::from_value(serde_json::to_value(&sent).unwrap()).unwrap();
            assert_eq!(read, sent);
        }
    }
}

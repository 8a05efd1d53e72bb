//! What a site reads in a webhook: its comment as the API shows it to the site, with what else it may be told.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::dto::CommentOut;
use crate::domain::appeal::AppealState;
use crate::domain::outbox::{Notice, RulingTold};

/// `data` of `comment.held`, `comment.approved`, `comment.rejected`, `appeal.opened` and `appeal.answered`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Told {
    /// The comment: as it was when its status changed, or when the appeal was opened or answered.
    #[serde(flatten)]
    pub comment: CommentOut,
    /// The decision of a person that changed it, if one did.
    pub ruling: Option<RulingTold>,
    /// The appeal that was opened or answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appeal: Option<AppealTold>,
}

/// An appeal, as far as the site is told.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AppealTold {
    /// Our name for it.
    pub id: Uuid,
    /// What it is now.
    pub state: AppealState,
    /// What the author may be told.
    pub answer: Option<String>,
}

/// `data` of a notice for the site of that name.
#[must_use]
pub fn data(notice: &Notice, site: &str) -> Value {
    let told = match notice {
        Notice::Status { record, ruling } => Told { comment: (&**record).into(), ruling: ruling.clone(), appeal: None },
        Notice::Appeal { appeal, state, answer, record } => {
            let appeal = AppealTold { id: *appeal, state: *state, answer: answer.clone() };
            Told { comment: (&**record).into(), ruling: None, appeal: Some(appeal) }
        }
        Notice::Erased { id, uid } => return json!({"id": id, "uid": uid, "site": site}),
    };
    serde_json::to_value(told).unwrap_or_default()
}

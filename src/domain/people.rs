//! People who work here, as far as moderation needs to know them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, people included.
    Admin,
    /// Sites, settings and models; also works the queue.
    Operator,
    /// Works the queue.
    Moderator,
    /// Reads everything, changes nothing.
    Auditor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Operator, Self::Moderator, Self::Auditor];

    /// Its name in JSON and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Moderator => "moderator",
            Self::Auditor => "auditor",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether this role may decide about comments.
    #[must_use]
    pub const fn decides(self) -> bool {
        !matches!(self, Self::Auditor)
    }
}

/// Someone with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Our number for the account.
    pub id: u32,
    /// The e-mail address that names the account.
    pub email: String,
    /// What this person may do.
    pub role: Role,
}

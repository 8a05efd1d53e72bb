//! Sites: who posts comments here, and what their keys may do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Timestamp;

/// Our number for a site, given once and never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteId(pub u32);

/// A website that posts comments. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Our number for it.
    pub id: SiteId,
    /// Its name in URLs, settings and lists: 1 to 64 of `a-z 0-9 - _ .`, unique.
    pub name: Arc<str>,
    /// The blog's address, when the operator gave one.
    pub url: Option<Arc<str>>,
    /// Where its webhooks go, when the operator gave it.
    pub webhook: Option<Arc<str>>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Site {
    /// Whether `name` may name a site: 1 to 64 characters of `a-z`, `0-9`, `-`, `_` and `.`, starting with a letter or digit.
    #[must_use]
    pub fn is_valid_name(name: &str) -> bool {
        let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        starts_well && name.len() <= 64 && name.chars().all(allowed)
    }
}

/// What a site key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Send comments, edits and articles, and ask for assessments.
    Post,
    /// Read the site's own comments.
    Read,
    /// Delete comments and authors.
    Erase,
    /// Decide about comments by the scores that they should have had.
    Feedback,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Post, Self::Read, Self::Erase, Self::Feedback];

    /// Its name in settings and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Read => "read",
            Self::Erase => "erase",
            Self::Feedback => "feedback",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

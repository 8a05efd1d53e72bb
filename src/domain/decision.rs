//! What is recorded about a comment and why: verdicts, who decided, and what may follow what.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::category::{Category, PerCategory};
use super::comment::NewComment;
use super::model::ModelOutput;
use super::scores::{LogOdds, Score};
use super::signal::Evaluated;
use super::time::Timestamp;

/// What a comment is to the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Shown to readers.
    Approved,
    /// Waiting for a person.
    Held,
    /// Not shown.
    Rejected,
}

impl Status {
    /// Its name in JSON and in list filters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Held => "held",
            Self::Rejected => "rejected",
        }
    }
}

/// What a verdict says to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Show it.
    Approve,
    /// Ask a person.
    Hold,
    /// Do not show it.
    Reject,
}

impl Action {
    /// The status that follows.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Approve => Status::Approved,
            Self::Hold => Status::Held,
            Self::Reject => Status::Rejected,
        }
    }
}

/// Who decided what a comment is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DecidedBy {
    /// The policy, from signals and model.
    Policy,
    /// A moderator.
    Person,
    /// A rule that an operator wrote.
    Rule,
}

/// An amount that policy itself adds to a category, named so that the sum can be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Adjustment {
    /// Which one, as in `cap:signals`, `composite:praise-that-sells` or `exempt:duplicate-text`.
    pub id: String,
    /// The category that it counts for.
    pub category: Category,
    /// The amount.
    pub log_odds: LogOdds,
    /// One sentence for a moderator; empty in verdicts from before there were any.
    pub text: String,
    /// The signals that it hangs on: what a cap cuts, what a composite rule would not apply without.
    pub signals: Vec<String>,
}

/// Something other than a score that set the action, as in `mode:pre` or `limit:per-ip`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cause {
    /// Which one, stable.
    pub id: String,
    /// One sentence for a moderator.
    pub text: String,
}

/// What policy concluded, frozen with everything that led to it. For each category
/// `prior + live signals + model + adjustments` through the logistic function is the score, exactly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What to do.
    pub action: Action,
    /// The category that led to it: the one whose score went furthest over its threshold; none when approved or
    /// when held for another cause.
    pub category: Option<Category>,
    /// Each category's score.
    pub scores: PerCategory<Score>,
    /// Each category's log-odds before anything is known.
    pub prior: PerCategory<LogOdds>,
    /// Every signal's outcome, in the order of the list; clear ones included.
    pub signals: Vec<Evaluated>,
    /// What the classifier said, or why it said nothing.
    pub model: ModelOutput,
    /// What policy added or took away.
    pub adjustments: Vec<Adjustment>,
    /// What else set the action.
    pub causes: Vec<Cause>,
    /// Hash of the configuration in force.
    pub policy: String,
}

/// A stored comment with what is decided about it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Our name for it, a UUID v7.
    pub uid: Uuid,
    /// The site that it belongs to, by name.
    pub site: std::sync::Arc<str>,
    /// The text as sent, latest revision, with the article as known when it was judged (title, text and tags left out).
    pub comment: NewComment,
    /// Counts the text's edits, from 1.
    pub revision: u32,
    /// Counts everything that happened to it, from 1.
    pub version: u32,
    /// What it is now.
    pub status: Status,
    /// Who said so.
    pub decided_by: DecidedBy,
    /// The frozen verdict of the latest revision; people's decisions do not change it.
    pub verdict: Verdict,
    /// Whether it waits for a person: because it is held, or because it was drawn to be looked at.
    pub waits: bool,
    /// When it first arrived.
    pub received_at: Timestamp,
    /// When anything last happened to it.
    pub updated_at: Timestamp,
}

impl Record {
    /// As people see it, who decide better when they do not know what was drawn to check on the machine: what waits is held, and for a reason.
    #[must_use]
    pub fn as_people_see(&self) -> Cow<'_, Self> {
        if !self.waits || self.status == Status::Held {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self { status: Status::Held, verdict: self.verdict.as_held(), ..self.clone() })
    }
}

/// What the causes of verdicts begin with that another system reached; its name follows.
pub const IMPORTED: &str = "import:";

impl Verdict {
    /// Whether another system reached it, and it came along with the comment.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.causes.iter().any(|cause| cause.id.starts_with(IMPORTED))
    }

    /// The verdict as that of something that waits for a person. What it was made of stays.
    #[must_use]
    pub fn as_held(&self) -> Self {
        let highest = Category::ALL.into_iter().max_by_key(|category| self.scores[*category]);
        Self { action: Action::Hold, category: self.category.or(highest), ..self.clone() }
    }
}

/// Who does something, for the record of who did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// A site with its key, by name.
    Site(String),
    /// A person, by e-mail.
    Person(String),
    /// The command line of the machine itself.
    Console,
}

//! A changed configuration over what was recorded: what would have become of it.
//!
//! What was recorded is posted once more, in the order of time, to a service of its own under the changed configuration, and people decide about
//! it again what they decided and when. There is no second way of judging that could differ from the first: every comment meets the past, the
//! sanctions and the limits as they were when it came, as far as they are recorded (docs/backtest.md says what is not).

mod due;
mod report;
mod run;
mod why;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::report::{Bounds, Flip, Flips, LeftOut, Measures, Report};
pub use self::run::replay;
pub use self::why::{Term, Why};
use crate::app::campaigns::Campaigns;
use crate::app::intake::{Intake, IntakeError};
use crate::app::review::Review;
use crate::app::sanctions::Sanctions;
use crate::domain::decision::Action;
use crate::domain::store::{CreateError, Store, StoreError};
use crate::domain::time::Timestamp;

/// The service that everything is posted to once more: nobody else uses it, and its store is empty at first.
pub struct Service {
    /// The way in.
    pub intake: Arc<Intake>,
    /// Where people decide.
    pub review: Arc<Review>,
    /// Sanctions.
    pub sanctions: Arc<Sanctions>,
    /// Campaigns.
    pub campaigns: Arc<Campaigns>,
    /// Its store.
    pub store: Arc<dyn Store>,
}

/// What is to be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Comments that came at or after that moment are judged.
    pub since: Timestamp,
    /// Those that came later are left out.
    pub until: Timestamp,
    /// Whether only that site's are told about, by name; what others received is replayed all the same, for they share the past.
    pub site: Option<String>,
    /// From when on comments are recalled before that, so that the past is known.
    pub recalled_since: Timestamp,
    /// From when on authors' comments count before that.
    pub authors_since: Timestamp,
    /// How many of an author's comments count.
    pub author_depth: usize,
    /// Flips that are listed at most.
    pub listed: usize,
    /// And of each kind, such as `approve to hold`, where that is bounded: so that some of the rare ones are among them.
    pub listed_each: Option<usize>,
    /// Where the console is, without a slash at the end; empty where that is not known.
    pub console: String,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Comments that were replayed.
    pub done: u64,
    /// Comments to replay, about.
    pub total: u64,
}

/// What becomes of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Readers see it.
    Approve,
    /// It waits for a person.
    Hold,
    /// Readers do not see it.
    Reject,
    /// It is over a limit, and not taken.
    Refuse,
}

impl Fate {
    /// All of them, mildest first.
    pub const ALL: [Self; 4] = [Self::Approve, Self::Hold, Self::Reject, Self::Refuse];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Hold => "hold",
            Self::Reject => "reject",
            Self::Refuse => "refuse",
        }
    }

    /// Whether readers do not see it at first.
    #[must_use]
    pub const fn is_stopped(self) -> bool {
        !matches!(self, Self::Approve)
    }
}

impl From<Action> for Fate {
    fn from(action: Action) -> Self {
        match action {
            Action::Approve => Self::Approve,
            Action::Hold => Self::Hold,
            Action::Reject => Self::Reject,
        }
    }
}

/// `30d`, `12h`, `90m` before `now`, or RFC 3339; `None` for anything else.
#[must_use]
pub fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let units = [('d', 86_400_000_i64), ('h', 3_600_000), ('m', 60_000)];
    let ago = units.iter().find_map(|(unit, ms)| Some((text.strip_suffix(*unit)?.parse::<u32>().ok()?, ms)));
    match ago {
        Some((count, ms)) => Some(now.plus_millis(-i64::from(count).saturating_mul(*ms))),
        None => Timestamp::parse(text).ok(),
    }
}

/// Why nothing could be said.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// There is no such site.
    #[error("there is no site `{0}`")]
    NoSite(String),
    /// Something could not be read, or not be written down for the replay.
    #[error("the replay could not go on")]
    Store(#[from] StoreError),
    /// A site could not be made for the replay.
    #[error("a site could not be made for the replay")]
    Site(#[from] CreateError),
    /// A comment could not be posted once more.
    #[error("comment {id} could not be posted once more")]
    Intake {
        /// The site's name for it.
        id: String,
        /// Why.
        #[source]
        source: IntakeError,
    },
}

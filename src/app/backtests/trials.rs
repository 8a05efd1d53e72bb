//! Whoever replays, as a port: what is tried over which comments, and how it is heard of.

use crate::app::backtest::{Progress, Report};
use crate::domain::time::Timestamp;
use crate::domain::versions::Version;

/// Settings as somebody wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The settings file.
    pub text: String,
    /// The lists that it names, each with its path as it is written there.
    pub files: Vec<(String, String)>,
}

impl From<Version> for Candidate {
    fn from(version: Version) -> Self {
        Self { text: version.text, files: version.files }
    }
}

/// Why a candidate cannot be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCandidate {
    /// Line and column, from 1, where the mistake has a place.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

/// Which comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Judged from then on.
    pub since: Timestamp,
    /// Until then.
    pub until: Timestamp,
    /// Told about: that site's, or everything.
    pub site: Option<String>,
}

/// What becomes of a trial.
#[derive(Debug)]
pub enum News {
    /// It is so far.
    Progress(Progress),
    /// It is over.
    Over(Outcome),
}

/// What became of a trial in the end.
#[derive(Debug)]
pub enum Outcome {
    /// It is through.
    Found(Box<Report>),
    /// It could not be done: why.
    Failed(String),
    /// It took longer than it may: how long that is.
    TimedOut(String),
}

/// Ends a trial when it is dropped.
pub trait Running: Send {}

/// Whoever replays.
pub trait Trials: Send + Sync {
    /// Reads and checks a candidate, and starts nothing. Blocks.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(&self, candidate: &Candidate) -> Result<Box<dyn Ready>, BadCandidate>;
}

/// A candidate that can be tried.
pub trait Ready: Send {
    /// It without its secrets, as it may be shown and kept.
    fn shown(&self) -> &Candidate;
    /// Starts to try it. `tell` hears how it goes on, from another thread: many times how far it is, then once that it is over.
    ///
    /// # Errors
    /// A sentence for the operator.
    fn start(self: Box<Self>, window: &Window, tell: Box<dyn Fn(News) + Send>) -> anyhow::Result<Box<dyn Running>>;
}

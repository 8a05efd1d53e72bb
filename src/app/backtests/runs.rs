//! The runs that are kept: how each stands, and which of them goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::trials::{Candidate, News, Outcome, Running, Window};
use crate::app::backtest::{Progress, Report};
use crate::domain::time::Timestamp;

/// Runs that are kept, the one that goes on included.
pub const KEPT: usize = 20;

/// How a run stands.
#[derive(Debug, Clone, Default)]
pub enum State {
    /// It goes on.
    #[default]
    Running,
    /// It is through.
    Done(Arc<Report>),
    /// It could not be done.
    Failed(String),
    /// It took longer than it may.
    TimedOut(String),
    /// Somebody ended it.
    Stopped,
    /// The service ended while it went on. What was tried is not known any more.
    Interrupted,
}

impl State {
    /// Its name in answers and on record.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
            Self::TimedOut(_) => "timed-out",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
        }
    }

    /// Why nothing was found, where there is more to say than the name does.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Failed(problem) | Self::TimedOut(problem) => Some(problem),
            Self::Interrupted => Some("the service ended while it ran; start it again"),
            Self::Running | Self::Done(_) | Self::Stopped => None,
        }
    }
}

/// A run, as it is now.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its name, which nobody guesses.
    pub id: Uuid,
    /// Who started it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Which comments.
    pub window: Window,
    /// The version that was in force; empty for a service that follows no file.
    pub base: String,
    /// What is tried, without secrets.
    pub candidate: Arc<Candidate>,
    /// What differs from what was in force, as a unified diff; empty when nothing does.
    pub diff: Arc<str>,
    /// How far it is.
    pub progress: Progress,
    /// How it stands.
    pub state: State,
    /// When it was over.
    pub ended: Option<Timestamp>,
}

/// Newest last.
#[derive(Default)]
pub(super) struct Kept {
    pub runs: Vec<Run>,
    /// Whether somebody is about to start one.
    pub is_starting: bool,
    pub running: Option<(Uuid, Box<dyn Running>)>,
}

impl Kept {
    pub(super) fn running(&self) -> Option<Uuid> {
        self.runs.iter().find(|run| matches!(run.state, State::Running)).map(|run| run.id)
    }

    pub(super) fn hear(&mut self, id: Uuid, news: News, now: Timestamp) {
        let Some(run) = self.runs.iter_mut().find(|run| run.id == id) else { return };
        if !matches!(run.state, State::Running) {
            return; // what was ended has nothing more to say
        }
        match news {
            News::Progress(progress) => run.progress = progress,
            News::Over(outcome) => {
                run.ended = Some(now);
                run.state = match outcome {
                    Outcome::Found(report) => State::Done(Arc::from(report)),
                    Outcome::Failed(problem) => State::Failed(problem),
                    Outcome::TimedOut(problem) => State::TimedOut(problem),
                };
            }
        }
    }

    /// Keeps one more, and no more than there may be: the oldest that is over goes.
    pub(super) fn keep(&mut self, run: Run) {
        if self.runs.len() >= KEPT
            && let Some(oldest) = self.runs.iter().position(|run| !matches!(run.state, State::Running))
        {
            self.runs.remove(oldest);
        }
        self.runs.push(run);
    }
}

pub(super) fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets others start again when it is dropped, whatever became of this start.
pub(super) struct Starting<'a>(pub &'a Mutex<Kept>);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        locked(self.0).is_starting = false;
    }
}

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

    /// Notes what is said of one that goes on; what was ended has nothing more to say. How it stands by now, if this is its end.
    pub(super) fn hear(&mut self, id: Uuid, news: News, now: Timestamp) -> Option<&'static str> {
        let run = self.running_mut(id)?;
        match news {
            News::Progress(progress) => {
                run.progress = progress;
                None
            }
            News::Over(outcome) => {
                let state = match outcome {
                    Outcome::Found(report) => State::Done(Arc::from(report)),
                    Outcome::Failed(problem) => State::Failed(problem),
                    Outcome::TimedOut(problem) => State::TimedOut(problem),
                };
                (run.state, run.ended) = (state, Some(now));
                Some(run.state.name())
            }
        }
    }

    /// Ends one that goes on, so: nothing that its process says from now on counts. What ends the process when it is dropped, which blocks.
    #[must_use]
    pub(super) fn end(&mut self, id: Uuid, state: State, now: Timestamp) -> Option<Box<dyn Running>> {
        if let Some(run) = self.running_mut(id) {
            (run.state, run.ended) = (state, Some(now));
        }
        self.take_running(id)
    }

    /// What ends that run's process when it is dropped.
    pub(super) fn take_running(&mut self, id: Uuid) -> Option<Box<dyn Running>> {
        self.running.take_if(|(running, _)| *running == id).map(|(_, process)| process)
    }

    fn running_mut(&mut self, id: Uuid) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == id && matches!(run.state, State::Running))
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Process;

    impl Running for Process {}

    #[test]
    fn what_was_ended_has_nothing_more_to_say() {
        let run = || Run {
            id: Uuid::from_u128(1),
            by: String::new(),
            at: Timestamp::EPOCH,
            window: Window { since: Timestamp::EPOCH, until: Timestamp::EPOCH, site: None },
            base: String::new(),
            candidate: Arc::default(),
            diff: Arc::from(""),
            progress: Progress { done: 0, total: 0 },
            state: State::Running,
            ended: None,
        };
        let died = || News::Over(Outcome::Failed("its process ended early".to_owned()));
        let (id, later) = (run().id, Timestamp::EPOCH.plus_millis(1));
        for state in [State::Stopped, State::Interrupted] {
            let name = state.name();
            let mut kept = Kept::default();
            kept.keep(run());
            kept.running = Some((id, Box::new(Process)));
            assert!(kept.end(id, state, later).is_some(), "its process is there to be ended");
            assert_eq!(kept.hear(id, died(), later), None, "{name}: its process dies of it");
            assert_eq!((kept.runs[0].state.name(), kept.running()), (name, None));
            assert!(kept.end(id, State::Stopped, later).is_none() && kept.runs[0].state.name() == name, "once");
        }
        let mut kept = Kept::default();
        kept.keep(run());
        assert_eq!(kept.hear(id, News::Progress(Progress { done: 1, total: 2 }), later), None);
        assert_eq!((kept.hear(id, died(), later), kept.runs[0].ended), (Some("failed"), Some(later)));
    }
}

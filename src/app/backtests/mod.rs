//! Backtests that people start while the service runs: one at a time, watched, ended early, and looked at later by whoever has the link.
//!
//! What is tried is replayed by somebody else ([`Trials`]): in a process of its own, so that nothing it does is counted, remembered or slowed down
//! here. Results are kept for as long as this process lives, a bounded number of them. They name comments and hold none of what these say. That one was
//! started, and that it was over, is on record: so a service that begins anew knows which of them nobody saw to the end.

mod diff;
mod record;
mod runs;
mod trials;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::diff::diff;
pub use self::runs::{KEPT, Run, State};
use self::runs::{Kept, Starting, locked};
pub use self::trials::{BadCandidate, Candidate, News, Outcome, Ready, Running, Trials, Window};
use crate::app::backtest::Progress;
use crate::app::clock::Clock;
use crate::app::reload::Reload;
use crate::domain::decision::Record;
use crate::domain::store::{Store, StoreError};
use crate::domain::time::Timestamp;

/// Bytes of a candidate's settings at most.
pub const TEXT_MAX: usize = 512 << 10;
/// Bytes of all its lists together at most.
pub const FILES_MAX: usize = 2 << 20;
/// Versions that are offered to begin with.
const OFFERED: usize = 100;
/// A node that was not heard of for so long is gone, in milliseconds.
const SILENT_MS: i64 = 20_000;

/// `[backtest]`: what a backtest that is started in the console or over HTTP may take of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// MiB of memory that its process may have; one that needs more is ended. 0 for no bound.
    pub memory_mb: u32,
    /// Seconds that it may take; one that is not through by then is ended. 0 for no bound.
    pub time_s: u32,
    /// MiB that its database may have; one that needs more is ended. 0 for no bound.
    pub disk_mb: u32,
    /// MiB that stay free on the disk of its database: none is started, and one that runs is ended, when less is left. 0 for not looking.
    pub free_mb: u32,
    /// The folder for its database, some 2 kB for each comment; empty for the system's folder for such files.
    pub scratch: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { memory_mb: 1_024, time_s: 6 * 3_600, disk_mb: 10_240, free_mb: 512, scratch: PathBuf::new() }
    }
}

impl Config {
    /// The folder for its database, where one is named.
    #[must_use]
    pub fn within(&self) -> Option<&Path> {
        (!self.scratch.as_os_str().is_empty()).then_some(self.scratch.as_path())
    }

    /// Whether a backtest can run within it.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        if matches!(self.memory_mb, 0 | 256..) {
            return Ok(());
        }
        Err("backtest.memory_mb: must be 0, or 256 and more".to_owned())
    }
}

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another one goes on.
    #[error("another backtest is running; wait for it, or end it")]
    Busy(Option<Uuid>),
    /// There is no such site.
    #[error("there is no site `{0}`")]
    NoSite(String),
    /// Nothing lies between these moments.
    #[error("must be earlier than `until`, which is now when not said")]
    Window,
    /// The candidate cannot be used.
    #[error("{}", .0.problem)]
    Bad(BadCandidate),
    /// It could not be started.
    #[error("the backtest could not be started: {0}")]
    Failed(String),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// A version that somebody may begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its hash.
    pub version: String,
    /// When it was last taken.
    pub at: Timestamp,
}

/// See the module.
pub struct Backtests {
    trials: Arc<dyn Trials>,
    store: Arc<dyn Store>,
    reload: Arc<Reload>,
    clock: Arc<dyn Clock>,
    /// This node's name, where there may be others.
    node: Option<String>,
    kept: Arc<Mutex<Kept>>,
}

impl Backtests {
    /// None yet. `node` is this node's name, where there may be others.
    #[must_use]
    pub fn new(
        trials: Arc<dyn Trials>,
        store: Arc<dyn Store>,
        reload: Arc<Reload>,
        clock: Arc<dyn Clock>,
        node: Option<String>,
    ) -> Self {
        Self { trials, store, reload, clock, node, kept: Arc::default() }
    }

    /// Keeps those that went on when a service ended, by what is on record: started, and never over. Those of other nodes that are alive are theirs.
    ///
    /// # Errors
    /// The store fails; none is kept that was not.
    pub async fn recall(&self) -> Result<(), StoreError> {
        let lines = record::lines(&*self.store).await?;
        let mut alive: Vec<String> = self.node.clone().into_iter().collect();
        if self.node.is_some() {
            let since = self.clock.now().plus_millis(-SILENT_MS);
            let nodes = self.store.nodes().await?;
            alive.extend(nodes.into_iter().filter(|node| node.seen_at > since).map(|node| node.name));
        }
        let interrupted = record::interrupted(&lines, &alive);
        let mut kept = locked(&self.kept);
        for run in interrupted {
            if !kept.runs.iter().any(|known| known.id == run.id) {
                kept.keep(run);
            }
        }
        kept.runs.sort_by_key(|run| run.at);
        Ok(())
    }

    /// The settings in force, and the hash of their version: without secrets, and nothing for a service that follows no file.
    ///
    /// # Errors
    /// The store fails.
    pub async fn in_force(&self) -> Result<(String, Candidate), StoreError> {
        let hash = self.reload.standing().version.clone();
        let version = if hash.is_empty() { None } else { self.store.version(&hash).await? };
        Ok((hash, version.unwrap_or_default().into()))
    }

    /// A version that was in force once, by the beginning of its hash.
    ///
    /// # Errors
    /// The store fails.
    pub async fn version(&self, beginning: &str) -> Result<Option<Candidate>, StoreError> {
        let Some(hash) = self.store.versions_like(beginning).await?.into_iter().next() else { return Ok(None) };
        Ok(self.store.version(&hash).await?.map(Into::into))
    }

    /// Versions that were in force, latest first.
    ///
    /// # Errors
    /// The store fails.
    pub async fn offered(&self) -> Result<Vec<Offered>, StoreError> {
        let mut offered: Vec<Offered> = Vec::new();
        for taken in self.store.versions_taken(OFFERED).await? {
            if !offered.iter().any(|one| one.version == taken.version) {
                offered.push(Offered { version: taken.version, at: taken.at });
            }
        }
        Ok(offered)
    }

    /// Starts one. Lists that the candidate names and does not bring are those in force.
    ///
    /// # Errors
    /// [`StartError`]; nothing was started.
    pub async fn start(&self, mut candidate: Candidate, window: Window, by: &str) -> Result<Run, StartError> {
        if window.since >= window.until {
            return Err(StartError::Window);
        }
        let _starting = {
            let mut kept = locked(&self.kept);
            if kept.is_starting || kept.running().is_some() {
                return Err(StartError::Busy(kept.running()));
            }
            kept.is_starting = true;
            Starting(&self.kept)
        };
        if let Some(wanted) = &window.site
            && !self.store.sites().await?.iter().any(|site| *site.name == **wanted)
        {
            return Err(StartError::NoSite(wanted.clone()));
        }
        let (base, in_force) = self.in_force().await?;
        for (name, text) in &in_force.files {
            if !candidate.files.iter().any(|(given, _)| given == name) {
                candidate.files.push((name.clone(), text.clone()));
            }
        }
        let trials = Arc::clone(&self.trials);
        let read = tokio::task::spawn_blocking(move || trials.read(&candidate)).await;
        let ready = read.map_err(|error| StartError::Failed(error.to_string()))?.map_err(StartError::Bad)?;
        let run = Run {
            id: Uuid::new_v4(),
            by: by.to_owned(),
            at: self.clock.now(),
            window,
            base,
            diff: diff(&in_force, ready.shown()).into(),
            candidate: Arc::new(ready.shown().clone()),
            progress: Progress { done: 0, total: 0 },
            state: State::Running,
            ended: None,
        };
        // On record first: what cannot be told of is not done.
        self.note("backtest.start", &run, by).await?;
        locked(&self.kept).keep(run.clone());
        let (noting, clock, id) = (Arc::clone(&self.kept), Arc::clone(&self.clock), run.id);
        let (store, runtime) = (Arc::clone(&self.store), tokio::runtime::Handle::current());
        let tell = Box::new(move |news: News| {
            let (over, ended) = {
                let mut kept = locked(&noting);
                let over = kept.hear(id, news, clock.now());
                (over, over.and_then(|_| kept.take_running(id)))
            };
            drop(ended);
            // What somebody ended is on record by their name, and what ended with the service is not over.
            if let Some(state) = over {
                let (store, over) = (Arc::clone(&store), record::over(id, state, clock.now()));
                runtime.spawn(async move {
                    if let Err(error) = store.audit_note(over).await {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the end of a backtest is not on record"
                        );
                    }
                });
            }
        });
        match ready.start(&run.window, tell) {
            Ok(running) => {
                let mut kept = locked(&self.kept);
                if kept.running() == Some(id) {
                    kept.running = Some((id, running));
                }
                Ok(run)
            }
            Err(error) => {
                locked(&self.kept).runs.retain(|kept| kept.id != id);
                self.store.audit_note(record::over(id, "not-started", self.clock.now())).await?;
                Err(StartError::Failed(format!("{error:#}")))
            }
        }
    }

    /// One of them.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<Run> {
        locked(&self.kept).runs.iter().find(|run| run.id == id).cloned()
    }

    /// All that are kept, latest first. Among several nodes, with those that were interrupted on another one that is gone by now.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list(&self) -> Result<Vec<Run>, StoreError> {
        if self.node.is_some() {
            self.recall().await?;
        }
        Ok(locked(&self.kept).runs.iter().rev().cloned().collect())
    }

    /// A comment that a report names, as it is now; none when it was erased.
    ///
    /// # Errors
    /// The store fails.
    pub async fn comment(&self, uid: Uuid) -> Result<Option<Record>, StoreError> {
        self.store.comment_by_uid(uid).await
    }

    /// Ends one that goes on, which stays to be seen; forgets one that is over. Whether there was one.
    ///
    /// # Errors
    /// The store fails; nothing was changed.
    pub async fn end(&self, id: Uuid, by: &str) -> Result<bool, StoreError> {
        let Some(run) = self.find(id) else { return Ok(false) };
        let is_running = matches!(run.state, State::Running);
        self.note(if is_running { "backtest.stop" } else { "backtest.forget" }, &run, by).await?;
        let now = self.clock.now();
        let ended = {
            let mut kept = locked(&self.kept);
            if is_running {
                kept.end(id, State::Stopped, now)
            } else {
                kept.runs.retain(|run| run.id != id);
                None
            }
        };
        gone(ended).await;
        Ok(true)
    }

    /// Ends whatever goes on: the service stops. It is not on record as over, and so the next start knows that it was interrupted.
    pub async fn close(&self) {
        let ended = {
            let mut kept = locked(&self.kept);
            kept.running().and_then(|id| kept.end(id, State::Interrupted, self.clock.now()))
        };
        gone(ended).await;
    }

    async fn note(&self, action: &str, run: &Run, by: &str) -> Result<(), StoreError> {
        let node = self.node.as_deref();
        self.store.audit_note(record::about(action, run, by, node, self.clock.now())).await
    }
}

/// Ends a process, and waits until it is gone with all that it left: not under a lock, and not on a thread that answers.
async fn gone(process: Option<Box<dyn Running>>) {
    let _ = tokio::task::spawn_blocking(move || drop(process)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_by_what_a_replay_needs_at_least() {
        let check = |memory_mb| Config { memory_mb, ..Config::default() }.check();
        assert!(check(0).is_ok() && check(256).is_ok());
        assert!(check(64).unwrap_err().starts_with("backtest.memory_mb: "));
    }
}

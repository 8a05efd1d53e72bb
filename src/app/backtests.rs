//! Backtests that people start while the service runs: one at a time, watched, ended early, and looked at later by whoever has the link.
//!
//! What is tried is replayed by somebody else ([`Trials`]): in a process of its own, so that nothing it does is counted, remembered or slowed down
//! here. Results are kept for as long as this process lives, a bounded number of them. They name comments and hold none of what these say.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use similar::TextDiff;
use uuid::Uuid;

use crate::app::backtest::{Progress, Report};
use crate::app::clock::Clock;
use crate::app::reload::Reload;
use crate::domain::decision::{Actor, Record};
use crate::domain::store::{AuditEntry, Store, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::versions::Version;

/// Runs that are kept, the one that goes on included.
pub const KEPT: usize = 20;
/// Bytes of a candidate's settings at most.
pub const TEXT_MAX: usize = 512 << 10;
/// Bytes of all its lists together at most.
pub const FILES_MAX: usize = 2 << 20;
/// Versions that are offered to begin with.
const OFFERED: usize = 100;

/// `[backtest]`: what a backtest that is started in the console or over HTTP may take of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// MiB of memory that its process may have; one that needs more is ended. 0 for no bound.
    pub memory_mb: u32,
    /// The folder for its database, some 2 kB for each comment; empty for the system's folder for such files.
    pub scratch: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { memory_mb: 1_024, scratch: PathBuf::new() }
    }
}

impl Config {
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
    /// It is over: what it found, or why not.
    Over(Result<Box<Report>, String>),
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
    /// Somebody ended it.
    Stopped,
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
    kept: Arc<Mutex<Kept>>,
}

/// Newest last.
#[derive(Default)]
struct Kept {
    runs: Vec<Run>,
    /// Whether somebody is about to start one.
    is_starting: bool,
    running: Option<(Uuid, Box<dyn Running>)>,
}

impl Kept {
    fn running(&self) -> Option<Uuid> {
        self.runs.iter().find(|run| matches!(run.state, State::Running)).map(|run| run.id)
    }

    fn hear(&mut self, id: Uuid, news: News, now: Timestamp) {
        let Some(run) = self.runs.iter_mut().find(|run| run.id == id) else { return };
        if !matches!(run.state, State::Running) {
            return; // what was ended has nothing more to say
        }
        match news {
            News::Progress(progress) => run.progress = progress,
            News::Over(outcome) => {
                run.ended = Some(now);
                run.state = match outcome {
                    Ok(report) => State::Done(Arc::from(report)),
                    Err(problem) => State::Failed(problem),
                };
            }
        }
    }
}

fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets others start again when it is dropped, whatever became of this start.
struct Starting<'a>(&'a Mutex<Kept>);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        locked(self.0).is_starting = false;
    }
}

impl Backtests {
    /// None yet.
    #[must_use]
    pub fn new(trials: Arc<dyn Trials>, store: Arc<dyn Store>, reload: Arc<Reload>, clock: Arc<dyn Clock>) -> Self {
        Self { trials, store, reload, clock, kept: Arc::default() }
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
        {
            let mut kept = locked(&self.kept);
            if kept.runs.len() >= KEPT {
                kept.runs.remove(0); // none of them goes on
            }
            kept.runs.push(run.clone());
        }
        let (noting, clock, id) = (Arc::clone(&self.kept), Arc::clone(&self.clock), run.id);
        let tell = Box::new(move |news: News| {
            let is_over = matches!(news, News::Over(_));
            let ended = {
                let mut kept = locked(&noting);
                kept.hear(id, news, clock.now());
                if is_over { kept.running.take_if(|(running, _)| *running == id) } else { None }
            };
            drop(ended);
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
                Err(StartError::Failed(format!("{error:#}")))
            }
        }
    }

    /// One of them.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<Run> {
        locked(&self.kept).runs.iter().find(|run| run.id == id).cloned()
    }

    /// All that are kept, latest first.
    #[must_use]
    pub fn list(&self) -> Vec<Run> {
        locked(&self.kept).runs.iter().rev().cloned().collect()
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
                if let Some(run) = kept.runs.iter_mut().find(|run| run.id == id && matches!(run.state, State::Running))
                {
                    (run.state, run.ended) = (State::Stopped, Some(now));
                }
                kept.running.take_if(|(running, _)| *running == id)
            } else {
                kept.runs.retain(|run| run.id != id);
                None
            }
        };
        drop(ended); // not under the lock: it waits for the process to be gone
        Ok(true)
    }

    /// Ends whatever goes on: the service stops.
    pub fn close(&self) {
        let running = locked(&self.kept).running.take();
        drop(running);
    }

    async fn note(&self, action: &str, run: &Run, by: &str) -> Result<(), StoreError> {
        let Window { since, until, site } = &run.window;
        let of = site.as_ref().map(|site| format!(" site={site}")).unwrap_or_default();
        let detail = format!("since={since} until={until}{of}");
        let (by, subject) = (Actor::Person(by.to_owned()), run.id.to_string());
        self.store.audit_note(AuditEntry { by, action: action.to_owned(), subject, detail, at: self.clock.now() }).await
    }
}

/// What differs, file by file.
fn diff(from: &Candidate, to: &Candidate) -> String {
    let mut text = unified("config.toml", &from.text, &to.text);
    let of = |candidate: &Candidate, name: &str| {
        let found = candidate.files.iter().find(|(known, _)| known == name);
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let mut names: Vec<&String> = from.files.iter().chain(&to.files).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        text += &unified(name, &of(from, name), &of(to, name));
    }
    text
}

fn unified(name: &str, from: &str, to: &str) -> String {
    if from == to {
        return String::new();
    }
    TextDiff::from_lines(from, to).unified_diff().header(name, name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_every_file_that_differs_and_no_other() {
        let of = |text: &str, list: &str| Candidate {
            text: text.to_owned(),
            files: vec![("coins.txt".to_owned(), list.to_owned()), ("same.txt".to_owned(), "x\n".to_owned())],
        };
        let found = diff(&of("a = 1\n", "bitcoin\n"), &of("a = 2\n", "bitcoin\nether\n"));
        assert_eq!(
            found,
            "--- config.toml\n+++ config.toml\n@@ -1 +1 @@\n-a = 1\n+a = 2\n--- coins.txt\n+++ coins.txt\n@@ -1 +1,2 @@\n bitcoin\n+ether\n"
        );
        assert_eq!(diff(&of("a", ""), &of("a", "")), "");
    }

    #[test]
    fn memory_is_bounded_by_what_a_replay_needs_at_least() {
        let check = |memory_mb| Config { memory_mb, ..Config::default() }.check();
        assert!(check(0).is_ok() && check(256).is_ok());
        assert!(check(64).unwrap_err().starts_with("backtest.memory_mb: "));
    }
}

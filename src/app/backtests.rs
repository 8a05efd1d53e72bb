//! Backtests that people start while the service runs: one at a time, watched, ended early, and looked at later by whoever has the link.
//!
//! What is tried is replayed by somebody else ([`Trials`]): in a process of its own, so that nothing it does is counted, remembered or slowed down
//! here. Results are kept for as long as this process lives, a bounded number of them. They name comments and hold none of what these say. That one was
//! started, and that it was over, is on record: so a service that begins anew knows which of them nobody saw to the end.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use similar::TextDiff;
use uuid::Uuid;

use crate::app::backtest::{Progress, Report};
use crate::app::clock::Clock;
use crate::app::reload::Reload;
use crate::domain::decision::{Actor, Record};
use crate::domain::store::{AuditEntry, AuditFilter, ListError, PageRequest, Store, StoreError};
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
/// Lines of the record that are looked at for backtests that were interrupted: each of those that are kept may have three.
const LOOKED_AT: usize = 3 * KEPT;
/// A node that was not heard of for so long is gone, in milliseconds.
const SILENT_MS: i64 = 20_000;
/// Pages of the record that are looked at for as many.
const PAGES: usize = 20;

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
                    Outcome::Found(report) => State::Done(Arc::from(report)),
                    Outcome::Failed(problem) => State::Failed(problem),
                    Outcome::TimedOut(problem) => State::TimedOut(problem),
                };
            }
        }
    }

    /// Keeps one more, and no more than there may be: the oldest that is over goes.
    fn keep(&mut self, run: Run) {
        if self.runs.len() >= KEPT
            && let Some(oldest) = self.runs.iter().position(|run| !matches!(run.state, State::Running))
        {
            self.runs.remove(oldest);
        }
        self.runs.push(run);
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
        let filter = AuditFilter { action: Some("backtest.".to_owned()), ..AuditFilter::default() };
        let mut page = PageRequest { limit: LOOKED_AT, cursor: None };
        let mut lines = Vec::new();
        // A page under a filter may be short, and say where to go on.
        for _ in 0..PAGES {
            let listed = self.store.audit_list(&filter, &page).await.map_err(|error| match error {
                ListError::Store(error) => error,
                ListError::BadCursor => StoreError::Corrupt("the record cannot be gone through".to_owned()),
            })?;
            lines.extend(listed.items.into_iter().map(|line| line.entry));
            page.cursor = listed.next_cursor;
            if page.cursor.is_none() || lines.len() >= LOOKED_AT {
                break;
            }
        }
        let mut alive: Vec<String> = self.node.clone().into_iter().collect();
        if self.node.is_some() {
            let since = self.clock.now().plus_millis(-SILENT_MS);
            let nodes = self.store.nodes().await?;
            alive.extend(nodes.into_iter().filter(|node| node.seen_at > since).map(|node| node.name));
        }
        let interrupted = interrupted(&lines, &alive);
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
            let is_over = matches!(news, News::Over(_));
            let (ended, state) = {
                let mut kept = locked(&noting);
                kept.hear(id, news, clock.now());
                let state = kept.runs.iter().find(|run| run.id == id).map(|run| run.state.name());
                (if is_over { kept.running.take_if(|(running, _)| *running == id) } else { None }, state)
            };
            drop(ended);
            // What somebody ended is on record by their name.
            if let Some(state) = state.filter(|state| is_over && *state != State::Stopped.name()) {
                let (store, over) = (Arc::clone(&store), over(id, state, clock.now()));
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
                self.store.audit_note(over(id, "not-started", self.clock.now())).await?;
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
        // Not under the lock, and not here: it waits for the process to be gone.
        let _ = tokio::task::spawn_blocking(move || drop(ended)).await;
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
        let at = self.node.as_ref().map(|node| format!("node={node} ")).unwrap_or_default();
        let detail = format!("{at}since={since} until={until}{of}");
        let (by, subject) = (Actor::Person(by.to_owned()), run.id.to_string());
        self.store.audit_note(AuditEntry { by, action: action.to_owned(), subject, detail, at: self.clock.now() }).await
    }
}

/// That one is over.
fn over(id: Uuid, state: &str, at: Timestamp) -> AuditEntry {
    let (action, subject) = ("backtest.end".to_owned(), id.to_string());
    AuditEntry { by: Actor::Console, action, subject, detail: format!("state={state}"), at }
}

/// What was started and never over, oldest first, by lines of the record, newest first; without what runs on nodes that are `alive`.
fn interrupted(lines: &[AuditEntry], alive: &[String]) -> Vec<Run> {
    let mut over = HashSet::new();
    let mut left = Vec::new();
    for line in lines {
        if line.action != "backtest.start" {
            over.insert(line.subject.as_str()); // ended by itself, by somebody, or forgotten
        } else if !over.contains(line.subject.as_str())
            && let Some(run) = of_line(line, alive)
        {
            left.push(run);
        }
    }
    left.reverse();
    left
}

fn of_line(line: &AuditEntry, alive: &[String]) -> Option<Run> {
    let said = |name: &str| line.detail.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    if said("node").is_some_and(|node| alive.iter().any(|alive| alive == node)) {
        return None;
    }
    let at = |name: &str| Timestamp::parse(said(name)?).ok();
    let by = match &line.by {
        Actor::Person(email) => email.clone(),
        Actor::Site(name) => name.clone(),
        Actor::Console => String::new(),
    };
    Some(Run {
        id: line.subject.parse().ok()?,
        by,
        at: line.at,
        window: Window { since: at("since")?, until: at("until")?, site: said("site").map(str::to_owned) },
        base: String::new(),
        candidate: Arc::default(),
        diff: Arc::from(""),
        progress: Progress { done: 0, total: 0 },
        state: State::Interrupted,
        ended: None,
    })
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

    #[test]
    fn what_was_started_and_never_over_was_interrupted_unless_another_node_is_at_it() {
        let line = |action: &str, id: u128, detail: &str| AuditEntry {
            by: Actor::Person("ops@example.org".to_owned()),
            action: format!("backtest.{action}"),
            subject: Uuid::from_u128(id).to_string(),
            detail: detail.to_owned(),
            at: Timestamp::EPOCH,
        };
        let window = "since=2026-11-01T00:00:00Z until=2026-11-02T00:00:00Z";
        let mut lines = vec![
            line("start", 1, window),
            line("end", 1, "state=done"),
            line("start", 2, window),
            line("stop", 2, window),
            line("end", 2, "state=failed"),
            line("start", 3, &format!("{window} site=news")),
            line("start", 4, &format!("node=there {window}")),
            line("start", 5, &format!("node=gone {window}")),
            line("start", 6, "nonsense"),
        ];
        lines.reverse();
        let found = interrupted(&lines, &["there".to_owned()]);
        assert_eq!(found.iter().map(|run| run.id.as_u128()).collect::<Vec<_>>(), [3, 5]);
        assert_eq!((found[0].window.site.as_deref(), found[0].by.as_str()), (Some("news"), "ops@example.org"));
        assert!(found.iter().all(|run| run.state.name() == "interrupted" && run.state.problem().is_some()));
    }
}

//! Backtests that a service starts: each in a process of its own, which is this program again.
//!
//! So nothing of a replay is counted in the service's metrics or kept in its memory, and it cannot take the service down. Its process has the lowest
//! priority there is, the system ends it first when memory runs out, and `backtest.memory_mb` bounds it. It ends with whoever started it: what it is
//! to do comes through its standard input, and when that closes nobody waits for an answer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::backtest::{ask, backtest_with};
use super::scratch::{self, Folder};
use super::{SystemClock, open_store};
use crate::app::backtest::{Ask, Progress, Report};
use crate::app::backtests::{self, BadCandidate, Candidate, News, Ready, Running, Trials, Window};
use crate::app::clock::Clock as _;
use crate::app::live::Live;
use crate::config::{Config, ConfigError, Source, redacted};
use crate::domain::rules::lists::{Kind, ListText};
use crate::storage;

/// The command that runs one; nobody types it.
pub const COMMAND: &str = "replay";
/// Between two words about how far it is, in milliseconds.
const TELL_EVERY_MS: u64 = 250;
/// Connections to PostgreSQL that a replay takes at most: comments of the service come first.
const CONNECTIONS: usize = 2;
/// Bytes of a process's last words that are told.
const LAST_WORDS: usize = 2_000;
/// Bytes of a mebibyte.
const MIB: u64 = 1 << 20;

/// What a process is told to do, in one line of JSON.
#[derive(Serialize, Deserialize)]
struct Order {
    /// Whose comments. Its password stands beside it, because settings do not show theirs.
    database: storage::Config,
    url: String,
    /// The settings as TOML, without what verdicts do not depend on.
    candidate: String,
    lists: Vec<(String, Kind, String)>,
    ask: Ask,
    settings: backtests::Config,
}

/// What it says, a line of JSON each.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Progress(Progress),
    Report(Box<Report>),
    Failed(String),
}

/// Tries candidates over a service's database.
pub struct Processes {
    /// What the service runs under.
    running: Live<Config>,
    /// The file that it follows, once it does.
    source: OnceLock<Source>,
    /// The program; this one, when nobody said another.
    program: Mutex<Option<PathBuf>>,
}

impl Processes {
    /// For a service under these settings.
    #[must_use]
    pub(super) fn new(running: Live<Config>) -> Self {
        Self { running, source: OnceLock::new(), program: Mutex::default() }
    }

    /// The service runs under these from now on.
    pub(super) fn runs_under(&self, config: Config) {
        self.running.set(config);
    }

    /// Candidates are read as if they stood in that file.
    pub(super) fn follow(&self, source: Source) {
        let _ = self.source.set(source); // a service follows one file
    }

    /// Another program than this one: for tests, which are none that could do it.
    pub fn use_program(&self, program: PathBuf) {
        *self.program.lock().unwrap_or_else(PoisonError::into_inner) = Some(program);
    }

    fn program(&self) -> anyhow::Result<PathBuf> {
        if let Some(program) = self.program.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(program);
        }
        // What runs here, also when another version lies in its place by now.
        let itself = PathBuf::from("/proc/self/exe");
        if itself.exists() { Ok(itself) } else { std::env::current_exe().context("this program is not to be found") }
    }
}

impl Trials for ProcessesOf {
    fn read(&self, candidate: &Candidate) -> Result<Box<dyn Ready>, BadCandidate> {
        let Candidate { text, files } = candidate;
        let running = self.0.running.get();
        let none = Source::new(None, Vec::new());
        let source = self.0.source.get().unwrap_or(&none);
        let (config, lists) = source.candidate(text, files, &running).map_err(bad)?;
        let named = source.lists_of(&config);
        let files = files.iter().filter(|(name, _)| named.contains(name)).cloned().collect();
        let shown = Candidate { text: redacted(text), files };
        Ok(Box::new(Candidacy { processes: Arc::clone(&self.0), running, config, lists, shown }))
    }
}

/// As the use case knows them.
pub(super) struct ProcessesOf(pub Arc<Processes>);

fn bad(error: ConfigError) -> BadCandidate {
    match error {
        ConfigError::Line { line, column, problem, .. } => BadCandidate { place: Some((line, column)), problem },
        error => BadCandidate { place: None, problem: error.to_string() },
    }
}

/// A candidate that can be tried.
struct Candidacy {
    processes: Arc<Processes>,
    running: Arc<Config>,
    config: Config,
    lists: Vec<ListText>,
    shown: Candidate,
}

impl Ready for Candidacy {
    fn shown(&self) -> &Candidate {
        &self.shown
    }

    fn start(self: Box<Self>, window: &Window, tell: Box<dyn Fn(News) + Send>) -> anyhow::Result<Box<dyn Running>> {
        let Window { since, until, site } = window;
        let url = self.running.server.public_url.trim_end_matches('/');
        let ask = Ask { site: site.clone(), listed_each: Some(LISTED_EACH), ..ask(&self.config, *since, *until, url) };
        let mut candidate = self.config;
        // Nothing of these has a part in verdicts, and secrets do not travel.
        (candidate.database, candidate.shared, candidate.sources) = Default::default();
        (candidate.metrics, candidate.secrets, candidate.notify) = Default::default();
        let settings = self.running.backtest.clone();
        let order = Order {
            database: self.running.database.clone(),
            url: self.running.database.url.clone(),
            candidate: toml::to_string(&candidate).context("the candidate cannot be written")?,
            lists: self.lists.into_iter().map(|list| (list.name, list.kind, list.text)).collect(),
            ask,
            settings: settings.clone(),
        };
        let mut order = serde_json::to_string(&order).context("the order cannot be written")?;
        order.push('\n');
        let program = self.processes.program()?;
        let mut child = Command::new(&program)
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let parts = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = parts else { anyhow::bail!("it cannot be spoken to") };
        let child = Arc::new(Mutex::new(child));
        let watched = Process { child: Arc::clone(&child), stdin: Some(stdin), stdout, stderr, settings };
        std::thread::Builder::new()
            .name("backtest".to_owned())
            .spawn(move || watched.watch(&order, &tell))
            .context("nobody could be found to watch it")?;
        Ok(Box::new(Kill(child)))
    }
}

/// Verdicts that differ, of each kind, that are listed at most.
const LISTED_EACH: usize = 200;

/// Ends the process.
struct Kill(Arc<Mutex<Child>>);

impl Running for Kill {}

impl Drop for Kill {
    fn drop(&mut self) {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill(); // it may be gone
    }
}

/// A process that replays, and what it says.
struct Process {
    child: Arc<Mutex<Child>>,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: ChildStderr,
    settings: backtests::Config,
}

impl Process {
    /// Tells what it says, to its end.
    fn watch(mut self, order: &str, tell: &dyn Fn(News)) {
        let mut stderr = self.stderr;
        let last_words = std::thread::Builder::new().name("backtest-words".to_owned()).spawn(move || {
            let mut words = Vec::new();
            let _ = stderr.by_ref().take(LAST_WORDS as u64).read_to_end(&mut words);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink()); // or it would wait for somebody to read
            String::from_utf8_lossy(&words).trim().to_owned()
        });
        // Not closed until it is over: that is how it knows that somebody waits.
        let told =
            self.stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(order.as_bytes()).and_then(|()| stdin.flush()));
        let mut outcome = told.err().map(|error| Err(format!("it could not be told what to do: {error}")));
        for line in BufReader::new(self.stdout).lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(Said::Progress(progress)) => tell(News::Progress(progress)),
                Ok(Said::Report(report)) => outcome = Some(Ok(report)),
                Ok(Said::Failed(problem)) => outcome = Some(Err(problem)),
                Err(_) => {} // nobody of ours said that
            }
        }
        drop(self.stdin);
        let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
        let words = last_words.ok().and_then(|words| words.join().ok()).unwrap_or_default();
        let scratch = &self.settings.scratch;
        scratch::clear((!scratch.as_os_str().is_empty()).then_some(scratch)); // what it had no time to remove
        let outcome = outcome.unwrap_or_else(|| {
            let memory_mb = self.settings.memory_mb;
            let ended = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            Err(format!(
                "its process ended early ({ended}): the machine may have run out of memory, or it may have needed more than backtest.memory_mb = {memory_mb}. {words}"
            )
            .trim_end()
            .to_owned())
        });
        tell(News::Over(outcome));
    }
}

/// What the process does: reads its order, replays, says what it found.
///
/// # Errors
/// It could not be understood, or not be answered; what else went wrong is said in the answer.
pub async fn work() -> anyhow::Result<()> {
    let mut order = String::new();
    std::io::stdin().lock().read_line(&mut order).context("standard input")?;
    let order: Order =
        serde_json::from_str(&order).context("this command is given by a running service, and by nobody else")?;
    stand_back(order.settings.memory_mb);
    end_with_whoever_waits();
    let said = match replay(order).await {
        Ok(report) => Said::Report(Box::new(report)),
        Err(error) => Said::Failed(format!("{error:#}")),
    };
    say(&said)
}

async fn replay(order: Order) -> anyhow::Result<Report> {
    let Order { mut database, url, candidate, lists, ask, settings } = order;
    let candidate = Config::parse(&candidate, "candidate")?;
    database.url = url;
    database.connections = CONNECTIONS;
    database.readers = 1;
    let store = open_store(&Config { database, ..Config::default() }).await?;
    let lists = lists.into_iter().map(|(name, kind, text)| ListText { name, kind, text }).collect();
    let scratch = (!settings.scratch.as_os_str().is_empty()).then_some(settings.scratch.as_path());
    let folder = Folder::make(scratch)?;
    let mut told = SystemClock.now();
    let mut tell = |progress: Progress| {
        let now = SystemClock.now();
        if now.millis_since(told) >= TELL_EVERY_MS || progress.done == 1 {
            told = now;
            let _ = say(&Said::Progress(progress)); // whoever is gone is noticed elsewhere
        }
    };
    let found = Box::pin(backtest_with(&store, &candidate, lists, folder.path(), false, ask, &mut tell)).await;
    store.close().await;
    found
}

fn say(said: &Said) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, said).context("standard output")?;
    out.write_all(b"\n").and_then(|()| out.flush()).context("standard output")
}

/// Ends this process when nobody waits for it any more.
fn end_with_whoever_waits() {
    let waits = || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(1); // what it leaves is removed by the next one
    };
    let _ = std::thread::Builder::new().name("waits".to_owned()).spawn(waits);
}

/// Whatever serves comes first. Each step that a system does not allow is one that its own limits take care of.
#[cfg(target_os = "linux")]
fn stand_back(memory_mb: u32) {
    use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
    let _ = setpriority_process(None, 19);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    if memory_mb > 0 {
        let most = Some(u64::from(memory_mb) * MIB);
        let _ = setrlimit(Resource::Data, Rlimit { current: most, maximum: most });
    }
}

#[cfg(not(target_os = "linux"))]
fn stand_back(_memory_mb: u32) {}

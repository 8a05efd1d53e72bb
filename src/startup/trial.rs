//! Backtests that a service starts: each in a process of its own, which is this program again.
//!
//! So nothing of a replay is counted in the service's metrics or kept in its memory, and it cannot take the service down. Its process has the lowest
//! priority there is, the system ends it first when memory runs out, and `[backtest]` bounds its memory, its time and its disk. It ends with whoever
//! started it, and does not listen to what ends services: what it is to do comes through its standard input, and when that closes nobody waits for an
//! answer.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::backtest::{ask, backtest_with};
use super::scratch::{self, Folder, free_bytes};
use super::{SystemClock, open_store};
use crate::app::backtest::{Ask, Progress, Report};
use crate::app::backtests::{self, BadCandidate, Candidate, News, Outcome, Ready, Running, Trials, Window};
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
/// Bytes of disk that a replayed comment takes at the very least: what needs more than there is even so need not begin.
const BYTES_EACH: u64 = 1_000;
/// Between two looks at how long a replay takes and how much of the disk is left.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Between two looks at whether a process is gone that said its last word.
const GONE_EVERY: Duration = Duration::from_millis(10);

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
        room(&settings, 0)?;
        let database = self.running.database.clone();
        let order = Order {
            database: database.clone(),
            url: database.url.clone(),
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
        // From here on it is ended when anything goes wrong.
        let process = Arc::new(Process { held: Mutex::new(Held { child, cause: None }), settings });
        let ends = Ends(Arc::clone(&process));
        let (Some(stdin), Some(stdout), Some(stderr)) = parts else { anyhow::bail!("it cannot be spoken to") };
        let last_words = thread("backtest-words", move || last_words(stderr))?;
        let (over, is_over) = mpsc::channel();
        let kept = Arc::clone(&process);
        thread("backtest-bounds", move || kept.keep_within(&is_over))?;
        let watch = Watch { process, database, last_words, over };
        thread("backtest", move || watch.watch(&order, stdin, stdout, &*tell))?;
        Ok(Box::new(ends))
    }
}

/// Verdicts that differ, of each kind, that are listed at most.
const LISTED_EACH: usize = 200;

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<std::thread::JoinHandle<T>> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started.context("nobody could be found to watch it")
}

/// Whether there is room for replaying so many comments.
///
/// # Errors
/// A sentence for the operator.
fn room(settings: &backtests::Config, comments: u64) -> anyhow::Result<()> {
    let needed_mb = comments.saturating_mul(BYTES_EACH) / MIB;
    let (disk_mb, free_mb) = (u64::from(settings.disk_mb), u64::from(settings.free_mb));
    anyhow::ensure!(
        disk_mb == 0 || needed_mb <= disk_mb,
        "{comments} comments need {needed_mb} MiB of disk at the very least, and backtest.disk_mb = {disk_mb}; choose fewer, or raise it"
    );
    let place = scratch::place(settings.within());
    if free_mb > 0
        && let Some(left) = free_bytes(&place)
    {
        let left_mb = left / MIB;
        anyhow::ensure!(
            left_mb >= free_mb.saturating_add(needed_mb),
            "{left_mb} MiB are left in {}; backtest.free_mb = {free_mb} are to stay free, and the replay needs {needed_mb} MiB at the very least",
            place.display()
        );
    }
    Ok(())
}

/// The end of what it says on standard error, from the beginning of a line.
fn last_words(mut from: impl Read) -> String {
    let (mut words, mut piece, mut is_cut) = (Vec::new(), [0; 4_096], false);
    loop {
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => words.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        if words.len() > LAST_WORDS {
            words.drain(..words.len() - LAST_WORDS);
            is_cut = true;
        }
    }
    let words = String::from_utf8_lossy(&words);
    let whole = words.split_once('\n').map_or(&*words, |(_, rest)| rest);
    (if is_cut { whole } else { &words }).trim().to_owned()
}

/// A process that replays.
struct Process {
    held: Mutex<Held>,
    settings: backtests::Config,
}

struct Held {
    child: Child,
    /// Why it was ended, if it was.
    cause: Option<Cause>,
}

/// Why a process was ended that would have gone on.
#[derive(Debug, Clone)]
enum Cause {
    /// Nobody wants to know any more.
    Unwanted,
    /// It took too long.
    Time,
    /// There is no room for it: a sentence.
    Room(String),
}

impl Process {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it; the first cause is the one that counts.
    fn end(&self, cause: Cause) {
        let mut held = self.held();
        held.cause.get_or_insert(cause);
        let _ = held.child.kill(); // it may be gone
    }

    /// Until it is over: ends it when it takes too long, or when the disk runs full.
    fn keep_within(&self, is_over: &mpsc::Receiver<()>) {
        let most = Duration::from_secs(u64::from(self.settings.time_s));
        let mut passed = Duration::ZERO;
        // Whoever watches drops the other end when it is over.
        while is_over.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            passed += LOOK_EVERY;
            if !most.is_zero() && passed >= most {
                return self.end(Cause::Time);
            }
            if let Err(full) = room(&self.settings, 0) {
                return self.end(Cause::Room(full.to_string()));
            }
        }
    }

    /// How it ended. Not waited for under the lock: somebody may have to end it.
    fn ended(&self) -> std::io::Result<ExitStatus> {
        loop {
            let found = self.held().child.try_wait();
            if let Some(status) = found? {
                return Ok(status);
            }
            std::thread::park_timeout(GONE_EVERY);
        }
    }
}

/// Ends the process, and waits until nothing of it is left.
struct Ends(Arc<Process>);

impl Running for Ends {}

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.end(Cause::Unwanted);
        let _ = self.0.ended();
        scratch::clear(self.0.settings.within()); // what it had no time to remove
    }
}

/// Tells that it is over, whatever becomes of whoever watches: or it would run for good.
struct Telling<'a> {
    tell: &'a dyn Fn(News),
    is_over: bool,
}

impl Telling<'_> {
    fn over(mut self, outcome: Outcome) {
        self.is_over = true;
        (self.tell)(News::Over(outcome));
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            (self.tell)(News::Over(Outcome::Failed("what it found could not be read".to_owned())));
        }
    }
}

/// Whoever listens to a process.
struct Watch {
    process: Arc<Process>,
    database: storage::Config,
    last_words: std::thread::JoinHandle<String>,
    /// Dropped when it is over.
    over: mpsc::Sender<()>,
}

impl Watch {
    /// Tells what it says, to its end, and how that came.
    fn watch(self, order: &str, mut stdin: ChildStdin, stdout: ChildStdout, tell: &dyn Fn(News)) {
        let telling = Telling { tell, is_over: false };
        let told = stdin.write_all(order.as_bytes()).and_then(|()| stdin.flush());
        let mut said = None;
        let mut replayed = Progress { done: 0, total: 0 };
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(Said::Progress(progress)) => {
                    if replayed.total == 0
                        && let Err(full) = room(&self.process.settings, progress.total)
                    {
                        self.process.end(Cause::Room(full.to_string()));
                    }
                    replayed = progress;
                    tell(News::Progress(progress));
                }
                Ok(over) => said = Some(over),
                Err(_) => {} // nobody of ours said that
            }
        }
        // Not closed until it has said everything: that is how it knows that somebody waits.
        drop(stdin);
        let status = self.process.ended();
        drop(self.over);
        let words = self.last_words.join().unwrap_or_default();
        scratch::clear(self.process.settings.within()); // what it had no time to remove
        let cause = self.process.held().cause.clone();
        let settings = &self.process.settings;
        telling.over(match (said, cause) {
            (Some(Said::Report(report)), _) => Outcome::Found(report),
            (_, Some(Cause::Time)) => {
                let (Progress { done, total }, time_s) = (replayed, settings.time_s);
                Outcome::TimedOut(format!(
                    "it was not through after backtest.time_s = {time_s} seconds: {done} of {total} comments were replayed"
                ))
            }
            (_, Some(Cause::Room(full))) => Outcome::Failed(full),
            (Some(Said::Failed(problem)), _) => Outcome::Failed(self.database.without_password(&problem)),
            (_, Some(Cause::Unwanted)) => Outcome::Failed("it was ended".to_owned()),
            (_, None) => {
                let words = self.database.without_password(&words);
                Outcome::Failed(died(status, told.err(), settings.memory_mb, &words))
            }
        });
    }
}

/// Why there is nothing, of a process that ended by itself without a word that is meant for us.
fn died(status: std::io::Result<ExitStatus>, untold: Option<std::io::Error>, memory_mb: u32, words: &str) -> String {
    let by_itself = status.as_ref().is_ok_and(|status| status.code().is_some());
    let ended = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    let mut why = format!("its process ended early ({ended})");
    if !by_itself {
        why += &format!(
            ": the machine may have run out of memory, or it may have needed more than backtest.memory_mb = {memory_mb}"
        );
    }
    if let Some(error) = untold {
        why += &format!("; it could not be told what to do: {error}");
    }
    if !words.is_empty() {
        why += &format!(". Its last words: {words}");
    }
    why
}

/// What the process does: reads its order, replays, says what it found.
///
/// # Errors
/// It could not be understood, or not be answered; what else went wrong is said in the answer.
pub async fn work() -> anyhow::Result<()> {
    // Whoever stops a service (systemd, a terminal) tells all its processes: this one would be gone before the service, which then took it for failed.
    let _deaf = deaf().context("signals")?;
    let mut order = String::new();
    std::io::stdin().lock().read_line(&mut order).context("standard input")?;
    let order: Order =
        serde_json::from_str(&order).context("this command is given by a running service, and by nobody else")?;
    stand_back(order.settings.memory_mb);
    let folder = Arc::new(OnceLock::new());
    end_with_whoever_waits(&folder);
    let said = match replay(order, &folder).await {
        Ok(report) => Said::Report(Box::new(report)),
        Err(error) => Said::Failed(format!("{error:#}")),
    };
    say(&said)
}

async fn replay(order: Order, lies_in: &OnceLock<PathBuf>) -> anyhow::Result<Report> {
    let Order { mut database, url, candidate, lists, ask, settings } = order;
    let mut candidate = Config::parse(&candidate, "candidate")?;
    database.url = url;
    database.connections = CONNECTIONS;
    database.readers = 1;
    let store = open_store(&Config { database, ..Config::default() }).await?;
    let lists = lists.into_iter().map(|(name, kind, text)| ListText { name, kind, text }).collect();
    let folder = Folder::make(settings.within())?;
    let _ = lies_in.set(folder.path().to_owned());
    let disk_mb = settings.disk_mb;
    candidate.backtest = settings; // what it may take is not for the candidate to say
    let mut told = SystemClock.now();
    let mut tell = |progress: Progress| {
        let now = SystemClock.now();
        if now.millis_since(told) >= TELL_EVERY_MS || progress.done <= 1 {
            told = now;
            let _ = say(&Said::Progress(progress)); // whoever is gone is noticed elsewhere
        }
    };
    let found = Box::pin(backtest_with(&store, &candidate, lists, folder.path(), false, ask, &mut tell)).await;
    store.close().await;
    let is_full = disk_mb > 0 && bytes_in(folder.path()) >= u64::from(disk_mb) * MIB / 100 * 95;
    if is_full { found.with_context(|| format!("it needed more than backtest.disk_mb = {disk_mb}")) } else { found }
}

fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
}

fn say(said: &Said) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, said).context("standard output")?;
    out.write_all(b"\n").and_then(|()| out.flush()).context("standard output")
}

/// Signals that end a service, or have it look at its settings, end this process no more. They are heard instead, and nothing follows.
#[cfg(unix)]
fn deaf() -> std::io::Result<impl Sized> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?])
}

#[cfg(not(unix))]
fn deaf() -> std::io::Result<()> {
    Ok(())
}

/// Ends this process when nobody waits for it any more, and leaves nothing. Whoever waits has the other end of standard input, which closes when
/// they end, however that comes.
fn end_with_whoever_waits(folder: &Arc<OnceLock<PathBuf>>) {
    let folder = Arc::clone(folder);
    let waits = move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        if let Some(folder) = folder.get() {
            // What is written meanwhile may make it fail: it is tried again, and what then is left is removed by the next service.
            let _ = std::fs::remove_dir_all(folder).or_else(|_| std::fs::remove_dir_all(folder));
        }
        std::process::exit(1);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_the_last_ones_from_the_beginning_of_a_line() {
        let long: String = (0..1_000).map(|n| format!("line {n}\n")).collect();
        let words = last_words(long.as_bytes());
        assert!(words.starts_with("line ") && words.ends_with("line 999") && words.len() <= LAST_WORDS, "{words}");
        assert_eq!(last_words(&b"short\n"[..]), "short");
        let one_line = "x".repeat(3 * LAST_WORDS);
        assert_eq!(last_words(one_line.as_bytes()).len(), LAST_WORDS, "of one long line, its end");
    }

    #[test]
    fn there_is_room_when_enough_is_left_and_the_comments_can_fit() {
        let of = |disk_mb, free_mb| backtests::Config { disk_mb, free_mb, ..backtests::Config::default() };
        assert!(room(&of(0, 0), u64::MAX).is_ok(), "without bounds nobody looks");
        let said = |settings, comments| room(&settings, comments).unwrap_err().to_string();
        assert!(said(of(1, 0), 1_000_000).contains("backtest.disk_mb = 1"));
        assert!(said(of(0, u32::MAX), 0).contains("backtest.free_mb = 4294967295"));
        assert!(room(&of(1, 1), 10).is_ok());
    }

    #[test]
    fn a_process_that_died_is_told_of_with_how_and_its_last_words() {
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt as _;
            let killed = died(Ok(ExitStatus::from_raw(9)), None, 1_024, "oh");
            assert!(killed.contains("signal: 9") && killed.contains("backtest.memory_mb = 1024"), "{killed}");
            let epipe = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
            let code = died(Ok(ExitStatus::from_raw(3 << 8)), Some(epipe), 1_024, "cannot read it");
            assert!(code.contains("exit status: 3") && code.ends_with("Its last words: cannot read it"), "{code}");
            assert!(code.contains("broken pipe") && !code.contains("memory"), "{code}");
        }
    }
}

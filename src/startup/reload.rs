//! Taking a changed configuration while the service runs.
//!
//! What the file says is read and built whole before anything changes; if any part of it cannot be used, all that was in force stays, and that is
//! said where people look: log, metrics, `/readyz`, console. What verdicts depend on is one [`House`](crate::app::house::House), swapped as
//! a whole; a comment that is on its way keeps the one it began with.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::App;
use super::trial::Processes;
use crate::app::clock::Clock;
use crate::app::house::House;
use crate::app::limits::Limiter;
use crate::app::limits::local::LocalLimiter;
use crate::app::limits::shared::SharedLimiter;
use crate::app::live::Live;
use crate::app::reload::{Refused, Standing};
use crate::app::webhooks_in::source::Source as Sender;
use crate::app::{self, outbox, sampling, sanctions, sign_in};
use crate::config::aside::Places;
use crate::config::{Config, Print, Read, Source, different};
use crate::domain::news::{Bulletin, News};
use crate::domain::readers;
use crate::domain::service::Levels;
use crate::domain::time::Timestamp;
use crate::domain::versions::{How, Taken, Version};
use crate::http;
use crate::net::mail::SmtpMail;
use crate::net::post::HttpPost;
use crate::storage::redis::Redis;

/// How long files may take to be read and built from: on a mount that is gone they never answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Between two looks at a file of which another node said that it may have changed, and how many follow: here it may come a little later, and may be
/// written at this moment.
const SETTLE: Duration = Duration::from_secs(1);
const SETTLE_LOOKS: usize = 60;

/// Settings that change while the service runs, besides those in the house.
pub(super) struct Lives {
    pub server: Live<http::Config>,
    pub webhooks: Live<outbox::Config>,
    pub akismet: Live<app::akismet::Config>,
    pub post: Live<HttpPost>,
    pub sanctions: Live<sanctions::Config>,
    pub reports: Live<readers::Config>,
    pub appeals: Live<app::appeals::Config>,
    pub privacy: Live<app::authors::Config>,
    pub retention: Live<app::retention::Config>,
    pub places: Live<Places>,
    pub events: Live<app::events::Config>,
    pub console: Live<sign_in::Config>,
    pub learning: Live<app::learning::Config>,
    pub sampling: Live<sampling::Config>,
    pub webhooks_in: Live<app::webhooks_in::Config>,
    pub senders: Live<std::collections::BTreeMap<String, Sender>>,
    pub metrics_token: Live<Option<String>>,
    pub levels: Live<Levels>,
    pub notify: Live<app::notify::Config>,
    pub mail: Live<SmtpMail>,
}

impl Lives {
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            server: config.server.clone().into(),
            webhooks: config.webhooks.clone().into(),
            akismet: config.akismet.clone().into(),
            post: HttpPost::new(&config.webhooks)?.into(),
            sanctions: config.sanctions.clone().into(),
            reports: config.reports.into(),
            appeals: config.appeals.clone().into(),
            privacy: config.privacy.clone().into(),
            retention: config.retention.clone().into(),
            places: config.places().into(),
            events: config.events.clone().into(),
            console: config.console.clone().into(),
            learning: config.learning.clone().into(),
            sampling: config.sampling.clone().into(),
            webhooks_in: config.webhooks_in.clone().into(),
            senders: Sender::all(&config.sources)?.into(),
            metrics_token: token(config).into(),
            levels: config.levels()?.into(),
            notify: config.notify.clone().into(),
            mail: SmtpMail::new(&config.notify.mail)?.into(),
        })
    }
}

/// What `/metrics` asks for.
fn token(config: &Config) -> Option<String> {
    config.metrics.token.expose().map(str::to_owned)
}

/// Who counts: in this process, or all nodes together.
#[derive(Clone)]
pub(super) enum Limits {
    Local(Arc<LocalLimiter>),
    Shared(Arc<SharedLimiter>),
}

impl Limits {
    pub(super) fn new(
        config: &app::limits::local::Config,
        seed: u64,
        shared: Option<&Redis>,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let clock = Arc::clone(clock);
        Ok(match shared {
            Some(shared) => Self::Shared(Arc::new(SharedLimiter::reading(config, seed, shared.tally(), clock)?)),
            None => Self::Local(Arc::new(LocalLimiter::new(config, seed)?.reading(clock))),
        })
    }

    /// Others, under which what was taken stays taken.
    fn changed(&self, config: &app::limits::local::Config, now: Timestamp) -> anyhow::Result<Self> {
        Ok(match self {
            Self::Local(limits) => Self::Local(Arc::new(limits.changed(config, now)?)),
            Self::Shared(limits) => Self::Shared(Arc::new(limits.changed(config, now)?)),
        })
    }

    pub(super) fn counting(&self) -> Arc<dyn Limiter> {
        match self {
            Self::Local(limits) => Arc::<LocalLimiter>::clone(limits),
            Self::Shared(limits) => Arc::<SharedLimiter>::clone(limits),
        }
    }
}

/// What stands behind a service whose configuration can change.
pub(super) struct Running {
    /// What it was started with.
    pub started: Config,
    /// What it runs under.
    pub config: Config,
    pub limits: Limits,
    pub lives: Lives,
    /// Whoever tries other settings reads them beside these.
    pub trials: Arc<Processes>,
}

impl Running {
    /// A service that was just started.
    pub(super) fn under(config: &Config, limits: Limits, lives: Lives, trials: &Arc<Processes>) -> Self {
        let (started, config) = (config.clone(), config.clone());
        Self { started, config, limits, lives, trials: Arc::clone(trials) }
    }
}

/// Follows a service's settings file.
pub(super) struct Follower {
    source: Source,
    running: Box<Running>,
    state: Arc<http::State>,
    /// This node's name among others; empty for one alone.
    node: String,
    /// Where other nodes are told, when there may be any.
    bulletin: Option<Arc<dyn Bulletin>>,
    /// The files as they were when they were taken or refused last.
    seen: Print,
    /// The files as they were a moment ago, when they were not as they are in force.
    before: Option<Print>,
    /// Looks that are still due because another node took, or may have taken, what its file says.
    settling: usize,
    version: Version,
    /// Held by whatever looks at the files.
    busy: Arc<tokio::sync::Mutex<()>>,
    /// Listened to from the beginning: one that came before somebody waits for it is not lost, and ends nothing.
    hangup: Hangup,
}

/// A configuration that can be put in force: nothing in it can fail any more.
struct Ready {
    config: Config,
    version: Version,
    waiting: Vec<String>,
    house: House,
    limits: Limits,
    post: Option<HttpPost>,
    senders: std::collections::BTreeMap<String, Sender>,
    levels: Levels,
    mail: SmtpMail,
}

impl App {
    /// Has the service follow the file that it was started with. What `read` says is kept as the version that it started with.
    pub async fn follow(&mut self, source: Source, print: Print, read: Box<Read>) {
        if let Some((mut follower, waiting)) = self.follower(source, print, *read) {
            follower.stand(How::Start, waiting).await;
            self.follower = Some(follower);
        }
    }

    fn follower(&mut self, source: Source, print: Print, read: Read) -> Option<(Box<Follower>, Vec<String>)> {
        let running = self.running.take()?;
        let node = self.among.as_ref().map(|among| among.node.name.clone()).unwrap_or_default();
        let bulletin = self.among.as_ref().map(|among| Arc::clone(&among.bulletin));
        let Read { config, version, .. } = read;
        running.trials.follow(source.clone());
        let (_, waiting) = config.taken_by(&running.started);
        let state = Arc::clone(&self.state);
        Some((
            Box::new(Follower {
                source,
                running,
                state,
                node,
                bulletin,
                seen: print,
                before: None,
                settling: 0,
                version,
                busy: Arc::default(),
                hangup: Hangup::new(),
            }),
            waiting,
        ))
    }
}

impl Follower {
    /// Takes what changes, for as long as it is awaited.
    pub(super) async fn keep_following(mut self) -> Infallible {
        let mut hangup = std::mem::take(&mut self.hangup);
        let state = Arc::clone(&self.state);
        if self.bulletin.is_some() {
            state.reload.hint(); // the file was read before others were listened to
        }
        let mut pause = std::pin::pin!(tokio::time::sleep(self.pause()));
        loop {
            tokio::select! {
                () = hangup.next() => self.take(How::Signal, None).await,
                () = state.reload.asked() => self.take(How::Signal, None).await,
                () = state.reload.hinted() => {
                    let is_settling = std::mem::replace(&mut self.settling, SETTLE_LOOKS) > 0;
                    if is_settling {
                        continue; // however thick and fast hints come, none puts off the next look
                    }
                    self.before = None; // what was found a moment ago proves nothing
                    self.look().await;
                }
                () = &mut pause, if self.settling > 0 || self.running.config.reload.poll_ms > 0 => self.look_again().await,
            }
            pause.set(tokio::time::sleep(self.pause()));
        }
    }

    /// Between two looks.
    fn pause(&self) -> Duration {
        let poll = Duration::from_millis(self.running.config.reload.poll_ms.into());
        if self.settling > 0 && (poll.is_zero() || poll > SETTLE) { SETTLE } else { poll }
    }

    /// Takes the files when they changed and stay as they are: an editor or a copy may be in the middle of writing them, and half a file can be a
    /// good one.
    async fn look(&mut self) {
        let print = match self.print().await {
            Ok(print) => print,
            Err(error) => return self.hangs(&error),
        };
        if print == self.seen {
            self.before = None;
        } else if self.before == Some(print) {
            self.take(How::File, Some(print)).await;
        } else {
            self.before = Some(print);
        }
    }

    /// The next look. What changes at the last of those that are due is looked at until it stays as it is.
    async fn look_again(&mut self) {
        self.look().await;
        if self.settling > 1 || self.before.is_none() {
            self.settling = self.settling.saturating_sub(1);
        }
    }

    async fn print(&self) -> anyhow::Result<Print> {
        let source = self.source.clone();
        within(ANSWER_MAX, &self.busy, move || source.print()).await
    }

    /// Says once that files do not answer. When they do, they are taken anew, whatever they say.
    fn hangs(&mut self, error: &anyhow::Error) {
        (self.seen, self.before) = (Print::default(), None);
        let standing = self.state.reload.standing();
        if standing.refused.as_ref().is_none_or(|refused| refused.problem != format!("{error:#}")) {
            self.refuse(error);
        }
    }

    /// Takes what the files say now, or says why not.
    async fn take(&mut self, how: How, print: Option<Print>) {
        // Before they are read: what is written in between is found by the next look.
        self.seen = match print {
            Some(print) => print,
            None => match self.print().await {
                Ok(print) => print,
                Err(error) => return self.hangs(&error),
            },
        };
        self.before = None;
        match self.prepare().await {
            Ok(ready) if ready.config == self.running.config && ready.version == self.version => {
                let before = self.state.reload.standing();
                self.state.reload.stands(Standing {
                    waiting: ready.waiting,
                    refused: None,
                    ..Standing::clone(&before)
                });
                self.count();
                tracing::info!(version = self.version.hash, "the settings file says what is in force; nothing changed");
            }
            Ok(ready) => self.put_in_force(ready, how).await,
            Err(error) => self.refuse(&error),
        }
    }

    /// Reads and builds everything, changing nothing.
    async fn prepare(&self) -> anyhow::Result<Ready> {
        let (source, started, before) =
            (self.source.clone(), self.running.started.clone(), self.running.config.clone());
        let (limits, house) = (self.running.limits.clone(), self.state.settings.current());
        let clock = Arc::clone(&self.state.clock);
        let build = move || -> anyhow::Result<Ready> {
            let Read { config, version, lists } = source.read()?;
            let (config, waiting) = config.taken_by(&started);
            config.check()?; // together with what stays as it was
            let mut house = super::house_over(&config, lists, &house)?;
            let post = if config.webhooks == before.webhooks { None } else { Some(HttpPost::new(&config.webhooks)?) };
            let senders = Sender::all(&config.sources)?;
            let (levels, mail) = (config.levels()?, SmtpMail::new(&config.notify.mail)?);
            // Last: what is taken of limits while the rest is built is counted, too.
            let is_same = config.limits == before.limits;
            let limits = if is_same { limits } else { limits.changed(&config.limits, clock.now())? };
            house.limits = limits.counting();
            Ok(Ready { config, version, waiting, house, limits, post, senders, levels, mail })
        };
        within(ANSWER_MAX, &self.busy, build).await?
    }

    /// Puts it in force, and says so.
    async fn put_in_force(&mut self, ready: Ready, how: How) {
        let Ready { config, version, waiting, house, limits, post, senders, levels, mail } = ready;
        let changed = different(&config, &self.running.config);
        self.state.settings.replace(&house);
        let lives = &self.running.lives;
        lives.server.set(config.server.clone());
        lives.webhooks.set(config.webhooks.clone());
        lives.akismet.set(config.akismet.clone());
        if let Some(post) = post {
            lives.post.set(post);
        }
        lives.sanctions.set(config.sanctions.clone());
        lives.reports.set(config.reports);
        lives.appeals.set(config.appeals.clone());
        lives.privacy.set(config.privacy.clone());
        lives.retention.set(config.retention.clone());
        lives.places.set(config.places());
        lives.events.set(config.events.clone());
        lives.console.set(config.console.clone());
        lives.learning.set(config.learning.clone());
        lives.sampling.set(config.sampling.clone());
        lives.webhooks_in.set(config.webhooks_in.clone());
        lives.senders.set(senders);
        lives.metrics_token.set(token(&config));
        lives.levels.set(levels);
        lives.notify.set(config.notify.clone());
        lives.mail.set(mail);
        self.running.trials.runs_under(config.clone());
        if let Err(error) = self.state.log_level.settle(&config.log.level) {
            tracing::error!(error = &error as &dyn std::error::Error, "the log keeps its level");
        }
        if config.learning != self.running.config.learning
            && let Err(error) = self.state.learning.reload().await
        {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "what sites taught stays in force as it was until the next decision");
        }
        metrics::counter!("doorward_config_taken_total", "how" => how.name()).increment(1);
        tracing::info!(
            version = version.hash,
            before = self.version.hash,
            policy = house.hash,
            how = how.name(),
            changed = changed.join(" "),
            "settings taken"
        );
        (self.running.config, self.running.limits, self.version) = (config, limits, version);
        if let Some(bulletin) = &self.bulletin {
            bulletin.tell(News::Settings);
        }
        self.stand(how, waiting).await;
    }

    /// Says what is in force, and keeps it.
    async fn stand(&mut self, how: How, waiting: Vec<String>) {
        let at = self.state.clock.now();
        let taken = Taken {
            version: self.version.hash.clone(),
            policy: self.state.settings.current().hash.clone(),
            how,
            at,
            by: self.node.clone(),
            waiting: waiting.clone(),
        };
        let standing = Standing { version: taken.version.clone(), taken: Some((at, how)), waiting, refused: None };
        self.state.reload.stands(standing);
        self.count();
        // Whoever reads it in the log, and asks then, is told the same.
        if !taken.waiting.is_empty() {
            tracing::warn!(settings = taken.waiting.join(" "), "settings take effect at the next start");
        }
        if let Err(error) = self.state.store.version_taken(&self.version, &taken).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(
                error,
                version = taken.version,
                "the settings are in force, and could not be kept for later"
            );
        }
    }

    /// Keeps what is in force, loudly.
    fn refuse(&self, error: &anyhow::Error) {
        let problem = format!("{error:#}");
        metrics::counter!("doorward_config_refused_total").increment(1);
        let refused = Some(Refused { at: self.state.clock.now(), problem: problem.clone() });
        self.state.reload.stands(Standing { refused, ..Standing::clone(&self.state.reload.standing()) });
        self.count();
        // Last: whoever reads it in the log, and asks then, is told the same.
        tracing::error!(
            problem,
            version = self.version.hash,
            "the settings file is refused; what was in force before stays"
        );
    }

    fn count(&self) {
        let standing = self.state.reload.standing();
        metrics::gauge!("doorward_config_refused").set(f64::from(u8::from(standing.refused.is_some())));
        let waiting = u32::try_from(standing.waiting.len()).unwrap_or(u32::MAX);
        metrics::gauge!("doorward_config_waiting").set(f64::from(waiting));
    }
}

/// What looking at files gives, if it is done in time. What takes longer, as a file that does not answer, is waited for by one thread, however often files are
/// looked at.
async fn within<T: Send + 'static>(
    most: Duration,
    busy: &Arc<tokio::sync::Mutex<()>>,
    look: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    // Which of the two it was nobody can tell from outside.
    let silent = || {
        format!(
            "the settings file, or a file that it names, takes longer than {} s to be read and built",
            most.as_secs()
        )
    };
    let looking = Arc::clone(busy).try_lock_owned().map_err(|_| anyhow::anyhow!(silent()))?;
    let look = tokio::task::spawn_blocking(move || {
        let _looking = looking;
        look()
    });
    let looked = tokio::time::timeout(most, look).await.map_err(|_| anyhow::anyhow!(silent()))?;
    looked.context("the settings could not be looked at")
}

/// SIGHUP, where there is such a thing. Before there is one of these, a SIGHUP ends the process.
#[derive(Default)]
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    /// Within a runtime.
    fn new() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signal = signal(SignalKind::hangup());
            if let Err(error) = &signal {
                tracing::warn!(error = error as &dyn std::error::Error, "SIGHUP will not be heard");
            }
            Self { signal: signal.ok() }
        }
        #[cfg(not(unix))]
        Self {}
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_that_do_not_answer_hold_up_one_thread_and_nobody_else() {
        let busy = Arc::default();
        let (answer, waits) = std::sync::mpsc::channel::<()>();
        let refused = within(Duration::ZERO, &busy, move || waits.recv()).await.expect_err("it waits");
        assert!(refused.to_string().contains("takes longer than"), "{refused}");
        let refused = within(ANSWER_MAX, &busy, || ()).await.expect_err("the first still waits");
        assert!(refused.to_string().contains("takes longer than"), "{refused}");
        drop(answer); // the mount is back
        drop(busy.lock().await);
        within(ANSWER_MAX, &busy, || ()).await.expect("it answers");
    }
}

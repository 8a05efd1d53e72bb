//! The composition root: the only place that names every layer, and the only one that reads the clock.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;

use crate::app::access::Access;
use crate::app::clock::Clock;
use crate::app::house::{House, Settings};
use crate::app::intake::Intake;
use crate::app::limits::local::LocalLimiter;
use crate::app::review::Review;
use crate::app::secrets::Sealer;
use crate::classifier::Classifier;
use crate::config::Config;
use crate::domain::policy::Policy;
use crate::domain::relevance::Background;
use crate::domain::signal::{LIST, Resources, Signals};
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::http;
use crate::storage::memory::history::MemoryHistory;
use crate::storage::sqlite::SqliteStore;
use crate::telemetry;

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The shipped word statistics.
const BACKGROUND: &[u8] = include_bytes!("../models/background.bin");

/// Prepared articles that are kept in memory.
const PAGES: usize = 10_000;

/// A service, put together and not yet listening.
pub struct App {
    state: Arc<http::State>,
    store: Arc<dyn Store>,
}

/// Opens the store, loads the model, reads the history, and joins the layers.
///
/// # Errors
/// A sentence for the operator; nothing was opened to the outside.
pub async fn assemble(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<App> {
    let metrics = telemetry::start_metrics();
    let house = house(config)?;
    Sealer::open(&config.secrets.key_file)?; // made now, so that a missing permission shows at start
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&config.database)?);
    let history = MemoryHistory::rebuild(config.history.clone(), Arc::clone(&store), clock.now())
        .await
        .context("the history could not be read")?;
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no random numbers could be had: {error}"))?;
    let limits = Arc::new(LocalLimiter::new(&config.limits, u64::from_le_bytes(seed))?);
    let settings = Arc::new(Settings::new(house));
    let history_for_review = Arc::clone(&history);
    let state = http::State {
        intake: Arc::new(Intake::new(Arc::clone(&settings), Arc::clone(&store), history, limits, PAGES)),
        review: Arc::new(Review::new(Arc::clone(&store), history_for_review)),
        access: Arc::new(Access::new(Arc::clone(&store))),
        store: Arc::clone(&store),
        settings,
        clock,
        metrics,
        metrics_token: config.metrics.token.expose().map(str::to_owned),
        config: config.server.clone(),
    };
    Ok(App { state: Arc::new(state), store })
}

/// Everything that verdicts depend on, from the configuration.
///
/// # Errors
/// A setting, the model file or the background statistics cannot be used.
pub fn house(config: &Config) -> anyhow::Result<House> {
    let background = Arc::new(background(config)?);
    let resources = Resources { background: Arc::clone(&background) };
    let classifier = match (config.model.enabled, config.model.file.as_os_str().is_empty()) {
        (false, _) => None,
        (true, true) => Some(Classifier::shipped().context("the shipped model cannot be used")?),
        (true, false) => {
            let path = config.model.file.display();
            let bytes =
                std::fs::read(&config.model.file).with_context(|| format!("model.file {path} cannot be read"))?;
            Some(Classifier::load(&bytes).with_context(|| format!("model.file {path} cannot be used"))?)
        }
    };
    let ids: Vec<&str> = LIST.iter().map(|meta| meta.id).collect();
    Ok(House {
        bounds: config.intake.clone(),
        signals: Signals::new(&config.signals, &resources)?,
        classifier: classifier.map(Arc::new),
        policy: Policy::new(config.policy.clone(), &ids)?,
        moderation: config.moderation.clone(),
        trust: config.trust.clone(),
        background,
        hash: config.hash(),
    })
}

/// The word statistics that lie beside the operator's model, or the shipped ones.
fn background(config: &Config) -> anyhow::Result<Background> {
    let beside = config.model.file.with_file_name("background.bin");
    if config.model.file.as_os_str().is_empty() || !beside.is_file() {
        return Ok(Background::from_bytes(BACKGROUND)?);
    }
    let path = beside.display();
    let bytes = std::fs::read(&beside).with_context(|| format!("{path} cannot be read"))?;
    Background::from_bytes(&bytes).with_context(|| format!("{path}, beside model.file, cannot be used"))
}

/// The database for everything but taking comments; works beside a running service.
///
/// # Errors
/// The database cannot be used.
pub fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    Ok(Arc::new(SqliteStore::open(&config.database)?))
}

/// Opens the port that the configuration names.
///
/// # Errors
/// It is taken, or not ours to open.
pub fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let address = config.server.address()?;
    TcpListener::bind(address).with_context(|| format!("server.listen: {address} cannot be opened"))
}

/// Runs `work` to its end.
///
/// # Errors
/// The runtime could not be started, or the work failed.
pub fn run_to_end(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    actix_web::rt::System::new().block_on(work)
}

impl App {
    /// Taking comments in.
    #[must_use]
    pub fn intake(&self) -> &Intake {
        &self.state.intake
    }

    /// People's decisions.
    #[must_use]
    pub fn review(&self) -> &Review {
        &self.state.review
    }

    /// What handlers work with.
    #[must_use]
    pub fn state(&self) -> Arc<http::State> {
        Arc::clone(&self.state)
    }

    /// The store, for whoever fills it before the doors open.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Serves on `listener` until `stop` is done; then lets requests finish and closes the store.
    ///
    /// # Errors
    /// The server failed.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let server = http::server(self.state, listener)?;
        let handle = server.handle();
        let mut running = std::pin::pin!(server);
        let stopped = tokio::select! {
            ended = &mut running => Some(ended), // it should not: a server that ends by itself has failed
            () = stop => None,
        };
        let outcome = if let Some(ended) = stopped {
            ended.context("the server failed").and_then(|()| Err(anyhow::anyhow!("the server ended by itself")))
        } else {
            tracing::info!("stopping: requests may finish, new ones are not taken");
            let ((), ended) = tokio::join!(handle.stop(true), running);
            ended.context("the server failed while stopping")
        };
        self.store.close().await;
        outcome
    }
}

/// Done when the process is told to stop: SIGTERM, or SIGINT.
pub async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

//! The composition root: the only place that names every layer, and the only one that reads the clock.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::app::access::Access;
use crate::app::akismet::Akismet;
use crate::app::akismet::lookup::Lookup;
use crate::app::appeals::Appeals;
use crate::app::authors::Authors;
use crate::app::backtests::Backtests;
use crate::app::campaigns::Campaigns;
use crate::app::clock::Clock;
use crate::app::events::Events;
use crate::app::house::{House, Settings, SiteHouse};
use crate::app::intake::Intake;
use crate::app::learning::Learning;
use crate::app::limits::{InForce, Limiter, Unlimited};
use crate::app::live::Live;
use crate::app::log_level::LogLevel;
use crate::app::notify::Notifier;
use crate::app::notify::board::Board;
use crate::app::notify::letter::Mail;
use crate::app::outbox::deliver::Deliverer;
use crate::app::outbox::letters::Letters;
use crate::app::outbox::post::Post;
use crate::app::oversight::Oversight;
use crate::app::perspective::Perspective;
use crate::app::readers::Readers;
use crate::app::reads::Desk;
use crate::app::retention::Retention;
use crate::app::review::Review;
use crate::app::sampling::Sampler;
use crate::app::sanctions::Sanctions;
use crate::app::secrets::Sealer;
use crate::app::sign_in::{self, SignIn};
use crate::app::standing::Listeners;
use crate::app::threads::Threads;
use crate::app::turns::Turns;
use crate::app::webhooks_in::WebhooksIn;
use crate::classifier::Classifier;
use crate::config::aside::Places;
use crate::config::{Config, ConfigError};
use crate::domain::embedding::Embedding;
use crate::domain::fit::Weights;
use crate::domain::history::History;
use crate::domain::policy::Policy;
use crate::domain::relevance::Background;
use crate::domain::rules::Rules;
use crate::domain::rules::lists::{ListText, Lists};
use crate::domain::shared::Shared;
use crate::domain::signal::{Resources, Signals};
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::net::post::HttpPost;
use crate::storage;
use crate::storage::memory::history::MemoryHistory;
use crate::storage::redis::{End, Redis};
use crate::storage::sqlite::SqliteStore;
use crate::telemetry;
use crate::{app, http};

mod backtest;
mod chores;
mod engine;
mod reload;
pub mod scratch;
pub mod supervisor;
pub mod trial;

pub use self::backtest::{ask, backtest};
use self::engine::{Among, Engine, Showing};
pub use self::engine::{open_store, open_store_alone, open_store_to_fill};
use self::reload::{Follower, Limits, Lives, Running};

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
pub(crate) const BACKGROUND: &[u8] = include_bytes!("../models/background.bin");
/// The shipped word vectors.
const WORDS: &[u8] = include_bytes!("../models/words.bin");
/// The shipped weights of relevance.
const RELEVANCE: &[u8] = include_bytes!("../models/relevance.json");

/// About how many bytes of prepared articles are kept in memory: some thousand of ordinary length.
const PAGE_BYTES: usize = 64 << 20;

/// A service, put together and not yet listening.
pub struct App {
    state: Arc<http::State>,
    store: Arc<dyn Store>,
    deliverer: Arc<Deliverer>,
    notifier: Arc<Notifier>,
    threads: Arc<Threads>,
    turns: Turns,
    /// This node among others.
    among: Option<Among>,
    /// Until the chores go on with it.
    showing: Option<Showing>,
    shared: Option<Arc<Redis>>,
    /// What can change, until somebody follows the settings file.
    running: Option<Box<Running>>,
    /// Where a restore may have moved something aside.
    places: Live<Places>,
    follower: Option<Box<Follower>>,
    /// Who tries other settings.
    trials: Arc<trial::Processes>,
}

/// Opens the store, loads the model, reads the history, and joins the layers.
///
/// # Errors
/// A sentence for the operator; nothing was opened to the outside.
pub async fn assemble(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<App> {
    assemble_with(config, config.read_lists()?, clock).await
}

/// The same with lists that were read already.
///
/// # Errors
/// As [`assemble`].
pub async fn assemble_with(config: &Config, lists: Vec<ListText>, clock: Arc<dyn Clock>) -> anyhow::Result<App> {
    let metrics = telemetry::start_metrics();
    let house = house_with(config, lists)?;
    let lives = Lives::of(config)?;
    let sealer = Sealer::open(&config.secrets.key_file)?; // made now, so that a missing permission shows at start
    let engine = Engine::open(config, &clock).await?;
    engine.check_key(&sealer).await?;
    let lookup = engine.akismet_lookup(&sealer, clock.now()).await?;
    let showing = engine.show(&house.hash, &clock).await?;
    let (store, among) = (Arc::clone(&engine.store), engine.among.clone());
    let opened = Opened { engine, showing, sealer, lookup, metrics };
    let joined = join(config, house, lives, opened, clock).await;
    if joined.is_err() {
        leave(&*store, among.as_ref()).await;
    }
    joined
}

/// What a service is put together of, before anything is read that it keeps in memory.
struct Opened {
    engine: Engine,
    showing: Option<Showing>,
    sealer: Sealer,
    lookup: Lookup,
    metrics: PrometheusHandle,
}

/// This node is not there any more.
async fn leave(store: &dyn Store, among: Option<&Among>) {
    if let Some(Among { node, .. }) = among {
        let _ = store.node_gone(&node.name).await; // it is forgotten after an hour all the same
    }
}

/// Reads what the service keeps in memory, and joins the layers.
async fn join(
    config: &Config,
    mut house: House,
    lives: Lives,
    opened: Opened,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<App> {
    let Opened { engine, showing, sealer, lookup, metrics } = opened;
    let Engine { store, among, turns } = engine;
    let (shared, order) = neighbours(config).await?; // before the store is read: what happens meanwhile is in one of both
    let campaigns = config.campaigns.clone();
    let history = MemoryHistory::rebuild_with(config.history.clone(), campaigns, Arc::clone(&store), clock.now())
        .await
        .context("the history could not be read")?;
    let seed = random()?;
    let limits = Limits::new(&config.limits, seed, shared.as_deref(), &clock)?;
    house.limits = limits.counting();
    let (trials, reload, backtests) = trying(config, &store, &clock, among.as_ref()).await;
    let running = Box::new(Running::under(config, limits, lives, &trials));
    let lives = &running.lives;
    let sign_in = SignIn::new(Arc::clone(&store), sealer.clone(), lives.console.clone(), seed)?;
    let sign_in = sign_in.limited_by(Limits::new(&sign_in::limits(), seed, shared.as_deref(), &clock)?.counting());
    let settings = Arc::new(Settings::new(house));
    let limits: Arc<dyn Limiter> = Arc::new(InForce(Arc::clone(&settings)));
    let history = told_to(shared.as_deref(), order, history, &clock);
    let (events, threads) = watchers(&store, among.as_ref(), &lives.events)?;
    let its_threads = Arc::clone(&threads);
    let listeners = Listeners { history: Arc::clone(&history), events: Arc::clone(&events), threads };
    let (its_listeners, others) = (listeners.clone(), listeners.clone());
    let its_store = || Arc::clone(&store);
    let webhooks = lives.webhooks.clone();
    let sanctions = Sanctions::new(its_store(), listeners.clone(), webhooks.clone(), lives.sanctions.clone());
    let sanctions = Arc::new(match (&config.database.scratch, &among) {
        (Some(_), _) => sanctions.unshared(),
        (None, Some(_)) => sanctions.hearing_of_changes(),
        (None, None) => sanctions,
    });
    let readers = Readers::new(its_store(), listeners.clone(), Arc::clone(&limits), lives.reports.clone());
    let limited = Arc::clone(&limits);
    let appeals = Appeals::new(its_store(), listeners.clone(), limited, webhooks.clone(), lives.appeals.clone());
    let authors = Authors::new(its_store(), listeners.clone(), sealer.clone(), lives.privacy.clone());
    let retention = Arc::new(Retention::new(its_store(), listeners.clone(), lives.retention.clone()));
    let campaigns = Campaigns::new(its_store(), listeners.clone(), webhooks.clone());
    let desk = Desk::new(its_store(), Arc::clone(&history), Arc::clone(&settings), limits);
    let review = Review::new(its_store(), listeners, webhooks.clone()).with_levels(lives.levels.clone());
    let intake =
        Intake::new(Arc::clone(&settings), Arc::clone(&store), its_listeners, Arc::clone(&sanctions), PAGE_BYTES);
    let intake = intake.telling(webhooks.clone()).sampling(Sampler::new(lives.sampling.clone()));
    let intake = Arc::new(intake);
    let learning = Learning::start(its_store(), Arc::clone(&settings), lives.learning.clone());
    let learning = Arc::new(learning.await.context("what sites taught could not be read")?);
    let perspective = Perspective::new(Arc::clone(&intake), Arc::clone(&settings), its_store(), others);
    let webhooks_in = WebhooksIn::new(
        lives.webhooks_in.clone(),
        lives.senders.clone(),
        Arc::clone(&intake),
        Arc::clone(&settings),
        Arc::clone(&store),
        sealer.clone(),
    );
    let review = Arc::new(review);
    let akismet = akismet(&intake, &review, &settings, &store, lives);
    let post = Arc::new(lives.post.clone());
    let notifier = notifier(config, lives, &store, &settings, &post);
    let say = http::api::telling::data;
    let deliverer = Arc::new(Deliverer::new(its_store(), post, Arc::clone(&clock), sealer, say, webhooks));
    let state = http::State {
        intake,
        webhooks_in: Arc::new(webhooks_in),
        perspective: Arc::new(perspective),
        sanctions,
        readers: Arc::new(readers),
        appeals: Arc::new(appeals),
        campaigns: Arc::new(campaigns),
        review,
        akismet,
        desk: Arc::new(desk),
        learning,
        authors: Arc::new(authors),
        retention,
        oversight: Arc::new(Oversight::new(Arc::clone(&store))),
        events,
        letters: Arc::new(Letters::new(Arc::clone(&store))),
        board: Arc::new(Board::new(Arc::clone(&store), lives.levels.clone())),
        outbox: deliverer.health(),
        access: Arc::new(Access::new(Arc::clone(&store), lookup)),
        sign_in: Arc::new(sign_in),
        addresses: http::client::Addresses::default(),
        strangers: http::body::Strangers::default(),
        store: Arc::clone(&store),
        shared: shared.clone().map(|shared| shared as Arc<dyn Shared>),
        alive: Arc::default(),
        settings,
        clock,
        metrics,
        metrics_token: lives.metrics_token.clone(),
        backtests,
        reload,
        log_level: Arc::new(LogLevel::new(config.log.level.clone(), Box::new(telemetry::set_level))),
        config: config.server.clone(),
        server: lives.server.clone(),
    };
    Ok(App {
        state: Arc::new(state),
        store,
        deliverer,
        notifier,
        threads: its_threads,
        turns,
        among,
        showing,
        shared,
        places: running.lives.places.clone(),
        running: Some(running),
        follower: None,
        trials,
    })
}

/// A history that other nodes hear of, where there are some.
fn told_to(
    shared: Option<&Redis>,
    order: Option<End>,
    own: Arc<MemoryHistory>,
    clock: &Arc<dyn Clock>,
) -> Arc<dyn History> {
    let Some(shared) = shared else { return own };
    let clock = Arc::clone(clock);
    shared.history(own, order, Box::new(move || clock.now()))
}

/// What nodes share, and where it stood.
async fn neighbours(config: &Config) -> anyhow::Result<(Option<Arc<Redis>>, Option<End>)> {
    if config.shared.url.expose().is_none() {
        return Ok((None, None));
    }
    let shared = Redis::open(&config.shared).await?;
    let order = shared.end().await;
    Ok((Some(shared), order))
}

/// Who tells operators, by the ways that are set up.
fn notifier(
    config: &Config,
    lives: &Lives,
    store: &Arc<dyn Store>,
    house: &Arc<Settings>,
    post: &Arc<Live<HttpPost>>,
) -> Arc<Notifier> {
    let (levels, notify) = (lives.levels.clone(), lives.notify.clone());
    let ways = (Arc::new(lives.mail.clone()) as Arc<dyn Mail>, Arc::clone(post) as Arc<dyn Post>);
    Arc::new(Notifier::new(Arc::clone(store), Arc::clone(house), levels, notify, ways, &config.server.public_url))
}

/// Who tries other settings, which are in force, and the trials that people start, with those that a service before this one did not see to their end.
async fn trying(
    config: &Config,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    among: Option<&Among>,
) -> (Arc<trial::Processes>, Arc<app::reload::Reload>, Arc<Backtests>) {
    let trials = Arc::new(trial::Processes::new(config.clone().into()));
    let reload = Arc::new(app::reload::Reload::default());
    let its_trials = Arc::new(trial::ProcessesOf(Arc::clone(&trials)));
    let node = among.map(|among| among.node.name.clone());
    let backtests = Backtests::new(its_trials, Arc::clone(store), Arc::clone(&reload), Arc::clone(clock), node);
    if config.database.scratch.is_none() {
        scratch::clear(config.backtest.within());
        if let Err(error) = backtests.recall().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "backtests that were interrupted are not known");
        }
    }
    (trials, reload, Arc::new(backtests))
}

/// What tells people, and later comments, what happened; with other nodes around, them, too.
fn watchers(
    store: &Arc<dyn Store>,
    among: Option<&Among>,
    settings: &Live<app::events::Config>,
) -> anyhow::Result<(Arc<Events>, Arc<Threads>)> {
    let events = Events::new(Arc::clone(store), settings.clone(), random()?);
    let threads = Threads::new(Arc::clone(store));
    Ok(match among {
        Some(Among { bulletin, .. }) => {
            (Arc::new(events.telling(Arc::clone(bulletin))), Arc::new(threads.telling(Arc::clone(bulletin))))
        }
        None => (Arc::new(events), Arc::new(threads)),
    })
}

/// What speaks Akismet's protocol.
fn akismet(
    intake: &Arc<Intake>,
    review: &Arc<Review>,
    settings: &Arc<Settings>,
    store: &Arc<dyn Store>,
    lives: &Lives,
) -> Arc<Akismet> {
    let (intake, review) = (Arc::clone(intake), Arc::clone(review));
    Arc::new(Akismet::new(intake, review, Arc::clone(settings), Arc::clone(store), lives.akismet.clone()))
}

/// A number that nobody can guess.
fn random() -> anyhow::Result<u64> {
    let mut number = [0; 8];
    getrandom::fill(&mut number).map_err(|error| anyhow::anyhow!("no random numbers could be had: {error}"))?;
    Ok(u64::from_le_bytes(number))
}

/// Everything that verdicts depend on, from the configuration.
///
/// # Errors
/// A setting, the model file or the background statistics cannot be used.
pub fn house(config: &Config) -> anyhow::Result<House> {
    house_with(config, config.read_lists()?)
}

/// The same with lists that were read already.
///
/// # Errors
/// As [`house`].
pub fn house_with(config: &Config, lists: Vec<ListText>) -> anyhow::Result<House> {
    let background = Arc::new(background(config)?);
    let embedding = Arc::new(embedding(config)?);
    let weights = Arc::new(weights(config)?);
    weights.check(embedding.version()).context("relevance.json does not belong to words.bin")?;
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
    let measures = Measures { background, embedding, weights };
    furnished(config, lists, measures, classifier.map(Arc::new))
}

/// The same with another configuration over the model that an earlier house has.
///
/// # Errors
/// A setting cannot be used.
fn house_over(config: &Config, lists: Vec<ListText>, earlier: &House) -> anyhow::Result<House> {
    let measures = Measures {
        background: Arc::clone(&earlier.background),
        embedding: Arc::clone(&earlier.embedding),
        weights: Arc::clone(&earlier.weights),
    };
    furnished(config, lists, measures, earlier.classifier.clone())
}

/// What relevance is measured with.
struct Measures {
    background: Arc<Background>,
    embedding: Arc<Embedding>,
    weights: Arc<Weights>,
}

/// Limits count nothing in it; whoever runs it gives it those that do.
fn furnished(
    config: &Config,
    lists: Vec<ListText>,
    measures: Measures,
    classifier: Option<Arc<Classifier>>,
) -> anyhow::Result<House> {
    let Measures { background, embedding, weights } = measures;
    let resources = Resources {
        background: Arc::clone(&background),
        embedding: Arc::clone(&embedding),
        weights: Arc::clone(&weights),
    };
    let lists = Lists::read(lists).map_err(|error| {
        let file = config.lists.get(&error.list).map_or_else(String::new, |list| list.file.display().to_string());
        ConfigError::Line { path: file, line: error.line, column: 1, problem: error.problem }
    })?;
    let hash = config.hash_with(lists.digest());
    let ids = config.ids();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut sites = BTreeMap::new();
    for (name, of) in &config.sites {
        let (signals, policy) =
            of.over(&config.signals, &config.policy).map_err(|error| anyhow::anyhow!("sites.{name}.{error}"))?;
        let signals = Arc::new(Signals::new(&signals, &resources)?);
        sites.insert(name.clone(), SiteHouse { signals, policy: Policy::new(policy, &ids)? });
    }
    Ok(House {
        bounds: config.intake.clone(),
        signals: Arc::new(Signals::new(&config.signals, &resources)?),
        classifier,
        learned: Arc::default(),
        policy: Policy::new(config.policy.clone(), &ids)?,
        rules: Arc::new(Rules::new(&config.rules, lists)?),
        sites: Arc::new(sites),
        rejected_campaigns: config.campaigns.rejected,
        moderation: config.moderation.clone(),
        trust: config.trust.clone(),
        limits: Arc::new(Unlimited),
        background,
        embedding,
        weights,
        hash,
    })
}

/// The word statistics that lie beside the operator's model, or the shipped ones.
fn background(config: &Config) -> anyhow::Result<Background> {
    beside_model(config, "background.bin", BACKGROUND, |bytes| Ok(Background::from_bytes(bytes)?))
}

/// The word vectors that lie beside the operator's model, or the shipped ones.
fn embedding(config: &Config) -> anyhow::Result<Embedding> {
    beside_model(config, "words.bin", WORDS, |bytes| Ok(Embedding::from_bytes(bytes)?))
}

/// The weights of relevance that lie beside the operator's model, or the shipped ones.
fn weights(config: &Config) -> anyhow::Result<Weights> {
    beside_model(config, "relevance.json", RELEVANCE, |bytes| Ok(serde_json::from_slice(bytes)?))
}

/// The shipped word vectors and weights of relevance.
pub(crate) fn shipped_relevance() -> anyhow::Result<(Embedding, Weights)> {
    Ok((Embedding::from_bytes(WORDS)?, serde_json::from_slice(RELEVANCE)?))
}

fn beside_model<T>(
    config: &Config,
    name: &str,
    shipped: &[u8],
    read: impl Fn(&[u8]) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let beside = config.model.file.with_file_name(name);
    if config.model.file.as_os_str().is_empty() || !beside.is_file() {
        return read(shipped);
    }
    let path = beside.display();
    let bytes = std::fs::read(&beside).with_context(|| format!("{path} cannot be read"))?;
    read(&bytes).with_context(|| format!("{path}, beside model.file, cannot be used"))
}

/// A past in which nothing happened, over an empty database that is made at `path`: for measuring.
///
/// # Errors
/// The database cannot be made.
pub fn empty_history(path: &std::path::Path) -> anyhow::Result<Arc<dyn History>> {
    let database = storage::Config { url: format!("sqlite:{}", path.display()), ..storage::Config::default() };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&database)?);
    Ok(Arc::new(MemoryHistory::new(storage::memory::history::Config::default(), store)))
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
    pub fn intake(&self) -> &Arc<Intake> {
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

    /// What operators are told.
    #[must_use]
    pub fn notifier(&self) -> Arc<Notifier> {
        Arc::clone(&self.notifier)
    }

    /// Who tries other settings, each time in a process of its own.
    #[must_use]
    pub const fn trials(&self) -> &Arc<trial::Processes> {
        &self.trials
    }

    /// The store, for whoever fills it before the doors open.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Ends a service that will not be served: other nodes need not reckon with it.
    pub async fn give_up(self) {
        drop(self.showing);
        leave(&*self.store, self.among.as_ref()).await;
    }

    /// Serves on `listener` until `stop` is done; then lets requests finish and closes the store.
    ///
    /// # Errors
    /// The server failed.
    pub async fn serve(mut self, listener: TcpListener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let upkeep = telemetry::keep_up(self.state.metrics.clone(), telemetry::UPKEEP);
        let (events, backtests) = (Arc::clone(&self.state.events), Arc::clone(&self.state.backtests));
        let mut chores = chores::start(&mut self);
        let server = http::server(self.state, listener)?;
        let handle = server.handle();
        let mut running = std::pin::pin!(server);
        let (stop_delivery, delivery_stopped) = tokio::sync::oneshot::channel::<()>();
        let (stop_calls, calls_stopped) = tokio::sync::oneshot::channel::<()>();
        let calls = Arc::new(self.deliverer.calling_back()).run(async { drop(calls_stopped.await) });
        let webhooks = self.deliverer.run(async { drop(delivery_stopped.await) });
        let mut delivering = tokio::spawn(async {
            let ((), ()) = tokio::join!(webhooks, calls);
        });
        let stopped = tokio::select! {
            ended = &mut running => Some(ended.context("the server failed")), // it should not: what ends by itself has failed
            ended = &mut delivering => Some(ended.context("the delivery of webhooks failed")),
            _ = chores.join_next() => Some(Err(anyhow::anyhow!("a background task failed"))),
            () = stop => None,
            never = upkeep => match never {},
        };
        let outcome = if let Some(ended) = stopped {
            ended.and_then(|()| Err(anyhow::anyhow!("the server, or the delivery of webhooks, ended by itself")))
        } else {
            tracing::info!("stopping: requests may finish, new ones are not taken");
            events.close(); // or streams would keep the server from stopping
            let ((), ended) = tokio::join!(handle.stop(true), running);
            ended.context("the server failed while stopping")
        };
        backtests.close().await;
        chores.shutdown().await;
        drop((stop_delivery, stop_calls));
        if !delivering.is_finished() {
            let _ = delivering.await; // it panicked: then it has ended all the same
        }
        if let Some(Among { bulletin, .. }) = &self.among {
            self.threads.tell_untold();
            bulletin.told().await; // or the others would go on with what stood there before
            self.turns.give_back(&chores::TURNS).await;
        }
        leave(&*self.store, self.among.as_ref()).await;
        if let Some(shared) = &self.shared {
            shared.close().await;
        }
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

//! The outside: routes, keys, JSON in and out. Handlers parse, call one use case, and answer.

pub mod api;
mod auth;
pub(crate) mod body;
pub(crate) mod client;
pub mod compat;
pub mod console;
mod middleware;
mod objects;
pub mod openapi;
pub mod problem;
pub mod routes;
mod unread;

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use self::body::Strangers;
use self::client::Addresses;
use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
#[cfg(target_os = "linux")]
use socket2::SockRef;

use crate::app::access::Access;
use crate::app::akismet::Akismet;
use crate::app::appeals::Appeals;
use crate::app::authors::Authors;
use crate::app::backtests::Backtests;
use crate::app::campaigns::Campaigns;
use crate::app::clock::Clock;
use crate::app::events::Events;
use crate::app::house::Settings;
use crate::app::intake::Intake;
use crate::app::learning::Learning;
use crate::app::live::Live;
use crate::app::log_level::LogLevel;
use crate::app::notify::board::Board;
use crate::app::outbox::deliver::Health;
use crate::app::outbox::letters::Letters;
use crate::app::oversight::Oversight;
use crate::app::perspective::Perspective;
use crate::app::readers::Readers;
use crate::app::reads::Desk;
use crate::app::reload::Reload;
use crate::app::retention::Retention;
use crate::app::review::Review;
use crate::app::sanctions::Sanctions;
use crate::app::sign_in::SignIn;
use crate::app::webhooks_in::WebhooksIn;
use crate::domain::shared::Shared;
use crate::domain::store::Store;

/// `[server]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: String,
    /// How the outside reaches this service, when it is behind a proxy; empty when it is not.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed, as networks.
    pub trusted_proxies: Vec<IpNet>,
    /// Bytes of a request's body, and of a line of a batch, at most.
    pub max_body_bytes: usize,
    /// Threads that answer requests; 0 for one for each core.
    pub workers: usize,
    /// Lines of one batch that are worked on at once.
    pub batch_in_flight: usize,
    /// Milliseconds for a client to send a request's head.
    pub client_timeout_ms: u64,
    /// Seconds for a client to send a request's whole body, or the next piece of a batch: 1 to 3600.
    pub body_timeout_s: u32,
    /// MiB that are held at most of bodies whose sender is not known before they are read, such as Akismet's and signed webhooks; the first 16 KiB of each
    /// do not count. At least one body of `max_body_bytes`, at most 65536.
    pub unknown_body_mb: usize,
    /// Seconds after which a connection is ended whose client takes nothing of what is sent to it; 0 for never. Linux only.
    pub stalled_timeout_s: u32,
    /// Seconds for requests to finish when the service is told to stop.
    pub shutdown_timeout_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            max_body_bytes: 1_048_576,
            workers: 0,
            batch_in_flight: 128,
            client_timeout_ms: 5_000,
            body_timeout_s: 30,
            unknown_body_mb: 64,
            stalled_timeout_s: 60,
            shutdown_timeout_s: 30,
        }
    }
}

/// A setting that the server cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("server.{key}: {problem}")]
pub struct BadServer {
    /// The key.
    key: &'static str,
    /// One clause for the operator.
    problem: String,
}

impl Config {
    /// Whether the server can work with it.
    ///
    /// # Errors
    /// [`BadServer`], naming the key.
    pub fn check(&self) -> Result<(), BadServer> {
        self.address()?;
        if !self.public_url.is_empty() && url::Url::parse(&self.public_url).is_err() {
            return Err(BadServer { key: "public_url", problem: format!("`{}` is no address", self.public_url) });
        }
        if !(1..=3_600).contains(&self.body_timeout_s) {
            return Err(BadServer { key: "body_timeout_s", problem: "must be 1 to 3600".to_owned() });
        }
        if !(1..=65_536).contains(&self.unknown_body_mb) || self.unknown_body_bytes() < self.max_body_bytes {
            let problem = "must be 1 to 65536, and hold a body of max_body_bytes".to_owned();
            return Err(BadServer { key: "unknown_body_mb", problem });
        }
        Ok(())
    }

    const fn unknown_body_bytes(&self) -> usize {
        self.unknown_body_mb.saturating_mul(1 << 20)
    }

    /// Whether the outside reaches this service by https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        url::Url::parse(&self.public_url).is_ok_and(|url| url.scheme() == "https")
    }

    /// The address to listen on.
    ///
    /// # Errors
    /// [`BadServer`]: not `ADDRESS:PORT`.
    pub fn address(&self) -> Result<SocketAddr, BadServer> {
        let wrong = |_| BadServer {
            key: "listen",
            problem: format!("`{}` is not ADDRESS:PORT, as in 127.0.0.1:8080", self.listen),
        };
        self.listen.parse().map_err(wrong)
    }
}

/// What handlers work with.
pub struct State {
    /// Taking comments in.
    pub intake: Arc<Intake>,
    /// Comments that come by Akismet's protocol.
    pub akismet: Arc<Akismet>,
    /// Taking signed webhooks in.
    pub webhooks_in: Arc<WebhooksIn>,
    /// What people read beside the queue.
    pub desk: Arc<Desk>,
    /// People's decisions.
    pub review: Arc<Review>,
    /// What clients of Perspective ask.
    pub perspective: Arc<Perspective>,
    /// What they teach.
    pub learning: Arc<Learning>,
    /// A person's data.
    pub authors: Arc<Authors>,
    /// Comments that are kept for a time.
    pub retention: Arc<Retention>,
    /// Who works here, and who did what.
    pub oversight: Arc<Oversight>,
    /// What happens in the queue, as it happens.
    pub events: Arc<Events>,
    /// Bans and the like.
    pub sanctions: Arc<Sanctions>,
    /// Reports and votes.
    pub readers: Arc<Readers>,
    /// Authors' requests to decide again.
    pub appeals: Arc<Appeals>,
    /// What belongs together.
    pub campaigns: Arc<Campaigns>,
    /// What is on its way to sites.
    pub letters: Arc<Letters>,
    /// What operators are told.
    pub board: Arc<Board>,
    /// How delivery goes.
    pub outbox: Arc<Health>,
    /// Who is asking.
    pub access: Arc<Access>,
    /// Who is signed in.
    pub sign_in: Arc<SignIn>,
    /// Whether everybody seems to come from one address.
    pub addresses: Addresses,
    /// What is held of bodies before it is known who sends them.
    pub strangers: Strangers,
    /// Asked for sites and for readiness only; everything else goes through a use case.
    pub store: Arc<dyn Store>,
    /// What nodes share, where there are several.
    pub shared: Option<Arc<dyn Shared>>,
    /// Nodes that serve from this database and were heard of a moment ago; 0 before anybody looked, and where there is one alone.
    pub alive: Arc<AtomicU32>,
    /// The configuration in force.
    pub settings: Arc<Settings>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
    /// With it as bearer, `/metrics` answers from anywhere.
    pub metrics_token: Live<Option<String>>,
    /// Backtests that people start.
    pub backtests: Arc<Backtests>,
    /// Which configuration that is, and what keeps a newer one from it.
    pub reload: Arc<Reload>,
    /// From which level on this process logs.
    pub log_level: Arc<LogLevel>,
    /// `[server]` as it was started with: what is opened once.
    pub config: Config,
    /// What of `[server]` changes while the service runs: whom to believe, and how large and how slow a body may be.
    pub server: Live<Config>,
}

/// The server, listening on `listener`; it runs when awaited.
///
/// # Errors
/// The listener cannot be used.
pub fn server(state: Arc<State>, listener: TcpListener) -> std::io::Result<Server> {
    let config = state.config.clone();
    let data = web::Data::from(state);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .wrap(actix_web::middleware::from_fn(middleware::around))
            .configure(routes::configure)
    })
    .on_connect(move |connection, _| end_when_stalled(connection, Duration::from_secs(config.stalled_timeout_s.into())))
    .client_request_timeout(Duration::from_millis(config.client_timeout_ms))
    .shutdown_timeout(config.shutdown_timeout_s)
    .disable_signals();
    let server = if config.workers > 0 { server.workers(config.workers) } else { server };
    Ok(server.listen(listener)?.run())
}

/// Lets the system end a connection on which nothing was taken for `after`. Nothing else would: an answer that cannot be written is
/// not asked for more, so that no timer of ours would be looked at.
#[cfg(target_os = "linux")]
fn end_when_stalled(connection: &dyn Any, after: Duration) {
    let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() else { return };
    if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(after)) {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection that stalls will not be ended");
    }
}

/// No other system has it for both causes, a client that takes nothing and one that is gone.
#[cfg(not(target_os = "linux"))]
fn end_when_stalled(_: &dyn Any, _: Duration) {}

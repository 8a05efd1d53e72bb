//! The Courier: a news site for `doorward demo`, to comment on and to see from outside what Doorward does.
//!
//! It uses Doorward as any site would: the public HTTP API with a site's key ([`doorward`]), and signed webhooks ([`hook`]). It names no
//! other layer, keeps its own comments ([`board`]), and would work with any Doorward anywhere. What it keeps is in memory, within bounds: it
//! is there to be looked at, not to be run.

mod board;
mod doorward;
mod events;
mod hook;
mod newsroom;
mod pages;
mod post;
mod readers;
mod replay;
mod said;
mod stories;
mod views;
mod web;

use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};
use standardwebhooks::Webhook;

use board::Comment;
pub use board::{Earlier, State};
use doorward::Doorward;
use events::Events;
use newsroom::Newsroom;
use replay::Morning;
pub use replay::mornings;
pub use stories::{Story, stories};

/// What the site has to be told.
pub struct Settings {
    /// Where Doorward's API is, as in `http://127.0.0.1:8080`.
    pub doorward: String,
    /// Where moderators open Doorward's pages, without a slash at the end.
    pub console: String,
    /// The site's key.
    pub key: String,
    /// What webhooks are signed with: `whsec_` and base64.
    pub webhook_secret: String,
    /// Milliseconds between two comments of a replay.
    pub pace_ms: u64,
    /// Milliseconds until a comment that was not answered is sent again; doubles with each further attempt.
    pub again_ms: u64,
    /// Comments that the site had before this run. What they are now it asks Doorward for.
    pub earlier: Vec<Earlier>,
    /// Milliseconds since 1970.
    pub now: fn() -> i64,
    /// Hears of each webhook, in one line: `comment.approved c-1 verified`.
    pub heard: fn(&str),
}

/// Why the site cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The port.
    #[error("the sample site's port cannot be used")]
    Listen(#[from] std::io::Error),
    /// The way to Doorward.
    #[error("the sample site's HTTP client cannot be set up")]
    Client(#[from] reqwest::Error),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// Its own stories.
    #[error("the sample site's texts cannot be read")]
    Texts(#[from] serde_json::Error),
    /// The secret of webhooks.
    #[error("the webhook secret is not `whsec_` and base64")]
    Secret(#[from] standardwebhooks::WebhookError),
}

/// Everything that handlers and tasks of the site share.
struct Site {
    stories: Vec<Story>,
    mornings: Vec<Morning>,
    doorward: Doorward,
    console: String,
    webhook: Webhook,
    room: Mutex<Newsroom>,
    events: Events,
    /// When it was opened, in milliseconds since 1970.
    opened_ms: i64,
    pace: Duration,
    again: Duration,
    now: fn() -> i64,
    heard: fn(&str),
}

impl Site {
    /// Never held while anything is waited for.
    fn room(&self) -> MutexGuard<'_, Newsroom> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn story(&self, id: &str) -> Option<&Story> {
        self.stories.iter().find(|story| story.id == id)
    }
}

/// The site, open.
pub struct Running {
    handle: ServerHandle,
    site: Arc<Site>,
}

impl Running {
    /// Ends the open pages' streams and closes the port.
    pub async fn stop(self) {
        self.site.events.close();
        self.handle.stop(true).await;
    }
}

/// Opens the site on `listener`, and lets it catch up with Doorward as soon as that answers.
///
/// # Errors
/// [`SetupError`]; nothing was opened.
pub fn open(settings: Settings, listener: TcpListener) -> Result<Running, SetupError> {
    let mut room = Newsroom::new(replay::mornings()?.len());
    for earlier in settings.earlier {
        room.board.add(Comment::earlier(earlier));
    }
    let site = Arc::new(Site {
        stories: stories()?,
        mornings: replay::mornings()?,
        doorward: Doorward::new(settings.doorward, settings.key)?,
        console: settings.console,
        webhook: Webhook::new(&settings.webhook_secret)?,
        room: Mutex::new(room),
        events: Events::new(),
        opened_ms: (settings.now)(),
        pace: Duration::from_millis(settings.pace_ms.max(1)),
        again: Duration::from_millis(settings.again_ms.max(1)),
        now: settings.now,
        heard: settings.heard,
    });
    let its = actix_web::web::Data::from(Arc::clone(&site));
    let server = HttpServer::new(move || App::new().app_data(its.clone()).wrap(web::headers()).configure(web::routes))
        .workers(1)
        .shutdown_timeout(2)
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    tokio::spawn(server);
    tokio::spawn(post::catch_up(Arc::clone(&site)));
    Ok(Running { handle, site })
}

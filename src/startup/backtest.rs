//! A service of its own for replaying what was recorded: put together as any other, over a file that is thrown away.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::assemble_with;
use crate::app::backtest::{Ask, Progress, Report, Service, replay};
use crate::app::clock::Clock;
use crate::app::learning::Learning;
use crate::config::Config;
use crate::domain::rules::lists::ListText;
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::storage::{self, Scratch, redis};

const DAY_MS: i64 = 86_400_000;
/// How far back an author's comments count.
const AUTHORS_DAYS: i64 = 365;

/// A clock that stands still: everything that is replayed brings its own moment.
struct Still(Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn by_now(&self, named: Timestamp) -> Timestamp {
        named
    }
}

/// What is to be replayed to judge comments between two moments under `candidate`: as much of the past as it remembers. `public_url` is where the
/// console is.
#[must_use]
pub fn ask(candidate: &Config, since: Timestamp, until: Timestamp, public_url: &str) -> Ask {
    let recalled_since = since.plus_millis(-i64::from(candidate.history.window_days) * DAY_MS);
    Ask {
        since,
        until,
        site: None,
        recalled_since,
        authors_since: recalled_since.min(since.plus_millis(-AUTHORS_DAYS * DAY_MS)),
        author_depth: candidate.history.author_depth,
        listed: usize::MAX,
        listed_each: None,
        console: public_url.trim_end_matches('/').to_owned(),
    }
}

/// Replays what `source` recorded under `candidate`, in a database of its own in `folder`. With `learned`, sites' own models as they are in force
/// now take part: they know the decisions that the replay is measured by.
///
/// # Errors
/// A sentence for the operator; `source` is as it was.
pub async fn backtest(
    source: &Arc<dyn Store>,
    candidate: &Config,
    folder: &Path,
    learned: bool,
    ask: Ask,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<Report> {
    let lists = candidate.read_lists()?;
    let mut candidate = candidate.clone();
    candidate.backtest.disk_mb = 0; // whoever gives the command sees to the disk
    Box::pin(backtest_with(source, &candidate, lists, folder, learned, ask, progress)).await
}

/// The same with lists that were read already, in no more disk than the candidate's `backtest.disk_mb`.
///
/// # Errors
/// As [`backtest`].
pub(super) async fn backtest_with(
    source: &Arc<dyn Store>,
    candidate: &Config,
    lists: Vec<ListText>,
    folder: &Path,
    learned: bool,
    ask: Ask,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<Report> {
    let mut config = candidate.clone();
    config.database = storage::Config {
        readers: 1,
        cache_mb: 32,
        max_file_mb: config.backtest.disk_mb,
        scratch: Some(Scratch { target_key: source.target_key() }),
        ..storage::Config::sqlite(&folder.join("replay.db"))
    };
    config.secrets.key_file = folder.join("replay.key");
    config.shared = redis::Config::default();
    config.sources = Vec::new();
    config.sampling.rate = 0.0;
    let clock = Arc::new(Still(ask.recalled_since));
    let app = assemble_with(&config, lists, clock).await.context("no service could be put together for the replay")?;
    let state = app.state();
    if learned {
        let start = Learning::start(Arc::clone(source), Arc::clone(&state.settings), candidate.learning.clone());
        start.await.context("what sites taught could not be read")?;
    }
    let service = Service {
        intake: Arc::clone(&state.intake),
        review: Arc::clone(&state.review),
        sanctions: Arc::clone(&state.sanctions),
        campaigns: Arc::clone(&state.campaigns),
        store: Arc::clone(&state.store),
    };
    let report = replay(source, &service, ask, progress).await;
    app.store().close().await;
    Ok(report?)
}

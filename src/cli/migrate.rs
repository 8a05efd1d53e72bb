//! `doorward migrate`: brings the database to this version. `serve` does the same on its own.

use super::say;
use crate::config::Config;
use crate::startup;

pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let store = startup::open_store(config).await?;
    store.close().await;
    say("The database is of this version.")
}

//! `doorward migrate`: brings the database to this version and makes the key of secrets. `serve` does the same on its own; this is for doing it
//! once, before several of them start.

use super::say;
use crate::app::secrets::Sealer;
use crate::config::Config;
use crate::startup;

pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let store = startup::open_store(config).await?;
    store.close().await;
    Sealer::open(&config.secrets.key_file)?;
    say("The database is of this version.")
}

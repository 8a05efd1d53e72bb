//! `doorward serve`: runs the service until it is told to stop.

use std::sync::Arc;

use crate::config::Config;
use crate::startup::{self, SystemClock, supervisor};
use crate::telemetry;

pub(super) fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start_log(&config.log)?;
    startup::run_to_end(async move {
        let app = startup::assemble(&config, Arc::new(SystemClock)).await?;
        let listener = startup::listen(&config)?;
        tracing::info!(address = %listener.local_addr()?, policy = config.hash(), "ready");
        supervisor::say(supervisor::READY);
        let stop = async {
            startup::stop_signal().await;
            supervisor::say(supervisor::STOPPING);
        };
        app.serve(listener, stop).await
    })
}

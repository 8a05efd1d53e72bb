//! `doorward serve`: runs the service until it is told to stop.

use std::sync::Arc;

use crate::config::Config;
use crate::startup::{self, SystemClock};
use crate::telemetry;

pub(super) fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start_log(&config.log)?;
    startup::run_to_end(async move {
        let app = startup::assemble(&config, Arc::new(SystemClock)).await?;
        let listener = startup::listen(&config)?;
        tracing::info!(address = %listener.local_addr()?, policy = app.state().settings.current().hash, "ready");
        app.serve(listener, startup::stop_signal()).await
    })
}

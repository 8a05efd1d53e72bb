//! `doorward serve`: runs the service until it is told to stop.

use std::path::Path;
use std::sync::Arc;

use crate::config::Source;
use crate::startup::{self, SystemClock, supervisor};
use crate::telemetry;

pub(super) fn run(file: Option<&Path>) -> anyhow::Result<()> {
    let source = Source::of(file)?;
    let print = source.print(); // before it is read: what changes in between is found later
    let read = source.read()?;
    let config = read.config.clone();
    let _collecting = telemetry::start(&config.log, &config.telemetry)?; // until the service has ended
    startup::run_to_end(async move {
        let mut app = startup::assemble_with(&config, read.lists.clone(), Arc::new(SystemClock)).await?;
        app.follow(source, print, Box::new(read)).await;
        let listener = match startup::listen(&config) {
            Ok(listener) => listener,
            Err(error) => {
                app.give_up().await;
                return Err(error);
            }
        };
        tracing::info!(address = %listener.local_addr()?, policy = app.state().settings.current().hash, "ready");
        supervisor::say(supervisor::READY);
        let stop = async {
            startup::stop_signal().await;
            supervisor::say(supervisor::STOPPING);
        };
        app.serve(listener, stop).await
    })
}

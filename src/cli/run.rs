//! `bcproxy run`: serve until told to stop.

use std::path::Path;
use std::time::Duration;

use super::{Failure, load, runtime, start_log};
use crate::daemon::{Service, Signals, raise_file_limit, service_manager};

pub fn run(path: &Path) -> Result<(), Failure> {
    let held = service_manager::held_sockets();
    let config = load(path)?;
    let log = start_log(&config.log)?;
    raise_file_limit(config.max_connections.total);
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let signals = signals()?;
        let service = Service::start(path, &config, held, log.filter()).await;
        service.map_err(|error| Failure::Configuration(format!("error: {error}")))?.run(signals).await;
        Ok(())
    });
    // What is still running was asked to end already; a hanging secret command must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// What the operating system asks for from now on.
pub fn signals() -> Result<Signals, Failure> {
    Signals::listen().map_err(|error| Failure::Failed(format!("signals can't be received: {error}")))
}

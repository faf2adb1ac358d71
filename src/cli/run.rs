//! `bcproxy run`: runs the proxy until it is told to stop.

use std::path::Path;
use std::time::Duration;

use super::common::{Failure, load, runtime, signals, start_log};
use crate::daemon::{Service, service_manager};
use crate::file_limit::raise_file_limit;

/// Runs the proxy until it is told to stop.
pub fn run(file: &Path) -> Result<(), Failure> {
    let inherited = service_manager::inherited_sockets();
    let loaded = load(file)?;
    let log = start_log(&loaded.config.log)?;
    raise_file_limit();
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let signals = signals()?;
        let service = Service::start(file, &loaded, inherited, log.filter.clone()).await;
        service.map_err(|error| Failure::Configuration(format!("error: {error}")))?.run(signals).await;
        Ok(())
    });
    // All tasks have been told to stop. A secret command that hangs must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

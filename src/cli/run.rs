//! `bcproxy run`: runs the proxy until it is told to stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::common::{Failure, load, runtime, signals, start_log};
use crate::daemon::service_manager::{self, ServiceManager};
use crate::daemon::{Controls, Service};
use crate::file_limit::raise_file_limit;

/// Runs the proxy until it is told to stop.
pub fn run(file: &Path) -> Result<(), Failure> {
    serve(file, service_manager::from_environment(), Arc::default())
}

/// The same as a service of Windows, which starts this process and stops it.
#[cfg(windows)]
pub fn run_as_service(file: &Path) -> Result<(), Failure> {
    let file = file.to_owned();
    let dispatched = service_manager::windows::dispatch(move |started| {
        serve(&file, started.manager, started.controls).map_or_else(|failure| failure.parts().1, |()| 0)
    });
    dispatched.map_err(|error| Failure::Failed(format!("bcproxy can't run as a service: {error}")))
}

/// There is no such service here.
#[cfg(not(windows))]
pub fn run_as_service(_: &Path) -> Result<(), Failure> {
    Err(Failure::Configuration("`run --service` is for the services of Windows. Use `bcproxy run`.".to_owned()))
}

/// The same for a service manager, whose requests are `controls`.
fn serve(file: &Path, manager: Arc<dyn ServiceManager>, controls: Arc<Controls>) -> Result<(), Failure> {
    let inherited = service_manager::inherited_sockets();
    let loaded = load(file)?;
    let log = start_log(&loaded.config.log)?;
    raise_file_limit();
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let signals = signals(controls)?;
        let service = Service::start(file, &loaded, inherited, log.filter.clone(), manager).await;
        service.map_err(|error| Failure::Configuration(format!("error: {error}")))?.run(signals).await;
        Ok(())
    });
    // All tasks have been told to stop. A secret command that hangs must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

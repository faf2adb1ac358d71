//! `bcproxy run`: runs the proxy until it is told to stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::common::{Failure, load, runtime, signals, start_log};
use crate::config::Loaded;
use crate::daemon::service_manager::{self, ServiceManager};
use crate::daemon::{Controls, Service};
use crate::file_limit::raise_file_limit;
use crate::guide::Event;
use crate::telemetry::ServiceLog;

/// Runs the proxy until it is told to stop.
pub fn run(file: &Path) -> Result<(), Failure> {
    let loaded = load(file)?;
    serve(file, &loaded, None, service_manager::from_environment(), Arc::default())
}

/// The same as a service of Windows, which starts this process and stops it.
#[cfg(windows)]
pub fn run_as_service(file: &Path) -> Result<(), Failure> {
    use crate::config::{Config, LogFile};
    use crate::telemetry::event_log::EventLog;
    let file = file.to_owned();
    let dispatched = service_manager::windows::dispatch(move |started| {
        // Without the Event Log, the log still has everything but a failed start.
        let events = EventLog::open(&started.name).ok();
        let log = ServiceLog { default_file: LogFile::of_service(&file), events: events.as_ref() };
        let loaded = Config::load(&file).map_err(|mistakes| Failure::Configuration(mistakes.render(false)));
        let served = loaded.and_then(|loaded| serve(&file, &loaded, Some(log), started.manager, started.controls));
        match served.map_err(Failure::parts) {
            Ok(()) => 0,
            Err((text, code)) => {
                if let Some(events) = &events {
                    events.report(Event::StartFailed, &text);
                }
                code
            }
        }
    });
    dispatched.map_err(|error| Failure::Failed(format!("bcproxy can't run as a service: {error}")))
}

/// There is no such service here.
#[cfg(not(windows))]
pub fn run_as_service(_: &Path) -> Result<(), Failure> {
    Err(Failure::Configuration("`run --service` is for the services of Windows. Use `bcproxy run`.".to_owned()))
}

/// Runs the proxy until the system asks to stop, or `manager` by `controls`. `service`: where it logs.
fn serve(
    file: &Path,
    loaded: &Loaded,
    service: Option<ServiceLog<'_>>,
    manager: Arc<dyn ServiceManager>,
    controls: Arc<Controls>,
) -> Result<(), Failure> {
    let inherited = service_manager::inherited_sockets();
    let is_service = service.is_some();
    let log = start_log(&loaded.config.log, service)?;
    // A service has no standard error, where a terminal shows them.
    if is_service && !loaded.warnings.is_empty() {
        tracing::warn!(event_id = Event::ConfigurationWarnings.id(), "{}", loaded.warnings);
    }
    raise_file_limit();
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let signals = signals(controls)?;
        let service = Service::start(file, loaded, inherited, log.filter.clone(), manager).await;
        service.map_err(|error| Failure::Configuration(format!("error: {error}")))?.run(signals).await;
        Ok(())
    });
    // All tasks have been told to stop. A secret command that hangs must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

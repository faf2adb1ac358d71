//! The async runtime, the log and the signal handlers.

use super::failure::Failure;
use crate::config::Log;
use crate::daemon::Signals;
use crate::telemetry::{self, LogGuard};

/// Starts the log. It ends when the guard is dropped.
pub fn start_log(log: &Log) -> Result<LogGuard, Failure> {
    telemetry::start(log).map_err(|error| Failure::Failed(format!("The log can't be started: {error}.")))
}

/// Starts the async runtime.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Failure::Failed(format!("The async runtime can't be started: {error}.")))
}

/// Installs the signal handlers.
pub fn signals() -> Result<Signals, Failure> {
    Signals::listen().map_err(|error| Failure::Failed(format!("Signal handlers can't be installed: {error}.")))
}

//! What commands start with: the configuration and its connectors, the log, the async runtime and the signal handlers.

use std::path::Path;
use std::sync::Arc;

use anstream::eprintln;

use super::Failure;
use crate::config::{Config, Connector, Diagnostics, Loaded, Log};
use crate::daemon::{Controls, Signals};
use crate::telemetry::{self, LogGuard, ServiceLog};

/// Loads the configuration and prints its warnings. Mistakes end the command.
pub fn load(path: &Path) -> Result<Loaded, Failure> {
    let loaded = Config::load(path).map_err(|mistakes| Failure::Configuration(rendered(&mistakes)))?;
    if !loaded.warnings.is_empty() {
        eprintln!("{}", rendered(&loaded.warnings));
    }
    Ok(loaded)
}

/// Loads the configuration without reading its secrets, which only the service's account may be able to read.
pub fn load_without_secrets(path: &Path) -> Result<Config, Failure> {
    let loaded = Config::load_file_only(path).map_err(|mistakes| Failure::Configuration(rendered(&mistakes)))?;
    Ok(loaded.config)
}

/// Returns the connector of this name, or all connectors if no name is given.
pub fn select_connectors<'c>(config: &'c Config, name: Option<&str>) -> Result<Vec<&'c Arc<Connector>>, Failure> {
    let found: Vec<_> =
        config.connectors.iter().filter(|connector| name.is_none_or(|name| connector.name == name)).collect();
    if found.is_empty() {
        let names: Vec<&str> = config.connectors.iter().map(|connector| connector.name.as_str()).collect();
        let text = format!(
            "The configuration has no connector {:?}. Name one of these: {}.",
            name.unwrap_or_default(),
            names.join(", ")
        );
        return Err(Failure::Configuration(text));
    }
    Ok(found)
}

/// Renders diagnostics for standard error, in color on a terminal.
pub fn rendered(diagnostics: &Diagnostics) -> String {
    diagnostics.render(console::colors_enabled_stderr())
}

/// Starts the log. It ends when the guard is dropped. `service`: where a service of Windows logs.
pub fn start_log(log: &Log, service: Option<ServiceLog<'_>>) -> Result<LogGuard, Failure> {
    telemetry::start(log, service).map_err(|error| Failure::Failed(format!("The log can't be started: {error}")))
}

/// Starts the async runtime.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Failure::Failed(format!("The async runtime can't be started: {error}.")))
}

/// Installs the signal handlers. `controls` are signals, too.
pub fn signals(controls: Arc<Controls>) -> Result<Signals, Failure> {
    Signals::listen(controls).map_err(|error| Failure::Failed(format!("Signal handlers can't be installed: {error}.")))
}

//! `bcproxy run`: serve until told to stop.

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Failure, load, runtime, start_log};
use crate::admin::Admin;
use crate::config::Config;
use crate::proxy::Proxy;

pub fn run(path: &Path) -> Result<(), Failure> {
    let config = load(path)?;
    let _log = start_log(&config.log)?;
    let runtime = runtime()?;
    let result = runtime.block_on(serve(&config));
    // What is still running was asked to end already; a hanging secret command must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(config: &Config) -> Result<(), Failure> {
    let unusable = |error: &dyn std::fmt::Display| Failure::Configuration(format!("error: {error}"));
    let stop = StopSignals::listen()?;
    let proxy = Proxy::start(config).await.map_err(|error| unusable(&error))?;
    let admin = match config.admin {
        Some(address) => {
            Some(Admin::start(address, proxy.connectors().to_vec()).await.map_err(|error| unusable(&error))?)
        }
        None => None,
    };
    for address in proxy.addresses() {
        tracing::info!("listening on {address}");
    }
    if let Some(admin) = &admin {
        tracing::info!("health on http://{}/readyz", admin.address());
    }
    proxy.warm_up();
    wait_and_drain(proxy, stop, config.shutdown_grace).await;
    Ok(())
}

/// Serves until the first signal, then drains; the second signal ends everything.
pub async fn wait_and_drain(proxy: Proxy, mut stop: StopSignals, grace: Duration) {
    stop.next().await;
    tracing::info!("stopping: no new connections; requests under way have {} s to finish", grace.as_secs());
    let at_once = CancellationToken::new();
    let second = tokio::spawn({
        let at_once = at_once.clone();
        async move {
            stop.next().await;
            at_once.cancel();
        }
    });
    proxy.drain(grace, at_once).await;
    second.abort();
    tracing::info!("stopped");
}

/// The operating system's ways to ask for an end.
pub struct StopSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignals {
    /// From now on signals are ours, so that one that comes while starting is not lost.
    pub fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error| Failure::Failed(format!("signals can't be received: {error}"));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl StopSignals {
    pub fn listen() -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub async fn next(&mut self) {
        // An error means that no signal can ever come: then nothing but the service manager ends us.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

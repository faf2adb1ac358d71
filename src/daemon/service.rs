//! A proxy and its admin listener in service, as one file says; and what becomes of them when the file changes or the service ends.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::service_manager;
use super::signals::{Signal, Signals};
use super::watch::Watch;
use crate::admin::{Admin, Command, Commands, ConfigHistory, Control, Status};
use crate::config::{Config, Loaded};
use crate::proxy::{self, BindError, InheritedSockets, LocalAddress, Proxy};
use crate::telemetry::LogFilter;

/// Everything that runs.
pub struct Service {
    history: ConfigHistory,
    config: Config,
    log: LogFilter,
    proxy: Proxy,
    admin: Option<Admin>,
    control: Control,
    commands: Commands,
    watch: Watch,
}

/// Why the service can't start, or can't change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Proxy(#[from] proxy::StartError),
    #[error(transparent)]
    Admin(BindError),
}

impl Service {
    /// Opens all doors and begins to fetch tokens; `file` is where `config` comes from.
    pub async fn start(
        file: &Path,
        config: &Config,
        held: InheritedSockets,
        log: LogFilter,
    ) -> Result<Self, StartError> {
        for address in held.unwanted(&config.listen) {
            tracing::warn!(
                "the service manager holds {address} for us, which is no address of `listen`: nobody answers there"
            );
        }
        let proxy = Proxy::start_on(config, held).await?;
        let history = ConfigHistory::new(file.to_owned());
        let (control, commands) =
            Control::new(Status { view: proxy.view(), history: history.clone(), is_stopping: false });
        let admin = match config.admin {
            Some(address) => Some(Admin::start(address, control.clone()).map_err(StartError::Admin)?),
            None => None,
        };
        let watch = Watch::begin(&config.files(file)).await;
        Ok(Self { history, config: config.clone(), log, proxy, admin, control, commands, watch })
    }

    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    pub fn admin(&self) -> Option<&Admin> {
        self.admin.as_ref()
    }

    /// Serves, and reloads when asked to, until the first wish to stop; then drains. The second wish ends everything.
    pub async fn run(mut self, mut signals: Signals) {
        self.announce(&[], None);
        self.proxy.warm_up(&[]);
        service_manager::ready(&self.summary());
        let alive = tokio::spawn(service_manager::stay_alive());
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Stop => break,
                    #[cfg(unix)]
                    Signal::Reload => drop(self.reload("SIGHUP").await),
                },
                command = self.commands.next() => match command {
                    Command::Stop => break,
                    Command::Reload(answer) => {
                        let outcome = self.reload("`bcproxy reload`").await;
                        // Whoever asked may have left.
                        let _ = answer.send(outcome);
                    }
                },
                () = self.watch.changed() => drop(self.reload("a file has changed").await),
            }
        }
        self.end(signals).await;
        alive.abort();
    }

    /// Serves what the file says now; `Err` says why it does not, and nothing has changed then.
    async fn reload(&mut self, cause: &str) -> Result<String, String> {
        service_manager::reloading();
        let outcome = self.take_over().await;
        match &outcome {
            Ok(said) => {
                tracing::info!("{cause}: {said}");
                self.history.record_applied();
            }
            Err(reason) => {
                tracing::error!(
                    "{cause}: the configuration stays as it was, since the new one can't be used: {reason}"
                );
                self.history.record_rejected(reason.clone());
            }
        }
        service_manager::ready(&match &outcome {
            Ok(_) => self.summary(),
            Err(_) => format!("{}; the file was changed since and can't be used, see the log", self.summary()),
        });
        self.control.publish(self.status(false));
        outcome
    }

    async fn take_over(&mut self) -> Result<String, String> {
        let file = self.history.file.clone();
        let loading = tokio::task::spawn_blocking(move || Config::load(&file));
        let loaded = loading.await.map_err(|error| format!("it could not be read ({error})"))?;
        let Loaded { config, warnings } = loaded.map_err(|mistakes| mistakes.to_string())?;
        let admin = match config.admin {
            address if address == self.config.admin => None,
            None => Some(None),
            Some(address) => {
                Some(Some(Admin::start(address, self.control.clone()).map_err(|error| error.to_string())?))
            }
        };
        let connectors = self.proxy.connectors().to_vec();
        let (addresses, health) = (self.proxy.addresses(), self.admin.as_ref().map(Admin::address));
        self.proxy.reload(&config).await.map_err(|error| error.to_string())?;
        // Nothing can fail from here.
        if let Some(admin) = admin
            && let Some(before) = std::mem::replace(&mut self.admin, admin)
        {
            // It may be the one that waits for this.
            tokio::spawn(before.close());
        }
        self.log.change(&config.log);
        let mut said = "the configuration was reloaded".to_owned();
        if config.log.format != self.config.log.format {
            let _ = write!(said, "; `log.format` takes effect at the next start");
        }
        self.config = config;
        if !warnings.is_empty() {
            tracing::warn!("{warnings}");
        }
        self.watch.turn_to(&self.config.files(&self.history.file)).await;
        self.announce(&addresses, health);
        self.proxy.warm_up(&connectors);
        Ok(said)
    }

    async fn end(mut self, mut signals: Signals) {
        let grace = self.config.shutdown_grace;
        tracing::info!("stopping: no new connections; requests under way have {} s to finish", grace.as_secs());
        service_manager::stopping();
        self.control.publish(self.status(true));
        let at_once = CancellationToken::new();
        let mut drained = std::pin::pin!(self.proxy.drain(grace, at_once.clone()));
        loop {
            tokio::select! {
                () = &mut drained => break,
                signal = signals.next() => if signal == Signal::Stop { at_once.cancel() },
                command = self.commands.next() => match command {
                    Command::Stop => at_once.cancel(),
                    Command::Reload(answer) => drop(answer.send(Err("bcproxy is stopping".to_owned()))),
                },
            }
        }
        if let Some(admin) = self.admin {
            admin.close().await;
        }
        tracing::info!("stopped");
    }

    fn status(&self, is_stopping: bool) -> Status {
        Status { view: self.proxy.view(), history: self.history.clone(), is_stopping }
    }

    /// Logs where we listen, but for what was said before.
    fn announce(&self, said: &[LocalAddress], said_health: Option<SocketAddr>) {
        for address in self.proxy.addresses().iter().filter(|address| !said.contains(address)) {
            tracing::info!("listening on {address}");
        }
        if let Some(address) = self.admin.as_ref().map(Admin::address).filter(|&address| said_health != Some(address)) {
            tracing::info!("status page on http://{address}/");
        }
    }

    fn summary(&self) -> String {
        let (routes, connectors) = (self.config.routes.len(), self.config.connectors.len());
        format!("serving {routes} routes of {connectors} connectors")
    }
}

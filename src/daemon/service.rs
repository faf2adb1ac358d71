//! Runs the proxy and its admin listener, reloads them when the configuration file changes, and drains them at the end.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::http::uri::Scheme;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::admin_runtime::AdminRuntime;
use super::file_watcher::FileWatcher;
use super::freed_memory;
use super::postponed;
use super::service_manager::ServiceManager;
use super::signals::{Signal, Signals};
use super::telemetry_export::TelemetryExport;
use crate::admin::{Admin, AdminError, Command, ConfigHistory, Control, PreparedAdmin, Status};
use crate::config::{self, AdminScope, Config, Loaded};
use crate::guide::Event;
use crate::proxy::{self, InheritedSockets, LocalAddress, Proxy};
use crate::telemetry::LogFilter;
use crate::telemetry::otlp::ExporterError;

/// The running proxy and admin listener, with the configuration they use.
pub struct Service {
    history: ConfigHistory,
    config: Config,
    log: LogFilter,
    /// The proxy.
    pub proxy: Proxy,
    /// The admin listener; `None` with `admin: off`.
    pub admin: Option<Admin>,
    admin_runtime: AdminRuntime,
    control: Control,
    export: TelemetryExport,
    commands: mpsc::Receiver<Command>,
    watcher: FileWatcher,
    manager: Arc<dyn ServiceManager>,
}

/// The admin listener of another configuration.
enum NextAdmin {
    /// There is none.
    Off,
    /// The one in service, with other settings.
    Changed(PreparedAdmin),
    /// There was none before.
    New(Admin),
}

/// The reason the service can't start or reload.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The proxy can't use the configuration or bind its listeners.
    #[error(transparent)]
    Proxy(#[from] proxy::StartError),
    /// The admin listener can't start.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The system can't start another thread.
    #[error("the runtime of the admin listener can't be started ({0})")]
    AdminRuntime(io::Error),
    /// Telemetry can't be exported.
    #[error("telemetry.otlp: {0}")]
    Export(#[from] ExporterError),
}

impl Service {
    /// Binds all listeners and starts to fetch tokens. The configuration was loaded from `file`.
    pub async fn start(
        file: &Path,
        loaded: &Loaded,
        inherited: InheritedSockets,
        log: LogFilter,
        manager: Arc<dyn ServiceManager>,
    ) -> Result<Self, StartError> {
        let config = &loaded.config;
        for address in inherited.unwanted(&config.listen) {
            tracing::warn!(
                "systemd holds a socket on {address}, but `listen` does not have this address: add it there, or remove it from bcproxy.socket"
            );
        }
        let proxy = Proxy::start_on(config, inherited).await?;
        let history = ConfigHistory::new(file.to_owned(), loaded);
        let admin_runtime = AdminRuntime::start().map_err(StartError::AdminRuntime)?;
        let status = Status { view: proxy.view(), history: history.clone(), is_stopping: false };
        let data_path = Handle::current();
        let (control, commands) = admin_runtime.run(|| Control::new(status, data_path));
        let admin = match &config.admin {
            Some(settings) => Some(admin_runtime.run_async(Admin::start(settings, control.clone())).await?),
            None => None,
        };
        let mut export = TelemetryExport::default();
        let change = export.prepare(config.otlp.as_ref())?;
        export.apply(change, config.otlp.as_ref(), &proxy.view(), &control, &log).map_err(ExporterError::from)?;
        let watcher = FileWatcher::start(&config.files(file)).await;
        let config = config.clone();
        let service =
            Self { history, config, log, proxy, admin, admin_runtime, control, export, commands, watcher, manager };
        service.control.publish(service.status(false));
        Ok(service)
    }

    /// Serves and reloads until it is told to stop, then drains. The second stop aborts open requests.
    pub async fn run(mut self, mut signals: Signals) {
        self.log_addresses(&[], &[]);
        tracing::info!(
            event_id = Event::Started.id(),
            version = env!("CARGO_PKG_VERSION"),
            "started: {}",
            self.summary()
        );
        self.proxy.warm_up(&[]);
        self.manager.ready(&self.summary());
        let liveness = self.control.liveness().clone();
        let heartbeat = self.admin_runtime.run(|| tokio::spawn(self.manager.clone().heartbeat(liveness)));
        // The first day's warnings were those of the file.
        let mut daily = tokio::time::interval_at(Instant::now() + DAY, DAY);
        let mut readiness = tokio::time::interval(READINESS_INTERVAL);
        let mut memory = tokio::time::interval(freed_memory::INTERVAL);
        for interval in [&mut readiness, &mut memory] {
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                _ = daily.tick() => self.warn_of_certificates(),
                _ = readiness.tick() => self.proxy.log_readiness(),
                _ = memory.tick() => freed_memory::return_to_system(),
                signal = signals.next() => match signal {
                    Signal::Stop => break,
                    Signal::Reload(cause) => drop(self.reload(cause).await),
                },
                Some(command) = self.commands.recv() => match command {
                    Command::Stop => break,
                    Command::Reload(reply) => {
                        let outcome = self.reload("`bcproxy reload`").await;
                        // The client may have disconnected.
                        let _ = reply.send(outcome);
                    }
                },
                () = self.watcher.changed() => drop(self.reload("a file has changed").await),
            }
        }
        self.shut_down(signals).await;
        heartbeat.abort();
    }

    /// Loads the file and puts it into service. On `Err`, which gives the reason, nothing has changed.
    async fn reload(&mut self, cause: &str) -> Result<String, String> {
        self.manager.reloading();
        let outcome = self.apply_file().await;
        match &outcome {
            Ok(result) => {
                tracing::info!(event_id = Event::Reloaded.id(), "{cause}: {result}");
            }
            Err(reason) => {
                tracing::error!(
                    event_id = Event::ReloadRejected.id(),
                    "{cause}: the new configuration is invalid, so the previous one stays in service: {reason}"
                );
                self.history.record_rejected(reason.clone());
            }
        }
        self.manager.ready(&match &outcome {
            Ok(_) => self.summary(),
            Err(_) => format!("{}; the changed configuration file is invalid, see the log", self.summary()),
        });
        self.control.publish(self.status(false));
        outcome
    }

    async fn apply_file(&mut self) -> Result<String, String> {
        let file = self.history.file.clone();
        let loading = tokio::task::spawn_blocking(move || Config::load(&file));
        let loaded = loading.await.map_err(|error| format!("reading the file failed ({error})"))?;
        let loaded = loaded.map_err(|mistakes| mistakes.to_string())?;
        let config = &loaded.config;
        let admin = self.next_admin(config.admin.as_ref()).await.map_err(|error| error.to_string())?;
        let export = self.export.prepare(config.otlp.as_ref()).map_err(|error| format!("telemetry.otlp: {error}"))?;
        let connectors = self.proxy.connectors().to_vec();
        let (addresses, admin_addresses) = (self.proxy.addresses(), self.admin_addresses());
        self.proxy.reload(config).await.map_err(|error| error.to_string())?;
        // The steps below can't fail.
        match (admin, &mut self.admin) {
            (NextAdmin::Changed(prepared), Some(admin)) => self.admin_runtime.run(|| admin.take_effect(prepared)),
            (NextAdmin::New(admin), current) => *current = Some(admin),
            (NextAdmin::Off | NextAdmin::Changed(_), current) => {
                if let Some(previous) = current.take() {
                    // Not awaited: this reload may be a request to the listener, which waits for its response.
                    tokio::spawn(previous.close());
                }
            }
        }
        self.log.change(&config.log);
        let exported = self.export.apply(export, config.otlp.as_ref(), &self.proxy.view(), &self.control, &self.log);
        if let Err(error) = exported {
            tracing::error!("telemetry is not exported: {}", ExporterError::from(error));
        }
        let result = format!("the configuration was reloaded{}", postponed::note(&self.log, &self.config, config));
        if !loaded.warnings.is_empty() {
            tracing::warn!(event_id = Event::ConfigurationWarnings.id(), "{}", loaded.warnings);
        }
        self.history.record_applied(&loaded);
        let shared_limits = self.config.shared_limits.take();
        self.config = Config { shared_limits, ..loaded.config };
        self.watcher.watch(&self.config.files(&self.history.file)).await;
        self.log_addresses(&addresses, &admin_addresses);
        self.proxy.warm_up(&connectors);
        Ok(result)
    }

    /// Drains the proxy, or aborts open requests when told to stop again.
    async fn shut_down(mut self, mut signals: Signals) {
        let grace = self.config.shutdown_grace;
        tracing::info!(
            event_id = Event::Stopping.id(),
            "stopping: no new connections; open requests have {} s to finish",
            grace.as_secs()
        );
        self.manager.stopping(grace);
        self.control.publish(self.status(true));
        let abort = CancellationToken::new();
        let mut drained = std::pin::pin!(self.proxy.drain(grace, abort.clone()));
        loop {
            tokio::select! {
                () = &mut drained => break,
                signal = signals.next() => if signal == Signal::Stop { abort.cancel() },
                Some(command) = self.commands.recv() => match command {
                    Command::Stop => abort.cancel(),
                    Command::Reload(reply) => drop(reply.send(Err("bcproxy is stopping".to_owned()))),
                },
            }
        }
        if let Some(admin) = self.admin {
            admin.close().await;
        }
        tracing::info!(event_id = Event::Stopped.id(), "stopped");
        self.export.stop(&self.log).await;
    }

    /// Prepares the admin listener of another configuration. On error nothing changes.
    async fn next_admin(&mut self, settings: Option<&config::Admin>) -> Result<NextAdmin, AdminError> {
        let Some(settings) = settings else { return Ok(NextAdmin::Off) };
        let next = async {
            match &mut self.admin {
                Some(admin) => admin.prepare(settings).await.map(NextAdmin::Changed),
                None => Admin::start(settings, self.control.clone()).await.map(NextAdmin::New),
            }
        };
        self.admin_runtime.run_async(next).await
    }

    fn status(&self, is_stopping: bool) -> Status {
        let mut view = self.proxy.view();
        view.certificates.extend(self.admin.iter().flat_map(Admin::certificates));
        Status { view, history: self.history.clone(), is_stopping }
    }

    /// Logs the certificates of listeners that expire soon.
    fn warn_of_certificates(&self) {
        self.proxy.warn_of_certificates();
        let certificates = self.admin.iter().flat_map(Admin::certificates);
        for warning in certificates.filter_map(|certificate| certificate.expiry_warning()) {
            tracing::warn!(event_id = Event::CertificateExpires.id(), "{warning}");
        }
    }

    fn admin_addresses(&self) -> Vec<LocalAddress> {
        self.admin.iter().flat_map(Admin::addresses).collect()
    }

    /// Logs the addresses of all listeners that were not logged before.
    fn log_addresses(&self, logged: &[LocalAddress], logged_admin: &[LocalAddress]) {
        for address in self.proxy.addresses().iter().filter(|address| !logged.contains(address)) {
            tracing::info!("listening on {address}");
        }
        for address in self.admin_addresses().iter().filter(|address| !logged_admin.contains(address)) {
            let is_loopback = address.socket.ip().to_canonical().is_loopback();
            match AdminScope::new(is_loopback, address.scheme == Scheme::HTTPS) {
                AdminScope::ThisMachine | AdminScope::TokenHolders => tracing::info!("status page on {address}/"),
                AdminScope::Monitors => tracing::info!("metrics and health checks on {address}/metrics"),
            }
        }
    }

    fn summary(&self) -> String {
        let (routes, connectors) = (self.config.routes.len(), self.config.connectors.len());
        format!("serving {routes} routes with {connectors} connectors")
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often the log is told which connectors have become ready or are no longer.
const READINESS_INTERVAL: Duration = Duration::from_secs(5);

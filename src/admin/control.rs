//! What the admin listener and the service share: the status it shows, and the commands it passes on.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::doctor::{Doctor, DoctorError};
use super::history::History;
use super::liveness::Liveness;
use super::report::{serialize_path, serialize_time};
use crate::config::{Diagnostics, Loaded};
use crate::proxy::View;

/// The state of the service, as the admin listener shows it.
#[derive(Debug)]
pub struct Status {
    /// The proxy in service.
    pub view: View,
    /// The configuration in service and its reloads.
    pub history: ConfigHistory,
    /// Whether the service is draining.
    pub is_stopping: bool,
}

/// The configuration in service and what became of its reloads.
#[derive(Debug, Clone, Serialize)]
pub struct ConfigHistory {
    /// The configuration file.
    #[serde(serialize_with = "serialize_path")]
    pub file: PathBuf,
    /// Start of the process.
    #[serde(skip)]
    pub started_at: OffsetDateTime,
    /// When the configuration in service was loaded.
    #[serde(serialize_with = "serialize_time")]
    pub loaded_at: OffsetDateTime,
    /// Why the file on disk is not in service; `None` when it is.
    pub rejection: Option<String>,
    /// The file as it was then, without comments and secrets.
    #[serde(skip)]
    pub text: Arc<str>,
    /// What is allowed in that configuration but probably a mistake; `None` when there is nothing.
    pub warnings: Option<String>,
    /// Changed files put into service.
    pub reloads_applied: u64,
    /// Changed files rejected.
    pub reloads_rejected: u64,
}

impl ConfigHistory {
    /// The history at the start of the process, of what was loaded from `file`.
    pub fn new(file: PathBuf, loaded: &Loaded) -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            file,
            started_at: now,
            loaded_at: now,
            rejection: None,
            text: loaded.masked_text.as_str().into(),
            warnings: shown(&loaded.warnings),
            reloads_applied: 0,
            reloads_rejected: 0,
        }
    }

    /// Records that a changed file is in service.
    pub fn record_applied(&mut self, loaded: &Loaded) {
        (self.loaded_at, self.rejection) = (OffsetDateTime::now_utc(), None);
        (self.text, self.warnings) = (loaded.masked_text.as_str().into(), shown(&loaded.warnings));
        self.reloads_applied += 1;
    }

    /// Records that a changed file was rejected, and why.
    pub fn record_rejected(&mut self, reason: String) {
        self.rejection = Some(reason);
        self.reloads_rejected += 1;
    }
}

fn shown(warnings: &Diagnostics) -> Option<String> {
    (!warnings.is_empty()).then(|| warnings.to_string())
}

/// A command of an administrator to the service.
#[derive(Debug)]
pub enum Command {
    /// Reload the configuration and report the outcome; `Err` says why the configuration stays unchanged.
    Reload(oneshot::Sender<Result<String, String>>),
    /// Drain and stop; given twice, stop immediately.
    Stop,
}

/// The admin listener's side. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Control {
    status: Arc<ArcSwap<Status>>,
    commands: mpsc::Sender<Command>,
    data_path: Handle,
    liveness: Liveness,
    history: History,
    doctor: Doctor,
}

impl Control {
    /// A control with the first status to show, and the commands for the service to carry out. Watches the data path
    /// from the current runtime.
    pub fn new(status: Status, data_path: Handle) -> (Self, mpsc::Receiver<Command>) {
        let (commands, received) = mpsc::channel(MAX_PENDING_COMMANDS);
        let liveness = Liveness::watch(data_path.clone());
        let status = Arc::new(ArcSwap::from_pointee(status));
        let history = History::record(status.clone());
        (Self { status, commands, data_path, liveness, history, doctor: Doctor::default() }, received)
    }

    /// Whether the data path is alive.
    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// What the checks of `bcproxy doctor` find: about this connector, or about all.
    pub(super) async fn examine(&self, connector: Option<&str>) -> Result<String, DoctorError> {
        self.doctor.examine(connector, self).await
    }

    /// The last hour.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// Runs this where connections to Entra and Business Central are used. `None` when the runtime has ended.
    pub(super) async fn on_data_path<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        AbortOnDropHandle::new(self.data_path.spawn(work)).await.ok()
    }

    /// Runs this there on a thread of its own: for work that has to stay on one. Dropping the handle does not end it.
    pub(super) fn on_data_path_thread<T: Send + 'static, W: Future<Output = T>>(
        &self,
        work: impl FnOnce() -> W + Send + 'static,
    ) -> JoinHandle<T> {
        let handle = self.data_path.clone();
        self.data_path.spawn_blocking(move || handle.block_on(work()))
    }

    /// Replaces the status to show.
    pub fn publish(&self, status: Status) {
        self.status.store(Arc::new(status));
    }

    pub(super) fn status(&self) -> Arc<Status> {
        self.status.load_full()
    }

    /// Requests a reload and waits for its outcome.
    pub(super) async fn reload(&self) -> Result<String, String> {
        let (sender, outcome) = oneshot::channel();
        let sent = self.commands.send(Command::Reload(sender)).await;
        let stopping = || Err("bcproxy is stopping".to_owned());
        if sent.is_err() { stopping() } else { outcome.await.unwrap_or_else(|_| stopping()) }
    }

    pub(super) async fn stop(&self) {
        // A closed channel means that the service has stopped already.
        let _ = self.commands.send(Command::Stop).await;
    }
}

const MAX_PENDING_COMMANDS: usize = 16;

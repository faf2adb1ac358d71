//! The proxy in service: start, reload, warm-up and drain.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::budgets::Budgets;
use super::downstream::accept::accept;
use super::downstream::bind::{ListenerCertificate, ListenerError, LocalAddress};
use super::downstream::connection_limit::ConnectionLimit;
use super::downstream::inherited_sockets::InheritedSockets;
use super::downstream::listeners::Listeners;
use super::downstream::rejected_connections::RejectedConnections;
use super::downstream::serve::{Service, Stop};
use super::environment::assembly::{Assembled, AssemblyError};
use super::environment::connector::Connector;
use super::environment::readiness::Condition;
use super::environment::route::Route;
use super::observe::records::Records;
use super::request::authenticate::failures::Failures;
use super::request::authenticate::step::Authentication;
use super::request::thread_pool::ThreadPool;
use super::service::DataPath;
use super::snapshot::{Current, Snapshot};
use crate::config::Config;
use crate::guide::Event;
use crate::shared_store::SharedStore;
use crate::telemetry::otlp::Tracing;
use crate::tls::TlsError;
use crate::users::{Directory, UsersFile, UsersFileError};

/// A proxy in service. Dropping it ends it.
pub struct Proxy {
    assembled: Assembled,
    current: Current,
    connection_limit: ConnectionLimit,
    rejected_connections: RejectedConnections,
    budgets: Budgets,
    listeners: Listeners,
    stop: Stop,
    inspection_pool: ThreadPool,
    authentication: Authentication,
    tracing: Tracing,
}

/// What can be observed of a proxy in service.
#[derive(Debug, Clone)]
pub struct View {
    /// Its addresses, in the order of `listen`.
    pub addresses: Vec<LocalAddress>,
    /// The certificates that its listeners present.
    pub certificates: Vec<ListenerCertificate>,
    /// Each connector in its own environment, in the order of the file.
    pub connectors: Vec<Arc<Connector>>,
    /// In the order of the file.
    pub routes: Vec<Arc<Route>>,
    /// What is recorded of requests.
    pub records: Records,
    /// How many connections clients have and may have.
    pub connection_limit: ConnectionLimit,
    /// Connections that were rejected.
    pub rejected_connections: RejectedConnections,
    /// What clients make the proxy hold, and may make it hold.
    pub budgets: Budgets,
    /// Wrong credentials of clients.
    pub failures: Failures,
    /// Which requests are traced, and what became of what is exported.
    pub tracing: Tracing,
    /// The store by which replicas share the limits, if they do.
    pub shared_store: Option<SharedStore>,
}

/// Why the proxy can't start or reload.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be listened on.
    #[error(transparent)]
    Listener(#[from] ListenerError),
    /// The certificates to trust for the shared store can't be used.
    #[error("shared_limits: {0}")]
    SharedStore(#[from] TlsError),
    /// A connector can't be put into service.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// The file of users can't be used.
    #[error("users: the file {} {reason}", path.display())]
    Users {
        /// Where the file is.
        path: PathBuf,
        /// What is wrong with it.
        reason: UsersFileError,
    },
    /// The system has no randomness.
    #[error("the system has no random numbers")]
    NoRandomness,
}

/// The users of a configuration. Those in service stay if their file is unchanged, with what is remembered of them.
fn users(config: &Config, current: Option<&Arc<Directory>>) -> Result<Option<Arc<Directory>>, StartError> {
    let Some(path) = &config.users else { return Ok(None) };
    let file = UsersFile::read(path).map_err(|reason| StartError::Users { path: path.clone(), reason })?;
    if let Some(current) = current.filter(|current| current.is_of(&file)) {
        return Ok(Some(current.clone()));
    }
    Directory::new(&file).map(|directory| Some(Arc::new(directory))).map_err(|_| StartError::NoRandomness)
}

impl Proxy {
    /// Opens all listeners, starts fetching tokens, and serves. Entra and Business Central need not be reachable yet.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        Self::start_on(config, InheritedSockets::default()).await
    }

    /// The same, on inherited sockets where there are any for an address of `listen`.
    pub async fn start_on(config: &Config, held: InheritedSockets) -> Result<Self, StartError> {
        let store = match &config.shared_limits {
            Some(settings) => Some(SharedStore::start(settings).await?),
            None => None,
        };
        let assembled = Assembled::new(config, &Assembled::nothing(store))?;
        assembled.take_effect();
        let users = users(config, None)?;
        let tracing = Tracing::of(config.otlp.as_ref(), &Tracing::default());
        let current = Current::new(Snapshot::new(config, &assembled, users, tracing.tracer.clone()));
        let connection_limit = ConnectionLimit::new(config.max_connections);
        let rejected_connections = RejectedConnections::default();
        let budgets = Budgets::new(config);
        let stop = Stop::default();
        let inspection_pool = ThreadPool::for_this_machine();
        let authentication = Authentication { pool: ThreadPool::for_this_machine(), failures: Failures::default() };
        let (problems, ending) = (assembled.records.problems.clone(), stop.ending.clone());
        tokio::spawn(async move { problems.line_limit.summarize_until(&ending).await });
        let listeners = {
            let path =
                DataPath::new(current.clone(), authentication.clone(), budgets.disk.clone(), inspection_pool.clone());
            let (current, connection_limit) = (current.clone(), connection_limit.clone());
            let (memory, rejected) = (budgets.memory.clone(), rejected_connections.clone());
            Listeners::new("listen", held, stop.clone(), move |listener, terms, accepting, stop| {
                let (path, current, memory) = (path.clone(), current.clone(), memory.clone());
                let service = Service { path, current, memory, rejected: rejected.clone(), stop };
                tokio::spawn(accept(listener, terms, accepting, connection_limit.clone(), service))
            })
        };
        let mut proxy = Self {
            assembled,
            current,
            connection_limit,
            rejected_connections,
            budgets,
            listeners,
            stop,
            inspection_pool,
            authentication,
            tracing,
        };
        let prepared = proxy.listeners.prepare(&config.listen).await?;
        proxy.listeners.take_effect(prepared);
        Ok(proxy)
    }

    /// Replaces the configuration; on error nothing changes.
    ///
    /// Requests in flight finish with the previous one. Connectors whose settings are unchanged keep tokens, limiters
    /// and connections. Listeners
    /// in both configurations stay open.
    pub async fn reload(&mut self, config: &Config) -> Result<(), StartError> {
        let assembled = Assembled::new(config, &self.assembled)?;
        let users = users(config, self.current.snapshot().users.as_ref())?;
        let prepared = self.listeners.prepare(&config.listen).await?;
        assembled.take_effect();
        self.tracing = Tracing::of(config.otlp.as_ref(), &self.tracing);
        self.current.replace(Snapshot::new(config, &assembled, users, self.tracing.tracer.clone()));
        self.connection_limit.limit(config.max_connections);
        self.budgets.set_limits(config);
        self.assembled = assembled;
        self.listeners.take_effect(prepared);
        Ok(())
    }

    /// Its addresses, in the order of `listen`.
    pub fn addresses(&self) -> Vec<LocalAddress> {
        self.listeners.addresses().collect()
    }

    /// What can be observed of it now.
    pub fn view(&self) -> View {
        View {
            addresses: self.addresses(),
            certificates: self.listeners.certificates(),
            connectors: self.assembled.connectors.clone(),
            routes: self.assembled.routes.clone(),
            records: self.assembled.records.clone(),
            connection_limit: self.connection_limit.clone(),
            rejected_connections: self.rejected_connections.clone(),
            budgets: self.budgets.clone(),
            failures: self.authentication.failures.clone(),
            tracing: self.tracing.clone(),
            shared_store: self.assembled.shared_store().cloned(),
        }
    }

    /// Logs the certificates of listeners that expire soon.
    pub fn warn_of_certificates(&self) {
        for warning in self.listeners.certificates().iter().filter_map(ListenerCertificate::expiry_warning) {
            tracing::warn!(event_id = Event::CertificateExpires.id(), "{warning}");
        }
    }

    /// What inspects large bodies.
    pub fn inspection_pool(&self) -> &ThreadPool {
        &self.inspection_pool
    }

    /// Each connector in its own environment, in the order of the file.
    pub fn connectors(&self) -> &[Arc<Connector>] {
        &self.assembled.connectors
    }

    /// Fetches the token and the company of every connector, a few at a time, and logs which are ready; except
    /// connectors that are already `known`.
    ///
    /// Requests do not wait for this: they fetch what they need, and share it.
    pub fn warm_up(&self, known: &[Arc<Connector>]) {
        let permits = Arc::new(Semaphore::new(MAX_WARM_UPS));
        let known: HashSet<*const Connector> = known.iter().map(Arc::as_ptr).collect();
        for connector in self.connectors().iter().filter(|one| !known.contains(&Arc::as_ptr(one))) {
            let connector = connector.clone();
            let (permits, stop) = (permits.clone(), self.stop.draining.clone());
            tokio::spawn(async move {
                let warm_up = async {
                    let Ok(_permit) = permits.acquire().await else { return };
                    // Boxed so that those who wait for a permit hold no memory for it.
                    let condition = match Box::pin(connector.ready()).await {
                        Ok(company) => Condition::Ready(company),
                        Err(rejection) => Condition::NotReady(rejection),
                    };
                    connector.log_readiness(&condition);
                };
                stop.run_until_cancelled(warm_up).await;
            });
        }
    }

    /// Logs which connectors have become ready since the last call, and which are no longer.
    pub fn log_readiness(&self) {
        for connector in self.connectors() {
            connector.log_readiness(&connector.condition());
        }
    }

    /// Accepts no more connections, closes idle ones, and waits for requests in flight until `grace` is over or
    /// `at_once` is canceled.
    pub async fn drain(mut self, grace: Duration, at_once: CancellationToken) {
        self.listeners.release_stored();
        self.stop.draining.cancel();
        self.stop.connections.close();
        tokio::select! {
            () = self.stop.connections.wait() => {}
            () = tokio::time::sleep(grace) => {
                tracing::warn!(
                    event_id = Event::RequestsAborted.id(),
                    "shutdown.grace of {} s is over: aborting the requests still in flight",
                    grace.as_secs()
                );
            }
            () = at_once.cancelled() => {
                tracing::warn!(
                    event_id = Event::RequestsAborted.id(),
                    "stopping at once: aborting the requests in flight"
                );
            }
        }
        self.stop.ending.cancel();
        self.assembled.leave().await;
        self.assembled.records.problems.line_limit.summarize();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.draining.cancel();
        self.stop.ending.cancel();
    }
}

/// Enough to be quick with a thousand connectors, few enough not to be taken for an attack.
const MAX_WARM_UPS: usize = 16;

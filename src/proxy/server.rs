//! The proxy in service: start, reload, warm-up and drain.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::downstream::accept::{self, Stop};
use super::downstream::bind::{ListenerError, LocalAddress};
use super::downstream::client::BacklogBudget;
use super::downstream::connection_limit::ConnectionLimit;
use super::downstream::listeners::{InheritedSockets, Listeners};
use super::environment::assembly::{Assembled, AssemblyError};
use super::environment::connector::Connector;
use super::environment::readiness::Ready;
use super::environment::route::Route;
use super::observe::problems::Problems;
use super::observe::tally::Tally;
use super::service;
use super::snapshot::{Current, Snapshot};
use crate::config::Config;

/// A proxy in service. Dropping it ends it.
pub struct Proxy {
    assembled: Assembled,
    current: Current,
    connection_limit: ConnectionLimit,
    listeners: Listeners,
    stop: Stop,
}

/// What can be seen of a proxy in service.
#[derive(Debug, Clone)]
pub struct View {
    /// Where it listens, in the order of `listen`.
    pub addresses: Vec<LocalAddress>,
    /// Each connector in its own environment, in the order of the file.
    pub connectors: Vec<Arc<Connector>>,
    /// In the order of the file.
    pub routes: Vec<Arc<Route>>,
    /// Counts the requests no route is for.
    pub unrouted: Arc<Tally>,
    pub problems: Arc<Problems>,
    pub connection_limit: ConnectionLimit,
}

/// Why the proxy can't start, or can't change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Listener(#[from] ListenerError),
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
}

impl Proxy {
    /// Opens all doors, starts fetching tokens, and serves. Entra and Business Central need not be reachable yet.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        Self::start_on(config, InheritedSockets::default()).await
    }

    /// The same, on sockets that are open already where there are any for an address of `listen`.
    pub async fn start_on(config: &Config, held: InheritedSockets) -> Result<Self, StartError> {
        let assembled = Assembled::new(config, &Assembled::default())?;
        assembled.take_effect();
        let current = Current::new(Snapshot::new(config, &assembled));
        let connection_limit = ConnectionLimit::new(config.max_connections);
        let stop = Stop::default();
        let listeners = {
            let (steps, current, connection_limit) =
                (service::steps(current.clone()), current.clone(), connection_limit.clone());
            let room = BacklogBudget::default();
            Listeners::new(held, stop.clone(), move |listener, tls, accepting, stop| {
                let service =
                    accept::Service { steps: steps.clone(), current: current.clone(), room: room.clone(), stop };
                tokio::spawn(accept::accept(listener, tls, accepting, connection_limit.clone(), service))
            })
        };
        let mut proxy = Self { assembled, current, connection_limit, listeners, stop };
        let prepared = proxy.listeners.prepare(&config.listen).await?;
        proxy.listeners.take_effect(prepared);
        Ok(proxy)
    }

    /// Serves another configuration from now on; on error nothing has changed.
    ///
    /// Requests under way finish on the one before. Connectors whose settings are the same keep tokens, gates and connections; doors
    /// that are in both stay open.
    pub async fn reload(&mut self, config: &Config) -> Result<(), StartError> {
        let assembled = Assembled::new(config, &self.assembled)?;
        let prepared = self.listeners.prepare(&config.listen).await?;
        assembled.take_effect();
        self.current.replace(Snapshot::new(config, &assembled));
        self.connection_limit.limit(config.max_connections);
        self.assembled = assembled;
        self.listeners.take_effect(prepared);
        Ok(())
    }

    /// Where it listens, in the order of `listen`.
    pub fn addresses(&self) -> Vec<LocalAddress> {
        self.listeners.addresses().collect()
    }

    pub fn view(&self) -> View {
        View {
            addresses: self.addresses(),
            connectors: self.assembled.connectors.clone(),
            routes: self.assembled.routes.clone(),
            unrouted: self.assembled.unrouted.clone(),
            problems: self.assembled.problems.clone(),
            connection_limit: self.connection_limit.clone(),
        }
    }

    /// Each connector in its own environment, in the order of the file.
    pub fn connectors(&self) -> &[Arc<Connector>] {
        &self.assembled.connectors
    }

    /// Fetches every connector's token and company now, a few at a time, and logs who is ready and who is not; but for connectors that
    /// are `known` already.
    ///
    /// Requests need not wait for it: they fetch what they need themselves, together with it.
    pub fn warm_up(&self, known: &[Arc<Connector>]) {
        let permits = Arc::new(Semaphore::new(MAX_WARM_UPS));
        let known: HashSet<*const Connector> = known.iter().map(Arc::as_ptr).collect();
        for connector in self.connectors().iter().filter(|one| !known.contains(&Arc::as_ptr(one))).cloned() {
            let (permits, stop) = (permits.clone(), self.stop.draining.clone());
            tokio::spawn(async move {
                let warm_up = async {
                    let Ok(_permit) = permits.acquire().await else { return };
                    let name = connector.settings.name.as_str();
                    match connector.ready().await {
                        Ok(Ready { company: Some(company), .. }) => {
                            tracing::info!(connector = name, company = company.name.as_str(), id = %company.id, "connector is ready");
                        }
                        Ok(Ready { company: None, .. }) => tracing::info!(connector = name, "connector is ready"),
                        Err(rejection) => {
                            tracing::warn!(connector = name, "connector is not ready: {}", rejection.message)
                        }
                    }
                };
                tokio::select! {
                    () = warm_up => {}
                    () = stop.cancelled() => {}
                }
            });
        }
    }

    /// Accepts nothing more, closes idle connections, and waits until everything under way is answered or `grace` is over or
    /// `at_once` says so.
    pub async fn drain(self, grace: Duration, at_once: CancellationToken) {
        self.stop.draining.cancel();
        self.stop.connections.close();
        tokio::select! {
            () = self.stop.connections.wait() => {}
            () = tokio::time::sleep(grace) => tracing::warn!("requests still under way after {} s are cut off", grace.as_secs()),
            () = at_once.cancelled() => tracing::warn!("stopped at once; requests under way are cut off"),
        }
        self.stop.ending.cancel();
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

//! The data path: one file per step, and what the steps share.
//!
//! ```text
//! listener → guard → route → admission → inspect → authorize → attempts → forward → upstream
//!     ↑                                                                      ↓
//!     └─────────────────────────────── response ←────────────────────────────┘
//! ```
//!
//! [`service`] puts the steps together.

mod access_log;
mod actions;
mod admission;
mod answer_body;
mod attempts;
mod authorize;
mod client;
mod company_choice;
mod credentials;
mod destination;
mod door;
mod exchange;
pub mod explain;
mod forward;
mod gate;
mod guard;
mod gunzip;
mod headers;
mod hint;
mod idle;
mod inside;
mod inspect;
mod judge_batch;
mod judge_body;
mod judge_subscription;
mod links;
mod listener;
mod look_up;
mod refusal;
mod request_body;
mod response;
mod retry;
pub mod rewrite;
mod route;
mod route_table;
mod service;
mod shared_socket;
mod step;
mod suspicion;
mod treatment;
mod upstream;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use destination::Gates;
pub use destination::{Destination, Ready, Route};
use door::Door;
pub use door::{BindError, DoorError, LocalAddress, bind};
pub use exchange::Exchange;
use gate::Gate;
pub use refusal::Refusal;
use route::Routes;
pub use route_table::RouteTable;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use upstream::Upstream;
pub use upstream::{PlainClientError, plain_client};

use crate::business_central::EnvironmentName;
use crate::config::{Config, Connector, Limits, Timeouts};
use crate::entra::{Application, ClientId, TenantId, TokenCache, TokenEndpoint};
use crate::https_url::HttpsUrl;
use crate::tls::TlsError;

/// A proxy in service. Dropping it ends it.
#[derive(Debug)]
pub struct Proxy {
    addresses: Vec<LocalAddress>,
    connectors: Vec<Arc<Destination>>,
    stop: listener::Stop,
}

/// Why the proxy can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Door(#[from] DoorError),
    #[error("connector `{connector}`: {reason}")]
    Trust { connector: String, reason: TlsError },
    #[error("connector `{connector}`: {reason}")]
    Client { connector: String, reason: PlainClientError },
}

impl Proxy {
    /// Opens all doors, starts fetching tokens, and serves. Entra and Business Central need not be reachable yet.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let mut assembly = Assembly::default();
        let mut routes = Vec::with_capacity(config.routes.len());
        for settings in &config.routes {
            let destination = assembly.destination(&settings.connector, &settings.environment)?;
            routes.push(Arc::new(Route::new(settings.clone(), destination)));
        }
        let mut connectors = Vec::with_capacity(config.connectors.len());
        for connector in &config.connectors {
            connectors.push(assembly.destination(connector, &connector.environment)?);
        }

        let mut doors = Vec::with_capacity(config.listen.len());
        for listener in &config.listen {
            doors.push(Door::open(listener, &config.listen).await?);
        }
        let addresses = doors.iter().filter_map(|door| door.address().ok()).collect();
        let stop = listener::Stop::default();
        let steps = service::steps(Routes::new(routes), config.public_url.clone());
        for door in doors {
            tokio::spawn(listener::accept(door, steps.clone(), stop.clone()));
        }
        Ok(Self { addresses, connectors, stop })
    }

    /// Where it listens, in the order of `listen`.
    pub fn addresses(&self) -> &[LocalAddress] {
        &self.addresses
    }

    /// Each connector in its own environment, in the order of the file.
    pub fn connectors(&self) -> &[Arc<Destination>] {
        &self.connectors
    }

    /// Fetches every connector's token and company now, a few at a time, and logs who is ready and who is not.
    ///
    /// Requests need not wait for it: they fetch what they need themselves, together with it.
    pub fn warm_up(&self) {
        let places = Arc::new(Semaphore::new(WARM_UPS_AT_ONCE));
        for destination in self.connectors.iter().cloned() {
            let (places, stop) = (places.clone(), self.stop.draining.clone());
            tokio::spawn(async move {
                let warm_up = async {
                    let Ok(_place) = places.acquire().await else { return };
                    let connector = destination.connector.name.as_str();
                    match destination.ready().await {
                        Ok(Ready { company: Some(company), .. }) => {
                            tracing::info!(connector, company = company.name.as_str(), id = %company.id, "connector is ready");
                        }
                        Ok(Ready { company: None, .. }) => tracing::info!(connector, "connector is ready"),
                        Err(refusal) => tracing::warn!(connector, "connector is not ready: {}", refusal.message),
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
const WARM_UPS_AT_ONCE: usize = 16;

/// Whom Business Central limits: an application in an environment, or, for SOAP calls, the environment.
#[derive(PartialEq, Eq, Hash)]
struct GateKey {
    base_url: HttpsUrl,
    tenant: TenantId,
    /// In small letters.
    environment: String,
    client: Option<ClientId>,
}

/// What connectors and routes share while they are put together: one of each kind for each set of settings that asks for the same.
#[derive(Default)]
struct Assembly {
    plain_clients: HashMap<(Option<PathBuf>, Duration), reqwest::Client>,
    upstreams: HashMap<(String, Option<PathBuf>, Duration, Duration), Upstream>,
    gates: HashMap<GateKey, Gate>,
    tokens: HashMap<(Application, Option<PathBuf>, Duration), Arc<TokenCache>>,
    destinations: HashMap<(String, String), Arc<Destination>>,
}

impl Assembly {
    fn destination(
        &mut self,
        connector: &Arc<Connector>,
        environment: &EnvironmentName,
    ) -> Result<Arc<Destination>, StartError> {
        // Business Central takes an environment's name in any case.
        let key = (connector.name.clone(), environment.as_str().to_ascii_lowercase());
        if let Some(destination) = self.destinations.get(&key) {
            return Ok(destination.clone());
        }
        let http = self.plain_client(connector)?;
        let upstream = self.upstream(connector)?;
        let gates = self.gates(connector, environment);
        let tokens = self.tokens(connector, http.clone());
        let destination = Arc::new(Destination::new(connector.clone(), environment, tokens, upstream, gates, http));
        self.destinations.insert(key, destination.clone());
        Ok(destination)
    }

    fn plain_client(&mut self, connector: &Connector) -> Result<reqwest::Client, StartError> {
        let key = (connector.ca_file.clone(), connector.timeouts.connect);
        if let Some(client) = self.plain_clients.get(&key) {
            return Ok(client.clone());
        }
        let client = upstream::plain_client(connector.ca_file.as_deref(), connector.timeouts.connect)
            .map_err(|reason| StartError::Client { connector: connector.name.clone(), reason })?;
        self.plain_clients.insert(key, client.clone());
        Ok(client)
    }

    fn upstream(&mut self, connector: &Connector) -> Result<Upstream, StartError> {
        let Timeouts { connect, pool_idle, .. } = connector.timeouts;
        let key = (connector.base_url.authority().to_owned(), connector.ca_file.clone(), connect, pool_idle);
        if let Some(upstream) = self.upstreams.get(&key) {
            return Ok(upstream.clone());
        }
        let upstream = Upstream::new(&connector.base_url, connector.ca_file.as_deref(), connect, pool_idle)
            .map_err(|reason| StartError::Trust { connector: connector.name.clone(), reason })?;
        self.upstreams.insert(key, upstream.clone());
        Ok(upstream)
    }

    fn gates(&mut self, connector: &Connector, environment: &EnvironmentName) -> Gates {
        let key = |client: Option<ClientId>| GateKey {
            base_url: connector.base_url.clone(),
            tenant: connector.application.tenant_id.clone(),
            environment: environment.as_str().to_ascii_lowercase(),
            client,
        };
        let keys = (key(Some(connector.application.client_id)), key(None));
        let Some(limits) = &connector.limits else { return Gates::default() };
        Gates { requests: Some(self.gate(keys.0, limits)), soap: Some(self.gate(keys.1, limits)) }
    }

    fn gate(&mut self, key: GateKey, limits: &Limits) -> Gate {
        let gate = self.gates.entry(key).or_insert_with(|| Gate::new(*limits)).clone();
        gate.tighten(limits);
        gate
    }

    fn tokens(&mut self, connector: &Connector, http: reqwest::Client) -> Arc<TokenCache> {
        let timeout = connector.timeouts.token;
        let key = (connector.application.clone(), connector.ca_file.clone(), timeout);
        let start = || {
            let endpoint = TokenEndpoint::new(http, connector.application.clone(), timeout);
            Arc::new(TokenCache::start(endpoint))
        };
        self.tokens.entry(key).or_insert_with(start).clone()
    }
}

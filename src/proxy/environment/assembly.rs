//! Puts connectors and routes together from their settings, and what the configuration before left.
//!
//! Whatever costs something to have (tokens, gates, connections, lists of companies) is kept by the settings that ask for it: a
//! reload makes anew only what these settings change.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::application_pool::{Member, Pool};
use super::connector::{Destination, Route};
use crate::business_central::EnvironmentName;
use crate::config::{Config, Connector, Limits, Timeouts};
use crate::entra::{Application, ClientId, TenantId, TokenCache, TokenEndpoint};
use crate::outbound::{HttpClient, HttpsUrl, OutboundError, OutboundProxy};
use crate::proxy::cache::Changes;
use crate::proxy::dispatch::limiter::Gate;
use crate::proxy::dispatch::upstream::Upstream;
use crate::proxy::observe::problems::Problems;
use crate::proxy::observe::tally::Tally;

/// Why a connector can't be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    #[error("connector `{connector}`: {reason}")]
    Outbound { connector: String, reason: OutboundError },
}

/// All connectors and routes of one configuration, and what they share.
#[derive(Default)]
pub struct Assembled {
    /// In the order of the file.
    pub routes: Vec<Arc<Route>>,
    /// Each connector in its own environment, in the order of the file.
    pub connectors: Vec<Arc<Destination>>,
    /// Counts the requests no route is for.
    pub unrouted: Arc<Tally>,
    pub problems: Arc<Problems>,
    shared: Shared,
}

/// One of each kind for each set of settings that asks for the same.
#[derive(Default)]
struct Shared {
    token_turns: TokenTurns,
    plain_clients: HashMap<(CaFile, OutboundProxy, Duration), HttpClient>,
    upstreams: HashMap<(String, CaFile, OutboundProxy, Duration, Duration), Upstream>,
    gates: HashMap<GateKey, (Gate, Limits)>,
    /// Gates from before, through which nobody is led any more because their limits are off.
    lifted: HashMap<GateKey, Gate>,
    changes: HashMap<Place, Arc<Changes>>,
    tokens: HashMap<(Application, CaFile, OutboundProxy, Duration), Arc<TokenCache>>,
    destinations: HashMap<(String, String), Arc<Destination>>,
}

/// How many tokens are asked for at a time, besides those that requests wait for. Clones share them.
#[derive(Clone)]
struct TokenTurns(Arc<Semaphore>);

impl Default for TokenTurns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TOKENS_AT_ONCE)))
    }
}

/// Enough to be quick with a thousand connectors, few enough not to be taken for an attack.
const TOKENS_AT_ONCE: usize = 16;

/// A connector's own certificates as they were read: another content is another trust.
type CaFile = Option<(PathBuf, Arc<[u8]>)>;

/// An environment, whoever leads to it.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    base_url: HttpsUrl,
    tenant: TenantId,
    /// In small letters: Business Central takes an environment's name in any case.
    environment: String,
}

/// Whom Business Central limits: an application in an environment, or, for SOAP calls, the environment.
#[derive(PartialEq, Eq, Hash)]
struct GateKey {
    place: Place,
    client: Option<ClientId>,
}

impl Place {
    fn of(connector: &Connector, environment: &EnvironmentName) -> Self {
        Self {
            base_url: connector.base_url.clone(),
            tenant: connector.application.tenant_id.clone(),
            environment: environment.as_str().to_ascii_lowercase(),
        }
    }
}

impl Assembled {
    /// Puts a configuration together from what `before` left. Nothing in service changes until this one [takes
    /// effect](Self::take_effect).
    pub fn new(config: &Config, before: &Self) -> Result<Self, AssemblyError> {
        let now = Shared { token_turns: before.shared.token_turns.clone(), ..Shared::default() };
        let mut assembly = Assembly { before: &before.shared, now, ca_files: HashMap::new() };
        let known: HashMap<&str, &Arc<Route>> =
            before.routes.iter().map(|route| (route.settings.path.as_str(), route)).collect();
        let mut routes = Vec::with_capacity(config.routes.len());
        for settings in &config.routes {
            let destination = assembly.destination(&settings.connector, &settings.environment)?;
            let known = known.get(settings.path.as_str());
            let is_same =
                |route: &&&Arc<Route>| Arc::ptr_eq(&route.destination, &destination) && route.settings == *settings;
            routes.push(match known.filter(is_same) {
                Some(route) => Arc::clone(route),
                // What was counted goes on being counted, wherever the path leads now.
                None => {
                    let tally = known.map(|route| route.tally.clone()).unwrap_or_default();
                    Arc::new(Route::new(settings.clone(), destination, tally))
                }
            });
        }
        let mut connectors = Vec::with_capacity(config.connectors.len());
        for connector in &config.connectors {
            connectors.push(assembly.destination(connector, &connector.environment)?);
        }
        let (unrouted, problems) = (before.unrouted.clone(), before.problems.clone());
        Ok(Self { routes, connectors, unrouted, problems, shared: assembly.now })
    }

    /// Sets the limits of gates that were there before or lifts them, and has changes matter where a route keeps answers.
    pub fn take_effect(&self) {
        for (gate, limits) in self.shared.gates.values() {
            gate.limit(*limits);
        }
        for (_, gate) in self.shared.lifted.iter().filter(|(key, _)| !self.shared.gates.contains_key(key)) {
            gate.lift();
        }
        let keeping = self.routes.iter().filter(|route| route.settings.cache.is_some());
        let kept_of: HashSet<*const Changes> = keeping.map(|route| Arc::as_ptr(&route.destination.changes)).collect();
        for changes in self.shared.changes.values() {
            changes.matter_now(kept_of.contains(&Arc::as_ptr(changes)));
        }
    }
}

/// The work in progress.
struct Assembly<'b> {
    before: &'b Shared,
    now: Shared,
    /// Each is read once.
    ca_files: HashMap<PathBuf, Arc<[u8]>>,
}

impl Assembly<'_> {
    fn destination(
        &mut self,
        connector: &Arc<Connector>,
        environment: &EnvironmentName,
    ) -> Result<Arc<Destination>, AssemblyError> {
        // Business Central takes an environment's name in any case.
        let key = (connector.name.clone(), environment.as_str().to_ascii_lowercase());
        if let Some(destination) = self.now.destinations.get(&key) {
            return Ok(destination.clone());
        }
        let ca_file = self.ca_file(connector);
        let http = self.plain_client(connector, &ca_file)?;
        let upstream = self.upstream(connector, &ca_file)?;
        let soap_gate = self.gate(connector, environment, None);
        let mut member = |application: &Application| Member {
            client_id: application.client_id,
            tokens: self.tokens(connector, application, ca_file.clone(), http.clone()),
            gate: self.gate(connector, environment, Some(application.client_id)),
        };
        let first = member(&connector.application);
        let others: Vec<Member> = connector.other_applications.iter().map(member).collect();
        let pool = Pool::new(first, others);
        let changes = self.changes(connector, environment);
        let before = self.before.destinations.get(&key);
        let destination = match before.filter(|before| before.is_made_of(connector, environment, &pool, &upstream)) {
            Some(before) => before.clone(),
            None => {
                Arc::new(Destination::new(connector.clone(), environment, pool, upstream, soap_gate, changes, http))
            }
        };
        self.now.destinations.insert(key, destination.clone());
        Ok(destination)
    }

    /// One that can't be read is reported by those who use it.
    fn ca_file(&mut self, connector: &Connector) -> CaFile {
        let path = connector.ca_file.as_ref()?;
        let read = || std::fs::read(path).unwrap_or_default().into();
        Some((path.clone(), self.ca_files.entry(path.clone()).or_insert_with(read).clone()))
    }

    fn plain_client(&mut self, connector: &Connector, ca_file: &CaFile) -> Result<HttpClient, AssemblyError> {
        let (connect, proxy) = (connector.timeouts.connect, &connector.outbound_proxy);
        let key = (ca_file.clone(), proxy.clone(), connect);
        kept(&self.before.plain_clients, &mut self.now.plain_clients, key, || {
            HttpClient::new(connector.ca_file.as_deref(), proxy, connect)
                .map_err(|reason| AssemblyError::Outbound { connector: connector.name.clone(), reason })
        })
    }

    fn upstream(&mut self, connector: &Connector, ca_file: &CaFile) -> Result<Upstream, AssemblyError> {
        let Timeouts { connect, pool_idle, .. } = connector.timeouts;
        let proxy = &connector.outbound_proxy;
        let key = (connector.base_url.authority().to_owned(), ca_file.clone(), proxy.clone(), connect, pool_idle);
        kept(&self.before.upstreams, &mut self.now.upstreams, key, || {
            Upstream::new(&connector.base_url, connector.ca_file.as_deref(), proxy, connect, pool_idle)
                .map_err(|reason| AssemblyError::Outbound { connector: connector.name.clone(), reason })
        })
    }

    /// `client`: none for SOAP calls. Where several connectors lead through one gate, the smaller one of each limit holds.
    fn gate(&mut self, connector: &Connector, environment: &EnvironmentName, client: Option<ClientId>) -> Option<Gate> {
        let key = GateKey { place: Place::of(connector, environment), client };
        let Some(limits) = &connector.limits else {
            if let Some((gate, _)) = self.before.gates.get(&key) {
                self.now.lifted.insert(key, gate.clone());
            }
            return None;
        };
        if let Some((gate, tightest)) = self.now.gates.get_mut(&key) {
            *tightest = tightest.tightest(limits);
            return Some(gate.clone());
        }
        let gate = self.before.gates.get(&key).map_or_else(|| Gate::new(*limits), |(gate, _)| gate.clone());
        self.now.gates.insert(key, (gate.clone(), *limits));
        Some(gate)
    }

    fn changes(&mut self, connector: &Connector, environment: &EnvironmentName) -> Arc<Changes> {
        let place = Place::of(connector, environment);
        let Ok(changes) =
            kept(&self.before.changes, &mut self.now.changes, place, || Ok::<_, Infallible>(Arc::default()));
        changes
    }

    fn tokens(
        &mut self,
        connector: &Connector,
        application: &Application,
        ca_file: CaFile,
        http: HttpClient,
    ) -> Arc<TokenCache> {
        let timeout = connector.timeouts.token;
        let key = (application.clone(), ca_file, connector.outbound_proxy.clone(), timeout);
        let turns = self.now.token_turns.0.clone();
        let start = || {
            let endpoint = TokenEndpoint::new(http, application.clone(), timeout);
            Ok::<_, Infallible>(Arc::new(TokenCache::start(endpoint, turns)))
        };
        let Ok(tokens) = kept(&self.before.tokens, &mut self.now.tokens, key, start);
        tokens
    }
}

/// What there is for this key, now or from before, or else a new one.
fn kept<K: Eq + Hash, V: Clone, E>(
    before: &HashMap<K, V>,
    now: &mut HashMap<K, V>,
    key: K,
    make: impl FnOnce() -> Result<V, E>,
) -> Result<V, E> {
    if let Some(value) = now.get(&key) {
        return Ok(value.clone());
    }
    let value = before.get(&key).cloned().map_or_else(make, Ok)?;
    now.insert(key, value.clone());
    Ok(value)
}

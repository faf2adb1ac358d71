//! Assembly: connectors and routes are made from their settings and from what the previous configuration left.
//!
//! Whatever is costly to have (tokens, limiters, connections, company lists) is looked up by its settings and reused. A
//! reload makes anew only what its settings change.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::application_pool::{ApplicationPool, AwaitingToken, Member};
use super::changes::{Changes, SharedChanges};
use super::connector::Connector;
use super::environment_key::{EnvironmentKey, LimiterKey, limiter_key};
use super::route::Route;
use crate::business_central::EnvironmentName;
use crate::config::{self, Config, Limits, Timeouts};
use crate::entra::{Application, ClientId, TokenCache, TokenEndpoint};
use crate::outbound::{HttpClient, OutboundError, OutboundProxy};
use crate::proxy::limiter::{Limiter, Scope};
use crate::proxy::observe::records::Records;
use crate::proxy::upstream::Upstream;
use crate::shared_store::SharedStore;

/// Why a connector can't be assembled.
#[derive(Debug, thiserror::Error)]
#[error("connector `{connector}`: {reason}")]
pub struct AssemblyError {
    /// The connector's name.
    connector: String,
    /// Why its connections can't be made as configured.
    reason: OutboundError,
}

/// All connectors and routes of one configuration, and what they share.
#[derive(Default)]
pub struct Assembled {
    /// In the order of the file.
    pub routes: Vec<Arc<Route>>,
    /// Each connector in its own environment, in the order of the file.
    pub connectors: Vec<Arc<Connector>>,
    pub records: Records,
    shared: Shared,
}

/// Shared parts: one for each distinct set of settings.
#[derive(Default)]
struct Shared {
    token_requests: TokenRequests,
    /// Where other replicas share the limits.
    store: Option<SharedStore>,
    shared_changes: Option<SharedChanges>,
    plain_clients: HashMap<(CaFile, OutboundProxy, Duration), HttpClient>,
    upstreams: HashMap<(String, CaFile, OutboundProxy, Duration, Duration), Upstream>,
    limiters: HashMap<LimiterKey, (Limiter, Limits)>,
    /// Limiters of the previous configuration whose limits are now off.
    unlimited: HashMap<LimiterKey, Limiter>,
    changes: HashMap<EnvironmentKey, Arc<Changes>>,
    tokens: HashMap<(Application, CaFile, OutboundProxy, Duration), Arc<TokenCache>>,
    connectors: HashMap<(String, String), Arc<Connector>>,
}

/// Bounds background token requests in flight. Clones share the bound.
#[derive(Clone)]
struct TokenRequests(Arc<Semaphore>);

impl Default for TokenRequests {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_TOKEN_REQUESTS)))
    }
}

/// Enough to be quick with a thousand connectors, few enough not to be taken for an attack.
const MAX_TOKEN_REQUESTS: usize = 16;

/// A connector's own authorities as they were read: other content is other trust.
type CaFile = Option<(PathBuf, Arc<[u8]>)>;

impl Assembled {
    /// Nothing yet, of a replica that shares the limits with others.
    pub fn nothing(store: Option<SharedStore>) -> Self {
        let shared_changes = store.clone().map(SharedChanges::start);
        Self { shared: Shared { store, shared_changes, ..Shared::default() }, ..Self::default() }
    }

    /// The store by which replicas share the limits.
    pub fn shared_store(&self) -> Option<&SharedStore> {
        self.shared.store.as_ref()
    }

    /// Assembles a configuration, reusing what `before` left. Nothing in service changes until it [takes
    /// effect](Self::take_effect).
    pub fn new(config: &Config, before: &Self) -> Result<Self, AssemblyError> {
        let now = Shared {
            token_requests: before.shared.token_requests.clone(),
            store: before.shared.store.clone(),
            shared_changes: before.shared.shared_changes.clone(),
            ..Shared::default()
        };
        let mut assembly = Assembly { before: &before.shared, now, ca_files: HashMap::new() };
        let known: HashMap<&str, &Arc<Route>> =
            before.routes.iter().map(|route| (route.settings.path.as_str(), route)).collect();
        let mut routes = Vec::with_capacity(config.routes.len());
        for settings in &config.routes {
            let connector = assembly.connector(&settings.connector, &settings.environment)?;
            let known = known.get(settings.path.as_str());
            let is_same =
                |route: &&&Arc<Route>| Arc::ptr_eq(&route.connector, &connector) && route.settings == *settings;
            routes.push(match known.filter(is_same) {
                Some(route) => Arc::clone(route),
                // Counts belong to the path and survive the reload.
                None => {
                    let tally = known.map(|route| route.tally.clone()).unwrap_or_default();
                    Arc::new(Route::new(settings.clone(), connector, tally))
                }
            });
        }
        let mut connectors = Vec::with_capacity(config.connectors.len());
        for connector in &config.connectors {
            connectors.push(assembly.connector(connector, &connector.environment)?);
        }
        Ok(Self { routes, connectors, records: before.records.clone(), shared: assembly.now })
    }

    /// Tells the other replicas that this one makes no more requests.
    pub async fn leave(&self) {
        if let Some(changes) = &self.shared.shared_changes {
            changes.leave().await;
        }
        if let Some(store) = &self.shared.store {
            store.leave().await;
        }
    }

    /// Applies changed limits to limiters in service, and starts or stops counting writes where a route has a cache.
    pub fn take_effect(&self) {
        for (limiter, limits) in self.shared.limiters.values() {
            limiter.set_limits(*limits);
        }
        for (_, limiter) in self.shared.unlimited.iter().filter(|(key, _)| !self.shared.limiters.contains_key(key)) {
            limiter.remove_limits();
        }
        let keeping = self.routes.iter().filter(|route| route.settings.cache.is_some());
        let cached_for: HashSet<*const Changes> = keeping.map(|route| Arc::as_ptr(&route.connector.changes)).collect();
        for changes in self.shared.changes.values() {
            changes.set_tracked(cached_for.contains(&Arc::as_ptr(changes)));
        }
    }
}

/// An assembly in progress.
struct Assembly<'b> {
    before: &'b Shared,
    now: Shared,
    /// Each file is read once.
    ca_files: HashMap<PathBuf, Arc<[u8]>>,
}

impl Assembly<'_> {
    fn connector(
        &mut self,
        connector: &Arc<config::Connector>,
        environment: &EnvironmentName,
    ) -> Result<Arc<Connector>, AssemblyError> {
        // Business Central ignores the case of an environment's name.
        let key = (connector.name.clone(), environment.as_str().to_ascii_lowercase());
        if let Some(connector) = self.now.connectors.get(&key) {
            return Ok(connector.clone());
        }
        let ca_file = self.ca_file(connector);
        let http = self.plain_client(connector, &ca_file)?;
        let upstream = self.upstream(connector, &ca_file)?;
        let mut member = |application: &Application| Member {
            client_id: application.client_id,
            is_dedicated: connector.dedicated.contains(&application.client_id),
            tokens: self.tokens(connector, application, ca_file.clone(), http.clone()),
            limiter: self.limiter(connector, environment, application.client_id, false),
            soap_limiter: self.limiter(connector, environment, application.client_id, true),
            awaiting_token: AwaitingToken::default(),
        };
        let first = member(&connector.application);
        let others: Vec<Member> = connector.other_applications.iter().map(member).collect();
        let pool = ApplicationPool::new(first, others);
        let changes = self.changes(connector, environment);
        let before = self.before.connectors.get(&key);
        let connector = match before.filter(|before| before.is_made_of(connector, environment, &pool, &upstream)) {
            Some(before) => before.clone(),
            None => Arc::new(Connector::new(connector.clone(), environment, pool, upstream, changes, http)),
        };
        self.now.connectors.insert(key, connector.clone());
        Ok(connector)
    }

    /// A file that can't be read is reported by whatever uses it.
    fn ca_file(&mut self, connector: &config::Connector) -> CaFile {
        let path = connector.ca_file.as_ref()?;
        let read = || std::fs::read(path).unwrap_or_default().into();
        Some((path.clone(), self.ca_files.entry(path.clone()).or_insert_with(read).clone()))
    }

    fn plain_client(&mut self, connector: &config::Connector, ca_file: &CaFile) -> Result<HttpClient, AssemblyError> {
        let (connect, proxy) = (connector.timeouts.connect, &connector.outbound_proxy);
        let key = (ca_file.clone(), proxy.clone(), connect);
        reuse_or_make(&self.before.plain_clients, &mut self.now.plain_clients, key, |_| {
            HttpClient::new(connector.ca_file.as_deref(), proxy, connect)
                .map_err(|reason| AssemblyError { connector: connector.name.clone(), reason })
        })
    }

    fn upstream(&mut self, connector: &config::Connector, ca_file: &CaFile) -> Result<Upstream, AssemblyError> {
        let Timeouts { connect, pool_idle, .. } = connector.timeouts;
        let proxy = &connector.outbound_proxy;
        let key = (connector.base_url.authority().to_owned(), ca_file.clone(), proxy.clone(), connect, pool_idle);
        reuse_or_make(&self.before.upstreams, &mut self.now.upstreams, key, |_| {
            Upstream::new(&connector.base_url, connector.ca_file.as_deref(), proxy, connect, pool_idle)
                .map_err(|reason| AssemblyError { connector: connector.name.clone(), reason })
        })
    }

    /// The limiter of an application. Where several connectors share it, the smaller of each limit applies.
    fn limiter(
        &mut self,
        connector: &config::Connector,
        environment: &EnvironmentName,
        application: ClientId,
        is_soap: bool,
    ) -> Option<Limiter> {
        let key = (EnvironmentKey::of(connector, environment), (!is_soap).then_some(application));
        let Some(limits) = &connector.limits else {
            if let Some((limiter, _)) = self.before.limiters.get(&key) {
                self.now.unlimited.insert(key, limiter.clone());
            }
            return None;
        };
        if let Some((limiter, tightest)) = self.now.limiters.get_mut(&key) {
            *tightest = tightest.tightest(limits);
            return Some(limiter.for_application(application));
        }
        let limiter = match self.before.limiters.get(&key) {
            Some((limiter, _)) => limiter.for_application(application),
            None => {
                let limiter = Limiter::new(*limits, Scope { environment: environment.clone(), is_soap }, application);
                if let Some(store) = &self.now.store {
                    limiter.share(store, limiter_key(store, &key));
                }
                limiter
            }
        };
        self.now.limiters.insert(key, (limiter.clone(), *limits));
        Some(limiter)
    }

    fn changes(&mut self, connector: &config::Connector, environment: &EnvironmentName) -> Arc<Changes> {
        let environment = EnvironmentKey::of(connector, environment);
        let shared = self.now.shared_changes.as_ref();
        let make = |environment: &EnvironmentKey| {
            let changes = shared.map_or_else(Changes::default, |shared| environment.shared_changes(shared));
            Ok::<_, Infallible>(Arc::new(changes))
        };
        let Ok(changes) = reuse_or_make(&self.before.changes, &mut self.now.changes, environment, make);
        changes
    }

    fn tokens(
        &mut self,
        connector: &config::Connector,
        application: &Application,
        ca_file: CaFile,
        http: HttpClient,
    ) -> Arc<TokenCache> {
        let timeout = connector.timeouts.token;
        let key = (application.clone(), ca_file, connector.outbound_proxy.clone(), timeout);
        let count = self.now.token_requests.0.clone();
        let start = |_: &_| {
            let endpoint = TokenEndpoint::new(http, application.clone(), timeout);
            Ok::<_, Infallible>(Arc::new(TokenCache::start(endpoint, count)))
        };
        let Ok(tokens) = reuse_or_make(&self.before.tokens, &mut self.now.tokens, key, start);
        tokens
    }
}

/// The value for this key: from this assembly, from the previous configuration, or newly made.
fn reuse_or_make<K: Eq + Hash, V: Clone, E>(
    before: &HashMap<K, V>,
    now: &mut HashMap<K, V>,
    key: K,
    make: impl FnOnce(&K) -> Result<V, E>,
) -> Result<V, E> {
    if let Some(value) = now.get(&key) {
        return Ok(value.clone());
    }
    let value = before.get(&key).cloned().map_or_else(|| make(&key), Ok)?;
    now.insert(key, value.clone());
    Ok(value)
}

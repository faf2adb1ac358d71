//! The configuration in service. A reload replaces it as a whole; a request keeps one from its beginning to its end.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::header::HeaderName;

use crate::config::{Client, ClientAuth, Config, RequestLog};
use crate::outbound::Origin;
use crate::proxy::body::spool::Spool;
use crate::proxy::environment::assembly::Assembled;
use crate::proxy::environment::route::Route;
use crate::proxy::environment::route_table::RouteTable;
use crate::proxy::observe::records::Records;
use crate::proxy::request::guard::Guard;
use crate::telemetry::otlp::Tracer;
use crate::users::Directory;

/// What the data path needs of one configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// Unique for the lifetime of the process.
    pub number: u64,
    /// By the path that clients call.
    pub routes: RouteTable<Arc<Route>>,
    pub guard: Guard,
    /// Who may sign in.
    pub users: Option<Arc<Directory>>,
    /// The clients that are known by name.
    pub clients: Vec<Arc<Client>>,
    /// The headers in which clients send API keys.
    pub api_key_headers: Vec<HeaderName>,
    /// What rewritten links begin with; `None`: what the client used.
    pub public_url: Option<Origin>,
    /// How long a client connection may be idle.
    pub keep_alive: Duration,
    /// Where large request bodies wait until they are complete.
    pub spool: Spool,
    /// Which requests have a line in the log.
    pub request_log: RequestLog,
    /// What is recorded of requests.
    pub records: Records,
    /// Chooses the requests that are traced; `None`: no request is.
    pub tracer: Option<Arc<Tracer>>,
}

impl Snapshot {
    /// `users`: those of the file of users.
    pub fn new(
        config: &Config,
        assembled: &Assembled,
        users: Option<Arc<Directory>>,
        tracer: Option<Arc<Tracer>>,
    ) -> Self {
        let routes = assembled.routes.iter().map(|route| (route.settings.path.as_str().to_owned(), route.clone()));
        Self {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            routes: RouteTable::new(routes),
            guard: Guard::new(config),
            users,
            clients: config.clients.clone(),
            api_key_headers: api_key_headers(config),
            public_url: config.public_url.clone(),
            keep_alive: config.keep_alive,
            spool: Spool::open(config.spool.as_ref()),
            request_log: config.log.requests,
            records: assembled.records.clone(),
            tracer,
        }
    }
}

fn api_key_headers(config: &Config) -> Vec<HeaderName> {
    let of_listeners = config.listen.iter().filter_map(|listener| listener.client_auth.as_ref());
    let of_routes = config.routes.iter().filter_map(|route| route.client_auth.as_ref());
    let headers = of_listeners.chain(of_routes).filter_map(|client_auth| match client_auth {
        ClientAuth::Required(rules) => rules.api_key.clone(),
        ClientAuth::None => None,
    });
    let headers: HashSet<HeaderName> = headers.collect();
    headers.into_iter().collect()
}

/// The snapshot for new requests. Clones share it.
#[derive(Debug, Clone)]
pub struct Current(Arc<ArcSwap<Snapshot>>);

impl Current {
    pub fn new(snapshot: Snapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(snapshot)))
    }

    /// The current snapshot; takes no lock.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    pub fn replace(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

//! The configuration in service. A reload replaces it whole; a request sees one from its beginning to its end.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::config::{Config, PublicUrl};
use crate::proxy::environment::assembly::Assembled;
use crate::proxy::environment::routes::Routes;
use crate::proxy::observe::problems::Problems;
use crate::proxy::observe::tally::Tally;
use crate::proxy::request::guard::Guard;

/// What the data path needs of one configuration.
#[derive(Debug)]
pub struct Snapshot {
    pub routes: Routes,
    pub guard: Guard,
    /// What local addresses in answers begin with; `None`: what the client used.
    pub public_url: Option<PublicUrl>,
    /// How long a client may keep a connection without asking for anything.
    pub keep_alive: Duration,
    /// Counts the requests no route is for.
    pub unrouted: Arc<Tally>,
    pub problems: Arc<Problems>,
}

impl Snapshot {
    pub fn new(config: &Config, assembled: &Assembled) -> Self {
        Self {
            routes: Routes::new(assembled.routes.clone()),
            guard: Guard::new(config),
            public_url: config.public_url.clone(),
            keep_alive: config.keep_alive,
            unrouted: assembled.unrouted.clone(),
            problems: assembled.problems.clone(),
        }
    }
}

/// The snapshot that new requests get. Clones show the same.
#[derive(Debug, Clone)]
pub struct Current(Arc<ArcSwap<Snapshot>>);

impl Current {
    pub fn new(snapshot: Snapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(snapshot)))
    }

    /// Without a lock.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    pub fn replace(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}

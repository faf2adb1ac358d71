//! The configuration in service. A reload replaces it whole; a request sees one from its beginning to its end.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::destination::Route;
use super::guard::Guard;
use super::route::Routes;
use crate::config::{Config, PublicUrl};

/// What the data path needs of one configuration.
#[derive(Debug)]
pub struct Snapshot {
    pub routes: Routes,
    pub guard: Guard,
    /// What local addresses in answers begin with; `None`: what the client used.
    pub public_url: Option<PublicUrl>,
    /// How long a client may keep a connection without asking for anything.
    pub keep_alive: Duration,
}

impl Snapshot {
    /// With these routes, in the order of the file.
    pub fn new(config: &Config, routes: Vec<Arc<Route>>) -> Self {
        let (public_url, keep_alive) = (config.public_url.clone(), config.keep_alive);
        Self { routes: Routes::new(routes), guard: Guard::new(config), public_url, keep_alive }
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

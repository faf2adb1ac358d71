//! All records of requests that outlive a configuration.

use std::sync::Arc;

use super::client_counts::ClientCounts;
use super::observed_clients::ObservedClients;
use super::problems::Problems;
use super::tally::Tally;
use super::traffic::Traffic;

/// The records that a reload leaves as they are. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// Counts requests without a route.
    pub unrouted: Arc<Tally>,
    /// The latest problems.
    pub problems: Arc<Problems>,
    /// Counts the requests of known clients.
    pub client_counts: Arc<ClientCounts>,
    /// The clients that send requests.
    pub observed_clients: Arc<ObservedClients>,
    /// Counts all requests together.
    pub traffic: Arc<Traffic>,
}

//! What is known of the shared store.

use std::time::Duration;

use time::OffsetDateTime;

/// What is known of the store.
#[derive(Debug, Clone)]
pub struct StoreStatus {
    /// Its address.
    pub address: String,
    /// Whether this replica uses it now.
    pub is_up: bool,
    /// Since when that is so.
    pub since: OffsetDateTime,
    /// Why it is not up.
    pub error: Option<String>,
    /// Replicas that use it, with this one. As last seen.
    pub replicas: usize,
    /// Replicas that stopped without an orderly end within the last 10 minutes.
    pub missing: usize,
    /// How often it became slow or unreachable.
    pub outages: u64,
    /// Calls so far.
    pub calls: u64,
    /// Calls without a reply in time.
    pub failures: u64,
    /// The time that the latest call took.
    pub round_trip: Duration,
}

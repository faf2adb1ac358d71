//! Counts of the requests of known clients (`clients`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The requests of each known client since the start.
#[derive(Debug, Default)]
pub struct ClientCounts(Mutex<BTreeMap<String, ClientCount>>);

/// The requests of one client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientCount {
    /// All of them.
    pub requests: u64,
    /// Those whose response had a status of 400 or more, or none.
    pub errors: u64,
}

impl ClientCounts {
    /// Counts a request of the client with this name in the configuration.
    pub fn count(&self, client: &str, is_error: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !counts.contains_key(client) {
            counts.insert(client.to_owned(), ClientCount::default());
        }
        if let Some(count) = counts.get_mut(client) {
            count.requests += 1;
            count.errors += u64::from(is_error);
        }
    }

    /// The counts by name.
    pub fn counts(&self) -> BTreeMap<String, ClientCount> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

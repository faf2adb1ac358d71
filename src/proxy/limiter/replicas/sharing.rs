//! Whether the permits of a limiter come from the shared store or from this replica's share of the limits.

use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::Instant;

use super::call::Reply;
use super::ledger::Ledger;
use crate::config::{Limits, Rate};
use crate::shared_store::{SharedStore, StoreKey, WakeUp};

/// How a limiter is shared with other replicas.
#[derive(Debug)]
pub struct Sharing {
    pub store: SharedStore,
    pub key: StoreKey,
    pub wake_up: Arc<WakeUp>,
    pub ledger: Ledger,
    /// Whether permits come from the store; otherwise from the share.
    pub is_joined: bool,
    /// How often the store had lost its data, when this was last asked.
    pub losses: u64,
    /// The limits of all replicas together.
    pub whole: Limits,
    /// What the store last said of all replicas; requests by application.
    in_flight: usize,
    used: HashMap<String, usize>,
    said_at: Instant,
}

/// What replicas use of a limiter together.
#[derive(Debug, Clone, Copy)]
pub struct SharedUse {
    /// Whether the store is used now; otherwise the limits in force are this replica's share.
    pub is_joined: bool,
    /// Permits that all replicas hold. As last told by the store.
    pub in_flight: usize,
    /// Requests of all replicas that count against the rate. As last told by the store.
    pub recent: usize,
}

impl Sharing {
    /// A limiter with these limits that this key names in the store.
    pub fn new(store: SharedStore, key: StoreKey, limits: Limits, now: Instant) -> Self {
        let wake_up = Arc::<WakeUp>::default();
        store.on_message(&key, &wake_up);
        Self {
            losses: store.losses(),
            store,
            key,
            wake_up,
            ledger: Ledger::new(now),
            is_joined: true,
            whole: limits,
            in_flight: 0,
            used: HashMap::new(),
            said_at: now,
        }
    }

    /// The limits in force of these limits.
    pub fn limits(&mut self, whole: Limits) -> Limits {
        self.whole = whole;
        if self.is_joined { whole } else { share(whole, self.store.replicas()) }
    }

    /// Whether the coordinator grants the next permit. Otherwise it is this replica's to grant.
    pub fn is_used(&self) -> bool {
        // Where these differ, the coordinator has yet to change from one to the other.
        self.is_joined || self.store.is_up()
    }

    /// Notes what the store says of all replicas.
    pub fn note_use(&mut self, reply: Reply, now: Instant) {
        (self.in_flight, self.used, self.said_at) = (reply.in_flight, reply.used, now);
    }

    /// What all replicas use.
    /// `lane`: the application's.
    pub fn shared_use(&self, lane: usize, now: Instant) -> SharedUse {
        // Of an idle limiter, the store says nothing.
        let is_recent = now.saturating_duration_since(self.said_at) < self.whole.requests.per;
        let recent = self.ledger.application(lane).and_then(|application| self.used.get(application));
        let recent = recent.copied().filter(|_| is_recent).unwrap_or_default();
        SharedUse { is_joined: self.is_joined && self.store.is_up(), in_flight: self.in_flight, recent }
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        // Ends the coordinator.
        self.wake_up.wake();
    }
}

/// A replica's share of the limits: of each at least one.
fn share(limits: Limits, replicas: usize) -> Limits {
    let share = |limit: usize| (limit / replicas.max(1)).max(1);
    let requests = Rate { count: share(limits.requests.count), ..limits.requests };
    Limits { concurrency: share(limits.concurrency), requests, ..limits }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_share_is_at_least_one() {
        let requests = Rate { count: 6000, per: Duration::from_secs(300) };
        let limits = Limits { concurrency: 5, requests, queue: 100, wait: Duration::from_secs(90) };
        let shares = [0, 1, 2, 5, 9].map(|replicas| share(limits, replicas));
        assert_eq!(shares.map(|share| share.concurrency), [5, 5, 2, 1, 1]);
        assert_eq!(shares.map(|share| share.requests.count), [6000, 6000, 3000, 1200, 666]);
        assert!(shares.iter().all(|share| share.queue == 100));
    }
}

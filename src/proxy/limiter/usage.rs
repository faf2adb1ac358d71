//! What is in use of a limiter by all of its applications together.

use std::collections::HashSet;
use std::sync::Arc;

use super::handle::Limiter;

/// What is in use of a limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterUse {
    /// Permits that are held.
    pub in_flight: usize,
    /// The limit of `in_flight`.
    pub concurrency: usize,
    /// Queued requests.
    pub queued: usize,
}

impl Limiter {
    /// What all of its applications use of it now.
    pub fn in_use(&self) -> LimiterUse {
        let state = self.shared.lock();
        LimiterUse { in_flight: state.in_flight, concurrency: state.limits.concurrency, queued: state.waiting() }
    }
}

/// One of those that share their state: what is in use of it counts once.
pub fn distinct<'l>(limiters: impl Iterator<Item = &'l Limiter>) -> Vec<Limiter> {
    let mut seen = HashSet::new();
    limiters.filter(|limiter| seen.insert(Arc::as_ptr(&limiter.shared))).cloned().collect()
}

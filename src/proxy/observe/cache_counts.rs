//! Counts of what a route's cache did.

/// What a route's cache did for the requests that reached it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Answered from the store.
    pub hits: u64,
    /// Answered with the response to another request that was in flight.
    pub coalesced: u64,
    /// Sent, because no stored response could be used.
    pub misses: u64,
    /// Sent for one client only.
    pub bypassed: u64,
}

impl CacheCounts {
    /// The share of reads that needed no request of their own, from 0 to 1. `None` when there were none. What bypassed
    /// the cache, such as a change, does not count.
    pub fn hit_rate(self) -> Option<f64> {
        let answered = self.hits + self.coalesced;
        let reads = answered + self.misses;
        (reads > 0).then(|| answered as f64 / reads as f64)
    }
}

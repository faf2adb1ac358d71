//! The requests of all clients together, from which the history of the last hour is made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::distribution::{Distribution, Durations};

/// What was counted of all requests since the start. Counting takes no lock.
#[derive(Debug, Default)]
pub struct Traffic {
    requests: AtomicU64,
    errors: AtomicU64,
    total: Distribution,
    queue: Distribution,
    upstream: Distribution,
}

/// One request that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Whether it had a status of 400 or more, or none.
    pub is_error: bool,
    /// From its head to the end of its response.
    pub total: Duration,
    /// In the limiter's queue; `None` if it did not come so far.
    pub queue: Option<Duration>,
    /// From sending it to Business Central to the head of its response; `None` if it was not sent.
    pub upstream: Option<Duration>,
}

/// The counts at one moment.
#[derive(Debug, Clone)]
pub struct TrafficCounts {
    /// Requests that have ended.
    pub requests: u64,
    /// Those with a status of 400 or more, or without a response.
    pub errors: u64,
    /// From the head of a request to the end of its response.
    pub total: Durations,
    /// In the limiter's queue, of the requests that came so far.
    pub queue: Durations,
    /// From sending a request to Business Central to the head of its response.
    pub upstream: Durations,
}

impl Traffic {
    /// Counts a request.
    pub fn count(&self, ended: Ended) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if ended.is_error {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        self.total.add(ended.total);
        if let Some(queue) = ended.queue {
            self.queue.add(queue);
        }
        if let Some(upstream) = ended.upstream {
            self.upstream.add(upstream);
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> TrafficCounts {
        TrafficCounts {
            requests: self.requests.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            total: self.total.durations(),
            queue: self.queue.durations(),
            upstream: self.upstream.durations(),
        }
    }
}

//! Counts of requests: how they were answered, and how long each stage took.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;

use super::cache_counts::CacheCounts;

/// The counts of one route's requests, or of those without a route.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

/// What was counted since the start.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Requests by the status and the outcome of their response; no status where the client left before.
    pub responses: BTreeMap<(Option<StatusCode>, Outcome), u64>,
    /// Bytes of response bodies handed to clients.
    pub bytes: u64,
    /// What the route's cache did for them.
    pub cache: CacheCounts,
    /// Attempts beyond each request's first.
    pub retries: u64,
    /// From a request's head to the end of its response.
    pub total: Times,
    /// From sending a request to Business Central to the head of its response.
    pub upstream: Times,
    /// In the limiter's queue.
    pub queue: Times,
}

/// A histogram of durations.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// One count for each of [`Times::BOUNDS`]: durations up to this bound and above the one before. The last count is
    /// for longer ones.
    counts: [u64; Times::BOUNDS.len() + 1],
    sum: Duration,
}

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The client disconnected before it had all of it.
    ClientLeft,
    /// The client read too slowly and was disconnected.
    ClientStalled,
    /// The client got all of it.
    Complete,
    /// It was the challenge of a handshake; the request itself follows.
    Handshake,
    /// Business Central's response broke off; the client's connection was aborted, too.
    BrokenUpstream,
}

impl Outcome {
    /// Changes [`ClientLeft`](Self::ClientLeft), the initial value, to complete.
    pub fn complete_if_unfinished(&mut self) {
        if *self == Self::ClientLeft {
            *self = Self::Complete;
        }
    }

    /// The value of the log field.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientLeft => "client left",
            Self::ClientStalled => "client stalled",
            Self::Complete => "complete",
            Self::Handshake => "handshake",
            Self::BrokenUpstream => "broken upstream",
        }
    }
}

impl Tally {
    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// What was counted so far, to count another request.
    pub(super) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// All requests that were counted.
    pub fn requests(&self) -> u64 {
        self.responses.values().sum()
    }
}

impl Times {
    /// In seconds: from a local look-up to the ten minutes Business Central may work.
    pub const BOUNDS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0];

    /// Counts a duration.
    pub fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let slot = Self::BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get_mut(slot) {
            *count += 1;
        }
        self.sum += took;
    }

    /// Each bound with the number of durations up to it and above the one before; the last bound is infinite.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        Self::BOUNDS.into_iter().chain([f64::INFINITY]).zip(self.counts)
    }

    /// How many durations were added.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all durations.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// `None` when there were none.
    pub fn mean(&self) -> Option<Duration> {
        let count = self.count();
        (count > 0).then(|| self.sum.div_f64(count as f64))
    }
}

impl<'t> Sum<&'t Self> for Times {
    fn sum<I: Iterator<Item = &'t Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut together, times| {
            together.counts.iter_mut().zip(times.counts).for_each(|(count, more)| *count += more);
            together.sum += times.sum;
            together
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_the_first_bucket_that_is_not_shorter() {
        let mut times = Times::default();
        for millis in [0, 5, 6, 1000, 599_999, 600_000, 600_001] {
            times.add(Duration::from_millis(millis));
        }
        let filled: Vec<(f64, u64)> = times.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.005, 2), (0.01, 1), (1.0, 1), (600.0, 2), (f64::INFINITY, 1)]);
        assert_eq!((times.count(), times.sum()), (7, Duration::from_millis(1_801_011)));
        assert_eq!(Times::default().mean(), None);
    }
}

//! The operational limits: concurrency of each application and of all SOAP calls together, rates of each application.
//! Requests beyond them get a 429.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::time::Instant;
use uuid::Uuid;

use crate::simulator::lock::lock;
use crate::simulator::settings::ThrottleLimits;

/// A kind of request of one application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ThrottleScope {
    pub application: Uuid,
    pub is_soap: bool,
}

/// Enforces the limits, and counts with and without them.
pub(super) struct Throttle {
    limits: Option<ThrottleLimits>,
    state: Mutex<ThrottleState>,
}

#[derive(Default)]
struct ThrottleState {
    concurrency: HashMap<Option<Uuid>, Concurrency>,
    started: HashMap<ThrottleScope, VecDeque<Instant>>,
    rejected: u64,
}

#[derive(Default)]
struct Concurrency {
    in_progress: usize,
    peak: usize,
}

/// The slot of a request in progress, released on drop.
pub(super) struct ThrottleSlot {
    throttle: Arc<Throttle>,
    scope: ThrottleScope,
}

impl Throttle {
    pub fn new(limits: Option<ThrottleLimits>) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// Starts a request; `None` if it exceeds a limit.
    pub fn begin(self: &Arc<Self>, scope: ThrottleScope) -> Option<ThrottleSlot> {
        let mut state = lock(&self.state);
        let ThrottleState { concurrency, started, rejected } = &mut *state;
        let concurrency = concurrency.entry(scope.sharing_concurrency()).or_default();
        if let Some(limits) = &self.limits {
            let now = Instant::now();
            let started = started.entry(scope).or_default();
            while started.front().is_some_and(|started| *started + limits.per <= now) {
                started.pop_front();
            }
            if concurrency.in_progress >= limits.concurrency || started.len() >= limits.requests {
                *rejected += 1;
                return None;
            }
            started.push_back(now);
        }
        concurrency.in_progress += 1;
        concurrency.peak = concurrency.peak.max(concurrency.in_progress);
        Some(ThrottleSlot { throttle: self.clone(), scope })
    }

    /// The number of requests rejected so far.
    pub fn rejected(&self) -> u64 {
        lock(&self.state).rejected
    }

    /// Forgets how many requests were in progress before.
    pub fn reset_peak_concurrency(&self) {
        for concurrency in lock(&self.state).concurrency.values_mut() {
            concurrency.peak = concurrency.in_progress;
        }
    }

    /// The number of requests in progress now, of those with the most that share a limit.
    pub fn concurrency(&self) -> usize {
        lock(&self.state).concurrency.values().map(|concurrency| concurrency.in_progress).max().unwrap_or_default()
    }

    /// The highest number of requests in progress at the same time that share a limit.
    pub fn peak_concurrency(&self) -> usize {
        lock(&self.state).concurrency.values().map(|concurrency| concurrency.peak).max().unwrap_or_default()
    }
}

impl ThrottleScope {
    /// The application; `None` for SOAP calls, whose concurrency is the environment's.
    fn sharing_concurrency(self) -> Option<Uuid> {
        (!self.is_soap).then_some(self.application)
    }
}

impl Drop for ThrottleSlot {
    fn drop(&mut self) {
        let shared = self.scope.sharing_concurrency();
        if let Some(concurrency) = lock(&self.throttle.state).concurrency.get_mut(&shared) {
            concurrency.in_progress -= 1;
        }
    }
}

//! The operational limits of each application, and of all SOAP calls together. Requests beyond them get a 429.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::time::Instant;
use uuid::Uuid;

use crate::simulator::lock::lock;
use crate::simulator::settings::ThrottleLimits;

/// The requests that share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ThrottleScope {
    Application(Uuid),
    /// All SOAP calls to the environment.
    Environment,
}

/// Enforces the limits, and counts with and without them.
pub(super) struct Throttle {
    limits: Option<ThrottleLimits>,
    state: Mutex<ThrottleState>,
}

#[derive(Default)]
struct ThrottleState {
    usage: HashMap<ThrottleScope, ThrottleUsage>,
    rejected: u64,
}

#[derive(Default)]
struct ThrottleUsage {
    in_progress: usize,
    peak_concurrency: usize,
    started: VecDeque<Instant>,
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
        let usage = state.usage.entry(scope).or_default();
        if let Some(limits) = &self.limits {
            let now = Instant::now();
            while usage.started.front().is_some_and(|started| *started + limits.per <= now) {
                usage.started.pop_front();
            }
            if usage.in_progress >= limits.concurrency || usage.started.len() >= limits.requests {
                state.rejected += 1;
                return None;
            }
            usage.started.push_back(now);
        }
        usage.in_progress += 1;
        usage.peak_concurrency = usage.peak_concurrency.max(usage.in_progress);
        Some(ThrottleSlot { throttle: self.clone(), scope })
    }

    /// The number of requests rejected so far.
    pub fn rejected(&self) -> u64 {
        lock(&self.state).rejected
    }

    /// The highest number of requests in progress at the same time within one scope.
    pub fn peak_concurrency(&self) -> usize {
        lock(&self.state).usage.values().map(|usage| usage.peak_concurrency).max().unwrap_or_default()
    }
}

impl Drop for ThrottleSlot {
    fn drop(&mut self) {
        if let Some(usage) = lock(&self.throttle.state).usage.get_mut(&self.scope) {
            usage.in_progress -= 1;
        }
    }
}

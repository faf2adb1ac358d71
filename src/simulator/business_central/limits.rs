//! The operational limits: what is too much of one application, or of all SOAP calls, at a time is answered with 429.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::time::Instant;
use uuid::Uuid;

use crate::simulator::settings::Limits;
use crate::simulator::sync::lock;

/// Whom a limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::simulator) enum Limited {
    Application(Uuid),
    /// SOAP calls: of the environment as a whole.
    Environment,
}

/// What is in work, and began not long ago.
pub(super) struct Work {
    limits: Option<Limits>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    of: HashMap<Limited, Usage>,
    refused: u64,
}

#[derive(Default)]
struct Usage {
    in_work: usize,
    peak_concurrency: usize,
    began: VecDeque<Instant>,
}

/// A request's share of what may be in work; it ends when it is dropped.
pub(in crate::simulator) struct Share {
    work: Arc<Work>,
    of: Limited,
}

impl Work {
    pub fn new(limits: Option<Limits>) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// `None` when it is too much.
    pub fn begin(self: &Arc<Self>, of: Limited) -> Option<Share> {
        let mut state = lock(&self.state);
        let usage = state.of.entry(of).or_default();
        if let Some(limits) = &self.limits {
            let now = Instant::now();
            while usage.began.front().is_some_and(|began| *began + limits.per <= now) {
                usage.began.pop_front();
            }
            if usage.in_work >= limits.concurrency || usage.began.len() >= limits.requests {
                state.refused += 1;
                return None;
            }
            usage.began.push_back(now);
        }
        usage.in_work += 1;
        usage.peak_concurrency = usage.peak_concurrency.max(usage.in_work);
        Some(Share { work: self.clone(), of })
    }

    /// How many were refused so far.
    pub fn refused(&self) -> u64 {
        lock(&self.state).refused
    }

    /// The most that were in work at once, of those for whom that was most.
    pub fn peak_concurrency(&self) -> usize {
        lock(&self.state).of.values().map(|usage| usage.peak_concurrency).max().unwrap_or_default()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(usage) = lock(&self.work.state).of.get_mut(&self.of) {
            usage.in_work -= 1;
        }
    }
}

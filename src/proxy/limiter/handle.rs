//! The limiter as the data path uses it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::fair_queue::ClientKey;
use super::permits::{AcquireError, NextPermit, Permit, Shared, State, Waiter};
use crate::config::{Limits, Rate};

/// A limiter. Clones share its state.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Shared>);

/// What a limiter is doing now.
#[derive(Debug, Clone, Copy)]
pub struct LimiterState {
    /// The limits in force.
    pub limits: Limits,
    /// Permits that are held.
    pub in_flight: usize,
    /// Requests that are queued.
    pub waiting: usize,
    /// Requests that count against `limits.requests`: those in flight, and those that ended within its period.
    pub recent: usize,
    /// What is left of the pause that Business Central asked for.
    pub paused_for: Option<Duration>,
}

/// Priority with which a request enters the limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Its first attempt.
    New,
    /// Evicted from another limiter: it is queued even if the queue is full.
    Requeued,
    /// A retry: it goes before all others.
    Retry,
}

impl Limiter {
    /// A limiter with these limits.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared::new(limits)))
    }

    /// Changes the limits. They apply immediately, including to queued requests.
    pub fn set_limits(&self, limits: Limits) {
        let mut state = self.0.lock();
        state.limits = limits;
        state.window.rate_changed();
        self.0.grant(&mut state, Instant::now());
    }

    /// Removes the limits: the queue is released, unless Business Central asked for a pause.
    pub fn remove_limits(&self) {
        let limits = self.0.lock().limits;
        let requests = Rate { count: usize::MAX, ..limits.requests };
        self.set_limits(Limits { concurrency: usize::MAX, requests, ..limits });
    }

    /// Acquires a permit, queued until `deadline` if necessary.
    ///
    /// Fails at once when no permit can be free by then. Dropping the future leaves the queue.
    pub async fn acquire(
        &self,
        client: ClientKey,
        deadline: Instant,
        priority: Priority,
    ) -> Result<Permit, AcquireError> {
        let now = Instant::now();
        let mut queued = {
            let mut state = self.0.lock();
            if state.queue.is_empty() && state.next_permit(now) == NextPermit::Now {
                state.begin(now);
                return Ok(Permit { limiter: Arc::downgrade(&self.0), waited: Duration::ZERO, ahead: 0 });
            }
            if state.paused_until.is_some_and(|until| until > deadline) {
                return Err(AcquireError::TimedOut { retry_after: state.estimate(now) });
            }
            if state.waiting >= state.limits.queue && priority == Priority::New {
                let full = AcquireError::Full { retry_after: state.estimate(now) };
                let Some(evicted) = state.queue.evict_for(client) else { return Err(full) };
                if evicted.response.send(Err(full)).is_ok() {
                    state.waiting -= 1;
                }
            }
            let (response, receiver) = oneshot::channel();
            let waiter = Waiter { response, granted_before: state.granted };
            if state.waiting == 0 {
                state.stalled_since = now;
            }
            state.waiting += 1;
            match priority {
                Priority::Retry => state.queue.push_retry(waiter),
                Priority::New | Priority::Requeued => state.queue.push(client, waiter),
            }
            self.0.grant(&mut state, now);
            QueuedRequest { limiter: self, receiver, is_served: false }
        };
        let response = tokio::time::timeout_at(deadline, &mut queued.receiver).await;
        queued.is_served = matches!(response, Ok(Ok(_)));
        match response {
            Ok(Ok(Ok(mut permit))) => {
                permit.waited = now.elapsed();
                Ok(permit)
            }
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) | Err(_) => {
                let retry_after = self.0.lock().estimate(Instant::now());
                Err(AcquireError::TimedOut { retry_after })
            }
        }
    }

    /// Grants no permit for a while. Whether the limiter was not paused before.
    pub fn pause(&self, time: Duration) -> bool {
        let now = Instant::now();
        let mut state = self.0.lock();
        let was_open = state.paused_until.is_none_or(|until| until <= now);
        state.paused_until = state.paused_until.max(Some(now + time));
        self.0.grant(&mut state, now);
        was_open
    }

    /// Evicts all queued requests: another application's limiter can serve them.
    pub fn evict(&self) {
        let mut state = self.0.lock();
        while let Some(waiter) = state.queue.pop() {
            if waiter.response.send(Err(AcquireError::Evicted)).is_ok() {
                state.waiting -= 1;
            }
        }
        state.dequeue_rate.queue_emptied();
    }

    /// Whether a pause that Business Central asked for is not over.
    pub fn is_paused(&self) -> bool {
        self.0.lock().paused_until.is_some_and(|until| until > Instant::now())
    }

    /// What the limiter is doing now.
    pub fn state(&self) -> LimiterState {
        let now = Instant::now();
        let mut state = self.0.lock();
        let State { limits, in_flight, waiting, paused_until, .. } = *state;
        let recent = state.window.used(now, limits.requests);
        let paused_for = paused_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero());
        LimiterState { limits, in_flight, waiting, recent, paused_for }
    }

    /// Requests in flight or queued.
    pub fn load(&self) -> usize {
        let state = self.0.lock();
        state.in_flight + state.waiting
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }
}

/// A request's side of its place in the queue; dropping it leaves the queue.
struct QueuedRequest<'l> {
    limiter: &'l Limiter,
    receiver: oneshot::Receiver<Result<Permit, AcquireError>>,
    is_served: bool,
}

impl Drop for QueuedRequest<'_> {
    fn drop(&mut self) {
        if self.is_served {
            return;
        }
        self.receiver.close();
        // A permit may have been granted in the meantime.
        match self.receiver.try_recv() {
            Ok(granted) => drop(granted),
            Err(_) => {
                let mut state = self.limiter.0.lock();
                state.waiting -= 1;
                let waiting = state.waiting;
                state.queue.compact(waiting);
            }
        }
    }
}

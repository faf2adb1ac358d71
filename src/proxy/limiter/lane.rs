//! What each application has of its own in a limiter: its rate and its queue.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::fair_queue::{ClientKey, FairQueue, Queued};
use super::permits::{AcquireError, Permit};
use super::rate_wait::RateWait;
use super::window::Window;
use crate::business_central::EnvironmentName;
use crate::entra::ClientId;

/// What an application has of its own in a limiter.
#[derive(Debug)]
pub struct Lane {
    pub application: ClientId,
    /// Requests that count against the rate limit.
    pub window: Window,
    pub queue: FairQueue<Waiter>,
    pub dequeue_rate: DequeueRate,
    /// Set while requests wait because of the rate.
    pub rate_wait: Option<RateWait>,
    /// A time before which the shared store grants no permit, as it last said.
    pub not_before: Option<Instant>,
}

/// What a limiter is for, as the log names it.
#[derive(Debug)]
pub struct Scope {
    /// The environment of Business Central.
    pub environment: EnvironmentName,
    /// Whether it limits SOAP calls, or all other requests.
    pub is_soap: bool,
}

impl Scope {
    pub(super) fn protocol(&self) -> &'static str {
        if self.is_soap { "SOAP" } else { "API and OData" }
    }
}

/// A queued request.
#[derive(Debug)]
pub struct Waiter {
    /// Completes its [`acquire`](super::Limiter::acquire).
    pub response: oneshot::Sender<Result<Permit, AcquireError>>,
    /// When it leaves the queue.
    pub deadline: Instant,
    /// [`State::granted`] when it was queued.
    pub granted_before: u64,
}

impl Queued for Waiter {
    fn is_waiting(&self) -> bool {
        !self.response.is_closed()
    }
}

impl Lane {
    /// A lane without requests.
    pub fn new(application: ClientId, now: Instant) -> Self {
        let (queue, dequeue_rate) = Default::default();
        Self { application, window: Window::new(now), queue, dequeue_rate, rate_wait: None, not_before: None }
    }

    /// Other limits are in force.
    pub fn limits_changed(&mut self) {
        self.window.rate_changed();
        self.not_before = None;
    }

    /// Counts a queued request that got a permit.
    pub fn granted(&mut self, now: Instant) {
        self.dequeue_rate.permit_granted(now);
        self.note_empty_queue();
    }

    /// Counts a queued request of this client (`None`: a retry) that left.
    pub fn leave(&mut self, client: Option<ClientKey>) {
        self.queue.leave(client);
        self.note_empty_queue();
    }

    /// Evicts all queued requests: they choose an application anew.
    pub fn evict(&mut self) {
        while let Some(waiter) = self.queue.pop() {
            // A client that has left needs no response.
            let _ = waiter.response.send(Err(AcquireError::Evicted));
        }
        self.dequeue_rate.queue_emptied();
    }

    /// Rejects the requests that leave the queue before this time.
    pub fn reject_until(&mut self, time: Instant, retry_after: Duration) {
        for late in self.queue.remove(|waiter| waiter.deadline < time) {
            // A client that has left needs no response.
            let _ = late.response.send(Err(AcquireError::TimedOut { retry_after }));
        }
        self.note_empty_queue();
    }

    fn note_empty_queue(&mut self) {
        if self.queue.is_empty() {
            self.dequeue_rate.queue_emptied();
        }
    }
}

/// A moving average of the time between two permits while requests wait.
#[derive(Debug, Default)]
pub struct DequeueRate {
    last: Option<Instant>,
    interval: Option<Duration>,
}

impl DequeueRate {
    /// Notes that a queued request got its permit.
    pub fn permit_granted(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            let interval = now - last;
            self.interval = Some(self.interval.map_or(interval, |average| (average * 7 + interval) / 8));
        }
    }

    /// Notes that the queue is empty: the time until it fills again says nothing about its speed.
    pub fn queue_emptied(&mut self) {
        self.last = None;
    }

    /// The average time between two permits; a guess before the queue has moved.
    pub fn interval(&self) -> Duration {
        self.interval.unwrap_or(GUESS)
    }
}

const GUESS: Duration = Duration::from_millis(100);

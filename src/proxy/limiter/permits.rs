//! The state of a limiter, and the permits it grants.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::dequeue_rate::DequeueRate;
use super::fair_queue::{FairQueue, Queued};
use super::window::Window;
use crate::config::Limits;
use crate::proxy::downstream::client::Contended;
use crate::proxy::upstream::HeldUntilEnd;

/// What all handles of a limiter share.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
}

/// Limits, and what they are held against.
#[derive(Debug)]
pub struct State {
    pub limits: Limits,
    /// Permits that are held.
    pub in_flight: usize,
    /// Requests that are queued.
    pub waiting: usize,
    /// Permits granted so far.
    pub granted: u64,
    /// Requests that count against the rate limit.
    pub window: Window,
    pub queue: FairQueue<Waiter>,
    /// The end of the pause that Business Central asked for.
    pub paused_until: Option<Instant>,
    /// When a timer fires that grants permits as time passes.
    timer: Option<Instant>,
    /// Start of the current stall, while requests wait.
    pub stalled_since: Instant,
    pub dequeue_rate: DequeueRate,
}

/// A queued request.
#[derive(Debug)]
pub struct Waiter {
    /// Completes its [`acquire`](super::Limiter::acquire).
    pub response: oneshot::Sender<Result<Permit, AcquireError>>,
    /// [`State::granted`] when it was queued.
    pub granted_before: u64,
}

/// The right to have one request in flight. Dropping it releases the permit.
#[derive(Debug)]
pub struct Permit {
    pub(super) limiter: Weak<Shared>,
    /// Time in the queue.
    pub waited: Duration,
    /// Permits granted to other requests in that time.
    pub ahead: u64,
}

/// Why a request gets no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquireError {
    /// The limiter is paused, and another application's may be open.
    Evicted,
    /// The queue is full, and no other client has more requests in it.
    Full { retry_after: Duration },
    /// The deadline passed, or is known to pass, before a permit is free.
    TimedOut { retry_after: Duration },
}

/// When the next permit can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPermit {
    Now,
    At(Instant),
    /// When one is released.
    OnRelease,
}

impl Queued for Waiter {
    fn is_waiting(&self) -> bool {
        !self.response.is_closed()
    }
}

impl State {
    /// When the next permit can be granted.
    pub fn next_permit(&mut self, now: Instant) -> NextPermit {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return NextPermit::At(until);
        }
        self.paused_until = None;
        if self.in_flight >= self.limits.concurrency {
            return NextPermit::OnRelease;
        }
        self.window.next(now, self.limits.requests).map_or(NextPermit::Now, NextPermit::At)
    }

    /// Counts a request that got a permit.
    pub fn begin(&mut self, now: Instant) {
        self.in_flight += 1;
        self.granted += 1;
        self.window.grant(now, self.limits.requests);
    }

    /// When a request that is queued now is likely to be served.
    pub fn estimate(&mut self, now: Instant) -> Duration {
        let pause = match self.next_permit(now) {
            NextPermit::At(time) => time.saturating_duration_since(now),
            NextPermit::Now | NextPermit::OnRelease => Duration::ZERO,
        };
        let queue = self.dequeue_rate.interval();
        let queue = queue.saturating_mul(u32::try_from(self.waiting + 1).unwrap_or(u32::MAX));
        pause.saturating_add(queue).clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER)
    }
}

impl Shared {
    /// The state of a limiter that nothing has passed yet.
    pub fn new(limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                limits,
                in_flight: 0,
                waiting: 0,
                granted: 0,
                window: Window::new(now),
                queue: FairQueue::default(),
                paused_until: None,
                timer: None,
                stalled_since: now,
                dequeue_rate: DequeueRate::default(),
            }),
        }
    }

    /// The state.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grants permits to queued requests as far as the limits allow, and starts a timer where only time can grant more.
    pub fn grant(self: &Arc<Self>, state: &mut State, now: Instant) {
        while !state.queue.is_empty() {
            match state.next_permit(now) {
                NextPermit::Now => {}
                NextPermit::At(time) => return self.grant_at(state, time),
                NextPermit::OnRelease => return,
            }
            let Some(waiter) = state.queue.pop() else { break };
            let ahead = state.granted - waiter.granted_before;
            let permit = Permit { limiter: Arc::downgrade(self), waited: Duration::ZERO, ahead };
            match waiter.response.send(Ok(permit)) {
                Ok(()) => {
                    state.waiting -= 1;
                    state.begin(now);
                    state.stalled_since = now;
                    state.dequeue_rate.permit_granted(now);
                }
                // The client has left.
                Err(Ok(permit)) => permit.discard(),
                Err(Err(_)) => {}
            }
        }
        state.dequeue_rate.queue_emptied();
    }

    fn grant_at(self: &Arc<Self>, state: &mut State, time: Instant) {
        if state.timer.is_some_and(|timer| timer <= time) {
            return;
        }
        state.timer = Some(time);
        let limiter = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep_until(time).await;
            let Some(limiter) = limiter.upgrade() else { return };
            let mut state = limiter.lock();
            // An earlier timer may have replaced this one.
            if state.timer == Some(time) {
                state.timer = None;
            }
            limiter.grant(&mut state, Instant::now());
        });
    }
}

impl Permit {
    /// Drops a permit that was never in flight.
    fn discard(mut self) {
        self.limiter = Weak::new();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(limiter) = self.limiter.upgrade() {
            let mut state = limiter.lock();
            let (now, rate) = (Instant::now(), state.limits.requests);
            state.in_flight -= 1;
            state.window.release(now, rate);
            limiter.grant(&mut state, now);
        }
    }
}

impl HeldUntilEnd for Arc<Permit> {}

impl Contended for Permit {
    /// Whether all permits are held while others wait, and none was granted for [`STALL`].
    fn is_contended(&self) -> bool {
        let Some(limiter) = self.limiter.upgrade() else { return false };
        let now = Instant::now();
        let mut state = limiter.lock();
        let is_stalled = state.waiting > 0 && now - state.stalled_since >= STALL;
        is_stalled && state.next_permit(now) == NextPermit::OnRelease
    }
}

/// Clients give up on a queue that moves more slowly than this.
const STALL: Duration = Duration::from_secs(10);

const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);

const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

//! The gates in front of Business Central, which limits how many requests are in work and how many come within five minutes.
//!
//! Programs of old know no 429: instead of being refused there, a request waits here, in turn with those of other clients.

mod fair_queue;
#[cfg(test)]
mod tests;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

pub use fair_queue::Client;
use fair_queue::FairQueue;
use tokio::sync::oneshot;
use tokio::time::Instant;
use window::Window;

use super::upstream::HeldUntilEnd;
use crate::config::{Limits, Rate};
use crate::proxy::downstream::client::Contended;

/// One gate. Clones lead through the same.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    in_flight: usize,
    waiting: usize,
    /// So many went through so far.
    through: u64,
    window: Window,
    queue: FairQueue,
    /// Business Central asked for a pause.
    paused_until: Option<Instant>,
    /// When somebody looks whether time has opened the gate.
    alarm: Option<Instant>,
    /// Since when nobody has got through, if somebody waits.
    still_since: Instant,
    dequeue_rate: DequeueRate,
}

/// How much goes on at a gate.
#[derive(Debug, Clone, Copy)]
pub struct LimiterState {
    pub limits: Limits,
    pub in_flight: usize,
    pub waiting: usize,
    /// Begun within the time that `limits.requests` is about.
    pub recent: usize,
    /// How long Business Central wants to be left alone yet.
    pub paused_for: Option<Duration>,
}

/// How fast the queue moves.
#[derive(Debug, Default)]
struct DequeueRate {
    last: Option<Instant>,
    between: Option<Duration>,
}

/// A place in the queue.
#[derive(Debug)]
struct Waiter {
    answer: oneshot::Sender<Result<Permit, AcquireError>>,
    /// So many had gone through when it was taken.
    since: u64,
}

/// The right to have one request in work. It ends when it is dropped.
#[derive(Debug)]
pub struct Permit {
    limiter: Weak<Shared>,
    /// How long it was waited for, and how many went through in that time.
    pub waited: Duration,
    pub before: u64,
}

/// In which way a request comes to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// For the first time.
    New,
    /// Sent away from another one where it waited: it has a place, however full the queue is.
    Requeued,
    /// It was through before and Business Central sent it back: it goes before all others.
    Retry,
}

/// Why a request does not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquireError {
    /// The gate is closed for a while, and another one may be open.
    Evicted,
    /// Too many wait already, and none of them has more places than this client.
    Full { retry_after: Duration },
    /// Its turn did not come in time.
    TooLate { retry_after: Duration },
}

impl Waiter {
    /// Whether somebody still waits at it.
    fn is_waiting(&self) -> bool {
        !self.answer.is_closed()
    }
}

impl Limiter {
    pub fn new(limits: Limits) -> Self {
        let state = State {
            limits,
            in_flight: 0,
            waiting: 0,
            through: 0,
            window: Window::default(),
            queue: FairQueue::default(),
            paused_until: None,
            alarm: None,
            still_since: Instant::now(),
            dequeue_rate: DequeueRate::default(),
        };
        Self(Arc::new(Shared { state: Mutex::new(state) }))
    }

    /// Has other limits hold from now on. Whoever waits goes on waiting in turn.
    pub fn limit(&self, limits: Limits) {
        let mut state = self.0.lock();
        state.limits = limits;
        self.0.admit(&mut state, Instant::now());
    }

    /// Has no limits hold any more: whoever waits goes through, unless Business Central asked for a pause.
    pub fn lift(&self) {
        let limits = self.0.lock().limits;
        let requests = Rate { count: usize::MAX, ..limits.requests };
        self.limit(Limits { concurrency: usize::MAX, requests, ..limits });
    }

    /// Goes through, or waits in turn until `deadline`.
    ///
    /// When it is known that none will come until then, it is refused at once. Dropping the future leaves the queue.
    pub async fn acquire(&self, client: Client, deadline: Instant, priority: Priority) -> Result<Permit, AcquireError> {
        let now = Instant::now();
        let mut waiter = {
            let mut state = self.0.lock();
            if state.queue.is_empty() && state.closed_until(now) == Opening::Now {
                state.begin(now);
                return Ok(Permit { limiter: Arc::downgrade(&self.0), waited: Duration::ZERO, before: 0 });
            }
            if state.paused_until.is_some_and(|until| until > deadline) {
                return Err(AcquireError::TooLate { retry_after: state.estimate(now) });
            }
            let full = state.waiting >= state.limits.queue && priority == Priority::New;
            if full && let Some(waiter) = state.queue.displace_for(client) {
                state.reject(waiter, |retry_after| AcquireError::Full { retry_after }, now);
            } else if full {
                return Err(AcquireError::Full { retry_after: state.estimate(now) });
            }
            let (answer, receiver) = oneshot::channel();
            let waiter = Waiter { answer, since: state.through };
            if state.waiting == 0 {
                state.still_since = now;
            }
            state.waiting += 1;
            match priority {
                Priority::Retry => state.queue.push_again(waiter),
                Priority::New | Priority::Requeued => state.queue.push(client, waiter),
            }
            self.0.admit(&mut state, now);
            Waiting { limiter: self, receiver, is_over: false }
        };
        let answer = tokio::time::timeout_at(deadline, &mut waiter.receiver).await;
        waiter.is_over = matches!(answer, Ok(Ok(_)));
        match answer {
            Ok(Ok(Ok(mut permit))) => {
                permit.waited = now.elapsed();
                Ok(permit)
            }
            Ok(Ok(Err(rejected))) => Err(rejected),
            Ok(Err(_)) | Err(_) => {
                let retry_after = self.0.lock().estimate(Instant::now());
                Err(AcquireError::TooLate { retry_after })
            }
        }
    }

    /// Lets nobody through for a while; whether that was otherwise until now.
    pub fn pause(&self, time: Duration) -> bool {
        let now = Instant::now();
        let mut state = self.0.lock();
        let was_open = state.paused_until.is_none_or(|until| until <= now);
        state.paused_until = state.paused_until.max(Some(now + time));
        self.0.admit(&mut state, now);
        was_open
    }

    /// Sends away everybody who waits: another gate is open.
    pub fn evict(&self) {
        let mut state = self.0.lock();
        while let Some(waiter) = state.queue.pop() {
            if waiter.answer.send(Err(AcquireError::Evicted)).is_ok() {
                state.waiting -= 1;
            }
        }
        state.dequeue_rate.queue_emptied();
    }

    /// Whether Business Central asked for a pause that is not over.
    pub fn is_paused(&self) -> bool {
        self.0.lock().paused_until.is_some_and(|until| until > Instant::now())
    }

    /// What goes on now.
    pub fn state(&self) -> LimiterState {
        let now = Instant::now();
        let mut state = self.0.lock();
        let State { limits, in_flight, waiting, paused_until, .. } = *state;
        let recent = state.window.recent(now, limits.requests.per);
        let paused_for = paused_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero());
        LimiterState { limits, in_flight, waiting, recent, paused_for }
    }

    /// How many requests are in work or wait for it.
    pub fn load(&self) -> usize {
        let state = self.0.lock();
        state.in_flight + state.waiting
    }
}

/// What keeps the gate from opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    Now,
    At(Instant),
    /// When a request is done with.
    WhenFree,
}

impl State {
    fn closed_until(&mut self, now: Instant) -> Opening {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Opening::At(until);
        }
        self.paused_until = None;
        if self.in_flight >= self.limits.concurrency {
            return Opening::WhenFree;
        }
        let (most, per) = (self.limits.requests.count, self.limits.requests.per);
        self.window.next(now, most, per).map_or(Opening::Now, Opening::At)
    }

    fn begin(&mut self, now: Instant) {
        self.in_flight += 1;
        self.through += 1;
        self.window.begins(now, self.limits.requests.per);
    }

    fn reject(&mut self, waiter: Waiter, reason: impl FnOnce(Duration) -> AcquireError, now: Instant) {
        let estimate = self.estimate(now);
        if waiter.answer.send(Err(reason(estimate))).is_ok() {
            self.waiting -= 1;
        }
    }

    /// When a newcomer's turn is likely to come.
    fn estimate(&mut self, now: Instant) -> Duration {
        let pause = match self.closed_until(now) {
            Opening::At(time) => time.saturating_duration_since(now),
            Opening::Now | Opening::WhenFree => Duration::ZERO,
        };
        let each = self.dequeue_rate.between.unwrap_or(UNKNOWN_PACE);
        let queue = each.saturating_mul(u32::try_from(self.waiting + 1).unwrap_or(u32::MAX));
        pause.saturating_add(queue).clamp(SHORTEST_RETRY, LONGEST_RETRY)
    }
}

impl DequeueRate {
    fn permit_granted(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            let between = now - last;
            self.between = Some(self.between.map_or(between, |known| (known * 7 + between) / 8));
        }
    }

    /// Nobody waits: what passes until somebody does says nothing.
    fn queue_emptied(&mut self) {
        self.last = None;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives permits to those in turn, as far as the limits allow, and sees to it that somebody looks again.
    fn admit(self: &Arc<Self>, state: &mut State, now: Instant) {
        while !state.queue.is_empty() {
            match state.closed_until(now) {
                Opening::Now => {}
                Opening::At(time) => return self.look_again(state, time),
                Opening::WhenFree => return,
            }
            let Some(waiter) = state.queue.pop() else { break };
            let before = state.through - waiter.since;
            let permit = Permit { limiter: Arc::downgrade(self), waited: Duration::ZERO, before };
            match waiter.answer.send(Ok(permit)) {
                Ok(()) => {
                    state.waiting -= 1;
                    state.begin(now);
                    state.still_since = now;
                    state.dequeue_rate.permit_granted(now);
                }
                // It left.
                Err(Ok(permit)) => permit.forget(),
                Err(Err(_)) => {}
            }
        }
        state.dequeue_rate.queue_emptied();
    }

    fn look_again(self: &Arc<Self>, state: &mut State, time: Instant) {
        if state.alarm.is_some_and(|alarm| alarm <= time) {
            return;
        }
        state.alarm = Some(time);
        let limiter = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep_until(time).await;
            let Some(limiter) = limiter.upgrade() else { return };
            let mut state = limiter.lock();
            // A later alarm has been overtaken by an earlier one.
            if state.alarm == Some(time) {
                state.alarm = None;
            }
            limiter.admit(&mut state, Instant::now());
        });
    }
}

impl Permit {
    /// Ends it without having been used.
    fn forget(mut self) {
        self.limiter = Weak::new();
    }
}

impl HeldUntilEnd for Arc<Permit> {}

impl Contended for Permit {
    /// Whether all permits are held, and the queue has stood still for [`STALL`].
    fn is_contended(&self) -> bool {
        let Some(limiter) = self.limiter.upgrade() else { return false };
        let now = Instant::now();
        let mut state = limiter.lock();
        let is_stalled = state.waiting > 0 && now - state.still_since >= STALL;
        is_stalled && state.closed_until(now) == Opening::WhenFree
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(limiter) = self.limiter.upgrade() {
            let mut state = limiter.lock();
            state.in_flight -= 1;
            limiter.admit(&mut state, Instant::now());
        }
    }
}

/// Leaves the queue when it is dropped.
struct Waiting<'g> {
    limiter: &'g Limiter,
    receiver: oneshot::Receiver<Result<Permit, AcquireError>>,
    is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.receiver.close();
        // It may have come in the meantime.
        match self.receiver.try_recv() {
            Ok(given) => drop(given),
            Err(_) => {
                let mut state = self.limiter.0.lock();
                state.waiting -= 1;
                let waiting = state.waiting;
                state.queue.tidy(waiting);
            }
        }
    }
}

/// A queue that moves slower than this is one at which programs give up.
const STALL: Duration = Duration::from_secs(10);

/// Said to a client that finds the queue full before it has moved at all.
const UNKNOWN_PACE: Duration = Duration::from_millis(100);

const SHORTEST_RETRY: Duration = Duration::from_secs(1);

const LONGEST_RETRY: Duration = Duration::from_secs(600);

//! The limiter as the data path uses it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::fair_queue::ClientKey;
use super::lane::{Lane, Scope, Waiter};
use super::permits::{AcquireError, NextPermit, Permit, Shared, State};
use super::rate_wait::RateLimited;
use super::replicas::{SharedUse, Sharing, coordinate};
use crate::config::{Limits, Rate};
use crate::entra::ClientId;
use crate::shared_store::{SharedStore, StoreKey};

/// A limiter, as one application uses it. Clones share its state.
///
/// Several applications may share a limiter, as they do for SOAP calls: concurrency and queue are common to them, the
/// rate is each one's own.
#[derive(Debug, Clone)]
pub struct Limiter {
    pub(super) shared: Arc<Shared>,
    lane: usize,
}

/// What a limiter is doing now.
#[derive(Debug, Clone, Copy)]
pub struct LimiterState {
    /// The limits in force.
    pub limits: Limits,
    /// Permits that the application holds.
    pub in_flight: usize,
    /// The application's queued requests.
    pub waiting: usize,
    /// Requests that count against `limits.requests`: those in flight, and those that ended within its period.
    pub recent: usize,
    /// What is left of the pause that Business Central asked for.
    pub paused_for: Option<Duration>,
    /// Set while requests wait because of the rate.
    pub rate_limited: Option<RateLimited>,
    /// The least time that a request which is queued now waits because of the rate or a pause; `None`: it need not.
    pub next_permit: Option<Duration>,
    /// What all replicas use; `None`: they share nothing.
    pub shared: Option<SharedUse>,
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

impl State {
    /// Removes a request of the client with the most, if it has more than `client` would have with one more.
    fn evict_for(&mut self, client: ClientKey) -> Option<Waiter> {
        let own: usize = self.lanes.iter().map(|lane| lane.queue.waiting_of(client)).sum();
        let longest = self.lanes.iter_mut().filter_map(|lane| Some((lane.queue.longest()?, lane)));
        let ((waiting, client), lane) = longest.max_by_key(|((waiting, _), _)| *waiting)?;
        if waiting > own + 1 { lane.queue.evict(client) } else { None }
    }
}

impl Limiter {
    /// A limiter with these limits.
    pub fn new(limits: Limits, scope: Scope, application: ClientId) -> Self {
        Self { shared: Arc::new(Shared::new(limits, scope, application)), lane: 0 }
    }

    /// The same limiter, as another application uses it.
    pub fn for_application(&self, application: ClientId) -> Self {
        let mut state = self.shared.lock();
        let known = state.lanes.iter().position(|lane| lane.application == application);
        let lane = known.unwrap_or_else(|| {
            state.lanes.push(Lane::new(application, Instant::now()));
            state.lanes.len() - 1
        });
        Self { shared: self.shared.clone(), lane }
    }

    /// Shares the limits with the other replicas that use this key in the store.
    pub fn share(&self, store: &SharedStore, key: StoreKey) {
        let mut state = self.shared.lock();
        let sharing = Sharing::new(store.clone(), key, state.limits, Instant::now());
        tokio::spawn(coordinate(Arc::downgrade(&self.shared), store.clone(), sharing.wake_up.clone()));
        state.sharing = Some(Box::new(sharing));
    }

    /// Changes the limits. They apply immediately, including to queued requests.
    pub fn set_limits(&self, limits: Limits) {
        let mut state = self.shared.lock();
        state.limits = state.sharing.as_mut().map_or(limits, |sharing| sharing.limits(limits));
        state.lanes.iter_mut().for_each(Lane::limits_changed);
        self.shared.grant(&mut state, Instant::now());
    }

    /// Removes the limits: the queue is released, unless Business Central asked for a pause.
    pub fn remove_limits(&self) {
        let limits = {
            let mut state = self.shared.lock();
            // What is in flight is forgotten there when its leases expire.
            state.sharing = None;
            state.limits
        };
        let requests = Rate { count: usize::MAX, ..limits.requests };
        self.set_limits(Limits { concurrency: usize::MAX, requests, ..limits });
    }

    /// Acquires a permit, queued until `deadline` if necessary.
    ///
    /// Fails at once when its permit certainly lies beyond, unless requests ahead of it leave.
    /// Dropping the future leaves the queue.
    pub async fn acquire(
        &self,
        client: ClientKey,
        deadline: Instant,
        priority: Priority,
    ) -> Result<Permit, AcquireError> {
        let (now, lane) = (Instant::now(), self.lane);
        let mut queued = {
            let mut state = self.shared.lock();
            if state.lanes[lane].queue.is_empty() && state.next_permit(lane, now) == NextPermit::Now {
                let lease = state.next_lease();
                state.begin(lane, lease, now);
                if let Some(sharing) = &state.sharing {
                    sharing.wake_up.wake();
                }
                let limiter = Arc::downgrade(&self.shared);
                return Ok(Permit { limiter, lane, lease, waited: Duration::ZERO, ahead: 0 });
            }
            if state.is_too_late(lane, client, priority, deadline, now) {
                if state.paused_until.is_none_or(|until| until <= now) {
                    self.shared.note_rate_wait(&mut state, lane, now);
                }
                return Err(AcquireError::TimedOut { retry_after: state.estimate(lane, client, now) });
            }
            if state.waiting() >= state.limits.queue && priority == Priority::New {
                let full = AcquireError::Full { retry_after: state.estimate(lane, client, now) };
                let Some(evicted) = state.evict_for(client) else { return Err(full) };
                // A client that has left needs no response.
                let _ = evicted.response.send(Err(full));
            }
            let (response, receiver) = oneshot::channel();
            let waiter = Waiter { response, deadline, granted_before: state.granted };
            if state.waiting() == 0 {
                state.stalled_since = now;
            }
            let queue = &mut state.lanes[lane].queue;
            let queued_as = match priority {
                Priority::Retry => {
                    queue.push_retry(waiter);
                    None
                }
                Priority::New | Priority::Requeued => {
                    queue.push(client, waiter);
                    Some(client)
                }
            };
            self.shared.grant(&mut state, now);
            QueuedRequest { limiter: self, queued_as, receiver, is_served: false }
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
                let retry_after = self.shared.lock().estimate(lane, client, Instant::now());
                Err(AcquireError::TimedOut { retry_after })
            }
        }
    }

    /// Pauses, since Business Central asked for it. Whether the limiter was not paused before.
    ///
    /// Queued requests are evicted if other applications can take over. If not, those that can't outlast the pause are
    /// rejected.
    pub fn throttle(&self, time: Duration, others_take_over: bool) -> bool {
        let was_open = self.pause(time);
        if others_take_over {
            self.evict();
        } else {
            self.reject_late();
        }
        was_open
    }

    /// Grants no permit for a while. Whether the limiter was not paused before.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let now = Instant::now();
        let mut state = self.shared.lock();
        let was_open = state.paused_until.is_none_or(|until| until <= now);
        state.paused_until = state.paused_until.max(Some(now + time));
        if let Some(sharing) = &mut state.sharing {
            sharing.ledger.pause(now + time);
        }
        self.shared.grant(&mut state, now);
        was_open
    }

    /// Rejects the queued requests that can't outlast the pause.
    pub(super) fn reject_late(&self) {
        let now = Instant::now();
        let mut state = self.shared.lock();
        if let Some(until) = state.paused_until.filter(|until| *until > now) {
            state.lanes.iter_mut().for_each(|lane| lane.reject_until(until, until - now));
        }
    }

    /// Evicts the application's queued requests: another application's limiter can serve them.
    pub(super) fn evict(&self) {
        self.shared.lock().lanes[self.lane].evict();
    }

    /// Whether a pause that Business Central asked for is not over.
    pub fn is_paused(&self) -> bool {
        self.shared.lock().paused_until.is_some_and(|until| until > Instant::now())
    }

    /// What the limiter is doing now.
    pub fn state(&self) -> LimiterState {
        let now = Instant::now();
        let mut state = self.shared.lock();
        let State { limits, paused_until, .. } = *state;
        let Lane { window, queue, rate_wait, .. } = &mut state.lanes[self.lane];
        let recent = window.used(now, limits.requests);
        let paused_for = paused_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero());
        let rate_limited = rate_wait.and_then(|wait| wait.told(now));
        let (in_flight, waiting) = (window.held(), queue.waiting());
        let next_permit = state.not_before(self.lane, waiting, now).saturating_duration_since(now);
        let next_permit = Some(next_permit).filter(|time| !time.is_zero());
        let shared = state.sharing.as_ref().map(|sharing| sharing.shared_use(self.lane, now));
        LimiterState { limits, in_flight, waiting, recent, paused_for, rate_limited, next_permit, shared }
    }

    /// The application's requests in flight or queued.
    pub fn load(&self) -> usize {
        let state = self.shared.lock();
        let Lane { window, queue, .. } = &state.lanes[self.lane];
        window.held() + queue.waiting()
    }

    /// Whether the rate, or a pause, delays the application's next permit.
    pub fn is_delayed_by_rate(&self) -> bool {
        matches!(self.shared.lock().next_permit(self.lane, Instant::now()), NextPermit::At(_))
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// A request's side of its place in the queue; dropping it leaves the queue.
struct QueuedRequest<'l> {
    limiter: &'l Limiter,
    /// `None`: among the retries.
    queued_as: Option<ClientKey>,
    receiver: oneshot::Receiver<Result<Permit, AcquireError>>,
    is_served: bool,
}

impl Drop for QueuedRequest<'_> {
    fn drop(&mut self) {
        if self.is_served {
            return;
        }
        let mut state = self.limiter.shared.lock();
        self.receiver.close();
        match self.receiver.try_recv() {
            // A permit may have been granted in the meantime. Its release needs the lock.
            Ok(granted) => {
                drop(state);
                drop(granted);
            }
            Err(_) => state.lanes[self.limiter.lane].leave(self.queued_as),
        }
    }
}

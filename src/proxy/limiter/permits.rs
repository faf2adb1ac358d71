//! The state of a limiter, and the permits it grants.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::lane::{Lane, Scope};
use super::rate_wait::{self, RateWait};
use super::replicas::Sharing;
use crate::config::Limits;
use crate::entra::ClientId;
use crate::proxy::upstream::HeldUntilEnd;

/// What all handles of a limiter share.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    pub scope: Scope,
}

/// Limits, and what they are held against.
#[derive(Debug)]
pub struct State {
    /// The limits in force. With other replicas and without the shared store, a share of those that are configured.
    pub limits: Limits,
    /// Set if other replicas share the limits.
    pub sharing: Option<Box<Sharing>>,
    /// Permits that are held.
    pub in_flight: usize,
    /// Permits granted so far.
    pub granted: u64,
    /// The rate and the queue of each application, at least one. None is ever removed.
    pub lanes: Vec<Lane>,
    /// The lane that granted the latest permit.
    latest: usize,
    /// The end of the pause that Business Central asked for.
    pub paused_until: Option<Instant>,
    /// When a timer fires that grants permits as time passes.
    timer: Option<Instant>,
    /// Start of the current stall, while requests wait.
    pub stalled_since: Instant,
}

/// The right to have one request in flight. Dropping it releases the permit.
#[derive(Debug)]
pub struct Permit {
    pub(super) limiter: Weak<Shared>,
    pub(super) lane: usize,
    /// What the shared store knows it by.
    pub(super) lease: u64,
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

/// Which queue gets the next permit.
enum NextLane {
    Lane(usize),
    /// None before this time.
    At(Instant),
    /// None before a permit is released.
    None,
}

/// When the next permit can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPermit {
    Now,
    At(Instant),
    /// When one is released, or the shared store grants one.
    OnRelease,
}

impl State {
    /// When a lane's next permit can be granted.
    pub fn next_permit(&mut self, lane: usize, now: Instant) -> NextPermit {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return NextPermit::At(until);
        }
        self.paused_until = None;
        if self.is_shared() {
            let until = self.lanes[lane].not_before.filter(|until| *until > now);
            return until.map_or(NextPermit::OnRelease, NextPermit::At);
        }
        if self.in_flight >= self.limits.concurrency {
            return NextPermit::OnRelease;
        }
        self.lanes[lane].window.next(now, self.limits.requests).map_or(NextPermit::Now, NextPermit::At)
    }

    /// Whether permits come from the shared store.
    pub fn is_shared(&self) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| sharing.is_used())
    }

    /// Has the shared store asked for permits, and told what has changed. Whether permits come from there.
    fn ask_store(&self) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| {
            sharing.wake_up.wake();
            sharing.is_used()
        })
    }

    /// The number of the next permit's lease; without other replicas, nobody needs one.
    pub fn next_lease(&mut self) -> u64 {
        self.sharing.as_mut().map_or(0, |sharing| sharing.ledger.next_lease())
    }

    /// The lanes in which requests wait.
    pub fn waiting_lanes(&self) -> impl Iterator<Item = usize> {
        self.lanes.iter().enumerate().filter(|(_, lane)| !lane.queue.is_empty()).map(|(lane, _)| lane)
    }

    /// Counts a request that got a permit.
    pub fn begin(&mut self, lane: usize, lease: u64, now: Instant) {
        if let Some(sharing) = &mut self.sharing {
            sharing.ledger.hold(lease, lane, sharing.is_joined, now);
        }
        self.in_flight += 1;
        self.granted += 1;
        self.lanes[lane].window.grant(now, self.limits.requests);
    }

    /// Requests that are queued.
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.queue.waiting()).sum()
    }

    /// The lane whose queue is next to get a permit, where the rates allow one; otherwise the time when they do.
    fn next_lane(&mut self, now: Instant) -> NextLane {
        let (latest, lanes) = (self.latest, self.lanes.len());
        let mut at: Option<Instant> = None;
        for lane in (1..=lanes).map(|step| (latest + step) % lanes) {
            if self.lanes[lane].queue.is_empty() {
                continue;
            }
            match self.next_permit(lane, now) {
                NextPermit::Now => return NextLane::Lane(lane),
                NextPermit::At(time) => at = Some(at.map_or(time, |at| at.min(time))),
                NextPermit::OnRelease => {}
            }
        }
        at.map_or(NextLane::None, NextLane::At)
    }
}

impl Shared {
    /// The state of a limiter that nothing has passed yet.
    pub fn new(limits: Limits, scope: Scope, application: ClientId) -> Self {
        let now = Instant::now();
        Self {
            scope,
            state: Mutex::new(State {
                limits,
                sharing: None,
                in_flight: 0,
                granted: 0,
                lanes: vec![Lane::new(application, now)],
                latest: 0,
                paused_until: None,
                timer: None,
                stalled_since: now,
            }),
        }
    }

    /// The state.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grants permits to queued requests as far as the limits allow, and starts a timer where only time can grant more.
    pub fn grant(self: &Arc<Self>, state: &mut State, now: Instant) {
        if state.ask_store() {
            return;
        }
        loop {
            let lane = match state.next_lane(now) {
                NextLane::Lane(lane) => lane,
                NextLane::At(time) => {
                    self.note_rate_waits(state, now);
                    return self.grant_at(state, time);
                }
                NextLane::None => return,
            };
            state.latest = lane;
            let lease = state.next_lease();
            self.grant_to(state, lane, lease, now);
        }
    }

    /// Grants a permit to the next request of a lane. Whether there was one.
    fn grant_to(self: &Arc<Self>, state: &mut State, lane: usize, lease: u64, now: Instant) -> bool {
        while let Some(waiter) = state.lanes[lane].queue.pop() {
            let ahead = state.granted - waiter.granted_before;
            let permit = Permit { limiter: Arc::downgrade(self), lane, lease, waited: Duration::ZERO, ahead };
            match waiter.response.send(Ok(permit)) {
                Ok(()) => {
                    state.begin(lane, lease, now);
                    state.stalled_since = now;
                    state.lanes[lane].granted(now);
                    return true;
                }
                // The client has left.
                Err(Ok(permit)) => permit.discard(),
                Err(Err(_)) => {}
            }
        }
        false
    }

    /// Grants a permit that the shared store has granted to a lane.
    pub fn grant_lease(self: &Arc<Self>, state: &mut State, lane: usize, lease: u64, now: Instant) {
        if !self.grant_to(state, lane, lease, now)
            && let Some(sharing) = &mut state.sharing
        {
            // All of its clients have left.
            sharing.ledger.give_back(lease, lane);
        }
    }

    /// Notes which lanes have requests that wait because of the rate.
    pub fn note_rate_waits(self: &Arc<Self>, state: &mut State, now: Instant) {
        for lane in 0..state.lanes.len() {
            if state.waits_for_rate(lane, now) {
                self.note_rate_wait(state, lane, now);
            }
        }
    }

    /// Notes that the rate keeps a request of a lane waiting, or from being queued.
    pub fn note_rate_wait(self: &Arc<Self>, state: &mut State, lane: usize, now: Instant) {
        match &mut state.lanes[lane].rate_wait {
            Some(wait) => wait.note(now),
            wait @ None => {
                *wait = Some(RateWait::begin(now));
                tokio::spawn(rate_wait::watch(Arc::downgrade(self), lane));
            }
        }
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
            if let Some(sharing) = &mut state.sharing {
                sharing.ledger.release(self.lease, now, rate);
            }
            state.in_flight -= 1;
            state.lanes[self.lane].window.release(now, rate);
            limiter.grant(&mut state, now);
        }
    }
}

impl HeldUntilEnd for Arc<Permit> {}

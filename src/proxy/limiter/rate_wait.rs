//! Whether requests wait because of the rate, and since when: told once when it begins and once when it has ended.

use std::sync::Weak;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::permits::Shared;
use crate::guide::Event;

/// A time in which requests wait because of the rate, again and again.
#[derive(Debug, Clone, Copy)]
pub struct RateWait {
    since: Instant,
    /// When a request was last seen to wait.
    last: Instant,
    /// The beginning on the clock; `None` until it has lasted for [`TOLD_AFTER`].
    told_since: Option<OffsetDateTime>,
}

/// Since when requests have been waiting because of the rate.
#[derive(Debug, Clone, Copy)]
pub struct RateLimited {
    /// The beginning.
    pub since: OffsetDateTime,
    /// The time since then.
    pub lasts: Duration,
}

impl RateWait {
    /// A request waits now for the first time.
    pub fn begin(now: Instant) -> Self {
        Self { since: now, last: now, told_since: None }
    }

    /// A request waits now.
    pub fn note(&mut self, now: Instant) {
        self.last = now;
    }

    /// What is told of it; `None` while it has not lasted long enough.
    pub fn told(&self, now: Instant) -> Option<RateLimited> {
        let lasts = now.saturating_duration_since(self.since);
        self.told_since.map(|since| RateLimited { since, lasts })
    }
}

/// Tells of the waits in a lane until they have ended.
pub async fn watch(limiter: Weak<Shared>, lane: usize) {
    let mut next = Instant::now() + TICK;
    loop {
        tokio::time::sleep_until(next).await;
        let Some(limiter) = limiter.upgrade() else { return };
        let now = Instant::now();
        let mut state = limiter.lock();
        limiter.note_rate_waits(&mut state, now);
        let rate = state.limits.requests;
        let lane = &mut state.lanes[lane];
        let Some(wait) = &mut lane.rate_wait else { return };
        let ends_at = wait.last + if wait.told_since.is_some() { ENDED_AFTER } else { TOLD_AFTER };
        let (client_id, protocol) = (lane.application, limiter.scope.protocol());
        let environment = limiter.scope.environment.as_str();
        if ends_at <= now {
            if wait.told_since.is_some() {
                tracing::info!(
                    event_id = Event::RateLimitFree.id(),
                    environment, %client_id, protocol,
                    "requests no longer wait because of the rate limit; they did for {} s",
                    (wait.last - wait.since).as_secs()
                );
            }
            lane.rate_wait = None;
            return;
        }
        if wait.told_since.is_none() && wait.since + TOLD_AFTER <= wait.last {
            wait.told_since = Some(OffsetDateTime::now_utc() - (now - wait.since));
            tracing::warn!(
                event_id = Event::RateLimitUsedUp.id(),
                environment, %client_id, protocol,
                "requests wait because of the rate limit (`limits: {{ requests: {} per {} s }}`): they come faster than \
                 Business Central accepts them from one application",
                rate.count, rate.per.as_secs_f32()
            );
        }
        next = if wait.told_since.is_some() { wait.last + ENDED_AFTER } else { now + TICK };
    }
}

/// A short burst is no reason to tell of it.
const TOLD_AFTER: Duration = Duration::from_secs(5);

/// How often it is looked whether they still wait.
const TICK: Duration = Duration::from_secs(1);

/// Without a wait for this time, it has ended.
const ENDED_AFTER: Duration = Duration::from_secs(60);

//! The circuit breaker: a host that cannot be reached is not tried by every request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::guide::Event;
use crate::outbound::Unreachable;

/// The circuit breaker of one host.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug)]
enum State {
    /// Connecting works, but for this many failures in a row.
    Closed { failures: u32 },
    /// No attempt is made until then; `pause` is how long this lasts. `is_probing`: after it, one attempt is made, and
    /// all others fail until its outcome is known, or until the next probe.
    Open { because: Unreachable, until: Instant, pause: Duration, is_probing: bool },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Fails with the reason of the last failure while the circuit is open.
    pub fn check(&self, now: Instant) -> Result<(), Unreachable> {
        match &mut *self.lock() {
            State::Closed { .. } => Ok(()),
            State::Open { because, until, .. } if now < *until => Err(because.clone()),
            State::Open { until, is_probing, .. } => {
                (*until, *is_probing) = (now + MIN_PAUSE, true);
                Ok(())
            }
        }
    }

    /// The reason of the last failure, unless the circuit is closed.
    pub fn open_because(&self) -> Option<Unreachable> {
        match &*self.lock() {
            State::Closed { .. } => None,
            State::Open { because, .. } => Some(because.clone()),
        }
    }

    /// Closes the circuit: a connection was made.
    pub fn record_success(&self) {
        let before = std::mem::take(&mut *self.lock());
        if let State::Open { because, .. } = before {
            tracing::info!(
                event_id = Event::Reachable.id(),
                host = because.host(),
                "Business Central can be reached again"
            );
        }
    }

    /// Counts a failure to connect.
    pub fn record_failure(&self, because: &Unreachable, now: Instant) {
        let open = |pause| State::Open { because: because.clone(), until: now + pause, pause, is_probing: false };
        let mut state = self.lock();
        match &mut *state {
            State::Closed { failures } if *failures + 1 < FAILURE_THRESHOLD => *failures += 1,
            State::Closed { .. } => {
                *state = open(MIN_PAUSE);
                drop(state);
                tracing::warn!(event_id = Event::Unreachable.id(), host = because.host(), "{because}");
            }
            // The attempt began before the circuit opened: this is the same outage.
            State::Open { is_probing: false, .. } => {}
            State::Open { pause, .. } => {
                let pause = pause.saturating_mul(2).min(MAX_PAUSE);
                *state = open(pause);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Failures in a row that open the circuit.
const FAILURE_THRESHOLD: u32 = 5;

const MIN_PAUSE: Duration = Duration::from_secs(1);

const MAX_PAUSE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_five_failures_and_lets_one_probe_through() {
        let breaker = Breaker::default();
        let because = Unreachable::business_central("bc", &std::io::Error::other("gone"));
        let mut now = Instant::now();
        for _ in 0..FAILURE_THRESHOLD {
            assert_eq!(breaker.check(now), Ok(()));
            breaker.record_failure(&because, now);
        }
        assert_eq!(breaker.check(now), Err(because.clone()));
        for _ in 0..100 {
            breaker.record_failure(&because, now);
        }
        for pause in [1, 2, 4, 8, 15, 15] {
            now += Duration::from_secs(pause);
            assert_eq!(breaker.check(now), Ok(()), "after {pause} s");
            assert_eq!(breaker.check(now), Err(because.clone()));
            breaker.record_failure(&because, now);
            assert_eq!(breaker.check(now + Duration::from_millis(999)), Err(because.clone()));
        }
        now += MAX_PAUSE;
        assert_eq!(breaker.check(now), Ok(()));
        breaker.record_success();
        assert_eq!(breaker.check(now), Ok(()));
        breaker.record_failure(&because, now);
        assert_eq!(breaker.check(now), Ok(()));
    }
}

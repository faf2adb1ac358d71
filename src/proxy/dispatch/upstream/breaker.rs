//! The circuit breaker: a host nobody can connect to is not tried by every request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::outbound::Unreachable;

/// What is known of the way to one host.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug)]
enum State {
    /// So many attempts failed since the last one that did not.
    Closed { failures: u32 },
    /// Nobody tries, for this long a pause, until a probe may.
    Open { because: Unreachable, until: Instant, pause: Duration },
    /// One tries; the others wait for its outcome, or for the next probe.
    Probing { because: Unreachable, until: Instant, pause: Duration },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Whether an attempt makes sense; if not, why the last ones failed.
    pub fn allows(&self, now: Instant) -> Result<(), Unreachable> {
        let mut state = self.lock();
        match &*state {
            State::Closed { .. } => Ok(()),
            State::Open { because, until, .. } | State::Probing { because, until, .. } if now < *until => {
                Err(because.clone())
            }
            State::Open { because, pause, .. } | State::Probing { because, pause, .. } => {
                *state = State::Probing { because: because.clone(), until: now + SHORTEST, pause: *pause };
                Ok(())
            }
        }
    }

    /// Why nobody tries at the moment, or one only.
    pub fn is_open_because(&self) -> Option<Unreachable> {
        match &*self.lock() {
            State::Closed { .. } => None,
            State::Open { because, .. } | State::Probing { because, .. } => Some(because.clone()),
        }
    }

    pub fn succeeded(&self) {
        *self.lock() = State::default();
    }

    pub fn failed(&self, because: &Unreachable, now: Instant) {
        let open = |pause| State::Open { because: because.clone(), until: now + pause, pause };
        let mut state = self.lock();
        match &mut *state {
            State::Closed { failures } if *failures + 1 < TOLERATED => *failures += 1,
            State::Closed { .. } => *state = open(SHORTEST),
            // It began before the others failed: one outage, not another.
            State::Open { .. } => {}
            State::Probing { pause, .. } => {
                let pause = pause.saturating_mul(2).min(LONGEST);
                *state = open(pause);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many failures in a row are no accident.
const TOLERATED: u32 = 5;

const SHORTEST: Duration = Duration::from_secs(1);

const LONGEST: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_five_failures_and_lets_one_probe_through() {
        let breaker = Breaker::default();
        let because = Unreachable::business_central("bc", &std::io::Error::other("gone"));
        let mut now = Instant::now();
        for _ in 0..TOLERATED {
            assert_eq!(breaker.allows(now), Ok(()));
            breaker.failed(&because, now);
        }
        assert_eq!(breaker.allows(now), Err(because.clone()));
        for _ in 0..100 {
            breaker.failed(&because, now);
        }
        for pause in [1, 2, 4, 8, 15, 15] {
            now += Duration::from_secs(pause);
            assert_eq!(breaker.allows(now), Ok(()), "after {pause} s");
            assert_eq!(breaker.allows(now), Err(because.clone()));
            breaker.failed(&because, now);
            assert_eq!(breaker.allows(now + Duration::from_millis(999)), Err(because.clone()));
        }
        now += LONGEST;
        assert_eq!(breaker.allows(now), Ok(()));
        breaker.succeeded();
        assert_eq!(breaker.allows(now), Ok(()));
        breaker.failed(&because, now);
        assert_eq!(breaker.allows(now), Ok(()));
    }
}

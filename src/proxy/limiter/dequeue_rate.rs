//! How fast a queue moves, for estimates of when a newcomer is served.

use std::time::Duration;

use tokio::time::Instant;

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

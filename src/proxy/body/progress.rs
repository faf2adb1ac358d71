//! How far a streaming request body got.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How far a streaming body got.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    /// Milliseconds after `started` at which the last piece was forwarded.
    last: AtomicU64,
    failed: AtomicBool,
}

impl Default for Progress {
    fn default() -> Self {
        Self { started: Instant::now(), last: AtomicU64::new(0), failed: AtomicBool::new(false) }
    }
}

impl Progress {
    /// When the last piece was forwarded.
    pub fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// Whether the client aborted the body.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Notes that a piece was forwarded now.
    pub fn advance(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    /// Notes that the client aborted the body.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}

//! What was exported, what was dropped, and why exports fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

/// A kind of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans of requests.
    Traces,
    /// Data points.
    Metrics,
    /// Log records.
    Logs,
}

/// What became of the records since the start of the process.
#[derive(Debug, Default)]
pub struct ExportState {
    traces: Counts,
    metrics: Counts,
    logs: Counts,
    failure: ArcSwapOption<String>,
}

#[derive(Debug, Default)]
struct Counts {
    exported: AtomicU64,
    dropped: AtomicU64,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The last segment of its path at the collector.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

impl ExportState {
    /// How many records were exported, and how many were dropped.
    pub fn counts(&self, signal: Signal) -> (u64, u64) {
        let counts = self.of(signal);
        (counts.exported.load(Ordering::Relaxed), counts.dropped.load(Ordering::Relaxed))
    }

    /// Records dropped, of all signals together.
    pub fn all_dropped(&self) -> u64 {
        Signal::ALL.into_iter().map(|signal| self.counts(signal).1).sum()
    }

    /// Why the latest export failed; `None` when it did not.
    pub fn failure(&self) -> Option<Arc<String>> {
        self.failure.load_full()
    }

    pub(super) fn exported(&self, signal: Signal, records: usize) {
        self.of(signal).exported.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, signal: Signal, records: usize) {
        self.of(signal).dropped.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(super) fn set_failure(&self, failure: Option<String>) {
        self.failure.store(failure.map(Arc::new));
    }

    fn of(&self, signal: Signal) -> &Counts {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }
}

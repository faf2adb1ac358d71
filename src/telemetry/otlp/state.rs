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
    /// Those of the dropped records that an exporter dropped after its end.
    late: AtomicU64,
}

#[derive(Debug, Default)]
struct Counts {
    exported: AtomicU64,
    dropped: AtomicU64,
    failure: ArcSwapOption<String>,
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

    /// Records dropped, of all signals together, without those that an exporter dropped after its end.
    pub fn dropped_in_service(&self) -> u64 {
        let all: u64 = Signal::ALL.into_iter().map(|signal| self.counts(signal).1).sum();
        all.saturating_sub(self.late.load(Ordering::Relaxed))
    }

    /// Why the latest export of a signal failed; `None` when none did.
    pub fn failure(&self) -> Option<Arc<String>> {
        Signal::ALL.into_iter().find_map(|signal| self.of(signal).failure.load_full())
    }

    pub(super) fn exported(&self, signal: Signal, records: usize) {
        self.of(signal).exported.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, signal: Signal, records: usize) {
        self.of(signal).dropped.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// The same after the end of the exporter.
    pub(super) fn dropped_late(&self, signal: Signal, records: usize) {
        self.late.fetch_add(records as u64, Ordering::Relaxed);
        self.dropped(signal, records);
    }

    pub(super) fn set_failure(&self, signal: Signal, failure: Option<String>) {
        self.of(signal).failure.store(failure.map(Arc::new));
    }

    fn of(&self, signal: Signal) -> &Counts {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_signal_that_is_exported_hides_no_failure_of_another() {
        let state = ExportState::default();
        state.set_failure(Signal::Logs, Some("it answered 404 to /v1/logs".to_owned()));
        state.set_failure(Signal::Metrics, None);
        assert_eq!(state.failure().as_deref().map(String::as_str), Some("it answered 404 to /v1/logs"));
        state.set_failure(Signal::Logs, None);
        assert_eq!(state.failure(), None);
    }
}

//! What became of telemetry for a collector.

use serde::Serialize;

use crate::telemetry::otlp::{Signal, Tracing};

/// What was exported to a collector since the start, and what was dropped.
#[derive(Debug, Serialize)]
pub struct OtlpReport {
    /// The address of the collector.
    pub endpoint: String,
    /// Why the latest export failed; `None` when it did not.
    pub failure: Option<String>,
    pub traces: ExportReport,
    pub metrics: ExportReport,
    pub logs: ExportReport,
}

/// The records of one signal.
#[derive(Debug, Serialize)]
pub struct ExportReport {
    pub exported: u64,
    pub dropped: u64,
}

impl OtlpReport {
    /// `None` without a collector.
    pub fn of(tracing: &Tracing) -> Option<Self> {
        let of = |signal| {
            let (exported, dropped) = tracing.state.counts(signal);
            ExportReport { exported, dropped }
        };
        Some(Self {
            endpoint: tracing.settings()?.endpoint.to_string(),
            failure: tracing.state.failure().map(|failure| failure.to_string()),
            traces: of(Signal::Traces),
            metrics: of(Signal::Metrics),
            logs: of(Signal::Logs),
        })
    }

    /// Each signal with its records.
    pub fn signals(&self) -> [(&'static str, &ExportReport); 3] {
        [
            (Signal::Traces.as_str(), &self.traces),
            (Signal::Metrics.as_str(), &self.metrics),
            (Signal::Logs.as_str(), &self.logs),
        ]
    }
}

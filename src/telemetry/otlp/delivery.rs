//! The batches of a signal on their way to the collector, and their retries.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use prost::Message;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attributes::{resource, scope};
use super::collector::{Collector, ExportError};
use super::metrics::data_points;
use super::queue::{Queue, size_of_record};
use super::state::{ExportState, Signal};

/// The way of all signals to the collector.
pub struct Delivery {
    /// Where records go.
    pub collector: Collector,
    /// Where exported and dropped records are counted.
    pub state: Arc<ExportState>,
    /// After this, everything is tried once, and then dropped.
    pub stop: CancellationToken,
    /// What the log said.
    pub reported: Reported,
}

/// What the log said last of the collector.
#[derive(Debug, Default)]
pub struct Reported {
    /// When it said that records are dropped or exports fail.
    at: Cell<Option<Instant>>,
    /// Whether it said last that exports fail.
    is_open: Cell<bool>,
    /// The records dropped until then.
    dropped: Cell<u64>,
}

impl Reported {
    /// Nothing yet. Records dropped before are not the collector's.
    pub fn nothing(state: &ExportState) -> Self {
        Self { dropped: Cell::new(state.dropped_in_service()), ..Self::default() }
    }
}

impl Delivery {
    /// Exports the records of a queue until the exporter stops. `encode` makes the request of a batch.
    pub async fn records<T: Message>(&self, queue: &Queue<T>, encode: impl Fn(Vec<T>) -> Vec<u8>) {
        loop {
            let stops = tokio::select! {
                biased;
                () = self.stop.cancelled() => true,
                () = queue.filling() => false,
                () = tokio::time::sleep(INTERVAL) => false,
            };
            // Later ones wait, so that others join them. Until their turn, all stay in the queue, which has a bound.
            let mut left = queue.count();
            while left > 0 {
                let batch = queue.take(BATCH_BYTES);
                let records = batch.len();
                left = left.saturating_sub(records.max(1));
                self.deliver(queue.signal, records, encode(batch).into()).await;
            }
            self.report();
            if stops {
                queue.close();
                return;
            }
        }
    }

    /// Exports metrics at this interval, and once more when the exporter stops.
    pub async fn metrics(&self, interval: Duration, gather: impl Fn() -> Vec<Metric>) {
        let mut failures = 0;
        let mut pause = Duration::ZERO;
        loop {
            let stops = tokio::select! {
                () = self.stop.cancelled() => true,
                () = tokio::time::sleep(interval.max(pause)) => false,
            };
            pause = Duration::ZERO;
            for batch in batches(gather(), size_of_record) {
                let points = batch.iter().map(data_points).sum();
                let Err(error) = self.attempt(Signal::Metrics, points, self.encode_metrics(batch)).await else {
                    failures = 0;
                    continue;
                };
                // Nothing is retried: the next values say the same and more.
                self.dropped(Signal::Metrics, points);
                failures += 1;
                pause = back_off(failures).max(error.retry().unwrap_or_default());
            }
            self.report();
            if stops {
                return;
            }
        }
    }

    fn encode_metrics(&self, metrics: Vec<Metric>) -> Bytes {
        let metrics = ScopeMetrics { scope: Some(scope()), metrics, ..ScopeMetrics::default() };
        let resource = Some(resource(&self.collector.settings));
        let metrics = ResourceMetrics { resource, scope_metrics: vec![metrics], ..ResourceMetrics::default() };
        ExportMetricsServiceRequest { resource_metrics: vec![metrics] }.encode_to_vec().into()
    }

    /// Sends a batch until the collector takes or rejects it.
    async fn deliver(&self, signal: Signal, records: usize, body: Bytes) {
        for failures in 1.. {
            let stopped = self.stop.is_cancelled();
            let Err(error) = self.attempt(signal, records, body.clone()).await else { return };
            let Some(asked) = error.retry().filter(|_| !stopped) else { break };
            self.report();
            tokio::select! {
                () = tokio::time::sleep(back_off(failures).max(asked)) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.dropped(signal, records);
    }

    fn dropped(&self, signal: Signal, records: usize) {
        match self.stop.is_cancelled() {
            true => self.state.dropped_late(signal, records),
            false => self.state.dropped(signal, records),
        }
    }

    async fn attempt(&self, signal: Signal, records: usize, body: Bytes) -> Result<(), ExportError> {
        let outcome = self.collector.export(signal, body).await;
        // Afterwards, it is up to the next exporter to say what fails.
        if !self.stop.is_cancelled() {
            self.state.set_failure(signal, outcome.as_ref().err().map(ToString::to_string));
        }
        let rejected = outcome?.min(records);
        self.state.exported(signal, records - rejected);
        self.dropped(signal, rejected);
        Ok(())
    }

    /// Logs that exports fail or that records were dropped, once a minute at most, and that it is over.
    fn report(&self) {
        let (failure, dropped) = (self.state.failure(), self.state.dropped_in_service());
        let Reported { at, is_open, dropped: reported } = &self.reported;
        let endpoint = &self.collector.settings.endpoint;
        let news = dropped - reported.get().min(dropped);
        if failure.is_none() && is_open.take() {
            reported.set(dropped);
            tracing::info!(
                "the OpenTelemetry collector at {endpoint} takes telemetry again. Records dropped since the last such line: {news}"
            );
            return;
        }
        let is_due = at.get().is_none_or(|at| at.elapsed() >= REPORT_INTERVAL);
        if failure.is_none() && news == 0 || !is_due {
            return;
        }
        at.set(Some(Instant::now()));
        is_open.set(failure.is_some());
        reported.set(dropped);
        let reason =
            failure.map_or_else(|| "it is too slow, or rejects records".to_owned(), |reason| reason.to_string());
        tracing::warn!(
            "telemetry is not exported to the OpenTelemetry collector at {endpoint}: {reason}. Records dropped since the last such line: {news}. Requests are not affected"
        );
    }
}

/// Splits what is too large for one request.
fn batches<T>(records: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut left = 0;
    for record in records {
        let size = size(&record);
        match batches.last_mut().filter(|_| size <= left) {
            Some(batch) => {
                left -= size;
                batch.push(record);
            }
            None => {
                left = BATCH_BYTES.saturating_sub(size);
                batches.push(vec![record]);
            }
        }
    }
    batches
}

/// The pause after this many failures, spread by jitter.
fn back_off(failures: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(MAX_PAUSE);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// How long records wait at most, so that others join them.
const INTERVAL: Duration = Duration::from_secs(1);

/// Collectors accept a few megabytes.
const BATCH_BYTES: usize = 1024 * 1024;

const FIRST_PAUSE: Duration = Duration::from_secs(1);

const MAX_PAUSE: Duration = Duration::from_secs(60);

const REPORT_INTERVAL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_as_large_as_a_request_may_be_or_a_single_record() {
        let sizes = |records: &[usize]| {
            let batches = batches(records.to_vec(), |size| *size);
            batches.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[BATCH_BYTES / 2, BATCH_BYTES / 2, 1]), [2, 1]);
        assert_eq!(sizes(&[1, 2 * BATCH_BYTES, 1, 1]), [1, 1, 2]);
    }

    #[test]
    fn the_back_off_grows_up_to_a_minute() {
        for (failures, seconds) in [(1, 1.0), (2, 2.0), (6, 32.0), (7, 60.0), (u32::MAX, 60.0)] {
            let pause = back_off(failures).as_secs_f64();
            assert!((seconds / 2.0..=seconds).contains(&pause), "{failures}: {pause}");
        }
    }
}

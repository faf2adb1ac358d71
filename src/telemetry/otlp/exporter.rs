//! The thread that exports. Clients can't keep it busy, and it can't keep them waiting.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::attributes::{resource, scope};
use super::collector::Collector;
use super::delivery::{Delivery, Reported};
use super::log_layer::mark_exporter_thread;
use super::queue::Queue;
use super::state::{ExportState, Signal};
use crate::config::Otlp;
use crate::outbound::OutboundError;

/// What is needed to export, before anything depends on it.
pub struct Prepared {
    collector: Collector,
    runtime: Runtime,
}

/// Exports until it is stopped or dropped.
pub struct Exporter {
    stop: DropGuard,
    ended: oneshot::Receiver<()>,
}

/// Where the records come from.
pub struct Sources {
    /// Spans; `None` if no request is traced.
    pub spans: Option<Arc<Queue<Span>>>,
    /// Log records; `None` if they are not exported.
    pub logs: Option<Arc<Queue<LogRecord>>>,
    /// Gathers the metrics.
    pub metrics: Box<dyn Fn() -> Vec<Metric> + Send>,
}

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExporterError {
    /// The client of the collector can't be set up.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The system can't start another thread.
    #[error("the thread of the exporter can't be started ({0})")]
    Thread(#[from] io::Error),
}

impl Prepared {
    /// Sets up the client of the collector; nothing is sent yet.
    pub fn new(settings: &Otlp) -> Result<Self, ExporterError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { collector: Collector::new(settings)?, runtime })
    }
}

impl Exporter {
    /// Starts the thread.
    pub fn start(prepared: Prepared, sources: Sources, state: Arc<ExportState>) -> io::Result<Self> {
        let Prepared { collector, runtime } = prepared;
        // What failed before may be about another collector, or a signal that is no longer exported.
        Signal::ALL.into_iter().for_each(|signal| state.set_failure(signal, None));
        let stop = CancellationToken::new();
        let reported = Reported::nothing(&state);
        let delivery = Delivery { collector, state, stop: stop.clone(), reported };
        let (ending, ended) = oneshot::channel();
        thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
            mark_exporter_thread();
            runtime.block_on(export(&delivery, sources));
            // Nobody may be waiting for the end.
            let _ = ending.send(());
        })?;
        Ok(Self { stop: stop.drop_guard(), ended })
    }

    /// Stops at once. The future completes when what is left is exported, or after a few seconds.
    pub fn stop(self) -> impl Future<Output = ()> + use<> {
        let Self { stop, ended } = self;
        drop(stop);
        async {
            if tokio::time::timeout(FLUSH_TIMEOUT, ended).await.is_err() {
                tracing::warn!(
                    "the OpenTelemetry collector did not take the last records within {} s",
                    FLUSH_TIMEOUT.as_secs()
                );
            }
        }
    }
}

async fn export(delivery: &Delivery, sources: Sources) {
    let Sources { spans, logs, metrics } = sources;
    let settings = &delivery.collector.settings;
    let spans = async {
        if let Some(queue) = spans {
            delivery.records(&queue, |spans| encode_spans(settings, spans)).await;
        }
    };
    let logs = async {
        if let Some(queue) = logs {
            delivery.records(&queue, |records| encode_logs(settings, records)).await;
        }
    };
    let metrics = async {
        if let Some(interval) = settings.metrics {
            delivery.metrics(interval, metrics).await;
        }
    };
    tokio::join!(spans, logs, metrics);
}

fn encode_spans(settings: &Otlp, spans: Vec<Span>) -> Vec<u8> {
    let spans = ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() };
    let spans =
        ResourceSpans { resource: Some(resource(settings)), scope_spans: vec![spans], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![spans] }.encode_to_vec()
}

fn encode_logs(settings: &Otlp, log_records: Vec<LogRecord>) -> Vec<u8> {
    let logs = ScopeLogs { scope: Some(scope()), log_records, ..ScopeLogs::default() };
    let logs = ResourceLogs { resource: Some(resource(settings)), scope_logs: vec![logs], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec()
}

/// How long the end of the process waits for the last exports.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

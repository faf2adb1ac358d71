//! OpenTelemetry: traces, metrics and logs for a collector (OTLP over HTTP, as protobuf).
//!
//! | file | job |
//! |---|---|
//! | `trace_context` | the ids of a trace, and the headers that carry them (W3C Trace Context) |
//! | `tracer` | which requests are traced |
//! | `attributes` | attributes of records, and the resource they are about |
//! | `log_layer` | what is logged, as log records |
//! | `metrics` | values of metrics, as data points |
//! | `queue` | records that wait for their export, within bounds |
//! | `state` | what was exported and what was dropped |
//! | `collector` | one request to the collector, and what its response means |
//! | `delivery` | the batches of a signal, and their retries |
//! | `exporter` | the thread that exports |
//!
//! The official SDK is not used: it can't export counts that exist already, and keeps no count of dropped records.

pub mod attributes;
mod collector;
mod delivery;
mod exporter;
mod log_layer;
pub mod metrics;
mod queue;
mod state;
mod trace_context;
mod tracer;

pub use exporter::{Exporter, ExporterError, Prepared, Sources};
pub use log_layer::{LogLayer, LogRecords};
pub use queue::Queue;
pub use state::Signal;
pub use trace_context::{SpanId, Trace};
pub use tracer::{Tracer, Tracing};

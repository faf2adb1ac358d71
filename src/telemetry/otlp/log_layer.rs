//! What is logged, as log records.

use std::cell::Cell;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::attributes::{any, attribute};
use super::metrics::unix_nanoseconds;
use super::queue::Queue;
use crate::telemetry::format::{cut_debug, cut_field};

/// Where log records wait for their export. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LogRecords(Arc<ArcSwapOption<Queue<LogRecord>>>);

/// Makes a log record of each event.
pub struct LogLayer(pub LogRecords);

impl LogRecords {
    /// Exports what is logged from now on by this queue. `None`: it is not exported.
    pub fn export_by(&self, queue: Option<Arc<Queue<LogRecord>>>) {
        self.0.store(queue);
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let queue = self.0.0.load();
        let Some(queue) = &*queue else { return };
        if IS_EXPORTER.get() {
            return;
        }
        queue.push(vec![record(event)]);
    }
}

/// Nothing that this thread logs is exported: it is about the export.
pub fn mark_exporter_thread() {
    IS_EXPORTER.set(true);
}

thread_local! {
    static IS_EXPORTER: Cell<bool> = const { Cell::new(false) };
}

fn record(event: &Event<'_>) -> LogRecord {
    let metadata = event.metadata();
    let now = unix_nanoseconds(SystemTime::now());
    let (severity, severity_text) = match *metadata.level() {
        Level::ERROR => (SeverityNumber::Error, "ERROR"),
        Level::WARN => (SeverityNumber::Warn, "WARN"),
        Level::INFO => (SeverityNumber::Info, "INFO"),
        Level::DEBUG => (SeverityNumber::Debug, "DEBUG"),
        Level::TRACE => (SeverityNumber::Trace, "TRACE"),
    };
    let record = LogRecord {
        time_unix_nano: now,
        observed_time_unix_nano: now,
        severity_number: severity.into(),
        severity_text: severity_text.to_owned(),
        ..LogRecord::default()
    };
    let mut visitor = RecordVisitor { record, target: None };
    event.record(&mut visitor);
    let RecordVisitor { mut record, target } = visitor;
    let target = target.unwrap_or_else(|| metadata.target().to_owned());
    record.attributes.push(attribute("target", Value::StringValue(target)));
    record
}

struct RecordVisitor {
    record: LogRecord,
    /// Of a line that a library wrote with the `log` crate.
    target: Option<String>,
}

impl RecordVisitor {
    fn value(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", value) => self.record.body = Some(any(value)),
            ("log.target", Value::StringValue(target)) => self.target = Some(target),
            ("trace_id", Value::StringValue(id)) => self.record.trace_id = bytes_of(&id),
            ("span_id", Value::StringValue(id)) => {
                self.record.span_id = bytes_of(&id);
                // The request is traced.
                self.record.flags = 1;
            }
            // The rest of the metadata of a library's line.
            (name, _) if name.starts_with("log.") => {}
            (name, value) => self.record.attributes.push(attribute(name, value)),
        }
    }
}

impl Visit for RecordVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.value(field, Value::StringValue(cut_field(field, value).into_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.value(field, Value::StringValue(cut_debug(field, value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.value(field, i64::try_from(value).map_or_else(|_| Value::DoubleValue(value as f64), Value::IntValue));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.value(field, Value::IntValue(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.value(field, Value::DoubleValue(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.value(field, Value::BoolValue(value));
    }
}

/// The bytes of hexadecimal digits.
fn bytes_of(digits: &str) -> Vec<u8> {
    let value = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or_default() as u8;
    digits.as_bytes().chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | value(digit))).collect()
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::telemetry::otlp::state::{ExportState, Signal};

    fn text(record: &LogRecord, key: &str) -> Option<Value> {
        let found = record.attributes.iter().find(|attribute| attribute.key == key)?;
        found.value.clone()?.value
    }

    #[test]
    fn a_line_becomes_a_record_with_its_fields_cut_and_its_trace() {
        let records = LogRecords::default();
        let queue = Queue::new(Signal::Logs, &Arc::new(ExportState::default()));
        let subscriber = tracing_subscriber::registry().with(LogLayer(records.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("before");
            records.export_by(Some(queue.clone()));
            let long = "ü".repeat(10_000);
            tracing::warn!(
                target: "bcproxy::access",
                trace_id = "4bf92f3577b34da6a3ce929d0e0e4736", span_id = "00f067aa0ba902b7",
                path = long.as_str(), bytes = 7_u64, ms = 0.5, id = %7, is = true, "hello"
            );
            std::thread::spawn({
                let dispatch = tracing::dispatcher::get_default(Clone::clone);
                move || {
                    mark_exporter_thread();
                    tracing::dispatcher::with_default(&dispatch, || tracing::warn!("of the exporter itself"));
                }
            })
            .join()
            .unwrap();
        });
        let [record] = <[LogRecord; 1]>::try_from(queue.take(usize::MAX)).unwrap();
        assert_eq!(record.body, Some(any(Value::StringValue("hello".to_owned()))));
        assert_eq!((record.severity_number, record.severity_text.as_str()), (13, "WARN"));
        assert_eq!((record.trace_id.len(), record.trace_id.first()), (16, Some(&0x4b)));
        assert_eq!(record.span_id, [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        let Some(Value::StringValue(path)) = text(&record, "path") else { panic!("{record:?}") };
        assert!(path.len() < 1100 && path.ends_with('…'));
        assert_eq!(text(&record, "bytes"), Some(Value::IntValue(7)));
        assert_eq!(text(&record, "ms"), Some(Value::DoubleValue(0.5)));
        assert_eq!(text(&record, "id"), Some(Value::StringValue("7".to_owned())));
        assert_eq!(text(&record, "is"), Some(Value::BoolValue(true)));
        assert_eq!(text(&record, "target"), Some(Value::StringValue("bcproxy::access".to_owned())));
    }
}

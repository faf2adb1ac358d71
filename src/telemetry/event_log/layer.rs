//! Forwards the lines of the log that have the field `event_id`, whatever `log.level` says.

use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::queue::{EventLog, Reporter};
use crate::guide::Event;
use crate::telemetry::format::{cut_debug, cut_field};

/// The layer that reports to this event log.
pub fn layer<S: Subscriber + for<'l> LookupSpan<'l>>(events: &EventLog) -> impl Layer<S> + use<S> {
    // A filter on the place of a line, asked once for each: other lines cost nothing.
    let is_event = |metadata: &Metadata<'_>| metadata.is_event() && metadata.fields().field(EVENT_ID).is_some();
    let filter = FilterFn::new(is_event as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::INFO);
    EventLayer(events.reporter()).with_filter(filter)
}

struct EventLayer(Reporter);

impl<S: Subscriber> Layer<S> for EventLayer {
    fn on_event(&self, line: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut visitor = EventVisitor::default();
        line.record(&mut visitor);
        let EventVisitor { event: Some(event), message, subject, details } = visitor else { return };
        let gap = if subject.is_empty() && details.is_empty() { "" } else { "\n\n" };
        self.0.report(event, &subject, &format!("{message}{gap}{subject}{details}"));
    }
}

/// The parts of an event, with the fields as lines.
#[derive(Default)]
struct EventVisitor {
    event: Option<Event>,
    message: String,
    /// The fields whose values are texts: names and ids.
    subject: String,
    /// All other fields.
    details: String,
}

impl EventVisitor {
    fn text(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message += value,
            name => add_line(&mut self.subject, name, value),
        }
    }
}

impl Visit for EventVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, &cut_field(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, &cut_debug(field, value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            EVENT_ID => self.event = Event::from_id(value),
            name => add_line(&mut self.details, name, value),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        add_line(&mut self.details, field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        add_line(&mut self.details, field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        add_line(&mut self.details, field.name(), value);
    }
}

fn add_line(lines: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a String can't fail.
    let _ = writeln!(lines, "{name}: {value}");
}

/// The field that makes a line an event.
const EVENT_ID: &str = "event_id";

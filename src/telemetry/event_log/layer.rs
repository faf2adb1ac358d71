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
    /// The fields whose values are texts: names and ids, such as that of a connector.
    subject: String,
    /// All other fields.
    details: String,
}

impl EventVisitor {
    fn text(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message += value,
            CLIENT => add_line(&mut self.details, CLIENT, value),
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

/// The address of the client that caused an event. It is not about this client: the next one may have another.
const CLIENT: &str = "client";

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc;

    use tracing::level_filters::LevelFilter;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::telemetry::event_log::queue::Sink;

    struct Written(mpsc::Sender<(Event, String)>);

    impl Sink for Written {
        fn write(&mut self, event: Event, text: &str) -> io::Result<()> {
            self.0.send((event, text.to_owned())).map_err(io::Error::other)
        }
    }

    /// The events of what is logged by `work`, while the log has only errors.
    fn events(work: impl FnOnce()) -> Vec<(Event, String)> {
        let (sender, written) = mpsc::channel();
        let events = EventLog::start(Written(sender)).unwrap();
        let log = tracing_subscriber::fmt::layer().with_writer(io::sink).with_filter(LevelFilter::ERROR);
        let subscriber = tracing_subscriber::registry().with(log).with(layer(&events));
        tracing::subscriber::with_default(subscriber, work);
        drop(events);
        written.iter().collect()
    }

    #[test]
    fn a_line_with_an_id_is_an_event_with_its_fields_whatever_the_level_of_the_log() {
        let events = events(|| {
            tracing::error!(connector = "a", "no event");
            tracing::info!(event_id = Event::Stopped.id(), "stopped");
            let client_id = "6f2d";
            tracing::warn!(
                event_id = Event::ConnectorNotReady.id(), connector = "till", client_id = %client_id, failures = 3,
                "connector is not ready: {}", "Entra rejects the secret.\nRenew it."
            );
            tracing::info!(event_id = 999, "an unknown id");
            tracing::warn!(event_id = None::<u16>, "sometimes an event");
        });
        let not_ready = "connector is not ready: Entra rejects the secret.\nRenew it.\n\n\
                         connector: till\nclient_id: 6f2d\nfailures: 3\n\nTo do: run `bcproxy doctor`.";
        let expected = [(Event::Stopped, "stopped"), (Event::ConnectorNotReady, not_ready)];
        assert_eq!(events.iter().map(|(event, text)| (*event, text.as_str())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_hourly_event_is_reported_once_for_a_connector_whatever_its_numbers_and_clients() {
        let events = events(|| {
            for (connector, seconds) in [("a", 1), ("a", 2), ("b", 3)] {
                tracing::warn!(event_id = Event::LimiterPaused.id(), connector, seconds, "paused for {seconds} s");
            }
            for client in ["192.0.2.1", "192.0.2.2"] {
                tracing::warn!(event_id = Event::ConnectionsRejected.id(), %client, "rejected");
            }
        });
        let texts: Vec<&str> = events.iter().map(|(_, text)| text.split_once(" ").unwrap().1).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[0].starts_with("for 1 s\n\nconnector: a") && texts[1].starts_with("for 3 s"), "{texts:?}");
        assert!(events[2].1.starts_with("rejected\n\nclient: 192.0.2.1\n\nTo do: "), "{events:?}");
    }
}

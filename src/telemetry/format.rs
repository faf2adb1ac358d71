//! The form of log lines. Every field is cut to a length: clients choose paths, headers and, in part, reasons.

use std::borrow::Cow;
use std::fmt::{self, Debug, Write as _};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer as _};
use serde_json::Serializer;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The fields of a text line.
pub struct TextFields;

/// A JSON line: time, level, fields and target.
pub struct JsonLine;

impl<'w> FormatFields<'w> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = TextVisitor(DefaultVisitor::new(writer, true));
        fields.record(&mut visitor);
        visitor.0.finish()
    }
}

struct TextVisitor<'w>(DefaultVisitor<'w>);

impl Visit for TextVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match beginning(value, limit_of(field)) {
            None => self.0.record_str(field, value),
            Some(beginning) => self.0.record_str(field, &format!("{beginning}{ELLIPSIS}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.record_debug(field, &Cut { value, limit: limit_of(field) });
    }
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        // Written as a whole: the many small pieces of a line would each be checked for UTF-8 and copied on their own.
        let mut line = Vec::with_capacity(LINE_BYTES);
        json(&mut line, &time, event).map_err(|_| fmt::Error)?;
        line.push(b'\n');
        writer.write_str(str::from_utf8(&line).map_err(|_| fmt::Error)?)
    }
}

fn json(line: &mut Vec<u8>, time: &str, event: &Event<'_>) -> serde_json::Result<()> {
    let mut serializer = Serializer::new(line);
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("timestamp", time)?;
    map.serialize_entry("level", event.metadata().level().as_str())?;
    let mut visitor = JsonVisitor { map, target: None, text: String::new(), result: Ok(()) };
    event.record(&mut visitor);
    let JsonVisitor { mut map, target, result, .. } = visitor;
    result?;
    map.serialize_entry("target", target.as_deref().unwrap_or(event.metadata().target()))?;
    map.end()
}

struct JsonVisitor<M> {
    map: M,
    /// Of a line that a library wrote with the `log` crate.
    target: Option<String>,
    /// A field's value in its text form, which is escaped as a whole.
    text: String,
    result: serde_json::Result<()>,
}

impl<M: SerializeMap<Error = serde_json::Error>> JsonVisitor<M> {
    fn entry(&mut self, field: &Field, value: &(impl Serialize + ?Sized)) {
        // The rest of the metadata of a library's line.
        if self.result.is_ok() && !field.name().starts_with("log.") {
            self.result = self.map.serialize_entry(field.name(), value);
        }
    }
}

impl<M: SerializeMap<Error = serde_json::Error>> Visit for JsonVisitor<M> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match beginning(value, limit_of(field)) {
            _ if field.name() == "log.target" => self.target = Some(value.to_owned()),
            None => self.entry(field, value),
            Some(beginning) => self.entry(field, &format_args!("{beginning}{ELLIPSIS}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        // Writing to a String can't fail; a value that does is written as far as it came.
        let _ = write!(text, "{:?}", Cut { value, limit: limit_of(field) });
        self.entry(field, text.as_str());
        self.text = text;
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.entry(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.entry(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.entry(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.entry(field, &value);
    }
}

/// A value of which only the beginning is written.
struct Cut<'v> {
    value: &'v dyn Debug,
    limit: usize,
}

impl Debug for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(CutWriter { left: Some(self.limit), inner: f }, "{:?}", self.value)
    }
}

struct CutWriter<'a, 'f> {
    inner: &'a mut fmt::Formatter<'f>,
    /// `None` once something was cut off.
    left: Option<usize>,
}

impl fmt::Write for CutWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Some(left) = self.left else { return Ok(()) };
        match beginning(text, left) {
            None => {
                self.left = Some(left - text.len());
                self.inner.write_str(text)
            }
            Some(beginning) => {
                self.left = None;
                self.inner.write_str(beginning)?;
                self.inner.write_char(ELLIPSIS)
            }
        }
    }
}

/// A text of a client, cut to the length of a field.
pub fn cut(text: &str) -> Cow<'_, str> {
    cut_to(text, MAX_FIELD_BYTES)
}

/// A field's text, cut to its length.
pub fn cut_field<'t>(field: &Field, text: &'t str) -> Cow<'t, str> {
    cut_to(text, limit_of(field))
}

/// The same of a value that is written in its text form.
pub fn cut_debug(field: &Field, value: &dyn Debug) -> String {
    format!("{:?}", Cut { value, limit: limit_of(field) })
}

fn cut_to(text: &str, limit: usize) -> Cow<'_, str> {
    match beginning(text, limit) {
        None => Cow::Borrowed(text),
        Some(beginning) => Cow::Owned(format!("{beginning}{ELLIPSIS}")),
    }
}

/// The beginning of a text that is longer than `limit` bytes.
fn beginning(text: &str, limit: usize) -> Option<&str> {
    if text.len() <= limit {
        return None;
    }
    (0..=limit).rev().find_map(|end| text.get(..end))
}

fn limit_of(field: &Field) -> usize {
    if field.name() == "message" { MAX_MESSAGE_BYTES } else { MAX_FIELD_BYTES }
}

/// The size of most lines.
const LINE_BYTES: usize = 1024;

/// Ends what was cut.
const ELLIPSIS: char = '…';

/// Longer than what clients send in good faith.
const MAX_FIELD_BYTES: usize = 1024;

/// A message may hold all mistakes of a configuration file. Clients choose no part of a message.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Layer, Registry};

    use super::*;

    /// What is logged by `work`, as text or as JSON.
    fn logged(as_text: bool, work: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let writer = {
            let lines = lines.clone();
            move || Lines(lines.clone())
        };
        let layer = tracing_subscriber::fmt::layer::<Registry>().with_writer(writer).with_ansi(false);
        let layer = if as_text { layer.fmt_fields(TextFields).boxed() } else { layer.event_format(JsonLine).boxed() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        String::from_utf8(std::mem::take(&mut *lines.lock().unwrap())).unwrap()
    }

    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_field_is_cut_to_its_length() {
        let long = "ü\"".repeat(23_000);
        for as_text in [true, false] {
            let line = logged(as_text, || {
                let shown = tracing::field::display(&long);
                tracing::warn!(path = long.as_str(), agent = ?long, shown, bytes = 7, "{long}");
            });
            assert!(line.len() < 2 * (3 * MAX_FIELD_BYTES + MAX_MESSAGE_BYTES), "{} bytes", line.len());
            assert_eq!((line.matches(ELLIPSIS).count(), line.lines().count()), (4, 1), "{line}");
        }
    }

    #[test]
    fn a_json_line_has_the_fields_with_their_types() {
        let line = logged(false, || {
            tracing::info!(target: "bcproxy::access", id = %7, bytes = 7_u64, ms = 0.5, is = true, agent = "a\"\n", "ä");
        });
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let time = line["timestamp"].as_str().unwrap();
        let expected = serde_json::json!({
            "timestamp": time, "level": "INFO", "message": "ä", "id": "7", "bytes": 7, "ms": 0.5, "is": true,
            "agent": "a\"\n", "target": "bcproxy::access",
        });
        assert_eq!(line, expected);
    }
}

//! The log's form and volume.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::ACCESS;
use super::line_writer::{self, LineWriter, WriterGuard};
use crate::config::{Log, LogFormat};

/// Writes what is still to be logged when dropped; keep it until the process ends.
#[must_use]
pub struct LogGuard(#[expect(dead_code, reason = "held for its drop")] WriterGuard);

/// Starts logging to standard error, from a thread of its own: a blocked terminal or pipe must not stop a request.
pub fn start(log: &Log) -> io::Result<LogGuard> {
    let is_terminal = io::stderr().is_terminal();
    let (writer, guard) = line_writer::start(io::stderr())?;
    let as_text = match log.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    // A second start in one process keeps the first's settings.
    let _ =
        tracing_subscriber::registry().with(lines(writer, as_text, is_terminal).with_filter(filter(log))).try_init();
    Ok(LogGuard(guard))
}

fn lines<S>(writer: LineWriter, as_text: bool, is_terminal: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'s> tracing_subscriber::registry::LookupSpan<'s>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(is_terminal && as_text);
    if as_text { layer.with_target(false).boxed() } else { layer.json().flatten_event(true).boxed() }
}

/// Our own lines at the level asked for; a library's only when something is wrong.
fn filter(log: &Log) -> Targets {
    let requests = if log.requests { log.level.into() } else { LevelFilter::OFF };
    Targets::new().with_default(LevelFilter::WARN).with_target("bcproxy", log.level).with_target(ACCESS, requests)
}

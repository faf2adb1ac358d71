//! The log's form and volume.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use super::ACCESS;
use super::line_writer::{self, LineWriter, WriterGuard};
use crate::config::{Log, LogFormat};

/// Writes what is still to be logged when dropped; keep it until the process ends.
#[must_use]
pub struct LogGuard {
    _writer: WriterGuard,
    filter: LogFilter,
}

/// What decides which lines are logged. Clones are the same.
#[derive(Clone)]
pub struct LogFilter(reload::Handle<Targets, Registry>);

impl LogGuard {
    pub fn filter(&self) -> LogFilter {
        self.filter.clone()
    }
}

impl LogFilter {
    /// Level and requests count from now on; the form of a line can't change.
    pub fn change(&self, log: &Log) {
        // Fails only after the log has ended.
        let _ = self.0.modify(|targets| *targets = filter(log));
    }
}

/// Starts logging to standard error, from a thread of its own: a blocked terminal or pipe must not stop a request.
pub fn start(log: &Log) -> io::Result<LogGuard> {
    let is_terminal = io::stderr().is_terminal();
    let (writer, guard) = line_writer::start(io::stderr())?;
    let as_text = match log.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let (filter, handle) = reload::Layer::new(filter(log));
    // A second start in one process keeps the first's settings.
    let _ = tracing_subscriber::registry().with(lines(writer, as_text).with_filter(filter)).try_init();
    Ok(LogGuard { _writer: guard, filter: LogFilter(handle) })
}

fn lines<S>(writer: LineWriter, as_text: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'s> tracing_subscriber::registry::LookupSpan<'s>,
{
    let layer =
        tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(as_text && console::colors_enabled_stderr());
    if as_text { layer.with_target(false).boxed() } else { layer.json().flatten_event(true).boxed() }
}

/// Our own lines at the level asked for; a library's only when something is wrong.
fn filter(log: &Log) -> Targets {
    let requests = if log.requests { log.level.into() } else { LevelFilter::OFF };
    Targets::new().with_default(LevelFilter::WARN).with_target("bcproxy", log.level).with_target(ACCESS, requests)
}

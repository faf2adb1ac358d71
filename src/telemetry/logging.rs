//! The log's format and level.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use super::event_log::{self, EventLog};
use super::format::{JsonLine, TextFields};
use super::line_writer::{self, LineWriter, WriterGuard};
use super::log_file::{LogFile, OpenError};
use super::otlp::{LogLayer, LogRecords};
use crate::config::{self, Log, LogFormat};

/// Writes the remaining lines when dropped. Keep it until the process ends.
#[must_use]
pub struct LogGuard {
    _writer: WriterGuard,
    /// The filter of this log.
    pub filter: LogFilter,
}

/// The filter that decides which lines are logged. Clones share one filter.
#[derive(Clone)]
pub struct LogFilter {
    handle: reload::Handle<Targets, Registry>,
    /// Where the log goes without `log.file`; `None`: to standard error.
    default_file: Option<PathBuf>,
    /// Where log records wait for their export.
    pub records: LogRecords,
}

impl LogFilter {
    /// Whether a change of `log.file` or `log.rotate` needs a restart.
    pub fn changes_file(&self, before: &Log, now: &Log) -> bool {
        let file = |log: &Log| log.file_or(self.default_file.as_deref());
        file(before) != file(now)
    }

    /// Applies `log.level` and `log.requests`. A change of `log.format` needs a restart.
    pub fn change(&self, log: &Log) {
        // This fails only after the log has ended.
        let _ = self.handle.modify(|targets| *targets = filter(log));
    }

    /// The filter of no log.
    #[cfg(test)]
    pub fn unused() -> Self {
        let handle = reload::Layer::new(Targets::new()).1;
        Self { handle, default_file: None, records: LogRecords::default() }
    }
}

/// Where a service of Windows logs: it has no standard error.
#[derive(Debug)]
pub struct ServiceLog<'e> {
    /// The file where `log.file` names none ([`config::LogFile::of_service`]).
    pub default_file: PathBuf,
    /// Where events go as well. `None`: they are in the log only.
    pub events: Option<&'e EventLog>,
}

/// Why the log can't be started. The message is complete sentences.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file of the log can't be opened.
    #[error(transparent)]
    File(#[from] OpenError),
    /// The system can't start another thread.
    #[error("the system starts no thread ({0}).")]
    Thread(#[from] io::Error),
}

/// Starts to log to standard error or to a file, from a separate thread: a blocked terminal, pipe or disk must not
/// block a request.
pub fn start(log: &Log, service: Option<ServiceLog<'_>>) -> Result<LogGuard, StartError> {
    let (default_file, events) = service.map_or((None, None), |service| (Some(service.default_file), service.events));
    let file = log.file_or(default_file.as_deref());
    let is_terminal = file.is_none() && io::stderr().is_terminal();
    let (writer, guard) = writer(file.as_ref())?;
    let as_text = match log.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let (filter, handle) = reload::Layer::new(filter(log));
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = if as_text {
        layer
            .fmt_fields(TextFields)
            .with_ansi(file.is_none() && console::colors_enabled_stderr())
            .with_target(false)
            .boxed()
    } else {
        layer.with_ansi(false).event_format(JsonLine).boxed()
    };
    let records = LogRecords::default();
    // This filter notes for its thread that it rejects an event, until the event arrives. After a mere question
    // whether something would be logged, it would reject the next event instead: clippy.toml forbids to ask.
    let layers = lines.and_then(LogLayer(records.clone())).with_filter(filter);
    let subscriber = tracing_subscriber::registry().with(layers);
    // A second start in the same process keeps the settings of the first.
    let _ = match events {
        Some(events) => subscriber.with(event_log::layer(events)).try_init(),
        None => subscriber.try_init(),
    };
    Ok(LogGuard { _writer: guard, filter: LogFilter { handle, default_file, records } })
}

fn writer(file: Option<&config::LogFile>) -> Result<(LineWriter, WriterGuard), StartError> {
    let started = match file {
        None => line_writer::start(io::stderr()),
        Some(file) => line_writer::start(LogFile::open(file)?),
    };
    Ok(started?)
}

/// The log target of request lines. `log: { requests: false }` leaves those of slow requests.
pub const ACCESS: &str = "bcproxy::access";

/// The target of events that have no line in the log, because it can't be written.
pub const EVENT_ONLY: &str = "bcproxy::event_only";

/// Logs our own lines at the configured level, and those of libraries only from level `warn`. rustls warns of what
/// clients send, as often as they send it; a rejected handshake has a line of ours.
pub(super) fn filter(log: &Log) -> Targets {
    let requests = match log.requests.successes {
        Some(_) => log.level.into(),
        None => LevelFilter::WARN.min(log.level.into()),
    };
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("rustls", LevelFilter::ERROR)
        .with_target("bcproxy", log.level)
        .with_target(ACCESS, requests)
        .with_target(EVENT_ONLY, LevelFilter::OFF)
}

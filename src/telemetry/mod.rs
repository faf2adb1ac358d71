//! The log, OpenTelemetry, and the Event Log of Windows.

#[cfg_attr(
    not(windows),
    allow(dead_code, unused_imports, reason = "only a service of Windows reports events, and tests do")
)]
pub mod event_log;
mod format;
mod line_writer;
mod log_file;
mod logging;
pub mod otlp;

pub use line_writer::unwritten_lines;
pub use logging::{ACCESS, LogFilter, LogGuard, ServiceLog, start};

//! The log, and OpenTelemetry.

mod format;
mod line_writer;
mod log_file;
mod logging;
pub mod otlp;

pub use line_writer::unwritten_lines;
pub use logging::{ACCESS, LogFilter, LogGuard, start};

//! The log.

mod format;
mod line_writer;
mod log_file;
mod logging;

pub use line_writer::unwritten_lines;
pub use logging::{ACCESS, LogFilter, LogGuard, start};

//! The log.

mod format;
mod line_writer;
mod logging;

pub use logging::{ACCESS, LogFilter, LogGuard, start};

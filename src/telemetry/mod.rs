//! What bcproxy tells about itself: the log.

mod line_writer;
mod logging;

pub use logging::{LogFilter, LogGuard, start};

/// The log target of request lines: `log: { requests: false }` turns it off.
pub const ACCESS: &str = "bcproxy::access";

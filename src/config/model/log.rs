//! What is logged, where, and in which format.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::share::Share;
use crate::small_file;

/// What is logged, where, and in which format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The format of a line.
    pub format: LogFormat,
    /// The least severe level that is logged.
    pub level: tracing::Level,
    /// Which requests have a line.
    pub requests: RequestLog,
    /// The file that `log.file` names.
    pub file: Option<PathBuf>,
    /// When a file is renamed.
    pub rotation: Rotation,
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Which requests have a line of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLog {
    /// The share of the successful requests that have one; all others do. `None`: no request has one.
    pub successes: Option<Share>,
    /// A request that takes longer has one in any case.
    pub slow: Option<Duration>,
}

/// When the file of the log is renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The size in bytes from which it is renamed.
    pub size: u64,
    /// How many renamed files are kept. At least one.
    pub keep: usize,
}

/// The file of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// When it is renamed.
    pub rotation: Rotation,
}

impl Log {
    /// The file of this log. `None`: standard error. `default`: the file where none is named.
    pub fn file_or(&self, default: Option<&Path>) -> Option<LogFile> {
        let path = self.file.as_deref().or(default)?;
        Some(LogFile { path: path.to_owned(), rotation: self.rotation })
    }
}

impl LogFile {
    /// Where a service of Windows logs without `log.file`, since it has no standard error.
    pub fn of_service(configuration: &Path) -> PathBuf {
        small_file::folder(configuration).join("logs").join("bcproxy.log")
    }
}

impl RequestLog {
    /// Whether a request that took so long is logged as a slow one.
    pub fn is_slow(&self, took: Duration) -> bool {
        self.slow.is_some_and(|slow| took > slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_slow_beyond_the_limit() {
        let log = RequestLog { successes: None, slow: Some(Duration::from_secs(5)) };
        assert!(!log.is_slow(Duration::from_secs(5)) && log.is_slow(Duration::from_millis(5_001)));
        assert!(!RequestLog { slow: None, ..log }.is_slow(Duration::MAX));
    }
}

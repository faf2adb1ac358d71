//! Changes of the configuration that need a restart.

use crate::config::Config;
use crate::telemetry::LogFilter;

/// What a reload from `before` to `now` leaves as it is, to append to its message. Warns of a shared store that only
/// some replicas use, because these would exceed Business Central's limits.
pub fn note(log: &LogFilter, before: &Config, now: &Config) -> String {
    let mut note = String::new();
    if now.log.format != before.log.format {
        note += "; `log.format` changes at the next restart";
    }
    if log.changes_file(&before.log, &now.log) {
        note += "; `log.file` and `log.rotate` change at the next restart";
    }
    if now.shared_limits != before.shared_limits {
        note += "; `shared_limits` changes at the next restart";
        tracing::warn!("`shared_limits` has changed, which needs a restart: restart every replica of bcproxy");
    }
    note
}

//! Numbers as other programs take them.

use std::fmt::Write;
use std::time::Duration;

/// Whole milliseconds.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Two hex digits in lower case for each byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Text takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

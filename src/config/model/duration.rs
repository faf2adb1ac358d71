//! Durations as people write them: `10s`, `500ms`, `1h30m`.

use std::time::Duration;

/// The longest duration that the file may name.
pub const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// A regular expression that every duration matches.
pub const PATTERN: &str = "^([0-9]+(ms|s|m|h))+$";

/// Why text is not a duration. The message says how to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("add the unit: write 10s for seconds (or use ms, m, h)")]
    NoUnit,
    #[error("write numbers with units, such as 10s, 500ms, 10m or 1h30m")]
    Malformed,
    #[error("choose a duration longer than zero and at most 24h")]
    OutOfBounds,
}

/// Parses the sum of numbers with units (`ms`, `s`, `m`, `h`): longer than zero, at most [`MAX_DURATION`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|first: char| first.is_ascii_digit()).len();
        let (number, after) = rest.split_at_checked(digits).ok_or(DurationError::Malformed)?;
        let letters = after.len() - after.trim_start_matches(|first: char| first.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at_checked(letters).ok_or(DurationError::Malformed)?;
        if number.is_empty() {
            return Err(DurationError::Malformed);
        }
        let number: u64 = number.parse().map_err(|_| DurationError::OutOfBounds)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "" if after.is_empty() => return Err(DurationError::NoUnit),
            _ => return Err(DurationError::Malformed),
        };
        total = total.saturating_add(Duration::from_millis(number.saturating_mul(milliseconds)));
        rest = after;
    }
    match total {
        _ if text.is_empty() => Err(DurationError::Malformed),
        Duration::ZERO => Err(DurationError::OutOfBounds),
        total if total > MAX_DURATION => Err(DurationError::OutOfBounds),
        total => Ok(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_added_up() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("1h30m", 5_400_000),
            ("24h", 86_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_rejected() {
        use DurationError::*;
        for (text, error) in [
            ("10", NoUnit),
            ("1h30", NoUnit),
            ("", Malformed),
            ("s", Malformed),
            ("10 s", Malformed),
            ("1.5h", Malformed),
            ("-1s", Malformed),
            ("5d", Malformed),
            ("10S", Malformed),
            ("ü", Malformed),
            ("0s", OutOfBounds),
            ("24h1ms", OutOfBounds),
            ("99999999999999999999h", OutOfBounds),
            ("18446744073709551615h", OutOfBounds),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}

//! Durations as people write them: `10s`, `500ms`, `1h30m`.

use std::time::Duration;

/// The longest duration that makes sense anywhere in the file.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The form of a duration, as a regular expression.
pub const PATTERN: &str = "^([0-9]+(ms|s|m|h))+$";

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("a number needs its unit: write 10s for seconds (or ms, m, h)")]
    NoUnit,
    #[error("write numbers with units, such as 10s, 500ms, 10m or 1h30m")]
    Malformed,
    #[error("it must be more than nothing and at most 24h")]
    OutOfBounds,
}

/// Reads numbers with units (`ms`, `s`, `m`, `h`) that are added up; more than 0, at most 24 hours.
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
        total if total > LONGEST => Err(DurationError::OutOfBounds),
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
    fn everything_else_is_refused() {
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

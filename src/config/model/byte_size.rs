//! Sizes as people write them: `64KiB`, `256MiB`, `4GiB`.

use std::str::FromStr;

/// A number of bytes, from 1 KiB to 1 TiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// Why text is not a [`ByteSize`]. The message says how to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ByteSizeError {
    #[error("write a whole number and its unit, such as 256MiB (or use KiB, GiB)")]
    Malformed,
    #[error("choose a size from 1KiB to 1024GiB")]
    OutOfBounds,
}

impl ByteSize {
    /// A regular expression that every size matches.
    pub const PATTERN: &str = "^[0-9]+ ?(KiB|MiB|GiB)$";
}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, ByteSizeError> {
        let digits = text.len() - text.trim_start_matches(|first: char| first.is_ascii_digit()).len();
        let (number, unit) = text.split_at_checked(digits).ok_or(ByteSizeError::Malformed)?;
        let unit = match unit.strip_prefix(' ').unwrap_or(unit) {
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(ByteSizeError::Malformed),
        };
        let number: u64 = match number {
            "" => return Err(ByteSizeError::Malformed),
            number => number.parse().map_err(|_| ByteSizeError::OutOfBounds)?,
        };
        match number.checked_mul(unit) {
            Some(bytes) if (1 << 10..=1 << 40).contains(&bytes) => Ok(Self(bytes)),
            _ => Err(ByteSizeError::OutOfBounds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        for (text, bytes) in [("1KiB", 1024), ("256MiB", 256 << 20), ("4 GiB", 4 << 30)] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for malformed in ["", "256", "MiB", "256MB", "256m", "1.5GiB", "-1KiB", "256  MiB"] {
            assert_eq!(malformed.parse::<ByteSize>(), Err(ByteSizeError::Malformed), "{malformed}");
        }
        for out_of_bounds in ["0KiB", "1025GiB", "99999999999999999999KiB"] {
            assert_eq!(out_of_bounds.parse::<ByteSize>(), Err(ByteSizeError::OutOfBounds), "{out_of_bounds}");
        }
    }
}

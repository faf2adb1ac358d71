//! A part of many, as a percentage.

use std::str::FromStr;

/// A part of many, from none to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    per_million: u32,
}

/// Why text is not a [`Share`]. The message says how to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a percentage from 0% to 100%, such as 1% or 0.5%, with at most four decimals")]
pub struct ShareError;

impl Share {
    /// None of them.
    pub const NONE: Self = Self { per_million: 0 };

    /// All of them.
    pub const ALL: Self = Self { per_million: MILLION };

    /// A regular expression that every share matches.
    pub const PATTERN: &str = "^[0-9]+(\\.[0-9]{1,4})? ?%$";

    /// Whether the share has the one with this random number.
    pub fn contains(self, random: u32) -> bool {
        (u64::from(random) * u64::from(MILLION)) >> u32::BITS < u64::from(self.per_million)
    }

    /// How many one of the share stands for. `None` if the share is all of them.
    pub fn weight(self) -> Option<f64> {
        (self != Self::ALL).then(|| f64::from(MILLION) / f64::from(self.per_million))
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let number = text.strip_suffix('%').ok_or(ShareError)?;
        let number = number.strip_suffix(' ').unwrap_or(number);
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || decimals.len() > DECIMALS {
            return Err(ShareError);
        }
        let whole: u32 = whole.parse().map_err(|_| ShareError)?;
        let decimals: u32 = format!("{decimals:0<DECIMALS$}").parse().map_err(|_| ShareError)?;
        let per_million = whole.checked_mul(MILLION / 100).and_then(|whole| whole.checked_add(decimals));
        per_million.filter(|number| *number <= MILLION).map(|per_million| Self { per_million }).ok_or(ShareError)
    }
}

const MILLION: u32 = 1_000_000;

/// A percentage with so many decimals is a whole number of millionths.
const DECIMALS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        for (text, per_million) in
            [("1%", 10_000), ("0%", 0), ("100%", MILLION), ("0.5%", 5_000), ("33.3333 %", 333_333), ("0.0001%", 1)]
        {
            assert_eq!(text.parse(), Ok(Share { per_million }), "{text}");
        }
        for wrong in ["", "1", "%", ".5%", "1.%", "101%", "100.0001%", "0.00001%", "-1%", "1/100", "99999999999%"] {
            assert_eq!(wrong.parse::<Share>(), Err(ShareError), "{wrong}");
        }
    }

    #[test]
    fn a_share_has_its_part_of_the_random_numbers_and_each_stands_for_the_others() {
        const NUMBERS: u32 = 1 << 20;
        for (text, expected) in [("1%", 0.01), ("0.5%", 0.005), ("60%", 0.6), ("0%", 0.0), ("100%", 1.0)] {
            let share: Share = text.parse().unwrap();
            let contained = (0..NUMBERS).filter(|number| share.contains(number << 12)).count() as f64;
            let expected = expected * f64::from(NUMBERS);
            assert!((contained - expected).abs() <= 1.0, "{text}: {contained} of {NUMBERS}");
            if contained > 0.0 {
                let stands_for = share.weight().unwrap_or(1.0) * contained;
                assert!((stands_for / f64::from(NUMBERS) - 1.0).abs() < 0.001, "{text}: {stands_for}");
            }
        }
        assert_eq!(Share::ALL.weight(), None);
    }
}

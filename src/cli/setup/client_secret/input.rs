//! A client secret as somebody pastes it: its length, and the day on which it expires.

use std::str::FromStr;

use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::secret::Secret;

/// Describes a secret that Entra rejects and that is shorter than any of Entra's. A line break ends the input early.
pub fn too_short(secret: &Secret) -> Option<String> {
    let length = secret.expose().chars().count();
    (length < SHORTEST).then(|| {
        format!(
            "It has {length} characters, but Entra's secrets have about 40. A line break or an incomplete copy cuts a secret off."
        )
    })
}

/// The day on which a secret expires: after today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiryDay(pub Date);

/// Why text is not an [`ExpiryDay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryDayError {
    #[error("write the day as year, month and day: 2027-05-01")]
    Malformed,
    #[error(
        "{0} is not in the future: a secret that has expired cannot be used. Create a new one, or correct the year"
    )]
    Past(Date),
}

impl ExpiryDay {
    fn parse(text: &str, today: Date) -> Result<Self, ExpiryDayError> {
        let day =
            Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| ExpiryDayError::Malformed)?;
        if day > today { Ok(Self(day)) } else { Err(ExpiryDayError::Past(day)) }
    }
}

impl FromStr for ExpiryDay {
    type Err = ExpiryDayError;

    fn from_str(text: &str) -> Result<Self, ExpiryDayError> {
        Self::parse(text, OffsetDateTime::now_utc().date())
    }
}

/// Entra's secrets have 40 characters; older ones had at least 32.
const SHORTEST: usize = 30;

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const GOOD: &str = "Abc8Q~abcdefghijklmnopqrstuvwxyz_.-0123456";

    #[test]
    fn a_secret_that_was_cut_off_is_noticed() {
        assert_eq!(too_short(&Secret::new(GOOD.to_owned())), None);
        assert!(too_short(&Secret::new("Abc8Q~abc".to_owned())).unwrap().starts_with("It has 9 characters"));
    }

    #[test]
    fn the_expiry_is_a_day_after_today() {
        let parse = |text| ExpiryDay::parse(text, date!(2026 - 11 - 30));
        assert_eq!(parse("2027-05-01"), Ok(ExpiryDay(date!(2027 - 05 - 01))));
        assert_eq!(parse("2026-11-30"), Err(ExpiryDayError::Past(date!(2026 - 11 - 30))));
        for text in ["01.05.2027", "5/1/2027", "2027-13-01", "soon", "2027-05-01T10:00"] {
            assert_eq!(parse(text), Err(ExpiryDayError::Malformed), "{text}");
        }
    }
}

//! A client secret as somebody pastes it: the usual mistakes, and the day on which it expires.

use std::str::FromStr;

use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::secret::Secret;

/// What was certainly pasted wrong. The message says what to do, and never shows the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasteMistake {
    #[error("Nothing was pasted. Copy the secret's Value in Entra and paste it here.")]
    Empty,
    #[error(
        "This is the Secret ID. bcproxy needs the secret's Value, which Entra shows only once. If it is lost, create a \
         new secret."
    )]
    SecretId,
    #[error("There are quotation marks around the secret. Paste it without them.")]
    Quoted,
    #[error("There is a line break in the secret. Copy it again in one piece.")]
    LineBreak,
    #[error("There is a blank before, after or inside the secret. Copy the Value alone, in one piece.")]
    Blank,
    #[error(
        "This is the masked value, as Entra shows it later. It shows the Value only once: create a new secret and copy \
         it immediately."
    )]
    Masked,
    #[error("There is a character that no client secret contains. Copy the Value again.")]
    OtherCharacter,
}

/// Finds what is certainly wrong. Entra's secrets are printable ASCII, without blanks.
pub fn check(secret: &Secret) -> Result<(), PasteMistake> {
    let text = secret.expose();
    let trimmed = text.trim();
    let is_quote = |character: char| "\"'`“”„‘’«»".contains(character);
    if trimmed.is_empty() {
        Err(PasteMistake::Empty)
    } else if Secret::new(trimmed.trim_matches(is_quote).to_owned()).is_guid() {
        Err(PasteMistake::SecretId)
    } else if trimmed.starts_with(is_quote) || trimmed.ends_with(is_quote) {
        Err(PasteMistake::Quoted)
    } else if text.contains(['\n', '\r']) {
        Err(PasteMistake::LineBreak)
    } else if text.contains(char::is_whitespace) {
        Err(PasteMistake::Blank)
    } else if text.contains("***") || text.contains(['•', '●']) {
        Err(PasteMistake::Masked)
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(PasteMistake::OtherCharacter)
    } else {
        Ok(())
    }
}

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
    fn the_usual_mistakes_are_told_apart() {
        let mistake = |text: &str| check(&Secret::new(text.to_owned())).unwrap_err();
        assert_eq!(check(&Secret::new(GOOD.to_owned())), Ok(()));
        assert_eq!((mistake(""), mistake(" \n")), (PasteMistake::Empty, PasteMistake::Empty));
        for id in ["3f2504e0-4f89-41d3-9a0c-0305e82c3301", " {3F2504E0-4F89-41D3-9A0C-0305E82C3301}\n"] {
            assert_eq!(mistake(id), PasteMistake::SecretId);
        }
        assert_eq!(mistake("\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\""), PasteMistake::SecretId);
        for (open, close) in [("\"", "\""), ("'", "'"), ("“", "”"), ("\"", "")] {
            assert_eq!(mistake(&format!("{open}{GOOD}{close}")), PasteMistake::Quoted);
        }
        for blank in [format!(" {GOOD}"), format!("{GOOD}\t"), format!("{GOOD}\u{a0}"), GOOD.replace('~', "~ ")] {
            assert_eq!(mistake(&blank), PasteMistake::Blank);
        }
        assert_eq!(mistake(&GOOD.replace('~', "~\r\n")), PasteMistake::LineBreak);
        assert_eq!(mistake("Abc******************"), PasteMistake::Masked);
        assert_eq!(mistake(&GOOD.replace('~', "\u{2011}")), PasteMistake::OtherCharacter);
    }

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

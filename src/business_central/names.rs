//! The names of environments and companies.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The name of an environment: a letter, then letters, digits, `_` and `-`; at most 29 characters.
///
/// It needs no encoding in a path. Business Central accepts it in any case (BC, "Business Central Administration
/// Center API").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvironmentName(String);

/// The technical name of a company: 1 to 30 characters except control characters, case-sensitive.
///
/// It may contain spaces, apostrophes, slashes and any letter, so a path needs it percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompanyName(String);

/// The id of a company; unlike the name, it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompanyId(Uuid);

/// A reference to a company in the configuration or a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CompanyRef {
    /// By id.
    Id(CompanyId),
    /// By technical or display name.
    Name(CompanyName),
}

/// Why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not the name of an environment.
    #[error(
        "an environment name starts with a letter and has at most 29 letters, digits, _ and -. \
         Look it up in the Business Central admin center"
    )]
    Environment,
    /// Not the name of a company.
    #[error("a company name has 1 to 30 characters and no control character; look it up on the page \"Companies\"")]
    Company,
}

impl EnvironmentName {
    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvironmentName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let starts_with_letter = text.starts_with(|first: char| first.is_ascii_alphabetic());
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        let is_name = starts_with_letter && is_plain && text.len() < 30;
        is_name.then(|| Self(text.to_owned())).ok_or(NameError::Environment)
    }
}

impl CompanyName {
    /// The name, in Business Central's spelling if it comes from there.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A placeholder for the unknown name of a company: the first 30 digits of its id.
    pub fn placeholder_for(company: Uuid) -> Self {
        Self(company.simple().to_string().chars().take(30).collect())
    }
}

impl FromStr for CompanyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_name = (1..=30).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        is_name.then(|| Self(text.to_owned())).ok_or(NameError::Company)
    }
}

impl From<Uuid> for CompanyId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for CompanyId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

impl FromStr for CompanyRef {
    type Err = NameError;

    /// Parses a GUID as an id, and any other text as a name.
    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::Name))
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CompanyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CompanyId {
    /// The GUID.
    pub fn guid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for CompanyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CompanyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_names_follow_the_admin_centers_rule() {
        for right in ["Production", "sandbox-2", "T_1"] {
            assert!(right.parse::<EnvironmentName>().is_ok(), "{right}");
        }
        for wrong in ["", "2go", "a b", "a/b", "..", "abcdefghijklmnopqrstuvwxyzabcd"] {
            assert_eq!(wrong.parse::<EnvironmentName>(), Err(NameError::Environment), "{wrong}");
        }
    }

    #[test]
    fn a_company_is_an_id_when_it_is_a_guid() {
        let id = "824820A2-508C-ED11-AADA-000D3A298AB3".parse::<CompanyRef>().unwrap();
        assert_eq!(id.to_string(), "824820a2-508c-ed11-aada-000d3a298ab3");
        assert!(matches!("CRONUS International Ltd.".parse().unwrap(), CompanyRef::Name(_)));
        assert_eq!("".parse::<CompanyRef>(), Err(NameError::Company));
        assert_eq!("x".repeat(31).parse::<CompanyRef>(), Err(NameError::Company));
        assert!("ü".repeat(30).parse::<CompanyRef>().is_ok());
    }
}

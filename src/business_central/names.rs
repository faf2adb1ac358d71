//! Names of environments and companies.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The name of an environment: starts with a letter; letters, digits, `_` and `-`; fewer than 30 characters.
///
/// Safe to put into a path as it is. Business Central takes it in any case (BC, "Business Central Administration Center API").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvironmentName(String);

/// The technical name of a company: 1 to 30 characters, case-sensitive, none of them a control character.
///
/// It may hold spaces, apostrophes, slashes and any letter: it must be percent-encoded before it goes into a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompanyName(String);

/// The id of a company: immutable, while the name can be changed by an administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompanyId(Uuid);

/// A company as an administrator writes it: by name or by id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CompanyRef {
    Id(CompanyId),
    Name(CompanyName),
}

/// Why a text is no name of an environment or company.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error(
        "an environment name starts with a letter and holds letters, digits, _ and - only, fewer than 30 of them; \
         it is shown in the Business Central admin center"
    )]
    Environment,
    #[error(
        "a company name has 1 to 30 characters, none of them a control character; it is shown on the page \"Companies\""
    )]
    Company,
}

impl EnvironmentName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvironmentName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let starts_with_letter = text.starts_with(|first: char| first.is_ascii_alphabetic());
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if starts_with_letter && is_plain && text.len() < 30 {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Environment)
        }
    }
}

impl CompanyName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name nobody gives a company, for one whose name is not known: digits of a GUID.
    pub fn standing_for(company: Uuid) -> Self {
        Self(company.simple().to_string().chars().take(30).collect())
    }
}

impl FromStr for CompanyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let length = text.chars().count();
        if (1..=30).contains(&length) && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Company)
        }
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

    /// A GUID is an id; everything else a name.
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Name),
        }
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

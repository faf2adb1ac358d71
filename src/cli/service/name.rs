//! The name of a service.

use std::fmt;
use std::str::FromStr;

/// The name of a service: at most 80 letters, digits, `-`, `_` and `.`.
///
/// Windows allows more, but the name also becomes that of an account, of an event source and of a registry key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName(String);

/// The text is not a [`ServiceName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write at most 80 letters, digits, `-`, `_` and `.`, and a letter first")]
pub struct ServiceNameError;

impl ServiceName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ServiceName {
    fn default() -> Self {
        Self("bcproxy".to_owned())
    }
}

impl FromStr for ServiceName {
    type Err = ServiceNameError;

    fn from_str(text: &str) -> Result<Self, ServiceNameError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let begins_right = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        match begins_right && text.len() <= MAX_LENGTH && text.bytes().all(is_allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(ServiceNameError),
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const MAX_LENGTH: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_letters_digits_and_few_others() {
        for name in ["bcproxy", "bcproxy-test_2.old", "B"] {
            assert_eq!(name.parse::<ServiceName>().unwrap().as_str(), name);
        }
        for name in ["", "2nd", "a b", "a/b", r"a\b", "ä", "\"", &"x".repeat(81)] {
            assert_eq!(name.parse::<ServiceName>(), Err(ServiceNameError), "{name}");
        }
    }
}

//! The value of a secret.

use std::fmt;
use std::hash::{Hash, Hasher};

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// The value of a secret. It is zeroed on drop and never printed.
#[derive(Clone)]
pub struct Secret {
    value: SecretString,
    is_trimmed: bool,
}

impl Secret {
    /// Wraps a value.
    pub fn new(value: String) -> Self {
        Self { value: SecretString::from(value), is_trimmed: false }
    }

    /// Wraps text without the white space around it.
    pub(super) fn trimmed(text: &str) -> Self {
        let trimmed = text.trim();
        Self { is_trimmed: trimmed.len() != text.len(), ..Self::new(trimmed.to_owned()) }
    }

    /// The value. Use it only to build the request that needs it.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }

    /// Whether white space around the value was ignored.
    pub fn is_trimmed(&self) -> bool {
        self.is_trimmed
    }

    /// Whether the value is a GUID. A GUID is a secret's ID, which people often copy instead of its value.
    pub fn is_guid(&self) -> bool {
        Uuid::try_parse(self.expose()).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "Secret(…)");
    }
}

//! The name of a secret in the store.

use std::fmt;
use std::str::FromStr;

/// The name of a stored secret: 1 to 64 letters, digits, hyphens, underscores and dots, no dot at either end.
///
/// It is the name of a file on Windows as well, so names of devices such as `CON` are invalid.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(String);

/// Why text is not a [`SecretName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretNameError {
    /// It is empty.
    #[error("write a name, such as client-secret")]
    Empty,
    /// It is too long.
    #[error("write a name of at most {MAX_LENGTH} characters, such as client-secret")]
    TooLong,
    /// It has another character.
    #[error("use letters from A to Z, digits, hyphens, underscores and dots only, as in client-secret")]
    Character,
    /// It begins or ends with a dot.
    #[error("write the name without a dot at its begin or end")]
    Dot,
    /// It is the name of a device.
    #[error("choose another name: Windows reserves this one for a device")]
    Device,
}

impl SecretName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = SecretNameError;

    fn from_str(text: &str) -> Result<Self, SecretNameError> {
        // Windows takes `NUL.txt` for the device, too. Source: Microsoft, "Naming Files, Paths, and Namespaces".
        let (stem, _) = text.split_once('.').unwrap_or((text, ""));
        if text.is_empty() {
            Err(SecretNameError::Empty)
        } else if text.len() > MAX_LENGTH {
            Err(SecretNameError::TooLong)
        } else if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            Err(SecretNameError::Character)
        } else if text.starts_with('.') || text.ends_with('.') {
            Err(SecretNameError::Dot)
        } else if is_device(stem) {
            Err(SecretNameError::Device)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

fn is_device(stem: &str) -> bool {
    let stem = stem.to_ascii_uppercase();
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || port.is_some_and(|number| matches!(number.as_bytes(), [digit] if digit.is_ascii_digit()))
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest name, in characters.
const MAX_LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_name_of_a_file_everywhere() {
        for name in ["client-secret", "a", "A_1.old", "com10", "console", "x".repeat(64).as_str()] {
            assert_eq!(name.parse::<SecretName>().unwrap().as_str(), name);
        }
        let error = |text: &str| text.parse::<SecretName>().unwrap_err();
        assert_eq!((error(""), error(&"x".repeat(65))), (SecretNameError::Empty, SecretNameError::TooLong));
        for text in ["a/b", r"a\b", "C:x", "a b", "Ä", "a~b", "a\0"] {
            assert_eq!(error(text), SecretNameError::Character, "{text}");
        }
        for text in [".", "..", ".a", "a."] {
            assert_eq!(error(text), SecretNameError::Dot, "{text}");
        }
        for text in ["CON", "nul", "Aux.old", "com1", "LPT9.x.y", "COM0"] {
            assert_eq!(error(text), SecretNameError::Device, "{text}");
        }
    }
}

//! What proves to Entra that we are the application, and where it is kept.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

/// What proves that we are the application.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A client secret, kept in one of these places; they are tried in order (rotation). Never empty.
    ClientSecret(Vec<SecretSource>),
}

/// Where a secret is kept. It is read again before every token request, so a rotated one needs no restart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// An environment variable's name.
    Env(String),
    /// A file; surrounding white space is trimmed.
    File(PathBuf),
    /// A program and its arguments, run without a shell; its standard output, trimmed, is the secret. Never empty.
    Command(Vec<String>),
}

/// A secret's value: zeroed on drop, printable nowhere.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(SecretString::from(value))
    }

    /// The value itself. Only for putting it into the request that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command(argv) => write!(f, "command {}", argv.first().map_or("", String::as_str)),
        }
    }
}

//! The client secrets of an application: where each is stored, and when it expires.

use time::Date;

use crate::secret::SecretSource;

/// The secrets of an application, tried in order. During a rotation the list holds the old and the new one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientSecrets {
    /// Tried first.
    pub first: ClientSecret,
    /// Tried in order when Entra rejects the one before.
    pub others: Vec<ClientSecret>,
}

/// A client secret: where it is stored, and when it expires.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientSecret {
    /// Where it is stored.
    pub source: SecretSource,
    /// The last day it is valid, as noted in `proxy.yaml`. Entra does not reveal it.
    pub expires: Option<Date>,
}

impl ClientSecrets {
    /// Iterates in the order in which the secrets are tried.
    pub fn iter(&self) -> impl Iterator<Item = &ClientSecret> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

//! The secrets of an application: where each is kept, and until when it is good.

use time::Date;

use crate::secret::SecretSource;

/// The places of a secret, tried in order: during a rotation the old secret and the new one are both there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretSources {
    pub first: KeptSecret,
    pub others: Vec<KeptSecret>,
}

/// A secret, where it is kept and until when it is good.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeptSecret {
    pub source: SecretSource,
    /// The last day of it, as whoever made it has noted; Entra does not tell.
    pub expires: Option<Date>,
}

impl SecretSources {
    /// In the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &KeptSecret> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

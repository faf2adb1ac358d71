//! Detects a changed credential without a copy of it.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;

/// A hash of what a credential's sources hold, keyed per process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// Builds a [`Fingerprint`] from the contents of several sources.
pub struct FingerprintBuilder(<RandomState as BuildHasher>::Hasher);

impl Fingerprint {
    /// The fingerprint of a single text.
    pub fn of(content: &str) -> Self {
        let mut builder = FingerprintBuilder::default();
        builder.add(Some(content.as_bytes()));
        builder.finish()
    }
}

impl Default for FingerprintBuilder {
    fn default() -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(KEY.build_hasher())
    }
}

impl FingerprintBuilder {
    /// Adds the content of a source; `None` if the source can't be read.
    pub fn add(&mut self, content: Option<&[u8]>) {
        content.hash(&mut self.0);
    }

    /// Ends the fingerprint.
    pub fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finish())
    }
}

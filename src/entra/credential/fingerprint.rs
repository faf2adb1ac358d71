//! Whether a credential changed, without keeping a copy of it.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;

/// A number for what a credential's sources held. It means nothing outside this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// A fingerprint in the making.
pub struct Gathering(<RandomState as BuildHasher>::Hasher);

impl Fingerprint {
    pub fn of(content: &str) -> Self {
        let mut all = Gathering::default();
        all.add(Some(content.as_bytes()));
        all.finish()
    }
}

impl Default for Gathering {
    fn default() -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(KEY.build_hasher())
    }
}

impl Gathering {
    /// `None`: there is nothing that can be read.
    pub fn add(&mut self, content: Option<&[u8]>) {
        content.hash(&mut self.0);
    }

    pub fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finish())
    }
}

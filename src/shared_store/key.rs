//! The keys of the shared store: hashes, so that no names get there.

use std::sync::Arc;

use crate::units::hex;

/// The key of something in the store. Each script makes further keys from it, which a cluster keeps together with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoreKey(Arc<str>);

impl StoreKey {
    /// A key; `hash` is what a cluster distributes keys by.
    pub(super) fn new(prefix: &str, hash: &str) -> Self {
        Self(format!("{prefix}:{{{hash}}}").into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The hash of some parts, for a key. 32 hex digits.
pub fn digest(parts: &[&str]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in parts {
        // Their lengths tell `a`, `bc` from `ab`, `c`.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut text = hex(context.finish().as_ref());
    text.truncate(32);
    text
}
